import type { BgpFamily, BgpPeer, BgpSpeaker, Path, PathAttributes, RibEntry } from '../bgp/types.ts';
import { contains, ip } from '../net/address.ts';
import type { Ip, Prefix } from '../net/types.ts';
import { asPathText, communityText } from './policy.ts';
import { addressText, ctime, type JsonValue, plainJson, prettyJson } from './text.ts';

export interface BgpView {
  readonly speaker: BgpSpeaker;
  readonly localAsn: number;
  readonly localPreference: number;
  /** Neighbours in the order of the configuration. */
  readonly peers: readonly BgpPeer[];
}

const originLetters = { igp: 'i', egp: 'e', incomplete: '?' } as const;
const originWords = { igp: 'IGP', egp: 'EGP', incomplete: 'incomplete' } as const;

function header(view: BgpView, version: number): string {
  return `BGP table version is ${version}, local router ID is ${view.speaker.options.routerId.text}, vrf id 0
Default local pref ${view.localPreference}, local AS ${view.localAsn}
Status codes:  s suppressed, d damped, h history, * valid, > best, = multipath,
               i internal, r RIB-failure, S Stale, R Removed
Nexthop codes: @NNN nexthop's vrf id, < announce-nh-self
Origin codes:  i - IGP, e - EGP, ? - incomplete
RPKI validation codes: V valid, I invalid, N Not found

`;
}

const columnsNarrow = '   Network          Next Hop            Metric LocPrf Weight Path\n';
const columnsWide = '   Network                                      Next Hop                                  Metric LocPrf Weight Path\n';

/** `neighbor IFACE interface`: bgpd.c calls it conf_if. */
function isUnnumbered(path: Path): boolean {
  return path.peer?.config.isUnnumbered === true;
}

/**
 * `show bgp …` prints the link-local address where both came along, for packets go there; and an unnumbered neighbor's
 * interface in the place of any IPv6 one (bgp_route.c, route_vty_out).
 */
function shownNextHop(path: Path): string {
  const { nextHop, linkLocalNextHop } = path.attributes;
  if (nextHop.family === 6 && isUnnumbered(path)) return path.peer?.config.device ?? '';
  return addressText(linkLocalNextHop ?? nextHop);
}

function statusOf(entry: RibEntry, path: Path): string {
  const isBest = path === entry.best;
  const first = path.isStale ? 'S' : path.isSuppressed === true ? 's' : path.isValid ? '*' : ' ';
  const second = isBest ? '>' : entry.multipath.includes(path) ? '=' : ' ';
  return `${first}${second}${path.peer !== undefined && !path.peer.isExternal ? 'i' : ' '}`;
}

interface Row {
  readonly status: string;
  /** Undefined: a further path of the same prefix. */
  readonly prefix: string | undefined;
  readonly nextHop: string;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly weight: number;
  readonly path: string;
  readonly origin: 'igp' | 'egp' | 'incomplete';
}

function rowText(row: Row, wide: boolean): string {
  const prefixWidth = wide ? 45 : 17;
  const hopWidth = wide ? 41 : 16;
  let text = row.status;
  if (row.prefix === undefined) text += ' '.repeat(prefixWidth);
  else text += row.prefix.length < prefixWidth ? row.prefix.padEnd(prefixWidth) : `${row.prefix}\n${' '.repeat(20)}`;
  text += row.nextHop.length < hopWidth ? row.nextHop.padEnd(hopWidth) : `${row.nextHop}\n${' '.repeat(36)}`;
  text += (row.med === undefined ? '' : String(row.med)).padStart(wide ? 7 : 10);
  text += (row.localPref === undefined ? '' : String(row.localPref)).padStart(7);
  text += `${String(row.weight).padStart(7)} `;
  return `${text}${row.path === '' ? '' : `${row.path} `}${originLetters[row.origin]}\n`;
}

function pathRow(entry: RibEntry, path: Path, isFirst: boolean): Row {
  const { attributes } = path;
  return {
    status: statusOf(entry, path),
    prefix: isFirst ? entry.prefix.text : undefined,
    nextHop: shownNextHop(path),
    med: attributes.med,
    localPref: attributes.localPref,
    weight: path.weight,
    path: asPathText(attributes.asPath),
    origin: attributes.origin,
  };
}

