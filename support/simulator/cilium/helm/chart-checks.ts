import { parseGoDuration } from '../time.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { type HelmValues, isTree, type Tree } from './chart-defaults.ts';
import { wasInstalledWith } from './chart-releases.ts';

const at = (given: Tree, path: string): unknown =>
  path.split('.').reduce<unknown>((node, key) => (isTree(node) ? node[key] : undefined), given);

interface Check {
  /** Minor releases whose chart has the check; without one: all from 1.16 on. */
  readonly since?: number;
  readonly until?: number;
  readonly text: string;
  readonly isHit: (values: HelmValues, given: Tree) => boolean;
}

const seeUpgradeNotes = (release: string): string =>
  `For details please refer to https://docs.cilium.io/en/${release}/operations/upgrade/#helm-options`;

/** Values of older charts. What is asked is whether the user gave them, for these charts have no defaults of them. */
const gone = (names: readonly string[], text: string, release: string, since = 17): Check => ({
  since,
  text: `${text} ${seeUpgradeNotes(release)}`,
  isHit: (_values, given) => names.some((name) => Boolean(at(given, name))),
});

const usesEnvoy = ({ ingressController, gatewayAPI, loadBalancer }: HelmValues): boolean =>
  ingressController.enabled || gatewayAPI.enabled || loadBalancer.l7.backend === 'envoy';

