import type { Random } from '../clock/random.ts';
import { matchesMap } from './labels.ts';
import { controllerOf, isPodActive, keyOf, type Pod, type Service, splitKey } from './objects.ts';
import type { ApiClient } from './types.ts';

/** What a node is to the pods of one class: undefined where they cannot be, else its score without regard to pods of the same kind. */
export type Judge = (pod: Pod, nodeName: string) => number | undefined;

/** Pods that the scheduler takes for the same when it spreads them: one namespace, one owner, the same labels. */
interface Kin {
  readonly namespace: string;
  readonly owner: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** How many active pods of them each node has. */
  readonly onNode: Map<string, number>;
}

/** More kinds of requirements than these at a time are judged anew. */
const mostClasses = 64;
/** What one pod of the same kind costs a node. */
export const kinPenalty = 100;

/**
 * What kube-scheduler keeps between pods (its cache and snapshot): nodes in order of their score, and where the pods of each kind are.
 * A pod that was bound touches one node, so the next one costs no look at all the others.
 */
export class SchedulerCache {
  readonly #client: ApiClient;
  readonly #judge: Judge;
  readonly #nodes = new Set<string>();
  readonly #classes = new Map<string, NodeOrder>();
  readonly #pods = new Map<string, { readonly node: string; readonly kin: Kin }>();
  readonly #kin = new Map<string, Kin>();
  readonly #kinOfOwner = new Map<string, Set<Kin>>();
  readonly #kinOfLabel = new Map<string, Set<Kin>>();
  readonly #servicesOfLabel = new Map<string, Map<string, Service>>();

  constructor(client: ApiClient, judge: Judge) {
    this.#client = client;
    this.#judge = judge;
  }

