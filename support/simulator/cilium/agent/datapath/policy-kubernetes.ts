import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import type { ParsedPolicy, PolicyPeer, PolicyPort, PolicyRule } from './policy.ts';
import { cidrPeer, inAnyNamespace, inNamespace, joinSelectors, mapKeys, namespaceLabels } from './policy-selectors.ts';

interface PeerField {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface PortField {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

export interface NetworkPolicyObject extends KubernetesObject {
  readonly spec?: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly PeerField[]; readonly ports?: readonly PortField[] }[];
    readonly egress?: readonly { readonly to?: readonly PeerField[]; readonly ports?: readonly PortField[] }[];
  };
}

/** networking.k8s.io/v1 NetworkPolicy, as Cilium turns it into a rule of its own (pkg/k8s/network_policy.go). */
export function parseNetworkPolicy(object: NetworkPolicyObject): ParsedPolicy {
  const spec = object.spec ?? {};
  const namespace = object.metadata.namespace ?? 'default';
  const types = spec.policyTypes ?? ((spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress']);
  const rules = (fields: readonly { readonly peers: readonly PeerField[] | undefined; readonly ports?: readonly PortField[] }[]) =>
    fields.map((field): PolicyRule => ({ isDeny: false, peers: peersOf(field.peers, namespace), ports: portsOf(field.ports) }));
  return {
    name: `${namespace}/${object.metadata.name}`,
    subject: joinSelectors(inNamespace(namespace), spec.podSelector ?? {}),
    ingress: types.includes('Ingress') ? rules((spec.ingress ?? []).map(({ from, ...rest }) => ({ ...rest, peers: from }))) : undefined,
    egress: types.includes('Egress') ? rules((spec.egress ?? []).map(({ to, ...rest }) => ({ ...rest, peers: to }))) : undefined,
    deniesIngress: true,
    deniesEgress: true,
    unmodelled: [],
  };
}

/** A missing or empty list is anybody. */
function peersOf(fields: readonly PeerField[] | undefined, namespace: string): readonly PolicyPeer[] | undefined {
  if (fields === undefined || fields.length === 0) return undefined;
  return fields.flatMap((field): PolicyPeer | readonly PolicyPeer[] => {
    if (field.ipBlock !== undefined) return cidrPeer(field.ipBlock.cidr, field.ipBlock.except) ?? [];
    const { namespaceSelector } = field;
    const where =
      namespaceSelector === undefined
        ? inNamespace(namespace)
        : joinSelectors(
            inAnyNamespace,
            mapKeys(namespaceSelector, (key) => namespaceLabels + key),
          );
    return { kind: 'labels', selector: joinSelectors(where, field.podSelector ?? {}) };
  });
}

function portsOf(fields: readonly PortField[] | undefined): readonly PolicyPort[] | undefined {
  if (fields === undefined || fields.length === 0) return undefined;
  return fields.flatMap((field): PolicyPort | readonly PolicyPort[] => {
    const protocol = (field.protocol ?? 'TCP').toLowerCase();
    if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') return [];
    if (typeof field.port === 'string' && !/^\d+$/.test(field.port)) return { protocol, low: 0, high: 0, name: field.port };
    const low = Number(field.port ?? 0);
    return { protocol, low, high: Math.max(low, field.endPort ?? low) };
  });
}
