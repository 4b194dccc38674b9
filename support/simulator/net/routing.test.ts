import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { NetworkError } from './network-error.ts';
import { give, route, testNetwork } from './test-network.ts';
import type { NetworkNamespace, RouteInput } from './types.ts';

function twoLinks() {
  const lab = testNetwork();
  const host = lab.namespace('host');
  const [left] = lab.link(
    [host, 'left', '192.0.2.1/24', '2001:db8:1::1/64'],
    [lab.namespace('a'), 'eth0', '192.0.2.2/24', '2001:db8:1::2/64'],
  );
  const [right] = lab.link(
    [host, 'right', '198.51.100.1/24', '2001:db8:2::1/64'],
    [lab.namespace('b'), 'eth0', '198.51.100.2/24', '2001:db8:2::2/64'],
  );
  lab.settle();
  return { lab, host, left, right };
}

/** `ip route get`, shortened. */
function get(host: NetworkNamespace, destination: string, options?: Parameters<NetworkNamespace['routes']['lookup']>[1]): string {
  const decision = host.routes.lookup(ip(destination), options);
  if (decision.kind === 'forward') return `via ${decision.nextHop.text} dev ${decision.device.name} src ${decision.source?.text}`;
  if (decision.kind === 'local') return `local dev ${decision.device.name}`;
  return decision.kind;
}

function lines(host: NetworkNamespace, table: number, family: 4 | 6): string[] {
  return host.routes
    .list({ table, family })
    .map(({ type, destination, metric, scope, protocol }) => `${type} ${destination.text} ${protocol} ${scope} ${metric}`);
}

