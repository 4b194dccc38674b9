import type { Service } from '../../../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { contains, hostPrefix, parseIp, parsePrefix, prefixOf } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import type { BgpNodeConfig } from '../../operator/bgp-node-configs.ts';
import { blocksOf } from '../../operator/lb-ipam/pool-ranges.ts';
import { selects, serviceSelectorLabels } from '../../selector.ts';
import type { CiliumVersion } from '../../types.ts';
import { isAtLeast, isBefore } from '../../version.ts';
import { type AddressType, serviceAddresses } from './announcements.ts';
import { type CommunityFields, parseCommunities, parseLargeCommunities } from './communities.ts';
import type { Announcement, DesiredInstance, DesiredState, PeerRule } from './desired.ts';
import { type NodeView, poolPrefixes, unicastFamilies } from './peering-policy.ts';
import { parseRouterAnnotation, resolveRouterId } from './router-id.ts';

export interface BgpPeerConfigObject extends KubernetesObject {
  readonly spec?: {
    readonly transport?: { readonly localPort?: number; readonly peerPort?: number };
    readonly timers?: {
      readonly connectRetryTimeSeconds?: number;
      readonly holdTimeSeconds?: number;
      readonly keepAliveTimeSeconds?: number;
    };
    readonly authSecretRef?: string;
    readonly gracefulRestart?: { readonly enabled: boolean; readonly restartTimeSeconds?: number };
    readonly ebgpMultihop?: number;
    readonly families?: readonly { readonly afi: string; readonly safi: string; readonly advertisements?: LabelSelector }[];
  };
}

interface AdvertisementItem {
  readonly advertisementType: 'PodCIDR' | 'CiliumPodIPPool' | 'Service' | 'Interface';
  readonly service?: {
    readonly addresses: readonly AddressType[];
    readonly aggregationLengthIPv4?: number;
    readonly aggregationLengthIPv6?: number;
  };
  readonly interface?: { readonly name: string };
  readonly selector?: LabelSelector;
  readonly attributes?: { readonly communities?: CommunityFields; readonly localPreference?: number };
}

export interface BgpAdvertisement extends KubernetesObject {
  readonly spec?: { readonly advertisements?: readonly AdvertisementItem[] };
}

export interface NodeConfigView extends NodeView {
  readonly nodeConfig: BgpNodeConfig | undefined;
  readonly peerConfigs: ReadonlyMap<string, BgpPeerConfigObject>;
  readonly advertisements: readonly BgpAdvertisement[];
  readonly version: CiliumVersion;
  /** Of the node's default routes of a family, the gateway of the one with the lowest metric. */
  readonly defaultGateway: (family: 4 | 6) => Ip | undefined;
  /** Addresses of an interface of the node that can be announced. */
  readonly interfaceAddresses: (name: string) => readonly Ip[];
  /** The password of a secret in the BGP namespace; undefined when there is no such secret, empty when it has no password. */
  readonly secretPassword: (secret: string) => string | undefined;
  /** The last four bytes of the MAC address of `cilium_host`. */
  readonly macRouterId: () => Ip | undefined;
}

/** Items of a peer that concern one family. */
interface PeerAdvertisements {
  readonly peerName: string;
  readonly address: string;
  readonly byFamily: ReadonlyMap<4 | 6, readonly AdvertisementItem[]>;
}

