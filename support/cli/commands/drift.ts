import { compareRecordings } from '../../recording/drift.ts';
import { driftAsJson, formatDrift, formatMasks } from '../../recording/format-drift.ts';
import { masksFor } from '../../recording/masks.ts';
import { readRecording } from '../../recording/read-recording.ts';
import { UsageError } from '../../verdict/errors.ts';
import { openTerminal } from '../terminal.ts';

export interface DriftOptions {
  readonly json?: boolean;
  readonly showMasks?: boolean;
}

/** `outpost drift`: what differs between two recordings. @returns 0 nothing, 1 something */
export async function drift(a: string | undefined, b: string | undefined, options: DriftOptions): Promise<number> {
  const terminal = openTerminal();
  if (a === undefined && options.showMasks === true) {
    terminal.print(formatMasks({ masks: masksFor({ pods: [], services: [] }) }));
    return 0;
  }
  if (a === undefined || b === undefined) {
    throw new UsageError('usage/drift', `drift takes two recordings, and got ${a === undefined ? 'none' : 'one'}`, {
      fix: 'outpost run --record DIR makes one; then: outpost drift DIR DIR',
    });
  }
  const [left, right] = [readRecording(a), readRecording(b)];
  const compared = compareRecordings(left, right);
  if (options.json === true) terminal.print(JSON.stringify(driftAsJson(compared, left, right), null, 2));
  else {
    if (options.showMasks === true) terminal.print(`${formatMasks(compared)}\n`);
    terminal.print(formatDrift(compared, left, right, terminal.paint));
  }
  return compared.isDifferent ? 1 : 0;
}