describe('looking up', () => {
  it.each([
    ['198.51.100.77', 'via 198.51.100.77 dev right src 198.51.100.1'],
    ['203.0.113.9', 'via 192.0.2.2 dev left src 192.0.2.1'],
    ['203.0.113.200', 'via 198.51.100.2 dev right src 198.51.100.1'],
    ['203.0.113.65', 'blackhole'],
    ['203.0.113.66', 'unreachable'],
    ['203.0.113.67', 'prohibit'],
    ['10.255.0.1', 'no-route'],
    ['192.0.2.1', 'local dev left'],
    ['127.1.2.3', 'local dev lo'],
    ['2001:db8:1::7', 'via 2001:db8:1::7 dev left src 2001:db8:1::1'],
    ['2001:db8:2::1', 'local dev right'],
    ['2001:db8:99::1', 'no-route'],
  ])('%s is %s', (destination, expected) => {
    const { host } = twoLinks();
    route(host, '203.0.113.0/24', '192.0.2.2');
    route(host, '203.0.113.128/25', '198.51.100.2');
    for (const [low, type] of [
      [65, 'blackhole'],
      [66, 'unreachable'],
      [67, 'prohibit'],
    ] as const) {
      host.routes.add({ destination: prefix(`203.0.113.${low}/32`), type });
    }
    expect(get(host, destination)).toBe(expected);
    expect(get(host, destination)).toBe(expected);
  });

  it('takes the lower metric, and the next one when that is gone', () => {
    const { host } = twoLinks();
    host.routes.add({ destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('192.0.2.2') }], metric: 200 });
    host.routes.add({
      destination: prefix('203.0.113.0/24'),
      nextHops: [{ via: ip('198.51.100.2') }],
      metric: 100,
      preferredSource: ip('192.0.2.1'),
    });
    expect(get(host, '203.0.113.1')).toBe('via 198.51.100.2 dev right src 192.0.2.1');
    host.routes.delete({ destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('198.51.100.2') }] });
    expect(get(host, '203.0.113.1')).toBe('via 192.0.2.2 dev left src 192.0.2.1');
  });

  it('follows rules by mark, source and incoming interface', () => {
    const { host } = twoLinks();
    route(host, '0.0.0.0/0', '192.0.2.2');
    host.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('198.51.100.2') }], table: 100 });
    host.routes.addRule({ priority: 100, family: 4, mark: { value: 0x200, mask: 0xf00 }, action: { kind: 'table', table: 100 } });
    expect(get(host, '203.0.113.1')).toBe('via 192.0.2.2 dev left src 192.0.2.1');
    expect(get(host, '203.0.113.1', { mark: 0x201 })).toBe('via 198.51.100.2 dev right src 198.51.100.1');
    expect(get(host, '203.0.113.1')).toBe('via 192.0.2.2 dev left src 192.0.2.1');
    host.routes.addRule({ priority: 90, family: 4, from: prefix('10.1.0.0/16'), action: { kind: 'table', table: 100 } });
    host.routes.addRule({ priority: 91, family: 4, iif: 'left', action: { kind: 'prohibit' } });
    expect(get(host, '203.0.113.1', { source: ip('10.1.2.3') })).toBe('via 198.51.100.2 dev right src 198.51.100.1');
    expect(get(host, '203.0.113.1', { inputDevice: 'left' })).toBe('prohibit');
    expect(get(host, '203.0.113.1')).toBe('via 192.0.2.2 dev left src 192.0.2.1');
    expect(() => host.routes.deleteRule({ priority: 7 })).toThrow('No such process');
    host.routes.deleteRule({ priority: 91 });
    expect(host.routes.rules.map(({ priority, family }) => `${family} ${priority}`)).toEqual([
      '4 0',
      '6 0',
      '4 90',
      '4 100',
      '4 32766',
      '6 32766',
      '4 32767',
    ]);
  });

  it('goes on after a throw route', () => {
    const { host } = twoLinks();
    host.routes.add({ destination: prefix('203.0.113.0/24'), type: 'throw', table: 50 });
    host.routes.addRule({ priority: 50, family: 4, action: { kind: 'table', table: 50 } });
    route(host, '203.0.113.0/24', '192.0.2.2');
    expect(get(host, '203.0.113.1')).toBe('via 192.0.2.2 dev left src 192.0.2.1');
  });

  it('reaches IPv4 by an IPv6 next hop (RFC 8950)', () => {
    const { host } = twoLinks();
    host.routes.add({ destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('2001:db8:2::2') }], protocol: 'bgp', metric: 20 });
    expect(get(host, '203.0.113.1')).toBe('via 2001:db8:2::2 dev right src 198.51.100.1');
  });

  it('spreads flows over equal next hops by their hash and weight', () => {
    const { host } = twoLinks();
    host.routes.add({
      destination: prefix('203.0.113.0/24'),
      nextHops: [{ via: ip('192.0.2.2') }, { via: ip('198.51.100.2'), weight: 3 }],
    });
    const seen = [0, 0.24, 0.26, 0.99].map((part) => get(host, '203.0.113.1', { hash: part * 2 ** 32 }).split(' ')[3]);
    expect(seen).toEqual(['left', 'left', 'right', 'right']);
    host.getInterface('right')?.setDown();
    expect(get(host, '203.0.113.1', { hash: 2 ** 32 - 1 })).toContain('left');
    host.getInterface('right')?.setUp();
    expect(get(host, '203.0.113.1', { hash: 2 ** 32 - 1 })).toContain('right');
  });
});

describe('source addresses', () => {
  it.each([
    ['2001:db8:2::9', '2001:db8:2::1'],
    ['2001:db8:77::9', '2001:db8:1::1'],
    ['fd00:77::9', 'fd00:1::1'],
  ])('to %s come from %s (RFC 6724)', (destination, source) => {
    const { lab, host, left } = twoLinks();
    give(left, 'fd00:1::1/64');
    lab.settle();
    route(host, '::/0', '2001:db8:1::2');
    expect(get(host, destination)).toContain(`src ${source}`);
  });

  it('of another interface serve when the way out has none', () => {
    const lab = testNetwork();
    const host = lab.namespace('host');
    const [eth] = lab.link([host, 'eth0'], [lab.namespace('peer'), 'eth0']);
    give(host.getInterface('lo') as NonNullable<ReturnType<typeof host.getInterface>>, '203.0.113.5/32');
    host.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ device: eth.name }] });
    expect(get(host, '192.0.2.9')).toBe('via 192.0.2.9 dev eth0 src 203.0.113.5');
  });
});

