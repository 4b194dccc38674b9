import type { Command, CommandResult } from '../../docker/types.ts';
import { lastOf, parseOptions } from './options.ts';
import { CommandFailure, output, run } from './result.ts';
import { serviceName } from './service-names.ts';
import { endpoint, type Row, socketRows } from './socket-rows.ts';
import { readSocketFilter } from './ss-filter.ts';

const usage = 'Usage: ss [ OPTIONS ]\n';

/** What only a real kernel can say of a socket: refused beside the table. */
const unmodelled = ['i', 'm', 'o', 'e', 'info', 'memory', 'options', 'extended'];

const connectedStates = ['ESTAB', 'SYN-SENT', 'FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'LAST-ACK', 'CLOSING'];
const listeningStates = ['LISTEN', 'UNCONN'];

/** ss(8): sockets of the container's network namespace. Column widths follow the longest entry, as iproute2 6 lays them out. */
export const ss: Command = (args, context) =>
  run(() => {
    const parsed = parseOptions(args, {
      letters: 'tuanlp46HOeoimsxwrhV0df:A:K',
      long: [
        ...'tcp udp all listening numeric processes no-header ipv4 ipv6 oneline summary raw unix resolve version'.split(' '),
        ...'info memory options extended family: query: socket: kill packet'.split(' '),
      ],
      unknown: (option) => {
        const said = option.startsWith('--') ? `unrecognized option '${option}'` : `invalid option -- '${option.replace(/^-+/, '')}'`;
        return new CommandFailure(`ss: ${said}\n${usage}`, 255);
      },
    });
    const has = (letter: string, long: string): boolean => parsed.options.has(letter) || parsed.options.has(long);
    if (has('V', 'version')) return output('ss utility, iproute2-6.1.0\n');
    if (has('K', 'kill')) throw new CommandFailure('ss: not simulated: -K\n', 1);
    if (has('s', 'summary')) return output(summary(socketRows(context)));
    const tables = wantedTables(parsed.options, lastOf(parsed, 'A', 'query', 'socket'));
    const family = lastOf(parsed, 'f', 'family');
    const wantsAll = has('a', 'all');
    const standard = wantsAll
      ? [...connectedStates, ...listeningStates, 'TIME-WAIT', 'SYN-RECV']
      : has('l', 'listening')
        ? listeningStates
        : connectedStates;
    const { states, passes } = readSocketFilter(parsed.operands, standard);
    const rows = socketRows(context)
      .filter(
        (row) =>
          tables.has(row.protocol) &&
          states.has(row.state) &&
          (!(has('4', 'ipv4') || family === 'inet') || row.family === 4) &&
          (!(has('6', 'ipv6') || family === 'inet6') || row.family === 6) &&
          passes(row),
      )
      // the kernel is asked for UDP first, and for IPv4 before IPv6
      .sort((a, b) => Number(a.protocol === 'tcp') - Number(b.protocol === 'tcp') || a.family - b.family);
    const stdout = table(rows, {
      showsProtocol: tables.size !== 1,
      showsState: states.size !== 1,
      showsProcess: has('p', 'processes'),
      isNumeric: has('n', 'numeric'),
      hasHeader: !has('H', 'no-header'),
    });
    const refused = unmodelled.find((option) => parsed.options.has(option));
    const stderr = refused === undefined ? '' : `ss: not simulated: -${refused[0] as string} (what TCP measures)\n`;
    return { stdout, stderr, exitCode: 0 } satisfies CommandResult;
  });

/** The tables of the kernel that options name; every one without any. */
function wantedTables(options: ReadonlyMap<string, unknown>, query: string | undefined): ReadonlySet<string> {
  const known = 'all inet tcp mptcp udp raw unix unix_dgram unix_stream unix_seqpacket packet netlink dccp sctp vsock_stream tipc xdp';
  const named = new Set<string>();
  for (const name of query?.split(',') ?? []) {
    if (!known.split(' ').includes(name)) throw new CommandFailure(`ss: "${name}" is illegal socket table id\n${usage}`, 255);
    for (const each of name === 'all' || name === 'inet' ? ['tcp', 'udp', 'raw'] : [name]) named.add(each);
  }
  const byOption = { t: 'tcp', tcp: 'tcp', u: 'udp', udp: 'udp', w: 'raw', raw: 'raw', d: 'dccp' };
  for (const [option, name] of Object.entries(byOption)) if (options.has(option)) named.add(name);
  if (options.has('x') || options.has('unix')) for (const name of ['unix_dgram', 'unix_stream']) named.add(name);
  if (options.has('0') || options.has('packet')) for (const name of ['packet_raw', 'packet_dgram']) named.add(name);
  return named.size === 0 ? new Set(['tcp', 'udp', 'raw']) : named;
}

function summary(rows: readonly Row[]): string {
  const count = (isWanted: (row: Row) => boolean): number => rows.filter(isWanted).length;
  const inUse = (isWanted: (row: Row) => boolean): readonly number[] => {
    const wanted = rows.filter((row) => row.state !== 'TIME-WAIT' && isWanted(row));
    const four = wanted.filter((row) => row.family === 4).length;
    return [wanted.length, four, wanted.length - four];
  };
  const waiting = count((row) => row.state === 'TIME-WAIT');
  const tcp = inUse((row) => row.protocol === 'tcp');
  const udp = inUse((row) => row.protocol === 'udp');
  const line = (title: string, numbers: readonly number[]): string =>
    `${title}\t  ${numbers.map((number) => String(number).padEnd(9)).join(' ')}\n`;
  const both = inUse(() => true);
  return (
    `Total: ${both[0] ?? 0}\n` +
    `TCP:   ${(tcp[0] ?? 0) + waiting} (estab ${count((row) => row.state === 'ESTAB')}, closed ${waiting}, orphaned 0, timewait ${waiting})\n\n` +
    'Transport Total     IP        IPv6\n' +
    `${line('RAW', [0, 0, 0])}${line('UDP', udp)}${line('TCP', tcp)}${line('INET', both)}${line('FRAG', [0, 0, 0])}\n`
  );
}

interface Look {
  readonly showsProtocol: boolean;
  readonly showsState: boolean;
  readonly showsProcess: boolean;
  readonly isNumeric: boolean;
  readonly hasHeader: boolean;
}

function table(rows: readonly Row[], look: Look): string {
  const head = [
    ...(look.showsProtocol ? ['Netid'] : []),
    ...(look.showsState ? ['State'] : []),
    'Recv-Q',
    'Send-Q',
    'Local Address:',
    'Port',
    'Peer Address:',
    'Port',
    'Process',
  ];
  const cells = rows.map((row) => [
    ...(look.showsProtocol ? [row.protocol] : []),
    ...(look.showsState ? [row.state] : []),
    '0',
    row.state === 'LISTEN' ? '4096' : '0',
    ...addressAndPort(endpoint(row.local.ip, portText(row.local.port, look), row.any)),
    ...addressAndPort(endpoint(row.remote.ip, row.remote.port === 0 ? '*' : portText(row.remote.port, look), row.any)),
    look.showsProcess && row.program !== undefined ? ` users:(("${row.program}",pid=1,fd=3))` : '',
  ]);
  const lines = look.hasHeader ? [head, ...cells] : cells;
  const widths = head.map((_cell, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  // the address ends with its colon; ports and the process follow without a blank
  const cellText = (cell: string, column: number): string => {
    const width = widths[column] as number;
    const title = head[column] as string;
    const text = title.endsWith(':') ? cell.padStart(width) : cell.padEnd(width);
    return column === 0 || title === 'Port' || title === 'Process' ? text : ` ${text}`;
  };
  return lines.map((line) => `${line.map(cellText).join('')}\n`).join('');
}

function portText(port: number, look: Look): string {
  return (look.isNumeric ? undefined : serviceName(port)) ?? String(port);
}

function addressAndPort(text: string): readonly [string, string] {
  const at = text.lastIndexOf(':') + 1;
  return [text.slice(0, at), text.slice(at)];
}
