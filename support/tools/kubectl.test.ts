import { describe, expect, it } from 'vitest';
import type { ExecResult, Lab } from '../port/lab.ts';
import { CheckFailure, EnvironmentError } from '../verdict/errors.ts';
import { Json } from './json.ts';
import { execArgv, getArgv, Kubectl, parseDeployment, parsePod, parsePool, parseService, readGet } from './kubectl.ts';
import { result } from './result.fixture.ts';

const json = (value: unknown) => Json.parse(JSON.stringify(value), 'kubectl');

/** A lab that answers every command alike, and remembers them. */
function labAnswering(answer: Partial<ExecResult>): { lab: Lab; commands: (readonly string[])[] } {
  const commands: (readonly string[])[] = [];
  const never = () => Promise.reject(new Error('not part of this test'));
  const exec: Lab['exec'] = async (argv) => {
    commands.push(argv);
    return result('', { argv, ...answer });
  };
  const lab: Lab = {
    driver: 'simulator',
    clock: { now: () => 0, sleep: async () => {} },
    exec,
    execIn: never,
    up: never,
    down: never,
    reset: never,
    status: never,
  };
  return { lab, commands };
}

describe('commands', () => {
  it('ask for one object, or a selection, as JSON', () => {
    expect(getArgv({ kind: 'service', name: 'web', namespace: 'shop' })).toEqual([
      'kubectl',
      'get',
      'service',
      'web',
      '-n',
      'shop',
      '-o',
      'json',
    ]);
    expect(getArgv({ kind: 'pods', namespace: 'shop', selector: 'app=web' })).toEqual([
      'kubectl',
      'get',
      'pods',
      '-n',
      'shop',
      '-l',
      'app=web',
      '-o',
      'json',
    ]);
    expect(getArgv({ kind: 'nodes' })).toEqual(['kubectl', 'get', 'nodes', '-o', 'json']);
  });

  it('run a program in a pod', () => {
    expect(execArgv({ namespace: 'shop', name: 'web-1' }, ['curl', '-s'])).toEqual([
      'kubectl',
      'exec',
      '-n',
      'shop',
      'web-1',
      '--',
      'curl',
      '-s',
    ]);
  });
});

describe('objects', () => {
  it('a pod', () => {
    const pod = {
      metadata: { name: 'web-1', namespace: 'shop' },
      spec: { nodeName: 'n1' },
      status: { podIPs: [{ ip: '192.0.2.7' }, { ip: '2001:db8::7' }], conditions: [{ type: 'Ready', status: 'True' }] },
    };
    expect(parsePod(json(pod))).toEqual({
      name: 'web-1',
      namespace: 'shop',
      node: 'n1',
      addresses: ['192.0.2.7', '2001:db8::7'],
      isReady: true,
      isEnding: false,
    });
  });

  it('a pod that nobody has placed yet', () => {
    expect(parsePod(json({ metadata: { name: 'web-1', namespace: 'shop' }, spec: {}, status: {} }))).toMatchObject({
      node: undefined,
      addresses: [],
      isReady: false,
    });
  });

  it('a deployment, whose counters are left out when they are 0', () => {
    const deployment = {
      metadata: { name: 'web', generation: 2 },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web', tier: 'front' } } },
      status: { observedGeneration: 1 },
    };
    expect(parseDeployment(json(deployment))).toEqual({
      name: 'web',
      wanted: 2,
      total: 0,
      updated: 0,
      available: 0,
      isObserved: false,
      selector: 'app=web,tier=front',
    });
  });

  it('a service, with the reason why it lacks an address', () => {
    const service = {
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: { type: 'LoadBalancer', clusterIPs: ['198.51.100.1'], ports: [{ port: 80 }] },
      status: {
        loadBalancer: { ingress: [{ ip: '203.0.113.1' }, { hostname: 'x' }] },
        conditions: [{ type: 't', status: 'False', reason: 'no_pool', message: 'no pool' }],
      },
    };
    expect(parseService(json(service))).toEqual({
      name: 'web',
      type: 'LoadBalancer',
      labels: new Map([['app', 'web']]),
      clusterAddresses: ['198.51.100.1'],
      externalAddresses: ['203.0.113.1'],
      ports: [80],
      complaints: ['no pool'],
    });
  });

  it('a pool with more addresses than a number can hold', () => {
    const conditions = [
      { type: 'cilium.io/PoolConflict', status: 'False', message: '' },
      { type: 'cilium.io/IPsAvailable', status: 'Unknown', message: '18446744073709551622' },
    ];
    expect(parsePool(json({ metadata: { name: 'p' }, spec: { disabled: false }, status: { conditions } }))).toEqual({
      name: 'p',
      isDisabled: false,
      conflict: 'False',
      available: '18446744073709551622',
    });
  });

  it('an object that is not what it should be', () => {
    expect(() => parsePod(json({ metadata: {} }))).toThrow('kubectl printed something else than a text at .metadata.name: undefined');
  });
});

describe('what kubectl get ends with', () => {
  it.each([
    ['no such object', 'Error from server (NotFound): services "web" not found\n'],
    ['no such namespace', 'Error from server (NotFound): namespaces "shop" not found\n'],
    ['no such kind', 'error: the server doesn\'t have a resource type "pools"\n'],
  ])('%s is nothing', (_name, stderr) => expect(readGet(result('', { exitCode: 1, stderr }))).toBeUndefined());

  it('no API server is no verdict', () => {
    const stderr = 'The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?\n';
    expect(() => readGet(result('', { exitCode: 1, stderr }))).toThrow(/^kubectl cannot talk to the cluster: The connection/);
  });
});

describe('changes', () => {
  it('apply a file of the home', async () => {
    const { lab, commands } = labAnswering({ stdout: 'service/web created\n' });
    await new Kubectl(lab).apply('web.yaml');
    expect(commands).toEqual([['kubectl', 'apply', '-f', 'web.yaml']]);
  });

  it('are a failed check when the API server refuses them', async () => {
    const { lab } = labAnswering({ exitCode: 1, stderr: 'The Service "web" is invalid: spec.ports: Required value\n' });
    const refused = new Kubectl(lab).apply('web.yaml');
    await expect(refused).rejects.toBeInstanceOf(CheckFailure);
    await expect(refused).rejects.toThrow(
      'expected kubectl apply -f web.yaml to be accepted\n  saw: The Service "web" is invalid: spec.ports: Required value',
    );
  });

  it('are no verdict when kubectl is not there', async () => {
    const { lab } = labAnswering({ exitCode: 127, stderr: 'bash: kubectl: command not found\n' });
    await expect(new Kubectl(lab).apply('web.yaml')).rejects.toBeInstanceOf(EnvironmentError);
  });
});
