import { describe, expect, it } from 'vitest';
import {
  comebackDifferences,
  comebackStages,
  type Difference,
  differencesOf,
  reportOf,
  showDifferences,
  unexplained,
} from './comparison.ts';
import { speakerExceptions } from './exceptions.ts';
import { findRealGobgp } from './gobgp.ts';
import type { StageView } from './observation.ts';
import type { Plan } from './plan.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { readRecording, speakerRecordingFile, staleness } from './recording.ts';
import { observeSimulated } from './simulated-network.ts';
import { randomSpeakerPlan, speakerPlanVersion } from './speaker-plan.ts';

/** Against one run with the shortest waits; a second one with the longest only where waits are compared. */
async function compare(plan: Plan, real: readonly StageView[]): Promise<readonly Difference[]> {
  const shortest = await observeSimulated(plan);
  const longest = plan.stages.some(({ name }) => comebackStages.has(name)) ? await observeSimulated(plan, 'longest') : shortest;
  const found = [
    ...differencesOf(real, shortest),
    ...showDifferences(real, shortest),
    ...comebackDifferences(real, shortest, longest),
    // However long the speakers wait, it ends the same.
    ...differencesOf(shortest, longest),
  ];
  return unexplained(plan.seed, found, speakerExceptions);
}

const recording = readRecording(speakerRecordingFile);
const recordedSeeds = Object.keys(recording.seeds).map(Number);

describe(`nodes that speak BGP as Cilium's agent does, and routers: as FRR ${recording.header.frr} and GoBGP did on ${recording.header.date}`, () => {
  it('at least twelve networks are recorded', () => expect(recordedSeeds.length).toBeGreaterThanOrEqual(12));

  it.each(recordedSeeds)('seed %i', async (seed) => {
    const plan = randomSpeakerPlan(seed);
    expect(staleness(recording, plan, speakerPlanVersion, 'record-speakers.ts')).toBeUndefined();
    const left = await compare(plan, recording.seeds[seed]?.views ?? []);
    if (left.length > 0) expect.fail(reportOf(seed, left, 'show-speakers.ts'));
  });
});

const frr = findRealFrr(process.env);
const gobgp = findRealGobgp(process.env);
const first = Number(process.env['OUTPOST_DIFFERENTIAL_FIRST'] ?? 1);
const count = Number(process.env['OUTPOST_SPEAKER_SEEDS'] ?? 2);

describe('the same of real ones now', () => {
  if (typeof frr === 'string' || typeof gobgp === 'string') {
    it.skip(`not here: ${typeof frr === 'string' ? frr : gobgp}`, () => {});
    return;
  }
  it(`seeds ${first} to ${first + count - 1}`, async () => {
    const reports = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const plan = randomSpeakerPlan(first + index);
        // Real daemons race, more so on a busy machine: what differs twice is a difference.
        if ((await compare(plan, await observeReal(plan, frr, gobgp))).length === 0) return '';
        const left = await compare(plan, await observeReal(plan, frr, gobgp));
        return left.length === 0 ? '' : reportOf(plan.seed, left, 'show-speakers.ts');
      }),
    );
    const said = reports.filter((text) => text !== '');
    if (said.length > 0) expect.fail(said.join('\n\n'));
  }, 900_000);
});
