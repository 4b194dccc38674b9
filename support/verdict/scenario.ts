import type { Fault } from './errors.ts';

export type StepStatus = 'passed' | 'failed' | 'skipped' | 'undefined' | 'ambiguous' | 'pending' | 'unknown';

/** A step that was run, as reports show it. */
export interface StepRecord {
  /** `Then `, with the words of its language; empty for a hook. */
  readonly keyword: string;
  readonly text: string;
  readonly line: number;
  readonly status: StepStatus;
  readonly durationMs: number;
  readonly failure: Failure | undefined;
  /** Commands and what they printed. */
  readonly evidence: readonly string[];
}

export interface Failure {
  readonly fault: Fault;
  readonly message: string;
}

/** A scenario that was run. */
export interface ScenarioRecord {
  readonly feature: string;
  /** Path of the feature file, as Cucumber gives it. */
  readonly uri: string;
  readonly name: string;
  readonly line: number;
  readonly tags: readonly string[];
  readonly steps: readonly StepRecord[];
  readonly status: 'passed' | 'failed' | 'skipped';
  /** The step that failed first. */
  readonly failed: (StepRecord & { readonly failure: Failure }) | undefined;
  /** Time of the lab that it took. */
  readonly labMs: number;
  readonly durationMs: number;
}

/**
 * Whose fault an error is, by the name of its class: that is all that Cucumber's messages tell of it. An error of no
 * class of ours is a bug of this program, and never a lost mark.
 */
export function faultOfError(className: string | undefined): Fault {
  switch (className) {
    case 'CheckFailure':
    case 'AssertionError':
      return 'learner';
    case 'ContentError':
      return 'content';
    case 'UsageError':
      return 'usage';
    default:
      return 'environment';
  }
}
