import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { unknownCommand } from '../cli/arguments.ts';
import { parseGoDuration } from '../time.ts';
import type { CiliumInstallation, Flow } from '../types.ts';
import { type OutputFormat, type PrintOptions, printFlows, printNodeError, printUnavailable } from './flow-printer.ts';
import { ArgumentError, FilterError, impliedValue, isFilterFlag, ObserveFilter, ServerError } from './observe-filter.ts';
import { type Connection, clusterNameOf, defaultServer, lookThroughRelay, peerName, serverOf } from './relay.ts';
import { list, serverStatus } from './server-status.ts';
import { parseTimeOption, timeFormatOf } from './time-format.ts';
import { flagText, HubbleError, parseWords, type Words } from './words.ts';

/** Flows that each node is asked for when nothing else is said. */
const defaultLast = 20;
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
      if (command[1] === 'agent-events' || command[1] === 'debug-events')
        throw new HubbleError(`not simulated: hubble observe ${command[1]}`);
      return observe(flags, context, installation);
    case 'status':
      return serverStatus(flags, (words) => connect(words, context, installation), context.clock.now());
    case 'list':
      return list(command[1], flags, (words) => connect(words, context, installation), context.clock.now());
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

function connect(
  flags: Words['flags'],
  context: CommandContext,
  installation: CiliumInstallation | undefined,
): Connection | { readonly problem: string } {
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
  let refusal: string | undefined;
  const optionValue = (name: string): string | undefined => flags.findLast((flag) => flag.name === name)?.value;
  const has = (name: string): boolean => flags.some((flag) => flag.name === name && flag.value !== 'false');
  for (const { name, value } of flags) {
    if (!isFilterFlag(name)) continue;
    const given = value ?? impliedValue(name) ?? '';
    try {
      filter.add(name, given);
    } catch (error) {
      if (error instanceof ServerError) {
        refusal ??= error.message;
        continue;
      }
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
  if (refusal !== undefined) {
    const names = relay.connected.map((agent) => peerName(connection.installation, agent.context.node.name));
    const stderr =
      printNodeError(refusal, names, relay.podName, now, options) + printUnavailable(relay.unavailable, relay.podName, now, options);
    return { stdout: '', stderr, exitCode: 0 };
  }
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
  const translation = flags.findLast((flag) => flag.name === 'ip-translation');
  return {
    format,
    hasIpTranslation: (translation === undefined || translation.value !== 'false') && !has('numeric'),
    hasNodeName: has('print-node-name'),
    timeFormat: timeFormatOf(optionValue('time-format') ?? 'StampMilli'),
    // Whether the output is a terminal of its own (and not a pipe's end) is not known here, so that `auto` is as good as `never`.
    hasColors: optionValue('color')?.toLowerCase() === 'always',
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
  if (time === undefined) throw new HubbleError(`failed to parse the ${name} time: failed to convert ${text} to time`);
  return time;
}

/** The relay sorts what the nodes send; flows of one node keep their order. */
function mergeByTime(lists: readonly (readonly Flow[])[]): Flow[] {
  return lists
    .flatMap((flows, node) => flows.map((flow, index) => ({ flow, node, index })))
    .sort((a, b) => a.flow.time - b.flow.time || a.node - b.node || a.index - b.index)
    .map(({ flow }) => flow);
}
