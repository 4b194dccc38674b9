import type { Endpoints, Pod } from '../../../kubernetes/objects.ts';
import { keyOf } from '../../../kubernetes/objects.ts';
import type { ApiClient, KubernetesObject } from '../../../kubernetes/types.ts';
import { parseIp, parsePrefix } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import { type CiliumNode, resources } from '../../objects.ts';
import type { AgentContext } from '../../types.ts';
import type { EgressEndpoint } from './egress-gateway.ts';
import { addressesOf, type CiliumEndpointObject, endpointResource, workloadOf } from './endpoint-objects.ts';
import { ClusterIdentities } from './identities.ts';
import { labelsOfIdentity, reserved, reservedIdentity } from './identity.ts';
import type { ClusterAddresses, IpcacheEntry, NodeAddress } from './ipcache.ts';
import { NamedPorts } from './named-ports.ts';
import { ClusterServices } from './service-tables.ts';

/** A node of the cluster as its CiliumNode tells. */
export interface ClusterNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internalIps: readonly Ip[];
  readonly routerIps: readonly Ip[];
  readonly healthIps: readonly Ip[];
  readonly podCidrs: readonly Prefix[];
}

export function readClusterNode(object: CiliumNode): ClusterNode {
  const ofType = (type: string): Ip[] =>
    (object.spec?.addresses ?? []).filter((address) => address.type === type).flatMap((address) => parseIp(address.ip) ?? []);
  const health = object.spec?.health;
  const healthIps = isRecord(health)
    ? [health.ipv4, health.ipv6].flatMap((text) => (typeof text === 'string' ? (parseIp(text) ?? []) : []))
    : [];
  return {
    name: object.metadata.name,
    labels: object.metadata.labels ?? {},
    internalIps: ofType('InternalIP'),
    routerIps: ofType('CiliumInternalIP'),
    healthIps,
    podCidrs: [
      ...(object.spec?.ipam?.podCIDRs ?? []),
      ...(object.spec?.ipam?.pools?.allocated ?? []).flatMap(({ cidrs = [] }) => cidrs),
    ].flatMap((text) => parsePrefix(text) ?? []),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const views = new WeakMap<ApiClient, ClusterView>();

/**
 * What the API tells all agents of a cluster alike: nodes, endpoints, identities, services. Each agent of a real cluster keeps a copy;
 * here it is learned once, and each node's maps are this and what the node itself adds. An agent that ends leaves its node a snapshot.
 */
export class ClusterView {
  readonly endpoints = new Map<string, EgressEndpoint>();
  readonly namedPorts = new NamedPorts();
  readonly identities: ClusterIdentities;
  readonly services: ClusterServices;
  readonly #api: ApiClient;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #nodeAddresses = new Map<Ip, NodeAddress>();
  readonly #endpointAddresses = new Map<Ip, IpcacheEntry>();
  readonly #ofNode = new Map<string, readonly (readonly [Ip, NodeAddress])[]>();
  readonly #ofEndpoint = new Map<string, readonly (readonly [Ip, IpcacheEntry])[]>();
  readonly #listeners = new Set<() => void>();
  readonly #nodeListeners = new Set<(node: ClusterNode | undefined, name: string) => void>();
  readonly #stops: (() => void)[] = [];
  #apiServerIps: ReadonlySet<Ip> = new Set();
  #sorted: readonly ClusterNode[] | undefined;
  #snapshot: ClusterAddresses | undefined;
  #agents = 0;

  private constructor({ api, clock }: AgentContext) {
    this.#api = api;
    this.identities = new ClusterIdentities(api);
    this.services = new ClusterServices(api, clock);
    this.#follow<CiliumNode>(resources.node, ({ type, object }) => {
      if (type === 'DELETED') this.#removeNode(object.metadata.name);
      else this.learnNode(object);
      this.#tell();
    });
    const learnServer = ({ type, object }: { readonly type: string; readonly object: Endpoints }): void => {
      if (object.metadata.namespace === 'default') this.#setApiServer(type === 'DELETED' ? undefined : object);
    };
    this.#stops.push(api.watch<Endpoints>('endpoints', learnServer, { name: 'kubernetes' }));
    this.#setApiServer(api.get<Endpoints>('endpoints', 'kubernetes', 'default'));
    this.#stops.push(this.identities.start(), this.services.start());
    this.#follow<CiliumEndpointObject>(endpointResource, ({ type, object }) => this.#learnEndpoint(type === 'DELETED', object));
  }

  /** For as long as an agent runs: {@link leave} ends it. */
  static join(context: AgentContext): ClusterView {
    const view = views.get(context.api) ?? new ClusterView(context);
    views.set(context.api, view);
    view.#agents++;
    return view;
  }

  leave(): void {
    if (--this.#agents > 0) return;
    views.delete(this.#api);
    for (const stop of this.#stops) stop();
  }

  /** Tells of changes of nodes and endpoints. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onNode(listener: (node: ClusterNode | undefined, name: string) => void): () => void {
    this.#nodeListeners.add(listener);
    return () => this.#nodeListeners.delete(listener);
  }

  node(name: string): ClusterNode | undefined {
    return this.#nodes.get(name);
  }

  /** By name. */
  get nodes(): readonly ClusterNode[] {
    this.#sorted ??= [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  get addresses(): ClusterAddresses {
    return { nodes: this.#nodeAddresses, endpoints: this.#endpointAddresses };
  }

  /** The addresses as they are now, and stay: one copy for all that ask before the next change. */
  snapshot(): ClusterAddresses {
    this.#snapshot ??= { nodes: new Map(this.#nodeAddresses), endpoints: new Map(this.#endpointAddresses) };
    return this.#snapshot;
  }

  #follow<T extends KubernetesObject>(
    resource: string,
    listener: (event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }) => void,
  ): void {
    this.#stops.push(this.#api.watch<T>(resource, listener));
    for (const object of this.#api.list<T>(resource)) listener({ type: 'ADDED', object });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  // ── nodes ───────────────────────────────────────────────────────────────────────────────────────────────

  learnNode(object: CiliumNode): void {
    const node = readClusterNode(object);
    this.#nodes.set(node.name, node);
    this.#sorted = undefined;
    this.#applyNode(node);
    for (const listener of this.#nodeListeners) listener(node, node.name);
  }

  #removeNode(name: string): void {
    this.#nodes.delete(name);
    this.#sorted = undefined;
    this.#snapshot = undefined;
    for (const [address, entry] of this.#ofNode.get(name) ?? [])
      if (this.#nodeAddresses.get(address) === entry) this.#nodeAddresses.delete(address);
    this.#ofNode.delete(name);
    for (const listener of this.#nodeListeners) listener(undefined, name);
  }

  /** Identity of the API server's addresses: those behind the Service `default/kubernetes`. */
  #setApiServer(endpoints: Endpoints | undefined): void {
    this.#apiServerIps = new Set(
      (endpoints?.subsets ?? []).flatMap((subset) => (subset.addresses ?? []).flatMap((address) => parseIp(address.ip) ?? [])),
    );
    for (const node of this.#nodes.values()) this.#applyNode(node);
  }

  #applyNode(node: ClusterNode): void {
    this.#snapshot = undefined;
    for (const [address, entry] of this.#ofNode.get(node.name) ?? [])
      if (this.#nodeAddresses.get(address) === entry) this.#nodeAddresses.delete(address);
    const entries: (readonly [Ip, NodeAddress])[] = [];
    const tunnelEnd = node.internalIps.find((address) => address.family === 4) ?? node.internalIps[0];
    const host: IpcacheEntry = { identity: reservedIdentity(reserved.host), nodeIp: undefined };
    const add = (address: Ip, identity: number, nodeIp: Ip | undefined, toItself: IpcacheEntry | undefined): void => {
      const entry: NodeAddress = { node: node.name, toItself, toOthers: { identity: reservedIdentity(identity), nodeIp } };
      entries.push([address, entry]);
      this.#nodeAddresses.set(address, entry);
    };
    for (const address of node.internalIps)
      add(address, this.#apiServerIps.has(address) ? reserved.kubeApiserver : reserved.remoteNode, undefined, host);
    for (const address of node.routerIps) add(address, reserved.remoteNode, tunnelEnd, host);
    // The node's own is one of its endpoints.
    for (const address of node.healthIps) add(address, reserved.health, tunnelEnd, undefined);
    this.#ofNode.set(node.name, entries);
  }

  // ── endpoints ───────────────────────────────────────────────────────────────────────────────────────────

  #learnEndpoint(isGone: boolean, object: CiliumEndpointObject): void {
    const key = keyOf(object);
    this.#snapshot = undefined;
    for (const [address, entry] of this.#ofEndpoint.get(key) ?? [])
      if (this.#endpointAddresses.get(address) === entry) this.#endpointAddresses.delete(address);
    this.#ofEndpoint.delete(key);
    const identity = object.status?.identity;
    if (isGone || identity === undefined) {
      this.namedPorts.set(key, []);
      if (this.endpoints.delete(key)) this.#tell();
      return;
    }
    const ips = addressesOf(object);
    const labels = identity.labels ?? this.identities.get(identity.id)?.labels ?? [];
    const nodeText = object.status?.networking?.node;
    // As the endpoint's own node wrote it: its CiliumNode may come later than its endpoints.
    const nodeIp = nodeText === undefined ? undefined : parseIp(nodeText);
    const pod = this.#api.get<Pod>('pods', object.metadata.name, object.metadata.namespace);
    const entry: IpcacheEntry = {
      identity: { id: identity.id, labels },
      nodeIp,
      namespace: object.metadata.namespace ?? 'default',
      podName: object.metadata.name,
      ...(pod === undefined ? {} : { workload: workloadOf(pod) }),
    };
    const entries = ips.map((address) => [address, entry] as const);
    for (const [address] of entries) this.#endpointAddresses.set(address, entry);
    this.#ofEndpoint.set(key, entries);
    this.namedPorts.set(key, object.status?.['named-ports'] ?? []);
    this.endpoints.set(key, { uid: object.metadata.uid, labels: labelsOfIdentity(labels), ips, nodeIp });
    this.#tell();
  }
}
