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
const historyLength = 1024;

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

/** Where an object stands, whatever its version. */
interface Slot {
  object: KubernetesObject;
}

/** The objects of one resource, with the indexes that controllers select by. */
export class Store {
  readonly #broadcaster: Broadcaster;
  readonly #namespaces = new Map<string, Space>();
  readonly #byLabel = new Index();
  readonly #byOwner = new Index();
  readonly #byNode = new Index();
  readonly #watchers = new Watchers();
  #size = 0;
  #history: Change[] = [];
  #oldestVersion = 0;
  /** All in order; a change of an object leaves its slot where it is. */
  #slots: readonly Slot[] | undefined;
  #sorted: readonly KubernetesObject[] | undefined;

  constructor(broadcaster: Broadcaster) {
    this.#broadcaster = broadcaster;
  }

  get size(): number {
    return this.#size;
  }

  get(namespace: string | undefined, name: string): KubernetesObject | undefined {
    return this.#namespaces.get(namespace ?? '')?.slots.get(name)?.object;
  }

  /** In order of namespace and name. */
  list(options: ListOptions = {}): readonly KubernetesObject[] {
    const slots = this.#smallestSet(options);
    if (slots !== undefined) {
      const found: KubernetesObject[] = [];
      for (const { object } of slots) if (matches(object, options)) found.push(object);
      return found;
    }
    const all = options.namespace === undefined ? this.#inOrder() : (this.#namespaces.get(options.namespace)?.objects() ?? []);
    return options.labels === undefined ? all : all.filter((object) => matchesSelector(options.labels, object.metadata.labels));
  }

  put(object: KubernetesObject, resourceVersion: number): void {
    const namespace = object.metadata.namespace ?? '';
    let space = this.#namespaces.get(namespace);
    if (space === undefined) {
      space = new Space();
      this.#namespaces.set(namespace, space);
    }
    const slot = space.slots.get(object.metadata.name);
    this.#sorted = undefined;
    space.changed();
    if (slot === undefined) {
      const made: Slot = { object };
      this.#slots = undefined;
      this.#size++;
      space.add(object.metadata.name, made);
      this.#index(made, undefined);
      this.#tell({ type: 'ADDED', object, resourceVersion });
      return;
    }
    const old = slot.object;
    this.#unindex(slot, object);
    slot.object = object;
    this.#index(slot, old);
    this.#tell({ type: 'MODIFIED', object, old, resourceVersion });
  }

  /** `object` is the last state, with the resource version of the deletion. */
  remove(object: KubernetesObject, resourceVersion: number): void {
    const namespace = object.metadata.namespace ?? '';
    const space = this.#namespaces.get(namespace);
    const slot = space?.slots.get(object.metadata.name);
    if (space === undefined || slot === undefined) return;
    this.#unindex(slot, undefined);
    space.remove(object.metadata.name);
    if (space.slots.size === 0) this.#namespaces.delete(namespace);
    this.#size--;
    this.#slots = undefined;
    this.#sorted = undefined;
    this.#tell({ type: 'DELETED', object, old: slot.object, resourceVersion });
  }

  /** Tells of every change after now; with `replay` first of every existing object. */
  watch(listener: Listener, options: WatchScope & { readonly replay?: boolean } = {}): () => void {
    const watcher = this.#watchers.add(listener, options, this.#broadcaster.resourceVersion);
    if (options.replay === true && this.#size > 0) {
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
      const { resourceVersion } = change;
      for (const watcher of this.#watchers.of(change)) if (!watcher.isClosed && resourceVersion > watcher.since) watcher.listener(change);
    });
  }

