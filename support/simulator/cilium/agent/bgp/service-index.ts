import { type EndpointSlice, keyOf, type Service } from '../../../kubernetes/objects.ts';
import type { ApiClient } from '../../../kubernetes/types.ts';
import { resources } from '../../objects.ts';
import { dependsOnEndpoints } from './announcements.ts';

/** An agent's BGP control plane, as the index sees it. */
export interface ServiceFollower {
  readonly nodeName: string;
  /**
   * Whether it announces, of services with external traffic policy Local, only those with a backend on its node: so without ClusterIP
   * advertisements, for which the other policy counts.
   */
  readonly isNarrow: () => boolean;
  readonly touch: (namespace: string | undefined, name: string) => void;
}

const indexes = new WeakMap<ApiClient, ServiceIndex>();

const isLocal = (service: Service): boolean => service.spec.externalTrafficPolicy === 'Local';

const nodesOf = (slice: EndpointSlice | undefined): readonly (string | undefined)[] =>
  (slice?.endpoints ?? []).map(({ nodeName }) => nodeName);

/**
 * Which services are of interest to which node of a cluster. A change of one that only the nodes with a backend announce (traffic policy
 * Local) is told to these, not to every agent there is.
 */
export class ServiceIndex {
  readonly #api: ApiClient;
  readonly #wide = new Set<ServiceFollower>();
  readonly #followers = new Map<ServiceFollower, number>();
  readonly #onNode = new Map<string, Set<ServiceFollower>>();
  /** Services with traffic policy Local, by the nodes that have, or had when they were last told, a backend. */
  readonly #localOnNode = new Map<string, Set<string>>();
  readonly #nodesOfLocal = new Map<string, Set<string>>();
  readonly #everywhere = new Set<string>();
  readonly #stops: (() => void)[] = [];
  #last = 0;

  private constructor(api: ApiClient) {
    this.#api = api;
    this.#stops.push(
      api.watch<Service>(resources.service, ({ type, object, old }) => this.#serviceChanged(object, old, type === 'DELETED')),
      api.watch<EndpointSlice>(resources.endpointSlice, ({ object, old }) => this.#sliceChanged(object, old)),
    );
    for (const service of api.list<Service>(resources.service)) this.#place(service, false);
  }

  static join(api: ApiClient, follower: ServiceFollower): ServiceIndex {
    const index = indexes.get(api) ?? new ServiceIndex(api);
    indexes.set(api, index);
    index.#followers.set(follower, ++index.#last);
    const { nodeName } = follower;
    index.#onNode.set(nodeName, (index.#onNode.get(nodeName) ?? new Set<ServiceFollower>()).add(follower));
    return index;
  }

  leave(follower: ServiceFollower): void {
    this.#followers.delete(follower);
    this.#wide.delete(follower);
    this.#onNode.get(follower.nodeName)?.delete(follower);
    if (this.#followers.size > 0) return;
    indexes.delete(this.#api);
    for (const stop of this.#stops) stop();
  }

  /** Services that a narrow follower on the node may announce, in order of namespace and name. */
  candidates(nodeName: string): readonly Service[] {
    const keys = [...this.#everywhere, ...(this.#localOnNode.get(nodeName) ?? [])];
    const services = keys.flatMap((key) => {
      const slash = key.indexOf('/');
      return this.#api.get<Service>(resources.service, key.slice(slash + 1), key.slice(0, slash)) ?? [];
    });
    const order = ({ metadata }: Service): string => `${metadata.namespace}\0${metadata.name}`;
    return services.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  #serviceChanged(service: Service, old: Service | undefined, isGone: boolean): void {
    const key = keyOf(service);
    const before = this.#nodesOfLocal.get(key) ?? new Set<string>();
    this.#place(service, isGone);
    const isOnlyLocal = isLocal(service) && (old === undefined || isLocal(old));
    this.#tell(service, isOnlyLocal ? [...before, ...(this.#nodesOfLocal.get(key) ?? [])] : undefined);
  }

  #sliceChanged(slice: EndpointSlice, old: EndpointSlice | undefined): void {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'];
    const service = name === undefined ? undefined : this.#api.get<Service>(resources.service, name, slice.metadata.namespace);
    if (service === undefined || !dependsOnEndpoints(service)) return;
    if (!isLocal(service)) {
      this.#tell(service, undefined);
      return;
    }
    const before = this.#nodesOfLocal.get(keyOf(service)) ?? new Set<string>();
    this.#place(service, false);
    const nodes = [...before, ...nodesOf(old), ...nodesOf(slice)];
    this.#tell(
      service,
      nodes.filter((node) => node !== undefined),
    );
  }

  #place(service: Service, isGone: boolean): void {
    const key = keyOf(service);
    for (const node of this.#nodesOfLocal.get(key) ?? []) {
      const keys = this.#localOnNode.get(node);
      keys?.delete(key);
      if (keys?.size === 0) this.#localOnNode.delete(node);
    }
    this.#nodesOfLocal.delete(key);
    this.#everywhere.delete(key);
    if (isGone) return;
    if (!isLocal(service)) {
      this.#everywhere.add(key);
      return;
    }
    const nodes = new Set<string>();
    const slices = this.#api.list<EndpointSlice>(resources.endpointSlice, {
      namespace: service.metadata.namespace ?? 'default',
      labels: { matchLabels: { 'kubernetes.io/service-name': service.metadata.name } },
    });
    for (const slice of slices) for (const node of nodesOf(slice)) if (node !== undefined) nodes.add(node);
    if (nodes.size === 0) return;
    this.#nodesOfLocal.set(key, nodes);
    for (const node of nodes) this.#localOnNode.set(node, (this.#localOnNode.get(node) ?? new Set<string>()).add(key));
  }

  /** In the order in which the followers came. */
  #tell(service: Service, nodes: readonly string[] | undefined): void {
    const { namespace, name } = service.metadata;
    if (nodes === undefined) {
      for (const follower of this.#followers.keys()) follower.touch(namespace, name);
      return;
    }
    const told = new Set<ServiceFollower>(this.#wide);
    for (const node of nodes) for (const follower of this.#onNode.get(node) ?? []) told.add(follower);
    const order = (follower: ServiceFollower): number => this.#followers.get(follower) ?? 0;
    for (const follower of [...told].sort((a, b) => order(a) - order(b))) follower.touch(namespace, name);
  }

  /** To be called when {@link ServiceFollower.isNarrow} may have changed. */
  refresh(follower: ServiceFollower): void {
    if (this.#followers.has(follower) && !follower.isNarrow()) this.#wide.add(follower);
    else this.#wide.delete(follower);
  }
}
