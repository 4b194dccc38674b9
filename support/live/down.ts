import { existsSync, rmSync } from 'node:fs';
import type Docker from 'dockerode';
import { EnvironmentError, OutpostError } from '../verdict/errors.ts';
import type { LabRecord, LabState } from './lab-state.ts';
import { type HostRunner, need } from './live-context.ts';
import { backupOf } from './up.ts';

/** A thing that `up` made, and that is gone or not. */
export interface Removal {
  readonly what: string;
  readonly failure?: OutpostError;
}

const minute = 60_000;

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
  const attempt = async (what: string, remove: () => Promise<unknown>) => {
    try {
      await remove();
      onRemoved({ what });
    } catch (error) {
      if (!(error instanceof OutpostError) || error.code === 'run/interrupted') throw error;
      failures.push(error);
      onRemoved({ what, failure: error });
    }
  };
  const { topology, cluster } = record;
  if (topology !== undefined && record.steps['topology'] !== undefined) {
    await attempt(`topology "${topology.name}"`, async () => await destroyTopology(docker, run, topology, record));
  }
  if (record.steps['cluster'] !== undefined) {
    await attempt(`kind cluster "${cluster}"`, () =>
      need(run, ['kind', 'delete', 'cluster', '--name', cluster], { timeoutMs: 5 * minute }),
    );
  }
  if (failures.length === 0) {
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

async function destroyTopology(
  docker: Docker,
  run: HostRunner,
  topology: NonNullable<LabRecord['topology']>,
  record: LabRecord,
): Promise<void> {
  const containers = await docker.listContainers({ all: true, filters: { label: [`containerlab=${topology.name}`] } });
  if (containers.length > 0) {
    const keep = record.before.networks.includes(topology.network) ? ['--keep-mgmt-net'] : [];
    if (existsSync(topology.file)) {
      await need(run, ['containerlab', 'destroy', '--topo', topology.file, '--cleanup', ...keep], { timeoutMs: 5 * minute });
    } else {
      // The file is gone, and containerlab needs it; its containers know which file they came from.
      for (const { Id, Labels } of containers) {
        if (Labels['clab-topo-file'] === topology.file) await docker.getContainer(Id).remove({ force: true, v: true });
      }
    }
  }
  const backup = backupOf(topology.file);
  if (!record.before.files.includes(backup)) rmSync(backup, { force: true });
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
