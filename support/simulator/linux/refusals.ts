import type { CommandResult } from '../docker/types.ts';

/** The container's runtime refuses before anything runs (runc; docker 28 exits with 127). */
export function notFound(word: string): CommandResult {
  const reason = word.includes('/') ? `stat ${word}: no such file or directory` : `exec: "${word}": executable file not found in $PATH`;
  const text = word.includes('/') ? `exec: "${word}": ${reason}` : reason;
  return { stdout: '', stderr: `${runtimeFailure} unable to start container process: ${text}: unknown\n`, exitCode: 127 };
}

export function permissionDenied(word: string): CommandResult {
  return {
    stdout: '',
    stderr: `${runtimeFailure} unable to start container process: exec: "${word}": is a directory: permission denied: unknown\n`,
    exitCode: 126,
  };
}

/** How every refusal of the runtime begins: the program has not run. */
const runtimeFailure = 'OCI runtime exec failed: exec failed:';
