import { ContentError } from '../../../verdict/errors.ts';
import { parsePrefix } from '../../net/address.ts';

/** Values of the chart, after the user's own were laid over the defaults. Only what is read here is typed. */
export interface HelmValues {
  readonly agentNotReadyTaintKey: string;
  readonly annotateK8sNode: boolean;
  readonly authentication: {
    readonly enabled: boolean;
    readonly gcInterval: string;
    readonly queueSize: number;
    readonly rotatedIdentitiesQueueSize: number;
  };
  readonly autoDirectNodeRoutes: boolean;
  readonly bandwidthManager: { readonly enabled: boolean; readonly bbr: boolean };
  readonly bgpControlPlane: {
    readonly enabled: boolean;
    readonly secretsNamespace: { readonly create: boolean; readonly name: string };
    readonly statusReport: { readonly enabled: boolean };
  };
  readonly bpf: {
    readonly autoMount: { readonly enabled: boolean };
    readonly datapathMode: string;
    readonly enableTCX: boolean;
    readonly events: {
      readonly drop: { readonly enabled: boolean };
      readonly policyVerdict: { readonly enabled: boolean };
      readonly trace: { readonly enabled: boolean };
    };
    readonly hostLegacyRouting: boolean | null;
    readonly lbExternalClusterIP: boolean;
    readonly lbMapMax: number;
    readonly mapDynamicSizeRatio: number | null;
    readonly masquerade: boolean | null;
    readonly monitorAggregation: string;
    readonly monitorFlags: string;
    readonly monitorInterval: string;
    readonly policyMapMax: number;
    readonly preallocateMaps: boolean;
    readonly root: string;
    readonly tproxy: boolean | null;
    readonly vlanBypass: readonly string[] | null;
  };
  readonly bpfClockProbe: boolean;
  readonly cgroup: { readonly autoMount: { readonly enabled: boolean }; readonly hostRoot: string };
  readonly ciliumEndpointSlice: { readonly enabled: boolean };
  readonly cluster: { readonly id: number; readonly name: string };
  readonly clustermesh: {
    readonly maxConnectedClusters: number;
    readonly useAPIServer: boolean;
    readonly enableEndpointSliceSynchronization: boolean;
    readonly enableMCSAPISupport: boolean;
  };
  readonly cni: {
    readonly chainingMode: string | null;
    readonly customConf: boolean;
    readonly exclusive: boolean;
    readonly install: boolean;
    readonly logFile: string;
  };
  readonly crdWaitTimeout: string | null;
  readonly debug: { readonly enabled: boolean; readonly verbose: string | null };
  readonly defaultLBServiceIPAM: string;
  readonly devices: readonly string[] | string | null;
  readonly directRoutingSkipUnreachable: boolean;
  readonly disableEndpointCRD: boolean;
  readonly dnsProxy: {
    readonly dnsRejectResponseCode: string;
    readonly enableDnsCompression: boolean;
    readonly enableTransparentMode: boolean | null;
    readonly endpointMaxIpPerHostname: number;
    readonly idleConnectionGracePeriod: string;
    readonly maxDeferredConnectionDeletes: number;
    readonly minTtl: number;
    readonly preCache: string;
    readonly proxyPort: number;
    readonly proxyResponseMaxDelay: string;
    readonly socketLingerTimeout: number;
  };
  readonly egressGateway: {
    readonly enabled: boolean;
    readonly maxPolicyEntries: number | null;
    readonly reconciliationTriggerInterval: string;
  };
  readonly enableIPv4BIGTCP: boolean;
  readonly enableIPv4Masquerade: boolean;
  readonly enableIPv6BIGTCP: boolean;
  readonly enableIPv6Masquerade: boolean;
  readonly enableLBIPAM: boolean;
  readonly enableMasqueradeRouteSource: boolean;
  readonly enableXTSocketFallback: boolean;
  readonly encryption: { readonly enabled: boolean; readonly type: string };
  readonly endpointHealthChecking: { readonly enabled: boolean };
  readonly endpointRoutes: { readonly enabled: boolean };
  readonly envoy: {
    readonly enabled: boolean;
    readonly baseID: number;
    readonly connectTimeoutSeconds: number;
    readonly idleTimeoutDurationSeconds: number;
    readonly maxConnectionDurationSeconds: number;
    readonly maxRequestsPerConnection: number;
    readonly xffNumTrustedHopsL7PolicyEgress: number;
    readonly xffNumTrustedHopsL7PolicyIngress: number;
  };
  readonly envoyConfig: { readonly enabled: boolean };
  readonly externalIPs: { readonly enabled: boolean };
  readonly gatewayAPI: { readonly enabled: boolean };
  readonly healthChecking: boolean;
  readonly hostFirewall: { readonly enabled: boolean };
  readonly hostPort: { readonly enabled: boolean };
  readonly hubble: {
    readonly enabled: boolean;
    readonly eventBufferCapacity: number | null;
    readonly export: { readonly fileMaxBackups: number; readonly fileMaxSizeMb: number };
    readonly listenAddress: string;
    readonly metrics: { readonly enabled: readonly string[] | null; readonly port: number };
    readonly preferIpv6: boolean;
    readonly relay: { readonly enabled: boolean; readonly replicas: number };
    readonly socketPath: string;
    readonly tls: { readonly enabled: boolean };
    readonly ui: {
      readonly enabled: boolean;
      readonly replicas: number;
      readonly service: { readonly type: string; readonly nodePort: number };
    };
  };
  readonly identityAllocationMode: string;
  readonly image: { readonly repository: string; readonly tag: string | null };
  readonly ingressController: { readonly enabled: boolean };
  readonly installNoConntrackIptablesRules: boolean;
  readonly ipMasqAgent: { readonly enabled: boolean };
  readonly ipam: {
    readonly ciliumNodeUpdateRate: string;
    readonly mode: string;
    readonly operator: {
      readonly clusterPoolIPv4MaskSize: number;
      readonly clusterPoolIPv4PodCIDRList: readonly string[] | string;
      readonly clusterPoolIPv6MaskSize: number;
      readonly clusterPoolIPv6PodCIDRList: readonly string[] | string;
    };
  };
  readonly ipv4: { readonly enabled: boolean };
  readonly ipv4NativeRoutingCIDR: string;
  readonly ipv6: { readonly enabled: boolean };
  readonly ipv6NativeRoutingCIDR: string;
  readonly k8s: { readonly requireIPv4PodCIDR: boolean; readonly requireIPv6PodCIDR: boolean };
  readonly k8sClientRateLimit: { readonly burst: number | null; readonly qps: number | null };
  readonly k8sNetworkPolicy: { readonly enabled: boolean };
  readonly k8sServiceHost: string;
  readonly k8sServicePort: string | number;
  readonly kubeProxyReplacement: string | boolean;
  readonly kubeProxyReplacementHealthzBindAddr: string;
  readonly l2NeighDiscovery: { readonly enabled: boolean; readonly refreshPeriod: string };
  readonly l2announcements: {
    readonly enabled: boolean;
    readonly leaseDuration: string | null;
    readonly leaseRenewDeadline: string | null;
    readonly leaseRetryPeriod: string | null;
  };
  readonly l2podAnnouncements: { readonly enabled: boolean };
  readonly l7Proxy: boolean;
  readonly loadBalancer: {
    readonly acceleration: string;
    readonly algorithm: string | null;
    readonly mode: string | null;
    readonly serviceTopology: boolean | null;
  };
  readonly localRedirectPolicy: boolean;
  readonly nat46x64Gateway: { readonly enabled: boolean };
  readonly nodeIPAM: { readonly enabled: boolean };
  readonly nodePort: {
    readonly addresses: readonly string[] | null;
    readonly autoProtectPortRange: boolean;
    readonly bindProtection: boolean;
    readonly enableHealthCheck: boolean;
    readonly enableHealthCheckLoadBalancerIP: boolean;
    readonly enabled: boolean;
    readonly range: string | null;
  };
  readonly operator: {
    readonly enabled: boolean;
    readonly prometheus: { readonly enabled: boolean; readonly port: number };
    readonly replicas: number;
    readonly rollOutPods: boolean;
  };
  readonly policyCIDRMatchMode: readonly string[] | string | null;
  readonly policyEnforcementMode: string;
  readonly prometheus: { readonly enabled: boolean; readonly port: number };
  readonly rollOutCiliumPods: boolean;
  readonly routingMode: string;
  readonly sctp: { readonly enabled: boolean };
  readonly serviceNoBackendResponse: string;
  readonly socketLB: {
    readonly enabled: boolean;
    readonly hostNamespaceOnly: boolean | null;
    readonly tracing: boolean | null;
    readonly terminatePodConnections: boolean | null;
  };
  readonly synchronizeK8sNodes: boolean;
  readonly tunnelPort: number;
  readonly tunnelProtocol: string;
  readonly vtep: {
    readonly cidr: string;
    readonly enabled: boolean;
    readonly endpoint: string;
    readonly mac: string;
    readonly mask: string;
  };
  readonly wellKnownIdentities: { readonly enabled: boolean };
}

