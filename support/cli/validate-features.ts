import { resolve } from 'node:path';
import type { Envelope, Pickle } from '@cucumber/messages';
import { checkContainers } from '../content/containers.ts';
import type { LabDefinition } from '../content/lab.ts';
import { shown } from '../content/yaml-file.ts';
import { nearest } from '../port/content-problem.ts';
import { RunRecorder } from '../reports/recorder.ts';
import { ContentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { loadVocabulary, runScenarios } from './cucumber-run.ts';
import { checkTags, checkTasks } from './feature-tags.ts';
import { labFeatures } from './grade.ts';
import { program } from './program.ts';

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
    for (const { text, line } of scenario.steps) checkContainers(definition, `${path(scenario.uri)}:${line}`, text);
  }
  checkTasks(definition, pickles, paths);
  return { scenarios: pickles.length, steps: pickles.reduce((total, { steps }) => total + steps.length, 0) };
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
