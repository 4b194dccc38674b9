import type { Clock } from '../port/lab.ts';
import { ToolRefusal } from '../verdict/errors.ts';
import { budgets } from './budgets.ts';

/** What one look at the lab gave. */
export type Observation<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      /** What was there instead, in words. */
      readonly saw: string;
      /** Why it cannot become true any more: waiting ends at once. */
      readonly impossible?: string;
    };

export type Probe<T> = () => Promise<Observation<T>>;

/** How a wait ended. `elapsedMs` is the lab's time. */
export type Waited<T> =
  | { readonly held: true; readonly value: T; readonly elapsedMs: number; readonly probes: number }
  | {
      readonly held: false;
      readonly saw: string;
      readonly elapsedMs: number;
      readonly probes: number;
      readonly impossible: string | undefined;
    };

/** The time that one step has: every wait of the step draws from it. */
export class Deadline {
  readonly clock: Clock;
  readonly budgetMs: number;
  readonly #start: number;

  constructor(clock: Clock, budgetMs: number) {
    this.clock = clock;
    this.budgetMs = budgetMs;
    this.#start = clock.now();
  }

  get elapsedMs(): number {
    return this.clock.now() - this.#start;
  }

  get remainingMs(): number {
    return Math.max(0, this.budgetMs - this.elapsedMs);
  }
}

/**
 * Waits until the probe holds. The first probe runs at once, the next ones every 250 ms of the lab's time, the last one
 * at the deadline, so that what becomes true in time is never missed.
 */
export async function eventually<T>(deadline: Deadline, probe: Probe<T>): Promise<Waited<T>> {
  for (let probes = 1; ; probes++) {
    const seen = await look(probe);
    if (seen.ok) return { held: true, value: seen.value, elapsedMs: deadline.elapsedMs, probes };
    if (seen.impossible !== undefined || deadline.remainingMs === 0) {
      return { held: false, saw: seen.saw, elapsedMs: deadline.elapsedMs, probes, impossible: seen.impossible };
    }
    await deadline.clock.sleep(Math.min(budgets.probeIntervalMs, deadline.remainingMs));
  }
}

/** One probe; a part of the lab that does not work yet is something seen. */
async function look<T>(probe: Probe<T>): Promise<Observation<T>> {
  try {
    return await probe();
  } catch (error) {
    if (error instanceof ToolRefusal) return { ok: false, saw: error.shortMessage };
    throw error;
  }
}

/** Watches that the probe holds until the deadline, every second and at it; ends at the first look at which it does not. */
export async function consistently<T>(deadline: Deadline, probe: Probe<T>): Promise<Waited<T>> {
  for (let probes = 1; ; probes++) {
    const seen = await look(probe);
    if (!seen.ok) return { held: false, saw: seen.saw, elapsedMs: deadline.elapsedMs, probes, impossible: seen.impossible };
    if (deadline.remainingMs === 0) return { held: true, value: seen.value, elapsedMs: deadline.elapsedMs, probes };
    await deadline.clock.sleep(Math.min(budgets.watchIntervalMs, deadline.remainingMs));
  }
}

/**
 * Watches, every second, that the probe does not come to hold before the deadline. When the probe says that it is `impossible`, the
 * state of the lab already excludes it and nothing is waited for.
 * @returns held, with the reason or the last thing seen; or not held, with `describe` of what came true
 */
export async function never<T>(deadline: Deadline, probe: Probe<T>, describe: (value: T) => string): Promise<Waited<string>> {
  for (let probes = 1; ; probes++) {
    const seen = await look(probe);
    if (seen.ok) return { held: false, saw: describe(seen.value), elapsedMs: deadline.elapsedMs, probes, impossible: undefined };
    if (seen.impossible !== undefined || deadline.remainingMs === 0) {
      return { held: true, value: seen.impossible ?? seen.saw, elapsedMs: deadline.elapsedMs, probes };
    }
    await deadline.clock.sleep(Math.min(budgets.watchIntervalMs, deadline.remainingMs));
  }
}

/** `1.5 s`, `2 min 5 s` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = Math.round(milliseconds / 100) / 10;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(milliseconds / 1000);
  return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