/** What a node's CiliumBGPNodeConfig asks for (section 2 of the BGP reference). */
export function planNodeConfig(view: NodeConfigView): DesiredState {
  const instances: DesiredInstance[] = [];
  const problems: DesiredState['problems'][number][] = [];
  let usesDevices = false;
  for (const instance of view.nodeConfig?.spec?.bgpInstances ?? []) {
    if (instance.localASN === undefined) {
      problems.push({ ...failure(instance.name, 'local ASN must be specified'), instance: instance.name });
      continue;
    }
    const localAsn = instance.localASN;
    const annotation = parseRouterAnnotation(view.node.metadata.annotations ?? {}, localAsn);
    const explicit = instance.routerID === undefined ? undefined : parseIp(instance.routerID);
    const found = explicit ?? ('problem' in annotation ? annotation : resolveRouterId(view.node, annotation, localAsn));
    // A node without an IPv4 address: since 1.18 the end of a MAC address stands in, where no annotation is at fault.
    const fallback = 'problem' in found && !('problem' in annotation) && isAtLeast(view.version, 18) ? view.macRouterId() : undefined;
    const routerId = fallback ?? found;
    if ('problem' in routerId) {
      problems.push({ ...failure(instance.name, routerId.problem), instance: instance.name });
      continue;
    }
    const peers: DesiredInstance['peers'][number][] = [];
    const advertised: PeerAdvertisements[] = [];
    /** What ends the reconciliation of neighbors: those that run go on, and no new one begins. */
    let fatal: string | undefined;
    for (const peer of instance.peers ?? []) {
      if (peer.peerASN === undefined) fatal ??= `peer ${peer.name} does not have a PeerASN`;
      let address = peer.peerAddress === undefined ? undefined : parseIp(peer.peerAddress);
      if (peer.peerAddress === undefined && peer.autoDiscovery?.mode === 'DefaultGateway') {
        usesDevices = true;
        const { addressFamily } = peer.autoDiscovery.defaultGateway ?? {};
        if (addressFamily !== undefined) address = view.defaultGateway(addressFamily === 'ipv4' ? 4 : 6);
      }
      if (address === undefined && !isAtLeast(view.version, 17)) fatal ??= `peer ${peer.name} does not have a PeerAddress`;
      if (address === undefined || peer.peerASN === undefined) continue;
      const config = peer.peerConfigRef === undefined ? undefined : view.peerConfigs.get(peer.peerConfigRef.name);
      // Nothing is said of a reference that leads nowhere: the peer is not there.
      if (peer.peerConfigRef !== undefined && config === undefined) continue;
      const spec = config?.spec;
      const families = unicastFamilies(spec?.families, ['ipv6-unicast', 'ipv4-unicast']);
      const password = spec?.authSecretRef === undefined ? undefined : view.secretPassword(spec.authSecretRef);
      if (password === '') fatal ??= `failed to fetch secret "${spec?.authSecretRef}": missing password key`;
      const localAddress = peer.localAddress === undefined ? undefined : parseIp(peer.localAddress);
      if (peers.some((other) => other.address === address)) {
        const text = address.text;
        const cause = `failed while adding peer ${text} with ASN ${peer.peerASN}: can't overwrite the existing peer: ${text}`;
        problems.push(failure(instance.name, `failed to add neigbhor ${peer.name} in instance ${instance.name}: ${cause}`));
        continue;
      }
      peers.push({
        name: peer.name,
        address,
        // Nothing is expected of the OPEN then (1.17+: the API server writes 0 where no number is given).
        remoteAs: peer.peerASN === 0 ? 'any' : peer.peerASN,
        port: spec?.transport?.peerPort ?? 179,
        families,
        holdTimeSeconds: spec?.timers?.holdTimeSeconds ?? 90,
        keepaliveSeconds: spec?.timers?.keepAliveTimeSeconds ?? 30,
        connectRetrySeconds: spec?.timers?.connectRetryTimeSeconds ?? 120,
        multihopTtl: spec?.ebgpMultihop ?? 1,
        extendedNextHop: true,
        ...(localAddress === undefined ? {} : { localAddress }),
        ...(password === undefined || password === '' ? {} : { password }),
        ...(spec?.gracefulRestart?.enabled === true
          ? { gracefulRestart: { restartTimeSeconds: spec.gracefulRestart.restartTimeSeconds ?? 120 } }
          : {}),
      });
      const byFamily = new Map<4 | 6, readonly AdvertisementItem[]>();
      for (const family of spec?.families ?? []) {
        if (family.safi !== 'unicast' || family.advertisements === undefined) continue;
        const items = view.advertisements
          .filter((advertisement) => selects(family.advertisements, advertisement.metadata.labels ?? {}, 'none'))
          .flatMap((advertisement) => advertisement.spec?.advertisements ?? []);
        byFamily.set(family.afi === 'ipv6' ? 6 : 4, items);
        if (items.some(({ advertisementType }) => advertisementType === 'Interface')) usesDevices = true;
      }
      advertised.push({ peerName: peer.name, address: address.text, byFamily });
    }
    if (fatal !== undefined) problems.push(failure(instance.name, fatal));
    const port = instance.localPort ?? ('problem' in annotation ? undefined : annotation.localPort);
    instances.push({
      name: instance.name,
      localAsn,
      routerId,
      listenPort: port !== undefined && port > 0 ? port : undefined,
      peers,
      ...(fatal === undefined ? {} : { keepsPeers: true }),
      exportsByDefault: false,
      addressTypes: new Set(
        advertised.flatMap(({ byFamily }) => [...byFamily.values()].flat().flatMap(({ service }) => service?.addresses ?? [])),
      ),
      podCidrs: () => nodeAnnouncements(view, advertised),
      service(service, surroundings) {
        const labels = serviceSelectorLabels(service);
        const rules = new RuleCollector(view.version);
        /** 1.16.0 lets a balancer's address out by the pool that it is from, not by its service. */
        const goesByPool = isBefore(view.version, 16, 1);
        const balanced: Prefix[] = [];
        for (const { peerName, address, byFamily } of advertised) {
          for (const [family, items] of byFamily) {
            for (const item of items) {
              // Without a selector a Service advertisement selects nothing.
              if (item.advertisementType !== 'Service' || !selects(item.selector, labels, 'none')) continue;
              for (const type of item.service?.addresses ?? []) {
                for (const ip of serviceAddresses(service, type, surroundings.hasLocalBackend)) {
                  if (ip.family !== family) continue;
                  if (goesByPool && type === 'LoadBalancerIP') {
                    const prefix = hostPrefix(ip);
                    balanced.push(prefix);
                    rules.addPath(prefix);
                    continue;
                  }
                  const kind = goesByPool ? '' : 'Service-';
                  const name = `${peerName}-ipv${family}-${kind}${service.metadata.name}-${service.metadata.namespace}-${type}`;
                  rules.add(servicePrefix(ip, service, type, item), address, ruleOf(name, item));
                }
              }
            }
          }
        }
        if (balanced.length > 0) addPoolRules(rules, balanced, advertised, surroundings.pools());
        return rules.announcements();
      },
    });
  }
  return { source: view.nodeConfig === undefined ? 'none' : 'v2', instances, keeps: false, problems, usesDevices };
}

