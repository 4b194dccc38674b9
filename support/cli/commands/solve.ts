import { loadLab } from '../../content/lab.ts';
import { openLab } from '../../drivers.ts';
import { challengeIndex, Grader } from '../grade.ts';
import type { LabOptions } from '../main.ts';
import { openTerminal } from '../terminal.ts';
import { refuse } from './run.ts';

/** `outpost solve`: does the actions of one challenge in a live lab; in a simulated one, that it can be done at all. */
export async function solve(name: string, options: LabOptions): Promise<number> {
  const definition = loadLab(options.lab);
  const challenge = definition.challenges[challengeIndex(definition, name)];
  const grader = await Grader.open(definition);
  const terminal = openTerminal();
  const alone = { what: 'outpost solve', wait: options.wait === true, tell: terminal.tell };
  const { lab, note } = await openLab(definition, { driver: options.driver, seed: options.seed, alone });
  terminal.tell(`${definition.title} on the ${note}`);
  // A simulated lab is new each time: what the challenge builds on has to be there first.
  if (lab.driver === 'simulator') refuse(await grader.solve(lab, grader.beforeChallenge(name)));
  refuse(await grader.solve(lab, { paths: [challenge?.feature ?? ''], tags: '' }));
  terminal.tell(
    lab.driver === 'simulator' ? `${name} can be solved; the simulated lab ends here (outpost shell keeps one open)` : `${name} is solved`,
  );
  return 0;
}