/** Defaults of the chart 1.16 (its values.yaml), as far as they are read here. `null`: not set. */
export const defaultValues: HelmValues = {
  agentNotReadyTaintKey: 'node.cilium.io/agent-not-ready',
  annotateK8sNode: false,
  authentication: { enabled: true, gcInterval: '5m0s', queueSize: 1024, rotatedIdentitiesQueueSize: 1024 },
  autoDirectNodeRoutes: false,
  bandwidthManager: { enabled: false, bbr: false },
  bgpControlPlane: { enabled: false, secretsNamespace: { create: false, name: 'kube-system' }, statusReport: { enabled: true } },
  bpf: {
    autoMount: { enabled: true },
    datapathMode: 'veth',
    enableTCX: true,
    events: { drop: { enabled: true }, policyVerdict: { enabled: true }, trace: { enabled: true } },
    hostLegacyRouting: null,
    lbExternalClusterIP: false,
    lbMapMax: 65536,
    mapDynamicSizeRatio: null,
    masquerade: null,
    monitorAggregation: 'medium',
    monitorFlags: 'all',
    monitorInterval: '5s',
    policyMapMax: 16384,
    preallocateMaps: false,
    root: '/sys/fs/bpf',
    tproxy: null,
    vlanBypass: null,
  },
  bpfClockProbe: false,
  cgroup: { autoMount: { enabled: true }, hostRoot: '/run/cilium/cgroupv2' },
  ciliumEndpointSlice: { enabled: false },
  cluster: { id: 0, name: 'default' },
  clustermesh: { maxConnectedClusters: 255, useAPIServer: false, enableEndpointSliceSynchronization: false, enableMCSAPISupport: false },
  cni: { chainingMode: null, customConf: false, exclusive: true, install: true, logFile: '/var/run/cilium/cilium-cni.log' },
  crdWaitTimeout: null,
  debug: { enabled: false, verbose: null },
  defaultLBServiceIPAM: 'lbipam',
  devices: null,
  directRoutingSkipUnreachable: false,
  disableEndpointCRD: false,
  dnsProxy: {
    dnsRejectResponseCode: 'refused',
    enableDnsCompression: true,
    enableTransparentMode: null,
    endpointMaxIpPerHostname: 50,
    idleConnectionGracePeriod: '0s',
    maxDeferredConnectionDeletes: 10000,
    minTtl: 0,
    preCache: '',
    proxyPort: 0,
    proxyResponseMaxDelay: '100ms',
    socketLingerTimeout: 10,
  },
  egressGateway: { enabled: false, maxPolicyEntries: null, reconciliationTriggerInterval: '1s' },
  enableIPv4BIGTCP: false,
  enableIPv4Masquerade: true,
  enableIPv6BIGTCP: false,
  enableIPv6Masquerade: true,
  enableLBIPAM: true,
  enableMasqueradeRouteSource: false,
  enableXTSocketFallback: true,
  encryption: { enabled: false, type: 'ipsec' },
  endpointHealthChecking: { enabled: true },
  endpointRoutes: { enabled: false },
  envoy: {
    enabled: true,
    baseID: 0,
    connectTimeoutSeconds: 2,
    idleTimeoutDurationSeconds: 60,
    maxConnectionDurationSeconds: 0,
    maxRequestsPerConnection: 0,
    xffNumTrustedHopsL7PolicyEgress: 0,
    xffNumTrustedHopsL7PolicyIngress: 0,
  },
  envoyConfig: { enabled: false },
  externalIPs: { enabled: false },
  gatewayAPI: { enabled: false },
  healthChecking: true,
  hostFirewall: { enabled: false },
  hostPort: { enabled: false },
  hubble: {
    enabled: true,
    eventBufferCapacity: null,
    export: { fileMaxBackups: 5, fileMaxSizeMb: 10 },
    listenAddress: ':4244',
    metrics: { enabled: null, port: 9965 },
    preferIpv6: false,
    relay: { enabled: false, replicas: 1 },
    socketPath: '/var/run/cilium/hubble.sock',
    tls: { enabled: true },
    ui: { enabled: false, replicas: 1, service: { type: 'ClusterIP', nodePort: 31235 } },
  },
  identityAllocationMode: 'crd',
  image: { repository: 'quay.io/cilium/cilium', tag: null },
  ingressController: { enabled: false },
  installNoConntrackIptablesRules: false,
  ipMasqAgent: { enabled: false },
  ipam: {
    ciliumNodeUpdateRate: '15s',
    mode: 'cluster-pool',
    operator: {
      clusterPoolIPv4MaskSize: 24,
      clusterPoolIPv4PodCIDRList: ['10.0.0.0/8'],
      clusterPoolIPv6MaskSize: 120,
      clusterPoolIPv6PodCIDRList: ['fd00::/104'],
    },
  },
  ipv4: { enabled: true },
  ipv4NativeRoutingCIDR: '',
  ipv6: { enabled: false },
  ipv6NativeRoutingCIDR: '',
  k8s: { requireIPv4PodCIDR: false, requireIPv6PodCIDR: false },
  k8sClientRateLimit: { burst: null, qps: null },
  k8sNetworkPolicy: { enabled: true },
  k8sServiceHost: '',
  k8sServicePort: '',
  kubeProxyReplacement: 'false',
  kubeProxyReplacementHealthzBindAddr: '',
  l2NeighDiscovery: { enabled: true, refreshPeriod: '30s' },
  l2announcements: { enabled: false, leaseDuration: null, leaseRenewDeadline: null, leaseRetryPeriod: null },
  l2podAnnouncements: { enabled: false },
  l7Proxy: true,
  loadBalancer: { acceleration: 'disabled', algorithm: null, mode: null, serviceTopology: null },
  localRedirectPolicy: false,
  nat46x64Gateway: { enabled: false },
  nodeIPAM: { enabled: false },
  nodePort: {
    addresses: null,
    autoProtectPortRange: true,
    bindProtection: true,
    enableHealthCheck: true,
    enableHealthCheckLoadBalancerIP: false,
    enabled: false,
    range: null,
  },
  operator: { enabled: true, prometheus: { enabled: true, port: 9963 }, replicas: 2, rollOutPods: false },
  policyCIDRMatchMode: null,
  policyEnforcementMode: 'default',
  prometheus: { enabled: false, port: 9962 },
  rollOutCiliumPods: false,
  routingMode: '',
  sctp: { enabled: false },
  serviceNoBackendResponse: 'reject',
  socketLB: { enabled: false, hostNamespaceOnly: null, tracing: null, terminatePodConnections: null },
  synchronizeK8sNodes: true,
  tunnelPort: 0,
  tunnelProtocol: '',
  vtep: { cidr: '', enabled: false, endpoint: '', mac: '', mask: '' },
  wellKnownIdentities: { enabled: false },
};

