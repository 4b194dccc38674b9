import { ipFromValue } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';

/** Free addresses without a gap. */
interface Block {
  from: bigint;
  to: bigint;
  /** By which the heap is ordered: one less than there are addresses, but of a block that a freed address began it is 1. */
  size: bigint;
}

const blockOf = (from: bigint, to: bigint): Block => ({ from, to, size: to - from });
const freed = (value: bigint): Block => ({ from: value, to: value, size: 1n });
const resize = (block: Block) => {
  block.size = block.to - block.from;
};

/**
 * Addresses of one range. Free space is kept as contiguous blocks in a binary min-heap by size, and an address is
 * taken from the low end of the heap's root, i.e. of the smallest block: no next-free cursor, no wrap-around
 * (Cilium `pkg/ipalloc`, 1.15 and later; section 1.7 of the LB-IPAM reference). The heap moves elements exactly as
 * Go's container/heap does, because that decides between blocks of equal size.
 */
export class RangeAllocator<Owner> {
  readonly from: Ip;
  readonly to: Ip;
  readonly #taken = new Map<Ip, Owner>();
  readonly #heap: Block[];

  /** @throws RangeError when the ends are of two families or in the wrong order */
  constructor(from: Ip, to: Ip) {
    if (from.family !== to.family) throw new RangeError("'start' must be the same address family as 'stop'");
    if (from.value > to.value) throw new RangeError("'start' must be less then or equal to 'stop'");
    this.from = from;
    this.to = to;
    this.#heap = [blockOf(from.value, to.value)];
  }

  get size(): bigint {
    return this.to.value - this.from.value + 1n;
  }

  get used(): bigint {
    return BigInt(this.#taken.size);
  }

  get available(): bigint {
    return this.size - this.used;
  }

  has(address: Ip): boolean {
    return address.family === this.from.family && address.value >= this.from.value && address.value <= this.to.value;
  }

  ownerOf(address: Ip): Owner | undefined {
    return this.#taken.get(address);
  }

  isTaken(address: Ip): boolean {
    return this.#taken.has(address);
  }

  entries(): IterableIterator<[Ip, Owner]> {
    return this.#taken.entries();
  }

  /** The next address by the heap; undefined when the range is full. */
  allocateAny(owner: Owner): Ip | undefined {
    const root = this.#heap[0];
    if (root === undefined) return undefined;
    const address = ipFromValue(this.from.family, root.from);
    this.#take(address.value);
    this.#taken.set(address, owner);
    return address;
  }

  /** @returns false when it is out of range or taken */
  allocate(address: Ip, owner: Owner): boolean {
    if (!this.has(address) || this.#taken.has(address)) return false;
    this.#take(address.value);
    this.#taken.set(address, owner);
    return true;
  }

  /** Gives a taken address another owner. */
  update(address: Ip, owner: Owner): void {
    if (this.#taken.has(address)) this.#taken.set(address, owner);
  }

  free(address: Ip): boolean {
    if (!this.#taken.delete(address)) return false;
    this.#put(address.value);
    return true;
  }

  #take(value: bigint): void {
    const index = this.#heap.findIndex((block) => block.from <= value && value <= block.to);
    const block = this.#heap[index];
    if (block === undefined) throw new Error(`address ${value} is neither free nor taken`);
    if (block.from === block.to) {
      this.#remove(index);
    } else if (block.from === value) {
      block.from++;
      resize(block);
      this.#fix(index);
    } else if (block.to === value) {
      block.to--;
      resize(block);
      this.#fix(index);
    } else {
      this.#remove(index);
      this.#push(blockOf(block.from, value - 1n));
      this.#push(blockOf(value + 1n, block.to));
    }
  }

  /**
   * The real list is walked from the root towards the address. The block that grows is reached from its near side;
   * growing to the left leaves the heap as it is, growing to the right restores it at the number of steps walked.
   */
  #put(value: bigint): void {
    const root = this.#heap[0];
    if (root === undefined) {
      this.#push(freed(value));
      return;
    }
    const byAddress = this.#heap.toSorted((a, b) => (a.from < b.from ? -1 : 1));
    const after = byAddress.findIndex((block) => block.from > value);
    const right = after < 0 ? undefined : byAddress[after];
    const left = after < 0 ? byAddress.at(-1) : byAddress[after - 1];
    const start = byAddress.indexOf(root);
    const rootIsRight = root.from > value;
    const touchesRight = right !== undefined && right.from - 1n === value;
    const touchesLeft = left !== undefined && left.to + 1n === value;
    // Coming from the right the right neighbour is met first, and the other way round.
    const growsRightBlock = touchesRight && (rootIsRight || !touchesLeft);
    if (growsRightBlock && right !== undefined) {
      right.from = value;
      resize(right);
      if (touchesLeft && left !== undefined) this.#merge(left, right);
    } else if (touchesLeft && left !== undefined) {
      left.to = value;
      resize(left);
      const steps = Math.abs(byAddress.indexOf(left) - start);
      if (steps < this.#heap.length) this.#fix(steps);
      if (touchesRight && right !== undefined) this.#merge(left, right);
    } else {
      this.#push(freed(value));
    }
  }

  #merge(left: Block, right: Block): void {
    this.#remove(this.#heap.indexOf(left));
    this.#remove(this.#heap.indexOf(right));
    this.#push(blockOf(left.from, right.to));
  }

  #less(a: number, b: number): boolean {
    return (this.#heap[a] as Block).size < (this.#heap[b] as Block).size;
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b] as Block, heap[a] as Block];
  }

  #push(block: Block): void {
    this.#heap.push(block);
    this.#up(this.#heap.length - 1);
  }

  #remove(index: number): void {
    const last = this.#heap.length - 1;
    if (last !== index) {
      this.#swap(index, last);
      if (!this.#down(index, last)) this.#up(index);
    }
    this.#heap.pop();
  }

  #fix(index: number): void {
    if (!this.#down(index, this.#heap.length)) this.#up(index);
  }

  #up(start: number): void {
    let index = start;
    for (;;) {
      const parent = Math.trunc((index - 1) / 2);
      if (parent === index || index <= 0 || !this.#less(index, parent)) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  #down(start: number, length: number): boolean {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= length) break;
      const child = left + 1 < length && this.#less(left + 1, left) ? left + 1 : left;
      if (!this.#less(child, index)) break;
      this.#swap(index, child);
      index = child;
    }
    return index > start;
  }
}
