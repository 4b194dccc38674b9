import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { requestHttp, serveHttp } from './http.ts';
import { clientRouterServer, route, router, type TestNetwork, testNetwork } from './test-network.ts';
import type { NetworkNamespace } from './types.ts';

/** A route of a router in a ring of four: to one of four networks, to the left, to the right, or into nothing. */
interface Choice {
  readonly router: number;
  readonly network: number;
  readonly way: 'left' | 'right' | 'blackhole' | 'unreachable' | 'prohibit';
}

const choices = fc.array(
  fc.record({
    router: fc.nat(3),
    network: fc.nat(3),
    way: fc.constantFrom<Choice['way']>('left', 'right', 'left', 'right', 'blackhole', 'unreachable', 'prohibit'),
  }),
  { maxLength: 16 },
);

/** Router n has 203.0.113.n as its own, and a link 10.0.n.0/24 to router n + 1. */
function ring(routes: readonly Choice[]): { lab: TestNetwork; routers: readonly NetworkNamespace[] } {
  const lab = testNetwork();
  const routers = [0, 1, 2, 3].map((number) => lab.namespace(`r${number}`));
  for (const [number, each] of routers.entries()) {
    router(each);
    each.getInterface('lo')?.addAddress(ip(`203.0.113.${number}`), 32);
    lab.link([each, 'right', `10.0.${number}.1/24`], [routers[(number + 1) % 4] as NetworkNamespace, 'left', `10.0.${number}.2/24`]);
  }
  lab.settle();
  for (const { router: number, network, way } of routes) {
    const destination = `203.0.113.${network}/32`;
    const namespace = routers[number] as NetworkNamespace;
    const isKnown = namespace.routes.list().some((known) => known.table === 254 && known.destination === prefix(destination));
    if (isKnown) continue;
    if (way === 'left') route(namespace, destination, `10.0.${(number + 3) % 4}.1`);
    else if (way === 'right') route(namespace, destination, `10.0.${number}.2`);
    else namespace.routes.add({ destination: prefix(destination), type: way });
  }
  return { lab, routers };
}

describe('laws of forwarding', () => {
  it('ends every packet exactly once, loops included, within its TTL', () => {
    fc.assert(
      fc.property(choices, fc.nat(3), fc.nat(3), fc.integer({ min: 1, max: 64 }), (routes, from, to, ttl) => {
        const { lab, routers } = ring(routes);
        const ends: string[] = [];
        let hops = 0;
        const isProbe = (port: number): boolean => port === 33_434;
        lab.network.onDisposition(({ packet, kind }) => {
          if (packet.transport.protocol === 'udp' && isProbe(packet.transport.destinationPort)) ends.push(kind);
        });
        lab.network.onFrame(({ direction, frame }) => {
          const { content } = frame;
          if (direction === 'out' && content.kind === 'ip' && content.packet.transport.protocol === 'udp') hops++;
        });
        (routers[from] as NetworkNamespace).sendPacket({
          source: ip(`10.0.${from}.1`),
          destination: ip(`203.0.113.${to}`),
          ttl,
          flowLabel: 0,
          transport: { protocol: 'udp', sourcePort: 40_000, destinationPort: 33_434, payload: new Uint8Array(8) },
        });
        lab.clock.advance(60_000);
        expect(ends).toHaveLength(1);
        expect(hops).toBeLessThanOrEqual(Math.max(ttl, 1));
        // Nobody listens: what arrives has no socket. It arrives where a walk over the routes leads, and only there.
        const walked = walk(routes, from, to, ttl);
        expect(ends[0]).toBe(walked);
      }),
      { numRuns: 60 },
    );
  });

  it('undoes NAT on the way back, whatever was translated', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.integer({ min: 1024, max: 60_000 }), (isSource, isDestination, port) => {
        const lab = clientRouterServer();
        serveHttp(lab.server, { port }, ({ remote }) => ({ status: 200, body: remote.ip.text }));
        const { netfilter } = lab.middle;
        if (isSource) {
          netfilter.append(4, 'nat', 'POSTROUTING', {
            destination: { prefix: prefix('198.51.100.2/32') },
            target: { kind: 'snat', address: ip('198.51.100.1') },
          });
        }
        if (isDestination) {
          netfilter.append(4, 'nat', 'PREROUTING', {
            protocol: 'tcp',
            destination: { prefix: prefix('203.0.113.80/32') },
            target: { kind: 'dnat', address: ip('198.51.100.2'), port },
          });
        }
        const asked = isDestination ? { ip: ip('203.0.113.80'), port: 80 } : { ip: ip('198.51.100.2'), port };
        let body = '';
        const call = requestHttp(
          lab.client,
          { endpoint: asked, method: 'GET', path: '/', headers: {} },
          { onResponse: (response) => (body = response.body), onError: (error) => (body = error) },
        );
        lab.clock.advance(5_000);
        expect(body).toBe(isSource ? '198.51.100.1' : '192.0.2.2');
        expect(call.connection.remote).toEqual(asked);
      }),
      { numRuns: 30 },
    );
  });

  it('finds the longest prefix, as a scan of all routes does', () => {
    const destinations = fc.uniqueArray(fc.tuple(fc.nat(15), fc.integer({ min: 16, max: 32 })), { maxLength: 12, selector: String });
    fc.assert(
      fc.property(destinations, fc.array(fc.nat(0xff_ff), { minLength: 1, maxLength: 8 }), (lengths, hosts) => {
        const lab = clientRouterServer();
        const { routes } = lab.middle;
        for (const [part, length] of lengths) {
          const destination = prefix(`10.1.${part * 16}.0/${length}`);
          const isKnown = routes.list().some((known) => known.destination === destination);
          if (!isKnown) routes.add({ destination, nextHops: [{ via: ip('198.51.100.2') }] });
        }
        for (const host of hosts) {
          const address = `10.1.${host >> 8}.${host & 255}`;
          const value = 0x0a01_0000 + host;
          const best = routes
            .list()
            .filter(({ table, destination: { length, text } }) => {
              const [a = 0, b = 0, c = 0, d = 0] = (text.split('/')[0] ?? '').split('.').map(Number);
              const network = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
              return (
                table === 254 && !text.includes(':') && Math.floor(network / 2 ** (32 - length)) === Math.floor(value / 2 ** (32 - length))
              );
            })
            .sort((left, right) => right.destination.length - left.destination.length)[0];
          const decision = routes.lookup(ip(address));
          expect('route' in decision ? decision.route.destination : undefined).toBe(best?.destination);
        }
      }),
      { numRuns: 30 },
    );
  });
});

/** Where the packet ends, found without the simulator's tables. */
function walk(routes: readonly Choice[], from: number, to: number, ttl: number): string {
  let at = from;
  for (let left = ttl, isSender = true; ; left -= isSender ? 0 : 1, isSender = false) {
    // Its own source address coming back to a router is a martian (fib_validate_source).
    if (at === from && !isSender) return 'martian';
    if (at === to) return 'no-socket';
    const way = routes.find((each) => each.router === at && each.network === to)?.way;
    if (way === undefined || way === 'blackhole' || way === 'unreachable' || way === 'prohibit') return way ?? 'no-route';
    if (!isSender && left <= 1) return 'ttl-expired';
    at = (at + (way === 'left' ? 3 : 1)) % 4;
  }
}
