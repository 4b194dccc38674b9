import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { isLoopback, parseIp, prefix } from '../net/address.ts';
import type { Ip, ListeningSocket, Network, NetworkNamespace, Prefix } from '../net/types.ts';
import { hostAddresses, macOfIpv4 } from './addresses.ts';
import { builtinImages } from './builtin-images.ts';
import { type ContainerSurroundings, EngineContainer } from './container.ts';
import { startEmbeddedDns } from './embedded-dns.ts';
import { EngineError } from './engine-error.ts';
import { addNetworkRules, installFirewall, type PublishedPort, publish, removeNetworkRules, unpublish } from './firewall.ts';
import { createImageCatalogue } from './image-catalogue.ts';
import { chooseSubnets, EngineNetwork, embeddedResolver, randomMac, subnetLength } from './networks.ts';
import { startPortProxy } from './port-proxy.ts';
import type { Command, Container, ContainerOptions, CreateContainerOptions, DockerEngine, DockerNetwork, Shell } from './types.ts';

const anyDestination: Readonly<Record<4 | 6, Prefix>> = { 4: prefix('0.0.0.0/0'), 6: prefix('::/0') };

/** What the engine remembers of a listed container beside the container itself. */
interface ContainerRecord {
  readonly container: EngineContainer;
  readonly networkMode: string;
  /** Networks it is on whenever it runs, in the order in which it joined them. */
  readonly joined: Map<EngineNetwork, readonly string[]>;
  readonly published: PublishedPort[];
  readonly sockets: ListeningSocket[];
  stopDns: (() => void) | undefined;
}

/**
 * The docker engine of one machine: containers, networks and the plumbing between them, on the host's own
 * network namespace. Behaviour and error texts follow engine 28 (moby/moby, api/swagger.yaml v1.50).
 */
export class Engine implements DockerEngine {
  readonly network: Network;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly hostNamespace: NetworkNamespace;
  readonly images = createImageCatalogue();
  readonly commands = new Map<string, Command>();
  #shell: Shell | undefined;
  readonly #ids: Random;
  readonly #byId = new Map<string, ContainerRecord>();
  readonly #byName = new Map<string, ContainerRecord>();
  readonly #networks = new Map<string, EngineNetwork>();
  readonly #usersOfNamespace = new Map<NetworkNamespace, Set<EngineContainer>>();
  #lastPid: number;
  /** Of pods' containers, which have no network of their own to set up: the same for all. */
  readonly #unlisted: ContainerSurroundings;

