import type { Bash, BashExecResult, BashOptions, CommandName } from 'just-bash';
import type { SimulatedClock } from '../clock/clock.ts';
import { EngineError } from '../docker/engine-error.ts';
import { resolvePath } from '../docker/file-system.ts';
import type { CommandContext, CommandResult, Container, DockerEngine, ExecOptions, Shell, ShellSession } from '../docker/types.ts';
import { mayEscapeBytes, unescapeQuoted, unescapeWords } from './byte-escapes.ts';
import { findsCommands } from './command-paths.ts';
import { ContainerFileSystem } from './container-fs.ts';
import { DeadlinePassed } from './deadline-clock.ts';
import { hearsSignals, maySignal, signalCommand, signalCommands } from './hears-signals.ts';
import { lightCommand } from './light-commands.ts';
import { type JustBash, loadLibrary } from './load-library.ts';
import { PrintedOutput } from './printed-output.ts';
import { commandNames, findCommand, hasBuiltin, programName } from './programs.ts';
import { decodeRead, mayRead, readCommand, readsText } from './reads-text.ts';
import { notFound, permissionDenied } from './refusals.ts';
import { inBackground, seededRandom, withParameters } from './script-text.ts';
import { type ScriptRunner, Session } from './session.ts';
import { deathOf, ShellProcess } from './shell-process.ts';
import { signalNumber } from './signals.ts';
import { parseSimpleScript } from './simple-script.ts';
import { splitsCommand } from './split-command.ts';
import { type Surroundings, surroundingsOf } from './surroundings.ts';

/** What comes up while a script runs. */
interface RunState {
  /** A bug of ours, or a deadline that has passed. */
  error?: unknown;
  readonly process: ShellProcess;
  readonly output: PrintedOutput;
}

/** Stands in a script's output where its time was up. */
const deadlineMark = '\0deadline\0';

