import { loadLab } from '../../content/lab.ts';
import { openTerminal } from '../terminal.ts';
import { checkFeatures } from '../validate-features.ts';

/** `outpost validate`: everything about the content that can be judged without a lab. */
export async function validate(options: { readonly lab: string }): Promise<number> {
  const definition = loadLab(options.lab);
  const { scenarios, steps } = await checkFeatures(definition);
  openTerminal().tell(
    `${definition.name}: ${definition.challenges.length} challenges, ${scenarios} scenarios and ${steps} steps are in order`,
  );
  return 0;
}
