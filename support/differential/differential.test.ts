import { describe, expect, it } from 'vitest';
import { differencesOf, reportOf, unexplained } from './comparison.ts';
import { exceptions, restless } from './exceptions.ts';
import { type Plan, randomPlan } from './plan.ts';
import { findRealFrr, observeReal } from './real-network.ts';
import { readRecording, staleness } from './recording.ts';
import { movingTables, withLaterLooks } from './restlessness.ts';
import { observeSimulated } from './simulated-network.ts';

const recording = readRecording();
const recordedSeeds = Object.keys(recording.seeds).map(Number);

describe(`the simulated routers do what FRR ${recording.header.frr} did on ${recording.header.date}`, () => {
  it('at least sixty networks are recorded', () => expect(recordedSeeds.length).toBeGreaterThanOrEqual(60));

  it.each(recordedSeeds)('seed %i', async (seed) => {
    const plan = randomPlan(seed);
    expect(staleness(recording, plan)).toBeUndefined();
    const moving = restless.get(seed);
    if (moving !== undefined) {
      expect(movingTables(await observeSimulated(withLaterLooks(plan, 1)))).toEqual(moving);
      return;
    }
    const differences = differencesOf(recording.seeds[seed]?.views ?? [], await observeSimulated(plan));
    const left = unexplained(seed, differences, exceptions);
    if (left.length > 0) expect.fail(reportOf(seed, left));
  });
});

const frr = findRealFrr(process.env);
const first = Number(process.env['OUTPOST_DIFFERENTIAL_FIRST'] ?? 1);
const count = Number(process.env['OUTPOST_DIFFERENTIAL_SEEDS'] ?? 4);
/**
 * How many of the looked-at networks may end otherwise than the recorded real run of the same network, which the simulator equals:
 * two real runs that disagree are a race of reality (mutual aggregates, next hops over BGP routes), but only so many can be.
 */
const raceShare = 0.06;
/** As many networks at a time as two cores carry without their timers running late. */
const atOnce = 25;

describe('the simulated routers do what real ones do now', () => {
  if (typeof frr === 'string') {
    it.skip(`not here: ${frr}`, () => {});
    return;
  }
  it(`seeds ${first} to ${first + count - 1}`, async () => {
    const waiting = Array.from({ length: count }, (_, index) => first + index);
    const reports: string[] = [];
    const races: string[] = [];
    const look = async (seed: number) => {
      const plan = randomPlan(seed);
      return unexplained(seed, differencesOf(await observeReal(plan, frr), await observeSimulated(plan)), exceptions);
    };
    /** Where a network never comes to rest, the same tables have to go round. @returns undefined where it does */
    const lookAtMoving = async (plan: Plan): Promise<string | undefined> => {
      const twice = withLaterLooks(plan);
      const simulated = movingTables(await observeSimulated(twice));
      if (simulated.length === 0) return undefined;
      const real = movingTables(await observeReal(twice, frr));
      if (real.join() === simulated.join()) return '';
      return `seed ${plan.seed} never comes to rest\n  real:      ${real.join(', ')}\n  simulated: ${simulated.join(', ')}`;
    };
    const work = async () => {
      for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
        // Real daemons race, more so on a busy machine: what differs twice is a difference.
        if ((await look(seed)).length === 0) continue;
        const left = await look(seed);
        if (left.length === 0) continue;
        const moving = await lookAtMoving(randomPlan(seed));
        if (moving === '') continue;
        if (moving !== undefined) {
          reports.push(moving);
          continue;
        }
        (recording.seeds[seed] === undefined ? reports : races).push(reportOf(seed, left));
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work));
    if (races.length > Math.max(1, count * raceShare)) reports.push(...races);
    if (reports.length > 0) expect.fail(reports.join('\n\n'));
  }, 1_200_000);
});
