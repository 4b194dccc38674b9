import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Errno, Ip, TcpConnection } from '../net/types.ts';
import { concatenate } from './bytes.ts';
import type { Capability } from './capabilities.ts';
import { decode, encode, type Message, MessageError, MessageStream, type OpenMessage } from './message.ts';
import type { BgpFamily, BgpImplementation } from './types.ts';

export interface MessageCounters {
  opensSent: number;
  opensReceived: number;
  notificationsSent: number;
  notificationsReceived: number;
  updatesSent: number;
  updatesReceived: number;
  keepalivesSent: number;
  keepalivesReceived: number;
  refreshesSent: number;
  refreshesReceived: number;
}

export function zeroCounters(): MessageCounters {
  return {
    opensSent: 0,
    opensReceived: 0,
    notificationsSent: 0,
    notificationsReceived: 0,
    updatesSent: 0,
    updatesReceived: 0,
    keepalivesSent: 0,
    keepalivesReceived: 0,
    refreshesSent: 0,
    refreshesReceived: 0,
  };
}

const sentCounter = {
  open: 'opensSent',
  update: 'updatesSent',
  notification: 'notificationsSent',
  keepalive: 'keepalivesSent',
  'route-refresh': 'refreshesSent',
} as const;
const receivedCounter = {
  open: 'opensReceived',
  update: 'updatesReceived',
  notification: 'notificationsReceived',
  keepalive: 'keepalivesReceived',
  'route-refresh': 'refreshesReceived',
} as const;

/** FRR's `wpkt_quanta` (bgp_io.c). */
const messagesPerWrite = 64;

/** Why a connection ended. */
export type Ending =
  | { readonly kind: 'notification-sent' | 'notification-received'; readonly code: number; readonly subcode: number }
  | { readonly kind: 'closed'; readonly errno?: Errno };

export interface ConnectionOwner {
  readonly clock: SimulatedClock;
  readonly implementation: BgpImplementation;
  onMessage(connection: Connection, message: Message): void;
  onEnded(connection: Connection, ending: Ending): void;
}

/** One TCP connection that carries BGP: message framing, counters, hold and keepalive timers. */
export class Connection {
  readonly tcp: TcpConnection;
  readonly isIncoming: boolean;
  readonly counters: MessageCounters = zeroCounters();
  phase: 'OpenSent' | 'OpenConfirm' | 'Established' | 'Closed' = 'OpenSent';
  sentCapabilities: readonly Capability[] = [];
  peerOpen: OpenMessage | undefined;
  peerAsn = 0;
  families: ReadonlySet<BgpFamily> = new Set();
  hasExtendedNextHop = false;
  holdTimeSeconds = 0;
  keepaliveSeconds = 0;
  lastReadAt: number | undefined;
  lastWriteAt: number | undefined;
  lastUpdateAt: number | undefined;
  readonly #owner: ConnectionOwner;
  readonly #stream = new MessageStream();
  #isFourOctetAs = true;
  #hold: Timer | undefined;
  #keepalive: Timer | undefined;
  #keepaliveAt = 0;

  constructor(tcp: TcpConnection, isIncoming: boolean, owner: ConnectionOwner) {
    this.tcp = tcp;
    this.isIncoming = isIncoming;
    this.#owner = owner;
    tcp.handlers = {
      onData: (bytes) => this.#receive(bytes),
      onEnd: () => this.#lost(undefined),
      onClose: (errno) => this.#lost(errno),
    };
  }

  get remoteRouterId(): Ip | undefined {
    return this.peerOpen?.routerId;
  }

  get receivedCapabilities(): readonly Capability[] {
    return this.peerOpen?.parameters.flat() ?? [];
  }

  send(message: Message): void {
    if (this.phase === 'Closed') return;
    this.tcp.send(this.#encode(message));
  }

  /** What is ready goes in one write: FRR's bgp_write takes up to 64 messages; gobgp writes each. */
  sendAll(messages: readonly Message[]): void {
    if (this.#owner.implementation === 'gobgp') {
      for (const message of messages) this.send(message);
      return;
    }
    for (let index = 0; index < messages.length && this.phase !== 'Closed'; index += messagesPerWrite)
      this.tcp.send(concatenate(messages.slice(index, index + messagesPerWrite).map((message) => this.#encode(message))));
  }

  #encode(message: Message): Uint8Array {
    this.counters[sentCounter[message.type]]++;
    this.lastWriteAt = this.#owner.clock.now();
    return encode(message, { implementation: this.#owner.implementation, isFourOctetAs: this.#isFourOctetAs });
  }

  /** Sends a NOTIFICATION, closes, and reports it. */
  notify(code: number, subcode: number, data: Uint8Array = new Uint8Array()): void {
    if (this.phase === 'Closed') return;
    this.send({ type: 'notification', code, subcode, data });
    this.close('orderly');
    this.#owner.onEnded(this, { kind: 'notification-sent', code, subcode });
  }

  /** Closes without a report. */
  close(how: 'orderly' | 'reset'): void {
    if (this.phase === 'Closed') return;
    this.phase = 'Closed';
    this.#hold?.cancel();
    this.#keepalive?.cancel();
    this.tcp.handlers = {};
    if (how === 'orderly') this.tcp.end();
    else this.tcp.abort();
  }

  setFourOctetAs(isFourOctetAs: boolean): void {
    this.#isFourOctetAs = isFourOctetAs;
  }

  /** RFC 4271 §8.2.2 starts with a large hold time, four minutes. */
  armHold(seconds: number): void {
    this.#hold?.cancel();
    this.#hold = undefined;
    if (seconds === 0) return;
    this.#hold = this.#owner.clock.schedule(seconds * 1000, () => this.notify(4, 0));
  }

  startKeepalives(): void {
    if (this.keepaliveSeconds === 0) return;
    this.#keepaliveAt = this.#owner.clock.now();
    this.#scheduleKeepalive();
  }

  #scheduleKeepalive(): void {
    this.#keepaliveAt += this.keepaliveSeconds * 1000;
    this.#keepalive = this.#owner.clock.schedule(this.#keepaliveAt - this.#owner.clock.now(), () => {
      this.send({ type: 'keepalive' });
      this.#scheduleKeepalive();
    });
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#stream.push(bytes);
      for (;;) {
        // Asked anew each time: handling a message may close the connection.
        if ((this.phase as string) === 'Closed') return;
        const raw = this.#stream.next();
        if (raw === undefined) return;
        const message = decode(raw, { isFourOctetAs: this.#isFourOctetAs });
        // FRR counts a NOTIFICATION as it arrives and again as it is read (bgp_packet.c).
        this.counters[receivedCounter[message.type]] += message.type === 'notification' && this.#owner.implementation === 'frr' ? 2 : 1;
        this.lastReadAt = this.#owner.clock.now();
        if (message.type === 'update') this.lastUpdateAt = this.lastReadAt;
        if (this.phase === 'Established' && (message.type === 'keepalive' || message.type === 'update')) this.armHold(this.holdTimeSeconds);
        if (message.type === 'notification') {
          this.close('orderly');
          this.#owner.onEnded(this, { kind: 'notification-received', code: message.code, subcode: message.subcode });
          return;
        }
        this.#owner.onMessage(this, message);
      }
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.notify(error.code, error.subcode, error.data);
    }
  }

  #lost(errno: Errno | undefined): void {
    if (this.phase === 'Closed') return;
    this.close('orderly');
    this.#owner.onEnded(this, { kind: 'closed', ...(errno === undefined ? {} : { errno }) });
  }
}
