import { civilTime, formatDate, formatTime } from '../../docker/timestamp.ts';
import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { IcmpKind, Ip } from '../../net/types.ts';
import { decisionErrno } from './ip/route-get.ts';
import { resolveHost } from './names.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, output, run } from './result.ts';

interface Answer {
  readonly from: Ip;
  readonly kind: IcmpKind;
  readonly tookMs: number;
}

/** One probe with a TTL. Probes are ICMP echo requests, as with `traceroute -I`. */
function probe(context: CommandContext, ip: Ip, ttl: number, sequence: number, waitMs: number): Answer | undefined {
  const { clock } = context;
  const sentAt = clock.now();
  let answer: Answer | undefined;
  let hasFailed = false;
  context.container.namespace.sockets.ping({
    destination: ip,
    identifier: 33_434,
    sequence,
    ttl,
    size: 32,
    onReply: (reply) => {
      answer ??= { from: reply.from, kind: reply.kind, tookMs: clock.now() - sentAt };
    },
    onError: () => {
      hasFailed = true;
    },
  });
  clock.runUntil(() => answer !== undefined || hasFailed, waitMs);
  return answer;
}

/** traceroute's mark for an error that ends the path. */
function markOf(kind: IcmpKind): string {
  switch (kind) {
    case 'net-unreachable':
    case 'no-route':
      return ' !N';
    case 'host-unreachable':
    case 'address-unreachable':
      return ' !H';
    case 'protocol-unreachable':
      return ' !P';
    case 'admin-prohibited':
      return ' !X';
    default:
      return '';
  }
}

function targetOf(context: CommandContext, name: string, text: string | undefined, family: 4 | 6 | undefined): Ip {
  if (text === undefined) throw new CommandFailure(`Usage:\n  ${name} [ options ] host\n`, 2);
  const ip = parseIp(text) ?? resolveHost(context, text, family)[0];
  if (ip === undefined)
    throw new CommandFailure(`${text}: Name or service not known\nCannot handle "host" cmdline arg \`${text}' on position 1 (argc 1)\n`, 2);
  const errno = decisionErrno(context.container.namespace.routes.lookup(ip));
  if (errno !== undefined) throw new CommandFailure(`connect: ${errnoText(errno)}\n`, 1);
  return ip;
}

/** traceroute(8) of Dmitry Butskoy. */
export const traceroute: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: '46nITUm:q:w:f:i:s:p:N:',
      unknown: (option) => new CommandFailure(`Bad option \`${option}' (argc 1)\n`, 2),
    });
    const [host] = parsed.operands;
    const ip = targetOf(context, 'traceroute', host, parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : undefined);
    const hops = Number(lastOf(parsed, 'm') ?? 30);
    const probes = Number(lastOf(parsed, 'q') ?? 3);
    const waitMs = Number(lastOf(parsed, 'w') ?? 5) * 1000;
    const first = Number(lastOf(parsed, 'f') ?? 1);
    let stdout = `traceroute to ${host} (${ip.text}), ${hops} hops max, ${ip.family === 4 ? 60 : 80} byte packets\n`;
    let sequence = 0;
    for (let ttl = first; ttl <= hops; ttl++) {
      stdout += String(ttl).padStart(2);
      let last: Ip | undefined;
      let isEnd = false;
      for (let number = 0; number < probes; number++) {
        const answer = probe(context, ip, ttl, ++sequence, waitMs);
        if (answer === undefined) {
          stdout += number === 0 ? '  *' : ' *';
          continue;
        }
        if (answer.from !== last)
          stdout += parsed.options.has('n') ? `  ${answer.from.text}` : `  ${answer.from.text} (${answer.from.text})`;
        last = answer.from;
        stdout += `  ${answer.tookMs.toFixed(3)} ms${markOf(answer.kind)}`;
        isEnd ||= answer.kind !== 'time-exceeded';
      }
      stdout += '\n';
      if (isEnd) break;
    }
    return output(stdout);
  });

/** tracepath(8) of iputils, without the search for a smaller MTU on the way. */
export const tracepath: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: '46nbm:l:p:',
      unknown: (option) => new CommandFailure(`tracepath: invalid option -- '${option.replace(/^-+/, '')}'\n`, 1),
    });
    const [host] = parsed.operands;
    const ip = targetOf(context, 'tracepath', host, parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : undefined);
    const hops = Number(lastOf(parsed, 'm') ?? 30);
    const decision = context.container.namespace.routes.lookup(ip);
    const mtu = 'device' in decision ? decision.device.mtu : 1500;
    let stdout = ` 1?: [LOCALHOST]${' '.repeat(22)}pmtu ${mtu}\n`;
    for (let ttl = 1; ttl <= hops; ttl++) {
      const answer = probe(context, ip, ttl, ttl, 1000);
      if (answer === undefined) {
        stdout += `${String(ttl).padStart(2)}:  no reply\n`;
        continue;
      }
      const isEnd = answer.kind === 'echo-reply';
      stdout += `${String(ttl).padStart(2)}:  ${answer.from.text.padEnd(53)} ${answer.tookMs.toFixed(3)}ms ${isEnd ? 'reached' : markOf(answer.kind).trim()}\n`;
      if (isEnd) return output(`${stdout}     Resume: pmtu ${mtu} hops ${ttl} back ${ttl} \n`);
      if (answer.kind !== 'time-exceeded') break;
    }
    return output(`${stdout}     Too many hops: pmtu ${mtu}\n     Resume: pmtu ${mtu} \n`);
  });

