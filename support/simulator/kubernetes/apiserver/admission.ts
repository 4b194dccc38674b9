import type { Random } from '../../clock/random.ts';
import type { Pod, Toleration } from '../objects.ts';
import type { KubernetesObject } from '../types.ts';
import { freeze } from './decode.ts';
import { admitPodDefaults } from './defaults.ts';
import { forbidden } from './errors.ts';
import { quantity } from './validation.ts';

type Draft = Record<string, unknown>;

/** What admission needs to look up. */
export interface Lookup {
  get(resource: string, name: string, namespace?: string): KubernetesObject | undefined;
}

/** Characters of generated names: no vowels, no look-alikes (apimachinery `util/rand`). */
export const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

const pods = { group: '', plural: 'pods' };

/**
 * The mutating admission plugins that every new pod meets in a default cluster: ServiceAccount, DefaultTolerationSeconds, Priority.
 * Mirror pods of static pods are left alone by the first.
 * @throws ApiError 403
 */
export function admitPod(draft: Draft, namespace: string, lookup: Lookup, random: Random): void {
  const spec = draft['spec'] as Draft;
  const metadata = draft['metadata'] as { readonly name?: string; readonly annotations?: Readonly<Record<string, string>> };
  const isMirror = metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  admitPodDefaults(spec);
  if (!isMirror) admitServiceAccount(spec, metadata.name ?? '', namespace, lookup, random);
  if (!isMirror) addDefaultTolerations(spec);
  admitPriority(spec, metadata.name ?? '', lookup);
  const runtime = spec['runtimeClassName'];
  if (typeof runtime === 'string' && lookup.get('runtimeclasses.node.k8s.io', runtime) === undefined)
    throw forbidden(pods, metadata.name ?? '', `pod rejected: RuntimeClass ${JSON.stringify(runtime)} not found`);
}

function admitServiceAccount(spec: Draft, podName: string, namespace: string, lookup: Lookup, random: Random): void {
  spec['serviceAccountName'] ??= 'default';
  spec['serviceAccount'] = spec['serviceAccountName'];
  const name = String(spec['serviceAccountName']);
  const account = lookup.get('serviceaccounts', name, namespace);
  // The real plugin waits up to a second for the account of a new namespace; `default` always comes within that.
  if (account === undefined && name !== 'default')
    throw forbidden(pods, podName, `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`);
  const automount = spec['automountServiceAccountToken'] ?? account?.['automountServiceAccountToken'] ?? true;
  if (automount !== true) return;
  const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
  const volumes = (spec['volumes'] ?? []) as readonly Draft[];
  const volume = `kube-api-access-${random.text(5, nameAlphabet)}`;
  let isUsed = false;
  for (const field of ['initContainers', 'containers']) {
    for (const container of (spec[field] ?? []) as Draft[]) {
      const mounts = (container['volumeMounts'] ?? []) as readonly Draft[];
      if (mounts.some((mount) => mount['mountPath'] === mountPath)) continue;
      container['volumeMounts'] = [...mounts, { mountPath, name: volume, readOnly: true }];
      isUsed = true;
    }
  }
  if (!isUsed) {
    if (volumes.length === 0) delete spec['volumes'];
    return;
  }
  spec['volumes'] = [...volumes, { name: volume, projected: tokenVolume }];
}

/** The same in every pod. */
const tokenVolume = freeze({
  defaultMode: 420,
  sources: [
    { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
    { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
    { downwardAPI: { items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }] } },
  ],
});

export function addDefaultTolerations(spec: Draft): void {
  spec['tolerations'] ??= [];
  const tolerations = spec['tolerations'] as Toleration[];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const isTolerated = tolerations.some(
      (toleration) =>
        (toleration.key === key || (toleration.key === undefined && toleration.operator === 'Exists')) &&
        (toleration.effect === 'NoExecute' || toleration.effect === undefined),
    );
    if (!isTolerated) tolerations.push({ effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds: 300 });
  }
}

function admitPriority(spec: Draft, podName: string, lookup: Lookup): void {
  const name = spec['priorityClassName'];
  if (typeof name !== 'string') {
    givePriority(spec, podName, 0, 'PreemptLowerPriority');
    return;
  }
  const found = lookup.get('priorityclasses.scheduling.k8s.io', name);
  if (found === undefined) throw forbidden(pods, podName, `no PriorityClass with name ${name} was found`);
  givePriority(spec, podName, Number(found['value'] ?? 0), String(found['preemptionPolicy'] ?? 'PreemptLowerPriority'));
}

function givePriority(spec: Draft, podName: string, priority: number, policy: string): void {
  const differs = (what: string, given: unknown, computed: unknown): never => {
    throw forbidden(
      pods,
      podName,
      `the ${what} (${String(given)}) must not be provided in pod spec; priority admission controller computed ${String(computed)} from the given PriorityClass name`,
    );
  };
  const { priority: given, preemptionPolicy } = spec;
  if (given !== undefined && given !== priority) differs('integer value of priority', given, priority);
  if (preemptionPolicy !== undefined && preemptionPolicy !== policy) differs('string value of PreemptionPolicy', preemptionPolicy, policy);
  spec['priority'] = priority;
  spec['preemptionPolicy'] = policy;
}

/** `status.qosClass` (`pkg/apis/core/v1/helper/qos`). */
export function qosClassOf(spec: Pod['spec']): 'BestEffort' | 'Burstable' | 'Guaranteed' {
  let hasAny = false;
  let isGuaranteed = true;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const resource of ['cpu', 'memory']) {
      const request = container.resources?.requests?.[resource];
      const limit = container.resources?.limits?.[resource];
      const isSet = (text: string | undefined): boolean => text !== undefined && quantity(text) > 0;
      if (isSet(request) || isSet(limit)) hasAny = true;
      if (!isSet(limit) || (request !== undefined && quantity(request) !== quantity(limit ?? '0'))) isGuaranteed = false;
    }
  }
  return !hasAny ? 'BestEffort' : isGuaranteed ? 'Guaranteed' : 'Burstable';
}
