import { type ContainerProcess, processesIn, startedProcesses } from '../docker/process-table.ts';
import type { CommandResult, Container, ProgramProcess } from '../docker/types.ts';
import { signalNumber, signalNumberOf, signals } from './signals.ts';

/** What the kernel does not hand to a process that has said nothing about it (signal(7)). */
const ignoredByDefault = new Set(['CHLD', 'CONT', 'URG', 'WINCH']);
const stopping = new Set(['STOP', 'TSTP', 'TTIN', 'TTOU']);

/** How bash tells of a program that a signal has ended (its own list, as strsignal(3) has it). */
const descriptions: Readonly<Record<string, string>> = {
  HUP: 'Hangup',
  QUIT: 'Quit',
  ILL: 'Illegal instruction',
  TRAP: 'Trace/breakpoint trap',
  ABRT: 'Aborted',
  BUS: 'Bus error',
  FPE: 'Floating point exception',
  KILL: 'Killed',
  USR1: 'User defined signal 1',
  SEGV: 'Segmentation fault',
  USR2: 'User defined signal 2',
  ALRM: 'Alarm clock',
  TERM: 'Terminated',
  STKFLT: 'Stack fault',
  XCPU: 'CPU time limit exceeded',
  XFSZ: 'File size limit exceeded',
  VTALRM: 'Virtual timer expired',
  PROF: 'Profiling timer expired',
  IO: 'I/O possible',
  PWR: 'Power failure',
  SYS: 'Bad system call',
};

/** A process that a signal has ended. */
export interface Death {
  readonly signal: string;
  readonly pid: number;
}

/** Which results are those of a process that a signal has ended: its parent tells of it. */
const deaths = new WeakMap<CommandResult, Death & { readonly container: Container }>();

/** How the process of that container ended; a client (`docker exec`) that hands on the status of another ends by itself. */
export function deathOf(result: CommandResult, container: Container): Death | undefined {
  const death = deaths.get(result);
  return death?.container === container ? death : undefined;
}

/** How many process ids a script that asks for those of its subshells keeps for them: just-bash counts on from the shell's own. */
const subshellIds = 1000;

export interface ShellOptions {
  readonly container: Container;
  /** As `ps` shows it. */
  readonly command: string;
  /** Debian's `sh` and busybox's are not bash: what they print and what they ignore differs. */
  readonly isBash: boolean;
  readonly isInteractive: boolean;
  readonly parent?: ShellProcess | undefined;
  readonly script: string;
  /** More scripts will follow. */
  readonly isSession?: boolean;
}

/** A shell while it runs: a process of its container that signals reach. It finds them between two commands, as a real one does. */
export class ShellProcess implements ProgramProcess {
  readonly user = 'root';
  readonly command: string;
  readonly pid: number;
  readonly parentPid: number;
  readonly isBash: boolean;
  isInteractive: boolean;
  /** `trap … EXIT`. */
  onExit: string | undefined;
  /** The last child that ended by a signal and was not told of yet. */
  child: Death | undefined;
  readonly #container: Container;
  readonly #subshells: number;
  #script: string;
  /** Actions by process (a subshell is one of its own) and signal; an empty one is a signal that is not heard. */
  readonly #traps = new Map<number, Map<string, string>>();
  readonly #pending = new Map<number, Set<string>>();
  readonly #status = new Map<number, readonly number[]>();
  #noted = 0;
  #death: Death | undefined;

