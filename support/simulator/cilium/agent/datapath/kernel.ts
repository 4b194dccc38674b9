import type { SimulatedClock } from '../../../clock/clock.ts';
import type { Random } from '../../../clock/random.ts';
import type { KubeNode } from '../../../kubernetes/types.ts';
import type { Family, Ip, NetworkInterface, NetworkNamespace, Prefix } from '../../../net/types.ts';
import type { CiliumVersion, Identity } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import type { ClusterView } from './cluster-view.ts';
import type { DatapathConfig } from './config.ts';
import { Conntrack } from './conntrack.ts';
import { EgressMap } from './egress-gateway.ts';
import type { FlowRing } from './flows.ts';
import { Ipcache, type IpcacheEntry } from './ipcache.ts';
import { NamedPorts } from './named-ports.ts';
import { NatTable, ServiceConnections } from './nat.ts';
import type { EndpointPolicy, ServicePeer } from './policy.ts';
import { PolicyCounters } from './policy-counters.ts';
import { ServiceTable } from './service-tables.ts';
import { AffinityTable } from './services.ts';

/** An endpoint of this node: a pod's interface pair and what the datapath knows of it. */
export interface LocalEndpoint {
  readonly id: number;
  readonly kind: 'pod' | 'health';
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly containerId: string;
  readonly ips: readonly Ip[];
  /** `lxc…`, on the node. */
  readonly device: NetworkInterface;
  /** `eth0`, in the pod. */
  readonly inside: NetworkInterface;
  readonly namespace: NetworkNamespace;
  identity: Identity;
  entry: IpcacheEntry;
  policy: EndpointPolicy | undefined;
  /** Pod's name in the API may come again with another uid. */
  readonly createdAt: number;
}

/**
 * What Cilium leaves in the kernel of one node: its maps, and the programs that read them. It outlives the agent:
 * while no agent runs, packets are still forwarded by the last known state, and nobody records flows.
 */
export class Kernel {
  readonly node: KubeNode;
  readonly clock: SimulatedClock;
  readonly random: Random;
  version: CiliumVersion;
  readonly endpoints = new Map<Ip, LocalEndpoint>();
  readonly endpointById = new Map<number, LocalEndpoint>();
  readonly endpointByNamespace = new Map<NetworkNamespace, LocalEndpoint>();
  readonly ipcache: Ipcache;
  readonly services: ServiceTable;
  readonly affinity = new AffinityTable();
  readonly conntrack: Conntrack;
  readonly nat: NatTable;
  readonly serviceConnections = new ServiceConnections();
  readonly egress = new EgressMap();
  /** What the entries of the endpoints' policy maps have seen. */
  readonly policyCounters = new PolicyCounters();
  /** Ports with a name, of this node's pods and, while an agent runs, of every pod in the cluster. */
  readonly namedPorts = new NamedPorts();
  /** Whether an address is a backend of a service that a policy names; the agent that runs now knows. */
  isBackendOf: ((service: ServicePeer, address: Ip) => boolean) | undefined;
  config: DatapathConfig;
  /** The node's own InternalIPs. */
  internalIps: ReadonlySet<Ip> = new Set();
  /** Router addresses, on `cilium_host`. */
  routerIps: readonly Ip[] = [];
  podCidrs: readonly Prefix[] = [];
  devices: readonly NetworkInterface[] = [];
  hostDevice: NetworkInterface | undefined;
  tunnelDevice: NetworkInterface | undefined;
  /** Of the agent that runs now; undefined: nobody reads the monitor. */
  flows: FlowRing | undefined;
  /** Answers the CNI plug-in: the agent that runs now. */
  agent: object | undefined;

  constructor(node: KubeNode, clock: SimulatedClock, random: Random, config: DatapathConfig, version: CiliumVersion) {
    this.node = node;
    this.clock = clock;
    this.random = random;
    this.config = config;
    this.version = version;
    const families: Family[] = [...(config.hasIpv4 ? [4 as const] : []), ...(config.hasIpv6 ? [6 as const] : [])];
    this.ipcache = new Ipcache(node.name, config.hasIpv4 && config.hasIpv6);
    this.services = new ServiceTable(node.name, families, config.replacesKubeProxy);
    this.services.knowsWishes = () => isAtLeast(this.version, 17);
    this.conntrack = new Conntrack(config);
    this.nat = new NatTable(random.stream('nat'));
  }

  get namespace(): NetworkNamespace {
    return this.node.namespace;
  }

  podCidr(family: Family): Prefix | undefined {
    return this.podCidrs.find((cidr) => cidr.family === family);
  }

  /** The address that a device gives to what it masquerades: its first global one of the family. */
  addressOf(device: NetworkInterface, family: Family): Ip | undefined {
    return device.addresses.find((address) => address.ip.family === family && address.scope === 'global')?.ip;
  }

  addEndpoint(endpoint: LocalEndpoint): void {
    this.endpointById.set(endpoint.id, endpoint);
    this.endpointByNamespace.set(endpoint.namespace, endpoint);
    for (const address of endpoint.ips) {
      this.endpoints.set(address, endpoint);
      this.ipcache.set(address, endpoint.entry);
    }
  }

  removeEndpoint(endpoint: LocalEndpoint): void {
    this.endpointById.delete(endpoint.id);
    if (endpoint.kind === 'pod') this.namedPorts.set(`${endpoint.podNamespace}/${endpoint.podName}`, []);
    this.endpointByNamespace.delete(endpoint.namespace);
    this.policyCounters.forget(endpoint.id);
    for (const address of endpoint.ips) {
      if (this.endpoints.get(address) === endpoint) this.endpoints.delete(address);
      this.ipcache.delete(address, endpoint.entry);
    }
  }

  /** From now on an agent keeps the maps, which the cluster tells. */
  attach(view: ClusterView): void {
    this.ipcache.cluster = view.addresses;
    this.namedPorts.cluster = view.namedPorts;
    this.services.attach(view.services, () => view.node(this.node.name)?.labels ?? {});
  }

  /** The agent is gone: what it knew stays. */
  detach(view: ClusterView): void {
    this.ipcache.cluster = view.snapshot();
    this.services.detach();
  }

  setIdentity(endpoint: LocalEndpoint, identity: Identity): void {
    endpoint.identity = identity;
    const entry: IpcacheEntry = { ...endpoint.entry, identity };
    for (const address of endpoint.ips) this.ipcache.set(address, entry);
    endpoint.entry = entry;
  }
}

const kernels = new WeakMap<NetworkNamespace, Kernel>();

/** The state that an earlier agent left on the node, or fresh one. Another configuration is compiled anew by each agent. */
export function kernelOf(namespace: NetworkNamespace, config: DatapathConfig, create: () => Kernel): Kernel {
  const known = kernels.get(namespace);
  // Families and the kube-proxy replacement decide which maps there are: with others, the maps are made anew.
  if (
    known !== undefined &&
    known.config.hasIpv4 === config.hasIpv4 &&
    known.config.hasIpv6 === config.hasIpv6 &&
    known.config.replacesKubeProxy === config.replacesKubeProxy
  ) {
    known.config = config;
    return known;
  }
  const made = create();
  if (known !== undefined) {
    for (const endpoint of known.endpointById.values()) made.addEndpoint(endpoint);
    made.hostDevice = known.hostDevice;
    made.tunnelDevice = known.tunnelDevice;
    made.routerIps = known.routerIps;
    made.podCidrs = known.podCidrs;
  }
  kernels.set(namespace, made);
  return made;
}
