import { describe, expect, it } from 'vitest';
import type { PathAttributes } from '../bgp/types.ts';
import { ip, prefix } from '../net/address.ts';
import { emptyConfig, type RouteMapEntry } from './config.ts';
import { applyRouteMap } from './policy.ts';

type Clauses = Readonly<Record<string, string>>;

function entry(
  sequence: number,
  action: 'permit' | 'deny',
  match: Clauses,
  set: Clauses,
  more: Partial<RouteMapEntry> = {},
): RouteMapEntry {
  return { sequence, action, match: new Map(Object.entries(match)), set: new Map(Object.entries(set)), ...more };
}

const path: PathAttributes = { origin: 'igp', asPath: [64496], nextHop: ip('192.0.2.1'), med: 47 };

function apply(entries: readonly RouteMapEntry[], attributes: PathAttributes = path) {
  const config = emptyConfig();
  config.routeMaps.set('M', new Map(entries.map((each) => [each.sequence, each])));
  const { isPermitted, attributes: result } = applyRouteMap(config, 'M', prefix('203.0.113.0/24'), attributes, 0, undefined);
  return isPermitted ? { med: result.med, localPref: result.localPref } : 'denied';
}

// Each was measured on FRR 8.4.4, by the networks that support/differential recorded.
describe('a route map', () => {
  const next = { onMatch: 'next' } as const;
  it.each([
    {
      name: 'denies when an entry after on-match next does not match',
      entries: [entry(10, 'permit', {}, { metric: '5' }, next), entry(20, 'permit', { origin: 'incomplete' }, {})],
      result: 'denied',
    },
    {
      name: 'permits when nothing comes after on-match next',
      entries: [entry(10, 'permit', {}, { metric: '5' }, next)],
      result: { med: 5 },
    },
    {
      name: 'goes on after on-match next',
      entries: [entry(10, 'permit', {}, { metric: '5' }, next), entry(20, 'permit', {}, { 'local-preference': '7' })],
      result: { med: 5, localPref: 7 },
    },
    {
      name: 'permits when on-match goto leads past its end',
      entries: [entry(10, 'permit', {}, { metric: '5' }, { onMatch: 'goto 30' }), entry(20, 'deny', {}, {})],
      result: { med: 5 },
    },
    {
      name: 'takes match metric 0 for no condition',
      entries: [entry(10, 'deny', { metric: '0' }, {}), entry(20, 'permit', {}, {})],
      result: 'denied',
    },
    {
      name: 'compares any other metric',
      entries: [entry(10, 'deny', { metric: '5' }, {}), entry(20, 'permit', {}, {})],
      result: { med: 47 },
    },
    { name: 'passes over a call of a map that is not there', entries: [entry(10, 'permit', {}, {}, { call: 'X' })], result: { med: 47 } },
  ])('$name', ({ entries, result }) => expect(apply(entries)).toEqual(result));
});
