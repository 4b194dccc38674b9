import type { BgpFamily } from '../../../bgp/types.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { contains, parsePrefix } from '../../../net/address.ts';
import type { Prefix } from '../../../net/types.ts';
import type { CiliumNode, LoadBalancerIpPool, PodIpPool } from '../../objects.ts';
import { blocksOf, rangeOfBlock } from '../../operator/lb-ipam/pool-ranges.ts';
import { selects, serviceSelectorLabels } from '../../selector.ts';
import { type AddressType, asPrefix, serviceAddresses } from './announcements.ts';
import { type CommunityFields, parseCommunities, parseLargeCommunities } from './communities.ts';
import type { Announcement, DesiredInstance, DesiredState, PeerRule, ServiceSurroundings } from './desired.ts';
import { exportPolicies } from './route-policies.ts';
import { parseRouterAnnotation, resolveRouterId } from './router-id.ts';

interface PathAttributesSpec {
  readonly selectorType: 'PodCIDR' | 'CiliumLoadBalancerIPPool' | 'CiliumPodIPPool' | 'CPIP';
  readonly selector?: LabelSelector;
  readonly communities?: CommunityFields;
  readonly localPreference?: number;
}

export interface Neighbor {
  readonly peerAddress: string;
  readonly peerASN: number;
  readonly peerPort?: number;
  readonly connectRetryTimeSeconds?: number;
  readonly holdTimeSeconds?: number;
  readonly keepAliveTimeSeconds?: number;
  readonly eBGPMultihopTTL?: number;
  readonly gracefulRestart?: { readonly enabled: boolean; readonly restartTimeSeconds?: number };
  readonly families?: readonly { readonly afi: string; readonly safi: string }[];
  readonly authSecretRef?: string;
  readonly advertisedPathAttributes?: readonly PathAttributesSpec[];
}

export interface VirtualRouter {
  readonly localASN: number;
  readonly exportPodCIDR?: boolean;
  readonly podIPPoolSelector?: LabelSelector;
  readonly serviceSelector?: LabelSelector;
  readonly serviceAdvertisements?: readonly AddressType[];
  readonly neighbors: readonly Neighbor[];
}

export interface PeeringPolicy extends KubernetesObject {
  readonly spec?: { readonly nodeSelector?: LabelSelector; readonly virtualRouters?: readonly VirtualRouter[] };
}

/** What the planning of a node's speakers reads besides the policies. */
export interface NodeView {
  readonly node: CiliumNode;
  readonly ipam: string;
  /** In IPAM mode `multi-pool`; in others nobody knows of pools. */
  podPools(): readonly PodIpPool[];
  /** The password of a secret in the BGP namespace; undefined when there is none. */
  password(secret: string): string | undefined;
}

/** Policies that match a node by the labels of its CiliumNode. */
export function matchingPolicies(policies: readonly PeeringPolicy[], node: CiliumNode): readonly PeeringPolicy[] {
  return policies.filter((policy) => selects(policy.spec?.nodeSelector, node.metadata.labels ?? {}, 'all'));
}

/** Only unicast does anything; of the families a neighbor names, in its order. Default: both, IPv4 first (v1) or last (v2). */
export function unicastFamilies(
  families: readonly { readonly afi: string; readonly safi: string }[] | undefined,
  standard: readonly BgpFamily[] = ['ipv4-unicast', 'ipv6-unicast'],
): readonly BgpFamily[] {
  if (families === undefined || families.length === 0) return standard;
  const known = families.filter(({ afi, safi }) => safi === 'unicast' && (afi === 'ipv4' || afi === 'ipv6'));
  return [...new Set(known.map(({ afi }): BgpFamily => (afi === 'ipv4' ? 'ipv4-unicast' : 'ipv6-unicast')))];
}

/**
 * What a node's peering policies ask for (Controller.Reconcile in pkg/bgpv1/agent). Two matching policies, or one that is refused, end
 * the reconciliation: what ran so far goes on untouched, whatever the documentation says of disconnecting.
 */
