import { matchesSelector, parseSelector } from '../../kubernetes/labels.ts';
import type { LabelSelector } from '../../kubernetes/types.ts';
import { contains, parseIp, parsePrefix } from '../../net/address.ts';
import { tcpFlag } from '../../net/types.ts';
import { labelsOfIdentity, reservedName } from '../agent/datapath/identity.ts';
import type { Flow, FlowEndpoint } from '../types.ts';
import { dropReasonOf, eventTypeOf, eventTypes, flowUuid, isDropReasonName, tracePoints } from './flow-printer.ts';

/** The command line is wrong: the text goes to standard error, exit 1. */
export class FilterError extends Error {}
/** What the command line's parser finds, which puts the flag before it; the rest is the server's to find. */
export class ArgumentError extends FilterError {}

/** What only the nodes' servers find: the relay passes their answer on, and the tool goes on. */
export class ServerError extends FilterError {}

type Predicate = (flow: Flow) => boolean;
type EndpointTest = (endpoint: FlowEndpoint) => boolean;

const verdicts = ['VERDICT_UNKNOWN', 'FORWARDED', 'DROPPED', 'AUDIT', 'REDIRECTED', 'ERROR', 'TRACED', 'TRANSLATED'];

/** Flags that exclude each other, in the tool's order (hubble/cmd/observe/flows_filter.go). */
const conflicts: readonly (readonly string[])[] = [
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-namespace', 'namespace', 'from-all-namespaces', 'all-namespaces'],
  ['from-fqdn', 'from-ip', 'ip', 'fqdn', 'from-pod', 'pod'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-namespace', 'namespace', 'to-all-namespaces', 'all-namespaces'],
  ['to-fqdn', 'to-ip', 'ip', 'fqdn', 'to-pod', 'pod'],
  ['to-pod', 'namespace', 'all-namespaces'],
  ['from-pod', 'namespace', 'all-namespaces'],
  ['to-service', 'namespace', 'all-namespaces'],
  ['from-service', 'namespace', 'all-namespaces'],
  ['label', 'from-label'],
  ['label', 'to-label'],
  ['service', 'from-service'],
  ['service', 'to-service'],
  ['port', 'to-port'],
  ['port', 'from-port'],
  ['identity', 'to-identity'],
  ['identity', 'from-identity'],
  ['workload', 'to-workload'],
  ['workload', 'from-workload'],
  ['node-name', 'cluster'],
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
  'cluster',
  'interface',
]);
/** Flags that may stand alone, with the value that they have then. */
const impliedValues: Readonly<Record<string, string>> = {
  'all-namespaces': 'true',
  'from-all-namespaces': 'true',
  'to-all-namespaces': 'true',
  ipv4: 'v4',
  ipv6: 'v6',
  not: 'true',
};

export function isFilterFlag(name: string): boolean {
  return valueFlags.has(name) || name === 'not' || Object.hasOwn(impliedValues, name);
}

export function needsValue(name: string): boolean {
  return valueFlags.has(name);
}

export function impliedValue(name: string): string | undefined {
  return impliedValues[name];
}

/** One filter of the server: alternatives of a field are or-ed, fields and-ed. */
type Fields = Map<string, Predicate[]>;

/**
 * What is allowed, or what is denied. A flow must match all fields of the left filter or all of the right one: a flag
 * about either end (`--pod`) is about the source in the left filter and about the destination in the right one, so
 * that `--pod a --port 80` means pod and port of the same end.
 */
class Filters {
  readonly #changed = new Set<string>();
  readonly #left: Fields = new Map();
  readonly #right: Fields = new Map();
  readonly #names = { from: { pod: [] as string[], service: [] as string[] }, to: { pod: [] as string[], service: [] as string[] } };
  readonly #either = { pod: [] as string[], service: [] as string[] };
  readonly #namespaces = { from: [] as string[], to: [] as string[], either: [] as string[] };
  #compiled: readonly Fields[] | undefined;

