import type { Capability } from '../bgp/capabilities.ts';
import { localNextHops } from '../bgp/export.ts';
import { notificationText } from '../bgp/message.ts';
import type { BgpFamily, BgpPeer } from '../bgp/types.ts';
import { comparePrefixes, isLinkLocal } from '../net/address.ts';
import type { Ip, NetworkNamespace } from '../net/types.ts';
import {
  type BgpConfig,
  bgpFamilies,
  defaultListenLimit,
  effectiveNeighbor,
  listenRangesOf,
  type NeighborConfig,
  type NeighborFamilyConfig,
} from './config.ts';
import { lacksPolicy } from './policy.ts';
import type { BgpView } from './show-bgp.ts';
import { type JsonValue, prettyJson, secondsBetween, uptimeText } from './text.ts';

export interface NeighborView extends BgpView {
  readonly bgp: BgpConfig;
  readonly namespace: NetworkNamespace;
  readonly hostname: string;
  readonly now: number;
  /** When bgpd started: what its clock counts from. */
  readonly startedAt: number;
  /** Each configured neighbor with its peer, in the order of the configuration. */
  readonly neighbors: readonly { readonly neighbor: NeighborConfig; readonly peer: BgpPeer }[];
  /** FRR's number for each socket. */
  descriptorOf(peer: BgpPeer): number;
}

const familyNames: Readonly<Record<BgpFamily, string>> = { 'ipv4-unicast': 'IPv4 Unicast', 'ipv6-unicast': 'IPv6 Unicast' };
const familyKeys: Readonly<Record<BgpFamily, string>> = { 'ipv4-unicast': 'ipv4Unicast', 'ipv6-unicast': 'ipv6Unicast' };

/** Numbers of FRR's reasons for a reset (bgpd.h), for JSON. */
const resetCodes: ReadonlyMap<string, number> = new Map(
  [
    '',
    'Router ID changed',
    'Remote AS changed',
    'Local AS change',
    'Cluster ID changed',
    'Confederation identifier changed',
    'Confederation peer changed',
    'RR client config change',
    'RS client config change',
    'Update source change',
    'Address family activated',
    'Admin. shutdown',
    'User reset',
    'BGP Notification received',
    'BGP Notification send',
    'Peer closed the session',
    'Neighbor deleted',
    'Peer-group add member',
    'Peer-group delete member',
    'Capability changed',
    'Passive config change',
    'Multihop config change',
    'NSF peer closed the session',
    'Intf peering v6only config change',
    'BFD down received',
    'Interface down',
    'Neighbor address lost',
    'Waiting for NHT',
    'Waiting for Peer IPv6 LLA',
    'Waiting for VRF to be initialized',
    'No AFI/SAFI activated for peer',
    'AS Set config change',
    'Waiting for peer OPEN',
    'Reached received prefix count',
    'Socket Error',
  ].map((text, index) => [text, index]),
);

export function displayName(neighbor: NeighborConfig): string {
  return neighbor.address?.text ?? neighbor.name;
}

function isAdminDown(view: NeighborView, neighbor: NeighborConfig): boolean {
  return view.bgp.isShutdown || effectiveNeighbor(view.bgp, neighbor).shutdown === true;
}

function remoteAs(neighbor: NeighborConfig, peer: BgpPeer): number {
  if (typeof peer.config.remoteAs === 'number') return peer.config.remoteAs;
  if (peer.config.remoteAs === 'internal') return peer.remoteAsn ?? neighbor.localAs ?? 0;
  return peer.remoteAsn ?? 0;
}

function isActive(view: NeighborView, neighbor: NeighborConfig, family: BgpFamily): boolean {
  return effectiveNeighbor(view.bgp, neighbor).families[family].activate === true;
}

function rowUptime(peer: BgpPeer, now: number): string {
  return peer.changedAt === undefined ? 'never' : uptimeText(secondsBetween(peer.changedAt, now));
}

/** Bytes of a table entry and of a neighbour in FRR 8.4 on amd64 (recorded). */
const sizes = { destination: 192, peer: 741_464, peerGroup: 64 } as const;

