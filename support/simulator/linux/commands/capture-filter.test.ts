import { describe, expect, it } from 'vitest';
import { parseIp } from '../../net/address.ts';
import type { Frame, Ip, Packet } from '../../net/types.ts';
import { captureFilter } from './capture-filter.ts';

const address = (text: string): Ip => parseIp(text) as Ip;
const [source, destination] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];

function packet(from: string, to: string, transport: Record<string, unknown>): Frame {
  const content = { source: address(from), destination: address(to), ttl: 64, flowLabel: 0, transport } as unknown as Packet;
  return { source, destination, content: { kind: 'ip', packet: content } };
}

const tcp = (from: number, to: number, flags: number): Record<string, unknown> => ({
  protocol: 'tcp',
  sourcePort: from,
  destinationPort: to,
  flags,
  payload: new Uint8Array(),
});

const frames: Readonly<Record<string, Frame>> = {
  arp: {
    source,
    destination: 'ff:ff:ff:ff:ff:ff',
    content: {
      kind: 'neighbour',
      message: { operation: 'request', target: address('192.0.2.1'), senderIp: address('192.0.2.2'), senderMac: source },
    },
  },
  ping: packet('192.0.2.2', '198.51.100.2', { protocol: 'icmp', kind: 'echo-request', size: 56 }),
  pong: packet('198.51.100.2', '192.0.2.2', { protocol: 'icmp', kind: 'echo-reply', size: 56 }),
  ping6: packet('2001:db8::2', '2001:db8::1', { protocol: 'icmp', kind: 'echo-request', size: 56 }),
  syn: packet('192.0.2.2', '198.51.100.2', tcp(40000, 80, 2)),
  synack: packet('198.51.100.2', '192.0.2.2', tcp(80, 40000, 18)),
  bgp: packet('192.0.2.1', '192.0.2.2', tcp(179, 50000, 24)),
  dns: packet('192.0.2.2', '203.0.113.53', { protocol: 'udp', sourcePort: 33000, destinationPort: 53, payload: new Uint8Array() }),
};

describe('filters of pcap-filter(7)', () => {
  it.each([
    ['', 'arp ping pong ping6 syn synack bgp dns'],
    ['icmp', 'ping pong'],
    ['icmp6', 'ping6'],
    ['not icmp and not icmp6', 'arp syn synack bgp dns'],
    ['tcp port 179', 'bgp'],
    ['port 80 or 179', 'syn synack bgp'],
    ['tcp dst port http', 'syn'],
    ['udp port domain', 'dns'],
    ['portrange 50-100', 'syn synack dns'],
    ['host 198.51.100.2 and (icmp or port 80)', 'ping pong syn synack'],
    ['(icmp or port 80) and src 192.0.2.2', 'ping syn'],
    // `and` and `or` bind alike, from the left
    ['icmp or tcp and dst host 192.0.2.2', 'pong synack bgp'],
    ['not (tcp or udp) and host 192.0.2.2', 'arp ping pong'],
    ['! tcp && ! arp', 'ping pong ping6 dns'],
    ['arp host 192.0.2.1', 'arp'],
    ['host 192.0.2.1 or 203.0.113.53', 'arp bgp dns'],
    ['src net 192.0.2.0/24 and udp', 'dns'],
    ['net 198.51.100', 'ping pong syn synack'],
    ['ip6', 'ping6'],
    ['ether host 02:00:00:00:00:02', 'ping pong ping6 syn synack bgp dns'],
    ['broadcast', 'arp'],
    ['tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn', 'syn'],
    ['tcp[13] & 2 != 0', 'syn synack'],
    ['tcp[tcpflags] == tcp-syn or icmp[icmptype] = icmp-echoreply', 'pong syn'],
    ['icmp6[0] = 128', 'ping6'],
    ['ip[8] < 64', ''],
  ])('%s', (expression, passing) => {
    const filter = captureFilter(expression);
    const passed = Object.entries(frames).filter(([, frame]) => filter(frame));
    expect(passed.map(([name]) => name).join(' ')).toBe(passing);
  });

  // as libpcap 1.10.3 says it
  it.each([
    ['foo', "can't parse filter expression: syntax error"],
    ['( tcp', "can't parse filter expression: syntax error"],
    ['and tcp', "can't parse filter expression: syntax error"],
    ['tcp portt 80', "can't parse filter expression: syntax error"],
    ['host foo', "unknown host 'foo'"],
    ['port foo', "unknown port 'foo'"],
    ['port 99999', 'illegal port number 99999 > 65535'],
    ['net 10.0.0.1/8', 'non-network bits set in "10.0.0.1/8"'],
    ['ether host 1', 'illegal link layer address'],
    ['vlan 5', "not simulated: the filter word 'vlan'"],
    ['tcp[4:4] = 1', "not simulated: the filter word 'tcp[4:4]'"],
  ])('refuses %s', (expression, said) => {
    expect(() => captureFilter(expression)).toThrow(`tcpdump: ${said}\n`);
  });
});
