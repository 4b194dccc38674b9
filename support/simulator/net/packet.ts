import { bits } from './address.ts';
import {
  type Frame,
  type IcmpKind,
  type IcmpMessage,
  type Mac,
  type NeighbourMessage,
  type Packet,
  type Transport,
  tcpFlag,
} from './types.ts';

export const broadcastMac: Mac = 'ff:ff:ff:ff:ff:ff';
export const noMac: Mac = '00:00:00:00:00:00';
export const defaultTtl = 64;
const ethernetHeader = 14;

/** Broadcast or multicast: the lowest bit of the first octet. */
export function isGroupMac(mac: Mac): boolean {
  const digit = mac.charCodeAt(1);
  // '0'–'9' are 48–57 and 'a'–'f' 97–102: odd digits are odd codes, odd letters (b, d, f) even ones.
  return digit < 58 ? (digit & 1) === 1 : (digit & 1) === 0;
}

export function ipFrame(source: Mac, destination: Mac, packet: Packet): Frame {
  return { source, destination, content: { kind: 'ip', packet } };
}

export function neighbourFrame(source: Mac, destination: Mac, message: NeighbourMessage): Frame {
  return { source, destination, content: { kind: 'neighbour', message } };
}

/** Bytes of the IP packet, with the options that Linux puts into TCP (timestamps; MSS, SACK, scale in a SYN). */
export function packetSize(packet: Packet): number {
  return (packet.source.family === 4 ? 20 : 40) + transportSize(packet.transport);
}

function transportSize(transport: Transport): number {
  switch (transport.protocol) {
    case 'tcp':
      return ((transport.flags & tcpFlag.syn) !== 0 ? 40 : 32) + transport.payload.length;
    case 'udp':
      // A VXLAN header and the inner Ethernet header stand before the inner packet.
      return 8 + (transport.tunnel === undefined ? transport.payload.length : 8 + ethernetHeader + packetSize(transport.tunnel.packet));
    case 'icmp':
      return 8 + transport.size;
  }
}

export function frameSize(frame: Frame): number {
  const { content } = frame;
  if (content.kind === 'ip') return ethernetHeader + packetSize(content.packet);
  return ethernetHeader + (content.message.target.family === 4 ? 28 : 72);
}

export function isIcmpError(kind: IcmpKind): boolean {
  return kind !== 'echo-request' && kind !== 'echo-reply';
}

/** An ICMP error about a packet. RFC 792 quotes the header and some bytes; RFC 4443 as much as fits. */
export function icmpError(kind: IcmpKind, about: Packet, mtu?: number): IcmpMessage {
  const quoted = about.source.family === 4 ? Math.min(packetSize(about), 548) : Math.min(packetSize(about), 1232);
  const message: IcmpMessage = { protocol: 'icmp', kind, identifier: 0, sequence: 0, about, size: quoted };
  return mtu === undefined ? message : { ...message, mtu };
}

/** The fields are spelled out, in one order, so that all packets share one hidden class. */
export function packetWith(
  packet: Packet,
  source: Packet['source'],
  destination: Packet['destination'],
  ttl: number,
  transport: Transport,
): Packet {
  const { flowLabel, mark } = packet;
  return mark === undefined ? { source, destination, ttl, flowLabel, transport } : { source, destination, ttl, flowLabel, transport, mark };
}

export function withoutMark(packet: Packet): Packet {
  const { source, destination, ttl, flowLabel, transport } = packet;
  return { source, destination, ttl, flowLabel, transport };
}

const protocolNumber = { tcp: 6, udp: 17, icmp: 58 } as const;

/**
 * The hash that spreads flows over the next hops of a route (fib_multipath_hash_policy). Policy 0 takes the
 * addresses, for IPv6 the flow label and the protocol too; policy 1 adds the ports. An ICMP error goes where
 * the flow that it is about would go.
 */
export function flowHash(packet: Packet, policy: number, seed: number): number {
  const { transport } = packet;
  if (transport.protocol === 'icmp' && transport.about !== undefined) return flowHash(transport.about, policy, seed);
  let value = addressHash(packet, seed);
  if (policy === 0) {
    if (packet.source.family === 6) value = mix(mix(value, packet.flowLabel), protocolNumber[transport.protocol]);
  } else {
    const ports = transport.protocol === 'icmp' ? 0 : (transport.sourcePort << 16) | transport.destinationPort;
    value = mix(mix(value, ports), protocolNumber[transport.protocol]);
  }
  return finish(value);
}

/** The layer-3 part alone, for look-ups without a packet. */
export function addressHash(
  packet: { readonly source: Packet['source']; readonly destination: Packet['destination'] },
  seed: number,
): number {
  const source = bits(packet.source);
  const destination = bits(packet.destination);
  let value = mix(mix(seed, source.w0), destination.w0);
  if (source.family === 6) {
    value = mix(mix(mix(value, source.w1), source.w2), source.w3);
    value = mix(mix(mix(value, destination.w1), destination.w2), destination.w3);
  }
  return value;
}

/** MurmurHash3's mixing step and finalizer: any good 32-bit mixer serves, the kernel's own has a random seed. */
function mix(value: number, word: number): number {
  let scrambled = Math.imul(word, 0xcc9e2d51);
  scrambled = (scrambled << 15) | (scrambled >>> 17);
  const mixed = value ^ Math.imul(scrambled, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export function finish(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