/** Types of values whose default is null or that take more than one type, by path. */
const looseTypes: Readonly<Record<string, readonly string[]>> = {
  'bpf.hostLegacyRouting': ['boolean'],
  'bpf.mapDynamicSizeRatio': ['number'],
  'bpf.masquerade': ['boolean'],
  'bpf.tproxy': ['boolean'],
  'bpf.vlanBypass': ['array'],
  'cni.chainingMode': ['string'],
  crdWaitTimeout: ['string'],
  'debug.verbose': ['string'],
  devices: ['array', 'string'],
  'dnsProxy.enableTransparentMode': ['boolean'],
  'egressGateway.maxPolicyEntries': ['integer'],
  'hubble.eventBufferCapacity': ['integer'],
  'hubble.metrics.enabled': ['array'],
  'image.tag': ['string'],
  'ipam.operator.clusterPoolIPv4PodCIDRList': ['array', 'string'],
  'ipam.operator.clusterPoolIPv6PodCIDRList': ['array', 'string'],
  'k8sClientRateLimit.burst': ['integer'],
  'k8sClientRateLimit.qps': ['number'],
  k8sServicePort: ['string', 'integer'],
  kubeProxyReplacement: ['string', 'boolean'],
  'l2announcements.leaseDuration': ['string'],
  'l2announcements.leaseRenewDeadline': ['string'],
  'l2announcements.leaseRetryPeriod': ['string'],
  'loadBalancer.algorithm': ['string'],
  'loadBalancer.mode': ['string'],
  'loadBalancer.serviceTopology': ['boolean'],
  'nodePort.addresses': ['array'],
  'nodePort.range': ['string'],
  policyCIDRMatchMode: ['array', 'string'],
  'socketLB.hostNamespaceOnly': ['boolean'],
  'socketLB.terminatePodConnections': ['boolean'],
  'socketLB.tracing': ['boolean'],
};

