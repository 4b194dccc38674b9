import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { LateMap, LateSet } from '../net/late-collections.ts';
import type { Ip, Mac, Network, NetworkInterface, NetworkNamespace, Prefix } from '../net/types.ts';

// ── commands (implemented in linux/, frr/, kubernetes/, cilium/, host/; none of them knows the shell) ───────

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The files of a container as commands see them. Paths are absolute; a missing file reads as undefined. */
export interface FileSystem {
  read(path: string): string | undefined;
  write(path: string, content: string): void;
  remove(path: string): boolean;
  /** Names in a folder, or undefined when there is no such folder. */
  list(path: string): readonly string[] | undefined;
  isDirectory(path: string): boolean;
  makeDirectory?(path: string): void;
  modeOf?(path: string): number | undefined;
  setMode?(path: string, mode: number): void;
}

export interface CommandContext {
  readonly container: Container;
  readonly clock: SimulatedClock;
  readonly files: FileSystem;
  readonly stdin: string;
  /** False when nothing was connected to standard input: reading it gives the end of file at once. */
  readonly hasStdin: boolean;
  /** Standard output is a terminal (`docker exec -t`, the interactive shell). */
  readonly isTerminal: boolean;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** Runs another program of the same container, found on its PATH (for `sh -c`, `xargs`, `kubectl edit`…). */
  run(
    argv: readonly string[],
    options?: {
      readonly stdin?: string;
      readonly clock?: SimulatedClock;
      /** The shell library's own tool of that name, beneath the one that asks. */
      readonly isBuiltin?: boolean;
    },
  ): Promise<CommandResult>;
  /** Puts a question to the person at the terminal; undefined when they closed it. Absent where nobody sits there. */
  ask?(prompt: string): Promise<string | undefined>;
}

/** A program that runs to its end: state in, text and exit status out. It may drive the clock while it waits. */
export type Command = (args: readonly string[], context: CommandContext) => CommandResult | Promise<CommandResult>;

// ── images ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Something that keeps running in a container: a server, a routing daemon, an agent, a periodic request. */
/** A process of a program, as `ps` shows it. */
export interface ProgramProcess {
  readonly user: string;
  readonly command: string;
  /** What a signal by its short name (`TERM`, `KILL`) does to it; false: it takes no notice. */
  signal(name: string): boolean;
}

export interface Program {
  readonly name: string;
  start(): void;
  stop(): void;
  /** False while it has started but cannot serve yet. Undefined means: ready once started. */
  isReady?(): boolean;
  /** As process 1 it has no handler for SIGTERM, so the kernel does not deliver it: only SIGKILL ends it. */
  readonly ignoresTerm?: boolean;
  /** Its processes, if they are others than the container's main one; the same objects as long as they live. */
  processes?(): readonly ProgramProcess[];
  /** As `stop`, but without a chance to say goodbye. */
  kill?(): void;
}

export type ProgramFactory = (container: Container) => Program;

export interface ImageDefinition {
  /** As in `docker images`: `registry/name`, without tag. */
  readonly name: string;
  /** What the container's main process is shown as. */
  readonly command: readonly string[];
  /** What runs in it unless the container's own command replaces it. */
  readonly programs: readonly ProgramFactory[];
  /** Commands on its PATH beyond those that every Linux image has; a name of `commands` in the engine. */
  readonly commands: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** The shell, if it has one (`distroless` images do not). */
  readonly shell: 'bash' | 'sh' | undefined;
  readonly digest?: string;
  /** On every machine before anything starts: a node does not pull it. */
  readonly isPreloaded?: boolean;
  /** Exit code when the main process ends by itself; undefined: it runs for ever. */
  readonly exitCode?: number;
  /** ENTRYPOINT: stays in front of a container's own arguments (`docker run IMAGE ARGS…`). */
  readonly entrypoint?: readonly string[];
}

export interface ImageCatalogue {
  add(image: ImageDefinition): void;
  /** Never undefined: an image that nobody describes is an idle container with a shell. */
  resolve(reference: string): ImageDefinition;
  isDescribed(reference: string): boolean;
  /** A reference that cannot be pulled (bad syntax): the reason, as the engine words it. */
  problemOf(reference: string): string | undefined;
  readonly all: readonly ImageDefinition[];
}

// ── containers ──────────────────────────────────────────────────────────────────────────────────────────────

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';

export interface ContainerOptions {
  readonly name: string;
  readonly image: string;
  readonly hostname?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Variables from elsewhere, between the image's and the container's own; they may be many, and are asked for late. */
  readonly linkedEnv?: () => Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Path in the container → content. */
  readonly files?: Readonly<Record<string, string>>;
  readonly binds?: readonly string[];
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly ports?: readonly {
    readonly hostIp?: string;
    readonly hostPort: number;
    readonly containerPort: number;
    readonly protocol: 'tcp' | 'udp';
  }[];
  readonly restartPolicy?: 'no' | 'always' | 'on-failure' | 'unless-stopped';
  readonly privileged?: boolean;
  /** Main process on a terminal (`docker run -t`). */
  readonly hasTerminal?: boolean;
  /** The caller runs the main process itself (`docker run` without `-d`). */
  readonly runsInForeground?: boolean;
}

