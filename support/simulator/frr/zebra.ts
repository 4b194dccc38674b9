import type { Path, RibEntry } from '../bgp/types.ts';
import type { SimulatedClock, Timer } from '../clock/clock.ts';
import { comparePrefixes, contains, ip, ipFromValue, isLinkLocal, prefixOf } from '../net/address.ts';
import type { Family, Ip, NetworkNamespace, NextHop, Prefix, Route } from '../net/types.ts';
import type { StaticRoute } from './config.ts';

export type ZebraProtocol = 'kernel' | 'connected' | 'static' | 'bgp';

export interface ZebraNextHop {
  readonly via?: Ip;
  readonly device?: string;
  readonly blackhole?: 'null' | 'reject' | 'prohibit';
  /** Static and BGP next hops carry one. */
  readonly weight?: number;
}

/** A next hop as the routing table shows it: one that others lead to, one of those, or one that nothing leads to. */
export interface ShownNextHop extends ZebraNextHop {
  readonly kind: 'direct' | 'recursive' | 'resolved' | 'inactive';
}

export interface ZebraRoute {
  readonly prefix: Prefix;
  readonly protocol: ZebraProtocol;
  readonly distance: number;
  readonly metric: number;
  /** Those that can be used; a route without any stays in the table, but is not selected. */
  readonly nextHops: readonly ZebraNextHop[];
  /** With those that need others, and those that cannot be used; by default as `nextHops`. */
  readonly shown?: readonly ShownNextHop[];
  readonly since: number;
  readonly groupId: number;
  isSelected: boolean;
  isInstalled: boolean;
}

/** What bgpd asks for. */
interface BgpRoute {
  readonly paths: readonly Path[];
  readonly distance: number;
  readonly metric: number;
  readonly isRecursive: boolean;
}

/** zebra works its queue off after 10 ms (zebra_rib.c). */
const processDelayMs = 10;
const kernelMetric = 20;
/** A group that no route uses is kept for a while (`zebra nexthop-group keep`). */
const groupKeepMs = 180_000;

/** Kernel routes that drop packets, as zebra names them. */
const droppedBy: Readonly<Partial<Record<string, NonNullable<ZebraNextHop['blackhole']>>>> = {
  blackhole: 'null',
  unreachable: 'reject',
  prohibit: 'prohibit',
};

/** The next hops of BGP routes: as they are shown, and those of them that are used. */
interface Way {
  readonly shown: readonly ShownNextHop[];
  readonly nextHops: readonly ZebraNextHop[];
}

const mostWays = 4096;

function nextHopKey(hop: ZebraNextHop): string {
  return `${hop.via?.text ?? ''}%${hop.device ?? ''}%${hop.blackhole ?? ''}`;
}

/** An IPv4-mapped address is found by IPv4's routes. */
function plainAddress(address: Ip): Ip {
  return isMapped(address) ? ipFromValue(4, address.value & 0xffffffffn) : address;
}

function isMapped({ family, value }: Ip): boolean {
  return family === 6 && value >> 32n === 0xffffn;
}

function shownKey(hops: readonly ShownNextHop[] | undefined): string {
  return (hops ?? []).map((hop) => `${hop.kind} ${nextHopKey(hop)}`).join(' ');
}

/**
 * In the order of their addresses, each once. A global gateway on a link is not the same for zebra as one that another leads to, though it
 * is the same gateway: the first names no interface by itself (measured: such a route has it twice in the kernel).
 */
function distinct(hops: readonly ShownNextHop[]): ZebraNextHop[] {
  const byKey = new Map(
    hops.map(({ kind, ...hop }): readonly [string, ZebraNextHop] => {
      const isNamed = kind === 'resolved' || hop.via === undefined || isLinkLocal(hop.via);
      return [`${nextHopKey(hop)}${isNamed ? '' : ' on link'}`, hop];
    }),
  );
  return [...byKey.values()].sort((a, b) => compareAddresses(a.via, b.via));
}

