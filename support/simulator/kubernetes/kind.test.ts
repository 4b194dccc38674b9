import { beforeAll, describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { createEngine } from '../docker/engine.ts';
import { ip } from '../net/address.ts';
import { type ResolveResult, resolveName } from '../net/dns.ts';
import { requestHttp } from '../net/http.ts';
import { createNetwork } from '../net/network.ts';
import type { NetworkNamespace } from '../net/types.ts';
import { createCluster, deleteCluster } from './kind.ts';
import type { Deployment, EndpointSlice, Node, Pod, Service } from './objects.ts';
import type { Cluster, ObjectInput } from './types.ts';

const header = { kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4' };
const dual = {
  ...header,
  networking: { ipFamily: 'dual', podSubnet: '198.18.0.0/16,2001:db8:1::/56', serviceSubnet: '198.19.0.0/16,2001:db8:2::/112' },
  nodes: [{ role: 'control-plane' }, { role: 'worker' }, { role: 'worker', labels: { zone: 'edge' } }],
};

function boot(config: unknown): { readonly cluster: Cluster; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock(1_767_225_600_000);
  const random = new Random('kind-test');
  const network = createNetwork({ clock, random: random.stream('network') });
  const engine = createEngine({ network, clock, random: random.stream('docker'), hostNamespace: network.createNamespace('host') });
  return { cluster: createCluster({ config, name: 'lab', engine, random: random.stream('kubernetes') }), clock };
}

function table(cluster: Cluster, path: string): unknown[][] {
  const { body } = cluster.server.handle({ method: 'GET', path, query: {}, headers: { accept: 'application/json;as=Table' } });
  return (body as { rows: { cells: unknown[] }[] }).rows.map((row) => row.cells);
}

const web = (replicas: number): ObjectInput => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'nginx:1', ports: [{ containerPort: 80 }] }] },
    },
  },
});

