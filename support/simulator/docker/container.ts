import type { SimulatedClock, Timer } from '../clock/clock.ts';
import { parseIp } from '../net/address.ts';
import { LateMap, LateSet } from '../net/late-collections.ts';
import type { Ip, NetworkNamespace } from '../net/types.ts';
import { ContainerEnvironment } from './container-environment.ts';
import { EngineError } from './engine-error.ts';
import { MemoryFileSystem } from './file-system.ts';
import { processesOf } from './process-table.ts';
import { programsFor } from './programs/main-process.ts';
import type { Command, Container, ContainerOptions, ContainerState, ImageDefinition, Program } from './types.ts';

/** What a container needs of its surroundings; pods' containers have no network of their own to set up. */
export interface ContainerSurroundings {
  readonly clock: SimulatedClock;
  nextPid(): number;
  /** Before the programs start: interfaces, addresses, routes. */
  attach(container: EngineContainer): void;
  /** After the programs have stopped. */
  detach(container: EngineContainer): void;
  /** Standard input of the main process is a terminal: a shell waits there instead of ending. */
  readonly hasTerminal: boolean;
  /** Whether other running containers are in the same network namespace. */
  sharesNamespace(container: EngineContainer): boolean;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** First delay before a restart by policy; it doubles up to a minute (moby restartmanager). */
const firstRestartDelayMs = 100;
const longestRestartDelayMs = 60_000;

const exitCodeOfSignal: Readonly<Record<string, number>> = { HUP: 129, INT: 130, QUIT: 131, KILL: 137, USR1: 138, USR2: 140, TERM: 143 };

/** A container with its state machine: created → running ⇄ paused → exited (→ restarting → running). */
export class EngineContainer implements Container {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly image: ImageDefinition;
  readonly imageReference: string;
  readonly options: ContainerOptions;
  readonly namespace: NetworkNamespace;
  #files: MemoryFileSystem | undefined;
  readonly env: ContainerEnvironment;
  readonly createdAt: number;
  readonly commands = new LateMap<string, Command>();
  readonly log: { readonly at: number; readonly stream: 'stdout' | 'stderr'; readonly text: string }[] = [];
  state: ContainerState = 'created';
  pid = 0;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  exitCode = 0;
  restartCount = 0;
  programs: readonly Program[] = [];
  readonly background = new LateSet<Program>();
  readonly #surroundings: ContainerSurroundings;
  readonly #listeners = new LateSet<(container: Container) => void>();
  #restart: Timer | undefined;
  #restartDelayMs = firstRestartDelayMs;

  constructor(
    id: string,
    image: ImageDefinition,
    options: ContainerOptions,
    namespace: NetworkNamespace,
    surroundings: ContainerSurroundings,
  ) {
    this.id = id;
    this.name = options.name;
    this.hostname = options.hostname ?? id.slice(0, 12);
    this.image = image;
    this.imageReference = options.image;
    this.options = options;
    this.namespace = namespace;
    this.createdAt = surroundings.clock.now();
    this.#surroundings = surroundings;
    const system = { PATH: defaultPath, HOSTNAME: this.hostname };
    this.env = new ContainerEnvironment([system, image.env ?? {}], options.linkedEnv, options.env ?? {});
  }

