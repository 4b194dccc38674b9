import { BlockList, isIP } from 'node:net';

/** Whether two prefixes, of whatever family, have an address in common. What is no prefix overlaps nothing. */
export function overlap(a: string, b: string): boolean {
  const [first, second] = [read(a), read(b)];
  if (first === undefined || second === undefined || first.family !== second.family) return false;
  const [wide, narrow] = first.length <= second.length ? [first, second] : [second, first];
  const list = new BlockList();
  list.addSubnet(wide.address, wide.length, wide.family);
  return list.check(narrow.address, narrow.family);
}

function read(text: string): { address: string; length: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', length] = text.trim().split('/');
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  return { address, length: length === undefined ? (version === 4 ? 32 : 128) : Number(length), family };
}
