import type { LabelSelector } from '../../../kubernetes/types.ts';
import { contains, parsePrefix } from '../../../net/address.ts';
import type { Family } from '../../../net/types.ts';
import type { CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import type { CidrSetField, CiliumDirection, CiliumPortRule, CiliumRule } from './policy-cilium.ts';

/** Names of ICMP types (Cilium documentation, "Limit ICMP/ICMPv6 types"). */
const icmpTypes: Readonly<Record<Family, Readonly<Record<string, number>>>> = {
  4: {
    EchoReply: 0,
    DestinationUnreachable: 3,
    Redirect: 5,
    Echo: 8,
    EchoRequest: 8,
    RouterAdvertisement: 9,
    RouterSelection: 10,
    TimeExceeded: 11,
    ParameterProblem: 12,
    Timestamp: 13,
    TimestampReply: 14,
    Photuris: 40,
    ExtendedEchoRequest: 42,
    ExtendedEchoReply: 43,
  },
  6: {
    DestinationUnreachable: 1,
    PacketTooBig: 2,
    TimeExceeded: 3,
    ParameterProblem: 4,
    EchoRequest: 128,
    EchoReply: 129,
    MulticastListenerQuery: 130,
    MulticastListenerReport: 131,
    MulticastListenerDone: 132,
    RouterSolicitation: 133,
    RouterAdvertisement: 134,
    NeighborSolicitation: 135,
    NeighborAdvertisement: 136,
    RedirectMessage: 137,
  },
};

export function icmpTypeNumber(type: number | string, family: Family): number | undefined {
  if (typeof type === 'number') return type;
  return /^\d+$/.test(type) ? Number(type) : icmpTypes[family][type];
}

/** An IANA service name: what a port that is no number may be. */
export function isServiceName(text: string): boolean {
  return text.length <= 15 && /^[A-Za-z0-9](?:-?[A-Za-z0-9])*$/.test(text) && /[A-Za-z]/.test(text);
}

/** Messages began with a capital letter up to 1.16. */
const worded = (text: string, version: CiliumVersion | undefined): string =>
  version !== undefined && isAtLeast(version, 17) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/**
 * What Cilium finds wrong with a rule that its schema has let through (pkg/policy/api/rule_validation.go).
 * Agents refuse such a policy, and the operator writes the text into its `Valid` condition.
 */
export function sanitizeRule(rule: CiliumRule, version: CiliumVersion | undefined): string | undefined {
  if (
    version !== undefined &&
    isAtLeast(version, 17) &&
    [rule.ingress, rule.ingressDeny, rule.egress, rule.egressDeny].every((list) => (list?.length ?? 0) === 0)
  )
    return 'rule must have at least one of Ingress, IngressDeny, Egress, EgressDeny';
  if (rule.endpointSelector === undefined && rule.nodeSelector === undefined)
    return 'rule must have one of EndpointSelector or NodeSelector';
  if (rule.endpointSelector !== undefined && rule.nodeSelector !== undefined)
    return 'rule cannot have both EndpointSelector and NodeSelector';
  const own = selectorProblem(rule.endpointSelector ?? rule.nodeSelector);
  if (own !== undefined) return own;
  for (const [direction, word, isDeny] of [
    ['ingress', 'From', false],
    ['ingressDeny', 'From', true],
    ['egress', 'To', false],
    ['egressDeny', 'To', true],
  ] as const) {
    for (const field of rule[direction] ?? []) {
      const problem = sanitizeDirection(field, word, isDeny, version);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

const members = ['CIDR', 'CIDRSet', 'Endpoints', 'Entities', 'Services', 'FQDNs', 'Groups', 'Nodes'];
const entities = new Set([
  ...['all', 'world', 'world-ipv4', 'world-ipv6', 'cluster', 'host', 'init', 'ingress', 'unmanaged', 'remote-node', 'health', 'none'],
  'kube-apiserver',
]);

function sanitizeDirection(
  field: CiliumDirection,
  word: 'From' | 'To',
  isDeny: boolean,
  version: CiliumVersion | undefined,
): string | undefined {
  const low = word.toLowerCase();
  const list = (name: string): readonly unknown[] => {
    const value = field[`${low}${name}`];
    return Array.isArray(value) ? (value as readonly unknown[]) : [];
  };
  const present = members.filter((name) => list(name).length > 0).map((name) => `${word}${name}`);
  if (present.length > 1) return worded(`Combining ${present[0]} and ${present[1]} is not supported yet`, version);
  const ports = field.toPorts ?? [];
  // With a port only since 1.17.
  if (present[0] === 'ToServices' && ports.length > 0 && (version === undefined || !isAtLeast(version, 17)))
    return 'Combining ToServices and ToPorts is not supported yet';
  const l7 = sanitizeL7(ports, word);
  if (l7 !== undefined) return l7;
  if ((field.icmps?.length ?? 0) > 0 && ports.length > 0)
    return (
      worded('The ICMPs block may only be present without ToPorts. Define a separate rule to use ToPorts', version) +
      (version !== undefined && isAtLeast(version, 17) ? '' : '.')
    );
  for (const name of ['Endpoints', 'Requires', 'Nodes'])
    for (const selector of list(name)) {
      const problem = selectorProblem(selector as LabelSelector);
      if (problem !== undefined) return problem;
    }
  for (const item of ports) {
    const problem = sanitizePorts(item, isDeny, version);
    if (problem !== undefined) return problem;
  }
  for (const { fields } of field.icmps ?? [])
    for (const { family, type } of fields ?? [])
      if (icmpTypeNumber(type, family === 'IPv6' ? 6 : 4) === undefined) return `ICMP type ${type} not found in ${family ?? ''}`;
  for (const item of list('CIDRSet')) {
    const problem = cidrSetProblem(item as CidrSetField, version);
    if (problem !== undefined) return problem;
  }
  for (const entity of list('Entities')) if (!entities.has(String(entity))) return `unsupported entity: ${String(entity)}`;
  if (list('Nodes').length > 0) return 'FromNodes/ToNodes rules can only be applied when the "enable-node-selector-labels" flag is set';
  return undefined;
}

function sanitizeL7(ports: readonly CiliumPortRule[], word: 'From' | 'To'): string | undefined {
  if (word === 'To') return undefined;
  return ports.some(({ rules }) => (rules?.['dns'] as readonly unknown[] | undefined)?.length)
    ? 'L7 protocol DNS is not supported on ingress yet'
    : undefined;
}

function sanitizePorts(item: CiliumPortRule, isDeny: boolean, version: CiliumVersion | undefined): string | undefined {
  const ports = item.ports ?? [];
  if (ports.length > 40) return 'too many ports, the max is 40';
  const protocols = Object.entries(item.rules ?? {}).filter(([, list]) => Array.isArray(list) && list.length > 0);
  const hasRules = !isDeny && protocols.length > 0;
  const hasDns = protocols.some(([name]) => name === 'dns');
  let hasZero = false;
  for (const { port, protocol } of ports) {
    if (port === undefined || port === '') return 'Port must be specified';
    if (!isServiceName(port)) {
      const number = /^\d+$/.test(port) ? Number(port) : undefined;
      if (number === undefined || number > 65_535)
        return `${worded('Unable', version)} to parse port: strconv.ParseUint: parsing ${JSON.stringify(port)}: ${number === undefined ? 'invalid syntax' : 'value out of range'}`;
      hasZero ||= number === 0;
    }
    if (hasRules && !hasDns && protocol !== 'TCP')
      return `L7 rules can only apply to TCP (not ${protocol === undefined || protocol === '' ? 'ANY' : protocol}) except for DNS rules`;
  }
  if (hasRules && hasZero) return 'L7 rules can not be used when a port is 0';
  if (hasDns && ports.length === 0) return worded('Port 53 must be specified for DNS rules', version);
  return protocols.length > 1 ? 'multiple L7 protocol rule types specified in single rule' : undefined;
}

function cidrSetProblem(set: CidrSetField, version: CiliumVersion | undefined): string | undefined {
  if (set.cidr === undefined) return undefined;
  const cidr = parsePrefix(set.cidr);
  if (cidr === undefined)
    return `${worded('Unable', version)} to parse CIDRRule ${JSON.stringify(set.cidr)}: netip.ParsePrefix(${JSON.stringify(set.cidr)}): no '/'`;
  for (const text of set.except ?? []) {
    const hole = parsePrefix(text);
    if (hole === undefined || hole.family !== cidr.family || hole.length < cidr.length || !contains(cidr, hole.address))
      return `allow CIDR prefix ${set.cidr} does not contain exclude CIDR prefix ${text}`;
  }
  return undefined;
}

/** As apimachinery's ValidateLabelSelector says it. */
function selectorProblem(selector: LabelSelector | undefined): string | undefined {
  const problems: string[] = [];
  for (const [index, { operator, values }] of (selector?.matchExpressions ?? []).entries()) {
    const isEmpty = (values?.length ?? 0) === 0;
    if ((operator === 'In' || operator === 'NotIn') && isEmpty)
      problems.push(`matchExpressions[${index}].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`);
    if ((operator === 'Exists' || operator === 'DoesNotExist') && !isEmpty)
      problems.push(`matchExpressions[${index}].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`);
  }
  if (problems.length === 0) return undefined;
  return `invalid label selector: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`;
}
