import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { parseSelector } from '../../kubernetes/labels.ts';
import type { ConfigMap, Pod } from '../../kubernetes/objects.ts';
import type { ApiClient, ApiServer, LabelSelector } from '../../kubernetes/types.ts';
import type { InspectableAgent } from '../agent/agent.ts';
import { readRelease } from '../helm/release.ts';
import { ciliumNamespace } from '../objects.ts';
import { parseGoDuration } from '../time.ts';
import type { CiliumInstallation } from '../types.ts';
import { groupHelp, takeFlag, takeSwitch, unknownCommand } from './arguments.ts';
import { bgpTabs, formatClusterPeers, peerJson } from './bgp-peers.ts';
import { parseRouteQuery, type RouteRow, routeCells, routeJson, routeRows, routesRefusal } from './bgp-routes.ts';
import { collectStatus, formatStatus, statusJson } from './status.ts';
import { formatTabs } from './tab-writer.ts';

const ok = (stdout: string): CommandResult => ({ stdout, stderr: '', exitCode: 0 });
/** A fatal error: a blank line before it, status 1. */
const fatal = (text: string, stdout = '', before = ''): CommandResult => ({ stdout, stderr: `${before}\nError: ${text}\n`, exitCode: 1 });
/** What the parser of the command line finds: its text alone, status 1 (the CLI's main prints it, and cobra is told to be silent). */
const usage = (text: string): CommandResult => ({ stdout: '', stderr: `${text}\n`, exitCode: 1 });
const notSimulated = (words: string): CommandResult => ({ stdout: '', stderr: `not simulated: ${words}\n`, exitCode: 1 });

const pollPeriodMs = 2_000;
const cliVersion = 'v0.16.13';

interface Session {
  readonly installation: CiliumInstallation | undefined;
  readonly api: ApiClient;
  readonly server: ApiServer;
  readonly context: CommandContext;
  readonly namespace: string;
}

/** `cilium` on the lab host: cilium-cli 0.16, the release that goes with Cilium 1.16. */
export function createCiliumCli(installation: () => CiliumInstallation | undefined, server: () => ApiServer | undefined): Command {
  return (args, context) => {
    const words = [...args];
    const namespace = takeFlag(words, ['-n', '--namespace']) ?? ciliumNamespace;
    takeFlag(words, ['--context']);
    takeFlag(words, ['--helm-release-name']);
    const [command, ...rest] = words;
    const api = server();
    if (command === 'version') return version(rest, api?.client);
    if (command === undefined || command === 'help' || command === '--help' || command === '-h') return ok(help);
    if (!commands.has(command)) return usage(unknownCommand(command, 'cilium', commands));
    if (api === undefined) {
      return fatal(
        'Unable to create Kubernetes client: invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable',
      );
    }
    const session: Session = { installation: installation(), api: api.client, server: api, context, namespace };
    switch (command) {
      case 'status':
        return status(session, rest);
      case 'config':
        return config(session, rest);
      case 'bgp':
        return bgp(session, rest);
      case 'hubble':
        return hubble(session, rest);
      default:
        return notSimulated(`cilium ${words.join(' ')}`);
    }
  };
}

const commands = new Set([
  'bgp',
  'clustermesh',
  'completion',
  'config',
  'connectivity',
  'context',
  'encryption',
  'features',
  'hubble',
  'install',
  'multicast',
  'status',
  'sysdump',
  'uninstall',
  'upgrade',
]);

const help = `CLI to install, manage, & troubleshooting Cilium clusters running Kubernetes.

Cilium is a CNI for Kubernetes to provide secure network connectivity and
load-balancing with excellent visibility using eBPF

Examples:
# Install Cilium in current Kubernetes context
cilium install

# Check status of Cilium
cilium status

# Enable the Hubble observability layer
cilium hubble enable

# Perform a connectivity test
cilium connectivity test

Usage:
  cilium [flags]
  cilium [command]

Available Commands:
  bgp          Access to BGP control plane
  clustermesh  Multi Cluster Management
  completion   Generate the autocompletion script for the specified shell
  config       Manage Configuration
  connectivity Connectivity troubleshooting
  context      Display the configuration context
  encryption   Cilium encryption
  help         Help about any command
  hubble       Hubble observability
  install      Install Cilium in a Kubernetes cluster using Helm
  status       Display status
  sysdump      Collects information required to troubleshoot issues with Cilium and Hubble
  uninstall    Uninstall Cilium using Helm
  upgrade      Upgrade a Cilium installation a Kubernetes cluster using Helm
  version      Display detailed version information

Flags:
      --context string             Kubernetes configuration context
      --helm-release-name string   Helm release name (default "cilium")
  -h, --help                       help for cilium
  -n, --namespace string           Namespace Cilium is running in (default "kube-system")

Use "cilium [command] --help" for more information about a command.
`;

