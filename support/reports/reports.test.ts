import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Envelope } from '@cucumber/messages';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { RunRecorder } from './recorder.ts';
import { ReportFile } from './report-file.ts';
import { Reports } from './reports.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outpost-reports-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = { seconds: 0, nanos: 0 };

/** The messages of one scenario with one step, as Cucumber sends them. */
function messages(options: { definitions?: string[]; exception?: { type: string; message: string }; evidence?: string } = {}): Envelope[] {
  const { definitions = ['d1'], exception, evidence } = options;
  const step = { id: 's1', keyword: 'Then ', keywordType: 'Outcome', text: 'r1 is "up" within 30 seconds', location: { line: 4 } };
  const scenario = {
    id: 'sc1',
    location: { line: 3 },
    tags: [],
    keyword: 'Scenario',
    name: 'up',
    description: '',
    steps: [step],
    examples: [],
  };
  const feature = {
    location: { line: 1 },
    tags: [],
    language: 'en',
    keyword: 'Feature',
    name: 'Routing',
    description: '',
    children: [{ scenario }],
  };
  const result =
    exception === undefined
      ? { status: 'PASSED', duration: at }
      : { status: 'FAILED', duration: at, message: exception.message, exception };
  const attachment =
    evidence === undefined
      ? []
      : [
          {
            attachment: {
              body: evidence,
              contentEncoding: 'IDENTITY',
              mediaType: 'text/plain',
              testCaseStartedId: 'run1',
              testStepId: 'ts1',
            },
          },
        ];
  return [
    { gherkinDocument: { uri: 'features/1.feature', feature, comments: [] } },
    {
      pickle: {
        id: 'p1',
        uri: 'features/1.feature',
        name: 'up',
        language: 'en',
        astNodeIds: ['sc1'],
        tags: [{ name: '@task-a', astNodeId: 't' }],
        steps: [{ id: 'ps1', text: step.text, astNodeIds: ['s1'] }],
      },
    },
    { testCase: { id: 'tc1', pickleId: 'p1', testSteps: [{ id: 'ts1', pickleStepId: 'ps1', stepDefinitionIds: definitions }] } },
    { testCaseStarted: { id: 'run1', testCaseId: 'tc1', attempt: 0, timestamp: at } },
    { testStepStarted: { testCaseStartedId: 'run1', testStepId: 'ts1', timestamp: at } },
    ...attachment,
    { testStepFinished: { testCaseStartedId: 'run1', testStepId: 'ts1', testStepResult: result, timestamp: at } },
    { testCaseFinished: { testCaseStartedId: 'run1', willBeRetried: false, timestamp: at } },
  ] as unknown as Envelope[];
}

function record(envelopes: readonly Envelope[]): readonly ScenarioRecord[] {
  const recorder = new RunRecorder(() => 0);
  for (const envelope of envelopes) recorder.onEnvelope(envelope);
  return recorder.scenarios;
}

describe('a recorded run', () => {
  it('tells a scenario with its steps and evidence', () => {
    const [scenario] = record(messages({ evidence: '$ show bgp\n' }));
    expect(scenario).toMatchObject({
      feature: 'Routing',
      uri: 'features/1.feature',
      name: 'up',
      line: 3,
      tags: ['@task-a'],
      status: 'passed',
      failed: undefined,
      steps: [{ keyword: 'Then ', text: 'r1 is "up" within 30 seconds', line: 4, status: 'passed', evidence: ['$ show bgp\n'] }],
    });
  });

  it('knows whose fault a failure is by the class of its error', () => {
    const failure = (type: string) => record(messages({ exception: { type, message: 'm' } }))[0]?.failed?.failure;
    expect(failure('CheckFailure')).toEqual({ fault: 'learner', message: 'm' });
    expect(failure('EnvironmentError')).toEqual({ fault: 'environment', message: 'm' });
  });

  it.each([
    [
      'undefined',
      [],
      'features/1.feature:4: no step definition fits "r1 is "up" within 30 seconds"',
      "correct the wording, or define Then('r1 is {string} within {duration}', async function (this: OutpostWorld) { … })",
    ],
    [
      'ambiguous',
      ['d1', 'd2'],
      'features/1.feature:4: 2 step definitions fit "r1 is "up" within 30 seconds"',
      'word their patterns in steps/ so that only one fits',
    ],
  ])('refuses an %s step, before anything is run', (_name, definitions, shortMessage, fix) => {
    expect(() => record(messages({ definitions }))).toThrow(expect.objectContaining({ constructor: ContentError, shortMessage, fix }));
  });

  it('refuses a feature that is no Gherkin, with its line', () => {
    const envelope = { parseError: { source: { uri: 'features/1.feature' }, message: "(7:3): expected: #EOF, got 'Whn x'" } } as Envelope;
    expect(() => record([envelope])).toThrow("features/1.feature:7: not valid Gherkin: expected: #EOF, got 'Whn x'");
  });
});

