import type { SimulatedClock } from '../../clock/clock.ts';
import { isEqual } from '../apiserver/decode.ts';
import { controllerOf, isPodActive, isPodReady, keyOf, type Pod, parseTimestamp, type ReplicaSet, splitKey } from '../objects.ts';
import type { ApiClient, Reconciler } from '../types.ts';
import { availability, ownedPods, podFrom } from './pod-template.ts';
import { createReconciler, type OwnWrites } from './reconciler.ts';

const component = 'replicaset-controller';

/** Keeps the number of pods of each replica set (`pkg/controller/replicaset`). */
export function startReplicaSetController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'replicaset', reconcile: (key) => sync(client, clock, key, queue, written) });
  const written: OwnWrites = new WeakSet();
  const stops = [
    client.watch<ReplicaSet>(
      'replicasets.apps',
      ({ object }) => {
        if (!written.has(object)) queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ object, old }) => {
      if (old !== undefined && !isRelevantChange(old, object)) return;
      const owner = controllerOf(object);
      if (owner?.kind === 'ReplicaSet') queue.enqueue(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

/** Whether the change says something else of how many pods the set has, is ready with or would delete first. */
function isRelevantChange(old: Pod, pod: Pod): boolean {
  return (
    old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
    old.metadata.ownerReferences !== pod.metadata.ownerReferences ||
    old.metadata.labels !== pod.metadata.labels ||
    old.status.phase !== pod.status.phase ||
    isPodReady(old) !== isPodReady(pod)
  );
}

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler, written: OwnWrites): void {
  const { namespace, name } = splitKey(key);
  const set = client.get<ReplicaSet>('replicasets.apps', name, namespace);
  if (set === undefined) return;
  const active = ownedPods(client, set).filter(isPodActive);
  const desired = set.spec.replicas ?? 1;
  if (set.metadata.deletionTimestamp === undefined) {
    for (let count = active.length; count < desired; count++) {
      const pod = client.create<Pod>(podFrom(set.spec.template, set, { generateName: `${name}-` }));
      client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, component });
    }
    for (const pod of [...active].sort(byDeletionPreference).slice(0, Math.max(0, active.length - desired))) {
      client.delete('pods', pod.metadata.name, namespace);
      client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}`, component });
    }
  }
  writeStatus(client, clock, key, queue, written);
}

/** `controller.ActivePodsWithRanks`: unassigned, then pending, then not ready, then those ready for the shortest time, then the newest. */
function byDeletionPreference(a: Pod, b: Pod): number {
  const assigned = Number(a.spec.nodeName !== undefined) - Number(b.spec.nodeName !== undefined);
  if (assigned !== 0) return assigned;
  const phase = (pod: Pod): number => (pod.status.phase === 'Pending' ? 0 : pod.status.phase === 'Unknown' ? 1 : 2);
  if (phase(a) !== phase(b)) return phase(a) - phase(b);
  const ready = Number(isPodReady(a)) - Number(isPodReady(b));
  if (ready !== 0) return ready;
  const age = parseTimestamp(b.metadata.creationTimestamp) - parseTimestamp(a.metadata.creationTimestamp);
  if (age !== 0) return age;
  return a.metadata.uid < b.metadata.uid ? -1 : 1;
}

function writeStatus(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler, written: OwnWrites): void {
  const { namespace, name } = splitKey(key);
  const set = client.get<ReplicaSet>('replicasets.apps', name, namespace);
  if (set === undefined) return;
  const pods = ownedPods(client, set).filter(isPodActive);
  const minReady = set.spec.minReadySeconds ?? 0;
  const states = pods.map((pod) => availability(pod, minReady, clock.now()));
  const ready = pods.filter(isPodReady).length;
  const available = states.filter((state) => state.isAvailable).length;
  for (const state of states) if (state.at !== undefined) queue.enqueue(key, state.at - clock.now());
  const status = {
    ...(available === 0 ? {} : { availableReplicas: available }),
    ...(pods.length === 0 ? {} : { fullyLabeledReplicas: pods.length }),
    observedGeneration: set.metadata.generation,
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    replicas: pods.length,
  };
  if (!isEqual(status, set.status)) written.add(client.updateStatus({ ...set, status }));
}