function hopJson(path: Path): JsonValue[] {
  const { nextHop, linkLocalNextHop } = path.attributes;
  const hostname = path.peer?.hostname;
  const isIpv6 = nextHop.family === 6;
  // Of an unnumbered neighbor FRR shows a link-local one even where none came, and calls that the used one.
  const local = linkLocalNextHop?.text ?? (isIpv6 && isUnnumbered(path) ? '::' : undefined);
  const isLocalUsed = local !== undefined && local !== nextHop.text;
  const global: JsonValue = {
    ip: addressText(nextHop),
    hostname,
    afi: isIpv6 ? 'ipv6' : 'ipv4',
    scope: isIpv6 ? 'global' : undefined,
    used: isLocalUsed ? undefined : true,
  };
  if (local === undefined) return [global];
  return [global, { ip: local, hostname, afi: 'ipv6', scope: 'link-local', used: isLocalUsed ? true : undefined }];
}

function selfAddress(prefix: Prefix): string {
  return prefix.family === 4 ? '0.0.0.0' : '::';
}

function pathJson(entry: RibEntry, path: Path): JsonValue {
  const isBest = path === entry.best;
  return {
    suppressed: path.isSuppressed === true ? true : undefined,
    valid: path.isValid ? true : undefined,
    stale: path.isStale ? true : undefined,
    bestpath: isBest ? true : undefined,
    selectionReason: isBest ? entry.reason : undefined,
    multipath: !isBest && entry.multipath.includes(path) ? true : undefined,
    pathFrom: path.peer !== undefined && !path.peer.isExternal ? 'internal' : 'external',
    prefix: entry.prefix.address.text,
    prefixLen: entry.prefix.length,
    network: entry.prefix.text,
    version: entry.version,
    metric: path.attributes.med,
    locPrf: path.attributes.localPref,
    weight: path.weight,
    peerId: path.peer?.config.address.text ?? '(unspec)',
    path: asPathText(path.attributes.asPath),
    origin: originWords[path.attributes.origin],
    nexthops: hopJson(path),
  };
}

export interface TableOptions {
  readonly family: BgpFamily;
  readonly json?: boolean;
  readonly wide?: boolean;
  /** Which paths to show; all when absent. */
  readonly filter?: (path: Path) => boolean;
  readonly isNormal?: boolean;
}

/** `show bgp [ipv4|ipv6] [unicast] [json|wide]`. */
export function showTable(view: BgpView, options: TableOptions): string {
  const { speaker } = view;
  const version = speaker.tableVersion(options.family);
  const entries = speaker
    .locRib(options.family)
    .map((entry) => ({ entry, paths: options.filter === undefined ? entry.paths : entry.paths.filter(options.filter) }))
    .filter(({ paths }) => paths.length > 0);
  const total = speaker.locRib(options.family).reduce((sum, entry) => sum + entry.paths.length, 0);
  if (options.json === true) {
    let text = `{\n "vrfId": 0,\n "vrfName": "default",\n "tableVersion": ${version},\n "routerId": "${speaker.options.routerId.text}",\n "defaultLocPrf": ${view.localPreference},\n "localAS": ${view.localAsn},\n "routes": { `;
    entries.forEach(({ entry, paths }, index) => {
      text += `${index === 0 ? '' : ','}"${entry.prefix.text}": ${plainJson(paths.map((path) => pathJson(entry, path)))}\n`;
    });
    return `${text} }  } \n`;
  }
  if (entries.length === 0) return options.isNormal === false ? '' : `No BGP prefixes displayed, ${total} exist\n`;
  let text = header(view, version) + (options.wide === true ? columnsWide : columnsNarrow);
  for (const { entry, paths } of entries)
    for (const path of paths) text += rowText(pathRow(entry, path, path === paths[0]), options.wide === true);
  return `${text}\nDisplayed  ${entries.length} routes and ${total} total paths\n`;
}