function isHostRoute({ family, length }: Prefix): boolean {
  return length === (family === 4 ? 32 : 128);
}

function compareAddresses(a: Ip | undefined, b: Ip | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  return a.value < b.value ? -1 : 1;
}

/**
 * FRR's zebra: gathers kernel, connected, static and BGP routes, picks by administrative distance, and writes the
 * static and BGP ones that win into the kernel's table.
 */
export class Zebra {
  readonly #namespace: NetworkNamespace;
  readonly #clock: SimulatedClock;
  /** Newest first for each prefix. */
  readonly #routes = new Map<Prefix, ZebraRoute[]>();
  readonly #groupIds = new Map<string, number>();
  /** By its number, how many routes use a group, and since when none does. */
  readonly #groupUse = new Map<number, { routes: number; unusedSince: number }>();
  /** What the kernel still has of groups of several: a next hop goes with its interface, and comes back with a new group only. */
  readonly #kernelGroups = new Map<number, Map<string, ZebraNextHop>>();
  #usableDevices: ReadonlySet<string> = new Set();
  #nextGroupId = 14;
  readonly #kernelKeys = new Map<string, { readonly prefix: Prefix; readonly route: ZebraRoute }>();
  readonly #bgp = new Map<Prefix, BgpRoute>();
  /** BGP routes whose next hops are behind routers: they follow other routes. */
  readonly #recursive = new Set<Prefix>();
  readonly #pendingBgp = new Set<Prefix>();
  #static: readonly StaticRoute[] = [];
  readonly #staticKeys = new Map<string, { readonly prefix: Prefix; readonly route: ZebraRoute }>();
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #ownVersion = -1;
  readonly #ways = new Map<string, Way>();
  readonly #singles = new WeakMap<readonly ZebraNextHop[], readonly NextHop[]>();
  readonly #listeners = new Set<() => void>();

