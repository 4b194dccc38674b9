import { decode, MessageStream } from '../bgp/message.ts';
import { type NetworkInterface, tcpFlag } from '../net/types.ts';

/** One segment of a BGP session that says something: an acknowledgement alone does not. */
interface Segment {
  /** In seconds. */
  readonly at: number;
  readonly from: 'node' | 'router';
  /** `SYN`, `SYN, ACK`, `closed` (FIN or RST), or names of messages. */
  readonly says: string;
  readonly bytes: number;
  /** TCP sends it again. */
  readonly isRepeat?: true;
}

/**
 * Segments that follow each other without a pause, by sender: which side's segment is first among them is a matter of microseconds, and so
 * is how messages share segments and whether an end meets unread bytes (RST) or not (FIN).
 */
export interface Burst {
  readonly at: number;
  readonly node: string;
  readonly router: string;
}

const keepaliveBytes = 19;
/** Ethernet, IPv6, and TCP with timestamps. */
const headerBytes = 86;

/** Lines of `tshark` as they were recorded, without what TCP sends to keep itself alive. */
export function recordedSegments(text: string): readonly Segment[] {
  return text.split('\n').flatMap((line): readonly Segment[] => {
    const [, at, source = '', protocol, size, rest = ''] = /^ *\d+ (\S+) (\S+) → \S+ (TCP|BGP) (\d+) (.*)$/.exec(line) ?? [];
    const from = source.endsWith('::1') ? 'router' : 'node';
    const bytes = Number(size) - headerBytes;
    if (protocol === undefined || /\[TCP (?!Retr)/.test(rest)) return [];
    if (rest.includes('[TCP Retransmission]')) return [{ at: Number(at), from, says: '', bytes, isRepeat: true }];
    if (protocol === 'BGP') return [{ at: Number(at), from, says: rest.replaceAll(' Message', ''), bytes }];
    const flags = /\[([A-Z, ]+)\] Seq/.exec(rest)?.[1] ?? '';
    if (flags === 'ACK') return [];
    return [{ at: Number(at), from, says: /FIN|RST/.test(flags) ? 'closed' : flags, bytes: 0 }];
  });
}

/** The same on a node's end of a simulated link, from the moment it is made. */
export class Capture {
  readonly #segments: Segment[] = [];
  readonly #streams = { node: new MessageStream(), router: new MessageStream() };
  readonly #sent = { node: new Set<number>(), router: new Set<number>() };

  constructor(device: NetworkInterface, now: () => number) {
    device.namespace.network.onFrame(({ device: at, direction, frame }) => {
      if (at !== device || frame.content.kind !== 'ip' || frame.content.packet.transport.protocol !== 'tcp') return;
      const { flags, payload, sequence } = frame.content.packet.transport;
      const from = direction === 'out' ? 'node' : 'router';
      const put = (says: string): void => void this.#segments.push({ at: now(), from, says, bytes: payload.length });
      const isRepeat = this.#sent[from].has(sequence);
      if (payload.length > 0 && isRepeat) this.#segments.push({ at: now(), from, says: '', bytes: payload.length, isRepeat });
      else if (payload.length > 0) {
        this.#sent[from].add(sequence);
        this.#streams[from].push(payload);
        const names: string[] = [];
        for (let raw = this.#streams[from].next(); raw !== undefined; raw = this.#streams[from].next())
          names.push(decode(raw, { isFourOctetAs: true }).type.toUpperCase());
        put(names.join(', '));
      }
      if ((flags & (tcpFlag.fin | tcpFlag.rst)) !== 0) put('closed');
      else if ((flags & tcpFlag.syn) !== 0) put((flags & tcpFlag.ack) === 0 ? 'SYN' : 'SYN, ACK');
    });
  }

  /** Those between two seconds. */
  segments(from: number, to: number): readonly Segment[] {
    return this.#segments.filter(({ at }) => at >= from && at <= to);
  }
}

/** The seconds between the times at which a side that hears nothing sends the same again. */
export function waitsOf(segments: readonly Segment[], from: Segment['from']): readonly number[] {
  const times = segments.filter((segment) => segment.from === from && segment.isRepeat === true).map(({ at }) => at);
  return times.slice(1).map((at, index) => at - (times[index] as number));
}

export function burstsOf(segments: readonly Segment[], pauseSeconds = 0.1): readonly Burst[] {
  const bursts: Segment[][] = [];
  for (const segment of segments) {
    if (segment.isRepeat === true) continue;
    const last = bursts.at(-1);
    if (last === undefined || segment.at - (last.at(-1)?.at ?? 0) > pauseSeconds) bursts.push([segment]);
    else last.push(segment);
  }
  return bursts.map((all) => {
    const [{ at }] = all as [Segment];
    const side = (from: Segment['from']): string => {
      const own = all.filter((each) => each.from === from);
      // The side that heard the end closes too, by FIN or not at all.
      const isClosed = all.some(({ says }) => says === 'closed');
      let words = own.map(({ says }) => says).filter((says) => says !== 'closed');
      let bytes = own.reduce((sum, each) => sum + each.bytes, 0);
      // Whether a KEEPALIVE still went out when the other side's NOTIFICATION was on its way.
      if (all.some((each) => each.from !== from && each.says === 'NOTIFICATION')) {
        const without = words.map((says) => says.replace(/(?:, )?KEEPALIVE$/, '')).filter((says) => says !== '');
        if (without.join() !== words.join()) bytes -= keepaliveBytes;
        words = without;
      }
      return [...words, ...(bytes === 0 ? [] : [`${bytes} bytes`]), ...(isClosed ? ['closed'] : [])].join(', ');
    };
    return { at, node: side('node'), router: side('router') };
  });
}
