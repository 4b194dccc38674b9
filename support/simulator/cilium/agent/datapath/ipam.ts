import type { Random } from '../../../clock/random.ts';
import { contains, ipFromValue, width } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';

/** A range hands out at most this many addresses (the host-scope allocator keeps a bitmap of 16 bits). */
const largestRange = 65_536n;

/**
 * The host-scope allocator of one pod CIDR: random addresses, without the first and the last of the range. Which ones
 * are free is the node's to know; after a restart the restored endpoints claim theirs again.
 */
export class PodRange {
  readonly prefix: Prefix;
  readonly #random: Random;
  readonly #taken = new Set<Ip>();
  readonly #usable: bigint;

  constructor(prefix: Prefix, random: Random) {
    this.prefix = prefix;
    this.#random = random;
    const size = 1n << BigInt(width(prefix.family) - prefix.length);
    const bounded = size > largestRange ? largestRange : size;
    this.#usable = bounded > 2n ? bounded - 2n : 0n;
  }

  get used(): number {
    return this.#taken.size;
  }

  get free(): number {
    return Number(this.#usable) - this.#taken.size;
  }

  /** @returns undefined when the range is full */
  allocate(): Ip | undefined {
    const usable = Number(this.#usable);
    if (this.#taken.size >= usable) return undefined;
    const start = this.#random.integer(0, usable - 1);
    for (let step = 0; step < usable; step++) {
      const address = ipFromValue(this.prefix.family, this.prefix.address.value + 1n + BigInt((start + step) % usable));
      if (this.claim(address)) return address;
    }
    return undefined;
  }

  /** Takes one address. @returns false when it is taken already or not of this range */
  claim(address: Ip): boolean {
    if (!contains(this.prefix, address) || this.#taken.has(address)) return false;
    this.#taken.add(address);
    return true;
  }

  release(address: Ip): void {
    this.#taken.delete(address);
  }
}
