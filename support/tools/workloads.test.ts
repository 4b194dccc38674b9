import { describe, expect, it } from 'vitest';
import { expectedPaths, pathDifferences } from './bgp-tables.ts';
import type { Deployment, Pod } from './kubectl.ts';
import { addressDifferences, rangeDifferences, rolloutDifference } from './workloads.ts';

const rolledOut: Deployment = { name: 'web', wanted: 3, total: 3, updated: 3, available: 3, isObserved: true, selector: 'app=web' };

describe('a roll-out', () => {
  it.each<[string, Deployment | undefined, string[]]>([
    ['is complete with every replica ready, however many', rolledOut, []],
    ['lacks the deployment', undefined, ['no deployment web']],
    ['has not been looked at', { ...rolledOut, isObserved: false, updated: 2 }, ['web: 2 of 3 updated']],
    ['still has old pods', { ...rolledOut, total: 4 }, ['web: 1 of an older template still there']],
    ['lacks a ready replica', { ...rolledOut, available: 2 }, ['web: 2 of 3 ready']],
    ['of nothing is none', { ...rolledOut, wanted: 0, total: 0, updated: 0, available: 0 }, ['web wants no replica']],
  ])('%s', (_name, deployment, differences) => expect(rolloutDifference('web', deployment)).toEqual(differences));
});

describe('addresses of pods', () => {
  const pod: Pod = {
    name: 'web-1',
    namespace: 'shop',
    node: 'n1',
    addresses: ['192.0.2.7', '2001:db8::7'],
    isReady: true,
    isEnding: false,
  };
  const nodes = [{ name: 'n1', podCidrs: ['192.0.2.0/24', '2001:db8::/64'] }];
  it.each<[string, Pod, string[]]>([
    ['are in order', pod, []],
    ['lack a family', { ...pod, addresses: ['192.0.2.7'] }, ['web-1 has no IPv6 address']],
    [
      'are of another node',
      { ...pod, addresses: ['192.0.2.7', '2001:db8:1::7'] },
      ['2001:db8:1::7 of web-1 is outside 192.0.2.0/24 and 2001:db8::/64 of n1'],
    ],
  ])('%s', (_name, seen, differences) => expect(addressDifferences([seen], nodes)).toEqual(differences));
});

describe('addresses in ranges', () => {
  const ranges = ['203.0.113.200/29', '2001:db8::/64'];
  it.each<[string, string[], string[]]>([
    ['are one each', ['203.0.113.200', '2001:db8::'], []],
    ['lack one', ['203.0.113.200'], ['no address in 2001:db8::/64']],
    ['are two in one', ['203.0.113.200', '203.0.113.201', '2001:db8::'], ['203.0.113.200 and 203.0.113.201 in 203.0.113.200/29']],
    ['have a stranger', ['203.0.113.200', '2001:db8::', '192.0.2.1'], ['192.0.2.1 is in none of the ranges']],
  ])('%s', (_name, addresses, differences) => expect(rangeDifferences(addresses, ranges)).toEqual(differences));
});

describe('paths that a router must have', () => {
  const origin = { node: 'n1', nextHop: '2001:db8:ff::2', asPath: '64501' };
  const paths = (over: object = {}) => [
    { prefix: '192.0.2.0/24', nextHop: '2001:db8:ff::2', asPath: '64501', isValid: true, isBest: true, ...over },
  ];
  const wanted = [{ ...origin, prefix: '192.0.2.0/24' }];

  it('come from what each node announces, in both families', () => {
    expect(expectedPaths([origin], () => ['192.0.2.0/24', '2001:db8::/64'])).toEqual({
      paths: [
        { ...origin, prefix: '192.0.2.0/24' },
        { ...origin, prefix: '2001:db8::/64' },
      ],
      missing: [],
    });
    expect(expectedPaths([origin], () => ['192.0.2.0/24']).missing).toEqual(['n1 has nothing to announce over IPv6']);
  });

  it.each([
    ['are there', paths(), []],
    ['are not there', [], ['192.0.2.0/24 of n1: no route']],
    ['come from elsewhere', paths({ nextHop: '2001:db8:ff::3' }), ['192.0.2.0/24 of n1: only via 2001:db8:ff::3 (64501)']],
    ['have another AS path', paths({ asPath: '64509' }), ['192.0.2.0/24 of n1: only via 2001:db8:ff::2 (64509)']],
    ['are not valid', paths({ isValid: false }), ['192.0.2.0/24 of n1: only via 2001:db8:ff::2 (64501) not valid']],
  ])('%s', (_name, table, differences) => expect(pathDifferences(wanted, table)).toEqual(differences));
});
