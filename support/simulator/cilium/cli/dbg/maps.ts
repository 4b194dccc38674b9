import type { CommandResult } from '../../../docker/types.ts';
import { parseIp } from '../../../net/address.ts';
import type { ConntrackEntry } from '../../agent/datapath/conntrack.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import { fatal, mapObject, mapTable, ok, printOutput } from './output.ts';

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const socket = (ip: string, port: number | string): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);
const protocolName = (protocol: string, ip: string): string =>
  protocol === 'icmp' ? (ip.includes(':') ? 'ICMPv6' : 'ICMP') : protocol.toUpperCase();

/** The kernel's clock counts from the start of the machine: here, from the beginning of the year. */
const bootSeconds = 1_704_067_200;
const kernelSeconds = (time: number): number => (time === 0 ? 0 : Math.max(0, Math.floor(time / 1000) - bootSeconds));

/** Bits of `Flags` (pkg/maps/ctmap/types.go). */
const rxClosing = 1;
const txClosing = 2;
const seenNonSyn = 16;

function conntrackFlags(entry: ConntrackEntry): string {
  const flags = (entry.isRxClosing ? rxClosing : 0) | (entry.isTxClosing ? txClosing : 0) | (entry.hasSeenNonSyn ? seenNonSyn : 0);
  const names = [
    ...(entry.isRxClosing ? ['RxClosing '] : []),
    ...(entry.isTxClosing ? ['TxClosing '] : []),
    ...(entry.hasSeenNonSyn ? ['SeenNonSyn '] : []),
  ];
  return `Flags=${hex(flags, 4)} [ ${names.join('')}]`;
}

/** `bpf ct list global`: the maps of TCP and of all else, IPv4 before IPv6, each with an empty line at its end. */
export function conntrackList(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  const [type, id] = args.filter((word) => !word.startsWith('-'));
  if (type === undefined || !['global', 'endpoint', 'cluster'].includes(type)) {
    const why = type === undefined ? 'no CT map type provided' : `unknown type ${type}`;
    return { stdout: '', stderr: `Invalid argument: ${why}`, exitCode: 0 };
  }
  if (type !== 'global') return { stdout: '', stderr: `not simulated: cilium-dbg bpf ct list ${type} ${id ?? ''}\n`, exitCode: 1 };
  if (output !== undefined && output !== '') return { stdout: '', stderr: 'not simulated: cilium-dbg bpf ct list -o\n', exitCode: 1 };
  const hasTimeDiff = args.some((word) => word === '-d' || word === '--time-diff');
  const { kernel } = state;
  const now = kernel.clock.now();
  const entries = kernel.conntrack.entries(now);
  const line = (
    [direction = '', protocol = '', source = '', sourcePort = '', destination = '', port = '']: readonly string[],
    entry: ConntrackEntry,
  ) => {
    const identity = parseIp(source);
    const left = Math.floor(entry.expiresAt / 1000) - Math.floor(now / 1000);
    const fields = [
      `expires=${kernelSeconds(entry.expiresAt)}${hasTimeDiff ? ` (remaining: ${left} sec(s))` : ''}`,
      // Counting is off unless it is asked for (`ConntrackAccounting`).
      'Packets=0',
      'Bytes=0',
      `RxFlagsSeen=${hex(entry.rxFlags, 2)}`,
      `LastRxReport=${kernelSeconds(entry.lastRxReport)}`,
      `TxFlagsSeen=${hex(entry.txFlags, 2)}`,
      `LastTxReport=${kernelSeconds(entry.lastTxReport)}`,
      conntrackFlags(entry),
      'RevNAT=0',
      `SourceSecurityID=${identity === undefined ? 0 : kernel.ipcache.get(identity).identity.id}`,
      'IfIndex=0',
      'BackendID=0',
    ];
    return `${protocolName(protocol, source)} ${direction.toUpperCase()} ${socket(source, sourcePort)} -> ${socket(destination, port)} ${fields.join(' ')} \n`;
  };
  const families = [...(kernel.config.hasIpv4 ? [4] : []), ...(kernel.config.hasIpv6 ? [6] : [])];
  return ok(
    families
      .flatMap((family) =>
        [true, false].map((isTcp) => {
          const own = entries.filter(([words]) => (words[1] === 'tcp') === isTcp && (words[2]?.includes(':') === true) === (family === 6));
          return `${own.map(([words, entry]) => line(words, entry)).join('')}\n`;
        }),
      )
      .join(''),
  );
}

