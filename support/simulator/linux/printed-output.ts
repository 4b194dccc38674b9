import type { BashExecResult, BashLogger } from 'just-bash';
import { hasRawBytes } from '../docker/byte-text.ts';

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Hears what just-bash's runs print, before it takes letters of Latin-1 in it for bytes of UTF-8. */
export class PrintedOutput {
  #printed: Output | undefined;

  /** It tells what a run printed, then that it ended; runs within a run come first. */
  readonly logger: BashLogger;

  constructor() {
    let stdout = '';
    let stderr = '';
    this.logger = {
      debug: (kind, { output } = {}) => {
        if (kind === 'stdout') stdout = String(output);
      },
      info: (kind, { output } = {}) => {
        if (kind === 'stderr') stderr = String(output);
        if (kind !== 'exit') return;
        this.#printed = { stdout, stderr };
        stdout = '';
        stderr = '';
      },
    };
  }

  async of(exec: () => Promise<BashExecResult>): Promise<BashExecResult> {
    this.#printed = undefined;
    const result = await exec();
    const printed = this.#printed as Output | undefined;
    if (printed === undefined) return result;
    return { ...result, stdout: chosen(result.stdout, printed.stdout), stderr: chosen(result.stderr, printed.stderr) };
  }
}

/** Where it is UTF-8 the guess is right (bytes that came into a variable); where it is not, letters are what was meant. */
function chosen(guess: string, printed: string): string {
  return guess !== printed && hasRawBytes(guess) ? printed : guess;
}
