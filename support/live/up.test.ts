import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LabDefinition } from '../content/lab.ts';
import { takeDown } from './down.ts';
import { FakeMachine } from './fake-machine.fixture.ts';
import { LabState } from './lab-state.ts';
import type { HostRunner, LiveContext } from './live-context.ts';
import { startLost, undoManifests } from './reset.ts';
import { applyManifest } from './steps.ts';
import { bringUp } from './up.ts';

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
      builds: new Map(),
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
  const where = 'cilium --namespace kube-system --kube-context kind-demo';
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
    machine.release = 'deployed';
    seen.length = 0;
    await bringUp(context, progress);
    expect(machine.calls).toEqual([`helm status ${where}`, ...ready]);
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
    expect(machine.calls).toEqual([`helm status ${where} --output json`, upgrade, ...ready, apply()]);
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
    machine.add('demo-control-plane');
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
    machine.networks.set('kind', '172.18.0.0/16');
    await bringUp(context, progress);
    seen.length = 0;
    await gone();
    expect([...seen]).toEqual(['kind cluster "demo"']);
    expect([...machine.networks.keys()]).toEqual(['bridge', 'kind']);
  });

  it.each([
    ['on an engine with no other network, what labs count on', [], '172.18.0.1', '172.18.0.0/16'],
    ['whichever is free, where the lab does not care', ['172.18.0.0/16', '172.19.0.0/16'], '192.0.2.1', '172.20.0.0/16'],
    ['none where somebody has what the lab writes addresses of', ['172.18.4.0/24'], '172.18.255.200', undefined],
  ])('has nodes with the prefix %s', async (_name, taken, address, prefix) => {
    for (const [index, subnet] of taken.entries()) machine.networks.set(`other${index}`, subnet);
    const up = bringUp({ ...context, definition: definition({ homeFiles: new Map([['pool.yaml', `cidr: ${address}/32`]]) }) }, progress);
    if (prefix === undefined)
      await expect(up).rejects.toMatchObject({
        code: 'up/network',
        shortMessage: 'the lab uses addresses of 172.18.0.0/16, and the Docker network "other0" has it',
      });
    else await up;
    expect(machine.networks.get('kind')).toBe(prefix);
  });

  it('is not made on a network of kind that has another prefix than the lab writes addresses of', async () => {
    machine.networks.set('kind', '172.20.0.0/16');
    const homeFiles = new Map([['pool.yaml', 'start: 172.18.255.200']]);
    await expect(bringUp({ ...context, definition: definition({ homeFiles }) }, progress)).rejects.toMatchObject({
      code: 'up/network',
      shortMessage: 'the Docker network "kind" has 172.20.0.0/16, and the lab uses addresses of 172.18.0.0/16',
    });
    await bringUp(context, progress);
    expect(machine.networks.get('kind')).toBe('172.20.0.0/16');
  });

  it('leaves a cluster of its name alone that somebody made in the place of its own', async () => {
    await bringUp(context, progress);
    machine.removeCluster();
    machine.add('demo-control-plane');
    machine.add('demo-worker');
    machine.calls.length = 0;
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/foreign-cluster' });
    const told: unknown[] = [];
    await takeDown(context, context.state.read()!, (removal) => void told.push(removal));
    expect(told).toContainEqual({ what: 'kind cluster "demo"', left: 'it was made anew, and not by outpost' });
    expect(machine.calls).toEqual([]);
    expect(machine.containers).toHaveLength(2);
    expect(context.state.read()).toBeUndefined();
  });

  it('does not lose what a learner did when it is interrupted while its nodes start', async () => {
    await bringUp(context, progress);
    const before = machine.containers.map(({ id }) => id);
    for (const container of machine.containers) container.state = 'exited';
    machine.failures.set('kubectl --context kind-demo get --raw /readyz', 'missing');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/step' });
    expect(context.state.read()?.steps['cluster']?.state).toBe('begun');
    machine.failures.clear();
    await bringUp(context, progress);
    expect(machine.containers.map(({ id }) => id)).toEqual(before);
    expect(machine.calls.filter((call) => call.startsWith('kind delete'))).toEqual([]);
  });

  it('gets its context back where that is lost, and gives back the one that was in use before', async () => {
    await bringUp(context, progress);
    machine.contexts.delete('kind-demo');
    machine.context = '';
    machine.calls.length = 0;
    await bringUp(context, progress);
    expect(machine.calls[0]).toBe('kind export kubeconfig --name demo');
    await gone();
    expect(machine.context).toBe('mine');
    await bringUp(context, progress);
    machine.context = 'a third one';
    await gone();
    expect(machine.context).toBe('a third one');
  });

  it('takes its context out of the file that it was written into', async () => {
    vi.stubEnv('KUBECONFIG', join(folder, 'one'));
    await bringUp(context, progress);
    vi.stubEnv('KUBECONFIG', join(folder, 'two'));
    await bringUp(context, progress);
    vi.stubEnv('KUBECONFIG', join(folder, 'three'));
    await gone();
    expect(machine.kubeconfigs.at(-1)).toBe(`${join(folder, 'one')}:${join(folder, 'two')}`);
    vi.unstubAllEnvs();
  });

  it.each([
    ['pending-install', 'uninstall'],
    ['pending-upgrade', 'rollback'],
    ['pending-rollback', 'rollback'],
    ['failed', undefined],
  ])('goes on after a release that was left %s', async (release, mend) => {
    machine.failures.set('helm upgrade', 'Error: interrupted\n');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'up/step' });
    machine.failures.clear();
    machine.release = release;
    machine.calls.length = 0;
    await bringUp(context, progress);
    const status = `helm status ${where} --output json`;
    expect(machine.calls.slice(0, 3)).toEqual([status, ...(mend === undefined ? [upgrade, ready[0]] : [`helm ${mend} ${where}`, upgrade])]);
  });

  it('says of an engine that goes meanwhile in which step that was', async () => {
    const docker = {
      ...machine.docker,
      listContainers: () => Promise.reject(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })),
    };
    await expect(bringUp({ ...context, docker: docker as unknown as Docker }, progress)).rejects.toMatchObject({
      code: 'up/step',
      shortMessage: 'kind cluster "demo", 2 nodes: the Docker engine does not answer any more',
    });
  });

  describe('with images that no registry has', () => {
    const image = 'my/web:1';
    const load = `kind load docker-image ${image} --name demo`;
    const withBuild = () =>
      definition({ builds: new Map([[image, join(folder, 'web')]]), homeFiles: new Map([['pod.yaml', `spec:\n  image: ${image}\n`]]) });
    beforeEach(() => {
      mkdirSync(join(folder, 'web'));
      writeFileSync(join(folder, 'web', 'Dockerfile'), 'FROM scratch\n');
      context = { ...context, definition: withBuild() };
    });
    const up = async () => {
      machine.calls.length = 0;
      seen.length = 0;
      await bringUp({ ...context, definition: withBuild() }, progress);
      return machine.calls.filter((call) => /^(build|kind)/.test(call));
    };

    it('builds them once for what they are made of, puts them into the nodes, and takes them away', async () => {
      expect(await up()).toEqual([`build ${image}`, create(), load]);
      expect(seen.slice(0, 3)).toEqual(['images done', 'cluster done', 'load done']);
      // The nodes of this machine cannot be asked.
      expect(await up()).toEqual([load]);
      writeFileSync(join(folder, 'web', 'Dockerfile'), 'FROM scratch\nUSER 1\n');
      expect(await up()).toEqual([`build ${image}`, load]);
      await gone();
      expect([...machine.images]).toEqual([]);
    });

    it('takes one that was made by hand as it is, and leaves it', async () => {
      machine.images.set(image, {});
      expect(await up()).toEqual([create(), load]);
      await gone();
      expect([...machine.images.keys()]).toEqual([image]);
    });

    it('does not take the name from an image of another lab', async () => {
      machine.images.set(image, { 'outpost.files': 'x', 'outpost.lab': '/elsewhere' });
      await expect(up()).rejects.toMatchObject({ code: 'up/foreign-image', hint: 'it is made of other files, and left alone' });
      expect(machine.calls).toEqual([]);
    });
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

  it('has the nodes started that a task lost, before it goes back: its own, and not those of another lab', async () => {
    const told: string[] = [];
    const start = (over: Partial<LabDefinition> = {}) =>
      startLost({ ...context, definition: definition(over) }, (text) => void told.push(text));
    const states = () => machine.containers.map(({ state }) => state);
    machine.add('demo-worker');
    machine.containers[0]!.state = 'exited';
    await start();
    expect({ states: states(), calls: machine.calls, told }).toEqual({ states: ['exited'], calls: [], told: [] });
    machine.containers.length = 0;
    await bringUp(context, progress);
    machine.calls.length = 0;
    await start();
    expect({ calls: machine.calls, told }).toEqual({ calls: [], told: [] });
    for (const container of machine.containers) container.state = 'exited';
    await expect(start({ root: '/elsewhere' })).rejects.toMatchObject({ code: 'usage/other-lab', fix: `outpost reset --lab ${folder}` });
    expect(states()).toEqual(['exited', 'exited']);
    await start();
    expect({ states: states(), calls: machine.calls, told }).toEqual({
      states: ['running', 'running'],
      calls: ['kubectl --context kind-demo get --raw /readyz', ...ready],
      told: ['demo-control-plane, demo-worker were started again'],
    });
  });

  it('says so when its record cannot be written or read', async () => {
    writeFileSync(join(folder, 'state'), 'a file in the place of the folder');
    await expect(bringUp(context, progress)).rejects.toMatchObject({ code: 'live/state', fault: 'environment' });
    expect(machine.calls).toEqual([]);
  });
});
