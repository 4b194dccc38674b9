import type { LabelSelector } from '../../../kubernetes/types.ts';
import { bits, contains, ipFromValue, parsePrefix, prefixOf, width } from '../../../net/address.ts';
import type { Prefix } from '../../../net/types.ts';
import type { ParsedPolicy, PolicyPeer } from './policy.ts';

export const podNamespace = 'io.kubernetes.pod.namespace';
export const namespaceLabels = 'io.cilium.k8s.namespace.labels.';

/** The keys of a selector, each turned into another. */
export function mapKeys(selector: LabelSelector, change: (key: string) => string): LabelSelector {
  return {
    ...(selector.matchLabels === undefined
      ? {}
      : { matchLabels: Object.fromEntries(Object.entries(selector.matchLabels).map(([key, value]) => [change(key), value])) }),
    ...(selector.matchExpressions === undefined
      ? {}
      : { matchExpressions: selector.matchExpressions.map((expression) => ({ ...expression, key: change(expression.key) })) }),
  };
}

/** Keys with a source (`k8s:app`, `any.app`) as plain keys; `reserved:` stays, for no label of Kubernetes is called so. */
export function plainSelector(selector: LabelSelector): LabelSelector {
  return mapKeys(selector, (key) => key.replace(/^(?:k8s|any)[:.]/, '').replace(/^reserved\./, 'reserved:'));
}

export function joinSelectors(a: LabelSelector, b: LabelSelector): LabelSelector {
  return {
    matchLabels: { ...a.matchLabels, ...b.matchLabels },
    matchExpressions: [...(a.matchExpressions ?? []), ...(b.matchExpressions ?? [])],
  };
}

export function keysOf(selector: LabelSelector): string[] {
  return [...Object.keys(selector.matchLabels ?? {}), ...(selector.matchExpressions ?? []).map(({ key }) => key)];
}

export const inNamespace = (namespace: string): LabelSelector => ({ matchLabels: { [podNamespace]: namespace } });
/** Pods of any namespace, and nothing but pods. */
export const inAnyNamespace: LabelSelector = { matchExpressions: [{ key: podNamespace, operator: 'Exists' }] };

export function cidrPeer(text: string, except: readonly string[] | undefined): PolicyPeer | undefined {
  const cidr = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (cidr === undefined) return undefined;
  return { kind: 'cidr', cidr, except: (except ?? []).flatMap((hole) => parsePrefix(hole) ?? []) };
}

/** A CIDR without its exceptions, as CIDRs. */
function without(cidr: Prefix, holes: readonly Prefix[]): readonly Prefix[] {
  const cutting = holes.filter((hole) => hole.family === cidr.family && (contains(cidr, hole.address) || contains(hole, cidr.address)));
  if (cutting.length === 0) return [cidr];
  if (cutting.some((hole) => hole.length <= cidr.length)) return [];
  const length = cidr.length + 1;
  const upper = ipFromValue(cidr.family, cidr.address.value | (1n << BigInt(width(cidr.family) - length)));
  return [...without(prefixOf(cidr.address, length), cutting), ...without(prefixOf(bits(upper), length), cutting)];
}

/** All CIDRs that policies speak of, in their order. */
export function cidrsOf(policies: readonly ParsedPolicy[]): Prefix[] {
  const found: Prefix[] = [];
  for (const { ingress, egress } of policies)
    for (const rule of [...(ingress ?? []), ...(egress ?? [])])
      for (const peer of rule.peers ?? []) if (peer.kind === 'cidr') found.push(...without(peer.cidr, peer.except));
  return found;
}
