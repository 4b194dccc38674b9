import { expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import { badRequest } from '../apiserver/errors.ts';
import { createReconciler } from './reconciler.ts';

it('handles all mentions of a key at once, keys apart', () => {
  const clock = new SimulatedClock(0);
  const runs: [at: number, key: string][] = [];
  const queue = createReconciler(clock, { name: 'test', delayMs: 10, reconcile: (key) => runs.push([clock.now(), key]) });
  queue.enqueue('a');
  queue.enqueue('a');
  queue.enqueue('b', 30);
  queue.enqueue('b', 20);
  clock.advance(100);
  expect(runs).toEqual([
    [10, 'a'],
    [20, 'b'],
  ]);
});

it('tries again with growing delays while the API refuses', () => {
  const clock = new SimulatedClock(0);
  const runs: number[] = [];
  const queue = createReconciler(clock, {
    name: 'test',
    delayMs: 0,
    reconcile() {
      runs.push(clock.now());
      if (runs.length < 4) throw badRequest('not yet');
    },
  });
  queue.enqueue('a');
  clock.advance(1_000);
  expect(runs).toEqual([0, 5, 15, 35]);
});

it('stops for good', () => {
  const clock = new SimulatedClock(0);
  const runs: string[] = [];
  const queue = createReconciler(clock, { name: 'test', reconcile: (key) => runs.push(key) });
  queue.enqueue('a');
  queue.stop();
  queue.enqueue('b');
  clock.advance(1_000);
  expect(runs).toEqual([]);
});
