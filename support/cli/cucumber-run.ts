import { Writable } from 'node:stream';
import { type ISupportCodeLibrary, loadSources, loadSupport, runCucumber } from '@cucumber/cucumber/api';
import type { Envelope } from '@cucumber/messages';
import { AllureResultsWriter } from '../reports/allure-results.ts';
import { ContentError } from '../verdict/errors.ts';
import { program } from './program.ts';

/** A place in a feature file, e.g. `/lab/features/a.feature` or `/lab/features/a.feature:12:40`. */
export type FeaturePath = string;

export interface Selection {
  readonly paths: readonly FeaturePath[];
  readonly tags: string;
}

type JsonObject = NonNullable<Parameters<typeof runCucumber>[0]['formats']>['options'];

const silence = new Writable({ write: (_chunk, _encoding, done) => done() });

/** Step definitions and their surroundings, loaded once for as many runs as a command needs. */
export type Vocabulary = ISupportCodeLibrary;

let vocabulary: Promise<Vocabulary> | undefined;

/** Once in the life of a process: modules that are imported again define nothing again. */
export function loadVocabulary(files: readonly string[], cwd: string): Promise<Vocabulary> {
  vocabulary ??= loadSupport({ sources: sources({ paths: [], tags: '' }), support: { importPaths: files.map(literal) } }, environment(cwd));
  return vocabulary;
}

/** Where the selected scenarios begin, in the order of the run. @throws ContentError for a feature that cannot be read */
export async function planScenarios(selection: Selection, cwd: string): Promise<{ readonly uri: string; readonly line: number }[]> {
  const { plan, errors } = await loadSources(sources(selection), environment(cwd));
  const [error] = errors;
  if (error !== undefined) {
    const { line } = error.location;
    throw new ContentError('content/feature', `${error.uri}:${line}: not valid Gherkin: ${error.message.replace(/^\(\d+:\d+\): /, '')}`, {
      fix: `correct line ${line} of ${error.uri}`,
    });
  }
  return plan.map(({ uri, location }) => ({ uri, line: location.line }));
}

export interface CucumberRun {
  readonly selection: Selection;
  readonly vocabulary: Vocabulary;
  /** Feature paths in messages are relative to it. */
  readonly cwd: string;
  /** Results for Allure are written there; absent: nowhere. */
  readonly allureResults?: string;
  readonly isDry?: boolean;
  readonly onEnvelope: (envelope: Envelope) => void;
}

/** Runs scenarios in this process; everything they tell goes to `onEnvelope`, which may stop the run by throwing. */
export async function runScenarios(run: CucumberRun): Promise<void> {
  // Cucumber hands the options of formatters on as they are, so a writer may be among them.
  const formats =
    run.allureResults === undefined
      ? { stdout: 'message', options: {} }
      : { stdout: program().allureReporter, options: { writer: new AllureResultsWriter(run.allureResults) as unknown as JsonObject } };
  await runCucumber(
    {
      sources: sources(run.selection),
      support: run.vocabulary,
      runtime: {
        dryRun: run.isDry ?? false,
        failFast: false,
        filterStacktraces: true,
        parallel: 0,
        retry: 0,
        retryTagFilter: '',
        strict: true,
        worldParameters: {},
      },
      formats: { ...formats, files: {}, publish: false },
    },
    environment(run.cwd),
    run.onEnvelope,
  );
}

function sources({ paths, tags }: Selection) {
  return { defaultDialect: 'en', paths: paths.map(literal), names: [], tagExpression: tags, order: 'defined' as const };
}

/** Cucumber reads paths as globs; ours are meant as they stand. */
function literal(path: string): string {
  return path.replaceAll(/[[\]{}()*?!+@]/g, (character) => (character === '@' ? character : `[${character}]`));
}

function environment(cwd: string) {
  // What Cucumber has to say of itself goes nowhere: every fact of a run is in its messages.
  return { cwd, stdout: silence, stderr: silence, env: process.env };
}
