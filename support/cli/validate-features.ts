import { resolve } from 'node:path';
import type { Envelope, Pickle } from '@cucumber/messages';
import type { LabDefinition } from '../content/lab.ts';
import { shown } from '../content/yaml-file.ts';
import { nearest } from '../port/content-problem.ts';
import { RunRecorder } from '../reports/recorder.ts';
import { ContentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { taskTag } from '../verdict/verdict.ts';
import { loadVocabulary, runScenarios } from './cucumber-run.ts';
import { labFeatures } from './grade.ts';
import { program } from './program.ts';

/** Tags with a meaning of their own; all others must name a task. */
const knownTags = ['@before', '@live', '@simulator', '@slow'];

/**
 * Checks features against the vocabulary and the tasks of lab.yaml: every step has one definition, every tag means
 * something, every task has a scenario, every file that a step applies is in the home.
 * @throws ContentError for the first thing that is wrong
 */
export async function checkFeatures(definition: LabDefinition): Promise<{ scenarios: number; steps: number }> {
  const paths = labFeatures(definition);
  if (paths.length === 0) return { scenarios: 0, steps: 0 };
  const pickles: Pickle[] = [];
  const path = (uri: string) => shown(resolve(definition.root, uri));
  const recorder = new RunRecorder(() => 0, undefined, path);
  const onEnvelope = (envelope: Envelope) => {
    recorder.onEnvelope(envelope);
    if (envelope.pickle !== undefined) pickles.push(envelope.pickle);
  };
  const vocabulary = await loadVocabulary(program().vocabulary, definition.root);
  await runScenarios({ selection: { paths, tags: '' }, vocabulary, cwd: definition.root, isDry: true, onEnvelope });
  for (const scenario of recorder.scenarios) {
    checkTags(definition, scenario);
    checkFiles(definition, scenario);
  }
  checkTasks(definition, pickles);
  return { scenarios: pickles.length, steps: pickles.reduce((total, { steps }) => total + steps.length, 0) };
}

function checkTags(definition: LabDefinition, { uri, line, tags }: ScenarioRecord): void {
  const challenge = definition.challenges.find(({ feature }) => feature === resolve(definition.root, uri));
  const known = [...knownTags, ...(challenge?.tasks ?? []).map(({ name }) => taskTag(name))];
  for (const tag of tags) {
    if (known.includes(tag) || (challenge === undefined && !tag.startsWith('@task-'))) continue;
    const guess = nearest(tag, known);
    throw new ContentError('content/unknown-tag', `${shown(resolve(definition.root, uri))}:${line}: the tag ${tag} means nothing`, {
      hint: `known in this feature: ${known.join(' ')}`,
      ...(guess === undefined ? {} : { fix: `did you mean ${guess}?` }),
    });
  }
}

function checkFiles(definition: LabDefinition, { uri, steps }: ScenarioRecord): void {
  for (const { text, line } of steps) {
    const file = /^"([^"]+)" is applied$/.exec(text)?.[1];
    if (file === undefined || definition.homeFiles.has(file)) continue;
    const guess = nearest(file, [...definition.homeFiles.keys()]);
    throw new ContentError(
      'content/missing-file',
      `${shown(resolve(definition.root, uri))}:${line}: ${file} is not in the home of the lab`,
      {
        hint: `files there: ${[...definition.homeFiles.keys()].join(', ') || 'none'}`,
        ...(guess === undefined ? {} : { fix: `did you mean ${guess}?` }),
      },
    );
  }
}

function checkTasks(definition: LabDefinition, pickles: readonly Pickle[]): void {
  for (const { name, feature, tasks } of definition.challenges) {
    const tags = new Set(
      pickles.filter(({ uri }) => resolve(definition.root, uri) === feature).flatMap((pickle) => pickle.tags.map((tag) => tag.name)),
    );
    const orphan = tasks.find((task) => !tags.has(taskTag(task.name)));
    if (orphan === undefined) continue;
    throw new ContentError('content/task-without-scenario', `${shown(definition.file)}: task "${orphan.name}" of ${name} has no scenario`, {
      hint: 'its points could never be earned',
      fix: `tag a scenario of ${shown(feature)} with ${taskTag(orphan.name)}`,
    });
  }
}