/** What the templates refuse with `fail`, in their words (templates/validate.yaml, cilium-configmap.yaml). */
const checks: readonly Check[] = [
  gone(['enableCiliumEndpointSlice'], 'enableCiliumEndpointSlice was deprecated in v1.16 and has been removed in v1.18.', 'v1.18', 18),
  gone(['ciliumEndpointSlice.sliceMode'], 'ciliumEndpointSlice.sliceMode has been removed in v1.18.', 'v1.18', 18),
  gone(
    ['encryption.keyFile', 'encryption.mountPath', 'encryption.secretName', 'encryption.interface'],
    'encryption.{keyFile,mountPath,secretName,interface} were deprecated in v1.14 and has been removed in v1.16.',
    'v1.16',
  ),
  gone(['endpointStatus'], 'endpointStatus has been removed in v1.16.', 'v1.16'),
  gone(['remoteNodeIdentity'], 'remoteNodeIdentity was deprecated in v1.15 and has been removed in v1.16.', 'v1.16'),
  gone(['containerRuntime.integration'], 'containerRuntime.integration was deprecated in v1.14 and has been removed in v1.16.', 'v1.16'),
  gone(['etcd.managed'], 'etcd.managed was deprecated in v1.10 has been removed in v1.16.', 'v1.16'),
  gone(['tunnel'], 'tunnel was deprecated in v1.14 and has been removed in v1.15.', 'v1.15'),
  gone(['enableK8sEventHandover'], 'enableK8sEventHandover was deprecated in v1.14 and has been removed in v1.15.', 'v1.15'),
  gone(['enableCnpStatusUpdates'], 'enableCnpStatusUpdates was deprecated in v1.14 and has been removed in v1.15.', 'v1.15'),
  {
    since: 18,
    text: 'Both k8sServiceHostRef and k8sServiceHost are set. Please set only one of them.',
    isHit: ({ k8sServiceHost }, given) =>
      k8sServiceHost !== '' && Boolean(at(given, 'k8sServiceHostRef.name')) && Boolean(at(given, 'k8sServiceHostRef.key')),
  },
  {
    text: 'Hubble UI requires .Values.hubble.relay.enabled=true',
    isHit: ({ hubble }) => hubble.ui.enabled && !hubble.ui.standalone.enabled && !hubble.relay.enabled,
  },
  {
    text: 'Hubble Relay requires .Values.hubble.enabled=true',
    isHit: ({ hubble }) => hubble.relay.enabled && !hubble.enabled,
  },
  {
    text: 'Hubble TLS certgen method=certmanager requires that user specifies .Values.hubble.tls.auto.certManagerIssuerRef',
    isHit: ({ hubble: { enabled, tls } }) =>
      enabled &&
      tls.enabled &&
      tls.auto.enabled &&
      tls.auto.method === 'certmanager' &&
      Object.keys(tls.auto.certManagerIssuerRef).length === 0,
  },
  {
    text: 'Only one of .Values.hubble.redact.http.headers.allow, .Values.hubble.redact.http.headers.deny can be specified',
    isHit: ({ hubble: { redact } }) => redact.http.headers.allow.length > 0 && redact.http.headers.deny.length > 0,
  },
  {
    text: "Ingress or Gateway API controller or Envoy L7 Load Balancer  requires .Values.l7Proxy to be set to 'true'",
    isHit: (values) => usesEnvoy(values) && !values.l7Proxy,
  },
  {
    text: "Cilium Ingress services of type 'LoadBalancer' or 'NodePort' need an externalTrafficPolicy set to 'Cluster' or 'Local'.",
    isHit: ({ ingressController: { enabled, service } }) =>
      enabled && ['LoadBalancer', 'NodePort'].includes(service.type) && !['Cluster', 'Local'].includes(service.externalTrafficPolicy),
  },
  {
    text: "Cilium GatewayAPI needs an externalTrafficPolicy set to 'Cluster' or 'Local'.",
    isHit: ({ gatewayAPI }) => gatewayAPI.enabled && !['Cluster', 'Local'].includes(gatewayAPI.externalTrafficPolicy),
  },
  {
    text: 'SPIRE integration requires .Values.authentication.enabled=true and .Values.authentication.mutual.spire.enabled=true',
    isHit: ({ authentication }) => authentication.mutual.spire.enabled && !authentication.enabled,
  },
  {
    text: 'if Cilium Endpoint Slice is enabled (.Values.ciliumEndpointSlice.enabled=true), it requires .Values.disableEndpointCRD=false',
    isHit: (values) => values.ciliumEndpointSlice.enabled && values.disableEndpointCRD,
  },
  { text: 'The cluster name is invalid: cannot be empty', isHit: ({ cluster }) => cluster.name === '' },
  ...(
    [
      ['must not be more than 32 characters', (name) => name.length > 32],
      [
        "must consist of lower case alphanumeric characters and '-', and must start and end with an alphanumeric character",
        (name) => !/^([a-z0-9][-a-z0-9]*)?[a-z0-9]$/.test(name),
      ],
    ] as readonly (readonly [string, (name: string) => boolean])[]
  ).flatMap(([text, isHit]): Check[] => [
    {
      until: 16,
      text: `The cluster name is invalid: ${text}. Configure 'upgradeCompatibility' to 1.15 or earlier to temporarily skip this check at your own risk`,
      isHit: ({ cluster, upgradeCompatibility }) => wasInstalledWith({ upgradeCompatibility }, 16) && isHit(cluster.name),
    },
    { since: 17, text: `The cluster name is invalid: ${text}`, isHit: ({ cluster }) => isHit(cluster.name) },
  ]),
  {
    text: 'The cluster name is invalid: cannot use default value with cluster.id != 0',
    isHit: ({ cluster }) => cluster.name === 'default' && cluster.id !== 0,
  },
  {
    text: 'max-connected-clusters must be set to 255 or 511',
    isHit: ({ clustermesh }) => clustermesh.maxConnectedClusters !== 255 && clustermesh.maxConnectedClusters !== 511,
  },
  {
    text: 'envoy.baseID must be an int. Supported values 0 - 4294967295',
    isHit: ({ envoy }) => envoy.baseID < 0 || envoy.baseID > 4294967295,
  },
  {
    since: 19,
    text: '.Values.bpf.tproxy cannot be enabled with .Values.bpf.datapathMode=netkit or .Values.bpf.datapathMode=netkit-l2',
    isHit: ({ bpf }) => bpf.tproxy === true && ['netkit', 'netkit-l2'].includes(bpf.datapathMode),
  },
  {
    text: 'kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.',
    isHit: ({ kubeProxyReplacement }) => !['true', 'false', ''].includes(String(kubeProxyReplacement)),
  },
  {
    since: 18,
    text: ' ipv4NativeRoutingCIDR must be set when routingMode is native',
    // Since 1.18 masquerading has no default of its own, so that only who turns it on by name is asked.
    isHit: (values, given) =>
      values.routingMode === 'native' &&
      values.ipv4.enabled &&
      at(given, 'enableIPv4Masquerade') === true &&
      !values.ipMasqAgent.enabled &&
      !['eni', 'alibabacloud'].includes(values.ipam.mode) &&
      values.ipv4NativeRoutingCIDR === '',
  },
  {
    since: 18,
    text: 'ipv6NativeRoutingCIDR must be set when routingMode is native',
    isHit: (values) =>
      values.routingMode === 'native' &&
      values.ipv6.enabled &&
      values.enableIPv6Masquerade &&
      !values.ipMasqAgent.enabled &&
      values.ipv6NativeRoutingCIDR === '',
  },
  ...([4, 6] as const).map(
    (family): Check => ({
      until: 18,
      text: `Value ipam.operator.clusterPoolIPv${family}PodCIDR removed, use ipam.operator.clusterPoolIPv${family}PodCIDRList instead`,
      isHit: (values, given) =>
        (values.ipam.mode || 'cluster-pool') === 'cluster-pool' &&
        values[family === 4 ? 'ipv4' : 'ipv6'].enabled &&
        at(given, `ipam.operator.clusterPoolIPv${family}PodCIDR`) !== undefined,
    }),
  ),
  {
    until: 16,
    text: 'BGP was enabled, but no announcements were enabled. Please enable one or more announcements.',
    isHit: ({ bgp }) => bgp.enabled && !bgp.announce.loadbalancerIP && !bgp.announce.podCIDR,
  },
  {
    text: 'Cannot have operator.setNodeTaintsMaxNodes and not operator.removeNodeTaints = false',
    isHit: ({ operator }) => operator.setNodeTaints === true && !operator.removeNodeTaints,
  },
];

