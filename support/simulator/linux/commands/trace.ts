import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { IcmpKind, Ip } from '../../net/types.ts';
import { decisionErrno } from './ip/route.ts';
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
