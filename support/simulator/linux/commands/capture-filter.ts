import { parsePrefix } from '../../docker/addresses.ts';
import { contains, parseIp } from '../../net/address.ts';
import { frameSize } from '../../net/packet.ts';
import { tcpFlagBits } from '../../net/packet-test.ts';
import type { Frame, Ip, Packet, Transport } from '../../net/types.ts';
import { CommandFailure } from './result.ts';
import { serviceNumber } from './service-names.ts';

type Test = (frame: Frame) => boolean;

/** What stands before a value, `tcp src port 80`; a bare value after it repeats it (pcap-filter(7): `host a or b`). */
interface Qualifiers {
  readonly protocol: string | undefined;
  readonly side: 'src' | 'dst' | undefined;
  readonly type: string | undefined;
}

const protocols = new Set(['ether', 'ip', 'ip6', 'arp', 'tcp', 'udp', 'icmp', 'icmp6']);
const types = new Set(['host', 'net', 'port', 'portrange']);
const packetOf = (frame: Frame): Packet | undefined => (frame.content.kind === 'ip' ? frame.content.packet : undefined);

const isNeighbour = (frame: Frame, family: number): boolean =>
  frame.content.kind === 'neighbour' && frame.content.message.target.family === family;

const isIcmp = (frame: Frame, family: number): boolean => {
  const packet = packetOf(frame);
  return packet?.transport.protocol === 'icmp' && packet.source.family === family;
};

/** A protocol by itself. Neighbour discovery is ICMPv6, and thereby IPv6. */
const protocolTests: Readonly<Record<string, Test>> = {
  ether: () => true,
  arp: (frame) => isNeighbour(frame, 4),
  ip: (frame) => packetOf(frame)?.source.family === 4,
  ip6: (frame) => packetOf(frame)?.source.family === 6 || isNeighbour(frame, 6),
  tcp: (frame) => packetOf(frame)?.transport.protocol === 'tcp',
  udp: (frame) => packetOf(frame)?.transport.protocol === 'udp',
  icmp: (frame) => isIcmp(frame, 4),
  icmp6: (frame) => isIcmp(frame, 6) || isNeighbour(frame, 6),
};

function ends(frame: Frame): { readonly source: Ip | undefined; readonly destination: Ip | undefined } {
  const packet = packetOf(frame);
  if (packet !== undefined) return packet;
  if (frame.content.kind !== 'neighbour') return { source: undefined, destination: undefined };
  const { message } = frame.content;
  // a solicitation goes to the multicast group of its target, not to the target
  return { source: message.senderIp, destination: message.target.family === 4 ? message.target : undefined };
}

function onSides(side: Qualifiers['side'], isWanted: (ip: Ip | undefined) => boolean): Test {
  return (frame) => {
    const { source, destination } = ends(frame);
    return (side !== 'dst' && isWanted(source)) || (side !== 'src' && isWanted(destination));
  };
}

const unreachable = 'net host port protocol address'.split(' ').map((what) => `${what}-unreachable`);

/** The number in the first byte of an ICMP or ICMPv6 message. */
function icmpType(frame: Frame): number | undefined {
  if (frame.content.kind === 'neighbour') return frame.content.message.operation === 'request' ? 135 : 136;
  const packet = packetOf(frame);
  if (packet?.transport.protocol !== 'icmp') return undefined;
  const six = packet.source.family === 6;
  const { kind } = packet.transport;
  if (kind === 'echo-request') return six ? 128 : 8;
  if (kind === 'echo-reply') return six ? 129 : 0;
  if (kind === 'time-exceeded') return six ? 3 : 11;
  if (six && (kind === 'packet-too-big' || kind === 'fragmentation-needed')) return 2;
  return unreachable.includes(kind) || ['admin-prohibited', 'no-route', 'fragmentation-needed'].includes(kind) ? (six ? 1 : 3) : undefined;
}

/** The bytes of headers that the model knows, by protocol and offset. */
const bytes: Readonly<Record<string, (frame: Frame) => number | undefined>> = {
  'tcp 13': (frame) => {
    const transport: Transport | undefined = packetOf(frame)?.transport;
    return transport?.protocol === 'tcp' ? transport.flags : undefined;
  },
  'icmp 0': (frame) => (isIcmp(frame, 4) ? icmpType(frame) : undefined),
  'icmp6 0': (frame) => (protocolTests.icmp6?.(frame) === true ? icmpType(frame) : undefined),
  'ip 8': (frame) => (packetOf(frame)?.source.family === 4 ? packetOf(frame)?.ttl : undefined),
  'ip6 7': (frame) => (packetOf(frame)?.source.family === 6 ? packetOf(frame)?.ttl : undefined),
};

