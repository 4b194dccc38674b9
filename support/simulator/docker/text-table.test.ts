import { describe, expect, it } from 'vitest';
import { ellipsis, humanDuration, humanSize, textTable } from './text-table.ts';

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000] as const;

describe('what docker prints', () => {
  it.each([
    [0, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59 * minute, '59 minutes'],
    [hour, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [2 * day, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [60 * day, '2 months'],
    [730 * day, '2 years'],
  ])('%d ms: %s', (ms, text) => expect(humanDuration(ms)).toBe(text));

  it('has columns of at least ten, three blanks apart', () => {
    expect(
      textTable([
        ['NETWORK ID', 'NAME', 'SCOPE'],
        ['0123456789ab', 'bridge', 'local'],
      ]),
    ).toBe('NETWORK ID     NAME      SCOPE\n0123456789ab   bridge    local\n');
  });

  it('shortens and scales', () => {
    expect([
      ellipsis('/sbin/tini -- /usr/lib/frr', 20),
      ellipsis('short', 20),
      humanSize(2048),
      humanSize(12),
      humanSize(1_234_567),
    ]).toEqual(['/sbin/tini -- /usr/…', 'short', '2.05kB', '12B', '1.23MB']);
  });
});
