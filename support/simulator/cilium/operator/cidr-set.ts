import { contains, ipFromValue, lastAddress, prefixOf } from '../../net/address.ts';
import type { Prefix } from '../../net/types.ts';

const width = (family: 4 | 6) => (family === 4 ? 32 : 128);

/**
 * Hands out equal parts of one network. The search begins after the part that was given last and wraps around, as
 * in the CIDR sets of Kubernetes and of Cilium's operator.
 */
export class CidrSet {
  readonly network: Prefix;
  readonly #maskSize: number;
  readonly #taken = new Set<string>();
  #next = 0n;

  constructor(network: Prefix, maskSize: number) {
    this.network = network;
    this.#maskSize = maskSize;
  }

  get #count(): bigint {
    const bits = this.#maskSize - this.network.length;
    return bits < 0 ? 0n : 1n << BigInt(bits);
  }

  allocate(): Prefix | undefined {
    const count = this.#count;
    const step = 1n << BigInt(width(this.network.family) - this.#maskSize);
    if (BigInt(this.#taken.size) >= count) return undefined;
    for (let tries = 0n; tries < count; tries++) {
      const index = (this.#next + tries) % count;
      const part = prefixOf(ipFromValue(this.network.family, this.network.address.value + index * step), this.#maskSize);
      if (this.#taken.has(part.text)) continue;
      this.#taken.add(part.text);
      this.#next = (index + 1n) % count;
      return part;
    }
    return undefined;
  }

  /** @returns whether the part belongs here and was free */
  occupy(part: Prefix): boolean {
    if (part.length !== this.#maskSize || !contains(this.network, part.address) || !contains(this.network, lastAddress(part))) return false;
    if (this.#taken.has(part.text)) return false;
    this.#taken.add(part.text);
    return true;
  }

  release(part: Prefix): void {
    this.#taken.delete(part.text);
  }
}
