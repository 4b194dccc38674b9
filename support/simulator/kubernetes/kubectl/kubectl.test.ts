import { beforeEach, describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import { Random } from '../../clock/random.ts';
import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { createApiServer } from '../apiserver/server.ts';
import type { ApiServer, KubernetesObject } from '../types.ts';
import { createKubectl } from './kubectl.ts';

/** Commands that wait, run programs, or read and write files. */

const start = 1_767_225_600_000; // 2026-01-01T00:00:00Z

let clock: SimulatedClock;
let server: ApiServer;
let command: Command;
let files: Map<string, string>;

beforeEach(() => {
  clock = new SimulatedClock(start);
  server = createApiServer({
    clock,
    random: new Random('kubectl'),
    version: 'v1.32.0',
    serviceSubnets: ['192.0.2.0/24'],
    podSubnets: ['198.51.100.0/24'],
  });
  command = createKubectl(() => server);
  files = new Map();
  clock.advance(1000);
});

function contextOf(
  options: {
    readonly stdin?: string;
    readonly isTerminal?: boolean;
    readonly env?: ReadonlyMap<string, string>;
    readonly run?: CommandContext['run'];
  } = {},
): CommandContext {
  return {
    container: { pid: 7 },
    clock,
    files: {
      read: (path: string) => files.get(path),
      write: (path: string, content: string) => void files.set(path, content),
      remove: (path: string) => files.delete(path),
      list: (path: string) => [...files.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
      isDirectory: (path: string) => [...files.keys()].some((name) => name.startsWith(`${path}/`)),
    },
    stdin: options.stdin ?? '',
    hasStdin: options.stdin !== undefined,
    isTerminal: options.isTerminal ?? false,
    env: options.env ?? new Map(),
    cwd: '/root',
    run: options.run ?? (() => Promise.reject(new Error('nothing to run'))),
  } as unknown as CommandContext;
}

async function kubectl(line: string, options: Parameters<typeof contextOf>[0] = {}): Promise<CommandResult> {
  const argv = (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));
  return await command(argv, contextOf(options));
}

function succeeded(stdout: string): CommandResult {
  return { stdout, stderr: '', exitCode: 0 };
}
function failed(stderr: string, exitCode = 1): CommandResult {
  return { stdout: '', stderr, exitCode };
}

function addPod(
  name: string,
  extra: {
    readonly labels?: Record<string, string>;
    readonly containers?: readonly object[];
    readonly initContainers?: readonly object[];
    readonly phase?: string;
  } = {},
): void {
  server.client.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: extra.labels ?? { app: 'web' } },
    spec: {
      nodeName: 'node1',
      containers: extra.containers ?? [{ name: 'main', image: 'web' }],
      ...(extra.initContainers === undefined ? {} : { initContainers: extra.initContainers }),
    },
  });
  setStatus('pods', name, { phase: extra.phase ?? 'Running' });
}

function setStatus(resource: string, name: string, status: object): void {
  const object = server.client.get(resource, name, 'default') as KubernetesObject;
  server.client.updateStatus({ ...object, status });
}

function addDeployment(): void {
  server.client.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web' }] } },
    },
  });
}

describe('without a cluster', () => {
  it('is refused as by a closed port', async () => {
    const lost = createKubectl(() => undefined);
    const result = await lost(['get', 'pods'], contextOf());
    const line = `E0101 00:00:01.000000       7 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \\"http://localhost:8080/api?timeout=32s\\": dial tcp 127.0.0.1:8080: connect: connection refused"\n`;
    expect(result).toEqual(
      failed(`${line.repeat(5)}The connection to the server localhost:8080 was refused - did you specify the right host or port?\n`),
    );
  });
});

