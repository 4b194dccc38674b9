import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { civilTime, formatIso, formatRfc3339Nano } from './timestamp.ts';

describe('calendar time', () => {
  it('agrees with the platform on every moment', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('1900-01-01'), max: new Date('2400-01-01'), noInvalidDate: true }), (date) => {
        expect(formatIso(date.getTime())).toBe(date.toISOString());
        expect(civilTime(date.getTime()).weekday).toBe(date.getUTCDay());
      }),
    );
  });

  it.each([
    { ms: 1_768_204_800_000, text: '2026-01-12T08:00:00Z' },
    { ms: 1_768_204_800_000.25, text: '2026-01-12T08:00:00.00025Z' },
    { ms: 1_768_204_800_120, text: '2026-01-12T08:00:00.12Z' },
  ])('$text has no trailing zeros', ({ ms, text }) => expect(formatRfc3339Nano(ms)).toBe(text));
});
