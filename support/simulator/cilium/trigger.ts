import type { SimulatedClock, Timer } from '../clock/clock.ts';

/** Runs `run` once, `delayMs` after the first of any number of calls: changes that come together are handled together. */
export interface Trigger {
  fire(): void;
  stop(): void;
}

export function createTrigger(clock: SimulatedClock, delayMs: number, run: () => void): Trigger {
  let pending: Timer | undefined;
  let isStopped = false;
  return {
    fire() {
      if (pending !== undefined || isStopped) return;
      pending = clock.schedule(delayMs, () => {
        pending = undefined;
        run();
      });
    },
    stop() {
      isStopped = true;
      pending?.cancel();
      pending = undefined;
    },
  };
}