  constructor(options: {
    readonly network: Network;
    readonly clock: SimulatedClock;
    readonly random: Random;
    readonly hostNamespace: NetworkNamespace;
  }) {
    this.network = options.network;
    this.clock = options.clock;
    this.random = options.random;
    this.hostNamespace = options.hostNamespace;
    this.#ids = options.random.stream('docker');
    this.#lastPid = this.#ids.integer(1000, 2000);
    this.#unlisted = {
      clock: this.clock,
      hasTerminal: false,
      nextPid: () => this.#nextPid(),
      attach: () => {},
      detach: () => {},
      sharesNamespace: () => true,
    };
    for (const image of builtinImages) this.images.add(image);
    installFirewall(this.hostNamespace);
    this.createNetwork({ name: 'bridge', subnets: ['172.17.0.0/16'], bridgeName: 'docker0' });
    for (const driver of ['host', 'none'] as const) this.#addNetwork(driver, driver, [], {}, undefined, false, undefined);
  }

  get shell(): Shell {
    if (this.#shell === undefined) throw new Error('the engine has no shell yet: linux/shell.ts sets it');
    return this.#shell;
  }

  set shell(shell: Shell) {
    this.#shell = shell;
  }

  get containers(): readonly Container[] {
    return [...this.#byId.values()].map((record) => record.container);
  }

  get networks(): readonly DockerNetwork[] {
    return [...this.#networks.values()];
  }

  findContainer(reference: string): Container | undefined {
    return this.#find(reference)?.container;
  }

  findNetwork(reference: string): EngineNetwork | undefined {
    const all = [...this.#networks.values()];
    const exact = all.find((network) => network.name === reference || network.id === reference);
    if (exact !== undefined || reference === '') return exact;
    const starting = all.filter((network) => network.id.startsWith(reference));
    return starting.length === 1 ? starting[0] : undefined;
  }

  /** The name given to `--network`, as `HostConfig.NetworkMode` shows it. */
  networkModeOf(container: Container): string {
    return this.#byId.get(container.id)?.networkMode ?? '';
  }

  /** Networks of a container whether it runs or not, with the addresses that were asked for. */
  networksOf(container: Container): ReadonlyMap<EngineNetwork, readonly string[]> {
    return this.#byId.get(container.id)?.joined ?? new Map();
  }

  createContainer(options: CreateContainerOptions): Container {
    const problem = this.images.problemOf(options.image);
    if (problem !== undefined) throw new EngineError(400, problem);
    const { name } = options;
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
      throw new EngineError(400, `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const other = this.#byName.get(name);
    if (other !== undefined) {
      throw new EngineError(
        409,
        `Conflict. The container name "/${name}" is already in use by container "${other.container.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    const mode = options.networkMode === undefined || options.networkMode === 'default' ? 'bridge' : options.networkMode;
    const id = this.#ids.hex(64);
    const joined = new Map<EngineNetwork, readonly string[]>();
    let namespace: NetworkNamespace;
    let networkMode = mode;
    let { hostname } = options;
    const shared = /^container:(.*)$/s.exec(mode)?.[1];
    if (shared !== undefined) {
      const owner = this.#find(shared);
      if (owner === undefined) throw new EngineError(404, `No such container: ${shared}`);
      if (hostname !== undefined) throw new EngineError(400, 'conflicting options: hostname and the network mode');
      if ((options.ports ?? []).length > 0)
        throw new EngineError(400, 'conflicting options: port publishing and the container type network mode');
      namespace = owner.container.namespace;
      networkMode = `container:${owner.container.id}`;
      hostname = owner.container.hostname;
    } else if (mode === 'host') {
      namespace = this.hostNamespace;
    } else {
      if (mode !== 'none') {
        const network = this.findNetwork(mode);
        if (network === undefined) throw new EngineError(404, `network ${mode} not found`);
        joined.set(network, options.ips ?? []);
      }
      namespace = this.network.createNamespace(name);
      // IPv4 settings of a new namespace are those of the host (net.core.devconf_inherit_init_net is 0)
      namespace.setSysctl('net.ipv4.ip_forward', this.hostNamespace.getSysctl('net.ipv4.ip_forward') ?? '1');
    }
    const container = new EngineContainer(
      id,
      this.images.resolve(options.image),
      hostname === undefined ? options : { ...options, hostname },
      namespace,
      {
        clock: this.clock,
        hasTerminal: options.hasTerminal ?? true,
        nextPid: () => this.#nextPid(),
        attach: (starting) => this.#attach(this.#recordOf(starting)),
        detach: (stopped) => this.#detach(this.#recordOf(stopped)),
        sharesNamespace: (asking) =>
          asking.namespace === this.hostNamespace || (this.#usersOfNamespace.get(asking.namespace)?.size ?? 0) > 1,
      },
    );
    const record: ContainerRecord = { container, networkMode, joined, published: [], sockets: [], stopDns: undefined };
    this.#byId.set(id, record);
    this.#byName.set(name, record);
    return container;
  }

  removeContainer(reference: string, options: { readonly force?: boolean } = {}): void {
    const record = this.#find(reference);
    if (record === undefined) throw new EngineError(404, `No such container: ${reference}`);
    const { container } = record;
    if (container.state === 'running' || container.state === 'paused' || container.state === 'restarting') {
      if (options.force !== true) {
        const remedy =
          container.state === 'paused'
            ? 'unpause and then stop the container before removing or force remove'
            : 'stop the container before removing or force remove';
        throw new EngineError(409, `cannot remove container "/${container.name}": container is ${container.state}: ${remedy}`);
      }
      if (container.state === 'restarting') container.stop();
      else container.kill();
    }
    this.#byId.delete(container.id);
    this.#byName.delete(container.name);
    if (container.namespace !== this.hostNamespace && !record.networkMode.startsWith('container:')) container.namespace.delete();
  }

  createNetwork(options: Parameters<DockerEngine['createNetwork']>[0]): EngineNetwork {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(options.name)) {
      throw new EngineError(
        400,
        `invalid name "${options.name}": must only contain letters, numbers, underscores, dots and hyphens, and start with a letter or number`,
      );
    }
    if ([...this.#networks.values()].some((network) => network.name === options.name)) {
      throw new EngineError(409, `network with name ${options.name} already exists`);
    }
    const subnets = chooseSubnets(options, this.networks, this.hostNamespace, this.#ids);
    return this.#addNetwork(
      options.name,
      'bridge',
      subnets,
      options.labels ?? {},
      options.bridgeName,
      options.masquerade ?? true,
      options.mtu,
    );
  }

  removeNetwork(reference: string): void {
    const network = this.findNetwork(reference);
    if (network === undefined) throw new EngineError(404, `network ${reference} not found`);
    if (['bridge', 'host', 'none'].includes(network.name))
      throw new EngineError(403, `${network.name} is a pre-defined network and cannot be removed`);
    if (network.members.size > 0) {
      const active = [...network.members.values()].map(
        ({ container }) => `name:"${container.name}" id:"${endpointId(network, container).slice(0, 12)}"`,
      );
      throw new EngineError(403, `error while removing network: network ${network.name} has active endpoints (${active.join(', ')})`);
    }
    removeNetworkRules(this.hostNamespace, network);
    network.bridge?.delete();
    this.#networks.delete(network.id);
    for (const record of this.#byId.values()) record.joined.delete(network);
  }

  connect(network: DockerNetwork, container: Container, options: { readonly ips?: readonly string[] } = {}): void {
    const record = this.#recordOf(container);
    const joining = this.#networkOf(network);
    if (record.networkMode.startsWith('container:'))
      throw new EngineError(
        409,
        'container sharing network namespace with another container or host cannot be connected to any other network',
      );
    if (record.networkMode === 'host' || joining.driver === 'host')
      throw new EngineError(403, 'container cannot be connected to host network');
    if (record.joined.has(joining)) {
      throw new EngineError(403, `endpoint with name ${container.name} already exists in network ${joining.name}`);
    }
    record.joined.set(joining, options.ips ?? []);
    if (container.state !== 'running' && container.state !== 'paused') return;
    try {
      this.#plug(record, joining);
    } catch (error) {
      record.joined.delete(joining);
      throw error;
    }
    this.#configureNames(record);
  }

  disconnect(network: DockerNetwork, container: Container): void {
    const record = this.#recordOf(container);
    const leaving = this.#networkOf(network);
    if (!record.joined.delete(leaving)) throw new EngineError(403, `container ${container.id} is not connected to network ${leaving.name}`);
    this.#unplug(record, leaving);
    if (container.state === 'running' || container.state === 'paused') {
      this.#setDefaultRoutes(record);
      this.#configureNames(record);
    }
  }

  createUnlisted(options: ContainerOptions, namespace: NetworkNamespace): Container {
    const surroundings = options.hasTerminal === true ? { ...this.#unlisted, hasTerminal: true } : this.#unlisted;
    return new EngineContainer(this.#ids.hex(64), this.images.resolve(options.image), options, namespace, surroundings);
  }

  #find(reference: string): ContainerRecord | undefined {
    const name = reference.replace(/^\//, '');
    const exact = this.#byId.get(reference) ?? this.#byName.get(name);
    if (exact !== undefined || !/^[0-9a-f]+$/.test(reference)) return exact;
    const starting = [...this.#byId.values()].filter((record) => record.container.id.startsWith(reference));
    return starting.length === 1 ? starting[0] : undefined;
  }

  #recordOf(container: Container): ContainerRecord {
    const record = this.#byId.get(container.id);
    if (record === undefined) throw new EngineError(404, `No such container: ${container.name}`);
    return record;
  }

  #networkOf(network: DockerNetwork): EngineNetwork {
    const found = this.#networks.get(network.id);
    if (found === undefined) throw new EngineError(404, `network ${network.name} not found`);
    return found;
  }

  #nextPid(): number {
    this.#lastPid += this.#ids.integer(20, 150);
    return this.#lastPid;
  }

  #addNetwork(
    name: string,
    driver: 'bridge' | 'host' | 'none',
    subnets: DockerNetwork['subnets'],
    labels: Readonly<Record<string, string>>,
    bridgeName: string | undefined,
    isMasqueraded: boolean,
    mtu: number | undefined,
  ): EngineNetwork {
    const id = this.#ids.hex(64);
    const host = this.hostNamespace;
    let bridge: EngineNetwork['bridge'];
    if (driver === 'bridge') {
      bridge = host.addInterface({
        name: bridgeName ?? `br-${id.slice(0, 12)}`,
        kind: 'bridge',
        mac: randomMac(this.#ids),
        ...(mtu === undefined ? {} : { mtu }),
      });
      bridge.setUp();
      for (const { prefix: subnet, gateway } of subnets) {
        bridge.addAddress(gateway, subnet.length, { noDad: true });
        if (subnet.family === 6) for (const scope of ['all', 'default']) host.setSysctl(`net.ipv6.conf.${scope}.forwarding`, '1');
      }
    }
    const network = new EngineNetwork({ id, name, driver, subnets, labels, bridge, createdAt: this.clock.now(), isMasqueraded, mtu });
    this.#networks.set(id, network);
    addNetworkRules(host, network);
    return network;
  }

  #attach(record: ContainerRecord): void {
    const { container, networkMode } = record;
    const ownerId = /^container:(.*)$/.exec(networkMode)?.[1];
    if (ownerId !== undefined) {
      const owner = this.#byId.get(ownerId);
      if (owner === undefined) throw new EngineError(404, `No such container: ${ownerId}`);
      if (owner.container.state !== 'running') throw new EngineError(409, `cannot join network of a non running container: ${ownerId}`);
    }
    this.#usersOf(container.namespace).add(container);
    const plugged: EngineNetwork[] = [];
    try {
      for (const network of record.joined.keys()) {
        this.#plug(record, network);
        plugged.push(network);
      }
    } catch (error) {
      for (const network of plugged) this.#unplug(record, network);
      this.#usersOf(container.namespace).delete(container);
      throw error;
    }
    if (record.joined.size > 0) this.#configureNames(record);
  }

  #detach(record: ContainerRecord): void {
    const { container, networkMode } = record;
    for (const network of record.joined.keys()) this.#unplug(record, network);
    record.stopDns?.();
    record.stopDns = undefined;
    this.#usersOf(container.namespace).delete(container);
    if (container.namespace === this.hostNamespace || networkMode.startsWith('container:')) return;
    emptyNamespace(container.namespace);
  }

  #usersOf(namespace: NetworkNamespace): Set<EngineContainer> {
    let users = this.#usersOfNamespace.get(namespace);
    if (users === undefined) {
      users = new Set();
      this.#usersOfNamespace.set(namespace, users);
    }
    return users;
  }

  /** A veth pair between the network's bridge and the container, with addresses. */
  #plug(record: ContainerRecord, network: EngineNetwork): void {
    const { container } = record;
    const { bridge } = network;
    if (bridge === undefined) return;
    const { namespace } = container;
    const ips = network.allocate(record.joined.get(network) ?? []);
    const ipv4 = ips.find((address) => address.family === 4);
    const mac = ipv4 === undefined ? randomMac(this.#ids) : macOfIpv4(ipv4);
    let number = 0;
    while (namespace.getInterface(`eth${number}`) !== undefined) number++;
    const [hostEnd, device] = this.network.createVeth(
      {
        namespace: this.hostNamespace,
        name: `veth${this.#ids.hex(7)}`,
        txQueueLength: 0,
        ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
      },
      {
        namespace: this.hostNamespace,
        name: `veth${this.#ids.hex(7)}`,
        mac,
        txQueueLength: 0,
        ...(network.mtu === undefined ? {} : { mtu: network.mtu }),
      },
    );
    // Made on the host and moved, as libnetwork did before Docker 28: the interface keeps its high index in the container.
    device.moveTo(namespace);
    device.rename(`eth${number}`);
    hostEnd.setMaster(bridge);
    hostEnd.setUp();
    // an interface without an IPv6 address gets no link-local one either
    namespace.setSysctl(`net.ipv6.conf.${device.name}.disable_ipv6`, network.hasFamily(6) ? '0' : '1');
    device.setUp();
    for (const address of ips) device.addAddress(address, subnetLength(network, address), { noDad: true });
    network.members.set(container.id, { container, ips, mac, device });
    this.#setDefaultRoutes(record);
    if (record.published.length === 0) this.#publishPorts(record, network, ips);
  }

  #unplug(record: ContainerRecord, network: EngineNetwork): void {
    const member = network.members.get(record.container.id);
    if (member === undefined) return;
    network.members.delete(record.container.id);
    network.release(member.ips);
    const gone = record.published.filter((port) => port.bridge === network.bridge?.name);
    for (const port of gone) unpublish(this.hostNamespace, port);
    if (gone.length > 0) {
      record.published.length = 0;
      for (const socket of record.sockets.splice(0)) socket.close();
    }
    member.device.delete();
  }

  /** Default routes by the gateway of the first network that has one, per family. */
  #setDefaultRoutes(record: ContainerRecord): void {
    const { container, joined } = record;
    const { routes } = container.namespace;
    for (const family of [4, 6] as const) {
      for (const network of joined.keys()) {
        const member = network.members.get(container.id);
        const gateway = network.subnets.find((subnet) => subnet.prefix.family === family)?.gateway;
        if (member === undefined || gateway === undefined) continue;
        const destination = anyDestination[family];
        const hasOne = routes.list({ family, table: 254 }).some((route) => route.destination === destination);
        // docker writes it as `ip route add default via` without a protocol
        if (!hasOne) routes.add({ destination, nextHops: [{ via: gateway, device: member.device.name }], protocol: 'boot' });
        break;
      }
    }
  }

  #publishPorts(record: ContainerRecord, network: EngineNetwork, ips: readonly Ip[]): void {
    const { container } = record;
    const ipv4 = ips.find((address) => address.family === 4);
    if (network.bridge === undefined || ipv4 === undefined) return;
    for (const port of container.options.ports ?? []) {
      const bound = port.hostIp === undefined || port.hostIp === '' || port.hostIp === '0.0.0.0' ? undefined : parseIp(port.hostIp);
      const published: PublishedPort = {
        hostAddresses: bound === undefined ? hostAddresses(this.hostNamespace, 4) : [bound],
        hostPort: port.hostPort,
        container: ipv4,
        containerPort: port.containerPort,
        protocol: port.protocol,
        bridge: network.bridge.name,
      };
      const taken = [...this.#byId.values()].some((other) =>
        other.published.some(
          (existing) =>
            existing.hostPort === port.hostPort &&
            existing.protocol === port.protocol &&
            existing.hostAddresses.some((address) => published.hostAddresses.includes(address)),
        ),
      );
      if (taken) {
        const at = `${port.hostIp ?? '0.0.0.0'}:${port.hostPort}`;
        throw new EngineError(
          500,
          `failed to set up container networking: driver failed programming external connectivity on endpoint ${container.name} (${endpointId(network, container)}): Bind for ${at} failed: port is already allocated`,
        );
      }
      publish(this.hostNamespace, published);
      record.published.push(published);
      if (port.protocol === 'tcp')
        record.sockets.push(startPortProxy(this.hostNamespace, { ...published, ...(bound === undefined ? {} : { ip: bound }) }));
    }
  }

  /** `/etc/hosts`, and the name servers: docker's own on user-defined networks, those of the host otherwise. */
  #configureNames(record: ContainerRecord): void {
    const { container, joined } = record;
    const { namespace } = container;
    const own: Ip[] = [];
    let hasUserNetwork = false;
    for (const network of joined.keys()) {
      own.push(...(network.members.get(container.id)?.ips ?? []));
      hasUserNetwork ||= network.isUserDefined;
    }
    namespace.hosts.set(container.hostname, own);
    if (hasUserNetwork) {
      namespace.resolver.nameservers = [embeddedResolver];
      record.stopDns ??= startEmbeddedDns(container, this);
    } else {
      namespace.resolver.nameservers = [...this.hostNamespace.resolver.nameservers];
    }
  }
}

