import type { Service } from '../../../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { hostPrefix, parseIp, parsePrefix, prefixOf } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { BgpNodeConfig } from '../../operator/bgp-node-configs.ts';
import { selects, serviceSelectorLabels } from '../../selector.ts';
import type { CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import { type AddressType, serviceAddresses } from './announcements.ts';
import { type CommunityFields, parseCommunities, parseLargeCommunities } from './communities.ts';
import type { Announcement, DesiredInstance, DesiredState, PeerRule } from './desired.ts';
import { type NodeView, unicastFamilies } from './peering-policy.ts';
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
      problems.push({
        message: 'failed to reconcile BGP instance',
        fields: { error: `BGP instance ${instance.name} has no localASN`, instance: instance.name },
      });
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
      problems.push({ message: 'failed to reconcile BGP instance', fields: { error: routerId.problem, instance: instance.name } });
      continue;
    }
    const peers: DesiredInstance['peers'][number][] = [];
    const advertised: PeerAdvertisements[] = [];
    for (const peer of instance.peers ?? []) {
      let address = peer.peerAddress === undefined ? undefined : parseIp(peer.peerAddress);
      if (peer.peerAddress === undefined && peer.autoDiscovery?.mode === 'DefaultGateway') {
        usesDevices = true;
        const { addressFamily } = peer.autoDiscovery.defaultGateway ?? {};
        if (addressFamily !== undefined) address = view.defaultGateway(addressFamily === 'ipv4' ? 4 : 6);
      }
      if (address === undefined) continue;
      if (peer.peerASN === undefined) {
        problems.push({
          message: 'failed to reconcile BGP peer',
          fields: { error: `peer ${peer.name} does not have a PeerASN`, instance: instance.name },
        });
        continue;
      }
      const config = peer.peerConfigRef === undefined ? undefined : view.peerConfigs.get(peer.peerConfigRef.name);
      if (peer.peerConfigRef !== undefined && config === undefined) {
        problems.push({
          message: 'peer configuration not found, skipping',
          fields: { peer: peer.name, 'peer-config': peer.peerConfigRef.name, instance: instance.name },
        });
        continue;
      }
      const spec = config?.spec;
      const families = unicastFamilies(spec?.families);
      const password = spec?.authSecretRef === undefined ? undefined : view.password(spec.authSecretRef);
      const localAddress = peer.localAddress === undefined ? undefined : parseIp(peer.localAddress);
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
    const port = instance.localPort ?? ('problem' in annotation ? undefined : annotation.localPort);
    instances.push({
      name: instance.name,
      localAsn,
      routerId,
      listenPort: port !== undefined && port > 0 ? port : undefined,
      peers,
      exportsByDefault: false,
      addressTypes: new Set(
        advertised.flatMap(({ byFamily }) => [...byFamily.values()].flat().flatMap(({ service }) => service?.addresses ?? [])),
      ),
      podCidrs: () => nodeAnnouncements(view, advertised),
      service(service, surroundings) {
        const labels = serviceSelectorLabels(service);
        const rules = new RuleCollector(view.version);
        for (const { peerName, address, byFamily } of advertised) {
          for (const [family, items] of byFamily) {
            for (const item of items) {
              // Without a selector a Service advertisement selects nothing.
              if (item.advertisementType !== 'Service' || !selects(item.selector, labels, 'none')) continue;
              for (const type of item.service?.addresses ?? []) {
                for (const ip of serviceAddresses(service, type, surroundings.hasLocalBackend)) {
                  if (ip.family !== family) continue;
                  const name = `${peerName}-ipv${family}-Service-${service.metadata.name}-${service.metadata.namespace}-${type}`;
                  rules.add(servicePrefix(ip, service, type, item), address, ruleOf(name, item));
                }
              }
            }
          }
        }
        return rules.announcements();
      },
    });
  }
  return { source: view.nodeConfig === undefined ? 'none' : 'v2', instances, keeps: false, problems, usesDevices };
}

/** With traffic policy Local single addresses are announced, else the network of the aggregation length (1.18+). */
function servicePrefix(address: Ip, { spec }: Service, type: AddressType, { service }: AdvertisementItem): Prefix {
  const policy = type === 'ClusterIP' ? spec.internalTrafficPolicy : spec.externalTrafficPolicy;
  const length = address.family === 4 ? service?.aggregationLengthIPv4 : service?.aggregationLengthIPv6;
  return policy === 'Local' || length === undefined ? hostPrefix(address) : prefixOf(address, length);
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

  announcements(): readonly Announcement[] {
    return [...this.#byPrefix].map(([prefix, rules]) => ({ prefix, rules }));
  }
}
