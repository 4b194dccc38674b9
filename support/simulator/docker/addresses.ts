import { contains, hostPrefix, ipFromValue, parseIp, parsePrefix as parseNetwork } from '../net/address.ts';
import type { Family, Ip, Mac, NetworkNamespace, Prefix } from '../net/types.ts';

/** A prefix, or a bare address as a host prefix; undefined for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  if (text.includes('/')) return parseNetwork(text);
  const address = parseIp(text);
  return address === undefined ? undefined : hostPrefix(address);
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b.address) || contains(b, a.address);
}

/** The `number`th address of a network: 0 is the network address. */
export function addressAt(network: Prefix, number: bigint): Ip {
  return ipFromValue(network.family, network.address.value + number);
}

/** Docker derives a container's MAC from its IPv4 address: `02:42:` and the four bytes. */
export function macOfIpv4(address: Ip): Mac {
  const hex = address.value.toString(16).padStart(8, '0');
  return `02:42:${hex.match(/../g)?.join(':') ?? ''}`;
}

/** Addresses of a namespace that others could send to. */
export function hostAddresses(namespace: NetworkNamespace, family: Family): readonly Ip[] {
  return namespace.interfaces.flatMap((device) =>
    device.addresses.filter((address) => address.ip.family === family && address.scope === 'global').map((address) => address.ip),
  );
}
