import type { BgpSpeaker, Path, TrackedNextHop } from '../bgp/types.ts';
import { parseIp } from '../net/address.ts';
import type { Family, Ip } from '../net/types.ts';
import { type BgpConfig, bgpFamilies, type FrrConfig } from './config.ts';
import type { NeighborView } from './show-neighbors.ts';
import { ctime } from './text.ts';
import type { ShownNextHop, Zebra, ZebraNextHop, ZebraRoute } from './zebra.ts';

/** Sockets of zebra's clients as a router has them that starts zebra, staticd and bgpd in this order. */
const clients = { static: 'static(fd 25)', bgp: 'bgp(fd 30)' } as const;

function hopsOf(route: ZebraRoute): readonly ShownNextHop[] {
  return (route.shown ?? route.nextHops.map((hop): ShownNextHop => ({ ...hop, kind: 'direct' }))).filter(({ kind }) => kind !== 'inactive');
}

// ── zebra ───────────────────────────────────────────────────────────────────────────────────────────────────────

interface Registered {
  readonly address: Ip;
  isConnectedOnly: boolean;
  readonly clients: Set<keyof typeof clients>;
}

/** Who asked zebra to follow which address: staticd its gateways, bgpd its next hops, neighbors and networks. */
function registered(config: FrrConfig, speaker: BgpSpeaker | undefined, family: Family): readonly Registered[] {
  const byAddress = new Map<Ip, Registered>();
  const put = (address: Ip, client: keyof typeof clients, isConnectedOnly = false): void => {
    if (address.family !== family) return;
    const known = byAddress.get(address) ?? { address, isConnectedOnly, clients: new Set() };
    known.clients.add(client);
    known.isConnectedOnly ||= isConnectedOnly;
    byAddress.set(address, known);
  };
  for (const { via } of config.staticRoutes) if (via !== undefined) put(via, 'static');
  for (const { address, isConnectedOnly } of speaker?.nextHops() ?? []) put(address, 'bgp', isConnectedOnly);
  if (speaker !== undefined && config.bgp?.importCheck === true) for (const address of networksOf(config.bgp)) put(address, 'bgp');
  return [...byAddress.values()].sort((a, b) => (a.address.value < b.address.value ? -1 : 1));
}

function networksOf(bgp: BgpConfig): readonly Ip[] {
  return bgpFamilies.flatMap((family) => [...bgp.families[family].networks.keys()].map((prefix) => prefix.address));
}

/** zebra_rnh.c, print_nh. */
function gateway({ via, device, blackhole }: ZebraNextHop): string {
  if (blackhole !== undefined) return ' is directly connected, Null0\n';
  if (via === undefined) return ` is directly connected, ${device ?? ''}\n`;
  if (via.family === 4) return ` via ${via.text}${device === undefined ? '' : `, ${device}`}\n`;
  return ` ${via.text}${device === undefined ? '' : `, via ${device}`}\n`;
}

export function showNextHopTracking(
  zebra: Zebra,
  config: FrrConfig,
  speaker: BgpSpeaker | undefined,
  family: Family,
  only: string | undefined,
): string {
  let text = '';
  const wanted = only === undefined ? undefined : parseIp(only);
  for (const { address, isConnectedOnly, clients: who } of registered(config, speaker, family)) {
    if (only !== undefined && address !== wanted) continue;
    const mark = isConnectedOnly ? '(Connected)' : '';
    const way = zebra.wayTo(address, isConnectedOnly);
    text += `${address.text}${mark}\n`;
    if (way === undefined) text += ` unresolved${mark}\n`;
    else
      text += ` resolved via ${way.protocol}\n${hopsOf(way)
        .filter(({ kind }) => kind !== 'resolved')
        .map(gateway)
        .join('')}`;
    const names = (['static', 'bgp'] as const).filter((client) => who.has(client)).map((client) => ` ${clients[client]}`);
    text += ` Client list:${names.join('')}\n`;
  }
  return text;
}

// ── bgpd ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** bgp_nexthop.c, bgp_show_nexthops_detail: an interface is told where the route names one itself. */
function gate({ via, device, blackhole }: ZebraNextHop, { protocol }: ZebraRoute): string {
  if (blackhole !== undefined) return '  blackhole\n';
  if (via === undefined) return `  if ${device ?? ''}\n`;
  const namesDevice = device !== undefined && (protocol === 'kernel' || (via.family === 6 && via.text.startsWith('fe80')));
  return `  gate ${via.text}${namesDevice ? `, if ${device}` : ''}\n`;
}

/** `BGP_PATH_…` of bgp_route.h. */
function flagsOf(path: Path, speaker: BgpSpeaker): string {
  const entry = speaker.lookup(path.prefix);
  const isBest = entry?.best === path;
  const isCompanion = !isBest && entry?.multipath.includes(path) === true;
  const flags = 0x400 | (isBest ? 0x8 : 0) | (path.isValid ? 0x10 : 0) | (path.isStale ? 0x100 : 0) | (isCompanion ? 0x800 : 0);
  return `0x${flags.toString(16)}`;
}

function nextHopText(view: NeighborView, zebra: Zebra, hop: TrackedNextHop): string {
  const { address, isValid, metric, isConnectedOnly, paths, peer, changedAt } = hop;
  const neighbor = view.neighbors.find((each) => each.peer === peer)?.neighbor;
  const state = isValid ? `valid [IGP metric ${metric}]` : 'invalid';
  let text = ` ${address.text} ${state}, #paths ${paths.length}${peer === undefined ? '' : `, peer ${neighbor?.name ?? peer.config.address.text}`}\n`;
  const way = zebra.wayTo(address, isConnectedOnly);
  if (isValid && way !== undefined)
    text += hopsOf(way)
      .map((each) => gate(each, way))
      .join('');
  if (!isValid && isConnectedOnly) text += '  Must be Connected\n';
  return `${text}  Last update: ${ctime(changedAt)}\n\n`;
}

export function showBgpNextHops(view: NeighborView | undefined, zebra: Zebra, only: string | undefined): string {
  if (view === undefined) return '% No such BGP instance exist\n';
  const { speaker } = view;
  if (only === undefined)
    return `Current BGP nexthop cache:\n${speaker
      .nextHops()
      .map((hop) => nextHopText(view, zebra, hop))
      .join('')}`;
  const wanted = parseIp(only);
  if (wanted === undefined) return 'nexthop address is malformed\n';
  const found = speaker.nextHops().find(({ address }) => address === wanted);
  if (found === undefined) return 'specified nexthop does not have entry\n';
  const paths = found.paths.toReversed().map((path) => {
    const family = path.prefix.family === 4 ? 1 : 2;
    return `    ${family}/1 ${path.prefix.text} VRF default flags ${flagsOf(path, speaker)}\n`;
  });
  return `${nextHopText(view, zebra, found)}  Paths:\n${paths.join('')}`;
}
