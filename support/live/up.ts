import { existsSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { EnvironmentError, OutpostError } from '../verdict/errors.ts';
import { explainEngineError } from './engine-error.ts';
import { engineName, type LabRecord, type StepState } from './lab-state.ts';
import { type HostRunner, kubeconfigFiles, type LiveContext } from './live-context.ts';
import { isDone, minute, type StepResult, type UpStep } from './step.ts';
import { upSteps } from './steps.ts';

/** Hears how far it is. */
export interface UpProgress {
  onStart(step: UpStep): void;
  /** What its tool prints, as it comes. */
  onOutput(step: UpStep, text: string): void;
  /** @param remark what it has to say of what it found or made */
  onEnd(step: UpStep, how: 'done' | 'there' | 'failed', durationMs: number, remark?: string): void;
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
  // What may be made is in the record before anything of it is.
  record = {
    ...record,
    images: union(record.images, [...definition.builds.keys()]),
    kubeconfig: union(record.kubeconfig?.split(delimiter), kubeconfigFiles().split(delimiter)).join(delimiter),
  };
  const note = (name: string, step: StepState, made: StepResult['made'] = {}) => {
    record = { ...record, ...made, steps: { ...record.steps, [name]: step } };
    state.write(record);
  };
  // What is somebody else's is found before anything is made.
  for (const step of steps) {
    let foreign: EnvironmentError | undefined;
    try {
      foreign = await step.foreign?.(record);
    } catch (error) {
      throw stepFailed(step, explainEngineError(error));
    }
    if (foreign !== undefined) throw foreign;
  }
  let isFresh = false;
  for (const step of steps) {
    const known = record.steps[step.name];
    const startedAt = Date.now();
    progress.onStart(step);
    try {
      if (known !== undefined && !isFresh && isDone(record, step) && (await step.stillThere())) {
        progress.onEnd(step, 'there', Date.now() - startedAt);
        continue;
      }
      if (step.name === 'cluster' && known?.state === 'done' && known.fingerprint !== step.fingerprint) {
        throw new EnvironmentError('up/cluster-changed', `${definition.cluster.file} has changed since the cluster was made from it`, {
          fix: `outpost down, then outpost up`,
        });
      }
      note(step.name, { state: 'begun', fingerprint: step.fingerprint });
      const result = await step.run({ earlier: known?.state ?? 'nothing', onOutput: (text) => progress.onOutput(step, text) });
      if (result?.isFresh === true) isFresh = true;
      note(step.name, { state: 'done', fingerprint: step.fingerprint, durationMs: Date.now() - startedAt }, result?.made);
      progress.onEnd(step, 'done', Date.now() - startedAt, result?.remark);
    } catch (error) {
      progress.onEnd(step, 'failed', Date.now() - startedAt);
      throw stepFailed(step, explainEngineError(error));
    }
  }
  state.write({ ...record, addresses: await nodeAddresses(context) });
}

function union(known: readonly string[] | undefined, more: readonly string[]): string[] {
  return [...new Set([...(known ?? []), ...more])];
}

function stepFailed(step: UpStep, error: unknown): unknown {
  if (!(error instanceof OutpostError) || error.fault !== 'environment' || /^(up\/|live\/state$|run\/)/.test(error.code)) return error;
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

async function newRecord({ definition, cluster, docker, run }: LiveContext): Promise<LabRecord> {
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
    before: {
      networks,
      files: backup !== undefined && existsSync(backup) ? [backup] : [],
      context: await currentContext(run),
    },
    steps: {},
  };
}

/** The context that kubectl uses; empty where there is none, or no kubectl. */
export async function currentContext(run: HostRunner, env?: Readonly<Record<string, string>>): Promise<string> {
  try {
    const { stdout, exitCode } = await run(['kubectl', 'config', 'current-context'], {
      timeoutMs: minute,
      ...(env === undefined ? {} : { env }),
    });
    return exitCode === 0 ? stdout.trim() : '';
  } catch (error) {
    if (error instanceof OutpostError && error.code === 'exec/not-run') return '';
    throw error;
  }
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
