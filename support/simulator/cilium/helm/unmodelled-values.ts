import { isTree, type Tree } from './chart-defaults.ts';

interface Gap {
  readonly path: string;
  readonly missing: string;
  readonly when: (value: unknown) => boolean;
}

const on = (path: string, missing: string): Gap => ({ path, missing, when: (value) => value === true });
const given = (path: string, missing: string): Gap => ({
  path,
  missing,
  when: (value) => value !== '' && value !== 0 && value !== false && !(Array.isArray(value) && value.length === 0),
});

/** Values that change what the real system does and that the simulator does not act on, with what is missing. */
const gaps: readonly Gap[] = [
  on('encryption.enabled', 'transparent encryption'),
  on('clustermesh.useAPIServer', 'cluster mesh'),
  on('clustermesh.config.enabled', 'cluster mesh'),
  on('ingressController.enabled', 'the ingress controller'),
  on('gatewayAPI.enabled', 'Gateway API'),
  on('envoyConfig.enabled', 'Envoy configuration resources'),
  on('hostFirewall.enabled', 'the host firewall'),
  on('ipMasqAgent.enabled', 'the ip-masq-agent'),
  on('nodeIPAM.enabled', 'node IPAM for services'),
  on('nat46x64Gateway.enabled', 'NAT46/64'),
  on('l2podAnnouncements.enabled', 'L2 announcements of pods'),
  on('localRedirectPolicy', 'local redirect policies'),
  on('localRedirectPolicies.enabled', 'local redirect policies'),
  on('ciliumEndpointSlice.enabled', 'CiliumEndpointSlices'),
  on('bandwidthManager.enabled', 'bandwidth limits'),
  on('vtep.enabled', 'VTEP integration'),
  { path: 'cni.chainingMode', missing: 'CNI chaining', when: (value) => typeof value === 'string' && value !== 'none' },
  given('cni.chainingTarget', 'CNI chaining'),
  { path: 'bpf.datapathMode', missing: 'netkit devices (veth is used)', when: (value) => value !== 'veth' },
  on('bpf.ctAccounting', 'counters of tracked connections'),
  on('bpf.lbExternalClusterIP', 'ClusterIPs that answer from outside'),
  { path: 'loadBalancer.mode', missing: 'DSR (SNAT is used)', when: (value) => typeof value === 'string' && value !== 'snat' },
  { path: 'loadBalancer.acceleration', missing: 'XDP acceleration', when: (value) => value !== 'disabled' },
  { path: 'loadBalancer.l7.backend', missing: 'load balancing at layer 7', when: (value) => value === 'envoy' },
  on('loadBalancer.serviceTopology', 'topology aware routing'),
  on('loadBalancer.standalone', 'the stand-alone load balancer'),
  { path: 'identityAllocationMode', missing: 'identities in a key-value store', when: (value) => value !== 'crd' },
  on('policyAuditMode', 'the policy audit mode (policies are enforced)'),
  given('policyCIDRMatchMode', 'CIDR policies that match nodes'),
  { path: 'k8sNetworkPolicy.enabled', missing: 'turning NetworkPolicy off', when: (value) => value === false },
  on('sctp.enabled', 'SCTP'),
  {
    path: 'ipam.mode',
    missing: 'this IPAM mode',
    when: (value) => !['kubernetes', 'cluster-pool', 'multi-pool', ''].includes(String(value)),
  },
  given('nodePort.addresses', 'a choice of addresses for node ports (all of a node serve)'),
  given('nodePort.directRoutingDevice', 'a chosen direct routing device'),
  given('egressMasqueradeInterfaces', 'masquerading at chosen interfaces'),
  on('enableMasqueradeRouteSource', 'masquerading to the source of the route'),
  given('MTU', 'a chosen MTU'),
  { path: 'underlayProtocol', missing: 'tunnels over IPv6', when: (value) => value === 'ipv6' },
  on('hubble.export.static.enabled', 'export of flows to files'),
  on('hubble.export.dynamic.enabled', 'export of flows to files'),
  on('hubble.redact.enabled', 'redaction of flows'),
  on('hubble.dropEventEmitter.enabled', 'Kubernetes events of drops'),
  on('eni.enabled', 'AWS ENI'),
  on('azure.enabled', 'Azure IPAM'),
  on('alibabacloud.enabled', 'Alibaba Cloud'),
  on('gke.enabled', 'GKE'),
  on('aksbyocni.enabled', 'AKS'),
  on('etcd.enabled', 'a key-value store'),
  on('authentication.mutual.spire.enabled', 'mutual authentication'),
  on('preflight.enabled', 'the pre-flight check'),
  on('nodeinit.enabled', 'node-init'),
  { path: 'agent', missing: 'an installation without agents', when: (value) => value === false },
  given('extraArgs', "the agent's further arguments"),
  given('operator.extraArgs', "the operator's further arguments"),
];

