import { civilTime, formatTime } from '../../docker/timestamp.ts';
import type { Command } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { frameSize } from '../../net/packet.ts';
import { type Frame, type Ip, type NetworkInterface, type NetworkNamespace, type Packet, tcpFlag } from '../../net/types.ts';
import { DeadlineClock, DeadlinePassed } from '../deadline-clock.ts';
import { captureFilter } from './capture-filter.ts';
import { byIndex } from './ip/device.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, failure, output, run } from './result.ts';

/** A capture without `-c` or a limit in time ends after this. */
const longestCaptureMs = 10_000;

/** With `-c` somebody waits for these packets: two minutes cover the slowest keepalives. */
const longestWaitMs = 120_000;

/** tcpdump(8): what passes an interface while the clock runs, until `-c` packets were seen (at most 2 minutes), or for 10 s. */
export const tcpdump: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: 'i:c:nNvelqtXxAs:Sw:r:UpKQ:B:Z:#D',
      long: ['version', 'immediate-mode', 'list-interfaces'],
      unknown: (option) => new CommandFailure(`tcpdump: invalid option -- '${option.replace(/^-+/, '')}'\n`, 1),
    });
    if (parsed.options.has('w') || parsed.options.has('r')) throw new CommandFailure('tcpdump: not simulated: capture files\n', 1);
    if (parsed.options.has('version'))
      return output('tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\nOpenSSL 3.0.11 19 Sep 2023\n');
    const { namespace } = context.container;
    if (parsed.options.has('D') || parsed.options.has('list-interfaces')) return output(interfaceList(namespace));
    const countText = lastOf(parsed, 'c');
    if (countText !== undefined && !/^[1-9]\d*$/.test(countText))
      throw new CommandFailure(`tcpdump: invalid packet count ${countText}\n`, 1);
    const wantedSide = lastOf(parsed, 'Q');
    if (wantedSide !== undefined && !['in', 'out', 'inout'].includes(wantedSide))
      throw new CommandFailure(`tcpdump: unknown capture direction \`${wantedSide}'\n`, 1);
    const name =
      lastOf(parsed, 'i') ?? byIndex(namespace.interfaces).find((device) => device.kind !== 'loopback' && device.isAdminUp)?.name ?? 'lo';
    const isAny = name === 'any';
    if (!isAny && namespace.getInterface(name) === undefined)
      throw new CommandFailure(`tcpdump: ${name}: No such device exists\n(No such device exists)\n`, 1);
    const filter = captureFilter(parsed.operands.join(' '));
    const limit = Number(countText ?? Number.POSITIVE_INFINITY);
    const isBare = parsed.options.has('t');
    const showsLink = parsed.options.has('e');
    const isVerbose = parsed.options.has('v');
    const connections = new Connections();
    let stdout = '';
    let count = 0;
    const stop = namespace.network.onFrame(({ device, direction, frame }) => {
      if (device.namespace !== namespace || (!isAny && device.name !== name) || count >= limit || !filter(frame)) return;
      if (wantedSide !== undefined && wantedSide !== 'inout' && wantedSide !== direction) return;
      count++;
      const time = civilTime(context.clock.now());
      const stamp = isBare
        ? ''
        : `${formatTime(time)}.${Math.floor(time.milliseconds * 1000)
            .toString()
            .padStart(6, '0')} `;
      stdout += `${stamp}${isAny ? `${device.name.padEnd(6)}${direction === 'in' ? 'In ' : 'Out'} ` : ''}${showsLink ? linkText(frame) : ''}${frameText(frame, device, connections, showsLink)}\n`;
    });
    const linkType = isAny ? 'LINUX_SLL2 (Linux cooked v2)' : 'EN10MB (Ethernet)';
    const said = (): string => {
      const plural = count === 1 ? '' : 's';
      const first = isVerbose
        ? `tcpdump: not simulated: -v (fields of headers)\ntcpdump: listening on ${name}`
        : `tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\nlistening on ${name}`;
      const any = isAny ? 'tcpdump: data link type LINUX_SLL2\n' : '';
      // a signal, or Ctrl-C, stands on a line of its own
      const isInterrupted = count < limit;
      return `${any}${first}, link-type ${linkType}, snapshot length 262144 bytes\n${isInterrupted ? '\n' : ''}${count} packet${plural} captured\n${count} packet${plural} received by filter\n0 packets dropped by kernel\n`;
    };
    try {
      context.clock.runUntil(
        () => count >= limit,
        context.clock instanceof DeadlineClock ? Number.POSITIVE_INFINITY : Number.isFinite(limit) ? longestWaitMs : longestCaptureMs,
      );
    } catch (error) {
      if (error instanceof DeadlinePassed) {
        error.stdout = stdout;
        error.stderr = said();
      }
      throw error;
    } finally {
      stop();
    }
    return { stdout, stderr: said(), exitCode: 0 };
  });

