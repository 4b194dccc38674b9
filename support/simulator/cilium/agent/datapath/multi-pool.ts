import type { SimulatedClock, Timer } from '../../../clock/clock.ts';
import type { Random } from '../../../clock/random.ts';
import { parsePrefix } from '../../../net/address.ts';
import type { Family, Ip, Prefix } from '../../../net/types.ts';
import type { PoolAllocation, PoolRequest } from '../../objects.ts';
import type { CiliumConfig } from '../../types.ts';
import { PodRange } from './ipam.ts';

export const defaultPool = 'default';

/** The CiliumNode is brought up to date at most this often. */
const syncIntervalMs = 15_000;
/** How long somebody who found no address is counted among those who want one. */
const pendingMs = 300_000;

interface Pool {
  ranges: PodRange[];
  /** Given back, but still in the CiliumNode. */
  readonly released: Set<Prefix>;
}

export interface MultiPoolOptions {
  readonly families: readonly Family[];
  /** Addresses of each pool that are held ready (`ipam-multi-pool-pre-allocation`). */
  readonly preAllocation: ReadonlyMap<string, number>;
  readonly clock: SimulatedClock;
  readonly random: Random;
  write(requested: readonly PoolRequest[], allocated: readonly PoolAllocation[]): void;
}

/** Up to the next but one multiple, so that a whole portion is always at hand (neededIPCeil). */
function neededAddresses(count: number, portion: number): number {
  if (portion === 0) return count;
  return (Math.floor(count / portion) + (count % portion > 0 ? 2 : 1)) * portion;
}

/** Addresses of a node's pods in IPAM mode `multi-pool` (pkg/ipam/multipool.go): CIDRs of several pools, which it asks the operator for. */
export class MultiPool {
  readonly #options: MultiPoolOptions;
  readonly #pools = new Map<string, Readonly<Record<Family, Pool>>>();
  /** By pool, family and owner: until when. */
  readonly #pending = new Map<string, number>();
  #isKnown = false;
  #syncedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: MultiPoolOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Every pool that is to be held ready has addresses. */
  get isReady(): boolean {
    return [...this.#options.preAllocation.keys()].every((pool) =>
      this.#options.families.every((family) => this.#pools.get(pool)?.[family].ranges.some(({ free }) => free > 0) === true),
    );
  }

  /** All CIDRs that the node has now. */
  /** How many pools the node has something of. */
  get count(): number {
    return this.#pools.size;
  }

