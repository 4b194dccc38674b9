import type { SimulatedClock } from '../../clock/clock.ts';
import { keyOf, type Pod, splitKey } from '../objects.ts';
import type { ApiClient, KubernetesObject } from '../types.ts';
import { createReconciler } from './reconciler.ts';

const finalizer = 'kubernetes.io/pvc-protection';

/** A claim that is deleted goes when no pod uses it any more (`pkg/controller/volume/pvcprotection`). */
export function startClaimProtection(client: ApiClient, clock: SimulatedClock): () => void {
  const waiting = new Map<string, Set<string>>();
  const queue = createReconciler(clock, { name: 'pvc-protection', reconcile: (key) => release(client, key, waiting) });
  const stops = [
    client.watch<KubernetesObject>(
      'persistentvolumeclaims',
      ({ type, object }) => {
        if (type !== 'DELETED' && object.metadata.deletionTimestamp !== undefined) queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ type, object }) => {
      const keys = waiting.get(object.metadata.namespace ?? '');
      if (keys !== undefined && (type === 'DELETED' || isOver(object))) for (const key of keys) queue.enqueue(key);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function isOver(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

function release(client: ApiClient, key: string, waiting: Map<string, Set<string>>): void {
  const { namespace = '', name } = splitKey(key);
  const keys = waiting.get(namespace);
  keys?.delete(key);
  if (keys?.size === 0) waiting.delete(namespace);
  const claim = client.get('persistentvolumeclaims', name, namespace);
  if (claim?.metadata.deletionTimestamp === undefined || claim.metadata.finalizers?.includes(finalizer) !== true) return;
  const isUsed = client
    .list<Pod>('pods', { namespace })
    .some((pod) => !isOver(pod) && (pod.spec.volumes ?? []).some((volume) => claimOf(volume) === name));
  if (isUsed) waiting.set(namespace, new Set([...(waiting.get(namespace) ?? []), key]));
  else
    client.update({ ...claim, metadata: { ...claim.metadata, finalizers: claim.metadata.finalizers.filter((one) => one !== finalizer) } });
}

function claimOf(volume: object): string | undefined {
  return 'persistentVolumeClaim' in volume ? (volume.persistentVolumeClaim as { readonly claimName?: string }).claimName : undefined;
}