function version(words: readonly string[], api: ApiClient | undefined): CommandResult {
  const client = [
    `cilium-cli: ${cliVersion} compiled with go1.22.5 on linux/amd64`,
    'cilium image (default): v1.15.6',
    'cilium image (stable): v1.16.0',
  ];
  if (words.includes('--client')) return ok(`${client.join('\n')}\n`);
  const release = api === undefined ? undefined : readRelease(api);
  const running = release === undefined ? 'unknown. Unable to obtain cilium version. Reason: release: not found' : release.version;
  return ok(`${[...client, `cilium image (running): ${running}`].join('\n')}\n`);
}

function status({ server, installation, context }: Session, args: readonly string[]): CommandResult {
  const words = [...args];
  const waits = takeSwitch(words, ['--wait']) ?? false;
  const ignoresWarnings = takeSwitch(words, ['--ignore-warnings']) ?? false;
  takeSwitch(words, ['--interactive', '--verbose']);
  const output = takeFlag(words, ['-o', '--output']) ?? 'summary';
  const durationText = takeFlag(words, ['--wait-duration']) ?? '5m0s';
  takeFlag(words, ['--worker-count']);
  const problem =
    unknownFlag(words) ?? (output !== 'summary' && output !== 'json' ? `invalid argument "${output}" for "-o, --output" flag` : undefined);
  if (problem !== undefined) return usage(problem);
  const duration = parseGoDuration(durationText);
  if (duration === undefined)
    return usage(`invalid argument "${durationText}" for "--wait-duration" flag: time: invalid duration "${durationText}"`);
  const collect = () => collectStatus(server, installation?.agents ?? []);
  const print = (found: ReturnType<typeof collect>) =>
    output === 'json' ? statusJson(found) : formatStatus(found, context.isTerminal && context.env.has('TERM'));
  let found = collect();
  const isGood = () => found.errors.length === 0 && found.collectionErrors.length === 0 && (ignoresWarnings || found.warnings.length === 0);
  if (waits) {
    const { clock } = context;
    const deadline = clock.now() + duration;
    while (!isGood()) {
      const left = deadline - clock.now();
      if (left <= 0)
        return fatal(
          'Unable to determine status:  timeout while waiting for status to become successful: context deadline exceeded',
          '',
          print(found),
        );
      clock.advance(Math.min(pollPeriodMs, left));
      found = collect();
    }
    return ok(print(found));
  }
  const text = print(found);
  return found.collectionErrors.length === 0
    ? ok(text)
    : fatal(`Unable to determine status:  status check failed: [${found.collectionErrors.join(', ')}]`, text);
}

function unknownFlag(words: readonly string[]): string | undefined {
  const flag = words.find((word) => word.startsWith('-') && word !== '-');
  if (flag === undefined) return undefined;
  return flag.startsWith('--') ? `unknown flag: ${flag.split('=')[0]}` : `unknown shorthand flag: '${flag[1]}' in ${flag}`;
}

