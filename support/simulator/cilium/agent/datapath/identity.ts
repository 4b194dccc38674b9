import type { Prefix } from '../../../net/types.ts';
import type { Identity } from '../../types.ts';

/** Numbers of the reserved identities (Cilium documentation, "Special identities"). */
export const reserved = {
  unknown: 0,
  host: 1,
  world: 2,
  unmanaged: 3,
  health: 4,
  init: 5,
  remoteNode: 6,
  kubeApiserver: 7,
  ingress: 8,
  worldIpv4: 9,
  worldIpv6: 10,
} as const;

const reservedNames = new Map<number, string>([
  [0, 'unknown'],
  [1, 'host'],
  [2, 'world'],
  [3, 'unmanaged'],
  [4, 'health'],
  [5, 'init'],
  [6, 'remote-node'],
  [7, 'kube-apiserver'],
  [8, 'ingress'],
  [9, 'world-ipv4'],
  [10, 'world-ipv6'],
]);

/** `world` for 2; undefined for an identity that was allocated. */
export function reservedName(id: number): string | undefined {
  return reservedNames.get(id);
}

const reservedIdentities = new Map<number, Identity>(
  [...reservedNames].map(([id, name]) => [
    id,
    { id, labels: id === 7 ? ['reserved:kube-apiserver', 'reserved:remote-node'] : [`reserved:${name}`] },
  ]),
);

export function reservedIdentity(id: number): Identity {
  return reservedIdentities.get(id) ?? { id, labels: [`reserved:${id}`] };
}

/**
 * World is one identity in a single-stack cluster; in a dual-stack one each family has its own (since 1.15).
 */
export function worldIdentity(family: 4 | 6, isDualStack: boolean): number {
  if (!isDualStack) return reserved.world;
  return family === 4 ? reserved.worldIpv4 : reserved.worldIpv6;
}

/** Numbers that each agent gives to CIDRs of its policies, for itself alone, begin above this one. */
export const localIdentityScope = 0x100_0000;

/** What a policy's CIDR is to the datapath: a part of the world with a number of its own (since 1.15 without labels of the wider CIDRs). */
export function cidrIdentity(id: number, cidr: Prefix, isDualStack: boolean): Identity {
  return { id, labels: [`cidr:${cidr.text}`, `reserved:${reservedName(worldIdentity(cidr.family, isDualStack))}`] };
}

/** Identities of the cluster: everything but the world. */
export function isClusterIdentity(id: number): boolean {
  return (
    id <= localIdentityScope && id !== reserved.world && id !== reserved.worldIpv4 && id !== reserved.worldIpv6 && id !== reserved.unknown
  );
}

export function isRemoteNodeIdentity(id: number): boolean {
  return id === reserved.remoteNode || id === reserved.kubeApiserver;
}

interface LabelRule {
  readonly pattern: RegExp;
  readonly isExcluded: boolean;
}

/** Which labels make an identity by default (documentation, "Limiting Identity-Relevant Labels"); the first rule that matches decides. */
const defaultRules: readonly LabelRule[] = [
  'io\\.kubernetes\\.pod\\.namespace',
  'io\\.cilium\\.k8s\\.namespace\\.labels',
  'app\\.kubernetes\\.io',
  '!io\\.kubernetes',
  '!kubernetes\\.io',
  '!statefulset\\.kubernetes\\.io/pod-name',
  '!apps\\.kubernetes\\.io/pod-index',
  '!batch\\.kubernetes\\.io/job-completion-index',
  '!batch\\.kubernetes\\.io/controller-uid',
  '!.*beta\\.kubernetes\\.io',
  '!k8s\\.io',
  '!pod-template-generation',
  '!pod-template-hash',
  '!controller-revision-hash',
  '!annotation.*',
  '!controller-uid',
  '!etcd_node',
].map(parseRule);

function parseRule(text: string): LabelRule {
  const isExcluded = text.startsWith('!');
  const body = (isExcluded ? text.slice(1) : text).replace(/^k8s:/, '');
  return { pattern: new RegExp(`^(?:${body})`), isExcluded };
}

/**
 * The filter of the `labels` option: its rules come before the defaults; with at least one inclusive rule of the
 * user's own, a label that nothing includes is left out.
 */
export function isIdentityLabel(key: string, userRules: readonly LabelRule[]): boolean {
  for (const rule of userRules) if (rule.pattern.test(key)) return !rule.isExcluded;
  const isInclusive = userRules.some((rule) => !rule.isExcluded);
  for (const rule of defaultRules) if (rule.pattern.test(key)) return !rule.isExcluded;
  return !isInclusive;
}

/**
 * The security labels of a pod, sorted, in the form `k8s:key=value`: its own labels that the filter lets through, its
 * namespace's labels under `io.cilium.k8s.namespace.labels.`, and what Cilium adds.
 */
export function identityLabels(pod: {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  readonly serviceAccount: string | undefined;
  readonly clusterName: string;
  readonly labelFilter?: readonly string[];
}): string[] {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(pod.labels ?? {})) all.set(key, value);
  for (const [key, value] of Object.entries(pod.namespaceLabels ?? {})) all.set(`io.cilium.k8s.namespace.labels.${key}`, value);
  all.set('io.kubernetes.pod.namespace', pod.namespace);
  all.set('io.cilium.k8s.policy.cluster', pod.clusterName);
  all.set('io.cilium.k8s.policy.serviceaccount', pod.serviceAccount ?? 'default');
  const rules = (pod.labelFilter ?? []).map(parseRule);
  const labels: string[] = [];
  for (const [key, value] of all) if (isIdentityLabel(key, rules)) labels.push(`k8s:${key}=${value}`);
  return labels.sort();
}

/** Security labels as plain labels, for selectors: `k8s:app=web` → `app: web`. */
export function labelsOfIdentity(labels: readonly string[]): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const label of labels) {
    const colon = label.indexOf(':');
    const text = colon < 0 ? label : label.slice(colon + 1);
    const equals = text.indexOf('=');
    if (equals < 0) plain[text] = '';
    else plain[text.slice(0, equals)] = text.slice(equals + 1);
  }
  return plain;
}

const labelsForPolicy = new WeakMap<Identity, Readonly<Record<string, string>>>();

/** What a policy's selectors see: plain labels, and those of other sources than Kubernetes with their source, too. */
export function policyLabels(identity: Identity): Readonly<Record<string, string>> {
  let known = labelsForPolicy.get(identity);
  if (known === undefined) {
    const made = labelsOfIdentity(identity.labels);
    for (const label of identity.labels) {
      if (label.startsWith('k8s:')) continue;
      const equals = label.indexOf('=');
      made[equals < 0 ? label : label.slice(0, equals)] = equals < 0 ? '' : label.slice(equals + 1);
    }
    labelsForPolicy.set(identity, made);
    known = made;
  }
  return known;
}

/** The `security-labels` field of a CiliumIdentity, and back. */
export function securityLabelsObject(labels: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {};
  for (const label of labels) {
    const equals = label.indexOf('=');
    object[equals < 0 ? label : label.slice(0, equals)] = equals < 0 ? '' : label.slice(equals + 1);
  }
  return object;
}

export function securityLabelsList(object: Readonly<Record<string, string>>): string[] {
  return Object.entries(object)
    .map(([key, value]) => (key.startsWith('k8s:') ? `${key}=${value}` : value === '' ? key : `${key}=${value}`))
    .sort();
}
