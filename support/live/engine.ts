import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import Docker from 'dockerode';
import { readOutput } from '../port/output.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { explainEngineError } from './engine-error.ts';
import { execVariable, killExec } from './kill-exec.ts';
import { defaultMaxOutputBytes, type LiveExecOptions, lastSaid, type Output, OutputBuffer, tooLate, tooMuch } from './live-exec.ts';
import { interrupted, runId, running, runVariable } from './running.ts';

/** The engine that DOCKER_HOST names, or the local one. */
export function connectDocker(): Docker {
  return new Docker();
}

/** How long the engine may take to say how an exec ended. */
const inspectPatienceMs = 10_000;

/**
 * `docker exec` through the engine's API. Whatever ends it early ends the program in the container, too.
 * @throws EnvironmentError when there is no such container, it does not run or stops meanwhile, time is up, or the output has no end
 */
export async function execInContainer(
  docker: Docker,
  container: string,
  argv: readonly string[],
  options: LiveExecOptions = {},
): Promise<Output> {
  const id = randomUUID();
  const env = Object.entries({ ...options.env, [runVariable]: runId, [execVariable]: id }).map(([name, value]) => `${name}=${value}`);
  const kill = () => killExec(docker, container, id).catch(() => undefined);
  // Whoever leaves between the two requests that start an exec has to wait for the second, and end it then.
  let stop: (error: Error) => Promise<void> = async () => undefined;
  const starting = start(docker, container, argv, env, options.stdin !== undefined);
  const forget = running.add({
    stop: async () => {
      await starting.catch(() => undefined);
      await stop(interrupted());
    },
  });
  try {
    const { exec, stream } = await starting;
    const end = await new Promise<Ended>((resolve, reject) => {
      const program = argv[0] ?? '';
      const limit = options.maxOutputBytes ?? defaultMaxOutputBytes;
      const buffer = new OutputBuffer(limit, () => void stop(tooMuch(program, container, limit)));
      let isOver = false;
      let timer: NodeJS.Timeout | undefined;
      const over = (): boolean => {
        const first = !isOver;
        isOver = true;
        clearTimeout(timer);
        return first;
      };
      stop = async (error) => {
        if (!over()) return;
        await kill();
        destroy(stream);
        reject(error);
      };
      if (options.timeoutMs !== undefined) {
        const { timeoutMs } = options;
        const last = () => lastSaid(buffer.bytes('stderr').toString('utf8')) || lastSaid(buffer.bytes('stdout').toString('utf8'));
        timer = setTimeout(() => void stop(tooLate(program, container, timeoutMs, last())), timeoutMs);
      }
      const settle = async () => {
        if (!over()) return;
        try {
          resolve({ buffer, exitCode: await exitCodeOf(docker, container, exec, options.timeoutMs ?? inspectPatienceMs) });
        } catch (error) {
          await kill();
          reject(error);
        }
      };
      docker.modem.demuxStream(stream, sink(buffer, 'stdout'), sink(buffer, 'stderr'));
      stream.once('end', settle);
      stream.once('close', settle);
      stream.once('error', settle);
      if (options.stdin !== undefined) stream.end(options.stdin);
    });
    const output = readOutput(end.buffer.bytes('stdout'), end.buffer.bytes('stderr'));
    return { ...output, exitCode: isNotFound(output.stdout, end.exitCode) ? 127 : end.exitCode };
  } catch (error) {
    throw explainEngineError(error, container);
  } finally {
    forget();
  }
}

async function start(docker: Docker, container: string, argv: readonly string[], env: string[], hasInput: boolean) {
  const exec = await docker
    .getContainer(container)
    .exec({ Cmd: [...argv], Env: env, AttachStdin: hasInput, AttachStdout: true, AttachStderr: true, Tty: false });
  return { exec, stream: await exec.start({ hijack: hasInput, stdin: hasInput }) };
}

interface Ended {
  readonly buffer: OutputBuffer;
  readonly exitCode: number;
}

function sink(buffer: OutputBuffer, name: 'stdout' | 'stderr'): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      buffer.add(name, chunk);
      done();
    },
  });
}

function destroy(stream: NodeJS.ReadWriteStream): void {
  stream.on('error', () => undefined);
  (stream as NodeJS.ReadWriteStream & { destroy?: () => void }).destroy?.();
}

/** A program may close its output long before it ends; and an engine or a container may have gone. */
async function exitCodeOf(docker: Docker, container: string, exec: Docker.Exec, patienceMs: number): Promise<number> {
  const until = Date.now() + patienceMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 200)) {
    const { ExitCode: exitCode, Running: isRunning } = await exec.inspect();
    if (!isRunning && exitCode !== null && exitCode !== undefined) {
      // 137 is also what is left of a program whose container was killed.
      if (exitCode !== 137 || !(await stopsNow(docker, container))) return exitCode;
      throw new EnvironmentError('exec/container-stopped', `container ${container} stopped while a command ran in it`, {
        fix: `docker start ${container}, then outpost doctor`,
      });
    }
    if (Date.now() > until) {
      throw new EnvironmentError('exec/no-end', `the command in ${container} closed its output and did not end`, {
        fix: `docker top ${container}`,
      });
    }
    await wait(pauseMs);
  }
}

/** The engine hears of the programs of a container that is killed in any order; the container itself may come last. */
async function stopsNow(docker: Docker, container: string): Promise<boolean> {
  for (let round = 0; round < 5; round++) {
    if (!(await docker.getContainer(container).inspect()).State.Running) return true;
    await wait(100);
  }
  return false;
}

/** Engines before 23.0 say 126 for a program that is not there; later ones, as shells do, 127 (seen with 20.10.24). */
function isNotFound(stdout: string, exitCode: number): boolean {
  return exitCode === 126 && /^OCI runtime exec failed: .*(executable file not found in \$PATH|no such file or directory)/.test(stdout);
}
