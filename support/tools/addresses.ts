import { IPv4CidrRange, IPv6CidrRange } from 'ip-num';

export type Family = 'IPv4' | 'IPv6';
export const families: readonly Family[] = ['IPv4', 'IPv6'];

export function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** Whether `address` lies in `cidr`; false when they are of different families. @throws Error for text that is neither */
export function isInside(address: string, cidr: string): boolean {
  if (familyOf(address) !== familyOf(cidr)) return false;
  const { first, last } = bounds(cidr);
  const { first: value } = bounds(address);
  return first <= value && value <= last;
}

/** Whether two texts are the same address or prefix: `fd00::0:1` is `fd00::1`. */
export function isSame(a: string, b: string): boolean {
  if (a === b) return true;
  if (familyOf(a) !== familyOf(b)) return false;
  const x = bounds(a);
  const y = bounds(b);
  return x.first === y.first && x.last === y.last;
}

/** An address as a prefix of its full length, as routers print host routes: `192.0.2.1/32`. */
export function hostPrefix(address: string): string {
  return `${address}/${familyOf(address) === 'IPv4' ? 32 : 128}`;
}

/** An address as it stands in a URL. */
export function urlHost(address: string): string {
  return familyOf(address) === 'IPv6' ? `[${address}]` : address;
}

interface Bounds {
  readonly first: bigint;
  readonly last: bigint;
}

/** A run looks at the same few addresses again and again, and the library takes its time for each. */
const known = new Map<string, Bounds>();

function bounds(text: string): Bounds {
  const found = known.get(text);
  if (found !== undefined) return found;
  const cidr = text.includes('/') ? text : hostPrefix(text);
  // A prefix may be written with host bits, as in the address of an interface: the range is that of its network.
  const range = familyOf(cidr) === 'IPv4' ? IPv4CidrRange.fromCidr(cidr) : IPv6CidrRange.fromCidr(cidr);
  const result = { first: range.getFirst().getValue(), last: range.getLast().getValue() };
  known.set(text, result);
  return result;
}