describe('waiting', () => {
  it('rollout status follows a deployment', async () => {
    addDeployment();
    const steps: readonly [number, object][] = [
      [1000, { observedGeneration: 1, replicas: 3, updatedReplicas: 1, unavailableReplicas: 2 }],
      [2000, { observedGeneration: 1, replicas: 3, updatedReplicas: 2, unavailableReplicas: 2 }],
      [3000, { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 1 }],
      [4000, { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 }],
    ];
    for (const [delay, status] of steps) clock.schedule(delay, () => setStatus('deployments.apps', 'web', status));
    expect(await kubectl('rollout status deployment web')).toEqual(
      succeeded(
        'Waiting for deployment spec update to be observed...\n' +
          'Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...\n' +
          'Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...\n' +
          'Waiting for deployment "web" rollout to finish: 1 of 2 updated replicas are available...\n' +
          'deployment "web" successfully rolled out\n',
      ),
    );
    // A watch tells of a change a millisecond later.
    expect(clock.now() - start).toBe(5001);
  });

  it('rollout status gives up at its timeout', async () => {
    addDeployment();
    expect(await kubectl('rollout status deploy/web --timeout=30s')).toEqual({
      stdout: 'Waiting for deployment spec update to be observed...\n',
      stderr: 'error: timed out waiting for the condition\n',
      exitCode: 1,
    });
    expect(clock.now() - start).toBe(31_000);
  });

  it.each([
    ['wait --for=condition=Ready pod/web-1 --timeout=5s', succeeded('pod/web-1 condition met\n'), 3000],
    ['wait --for=condition=Ready pod -l app=web --timeout=1s', failed('error: timed out waiting for the condition on pods/web-1\n'), 2000],
    ['wait --for=jsonpath={.status.phase}=Succeeded pod/web-1', succeeded('pod/web-1 condition met\n'), 5000],
    ['wait --for=delete pod/web-1', succeeded('pod/web-1 condition met\n'), 7000],
    ['wait --for=create pod/late', succeeded('pod/late condition met\n'), 9000],
  ])('%s', async (line, result, elapsed) => {
    addPod('web-1');
    clock.schedule(2000, () => setStatus('pods', 'web-1', { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }));
    clock.schedule(4000, () => setStatus('pods', 'web-1', { phase: 'Succeeded' }));
    clock.schedule(6000, () => server.client.delete('pods', 'web-1', 'default', { gracePeriodSeconds: 0 }));
    clock.schedule(8000, () => addPod('late'));
    expect(await kubectl(line)).toEqual(result);
    expect(Math.floor((clock.now() - start) / 1000) * 1000).toBe(elapsed);
  });

  it('delete waits until the object is gone', async () => {
    addPod('web-1');
    clock.schedule(5000, () => server.client.delete('pods', 'web-1', 'default', { gracePeriodSeconds: 0 }));
    expect(await kubectl('delete pod web-1')).toEqual(succeeded('pod "web-1" deleted\n'));
    expect(server.client.get('pods', 'web-1', 'default')).toBeUndefined();
    expect(clock.now() - start).toBeGreaterThanOrEqual(6000);
  });

  it('get -w grows its columns and never re-aligns', async () => {
    addPod('a');
    clock.schedule(1000, () => addPod('a-much-longer-name', { phase: 'Pending' }));
    clock.schedule(2000, () => addPod('b'));
    expect(await kubectl('get pods -w -o name --request-timeout=5s')).toEqual(
      succeeded('pod/a\npod/a-much-longer-name\npod/a-much-longer-name\npod/b\npod/b\n'),
    );
    clock.schedule(1000, () => addPod('a-name-that-is-longer-still', { phase: 'Pending' }));
    const { stdout } = await kubectl('get pods -w --request-timeout=5s --no-headers -L app');
    expect(stdout.split('\n').map((line) => line.trimEnd())).toEqual([
      'a                    0/1   Running   0     5s    web',
      'a-much-longer-name   0/1   Pending   0     4s    web',
      'b                    0/1   Running   0     3s    web',
      'a-name-that-is-longer-still   0/1   Pending   0     0s    web',
      'a-name-that-is-longer-still   0/1   Pending   0     0s    web',
      '',
    ]);
  });
});

