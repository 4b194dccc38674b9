import type { SimulatedClock } from '../../clock/clock.ts';
import { type Condition, type Namespace, timestamp } from '../objects.ts';
import type { ApiClient, Reconciler } from '../types.ts';
import { createReconciler } from './reconciler.ts';

/** Resources whose objects live in namespaces, told by the caller: custom ones come and go. */
export type NamespacedResources = () => readonly string[];

const rootCertificate = '-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n';
const recheckMs = 500;

/** Gives each namespace its default service account and root certificate, and empties it when it is deleted. */
export function startNamespaceController(client: ApiClient, clock: SimulatedClock, resources: NamespacedResources): () => void {
  const queue: Reconciler = createReconciler(clock, {
    name: 'namespace',
    reconcile: (name) => sync(client, clock, name, resources, queue),
  });
  const again = (name: string | undefined): void => {
    if (name !== undefined) queue.enqueue(name);
  };
  const stops = [
    client.watch<Namespace>('namespaces', (event) => queue.enqueue(event.object.metadata.name), { replay: true }),
    client.watch('serviceaccounts', (event) => {
      if (event.type === 'DELETED') again(event.object.metadata.namespace);
    }),
    client.watch('configmaps', (event) => {
      if (event.type === 'DELETED' && event.object.metadata.name === 'kube-root-ca.crt') again(event.object.metadata.namespace);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function sync(client: ApiClient, clock: SimulatedClock, name: string, resources: NamespacedResources, queue: Reconciler): void {
  const namespace = client.get<Namespace>('namespaces', name);
  if (namespace === undefined) return;
  if (namespace.metadata.deletionTimestamp !== undefined) {
    empty(client, clock, namespace, resources, queue);
    return;
  }
  if (client.get('serviceaccounts', 'default', name) === undefined)
    client.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } });
  if (client.get('configmaps', 'kube-root-ca.crt', name) === undefined) {
    client.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'kube-root-ca.crt',
        namespace: name,
        annotations: {
          'kubernetes.io/description':
            'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
        },
      },
      data: { 'ca.crt': rootCertificate },
    });
  }
}

function empty(client: ApiClient, clock: SimulatedClock, namespace: Namespace, resources: NamespacedResources, queue: Reconciler): void {
  const name = namespace.metadata.name;
  const remaining: string[] = [];
  const finalizers = new Map<string, number>();
  let count = 0;
  for (const resource of resources()) {
    for (const object of client.list(resource, { namespace: name }))
      if (object.metadata.deletionTimestamp === undefined) client.delete(resource, object.metadata.name, name);
    const left = client.list(resource, { namespace: name });
    if (left.length > 0) remaining.push(`${resource} has ${left.length} resource instances`);
    count += left.length;
    for (const object of left)
      for (const finalizer of object.metadata.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
  }
  const current = client.get<Namespace>('namespaces', name);
  if (current === undefined) return;
  if (count === 0) {
    client.update({ ...current, spec: { finalizers: [] } });
    return;
  }
  const held = [...finalizers].map(([finalizer, number]) => `${finalizer} in ${number} resource instances`);
  client.updateStatus({
    ...current,
    status: { ...current.status, phase: 'Terminating', conditions: conditions(current, clock, remaining, held) },
  });
  queue.enqueue(name, recheckMs);
}

function conditions(
  namespace: Namespace,
  clock: SimulatedClock,
  remaining: readonly string[],
  held: readonly string[],
): readonly Condition[] {
  const make = (type: string, isTrue: boolean, reason: string, message: string): Condition => {
    const old = namespace.status.conditions?.find((condition) => condition.type === type);
    const status = isTrue ? 'True' : 'False';
    return {
      lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? null) : timestamp(clock.now()),
      message,
      reason,
      status,
      type,
    };
  };
  return [
    make('NamespaceDeletionDiscoveryFailure', false, 'ResourcesDiscovered', 'All resources successfully discovered'),
    make('NamespaceDeletionGroupVersionParsingFailure', false, 'ParsedGroupVersions', 'All legacy kube types successfully parsed'),
    make('NamespaceDeletionContentFailure', false, 'ContentDeleted', 'All content successfully deleted, may be waiting on finalization'),
    remaining.length > 0
      ? make('NamespaceContentRemaining', true, 'SomeResourcesRemain', `Some resources are remaining: ${remaining.join(', ')}`)
      : make('NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed'),
    held.length > 0
      ? make(
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
        )
      : make('NamespaceFinalizersRemaining', false, 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'),
  ];
}
