/** Whose fault it is: it decides the exit code and the words of the verdict. */
export type Fault = 'learner' | 'usage' | 'environment' | 'content';

export interface FaultDetails {
  /** Why it happens. */
  readonly hint?: string;
  /** How to mend it: a command or an edit. */
  readonly fix?: string;
}

/** A failure that knows whose it is. `message` holds every line, for runners that print nothing else. */
export abstract class OutpostError extends Error {
  abstract readonly fault: Fault;
  abstract readonly exitCode: 1 | 2 | 3 | 4;
  readonly code: string;
  readonly shortMessage: string;
  readonly hint: string | undefined;
  readonly fix: string | undefined;

  constructor(code: string, shortMessage: string, details: FaultDetails = {}, options: { cause?: unknown } = {}) {
    const lines = [shortMessage];
    if (details.hint !== undefined) lines.push(`  why: ${details.hint}`);
    if (details.fix !== undefined) lines.push(`  mend: ${details.fix}`);
    super(lines.join('\n'), options);
    this.name = new.target.name;
    this.code = code;
    this.shortMessage = shortMessage;
    this.hint = details.hint;
    this.fix = details.fix;
  }
}

/** A check that did not hold: the lab is not (yet) as the scenario says. */
export class CheckFailure extends OutpostError {
  override readonly fault = 'learner';
  override readonly exitCode = 1;
}

/** Wrong words on the command line. */
export class UsageError extends OutpostError {
  override readonly fault = 'usage';
  override readonly exitCode = 2;
}

/** The lab could not be judged: it is not there, a tool died or timed out. */
export class EnvironmentError extends OutpostError {
  override readonly fault = 'environment';
  override readonly exitCode = 3;
}

/** A part of the lab that a tool asked does not work; a wait takes it for something seen, anywhere else it leaves the lab unjudged. */
export class ToolRefusal extends EnvironmentError {}

/** The content is broken: lab.yaml, a manifest, a feature. */
export class ContentError extends OutpostError {
  override readonly fault = 'content';
  override readonly exitCode = 4;
}
