import type { Bash, BashOptions, CommandName, ResolvedCommandContext } from 'just-bash';
import type { SimulatedClock } from '../clock/clock.ts';
import { EngineError } from '../docker/engine-error.ts';
import { resolvePath } from '../docker/file-system.ts';
import type { CommandContext, CommandResult, Container, DockerEngine, ExecOptions, Shell, ShellSession } from '../docker/types.ts';
import { findsCommands } from './command-paths.ts';
import { ContainerFileSystem } from './container-fs.ts';
import { DeadlinePassed } from './deadline-clock.ts';
import { lightCommand } from './light-commands.ts';
import { commandNames, findCommand, hasBuiltin, programName } from './programs.ts';
import { parseSimpleScript } from './simple-script.ts';
import { splitsCommand } from './split-command.ts';

/** Everything that holds for one run of a program, whether it came from `docker exec` or from within a script. */
interface Surroundings {
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
  /** A tool of just-bash's to be run as it is, though there is one of ours over it. */
  readonly builtin?: string;
}

/** What comes up while a script runs. */
interface RunState {
  /** A bug of ours, or a deadline that has passed. */
  error?: unknown;
  /** `trap … EXIT`. */
  onExit?: string;
}

/** bash's trap: signals other than the shell's own end do not come here. */
function trap(args: readonly string[], state: RunState): CommandResult {
  const words = args[0] === '--' ? args.slice(1) : [...args];
  if (words.length === 0 || words[0] === '-p') {
    const shown = state.onExit === undefined ? '' : `trap -- '${state.onExit.replaceAll("'", "'\\''")}' EXIT\n`;
    return { stdout: shown, stderr: '', exitCode: 0 };
  }
  const [action = '', ...signals] = words.length === 1 ? ['-', ...words] : words;
  for (const signal of signals) {
    const name = signal.toUpperCase().replace(/^SIG/, '');
    if (['ERR', 'DEBUG', 'RETURN'].includes(name)) return { stdout: '', stderr: `bash: trap: not simulated: ${name}\n`, exitCode: 1 };
    if (!/^(?:\d+|EXIT|HUP|INT|QUIT|TERM|KILL|USR[12]|PIPE|ALRM|CHLD|CONT|STOP|TSTP|WINCH)$/.test(name))
      return { stdout: '', stderr: `bash: trap: ${signal}: invalid signal specification\n`, exitCode: 1 };
    if (name !== 'EXIT' && name !== '0') continue;
    if (action === '-' || action === '') delete state.onExit;
    else state.onExit = action;
  }
  return { stdout: '', stderr: '', exitCode: 0 };
}

type JustBash = typeof import('just-bash');

/** Variables of just-bash's own that must not leak from one script into the next. */
const shellOnly = new Set(['?', 'SHELLOPTS', 'BASHOPTS', 'OPTIND', '_', 'PIPESTATUS', 'LINENO', 'SECONDS']);

/** Stands in a script's output where its time was up. */
const deadlineMark = '\0deadline\0';

