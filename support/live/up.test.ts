import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LabDefinition } from '../content/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { takeDown } from './down.ts';
import { LabState } from './lab-state.ts';
import type { HostRunner, LiveContext } from './live-context.ts';
import { undoManifests } from './reset.ts';
import { applyManifest } from './steps.ts';
import { bringUp } from './up.ts';

interface Container {
  name: string;
  labels: Record<string, string>;
  state: string;
}

/** An engine of a few containers, and tools that make and unmake them: what each was called with is kept. */
class FakeMachine {
  readonly containers: Container[] = [];
  readonly networks = new Set(['bridge']);
  readonly calls: string[] = [];
  readonly failures = new Map<string, string>();

  readonly docker = {
    listContainers: async ({ filters, all = false }: { filters?: { label: string[] }; all?: boolean } = {}) =>
      this.containers
        .filter(({ state }) => all || state === 'running')
        .filter(({ labels }) => (filters?.label ?? []).every((label) => labels[label.split('=')[0] ?? ''] === label.split('=')[1]))
        .map(({ name, labels, state }) => ({
          Id: name,
          Names: [`/${name}`],
          Labels: labels,
          State: state,
          NetworkSettings: { Networks: { kind: { IPAddress: '192.0.2.7', GlobalIPv6Address: '' } } },
        })),
    listNetworks: async () => [...this.networks].map((Name) => ({ Id: Name, Name })),
    getNetwork: (name: string) => ({ inspect: async () => ({ Containers: {} }), remove: async () => void this.networks.delete(name) }),
    getContainer: (name: string) => ({
      start: async () => {
        for (const container of this.containers) if (container.name === name) container.state = 'running';
      },
    }),
  } as unknown as Docker;

  readonly run: HostRunner = async (argv) => {
    const line = argv.join(' ');
    this.calls.push(line);
    const failure = [...this.failures].find(([start]) => line.startsWith(start))?.[1];
    if (failure !== undefined) {
      if (failure === 'missing') throw new EnvironmentError('exec/not-run', `${argv[0]} could not be run: ENOENT`);
      return { stdout: '', stderr: failure, exitCode: 1 };
    }
    if (line.startsWith('kind create cluster')) {
      this.networks.add('kind');
      for (const name of ['demo-control-plane', 'demo-worker'])
        this.containers.push({ name, labels: { 'io.x-k8s.kind.cluster': 'demo' }, state: 'running' });
    }
    if (line.startsWith('kind delete cluster')) {
      this.containers.splice(
        0,
        this.containers.length,
        ...this.containers.filter(({ labels }) => labels['io.x-k8s.kind.cluster'] !== 'demo'),
      );
    }
    return { stdout: '', stderr: '', exitCode: 0 };
  };
}

