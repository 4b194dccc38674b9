import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { clientRouterServer, route, testNetwork, tryConnect, tryPing, watchEnds } from './test-network.ts';
import type { Route } from './types.ts';

describe('forwarding', () => {
  it.each(['198.51.100.2', '2001:db8:2::2'])('crosses a router to %s and back', (target) => {
    const lab = clientRouterServer();
    expect(tryPing(lab, lab.client, target)).toEqual({ kind: 'echo-reply', from: target, ttl: 63 });
  });

  it.each([
    ['198.51.100.2', 'net.ipv4.ip_forward'],
    ['2001:db8:2::2', 'net.ipv6.conf.all.forwarding'],
  ])('needs its sysctl: without it packets to %s vanish', (target, key) => {
    const lab = clientRouterServer();
    lab.middle.setSysctl(key, '0');
    const ends = watchEnds(lab.network);
    expect(tryPing(lab, lab.client, target)).toBe('nothing');
    expect(ends).toEqual(['router forwarding-off']);
  });

  it.each([
    ['198.51.100.2', '192.0.2.1'],
    ['2001:db8:2::2', '2001:db8:1::1'],
  ])('counts the TTL down: to %s', (target, from) => {
    const lab = clientRouterServer();
    expect(tryPing(lab, lab.client, target, { ttl: 1 })).toEqual({ kind: 'time-exceeded', from, ttl: 64 });
    expect(tryPing(lab, lab.client, target, { ttl: 2 })).toMatchObject({ kind: 'echo-reply' });
  });

  // Recorded with ping and curl on a router with such routes; the second that IPv6 takes is explained in tcp.ts.
  it.each<[Route['type'] | 'none', string, string, string, number]>([
    ['blackhole', '203.0.113.1', 'nothing', 'nothing', 5000],
    ['unreachable', '203.0.113.1', 'host-unreachable', 'EHOSTUNREACH', 0],
    ['prohibit', '203.0.113.1', 'admin-prohibited', 'EHOSTUNREACH', 0],
    ['none', '203.0.113.1', 'net-unreachable', 'ENETUNREACH', 0],
    ['blackhole', '2001:db8:9::1', 'nothing', 'nothing', 5000],
    ['unreachable', '2001:db8:9::1', 'no-route', 'ENETUNREACH', 1000],
    ['prohibit', '2001:db8:9::1', 'admin-prohibited', 'EACCES', 1000],
    ['none', '2001:db8:9::1', 'no-route', 'ENETUNREACH', 1000],
  ])('%s route on the way to %s: ping %s, connect %s after %i ms', (type, target, kind, errno, ms) => {
    const lab = clientRouterServer();
    const destination = prefix(target.includes(':') ? '2001:db8:9::/64' : '203.0.113.0/24');
    if (type !== 'none') lab.middle.routes.add({ destination, type });
    const ping = tryPing(lab, lab.client, target);
    expect(typeof ping === 'object' && 'kind' in ping ? ping.kind : ping).toBe(kind);
    const connect = tryConnect(lab, lab.client, target, 80, 5000);
    expect([connect.result, Math.floor(connect.ms)]).toEqual([errno, ms]);
  });

  it.each<[Route['type'] | 'none', string]>([
    ['blackhole', 'EINVAL'],
    ['unreachable', 'EHOSTUNREACH'],
    ['prohibit', 'EACCES'],
    ['none', 'ENETUNREACH'],
  ])('%s route on the host itself: %s at once', (type, errno) => {
    const lab = clientRouterServer();
    for (const target of ['203.0.113.1', '2001:db8:9::1']) {
      if (type !== 'none') lab.middle.routes.add({ destination: prefix(`${target}/${target.includes(':') ? 128 : 32}`), type });
      expect(tryPing(lab, lab.middle, target)).toEqual({ errno });
      expect(tryConnect(lab, lab.middle, target, 80)).toEqual({ result: errno, ms: 0 });
    }
  });

  it('says when a packet is too big for the next link', () => {
    const lab = clientRouterServer();
    lab.routerRight.setMtu(1400);
    expect(tryPing(lab, lab.client, '2001:db8:2::2', { size: 1400 })).toMatchObject({ kind: 'packet-too-big', from: '2001:db8:1::1' });
    // the answer is longer than the router's end of the link takes: a veth drops it
    expect(tryPing(lab, lab.client, '198.51.100.2', { size: 1400 })).toBe('nothing');
    lab.serverEth.setMtu(1400);
    expect(tryPing(lab, lab.client, '198.51.100.2', { size: 1400 })).toMatchObject({ kind: 'echo-reply' });
    expect(tryPing(lab, lab.client, '2001:db8:2::2', { size: 3000 })).toMatchObject({ kind: 'echo-reply' });
  });

  it.each([
    ['0', 'echo-reply'],
    ['2', 'echo-reply'],
    ['1', 'nothing'],
  ])('rp_filter %s with another way back: %s', (value, expected) => {
    const lab = clientRouterServer();
    lab.link([lab.client, 'eth1', '203.0.113.2/24'], [lab.middle, 'third', '203.0.113.1/24']);
    lab.middle.setSysctl('net.ipv4.conf.all.rp_filter', value);
    lab.middle.routes.add({ destination: prefix('192.0.2.2/32'), nextHops: [{ via: ip('203.0.113.2') }] });
    const ping = tryPing(lab, lab.client, '198.51.100.2');
    expect(typeof ping === 'object' && 'kind' in ping ? ping.kind : ping).toBe(expected);
  });

  it('refuses packets that claim to come from the receiver, and spoofed ones in loose mode', () => {
    const lab = clientRouterServer();
    lab.middle.setSysctl('net.ipv4.conf.left.rp_filter', '2');
    const ends = watchEnds(lab.network);
    const transport = { protocol: 'udp' as const, sourcePort: 1, destinationPort: 2, payload: new Uint8Array(0) };
    for (const source of ['198.51.100.1', '127.0.0.1', '10.99.0.1']) {
      lab.client.sendPacket({ source: ip(source), destination: ip('198.51.100.2'), ttl: 64, flowLabel: 0, transport });
      lab.clock.advance(10);
    }
    expect(ends).toEqual(['router martian', 'router martian', 'router reverse-path']);
  });

  it('answers for frozen programs, as the kernel does', () => {
    const lab = clientRouterServer();
    lab.server.isFrozen = true;
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'echo-reply' });
  });

  it('loses on a lossy link, and waits on a slow one', () => {
    const lab = clientRouterServer();
    lab.clientEth.netem = { delayMs: 100, lossFraction: 0 };
    const startedAt = lab.clock.now();
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'echo-reply' });
    expect(Math.round(lab.clock.now() - startedAt)).toBe(200);
    lab.clientEth.netem = { delayMs: 0, lossFraction: 1 };
    const ends = watchEnds(lab.network);
    expect(tryPing(lab, lab.client, '198.51.100.2', { limitMs: 1000 })).toBe('nothing');
    expect(ends).toEqual(['client lost']);
  });
});