  nodeChanged(name: string): void {
    if (this.#client.get('nodes', name) === undefined) this.#nodes.delete(name);
    else this.#nodes.add(name);
    this.#touch(name);
  }

  serviceChanged(service: Service, old: Service | undefined, isGone: boolean): void {
    for (const one of old === undefined ? [service] : [service, old]) {
      const pair = firstPair(one);
      if (pair !== undefined) this.#servicesOfLabel.get(pair)?.delete(keyOf(one));
    }
    const pair = isGone ? undefined : firstPair(service);
    if (pair === undefined) return;
    const services = this.#servicesOfLabel.get(pair) ?? new Map<string, Service>();
    this.#servicesOfLabel.set(pair, services.set(keyOf(service), service));
  }

  /** Takes over where a pod is now, whatever the order in which news of it come. */
  podChanged(key: string): void {
    const { namespace, name } = splitKey(key);
    const pod = this.#client.get<Pod>('pods', name, namespace);
    const node = pod?.spec.nodeName;
    const known = this.#pods.get(key);
    if (known !== undefined) this.#touch(known.node);
    if (node !== undefined && node !== known?.node) this.#touch(node);
    const kin = pod === undefined || node === undefined || !isPodActive(pod) ? undefined : this.#kinOf(pod);
    if (known?.kin === kin && known?.node === node) return;
    if (known !== undefined) {
      this.#pods.delete(key);
      this.#count(known.kin, known.node, -1);
    }
    if (kin === undefined || node === undefined) return;
    this.#pods.set(key, { node, kin });
    this.#count(kin, node, 1);
  }

  /** The node for a pod whose requirements are those of `requirements`; undefined when none can take it. */
  place(pod: Pod, requirements: string, random: Random): string | undefined {
    const order = this.#orderOf(requirements);
    order.refresh((name) => (this.#nodes.has(name) ? this.#judge(pod, name) : undefined));
    return order.choose(this.#kinOnNodes(pod), random);
  }

  #orderOf(requirements: string): NodeOrder {
    const known = this.#classes.get(requirements);
    if (known !== undefined) return known;
    const made = new NodeOrder(this.#nodes);
    this.#classes.set(requirements, made);
    const [oldest] = this.#classes.keys();
    if (this.#classes.size > mostClasses && oldest !== undefined) this.#classes.delete(oldest);
    return made;
  }

  #touch(node: string): void {
    for (const order of this.#classes.values()) order.stale.add(node);
  }

  #kinOf(pod: Pod): Kin {
    const namespace = pod.metadata.namespace ?? 'default';
    const owner = controllerOf(pod)?.uid;
    const { labels } = pod.metadata;
    const key = JSON.stringify([namespace, owner, labels]);
    const known = this.#kin.get(key);
    if (known !== undefined) return known;
    const made: Kin = { namespace, owner, labels, onNode: new Map() };
    this.#kin.set(key, made);
    if (owner !== undefined) add(this.#kinOfOwner, owner, made);
    for (const [name, value] of Object.entries(labels ?? {})) add(this.#kinOfLabel, `${namespace}/${name}=${value}`, made);
    return made;
  }

  #count(kin: Kin, node: string, by: number): void {
    const count = (kin.onNode.get(node) ?? 0) + by;
    if (count > 0) kin.onNode.set(node, count);
    else kin.onNode.delete(node);
    if (kin.onNode.size > 0) return;
    this.#kin.delete(JSON.stringify([kin.namespace, kin.owner, kin.labels]));
    if (kin.owner !== undefined) remove(this.#kinOfOwner, kin.owner, kin);
    for (const [name, value] of Object.entries(kin.labels ?? {})) remove(this.#kinOfLabel, `${kin.namespace}/${name}=${value}`, kin);
  }

  /** Pods of the same owner, or behind a service that the pod is behind, too. */
  #kinOnNodes(pod: Pod): ReadonlyMap<string, number> {
    const namespace = pod.metadata.namespace ?? 'default';
    const owner = controllerOf(pod)?.uid;
    const all = new Set<Kin>();
    for (const kin of owner === undefined ? [] : (this.#kinOfOwner.get(owner) ?? [])) if (kin.namespace === namespace) all.add(kin);
    for (const [name, value] of Object.entries(pod.metadata.labels ?? {})) {
      for (const { spec } of this.#servicesOfLabel.get(`${namespace}/${name}=${value}`)?.values() ?? []) {
        if (!matchesMap(spec.selector, pod.metadata.labels)) continue;
        for (const kin of this.#kinOfLabel.get(`${namespace}/${name}=${value}`) ?? [])
          if (matchesMap(spec.selector, kin.labels)) all.add(kin);
      }
    }
    const [first, ...others] = all;
    if (first === undefined || others.length === 0) return first?.onNode ?? new Map();
    const sum = new Map(first.onNode);
    for (const kin of others) for (const [node, count] of kin.onNode) sum.set(node, (sum.get(node) ?? 0) + count);
    return sum;
  }
}

function firstPair({ spec, metadata }: Service): string | undefined {
  const [first] = Object.entries(spec.selector ?? {}).sort();
  return first === undefined ? undefined : `${metadata.namespace}/${first[0]}=${first[1]}`;
}

function add<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  index.set(key, (index.get(key) ?? new Set<T>()).add(value));
}

function remove<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const set = index.get(key);
  set?.delete(value);
  if (set?.size === 0) index.delete(key);
}

/** The nodes that can take the pods of one class, by score, each score's in order of their names. */
class NodeOrder {
  readonly stale: Set<string>;
  readonly #scores = new Map<string, number>();
  readonly #byScore = new Map<number, string[]>();

  constructor(nodes: ReadonlySet<string>) {
    this.stale = new Set(nodes);
  }

  refresh(judge: (name: string) => number | undefined): void {
    for (const name of this.stale) {
      const old = this.#scores.get(name);
      const score = judge(name);
      if (score === old) continue;
      if (old !== undefined) {
        const names = this.#byScore.get(old) ?? [];
        names.splice(placeIn(names, name), 1);
        if (names.length === 0) this.#byScore.delete(old);
        this.#scores.delete(name);
      }
      if (score === undefined) continue;
      this.#scores.set(name, score);
      const names = this.#byScore.get(score);
      if (names === undefined) this.#byScore.set(score, [name]);
      else names.splice(placeIn(names, name), 0, name);
    }
    this.stale.clear();
  }

  /** One of the best nodes, by lot. */
  choose(kin: ReadonlyMap<string, number>, random: Random): string | undefined {
    /** Nodes with pods of the same kind, and how many of them each score has. */
    const withKin: { readonly name: string; readonly score: number }[] = [];
    const taken = new Map<number, string[]>();
    let best = Number.NEGATIVE_INFINITY;
    for (const [name, count] of kin) {
      const plain = this.#scores.get(name);
      if (plain === undefined) continue;
      const score = plain - count * kinPenalty;
      withKin.push({ name, score });
      best = Math.max(best, score);
      const names = taken.get(plain);
      if (names === undefined) taken.set(plain, [name]);
      else names.push(name);
    }
    for (const [score, names] of this.#byScore) if (score > best && names.length > (taken.get(score)?.length ?? 0)) best = score;
    if (best === Number.NEGATIVE_INFINITY) return undefined;
    const names = this.#byScore.get(best) ?? [];
    const left = (taken.get(best) ?? []).map((name) => placeIn(names, name)).sort((a, b) => a - b);
    const also = withKin.filter(({ score }) => score === best).map(({ name }) => name);
    if (also.length > 0) {
      const others = names.filter((_, index) => !left.includes(index));
      return random.pick([...others, ...also].sort());
    }
    let index = random.integer(0, names.length - left.length - 1);
    for (const place of left) if (place <= index) index++;
    return names[index];
  }
}

/** Where a name is, or would be, in a sorted list. */
function placeIn(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