/** `bpf nat list`: of each translated connection the way out and the way back. */
export function natList(state: DatapathState, output: string | undefined): CommandResult {
  if (output !== undefined && output !== '') return { stdout: '', stderr: 'not simulated: cilium-dbg bpf nat list -o\n', exitCode: 1 };
  const { kernel } = state;
  const now = Math.floor(kernel.clock.now() / 1000);
  const families = [...(kernel.config.hasIpv4 ? [4] : []), ...(kernel.config.hasIpv6 ? [6] : [])];
  return ok(
    families
      .map((family) => {
        const lines = kernel.nat.mappings
          .filter(({ original }) => original.source.family === family)
          .map(({ original, ip, port, createdAt }) => {
            const name = protocolName(original.protocol, original.source.text);
            const created = `Created=${now - Math.floor(createdAt / 1000)}sec ago NeedsCT=0`;
            const [from, to] = [
              socket(original.source.text, original.sourcePort),
              socket(original.destination.text, original.destinationPort),
            ];
            const translated = socket(ip.text, port);
            return `${name} OUT ${from} -> ${to} XLATE_SRC ${translated} ${created}\n${name} IN ${to} -> ${translated} XLATE_DST ${from} ${created}\n`;
          });
        return `${lines.join('')}\n`;
      })
      .join(''),
  );
}

/** `bpf endpoint list`: addresses of the node's endpoints, and the node's own. */
export function bpfEndpointList(state: DatapathState, output: string | undefined): CommandResult {
  const { kernel } = state;
  const rows: (readonly [string, string])[] = [];
  const host = new Set([
    ...kernel.internalIps,
    ...kernel.routerIps,
    ...kernel.devices.flatMap((device) => device.addresses.filter(({ scope }) => scope === 'global').map(({ ip }) => ip)),
  ]);
  for (const address of host) rows.push([`${address.text}:0`, '(localhost)']);
  for (const endpoint of kernel.endpointById.values()) {
    const value = [
      `id=${String(endpoint.id).padEnd(5)}`,
      `sec_id=${String(endpoint.identity.id).padEnd(5)}`,
      'flags=0x0000',
      `ifindex=${String(endpoint.device.index).padEnd(3)}`,
      `mac=${endpoint.inside.mac.toUpperCase()}`,
      `nodemac=${endpoint.device.mac.toUpperCase()}`,
    ].join(' ');
    for (const address of endpoint.ips) rows.push([`${address.text}:0`, value]);
  }
  return printOutput(output, mapObject(rows)) ?? ok(mapTable('IP ADDRESS', 'LOCAL ENDPOINT INFO', rows));
}

/** `bpf tunnel list`: pod CIDRs of the other nodes, in tunnel mode. */
export function tunnelList(state: DatapathState, output: string | undefined): CommandResult {
  const { kernel, nodes } = state;
  if (kernel.config.routingMode !== 'tunnel')
    return fatal('Unable to open /sys/fs/bpf/tc/globals/cilium_tunnel_map: loading pinned map: no such file or directory');
  const rows: (readonly [string, string])[] = [];
  for (const node of nodes) {
    if (node.name === kernel.node.name) continue;
    const end = node.internalIps.find(({ family }) => family === 4) ?? node.internalIps[0];
    if (end !== undefined) for (const cidr of node.podCidrs) rows.push([cidr.address.text, `${end.text}:0`]);
  }
  return printOutput(output, mapObject(rows)) ?? ok(mapTable('TUNNEL', 'VALUE', rows));
}
