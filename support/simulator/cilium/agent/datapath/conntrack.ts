import { type Packet, tcpFlag } from '../../../net/types.ts';
import type { DatapathConfig } from './config.ts';
import { keyOf, reverseOf, type Tuple } from './tuple.ts';

export type ConntrackStatus = 'new' | 'established' | 'reply' | 'related';

export interface ConntrackResult {
  readonly status: ConntrackStatus;
  /** Whether a trace of this packet goes to the monitor (aggregation by connection, `monitor-aggregation: medium`). */
  readonly isReported: boolean;
  readonly entry: ConntrackEntry;
}

export interface ConntrackEntry {
  rxFlags: number;
  txFlags: number;
  lastRxReport: number;
  lastTxReport: number;
  isRxClosing: boolean;
  isTxClosing: boolean;
  hasSeenNonSyn: boolean;
  expiresAt: number;
}

/** Seconds; the agent's defaults for `bpf-ct-timeout-*`. */
const lifetimes = { tcp: 21_600, other: 60, syn: 60, close: 10 } as const;

/** Entries are swept when the table has grown by this many since the last time. */
const sweepEvery = 4096;

/**
 * The connection tracking map of one node: one entry for a connection that leaves an endpoint and one for one that
 * enters it. Which packets are reported follows the map's own rule (Cilium's conntrack code; seen in the reference
 * recordings): the first of a connection, one with a TCP flag not seen before in its direction, every FIN and RST,
 * every packet after both sides closed, and one in each reporting interval.
 */
export class Conntrack {
  readonly #entries = new Map<string, ConntrackEntry>();
  readonly #interval: number;
  readonly #reportsAll: boolean;
  #sinceSweep = 0;

  constructor(config: Pick<DatapathConfig, 'monitorAggregation' | 'monitorIntervalSeconds'>) {
    this.#interval = config.monitorIntervalSeconds * 1000;
    this.#reportsAll = config.monitorAggregation === 'none' || config.monitorAggregation === 'low';
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What has not expired, by the words of its key: direction, protocol, source, destination. */
  entries(now: number): readonly (readonly [readonly string[], ConntrackEntry])[] {
    return [...this.#entries].filter(([, entry]) => entry.expiresAt > now).map(([key, entry]) => [key.split(' '), entry]);
  }

  /** What is known of a packet that enters (`in`) or leaves (`out`) an endpoint; updates the entry, creates none. */
  peek(tuple: Tuple, direction: 'in' | 'out', now: number): 'new' | 'established' | 'reply' {
    if (this.#get(`${direction === 'in' ? 'out' : 'in'} ${keyOf(reverseOf(tuple))}`, now) !== undefined) return 'reply';
    return this.#get(`${direction} ${keyOf(tuple)}`, now) === undefined ? 'new' : 'established';
  }

  /** Looks the packet up, updates or creates the entry. */
  track(packet: Packet, tuple: Tuple, direction: 'in' | 'out', now: number): ConntrackResult {
    const { transport } = packet;
    const isTcp = transport.protocol === 'tcp';
    const flags = isTcp ? transport.flags : 0;
    const replyEntry = this.#get(`${direction === 'in' ? 'out' : 'in'} ${keyOf(reverseOf(tuple))}`, now);
    if (replyEntry !== undefined)
      return { status: 'reply', isReported: this.#update(replyEntry, direction, isTcp, flags, now), entry: replyEntry };
    const key = `${direction} ${keyOf(tuple)}`;
    const known = this.#get(key, now);
    if (known !== undefined) return { status: 'established', isReported: this.#update(known, direction, isTcp, flags, now), entry: known };
    const entry: ConntrackEntry = {
      rxFlags: direction === 'in' ? flags : 0,
      txFlags: direction === 'out' ? flags : 0,
      lastRxReport: direction === 'in' ? now : 0,
      lastTxReport: direction === 'out' ? now : 0,
      isRxClosing: false,
      isTxClosing: false,
      hasSeenNonSyn: isTcp && (flags & tcpFlag.syn) === 0,
      expiresAt: now + 1000 * (isTcp ? ((flags & tcpFlag.syn) === 0 ? lifetimes.tcp : lifetimes.syn) : lifetimes.other),
    };
    this.#entries.set(key, entry);
    if (++this.#sinceSweep >= sweepEvery) this.#sweep(now);
    return { status: 'new', isReported: true, entry };
  }

  #get(key: string, now: number): ConntrackEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > now) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #update(entry: ConntrackEntry, direction: 'in' | 'out', isTcp: boolean, flags: number, now: number): boolean {
    let isReported = true;
    if (!entry.isRxClosing || !entry.isTxClosing) {
      if (isTcp) entry.hasSeenNonSyn ||= (flags & tcpFlag.syn) === 0;
      entry.expiresAt = now + 1000 * (!isTcp ? lifetimes.other : entry.hasSeenNonSyn ? lifetimes.tcp : lifetimes.syn);
      isReported = this.#report(entry, direction, flags, now);
    }
    if (isTcp && (flags & (tcpFlag.fin | tcpFlag.rst)) !== 0) {
      const hasBothSyns = (entry.rxFlags & entry.txFlags & tcpFlag.syn) !== 0;
      if ((flags & tcpFlag.rst) !== 0 && !hasBothSyns) {
        entry.isRxClosing = true;
        entry.isTxClosing = true;
      } else if (direction === 'in') entry.isRxClosing = true;
      else entry.isTxClosing = true;
      isReported = true;
      if (entry.isRxClosing && entry.isTxClosing) {
        entry.expiresAt = now + 1000 * lifetimes.close;
        this.#report(entry, direction, flags, now);
      }
    } else if (isTcp && (flags & tcpFlag.syn) !== 0 && (entry.isRxClosing || entry.isTxClosing)) {
      // The ports are used anew: the entry opens again.
      entry.isRxClosing = false;
      entry.isTxClosing = false;
      entry.rxFlags = 0;
      entry.txFlags = 0;
      entry.hasSeenNonSyn = false;
      entry.expiresAt = now + 1000 * lifetimes.syn;
      this.#report(entry, direction, flags, now);
      isReported = true;
    }
    return isReported || this.#reportsAll;
  }

  #report(entry: ConntrackEntry, direction: 'in' | 'out', flags: number, now: number): boolean {
    const isIn = direction === 'in';
    const accumulated = isIn ? entry.rxFlags : entry.txFlags;
    const seen = accumulated | flags;
    if (seen === accumulated && (isIn ? entry.lastRxReport : entry.lastTxReport) + this.#interval >= now) return false;
    if (isIn) {
      entry.rxFlags = seen;
      entry.lastRxReport = now;
    } else {
      entry.txFlags = seen;
      entry.lastTxReport = now;
    }
    return true;
  }

  #sweep(now: number): void {
    this.#sinceSweep = 0;
    for (const [key, entry] of this.#entries) if (entry.expiresAt <= now) this.#entries.delete(key);
  }
}

/** Of the frame that carries a packet: TCP with the options that Linux sends (20 bytes with a SYN, else the timestamps). */
export function frameLength({ source, transport }: Packet): number {
  const network = 14 + (source.family === 4 ? 20 : 40);
  if (transport.protocol === 'icmp') return network + 64;
  if (transport.protocol === 'udp') return network + 8 + transport.payload.length;
  return network + ((transport.flags & tcpFlag.syn) === 0 ? 32 : 40) + transport.payload.length;
}
