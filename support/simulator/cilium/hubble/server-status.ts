import type { CommandResult } from '../../docker/types.ts';
import { FlowRing } from '../agent/datapath/flows.ts';
import { goSeconds } from '../time.ts';
import { alignColumns } from './flow-printer.ts';
import { type Connection, clusterNameOf, peerName, type RelayView, serverOf } from './relay.ts';
import { HubbleError, type Words } from './words.ts';

type Connect = (flags: Words['flags']) => Connection | { readonly problem: string };

/** As many nodes the relay names that it does not reach. */
const mostNamed = 10;
const notAvailable = 'N/A';

interface NodeFigures {
  readonly name: string;
  readonly version: string;
  readonly hasTls: boolean;
  readonly current: number;
  readonly capacity: number;
  readonly seen: number;
  readonly perSecond: number;
  readonly uptimeMs: number;
}

const ok = (stdout: string): CommandResult => ({ stdout, stderr: '', exitCode: 0 });
const outputOf = (flags: Words['flags'], standard: string): string => flags.findLast((flag) => flag.name === 'output')?.value ?? standard;

function figuresOf({ relay, installation }: Connection, now: number): NodeFigures[] {
  return relay.connected.map((agent) => {
    const ring = agent.flows;
    const isRing = ring instanceof FlowRing;
    const uptimeMs = isRing ? now - ring.startedAt : 0;
    const seen = isRing ? ring.seen : 0;
    return {
      name: peerName(installation, agent.context.node.name),
      version: `cilium v${agent.context.version?.text ?? installation.version.text}`,
      hasTls: agent.context.config.get('hubble-disable-tls') !== 'true',
      current: isRing ? ring.size : (ring?.flows.length ?? 0),
      capacity: isRing ? ring.capacity : 4095,
      seen,
      perSecond: uptimeMs <= 0 ? 0 : (seen * 1000) / uptimeMs,
      uptimeMs,
    };
  });
}