describe('exec', () => {
  const calls: unknown[] = [];
  beforeEach(() => {
    calls.length = 0;
    server.execInPod = async (target) => {
      calls.push(target);
      if (target.argv[0] === 'fail') return { stdout: 'partial\n', stderr: 'oops\n', exitCode: 7 };
      return { stdout: `${target.stdin ?? ''}done\n`, stderr: '', exitCode: 0 };
    };
  });

  it.each([
    ['exec web-1 -- ls', { stdout: 'done\n', stderr: '', exitCode: 0 }],
    ['exec web-1 -- fail', { stdout: 'partial\n', stderr: 'oops\ncommand terminated with exit code 7\n', exitCode: 7 }],
    ['exec -i web-1 -- cat', { stdout: 'input done\n', stderr: '', exitCode: 0 }],
    [
      'exec -ti web-1 -- ls',
      { stdout: 'input done\n', stderr: 'Unable to use a TTY - input is not a terminal or the right kind of file\n', exitCode: 0 },
    ],
    ['exec two -- ls', { stdout: 'done\n', stderr: 'Defaulted container "main" out of: main, side, setup (init)\n', exitCode: 0 }],
    ['exec two -c side -- ls', { stdout: 'done\n', stderr: '', exitCode: 0 }],
    [
      'exec two -c nosuch -- ls',
      { stdout: '', stderr: 'Error from server (BadRequest): container nosuch is not valid for pod two\n', exitCode: 1 },
    ],
    [
      'exec over -- ls',
      { stdout: '', stderr: 'error: cannot exec into a container in a completed pod; current phase is Succeeded\n', exitCode: 1 },
    ],
    ['exec deploy/web -- ls', { stdout: 'done\n', stderr: '', exitCode: 0 }],
    ['exec deployments/web -- ls', { stdout: 'done\n', stderr: '', exitCode: 0 }],
  ])('%s', async (line, result) => {
    addDeployment();
    addPod('web-1');
    addPod('two', {
      labels: {},
      containers: [
        { name: 'main', image: 'a' },
        { name: 'side', image: 'b' },
      ],
      initContainers: [{ name: 'setup', image: 'c' }],
    });
    addPod('over', { labels: {}, phase: 'Succeeded' });
    expect(await kubectl(line, { stdin: 'input ' })).toEqual(result);
  });

  it('asks for a terminal where there is one', async () => {
    addPod('web-1');
    await kubectl('exec -ti web-1 -- vtysh -c "show"', { isTerminal: true, stdin: '' });
    expect(calls).toEqual([
      { namespace: 'default', pod: 'web-1', container: 'main', argv: ['vtysh', '-c', '"show"'], stdin: '', isTerminal: true },
    ]);
  });

  it('waits for the first pod of a deployment', async () => {
    addDeployment();
    clock.schedule(3000, () => addPod('web-1'));
    expect(await kubectl('exec deploy/web -- ls')).toEqual(succeeded('done\n'));
    expect(clock.now() - start).toBe(4001);
  });

  it('gives up after a minute without a pod', async () => {
    addDeployment();
    expect(await kubectl('exec deploy/web -- ls')).toEqual(failed('error: timed out waiting for the condition\n'));
  });

  it('reports what the runtime could not start', async () => {
    addPod('web-1');
    server.execInPod = () => {
      const message =
        'Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "ab12": OCI runtime exec failed: …';
      return Promise.reject(Object.assign(new Error(message), { status: { kind: 'Status', code: 500, reason: 'InternalError', message } }));
    };
    expect((await kubectl('exec web-1 -- nosuch')).stderr).toBe(
      'error: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "ab12": OCI runtime exec failed: …\n',
    );
  });
});

