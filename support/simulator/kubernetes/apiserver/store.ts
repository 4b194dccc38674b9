import type { SimulatedClock } from '../../clock/clock.ts';
import { matchesSelector } from '../labels.ts';
import type { KubernetesObject, LabelSelector } from '../types.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubernetesObject;
  readonly old?: KubernetesObject;
  readonly resourceVersion: number;
}

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labels?: LabelSelector | undefined;
  readonly ownerUid?: string | undefined;
  readonly nodeName?: string | undefined;
}

type Listener = (change: Change) => void;

/** What a watcher asks for; without any of these, every object. */
export interface WatchScope {
  /** Objects of this name, in whatever namespace. */
  readonly name?: string | undefined;
  /** Pods bound to this node, or bound to it before the change. */
  readonly nodeName?: string | undefined;
}

interface Watcher {
  readonly listener: Listener;
  readonly scope: WatchScope;
  /** Watchers hear of a change in the order in which they began. */
  readonly order: number;
  /** Changes up to this one are not told. */
  since: number;
  isClosed: boolean;
}

/** Watch events reach their listeners about this much later. */
const watchDelayMs = 1;
const historyLength = 4096;

/** Gives out resource versions and tells watchers of changes: one event of the clock carries all changes since the last. */
export class Broadcaster {
  readonly #clock: SimulatedClock;
  #resourceVersion = 0;
  #pending: (() => void)[] = [];

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  get resourceVersion(): number {
    return this.#resourceVersion;
  }

  next(): number {
    return ++this.#resourceVersion;
  }

  defer(deliver: () => void): void {
    this.#pending.push(deliver);
    if (this.#pending.length === 1) this.#clock.schedule(watchDelayMs, () => this.#flush());
  }

  #flush(): void {
    const deliveries = this.#pending;
    this.#pending = [];
    let done = 0;
    try {
      for (const deliver of deliveries) {
        done++;
        deliver();
      }
    } finally {
      // A listener that throws is a bug and may surface, but it must not swallow what others wait for.
      for (const deliver of deliveries.slice(done)) this.defer(deliver);
    }
  }
}

/** The objects of one resource, with the indexes that controllers select by. */
export class Store {
  readonly #broadcaster: Broadcaster;
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #byNamespace = new Index();
  readonly #byLabel = new Index();
  readonly #byOwner = new Index();
  readonly #byNode = new Index();
  readonly #watchers = new Watchers();
  #history: Change[] = [];
  #oldestVersion = 0;
  /** Keys in order; a change of an object leaves them as they are. */
  #keys: string[] | undefined;
  #sorted: KubernetesObject[] | undefined;
  readonly #sortedOfNamespace = new Map<string, readonly KubernetesObject[]>();

  constructor(broadcaster: Broadcaster) {
    this.#broadcaster = broadcaster;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.#objects.get(`${namespace ?? ''}/${name}`);
  }

  /** In order of namespace and name. */
  list(options: ListOptions = {}): readonly KubernetesObject[] {
    const { namespace } = options;
    if (namespace !== undefined && options.labels === undefined && options.ownerUid === undefined && options.nodeName === undefined) {
      const known = this.#sortedOfNamespace.get(namespace) ?? this.#collect(this.#byNamespace.get(namespace), options);
      this.#sortedOfNamespace.set(namespace, known);
      return known;
    }
    const narrow = this.#smallestSet(options);
    if (narrow === undefined) {
      const all = this.#inOrder();
      return options.labels === undefined ? all : all.filter((object) => matchesSelector(options.labels, object.metadata.labels));
    }
    return this.#collect(narrow, options);
  }

