import type { LabDefinition } from '../../content/lab.ts';
import { EnvironmentError } from '../../verdict/errors.ts';
import { LabState } from '../lab-state.ts';
import { clusterName, hostRunner } from '../live-context.ts';
import { evaluate } from './evaluate.ts';
import { gatherFacts } from './probes.ts';

/**
 * The cheap part of the doctor, before a live lab is judged: what would fail every check, and is nobody's mistake in the lab.
 * @throws EnvironmentError with the first finding
 */
export async function preflight(definition: LabDefinition, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const facts = await gatherFacts({
    definition,
    env,
    run: hostRunner(definition.directory),
    record: new LabState(clusterName(definition)).read(),
    isCheap: true,
  });
  const broken = evaluate(facts).filter(({ severity, code }) => severity === 'broken' && /^(docker|node|topology|kube)\//.test(code));
  const [first, ...more] = broken;
  if (first === undefined) return;
  throw new EnvironmentError('lab/damaged', `${first.problem}: ${first.evidence}`, {
    ...(more.length === 0 ? {} : { hint: `and ${more.map(({ problem }) => problem).join('; ')}` }),
    fix: first.fix,
  });
}
