import { randomUUID } from 'node:crypto';
import { EnvironmentError } from '../verdict/errors.ts';

/** What this process starts, on the lab host and in containers, carries this variable: what it leaves when it is killed can be found. */
export const runVariable = 'OUTPOST_RUN';
export const runId = randomUUID();

/** How something that was started is ended. */
export interface Started {
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
  /** Ends it as well as that can be done without waiting: this process is about to exit. */
  stopNow?(): void;
}

/** Programs and execs that this process has started and not yet seen end: whoever leaves, leaves none of them behind. */
class Running {
  readonly #started = new Set<Started>();
  #isInterrupted = false;

  constructor() {
    process.on('exit', () => {
      for (const started of this.#started) started.stopNow?.();
    });
  }

  get count(): number {
    return this.#started.size;
  }

  /** @returns to be called when it has ended. @throws EnvironmentError once everything was told to stop */
  add(started: Started): () => void {
    this.refuseAfterInterrupt();
    this.#started.add(started);
    return () => void this.#started.delete(started);
  }

  refuseAfterInterrupt(): void {
    if (this.#isInterrupted) throw interrupted();
  }

  /** Nothing starts any more, and what runs is ended. */
  async interrupt(): Promise<void> {
    this.#isInterrupted = true;
    await this.stopAll();
  }

  async stopAll(): Promise<void> {
    await Promise.allSettled([...this.#started].map((started) => started.stop()));
  }
}

export const running = new Running();

export function interrupted(): EnvironmentError {
  return new EnvironmentError('run/interrupted', 'interrupted: what ran was stopped, and nothing was judged');
}

/** What a shell reports for a program that a signal ended. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** An engine that no longer answers must not keep anybody from leaving. */
const patienceMs = 10_000;
let isHandling = false;

/**
 * From now on, Ctrl-C and its like end what runs in the lab before this process leaves; a second one leaves at once.
 * Without it they would end this process alone, and what it started in containers would run on.
 */
export function stopOnSignals(): void {
  if (isHandling) return;
  isHandling = true;
  for (const [signal, exitCode] of Object.entries(exitCodes)) {
    let isStopping = false;
    process.on(signal, () => {
      if (isStopping) process.exit(exitCode);
      isStopping = true;
      const { count } = running;
      process.stderr.write(`outpost: interrupted (${signal})${count === 0 ? '' : ': stopping what runs in the lab'}\n`);
      setTimeout(() => process.exit(exitCode), patienceMs).unref();
      void running.interrupt().finally(() => process.exit(exitCode));
    });
  }
}
