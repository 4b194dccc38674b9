import { constants } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { readOutput } from '../port/output.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import { defaultMaxOutputBytes, type LiveExecOptions, lastSaid, type Output, OutputBuffer, tooLate, tooMuch } from './live-exec.ts';
import { interrupted, runId, running, runVariable } from './running.ts';

/** Between asking a program to end, and ending it. */
const usualGraceMs = 2_000;

export interface HostOptions extends LiveExecOptions {
  /** Hears what it prints, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** How long a program that is asked to end may take: 2 s, unless said otherwise. */
  readonly graceMs?: number;
}

/**
 * Runs a program on the lab host, in the learner's home. The only place that starts processes. Each gets a process group of its
 * own: whatever ends it early ends what it started, too.
 * @throws EnvironmentError when it cannot be run, time is up, or its output has no end
 */
export async function execOnHost(argv: readonly string[], home: string, options: HostOptions = {}): Promise<Output> {
  const { execa } = await import('execa');
  running.refuseAfterInterrupt();
  const [program = '', ...rest] = argv;
  const child = execa(program, rest, {
    cwd: home,
    reject: false,
    stripFinalNewline: false,
    encoding: 'buffer',
    buffer: false,
    detached: true,
    ...(options.stdin === undefined ? { stdin: 'ignore' as const } : { input: options.stdin }),
    env: { ...absoluteKubeconfig(), [runVariable]: runId, ...options.env },
  });
  const { pid } = child;
  let why: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  let last: NodeJS.Timeout | undefined;
  const stop = (error: Error) => {
    why ??= error;
    signalGroup(pid, 'SIGTERM');
    last ??= setTimeout(() => signalGroup(pid, 'SIGKILL'), options.graceMs ?? usualGraceMs);
  };
  const limit = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const buffer = new OutputBuffer(limit, () => stop(tooMuch(program, undefined, limit)));
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      buffer.add(name, chunk);
      options.onOutput?.(chunk.toString('utf8'));
    });
  }
  const text = () => `${buffer.bytes('stdout').toString('utf8')}\n${buffer.bytes('stderr').toString('utf8')}`;
  if (options.timeoutMs !== undefined) {
    const { timeoutMs } = options;
    timer = setTimeout(() => stop(tooLate(program, undefined, timeoutMs, lastSaid(text()))), timeoutMs);
  }
  const forget = running.add({
    stop: async () => {
      stop(interrupted());
      await child;
    },
    stopNow: () => signalGroup(pid, 'SIGKILL'),
  });
  try {
    const result = await child;
    if (why !== undefined) throw why;
    if (result.exitCode === undefined && result.signal === undefined) {
      throw new EnvironmentError(
        'exec/not-run',
        `${program} could not be run: ${result.originalMessage ?? result.shortMessage ?? 'no reason'}`,
        {
          fix: 'install it, or put it on the PATH (outpost doctor says how)',
        },
      );
    }
    // As a shell tells it, and docker exec.
    const exitCode = result.exitCode ?? 128 + (constants.signals[result.signal as NodeJS.Signals] ?? 0);
    return { ...readOutput(buffer.bytes('stdout'), buffer.bytes('stderr')), exitCode };
  } finally {
    clearTimeout(timer);
    clearTimeout(last);
    // What the program left in its group when it was stopped goes with it.
    if (why !== undefined) signalGroup(pid, 'SIGKILL');
    forget();
  }
}

/** A relative path in KUBECONFIG is one of the folder that this process was started in, not of the home. */
function absoluteKubeconfig(): { readonly KUBECONFIG?: string } {
  const { KUBECONFIG: named } = process.env;
  if (named === undefined || named === '') return {};
  const files = named.split(delimiter).map((file) => (file === '' ? file : resolve(file)));
  return { KUBECONFIG: files.join(delimiter) };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}
