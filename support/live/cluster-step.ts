import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import { EnvironmentError } from '../verdict/errors.ts';
import { ensureKindNetwork } from './kind-network.ts';
import type { LabRecord } from './lab-state.ts';
import { asTree, kubeContext, type LiveContext, need, nodeNames, ToolFailure } from './live-context.ts';
import { fingerprint, minute, type UpStep } from './step.ts';
import { defaultNodeImage } from './versions.ts';

/** Containers of a kind cluster, in whatever state. */
export async function clusterContainers(docker: Docker, cluster: string): Promise<Docker.ContainerInfo[]> {
  return await docker.listContainers({ all: true, filters: { label: [`io.x-k8s.kind.cluster=${cluster}`] } });
}

/** Whether a container of the cluster is one that `outpost up` made. */
export function isMadeBy(record: Pick<LabRecord, 'steps' | 'nodeIds'> | undefined, id: string): boolean {
  const known = record?.steps['cluster']?.state;
  return known === 'begun' || (known === 'done' && (record?.nodeIds === undefined || record.nodeIds.includes(id)));
}

/** The kind cluster, made from its file; one that was stopped is started, with what the learner did in it. */
export function clusterStep({ definition, cluster, docker, run, state }: LiveContext): UpStep {
  const { file, documents } = definition.cluster;
  const names = nodeNames(documents[0], cluster);
  const context = kubeContext(cluster);
  const containers = async () => await clusterContainers(docker, cluster);
  const hasContext = async () =>
    (await run(['kubectl', 'config', 'get-contexts', context, '-o', 'name'], { timeoutMs: minute })).exitCode === 0;
  return {
    name: 'cluster',
    title: `kind cluster "${cluster}", ${names.length === 1 ? 'one node' : `${names.length} nodes`}`,
    fingerprint: fingerprint(readFileSync(file, 'utf8')),
    async stillThere() {
      const running = (await containers()).filter(({ State }) => State === 'running').flatMap(({ Names }) => Names);
      return names.every((name) => running.includes(`/${name}`)) && (await hasContext());
    },
    async foreign(record) {
      if ((await containers()).every(({ Id }) => isMadeBy(record, Id))) return undefined;
      return new EnvironmentError('up/foreign-cluster', `there is a kind cluster "${cluster}" that outpost did not make`, {
        hint: `it is left alone; a lab that was brought up by hand can be judged as it is: outpost run --driver live`,
        fix: `kind delete cluster --name ${cluster}, or give the cluster another name in ${file}`,
      });
    },
    async run({ earlier, onOutput }) {
      const there = await containers();
      // Containers of an attempt that was cut off are not in the record.
      const made = state.read()?.nodeIds ?? (earlier === 'done' ? there.map(({ Id }) => Id) : []);
      if (names.every((name) => there.some(({ Id, Names }) => Names.includes(`/${name}`) && made.includes(Id)))) {
        // Whole, and stopped: a restart of the machine, mostly. What the learner did in it is kept.
        for (const { Id, State } of there) if (State !== 'running') await docker.getContainer(Id).start();
        if (!(await hasContext())) await need(run, ['kind', 'export', 'kubeconfig', '--name', cluster], { timeoutMs: minute, onOutput });
        await apiAnswers(run, context, onOutput);
        return { remark: 'was there' };
      }
      if (earlier !== 'nothing') await need(run, ['kind', 'delete', 'cluster', '--name', cluster], { timeoutMs: 5 * minute, onOutput });
      await ensureKindNetwork(docker, definition);
      const { nodes } = asTree(documents[0]);
      const hasImage = Array.isArray(nodes) && nodes.some((node) => asTree(node)['image'] !== undefined);
      const image = hasImage ? [] : ['--image', defaultNodeImage];
      await need(run, ['kind', 'create', 'cluster', '--name', cluster, '--config', file, ...image], {
        timeoutMs: 15 * minute,
        onOutput,
      });
      return { isFresh: true, made: { nodeIds: (await containers()).map(({ Id }) => Id) } };
    },
  };
}

/** A control plane that was just started takes its time. */
const apiPatienceMs = 2 * minute;
const apiPollMs = 2_000;

export async function apiAnswers(
  run: LiveContext['run'],
  context: string,
  onOutput: (text: string) => void = () => undefined,
): Promise<void> {
  const argv = ['kubectl', '--context', context, 'get', '--raw', '/readyz'];
  for (const until = Date.now() + apiPatienceMs; ; ) {
    const output = await run(argv, { timeoutMs: minute, onOutput });
    if (output.exitCode === 0) return;
    if (Date.now() > until) throw new ToolFailure(argv, output);
    await wait(apiPollMs);
  }
}
