// Everything that `npm test` checks: types, lint and format, unused code, unit and acceptance tests, then the features on the simulator.
// Ends with one line `N passed, N failed`, counted over all of them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'outpost-test-'));
const bin = (name) => join(root, 'node_modules', '.bin', name);
let passed = 0;
let failed = 0;

function run(title, command, args) {
  console.log(`\n── ${title}`);
  const startedAt = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  console.log(`   ${status === 0 ? 'ok' : `failed (exit ${status})`}, ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return status === 0;
}

function count(isPassed) {
  if (isPassed) passed++;
  else failed++;
}

count(run('types (tsc)', bin('tsc'), ['--noEmit']));
count(run('lint and format (biome)', bin('biome'), ['ci', '--error-on-warnings', '.']));

count(run('unused code (knip)', bin('knip'), []));

const vitestReport = join(scratch, 'vitest.json');
const vitestPassed = run('tests (vitest)', bin('vitest'), [
  'run',
  '--reporter=dot',
  '--reporter=json',
  `--outputFile.json=${vitestReport}`,
]);
const tests = readReport(vitestReport);
if (tests === undefined) count(false);
else {
  passed += tests.numPassedTests;
  failed += tests.numFailedTests;
  // A file that could not even be loaded has no failed test of its own.
  if (!vitestPassed && tests.numFailedTests === 0) failed++;
}

const runReport = join(scratch, 'reports');
const featuresPassed = run('features on the simulator (outpost run)', process.execPath, [
  join(root, 'support/cli/outpost.mjs'),
  'run',
  '--driver',
  'simulator',
  '--reports',
  runReport,
]);
const scenarios = readScenarios(join(runReport, 'messages.ndjson'));
if (scenarios.passed + scenarios.failed === 0) failed++;
passed += scenarios.passed;
failed += scenarios.failed;
if (!featuresPassed && scenarios.failed === 0) failed++;

rmSync(scratch, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Counts scenarios by the worst result of their steps. */
function readScenarios(file) {
  const counts = { passed: 0, failed: 0 };
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return counts;
  }
  const worst = new Map();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { testStepFinished } = JSON.parse(line);
    if (testStepFinished === undefined) continue;
    const { testCaseStartedId, testStepResult } = testStepFinished;
    if (testStepResult.status !== 'PASSED') worst.set(testCaseStartedId, testStepResult.status);
    else if (!worst.has(testCaseStartedId)) worst.set(testCaseStartedId, 'PASSED');
  }
  for (const status of worst.values()) {
    if (status === 'PASSED') counts.passed++;
    else if (status !== 'SKIPPED') counts.failed++;
  }
  return counts;
}
