import type { CommandResult } from '../../docker/types.ts';
import { NetworkError } from '../../net/network-error.ts';
import type { Errno } from '../../net/types.ts';

export function output(stdout: string, exitCode = 0): CommandResult {
  return { stdout, stderr: '', exitCode };
}

export function failure(stderr: string, exitCode = 1): CommandResult {
  return { stdout: '', stderr, exitCode };
}

/** Ends a command from anywhere in it with what it would print; {@link command} turns it into the result. */
export class CommandFailure extends Error {
  readonly result: CommandResult;

  constructor(stderr: string, exitCode = 1, stdout = '') {
    super(stderr);
    this.result = { stdout, stderr, exitCode };
  }
}

/** Runs the body of a command; a {@link CommandFailure} thrown in it is its result, any other error a bug of ours. */
export function run(body: () => CommandResult): CommandResult {
  try {
    return body();
  } catch (error) {
    if (error instanceof CommandFailure) return error.result;
    throw error;
  }
}

/** What the network layer has refused, with the kernel's own sentence where it gave one; undefined for any other error. */
export function errnoOf(error: unknown): { readonly errno: Errno; readonly detail: string | undefined } | undefined {
  return error instanceof NetworkError ? { errno: error.errno, detail: error.detail } : undefined;
}
