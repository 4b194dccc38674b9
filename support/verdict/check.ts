import { formatDuration, type Waited } from '../waiting/waiting.ts';
import { CheckFailure } from './errors.ts';

export interface Expectation {
  /** What must hold, as the end of "expected …". */
  readonly expected: string;
  /** The command that shows more: what to type next. */
  readonly look: string;
}

/** A check that did not hold: expected, saw, and the next thing to look at. */
export function checkFailed(expectation: Expectation, saw: string, details: { after?: string; hint?: string } = {}): CheckFailure {
  const after = details.after === undefined ? '' : ` ${details.after}`;
  const lines = [`expected ${expectation.expected}`, `  saw: ${saw}${after}`, `  look at: ${expectation.look}`];
  return new CheckFailure('check/not-held', lines.join('\n'), details.hint === undefined ? {} : { hint: details.hint });
}

/** The value of a wait that held. @throws CheckFailure otherwise, with the last thing seen and for how long */
export function mustHold<T>(waited: Waited<T>, expectation: Expectation): T {
  if (waited.held) return waited.value;
  const after = waited.elapsedMs > 0 ? `(after ${formatDuration(waited.elapsedMs)})` : undefined;
  throw checkFailed(expectation, waited.saw, {
    ...(after === undefined ? {} : { after }),
    ...(waited.impossible === undefined ? {} : { hint: waited.impossible }),
  });
}
