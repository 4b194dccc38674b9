import { Before, BeforeAll, setDefaultTimeout, setDefinitionFunctionWrapper } from '@cucumber/cucumber';
import { AssertionError } from 'chai';
import { CheckFailure, OutpostError } from '../verdict/errors.ts';
import { isAction } from './action.ts';
import { currentSession, openSession } from './session.ts';
import type { OutpostWorld } from './world.ts';

// Budgets stand in the features and run on the lab's clock; Cucumber's own limit runs on the wall clock and knows none of it.
setDefaultTimeout(-1);

/** Cucumber wraps hooks like steps and does not tell them apart. */
const hooks = new WeakSet<object>();

function hook<T extends object>(code: T): T {
  hooks.add(code);
  return code;
}

BeforeAll(
  hook(async function (this: { readonly parameters: Readonly<Record<string, unknown>> }) {
    await openSession(this.parameters, process.env, process.cwd());
  }),
);

Before(
  { tags: '@live' },
  hook(function (this: OutpostWorld) {
    return currentSession().lab.driver === 'live' ? undefined : skip(this, 'needs the live lab');
  }),
);

Before(
  { tags: '@simulator' },
  hook(function (this: OutpostWorld) {
    return currentSession().lab.driver === 'simulator' ? undefined : skip(this, 'needs the simulator');
  }),
);

function skip(world: OutpostWorld, reason: string): 'skipped' {
  world.log(reason);
  return 'skipped';
}

type StepCode = (this: OutpostWorld, ...parameters: unknown[]) => unknown;

setDefinitionFunctionWrapper((code: StepCode, options: unknown) => {
  if (hooks.has(code)) return code;
  return async function (this: OutpostWorld, ...parameters: unknown[]): Promise<unknown> {
    const { mode } = currentSession();
    if (mode !== 'run' && isAction(options) !== (mode === 'solve')) return undefined;
    try {
      return await code.apply(this, parameters);
    } catch (error) {
      throw asVerdict(await namedByContent(error));
    } finally {
      const text = this.evidence.drain();
      if (text !== '') this.attach(text, { mediaType: 'text/plain', fileName: 'commands.txt' });
    }
  };
});

/** A container that no file of the lab names is the author's slip; one that is gone is the environment's. */
async function namedByContent(error: unknown): Promise<unknown> {
  if (!(error instanceof OutpostError)) return error;
  if (error.code === 'action/refused') return await placedInManifest(error);
  if (error.code !== 'exec/no-container') return error;
  const { knownContainers, unknownContainer } = await import('../content/containers.ts');
  const { definition } = currentSession();
  const name = /there is no container (.*)$/.exec(error.shortMessage)?.[1] ?? '';
  return name === '' || knownContainers(definition).includes(name) ? error : unknownContainer(definition, name);
}

/** A manifest that the API server refuses is told with the line of the field that it names. */
async function placedInManifest(error: OutpostError): Promise<OutpostError> {
  const { placeOfRefusal } = await import('../content/refused-field.ts');
  const at = placeOfRefusal(currentSession().definition, error.shortMessage);
  return at === undefined ? error : new CheckFailure(error.code, `${error.shortMessage}\n  at: ${at}`);
}

/** Whose fault a failed step is. What is neither ours nor an assertion stays as it is: a bug, with its stack. */
function asVerdict(error: unknown): unknown {
  const verdict = error instanceof AssertionError ? new CheckFailure('check/not-held', error.message) : error;
  // The message says it all; a stack into the grader would only hide it.
  if (verdict instanceof OutpostError) verdict.stack = `${verdict.name}: ${verdict.message}`;
  return verdict;
}
