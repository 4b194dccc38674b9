import { createHash } from 'node:crypto';
import type { EnvironmentError } from '../verdict/errors.ts';
import type { LabRecord } from './lab-state.ts';

export const minute = 60_000;

/** What a step that has run tells of what it made. */
export interface StepResult {
  /** For the line of the step, beside its time. */
  readonly remark?: string;
  /** For the record of the lab. */
  readonly made?: Pick<LabRecord, 'nodeIds'>;
  /** Whether what later steps made cannot be there any more. */
  readonly isFresh?: boolean;
}

/** One part of bringing a lab up. */
export interface UpStep {
  readonly name: string;
  readonly title: string;
  /** What it is made from. */
  readonly fingerprint: string;
  /** Whether what it made is still there; what the record says is not asked again. */
  stillThere(): Promise<boolean>;
  /** Whether something is there that this lab did not make, and that it would trip over. */
  foreign?(record: LabRecord): Promise<EnvironmentError | undefined>;
  /** @param earlier how far an earlier run came with it */
  run(options: {
    readonly earlier: 'nothing' | 'begun' | 'done';
    readonly onOutput: (text: string) => void;
  }): Promise<StepResult | undefined>;
}

export function fingerprint(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Whether a record says that a step was finished from the content as it is now. */
export function isDone(record: LabRecord, step: Pick<UpStep, 'name' | 'fingerprint'>): boolean {
  const known = record.steps[step.name];
  return known?.state === 'done' && known.fingerprint === step.fingerprint;
}
