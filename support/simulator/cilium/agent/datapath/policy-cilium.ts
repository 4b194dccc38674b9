import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import type { CiliumVersion } from '../../types.ts';
import type { ParsedPolicy, PolicyPeer, PolicyPort, PolicyRule } from './policy.ts';
import { icmpTypeNumber, isServiceName, sanitizeRule } from './policy-sanitize.ts';
import {
  cidrPeer,
  inAnyNamespace,
  inNamespace,
  joinSelectors,
  keysOf,
  namespaceLabels,
  plainSelector,
  podNamespace,
} from './policy-selectors.ts';

export interface CiliumPolicyObject extends KubernetesObject {
  readonly spec?: CiliumRule;
  readonly specs?: readonly CiliumRule[];
}

export interface CiliumRule {
  readonly endpointSelector?: LabelSelector;
  readonly nodeSelector?: LabelSelector;
  readonly ingress?: readonly CiliumDirection[];
  readonly ingressDeny?: readonly CiliumDirection[];
  readonly egress?: readonly CiliumDirection[];
  readonly egressDeny?: readonly CiliumDirection[];
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
}

/** One entry of a direction; `from…` at ingress, `to…` at egress. The schema has checked the types. */
export interface CiliumDirection {
  readonly toPorts?: readonly CiliumPortRule[];
  readonly icmps?: readonly { readonly fields?: readonly { readonly family?: string; readonly type: number | string }[] }[];
  readonly [field: string]: unknown;
}

export interface CiliumPortRule {
  readonly ports?: readonly { readonly port?: string; readonly protocol?: string; readonly endPort?: number }[];
  readonly rules?: Readonly<Record<string, unknown>>;
  readonly serverNames?: readonly string[];
  readonly listener?: unknown;
  readonly [field: string]: unknown;
}

export interface CidrSetField {
  readonly cidr?: string;
  readonly cidrGroupRef?: string;
  readonly cidrGroupSelector?: LabelSelector;
  readonly except?: readonly string[];
}

/** CIDRs of a group by its name or labels; undefined when nothing has that name. */
export interface CidrGroups {
  byName(name: string): readonly string[];
  bySelector(selector: LabelSelector): readonly string[];
}

const noGroups: CidrGroups = { byName: () => [], bySelector: () => [] };

/** Rules of a policy object. @throws Error with the agent's words, when it refuses the policy as a whole */
export function parseCiliumPolicy(object: CiliumPolicyObject, version?: CiliumVersion, groups: CidrGroups = noGroups): ParsedPolicy[] {
  const { namespace } = object.metadata;
  const name = namespace === undefined ? object.metadata.name : `${namespace}/${object.metadata.name}`;
  const kind = namespace === undefined ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy';
  if (object.spec === undefined && object.specs === undefined) throw new Error(`Invalid ${kind} spec(s): empty policy`);
  const parsed: ParsedPolicy[] = [];
  const add = (rule: CiliumRule, field: 'spec' | 'specs'): void => {
    const problem = sanitizeRule(rule, version);
    if (problem !== undefined) throw new Error(`Invalid ${kind} ${field}: ${problem}`);
    if (namespace !== undefined && rule.nodeSelector !== undefined)
      throw new Error(`Invalid ${kind} ${field}: rule cannot have NodeSelector`);
    parsed.push(parseRule(rule, name, namespace, groups));
  };
  if (object.spec !== undefined) add(object.spec, 'spec');
  for (const rule of object.specs ?? []) add(rule, 'specs');
  return parsed;
}

function parseRule(rule: CiliumRule, name: string, namespace: string | undefined, groups: CidrGroups): ParsedPolicy {
  const unmodelled = new Set(unmodelledOf(rule));
  const side = (fields: readonly CiliumDirection[] | undefined, word: 'from' | 'to', isDeny: boolean): PolicyRule[] =>
    (fields ?? []).flatMap((field) => parseDirection(field, word, isDeny, namespace, groups) ?? []);
  const isThere = (...lists: readonly (readonly unknown[] | undefined)[]): boolean => lists.some((list) => (list?.length ?? 0) > 0);
  // An empty list is as good as none.
  const hasIngress = isThere(rule.ingress, rule.ingressDeny);
  const hasEgress = isThere(rule.egress, rule.egressDeny);
  return {
    name,
    subject:
      rule.endpointSelector === undefined
        ? { matchLabels: { 'reserved:none': '' } }
        : joinSelectors(plainSelector(rule.endpointSelector), namespace === undefined ? {} : inNamespace(namespace)),
    ingress: hasIngress ? [...side(rule.ingressDeny, 'from', true), ...side(rule.ingress, 'from', false)] : undefined,
    egress: hasEgress ? [...side(rule.egressDeny, 'to', true), ...side(rule.egress, 'to', false)] : undefined,
    deniesIngress: rule.enableDefaultDeny?.ingress !== false,
    deniesEgress: rule.enableDefaultDeny?.egress !== false,
    unmodelled: [...unmodelled],
  };
}

