import { type DaemonSet, isPodActive, isPodReady, keyOf, type Pod, splitKey } from '../objects.ts';
import type { ApiClient } from '../types.ts';
import { availability, ownedPods } from './pod-template.ts';

/** What a set's pods add to its status: those on one node, or all of them. */
export interface PlaceCounts {
  /** Nodes that the set wants a pod on. */
  wanted: number;
  /** Such nodes that have one. */
  scheduled: number;
  /** Pods where none is wanted. */
  misscheduled: number;
  ready: number;
  available: number;
  updated: number;
  /** Active pods of another template. */
  outdated: number;
}

const none = (): PlaceCounts => ({ wanted: 0, scheduled: 0, misscheduled: 0, ready: 0, available: 0, updated: 0, outdated: 0 });
const fields = Object.keys(none()) as (keyof PlaceCounts)[];

/** The node that a daemon pod is for, before and after it was scheduled. */
export function nodeOf(pod: Pod): string | undefined {
  if (pod.spec.nodeName !== undefined) return pod.spec.nodeName;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap((term) => term.matchFields ?? []).find((field) => field.key === 'metadata.name')?.values?.[0];
}

/**
 * A daemon set's pods by node, with their sums: what happens on one node costs no look at the others. News come late, so what stands
 * here is only where to look; the objects themselves are read when a node is looked at.
 */
export class DaemonSetPlaces {
  readonly total = none();
  readonly #client: ApiClient;
  readonly #keys = new Map<string, Set<string>>();
  readonly #counts = new Map<string, PlaceCounts>();
  readonly #stale = new Set<string>();
  #spec: DaemonSet['spec'] | undefined;

  constructor(client: ApiClient, set: DaemonSet) {
    this.#client = client;
    for (const pod of ownedPods(client, set)) this.podChanged(pod);
  }

  podChanged(pod: Pod): void {
    const node = nodeOf(pod) ?? '';
    this.#keys.set(node, (this.#keys.get(node) ?? new Set<string>()).add(keyOf(pod)));
    this.#stale.add(node);
  }

  nodeChanged(name: string): void {
    this.#stale.add(name);
  }

  /** Nodes that something has happened on since the last call, in order of their names; all of them when the set itself is another. */
  takeStale(set: DaemonSet): readonly string[] {
    const isAll = set.spec !== this.#spec || (set.spec.minReadySeconds ?? 0) > 0;
    this.#spec = set.spec;
    if (isAll) {
      for (const name of this.#keys.keys()) this.#stale.add(name);
      for (const { metadata } of this.#client.list('nodes')) this.#stale.add(metadata.name);
    }
    const names = [...this.#stale].sort();
    this.#stale.clear();
    return names;
  }

  /** The set's pods that are for a node, in order of their names. */
  podsFor(set: DaemonSet, node: string): readonly Pod[] {
    const keys = this.#keys.get(node);
    if (keys === undefined) return [];
    const pods: Pod[] = [];
    for (const key of [...keys].sort()) {
      const { namespace, name } = splitKey(key);
      const pod = this.#client.get<Pod>('pods', name, namespace);
      const isOwn = pod?.metadata.ownerReferences?.some(({ uid, controller }) => uid === set.metadata.uid && controller === true) === true;
      if (pod !== undefined && isOwn && (nodeOf(pod) ?? '') === node) pods.push(pod);
      else keys.delete(key);
    }
    if (keys.size === 0) this.#keys.delete(node);
    return pods;
  }

  isWanted(node: string): boolean {
    return this.#counts.get(node)?.wanted === 1;
  }

  /** Counts a node's pods anew. `again` is told when one of them will be available, in milliseconds since the epoch. */
  count(set: DaemonSet, node: string, isWanted: boolean, hash: string, now: number, again: (at: number) => void): void {
    const pods = this.podsFor(set, node);
    const counts = none();
    const staying = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    counts.outdated = pods.filter((pod) => isPodActive(pod) && !isOf(pod, hash)).length;
    if (isWanted) {
      counts.wanted = 1;
      counts.scheduled = staying.length > 0 ? 1 : 0;
      counts.ready = staying.filter(isPodReady).length;
      counts.updated = staying.filter((pod) => isOf(pod, hash)).length;
      for (const pod of staying) {
        const state = availability(pod, set.spec.minReadySeconds ?? 0, now);
        if (state.isAvailable) counts.available++;
        else if (state.at !== undefined) again(state.at);
      }
    } else counts.misscheduled = staying.length;
    const former = this.#counts.get(node);
    for (const field of fields) this.total[field] += counts[field] - (former?.[field] ?? 0);
    if (isWanted || pods.length > 0) this.#counts.set(node, counts);
    else this.#counts.delete(node);
  }
}

function isOf(pod: Pod, hash: string): boolean {
  return pod.metadata.labels?.['controller-revision-hash'] === hash;
}