  #collect(keys: ReadonlySet<string>, options: ListOptions): readonly KubernetesObject[] {
    const found: KubernetesObject[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object !== undefined && this.#matches(object, options)) found.push(object);
    }
    return found.sort(compare);
  }

  put(object: KubernetesObject, resourceVersion: number): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old, object);
    else this.#keys = undefined;
    this.#sorted = undefined;
    this.#sortedOfNamespace.delete(object.metadata.namespace ?? '');
    this.#objects.set(key, object);
    this.#index(key, object);
    this.#tell(old === undefined ? { type: 'ADDED', object, resourceVersion } : { type: 'MODIFIED', object, old, resourceVersion });
  }

  /** `object` is the last state, with the resource version of the deletion. */
  remove(object: KubernetesObject, resourceVersion: number): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old === undefined) return;
    this.#unindex(key, old, undefined);
    this.#objects.delete(key);
    this.#keys = undefined;
    this.#sorted = undefined;
    this.#sortedOfNamespace.delete(object.metadata.namespace ?? '');
    this.#tell({ type: 'DELETED', object, old, resourceVersion });
  }

  /** Tells of every change after now; with `replay` first of every existing object. */
  watch(listener: Listener, options: WatchScope & { readonly replay?: boolean } = {}): () => void {
    const watcher = this.#watchers.add(listener, options, this.#broadcaster.resourceVersion);
    if (options.replay === true && this.#objects.size > 0) {
      const existing = this.#inOrder().filter((object) => isInScope(watcher.scope, object));
      this.#broadcaster.defer(() => {
        for (const object of existing) if (!watcher.isClosed) listener({ type: 'ADDED', object, resourceVersion: watcher.since });
      });
    }
    return () => {
      watcher.isClosed = true;
      this.#watchers.delete(watcher);
    };
  }

  /** Changes after a resource version, or how old the oldest known one is. */
  changesSince(resourceVersion: number): readonly Change[] | { readonly oldest: number } {
    if (resourceVersion < this.#oldestVersion) return { oldest: this.#oldestVersion };
    return this.#history.filter((change) => change.resourceVersion > resourceVersion);
  }

  #tell(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > 2 * historyLength) {
      this.#oldestVersion = this.#history[historyLength - 1]?.resourceVersion ?? 0;
      this.#history = this.#history.slice(historyLength);
    }
    if (this.#watchers.size === 0) return;
    this.#broadcaster.defer(() => {
      for (const watcher of this.#watchers.of(change))
        if (!watcher.isClosed && change.resourceVersion > watcher.since) watcher.listener(change);
    });
  }

  #inOrder(): readonly KubernetesObject[] {
    if (this.#sorted !== undefined) return this.#sorted;
    if (this.#keys === undefined) {
      this.#sorted = [...this.#objects.values()].sort(compare);
      this.#keys = this.#sorted.map(keyOf);
    } else this.#sorted = this.#keys.map((key) => this.#objects.get(key) as KubernetesObject);
    return this.#sorted;
  }

  #smallestSet(options: ListOptions): ReadonlySet<string> | undefined {
    const sets: ReadonlySet<string>[] = [];
    if (options.ownerUid !== undefined) sets.push(this.#byOwner.get(options.ownerUid));
    if (options.nodeName !== undefined) sets.push(this.#byNode.get(options.nodeName));
    if (options.namespace !== undefined) sets.push(this.#byNamespace.get(options.namespace));
    for (const [key, value] of Object.entries(options.labels?.matchLabels ?? {})) sets.push(this.#byLabel.get(`${key}=${value}`));
    return sets.length === 0 ? undefined : sets.reduce((a, b) => (b.size < a.size ? b : a));
  }

  #matches(object: KubernetesObject, options: ListOptions): boolean {
    if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) return false;
    if (options.labels !== undefined && !matchesSelector(options.labels, object.metadata.labels)) return false;
    if (options.nodeName !== undefined && nodeNameOf(object) !== options.nodeName) return false;
    return options.ownerUid === undefined || object.metadata.ownerReferences?.some((owner) => owner.uid === options.ownerUid) === true;
  }

  #index(key: string, object: KubernetesObject): void {
    const { metadata } = object;
    this.#byNamespace.add(metadata.namespace ?? '', key);
    for (const label in metadata.labels) this.#byLabel.add(`${label}=${metadata.labels[label]}`, key);
    for (const owner of metadata.ownerReferences ?? []) this.#byOwner.add(owner.uid, key);
    const nodeName = nodeNameOf(object);
    if (nodeName !== undefined) this.#byNode.add(nodeName, key);
  }

  #unindex(key: string, old: KubernetesObject, next: KubernetesObject | undefined): void {
    const { metadata } = old;
    if (next === undefined) this.#byNamespace.delete(metadata.namespace ?? '', key);
    if (metadata.labels !== next?.metadata.labels)
      for (const label in metadata.labels) this.#byLabel.delete(`${label}=${metadata.labels[label]}`, key);
    if (metadata.ownerReferences !== next?.metadata.ownerReferences)
      for (const owner of metadata.ownerReferences ?? []) this.#byOwner.delete(owner.uid, key);
    const nodeName = nodeNameOf(old);
    if (nodeName !== undefined && (next === undefined || nodeNameOf(next) !== nodeName)) this.#byNode.delete(nodeName, key);
  }
}

