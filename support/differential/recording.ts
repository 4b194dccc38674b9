import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { StageView } from './observation.ts';
import { type Plan, planVersion } from './plan.ts';

/** What real routers did, kept so that every test run can compare with it. */
export interface Recording {
  readonly header: { readonly frr: string; readonly date: string; readonly planVersion: number };
  readonly seeds: Readonly<Record<string, { readonly plan: string; readonly views: readonly StageView[] }>>;
}

export const recordingFile = new URL('../testdata/differential/frr-8.4.4.json.gz', import.meta.url);

/** A plan's fingerprint. */
export function fingerprint(plan: Plan): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16);
}

export function readRecording(): Recording {
  return JSON.parse(gunzipSync(readFileSync(recordingFile)).toString('utf8')) as Recording;
}

/** The same bytes for the same recording. */
export function packRecording(recording: Recording): Uint8Array {
  return gzipSync(JSON.stringify(recording), { level: 9 });
}

/** @returns why a recorded seed cannot be compared with any more, or undefined when it can */
export function staleness(recording: Recording, plan: Plan): string | undefined {
  const recorded = recording.seeds[plan.seed];
  const again = 'record again: node --import tsx support/differential/record.ts (it needs real FRR; see CONTRIBUTING.md)';
  if (recorded === undefined) return `seed ${plan.seed} is not recorded; ${again}`;
  if (recording.header.planVersion !== planVersion)
    return `the recording is of plan version ${recording.header.planVersion}, the generator's is ${planVersion}; ${again}`;
  if (recorded.plan !== fingerprint(plan))
    return `the generator makes another network of seed ${plan.seed} than the one that was recorded; count up planVersion in plan.ts and ${again}`;
  return undefined;
}