const failure = (instance: string, error: string): DesiredState['problems'][number] => ({
  message: 'Encountered error reconciling BGP instance, shutting down this server',
  fields: { error, instance },
});

/** With traffic policy Local single addresses are announced, else the network of the aggregation length (1.18+). */
function servicePrefix(address: Ip, { spec }: Service, type: AddressType, { service }: AdvertisementItem): Prefix {
  const policy = type === 'ClusterIP' ? spec.internalTrafficPolicy : spec.externalTrafficPolicy;
  const length = address.family === 4 ? service?.aggregationLengthIPv4 : service?.aggregationLengthIPv6;
  return policy === 'Local' || length === undefined ? hostPrefix(address) : prefixOf(address, length);
}

/**
 * The export policies of 1.16.0 for addresses of balancers (getLBRoutePolicy): the selector of the advertisement is asked for the labels
 * of pools, and what lies in a CIDR of a pool that it selects may go out. Ranges and disabled pools have none.
 */
function addPoolRules(
  rules: RuleCollector,
  prefixes: readonly Prefix[],
  advertised: readonly PeerAdvertisements[],
  pools: readonly LoadBalancerIpPool[],
): void {
  for (const pool of pools) {
    if (pool.spec?.disabled === true) continue;
    const networks = blocksOf(pool).flatMap(({ cidr }) => (cidr === undefined ? [] : (parsePrefix(cidr) ?? [])));
    for (const { peerName, address, byFamily } of advertised)
      for (const [family, items] of byFamily)
        for (const item of items) {
          if (item.advertisementType !== 'Service' || item.service?.addresses.includes('LoadBalancerIP') !== true) continue;
          if (!selects(item.selector, pool.metadata.labels ?? {}, 'none')) continue;
          for (const prefix of prefixes)
            if (prefix.family === family && networks.some((network) => contains(network, prefix.address)))
              rules.add(prefix, address, ruleOf(`${peerName}-ipv${family}-${pool.metadata.name}-`, item));
        }
  }
}

