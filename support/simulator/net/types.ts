import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';

// ── addresses (address.ts, prefix-trie.ts) ──────────────────────────────────────────────────────────────────

export type Family = 4 | 6;

/** An interned IP address: equal addresses are the same object, so `===` and Map keys work. Made by `ip('192.0.2.1')`. */
export interface Ip {
  readonly family: Family;
  /** Canonical text: dotted quad, or RFC 5952. */
  readonly text: string;
  readonly value: bigint;
}

/** An interned network prefix, host bits zero. Made by `prefix('192.0.2.0/24')`. */
export interface Prefix {
  readonly family: Family;
  readonly address: Ip;
  readonly length: number;
  /** `192.0.2.0/24` */
  readonly text: string;
}

/** Lower-case, colon-separated. */
export type Mac = string;

// ── packets (packet.ts) ─────────────────────────────────────────────────────────────────────────────────────

/** Bits of {@link TcpSegment.flags}, as on the wire (RFC 9293 §3.1). */
export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface TcpSegment {
  readonly protocol: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly payload: Uint8Array;
  /** Key of the RFC 2385 signature; absent when the segment carries none. */
  readonly md5Key?: string;
  /** Maximum segment size, in a SYN. */
  readonly mss?: number;
}

export interface UdpDatagram {
  readonly protocol: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  /** What a VXLAN datagram carries; its payload is then empty. */
  readonly tunnel?: { readonly id: number; readonly packet: Packet };
}

export type IcmpKind =
  | 'echo-request'
  | 'echo-reply'
  | 'net-unreachable'
  | 'host-unreachable'
  | 'port-unreachable'
  | 'protocol-unreachable'
  | 'admin-prohibited'
  | 'no-route'
  | 'address-unreachable'
  | 'fragmentation-needed'
  | 'packet-too-big'
  | 'time-exceeded';

export interface IcmpMessage {
  readonly protocol: 'icmp';
  readonly kind: IcmpKind;
  readonly identifier: number;
  readonly sequence: number;
  /** An IPv4 echo that may not be fragmented (`ping -M do`). */
  readonly dontFragment?: boolean;
  readonly mtu?: number;
  /** The packet that an error is about. */
  readonly about?: Packet;
  readonly size: number;
}

export type Transport = TcpSegment | UdpDatagram | IcmpMessage;

/** An IP packet. Never changed in place: a hop that rewrites makes a copy. */
export interface Packet {
  readonly source: Ip;
  readonly destination: Ip;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** IPv6 flow label; part of the kernel's ECMP hash for IPv6. */
  readonly flowLabel: number;
  readonly transport: Transport;
  /** Firewall mark; belongs to the host that handles the packet and does not cross a link. */
  readonly mark?: number;
}

/** ARP or NDP, told apart by the family of the target. */
export interface NeighbourMessage {
  readonly operation: 'request' | 'reply';
  readonly target: Ip;
  /** Undefined in a probe (duplicate address detection). */
  readonly senderIp: Ip | undefined;
  readonly senderMac: Mac;
  /** Gratuitous ARP or unsolicited neighbour advertisement. */
  readonly unsolicited?: boolean;
  /** The R flag of a neighbour advertisement: the sender forwards packets. */
  readonly isRouter?: boolean;
}

export interface Frame {
  readonly source: Mac;
  readonly destination: Mac;
  readonly content: { readonly kind: 'ip'; readonly packet: Packet } | { readonly kind: 'neighbour'; readonly message: NeighbourMessage };
}

// ── links and interfaces (interface.ts, bridge.ts) ──────────────────────────────────────────────────────────

/** What `tc qdisc … netem` does to what an interface sends. */
export interface Netem {
  delayMs: number;
  lossFraction: number;
  /** Each delay is taken evenly from this much below to this much above: what is sent in a row may arrive in another. */
  jitterMs?: number;
  /** Packets that wait at most; 1000 by default. */
  limit?: number;
}

export interface InterfaceAddress {
  readonly ip: Ip;
  readonly prefixLength: number;
  readonly scope: 'global' | 'link' | 'host';
  /** `tentative` until duplicate address detection is over (IPv6, about 1 s), then `preferred`. */
  readonly state: 'tentative' | 'preferred';
  readonly noPrefixRoute?: boolean;
  /** Somebody else on the link has it: it stays tentative for good. */
  readonly dadFailed?: boolean;
}

