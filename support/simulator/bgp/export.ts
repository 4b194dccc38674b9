import { ip, isLinkLocal } from '../net/address.ts';
import type { Ip, NetworkInterface, NetworkNamespace } from '../net/types.ts';
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

export function localNextHops(namespace: NetworkNamespace, local: Ip): LocalNextHops {
  const device = interfaceOf(namespace, local);
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
}

function nextHopSelf(
  options: SpeakerOptions,
  family: BgpFamily,
  peer: Peer,
  isLocal: boolean,
): Pick<PathAttributes, 'nextHop' | 'linkLocalNextHop'> {
  const local = peer.local?.ip ?? options.routerId;
  const isFrr = options.implementation === 'frr';
  const hops = localNextHops(options.namespace, local);
  // RFC 8950 where it was agreed on; gobgp does so on any IPv6 session (recorded).
  const asIpv6 = family === 'ipv6-unicast' || (local.family === 6 && (peer.hasExtendedNextHop || !isFrr));
  if (!asIpv6) return { nextHop: hops.v4 ?? options.routerId };
  if (local.family === 4 && !isFrr) return { nextHop: ip(`::ffff:${local.text}`) };
  const nextHop = hops.v6 ?? ip('::');
  // RFC 2545 §3: the link-local address goes along to a peer on the same link; gobgp leaves it out (recorded), FRR tells
  // internal peers that of its own routes only (bgp_updgrp_packet.c and bgp_route.c, subgroup_announce_check).
  const isOnLink = peer.isExternal ? peer.config.multihopTtl === 1 : isLocal;
  return isFrr && isOnLink && hops.linkLocal !== undefined && hops.linkLocal !== nextHop
    ? { nextHop, linkLocalNextHop: hops.linkLocal }
    : { nextHop };
}

function withoutKeys(attributes: PathAttributes, ...keys: (keyof PathAttributes)[]): PathAttributes {
  const copy: Partial<PathAttributes> = { ...attributes };
  for (const key of keys) delete copy[key];
  return copy as PathAttributes;
}

/**
 * What a peer is to be told of a prefix, or undefined for nothing.
 * RFC 4271 §9.1.3 and §5, RFC 4456 (reflection), RFC 1997 (well-known communities). FRR 8.4 sends a path back to the
 * neighbour that it came from (recorded), gobgp does not. Not modelled: third-party next hops; a next hop is always
 * the speaker's own towards an external peer.
 */
export function exportPath(options: SpeakerOptions, destination: Destination, peer: Peer): Exported | undefined {
  const { best } = destination;
  if (best === undefined || !peer.negotiatedFamilies.has(destination.family)) return undefined;
  const from = best.peer;
  if (from === peer && options.implementation === 'gobgp') return undefined;
  const communities = best.attributes.communities ?? [];
  if (communities.includes(noAdvertise)) return undefined;
  if (peer.isExternal && (communities.includes(noExport) || communities.includes(noExportSubconfed))) return undefined;
  const isReflected = from !== undefined && !from.isExternal && !peer.isExternal;
  const isClient = (one: BgpPeer) => one.config.perFamily?.[destination.family]?.routeReflectorClient === true;
  if (isReflected && !isClient(from) && !isClient(peer)) return undefined;
  if (isReflected && (from === peer || best.attributes.originatorId === peer.remoteRouterId)) return undefined;

  let base = best.attributes;
  if (peer.isExternal) {
    base = withoutKeys(base, 'originatorId', 'clusterList', ...(from === undefined ? [] : (['med'] as const)));
  } else {
    base = { ...base, localPref: base.localPref ?? localPreference(options) };
    if (isReflected) {
      const originatorId = base.originatorId ?? from.remoteRouterId;
      base = {
        ...base,
        ...(originatorId === undefined ? {} : { originatorId }),
        clusterList: [options.clusterId ?? options.routerId, ...(base.clusterList ?? [])],
      };
    }
  }
  const decision =
    options.exportPolicy === undefined
      ? { attributes: base }
      : options.exportPolicy({ prefix: destination.prefix, attributes: base }, peer);
  if (decision === undefined) return undefined;
  return finishExport(options, decision.attributes, base.nextHop, destination.family, peer, { isLocal: from === undefined, isReflected });
}

/** AS path, local preference and next hop, after the policy has had its say. */
export function finishExport(
  options: SpeakerOptions,
  decided: PathAttributes,
  baseNextHop: Ip,
  family: BgpFamily,
  peer: Peer,
  { isLocal, isReflected }: Provenance,
): Exported {
  let attributes = decided;
  const isSetByPolicy = decided.nextHop !== baseNextHop;
  const { nextHopSelf: own, asOverride } = peer.config.perFamily?.[family] ?? {};
  // RFC 8950: where IPv4 prefixes go with IPv6 next hops, an IPv4 one cannot be told (bgp_updgrp_packet.c).
  const isUntellable = family === 'ipv4-unicast' && decided.nextHop.family === 4 && peer.hasExtendedNextHop && peer.local?.ip.family === 6;
  const isKept =
    isSetByPolicy ||
    !(peer.isExternal || isLocal || own === 'force' || (own === 'own' && !isReflected) || isLinkLocalIpv6(decided.nextHop));
  const isNextHopSelf = isUntellable || !isKept;
  if (peer.isExternal) {
    if (asOverride === true) {
      const asPath = attributes.asPath.map((item) => (item === peer.remoteAsn ? options.localAsn : item));
      attributes = { ...attributes, asPath };
    }
    // `local-as` puts the configured number before the speaker's own (draft-ga-idr-as-migration).
    const prepended = peer.localAsn === options.localAsn ? [options.localAsn] : [peer.localAsn, options.localAsn];
    attributes = { ...withoutKeys(attributes, 'localPref'), asPath: [...prepended, ...attributes.asPath] };
  }
  // A link-local next hop means nothing on another link.
  if (options.implementation === 'frr') attributes = withoutKeys(attributes, 'linkLocalNextHop');
  if (isNextHopSelf) attributes = { ...withoutKeys(attributes, 'linkLocalNextHop'), ...nextHopSelf(options, family, peer, isLocal) };
  return { attributes, isNextHopSelf };
}