/** Values that change what the real system does and that the simulator does not act on, with what is missing. */
const unmodelled: readonly { readonly path: string; readonly missing: string; readonly when: (value: unknown) => boolean }[] = [
  { path: 'encryption.enabled', missing: 'transparent encryption', when: (value) => value === true },
  { path: 'clustermesh.useAPIServer', missing: 'cluster mesh', when: (value) => value === true },
  { path: 'ingressController.enabled', missing: 'the ingress controller', when: (value) => value === true },
  { path: 'gatewayAPI.enabled', missing: 'Gateway API', when: (value) => value === true },
  { path: 'hostFirewall.enabled', missing: 'the host firewall', when: (value) => value === true },
  { path: 'ipMasqAgent.enabled', missing: 'the ip-masq-agent', when: (value) => value === true },
  { path: 'nodeIPAM.enabled', missing: 'node IPAM for services', when: (value) => value === true },
  { path: 'nat46x64Gateway.enabled', missing: 'NAT46/64', when: (value) => value === true },
  { path: 'l2podAnnouncements.enabled', missing: 'L2 announcements of pods', when: (value) => value === true },
  { path: 'localRedirectPolicy', missing: 'local redirect policies', when: (value) => value === true },
  { path: 'ciliumEndpointSlice.enabled', missing: 'CiliumEndpointSlices', when: (value) => value === true },
  { path: 'bandwidthManager.enabled', missing: 'bandwidth limits', when: (value) => value === true },
  { path: 'vtep.enabled', missing: 'VTEP integration', when: (value) => value === true },
  { path: 'cni.chainingMode', missing: 'CNI chaining', when: (value) => typeof value === 'string' && value !== 'none' },
  { path: 'bpf.datapathMode', missing: 'netkit devices (veth is used)', when: (value) => value !== 'veth' },
  { path: 'loadBalancer.mode', missing: 'DSR (SNAT is used)', when: (value) => typeof value === 'string' && value !== 'snat' },
  { path: 'loadBalancer.acceleration', missing: 'XDP acceleration', when: (value) => value !== 'disabled' },
  { path: 'loadBalancer.serviceTopology', missing: 'topology aware routing', when: (value) => value === true },
  { path: 'identityAllocationMode', missing: 'identities in a key-value store', when: (value) => value !== 'crd' },
  { path: 'policyEnforcementMode', missing: 'other enforcement modes than default', when: (value) => value !== 'default' },
  { path: 'sctp.enabled', missing: 'SCTP', when: (value) => value === true },
  { path: 'ipam.mode', missing: 'this IPAM mode', when: (value) => value !== 'kubernetes' && value !== 'cluster-pool' && value !== '' },
  { path: 'eni.enabled', missing: 'AWS ENI', when: (value) => value === true },
  { path: 'azure.enabled', missing: 'Azure IPAM', when: (value) => value === true },
  { path: 'alibabacloud.enabled', missing: 'Alibaba Cloud', when: (value) => value === true },
  { path: 'etcd.enabled', missing: 'a key-value store', when: (value) => value === true },
  { path: 'authentication.mutual.spire.enabled', missing: 'mutual authentication', when: (value) => value === true },
  { path: 'preflight.enabled', missing: 'the pre-flight check', when: (value) => value === true },
  { path: 'nodeinit.enabled', missing: 'node-init', when: (value) => value === true },
];

