import type { Command } from '../../docker/types.ts';
import { curl } from './curl.ts';
import { dig, getent, host, nslookup } from './dns-tools.ts';
import { envsubst } from './envsubst.ts';
import { grep } from './grep.ts';
import { ip } from './ip/ip.ts';
import { iptablesCommand } from './iptables/command.ts';
import { restoreCommand, saveCommand } from './iptables/save.ts';
import { nft } from './nft/command.ts';
import { od } from './od.ts';
import { pingCommand } from './ping.ts';
import { kill, killall, pgrep, pidof, pkill } from './process-search.ts';
import { output } from './result.ts';
import { arping, nc, netstat } from './sockets.ts';
import { ss } from './ss.ts';
import { sysctl } from './sysctl.ts';
import { chown, hostname, id, notSimulated, ps, simulatedRandom, systemctl, uname, whoami } from './system.ts';
import { tc } from './tc.ts';
import { awk, diff, head, paste, sed, seq, uniq } from './text-tools.ts';
import { date, sleep, timeout, watch } from './time.ts';
import { mtr, tracepath, traceroute } from './trace.ts';
import { bridge, ethtool, tcpdump } from './traffic.ts';
import { wget } from './wget.ts';
import { xargs } from './xargs.ts';

/** jq's language is only read by labs that use it. */
const jq: Command = async (args, context) => (await import('../jq/command.ts')).jq(args, context);

/** Programs that only some images have: an image (or its description) lists them in `commands`. */
const extra: readonly (readonly [string, Command])[] = [
  ['curl', curl],
  ['jq', jq],
  ['envsubst', envsubst],
  ['tcpdump', tcpdump],
  ['ss', ss],
  ['iptables', iptablesCommand(4)],
  ['ip6tables', iptablesCommand(6)],
  ['iptables-save', saveCommand(4)],
  ['ip6tables-save', saveCommand(6)],
  ['iptables-restore', restoreCommand(4)],
  ['ip6tables-restore', restoreCommand(6)],
  ['nft', nft],
  ['dig', dig],
  ['host', host],
  ['ethtool', ethtool],
  ['bridge', bridge],
  ['tc', tc],
  ['tracepath', tracepath],
  ['mtr', mtr],
  ['iperf3', notSimulated('iperf3')],
  ['socat', notSimulated('socat')],
];

/** Programs of every Linux image. */
const common: readonly (readonly [string, Command])[] = [
  ['ip', ip],
  ['sysctl', sysctl],
  ['ping', pingCommand(undefined)],
  ['ping6', pingCommand(6)],
  ['wget', wget],
  ['xargs', xargs],
  ['awk', awk],
  ['diff', diff],
  ['head', head],
  ['od', od],
  ['paste', paste],
  ['sed', sed],
  ['seq', seq],
  ['uniq', uniq],
  ['grep', grep('grep')],
  ['egrep', grep('egrep')],
  ['fgrep', grep('fgrep')],
  ['nc', nc],
  ['ncat', nc],
  ['traceroute', traceroute],
  ['traceroute6', traceroute],
  ['netstat', netstat],
  ['arping', arping],
  ['nslookup', nslookup],
  ['getent', getent],
  ['hostname', hostname],
  ['ps', ps],
  ['pgrep', pgrep],
  ['pidof', pidof],
  ['pkill', pkill],
  ['killall', killall],
  ['kill', kill],
  ['uname', uname],
  ['id', id],
  ['whoami', whoami],
  ['date', date],
  ['sleep', sleep],
  ['timeout', timeout],
  ['watch', watch],
  ['systemctl', systemctl],
  ['jobs', () => output('')],
  ['umask', () => output('0022\n')],
  ['chown', chown],
  ['chgrp', chown],
  ['trap', notSimulated('bash: trap')],
  ['ifconfig', notSimulated('ifconfig')],
  ['route', notSimulated('route')],
  ['simulated-random', simulatedRandom],
];

export const extraCommands: ReadonlySet<string> = new Set(extra.map(([name]) => name));

/** The network tools of Linux, by name. */
export const linuxCommands: ReadonlyMap<string, Command> = new Map([...common, ...extra]);