  /** Of thousands of containers most are never looked into: their files come into being with the first look. */
  get files(): MemoryFileSystem {
    if (this.#files !== undefined) return this.#files;
    const files = new MemoryFileSystem();
    this.#files = files;
    addSystemFiles(files, this);
    for (const [path, content] of [...Object.entries(this.image.files ?? {}), ...Object.entries(this.options.files ?? {})])
      files.write(path, content);
    return files;
  }

  /** The main process and its arguments, as `docker inspect` shows them. */
  get commandLine(): readonly string[] {
    const { entrypoint, command } = this.options;
    if (entrypoint !== undefined && entrypoint.length > 0) return [...entrypoint, ...(command ?? [])];
    if (command !== undefined && command.length > 0) return [...(this.image.entrypoint ?? []), ...command];
    return this.image.command;
  }

  get hasTerminal(): boolean {
    return this.#surroundings.hasTerminal;
  }

  writeLog(text: string, stream: 'stdout' | 'stderr' = 'stdout'): void {
    for (const line of text.replace(/\n$/, '').split('\n')) this.log.push({ at: this.#surroundings.clock.now(), stream, text: line });
  }

  start(): void {
    if (this.state === 'running') return;
    if (this.state === 'paused') throw new EngineError(409, 'cannot start a paused container, try unpause instead');
    this.#restart?.cancel();
    this.#restart = undefined;
    this.#surroundings.attach(this);
    this.pid = this.#surroundings.nextPid();
    processesOf(this.namespace.network).set(this.pid, this);
    this.startedAt = this.#surroundings.clock.now();
    this.exitCode = 0;
    this.#enter('running');
    this.programs = programsFor(this);
    for (const program of this.programs) {
      // a program may end the container while it starts
      if (!this.#isRunning()) break;
      program.start();
    }
  }

  stop(exitCode?: number): void {
    this.#restart?.cancel();
    this.#restart = undefined;
    if (this.state === 'restarting') this.#enter('exited');
    else this.#end(exitCode ?? this.#exitCodeOnTerm());
  }

  /** The main process ended by itself: the restart policy applies. */
  exit(exitCode: number): void {
    if (this.state !== 'running') return;
    const ranForMs = this.#surroundings.clock.now() - (this.startedAt ?? 0);
    this.#end(exitCode);
    const policy = this.options.restartPolicy ?? 'no';
    if (policy === 'no' || (policy === 'on-failure' && exitCode === 0)) return;
    // a container that ran for 10 s starts anew with the shortest delay (moby restartmanager)
    this.#restartDelayMs = ranForMs >= 10_000 ? firstRestartDelayMs : this.#restartDelayMs;
    this.#enter('restarting');
    this.#restart = this.#surroundings.clock.schedule(this.#restartDelayMs, () => {
      this.restartCount++;
      this.start();
    });
    this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, longestRestartDelayMs);
  }

  kill(signal = 'KILL'): void {
    if (this.state !== 'running' && this.state !== 'paused')
      throw new EngineError(409, `cannot kill container: ${this.name}: container ${this.id} is not running`);
    const name = signal.toUpperCase().replace(/^SIG/, '');
    const byNumber: Readonly<Record<string, string>> = {
      '1': 'HUP',
      '2': 'INT',
      '3': 'QUIT',
      '9': 'KILL',
      '10': 'USR1',
      '12': 'USR2',
      '15': 'TERM',
    };
    const known = byNumber[name] ?? name;
    const exitCode = exitCodeOfSignal[known];
    if (exitCode === undefined) throw new EngineError(400, `invalid signal: ${signal}`);
    if (known === 'HUP' || known.startsWith('USR')) return;
    // PID 1 gets no default action: a program without a handler ignores all but SIGKILL
    if (known !== 'KILL' && this.programs.length === 0) return;
    this.#end(known === 'KILL' ? 137 : this.#exitCodeOnTerm());
  }

  pause(): void {
    if (this.state === 'paused') throw new EngineError(409, `container ${this.id} is already paused`);
    if (this.state !== 'running') throw new EngineError(409, `container ${this.id} is not running`);
    if (!this.#surroundings.sharesNamespace(this)) this.namespace.isFrozen = true;
    this.#enter('paused');
  }

  unpause(): void {
    if (this.state !== 'paused') throw new EngineError(409, `container ${this.id} is not paused`);
    this.namespace.isFrozen = false;
    this.#enter('running');
  }

  onStateChange(listener: (container: Container) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #end(exitCode: number): void {
    if (this.state !== 'running' && this.state !== 'paused') return;
    if (this.state === 'paused') this.namespace.isFrozen = false;
    for (const program of this.background) (program.kill ?? program.stop).call(program);
    this.background.clear();
    for (const program of [...this.programs].reverse()) program.stop();
    this.#surroundings.detach(this);
    processesOf(this.namespace.network).delete(this.pid);
    this.pid = 0;
    this.exitCode = exitCode;
    this.finishedAt = this.#surroundings.clock.now();
    this.#enter('exited');
  }

  /** Servers end cleanly on SIGTERM; an idle PID 1 such as `sleep` ignores it and is killed after the grace time. */
  #exitCodeOnTerm(): number {
    return this.programs.length === 0 ? 137 : 0;
  }

  #isRunning(): boolean {
    return this.state === 'running';
  }