/** Keys of the ConfigMap that some part of the simulator acts on: through `extraConfig` they work as well. */
const keysThatAct: ReadonlySet<string> = new Set([
  'agent-not-ready-taint-key',
  'auto-create-cilium-pod-ip-pools',
  'auto-direct-node-routes',
  'bgp-secrets-namespace',
  'bpf-lb-algorithm',
  'bpf-lb-proto-diff',
  'bpf-lb-sock',
  'bpf-lb-sock-hostns-only',
  'cluster-name',
  'cluster-pool-ipv4-cidr',
  'cluster-pool-ipv4-mask-size',
  'cluster-pool-ipv6-cidr',
  'cluster-pool-ipv6-mask-size',
  'debug',
  'debug-verbose',
  'default-lb-service-ipam',
  'devices',
  'egress-gateway-reconciliation-trigger-interval',
  'enable-bgp-control-plane',
  'enable-bgp-control-plane-status-report',
  'enable-bpf-masquerade',
  'enable-egress-gateway',
  'enable-endpoint-health-checking',
  'enable-health-check-nodeport',
  'enable-health-checking',
  'enable-host-legacy-routing',
  'enable-hubble',
  'enable-ipv4',
  'enable-ipv4-egress-gateway',
  'enable-ipv4-masquerade',
  'enable-ipv6',
  'enable-ipv6-masquerade',
  'enable-l2-announcements',
  'enable-lb-ipam',
  'enable-node-port',
  'enable-policy',
  'hubble-event-buffer-capacity',
  'hubble-disable-tls',
  'hubble-listen-address',
  'ipam',
  'ipam-default-ip-pool',
  'ipam-multi-pool-pre-allocation',
  'ipv4-native-routing-cidr',
  'ipv6-native-routing-cidr',
  'kube-proxy-replacement',
  'l2-announcements-lease-duration',
  'l2-announcements-renew-deadline',
  'l2-announcements-retry-period',
  'labels',
  'monitor-aggregation',
  'monitor-aggregation-interval',
  'node-port-range',
  'routing-mode',
  'service-no-backend-response',
  'trace-sock',
  'tunnel-port',
  'tunnel-protocol',
]);

/** What of the user's values would change behaviour and is not modelled, a sentence each. */
export function unmodelledValues(values: Tree): readonly string[] {
  const at = (path: string): unknown => path.split('.').reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), values);
  const notes = gaps
    .filter(({ path, when }) => at(path) !== undefined && at(path) !== null && when(at(path)))
    .map(({ path, missing }) => `not simulated: ${missing} (Helm value ${path}=${JSON.stringify(at(path))})`);
  const extra = values['extraConfig'];
  for (const [key, value] of Object.entries(isTree(extra) ? extra : {})) {
    if (!keysThatAct.has(key)) notes.push(`not simulated: the option ${key} (Helm value extraConfig.${key}=${JSON.stringify(value)})`);
  }
  return notes;
}