/** FRR's `mtype_memstr`: a larger unit from more than ten of it on, rounded. */
function memory(bytes: number): string {
  if (bytes === 1) return '1 byte';
  for (const [shift, unit] of [
    [30, 'GiB'],
    [20, 'MiB'],
    [10, 'KiB'],
  ] as const) {
    const whole = Math.floor(bytes / 2 ** shift);
    if (whole > 10) return `${whole + (Math.floor(bytes / 2 ** (shift - 1)) % 2)} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** FRR counts the nodes of its radix tree, branch points included. */
function tableNodes(view: NeighborView, family: BgpFamily): number {
  // With soft reconfiguration what a neighbor sent has a node of its own, used or not.
  const kept = view.neighbors.flatMap(({ neighbor, peer }) =>
    effectiveNeighbor(view.bgp, neighbor).families[family].softReconfiguration === true ? peer.adjRibIn(family) : [],
  );
  const prefixes = new Set([...view.speaker.locRib(family), ...kept].map(({ prefix }) => prefix));
  const entries = [...prefixes].sort(comparePrefixes).map((prefix) => ({ prefix }));
  if (entries.length === 0) return 0;
  const width = family === 'ipv4-unicast' ? 32 : 128;
  const nodes = new Set(entries.map((entry) => entry.prefix.text));
  // Sorted neighbours part at their common length; a prefix that stands there itself adds no node.
  const branches = new Set<string>();
  for (let index = 1; index < entries.length; index++) {
    const a = entries[index - 1]?.prefix;
    const b = entries[index]?.prefix;
    if (a === undefined || b === undefined) continue;
    const difference = a.address.value ^ b.address.value;
    const common = Math.min(difference === 0n ? width : width - difference.toString(2).length, a.length, b.length);
    const key = `${(a.address.value >> BigInt(width - common)).toString(16)}/${common}`;
    const isPrefix =
      common === a.length ||
      entries.some(
        (entry) =>
          entry.prefix.length === common &&
          entry.prefix.address.value >> BigInt(width - common) === a.address.value >> BigInt(width - common),
      );
    if (!isPrefix) branches.add(key);
  }
  return nodes.size + branches.size;
}

/** `show bgp summary established|failed`. */
export type SummaryFilter = 'established' | 'failed' | undefined;

function isShown(peer: BgpPeer, family: BgpFamily, only: SummaryFilter): boolean {
  return only === undefined || hasFailed(peer, family) === (only === 'failed');
}

function failureOf({ lastReset }: BgpPeer): string {
  if (lastReset?.code !== undefined && lastReset.reason.startsWith('BGP Notification'))
    return `Notification ${lastReset.direction} (${notificationText(lastReset.code, lastReset.subcode ?? 0)})`;
  return lastReset?.reason ?? '';
}

/** `show bgp peer-group [NAME]` (bgp_vty.c, bgp_show_one_peer_group). Undefined: there is none of that name. */
export function showPeerGroups(view: NeighborView, only: string | undefined): string | undefined {
  const { bgp } = view;
  const groups = [...bgp.groups.values()]
    .filter(({ name }) => only === undefined || name === only)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (only !== undefined && groups.length === 0) return undefined;
  return groups
    .map((group) => {
      const { name, remoteAs } = group;
      const number = remoteAs === 'internal' ? bgp.asn : remoteAs === 'external' ? 0 : remoteAs;
      let text = `\nBGP peer-group ${name}${number === undefined ? '' : `, remote AS ${number}`}\n`;
      text += `  Peer-group type is ${number === bgp.asn ? 'internal' : 'external'}\n`;
      const families = bgpFamilies.filter((family) => group.families[family].activate === true);
      text += `  Configured address-families:${families.length === 0 ? ' none' : families.map((family) => ` ${familyNames[family]};`).join('')}\n`;
      for (const family of [4, 6] as const) {
        const ranges = listenRangesOf(bgp, name).filter((range) => range.family === family);
        if (ranges.length > 0)
          text += `  ${ranges.length} IPv${family} listen range(s)\n${ranges.map((range) => `    ${range.text}\n`).join('')}`;
      }
      const members = view.neighbors.filter(({ neighbor }) => neighbor.peerGroup === name);
      if (members.length > 0) text += '  Peer-group members:\n';
      for (const { neighbor, peer } of members) {
        const state = isAdminDown(view, neighbor) ? 'Idle (Admin)' : peer.isPrefixOverflow === true ? 'Idle (PfxCt)' : peer.state;
        text += `    ${displayName(neighbor)} ${neighbor.listenRange === undefined ? '' : '(dynamic)'} ${state} \n`;
      }
      return text;
    })
    .join('');
}

function hasFailed(peer: BgpPeer, family: BgpFamily): boolean {
  return peer.state !== 'Established' || !peer.negotiatedFamilies.has(family);
}

function summaryText(view: NeighborView, family: BgpFamily, only: SummaryFilter): string {
  const { bgp, speaker, now } = view;
  const members = view.neighbors.filter(({ neighbor }) => isActive(view, neighbor, family));
  if (members.length === 0) return `No ${familyNames[family]} neighbor is configured\n`;
  const shown = members.filter(({ peer }) => isShown(peer, family, only));
  if (only === 'failed' && shown.length === 0) return '% No failed BGP neighbors found\n';
  if (only === 'established' && shown.length === 0) return '% No established BGP neighbors found\n';
  const nodes = tableNodes(view, family);
  let text = `BGP router identifier ${speaker.options.routerId.text}, local AS number ${bgp.asn} vrf-id 0\n`;
  text += `BGP table version ${speaker.tableVersion(family)}\n`;
  text += `RIB entries ${nodes}, using ${memory(nodes * sizes.destination)} of memory\n`;
  text += `Peers ${members.length}, using ${memory(members.length * sizes.peer)} of memory\n`;
  if (bgp.groups.size > 0) text += `Peer groups ${bgp.groups.size}, using ${memory(bgp.groups.size * sizes.peerGroup)} of memory\n`;
  const width = Math.max(16, ...members.map(({ neighbor }) => displayName(neighbor).length + 1));
  if (only === 'failed') {
    text += `\n${'Neighbor'.padEnd(width)}EstdCnt DropCnt ResetTime Reason\n`;
    for (const { neighbor, peer } of shown)
      text += `${displayName(neighbor).padEnd(width)}${String(peer.counters.connectionsEstablished).padStart(7)} ${String(peer.counters.connectionsDropped).padStart(7)} ${rowUptime(peer, now).padStart(9)} ${failureOf(peer)}\n`;
    return `${text}${neighborTotals(bgp, members, shown.length)}`;
  }
  text += `\n${'Neighbor'.padEnd(width)}V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc\n`;
  for (const { neighbor, peer } of shown) {
    const counts = peer.prefixCounts(family);
    const effective = effectiveNeighbor(bgp, neighbor);
    const mark = neighbor.listenRange === undefined ? '' : '*';
    text += `${`${mark}${displayName(neighbor)}`.padEnd(width)}4 ${String(remoteAs(neighbor, peer)).padStart(10)} ${String(peer.counters.messagesReceived).padStart(9)} ${String(peer.counters.messagesSent).padStart(9)} ${'0'.padStart(8)} ${'0'.padStart(4)} ${'0'.padStart(4)} ${rowUptime(peer, now).padStart(8)}`;
    if (peer.state === 'Established') {
      const isNegotiated = peer.negotiatedFamilies.has(family);
      text += isNegotiated
        ? ` ${(lacksPolicy(bgp, effective, family, 'in') ? '(Policy)' : String(counts.accepted)).padStart(12)}`
        : '        NoNeg';
      text += isNegotiated
        ? ` ${(lacksPolicy(bgp, effective, family, 'out') ? '(Policy)' : String(counts.advertised)).padStart(8)}`
        : '    NoNeg';
    } else {
      const state = isAdminDown(view, neighbor) ? 'Idle (Admin)' : peer.isPrefixOverflow === true ? 'Idle (PfxCt)' : peer.state;
      text += ` ${state.padStart(12)} ${'0'.padStart(8)}`;
    }
    text += ` ${effective.description === undefined ? 'N/A' : shortened(effective.description)}\n`;
  }
  return `${text}${neighborTotals(bgp, members, only === undefined ? undefined : shown.length)}`;
}

function neighborTotals(bgp: BgpConfig, members: NeighborView['neighbors'], displayed?: number): string {
  const dynamic = members.filter(({ neighbor }) => neighbor.listenRange !== undefined).length;
  return `\n${displayed === undefined ? '' : `Displayed neighbors ${displayed}\n`}Total number of neighbors ${members.length}\n${
    dynamic === 0 ? '' : `* - dynamic neighbor\n${dynamic} dynamic neighbor(s), limit ${bgp.listenLimit ?? defaultListenLimit}\n`
  }`;
}

/** The summary has room for 20 characters of a description, and breaks at a blank (bgp_vty.c). */
function shortened(description: string): string {
  if (description.length <= 20) return description;
  const cut = description.slice(0, 20).lastIndexOf(' ');
  return description.slice(0, cut < 0 ? 20 : cut);
}

function summaryJson(view: NeighborView, family: BgpFamily, only: SummaryFilter): JsonValue {
  const { bgp, speaker, now } = view;
  const members = view.neighbors.filter(({ neighbor }) => isActive(view, neighbor, family));
  const nodes = tableNodes(view, family);
  const peers: Record<string, JsonValue> = {};
  const shown = members.filter(({ peer }) => isShown(peer, family, only));
  for (const { neighbor, peer } of shown) {
    const idType = neighbor.address === undefined ? 'interface' : neighbor.address.family === 4 ? 'ipv4' : 'ipv6';
    if (only === 'failed') {
      const { reason } = peer.lastReset ?? {};
      peers[displayName(neighbor)] = {
        connectionsEstablished: peer.counters.connectionsEstablished,
        connectionsDropped: peer.counters.connectionsDropped,
        peerUptime: rowUptime(peer, now),
        peerUptimeMsec: peer.changedAt === undefined ? 0 : secondsBetween(peer.changedAt, now) * 1000,
        lastResetDueTo: reason,
        lastResetCode: resetCodes.get(reason ?? '') ?? 0,
        idType,
      };
      continue;
    }
    const counts = peer.prefixCounts(family);
    const effective = effectiveNeighbor(bgp, neighbor);
    const since = peer.changedAt;
    const isDown = isAdminDown(view, neighbor);
    const isOverflow = peer.isPrefixOverflow === true;
    const lacks = lacksPolicy(bgp, effective, family, 'in') || lacksPolicy(bgp, effective, family, 'out');
    const seconds = since === undefined ? 0 : secondsBetween(since, now);
    peers[displayName(neighbor)] = {
      dynamicPeer: neighbor.listenRange === undefined ? undefined : true,
      hostname: peer.hostname,
      remoteAs: remoteAs(neighbor, peer),
      localAs: effective.localAs ?? bgp.asn,
      version: 4,
      msgRcvd: peer.counters.messagesReceived,
      msgSent: peer.counters.messagesSent,
      tableVersion: 0,
      outq: 0,
      inq: 0,
      peerUptime: rowUptime(peer, now),
      peerUptimeMsec: seconds * 1000,
      peerUptimeEstablishedEpoch: since === undefined ? undefined : Math.floor(now / 1000) - seconds,
      pfxRcd: counts.accepted,
      pfxSnt: counts.advertised,
      state: isDown ? 'Idle (Admin)' : isOverflow ? 'Idle (PfxCt)' : peer.state,
      peerState: isDown ? 'Admin' : isOverflow ? 'PfxCt' : effective.passive === true ? 'Passive' : lacks ? 'Policy' : 'OK',
      connectionsEstablished: peer.counters.connectionsEstablished,
      connectionsDropped: peer.counters.connectionsDropped,
      desc: effective.description,
      idType,
    };
  }
  return {
    routerId: speaker.options.routerId.text,
    as: bgp.asn,
    vrfId: 0,
    vrfName: 'default',
    tableVersion: speaker.tableVersion(family),
    ribCount: nodes,
    ribMemory: nodes * sizes.destination,
    peerCount: members.length,
    peerMemory: members.length * sizes.peer,
    peerGroupCount: bgp.groups.size === 0 ? undefined : bgp.groups.size,
    peerGroupMemory: bgp.groups.size === 0 ? undefined : bgp.groups.size * sizes.peerGroup,
    peers,
    failedPeers: members.filter(({ peer }) => hasFailed(peer, family)).length,
    displayedPeers: only === 'established' ? shown.length : members.length,
    totalPeers: members.length,
    dynamicPeers: members.filter(({ neighbor }) => neighbor.listenRange !== undefined).length,
    bestPath:
      only === 'failed'
        ? undefined
        : {
            asPath: bgp.ignoreAsPath ? 'ignore' : undefined,
            multiPathRelax: bgp.relaxAsPath ? 'true' : 'false',
            compareRouterId: bgp.compareRouterId ? 'true' : undefined,
            med: bgp.medMissingAsWorst ? 'missing-as-worst' : undefined,
          },
  };
}

/** `show bgp [ipv4|ipv6 unicast] summary [json]`; without a family all that have neighbors. */
export function showSummary(view: NeighborView, only: BgpFamily | undefined, json: boolean, filter?: SummaryFilter): string {
  const used = bgpFamilies.filter((family) => view.neighbors.some(({ neighbor }) => isActive(view, neighbor, family)));
  if (only !== undefined) {
    if (!json) return summaryText(view, only, filter);
    return `${prettyJson(used.includes(only) ? summaryJson(view, only, filter) : {})}\n`;
  }
  if (json) {
    if (used.length === 0) return '{\n}\n';
    return `{\n${used.map((family) => `"${familyKeys[family]}":${prettyJson(summaryJson(view, family, filter))}\n`).join(',\n')}}\n`;
  }
  if (used.length === 0) return '% No BGP neighbors found in VRF default\n';
  return used.map((family) => `\n${familyNames[family]} Summary (VRF default):\n${summaryText(view, family, filter)}`).join('');
}

// ── show bgp neighbors ──────────────────────────────────────────────────────────────────────────────────────

interface Offers {
  readonly advertised: boolean;
  readonly received: boolean;
}

function offers(peer: BgpPeer, test: (capability: Capability) => boolean): Offers {
  return { advertised: peer.sentCapabilities?.some(test) ?? false, received: peer.receivedCapabilities?.some(test) ?? false };
}

function offersText({ advertised, received }: Offers, suffix = ''): string {
  return `${advertised ? ' advertised' : ''}${received ? ` ${advertised ? 'and ' : ''}received${suffix}` : ''}`;
}

function offersWord({ advertised, received }: Offers): string | undefined {
  if (advertised) return received ? 'advertisedAndReceived' : 'advertised';
  return received ? 'received' : undefined;
}

function ofKind(kind: Capability['kind']): (capability: Capability) => boolean {
  return (capability) => capability.kind === kind;
}

interface CapabilityFacts {
  readonly fourOctetAs: Offers;
  readonly extendedMessage: Offers;
  readonly addPath: readonly { readonly family: BgpFamily; readonly rx: Offers; readonly tx: Offers }[];
  readonly extendedNextHop: Offers;
  readonly longLived: Offers;
  readonly refreshAdvertised: boolean;
  readonly refreshNew: boolean;
  readonly refreshOld: boolean;
  readonly enhancedRefresh: Offers;
  readonly families: readonly { readonly family: BgpFamily; readonly offers: Offers }[];
  readonly fqdn: Offers;
  readonly restart: Offers;
  readonly remoteRestart: Extract<Capability, { kind: 'graceful-restart' }> | undefined;
}

function capabilityFacts(peer: BgpPeer): CapabilityFacts {
  const addPathMode = (capability: Capability, family: BgpFamily, bit: number) =>
    capability.kind === 'add-path' && capability.families.some((each) => each.family === family && (each.mode & bit) !== 0);
  const remoteRestart = peer.receivedCapabilities?.find((capability) => capability.kind === 'graceful-restart');
  return {
    fourOctetAs: offers(peer, ofKind('four-octet-as')),
    extendedMessage: offers(peer, ofKind('extended-message')),
    addPath: bgpFamilies
      .map((family) => ({
        family,
        rx: offers(peer, (each) => addPathMode(each, family, 1)),
        tx: offers(peer, (each) => addPathMode(each, family, 2)),
      }))
      .filter(({ rx, tx }) => rx.advertised || rx.received || tx.advertised || tx.received),
    extendedNextHop: offers(peer, ofKind('extended-next-hop')),
    longLived: offers(peer, ofKind('long-lived-graceful-restart')),
    refreshAdvertised: offers(peer, ofKind('route-refresh')).advertised,
    refreshNew: offers(peer, ofKind('route-refresh')).received,
    refreshOld: offers(peer, ofKind('route-refresh-cisco')).received,
    enhancedRefresh: offers(peer, ofKind('enhanced-route-refresh')),
    families: bgpFamilies
      .map((family) => ({
        family,
        offers: offers(peer, (capability) => capability.kind === 'multiprotocol' && capability.family === family),
      }))
      .filter((each) => each.offers.advertised || each.offers.received),
    fqdn: offers(peer, ofKind('fqdn')),
    restart: offers(peer, ofKind('graceful-restart')),
    remoteRestart: remoteRestart?.kind === 'graceful-restart' ? remoteRestart : undefined,
  };
}

function capabilitiesText(view: NeighborView, peer: BgpPeer): string {
  const facts = capabilityFacts(peer);
  const isAny = ({ advertised, received }: Offers): boolean => advertised || received;
  let text = '  Neighbor capabilities:\n';
  if (isAny(facts.fourOctetAs)) text += `    4 Byte AS:${offersText(facts.fourOctetAs)}\n`;
  if (isAny(facts.extendedMessage)) text += `    Extended Message:${offersText(facts.extendedMessage)}\n`;
  if (facts.addPath.length > 0) {
    text += '    AddPath:\n';
    for (const { family, rx, tx } of facts.addPath) {
      const words = (each: Offers): string =>
        `${each.advertised ? 'advertised' : ''}${each.received ? `${each.advertised ? ' and ' : ''}received` : ''}`;
      if (isAny(tx)) text += `      ${familyNames[family]}: TX ${words(tx)}\n`;
      if (isAny(rx)) text += `      ${familyNames[family]}: RX ${words(rx)}\n`;
    }
  }
  if (isAny(facts.extendedNextHop)) {
    text += `    Extended nexthop:${offersText(facts.extendedNextHop)}\n`;
    if (facts.extendedNextHop.received) text += '      Address families by peer:\n                   IPv4 Unicast\n';
  }
  if (isAny(facts.longLived)) {
    text += `    Long-lived Graceful Restart:${offersText(facts.longLived)}\n`;
    const remote = peer.receivedCapabilities?.find((capability) => capability.kind === 'long-lived-graceful-restart');
    if (remote?.kind === 'long-lived-graceful-restart')
      text += `      Address families by peer:\n${remote.families
        .filter(({ family }) => facts.remoteRestart?.families.some((each) => each.family === family) === true)
        .map(({ family }) => `           ${familyNames[family]}\n`)
        .join('')}`;
  }
  if (facts.refreshAdvertised || facts.refreshNew || facts.refreshOld) {
    const which = facts.refreshOld && facts.refreshNew ? 'old & new' : facts.refreshOld ? 'old' : 'new';
    text += `    Route refresh:${offersText({ advertised: facts.refreshAdvertised, received: facts.refreshNew || facts.refreshOld }, `(${which})`)}\n`;
  }
  if (isAny(facts.enhancedRefresh)) text += `    Enhanced Route Refresh:${offersText(facts.enhancedRefresh)}\n`;
  for (const each of facts.families) text += `    Address Family ${familyNames[each.family]}:${offersText(each.offers)}\n`;
  text += `    Hostname Capability:${facts.fqdn.advertised ? ` advertised (name: ${view.hostname},domain name: n/a)` : ' not advertised'}`;
  text += facts.fqdn.received ? ` received (name: ${peer.hostname ?? 'n/a'},domain name: n/a)\n` : ' not received\n';
  if (isAny(facts.restart)) {
    text += `    Graceful Restart Capability:${offersText(facts.restart)}\n`;
    if (facts.remoteRestart !== undefined) {
      const kept = facts.remoteRestart.families.map(
        ({ family, isPreserved }) => `${familyNames[family]}(${isPreserved ? 'preserved' : 'not preserved'})`,
      );
      text += `      Remote Restart timer is ${facts.remoteRestart.restartTimeSeconds} seconds\n      Address families by peer:\n        ${kept.length === 0 ? 'none' : kept.join(', ')}\n`;
    }
  }
  return text;
}

function capabilitiesJson(view: NeighborView, peer: BgpPeer): JsonValue {
  const facts = capabilityFacts(peer);
  const addPath: Record<string, JsonValue> = {};
  for (const { family, rx, tx } of facts.addPath) {
    const inner: Record<string, JsonValue> = {};
    for (const [letters, each] of [
      ['tx', tx],
      ['rx', rx],
    ] as const) {
      const word = offersWord(each);
      if (word !== undefined) inner[`${letters}${word.charAt(0).toUpperCase()}${word.slice(1)}`] = true;
    }
    addPath[familyKeys[family]] = inner;
  }
  const multiprotocol: Record<string, JsonValue> = {};
  for (const each of facts.families) multiprotocol[familyKeys[each.family]] = { [offersWord(each.offers) ?? 'received']: true };
  const refresh = offersWord({ advertised: facts.refreshAdvertised, received: facts.refreshNew || facts.refreshOld });
  const which = facts.refreshOld && facts.refreshNew ? 'OldNew' : facts.refreshOld ? 'Old' : 'New';
  const restart = offersWord(facts.restart);
  const restartFamilies: Record<string, JsonValue> = {};
  for (const { family, isPreserved } of facts.remoteRestart?.families ?? [])
    restartFamilies[familyKeys[family]] = isPreserved ? { preserved: true } : {};
  return {
    '4byteAs': offersWord(facts.fourOctetAs),
    extendedMessage: offersWord(facts.extendedMessage),
    addPath: facts.addPath.length === 0 ? undefined : addPath,
    extendedNexthop: offersWord(facts.extendedNextHop),
    // FRR spells both words so.
    extendedNexthopFamililesByPeer: facts.extendedNextHop.received ? { ipv4Unicast: 'recieved' } : undefined,
    longLivedGracefulRestart: offersWord(facts.longLived),
    longLivedGracefulRestartByPeer: facts.longLived.received ? {} : undefined,
    routeRefresh: refresh === 'advertisedAndReceived' ? `advertisedAndReceived${which}` : refresh,
    enhancedRouteRefresh: offersWord(facts.enhancedRefresh),
    multiprotocolExtensions: multiprotocol,
    hostName: {
      advHostName: facts.fqdn.advertised ? view.hostname : undefined,
      advDomainName: facts.fqdn.advertised ? 'n/a' : undefined,
      rcvHostName: facts.fqdn.received ? (peer.hostname ?? 'n/a') : undefined,
      rcvDomainName: facts.fqdn.received ? 'n/a' : undefined,
    },
    gracefulRestart: restart === 'advertisedAndReceived' ? restart : undefined,
    gracefulRestartCapability: restart === 'advertisedAndReceived' ? undefined : restart,
    gracefulRestartRemoteTimerMsecs: facts.remoteRestart === undefined ? undefined : facts.remoteRestart.restartTimeSeconds * 1000,
    addressFamiliesByPeer:
      facts.remoteRestart === undefined ? undefined : facts.remoteRestart.families.length === 0 ? 'none' : restartFamilies,
  };
}

function restartModes(
  view: NeighborView,
  neighbor: NeighborConfig,
  peer: BgpPeer,
): { readonly local: string; readonly remote: string; readonly isHelperBits: boolean } {
  const effective = effectiveNeighbor(view.bgp, neighbor);
  const own = effective.gracefulRestart;
  const local =
    own === undefined
      ? view.bgp.gracefulRestart
        ? 'Restart*'
        : 'Helper*'
      : { restart: 'Restart', helper: 'Helper', disable: 'Disable' }[own];
  const facts = capabilityFacts(peer);
  const remote =
    peer.state !== 'Established'
      ? 'NotApplicable'
      : facts.remoteRestart === undefined
        ? 'Disable'
        : facts.remoteRestart.families.length === 0
          ? 'Helper'
          : 'Restart';
  return { local, remote, isHelperBits: false };
}

function isRestartMutual(peer: BgpPeer): boolean {
  const { restart } = capabilityFacts(peer);
  return restart.advertised && restart.received;
}

function familyRestart(
  peer: BgpPeer,
  family: BgpFamily,
): { readonly forwards: boolean; readonly isSent: boolean; readonly isReceived: boolean } {
  const remote = capabilityFacts(peer).remoteRestart?.families.find((each) => each.family === family);
  return {
    forwards: remote?.isPreserved === true,
    isSent: peer.endOfRib?.sent.has(family) === true,
    isReceived: peer.endOfRib?.received.has(family) === true,
  };
}

/** What an Active neighbor waits for instead of dialling. */
function waitText(peer: BgpPeer, isPassive: boolean): string {
  return isPassive ? ' (passive)' : peer.restartEndsAt === undefined ? '' : ' (NSF passive)';
}

/** Whole seconds left of a peer's graceful restart, and of the time that its stale paths may stay. */
function restartTimers(peer: BgpPeer, now: number): { readonly restart: number | undefined; readonly stalePath: number | undefined } {
  const left = (at: number | undefined) => (at === undefined ? undefined : Math.floor((at - now) / 1000));
  return { restart: left(peer.restartEndsAt), stalePath: left(peer.stalePathEndsAt) };
}

function bits(peer: BgpPeer): { readonly r: boolean; readonly n: boolean; readonly received: number } {
  const remote = peer.lastRestart;
  return {
    r: remote !== undefined && (remote.flags & 8) !== 0,
    n: remote !== undefined && (remote.flags & 4) !== 0,
    received: remote?.restartTimeSeconds ?? 0,
  };
}

function resetText(peer: BgpPeer, now: number): string {
  const { lastReset } = peer;
  if (lastReset === undefined) return '  Last reset never\n';
  const when = uptimeText(secondsBetween(lastReset.at, now));
  if (lastReset.code !== undefined && (lastReset.reason === 'BGP Notification send' || lastReset.reason === 'BGP Notification received')) {
    return `  Last reset ${when},  Notification ${lastReset.direction} (${notificationText(lastReset.code, lastReset.subcode ?? 0)})\n`;
  }
  return `  Last reset ${when},  ${lastReset.reason}\n`;
}

function resetJson(peer: BgpPeer, now: number): Record<string, JsonValue | undefined> {
  const { lastReset } = peer;
  if (lastReset === undefined) return { lastReset: 'never' };
  const isNotification = lastReset.code !== undefined && lastReset.reason.startsWith('BGP Notification');
  const hex = (value: number | undefined): string => (value ?? 0).toString(16).toUpperCase().padStart(2, '0');
  return {
    lastResetTimerMsecs: (secondsBetween(lastReset.at, now) % 86_400) * 1000,
    lastErrorCodeSubcode: isNotification ? `${hex(lastReset.code)}${hex(lastReset.subcode)}` : undefined,
    lastNotificationReason: isNotification ? notificationText(lastReset.code ?? 0, lastReset.subcode ?? 0) : undefined,
    lastNotificationHardReset: isNotification ? false : undefined,
    lastResetDueTo: lastReset.reason,
    lastResetCode: resetCodes.get(lastReset.reason) ?? 0,
  };
}

function sendsCommunities(settings: NeighborFamilyConfig): { readonly text: string | undefined; readonly json: string | undefined } {
  const kinds = settings.sendCommunity ?? new Set(['standard', 'extended', 'large'] as const);
  if (kinds.size === 0) return { text: undefined, json: undefined };
  const text = kinds.size === 3 ? '(all)' : kinds.has('large') ? '(large)' : kinds.has('extended') ? '(extended)' : '(standard)';
  const json =
    kinds.has('standard') && kinds.has('extended')
      ? 'extendedAndStandard'
      : kinds.has('extended')
        ? 'extended'
        : kinds.has('standard')
          ? 'standard'
          : undefined;
  return { text, json };
}

/** How `remove-private-AS` is told. */
function privateAsWords({ removePrivateAs }: NeighborFamilyConfig): { readonly text: string; readonly key: string } | undefined {
  if (removePrivateAs === undefined) return undefined;
  const { all, replace } = removePrivateAs;
  return {
    text: `Private AS numbers${all ? ' (all)' : ''} ${replace ? 'replaced' : 'removed'} in updates to this neighbor`,
    key: `privateAsNums${all ? 'All' : ''}${replace ? 'Replaced' : 'Removed'}InUpdatesToNbr`,
  };
}

function privateAsJson(settings: NeighborFamilyConfig): Readonly<Record<string, JsonValue>> {
  const words = privateAsWords(settings);
  return words === undefined ? {} : { [words.key]: true };
}

function familyText(view: NeighborView, neighbor: NeighborConfig, peer: BgpPeer, family: BgpFamily): string {
  const effective = effectiveNeighbor(view.bgp, neighbor);
  const settings = effective.families[family];
  const counts = peer.prefixCounts(family);
  const group = peer.updateGroups?.get(family);
  let text = ` For address family: ${familyNames[family]}\n`;
  if (neighbor.peerGroup !== undefined) text += `  ${neighbor.peerGroup} peer-group member\n`;
  text +=
    group === undefined
      ? '  Not part of any update group\n'
      : `  Update group ${group.group}, subgroup ${group.subgroup}\n  Packet Queue length 0\n`;
  if (settings.routeReflectorClient === true) text += '  Route-Reflector Client\n';
  if (settings.softReconfiguration === true) text += '  Inbound soft reconfiguration allowed\n';
  const privateAs = privateAsWords(settings);
  if (privateAs !== undefined) text += `  ${privateAs.text}\n`;
  if (settings.nextHopSelf !== undefined) text += '  NEXT_HOP is always this router\n';
  const communities = sendsCommunities(settings).text;
  if (communities !== undefined) text += `  Community attribute sent to this neighbor${communities}\n`;
  if (settings.defaultOriginate === true)
    text += `  Default information originate,${settings.defaultOriginateMap === undefined ? '' : ` default route-map *${settings.defaultOriginateMap},`} default ${group === undefined ? 'not sent' : 'sent'}\n`;
  if (settings.routeMapIn !== undefined || settings.prefixListIn !== undefined || settings.filterListIn !== undefined)
    text += '  Inbound path policy configured\n';
  if (settings.routeMapOut !== undefined || settings.prefixListOut !== undefined || settings.filterListOut !== undefined)
    text += '  Outbound path policy configured\n';
  if (settings.prefixListIn !== undefined) text += `  Incoming update prefix filter list is *${settings.prefixListIn}\n`;
  if (settings.prefixListOut !== undefined) text += `  Outgoing update prefix filter list is *${settings.prefixListOut}\n`;
  if (settings.filterListIn !== undefined) text += `  Incoming update AS path filter list is *${settings.filterListIn}\n`;
  if (settings.filterListOut !== undefined) text += `  Outgoing update AS path filter list is *${settings.filterListOut}\n`;
  if (settings.routeMapIn !== undefined) text += `  Route map for incoming advertisements is *${settings.routeMapIn}\n`;
  if (settings.routeMapOut !== undefined) text += `  Route map for outgoing advertisements is *${settings.routeMapOut}\n`;
  if (lacksPolicy(view.bgp, effective, family, 'in')) text += '  Inbound updates discarded due to missing policy\n';
  if (lacksPolicy(view.bgp, effective, family, 'out')) text += '  Outbound updates discarded due to missing policy\n';
  text += `  ${counts.accepted} accepted prefixes\n`;
  if (settings.maximumPrefix !== undefined)
    text += `  Maximum prefixes allowed ${settings.maximumPrefix}\n  Threshold for warning message 75%\n`;
  return `${text}\n`;
}

function familyJson(view: NeighborView, neighbor: NeighborConfig, peer: BgpPeer, family: BgpFamily): JsonValue {
  const effective = effectiveNeighbor(view.bgp, neighbor);
  const settings = effective.families[family];
  const counts = peer.prefixCounts(family);
  const group = peer.updateGroups?.get(family);
  const hasIn = settings.routeMapIn !== undefined || settings.prefixListIn !== undefined || settings.filterListIn !== undefined;
  const hasOut = settings.routeMapOut !== undefined || settings.prefixListOut !== undefined || settings.filterListOut !== undefined;
  return {
    peerGroupMember: neighbor.peerGroup,
    updateGroupId: group?.group,
    subGroupId: group?.subgroup,
    packetQueueLength: group === undefined ? undefined : 0,
    routeReflectorClient: settings.routeReflectorClient === true ? true : undefined,
    inboundSoftConfigPermit: settings.softReconfiguration === true ? true : undefined,
    ...privateAsJson(settings),
    routerAlwaysNextHop: settings.nextHopSelf !== undefined ? true : undefined,
    commAttriSentToNbr: sendsCommunities(settings).json,
    defaultRouteMap: settings.defaultOriginateMap,
    defaultSent: settings.defaultOriginate === true && group !== undefined ? true : undefined,
    defaultNotSent: settings.defaultOriginate === true && group === undefined ? true : undefined,
    inboundPathPolicyConfig: hasIn ? true : undefined,
    outboundPathPolicyConfig: hasOut ? true : undefined,
    incomingUpdatePrefixFilterList: settings.prefixListIn,
    outgoingUpdatePrefixFilterList: settings.prefixListOut,
    incomingUpdateAsPathFilterList: settings.filterListIn,
    outgoingUpdateAsPathFilterList: settings.filterListOut,
    routeMapForIncomingAdvertisements: settings.routeMapIn,
    routeMapForOutgoingAdvertisements: settings.routeMapOut,
    inboundEbgpRequiresPolicy: lacksPolicy(view.bgp, effective, family, 'in')
      ? 'Inbound updates discarded due to missing policy'
      : undefined,
    outboundEbgpRequiresPolicy: lacksPolicy(view.bgp, effective, family, 'out')
      ? 'Outbound updates discarded due to missing policy'
      : undefined,
    acceptedPrefixCounter: counts.accepted,
    sentPrefixCounter: group === undefined ? undefined : counts.advertised,
    prefixAllowedMax: settings.maximumPrefix,
    prefixAllowedWarningThresh: settings.maximumPrefix === undefined ? undefined : 75,
  };
}

function ago(at: number | undefined, now: number): string {
  return at === undefined ? 'never' : uptimeText(secondsBetween(at, now));
}

/** Round trip that FRR reads off the socket; the simulated links have none of their own. */
const roundTripMs = 4;

function neighborText(view: NeighborView, neighbor: NeighborConfig, peer: BgpPeer): string {
  const { bgp, now } = view;
  const effective = effectiveNeighbor(bgp, neighbor);
  const isUp = peer.state === 'Established';
  const counters = peer.counters;
  const name =
    neighbor.address === undefined
      ? `BGP neighbor on ${neighbor.name}: ${peer.config.address.text}, `
      : `BGP neighbor is ${neighbor.listenRange === undefined ? '' : '*'}${neighbor.address.text}, `;
  let text = `${name}remote AS ${remoteAs(neighbor, peer)}, local AS ${effective.localAs ?? bgp.asn}, ${peer.isExternal ? 'external' : 'internal'} link\n`;
  text += '  Local Role: undefined\n  Remote Role: undefined\n';
  if (effective.description !== undefined) text += ` Description: ${effective.description}\n`;
  if (peer.hostname !== undefined) text += `Hostname: ${peer.hostname}\n`;
  if (neighbor.peerGroup !== undefined) text += ` Member of peer-group ${neighbor.peerGroup} for session parameters\n`;
  if (neighbor.listenRange !== undefined) text += ` Belongs to the subnet range group: ${neighbor.listenRange.text}\n`;
  if (isAdminDown(view, neighbor)) text += ' Administratively shut down\n';
  text += `  BGP version 4, remote router ID ${peer.remoteRouterId?.text ?? '0.0.0.0'}, local router ID ${view.speaker.options.routerId.text}\n`;
  text += `  BGP state = ${peer.state}${isUp ? `, up for ${ago(peer.establishedAt, now)}` : peer.state === 'Active' ? waitText(peer, effective.passive === true) : ''}\n`;
  text += `  Last read ${ago(peer.lastReadAt ?? peer.createdAt, now)}, Last write ${ago(peer.lastWriteAt, now)}\n`;
  text += `  Hold time is ${peer.negotiatedHoldTimeSeconds} seconds, keepalive interval is ${peer.negotiatedKeepaliveSeconds} seconds\n`;
  text += `  Configured hold time is ${peer.config.holdTimeSeconds} seconds, keepalive interval is ${peer.config.keepaliveSeconds} seconds\n`;
  text += '  Configured conditional advertisements interval is 60 seconds\n';
  if (isUp) text += capabilitiesText(view, peer);
  const modes = restartModes(view, neighbor, peer);
  const flags = bits(peer);
  text += '  Graceful restart information:\n';
  if (isUp && capabilityFacts(peer).remoteRestart !== undefined) {
    const names = (set: ReadonlySet<BgpFamily> | undefined): string =>
      bgpFamilies
        .filter((family) => set?.has(family) === true)
        .map((family) => familyNames[family])
        .join(', ');
    text += `    End-of-RIB send: ${names(peer.endOfRib?.sent)}\n    End-of-RIB received: ${names(peer.endOfRib?.received)}\n`;
  }
  const timers = restartTimers(peer, now);
  if (timers.restart !== undefined) text += `    The remaining time of restart timer is ${timers.restart}\n`;
  if (timers.stalePath !== undefined) text += `    The remaining time of stalepath timer is ${timers.stalePath}\n`;
  text += `    Local GR Mode: ${modes.local}\n    Remote GR Mode: ${modes.remote}\n    R bit: ${flags.r ? 'True' : 'False'}\n    N bit: ${flags.n ? 'True' : 'False'}\n`;
  text += `    Timers:\n      Configured Restart Time(sec): ${bgp.restartTimeSeconds}\n      Received Restart Time(sec): ${flags.received}\n`;
  // FRR prints it twice.
  if (timers.restart !== undefined) text += `      Restart Time Remaining(sec): ${timers.restart}\n`.repeat(2);
  if (isUp && isRestartMutual(peer)) {
    for (const family of peer.negotiatedFamilies) {
      const facts = familyRestart(peer, family);
      const yes = (is: boolean) => (is ? 'Yes' : 'No');
      text += `    ${familyNames[family]}:\n      F bit: ${facts.forwards ? 'True' : 'False'}\n      End-of-RIB sent: ${yes(facts.isSent)}\n`;
      text += `      End-of-RIB sent after update: ${yes(facts.isSent)}\n      End-of-RIB received: ${yes(facts.isReceived)}\n`;
      text += '      Timers:\n        Configured Stale Path Time(sec): 360\n';
      if (timers.stalePath !== undefined) text += `      Stale Path Remaining(sec): ${timers.stalePath}\n`;
    }
  }
  const row = (label: string, sent: number, received: number): string =>
    `    ${label.padEnd(15)}${String(sent).padStart(10)} ${String(received).padStart(10)}\n`;
  text += '  Message statistics:\n    Inq depth is 0\n    Outq depth is 0\n                         Sent       Rcvd\n';
  text +=
    row('Opens:', counters.opensSent, counters.opensReceived) +
    row('Notifications:', counters.notificationsSent, counters.notificationsReceived);
  text +=
    row('Updates:', counters.updatesSent, counters.updatesReceived) +
    row('Keepalives:', counters.keepalivesSent, counters.keepalivesReceived);
  text +=
    row('Route Refresh:', peer.routeRefreshes?.sent ?? 0, peer.routeRefreshes?.received ?? 0) +
    row('Capability:', 0, 0) +
    row('Total:', counters.messagesSent, counters.messagesReceived);
  text += '  Minimum time between advertisement runs is 0 seconds\n';
  if (effective.updateSource !== undefined) text += `  Update source is ${effective.updateSource}\n`;
  text += '\n';
  for (const family of bgpFamilies) if (isActive(view, neighbor, family)) text += familyText(view, neighbor, peer, family);
  text += `  Connections established ${counters.connectionsEstablished}; dropped ${counters.connectionsDropped}\n${resetText(peer, now)}`;
  if (peer.isPrefixOverflow === true)
    text += `  Peer had exceeded the max. no. of prefixes configured.\n  Reduce the no. of prefix and clear ip bgp ${displayName(neighbor)} to restore peering\n`;
  text += `  ${peer.isExternal ? 'External' : 'Internal'} BGP neighbor may be up to ${peer.config.ttlSecurityHops ?? peer.config.multihopTtl} hops away.\n`;
  if (peer.local !== undefined) {
    const hops = localNextHops(view.namespace, peer.local.ip, peer.localDevice);
    text += `Local host: ${peer.local.ip.text}, Local port: ${peer.local.port}\nForeign host: ${peer.config.address.text}, Foreign port: ${peer.remotePort ?? 0}\n`;
    text += `Nexthop: ${hops.v4?.text ?? view.speaker.options.routerId.text}\nNexthop global: ${globalNextHop(peer, hops.v6)}\nNexthop local: ${hops.linkLocal?.text ?? '::'}\n`;
    text += `BGP connection: ${isShared(view, peer) ? 'shared network' : 'non shared network'}\n`;
  }
  text += `BGP Connect Retry Timer in Seconds: ${peer.config.connectRetrySeconds}\n`;
  if (isUp) text += `Estimated round trip time: ${roundTripMs} ms\n`;
  if (peer.nextStartAt !== undefined) text += `Next start timer due in ${Math.floor((peer.nextStartAt - now) / 1000)} seconds\n`;
  if (peer.nextConnectAt !== undefined) text += `Next connect timer due in ${Math.floor((peer.nextConnectAt - now) / 1000)} seconds\n`;
  if (effective.password !== undefined) text += 'Peer Authentication Enabled\n';
  return `${text}Read thread: ${threads(peer)}  Write thread: ${threads(peer)}  FD used: ${threads(peer) === 'on' ? view.descriptorOf(peer) : -1}\n\n`;
}

function neighborJson(view: NeighborView, neighbor: NeighborConfig, peer: BgpPeer): JsonValue {
  const { bgp, now } = view;
  const effective = effectiveNeighbor(bgp, neighbor);
  const isUp = peer.state === 'Established';
  const counters = peer.counters;
  const clock = (at: number | undefined): number => (secondsBetween(at ?? view.startedAt, now) % 86_400) * 1000;
  const up = peer.establishedAt === undefined ? 0 : secondsBetween(peer.establishedAt, now);
  const flags = bits(peer);
  const timers = restartTimers(peer, now);
  const modes = restartModes(view, neighbor, peer);
  const hops = peer.local === undefined ? undefined : localNextHops(view.namespace, peer.local.ip, peer.localDevice);
  const families: Record<string, JsonValue> = {};
  for (const family of bgpFamilies)
    if (isActive(view, neighbor, family)) families[familyKeys[family]] = familyJson(view, neighbor, peer, family);
  const ends = (set: ReadonlySet<BgpFamily> | undefined): JsonValue =>
    Object.fromEntries(bgpFamilies.filter((family) => isUp && set?.has(family) === true).map((family) => [familyKeys[family], true]));
  return {
    bgpNeighborAddr: neighbor.address === undefined ? peer.config.address.text : undefined,
    remoteAs: remoteAs(neighbor, peer),
    localAs: effective.localAs ?? bgp.asn,
    [peer.isExternal ? 'nbrExternalLink' : 'nbrInternalLink']: true,
    localRole: 'undefined',
    remoteRole: 'undefined',
    nbrDesc: effective.description,
    hostname: peer.hostname,
    peerGroup: neighbor.peerGroup,
    peerSubnetRangeGroup: neighbor.listenRange?.text,
    adminShutDown: isAdminDown(view, neighbor) ? true : undefined,
    bgpVersion: 4,
    remoteRouterId: peer.remoteRouterId?.text ?? '0.0.0.0',
    localRouterId: view.speaker.options.routerId.text,
    bgpState: peer.state,
    bgpStateIs: peer.state === 'Active' && peer.restartEndsAt !== undefined && effective.passive !== true ? 'passiveNSF' : undefined,
    bgpTimerUpMsec: isUp ? up * 1000 : undefined,
    bgpTimerUpString: isUp ? uptimeText(up) : undefined,
    bgpTimerUpEstablishedEpoch: isUp ? Math.floor(now / 1000) - up : undefined,
    bgpTimerLastRead: clock(peer.lastReadAt ?? peer.createdAt),
    bgpTimerLastWrite: clock(peer.lastWriteAt),
    bgpInUpdateElapsedTimeMsecs: clock(isUp ? peer.lastUpdateAt : undefined),
    bgpTimerConfiguredHoldTimeMsecs: peer.config.holdTimeSeconds * 1000,
    bgpTimerConfiguredKeepAliveIntervalMsecs: peer.config.keepaliveSeconds * 1000,
    bgpTimerHoldTimeMsecs: peer.negotiatedHoldTimeSeconds * 1000,
    bgpTimerKeepAliveIntervalMsecs: peer.negotiatedKeepaliveSeconds * 1000,
    extendedOptionalParametersLength: false,
    bgpTimerConfiguredConditionalAdvertisementsSec: 60,
    neighborCapabilities: isUp ? capabilitiesJson(view, peer) : undefined,
    gracefulRestartInfo: {
      endOfRibSend: ends(peer.endOfRib?.sent),
      endOfRibRecv: ends(peer.endOfRib?.received),
      gracefulRestartTimerMsecs: timers.restart === undefined ? undefined : timers.restart * 1000,
      gracefulStalepathTimerMsecs: timers.stalePath === undefined ? undefined : timers.stalePath * 1000,
      localGrMode: modes.local,
      remoteGrMode: modes.remote,
      rBit: flags.r,
      nBit: flags.n,
      timers: {
        configuredRestartTimer: bgp.restartTimeSeconds,
        receivedRestartTimer: flags.received,
        restartTimerRemaining: timers.restart,
      },
      ...Object.fromEntries(
        (isUp && isRestartMutual(peer) ? [...peer.negotiatedFamilies] : []).map((family): [string, JsonValue] => {
          const { forwards, isSent, isReceived } = familyRestart(peer, family);
          return [
            familyKeys[family],
            {
              fBit: forwards,
              endOfRibStatus: { endOfRibSend: isSent, endOfRibSentAfterUpdate: isSent, endOfRibRecv: isReceived },
              timers: { stalePathTimer: 360, stalePathTimerRemaining: timers.stalePath },
            },
          ];
        }),
      ),
    },
    messageStats: {
      depthInq: 0,
      depthOutq: 0,
      opensSent: counters.opensSent,
      opensRecv: counters.opensReceived,
      notificationsSent: counters.notificationsSent,
      notificationsRecv: counters.notificationsReceived,
      updatesSent: counters.updatesSent,
      updatesRecv: counters.updatesReceived,
      keepalivesSent: counters.keepalivesSent,
      keepalivesRecv: counters.keepalivesReceived,
      routeRefreshSent: peer.routeRefreshes?.sent ?? 0,
      routeRefreshRecv: peer.routeRefreshes?.received ?? 0,
      capabilitySent: 0,
      capabilityRecv: 0,
      totalSent: counters.messagesSent,
      totalRecv: counters.messagesReceived,
    },
    minBtwnAdvertisementRunsTimerMsecs: 0,
    updateSource: effective.updateSource,
    addressFamilyInfo: families,
    connectionsEstablished: counters.connectionsEstablished,
    connectionsDropped: counters.connectionsDropped,
    ...resetJson(peer, now),
    prefixesConfigExceedMax: peer.isPrefixOverflow === true ? true : undefined,
    reducePrefixNumAndClearIpBgp: peer.isPrefixOverflow === true ? true : undefined,
    [peer.isExternal ? 'externalBgpNbrMaxHopsAway' : 'internalBgpNbrMaxHopsAway']: peer.config.ttlSecurityHops ?? peer.config.multihopTtl,
    hostLocal: peer.local?.ip.text ?? 'Unknown',
    portLocal: peer.local?.port ?? -1,
    hostForeign: peer.local === undefined ? 'Unknown' : peer.config.address.text,
    portForeign: peer.local === undefined ? -1 : (peer.remotePort ?? -1),
    nexthop: hops === undefined ? undefined : (hops.v4?.text ?? view.speaker.options.routerId.text),
    nexthopGlobal: hops === undefined ? undefined : globalNextHop(peer, hops.v6),
    nexthopLocal: hops === undefined ? undefined : (hops.linkLocal?.text ?? '::'),
    bgpConnection: hops === undefined ? undefined : isShared(view, peer) ? 'sharedNetwork' : 'nonSharedNetwork',
    connectRetryTimer: peer.config.connectRetrySeconds,
    estimatedRttInMsecs: isUp ? roundTripMs : undefined,
    nextStartTimerDueInMsecs: peer.nextStartAt === undefined ? undefined : Math.floor((peer.nextStartAt - now) / 1000) * 1000,
    nextConnectTimerDueInMsecs: peer.nextConnectAt === undefined ? undefined : Math.floor((peer.nextConnectAt - now) / 1000) * 1000,
    authenticationEnabled: effective.password === undefined ? undefined : 1,
    readThread: threads(peer),
    writeThread: threads(peer),
  };
}

/** `show bgp neighbors [X] [json]`. */
export function showNeighbors(view: NeighborView, only: NeighborConfig | undefined, json: boolean): string {
  const shown = view.neighbors.filter(({ neighbor }) => only === undefined || neighbor === only);
  if (!json)
    return `${shown.map(({ neighbor, peer }) => neighborText(view, neighbor, peer)).join('')}${shown.length === 0 ? '% No BGP neighbors found\n' : ''}\n`;
  const body: Record<string, JsonValue> = {};
  for (const { neighbor, peer } of shown) body[displayName(neighbor)] = neighborJson(view, neighbor, peer);
  return `${prettyJson(body, { escapeSlashes: true })}\n`;
}

/** A mapped address in hexadecimal, as FRR prints it. */
function globalNextHop({ mappedNextHop }: BgpPeer, own: Ip | undefined): string {
  if (mappedNextHop === undefined) return own?.text ?? '::';
  const low = Number(mappedNextHop.value & 0xffffffffn);
  return `::ffff:${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`;
}

/** bgp_zebra.c, bgp_nexthop_set: an address of the neighbor's own subnet is there. */
function isShared({ namespace }: NeighborView, { config: { address } }: BgpPeer): boolean {
  if (isLinkLocal(address)) return true;
  const decision = namespace.routes.lookup(address);
  return decision.kind === 'forward' && decision.nextHop === address;
}

/** They run from the moment that a connection stands. */
function threads({ state }: BgpPeer): 'on' | 'off' {
  return state === 'OpenSent' || state === 'OpenConfirm' || state === 'Established' ? 'on' : 'off';
}
