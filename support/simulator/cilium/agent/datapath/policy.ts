import { matchesSelector } from '../../../kubernetes/labels.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { contains, parsePrefix } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { Identity } from '../../types.ts';
import { labelsOfIdentity, reserved } from './identity.ts';

/** What a rule lets through or denies: a peer and a port, of which either may be anything. */
export interface PolicyRule {
  readonly isDeny: boolean;
  /** Undefined: any peer. */
  readonly peers: readonly PolicyPeer[] | undefined;
  /** Undefined: any port. */
  readonly ports: readonly PolicyPort[] | undefined;
}

export type PolicyPeer =
  | { readonly kind: 'labels'; readonly selector: LabelSelector }
  | { readonly kind: 'cidr'; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: 'entity'; readonly entity: string };

export interface PolicyPort {
  readonly protocol: 'tcp' | 'udp' | 'any';
  /** 0: every port. */
  readonly low: number;
  readonly high: number;
}

/** Rules in force at an endpoint; undefined for a direction that no policy selects. */
export interface EndpointPolicy {
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
}

export interface PolicyDecision {
  readonly isAllowed: boolean;
  readonly isDenyRule: boolean;
  /** As in `policy-verdict:…`. */
  readonly match: 'none' | 'L3-Only' | 'L3-L4' | 'L4-Only' | 'all';
}

export interface PolicySubject {
  readonly identity: Identity;
  readonly ip: Ip;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly port: number;
}

/** Deny rules win; without a rule that allows, an enforced direction drops. */
export function decidePolicy(rules: readonly PolicyRule[], subject: PolicySubject): PolicyDecision {
  let allowed: PolicyDecision['match'] | undefined;
  for (const rule of rules) {
    const match = matchRule(rule, subject);
    if (match === undefined) continue;
    if (rule.isDeny) return { isAllowed: false, isDenyRule: true, match };
    if (allowed === undefined || rank(match) < rank(allowed)) allowed = match;
  }
  return allowed === undefined
    ? { isAllowed: false, isDenyRule: false, match: 'none' }
    : { isAllowed: true, isDenyRule: false, match: allowed };
}

/** The order in which the policy map is looked up. */
function rank(match: PolicyDecision['match']): number {
  return ['L3-L4', 'L4-Only', 'L3-Only', 'all', 'none'].indexOf(match);
}

function matchRule(rule: PolicyRule, subject: PolicySubject): PolicyDecision['match'] | undefined {
  const { peers, ports } = rule;
  if (peers !== undefined && !peers.some((peer) => matchPeer(peer, subject))) return undefined;
  if (ports !== undefined && !ports.some((port) => matchPort(port, subject))) return undefined;
  if (peers !== undefined) return ports === undefined ? 'L3-Only' : 'L3-L4';
  return ports === undefined ? 'all' : 'L4-Only';
}

function matchPort(port: PolicyPort, subject: PolicySubject): boolean {
  if (subject.protocol === 'icmp') return false;
  if (port.protocol !== 'any' && port.protocol !== subject.protocol) return false;
  return port.low === 0 || (subject.port >= port.low && subject.port <= port.high);
}

function matchPeer(peer: PolicyPeer, subject: PolicySubject): boolean {
  switch (peer.kind) {
    case 'labels':
      return subject.identity.id >= 256 && matchesSelector(peer.selector, labelsOfIdentity(subject.identity.labels));
    case 'cidr':
      // CIDRs are for what is outside: they do not select pods and nodes of the cluster.
      return isWorld(subject.identity.id) && contains(peer.cidr, subject.ip) && !peer.except.some((hole) => contains(hole, subject.ip));
    case 'entity':
      return matchEntity(peer.entity, subject.identity.id);
  }
}

function isWorld(id: number): boolean {
  return id === reserved.world || id === reserved.worldIpv4 || id === reserved.worldIpv6;
}

