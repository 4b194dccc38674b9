import type {
  Attachment,
  Duration,
  Envelope,
  GherkinDocument,
  Pickle,
  PickleStep,
  Step,
  TestCase,
  TestStepFinished,
  TestStepStarted,
} from '@cucumber/messages';
import { ContentError } from '../verdict/errors.ts';
import { type Failure, faultOfError, type ScenarioRecord, type StepRecord, type StepStatus } from '../verdict/scenario.ts';

interface Document {
  readonly feature: string;
  /** Steps and scenarios of the file by their id, with their lines. */
  readonly steps: ReadonlyMap<string, Step>;
  readonly lines: ReadonlyMap<string, number>;
}

/** The scenario and step that is being run. */
export interface RunningPlace {
  readonly uri: string;
  readonly scenario: string;
  /** Which scenario of the run, from 1. */
  readonly number: number;
  readonly step: string | undefined;
  readonly line: number;
}

interface Running {
  readonly testCase: TestCase;
  readonly pickle: Pickle;
  readonly steps: StepRecord[];
  readonly startedAt: number;
  readonly labStartedAt: number;
}

/**
 * Follows a run through Cucumber's messages and tells each scenario once, when it is over.
 * @see https://github.com/cucumber/messages
 */
export class RunRecorder {
  readonly scenarios: ScenarioRecord[] = [];
  readonly #labNow: () => number;
  readonly #onScenario: (scenario: ScenarioRecord) => void;
  readonly #shown: (uri: string) => string;
  readonly #documents = new Map<string, Document>();
  readonly #pickles = new Map<string, Pickle>();
  readonly #testCases = new Map<string, TestCase>();
  readonly #running = new Map<string, Running>();
  #evidence: string[] = [];
  #place: RunningPlace | undefined;
  #started = 0;

  /**
   * @param labNow the lab's time in milliseconds
   * @param shown a feature's path as messages to its author name it
   */
  constructor(
    labNow: () => number,
    onScenario: (scenario: ScenarioRecord) => void = () => {},
    shown: (uri: string) => string = (uri) => uri,
  ) {
    this.#labNow = labNow;
    this.#onScenario = onScenario;
    this.#shown = shown;
  }

  /** @throws ContentError for a feature that cannot be read, and for a step that no definition, or more than one, fits */
  onEnvelope(envelope: Envelope): void {
    if (envelope.gherkinDocument !== undefined)
      this.#documents.set(envelope.gherkinDocument.uri ?? '', readDocument(envelope.gherkinDocument));
    else if (envelope.parseError !== undefined)
      throw parseFailure(this.#shown(envelope.parseError.source.uri ?? ''), envelope.parseError.message);
    else if (envelope.pickle !== undefined) this.#pickles.set(envelope.pickle.id, envelope.pickle);
    else if (envelope.testCase !== undefined) this.#plan(envelope.testCase);
    else if (envelope.testCaseStarted !== undefined) this.#start(envelope.testCaseStarted.id, envelope.testCaseStarted.testCaseId);
    else if (envelope.testStepStarted !== undefined) this.#startStep(envelope.testStepStarted);
    else if (envelope.attachment !== undefined) this.#attach(envelope.attachment);
    else if (envelope.testStepFinished !== undefined) this.#finishStep(envelope.testStepFinished);
    else if (envelope.testCaseFinished !== undefined) this.#finish(envelope.testCaseFinished.testCaseStartedId);
  }

  #plan(testCase: TestCase): void {
    this.#testCases.set(testCase.id, testCase);
    const pickle = this.#pickles.get(testCase.pickleId);
    if (pickle?.steps.length === 0) throw emptyScenario(this.#shown(pickle.uri), this.lineOf(pickle), pickle.name);
    for (const step of testCase.testSteps) {
      const pickleStep = pickle?.steps.find(({ id }) => id === step.pickleStepId);
      if (pickle === undefined || pickleStep === undefined || step.stepDefinitionIds?.length === 1) continue;
      throw stepFailure(this.#shown(pickle.uri), this.lineOfStep(pickle, pickleStep), pickleStep.text, step.stepDefinitionIds?.length ?? 0);
    }
  }

  #start(id: string, testCaseId: string): void {
    const testCase = this.#testCases.get(testCaseId);
    const pickle = testCase === undefined ? undefined : this.#pickles.get(testCase.pickleId);
    if (testCase === undefined || pickle === undefined) return;
    const { uri, name } = pickle;
    this.#place = { uri, scenario: name, number: ++this.#started, step: undefined, line: this.lineOf(pickle) };
    this.#running.set(id, { testCase, pickle, steps: [], startedAt: performance.now(), labStartedAt: this.#labNow() });
  }

  /** Where the run is; undefined between scenarios. */
  get place(): RunningPlace | undefined {
    return this.#place;
  }

  #startStep({ testCaseStartedId, testStepId }: TestStepStarted): void {
    const running = this.#running.get(testCaseStartedId);
    if (running === undefined || this.#place === undefined) return;
    const pickleStepId = running.testCase.testSteps.find(({ id }) => id === testStepId)?.pickleStepId;
    const step = running.pickle.steps.find(({ id }) => id === pickleStepId);
    const line = step === undefined ? this.lineOf(running.pickle) : this.lineOfStep(running.pickle, step);
    this.#place = { ...this.#place, step: step?.text, line };
  }

  #attach(attachment: Attachment): void {
    if (attachment.mediaType.startsWith('text/')) {
      const isPlain = String(attachment.contentEncoding) === 'IDENTITY';
      this.#evidence.push(isPlain ? attachment.body : Buffer.from(attachment.body, 'base64').toString('utf8'));
    }
  }