/** `show bgp FAMILY neighbors X advertised-routes`: a next hop that is this router's own is left blank by FRR. */
export function showAdvertised(view: BgpView, peer: BgpPeer, family: BgpFamily, json: boolean): string {
  const routes = [...peer.adjRibOut(family)].sort((a, b) => comparePrefix(a.prefix, b.prefix));
  const version = view.speaker.tableVersion(family);
  const own = (isSelf: boolean | undefined, nextHop: Ip): string =>
    isSelf !== true ? addressText(nextHop) : nextHop.family === 6 ? '::' : '0.0.0.0';
  const rows = routes.map((route) => {
    // The table keeps what was decided, before the path to the outside was put together.
    const { asPath } = route.attributes;
    const shown = peer.isExternal && asPath[0] === view.localAsn ? asPath.slice(1) : asPath;
    // Local preference and weight never leave the router towards another AS, and are shown all the same.
    const best = view.speaker.lookup(route.prefix)?.best;
    const localPref = route.attributes.localPref ?? best?.attributes.localPref;
    return {
      prefix: route.prefix,
      weight: best !== undefined && best.peer === undefined ? best.weight : 0,
      nextHop: own(route.isNextHopSelf, route.attributes.nextHop),
      attributes: { ...route.attributes, ...(localPref === undefined ? {} : { localPref }) },
      path: asPathText(shown),
    };
  });
  if (json) {
    const advertised: Record<string, JsonValue> = {};
    for (const row of rows) advertised[row.prefix.text] = neighborRouteJson(row.prefix, row.nextHop, row.attributes, row.weight, row.path);
    const body: JsonValue = {
      ...tableFacts(view, version),
      advertisedRoutes: advertised,
      totalPrefixCounter: rows.length,
      filteredPrefixCounter: 0,
    };
    return `${prettyJson(body)}\n`;
  }
  let text = rows.length === 0 ? '' : header(view, version) + columnsNarrow;
  for (const row of rows) {
    text += rowText(
      {
        status: '*> ',
        prefix: row.prefix.text,
        nextHop: row.nextHop,
        med: row.attributes.med,
        localPref: row.attributes.localPref,
        weight: row.weight,
        path: row.path,
        origin: row.attributes.origin,
      },
      false,
    );
  }
  return `${text}\nTotal number of prefixes ${rows.length}\n`;
}

/** `… received-routes` and `… filtered-routes`, which need soft reconfiguration: what came in, as the route map leaves it. */
export function showReceived(
  view: BgpView,
  peer: BgpPeer,
  family: BgpFamily,
  options: { readonly isFiltered: boolean; readonly json: boolean },
): string {
  const { importPolicy } = view.speaker.options;
  const all = [...peer.adjRibIn(family)]
    .sort((a, b) => comparePrefix(a.prefix, b.prefix))
    .map((route) => {
      if (view.speaker.lookup(route.prefix)?.paths.includes(route) === true)
        return { route, attributes: route.attributes, isDenied: false };
      const decided = importPolicy === undefined ? route : importPolicy(route, peer);
      return { route, attributes: decided?.attributes ?? route.attributes, isDenied: decided === undefined };
    });
  const denied = all.filter(({ isDenied }) => isDenied).length;
  const rows = options.isFiltered ? all.filter(({ isDenied }) => isDenied) : all;
  const version = view.speaker.tableVersion(family);
  if (options.json) {
    const routes: Record<string, JsonValue> = {};
    for (const { route, attributes } of rows)
      routes[route.prefix.text] = neighborRouteJson(
        route.prefix,
        addressText(attributes.nextHop),
        attributes,
        0,
        asPathText(attributes.asPath),
      );
    const body: JsonValue = {
      ...tableFacts(view, version),
      [options.isFiltered ? 'filteredRoutes' : 'receivedRoutes']: routes,
      totalPrefixCounter: rows.length,
      filteredPrefixCounter: options.isFiltered ? 0 : denied,
    };
    return `${prettyJson(body)}\n`;
  }
  let text = rows.length === 0 ? '' : header(view, version) + columnsNarrow;
  for (const { route, attributes } of rows) {
    text += rowText(
      {
        status: '*> ',
        prefix: route.prefix.text,
        nextHop: addressText(attributes.nextHop),
        med: attributes.med,
        localPref: attributes.localPref,
        weight: 0,
        path: asPathText(attributes.asPath),
        origin: attributes.origin,
      },
      false,
    );
  }
  const filtered = denied > 0 && !options.isFiltered ? ` (${denied} filtered)` : '';
  return `${text}\nTotal number of prefixes ${rows.length}${filtered}\n`;
}

function neighborRouteJson(prefix: Prefix, nextHop: string, attributes: PathAttributes, weight: number, path: string): JsonValue {
  const isIpv6 = nextHop.includes(':');
  return {
    addrPrefix: prefix.address.text,
    prefixLen: prefix.length,
    network: prefix.text,
    nextHop: isIpv6 ? undefined : nextHop,
    nextHopGlobal: isIpv6 ? nextHop : undefined,
    metric: attributes.med,
    locPrf: attributes.localPref,
    weight,
    path,
    bgpOriginCode: originLetters[attributes.origin],
    appliedStatusSymbols: { '*': true, '>': true },
  };
}

function tableFacts(view: BgpView, version: number): Record<string, JsonValue> {
  return {
    bgpTableVersion: version,
    bgpLocalRouterId: view.speaker.options.routerId.text,
    defaultLocPrf: view.localPreference,
    localAS: view.localAsn,
    bgpStatusCodes: {
      suppressed: 's',
      damped: 'd',
      history: 'h',
      valid: '*',
      best: '>',
      multipath: '=',
      internal: 'i',
      ribFailure: 'r',
      stale: 'S',
      removed: 'R',
    },
    bgpOriginCodes: { igp: 'i', egp: 'e', incomplete: '?' },
  };
}

