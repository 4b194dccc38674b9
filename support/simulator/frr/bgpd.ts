import { createSpeaker } from '../bgp/speaker.ts';
import type { BgpFamily, BgpSpeaker, OriginatedRoute, PathAttributes, PeerConfig, PeerFamilyConfig } from '../bgp/types.ts';
import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { contains, ip, ipFromValue, parseIp } from '../net/address.ts';
import type { Ip, NetworkNamespace, Prefix } from '../net/types.ts';
import {
  type BgpConfig,
  bgpFamilies,
  defaultListenLimit,
  effectiveNeighbor,
  type FrrConfig,
  isExternal,
  type NeighborConfig,
  type NeighborFamilyConfig,
  newNeighbor,
} from './config.ts';
import { applyRouteMap, makeExportFilter, makePolicy } from './policy.ts';
import { automaticRouterId, type Zebra } from './zebra.ts';

/** FRR's build-time maximum (`--enable-multipath=256`), which is its default as well. */
export const defaultMaximumPaths = 256;
/** A changed route map is applied after a while, so that its other lines can come too (`bgp route-map delay-timer`). */
const routeMapDelayMs = 5000;
const bgpPort = 179;
/** Of a router's own routes, where nothing sets another. */
const ownWeight = 32768;

/** FRR's bgpd: makes the protocol speaker do what the configuration says. */
export class Bgpd {
  readonly #namespace: NetworkNamespace;
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #config: FrrConfig;
  readonly #zebra: Zebra;
  readonly #hostname: () => string;
  readonly #listenPort: number;
  #speaker: BgpSpeaker | undefined;
  #speakerAsn: number | undefined;
  /** By source and prefix. */
  readonly #originated = new Map<string, { readonly prefix: Prefix; readonly source: string; readonly key: string }>();
  #policyTimer: Timer | undefined;
  /** Of unnumbered neighbors, by interface. */
  readonly #otherAddresses = new Map<string, Ip>();
  #unwatch: (() => void) | undefined;

