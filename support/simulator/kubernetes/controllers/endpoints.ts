import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import { nameAlphabet } from '../apiserver/admission.ts';
import { isEqual } from '../apiserver/decode.ts';
import { matchesMap } from '../labels.ts';
import {
  type EndpointAddress,
  type EndpointSlice,
  type Endpoints,
  isPodReady,
  keyOf,
  type Pod,
  type Service,
  type ServicePort,
  splitKey,
  timestamp,
} from '../objects.ts';
import type { ApiClient, KubernetesObject, ObjectInput, OwnerReference, Reconciler } from '../types.ts';
import { createReconciler } from './reconciler.ts';

const maximumPerSlice = 100;
const maximumPerEndpoints = 1000;

/**
 * Endpoints and EndpointSlices of services, from the pods that they select (`pkg/controller/endpointslice`, `…/endpoint`).
 * Services are found by one pair of their selector's labels, so a pod's change costs no scan of all services.
 */
export function startEndpointsController(client: ApiClient, clock: SimulatedClock, random: Random): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'endpointslice', reconcile: (key) => sync(client, clock, random, key) });
  const bySelector = new Map<string, Set<string>>();
  const pairOf = (service: Service): string | undefined => {
    const first = Object.entries(service.spec.selector ?? {}).sort()[0];
    return first === undefined ? undefined : `${service.metadata.namespace}/${first[0]}=${first[1]}`;
  };
  const forget = (service: Service): void => {
    const pair = pairOf(service);
    if (pair !== undefined) bySelector.get(pair)?.delete(keyOf(service));
  };
  const podChanged = (pod: Pod): void => {
    for (const [key, value] of Object.entries(pod.metadata.labels ?? {})) {
      for (const name of bySelector.get(`${pod.metadata.namespace}/${key}=${value}`) ?? []) {
        const service = client.get<Service>('services', splitKey(name).name, splitKey(name).namespace);
        if (service !== undefined && matchesMap(service.spec.selector, pod.metadata.labels)) queue.enqueue(name);
      }
    }
  };
  const stops = [
    client.watch<Service>(
      'services',
      ({ type, object, old }) => {
        if (old !== undefined) forget(old);
        if (type === 'DELETED') forget(object);
        else {
          const pair = pairOf(object);
          if (pair !== undefined) bySelector.set(pair, (bySelector.get(pair) ?? new Set<string>()).add(keyOf(object)));
        }
        queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ type, object, old }) => {
      if (old !== undefined && old.metadata.labels === object.metadata.labels && !isRelevantChange(old, object)) return;
      if (old !== undefined && !isEqual(old.metadata.labels, object.metadata.labels)) podChanged(old);
      if (type !== 'ADDED' || object.status.podIP !== undefined) podChanged(object);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function isRelevantChange(old: Pod, pod: Pod): boolean {
  // A pod without an address is no endpoint yet.
  if (old.status.podIP === undefined && pod.status.podIP === undefined) return false;
  return (
    old.status.podIP !== pod.status.podIP ||
    isPodReady(old) !== isPodReady(pod) ||
    old.status.phase !== pod.status.phase ||
    old.spec.nodeName !== pod.spec.nodeName ||
    old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp
  );
}

type Endpoint = EndpointSlice['endpoints'][number];
type SlicePort = EndpointSlice['ports'][number];

function sync(client: ApiClient, clock: SimulatedClock, random: Random, key: string): void {
  const { namespace = '', name } = splitKey(key);
  const service = client.get<Service>('services', name, namespace);
  const slices = client
    .list<EndpointSlice>('endpointslices.discovery.k8s.io', { namespace, labels: { matchLabels: { 'kubernetes.io/service-name': name } } })
    .filter((slice) => slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslice-controller.k8s.io');
  if (service === undefined || service.metadata.deletionTimestamp !== undefined || service.spec.type === 'ExternalName') {
    for (const slice of slices) client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, namespace);
    if (service === undefined && client.get('endpoints', name, namespace) !== undefined) client.delete('endpoints', name, namespace);
    return;
  }
  if (service.spec.selector === undefined) return;
  const pods = client
    .list<Pod>('pods', { namespace, labels: { matchLabels: service.spec.selector } })
    .filter(
      (pod) =>
        pod.status.phase !== 'Succeeded' &&
        pod.status.phase !== 'Failed' &&
        pod.status.podIP !== undefined &&
        pod.spec.nodeName !== undefined,
    );
  for (const family of service.spec.ipFamilies ?? ['IPv4'])
    syncSlices(
      client,
      clock,
      random,
      service,
      family,
      pods,
      slices.filter((slice) => slice.addressType === family),
    );
  for (const slice of slices)
    if (!(service.spec.ipFamilies ?? []).includes(slice.addressType as 'IPv4' | 'IPv6'))
      client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, namespace);
  syncEndpoints(client, clock, service, pods);
}

function addressOf(pod: Pod, family: 'IPv4' | 'IPv6'): string | undefined {
  return pod.status.podIPs?.find(({ ip }) => ip.includes(':') === (family === 'IPv6'))?.ip;
}

/** A named target port is looked up in the pod's containers; pods without it have no endpoint for that port. */
function targetPort(port: ServicePort, pod: Pod): number | undefined {
  if (typeof port.targetPort === 'number') return port.targetPort;
  if (port.targetPort === undefined) return port.port;
  for (const container of pod.spec.containers)
    for (const candidate of container.ports ?? [])
      if (candidate.name === port.targetPort && (candidate.protocol ?? 'TCP') === port.protocol) return candidate.containerPort;
  return undefined;
}

/** Ports of a service that are the same whatever the pod, i.e. without a name to look up; stored objects do not change. */
const plainPorts = new WeakMap<readonly ServicePort[], readonly SlicePort[]>();

function portsFor(service: Service, pod: Pod): readonly SlicePort[] {
  const { ports } = service.spec;
  if (ports === undefined) return [];
  const known = plainPorts.get(ports);
  if (known !== undefined) return known;
  const found = portsOf(ports, pod);
  if (Object.isFrozen(ports) && !ports.some(({ targetPort }) => typeof targetPort === 'string')) plainPorts.set(ports, found);
  return found;
}

function portsOf(ports: readonly ServicePort[], pod: Pod): readonly SlicePort[] {
  return ports.flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

const portKeys = new WeakMap<readonly SlicePort[], string>();

function keyOfPorts(ports: readonly SlicePort[]): string {
  const known = portKeys.get(ports);
  if (known !== undefined) return known;
  const key = JSON.stringify(ports);
  portKeys.set(ports, key);
  return key;
}

function endpointOf(client: ApiClient, service: Service, pod: Pod, address: string): Endpoint {
  const node = pod.spec.nodeName === undefined ? undefined : client.get<KubernetesObject>('nodes', pod.spec.nodeName);
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(pod.spec.hostname !== undefined && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace ?? 'default', uid: pod.metadata.uid },
    ...(zone === undefined ? {} : { zone }),
  };
}

function syncSlices(
  client: ApiClient,
  clock: SimulatedClock,
  random: Random,
  service: Service,
  family: 'IPv4' | 'IPv6',
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
): void {
  const groups = new Map<string, { readonly ports: readonly SlicePort[]; readonly endpoints: Endpoint[] }>();
  const known = new Map<string, Endpoint>();
  for (const { endpoints } of existing) for (const endpoint of endpoints ?? []) known.set(endpoint.targetRef?.uid ?? '', endpoint);
  for (const pod of pods) {
    const address = addressOf(pod, family);
    if (address === undefined) continue;
    const ports = portsFor(service, pod);
    const key = keyOfPorts(ports);
    let group = groups.get(key);
    if (group === undefined) {
      group = { ports, endpoints: [] };
      groups.set(key, group);
    }
    // What has not changed stays the same object, which costs the next comparison nothing.
    const endpoint = endpointOf(client, service, pod, address);
    const before = known.get(pod.metadata.uid);
    group.endpoints.push(before !== undefined && isEqual(before, endpoint) ? before : endpoint);
  }
  // A service without pods has one slice without ports (placeholder).
  if (groups.size === 0) groups.set('', { ports: [], endpoints: [] });
  const unused = [...existing];
  for (const group of groups.values()) {
    for (let from = 0; from === 0 || from < group.endpoints.length; from += maximumPerSlice) {
      const wanted = { ports: group.ports, endpoints: group.endpoints.slice(from, from + maximumPerSlice) };
      const index = Math.max(
        0,
        unused.findIndex((slice) => isEqual(slice.ports ?? [], wanted.ports)),
      );
      const slice = unused.splice(index, 1)[0];
      if (slice === undefined) client.create(newSlice(clock, random, service, family, wanted));
      else if (
        !isEqual(slice.endpoints ?? [], wanted.endpoints) ||
        !isEqual(slice.ports ?? [], wanted.ports) ||
        !isEqual(ownLabels(service), labelsOf(slice))
      ) {
        client.update<EndpointSlice>({
          ...slice,
          metadata: { ...slice.metadata, labels: { ...slice.metadata.labels, ...ownLabels(service) }, annotations: triggerTime(clock) },
          ...wanted,
        } as EndpointSlice);
      }
    }
  }
  for (const slice of unused) client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, slice.metadata.namespace);
}

