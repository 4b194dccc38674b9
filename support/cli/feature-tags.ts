import { resolve } from 'node:path';
import type { Pickle } from '@cucumber/messages';
import type { LabDefinition } from '../content/lab.ts';
import { shown } from '../content/yaml-file.ts';
import { nearest } from '../port/content-problem.ts';
import { ContentError } from '../verdict/errors.ts';
import type { ScenarioRecord } from '../verdict/scenario.ts';
import { taskTag } from '../verdict/verdict.ts';

/** Tags with a meaning of their own; all others must name a task. */
const knownTags = ['@before', '@live', '@simulator', '@slow'];

/** @throws ContentError for a tag that means nothing */
export function checkTags(definition: LabDefinition, { uri, line, tags }: Pick<ScenarioRecord, 'uri' | 'line' | 'tags'>): void {
  const challenges = definition.challenges.filter(({ feature }) => feature === resolve(definition.root, uri));
  const known = [...knownTags, ...challenges.flatMap(({ tasks }) => tasks).map(({ name }) => taskTag(name))];
  for (const tag of tags) {
    if (known.includes(tag) || (challenges.length === 0 && !tag.startsWith('@task-'))) continue;
    const guess = nearest(tag, known);
    throw new ContentError('content/unknown-tag', `${shown(resolve(definition.root, uri))}:${line}: the tag ${tag} means nothing`, {
      hint: `known in this feature: ${known.join(' ')}`,
      ...(guess === undefined ? {} : { fix: `did you mean ${guess}?` }),
    });
  }
}

/** @param features those that `pickles` are all scenarios of @throws ContentError for a task, or a feature, without a scenario */
export function checkTasks(definition: LabDefinition, pickles: readonly Pickle[], features: readonly string[]): void {
  for (const { name, feature, tasks } of definition.challenges) {
    if (!features.includes(feature)) continue;
    if (!pickles.some(({ uri }) => resolve(definition.root, uri) === feature))
      throw new ContentError('content/empty-feature', `${shown(feature)}: the feature of challenge ${name} has no scenario`, {
        fix: 'add a scenario, or remove the challenge',
      });
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
