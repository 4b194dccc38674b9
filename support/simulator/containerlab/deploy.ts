import type { Container, ContainerOptions, CreateContainerOptions, DockerEngine, DockerNetwork } from '../docker/types.ts';
import type { NetworkInterface, NetworkNamespace } from '../net/types.ts';
import { splitWords } from './shell-words.ts';
import { type ClabEndpoint, type ClabNode, containerName, type Topology } from './topology.ts';

/** A topology that runs. */
export interface DeployedLab {
  readonly topology: Topology;
  /** Where the topology file is, as `containerlab inspect` shows it. */
  readonly path: string;
  readonly containers: ReadonlyMap<string, Container>;
  /** What containerlab logs of `exec` lines: a failing one does not stop the deployment. */
  readonly execResults: readonly {
    readonly node: string;
    readonly command: string;
    readonly stdout: string;
    readonly stderr: string;
    readonly exitCode: number;
  }[];
  /** Parts of the file that have no effect here. */
  readonly warnings: readonly string[];
  /** The host's ends of links to `host` and of bridge ports, removed with the lab. */
  readonly hostInterfaces: readonly NetworkInterface[];
}

/** A deployment that containerlab gives up. */
export class DeployError extends Error {}

export interface DeployOptions {
  readonly path: string;
  /** Files beside the topology that nodes may mount, by relative path. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Deploys a topology as `containerlab deploy` does: management network, containers, links, then each node's `exec`
 * lines (containerlab docs, "Topology definition" and "Nodes").
 * @throws DeployError when a node or a link cannot be made
 */
export async function deployTopology(topology: Topology, engine: DockerEngine, options: DeployOptions): Promise<DeployedLab> {
  const containers = new Map<string, Container>();
  const warnings: string[] = [];
  const mgmt = needsManagement(topology) ? managementNetwork(topology, engine) : undefined;
  for (const node of inStartOrder(topology)) {
    if (node.startupDelaySeconds > 0) engine.clock.advance(node.startupDelaySeconds * 1000);
    const container = startNode(node, topology, engine, mgmt, containers, options, warnings);
    if (container !== undefined) containers.set(node.name, container);
  }
  const hostInterfaces: NetworkInterface[] = [];
  const macs = engine.random.stream(`containerlab/${topology.name}/macs`);
  const newMac = () => `aa:c1:ab:${macs.hex(2)}:${macs.hex(2)}:${macs.hex(2)}`;
  topology.links.forEach((link, index) => {
    connect(link.a, link.b, link.mtu, { topology, engine, containers, mgmt, hostInterfaces, newMac, index });
  });
  const execResults: DeployedLab['execResults'][number][] = [];
  for (const node of topology.nodes) {
    const container = containers.get(node.name);
    if (container === undefined) continue;
    for (const command of node.exec) {
      const result = await engine.shell.exec(container, splitWords(command));
      execResults.push({ node: node.name, command, ...result });
    }
  }
  return { topology, path: options.path, containers, execResults, warnings, hostInterfaces };
}

/** `containerlab destroy`: containers and links of the lab go; a container that it only borrowed stays. */
export function destroyTopology(lab: DeployedLab, engine: DockerEngine): void {
  for (const [name, container] of lab.containers) {
    const node = lab.topology.nodes.find((candidate) => candidate.name === name);
    if (node?.kind === 'ext-container' || node?.kind === 'k8s-kind') {
      for (const link of lab.topology.links) {
        for (const end of [link.a, link.b]) if (end?.node === name) container.namespace.getInterface(end.interfaceName)?.delete();
      }
    } else if (engine.findContainer(container.name) !== undefined) {
      // Links in a borrowed namespace outlive the container that borrowed it.
      for (const link of lab.topology.links) {
        for (const end of [link.a, link.b]) if (end?.node === name) container.namespace.getInterface(end.interfaceName)?.delete();
      }
      engine.removeContainer(container.name, { force: true });
    }
  }
  for (const device of lab.hostInterfaces) device.delete();
  const mgmt = engine.findNetwork(lab.topology.mgmt.network);
  if (mgmt !== undefined && mgmt.members.size === 0 && mgmt.labels['containerlab'] !== undefined) engine.removeNetwork(mgmt.name);
}

function needsManagement(topology: Topology): boolean {
  return topology.nodes.some((node) => node.kind === 'linux' && node.networkMode === undefined);
}

function managementNetwork(topology: Topology, engine: DockerEngine): DockerNetwork {
  const { mgmt } = topology;
  return (
    engine.findNetwork(mgmt.network) ??
    engine.createNetwork({
      name: mgmt.network,
      subnets: [mgmt.ipv4Subnet, mgmt.ipv6Subnet].filter((subnet) => subnet !== '' && subnet !== 'auto'),
      ipv6: mgmt.ipv6Subnet !== '',
      labels: { containerlab: '' },
      ...(mgmt.bridge === undefined ? {} : { bridgeName: mgmt.bridge }),
      ...(mgmt.mtu === undefined ? {} : { mtu: mgmt.mtu }),
    })
  );
}

/** Nodes that lend their namespace to others, or that others wait for, come first; otherwise the order of the file. */
function inStartOrder(topology: Topology): readonly ClabNode[] {
  const byName = new Map(topology.nodes.map((node) => [node.name, node]));
  const done = new Set<string>();
  const order: ClabNode[] = [];
  const visit = (node: ClabNode, trail: readonly string[]): void => {
    if (done.has(node.name)) return;
    if (trail.includes(node.name)) throw new DeployError(`nodes wait for each other: ${[...trail, node.name].join(' → ')}`);
    const lender =
      node.networkMode?.startsWith('container:') === true ? byName.get(node.networkMode.slice('container:'.length)) : undefined;
    for (const first of [lender, ...node.waitFor.map((name) => byName.get(name))])
      if (first !== undefined) visit(first, [...trail, node.name]);
    done.add(node.name);
    order.push(node);
  };
  for (const node of topology.nodes) visit(node, []);
  return order;
}

function startNode(
  node: ClabNode,
  topology: Topology,
  engine: DockerEngine,
  mgmt: DockerNetwork | undefined,
  started: ReadonlyMap<string, Container>,
  options: DeployOptions,
  warnings: string[],
): Container | undefined {
  switch (node.kind) {
    case 'host':
      return undefined;
    case 'bridge':
      if (engine.hostNamespace.getInterface(node.name)?.kind !== 'bridge') {
        throw new DeployError(`Bridge "${node.name}" referenced in topology but does not exist`);
      }
      return undefined;
    case 'ext-container': {
      const container = engine.findContainer(node.name);
      if (container === undefined) throw new DeployError(`container "${node.name}" of kind ext-container does not exist`);
      return container;
    }
    case 'k8s-kind':
      throw new DeployError(
        `node "${node.name}": a cluster inside a topology (kind k8s-kind) is not simulated; name the cluster in lab.yaml`,
      );
    default:
      return createLinuxNode(node, topology, engine, mgmt, started, options, warnings);
  }
}

function createLinuxNode(
  node: ClabNode,
  topology: Topology,
  engine: DockerEngine,
  mgmt: DockerNetwork | undefined,
  started: ReadonlyMap<string, Container>,
  options: DeployOptions,
  warnings: string[],
): Container {
  if (node.image === undefined) throw new DeployError(`node "${node.name}" has no image`);
  const problem = engine.images.problemOf(node.image);
  if (problem !== undefined) throw new DeployError(problem);
  const name = containerName(topology, node.name);
  const networkMode = resolveNetworkMode(node, started, engine);
  const ips = [node.mgmtIpv4, node.mgmtIpv6].filter((address) => address !== undefined);
  const base: ContainerOptions = {
    name,
    image: node.image,
    ...(networkMode?.startsWith('container:') === true ? {} : { hostname: node.name }),
    env: { CLAB_LABEL_CLAB_NODE_NAME: node.name, ...node.env },
    labels: {
      containerlab: topology.name,
      'clab-node-name': node.name,
      'clab-node-kind': node.kind,
      'clab-node-group': node.group ?? '',
      'clab-topo-file': options.path,
      ...node.labels,
    },
    files: boundFiles(node, options, warnings),
    privileged: true,
    ports: node.ports.flatMap((port) => readPort(port)),
    ...(node.command === undefined || node.command === '' ? {} : { command: splitWords(node.command) }),
    ...(node.entrypoint === undefined || node.entrypoint === '' ? {} : { entrypoint: splitWords(node.entrypoint) }),
    ...(node.user === undefined ? {} : { user: node.user }),
  };
  const full: CreateContainerOptions = { ...base, networkMode: networkMode ?? mgmt?.name ?? 'none', ...(ips.length > 0 ? { ips } : {}) };
  const container = engine.createContainer(full);
  container.start();
  if (networkMode === undefined) {
    // containerlab switches IPv6 on in every linux node; new interfaces follow `default`.
    container.namespace.setSysctl('net.ipv6.conf.all.disable_ipv6', '0');
    container.namespace.setSysctl('net.ipv6.conf.default.disable_ipv6', '0');
  }
  for (const [key, value] of Object.entries(node.sysctls)) {
    if (!container.namespace.setSysctl(key, value)) warnings.push(`${node.name}: sysctl ${key} is not modelled`);
  }
  return container;
}

function resolveNetworkMode(node: ClabNode, started: ReadonlyMap<string, Container>, engine: DockerEngine): string | undefined {
  const mode = node.networkMode;
  if (mode === undefined || mode === 'bridge') return undefined;
  if (!mode.startsWith('container:')) return mode;
  const reference = mode.slice('container:'.length);
  const lender = started.get(reference) ?? engine.findContainer(reference);
  if (lender === undefined)
    throw new DeployError(`node "${node.name}" shares the network of container "${reference}", which does not exist`);
  return `container:${lender.name}`;
}

function boundFiles(node: ClabNode, options: DeployOptions, warnings: string[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const bind of node.binds) {
    const [source = '', target = ''] = bind.split(':');
    if (target === '') {
      warnings.push(`${node.name}: bind ${bind} (an anonymous volume) has no effect here`);
      continue;
    }
    // Sockets and folders of the machine mean nothing to a simulated container.
    if (source.startsWith('/')) {
      warnings.push(`${node.name}: bind ${source} is outside the lab's files; ${target} stays as the image has it`);
      continue;
    }
    const content = options.files.get(source);
    const below = `${source.replace(/\/$/, '')}/`;
    const inFolder = [...options.files].filter(([path]) => path.startsWith(below));
    if (content === undefined && inFolder.length === 0) {
      throw new DeployError(`Failed to verify bind path: stat ${source}: no such file or directory (node "${node.name}")`);
    }
    if (content !== undefined) files[target] = content;
    for (const [path, text] of inFolder) files[`${target.replace(/\/$/, '')}/${path.slice(below.length)}`] = text;
  }
  return files;
}

function readPort(text: string): NonNullable<ContainerOptions['ports']> {
  const match = /^(?:(?<hostIp>[^:]+):)?(?<hostPort>\d+):(?<containerPort>\d+)(?:\/(?<protocol>tcp|udp))?$/.exec(text);
  if (match?.groups === undefined) return [];
  const { hostIp, hostPort, containerPort, protocol } = match.groups;
  return [
    {
      hostPort: Number(hostPort),
      containerPort: Number(containerPort),
      protocol: protocol === 'udp' ? 'udp' : 'tcp',
      ...(hostIp === undefined ? {} : { hostIp }),
    },
  ];
}

interface Wiring {
  readonly topology: Topology;
  readonly engine: DockerEngine;
  readonly containers: ReadonlyMap<string, Container>;
  readonly mgmt: DockerNetwork | undefined;
  readonly hostInterfaces: NetworkInterface[];
  readonly newMac: () => string;
  readonly index: number;
}

/** A veth pair made in the host's namespace and moved, as containerlab does: that is why both ends have high interface indices. */
function connect(a: ClabEndpoint, b: ClabEndpoint | undefined, mtu: number | undefined, wiring: Wiring): void {
  const { engine } = wiring;
  const host = engine.hostNamespace;
  if (b === undefined) {
    const place = namespaceOf(a, wiring);
    place.addInterface({ name: a.interfaceName, kind: 'dummy', mac: a.mac ?? wiring.newMac() }).setUp();
    return;
  }
  for (const end of [a, b]) {
    if (namespaceOf(end, wiring).getInterface(end.interfaceName) !== undefined) {
      throw new DeployError(`interface ${end.interfaceName} of node "${end.node}" exists already`);
    }
  }
  const pair = engine.network.createVeth(
    { namespace: host, name: `clab-${wiring.index}a`, mac: a.mac ?? wiring.newMac() },
    { namespace: host, name: `clab-${wiring.index}b`, mac: b.mac ?? wiring.newMac() },
  );
  pair.forEach((device, side) => {
    const end = side === 0 ? a : b;
    if (mtu !== undefined) device.setMtu(mtu);
    const target = namespaceOf(end, wiring);
    if (target !== host) device.moveTo(target);
    device.rename(end.interfaceName);
    const bridge = bridgeOf(end, wiring);
    if (bridge !== undefined) device.setMaster(bridge);
    if (target === host) wiring.hostInterfaces.push(device);
  });
  for (const device of pair) device.setUp();
}

function namespaceOf(end: ClabEndpoint, wiring: Wiring): NetworkNamespace {
  const container = wiring.containers.get(end.node);
  return container === undefined ? wiring.engine.hostNamespace : container.namespace;
}

function bridgeOf(end: ClabEndpoint, wiring: Wiring): NetworkInterface | undefined {
  if (end.node === 'mgmt-net') return wiring.mgmt?.bridge;
  const node = wiring.topology.nodes.find((candidate) => candidate.name === end.node);
  return node?.kind === 'bridge' ? wiring.engine.hostNamespace.getInterface(node.name) : undefined;
}