  #finishStep({ testCaseStartedId, testStepId, testStepResult }: TestStepFinished): void {
    const running = this.#running.get(testCaseStartedId);
    const testStep = running?.testCase.testSteps.find(({ id }) => id === testStepId);
    const evidence = this.#evidence;
    this.#evidence = [];
    if (running === undefined || testStep === undefined) return;
    const pickleStep = running.pickle.steps.find(({ id }) => id === testStep.pickleStepId);
    const step = this.#documents.get(running.pickle.uri)?.steps.get(pickleStep?.astNodeIds[0] ?? '');
    const status = String(testStepResult.status).toLowerCase() as StepStatus;
    // A hook that passed and left nothing is of no interest to anybody.
    if (pickleStep === undefined && status === 'passed' && evidence.length === 0) return;
    running.steps.push({
      keyword: step?.keyword ?? '',
      text: pickleStep?.text ?? 'hook',
      line: step?.location.line ?? this.lineOf(running.pickle),
      status,
      durationMs: milliseconds(testStepResult.duration),
      failure: failureOf(status, testStepResult),
      evidence,
    });
  }

  #finish(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    this.#place = undefined;
    const { pickle, steps } = running;
    const failed = steps.find((step): step is StepRecord & { failure: Failure } => step.failure !== undefined);
    const scenario: ScenarioRecord = {
      feature: this.#documents.get(pickle.uri)?.feature ?? pickle.uri,
      uri: pickle.uri,
      name: pickle.name,
      line: this.lineOf(pickle),
      tags: pickle.tags.map(({ name }) => name),
      steps,
      status: failed !== undefined ? 'failed' : steps.some(({ status }) => status === 'skipped') ? 'skipped' : 'passed',
      failed,
      labMs: this.#labNow() - running.labStartedAt,
      durationMs: performance.now() - running.startedAt,
    };
    this.scenarios.push(scenario);
    this.#onScenario(scenario);
  }

  lineOfStep(pickle: Pickle, step: PickleStep): number {
    return this.#documents.get(pickle.uri)?.steps.get(step.astNodeIds[0] ?? '')?.location.line ?? 1;
  }

  /** The line of the scenario, or of the row of examples that it came from. */
  lineOf(pickle: Pickle): number {
    return this.#documents.get(pickle.uri)?.lines.get(pickle.astNodeIds.at(-1) ?? '') ?? 1;
  }
}

function failureOf(status: StepStatus, result: TestStepFinished['testStepResult']): Failure | undefined {
  if (status === 'passed' || status === 'skipped') return undefined;
  if (status !== 'failed') return { fault: 'content', message: `the step is ${status}` };
  const fault = faultOfError(result.exception?.type);
  const isOurs = fault !== 'environment' || result.exception?.type === 'EnvironmentError' || result.exception?.type === 'ToolRefusal';
  // An error that no class of ours explains is a bug: its stack is the only help there is.
  const message = isOurs ? (result.exception?.message ?? result.message) : (result.exception?.stackTrace ?? result.message);
  return { fault, message: message ?? 'failed without a message' };
}

function readDocument(document: GherkinDocument): Document {
  const steps = new Map<string, Step>();
  const lines = new Map<string, number>();
  const addSteps = (list: readonly Step[]) => {
    for (const step of list) steps.set(step.id, step);
  };
  const children = (document.feature?.children ?? []).flatMap((child) => [child, ...(child.rule?.children ?? [])]);
  for (const { background, scenario } of children) {
    if (background !== undefined) addSteps(background.steps);
    if (scenario === undefined) continue;
    addSteps(scenario.steps);
    lines.set(scenario.id, scenario.location.line);
    for (const row of scenario.examples.flatMap(({ tableBody }) => tableBody)) lines.set(row.id, row.location.line);
  }
  return { feature: document.feature?.name ?? document.uri ?? '', steps, lines };
}

function parseFailure(uri: string, message: string): ContentError {
  const [, line = '1', text = message] = /^\((\d+):\d+\): (.*)$/s.exec(message) ?? [];
  return new ContentError('content/feature', `${uri}:${line}: not valid Gherkin: ${text}`, { fix: `correct line ${line} of ${uri}` });
}

function emptyScenario(uri: string, line: number, name: string): ContentError {
  return new ContentError('content/empty-scenario', `${uri}:${line}: the scenario "${name}" has no steps, so it could not fail`, {
    hint: 'a line that does not begin with Given, When, Then, And or But is read as a description',
    fix: 'give it steps, or correct their first words',
  });
}

function stepFailure(uri: string, line: number, text: string, definitions: number): ContentError {
  if (definitions === 0) {
    return new ContentError('content/undefined-step', `${uri}:${line}: no step definition fits "${text}"`, {
      hint: 'steps/ holds the vocabulary; a step must be worded exactly as one of its patterns',
      fix: `correct the wording, or define ${snippet(text)}`,
    });
  }
  return new ContentError('content/ambiguous-step', `${uri}:${line}: ${definitions} step definitions fit "${text}"`, {
    fix: 'word their patterns in steps/ so that only one fits',
  });
}

/** A pattern to start from: texts in quotes, durations and numbers become parameters. */
function snippet(text: string): string {
  const pattern = text
    .replaceAll(/"[^"]*"/g, '{string}')
    .replaceAll(/\b\d+ (millisecond|second|minute)s?\b/g, '{duration}')
    .replaceAll(/\bIPv[46]\b/g, '{family}')
    .replaceAll(/\b\d+\b/g, '{int}')
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'");
  return `Then('${pattern}', async function (this: OutpostWorld) { … })`;
}

function milliseconds({ seconds, nanos }: Duration): number {
  return seconds * 1000 + nanos / 1e6;
}
