import { isLinkLocal, isMulticast } from '../../../net/address.ts';
import type { NetworkInterface, NetworkNamespace } from '../../../net/types.ts';

/** Names that are never an outside device of a node (the agent's defaults). */
const excludedPrefixes = ['cilium_', 'lo', 'lxc', 'cni', 'docker'];

/**
 * Why a device is (not) one that Cilium manages, in the agent's words (its devices controller, Cilium 1.16). With the
 * `devices` option a device counts when its name is in the list, where `eth+` means every name that begins with `eth`.
 * Detected are those that are up with a route to a global address; but of veth devices only one with a default route,
 * since in kind they may be another plug-in's leftovers.
 */
export function judgeDevice(
  device: NetworkInterface,
  filter: readonly string[],
): { readonly isSelected: true } | { readonly isSelected: false; readonly reason: string } {
  const no = (reason: string) => ({ isSelected: false, reason }) as const;
  if (device.addresses.length === 0) return no('device has no addresses');
  if (!device.isAdminUp) return no('missing required flag');
  if (filter.length > 0)
    return filter.some((entry) => matchesDeviceName(entry, device.name))
      ? { isSelected: true }
      : no(`not matching user filter [${filter.join(' ')}]`);
  if (device.kind === 'loopback') return no('excluded flag set');
  if (device.master !== undefined) return no(`bridged or bonded to ifindex ${device.master.index}`);
  const excluded = excludedPrefixes.find((prefix) => device.name.startsWith(prefix));
  if (excluded !== undefined) return no(`excluded prefix "${excluded}"`);
  const routes = device.namespace.routes.list({ table: 254 }).filter((route) => route.nextHops.some((hop) => hop.device === device.name));
  switch (device.kind) {
    case 'veth':
      if (!routes.some((route) => route.destination.length === 0)) return no('veth without default route');
      break;
    case 'bridge':
      return no('bridge-like device, use --devices to override');
    default:
      break;
  }
  const hasGlobalRoute = routes.some(
    (route) => route.destination.length > 0 && !isLinkLocal(route.destination.address) && !isMulticast(route.destination.address),
  );
  return hasGlobalRoute ? { isSelected: true } : no('no global unicast routes');
}

export function matchesDeviceName(entry: string, name: string): boolean {
  return entry.endsWith('+') ? name.startsWith(entry.slice(0, -1)) : entry === name;
}

export function selectDevices(namespace: NetworkNamespace, filter: readonly string[]): NetworkInterface[] {
  return namespace.interfaces
    .filter((device) => judgeDevice(device, filter).isSelected)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
