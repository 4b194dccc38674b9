import { bits, commonBits, contains, isLinkLocal, isLoopback, isMulticast, prefixOf } from './address.ts';
import type { Device } from './interface.ts';
import type { InterfaceAddress, Ip } from './types.ts';

/**
 * The IPv4 source for packets out of `device`: an address in the subnet of the next hop, else the first one of
 * the device, else one of another device (inet_select_addr).
 */
export function selectSource4(device: Device, nextHop: Ip | undefined, devices: readonly Device[]): Ip | undefined {
  let first: Ip | undefined;
  for (const { ip, prefixLength, scope } of device.addresses) {
    if (ip.family !== 4 || (scope === 'host' && device.kind !== 'loopback')) continue;
    if (nextHop?.family === 4 && contains(prefixOf(ip, prefixLength), nextHop)) return ip;
    first ??= ip;
  }
  if (first !== undefined) return first;
  for (const other of devices) {
    for (const { ip, scope } of other.addresses) if (ip.family === 4 && scope === 'global') return ip;
  }
  return undefined;
}

/** RFC 6724 §5, rules 1, 2, 5, 6 and 8 (nothing here is deprecated, temporary or mobile). */
export function selectSource6(device: Device, destination: Ip, devices: readonly Device[]): Ip | undefined {
  const isScoped = isLinkLocal(destination) || isMulticast(destination);
  let best: { address: InterfaceAddress; device: Device } | undefined;
  for (const candidateDevice of isScoped ? [device] : devices) {
    for (const address of candidateDevice.addresses) {
      if (address.ip.family !== 6 || address.state === 'tentative') continue;
      if (isLinkLocal(address.ip) && candidateDevice !== device) continue;
      const candidate = { address, device: candidateDevice };
      if (best === undefined || isBetter(candidate, best, destination, device)) best = candidate;
    }
  }
  return best?.address.ip;
}

function isBetter(
  a: { address: InterfaceAddress; device: Device },
  b: { address: InterfaceAddress; device: Device },
  destination: Ip,
  device: Device,
): boolean {
  const left = a.address.ip;
  const right = b.address.ip;
  if (left === destination || right === destination) return left === destination && right !== destination;
  const wanted = scopeOf(destination);
  const leftScope = scopeOf(left);
  const rightScope = scopeOf(right);
  if (leftScope !== rightScope) return leftScope < rightScope ? leftScope >= wanted : rightScope < wanted;
  if ((a.device === device) !== (b.device === device)) return a.device === device;
  const label = labelOf(destination);
  const leftMatches = labelOf(left) === label;
  if (leftMatches !== (labelOf(right) === label)) return leftMatches;
  return commonBits(bits(left), bits(destination)) > commonBits(bits(right), bits(destination));
}

/** RFC 4007 scopes: interface 1, link 2, global 14. */
function scopeOf(ip: Ip): number {
  const { w0 } = bits(ip);
  if (isMulticast(ip)) return (w0 >>> 16) & 15;
  if (isLoopback(ip)) return 2;
  return isLinkLocal(ip) ? 2 : 14;
}

/** RFC 6724 §2.1. */
function labelOf(ip: Ip): number {
  const { w0, w1, w2 } = bits(ip);
  if (isLoopback(ip)) return 0;
  if (w0 === 0 && w1 === 0) return w2 === 0xffff ? 4 : 3;
  if (w0 >>> 16 === 0x2002) return 2;
  if (w0 === 0x20010000) return 5;
  if (w0 >>> 25 === 0x7e) return 13;
  return 1;
}
