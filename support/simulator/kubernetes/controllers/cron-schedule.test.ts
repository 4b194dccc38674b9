import { describe, expect, it } from 'vitest';
import { parseCron } from './cron-schedule.ts';

/** Times by hand, from crontab(5) and the documentation of robfig/cron v3. 2026-01-12 is a Monday. */
describe('the next time of a schedule', () => {
  it.each([
    { schedule: '*/5 * * * *', after: '2026-01-12T08:00:10Z', next: '2026-01-12T08:05:00.000Z' },
    { schedule: '*/5 * * * *', after: '2026-01-12T08:05:00Z', next: '2026-01-12T08:10:00.000Z' },
    { schedule: '0 3 * * *', after: '2026-01-12T08:00:00Z', next: '2026-01-13T03:00:00.000Z' },
    { schedule: '@hourly', after: '2026-01-12T08:59:59Z', next: '2026-01-12T09:00:00.000Z' },
    { schedule: '30 4 1,15 * 5', after: '2026-01-12T08:00:00Z', next: '2026-01-15T04:30:00.000Z' },
    { schedule: '30 4 1,15 * 5', after: '2026-01-15T08:00:00Z', next: '2026-01-16T04:30:00.000Z' },
    { schedule: '0 0 29 2 *', after: '2026-01-12T08:00:00Z', next: '2028-02-29T00:00:00.000Z' },
    { schedule: '0 12 * jan-mar mon-fri/2', after: '2026-01-12T12:00:00Z', next: '2026-01-14T12:00:00.000Z' },
    { schedule: '0 0 ? * SUN', after: '2026-01-12T08:00:00Z', next: '2026-01-18T00:00:00.000Z' },
    { schedule: '0 0 31 11 *', after: '2026-01-12T08:00:00Z', next: undefined },
  ])('$schedule after $after', ({ schedule, after, next }) => {
    const time = parseCron(schedule)?.next(Date.parse(after));
    expect(time === undefined ? undefined : new Date(time).toISOString()).toBe(next);
  });

  it.each(['', '* * * *', '60 * * * *', '5-1 * * * *', '*/0 * * * *', 'x * * * *'])('%j is none', (schedule) => {
    expect(parseCron(schedule)).toBeUndefined();
  });
});
