import { beforeEach, describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import { Random } from '../../clock/random.ts';
import type { ApiResponse, ApiServer, CustomResource, KubernetesObject, WatchEvent } from '../types.ts';
import { createApiServer } from './server.ts';

const start = 1_767_225_600_000; // 2026-01-01T00:00:00Z
let clock: SimulatedClock;
let server: ApiServer;

beforeEach(() => {
  clock = new SimulatedClock(start);
  server = createApiServer({
    clock,
    random: new Random('test'),
    version: 'v1.27.3',
    serviceSubnets: ['198.51.100.0/24', '2001:db8:5::/112'],
    podSubnets: ['203.0.113.0/24'],
  });
});

function send(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  options: { query?: Record<string, string>; type?: string; accept?: string } = {},
): ApiResponse {
  const headers: Record<string, string> = {};
  if (options.type !== undefined) headers['content-type'] = options.type;
  if (options.accept !== undefined) headers['accept'] = options.accept;
  return server.handle({ method, path, query: options.query ?? {}, headers, ...(body === undefined ? {} : { body }) });
}

const strict = { query: { fieldValidation: 'Strict' } };
const strategic = 'application/strategic-merge-patch+json';
const services = '/api/v1/namespaces/default/services';
const deployments = '/apis/apps/v1/namespaces/default/deployments';

const service = (spec: Record<string, unknown>, name = 'web') => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
const deployment = (spec: Record<string, unknown> = {}, container: Record<string, unknown> = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'example.com/web:1', ...container }] } },
    ...spec,
  },
});

function message(response: ApiResponse): string {
  return (response.body as { message: string }).message;
}

