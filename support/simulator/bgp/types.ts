import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { Ip, NetworkNamespace, Prefix } from '../net/types.ts';
import type { Capability } from './capabilities.ts';

/** RFC 4271 §8.2.2. */
export type SessionState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** Address family and subsequent address family (RFC 4760), unicast only. */
export type BgpFamily = 'ipv4-unicast' | 'ipv6-unicast';

export type Origin = 'igp' | 'egp' | 'incomplete';

export interface PathAttributes {
  readonly origin: Origin;
  readonly asPath: readonly (number | { readonly set: readonly number[] })[];
  readonly nextHop: Ip;
  /** Second address of a 32-byte IPv6 next hop (RFC 2545 §3). */
  readonly linkLocalNextHop?: Ip;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: { readonly asn: number; readonly routerId: Ip };
  /** 32-bit values (RFC 1997). */
  readonly communities?: readonly number[];
  /** RFC 8092. */
  readonly largeCommunities?: readonly (readonly [number, number, number])[];
  readonly originatorId?: Ip;
  readonly clusterList?: readonly Ip[];
}

/** One path of the RIB. */
export interface Path {
  readonly prefix: Prefix;
  readonly attributes: PathAttributes;
  /** Undefined for a route that the speaker originates itself. */
  readonly peer: BgpPeer | undefined;
  readonly receivedAt: number;
  readonly weight: number;
  /** What the speaker has its own route from; undefined for a received one. */
  readonly source?: string | undefined;
  readonly isStale: boolean;
  /** A summary-only aggregate stands for it: it is used, but not told. */
  readonly isSuppressed?: boolean;
  /** The next hop can be reached (always true for a speaker that does not track it). */
  readonly isValid: boolean;
  readonly igpMetric?: number;
}

/** Which rule of the decision process settled it; the texts are FRR's `selectionReason`. */
export type DecisionReason =
  | 'First path received'
  | 'Weight'
  | 'Local Pref'
  | 'Local Route'
  | 'AS Path'
  | 'Origin'
  | 'MED'
  | 'Peer Type'
  | 'Confed Peer Type'
  | 'IGP Metric'
  | 'Older Path'
  | 'Router ID'
  | 'Cluster length'
  | 'Neighbor IP'
  | 'Nothing left to compare';

export interface RibEntry {
  readonly prefix: Prefix;
  /** Newest first. */
  readonly paths: readonly Path[];
  readonly best: Path | undefined;
  readonly reason: DecisionReason | undefined;
  /** The best and its ECMP companions. */
  readonly multipath: readonly Path[];
  /** Table version at the last change of the best path. */
  readonly version: number;
}

export interface PeerConfig {
  readonly address: Ip;
  /** Needed to reach a link-local address, and for unnumbered peers. */
  readonly device?: string;
  /** Named by its device instead of an address (`neighbor IFACE interface`). */
  readonly isUnnumbered?: boolean;
  /** `any`: whatever the peer's OPEN says (gobgp with AS number 0). */
  readonly remoteAs: number | 'external' | 'internal' | 'any';
  readonly localAs?: number;
  /** `local-as` leaves what comes in as it is, or also stands alone in what goes out. */
  readonly localAsMode?: 'no-prepend' | 'replace-as';
  readonly localAddress?: Ip;
  readonly port: number;
  readonly families: readonly BgpFamily[];
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectRetrySeconds: number;
  /** gobgp's `idle-hold-time-after-reset`. Default: 5, as Cilium's agent sets it; gobgpd's own is 30. */
  readonly idleHoldAfterResetSeconds?: number;
  /** 1: the peer must be directly connected (TTL 1) when it is external. */
  readonly multihopTtl: number;
  /** Its packets must not have come further than this (RFC 5082); it is sent such that can be told so. */
  readonly ttlSecurityHops?: number;
  /** An external peer's next hops need not be on a subnet of the speaker (`disable-connected-check`). */
  readonly isConnectedCheckOff?: boolean;
  readonly password?: string;
  readonly isShutdown?: boolean;
  /** Does not dial. */
  readonly isPassive?: boolean;
  /** Made for a connection that came in, and gone with it. */
  readonly isDynamic?: boolean;
  readonly gracefulRestart?: { readonly restartTimeSeconds: number };
  readonly extendedNextHop?: boolean;
  readonly description?: string;
  /** What holds for one family only. */
  readonly perFamily?: Readonly<Partial<Record<BgpFamily, PeerFamilyConfig>>>;
}