  add(name: string, value: string): void {
    this.#changed.add(name);
    for (const group of conflicts) {
      const set = group.filter((flag) => this.#changed.has(flag));
      if (set.length > 1) throw new ArgumentError(`filters --${set[0]} and --${set[1]} cannot be combined`);
    }
    const [, prefix, field = name] = /^(from|to)-(.+)$/.exec(name) ?? [];
    const side = prefix as 'from' | 'to' | undefined;
    if (field === 'pod' || field === 'service') {
      (side === undefined ? this.#either : this.#names[side])[field].push(value);
    } else if (field === 'namespace' || field === 'all-namespaces') {
      this.#namespaces[side ?? 'either'].push(field === 'namespace' ? value : '');
    } else {
      const test = endpointTest(field, value, side);
      if (test !== undefined) {
        this.#put(this.#left, `${side ?? 'from'} ${field}`, onSide(side ?? 'from', test));
        this.#put(this.#right, `${side ?? 'to'} ${field}`, onSide(side ?? 'to', test));
      } else {
        const predicate = flowTest(name, value);
        const key = name === 'ipv4' || name === 'ipv6' ? 'ip-version' : name;
        this.#put(this.#left, key, predicate);
        this.#put(this.#right, key, predicate);
      }
    }
    this.#checkNamespaces();
  }

  /** Names with a namespace of their own, against the namespaces that are asked for and against each other. */
  #checkNamespaces(): void {
    const { from, to } = this.#names;
    const either = this.#either;
    const namespaces = this.#namespaces;
    for (const side of ['from', 'to'] as const) {
      const ends = {
        from: side === 'from' ? { pod: [...from.pod, ...either.pod], service: [...from.service, ...either.service] } : from,
        to: side === 'to' ? { pod: [...to.pod, ...either.pod], service: [...to.service, ...either.service] } : to,
      };
      const problems = [
        ...[ends.from.pod, ends.from.service, ends.to.pod, ends.to.service].map((names) => strangeNamespace(namespaces.either, names)),
        ...[ends.from.pod, ends.from.service].map((names) => strangeNamespace(namespaces.from, names)),
        ...[ends.to.pod, ends.to.service].map((names) => strangeNamespace(namespaces.to, names)),
        ...[ends.from, ends.to].map(({ pod, service }) => disagreeing(pod, service)),
      ].filter((problem) => problem !== undefined);
      if (problems.length > 0) throw new ArgumentError(problems.join('\n'));
    }
  }

  #put(fields: Fields, key: string, predicate: Predicate): void {
    const known = fields.get(key);
    if (known === undefined) fields.set(key, [predicate]);
    else known.push(predicate);
  }

  matches(flow: Flow): boolean {
    this.#compiled ??= [this.#compile('left'), this.#compile('right')];
    return this.#compiled.some((fields) => [...fields.values()].every((alternatives) => alternatives.some((predicate) => predicate(flow))));
  }

