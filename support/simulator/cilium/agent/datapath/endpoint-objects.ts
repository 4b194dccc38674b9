import type { Pod } from '../../../kubernetes/objects.ts';
import type { KubernetesObject, ObjectInput } from '../../../kubernetes/types.ts';
import { ip as parse } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { LocalEndpoint } from './kernel.ts';

export const endpointResource = 'ciliumendpoints.cilium.io';

export interface CiliumEndpointObject extends KubernetesObject {
  readonly status?: {
    readonly id?: number;
    readonly identity?: { readonly id: number; readonly labels?: readonly string[] };
    readonly networking?: { readonly node?: string; readonly addressing?: readonly { readonly ipv4?: string; readonly ipv6?: string }[] };
    readonly state?: string;
    readonly 'named-ports'?: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
    readonly [field: string]: unknown;
  };
}

/** Container ports that have a name. */
export function namedPortsOf(pod: Pod): { readonly name: string; readonly port: number; readonly protocol: string }[] {
  return pod.spec.containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ name, containerPort, protocol }) =>
      name === undefined || name === '' ? [] : { name, port: containerPort, protocol: protocol ?? 'TCP' },
    ),
  );
}

/** What stands in the place of a policy's state: agents do not publish it (`endpoint-status` is off by default). */
const statusDisabled = '<status disabled>';

/** The CiliumEndpoint of a pod, named like it and owned by it. */
export function endpointObject(endpoint: LocalEndpoint, pod: Pod, nodeIp: Ip | undefined): ObjectInput {
  const ports = namedPortsOf(pod);
  const ipv4 = endpoint.ips.find((address) => address.family === 4)?.text;
  const ipv6 = endpoint.ips.find((address) => address.family === 6)?.text;
  return {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumEndpoint',
    metadata: {
      name: endpoint.podName,
      namespace: endpoint.podNamespace,
      ...(pod.metadata.labels === undefined ? {} : { labels: pod.metadata.labels }),
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: endpoint.podName, uid: endpoint.podUid }],
    },
    status: {
      encryption: {},
      'external-identifiers': {
        'cni-attachment-id': `${endpoint.containerId}:eth0`,
        'container-id': endpoint.containerId,
        'k8s-namespace': endpoint.podNamespace,
        'k8s-pod-name': endpoint.podName,
        'pod-name': `${endpoint.podNamespace}/${endpoint.podName}`,
      },
      id: endpoint.id,
      identity: { id: endpoint.identity.id, labels: endpoint.identity.labels },
      ...(ports.length === 0 ? {} : { 'named-ports': ports }),
      networking: {
        addressing: [{ ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) }],
        ...(nodeIp === undefined ? {} : { node: nodeIp.text }),
      },
      policy: { egress: { enforcing: false, state: statusDisabled }, ingress: { enforcing: false, state: statusDisabled } },
      state: 'ready',
      'visibility-policy-status': statusDisabled,
    },
  };
}

/** The controller that a pod belongs to, as Hubble shows workloads: the Deployment behind a generated ReplicaSet. */
export function workloadOf(pod: Pod): { readonly kind: string; readonly name: string } {
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller);
  if (owner === undefined) return { kind: 'Pod', name: pod.metadata.name };
  const hash = pod.metadata.labels?.['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) };
  return { kind: owner.kind, name: owner.name };
}

/** Addresses of a CiliumEndpoint. */
export function addressesOf(object: CiliumEndpointObject): Ip[] {
  const found: Ip[] = [];
  for (const pair of object.status?.networking?.addressing ?? []) {
    if (pair.ipv4) found.push(parse(pair.ipv4));
    if (pair.ipv6) found.push(parse(pair.ipv6));
  }
  return found;
}