/** What a program at the traffic-control hook of an interface says of a packet (eBPF in reality). */
export type TcVerdict =
  | { readonly action: 'pass'; readonly packet: Packet }
  | { readonly action: 'drop'; readonly reason: string }
  /** Out of (or, with `into: 'ingress'`, in at) another interface of the same namespace or of the peer; with `nextHop` the neighbour is resolved there. */
  | {
      readonly action: 'redirect';
      readonly packet: Packet;
      readonly device: NetworkInterface;
      readonly into: 'egress' | 'ingress';
      readonly nextHop?: Ip;
    };

export type TcProgram = (packet: Packet, device: NetworkInterface) => TcVerdict;

export type InterfaceKind = 'loopback' | 'veth' | 'bridge' | 'dummy' | 'vxlan' | 'uplink';

export interface NetworkInterface {
  readonly namespace: NetworkNamespace;
  readonly name: string;
  readonly index: number;
  readonly kind: InterfaceKind;
  readonly mac: Mac;
  readonly mtu: number;
  readonly txQueueLength: number;
  /** `ip link set up`. */
  readonly isAdminUp: boolean;
  /** The other end is up too (veth), or the device needs no carrier. */
  readonly hasCarrier: boolean;
  readonly addresses: readonly InterfaceAddress[];
  /** The bridge that this port belongs to. */
  readonly master: NetworkInterface | undefined;
  /** The other end of a veth pair. */
  readonly peer: NetworkInterface | undefined;
  /** Run on every packet that arrives, before routing. */
  ingress: TcProgram | undefined;
  /** Run on every packet that leaves, before the neighbour is resolved. */
  egress: TcProgram | undefined;
  /** Asked before the kernel answers an ARP or NDP request that arrived here; true means: answer with this interface's MAC. */
  neighbourResponder: ((target: Ip) => boolean) | undefined;
  /** Programs on the wire between this interface and its peer: `tc qdisc … netem`. */
  netem: Netem | undefined;
  readonly statistics: { rxPackets: number; txPackets: number; rxBytes: number; txBytes: number };

  setUp(): void;
  setDown(): void;
  setMtu(mtu: number): void;
  setMac(mac: Mac): void;
  rename(name: string): void;
  setMaster(bridge: NetworkInterface | undefined): void;
  /** @throws NetworkError EEXIST when the address is there already */
  addAddress(ip: Ip, prefixLength: number, options?: { noDad?: boolean; noPrefixRoute?: boolean }): void;
  /** @throws NetworkError EADDRNOTAVAIL */
  removeAddress(ip: Ip, prefixLength?: number): void;
  /** `ip link set … netns`: addresses and routes go, the index is kept where it is free. */
  moveTo(namespace: NetworkNamespace): void;
  delete(): void;
  /** Sends a gratuitous ARP (IPv4) or an unsolicited neighbour advertisement (IPv6). */
  announceNeighbour(ip: Ip): void;
}

// ── routing (routing.ts) ────────────────────────────────────────────────────────────────────────────────────

export interface NextHop {
  /** Of either family: an IPv4 route may have an IPv6 next hop (RFC 8950). Absent: directly connected. */
  readonly via?: Ip;
  readonly device?: string;
  readonly weight?: number;
  readonly onLink?: boolean;
}

export interface Route {
  readonly destination: Prefix;
  readonly type: 'unicast' | 'local' | 'broadcast' | 'multicast' | 'anycast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw';
  readonly nextHops: readonly NextHop[];
  /** `proto` of `ip route`. */
  readonly protocol: 'kernel' | 'boot' | 'static' | 'bgp' | 'ra' | 'zebra';
  readonly scope: 'global' | 'link' | 'host' | 'site';
  /** `src`: the source address to prefer. */
  readonly preferredSource?: Ip;
  /** Lower wins; IPv6 routes without one get 1024. */
  readonly metric: number;
  /** 254 main, 255 local. */
  readonly table: number;
  readonly mtu?: number;
  /** The kernel's nexthop object that it was installed with (`nhid`): routing daemons make these. */
  readonly nextHopId?: number;
}

