import { ip, isLinkLocal } from '../net/address.ts';
import type { Ip, NetworkInterface, NetworkNamespace, Prefix } from '../net/types.ts';
import type { AttributePool } from './attribute-pool.ts';
import type { Peer } from './peer.ts';
import type { Destination } from './rib.ts';
import type { BgpFamily, BgpPeer, PathAttributes, SpeakerOptions } from './types.ts';

const noExport = 0xffffff01;
const noAdvertise = 0xffffff02;
const noExportSubconfed = 0xffffff03;

/** Of fe80::/10: it needs a device to mean anything. */
export function isLinkLocalIpv6(address: Ip): boolean {
  return address.family === 6 && isLinkLocal(address);
}

/** What the policy has let pass, and what else the export depends on. */
interface DecidedPath {
  readonly attributes: PathAttributes;
  /** Before the policy. */
  readonly nextHop: Ip;
  readonly family: BgpFamily;
  readonly from: BgpPeer | undefined;
}

/**
 * What each peer was told last. Paths of one UPDATE share their attributes, and so does what is made of them; good for as long as
 * nothing but the destination changes, i.e. within one event.
 */
export class ExportMemo {
  readonly #pool: AttributePool;
  readonly #last = new Map<Peer, { readonly path: DecidedPath; readonly exported: Exported }>();

  constructor(pool: AttributePool) {
    this.#pool = pool;
  }

