import { contains, isLinkLocal } from './address.ts';
import type { Device } from './interface.ts';
import { LateMap, LateSet } from './late-collections.ts';
import type { Namespace } from './namespace.ts';
import { NetworkError } from './network-error.ts';
import { addressHash, finish } from './packet.ts';
import { PrefixTrie } from './prefix-trie.ts';
import { selectSource4, selectSource6 } from './source-address.ts';
import type { Family, Ip, NextHop, Prefix, Route, RouteInput, RoutingRule, RoutingTables } from './types.ts';

export const tableMain = 254;
export const tableLocal = 255;
const tableDefault = 253;

/** A route with the devices of its next hops, found once. */
interface Entry {
  route: Route;
  devices: readonly (Device | undefined)[];
}

/** The contract's `RouteDecision` with the device as this layer knows it. */
export type Decision =
  | { readonly kind: 'local'; readonly route: Route; readonly device: Device }
  | { readonly kind: 'forward'; readonly route: Route; readonly nextHop: Ip; readonly device: Device; readonly source: Ip | undefined }
  | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit' | 'no-route'; readonly route?: Route };

interface Slot {
  readonly entry: Entry;
  readonly decisions: (Decision | undefined)[];
}

export interface LookupOptions {
  readonly source?: Ip;
  readonly mark?: number;
  readonly inputDevice?: string;
  readonly outputDevice?: string;
  readonly hash?: number;
}

/** The rules that a namespace begins with. */
const firstRules: readonly RoutingRule[] = [
  { priority: 0, family: 4, action: { kind: 'table', table: tableLocal } },
  { priority: 0, family: 6, action: { kind: 'table', table: tableLocal } },
  { priority: 32766, family: 4, action: { kind: 'table', table: tableMain } },
  { priority: 32766, family: 6, action: { kind: 'table', table: tableMain } },
  { priority: 32767, family: 4, action: { kind: 'table', table: tableDefault } },
];

const noRoute: Decision = { kind: 'no-route' };

