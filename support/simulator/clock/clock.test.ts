import { describe, expect, it } from 'vitest';
import { NoConvergenceError, SimulatedClock } from './clock.ts';
import { Random } from './random.ts';

const start = Date.UTC(2026, 0, 1);

describe('the simulated clock', () => {
  it('runs events by time, and those of one time in the order they were scheduled', () => {
    const clock = new SimulatedClock(start);
    const seen: string[] = [];
    clock.schedule(20, () => seen.push(`c ${clock.now() - start}`));
    clock.schedule(10, () => seen.push(`a ${clock.now() - start}`));
    clock.schedule(10, () => seen.push(`b ${clock.now() - start}`));
    clock.schedule(0.5, () => seen.push(`first ${clock.now() - start}`));
    clock.advance(15);
    expect(seen).toEqual(['first 0.5', 'a 10', 'b 10']);
    expect(clock.now()).toBe(start + 15);
    clock.advance(100);
    expect(seen.at(-1)).toBe('c 20');
    expect(clock.now()).toBe(start + 115);
  });

  it('stops at the event that makes a condition true, or at the deadline', () => {
    const clock = new SimulatedClock(start);
    let isDone = false;
    clock.schedule(30, () => {
      isDone = true;
    });
    expect(clock.runUntil(() => isDone, 10)).toBe(false);
    expect(clock.now()).toBe(start + 10);
    expect(clock.runUntil(() => isDone, 1000)).toBe(true);
    expect(clock.now()).toBe(start + 30);
    expect(clock.runUntil(() => false)).toBe(false);
    expect(clock.now()).toBe(start + 30);
  });

  it('forgets a cancelled event', () => {
    const clock = new SimulatedClock(start);
    const timer = clock.schedule(10, () => expect.unreachable());
    clock.schedule(5, () => timer.cancel());
    clock.advance(20);
    expect(clock.steps).toBe(1);
  });

  it('lets an event schedule others, but not wait', () => {
    const clock = new SimulatedClock(start);
    clock.schedule(1, () => clock.schedule(1, () => clock.advance(1)));
    expect(() => clock.advance(10)).toThrow('an event must schedule what comes later');
  });

  it('gives up on events without end', () => {
    const clock = new SimulatedClock(start, { stepLimit: 1000 });
    const again = () => void clock.schedule(0, again);
    again();
    expect(() => clock.advance(1)).toThrow(NoConvergenceError);
  });
});

describe('random streams', () => {
  it('are the same for the same seed and name, and do not disturb each other', () => {
    const draws = (random: Random) => [random.uint32(), random.integer(1, 6), random.hex(8), random.uuid()];
    const one = new Random(7);
    const other = new Random(7);
    other.stream('something else').uint32();
    expect(draws(one.stream('pods'))).toEqual(draws(other.stream('pods')));
    expect(draws(new Random(7).stream('pods'))).not.toEqual(draws(new Random(8).stream('pods')));
    expect(draws(new Random(7).stream('pods'))).not.toEqual(draws(new Random(7).stream('nodes')));
  });

  it('spread evenly', () => {
    const random = new Random('spread');
    const dice = new Array<number>(6).fill(0);
    for (let draw = 0; draw < 60_000; draw++) {
      const face = random.integer(0, 5);
      dice[face] = (dice[face] ?? 0) + 1;
    }
    for (const count of dice) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