  get(peer: Peer, path: DecidedPath, make: () => Exported): Exported {
    const last = this.#last.get(peer);
    const isSame =
      last !== undefined &&
      last.path.attributes === path.attributes &&
      last.path.nextHop === path.nextHop &&
      last.path.family === path.family &&
      last.path.from === path.from;
    if (isSame) return last.exported;
    const made = make();
    const exported: Exported = { attributes: this.#pool.intern(made.attributes), isNextHopSelf: made.isNextHopSelf };
    this.#last.set(peer, { path, exported });
    return exported;
  }
}

export interface Exported {
  readonly attributes: PathAttributes;
  readonly isNextHopSelf: boolean;
}

/** The interface that carries an address of the namespace. */
export function interfaceOf(namespace: NetworkNamespace, address: Ip): NetworkInterface | undefined {
  return namespace.interfaces.find((device) => device.addresses.some((entry) => entry.ip === address));
}

/** The addresses that a session's interface offers as next hops. */
export interface LocalNextHops {
  readonly v4: Ip | undefined;
  readonly v6: Ip | undefined;
  readonly linkLocal: Ip | undefined;
}

/** @param name of the interface that had the address, if it has it no more */
export function localNextHops(namespace: NetworkNamespace, local: Ip, name?: string): LocalNextHops {
  const device = interfaceOf(namespace, local) ?? (name === undefined ? undefined : namespace.getInterface(name));
  const addresses = device?.addresses ?? [];
  const v6 = addresses.find((entry) => entry.ip.family === 6 && entry.scope === 'global')?.ip;
  return {
    v4: local.family === 4 ? local : addresses.find((entry) => entry.ip.family === 4)?.ip,
    v6: local.family === 6 ? local : v6,
    linkLocal: addresses.find((entry) => entry.ip.family === 6 && entry.scope === 'link')?.ip,
  };
}

/** LOCAL_PREF of what has none yet: `bgp default local-preference`, or 100. */
export function localPreference(options: SpeakerOptions): number {
  return options.decision?.defaultLocalPref ?? 100;
}

/** Where a path that is sent comes from. */
interface Provenance {
  /** The speaker's own route. */
  readonly isLocal: boolean;
  /** From one internal peer to another (RFC 4456). */
  readonly isReflected: boolean;
  /** Undefined for the speaker's own route. */
  readonly from: BgpPeer | undefined;
}

/** Whether the speaker puts itself in the place of a next hop that no policy chose (FRR: bgp_route.c, subgroup_announce_check). */
function isReplaced(
  options: SpeakerOptions,
  nextHop: Ip,
  own: 'own' | 'force' | undefined,
  peer: Peer,
  { isLocal, isReflected, from }: Provenance,
): boolean {
  if (options.implementation !== 'frr') return peer.isExternal || isLocal || own === 'force' || (own === 'own' && !isReflected);
  if (nextHop.value === 0n || isLinkLocalIpv6(nextHop)) return true;
  if (own !== undefined && (own === 'force' || !isReflected)) return true;
  // RFC 4271 §5.1.3 (2): a third party on the subnet that is shared with the external peer.
  return peer.isExternal && (from === peer || !isOnSameSubnet(options.namespace, nextHop, peer.config.address));
}

function connectedSubnet(namespace: NetworkNamespace, address: Ip): Prefix | undefined {
  const decision = namespace.routes.lookup(address);
  return decision.kind === 'forward' && decision.nextHop === address ? decision.route.destination : undefined;
}

function isOnSameSubnet(namespace: NetworkNamespace, one: Ip, other: Ip): boolean {
  if (one.family !== other.family) return false;
  const subnet = connectedSubnet(namespace, one);
  return subnet !== undefined && subnet === connectedSubnet(namespace, other);
}

function nextHopSelf(options: SpeakerOptions, family: BgpFamily, peer: Peer): Ip {
  const local = peer.local?.ip ?? options.routerId;
  const isFrr = options.implementation === 'frr';
  const hops = localNextHops(options.namespace, local, peer.localDevice);
  // RFC 8950 where it was agreed on; gobgp does so on any IPv6 session (recorded).
  const asIpv6 = family === 'ipv6-unicast' || (local.family === 6 && (peer.hasExtendedNextHop || !isFrr));
  if (!asIpv6) return hops.v4 ?? options.routerId;
  if (local.family === 4 && !isFrr) return ip(`::ffff:${local.text}`);
  return hops.v6 ?? ip('::');
}

/**
 * RFC 2545 §3: the link-local address goes along to a peer on the same link; gobgp leaves it out (recorded), FRR tells
 * internal peers that of its own routes only, and adds it to a third party's address too (bgp_route.c, subgroup_announce_check).
 */
function withLinkLocal(
  options: SpeakerOptions,
  attributes: PathAttributes,
  peer: Peer,
  { isLocal, isReflected }: Provenance,
): PathAttributes {
  const { local } = peer;
  if (options.implementation !== 'frr' || attributes.nextHop.family !== 6 || local === undefined) return attributes;
  if (isReflected || !(isLocal || peer.isExternal)) return attributes;
  const { address } = peer.config;
  if (!isLinkLocalIpv6(address) && connectedSubnet(options.namespace, address) === undefined) return attributes;
  const { linkLocal } = localNextHops(options.namespace, local.ip, peer.localDevice);
  return linkLocal === undefined || linkLocal === attributes.nextHop ? attributes : { ...attributes, linkLocalNextHop: linkLocal };
}

function withoutKeys(attributes: PathAttributes, ...keys: (keyof PathAttributes)[]): PathAttributes {
  if (!keys.some((key) => attributes[key] !== undefined)) return attributes;
  return Object.fromEntries(
    Object.entries(attributes).filter(([key]) => !keys.includes(key as keyof PathAttributes)),
  ) as object as PathAttributes;
}

/**
 * What a peer is to be told of a prefix, or undefined for nothing.
 * RFC 4271 §9.1.3 and §5, RFC 4456 (reflection), RFC 1997 (well-known communities). FRR 8.4 sends a path back to the
 * neighbour that it came from (recorded), gobgp does not.
 */
export function exportPath(options: SpeakerOptions, destination: Destination, peer: Peer, memo: ExportMemo): Exported | undefined {
  const { best } = destination;
  if (best === undefined || !peer.negotiatedFamilies.has(destination.family)) return undefined;
  if (best.isSuppressed === true) return undefined;
  const from = best.peer;
  if (from === peer && options.implementation === 'gobgp') return undefined;
  const communities = best.attributes.communities ?? [];
  if (communities.includes(noAdvertise)) return undefined;
  if (peer.isExternal && (communities.includes(noExport) || communities.includes(noExportSubconfed))) return undefined;
  const isReflected = from !== undefined && !from.isExternal && !peer.isExternal;
  const isClient = (one: BgpPeer) => one.config.perFamily?.[destination.family]?.routeReflectorClient === true;
  if (isReflected && !isClient(from) && !isClient(peer)) return undefined;
  // FRR reflects a client's path to that client too, which then knows its own number in it (measured).
  if (isReflected && best.attributes.originatorId !== undefined && best.attributes.originatorId === peer.remoteRouterId) return undefined;

  let base = best.attributes;
  if (peer.isExternal) {
    base = withoutKeys(base, 'originatorId', 'clusterList', ...(from === undefined ? [] : (['med'] as const)));
    const { removePrivateAs, asOverride } = peer.config.perFamily?.[destination.family] ?? {};
    if (removePrivateAs !== undefined) base = { ...base, asPath: withoutPrivate(base.asPath, removePrivateAs, options.localAsn, peer) };
    if (asOverride === true) base = { ...base, asPath: withoutPeer(base.asPath, peer.remoteAsn, options.localAsn) };
  } else {
    base = { ...base, localPref: base.localPref ?? localPreference(options) };
    if (isReflected) {
      const originatorId = base.originatorId ?? from.remoteRouterId;
      base = {
        ...base,
        ...(originatorId === undefined ? {} : { originatorId }),
        clusterList: [options.clusterId ?? options.routerId, ...(base.clusterList ?? [])],
        // FRR 8.4 adds a MED of 0 to what it reflects without one (measured).
        ...(options.implementation === 'frr' ? { med: base.med ?? 0 } : {}),
      };
    }
  }
  const decision =
    options.exportPolicy === undefined
      ? { attributes: base }
      : options.exportPolicy({ prefix: destination.prefix, attributes: base }, peer);
  if (decision === undefined) return undefined;
  // FRR: a map may stop a path that is reflected but not change it (`bgp route-reflector allow-outbound-policy` is off).
  const decided = isReflected && options.implementation === 'frr' ? base : decision.attributes;
  const { family } = destination;
  return memo.get(peer, { attributes: decided, nextHop: base.nextHop, family, from }, () =>
    finishExport(options, decided, base.nextHop, family, peer, { isLocal: from === undefined, isReflected, from }),
  );
}

/** `as-override`, in sets too (bgp_aspath.c, aspath_replace_specific_asn). */
function withoutPeer(asPath: PathAttributes['asPath'], peer: number | undefined, own: number): PathAttributes['asPath'] {
  const replaced = (asn: number) => (asn === peer ? own : asn);
  return asPath.map((item) => (typeof item === 'number' ? replaced(item) : { set: item.set.map(replaced).toSorted((a, b) => a - b) }));
}

/** RFC 6996. */
function isPrivateAs(asn: number): boolean {
  return (asn >= 64_512 && asn <= 65_534) || (asn >= 4_200_000_000 && asn <= 4_294_967_294);
}

/** `remove-private-AS` (bgp_route.c, bgp_peer_remove_private_as): the peer's own number stays, lest it see no loop. */
function withoutPrivate(
  asPath: PathAttributes['asPath'],
  { all, replace }: { readonly all: boolean; readonly replace: boolean },
  localAsn: number,
  peer: Peer,
): PathAttributes['asPath'] {
  const isAllPrivate =
    asPath.length > 0 && asPath.every((item) => (typeof item === 'number' ? isPrivateAs(item) : item.set.every(isPrivateAs)));
  if (!all && !isAllPrivate) return asPath;
  const isMeant = (asn: number) => isPrivateAs(asn) && asn !== peer.remoteAsn;
  if (replace) {
    const replaced = (asn: number) => (isMeant(asn) ? localAsn : asn);
    return asPath.map((item) => (typeof item === 'number' ? replaced(item) : { set: item.set.map(replaced) }));
  }
  return asPath.flatMap((item): PathAttributes['asPath'] => {
    if (typeof item === 'number') return isMeant(item) ? [] : [item];
    const set = item.set.filter((asn) => !isMeant(asn));
    return set.length === 0 ? [] : [{ set }];
  });
}

/** AS path, local preference and next hop, after the policy has had its say. */
export function finishExport(
  options: SpeakerOptions,
  decided: PathAttributes,
  baseNextHop: Ip,
  family: BgpFamily,
  peer: Peer,
  { isLocal, isReflected, from }: Provenance,
): Exported {
  let attributes = decided;
  const isSetByPolicy = decided.nextHop !== baseNextHop;
  const { nextHopSelf: own } = peer.config.perFamily?.[family] ?? {};
  // RFC 8950: where IPv4 prefixes go with IPv6 next hops, an IPv4 one cannot be told (bgp_updgrp_packet.c).
  // Nor can an IPv6 one where that was not agreed on.
  const isExtended = peer.hasExtendedNextHop && peer.local?.ip.family === 6;
  const isUntellable =
    family === 'ipv4-unicast' &&
    (decided.nextHop.family === 4 ? isExtended : !isExtended && options.implementation === 'frr') &&
    !(isSetByPolicy && decided.nextHop.family === 4 && !isExtended);
  const isKept = isSetByPolicy || !isReplaced(options, decided.nextHop, own, peer, { isLocal, isReflected, from });
  const isNextHopSelf = isUntellable || !isKept;
  if (peer.isExternal) {
    // `local-as` puts the configured number before the speaker's own (draft-ga-idr-as-migration).
    // bgp_attr.c, bgp_append_local_as: a private number of its own is left out where private ones are to be removed.
    const isHidden = peer.config.perFamily?.[family]?.removePrivateAs !== undefined && isPrivateAs(options.localAsn);
    const isAlone = peer.localAsn === options.localAsn || peer.config.localAsMode === 'replace-as' || isHidden;
    const prepended = isAlone ? [peer.localAsn] : [peer.localAsn, options.localAsn];
    attributes = { ...withoutKeys(attributes, 'localPref'), asPath: [...prepended, ...attributes.asPath] };
  }
  // A link-local next hop means nothing on another link.
  if (options.implementation === 'frr') attributes = withoutKeys(attributes, 'linkLocalNextHop');
  if (isNextHopSelf) attributes = { ...withoutKeys(attributes, 'linkLocalNextHop'), nextHop: nextHopSelf(options, family, peer) };
  // bgp_updgrp_packet.c, bpacket_reformat_for_peer: a mapped address of its own stands for any other.
  if (peer.mappedNextHop !== undefined && attributes.nextHop.family === 6) attributes = { ...attributes, nextHop: peer.mappedNextHop };
  return { attributes: withLinkLocal(options, attributes, peer, { isLocal, isReflected, from }), isNextHopSelf };
}
