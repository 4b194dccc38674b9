import { readdirSync, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Pickle } from '@cucumber/messages';
import { checkContainers } from '../content/containers.ts';
import type { LabDefinition } from '../content/lab.ts';
import { shown } from '../content/yaml-file.ts';
import { type Mode, provideSession } from '../cucumber/session.ts';
import type { Lab } from '../port/lab.ts';
import type { LabRecorder } from '../recording/recorder.ts';
import type { Place } from '../recording/recording.ts';
import { type RunningPlace, RunRecorder } from '../reports/recorder.ts';
import type { Reports } from '../reports/reports.ts';
import { ContentError, UsageError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { judge, taskTag, type Verdict } from '../verdict/verdict.ts';
import { loadVocabulary, planScenarios, runScenarios, type Selection, type Vocabulary } from './cucumber-run.ts';
import { checkTags, checkTasks } from './feature-tags.ts';
import { program } from './program.ts';

/** Runs scenarios of one lab, in one mode or another, on one vocabulary. */
export class Grader {
  readonly definition: LabDefinition;
  readonly #vocabulary: Vocabulary;

  private constructor(definition: LabDefinition, vocabulary: Vocabulary) {
    this.definition = definition;
    this.#vocabulary = vocabulary;
  }

  static async open(definition: LabDefinition): Promise<Grader> {
    return new Grader(definition, await loadVocabulary(program().vocabulary, definition.root));
  }

  /** Runs scenarios. @throws ContentError for content that cannot be run; UsageError when nothing is selected */
  async grade(
    lab: Lab,
    mode: Mode,
    selection: Selection,
    options: {
      readonly note?: string;
      readonly reports?: Reports;
      readonly recording?: LabRecorder;
      readonly onScenario?: (scenario: ScenarioRecord) => void;
      /** What the lab leaves out, for the ends of the reports. */
      readonly notModelled?: () => readonly string[];
    } = {},
  ): Promise<Verdict> {
    const { reports, recording } = options;
    const recorder = new RunRecorder(
      () => lab.clock.now(),
      (scenario) => {
        reports?.onScenario(scenario);
        options.onScenario?.(scenario);
      },
      (uri) => shown(resolve(this.definition.root, uri)),
    );
    const pickles: Pickle[] = [];
    const features: string[] = [];
    provideSession({ lab: recording?.lab(lab) ?? lab, mode, note: options.note ?? '', definition: this.definition });
    try {
      await runScenarios({
        selection,
        vocabulary: this.#vocabulary,
        cwd: this.definition.root,
        ...(reports === undefined ? {} : { allureResults: reports.paths.allureResults }),
        onEnvelope: (envelope) => {
          reports?.onEnvelope(envelope);
          recorder.onEnvelope(envelope);
          if (envelope.testStepStarted !== undefined || envelope.testCaseFinished !== undefined)
            recording?.at(this.#placeOf(recorder.place));
          if (envelope.gherkinDocument?.uri !== undefined) features.push(resolve(this.definition.root, envelope.gherkinDocument.uri));
          if (envelope.pickle !== undefined) pickles.push(envelope.pickle);
          // All scenarios of the features are known by then, selected or not, and none has begun.
          if (envelope.testRunStarted === undefined) return;
          for (const pickle of pickles) {
            if (!this.#hasTasks(pickle.uri)) continue;
            // A tag of another kind costs nobody points: only `validate` asks what it means.
            const tags = pickle.tags.map(({ name }) => name).filter((name) => name.startsWith(taskTag('')));
            checkTags(this.definition, { uri: pickle.uri, line: recorder.lineOf(pickle), tags });
          }
          checkTasks(this.definition, pickles, features);
          for (const pickle of pickles) {
            for (const step of pickle.steps)
              checkContainers(
                this.definition,
                `${shown(resolve(this.definition.root, pickle.uri))}:${recorder.lineOfStep(pickle, step)}`,
                step.text,
              );
          }
        },
      });
    } catch (error) {
      // A disk that fills up while reports are written is nobody's mistake in the lab.
      throw reports?.explain(error) ?? error;
    } finally {
      reports?.close(options.notModelled?.() ?? []);
    }
    return judge(this.definition.challenges, recorder.scenarios, (path) => resolve(this.definition.root, path));
  }

  #placeOf(place: RunningPlace | undefined): Place | undefined {
    if (place === undefined) return undefined;
    const { uri, scenario, number, step, line } = place;
    const file = resolve(this.definition.root, uri);
    return {
      challenge: this.definition.challenges.find(({ feature }) => feature === file)?.name ?? null,
      feature: relative(this.definition.root, file),
      scenario,
      scenarioNumber: number,
      step: step ?? null,
      line,
    };
  }

  #hasTasks(uri: string): boolean {
    const file = resolve(this.definition.root, uri);
    return this.definition.challenges.some(({ feature, tasks }) => feature === file && tasks.length > 0);
  }

  /** Does the actions of scenarios, unseen: what comes before those that a command is about. */
  async solve(lab: Lab, selection: Selection, recording?: LabRecorder): Promise<Verdict | undefined> {
    if (selection.paths.length === 0) return undefined;
    return await this.grade(lab, 'solve', selection, recording === undefined ? {} : { recording });
  }

  /**
   * The scenarios that come before the first selected one: their actions make the state that it starts from. None when
   * the selection starts at the beginning.
   */
  async before(selection: Selection): Promise<Selection> {
    const { root } = this.definition;
    const [first] = await planScenarios(selection, root);
    if (first === undefined) return { paths: [], tags: '' };
    const feature = resolve(root, first.uri);
    const features = labFeatures(this.definition);
    const index = features.indexOf(feature);
    const earlier = index < 0 ? [] : features.slice(0, index);
    const lines = (await planScenarios({ paths: [feature], tags: '' }, root)).map(({ line }) => line).filter((line) => line < first.line);
    return { paths: lines.length === 0 ? earlier : [...earlier, [feature, ...lines].join(':')], tags: '' };
  }

  /** The scenarios of the challenges before `name`. @throws UsageError when there is no such challenge */
  beforeChallenge(name: string): Selection {
    const index = challengeIndex(this.definition, name);
    return { paths: this.definition.challenges.slice(0, index).map(({ feature }) => feature), tags: '' };
  }
}

/** Feature files of a lab in order: those of its challenges, then the others. */
export function labFeatures(definition: LabDefinition): string[] {
  const ordered = definition.challenges.map(({ feature }) => feature);
  const folder = join(definition.root, 'features');
  let others: string[] = [];
  try {
    others = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.name.endsWith('.feature') && !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  } catch {
    // A lab without a folder of features has those of its challenges only.
  }
  return [...new Set([...ordered, ...others.sort().map((name) => join(folder, name))])];
}

export function challengeIndex(definition: LabDefinition, name: string): number {
  const index = definition.challenges.findIndex((challenge) => challenge.name === name);
  if (index < 0) {
    const known = definition.challenges.map((challenge) => challenge.name);
    throw new UsageError('usage/challenge', `there is no challenge "${name}"`, {
      hint: known.length === 0 ? 'this lab has no challenges' : `challenges of this lab: ${known.join(', ')}`,
    });
  }
  return index;
}

/** Feature arguments as absolute paths: relative to the current folder, or to the lab. @throws UsageError */
export function featurePaths(definition: LabDefinition, features: readonly string[]): string[] {
  const known = labFeatures(definition);
  if (features.length === 0) {
    if (known.length === 0)
      throw new ContentError('content/no-features', `${definition.root} has no features`, { fix: 'add features/NAME.feature' });
    return known;
  }
  return features.flatMap((argument) => {
    const [, path = argument, lines = ''] = /^(.*?)((?::\d+)*)$/.exec(argument) ?? [];
    const candidates = [resolve(path), resolve(definition.root, path)].flatMap((candidate) => real(candidate));
    const [file] = candidates;
    if (file === undefined) {
      throw new UsageError('usage/feature', `there is no feature ${path}`, {
        hint: `features of this lab: ${known.map((name) => relative(definition.root, name)).join(', ')}`,
      });
    }
    const inside = known.filter((name) => name.startsWith(`${file}/`));
    return inside.length > 0 ? inside : [`${file}${lines}`];
  });
}

function real(path: string): string[] {
  try {
    return [realpathSync(path)];
  } catch {
    return [];
  }
}