export interface PeerFamilyConfig {
  /** `force` also for paths that are reflected. */
  readonly nextHopSelf?: 'own' | 'force';
  readonly routeReflectorClient?: boolean;
  readonly maximumPrefix?: number;
  /** More are logged only. */
  readonly maximumPrefixWarningOnly?: boolean;
  /** Minutes until a session that was ended for it is tried again. */
  readonly maximumPrefixRestart?: number;
  /** Numbers for private use go from the path, or give way to the speaker's own; without `all` only where there are no others. */
  readonly removePrivateAs?: { readonly all: boolean; readonly replace: boolean };
  /** How often the speaker's own AS may stand in a path. */
  readonly allowAsIn?: number;
  /** The peer's AS is replaced by the speaker's own in what the peer is sent. */
  readonly asOverride?: boolean;
  /** A default route is sent whatever the table holds. */
  readonly defaultOriginate?: boolean;
}

/** How many equal paths are used side by side, by the kind of the best one. */
export interface MultipathLimits {
  readonly maximumPaths: number;
  readonly maximumPathsIbgp: number;
  readonly relaxAsPath: boolean;
}

export interface LastReset {
  readonly at: number;
  readonly direction: 'sent' | 'received' | 'none';
  readonly code?: number;
  readonly subcode?: number;
  readonly reason: string;
}

export interface BgpPeer {
  readonly config: PeerConfig;
  readonly state: SessionState;
  /** Time of the last transition into or out of Established; undefined when there was none. */
  readonly changedAt: number | undefined;
  readonly establishedAt: number | undefined;
  readonly remoteRouterId: Ip | undefined;
  /** As in the peer's OPEN; undefined before the first. */
  readonly remoteAsn: number | undefined;
  readonly hostname: string | undefined;
  readonly isExternal: boolean;
  readonly local: { readonly ip: Ip; readonly port: number } | undefined;
  readonly remotePort: number | undefined;
  readonly negotiatedHoldTimeSeconds: number;
  readonly negotiatedKeepaliveSeconds: number;
  readonly negotiatedFamilies: ReadonlySet<BgpFamily>;
  readonly lastReset: LastReset | undefined;
  readonly counters: {
    readonly messagesReceived: number;
    readonly messagesSent: number;
    readonly connectionsEstablished: number;
    readonly connectionsDropped: number;
    readonly opensSent: number;
    readonly opensReceived: number;
    readonly notificationsSent: number;
    readonly notificationsReceived: number;
    readonly updatesSent: number;
    readonly updatesReceived: number;
    readonly keepalivesSent: number;
    readonly keepalivesReceived: number;
  };
  /** Number of prefixes received before any policy, accepted by it, and sent. */
  prefixCounts(family: BgpFamily): { readonly received: number; readonly accepted: number; readonly advertised: number };
  adjRibIn(family: BgpFamily): readonly Path[];
  adjRibOut(
    family: BgpFamily,
  ): readonly { readonly prefix: Prefix; readonly attributes: PathAttributes; readonly sentAt: number; readonly isNextHopSelf?: boolean }[];
  /** What was sent to this peer for one prefix. */
  hasSent?(prefix: Prefix): boolean;
  /** Capabilities of the OPENs of the current session; empty without one. */
  readonly sentCapabilities?: readonly Capability[];
  readonly receivedCapabilities?: readonly Capability[];
  /** When its graceful restart has to be over, and when what it left has to be gone. */
  readonly restartEndsAt?: number | undefined;
  readonly stalePathEndsAt?: number | undefined;
  /** Graceful restart as the peer's last OPEN offered it: it is remembered after the session. */
  readonly lastRestart?: Extract<Capability, { kind: 'graceful-restart' }> | undefined;
  readonly createdAt?: number;
  readonly lastReadAt?: number | undefined;
  readonly lastWriteAt?: number | undefined;
  readonly lastUpdateAt?: number | undefined;
  /** The interface of the session's own address, when it came up. */
  readonly localDevice?: string | undefined;
  /** FRR: what it tells in the place of every IPv6 next hop. */
  readonly mappedNextHop?: Ip | undefined;
  readonly nextStartAt?: number | undefined;
  readonly nextConnectAt?: number | undefined;
  /** Held down because it sent more prefixes than allowed. */
  readonly isPrefixOverflow?: boolean;
  readonly endOfRib?: { readonly sent: ReadonlySet<BgpFamily>; readonly received: ReadonlySet<BgpFamily> };
  /** Peers that get the same messages, as FRR numbers them. */
  readonly updateGroups?: ReadonlyMap<BgpFamily, { readonly group: number; readonly subgroup: number }>;
  readonly routeRefreshes?: { readonly sent: number; readonly received: number };
}

/** `aggregate-address`. */
export interface AggregateConfig {
  readonly prefix: Prefix;
  readonly summaryOnly: boolean;
  readonly asSet: boolean;
}

/** A route that the speaker originates. */
export interface OriginatedRoute {
  readonly prefix: Prefix;
  readonly attributes?: Partial<PathAttributes>;
  readonly weight?: number;
  /** A prefix may have one route of each source (`network`, `redistribute connected`…). Default: `network`. */
  readonly source?: string;
}

