import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { ip, prefix } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import type { NetworkInterface, NetworkNamespace } from '../net/types.ts';
import { createSpeaker } from './speaker.ts';
import type { BgpPeer, BgpSpeaker, PeerConfig, SpeakerOptions } from './types.ts';

const multipath = { maximumPaths: 256, maximumPathsIbgp: 256, relaxAsPath: true };
const start = 1_700_000_000_000;

/** A router and a node on one link, 2001:db8:0:1::/64 and 192.0.2.0/24. */
class Pair {
  readonly clock = new SimulatedClock(start);
  readonly network = createNetwork({ clock: this.clock, random: new Random('pair') });
  readonly left: NetworkNamespace = this.network.createNamespace('left');
  readonly right: NetworkNamespace = this.network.createNamespace('right');
  readonly leftDevice: NetworkInterface;
  readonly rightDevice: NetworkInterface;

  constructor() {
    [this.leftDevice, this.rightDevice] = this.network.createVeth(
      { namespace: this.left, name: 'eth1' },
      { namespace: this.right, name: 'eth1' },
    );
    this.leftDevice.setUp();
    this.rightDevice.setUp();
    this.leftDevice.addAddress(ip('192.0.2.1'), 24);
    this.rightDevice.addAddress(ip('192.0.2.2'), 24);
    this.leftDevice.addAddress(ip('2001:db8:0:1::1'), 64, { noDad: true });
    this.rightDevice.addAddress(ip('2001:db8:0:1::2'), 64, { noDad: true });
    this.clock.advance(3000);
  }

  speaker(
    side: 'left' | 'right',
    options: Partial<SpeakerOptions> & { readonly peer?: Partial<PeerConfig> } = {},
  ): { readonly speaker: BgpSpeaker; readonly peer: BgpPeer } {
    const { peer, ...rest } = options;
    const isLeft = side === 'left';
    const implementation = options.implementation ?? (isLeft ? 'frr' : 'gobgp');
    const speaker = createSpeaker({
      namespace: isLeft ? this.left : this.right,
      clock: this.clock,
      random: new Random(side),
      implementation,
      localAsn: isLeft ? 64500 : 64501,
      routerId: ip(isLeft ? '192.0.2.1' : '192.0.2.2'),
      hostname: side,
      ...(implementation === 'frr' ? { listenPort: 179 } : {}),
      multipath: { 'ipv4-unicast': multipath, 'ipv6-unicast': multipath },
      ...rest,
    });
    return {
      speaker,
      peer: speaker.addPeer({
        address: ip(isLeft ? '2001:db8:0:1::2' : '2001:db8:0:1::1'),
        remoteAs: isLeft ? 'external' : 64500,
        port: 179,
        families: ['ipv4-unicast', 'ipv6-unicast'],
        holdTimeSeconds: isLeft ? 180 : 90,
        keepaliveSeconds: isLeft ? 60 : 30,
        connectRetrySeconds: 120,
        multihopTtl: 1,
        extendedNextHop: true,
        ...peer,
      }),
    };
  }

  /** States that a peer goes through, with the second after which each was reached. */
  watch(speaker: BgpSpeaker): string[] {
    const seen: string[] = [];
    const from = this.clock.now();
    speaker.onSessionChange((peer) => seen.push(`${((this.clock.now() - from) / 1000).toFixed(0)} ${peer.state}`));
    return seen;
  }

  seconds(count: number): void {
    this.clock.advance(count * 1000);
  }
}

const v4 = prefix('198.51.100.0/24');
const v6 = prefix('2001:db8:100::/64');