/** Tools of ours that hand on to just-bash's: needed only where a script says what that one does not understand. */
const rarelyOurs: Readonly<Record<string, RegExp>> = {
  awk: /-[Fv]|\$\{?\w*(?:awk|FS)/i,
  sed: /-[nErs]*i[^\s-]|--in-place=/,
};

/** Options that `set` leaves on for later scripts of a session. */
const keptOptions = ['errexit', 'nounset', 'pipefail', 'xtrace', 'noglob', 'noclobber', 'verbose', 'allexport'];

class LinuxShell implements Shell {
  readonly #engine: DockerEngine;
  #library: JustBash | undefined;
  #builtins: ReadonlySet<string> = new Set();

  constructor(engine: DockerEngine) {
    this.#engine = engine;
  }

  get clock(): SimulatedClock {
    return this.#engine.clock;
  }

  async exec(container: Container, argv: readonly string[], options: ExecOptions = {}): Promise<CommandResult> {
    if (container.state === 'paused')
      throw new EngineError(409, `container ${container.name} is paused, unpause the container before exec`);
    if (container.state === 'restarting')
      throw new EngineError(409, `container ${container.id} is restarting, wait until the container is running`);
    if (container.state !== 'running') throw new EngineError(409, `container ${container.id} is not running`);
    const env = new Map(container.env);
    if (options.user !== undefined && options.user !== '' && options.user !== 'root' && options.user !== '0') env.set('USER', options.user);
    for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, value);
    return this.run(argv, {
      container,
      env,
      cwd: options.cwd ?? container.options.workingDirectory ?? '/',
      stdin: options.stdin ?? '',
      hasStdin: options.stdin !== undefined,
      isTerminal: options.isTerminal ?? false,
      clock: options.clock ?? this.#engine.clock,
    });
  }

  open(container: Container, options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {}): ShellSession {
    const env = new Map(container.env);
    for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, value);
    return new Session(this, container, env, options.cwd ?? container.options.workingDirectory ?? env.get('HOME') ?? '/');
  }

  /** Runs one program, found on the container's PATH. */
  async run(argv: readonly string[], around: Surroundings): Promise<CommandResult> {
    const [word = '', ...args] = argv;
    const { container } = around;
    // `usr/sbin/ip` is a path too, from the folder that the process is in.
    const name = programName(word.includes('/') ? resolvePath(around.cwd, word) : word);
    const command =
      (around.builtin === name ? undefined : findCommand(this.#engine, container, name)) ??
      (name === word || word.includes('bin/') ? lightCommand(name, args) : undefined);
    if (command !== undefined) return command(args, this.#contextOf(around));
    if (name === 'sh' || name === 'bash' || name === 'ash' || name === 'dash') {
      if (container.image.shell === undefined || (name === 'bash' && container.image.shell !== 'bash')) return notFound(word);
      return this.#runShell(name, args, around);
    }
    if (word.includes('/')) {
      const path = resolvePath(around.cwd, word);
      const script = container.files.read(path);
      if (script !== undefined) return this.script(withParameters(script, [word, ...args]), around, []).then((run) => run.result);
      if (container.files.isDirectory(path)) return permissionDenied(word);
    }
    if (container.image.shell === undefined || name.includes('/')) return notFound(word);
    await this.#load();
    if (!this.#builtins.has(name) || !hasBuiltin(container, name)) return notFound(word);
    return this.script(`'${name}'`, around, args).then((run) => run.result);
  }

  async #runShell(name: string, args: readonly string[], outer: Surroundings): Promise<CommandResult> {
    const around = { ...outer, isInteractive: false };
    const options: string[] = [];
    let index = 0;
    let script: string | undefined;
    for (; index < args.length; index++) {
      const word = args[index] as string;
      if (!/^[-+]./.test(word)) break;
      if (word === '--') {
        index++;
        break;
      }
      if (word.startsWith('--')) {
        if (word === '--version') return { stdout: 'GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\n', stderr: '', exitCode: 0 };
        continue;
      }
      const letters = [...word.slice(1)];
      for (const letter of letters) if ('euxvf'.includes(letter)) options.push(`set ${word[0]}${letter}`);
      if (letters.includes('o')) options.push(`set ${word[0]}o ${args[++index] ?? ''}`);
      if (word.startsWith('-') && letters.includes('c')) {
        script = args[++index];
        if (script === undefined) return { stdout: '', stderr: `${name}: -c: option requires an argument\n`, exitCode: 2 };
        index++;
        break;
      }
    }
    const rest = args.slice(index);
    let parameters = rest;
    if (script === undefined && rest[0] !== undefined) {
      script = around.container.files.read(resolvePath(around.cwd, rest[0]));
      if (script === undefined) return { stdout: '', stderr: `${name}: ${rest[0]}: No such file or directory\n`, exitCode: 127 };
    } else if (script === undefined) {
      if (!around.hasStdin) {
        return around.isTerminal
          ? { stdout: '', stderr: `${name}: not simulated: an interactive shell inside a command; use ${name} -c 'COMMAND'\n`, exitCode: 1 }
          : { stdout: '', stderr: '', exitCode: 0 };
      }
      script = around.stdin;
      parameters = [];
      return this.script([...options, script].join('\n'), { ...around, stdin: '', hasStdin: false }, []).then((run) => run.result);
    }
    if (options.length === 0) {
      const quick = await this.simple(script, around);
      if (quick !== undefined) return quick;
    }
    const whole = [
      ...options,
      parameters.length > 1 || (parameters.length === 1 && /\$0/.test(script)) ? withParameters(script, parameters) : script,
    ].join('\n');
    return this.script(whole, around, []).then((run) => run.result);
  }

  /** A script of plain commands that are all ours needs no shell. Undefined: it does. */
  async simple(script: string, around: Surroundings): Promise<CommandResult | undefined> {
    const commands = parseSimpleScript(script);
    if (commands === undefined) return undefined;
    const isOurs = ({ argv: [word = '', ...args] }: { readonly argv: readonly string[] }): boolean =>
      word !== 'trap' &&
      (findCommand(this.#engine, around.container, programName(word)) !== undefined || lightCommand(word, args) !== undefined);
    if (!commands.every(isOurs)) return undefined;
    let stdout = '';
    let stderr = '';
    let exitCode = 0;
    for (const { argv, after } of commands) {
      if ((after === 'success' && exitCode !== 0) || (after === 'failure' && exitCode === 0)) continue;
      const result = await this.run(argv, around).catch((error: unknown) => {
        if (error instanceof DeadlinePassed) {
          error.stdout = stdout + error.stdout;
          error.stderr = stderr + error.stderr;
        }
        throw error;
      });
      stdout += result.stdout;
      stderr += result.stderr;
      exitCode = result.exitCode;
    }
    return { stdout, stderr, exitCode };
  }

  /** Runs a script in just-bash, with our commands in place of programs. */
  async script(
    script: string,
    around: Surroundings,
    args: readonly string[],
  ): Promise<{ readonly result: CommandResult; readonly env: Readonly<Record<string, string>> }> {
    const library = await this.#load();
    const bug: RunState = {};
    const bash = this.#newBash(library, around, bug, script);
    const splitting = splitsCommand(script);
    if (splitting !== undefined) bash.registerTransformPlugin(splitting);
    const finding = findsCommands(script);
    if (finding !== undefined) bash.registerTransformPlugin(finding);
    const first = await bash.exec(seededRandom(script), {
      rawScript: true,
      stdin: around.stdin,
      cwd: around.cwd,
      ...(args.length > 0 ? { args: [...args] } : {}),
    });
    const run = bug.onExit === undefined || around.isInteractive === true ? first : await this.#leave(bash, first, bug.onExit);
    // an error in one of our commands is a bug, or a deadline; the shell must not turn it into a line of text
    if (bug.error instanceof DeadlinePassed) {
      // the shell went on behind the deadline, in no time: what it printed by then counts
      const end = run.stdout.indexOf(deadlineMark);
      bug.error.stdout = end < 0 ? '' : run.stdout.slice(0, end);
      const endOfErrors = run.stderr.indexOf(deadlineMark);
      bug.error.stderr = endOfErrors < 0 ? '' : run.stderr.slice(0, endOfErrors);
    }
    if ('error' in bug) throw bug.error;
    // just-bash tells of its own builds what it leaves out; here such a program is simply not installed
    const stderr = run.stderr
      .replace(/command not available in browser environments\. Exclude [^\n]*/g, 'command not found')
      .replace(/^ls: (?!cannot )(.*): No such file or directory$/gm, "ls: cannot access '$1': No such file or directory");
    const waited = inBackground(library, script);
    const remark =
      waited === undefined ? '' : `bash: not simulated: processes in the background; what follows '${waited}' began when it had ended\n`;
    return { result: { stdout: run.stdout, stderr: `${remark}${stderr}`, exitCode: run.exitCode }, env: run.env };
  }

  /** `trap … EXIT`: the action sees the variables of the script, and its status if it does not exit with one of its own. */
  async #leave(bash: Bash, before: Awaited<ReturnType<Bash['exec']>>, action: string): Promise<Awaited<ReturnType<Bash['exec']>>> {
    const script = `(exit ${before.exitCode})\n${action}`;
    const after = await bash.exec(script, { rawScript: true, env: { ...before.env }, cwd: before.env['PWD'] ?? '/' });
    const exits = /\bexit\b/.test(action);
    return {
      ...before,
      stdout: before.stdout + after.stdout,
      stderr: before.stderr + after.stderr,
      exitCode: exits ? after.exitCode : before.exitCode,
    };
  }

  #newBash(library: JustBash, around: Surroundings, bug: RunState, script: string): Bash {
    const { container } = around;
    const names = commandNames(this.#engine, container).filter(
      (name) => name !== around.builtin && rarelyOurs[name]?.test(script) !== false,
    );
    const builtins = [...this.#builtins].filter((name) => hasBuiltin(container, name)) as CommandName[];
    const options: BashOptions = {
      fs: new ContainerFileSystem(
        container.files,
        () => [...names, ...builtins],
        () => this.#engine.clock.now(),
      ),
      env: { ...Object.fromEntries(around.env), PWD: around.cwd },
      cwd: around.cwd,
      commands: builtins,
      defenseInDepth: false,
      sleep: async (ms) => around.clock.advance(ms),
      processInfo: { pid: container.pid, ppid: 0, uid: 0, gid: 0 },
      // just-bash's own `bash` runs inside of the script: a trap in it would be the script's.
      customCommands: [...names, ...(/\btrap\b/.test(script) ? ['bash', 'sh'] : [])].map((name) =>
        this.#custom(library, name, around, bug),
      ),
    };
    return new library.Bash(options);
  }

  #custom(library: JustBash, name: string, around: Surroundings, bug: RunState): ReturnType<JustBash['defineCommand']> {
    return library.defineCommand(name, async (args, context) => {
      if ('error' in bug) return { stdout: '', stderr: '', exitCode: 1 };
      if (name === 'trap') return trap(args, bug);
      const { files } = around.container;
      // What a process substitution made is a file of the shell's own.
      const substituted = args.filter((arg) => /^\/dev\/fd\/\d+$/.test(arg) && files.read(arg) === undefined);
      for (const path of substituted) files.write(path, await context.fs.readFile(path).catch(() => ''));
      try {
        return await this.run([name, ...args], surroundingsOf(library, context, around));
      } catch (error) {
        if (error instanceof EngineError) return { stdout: '', stderr: `${error.message}\n`, exitCode: 1 };
        bug.error = error;
        if (!(error instanceof DeadlinePassed)) return { stdout: '', stderr: '', exitCode: 1 };
        return { stdout: `${error.stdout}${deadlineMark}`, stderr: `${error.stderr}${deadlineMark}`, exitCode: 1 };
      } finally {
        for (const path of substituted) files.remove(path);
      }
    });
  }

  #contextOf(around: Surroundings): CommandContext {
    return {
      container: around.container,
      clock: around.clock,
      files: around.container.files,
      stdin: around.stdin,
      hasStdin: around.hasStdin,
      isTerminal: around.isTerminal,
      env: around.env,
      cwd: around.cwd,
      // Whoever reads from a pipe or a file does not hear the person at the terminal.
      ...(around.ask === undefined || around.hasStdin ? {} : { ask: around.ask }),
      run: (argv, options) =>
        this.run(argv, {
          ...around,
          ...(options?.stdin === undefined ? { stdin: '', hasStdin: false } : { stdin: options.stdin, hasStdin: true }),
          ...(options?.clock === undefined ? {} : { clock: options.clock }),
          ...(options?.isBuiltin === true ? { builtin: argv[0] ?? '' } : {}),
        }),
    };
  }

  /** just-bash takes a tenth of a second to load: only scripts pay for it. */
  async #load(): Promise<JustBash> {
    if (this.#library === undefined) {
      this.#library = await import('just-bash');
      this.#builtins = new Set<string>(this.#library.getCommandNames());
    }
    return this.#library;
  }

  /** Function definitions of a script, to be given to the next one of the session. */
  async functionsOf(script: string): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    if (!/\(\s*\)|\bfunction\b/.test(script)) return found;
    const library = await this.#load();
    try {
      const tree = library.parse(script);
      for (const statement of tree.statements) {
        const [pipeline, ...others] = statement.pipelines;
        const [command] = pipeline?.commands ?? [];
        if (others.length > 0 || command?.type !== 'FunctionDef') continue;
        found.set(command.name, library.serialize({ ...tree, statements: [statement] }));
      }
    } catch {
      // a script that does not parse defines nothing; its run has said so
    }
    return found;
  }
}

