import { isLinkLocal, isLoopback, isMulticast, isUnspecified, parseIp } from '../../../net/address.ts';
import type { Ip, NetworkNamespace } from '../../../net/types.ts';

/**
 * The peer address that `autoDiscovery` with mode DefaultGateway stands for: of the default routes of the main table
 * whose device is up, the gateway of the one with the lowest metric; link-local ones do not count
 * (pkg/bgp/manager/reconciler/default_gateway.go).
 */
export function defaultGateway(namespace: NetworkNamespace, family: 4 | 6): Ip | undefined {
  let best: { readonly metric: number; readonly gateway: Ip } | undefined;
  for (const { destination, nextHops, metric, type } of namespace.routes.list({ family, table: 254 })) {
    if (destination.length > 0 || type !== 'unicast') continue;
    for (const { via: gateway, device } of nextHops) {
      const link = device === undefined ? undefined : namespace.getInterface(device);
      if (gateway === undefined || isLinkLocal(gateway) || link?.isAdminUp !== true || !link.hasCarrier) continue;
      if (best === undefined || metric < best.metric) best = { metric, gateway };
    }
  }
  return best?.gateway;
}

/** What advertisementType Interface announces: addresses of an interface that is up, but for those of no use elsewhere. */
export function interfaceAddresses(namespace: NetworkNamespace, name: string): readonly Ip[] {
  const link = namespace.getInterface(name);
  if (link?.isAdminUp !== true || !link.hasCarrier) return [];
  const usable = ({ ip }: { readonly ip: Ip }) =>
    !isLoopback(ip) && !isMulticast(ip) && !isUnspecified(ip) && (ip.family === 4 || !isLinkLocal(ip));
  return [...new Set(link.addresses.filter(usable).map(({ ip }) => ip))];
}

/** Router id of a node that has no IPv4 address (1.18+): the lower 32 bits of the MAC address of `cilium_host`. */
export function macRouterId(namespace: NetworkNamespace): Ip | undefined {
  const mac = namespace.getInterface('cilium_host')?.mac;
  if (mac === undefined) return undefined;
  const bytes = mac.split(':').slice(2);
  return parseIp(bytes.map((byte) => Number.parseInt(byte, 16)).join('.'));
}
