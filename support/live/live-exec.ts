import type { ExecOptions, ExecResult } from '../port/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';

export type Output = Pick<ExecResult, 'stdout' | 'stderr' | 'bytes' | 'exitCode'>;

export interface LiveExecOptions extends ExecOptions {
  /** More than this from one program is no answer: 16 MiB, unless said otherwise. */
  readonly maxOutputBytes?: number;
}

/** Far above any answer of the tools of a lab, far below what would hurt this process. */
export const defaultMaxOutputBytes = 16 * 1024 * 1024;

/** Keeps what a program prints, up to a limit that both of its streams share. */
export class OutputBuffer {
  readonly #chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  readonly #limit: number;
  readonly #onFull: () => void;
  #size = 0;

  constructor(limit: number, onFull: () => void) {
    this.#limit = limit;
    this.#onFull = onFull;
  }

  add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    const wasFull = this.#size > this.#limit;
    this.#size += chunk.length;
    if (wasFull) return;
    this.#chunks[stream].push(chunk);
    if (this.#size > this.#limit) this.#onFull();
  }

  bytes(stream: 'stdout' | 'stderr'): Buffer {
    return Buffer.concat(this.#chunks[stream]);
  }
}

const seconds = (milliseconds: number) => `${milliseconds / 1000} s`;
const placed = (container: string | undefined) => (container === undefined ? '' : ` in ${container}`);

export function tooLate(program: string, container: string | undefined, timeoutMs: number, last: string): EnvironmentError {
  return new EnvironmentError('exec/timeout', `${program} gave no answer${placed(container)} in ${seconds(timeoutMs)}`, {
    hint: last === '' ? 'it printed nothing, and was stopped; the lab may still be starting' : `it was stopped; its last line: ${last}`,
    fix: container === undefined ? 'outpost doctor' : `docker top ${container}`,
  });
}

export function tooMuch(program: string, container: string | undefined, limit: number): EnvironmentError {
  return new EnvironmentError(
    'exec/output-limit',
    `${program} printed more than ${Math.round((limit / 1024 / 1024) * 10) / 10} MiB${placed(container)} and was stopped`,
    { hint: 'a command of a check ends by itself; one that follows a log, or prints for ever, does not' },
  );
}

/** The last line of a text that says something. */
export function lastSaid(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .at(-1) ?? ''
  );
}
