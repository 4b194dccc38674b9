import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Errno, Ip } from '../../net/types.ts';
import { resolveHost } from './names.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, output, run } from './result.ts';
import { serviceName } from './service-names.ts';
import { endpoint, socketRows } from './socket-rows.ts';

/** netstat(8) of net-tools: `-tln`, `-tan`, `-uln`, `-rn`. */
export const netstat: Command = (args, context) => {
  const letters = new Set(args.flatMap((arg) => [...arg.replace(/^-+/, '')]));
  if (letters.has('r')) {
    const rows = context.container.namespace.routes
      .list({ family: 4, table: 254 })
      .filter((route) => route.type === 'unicast')
      .flatMap((route) =>
        route.nextHops.slice(0, 1).map((hop) => {
          const mask = route.destination.length === 0 ? 0 : (0xffffffff << (32 - route.destination.length)) >>> 0;
          const maskText = [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
          const flags = `U${hop.via === undefined ? '' : 'G'}${route.destination.length === 32 ? 'H' : ''}`;
          return `${route.destination.address.text.padEnd(16)}${(hop.via?.text ?? '0.0.0.0').padEnd(16)}${maskText.padEnd(16)}${flags.padEnd(6)}${'0'.padStart(4)} ${'0'.padEnd(8)} ${'0'.padStart(4)} ${hop.device ?? ''}\n`;
        }),
      );
    return output(
      `Kernel IP routing table\nDestination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n${rows.join('')}`,
    );
  }
  const rows = socketRows(context).filter((row) => {
    const isListening = row.state === 'LISTEN' || row.state === 'UNCONN';
    const isWanted = (!letters.has('t') && !letters.has('u')) || letters.has(row.protocol === 'tcp' ? 't' : 'u');
    return isWanted && (letters.has('a') || isListening === letters.has('l'));
  });
  const title = letters.has('a') ? '(servers and established)' : letters.has('l') ? '(only servers)' : '(w/o servers)';
  const netstatState: Readonly<Record<string, string>> = {
    ESTAB: 'ESTABLISHED',
    'SYN-SENT': 'SYN_SENT',
    'SYN-RECV': 'SYN_RECV',
    'FIN-WAIT-2': 'FIN_WAIT2',
    'CLOSE-WAIT': 'CLOSE_WAIT',
    'TIME-WAIT': 'TIME_WAIT',
    LISTEN: 'LISTEN',
    UNCONN: '',
  };
  const plain = (text: string): string => text.replace(/^\*:/, ':::').replace(/[[\]]/g, '');
  const lines = rows.map(
    (row) =>
      `${(row.protocol + (row.family === 6 ? '6' : '')).padEnd(6)}${'0'.padStart(6)} ${'0'.padStart(6)} ${plain(endpoint(row.local.ip, row.local.port, row.any)).padEnd(23)} ${plain(endpoint(row.remote.ip, row.remote.port || '*', row.any)).padEnd(23)} ${(netstatState[row.state] ?? '').padEnd(11)}\n`,
  );
  return output(
    `Active Internet connections ${title}\nProto Recv-Q Send-Q Local Address           Foreign Address         State      \n${lines.join('')}`,
  );
};

/** nc(1) of OpenBSD: `-z` and `-v` checks, and one exchange with what stands on standard input. */
export const nc: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: '46zvnw:lkup:s:q:N',
      unknown: (option) =>
        new CommandFailure(
          `nc: invalid option -- '${option.replace(/^-+/, '')}'\nusage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]\n`,
          1,
        ),
    });
    if (parsed.options.has('l')) throw new CommandFailure('nc: not simulated: listening in the foreground (-l) would never end\n', 1);
    const [host, portText] = parsed.operands;
    if (host === undefined || portText === undefined)
      throw new CommandFailure('usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]\n', 1);
    const family = parsed.options.has('6') ? 6 : parsed.options.has('4') ? 4 : undefined;
    const ip = parseIp(host) ?? resolveHost(context, host, family)[0];
    if (ip === undefined) throw new CommandFailure(`nc: getaddrinfo for host "${host}" port ${portText}: Name or service not known\n`, 1);
    const waitMs = Number(lastOf(parsed, 'w') ?? 0) * 1000 || 130_000;
    const isVerbose = parsed.options.has('v');
    const isUdp = parsed.options.has('u');
    const range = /^(\d+)-(\d+)$/.exec(portText);
    const first = Number(range?.[1] ?? portText);
    const last = Number(range?.[2] ?? portText);
    if (!Number.isInteger(first) || first < 1 || last > 65_535) throw new CommandFailure(`nc: port number invalid: ${portText}\n`, 1);
    let stdout = '';
    let stderr = '';
    let isOpen = false;
    for (let port = first; port <= last; port++) {
      const protocol = isUdp ? 'udp' : 'tcp';
      const result = isUdp ? { received: '' } : exchange(context, ip, port, waitMs, parsed.options.has('z') ? undefined : context.stdin);
      if (result.errno === undefined) {
        isOpen = true;
        stdout += result.received;
        if (isVerbose)
          stderr += `Connection to ${host} ${parseIp(host) === undefined ? `(${ip.text}) ` : ''}${port} port [${protocol}/${serviceName(port) ?? '*'}] succeeded!\n`;
      } else if (isVerbose) {
        stderr += `nc: connect to ${host} ${parseIp(host) === undefined ? `(${ip.text}) ` : ''}port ${port} (${protocol}) ${result.errno === 'ETIMEDOUT' ? 'timed out: Operation now in progress' : `failed: ${errnoText(result.errno)}`}\n`;
      }
    }
    return { stdout, stderr, exitCode: isOpen ? 0 : 1 };
  });

