import { expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { createApiServer } from '../kubernetes/apiserver/server.ts';
import type { Lease } from '../kubernetes/objects.ts';
import { joinElection } from './lease-election.ts';
import { ciliumNamespace, resources } from './objects.ts';

const start = 1_700_000_000_000;

function setUp() {
  const clock = new SimulatedClock(start);
  const random = new Random('election');
  const { client: api } = createApiServer({
    clock,
    random,
    version: 'v1.27.3',
    podSubnets: ['203.0.113.0/24'],
    serviceSubnets: ['198.51.100.0/24'],
  });
  const history: string[] = [];
  const frozen = new Set<string>();
  const join = (identity: string, delayMs = 0) =>
    joinElection(
      {
        api,
        clock,
        random: random.stream(identity),
        leaseName: 'web',
        identity,
        leaseDurationMs: 15_000,
        renewDeadlineMs: 5_000,
        retryPeriodMs: 2_000,
        isAbleToWork: () => !frozen.has(identity),
        onStarted: () => history.push(`${identity} started`),
        onStopped: () => history.push(`${identity} stopped`),
      },
      delayMs,
    );
  const lease = () => api.get<Lease>(resources.lease, 'web', ciliumNamespace)?.spec;
  return { clock, history, frozen, join, lease };
}

it('gives the lease to the first and leaves it there', () => {
  const { clock, history, join, lease } = setUp();
  join('b', 5);
  join('a');
  clock.advance(60_000);
  expect(history).toEqual(['a started']);
  expect(lease()).toEqual({
    acquireTime: '2023-11-14T22:13:20.000000Z',
    holderIdentity: 'a',
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    renewTime: '2023-11-14T22:14:20.000000Z',
  });
});

it('hands over within a retry period when the holder goes in good order', () => {
  const { clock, history, join, lease } = setUp();
  const first = join('a');
  join('b', 5);
  clock.advance(10_000);
  first.stop(true);
  expect(lease()?.holderIdentity).toBe('');
  clock.advance(4_400);
  expect(history).toEqual(['a started', 'a stopped', 'b started']);
  expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

it('hands over after the lease has run out when the holder is frozen, which gives up once it works again', () => {
  const { clock, history, frozen, join } = setUp();
  join('a');
  join('b', 5);
  clock.advance(10_000);
  frozen.add('a');
  clock.advance(9_000);
  expect(history).toEqual(['a started']);
  clock.advance(11_500);
  expect(history).toEqual(['a started', 'b started']);
  frozen.delete('a');
  clock.advance(2_100);
  expect(history).toEqual(['a started', 'b started', 'a stopped']);
});