interface Hop {
  address: Ip | undefined;
  sent: number;
  readonly times: number[];
}

/** mtr(8) 0.95 with -r or -w: rounds of ICMP echo requests, one a second, and the report (ui/report.c, ui/net.c). */
export const mtr: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: '46nrwbc:i:m:f:s:oz:',
      long: ['report', 'report-wide', 'no-dns', 'report-cycles:', 'interval:', 'show-ips'],
      unknown: (option) => new CommandFailure(`mtr: not simulated: ${option}\n`, 1),
    });
    const { options } = parsed;
    const isWide = options.has('w') || options.has('report-wide');
    if (!isWide && !options.has('r') && !options.has('report'))
      throw new CommandFailure('mtr: not simulated: its screen; use -r for a report\n', 1);
    const [host] = parsed.operands;
    if (host === undefined) throw new CommandFailure('mtr: Name or service not known\n', 1);
    const ip = parseIp(host) ?? resolveHost(context, host, options.has('6') ? 6 : options.has('4') ? 4 : undefined)[0];
    if (ip === undefined) throw new CommandFailure(`mtr: Failed to resolve host: ${host}: Name or service not known\n`, 1);
    const cycles = Number(lastOf(parsed, 'c') ?? lastOf(parsed, 'report-cycles') ?? 10);
    const intervalMs = Number(lastOf(parsed, 'i') ?? lastOf(parsed, 'interval') ?? 1) * 1000;
    const most = Number(lastOf(parsed, 'm') ?? 30);
    const startedAt = context.clock.now();
    const hops: Hop[] = [];
    let length = most;
    let sequence = 0;
    for (let cycle = 0; cycle < cycles; cycle++) {
      const roundAt = context.clock.now();
      let unknown = 0;
      for (let ttl = 1; ttl <= length; ttl++) {
        hops[ttl - 1] ??= { address: undefined, sent: 0, times: [] };
        const hop = hops[ttl - 1] as Hop;
        hop.sent++;
        const answer = probe(context, ip, ttl, ++sequence, Math.min(intervalMs, 1000));
        if (answer === undefined) {
          // after five hops in a row that say nothing the rest is not asked
          if (++unknown > 5) break;
          continue;
        }
        unknown = 0;
        hop.address ??= answer.from;
        hop.times.push(answer.tookMs);
        if (answer.kind !== 'time-exceeded') length = ttl;
      }
      const leftMs = intervalMs - (context.clock.now() - roundAt);
      if (leftMs > 0 && cycle < cycles - 1) context.clock.advance(leftMs);
    }
    let last = hops.length - 1;
    while (last >= 0 && hops[last]?.address === undefined) last--;
    const isReached = last + 1 === length;
    const shown = hops.slice(0, isReached ? last + 1 : last + 2);
    const nameOf = ({ address }: Hop): string => address?.text ?? '???';
    const width = isWide ? Math.max(...shown.map((hop) => nameOf(hop).length), context.container.hostname.length) : 33;
    const headWidth = isWide ? width + 6 : 33;
    const rowWidth = isWide ? width + 8 : 33;
    const rows = shown.map((hop, index) => {
      const { sent, times } = hop;
      const average = times.reduce((sum, time) => sum + time, 0) / Math.max(1, times.length);
      const spread = times.length < 2 ? 0 : Math.sqrt(times.reduce((sum, time) => sum + (time - average) ** 2, 0) / (times.length - 1));
      const lost = ` ${(100 * (1 - times.length / Math.max(1, sent))).toFixed(1).padStart(4)}%`.slice(0, 6);
      const figures = [
        times.at(-1) ?? 0,
        average,
        Math.min(...times, times.length === 0 ? 0 : Number.POSITIVE_INFINITY),
        Math.max(0, ...times),
        spread,
      ];
      const name = `${String(index + 1).padStart(3)}.|-- ${nameOf(hop)}`.padEnd(rowWidth).slice(0, isWide ? undefined : rowWidth);
      return `${name}${lost}${String(sent).padStart(6)} ${figures.map((figure) => figure.toFixed(1).padStart(6)).join('')}\n`;
    });
    const time = civilTime(startedAt);
    const stamp = `${formatDate(time)}T${formatTime(time)}+0000`;
    return output(
      `Start: ${stamp}\n${`HOST: ${context.container.hostname}`.padEnd(headWidth).slice(0, headWidth)} Loss%   Snt   Last   Avg  Best  Wrst StDev\n${rows.join('')}`,
    );
  });
