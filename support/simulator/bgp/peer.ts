import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { Ip, Prefix, TcpConnection } from '../net/types.ts';
import type { Capability } from './capabilities.ts';
import { Connection, type ConnectionOwner, type Ending, type MessageCounters, zeroCounters } from './connection.ts';
import { type Message, MessageError, notificationText, type OpenMessage } from './message.ts';
import { buildOpen, type LocalIdentity, negotiate } from './open.ts';
import type { StoredPath } from './rib.ts';
import type { BgpFamily, BgpImplementation, BgpPeer, LastReset, Path, PathAttributes, PeerConfig, SessionState } from './types.ts';

export interface ReceivedRoute {
  readonly prefix: Prefix;
  /** As received, before any policy. */
  readonly attributes: PathAttributes;
  readonly receivedAt: number;
  /** Undefined when it was rejected. */
  path: StoredPath | undefined;
  /** Counts as accepted: for FRR when a policy let it in, for gobgp when it is no loop, whatever its policies say (adj.go, `Accepted`). */
  isAccepted: boolean;
  isStale: boolean;
}

export interface SentRoute {
  readonly prefix: Prefix;
  readonly attributes: PathAttributes;
  readonly sentAt: number;
  readonly isNextHopSelf: boolean;
}

/** What a peer needs from its speaker. */
export interface PeerOwner {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly identity: LocalIdentity;
  /** The peer's address has a usable route (next-hop tracking); always true for a speaker that does not track. */
  /** No session came up since this speaker started (gobgp's `LocalRestarting`). */
  readonly isRestarting: boolean;
  isReachable(peer: Peer): boolean;
  dial(peer: Peer, handlers: { onConnected(): void; onFailed(): void }): TcpConnection;
  onStateChange(peer: Peer): void;
  onEstablished(peer: Peer): void;
  /** `mayRestart`: the peer announced graceful restart and its connection went without a NOTIFICATION. */
  onDown(peer: Peer, mayRestart: boolean): void;
  /** A dynamic peer's connection came to nothing. */
  onGone(peer: Peer): void;
  onUpdate(peer: Peer, message: Extract<Message, { type: 'update' }>): void;
  onRouteRefresh(peer: Peer, family: BgpFamily): void;
}

const frrMaximumStartSeconds = 120;
/** gobgp: seconds of idle after a session or an attempt ended, and its shortest tick of the dialling loop. */
const gobgpIdleHoldSeconds = 5;
const gobgpMinimumConnectRetry = 5;
const largeHoldTimeSeconds = 240;

const sessionFields = [
  'remoteAs',
  'localAs',
  'localAsMode',
  'localAddress',
  'port',
  'multihopTtl',
  'password',
  'extendedNextHop',
  'device',
] as const satisfies readonly (keyof PeerConfig)[];

/**
 * One configured neighbour: its state machine (RFC 4271 §8), its sessions, and its Adj-RIBs.
 *
 * What the RFC leaves open follows two implementations, both recorded. FRR gives an incoming connection a machine of
 * its own, unseen until it is Established; gobgp has one machine that takes whichever connection comes first.
 */