/** One running (or stopped) container: of the engine, or of a pod (where the node's containerd owns it). */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly image: ImageDefinition;
  readonly imageReference: string;
  readonly options: ContainerOptions;
  readonly namespace: NetworkNamespace;
  readonly files: FileSystem;
  readonly env: ReadonlyMap<string, string>;
  readonly state: ContainerState;
  readonly pid: number;
  /** Milliseconds since the epoch, as {@link SimulatedClock.now}. */
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly exitCode: number;
  readonly restartCount: number;
  readonly programs: readonly Program[];
  /** Programs that somebody has started in it; they end with it, and do not come back. */
  readonly background: LateSet<Program>;
  /** Lines of its output, oldest first, for `logs`. */
  readonly log: readonly { readonly at: number; readonly stream: 'stdout' | 'stderr'; readonly text: string }[];
  /** Commands of this container only; they win over those of the image and the engine. */
  readonly commands: LateMap<string, Command>;
  writeLog(text: string, stream?: 'stdout' | 'stderr'): void;
  start(): void;
  /** SIGTERM, then SIGKILL. */
  stop(exitCode?: number): void;
  kill(signal?: string): void;
  /** The main process ended by itself: unlike after `stop`, the restart policy applies. */
  exit?(exitCode: number): void;
  pause(): void;
  unpause(): void;
  /** Called after each change of state. */
  onStateChange(listener: (container: Container) => void): () => void;
}

/** Runs a program in a container: PATH look-up, shell where one is asked for (linux/shell.ts implements it). */
export interface Shell {
  /** `docker exec CONTAINER ARGV…`: exit 127/126 and the runtime's message when there is no such program. */
  exec(container: Container, argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** A session that keeps its variables and folder from one script to the next. */
  open(container: Container, options?: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string }): ShellSession;
}

export interface ExecOptions {
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly user?: string;
  /** The clock that the command waits on, when it is not the engine's (`timeout`). */
  readonly clock?: SimulatedClock;
}

export interface ShellSession {
  run(
    script: string,
    options?: {
      readonly stdin?: string;
      readonly isTerminal?: boolean;
      /** The session has this one script: the shell ends with it. */
      readonly isWhole?: boolean;
      readonly ask?: (prompt: string) => Promise<string | undefined>;
    },
  ): Promise<CommandResult>;
  readonly cwd: string;
  readonly env: ReadonlyMap<string, string>;
}

// ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'none';
  readonly subnets: readonly { readonly prefix: Prefix; readonly gateway: Ip }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly bridge: NetworkInterface | undefined;
  readonly members: ReadonlyMap<
    string,
    { readonly container: Container; readonly ips: readonly Ip[]; readonly mac: Mac; readonly device: NetworkInterface }
  >;
}

export interface CreateContainerOptions extends ContainerOptions {
  /** A network's name; `container:NAME` shares that container's network namespace; `host`; `none`. */
  readonly networkMode?: string;
  readonly ips?: readonly string[];
}

/** An error of the engine: `Error response from daemon: MESSAGE`. */
export interface EngineErrorLike extends Error {
  readonly statusCode: number;
}

export interface DockerEngine {
  readonly network: Network;
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** The network namespace of the machine that the engine runs on. */
  readonly hostNamespace: NetworkNamespace;
  readonly images: ImageCatalogue;
  /** Commands that images can name, by name. */
  readonly commands: Map<string, Command>;
  /** Set once by linux/; running anything before is a bug. */
  shell: Shell;
  readonly containers: readonly Container[];
  readonly networks: readonly DockerNetwork[];
  /** By name, full id or unique id prefix. */
  findContainer(reference: string): Container | undefined;
  findNetwork(reference: string): DockerNetwork | undefined;
  /** @throws EngineErrorLike 404 no such network, 409 name in use */
  createContainer(options: CreateContainerOptions): Container;
  removeContainer(reference: string, options?: { readonly force?: boolean }): void;
  /** IPv4 always; IPv6 where a subnet is given. Overlapping subnets are refused (403). */
  createNetwork(options: {
    readonly name: string;
    readonly subnets?: readonly string[];
    readonly gateways?: readonly string[];
    readonly ipv6?: boolean;
    readonly bridgeName?: string;
    readonly mtu?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly masquerade?: boolean;
  }): DockerNetwork;
  removeNetwork(reference: string): void;
  connect(network: DockerNetwork, container: Container, options?: { readonly ips?: readonly string[] }): void;
  disconnect(network: DockerNetwork, container: Container): void;
  /** A container outside the engine's list (those of pods), in a namespace that the caller made. */
  createUnlisted(options: ContainerOptions, namespace: NetworkNamespace): Container;
}
