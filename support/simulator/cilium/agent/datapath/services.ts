import type { EndpointSlice, Service } from '../../../kubernetes/objects.ts';
import { contains, ip, prefix } from '../../../net/address.ts';
import type { Family, Ip } from '../../../net/types.ts';

export type ServiceProtocol = 'tcp' | 'udp';

export interface Backend {
  readonly ip: Ip;
  readonly port: number;
  readonly nodeName: string | undefined;
  readonly isTerminating: boolean;
}

export type FrontendType = 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalIPs' | 'HostPort';

/** One service port of one family: what the frontends of a Service share. */
export interface ServicePortEntry {
  readonly namespace: string;
  readonly name: string;
  readonly portName: string;
  readonly protocol: ServiceProtocol;
  readonly family: Family;
  readonly externalPolicy: 'Cluster' | 'Local';
  readonly internalPolicy: 'Cluster' | 'Local';
  /** Undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
  readonly sourceRanges: readonly string[];
  /** What an annotation of Cilium's asks for (1.17+). */
  readonly wishes?: ServiceWishes;
  /** All that may serve now: the ready ones, else those that end but still serve. */
  readonly backends: readonly Backend[];
  /** Those of this node. */
  readonly localBackends: readonly Backend[];
}

export interface Frontend {
  readonly id: number;
  readonly type: FrontendType;
  /** Undefined for a NodePort: every address of the node. */
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly entry: ServicePortEntry;
  /** A host port of the loopback address: for the node's own processes. */
  readonly isLoopbackOnly?: boolean;
}

/** Annotations under `service.cilium.io/` that change what an agent makes of a service, since 1.17. */
export interface ServiceWishes {
  /** The one kind of frontends that is wanted (`type`). */
  readonly type: string | undefined;
  /** Nodes with this value of the label of the same name (`node`). */
  readonly node: string | undefined;
  /** Clients of the source ranges are those that are kept out (`src-ranges-policy: deny`). */
  readonly deniesRanges: boolean;
}

const exposures: Readonly<Record<string, FrontendType>> = { ClusterIP: 'ClusterIP', NodePort: 'NodePort', LoadBalancer: 'LoadBalancer' };

export function wishesOf({ metadata: { annotations = {} } }: Service): ServiceWishes | undefined {
  const type = annotations['service.cilium.io/type'];
  const node = annotations['service.cilium.io/node'];
  const deniesRanges = annotations['service.cilium.io/src-ranges-policy']?.toLowerCase() === 'deny';
  // An unknown type is ignored, with a warning in the log.
  const known = type !== undefined && exposures[type] !== undefined ? type : undefined;
  return known === undefined && node === undefined && !deniesRanges ? undefined : { type: known, node, deniesRanges };
}

/** Whether a frontend is wanted on a node with these labels; external addresses have no type of their own to be left out. */
export function isWished(
  wishes: ServiceWishes | undefined,
  type: FrontendType,
  nodeLabels: () => Readonly<Record<string, string>>,
): boolean {
  if (wishes === undefined) return true;
  if (wishes.node !== undefined && nodeLabels()['service.cilium.io/node'] !== wishes.node) return false;
  return wishes.type === undefined || type === 'ExternalIPs' || exposures[wishes.type] === type;
}

/** Whether `loadBalancerSourceRanges` let a client in. */
export function admits({ sourceRanges, wishes }: ServicePortEntry, client: Ip): boolean {
  if (sourceRanges.length === 0) return true;
  return sourceRanges.some((range) => contains(prefix(range), client)) !== (wishes?.deniesRanges === true);
}