describe('refusals', () => {
  it.each<{ name: string; run: () => ApiResponse; status: number; message: string }>([
    { name: 'a missing object', run: () => send('GET', `${services}/nosuch`), status: 404, message: 'services "nosuch" not found' },
    {
      name: 'a missing object of a group',
      run: () => send('GET', `${deployments}/nosuch`),
      status: 404,
      message: 'deployments.apps "nosuch" not found',
    },
    {
      name: 'a missing namespace',
      run: () => send('POST', '/api/v1/namespaces/nosuch/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }),
      status: 404,
      message: 'namespaces "nosuch" not found',
    },
    {
      name: 'a name that is taken',
      run: () => send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }),
      status: 409,
      message: 'namespaces "default" already exists',
    },
    {
      name: 'a protected namespace',
      run: () => send('DELETE', '/api/v1/namespaces/kube-system'),
      status: 403,
      message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    },
    {
      name: 'a port out of range',
      run: () => send('POST', services, service({ ports: [{ port: 99999, targetPort: 80 }] })),
      status: 422,
      message: 'Service "web" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive',
    },
    {
      name: 'an unknown field in strict mode',
      run: () => send('POST', deployments, deployment({}, { imag: 'x' }), strict),
      status: 400,
      message:
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].imag"',
    },
    {
      name: 'a value of the wrong type',
      run: () => send('POST', deployments, deployment({ replicas: '2' })),
      status: 400,
      message:
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    },
    {
      name: 'a template that its selector misses',
      run: () => send('POST', deployments, deployment({ selector: { matchLabels: { app: 'other' } } })),
      status: 422,
      message:
        'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`',
    },
    {
      name: 'dual-stack rules',
      run: () => send('POST', services, service({ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'], ports: [{ port: 80 }] })),
      status: 422,
      message: `Service "web" is invalid: spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`,
    },
    {
      name: 'a node port out of range',
      run: () => send('POST', services, service({ type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] })),
      status: 422,
      message:
        'Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    },
    { name: 'an unserved path', run: () => send('GET', '/apis/example.com/v1/widgets'), status: 404, message: '' },
  ])('$name', ({ run, status, message: expected }) => {
    const response = run();
    expect({ status: response.status, message: expected === '' ? '' : message(response) }).toEqual({ status, message: expected });
  });

  it('names a stale resource version a conflict', () => {
    const created = send('POST', services, service({ ports: [{ port: 80 }] })).body as KubernetesObject;
    send('PATCH', `${services}/web`, { metadata: { labels: { a: 'b' } } }, { type: 'application/merge-patch+json' });
    expect(message(send('PUT', `${services}/web`, created))).toBe(
      'Operation cannot be fulfilled on services "web": the object has been modified; please apply your changes to the latest version and try again',
    );
  });
});

describe('services', () => {
  it('get defaults, addresses of both families and a node port', () => {
    const { spec, status } = send(
      'POST',
      services,
      service({ type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack', selector: { app: 'web' }, ports: [{ port: 80 }] }),
    ).body as unknown as { spec: Record<string, unknown>; status: unknown };
    const [v4, v6] = spec['clusterIPs'] as string[];
    const [port] = spec['ports'] as { nodePort: number }[];
    expect(v4).toMatch(/^198\.51\.100\.\d+$/);
    expect(v6).toMatch(/^2001:db8:5::[0-9a-f]+$/);
    expect(port?.nodePort).toBeGreaterThanOrEqual(30000);
    expect({ spec, status }).toEqual({
      spec: {
        allocateLoadBalancerNodePorts: true,
        clusterIP: v4,
        clusterIPs: [v4, v6],
        externalTrafficPolicy: 'Cluster',
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4', 'IPv6'],
        ipFamilyPolicy: 'PreferDualStack',
        ports: [{ nodePort: port?.nodePort, port: 80, protocol: 'TCP', targetPort: 80 }],
        selector: { app: 'web' },
        sessionAffinity: 'None',
        type: 'LoadBalancer',
      },
      status: { loadBalancer: {} },
    });
  });

  it('keep their address and free it when they go', () => {
    send('POST', services, service({ clusterIP: '198.51.100.77', ports: [{ port: 80 }] }));
    expect(message(send('POST', services, service({ clusterIP: '198.51.100.77', ports: [{ port: 80 }] }, 'other')))).toBe(
      'Service "other" is invalid: spec.clusterIPs: Invalid value: []string{"198.51.100.77"}: failed to allocate IP 198.51.100.77: provided IP is already allocated',
    );
    expect(
      message(
        send('PATCH', `${services}/web`, { spec: { clusterIP: '198.51.100.78', clusterIPs: ['198.51.100.78'] } }, { type: strategic }),
      ),
    ).toBe('Service "web" is invalid: spec.clusterIPs[0]: Invalid value: []string{"198.51.100.78"}: may not change once set');
    send('DELETE', `${services}/web`);
    expect(send('POST', services, service({ clusterIP: '198.51.100.77', ports: [{ port: 80 }] }, 'other')).status).toBe(201);
  });
});

describe('patches', () => {
  beforeEach(() => {
    send('POST', deployments, deployment());
  });

  it('merge containers by name and keep the order that is asked for', () => {
    const patch = {
      spec: {
        template: {
          spec: {
            $setElementOrder: undefined,
            '$setElementOrder/containers': [{ name: 'web' }, { name: 'side' }],
            containers: [{ name: 'side', image: 'example.com/side:1' }],
          },
        },
      },
    };
    const { spec } = send('PATCH', `${deployments}/web`, patch, { type: strategic }).body as unknown as {
      spec: { template: { spec: { containers: { name: string; image: string }[] } } };
    };
    expect(spec.template.spec.containers.map(({ name, image }) => ({ name, image }))).toEqual([
      { name: 'web', image: 'example.com/web:1' },
      { name: 'side', image: 'example.com/side:1' },
    ]);
  });

  it('that change nothing leave the resource version', () => {
    const before = (send('GET', `${deployments}/web`).body as KubernetesObject).metadata;
    expect((send('PATCH', `${deployments}/web`, {}, { type: 'application/merge-patch+json' }).body as KubernetesObject).metadata).toEqual(
      before,
    );
  });

  it('of the desired state raise the generation, of labels they do not', () => {
    const generation = (body: unknown) =>
      (send('PATCH', `${deployments}/web`, body, { type: strategic }).body as KubernetesObject).metadata.generation;
    expect([generation({ metadata: { labels: { a: 'b' } } }), generation({ spec: { replicas: 3 } })]).toEqual([1, 2]);
  });

  it('in JSON form fail as a whole', () => {
    const response = send('PATCH', `${deployments}/web`, [{ op: 'remove', path: '/spec/nosuch' }], { type: 'application/json-patch+json' });
    expect({ status: response.status, message: message(response) }).toEqual({
      status: 422,
      message: 'the server rejected our request due to an error in our request',
    });
  });

  it('server-side: a field of another manager is a conflict, and dropping an own field removes it', () => {
    const path = '/api/v1/namespaces/default/configmaps/settings';
    const apply = (data: Record<string, string>, query: Record<string, string>) =>
      send(
        'PATCH',
        path,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data },
        { type: 'application/apply-patch+yaml', query },
      );
    expect(apply({ a: '1', b: '2' }, { fieldManager: 'one' }).status).toBe(201);
    expect(message(apply({ a: '9' }, { fieldManager: 'two' }))).toBe('Apply failed with 1 conflict: conflict with "one": .data.a');
    expect((apply({ a: '1' }, { fieldManager: 'one' }).body as unknown as { data: unknown }).data).toEqual({ a: '1' });
    expect((apply({ a: '9' }, { fieldManager: 'two', force: 'true' }).body as unknown as { data: unknown }).data).toEqual({ a: '9' });
  });
});

describe('custom resources', () => {
  const widgets: CustomResource = {
    group: 'example.com',
    kind: 'Widget',
    plural: 'widgets',
    singular: 'widget',
    shortNames: ['wd'],
    isNamespaced: false,
    versions: [
      {
        name: 'v1',
        hasStatus: true,
        printerColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        schema: {
          type: 'object',
          required: ['spec'],
          properties: {
            spec: {
              type: 'object',
              required: ['cidr'],
              properties: {
                cidr: { type: 'string', format: 'cidr' },
                size: { type: 'integer', minimum: 3, maximum: 9, default: 5 },
                mode: { type: 'string', enum: ['On', 'Off'] },
                name: { type: 'string', pattern: '^[a-z]+$' },
                nested: { type: 'object', properties: { port: { type: 'integer', default: 179 } } },
              },
            },
            status: { type: 'object', properties: { ready: { type: 'boolean' } } },
          },
        },
      },
    ],
  };
  const path = '/apis/example.com/v1/widgets';
  const widget = (spec: unknown) => ({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    ...(spec === undefined ? {} : { spec }),
  });

  beforeEach(() => {
    server.defineCustomResource(widgets);
  });

  it.each<{ name: string; spec: unknown; expected: string }>([
    {
      name: 'format',
      spec: { cidr: '192.0.2.1' },
      expected: 'spec.cidr: Invalid value: "192.0.2.1": spec.cidr in body must be of type cidr: "192.0.2.1"',
    },
    {
      name: 'minimum',
      spec: { cidr: '192.0.2.0/24', size: 1 },
      expected: 'spec.size: Invalid value: 1: spec.size in body should be greater than or equal to 3',
    },
    {
      name: 'enum',
      spec: { cidr: '192.0.2.0/24', mode: 'on' },
      expected: 'spec.mode: Unsupported value: "on": supported values: "On", "Off"',
    },
    {
      name: 'type',
      spec: { cidr: '192.0.2.0/24', mode: true },
      expected: 'spec.mode: Invalid value: "boolean": spec.mode in body must be of type string: "boolean"',
    },
    {
      name: 'pattern',
      spec: { cidr: '192.0.2.0/24', name: 'A' },
      expected: `spec.name: Invalid value: "A": spec.name in body should match '^[a-z]+$'`,
    },
    { name: 'required', spec: {}, expected: 'spec.cidr: Required value' },
    { name: 'required at the root', spec: undefined, expected: 'spec: Required value' },
  ])('refuse by $name', ({ spec, expected }) =>
    expect(message(send('POST', path, widget(spec)))).toBe(`Widget.example.com "w" is invalid: ${expected}`),
  );

  it('get defaults and lose unknown fields with a warning', () => {
    const response = send('POST', path, widget({ cidr: '192.0.2.0/24', nested: {}, other: 1 }));
    expect({ spec: (response.body as unknown as { spec: unknown }).spec, warnings: response.warnings }).toEqual({
      spec: { cidr: '192.0.2.0/24', nested: { port: 179 }, size: 5 },
      warnings: ['unknown field "spec.other"'],
    });
  });

  it('refuse strategic merge patches', () => {
    send('POST', path, widget({ cidr: '192.0.2.0/24' }));
    const response = send('PATCH', `${path}/w`, {}, { type: strategic });
    expect({ status: response.status, message: message(response) }).toEqual({
      status: 415,
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    });
  });

  it('have a status of their own and printer columns', () => {
    send('POST', path, { ...widget({ cidr: '192.0.2.0/24' }), status: { ready: true } });
    expect(send('GET', `${path}/w`).body).not.toHaveProperty('status');
    send('PATCH', `${path}/w/status`, { status: { ready: true }, spec: { size: 9 } }, { type: 'application/merge-patch+json' });
    expect(send('GET', `${path}/w`).body).toMatchObject({ spec: { size: 5 }, status: { ready: true }, metadata: { generation: 1 } });
    clock.advance(125_000);
    const table = send('GET', path, undefined, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }).body as {
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[] }[];
    };
    expect([table.columnDefinitions.map((column) => column.name), ...table.rows.map((row) => row.cells)]).toEqual([
      ['Name', 'Size', 'Age'],
      ['w', 5, '2m5s'],
    ]);
  });

  it('of a definition that a user applies are served a moment later', () => {
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'gadgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'gadgets', kind: 'Gadget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    };
    expect(send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd).status).toBe(201);
    clock.advance(100);
    expect(
      send('POST', '/apis/example.com/v1/namespaces/default/gadgets', {
        apiVersion: 'example.com/v1',
        kind: 'Gadget',
        metadata: { name: 'g' },
        anything: [1],
      }).body,
    ).toMatchObject({ anything: [1] });
    expect(send('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com').body).toMatchObject({
      status: {
        conditions: [
          { type: 'NamesAccepted', status: 'True' },
          { type: 'Established', status: 'True' },
        ],
      },
    });
  });
});