export interface RoutingRule {
  readonly priority: number;
  readonly family: Family;
  readonly from?: Prefix;
  readonly to?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly iif?: string;
  /** `not`: what the selectors do not match. */
  readonly inverted?: boolean;
  readonly action: { readonly kind: 'table'; readonly table: number } | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit' };
}

/** What the kernel would do with a packet, and by which route. */
export type RouteDecision =
  | { readonly kind: 'local'; readonly route: Route; readonly device: NetworkInterface }
  | {
      readonly kind: 'forward';
      readonly route: Route;
      readonly nextHop: Ip;
      readonly device: NetworkInterface;
      readonly source: Ip | undefined;
    }
  | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit' | 'no-route'; readonly route?: Route };

export interface RoutingTables {
  /** Bumped on every change: a cheap way to see that something moved. */
  readonly version: number;
  /** @throws NetworkError EEXIST, ENETUNREACH (`Nexthop has invalid gateway`), ENODEV */
  add(route: RouteInput): void;
  replace(route: RouteInput): void;
  /** @throws NetworkError EEXIST when the very same route is there */
  addBeside(route: RouteInput, place: 'last' | 'first'): void;
  hasTable(family: Family, table: number): boolean;
  /** @throws NetworkError ESRCH (`No such process`) */
  delete(match: Partial<Route> & { destination: Prefix }): void;
  list(filter?: { family?: Family; table?: number }): readonly Route[];
  lookup(
    destination: Ip,
    options?: { source?: Ip; mark?: number; inputDevice?: string; outputDevice?: string; hash?: number },
  ): RouteDecision;
  readonly rules: readonly RoutingRule[];
  addRule(rule: RoutingRule): void;
  deleteRule(match: Partial<RoutingRule>): void;
  /** Called after any change of routes, addresses or link states of the namespace, once per event of the clock. */
  onChange(listener: () => void): () => void;
}

/** A route to add: what is left out is filled in as `ip route` does. */
export type RouteInput = Pick<Route, 'destination'> & Partial<Omit<Route, 'destination'>>;

// ── netfilter (netfilter.ts) ────────────────────────────────────────────────────────────────────────────────

/** What a rule may ask of a packet beside the fields of {@link NetfilterRule}. All tests of a rule have to hold. */
export type PacketTest = { readonly inverted?: boolean } & (
  | { readonly kind: 'protocol'; readonly names: readonly string[] }
  | { readonly kind: 'family'; readonly family: Family }
  | { readonly kind: 'address'; readonly side: 'source' | 'destination'; readonly prefixes: readonly Prefix[] }
  | { readonly kind: 'range'; readonly side: 'source' | 'destination'; readonly low: Ip; readonly high: Ip }
  /** `eth+` and `eth*` stand for every name that begins with `eth`. */
  | { readonly kind: 'device'; readonly side: 'input' | 'output'; readonly names: readonly string[] }
  | {
      readonly kind: 'ports';
      readonly side: 'source' | 'destination' | 'either';
      readonly ranges: readonly { readonly low: number; readonly high: number }[];
    }
  | { readonly kind: 'tcp-flags'; readonly mask: number; readonly set: number }
  | { readonly kind: 'icmp-type'; readonly types: readonly number[]; readonly code?: number }
  | { readonly kind: 'mark'; readonly values: readonly number[]; readonly mask: number }
  | { readonly kind: 'ttl'; readonly low: number; readonly high: number }
);