function comparePrefix(a: Prefix, b: Prefix): number {
  if (a.address.value !== b.address.value) return a.address.value < b.address.value ? -1 : 1;
  return a.length - b.length;
}

/** The entry for a prefix, or the longest match of an address. */
export function findEntry(view: BgpView, family: BgpFamily, text: string): RibEntry | undefined {
  const entries = view.speaker.locRib(family);
  if (text.includes('/')) return entries.find((entry) => entry.prefix.text === text);
  const address = ip(text);
  let found: RibEntry | undefined;
  for (const entry of entries)
    if (contains(entry.prefix, address) && (found === undefined || entry.prefix.length > found.prefix.length)) found = entry;
  return found;
}

const headRemarks: readonly (readonly [number, string])[] = [
  [0xffff029a, ', inform peer to blackhole prefix'],
  [0xffffff01, ', not advertised to EBGP peer'],
  [0xffffff02, ', not advertised to any peer'],
  [0xffffff03, ', not advertised outside local AS'],
];

/** `show bgp FAMILY PREFIX`. */
export function showEntry(view: BgpView, entry: RibEntry): string {
  const bestIndex = entry.best === undefined ? -1 : entry.paths.indexOf(entry.best);
  let text = `BGP routing table entry for ${entry.prefix.text}, version ${entry.version}\n`;
  text += `Paths: (${entry.paths.length} available, ${bestIndex < 0 ? 'no best path' : `best #${bestIndex + 1}, table default`}`;
  const bestCommunities = entry.best?.attributes.communities ?? [];
  for (const [value, remark] of headRemarks) {
    if (!bestCommunities.includes(value)) continue;
    text += remark;
    break;
  }
  text += ')\n';
  const told = view.peers.filter((peer) => peer.hasSent?.(entry.prefix) === true);
  text +=
    told.length === 0
      ? '  Not advertised to any peer\n'
      : `  Advertised to non peer-group peers:\n ${told.map((peer) => ` ${peerName(peer)}`).join('')}\n`;
  for (const path of entry.paths) text += pathDetail(view, entry, path);
  return text;
}

function peerName(peer: BgpPeer): string {
  return peer.config.address.value >> 118n === 0x3fan && peer.config.device !== undefined ? peer.config.device : peer.config.address.text;
}

