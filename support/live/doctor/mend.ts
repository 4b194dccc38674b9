import { OutpostError } from '../../verdict/errors.ts';
import type { HostRunner } from '../live-context.ts';
import type { Finding } from './facts.ts';

/** One command of a mend, and how it went. */
export interface Mend {
  readonly code: string;
  readonly problem: string;
  readonly command: string;
  /** Why it did not help. */
  readonly failure?: string;
}

export interface Mending {
  readonly run: HostRunner;
  /** Root needs no sudo, and has none in a container. */
  readonly isRoot: boolean;
  /** Takes the lab, so that no other command works on it meanwhile. @returns what gives it back */
  readonly lock: () => Promise<() => void>;
}

const isOfMachine = (words: readonly string[]) => words[0] === 'sudo';

/** Runs the mends of findings: settings of the machine first, for what is started afterwards counts on them. */
export async function mendAll(findings: readonly Finding[], { run, isRoot, lock }: Mending): Promise<Mend[]> {
  const mends = findings.flatMap(({ code, problem, mend = [] }) => mend.map((words) => ({ code, problem, words })));
  const done: Mend[] = [];
  const mendEach = async (those: typeof mends, refusal?: string) => {
    for (const { code, problem, words: all } of those) {
      const words = isRoot && isOfMachine(all) ? all.slice(all[1] === '-n' ? 2 : 1) : all;
      const failure = refusal ?? (await failureOf(run, words));
      done.push({ code, problem, command: words.join(' '), ...(failure === undefined ? {} : { failure }) });
    }
  };
  await mendEach(mends.filter(({ words }) => isOfMachine(words)));
  const ofLab = mends.filter(({ words }) => !isOfMachine(words));
  if (ofLab.length === 0) return done;
  let unlock: () => void;
  try {
    unlock = await lock();
  } catch (error) {
    await mendEach(ofLab, reasonOf(error));
    return done;
  }
  try {
    await mendEach(ofLab);
  } finally {
    unlock();
  }
  return done;
}

/** A command that ends well has not always helped: what is still found is not mended. */
export function judgeMends(mends: readonly Mend[], left: readonly Finding[]): Mend[] {
  return mends.map((mend) =>
    mend.failure === undefined && left.some(({ code, problem }) => code === mend.code && problem === mend.problem)
      ? { ...mend, failure: 'it ended well, and changed nothing' }
      : mend,
  );
}

/** Why a mend did not work; undefined: it did. */
async function failureOf(run: HostRunner, words: readonly string[]): Promise<string | undefined> {
  try {
    const { exitCode, stdout, stderr } = await run(words, { timeoutMs: 60_000 });
    if (exitCode === 0) return undefined;
    const said = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.trim());
    return said.filter((line) => line !== '').join('; ') || `exit status ${exitCode}`;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof OutpostError) || error.code === 'run/interrupted') throw error;
  return error.shortMessage;
}