/** Texts that the templates read as durations (validateDuration). */
const durations = [
  'authentication.gcInterval',
  'bpf.monitorInterval',
  'conntrackGCInterval',
  'conntrackGCMaxInterval',
  'crdWaitTimeout',
  'envoyConfig.retryInterval',
  'identityChangeGracePeriod',
  'ipam.ciliumNodeUpdateRate',
  'operator.endpointGCInterval',
  'operator.identityGCInterval',
  'operator.identityHeartbeatTimeout',
  'operator.nodeGCInterval',
] as const;

/**
 * Why Helm would not render the chart with these values; undefined when it would.
 * @param given what the user wrote, without the defaults
 */
export function chartProblem(values: HelmValues, given: Tree, version: CiliumVersion): string | undefined {
  const minor = [19, 18, 17].find((candidate) => isAtLeast(version, candidate)) ?? 16;
  const hit = checks.find(({ since = 16, until = 99, isHit }) => minor >= since && minor <= until && isHit(values, given));
  if (hit !== undefined) return hit.text;
  for (const path of durations) {
    const text = at(values as unknown as Tree, path);
    if (typeof text !== 'string' || text === '' || parseGoDuration(text) !== undefined) continue;
    return `${path}: error calling mustDateModify: time: invalid duration ${JSON.stringify(text)}`;
  }
  // What a ConfigMap takes are texts; the chart writes these as they stand.
  for (const value of Object.values(values.extraConfig)) {
    if (typeof value !== 'string') return notText(value);
  }
  const entries = values.egressGateway.maxPolicyEntries;
  return entries !== null && version.minor === 16 && version.patch < 4 ? notText(entries) : undefined;
}

function notText(value: unknown): string {
  const kind = typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'bool' : Array.isArray(value) ? 'array' : 'object';
  return `ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal ${kind} into Go struct field ConfigMap.data of type string`;
}
