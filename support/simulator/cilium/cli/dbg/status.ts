import type { CommandResult } from '../../../docker/types.ts';
import type { Node } from '../../../kubernetes/objects.ts';
import type { InspectableAgent } from '../../agent/agent.ts';
import { FlowRing } from '../../agent/datapath/flows.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import { agentFlags } from '../../agent/startup-check.ts';
import { formatTime } from '../../hubble/time-format.ts';
import { isAtLeast } from '../../version.ts';
import { takeSwitch } from '../arguments.ts';
import { formatTabs } from '../tab-writer.ts';
import { type ProbedNode, probeNodes } from './health.ts';
import { ok } from './output.ts';

/** In the place of a value, so that a line that somebody looks for is there. */
const notSimulated = 'not simulated';
const enabled = (is: boolean): string => (is ? 'Enabled' : 'Disabled');

/** What the agent has registered with the API server, as `status` lists it (pkg/k8s/watchers). */
const apiGroups = [
  'EndpointSliceOrEndpoint',
  'cilium/v2::CiliumClusterwideNetworkPolicy',
  'cilium/v2::CiliumEndpoint',
  'cilium/v2::CiliumNetworkPolicy',
  'cilium/v2::CiliumNode',
  'cilium/v2alpha1::CiliumCIDRGroup',
  'core/v1::Namespace',
  'core/v1::Pods',
  'core/v1::Service',
  'networking.k8s.io/v1::NetworkPolicy',
];

/**
 * `cilium-dbg status` (pkg/client/client.go, FormatStatusResponse). How many controllers and modules an agent has, and
 * how large its maps are, is not known here, and said so.
 */
export function agentStatus(agent: InspectableAgent, args: readonly string[]): CommandResult {
  const words = [...args];
  if (takeSwitch(words, ['--brief']) === true) return ok('OK\n');
  const isVerbose = takeSwitch(words, ['--verbose']) ?? false;
  const hasAddresses = isVerbose || (takeSwitch(words, ['--all-addresses']) ?? false);
  const hasHealth = isVerbose || (takeSwitch(words, ['--all-health']) ?? false);
  const { parts } = agent;
  if (parts === undefined) return { stdout: '', stderr: '', exitCode: 1 };
  const { state } = parts.datapath;
  const health = probeNodes(agent, state);
  const lines = [
    ...describe(agent, state, isVerbose, hasAddresses),
    ...healthLines(agent, health, hasHealth),
    ...(health === undefined ? [] : [['Modules Health:', notSimulated]]),
  ];
  return ok(formatTabs(lines, { minWidth: 2, padding: 3 }));
}

