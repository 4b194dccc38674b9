import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    const { status, stdout, stderr } = await outpost(['run', '--lab', folder, '--driver', 'simulator', '--seed', String(seed), '--json']);
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