describe('a live lab', () => {
  let folder: string;
  let machine: FakeMachine;
  let context: LiveContext;
  const seen: string[] = [];
  const progress = {
    onStart: () => undefined,
    onOutput: () => undefined,
    onEnd: (step: { readonly name: string }, how: string) => void seen.push(`${step.name} ${how}`),
  };
  const definition = (over: Partial<LabDefinition> = {}) =>
    ({
      name: 'demo',
      root: folder,
      directory: folder,
      home: folder,
      homeFiles: new Map(),
      setup: ['bgp.yaml'],
      topology: undefined,
      cluster: {
        file: join(folder, 'cluster.yaml'),
        documents: [{ name: 'demo', nodes: [{ role: 'control-plane' }, { role: 'worker' }] }],
      },
      cilium: { version: '1.16.0', values: undefined },
      ...over,
    }) as unknown as LabDefinition;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outpost-up-'));
    writeFileSync(join(folder, 'cluster.yaml'), 'kind: Cluster\n');
    writeFileSync(join(folder, 'bgp.yaml'), 'kind: X\n');
    machine = new FakeMachine();
    context = {
      definition: definition(),
      cluster: 'demo',
      docker: machine.docker,
      run: machine.run,
      state: new LabState('demo', 'unix:///x', join(folder, 'state')),
    };
    seen.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const create = () => `kind create cluster --name demo --config ${join(folder, 'cluster.yaml')} --image kindest/node:v1.32.2`;
  const upgrade =
    'helm upgrade --install cilium cilium --repo https://helm.cilium.io --version 1.16.0 --namespace kube-system --kube-context kind-demo';
  const ready = [
    'cilium status --wait --wait-duration 10m --context kind-demo',
    'kubectl --context kind-demo wait --for=condition=Ready nodes --all --timeout=5m',
    'kubectl --context kind-demo -n kube-system rollout status deployment/coredns --timeout=5m',
  ];
  const apply = () => `kubectl --context kind-demo apply -f ${join(folder, 'bgp.yaml')}`;
  const gone = () => takeDown(context, context.state.read()!, ({ what }) => void seen.push(what));

  it('is made in order, once: what is there is not made again', async () => {
    await bringUp(context, progress);
    expect(machine.calls).toEqual([create(), upgrade, ...ready, apply()]);
    expect(context.state.read()?.addresses).toEqual({ 'demo-control-plane': ['192.0.2.7'], 'demo-worker': ['192.0.2.7'] });
    machine.calls.length = 0;
    seen.length = 0;
    await bringUp(context, progress);
    expect(machine.calls).toEqual(['helm status cilium --namespace kube-system --kube-context kind-demo', ...ready]);
    expect(seen).toEqual(['cluster there', 'cilium there', 'ready done', 'setup there']);
  });

  it('goes on where it broke off, and says what broke, and how', async () => {
    machine.failures.set('helm upgrade', 'one\ntwo\nError: chart not found\n');
    await expect(bringUp(context, progress)).rejects.toMatchObject({
      code: 'up/step',
      exitCode: 3,
      shortMessage: 'Cilium 1.16.0: helm ended with exit status 1: Error: chart not found',
      hint: 'its last lines:\n    one\n    two\n    Error: chart not found',
      fix: 'outpost up continues here; outpost doctor looks for reasons',
    });
    expect(seen).toEqual(['cluster done', 'cilium failed']);
    machine.failures.clear();
    machine.calls.length = 0;
    await bringUp(context, progress);
    expect(machine.calls).toEqual([upgrade, ...ready, apply()]);
  });

  it('makes a cluster anew that it had only begun, and starts one that was stopped', async () => {
    machine.failures.set('kind create', 'ERROR: interrupted\n');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/step' });
    machine.failures.clear();
    machine.calls.length = 0;
    await bringUp(context, progress);
    expect(machine.calls.slice(0, 2)).toEqual(['kind delete cluster --name demo', create()]);
    for (const container of machine.containers) container.state = 'exited';
    machine.calls.length = 0;
    await bringUp(context, progress);
    expect(machine.calls.filter((call) => call.startsWith('kind '))).toEqual([]);
    expect(machine.containers.map(({ state }) => state)).toEqual(['running', 'running']);
  });

  it.each([
    ['a tool that is missing', 'kind create', 'missing', 'outpost doctor says how to install it; then: outpost up'],
    ['a tool that fails', 'cilium status', 'timeout\n', 'outpost up continues here; outpost doctor looks for reasons'],
  ])('tells how to go on after %s', async (_name, call, failure, fix) => {
    machine.failures.set(call, failure);
    await expect(bringUp(context, progress)).rejects.toMatchObject({ fault: 'environment', fix });
  });

  it('does not take over a cluster that is not its own, nor one of another clone', async () => {
    machine.containers.push({ name: 'demo-control-plane', labels: { 'io.x-k8s.kind.cluster': 'demo' }, state: 'running' });
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/foreign-cluster' });
    expect(machine.calls).toEqual([]);
    machine.containers.length = 0;
    await bringUp(context, progress);
    await expect(bringUp({ ...context, definition: definition({ root: '/elsewhere' }) }, progress)).rejects.toMatchObject({
      code: 'up/other-lab',
      fix: `outpost down --lab ${folder}, or give the cluster another name in ${join(folder, 'cluster.yaml')}`,
    });
  });

  it('asks for a new start when the cluster file has changed, and upgrades Cilium when its version has', async () => {
    await bringUp(context, progress);
    machine.calls.length = 0;
    await bringUp({ ...context, definition: definition({ cilium: { version: '1.16.4', values: undefined } }) }, progress);
    expect(machine.calls[0]).toBe(upgrade.replace('1.16.0', '1.16.4'));
    writeFileSync(join(folder, 'cluster.yaml'), 'kind: Cluster # other\n');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/cluster-changed', fix: 'outpost down, then outpost up' });
  });

  it('goes with the network that came with it, and leaves the one that was there before', async () => {
    await bringUp(context, progress);
    seen.length = 0;
    await gone();
    expect([...seen]).toEqual(['kind cluster "demo"', 'network kind']);
    expect(context.state.read()).toBeUndefined();
    machine.networks.add('kind');
    await bringUp(context, progress);
    seen.length = 0;
    await gone();
    expect([...seen]).toEqual(['kind cluster "demo"']);
    expect([...machine.networks]).toEqual(['bridge', 'kind']);
  });

  it('is remembered when a part of it could not be taken away', async () => {
    await bringUp(context, progress);
    machine.failures.set('kind delete', 'ERROR: cannot remove\n');
    await expect(gone()).rejects.toMatchObject({ code: 'down/left', exitCode: 3, fix: 'outpost down tries again what is left' });
    machine.failures.clear();
    await gone();
    expect(context.state.read()).toBeUndefined();
  });

  it('waits until the operator has defined the kinds of its manifests, for other mistakes not', async () => {
    let left = 2;
    const pauses: number[] = [];
    const run: HostRunner = async () =>
      left-- > 0
        ? { stdout: '', stderr: 'error: resource mapping not found: no matches for kind "X"\n', exitCode: 1 }
        : { stdout: '', stderr: '', exitCode: 0 };
    await applyManifest(run, 'demo', 'x.yaml', undefined, async (milliseconds) => pauses.push(milliseconds));
    expect(pauses).toEqual([2000, 2000]);
    const refused: HostRunner = async () => ({ stdout: '', stderr: 'The X "y" is invalid: spec.asn: out of range\n', exitCode: 1 });
    await expect(applyManifest(refused, 'demo', 'x.yaml')).rejects.toMatchObject({
      shortMessage: 'kubectl ended with exit status 1: The X "y" is invalid: spec.asn: out of range',
    });
  });

  it('goes back to its start by what its manifests made; those of the setup are applied again', async () => {
    const homeObjects = ['app.yaml', 'app.yaml', 'pool.yaml', 'bgp.yaml'].map((file) => ({
      file,
      document: 0,
      apiVersion: 'v1',
      kind: 'X',
    }));
    machine.failures.set(`kubectl --context kind-demo delete -f ${join(folder, 'pool.yaml')}`, 'error: no matches for kind "X"\n');
    const undo = () => undoManifests({ ...context, definition: definition({ homeObjects }) }, (text) => void seen.push(text));
    await undo();
    const deletion = (file: string) => `kubectl --context kind-demo delete -f ${join(folder, file)} --ignore-not-found --wait --timeout=2m`;
    expect(machine.calls).toEqual([deletion('app.yaml'), deletion('pool.yaml'), apply()]);
    expect(seen).toEqual(['app.yaml is undone', 'pool.yaml is undone', 'applied again: bgp.yaml']);
    machine.failures.set('kubectl --context kind-demo delete', 'error: timed out waiting for the condition\n');
    await expect(undo()).rejects.toMatchObject({ code: 'live/tool', fault: 'environment' });
  });

  it('says so when its record cannot be written or read', async () => {
    writeFileSync(join(folder, 'state'), 'a file in the place of the folder');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'live/state', fault: 'environment' });
    expect(machine.calls).toEqual([]);
  });
});