/** Backends of one service port and family, from its slices: ready ones, else serving ones that terminate (KEP-1669). */
export function backendsOf(
  slices: readonly EndpointSlice[],
  port: { readonly name: string; readonly protocol: ServiceProtocol },
  family: Family,
): Backend[] {
  const ready = new Map<string, Backend>();
  const terminating = new Map<string, Backend>();
  const type = family === 4 ? 'IPv4' : 'IPv6';
  for (const slice of slices) {
    if (slice.addressType !== type) continue;
    for (const target of slice.ports ?? []) {
      if ((target.name ?? '') !== port.name || (target.protocol ?? 'TCP').toLowerCase() !== port.protocol || target.port === undefined)
        continue;
      for (const endpoint of slice.endpoints ?? []) {
        const isTerminating = endpoint.conditions?.terminating === true;
        const isReady = endpoint.conditions?.ready ?? true;
        const isServing = endpoint.conditions?.serving ?? isReady;
        const into = isReady && !isTerminating ? ready : isServing && isTerminating ? terminating : undefined;
        if (into === undefined) continue;
        for (const address of endpoint.addresses) {
          const backend: Backend = { ip: ip(address), port: target.port, nodeName: endpoint.nodeName, isTerminating };
          into.set(`${backend.ip.text} ${backend.port}`, backend);
        }
      }
    }
  }
  const chosen = ready.size > 0 ? ready : terminating;
  return [...chosen.values()].sort((a, b) => (a.ip.value < b.ip.value ? -1 : a.ip.value > b.ip.value ? 1 : a.port - b.port));
}

interface FrontendAddress {
  readonly type: FrontendType;
  readonly ip: Ip | undefined;
  readonly port: number;
}

/** The addresses under which a service port is found, for one family. */
export function frontendAddresses(
  service: Service,
  port: { readonly port: number; readonly nodePort?: number },
  family: Family,
  isExternalEnabled: boolean,
): FrontendAddress[] {
  const { spec } = service;
  const found: FrontendAddress[] = [];
  const add = (type: FrontendType, text: string | undefined): void => {
    if (text === undefined || text === '' || text === 'None') return;
    const address = ip(text);
    if (address.family === family) found.push({ type, ip: address, port: port.port });
  };
  for (const address of spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])) add('ClusterIP', address);
  if (!isExternalEnabled) return found;
  const families = spec.ipFamilies;
  const hasFamily = families === undefined || families.includes(family === 4 ? 'IPv4' : 'IPv6');
  if ((spec.type === 'NodePort' || spec.type === 'LoadBalancer') && port.nodePort !== undefined && port.nodePort > 0 && hasFamily) {
    found.push({ type: 'NodePort', ip: undefined, port: port.nodePort });
  }
  if (spec.type === 'LoadBalancer') for (const ingress of service.status?.loadBalancer?.ingress ?? []) add('LoadBalancer', ingress.ip);
  for (const address of spec.externalIPs ?? []) add('ExternalIPs', address);
  return found;
}

/**
 * The backends that a client may be sent to. `internal`: from a pod or a node's own process (socket load balancing),
 * where `externalTrafficPolicy` does not count; `external`: a packet that came in through a device.
 */
export function eligibleBackends(frontend: Frontend, from: 'internal' | 'external'): readonly Backend[] {
  const { entry, type } = frontend;
  const policy = type === 'ClusterIP' ? entry.internalPolicy : from === 'external' ? entry.externalPolicy : 'Cluster';
  return policy === 'Local' ? entry.localBackends : entry.backends;
}

/** A consistent choice by the packet's addresses and ports, spread evenly (Maglev's purpose; its permutation table is not modelled). */
export function maglevIndex(tuple: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < tuple.length; index++) hash = Math.imul(hash ^ tuple.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return (hash >>> 0) % count;
}

/** Which backend a client of a service with session affinity was sent to (`cilium_lb4_affinity`). */
export class AffinityTable {
  readonly #entries = new Map<string, { readonly backend: string; usedAt: number }>();

  choose(frontend: Frontend, client: string, backends: readonly Backend[], now: number, pick: () => Backend): Backend {
    const seconds = frontend.entry.affinitySeconds;
    if (seconds === undefined) return pick();
    const key = `${frontend.entry.namespace}/${frontend.entry.name} ${frontend.id} ${client}`;
    const known = this.#entries.get(key);
    if (known !== undefined && now - known.usedAt <= seconds * 1000) {
      const backend = backends.find((candidate) => backendKey(candidate) === known.backend);
      if (backend !== undefined) {
        known.usedAt = now;
        return backend;
      }
    }
    const backend = pick();
    this.#entries.set(key, { backend: backendKey(backend), usedAt: now });
    return backend;
  }
}

function backendKey(backend: Backend): string {
  return `${backend.ip.text} ${backend.port}`;
}
