import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { FlowRing } from '../agent/datapath/flows.ts';
import { unknownCommand } from '../cli/arguments.ts';
import { goSeconds, parseGoDuration } from '../time.ts';
import type { CiliumInstallation, Flow } from '../types.ts';
import { alignColumns, type OutputFormat, type PrintOptions, printFlows, printUnavailable } from './flow-printer.ts';
import { ArgumentError, FilterError, impliedValue, isFilterFlag, ObserveFilter } from './observe-filter.ts';
import { clusterNameOf, lookThroughRelay, peerName, type RelayView } from './relay.ts';
import { parseTimeOption, type TimeFormat, timeFormats } from './time-format.ts';
import { flagText, HubbleError, parseWords, type Words } from './words.ts';

/** Flows that each node is asked for when nothing else is said. */
const defaultLast = 20;
const defaultServer = 'localhost:4245';
/** Release of the command-line tool. */
const toolVersion = 'v1.16.0';

/** The `hubble` command, talking to the relay as through `cilium hubble port-forward`. */
export function createHubbleCli(installation: () => CiliumInstallation | undefined): Command {
  return (args, context) => {
    try {
      return run(args, context, installation());
    } catch (error) {
      if (error instanceof HubbleError || error instanceof FilterError) return { stdout: '', stderr: `${error.message}\n`, exitCode: 1 };
      throw error;
    }
  };
}

function run(args: readonly string[], context: CommandContext, installation: CiliumInstallation | undefined): CommandResult {
  const { command, flags } = parseWords(args);
  const hasHelp = flags.some((flag) => flag.name === 'help');
  switch (command[0]) {
    case undefined:
      if (flags.some((flag) => flag.name === 'version')) return versionResult();
      return ok(help);
    case 'help':
      return ok(help);
    case 'version':
      return versionResult();
    case 'observe':
      if (hasHelp) return ok(observeHelp);
      if (command[1] !== undefined && command[1] !== 'flows') {
        if (['agent-events', 'debug-events'].includes(command[1])) throw new HubbleError(`not simulated: hubble observe ${command[1]}`);
        throw new HubbleError(`unknown command "${command[1]}" for "hubble observe"`);
      }
      return observe(flags, context, installation);
    case 'status':
      return status(flags, context, installation);
    case 'list':
      return list(command[1], flags, context, installation);
    case 'config':
    case 'watch':
    case 'record':
    case 'completion':
      throw new HubbleError(`not simulated: hubble ${command.slice(0, 2).join(' ')}`);
    default:
      throw new HubbleError(unknownCommand(command[0], 'hubble', commands));
  }
}

const commands = ['completion', 'config', 'help', 'list', 'observe', 'record', 'status', 'version', 'watch'];

const help = `Hubble is a utility to observe and inspect recent Cilium routed traffic in a cluster.

Usage:
  hubble [command]

Available Commands:
  list        List Hubble objects
  observe     Observe flows and events of a Hubble server
  status      Display status of Hubble server
  version     Display detailed version information

Use "hubble [command] --help" for more information about a command.
`;

const observeHelp = `Observe flows and events of a Hubble server

Usage:
  hubble observe [flags]
`;

function ok(stdout: string): CommandResult {
  return { stdout, stderr: '', exitCode: 0 };
}

function versionResult(): CommandResult {
  return ok(`hubble ${toolVersion} compiled with go1.22.5 on linux/amd64\n`);
}

function serverOf(flags: Words['flags']): string {
  return flags.findLast((flag) => flag.name === 'server')?.value ?? defaultServer;
}