  #inOrder(): readonly KubernetesObject[] {
    this.#slots ??= [...this.#namespaces.values()].flatMap((space) => [...space.slots.values()]).sort(compare);
    this.#sorted ??= this.#slots.map(({ object }) => object);
    return this.#sorted;
  }

  /** The objects with one of the asked properties, the rarest, in order; undefined when none was asked for but the namespace. */
  #smallestSet({ namespace, labels, ownerUid, nodeName }: ListOptions): readonly Slot[] | undefined {
    let index: Index | undefined;
    let value = '';
    const consider = (candidate: Index, of: string | undefined): void => {
      if (of === undefined || (index !== undefined && index.size(value) <= candidate.size(of))) return;
      index = candidate;
      value = of;
    };
    consider(this.#byOwner, ownerUid);
    consider(this.#byNode, nodeName);
    const pairs = labels?.matchLabels;
    for (const key in pairs) consider(this.#byLabel, `${key}=${pairs[key]}`);
    if (index === undefined) return undefined;
    const space = namespace === undefined ? undefined : this.#namespaces.get(namespace);
    if (namespace !== undefined && (space?.slots.size ?? 0) < index.size(value)) return space?.sorted() ?? [];
    return index.sorted(value);
  }

  #index(slot: Slot, old: KubernetesObject | undefined): void {
    const { metadata } = slot.object;
    if (metadata.labels !== old?.metadata.labels)
      for (const label in metadata.labels) this.#byLabel.add(`${label}=${metadata.labels[label]}`, slot);
    if (metadata.ownerReferences !== old?.metadata.ownerReferences)
      for (const owner of metadata.ownerReferences ?? []) this.#byOwner.add(owner.uid, slot);
    const nodeName = nodeNameOf(slot.object);
    if (nodeName !== undefined) this.#byNode.add(nodeName, slot);
  }

  #unindex(slot: Slot, next: KubernetesObject | undefined): void {
    const { metadata } = slot.object;
    if (metadata.labels !== next?.metadata.labels)
      for (const label in metadata.labels) this.#byLabel.delete(`${label}=${metadata.labels[label]}`, slot);
    if (metadata.ownerReferences !== next?.metadata.ownerReferences)
      for (const owner of metadata.ownerReferences ?? []) this.#byOwner.delete(owner.uid, slot);
    const nodeName = nodeNameOf(slot.object);
    if (nodeName !== undefined && (next === undefined || nodeNameOf(next) !== nodeName)) this.#byNode.delete(nodeName, slot);
  }
}

function matches(object: KubernetesObject, { namespace, labels, ownerUid, nodeName }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  if (labels !== undefined && !matchesSelector(labels, object.metadata.labels)) return false;
  if (nodeName !== undefined && nodeNameOf(object) !== nodeName) return false;
  return ownerUid === undefined || object.metadata.ownerReferences?.some((owner) => owner.uid === ownerUid) === true;
}

/** The objects of a namespace (or those without one) by name. */
class Space {
  readonly slots = new Map<string, Slot>();
  #sorted: readonly Slot[] | undefined;
  #objects: readonly KubernetesObject[] | undefined;

  add(name: string, slot: Slot): void {
    this.slots.set(name, slot);
    this.#sorted = undefined;
  }

  remove(name: string): void {
    this.slots.delete(name);
    this.#sorted = undefined;
    this.#objects = undefined;
  }

  /** One of the objects has another version. */
  changed(): void {
    this.#objects = undefined;
  }

  sorted(): readonly Slot[] {
    this.#sorted ??= [...this.slots.values()].sort(compare);
    return this.#sorted;
  }

  objects(): readonly KubernetesObject[] {
    this.#objects ??= this.sorted().map(({ object }) => object);
    return this.#objects;
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

/** Objects by one of their properties. Their order outlives changes of the objects. */
class Index {
  readonly #sets = new Map<string, Set<Slot>>();
  readonly #sorted = new Map<string, readonly Slot[]>();

  size(value: string): number {
    return this.#sets.get(value)?.size ?? 0;
  }

  /** In order of namespace and name. */
  sorted(value: string): readonly Slot[] {
    const known = this.#sorted.get(value);
    if (known !== undefined) return known;
    const set = this.#sets.get(value);
    if (set === undefined) return [];
    const sorted = [...set].sort(compare);
    this.#sorted.set(value, sorted);
    return sorted;
  }

  add(value: string, slot: Slot): void {
    const set = this.#sets.get(value);
    if (set?.has(slot) === true) return;
    this.#sorted.delete(value);
    if (set === undefined) this.#sets.set(value, new Set([slot]));
    else set.add(slot);
  }

  delete(value: string, slot: Slot): void {
    const set = this.#sets.get(value);
    if (set?.delete(slot) !== true) return;
    this.#sorted.delete(value);
    if (set.size === 0) this.#sets.delete(value);
  }
}

function nodeNameOf(object: KubernetesObject): string | undefined {
  const name = (object['spec'] as { readonly nodeName?: unknown } | undefined)?.nodeName;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function compare({ object: a }: Slot, { object: b }: Slot): number {
  const left = a.metadata.namespace ?? '';
  const right = b.metadata.namespace ?? '';
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}