function describe(agent: InspectableAgent, state: DatapathState, isVerbose: boolean, hasAddresses: boolean): readonly string[][] {
  const { config: settings, version, cluster, api, node } = agent.context;
  const { kernel } = state;
  const flags = agentFlags(settings);
  const isOn = (key: string): boolean => settings.get(key) === 'true';
  const kubernetes = cluster.server.version;
  const cpus = api.get<Node>('nodes', node.name)?.status?.capacity?.['cpu'];
  // Each address is listed after as many empty ones (a slice made with its length, then appended to).
  const devices = kernel.devices.map(({ name, addresses }) => {
    // IPv4 before IPv6, and of that what reaches furthest first, as the kernel lists them.
    const own = addresses
      .toSorted((a, b) => a.ip.family - b.ip.family || Number(a.scope === 'link') - Number(b.scope === 'link'))
      .map(({ ip }) => ip.text);
    return `${name} ${[...own.map(() => ''), ...own].join(' ')}${isDirectRouting(state, name, flags.isTunneling) ? ' (Direct Routing)' : ''}`;
  });
  const names = kernel.devices.map(({ name }) => name).join(', ');
  const families = `[IPv4: ${enabled(flags.hasIpv4 && flags.masquerades4)}, IPv6: ${enabled(flags.hasIpv6 && flags.masquerades6)}]`;
  const hasMasquerading = (flags.hasIpv4 && flags.masquerades4) || (flags.hasIpv6 && flags.masquerades6);
  const exclusion = settings.get('ipv4-native-routing-cidr') ?? kernel.podCidrs.find(({ family }) => family === 4)?.text ?? '';
  const masquerading = !hasMasquerading
    ? ['Disabled']
    : flags.hasBpfMasquerade
      ? ['BPF', `[${names}]`, `${exclusion} ${families}`]
      : [`IPTables ${families}`];
  const router = kernel.routerIps.find(({ family }) => family === 4) ?? kernel.routerIps[0];
  return [
    ['KVStore:', 'Ok', 'Disabled'],
    ['Kubernetes:', 'Ok', `${kubernetes.slice(1).split('.').slice(0, 2).join('.')} (${kubernetes}) [linux/amd64]`],
    ['Kubernetes APIs:', `["${apiGroups.join('", "')}"]`],
    flags.replacesKubeProxy
      ? ['KubeProxyReplacement:', 'True', devices.length === 0 ? '' : `[${devices.join(', ')}]`]
      : ['KubeProxyReplacement:', 'False', ''],
    isOn('enable-host-firewall') ? ['Host firewall:', 'Enabled', `[${names}]`] : ['Host firewall:', 'Disabled'],
    ['SRv6:', 'Disabled'],
    ['CNI Chaining:', settings.get('cni-chaining-mode') ?? 'none'],
    ...(settings.has('write-cni-conf-when-ready')
      ? [['CNI Config file:', `successfully wrote CNI configuration file to ${settings.get('write-cni-conf-when-ready')}`]]
      : []),
    ['Cilium:', `Ok   ${version.text} (v${version.text})`],
    ['NodeMonitor:', `Listening for events on ${cpus ?? '1'} CPUs with 64x4096 of shared memory`],
    ['Cilium health daemon:', 'Ok', ''],
    ['IPAM:', ipam(state)],
    ...(hasAddresses ? [['Allocated addresses:'], ...allocations(state).map((line) => [line])] : []),
    ...(isAtLeast(version, 16)
      ? [
          ['IPv4 BIG TCP:', enabled(isOn('enable-ipv4-big-tcp'))],
          ['IPv6 BIG TCP:', enabled(isOn('enable-ipv6-big-tcp'))],
        ]
      : []),
    [
      'BandwidthManager:',
      isOn('enable-bandwidth-manager') ? `EDT with BPF [${isOn('enable-bbr') ? 'BBR' : 'CUBIC'}] [${names}]` : 'Disabled',
    ],
    [
      'Routing:',
      `Network: ${flags.isTunneling ? `Tunnel [${kernel.config.tunnelProtocol}]` : 'Native'}`,
      `Host: ${kernel.config.usesHostRouting ? 'BPF' : 'Legacy'}`,
    ],
    ['Attach Mode:', isOn('enable-tcx') ? 'TCX' : 'Legacy TC'],
    ['Device Mode:', 'veth'],
    ['Masquerading:', ...masquerading],
    ...(isVerbose ? [['Clock Source for BPF:', 'ktime']] : []),
    ['Controller Status:', notSimulated],
    [
      'Proxy Status:',
      isOn('enable-l7-proxy')
        ? `OK, ip ${router?.text ?? ''}, 0 redirects active on ports 10000-20000, Envoy: ${isOn('external-envoy-proxy') ? 'external' : 'embedded'}`
        : 'No managed proxy redirect',
    ],
    ['Global Identity Range:', 'min 256, max 65535'],
    hubble(agent, flags.hasHubble),
    ...(isVerbose ? replacementDetails(agent, state, devices) : []),
    ...(isVerbose ? [['BPF Maps:', notSimulated]] : []),
    ['Encryption:', 'Disabled', ''],
  ];
}

/** The device with the node's InternalIP, where packets to other nodes are not tunnelled. */
function isDirectRouting({ kernel }: DatapathState, device: string, isTunneling: boolean): boolean {
  if (isTunneling && !kernel.config.replacesKubeProxy) return false;
  return kernel.devices.find(({ addresses }) => addresses.some(({ ip }) => kernel.internalIps.has(ip)))?.name === device;
}

/** Ranges hand out all but their first and last address. */
function ipam({ kernel, ranges, pools }: DatapathState): string {
  const of = (family: 4 | 6): string => {
    if (pools !== undefined)
      return (family === 4 ? kernel.config.hasIpv4 : kernel.config.hasIpv6) ? `IPv${family}: ${pools.count} IPAM pool(s) available` : '';
    const range = ranges.find(({ prefix }) => prefix.family === family);
    if (range === undefined) return '';
    const size = (1n << BigInt((family === 4 ? 32 : 128) - range.prefix.length)) - 2n;
    return `IPv${family}: ${range.used}/${size} allocated from ${range.prefix.text}`;
  };
  return [of(4), of(6)].join(', ');
}

function allocations({ kernel, ranges }: DatapathState): readonly string[] {
  const owners = new Map<string, string>();
  for (const address of kernel.routerIps) owners.set(address.text, 'router');
  for (const endpoint of kernel.endpointById.values())
    for (const address of endpoint.ips)
      owners.set(address.text, endpoint.kind === 'health' ? 'health' : `${endpoint.podNamespace}/${endpoint.podName}`);
  return ranges.length === 0 ? [] : [...owners].map(([address, owner]) => `  ${address} (${owner})`).toSorted();
}