function connect(
  flags: Words['flags'],
  context: CommandContext,
  installation: CiliumInstallation | undefined,
): { readonly relay: RelayView; readonly installation: CiliumInstallation } | { readonly problem: string } {
  const server = serverOf(flags);
  const isRelay = server === defaultServer || server === '127.0.0.1:4245' || server === 'tls://localhost:4245';
  const relay = !isRelay || installation === undefined ? undefined : lookThroughRelay(installation, context.clock);
  if (relay === undefined || installation === undefined) {
    const address = server.replace(/^tls:\/\//, '').replace('localhost', '127.0.0.1');
    return { problem: `connection error: desc = "transport: Error while dialing: dial tcp ${address}: connect: connection refused"` };
  }
  return { relay, installation };
}

// ── observe ─────────────────────────────────────────────────────────────────────────────────────────────────

function observe(flags: Words['flags'], context: CommandContext, installation: CiliumInstallation | undefined): CommandResult {
  const filter = new ObserveFilter();
  const optionValue = (name: string): string | undefined => flags.findLast((flag) => flag.name === name)?.value;
  const has = (name: string): boolean => flags.some((flag) => flag.name === name && flag.value !== 'false');
  for (const { name, value } of flags) {
    if (!isFilterFlag(name)) continue;
    const given = value ?? impliedValue(name) ?? '';
    try {
      filter.add(name, given);
    } catch (error) {
      if (error instanceof ArgumentError)
        throw new HubbleError(`invalid argument ${JSON.stringify(given)} for "${flagText(name)}" flag: ${error.message}`);
      throw error;
    }
  }
  filter.finish();
  // A number of nought is as good as none.
  const isGiven = (name: string): boolean => flags.some((flag) => flag.name === name && flag.value !== '0' && flag.value !== 'false');
  for (const [a, b] of [
    ['first', 'last'],
    ['first', 'all'],
    ['first', 'follow'],
    ['last', 'all'],
  ] as const) {
    if (isGiven(a) && isGiven(b)) throw new HubbleError(`cannot set both --${a} and --${b}`);
  }
  const options = printOptions(flags, context, installation);
  if (has('follow')) {
    if (options.format === 'table') throw new HubbleError('table output format is not compatible with follow mode');
    throw new HubbleError('not simulated: hubble observe --follow (it would never end; use --last or --since)');
  }
  for (const name of ['allowlist', 'denylist', 'experimental-field-mask', 'print-raw-filters'])
    if (isGiven(name)) throw new HubbleError(`not simulated: hubble observe --${name}`);
  if (optionValue('input-file') !== undefined) throw new HubbleError('not simulated: hubble observe --input-file');
  const first = count(optionValue('first'), 'first');
  const last = count(optionValue('last'), 'last');
  const now = context.clock.now();
  const since = timeOption(optionValue('since'), 'since', now);
  const until = timeOption(optionValue('until'), 'until', now);

  const connection = connect(flags, context, installation);
  if ('problem' in connection) {
    throw new HubbleError(`failed to connect to '${serverOf(flags)}': ${connection.problem}`);
  }
  const { relay } = connection;
  const perNode = relay.connected.map((agent) => {
    const matching: Flow[] = [];
    for (const flow of agent.flows?.flows ?? []) {
      if (since !== undefined && flow.time < since) continue;
      if (until !== undefined && flow.time > until) break;
      if (filter.matches(flow)) matching.push(flow);
    }
    if (first !== undefined && first > 0) return matching.slice(0, first);
    if (last !== undefined && last > 0) return matching.slice(-last);
    if (has('all') || since !== undefined || until !== undefined) return matching;
    return matching.slice(-defaultLast);
  });
  const flows = mergeByTime(perNode);
  return {
    stdout: printFlows(flows, options),
    stderr: printUnavailable(relay.unavailable, relay.podName, context.clock.now(), options),
    exitCode: 0,
  };
}

function printOptions(flags: Words['flags'], context: CommandContext, installation: CiliumInstallation | undefined): PrintOptions {
  const optionValue = (name: string): string | undefined => flags.findLast((flag) => flag.name === name)?.value;
  const has = (name: string): boolean => flags.some((flag) => flag.name === name && flag.value !== 'false');
  const output = optionValue('output') ?? 'compact';
  const format = (
    { compact: 'compact', dict: 'dict', tab: 'table', table: 'table', json: 'json', JSON: 'json', jsonpb: 'jsonpb' } as Readonly<
      Record<string, OutputFormat>
    >
  )[output];
  if (format === undefined) throw new HubbleError(`invalid output format: ${output}`);
  const timeText = optionValue('time-format') ?? 'StampMilli';
  const timeFormat = timeFormats.find((name) => name === timeText);
  if (timeFormat === undefined) throw new HubbleError(`not simulated: hubble observe --time-format ${timeText}`);
  const translation = flags.findLast((flag) => flag.name === 'ip-translation');
  return {
    format,
    hasIpTranslation: (translation === undefined || translation.value !== 'false') && !has('numeric'),
    hasNodeName: has('print-node-name'),
    timeFormat: timeFormat satisfies TimeFormat,
    clusterName: installation === undefined ? 'default' : clusterNameOf(installation),
    hasLegacyJson: (context.env.get('HUBBLE_COMPAT') ?? '').includes('legacy-json-output'),
  };
}

function count(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new HubbleError(`invalid argument "${text}" for "--${name}" flag: strconv.ParseUint: parsing "${text}": invalid syntax`);
  return Number(text);
}

function timeOption(text: string | undefined, name: string, now: number): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTimeOption(text, now, parseGoDuration);
  if (time === undefined)
    throw new HubbleError(`failed to parse the ${name} time: parsing time "${text}": does not match any of the supported formats`);
  return time;
}