describe('ECMP', () => {
  // Recorded: with policy 0 all IPv4 connections of a pair go one way, IPv6 ones spread by their flow label.
  function spread(family: 4 | 6, policy: string): number {
    const lab = testNetwork();
    const client = lab.namespace('client');
    const middle = lab.namespace('router');
    middle.setSysctl('net.ipv4.ip_forward', '1');
    middle.setSysctl('net.ipv6.conf.all.forwarding', '1');
    middle.setSysctl(`net.ipv${family}.fib_multipath_hash_policy`, policy);
    lab.link([client, 'eth0', '192.0.2.2/24', '2001:db8::2/64'], [middle, 'eth0', '192.0.2.1/24', '2001:db8::1/64']);
    const vip = family === 4 ? '203.0.113.80' : '2001:db8:80::80';
    const servers = [1, 2, 3].map((number) => {
      const server = lab.namespace(`server${number}`);
      lab.link(
        [middle, `net${number}`, `10.0.${number}.1/24`, `2001:db8:${number}::1/64`],
        [server, 'eth0', `10.0.${number}.2/24`, `2001:db8:${number}::2/64`],
      );
      server.getInterface('lo')?.addAddress(ip(vip), family === 4 ? 32 : 128);
      return server;
    });
    lab.settle();
    for (const [index, server] of servers.entries()) {
      route(server, '0.0.0.0/0', `10.0.${index + 1}.1`);
      route(server, '::/0', `2001:db8:${index + 1}::1`);
    }
    route(client, family === 4 ? '0.0.0.0/0' : '::/0', family === 4 ? '192.0.2.1' : '2001:db8::1');
    const hops = [1, 2, 3].map((number) => ({ via: ip(family === 4 ? `10.0.${number}.2` : `2001:db8:${number}::2`) }));
    middle.routes.add({ destination: prefix(`${vip}/${family === 4 ? 32 : 128}`), nextHops: hops });
    const seen = new Set<string>();
    for (const server of servers) server.sockets.listen({ port: 80, onConnection: () => seen.add(server.name) });
    for (let count = 0; count < 30; count++) expect(tryConnect(lab, client, vip, 80).result).toBe('connected');
    return seen.size;
  }

  it.each([
    [4, '0', 1],
    [6, '0', 3],
    [4, '1', 3],
    [6, '1', 3],
  ] as const)('IPv%i with policy %s uses %i of three ways', (family, policy, ways) => expect(spread(family, policy)).toBe(ways));
});
