import { lastAddress, parseIp, parsePrefix } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { AddressBlock, LoadBalancerIpPool } from '../../objects.ts';
import type { CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';

export interface AddressRange {
  readonly from: Ip;
  readonly to: Ip;
  readonly isCidr: boolean;
}

/** The range of one block, or why it is none. */
export function rangeOfBlock(block: AddressBlock): AddressRange | { readonly problem: string } {
  if (block.cidr !== undefined && block.cidr !== '') {
    const network = parsePrefix(block.cidr);
    if (network === undefined) return { problem: `error parsing cidr '${block.cidr}'` };
    return { from: network.address, to: lastAddress(network), isCidr: true };
  }
  const from = parseIp(block.start ?? '');
  if (from === undefined) return { problem: `error parsing start address '${block.start ?? ''}'` };
  const stopText = block.stop === undefined || block.stop === '' ? from.text : block.stop;
  const to = parseIp(stopText);
  if (to === undefined) return { problem: `error parsing stop address '${stopText}'` };
  if (from.family !== to.family) return { problem: "'start' must be the same address family as 'stop'" };
  if (from.value > to.value) return { problem: "'start' must be less then or equal to 'stop'" };
  return { from, to, isCidr: false };
}

/** `cidrs` of the releases before 1.17 come before `blocks`. */
export function blocksOf(pool: LoadBalancerIpPool): readonly AddressBlock[] {
  return [...(pool.spec?.cidrs ?? []), ...(pool.spec?.blocks ?? [])];
}

/** Section 1.3: 1.15 kept both ends back unless told otherwise, 1.16 and later only when told so. */
export function reservesEnds(pool: LoadBalancerIpPool, version: CiliumVersion): boolean {
  const choice = pool.spec?.allowFirstLastIPs;
  return isAtLeast(version, 16) ? choice === 'No' : choice !== 'Yes';
}

/** Ends that a pool keeps back in a range: none in one of one or two addresses. */
export function reservedEnds(range: AddressRange): readonly Ip[] {
  return range.isCidr && range.to.value - range.from.value > 1n ? [range.from, range.to] : [];
}

export function overlap(a: Pick<AddressRange, 'from' | 'to'>, b: Pick<AddressRange, 'from' | 'to'>): boolean {
  return a.from.family === b.from.family && a.from.value <= b.to.value && b.from.value <= a.to.value;
}
