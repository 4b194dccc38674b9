import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { requestHttp, serveHttp } from './http.ts';
import { clientRouterServer, testNetwork, tryConnect, tryPing, watchEnds } from './test-network.ts';
import type { NetfilterRule, NetworkNamespace } from './types.ts';

/** Who a server believes to talk to. */
function whoAmI(lab: { clock: ReturnType<typeof testNetwork>['clock'] }, from: NetworkNamespace, target: string, port = 80): string {
  let answer = 'nothing';
  requestHttp(
    from,
    { endpoint: { ip: ip(target), port }, method: 'GET', path: '/', headers: {} },
    {
      onResponse({ body }) {
        answer = body;
      },
      onError(error) {
        answer = error;
      },
    },
  );
  lab.clock.runUntil(() => answer !== 'nothing', 5000);
  return answer;
}

function serveWhoAmI(namespace: NetworkNamespace, port = 80): void {
  serveHttp(namespace, { port }, ({ remote }) => ({ status: 200, body: remote.ip.text }));
}

describe('source NAT', () => {
  it.each<[string, NetfilterRule['target'], string]>([
    ['masquerade takes the address of the way out', { kind: 'masquerade' }, '198.51.100.1'],
    ['snat takes its own', { kind: 'snat', address: ip('203.0.113.9') }, '203.0.113.9'],
  ])('%s, and answers find back', (_name, target, seen) => {
    const lab = clientRouterServer();
    serveWhoAmI(lab.server);
    lab.middle.netfilter.append(4, 'nat', 'POSTROUTING', {
      source: { prefix: prefix('192.0.2.0/24') },
      outInterface: { name: 'right' },
      target,
    });
    expect(whoAmI(lab, lab.client, '198.51.100.2')).toBe(seen);
    expect(whoAmI(lab, lab.middle, '198.51.100.2')).toBe('198.51.100.1');
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'echo-reply', from: '198.51.100.2' });
  });

  it('translates IPv6 too', () => {
    const lab = clientRouterServer();
    serveWhoAmI(lab.server);
    lab.middle.netfilter.append(6, 'nat', 'POSTROUTING', { target: { kind: 'masquerade' } });
    expect(whoAmI(lab, lab.client, '2001:db8:2::2')).toBe('2001:db8:2::1');
  });

  it('gives clashing flows ports of their own', () => {
    const lab = testNetwork();
    const gateway = lab.namespace('gateway');
    const server = lab.namespace('server');
    gateway.setSysctl('net.ipv4.ip_forward', '1');
    lab.link([gateway, 'out', '198.51.100.1/24'], [server, 'eth0', '198.51.100.2/24']);
    gateway.netfilter.append(4, 'nat', 'POSTROUTING', { outInterface: { name: 'out' }, target: { kind: 'masquerade' } });
    const seen: string[] = [];
    server.sockets.listen({ port: 80, onConnection: ({ remote }) => seen.push(`${remote.ip.text} ${remote.port}`) });
    const results: string[] = [];
    for (const number of [1, 2]) {
      const client = lab.namespace(`client${number}`);
      lab.link([client, 'eth0', `10.0.${number}.2/24`], [gateway, `in${number}`, `10.0.${number}.1/24`]);
      client.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip(`10.0.${number}.1`) }] });
      client.sockets.connect({
        destination: { ip: ip('198.51.100.2'), port: 80 },
        source: { port: 40000 },
        handlers: { onConnected: () => results.push('connected') },
      });
    }
    lab.clock.advance(100);
    expect(results).toEqual(['connected', 'connected']);
    expect(seen[0]).toBe('198.51.100.1 40000');
    expect(new Set(seen).size).toBe(2);
  });

  it('brings ICMP errors back to the one that they are for', () => {
    const lab = clientRouterServer();
    lab.middle.netfilter.append(4, 'nat', 'POSTROUTING', { outInterface: { name: 'right' }, target: { kind: 'masquerade' } });
    const socket = lab.client.sockets.bindUdp({});
    const errors: string[] = [];
    socket.onError = (errno) => errors.push(errno);
    socket.send(new Uint8Array(4), { ip: ip('198.51.100.2'), port: 9 });
    lab.clock.advance(100);
    expect(errors).toEqual(['ECONNREFUSED']);
  });
});

describe('destination NAT', () => {
  it('publishes a port', () => {
    const lab = clientRouterServer();
    serveWhoAmI(lab.server);
    lab.middle.netfilter.append(4, 'nat', 'PREROUTING', {
      protocol: 'tcp',
      destination: { prefix: prefix('192.0.2.1/32') },
      destinationPort: { low: 8080, high: 8080 },
      target: { kind: 'dnat', address: ip('198.51.100.2'), port: 80 },
    });
    expect(whoAmI(lab, lab.client, '192.0.2.1', 8080)).toBe('192.0.2.2');
    expect(tryConnect(lab, lab.client, '192.0.2.1', 8081).result).toBe('ECONNREFUSED');
  });

  it('works for the host itself, also when it stays on the host', () => {
    const lab = clientRouterServer();
    serveWhoAmI(lab.server);
    serveWhoAmI(lab.client, 46341);
    lab.client.netfilter.createChain(4, 'nat', 'OUTER');
    lab.client.netfilter.append(4, 'nat', 'OUTPUT', {
      destination: { prefix: prefix('127.0.0.11/32') },
      target: { kind: 'jump', chain: 'OUTER' },
    });
    lab.client.netfilter.append(4, 'nat', 'OUTER', {
      protocol: 'tcp',
      destinationPort: { low: 53, high: 53 },
      target: { kind: 'dnat', address: ip('127.0.0.11'), port: 46341 },
    });
    lab.client.netfilter.append(4, 'nat', 'OUTPUT', {
      destination: { prefix: prefix('203.0.113.80/32') },
      target: { kind: 'dnat', address: ip('198.51.100.2') },
    });
    expect(whoAmI(lab, lab.client, '127.0.0.11', 53)).toBe('127.0.0.1');
    expect(whoAmI(lab, lab.client, '203.0.113.80')).toBe('192.0.2.2');
  });
});