/** Watchers by what they ask for: a change costs those that hear of it, not all that wait. */
class Watchers {
  readonly #all = new Set<Watcher>();
  readonly #byName = new Map<string, Set<Watcher>>();
  readonly #byNode = new Map<string, Set<Watcher>>();
  #last = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(listener: Listener, { name, nodeName }: WatchScope, since: number): Watcher {
    const watcher: Watcher = { listener, scope: { name, nodeName }, order: ++this.#last, since, isClosed: false };
    const [index, key] = this.#placeOf(watcher);
    if (index === undefined) this.#all.add(watcher);
    else index.set(key, (index.get(key) ?? new Set<Watcher>()).add(watcher));
    this.#size++;
    return watcher;
  }

  delete(watcher: Watcher): void {
    const [index, key] = this.#placeOf(watcher);
    const set = index === undefined ? this.#all : index.get(key);
    if (set?.delete(watcher) === true) this.#size--;
    if (set?.size === 0) index?.delete(key);
  }

  /** In the order in which they began. */
  of({ object, old }: Change): Iterable<Watcher> {
    if (this.#byName.size === 0 && this.#byNode.size === 0) return this.#all;
    const nodeName = nodeNameOf(object);
    const oldNodeName = old === undefined ? undefined : nodeNameOf(old);
    const found: Watcher[] = [...this.#all];
    for (const watcher of this.#byName.get(object.metadata.name) ?? []) found.push(watcher);
    for (const watcher of this.#byNode.get(nodeName ?? '') ?? []) found.push(watcher);
    if (oldNodeName !== undefined && oldNodeName !== nodeName)
      for (const watcher of this.#byNode.get(oldNodeName) ?? []) found.push(watcher);
    return found.length === this.#all.size ? found : found.sort((a, b) => a.order - b.order);
  }

  #placeOf({ scope }: Watcher): readonly [index: Map<string, Set<Watcher>> | undefined, key: string] {
    if (scope.nodeName !== undefined) return [this.#byNode, scope.nodeName];
    return scope.name === undefined ? [undefined, ''] : [this.#byName, scope.name];
  }
}

function isInScope({ name, nodeName }: WatchScope, object: KubernetesObject): boolean {
  return (name === undefined || object.metadata.name === name) && (nodeName === undefined || nodeNameOf(object) === nodeName);
}

class Index {
  readonly #sets = new Map<string, Set<string>>();
  static readonly #none: ReadonlySet<string> = new Set();

  get(value: string): ReadonlySet<string> {
    return this.#sets.get(value) ?? Index.#none;
  }

  add(value: string, key: string): void {
    const set = this.#sets.get(value);
    if (set === undefined) this.#sets.set(value, new Set([key]));
    else set.add(key);
  }

  delete(value: string, key: string): void {
    const set = this.#sets.get(value);
    set?.delete(key);
    if (set?.size === 0) this.#sets.delete(value);
  }
}

function keyOf(object: KubernetesObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function nodeNameOf(object: KubernetesObject): string | undefined {
  const name = (object['spec'] as { readonly nodeName?: unknown } | undefined)?.nodeName;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function compare(a: KubernetesObject, b: KubernetesObject): number {
  const left = a.metadata.namespace ?? '';
  const right = b.metadata.namespace ?? '';
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}
