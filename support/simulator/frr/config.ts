import type { BgpFamily } from '../bgp/types.ts';
import type { Ip, Prefix } from '../net/types.ts';

export const bgpFamilies: readonly BgpFamily[] = ['ipv4-unicast', 'ipv6-unicast'];

export type RedistributeSource = 'connected' | 'static' | 'kernel';

export interface NeighborFamilyConfig {
  /** As set by `activate` or by the default in force when the neighbor was made; undefined: as its peer group. */
  activate?: boolean;
  nextHopSelf?: 'own' | 'force';
  asOverride?: boolean;
  routeReflectorClient?: boolean;
  softReconfiguration?: boolean;
  /** Undefined: all kinds (FRR's default). */
  sendCommunity?: Set<'standard' | 'extended' | 'large'>;
  defaultOriginate?: boolean;
  defaultOriginateMap?: string;
  maximumPrefix?: number;
  maximumPrefixThreshold?: number;
  maximumPrefixWarningOnly?: boolean;
  maximumPrefixRestart?: number;
  removePrivateAs?: { readonly all: boolean; readonly replace: boolean };
  allowAsIn?: number;
  prefixListIn?: string;
  prefixListOut?: string;
  filterListIn?: string;
  filterListOut?: string;
  routeMapIn?: string;
  routeMapOut?: string;
  weight?: number;
}

/** A neighbor or a peer group, as configured (nothing inherited). */
export interface NeighborConfig {
  readonly name: string;
  readonly isGroup: boolean;
  readonly address: Ip | undefined;
  remoteAs?: number | 'external' | 'internal';
  peerGroup?: string;
  localAs?: number;
  localAsMode?: 'no-prepend' | 'replace-as';
  description?: string;
  shutdown?: boolean;
  password?: string;
  port?: number;
  interface?: string;
  /** `neighbor IFACE interface v6only`: the session never uses the interface's IPv4 addresses. */
  isV6Only?: boolean;
  passive?: boolean;
  ebgpMultihop?: number;
  ttlSecurityHops?: number;
  disableConnectedCheck?: boolean;
  updateSource?: string;
  keepaliveSeconds?: number;
  holdSeconds?: number;
  connectSeconds?: number;
  extendedNextHop?: boolean;
  gracefulRestart?: 'restart' | 'helper' | 'disable';
  /** Made for whoever connected from this range (`bgp listen range`), and gone with the session. */
  readonly listenRange?: Prefix;
  readonly families: Record<BgpFamily, NeighborFamilyConfig>;
}

export interface BgpFamilyConfig {
  readonly networks: Map<Prefix, { routeMap?: string }>;
  readonly redistribute: Map<RedistributeSource, { metric?: number; routeMap?: string }>;
  readonly aggregates: Map<Prefix, { readonly summaryOnly: boolean; readonly asSet: boolean }>;
  maximumPaths?: number;
  maximumPathsIbgp?: number;
}

export interface BgpConfig {
  readonly asn: number;
  routerId?: Ip;
  clusterId?: Ip;
  ebgpRequiresPolicy: boolean;
  defaultIpv4: boolean;
  defaultIpv6: boolean;
  relaxAsPath: boolean;
  ignoreAsPath: boolean;
  compareRouterId: boolean;
  alwaysCompareMed: boolean;
  medMissingAsWorst: boolean;
  importCheck: boolean;
  logNeighborChanges: boolean;
  isShutdown: boolean;
  localPreference: number;
  keepaliveSeconds: number;
  holdSeconds: number;
  gracefulRestart: boolean;
  restartTimeSeconds: number;
  readonly groups: Map<string, NeighborConfig>;
  readonly neighbors: Map<string, NeighborConfig>;
  /** `bgp listen range`: the peer group of each. */
  readonly listenRanges: Map<Prefix, string>;
  /** Undefined: 100. */
  listenLimit?: number;
  /** Those that came from a range: no part of the configuration. */
  readonly dynamicNeighbors: Map<Ip, NeighborConfig>;
  readonly families: Record<BgpFamily, BgpFamilyConfig>;
}

export interface PrefixListEntry {
  readonly sequence: number;
  readonly action: 'permit' | 'deny';
  /** Undefined: any. */
  readonly prefix: Prefix | undefined;
  readonly ge?: number;
  readonly le?: number;
}

export interface PrefixList {
  readonly family: 4 | 6;
  readonly name: string;
  description?: string;
  readonly entries: Map<number, PrefixListEntry>;
}

export interface NamedList {
  readonly name: string;
  readonly kind: 'standard' | 'expanded';
  readonly entries: { readonly sequence: number; readonly action: 'permit' | 'deny'; readonly text: string }[];
}

export interface RouteMapEntry {
  readonly sequence: number;
  action: 'permit' | 'deny';
  description?: string;
  /** Keyed by the words before the argument, e.g. `ip address prefix-list`. */
  readonly match: Map<string, string>;
  readonly set: Map<string, string>;
  call?: string;
  onMatch?: string;
}

export interface StaticRoute {
  readonly prefix: Prefix;
  readonly via?: Ip;
  readonly device?: string;
  readonly kind?: 'blackhole' | 'reject' | 'Null0';
  readonly distance?: number;
}

export interface InterfaceConfig {
  readonly name: string;
  description?: string;
  shutdown?: boolean;
  readonly addresses: string[];
  /** Lines that are kept for the running configuration only. */
  readonly other: string[];
}

