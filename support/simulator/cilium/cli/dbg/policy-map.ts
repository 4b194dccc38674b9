import type { CommandResult } from '../../../docker/types.ts';
import { ip } from '../../../net/address.ts';
import { reservedIdentity, reservedName } from '../../agent/datapath/identity.ts';
import { decidePolicy, type PolicyPort, type PolicyRule } from '../../agent/datapath/policy.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import type { Identity } from '../../types.ts';
import { formatTabs } from '../tab-writer.ts';
import { endpointsOf, findEndpoint, type ShownEndpoint } from './endpoints.ts';
import { fatal, ok, wide } from './output.ts';

type Direction = 'INGRESS' | 'EGRESS';

/** One entry of an endpoint's policy map. Identity 0: everybody. */
export interface PolicyEntry {
  readonly isDeny: boolean;
  readonly direction: Direction;
  readonly identity: number;
  readonly protocol: string;
  readonly low: number;
  readonly high: number;
}

const protocolNames: Readonly<Record<string, string>> = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP', icmp4: 'ICMP', icmp6: 'ICMPv6' };

/** Who may stand in a policy map, each with an address that its CIDR rules see. */
function candidates({
  kernel,
  identities,
}: DatapathState): readonly { readonly identity: Identity; readonly address: ReturnType<typeof ip> }[] {
  const anywhere = ip('0.0.0.0');
  const { hasIpv4, hasIpv6 } = kernel.config;
  const worlds = hasIpv4 && hasIpv6 ? [2, 9, 10] : [2];
  return [
    ...[1, ...worlds, 3, 4, 5, 6, 7, 8].map((id) => ({
      identity: reservedIdentity(id),
      address: id === 10 || !hasIpv4 ? ip('::') : anywhere,
    })),
    ...identities.all.map((identity) => ({ identity, address: anywhere })),
    ...kernel.ipcache.cidrs.map(([cidr, entry]) => ({ identity: entry.identity, address: cidr.address })),
  ];
}

/** A range of ports as the prefixes that the map is keyed by (since 1.16 a port may have a mask). */
function masked(low: number, high: number): readonly (readonly [number, number])[] {
  const parts: (readonly [number, number])[] = [];
  for (let start = low; start <= high; ) {
    let size = start === 0 ? 65_536 : start & -start;
    while (start + size - 1 > high) size /= 2;
    parts.push([start, start + size - 1]);
    start += size;
  }
  return parts;
}

function portsOf(
  state: DatapathState,
  endpoint: ShownEndpoint,
  direction: Direction,
  port: PolicyPort,
): readonly Omit<PolicyEntry, 'isDeny' | 'direction' | 'identity'>[] {
  if (port.protocol === 'icmp') return [{ protocol: port.family === 4 ? 'icmp4' : 'icmp6', low: port.type, high: port.type }];
  const protocols = port.protocol === 'any' ? ['tcp', 'udp', 'sctp'] : [port.protocol];
  if (port.name !== undefined) {
    const pod = direction === 'INGRESS' ? `${endpoint.podNamespace}/${endpoint.podName}` : undefined;
    const found = state.kernel.namedPorts.find(port.name, pod).filter(({ protocol }) => protocols.includes(protocol.toLowerCase()));
    return found.map((named) => ({ protocol: named.protocol.toLowerCase(), low: named.port, high: named.port }));
  }
  if (port.low === 0)
    return port.protocol === 'any' ? [{ protocol: 'any', low: 0, high: 0 }] : [{ protocol: port.protocol, low: 0, high: 0 }];
  return protocols.flatMap((protocol) => masked(port.low, port.high).map(([low, high]) => ({ protocol, low, high })));
}

/** What the agent writes to an endpoint's policy map, in the order in which the tool shows it. */
export function policyEntries(state: DatapathState, endpoint: ShownEndpoint): readonly PolicyEntry[] {
  const { kernel } = state;
  const entries = new Map<string, PolicyEntry>();
  const add = (entry: PolicyEntry): void => {
    entries.set(`${entry.direction} ${entry.identity} ${entry.protocol} ${entry.low} ${entry.high} ${entry.isDeny}`, entry);
  };
  const everybody = candidates(state);
  const identitiesOf = ({ peers }: PolicyRule): readonly number[] => {
    if (peers === undefined || peers.some((peer) => peer.kind === 'entity' && peer.entity === 'all')) return [0];
    const isBackendOf = kernel.isBackendOf;
    return everybody
      .filter(
        ({ identity, address }) =>
          decidePolicy([{ isDeny: false, peers, ports: undefined }], {
            identity,
            ip: address,
            protocol: 'tcp',
            port: 0,
            ...(isBackendOf === undefined ? {} : { isBackendOf }),
          }).isAllowed,
      )
      .map(({ identity }) => identity.id);
  };
  for (const direction of ['INGRESS', 'EGRESS'] as const) {
    const rules = direction === 'INGRESS' ? endpoint.policy?.ingress : endpoint.policy?.egress;
    if (direction === 'INGRESS') add({ isDeny: false, direction, identity: 1, protocol: 'any', low: 0, high: 0 });
    if (rules === undefined) {
      add({ isDeny: false, direction, identity: 0, protocol: 'any', low: 0, high: 0 });
      continue;
    }
    for (const rule of rules) {
      const ports =
        rule.ports === undefined
          ? [{ protocol: 'any', low: 0, high: 0 }]
          : rule.ports.flatMap((port) => portsOf(state, endpoint, direction, port));
      for (const identity of identitiesOf(rule)) for (const port of ports) add({ isDeny: rule.isDeny, direction, identity, ...port });
    }
  }
  // A denying entry takes the place of an allowing one with the same key.
  const all = [...entries.values()];
  const isDenied = (entry: PolicyEntry): boolean =>
    all.some(
      (other) =>
        other.isDeny &&
        other.direction === entry.direction &&
        other.identity === entry.identity &&
        (other.protocol === 'any' || (other.protocol === entry.protocol && other.low === entry.low && other.high === entry.high)),
    );
  return all
    .filter((entry) => entry.isDeny || !isDenied(entry))
    .toSorted(
      (a, b) =>
        Number(b.isDeny) - Number(a.isDeny) ||
        Number(a.direction === 'EGRESS') - Number(b.direction === 'EGRESS') ||
        a.identity - b.identity ||
        a.low - b.low,
    );
}

