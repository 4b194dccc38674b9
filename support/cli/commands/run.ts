import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import parseTags from '@cucumber/tag-expressions';
import { loadLab } from '../../content/lab.ts';
import { openLab } from '../../drivers.ts';
import type { Lab } from '../../port/lab.ts';
import type { LabRecorder } from '../../recording/recorder.ts';
import { Reports } from '../../reports/reports.ts';
import { CheckFailure, ContentError, EnvironmentError, UsageError } from '../../verdict/errors.ts';
import type { Verdict } from '../../verdict/verdict.ts';
import type { Selection } from '../cucumber-run.ts';
import { featurePaths, Grader } from '../grade.ts';
import type { LabOptions } from '../main.ts';
import { program } from '../program.ts';
import { formatNotModelled, formatReports, formatVerdict, Progress, verdictAsJson } from '../summary.ts';
import { openTerminal } from '../terminal.ts';

export interface RunOptions extends LabOptions {
  readonly tags?: string;
  readonly json?: boolean;
  readonly reports?: string;
  readonly record?: string;
}

/** `outpost run`: does the tasks and checks them. */
export async function run(features: readonly string[], options: RunOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const selection = { paths: featurePaths(definition, features), tags: tagExpression(options.tags ?? '') };
  const isWhole = features.length === 0 && options.tags === undefined;
  return await gradeAndTell(definition, 'run', selection, options, async (grader, lab, tell, recording) => {
    if (isWhole) return;
    const earlier = await grader.before(selection);
    if (earlier.paths.length === 0) return;
    tell('what comes before the selected scenarios was done, not checked');
    refuse(await grader.solve(lab, earlier, recording));
  });
}

/** Opens a lab, prepares it, grades it, writes reports, and tells the verdict. @returns the exit code */
export async function gradeAndTell(
  definition: ReturnType<typeof loadLab>,
  mode: 'run' | 'check',
  selection: Selection,
  options: Omit<RunOptions, 'tags'>,
  prepare: (
    grader: Grader,
    lab: Awaited<ReturnType<typeof openLab>>['lab'],
    tell: (text: string) => void,
    recording: LabRecorder | undefined,
  ) => Promise<void>,
): Promise<number> {
  const startedAt = performance.now();
  const terminal = openTerminal(options.json === true);
  const recording =
    options.record === undefined ? undefined : new (await import('../../recording/recorder.ts')).LabRecorder(options.record);
  const grader = await Grader.open(definition);
  const bootStartedAt = performance.now();
  const { lab, note, warnings, notModelled } = await openLab(definition, {
    driver: options.driver,
    seed: options.seed,
    alone: { what: `outpost ${mode}`, wait: options.wait === true, tell: terminal.tell },
  });
  const bootMs = performance.now() - bootStartedAt;
  await beginRecording(recording, definition, mode, lab, note, options.seed);
  await prepare(grader, lab, terminal.tell, recording);
  recording?.startRun();
  const labStartedAt = lab.clock.now();
  const reports = new Reports(reportsFolder(definition.root, options.reports), `${definition.name}: ${note}`);
  const title = [
    `${terminal.paint('bold', definition.title)} on the ${note}`,
    ...warnings.map((text) => terminal.paint('yellow', `warning: ${text}`)),
  ];
  const progress = new Progress(terminal, title.join('\n'));
  const verdict = await grader.grade(lab, mode, selection, {
    note,
    reports,
    ...(recording === undefined ? {} : { recording }),
    notModelled,
    onScenario: (scenario) => progress.onScenario(scenario),
  });
  const { passed, failed, skipped } = verdict.counts;
  if (passed + failed + skipped === 0) throw new UsageError('usage/nothing', 'no scenario was selected', { hint: 'see: outpost list' });
  const times = { wallMs: performance.now() - startedAt, labMs: lab.clock.now() - labStartedAt };
  const left = notModelled();
  await endRecording(recording, lab, verdict.exitCode, left);
  terminal.tell(formatVerdict(verdict, terminal, times));
  if (left.length > 0) terminal.tell(`\n${formatNotModelled(left, terminal)}`);
  terminal.tell(`\n${formatReports(reports.paths, options.record)}`);
  if (options.json === true) {
    const document = verdictAsJson(verdict, {
      lab: definition.name,
      note,
      warnings,
      notModelled: left,
      driver: lab.driver,
      seed: options.seed,
      reports: reports.paths,
      bootMs,
      ...times,
    });
    terminal.print(JSON.stringify(document, null, 2));
  }
  if (recording?.failure !== undefined) throw recording.failure;
  return verdict.exitCode;
}

async function beginRecording(
  recording: LabRecorder | undefined,
  definition: ReturnType<typeof loadLab>,
  command: string,
  lab: Lab,
  note: string,
  seed: number,
): Promise<void> {
  if (recording === undefined) return;
  const { networksOf, toolVersions } = await import('../../recording/header.ts');
  const { recordingFormat, recordingVersion } = await import('../../recording/recording.ts');
  recording.begin({
    format: recordingFormat,
    version: recordingVersion,
    lab: definition.name,
    title: definition.title,
    driver: lab.driver,
    note,
    seed: lab.driver === 'simulator' ? seed : null,
    command,
    startedAt: new Date(lab.clock.now()).toISOString(),
    outpost: packageVersion(),
    node: process.version,
    // In virtual time a question takes time: it is asked after the run, so that recording changes nothing.
    tools: lab.driver === 'live' ? await toolVersions(lab) : {},
    networks: networksOf(
      definition.cluster.documents[0],
      definition.cilium === undefined ? undefined : (definition.cilium.values?.documents[0] ?? {}),
    ),
  });
}

async function endRecording(recording: LabRecorder | undefined, lab: Lab, exitCode: number, notModelled: readonly string[]): Promise<void> {
  if (recording === undefined) return;
  const { toolVersions } = await import('../../recording/header.ts');
  recording.end({ exitCode, notModelled, ...(lab.driver === 'simulator' ? { tools: await toolVersions(lab) } : {}) });
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(program().clone, 'package.json'), 'utf8')) as { version: string }).version;
}

/** @throws UsageError for text that is no tag expression */
function tagExpression(text: string): string {
  try {
    parseTags(text);
    return text;
  } catch (cause) {
    const [, reason = 'it cannot be read'] = /because of syntax error: (.*)/.exec((cause as Error).message) ?? [];
    throw new UsageError(
      'usage/tags',
      `--tags ${text} is no tag expression: ${reason}`,
      { fix: "for example --tags '@task-bgp and not @before'" },
      { cause },
    );
  }
}

export function reportsFolder(root: string, asked: string | undefined): string {
  if (asked === '') throw new UsageError('usage/reports', '--reports takes a folder, and got none');
  return asked === undefined ? join(root, 'reports') : resolve(asked);
}

/** Actions that did not get through leave nothing to grade. */
export function refuse(solved: Verdict | undefined): void {
  const failure = solved?.firstFailure;
  if (failure === undefined) return;
  const { text, failure: reason } = failure.step;
  const Refusal = reason.fault === 'environment' ? EnvironmentError : reason.fault === 'learner' ? CheckFailure : ContentError;
  throw new Refusal('run/not-solved', `what comes before could not be done: ${text}: ${reason.message}`, {
    hint: 'the lab does not let its own solution through: run it from the beginning to see why',
    fix: 'outpost run',
  });
}