/** The relay sorts what the nodes send; flows of one node keep their order. */
function mergeByTime(lists: readonly (readonly Flow[])[]): Flow[] {
  return lists
    .flatMap((flows, node) => flows.map((flow, index) => ({ flow, node, index })))
    .sort((a, b) => a.flow.time - b.flow.time || a.node - b.node || a.index - b.index)
    .map(({ flow }) => flow);
}

// ── status, list ────────────────────────────────────────────────────────────────────────────────────────────

interface NodeFigures {
  readonly name: string;
  readonly current: number;
  readonly capacity: number;
  readonly perSecond: number;
  readonly uptimeMs: number;
}

function figuresOf(connection: { readonly relay: RelayView; readonly installation: CiliumInstallation }, now: number): NodeFigures[] {
  return connection.relay.connected.map((agent) => {
    const name = peerName(connection.installation, agent.context.node.name);
    const ring = agent.flows;
    if (!(ring instanceof FlowRing)) return { name, current: ring?.flows.length ?? 0, capacity: 4095, perSecond: 0, uptimeMs: 0 };
    const uptimeMs = now - ring.startedAt;
    return { name, current: ring.size, capacity: ring.capacity, perSecond: uptimeMs <= 0 ? 0 : (ring.seen * 1000) / uptimeMs, uptimeMs };
  });
}