export class Peer implements BgpPeer, ConnectionOwner {
  config: PeerConfig;
  state: SessionState = 'Idle';
  changedAt: number | undefined;
  establishedAt: number | undefined;
  remoteRouterId: Ip | undefined;
  remoteAsn: number | undefined;
  hostname: string | undefined;
  local: { readonly ip: Ip; readonly port: number } | undefined;
  remotePort: number | undefined;
  lastReset: LastReset | undefined;
  isPrefixOverflow = false;
  readonly createdAt: number;
  #lastReadAt: number | undefined;
  #lastWriteAt: number | undefined;
  lastUpdateAt: number | undefined;
  readonly received: Readonly<Record<BgpFamily, Map<Prefix, ReceivedRoute>>> = { 'ipv4-unicast': new Map(), 'ipv6-unicast': new Map() };
  readonly sent: Readonly<Record<BgpFamily, Map<Prefix, SentRoute>>> = { 'ipv4-unicast': new Map(), 'ipv6-unicast': new Map() };
  /** How many of `received` are in use. */
  readonly accepted: Record<BgpFamily, number> = { 'ipv4-unicast': 0, 'ipv6-unicast': 0 };
  readonly updateGroups = new Map<BgpFamily, { readonly group: number; readonly subgroup: number }>();
  readonly endOfRib = { sent: new Set<BgpFamily>(), received: new Set<BgpFamily>() };
  /**
   * FRR: what it tells in the place of every IPv6 next hop since the address that it had for that went from the session's interface
   * while the session stayed.
   */
  mappedNextHop: Ip | undefined;
  /** The global IPv6 address that FRR chose as its own next hop when the session came up (bgp_zebra.c, bgp_nexthop_set). */
  globalNextHop: Ip | undefined;
  /** The interface of the session's own address, when it came up. */
  localDevice: string | undefined;
  /** The whole table went out; changes follow one by one. */
  isSynchronised = false;
  restartTimer: Timer | undefined;
  stalePathTimer: Timer | undefined;
  lastRestart: Extract<Capability, { kind: 'graceful-restart' }> | undefined;
  readonly #owner: PeerOwner;
  readonly #totals: MessageCounters = zeroCounters();
  #established = 0;
  #dropped = 0;
  #session: Connection | undefined;
  #outgoing: Connection | undefined;
  #incoming: Connection | undefined;
  #dialling: TcpConnection | undefined;
  #dialConfig: PeerConfig | undefined;
  #startTimer: Timer | undefined;
  #connectTimer: Timer | undefined;
  #startSeconds = 1;
  /** gobgp: of the next time that it is Idle. */
  #idleHoldSeconds = gobgpIdleHoldSeconds;
  #overflowTimer: Timer | undefined;
  #wasTracked = false;
  #isRemoved = false;

  constructor(config: PeerConfig, owner: PeerOwner) {
    this.config = config;
    this.#owner = owner;
    this.createdAt = owner.clock.now();
    if (this.#isFrr) this.lastReset = { at: this.createdAt, direction: 'none', reason: 'No AFI/SAFI activated for peer' };
  }

  get clock(): SimulatedClock {
    return this.#owner.clock;
  }

  get implementation(): BgpImplementation {
    return this.#owner.identity.implementation;
  }

  get #isFrr(): boolean {
    return this.implementation === 'frr';
  }

  get localAsn(): number {
    return this.config.localAs ?? this.#owner.identity.localAsn;
  }

  get isExternal(): boolean {
    const { remoteAs } = this.config;
    if (remoteAs === 'any') return this.remoteAsn !== this.localAsn;
    return remoteAs === 'external' || (remoteAs !== 'internal' && remoteAs !== this.localAsn);
  }

  /** External and on a link of the speaker: the session ends with that. */
  get isDirect(): boolean {
    return this.isExternal && (this.config.multihopTtl === 1 || this.config.ttlSecurityHops === 1);
  }

  get session(): Connection | undefined {
    return this.#session;
  }

  get negotiatedHoldTimeSeconds(): number {
    return this.#session?.holdTimeSeconds ?? this.config.holdTimeSeconds;
  }

  get negotiatedKeepaliveSeconds(): number {
    return this.#session?.keepaliveSeconds ?? this.config.keepaliveSeconds;
  }

  get negotiatedFamilies(): ReadonlySet<BgpFamily> {
    return this.#session?.families ?? new Set();
  }

  get hasExtendedNextHop(): boolean {
    return this.#session?.hasExtendedNextHop ?? false;
  }

  get lastReadAt(): number | undefined {
    return this.#session?.lastReadAt ?? this.#lastReadAt;
  }

  get lastWriteAt(): number | undefined {
    return this.#session?.lastWriteAt ?? this.#outgoing?.lastWriteAt ?? this.#lastWriteAt;
  }