  constructor(options: ShellOptions) {
    const { container, parent } = options;
    this.#container = container;
    this.command = options.command;
    this.isBash = options.isBash;
    this.isInteractive = options.isInteractive;
    this.#script = options.script;
    this.#subshells = options.isSession === true || options.script.includes('BASHPID') ? subshellIds : 0;
    this.parentPid = parent?.pid ?? 0;
    this.pid = startedProcesses(container).add(this, this.parentPid, this.#subshells);
    // What is ignored stays so in whatever a process starts; actions do not.
    for (const [signal, action] of parent?.actions ?? []) if (action === '') this.#trapsOf(this.pid).set(signal, '');
  }

  /** A session's shell runs its next script. */
  begin(isInteractive: boolean, script: string): this {
    this.isInteractive = isInteractive;
    this.#script = script;
    this.child = undefined;
    startedProcesses(this.#container).add(this, this.parentPid);
    return this;
  }

  get actions(): ReadonlyMap<string, string> {
    return this.#trapsOf(this.pid);
  }

  /** What has ended the shell itself. */
  get death(): Death | undefined {
    return this.#death;
  }

  /** just-bash's `$!` is always 0; what it names has ended, as nothing runs in the background. */
  get namesJobs(): boolean {
    return /\$\{?!/.test(this.#script);
  }

  /** Itself or one of its subshells: only `$BASHPID` can name one that runs. */
  owns(pid: number): boolean {
    return pid === this.pid || (this.#script.includes('BASHPID') && pid > this.pid && pid < this.pid + this.#subshells);
  }

  signal(name: string): boolean {
    return this.signalTo(this.pid, name);
  }

  /** A signal to the shell or one of its subshells; false where what it would do is not simulated. */
  signalTo(pid: number, name: string): boolean {
    const action = name === 'KILL' || name === 'STOP' ? undefined : this.#actionOf(pid, name);
    if (action === '') return true;
    if (action === undefined) {
      if (ignoredByDefault.has(name)) return true;
      if (this.isBash && name === 'QUIT') return true;
      if (this.isInteractive && pid === this.pid && (name === 'TERM' || stopping.has(name)) && name !== 'STOP') return true;
      if (stopping.has(name)) return false;
    }
    const pending = this.#pending.get(pid) ?? new Set();
    this.#pending.set(pid, pending.add(name));
    return true;
  }

  /** Called between two commands with the status of the one before. True: there is something to do. */
  note(pid: number, status: readonly number[]): boolean {
    this.#noted = pid;
    this.#status.set(pid, status);
    return (this.#pending.get(pid)?.size ?? 0) > 0;
  }

  /** The status that {@link note} has kept: that of the pipeline, then those of its commands. */
  statusOf(pid: number): readonly number[] {
    return this.#status.get(pid) ?? [0];
  }

  /** What the shell has to run now: the action of a trap, its own end, or nothing. */
  nextAction(pid = this.#noted): string {
    const pending = this.#pending.get(pid) ?? new Set<string>();
    const name = ['KILL', ...signals].find((each) => pending.has(each));
    if (name === undefined) return '';
    pending.delete(name);
    const action = name === 'KILL' ? undefined : this.#actionOf(pid, name);
    const again = `eval "$(simulated-handler ${pid})"`;
    if (action === '') return again;
    if (action !== undefined) return `${/\$\{?\?/.test(action) ? `(exit ${this.statusOf(pid)[0] ?? 0})\n` : ''}${action}\n${again}`;
    pending.clear();
    if (pid === this.pid) this.#death = { signal: name, pid };
    else this.child = { signal: name, pid };
    return `exit ${128 + signalNumber(name)}`;
  }

  /** The shell's last moment: a signal that came with nobody to look for it ends it here. */
  settle(): Death | undefined {
    if (this.#death === undefined) this.nextAction(this.pid);
    return this.#death;
  }

  /** bash runs `trap … EXIT` also when a signal ends it; other shells do not, and nothing runs after SIGKILL. */
  get leavesWithTrap(): boolean {
    return this.#death === undefined || (this.isBash && this.#death.signal !== 'KILL');
  }

  end(result: CommandResult): CommandResult {
    startedProcesses(this.#container).remove(this);
    if (this.#death !== undefined) deaths.set(result, { ...this.#death, container: this.#container });
    return result;
  }

  /** What the shell prints of its child that a signal has ended. */
  epitaph(line: string, text: string): string {
    const death = this.child;
    this.child = undefined;
    // that was the shell itself
    if (text === 'exec') return '';
    const description = death === undefined ? undefined : descriptions[death.signal];
    if (death === undefined || description === undefined) return '';
    // other shells print it where the command would have
    if (!this.isBash) return /\b2\s*>/.test(text) ? '' : `${description}\n`;
    if (text === '') return '';
    if (this.isInteractive || death.signal === 'TERM') return `${description}\n`;
    return `bash: line ${line}: ${String(death.pid).padStart(5)} ${description.padEnd(23)} ${text}\n`;
  }

  /** `trap`. */
  trap(args: readonly string[]): CommandResult {
    const own = /^--simulated-shell=(\d+)$/.exec(args[0] ?? '');
    const pid = own === null ? this.pid : Number(own[1]);
    const given = own === null ? args : args.slice(1);
    const words = given[0] === '--' ? given.slice(1) : [...given];
    if (words[0] === '-l') return { stdout: signals.map((name, index) => `${index + 1}) SIG${name}\n`).join(''), stderr: '', exitCode: 0 };
    if (words.length === 0 || words[0] === '-p') return this.#listTraps(pid, words.slice(1));
    const [action = '', ...conditions] = words.length === 1 ? ['-', ...words] : words;
    for (const condition of conditions) {
      const name = trapName(condition);
      if (name === undefined) return { stdout: '', stderr: `bash: trap: ${condition}: invalid signal specification\n`, exitCode: 1 };
      if (['ERR', 'DEBUG', 'RETURN'].includes(name)) return { stdout: '', stderr: `bash: trap: not simulated: ${name}\n`, exitCode: 1 };
      if (name === 'EXIT') this.onExit = action === '-' || action === '' ? undefined : action;
      else if (action === '-') this.#trapsOf(pid).delete(name);
      else this.#trapsOf(pid).set(name, action);
    }
    return { stdout: '', stderr: '', exitCode: 0 };
  }

  #listTraps(pid: number, asked: readonly string[]): CommandResult {
    const wanted = asked.map(trapName);
    const prefix = this.isBash ? 'SIG' : '';
    const known: (readonly [string, string | undefined])[] = [['EXIT', this.onExit]];
    for (const name of signals) known.push([name, this.#trapsOf(pid).get(name)]);
    const shown = known.flatMap(([name, action]) => {
      if (action === undefined || (wanted.length > 0 && !wanted.includes(name))) return [];
      return `trap -- '${action.replaceAll("'", "'\\''")}' ${name === 'EXIT' ? '' : prefix}${name}\n`;
    });
    return { stdout: shown.join(''), stderr: '', exitCode: 0 };
  }

  /** A subshell forgets the actions of its shell, not what the shell ignores. */
  #actionOf(pid: number, name: string): string | undefined {
    const own = this.#trapsOf(pid).get(name);
    if (own !== undefined || pid === this.pid) return own;
    return this.#trapsOf(this.pid).get(name) === '' ? '' : undefined;
  }

  #trapsOf(pid: number): Map<string, string> {
    const found = this.#traps.get(pid);
    if (found !== undefined) return found;
    const made = new Map<string, string>();
    this.#traps.set(pid, made);
    return made;
  }
}

function trapName(condition: string): string | undefined {
  const name = condition.toUpperCase().replace(/^SIG/, '');
  if (name === '0' || name === 'EXIT') return 'EXIT';
  if (['ERR', 'DEBUG', 'RETURN'].includes(name)) return name;
  const number = signalNumberOf(condition);
  return number === undefined ? undefined : signals[number - 1];
}

/** A process group, `kill 0`: what one terminal or one `docker exec` has started. None where 0 may be an ended job of {@link ShellProcess.namesJobs}. */
export function shellsIn(container: Container): readonly ContainerProcess[] {
  const shells = processesIn(container).filter(({ process }) => process instanceof ShellProcess);
  return shells.some(({ process }) => process instanceof ShellProcess && process.namesJobs) ? [] : shells;
}

/** The process of that id: a running one, or a subshell of a running shell. */
export function processAt(container: Container, pid: number): ContainerProcess | undefined {
  const all = processesIn(container);
  const found = all.find((each) => each.pid === pid);
  if (found !== undefined) return found;
  for (const each of all) {
    const shell = each.process;
    if (!(shell instanceof ShellProcess) || !shell.owns(pid)) continue;
    const process = { user: each.user, command: each.command, signal: (name: string) => shell.signalTo(pid, name) };
    return { ...each, pid, parent: shell.pid, process };
  }
  return undefined;
}
