import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Clock, ExecOptions, ExecResult, Lab, LabStatus } from '../port/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { connectDocker, execInContainer } from './engine.ts';
import { explainEngineError } from './engine-error.ts';
import { execOnHost } from './host.ts';
import { clusterName } from './live-context.ts';
import type { Output } from './live-exec.ts';

/** What a live lab needs to know of its content. */
export interface LiveContent {
  readonly name: string;
  readonly root: string;
  readonly home: string | undefined;
  /** Parsed kind file; its `name` is the cluster's. */
  readonly cluster: { readonly documents: readonly unknown[] };
}

const wallClock: Clock = { now: () => Date.now(), sleep: (milliseconds) => wait(milliseconds) };

/** The real lab: programs of this machine, and containers of its Docker engine. */
export class LiveLab implements Lab {
  readonly driver = 'live';
  readonly clock = wallClock;
  readonly #content: LiveContent;
  readonly #docker: Docker;

  constructor(content: LiveContent, docker: Docker = connectDocker()) {
    this.#content = content;
    this.#docker = docker;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const home = this.#content.home ?? this.#content.root;
    return await this.#timed(argv, undefined, () => execOnHost(argv, home, options));
  }

  async execIn(container: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return await this.#timed(argv, container, () => execInContainer(this.#docker, container, argv, options));
  }

  /** Up when every container of this kind cluster runs. */
  async status(): Promise<LabStatus> {
    const cluster = clusterName(this.#content);
    let nodes: Docker.ContainerInfo[];
    try {
      nodes = await this.#docker.listContainers({ all: true, filters: { label: [`io.x-k8s.kind.cluster=${cluster}`] } });
    } catch (error) {
      throw explainEngineError(error);
    }
    if (nodes.length === 0) return { isUp: false, detail: `Docker answers, but kind cluster "${cluster}" is not up` };
    const stopped = nodes.filter(({ State }) => State !== 'running').map(({ Names }) => (Names[0] ?? '').replace(/^\//, ''));
    if (stopped.length > 0)
      return { isUp: false, detail: `kind cluster "${cluster}" is there, but ${stopped.sort().join(', ')} does not run` };
    return { isUp: true, detail: `kind cluster "${cluster}" with ${nodes.length} nodes` };
  }

  async up(): Promise<void> {
    throw byCommand('up');
  }

  async down(): Promise<void> {
    throw byCommand('down');
  }

  async reset(): Promise<void> {
    throw byCommand('reset');
  }

  async #timed(argv: readonly string[], container: string | undefined, start: () => Promise<Output>): Promise<ExecResult> {
    const startedAt = this.clock.now();
    const output = await start();
    return { argv, container, ...output, startedAt, durationMs: this.clock.now() - startedAt };
  }
}

/** A real lab outlives the process that looks at it: making and unmaking it are commands of their own, with a record on disk. */
function byCommand(what: string): EnvironmentError {
  return new EnvironmentError('live/command', `"${what}" of a live lab is a command of its own`, { fix: `outpost ${what}` });
}
