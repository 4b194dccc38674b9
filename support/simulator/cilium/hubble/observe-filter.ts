import { matchesSelector, parseSelector } from '../../kubernetes/labels.ts';
import type { LabelSelector } from '../../kubernetes/types.ts';
import { contains, parseIp, parsePrefix } from '../../net/address.ts';
import { tcpFlag } from '../../net/types.ts';
import { labelsOfIdentity, reservedName } from '../agent/datapath/identity.ts';
import type { Flow, FlowEndpoint } from '../types.ts';
import { eventTypeOf, eventTypes } from './flow-printer.ts';

/** The command line is wrong: the text goes to standard error, exit 1. */
export class FilterError extends Error {}

type Predicate = (flow: Flow) => boolean;
type EndpointTest = (endpoint: FlowEndpoint) => boolean;
type Side = 'from' | 'to' | 'both';

const verdicts = ['FORWARDED', 'DROPPED', 'AUDIT', 'REDIRECTED', 'ERROR', 'TRACED', 'TRANSLATED'];

/** Flags that say the same in two ways and so exclude each other. */
const conflicts: readonly (readonly string[])[] = [
  ['from-pod', 'namespace', 'all-namespaces'],
  ['to-pod', 'namespace', 'all-namespaces'],
  ['pod', 'namespace', 'all-namespaces'],
  ['from-namespace', 'namespace', 'all-namespaces'],
  ['to-namespace', 'namespace', 'all-namespaces'],
  ['from-ip', 'ip', 'from-pod', 'pod', 'from-fqdn', 'fqdn'],
  ['to-ip', 'ip', 'to-pod', 'pod', 'to-fqdn', 'fqdn'],
  ['from-label', 'label'],
  ['to-label', 'label'],
  ['from-service', 'service'],
  ['to-service', 'service'],
  ['from-identity', 'identity'],
  ['to-identity', 'identity'],
  ['from-port', 'port'],
  ['to-port', 'port'],
  ['from-workload', 'workload'],
  ['to-workload', 'workload'],
];

const valueFlags = new Set([
  ...['pod', 'ip', 'label', 'service', 'identity', 'port', 'fqdn', 'workload'].flatMap((name) => [name, `from-${name}`, `to-${name}`]),
  'namespace',
  'from-namespace',
  'to-namespace',
  'protocol',
  'verdict',
  'tcp-flags',
  'type',
  'traffic-direction',
  'node-name',
  'node-label',
  'snat-ip',
  'uuid',
  'cel-expression',
  'http-status',
  'http-method',
  'http-path',
  'http-url',
  'http-header',
  'trace-id',
  'drop-reason-desc',
  'ip-version',
  'from-cluster',
  'to-cluster',
  'cluster',
  'interface',
]);

export function isFilterFlag(name: string): boolean {
  return valueFlags.has(name) || name === 'all-namespaces' || name === 'ipv4' || name === 'ipv6';
}

export function needsValue(name: string): boolean {
  return valueFlags.has(name);
}

/** Filters of one command line: repeats of a flag are or-ed, different flags and-ed; `--not` negates the next. */
export class ObserveFilter {
  readonly #allow = new Map<string, Predicate[]>();
  readonly #deny = new Map<string, Predicate[]>();
  readonly #seen = new Set<string>();
  /** `-n`: the namespace of pods that are named without one. */
  #defaultNamespace: string | undefined;

  /** Before the others are added, since `-n` counts for pods named before it too. */
  setNamespace(namespace: string): void {
    this.#defaultNamespace = namespace;
  }

