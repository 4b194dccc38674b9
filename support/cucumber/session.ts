import type { LabDefinition } from '../content/lab.ts';
import type { Lab } from '../port/lab.ts';
import { UsageError } from '../verdict/errors.ts';

/**
 * What a run does with the steps of its scenarios: `run` does everything; `check` leaves out what changes the lab, for
 * that is the learner's part; `solve` does only that.
 */
export type Mode = 'run' | 'check' | 'solve';

export interface Session {
  readonly lab: Lab;
  readonly mode: Mode;
  /** Which driver and why, in one line. */
  readonly note: string;
  /** What the lab was made from. */
  readonly definition: LabDefinition;
}

export type DriverChoice = 'auto' | 'live' | 'simulator';

export interface SessionOptions {
  readonly directory: string;
  readonly driver: DriverChoice;
  readonly seed: number;
}

let current: Session | undefined;

/** Gives the scenarios a lab that is already open: the command line does so before it starts Cucumber. */
export function provideSession(session: Session): void {
  current = session;
}

export function currentSession(): Session {
  if (current === undefined) throw new Error('no session: BeforeAll has not run');
  return current;
}

/** The lab of plain `npx cucumber-js`, chosen by `worldParameters` of cucumber.json or OUTPOST_LAB, OUTPOST_DRIVER, OUTPOST_SEED. */
export async function openSession(
  parameters: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  directory: string,
): Promise<Session> {
  if (current !== undefined) return current;
  const [{ loadLab }, { openLab }] = await Promise.all([import('../content/lab.ts'), import('../drivers.ts')]);
  const options = readOptions(parameters, env, directory);
  const definition: LabDefinition = loadLab(options.directory);
  const { lab, note } = await openLab(definition, {
    driver: options.driver,
    seed: options.seed,
    // Workers of one run share a live lab, and are its holder together.
    ...(env.CUCUMBER_PARALLEL === undefined ? { alone: { what: 'cucumber-js', wait: false, tell: console.error } } : {}),
  });
  current = { lab, note, mode: 'run', definition };
  return current;
}

export function readOptions(parameters: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv, directory: string): SessionOptions {
  const driver = String(env.OUTPOST_DRIVER ?? parameters.driver ?? 'auto');
  const seed = Number(env.OUTPOST_SEED ?? parameters.seed ?? 1);
  if (driver !== 'auto' && driver !== 'live' && driver !== 'simulator') {
    throw new UsageError('usage/driver', `driver must be auto, live or simulator, not "${driver}"`);
  }
  if (!Number.isInteger(seed)) throw new UsageError('usage/seed', 'seed must be a whole number');
  return { driver, seed, directory: String(env.OUTPOST_LAB ?? parameters.lab ?? directory) };
}
