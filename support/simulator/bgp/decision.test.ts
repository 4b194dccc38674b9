import { describe, expect, it } from 'vitest';
import { ip, prefix } from '../net/address.ts';
import { decide } from './decision.ts';
import type { BgpPeer, DecisionReason, Path, PathAttributes } from './types.ts';

interface Options extends Partial<PathAttributes> {
  readonly weight?: number;
  readonly isLocal?: boolean;
  readonly isInternal?: boolean;
  readonly routerId?: string;
  readonly address?: string;
  readonly igpMetric?: number;
  readonly isValid?: boolean;
}

function path(options: Options = {}): Path {
  const {
    weight = 0,
    isLocal = false,
    isInternal = false,
    routerId = '192.0.2.1',
    address = '2001:db8::1',
    igpMetric,
    isValid = true,
    ...attributes
  } = options;
  const asPath = attributes.asPath ?? [64496];
  const peer = {
    isExternal: !isInternal,
    remoteRouterId: ip(routerId),
    remoteAsn: asPath[0],
    config: { address: ip(address) },
  } as unknown as BgpPeer;
  return {
    prefix: prefix('198.51.100.0/24'),
    attributes: { origin: 'igp', nextHop: ip(address), ...attributes, asPath },
    peer: isLocal ? undefined : peer,
    receivedAt: 0,
    weight,
    isStale: false,
    isValid,
    ...(igpMetric === undefined ? {} : { igpMetric }),
  };
}

const single = { maximumPaths: 1, maximumPathsIbgp: 1, relaxAsPath: false };

describe('the decision process', () => {
  it.each<{ readonly name: string; readonly winner: Options; readonly loser: Options; readonly reason: DecisionReason }>([
    { name: 'the higher weight', winner: { weight: 10 }, loser: { localPref: 500 }, reason: 'Weight' },
    {
      name: 'the higher local preference over a shorter path',
      winner: { localPref: 200, asPath: [64496, 64497] },
      loser: {},
      reason: 'Local Pref',
    },
    { name: 'a local route', winner: { isLocal: true, asPath: [] }, loser: {}, reason: 'Local Route' },
    { name: 'the shorter AS path', winner: {}, loser: { asPath: [64496, 64497] }, reason: 'AS Path' },
    { name: 'the lower origin', winner: {}, loser: { origin: 'incomplete' }, reason: 'Origin' },
    { name: 'the lower MED of the same neighbouring AS', winner: { med: 5 }, loser: { med: 10 }, reason: 'MED' },
    { name: 'the external path', winner: {}, loser: { isInternal: true }, reason: 'Peer Type' },
    { name: 'the nearer next hop', winner: { igpMetric: 1 }, loser: { igpMetric: 10 }, reason: 'IGP Metric' },
    { name: 'the lower router id', winner: { routerId: '192.0.2.1' }, loser: { routerId: '192.0.2.2' }, reason: 'Router ID' },
    {
      name: 'the shorter cluster list',
      winner: { isInternal: true },
      loser: { isInternal: true, clusterList: [ip('192.0.2.9')] },
      reason: 'Cluster length',
    },
    { name: 'the lower neighbour address', winner: { address: '2001:db8::1' }, loser: { address: '2001:db8::2' }, reason: 'Neighbor IP' },
  ])('prefers $name', ({ winner, loser, reason }) => {
    const [good, bad] = [path(winner), path(loser)];
    for (const paths of [
      [good, bad],
      [bad, good],
    ]) {
      expect(decide(paths, { selected: undefined, multipath: single })).toEqual({ best: good, reason, multipath: [good] });
    }
  });

  it('leaves MED out between different neighbouring ASes', () => {
    const low = path({ med: 1, routerId: '192.0.2.2' });
    const other = path({ med: 9, asPath: [64499], routerId: '192.0.2.1' });
    expect(decide([low, other], { selected: undefined, multipath: single })?.best).toBe(other);
    expect(decide([low, other], { selected: undefined, multipath: single, alwaysCompareMed: true })?.best).toBe(low);
  });

  it('keeps the external path that is in use', () => {
    const older = path({ routerId: '192.0.2.9' });
    const newer = path({ routerId: '192.0.2.1' });
    expect(decide([newer, older], { selected: older, multipath: single })).toEqual({
      best: older,
      reason: 'Older Path',
      multipath: [older],
    });
    expect(decide([newer, older], { selected: older, multipath: single, compareRouterId: true })?.best).toBe(newer);
  });

  it('takes the first path, and none that is not usable', () => {
    const only = path();
    expect(decide([path({ weight: 5, isValid: false }), only], { selected: undefined, multipath: single })).toEqual({
      best: only,
      reason: 'First path received',
      multipath: [only],
    });
    expect(decide([path({ isValid: false })], { selected: undefined, multipath: single })).toBeUndefined();
  });

  it('adds companions by next hop, as many as are allowed', () => {
    const a = path({ asPath: [64501], routerId: '192.0.2.1', address: '2001:db8::1' });
    const b = path({ asPath: [64502], routerId: '192.0.2.2', address: '2001:db8::2' });
    const c = path({ asPath: [64503], routerId: '192.0.2.3', address: '2001:db8::3' });
    const longer = path({ asPath: [64504, 64505], routerId: '192.0.2.4', address: '2001:db8::4' });
    const all = [longer, c, b, a];
    const choose = (maximumPaths: number, relaxAsPath: boolean) =>
      decide(all, { selected: a, multipath: { maximumPaths, maximumPathsIbgp: maximumPaths, relaxAsPath } })?.multipath;
    expect(choose(256, true)).toEqual([a, b, c]);
    expect(choose(2, true)).toEqual([a, b]);
    expect(choose(256, false)).toEqual([a]);
  });
});
