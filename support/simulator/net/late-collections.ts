const nothing: ReadonlyMap<never, never> = new Map<never, never>();
const nobody: ReadonlySet<never> = new Set<never>();

/** A map that takes no room before its first entry: of thousands of namespaces most never need most of theirs. */
export class LateMap<K, V> {
  #entries: Map<K, V> | undefined;

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#entries?.get(key);
  }

  has(key: K): boolean {
    return this.#entries?.has(key) === true;
  }

  set(key: K, value: V): this {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
    return this;
  }

  delete(key: K): boolean {
    return this.#entries?.delete(key) === true;
  }

  clear(): void {
    this.#entries?.clear();
  }

  keys(): MapIterator<K> {
    return (this.#entries ?? nothing).keys();
  }

  values(): MapIterator<V> {
    return (this.#entries ?? nothing).values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return (this.#entries ?? nothing).entries();
  }
}

/** As {@link LateMap}. */
export class LateSet<T> {
  #members: Set<T> | undefined;

  get size(): number {
    return this.#members?.size ?? 0;
  }

  add(member: T): this {
    this.#members ??= new Set();
    this.#members.add(member);
    return this;
  }

  delete(member: T): boolean {
    return this.#members?.delete(member) === true;
  }

  clear(): void {
    this.#members?.clear();
  }

  [Symbol.iterator](): SetIterator<T> {
    return (this.#members ?? nobody).values();
  }
}