describe('watches', () => {
  const configMaps = '/api/v1/namespaces/default/configmaps';
  const make = (name: string, labels: Record<string, string> = {}) =>
    send('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } });

  function watch(query: Record<string, string>): [type: string, name: string][] {
    const seen: [string, string][] = [];
    server.watch({ method: 'GET', path: configMaps, query: { watch: 'true', ...query }, headers: {} }, (event: WatchEvent) =>
      seen.push([event.type, event.object.metadata.name]),
    );
    return seen;
  }

  it('tell what is there first, then what changes', () => {
    make('a');
    const seen = watch({});
    clock.advance(10);
    send('PATCH', `${configMaps}/a`, { data: { x: '1' } }, { type: 'application/merge-patch+json' });
    send('DELETE', `${configMaps}/a`);
    expect(seen).toEqual([['ADDED', 'a']]);
    clock.advance(10);
    expect(seen).toEqual([
      ['ADDED', 'a'],
      ['MODIFIED', 'a'],
      ['DELETED', 'a'],
    ]);
  });

  it('from a resource version tell what happened since', () => {
    make('a');
    const { metadata } = send('GET', configMaps).body as { metadata: { resourceVersion: string } };
    make('b');
    const seen = watch({ resourceVersion: metadata.resourceVersion });
    make('c');
    clock.advance(10);
    expect(seen).toEqual([
      ['ADDED', 'b'],
      ['ADDED', 'c'],
    ]);
  });

  it('with a selector tell of objects that enter and leave it', () => {
    make('a');
    const seen = watch({ labelSelector: 'app=web' });
    const label = (value: string | null) =>
      send('PATCH', `${configMaps}/a`, { metadata: { labels: { app: value } } }, { type: 'application/merge-patch+json' });
    label('web');
    label(null);
    clock.advance(10);
    expect(seen).toEqual([
      ['ADDED', 'a'],
      ['DELETED', 'a'],
    ]);
  });
});

it('pages lists', () => {
  for (const name of ['a', 'b', 'c'])
    send('POST', '/api/v1/namespaces/default/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  const page = (query: Record<string, string>) =>
    send('GET', '/api/v1/namespaces/default/configmaps', undefined, { query }).body as {
      metadata: { continue?: string };
      items: KubernetesObject[];
    };
  const first = page({ limit: '2' });
  const second = page({ limit: '2', continue: first.metadata.continue ?? '' });
  expect([first, second].map((list) => list.items.map((item) => item.metadata.name))).toEqual([['a', 'b'], ['c']]);
});

it('dry runs store nothing', () => {
  expect(send('POST', services, service({ ports: [{ port: 80 }] }), { query: { dryRun: 'All' } }).status).toBe(201);
  expect(send('GET', `${services}/web`).status).toBe(404);
});

it('scales through the scale subresource', () => {
  send('POST', deployments, deployment());
  const scaled = send('PATCH', `${deployments}/web/scale`, { spec: { replicas: 4 } }, { type: 'application/merge-patch+json' }).body;
  expect(scaled).toMatchObject({ kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 4 } });
  expect(send('GET', `${deployments}/web`).body).toMatchObject({ spec: { replicas: 4 } });
});

it('answers discovery in both forms', () => {
  const aggregated = send('GET', '/apis', undefined, {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
  }).body as { apiVersion: string; items: { metadata: { name: string } }[] };
  expect([aggregated.apiVersion, aggregated.items[0]?.metadata.name]).toEqual(['apidiscovery.k8s.io/v2', 'apps']);
  expect(send('GET', '/api').body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
  expect(send('GET', '/apis/apps/v1').body).toMatchObject({ kind: 'APIResourceList', groupVersion: 'apps/v1' });
});
