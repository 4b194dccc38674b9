import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import type { ExecOptions, ExecResult } from '../port/lab.ts';
import { readOutput } from '../port/output.ts';
import { EnvironmentError } from '../verdict/errors.ts';

/** The engine that DOCKER_HOST names, or the local one. */
export function connectDocker(): Docker {
  return new Docker();
}

export type Output = Pick<ExecResult, 'stdout' | 'stderr' | 'bytes' | 'exitCode'>;

/** `docker exec` through the engine's API. @throws EnvironmentError when there is no such container, it does not run, or time is up */
export async function execInContainer(docker: Docker, container: string, argv: readonly string[], options: ExecOptions): Promise<Output> {
  const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  try {
    const hasInput = options.stdin !== undefined;
    const exec = await docker
      .getContainer(container)
      .exec({ Cmd: [...argv], Env: env, AttachStdin: hasInput, AttachStdout: true, AttachStderr: true, Tty: false });
    const stream = await exec.start({ hijack: hasInput, stdin: hasInput });
    if (hasInput) stream.end(options.stdin);
    const output = await collect(docker, stream, container, argv, options.timeoutMs);
    const { ExitCode: exitCode } = await exec.inspect();
    return { ...output, exitCode: exitCode ?? 0 };
  } catch (error) {
    throw explain(error, container);
  }
}

async function collect(
  docker: Docker,
  stream: NodeJS.ReadWriteStream,
  container: string,
  argv: readonly string[],
  timeoutMs: number | undefined,
) {
  const gather = () => {
    const chunks: Buffer[] = [];
    const sink = new PassThrough();
    sink.on('data', (chunk: Buffer) => chunks.push(chunk));
    return { sink, bytes: () => Buffer.concat(chunks) };
  };
  const stdout = gather();
  const stderr = gather();
  docker.modem.demuxStream(stream, stdout.sink, stderr.sink);
  await new Promise<void>((resolve, reject) => {
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            reject(
              new EnvironmentError('exec/timeout', `${argv[0]} gave no answer in ${container} in ${timeoutMs / 1000} s`, {
                fix: `docker top ${container}`,
              }),
            );
            (stream as NodeJS.ReadWriteStream & { destroy?: () => void }).destroy?.();
          }, timeoutMs);
    const settle = (finish: () => void) => () => {
      clearTimeout(timer);
      finish();
    };
    stream.once('end', settle(resolve));
    stream.once('close', settle(resolve));
    stream.once('error', (error: Error) => settle(() => reject(error))());
  });
  return readOutput(stdout.bytes(), stderr.bytes());
}

function explain(error: unknown, container: string): unknown {
  const statusCode = (error as { statusCode?: number }).statusCode;
  if (statusCode === 404)
    return new EnvironmentError('exec/no-container', `there is no container ${container}`, { fix: 'docker ps -a' }, { cause: error });
  if (statusCode === 409) {
    return new EnvironmentError(
      'exec/not-running',
      `container ${container} does not run`,
      { fix: `docker start ${container}` },
      { cause: error },
    );
  }
  return error;
}
