import type { IcmpMessage, Ip, Packet } from '../../../net/types.ts';

export type TupleProtocol = 'tcp' | 'udp' | 'icmp';

/** Addresses and ports of a packet; an ICMP echo has its identifier in the place of both ports, as in Cilium's NAT. */
export interface Tuple {
  readonly protocol: TupleProtocol;
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
}

export function tupleOf(packet: Packet): Tuple {
  const { transport, source, destination } = packet;
  if (transport.protocol === 'icmp') {
    // The asking side owns the identifier, so that request and reply are each other's reverse.
    const isReply = transport.kind === 'echo-reply';
    return {
      protocol: 'icmp',
      source,
      sourcePort: isReply ? 0 : transport.identifier,
      destination,
      destinationPort: isReply ? transport.identifier : 0,
    };
  }
  return {
    protocol: transport.protocol,
    source,
    sourcePort: transport.sourcePort,
    destination,
    destinationPort: transport.destinationPort,
  };
}

export function reverseOf(tuple: Tuple): Tuple {
  return {
    protocol: tuple.protocol,
    source: tuple.destination,
    sourcePort: tuple.destinationPort,
    destination: tuple.source,
    destinationPort: tuple.sourcePort,
  };
}

export function keyOf(tuple: Tuple): string {
  return `${tuple.protocol} ${tuple.source.text} ${tuple.sourcePort} ${tuple.destination.text} ${tuple.destinationPort}`;
}

export function isIcmpError(packet: Packet): packet is Packet & { readonly transport: IcmpMessage & { readonly about: Packet } } {
  return packet.transport.protocol === 'icmp' && packet.transport.about !== undefined;
}

/** A copy with another source. */
export function withSource(packet: Packet, ip: Ip, port: number): Packet {
  const { transport } = packet;
  if (transport.protocol === 'icmp') {
    return { ...packet, source: ip, transport: transport.kind === 'echo-request' ? { ...transport, identifier: port } : transport };
  }
  return { ...packet, source: ip, transport: { ...transport, sourcePort: port } };
}

/** A copy with another destination. */
export function withDestination(packet: Packet, ip: Ip, port: number): Packet {
  const { transport } = packet;
  if (transport.protocol === 'icmp') {
    return { ...packet, destination: ip, transport: transport.kind === 'echo-reply' ? { ...transport, identifier: port } : transport };
  }
  return { ...packet, destination: ip, transport: { ...transport, destinationPort: port } };
}

export function withTtl(packet: Packet, ttl: number): Packet {
  return { ...packet, ttl };
}

/** The first packet that a reply's ICMP error would answer to: an error with its inner packet rewritten as given. */
export function withAbout(packet: Packet & { readonly transport: IcmpMessage }, about: Packet): Packet {
  return { ...packet, transport: { ...packet.transport, about } };
}

const icmpTypes = {
  'echo-request': [8, 128],
  'echo-reply': [0, 129],
  'net-unreachable': [3, 1],
  'host-unreachable': [3, 1],
  'port-unreachable': [3, 1],
  'protocol-unreachable': [3, 4],
  'admin-prohibited': [3, 1],
  'no-route': [3, 1],
  'address-unreachable': [3, 1],
  'fragmentation-needed': [3, 2],
  'packet-too-big': [3, 2],
  'time-exceeded': [11, 3],
} as const;

/** The number of an ICMP message's type in its family. */
export function icmpTypeOf(kind: keyof typeof icmpTypes, family: 4 | 6): number {
  return icmpTypes[kind][family === 4 ? 0 : 1];
}