/** libpcap's order: what runs comes first, then the pseudo-device of all, the loopback interface, and what is down. */
function interfaceList({ interfaces }: NetworkNamespace): string {
  const running = byIndex(interfaces).filter((device) => device.isAdminUp && device.kind !== 'loopback');
  const down = byIndex(interfaces).filter((device) => !device.isAdminUp && device.kind !== 'loopback');
  const lines = [
    ...running.map((device) => `${device.name} [Up, Running, ${device.hasCarrier ? 'Connected' : 'Disconnected'}]`),
    'any (Pseudo-device that captures on all interfaces) [Up, Running]',
    'lo [Up, Running, Loopback]',
    ...down.map((device) => `${device.name} [Disconnected]`),
  ];
  return lines.map((line, index) => `${index + 1}.${line}\n`).join('');
}

/** What tcpdump remembers of TCP connections: after the first segment it counts from there (print-tcp.c). */
class Connections {
  readonly #known = new Map<string, { readonly key: string; sequence: number; acknowledgment: number }>();

  relative({ source, destination, transport }: Packet): { readonly sequence: number; readonly acknowledgment: number } {
    if (transport.protocol !== 'tcp') return { sequence: 0, acknowledgment: 0 };
    const { sourcePort, destinationPort, flags, sequence, acknowledgment } = transport;
    const from = `${source.text}.${sourcePort}`;
    const to = `${destination.text}.${destinationPort}`;
    const name = [from, to].sort().join(' ');
    const known = this.#known.get(name);
    if (known === undefined || (flags & tcpFlag.syn) !== 0) {
      const isReverse = known !== undefined && known.key !== from;
      const [own, other] = [sequence, acknowledgment - 1];
      if (known === undefined || !isReverse) this.#known.set(name, { key: from, sequence: own, acknowledgment: other });
      else {
        known.acknowledgment = own;
        known.sequence = other;
      }
      return { sequence, acknowledgment };
    }
    const isReverse = known.key !== from;
    const wrap = (value: number): number => value >>> 0;
    return isReverse
      ? { sequence: wrap(sequence - known.acknowledgment), acknowledgment: wrap(acknowledgment - known.sequence) }
      : { sequence: wrap(sequence - known.sequence), acknowledgment: wrap(acknowledgment - known.acknowledgment) };
  }
}

/** `-e`: the Ethernet header. */
function linkText(frame: Frame): string {
  const { content } = frame;
  const family = content.kind === 'ip' ? content.packet.source.family : content.message.target.family;
  const type = family === 6 ? 'IPv6 (0x86dd)' : content.kind === 'ip' ? 'IPv4 (0x0800)' : 'ARP (0x0806)';
  return `${frame.source} > ${frame.destination}, ethertype ${type}, length ${frameSize(frame)}: `;
}

function frameText(frame: Frame, device: NetworkInterface, connections: Connections, hasLink: boolean): string {
  const text = contentText(frame, device, connections);
  // the Ethernet header has said which protocol it is
  return hasLink ? text.replace(/^(?:IP6|IP|ARP,) /, '') : text;
}