interface Exchange {
  readonly received: string;
  readonly errno?: Errno;
}

/** Connects, sends `text` if there is any, and reads until the other side closes or nothing comes for a second. */
function exchange(context: CommandContext, ip: Ip, port: number, waitMs: number, text: string | undefined): Exchange {
  let isConnected = false;
  let isClosed = false;
  let failed: Errno | undefined;
  let received = '';
  const decoder = new TextDecoder();
  const connection = context.container.namespace.sockets.connect({
    destination: { ip, port },
    handlers: {
      onConnected: () => {
        isConnected = true;
      },
      onData: (bytes) => {
        received += decoder.decode(bytes, { stream: true });
      },
      onEnd: () => {
        isClosed = true;
      },
      onClose: (errno) => {
        failed = errno;
        isClosed = true;
      },
    },
  });
  const answered = context.clock.runUntil(() => isConnected || isClosed, waitMs);
  if (!answered) {
    connection.abort();
    return { received, errno: 'ETIMEDOUT' };
  }
  if (failed !== undefined && !isConnected) return { received, errno: failed };
  if (text !== undefined) {
    if (text !== '') connection.send(new TextEncoder().encode(text));
    context.clock.runUntil(() => isClosed, 1000);
  }
  if (!isClosed) connection.end();
  return { received };
}

/** arping(8): is somebody on the link answering for this IPv4 address? */
export const arping: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: 'c:I:w:W:fqbDUAs:S:i:',
      unknown: (option) => new CommandFailure(`arping: invalid option -- '${option.replace(/^-+/, '')}'\n`, 2),
    });
    const [target] = parsed.operands;
    const ip = target === undefined ? undefined : parseIp(target);
    if (ip === undefined || ip.family !== 4)
      throw new CommandFailure(
        target === undefined ? 'arping: usage error: Destination address required\n' : `arping: ${target}: Name or service not known\n`,
        2,
      );
    const { namespace } = context.container;
    const decision = namespace.routes.lookup(ip);
    const name = lastOf(parsed, 'I', 'i') ?? ('device' in decision ? decision.device.name : undefined);
    const device = name === undefined ? undefined : namespace.getInterface(name);
    if (device === undefined) throw new CommandFailure(`arping: Device ${name ?? ''} not available.\n`, 2);
    if (parsed.options.has('U') || parsed.options.has('A')) {
      device.announceNeighbour(ip);
      return output(`ARPING ${ip.text} from ${ip.text} ${device.name}\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n`);
    }
    const own = device.addresses.find((address) => address.ip.family === 4)?.ip.text ?? '0.0.0.0';
    const count = Number(lastOf(parsed, 'c') ?? 1);
    // the kernel's own resolution asks the same question; an entry from before must not answer it
    let stdout = `ARPING ${ip.text} from ${own} ${device.name}\n`;
    let received = 0;
    for (let number = 0; number < count; number++) {
      namespace.neighbours.delete(ip, device.name);
      const sentAt = context.clock.now();
      namespace.sockets.ping({
        destination: ip,
        device: device.name,
        identifier: 1,
        sequence: number,
        size: 0,
        onReply: () => {},
        onError: () => {},
      });
      const entry = (): string | undefined =>
        namespace.neighbours.list().find((other) => other.ip === ip && other.device === device.name && other.mac !== undefined)?.mac;
      if (context.clock.runUntil(() => entry() !== undefined, 1000)) {
        received++;
        stdout += `Unicast reply from ${ip.text} [${(entry() ?? '').toUpperCase()}]  ${(context.clock.now() - sentAt).toFixed(3)}ms\n`;
        if (number + 1 < count) context.clock.runUntil(() => false, Math.max(0, sentAt + 1000 - context.clock.now()));
      }
    }
    return output(`${stdout}Sent ${count} probes (1 broadcast(s))\nReceived ${received} response(s)\n`, received > 0 ? 0 : 1);
  });