  constructor(namespace: NetworkNamespace, clock: SimulatedClock) {
    this.#namespace = namespace;
    this.#clock = clock;
    this.#scan();
    this.#unwatch = namespace.routes.onChange(() => {
      if (namespace.routes.version === this.#ownVersion) return;
      this.#scan();
    });
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const routes of this.#routes.values()) for (const route of routes) this.#uninstall(route);
    this.#routes.clear();
  }

  /** bgpd ended: its routes go. */
  forgetBgp(): void {
    for (const prefix of [...this.#bgp.keys()]) {
      this.#bgp.delete(prefix);
      this.#pendingBgp.add(prefix);
    }
    this.#processBgp();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hasRoute(prefix: Prefix): boolean {
    return this.#routes.get(prefix)?.some((route) => route.isSelected && route.protocol !== 'bgp') ?? false;
  }

  /** The metric of the route in use, which next-hop tracking tells bgpd. */
  metricOf(prefix: Prefix): number {
    return this.#routes.get(prefix)?.find((route) => route.isSelected)?.metric ?? 0;
  }

  /** The route that a next hop is reached by, if any (zebra_rnh.c): not the default route. */
  wayTo(address: Ip, isConnectedOnly: boolean): ZebraRoute | undefined {
    let best: ZebraRoute | undefined;
    for (const [prefix, routes] of this.#routes) {
      if (prefix.length === 0 || prefix.length <= (best?.prefix.length ?? 0) || !contains(prefix, address)) continue;
      const found = routes.find((route) => route.isSelected && route.isInstalled && (!isConnectedOnly || route.protocol === 'connected'));
      best = found ?? best;
    }
    return best;
  }

  /** In numerical order of prefixes. */
  list(family: Family): readonly ZebraRoute[] {
    const prefixes = [...this.#routes.keys()].filter((prefix) => prefix.family === family).sort(comparePrefixes);
    return prefixes.flatMap((prefix) => this.#routes.get(prefix) ?? []);
  }

  routesOf(protocol: ZebraProtocol, family: Family): readonly ZebraRoute[] {
    return this.list(family).filter((route) => route.protocol === protocol);
  }

  // ── BGP ───────────────────────────────────────────────────────────────────────────────────────────────────

  setBgp(entry: RibEntry): void {
    const { best } = entry;
    if (best === undefined || (best.peer === undefined && best.source !== 'aggregate')) this.#bgp.delete(entry.prefix);
    else {
      const distance = best.peer === undefined || !best.peer.isExternal ? 200 : 20;
      // bgp_zebra.c, bgp_zebra_announce: the best path's peer decides for all next hops whether they may lie behind routers.
      const isRecursive =
        best.peer !== undefined &&
        (!best.peer.isExternal || best.peer.config.multihopTtl !== 1 || best.peer.config.isConnectedCheckOff === true);
      this.#bgp.set(entry.prefix, {
        paths: entry.multipath.length > 0 ? entry.multipath : [best],
        distance,
        metric: best.attributes.med ?? 0,
        isRecursive,
      });
    }
    this.#pendingBgp.add(entry.prefix);
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= this.#clock.schedule(processDelayMs, () => {
      this.#timer = undefined;
      this.#processBgp();
    });
  }

  #processBgp(): void {
    const pending = [...this.#pendingBgp];
    this.#pendingBgp.clear();
    let isChanged = false;
    for (const prefix of pending) {
      const wanted = this.#bgp.get(prefix);
      const former = this.#routes.get(prefix)?.find((route) => route.protocol === 'bgp');
      this.#recursive.delete(prefix);
      const shown = wanted === undefined ? [] : this.#resolveBgp(prefix, wanted);
      if (shown.length === 0) {
        if (former !== undefined) {
          this.#drop(former);
          isChanged = true;
        }
        continue;
      }
      const way = this.#wayOf(shown);
      const groupId = this.#groupOf(way.nextHops);
      const isSame = former?.groupId === groupId && former.distance === wanted?.distance && former.metric === wanted.metric;
      if (isSame && (former.shown === way.shown || shownKey(former.shown) === shownKey(way.shown))) continue;
      isChanged = true;
      const route: ZebraRoute = {
        prefix,
        protocol: 'bgp',
        distance: wanted?.distance ?? 20,
        metric: wanted?.metric ?? 0,
        nextHops: way.nextHops,
        shown: way.shown,
        since: this.#clock.now(),
        groupId,
        isSelected: false,
        isInstalled: false,
      };
      this.#put(route, former);
    }
    // What goes by way of other BGP routes is looked at again once those have changed.
    if (isChanged && this.#recursive.size > 0) {
      for (const prefix of this.#recursive) this.#pendingBgp.add(prefix);
      this.#schedule();
    }
    this.#ownVersion = this.#namespace.routes.version;
    this.#notify();
  }

  /** Thousands of prefixes go few ways: they share what is known of each. */
  #wayOf(shown: readonly ShownNextHop[]): Way {
    const key = shownKey(shown);
    let way = this.#ways.get(key);
    if (way === undefined) {
      if (this.#ways.size >= mostWays) this.#ways.clear();
      way = { shown, nextHops: distinct(shown.filter(({ kind }) => kind === 'direct' || kind === 'resolved')) };
      this.#ways.set(key, way);
    }
    return way;
  }

  #resolveBgp(prefix: Prefix, { paths, isRecursive }: BgpRoute): ShownNextHop[] {
    const hops: ShownNextHop[][] = [];
    for (const path of paths) {
      // A summary of the router's own keeps packets from going round: it ends here.
      if (path.peer === undefined) {
        hops.push([{ blackhole: 'null', weight: 1, kind: 'direct' }]);
        continue;
      }
      const { linkLocalNextHop, nextHop } = path.attributes;
      const via = linkLocalNextHop ?? nextHop;
      const inactive: ShownNextHop = { via, weight: 1, kind: 'inactive' };
      if (via.family === 6 && via.value >> 118n === 0x3fan) {
        const device =
          path.peer.config.device ??
          this.#namespace.interfaces.find((each) => each.addresses.some((entry) => entry.ip === path.peer?.local?.ip))?.name;
        if (device !== undefined) hops.push([{ via, device, weight: 1, kind: 'direct' }]);
        continue;
      }
      const looked = plainAddress(via);
      const decision = this.#namespace.routes.lookup(looked);
      const dropped = droppedBy[decision.kind];
      const isBehind = decision.kind === 'forward' ? decision.nextHop !== looked : dropped !== undefined;
      if (decision.kind !== 'forward' || isBehind) this.#recursive.add(prefix);
      const { route: way } = decision;
      // zebra_nhg.c, nexthop_active: never by way of the default route, of the route that it is for or of a wider one than that, and behind
      // routers or into a hole only where that is allowed.
      const isOpen =
        way !== undefined &&
        way.destination.length > 0 &&
        (isHostRoute(prefix) || way.destination.length > prefix.length || !contains(prefix, looked));
      if (!isOpen || (isBehind && !isRecursive)) hops.push([inactive]);
      else if (dropped !== undefined)
        hops.push([
          { via, weight: 1, kind: 'recursive' },
          { blackhole: dropped, weight: 1, kind: 'resolved' },
        ]);
      else if (decision.kind !== 'forward') hops.push([inactive]);
      else if (!isBehind) hops.push([{ via, device: decision.device.name, weight: 1, kind: 'direct' }]);
      else {
        const resolved = decision.route.nextHops.flatMap((hop): ShownNextHop[] =>
          hop.via === undefined
            ? []
            : [{ via: hop.via, ...(hop.device === undefined ? {} : { device: hop.device }), weight: 1, kind: 'resolved' }],
        );
        hops.push(resolved.length === 0 ? [inactive] : [{ via, weight: 1, kind: 'recursive' }, ...resolved]);
      }
    }
    return hops.sort(([a], [b]) => compareAddresses(a?.via, b?.via)).flat();
  }

  #groupOf(nextHops: readonly ZebraNextHop[]): number {
    // A group's members get their numbers first; the kernel lists a route's next hops in their order.
    if (nextHops.length > 1) for (const hop of nextHops) this.#groupOf([hop]);
    const key = nextHops.map(nextHopKey).join(' ');
    let id = this.#groupIds.get(key);
    if (id !== undefined && nextHops.length > 1 && this.#isForgotten(id)) {
      this.#kernelGroups.delete(id);
      this.#groupUse.delete(id);
      id = undefined;
    }
    if (id === undefined) {
      id = this.#nextGroupId++;
      this.#groupIds.set(key, id);
    }
    return id;
  }

  #isForgotten(id: number): boolean {
    const use = this.#groupUse.get(id);
    return use !== undefined && use.routes === 0 && this.#clock.now() - use.unusedSince >= groupKeepMs;
  }

  #use(id: number, change: 1 | -1): void {
    const use = this.#groupUse.get(id) ?? { routes: 0, unusedSince: 0 };
    use.routes += change;
    use.unusedSince = this.#clock.now();
    this.#groupUse.set(id, use);
  }

  /**
   * The next hops that the kernel takes for a group. FRR 8.4 gives the kernel a group once, and believes that it is as it was: a member
   * that the kernel dropped with its interface stays out when the interface and the route are back, though `show ip route` marks it, until
   * the group was out of use for three minutes or the route has another (measured: a link that was down for 3, 12 and 100 seconds).
   */
  #kernelMembers(nextHops: readonly ZebraNextHop[]): readonly ZebraNextHop[] {
    if (nextHops.length < 2) return nextHops;
    const id = this.#groupOf(nextHops);
    const known = this.#kernelGroups.get(id);
    if (known !== undefined && known.size > 0) return nextHops.filter((hop) => known.has(nextHopKey(hop)));
    this.#kernelGroups.set(id, new Map(nextHops.map((hop) => [nextHopKey(hop), hop])));
    return nextHops;
  }

  /** The kernel takes next hops over interfaces that went down out of their groups (net/ipv4/nexthop.c, nexthop_flush_dev). */
  #flushDevices(): void {
    const usable = new Set(this.#namespace.interfaces.filter((each) => each.isAdminUp && each.hasCarrier).map(({ name }) => name));
    const before = this.#usableDevices;
    this.#usableDevices = usable;
    for (const device of before) {
      if (usable.has(device)) continue;
      for (const members of this.#kernelGroups.values()) for (const [key, hop] of members) if (hop.device === device) members.delete(key);
    }
  }

  // ── static routes ─────────────────────────────────────────────────────────────────────────────────────────

  setStatic(routes: readonly StaticRoute[]): void {
    this.#static = routes;
    this.#syncStatic();
    this.#ownVersion = this.#namespace.routes.version;
    this.#notify();
  }

  #syncStatic(): void {
    const wanted = new Map<string, { readonly prefix: Prefix; readonly distance: number; readonly nextHops: ZebraNextHop[] }>();
    for (const route of this.#static) {
      const hop = this.#resolveStatic(route);
      if (hop === undefined) continue;
      const distance = route.distance ?? 1;
      const key = `${route.prefix.text} ${distance}`;
      const known = wanted.get(key);
      if (known === undefined) wanted.set(key, { prefix: route.prefix, distance, nextHops: [hop] });
      else known.nextHops.push(hop);
    }
    for (const [key, { route }] of [...this.#staticKeys]) {
      const same = wanted.get(key);
      if (same !== undefined && this.#groupOf(same.nextHops) === route.groupId) continue;
      this.#staticKeys.delete(key);
      this.#drop(route);
    }
    for (const [key, { prefix, distance, nextHops }] of wanted) {
      if (this.#staticKeys.has(key)) continue;
      const route: ZebraRoute = {
        prefix,
        protocol: 'static',
        distance,
        metric: 0,
        nextHops,
        since: this.#clock.now(),
        groupId: this.#groupOf(nextHops),
        isSelected: false,
        isInstalled: false,
      };
      this.#staticKeys.set(key, { prefix, route });
      this.#put(route, undefined);
    }
  }

  #resolveStatic(route: StaticRoute): ZebraNextHop | undefined {
    if (route.kind !== undefined) return { blackhole: route.kind === 'reject' ? 'reject' : 'null', weight: 1 };
    if (route.via === undefined) {
      const device = route.device === undefined ? undefined : this.#namespace.getInterface(route.device);
      return device?.isAdminUp && device.hasCarrier ? { device: device.name, weight: 1 } : undefined;
    }
    if (route.device !== undefined) {
      const device = this.#namespace.getInterface(route.device);
      return device?.isAdminUp && device.hasCarrier ? { via: route.via, device: device.name, weight: 1 } : undefined;
    }
    const decision = this.#namespace.routes.lookup(route.via);
    // The kernel keeps a route over a link without carrier, zebra has no connected route there.
    const isConnected = decision.kind === 'forward' && decision.nextHop === route.via && decision.device.hasCarrier;
    return isConnected ? { via: route.via, device: decision.device.name, weight: 1 } : undefined;
  }

  // ── kernel and connected routes ───────────────────────────────────────────────────────────────────────────

  #scan(): void {
    this.#flushDevices();
    const wanted = new Map<string, Omit<ZebraRoute, 'since' | 'groupId' | 'isSelected' | 'isInstalled'>>();
    for (const device of [...this.#namespace.interfaces].sort((a, b) => a.index - b.index)) {
      if (!device.isAdminUp || !device.hasCarrier) continue;
      for (const address of device.addresses) {
        if (address.scope === 'host' || address.state === 'tentative') continue;
        const prefix = prefixOf(address.ip, address.prefixLength);
        const key = `C ${device.index} ${prefix.text}`;
        if (!wanted.has(key))
          wanted.set(key, { prefix, protocol: 'connected', distance: 0, metric: 0, nextHops: [{ device: device.name }] });
      }
    }
    for (const route of this.#namespace.routes.list({ table: 254 })) {
      const mine = kernelRoute(route);
      if (mine !== undefined) wanted.set(`K ${route.destination.text} ${route.metric} ${mine.nextHops.map(nextHopKey).join(' ')}`, mine);
    }
    for (const [key, { route }] of [...this.#kernelKeys]) {
      if (wanted.has(key)) continue;
      this.#kernelKeys.delete(key);
      this.#drop(route);
    }
    const now = this.#clock.now();
    for (const [key, fields] of wanted) {
      if (this.#kernelKeys.has(key)) continue;
      const route: ZebraRoute = { ...fields, since: now, groupId: this.#groupOf(fields.nextHops), isSelected: false, isInstalled: true };
      this.#kernelKeys.set(key, { prefix: route.prefix, route });
      this.#put(route, undefined);
    }
    this.#syncStatic();
    // A route of ours that the kernel dropped with its interface comes back when its next hop does.
    for (const prefix of this.#bgp.keys()) this.#pendingBgp.add(prefix);
    if (this.#pendingBgp.size > 0) this.#processBgp();
    this.#ownVersion = this.#namespace.routes.version;
    this.#notify();
  }

  // ── selection ─────────────────────────────────────────────────────────────────────────────────────────────

  #put(route: ZebraRoute, former: ZebraRoute | undefined): void {
    const list = this.#routes.get(route.prefix) ?? [];
    this.#use(route.groupId, 1);
    if (former !== undefined) {
      this.#use(former.groupId, -1);
      list.splice(list.indexOf(former), 1);
      if (route.nextHops.length === 0) this.#uninstall(former);
      route.isInstalled = former.isInstalled;
      route.isSelected = former.isSelected;
      if (former.isInstalled) this.#install(route);
    }
    list.unshift(route);
    this.#routes.set(route.prefix, list);
    this.#select(route.prefix);
  }

  #drop(route: ZebraRoute): void {
    const list = this.#routes.get(route.prefix);
    const index = list?.indexOf(route) ?? -1;
    if (list === undefined || index < 0) return;
    list.splice(index, 1);
    this.#use(route.groupId, -1);
    this.#uninstall(route);
    if (list.length === 0) this.#routes.delete(route.prefix);
    else this.#select(route.prefix);
  }

  #select(prefix: Prefix): void {
    const list = this.#routes.get(prefix) ?? [];
    let best: ZebraRoute | undefined;
    // Connected before all at the same distance, then the metric, then the one that was first.
    for (const route of [...list].reverse()) {
      if (route.nextHops.length === 0) continue;
      if (best === undefined || route.distance < best.distance || (route.distance === best.distance && rank(route) < rank(best)))
        best = route;
    }
    for (const route of list) {
      route.isSelected = route === best;
      if (route.protocol !== 'bgp' && route.protocol !== 'static') continue;
      if (!route.isSelected) this.#uninstall(route);
      else if (!route.isInstalled) this.#install(route);
    }
  }

  #install(route: ZebraRoute): void {
    const hop = route.nextHops[0];
    // The kernel refuses such a gateway (measured: `B>r`), and a hole among other next hops (net/ipv4/nexthop.c, valid_group_nh).
    const isHoleAmongOthers = route.nextHops.length > 1 && route.nextHops.some(({ blackhole }) => blackhole !== undefined);
    if (isHoleAmongOthers || route.nextHops.some(({ via }) => via !== undefined && isMapped(via))) {
      this.#uninstall(route);
      return;
    }
    const protocol = route.protocol === 'static' ? 'static' : 'bgp';
    try {
      if (hop?.blackhole !== undefined) {
        const type = hop.blackhole === 'reject' ? 'unreachable' : hop.blackhole === 'prohibit' ? 'prohibit' : 'blackhole';
        this.#namespace.routes.replace({
          destination: route.prefix,
          type,
          protocol,
          metric: kernelMetric,
          nextHops: [],
          nextHopId: this.#groupOf(route.nextHops),
        });
      } else {
        this.#namespace.routes.replace({
          destination: route.prefix,
          protocol,
          metric: kernelMetric,
          nextHops: this.#kernelNextHops(route.nextHops),
          nextHopId: this.#groupOf(route.nextHops),
        });
      }
      route.isInstalled = true;
    } catch (error) {
      if (!isNetworkError(error)) throw error;
      route.isInstalled = false;
    }
  }

  /** The same list for the same group, for it stands in every route. */
  #kernelNextHops(nextHops: readonly ZebraNextHop[]): readonly NextHop[] {
    const members = this.#kernelMembers(nextHops);
    const isSingle = members.length === 1;
    const known = isSingle ? this.#singles.get(members) : undefined;
    if (known !== undefined) return known;
    const ordered = isSingle ? members : [...members].sort((a, b) => this.#groupOf([a]) - this.#groupOf([b]));
    const made = ordered.map(
      ({ via, device }): NextHop => ({
        ...(via === undefined ? {} : { via }),
        ...(device === undefined ? {} : { device }),
        ...(isSingle ? {} : { weight: 1 }),
      }),
    );
    if (isSingle) this.#singles.set(members, made);
    return made;
  }

  #uninstall(route: ZebraRoute): void {
    if (!route.isInstalled || (route.protocol !== 'bgp' && route.protocol !== 'static')) return;
    route.isInstalled = false;
    try {
      this.#namespace.routes.delete({ destination: route.prefix, protocol: route.protocol, metric: kernelMetric });
    } catch (error) {
      // The kernel dropped it already, with its interface.
      if (!isNetworkError(error)) throw error;
    }
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function isNetworkError(error: unknown): boolean {
  return error instanceof Error && 'errno' in error;
}

