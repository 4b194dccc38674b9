import { writeFileSync } from 'node:fs';
import { loadLab } from '../../content/lab.ts';
import { openLab } from '../../drivers.ts';
import { survey } from '../../topology/survey.ts';
import { EnvironmentError, UsageError } from '../../verdict/errors.ts';
import type { LabOptions } from '../main.ts';

export interface TopologyOptions extends LabOptions {
  readonly output?: string;
}

/** `outpost topology`: draws the running lab, as SVG with `-o`, else for the terminal. @returns the exit status */
export async function topology(options: TopologyOptions): Promise<number> {
  if (options.output !== undefined && !options.output.endsWith('.svg'))
    throw new UsageError('usage/topology-output', `-o takes a file that ends in .svg, and got ${options.output}`);
  const definition = loadLab(options.lab);
  const { lab, warnings } = await openLab(definition, { driver: options.driver, seed: options.seed });
  for (const warning of warnings) process.stderr.write(`outpost: warning: ${warning}\n`);
  const picture = await survey(definition, lab);
  if (picture === undefined)
    throw new UsageError('usage/no-topology', 'the lab has no topology to draw', { fix: 'name a containerlab file in lab.yaml: topology' });
  if (options.output === undefined) {
    const { drawText } = await import('../../topology/text.ts');
    process.stdout.write(drawText(picture));
    return 0;
  }
  const { drawSvg } = await import('../../topology/svg.ts');
  try {
    writeFileSync(options.output, await drawSvg(picture));
  } catch (error) {
    throw new EnvironmentError('topology/write', `${options.output} cannot be written`, {}, { cause: error });
  }
  return 0;
}
