import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import { nameAlphabet } from '../apiserver/admission.ts';
import { isEqual } from '../apiserver/decode.ts';
import { type EndpointSlice, type Service, timestamp } from '../objects.ts';
import type { ApiClient, KubernetesObject, OwnerReference } from '../types.ts';
import { type Endpoint, type Family, keyOfPorts, type ServicePod, type SlicePort } from './service-view.ts';

const maximumPerSlice = 100;

type Labels = Readonly<Record<string, string>>;

/** What a slice is to hold; without a slice, a new one. */
interface Filling {
  readonly slice: EndpointSlice | undefined;
  readonly ports: readonly SlicePort[];
  readonly endpoints: Endpoint[];
}

/** The endpoints of a service that share their ports. */
interface Group {
  readonly ports: readonly SlicePort[];
  /** By the pod's uid; those that no slice has. */
  readonly wanted: Map<string, Endpoint>;
  /** Slices with these ports. */
  readonly slices: EndpointSlice[];
}

/**
 * Distributes the endpoints of services over slices (`pkg/controller/endpointslice`, `reconcileByPortMapping`): an endpoint stays
 * in its slice, a new one goes to a slice that changes anyway, then to the fullest with room for all that are left, then to a new one.
 */
export class SliceWriter {
  readonly #client: ApiClient;
  readonly #clock: SimulatedClock;
  readonly #random: Random;

  constructor(client: ApiClient, clock: SimulatedClock, random: Random) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
  }

  sync(service: Service, family: Family, pods: readonly ServicePod[], existing: readonly EndpointSlice[]): void {
    const groups = groupsOf(family, pods);
    const unused: EndpointSlice[] = [];
    for (const slice of existing) (groups.get(keyOfPorts(slice.ports ?? []))?.slices ?? unused).push(slice);
    const labels = ownLabels(service);
    const fillings: Filling[] = [];
    let unchanged = 0;
    for (const group of groups.values()) unchanged += distribute(group, labels, fillings, unused);
    // A service without endpoints has one slice without ports (placeholder).
    if (unchanged === 0 && fillings.length === 0) fillings.push({ slice: undefined, ports: [], endpoints: [] });
    for (const { slice: own, ports, endpoints } of fillings) {
      // What would be deleted is used again for what would be made (`recycleSlices`).
      const slice = own ?? unused.shift();
      if (slice === undefined) this.#client.create({ ...this.#newSlice(service, family, labels), ports, endpoints });
      else this.#update(slice, labels, { ports, endpoints });
    }
    for (const slice of unused) this.#client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, slice.metadata.namespace);
  }

  #update(
    slice: EndpointSlice,
    labels: Labels,
    content: { readonly ports: readonly SlicePort[]; readonly endpoints: readonly Endpoint[] },
  ): void {
    const metadata = { ...slice.metadata, labels: { ...slice.metadata.labels, ...labels }, annotations: triggerTime(this.#clock) };
    this.#client.update<EndpointSlice>({ ...slice, metadata, ...content } as EndpointSlice);
  }

  #newSlice(service: Service, family: string, labels: Labels) {
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        generateName: `${service.metadata.name}-`,
        name: `${service.metadata.name}-${this.#random.text(5, nameAlphabet)}`,
        namespace: service.metadata.namespace ?? 'default',
        labels,
        annotations: triggerTime(this.#clock),
        ownerReferences: [ownerOf(service)],
      },
      addressType: family,
    };
  }
}

function groupsOf(family: Family, pods: readonly ServicePod[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const { pod, ports, portsKey, endpoints } of pods) {
    const endpoint = endpoints[family];
    if (endpoint === undefined) continue;
    let group = groups.get(portsKey);
    if (group === undefined) {
      group = { ports, wanted: new Map(), slices: [] };
      groups.set(portsKey, group);
    }
    group.wanted.set(pod.metadata.uid, endpoint);
  }
  return groups;
}

/** What is to be written for one group; slices that are left without endpoints go to `unused`. @returns how many stay as they are */
function distribute({ ports, wanted, slices }: Group, labels: Labels, fillings: Filling[], unused: EndpointSlice[]): number {
  const changed: Filling[] = [];
  const unchanged: Filling[] = [];
  for (const slice of slices) {
    const { endpoints, isSame } = stillWanted(slice, wanted);
    const filling: Filling = { slice, ports, endpoints };
    if (!isSame && endpoints.length === 0) unused.push(slice);
    else if (isSame && hasLabels(slice, labels)) unchanged.push(filling);
    else changed.push(filling);
  }
  const rest = [...wanted.values()];
  const fill = ({ endpoints }: Filling): void => {
    endpoints.push(...rest.splice(0, maximumPerSlice - endpoints.length));
  };
  if (rest.length > 0) for (const filling of [...changed].sort((a, b) => b.endpoints.length - a.endpoints.length)) fill(filling);
  while (rest.length > 0) {
    const index = fullestWithRoom(unchanged, rest.length);
    const filling = index < 0 ? { slice: undefined, ports, endpoints: [] } : (unchanged.splice(index, 1)[0] as Filling);
    fill(filling);
    changed.push(filling);
  }
  fillings.push(...changed);
  return unchanged.length;
}

/** The endpoints that a slice keeps, as they are now; they are taken out of `wanted`. */
function stillWanted(slice: EndpointSlice, wanted: Map<string, Endpoint>): { readonly endpoints: Endpoint[]; readonly isSame: boolean } {
  const endpoints: Endpoint[] = [];
  let isSame = true;
  for (const before of slice.endpoints ?? []) {
    const uid = before.targetRef?.uid ?? '';
    const now = wanted.get(uid);
    if (now === undefined) {
      isSame = false;
      continue;
    }
    wanted.delete(uid);
    const isUnchanged = isEqual(before, now);
    endpoints.push(isUnchanged ? before : now);
    if (!isUnchanged) isSame = false;
  }
  return { endpoints, isSame };
}

/** Where `count` more have room and fewest places stay empty (`getSliceToFill`), or -1. */
function fullestWithRoom(fillings: readonly Filling[], count: number): number {
  let best = -1;
  let most = -1;
  for (const [index, { endpoints }] of fillings.entries()) {
    if (endpoints.length + count > maximumPerSlice || endpoints.length <= most) continue;
    best = index;
    most = endpoints.length;
  }
  return best;
}

/** Labels of the service are mirrored on its slices. */
function ownLabels(service: Service): Labels {
  const headless = service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  return {
    ...service.metadata.labels,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': service.metadata.name,
    ...headless,
  };
}

function hasLabels(slice: EndpointSlice, labels: Labels): boolean {
  for (const key in labels) if (slice.metadata.labels?.[key] !== labels[key]) return false;
  return true;
}

export function triggerTime(clock: SimulatedClock): Labels {
  return { 'endpoints.kubernetes.io/last-change-trigger-time': timestamp(clock.now()) };
}

function ownerOf(service: KubernetesObject): OwnerReference {
  return {
    apiVersion: 'v1',
    blockOwnerDeletion: true,
    controller: true,
    kind: 'Service',
    name: service.metadata.name,
    uid: service.metadata.uid,
  };
}