  get sentCapabilities(): readonly Capability[] {
    return this.#session?.sentCapabilities ?? [];
  }

  get receivedCapabilities(): readonly Capability[] {
    return this.#session?.receivedCapabilities ?? [];
  }

  get restartEndsAt(): number | undefined {
    return this.restartTimer?.at;
  }

  get stalePathEndsAt(): number | undefined {
    return this.stalePathTimer?.at;
  }

  get nextStartAt(): number | undefined {
    return this.#startTimer?.at;
  }

  get nextConnectAt(): number | undefined {
    return this.#connectTimer?.at;
  }

  /** Sums over all sessions; attempts that FRR made on its hidden machines count once they succeed. */
  get counters(): BgpPeer['counters'] {
    const counters = this.#allCounters();
    const sent = counters.opensSent + counters.updatesSent + counters.notificationsSent + counters.keepalivesSent + counters.refreshesSent;
    const received =
      counters.opensReceived +
      counters.updatesReceived +
      counters.notificationsReceived +
      counters.keepalivesReceived +
      counters.refreshesReceived;
    return {
      ...counters,
      messagesSent: sent,
      messagesReceived: received,
      connectionsEstablished: this.#established,
      connectionsDropped: this.#dropped,
    };
  }

  get routeRefreshes(): { readonly sent: number; readonly received: number } {
    const counters = this.#allCounters();
    return { sent: counters.refreshesSent, received: counters.refreshesReceived };
  }