/** `12,285`. */
function withCommas(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function status(flags: Words['flags'], context: CommandContext, installation: CiliumInstallation | undefined): CommandResult {
  const connection = connect(flags, context, installation);
  if ('problem' in connection) throw new HubbleError(`failed getting status: rpc error: code = Unavailable desc = ${connection.problem}`);
  const output = flags.findLast((flag) => flag.name === 'output')?.value ?? 'compact';
  const figures = figuresOf(connection, context.clock.now());
  const current = figures.reduce((sum, node) => sum + node.current, 0);
  const capacity = figures.reduce((sum, node) => sum + node.capacity, 0);
  const perSecond = figures.reduce((sum, node) => sum + node.perSecond, 0);
  const { unavailable, connected } = connection.relay;
  const total = connected.length + unavailable.length;
  if (output === 'json') {
    const json = {
      num_flows: String(current),
      max_flows: String(capacity),
      num_connected_nodes: connected.length,
      num_unavailable_nodes: unavailable.length,
      ...(unavailable.length === 0 ? {} : { unavailable_nodes: unavailable }),
      flows_rate: perSecond,
    };
    return ok(`${JSON.stringify(json)}\n`);
  }
  if (['dict', 'table', 'tab'].includes(output)) throw new HubbleError(`not simulated: hubble status -o ${output}`);
  if (output !== 'compact') throw new HubbleError(`invalid output format: ${output}`);
  const share = capacity === 0 ? '0.00' : ((100 * current) / capacity).toFixed(2);
  let text = `Healthcheck (via ${serverOf(flags)}): Ok\n`;
  text += `Current/Max Flows: ${withCommas(current)}/${withCommas(capacity)} (${share}%)\n`;
  text += `Flows/s: ${perSecond.toFixed(2)}\n`;
  text += `Connected Nodes: ${connected.length}/${total}\n`;
  if (unavailable.length > 0) text += `Unavailable Nodes: ${unavailable.length}\n${unavailable.map((name) => `  - ${name}\n`).join('')}`;
  return ok(text);
}

function list(
  what: string | undefined,
  flags: Words['flags'],
  context: CommandContext,
  installation: CiliumInstallation | undefined,
): CommandResult {
  if (what === undefined)
    return ok(
      'List Hubble objects\n\nUsage:\n  hubble list [command]\n\nAvailable Commands:\n  namespaces  List namespaces with recent flows\n  nodes       List Hubble nodes\n',
    );
  if (!['node', 'nodes', 'namespace', 'namespaces', 'ns'].includes(what))
    throw new HubbleError(`unknown command "${what}" for "hubble list"`);
  const connection = connect(flags, context, installation);
  if ('problem' in connection) throw new HubbleError(`rpc error: code = Unavailable desc = ${connection.problem}`);
  const output = flags.findLast((flag) => flag.name === 'output')?.value ?? 'table';
  if (what !== 'node' && what !== 'nodes') return ok(namespaces(connection.relay, output, clusterNameOf(connection.installation)));
  const figures = figuresOf(connection, context.clock.now());
  const nodes = [
    ...figures.map((node) => ({ name: node.name, isConnected: true, figures: node })),
    ...connection.relay.unavailable.map((name) => ({ name, isConnected: false, figures: undefined })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  switch (output) {
    case 'wide':
      throw new HubbleError('not simulated: hubble list nodes -o wide');
    case 'table':
      return ok(
        alignColumns([
          ['NAME', 'STATUS', 'AGE', 'FLOWS/S', 'CURRENT/MAX-FLOWS'],
          ...nodes.map((node) =>
            node.figures === undefined
              ? [node.name, 'Unavailable', 'N/A', 'N/A', 'N/A']
              : [
                  node.name,
                  'Connected',
                  goSeconds(node.figures.uptimeMs),
                  node.figures.perSecond.toFixed(2),
                  `${node.figures.current}/${node.figures.capacity} (${((100 * node.figures.current) / node.figures.capacity).toFixed(2).padStart(6)}%)`,
                ],
          ),
        ]),
      );
    case 'json':
      return ok(
        `${JSON.stringify(nodes.map((node) => ({ name: node.name, state: node.isConnected ? 'NODE_CONNECTED' : 'NODE_UNAVAILABLE', ...(node.figures === undefined ? {} : { uptime_ns: String(Math.round(node.figures.uptimeMs * 1_000_000)), num_flows: String(node.figures.current), max_flows: String(node.figures.capacity) }) })))}\n`,
      );
    default:
      throw new HubbleError(`unknown output format: ${output}`);
  }
}

function namespaces(relay: RelayView, output: string, cluster: string): string {
  const names = new Set<string>();
  for (const agent of relay.connected)
    for (const flow of agent.flows?.flows ?? [])
      for (const end of [flow.source, flow.destination]) if (end.namespace !== undefined && end.namespace !== '') names.add(end.namespace);
  const sorted = [...names].sort();
  if (output === 'json') return `${JSON.stringify(sorted.map((namespace) => ({ cluster, namespace })))}\n`;
  if (output === 'wide') return alignColumns([['NAMESPACE', 'CLUSTER'], ...sorted.map((name) => [name, cluster])]);
  if (output !== 'table') throw new HubbleError(`unknown output format: ${output}`);
  return alignColumns([['NAMESPACE'], ...sorted.map((name) => [name])]);
}
