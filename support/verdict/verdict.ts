import type { Failure, ScenarioRecord, StepRecord } from './scenario.ts';

/** `failed`: a check did not hold. `unjudged`: the lab or its content kept it from being judged. `not run`: no scenario of it was selected. */
export type Outcome = 'passed' | 'failed' | 'unjudged' | 'not run';

/** A challenge and its tasks, as a lab's content names them. */
export interface ChallengePlan {
  readonly name: string;
  readonly title: string;
  /** Path of its feature file. */
  readonly feature: string;
  readonly tasks: readonly TaskPlan[];
}

export interface TaskPlan {
  readonly name: string;
  readonly title: string;
  readonly points: number;
  readonly hint?: string | undefined;
}

export interface TaskVerdict extends TaskPlan {
  readonly outcome: Outcome;
  readonly earned: number;
}

export interface ChallengeVerdict {
  readonly name: string;
  readonly title: string;
  readonly outcome: Outcome;
  readonly tasks: readonly TaskVerdict[];
  readonly scenarios: readonly ScenarioRecord[];
  readonly points: number;
  readonly earned: number;
  readonly labMs: number;
}

export interface FirstFailure {
  readonly scenario: ScenarioRecord;
  readonly step: StepRecord & { readonly failure: Failure };
  readonly hint: string | undefined;
}

export interface Verdict {
  readonly exitCode: 0 | 1 | 3 | 4;
  readonly challenges: readonly ChallengeVerdict[];
  readonly points: number;
  readonly earned: number;
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly firstFailure: FirstFailure | undefined;
}

/** The tag that ties a scenario to a task of its challenge. */
export function taskTag(task: string): string {
  return `@task-${task}`;
}

/**
 * Judges a run. A task is passed when every scenario with its tag held, and at least one did. Scenarios of features
 * that belong to no challenge count for the verdict, not for points.
 * @param featureOf brings the path of a scenario and that of a challenge's feature to one form
 */
export function judge(
  plans: readonly ChallengePlan[],
  scenarios: readonly ScenarioRecord[],
  featureOf: (path: string) => string = (path) => path,
): Verdict {
  const byFeature = new Map<string, ScenarioRecord[]>();
  for (const scenario of scenarios) {
    const feature = featureOf(scenario.uri);
    byFeature.set(feature, [...(byFeature.get(feature) ?? []), scenario]);
  }
  const challenges = plans.map((plan) => judgeChallenge(plan, byFeature.get(featureOf(plan.feature)) ?? []));
  const planned = new Set(plans.map(({ feature }) => featureOf(feature)));
  for (const [feature, others] of byFeature) {
    if (planned.has(feature)) continue;
    const title = others[0]?.feature ?? feature;
    challenges.push(judgeChallenge({ name: title, title, feature, tasks: [] }, others));
  }
  const failed = scenarios.filter(({ status }) => status === 'failed');
  const faults = failed.map(({ failed: step }) => step?.failure.fault ?? 'environment');
  return {
    // A broken lab or broken content makes every other verdict of the run doubtful, so it decides.
    exitCode: faults.some((fault) => fault === 'content' || fault === 'usage')
      ? 4
      : faults.includes('environment')
        ? 3
        : faults.includes('learner')
          ? 1
          : 0,
    challenges,
    points: sum(challenges, ({ points }) => points),
    earned: sum(challenges, ({ earned }) => earned),
    counts: {
      passed: scenarios.filter(({ status }) => status === 'passed').length,
      failed: failed.length,
      skipped: scenarios.filter(({ status }) => status === 'skipped').length,
    },
    firstFailure: firstFailure(plans, failed, featureOf),
  };
}

function judgeChallenge(plan: ChallengePlan, scenarios: readonly ScenarioRecord[]): ChallengeVerdict {
  const tasks = plan.tasks.map((task) => {
    const outcome = outcomeOf(scenarios.filter(({ tags }) => tags.includes(taskTag(task.name))));
    return { ...task, outcome, earned: outcome === 'passed' ? task.points : 0 };
  });
  return {
    name: plan.name,
    title: plan.title,
    outcome: outcomeOf(scenarios),
    tasks,
    scenarios,
    points: sum(tasks, ({ points }) => points),
    earned: sum(tasks, ({ earned }) => earned),
    labMs: sum(scenarios, ({ labMs }) => labMs),
  };
}

function outcomeOf(scenarios: readonly ScenarioRecord[]): Outcome {
  const run = scenarios.filter(({ status }) => status !== 'skipped');
  const failed = run.filter(({ status }) => status === 'failed');
  if (run.length === 0) return 'not run';
  if (failed.length === 0) return 'passed';
  return failed.some(({ failed: step }) => step?.failure.fault === 'learner') ? 'failed' : 'unjudged';
}

/** The first failure of the gravest kind, with the hint of its task. */
function firstFailure(
  plans: readonly ChallengePlan[],
  failed: readonly ScenarioRecord[],
  featureOf: (path: string) => string,
): FirstFailure | undefined {
  const gravity = { content: 0, usage: 0, environment: 1, learner: 2 } as const;
  const withStep = failed.flatMap((scenario) => (scenario.failed === undefined ? [] : [{ scenario, step: scenario.failed }]));
  const first = withStep.sort((a, b) => gravity[a.step.failure.fault] - gravity[b.step.failure.fault]).at(0);
  if (first === undefined) return undefined;
  const plan = plans.find(({ feature }) => featureOf(feature) === featureOf(first.scenario.uri));
  const task = plan?.tasks.find(({ name }) => first.scenario.tags.includes(taskTag(name)));
  return { ...first, hint: first.step.failure.fault === 'learner' ? task?.hint : undefined };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