/** How the implementations that labs meet differ where RFC 4271 leaves room: retry delays, capabilities, decision, echo to the sender. */
export type BgpImplementation = 'frr' | 'gobgp';

/** Undefined rejects the path. */
export type RoutePolicy = (
  path: { readonly prefix: Prefix; readonly attributes: PathAttributes },
  peer: BgpPeer,
) => { readonly attributes: PathAttributes; readonly weight?: number } | undefined;

/**
 * What the export policy refuses by the prefix alone, asked before attributes are made. Peers with the same key get the same answers:
 * one asks for all of them (FRR's update groups).
 */
export interface ExportFilter {
  keyOf(peer: BgpPeer, family: BgpFamily): string;
  /** For any peer with that key. */
  refuses(prefix: Prefix, key: string): boolean;
}

export interface SpeakerOptions {
  readonly namespace: NetworkNamespace;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly implementation: BgpImplementation;
  readonly localAsn: number;
  readonly routerId: Ip;
  /** Undefined: does not listen. */
  readonly listenPort?: number;
  /** Who a stranger that connects is, if it may: FRR's dynamic neighbors. */
  readonly strangerOf?: (address: Ip) => PeerConfig | undefined;
  /** The TCP MD5 key that a stranger has to know. */
  readonly strangerKeyOf?: (address: Ip) => string | undefined;
  /** A peer of that kind is gone. */
  readonly onStrangerGone?: (address: Ip) => void;
  /** Sent in the FQDN capability. */
  readonly hostname: string;
  /** Of a route that a next hop is reached by: what the decision compares as IGP metric. Default: 0. */
  readonly metricOf?: (route: Prefix) => number;
  readonly importPolicy?: RoutePolicy;
  readonly exportPolicy?: RoutePolicy;
  readonly exportFilter?: ExportFilter;
  /** Undefined: one path. */
  readonly multipath?: Readonly<Record<BgpFamily, MultipathLimits>>;
  readonly clusterId?: Ip;
  readonly decision?: {
    readonly alwaysCompareMed?: boolean;
    readonly compareRouterId?: boolean;
    readonly ignoreAsPathLength?: boolean;
    readonly medMissingAsWorst?: boolean;
    readonly defaultLocalPref?: number;
  };
}

/** An address that paths or sessions are followed by (FRR's next-hop tracking). */
export interface TrackedNextHop {
  readonly address: Ip;
  readonly isValid: boolean;
  readonly metric: number;
  /** It has to be on a subnet of the speaker. */
  readonly isConnectedOnly: boolean;
  readonly paths: readonly Path[];
  readonly peer: BgpPeer | undefined;
  /** When it last became usable or unusable. */
  readonly changedAt: number;
}

export interface BgpSpeaker {
  readonly options: SpeakerOptions;
  readonly peers: readonly BgpPeer[];
  findPeer(address: Ip): BgpPeer | undefined;
  addPeer(config: PeerConfig): BgpPeer;
  /** Resets the session where the change asks for it. */
  updatePeer(config: PeerConfig): void;
  /** Cease/Peer De-configured. */
  removePeer(address: Ip): void;
  /** Hard reset, or a soft one that only runs the policies again. */
  clearPeer(address: Ip, mode: 'hard' | 'soft-in' | 'soft-out'): void;
  originate(route: OriginatedRoute): void;
  withdraw(prefix: Prefix, source?: string): void;
  /** The summaries that it makes of more specific routes; replaces those before. */
  setAggregates(aggregates: readonly AggregateConfig[]): void;
  /** Runs import and export policies again over all paths (after a change of policy). */
  refreshPolicies(): void;
  setPolicies(policies: { readonly importPolicy?: RoutePolicy; readonly exportPolicy?: RoutePolicy }): void;
  /** In numerical order of prefixes. */
  locRib(family: BgpFamily): readonly RibEntry[];
  lookup(prefix: Prefix): RibEntry | undefined;
  tableVersion(family: BgpFamily): number;
  /** In the order of their addresses; empty for a speaker that does not track. */
  nextHops(): readonly TrackedNextHop[];
  onBestPathChange(listener: (entry: RibEntry) => void): () => void;
  onSessionChange(listener: (peer: BgpPeer) => void): () => void;
  /** `graceful`: NOTIFICATION Cease to every peer; else the process dies and the kernel closes its connections. */
  stop(how: 'graceful' | 'killed'): void;
  /** Changes options that need no new sessions and runs the decisions again. */
  setOptions?(options: Partial<Pick<SpeakerOptions, 'multipath' | 'decision' | 'routerId' | 'hostname' | 'clusterId'>>): void;
}