function config(session: Session, args: readonly string[]): CommandResult {
  const { api, namespace } = session;
  const words = [...args];
  const restarts = takeSwitch(words, ['-r', '--restart']) ?? true;
  const problem = unknownFlag(words);
  if (problem !== undefined) return usage(problem);
  const [verb, key, value] = words;
  const map = api.get<ConfigMap>('configmaps', 'cilium-config', namespace);
  const missing = 'unable get ConfigMap cilium-config: configmaps "cilium-config" not found';
  switch (verb) {
    case 'view': {
      if (map === undefined) return fatal(`Unable to view config:  ${missing}`);
      const rows = Object.entries(map.data ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
      return ok(
        formatTabs(
          rows.map(([name, text]) => [name, text]),
          { minWidth: 0, padding: 4 },
        ),
      );
    }
    case 'set': {
      if (words.length !== 3 || key === undefined || value === undefined) return usage(`accepts 2 arg(s), received ${words.length - 1}`);
      const said = `✨ Patching ConfigMap cilium-config with ${key}=${value}...\n`;
      if (map === undefined)
        return fatal(
          `Unable to set config:  unable to patch ConfigMap cilium-config with patch: configmaps "cilium-config" not found`,
          said,
        );
      api.patch('configmaps', 'cilium-config', namespace, { data: { [key]: value } });
      return ok(said + restart(session, restarts));
    }
    case 'delete': {
      if (words.length !== 2 || key === undefined) return usage(`accepts 1 arg(s), received ${words.length - 1}`);
      const said = `✨ Removing key ${key} from ConfigMap cilium-config...\n`;
      if (map === undefined || !Object.hasOwn(map.data ?? {}, key))
        return fatal(
          `Unable to delete config:  unable to patch ConfigMap cilium-config: the server rejected our request due to an error in our request`,
          said,
        );
      api.patch('configmaps', 'cilium-config', namespace, { data: { [key]: null } });
      return ok(said + restart(session, restarts));
    }
    default:
      return ok(
        groupHelp('Manage Configuration', 'cilium config', [
          ['delete', 'Delete a key in the configuration'],
          ['set', 'Set a key/value pair in the configuration'],
          ['view', 'View current configuration'],
        ]),
      );
  }
}

/** Deletes the agents' pods; the DaemonSet makes new ones, which read the new configuration. */
function restart({ api, namespace }: Session, restarts: boolean): string {
  if (!restarts) return '⚠️  Restart Cilium pods for configmap changes to take effect\n';
  for (const { metadata } of api.list<Pod>('pods', { namespace, labels: { matchLabels: { 'k8s-app': 'cilium' } } }))
    api.delete('pods', metadata.name, namespace);
  return '♻️  Restarted Cilium pods\n';
}

interface Found {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly agent: InspectableAgent | undefined;
}

/** Agents' pods by a label selector; the agent of a pod is there while its process serves. */
function findAgents({ api, installation, namespace }: Session, selectorText: string, node: string | undefined): readonly Found[] {
  const labels: LabelSelector = parseSelector(selectorText);
  return api
    .list<Pod>('pods', { namespace, labels })
    .filter((pod) => node === undefined || pod.spec.nodeName === node)
    .map((pod) => {
      const agent = (installation?.agents as readonly InspectableAgent[] | undefined)?.find(({ podName }) => podName === pod.metadata.name);
      const isReachable = agent?.context.node.container.state === 'running';
      return { pod, nodeName: pod.spec.nodeName ?? '', agent: isReachable ? agent : undefined };
    });
}

/** Why nothing can be run in an agent's container. */
function deadReason({ installation }: Session, { pod, nodeName, agent }: Found): string {
  const request = `error with exec request (pod=${pod.metadata.namespace}/${pod.metadata.name}, container=cilium-agent)`;
  if (nodeName === '') return `${request}: pod ${pod.metadata.name} does not have a host assigned`;
  const machine = installation?.cluster.nodes.find(({ name }) => name === nodeName)?.container.state;
  if (machine === 'paused') return `${request}: error dialing backend: net/http: TLS handshake timeout`;
  if (machine !== undefined && machine !== 'running')
    return `${request}: error dialing backend: dial tcp ${pod.status.hostIP}:10250: connect: no route to host`;
  const isRunning =
    pod.status.containerStatuses?.some(({ name, state }) => name === 'cilium-agent' && state.running !== undefined) ?? false;
  if (isRunning && agent === undefined) return 'command terminated with exit code 1';
  return `${request}: unable to upgrade connection: container not found ("cilium-agent")`;
}

function bgp(session: Session, args: readonly string[]): CommandResult {
  const words = [...args];
  const output = takeFlag(words, ['-o', '--output']);
  const node = takeFlag(words, ['--node']);
  const selectorText = takeFlag(words, ['--agent-pod-selector']) ?? 'k8s-app=cilium';
  takeFlag(words, ['--wait-duration']);
  const problem = unknownFlag(words);
  if (problem !== undefined) return usage(problem);
  const [verb, ...rest] = words;
  switch (verb) {
    case 'peers':
    case 'neighbors':
      return bgpPeers(session, findAgents(session, selectorText, node), output);
    case 'routes':
      return bgpRoutes(session, findAgents(session, selectorText, node), rest, output);
    default:
      return ok(
        groupHelp('Access to BGP control plane', 'cilium bgp', [
          ['peers', 'Lists BGP peering state'],
          ['routes', 'Lists BGP routes'],
        ]),
      );
  }
}

const disabledReply = "invalid character 'B' looking for beginning of value";
const byName = (a: { readonly nodeName: string }, b: { readonly nodeName: string }) =>
  a.nodeName < b.nodeName ? -1 : a.nodeName > b.nodeName ? 1 : 0;

/** One node that fails makes the whole command fail (cilium-cli 0.16; section 3.1 of the reference). */
function bgpPeers(session: Session, found: readonly Found[], output: string | undefined): CommandResult {
  const failures: string[] = [];
  const nodes = [];
  for (const entry of found) {
    const { name } = entry.pod.metadata;
    if (entry.agent === undefined) failures.push(`failed to fetch bgp state from ${name}: ${deadReason(session, entry)}`);
    else if (entry.agent.bgp === undefined) failures.push(`failed to unmarshal bgp state from ${name}: ${disabledReply}`);
    else nodes.push({ nodeName: entry.nodeName, peers: entry.agent.bgp.peers() });
  }
  if (failures.length > 0) return fatal(`Unable to get peering status: ${failures.join('\n')}`);
  const sorted = nodes.toSorted(byName);
  if (output === 'json')
    return ok(
      `${JSON.stringify(Object.fromEntries(sorted.map(({ nodeName, peers }) => [nodeName, peers.map(peerJson)])), undefined, 1)}\n`,
    );
  return ok(formatClusterPeers(sorted));
}

function bgpRoutes(session: Session, found: readonly Found[], args: readonly string[], output: string | undefined): CommandResult {
  const query = parseRouteQuery(args);
  if ('problem' in query) return fatal(`Unable to get BGP routes: ${query.problem}`);
  const failures: string[] = [];
  const nodes: { readonly nodeName: string; readonly rows: readonly RouteRow[] }[] = [];
  for (const entry of found) {
    const { name } = entry.pod.metadata;
    const plane = entry.agent?.parts?.bgp;
    if (entry.agent === undefined) failures.push(`failed to fetch bgp state from ${name}: (${deadReason(session, entry)})`);
    else if (plane === undefined) failures.push(`failed to unmarshal bgp routes from ${name}: ${disabledReply}`);
    else {
      const rows = routeRows(plane, query, session.context.clock.now());
      if ('problem' in rows) failures.push(`failed to fetch bgp state from ${name}: (${routesRefusal(rows.problem)})`);
      else nodes.push({ nodeName: entry.nodeName, rows });
    }
  }
  if (nodes.length === 0 && failures.length > 0) return fatal(`Unable to get BGP routes: ${failures.join('\n')}`);
  const stderr = failures.length > 0 ? `Errors by retrieving routes: ${failures.join('\n')}\n\n` : '';
  const sorted = nodes.toSorted(byName);
  if (output === 'json') {
    return {
      stdout: `${JSON.stringify(Object.fromEntries(sorted.map(({ nodeName, rows }) => [nodeName, rows.map(routeJson)])), undefined, 1)}\n`,
      stderr,
      exitCode: 0,
    };
  }
  const lines: string[][] = [['Node', 'VRouter', ...(query.table === 'advertised' ? ['Peer'] : []), 'Prefix', 'NextHop', 'Age', 'Attrs']];
  for (const { nodeName, rows } of sorted) {
    rows.forEach((row, index) => {
      lines.push([index === 0 ? nodeName : '', String(row.routerAsn), ...routeCells(row), '']);
    });
  }
  return { stdout: `${query.note === undefined ? '' : `${query.note}\n\n`}${formatTabs(lines, bgpTabs)}`, stderr, exitCode: 0 };
}

function hubble({ api, namespace, installation }: Session, args: readonly string[]): CommandResult {
  const [verb] = args;
  switch (verb) {
    case 'port-forward':
      if (api.get('services', 'hubble-relay', namespace) === undefined)
        return fatal('Unable to port forward: services "hubble-relay" not found');
      if (installation?.isHubbleRelayReady() !== true)
        return fatal('Unable to port forward: unable to forward port: pod is not running. Current status=Pending');
      // The relay can be reached from the lab host as long as it is ready; nothing has to be kept running.
      return ok('ℹ️  Hubble Relay is available at 127.0.0.1:4245\n');
    case 'enable':
      return api.get('services', 'hubble-relay', namespace) === undefined
        ? notSimulated('cilium hubble enable (set hubble.relay.enabled in the Helm values)')
        : ok('');
    case 'disable':
    case 'ui':
      return notSimulated(`cilium hubble ${args.join(' ')}`);
    default:
      return ok(
        groupHelp('Hubble observability', 'cilium hubble', [
          ['disable', 'Disable Hubble observability using Helm'],
          ['enable', 'Enable Hubble observability using Helm'],
          ['port-forward', 'Forward the relay port to the local machine'],
          ['ui', 'Open the Hubble UI'],
        ]),
      );
  }
}