export function planPolicies(policies: readonly PeeringPolicy[], view: NodeView): DesiredState | undefined {
  const matching = matchingPolicies(policies, view.node);
  const [policy] = matching;
  if (policy === undefined) return undefined;
  if (matching.length > 1) {
    const message =
      "more then one CiliumBGPPeeringPolicy applies to this node, please ensure only a single Policy matches this node's labels";
    return {
      source: 'v1',
      instances: [],
      keeps: true,
      problems: [{ message: 'bgp peering policy selection failed', fields: { error: message } }, failed(message)],
    };
  }
  const refusal = policyProblem(policy);
  if (refusal !== undefined) return { source: 'v1', instances: [], keeps: true, endsV2: true, problems: [failed(refusal)] };
  const instances: DesiredInstance[] = [];
  const problems: DesiredState['problems'][number][] = [];
  const routers = policy.spec?.virtualRouters ?? [];
  // reconcileDiff ends, unheard, at the second router of a local ASN: what follows is not seen, and nothing is withdrawn.
  const end = routers.findIndex(({ localASN }, index) => routers.findIndex((other) => other.localASN === localASN) < index);
  for (const router of end < 0 ? routers : routers.slice(0, end)) {
    const instance = planRouter(router, view, (error) =>
      problems.push({ message: `Encountered error reconciling virtual router with local ASN ${router.localASN}`, fields: { error } }),
    );
    if ('problem' in instance)
      problems.push({
        message: `Error while registering new BGP server for local ASN ${router.localASN}.`,
        fields: { component: 'manager.add', error: instance.problem },
        instance: String(router.localASN),
      });
    else instances.push(instance);
  }
  return { source: 'v1', instances, keeps: false, ...(end < 0 ? {} : { withdraws: false }), problems };
}

function failed(error: string): DesiredState['problems'][number] {
  return { message: 'Encountered error during reconciliation', fields: { component: 'Controller.Run', error } };
}

/** Rules that the schema does not know; a policy that breaks one is refused as a whole. */
export function policyProblem(policy: PeeringPolicy): string | undefined {
  for (const { neighbors } of policy.spec?.virtualRouters ?? []) {
    for (const { peerAddress, peerASN, holdTimeSeconds = 90, keepAliveTimeSeconds = 30 } of neighbors) {
      if (keepAliveTimeSeconds > holdTimeSeconds) {
        return `invalid BGP peering policy ${policy.metadata.name}: KeepAliveTimeSeconds larger than HoldTimeSeconds for peer ASN:${peerASN} IP:${peerAddress}`;
      }
    }
  }
  return undefined;
}

function planRouter(
  router: VirtualRouter,
  view: NodeView,
  complain: (error: string) => void,
): DesiredInstance | { readonly problem: string } {
  const annotation = parseRouterAnnotation(view.node.metadata.annotations ?? {}, router.localASN);
  if ('problem' in annotation) return annotation;
  const routerId = resolveRouterId(view.node, annotation, router.localASN);
  if ('problem' in routerId) return routerId;
  const peers: DesiredInstance['peers'][number][] = [];
  for (const neighbor of router.neighbors) {
    const address = addressOf(neighbor);
    if (address === undefined) continue;
    const password = neighbor.authSecretRef === undefined ? undefined : view.password(neighbor.authSecretRef);
    if (password === '') {
      complain(
        `reconciliation of virtual router with local ASN ${router.localASN} failed: failed fetching password for neighbor ${neighbor.peerAddress} ${neighbor.peerASN}: failed to fetch secret "${neighbor.authSecretRef}": missing password key`,
      );
      continue;
    }
    peers.push({
      name: neighbor.peerAddress,
      address,
      remoteAs: neighbor.peerASN,
      port: neighbor.peerPort ?? 179,
      families: unicastFamilies(neighbor.families),
      holdTimeSeconds: neighbor.holdTimeSeconds ?? 90,
      keepaliveSeconds: neighbor.keepAliveTimeSeconds ?? 30,
      connectRetrySeconds: neighbor.connectRetryTimeSeconds ?? 120,
      multihopTtl: neighbor.eBGPMultihopTTL ?? 1,
      extendedNextHop: true,
      ...(password === undefined ? {} : { password }),
      ...(neighbor.gracefulRestart?.enabled === true
        ? { gracefulRestart: { restartTimeSeconds: neighbor.gracefulRestart.restartTimeSeconds ?? 120 } }
        : {}),
    });
  }
  const podCidrs = (view.node.spec?.ipam?.podCIDRs ?? []).map(parsePrefix).filter((network) => network !== undefined);
  const exportsPodCidrs = router.exportPodCIDR === true && (view.ipam === 'kubernetes' || view.ipam === 'cluster-pool');
  return {
    name: String(router.localASN),
    localAsn: router.localASN,
    routerId,
    listenPort: annotation.localPort !== undefined && annotation.localPort > 0 ? annotation.localPort : undefined,
    peers,
    exportsByDefault: true,
    addressTypes: new Set(router.serviceAdvertisements ?? ['LoadBalancerIP']),
    exportPolicies: (pools) => exportPolicies(router, view, pools),
    podCidrs() {
      const ofPools = poolPrefixes(view, (labels) => selects(router.podIPPoolSelector, labels, 'none')).map(({ pool, prefix }) => ({
        prefix,
        rules: rulesFor(router, 'CiliumPodIPPool', (spec) => selects(spec.selector, pool.metadata.labels ?? {}, 'all')),
      }));
      if (!exportsPodCidrs) return ofPools;
      const ofNode = podCidrs.map((prefix) => ({
        prefix,
        rules: rulesFor(router, 'PodCIDR', (spec) => selects(spec.selector, view.node.metadata.labels ?? {}, 'all')),
      }));
      return [...ofNode, ...ofPools];
    },
    service(service, surroundings) {
      if (!selects(router.serviceSelector, serviceSelectorLabels(service), 'none')) return [];
      const found = new Map<string, Announcement>();
      for (const type of router.serviceAdvertisements ?? ['LoadBalancerIP']) {
        for (const address of serviceAddresses(service, type, surroundings.hasLocalBackend)) {
          const prefix = asPrefix(address);
          const rules = type === 'LoadBalancerIP' ? poolRules(router, prefix, surroundings) : new Map();
          if (!found.has(prefix.text)) found.set(prefix.text, { prefix, rules });
        }
      }
      return [...found.values()];
    },
  };
}

