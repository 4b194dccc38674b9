import type { Ip } from '../../../net/types.ts';
import type { Range } from './address-pools.ts';

export interface SharedAddress<Service> {
  readonly ip: Ip;
  readonly range: Range<Service>;
}

/** Addresses that were given to services with a sharing key, by key, oldest first. */
export class SharedAddresses<Service> {
  readonly #byKey = new Map<string, readonly SharedAddress<Service>[]>();

  of(key: string): readonly SharedAddress<Service>[] {
    return this.#byKey.get(key) ?? [];
  }

  /** @returns false when the key has it already */
  add(key: string, entry: SharedAddress<Service>): boolean {
    const entries = this.of(key);
    if (entries.some((other) => isSame(other, entry))) return false;
    this.#byKey.set(key, [...entries, entry]);
    return true;
  }

  delete(key: string, entry: SharedAddress<Service>): void {
    const entries = this.of(key).filter((other) => !isSame(other, entry));
    if (entries.length > 0) this.#byKey.set(key, entries);
    else this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
  }
}

function isSame<Service>(a: SharedAddress<Service>, b: SharedAddress<Service>): boolean {
  return a.ip === b.ip && a.range === b.range;
}
