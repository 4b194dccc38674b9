import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
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
  splitKey,
} from '../objects.ts';
import type { ApiClient, Reconciler } from '../types.ts';
import { SliceWriter, triggerTime } from './endpoint-slices.ts';
import { createReconciler } from './reconciler.ts';
import { type Family, type ServicePod, ServiceView } from './service-view.ts';

const maximumPerEndpoints = 1000;

/**
 * Endpoints and EndpointSlices of services, from the pods that they select (`pkg/controller/endpointslice`, `…/endpoint`).
 * Services are found by one pair of their selector's labels, so a pod's change costs no scan of all services.
 */
export function startEndpointsController(client: ApiClient, clock: SimulatedClock, random: Random): () => void {
  const context: Context = { client, clock, writer: new SliceWriter(client, clock, random), views: new Map() };
  const queue: Reconciler = createReconciler(clock, { name: 'endpointslice', reconcile: (key) => sync(context, key) });
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

interface Context {
  readonly client: ApiClient;
  readonly clock: SimulatedClock;
  readonly writer: SliceWriter;
  readonly views: Map<string, ServiceView>;
}

function sync(context: Context, key: string): void {
  const { client, writer, views } = context;
  const { namespace = '', name } = splitKey(key);
  const service = client.get<Service>('services', name, namespace);
  const slices = client
    .list<EndpointSlice>('endpointslices.discovery.k8s.io', { namespace, labels: { matchLabels: { 'kubernetes.io/service-name': name } } })
    .filter((slice) => slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslice-controller.k8s.io');
  if (service === undefined || service.metadata.deletionTimestamp !== undefined || service.spec.type === 'ExternalName') {
    views.delete(key);
    for (const slice of slices) client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, namespace);
    if (service === undefined && client.get('endpoints', name, namespace) !== undefined) client.delete('endpoints', name, namespace);
    return;
  }
  const { selector, ipFamilies = ['IPv4'] } = service.spec;
  if (selector === undefined) return;
  let view = views.get(key);
  if (view === undefined || !view.isOf(service)) {
    view = new ServiceView(client, service);
    views.set(key, view);
  }
  const pods = view.see(client.list<Pod>('pods', { namespace, labels: { matchLabels: selector } }));
  for (const family of ipFamilies) {
    const own = slices.length === 1 && slices[0]?.addressType === family ? slices : slices.filter((slice) => slice.addressType === family);
    writer.sync(service, family, pods, own);
  }
  for (const slice of slices)
    if (!ipFamilies.includes(slice.addressType as Family)) client.delete('endpointslices.discovery.k8s.io', slice.metadata.name, namespace);
  syncEndpoints(context, service, pods);
}

interface Subset {
  readonly ports: ServicePod['ports'];
  readonly ready: EndpointAddress[];
  readonly notReady: EndpointAddress[];
}

/** The older form: primary family only, ready and not ready addresses apart. */
function syncEndpoints({ client, clock }: Context, service: Service, pods: readonly ServicePod[]): void {
  const groups = new Map<string, Subset>();
  const isAlwaysReady = service.spec.publishNotReadyAddresses === true;
  let left = maximumPerEndpoints;
  for (const { address, portsKey, ports, isServing, isTerminating } of pods) {
    if (--left < 0) break;
    if (address === undefined || (isTerminating && !isAlwaysReady)) continue;
    let group = groups.get(portsKey);
    if (group === undefined) {
      group = { ports, ready: [], notReady: [] };
      groups.set(portsKey, group);
    }
    (isServing || isAlwaysReady ? group.ready : group.notReady).push(address);
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
