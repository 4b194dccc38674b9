import { describe, expect, it } from 'vitest';
import { ip } from './address.ts';
import { give, route, testNetwork, tryPing } from './test-network.ts';
import type { NetworkInterface, NetworkNamespace } from './types.ts';

function addresses(device: NetworkInterface): string[] {
  return device.addresses.map(({ ip: address, prefixLength, scope, state }) => `${address.text}/${prefixLength} ${scope} ${state}`);
}

function routes(namespace: NetworkNamespace, family: 4 | 6): string[] {
  return namespace.routes.list({ family, table: 254 }).map(({ type, destination, nextHops: [hop] }) => {
    return `${type === 'unicast' ? '' : `${type} `}${destination.text}${hop?.via === undefined ? '' : ` via ${hop.via.text}`} dev ${hop?.device}`;
  });
}

describe('a new namespace', () => {
  it('has a loopback interface that works', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const lo = host.getInterface('lo');
    expect([lo?.index, lo?.mac, lo?.mtu, lo?.isAdminUp]).toEqual([1, '00:00:00:00:00:00', 65536, true]);
    expect(addresses(lo as NetworkInterface)).toEqual(['127.0.0.1/8 host preferred', '::1/128 host preferred']);
    expect(tryPing(lab, host, '127.0.0.53')).toEqual({ kind: 'echo-reply', from: '127.0.0.53', ttl: 64 });
    expect(tryPing(lab, host, '::1')).toEqual({ kind: 'echo-reply', from: '::1', ttl: 64 });
  });
});

describe('interface numbers', () => {
  it('count on; a device that is moved keeps its own, and does not move the counter', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const pod = lab.namespace('pod');
    const [a, b] = lab.network.createVeth({ namespace: host, name: 'a' }, { namespace: host, name: 'b' });
    expect([a.index, b.index]).toEqual([3, 2]);
    a.moveTo(pod);
    expect([a.index, a.isAdminUp, a.namespace.name]).toEqual([3, false, 'pod']);
    expect(pod.addInterface({ name: 'dummy0', kind: 'dummy' }).index).toBe(2);
    expect(pod.addInterface({ name: 'dummy1', kind: 'dummy' }).index).toBe(4);
    const [, c] = lab.network.createVeth({ namespace: host, name: 'x' }, { namespace: host, name: 'c' });
    expect(c.index).toBe(4);
    c.moveTo(pod);
    expect(c.index).toBe(5);
    expect(() => host.addInterface({ name: 'x', kind: 'dummy' })).toThrow('File exists');
  });
});

describe('IPv6 addresses', () => {
  it('get a link-local one from the MAC address and are tentative for a second', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth] = lab.network.createVeth(
      { namespace: host, name: 'eth0', mac: '02:42:c0:00:02:04' },
      { namespace: lab.namespace('peer'), name: 'eth0' },
    );
    eth.setUp();
    expect([eth.hasCarrier, addresses(eth)]).toEqual([false, []]);
    eth.peer?.setUp();
    give(eth, '2001:db8::1/64');
    expect(addresses(eth)).toEqual(['fe80::42:c0ff:fe00:204/64 link tentative', '2001:db8::1/64 global tentative']);
    expect(host.isLocalAddress(ip('2001:db8::1'))).toBe(false);
    expect(routes(host, 6)).toEqual(['2001:db8::/64 dev eth0', 'fe80::/64 dev eth0']);
    lab.clock.advance(1000);
    expect(addresses(eth)).toEqual(['fe80::42:c0ff:fe00:204/64 link preferred', '2001:db8::1/64 global preferred']);
    expect(host.isLocalAddress(ip('2001:db8::1'))).toBe(true);
  });

  it('are usable at once with nodad, or with accept_dad switched off', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    host.setSysctl('net.ipv6.conf.default.accept_dad', '0');
    const [eth] = lab.link([host, 'eth0'], [lab.namespace('peer'), 'eth0']);
    expect(eth.addresses.map(({ state }) => state)).toEqual(['preferred']);
    const [other] = lab.link([lab.namespace('other'), 'eth0'], [lab.namespace('peer2'), 'eth0']);
    other.addAddress(ip('2001:db8::1'), 64, { noDad: true });
    expect(other.addresses.map(({ state }) => state)).toEqual(['tentative', 'preferred']);
  });

  it('stay tentative for good when somebody else has them', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth, peer] = lab.link([host, 'eth0'], [lab.namespace('peer'), 'eth0', '2001:db8::1/64']);
    lab.settle();
    give(eth, '2001:db8::1/64');
    lab.settle();
    expect(peer.addresses.at(-1)).toMatchObject({ state: 'preferred' });
    expect(eth.addresses.at(-1)).toMatchObject({ state: 'tentative', dadFailed: true });
  });

  it('go with disable_ipv6 and the link-local one comes back without it', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth] = lab.link([host, 'eth0', '192.0.2.1/24', '2001:db8::1/64'], [lab.namespace('peer'), 'eth0']);
    lab.settle();
    host.setSysctl('net.ipv6.conf.all.disable_ipv6', '1');
    expect(addresses(eth)).toEqual(['192.0.2.1/24 global preferred']);
    expect(routes(host, 6)).toEqual([]);
    expect(() => give(eth, '2001:db8::1/64')).toThrow('IPv6 is disabled');
    host.setSysctl('net.ipv6.conf.all.disable_ipv6', '0');
    lab.settle();
    expect(addresses(eth)).toHaveLength(2);
    expect(tryPing(lab, host, '::1')).toMatchObject({ kind: 'echo-reply' });
  });
});

