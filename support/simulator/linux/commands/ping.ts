import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Family, IcmpKind, Ip } from '../../net/types.ts';
import { DeadlineClock, DeadlinePassed } from '../deadline-clock.ts';
import { decisionErrno } from './ip/route-get.ts';
import { resolveHost } from './names.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, run } from './result.ts';

/** Time to wait for the last answer when none has come at all (MAXWAIT of iputils). */
const longestWaitMs = 10_000;

/** iputils' words for an ICMP error. */
export function icmpText(kind: IcmpKind, family: Family, mtu: number | undefined): string {
  if (family === 4) {
    switch (kind) {
      case 'net-unreachable':
      case 'no-route':
        return 'Destination Net Unreachable';
      case 'host-unreachable':
      case 'address-unreachable':
        return 'Destination Host Unreachable';
      case 'port-unreachable':
        return 'Destination Port Unreachable';
      case 'protocol-unreachable':
        return 'Destination Protocol Unreachable';
      case 'admin-prohibited':
        return 'Packet filtered';
      case 'fragmentation-needed':
      case 'packet-too-big':
        return `Frag needed and DF set (mtu = ${mtu ?? 0})`;
      case 'time-exceeded':
        return 'Time to live exceeded';
      default:
        return `Unknown ICMP ${kind}`;
    }
  }
  switch (kind) {
    case 'no-route':
    case 'net-unreachable':
      return 'Destination unreachable: No route';
    case 'address-unreachable':
    case 'host-unreachable':
      return 'Destination unreachable: Address unreachable';
    case 'port-unreachable':
      return 'Destination unreachable: Port unreachable';
    case 'admin-prohibited':
      return 'Destination unreachable: Administratively prohibited';
    case 'packet-too-big':
    case 'fragmentation-needed':
      return `Packet too big: mtu=${mtu ?? 0}`;
    case 'time-exceeded':
      return 'Time exceeded: Hop limit';
    default:
      return `Unknown ICMP ${kind}`;
  }
}

/** Three significant digits, as iputils prints a round trip. */
function roundTripText(ms: number): string {
  if (ms >= 100) return String(Math.floor(ms));
  if (ms >= 10) return (Math.floor(ms * 10) / 10).toFixed(1);
  return ms >= 1 ? (Math.floor(ms * 100) / 100).toFixed(2) : ms.toFixed(3);
}

interface PingOptions {
  readonly target: string;
  readonly ip: Ip;
  readonly count: number;
  readonly intervalMs: number;
  readonly waitMs: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly size: number;
  readonly ttl: number | undefined;
  readonly isQuiet: boolean;
  /** `-f`: dots that answers take back, the next request on the heels of the answer; `-A`: the latter only. */
  readonly isFlood: boolean;
  readonly isAdaptive: boolean;
  readonly showsTime: boolean;
  readonly showsMissing: boolean;
  readonly mayBroadcast: boolean;
  readonly pattern: string | undefined;
  readonly mayNotFragment: boolean;
  /** Unless `-M dont`: what fits the known path is sent with DF, what does not is fragmented here. */
  readonly mayLearnPath: boolean;
  readonly source: Ip | undefined;
  readonly device: string | undefined;
  /** With `-I`, of whatever kind. */
  readonly isBound: boolean;
  /** `%eth0` of a link-local address. */
  readonly scope: string;
}

/** ping(8) of iputils; `ping6` is `ping -6`. Texts and statuses as recorded with iputils 20221126. */
export function pingCommand(fixedFamily: Family | undefined): Command {
  return (args, context) =>
    run(() => {
      const options = readOptions(args, context, fixedFamily);
      return send(options, context);
    });
}

function seconds(text: string, fallback: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new CommandFailure(`ping: invalid argument: '${text}'\n`, 1);
  return text === '' ? fallback : value * 1000;
}

