import { contains, ip } from '../net/address.ts';
import type { Family, NetworkNamespace, Prefix } from '../net/types.ts';
import { addressText, type JsonValue, prettyJson, secondsBetween, uptimeText } from './text.ts';
import type { ShownNextHop, Zebra, ZebraNextHop, ZebraProtocol, ZebraRoute } from './zebra.ts';

const header4 = `Codes: K - kernel route, C - connected, S - static, R - RIP,
       O - OSPF, I - IS-IS, B - BGP, E - EIGRP, N - NHRP,
       T - Table, v - VNC, V - VNC-Direct, A - Babel, F - PBR,
       f - OpenFabric,
       > - selected route, * - FIB route, q - queued, r - rejected, b - backup
       t - trapped, o - offload failure

`;
const header6 = `Codes: K - kernel route, C - connected, S - static, R - RIPng,
       O - OSPFv3, I - IS-IS, B - BGP, N - NHRP, T - Table,
       v - VNC, V - VNC-Direct, A - Babel, F - PBR,
       f - OpenFabric,
       > - selected route, * - FIB route, q - queued, r - rejected, b - backup
       t - trapped, o - offload failure

`;
const letters: Readonly<Record<ZebraProtocol, string>> = { kernel: 'K', connected: 'C', static: 'S', bgp: 'B' };

const unreachable: Readonly<Record<NonNullable<ZebraNextHop['blackhole']>, string>> = {
  null: ' unreachable (blackhole)',
  reject: ' unreachable (ICMP unreachable)',
  prohibit: ' unreachable (ICMP admin-prohibited)',
};

function shownHops(route: ZebraRoute): readonly ShownNextHop[] {
  return route.shown ?? route.nextHops.map((hop) => ({ ...hop, kind: 'direct' }));
}

const stateWords: Readonly<Record<ShownNextHop['kind'], string>> = {
  direct: '',
  resolved: '',
  recursive: ' (recursive)',
  inactive: ' inactive',
};

function hopText(hop: ShownNextHop): string {
  let text: string;
  if (hop.blackhole !== undefined) text = unreachable[hop.blackhole];
  else if (hop.via === undefined) text = ` is directly connected, ${hop.device ?? 'unknown'}`;
  else text = ` via ${addressText(hop.via)}${hop.device === undefined ? '' : `, ${hop.device}`}`;
  text += stateWords[hop.kind];
  return hop.weight === undefined ? text : `${text}, weight ${hop.weight}`;
}

function routeText(route: ZebraRoute, now: number): string {
  const uptime = uptimeText(secondsBetween(route.since, now));
  const starOf = ({ kind }: ShownNextHop) =>
    route.isSelected && !route.isInstalled ? 'r' : kind === 'recursive' || kind === 'inactive' || !route.isInstalled ? ' ' : '*';
  let head = ` ${route.prefix.text}`;
  if (route.protocol !== 'connected') head += ` [${route.distance}/${route.metric}]`;
  const mark = `${letters[route.protocol]}${route.isSelected ? '>' : ' '}`;
  return shownHops(route)
    .map((hop, index) => {
      // What a next hop behind a router resolves to stands two columns further in.
      const margin =
        index === 0 ? `${mark}${starOf(hop)}${head}` : `  ${starOf(hop)}${' '.repeat(head.length + (hop.kind === 'resolved' ? 2 : 0))}`;
      return `${margin}${hopText(hop)}, ${uptime}\n`;
    })
    .join('');
}

/** Zebra's ZEBRA_FLAG_… of a route: recursion allowed (1), iBGP (4), and reachability checked by staticd (64). */
function internalFlags(route: ZebraRoute): number {
  if (route.protocol === 'static') return 65;
  return route.protocol === 'bgp' && route.distance === 200 ? 5 : 0;
}

function routeJson(route: ZebraRoute, now: number, namespace: NetworkNamespace): JsonValue {
  return {
    prefix: route.prefix.text,
    prefixLen: route.prefix.length,
    protocol: route.protocol,
    vrfId: 0,
    vrfName: 'default',
    selected: route.isSelected ? true : undefined,
    destSelected: route.isSelected ? true : undefined,
    distance: route.distance,
    metric: route.metric,
    installed: route.isInstalled ? true : undefined,
    failed: !route.isInstalled && route.isSelected ? true : undefined,
    table: 254,
    internalStatus: route.isInstalled ? 16 : 0,
    internalFlags: (route.isSelected ? 8 : 0) + internalFlags(route),
    internalNextHopNum: route.nextHops.length,
    internalNextHopActiveNum: route.nextHops.length,
    nexthopGroupId: route.groupId,
    installedNexthopGroupId: route.isSelected ? route.groupId : undefined,
    uptime: uptimeText(secondsBetween(route.since, now)),
    nexthops: route.nextHops.map((hop): JsonValue => {
      const device = hop.device === undefined ? undefined : namespace.getInterface(hop.device);
      return {
        flags: 3,
        fib: route.isInstalled ? true : undefined,
        unreachable: hop.blackhole === undefined ? undefined : true,
        blackhole: hop.blackhole === 'null' ? true : undefined,
        reject: hop.blackhole === 'reject' ? true : undefined,
        'admin-prohibited': hop.blackhole === 'prohibit' ? true : undefined,
        ip: hop.via?.text,
        afi: hop.via === undefined ? undefined : hop.via.family === 4 ? 'ipv4' : 'ipv6',
        directlyConnected: hop.blackhole === undefined && hop.via === undefined ? true : undefined,
        interfaceIndex: device?.index,
        interfaceName: hop.device,
        active: true,
        weight: hop.weight,
      };
    }),
  };
}

