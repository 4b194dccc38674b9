import { ContentProblem } from '../../port/content-problem.ts';
import { resolvePath } from '../docker/file-system.ts';
import type { Container, ContainerOptions, CreateContainerOptions, DockerEngine, DockerNetwork } from '../docker/types.ts';
import { frrOf } from '../frr/image.ts';
import type { NetworkInterface } from '../net/types.ts';
import { DeployError } from './deploy-error.ts';
import { splitWords } from './shell-words.ts';
import { type ClabEndpoint, type ClabNode, containerName, type Topology } from './topology.ts';
import { connect } from './wiring.ts';

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

export interface DeployOptions {
  readonly path: string;
  /** Files beside the topology that nodes may mount, by relative path. */
  readonly files: ReadonlyMap<string, string>;
  /** The kind file that the cluster has been made from. */
  readonly clusterFile?: string;
  /** Told what happens, as containerlab logs it. */
  readonly log?: (level: 'INFO' | 'WARN' | 'ERRO', message: string) => void;
}

/**
 * Deploys a topology as `containerlab deploy` does: management network, containers, links, then each node's `exec`
 * lines (containerlab docs, "Topology definition" and "Nodes").
 * @throws DeployError when a node or a link cannot be made
 */
export async function deployTopology(topology: Topology, engine: DockerEngine, options: DeployOptions): Promise<DeployedLab> {
  const containers = new Map<string, Container>();
  const warnings: string[] = [];
  const log = options.log ?? (() => undefined);
  const order = inStartOrder(topology);
  verify(topology, engine, options);
  const mgmt = needsManagement(topology) ? managementNetwork(topology, engine, log) : undefined;
  const hostInterfaces: NetworkInterface[] = [];
  try {
    await build();
  } catch (error) {
    // Unlike containerlab, which leaves what it made so far.
    destroyTopology({ topology, path: options.path, containers, execResults: [], warnings, hostInterfaces }, engine);
    throw error;
  }
  const execResults: DeployedLab['execResults'][number][] = [];
  for (const node of topology.nodes) {
    const container = containers.get(node.name);
    if (container === undefined) continue;
    const staged = node.stageExec.flatMap(({ command, target }) => {
      if (target === 'container') return [command];
      warnings.push(`${node.name}: a stage's command for the host is not modelled: ${command}`);
      return [];
    });
    for (const command of [...staged, ...node.exec]) {
      const result = await engine.shell.exec(container, splitWords(command));
      execResults.push({ node: node.name, command, ...result });
    }
    if (container.image.commands.includes('vtysh'))
      for (const line of frrOf(container).notModelled) warnings.push(`${node.name}: not simulated: ${line}`);
  }
  return { topology, path: options.path, containers, execResults, warnings, hostInterfaces };

  function isClusterFile({ kind, startupConfig = '' }: ClabNode): boolean {
    const folder = options.path.replace(/[^/]*$/, '');
    return kind === 'k8s-kind' && options.clusterFile !== undefined && resolvePath(folder, startupConfig) === options.clusterFile;
  }

  function startOrExplain(node: ClabNode): Container | undefined {
    try {
      return startNode(node, topology, engine, mgmt, containers, options, warnings);
    } catch (error) {
      const left = engine.findContainer(containerName(topology, node.name));
      if (isCreated(node) && left?.options.labels?.['containerlab'] === topology.name) engine.removeContainer(left.name, { force: true });
      if (options.log === undefined || (error as { statusCode?: number }).statusCode === undefined) throw error;
      log('ERRO', `failed deploy stage for node ${JSON.stringify(node.name)}: Error response from daemon: ${(error as Error).message}`);
      const name = containerName(topology, node.name);
      throw new DeployError(`could not get container for node ${name}: Node: ${name}. containers not found`);
    }
  }

  async function build(): Promise<void> {
    const healthy = new Set<string>();
    for (const node of order) {
      for (const wait of node.waitFor) {
        if (wait.stage === 'exit') warnings.push(`${node.name}: waiting for the exit of ${wait.node} is not modelled`);
        if (wait.stage !== 'healthy' || healthy.has(wait.node)) continue;
        await turnHealthy(topology, wait.node, containers, engine);
        healthy.add(wait.node);
        log('INFO', `node ${JSON.stringify(wait.node)} turned healthy, continuing`);
      }
      if (node.startupDelaySeconds > 0) {
        log('INFO', `node ${JSON.stringify(node.name)} is being delayed for ${node.startupDelaySeconds} seconds`);
        engine.clock.advance(node.startupDelaySeconds * 1000);
      }
      if (isCreated(node)) log('INFO', `Creating container name=${node.name}`);
      const container = startOrExplain(node);
      if (container !== undefined) containers.set(node.name, container);
      if (node.startupConfig !== undefined && !isClusterFile(node))
        warnings.push(`${node.name}: startup-config has no effect on a node of kind ${node.kind}`);
    }
    const macs = engine.random.stream(`containerlab/${topology.name}/macs`);
    const newMac = () => `aa:c1:ab:${macs.hex(2)}:${macs.hex(2)}:${macs.hex(2)}`;
    topology.links.forEach((link, index) => {
      connect(link.a, link.b, link.mtu, { topology, engine, containers, mgmt, hostInterfaces, newMac, index });
      if (link.b !== undefined) log('INFO', `Created link: ${endpointText(link.a, mgmt)} ▪┄┄▪ ${endpointText(link.b, mgmt)}`);
    });
  }
}

