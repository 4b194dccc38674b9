import { isEqual } from '../apiserver/decode.ts';
import { type EndpointAddress, type EndpointSlice, isPodReady, type Pod, type Service, type ServicePort } from '../objects.ts';
import type { ApiClient, KubernetesObject } from '../types.ts';

export type Family = 'IPv4' | 'IPv6';
export type Endpoint = EndpointSlice['endpoints'][number];
export type SlicePort = EndpointSlice['ports'][number];

/** What a pod is to one service. */
export interface ServicePod {
  readonly pod: Pod;
  readonly ports: readonly SlicePort[];
  /** The same for the same ports. */
  readonly portsKey: string;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  readonly endpoints: Readonly<Partial<Record<Family, Endpoint>>>;
  /** Of the service's first family, as Endpoints hold it. */
  readonly address: EndpointAddress | undefined;
}

const families: readonly Family[] = ['IPv4', 'IPv6'];

/**
 * The pods of one service as endpoints, each made once per version of the pod: a service of a thousand pods costs a change of one
 * of them a thousand look-ups, not a thousand comparisons. What has not changed stays the same object.
 */
export class ServiceView {
  readonly #client: ApiClient;
  readonly #service: Service;
  /** By the pod's uid. */
  readonly #known = new Map<string, ServicePod>();
  readonly #portsOfAll: { readonly ports: readonly SlicePort[]; readonly key: string } | undefined;

  constructor(client: ApiClient, service: Service) {
    this.#client = client;
    this.#service = service;
    const { ports = [] } = service.spec;
    // Without a name to look up in the pod, all pods have the same ports.
    if (!ports.some(({ targetPort }) => typeof targetPort === 'string')) this.#portsOfAll = withKey(portsOf(ports, undefined));
  }

  /** Whether all that this view has made of pods holds for that version of the service, too. */
  isOf(service: Service): boolean {
    return service.spec === this.#service.spec && service.metadata.uid === this.#service.metadata.uid;
  }

  /** Of the selected pods those with an address and a node that have not ended, in their order. */
  see(pods: readonly Pod[]): readonly ServicePod[] {
    const seen: ServicePod[] = [];
    for (const pod of pods) {
      const { phase, podIP } = pod.status;
      if (podIP === undefined || pod.spec.nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') continue;
      const known = this.#known.get(pod.metadata.uid);
      if (known?.pod === pod) {
        seen.push(known);
        continue;
      }
      const made = this.#make(pod, known);
      this.#known.set(pod.metadata.uid, made);
      seen.push(made);
    }
    // Pods that are gone are forgotten now and then.
    if (this.#known.size > 2 * seen.length + 16) {
      this.#known.clear();
      for (const each of seen) this.#known.set(each.pod.metadata.uid, each);
    }
    return seen;
  }

  #make(pod: Pod, before: ServicePod | undefined): ServicePod {
    const { ports, key } = this.#portsOfAll ?? withKey(portsOf(this.#service.spec.ports ?? [], pod));
    const endpoints: Partial<Record<Family, Endpoint>> = {};
    const isServing = isPodReady(pod);
    const isTerminating = pod.metadata.deletionTimestamp !== undefined;
    let address: EndpointAddress | undefined;
    for (const family of families) {
      const ip = addressOf(pod, family);
      if (ip === undefined) continue;
      endpoints[family] = same(before?.endpoints[family], this.#endpointOf(pod, ip, isServing, isTerminating));
      if (family === (this.#service.spec.ipFamilies?.[0] ?? 'IPv4')) address = same(before?.address, this.#addressOf(pod, ip));
    }
    return { pod, ports, portsKey: key, isServing, isTerminating, endpoints, address };
  }

  #endpointOf(pod: Pod, address: string, serving: boolean, terminating: boolean): Endpoint {
    const { nodeName } = pod.spec;
    const node = nodeName === undefined ? undefined : this.#client.get<KubernetesObject>('nodes', nodeName);
    const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
    const ready = this.#service.spec.publishNotReadyAddresses === true || (serving && !terminating);
    return {
      addresses: [address],
      conditions: { ready, serving, terminating },
      ...this.#placeOf(pod),
      ...(zone === undefined ? {} : { zone }),
    };
  }

  #addressOf(pod: Pod, ip: string): EndpointAddress {
    return { ip, ...this.#placeOf(pod) };
  }

  #placeOf(pod: Pod): Pick<EndpointAddress, 'hostname' | 'nodeName' | 'targetRef'> {
    const { hostname, nodeName, subdomain } = pod.spec;
    const { name, namespace = 'default', uid } = pod.metadata;
    return {
      ...(hostname !== undefined && subdomain === this.#service.metadata.name ? { hostname } : {}),
      ...(nodeName === undefined ? {} : { nodeName }),
      targetRef: { kind: 'Pod', name, namespace, uid },
    };
  }
}

function same<T>(before: T | undefined, now: T): T {
  return before !== undefined && isEqual(before, now) ? before : now;
}

function addressOf(pod: Pod, family: Family): string | undefined {
  return pod.status.podIPs?.find(({ ip }) => ip.includes(':') === (family === 'IPv6'))?.ip;
}

/** A named target port is looked up in the pod's containers; pods without it have no endpoint for that port. */
function targetPort(port: ServicePort, pod: Pod | undefined): number | undefined {
  if (typeof port.targetPort === 'number') return port.targetPort;
  if (port.targetPort === undefined) return port.port;
  for (const container of pod?.spec.containers ?? [])
    for (const candidate of container.ports ?? [])
      if (candidate.name === port.targetPort && (candidate.protocol ?? 'TCP') === port.protocol) return candidate.containerPort;
  return undefined;
}

function portsOf(ports: readonly ServicePort[], pod: Pod | undefined): readonly SlicePort[] {
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

function withKey(ports: readonly SlicePort[]): { readonly ports: readonly SlicePort[]; readonly key: string } {
  return { ports, key: keyOfPorts(ports) };
}

const keys = new WeakMap<readonly SlicePort[], string>();

/** The same text for the same ports. */
export function keyOfPorts(ports: readonly SlicePort[]): string {
  let key = keys.get(ports);
  if (key === undefined) {
    key = JSON.stringify(ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => [name, port, protocol, appProtocol]));
    keys.set(ports, key);
  }
  return key;
}