/** Whom a solicited advertisement goes to: the frame has the MAC, one of the two ends its address. */
function asker(frame: Frame, device: NetworkInterface, target: Ip): string {
  const isOwn = device.mac === frame.destination;
  const found = isOwn
    ? (
        device.addresses.find(({ ip }) => ip.family === 6 && ip.value >> 64n === target.value >> 64n) ??
        device.addresses.find(({ ip }) => ip.family === 6)
      )?.ip
    : device.namespace.neighbours.list().find(({ ip, mac }) => ip.family === 6 && mac === frame.destination)?.ip;
  return found?.text ?? 'ff02::1';
}

/** RFC 4291 section 2.7.1. */
function solicitedNode(target: Ip): string {
  const digits = target.value.toString(16).padStart(32, '0');
  const text = `ff02::1:ff${digits.slice(-6, -4)}:${digits.slice(-4)}`;
  return parseIp(text)?.text ?? text;
}

function contentText(frame: Frame, device: NetworkInterface, connections: Connections): string {
  const { content } = frame;
  if (content.kind === 'ip') return packetText(content.packet, connections.relative(content.packet));
  const { message } = content;
  if (message.target.family === 4) {
    return message.operation === 'request'
      ? `ARP, Request who-has ${message.target.text} tell ${message.senderIp?.text ?? '0.0.0.0'}, length ${device.kind === 'veth' ? 28 : 46}`
      : `ARP, Reply ${message.target.text} is-at ${message.senderMac}, length 28`;
  }
  return message.operation === 'request'
    ? `IP6 ${message.senderIp?.text ?? '::'} > ${solicitedNode(message.target)}: ICMP6, neighbor solicitation, who has ${message.target.text}, length ${message.senderIp === undefined ? 24 : 32}`
    : `IP6 ${message.senderIp?.text ?? message.target.text} > ${message.unsolicited === true || /^33:33/.test(frame.destination) ? 'ff02::1' : asker(frame, device, message.target)}: ICMP6, neighbor advertisement, tgt is ${message.target.text}, length 32`;
}

function packetText(packet: Packet, counted?: { readonly sequence: number; readonly acknowledgment: number }): string {
  const { transport } = packet;
  const six = packet.source.family === 6;
  const head = six ? 'IP6 ' : 'IP ';
  if (transport.protocol === 'icmp') {
    const between = `${head}${packet.source.text} > ${packet.destination.text}: ${six ? 'ICMP6,' : 'ICMP'} `;
    const length = transport.size + 8;
    if (transport.kind === 'echo-request' || transport.kind === 'echo-reply') {
      const word = transport.kind === 'echo-request' ? 'echo request' : 'echo reply';
      return `${between}${word}, id ${transport.identifier}, seq ${transport.sequence}, length ${length}`;
    }
    const about = transport.about?.destination.text ?? '';
    const words: Readonly<Record<string, string>> = {
      'net-unreachable': `net ${about} unreachable`,
      'host-unreachable': `host ${about} unreachable`,
      'port-unreachable': six ? `destination unreachable, unreachable port, ${about}` : `${about} port unreachable`,
      'protocol-unreachable': `${about} protocol unreachable`,
      'admin-prohibited': six
        ? `destination unreachable, unreachable prohibited ${about}`
        : `host ${about} unreachable - admin prohibited filter`,
      'no-route': `destination unreachable, unreachable route ${about}`,
      'address-unreachable': `destination unreachable, unreachable address ${about}`,
      'fragmentation-needed': `${about} unreachable - need to frag (mtu ${transport.mtu ?? 0})`,
      'packet-too-big': `packet too big, mtu ${transport.mtu ?? 0}`,
      'time-exceeded': six ? `time exceeded in-transit for ${about}` : 'time exceeded in-transit',
    };
    return `${between}${words[transport.kind] ?? transport.kind}, length ${length}`;
  }
  const between = `${head}${packet.source.text}.${transport.sourcePort} > ${packet.destination.text}.${transport.destinationPort}: `;
  if (transport.protocol === 'udp') return `${between}UDP, length ${transport.payload.length}`;
  const { flags } = transport;
  const letters = `${flags & tcpFlag.syn ? 'S' : ''}${flags & tcpFlag.fin ? 'F' : ''}${flags & tcpFlag.rst ? 'R' : ''}${flags & tcpFlag.psh ? 'P' : ''}${flags & tcpFlag.ack ? '.' : ''}`;
  const { length } = transport.payload;
  const { sequence: from, acknowledgment } = counted ?? transport;
  const sequence = length > 0 ? `seq ${from}:${from + length}` : flags & (tcpFlag.syn | tcpFlag.fin | tcpFlag.rst) ? `seq ${from}` : '';
  const parts = [
    `Flags [${letters || 'none'}]`,
    sequence,
    flags & tcpFlag.ack ? `ack ${acknowledgment}` : '',
    flags & tcpFlag.rst ? 'win 0' : 'win 64240',
    `length ${length}`,
  ];
  return (
    between +
    parts.filter((part) => part !== '').join(', ') +
    contentWord(transport.payload, transport.sourcePort, transport.destinationPort)
  );
}