function pathDetail(view: BgpView, entry: RibEntry, path: Path): string {
  const { attributes, peer } = path;
  let text = `  ${attributes.asPath.length === 0 ? 'Local' : asPathText(attributes.asPath)}`;
  if (path.isStale) text += ', (stale)';
  if (attributes.aggregator !== undefined) text += `, (aggregated by ${attributes.aggregator.asn} ${attributes.aggregator.routerId.text})`;
  if (peer?.config.perFamily?.[entry.prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast']?.routeReflectorClient === true)
    text += ', (Received from a RR-client)';
  text += `\n    ${addressText(attributes.nextHop)}`;
  if (!path.isValid) text += ' (inaccessible)';
  else if ((path.igpMetric ?? 0) > 0) text += ` (metric ${path.igpMetric})`;
  if (peer === undefined) text += ` from ${selfAddress(entry.prefix)} (${view.speaker.options.routerId.text})`;
  else text += ` from ${peerName(peer)} (${(attributes.originatorId ?? peer.remoteRouterId)?.text ?? '0.0.0.0'})`;
  text += '\n';
  if (attributes.linkLocalNextHop !== undefined) text += `    (${attributes.linkLocalNextHop.text}) (used)\n`;
  text += `      Origin ${originWords[attributes.origin]}`;
  if (attributes.med !== undefined) text += `, metric ${attributes.med}`;
  if (attributes.localPref !== undefined) text += `, localpref ${attributes.localPref}`;
  if (path.weight !== 0) text += `, weight ${path.weight}`;
  text += path.isValid ? ', valid' : ', invalid';
  if (peer !== undefined) text += peer.isExternal ? ', external' : ', internal';
  else text += attributes.origin === 'incomplete' ? ', sourced' : ', sourced, local';
  if (attributes.atomicAggregate === true) text += ', atomic-aggregate';
  if (entry.multipath.length > 1 && entry.multipath.includes(path)) text += ', multipath';
  if (path === entry.best) text += `, best (${entry.reason ?? 'Nothing left to compare'})`;
  text += '\n';
  if (attributes.communities !== undefined && attributes.communities.length > 0)
    text += `      Community: ${attributes.communities.map(communityText).join(' ')}\n`;
  if (attributes.largeCommunities !== undefined && attributes.largeCommunities.length > 0)
    text += `      Large Community: ${attributes.largeCommunities.map((each) => each.join(':')).join(' ')}\n`;
  if (attributes.originatorId !== undefined || attributes.clusterList !== undefined) {
    const parts: string[] = [];
    if (attributes.originatorId !== undefined) parts.push(`      Originator: ${attributes.originatorId.text}`);
    if (attributes.clusterList !== undefined) parts.push(`Cluster list: ${attributes.clusterList.map((each) => `${each.text} `).join('')}`);
    text += `${parts.join(', ')}\n`;
  }
  return `${text}      Last update: ${ctime(path.receivedAt)}\n`;
}

/** `show bgp FAMILY PREFIX json`. */
export function showEntryJson(view: BgpView, entry: RibEntry): string {
  const advertisedTo: Record<string, JsonValue> = {};
  for (const peer of view.peers) if (peer.hasSent?.(entry.prefix) === true) advertisedTo[peerName(peer)] = { hostname: peer.hostname };
  const paths = entry.paths.map((path): JsonValue => {
    const { attributes, peer } = path;
    const isBest = path === entry.best;
    const isIpv6 = attributes.nextHop.family === 6;
    const isMultipath = entry.multipath.length > 1 && entry.multipath.includes(path);
    const segments: JsonValue[] = [];
    const sequence = attributes.asPath.filter((item): item is number => typeof item === 'number');
    if (sequence.length > 0) segments.push({ type: 'as-sequence', list: sequence });
    for (const item of attributes.asPath) if (typeof item !== 'number') segments.push({ type: 'as-set', list: item.set });
    const hops: JsonValue[] = [
      {
        ip: addressText(attributes.nextHop),
        hostname: peer?.hostname,
        afi: isIpv6 ? 'ipv6' : 'ipv4',
        scope: isIpv6 ? 'global' : undefined,
        metric: path.isValid ? (path.igpMetric ?? 0) : undefined,
        accessible: path.isValid,
        used: attributes.linkLocalNextHop === undefined ? true : undefined,
      },
    ];
    if (attributes.linkLocalNextHop !== undefined)
      hops.push({
        ip: attributes.linkLocalNextHop.text,
        hostname: peer?.hostname,
        afi: 'ipv6',
        scope: 'link-local',
        accessible: true,
        used: true,
      });
    const communities = attributes.communities ?? [];
    const largeCommunities = (attributes.largeCommunities ?? []).map((each) => each.join(':'));
    return {
      aspath: {
        string: attributes.asPath.length === 0 ? 'Local' : asPathText(attributes.asPath),
        segments,
        length: attributes.asPath.length,
      },
      stale: path.isStale ? true : undefined,
      origin: originWords[attributes.origin],
      metric: attributes.med,
      locPrf: attributes.localPref,
      weight: path.weight === 0 ? undefined : path.weight,
      valid: path.isValid,
      version: entry.version,
      sourced: peer === undefined ? true : undefined,
      local: peer === undefined && attributes.origin !== 'incomplete' ? true : undefined,
      multipath: isMultipath ? true : undefined,
      bestpath: isBest ? { overall: true, selectionReason: entry.reason ?? 'Nothing left to compare' } : undefined,
      community:
        communities.length === 0 ? undefined : { string: communities.map(communityText).join(' '), list: communities.map(communityText) },
      largeCommunity: largeCommunities.length === 0 ? undefined : { string: largeCommunities.join(' '), list: largeCommunities },
      originatorId: attributes.originatorId?.text,
      clusterList: attributes.clusterList === undefined ? undefined : { list: attributes.clusterList.map((each) => each.text) },
      lastUpdate: { epoch: Math.floor(path.receivedAt / 1000), string: `${ctime(path.receivedAt)}\n` },
      nexthops: hops,
      peer:
        peer === undefined
          ? { peerId: selfAddress(entry.prefix), routerId: view.speaker.options.routerId.text }
          : {
              peerId: peer.config.address.text,
              routerId: peer.remoteRouterId?.text ?? '0.0.0.0',
              hostname: peer.hostname,
              type: peer.isExternal ? 'external' : 'internal',
            },
    };
  });
  const body: JsonValue = {
    prefix: entry.prefix.text,
    version: entry.version,
    advertisedTo: Object.keys(advertisedTo).length === 0 ? undefined : advertisedTo,
    paths,
  };
  return `${prettyJson(body)}\n`;
}