describe('a session between FRR and gobgp', () => {
  it('comes up on the first dial of gobgp, five to nine seconds after its start', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    pair.seconds(3);
    expect(left.peer.state).toBe('Active');
    expect(left.peer.lastReset?.reason).toBe('Waiting for peer OPEN');
    const right = pair.speaker('right');
    expect(right.peer.state).toBe('Active');
    pair.seconds(4.9);
    expect(right.peer.state).toBe('Active');
    pair.seconds(5);
    expect([left.peer.state, right.peer.state]).toEqual(['Established', 'Established']);
    expect([left.peer.negotiatedHoldTimeSeconds, left.peer.negotiatedKeepaliveSeconds]).toEqual([90, 30]);
    expect([right.peer.negotiatedHoldTimeSeconds, right.peer.negotiatedKeepaliveSeconds]).toEqual([90, 30]);
    expect([left.peer.remoteAsn, left.peer.hostname, right.peer.hostname]).toEqual([64501, 'right', 'left']);
  });

  it('carries both families with IPv6 next hops, and FRR sends them back', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    right.speaker.originate({ prefix: v4 });
    right.speaker.originate({ prefix: v6 });
    pair.seconds(12);
    expect(left.speaker.lookup(v4)?.best?.attributes).toEqual({ origin: 'igp', asPath: [64501], nextHop: ip('2001:db8:0:1::2') });
    expect(left.speaker.lookup(v6)?.best?.attributes.nextHop).toBe(ip('2001:db8:0:1::2'));
    // Its own AS is in the path: received, not accepted.
    expect(right.peer.prefixCounts('ipv6-unicast')).toEqual({ received: 1, accepted: 0, advertised: 1 });
    expect(right.peer.adjRibIn('ipv6-unicast')[0]?.attributes.asPath).toEqual([64500, 64501]);
    right.speaker.withdraw(v6);
    pair.seconds(1);
    expect(left.speaker.lookup(v6)).toBeUndefined();
    expect(right.peer.prefixCounts('ipv6-unicast')).toEqual({ received: 0, accepted: 0, advertised: 0 });
  });

  it('is refused again and again when the node expects another AS', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right', { peer: { remoteAs: 64999 } });
    const seen = pair.watch(right.speaker);
    pair.seconds(40);
    expect(seen.map((each) => each.split(' ')[1]).slice(0, 6)).toEqual(['OpenSent', 'Idle', 'Active', 'OpenSent', 'Idle', 'Active']);
    expect(right.peer.lastReset).toMatchObject({ direction: 'sent', code: 2, subcode: 2 });
    // The incoming connection has a machine of its own at FRR: its row never leaves Active.
    expect(left.peer.state).toBe('Active');
    expect(left.peer.counters.opensSent).toBe(0);
  });

  it('is refused by a router that expects another AS', () => {
    const pair = new Pair();
    const left = pair.speaker('left', { peer: { remoteAs: 64999 } });
    const right = pair.speaker('right');
    pair.seconds(30);
    expect(right.peer.lastReset).toMatchObject({ direction: 'received', code: 2, subcode: 2 });
    expect(left.peer.state).toBe('Active');
    expect(right.peer.state).not.toBe('Established');
  });

  it('waits two to four minutes after a dial that failed', () => {
    const pair = new Pair();
    const right = pair.speaker('right');
    pair.seconds(10);
    expect(right.peer.state).toBe('Active');
    pair.speaker('left');
    pair.seconds(100);
    expect(right.peer.state).toBe('Active');
    pair.seconds(150);
    expect(right.peer.state).toBe('Established');
  });

  it('ends with the process of the node, and comes back after the next first dial', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    right.speaker.originate({ prefix: v4 });
    pair.seconds(12);
    right.speaker.stop('killed');
    pair.seconds(0.2);
    expect([left.peer.state, left.peer.lastReset?.reason]).toEqual(['Idle', 'Peer closed the session']);
    expect(left.speaker.lookup(v4)).toBeUndefined();
    pair.seconds(1.5);
    expect(left.peer.state).toBe('Active');
    pair.speaker('right');
    pair.seconds(10);
    expect(left.peer.state).toBe('Established');
    expect(left.peer.counters).toMatchObject({ connectionsEstablished: 2, connectionsDropped: 1 });
  });

  it('ends with Cease/Peer De-configured when the node is stopped in good order', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    pair.seconds(12);
    right.speaker.stop('graceful');
    pair.seconds(0.2);
    expect(left.peer.lastReset).toMatchObject({ direction: 'received', code: 6, subcode: 3, reason: 'BGP Notification received' });
  });

  it('ends with the hold time when packets are lost in silence', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    pair.seconds(20);
    pair.leftDevice.netem = { delayMs: 0, lossFraction: 1 };
    pair.rightDevice.netem = { delayMs: 0, lossFraction: 1 };
    pair.seconds(50);
    expect([left.peer.state, right.peer.state]).toEqual(['Established', 'Established']);
    pair.seconds(42);
    expect(left.peer.lastReset).toMatchObject({ direction: 'sent', code: 4, subcode: 0 });
    expect(left.peer.state).not.toBe('Established');
    expect(right.peer.state).not.toBe('Established');
  });

  it('ends at once on the router whose link went down, and there only', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    right.speaker.originate({ prefix: v4 });
    pair.seconds(20);
    pair.leftDevice.setDown();
    pair.seconds(0.2);
    expect([left.peer.state, left.peer.lastReset?.reason]).toEqual(['Idle', 'Waiting for NHT']);
    expect(left.speaker.lookup(v4)).toBeUndefined();
    expect(right.peer.state).toBe('Established');
    pair.seconds(1);
    expect(left.peer.state).toBe('Active');
    pair.seconds(90);
    expect(right.peer.state).not.toBe('Established');
  });

  it('is reset by the operator and comes back after idle hold and first dial', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right');
    pair.seconds(12);
    const seen = pair.watch(right.speaker);
    left.speaker.clearPeer(ip('2001:db8:0:1::2'), 'hard');
    pair.seconds(15);
    expect(left.peer.lastReset?.reason).toBe('No AFI/SAFI activated for peer');
    expect(seen.slice(0, 2)).toEqual(['0 Idle', '5 Active']);
    expect(left.peer.state).toBe('Established');
  });

  it('does not come up with different passwords', () => {
    const pair = new Pair();
    const left = pair.speaker('left', { peer: { password: 'one' } });
    const right = pair.speaker('right', { peer: { password: 'two' } });
    pair.seconds(60);
    expect([left.peer.state, right.peer.state]).not.toContain('Established');
  });

  it('comes up with the same password', () => {
    const pair = new Pair();
    const left = pair.speaker('left', { peer: { password: 'one' } });
    const right = pair.speaker('right', { peer: { password: 'one' } });
    pair.seconds(12);
    expect([left.peer.state, right.peer.state]).toEqual(['Established', 'Established']);
  });

  it('keeps the routes of a node that restarts gracefully, marked as stale', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const restarting = { peer: { gracefulRestart: { restartTimeSeconds: 30 } } };
    const right = pair.speaker('right', restarting);
    right.speaker.originate({ prefix: v4 });
    right.speaker.originate({ prefix: v6 });
    pair.seconds(12);
    right.speaker.stop('killed');
    pair.seconds(1);
    expect(left.speaker.lookup(v4)?.best?.isStale).toBe(true);
    // FRR waits for it and does not dial.
    pair.seconds(2);
    expect([left.peer.state, left.peer.nextConnectAt]).toEqual(['Active', undefined]);
    const again = pair.speaker('right', restarting);
    again.speaker.originate({ prefix: v4 });
    pair.seconds(12);
    expect(left.speaker.lookup(v4)?.best?.isStale).toBe(false);
    // Not announced again before End-of-RIB: gone.
    expect(left.speaker.lookup(v6)).toBeUndefined();
    again.speaker.stop('killed');
    pair.seconds(31);
    expect(left.speaker.lookup(v4)).toBeUndefined();
    expect(left.peer.nextConnectAt).toBeDefined();
  });

  it('is cut when more prefixes come than allowed', () => {
    const pair = new Pair();
    const left = pair.speaker('left', { peer: { perFamily: { 'ipv4-unicast': { maximumPrefix: 1 } } } });
    const right = pair.speaker('right');
    right.speaker.originate({ prefix: v4 });
    right.speaker.originate({ prefix: prefix('203.0.113.0/24') });
    pair.seconds(10);
    expect([left.peer.state, left.peer.isPrefixOverflow]).toEqual(['Idle', true]);
    expect(right.peer.lastReset).toMatchObject({ code: 6, subcode: 1 });
  });
});

