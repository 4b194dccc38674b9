import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import { errnoText } from '../../net/network-error.ts';
import type { Errno, Ip, TcpConnection } from '../../net/types.ts';
import { resolveHost } from './names.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, output, run } from './result.ts';

function endpoint(ip: Ip | undefined, port: number | string, any: string): string {
  if (ip === undefined) return `${any}:${port}`;
  return ip.family === 6 ? `[${ip.text}]:${port}` : `${ip.text}:${port}`;
}

interface Row {
  readonly protocol: 'tcp' | 'udp';
  readonly state: string;
  readonly local: string;
  readonly peer: string;
  readonly family: 4 | 6;
  readonly program: string | undefined;
}

function socketRows(context: CommandContext): readonly Row[] {
  const { sockets } = context.container.namespace;
  const rows: Row[] = [];
  for (const socket of sockets.listening) {
    const family = socket.family ?? socket.ip?.family;
    const isBoth = family === undefined;
    const any = isBoth ? '*' : family === 4 ? '0.0.0.0' : '[::]';
    rows.push({
      protocol: socket.protocol,
      state: socket.protocol === 'tcp' ? 'LISTEN' : 'UNCONN',
      local: endpoint(socket.ip, socket.port, any),
      peer: `${isBoth ? '*' : family === 4 ? '0.0.0.0' : '[::]'}:*`,
      family: family ?? 6,
      program: socket.program,
    });
  }
  for (const connection of sockets.connections) {
    rows.push({
      protocol: 'tcp',
      state: ssState(connection),
      local: endpoint(connection.local.ip, connection.local.port, '*'),
      peer: endpoint(connection.remote.ip, connection.remote.port, '*'),
      family: connection.local.ip.family,
      program: undefined,
    });
  }
  return rows;
}

function ssState(connection: TcpConnection): string {
  const states: Readonly<Record<TcpConnection['state'], string>> = {
    'SYN-SENT': 'SYN-SENT',
    'SYN-RECEIVED': 'SYN-RECV',
    ESTABLISHED: 'ESTAB',
    'FIN-WAIT': 'FIN-WAIT-2',
    'CLOSE-WAIT': 'CLOSE-WAIT',
    CLOSED: 'TIME-WAIT',
  };
  return states[connection.state];
}

/** ss(8): sockets of the container's network namespace. Column widths follow the longest entry, as iproute2 6 lays them out. */
export const ss: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: 'tuanlp46H eoimsxwr'.replace(' ', ''),
      long: ['tcp', 'udp', 'all', 'listening', 'numeric', 'processes', 'no-header', 'ipv4', 'ipv6'],
      unknown: (option) => new CommandFailure(`ss: invalid option -- '${option.replace(/^-+/, '')}'\nUsage: ss [ OPTIONS ]\n`, 255),
    });
    const has = (letter: string, long: string): boolean => parsed.options.has(letter) || parsed.options.has(long);
    if (parsed.operands.length > 0) throw new CommandFailure('ss: not simulated: filter expressions\n', 1);
    const wantsTcp = has('t', 'tcp');
    const wantsUdp = has('u', 'udp');
    const wantsAll = has('a', 'all');
    const wantsListening = has('l', 'listening');
    const isBare = !wantsTcp && !wantsUdp;
    const rows = socketRows(context).filter((row) => {
      const isListening = row.state === 'LISTEN' || row.state === 'UNCONN';
      return (
        (isBare || (row.protocol === 'tcp' ? wantsTcp : wantsUdp)) &&
        (wantsAll || isListening === wantsListening) &&
        (!has('4', 'ipv4') || row.family === 4) &&
        (!has('6', 'ipv6') || row.family === 6)
      );
    });
    const showsProtocol = wantsTcp === wantsUdp;
    const showsProcess = has('p', 'processes');
    const head = [
      ...(showsProtocol ? ['Netid'] : []),
      'State',
      'Recv-Q',
      'Send-Q',
      'Local Address:',
      'Port',
      'Peer Address:',
      'Port',
      'Process',
    ];
    const cells = rows.map((row) => [
      ...(showsProtocol ? [row.protocol] : []),
      row.state,
      '0',
      row.state === 'LISTEN' ? '4096' : '0',
      ...addressAndPort(row.local),
      ...addressAndPort(row.peer),
      showsProcess && row.program !== undefined ? `users:(("${row.program}",pid=1,fd=3))` : '',
    ]);
    const table = has('H', 'no-header') ? cells : [head, ...cells];
    const widths = head.map((_cell, column) => Math.max(...table.map((line) => (line[column] as string).length)));
    // the address ends with its colon; ports and the process follow without a blank
    const cellText = (cell: string, column: number): string => {
      const width = widths[column] as number;
      const title = head[column] as string;
      const text = title.endsWith(':') ? cell.padStart(width) : cell.padEnd(width);
      return column === 0 || title === 'Port' || title === 'Process' ? text : ` ${text}`;
    };
    return output(table.map((line) => `${line.map(cellText).join('')}\n`).join(''));
  });

function addressAndPort(text: string): readonly [string, string] {
  const at = text.lastIndexOf(':') + 1;
  return [text.slice(0, at), text.slice(at)];
}

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
      `${(row.protocol + (row.family === 6 ? '6' : '')).padEnd(6)}${'0'.padStart(6)} ${'0'.padStart(6)} ${plain(row.local).padEnd(23)} ${plain(row.peer).padEnd(23)} ${(netstatState[row.state] ?? '').padEnd(11)}\n`,
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
    const service = (port: number): string =>
      ({ 22: 'ssh', 53: 'domain', 80: 'http', 179: 'bgp', 443: 'https', 8080: 'http-alt' })[port] ?? '*';
    for (let port = first; port <= last; port++) {
      const protocol = isUdp ? 'udp' : 'tcp';
      const result = isUdp ? { received: '' } : exchange(context, ip, port, waitMs, parsed.options.has('z') ? undefined : context.stdin);
      if (result.errno === undefined) {
        isOpen = true;
        stdout += result.received;
        if (isVerbose)
          stderr += `Connection to ${host} ${parseIp(host) === undefined ? `(${ip.text}) ` : ''}${port} port [${protocol}/${service(port)}] succeeded!\n`;
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
