import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EnvironmentError, OutpostError } from '../verdict/errors.ts';
import { engineName, type LabRecord, type StepState } from './lab-state.ts';
import type { LiveContext } from './live-context.ts';
import { isDone, type UpStep, upSteps } from './steps.ts';

/** Hears how far it is. */
export interface UpProgress {
  onStart(step: UpStep): void;
  /** What its tool prints, as it comes. */
  onOutput(step: UpStep, text: string): void;
  onEnd(step: UpStep, how: 'done' | 'there' | 'failed', durationMs: number): void;
}

/**
 * Brings a lab up: each step that is not done yet, in order. What is about to be made is written down before it is, so that a
 * run that is killed can be continued, and taken away.
 * @throws EnvironmentError that names the step, what its tool said last, and the command that continues
 */
export async function bringUp(context: LiveContext, progress: UpProgress, steps: readonly UpStep[] = upSteps(context)): Promise<void> {
  const { definition, state } = context;
  let record = state.read() ?? (await newRecord(context));
  if (record.root !== definition.root) {
    throw new EnvironmentError('up/other-lab', `the cluster "${context.cluster}" belongs to the lab in ${record.root}`, {
      fix: `outpost down --lab ${record.root}, or give the cluster another name in ${definition.cluster.file}`,
    });
  }
  const note = (name: string, step: StepState) => {
    record = { ...record, steps: { ...record.steps, [name]: step } };
    state.write(record);
  };
  let isFresh = false;
  for (const step of steps) {
    const known = record.steps[step.name];
    const startedAt = Date.now();
    progress.onStart(step);
    try {
      if (known === undefined) {
        const foreign = await step.foreign?.();
        if (foreign !== undefined) throw foreign;
      } else if (!isFresh && isDone(record, step) && (await step.stillThere())) {
        progress.onEnd(step, 'there', Date.now() - startedAt);
        continue;
      } else if (step.name === 'cluster' && known.state === 'done' && known.fingerprint !== step.fingerprint) {
        throw new EnvironmentError('up/cluster-changed', `${definition.cluster.file} has changed since the cluster was made from it`, {
          fix: `outpost down, then outpost up`,
        });
      }
      note(step.name, { state: 'begun', fingerprint: step.fingerprint });
      await step.run({ earlier: known?.state ?? 'nothing', onOutput: (text) => progress.onOutput(step, text) });
      // What is built on a cluster that was away is looked at again; on a new one it cannot be there.
      if (step.name === 'cluster') isFresh = true;
      note(step.name, { state: 'done', fingerprint: step.fingerprint, durationMs: Date.now() - startedAt });
      progress.onEnd(step, 'done', Date.now() - startedAt);
    } catch (error) {
      progress.onEnd(step, 'failed', Date.now() - startedAt);
      throw stepFailed(step, error);
    }
  }
  state.write({ ...record, addresses: await nodeAddresses(context) });
}

function stepFailed(step: UpStep, error: unknown): unknown {
  if (!(error instanceof OutpostError) || /^(up\/|live\/state$|run\/)/.test(error.code)) return error;
  return new EnvironmentError(
    'up/step',
    `${step.title}: ${error.shortMessage}`,
    {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      fix:
        error.code === 'exec/not-run'
          ? 'outpost doctor says how to install it; then: outpost up'
          : 'outpost up continues here; outpost doctor looks for reasons',
    },
    { cause: error },
  );
}

async function newRecord({ definition, cluster, docker }: LiveContext): Promise<LabRecord> {
  const { topology } = definition;
  const networks = (await docker.listNetworks()).map(({ Name }) => Name);
  const backup = topology === undefined ? undefined : backupOf(topology.source.file);
  return {
    version: 1,
    lab: definition.name,
    root: definition.root,
    cluster,
    engine: engineName(),
    ...(topology === undefined
      ? {}
      : { topology: { name: topology.parsed.name, file: topology.source.file, network: topology.parsed.mgmt.network } }),
    before: { networks, files: backup !== undefined && existsSync(backup) ? [backup] : [] },
    steps: {},
  };
}

/** containerlab keeps a copy of each topology file beside it. */
export function backupOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.bak`);
}

/** Addresses of the cluster's nodes on the engine's networks: Cilium and kubeadm remember them. */
export async function nodeAddresses({ docker, cluster }: Pick<LiveContext, 'docker' | 'cluster'>): Promise<Record<string, string[]>> {
  const nodes = await docker.listContainers({ filters: { label: [`io.x-k8s.kind.cluster=${cluster}`] } });
  return Object.fromEntries(
    nodes
      .map(({ Names, NetworkSettings }): [string, string[]] => [
        (Names[0] ?? '').replace(/^\//, ''),
        Object.values(NetworkSettings?.Networks ?? {})
          .flatMap(({ IPAddress, GlobalIPv6Address }) => [IPAddress, GlobalIPv6Address])
          .filter((address) => address !== ''),
      ])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
