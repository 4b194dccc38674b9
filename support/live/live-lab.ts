import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Clock, ExecOptions, ExecResult, Lab, LabStatus } from '../port/lab.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { connectDocker, execInContainer, type Output } from './engine.ts';
import { execOnHost } from './host.ts';

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

  constructor(content: LiveContent) {
    this.#content = content;
    this.#docker = connectDocker();
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const home = this.#content.home ?? this.#content.root;
    return await this.#timed(argv, undefined, () => execOnHost(argv, home, options));
  }

  async execIn(container: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return await this.#timed(argv, container, () => execInContainer(this.#docker, container, argv, options));
  }

  /** Up when the control plane's container of this kind cluster runs. */
  async status(): Promise<LabStatus> {
    const cluster = clusterName(this.#content);
    const nodes = await this.#docker.listContainers({ filters: { label: [`io.x-k8s.kind.cluster=${cluster}`] } });
    if (nodes.length === 0) return { isUp: false, detail: `Docker answers, but kind cluster "${cluster}" is not up` };
    return { isUp: true, detail: `kind cluster "${cluster}" with ${nodes.length} nodes` };
  }

  async up(): Promise<void> {
    throw notBuilt('up');
  }

  async down(): Promise<void> {
    throw notBuilt('down');
  }

  async reset(): Promise<void> {
    throw notBuilt('reset');
  }

  async #timed(argv: readonly string[], container: string | undefined, start: () => Promise<Output>): Promise<ExecResult> {
    const startedAt = this.clock.now();
    const output = await start();
    return { argv, container, ...output, startedAt, durationMs: this.clock.now() - startedAt };
  }
}

/** kind's own default is "kind". */
function clusterName(content: LiveContent): string {
  const document = content.cluster.documents[0];
  const name = typeof document === 'object' && document !== null && 'name' in document ? document.name : undefined;
  return typeof name === 'string' && name !== '' ? name : 'kind';
}

function notBuilt(what: string): EnvironmentError {
  return new EnvironmentError('live/not-built', `not built yet: live ${what}`, {
    hint: 'the live driver runs commands in a lab that is already up; it does not bring one up yet',
    fix: 'bring the lab up with kind, containerlab and cilium, or use --driver simulator',
  });
}