describe('a link that goes down', () => {
  // Recorded: the IPv4 address stays, IPv6 addresses go for good; connected IPv4 routes and the link-local address come back.
  it('loses its routes and its IPv6 addresses', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const peer = lab.namespace('peer');
    const [eth, far] = lab.link([host, 'eth0', '192.0.2.1/24', '2001:db8::1/64'], [peer, 'eth0', '192.0.2.2/24', '2001:db8::2/64']);
    lab.settle();
    route(host, '198.51.100.0/24', '192.0.2.2');
    route(host, '2001:db8:1::/64', '2001:db8::2');
    eth.setDown();
    expect(addresses(eth)).toEqual(['192.0.2.1/24 global preferred']);
    expect([...routes(host, 4), ...routes(host, 6)]).toEqual([]);
    expect(host.isLocalAddress(ip('192.0.2.1'))).toBe(true);
    expect([far.isAdminUp, far.hasCarrier]).toEqual([true, false]);
    expect(routes(peer, 4)).toEqual(['192.0.2.0/24 dev eth0']);
    expect(far.addresses).toHaveLength(3);
    eth.setUp();
    lab.settle();
    expect(eth.addresses.map(({ scope }) => scope)).toEqual(['global', 'link']);
    expect(routes(host, 4)).toEqual(['192.0.2.0/24 dev eth0']);
    expect(routes(host, 6)).toEqual(['fe80::/64 dev eth0']);
    expect(far.hasCarrier).toBe(true);
  });

  it('keeps them with keep_addr_on_down', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth] = lab.link([host, 'eth0', '2001:db8::1/64'], [lab.namespace('peer'), 'eth0']);
    host.setSysctl('net.ipv6.conf.eth0.keep_addr_on_down', '1');
    lab.settle();
    eth.setDown();
    eth.setUp();
    lab.settle();
    expect(addresses(eth).filter((text) => text.includes('global'))).toEqual(['2001:db8::1/64 global preferred']);
    expect(routes(host, 6)).toContain('2001:db8::/64 dev eth0');
  });
});

describe('addresses', () => {
  it('of one subnet hand their route on', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth] = lab.link([host, 'eth0', '192.0.2.1/24', '192.0.2.2/24', '192.0.2.3/32'], [lab.namespace('peer'), 'eth0']);
    const sources = () => host.routes.list({ family: 4, table: 254 }).map(({ preferredSource }) => preferredSource?.text);
    expect(sources()).toEqual(['192.0.2.1']);
    eth.removeAddress(ip('192.0.2.1'));
    expect(sources()).toEqual(['192.0.2.2']);
    expect(() => eth.removeAddress(ip('192.0.2.1'))).toThrow('Cannot assign requested address');
    expect(() => give(eth, '192.0.2.2/24')).toThrow('File exists');
    eth.removeAddress(ip('192.0.2.2'));
    expect(sources()).toEqual([]);
  });

  it('on a dummy that is down are still answered for, on any other link (arp_ignore 0)', () => {
    const lab = testNetwork();
    const gateway = lab.namespace('gateway');
    const peer = lab.namespace('peer');
    lab.link([gateway, 'eth0', '192.0.2.1/24'], [peer, 'eth0', '192.0.2.2/24']);
    const dummy = gateway.addInterface({ name: 'net1', kind: 'dummy' });
    give(dummy, '192.0.2.42/24');
    expect([dummy.isAdminUp, dummy.hasCarrier]).toEqual([false, true]);
    expect(tryPing(lab, peer, '192.0.2.42')).toMatchObject({ kind: 'echo-reply', from: '192.0.2.42' });
    gateway.setSysctl('net.ipv4.conf.all.arp_ignore', '1');
    peer.neighbours.flush();
    expect(tryPing(lab, peer, '192.0.2.42')).toMatchObject({ kind: 'host-unreachable' });
  });
});

describe('deleting', () => {
  it('takes the other end of a veth along, and a namespace takes its devices', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const pod = lab.namespace('pod');
    lab.link([host, 'veth0', '192.0.2.1/24'], [pod, 'eth0', '192.0.2.2/24']);
    pod.delete();
    expect(host.interfaces.map(({ name }) => name)).toEqual(['lo']);
    expect(routes(host, 4)).toEqual([]);
    expect(lab.network.namespaces).toEqual([host]);
  });
});

describe('sysctls', () => {
  it('of forwarding reach every device, and unknown ones are refused', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    host.addInterface({ name: 'dummy0', kind: 'dummy' });
    expect(host.setSysctl('net.ipv4.ip_forward', '1')).toBe(true);
    expect(host.getSysctl('net.ipv4.conf.dummy0.forwarding')).toBe('1');
    expect(host.getSysctl('net.ipv4.conf.all.forwarding')).toBe('1');
    expect(host.setSysctl('net.ipv4.conf.default.rp_filter', '2')).toBe(true);
    host.addInterface({ name: 'dummy1', kind: 'dummy' }).rename('net7');
    expect(host.getSysctl('net.ipv4.conf.net7.rp_filter')).toBe('2');
    expect(host.getSysctl('net.ipv4.conf.dummy1.rp_filter')).toBeUndefined();
    expect(host.setSysctl('net.ipv4.no_such_thing', '1')).toBe(false);
    expect(() => host.setSysctl('net.ipv4.ip_forward', 'yes')).toThrow('Invalid argument');
  });
});