describe('a dual-stack cluster', () => {
  let cluster: Cluster;
  let clock: SimulatedClock;

  beforeAll(() => {
    ({ cluster, clock } = boot(dual));
    clock.advance(60_000);
  });

  it('has its nodes ready, with pod CIDRs in the order in which they joined', () => {
    const nodes = cluster.server.client
      .list<Node>('nodes')
      .map((node) => ({ name: node.metadata.name, cidrs: node.spec.podCIDRs, taints: node.spec.taints?.map((taint) => taint.key) ?? [] }));
    expect(nodes).toEqual([
      { name: 'lab-control-plane', cidrs: ['198.18.0.0/24', '2001:db8:1::/64'], taints: ['node-role.kubernetes.io/control-plane'] },
      { name: 'lab-worker', cidrs: ['198.18.2.0/24', '2001:db8:1:2::/64'], taints: [] },
      { name: 'lab-worker2', cidrs: ['198.18.1.0/24', '2001:db8:1:1::/64'], taints: [] },
    ]);
    expect(table(cluster, '/api/v1/nodes').map((cells) => cells.slice(0, 5))).toEqual([
      ['lab-control-plane', 'Ready', 'control-plane', '60s', 'v1.27.3'],
      ['lab-worker', 'Ready', '<none>', '60s', 'v1.27.3'],
      ['lab-worker2', 'Ready', '<none>', '60s', 'v1.27.3'],
    ]);
  });

  it('runs its system pods', () => {
    expect(table(cluster, '/apis/apps/v1/deployments').map((cells) => cells.slice(0, 4))).toEqual([
      ['coredns', '2/2', 2, 2],
      ['local-path-provisioner', '1/1', 1, 1],
    ]);
    expect(table(cluster, '/apis/apps/v1/daemonsets').map((cells) => cells.slice(0, 6))).toEqual([
      ['kindnet', 3, 3, 3, 3, 3],
      ['kube-proxy', 3, 3, 3, 3, 3],
    ]);
    expect(cluster.server.client.list<Pod>('pods', { namespace: 'kube-system' }).every((pod) => pod.status.phase === 'Running')).toBe(true);
  });

  it('deploys, rolls, publishes and deletes', () => {
    const { client } = cluster.server;
    client.create(web(2));
    client.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ipFamilyPolicy: 'RequireDualStack', selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    clock.advance(10_000);
    const pods = client.list<Pod>('pods', { labels: { matchLabels: { app: 'web' } } });
    expect(pods.map((pod) => /^web-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(pod.metadata.name))).toEqual(
      [true, true],
    );
    expect(new Set(pods.map((pod) => pod.spec.nodeName))).toEqual(new Set(['lab-worker', 'lab-worker2']));
    const slices = client.list<EndpointSlice>('endpointslices.discovery.k8s.io', {
      labels: { matchLabels: { 'kubernetes.io/service-name': 'web' } },
    });
    expect(
      Object.fromEntries(slices.map((slice) => [slice.addressType, slice.endpoints.flatMap((endpoint) => endpoint.addresses).sort()])),
    ).toEqual({
      IPv4: pods.map((pod) => pod.status.podIPs?.[0]?.ip).sort(),
      IPv6: pods.map((pod) => pod.status.podIPs?.[1]?.ip).sort(),
    });
    client.patch('deployments.apps', 'web', 'default', { spec: { template: { metadata: { labels: { app: 'web', version: 'two' } } } } });
    clock.advance(60_000);
    expect(client.get<Deployment>('deployments.apps', 'web', 'default')).toMatchObject({
      metadata: { annotations: { 'deployment.kubernetes.io/revision': '2' } },
      status: { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    });
    expect(
      table(cluster, '/apis/apps/v1/namespaces/default/replicasets')
        .map((cells) => cells.slice(1, 4))
        .sort(),
    ).toEqual([
      [0, 0, 0],
      [2, 2, 2],
    ]);
    client.delete('deployments.apps', 'web', 'default');
    clock.advance(60_000);
    expect(client.list('pods', { labels: { matchLabels: { app: 'web' } } })).toEqual([]);
  });

  it('resolves names of services over the pod network', () => {
    cluster.server.client.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'client', namespace: 'default' },
      spec: { containers: [{ name: 'client', image: 'busybox', command: ['sleep', 'infinity'] }] },
    });
    clock.advance(10_000);
    const sandbox = [...cluster.kubelets.values()]
      .map((kubelet) => kubelet.sandboxOf('default', 'client'))
      .find((found) => found !== undefined);
    if (sandbox === undefined) throw new Error('the client has no sandbox');
    const ask = (name: string): ResolveResult | undefined => {
      let answer: ResolveResult | undefined;
      resolveName(sandbox.namespace, name, { families: [4] }, (result) => {
        answer = result;
      });
      clock.runUntil(() => answer !== undefined, 20_000);
      return answer;
    };
    expect(ask('kubernetes')).toMatchObject({ ips: [{ text: '198.19.0.1' }] });
    expect(ask('kube-dns.kube-system')).toMatchObject({ ips: [{ text: '198.19.0.10' }] });
    expect(ask('nosuch')).toEqual({ error: 'NXDOMAIN' });
  });

  it('reaches a service from a pod and from a node, on any backend', () => {
    const { client } = cluster.server;
    client.create(web(2));
    const service = client.create<Service>({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'front', namespace: 'default' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 8080, targetPort: 80 }] },
    });
    clock.advance(10_000);
    const sandbox = [...cluster.kubelets.values()]
      .map((kubelet) => kubelet.sandboxOf('default', 'client'))
      .find((found) => found !== undefined);
    const [controlPlane] = cluster.nodes;
    if (sandbox === undefined || controlPlane === undefined) throw new Error('nobody to ask from');
    const status = (from: NetworkNamespace, address: string | undefined, port: number | undefined): number | string | undefined => {
      let outcome: number | string | undefined;
      requestHttp(
        from,
        { endpoint: { ip: ip(address ?? ''), port: port ?? 0 }, method: 'GET', path: '/', headers: { Host: 'front' } },
        { onResponse: (response) => (outcome = response.status), onError: (error) => (outcome = error) },
      );
      clock.runUntil(() => outcome !== undefined, 5_000);
      return outcome;
    };
    const ask = (from: NetworkNamespace) => [1, 2, 3, 4].map(() => status(from, service.spec.clusterIP, 8080));
    expect([ask(sandbox.namespace), ask(controlPlane.namespace)]).toEqual([
      [200, 200, 200, 200],
      [200, 200, 200, 200],
    ]);
    const nodeIp = client.get<Node>('nodes', 'lab-worker')?.status.addresses?.[0]?.address;
    expect(status(cluster.engine.hostNamespace, nodeIp, service.spec.ports?.[0]?.nodePort)).toBe(200);
    client.delete('deployments.apps', 'web', 'default');
    clock.advance(40_000);
    expect(status(sandbox.namespace, service.spec.clusterIP, 8080)).toBe('ECONNREFUSED');
  });

  it('says why a pod does not run', () => {
    const pod = (name: string, spec: Record<string, unknown>): ObjectInput => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [{ name: 'main', image: 'busybox' }], ...spec },
    });
    cluster.server.client.create(pod('crash', { containers: [{ name: 'main', image: 'busybox', command: ['false'] }] }));
    cluster.server.client.create(pod('misnamed', { containers: [{ name: 'main', image: 'busy::box' }] }));
    cluster.server.client.create(pod('unplaced', { nodeSelector: { zone: 'nowhere' } }));
    cluster.server.client.create(pod('unmounted', { volumes: [{ name: 'conf', configMap: { name: 'nosuch' } }] }));
    clock.advance(30_000);
    expect(
      table(cluster, '/api/v1/namespaces/default/pods')
        .filter(([name]) => name !== 'client')
        .map((cells) => cells.slice(0, 3)),
    ).toEqual([
      ['crash', '0/1', 'CrashLoopBackOff'],
      ['misnamed', '0/1', 'InvalidImageName'],
      ['unmounted', '0/1', 'ContainerCreating'],
      ['unplaced', '0/1', 'Pending'],
    ]);
    const messages = cluster.server.client.list('events', { namespace: 'default' }).map((event) => event['message']);
    expect(messages).toContain(
      "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling..",
    );
    expect(messages).toContain('MountVolume.SetUp failed for volume "conf" : configmap "nosuch" not found');
  });

  it('finds a stopped node unreachable, and ready again after its start', () => {
    const node = cluster.engine.findContainer('lab-worker2');
    const status = () => table(cluster, '/api/v1/nodes').map((cells) => cells[1]);
    node?.stop();
    clock.advance(60_000);
    expect(status()).toEqual(['Ready', 'Ready', 'NotReady']);
    node?.start();
    clock.advance(30_000);
    expect(status()).toEqual(['Ready', 'Ready', 'Ready']);
  });
});