export interface NetfilterRule {
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'all';
  readonly source?: { readonly prefix: Prefix; readonly inverted?: boolean };
  readonly destination?: { readonly prefix: Prefix; readonly inverted?: boolean };
  readonly inInterface?: { readonly name: string; readonly inverted?: boolean };
  readonly outInterface?: { readonly name: string; readonly inverted?: boolean };
  readonly sourcePort?: { readonly low: number; readonly high: number };
  readonly destinationPort?: { readonly low: number; readonly high: number };
  readonly connectionState?: readonly ('new' | 'established' | 'related' | 'invalid' | 'untracked' | 'dnat')[];
  readonly mark?: { readonly value: number; readonly mask: number; readonly inverted?: boolean };
  /** `-m addrtype`: LOCAL is every address of the namespace itself. */
  readonly localAddress?: 'source' | 'destination';
  /** `-m statistic --mode random`: the part of the packets that match. */
  readonly probability?: number;
  /** `-m recent --rsource`: a list of sources, written by `set`, read by `rcheck`. */
  readonly recent?: { readonly name: string; readonly action: 'set' | 'rcheck'; readonly seconds?: number };
  readonly tests?: readonly PacketTest[];
  /** So many packets a second at most match, after a burst (a token bucket: `-m limit`). */
  readonly limit?: { readonly perSecond: number; readonly burst: number };
  readonly target: /** `none`: the rule only counts, or only logs. */
    | { readonly kind: 'accept' | 'drop' | 'return' | 'masquerade' | 'none' }
    | { readonly kind: 'reject'; readonly with?: string }
    | { readonly kind: 'jump' | 'goto'; readonly chain: string }
    | { readonly kind: 'snat' | 'dnat'; readonly address?: Ip; readonly port?: number }
    /** To the machine itself; without a port, to the same one. */
    | { readonly kind: 'redirect'; readonly port?: number }
    /** The largest segment that a SYN offers; without a size, what the path's devices carry. */
    | { readonly kind: 'mss'; readonly size?: number }
    | { readonly kind: 'mark'; readonly value: number; readonly mask?: number };
  readonly comment?: string;
}

export interface RuleCounter {
  packets: number;
  bytes: number;
}

/** A chain of the `nft` command, called at a hook beside iptables' own ones, in the order of priorities. */
export interface HookedChain {
  /** nftables' `inet` chains see both. */
  readonly families: readonly Family[];
  readonly hook: 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
  readonly priority: number;
  readonly isNat: boolean;
  /** What traces and counters of drops call it. */
  readonly label: string;
  readonly chain: { readonly policy: 'accept' | 'drop' | undefined; readonly rules: readonly NetfilterRule[] };
  /** The chains of its table, by name. */
  readonly chains: ReadonlyMap<string, { readonly policy: 'accept' | 'drop' | undefined; readonly rules: readonly NetfilterRule[] }>;
}

export interface Netfilter {
  append(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string, rule: NetfilterRule): void;
  insert(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string, rule: NetfilterRule, position?: number): void;
  delete(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string, rule: NetfilterRule): boolean;
  createChain(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string): void;
  deleteChain(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string): void;
  renameChain(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain: string, name: string): void;
  flush(family: Family, table: 'filter' | 'nat' | 'mangle' | 'raw', chain?: string): void;
  /** What a rule, or a chain's policy, has decided so far; undefined before the first packet. */
  counterOf(subject: object): RuleCounter | undefined;
  zeroCounter(subject: object): void;
  /** Every chain that the `nft` command has hooked, in place of the former ones. */
  setHooked(chains: readonly HookedChain[]): void;
  setPolicy(family: Family, chain: string, policy: 'accept' | 'drop'): void;
  chains(
    family: Family,
    table: 'filter' | 'nat' | 'mangle' | 'raw',
  ): ReadonlyMap<string, { readonly policy: 'accept' | 'drop' | undefined; readonly rules: readonly NetfilterRule[] }>;
}

// ── neighbours (neighbour.ts) ───────────────────────────────────────────────────────────────────────────────

export interface NeighbourEntry {
  readonly ip: Ip;
  readonly device: string;
  readonly mac: Mac | undefined;
  readonly state: 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED' | 'PERMANENT';
  readonly isRouter: boolean;
}

export interface NeighbourTable {
  list(): readonly NeighbourEntry[];
  setPermanent(ip: Ip, device: string, mac: Mac): void;
  /** As if the neighbour had just said so itself, or some time ago. */
  setLearnt(ip: Ip, device: string, mac: Mac, state: 'REACHABLE' | 'STALE'): void;
  delete(ip: Ip, device: string): boolean;
  flush(device?: string): void;
}

// ── sockets (tcp.ts, udp.ts, icmp.ts) ───────────────────────────────────────────────────────────────────────

export type Errno =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'ETIMEDOUT'
  | 'EINVAL'
  | 'EACCES'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EEXIST'
  | 'ENODEV'
  | 'ESRCH'
  | 'ENETDOWN'
  | 'EPERM';

