import { contains } from './address.ts';
import type { Family, Packet, PacketTest } from './types.ts';

interface Named {
  readonly name: string;
}

/** ICMP and ICMPv6 numbers of what the model sends (RFC 792, RFC 4443). */
const icmp4: Readonly<Record<string, readonly [number, number]>> = {
  'echo-reply': [0, 0],
  'net-unreachable': [3, 0],
  'no-route': [3, 0],
  'host-unreachable': [3, 1],
  'address-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'fragmentation-needed': [3, 4],
  'packet-too-big': [3, 4],
  'admin-prohibited': [3, 13],
  'echo-request': [8, 0],
  'time-exceeded': [11, 0],
};

const icmp6: Readonly<Record<string, readonly [number, number]>> = {
  'no-route': [1, 0],
  'net-unreachable': [1, 0],
  'admin-prohibited': [1, 1],
  'address-unreachable': [1, 3],
  'host-unreachable': [1, 3],
  'port-unreachable': [1, 4],
  'protocol-unreachable': [4, 1],
  'packet-too-big': [2, 0],
  'fragmentation-needed': [2, 0],
  'time-exceeded': [3, 0],
  'echo-request': [128, 0],
  'echo-reply': [129, 0],
};

/** TCP's flag bits as on the wire (RFC 9293 section 3.1). */
export const tcpFlagBits = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

/** A name for the protocol above IP, as rules have it. */
export function protocolOf({ transport, source }: Packet): string {
  return transport.protocol === 'icmp' && source.family === 6 ? 'icmpv6' : transport.protocol;
}

/** Whether a packet passes a test that looks at nothing but the packet and its devices. */
export function passesTest(test: PacketTest, packet: Packet, input: Named | undefined, output: Named | undefined): boolean {
  return isTrue(test, packet, input, output) !== (test.inverted === true);
}

function isTrue(test: PacketTest, packet: Packet, input: Named | undefined, output: Named | undefined): boolean {
  const { transport } = packet;
  switch (test.kind) {
    case 'protocol':
      return test.names.includes(protocolOf(packet));
    case 'family':
      return packet.source.family === test.family;
    case 'address':
      return test.prefixes.some((prefix) => contains(prefix, packet[test.side]));
    case 'range': {
      const { family, value } = packet[test.side];
      return family === test.low.family && value >= test.low.value && value <= test.high.value;
    }
    case 'device': {
      const name = (test.side === 'input' ? input : output)?.name;
      return (
        name !== undefined &&
        test.names.some((pattern) => (/[+*]$/.test(pattern) ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
      );
    }
    case 'ports': {
      if (transport.protocol === 'icmp') return false;
      const within = (port: number): boolean => test.ranges.some(({ low, high }) => port >= low && port <= high);
      if (test.side !== 'destination' && within(transport.sourcePort)) return true;
      return test.side !== 'source' && within(transport.destinationPort);
    }
    case 'tcp-flags':
      return transport.protocol === 'tcp' && (transport.flags & test.mask) === test.set;
    case 'icmp-type': {
      if (transport.protocol !== 'icmp') return false;
      const [type, code] = icmpNumbers(transport.kind, packet.source.family) ?? [-1, -1];
      return test.types.includes(type) && (test.code === undefined || test.code === code);
    }
    case 'mark':
      return test.values.includes(((packet.mark ?? 0) & test.mask) >>> 0);
    case 'ttl':
      return packet.ttl >= test.low && packet.ttl <= test.high;
  }
}

function icmpNumbers(kind: string, family: Family): readonly [number, number] | undefined {
  return (family === 4 ? icmp4 : icmp6)[kind];
}
