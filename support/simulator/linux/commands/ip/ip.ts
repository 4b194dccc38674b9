import type { Command, CommandResult } from '../../../docker/types.ts';
import { CommandFailure, failure, output, run } from '../result.ts';
import { ipAddr } from './addr.ts';
import { ipLink } from './link.ts';
import { ipNeigh } from './neigh.ts';
import { ipRoute } from './route.ts';
import { ipRule } from './rule.ts';
import { type IpContext, type IpOptions, matches } from './words.ts';

type Handler = (words: readonly string[], context: IpContext) => CommandResult;

/** In the order in which iproute2 tries abbreviations (`ip r` is route, `ip n` neighbor). */
const objects: readonly (readonly [string, Handler | undefined])[] = [
  ['address', ipAddr],
  ['addrlabel', undefined],
  ['maddress', undefined],
  ['route', ipRoute],
  ['rule', ipRule],
  ['neighbor', ipNeigh],
  ['neighbour', ipNeigh],
  ['ntable', undefined],
  ['link', ipLink],
  ['l2tp', undefined],
  ['tunnel', undefined],
  ['tuntap', undefined],
  ['token', undefined],
  ['monitor', undefined],
  ['xfrm', undefined],
  ['mroute', undefined],
  ['netns', ipNetns],
  ['netconf', undefined],
  ['vrf', undefined],
  ['nexthop', undefined],
];

const usage = `Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }
       ip [ -force ] -batch filename
where  OBJECT := { address | addrlabel | amt | fou | help | ila | ioam | l2tp |
                   link | macsec | maddress | monitor | mptcp | mroute | mrule |
                   neighbor | neighbour | netconf | netns | nexthop | ntable |
                   ntbl | route | rule | sr | tap | tcpmetrics |
                   token | tunnel | tuntap | vrf | xfrm }
       OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] | -r[esolve] |
                    -h[uman-readable] | -iec | -j[son] | -p[retty] |
                    -f[amily] { inet | inet6 | mpls | bridge | link } |
                    -4 | -6 | -M | -B | -0 |
                    -l[oops] { maximum-addr-flush-attempts } | -br[ief] |
                    -o[neline] | -t[imestamp] | -ts[hort] | -b[atch] [filename] |
                    -rc[vbuf] [size] | -n[etns] name | -N[umeric] | -a[ll] |
                    -c[olor]}
`;

/** iproute2's `ip`: addresses, links, routes, rules and neighbours of the container's network namespace. Texts as of iproute2 6.1. */
export const ip: Command = (args, command) =>
  run(() => {
    const options: IpOptions = {
      family: undefined,
      isBrief: false,
      isJson: false,
      isPretty: false,
      isOneLine: false,
      hasDetails: false,
      hasStatistics: false,
    };
    let next = 0;
    for (; next < args.length; next++) {
      const word = (args[next] as string).replace(/^--/, '-');
      if (!word.startsWith('-')) break;
      if (word === '-4') options.family = 4;
      else if (word === '-6') options.family = 6;
      else if (matches(word, '-family') && word.length > 1) {
        const family = args[++next];
        if (family !== 'inet' && family !== 'inet6')
          throw new CommandFailure(`Error: argument "${family ?? ''}" is wrong: invalid protocol family\n\n`, 255);
        options.family = family === 'inet' ? 4 : 6;
      } else if (matches(word, '-brief') && word.length > 2) options.isBrief = true;
      else if (matches(word, '-json') && word.length > 1) options.isJson = true;
      else if (matches(word, '-pretty') && word.length > 1) options.isPretty = true;
      else if (matches(word, '-oneline') && word.length > 1) options.isOneLine = true;
      else if (matches(word, '-details') && word.length > 1) options.hasDetails = true;
      else if (matches(word, '-statistics') || matches(word, '-stats')) {
        options.hasErrors = options.hasStatistics;
        options.hasStatistics = true;
      } else if (word === '-V' || word === '-Version') return output('ip utility, iproute2-6.1.0, libbpf 1.1.0\n');
      else if (
        matches(word, '-color') ||
        word.startsWith('-c=') ||
        word.startsWith('-color=') ||
        matches(word, '-human') ||
        word === '-iec' ||
        word === '-N' ||
        matches(word, '-timestamp')
      )
        continue;
      else if (word === '-n' || word === '-netns' || matches(word, '-batch') || matches(word, '-all'))
        throw new CommandFailure(`not simulated: ip ${word}\n`, 1);
      else if (word === '-h' || word === '-help') return failure(usage, 255);
      else throw new CommandFailure(`Option "${word}" is unknown, try "ip -help".\n`, 255);
    }
    const object = args[next];
    if (object === undefined) return failure(usage, 255);
    if (object === 'help') return failure(usage, 255);
    const found = objects.find(([name]) => matches(object, name));
    if (found === undefined) throw new CommandFailure(`Object "${object}" is unknown, try "ip help".\n`, 1);
    const [name, handler] = found;
    if (handler === undefined) throw new CommandFailure(`not simulated: ip ${name}\n`, 1);
    return handler(args.slice(next + 1), { ...options, namespace: command.container.namespace, command });
  });

/** Namespaces by name are those of containers here, which `ip netns` does not see: the list is empty, as on a host with docker. */
function ipNetns(words: readonly string[]): CommandResult {
  const [verb = 'list'] = words;
  if (matches(verb, 'list') || matches(verb, 'show') || matches(verb, 'lst')) return output('');
  throw new CommandFailure(`not simulated: ip netns ${verb}\n`, 1);
}
