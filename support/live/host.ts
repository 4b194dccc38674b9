import type { ExecOptions } from '../port/lab.ts';
import { readOutput } from '../port/output.ts';
import { EnvironmentError } from '../verdict/errors.ts';
import type { Output } from './engine.ts';

/** Runs a program on the lab host, in the learner's home. The only place that starts processes. */
export async function execOnHost(argv: readonly string[], home: string, options: ExecOptions): Promise<Output> {
  const { execa } = await import('execa');
  const [program = '', ...rest] = argv;
  const result = await execa(program, rest, {
    cwd: home,
    reject: false,
    stripFinalNewline: false,
    encoding: 'buffer',
    ...(options.stdin === undefined ? { stdin: 'ignore' as const } : { input: options.stdin }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  if (result.timedOut) {
    throw new EnvironmentError('exec/timeout', `${program} gave no answer in ${(options.timeoutMs ?? 0) / 1000} s`, {
      hint: 'the lab may still be starting',
    });
  }
  if (result.exitCode === undefined) {
    throw new EnvironmentError(
      'exec/not-run',
      `${program} could not be run: ${result.originalMessage ?? result.shortMessage ?? 'killed'}`,
      {
        fix: 'install it, or put it on the PATH',
      },
    );
  }
  return { ...readOutput(result.stdout, result.stderr), exitCode: result.exitCode };
}
