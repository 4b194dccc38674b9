import type { SimulatedClock } from '../../clock/clock.ts';
import { controllerOf, isPodReady, keyOf, type Pod, type StatefulSet, splitKey } from '../objects.ts';
import type { ApiClient } from '../types.ts';
import { keepRevision } from './daemonset.ts';
import { ownedPods, podFrom, templateHash } from './pod-template.ts';
import { createReconciler } from './reconciler.ts';

const component = 'statefulset-controller';

/**
 * Numbered pods, one after the other (`pkg/controller/statefulset`).
 * Not modelled: volumeClaimTemplates, partitions.
 */
export function startStatefulSetController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue = createReconciler(clock, { name: 'statefulset', reconcile: (key) => sync(client, key) });
  const stops = [
    client.watch<StatefulSet>('statefulsets.apps', (event) => queue.enqueue(keyOf(event.object)), { replay: true }),
    client.watch<Pod>('pods', (event) => {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'StatefulSet') queue.enqueue(`${event.object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function ordinal(pod: Pod): number {
  return Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1);
}

function sync(client: ApiClient, key: string): void {
  const { namespace, name } = splitKey(key);
  const set = client.get<StatefulSet>('statefulsets.apps', name, namespace);
  if (set === undefined) return;
  const hash = templateHash(set.spec.template);
  const revision = `${name}-${hash}`;
  if (set.metadata.deletionTimestamp === undefined) {
    keepRevision(client, set, hash);
    step(client, set, revision);
  }
  writeStatus(client, set, revision);
}

/** One thing at a time, unless pods are managed in parallel. */
function step(client: ApiClient, set: StatefulSet, revision: string): void {
  const isParallel = set.spec.podManagementPolicy === 'Parallel';
  const replicas = set.spec.replicas ?? 1;
  const pods = new Map(ownedPods(client, set).map((pod) => [ordinal(pod), pod]));
  for (let index = 0; index < replicas; index++) {
    const pod = pods.get(index);
    if (pod === undefined) create(client, set, index, revision);
    else if ((pod.status.phase === 'Failed' || pod.status.phase === 'Succeeded') && pod.metadata.deletionTimestamp === undefined)
      remove(client, set, pod);
    else if (isPodReady(pod) && pod.metadata.deletionTimestamp === undefined) continue;
    if (!isParallel) return;
  }
  const surplus = [...pods.entries()].filter(([index]) => index >= replicas).sort(([a], [b]) => b - a);
  for (const [, pod] of surplus) {
    if (pod.metadata.deletionTimestamp === undefined) remove(client, set, pod);
    if (!isParallel) return;
  }
  if (set.spec.updateStrategy?.type === 'OnDelete') return;
  for (let index = replicas - 1; index >= 0; index--) {
    const pod = pods.get(index);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
    if (pod.metadata.labels?.['controller-revision-hash'] !== revision) {
      remove(client, set, pod);
      return;
    }
    if (!isPodReady(pod)) return;
  }
}

function create(client: ApiClient, set: StatefulSet, index: number, revision: string): void {
  const name = `${set.metadata.name}-${index}`;
  const input = podFrom(
    set.spec.template,
    set,
    { name },
    { 'controller-revision-hash': revision, 'statefulset.kubernetes.io/pod-name': name },
  );
  client.create({
    ...input,
    spec: { ...(input['spec'] as object), hostname: name, ...(set.spec.serviceName === '' ? {} : { subdomain: set.spec.serviceName }) },
  });
  client.recordEvent(set, {
    type: 'Normal',
    reason: 'SuccessfulCreate',
    message: `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    component,
  });
}

function remove(client: ApiClient, set: StatefulSet, pod: Pod): void {
  client.delete('pods', pod.metadata.name, pod.metadata.namespace);
  client.recordEvent(set, {
    type: 'Normal',
    reason: 'SuccessfulDelete',
    message: `delete Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} successful`,
    component,
  });
}

function writeStatus(client: ApiClient, of: StatefulSet, revision: string): void {
  const set = client.get<StatefulSet>('statefulsets.apps', of.metadata.name, of.metadata.namespace);
  if (set === undefined) return;
  const pods = ownedPods(client, set).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const ready = pods.filter(isPodReady).length;
  const updated = pods.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] === revision).length;
  const before = set.status as { readonly currentRevision?: string };
  const isComplete = updated === pods.length && ready === (set.spec.replicas ?? 1);
  const currentRevision = isComplete || before.currentRevision === undefined ? revision : before.currentRevision;
  const current = pods.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] === currentRevision).length;
  client.updateStatus({
    ...set,
    status: {
      availableReplicas: ready,
      collisionCount: 0,
      ...(current === 0 ? {} : { currentReplicas: current }),
      currentRevision,
      observedGeneration: set.metadata.generation,
      ...(ready === 0 ? {} : { readyReplicas: ready }),
      replicas: pods.length,
      updateRevision: revision,
      ...(updated === 0 ? {} : { updatedReplicas: updated }),
    },
  });
}
