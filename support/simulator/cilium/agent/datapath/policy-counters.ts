import type { Packet } from '../../../net/types.ts';
import { frameLength } from './conntrack.ts';
import type { PolicyMatch, PolicySubject } from './policy.ts';

export interface PolicyCount {
  packets: number;
  bytes: number;
}

type Direction = 'INGRESS' | 'EGRESS';

/** Packets and bytes by entry of a policy map. Without a policy all goes through one entry of each direction. */
export class PolicyCounters {
  readonly #ofEndpoint = new Map<number, Map<string, PolicyCount>>();

  count(endpoint: number, direction: Direction, match: PolicyMatch, subject: PolicySubject | undefined, packet: Packet): void {
    if (match === 'none') return;
    const hasPeer = match.startsWith('L3');
    const key = counterKey(
      direction,
      hasPeer ? (subject?.identity.id ?? 0) : 0,
      subject === undefined || match === 'all' || match === 'L3-Only' ? 'any' : subject.protocol,
      match === 'L3-L4' || match === 'L4-Only' ? (subject?.icmpType ?? subject?.port ?? 0) : 0,
    );
    let counts = this.#ofEndpoint.get(endpoint);
    if (counts === undefined) {
      counts = new Map();
      this.#ofEndpoint.set(endpoint, counts);
    }
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { packets: 1, bytes: frameLength(packet) });
    else {
      known.packets++;
      known.bytes += frameLength(packet);
    }
  }

  forget(endpoint: number): void {
    this.#ofEndpoint.delete(endpoint);
  }

  /** Of the ports `low` to `high`. */
  get(endpoint: number, direction: Direction, identity: number, protocol: string, low: number, high: number): Readonly<PolicyCount> {
    const sum: PolicyCount = { packets: 0, bytes: 0 };
    const prefix = counterKey(direction, identity, protocol, '');
    for (const [key, { packets, bytes }] of this.#ofEndpoint.get(endpoint) ?? []) {
      if (!key.startsWith(prefix)) continue;
      const port = Number(key.slice(prefix.length));
      if (port < low || port > high) continue;
      sum.packets += packets;
      sum.bytes += bytes;
    }
    return sum;
  }
}

function counterKey(direction: Direction, identity: number, protocol: string, port: number | ''): string {
  return `${direction} ${identity} ${protocol} ${port}`;
}