function matchEntity(entity: string, id: number): boolean {
  switch (entity) {
    case 'all':
      return true;
    case 'world':
      return isWorld(id);
    case 'world-ipv4':
      return id === reserved.worldIpv4 || id === reserved.world;
    case 'world-ipv6':
      return id === reserved.worldIpv6 || id === reserved.world;
    case 'cluster':
      return !isWorld(id) && id !== reserved.unknown;
    case 'host':
      return id === reserved.host;
    case 'remote-node':
      return id === reserved.remoteNode || id === reserved.kubeApiserver;
    case 'kube-apiserver':
      return id === reserved.kubeApiserver;
    case 'health':
      return id === reserved.health;
    case 'init':
      return id === reserved.init;
    case 'unmanaged':
      return id === reserved.unmanaged;
    case 'ingress':
      return id === reserved.ingress;
    default:
      return false;
  }
}

// ── from objects ────────────────────────────────────────────────────────────────────────────────────────────

/** A policy as the agent holds it. */
export interface ParsedPolicy {
  readonly name: string;
  /** Which endpoints it selects, by the labels of their identity. */
  readonly subject: LabelSelector;
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
  /** What of the object has no effect here. */
  readonly unmodelled: readonly string[];
}

const podNamespace = 'io.kubernetes.pod.namespace';
const namespaceLabels = 'io.cilium.k8s.namespace.labels.';

