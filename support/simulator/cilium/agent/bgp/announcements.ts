import type { EndpointSlice, Service } from '../../../kubernetes/objects.ts';
import { hostPrefix, parseIp } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';

export type AddressType = 'LoadBalancerIP' | 'ClusterIP' | 'ExternalIP';

const ownClass = 'io.cilium/bgp-control-plane';

const addressesOf = (texts: readonly (string | undefined)[]): readonly Ip[] => {
  const found: Ip[] = [];
  for (const text of texts) {
    const address = text === undefined || text === '' || text === 'None' ? undefined : parseIp(text);
    if (address !== undefined && !found.includes(address)) found.push(address);
  }
  return found;
};

/**
 * Addresses of a service of one kind that a node announces (section 1.4 of the BGP reference). With traffic policy
 * Cluster every node does, whatever its endpoints; with Local only a node with a backend of its own.
 */
export function serviceAddresses(service: Service, type: AddressType, hasLocalBackend: boolean): readonly Ip[] {
  const { spec } = service;
  switch (type) {
    case 'LoadBalancerIP':
      if (spec.type !== 'LoadBalancer') return [];
      if (spec.loadBalancerClass !== undefined && spec.loadBalancerClass !== ownClass) return [];
      if (spec.externalTrafficPolicy === 'Local' && !hasLocalBackend) return [];
      return addressesOf((service.status.loadBalancer?.ingress ?? []).map(({ ip }) => ip));
    case 'ExternalIP':
      if (spec.externalTrafficPolicy === 'Local' && !hasLocalBackend) return [];
      return addressesOf(spec.externalIPs ?? []);
    case 'ClusterIP':
      if (spec.internalTrafficPolicy === 'Local' && !hasLocalBackend) return [];
      return addressesOf([spec.clusterIP, ...(spec.clusterIPs ?? [])]);
  }
}

/** Whether a backend of the service runs on the node and is not about to end. Slices of both families count. */
export function hasLocalBackend(slices: readonly EndpointSlice[], nodeName: string): boolean {
  return slices.some((slice) =>
    (slice.endpoints ?? []).some(
      ({ nodeName: where, conditions }) => where === nodeName && conditions?.ready !== false && conditions?.terminating !== true,
    ),
  );
}

/** Whether the answer depends on where the endpoints are. */
export function dependsOnEndpoints(service: Service): boolean {
  return service.spec.externalTrafficPolicy === 'Local' || service.spec.internalTrafficPolicy === 'Local';
}

export const asPrefix = (address: Ip): Prefix => hostPrefix(address);