describe('files', () => {
  const configMap = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

  it('applies all manifests of a folder, by name', async () => {
    files.set('/root/all/b.yaml', configMap('b'));
    files.set('/root/all/a.yml', `${configMap('a')}---\n# nothing\n---\n${configMap('a2')}`);
    files.set('/root/all/notes.txt', 'not a manifest');
    expect(await kubectl('apply -f all')).toEqual(succeeded('configmap/a created\nconfigmap/a2 created\nconfigmap/b created\n'));
  });

  it('applies standard input', async () => {
    expect(await kubectl('apply -f -', { stdin: configMap('c') })).toEqual(succeeded('configmap/c created\n'));
    expect(await kubectl('apply -f -', { stdin: configMap('c') })).toEqual(succeeded('configmap/c unchanged\n'));
  });

  it('goes on after a bad document and reports it last', async () => {
    files.set('/root/x.yaml', `apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n---\n${configMap('d')}`);
    expect(await kubectl('apply -f x.yaml')).toEqual({
      stdout: 'configmap/d created\n',
      stderr:
        'error: resource mapping not found for name: "w" namespace: "" from "x.yaml": no matches for kind "Widget" in version "example.com/v1"\nensure CRDs are installed first\n',
      exitCode: 1,
    });
  });

  it('finds a custom resource that was defined after the last look', async () => {
    expect((await kubectl('get widgets')).stderr).toBe('error: the server doesn\'t have a resource type "widgets"\n');
    server.defineCustomResource({
      group: 'example.com',
      kind: 'Widget',
      plural: 'widgets',
      singular: 'widget',
      shortNames: ['wd'],
      isNamespaced: false,
      versions: [
        {
          name: 'v1',
          schema: {
            type: 'object',
            description: 'A widget.',
            properties: {
              spec: { type: 'object', required: ['peerASN'], properties: { peerASN: { type: 'integer', description: 'The number.' } } },
            },
          },
          printerColumns: [],
          hasStatus: false,
        },
      ],
    });
    clock.advance(100);
    expect((await kubectl('get wd')).stderr).toBe('No resources found\n');
    expect((await kubectl('explain wd.spec')).stdout).toBe(
      'GROUP:      example.com\nKIND:       Widget\nVERSION:    v1\n\nFIELD: spec <Object>\n\n\nDESCRIPTION:\n    <empty>\nFIELDS:\n  peerASN\t<integer> -required-\n    The number.\n\n\n',
    );
  });

  it('edits with the editor of the environment', async () => {
    await kubectl('create configmap e --from-literal=a=b');
    expect((await kubectl('edit cm e')).exitCode).toBe(1);
    const change = async (argv: readonly string[]): Promise<CommandResult> => {
      const path = argv.at(-1) as string;
      files.set(path, (files.get(path) as string).replace('a: b', 'a: c'));
      return succeeded('');
    };
    const env = new Map([['KUBE_EDITOR', 'sed -i s/b/c/']]);
    expect(await kubectl('edit cm e', { env, run: change })).toEqual(succeeded('configmap/e edited\n'));
    expect(await kubectl('edit cm e', { env, run: async () => succeeded('') })).toEqual({
      stdout: '',
      stderr: 'Edit cancelled, no changes made.\n',
      exitCode: 0,
    });
    expect((await kubectl('get cm e -o jsonpath={.data}')).stdout).toBe('{"a":"c"}');
  });
});

describe('kubeconfig', () => {
  it('remembers the namespace of its context', async () => {
    expect(await kubectl('config set-context --current --namespace=kube-system')).toEqual(succeeded('Context "kind-kind" modified.\n'));
    expect((await kubectl('get pods')).stderr).toBe('No resources found in kube-system namespace.\n');
    expect((await kubectl('config get-contexts')).stdout).toBe(
      'CURRENT   NAME        CLUSTER     AUTHINFO    NAMESPACE\n*         kind-kind   kind-kind   kind-kind   kube-system\n',
    );
  });
});

describe('what is not simulated says so', () => {
  it.each([
    ['port-forward pod/x 80', 'kubectl port-forward'],
    ['proxy', 'kubectl proxy'],
    ['attach x', 'kubectl attach'],
    ['cp a b:c', 'kubectl cp'],
    ['debug node/x', 'kubectl debug'],
    ['autoscale deploy/x --max=3', 'kubectl autoscale'],
    ['apply -k .', 'kubectl with --kustomize (-k)'],
    ['get --help', 'the help of kubectl get'],
    ['explain pods -o plaintext-openapiv2', 'kubectl explain --output=plaintext-openapiv2'],
  ])('%s', async (line, what) => {
    expect(await kubectl(line)).toEqual(failed(`error: not simulated: ${what}\n`));
  });
});