it('nodes without a network plugin stay NotReady and wait', () => {
  const { cluster, clock } = boot({ ...header, networking: { disableDefaultCNI: true, kubeProxyMode: 'none' } });
  clock.advance(30_000);
  expect(table(cluster, '/api/v1/nodes').map((cells) => cells.slice(0, 3))).toEqual([['lab-control-plane', 'NotReady', 'control-plane']]);
  expect(cluster.hasKubeProxy).toBe(false);
  expect(table(cluster, '/apis/apps/v1/deployments').map((cells) => cells.slice(0, 2))).toEqual([
    ['coredns', '0/2'],
    ['local-path-provisioner', '0/1'],
  ]);
});

it('goes away without a trace but its docker network', () => {
  const { cluster } = boot(undefined);
  deleteCluster(cluster);
  expect([cluster.engine.containers.map((container) => container.name), cluster.engine.findNetwork('kind')?.name]).toEqual([[], 'kind']);
});

it.each<{ name: string; config: unknown; error: string }>([
  {
    name: 'another apiVersion',
    config: { kind: 'Cluster', apiVersion: 'v1' },
    error: 'apiVersion: unknown apiVersion: v1 (kind.x-k8s.io/v1alpha4 is the one that kind takes)',
  },
  { name: 'an unknown key', config: { ...header, network: {} }, error: 'network: field network not found in type v1alpha4.Cluster' },
  {
    name: 'an unknown role',
    config: { ...header, nodes: [{ role: 'master' }] },
    error: 'nodes[0].role: "master" is not a valid node role (control-plane or worker)',
  },
  {
    name: 'an unknown family',
    config: { ...header, networking: { ipFamily: 'both' } },
    error: 'networking.ipFamily: invalid ipFamily: both (ipv4, ipv6 or dual)',
  },
  {
    name: 'one subnet for two families',
    config: { ...header, networking: { ipFamily: 'dual', podSubnet: '198.18.0.0/16' } },
    error: 'networking.podSubnet: expected one IPv4 and one IPv6 subnet for a dual-stack cluster, got: 198.18.0.0/16',
  },
  {
    name: 'no control plane',
    config: { ...header, nodes: [{ role: 'worker' }] },
    error: 'nodes: must have at least one control-plane node',
  },
])('refuses a config with $name', ({ config, error }) => expect(() => boot(config)).toThrow(new Error(error)));