/** Fields that the simulator does not act upon, by their path. */
export function unmodelledOf(rule: CiliumRule): string[] {
  const found: string[] = [];
  if (rule.nodeSelector !== undefined) found.push('nodeSelector (host firewall)');
  for (const direction of ['ingress', 'ingressDeny', 'egress', 'egressDeny'] as const) {
    for (const field of rule[direction] ?? []) {
      for (const key of ['fromGroups', 'toGroups', 'fromRequires', 'toRequires', 'fromNodes', 'toNodes', 'toFQDNs', 'authentication'])
        if (field[key] !== undefined) found.push(`${direction}[].${key}`);
      for (const port of field.toPorts ?? []) {
        for (const protocol of Object.keys(port.rules ?? {})) found.push(`${direction}[].toPorts[].rules.${protocol}`);
        for (const key of ['terminatingTLS', 'originatingTLS', 'serverNames', 'listener'])
          if (port[key] !== undefined) found.push(`${direction}[].toPorts[].${key}`);
      }
    }
  }
  return [...new Set(found)];
}

type Peers = readonly PolicyPeer[];

/** Undefined: selects nobody (an entry without peers and ports, or with an empty list of them). */
function parseDirection(
  field: CiliumDirection,
  word: 'from' | 'to',
  isDeny: boolean,
  namespace: string | undefined,
  groups: CidrGroups,
): PolicyRule | undefined {
  const read: Readonly<Record<string, (item: unknown) => Peers>> = {
    [`${word}Endpoints`]: (item) => [{ kind: 'labels', selector: endpointPeer(item as LabelSelector, namespace) }],
    [`${word}CIDR`]: (item) => cidrs([String(item)], undefined),
    [`${word}CIDRSet`]: (item) => {
      const set = item as CidrSetField;
      if (set.cidr !== undefined) return cidrs([set.cidr], set.except);
      if (set.cidrGroupSelector !== undefined) return cidrs(groups.bySelector(set.cidrGroupSelector), set.except);
      return cidrs(groups.byName(set.cidrGroupRef ?? ''), set.except);
    },
    [`${word}Entities`]: (item) => [{ kind: 'entity', entity: String(item) }],
    toServices: (item) => servicePeer(item, namespace),
    // What these select is not known here, so that they select nobody.
    [`${word}Groups`]: () => [],
    [`${word}Nodes`]: () => [],
    toFQDNs: () => [],
  };
  const peers: PolicyPeer[] = [];
  let hasPeers = false;
  for (const [key, parse] of Object.entries(read)) {
    const items = field[key];
    if (!Array.isArray(items)) continue;
    if (items.length === 0) return undefined;
    hasPeers = true;
    for (const item of items as readonly unknown[]) peers.push(...parse(item));
  }
  const ports = portsOf(field);
  if (!hasPeers && ports === undefined) return undefined;
  return { isDeny, peers: hasPeers ? peers : undefined, ports };
}

function cidrs(texts: readonly string[], except: readonly string[] | undefined): Peers {
  return texts.flatMap((text) => cidrPeer(text, except) ?? []);
}

function servicePeer(item: unknown, namespace: string | undefined): Peers {
  const { k8sService, k8sServiceSelector } = item as {
    readonly k8sService?: { readonly serviceName?: string; readonly namespace?: string };
    readonly k8sServiceSelector?: { readonly selector: LabelSelector; readonly namespace?: string };
  };
  const peers: PolicyPeer[] = [];
  if (k8sService !== undefined)
    peers.push({
      kind: 'service',
      service: { namespace: k8sService.namespace ?? namespace, name: k8sService.serviceName ?? '', selector: undefined },
    });
  if (k8sServiceSelector !== undefined)
    peers.push({
      kind: 'service',
      service: {
        namespace: k8sServiceSelector.namespace ?? namespace,
        name: undefined,
        selector: plainSelector(k8sServiceSelector.selector),
      },
    });
  return peers;
}

function portsOf(field: CiliumDirection): readonly PolicyPort[] | undefined {
  const found: PolicyPort[] = [];
  for (const { fields } of field.icmps ?? [])
    for (const { family, type } of fields ?? []) {
      const version = family === 'IPv6' ? 6 : 4;
      found.push({ protocol: 'icmp', family: version, type: icmpTypeNumber(type, version) ?? -1 });
    }
  if ((field.icmps?.length ?? 0) > 0) return found;
  if (field.toPorts === undefined || field.toPorts.length === 0) return undefined;
  for (const item of field.toPorts) {
    for (const port of item.ports ?? []) {
      const protocol = (port.protocol === undefined || port.protocol === '' ? 'ANY' : port.protocol).toLowerCase() as
        | 'tcp'
        | 'udp'
        | 'sctp'
        | 'any';
      const text = port.port ?? '0';
      if (isServiceName(text)) found.push({ protocol, low: 0, high: 0, name: text.toLowerCase() });
      else found.push({ protocol, low: Number(text), high: Math.max(Number(text), port.endPort ?? 0) });
    }
  }
  return found;
}

/** A peer selector of a namespaced policy means its own namespace unless it names one; of a clusterwide one, pods of any. */
function endpointPeer(selector: LabelSelector, namespace: string | undefined): LabelSelector {
  const plain = plainSelector(selector);
  const keys = keysOf(plain);
  if (keys.some((key) => key.startsWith('reserved:'))) return plain;
  if (keys.includes(podNamespace)) return plain;
  if (namespace === undefined) return joinSelectors(inAnyNamespace, plain);
  return keys.some((key) => key.startsWith(namespaceLabels)) ? plain : joinSelectors(inNamespace(namespace), plain);
}
