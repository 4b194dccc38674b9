import type { SimulatedClock } from '../clock/clock.ts';
import type { CommandContext, CommandResult, Container, ShellSession } from '../docker/types.ts';
import type { ShellProcess } from './shell-process.ts';
import type { Surroundings } from './surroundings.ts';

/** Variables of just-bash's own that must not leak from one script into the next. */
const shellOnly = new Set(['?', 'SHELLOPTS', 'BASHOPTS', 'OPTIND', '_', 'PIPESTATUS', 'LINENO', 'SECONDS']);

/** Options that `set` leaves on for later scripts of a session. */
const keptOptions = ['errexit', 'nounset', 'pipefail', 'xtrace', 'noglob', 'noclobber', 'verbose', 'allexport'];

/** What a session needs of the shell. */
export interface ScriptRunner {
  readonly clock: SimulatedClock;
  simple(script: string, around: Surroundings): Promise<CommandResult | undefined>;
  script(
    script: string,
    around: Surroundings,
    args: readonly string[],
  ): Promise<{ readonly result: CommandResult; readonly env: Readonly<Record<string, string>> }>;
  functionsOf(script: string): Promise<ReadonlyMap<string, string>>;
  startSession(container: Container): ShellProcess;
}

/** A shell that somebody types scripts into, one after the other. */
export class Session implements ShellSession {
  readonly #shell: ScriptRunner;
  readonly #container: Container;
  readonly #functions = new Map<string, string>();
  readonly #env: Map<string, string>;
  #process: ShellProcess | undefined;
  #options: readonly string[] = [];
  #lastStatus = 0;
  #cwd: string;

  constructor(shell: ScriptRunner, container: Container, env: Map<string, string>, cwd: string) {
    this.#shell = shell;
    this.#container = container;
    this.#env = env;
    this.#cwd = cwd;
  }

  get cwd(): string {
    return this.#cwd;
  }

  get env(): ReadonlyMap<string, string> {
    return this.#env;
  }

  async run(
    script: string,
    options: {
      readonly stdin?: string;
      readonly isTerminal?: boolean;
      readonly isWhole?: boolean;
      readonly ask?: NonNullable<CommandContext['ask']>;
    } = {},
  ): Promise<CommandResult> {
    // after `kill -9 $$` the person opens another one
    if (this.#process === undefined || this.#process.death !== undefined) this.#process = this.#shell.startSession(this.#container);
    const around: Surroundings = {
      container: this.#container,
      process: this.#process,
      env: this.#env,
      cwd: this.#cwd,
      stdin: options.stdin ?? '',
      hasStdin: options.stdin !== undefined,
      isTerminal: options.isTerminal ?? false,
      isInteractive: options.isTerminal === true && options.isWhole !== true,
      clock: this.#shell.clock,
      ...(options.ask === undefined ? {} : { ask: options.ask }),
    };
    if (this.#options.length === 0 && this.#functions.size === 0 && ![...this.#env.keys()].some((name) => name.startsWith('BASH_ALIAS_'))) {
      const quick = await this.#shell.simple(script, around);
      if (quick !== undefined) {
        this.#lastStatus = quick.exitCode;
        return quick;
      }
    }
    const hasAliases = [...this.#env.keys()].some((name) => name.startsWith('BASH_ALIAS_'));
    const before = [
      // a terminal's shell is interactive
      ...(hasAliases ? ['shopt -s expand_aliases'] : []),
      ...this.#functions.values(),
      ...(this.#options.length > 0 ? [`set ${this.#options.map((name) => `-o ${name}`).join(' ')}`] : []),
    ];
    if (this.#lastStatus !== 0 && script.includes('$?')) before.push(`(exit ${this.#lastStatus})`);
    // set -e must not see the status of the script before
    const whole = [...before.sort((a, b) => Number(a.startsWith('set ')) - Number(b.startsWith('set '))), script].join('\n');
    const { result, env } = await this.#shell.script(whole, around, []);
    for (const name of [...this.#env.keys()]) if (!(name in env)) this.#env.delete(name);
    for (const [name, value] of Object.entries(env)) if (!shellOnly.has(name)) this.#env.set(name, value);
    this.#cwd = env.PWD ?? this.#cwd;
    this.#options = (env.SHELLOPTS ?? '').split(':').filter((name) => keptOptions.includes(name));
    for (const [name, text] of await this.#shell.functionsOf(script)) this.#functions.set(name, text);
    this.#lastStatus = result.exitCode;
    return result;
  }
}