const httpPorts = [80, 8080];
const httpLine = /^(?:(?:GET|PUT|COPY|HEAD|LOCK|MOVE|POST|PATCH|DELETE|OPTIONS|CONNECT|TRACE) |HTTP\/1\.[01] \d{3})/;

/** What the port says about the bytes (print-tcp.c): HTTP with its first line, and BGP, of which only `-v` tells more. */
function contentWord(payload: Uint8Array, ...ports: readonly number[]): string {
  if (payload.length === 0) return '';
  if (ports.includes(179)) return ': BGP';
  if (!ports.some((port) => httpPorts.includes(port))) return '';
  const [line = ''] = latin1(payload.subarray(0, 200)).split('\r\n');
  return httpLine.test(line) ? `: HTTP: ${line}` : ': HTTP';
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** ethtool(8): driver and link of an interface. */
export const ethtool: Command = (args, context) => {
  const name = args.find((arg) => !arg.startsWith('-'));
  if (name === undefined) return failure('ethtool: bad command line argument(s)\nFor more information run ethtool -h\n');
  const device = context.container.namespace.getInterface(name);
  if (device === undefined) return failure(`netlink error: no device matches name (offset 24)\nnetlink error: No such device\n`, 75);
  if (args[0] === '-i')
    return output(
      `driver: ${device.kind}\nversion: 1.0\nfirmware-version: \nexpansion-rom-version: \nbus-info: \nsupports-statistics: yes\nsupports-test: no\nsupports-eeprom-access: no\nsupports-register-dump: no\nsupports-priv-flags: no\n`,
    );
  if (args[0]?.startsWith('-') === true) return failure(`ethtool: not simulated: ${args[0]}\n`);
  const speed =
    device.kind === 'veth'
      ? '\tSpeed: 10000Mb/s\n\tDuplex: Full\n\tPort: Twisted Pair\n\tPHYAD: 0\n\tTransceiver: internal\n\tAuto-negotiation: off\n'
      : '';
  return output(`Settings for ${name}:\n${speed}\tLink detected: ${device.isAdminUp && device.hasCarrier ? 'yes' : 'no'}\n`);
};

/** bridge(8): `bridge link`, the ports of bridges. */
export const bridge: Command = (args, context) => {
  const object = args.find((arg) => !arg.startsWith('-')) ?? 'link';
  if (!'link'.startsWith(object)) return failure(`bridge: not simulated: bridge ${object}\n`);
  const ports = byIndex(context.container.namespace.interfaces).filter((device) => device.master !== undefined);
  return output(
    ports
      .map((device) => {
        const flags = [
          'BROADCAST',
          'MULTICAST',
          ...(device.isAdminUp ? ['UP'] : []),
          ...(device.isAdminUp && device.hasCarrier ? ['LOWER_UP'] : []),
        ];
        const name =
          device.peer === undefined
            ? device.name
            : device.peer.namespace === device.namespace
              ? `${device.name}@${device.peer.name}`
              : `${device.name}@if${device.peer.index}`;
        return `${device.index}: ${name}: <${flags.join(',')}> mtu ${device.mtu} master ${device.master?.name ?? ''} state ${device.isAdminUp && device.hasCarrier ? 'forwarding' : 'disabled'} priority 32 cost 2 \n`;
      })
      .join(''),
  );
};