describe('a report file', () => {
  it('is whole after each addition', () => {
    const path = join(folder, 'r.txt');
    const file = new ReportFile(path, '[n=0]', '<end>');
    const text = () => readFileSync(path, 'utf8');
    expect(text()).toBe('[n=0]<end>');
    file.append('some more than the end is long;');
    expect(text()).toBe('[n=0]some more than the end is long;<end>');
    file.rewriteBeginning('[n=1]');
    file.close();
    expect(text()).toBe('[n=1]some more than the end is long;<end>');
  });
});

describe('the reports of a run', () => {
  const run = (...envelopes: Envelope[]) => {
    const reports = new Reports(folder, 'lab: simulator, seed 1');
    const recorder = new RunRecorder(
      () => 0,
      (scenario) => reports.onScenario(scenario),
    );
    for (const envelope of envelopes) {
      reports.onEnvelope(envelope);
      recorder.onEnvelope(envelope);
    }
    return reports;
  };
  const read = (path: string) => readFileSync(path, 'utf8');

  it('are whole when the run ends in the middle', () => {
    const { paths } = run(
      ...messages({
        exception: { type: 'CheckFailure', message: 'expected <up>\n  saw: "down" & out' },
        evidence: '$ show bgp\nnothing\n',
      }),
    );
    const junit = read(paths.junit);
    expect(junit).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites>\n<testsuite name="lab: simulator, seed 1" tests="1" failures="1" errors="0" skipped="0" time="\d+\.\d{3}" +>\n<testcase /,
    );
    expect(junit).toContain(
      '<failure type="learner" message="expected &lt;up&gt;">Then r1 is &quot;up&quot; within 30 seconds&#10;expected &lt;up&gt;&#10;  saw: &quot;down&quot; &amp; out</failure>',
    );
    expect(junit.endsWith('</testcase>\n</testsuite>\n</testsuites>\n')).toBe(true);
    expect(
      read(paths.messages)
        .trim()
        .split('\n')
        .map((line) => Object.keys(JSON.parse(line))[0]),
    ).toEqual([
      'gherkinDocument',
      'pickle',
      'testCase',
      'testCaseStarted',
      'testStepStarted',
      'attachment',
      'testStepFinished',
      'testCaseFinished',
    ]);
    expect(read(paths.html)).toMatch(/<script>CUCUMBER_MESSAGES\.push\(\{"testCaseFinished".*\)<\/script>\n$/s);
    expect(read(paths.evidence)).toBe(
      [
        'lab: simulator, seed 1',
        '',
        '## Routing: up (features/1.feature:3) failed',
        '',
        '### Then r1 is "up" within 30 seconds … failed',
        '',
        '$ show bgp',
        'nothing',
        '',
        'expected <up>',
        '  saw: "down" & out',
        '',
      ].join('\n'),
    );
  });

  it('call what kept a scenario from being judged an error', () => {
    const { paths } = run(...messages({ exception: { type: 'EnvironmentError', message: 'no lab' } }));
    expect(read(paths.junit)).toContain('<error type="environment" message="no lab">');
  });

  it('keep a page that no text of the lab can break out of', () => {
    const reports = run(...messages({ evidence: '</script><b>' }));
    reports.close();
    expect(read(reports.paths.html)).toContain('\\u003c/script>\\u003cb>');
    expect(read(reports.paths.html).endsWith('</body>\n</html>\n')).toBe(true);
  });
});
