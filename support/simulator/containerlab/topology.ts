import { ContentProblem, FieldReader, nearest } from '../../port/content-problem.ts';

/** One node after defaults, kind and group have been merged into it (containerlab docs, "Nodes"). */
export interface ClabNode {
  readonly name: string;
  readonly kind: string;
  readonly image: string | undefined;
  readonly command: string | undefined;
  readonly entrypoint: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly binds: readonly string[];
  readonly ports: readonly string[];
  readonly exec: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly networkMode: string | undefined;
  readonly mgmtIpv4: string | undefined;
  readonly mgmtIpv6: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly startupDelaySeconds: number;
  readonly startupConfig: string | undefined;
  readonly waitFor: readonly string[];
  readonly restartPolicy: string | undefined;
}

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
  readonly mtu: number | undefined;
}

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

/** Kinds that are simulated, and what each stands for. */
export const simulatedKinds = ['linux', 'bridge', 'ext-container', 'host', 'k8s-kind'] as const;

/** Kinds that containerlab knows, but whose operating systems are outside the model. */
const foreignKinds = [
  'nokia_srlinux',
  'srl',
  'nokia_sros',
  'vr-sros',
  'arista_ceos',
  'ceos',
  'arista_veos',
  'juniper_crpd',
  'crpd',
  'juniper_vmx',
  'juniper_vqfx',
  'juniper_vsrx',
  'juniper_vjunosswitch',
  'juniper_vjunosevolved',
  'juniper_vjunosrouter',
  'cisco_xrd',
  'xrd',
  'cisco_xrv9k',
  'cisco_xrv',
  'cisco_csr1000v',
  'cisco_n9kv',
  'cisco_c8000',
  'cisco_iol',
  'cumulus_cvx',
  'cvx',
  'sonic-vs',
  'sonic-vm',
  'vyosnetworks_vyos',
  'openbsd',
  'freebsd',
  'rare',
  'ovs-bridge',
  'keysight_ixia-c-one',
  'mikrotik_ros',
  'dell_sonic',
  'fortinet_fortigate',
  'paloalto_panos',
  'checkpoint_cloudguard',
  'huawei_vrp',
  'ipinfusion_ocnos',
  'aruba_aoscx',
  'border0',
  '6wind_vsr',
  'cjunosevolved',
  'fdio_vpp',
  'generic_vm',
] as const;

const nodeFields = [
  'kind',
  'image',
  'cmd',
  'entrypoint',
  'env',
  'env-files',
  'binds',
  'ports',
  'exec',
  'labels',
  'sysctls',
  'network-mode',
  'mgmt-ipv4',
  'mgmt-ipv6',
  'user',
  'group',
  'startup-delay',
  'startup-config',
  'wait-for',
  'restart-policy',
  'type',
  'position',
  'license',
  'publish',
  'runtime',
  'cpu',
  'cpu-set',
  'memory',
  'sandbox',
  'kernel',
  'extras',
  'config',
  'stages',
  'dns',
  'certificate',
  'healthcheck',
  'aliases',
  'image-pull-policy',
  'suppress-startup-config',
  'auto-remove',
  'enforce-startup-config',
  'cap-add',
  'devices',
  'shm-size',
  'components',
  'credentials',
  'privileged',
] as const;

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
    readNode(nodeName, new FieldReader(nodesReader.raw(nodeName) ?? {}, nodesReader.at(nodeName)), defaults, layers),
  );
  const links = topology.list('links').map((link, index) => readLink(link, [...topology.path, 'links', index], nodes));
  refuseDoubleUse(links, topology.path);
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

function readNode(name: string, own: FieldReader, defaults: FieldReader | undefined, layers: ReadonlyMap<string, FieldReader>): ClabNode {
  own.allowOnly(nodeFields);
  const group = own.optionalString('group');
  const groupLayer = group === undefined ? undefined : layers.get(`group/${group}`);
  const kind = own.optionalString('kind') ?? groupLayer?.optionalString('kind') ?? defaults?.optionalString('kind');
  if (kind === undefined)
    throw new ContentProblem(own.path, `node "${name}" has no kind`, { fix: 'add kind: linux to the node or to topology.defaults' });
  checkKind(kind, own.has('kind') ? own.at('kind') : own.path, name);
  // Most general first: a later layer wins, lists and maps are merged.
  const order = [defaults, layers.get(`kind/${kind}`), groupLayer, own].filter((layer) => layer !== undefined);
  const last = <T>(read: (layer: FieldReader) => T | undefined) =>
    order.reduceRight<T | undefined>((found, layer) => found ?? read(layer), undefined);
  const merged = (key: string) => Object.assign({}, ...order.map((layer) => layer.textMap(key))) as Record<string, string>;
  const joined = (key: string) => order.flatMap((layer) => layer.strings(key));
  return {
    name,
    kind,
    image: last((layer) => layer.optionalString('image')),
    command: last((layer) => layer.optionalString('cmd')),
    entrypoint: last((layer) => layer.optionalString('entrypoint')),
    env: merged('env'),
    binds: joined('binds'),
    ports: joined('ports'),
    exec: joined('exec'),
    labels: merged('labels'),
    sysctls: merged('sysctls'),
    networkMode: last((layer) => layer.optionalString('network-mode')),
    mgmtIpv4: own.optionalString('mgmt-ipv4'),
    mgmtIpv6: own.optionalString('mgmt-ipv6'),
    user: last((layer) => layer.optionalString('user')),
    group,
    startupDelaySeconds: last((layer) => layer.optionalNumber('startup-delay')) ?? 0,
    startupConfig: last((layer) => layer.optionalString('startup-config')),
    waitFor: joined('wait-for'),
    restartPolicy: last((layer) => layer.optionalString('restart-policy')),
  };
}

function checkKind(kind: string, path: readonly (string | number)[], node: string): void {
  if ((simulatedKinds as readonly string[]).includes(kind)) return;
  if ((foreignKinds as readonly string[]).includes(kind)) {
    throw new ContentProblem(path, `node "${node}": kind "${kind}" is not simulated`, {
      hint: `simulated kinds: ${simulatedKinds.join(', ')}`,
      fix: 'run this lab with --driver live',
    });
  }
  const guess = nearest(kind, simulatedKinds);
  throw new ContentProblem(path, `node "${node}": unknown kind "${kind}"`, {
    hint: `simulated kinds: ${simulatedKinds.join(', ')}`,
    ...(guess === undefined ? {} : { fix: `did you mean "${guess}"?` }),
  });
}

function readLink(value: unknown, path: readonly (string | number)[], nodes: readonly ClabNode[]): ClabLink {
  const link = new FieldReader(value, path);
  const type = link.optionalString('type') ?? 'veth';
  link.allowOnly(['endpoints', 'type', 'endpoint', 'host-interface', 'mtu', 'labels', 'vars', 'mode']);
  const mtu = link.optionalNumber('mtu');
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
    default:
      throw new ContentProblem(link.has('type') ? link.at('type') : path, `link type "${type}" is not simulated`, {
        hint: 'simulated: veth, host, mgmt-net, dummy',
      });
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
    throw new ContentProblem(path, `interface name "${interfaceName}" is longer than Linux allows (15 characters)`);
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
      if (used.has(name)) throw new ContentProblem([...path, 'links', index], `endpoint "${name}" is used by two links`);
      used.add(name);
    }
  });
}