export interface RouteQuery {
  readonly family: Family;
  readonly protocol?: ZebraProtocol;
  readonly json?: boolean;
}

/** `show ip route` and `show ipv6 route`. */
export function showRoutes(zebra: Zebra, namespace: NetworkNamespace, now: number, query: RouteQuery): string {
  const routes = zebra.list(query.family).filter((route) => query.protocol === undefined || route.protocol === query.protocol);
  if (query.json === true) {
    const byPrefix: Record<string, JsonValue[]> = {};
    for (const route of routes) {
      const list = byPrefix[route.prefix.text] ?? [];
      list.push(routeJson(route, now, namespace));
      byPrefix[route.prefix.text] = list;
    }
    return `${prettyJson(byPrefix)}\n`;
  }
  if (routes.length === 0) return '';
  return (query.family === 4 ? header4 : header6) + routes.map((route) => routeText(route, now)).join('');
}

function detailHop(route: ZebraRoute, hop: ZebraNextHop): string {
  const star = route.isInstalled ? '*' : ' ';
  let text: string;
  if (hop.blackhole !== undefined) text = unreachable[hop.blackhole];
  else if (hop.via === undefined) text = ` directly connected, ${hop.device ?? 'unknown'}`;
  else text = ` ${hop.via.text}${hop.device === undefined ? '' : `, via ${hop.device}`}`;
  return `  ${star}${text}${hop.weight === undefined ? '' : `, weight ${hop.weight}`}\n`;
}

/** `show ip route X`: the longest match of an address, or exactly a prefix. Undefined: not in the table. */
export function showRouteEntry(
  zebra: Zebra,
  namespace: NetworkNamespace,
  now: number,
  family: Family,
  text: string,
  json: boolean,
): string | undefined {
  let found: Prefix | undefined;
  if (text.includes('/')) found = zebra.list(family).find((route) => route.prefix.text === text)?.prefix;
  else {
    const address = ip(text);
    for (const { prefix } of zebra.list(family))
      if (contains(prefix, address) && (found === undefined || prefix.length > found.length)) found = prefix;
  }
  if (found === undefined) return undefined;
  const routes = zebra.list(family).filter((route) => route.prefix === found);
  if (json) return `${prettyJson({ [found.text]: routes.map((route) => routeJson(route, now, namespace)) })}\n`;
  return routes
    .map(
      (route) =>
        `Routing entry for ${route.prefix.text}\n  Known via "${route.protocol}", distance ${route.distance}, metric ${route.metric}${route.isSelected ? ', best' : ''}\n` +
        `  Last update ${uptimeText(secondsBetween(route.since, now))} ago\n${route.nextHops.map((hop) => detailHop(route, hop)).join('')}\n`,
    )
    .join('');
}

/** `show ip route summary`: eBGP's and iBGP's routes are told apart by their distance; zero counts are left out but for iBGP's. */
export function showRouteSummary(zebra: Zebra, family: Family, json: boolean): string {
  const counts = new Map<string, { rib: number; fib: number }>();
  for (const route of zebra.list(family)) {
    const type = route.protocol === 'bgp' ? (route.distance === 20 ? 'ebgp' : 'ibgp') : route.protocol;
    const count = counts.get(type) ?? { rib: 0, fib: 0 };
    count.rib++;
    if (route.isInstalled || route.protocol === 'connected' || route.protocol === 'kernel') count.fib++;
    counts.set(type, count);
  }
  if (counts.has('ebgp') || counts.has('ibgp'))
    for (const type of ['ebgp', 'ibgp']) if (!counts.has(type)) counts.set(type, { rib: 0, fib: 0 });
  const rows = ['kernel', 'connected', 'static', 'ebgp', 'ibgp'].flatMap((type) => {
    const count = counts.get(type);
    return count === undefined ? [] : [{ type, ...count }];
  });
  const total = (of: 'rib' | 'fib') => rows.reduce((sum, row) => sum + row[of], 0);
  if (json) {
    const routes = rows.map(({ type, rib, fib }) => ({ fib, rib, fibOffLoaded: 0, fibTrapped: 0, type }));
    return `${prettyJson({ routes, routesTotal: total('rib'), routesTotalFib: total('fib') })}\n`;
  }
  const line = (name: string, rib: number, fib: number) => `${name.padEnd(20)} ${String(rib).padEnd(20)} ${String(fib).padEnd(20)} \n`;
  return `Route Source         Routes               FIB  (vrf default)\n${rows.map(({ type, rib, fib }) => line(type, rib, fib)).join('')}------\n${line('Totals', total('rib'), total('fib'))}\n`;
}

/** `show interface brief`. */
export function showInterfaceBrief(namespace: NetworkNamespace): string {
  let text = 'Interface       Status  VRF             Addresses\n---------       ------  ---             ---------\n';
  for (const device of [...namespace.interfaces].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const status = device.isAdminUp && device.hasCarrier ? 'up' : 'down';
    const addresses = device.addresses.filter((entry) => entry.scope === 'global').map((entry) => `${entry.ip.text}/${entry.prefixLength}`);
    // IPv4 first; each further address on a line of its own.
    addresses.sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
    text += `${device.name.padEnd(16)}${status.padEnd(8)}${'default'.padEnd(16)}${addresses[0] ?? ''}\n`;
    // Seen in 8.4.4: after the loopback's host address no plus.
    for (const address of addresses.slice(1)) text += `${' '.repeat(40)}${device.name === 'lo' ? '' : '+ '}${address}\n`;
  }
  return `${text}\n`;
}