export interface ReadValues {
  readonly values: HelmValues;
  /** What would change behaviour and is not modelled, a sentence each. */
  readonly unmodelled: readonly string[];
}

type Tree = { readonly [key: string]: unknown };
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function accepts(expected: readonly string[], actual: string): boolean {
  return expected.includes(actual) || (actual === 'integer' && expected.includes('number'));
}

/**
 * Lays the user's values over the chart's defaults. A key that the chart does not know is kept out without a word,
 * as Helm does; a value of another type is refused in the words of Helm's schema check.
 * @throws ContentError
 */
export function readValues(input: unknown): ReadValues {
  if (input !== undefined && input !== null && !isTree(input)) {
    throw new ContentError('cilium/values', `Helm values must be a mapping, not ${typeOf(input)}`);
  }
  const given = input ?? {};
  const problems: string[] = [];
  const lay = (defaults: Tree, own: Tree, path: string): Tree => {
    const merged: Record<string, unknown> = { ...defaults };
    for (const [key, value] of Object.entries(own)) {
      if (!Object.hasOwn(defaults, key) || value === undefined) continue;
      const where = path === '' ? key : `${path}.${key}`;
      const standard = defaults[key];
      // In Helm a null removes the key, so that the template's own default counts.
      if (value === null) continue;
      if (isTree(standard)) {
        if (isTree(value)) merged[key] = lay(standard, value, where);
        else problems.push(`${where}: Invalid type. Expected: object, given: ${typeOf(value)}`);
        continue;
      }
      const expected = looseTypes[where] ?? [typeOf(standard)];
      if (!accepts(expected, typeOf(value))) problems.push(`${where}: Invalid type. Expected: ${expected[0]}, given: ${typeOf(value)}`);
      else merged[key] = value;
    }
    return merged;
  };
  const values = lay(defaultValues as unknown as Tree, given, '') as unknown as HelmValues;
  if (problems.length > 0) {
    throw new ContentError(
      'cilium/values',
      `values don't meet the specifications of the schema(s) in the following chart(s):\ncilium:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
    );
  }
  const replacement = String(values.kubeProxyReplacement);
  if (!['true', 'false', ''].includes(replacement)) {
    throw new ContentError('cilium/values', 'kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.');
  }
  // templates/validate.yaml of the chart
  if (values.hubble.ui.enabled && !values.hubble.relay.enabled)
    throw new ContentError('cilium/values', 'hubble.ui.enabled: Hubble UI requires .Values.hubble.relay.enabled=true');
  for (const [name, text] of [
    ['ipv4NativeRoutingCIDR', values.ipv4NativeRoutingCIDR],
    ['ipv6NativeRoutingCIDR', values.ipv6NativeRoutingCIDR],
  ] as const) {
    // The real agent ends at once with such a value, on every node and for ever.
    if (text !== '' && parsePrefix(text)?.family !== (name.startsWith('ipv4') ? 4 : 6))
      throw new ContentError('cilium/values', `${name}: invalid CIDR address: ${text}`);
  }
  const at = (path: string): unknown => path.split('.').reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), given);
  const notes = unmodelled
    .filter(({ path, when }) => at(path) !== undefined && at(path) !== null && when(at(path)))
    .map(({ path, missing }) => `not simulated: ${missing} (Helm value ${path}=${JSON.stringify(at(path))})`);
  return { values, unmodelled: notes };
}