const offsets: Readonly<Record<string, number>> = { tcpflags: 13, icmptype: 0, icmp6type: 0 };

const constants: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.entries(tcpFlagBits).map(([name, bit]) => [`tcp-${name.toLowerCase().replace('psh', 'push')}`, bit])),
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-echo': 8,
  'icmp-timxceed': 11,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
};

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
};

/** pcap-filter(7): `and` and `or` bind alike, from the left; `not` binds tighter. Refusals in libpcap's words. */
class FilterReader {
  readonly #words: readonly string[];
  #next = 0;
  #last: Qualifiers = { protocol: undefined, side: undefined, type: undefined };

  constructor(expression: string) {
    this.#words = expression.match(/&&|\|\||!=|[<>=]=|[()[\]<>=!&|]|[^\s()[\]<>=!&|]+/g) ?? [];
  }

  read(): Test {
    const test = this.#expression();
    if (this.#next < this.#words.length) throw syntaxError();
    return test;
  }

  #take(...wanted: readonly string[]): string | undefined {
    const word = this.#words[this.#next];
    if (word === undefined || !wanted.includes(word)) return undefined;
    this.#next++;
    return word;
  }

  #word(): string {
    const word = this.#words[this.#next++];
    if (word === undefined) throw syntaxError();
    return word;
  }

  #expression(): Test {
    let test = this.#term();
    for (;;) {
      const word = this.#take('and', '&&', 'or', '||');
      if (word === undefined) return test;
      const left = test;
      const right = this.#term();
      test = word === 'and' || word === '&&' ? (frame) => left(frame) && right(frame) : (frame) => left(frame) || right(frame);
    }
  }

  #term(): Test {
    if (this.#take('not', '!') !== undefined) {
      const test = this.#term();
      return (frame) => !test(frame);
    }
    if (this.#take('(') === undefined) return this.#primitive();
    const test = this.#expression();
    if (this.#take(')') === undefined) throw syntaxError();
    return test;
  }

  #primitive(): Test {
    const start = this.#words[this.#next] ?? '';
    if (this.#words[this.#next + 1] === '[') return this.#relation();
    if (start === 'less' || start === 'greater') {
      this.#next++;
      const size = number(this.#word());
      return (frame) => (start === 'less' ? frameSize(frame) <= size : frameSize(frame) >= size);
    }
    const protocol = protocols.has(start) ? this.#word() : undefined;
    if (this.#take('broadcast') !== undefined)
      return (frame) => inProtocol(protocol)(frame) && frame.destination.toLowerCase() === 'ff:ff:ff:ff:ff:ff';
    if (this.#take('multicast') !== undefined)
      return (frame) => inProtocol(protocol)(frame) && (Number.parseInt(frame.destination.slice(0, 2), 16) & 1) === 1;
    const side = this.#take('src', 'dst') as Qualifiers['side'];
    // `src or dst` is what stands there by default
    if (side !== undefined && this.#words[this.#next] === 'or' && ['src', 'dst'].includes(this.#words[this.#next + 1] ?? '')) {
      this.#next += 2;
      return this.#value({ protocol, side: undefined, type: this.#take(...types) });
    }
    const type = this.#take(...types);
    if (side === undefined && type === undefined) {
      if (protocol !== undefined) return this.#alone(protocol);
      if (this.#last.type === undefined || !/^[\d.:a-f/-]+$/i.test(start)) throw syntaxError(start);
      return this.#value(this.#last);
    }
    return this.#value({ protocol, side, type: type ?? 'host' });
  }

  #alone(protocol: string): Test {
    this.#last = { protocol: undefined, side: undefined, type: undefined };
    return protocolTests[protocol] as Test;
  }

  #value(qualifiers: Qualifiers): Test {
    this.#last = qualifiers;
    const { protocol, side, type } = qualifiers;
    const isProtocol = inProtocol(protocol);
    const text = this.#word();
    const test = protocol === 'ether' ? frameTest(text, side) : valueTest(type ?? 'host', text, side);
    return (frame) => isProtocol(frame) && test(frame);
  }

  /** `tcp[tcpflags] & (tcp-syn|tcp-ack) != 0` */
  #relation(): Test {
    const protocol = this.#word();
    this.#next++;
    const offset = this.#word();
    if (this.#take(']') === undefined || !protocols.has(protocol)) throw notSimulated(`${protocol}[${offset}`);
    const byte = bytes[`${protocol} ${offsets[offset] ?? offset}`];
    if (byte === undefined) throw notSimulated(`${protocol}[${offset}]`);
    const mask = this.#take('&') === undefined ? 0xff : this.#sum();
    const compare = comparisons[this.#word()];
    if (compare === undefined) throw syntaxError();
    const wanted = this.#sum();
    return (frame) => {
      const found = byte(frame);
      return found !== undefined && compare(found & mask, wanted);
    };
  }

  /** Constants joined by `|`, with brackets or without. */
  #sum(): number {
    const isBracketed = this.#take('(') !== undefined;
    let sum = 0;
    do {
      const word = this.#word();
      sum |= constants[word] ?? number(word);
    } while (this.#take('|') !== undefined);
    if (isBracketed && this.#take(')') === undefined) throw syntaxError();
    return sum;
  }
}

function inProtocol(protocol: string | undefined): Test {
  return protocol === undefined ? () => true : (protocolTests[protocol] as Test);
}

function frameTest(text: string, side: Qualifiers['side']): Test {
  if (!/^([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}$/i.test(text)) throw new CommandFailure('tcpdump: illegal link layer address\n', 1);
  const mac = text.toLowerCase();
  return (frame) => (side !== 'dst' && frame.source === mac) || (side !== 'src' && frame.destination === mac);
}

function valueTest(type: string, text: string, side: Qualifiers['side']): Test {
  if (type === 'port') return portTest(portOf(text), portOf(text), side);
  if (type === 'portrange') {
    const [low = '', high = low] = text.split('-');
    return portTest(portOf(low), portOf(high), side);
  }
  if (type === 'net') {
    const [address = '', length] = text.split('/');
    const whole = address.includes(':') ? address : [...address.split('.'), '0', '0', '0'].slice(0, 4).join('.');
    const prefix = parsePrefix(`${whole}/${length ?? (address.includes(':') ? 128 : address.split('.').length * 8)}`);
    if (prefix === undefined) throw new CommandFailure(`tcpdump: unknown network '${text}'\n`, 1);
    if (prefix.address !== parseIp(whole)) throw new CommandFailure(`tcpdump: non-network bits set in "${text}"\n`, 1);
    return onSides(side, (ip) => ip !== undefined && contains(prefix, ip));
  }
  const ip = parseIp(text);
  if (ip === undefined) throw new CommandFailure(`tcpdump: unknown host '${text}'\n`, 1);
  return onSides(side, (end) => end === ip);
}

function portTest(low: number, high: number, side: Qualifiers['side']): Test {
  const isWanted = (port: number): boolean => port >= low && port <= high;
  return (frame) => {
    const transport = packetOf(frame)?.transport;
    if (transport === undefined || transport.protocol === 'icmp') return false;
    return (side !== 'dst' && isWanted(transport.sourcePort)) || (side !== 'src' && isWanted(transport.destinationPort));
  };
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : serviceNumber(text);
  if (port === undefined) throw new CommandFailure(`tcpdump: unknown port '${text}'\n`, 1);
  if (port > 65_535) throw new CommandFailure(`tcpdump: illegal port number ${port} > 65535\n`, 1);
  return port;
}

function number(text: string): number {
  const value = Number(text);
  if (Number.isNaN(value)) throw syntaxError();
  return value;
}

/** Words of pcap-filter(7) that the model has nothing for. */
const unmodelled = new Set([
  'vlan',
  'mpls',
  'gateway',
  'rarp',
  'proto',
  'protochain',
  'sctp',
  'inbound',
  'outbound',
  'len',
  'igmp',
  'vrrp',
]);

function syntaxError(word = ''): CommandFailure {
  return unmodelled.has(word) ? notSimulated(word) : new CommandFailure("tcpdump: can't parse filter expression: syntax error\n", 1);
}

function notSimulated(word: string): CommandFailure {
  return new CommandFailure(`tcpdump: not simulated: the filter word '${word}'\n`, 1);
}

/** Which frames an expression of tcpdump lets through; all without one. */
export function captureFilter(expression: string): Test {
  return expression.trim() === '' ? () => true : new FilterReader(expression).read();
}
