import { describe, expect, it } from 'vitest';
import type { Clock } from '../port/lab.ts';
import { EnvironmentError, ToolRefusal } from '../verdict/errors.ts';
import { consistently, Deadline, eventually, formatDuration, never, type Observation } from './waiting.ts';

/** A clock that jumps, and remembers how long it was asked to sleep. */
function jumpingClock(): Clock & { sleeps: number[] } {
  let now = 1_000;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => now,
    sleep: async (milliseconds) => {
      sleeps.push(milliseconds);
      now += milliseconds;
    },
  };
}

/** Becomes true `afterMs` of the clock's time. */
const trueAfter = (clock: Clock, afterMs: number) => {
  const start = clock.now();
  return async (): Promise<Observation<number>> =>
    clock.now() - start >= afterMs ? { ok: true, value: clock.now() - start } : { ok: false, saw: `${clock.now() - start} ms` };
};

describe('eventually', () => {
  it('takes a refusal of the lab for something seen, and lets any other failure through', async () => {
    const clock = jumpingClock();
    const refuses = async (): Promise<Observation<number>> => {
      throw new ToolRefusal('tool/refused', 'vtysh ended with exit status 1: bgpd is not running');
    };
    expect(await eventually(new Deadline(clock, 500), refuses)).toEqual({
      held: false,
      saw: 'vtysh ended with exit status 1: bgpd is not running',
      elapsedMs: 500,
      probes: 3,
      impossible: undefined,
    });
    const dies = async (): Promise<Observation<number>> => {
      throw new EnvironmentError('tool/failed', 'kubectl ended with exit status 1');
    };
    await expect(eventually(new Deadline(clock, 500), dies)).rejects.toThrow('kubectl ended with exit status 1');
  });

  it('looks at once and does not wait when it holds', async () => {
    const clock = jumpingClock();
    expect(await eventually(new Deadline(clock, 1000), trueAfter(clock, 0))).toEqual({ held: true, value: 0, elapsedMs: 0, probes: 1 });
    expect(clock.sleeps).toEqual([]);
  });

  it('looks every 250 ms until it holds', async () => {
    const clock = jumpingClock();
    const waited = await eventually(new Deadline(clock, 30_000), trueAfter(clock, 600));
    expect(waited).toEqual({ held: true, value: 750, elapsedMs: 750, probes: 4 });
  });

  it('looks a last time at the deadline', async () => {
    const clock = jumpingClock();
    const waited = await eventually(new Deadline(clock, 600), trueAfter(clock, 600));
    expect(waited).toMatchObject({ held: true, value: 600 });
    expect(clock.sleeps).toEqual([250, 250, 100]);
  });

  it('reports the last thing seen', async () => {
    const clock = jumpingClock();
    const waited = await eventually(new Deadline(clock, 600), trueAfter(clock, 601));
    expect(waited).toEqual({ held: false, saw: '600 ms', elapsedMs: 600, probes: 4, impossible: undefined });
  });

  it('gives up at once on what cannot become true', async () => {
    const clock = jumpingClock();
    const waited = await eventually(new Deadline(clock, 600), async () => ({ ok: false, saw: 'no pod', impossible: 'replicas: 0' }));
    expect(waited).toEqual({ held: false, saw: 'no pod', elapsedMs: 0, probes: 1, impossible: 'replicas: 0' });
  });

  it('shares the deadline among the waits of a step', async () => {
    const clock = jumpingClock();
    const deadline = new Deadline(clock, 1000);
    expect(await eventually(deadline, trueAfter(clock, 750))).toMatchObject({ held: true });
    expect(await eventually(deadline, trueAfter(clock, 500))).toMatchObject({ held: false, elapsedMs: 1000 });
  });
});

describe('consistently', () => {
  it('watches until the deadline', async () => {
    const clock = jumpingClock();
    expect(await consistently(new Deadline(clock, 1500), async () => ({ ok: true, value: 'up' }))).toEqual({
      held: true,
      value: 'up',
      elapsedMs: 1500,
      probes: 3,
    });
    expect(clock.sleeps).toEqual([1000, 500]);
  });

  it('ends at the first look at which it does not hold', async () => {
    const clock = jumpingClock();
    const upFor = async (): Promise<Observation<string>> =>
      clock.sleeps.length < 2 ? { ok: true, value: 'up' } : { ok: false, saw: 'down' };
    expect(await consistently(new Deadline(clock, 5000), upFor)).toMatchObject({ held: false, saw: 'down', elapsedMs: 2000 });
  });
});

describe('never', () => {
  it('sits out its time when the state leaves it open', async () => {
    const clock = jumpingClock();
    const waited = await never(new Deadline(clock, 1500), async () => ({ ok: false, saw: 'no answer' }), String);
    expect(waited).toEqual({ held: true, value: 'no answer', elapsedMs: 1500, probes: 3 });
  });

  it('ends at once when the state excludes it', async () => {
    const clock = jumpingClock();
    const waited = await never(new Deadline(clock, 60_000), async () => ({ ok: false, saw: 'no answer', impossible: 'no route' }), String);
    expect(waited).toEqual({ held: true, value: 'no route', elapsedMs: 0, probes: 1 });
  });

  it('reports what came true', async () => {
    const clock = jumpingClock();
    const waited = await never(new Deadline(clock, 1000), trueAfter(clock, 1000), (value) => `answered after ${value} ms`);
    expect(waited).toMatchObject({ held: false, saw: 'answered after 1000 ms' });
  });
});

describe('formatDuration', () => {
  it.each([
    [12.4, '12 ms'],
    [1500, '1.5 s'],
    [30_000, '30 s'],
    [120_000, '2 min'],
    [125_000, '2 min 5 s'],
  ])('%d ms is %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
});
