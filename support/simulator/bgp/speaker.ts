import type { Timer } from '../clock/clock.ts';
import { ip, ipFromValue, prefix as parsePrefix } from '../net/address.ts';
import type { Ip, ListeningSocket, Prefix, TcpConnection } from '../net/types.ts';
import { Aggregate, aggregateSource } from './aggregate.ts';
import { AttributePool } from './attribute-pool.ts';
import { decide } from './decision.ts';
import { ExportMemo, exportPath, finishExport, interfaceOf, isLinkLocalIpv6, localNextHops, localPreference } from './export.ts';
import { MessageError, type UpdateMessage } from './message.ts';
import type { LocalIdentity } from './open.ts';
import { Peer, type PeerOwner, type ReceivedRoute, type SentRoute } from './peer.ts';
import { type Destination, familyOfPrefix, isSameAttributes, NextHopTable, Rib, type StoredPath } from './rib.ts';
import type {
  AggregateConfig,
  BgpFamily,
  BgpPeer,
  BgpSpeaker,
  ExportFilter,
  OriginatedRoute,
  PathAttributes,
  PeerConfig,
  RibEntry,
  RoutePolicy,
  SpeakerOptions,
  TrackedNextHop,
} from './types.ts';

const families: readonly BgpFamily[] = ['ipv4-unicast', 'ipv6-unicast'];
/** FRR works its queue of changed prefixes off 50 ms after the first went in (bgp_route.c). */
const frrProcessDelayMs = 50;
/** FRR lets an update group gather before it gets the table: one second and 50 ms a neighbour (bgp_updgrp.c). */
const frrCoalesceMs = { base: 1000, perPeer: 50 } as const;

/** How long paths of a peer that restarts may stay at most (`bgp graceful-restart stalepath-time`). */
const stalePathSeconds = 360;

const ownNetwork = 'network';
const maximumTtl = 255;

const singlePath = { maximumPaths: 1, maximumPathsIbgp: 1, relaxAsPath: false } as const;

/** A speaker that runs in a namespace: FRR's bgpd or gobgp's server. */
export function createSpeaker(options: SpeakerOptions): BgpSpeaker {
  return new Speaker(options);
}

/** How packets for a next hop leave, or undefined when they cannot. */
interface Resolution {
  readonly metric: number;
}

class Speaker implements BgpSpeaker, PeerOwner {
  options: SpeakerOptions;
  readonly #peers: Peer[] = [];
  readonly #byAddress = new Map<Ip, Peer>();
  readonly #ribs: Readonly<Record<BgpFamily, Rib>> = { 'ipv4-unicast': new Rib('ipv4-unicast'), 'ipv6-unicast': new Rib('ipv6-unicast') };
  readonly #nextHops = new NextHopTable();
  readonly #pool = new AttributePool();
  readonly #reachable = new Map<Peer, boolean>();
  /** Of the addresses that are tracked. */
  readonly #changedAt = new Map<Ip, number>();
  readonly #bestListeners = new Set<(entry: RibEntry) => void>();
  readonly #sessionListeners = new Set<(peer: BgpPeer) => void>();
  readonly #batches = new Map<string, { readonly peers: Set<Peer>; readonly timer: Timer }>();
  readonly #groupIds = new Map<string, number>();
  #subgroups = 0;
  #queue: Destination[] = [];
  #aggregates: readonly Aggregate[] = [];
  #queueTimer: Timer | undefined;
  #listening: ListeningSocket | undefined;
  readonly #unwatch: (() => void) | undefined;
  #isStopped = false;
  isRestarting: boolean;