/** A system call that failed, as the kernel reports it. `message` is the kernel's detail where it has one. */
export interface NetworkErrorLike extends Error {
  readonly errno: Errno;
  /** Present when the kernel said more than the errno (netlink's extended acknowledgement): `ip` then prints `Error: DETAIL`. */
  readonly detail?: string;
}

export interface Endpoint {
  readonly ip: Ip;
  readonly port: number;
}

export interface TcpHandlers {
  onConnected?(): void;
  onData?(bytes: Uint8Array): void;
  /** The other side has sent its FIN: no more data will come. */
  onEnd?(): void;
  /** The connection is gone; `errno` is absent after an orderly close. Called once. */
  onClose?(errno?: Errno): void;
}

export interface TcpConnection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** What `connect` was asked for, before a {@link SocketHook} replaced it; equal to `remote` otherwise. */
  readonly requested?: Endpoint;
  readonly state: 'SYN-SENT' | 'SYN-RECEIVED' | 'ESTABLISHED' | 'FIN-WAIT' | 'CLOSE-WAIT' | 'CLOSED';
  handlers: TcpHandlers;
  /** TTL or hop limit of what it sends, and the least of what it takes (IP_MINTTL: what came from further is dropped silently). */
  limitHops(ttl: number, minimum?: number): void;
  send(bytes: Uint8Array): void;
  /** Sends what is pending, then FIN. */
  end(): void;
  /** Sends RST and forgets the connection. */
  abort(): void;
}

export interface TcpListenOptions {
  readonly port: number;
  /** Undefined: every address of both families (unless `family` says otherwise). */
  readonly ip?: Ip;
  readonly family?: Family;
  readonly program?: string;
  /** Key that the peer's segments must carry (RFC 2385); segments without it are dropped silently. */
  md5KeyOf?(peer: Ip): string | undefined;
  /** TTL or hop limit of what accepted connections send; 64 by default. */
  ttlOf?(peer: Ip): number | undefined;
  onConnection(connection: TcpConnection): void;
}

export interface TcpConnectOptions {
  readonly destination: Endpoint;
  readonly source?: { readonly ip?: Ip; readonly port?: number };
  readonly device?: string;
  readonly ttl?: number;
  readonly minimumTtl?: number;
  readonly md5Key?: string;
  readonly handlers: TcpHandlers;
}

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly ip: Ip | undefined;
  readonly family: Family | undefined;
  readonly port: number;
  readonly program: string | undefined;
  close(): void;
}

export interface UdpSocket {
  readonly local: { readonly ip: Ip | undefined; readonly port: number };
  onDatagram: ((payload: Uint8Array, from: Endpoint, to: Endpoint) => void) | undefined;
  /** A returned errno stands for a failed system call or a received ICMP error. */
  onError: ((errno: Errno) => void) | undefined;
  send(payload: Uint8Array, to: Endpoint, from?: Ip): void;
  close(): void;
}

/** What a socket of the namespace is about to do; an answer with another destination replaces it (cgroup eBPF in reality). */
export interface SocketHook {
  connect?(
    socket: { readonly protocol: 'tcp' | 'udp'; readonly namespace: NetworkNamespace },
    destination: Endpoint,
  ): Endpoint | { readonly errno: Errno } | undefined;
  /** Told when a connection that came in from `remote` makes the program ask who its peer is (getpeername). */
  peerName?(socket: { readonly protocol: 'tcp' | 'udp'; readonly namespace: NetworkNamespace }, local: Endpoint, remote: Endpoint): void;
}

export interface Sockets {
  /** @throws NetworkErrorLike EADDRINUSE, EADDRNOTAVAIL */
  listen(options: TcpListenOptions): ListeningSocket;
  /** Errors of the system call are reported through `onClose`, at a later event. */
  connect(options: TcpConnectOptions): TcpConnection;
  bindUdp(options: { readonly ip?: Ip; readonly port?: number; readonly program?: string }): UdpSocket;
  /** Sends an echo request; answers and errors are reported as they come. */
  ping(options: {
    readonly destination: Ip;
    readonly source?: Ip;
    readonly device?: string;
    readonly identifier: number;
    readonly sequence: number;
    readonly ttl?: number;
    readonly size?: number;
    readonly dontFragment?: boolean;
    onReply(reply: { readonly from: Ip; readonly ttl: number; readonly kind: IcmpKind; readonly mtu?: number }): void;
    onError(errno: Errno): void;
  }): void;
  readonly listening: readonly ListeningSocket[];
  readonly connections: readonly TcpConnection[];
  hooks: SocketHook[];
  /** For a program that listens on thousands of ports, of which few are ever spoken to. @returns what takes it away */
  addPortSource(source: PortSource): () => void;
}