/** What containerlab looks at before it makes anything. */
function verify(topology: Topology, engine: DockerEngine, options: DeployOptions): void {
  const taken = new Set<string>();
  for (const node of topology.nodes) {
    if (node.kind === 'bridge' && engine.hostNamespace.getInterface(node.name)?.kind !== 'bridge')
      throw new DeployError(`bridge "${node.name}" referenced in topology but does not exist`);
    if (!isCreated(node)) continue;
    if (node.image === undefined) throw new DeployError(`missing required "image" attribute for node "${node.name}"`);
    for (const address of [node.mgmtIpv4, node.mgmtIpv6]) {
      if (address !== undefined && taken.has(address))
        throw new DeployError(`management IP address ${address} appeared more than once in the topology file`);
      if (address !== undefined) taken.add(address);
    }
    boundFiles(node, options, []);
    fileEnvironment(node, options);
  }
}

function isCreated(node: ClabNode): boolean {
  return node.kind === 'linux';
}

function endpointText(end: ClabEndpoint, mgmt: DockerNetwork | undefined): string {
  return `${end.node === 'mgmt-net' ? (mgmt?.bridge?.name ?? end.node) : end.node}:${end.interfaceName}`;
}

/** Runs a node's health check until it holds; Docker gives up after `retries` failures in a row, and containerlab waits no longer than that. */
async function turnHealthy(
  topology: Topology,
  name: string,
  containers: ReadonlyMap<string, Container>,
  engine: DockerEngine,
): Promise<void> {
  const check = topology.nodes.find((node) => node.name === name)?.healthcheck;
  const container = containers.get(name);
  if (container === undefined || check === undefined || check.test.length === 0)
    throw new DeployError(`node "${name}" is waited for as healthy, and has no healthcheck`);
  engine.clock.advance(check.startPeriodSeconds * 1000);
  for (let failures = 0; failures <= check.retries; failures++) {
    engine.clock.advance(check.intervalSeconds * 1000);
    const result = await engine.shell.exec(container, check.test);
    if (result.exitCode === 0) return;
  }
  throw new DeployError(`node "${name}" did not turn healthy: ${check.test.join(' ')}`);
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

function managementNetwork(topology: Topology, engine: DockerEngine, log: NonNullable<DeployOptions['log']>): DockerNetwork {
  const { mgmt } = topology;
  const existing = engine.findNetwork(mgmt.network);
  if (existing !== undefined) return existing;
  log(
    'INFO',
    `Creating docker network name=${mgmt.network} IPv4 subnet=${mgmt.ipv4Subnet} IPv6 subnet=${mgmt.ipv6Subnet} MTU=${mgmt.mtu ?? 1500}`,
  );
  return engine.createNetwork({
    name: mgmt.network,
    subnets: [mgmt.ipv4Subnet, mgmt.ipv6Subnet].filter((subnet) => subnet !== '' && subnet !== 'auto'),
    ipv6: mgmt.ipv6Subnet !== '',
    labels: { containerlab: '' },
    ...(mgmt.bridge === undefined ? {} : { bridgeName: mgmt.bridge }),
    ...(mgmt.mtu === undefined ? {} : { mtu: mgmt.mtu }),
  });
}

/** Nodes that lend their namespace to others, or that others wait for, come first; otherwise the order of the file. */
function inStartOrder(topology: Topology): readonly ClabNode[] {
  const byName = new Map(topology.nodes.map((node) => [node.name, node]));
  const done = new Set<string>();
  const order: ClabNode[] = [];
  const visit = (node: ClabNode, trail: readonly string[]): void => {
    if (done.has(node.name)) return;
    if (trail.includes(node.name)) throw new DeployError(cycleText(topology, trail));
    const lender =
      node.networkMode?.startsWith('container:') === true ? byName.get(node.networkMode.slice('container:'.length)) : undefined;
    const awaited = node.waitFor.map((wait) => {
      const found = byName.get(wait.node);
      if (found === undefined) throw new DeployError(`dependee node ${wait.node} not found`);
      return found;
    });
    for (const first of [lender, ...awaited]) if (first !== undefined) visit(first, [...trail, node.name]);
    done.add(node.name);
    order.push(node);
  };
  // Those with a fixed address come first, lest another gets it.
  const isFixed = (node: ClabNode) => node.mgmtIpv4 !== undefined || node.mgmtIpv6 !== undefined;
  for (const node of [...topology.nodes].sort((a, b) => Number(isFixed(b)) - Number(isFixed(a)))) visit(node, []);
  return order;
}

function cycleText(topology: Topology, trail: readonly string[]): string {
  const rows = topology.nodes.filter((node) => trail.includes(node.name) && node.waitFor.length > 0);
  return `cyclic dependencies found!\n${rows.map((node) => `${node.name} -> [ ${node.waitFor.map((wait) => wait.node).join(', ')} ]`).join('\n')}`;
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
      return undefined;
    case 'ext-container': {
      const container = engine.findContainer(node.name);
      if (container === undefined) throw new DeployError(`container "${node.name}" of kind ext-container does not exist`);
      return container;
    }
    case 'k8s-kind':
      // A cluster is part of the lab: its description comes from lab.yaml, and stands before the topology does.
      if (engine.containers.some((container) => container.options.labels?.['io.x-k8s.kind.cluster'] === node.name)) return undefined;
      throw new DeployError(`node "${node.name}": not simulated: a kind cluster besides the one that lab.yaml names`);
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
  if (node.image === undefined) throw new DeployError(`missing required "image" attribute for node "${node.name}"`);
  const problem = engine.images.problemOf(node.image);
  if (problem !== undefined)
    throw new ContentProblem(['topology', 'nodes', node.name, 'image'], problem, {
      hint: `the image of node "${node.name}" is ${JSON.stringify(node.image)}`,
      fix: node.image.includes('$') ? 'set the variable, or give it a default: ${NAME:=image}' : 'write it as name:tag',
    });
  const name = containerName(topology, node.name);
  const networkMode = resolveNetworkMode(node, started, engine);
  const ips = [node.mgmtIpv4, node.mgmtIpv6].filter((address) => address !== undefined);
  const base: ContainerOptions = {
    name,
    image: node.image,
    ...(networkMode?.startsWith('container:') === true ? {} : { hostname: node.name }),
    env: { ...labEnvironment(node, topology), ...fileEnvironment(node, options), ...node.env },
    labels: {
      containerlab: topology.name,
      'clab-node-name': node.name,
      'clab-node-longname': name,
      'clab-node-kind': node.kind,
      'clab-node-type': '',
      'clab-node-group': node.group ?? '',
      'clab-node-lab-dir': `${labFolder(options, topology)}/${node.name}`,
      'clab-topo-file': options.path,
      'clab-owner': 'root',
      ...node.labels,
    },
    files: boundFiles(node, options, warnings),
    privileged: true,
    hasTerminal: true,
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
    const path = cleanPath(source);
    const content = fileAt(options, source);
    const below = path === '.' ? '' : `${path}/`;
    const inFolder = [...options.files].map(([name, text]) => [cleanPath(name), text] as const).filter(([name]) => name.startsWith(below));
    if (content === undefined && inFolder.length === 0) {
      throw new DeployError(
        `failed to verify bind path: stat ${absolute(options, source)}: no such file or directory`.concat(
          options.log === undefined ? ` (node "${node.name}")` : '',
        ),
      );
    }
    if (content !== undefined) files[target] = content;
    for (const [path, text] of inFolder) files[`${target.replace(/\/$/, '')}/${path.slice(below.length)}`] = text;
  }
  return files;
}

function fileAt({ files }: DeployOptions, path: string): string | undefined {
  return files.get(path) ?? files.get(cleanPath(path));
}

function absolute(options: DeployOptions, path: string): string {
  if (path.startsWith('/')) return path;
  const whole = `${options.path.replace(/[^/]*$/, '')}${path}`;
  return `${whole.startsWith('/') ? '/' : ''}${cleanPath(whole)}`;
}

/** Without `.`, `..` and doubled slashes, as containerlab joins what a file names with the folder of the topology. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts[parts.length - 1] !== '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/') || '.';
}

/** Where containerlab keeps what it makes for a lab: beside the topology file. */
export function labFolder(options: Pick<DeployOptions, 'path'>, topology: Pick<Topology, 'name'>): string {
  return `${options.path.replace(/[^/]*$/, '')}clab-${topology.name}`;
}

function labEnvironment(node: ClabNode, topology: Topology): Record<string, string> {
  const links = topology.links.filter((link) => link.a.node === node.name || link.b?.node === node.name).length;
  return {
    CLAB_LABEL_CONTAINERLAB: topology.name,
    CLAB_LABEL_CLAB_NODE_NAME: node.name,
    CLAB_LABEL_CLAB_NODE_LONGNAME: containerName(topology, node.name),
    CLAB_LABEL_CLAB_NODE_KIND: node.kind,
    CLAB_INTFS: String(links),
  };
}

function fileEnvironment(node: ClabNode, options: DeployOptions): Record<string, string> {
  const env: Record<string, string> = {};
  for (const path of node.envFiles) {
    const text = fileAt(options, path);
    if (text === undefined) throw new DeployError(`env-file ${path} not found (path resolved to ${absolute(options, path)})`);
    for (const line of text.split('\n')) {
      const [, key, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (key !== undefined) env[key] = value.replace(/^(["'])(.*)\1$/, '$2');
    }
  }
  return env;
}

function readPort(text: string): NonNullable<ContainerOptions['ports']> {
  const match = /^(?:(?<hostIp>[^:]+):)?(?<hostPort>\d+):(?<containerPort>\d+)(?:\/(?<protocol>tcp|udp))?$/.exec(text);
  if (match?.groups === undefined)
    throw new DeployError(
      /^[\d.:[\]a-f-]+(?:\/\w+)?$/.test(text) ? `not simulated: the port mapping ${text}` : `invalid containerPort: ${text}`,
    );
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
