import { parsePrefix } from '../../docker/addresses.ts';
import { civilTime, formatTime } from '../../docker/timestamp.ts';
import type { Command } from '../../docker/types.ts';
import { contains, parseIp } from '../../net/address.ts';
import { frameSize } from '../../net/packet.ts';
import { tcpFlagBits } from '../../net/packet-test.ts';
import { type Frame, type Ip, type NetworkInterface, type Packet, tcpFlag } from '../../net/types.ts';
import { DeadlineClock, DeadlinePassed } from '../deadline-clock.ts';
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
      letters: 'i:c:nvelqtXxAsS:w:r:UpK'.replace('sS:', 's:S'),
      unknown: (option) => new CommandFailure(`tcpdump: invalid option -- '${option.replace(/^-+/, '')}'\n`, 1),
    });
    if (parsed.options.has('w') || parsed.options.has('r')) throw new CommandFailure('tcpdump: not simulated: capture files\n', 1);
    const { namespace } = context.container;
    const name =
      lastOf(parsed, 'i') ?? byIndex(namespace.interfaces).find((device) => device.kind !== 'loopback' && device.isAdminUp)?.name ?? 'lo';
    const isAny = name === 'any';
    if (!isAny && namespace.getInterface(name) === undefined)
      throw new CommandFailure(`tcpdump: ${name}: No such device exists\n(No such device exists)\n`, 1);
    const filter = captureFilter(parsed.operands.join(' '));
    const limit = Number(lastOf(parsed, 'c') ?? Number.POSITIVE_INFINITY);
    const isBare = parsed.options.has('t');
    const showsLink = parsed.options.has('e');
    const isVerbose = parsed.options.has('v');
    const connections = new Connections();
    let stdout = '';
    let count = 0;
    const stop = namespace.network.onFrame(({ device, direction, frame }) => {
      if (device.namespace !== namespace || (!isAny && device.name !== name) || count >= limit || !filter(frame)) return;
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
  return between + parts.filter((part) => part !== '').join(', ');
}

/** The commonest words of pcap-filter(7); anything else is refused, not ignored. */
function captureFilter(expression: string): (frame: Frame) => boolean {
  const words = expression
    .replace(/[()]/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return () => true;
  const alternatives: ((frame: Frame) => boolean)[][] = [[]];
  const put = (test: (frame: Frame) => boolean): void => {
    (alternatives[alternatives.length - 1] as ((frame: Frame) => boolean)[]).push(test);
  };
  const packetOf = (frame: Frame): Packet | undefined => (frame.content.kind === 'ip' ? frame.content.packet : undefined);
  for (let index = 0; index < words.length; index++) {
    let word = words[index] as string;
    const isNot = word === 'not' || word === '!';
    if (isNot) word = words[++index] ?? '';
    const add = (test: (frame: Frame) => boolean): void => put(isNot ? (frame) => !test(frame) : test);
    if (word === 'and' || word === '&&') continue;
    if (word === 'or' || word === '||') {
      alternatives.push([]);
      continue;
    }
    if (word === 'arp') add((frame) => frame.content.kind === 'neighbour' && frame.content.message.target.family === 4);
    else if (word === 'ip') add((frame) => packetOf(frame)?.source.family === 4);
    else if (word === 'ip6')
      add(
        (frame) =>
          packetOf(frame)?.source.family === 6 || (frame.content.kind === 'neighbour' && frame.content.message.target.family === 6),
      );
    else if (word === 'tcp' || word === 'udp') add((frame) => packetOf(frame)?.transport.protocol === word);
    else if (word === 'icmp') add((frame) => packetOf(frame)?.transport.protocol === 'icmp' && packetOf(frame)?.source.family === 4);
    else if (word === 'icmp6')
      add(
        (frame) =>
          (packetOf(frame)?.transport.protocol === 'icmp' && packetOf(frame)?.source.family === 6) ||
          (frame.content.kind === 'neighbour' && frame.content.message.target.family === 6),
      );
    else if (word === 'port' || ((word === 'src' || word === 'dst') && words[index + 1] === 'port')) {
      const side = word === 'port' ? undefined : word;
      if (side !== undefined) index++;
      const port = Number(words[++index]);
      if (!Number.isInteger(port)) throw new CommandFailure(`tcpdump: unknown port '${words[index] ?? ''}'\n`, 1);
      add((frame) => {
        const transport = packetOf(frame)?.transport;
        if (transport === undefined || transport.protocol === 'icmp') return false;
        return (side !== 'dst' && transport.sourcePort === port) || (side !== 'src' && transport.destinationPort === port);
      });
    } else if (word === 'host' || word === 'src' || word === 'dst') {
      if (word !== 'host' && words[index + 1] === 'host') index++;
      const ip = parseIp(words[++index] ?? '');
      if (ip === undefined) throw new CommandFailure(`tcpdump: unknown host '${words[index] ?? ''}'\n`, 1);
      add((frame) => {
        const packet = packetOf(frame);
        if (packet !== undefined) return (word !== 'dst' && packet.source === ip) || (word !== 'src' && packet.destination === ip);
        return (
          frame.content.kind === 'neighbour' &&
          word === 'host' &&
          (frame.content.message.target === ip || frame.content.message.senderIp === ip)
        );
      });
    } else if (word === 'net') {
      const prefix = parsePrefix(words[++index] ?? '');
      if (prefix === undefined) throw new CommandFailure(`tcpdump: not simulated: net ${words[index] ?? ''}\n`, 1);
      add((frame) => {
        const packet = packetOf(frame);
        return packet !== undefined && (contains(prefix, packet.source) || contains(prefix, packet.destination));
      });
    } else if (word === 'portrange') {
      const [low = Number.NaN, high = low] = (words[++index] ?? '').split('-').map(Number);
      if (Number.isNaN(low) || Number.isNaN(high)) throw new CommandFailure("tcpdump: can't parse filter expression: syntax error\n", 1);
      add((frame) => {
        const transport = packetOf(frame)?.transport;
        if (transport === undefined || transport.protocol === 'icmp') return false;
        return [transport.sourcePort, transport.destinationPort].some((port) => port >= low && port <= high);
      });
    } else if (word.startsWith('tcp[') && words[index + 1] === '&') {
      const names = (words[index + 2] ?? '').split('|');
      const bits = names.reduce(
        (sum, name) => sum | (tcpFlagBits[name.replace('tcp-', '').replace('push', 'psh').toUpperCase() as keyof typeof tcpFlagBits] ?? 0),
        0,
      );
      if (!/^tcp\[(?:tcpflags|13)\]$/.test(word) || bits === 0 || words[index + 3] !== '!=' || words[index + 4] !== '0')
        throw new CommandFailure(`tcpdump: not simulated: the filter word '${word}'\n`, 1);
      index += 4;
      add((frame) => {
        const transport = packetOf(frame)?.transport;
        return transport?.protocol === 'tcp' && (transport.flags & bits) !== 0;
      });
    } else throw new CommandFailure(`tcpdump: not simulated: the filter word '${word}'\n`, 1);
  }
  return (frame) => alternatives.some((tests) => tests.every((test) => test(frame)));
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

/** tc(8): `tc qdisc add|change|replace|del dev X root netem delay … loss …`, and `show`. */
export const tc: Command = (args, context) =>
  run(() => {
    const words = args.filter((arg) => !['-s', '-d', '-p'].includes(arg));
    const [object, verb = 'show', ...rest] = words;
    if (object === undefined || !'qdisc'.startsWith(object)) throw new CommandFailure(`tc: not simulated: tc ${object ?? ''}\n`, 1);
    const { namespace } = context.container;
    const at = rest.indexOf('dev');
    const name = at < 0 ? undefined : rest[at + 1];
    const device = name === undefined ? undefined : namespace.getInterface(name);
    if (name !== undefined && device === undefined) throw new CommandFailure(`Cannot find device "${name}"\n`, 1);
    if ('show'.startsWith(verb) || 'list'.startsWith(verb)) {
      const shown = device === undefined ? byIndex(namespace.interfaces) : [device];
      return output(
        shown
          .map(
            (each) =>
              `qdisc ${each.netem === undefined ? 'noqueue 0:' : 'netem 8001:'} ${device === undefined ? `dev ${each.name} ` : ''}root refcnt 2 ${netemText(each)}\n`,
          )
          .join(''),
      );
    }
    if (device === undefined) throw new CommandFailure('Device name is required.\n', 1);
    if ('delete'.startsWith(verb)) {
      if (device.netem === undefined) throw new CommandFailure('Error: Cannot delete qdisc with handle of zero.\n', 2);
      device.netem = undefined;
      return output('');
    }
    if (!['add', 'change', 'replace'].includes(verb)) throw new CommandFailure(`Command "${verb}" is unknown, try "tc qdisc help".\n`, 255);
    const kind = rest.indexOf('netem');
    if (kind < 0) throw new CommandFailure('tc: not simulated: queueing disciplines other than netem\n', 1);
    if (verb === 'add' && device.netem !== undefined) throw new CommandFailure('Error: Exclusivity flag on, cannot modify.\n', 2);
    if (verb === 'change' && device.netem === undefined)
      throw new CommandFailure('Error: Qdisc not found. To create specify NLM_F_CREATE flag.\n', 2);
    const wanted = { delayMs: 0, lossFraction: 0 };
    for (let index = kind + 1; index < rest.length; index++) {
      const word = rest[index];
      if (word === 'delay' || word === 'latency') {
        const match = /^(\d+(?:\.\d+)?)(us|ms|s)?$/.exec(rest[++index] ?? '');
        if (match === null) throw new CommandFailure(`Illegal "latency"\nUsage: ... netem	[ limit PACKETS ]\n`, 255);
        wanted.delayMs = Number(match[1]) * { us: 0.001, ms: 1, s: 1000 }[(match[2] ?? 'us') as 'us'];
        if (/^\d/.test(rest[index + 1] ?? '')) throw new CommandFailure('tc: not simulated: netem jitter\n', 1);
      } else if (word === 'loss') {
        if (rest[index + 1] === 'random') index++;
        const match = /^(\d+(?:\.\d+)?)%?$/.exec(rest[++index] ?? '');
        if (match === null) throw new CommandFailure('Illegal "loss percent"\n', 255);
        wanted.lossFraction = Number(match[1]) / 100;
      } else throw new CommandFailure(`tc: not simulated: netem ${word}\n`, 1);
    }
    device.netem = wanted;
    return output('');
  });

function netemText(device: NetworkInterface): string {
  if (device.netem === undefined) return '';
  const { delayMs, lossFraction } = device.netem;
  const delay =
    delayMs === 0 ? '' : ` delay ${delayMs >= 1000 ? `${delayMs / 1000}s` : delayMs >= 1 ? `${delayMs}ms` : `${delayMs * 1000}us`}`;
  return `limit 1000${delay}${lossFraction === 0 ? '' : ` loss ${Number((lossFraction * 100).toPrecision(6))}%`}`;
}
