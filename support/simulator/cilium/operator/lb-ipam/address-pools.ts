import type { Condition } from '../../../kubernetes/objects.ts';
import type { Ip } from '../../../net/types.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import { type Labels, selectorProblem, selects } from '../../selector.ts';
import type { CiliumVersion } from '../../types.ts';
import { withCondition } from './conditions.ts';
import { type AddressRange, blocksOf, isSameRange, overlap, rangeOfBlock, reservedEnds, reservesEnds } from './pool-ranges.ts';
import type { Quirks } from './quirks.ts';
import { RangeAllocator } from './range-allocator.ts';

export interface Range<Service> {
  readonly pool: string;
  readonly from: Ip;
  readonly to: Ip;
  /** Each address with the services that have it: none when the pool keeps the address back. */
  readonly allocator: RangeAllocator<readonly Service[]>;
  /** The pool's `disabled`. */
  isDisabled: boolean;
  /** The pool was in conflict while it had this range. */
  isConflicting: boolean;
}

export interface Pool<Service> {
  object: LoadBalancerIpPool;
  readonly order: number;
  ranges: Range<Service>[];
  conditions: readonly Condition[];
  /** How many of its three counts may be written: all, but for a pool whose last change could not be used. */
  counts: number;
}

export type Log = (level: 'info' | 'warning' | 'error', message: string, fields: Readonly<Record<string, string>>) => void;

/** A pool's selector that stops the operator from going on with a service. */
export class UnusableSelector extends Error {}

const countTypes = ['IPsTotal', 'IPsAvailable', 'IPsUsed'] as const;

const textOf = (range: Pick<AddressRange, 'from' | 'to'>) => `${range.from.text} - ${range.to.text}`;

/** The pools, their ranges in the order in which addresses are looked for, conflicts between them, and their conditions. */
export class AddressPools<Service> {
  readonly #version: CiliumVersion;
  readonly #quirks: Quirks;
  readonly #now: () => string;
  readonly #log: Log;
  readonly #pools = new Map<string, Pool<Service>>();
  /** Pools whose last change could not be used. */
  readonly #broken = new Set<Pool<Service>>();
  readonly #dirty = new Set<Pool<Service>>();
  #ranges: readonly Range<Service>[] = [];
  #order = 0;

  constructor(version: CiliumVersion, quirks: Quirks, now: () => string, log: Log) {
    this.#version = version;
    this.#quirks = quirks;
    this.#now = now;
    this.#log = log;
  }

  get size(): number {
    return this.#pools.size;
  }

  /** In the order they were added: pools by creation, then their blocks, then later edits. */
  get ranges(): readonly Range<Service>[] {
    return this.#ranges;
  }

  get(name: string): Pool<Service> | undefined {
    return this.#pools.get(name);
  }

  /**
   * Whether addresses of a range may be given to services with these labels.
   * @throws UnusableSelector when the schema lets the selector pass and apimachinery does not
   */
  doesSelect(range: Range<Service>, labels: Labels): boolean {
    const pool = this.#pools.get(range.pool);
    if (pool === undefined) return false;
    const problem = selectorProblem(pool.object.spec?.serviceSelector);
    if (problem !== undefined) {
      const start = this.#quirks.hasCapitalErrors ? 'Making' : 'making';
      throw new UnusableSelector(`${start} selector from pool '${range.pool}' label selector: ${problem}`);
    }
    return selects(pool.object.spec?.serviceSelector, labels, 'all');
  }

