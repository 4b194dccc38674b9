import { nameAlphabet } from '../apiserver/admission.ts';
import { controllerReference } from '../apiserver/core.ts';
import { copy, isEqual } from '../apiserver/decode.ts';
import { conditionOf, isPodReady, type Pod, type PodTemplate, parseTimestamp } from '../objects.ts';
import type { ApiClient, KubernetesObject, ObjectInput } from '../types.ts';

/** A pod of a template for its controller; the name is fixed here or left to `generateName`. */
export function podFrom(
  template: PodTemplate,
  owner: KubernetesObject,
  name: { readonly name: string } | { readonly generateName: string },
  labels: Readonly<Record<string, string>> = {},
): ObjectInput {
  const annotations = template.metadata?.annotations;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...name,
      namespace: owner.metadata.namespace ?? 'default',
      labels: { ...template.metadata?.labels, ...labels },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: copy(template.spec),
  };
}

/** Stored objects are never changed in place, so a template keeps its hash. */
const hashes = new WeakMap<PodTemplate, string>();

/** Like `rand.SafeEncodeString` of a 32-bit FNV-1a hash: up to ten characters without vowels. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  const known = collisions === 0 && Object.isFrozen(template) ? hashes.get(template) : undefined;
  if (known !== undefined) return known;
  const hash = computeHash(template, collisions);
  if (collisions === 0) hashes.set(template, hash);
  return hash;
}

function computeHash(template: PodTemplate, collisions: number): string {
  const text = stableText(withoutHash(template)) + (collisions === 0 ? '' : String(collisions));
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return [...String(hash >>> 0)].map((digit) => nameAlphabet[digit.charCodeAt(0) % nameAlphabet.length]).join('');
}

function withoutHash(template: PodTemplate): PodTemplate {
  const { metadata, ...rest } = template;
  const { 'pod-template-hash': _hash, ...labels } = metadata?.labels ?? {};
  return { ...rest, metadata: { ...metadata, labels } };
}

/** Stored templates that were found to agree. */
const same = new WeakMap<PodTemplate, WeakSet<PodTemplate>>();

/** Templates agree apart from the hash label. */
export function isSameTemplate(a: PodTemplate, b: PodTemplate): boolean {
  if (same.get(a)?.has(b) === true) return true;
  if (!isEqual(withoutHash(a), withoutHash(b))) return false;
  if (Object.isFrozen(a) && Object.isFrozen(b)) same.set(a, (same.get(a) ?? new WeakSet()).add(b));
  return true;
}

function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${stableText((value as Readonly<Record<string, unknown>>)[key])}`)
    .join(',')}}`;
}

/** Ready for at least `minReadySeconds`; otherwise when it will be, in milliseconds since the epoch, or undefined. */
export function availability(pod: Pod, minReadySeconds: number, now: number): { readonly isAvailable: boolean; readonly at?: number } {
  if (!isPodReady(pod)) return { isAvailable: false };
  if (minReadySeconds === 0) return { isAvailable: true };
  const since = conditionOf(pod, 'Ready')?.lastTransitionTime;
  const at = (since === undefined || since === null ? now : parseTimestamp(since)) + minReadySeconds * 1000;
  return at <= now ? { isAvailable: true } : { isAvailable: false, at };
}

/** Pods that a controller owns, in order of their names. */
export function ownedPods(client: ApiClient, owner: KubernetesObject): readonly Pod[] {
  return client
    .list<Pod>('pods', { ownerUid: owner.metadata.uid })
    .filter(
      (pod) =>
        pod.metadata.ownerReferences?.some((reference) => reference.uid === owner.metadata.uid && reference.controller === true) === true,
    );
}

/** `25%` of `total`, or a plain number. */
export function resolvePercent(value: number | string | undefined, total: number, rounding: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const exact = (Number.parseInt(value, 10) * total) / 100;
  return rounding === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
