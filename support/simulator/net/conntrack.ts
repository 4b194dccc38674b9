import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { isIcmpError, packetWith } from './packet.ts';
import { type Ip, type Packet, type Transport, tcpFlag } from './types.ts';

export type ConnectionState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

export interface Tuple {
  readonly protocol: Transport['protocol'];
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
}

/** A tracked connection: the tuple of its first packet, and the one that an answer must carry. */
export interface Connection {
  readonly original: Tuple;
  reply: Tuple;
  isConfirmed: boolean;
  hasReply: boolean;
  hasSourceNat: boolean;
  hasDestinationNat: boolean;
  expiresAt: number;
}

/** What is known of a packet while it passes through the namespace. */
export interface Tracked {
  readonly connection: Connection | undefined;
  readonly direction: 'original' | 'reply';
  readonly state: ConnectionState;
  /** An ICMP error about a packet of the connection. */
  readonly isError: boolean;
}

/** nf_conntrack_*_timeout, in milliseconds. */
const timeouts = {
  tcp: 432_000_000,
  tcpNew: 120_000,
  tcpClosing: 120_000,
  tcpReset: 10_000,
  udp: 30_000,
  udpStream: 120_000,
  icmp: 30_000,
};

const untracked: Tracked = { connection: undefined, direction: 'original', state: 'invalid', isError: false };

/** nf_conntrack leaves neighbour discovery alone, so that `--ctstate INVALID` does not match it. */
export const leftAlone: Tracked = { connection: undefined, direction: 'original', state: 'untracked', isError: false };

/** The connection table of a namespace. Entries run out lazily: they are looked at when they are used, and swept now and then. */
export class Conntrack {
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #byTuple = new Map<string, Connection>();
  #sweepAt = 4096;