  #enter(state: ContainerState): void {
    this.state = state;
    for (const listener of [...this.#listeners]) listener(this);
  }
}

function addSystemFiles(files: MemoryFileSystem, container: Container): void {
  const { namespace } = container;
  files.write('/etc/hostname', `${container.hostname}\n`);
  files.addVirtualFile('/etc/hosts', {
    read: () => printHosts(namespace.hosts),
    write: (text) => {
      namespace.hosts.clear();
      for (const [name, ips] of parseHosts(text)) namespace.hosts.set(name, ips);
    },
  });
  files.addVirtualFile('/etc/resolv.conf', {
    read: () => printResolver(namespace.resolver),
    write: (text) => Object.assign(namespace.resolver, parseResolver(text)),
  });
  files.addVirtualFolder('/proc/sys', {
    read: (path) => {
      const value = namespace.getSysctl(sysctlKey(path));
      return value === undefined ? undefined : `${value}\n`;
    },
    write: (path, content) => {
      // a shell's redirection empties the file before it writes
      if (content === '') return;
      if (!namespace.setSysctl(sysctlKey(path), content.trim())) throw new Error(`/proc/sys/${path}: No such file or directory`);
    },
    list: (path) => {
      const start = path === '' ? '' : `${path}/`;
      const names = new Set<string>();
      for (const key of namespace.sysctls.keys()) {
        const file = key.replaceAll('.', '/');
        if (file.startsWith(start)) names.add(file.slice(start.length).split('/')[0] as string);
      }
      return names.size === 0 ? undefined : [...names].sort();
    },
  });
}

/** `net/ipv4/conf/eth0.10/forwarding`: a dot within a name is written as a slash in the dotted form, as sysctl(8) does. */
function sysctlKey(path: string): string {
  return path
    .split('/')
    .map((part) => part.replaceAll('.', '/'))
    .join('.');
}

const fixedHosts = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

function printHosts(hosts: ReadonlyMap<string, readonly Ip[]>): string {
  const namesOf = new Map<string, string[]>();
  for (const [name, ips] of hosts) {
    for (const address of ips) {
      if (name === 'localhost') continue;
      const names = namesOf.get(address.text);
      if (names === undefined) namesOf.set(address.text, [name]);
      else names.push(name);
    }
  }
  return fixedHosts + [...namesOf].map(([address, names]) => `${address}\t${names.join(' ')}\n`).join('');
}

function parseHosts(text: string): Map<string, Ip[]> {
  const hosts = new Map<string, Ip[]>();
  const fixed = new Set(fixedHosts.trimEnd().split('\n'));
  for (const line of text.split('\n')) {
    if (fixed.has(line)) continue;
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const parsed = parseIp(address ?? '');
    if (parsed === undefined) continue;
    for (const name of names) hosts.set(name, [...(hosts.get(name) ?? []), parsed]);
  }
  return hosts;
}

function printResolver(resolver: NetworkNamespace['resolver']): string {
  const lines = resolver.nameservers.map((server) => `nameserver ${server.text}`);
  if (resolver.search.length > 0) lines.unshift(`search ${resolver.search.join(' ')}`);
  if (resolver.ndots > 1) lines.push(`options ndots:${resolver.ndots}`);
  return lines.map((line) => `${line}\n`).join('');
}

function parseResolver(text: string): NetworkNamespace['resolver'] {
  const resolver: NetworkNamespace['resolver'] = { nameservers: [], search: [], ndots: 1 };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const server = parseIp(rest[0] ?? '');
    if (word === 'nameserver' && server !== undefined) resolver.nameservers.push(server);
    else if (word === 'search' || word === 'domain') resolver.search = rest;
    else if (word === 'options') {
      const ndots = rest.map((option) => /^ndots:(\d+)$/.exec(option)?.[1]).find((found) => found !== undefined);
      if (ndots !== undefined) resolver.ndots = Number(ndots);
    }
  }
  return resolver;
}
