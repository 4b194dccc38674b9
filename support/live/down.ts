import { existsSync, rmSync } from 'node:fs';
import type Docker from 'dockerode';
import { EnvironmentError, OutpostError } from '../verdict/errors.ts';
import { clusterContainers } from './cluster-step.ts';
import { explainEngineError } from './engine-error.ts';
import { removeImage } from './images.ts';
import type { LabRecord, LabState } from './lab-state.ts';
import { type HostRunner, need } from './live-context.ts';
import { minute } from './step.ts';
import { backupOf, currentContext } from './up.ts';

/** A thing that `up` made, and that is gone or not. */
export interface Removal {
  readonly what: string;
  readonly failure?: OutpostError;
  /** Why it is left: somebody else's by now. */
  readonly left?: string;
}

/**
 * Takes away what the record of a lab says was made, the last first: the topology, the cluster, and of the engine's networks those
 * that came with them and that nobody else uses. One part that fails does not keep the others.
 */
export async function takeDown(
  context: { readonly docker: Docker; readonly run: HostRunner; readonly state: LabState },
  record: LabRecord,
  onRemoved: (removal: Removal) => void,
): Promise<void> {
  const { docker, run, state } = context;
  const failures: OutpostError[] = [];
  const attempt = async (what: string, remove: () => Promise<string | undefined>) => {
    try {
      const left = await remove();
      onRemoved(left === undefined ? { what } : { what, left });
    } catch (caught) {
      const error = explainEngineError(caught);
      if (!(error instanceof OutpostError) || error.code === 'run/interrupted') throw error;
      failures.push(error);
      onRemoved({ what, failure: error });
    }
  };
  const { topology, cluster } = record;
  if (topology !== undefined && record.steps['topology'] !== undefined) {
    await attempt(`topology "${topology.name}"`, async () => await destroyTopology(docker, run, topology, record));
  }
  if (record.steps['cluster'] !== undefined)
    await attempt(`kind cluster "${cluster}"`, async () => await deleteCluster(docker, run, record));
  if (failures.length === 0) {
    for (const image of record.images ?? []) {
      if (await removeImage(docker, image, record.root)) onRemoved({ what: `image ${image}` });
    }
    for (const name of ['kind', topology?.network ?? 'clab']) {
      if (!record.before.networks.includes(name) && (await removeUnused(docker, name))) onRemoved({ what: `network ${name}` });
    }
    state.forget();
    return;
  }
  const [first] = failures;
  throw new EnvironmentError(
    'down/left',
    `${failures.length === 1 ? 'one part' : `${failures.length} parts`} could not be taken away: ${first?.shortMessage}`,
    {
      ...(first?.hint === undefined ? {} : { hint: first.hint }),
      fix: 'outpost down tries again what is left',
    },
  );
}

const isForeign = 'it was made anew, and not by outpost';

/** @returns why it is left, if it is */
async function destroyTopology(
  docker: Docker,
  run: HostRunner,
  topology: NonNullable<LabRecord['topology']>,
  record: LabRecord,
): Promise<string | undefined> {
  const containers = await docker.listContainers({ all: true, filters: { label: [`containerlab=${topology.name}`] } });
  // containerlab goes by the name of the lab: of another file, it is another's.
  if (containers.some(({ Labels }) => Labels['clab-topo-file'] !== topology.file)) return isForeign;
  if (containers.length > 0) {
    const keep = record.before.networks.includes(topology.network) ? ['--keep-mgmt-net'] : [];
    if (existsSync(topology.file)) {
      await need(run, ['containerlab', 'destroy', '--topo', topology.file, '--cleanup', ...keep], { timeoutMs: 5 * minute });
    } else {
      // The file is gone, and containerlab needs it; its containers know which file they came from.
      for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true, v: true });
    }
  }
  const backup = backupOf(topology.file);
  if (!record.before.files.includes(backup)) rmSync(backup, { force: true });
  return undefined;
}

/** @returns why it is left, if it is */
async function deleteCluster(docker: Docker, run: HostRunner, record: LabRecord): Promise<string | undefined> {
  const { cluster, nodeIds, before, steps } = record;
  // kind goes by the name of the cluster.
  const isOurs = ({ Id }: Docker.ContainerInfo) => steps['cluster']?.state === 'begun' || nodeIds === undefined || nodeIds.includes(Id);
  const containers = await clusterContainers(docker, cluster);
  if (!containers.every(isOurs)) {
    for (const { Id } of containers.filter(isOurs)) await docker.getContainer(Id).remove({ force: true, v: true });
    return isForeign;
  }
  // The context is taken out of the file that it was written into, whichever KUBECONFIG names now.
  const env = record.kubeconfig === undefined ? {} : { env: { KUBECONFIG: record.kubeconfig } };
  await need(run, ['kind', 'delete', 'cluster', '--name', cluster], { timeoutMs: 5 * minute, ...env });
  // kind chose the context when it made the cluster, and leaves none behind.
  if (before.context !== undefined && before.context !== '' && (await currentContext(run, env.env)) === '')
    await run(['kubectl', 'config', 'use-context', before.context], { timeoutMs: minute, ...env });
  return undefined;
}

/** A network that has no container left. */
async function removeUnused(docker: Docker, name: string): Promise<boolean> {
  const found = (await docker.listNetworks({ filters: { name: [name] } })).find(({ Name }) => Name === name);
  if (found === undefined) return false;
  try {
    const { Containers: users } = (await docker.getNetwork(found.Id).inspect()) as { Containers?: Record<string, unknown> };
    if (Object.keys(users ?? {}).length > 0) return false;
    await docker.getNetwork(found.Id).remove();
    return true;
  } catch {
    // Somebody has taken it into use meanwhile: it is theirs now.
    return false;
  }
}
