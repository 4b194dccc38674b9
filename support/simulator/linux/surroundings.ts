import type { ResolvedCommandContext } from 'just-bash';
import type { SimulatedClock } from '../clock/clock.ts';
import type { CommandContext, Container } from '../docker/types.ts';
import type { JustBash } from './load-library.ts';
import type { ShellProcess } from './shell-process.ts';

/** Everything that holds for one run of a program, whether it came from `docker exec` or from within a script. */
export interface Surroundings {
  readonly container: Container;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly stdin: string;
  readonly hasStdin: boolean;
  readonly isTerminal: boolean;
  /** Somebody types one script after the other: the shell does not end with this one. */
  readonly isInteractive?: boolean;
  readonly clock: SimulatedClock;
  readonly ask?: CommandContext['ask'];
  /** The shell that runs it; none where the runtime has started it. */
  readonly parent?: ShellProcess | undefined;
  /** The session's shell, for its own scripts only. */
  readonly process?: ShellProcess | undefined;
  /** A shell's own command line, as `ps` shows it. */
  readonly commandLine?: string | undefined;
  /** A tool of just-bash's to be run as it is, though there is one of ours over it. */
  readonly builtin?: string;
}

/** Those of a command in a script: its own variables, folder and input. */
export function surroundingsOf(library: JustBash, context: ResolvedCommandContext, around: Surroundings): Surroundings {
  const piped = library.decodeBytesToUtf8(context.stdin);
  return {
    ...around,
    env: new Map(Object.entries(context.exportedEnv ?? {})),
    cwd: context.cwd,
    stdin: piped,
    hasStdin: piped !== '' || around.hasStdin,
  };
}