describe('what the kernel adds itself', () => {
  it('is as `ip route show table all` has it', () => {
    const { host } = twoLinks();
    expect(lines(host, 254, 4)).toEqual(['unicast 192.0.2.0/24 kernel link 0', 'unicast 198.51.100.0/24 kernel link 0']);
    expect(lines(host, 255, 4)).toEqual([
      'local 127.0.0.0/8 kernel host 0',
      'local 127.0.0.1/32 kernel host 0',
      'broadcast 127.255.255.255/32 kernel link 0',
      'local 192.0.2.1/32 kernel host 0',
      'broadcast 192.0.2.255/32 kernel link 0',
      'local 198.51.100.1/32 kernel host 0',
      'broadcast 198.51.100.255/32 kernel link 0',
    ]);
    expect(lines(host, 254, 6)).toEqual([
      'unicast 2001:db8:1::/64 kernel global 256',
      'unicast 2001:db8:2::/64 kernel global 256',
      'unicast fe80::/64 kernel global 256',
      'unicast fe80::/64 kernel global 256',
    ]);
  });

  it('is listed like `ip -6 route`: longer prefixes of a subtree first', () => {
    const { host } = twoLinks();
    route(host, '::/0', '2001:db8:1::2');
    host.routes.add({ destination: prefix('2001:db8::/32'), type: 'blackhole' });
    expect(host.routes.list({ family: 6, table: 254 }).map(({ destination }) => destination.text)).toEqual([
      '2001:db8:1::/64',
      '2001:db8:2::/64',
      '2001:db8::/32',
      'fe80::/64',
      'fe80::/64',
      '::/0',
    ]);
  });
});

describe('refusals', () => {
  it.each<[string, RouteInput, string, string]>([
    [
      'a gateway off the link',
      { destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('10.9.9.9') }] },
      'ENETUNREACH',
      'Nexthop has invalid gateway.',
    ],
    [
      'an IPv6 gateway off the link',
      { destination: prefix('2001:db8:9::/64'), nextHops: [{ via: ip('2001:db8:5::1') }] },
      'EHOSTUNREACH',
      'No route to host',
    ],
    [
      'a gateway of its own',
      { destination: prefix('2001:db8:9::/64'), nextHops: [{ via: ip('2001:db8:1::1') }] },
      'EINVAL',
      'Gateway can not be a local address.',
    ],
    ['an unknown device', { destination: prefix('203.0.113.0/24'), nextHops: [{ device: 'eth9' }] }, 'ENODEV', 'No such device'],
    [
      'a device that is down',
      { destination: prefix('203.0.113.0/24'), nextHops: [{ device: 'dummy0' }] },
      'ENETDOWN',
      'Device for nexthop is not up.',
    ],
    [
      'the same destination and metric',
      { destination: prefix('192.0.2.0/24'), nextHops: [{ via: ip('198.51.100.2') }] },
      'EEXIST',
      'File exists',
    ],
    [
      'a source that is not ours',
      { destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('192.0.2.2') }], preferredSource: ip('10.1.1.1') },
      'EINVAL',
      'Invalid prefsrc address.',
    ],
  ])('of %s', (_name, input, errno, message) => {
    const { host } = twoLinks();
    host.addInterface({ name: 'dummy0', kind: 'dummy' });
    let error: unknown;
    try {
      host.routes.add(input);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ errno, message });
  });

  it('of deleting what is not there', () => {
    const { host } = twoLinks();
    expect(() => host.routes.delete({ destination: prefix('203.0.113.0/24') })).toThrow('No such process');
  });
});

describe('changes', () => {
  it('are told once per event, whatever changed', () => {
    const { lab, host, left } = twoLinks();
    let calls = 0;
    const stop = host.routes.onChange(() => calls++);
    route(host, '203.0.113.0/24', '192.0.2.2');
    host.routes.replace({ destination: prefix('203.0.113.0/24'), nextHops: [{ via: ip('198.51.100.2') }] });
    expect(calls).toBe(0);
    lab.clock.advance(1);
    expect(calls).toBe(1);
    const { version } = host.routes;
    left.peer?.setDown();
    lab.clock.advance(1);
    expect([calls, host.routes.version > version]).toEqual([2, true]);
    stop();
    left.setDown();
    lab.clock.advance(1);
    expect(calls).toBe(2);
  });

  it('of a name carry over to the routes', () => {
    const { host, left } = twoLinks();
    left.rename('uplink0');
    expect(host.routes.list({ family: 4, table: 254 })[0]?.nextHops).toEqual([{ device: 'uplink0' }]);
    expect(get(host, '192.0.2.9')).toContain('dev uplink0');
  });
});
