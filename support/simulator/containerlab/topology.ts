import { ContentProblem, FieldReader, nearest } from '../../port/content-problem.ts';
import { type ClabNode, nodeFields, readNode } from './node.ts';

export type { ClabNode } from './node.ts';

export interface ClabEndpoint {
  /** A node's name, or the pseudo nodes `host` and `mgmt-net`. */
  readonly node: string;
  readonly interfaceName: string;
  readonly mac?: string;
}

export interface ClabLink {
  readonly a: ClabEndpoint;
  /** Undefined for a link with one end (`type: dummy`). */
  readonly b: ClabEndpoint | undefined;
  readonly mtu: number;
}

/** What containerlab gives a link that names no MTU (containerlab docs, "MTU"). */
const defaultMtu = 9500;

export interface Topology {
  readonly name: string;
  /** Container names are `<prefix>-<name>-<node>`; `` leaves the node's name alone, `__lab-name` drops only the prefix. */
  readonly prefix: string;
  readonly mgmt: {
    readonly network: string;
    readonly bridge: string | undefined;
    readonly ipv4Subnet: string;
    readonly ipv6Subnet: string;
    readonly mtu: number | undefined;
  };
  readonly nodes: readonly ClabNode[];
  readonly links: readonly ClabLink[];
}

const topologyFields = ['defaults', 'kinds', 'groups', 'nodes', 'links'] as const;
const rootFields = ['name', 'prefix', 'mgmt', 'settings', 'topology', 'debug'] as const;
const mgmtFields = [
  'network',
  'bridge',
  'ipv4-subnet',
  'ipv6-subnet',
  'ipv4-gw',
  'ipv6-gw',
  'ipv4-range',
  'ipv6-range',
  'mtu',
  'external-access',
  'driver-opts',
] as const;

/**
 * Reads a parsed containerlab file (*.clab.yaml).
 * @throws ContentProblem for what containerlab itself refuses, and for kinds outside the model
 */
export function parseTopology(parsed: unknown): Topology {
  const root = new FieldReader(parsed, []);
  root.allowOnly(rootFields);
  const name = root.string('name');
  const topology = root.mapping('topology');
  if (topology === undefined) throw new ContentProblem([], 'the file lacks "topology"', { fix: 'add topology: with nodes: and links:' });
  topology.allowOnly(topologyFields);
  const mgmt = root.mapping('mgmt');
  mgmt?.allowOnly(mgmtFields);

  const kinds = topology.mapping('kinds');
  const groups = topology.mapping('groups');
  const defaults = topology.mapping('defaults');
  const layers = new Map<string, FieldReader>();
  for (const reader of [kinds, groups]) {
    for (const key of reader?.keys ?? []) {
      const layer = new FieldReader(reader?.raw(key) ?? {}, [...(reader?.path ?? []), key]);
      layer.allowOnly(nodeFields);
      layers.set(`${reader === kinds ? 'kind' : 'group'}/${key}`, layer);
    }
  }
  defaults?.allowOnly(nodeFields);

  const nodesReader = topology.mapping('nodes');
  if (nodesReader === undefined || nodesReader.keys.length === 0)
    throw new ContentProblem(topology.path, 'the topology has no nodes', { fix: 'add topology.nodes' });
  const nodes = nodesReader.keys.map((nodeName) =>
    readNode(nodeName, name, new FieldReader(nodesReader.raw(nodeName) ?? {}, nodesReader.at(nodeName)), defaults, layers),
  );
  const links = topology.list('links').map((link, index) => readLink(link, [...topology.path, 'links', index], nodes));
  refuseDoubleUse(links, topology.path);
  refuseEth0(links, nodes, topology.path);
  return {
    name,
    prefix: root.optionalString('prefix') ?? 'clab',
    mgmt: {
      network: mgmt?.optionalString('network') ?? 'clab',
      bridge: mgmt?.optionalString('bridge'),
      ipv4Subnet: mgmt?.optionalString('ipv4-subnet') ?? '172.20.20.0/24',
      ipv6Subnet: mgmt?.optionalString('ipv6-subnet') ?? '3fff:172:20:20::/64',
      mtu: mgmt?.optionalNumber('mtu'),
    },
    nodes,
    links,
  };
}

/** `clab-<lab>-<node>`, following the topology's prefix. */
export function containerName(topology: Pick<Topology, 'name' | 'prefix'>, node: string): string {
  if (topology.prefix === '') return node;
  if (topology.prefix === '__lab-name') return `${topology.name}-${node}`;
  return `${topology.prefix}-${topology.name}-${node}`;
}

const linkTypes: readonly string[] = ['veth', 'mgmt-net', 'macvlan', 'host', 'vxlan', 'vxlan-stitch', 'dummy'];

function unknownLinkType(type: string, path: readonly (string | number)[]): ContentProblem {
  return new ContentProblem(path, `unable to parse "${type}" as LinkType`, { hint: `link types: ${linkTypes.join(', ')}` });
}

function notSimulatedLink(type: string, path: readonly (string | number)[]): ContentProblem {
  return new ContentProblem(path, `link type "${type}" is not simulated`, { hint: 'simulated: veth, host, mgmt-net, dummy' });
}

