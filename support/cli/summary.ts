import { relative, resolve } from 'node:path';
import type { ReportPaths } from '../reports/reports.ts';
import type { Fault } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import type { ChallengeVerdict, FirstFailure, Outcome, Verdict } from '../verdict/verdict.ts';
import { formatDuration } from '../waiting/waiting.ts';
import type { Terminal } from './terminal.ts';

const marks = { passed: '✔', failed: '✘', unjudged: '!', skipped: '-', 'not run': '-' } as const;
const colours = { passed: 'green', failed: 'red', unjudged: 'yellow', skipped: 'grey', 'not run': 'grey' } as const;

/** Whose fault a failure is, in words for the one who reads it. */
const blame: Readonly<Record<Fault, string>> = {
  learner: 'a check did not hold',
  environment: 'the lab could not be judged (not your fault)',
  content: 'the content of the lab is broken',
  usage: 'wrong usage',
};

/** Tells each scenario when it is over, under the name of its feature. */
export class Progress {
  readonly #terminal: Terminal;
  #title: string | undefined;
  #feature = '';

  /** @param title told once there is something to tell */
  constructor(terminal: Terminal, title?: string) {
    this.#terminal = terminal;
    this.#title = title;
  }

  onScenario(scenario: ScenarioRecord): void {
    const { paint, tell } = this.#terminal;
    if (this.#title !== undefined) tell(this.#title);
    this.#title = undefined;
    if (scenario.feature !== this.#feature) {
      this.#feature = scenario.feature;
      tell(`\n${paint('bold', scenario.feature)}`);
    }
    const outcome = scenario.status === 'failed' && scenario.failed?.failure.fault !== 'learner' ? 'unjudged' : scenario.status;
    const time = scenario.labMs < 1 ? '' : paint('grey', `  ${formatDuration(scenario.labMs)}`);
    tell(`  ${paint(colours[outcome], marks[outcome])} ${scenario.name}${time}`);
  }
}

/** The verdict per challenge and task, with points, and the first failure explained. */
export function formatVerdict(verdict: Verdict, terminal: Terminal, times: { readonly wallMs: number; readonly labMs: number }): string {
  const { paint } = terminal;
  const lines: string[] = [''];
  // A run of some scenarios is told by what it was about; the JSON document has all.
  const run = verdict.challenges.filter(({ outcome }) => outcome !== 'not run');
  for (const challenge of run) lines.push(...formatChallenge(challenge, terminal));
  const { passed, failed, skipped } = verdict.counts;
  const counts = [`${passed} passed`, `${failed} failed`, ...(skipped === 0 ? [] : [`${skipped} skipped`])].join(', ');
  const possible = run.reduce((total, challenge) => total + pointsOf(challenge), 0);
  const points = possible === 0 ? '' : `   ${verdict.earned} of ${possible} points`;
  lines.push(
    '',
    `${paint(verdict.exitCode === 0 ? 'green' : 'red', counts)}${points}   ${formatDuration(times.wallMs)} (lab time ${formatDuration(times.labMs)})`,
  );
  if (verdict.firstFailure !== undefined) lines.push('', ...formatFailure(verdict.firstFailure, terminal));
  return lines.join('\n');
}

function formatChallenge(challenge: ChallengeVerdict, { paint }: Terminal): string[] {
  const possible = pointsOf(challenge);
  const points = possible === 0 ? '' : `${challenge.earned} of ${possible} points`;
  const time = challenge.labMs < 1 ? '' : `  ${formatDuration(challenge.labMs)}`;
  const title = `${paint(colours[challenge.outcome], marks[challenge.outcome])} ${paint('bold', challenge.title)}`;
  const lines = [`${title}   ${points || outcomeWords(challenge.outcome)}${paint('grey', time)}`];
  for (const task of challenge.tasks) {
    if (task.outcome === 'not run') continue;
    const earned = `${task.earned}/${task.points}`.padStart(6);
    const remark = task.outcome === 'unjudged' ? paint('grey', `  (${outcomeWords(task.outcome)})`) : '';
    lines.push(`  ${paint(colours[task.outcome], marks[task.outcome])} ${earned}  ${task.title}${remark}`);
  }
  return lines;
}

/** Points of the tasks that were run. */
function pointsOf(challenge: ChallengeVerdict): number {
  return challenge.tasks.filter(({ outcome }) => outcome !== 'not run').reduce((total, { points }) => total + points, 0);
}

function outcomeWords(outcome: Outcome): string {
  return outcome === 'unjudged' ? 'could not be judged' : outcome;
}

function formatFailure({ scenario, step, hint }: FirstFailure, { paint }: Terminal): string[] {
  const lines = [
    `${paint('red', 'First failure')}: ${blame[step.failure.fault]}`,
    `  ${scenario.feature}: ${scenario.name}`,
    `  ${scenario.uri}:${step.line}: ${step.keyword}${step.text}`,
    ...step.failure.message.split('\n').map((line) => `    ${line}`),
  ];
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines;
}

/** What this run used that the simulator leaves out: a verdict that rests on it says nothing about the real lab. */
export function formatNotModelled(notModelled: readonly string[], { paint }: Terminal): string {
  return [paint('yellow', 'Not simulated, so not judged as the real lab would:'), ...notModelled.map((text) => `  - ${text}`)].join('\n');
}

export function formatReports(paths: ReportPaths, record?: string): string {
  const short = (path: string) => {
    const near = relative(process.cwd(), path);
    return near.startsWith('..') ? path : near;
  };
  return [
    `Reports: ${short(paths.html)}, ${short(paths.junit)}, ${short(paths.messages)}, ${short(paths.evidence)}, ${short(paths.allureResults)}/`,
    'Allure site: outpost report',
    ...(record === undefined ? [] : [`Recording: ${short(resolve(record))}/ (compare two with: outpost drift A B)`]),
  ].join('\n');
}

/** The verdict for a machine. */
export function verdictAsJson(
  verdict: Verdict,
  run: {
    readonly lab: string;
    readonly note: string;
    readonly warnings: readonly string[];
    readonly notModelled: readonly string[];
    readonly driver: string;
    readonly seed: number;
    readonly wallMs: number;
    readonly bootMs: number;
    readonly labMs: number;
    readonly reports: ReportPaths;
  },
) {
  const scenario = ({ feature, uri, line, name, tags, status, steps, labMs, failed }: ScenarioRecord) => ({
    feature,
    file: uri,
    line,
    name,
    tags,
    status,
    steps: steps.length,
    labMs,
    ...(failed === undefined ? {} : { failure: { step: `${failed.keyword}${failed.text}`, line: failed.line, ...failed.failure } }),
  });
  return {
    lab: run.lab,
    driver: run.driver,
    note: run.note,
    warnings: run.warnings,
    notModelled: run.notModelled,
    seed: run.seed,
    exitCode: verdict.exitCode,
    fault: verdict.firstFailure?.step.failure.fault ?? null,
    points: verdict.points,
    earned: verdict.earned,
    counts: verdict.counts,
    wallMs: Math.round(run.wallMs),
    bootMs: Math.round(run.bootMs),
    labMs: Math.round(run.labMs),
    challenges: verdict.challenges.map((challenge) => ({ ...challenge, scenarios: challenge.scenarios.map(scenario) })),
    reports: run.reports,
  };
}
