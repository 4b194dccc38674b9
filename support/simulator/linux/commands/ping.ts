import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Family, IcmpKind, Ip } from '../../net/types.ts';
import { DeadlineClock, DeadlinePassed } from '../deadline-clock.ts';
import { decisionErrno } from './ip/route.ts';
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
  readonly mayNotFragment: boolean;
  readonly source: Ip | undefined;
  readonly device: string | undefined;
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
    letters: '46c:W:w:i:s:I:t:qnvM:DOUabdhm:l:p:Q:S:AB',
    unknown: (option) =>
      new CommandFailure(`ping: invalid option -- '${option.replace(/^-+/, '')}'\n\nUsage\n  ping [options] <destination>\n`, 2),
    missing: (option) =>
      new CommandFailure(
        `ping: option requires an argument -- '${option.replace(/^-+/, '')}'\n\nUsage\n  ping [options] <destination>\n`,
        2,
      ),
  });
  const [target] = parsed.operands;
  if (target === undefined) throw new CommandFailure('ping: usage error: Destination address required\n', 1);
  const family = parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : fixedFamily;
  const literal = parseIp(target);
  if (literal !== undefined && family !== undefined && literal.family !== family)
    throw new CommandFailure(`ping: ${target}: Address family for hostname not supported\n`, 2);
  const ip = literal ?? resolveHost(context, target, family)[0];
  if (ip === undefined) throw new CommandFailure(`ping: ${target}: Name or service not known\n`, 2);
  const countText = lastOf(parsed, 'c');
  const deadlineText = lastOf(parsed, 'w');
  if (countText !== undefined && !/^[1-9]\d*$/.test(countText))
    throw new CommandFailure(`ping: invalid argument: '${countText}': out of range: 1 <= value <= 9223372036854775807\n`, 1);
  if (countText === undefined && deadlineText === undefined && !(context.clock instanceof DeadlineClock)) {
    throw new CommandFailure('ping: not simulated: without -c COUNT it would run until it is interrupted\n', 2);
  }
  const from = lastOf(parsed, 'I', 'S');
  const source = from === undefined ? undefined : parseIp(from);
  const device = from === undefined || source !== undefined ? undefined : from;
  if (device !== undefined && context.container.namespace.getInterface(device) === undefined)
    throw new CommandFailure(`ping: ${device}: No such device\n`, 2);
  if (source !== undefined && !context.container.namespace.isLocalAddress(source))
    throw new CommandFailure(`ping: bind: Cannot assign requested address\n`, 2);
  const waitText = lastOf(parsed, 'W');
  const ttlText = lastOf(parsed, 't');
  return {
    target,
    ip,
    count: countText === undefined ? Number.POSITIVE_INFINITY : Number(countText),
    intervalMs: seconds(lastOf(parsed, 'i') ?? '', 1000),
    waitMs: waitText === undefined ? undefined : seconds(waitText, longestWaitMs),
    deadlineMs: deadlineText === undefined ? undefined : seconds(deadlineText, 0),
    size: Number(lastOf(parsed, 's') ?? 56),
    ttl: ttlText === undefined ? undefined : Number(ttlText),
    isQuiet: parsed.options.has('q'),
    mayNotFragment: lastOf(parsed, 'M') === 'do',
    source,
    device,
  };
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
  if (errno !== undefined) throw new CommandFailure(`ping: connect: ${errnoText(errno)}\n`, 2);
  const own = options.source ?? (decision.kind === 'forward' ? decision.source : ip) ?? ip;
  const from =
    options.source === undefined && options.device === undefined
      ? ''
      : ` from ${own.text}${options.device === undefined ? '' : ` ${options.device}`}:`;
  let stdout =
    ip.family === 4
      ? `PING ${options.target} (${ip.text})${from} ${options.size}(${options.size + 28}) bytes of data.\n`
      : `PING ${options.target}(${ip.text})${from} ${options.size} data bytes\n`;
  let stderr = '';
  const linkMtu = decision.kind === 'forward' ? Math.min(decision.device.mtu, decision.route.mtu ?? decision.device.mtu) : 65_536;
  const startedAt = clock.now();
  let lastAt = startedAt;
  let sent = 0;
  let errors = 0;
  const roundTrips: number[] = [];
  const identifier = namespace.network.random.stream(`ping/${namespace.name}/${clock.steps}`).integer(1, 65_535);
  const sendOne = (): void => {
    sent++;
    const sequence = sent;
    const sentAt = clock.now();
    lastAt = sentAt;
    const fails = (text: string): void => {
      errors++;
      if (!options.isQuiet) stdout += `From ${text}\n`;
    };
    const mtu = Math.min(linkMtu, namespace.pathMtu(ip)?.mtu ?? linkMtu);
    if (options.mayNotFragment && options.size + (ip.family === 4 ? 28 : 48) > mtu) {
      errors++;
      stderr += `ping: local error: message too long, mtu=${mtu}\n`;
      return;
    }
    namespace.sockets.ping({
      destination: ip,
      ...(options.source === undefined ? {} : { source: options.source }),
      ...(options.device === undefined ? {} : { device: options.device }),
      ...(options.ttl === undefined ? {} : { ttl: options.ttl }),
      identifier,
      sequence,
      ...(options.mayNotFragment ? { dontFragment: true } : {}),
      size: options.size,
      onReply: (reply) => {
        if (reply.kind !== 'echo-reply')
          return fails(`${reply.from.text} icmp_seq=${sequence} ${icmpText(reply.kind, ip.family, reply.mtu)}`);
        lastAt = clock.now();
        const took = lastAt - sentAt;
        roundTrips.push(took);
        if (!options.isQuiet)
          stdout += `${options.size + 8} bytes from ${reply.from.text}: icmp_seq=${sequence} ttl=${reply.ttl} time=${roundTripText(took)} ms\n`;
      },
      onError: (failed) => {
        if (failed === 'EHOSTUNREACH')
          return fails(`${own.text} icmp_seq=${sequence} ${icmpText('address-unreachable', ip.family, undefined)}`);
        errors++;
        stderr += `ping: sendmsg: ${errnoText(failed)}\n`;
      },
    });
  };
  const isDone = (): boolean => roundTrips.length + errors >= count;
  const endsAt = options.deadlineMs === undefined ? Number.POSITIVE_INFINITY : startedAt + options.deadlineMs;
  try {
    while (sent < count && clock.now() < endsAt) {
      sendOne();
      if (sent < count) clock.runUntil(() => false, Math.min(options.intervalMs, endsAt - clock.now()));
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
  if (received > 0) {
    const average = roundTrips.reduce((sum, value) => sum + value, 0) / received;
    const squares = roundTrips.reduce((sum, value) => sum + value * value, 0) / received;
    const deviation = Math.sqrt(Math.max(0, squares - average * average));
    stdout += `rtt min/avg/max/mdev = ${[Math.min(...roundTrips), average, Math.max(...roundTrips), deviation].map((value) => value.toFixed(3)).join('/')} ms`;
  }
  stdout += '\n';
  const isShort = options.deadlineMs !== undefined && Number.isFinite(count) && received < count;
  return { stdout, stderr, exitCode: received === 0 || isShort ? 1 : 0 };
}
