import { describe, expect, it } from 'vitest';
import { checkFailed, mustHold } from './check.ts';
import { missingRows, observe } from './compare.ts';
import { CheckFailure, type Fault } from './errors.ts';
import { faultOfError, type ScenarioRecord } from './scenario.ts';
import { type ChallengePlan, judge } from './verdict.ts';

const plan: ChallengePlan = {
  name: 'routing',
  title: 'Routing',
  feature: '/lab/features/1.feature',
  tasks: [
    { name: 'sessions', title: 'Sessions are up', points: 10, hint: 'show bgp summary' },
    { name: 'routes', title: 'Routes are learned', points: 5 },
  ],
};

function scenario(name: string, tags: string[], fault?: Fault, rest: Partial<ScenarioRecord> = {}): ScenarioRecord {
  const failure = fault === undefined ? undefined : { fault, message: `${name} went wrong` };
  const step = {
    keyword: 'Then ',
    text: name,
    line: 3,
    durationMs: 1,
    evidence: [],
    status: failure === undefined ? ('passed' as const) : ('failed' as const),
    failure,
  };
  return {
    feature: 'Routing',
    uri: 'features/1.feature',
    name,
    line: 2,
    tags,
    steps: [step],
    status: failure === undefined ? 'passed' : 'failed',
    failed: failure === undefined ? undefined : { ...step, failure },
    labMs: 100,
    durationMs: 1,
    ...rest,
  };
}