/** `12,285`. */
function withCommas(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** Go's text of a duration of at least a second, to the nanosecond: `1m2.5s`. */
function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = ms / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = Number((seconds - hours * 3600 - minutes * 60).toFixed(6));
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`;
}

/** `hubble status` (hubble/cmd/status, WriteServerStatusResponse of its printer). */
export function serverStatus(flags: Words['flags'], connect: Connect, now: number): CommandResult {
  const connection = connect(flags);
  if ('problem' in connection) throw new HubbleError(`failed getting status: rpc error: code = Unavailable desc = ${connection.problem}`);
  const output = outputOf(flags, 'compact');
  const figures = figuresOf(connection, now);
  const sum = (of: (node: NodeFigures) => number): number => figures.reduce((total, node) => total + of(node), 0);
  const [current, capacity, seen, perSecond] = [
    sum((node) => node.current),
    sum((node) => node.capacity),
    sum((node) => node.seen),
    sum((node) => node.perSecond),
  ];
  const uptimeMs = Math.max(0, ...figures.map((node) => node.uptimeMs));
  const { unavailable, connected } = connection.relay;
  const version = `hubble-relay v${connection.installation.version.text}`;
  const rate = perSecond > 0 ? perSecond.toFixed(2) : notAvailable;
  switch (output) {
    case 'json':
    case 'JSON':
    case 'jsonpb': {
      const json = {
        num_flows: String(current),
        max_flows: String(capacity),
        seen_flows: String(seen),
        uptime_ns: String(Math.round(uptimeMs * 1_000_000)),
        num_connected_nodes: connected.length,
        num_unavailable_nodes: unavailable.length,
        ...(unavailable.length === 0 ? {} : { unavailable_nodes: unavailable.slice(0, mostNamed) }),
        version,
        flows_rate: perSecond,
      };
      return ok(`${JSON.stringify(json)}\n`);
    }
    case 'dict': {
      const lines = [
        ['          NUM FLOWS', withCommas(current)],
        ['          MAX FLOWS', withCommas(capacity)],
        ['         SEEN FLOWS', withCommas(seen)],
        ['   FLOWS PER SECOND', rate],
        ['             UPTIME', goDuration(uptimeMs)],
        ['NUM CONNECTED NODES', String(connected.length)],
        [' NUM UNAVAIL. NODES', String(unavailable.length)],
        ['            VERSION', version],
      ];
      return ok(lines.map(([title, value]) => `${title}: ${value}\n`).join(''));
    }
    case 'tab':
    case 'table':
      return ok(
        alignColumns([
          ['NUM FLOWS', 'MAX FLOWS', 'SEEN FLOWS', 'FLOWS PER SECOND', 'UPTIME', 'NUM CONNECTED NODES', 'NUM UNAVAILABLE NODES', 'VERSION'],
          [
            withCommas(current),
            withCommas(capacity),
            withCommas(seen),
            rate,
            goDuration(uptimeMs),
            String(connected.length),
            String(unavailable.length),
            version,
          ],
        ]),
      );
    case 'compact':
      break;
    default:
      throw new HubbleError(`invalid output format: ${output}`);
  }
  const ratio = capacity === 0 ? '' : ` (${((100 * current) / capacity).toFixed(2)}%)`;
  const named = unavailable.toSorted().slice(0, mostNamed);
  if (unavailable.length > named.length) named.push(`and ${unavailable.length - named.length} more...`);
  return ok(
    [
      `Healthcheck (via ${serverOf(flags)}): Ok`,
      `Current/Max Flows: ${withCommas(current)}/${withCommas(capacity)}${ratio}`,
      `Flows/s: ${rate}`,
      `Connected Nodes: ${connected.length}/${connected.length + unavailable.length}`,
      ...(unavailable.length === 0 ? [] : [`Unavailable Nodes: ${unavailable.length}`, ...named.map((name) => `  - ${name}`)]),
      '',
    ].join('\n'),
  );
}

/** `hubble list nodes` and `hubble list namespaces`. */
export function list(what: string | undefined, flags: Words['flags'], connect: Connect, now: number): CommandResult {
  // A word that it does not know is one more argument to cobra.
  if (what === undefined || !['node', 'nodes', 'namespaces'].includes(what))
    return ok(
      'List Hubble objects\n\nUsage:\n  hubble list [command]\n\nAvailable Commands:\n  namespaces  List namespaces with recent flows\n  nodes       List Hubble nodes\n',
    );
  const connection = connect(flags);
  if ('problem' in connection) throw new HubbleError(`rpc error: code = Unavailable desc = ${connection.problem}`);
  const output = outputOf(flags, 'table');
  if (!['table', 'wide', 'json'].includes(output)) throw new HubbleError(`unknown output format: ${output}`);
  return ok(
    what === 'namespaces' ? namespaces(connection.relay, output, clusterNameOf(connection.installation)) : nodes(connection, output, now),
  );
}

function nodes(connection: Connection, output: string, now: number): string {
  const { relay } = connection;
  const hasTls = relay.connected.every((agent) => agent.context.config.get('hubble-disable-tls') !== 'true');
  const cluster = clusterNameOf(connection.installation);
  const rows = [
    ...figuresOf(connection, now).map((figures) => ({ name: figures.name, figures })),
    ...relay.unavailable.map((name) => ({ name, figures: undefined })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (output === 'json') {
    return `${JSON.stringify(
      rows.map(({ name, figures }) => ({
        name,
        ...(figures === undefined ? {} : { version: figures.version }),
        ...(relay.addresses.has(name) ? { address: relay.addresses.get(name) } : {}),
        state: figures === undefined ? 'NODE_UNAVAILABLE' : 'NODE_CONNECTED',
        tls: hasTls
          ? {
              enabled: true,
              server_name: `${name.replace(/^.*\//, '').replaceAll('.', '-')}.${cluster.replaceAll('.', '-')}.hubble-grpc.cilium.io`,
            }
          : {},
        ...(figures === undefined
          ? {}
          : {
              uptime_ns: String(Math.round(figures.uptimeMs * 1_000_000)),
              num_flows: String(figures.current),
              max_flows: String(figures.capacity),
              seen_flows: String(figures.seen),
            }),
      })),
    )}\n`;
  }
  const isWide = output === 'wide';
  return alignColumns([
    ['NAME', 'STATUS', 'AGE', 'FLOWS/S', 'CURRENT/MAX-FLOWS', ...(isWide ? ['VERSION', 'ADDRESS', 'TLS'] : [])],
    ...rows.map(({ name, figures }) => [
      name,
      ...(figures === undefined
        ? ['Unavailable', notAvailable, notAvailable, notAvailable]
        : [
            'Connected',
            goSeconds(figures.uptimeMs),
            figures.perSecond.toFixed(2),
            `${figures.current}/${figures.capacity} (${((100 * figures.current) / figures.capacity).toFixed(2).padStart(6)}%)`,
          ]),
      ...(isWide ? [figures?.version ?? notAvailable, relay.addresses.get(name) ?? '', hasTls ? 'Enabled' : 'Disabled'] : []),
    ]),
  ]);
}

function namespaces(relay: RelayView, output: string, cluster: string): string {
  const names = new Set<string>();
  for (const agent of relay.connected)
    for (const flow of agent.flows?.flows ?? [])
      for (const end of [flow.source, flow.destination]) if (end.namespace !== undefined && end.namespace !== '') names.add(end.namespace);
  const sorted = [...names].sort();
  if (output === 'json') return `${JSON.stringify(sorted.map((namespace) => ({ cluster, namespace })))}\n`;
  if (output === 'wide') return alignColumns([['NAMESPACE', 'CLUSTER'], ...sorted.map((name) => [name, cluster])]);
  return alignColumns([['NAMESPACE'], ...sorted.map((name) => [name])]);
}