  constructor(options: SpeakerOptions) {
    this.options = options;
    this.isRestarting = options.implementation === 'gobgp';
    if (options.listenPort !== undefined) {
      this.#listening = options.namespace.sockets.listen({
        port: options.listenPort,
        program: options.implementation === 'frr' ? 'bgpd' : 'gobgpd',
        md5KeyOf: (address) => {
          const known = this.#byAddress.get(address);
          return known === undefined ? options.strangerKeyOf?.(address) : known.config.password;
        },
        ...(this.#isTracking ? { ttlOf: () => maximumTtl } : {}),
        onConnection: (connection) => this.#accept(connection),
      });
    }
    this.#unwatch = this.#isTracking ? options.namespace.routes.onChange(() => this.#onRoutesChanged()) : undefined;
  }

  get clock(): SpeakerOptions['clock'] {
    return this.options.clock;
  }

  get random(): SpeakerOptions['random'] {
    return this.options.random;
  }

  get identity(): LocalIdentity {
    return this.options;
  }

  get peers(): readonly BgpPeer[] {
    return this.#peers;
  }

  get #isTracking(): boolean {
    return this.options.implementation === 'frr';
  }

  // ── peers ─────────────────────────────────────────────────────────────────────────────────────────────────

  findPeer(address: Ip): BgpPeer | undefined {
    return this.#byAddress.get(address);
  }

  addPeer(config: PeerConfig): BgpPeer {
    const known = this.#byAddress.get(config.address);
    if (known !== undefined) {
      this.updatePeer(config);
      return known;
    }
    const peer = new Peer(config, this);
    this.#peers.push(peer);
    this.#byAddress.set(config.address, peer);
    peer.start();
    return peer;
  }

  updatePeer(config: PeerConfig): void {
    const peer = this.#byAddress.get(config.address);
    if (peer === undefined) {
      this.addPeer(config);
      return;
    }
    const before = peer.config.perFamily;
    peer.configure(config);
    // FRR counts at once when the limit is set, not only with the next prefix (bgpd.c, peer_maximum_prefix_set).
    for (const family of families)
      if (before?.[family]?.maximumPrefix !== config.perFamily?.[family]?.maximumPrefix && peer.state === 'Established')
        this.#checkMaximumPrefix(peer, family);
  }

  removePeer(address: Ip): void {
    const peer = this.#byAddress.get(address);
    if (peer === undefined) return;
    this.#byAddress.delete(address);
    peer.remove('deconfigured');
    this.#forget(peer);
    this.#peers.splice(this.#peers.indexOf(peer), 1);
    this.#reachable.delete(peer);
  }

  clearPeer(address: Ip, mode: 'hard' | 'soft-in' | 'soft-out'): void {
    const peer = this.#byAddress.get(address);
    if (peer === undefined) return;
    if (mode === 'hard') peer.clear();
    else if (mode === 'soft-in') this.#importAll(peer);
    else for (const family of families) this.#resend(peer, family);
  }

  #accept(connection: TcpConnection): void {
    const address = connection.remote.ip;
    const known = this.#byAddress.get(address);
    if (known !== undefined) {
      this.#limitHops(known, connection);
      known.accept(connection);
      return;
    }
    const config = this.options.strangerOf?.(address);
    if (config === undefined) {
      connection.end();
      return;
    }
    this.addPeer(config);
    const stranger = this.#byAddress.get(address);
    if (stranger === undefined) return;
    this.#limitHops(stranger, connection);
    stranger.accept(connection);
  }

  /** bgp_network.c, bgp_set_socket_ttl: FRR's listening socket sends with the highest TTL, its sessions with the peer's. */
  #limitHops(peer: Peer, connection: TcpConnection): void {
    if (!this.#isTracking) return;
    const { multihopTtl, ttlSecurityHops } = peer.config;
    const ttl = peer.isExternal ? multihopTtl : maximumTtl;
    connection.limitHops(ttl, ttlSecurityHops === undefined ? 0 : maximumTtl + 1 - ttlSecurityHops);
  }

  dial(peer: Peer, handlers: { onConnected(): void; onFailed(): void }): TcpConnection {
    const { config } = peer;
    let isOver = false;
    return this.options.namespace.sockets.connect({
      destination: { ip: config.address, port: config.port },
      ...(config.localAddress === undefined ? {} : { source: { ip: config.localAddress } }),
      ...(config.device === undefined ? {} : { device: config.device }),
      ttl: peer.isExternal ? peer.dialConfig.multihopTtl : maximumTtl,
      ...(config.ttlSecurityHops === undefined ? {} : { minimumTtl: maximumTtl + 1 - config.ttlSecurityHops }),
      ...(config.password === undefined ? {} : { md5Key: config.password }),
      handlers: {
        onConnected: () => {
          if (isOver) return;
          isOver = true;
          handlers.onConnected();
        },
        onClose: () => {
          if (isOver) return;
          isOver = true;
          handlers.onFailed();
        },
      },
    });
  }

  onStateChange(peer: Peer): void {
    for (const listener of [...this.#sessionListeners]) listener(peer);
  }

  onEstablished(peer: Peer): void {
    const restart = peer.receivedCapabilities.find((capability) => capability.kind === 'graceful-restart');
    peer.lastRestart = restart;
    peer.restartTimer?.cancel();
    peer.restartTimer = undefined;
    this.isRestarting = false;
    // RFC 4724 §4.2: what a peer comes back without, or did not keep forwarding, is gone at once (bgp_fsm.c, bgp_establish).
    this.#dropStale(
      peer,
      families.filter((family) => restart?.families.some((entry) => entry.family === family && entry.isPreserved) !== true),
    );
    if (this.options.implementation === 'gobgp') {
      this.#synchronise([peer]);
      return;
    }
    peer.mappedNextHop = undefined;
    peer.globalNextHop = peer.local === undefined ? undefined : localNextHops(this.options.namespace, peer.local.ip).v6;
    peer.localDevice = peer.local === undefined ? undefined : interfaceOf(this.options.namespace, peer.local.ip)?.name;
    const key = `${peer.isExternal ? 'external' : 'internal'} ${[...peer.negotiatedFamilies].join()} ${peer.hasExtendedNextHop} ${peer.localAsn}`;
    const batch = this.#batches.get(key);
    for (const family of peer.negotiatedFamilies) peer.updateGroups.set(family, this.#groupOf(family, key, batch === undefined));
    if (batch !== undefined) {
      batch.peers.add(peer);
      return;
    }
    const waiting = new Set([peer]);
    const delayMs = frrCoalesceMs.base + frrCoalesceMs.perPeer * (this.#peers.length + 1);
    const timer = this.clock.schedule(delayMs, () => {
      this.#batches.delete(key);
      this.#synchronise([...waiting].filter((member) => member.state === 'Established' && !member.isSynchronised));
      this.#mergeSubgroups(key);
    });
    this.#batches.set(key, { peers: waiting, timer });
  }

  #groupOf(family: BgpFamily, key: string, isNew: boolean): { readonly group: number; readonly subgroup: number } {
    const name = `${family} ${key}`;
    let group = this.#groupIds.get(name);
    if (group === undefined) {
      group = this.#groupIds.size + 1;
      this.#groupIds.set(name, group);
    }
    if (isNew) this.#subgroups++;
    return { group, subgroup: this.#subgroups };
  }

  /** Once both have sent the same, FRR merges the younger subgroup into the older. */
  #mergeSubgroups(key: string): void {
    for (const family of families) {
      const group = this.#groupIds.get(`${family} ${key}`);
      const members = this.#peers.filter((peer) => peer.isSynchronised && peer.updateGroups.get(family)?.group === group);
      const oldest = Math.min(...members.map((peer) => peer.updateGroups.get(family)?.subgroup ?? Number.POSITIVE_INFINITY));
      if (group !== undefined) for (const peer of members) peer.updateGroups.set(family, { group, subgroup: oldest });
    }
  }

  onDown(peer: Peer, mayRestart: boolean): void {
    for (const batch of this.#batches.values()) batch.peers.delete(peer);
    if (mayRestart && this.#keepStale(peer) && (peer.config.isDynamic !== true || this.#hasStale(peer))) return;
    this.#forget(peer);
    if (peer.config.isDynamic === true) this.onGone(peer);
  }

  #hasStale(peer: Peer): boolean {
    return families.some((family) => [...peer.received[family].values()].some(({ isStale }) => isStale));
  }

  onGone(peer: Peer): void {
    const { address } = peer.config;
    if (this.#byAddress.get(address) !== peer) return;
    this.#byAddress.delete(address);
    this.#peers.splice(this.#peers.indexOf(peer), 1);
    this.#reachable.delete(peer);
    peer.remove('killed');
    this.options.onStrangerGone?.(address);
  }

  /** RFC 4724 §4.2: the routes of a peer that restarts stay for a while, marked. */
  #keepStale(peer: Peer): boolean {
    const restart = peer.lastRestart;
    if (restart === undefined) return false;
    for (const family of families) {
      const isKept = restart.families.some((entry) => entry.family === family);
      for (const route of [...peer.received[family].values()]) {
        if (!isKept) this.#withdrawReceived(peer, family, route.prefix);
        else {
          route.isStale = true;
          if (route.path !== undefined) route.path.isStale = true;
        }
      }
    }
    peer.restartTimer?.cancel();
    peer.stalePathTimer?.cancel();
    peer.stalePathTimer = this.clock.schedule(stalePathSeconds * 1000, () => {
      peer.stalePathTimer = undefined;
      this.#dropStale(peer, families);
    });
    peer.restartTimer = this.clock.schedule(restart.restartTimeSeconds * 1000, () => {
      peer.restartOver();
      peer.stalePathTimer?.cancel();
      peer.stalePathTimer = undefined;
      this.#dropStale(peer, families);
      if (peer.config.isDynamic === true) this.onGone(peer);
    });
    return true;
  }

  #dropStale(peer: Peer, which: Iterable<BgpFamily>): void {
    for (const family of which)
      for (const route of [...peer.received[family].values()]) if (route.isStale) this.#withdrawReceived(peer, family, route.prefix);
  }

  #forget(peer: Peer): void {
    for (const family of families) {
      for (const route of [...peer.received[family].values()]) this.#withdrawReceived(peer, family, route.prefix);
      peer.accepted[family] = 0;
    }
  }

  // ── Adj-RIB-In ────────────────────────────────────────────────────────────────────────────────────────────

  onUpdate(peer: Peer, message: UpdateMessage): void {
    const { attributes, mpReach, mpUnreach } = message;
    for (const value of message.withdrawn) this.#withdrawReceived(peer, 'ipv4-unicast', value);
    if (mpUnreach !== undefined) for (const value of mpUnreach.withdrawn) this.#withdrawReceived(peer, mpUnreach.family, value);
    if (message.nlri.length > 0 || (mpReach?.nlri.length ?? 0) > 0) {
      if (attributes === undefined) throw new MessageError(3, 3, 'missing well-known attributes', Uint8Array.of(1));
      const received = this.#withLocalAs(peer, peer.isExternal ? withoutLocalPref(attributes) : attributes);
      const base = this.options.implementation === 'frr' ? withSortedCommunities(received) : received;
      if (message.nextHop !== undefined) {
        const full = this.#pool.intern({ nextHop: message.nextHop, ...base });
        for (const value of message.nlri) this.#receive(peer, 'ipv4-unicast', value, full);
      }
      if (mpReach !== undefined) {
        const { nextHop, linkLocalNextHop } = mpReach;
        const full = this.#pool.intern({
          ...base,
          nextHop,
          ...(linkLocalNextHop === undefined || linkLocalNextHop.value === 0n ? {} : { linkLocalNextHop }),
        });
        for (const value of mpReach.nlri) this.#receive(peer, mpReach.family, value, full);
      }
      return;
    }
    if (attributes !== undefined || message.withdrawn.length > 0) return;
    if (mpUnreach === undefined) this.#onEndOfRib(peer, 'ipv4-unicast');
    else if (mpUnreach.withdrawn.length === 0) this.#onEndOfRib(peer, mpUnreach.family);
  }

  /** FRR puts the number of `local-as` before what comes in, unless told not to (bgp_attr.c, bgp_attr_munge_tmp_attr). */
  #withLocalAs<T extends Pick<PathAttributes, 'asPath'>>(peer: Peer, attributes: T): T {
    const { localAs, localAsMode } = peer.config;
    if (localAs === undefined || localAsMode !== undefined || !this.#isTracking) return attributes;
    return { ...attributes, asPath: [localAs, ...attributes.asPath] };
  }

  #onEndOfRib(peer: Peer, family: BgpFamily): void {
    peer.endOfRib.received.add(family);
    this.#dropStale(peer, [family]);
  }

  #receive(peer: Peer, family: BgpFamily, prefix: Prefix, attributes: PathAttributes): void {
    if (!peer.negotiatedFamilies.has(family)) return;
    const former = peer.received[family].get(prefix);
    const route: ReceivedRoute = {
      prefix,
      attributes,
      receivedAt: this.clock.now(),
      path: former?.path,
      isAccepted: former?.isAccepted ?? false,
      isStale: false,
    };
    peer.received[family].set(prefix, route);
    this.#import(peer, family, route);
    this.#checkMaximumPrefix(peer, family);
  }

  #checkMaximumPrefix(peer: Peer, family: BgpFamily): void {
    const { maximumPrefix, maximumPrefixWarningOnly } = peer.config.perFamily?.[family] ?? {};
    if (maximumPrefix === undefined || maximumPrefixWarningOnly === true) return;
    if (peer.accepted[family] > maximumPrefix) peer.exceedMaximumPrefix(family);
  }

  #withdrawReceived(peer: Peer, family: BgpFamily, prefix: Prefix): void {
    const route = peer.received[family].get(prefix);
    if (route === undefined) return;
    peer.received[family].delete(prefix);
    if (route.isAccepted) peer.accepted[family]--;
    if (route.path === undefined) return;
    this.#removePath(route.path);
    route.path = undefined;
  }

  #import(peer: Peer, family: BgpFamily, route: ReceivedRoute): void {
    const isLoop = this.#isLoop(peer, family, route.attributes);
    const decided = isLoop
      ? undefined
      : this.options.importPolicy === undefined
        ? { attributes: route.attributes, weight: 0 }
        : this.options.importPolicy(route, peer);
    const isAccepted = this.#isTracking ? decided !== undefined : !isLoop;
    if (isAccepted !== route.isAccepted) peer.accepted[family] += isAccepted ? 1 : -1;
    route.isAccepted = isAccepted;
    if (decided === undefined) {
      if (route.path !== undefined) this.#removePath(route.path);
      route.path = undefined;
      return;
    }
    const attributes = decided.attributes === route.attributes ? route.attributes : this.#pool.intern(decided.attributes);
    route.path = this.#putPath(peer, route.prefix, attributes, decided.weight ?? 0, route.receivedAt);
  }

  /** RFC 4271 §9.1.2 (AS loop), RFC 4456 §8 (reflection loops), and FRR's refusal of its own address as next hop. */
  #isLoop(peer: Peer, family: BgpFamily, attributes: PathAttributes): boolean {
    const allowed = peer.config.perFamily?.[family]?.allowAsIn;
    const countOf = (own: number) => {
      let count = 0;
      for (const item of attributes.asPath) if (typeof item === 'number' ? item === own : item.set.includes(own)) count++;
      return count;
    };
    if (countOf(this.options.localAsn) > (allowed ?? 0)) return true;
    // FRR has put that number there itself (bgp_route.c, "AS path local-as loop check").
    const ownPrepends = this.#isTracking && peer.config.localAs !== undefined && peer.config.localAsMode === undefined ? 1 : 0;
    if (peer.localAsn !== this.options.localAsn && countOf(peer.localAsn) > (allowed ?? ownPrepends)) return true;
    if (attributes.originatorId === this.options.routerId) return true;
    if (attributes.clusterList?.includes(this.options.clusterId ?? this.options.routerId) === true) return true;
    return this.#isTracking && this.options.namespace.isLocalAddress(attributes.nextHop);
  }

  #importAll(peer: Peer): void {
    for (const family of families) for (const route of peer.received[family].values()) this.#import(peer, family, route);
  }

  onRouteRefresh(peer: Peer, family: BgpFamily): void {
    this.#resend(peer, family);
  }

  // ── Loc-RIB ───────────────────────────────────────────────────────────────────────────────────────────────

  #putPath(
    peer: Peer | undefined,
    prefix: Prefix,
    attributes: PathAttributes,
    weight: number,
    receivedAt: number,
    source?: string,
  ): StoredPath {
    const destination = this.#ribs[familyOfPrefix(prefix)].obtain(prefix);
    const known = destination.pathOf(peer, source);
    if (known !== undefined) {
      const isChanged = !isSameAttributes(known.attributes, attributes) || known.weight !== weight || known.isStale;
      known.receivedAt = receivedAt;
      known.isStale = false;
      if (!isChanged) return known;
      this.#untrack(known);
      known.attributes = attributes;
      known.weight = weight;
      this.#track(known);
      this.#touchAggregates(destination);
      if (destination.best === known) destination.isBestChanged = true;
      this.#enqueue(destination);
      return known;
    }
    const path: StoredPath = { prefix, attributes, peer, source, receivedAt, weight, isStale: false, isValid: true, destination };
    // The usual case is one path: an array that has grown keeps room for many.
    destination.paths = destination.paths.length === 0 ? [path] : [path, ...destination.paths];
    this.#track(path);
    this.#touchAggregates(destination);
    this.#enqueue(destination);
    return path;
  }

  #removePath(path: StoredPath): void {
    const { destination } = path;
    const index = destination.paths.indexOf(path);
    if (index < 0) return;
    destination.paths.splice(index, 1);
    this.#touchAggregates(destination);
    this.#untrack(path);
    this.#enqueue(destination);
  }

  /** What a path's packets go to: a link-local next hop wins over the global one beside it. */
  #nextHopOf(path: StoredPath): { readonly address: Ip; readonly device: string } {
    const { linkLocalNextHop, nextHop } = path.attributes;
    const address = linkLocalNextHop ?? nextHop;
    if (!isLinkLocalIpv6(address)) return { address, device: '' };
    const peer = path.peer;
    const device =
      peer?.config.device ?? (peer?.local === undefined ? undefined : interfaceOf(this.options.namespace, peer.local.ip)?.name);
    return { address, device: device ?? '' };
  }

  #track(path: StoredPath): void {
    if (!this.#isTracking || path.peer === undefined) return;
    const { address, device } = this.#nextHopOf(path);
    this.#nextHops.add(path, address, device);
    if (!this.#changedAt.has(address)) this.#changedAt.set(address, this.clock.now());
    this.#applyResolution(path, this.#resolvePath(path, path.peer, address, device));
  }

  /** A host route whose next hop is that host leads nowhere (bgp_nht.c, "prefix loops through itself"), unless a client sent it. */
  #resolvePath({ prefix }: StoredPath, peer: BgpPeer, address: Ip, device: string): Resolution | undefined {
    const isClient = peer.config.perFamily?.[familyOfPrefix(prefix)]?.routeReflectorClient === true;
    if (!isClient && prefix.address === address && prefix.length === (address.family === 4 ? 32 : 128)) return undefined;
    return this.#resolve(address, device, this.#mustBeConnected(peer));
  }

  #untrack(path: StoredPath): void {
    this.#nextHops.remove(path);
  }

  #mustBeConnected(peer: BgpPeer): boolean {
    return peer.isExternal && peer.config.multihopTtl === 1 && peer.config.isConnectedCheckOff !== true;
  }

  /** Zebra's answer to "how do I reach this next hop": never by the default route (`ip nht resolve-via-default` is off). */
  #resolve(address: Ip, device: string, isConnectedOnly: boolean): Resolution | undefined {
    const { namespace } = this.options;
    // An IPv4 address in IPv6's clothes is looked up as what it is, though zebra then finds no IPv6 route to it (bgp_nht.c).
    if (address.family === 6 && address.value >> 32n === 0xffffn)
      return this.#resolve(ipFromValue(4, address.value & 0xffffffffn), device, isConnectedOnly);
    if (isLinkLocalIpv6(address)) {
      const found = device === '' ? undefined : namespace.getInterface(device);
      return found?.isAdminUp && found.hasCarrier ? { metric: 0 } : undefined;
    }
    const decision = namespace.routes.lookup(address);
    if (decision.kind === 'local' || decision.route === undefined || decision.route.destination.length === 0) return undefined;
    // A route that drops packets is a way like others (zebra_rnh.c, rnh_nexthop_valid), be it a summary of the router's own.
    if (decision.kind !== 'forward')
      return isConnectedOnly || decision.kind === 'no-route'
        ? undefined
        : { metric: this.options.metricOf?.(decision.route.destination) ?? 0 };
    if (!decision.device.isAdminUp || !decision.device.hasCarrier) return undefined;
    const isConnected = decision.nextHop === address;
    if (isConnectedOnly && !isConnected) return undefined;
    return { metric: isConnected ? 0 : (this.options.metricOf?.(decision.route.destination) ?? 0) };
  }

  #applyResolution(path: StoredPath, resolution: Resolution | undefined): boolean {
    const isValid = resolution !== undefined;
    const metric = resolution?.metric ?? 0;
    if (path.isValid === isValid && (path.igpMetric ?? 0) === metric) return false;
    path.isValid = isValid;
    path.igpMetric = metric;
    return true;
  }

  isReachable(peer: Peer): boolean {
    if (!this.#isTracking) return true;
    const { address, device } = peer.config;
    const isReachable = this.#resolve(address, device ?? '', this.#mustBeConnected(peer)) !== undefined;
    if (this.#reachable.get(peer) !== isReachable) this.#changedAt.set(address, this.clock.now());
    this.#reachable.set(peer, isReachable);
    return isReachable;
  }

  #onRoutesChanged(): void {
    if (this.#isStopped) return;
    for (const entry of this.#nextHops.entries()) {
      const { address, device, paths } = entry;
      const signature = [true, false].map((isConnectedOnly) => this.#resolve(address, device, isConnectedOnly)?.metric ?? '-').join(' ');
      if (entry.paths.signature === signature) continue;
      if (entry.paths.signature !== undefined) this.#changedAt.set(address, this.clock.now());
      entry.paths.signature = signature;
      for (const path of paths) {
        if (path.peer === undefined || !this.#applyResolution(path, this.#resolvePath(path, path.peer, address, device))) continue;
        this.#touchAggregates(path.destination);
        this.#enqueue(path.destination);
      }
    }
    for (const peer of [...this.#peers]) {
      const before = this.#reachable.get(peer);
      if (before === undefined) continue;
      const now = this.isReachable(peer);
      if (now !== before) peer.reachabilityChanged(now);
      this.#followAddress(peer);
    }
  }

  /**
   * A session outlives the loss of the address that is told as IPv6 next hop (bgp_zebra.c, bgp_interface_address_delete): the interface's
   * IPv4 address stands in, and only a neighbor that is named by its interface gets the IPv6 one back.
   */
  #followAddress(peer: Peer): void {
    const { globalNextHop } = peer;
    if (globalNextHop === undefined || peer.session === undefined) return;
    const { namespace } = this.options;
    if (peer.mappedNextHop === undefined) {
      if (namespace.isLocalAddress(globalNextHop)) return;
      const device = namespace.getInterface(peer.localDevice ?? '');
      const own = device?.addresses.find((entry) => entry.ip.family === 4)?.ip;
      if (own === undefined) return;
      peer.mappedNextHop = ipFromValue(6, (0xffffn << 32n) | own.value);
    } else if (peer.config.isUnnumbered === true && namespace.isLocalAddress(globalNextHop)) peer.mappedNextHop = undefined;
    else return;
    for (const family of families) this.#resend(peer, family, false);
  }

  #enqueue(destination: Destination): void {
    if (destination.isQueued) return;
    destination.isQueued = true;
    this.#queue.push(destination);
    if (!this.#isTracking) {
      // gobgp has no waiting queue; one event gathers what one message brought.
      this.#queueTimer ??= this.clock.schedule(0, () => this.#process());
      return;
    }
    this.#queueTimer ??= this.clock.schedule(frrProcessDelayMs, () => this.#process());
  }

  #process(): void {
    this.#queueTimer = undefined;
    for (const aggregate of this.#aggregates) if (aggregate.isDirty) this.#summarize(aggregate);
    const queue = this.#queue;
    this.#queue = [];
    const outgoing = new Outbox(this.#pool);
    const changed: Destination[] = [];
    const refusals = new Refusals(this.options.exportFilter, this.#peers);
    for (const destination of queue) {
      destination.isQueued = false;
      const isAnnounced = this.#decide(destination);
      if (isAnnounced !== undefined) changed.push(destination);
      if (isAnnounced === true) {
        for (const [index, peer] of this.#peers.entries()) {
          if (!peer.isSynchronised) continue;
          const isNothing = refusals.of(destination, index) && !peer.sent[destination.family].has(destination.prefix);
          if (!isNothing) this.#advertise(peer, destination, outgoing);
        }
      }
      this.#ribs[destination.family].discardIfEmpty(destination);
    }
    for (const destination of changed) for (const listener of [...this.#bestListeners]) listener(destination);
    outgoing.flush();
  }

  /**
   * Decides anew. As in FRR (bgp_route.c, bgp_process_main_one) the version grows when the best path is another one,
   * when its attributes changed, or when it gets its first companion or loses its last.
   * @returns undefined when nothing changed, true when peers have to be told, false when only companions changed
   */
  #decide(destination: Destination): boolean | undefined {
    const before = destination.best;
    const formerMultipath = destination.multipath;
    const decision = decide(destination.paths, {
      ...this.options.decision,
      selected: before,
      multipath: this.options.multipath?.[destination.family] ?? singlePath,
    });
    destination.best = decision?.best as StoredPath | undefined;
    destination.reason = decision?.reason;
    destination.multipath = decision?.multipath ?? [];
    const hadCompanions = formerMultipath.length > 1;
    const hasCompanions = destination.multipath.length > 1;
    const isBestChanged = destination.isBestChanged;
    destination.isBestChanged = false;
    const isSameBest = destination.best === before && !isBestChanged;
    if (isSameBest && before === undefined) return undefined;
    if (isSameBest && hadCompanions === hasCompanions) {
      const isSameSet =
        formerMultipath.length === destination.multipath.length &&
        formerMultipath.every((path, index) => path === destination.multipath[index]);
      return isSameSet ? undefined : false;
    }
    destination.version = ++this.#ribs[destination.family].version;
    return true;
  }

  // ── summaries ─────────────────────────────────────────────────────────────────────────────────────────────

  setAggregates(configs: readonly AggregateConfig[]): void {
    const former = this.#aggregates;
    const isSame = (a: AggregateConfig, b: AggregateConfig) =>
      a.prefix === b.prefix && a.summaryOnly === b.summaryOnly && a.asSet === b.asSet;
    if (former.length === configs.length && former.every((each, index) => isSame(each.config, configs[index] as AggregateConfig))) return;
    this.#aggregates = configs.map((config) => former.find((each) => isSame(each.config, config)) ?? new Aggregate(config));
    for (const { config } of former)
      if (!configs.some(({ prefix }) => prefix === config.prefix)) this.withdraw(config.prefix, aggregateSource);
    for (const family of families) {
      for (const destination of this.#ribs[family].list()) {
        this.#touchAggregates(destination, true);
      }
    }
    this.#queueTimer ??= this.clock.schedule(frrProcessDelayMs, () => this.#process());
  }

  /** Keeps the summaries of a destination's paths in step, and which of those a summary stands for: usable ones only. */
  #touchAggregates(destination: Destination, hasNewSummaries = false): void {
    if (this.#aggregates.length === 0 && !hasNewSummaries) return;
    let isCovered = false;
    for (const aggregate of this.#aggregates) {
      if (!aggregate.covers(destination.prefix)) continue;
      aggregate.update(destination);
      isCovered ||= aggregate.config.summaryOnly;
    }
    for (const path of destination.paths) {
      const isSuppressed = isCovered && path.isValid && path.source !== aggregateSource;
      if ((path.isSuppressed ?? false) === isSuppressed) continue;
      path.isSuppressed = isSuppressed;
      if (path === destination.best) destination.isBestChanged = true;
      this.#enqueue(destination);
    }
  }

  #summarize(aggregate: Aggregate): void {
    aggregate.isDirty = false;
    const { prefix } = aggregate.config;
    const attributes = aggregate.attributes();
    if (attributes === undefined) this.withdraw(prefix, aggregateSource);
    else {
      const { localAsn, routerId } = this.options;
      this.originate({ prefix, attributes: { ...attributes, aggregator: { asn: localAsn, routerId } }, source: aggregateSource });
    }
  }

  originate(route: OriginatedRoute): void {
    const isFrr = this.options.implementation === 'frr';
    const unspecified = ip(route.prefix.family === 4 ? '0.0.0.0' : '::');
    const attributes: PathAttributes = {
      origin: 'igp',
      asPath: [],
      nextHop: unspecified,
      ...(isFrr ? { med: 0 } : {}),
      ...route.attributes,
    };
    const weight = route.weight ?? (isFrr ? 32768 : 0);
    this.#putPath(undefined, route.prefix, attributes, weight, this.clock.now(), route.source ?? ownNetwork);
  }

  withdraw(prefix: Prefix, source: string = ownNetwork): void {
    const path = this.#ribs[familyOfPrefix(prefix)].get(prefix)?.pathOf(undefined, source);
    if (path !== undefined) this.#removePath(path);
  }

  locRib(family: BgpFamily): readonly RibEntry[] {
    return this.#ribs[family].list().filter((entry) => entry.paths.length > 0);
  }

  lookup(prefix: Prefix): RibEntry | undefined {
    return this.#ribs[familyOfPrefix(prefix)].get(prefix);
  }

  tableVersion(family: BgpFamily): number {
    return this.#ribs[family].version;
  }

  nextHops(): readonly TrackedNextHop[] {
    const list: TrackedNextHop[] = [];
    const put = (address: Ip, device: string, peer: Peer | undefined, paths: readonly StoredPath[]): void => {
      const isConnectedOnly = [peer, ...paths.map((path) => path.peer)].some((each) => each !== undefined && this.#mustBeConnected(each));
      const resolution = this.#resolve(address, device, isConnectedOnly);
      const changedAt = this.#changedAt.get(address) ?? this.clock.now();
      list.push({ address, isValid: resolution !== undefined, metric: resolution?.metric ?? 0, isConnectedOnly, paths, peer, changedAt });
    };
    // A link-local address needs no tracking: it is as usable as its interface.
    const tracked = new Map([...this.#reachable.keys()].map((peer) => [peer.config.address, peer]));
    for (const { address, device, paths } of this.#nextHops.entries()) {
      put(address, device, tracked.get(address), [...paths]);
      tracked.delete(address);
    }
    for (const [address, peer] of tracked) if (!isLinkLocalIpv6(address)) put(address, peer.config.device ?? '', peer, []);
    return list.sort((a, b) => a.address.family - b.address.family || (a.address.value < b.address.value ? -1 : 1));
  }

  // ── Adj-RIB-Out ───────────────────────────────────────────────────────────────────────────────────────────

  #advertise(peer: Peer, destination: Destination, outgoing: Outbox, isForced = false): void {
    const { family, prefix } = destination;
    const sent = peer.sent[family];
    const former = sent.get(prefix);
    const isDefault = prefix.length === 0 && peer.config.perFamily?.[family]?.defaultOriginate === true;
    if (isDefault) return;
    const exported = exportPath(this.options, destination, peer, outgoing.memo);
    if (exported === undefined) {
      if (former === undefined) return;
      sent.delete(prefix);
      outgoing.withdraw(peer, family, prefix);
      return;
    }
    if (former !== undefined && !isForced && this.#isTold(former.attributes, exported.attributes)) return;
    const { attributes, isNextHopSelf } = exported;
    const route: SentRoute = { prefix, attributes, sentAt: this.clock.now(), isNextHopSelf };
    sent.set(prefix, route);
    outgoing.announce(peer, family, prefix, attributes);
  }

  /**
   * Whether a peer knows it already. FRR holds what was sent and what is to be sent for the same when their hashes are, and those have no
   * place for whether there is a MED: none is as good as 0 (bgp_updgrp_adv.c, bgp_adj_out_set_subgroup; bgp_attr.c, attrhash_key_make).
   */
  #isTold(sent: PathAttributes, wanted: PathAttributes): boolean {
    if (sent.med !== wanted.med && this.#isTracking && (sent.med ?? 0) === (wanted.med ?? 0))
      return isSameAttributes({ ...sent, med: 0 }, { ...wanted, med: 0 });
    return isSameAttributes(sent, wanted);
  }

  /** Sends the whole table to peers that have just come up, then End-of-RIB where both speak of graceful restart. */
  #synchronise(peers: readonly Peer[]): void {
    const outgoing = new Outbox(this.#pool);
    const refusals = new Refusals(this.options.exportFilter, peers);
    for (const [index, peer] of peers.entries()) {
      peer.isSynchronised = true;
      for (const family of families) {
        if (!peer.negotiatedFamilies.has(family)) continue;
        this.#sendDefault(peer, family, outgoing);
        for (const destination of this.#ribs[family].list()) {
          if (destination.best === undefined || (refusals.of(destination, index) && !peer.sent[family].has(destination.prefix))) continue;
          this.#advertise(peer, destination, outgoing);
        }
      }
    }
    outgoing.flush();
    for (const peer of peers) {
      const restart = peer.receivedCapabilities.find((capability) => capability.kind === 'graceful-restart');
      const offered = peer.sentCapabilities.some((capability) => capability.kind === 'graceful-restart');
      if (restart === undefined || !offered) continue;
      for (const family of peer.negotiatedFamilies) {
        peer.endOfRib.sent.add(family);
        const empty = { type: 'update', withdrawn: [], nlri: [], attributes: undefined, nextHop: undefined, mpReach: undefined } as const;
        peer.send({ ...empty, mpUnreach: family === 'ipv4-unicast' ? undefined : { family, withdrawn: [] } });
      }
    }
  }

  #sendDefault(peer: Peer, family: BgpFamily, outgoing: Outbox): void {
    if (peer.config.perFamily?.[family]?.defaultOriginate !== true) return;
    const everything = parsePrefix(family === 'ipv4-unicast' ? '0.0.0.0/0' : '::/0');
    const base: PathAttributes = {
      origin: 'igp',
      asPath: [],
      nextHop: everything.address,
      med: 0,
      ...(peer.isExternal ? {} : { localPref: localPreference(this.options) }),
    };
    const { attributes, isNextHopSelf } = finishExport(this.options, base, base.nextHop, family, peer, {
      isLocal: true,
      isReflected: false,
      from: undefined,
    });
    peer.sent[family].set(everything, { prefix: everything, attributes, sentAt: this.clock.now(), isNextHopSelf });
    outgoing.announce(peer, family, everything, attributes);
  }

  #resend(peer: Peer, family: BgpFamily, withDefault = true): void {
    if (!peer.isSynchronised || !peer.negotiatedFamilies.has(family)) return;
    const outgoing = new Outbox(this.#pool);
    if (withDefault) this.#sendDefault(peer, family, outgoing);
    for (const destination of this.#ribs[family].list()) this.#advertise(peer, destination, outgoing, true);
    outgoing.flush();
  }

  // ── policies and the rest ─────────────────────────────────────────────────────────────────────────────────

  refreshPolicies(): void {
    for (const peer of this.#peers) this.#importAll(peer);
    const outgoing = new Outbox(this.#pool);
    for (const peer of this.#peers) {
      if (!peer.isSynchronised) continue;
      for (const family of peer.negotiatedFamilies) {
        const everything = parsePrefix(family === 'ipv4-unicast' ? '0.0.0.0/0' : '::/0');
        if (peer.config.perFamily?.[family]?.defaultOriginate === true) {
          if (!peer.sent[family].has(everything)) this.#sendDefault(peer, family, outgoing);
        } else if (peer.sent[family].has(everything) && this.#ribs[family].get(everything)?.best === undefined) {
          peer.sent[family].delete(everything);
          outgoing.withdraw(peer, family, everything);
        }
        for (const destination of this.#ribs[family].list()) this.#advertise(peer, destination, outgoing);
      }
    }
    outgoing.flush();
  }

  setPolicies(policies: { readonly importPolicy?: RoutePolicy; readonly exportPolicy?: RoutePolicy }): void {
    const { importPolicy: _import, exportPolicy: _export, ...rest } = this.options;
    this.options = { ...rest, ...policies };
    this.refreshPolicies();
  }

  setOptions(options: Partial<Pick<SpeakerOptions, 'multipath' | 'decision' | 'routerId' | 'hostname' | 'clusterId'>>): void {
    const routerIdChanged = options.routerId !== undefined && options.routerId !== this.options.routerId;
    this.options = { ...this.options, ...options };
    if (routerIdChanged)
      for (const peer of this.#peers)
        if (peer.state === 'Established') peer.reset(6, 6, this.#isTracking ? 'Router ID changed' : undefined);
    for (const family of families) for (const destination of this.#ribs[family].list()) this.#enqueue(destination);
  }

  onBestPathChange(listener: (entry: RibEntry) => void): () => void {
    this.#bestListeners.add(listener);
    return () => this.#bestListeners.delete(listener);
  }

  onSessionChange(listener: (peer: BgpPeer) => void): () => void {
    this.#sessionListeners.add(listener);
    return () => this.#sessionListeners.delete(listener);
  }

  stop(how: 'graceful' | 'killed'): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#unwatch?.();
    this.#listening?.close();
    this.#listening = undefined;
    this.#bestListeners.clear();
    for (const batch of this.#batches.values()) batch.timer.cancel();
    this.#batches.clear();
    for (const peer of this.#peers) peer.remove(how === 'graceful' ? 'deconfigured' : 'killed');
    this.#sessionListeners.clear();
    this.#queueTimer?.cancel();
    this.#queueTimer = undefined;
    this.#queue = [];
  }
}

/** FRR keeps communities by value, each once (community_uniq_sort); gobgp as they came. */
function withSortedCommunities<T extends Pick<PathAttributes, 'communities' | 'largeCommunities'>>(attributes: T): T {
  const { communities, largeCommunities } = attributes;
  if ((communities?.length ?? 0) < 2 && (largeCommunities?.length ?? 0) < 2) return attributes;
  return {
    ...attributes,
    ...(communities === undefined ? {} : { communities: [...new Set(communities)].toSorted((a, b) => a - b) }),
    ...(largeCommunities === undefined
      ? {}
      : { largeCommunities: largeCommunities.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) }),
  };
}

function withoutLocalPref<T extends { readonly localPref?: number }>(attributes: T): Omit<T, 'localPref'> {
  const { localPref: _ignored, ...rest } = attributes;
  return rest;
}

interface OutgoingUpdate {
  readonly attributes: PathAttributes;
  readonly prefixes: Prefix[];
}

/** Gathers what one round has for each peer, so that prefixes with the same attributes share a message. */
class Outbox {
  readonly memo: ExportMemo;
  readonly #byPeer = new Map<Peer, Record<BgpFamily, { readonly withdrawn: Prefix[]; readonly updates: OutgoingUpdate[] }>>();

  constructor(pool: AttributePool) {
    this.memo = new ExportMemo(pool);
  }

  #of(peer: Peer, family: BgpFamily): { readonly withdrawn: Prefix[]; readonly updates: OutgoingUpdate[] } {
    let record = this.#byPeer.get(peer);
    if (record === undefined) {
      record = { 'ipv4-unicast': { withdrawn: [], updates: [] }, 'ipv6-unicast': { withdrawn: [], updates: [] } };
      this.#byPeer.set(peer, record);
    }
    return record[family];
  }

  announce(peer: Peer, family: BgpFamily, prefix: Prefix, attributes: PathAttributes): void {
    const { updates } = this.#of(peer, family);
    // Neighbouring prefixes share attributes more often than not; looking further back would make this quadratic.
    const last = updates[updates.length - 1];
    if (peer.implementation === 'frr' && last !== undefined && last.prefixes.length < 100 && isSameAttributes(last.attributes, attributes))
      last.prefixes.push(prefix);
    else updates.push({ attributes, prefixes: [prefix] });
  }

  withdraw(peer: Peer, family: BgpFamily, prefix: Prefix): void {
    this.#of(peer, family).withdrawn.push(prefix);
  }

  /** FRR takes one message of each family in turn (recorded). */
  flush(): void {
    for (const [peer, record] of this.#byPeer) {
      const messages: UpdateMessage[] = [];
      for (const family of families) {
        const { withdrawn } = record[family];
        for (let index = 0; index < withdrawn.length; index += 100)
          messages.push(withdrawalOf(peer, family, withdrawn.slice(index, index + 100)));
      }
      const longest = Math.max(...families.map((family) => record[family].updates.length));
      for (let index = 0; index < longest; index++) {
        for (const family of families) {
          const update = record[family].updates[index];
          if (update !== undefined) messages.push(updateOf(family, update));
        }
      }
      peer.sendAll(messages);
    }
    this.#byPeer.clear();
  }
}

const emptyUpdate = {
  type: 'update',
  withdrawn: [],
  nlri: [],
  attributes: undefined,
  nextHop: undefined,
  mpReach: undefined,
  mpUnreach: undefined,
} as const;

function updateOf(family: BgpFamily, update: OutgoingUpdate): UpdateMessage {
  const { nextHop, linkLocalNextHop, ...attributes } = update.attributes;
  if (family === 'ipv4-unicast' && nextHop.family === 4) return { ...emptyUpdate, attributes, nextHop, nlri: update.prefixes };
  return {
    ...emptyUpdate,
    attributes,
    mpReach: { family, nextHop, ...(linkLocalNextHop === undefined ? {} : { linkLocalNextHop }), nlri: update.prefixes },
  };
}

function withdrawalOf(peer: Peer, family: BgpFamily, withdrawn: readonly Prefix[]): UpdateMessage {
  const usesMp = family === 'ipv6-unicast' || peer.hasExtendedNextHop || (peer.implementation === 'gobgp' && peer.local?.ip.family === 6);
  return usesMp ? { ...emptyUpdate, mpUnreach: { family, withdrawn } } : { ...emptyUpdate, withdrawn };
}

/** What the export filter says, asked once for all peers that it treats alike. */
class Refusals {
  readonly #filter: ExportFilter | undefined;
  readonly #keys: Readonly<Record<BgpFamily, FilterKeys>> | undefined;
  #destination: Destination | undefined;

  constructor(filter: ExportFilter | undefined, peers: readonly Peer[]) {
    this.#filter = filter;
    if (filter !== undefined)
      this.#keys = {
        'ipv4-unicast': new FilterKeys(peers.map((peer) => filter.keyOf(peer, 'ipv4-unicast'))),
        'ipv6-unicast': new FilterKeys(peers.map((peer) => filter.keyOf(peer, 'ipv6-unicast'))),
      };
  }

  /** @param index of the peer among those given to the constructor */
  of(destination: Destination, index: number): boolean {
    const keys = this.#keys?.[destination.family];
    if (this.#filter === undefined || keys === undefined) return false;
    if (this.#destination !== destination) {
      this.#destination = destination;
      keys.answers.fill(undefined);
    }
    const place = keys.places[index] ?? 0;
    let answer = keys.answers[place];
    if (answer === undefined) {
      answer = this.#filter.refuses(destination.prefix, keys.distinct[place] ?? '');
      keys.answers[place] = answer;
    }
    return answer;
  }
}

/** The keys of some peers, each once, and what the filter has answered to each for the destination in hand. */
class FilterKeys {
  readonly distinct: readonly string[];
  /** By peer, in `distinct`. */
  readonly places: readonly number[];
  readonly answers: (boolean | undefined)[];

  constructor(keys: readonly string[]) {
    this.distinct = [...new Set(keys)];
    const places = new Map(this.distinct.map((key, place) => [key, place]));
    this.places = keys.map((key) => places.get(key) ?? 0);
    this.answers = new Array(this.distinct.length);
  }
}
