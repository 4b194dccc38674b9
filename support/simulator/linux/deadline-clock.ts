import { SimulatedClock, type Timer } from '../clock/clock.ts';

/** A command was still waiting when the time that it was given had passed (`timeout 3 ping …`). */
export class DeadlinePassed extends Error {
  /** What it had printed by then; set by commands that print while they wait. */
  stdout = '';
  stderr = '';
}

/** The same virtual time, for one command only: waiting beyond the deadline ends the command. */
export class DeadlineClock extends SimulatedClock {
  readonly #base: SimulatedClock;
  readonly #deadline: number;

  constructor(base: SimulatedClock, deadline: number) {
    super(0);
    this.#base = base;
    this.#deadline = deadline;
  }

  override now(): number {
    return this.#base.now();
  }

  override get steps(): number {
    return this.#base.steps;
  }

  override schedule(delayMs: number, callback: () => void): Timer {
    return this.#base.schedule(delayMs, callback);
  }

  override runUntil(done: () => boolean, deadlineMs = Number.POSITIVE_INFINITY): boolean {
    const leftMs = this.#deadline - this.#base.now();
    // of two things at one moment the limit, which was set first, comes first
    if (deadlineMs < leftMs) return this.#base.runUntil(done, deadlineMs);
    if (this.#base.runUntil(done, Math.max(0, leftMs))) return true;
    throw new DeadlinePassed('the time limit of the command has passed');
  }

  override advance(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }
}