export interface FrrConfig {
  hostname: string | undefined;
  integratedConfig: boolean;
  readonly log: string[];
  readonly debug: string[];
  /** Accepted global lines without a meaning here. */
  readonly other: string[];
  ipForwarding: boolean | undefined;
  ipv6Forwarding: boolean | undefined;
  readonly staticRoutes: StaticRoute[];
  readonly interfaces: Map<string, InterfaceConfig>;
  bgp: BgpConfig | undefined;
  readonly prefixLists: Map<string, PrefixList>;
  readonly asPathLists: Map<string, NamedList>;
  readonly communityLists: Map<string, NamedList>;
  readonly largeCommunityLists: Map<string, NamedList>;
  readonly routeMaps: Map<string, Map<number, RouteMapEntry>>;
}

export function emptyConfig(): FrrConfig {
  return {
    hostname: undefined,
    integratedConfig: true,
    log: [],
    debug: [],
    other: [],
    ipForwarding: undefined,
    ipv6Forwarding: undefined,
    staticRoutes: [],
    interfaces: new Map(),
    bgp: undefined,
    prefixLists: new Map(),
    asPathLists: new Map(),
    communityLists: new Map(),
    largeCommunityLists: new Map(),
    routeMaps: new Map(),
  };
}

/** FRR's defaults, profile "traditional". */
export function newBgpConfig(asn: number): BgpConfig {
  return {
    asn,
    ebgpRequiresPolicy: true,
    defaultIpv4: true,
    defaultIpv6: false,
    relaxAsPath: false,
    ignoreAsPath: false,
    compareRouterId: false,
    alwaysCompareMed: false,
    medMissingAsWorst: false,
    importCheck: true,
    logNeighborChanges: false,
    isShutdown: false,
    localPreference: 100,
    keepaliveSeconds: 60,
    holdSeconds: 180,
    gracefulRestart: false,
    restartTimeSeconds: 120,
    groups: new Map(),
    neighbors: new Map(),
    listenRanges: new Map(),
    dynamicNeighbors: new Map(),
    families: {
      'ipv4-unicast': { networks: new Map(), redistribute: new Map(), aggregates: new Map() },
      'ipv6-unicast': { networks: new Map(), redistribute: new Map(), aggregates: new Map() },
    },
  };
}

export function newNeighbor(
  bgp: BgpConfig,
  name: string,
  address: Ip | undefined,
  options: { readonly isGroup?: boolean; readonly inGroup?: boolean; readonly listenRange?: Prefix } = {},
): NeighborConfig {
  const families: Record<BgpFamily, NeighborFamilyConfig> = { 'ipv4-unicast': {}, 'ipv6-unicast': {} };
  if (options.inGroup !== true) {
    families['ipv4-unicast'].activate = bgp.defaultIpv4;
    families['ipv6-unicast'].activate = bgp.defaultIpv6;
  }
  const { isGroup = false, listenRange } = options;
  return { name, address, isGroup, ...(listenRange === undefined ? {} : { listenRange }), families };
}

/** A neighbor's settings with those of its peer group filled in. */
export function effectiveNeighbor(bgp: BgpConfig, neighbor: NeighborConfig): NeighborConfig {
  const group = neighbor.peerGroup === undefined ? undefined : bgp.groups.get(neighbor.peerGroup);
  if (group === undefined) return neighbor;
  const families = {} as Record<BgpFamily, NeighborFamilyConfig>;
  for (const family of bgpFamilies) families[family] = { ...group.families[family], ...neighbor.families[family] };
  // A description is the one thing that members do not take over.
  const { description: _ofGroup, ...inherited } = group;
  return { ...inherited, ...neighbor, families };
}

export function isExternal(bgp: BgpConfig, neighbor: NeighborConfig): boolean {
  const { remoteAs } = neighbor;
  return remoteAs === 'external' || (typeof remoteAs === 'number' && remoteAs !== (neighbor.localAs ?? bgp.asn));
}

/**
 * The order in which FRR keeps its neighbors (bgpd.c, peer_cmp): members of a group first, then by address.
 * A neighbor made again outside its group thus goes to the end, as recorded.
 */
export function orderedNeighbors(bgp: BgpConfig): readonly NeighborConfig[] {
  return [...bgp.neighbors.values(), ...bgp.dynamicNeighbors.values()].sort((a, b) => {
    const byGroup = Number(a.peerGroup === undefined) - Number(b.peerGroup === undefined);
    if (byGroup !== 0) return byGroup;
    const byFamily = (a.address?.family ?? 0) - (b.address?.family ?? 0);
    if (byFamily !== 0) return byFamily;
    const [left, right] = [a.address?.value ?? 0n, b.address?.value ?? 0n];
    return left < right ? -1 : left > right ? 1 : 0;
  });
}

export const defaultListenLimit = 100;

/** A group's listen ranges: IPv4 first, in the order of the addresses' numbers. */
export function listenRangesOf(bgp: BgpConfig, group: string): readonly Prefix[] {
  return [...bgp.listenRanges]
    .flatMap(([range, name]) => (name === group ? [range] : []))
    .sort(
      (a, b) =>
        a.family - b.family || (a.address.value < b.address.value ? -1 : a.address.value > b.address.value ? 1 : a.length - b.length),
    );
}
