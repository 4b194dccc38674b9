import type { SimulatedClock } from '../../clock/clock.ts';
import { ApiError, isNotFound } from '../apiserver/errors.ts';
import type { ApiClient, KubernetesObject } from '../types.ts';

/** What the collector needs of the API server beyond a client: every type, custom ones included. */
export interface ObjectGraph {
  resources(): readonly string[];
  resourceOf(object: { readonly apiVersion: string; readonly kind: string }): string | undefined;
  onResource(listener: (resource: string) => void): void;
}

/** Deletes what lost its last owner, and carries out foreground and orphaning deletion (`pkg/controller/garbagecollector`). */
export function startGarbageCollector(client: ApiClient, clock: SimulatedClock, graph: ObjectGraph): () => void {
  const watched = new Map<string, () => void>();
  const delayMs = 20;

  function watch(resource: string): void {
    if (watched.has(resource)) return;
    watched.set(
      resource,
      client.watch(resource, ({ type, object }) => {
        const finalizers = object.metadata.finalizers ?? [];
        if (type === 'DELETED') {
          clock.schedule(delayMs, () => collect(object));
          for (const owner of object.metadata.ownerReferences ?? [])
            if (owner.blockOwnerDeletion === true) clock.schedule(delayMs, () => releaseOwner(owner));
        } else if (object.metadata.deletionTimestamp !== undefined && finalizers.includes('foregroundDeletion'))
          clock.schedule(delayMs, () => foreground(resource, object));
        else if (object.metadata.deletionTimestamp !== undefined && finalizers.includes('orphan'))
          clock.schedule(delayMs, () => orphan(resource, object));
        else if (type === 'ADDED' && (object.metadata.ownerReferences?.length ?? 0) > 0)
          clock.schedule(delayMs, () => checkOwners(resource, object));
      }),
    );
  }

  function dependents(uid: string): { readonly resource: string; readonly object: KubernetesObject }[] {
    return graph.resources().flatMap((resource) => client.list(resource, { ownerUid: uid }).map((object) => ({ resource, object })));
  }

  function hasOtherOwner(object: KubernetesObject, uid: string): boolean {
    return (object.metadata.ownerReferences ?? []).some((owner) => {
      if (owner.uid === uid) return false;
      const resource = graph.resourceOf(owner);
      return resource !== undefined && find(resource, owner.name, object)?.metadata.uid === owner.uid;
    });
  }

  function find(resource: string, name: string, near: KubernetesObject): KubernetesObject | undefined {
    return client.get(resource, name, near.metadata.namespace) ?? client.get(resource, name);
  }

  function remove(resource: string, object: KubernetesObject): void {
    const now = client.get(resource, object.metadata.name, object.metadata.namespace);
    if (now === undefined || now.metadata.uid !== object.metadata.uid || now.metadata.deletionTimestamp !== undefined) return;
    tolerate(() => client.delete(resource, object.metadata.name, object.metadata.namespace));
  }

  function collect(owner: KubernetesObject): void {
    for (const { resource, object } of dependents(owner.metadata.uid))
      if (!hasOtherOwner(object, owner.metadata.uid)) remove(resource, object);
  }

  /** A dependent whose owner is gone already (or never was) is collected as well. */
  function checkOwners(resource: string, object: KubernetesObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    const isKnown = owners.every((owner) => graph.resourceOf(owner) !== undefined);
    if (isKnown && !hasOtherOwner(object, '')) remove(resource, object);
  }

  function foreground(resource: string, object: KubernetesObject): void {
    const now = client.get(resource, object.metadata.name, object.metadata.namespace);
    if (now === undefined) return;
    const blocking = dependents(now.metadata.uid).filter(({ object: dependent }) =>
      dependent.metadata.ownerReferences?.some((owner) => owner.uid === now.metadata.uid && owner.blockOwnerDeletion === true),
    );
    for (const { resource: kind, object: dependent } of dependents(now.metadata.uid)) remove(kind, dependent);
    if (blocking.length === 0) dropFinalizer(resource, now, 'foregroundDeletion');
  }

  function releaseOwner(owner: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string }): void {
    const resource = graph.resourceOf(owner);
    if (resource === undefined) return;
    const found = client.list(resource).find((object) => object.metadata.uid === owner.uid);
    if (found?.metadata.finalizers?.includes('foregroundDeletion') === true) foreground(resource, found);
  }

  function orphan(resource: string, object: KubernetesObject): void {
    for (const { resource: kind, object: dependent } of dependents(object.metadata.uid)) {
      const owners = dependent.metadata.ownerReferences?.filter((owner) => owner.uid !== object.metadata.uid) ?? [];
      tolerate(() =>
        client.patch(kind, dependent.metadata.name, dependent.metadata.namespace, {
          metadata: { ownerReferences: owners.length === 0 ? null : owners },
        }),
      );
    }
    dropFinalizer(resource, object, 'orphan');
  }

  function dropFinalizer(resource: string, object: KubernetesObject, finalizer: string): void {
    const now = client.get(resource, object.metadata.name, object.metadata.namespace);
    if (now === undefined || now.metadata.uid !== object.metadata.uid) return;
    const finalizers = (now.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    if (finalizers.length === (now.metadata.finalizers ?? []).length) return;
    tolerate(() =>
      client.patch(resource, now.metadata.name, now.metadata.namespace, {
        metadata: { finalizers: finalizers.length === 0 ? null : finalizers },
      }),
    );
  }

  for (const resource of graph.resources()) watch(resource);
  graph.onResource(watch);
  return () => {
    for (const stop of watched.values()) stop();
  };
}

/** What others removed or changed meanwhile needs no collecting. */
function tolerate(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (isNotFound(error) || (error instanceof ApiError && error.status.code === 409)) return;
    throw error;
  }
}