describe('a session between two FRR', () => {
  it('survives that both dial at once, and counts End-of-RIB', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right', { implementation: 'frr', peer: { remoteAs: 64500 } });
    right.speaker.originate({ prefix: v6 });
    pair.seconds(10);
    expect([left.peer.state, right.peer.state]).toEqual(['Established', 'Established']);
    expect([...(left.peer.endOfRib?.received ?? [])]).toEqual(['ipv4-unicast', 'ipv6-unicast']);
    // FRR sends its link-local address along, and it is the one that counts.
    expect(left.speaker.lookup(v6)?.best?.attributes).toMatchObject({ nextHop: ip('2001:db8:0:1::2'), med: 0, asPath: [64501] });
    expect(left.speaker.lookup(v6)?.best?.attributes.linkLocalNextHop?.text).toMatch(/^fe80::/);
    expect(left.speaker.lookup(v6)?.best?.isValid).toBe(true);
  });

  it('leaves the prefix of a session that went to who has it now', () => {
    const pair = new Pair();
    const left = pair.speaker('left');
    const right = pair.speaker('right', { implementation: 'frr' });
    right.speaker.originate({ prefix: v6 });
    pair.seconds(10);
    expect(left.speaker.lookup(v6)?.paths).toHaveLength(1);
    pair.leftDevice.setDown();
    pair.seconds(1);
    left.speaker.originate({ prefix: v6 });
    pair.seconds(1);
    pair.leftDevice.setUp();
    pair.leftDevice.addAddress(ip('2001:db8:0:1::1'), 64, { noDad: true });
    pair.seconds(3);
    expect(left.speaker.lookup(v6)?.best?.peer).toBeUndefined();
    expect(left.speaker.lookup(v6)?.paths.map(({ weight }) => weight)).toContain(32768);
  });

  it('does not tell that a MED of 0 is none any more, as FRR holds both for the same', () => {
    const pair = new Pair();
    let med: number | undefined = 0;
    const { speaker } = pair.speaker('left', {
      exportPolicy: ({ attributes: { med: _, ...rest } }) => ({ attributes: med === undefined ? rest : { ...rest, med } }),
    });
    const right = pair.speaker('right');
    speaker.originate({ prefix: v6 });
    pair.seconds(15);
    const told = (next: number | undefined) => {
      med = next;
      speaker.refreshPolicies();
      pair.seconds(1);
      return right.peer.adjRibIn('ipv6-unicast').map(({ attributes }) => attributes.med);
    };
    expect([told(0), told(undefined), told(5), told(undefined)]).toEqual([[0], [0], [5], [undefined]]);
  });

  it('puts its own number in the place of the peer, in sets too', () => {
    const pair = new Pair();
    const perFamily = { 'ipv6-unicast': { asOverride: true } };
    const { speaker } = pair.speaker('left', { peer: { perFamily } });
    const right = pair.speaker('right');
    speaker.originate({ prefix: v6, attributes: { asPath: [64501, { set: [64496, 64501] }] } });
    pair.seconds(15);
    expect(right.peer.adjRibIn('ipv6-unicast').map(({ attributes }) => attributes.asPath)).toEqual([
      [64500, 64500, { set: [64496, 64500] }],
    ]);
  });

  it('inside one AS gives local preference and keeps the next hop', () => {
    const pair = new Pair();
    const left = pair.speaker('left', { peer: { remoteAs: 'internal', multihopTtl: 255 } });
    const right = pair.speaker('right', { implementation: 'frr', localAsn: 64500, peer: { remoteAs: 64500, multihopTtl: 255 } });
    right.speaker.originate({ prefix: v4, attributes: { med: 7 } });
    pair.seconds(10);
    expect(left.peer.isExternal).toBe(false);
    expect(left.speaker.lookup(v4)?.best?.attributes).toMatchObject({ localPref: 100, asPath: [], med: 7 });
    expect(left.peer.prefixCounts('ipv4-unicast')).toEqual({ received: 1, accepted: 1, advertised: 0 });
    expect(right.peer.state).toBe('Established');
  });
});
