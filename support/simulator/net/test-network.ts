import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { ip, prefix } from './address.ts';
import { createNetwork } from './network.ts';
import { type Disposition, type Errno, type Network, type NetworkInterface, type NetworkNamespace, type Packet, tcpFlag } from './types.ts';

/** What the tests of this folder build their networks with. */
export interface TestNetwork {
  readonly clock: SimulatedClock;
  readonly network: Network;
  namespace(name: string): NetworkNamespace;
  /** A veth between two namespaces, both ends up, with addresses (`192.0.2.1/24`) on either end. */
  link(
    a: readonly [NetworkNamespace, string, ...string[]],
    b: readonly [NetworkNamespace, string, ...string[]],
  ): readonly [NetworkInterface, NetworkInterface];
  /** Runs past duplicate address detection. */
  settle(): void;
}

export function testNetwork(seed = 'test'): TestNetwork {
  const clock = new SimulatedClock(0);
  const network = createNetwork({ clock, random: new Random(seed) });
  return {
    clock,
    network,
    namespace: (name) => network.createNamespace(name),
    link([a, nameA, ...addressesA], [b, nameB, ...addressesB]) {
      const ends = network.createVeth({ namespace: a, name: nameA }, { namespace: b, name: nameB });
      for (const end of ends) end.setUp();
      for (const address of addressesA) give(ends[0], address);
      for (const address of addressesB) give(ends[1], address);
      return ends;
    },
    settle: () => clock.advance(1500),
  };
}

/** `ip address add 192.0.2.1/24 dev …` */
export function give(device: NetworkInterface, address: string): void {
  const [text = '', length = ''] = address.split('/');
  device.addAddress(ip(text), Number(length));
}

/** `ip route add DESTINATION via GATEWAY [dev DEVICE]` */
export function route(namespace: NetworkNamespace, destination: string, via: string, device?: string): void {
  namespace.routes.add({ destination: prefix(destination), nextHops: [{ via: ip(via), ...(device === undefined ? {} : { device }) }] });
}

export function router(namespace: NetworkNamespace): void {
  namespace.setSysctl('net.ipv4.ip_forward', '1');
  namespace.setSysctl('net.ipv6.conf.all.forwarding', '1');
}

/**
 * client (192.0.2.2, 2001:db8:1::2) – router (.1 on both sides) – server (198.51.100.2, 2001:db8:2::2), with
 * default routes at both ends.
 */
export function clientRouterServer(seed?: string) {
  const lab = testNetwork(seed);
  const client = lab.namespace('client');
  const middle = lab.namespace('router');
  const server = lab.namespace('server');
  router(middle);
  const [clientEth, routerLeft] = lab.link(
    [client, 'eth0', '192.0.2.2/24', '2001:db8:1::2/64'],
    [middle, 'left', '192.0.2.1/24', '2001:db8:1::1/64'],
  );
  const [routerRight, serverEth] = lab.link(
    [middle, 'right', '198.51.100.1/24', '2001:db8:2::1/64'],
    [server, 'eth0', '198.51.100.2/24', '2001:db8:2::2/64'],
  );
  route(client, '0.0.0.0/0', '192.0.2.1');
  route(client, '::/0', '2001:db8:1::1');
  route(server, '0.0.0.0/0', '198.51.100.1');
  route(server, '::/0', '2001:db8:2::1');
  lab.settle();
  return { ...lab, client, middle, server, clientEth, routerLeft, routerRight, serverEth };
}

/** How a TCP connection attempt ends: `connected` or an errno, with the milliseconds that it took. */
export function tryConnect(
  lab: { clock: SimulatedClock },
  from: NetworkNamespace,
  target: string,
  port: number,
  limitMs = 200_000,
): { result: 'connected' | Errno | 'nothing'; ms: number } {
  const startedAt = lab.clock.now();
  let result: 'connected' | Errno | 'nothing' = 'nothing';
  const connection = from.sockets.connect({
    destination: { ip: ip(target), port },
    handlers: {
      onConnected() {
        result = 'connected';
      },
      onClose(errno) {
        if (result === 'nothing' && errno !== undefined) result = errno;
      },
    },
  });
  lab.clock.runUntil(() => result !== 'nothing', limitMs);
  const ms = Math.round((lab.clock.now() - startedAt) * 1000) / 1000;
  connection.abort();
  return { result, ms };
}

export type PingResult = { readonly kind: string; readonly from: string; readonly ttl: number } | { readonly errno: Errno } | 'nothing';

let nextIdentifier = 1;

/** One echo request and what came of it within the time. */
export function tryPing(
  lab: { clock: SimulatedClock },
  from: NetworkNamespace,
  target: string,
  options: { ttl?: number; device?: string; source?: string; size?: number; limitMs?: number } = {},
): PingResult {
  let result: PingResult = 'nothing';
  const { ttl, device, source, size, limitMs } = options;
  from.sockets.ping({
    destination: ip(target),
    identifier: nextIdentifier++,
    sequence: 1,
    ...(ttl === undefined ? {} : { ttl }),
    ...(device === undefined ? {} : { device }),
    ...(size === undefined ? {} : { size }),
    ...(source === undefined ? {} : { source: ip(source) }),
    onReply(reply) {
      result = { kind: reply.kind, from: reply.from.text, ttl: reply.ttl };
    },
    onError(errno) {
      result = { errno };
    },
  });
  lab.clock.runUntil(() => result !== 'nothing', limitMs ?? 10_000);
  return result;
}

/** Ends of packets from now on, as `namespace kind`. */
export function watchEnds(network: Network): string[] {
  const ends: string[] = [];
  network.onDisposition((end: Disposition) => {
    ends.push(`${end.namespace.name} ${end.kind}`);
  });
  return ends;
}

/** Packets that cross a device from now on, as `> SYN` (out) and `< SYN,ACK` (in). */
export function watchPackets(device: NetworkInterface): string[] {
  const seen: string[] = [];
  device.namespace.network.onFrame(({ device: where, direction, frame }) => {
    if (where !== device) return;
    const arrow = direction === 'out' ? '>' : '<';
    const { content } = frame;
    if (content.kind === 'ip') seen.push(`${arrow} ${describe(content.packet)}`);
    else seen.push(`${arrow} ${content.message.operation} ${content.message.target.text}`);
  });
  return seen;
}

function describe({ transport }: Packet): string {
  if (transport.protocol === 'icmp') return transport.kind;
  if (transport.protocol === 'udp') return 'UDP';
  const names = Object.entries(tcpFlag).filter(([, bit]) => (transport.flags & bit) !== 0);
  return names.map(([name]) => name.toUpperCase()).join(',');
}