interface NetworkPolicyPeerField {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface NetworkPolicyPortField {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

export interface NetworkPolicyObject extends KubernetesObject {
  readonly spec?: {
    readonly podSelector?: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly NetworkPolicyPeerField[]; readonly ports?: readonly NetworkPolicyPortField[] }[];
    readonly egress?: readonly { readonly to?: readonly NetworkPolicyPeerField[]; readonly ports?: readonly NetworkPolicyPortField[] }[];
  };
}

/** networking.k8s.io/v1 NetworkPolicy. */
export function parseNetworkPolicy(object: NetworkPolicyObject): ParsedPolicy {
  const spec = object.spec ?? {};
  const namespace = object.metadata.namespace ?? 'default';
  const unmodelled: string[] = [];
  const types = spec.policyTypes ?? (spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress']);
  const peers = (fields: readonly NetworkPolicyPeerField[] | undefined): PolicyPeer[] | undefined => {
    if (fields === undefined || fields.length === 0) return undefined;
    const found: PolicyPeer[] = [];
    for (const field of fields) {
      if (field.ipBlock !== undefined) {
        const peer = cidrPeer(field.ipBlock.cidr, field.ipBlock.except);
        if (peer !== undefined) found.push(peer);
        continue;
      }
      const inNamespace: LabelSelector =
        field.namespaceSelector === undefined
          ? { matchLabels: { [podNamespace]: namespace } }
          : prefixSelector(field.namespaceSelector, namespaceLabels);
      found.push({ kind: 'labels', selector: joinSelectors(inNamespace, field.podSelector ?? {}) });
    }
    return found;
  };
  const ports = (fields: readonly NetworkPolicyPortField[] | undefined): PolicyPort[] | undefined => {
    if (fields === undefined || fields.length === 0) return undefined;
    return fields.flatMap((field): PolicyPort[] => {
      const protocol = (field.protocol ?? 'TCP').toLowerCase();
      if (protocol !== 'tcp' && protocol !== 'udp') {
        unmodelled.push(`protocol ${field.protocol}`);
        return [];
      }
      if (typeof field.port === 'string' && !/^\d+$/.test(field.port)) {
        unmodelled.push(`named port ${field.port}`);
        return [];
      }
      const low = Number(field.port ?? 0);
      return [{ protocol, low, high: field.endPort ?? low }];
    });
  };
  return {
    name: `${namespace}/${object.metadata.name}`,
    subject: joinSelectors({ matchLabels: { [podNamespace]: namespace } }, spec.podSelector ?? {}),
    ingress: types.includes('Ingress')
      ? (spec.ingress ?? []).map((rule) => ({ isDeny: false, peers: peers(rule.from), ports: ports(rule.ports) }))
      : undefined,
    egress: types.includes('Egress')
      ? (spec.egress ?? []).map((rule) => ({ isDeny: false, peers: peers(rule.to), ports: ports(rule.ports) }))
      : undefined,
    unmodelled,
  };
}

export interface CiliumPolicyObject extends KubernetesObject {
  readonly spec?: CiliumRuleField;
  readonly specs?: readonly CiliumRuleField[];
}

interface CiliumRuleField {
  readonly endpointSelector?: LabelSelector;
  readonly nodeSelector?: LabelSelector;
  readonly ingress?: readonly CiliumDirectionField[];
  readonly ingressDeny?: readonly CiliumDirectionField[];
  readonly egress?: readonly CiliumDirectionField[];
  readonly egressDeny?: readonly CiliumDirectionField[];
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
}

type CiliumDirectionField = Readonly<Record<string, unknown>>;

/** cilium.io/v2 CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, layers 3 and 4. */
export function parseCiliumPolicy(object: CiliumPolicyObject): ParsedPolicy[] {
  const { namespace } = object.metadata;
  const name = namespace === undefined ? object.metadata.name : `${namespace}/${object.metadata.name}`;
  const rules = [...(object.spec === undefined ? [] : [object.spec]), ...(object.specs ?? [])];
  return rules.map((rule) => {
    const unmodelled: string[] = [];
    if (rule.nodeSelector !== undefined) unmodelled.push('nodeSelector (host policies)');
    const side = (fields: readonly CiliumDirectionField[] | undefined, word: 'from' | 'to', isDeny: boolean): PolicyRule[] =>
      (fields ?? []).flatMap((field) => parseDirection(field, word, isDeny, namespace, unmodelled));
    const hasIngress = rule.ingress !== undefined || rule.ingressDeny !== undefined;
    const hasEgress = rule.egress !== undefined || rule.egressDeny !== undefined;
    const own: LabelSelector = namespace === undefined ? {} : { matchLabels: { [podNamespace]: namespace } };
    return {
      name,
      subject:
        rule.endpointSelector === undefined
          ? { matchLabels: { 'reserved:none': 'none' } }
          : joinSelectors(own, plainSelector(rule.endpointSelector)),
      ingress:
        hasIngress && rule.enableDefaultDeny?.ingress !== false
          ? [...side(rule.ingressDeny, 'from', true), ...side(rule.ingress, 'from', false)]
          : undefined,
      egress:
        hasEgress && rule.enableDefaultDeny?.egress !== false
          ? [...side(rule.egressDeny, 'to', true), ...side(rule.egress, 'to', false)]
          : undefined,
      unmodelled,
    };
  });
}

function parseDirection(
  field: CiliumDirectionField,
  word: 'from' | 'to',
  isDeny: boolean,
  namespace: string | undefined,
  unmodelled: string[],
): PolicyRule[] {
  const peers: PolicyPeer[] = [];
  let hasPeers = false;
  let isUnknown = false;
  for (const [key, value] of Object.entries(field)) {
    if (!Array.isArray(value)) continue;
    const items: readonly unknown[] = value;
    switch (key) {
      case `${word}Endpoints`:
        hasPeers = true;
        for (const item of items) peers.push({ kind: 'labels', selector: endpointPeer(item as LabelSelector, namespace) });
        break;
      case `${word}CIDR`:
        hasPeers = true;
        for (const item of items) pushCidr(peers, String(item), undefined);
        break;
      case `${word}CIDRSet`:
        hasPeers = true;
        for (const item of items as readonly { readonly cidr?: string; readonly except?: readonly string[] }[]) {
          if (item.cidr === undefined) unmodelled.push(`${key} without cidr`);
          else pushCidr(peers, item.cidr, item.except);
        }
        break;
      case `${word}Entities`:
        hasPeers = true;
        for (const item of items) peers.push({ kind: 'entity', entity: String(item) });
        break;
      case 'toPorts':
        break;
      default:
        unmodelled.push(key);
        isUnknown = true;
    }
  }
  if (isUnknown && !hasPeers) return [];
  const ports = portsOf(field.toPorts, unmodelled);
  return [{ isDeny, peers: hasPeers ? peers : undefined, ports }];
}

function portsOf(field: unknown, unmodelled: string[]): PolicyPort[] | undefined {
  if (!Array.isArray(field) || field.length === 0) return undefined;
  const found: PolicyPort[] = [];
  for (const item of field as readonly {
    readonly ports?: readonly { readonly port?: string | number; readonly protocol?: string; readonly endPort?: number }[];
    readonly rules?: unknown;
  }[]) {
    if (item.rules !== undefined) unmodelled.push('toPorts[].rules (layer 7)');
    for (const port of item.ports ?? []) {
      const protocol = (port.protocol ?? 'ANY').toLowerCase();
      const number = Number(port.port ?? 0);
      if (!Number.isInteger(number) || !['tcp', 'udp', 'any'].includes(protocol)) unmodelled.push(`port ${String(port.port)}/${protocol}`);
      else found.push({ protocol: protocol as PolicyPort['protocol'], low: number, high: port.endPort ?? number });
    }
  }
  return found;
}

function cidrPeer(text: string, except: readonly string[] | undefined): PolicyPeer | undefined {
  const cidr = parsePrefix(text);
  if (cidr === undefined) return undefined;
  return { kind: 'cidr', cidr, except: (except ?? []).flatMap((hole) => parsePrefix(hole) ?? []) };
}

function pushCidr(peers: PolicyPeer[], text: string, except: readonly string[] | undefined): void {
  const peer = cidrPeer(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`, except);
  if (peer !== undefined) peers.push(peer);
}

/** A peer selector of a namespaced policy means its own namespace unless it names one. */
function endpointPeer(selector: LabelSelector, namespace: string | undefined): LabelSelector {
  const plain = plainSelector(selector);
  const keys = [...Object.keys(plain.matchLabels ?? {}), ...(plain.matchExpressions ?? []).map((expression) => expression.key)];
  const namesNamespace = keys.some((key) => key === podNamespace || key.startsWith(namespaceLabels));
  return namespace === undefined || namesNamespace ? plain : joinSelectors({ matchLabels: { [podNamespace]: namespace } }, plain);
}

/** Keys with a source (`k8s:app`, `any:app`) as plain keys. */
function plainSelector(selector: LabelSelector): LabelSelector {
  const plain = (key: string): string => key.replace(/^(?:k8s|any)[:.]/, '');
  return {
    ...(selector.matchLabels === undefined
      ? {}
      : { matchLabels: Object.fromEntries(Object.entries(selector.matchLabels).map(([key, value]) => [plain(key), value])) }),
    ...(selector.matchExpressions === undefined
      ? {}
      : { matchExpressions: selector.matchExpressions.map((expression) => ({ ...expression, key: plain(expression.key) })) }),
  };
}

function prefixSelector(selector: LabelSelector, before: string): LabelSelector {
  return {
    ...(selector.matchLabels === undefined
      ? {}
      : { matchLabels: Object.fromEntries(Object.entries(selector.matchLabels).map(([key, value]) => [before + key, value])) }),
    ...(selector.matchExpressions === undefined
      ? {}
      : { matchExpressions: selector.matchExpressions.map((expression) => ({ ...expression, key: before + expression.key })) }),
  };
}

function joinSelectors(a: LabelSelector, b: LabelSelector): LabelSelector {
  return {
    matchLabels: { ...a.matchLabels, ...b.matchLabels },
    matchExpressions: [...(a.matchExpressions ?? []), ...(b.matchExpressions ?? [])],
  };
}

/** What all policies together ask of one endpoint. */
export function policyOf(
  identity: Identity,
  policies: readonly ParsedPolicy[],
  enforcement: 'default' | 'always' | 'never',
): EndpointPolicy | undefined {
  if (enforcement === 'never') return undefined;
  const labels = labelsOfIdentity(identity.labels);
  let ingress: PolicyRule[] | undefined = enforcement === 'always' ? [] : undefined;
  let egress: PolicyRule[] | undefined = enforcement === 'always' ? [] : undefined;
  for (const policy of policies) {
    if (!matchesSelector(policy.subject, labels)) continue;
    if (policy.ingress !== undefined) ingress = [...(ingress ?? []), ...policy.ingress];
    if (policy.egress !== undefined) egress = [...(egress ?? []), ...policy.egress];
  }
  return ingress === undefined && egress === undefined ? undefined : { ingress, egress };
}