/** Opens and closes its sockets when somebody looks: before a port, or all of them, is looked at. */
export interface PortSource {
  sync(port: number): void;
  syncAll(): void;
}

// ── namespaces and the whole (namespace.ts, network.ts) ─────────────────────────────────────────────────────

/** How a packet ended. Exactly one of these is reported for every packet (an answer is a new packet). */
export interface Disposition {
  readonly packet: Packet;
  readonly namespace: NetworkNamespace;
  readonly kind:
    | 'delivered'
    | 'no-socket'
    | 'no-route'
    | 'blackhole'
    | 'unreachable'
    | 'prohibit'
    | 'ttl-expired'
    | 'neighbour-failed'
    | 'forwarding-off'
    | 'filtered'
    | 'program-drop'
    | 'link-down'
    | 'lost'
    | 'too-big'
    | 'reverse-path'
    | 'martian'
    | 'not-for-us';
  readonly reason?: string;
}

export interface NetworkNamespace {
  readonly name: string;
  readonly network: Network;
  readonly interfaces: readonly NetworkInterface[];
  readonly routes: RoutingTables;
  readonly neighbours: NeighbourTable;
  readonly netfilter: Netfilter;
  readonly sockets: Sockets;
  /** `net.ipv4.ip_forward` and friends; unknown keys are undefined. */
  getSysctl(key: string): string | undefined;
  /** @returns false when the key does not exist */
  setSysctl(key: string, value: string): boolean;
  readonly sysctls: ReadonlyMap<string, string>;
  getInterface(name: string): NetworkInterface | undefined;
  addInterface(options: {
    readonly name: string;
    readonly kind: 'bridge' | 'dummy' | 'vxlan' | 'uplink';
    readonly mac?: Mac;
    readonly mtu?: number;
    readonly vxlan?: { readonly id: number; readonly port: number };
  }): NetworkInterface;
  /** All addresses of the namespace that packets are delivered to. */
  isLocalAddress(ip: Ip): boolean;
  /** Sends a packet as if a socket of this namespace had made it. */
  sendPacket(packet: Packet, options?: { readonly device?: string }): void;
  /** Names that resolve without DNS (`/etc/hosts`), and servers to ask (`/etc/resolv.conf`). */
  hosts: Map<string, Ip[]>;
  resolver: { nameservers: Ip[]; search: string[]; ndots: number };
  /** What routers said of the path to a destination (RFC 1191): kept for ten minutes. */
  pathMtu(destination: Ip): { readonly mtu: number; readonly expiresAt: number } | undefined;
  /** The programs are frozen (docker pause): the kernel goes on, their sockets are neither read nor written until they thaw. */
  isFrozen: boolean;
  delete(): void;
}

export interface Network {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly namespaces: readonly NetworkNamespace[];
  createNamespace(name: string): NetworkNamespace;
  /** A veth pair, both ends down. */
  createVeth(
    a: {
      readonly namespace: NetworkNamespace;
      readonly name: string;
      readonly mac?: Mac;
      readonly mtu?: number;
      readonly txQueueLength?: number;
    },
    b: {
      readonly namespace: NetworkNamespace;
      readonly name: string;
      readonly mac?: Mac;
      readonly mtu?: number;
      readonly txQueueLength?: number;
    },
  ): readonly [NetworkInterface, NetworkInterface];
  onDisposition(listener: (disposition: Disposition) => void): () => void;
  /** Every frame that crosses an interface, for `tcpdump`. */
  onFrame(
    listener: (event: { readonly device: NetworkInterface; readonly direction: 'in' | 'out'; readonly frame: Frame }) => void,
  ): () => void;
}
