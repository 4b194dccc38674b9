import type { ExecOptions, ExecResult, Lab } from '../port/lab.ts';
import { EnvironmentError, ToolRefusal } from '../verdict/errors.ts';
import { budgets } from '../waiting/budgets.ts';

/** A command of a reader: where it runs, and its words. */
export interface Command {
  readonly argv: readonly string[];
  /** A container; absent: the lab host. */
  readonly container?: string;
  readonly stdin?: string;
}

/** Runs a command in the lab. @throws EnvironmentError when its program is not there or gives no answer in time */
export async function run(lab: Lab, command: Command, timeoutMs: number = budgets.commandMs): Promise<ExecResult> {
  const options: ExecOptions = command.stdin === undefined ? { timeoutMs } : { timeoutMs, stdin: command.stdin };
  const result =
    command.container === undefined ? await lab.exec(command.argv, options) : await lab.execIn(command.container, command.argv, options);
  // 126 and 127 are the shell's and docker's codes for a program that cannot be run or is not there.
  if (result.exitCode === 126 || result.exitCode === 127) {
    throw new EnvironmentError('tool/missing', `${command.argv[0]} cannot be run ${where(command)}: ${lastLine(result)}`, {
      fix: 'outpost doctor',
    });
  }
  return result;
}

/**
 * A tool reached the lab, and the lab's own part refused: agents that crash, a routing daemon that does not run. That is a state
 * of the lab, which a step may wait out and then judges.
 */
export function toolRefused(result: ExecResult, hint?: string): ToolRefusal {
  return new ToolRefusal(
    'tool/refused',
    `${formatArgv(result.argv)} ended with exit status ${result.exitCode}: ${lastLine(result)}`,
    hint === undefined ? {} : { hint },
  );
}

/** A tool ended with an error that says nothing about the state of the lab. */
export function toolFailed(result: ExecResult, hint?: string): EnvironmentError {
  return new EnvironmentError(
    'tool/failed',
    `${formatArgv(result.argv)} ended with exit status ${result.exitCode}: ${lastLine(result)}`,
    hint === undefined ? {} : { hint },
  );
}

/** What a person would have typed on the lab host. */
export function formatCommand(command: { argv: readonly string[]; container?: string | undefined }): string {
  const prefix = command.container === undefined ? [] : ['docker', 'exec', command.container];
  return formatArgv([...prefix, ...command.argv]);
}

function formatArgv(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./[\]{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

/** The last line that a program printed, its error output first. */
export function lastLine(result: ExecResult): string {
  const lines = (result.stderr.trim() || result.stdout.trim()).split('\n');
  return lines.at(-1)?.trim() || '(no output)';
}

function where(command: Command): string {
  return command.container === undefined ? 'on the lab host' : `in ${command.container}`;
}