/** CIDRs that the node has of the pods' pools that are selected, by their labels and `io.cilium.podippool.name`. */
export function poolPrefixes(
  { node, podPools }: NodeView,
  isSelected: (labels: Readonly<Record<string, string>>) => boolean,
): readonly { readonly pool: PodIpPool; readonly prefix: Prefix }[] {
  const allocated = node.spec?.ipam?.pools?.allocated ?? [];
  if (allocated.length === 0) return [];
  return podPools().flatMap((pool) => {
    const { name, labels } = pool.metadata;
    if (!isSelected({ ...labels, 'io.cilium.podippool.name': name, 'io.cilium.podippool.namespace': '' })) return [];
    const cidrs = allocated.filter((own) => own.pool === name).flatMap((own) => own.cidrs ?? []);
    return cidrs.flatMap((text) => parsePrefix(text) ?? []).map((prefix) => ({ pool, prefix }));
  });
}

function addressOf({ peerAddress }: Neighbor) {
  const slash = peerAddress.indexOf('/');
  // Only the address counts; parsePrefix would mask it, so the length is set to that of a host.
  const host = parsePrefix(`${peerAddress.slice(0, slash < 0 ? undefined : slash)}/${peerAddress.includes(':') ? 128 : 32}`);
  return host?.address;
}

function rulesFor(
  router: VirtualRouter,
  type: PathAttributesSpec['selectorType'],
  matches: (spec: PathAttributesSpec) => boolean,
): ReadonlyMap<string, readonly PeerRule[]> {
  const rules = new Map<string, PeerRule[]>();
  for (const neighbor of router.neighbors) {
    const address = addressOf(neighbor);
    if (address === undefined) continue;
    for (const spec of neighbor.advertisedPathAttributes ?? []) {
      if (spec.selectorType !== type || !matches(spec)) continue;
      const own = rules.get(address.text) ?? [];
      own.push({
        policyName: `${neighbor.peerAddress}-${type}`,
        communities: parseCommunities(spec.communities),
        largeCommunities: parseLargeCommunities(spec.communities),
        localPref: spec.localPreference,
      });
      rules.set(address.text, own);
    }
  }
  return rules;
}

function poolRules(router: VirtualRouter, prefix: Prefix, { pools }: ServiceSurroundings): ReadonlyMap<string, readonly PeerRule[]> {
  if (!router.neighbors.some(({ advertisedPathAttributes = [] }) => advertisedPathAttributes.length > 0)) return new Map();
  const holders = pools().filter((pool) => isInPool(prefix, pool));
  return rulesFor(router, 'CiliumLoadBalancerIPPool', (spec) =>
    holders.some((pool) => selects(spec.selector, pool.metadata.labels ?? {}, 'all')),
  );
}

function isInPool({ address }: Prefix, pool: LoadBalancerIpPool): boolean {
  return blocksOf(pool).some((block) => {
    const cidr = block.cidr === undefined ? undefined : parsePrefix(block.cidr);
    if (cidr !== undefined) return contains(cidr, address);
    const range = rangeOfBlock(block);
    return (
      !('problem' in range) && range.from.family === address.family && range.from.value <= address.value && address.value <= range.to.value
    );
  });
}