function readLink(value: unknown, path: readonly (string | number)[], nodes: readonly ClabNode[]): ClabLink {
  const link = new FieldReader(value, path);
  const type = link.optionalString('type') ?? 'veth';
  const tunnel = type.startsWith('vxlan') ? ['remote', 'vni', 'udp-port', 'parent-interface'] : [];
  link.allowOnly(['endpoints', 'type', 'endpoint', 'host-interface', 'mtu', 'labels', 'vars', 'mode', ...tunnel]);
  if (link.has('type') && !linkTypes.includes(type)) throw unknownLinkType(type, link.at('type'));
  const mtu = link.optionalNumber('mtu') ?? defaultMtu;
  if (link.has('endpoints')) {
    const endpoints = link.list('endpoints');
    if (endpoints.length !== 2)
      throw new ContentProblem(link.at('endpoints'), `a link has two endpoints, not ${endpoints.length}`, {
        fix: 'endpoints: ["node1:eth1", "node2:eth1"]',
      });
    const [a, b] = endpoints.map((endpoint, index) => readEndpoint(endpoint, [...link.at('endpoints'), index], nodes)) as [
      ClabEndpoint,
      ClabEndpoint,
    ];
    // the short form of a macvlan link names it as if it were a node
    if (a.node === 'macvlan' || b.node === 'macvlan') throw notSimulatedLink('macvlan', link.at('endpoints'));
    return { a, b, mtu };
  }
  const a = readEndpoint(link.raw('endpoint'), link.at('endpoint'), nodes);
  switch (type) {
    case 'host':
      return { a, b: { node: 'host', interfaceName: link.string('host-interface') }, mtu };
    case 'mgmt-net':
      return { a, b: { node: 'mgmt-net', interfaceName: link.string('host-interface') }, mtu };
    case 'dummy':
      return { a, b: undefined, mtu };
    case 'macvlan':
    case 'vxlan':
    case 'vxlan-stitch':
      throw notSimulatedLink(type, link.at('type'));
    default:
      throw new ContentProblem(path, 'the link has no endpoints', { fix: 'endpoints: ["node1:eth1", "node2:eth1"]' });
  }
}

function readEndpoint(value: unknown, path: readonly (string | number)[], nodes: readonly ClabNode[]): ClabEndpoint {
  const { node, interfaceName, mac } = endpointParts(value, path);
  const names = nodes.map((candidate) => candidate.name);
  if (node !== 'host' && node !== 'mgmt-net' && node !== 'macvlan' && !names.includes(node)) {
    const guess = nearest(node, names);
    throw new ContentProblem(path, `the link names node "${node}", which the topology does not have`, {
      hint: `nodes: ${names.join(', ')}`,
      ...(guess === undefined ? { fix: `add the node, or remove the link` } : { fix: `did you mean "${guess}:${interfaceName}"?` }),
    });
  }
  if (interfaceName.length > 15)
    throw new ContentProblem(path, `interface name "${interfaceName}" is longer than Linux allows (15 characters)`, {
      hint: 'not simulated: the short name and the alias that containerlab gives it',
    });
  return mac === undefined ? { node, interfaceName } : { node, interfaceName, mac };
}

function endpointParts(value: unknown, path: readonly (string | number)[]): { node: string; interfaceName: string; mac?: string } {
  if (typeof value === 'string') {
    const colon = value.indexOf(':');
    const node = value.slice(0, colon);
    const interfaceName = value.slice(colon + 1);
    if (colon <= 0 || interfaceName === '')
      throw new ContentProblem(path, `"${value}" is no endpoint`, { hint: 'an endpoint is written node:interface' });
    return { node, interfaceName };
  }
  const reader = new FieldReader(value, path);
  reader.allowOnly(['node', 'interface', 'mac', 'vars', 'ipv4', 'ipv6']);
  const mac = reader.optionalString('mac');
  return { node: reader.string('node'), interfaceName: reader.string('interface'), ...(mac === undefined ? {} : { mac }) };
}

function refuseDoubleUse(links: readonly ClabLink[], path: readonly (string | number)[]): void {
  const used = new Set<string>();
  links.forEach((link, index) => {
    for (const end of [link.a, link.b]) {
      if (end === undefined) continue;
      const name = `${end.node}:${end.interfaceName}`;
      if (used.has(name))
        throw new ContentProblem([...path, 'links', index], `duplicate endpoint ${name}`, { hint: 'an interface has one link' });
      used.add(name);
    }
  });
}

/** containerlab keeps eth0 for the management network. */
function refuseEth0(links: readonly ClabLink[], nodes: readonly ClabNode[], path: readonly (string | number)[]): void {
  links.forEach((link, index) => {
    for (const end of [link.a, link.b]) {
      const node = nodes.find((candidate) => candidate.name === end?.node);
      if (end?.interfaceName !== 'eth0' || node?.kind !== 'linux' || node.networkMode === 'none') continue;
      throw new ContentProblem(
        [...path, 'links', index],
        'eth0 interface name is not allowed for a node when network mode is not set to none',
        { fix: `name another interface than ${end.node}:eth0` },
      );
    }
  });
}
