import type { Random } from '../../../clock/random.ts';
import type { Ip } from '../../../net/types.ts';
import { keyOf, reverseOf, type Tuple } from './tuple.ts';

interface Mapping {
  readonly ip: Ip;
  readonly port: number;
  readonly original: Tuple;
  readonly key: string;
  readonly reverseKey: string;
  readonly createdAt: number;
  usedAt: number;
}

/** Ports of translated connections: above the NodePort range. */
const lowPort = 32_768;
const highPort = 65_535;
const idleMs = 21_600_000;
const sweepEvery = 4096;

/** The source NAT map of one node (`cilium_snat_v4_external`): masquerading, remote backends and egress gateway alike. */
export class NatTable {
  readonly #forward = new Map<string, Mapping>();
  readonly #reverse = new Map<string, Mapping>();
  readonly #random: Random;
  #sinceSweep = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#forward.size;
  }

  get mappings(): readonly Pick<Mapping, 'ip' | 'port' | 'original' | 'createdAt'>[] {
    return [...this.#forward.values()];
  }

  /**
   * The source that a packet takes on its way out: the one that its connection has, or a new one with the packet's
   * own port where that is in the range and free.
   * @returns undefined when no port is left (`No mapping for NAT masquerade`)
   */
  translate(tuple: Tuple, to: Ip, now: number): { readonly ip: Ip; readonly port: number } | undefined {
    const key = keyOf(tuple);
    const known = this.#forward.get(key);
    if (known !== undefined && known.ip === to) {
      known.usedAt = now;
      return known;
    }
    if (known !== undefined) this.#remove(known);
    let port = tuple.sourcePort >= lowPort && tuple.sourcePort <= highPort ? tuple.sourcePort : this.#random.integer(lowPort, highPort);
    for (let attempt = 0; attempt < 128; attempt++) {
      const reverseKey = keyOf(reverseOf({ ...tuple, source: to, sourcePort: port }));
      if (!this.#reverse.has(reverseKey)) {
        const mapping: Mapping = { ip: to, port, original: tuple, key, reverseKey, createdAt: now, usedAt: now };
        this.#forward.set(key, mapping);
        this.#reverse.set(reverseKey, mapping);
        if (++this.#sinceSweep >= sweepEvery) this.#sweep(now);
        return mapping;
      }
      port = this.#random.integer(lowPort, highPort);
    }
    return undefined;
  }

  /** The connection that a packet answers; undefined when none was translated so. */
  original(tuple: Tuple, now: number): Tuple | undefined {
    const mapping = this.#reverse.get(keyOf(tuple));
    if (mapping === undefined) return undefined;
    mapping.usedAt = now;
    return mapping.original;
  }

  #remove(mapping: Mapping): void {
    this.#forward.delete(mapping.key);
    this.#reverse.delete(mapping.reverseKey);
  }

  #sweep(now: number): void {
    this.#sinceSweep = 0;
    for (const mapping of this.#forward.values()) if (now - mapping.usedAt > idleMs) this.#remove(mapping);
  }
}

/** Where a packet of a load balanced connection came to before it was sent to its backend. */
interface ServiceConnection {
  readonly frontendIp: Ip;
  readonly frontendPort: number;
  readonly backendIp: Ip;
  readonly backendPort: number;
  readonly frontendId: number;
  usedAt: number;
}

/** Connections that the per-packet load balancer has placed: client to frontend, and back. */
export class ServiceConnections {
  readonly #forward = new Map<string, ServiceConnection>();
  readonly #reverse = new Map<string, ServiceConnection>();
  #sinceSweep = 0;

  find(tuple: Tuple, now: number): ServiceConnection | undefined {
    const connection = this.#forward.get(keyOf(tuple));
    if (connection !== undefined) connection.usedAt = now;
    return connection;
  }

  add(tuple: Tuple, backend: { readonly ip: Ip; readonly port: number }, frontendId: number, now: number): void {
    const connection: ServiceConnection = {
      frontendIp: tuple.destination,
      frontendPort: tuple.destinationPort,
      backendIp: backend.ip,
      backendPort: backend.port,
      frontendId,
      usedAt: now,
    };
    this.#forward.set(keyOf(tuple), connection);
    this.#reverse.set(keyOf(reverseOf({ ...tuple, destination: backend.ip, destinationPort: backend.port })), connection);
    if (++this.#sinceSweep >= sweepEvery) this.#sweep(now);
  }

  /** A client that is its own backend: the backend answers to the loopback's address. */
  addLoopback(tuple: Tuple, backend: { readonly ip: Ip; readonly port: number }, loopback: Ip, frontendId: number, now: number): void {
    const connection: ServiceConnection = {
      frontendIp: tuple.destination,
      frontendPort: tuple.destinationPort,
      backendIp: backend.ip,
      backendPort: backend.port,
      frontendId,
      usedAt: now,
    };
    this.#reverse.set(keyOf(reverseOf({ ...tuple, source: loopback, destination: backend.ip, destinationPort: backend.port })), connection);
  }

  remove(tuple: Tuple): void {
    this.#forward.delete(keyOf(tuple));
  }

  /** The frontend in whose name a backend's packet to its client goes out. */
  frontendOf(tuple: Tuple, now: number): { readonly frontendIp: Ip; readonly frontendPort: number } | undefined {
    if (this.#reverse.size === 0) return undefined;
    const connection = this.#reverse.get(keyOf(tuple));
    if (connection !== undefined) connection.usedAt = now;
    return connection;
  }

  #sweep(now: number): void {
    this.#sinceSweep = 0;
    for (const map of [this.#forward, this.#reverse])
      for (const [key, connection] of map) if (now - connection.usedAt > idleMs) map.delete(key);
  }
}
