import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';

const clone = resolve(import.meta.dirname, '../..');
const launcher = join(clone, 'support/cli/outpost.mjs');
const rounds = Number(process.argv[2] ?? 5);
/** Nodes of the clusters to build: `npm run bench -- 5 10,100` leaves out the one that takes a minute and more. */
const sizes = (process.argv[3] ?? '10,100,1000').split(',').map(Number);
/** A cluster of a thousand nodes is to do with 2 GB: bounded by this, V8 stays below that in all; by itself it would rather take more. */
const heapMegabytes = (nodes: number): number => (nodes <= 1000 ? 2200 : 8192);

interface Weight {
  readonly cpuMs: number;
  readonly peakMegabytes: number;
}

/** Starts a process, and takes the time from its start to its end. */
async function time(
  argv: readonly string[],
  cwd: string,
  options: { readonly nodeOptions?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
) {
  const startedAt = performance.now();
  const { stdout, exitCode, stderr } = await execa(process.execPath, [...(options.nodeOptions ?? []), ...argv], {
    cwd,
    reject: false,
    env: options.env ?? {},
  });
  const wallMs = performance.now() - startedAt;
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}\n${stdout}\n${stderr}`);
  return { wallMs, stdout };
}

/** Peak memory and processor time, of a run of its own: what measures them takes time itself. */
async function weigh(argv: readonly string[], cwd: string): Promise<Weight> {
  const file = join(mkdtempSync(join(tmpdir(), 'outpost-bench-')), 'weight.json');
  const probe = ['--import', join(import.meta.dirname, 'bench-probe.mjs')];
  await time(argv, cwd, { nodeOptions: probe, env: { OUTPOST_BENCH_FILE: file } });
  return JSON.parse(readFileSync(file, 'utf8')) as Weight;
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

interface ScaleFigures {
  readonly nodes: number;
  readonly routers: number;
  readonly pods: number;
  readonly services: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMegabytes: number;
}

interface RouterFigures {
  readonly packetsPerSecond: number;
  readonly routers: number;
  readonly wallMs: number;
}

/** Runs a script of support/bench, bundled as the command itself is: loaders of sources slow down what they load. */
async function measure<T>(name: string, args: readonly string[] = [], nodeOptions: readonly string[] = []): Promise<T> {
  const outfile = join(clone, `.cache/bench-${name}.mjs`);
  await build({
    entryPoints: [join(clone, `support/bench/${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  try {
    return JSON.parse((await time([outfile, ...args], clone, { nodeOptions })).stdout) as T;
  } finally {
    rmSync(outfile, { force: true });
  }
}

/** What each size of cluster takes, and how much that is for each time that it grows. */
async function reportScale(): Promise<void> {
  console.log('\nclusters in racks, from nothing to all ready and every route at the spine');
  console.log('  nodes    pods  services  routers      wall       cpu     peak   growth of wall');
  let before: ScaleFigures | undefined;
  for (const nodes of sizes) {
    const figures = await measure<ScaleFigures>('scale', [String(nodes)], [`--max-old-space-size=${heapMegabytes(nodes)}`]);
    const cells = [figures.nodes, figures.pods, figures.services, figures.routers].map((value, index) =>
      String(value).padStart([7, 8, 10, 9][index] ?? 8),
    );
    const seconds = [figures.wallMs, figures.cpuMs].map((value) => `${(value / 1000).toFixed(1)} s`.padStart(10));
    const growth = before === undefined ? '' : `${(figures.wallMs / before.wallMs).toFixed(1)} × for ${nodes / before.nodes} × the nodes`;
    console.log(`${cells.join('')}${seconds.join('')}${`${figures.peakMegabytes} MB`.padStart(9)}   ${growth}`);
    before = figures;
  }
}

async function reportRouters(): Promise<void> {
  const { packetsPerSecond, routers, wallMs } = await measure<RouterFigures>('routers');
  console.log(`\npackets through a path of 5 hops: ${packetsPerSecond} a second`);
  console.log(`${routers} FRR routers (leaf and spine), deployed and converged: ${(wallMs / 1000).toFixed(1)} s`);
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function row(name: string, wall: readonly number[], { cpuMs, peakMegabytes }: Weight): string {
  const cells = [median(wall), Math.min(...wall), Math.max(...wall), cpuMs].map((value) => `${Math.round(value)} ms`.padStart(9));
  return `${name.padEnd(44)}${cells.join('')}${`${Math.round(peakMegabytes)} MB`.padStart(8)}`;
}

const reports = mkdtempSync(join(tmpdir(), 'outpost-bench-reports-'));
// Inside the clone, so that it finds the same Cucumber.
const bare = join(clone, '.cache/bench');
const whole = [launcher, 'run', '--driver', 'simulator', '--json', '--reports', reports];
try {
  const first = await time(whole, clone);
  const { stdout: json } = first;
  const verdict = JSON.parse(json) as { counts: { passed: number }; bootMs?: number; challenges: { scenarios: { steps: number }[] }[] };
  const steps = verdict.challenges.flatMap(({ scenarios }) => scenarios.map((scenario) => scenario.steps));
  rmSync(bare, { recursive: true, force: true });
  writeBareProject(bare, steps);
  const cucumber = [join(clone, 'node_modules/@cucumber/cucumber/bin/cucumber.js'), '--import', 'steps/*.mjs', 'features'];
  const start = [launcher, 'list'];
  const wall = { whole: [] as number[], bare: [] as number[], start: [] as number[] };
  // Side by side, round by round, so that a slow moment of the machine hits all alike.
  for (let round = 0; round < rounds; round++) {
    wall.whole.push((await time(whole, clone)).wallMs);
    wall.bare.push((await time(cucumber, bare)).wallMs);
    wall.start.push((await time(start, clone)).wallMs);
  }
  const total = steps.reduce((sum, count) => sum + count, 0);
  console.log(`${steps.length} scenarios, ${total} steps, ${rounds} rounds on Node ${process.version}\n`);
  console.log(`${' '.repeat(44)}   median     best    worst      cpu    peak`);
  console.log(row('outpost run, whole lab on the simulator', wall.whole, await weigh(whole, clone)));
  console.log(row(`cucumber-js, ${total} empty steps`, wall.bare, await weigh(cucumber, bare)));
  console.log(row('outpost list (start-up alone)', wall.start, await weigh(start, clone)));
  console.log(`${'boot of the simulated lab'.padEnd(44)}${`${Math.round(verdict.bootMs ?? 0)} ms`.padStart(9)}`);
  const ratio = median(wall.whole) / median(wall.bare);
  console.log(
    `\nratio to bare Cucumber: ${ratio.toFixed(2)}   first run of these sources (makes the bundle): ${Math.round(first.wallMs)} ms`,
  );
  await reportRouters();
  await reportScale();
} finally {
  rmSync(bare, { recursive: true, force: true });
  rmSync(reports, { recursive: true, force: true });
}
