import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';

const clone = resolve(import.meta.dirname, '../..');
const launcher = join(clone, 'support/cli/outpost.mjs');
const rounds = Number(process.argv[2] ?? 5);

interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMegabytes: number;
}

/** Starts a process and measures it from its start to its end. */
async function measure(argv: readonly string[], cwd: string): Promise<Sample & { readonly stdout: string }> {
  const file = join(mkdtempSync(join(tmpdir(), 'outpost-bench-')), 'sample.json');
  const startedAt = performance.now();
  const { stdout, exitCode, stderr } = await execa(process.execPath, ['--import', join(import.meta.dirname, 'bench-probe.mjs'), ...argv], {
    cwd,
    reject: false,
    env: { OUTPOST_BENCH_FILE: file },
  });
  const wallMs = performance.now() - startedAt;
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}\n${stdout}\n${stderr}`);
  const sample = JSON.parse(readFileSync(file, 'utf8')) as Omit<Sample, 'wallMs'>;
  return { wallMs, ...sample, stdout };
}

/** Features with as many scenarios and steps as the lab, whose steps do nothing. */
function writeBareProject(folder: string, stepsOfScenarios: readonly number[]): void {
  mkdirSync(join(folder, 'features'), { recursive: true });
  mkdirSync(join(folder, 'steps'));
  const scenarios = stepsOfScenarios.map((count, index) => `  Scenario: ${index}\n${'    Given an empty step\n'.repeat(count)}`);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'features/bare.feature'), `Feature: bare\n${scenarios.join('\n')}`);
  writeFileSync(join(folder, 'steps/bare.mjs'), "import { Given } from '@cucumber/cucumber';\nGiven('an empty step', () => {});\n");
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function row(name: string, samples: readonly Sample[]): string {
  const wall = samples.map(({ wallMs }) => wallMs);
  const cells = [median(wall), Math.min(...wall), Math.max(...wall), median(samples.map(({ cpuMs }) => cpuMs))].map((value) =>
    `${Math.round(value)} ms`.padStart(9),
  );
  const peak = `${Math.round(Math.max(...samples.map(({ peakMegabytes }) => peakMegabytes)))} MB`.padStart(8);
  return `${name.padEnd(44)}${cells.join('')}${peak}`;
}

const reports = mkdtempSync(join(tmpdir(), 'outpost-bench-reports-'));
// Inside the clone, so that it finds the same Cucumber.
const bare = join(clone, '.cache/bench');
const whole = [launcher, 'run', '--driver', 'simulator', '--json', '--reports', reports];
try {
  const first = await measure(whole, clone);
  const { stdout: json } = first;
  const verdict = JSON.parse(json) as { counts: { passed: number }; bootMs?: number; challenges: { scenarios: { steps: number }[] }[] };
  const steps = verdict.challenges.flatMap(({ scenarios }) => scenarios.map((scenario) => scenario.steps));
  rmSync(bare, { recursive: true, force: true });
  writeBareProject(bare, steps);
  const cucumber = [join(clone, 'node_modules/@cucumber/cucumber/bin/cucumber.js'), '--import', 'steps/*.mjs', 'features'];
  const samples = { whole: [] as Sample[], bare: [] as Sample[], start: [] as Sample[] };
  // Side by side, round by round, so that a slow moment of the machine hits all alike.
  for (let round = 0; round < rounds; round++) {
    samples.whole.push(await measure(whole, clone));
    samples.bare.push(await measure(cucumber, bare));
    samples.start.push(await measure([launcher, 'list'], clone));
  }
  const total = steps.reduce((sum, count) => sum + count, 0);
  console.log(`${steps.length} scenarios, ${total} steps, ${rounds} rounds on Node ${process.version}\n`);
  console.log(`${' '.repeat(44)}   median     best    worst      cpu    peak`);
  console.log(row('outpost run, whole lab on the simulator', samples.whole));
  console.log(row(`cucumber-js, ${total} empty steps`, samples.bare));
  console.log(row('outpost list (start-up alone)', samples.start));
  console.log(`${'boot of the simulated lab'.padEnd(44)}${`${Math.round(verdict.bootMs ?? 0)} ms`.padStart(9)}`);
  const ratio = median(samples.whole.map(({ wallMs }) => wallMs)) / median(samples.bare.map(({ wallMs }) => wallMs));
  console.log(
    `\nratio to bare Cucumber: ${ratio.toFixed(2)}   first run of these sources (makes the bundle): ${Math.round(first.wallMs)} ms`,
  );
} finally {
  rmSync(bare, { recursive: true, force: true });
  rmSync(reports, { recursive: true, force: true });
}
