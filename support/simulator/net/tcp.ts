import type { Timer } from '../clock/clock.ts';
import { isLinkLocal } from './address.ts';
import type { Namespace } from './namespace.ts';
import { defaultTtl } from './packet.ts';
import type { Sockets } from './sockets.ts';
import {
  type Endpoint,
  type Errno,
  type IcmpKind,
  type Packet,
  type TcpConnection,
  type TcpHandlers,
  type TcpSegment,
  tcpFlag,
} from './types.ts';

const { fin, syn, rst, psh, ack } = tcpFlag;
const noPayload = new Uint8Array(0);

/** Linux: TCP_TIMEOUT_INIT, TCP_RTO_MIN, TCP_RTO_MAX, TCP_DELACK_MIN. */
const initialRtoMs = 1_000;
const minRtoMs = 200;
const maxRtoMs = 120_000;
const delayedAckMs = 40;
const timestampOption = 12;
/** While `connect` still holds the socket an ICMPv6 error is only noted; the SYN sent again gets the one that counts. */
const connectHoldsMs = 1;

interface Sent {
  readonly sequence: number;
  readonly end: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  sentAt: number;
  isRepeated: boolean;
}

export interface ConnectionOptions {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly requested: Endpoint;
  readonly ttl: number | undefined;
  readonly device: string | undefined;
  readonly md5Key: string | undefined;
  readonly mss: number;
  readonly handlers: TcpHandlers;
}

/**
 * One end of a TCP connection (RFC 9293): handshake, in-order data with retransmission, half close. Not modelled:
 * congestion control, windows, selective acknowledgment, keepalives and simultaneous open.
 */
