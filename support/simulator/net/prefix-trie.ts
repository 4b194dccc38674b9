import { type Address, bitAt, bits, commonBits, prefixOf, width } from './address.ts';
import type { Family, Ip, Prefix } from './types.ts';

/** One prefix of the trie with its value, as a look-up returns it. */
export interface PrefixMatch<T> {
  readonly prefix: Prefix;
  readonly value: T;
}

interface Node<T> {
  readonly prefix: Prefix;
  readonly address: Address;
  readonly length: number;
  hasValue: boolean;
  value: T;
  zero: Node<T> | undefined;
  one: Node<T> | undefined;
}

/** Values by prefix, with longest-prefix match: a path-compressed binary trie for each address family. */
export class PrefixTrie<T> {
  #v4: Node<T> | undefined;
  #v6: Node<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  set(prefix: Prefix, value: T): void {
    const leaf = node<T>(prefix, value);
    const root = this.#root(prefix.family);
    if (root === undefined) {
      this.#setRoot(prefix.family, leaf);
      this.#size++;
      return;
    }
    let parent: Node<T> | undefined;
    let current: Node<T> | undefined = root;
    while (current !== undefined) {
      const common = Math.min(commonBits(current.address, leaf.address), current.length, leaf.length);
      if (common < current.length) {
        this.#replaceChild(prefix.family, parent, current, split(current, leaf, common));
        this.#size++;
        return;
      }
      if (current.length === leaf.length) {
        if (!current.hasValue) this.#size++;
        current.hasValue = true;
        current.value = value;
        return;
      }
      parent = current;
      current = bitAt(leaf.address, current.length) === 0 ? current.zero : current.one;
    }
    attach(parent as Node<T>, leaf);
    this.#size++;
  }

  get(prefix: Prefix): T | undefined {
    const found = this.#find(prefix).found;
    return found?.hasValue ? found.value : undefined;
  }

  has(prefix: Prefix): boolean {
    return this.#find(prefix).found?.hasValue ?? false;
  }

  /** @returns whether the prefix was there */
  delete(prefix: Prefix): boolean {
    const { found, parent, grandparent } = this.#find(prefix);
    if (found === undefined || !found.hasValue) return false;
    this.#size--;
    found.hasValue = false;
    found.value = undefined as T;
    if (found.zero !== undefined && found.one !== undefined) return true;
    this.#replaceChild(prefix.family, parent, found, found.zero ?? found.one);
    // A branching node without a value and with one child left is only in the way.
    if (parent !== undefined && !parent.hasValue && (parent.zero === undefined) !== (parent.one === undefined)) {
      this.#replaceChild(prefix.family, grandparent, parent, parent.zero ?? parent.one);
    }
    return true;
  }

  clear(): void {
    this.#v4 = undefined;
    this.#v6 = undefined;
    this.#size = 0;
  }

  /** The value of the longest prefix that contains the address. */
  longestMatch(ip: Ip): PrefixMatch<T> | undefined {
    const address = bits(ip);
    const limit = width(ip.family);
    let best: Node<T> | undefined;
    let current = this.#root(ip.family);
    while (current !== undefined && commonBits(current.address, address) >= current.length) {
      if (current.hasValue) best = current;
      if (current.length === limit) break;
      current = bitAt(address, current.length) === 0 ? current.zero : current.one;
    }
    return best;
  }

  /** Every prefix that contains the address, longest first. */
  matches(ip: Ip): PrefixMatch<T>[] {
    const address = bits(ip);
    const limit = width(ip.family);
    const found: PrefixMatch<T>[] = [];
    let current = this.#root(ip.family);
    while (current !== undefined && commonBits(current.address, address) >= current.length) {
      if (current.hasValue) found.push(current);
      if (current.length === limit) break;
      current = bitAt(address, current.length) === 0 ? current.zero : current.one;
    }
    return found.reverse();
  }

  /** In numeric order, IPv4 first, a prefix before those inside it. */
  *entries(family?: Family): Generator<[Prefix, T]> {
    if (family !== 6) yield* walk(this.#v4);
    if (family !== 4) yield* walk(this.#v6);
  }

  /** Calls `see` with every prefix of a family, in the order of {@link entries}; it must not change the trie. */
  forEach(family: Family, see: (value: T, prefix: Prefix) => void): void {
    const from = this.#root(family);
    if (from !== undefined) visit(from, see);
  }

  /** As {@link entries}, but a prefix after those inside it. */
  *innerFirst(family: Family): Generator<[Prefix, T]> {
    yield* walkInnerFirst(this.#root(family));
  }

  #root(family: Family): Node<T> | undefined {
    return family === 4 ? this.#v4 : this.#v6;
  }

  #setRoot(family: Family, root: Node<T> | undefined): void {
    if (family === 4) this.#v4 = root;
    else this.#v6 = root;
  }

  #replaceChild(family: Family, parent: Node<T> | undefined, child: Node<T>, by: Node<T> | undefined): void {
    if (parent === undefined) this.#setRoot(family, by);
    else if (parent.zero === child) parent.zero = by;
    else parent.one = by;
  }

  #find(prefix: Prefix): { found: Node<T> | undefined; parent: Node<T> | undefined; grandparent: Node<T> | undefined } {
    const address = bits(prefix.address);
    let grandparent: Node<T> | undefined;
    let parent: Node<T> | undefined;
    let current = this.#root(prefix.family);
    while (current !== undefined && current.length < prefix.length) {
      grandparent = parent;
      parent = current;
      current = bitAt(address, current.length) === 0 ? current.zero : current.one;
    }
    return { found: current?.prefix === prefix ? current : undefined, parent, grandparent };
  }
}

function node<T>(prefix: Prefix, value: T): Node<T> {
  return { prefix, address: bits(prefix.address), length: prefix.length, hasValue: true, value, zero: undefined, one: undefined };
}

function attach<T>(parent: Node<T>, child: Node<T>): void {
  if (bitAt(child.address, parent.length) === 0) parent.zero = child;
  else parent.one = child;
}

/** What takes the place of `current` when `leaf` shares only its first `common` bits. */
function split<T>(current: Node<T>, leaf: Node<T>, common: number): Node<T> {
  if (common === leaf.length) {
    attach(leaf, current);
    return leaf;
  }
  const branch = node<T>(prefixOf(leaf.prefix.address, common), undefined as T);
  branch.hasValue = false;
  attach(branch, current);
  attach(branch, leaf);
  return branch;
}

function visit<T>(from: Node<T>, see: (value: T, prefix: Prefix) => void): void {
  if (from.hasValue) see(from.value, from.prefix);
  if (from.zero !== undefined) visit(from.zero, see);
  if (from.one !== undefined) visit(from.one, see);
}

function* walk<T>(from: Node<T> | undefined): Generator<[Prefix, T]> {
  if (from === undefined) return;
  if (from.hasValue) yield [from.prefix, from.value];
  yield* walk(from.zero);
  yield* walk(from.one);
}

function* walkInnerFirst<T>(from: Node<T> | undefined): Generator<[Prefix, T]> {
  if (from === undefined) return;
  yield* walkInnerFirst(from.zero);
  yield* walkInnerFirst(from.one);
  if (from.hasValue) yield [from.prefix, from.value];
}
