import type Docker from 'dockerode';
import type { LabDefinition } from '../content/lab.ts';
import type { LiveContext } from '../live/live-context.ts';
import { EnvironmentError } from '../verdict/errors.ts';

/** How a command takes a live lab for itself. */
export interface Access {
  /** For those who have to wait for it. */
  readonly what: string;
  readonly wait: boolean;
  readonly tell: (text: string) => void;
}

/** The engine, when it answers. @throws EnvironmentError when it does not */
export async function connected(): Promise<Docker> {
  const [{ probeDocker }, { stopOnSignals }] = await Promise.all([import('../live/probe.ts'), import('../live/running.ts')]);
  const answer = await probeDocker();
  if (!answer.answers) {
    throw new EnvironmentError('docker/dead', 'there is no Docker engine for a live lab', { hint: answer.reason, fix: 'outpost doctor' });
  }
  stopOnSignals();
  return (await import('../live/engine.ts')).connectDocker();
}

/** Does something to a live lab, which nobody else may touch meanwhile. */
export async function openLive(
  definition: LabDefinition,
  access: Access,
  work: (context: LiveContext) => Promise<number>,
): Promise<number> {
  const docker = await connected();
  const { openContext } = await import('../live/live-context.ts');
  const context = openContext(definition, docker);
  return await lockedLab(context.state.lockFile, access, () => work(context));
}

export async function lockedLab<T>(file: string, { what, wait, tell }: Access, work: () => Promise<T>): Promise<T> {
  const { lockLab } = await import('../live/lab-lock.ts');
  const unlock = await lockLab(file, { what, wait, onWait: tell });
  try {
    return await work();
  } catch (error) {
    throw (await import('../live/engine-error.ts')).explainEngineError(error);
  } finally {
    unlock();
  }
}
