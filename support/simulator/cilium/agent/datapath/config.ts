import { prefix } from '../../../net/address.ts';
import type { Prefix } from '../../../net/types.ts';
import { parseGoDuration } from '../../time.ts';
import type { CiliumConfig, CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';

/** What the datapath reads from `cilium-config`, with the agent's own defaults for absent keys (Cilium 1.16). */
export interface DatapathConfig {
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  readonly routingMode: 'native' | 'tunnel';
  readonly tunnelProtocol: 'vxlan' | 'geneve';
  readonly tunnelPort: number;
  readonly hasAutoDirectNodeRoutes: boolean;
  readonly nativeRoutingCidr4: Prefix | undefined;
  readonly nativeRoutingCidr6: Prefix | undefined;
  readonly masquerades4: boolean;
  readonly masquerades6: boolean;
  readonly hasBpfMasquerade: boolean;
  readonly replacesKubeProxy: boolean;
  readonly hasSocketLb: boolean;
  readonly isSocketLbHostOnly: boolean;
  readonly hasEgressGateway: boolean;
  readonly egressReconcileMs: number;
  readonly hasHubble: boolean;
  readonly hubbleCapacity: number;
  readonly hubbleListenPort: number | undefined;
  readonly hasSocketTraces: boolean;
  /** None of the aggregation levels below `low` is told apart. */
  readonly monitorAggregation: 'none' | 'low' | 'medium' | 'maximum';
  readonly monitorIntervalSeconds: number;
  readonly ipam: string;
  readonly devices: readonly string[];
  readonly nodePortRange: { readonly low: number; readonly high: number };
  readonly backendSelection: 'random' | 'maglev';
  readonly loadBalancerMode: 'snat' | 'dsr' | 'hybrid';
  readonly respondsToMissingBackend: boolean;
  readonly policyEnforcement: 'default' | 'always' | 'never';
  readonly usesHostRouting: boolean;
  readonly hasHealthEndpoint: boolean;
  readonly clusterName: string;
  /** `labels` of the Helm chart: which pod labels make an identity. */
  readonly identityLabelFilter: readonly string[];
}

export function readDatapathConfig(config: CiliumConfig, version: CiliumVersion): DatapathConfig {
  const text = (key: string, fallback: string): string => config.get(key) ?? fallback;
  const flag = (key: string, fallback: boolean): boolean => {
    const value = config.get(key);
    return value === undefined || value === '' ? fallback : value.toLowerCase() === 'true';
  };
  const count = (key: string, fallback: number): number => {
    const value = Number(config.get(key) ?? '');
    return Number.isFinite(value) && value > 0 ? value : fallback;
  };
  const cidr = (key: string): Prefix | undefined => {
    const value = config.get(key);
    return value === undefined || value === '' ? undefined : prefix(value);
  };
  const replacesKubeProxy = ['true', 'strict'].includes(text('kube-proxy-replacement', 'false').toLowerCase());
  const hasBpfMasquerade = flag('enable-bpf-masquerade', false);
  const tunnelProtocol = text('tunnel-protocol', 'vxlan') === 'geneve' ? 'geneve' : 'vxlan';
  const [low, high] = text('node-port-range', '30000,32767').split(',').map(Number);
  return {
    hasIpv4: flag('enable-ipv4', true),
    hasIpv6: flag('enable-ipv6', false),
    routingMode: text('routing-mode', 'tunnel') === 'native' ? 'native' : 'tunnel',
    tunnelProtocol,
    tunnelPort: count('tunnel-port', tunnelProtocol === 'vxlan' ? 8472 : 6081),
    hasAutoDirectNodeRoutes: flag('auto-direct-node-routes', false),
    nativeRoutingCidr4: cidr('ipv4-native-routing-cidr'),
    nativeRoutingCidr6: cidr('ipv6-native-routing-cidr'),
    masquerades4: flag('enable-ipv4-masquerade', true),
    masquerades6: flag('enable-ipv6-masquerade', true),
    hasBpfMasquerade,
    replacesKubeProxy,
    hasSocketLb: replacesKubeProxy || flag('bpf-lb-sock', false),
    isSocketLbHostOnly: flag('bpf-lb-sock-hostns-only', false),
    // The second is its name since 1.18.
    hasEgressGateway: flag('enable-ipv4-egress-gateway', false) || flag('enable-egress-gateway', false),
    egressReconcileMs: parseGoDuration(text('egress-gateway-reconciliation-trigger-interval', '1s')) ?? 1000,
    hasHubble: flag('enable-hubble', false),
    hubbleCapacity: count('hubble-event-buffer-capacity', 4095),
    hubbleListenPort: portOf(config.get('hubble-listen-address')),
    hasSocketTraces: flag('trace-sock', true),
    monitorAggregation: aggregation(text('monitor-aggregation', 'medium')),
    monitorIntervalSeconds: (parseGoDuration(text('monitor-aggregation-interval', '5s')) ?? 5000) / 1000,
    ipam: text('ipam', 'cluster-pool'),
    devices: text('devices', '')
      .split(/[\s,]+/)
      .filter((name) => name !== ''),
    nodePortRange: { low: low ?? 30000, high: high ?? 32767 },
    backendSelection: text('bpf-lb-algorithm', 'random') === 'maglev' ? 'maglev' : 'random',
    loadBalancerMode: loadBalancerMode(text('bpf-lb-mode', text('node-port-mode', 'snat'))),
    // `service-no-backend-response` came with 1.14; before, a packet to such a service went on as if there were none.
    respondsToMissingBackend: text('service-no-backend-response', 'reject') === 'reject' && isAtLeast(version, 14),
    policyEnforcement: enforcement(text('enable-policy', 'default')),
    // BPF host routing needs the kube-proxy replacement and BPF masquerading (tuning guide, "eBPF Host-Routing").
    usesHostRouting: replacesKubeProxy && hasBpfMasquerade && !flag('enable-host-legacy-routing', false),
    hasHealthEndpoint: flag('enable-endpoint-health-checking', true) && flag('enable-health-checking', true),
    clusterName: text('cluster-name', 'default'),
    identityLabelFilter: text('labels', '')
      .split(/\s+/)
      .filter((word) => word !== ''),
  };
}

function portOf(address: string | undefined): number | undefined {
  const port = Number(address?.slice(address.lastIndexOf(':') + 1));
  return address !== undefined && Number.isInteger(port) && port > 0 ? port : undefined;
}

function aggregation(level: string): DatapathConfig['monitorAggregation'] {
  switch (level.toLowerCase()) {
    case 'none':
    case 'disabled':
    case '0':
      return 'none';
    case 'low':
    case '1':
    case '2':
      return 'low';
    case 'maximum':
    case 'max':
    case '4':
      return 'maximum';
    default:
      return 'medium';
  }
}

function loadBalancerMode(mode: string): DatapathConfig['loadBalancerMode'] {
  return mode === 'dsr' || mode === 'hybrid' ? mode : 'snat';
}

function enforcement(mode: string): DatapathConfig['policyEnforcement'] {
  return mode === 'always' || mode === 'never' ? mode : 'default';
}