/** What is left when the last process of a network namespace has gone: nothing but a loopback interface. */
function emptyNamespace(namespace: NetworkNamespace): void {
  for (const device of [...namespace.interfaces]) {
    if (device.kind !== 'loopback') device.delete();
    else for (const { ip, prefixLength } of [...device.addresses]) if (!isLoopback(ip)) device.removeAddress(ip, prefixLength);
  }
  for (const route of namespace.routes.list()) {
    if (route.type === 'blackhole' || route.type === 'unreachable' || route.type === 'prohibit') namespace.routes.delete(route);
  }
  for (const family of [4, 6] as const) {
    for (const table of ['filter', 'nat', 'mangle', 'raw'] as const) namespace.netfilter.flush(family, table);
  }
}

/** Seeded like all ids, by what the endpoint connects. */
export function endpointId(network: DockerNetwork, container: Container): string {
  let id = '';
  for (let index = 0; index < 64; index++) {
    id += ((Number.parseInt(network.id[index] as string, 16) ^ Number.parseInt(container.id[63 - index] as string, 16)) & 15).toString(16);
  }
  return id;
}

/** The engine of the machine whose network namespace is `hostNamespace`, with the networks bridge, host and none. */
export function createEngine(options: {
  readonly network: Network;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly hostNamespace: NetworkNamespace;
}): Engine {
  return new Engine(options);
}
