type Variables = Readonly<Record<string, string>>;

/**
 * The environment of a container, in layers: what every container has, the image's, those linked from elsewhere, its own. The linked
 * ones may be many and the same for many containers: they are asked for when somebody looks, and copied when somebody lists.
 */
export class ContainerEnvironment implements ReadonlyMap<string, string> {
  readonly #lower: readonly Variables[];
  readonly #linked: (() => Variables) | undefined;
  readonly #own: Variables;
  #all: Map<string, string> | undefined;

  constructor(lower: readonly Variables[], linked: (() => Variables) | undefined, own: Variables) {
    this.#lower = lower;
    this.#linked = linked;
    this.#own = own;
  }

  get(name: string): string | undefined {
    if (this.#all !== undefined) return this.#all.get(name);
    if (Object.hasOwn(this.#own, name)) return this.#own[name];
    const linked = this.#linked?.();
    let found = linked !== undefined && Object.hasOwn(linked, name) ? linked[name] : undefined;
    for (let index = this.#lower.length - 1; found === undefined && index >= 0; index--) {
      const layer = this.#lower[index] as Variables;
      if (Object.hasOwn(layer, name)) found = layer[name];
    }
    return found ?? (name === 'HOME' ? '/root' : undefined);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  get size(): number {
    return this.#listed.size;
  }

  forEach(visit: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.#listed) visit(value, name, this);
  }

  entries(): MapIterator<[string, string]> {
    return this.#listed.entries();
  }

  keys(): MapIterator<string> {
    return this.#listed.keys();
  }

  values(): MapIterator<string> {
    return this.#listed.values();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }

  get #listed(): Map<string, string> {
    if (this.#all !== undefined) return this.#all;
    const all = new Map(this.#lower.flatMap((layer) => Object.entries(layer)));
    for (const [name, value] of Object.entries(this.#linked?.() ?? {})) all.set(name, value);
    for (const [name, value] of Object.entries(this.#own)) all.set(name, value);
    all.set('HOME', all.get('HOME') ?? '/root');
    this.#all = all;
    return all;
  }
}