  /** @returns whether the pool can be used; blocks before the first that cannot be are in use anyway */
  add(object: LoadBalancerIpPool): boolean {
    const pool: Pool<Service> = { object, order: this.#order++, ranges: [], conditions: object.status?.conditions ?? [], counts: 0 };
    this.#pools.set(object.metadata.name, pool);
    for (const block of blocksOf(object)) {
      const range = rangeOfBlock(block);
      if ('problem' in range) {
        const at = range.stage === 'parse' ? 'rror parsing ip block' : `rror making LB Range for '${block.cidr ?? ''}'`;
        this.#refuse(pool, `handleNewPool: ${this.#quirks.hasCapitalErrors ? 'E' : 'e'}${at}: ${range.problem}`);
        return false;
      }
      this.#addRange(pool, range);
    }
    pool.counts = countTypes.length;
    // Every fresh pool is told to be without conflict, so that kubectl's column is not blank.
    this.#setConflict(pool, undefined);
    return true;
  }

  /**
   * Brings the ranges to what the pool's blocks say now.
   * @param onDropped what to do with the services of a range before the next step
   * @returns whether the pool can be used
   */
  change(pool: Pool<Service>, object: LoadBalancerIpPool, onDropped: (range: Range<Service>) => void): boolean {
    const wasReserving = reservesEnds(pool.object, this.#version);
    const isReserving = reservesEnds(object, this.#version);
    pool.object = object;
    const error = this.#quirks.hasCapitalErrors ? 'handlePoolModified: Error' : 'handlePoolModified: error';
    const wanted: AddressRange[] = [];
    /** How many of them stand before a block without addresses: new ones behind it are not reached. */
    let reached = Number.POSITIVE_INFINITY;
    let unusable: string | undefined;
    for (const block of blocksOf(object)) {
      const range = rangeOfBlock(block);
      if (!('problem' in range)) {
        wanted.push(range);
      } else if (range.stage === 'parse') {
        this.#refuse(pool, `${error} parsing ip block: ${range.problem}`);
        return false;
      } else {
        reached = Math.min(reached, wanted.length);
        unusable ??= `${error} while making new LB range for range '${block.start} - ${block.stop}': ${range.problem}`;
      }
    }
    for (const range of [...pool.ranges]) {
      const same = wanted.find((next) => isSameRange(range, next));
      if (same === undefined) {
        this.#dropRange(pool, range);
        onDropped(range);
      } else if (wasReserving !== isReserving) {
        for (const end of reservedEnds(same)) {
          // Ends are freed whoever has them, and taken when nobody has.
          if (isReserving) range.allocator.allocate(end, []);
          else range.allocator.free(end);
        }
      }
    }
    const kept = [...pool.ranges];
    for (const next of wanted.slice(0, reached)) if (!kept.some((range) => isSameRange(range, next))) this.#addRange(pool, next);
    if (unusable !== undefined) {
      this.#refuse(pool, unusable);
      return false;
    }
    for (const range of pool.ranges) range.isDisabled = object.spec?.disabled === true;
    this.#broken.delete(pool);
    pool.counts = countTypes.length;
    return true;
  }

  removeRange(name: string, range: Range<Service>): void {
    const pool = this.#pools.get(name);
    if (pool !== undefined) this.#dropRange(pool, range);
    this.#pools.delete(name);
  }

  remove(name: string): readonly Range<Service>[] {
    const pool = this.#pools.get(name);
    if (pool === undefined) return [];
    const { ranges } = pool;
    for (const range of ranges) this.#dropRange(pool, range);
    this.#pools.delete(name);
    this.#broken.delete(pool);
    this.#dirty.delete(pool);
    return ranges;
  }

  /** Section 1.12. The later of two overlapping pools is marked; released only when it overlaps no other, marked ones included. */
  settleConflicts(): void {
    // Upstream goes through a map; the order here is that of creation, and of arrival within one second.
    const pools = [...this.#pools.values()].toSorted((a, b) => {
      const [left, right] = [a.object.metadata.creationTimestamp, b.object.metadata.creationTimestamp];
      return left === right ? a.order - b.order : left < right ? -1 : 1;
    });
    const clash = (a: Pool<Service>, b: Pool<Service>) => {
      for (const own of a.ranges) {
        for (const other of b.ranges) if (own !== other && overlap(own, other)) return { own, other };
      }
      return undefined;
    };
    for (const pool of pools) {
      if (isInConflict(pool)) continue;
      let found = clash(pool, pool);
      for (const earlier of pools) {
        if (found !== undefined || earlier === pool) break;
        if (!isInConflict(earlier)) found = clash(pool, earlier);
      }
      if (found !== undefined) this.#setConflict(pool, found);
    }
    for (const pool of pools) {
      if (isInConflict(pool) && !pools.some((other) => clash(pool, other) !== undefined)) this.#setConflict(pool, undefined);
    }
  }

  /** The operator went through everything without an error: pools that it cannot use are counted too. */
  onPass(counts: number = this.#quirks.countsOneByOne ? 1 : countTypes.length): void {
    for (const pool of this.#broken) pool.counts = Math.min(pool.counts + counts, countTypes.length);
  }

  /** Pools whose conditions changed since the last call; counts move, their transition times do not (section 1.13). */
  takeChanged(): readonly Pool<Service>[] {
    for (const pool of this.#pools.values()) this.#count(pool);
    const changed = [...this.#dirty];
    this.#dirty.clear();
    return changed;
  }

  #addRange(pool: Pool<Service>, { from, to, isCidr }: AddressRange): void {
    const range: Range<Service> = {
      pool: pool.object.metadata.name,
      from,
      to,
      allocator: new RangeAllocator(from, to),
      isDisabled: pool.object.spec?.disabled === true,
      isConflicting: false,
    };
    if (reservesEnds(pool.object, this.#version)) for (const end of reservedEnds({ from, to, isCidr })) range.allocator.allocate(end, []);
    pool.ranges.push(range);
    this.#ranges = [...this.#ranges, range];
  }

  #dropRange(pool: Pool<Service>, range: Range<Service>): void {
    pool.ranges = pool.ranges.filter((other) => other !== range);
    this.#ranges = this.#ranges.filter((other) => other !== range);
  }

  #refuse(pool: Pool<Service>, error: string): void {
    this.#log('error', 'pool upsert failed', { error });
    pool.counts = 0;
    this.#broken.add(pool);
  }

  #setConflict(pool: Pool<Service>, found: { readonly own: Range<Service>; readonly other: Range<Service> } | undefined): void {
    for (const range of pool.ranges) range.isConflicting = found !== undefined;
    if (found === undefined) {
      this.#set(pool, 'PoolConflict', 'False', 'resolved', '');
      return;
    }
    const { name } = pool.object.metadata;
    const clash = `conflicts since range '${textOf(found.own)}' overlaps range '${textOf(found.other)}' from IP Pool '${found.other.pool}'`;
    this.#log('warning', `Pool '${name}' ${clash}`, {
      'pool1-name': name,
      'pool1-range': textOf(found.own),
      // Upstream has these two the wrong way round.
      'pool2-name': textOf(found.other),
      'pool2-range': found.other.pool,
    });
    this.#set(pool, 'PoolConflict', 'True', 'cidr_overlap', `Pool ${clash}`);
  }

  #count(pool: Pool<Service>): void {
    if (pool.counts === 0) return;
    let used = 0n;
    let available = 0n;
    for (const { allocator } of pool.ranges) {
      used += allocator.used;
      available += allocator.available;
    }
    const values = [used + available, available, used];
    for (let index = 0; index < pool.counts; index++) {
      this.#set(pool, countTypes[index] ?? 'IPsUsed', 'Unknown', 'noreason', String(values[index]));
    }
  }

  #set(pool: Pool<Service>, type: string, status: Condition['status'], reason: string, message: string): void {
    const value = { type: `cilium.io/${type}`, status, reason, message };
    const conditions = withCondition(pool.conditions, value, pool.object.metadata.generation, this.#now);
    if (conditions === pool.conditions) return;
    pool.conditions = conditions;
    this.#dirty.add(pool);
  }
}

function isInConflict<Service>({ conditions }: Pool<Service>): boolean {
  return conditions.some(({ type, status }) => type === 'cilium.io/PoolConflict' && status === 'True');
}