  #allCounters(): MessageCounters {
    const sum = { ...this.#totals };
    for (const connection of [this.#session, this.#outgoing, this.#isFrr ? undefined : this.#incoming])
      if (connection !== undefined) add(sum, connection.counters);
    return sum;
  }

  prefixCounts(family: BgpFamily): { readonly received: number; readonly accepted: number; readonly advertised: number } {
    // gobgp counts the End-of-RIB marker that it would send among the paths (server.go, getBestFromLocal).
    const isMarked = !this.#isFrr && this.#isRestartNegotiated;
    return {
      received: this.received[family].size,
      accepted: this.accepted[family],
      advertised: this.sent[family].size + (isMarked ? 1 : 0),
    };
  }

  get #isRestartNegotiated(): boolean {
    const isRestart = ({ kind }: Capability) => kind === 'graceful-restart';
    return this.sentCapabilities.some(isRestart) && this.receivedCapabilities.some(isRestart);
  }

  adjRibIn(family: BgpFamily): readonly Path[] {
    return [...this.received[family].values()].map(
      (route) =>
        route.path ?? {
          prefix: route.prefix,
          attributes: route.attributes,
          peer: this,
          receivedAt: route.receivedAt,
          weight: 0,
          isStale: route.isStale,
          isValid: false,
        },
    );
  }

  adjRibOut(family: BgpFamily): readonly SentRoute[] {
    return [...this.sent[family].values()];
  }

  hasSent(prefix: Prefix): boolean {
    return this.sent[prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast'].has(prefix);
  }

  send(message: Message): void {
    this.#session?.send(message);
  }

  sendAll(messages: readonly Message[]): void {
    this.#session?.sendAll(messages);
  }

  // ── the state machine ─────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    if (this.#isRemoved || this.config.isShutdown === true || this.isPrefixOverflow || this.config.families.length === 0) {
      this.#setState('Idle');
      return;
    }
    if (this.config.isDynamic === true) this.#setState('Active');
    else if (this.#isFrr) this.#scheduleStart(this.#startSeconds * 1000);
    else this.#activate();
  }

  #scheduleStart(delayMs: number): void {
    this.#startTimer?.cancel();
    this.#startTimer = this.clock.schedule(delayMs, () => {
      this.#startTimer = undefined;
      if (this.#isFrr) this.#begin();
      else this.#activate();
    });
  }

  /** FRR's BGP_Start. */
  #begin(): void {
    this.local = undefined;
    this.remotePort = undefined;
    this.remoteRouterId = undefined;
    if (this.config.isPassive === true) {
      this.#setState('Active');
      return;
    }
    const isReachable = this.#owner.isReachable(this);
    if (!isReachable) {
      this.#setReason('Waiting for NHT');
      this.#waitActively();
      return;
    }
    // The first look-up of a next hop is answered a moment later, and that answer names the reason (bgp_nht.c).
    if (!this.#wasTracked) this.#setReason('Waiting for peer OPEN');
    this.#wasTracked = true;
    this.#dial();
  }

  /** FRR does not dial a neighbor that is about to restart: that one comes back by itself (bgp_fsm.c, bgp_timer_set, NSF_WAIT). */
  #waitActively(): void {
    this.#setState('Active');
    if (this.restartTimer === undefined) this.#armConnectRetry();
    else {
      this.#connectTimer?.cancel();
      this.#connectTimer = undefined;
    }
  }

  /** The time that it had for its restart is over. */
  restartOver(): void {
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
    if (this.#isFrr && this.state === 'Active' && this.#isRunning && this.config.isPassive !== true && this.config.isDynamic !== true)
      this.#armConnectRetry();
  }

  #armConnectRetry(): void {
    this.#connectTimer?.cancel();
    this.#connectTimer = this.clock.schedule(this.config.connectRetrySeconds * 1000, () => {
      this.#connectTimer = undefined;
      this.#abandonDial();
      this.#begin();
    });
  }

  /** gobgp: Active at once, and a dial that comes 5 to 9 seconds later (connectLoop in fsm.go). */
  #activate(): void {
    this.#setState('Active');
    if (this.config.isPassive === true) return;
    this.#dialConfig = this.config;
    this.#scheduleDial(gobgpMinimumConnectRetry);
  }

  /** gobgp waits one to two ticks, then dials for not quite a tick; from the second time on the tick is the retry time. */
  #scheduleDial(tickSeconds: number): void {
    this.#connectTimer?.cancel();
    this.#connectTimer = this.clock.schedule(this.#owner.random.integer(tickSeconds, 2 * tickSeconds - 1) * 1000, () => {
      this.#connectTimer = undefined;
      this.#dial(tickSeconds);
    });
  }

  /** How the next dial is made: gobgp reads its settings once, when it becomes Active. */
  get dialConfig(): PeerConfig {
    return this.#isFrr ? this.config : (this.#dialConfig ?? this.config);
  }

  #dial(tickSeconds = 0): void {
    const failed = () => {
      this.#dialling = undefined;
      if (this.#isFrr) this.#waitActively();
      else this.#scheduleDial(Math.max(this.dialConfig.connectRetrySeconds, gobgpMinimumConnectRetry));
    };
    if (this.#isFrr) {
      this.#armConnectRetry();
      this.#setState('Connect');
    } else {
      this.#connectTimer = this.clock.schedule((tickSeconds - 1) * 1000, () => {
        this.#abandonDial();
        failed();
      });
    }
    const tcp = this.#owner.dial(this, {
      onConnected: () => {
        this.#dialling = undefined;
        this.#connectTimer?.cancel();
        this.#connectTimer = undefined;
        this.#outgoing = this.#open(tcp, false);
        // bgp_fsm.c, bgp_connect_success: both ends are known from here on.
        if (this.#isFrr) {
          this.local = tcp.local;
          this.remotePort = tcp.remote.port;
        }
        this.#setState('OpenSent');
      },
      onFailed: failed,
    });
    this.#dialling = tcp;
  }

  #abandonDial(): void {
    const tcp = this.#dialling;
    if (tcp === undefined) return;
    this.#dialling = undefined;
    tcp.handlers = {};
    tcp.abort();
  }

  #open(tcp: TcpConnection, isIncoming: boolean): Connection {
    const connection = new Connection(tcp, isIncoming, this);
    const open = buildOpen(this.#owner.identity, this.config, this.#owner.isRestarting);
    connection.sentCapabilities = open.parameters.flat();
    connection.send(open);
    connection.armHold(largeHoldTimeSeconds);
    return connection;
  }

  /** A connection came in from this peer's address. */
  accept(tcp: TcpConnection): void {
    const isRefused = this.#isRemoved || this.config.isShutdown === true || this.isPrefixOverflow || this.config.families.length === 0;
    if (isRefused || (!this.#isFrr && this.state !== 'Active')) {
      tcp.end();
      return;
    }
    if (this.#isFrr) {
      const former = this.#incoming;
      this.#incoming = undefined;
      former?.close('orderly');
      this.#incoming = this.#open(tcp, true);
      return;
    }
    this.#abandonDial();
    this.#connectTimer?.cancel();
    this.#connectTimer = undefined;
    this.#incoming = this.#open(tcp, true);
    this.#setState('OpenSent');
  }

  onMessage(connection: Connection, message: Message): void {
    if (connection === this.#session) {
      if (message.type === 'update') {
        this.lastUpdateAt = this.clock.now();
        this.#owner.onUpdate(this, message);
      } else if (message.type === 'route-refresh') {
        if (message.family !== undefined) this.#owner.onRouteRefresh(this, message.family);
      } else if (message.type === 'open') throw new MessageError(5, 3, 'OPEN in Established');
      return;
    }
    if (connection.phase === 'OpenSent') {
      if (message.type !== 'open') throw new MessageError(5, 1, `${message.type} in OpenSent`);
      this.#onOpen(connection, message);
      return;
    }
    if (message.type !== 'keepalive') throw new MessageError(5, 2, `${message.type} in OpenConfirm`);
    this.#establish(connection);
  }

  #onOpen(connection: Connection, open: OpenMessage): void {
    negotiate(this.#owner.identity, this.config, connection, open);
    if (this.#losesCollision(connection, open)) {
      connection.notify(6, 7);
      return;
    }
    this.remoteAsn = connection.peerAsn;
    connection.phase = 'OpenConfirm';
    if (connection === this.#outgoing || !this.#isFrr) this.#setState('OpenConfirm');
    connection.armHold(connection.holdTimeSeconds);
    connection.send({ type: 'keepalive' });
    connection.startKeepalives();
  }

  /** RFC 4271 §6.8: the connection that the side with the higher identifier opened stays. */
  #losesCollision(connection: Connection, open: OpenMessage): boolean {
    if (this.#session !== undefined) return true;
    const other = connection === this.#outgoing ? this.#incoming : this.#outgoing;
    if (other === undefined || other.phase !== 'OpenConfirm') return false;
    const isLocalHigher = this.#owner.identity.routerId.value > open.routerId.value;
    if (connection.isIncoming === isLocalHigher) return true;
    other.notify(6, 7);
    return false;
  }

  #establish(connection: Connection): void {
    this.#startTimer?.cancel();
    this.#startTimer = undefined;
    this.#connectTimer?.cancel();
    this.#connectTimer = undefined;
    this.#abandonDial();
    const other = connection === this.#outgoing ? this.#incoming : this.#outgoing;
    this.#outgoing = undefined;
    this.#incoming = undefined;
    this.#session = connection;
    other?.notify(6, 7);
    connection.phase = 'Established';
    connection.armHold(connection.holdTimeSeconds);
    const { tcp } = connection;
    this.local = tcp.local;
    this.remotePort = tcp.remote.port;
    this.remoteRouterId = connection.remoteRouterId;
    for (const capability of connection.receivedCapabilities)
      if (capability.kind === 'fqdn' && capability.hostname !== '') this.hostname = capability.hostname;
    this.establishedAt = this.clock.now();
    this.changedAt = this.establishedAt;
    this.#established++;
    this.#startSeconds = 1;
    // The machine of an incoming connection is born with this reason and hands it on (bgp_fsm.c, peer_xfer_conn).
    if (this.#isFrr && connection.isIncoming) this.#setReason('No AFI/SAFI activated for peer');
    this.isSynchronised = false;
    this.endOfRib.sent.clear();
    this.endOfRib.received.clear();
    this.#setState('Established');
    this.#owner.onEstablished(this);
  }

  onEnded(connection: Connection, ending: Ending): void {
    if (connection === this.#session) {
      const restart = connection.receivedCapabilities.some(
        (capability) => capability.kind === 'graceful-restart' && capability.families.length > 0,
      );
      const mayRestart = ending.kind === 'closed' && restart;
      const described = this.#describe(ending);
      this.#down(mayRestart && this.#isFrr ? { ...described, reason: 'NSF peer closed the session' } : described, mayRestart);
      return;
    }
    const isHidden = this.#isFrr && connection === this.#incoming;
    if (connection === this.#incoming) this.#incoming = undefined;
    else if (connection === this.#outgoing) this.#outgoing = undefined;
    else return;
    if (isHidden) {
      if (this.config.isDynamic === true && this.#session === undefined) this.#owner.onGone(this);
      return;
    }
    add(this.#totals, connection.counters);
    // A collision that the other connection won is no failure.
    if (
      this.#session !== undefined ||
      (ending.kind !== 'closed' && ending.code === 6 && ending.subcode === 7 && this.#incoming !== undefined)
    )
      return;
    this.#setReset(this.#describe(ending));
    // bgp_fsm.c, OpenSent: a connection that is closed there leads to Active, and the next attempt waits for the retry timer.
    if (this.#isFrr && ending.kind === 'closed' && connection.counters.opensReceived === 0 && this.#isRunning) {
      this.#waitActively();
      return;
    }
    this.#startSeconds = Math.min(this.#startSeconds * 2, frrMaximumStartSeconds);
    this.#idle();
  }

  #describe(ending: Ending): Omit<LastReset, 'at'> {
    if (ending.kind === 'closed') return { direction: 'none', reason: this.#isFrr ? 'Peer closed the session' : 'read-failed' };
    const direction = ending.kind === 'notification-sent' ? 'sent' : 'received';
    const { code, subcode } = ending;
    if (this.#isFrr)
      return { direction, code, subcode, reason: direction === 'sent' ? 'BGP Notification send' : 'BGP Notification received' };
    return {
      direction,
      code,
      subcode,
      reason: code === 4 ? 'hold-timer-expired' : `notification-${direction} ${notificationText(code, subcode)}`,
    };
  }

  #setReason(reason: string): void {
    this.lastReset = { at: this.lastReset?.at ?? this.createdAt, direction: 'none', reason };
  }

  #setReset(reset: Omit<LastReset, 'at'>): void {
    const isDrop = this.state === 'Established';
    this.lastReset = { ...reset, at: isDrop || !this.#isFrr ? this.clock.now() : (this.lastReset?.at ?? this.createdAt) };
  }

  /** The session is gone. */
  #down(reset: Omit<LastReset, 'at'>, mayRestart: boolean): void {
    const session = this.#session;
    if (session === undefined) return;
    session.close('orderly');
    add(this.#totals, session.counters);
    this.#lastReadAt = session.lastReadAt;
    this.#lastWriteAt = session.lastWriteAt;
    this.#setReset(reset);
    this.#session = undefined;
    this.isSynchronised = false;
    this.#dropped++;
    this.changedAt = this.clock.now();
    this.establishedAt = undefined;
    for (const family of ['ipv4-unicast', 'ipv6-unicast'] as const) this.sent[family].clear();
    this.updateGroups.clear();
    this.state = 'Idle';
    // The bits of a session that is gone are forgotten, its restart time is not.
    if (this.lastRestart !== undefined) this.lastRestart = { ...this.lastRestart, flags: 0 };
    this.#owner.onDown(this, mayRestart);
    this.#idle();
  }

  #idle(): void {
    this.#connectTimer?.cancel();
    this.#connectTimer = undefined;
    this.#abandonDial();
    this.state = 'Idle';
    this.#owner.onStateChange(this);
    if (this.#isRemoved || this.config.isShutdown === true || this.isPrefixOverflow || this.config.families.length === 0) return;
    this.#scheduleStart(1000 * (this.#isFrr ? this.#startSeconds : this.#idleHoldSeconds));
    this.#idleHoldSeconds = gobgpIdleHoldSeconds;
  }

  #setState(state: SessionState): void {
    if (this.state === state) return;
    this.state = state;
    this.#owner.onStateChange(this);
  }

  // ── what the speaker and its user ask for ─────────────────────────────────────────────────────────────────

  /** Closes whatever is open, with a NOTIFICATION where there is a session to tell. */
  reset(code: number, subcode: number, reason: string | undefined, data?: Uint8Array): void {
    const session = this.#session;
    for (const connection of [this.#outgoing, this.#incoming]) {
      if (connection === undefined) continue;
      connection.send({ type: 'notification', code, subcode, data: data ?? new Uint8Array() });
      connection.close('orderly');
      if (connection === this.#outgoing) add(this.#totals, connection.counters);
    }
    this.#outgoing = undefined;
    this.#incoming = undefined;
    const described = this.#describe({ kind: 'notification-sent', code, subcode });
    // bgp_notify_send: what is told as a change of configuration is remembered as the notification that told it.
    const isTold = this.#isFrr && session !== undefined && code === 6 && subcode === 6;
    const reset = reason === undefined || isTold ? described : { ...described, reason };
    if (session !== undefined) {
      session.send({ type: 'notification', code, subcode, data: data ?? new Uint8Array() });
      this.#down(reset, false);
      return;
    }
    if (reason !== undefined) this.#setReset(reset);
    this.#startTimer?.cancel();
    this.#startTimer = undefined;
    this.#idle();
    if (this.config.isDynamic === true) this.#owner.onGone(this);
  }

  /** The next hop towards the peer came or went (FRR's next-hop tracking). */
  reachabilityChanged(isReachable: boolean): void {
    if (!this.#isFrr || this.config.isPassive === true || this.config.isDynamic === true || !this.#isRunning) return;
    this.#wasTracked = true;
    const reason = isReachable ? 'Waiting for peer OPEN' : 'Waiting for NHT';
    const { state } = this;
    if (this.#session !== undefined && this.config.isUnnumbered !== true && !this.isDirect) {
      // A session that needs no connected peer goes on, but what happened to its next hop is remembered (bgp_nht.c, evaluate_paths).
      this.#setReason(reason);
      return;
    }
    if (isReachable) {
      if (state !== 'Active') return;
      this.#setReason(reason);
      this.#begin();
      return;
    }
    if (this.#session !== undefined) {
      // Nothing can reach the peer any more: the socket is forgotten, and what still arrives later meets a reset.
      this.#session.close('reset');
      this.#down({ direction: 'none', reason }, false);
      return;
    }
    this.#setReason(reason);
    if (state === 'Connect') this.#idle();
    else if (this.#outgoing !== undefined) {
      add(this.#totals, this.#outgoing.counters);
      this.#outgoing.close('reset');
      this.#outgoing = undefined;
      this.#idle();
    }
  }

  get #isRunning(): boolean {
    return !this.#isRemoved && this.config.isShutdown !== true && !this.isPrefixOverflow && this.config.families.length > 0;
  }

  /** Applies a new configuration; the session is reset where RFC or implementation ask for it. */
  configure(config: PeerConfig): void {
    const before = this.config;
    this.config = config;
    if (config.isShutdown === true) {
      if (before.isShutdown !== true) this.reset(6, 2, this.#isFrr ? 'Admin. shutdown' : undefined);
      return;
    }
    if (before.isShutdown === true) {
      this.#startSeconds = 1;
      this.start();
      return;
    }
    const changed = sessionFields.filter((field) => before[field] !== config[field]);
    const familiesChanged = before.families.join() !== config.families.join();
    const restartChanged = before.gracefulRestart?.restartTimeSeconds !== config.gracefulRestart?.restartTimeSeconds;
    if (!this.#isFrr) {
      this.#reconfigure(before, changed.some((field) => field !== 'multihopTtl') || familiesChanged || restartChanged);
      return;
    }
    if (changed.length === 0 && !familiesChanged && !restartChanged) {
      if (before.isPassive === true && config.isPassive !== true && this.state === 'Active') this.#begin();
      return;
    }
    if (before.families.length === 0) {
      this.start();
      return;
    }
    const [first] = changed;
    const reason =
      first === 'remoteAs'
        ? 'Remote AS changed'
        : first === 'localAs' || first === 'localAsMode'
          ? 'Local AS change'
          : first === 'localAddress'
            ? 'Update source change'
            : familiesChanged
              ? 'Address family activated'
              : first === 'multihopTtl'
                ? 'Multihop config change'
                : 'Capability changed';
    // Its next hop is asked for in another way from now on, and the answer to that names the reason.
    if (changed.includes('multihopTtl')) this.#wasTracked = false;
    this.reset(6, 6, reason);
  }

  /**
   * gobgp (server.go, updateNeighbor): what an OPEN or the socket carries makes a new neighbour of it, which dials anew
   * at once; timers that are negotiated are followed by a reset (which Cilium asks for); a TTL and the retry time only
   * count from the next time that it becomes Active.
   */
  #reconfigure(before: PeerConfig, isNewNeighbor: boolean): void {
    const { config } = this;
    if (isNewNeighbor) {
      this.reset(6, 6, undefined);
      this.#startTimer?.cancel();
      this.#startTimer = undefined;
      this.start();
    } else if (
      (before.holdTimeSeconds !== config.holdTimeSeconds || before.keepaliveSeconds !== config.keepaliveSeconds) &&
      (this.#session ?? this.#outgoing ?? this.#incoming) !== undefined
    ) {
      this.reset(6, 4, undefined);
    }
  }

  clear(): void {
    this.isPrefixOverflow = false;
    this.#overflowTimer?.cancel();
    this.#idleHoldSeconds = this.config.idleHoldAfterResetSeconds ?? gobgpIdleHoldSeconds;
    this.reset(6, 4, this.#isFrr ? 'User reset' : undefined);
  }

  exceedMaximumPrefix(family: BgpFamily): void {
    this.isPrefixOverflow = true;
    const minutes = this.config.perFamily?.[family]?.maximumPrefixRestart;
    this.#overflowTimer?.cancel();
    this.#overflowTimer =
      minutes === undefined
        ? undefined
        : this.clock.schedule(minutes * 60_000, () => {
            this.isPrefixOverflow = false;
            this.#startSeconds = 1;
            this.start();
          });
    const afi = family === 'ipv4-unicast' ? 1 : 2;
    const maximum = this.config.perFamily?.[family]?.maximumPrefix ?? 0;
    this.reset(6, 1, undefined, Uint8Array.of(0, afi, 1, maximum >>> 24, (maximum >>> 16) & 0xff, (maximum >>> 8) & 0xff, maximum & 0xff));
  }

  /** Ends for good. */
  remove(how: 'deconfigured' | 'killed'): void {
    this.#isRemoved = true;
    if (how === 'deconfigured') this.reset(6, 3, undefined);
    else {
      for (const connection of [this.#outgoing, this.#incoming]) connection?.close('orderly');
      if (this.#session !== undefined) this.#down({ direction: 'none', reason: 'stopped' }, false);
    }
    this.#abandonDial();
    this.#startTimer?.cancel();
    this.#connectTimer?.cancel();
    this.restartTimer?.cancel();
    this.stalePathTimer?.cancel();
    this.#overflowTimer?.cancel();
    this.#startTimer = undefined;
    this.#connectTimer = undefined;
  }
}

function add(sum: MessageCounters, more: MessageCounters): void {
  for (const key of Object.keys(sum) as (keyof MessageCounters)[]) sum[key] += more[key];
}