const featureOf = (path: string) => path.replace(/^\/lab\//, '');
const outcomes = (scenarios: ScenarioRecord[]) => {
  const verdict = judge([plan], scenarios, featureOf);
  return {
    exitCode: verdict.exitCode,
    earned: verdict.earned,
    points: verdict.points,
    tasks: verdict.challenges[0]?.tasks.map(({ outcome }) => outcome),
  };
};

describe('a verdict', () => {
  it.each<[string, ScenarioRecord[], ReturnType<typeof outcomes>]>([
    [
      'gives all points when all held',
      [scenario('up', ['@task-sessions']), scenario('learned', ['@task-routes'])],
      { exitCode: 0, earned: 15, points: 15, tasks: ['passed', 'passed'] },
    ],
    [
      'takes the points of a task when one of its scenarios failed',
      [scenario('up', ['@task-sessions']), scenario('both', ['@task-sessions'], 'learner'), scenario('learned', ['@task-routes'])],
      { exitCode: 1, earned: 5, points: 15, tasks: ['failed', 'passed'] },
    ],
    [
      'leaves a task open when the lab kept it from being judged',
      [scenario('up', ['@task-sessions'], 'environment'), scenario('learned', ['@task-routes'])],
      { exitCode: 3, earned: 5, points: 15, tasks: ['unjudged', 'passed'] },
    ],
    [
      'is about the environment before it is about the learner',
      [scenario('up', ['@task-sessions'], 'learner'), scenario('learned', ['@task-routes'], 'environment')],
      { exitCode: 3, earned: 0, points: 15, tasks: ['failed', 'unjudged'] },
    ],
    [
      'is about the content before it is about anything else',
      [scenario('up', ['@task-sessions'], 'environment'), scenario('learned', ['@task-routes'], 'content')],
      { exitCode: 4, earned: 0, points: 15, tasks: ['unjudged', 'unjudged'] },
    ],
    [
      'does not give points for what was not run',
      [scenario('up', ['@task-sessions'])],
      { exitCode: 0, earned: 10, points: 15, tasks: ['passed', 'not run'] },
    ],
    [
      'does not hold a skipped scenario against anybody',
      [scenario('up', ['@task-sessions']), scenario('live only', ['@task-sessions'], undefined, { status: 'skipped' })],
      { exitCode: 0, earned: 10, points: 15, tasks: ['passed', 'not run'] },
    ],
    [
      'fails for a scenario without a task, which costs no points',
      [scenario('up', ['@task-sessions']), scenario('loose', [], 'learner'), scenario('learned', ['@task-routes'])],
      { exitCode: 1, earned: 15, points: 15, tasks: ['passed', 'passed'] },
    ],
  ])('%s', (_name, scenarios, expected) => expect(outcomes(scenarios)).toEqual(expected));

  it('counts features outside of challenges, under their own name', () => {
    const verdict = judge(
      [plan],
      [scenario('up', ['@task-sessions']), scenario('more', [], 'learner', { uri: 'features/2.feature', feature: 'Extras' })],
      featureOf,
    );
    expect(verdict.challenges.map(({ title, points, outcome }) => ({ title, points, outcome }))).toEqual([
      { title: 'Routing', points: 15, outcome: 'passed' },
      { title: 'Extras', points: 0, outcome: 'failed' },
    ]);
    expect(verdict.counts).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it('explains the first failure of the gravest kind, with the hint of its task', () => {
    const learner = judge(
      [plan],
      [scenario('up', ['@task-sessions'], 'learner'), scenario('learned', ['@task-routes'], 'learner')],
      featureOf,
    );
    expect(learner.firstFailure).toMatchObject({ scenario: { name: 'up' }, hint: 'show bgp summary' });
    const environment = judge(
      [plan],
      [scenario('up', ['@task-sessions'], 'learner'), scenario('learned', ['@task-routes'], 'environment')],
      featureOf,
    );
    expect(environment.firstFailure).toMatchObject({ scenario: { name: 'learned' }, hint: undefined });
  });
});

describe('whose fault an error is', () => {
  it.each([
    ['CheckFailure', 'learner'],
    ['AssertionError', 'learner'],
    ['EnvironmentError', 'environment'],
    ['ContentError', 'content'],
    ['TypeError', 'environment'],
    [undefined, 'environment'],
  ])('%s: %s', (name, fault) => expect(faultOfError(name)).toBe(fault));
});

describe('a check that did not hold', () => {
  const expectation = { expected: 'r1 established', look: 'show bgp summary' };

  it('says what was expected, seen, and where to look', () => {
    expect(checkFailed(expectation, 'Active').message).toBe('expected r1 established\n  saw: Active\n  look at: show bgp summary');
  });

  it('says for how long, and why it cannot come true', () => {
    const waited = { held: false, saw: 'Active', elapsedMs: 40_000, probes: 161, impossible: 'r1 has no such neighbor' } as const;
    expect(() => mustHold(waited, expectation)).toThrow(
      new CheckFailure('check/not-held', 'expected r1 established\n  saw: Active (after 40 s)\n  look at: show bgp summary', {
        hint: 'r1 has no such neighbor',
      }),
    );
  });

  it('gives the value of what held', () => {
    expect(mustHold({ held: true, value: 7, elapsedMs: 0, probes: 1 }, expectation)).toBe(7);
  });
});

describe('rows of a feature against rows seen', () => {
  const expected = [
    { node: 'n1', state: 'up' },
    { node: 'n2', state: 'up' },
  ];
  it.each([
    [
      'agree, in any order and with more of them',
      [
        { node: 'n3', state: 'x' },
        { node: 'n2', state: 'up' },
        { node: 'n1', state: 'up' },
      ],
      [],
    ],
    ['lack one', [{ node: 'n1', state: 'up' }], ['no n2']],
    [
      'differ in a cell',
      [
        { node: 'n1', state: 'up' },
        { node: 'n2', state: 'down' },
      ],
      ['n2: state down instead of up'],
    ],
    [
      'agree when one of several does',
      [
        { node: 'n1', state: 'up' },
        { node: 'n2', state: 'down' },
        { node: 'n2', state: 'up' },
      ],
      [],
    ],
  ])('%s', (_name, seen, differences) => expect(missingRows(expected, seen, ['node'])).toEqual(differences));

  it('compare numbers by how they are written', () => {
    expect(missingRows([{ node: 'n1', AS: '64501' }], [{ node: 'n1', AS: 64501 }], ['node'])).toEqual([]);
  });

  it('make an observation', () => {
    expect(observe([], 1)).toEqual({ ok: true, value: 1 });
    expect(observe(['no n2', 'no n3'], 1)).toEqual({ ok: false, saw: 'no n2; no n3' });
  });
});