function rank(route: ZebraRoute): number {
  return route.protocol === 'connected' ? -1 : route.metric;
}

/** Zebra takes what others put into the main table; what the kernel made itself it knows from the addresses. */
function kernelRoute(route: Route): Omit<ZebraRoute, 'since' | 'groupId' | 'isSelected' | 'isInstalled'> | undefined {
  if (route.protocol === 'kernel' || route.protocol === 'bgp' || route.protocol === 'static' || route.protocol === 'zebra')
    return undefined;
  const base = { prefix: route.destination, protocol: 'kernel', distance: 0, metric: route.metric } as const;
  switch (route.type) {
    case 'blackhole':
      return { ...base, nextHops: [{ blackhole: 'null' }] };
    case 'unreachable':
      return { ...base, nextHops: [{ blackhole: 'reject' }] };
    case 'prohibit':
      return { ...base, nextHops: [{ blackhole: 'prohibit' }] };
    case 'unicast':
      return {
        ...base,
        nextHops: route.nextHops.map((hop) => ({
          ...(hop.via === undefined ? {} : { via: hop.via }),
          ...(hop.device === undefined ? {} : { device: hop.device }),
        })),
      };
    default:
      return undefined;
  }
}

/** The address that FRR takes as router id when none is configured: the highest one, of the loopback first. */
export function automaticRouterId(namespace: NetworkNamespace): Ip {
  const candidates = (isLoopback: boolean): Ip[] =>
    namespace.interfaces
      .filter((device) => (device.kind === 'loopback') === isLoopback && (device.isAdminUp || isLoopback))
      .flatMap((device) => device.addresses.filter((entry) => entry.ip.family === 4 && entry.scope !== 'host').map((entry) => entry.ip));
  for (const list of [candidates(true), candidates(false)]) {
    const highest = list.sort((a, b) => (a.value < b.value ? 1 : -1))[0];
    if (highest !== undefined) return highest;
  }
  return ip('0.0.0.0');
}