  /** @throws FilterError */
  add(name: string, value: string, isNegated: boolean): void {
    if (!isNegated) {
      this.#seen.add(name);
      for (const group of conflicts) {
        if (!group.includes(name)) continue;
        const other = group.find((candidate) => candidate !== name && this.#seen.has(candidate));
        if (other !== undefined)
          throw new FilterError(
            `filters --${group.indexOf(other) < group.indexOf(name) ? other : name} and --${group.indexOf(other) < group.indexOf(name) ? name : other} cannot be combined`,
          );
      }
    }
    const values =
      name === 'label' || name.endsWith('-label') || name.startsWith('http') || name === 'cel-expression' || name === 'tcp-flags'
        ? [value]
        : value.split(',');
    const into = isNegated ? this.#deny : this.#allow;
    for (const each of values) {
      const predicate = this.#predicate(name, each);
      if (predicate === undefined) continue;
      const known = into.get(name);
      if (known === undefined) into.set(name, [predicate]);
      else known.push(predicate);
    }
  }

  matches(flow: Flow): boolean {
    for (const alternatives of this.#allow.values()) if (!alternatives.some((predicate) => predicate(flow))) return false;
    if (this.#deny.size === 0) return true;
    for (const alternatives of this.#deny.values()) if (!alternatives.some((predicate) => predicate(flow))) return true;
    return false;
  }

  #predicate(name: string, value: string): Predicate | undefined {
    const side: Side = name.startsWith('from-') ? 'from' : name.startsWith('to-') ? 'to' : 'both';
    switch (name) {
      case 'pod':
      case 'from-pod':
      case 'to-pod':
        return onSide(side, this.#podTest(value));
      case 'namespace':
      case 'from-namespace':
      case 'to-namespace':
        return onSide(side, (endpoint) => endpoint.namespace === value);
      case 'all-namespaces':
        return undefined;
      case 'ip':
      case 'from-ip':
      case 'to-ip':
        return onSide(side, ipTest(value));
      case 'label':
      case 'from-label':
      case 'to-label':
        return onSide(side, labelTest(value));
      case 'service':
      case 'from-service':
      case 'to-service': {
        const [namespace, prefix] = splitName(value, this.#defaultNamespace ?? 'default');
        return onSide(
          side,
          (endpoint) =>
            endpoint.serviceName !== undefined &&
            (namespace === '' || endpoint.namespace === namespace) &&
            endpoint.serviceName.startsWith(prefix),
        );
      }
      case 'workload':
      case 'from-workload':
      case 'to-workload': {
        const slash = value.indexOf('/');
        const kind = slash < 0 ? undefined : value.slice(0, slash);
        const workload = value.slice(slash + 1);
        return onSide(
          side,
          (endpoint) =>
            endpoint.workload !== undefined &&
            (workload === '' || endpoint.workload.name === workload) &&
            (kind === undefined || endpoint.workload.kind === kind),
        );
      }
      case 'identity':
      case 'from-identity':
      case 'to-identity': {
        const id = identityNumber(value);
        if (id === undefined)
          throw new FilterError(`cannot parse identity ${value}: strconv.ParseUint: parsing "${value}": invalid syntax`);
        return onSide(side, (endpoint) => endpoint.identity === id);
      }
      case 'port':
      case 'from-port':
      case 'to-port': {
        if (!/^\d+$/.test(value) || Number(value) > 65_535) throw new FilterError(`invalid port "${value}"`);
        return onSide(side, (endpoint) => endpoint.port === Number(value));
      }
      case 'protocol': {
        const protocol = value.toLowerCase();
        if (!['tcp', 'udp', 'icmp', 'icmpv4', 'icmpv6', 'sctp', 'http', 'dns', 'kafka'].includes(protocol))
          throw new FilterError(`unknown protocol: "${value}"`);
        return (flow) => flow.protocol.toLowerCase() === protocol || (protocol === 'icmp' && flow.protocol.startsWith('ICMP'));
      }
      case 'verdict':
        if (!verdicts.includes(value)) throw new FilterError(`invalid --verdict value: ${value}`);
        return (flow) => flow.verdict === value;
      case 'tcp-flags':
        return tcpFlagsTest(value);
      case 'type':
        return typeTest(value);
      case 'traffic-direction': {
        const direction = value.toLowerCase();
        if (direction !== 'ingress' && direction !== 'egress')
          throw new FilterError(`${value}: invalid traffic direction, expected ingress or egress`);
        return (flow) => flow.trafficDirection === direction.toUpperCase();
      }
      case 'ipv4':
        return (flow) => flow.family === 4;
      case 'ipv6':
        return (flow) => flow.family === 6;
      case 'ip-version':
        return (flow) => `v${flow.family}` === value || `IPv${flow.family}` === value;
      case 'node-name': {
        const pattern = nodePattern(value);
        return (flow) => pattern.test(flow.nodeName);
      }
      case 'drop-reason-desc':
        return (flow) => flow.dropReason?.toUpperCase().replaceAll(' ', '_') === value.toUpperCase();
      case 'cel-expression':
      case 'interface':
      case 'node-label':
      case 'cluster':
      case 'from-cluster':
      case 'to-cluster':
        throw new FilterError(`not simulated: hubble observe --${name}`);
      default:
        // Layer 7, names, trace ids and translated sources: no flow of the simulator has any.
        return () => false;
    }
  }

  #podTest(value: string): EndpointTest {
    const [namespace, prefix] = splitName(value, this.#defaultNamespace ?? 'default');
    return (endpoint) =>
      endpoint.podName !== undefined && (namespace === '' || endpoint.namespace === namespace) && endpoint.podName.startsWith(prefix);
  }
}

function onSide(side: Side, test: EndpointTest): Predicate {
  switch (side) {
    case 'from':
      return (flow) => test(flow.source);
    case 'to':
      return (flow) => test(flow.destination);
    case 'both':
      return (flow) => test(flow.source) || test(flow.destination);
  }
}

/** `[namespace/]prefix`. */
function splitName(value: string, defaultNamespace: string): readonly [string, string] {
  const slash = value.indexOf('/');
  return slash < 0 ? [defaultNamespace, value] : [value.slice(0, slash), value.slice(slash + 1)];
}

function ipTest(value: string): EndpointTest {
  const cidr = value.includes('/') ? parsePrefix(value) : undefined;
  if (cidr !== undefined) return (endpoint) => contains(cidr, endpoint.ip);
  const address = parseIp(value);
  if (address === undefined) throw new FilterError(`invalid IP address or CIDR prefix: "${value}"`);
  return (endpoint) => endpoint.ip === address;
}

function labelTest(value: string): EndpointTest {
  const reserved = value.split(',').filter((part) => part.trim().startsWith('reserved:'));
  const rest = value
    .split(',')
    .map((part) => part.trim().replace(/^(?:k8s|any)[:.]/, ''))
    .filter((part) => !part.startsWith('reserved:'))
    .join(',');
  let selector: LabelSelector;
  try {
    selector = parseSelector(rest);
  } catch (error) {
    throw new FilterError(`invalid label selector "${value}": ${error instanceof Error ? error.message : String(error)}`);
  }
  return (endpoint) =>
    reserved.every((label) => endpoint.labels.includes(label.trim())) &&
    (rest === '' || matchesSelector(selector, labelsOfIdentity(endpoint.labels)));
}

function identityNumber(value: string): number | undefined {
  if (/^\d+$/.test(value)) return Number(value);
  for (let id = 0; id <= 10; id++) if (reservedName(id) === value) return id;
  return undefined;
}

const flagBits: Readonly<Record<string, number>> = {
  FIN: tcpFlag.fin,
  SYN: tcpFlag.syn,
  RST: tcpFlag.rst,
  PSH: tcpFlag.psh,
  ACK: tcpFlag.ack,
  URG: 32,
  ECE: 64,
  CWR: 128,
  NS: 256,
};

/** A flow matches when it has at least the flags of one list, e.g. `SYN,ACK`. */
function tcpFlagsTest(value: string): Predicate {
  let wanted = 0;
  for (const word of value.split(',')) {
    const bit = flagBits[word.trim().toUpperCase()];
    if (bit === undefined) throw new FilterError(`unknown tcp flag: ${word}`);
    wanted |= bit;
  }
  return (flow) => flow.tcpFlags !== undefined && (flow.tcpFlags & wanted) === wanted;
}

function typeTest(value: string): Predicate {
  const [typeName = '', subName] = value.split(':');
  const known = Object.entries(eventTypes).find(([name]) => name === typeName);
  const number = known?.[1] ?? (/^\d+$/.test(typeName) ? Number(typeName) : undefined);
  if (number === undefined) throw new FilterError(`unable to parse type filter '${value}': unknown event type '${typeName}'`);
  if (subName === undefined) return (flow) => eventTypeOf(flow).type === number;
  return (flow) =>
    eventTypeOf(flow).type === number &&
    (flow.observationPoint === subName ||
      flow.observationPoint === `policy-verdict:${subName}` ||
      String(eventTypeOf(flow).subType) === subName);
}

/** Node names may have `*`; a pattern without a slash is about the node in any cluster. */
function nodePattern(value: string): RegExp {
  const body = value
    .replace(/^[^/]*\//, '')
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*');
  return new RegExp(`^(?:[^/]+/)?${body}$`);
}
