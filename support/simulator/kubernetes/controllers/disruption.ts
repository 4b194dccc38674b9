import type { SimulatedClock } from '../../clock/clock.ts';
import { type DisruptionBudget, budgets as resource } from '../apiserver/eviction.ts';
import { matchesSelector } from '../labels.ts';
import { type Condition, controllerOf, isPodReady, keyOf, type Pod, parseTimestamp, splitKey, timestamp } from '../objects.ts';
import type { ApiClient, KubernetesObject, Reconciler } from '../types.ts';
import { createReconciler } from './reconciler.ts';

/** An evicted pod that is still there after this is counted again. */
const deletionTimeoutMs = 2 * 60_000;

/** Counts what a budget allows (`pkg/controller/disruption`). */
export function startDisruptionController(client: ApiClient, clock: SimulatedClock): () => void {
  // Only namespaces with budgets look at their pods.
  const known = new Map<string, Map<string, DisruptionBudget>>();
  const queue: Reconciler = createReconciler(clock, { name: 'disruption', reconcile: (key) => sync(client, clock, key, queue) });
  const stops = [
    client.watch<DisruptionBudget>(
      resource,
      ({ type, object }) => {
        const namespace = object.metadata.namespace ?? '';
        const here = known.get(namespace) ?? new Map<string, DisruptionBudget>();
        if (type === 'DELETED') here.delete(object.metadata.name);
        else here.set(object.metadata.name, object);
        if (here.size === 0) known.delete(namespace);
        else known.set(namespace, here);
        if (type !== 'DELETED') queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ object, old }) => {
      const here = known.get(object.metadata.namespace ?? '');
      for (const budget of here?.values() ?? []) {
        const { selector } = budget.spec;
        if (matchesSelector(selector, object.metadata.labels) || (old !== undefined && matchesSelector(selector, old.metadata.labels)))
          queue.enqueue(keyOf(budget));
      }
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler): void {
  const { namespace, name } = splitKey(key);
  const budget = client.get<DisruptionBudget>(resource, name, namespace);
  if (budget === undefined) return;
  const { selector, minAvailable, maxUnavailable } = budget.spec;
  const pods =
    selector === undefined ? [] : client.list<Pod>('pods', { ...(namespace === undefined ? {} : { namespace }), labels: selector });
  const now = clock.now();
  const disrupted: Record<string, string> = {};
  for (const pod of pods) {
    const at = budget.status.disruptedPods?.[pod.metadata.name];
    if (at === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const left = parseTimestamp(at) + deletionTimeoutMs - now;
    if (left < 0) continue;
    disrupted[pod.metadata.name] = at;
    queue.enqueue(key, left + 1);
  }
  let expectedPods = pods.length;
  let desiredHealthy = 0;
  if (maxUnavailable !== undefined) {
    expectedPods = expectedScale(client, pods);
    desiredHealthy = Math.max(0, expectedPods - scaled(maxUnavailable, expectedPods));
  } else if (minAvailable !== undefined) {
    if (typeof minAvailable === 'string') expectedPods = expectedScale(client, pods);
    desiredHealthy = scaled(minAvailable, expectedPods);
  }
  const currentHealthy = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && disrupted[pod.metadata.name] === undefined && isPodReady(pod),
  ).length;
  const allowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  client.updateStatus<DisruptionBudget>({
    ...budget,
    status: {
      conditions: [conditionFor(budget, allowed, now)],
      currentHealthy,
      desiredHealthy,
      ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
      disruptionsAllowed: allowed,
      expectedPods,
      observedGeneration: budget.metadata.generation,
    },
  });
}

function conditionFor(budget: DisruptionBudget, allowed: number, now: number): Condition {
  const status = allowed > 0 ? 'True' : 'False';
  const before = budget.status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  return {
    type: 'DisruptionAllowed',
    status,
    observedGeneration: budget.metadata.generation ?? 0,
    lastTransitionTime: before?.status === status ? (before.lastTransitionTime ?? null) : timestamp(now),
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  };
}

/** A number, or a share of the pods, rounded up. */
function scaled(amount: number | string, of: number): number {
  return typeof amount === 'number' ? amount : Math.ceil((Number.parseInt(amount, 10) * of) / 100);
}

/** How many pods the controllers of these want; pods without one do not count. */
function expectedScale(client: ApiClient, pods: readonly Pod[]): number {
  const wanted = new Map<string, number>();
  for (const pod of pods) {
    let owner = controllerOf(pod);
    if (owner === undefined || wanted.has(owner.uid)) continue;
    let object = ownerObject(client, owner.kind, owner.name, pod.metadata.namespace);
    const above = object === undefined ? undefined : controllerOf(object);
    if (above?.kind === 'Deployment') {
      owner = above;
      object = ownerObject(client, above.kind, above.name, pod.metadata.namespace);
    }
    if (object !== undefined) wanted.set(owner.uid, (object['spec'] as { readonly replicas?: number }).replicas ?? 1);
  }
  return [...wanted.values()].reduce((sum, count) => sum + count, 0);
}

const scalable: Readonly<Record<string, string>> = {
  Deployment: 'deployments.apps',
  ReplicaSet: 'replicasets.apps',
  StatefulSet: 'statefulsets.apps',
};

function ownerObject(client: ApiClient, kind: string, name: string, namespace: string | undefined): KubernetesObject | undefined {
  const plural = scalable[kind];
  return plural === undefined ? undefined : client.get(plural, name, namespace);
}