export class Connection implements TcpConnection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly requested: Endpoint;
  handlers: TcpHandlers;
  state: TcpConnection['state'];
  readonly #sockets: Sockets;
  readonly #namespace: Namespace;
  #ttl: number;
  #minimumTtl = 0;
  readonly #flowLabel: number;
  readonly #sendOptions: { readonly device?: string };
  readonly #md5Key: string | undefined;
  readonly #startedAt: number;
  readonly #initialSequence: number;
  readonly #isPassive: boolean;
  #accept: ((connection: Connection) => void) | undefined;
  #mss: number;
  #nextToSend: number;
  #unacknowledged: number;
  #nextExpected = 0;
  #sent: Sent[] = [];
  #waiting: Uint8Array[] = [];
  #early = new Map<number, TcpSegment>();
  #rtoMs = initialRtoMs;
  #smoothedRttMs = 0;
  #retries = 0;
  #duplicateAcks = 0;
  #timer: Timer | undefined;
  #ackTimer: Timer | undefined;
  #unackedSegments = 0;
  #owesAck = false;
  #hasToEnd = false;
  #finSequence: number | undefined;
  #hasRemoteFin = false;
  #softError: Errno | undefined;

  constructor(sockets: Sockets, options: ConnectionOptions, passive?: { segment: TcpSegment; accept: (connection: Connection) => void }) {
    this.#sockets = sockets;
    this.#namespace = sockets.namespace;
    this.local = options.local;
    this.remote = options.remote;
    this.requested = options.requested;
    this.handlers = options.handlers;
    this.#md5Key = options.md5Key;
    this.#mss = options.mss;
    this.#ttl = options.ttl ?? defaultTtl;
    this.#sendOptions = options.device === undefined ? {} : { device: options.device };
    this.#flowLabel = options.local.ip.family === 6 ? sockets.random.integer(1, 0xfffff) : 0;
    this.#initialSequence = sockets.random.uint32();
    this.#nextToSend = this.#initialSequence;
    this.#unacknowledged = this.#initialSequence;
    this.#startedAt = this.#namespace.network.clock.now();
    this.#isPassive = passive !== undefined;
    this.state = passive === undefined ? 'SYN-SENT' : 'SYN-RECEIVED';
    if (passive !== undefined) {
      this.#accept = passive.accept;
      this.#nextExpected = add(passive.segment.sequence, 1);
      this.#mss = Math.min(this.#mss, passive.segment.mss ?? 536);
    }
  }

  get device(): string | undefined {
    return this.#sendOptions.device;
  }

  /** Whether a segment carries the key that this connection wants (RFC 2385), none included. */
  hasKey(key: string | undefined): boolean {
    return key === this.#md5Key;
  }

  limitHops(ttl: number, minimum = 0): void {
    this.#ttl = ttl;
    this.#minimumTtl = minimum;
  }

  /** Whether a packet came from near enough (RFC 5082). */
  isNear(ttl: number): boolean {
    return ttl >= this.#minimumTtl;
  }

  /** Sends the SYN, or the SYN+ACK. @returns the error of the system call */
  open(): Errno | undefined {
    return this.#queue(this.#isPassive ? syn | ack : syn, noPayload);
  }

  send(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#hasToEnd || this.state === 'CLOSED') return;
    if (this.#namespace.waitsForThaw(() => this.send(bytes))) return;
    if (this.state === 'SYN-SENT' || this.state === 'SYN-RECEIVED') {
      this.#waiting.push(bytes);
      return;
    }
    const limit = this.#mss - timestampOption;
    for (let offset = 0; offset < bytes.length; offset += limit) {
      const isLast = offset + limit >= bytes.length;
      this.#queue(isLast ? ack | psh : ack, isLast && offset === 0 ? bytes : bytes.subarray(offset, offset + limit));
    }
  }

  end(): void {
    if (this.#hasToEnd || this.state === 'CLOSED' || this.#namespace.waitsForThaw(() => this.end())) return;
    if (this.state === 'SYN-SENT' && this.#waiting.length === 0) {
      // close() before the connection stands: nobody has heard of it.
      this.vanish();
      this.handlers.onClose?.();
      return;
    }
    this.#hasToEnd = true;
    if (this.state !== 'SYN-SENT' && this.state !== 'SYN-RECEIVED') this.#sendFin();
  }

  abort(): void {
    if (this.state === 'CLOSED' || this.#namespace.waitsForThaw(() => this.abort())) return;
    const hadSynSent = this.state === 'SYN-SENT';
    this.vanish();
    if (!hadSynSent) this.#emit(rst | ack, this.#nextToSend, noPayload);
  }

  /** Forgets the connection without a word on the wire or to the program. */
  vanish(): void {
    this.state = 'CLOSED';
    this.#timer?.cancel();
    this.#ackTimer?.cancel();
    this.#sent = [];
    this.#waiting = [];
    this.#early.clear();
    this.#sockets.remove(this);
  }

  /** The connection is over by an error. */
  fail(errno: Errno): void {
    if (this.state === 'CLOSED') return;
    this.vanish();
    this.#tell(() => this.handlers.onClose?.(errno));
  }

  receive(segment: TcpSegment): void {
    switch (this.state) {
      case 'CLOSED':
        return;
      case 'SYN-SENT':
        this.#receiveInSynSent(segment);
        return;
      case 'SYN-RECEIVED':
        if (!this.#receiveInSynReceived(segment)) return;
        break;
      default:
        if ((segment.flags & syn) !== 0) {
          // RFC 5961 §4: a challenge, whoever it was; a peer that has started anew answers with a reset.
          this.#sendAck();
          return;
        }
    }
    if ((segment.flags & rst) !== 0) {
      if (segment.sequence === this.#nextExpected || isBefore(this.#nextExpected, segment.sequence)) this.fail('ECONNRESET');
      return;
    }
    if ((segment.flags & ack) !== 0) this.#acknowledge(segment);
    if ((this.state as string) !== 'CLOSED') this.#takeIn(segment);
  }

  /** An ICMP error about one of our segments (tcp_v4_err, tcp_v6_err). */
  receiveError(kind: IcmpKind, segment: TcpSegment, mtu: number | undefined): void {
    if (isBefore(segment.sequence, this.#unacknowledged) || isBefore(this.#nextToSend, segment.sequence)) return;
    if (kind === 'fragmentation-needed' || kind === 'packet-too-big') {
      this.#shrink((mtu ?? 1280) - (this.local.ip.family === 4 ? 40 : 60));
      return;
    }
    const errno = errnoOfIcmp(kind, this.local.ip.family);
    const isHeld = this.local.ip.family === 6 && this.#namespace.network.clock.now() - this.#startedAt < connectHoldsMs;
    if (this.state === 'SYN-SENT' && !isHeld) this.fail(errno);
    else this.#softError = errno;
  }

  // ── receiving ────────────────────────────────────────────────────────────────────────────────────────────

  #receiveInSynSent(segment: TcpSegment): void {
    const { flags, acknowledgment, sequence } = segment;
    const isAcceptable = (flags & ack) !== 0 && acknowledgment === this.#nextToSend;
    if ((flags & ack) !== 0 && !isAcceptable) {
      if ((flags & rst) === 0) this.#emit(rst, acknowledgment, noPayload);
      return;
    }
    if ((flags & rst) !== 0) {
      if (isAcceptable) this.fail('ECONNREFUSED');
      return;
    }
    if ((flags & syn) === 0 || !isAcceptable) return;
    this.#nextExpected = add(sequence, 1);
    this.#mss = Math.min(this.#mss, segment.mss ?? 536);
    this.#acknowledge(segment);
    this.state = 'ESTABLISHED';
    this.#sendAck();
    this.#established();
  }

  /** @returns whether the connection is established now */
  #receiveInSynReceived(segment: TcpSegment): boolean {
    const { flags, acknowledgment } = segment;
    if ((flags & rst) !== 0) {
      this.vanish();
      return false;
    }
    if ((flags & syn) !== 0) {
      this.#repeat();
      return false;
    }
    if ((flags & ack) === 0 || acknowledgment !== this.#nextToSend) return false;
    this.state = 'ESTABLISHED';
    this.#acknowledge(segment);
    for (const hook of this.#sockets.hooks) hook.peerName?.({ protocol: 'tcp', namespace: this.#namespace }, this.local, this.remote);
    const accept = this.#accept;
    this.#accept = undefined;
    this.#tell(() => accept?.(this));
    this.#established();
    return (this.state as string) !== 'CLOSED';
  }

  #established(): void {
    if (!this.#isPassive) this.#tell(() => this.handlers.onConnected?.());
    const waiting = this.#waiting;
    this.#waiting = [];
    const hasToEnd = this.#hasToEnd;
    this.#hasToEnd = false;
    for (const bytes of waiting) this.send(bytes);
    if (hasToEnd) this.end();
  }

  #acknowledge({ acknowledgment, payload, flags }: TcpSegment): void {
    if (isBefore(this.#nextToSend, acknowledgment)) return;
    if (!isBefore(this.#unacknowledged, acknowledgment)) {
      const isDuplicate =
        acknowledgment === this.#unacknowledged && payload.length === 0 && (flags & (syn | fin)) === 0 && this.#sent.length > 0;
      if (isDuplicate && ++this.#duplicateAcks === 3) this.#repeat();
      return;
    }
    this.#unacknowledged = acknowledgment;
    this.#duplicateAcks = 0;
    const now = this.#namespace.network.clock.now();
    while (this.#sent.length > 0) {
      const oldest = this.#sent[0] as Sent;
      if (isBefore(acknowledgment, oldest.end)) break;
      if (!oldest.isRepeated) this.#measure(now - oldest.sentAt);
      this.#sent.shift();
    }
    const wasRepeating = this.#retries > 0;
    this.#retries = 0;
    this.#rtoMs = this.#smoothedRttMs + minRtoMs;
    this.#softError = undefined;
    this.#namespace.confirmNeighbour(this.remote.ip);
    if (this.#sent.length === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else if (wasRepeating) this.#repeat();
    if (this.#finSequence !== undefined && isBefore(this.#finSequence, acknowledgment) && this.#hasRemoteFin) this.#finish();
  }

  #takeIn(segment: TcpSegment): void {
    const { payload, flags, sequence } = segment;
    const hasFin = (flags & fin) !== 0;
    if (payload.length === 0 && !hasFin) return;
    if (this.#hasRemoteFin || isBefore(sequence, this.#nextExpected)) {
      this.#sendAck();
      return;
    }
    if (sequence !== this.#nextExpected) {
      this.#early.set(sequence, segment);
      this.#sendAck();
      return;
    }
    this.#accepted(segment);
    for (let next = this.#early.get(this.#nextExpected); next !== undefined; next = this.#early.get(this.#nextExpected)) {
      this.#early.delete(this.#nextExpected);
      this.#accepted(next);
    }
  }

  /** The next segment in order: to the program, and an acknowledgment now, with the answer, or a little later. */
  #accepted({ payload, flags }: TcpSegment): void {
    if (payload.length > 0) {
      this.#nextExpected = add(this.#nextExpected, payload.length);
      this.#owesAck = true;
      this.#unackedSegments++;
      // Quick acknowledgment at first; delayed once data goes both ways (Linux's "pingpong" mode).
      if (this.#nextToSend === add(this.#initialSequence, 1) || this.#unackedSegments >= 2) this.#sendAck();
      this.#tell(() => this.handlers.onData?.(payload));
    }
    if ((flags & fin) !== 0) {
      this.#nextExpected = add(this.#nextExpected, 1);
      this.#hasRemoteFin = true;
      this.#owesAck = true;
      if (this.state === 'ESTABLISHED') this.state = 'CLOSE-WAIT';
      this.#tell(() => this.handlers.onEnd?.());
      if (this.#owesAck && (this.state as string) !== 'CLOSED') this.#sendAck();
      if (this.#finSequence !== undefined && isBefore(this.#finSequence, this.#unacknowledged)) this.#finish();
    } else if (this.#owesAck && this.#ackTimer === undefined && this.state !== 'CLOSED') {
      this.#ackTimer = this.#namespace.network.clock.schedule(delayedAckMs, () => {
        this.#ackTimer = undefined;
        if (this.#owesAck) this.#sendAck();
      });
    }
  }

  /** The program hears of it: now, or when it is no longer frozen. */
  #tell(event: () => void): void {
    if (!this.#namespace.waitsForThaw(event)) event();
  }

  /** Both sides have said their last and know it. */
  #finish(): void {
    if (this.state === 'CLOSED') return;
    this.vanish();
    this.#sockets.remember(this, this.#nextToSend, this.#nextExpected);
    this.#tell(() => this.handlers.onClose?.());
  }

  // ── sending ──────────────────────────────────────────────────────────────────────────────────────────────

  #sendFin(): void {
    this.#finSequence = this.#nextToSend;
    this.state = 'FIN-WAIT';
    this.#queue(fin | ack, noPayload);
  }

  #sendAck(): void {
    this.#emit(ack, this.#nextToSend, noPayload);
  }

  /** Sends something that has to arrive. */
  #queue(flags: number, payload: Uint8Array): Errno | undefined {
    const sequence = this.#nextToSend;
    const end = add(sequence, payload.length + ((flags & (syn | fin)) === 0 ? 0 : 1));
    this.#nextToSend = end;
    this.#sent.push({ sequence, end, flags, payload, sentAt: this.#namespace.network.clock.now(), isRepeated: false });
    if (this.#timer === undefined) this.#arm(this.#rtoMs);
    return this.#emit(flags, sequence, payload);
  }

  #emit(flags: number, sequence: number, payload: Uint8Array): Errno | undefined {
    if ((flags & ack) !== 0) {
      this.#owesAck = false;
      this.#unackedSegments = 0;
      if (this.#ackTimer !== undefined) {
        this.#ackTimer.cancel();
        this.#ackTimer = undefined;
      }
    }
    const { local, remote } = this;
    const transport: TcpSegment = {
      protocol: 'tcp',
      sourcePort: local.port,
      destinationPort: remote.port,
      flags,
      sequence,
      acknowledgment: (flags & ack) !== 0 ? this.#nextExpected : 0,
      payload,
      ...(this.#md5Key === undefined ? {} : { md5Key: this.#md5Key }),
      ...((flags & syn) === 0 ? {} : { mss: this.#mss }),
    };
    const packet: Packet = { source: local.ip, destination: remote.ip, ttl: this.#ttl, flowLabel: this.#flowLabel, transport };
    // An IPv4 packet of a socket must come from an address that the host still has (ip_route_output_key).
    if (local.ip.family === 4 && this.#namespace.routes.localDevice(local.ip) === undefined) {
      this.#namespace.network.dispose(packet, this.#namespace, 'no-route', 'the source address is gone');
      return 'EINVAL';
    }
    return this.#namespace.ip.send(packet, this.#sendOptions);
  }

  #arm(afterMs: number): void {
    this.#timer = this.#namespace.network.clock.schedule(afterMs, () => this.#expire());
  }

  #expire(): void {
    this.#timer = undefined;
    const oldest = this.#sent[0];
    if (oldest === undefined || this.state === 'CLOSED') return;
    const leftMs = this.#rtoMs - (this.#namespace.network.clock.now() - oldest.sentAt);
    if (leftMs > 0.001) {
      this.#arm(leftMs);
      return;
    }
    if (this.#retries >= this.#retryLimit()) {
      if (this.state === 'SYN-RECEIVED') this.vanish();
      else this.fail(this.#softError ?? 'ETIMEDOUT');
      return;
    }
    this.#retries++;
    this.#rtoMs = Math.min(this.#rtoMs * 2, maxRtoMs);
    this.#repeat();
  }

  #retryLimit(): number {
    const { sysctl } = this.#namespace;
    if (this.state === 'SYN-SENT') return sysctl.number('net.ipv4.tcp_syn_retries');
    return sysctl.number(this.state === 'SYN-RECEIVED' ? 'net.ipv4.tcp_synack_retries' : 'net.ipv4.tcp_retries2');
  }

  /** Sends the oldest unacknowledged segment again. */
  #repeat(): void {
    const oldest = this.#sent[0];
    if (oldest === undefined) return;
    oldest.sentAt = this.#namespace.network.clock.now();
    oldest.isRepeated = true;
    this.#timer?.cancel();
    this.#arm(this.#rtoMs);
    this.#emit(oldest.flags, oldest.sequence, oldest.payload);
  }

  #measure(rttMs: number): void {
    this.#smoothedRttMs = this.#smoothedRttMs === 0 ? rttMs : this.#smoothedRttMs * 0.875 + rttMs * 0.125;
  }

  /** Path MTU discovery: what is on its way goes again in smaller pieces. */
  #shrink(mss: number): void {
    if (mss >= this.#mss) return;
    this.#mss = Math.max(mss, 88);
    const limit = this.#mss - timestampOption;
    const again = this.#sent;
    this.#sent = [];
    for (const sent of again) {
      if (sent.payload.length <= limit) {
        this.#sent.push(sent);
        continue;
      }
      for (let offset = 0; offset < sent.payload.length; offset += limit) {
        const payload = sent.payload.subarray(offset, offset + limit);
        const isLast = offset + limit >= sent.payload.length;
        const sequence = add(sent.sequence, offset);
        const piece = {
          sequence,
          end: add(sequence, payload.length),
          flags: isLast ? sent.flags : ack,
          payload,
          sentAt: sent.sentAt,
          isRepeated: true,
        };
        this.#sent.push(piece);
        this.#emit(piece.flags, sequence, payload);
      }
    }
  }
}

/** icmp_err_convert (IPv4) and icmpv6_err_convert. */
export function errnoOfIcmp(kind: IcmpKind, family: 4 | 6): Errno {
  switch (kind) {
    case 'net-unreachable':
    case 'no-route':
      return 'ENETUNREACH';
    case 'port-unreachable':
    case 'protocol-unreachable':
      return 'ECONNREFUSED';
    case 'admin-prohibited':
      return family === 4 ? 'EHOSTUNREACH' : 'EACCES';
    default:
      return 'EHOSTUNREACH';
  }
}

/** The device that answers to a link-local peer must leave by. */
export function scopeDevice(remote: Endpoint['ip'], device: string): string | undefined {
  return remote.family === 6 && isLinkLocal(remote) ? device : undefined;
}

function add(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}

/** RFC 9293 §3.4: comparison modulo 2^32. */
function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
