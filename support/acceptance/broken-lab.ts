import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export const clone = fileURLToPath(new URL('../..', import.meta.url));

/** A replacement in one content file; `from` must be there. */
export interface Edit {
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
}

export interface Outcome {
  readonly exitCode: number;
  /** `challenge/task` of every task that did not pass. */
  readonly failedTasks: readonly string[];
  readonly stderr: string;
}

/**
 * Grades a copy of a lab with some of its content edited, on the simulator.
 * @param lab folder of the lab, from the top of the clone; the reference lab when absent
 */
export async function gradeEdited(edits: readonly Edit[], seed = 1, lab = '.'): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'outpost-edited-'));
  try {
    for (const part of ['lab', 'containerlab', 'features']) cpSync(join(clone, lab, part), join(folder, part), { recursive: true });
    for (const { file, from, to } of edits) {
      const path = join(folder, file);
      const before = readFileSync(path, 'utf8');
      const after = typeof from === 'string' ? before.replaceAll(from, to) : before.replace(from, to);
      if (after === before) throw new Error(`the edit of ${file} changes nothing: ${String(from)} is not in it`);
      writeFileSync(path, after);
    }
    const { status, stdout, stderr } = await grade(['run', '--lab', folder, '--driver', 'simulator', '--seed', String(seed), '--json']);
    const failedTasks =
      stdout === ''
        ? []
        : (
            JSON.parse(stdout) as { challenges: readonly { name: string; tasks: readonly { name: string; outcome: string }[] }[] }
          ).challenges.flatMap((challenge) =>
            challenge.tasks.filter((task) => task.outcome !== 'passed').map((task) => `${challenge.name}/${task.name}`),
          );
    return { exitCode: status, failedTasks, stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs one command line after the other. */
class GradingWorker {
  readonly #child = spawn(process.execPath, [fileURLToPath(new URL('grading-worker.mjs', import.meta.url))], {
    cwd: clone,
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
  });
  readonly #waiting: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }[] = [];

  constructor() {
    let rest = '';
    (this.#child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#waiting.shift()?.resolve(JSON.parse(line) as Answer);
    });
    this.#child.once('exit', (status) => {
      for (const { reject } of this.#waiting) reject(new Error(`the grading worker ended with ${status}`));
    });
    // It ends with the tests: nothing waits for it.
    this.#child.unref();
  }

  get load(): number {
    return this.#waiting.length;
  }

  run(args: readonly string[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify(args)}\n`);
    });
  }
}

const workers: GradingWorker[] = [];

/** Grades in a process that has done so before; two of them, as the smallest machine has two cores. */
function grade(args: readonly string[]): Promise<Answer> {
  if (workers.length < 2) workers.push(new GradingWorker());
  const [least] = [...workers].sort((a, b) => a.load - b.load);
  return (least as GradingWorker).run(args);
}

/** Runs the command line as a user does. */
export function outpost(args: readonly string[], input = ''): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(clone, 'support/cli/outpost.mjs'), ...args], { cwd: clone });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
    child.stdin.end(input);
  });
}
