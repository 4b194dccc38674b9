import type { Clock, ExecOptions, ExecResult, Lab, LabStatus } from '../../port/lab.ts';
import { readOutput } from '../../port/output.ts';
import { EnvironmentError } from '../../verdict/errors.ts';
import { encodeRaw, hasRawBytes } from '../docker/byte-text.ts';
import type { CommandResult, Container, ShellSession } from '../docker/types.ts';
import { boot, homeFolder, type Machine } from './boot.ts';
import type { LabContent } from './content.ts';

/** A lab on the simulator: the port's commands, run in a machine that exists only in this process. */
export class SimulatedLab implements Lab {
  readonly driver = 'simulator';
  readonly clock: Clock;
  readonly #content: LabContent;
  readonly #seed: number;
  #machine: Machine | undefined;

  constructor(content: LabContent, seed: number) {
    this.#content = content;
    this.#seed = seed;
    this.clock = {
      now: () => this.#up().clock.now(),
      sleep: async (durationMs) => this.#up().clock.advance(durationMs),
    };
  }

  /** @throws EnvironmentError before `up` */
  get machine(): Machine {
    return this.#up();
  }

  async up(): Promise<void> {
    this.#machine ??= await boot(this.#content, this.#seed);
  }

  async down(): Promise<void> {
    this.#machine = undefined;
  }

  async reset(): Promise<void> {
    await this.down();
    await this.up();
  }

  async status(): Promise<LabStatus> {
    const machine = this.#machine;
    if (machine === undefined) return { isUp: false, detail: 'not booted' };
    return {
      isUp: true,
      detail: `${machine.cluster.nodes.length} nodes, ${machine.engine.containers.length} containers, seed ${this.#seed}`,
    };
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { host } = this.#up();
    return this.#run(host, undefined, argv, options, homeFolder);
  }

  async execIn(name: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const container = this.#up().engine.findContainer(name);
    if (container === undefined) {
      throw new EnvironmentError('exec/no-container', `there is no container ${name}`, {
        hint: 'the topology and the cluster file say which containers a lab has',
        fix: 'docker ps -a',
      });
    }
    if (container.state !== 'running') {
      throw new EnvironmentError('exec/not-running', `container ${name} does not run (${container.state})`, {
        fix: `docker start ${name}`,
      });
    }
    return this.#run(container, name, argv, options, undefined);
  }

  /** A terminal on the lab host that keeps its variables. */
  openShell(options: { readonly env?: Readonly<Record<string, string>> } = {}): ShellSession {
    const { engine, host } = this.#up();
    return engine.shell.open(host, { cwd: homeFolder, ...options });
  }

  async #run(
    container: Container,
    name: string | undefined,
    argv: readonly string[],
    options: ExecOptions,
    cwd: string | undefined,
  ): Promise<ExecResult> {
    const { engine, clock } = this.#up();
    const startedAt = clock.now();
    const result: CommandResult = await engine.shell.exec(container, argv, {
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#up().hear(result.stderr);
    const durationMs = clock.now() - startedAt;
    if (options.timeoutMs !== undefined && durationMs > options.timeoutMs) {
      throw new EnvironmentError('exec/timeout', `${argv[0]} gave no answer in ${options.timeoutMs / 1000} s`, {
        hint: `it took ${durationMs / 1000} s`,
      });
    }
    const { stdout, stderr, exitCode } = result;
    const isText = !hasRawBytes(stdout) && !hasRawBytes(stderr);
    const output = isText ? { stdout, stderr } : readOutput(encodeRaw(stdout), encodeRaw(stderr));
    return { argv, container: name, ...output, exitCode, startedAt, durationMs };
  }

  #up(): Machine {
    if (this.#machine === undefined)
      throw new EnvironmentError('lab/not-up', 'the simulated lab has not been booted', { fix: 'call up() first' });
    return this.#machine;
  }
}