/** The first command of a script that a real shell would not wait for; undefined when there is none. */
function inBackground(library: JustBash, script: string): string | undefined {
  if (!/(?<![&<>|\\\d])&(?![&>])/.test(script)) return undefined;
  try {
    const tree = library.parse(script);
    const found = tree.statements.find(({ background }) => background);
    return found === undefined ? undefined : library.serialize({ ...tree, statements: [found] }).trim();
  } catch {
    return undefined;
  }
}

function surroundingsOf(library: JustBash, context: ResolvedCommandContext, around: Surroundings): Surroundings {
  const piped = library.decodeBytesToUtf8(context.stdin);
  return {
    ...around,
    env: new Map(Object.entries(context.exportedEnv ?? {})),
    cwd: context.cwd,
    stdin: piped,
    hasStdin: piped !== '' || around.hasStdin,
  };
}

class Session implements ShellSession {
  readonly #shell: LinuxShell;
  readonly #container: Container;
  readonly #functions = new Map<string, string>();
  readonly #env: Map<string, string>;
  #options: readonly string[] = [];
  #lastStatus = 0;
  #cwd: string;

  constructor(shell: LinuxShell, container: Container, env: Map<string, string>, cwd: string) {
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
    const around: Surroundings = {
      container: this.#container,
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

/** The container's runtime refuses before anything runs (runc; docker 28 exits with 127). */
function notFound(word: string): CommandResult {
  const reason = word.includes('/') ? `stat ${word}: no such file or directory` : `exec: "${word}": executable file not found in $PATH`;
  const text = word.includes('/') ? `exec: "${word}": ${reason}` : reason;
  return { stdout: '', stderr: `${runtimeFailure} unable to start container process: ${text}: unknown\n`, exitCode: 127 };
}

function permissionDenied(word: string): CommandResult {
  return {
    stdout: '',
    stderr: `${runtimeFailure} unable to start container process: exec: "${word}": is a directory: permission denied: unknown\n`,
    exitCode: 126,
  };
}

/** How every refusal of the runtime begins: the program has not run. */
export const runtimeFailure = 'OCI runtime exec failed: exec failed:';

/** `set --` for a script with arguments; just-bash has no `$0` of its own, so it is filled in. */
function withParameters(script: string, [zero = 'sh', ...parameters]: readonly string[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  return `set -- ${parameters.map(quote).join(' ')}\n${script.replace(/^#![^\n]*\n/, '').replace(/\$0\b/g, () => zero)}`;
}

/** `$RANDOM` of just-bash has no seed: draw it from ours. */
function seededRandom(script: string): string {
  return script.replace(/\$(?:RANDOM\b|\{RANDOM\})/g, '$(simulated-random)').replace(/\bRANDOM(?=\s*[%+*/-])/g, '$(simulated-random)');
}

/**
 * Runs programs in containers. Commands of ours run directly; anything that needs a shell or a text tool loads
 * just-bash, with our commands registered in it, on the container's own files and on virtual time.
 */
export function createShell(engine: DockerEngine): Shell {
  return new LinuxShell(engine);
}