  constructor(options: {
    readonly namespace: NetworkNamespace;
    readonly clock: SimulatedClock;
    readonly random: Random;
    readonly config: FrrConfig;
    readonly zebra: Zebra;
    readonly hostname: () => string;
    /** Where it listens; 0 for nowhere. */
    readonly listenPort?: number;
  }) {
    this.#namespace = options.namespace;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#config = options.config;
    this.#zebra = options.zebra;
    this.#hostname = options.hostname;
    this.#listenPort = options.listenPort ?? bgpPort;
    this.#unwatch = this.#zebra.onChange(() => {
      const { bgp } = this.#config;
      if (bgp === undefined) return;
      // An address of its interface gives an unnumbered neighbor, or one with that as update-source, another one.
      const follows = ({ address, updateSource }: NeighborConfig) =>
        address === undefined || (updateSource !== undefined && parseIp(updateSource) === undefined);
      const hasFollower = [...bgp.neighbors.values(), ...bgp.groups.values()].some((each) =>
        !each.isGroup || each.updateSource !== undefined ? follows(each) : false,
      );
      if (hasFollower && this.#speaker !== undefined) this.#syncPeers(bgp, this.#speaker);
      this.#syncNetworks(bgp);
    });
    this.apply();
  }

  /** Undefined without `router bgp`. */
  get speaker(): BgpSpeaker | undefined {
    return this.#speaker;
  }

  get routerId(): Ip {
    return this.#speaker?.options.routerId ?? automaticRouterId(this.#namespace);
  }

  stop(how: 'graceful' | 'killed'): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#policyTimer?.cancel();
    this.#speaker?.stop(how);
    this.#speaker = undefined;
    this.#originated.clear();
    this.#zebra.forgetBgp();
    this.#config.bgp?.dynamicNeighbors.clear();
  }

  /** Brings the speaker in line with the configuration. */
  apply(): void {
    const { bgp } = this.#config;
    if (bgp === undefined || bgp.asn !== this.#speakerAsn) {
      if (this.#speaker !== undefined) {
        this.#speaker.stop('graceful');
        this.#zebra.forgetBgp();
        this.#speaker = undefined;
        this.#originated.clear();
      }
      this.#speakerAsn = bgp?.asn;
    }
    if (bgp === undefined) return;
    if (this.#speaker === undefined) {
      this.#speaker = createSpeaker({
        namespace: this.#namespace,
        clock: this.#clock,
        random: this.#random,
        implementation: 'frr',
        localAsn: bgp.asn,
        ...(this.#listenPort === 0 ? {} : { listenPort: this.#listenPort }),
        metricOf: (route) => this.#zebra.metricOf(route),
        importPolicy: makePolicy(this.#config, 'in'),
        exportPolicy: makePolicy(this.#config, 'out'),
        exportFilter: makeExportFilter(this.#config),
        strangerOf: (address) => this.#strangerOf(address),
        strangerKeyOf: (address) => this.#groupListeningFor(address)?.password,
        onStrangerGone: (address) => void this.#config.bgp?.dynamicNeighbors.delete(address),
        ...this.#changeable(bgp),
      });
      this.#speaker.onBestPathChange((entry) => this.#zebra.setBgp(entry));
    } else {
      const wanted = this.#changeable(bgp);
      const { options } = this.#speaker;
      const isSame =
        options.routerId === wanted.routerId &&
        options.hostname === wanted.hostname &&
        options.clusterId === wanted.clusterId &&
        JSON.stringify([options.multipath, options.decision]) === JSON.stringify([wanted.multipath, wanted.decision]);
      if (!isSame) this.#speaker.setOptions?.(wanted);
    }
    this.#syncPeers(bgp, this.#speaker);
    this.#speaker.setAggregates(
      bgpFamilies.flatMap((family) => [...bgp.families[family].aggregates].map(([prefix, words]) => ({ prefix, ...words }))),
    );
    this.#syncNetworks(bgp);
  }

  #changeable(bgp: BgpConfig) {
    const limitsOf = (family: BgpFamily) => ({
      maximumPaths: bgp.families[family].maximumPaths ?? defaultMaximumPaths,
      maximumPathsIbgp: bgp.families[family].maximumPathsIbgp ?? defaultMaximumPaths,
      relaxAsPath: bgp.relaxAsPath,
    });
    return {
      routerId: bgp.routerId ?? automaticRouterId(this.#namespace),
      hostname: this.#hostname(),
      ...(bgp.clusterId === undefined ? {} : { clusterId: bgp.clusterId }),
      multipath: { 'ipv4-unicast': limitsOf('ipv4-unicast'), 'ipv6-unicast': limitsOf('ipv6-unicast') },
      decision: {
        alwaysCompareMed: bgp.alwaysCompareMed,
        compareRouterId: bgp.compareRouterId,
        ignoreAsPathLength: bgp.ignoreAsPath,
        medMissingAsWorst: bgp.medMissingAsWorst,
        defaultLocalPref: bgp.localPreference,
      },
    };
  }

  /**
   * A neighbor's address: configured, or for `neighbor IFACE interface` the other one of the interface's IPv4 /30 or /31
   * (FRR user guide, BGP, "neighbor <interface>"; bgpd.c, peer_conf_if_to_su_update_v4), or the other end's link-local one.
   */
  addressOf(neighbor: NeighborConfig): Ip | undefined {
    if (neighbor.address !== undefined) return neighbor.address;
    const found = this.#otherAddress(neighbor);
    // Once known it is kept while the interface is down: the neighbor stays in the tables.
    if (found !== undefined) this.#otherAddresses.set(neighbor.name, found);
    return found ?? (this.#namespace.getInterface(neighbor.name) === undefined ? undefined : this.#otherAddresses.get(neighbor.name));
  }

  #otherAddress(neighbor: NeighborConfig): Ip | undefined {
    const other = neighbor.isV6Only === true ? undefined : this.#otherEndOf(neighbor.name);
    if (other !== undefined) return other;
    // Not modelled: router advertisements, by which FRR learns it; on a point-to-point link there is but one answer.
    const device = this.#namespace.getInterface(neighbor.name);
    if (device === undefined || !device.isAdminUp || !device.hasCarrier) return undefined;
    return device.peer?.addresses.find((entry) => entry.ip.family === 6 && entry.scope === 'link')?.ip;
  }

  #otherEndOf(name: string): Ip | undefined {
    const device = this.#namespace.getInterface(name);
    if (device === undefined || !device.isAdminUp || !device.hasCarrier) return undefined;
    for (const { ip: own, prefixLength } of device.addresses) {
      if (own.family !== 4 || (prefixLength !== 30 && prefixLength !== 31)) continue;
      const host = own.value & (prefixLength === 30 ? 3n : 1n);
      if (prefixLength === 30 && (host === 0n || host === 3n)) continue;
      return ipFromValue(4, prefixLength === 30 ? own.value ^ 3n : own.value ^ 1n);
    }
    return undefined;
  }

  peerConfig(bgp: BgpConfig, own: NeighborConfig): PeerConfig | undefined {
    const neighbor = effectiveNeighbor(bgp, own);
    const address = this.addressOf(own);
    if (neighbor.remoteAs === undefined || address === undefined) return undefined;
    const external = isExternal(bgp, neighbor);
    const device = own.address === undefined ? own.name : neighbor.interface;
    const source = neighbor.updateSource === undefined ? undefined : this.#sourceAddress(neighbor.updateSource, address.family);
    const families = bgpFamilies.filter((family) => neighbor.families[family].activate === true);
    const perFamily = Object.fromEntries(bgpFamilies.map((family) => [family, peerFamilyConfig(neighbor.families[family])]));
    const extendedNextHop = neighbor.extendedNextHop ?? own.address === undefined;
    return {
      address,
      ...(device === undefined ? {} : { device }),
      ...(own.address === undefined ? { isUnnumbered: true } : {}),
      remoteAs: neighbor.remoteAs,
      ...(neighbor.localAs === undefined ? {} : { localAs: neighbor.localAs }),
      ...(neighbor.localAsMode === undefined ? {} : { localAsMode: neighbor.localAsMode }),
      ...(source === undefined ? {} : { localAddress: source }),
      port: neighbor.port ?? bgpPort,
      families,
      holdTimeSeconds: neighbor.holdSeconds ?? bgp.holdSeconds,
      keepaliveSeconds: neighbor.keepaliveSeconds ?? bgp.keepaliveSeconds,
      connectRetrySeconds: neighbor.connectSeconds ?? 120,
      multihopTtl: external && neighbor.ttlSecurityHops === undefined ? (neighbor.ebgpMultihop ?? 1) : 255,
      ...(neighbor.ttlSecurityHops === undefined ? {} : { ttlSecurityHops: neighbor.ttlSecurityHops }),
      ...(neighbor.disableConnectedCheck === true ? { isConnectedCheckOff: true } : {}),
      ...(neighbor.password === undefined ? {} : { password: neighbor.password }),
      ...(neighbor.shutdown === true || bgp.isShutdown ? { isShutdown: true } : {}),
      ...(neighbor.passive === true ? { isPassive: true } : {}),
      ...(bgp.gracefulRestart || neighbor.gracefulRestart === 'restart'
        ? { gracefulRestart: { restartTimeSeconds: bgp.restartTimeSeconds } }
        : {}),
      ...(extendedNextHop ? { extendedNextHop: true } : {}),
      ...(neighbor.description === undefined ? {} : { description: neighbor.description }),
      perFamily,
    };
  }

  #sourceAddress(source: string, family: 4 | 6): Ip | undefined {
    const address = parseIp(source);
    if (address !== undefined) return address;
    return this.#namespace.getInterface(source)?.addresses.find((entry) => entry.ip.family === family && entry.scope === 'global')?.ip;
  }

  #syncPeers(bgp: BgpConfig, speaker: BgpSpeaker): void {
    const wanted = new Map<Ip, PeerConfig>();
    for (const neighbor of bgp.neighbors.values()) {
      const config = this.peerConfig(bgp, neighbor);
      if (config !== undefined) wanted.set(config.address, config);
    }
    for (const [address, neighbor] of [...bgp.dynamicNeighbors]) {
      const isStillWelcome =
        neighbor.listenRange !== undefined &&
        bgp.listenRanges.get(neighbor.listenRange) === neighbor.peerGroup &&
        !bgp.neighbors.has(neighbor.name);
      const config = isStillWelcome ? this.#dynamicConfig(bgp, neighbor) : undefined;
      if (config === undefined) bgp.dynamicNeighbors.delete(address);
      else wanted.set(address, config);
    }
    for (const peer of [...speaker.peers]) if (!wanted.has(peer.config.address)) speaker.removePeer(peer.config.address);
    for (const config of wanted.values()) {
      const peer = speaker.findPeer(config.address);
      if (peer === undefined) speaker.addPeer(config);
      else if (!isSameConfig(peer.config, config)) speaker.updatePeer(config);
    }
  }

  /** Who connects from a listen range: bgpd.c, peer_lookup_dynamic_neighbor. */
  #strangerOf(address: Ip): PeerConfig | undefined {
    const { bgp } = this.#config;
    if (bgp === undefined || bgp.dynamicNeighbors.size >= (bgp.listenLimit ?? defaultListenLimit)) return undefined;
    const range = this.#rangeOf(bgp, address);
    const groupName = range === undefined ? undefined : bgp.listenRanges.get(range);
    const group = groupName === undefined ? undefined : bgp.groups.get(groupName);
    if (range === undefined || groupName === undefined || group === undefined || group.shutdown === true || bgp.isShutdown)
      return undefined;
    const neighbor = newNeighbor(bgp, address.text, address, { inGroup: true, listenRange: range });
    neighbor.peerGroup = groupName;
    const config = this.#dynamicConfig(bgp, neighbor);
    if (config === undefined || config.families.length === 0) return undefined;
    bgp.dynamicNeighbors.set(address, neighbor);
    return config;
  }

  #rangeOf(bgp: BgpConfig, address: Ip): Prefix | undefined {
    for (const range of bgp.listenRanges.keys()) if (range.family === address.family && contains(range, address)) return range;
    return undefined;
  }

  /** The group's password is the key of its whole listen range: bgpd.c, peer_group_listen_range_add, bgp_md5_set_prefix. */
  #groupListeningFor(address: Ip): NeighborConfig | undefined {
    const { bgp } = this.#config;
    const range = bgp === undefined ? undefined : this.#rangeOf(bgp, address);
    return range === undefined ? undefined : bgp?.groups.get(bgp.listenRanges.get(range) ?? '');
  }

  #dynamicConfig(bgp: BgpConfig, neighbor: NeighborConfig): PeerConfig | undefined {
    const config = this.peerConfig(bgp, neighbor);
    return config === undefined ? undefined : { ...config, isDynamic: true };
  }

  /** `network` and `redistribute`: what exists in zebra's table, unless the check is off. */
  #syncNetworks(bgp: BgpConfig): void {
    const speaker = this.#speaker;
    if (speaker === undefined) return;
    const wanted = new Map<string, OriginatedRoute & { readonly source: string; readonly key: string }>();
    const offer = (source: string, prefix: Prefix, attributes: Partial<PathAttributes>, routeMap: string | undefined): void => {
      let result = attributes;
      let weight = ownWeight;
      if (routeMap !== undefined) {
        const unset = ip(prefix.family === 4 ? '0.0.0.0' : '::');
        const base: PathAttributes = { origin: 'igp', asPath: [], nextHop: unset, ...attributes };
        const mapped = applyRouteMap(this.#config, routeMap, prefix, base, ownWeight, undefined);
        if (!mapped.isPermitted) return;
        ({ weight } = mapped);
        const { nextHop, ...rest } = mapped.attributes;
        result = { ...rest, ...(nextHop === unset ? {} : { nextHop }) };
      }
      wanted.set(`${source} ${prefix.text}`, {
        source,
        prefix,
        attributes: result,
        weight,
        key: JSON.stringify([result.origin, result.med, result.communities, result.asPath, result.nextHop?.text, result.localPref, weight]),
      });
    };
    for (const family of bgpFamilies) {
      const settings = bgp.families[family];
      for (const [prefix, { routeMap }] of settings.networks)
        if (!bgp.importCheck || this.#zebra.hasRoute(prefix)) offer('network', prefix, { origin: 'igp', med: 0 }, routeMap);
      for (const [source, { metric, routeMap }] of settings.redistribute) {
        for (const route of this.#zebra.routesOf(source, family === 'ipv4-unicast' ? 4 : 6)) {
          if (!route.isSelected || (route.prefix.family === 6 && route.prefix.text === 'fe80::/64')) continue;
          const via = route.nextHops[0]?.via;
          offer(
            `redistribute ${source}`,
            route.prefix,
            { origin: 'incomplete', med: metric ?? route.metric, ...(via === undefined ? {} : { nextHop: via }) },
            routeMap,
          );
        }
      }
    }
    for (const [name, { prefix, source }] of [...this.#originated]) {
      if (wanted.has(name)) continue;
      this.#originated.delete(name);
      speaker.withdraw(prefix, source);
    }
    for (const [name, route] of wanted) {
      if (this.#originated.get(name)?.key === route.key) continue;
      this.#originated.set(name, route);
      speaker.originate(route);
    }
  }

  /** A neighbor's own policy changed: applied at once. */
  policyChanged(): void {
    this.#speaker?.refreshPolicies();
  }

  /** A list or a map that policies use changed. */
  policyDefinitionsChanged(): void {
    this.#policyTimer?.cancel();
    this.#policyTimer = this.#clock.schedule(routeMapDelayMs, () => {
      this.#policyTimer = undefined;
      this.#speaker?.refreshPolicies();
      if (this.#config.bgp !== undefined) this.#syncNetworks(this.#config.bgp);
    });
  }
}

function peerFamilyConfig(settings: NeighborFamilyConfig): PeerFamilyConfig {
  const { nextHopSelf, routeReflectorClient, maximumPrefix, allowAsIn, asOverride, defaultOriginate, removePrivateAs } = settings;
  const { maximumPrefixWarningOnly, maximumPrefixRestart } = settings;
  return {
    ...(nextHopSelf === undefined ? {} : { nextHopSelf }),
    ...(routeReflectorClient === true ? { routeReflectorClient } : {}),
    ...(maximumPrefix === undefined ? {} : { maximumPrefix }),
    ...(maximumPrefixWarningOnly === true ? { maximumPrefixWarningOnly } : {}),
    ...(maximumPrefixRestart === undefined ? {} : { maximumPrefixRestart }),
    ...(removePrivateAs === undefined ? {} : { removePrivateAs }),
    ...(allowAsIn === undefined ? {} : { allowAsIn }),
    ...(asOverride === true ? { asOverride } : {}),
    ...(defaultOriginate === true ? { defaultOriginate } : {}),
  };
}

function isSameConfig(a: PeerConfig, b: PeerConfig): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof PeerConfig>;
  for (const key of keys) {
    const left = a[key];
    const right = b[key];
    if (left === right) continue;
    if (key === 'address' || key === 'localAddress' || JSON.stringify(left) !== JSON.stringify(right)) return false;
  }
  return true;
}
