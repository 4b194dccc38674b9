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

/** The same of networks with GoBGP (Debian's 3.10.0). */
export const speakerRecordingFile = new URL('../testdata/differential/gobgp-3.10.0.json.gz', import.meta.url);

/** A plan's fingerprint. */
export function fingerprint(plan: Plan): string {
  return createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16);
}

export function readRecording(file = recordingFile): Recording {
  return JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as Recording;
}

/** The same bytes for the same recording. */
export function packRecording(recording: Recording): Uint8Array {
  return gzipSync(JSON.stringify(recording), { level: 9 });
}

/** @returns why a recorded seed cannot be compared with any more, or undefined when it can */
export function staleness(recording: Recording, plan: Plan, version = planVersion, script = 'record.ts'): string | undefined {
  const recorded = recording.seeds[plan.seed];
  const again = `record again: node --import tsx support/differential/${script} (it needs real FRR; see CONTRIBUTING.md)`;
  if (recorded === undefined) return `seed ${plan.seed} is not recorded; ${again}`;
  if (recording.header.planVersion !== version)
    return `the recording is of plan version ${recording.header.planVersion}, the generator's is ${version}; ${again}`;
  if (recorded.plan !== fingerprint(plan))
    return `the generator makes another network of seed ${plan.seed} than the one that was recorded; count up planVersion in plan.ts and ${again}`;
  return undefined;
}
