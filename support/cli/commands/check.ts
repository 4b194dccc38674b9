import { readFileSync } from 'node:fs';
import { loadLab } from '../../content/lab.ts';
import { UsageError } from '../../verdict/errors.ts';
import { challengeIndex, labFeatures } from '../grade.ts';
import { openSimulatorShell } from '../simulator-shell.ts';
import { gradeAndTell, type RunOptions } from './run.ts';

export interface CheckOptions extends Omit<RunOptions, 'tags'> {
  readonly after?: string;
}

/** Scenarios about the state before a task hold no more once it is done. */
export const checkTags = 'not @before';

/** `outpost check`: looks at what a learner has done, and changes nothing. */
export async function check(challenge: string | undefined, options: CheckOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const paths =
    challenge === undefined ? labFeatures(definition) : [definition.challenges[challengeIndex(definition, challenge)]?.feature ?? ''];
  const script = options.after === undefined ? undefined : readScript(options.after);
  return await gradeAndTell(definition, 'check', { paths, tags: checkTags }, options, async (_grader, lab, tell) => {
    if (script !== undefined) {
      const result = await (await openSimulatorShell(lab)).run(script);
      tell(`${options.after} ended with exit status ${result.exitCode}`);
    } else if (lab.driver === 'simulator')
      tell('a fresh simulated lab: nothing has been done in it (outpost shell has a check of its own)');
  });
}

function readScript(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError('usage/script', `there is no script ${file}`, {}, { cause });
  }
}