/** Tools of ours that hand on to just-bash's: needed only where a script says what that one does not understand. */
const rarelyOurs: Readonly<Record<string, RegExp>> = {
  awk: /-[Fv]|\$\{?\w*(?:awk|FS)/i,
  sed: /-[nErs]*i[^\s-]|--in-place=/,
};

class LinuxShell implements Shell, ScriptRunner {
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
  async run(argv: readonly string[], from: Surroundings): Promise<CommandResult> {
    const [word = '', ...args] = argv;
    const around = { ...from, process: undefined, commandLine: argv.join(' ') };
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
      if (script !== undefined)
        return this.script(withParameters(script, [word, ...args]), { ...around, commandLine: `/bin/sh ${argv.join(' ')}` }, []).then(
          (run) => run.result,
        );
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
    // of a single command no shell is left: it takes the process
    if (commands.length === 1) return this.run(commands[0]?.argv ?? [], around);
    const process = this.#start(around, '');
    let stdout = '';
    let stderr = '';
    let exitCode = 0;
    for (const { argv, after } of commands) {
      if ((after === 'success' && exitCode !== 0) || (after === 'failure' && exitCode === 0)) continue;
      const result = await this.run(argv, { ...around, parent: process }).catch((error: unknown) => {
        process.end({ stdout, stderr, exitCode });
        if (error instanceof DeadlinePassed) {
          error.stdout = stdout + error.stdout;
          error.stderr = stderr + error.stderr;
        }
        throw error;
      });
      stdout += result.stdout;
      stderr += result.stderr;
      exitCode = result.exitCode;
      const death = process.settle();
      if (death !== undefined) {
        exitCode = 128 + signalNumber(death.signal);
        break;
      }
    }
    return process.end({ stdout, stderr, exitCode });
  }

  #start(around: Surroundings, script: string): ShellProcess {
    const { container, commandLine = container.image.shell ?? 'bash', parent } = around;
    if (around.process !== undefined) return around.process.begin(around.isInteractive === true, script);
    return new ShellProcess({
      container,
      command: commandLine,
      isBash: container.image.shell === 'bash' && !/^(?:sh|dash|ash)\b/.test(commandLine),
      isInteractive: around.isInteractive === true,
      parent,
      script,
    });
  }

  /** Runs a script in just-bash, with our commands in place of programs. */
  async script(
    script: string,
    around: Surroundings,
    args: readonly string[],
  ): Promise<{ readonly result: CommandResult; readonly env: Readonly<Record<string, string>> }> {
    const library = await this.#load();
    const bug: RunState = { process: this.#start(around, script), output: new PrintedOutput() };
    const { process } = bug;
    try {
      const { result, env } = await this.#play(library, script, around, args, bug);
      return { result: process.end(result), env };
    } catch (error) {
      process.end({ stdout: '', stderr: '', exitCode: 1 });
      throw error;
    }
  }

  async #play(
    library: JustBash,
    script: string,
    around: Surroundings,
    args: readonly string[],
    bug: RunState,
  ): Promise<{ readonly result: CommandResult; readonly env: Readonly<Record<string, string>> }> {
    const { process } = bug;
    const bash = this.#newBash(library, around, bug, script);
    const splitting = splitsCommand(script);
    if (splitting !== undefined) bash.registerTransformPlugin(splitting);
    const finding = findsCommands(script);
    if (finding !== undefined) bash.registerTransformPlugin(finding);
    const reading = readsText(library, script);
    if (reading !== undefined) bash.registerTransformPlugin(reading);
    const hearing = hearsSignals(library, script);
    if (hearing !== undefined) bash.registerTransformPlugin(hearing);
    const first = await bug.output.of(() =>
      bash.exec(unescapeQuoted(seededRandom(script)), {
        rawScript: true,
        stdin: around.stdin,
        cwd: around.cwd,
        ...(args.length > 0 ? { args: [...args] } : {}),
      }),
    );
    process.settle();
    const { onExit } = process;
    const leaves = onExit !== undefined && around.isInteractive !== true && process.leavesWithTrap;
    if (leaves) process.onExit = undefined;
    const run = leaves ? await this.#leave(bash, bug, process.death === undefined ? first : { ...first, exitCode: 0 }, onExit) : first;
    const death = process.settle();
    const exitCode = death === undefined ? run.exitCode : 128 + signalNumber(death.signal);
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
    const isTraced = hearing !== undefined || reading !== undefined;
    const said = isTraced ? stderr.replace(/^\++ simulated-(?:signals|handler|status|decode) [^\n]*\n/gm, '') : stderr;
    return { result: { stdout: run.stdout, stderr: `${remark}${said}`, exitCode }, env: run.env };
  }

  /** A terminal's shell, which stays the same process from script to script. */
  startSession(container: Container): ShellProcess {
    const process = new ShellProcess({
      container,
      command: container.image.shell ?? 'bash',
      isBash: container.image.shell === 'bash',
      isInteractive: true,
      script: '',
      isSession: true,
    });
    process.end({ stdout: '', stderr: '', exitCode: 0 });
    return process;
  }

  /** `trap … EXIT`: the action sees the variables of the script, and its status if it does not exit with one of its own. */
  async #leave(bash: Bash, state: RunState, before: BashExecResult, action: string): Promise<BashExecResult> {
    const script = `(exit ${before.exitCode})\n${action}`;
    const after = await state.output.of(() =>
      bash.exec(script, { rawScript: true, env: { ...before.env }, cwd: before.env['PWD'] ?? '/' }),
    );
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
    const looking = maySignal.test(script) ? signalCommands : [];
    const reading = mayRead.test(script) ? [readCommand] : [];
    const options: BashOptions = {
      fs: new ContainerFileSystem(
        container.files,
        () => [...names, ...builtins, ...looking, ...reading],
        () => this.#engine.clock.now(),
      ),
      env: { ...Object.fromEntries(around.env), PWD: around.cwd },
      cwd: around.cwd,
      commands: builtins,
      defenseInDepth: false,
      logger: bug.output.logger,
      sleep: async (ms) => around.clock.advance(ms),
      processInfo: { pid: bug.process.pid, ppid: bug.process.parentPid, uid: 0, gid: 0 },
      // just-bash's own `bash` runs inside of the script: a trap in it would be the script's, and so would its process id.
      customCommands: [
        ...[...names, ...(/\btrap\b|\$\$|kill|PPID/.test(script) ? ['bash', 'sh'] : [])].map((name) =>
          this.#custom(library, name, around, bug),
        ),
        ...(mayEscapeBytes.test(script) ? ['printf', 'echo'] : []).map((name) =>
          library.defineCommand(name, async (args, { origCommand }) => {
            if (origCommand === undefined) throw new Error(`just-bash has no ${name}`);
            return origCommand(unescapeWords(name, args));
          }),
        ),
        ...reading.map((name) =>
          library.defineCommand(name, async (args, context) => {
            const exitCode = await decodeRead(args, context);
            return { stdout: '', stderr: '', exitCode };
          }),
        ),
        ...looking.map((name) => signalCommand(library, name, bug.process)),
      ],
    };
    return new library.Bash(options);
  }

  #custom(library: JustBash, name: string, around: Surroundings, bug: RunState): ReturnType<JustBash['defineCommand']> {
    return library.defineCommand(name, async (args, context) => {
      if ('error' in bug) return { stdout: '', stderr: '', exitCode: 1 };
      if (name === 'trap') return bug.process.trap(args);
      const { files } = around.container;
      // What a process substitution made is a file of the shell's own.
      const substituted = args.filter((arg) => /^\/dev\/fd\/\d+$/.test(arg) && files.read(arg) === undefined);
      for (const path of substituted) files.write(path, await context.fs.readFile(path).catch(() => ''));
      try {
        const result = await this.run([name, ...args], { ...surroundingsOf(library, context, around), parent: bug.process });
        bug.process.child = deathOf(result, around.container);
        return result;
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
      this.#library = await loadLibrary();
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

/**
 * Runs programs in containers. Commands of ours run directly; anything that needs a shell or a text tool loads
 * just-bash, with our commands registered in it, on the container's own files and on virtual time.
 */
export function createShell(engine: DockerEngine): Shell {
  return new LinuxShell(engine);
}