/** The routing policy and tables of a namespace: rules, longest prefix, lowest metric, then the flow's hash among the next hops. */
export class Routing implements RoutingTables {
  version = 0;
  readonly #namespace: Namespace;
  readonly #tables = new Map<number, PrefixTrie<Entry[]>>();
  #rules: readonly RoutingRule[] = firstRules;
  /** The answer depends on nothing but destination (and mark 0): it can be kept per destination. */
  #isSimple = true;
  readonly #plain = new LateMap<Ip, Slot | null>();
  /** The last answer per destination to look-ups with a mark, a device or under rules that look at the source. */
  readonly #other = new LateMap<Ip, Slot>();
  #cacheVersion = 0;
  readonly #listeners = new LateSet<() => void>();
  #isNotifying = false;
  /** Tables that somebody made beside the usual ones, as `FAMILY TABLE`. */
  #made: Set<string> | undefined;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  get rules(): readonly RoutingRule[] {
    return this.#rules;
  }

  addRule(rule: RoutingRule): void {
    const text = JSON.stringify(ruleKey(rule));
    if (this.#rules.some((known) => JSON.stringify(ruleKey(known)) === text)) throw new NetworkError('EEXIST');
    this.#rules = [...this.#rules, rule].sort((a, b) => a.priority - b.priority);
    this.#rulesChanged();
  }

  deleteRule(match: Partial<RoutingRule>): void {
    const index = this.#rules.findIndex((rule) =>
      Object.entries(match).every(([key, value]) => sameValue(value, rule[key as keyof RoutingRule])),
    );
    if (index < 0) throw new NetworkError('ESRCH');
    this.#rules = this.#rules.filter((_, position) => position !== index);
    this.#rulesChanged();
  }

  add(input: RouteInput): void {
    const entry = this.#entryOf(input);
    const { route } = entry;
    const list = this.#listAt(route.table, route.destination);
    // Linux compares destination, metric (and TOS) only: another next hop is no other route.
    if (list?.some((known) => known.route.metric === route.metric)) throw new NetworkError('EEXIST');
    this.#insert(entry);
  }

  /** `ip route append` and `prepend`: IPv4 keeps several routes of one destination and metric, and uses the first. */
  addBeside(input: RouteInput, place: 'last' | 'first'): void {
    const entry = this.#entryOf(input);
    const { route } = entry;
    const known = this.#listAt(route.table, route.destination)?.filter((other) => other.route.metric === route.metric) ?? [];
    if (known.some((other) => sameValue(other.route, route))) throw new NetworkError('EEXIST');
    this.#insert(entry, place);
  }

  /** Whether a table has ever had a route of that family; the kernel makes it then. */
  hasTable(family: Family, table: number): boolean {
    return table === tableMain || table === tableLocal || this.#made?.has(`${family} ${table}`) === true;
  }

  replace(input: RouteInput): void {
    const entry = this.#entryOf(input);
    const { route } = entry;
    const list = this.#listAt(route.table, route.destination);
    const index = list?.findIndex((known) => known.route.metric === route.metric) ?? -1;
    if (list === undefined || index < 0) this.#insert(entry);
    else {
      if (sameValue(list[index]?.route, route)) return;
      list[index] = entry;
      this.changed();
    }
  }

  delete(match: Partial<Route> & { destination: Prefix }): void {
    const table = match.table ?? (match.type === 'local' || match.type === 'broadcast' ? tableLocal : tableMain);
    const list = this.#listAt(table, match.destination);
    const index = list?.findIndex(({ route }) => matchesRoute(route, match)) ?? -1;
    if (list === undefined || index < 0) throw new NetworkError('ESRCH');
    const found = list[index] as Entry;
    const wanted = match.nextHops?.length === 1 ? match.nextHops[0] : undefined;
    if (match.destination.family === 6 && wanted !== undefined && found.route.nextHops.length > 1) {
      // Next hops of an IPv6 multipath route come and go one by one.
      const position = found.route.nextHops.findIndex((hop) => matchesHop(hop, wanted));
      this.#removeHop(found, position);
    } else list.splice(index, 1);
    this.#prune(table, match.destination, list);
    this.changed();
  }

  /** In the order of `ip route`: IPv4 as the trie runs, IPv6 with the longer prefixes of a subtree first. */
  list(filter: { family?: Family; table?: number } = {}): readonly Route[] {
    const routes: Route[] = [];
    for (const family of filter.family === undefined ? ([4, 6] as const) : [filter.family]) {
      const tables = filter.table === undefined ? [...this.#tables.keys()].sort((a, b) => a - b) : [filter.table];
      for (const id of tables) {
        const table = this.#tables.get(id);
        if (table === undefined) continue;
        const take = (list: readonly Entry[]): void => {
          for (const { route } of list) routes.push(route);
        };
        if (family === 4) table.forEach(4, take);
        else for (const [, list] of table.innerFirst(6)) take(list);
      }
    }
    return routes;
  }

  lookup(destination: Ip, options?: LookupOptions): Decision {
    if (this.#cacheVersion !== this.version) {
      this.#plain.clear();
      this.#other.clear();
      this.#cacheVersion = this.version;
    }
    const isPlain = this.#isSimple && options?.outputDevice === undefined && (options?.mark ?? 0) === 0;
    let slot = isPlain ? this.#plain.get(destination) : undefined;
    if (slot === undefined) {
      const found = this.#find(destination, options);
      if (found !== undefined && 'kind' in found) return found;
      if (isPlain) {
        slot = found === undefined ? null : { entry: found, decisions: [] };
        this.#plain.set(destination, slot);
      } else if (found === undefined) slot = null;
      else {
        slot = this.#other.get(destination);
        if (slot?.entry !== found) {
          slot = { entry: found, decisions: [] };
          this.#other.set(destination, slot);
        }
      }
    }
    if (slot === null || slot === undefined) return noRoute;
    const { entry, decisions } = slot;
    const index = entry.devices.length > 1 ? this.#pickHop(entry, destination, options) : 0;
    let decision = decisions[index];
    if (decision === undefined) {
      decision = this.#decide(entry, index, destination);
      decisions[index] = decision;
    }
    return decision;
  }

  /** The kept answer for an unmarked packet without other wishes; undefined when there is more to look at. */
  quickLookup(destination: Ip): Decision | undefined {
    if (!this.#isSimple || this.#cacheVersion !== this.version) return undefined;
    const slot = this.#plain.get(destination);
    if (slot === undefined) return undefined;
    if (slot === null) return noRoute;
    return slot.entry.devices.length > 1 ? undefined : slot.decisions[0];
  }

  /** The route that a look-up without wishes takes. */
  bestRoute(destination: Ip): Route | undefined {
    const decision = this.lookup(destination);
    return decision.route;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Routes, addresses or links have changed: decisions are void, and listeners hear of it once per event. */
  changed(): void {
    this.version++;
    if (this.#listeners.size === 0 || this.#isNotifying) return;
    this.#isNotifying = true;
    this.#namespace.network.clock.schedule(0, () => {
      this.#isNotifying = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }

  // ── what addresses and devices do to the tables ──────────────────────────────────────────────────────────

  /** Adds a route of the kernel itself: unchecked, and beside others of the same prefix and metric. */
  insertKernelRoute(device: Device, route: Omit<Route, 'nextHops' | 'protocol' | 'mtu' | 'nextHopId'>): void {
    const { destination, type, scope, metric, table, preferredSource } = route;
    // Every pod has a handful of these: one literal keeps them as small as they can be.
    const full: Route =
      preferredSource === undefined
        ? { destination, type, nextHops: device.asNextHops, protocol: 'kernel', scope, metric, table }
        : { destination, type, nextHops: device.asNextHops, protocol: 'kernel', scope, metric, table, preferredSource };
    if (this.#listAt(route.table, route.destination)?.some((known) => known.devices[0] === device && sameValue(known.route, full))) return;
    this.#insert({ route: full, devices: device.alone });
  }

  removeKernelRoute(device: Device, match: { destination: Prefix; table: number; type: Route['type']; preferredSource?: Ip }): void {
    const list = this.#listAt(match.table, match.destination);
    const index =
      list?.findIndex(
        ({ route, devices }) =>
          route.protocol === 'kernel' &&
          route.type === match.type &&
          devices[0] === device &&
          (match.preferredSource === undefined || route.preferredSource === match.preferredSource),
      ) ?? -1;
    if (list === undefined || index < 0) return;
    list.splice(index, 1);
    this.#prune(match.table, match.destination, list);
    this.changed();
  }

  /** A device went down, or away: the routes over it go. Local IPv4 routes outlive a link that is only down. */
  removeRoutesOver(device: Device, options: { keepLocal4: boolean; family?: Family }): void {
    this.#sweep(options.family, (entry) => {
      if (!entry.devices.includes(device)) return false;
      const { route } = entry;
      if (options.keepLocal4 && route.type === 'local' && route.destination.family === 4) return false;
      if (entry.devices.length === 1) return true;
      // IPv4 keeps the next hop, dead until the device is up again, as long as another one lives.
      if (options.keepLocal4 && route.destination.family === 4) return entry.devices.every((hop) => hop === device || !hop?.isAdminUp);
      for (let index = entry.devices.indexOf(device); index >= 0; index = entry.devices.indexOf(device)) this.#removeHop(entry, index);
      return entry.devices.length === 0;
    });
    this.changed();
  }

  /** An address is gone: so are the IPv4 routes that prefer it as their source. */
  removeRoutesFrom(source: Ip): void {
    this.#sweep(source.family, ({ route }) => route.preferredSource === source && route.protocol !== 'kernel');
    this.changed();
  }

  renameDevice(device: Device): void {
    this.#sweep(undefined, (entry) => {
      if (entry.devices.includes(device)) {
        const nextHops = entry.route.nextHops.map((hop, index) =>
          entry.devices[index] === device ? { ...hop, device: device.name } : hop,
        );
        entry.route = { ...entry.route, nextHops };
      }
      return false;
    });
    this.changed();
  }

  /** The device of a local address of any kind (also 127.0.0.0/8), or undefined. */
  localDevice(address: Ip): Device | undefined {
    const list = this.#tables.get(tableLocal)?.longestMatch(address)?.value;
    const entry = list?.find(({ route }) => route.type === 'local');
    return entry?.devices[0];
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────────────────

  #rulesChanged(): void {
    this.#isSimple = this.#rules.every(
      (rule) => rule.from === undefined && rule.iif === undefined && rule.mark?.value !== 0 && rule.inverted !== true,
    );
    this.changed();
  }

  #find(destination: Ip, options: LookupOptions | undefined): Entry | Decision | undefined {
    for (const rule of this.#rules) {
      if (rule.family !== destination.family || !this.#ruleApplies(rule, destination, options)) continue;
      if (rule.action.kind !== 'table') return { kind: rule.action.kind };
      const found = this.#findIn(rule.action.table, destination, options?.outputDevice);
      if (found !== undefined && found.route.type !== 'throw') return found;
    }
    return undefined;
  }

  #ruleApplies(rule: RoutingRule, destination: Ip, options: LookupOptions | undefined): boolean {
    return this.#ruleMatches(rule, destination, options) !== (rule.inverted === true);
  }

  #ruleMatches(rule: RoutingRule, destination: Ip, options: LookupOptions | undefined): boolean {
    if (rule.mark !== undefined && ((options?.mark ?? 0) & rule.mark.mask) !== rule.mark.value) return false;
    if (rule.iif !== undefined && rule.iif !== (options?.inputDevice ?? 'lo')) return false;
    if (rule.from !== undefined && (options?.source === undefined || !contains(rule.from, options.source))) return false;
    return rule.to === undefined || contains(rule.to, destination);
  }

  #findIn(id: number, destination: Ip, outputDevice: string | undefined): Entry | undefined {
    const table = this.#tables.get(id);
    if (table === undefined) return undefined;
    if (outputDevice === undefined) return table.longestMatch(destination)?.value[0];
    for (const { value } of table.matches(destination)) {
      for (const entry of value) {
        if (entry.devices.length === 0 || entry.devices.some((device) => device?.name === outputDevice)) return entry;
      }
    }
    return undefined;
  }

  #pickHop({ route, devices }: Entry, destination: Ip, options: LookupOptions | undefined): number {
    if (options?.outputDevice !== undefined) {
      const bound = devices.findIndex((device) => device?.name === options.outputDevice);
      if (bound >= 0) return bound;
    }
    let total = 0;
    for (let index = 0; index < devices.length; index++) if (devices[index]?.isAdminUp) total += route.nextHops[index]?.weight ?? 1;
    const hash = options?.hash ?? this.hashOf(options?.source, destination);
    let left = Math.floor((hash / 2 ** 32) * total);
    for (let index = 0; index < devices.length; index++) {
      if (!devices[index]?.isAdminUp) continue;
      left -= route.nextHops[index]?.weight ?? 1;
      if (left < 0) return index;
    }
    return 0;
  }

  /** The layer-3 hash of a look-up without a packet. */
  hashOf(source: Ip | undefined, destination: Ip): number {
    return finish(addressHash({ source: source ?? destination, destination }, this.#namespace.hashSeed));
  }

  #decide({ route, devices }: Entry, index: number, destination: Ip): Decision {
    const device = devices[index];
    switch (route.type) {
      case 'unicast': {
        if (device === undefined) return { kind: 'no-route', route };
        const hop = route.nextHops[index] as NextHop;
        const source =
          route.preferredSource ??
          (destination.family === 4
            ? selectSource4(device, hop.via?.family === 6 ? undefined : (hop.via ?? destination), this.#namespace.devices)
            : selectSource6(device, destination, this.#namespace.devices));
        return { kind: 'forward', route, nextHop: hop.via ?? destination, device, source };
      }
      case 'local':
      case 'broadcast':
      case 'anycast':
        return { kind: 'local', route, device: device ?? this.#namespace.loopback };
      case 'blackhole':
      case 'unreachable':
      case 'prohibit':
        return { kind: route.type, route };
      case 'multicast':
      case 'throw':
        return { kind: 'no-route', route };
    }
  }

  #entryOf(input: RouteInput): Entry {
    const { destination } = input;
    const type = input.type ?? 'unicast';
    const hops = input.nextHops ?? [];
    const isV4 = destination.family === 4;
    const needsDevice = type === 'unicast' || type === 'local' || type === 'broadcast' || type === 'anycast' || type === 'multicast';
    if (needsDevice && hops.length === 0) throw new NetworkError('ENODEV');
    const resolved = needsDevice ? hops.map((hop) => this.#resolveHop(hop, destination.family, type)) : [];
    if (input.preferredSource !== undefined && this.localDevice(input.preferredSource) === undefined) {
      throw new NetworkError('EINVAL', isV4 ? 'Invalid prefsrc address.' : 'Invalid source address.');
    }
    const defaultScope = !isV4
      ? 'global'
      : type === 'local'
        ? 'host'
        : needsDevice && hops.every((hop) => hop.via === undefined)
          ? 'link'
          : 'global';
    const route: Route = {
      destination,
      type,
      nextHops: resolved.every(({ hop }, index) => hop === hops[index]) ? hops : resolved.map(({ hop }) => hop),
      protocol: input.protocol ?? 'boot',
      scope: input.scope ?? defaultScope,
      metric: input.metric || (isV4 ? 0 : 1024),
      table: input.table ?? (type === 'local' || type === 'broadcast' || type === 'anycast' ? tableLocal : tableMain),
      ...(input.preferredSource === undefined ? {} : { preferredSource: input.preferredSource }),
      ...(input.mtu === undefined ? {} : { mtu: input.mtu }),
      ...(input.nextHopId === undefined ? {} : { nextHopId: input.nextHopId }),
    };
    const alone = resolved.length === 1 ? resolved[0]?.device.alone : undefined;
    return { route, devices: alone ?? resolved.map(({ device }) => device) };
  }

  /** fib_check_nh (IPv4) and ip6_validate_gw with fib6_nh_init (IPv6): the device of a next hop, or the kernel's refusal. */
  #resolveHop(hop: NextHop, family: Family, type: Route['type']): { hop: NextHop; device: Device } {
    const named = hop.device === undefined ? undefined : this.#namespace.getInterface(hop.device);
    if (hop.device !== undefined && named === undefined) throw new NetworkError('ENODEV');
    const { via } = hop;
    if (via === undefined) {
      if (named === undefined) throw new NetworkError('ENODEV');
      if (!named.isAdminUp && type !== 'local') {
        throw new NetworkError('ENETDOWN', family === 4 ? 'Device for nexthop is not up.' : 'Nexthop device is not up.');
      }
      return { hop, device: named };
    }
    if (via.family === 4 && family === 6) throw new NetworkError('EINVAL', 'IPv6 does not support IPv4 nexthops.');
    if (named !== undefined && !named.isAdminUp) throw new NetworkError('ENETDOWN', 'Nexthop device is not up.');
    if (hop.onLink === true) {
      if (named === undefined) throw new NetworkError('EINVAL', 'Nexthop device required for onlink.');
      return { hop, device: named };
    }
    if (via.family === 6 && isLinkLocal(via)) {
      if (named === undefined) throw new NetworkError('EINVAL', 'Egress device not specified.');
      return { hop, device: named };
    }
    if (via.family === 6 && this.localDevice(via) !== undefined) throw new NetworkError('EINVAL', 'Gateway can not be a local address.');
    const device = this.#onLinkDevice(via, named);
    if (device === undefined) {
      if (via.family === 4) throw new NetworkError('ENETUNREACH', 'Nexthop has invalid gateway.');
      throw new NetworkError('EHOSTUNREACH');
    }
    return { hop: hop.device === device.name ? hop : { ...hop, device: device.name }, device };
  }

  /** The device on whose link a gateway is: by a route that needs no gateway itself. */
  #onLinkDevice(via: Ip, named: Device | undefined): Device | undefined {
    for (const id of [tableLocal, tableMain]) {
      for (const { value } of this.#tables.get(id)?.matches(via) ?? []) {
        for (const { route, devices } of value) {
          if (route.type !== 'unicast' && route.type !== 'local') continue;
          if (route.nextHops[0]?.via !== undefined || (via.family === 4 && route.scope === 'global')) continue;
          const device = devices[0];
          if (device !== undefined && (named === undefined || named === device)) return device;
        }
      }
    }
    return undefined;
  }

  #insert(entry: Entry, place: 'last' | 'first' = 'last'): void {
    const { table, destination, metric } = entry.route;
    if (table !== tableMain && table !== tableLocal) {
      this.#made ??= new Set();
      this.#made.add(`${destination.family} ${table}`);
    }
    let trie = this.#tables.get(table);
    if (trie === undefined) {
      trie = new PrefixTrie();
      this.#tables.set(table, trie);
    }
    const list = trie.get(destination);
    if (list === undefined) trie.set(destination, [entry]);
    else {
      const index = list.findIndex((known) => known.route.metric > metric || (place === 'first' && known.route.metric === metric));
      list.splice(index < 0 ? list.length : index, 0, entry);
    }
    this.changed();
  }

  #listAt(table: number, destination: Prefix): Entry[] | undefined {
    return this.#tables.get(table)?.get(destination);
  }

  #prune(table: number, destination: Prefix, list: readonly Entry[]): void {
    if (list.length === 0) this.#tables.get(table)?.delete(destination);
  }

  #removeHop(entry: Entry, index: number): void {
    entry.devices = entry.devices.filter((_, position) => position !== index);
    entry.route = { ...entry.route, nextHops: entry.route.nextHops.filter((_, position) => position !== index) };
  }

  #sweep(family: Family | undefined, isDoomed: (entry: Entry) => boolean): void {
    for (const trie of this.#tables.values()) {
      const empty: Prefix[] = [];
      const look = (list: Entry[], destination: Prefix): void => {
        for (let index = list.length - 1; index >= 0; index--) if (isDoomed(list[index] as Entry)) list.splice(index, 1);
        if (list.length === 0) empty.push(destination);
      };
      if (family !== 6) trie.forEach(4, look);
      if (family !== 4) trie.forEach(6, look);
      for (const destination of empty) trie.delete(destination);
    }
  }
}

function matchesRoute(route: Route, match: Partial<Route>): boolean {
  if (match.type !== undefined && match.type !== route.type) return false;
  if (match.metric !== undefined && match.metric !== route.metric) return false;
  if (match.protocol !== undefined && match.protocol !== route.protocol) return false;
  if (match.scope !== undefined && match.scope !== route.scope) return false;
  if (match.preferredSource !== undefined && match.preferredSource !== route.preferredSource) return false;
  return match.nextHops?.every((wanted) => route.nextHops.some((hop) => matchesHop(hop, wanted))) ?? true;
}

function matchesHop(hop: NextHop, wanted: NextHop): boolean {
  return (wanted.via === undefined || wanted.via === hop.via) && (wanted.device === undefined || wanted.device === hop.device);
}

function ruleKey(rule: RoutingRule): readonly unknown[] {
  const { priority, family, from, to, mark, iif, action, inverted } = rule;
  return [priority, family, from?.text, to?.text, mark?.value, mark?.mask, iif, action, inverted === true];
}

/** Structural equality of plain data; addresses and prefixes are interned. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  return left.length === Object.keys(b).length && left.every(([key, value]) => sameValue(value, (b as Record<string, unknown>)[key]));
}
