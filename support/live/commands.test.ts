import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { doctor } from '../cli/commands/doctor.ts';
import { MachineInFolder } from './fake-engine.fixture.ts';
import { LabState } from './lab-state.ts';

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing.splice(0)) close();
});

/** A lab of three challenges, each with one manifest or label, that outpost has brought up on a machine of its own. */
async function machineWithLab(options: { made?: readonly string[] } & ConstructorParameters<typeof MachineInFolder>[1] = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'outpost-commands-'));
  const machine = new MachineInFolder(folder, options);
  closing.push(() => {
    machine.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (name: string, ...lines: string[]) => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
  };
  const challenges = ['app', 'announce', 'last'];
  const actions = ['"app.yaml" is applied', 'label "announced=bgp" is set on service "web/web"', 'node "demo-worker" is lost'];
  write(
    'kind.yaml',
    'kind: Cluster',
    'apiVersion: kind.x-k8s.io/v1alpha4',
    'name: demo',
    'nodes: [{ role: control-plane }, { role: worker }]',
  );
  write(
    'lab.yaml',
    'name: demo',
    'title: Demo',
    'cluster: kind.yaml',
    'home: home',
    'setup: [namespace.yaml]',
    'challenges:',
    ...challenges.map((name) => `  - { name: ${name}, title: ${name}, feature: features/${name}.feature, tasks: [] }`),
  );
  for (const name of ['app', 'namespace', 'zone'])
    write(`home/${name}.yaml`, 'apiVersion: v1', 'kind: Namespace', `metadata: { name: ${name} }`);
  for (const [index, name] of challenges.entries())
    write(`features/${name}.feature`, `Feature: ${name}`, `  Scenario: ${name}`, `    When ${actions[index]}`);
  new LabState('demo', machine.environment.DOCKER_HOST, join(folder, 'state', 'outpost')).write({
    version: 1,
    lab: 'demo',
    root: folder,
    cluster: 'demo',
    engine: machine.environment.DOCKER_HOST,
    before: { networks: [], files: [] },
    steps: { cluster: { state: 'done', fingerprint: '' } },
    nodeIds: options.made ?? ['demo-control-plane-id', 'demo-worker-id'],
  });
  await machine.listen();
  return machine;
}

const kubectl = 'kubectl --context kind-demo';
const undone = [
  ...['app', 'zone'].map((name) => `${kubectl} delete -f /home/${name}.yaml --ignore-not-found --wait --timeout=2m`),
  `${kubectl} apply -f /home/namespace.yaml`,
];

describe.concurrent('outpost reset', () => {
  it('goes back to the start of a challenge: lost nodes run again, manifests are undone, and earlier challenges are solved', async () => {
    const machine = await machineWithLab({ worker: 'exited' });
    expect(await machine.outpost('reset', 'last')).toEqual({
      exitCode: 0,
      said: [
        'demo-worker was started again',
        'app.yaml is undone',
        'zone.yaml is undone',
        'applied again: namespace.yaml',
        'the tasks of the earlier challenges are done',
        `the lab is where last begins; what was made by hand beside the manifests in ${machine.folder}/home is left`,
      ],
      called: [
        'engine: start demo-worker',
        `${kubectl} get --raw /readyz`,
        `${kubectl} wait --for=condition=Ready nodes --all --timeout=5m`,
        `${kubectl} -n kube-system rollout status deployment/coredns --timeout=5m`,
        ...undone,
        'kubectl apply -f app.yaml',
        'kubectl label -n web service web announced=bgp',
      ],
    });
  });

  it('says which task of an earlier challenge did not get through, after what was undone', async () => {
    const refusal =
      'case "$*" in *current-context) echo kind-demo;; "label "*) echo "Error from server (NotFound): services" >&2; exit 1;; esac';
    const machine = await machineWithLab({ tools: { kubectl: refusal } });
    expect(await machine.outpost('reset', 'last')).toEqual({
      exitCode: 1,
      said: [
        'app.yaml is undone',
        'zone.yaml is undone',
        'applied again: namespace.yaml',
        'outpost: what comes before could not be done: label "announced=bgp" is set on service "web/web": expected kubectl label -n web service web announced=bgp to be accepted',
        '  saw: Error from server (NotFound): services',
        '  why: the lab does not let its own solution through: run it from the beginning to see why',
        '  mend: outpost run',
      ],
      called: [...undone, 'kubectl apply -f app.yaml', 'kubectl label -n web service web announced=bgp'],
    });
  });
});

/** The doctor in this process: it needs nothing but the environment, and takes a fraction of the time. */
async function mend(machine: MachineInFolder, options: { json?: boolean } = {}) {
  const said: string[] = [];
  for (const [name, value] of Object.entries(machine.environment)) vi.stubEnv(name, value);
  const print = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  try {
    const exitCode = await doctor({ lab: machine.folder, fix: true, ...options });
    return { exitCode, said: said.join('').trimEnd().split('\n'), called: machine.called };
  } finally {
    print.mockRestore();
    vi.unstubAllEnvs();
  }
}

describe('outpost doctor --fix', () => {
  it('starts what stopped, writes the lost context again, and finds nothing more', async () => {
    // The context is lost until kind has written it.
    const tools = {
      kind: 'case "$*" in *export*) : >"$HOME/context";; *) echo kind v0.27.0;; esac',
      kubectl: 'case "$*" in *current-context) [ -e "$HOME/context" ] && echo kind-demo || echo mine;; *) echo v1.32.3;; esac',
    };
    const machine = await machineWithLab({ worker: 'exited', tools });
    expect(await mend(machine)).toEqual({
      exitCode: 0,
      said: [
        'mended: demo-worker does not run: docker start demo-worker',
        'mended: kubectl talks to another cluster: kind export kubeconfig --name demo',
        'nothing found that would break Demo',
      ],
      called: ['docker start demo-worker', 'kind export kubeconfig --name demo'],
    });
  });

  it('tells machines what did not work apart from what did', async () => {
    const docker = 'case "$1" in start) echo no space >&2; exit 1;; *) echo Docker version 27.5.1;; esac';
    const machine = await machineWithLab({ worker: 'exited', tools: { docker } });
    const { exitCode, said, called } = await mend(machine, { json: true });
    const { mended, notMended, findings } = JSON.parse(said.join('\n')) as Record<string, unknown[]>;
    expect({ exitCode, mended, notMended, findings, called }).toEqual({
      exitCode: 3,
      mended: [],
      notMended: ['demo-worker does not run: docker start demo-worker failed: no space'],
      findings: [expect.objectContaining({ code: 'node/stopped', severity: 'broken', fix: 'outpost up' })],
      called: ['docker start demo-worker'],
    });
  });

  it('leaves a cluster alone that somebody made in the place of its own, and says how to start it', async () => {
    const machine = await machineWithLab({ worker: 'exited', made: ['demo-control-plane-before', 'demo-worker-before'] });
    expect(await mend(machine)).toEqual({
      exitCode: 3,
      said: [
        '✘ demo-worker does not run  node/stopped',
        '    seen: docker ps -a',
        '    mend: docker start demo-worker',
        '! there is a kind cluster "demo" that outpost did not make: up and down leave it alone  cluster/foreign',
        '    seen: docker ps -a --filter label=io.x-k8s.kind.cluster',
        '    mend: kind delete cluster --name demo, if nobody needs it',
        '1 thing that must be mended, 1 risk',
      ],
      called: [],
    });
  });
});