  get cidrs(): readonly Prefix[] {
    return [...this.#pools.values()].flatMap((pool) => [...pool[4].ranges, ...pool[6].ranges].map(({ prefix }) => prefix));
  }

  /** The node's CiliumNode as it is now. */
  nodeUpdated(allocated: readonly PoolAllocation[]): void {
    for (const { pool: name, cidrs = [] } of allocated) {
      const pool = this.#pools.get(name) ?? { 4: { ranges: [], released: new Set() }, 6: { ranges: [], released: new Set() } };
      this.#pools.set(name, pool);
      const prefixes = cidrs.flatMap((text) => parsePrefix(text) ?? []);
      for (const family of this.#options.families)
        this.#update(pool[family], [...new Set(prefixes.filter((cidr) => cidr.family === family))]);
    }
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.#sync();
  }

  /** @returns what the plug-in reports when the pool has none */
  allocate(owner: string, name: string, family: Family): Ip | { readonly error: string } {
    this.#syncSoon();
    const pool = this.#pools.get(name)?.[family];
    const key = `${name} ${family} ${owner}`;
    const address = pool?.ranges.find(({ prefix, free }) => free > 0 && !pool.released.has(prefix))?.allocate();
    if (address === undefined) {
      this.#pending.set(key, this.#options.clock.now() + pendingMs);
      return {
        error:
          pool === undefined
            ? `unable to allocate from pool "${name}" (family ipv${family}): pool not (yet) available`
            : 'all pod CIDR ranges are exhausted',
      };
    }
    this.#pending.delete(key);
    return address;
  }

  /** Takes one address that an endpoint has already. */
  claim(address: Ip): boolean {
    return this.#rangesOf(address.family).some((range) => range.claim(address));
  }

  release(address: Ip): void {
    for (const range of this.#rangesOf(address.family)) range.release(address);
    this.#syncSoon();
  }

  #rangesOf(family: Family): readonly PodRange[] {
    return [...this.#pools.values()].flatMap((pool) => pool[family].ranges);
  }

  #update(pool: Pool, cidrs: readonly Prefix[]): void {
    for (const cidr of pool.released) if (!cidrs.includes(cidr)) pool.released.delete(cidr);
    const kept = pool.ranges.filter(({ prefix, used }) => cidrs.includes(prefix) || used > 0);
    const added = cidrs
      .filter((cidr) => !pool.released.has(cidr) && !kept.some(({ prefix }) => prefix === cidr))
      .map((cidr) => new PodRange(cidr, this.#options.random.stream(`ipam ${cidr.text}`)));
    pool.ranges = [...kept, ...added];
  }

  #syncSoon(): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#options;
    const delayMs = Math.max(0, this.#syncedAt + syncIntervalMs - clock.now());
    this.#timer = clock.schedule(delayMs, () => {
      this.#timer = undefined;
      this.#syncedAt = clock.now();
      this.#sync();
    });
  }

  /** What is wanted of each pool; what is more than that is given back, later CIDRs first. */
  #sync(): void {
    const { clock, families, preAllocation } = this.#options;
    for (const [key, until] of this.#pending) if (until < clock.now()) this.#pending.delete(key);
    const pendingPools = [...this.#pending.keys()].map((key) => key.split(' ')[0] ?? '');
    const names = [...new Set([...this.#pools.keys(), ...pendingPools, ...preAllocation.keys()])].sort();
    const requested: PoolRequest[] = [];
    const allocated: PoolAllocation[] = [];
    for (const name of names) {
      const pool = this.#pools.get(name);
      const wanted = (family: Family): number => {
        if (!families.includes(family)) return 0;
        const used = (pool?.[family].ranges ?? []).reduce((sum, range) => sum + range.used, 0);
        const pending = [...this.#pending.keys()].filter((key) => key.startsWith(`${name} ${family} `)).length;
        const portion = preAllocation.get(name);
        return portion === undefined ? used + pending : neededAddresses(used + pending, portion);
      };
      const needed = { 4: wanted(4), 6: wanted(6) };
      if (needed[4] > 0 || needed[6] > 0)
        requested.push({
          pool: name,
          needed: { ...(needed[4] > 0 ? { 'ipv4-addrs': needed[4] } : {}), ...(needed[6] > 0 ? { 'ipv6-addrs': needed[6] } : {}) },
        });
      if (pool === undefined) continue;
      for (const family of families) giveBack(pool[family], needed[family]);
      const cidrs = families.flatMap((family) => pool[family].ranges.map(({ prefix }) => prefix.text).sort());
      if (cidrs.length === 0) this.#pools.delete(name);
      else allocated.push({ pool: name, cidrs });
    }
    this.#options.write(requested, allocated);
  }
}

/** releaseExcessCIDRsMultiPool: it leaves the ranges in the opposite order. */
function giveBack(pool: Pool, needed: number): void {
  let free = pool.ranges.reduce((sum, range) => sum + range.free, 0);
  const kept: PodRange[] = [];
  for (const range of [...pool.ranges].reverse()) {
    if (range.used === 0 && free - range.free >= needed) {
      pool.released.add(range.prefix);
      free -= range.free;
    } else kept.push(range);
  }
  pool.ranges = kept;
}

/** `ipam-multi-pool-pre-allocation`, as `POOL=COUNT,…`; default: eight addresses of the default pool. */
export function preAllocationOf(config: CiliumConfig): ReadonlyMap<string, number> {
  const portions = (config.get('ipam-multi-pool-pre-allocation') ?? '').split(',').flatMap((part) => {
    const [pool = '', count] = part.trim().split('=');
    return count === undefined ? [] : [[pool, Number(count)] as const];
  });
  return new Map(portions.length > 0 ? portions : [[config.get('ipam-default-ip-pool') ?? defaultPool, 8]]);
}

/** What an agent asks for before it has anything. */
export function firstRequest(config: CiliumConfig, families: readonly Family[]): readonly PoolRequest[] {
  return [...preAllocationOf(config)]
    .filter(([, count]) => count > 0)
    .map(([pool, count]) => ({ pool, needed: Object.fromEntries(families.map((family) => [`ipv${family}-addrs`, count])) }))
    .sort((a, b) => (a.pool < b.pool ? -1 : 1));
}

/** `ipam.cilium.io/ip-pool` and its variants by family, of the pod and then of its namespace. */
export function poolFor(family: Family, ...annotations: readonly (Readonly<Record<string, string>> | undefined)[]): string | undefined {
  for (const own of annotations) {
    const name = own?.[`ipam.cilium.io/ipv${family}-pool`] || own?.['ipam.cilium.io/ip-pool'];
    if (name !== undefined && name !== '') return name;
  }
  return undefined;
}