function readOptions(args: readonly string[], context: CommandContext, fixedFamily: Family | undefined): PingOptions {
  const parsed = parseOptions(args, {
    letters: '46c:W:w:i:s:I:t:qnvM:DOUabdhm:l:p:Q:S:ABfLVr',
    unknown: (option) =>
      'RTFNCe'.includes(option.slice(1))
        ? new CommandFailure(`ping: not simulated: ${option}\n`, 2)
        : new CommandFailure(`ping: invalid option -- '${option.replace(/^-+/, '')}'\n\nUsage\n  ping [options] <destination>\n`, 2),
    missing: (option) =>
      new CommandFailure(
        `ping: option requires an argument -- '${option.replace(/^-+/, '')}'\n\nUsage\n  ping [options] <destination>\n`,
        2,
      ),
  });
  if (parsed.options.has('V'))
    throw new CommandFailure(
      '',
      0,
      'ping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n',
    );
  const [target] = parsed.operands;
  if (target === undefined) throw new CommandFailure('ping: usage error: Destination address required\n', 1);
  const family = parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : fixedFamily;
  const [unscoped = '', scope] = target.split('%');
  const literal = parseIp(unscoped) ?? shortAddress(target);
  if (literal !== undefined && family !== undefined && literal.family !== family)
    throw new CommandFailure(`ping: ${target}: Address family for hostname not supported\n`, 2);
  const ip = literal ?? resolveHost(context, target, family)[0];
  if (ip === undefined) throw new CommandFailure(`ping: ${target}: Name or service not known\n`, 2);
  const countText = lastOf(parsed, 'c');
  const deadlineText = lastOf(parsed, 'w');
  if (countText !== undefined && !/^-?\d+$/.test(countText)) throw new CommandFailure(`ping: invalid argument: '${countText}'\n`, 1);
  if (countText !== undefined && !/^[1-9]\d*$/.test(countText))
    throw new CommandFailure(`ping: invalid argument: '${countText}': out of range: 1 <= value <= 9223372036854775807\n`, 1);
  if (countText === undefined && deadlineText === undefined && !(context.clock instanceof DeadlineClock)) {
    throw new CommandFailure('ping: not simulated: without -c COUNT it would run until it is interrupted\n', 2);
  }
  const discovery = lastOf(parsed, 'M');
  if (discovery !== undefined && !['do', 'dont', 'want'].includes(discovery))
    throw new CommandFailure(`ping: invalid -M argument: ${discovery}\n`, 2);
  const from = lastOf(parsed, 'I');
  const given = from === undefined ? undefined : parseIp(from);
  // an address of the other family says nothing about this destination
  const source = given?.family === ip.family ? given : undefined;
  const device = from === undefined || given !== undefined ? scope : from;
  if (device !== undefined && context.container.namespace.getInterface(device) === undefined)
    throw new CommandFailure(
      device === scope ? `ping: ${target}: Name or service not known\n` : `ping: SO_BINDTODEVICE ${device}: No such device\n`,
      2,
    );
  if (source !== undefined && !context.container.namespace.isLocalAddress(source))
    throw new CommandFailure(`ping: bind: Cannot assign requested address\n`, 2);
  const waitText = lastOf(parsed, 'W');
  const ttlText = lastOf(parsed, 't');
  return {
    target,
    ip,
    count: countText === undefined ? Number.POSITIVE_INFINITY : Number(countText),
    intervalMs: seconds(lastOf(parsed, 'i') ?? '', 1000),
    waitMs: waitText === undefined || Number(waitText) === 0 ? undefined : seconds(waitText, longestWaitMs),
    deadlineMs: deadlineText === undefined ? undefined : seconds(deadlineText, 0),
    size: Number(lastOf(parsed, 's') ?? 56),
    ttl: ttlText === undefined ? undefined : Number(ttlText),
    isQuiet: parsed.options.has('q'),
    isFlood: parsed.options.has('f'),
    isAdaptive: parsed.options.has('A'),
    showsTime: parsed.options.has('D'),
    showsMissing: parsed.options.has('O'),
    mayBroadcast: parsed.options.has('b'),
    pattern: lastOf(parsed, 'p'),
    mayNotFragment: discovery === 'do',
    mayLearnPath: discovery !== 'dont',
    source,
    device,
    isBound: from !== undefined,
    scope: scope === undefined ? '' : `%${scope}`,
  };
}

