import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import { nameAlphabet } from '../apiserver/admission.ts';
import { isEqual } from '../apiserver/decode.ts';
import { type EndpointAddress, type EndpointSlice, type Endpoints, keyOf, type Service, splitKey } from '../objects.ts';
import type { ApiClient, ObjectInput } from '../types.ts';
import { createReconciler } from './reconciler.ts';

const manager = 'endpointslicemirroring-controller.k8s.io';
const slicesResource = 'endpointslices.discovery.k8s.io';

/** Endpoints that somebody wrote for a service without selector, as slices (`pkg/controller/endpointslicemirroring`). */
export function startEndpointMirroringController(client: ApiClient, clock: SimulatedClock, random: Random): () => void {
  const queue = createReconciler(clock, { name: 'endpointslicemirroring', reconcile: (key) => sync(client, random, key) });
  const stops = [
    client.watch<Endpoints>(
      'endpoints',
      ({ object }) => {
        const service = client.get<Service>('services', object.metadata.name, object.metadata.namespace);
        if (service !== undefined && service.spec.selector === undefined) queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Service>('services', ({ object, old }) => {
      if (object.spec.selector === undefined || (old !== undefined && old.spec.selector === undefined)) queue.enqueue(keyOf(object));
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function sync(client: ApiClient, random: Random, key: string): void {
  const { namespace = '', name } = splitKey(key);
  const labels = { 'endpointslice.kubernetes.io/managed-by': manager, 'kubernetes.io/service-name': name };
  const unused = [...client.list<EndpointSlice>(slicesResource, { namespace, labels: { matchLabels: labels } })];
  const endpoints = client.get<Endpoints>('endpoints', name, namespace);
  const service = client.get<Service>('services', name, namespace);
  const isLeft =
    endpoints === undefined ||
    service === undefined ||
    service.spec.selector !== undefined ||
    endpoints.metadata.labels?.['endpointslice.kubernetes.io/skip-mirror'] === 'true';
  // The API server keeps the slice of its own service itself.
  const wanted = isLeft || key === 'default/kubernetes' ? [] : slicesOf(endpoints);
  for (const content of wanted) {
    const index = unused.findIndex((slice) => slice.addressType === content.addressType && isEqual(slice.ports ?? [], content.ports));
    const slice = index < 0 ? undefined : unused.splice(index, 1)[0];
    if (slice === undefined) client.create(newSlice(random, endpoints as Endpoints, labels, content));
    else if (!isEqual(slice.endpoints ?? [], content.endpoints)) client.update<EndpointSlice>({ ...slice, ...content } as EndpointSlice);
  }
  for (const slice of unused) client.delete(slicesResource, slice.metadata.name, namespace);
}

type Content = Pick<EndpointSlice, 'ports' | 'endpoints'> & { readonly addressType: 'IPv4' | 'IPv6' };

/** One slice per family and list of ports. */
function slicesOf({ subsets }: Endpoints): Content[] {
  return (subsets ?? []).flatMap((subset) => {
    const ports = (subset.ports ?? []).map(({ name, ...port }) => ({ name: name ?? '', ...port }));
    const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress & { readonly hostname?: string }, ready: boolean) => ({
      addresses: [ip],
      conditions: { ready },
      ...(hostname === undefined ? {} : { hostname }),
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(targetRef === undefined ? {} : { targetRef }),
    });
    const all = [
      ...(subset.addresses ?? []).map((address) => endpointOf(address, true)),
      ...(subset.notReadyAddresses ?? []).map((address) => endpointOf(address, false)),
    ];
    return (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
      const endpoints = all.filter(({ addresses }) => addresses[0]?.includes(':') === (addressType === 'IPv6'));
      return endpoints.length === 0 ? [] : [{ addressType, ports, endpoints }];
    });
  });
}

function newSlice(random: Random, endpoints: Endpoints, labels: Readonly<Record<string, string>>, content: Content): ObjectInput {
  const { name, namespace, uid, labels: own } = endpoints.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      name: `${name}-${random.text(5, nameAlphabet)}`,
      namespace: namespace ?? 'default',
      labels: { ...own, ...labels },
      ownerReferences: [{ apiVersion: 'v1', blockOwnerDeletion: true, controller: true, kind: 'Endpoints', name, uid }],
    },
    ...content,
  };
}