/** Labels of the service are mirrored on its slices. */
function ownLabels(service: Service): Readonly<Record<string, string>> {
  const headless = service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
  return {
    ...service.metadata.labels,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': service.metadata.name,
    ...headless,
  };
}

function labelsOf(slice: EndpointSlice): Readonly<Record<string, string>> {
  return slice.metadata.labels ?? {};
}

function triggerTime(clock: SimulatedClock): Readonly<Record<string, string>> {
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

function newSlice(
  clock: SimulatedClock,
  random: Random,
  service: Service,
  family: string,
  content: { readonly ports: readonly SlicePort[]; readonly endpoints: readonly Endpoint[] },
): ObjectInput {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${service.metadata.name}-`,
      name: `${service.metadata.name}-${random.text(5, nameAlphabet)}`,
      namespace: service.metadata.namespace ?? 'default',
      labels: ownLabels(service),
      annotations: triggerTime(clock),
      ownerReferences: [ownerOf(service)],
    },
    addressType: family,
    ...content,
  };
}

/** The older form: primary family only, ready and not ready addresses apart. */
function syncEndpoints(client: ApiClient, clock: SimulatedClock, service: Service, pods: readonly Pod[]): void {
  const family = service.spec.ipFamilies?.[0] ?? 'IPv4';
  const groups = new Map<
    string,
    { readonly ports: readonly SlicePort[]; readonly ready: EndpointAddress[]; readonly notReady: EndpointAddress[] }
  >();
  for (const pod of pods.slice(0, maximumPerEndpoints)) {
    const ip = addressOf(pod, family);
    if (ip === undefined || (pod.metadata.deletionTimestamp !== undefined && service.spec.publishNotReadyAddresses !== true)) continue;
    const ports = portsFor(service, pod);
    const key = keyOfPorts(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    const address: EndpointAddress = {
      ip,
      ...(pod.spec.hostname !== undefined && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}),
      ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
      targetRef: { kind: 'Pod', name: pod.metadata.name, namespace: pod.metadata.namespace ?? 'default', uid: pod.metadata.uid },
    };
    (isPodReady(pod) || service.spec.publishNotReadyAddresses === true ? group.ready : group.notReady).push(address);
    groups.set(key, group);
  }
  const byIp = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1);
  const subsets = [...groups.values()].map(({ ports, ready, notReady }) => ({
    ...(ready.length === 0 ? {} : { addresses: ready.sort(byIp) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.sort(byIp) }),
    ...(ports.length === 0
      ? {}
      : { ports: ports.map(({ name, ...port }) => (name === undefined || name === '' ? port : { name, ...port })) }),
  }));
  const existing = client.get<Endpoints>('endpoints', service.metadata.name, service.metadata.namespace);
  const labels = { ...service.metadata.labels, ...(service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}) };
  const hasLabels = Object.keys(labels).length === 0 ? {} : { labels };
  if (existing === undefined) {
    client.create({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        name: service.metadata.name,
        namespace: service.metadata.namespace ?? 'default',
        ...hasLabels,
        annotations: triggerTime(clock),
      },
      ...(subsets.length === 0 ? {} : { subsets }),
    });
  } else if (!isEqual(existing.subsets ?? [], subsets)) {
    const { subsets: _subsets, metadata, ...rest } = existing;
    const { labels: _labels, ...kept } = metadata;
    client.update({
      ...rest,
      metadata: { ...kept, ...hasLabels, annotations: triggerTime(clock) },
      ...(subsets.length === 0 ? {} : { subsets }),
    });
  }
}