/** The forms of inet_aton(3) with fewer than four numbers: `127.1`, and `0`, which Linux takes for this host. */
function shortAddress(text: string): Ip | undefined {
  if (!/^\d+(\.\d+){0,2}$/.test(text)) return undefined;
  const numbers = text.split('.').map(Number);
  const last = numbers.pop() as number;
  const room = 4 - numbers.length;
  if (last >= 256 ** room || numbers.some((number) => number > 255)) return undefined;
  const bytes = Array.from({ length: room }, (_unused, index) => Math.floor(last / 256 ** (room - 1 - index)) % 256);
  const whole = [...numbers, ...bytes].join('.');
  return parseIp(whole === '0.0.0.0' ? '127.0.0.1' : whole);
}

/** Whether everybody on a subnet of this host hears what goes to an address. */
function isBroadcast({ container }: CommandContext, ip: Ip): boolean {
  if (ip.family === 6 || container.namespace.isLocalAddress(ip)) return false;
  return container.namespace.interfaces.some((device) =>
    device.addresses.some((own) => {
      const hosts = (1n << BigInt(32 - own.prefixLength)) - 1n;
      return own.ip.family === 4 && own.prefixLength < 31 && (own.ip.value | hosts) === ip.value;
    }),
  );
}

function send(options: PingOptions, context: CommandContext): { stdout: string; stderr: string; exitCode: number } {
  const { clock } = context;
  const { namespace } = context.container;
  const { ip, count } = options;
  const decision = namespace.routes.lookup(ip, {
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.device === undefined ? {} : { outputDevice: options.device }),
  });
  const errno = decisionErrno(decision);
  const forAll = isBroadcast(context, ip);
  if ((errno === 'EACCES' && ip.family === 4) || (forAll && !options.mayBroadcast))
    throw new CommandFailure('ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n', 2);
  if (errno !== undefined) throw new CommandFailure(`ping: connect: ${errnoText(errno)}\n`, 2);
  const own = options.source ?? (decision.kind === 'forward' ? decision.source : ip) ?? ip;
  const from = options.isBound ? ` from ${own.text} ${options.device ?? ''}:` : '';
  let stdout = options.pattern === undefined ? '' : `PATTERN: 0x${options.pattern.toLowerCase()}\n`;
  stdout +=
    ip.family === 4
      ? `PING ${options.target} (${ip.text})${from} ${options.size}(${options.size + 28}) bytes of data.\n`
      : `PING ${options.target}(${ip.text}${options.scope})${from} ${options.size} data bytes\n`;
  let stderr = forAll ? 'WARNING: pinging broadcast address\n' : '';
  const linkMtu = decision.kind === 'forward' ? Math.min(decision.device.mtu, decision.route.mtu ?? decision.device.mtu) : 65_536;
  const startedAt = clock.now();
  let lastAt = startedAt;
  let sent = 0;
  let errors = 0;
  const roundTrips: number[] = [];
  const answered = new Set<number>();
  const identifier = namespace.network.random.stream(`ping/${namespace.name}/${clock.steps}`).integer(1, 65_535);
  const stamp = (): string => (options.showsTime ? `[${(clock.now() / 1000).toFixed(6)}] ` : '');
  const sendOne = (): void => {
    if (options.showsMissing && !options.isQuiet && sent > 0 && !answered.has(sent)) stdout += `no answer yet for icmp_seq=${sent}\n`;
    sent++;
    if (options.isFlood && !options.isQuiet) stdout += '.';
    const sequence = sent;
    const sentAt = clock.now();
    lastAt = sentAt;
    const fails = (text: string): void => {
      errors++;
      if (!options.isQuiet) stdout += options.isFlood ? '\bE' : `${stamp()}From ${text}\n`;
    };
    const mtu = Math.min(linkMtu, namespace.pathMtu(ip)?.mtu ?? linkMtu);
    if (options.mayNotFragment && options.size + (ip.family === 4 ? 28 : 48) > mtu) {
      errors++;
      stderr += `ping: local error: message too long, mtu${ip.family === 4 ? '=' : ': '}${mtu}\n`;
      return;
    }
    namespace.sockets.ping({
      destination: ip,
      ...(options.source === undefined ? {} : { source: options.source }),
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.ttl === undefined ? {} : { ttl: options.ttl }),
      identifier,
      sequence,
      ...(options.mayNotFragment || (options.mayLearnPath && options.size + (ip.family === 4 ? 28 : 48) <= mtu)
        ? { dontFragment: true }
        : {}),
      size: options.size,
      onReply: (reply) => {
        if (reply.kind !== 'echo-reply')
          return fails(`${reply.from.text} icmp_seq=${sequence} ${icmpText(reply.kind, ip.family, reply.mtu)}`);
        lastAt = clock.now();
        const took = lastAt - sentAt;
        roundTrips.push(took);
        answered.add(sequence);
        if (options.isQuiet) return;
        // the time of departure travels in the packet, where it has room
        const time = options.size >= 16 ? ` time=${roundTripText(took)} ms` : '';
        stdout += options.isFlood
          ? '\b \b'
          : `${stamp()}${options.size + 8} bytes from ${reply.from.text}${options.scope}: icmp_seq=${sequence} ttl=${reply.ttl}${time}\n`;
      },
      onError: (failed) => {
        if (failed === 'EHOSTUNREACH')
          return fails(`${own.text} icmp_seq=${sequence} ${icmpText('address-unreachable', ip.family, undefined)}`);
        errors++;
        stderr += `ping: sendmsg: ${errnoText(failed)}\n`;
      },
    });
  };
  const isFast = options.isFlood || options.isAdaptive;
  const isDone = (): boolean => roundTrips.length + errors >= count;
  const endsAt = options.deadlineMs === undefined ? Number.POSITIVE_INFINITY : startedAt + options.deadlineMs;
  try {
    while (sent < count && clock.now() < endsAt) {
      sendOne();
      if (sent >= count) break;
      const known = roundTrips.length + errors;
      const isAnswered = (): boolean => isFast && roundTrips.length + errors > known - (sent > known ? 0 : 1);
      clock.runUntil(isAnswered, Math.min(options.isFlood ? 10 : options.intervalMs, endsAt - clock.now()));
    }
    const slowest = Math.max(0, ...roundTrips);
    const linger = options.waitMs ?? (roundTrips.length > 0 ? Math.max(2 * slowest, 1000) : longestWaitMs);
    if (!isDone()) clock.runUntil(isDone, Math.min(linger, Math.max(0, endsAt - clock.now())));
  } catch (error) {
    if (error instanceof DeadlinePassed) error.stdout = stdout;
    throw error;
  }
  const received = roundTrips.length;
  const loss = Number((((sent - received) * 100) / sent).toPrecision(6));
  stdout += `\n--- ${options.target} ping statistics ---\n${sent} packets transmitted, ${received} received,${errors > 0 ? ` +${errors} errors,` : ''} ${loss}% packet loss, time ${Math.floor(lastAt - startedAt)}ms\n`;
  if (received > 0 && options.size >= 16) {
    const average = roundTrips.reduce((sum, value) => sum + value, 0) / received;
    const squares = roundTrips.reduce((sum, value) => sum + value * value, 0) / received;
    const deviation = Math.sqrt(Math.max(0, squares - average * average));
    stdout += `rtt min/avg/max/mdev = ${[Math.min(...roundTrips), average, Math.max(...roundTrips), deviation].map((value) => value.toFixed(3)).join('/')} ms`;
    if ((isFast || options.intervalMs === 0) && sent > 1)
      stdout += `, ipg/ewma ${((lastAt - startedAt) / (sent - 1)).toFixed(3)}/${average.toFixed(3)} ms`;
  }
  stdout += '\n';
  const isShort = options.deadlineMs !== undefined && Number.isFinite(count) && received < count;
  return { stdout, stderr, exitCode: received === 0 || isShort ? 1 : 0 };
}