/** What does not depend on services: the node's pod CIDRs, and addresses of its interfaces (1.19+). */
function nodeAnnouncements(view: NodeConfigView, advertised: readonly PeerAdvertisements[]): readonly Announcement[] {
  const hasPodCidrs = view.ipam === 'kubernetes' || view.ipam === 'cluster-pool';
  const networks = hasPodCidrs ? (view.node.spec?.ipam?.podCIDRs ?? []).map(parsePrefix).filter((network) => network !== undefined) : [];
  const rules = new RuleCollector(view.version);
  for (const { peerName, address, byFamily } of advertised) {
    for (const [family, items] of byFamily) {
      for (const item of items) {
        const type = item.advertisementType;
        if (type === 'CiliumPodIPPool')
          for (const { pool, prefix } of poolPrefixes(view, (labels) => selects(item.selector, labels, 'none')))
            if (prefix.family === family) {
              const name = isBefore(view.version, 16, 1) ? `${pool.metadata.name}-` : `${type}-${pool.metadata.name}`;
              rules.add(prefix, address, ruleOf(`${peerName}-ipv${family}-${name}`, item));
            }
        const prefixes =
          type === 'PodCIDR'
            ? networks
            : type === 'Interface' && item.interface !== undefined
              ? view.interfaceAddresses(item.interface.name).map(hostPrefix)
              : [];
        for (const prefix of prefixes)
          if (prefix.family === family) rules.add(prefix, address, ruleOf(`${peerName}-ipv${family}-${type}`, item));
      }
    }
  }
  return rules.announcements();
}

const ruleOf = (policyName: string, { attributes }: AdvertisementItem): PeerRule => ({
  policyName,
  communities: parseCommunities(attributes?.communities),
  largeCommunities: parseLargeCommunities(attributes?.communities),
  localPref: attributes?.localPreference,
});

class RuleCollector {
  readonly #byPrefix = new Map<Prefix, Map<string, PeerRule[]>>();
  readonly #isMerged: boolean;

  /** Of two advertisements with the same policy name the last one counted before 1.18; now they are merged. */
  constructor(version: CiliumVersion) {
    this.#isMerged = isAtLeast(version, 18);
  }

  add(prefix: Prefix, peer: string, rule: PeerRule): void {
    const byPeer = this.#byPrefix.get(prefix) ?? new Map<string, PeerRule[]>();
    this.#byPrefix.set(prefix, byPeer);
    const others = (byPeer.get(peer) ?? []).filter(({ policyName }) => this.#isMerged || policyName !== rule.policyName);
    byPeer.set(peer, [...others, rule]);
  }

  /** In the table, whether or not anything lets it out. */
  addPath(prefix: Prefix): void {
    if (!this.#byPrefix.has(prefix)) this.#byPrefix.set(prefix, new Map());
  }

  announcements(): readonly Announcement[] {
    return [...this.#byPrefix].map(([prefix, rules]) => ({ prefix, rules }));
  }
}