  /** Namespaces belong to the names that stand without one; without any name they mean all pods in them. */
  #compile(which: 'left' | 'right'): Fields {
    const fields: Fields = new Map(which === 'left' ? this.#left : this.#right);
    for (const side of ['from', 'to'] as const) {
      const isOwnSide = (which === 'left') === (side === 'from');
      const pods = [...this.#names[side].pod, ...(isOwnSide ? this.#either.pod : [])];
      const services = [...this.#names[side].service, ...(isOwnSide ? this.#either.service : [])];
      const namespaces = [...this.#namespaces[side], ...(isOwnSide ? this.#namespaces.either : [])];
      if (namespaces.length > 0 && pods.length + services.length === 0) pods.push('');
      const within = (names: readonly string[]): (readonly [string, string])[] =>
        names.flatMap((name) => {
          const slash = name.indexOf('/');
          if (slash >= 0) return [[name.slice(0, slash), name.slice(slash + 1)] as const];
          return namespaces.length === 0 ? [['default', name] as const] : namespaces.map((namespace) => [namespace, name] as const);
        });
      const test = (names: readonly string[], nameOf: (endpoint: FlowEndpoint) => string | undefined): Predicate[] =>
        within(names).map(([namespace, start]) =>
          onSide(side, (endpoint) => {
            const name = nameOf(endpoint);
            return name !== undefined && (namespace === '' || endpoint.namespace === namespace) && name.startsWith(start);
          }),
        );
      if (pods.length > 0)
        fields.set(
          `${side} pod`,
          test(pods, (endpoint) => endpoint.podName),
        );
      if (services.length > 0)
        fields.set(
          `${side} service`,
          test(services, (endpoint) => endpoint.serviceName),
        );
    }
    return fields;
  }
}

const namespaceIn = (name: string): string => (name.includes('/') ? name.slice(0, name.indexOf('/')) : '');

function strangeNamespace(namespaces: readonly string[], names: readonly string[]): string | undefined {
  for (const namespace of namespaces)
    for (const name of names) {
      const own = namespaceIn(name);
      if (own !== '' && own !== namespace)
        return `namespace conflict: ${JSON.stringify(namespace)} does not contain ${JSON.stringify(own)}`;
    }
  return undefined;
}

function disagreeing(pods: readonly string[], services: readonly string[]): string | undefined {
  for (const pod of pods) {
    const own = namespaceIn(pod);
    const other = own === '' ? undefined : services.find((service) => namespaceIn(service) !== own);
    if (other !== undefined) return `namespace of service ${JSON.stringify(other)} conflict with pod ${JSON.stringify(own)}`;
  }
  return undefined;
}

/** Filters of one command line; `--not` puts the next one on the list of what is denied. */
export class ObserveFilter {
  #allow: Filters | undefined;
  #deny: Filters | undefined;
  #isNegated = false;

  /** @throws FilterError */
  add(name: string, value: string): void {
    if (name === 'not') {
      if (this.#isNegated) throw new ArgumentError('consecutive --not statements');
      this.#isNegated = true;
      return;
    }
    const isNegated = this.#isNegated;
    this.#isNegated = false;
    if (isNegated) this.#deny ??= new Filters();
    else this.#allow ??= new Filters();
    (isNegated ? this.#deny : this.#allow)?.add(name, value);
  }

  /** @throws FilterError */
  finish(): void {
    if (this.#isNegated) throw new FilterError('trailing --not found in the arguments');
  }

  matches(flow: Flow): boolean {
    return (this.#allow?.matches(flow) ?? true) && !(this.#deny?.matches(flow) ?? false);
  }
}

/** Flags that are about one end of the flow; undefined for all others. */
function endpointTest(field: string, value: string, side: 'from' | 'to' | undefined): EndpointTest | undefined {
  switch (field) {
    case 'ip':
      return ipTest(value);
    case 'label':
      return labelTest(value);
    case 'workload': {
      const slash = value.indexOf('/');
      const kind = slash < 0 ? '' : value.slice(0, slash);
      const name = value.slice(slash + 1);
      return ({ workload }) => workload !== undefined && (name === '' || workload.name === name) && (kind === '' || workload.kind === kind);
    }
    case 'identity': {
      const id = identityNumber(value);
      if (id === undefined) {
        const names = Array.from({ length: 10 }, (_, index) => reservedName(index + 1)).join(' ');
        throw new ArgumentError(`invalid security identity, expected one of [${names}] or a numeric value`);
      }
      return (endpoint) => endpoint.identity === id;
    }
    case 'port':
      if (!/^\d+$/.test(value) || Number(value) > 65_535)
        throw new ServerError(
          `invalid ${side === 'to' ? 'destination' : 'source'} port filter: invalid port ${JSON.stringify(value)}: strconv.ParseUint: parsing ${JSON.stringify(value)}: ${/^\d+$/.test(value) ? 'value out of range' : 'invalid syntax'}`,
        );
      return (endpoint) => endpoint.port === Number(value);
    case 'fqdn':
      // No flow of the simulator has names.
      return () => false;
    default:
      return undefined;
  }
}

function flowTest(name: string, value: string): Predicate {
  switch (name) {
    case 'protocol': {
      const protocol = value.toLowerCase();
      if (!['tcp', 'udp', 'icmp', 'icmpv4', 'icmpv6', 'sctp', 'http', 'dns', 'kafka'].includes(protocol))
        throw new ServerError(`invalid protocol filter: unknown protocol: ${JSON.stringify(value)}`);
      return (flow) => flow.protocol.toLowerCase() === protocol || (protocol === 'icmp' && flow.protocol.startsWith('ICMP'));
    }
    case 'verdict':
      if (!verdicts.includes(value)) throw new ArgumentError(`invalid --verdict value: ${value}`);
      return (flow) => flow.verdict === value;
    case 'tcp-flags':
      return tcpFlagsTest(value);
    case 'type':
      return typeTest(value);
    case 'traffic-direction': {
      const direction = value.toLowerCase();
      if (direction !== 'ingress' && direction !== 'egress')
        throw new ArgumentError(`${direction}: invalid traffic direction, expected ingress or egress`);
      return (flow) => flow.trafficDirection === direction.toUpperCase();
    }
    case 'ipv4':
      return (flow) => flow.family === 4;
    case 'ipv6':
      return (flow) => flow.family === 6;
    case 'ip-version': {
      const family = /^(?:ip)?v?([46])$/i.exec(value)?.[1];
      return (flow) => String(flow.family) === family;
    }
    case 'node-name': {
      const pattern = nodePattern(value);
      return (flow) => pattern.test(flow.nodeName);
    }
    case 'drop-reason-desc':
      if (value === '') throw new ArgumentError('empty --drop-reason-desc value');
      if (!isDropReasonName(value)) throw new ArgumentError(`invalid --drop-reason-desc value: ${value}`);
      return (flow) => flow.dropReason !== undefined && dropReasonOf(flow.dropReason)?.[1] === value;
    case 'http-header':
      if (!value.includes(':')) throw new ArgumentError(`invalid http-header value ${JSON.stringify(value)}, expected name:value`);
      return () => false;
    case 'uuid':
      return (flow) => flowUuid(flow) === value;
    case 'cel-expression':
    case 'interface':
    case 'node-label':
    case 'cluster':
      throw new FilterError(`not simulated: hubble observe --${name}`);
    default:
      // Layer 7, trace ids and translated sources: no flow of the simulator has any.
      return () => false;
  }
}

function onSide(side: 'from' | 'to', test: EndpointTest): Predicate {
  return side === 'from' ? (flow) => test(flow.source) : (flow) => test(flow.destination);
}

function ipTest(value: string): EndpointTest {
  if (value.includes('/')) {
    const cidr = parsePrefix(value);
    if (cidr === undefined) throw new ServerError(`invalid CIDR in filter: ${JSON.stringify(value)}`);
    return (endpoint) => contains(cidr, endpoint.ip);
  }
  const address = parseIp(value);
  if (address === undefined) throw new ServerError(`invalid IP address in filter: ${JSON.stringify(value)}`);
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
    const bit = flagBits[word.toUpperCase()];
    if (bit === undefined) throw new ArgumentError(`unknown tcp flag: ${word}`);
    wanted |= bit;
  }
  return (flow) => flow.tcpFlags !== undefined && (flow.tcpFlags & wanted) === wanted;
}

function typeTest(value: string): Predicate {
  const colon = value.indexOf(':');
  const [typeName, subName] = colon < 0 ? [value, undefined] : [value.slice(0, colon), value.slice(colon + 1)];
  const syntax = (text: string) => `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  const isNumber = (text: string) => /^\d+$/.test(text);
  const type = Object.entries(eventTypes).find(([name]) => name === typeName)?.[1] ?? (isNumber(typeName) ? Number(typeName) : undefined);
  if (type === undefined)
    throw new ArgumentError(
      `unable to parse type '${typeName}', not a known type name and unable to parse as numeric value: ${syntax(typeName)}`,
    );
  if (subName === undefined) return (flow) => eventTypeOf(flow).type === type;
  const point = type === eventTypes.trace ? tracePoints.indexOf(subName) : -1;
  if (point < 0 && !isNumber(subName))
    throw new ArgumentError(
      `unable to parse event sub-type '${subName}', not a known sub-type name and unable to parse as numeric value: ${syntax(subName)}`,
    );
  const subType = point < 0 ? Number(subName) : point;
  return (flow) => {
    const event = eventTypeOf(flow);
    return event.type === type && event.subType === subType;
  };
}

/** Node names may have `*`; a pattern without a slash is about the node in any cluster. */
function nodePattern(value: string): RegExp {
  const body = value
    .replace(/^[^/]*\//, '')
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*');
  return new RegExp(`^(?:[^/]+/)?${body}$`);
}