describe('filtering', () => {
  it.each<[string, NetfilterRule, string]>([
    ['drop is silent', { target: { kind: 'drop' } }, 'nothing'],
    ['reject answers', { target: { kind: 'reject' } }, 'ECONNREFUSED'],
    ['reject with a reset', { protocol: 'tcp', target: { kind: 'reject', with: 'tcp-reset' } }, 'ECONNREFUSED'],
    ['reject as prohibited', { target: { kind: 'reject', with: 'icmp-admin-prohibited' } }, 'EHOSTUNREACH'],
    ['another port does not match', { protocol: 'tcp', destinationPort: { low: 81, high: 90 }, target: { kind: 'drop' } }, 'connected'],
    ['another protocol does not match', { protocol: 'udp', target: { kind: 'drop' } }, 'connected'],
    [
      'an inverted source does not match',
      { inInterface: { name: 'left' }, source: { prefix: prefix('192.0.2.0/24'), inverted: true }, target: { kind: 'drop' } },
      'connected',
    ],
    [
      'an interface pattern matches',
      { inInterface: { name: 'le+' }, outInterface: { name: 'left', inverted: true }, target: { kind: 'drop' } },
      'nothing',
    ],
  ])('%s', (_name, rule, expected) => {
    const lab = clientRouterServer();
    lab.server.sockets.listen({ port: 80, onConnection() {} });
    lab.middle.netfilter.append(4, 'filter', 'FORWARD', rule);
    expect(tryConnect(lab, lab.client, '198.51.100.2', 80, 5000).result).toBe(expected);
  });

  it('lets answers through by their connection, and nothing else', () => {
    const lab = clientRouterServer();
    const ends = watchEnds(lab.network);
    lab.middle.netfilter.setPolicy(4, 'FORWARD', 'drop');
    lab.middle.netfilter.append(4, 'filter', 'FORWARD', { connectionState: ['established', 'related'], target: { kind: 'accept' } });
    lab.middle.netfilter.append(4, 'filter', 'FORWARD', { inInterface: { name: 'left' }, target: { kind: 'accept' } });
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'echo-reply' });
    expect(tryPing(lab, lab.server, '192.0.2.2', { limitMs: 100 })).toBe('nothing');
    expect(ends).toEqual(['server delivered', 'client delivered', 'router filtered']);
  });

  it('marks packets for the routing rules', () => {
    const lab = clientRouterServer();
    lab.middle.netfilter.append(4, 'mangle', 'PREROUTING', {
      source: { prefix: prefix('192.0.2.0/24') },
      target: { kind: 'mark', value: 7 },
    });
    lab.middle.routes.addRule({ priority: 10, family: 4, mark: { value: 7, mask: 0xff }, action: { kind: 'unreachable' } });
    expect(tryPing(lab, lab.client, '198.51.100.2')).toMatchObject({ kind: 'host-unreachable' });
  });

  it('keeps its chains as iptables does', () => {
    const { middle } = clientRouterServer();
    const rule: NetfilterRule = { source: { prefix: prefix('192.0.2.0/24') }, target: { kind: 'accept' } };
    middle.netfilter.createChain(4, 'filter', 'USER');
    middle.netfilter.append(4, 'filter', 'USER', rule);
    middle.netfilter.insert(4, 'filter', 'USER', { target: { kind: 'return' } });
    expect(
      middle.netfilter
        .chains(4, 'filter')
        .get('USER')
        ?.rules.map(({ target }) => target.kind),
    ).toEqual(['return', 'accept']);
    expect(middle.netfilter.delete(4, 'filter', 'USER', { source: { prefix: prefix('192.0.2.0/24') }, target: { kind: 'accept' } })).toBe(
      true,
    );
    expect(middle.netfilter.delete(4, 'filter', 'USER', rule)).toBe(false);
    middle.netfilter.flush(4, 'filter');
    expect([...middle.netfilter.chains(4, 'filter')].map(([name, { policy, rules }]) => `${name} ${policy} ${rules.length}`)).toEqual([
      'INPUT accept 0',
      'FORWARD accept 0',
      'OUTPUT accept 0',
      'USER undefined 0',
    ]);
    expect(() => middle.netfilter.append(4, 'filter', 'NONE', rule)).toThrow('No chain/target/match by that name.');
  });
});
