import { civilTime, formatTime } from '../../docker/timestamp.ts';
import type { Command } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { type Frame, type NetworkInterface, type Packet, tcpFlag } from '../../net/types.ts';
import { DeadlinePassed } from '../deadline-clock.ts';
import { byIndex } from './ip/device.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, failure, output, run } from './result.ts';

/** A capture without `-c` or a limit in time ends after this. */
const longestCaptureMs = 10_000;

/** tcpdump(8): what passes an interface while the clock runs, until `-c` packets were seen or 10 s have passed. */
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
      stdout += `${stamp}${isAny ? `${device.name.padEnd(6)}${direction === 'in' ? 'In ' : 'Out'} ` : ''}${showsLink ? `${frame.source} > ${frame.destination}, ` : ''}${frameText(frame, device)}\n`;
    });
    try {
      context.clock.runUntil(() => count >= limit, longestCaptureMs);
    } catch (error) {
      if (error instanceof DeadlinePassed) error.stdout = stdout;
      throw error;
    } finally {
      stop();
    }
    const linkType = isAny ? 'LINUX_SLL2 (Linux cooked v2)' : 'EN10MB (Ethernet)';
    const plural = count === 1 ? '' : 's';
    return {
      stdout,
      stderr: `tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\nlistening on ${name}, link-type ${linkType}, snapshot length 262144 bytes\n${count} packet${plural} captured\n${count} packet${plural} received by filter\n0 packets dropped by kernel\n`,
      exitCode: 0,
    };
  });

function frameText(frame: Frame, device: NetworkInterface): string {
  const { content } = frame;
  if (content.kind === 'ip') return packetText(content.packet);
  const { message } = content;
  if (message.target.family === 4) {
    return message.operation === 'request'
      ? `ARP, Request who-has ${message.target.text} tell ${message.senderIp?.text ?? '0.0.0.0'}, length ${device.kind === 'veth' ? 28 : 46}`
      : `ARP, Reply ${message.target.text} is-at ${message.senderMac}, length 28`;
  }
  return message.operation === 'request'
    ? `IP6 ${message.senderIp?.text ?? '::'} > ff02::1:ff${message.target.value.toString(16).padStart(32, '0').slice(-6, -4)}:${message.target.value.toString(16).slice(-4)}: ICMP6, neighbor solicitation, who has ${message.target.text}, length ${message.senderIp === undefined ? 24 : 32}`
    : `IP6 ${message.senderIp?.text ?? message.target.text} > ff02::1: ICMP6, neighbor advertisement, tgt is ${message.target.text}, length 32`;
}

export function packetText(packet: Packet): string {
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
  const sequence =
    length > 0
      ? `seq ${transport.sequence}:${transport.sequence + length}`
      : flags & (tcpFlag.syn | tcpFlag.fin | tcpFlag.rst)
        ? `seq ${transport.sequence}`
        : '';
  const parts = [
    `Flags [${letters || 'none'}]`,
    sequence,
    flags & tcpFlag.ack ? `ack ${transport.acknowledgment}` : '',
    'win 64240',
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
