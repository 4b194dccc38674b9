import { describe, expect, it } from 'vitest';
import { ip } from './address.ts';
import { clientRouterServer, testNetwork, tryConnect, tryPing, watchEnds, watchPackets } from './test-network.ts';
import type { NetworkNamespace } from './types.ts';

function entries(namespace: NetworkNamespace): string[] {
  return namespace.neighbours.list().map(({ ip: address, device, state }) => `${address.text} ${device} ${state}`);
}

function pair() {
  const lab = testNetwork();
  const a = lab.namespace('a');
  const b = lab.namespace('b');
  const [left, right] = lab.link([a, 'eth0', '192.0.2.1/24', '2001:db8::1/64'], [b, 'eth0', '192.0.2.2/24', '2001:db8::2/64']);
  lab.settle();
  return { ...lab, a, b, left, right };
}

describe('neighbours', () => {
  it('are asked for once, and learned from the question', () => {
    const lab = pair();
    const seen = watchPackets(lab.left);
    tryPing(lab, lab.a, '192.0.2.2');
    tryPing(lab, lab.a, '192.0.2.2');
    expect(seen).toEqual(['> request 192.0.2.2', '< reply 192.0.2.2', '> echo-request', '< echo-reply', '> echo-request', '< echo-reply']);
    expect([entries(lab.a), entries(lab.b)]).toEqual([['192.0.2.2 eth0 REACHABLE'], ['192.0.2.1 eth0 DELAY']]);
  });

  // Recorded: curl to an absent host of a connected subnet fails `after 3060 ms`, IPv4 and IPv6.
  it.each(['192.0.2.77', '2001:db8::77'])('that do not answer fail after 3060 ms: %s', (target) => {
    const lab = pair();
    const seen = watchPackets(lab.left);
    const { result, ms } = tryConnect(lab, lab.a, target, 80);
    expect([result, Math.floor(ms)]).toEqual(['EHOSTUNREACH', 3060]);
    expect(seen).toEqual(Array(3).fill(`> request ${target}`));
    expect(entries(lab.a)).toEqual([`${target} eth0 FAILED`]);
  });

  it.each([
    ['198.51.100.77', 'host-unreachable', '192.0.2.1'],
    ['2001:db8:2::77', 'address-unreachable', '2001:db8:1::1'],
  ])('that do not answer beyond a router: %s is %s', (target, kind, from) => {
    const lab = clientRouterServer();
    const ends = watchEnds(lab.network);
    expect(tryPing(lab, lab.client, target)).toMatchObject({ kind, from });
    expect(ends).toEqual(['router neighbour-failed', 'client delivered']);
  });

  it('are STALE after a while, DELAY on use, and probed', () => {
    const lab = pair();
    tryPing(lab, lab.a, '192.0.2.2');
    lab.clock.advance(40_000);
    expect(entries(lab.a)).toEqual(['192.0.2.2 eth0 STALE']);
    const seen = watchPackets(lab.left);
    tryPing(lab, lab.a, '192.0.2.2');
    expect(entries(lab.a)).toEqual(['192.0.2.2 eth0 DELAY']);
    lab.clock.advance(6000);
    expect(entries(lab.a)).toEqual(['192.0.2.2 eth0 REACHABLE']);
    // Both ends probe, five seconds after their first use of the stale entry.
    expect(seen).toEqual([
      '> echo-request',
      '< echo-reply',
      '> request 192.0.2.2',
      '< request 192.0.2.1',
      '> reply 192.0.2.1',
      '< reply 192.0.2.2',
    ]);
  });

  it('that have gone are noticed by the probes', () => {
    const lab = pair();
    tryPing(lab, lab.a, '192.0.2.2');
    lab.right.removeAddress(ip('192.0.2.2'));
    lab.clock.advance(40_000);
    expect(tryPing(lab, lab.a, '192.0.2.2', { limitMs: 1000 })).toBe('nothing');
    lab.clock.advance(10_000);
    expect(entries(lab.a)).toEqual(['192.0.2.2 eth0 FAILED']);
  });

  it.each(['192.0.2.2', '2001:db8::2'])('follow an announcement of %s', (address) => {
    const lab = pair();
    tryPing(lab, lab.a, address);
    lab.right.setMac('02:00:00:00:00:99');
    lab.right.announceNeighbour(ip(address));
    lab.clock.advance(1);
    expect(lab.a.neighbours.list()).toMatchObject([{ mac: '02:00:00:00:00:99', state: 'STALE' }]);
    expect(tryPing(lab, lab.a, address)).toMatchObject({ kind: 'echo-reply' });
  });

  it('say whether they are routers', () => {
    const lab = pair();
    lab.b.setSysctl('net.ipv6.conf.all.forwarding', '1');
    tryPing(lab, lab.a, '2001:db8::2');
    expect(lab.a.neighbours.list()).toMatchObject([{ isRouter: true }]);
  });

  it('can be answered for by a program, IPv4 and IPv6', () => {
    const lab = pair();
    lab.right.neighbourResponder = (target) => target === ip('192.0.2.80') || target === ip('2001:db8::80');
    for (const target of ['192.0.2.80', '2001:db8::80']) tryPing(lab, lab.a, target, { limitMs: 10 });
    expect(lab.a.neighbours.list().map(({ ip: address, mac }) => [address.text, mac])).toEqual([
      ['192.0.2.80', lab.right.mac],
      ['2001:db8::80', lab.right.mac],
    ]);
  });

  it('can be set, deleted and flushed', () => {
    const lab = pair();
    lab.a.neighbours.setPermanent(ip('192.0.2.2'), 'eth0', lab.right.mac);
    const seen = watchPackets(lab.left);
    tryPing(lab, lab.a, '192.0.2.2');
    expect(seen[0]).toBe('> echo-request');
    lab.a.neighbours.flush();
    expect(entries(lab.a)).toEqual(['192.0.2.2 eth0 PERMANENT']);
    expect(lab.a.neighbours.delete(ip('192.0.2.2'), 'eth0')).toBe(true);
    expect(lab.a.neighbours.delete(ip('192.0.2.2'), 'eth0')).toBe(false);
    tryPing(lab, lab.a, '2001:db8::2');
    lab.left.setDown();
    expect(entries(lab.a)).toEqual([]);
  });
});