  constructor(clock: SimulatedClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get size(): number {
    return this.#byTuple.size;
  }

  /** For `conntrack -L`: confirmed, unexpired connections. */
  *connections(): Generator<Connection> {
    for (const [key, connection] of this.#byTuple) if (keyOf(connection.original) === key && this.#isAlive(connection)) yield connection;
  }

  flush(): void {
    this.#byTuple.clear();
  }

  track(packet: Packet): Tracked {
    const { transport } = packet;
    if (transport.protocol === 'icmp' && isIcmpError(transport.kind)) return this.#trackError(transport.about);
    const tuple = tupleOf(packet);
    const found = this.#find(tuple);
    if (found === undefined) {
      // A reply to something that nobody has asked for here.
      if (transport.protocol === 'icmp' && transport.kind === 'echo-reply') return untracked;
      if (transport.protocol === 'tcp' && (transport.flags & (tcpFlag.rst | tcpFlag.syn)) === tcpFlag.rst) return untracked;
      const connection: Connection = {
        original: tuple,
        reply: inverse(tuple),
        isConfirmed: false,
        hasReply: false,
        hasSourceNat: false,
        hasDestinationNat: false,
        expiresAt: Number.POSITIVE_INFINITY,
      };
      return { connection, direction: 'original', state: 'new', isError: false };
    }
    const direction = keyOf(found.original) === keyOf(tuple) ? 'original' : 'reply';
    if (direction === 'reply') found.hasReply = true;
    found.expiresAt = this.#clock.now() + timeoutOf(found, transport);
    return { connection: found, direction, state: found.hasReply ? 'established' : 'new', isError: false };
  }

  /** A packet of a new connection has passed all hooks. */
  confirm(connection: Connection, transport: Transport): void {
    connection.isConfirmed = true;
    connection.expiresAt = this.#clock.now() + timeoutOf(connection, transport);
    this.#byTuple.set(keyOf(connection.original), connection);
    this.#byTuple.set(keyOf(connection.reply), connection);
    if (this.#byTuple.size > this.#sweepAt) this.#sweep();
  }

  /** Rewrites what answers come from. */
  setDestinationNat(connection: Connection, address: Ip, port: number | undefined): void {
    connection.reply = { ...connection.reply, source: address, sourcePort: port ?? connection.reply.sourcePort };
    connection.hasDestinationNat = connection.reply.source !== connection.original.destination || port !== undefined;
  }

  /** Rewrites what answers go to; the port stays unless another connection has that tuple already. */
  setSourceNat(connection: Connection, address: Ip, port: number | undefined): void {
    const wanted = { ...connection.reply, destination: address, destinationPort: port ?? connection.reply.destinationPort };
    connection.reply = this.#free(wanted);
    connection.hasSourceNat = true;
  }

  /** Without a rule the source stays, unless the answers would be mistaken for those of another connection. */
  keepSource(connection: Connection): void {
    const free = this.#free(connection.reply);
    if (free === connection.reply) return;
    connection.reply = free;
    connection.hasSourceNat = true;
  }

  #trackError(about: Packet | undefined): Tracked {
    if (about === undefined) return untracked;
    const inner = tupleOf(about);
    // The quoted packet was on its way; the error travels the other way, like an answer to it.
    const found = this.#find(inverse(inner));
    if (found === undefined) return untracked;
    const direction = keyOf(found.original) === keyOf(inverse(inner)) ? 'original' : 'reply';
    return { connection: found, direction, state: 'related', isError: true };
  }

  #find(tuple: Tuple): Connection | undefined {
    const found = this.#byTuple.get(keyOf(tuple));
    if (found === undefined || this.#isAlive(found)) return found;
    this.#remove(found);
    return undefined;
  }

  #free(wanted: Tuple): Tuple {
    if (this.#find(wanted) === undefined) return wanted;
    // nf_nat_l4proto_unique_tuple: ports below 512 stay below, those below 1024 too, others anywhere above.
    const [low, high] = wanted.destinationPort < 512 ? [1, 511] : wanted.destinationPort < 1024 ? [600, 1023] : [1024, 65535];
    const count = high - low + 1;
    const offset = this.#random.integer(0, count - 1);
    for (let step = 0; step < count; step++) {
      const destinationPort = low + ((offset + step) % count);
      // An ICMP identifier stands on both sides.
      const candidate = { ...wanted, destinationPort, sourcePort: wanted.protocol === 'icmp' ? destinationPort : wanted.sourcePort };
      if (this.#find(candidate) === undefined) return candidate;
    }
    return wanted;
  }

  #isAlive(connection: Connection): boolean {
    return connection.expiresAt > this.#clock.now();
  }

  #remove(connection: Connection): void {
    for (const tuple of [connection.original, connection.reply]) {
      const key = keyOf(tuple);
      if (this.#byTuple.get(key) === connection) this.#byTuple.delete(key);
    }
  }

  #sweep(): void {
    for (const connection of new Set(this.#byTuple.values())) if (!this.#isAlive(connection)) this.#remove(connection);
    this.#sweepAt = Math.max(4096, this.#byTuple.size * 2);
  }
}

/** Rewrites the destination (before routing) as the connection's other direction says. */
export function translateDestination(packet: Packet, { connection, direction, isError }: Tracked): Packet {
  if (connection === undefined || !(direction === 'original' ? connection.hasDestinationNat : connection.hasSourceNat)) return packet;
  const target = inverse(direction === 'original' ? connection.reply : connection.original);
  if (isError)
    return translateError(packet, {
      destination: target.destination,
      innerSource: target.destination,
      innerSourcePort: target.destinationPort,
    });
  return packetWith(packet, packet.source, target.destination, packet.ttl, withPorts(packet.transport, undefined, target.destinationPort));
}

/** Rewrites the source (after routing). */
export function translateSource(packet: Packet, { connection, direction, isError }: Tracked): Packet {
  if (connection === undefined || !(direction === 'original' ? connection.hasSourceNat : connection.hasDestinationNat)) return packet;
  const target = inverse(direction === 'original' ? connection.reply : connection.original);
  if (isError)
    return translateError(packet, { source: target.source, innerDestination: target.source, innerDestinationPort: target.sourcePort });
  return packetWith(packet, target.source, packet.destination, packet.ttl, withPorts(packet.transport, target.sourcePort, undefined));
}

/** An ICMP error and the packet quoted in it are translated together, so that the sender recognizes its own. */
function translateError(
  packet: Packet,
  change: {
    source?: Ip;
    destination?: Ip;
    innerSource?: Ip;
    innerSourcePort?: number;
    innerDestination?: Ip;
    innerDestinationPort?: number;
  },
): Packet {
  const { transport } = packet;
  if (transport.protocol !== 'icmp' || transport.about === undefined) return packet;
  const inner = transport.about;
  const about = packetWith(
    inner,
    change.innerSource ?? inner.source,
    change.innerDestination ?? inner.destination,
    inner.ttl,
    withPorts(inner.transport, change.innerSourcePort, change.innerDestinationPort),
  );
  return packetWith(packet, change.source ?? packet.source, change.destination ?? packet.destination, packet.ttl, { ...transport, about });
}

function withPorts(transport: Transport, sourcePort: number | undefined, destinationPort: number | undefined): Transport {
  if (transport.protocol === 'icmp') return { ...transport, identifier: sourcePort ?? destinationPort ?? transport.identifier };
  return { ...transport, sourcePort: sourcePort ?? transport.sourcePort, destinationPort: destinationPort ?? transport.destinationPort };
}

function tupleOf({ source, destination, transport }: Packet): Tuple {
  const { protocol } = transport;
  if (protocol === 'icmp')
    return { protocol, source, sourcePort: transport.identifier, destination, destinationPort: transport.identifier };
  return { protocol, source, sourcePort: transport.sourcePort, destination, destinationPort: transport.destinationPort };
}

function inverse({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Tuple {
  return { protocol, source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
}

function keyOf({ protocol, source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${protocol} ${source.text} ${sourcePort} ${destination.text} ${destinationPort}`;
}

function timeoutOf({ hasReply }: Connection, transport: Transport): number {
  switch (transport.protocol) {
    case 'tcp':
      if ((transport.flags & tcpFlag.rst) !== 0) return timeouts.tcpReset;
      if ((transport.flags & tcpFlag.fin) !== 0) return timeouts.tcpClosing;
      return hasReply ? timeouts.tcp : timeouts.tcpNew;
    case 'udp':
      return hasReply ? timeouts.udpStream : timeouts.udp;
    case 'icmp':
      return timeouts.icmp;
  }
}
