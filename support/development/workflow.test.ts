import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { afterAll, describe, expect, it } from 'vitest';

const clone = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'outpost-workflow-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Workflow {
  readonly jobs: Readonly<
    Record<string, { readonly 'timeout-minutes': number; readonly steps: readonly { readonly run?: string; readonly uses?: string }[] }>
  >;
}

const commandLine = readFileSync(join(clone, 'support/cli/main.ts'), 'utf8');
const workflow = load(readFileSync(join(clone, '.github/workflows/lab.yml'), 'utf8')) as Workflow;
const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

describe('the workflow', () => {
  it('pins what it uses, and ends in time', () => {
    for (const { uses } of steps) expect(uses ?? 'a/b@v1').toMatch(/^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/);
    for (const job of Object.values(workflow.jobs)) expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
  });

  it.each(steps.flatMap(({ run }) => (run === undefined ? [] : run.trim().split('\n'))))('runs what is there: %s', (line) => {
    const [program = '', ...words] = line.split(' ');
    if (program === 'npm') expect(words).toEqual(['test']);
    else if (program === 'node') expect(existsSync(join(clone, words[0] ?? ''))).toBe(true);
    else if (program === 'npx') {
      // The command line's own declarations: starting it once a line would cost more than all the rest.
      const declared = new RegExp(`commands\\.command\\('${words[1]}'\\)\\)([\\s\\S]*?)\\n\\n`).exec(commandLine)?.[1];
      expect({ tool: words[0], isDeclared: declared !== undefined }).toEqual({ tool: 'outpost', isDeclared: true });
      for (const option of words.slice(2).filter((word) => word.startsWith('--'))) expect(declared).toContain(`.option('${option}`);
    } else expect(existsSync(join(clone, program))).toBe(true);
  });

  it('installs the tools with the pins of the live driver', () => {
    const { status, stdout } = spawnSync(process.execPath, ['support/development/install-lab-tools.mjs', '--print'], {
      cwd: clone,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(6);
    expect(stdout).not.toMatch(/undefined|install [a-z]+, and/);
  });

  it('grades, and tells the verdict in the summary of its job, with the exit status of the run', () => {
    const summary = join(folder, 'summary.md');
    const env = { ...process.env, OUTPOST_REPORTS: join(folder, 'reports'), GITHUB_STEP_SUMMARY: summary };
    const { status } = spawnSync(join(clone, '.github/grade'), ['simulator', '--lab', 'examples/ipv4-only'], {
      cwd: clone,
      env,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(readFileSync(summary, 'utf8')).toMatch(
      /^### ✅ ipv4-only on the simulator, seed 1\n\n3 passed, 0 failed, 0 skipped; 30 of 30 points in \d+ s\n\n\| challenge \| points \| scenarios that failed \|\n\|---\|---\|---\|\n\| Pods and services over IPv4 \| 30 of 30 \| none \|\n/,
    );
    for (const name of ['verdict.json', 'junit.xml', 'cucumber.html', 'recording'])
      expect(existsSync(join(folder, 'reports', name))).toBe(true);
  });

  it('says in the summary what failed, and when there is no verdict at all', () => {
    const summarise = (input: string) =>
      spawnSync(process.execPath, ['support/development/job-summary.mjs'], { cwd: clone, input, encoding: 'utf8' }).stdout;
    expect(summarise('')).toBe('### The lab was not judged\n\nThere is no verdict; the log of the step before says why.\n');
    const failure = { step: 'Then it holds', line: 7, message: 'expected a\n  saw: b' };
    const scenarios = [{ name: 'It | holds', status: 'failed', failure }];
    const verdict = {
      lab: 'demo',
      note: 'live lab',
      counts: { passed: 0, failed: 1, skipped: 0 },
      earned: 0,
      points: 5,
      wallMs: 2400,
      challenges: [{ name: 'one', title: 'One', earned: 0, points: 5, scenarios }],
    };
    expect(summarise(JSON.stringify(verdict))).toBe(
      '### ❌ demo on the live lab\n\n0 passed, 1 failed, 0 skipped; 0 of 5 points in 2 s\n\n| challenge | points | scenarios that failed |\n|---|---|---|\n| One | 0 of 5 | It \\| holds |\n\n**It \\| holds**, line 7: Then it holds\n\n```\nexpected a\n  saw: b\n```\n',
    );
  });
});