function hubble(agent: InspectableAgent, hasHubble: boolean): string[] {
  if (!hasHubble) return ['Hubble:', 'Disabled'];
  const ring = agent.flows;
  const metrics = `Metrics: ${agent.context.config.has('hubble-metrics') ? 'Ok' : 'Disabled'}`;
  if (!(ring instanceof FlowRing)) return ['Hubble:', 'Ok', '', metrics];
  const seconds = (agent.context.clock.now() - ring.startedAt) / 1000;
  const share = ((100 * ring.size) / ring.capacity).toFixed(2);
  const rate = seconds <= 0 ? '' : `, Flows/s: ${(ring.seen / seconds).toFixed(2)}`;
  return ['Hubble:', 'Ok', `Current/Max Flows: ${ring.size}/${ring.capacity} (${share}%)${rate}`, metrics];
}

function replacementDetails(agent: InspectableAgent, { kernel }: DatapathState, devices: readonly string[]): readonly string[][] {
  const { config: settings, version } = agent.context;
  const flags = agentFlags(settings);
  const { low, high } = kernel.config.nodePortRange;
  const isOn = (key: string): boolean => flags.replacesKubeProxy || settings.get(key) === 'true';
  const mode = kernel.config.loadBalancerMode;
  const rows: string[][] = [
    ['  Status:', flags.replacesKubeProxy ? 'True' : 'False'],
    ['  Socket LB:', enabled(kernel.config.hasSocketLb)],
    ['  Socket LB Tracing:', enabled(kernel.config.hasSocketLb)],
    ['  Socket LB Coverage:', kernel.config.isSocketLbHostOnly ? 'Hostns-only' : 'Full'],
    ...(flags.replacesKubeProxy && devices.length > 0 ? [['  Devices:', devices.join(', ')]] : []),
    ...(flags.hasNodePort
      ? [
          ['  Mode:', mode === 'hybrid' ? 'Hybrid' : mode.toUpperCase()],
          [
            '  Backend Selection:',
            kernel.config.backendSelection === 'maglev'
              ? `Maglev (Table Size: ${settings.get('bpf-lb-maglev-table-size') ?? '16381'})`
              : 'Random',
          ],
        ]
      : []),
    ['  Session Affinity:', enabled(flags.hasNodePort || settings.get('enable-session-affinity') === 'true')],
    ['  Graceful Termination:', enabled(settings.get('enable-k8s-terminating-endpoint') === 'true' || isAtLeast(version, 18))],
    ['  NAT46/64 Support:', 'Disabled'],
    ...(flags.hasNodePort ? [['  XDP Acceleration:', 'Disabled']] : []),
    ['  Services:'],
    ['  - ClusterIP:', 'Enabled'],
    ['  - NodePort:', `${flags.hasNodePort ? `Enabled (Range: ${low}-${high})` : 'Disabled'} `],
    ['  - LoadBalancer:', `${enabled(flags.hasNodePort)} `],
    ['  - externalIPs:', `${enabled(isOn('enable-external-ips'))} `],
    ['  - HostPort:', enabled(isOn('enable-host-port'))],
  ];
  const table = formatTabs(rows, { minWidth: 0, padding: 3 });
  return [
    ['KubeProxyReplacement Details:'],
    ...table
      .trimEnd()
      .split('\n')
      .map((line) => [line]),
  ];
}

function healthLines(agent: InspectableAgent, nodes: readonly ProbedNode[] | undefined, isVerbose: boolean): readonly string[][] {
  if (nodes === undefined) return [['Cluster health:', '', 'Probe disabled']];
  const healthy = nodes.filter(({ isReachable, isEndpointReachable }) => isReachable && isEndpointReachable).length;
  const word = (is: boolean): string => (is ? 'reachable' : 'unreachable');
  const shown = [...nodes].toSorted((a, b) => Number(b.isLocal) - Number(a.isLocal) || (a.name < b.name ? -1 : 1));
  return [
    ['Cluster health:', `${healthy}/${nodes.length} reachable`, `(${formatTime(agent.context.clock.now(), 'RFC3339')})`],
    ...(isVerbose || healthy < nodes.length ? [['  Name', 'IP', 'Node', 'Endpoints']] : []),
    ...shown
      .filter(({ isReachable, isEndpointReachable }) => isVerbose || !isReachable || !isEndpointReachable)
      .map((node) => [
        `  ${node.name}${node.isLocal ? ' (localhost)' : ''}`,
        node.ips.join(','),
        word(node.isReachable),
        word(node.isEndpointReachable),
      ]),
  ];
}
