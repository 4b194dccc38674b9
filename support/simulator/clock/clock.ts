/** A callback that the clock will run at its virtual time, unless it is cancelled first. */
export interface Timer {
  /** Virtual time at which it fires, in milliseconds since the Unix epoch. */
  readonly at: number;
  cancel(): void;
}

/** The event queue ran longer than any real situation would: a livelock in the model, never a learner's fault. */
export class NoConvergenceError extends Error {
  readonly code = 'simulator/no-convergence';
}

class Entry implements Timer {
  readonly at: number;
  /** Microseconds since the clock's start: whole numbers, so that equal times stay equal. */
  readonly due: number;
  readonly order: number;
  run: (() => void) | undefined;

  constructor(at: number, due: number, order: number, run: () => void) {
    this.at = at;
    this.due = due;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

/** A run of the queue with more events than this has no end (the reference lab takes some 10^5 in all). */
const defaultStepLimit = 200_000_000;

/**
 * Virtual time: a queue of events, ordered by time and then by the order in which they were scheduled.
 * Nothing happens between events, so waiting costs nothing and the same inputs give the same run.
 *
 * Events run synchronously. A command that has to wait (curl for an answer, `sleep`) drives the queue with
 * {@link runUntil}; an event must never do so.
 */
export class SimulatedClock {
  readonly #start: number;
  readonly #stepLimit: number;
  readonly #heap: Entry[] = [];
  #elapsed = 0;
  #order = 0;
  #steps = 0;
  #running = false;

  /** @param start virtual time of the beginning, in milliseconds since the Unix epoch */
  constructor(start: number, options: { stepLimit?: number } = {}) {
    this.#start = start;
    this.#stepLimit = options.stepLimit ?? defaultStepLimit;
  }

  /** Virtual time, in milliseconds since the Unix epoch; the fraction goes down to microseconds. */
  now(): number {
    return this.#start + this.#elapsed / 1000;
  }

  /** Events run so far, for measurements. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs `callback` once, `delayMs` from now (not before already scheduled events of the same time). */
  schedule(delayMs: number, callback: () => void): Timer {
    const due = this.#elapsed + Math.max(0, Math.round(delayMs * 1000));
    const entry = new Entry(this.#start + due / 1000, due, this.#order++, callback);
    this.#push(entry);
    return entry;
  }

  /**
   * Runs events until `done` holds or `deadlineMs` from now has passed; time then stands at the event that
   * made it true, or at the deadline. With an empty queue and a deadline, time jumps to the deadline.
   * @returns whether `done` held
   * @throws NoConvergenceError after an absurd number of events
   */
  runUntil(done: () => boolean, deadlineMs = Number.POSITIVE_INFINITY): boolean {
    if (this.#running) throw new Error('runUntil was called from inside an event: an event must schedule what comes later');
    const limit = deadlineMs === Number.POSITIVE_INFINITY ? deadlineMs : this.#elapsed + Math.max(0, Math.round(deadlineMs * 1000));
    const lastStep = this.#steps + this.#stepLimit;
    this.#running = true;
    try {
      while (!done()) {
        const next = this.#peek();
        if (next === undefined || next.due > limit) {
          if (limit !== Number.POSITIVE_INFINITY) this.#elapsed = limit;
          return false;
        }
        this.#pop();
        this.#elapsed = next.due;
        const { run } = next;
        next.run = undefined;
        this.#steps++;
        if (this.#steps > lastStep) throw new NoConvergenceError(`no end after ${this.#stepLimit} events`);
        run?.();
      }
      return true;
    } finally {
      this.#running = false;
    }
  }

  /** Lets `durationMs` of virtual time pass. */
  advance(durationMs: number): void {
    this.runUntil(() => false, durationMs);
  }

  #peek(): Entry | undefined {
    while (this.#heap.length > 0 && this.#heap[0]?.run === undefined) this.#pop();
    return this.#heap[0];
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
