import { BlockList, isIP } from 'node:net';

/** The addresses of a prefix. */
export interface Range {
  has(address: string): boolean;
}

/** Undefined for what is no prefix. */
export function addressRange(prefix: string): Range | undefined {
  const [network = '', length = ''] = prefix.split('/');
  const family = isIP(network);
  if (family === 0 || !/^\d{1,3}$/.test(length) || Number(length) > (family === 4 ? 32 : 128)) return undefined;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(length), kind);
  return { has: (address) => isIP(address) === family && list.check(address, kind) };
}