function portText({ protocol, low, high }: PolicyEntry): string {
  const name = protocolNames[protocol] ?? 'ANY';
  if (protocol === 'any' || (low === 0 && high === 0 && !protocol.startsWith('icmp'))) return name;
  return low === high ? `${low}/${name}` : `${low}-${high}/${name}`;
}

/** Bits of a key beyond endpoint and direction: eight of the protocol, up to sixteen of the port. */
function prefixLength({ protocol, low, high }: PolicyEntry): number {
  if (protocol === 'any') return 0;
  if (low === 0 && high === 0 && !protocol.startsWith('icmp')) return 8;
  return 24 - Math.log2(high - low + 1);
}

/** `bpf policy get ENDPOINT`, `--all`, `-n`. */
export function policyMap(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const isNumeric = args.includes('-n') || args.includes('--numeric');
  const all = endpointsOf(state);
  if (output !== undefined && output !== '') return { stdout: '', stderr: 'not simulated: cilium-dbg bpf policy get -o\n', exitCode: 1 };
  if (args.includes('--all')) {
    const maps = all.map((endpoint) => {
      const path = `/sys/fs/bpf/tc/globals/cilium_policy_${String(endpoint.id).padStart(5, '0')}`;
      return `Endpoint ID: ${endpoint.id}\nPath: ${path}\n\n${table(state, endpoint, isNumeric)}\n\n`;
    });
    return ok(maps.join(''));
  }
  const [id] = words;
  if (id === undefined) return fatal('Missing endpoint id argument\n');
  const endpoint = findEndpoint(all, id);
  if (endpoint === undefined) {
    if (!/^\d+$/.test(id)) return fatal(`Failed to parse endpointID ${JSON.stringify(id)}`);
    const path = `/sys/fs/bpf/tc/globals/cilium_policy_${id.padStart(5, '0')}`;
    return fatal(`Failed to open map: loading pinned map ${path}: no such file or directory\n`);
  }
  return ok(table(state, endpoint, isNumeric));
}

function table(state: DatapathState, endpoint: ShownEndpoint, isNumeric: boolean): string {
  const { kernel, identities } = state;
  const title = isNumeric ? 'IDENTITY' : 'LABELS (source:key[=value])';
  const titles = ['POLICY', 'DIRECTION', title, 'PORT/PROTO', 'PROXY PORT', 'AUTH TYPE', 'BYTES', 'PACKETS', 'PREFIX', ''];
  const labelsOf = (id: number): readonly string[] => {
    if (reservedName(id) !== undefined) return reservedIdentity(id).labels;
    const cidr = kernel.ipcache.cidrs.find(([, entry]) => entry.identity.id === id)?.[1].identity;
    return (identities.get(id) ?? cidr)?.labels ?? [String(id)];
  };
  const rows = policyEntries(state, endpoint).flatMap((entry) => {
    const counted = entry.protocol === 'icmp4' || entry.protocol === 'icmp6' ? 'icmp' : entry.protocol;
    const { packets, bytes } = kernel.policyCounters.get(endpoint.id, entry.direction, entry.identity, counted, entry.low, entry.high);
    const [first = '', ...rest] = isNumeric ? [String(entry.identity)] : labelsOf(entry.identity);
    return [
      [
        entry.isDeny ? 'Deny' : 'Allow',
        entry.direction === 'INGRESS' ? 'Ingress' : 'Egress',
        first,
        portText(entry),
        'NONE',
        'disabled',
        String(bytes),
        String(packets),
        String(prefixLength(entry)),
        '',
      ],
      ...rest.map((label) => ['', '', label, '', '', '', '', '', '', '']),
    ];
  });
  return formatTabs([titles, ...rows], wide);
}
