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

export interface UnusableBlock {
  /** The operator's words for it, without the stage at which it noticed. */
  readonly problem: string;
  /** Texts that are no addresses are found before any block is used, a range of no addresses only when it is made. */
  readonly stage: 'parse' | 'make';
}

/** What Go's `netip.ParseAddr` says. */
export function addressProblem(text: string): string {
  const quoted = `ParseAddr(${JSON.stringify(text)})`;
  const separator = /[.:%]/.exec(text)?.[0];
  if (separator === '%') return `${quoted}: missing IPv6 address`;
  if (separator !== '.') return `${quoted}: unable to parse IP`;
  if (/[^0-9.]/.test(text)) return `${quoted}: unexpected character (at ${JSON.stringify(text.slice(text.search(/[^0-9.]/)))})`;
  const fields = text.split('.');
  if (fields.some((field) => Number(field) > 255)) return `${quoted}: IPv4 field has value >255`;
  return `${quoted}: IPv4 address too ${fields.length > 4 ? 'long' : 'short'}`;
}

/** The range of one block, or why it is none. */
export function rangeOfBlock(block: AddressBlock): AddressRange | UnusableBlock {
  if (block.cidr !== undefined && block.cidr !== '') {
    const network = parsePrefix(block.cidr);
    if (network === undefined) return { problem: `error parsing cidr '${block.cidr}'`, stage: 'parse' };
    return { from: network.address, to: lastAddress(network), isCidr: true };
  }
  const start = block.start ?? '';
  const from = parseIp(start);
  if (from === undefined) return { problem: `error parsing start ip '${start}': ${addressProblem(start)}`, stage: 'parse' };
  const stop = block.stop ?? '';
  const to = stop === '' ? from : parseIp(stop);
  if (to === undefined) return { problem: `error parsing stop ip '${stop}': ${addressProblem(stop)}`, stage: 'parse' };
  if (from.family !== to.family) return { problem: "new cidr range: 'start' must be the same address family as 'stop'", stage: 'make' };
  if (from.value > to.value) return { problem: "new cidr range: 'start' must be less then or equal to 'stop'", stage: 'make' };
  return { from, to, isCidr: false };
}

export function blocksOf(pool: LoadBalancerIpPool): readonly AddressBlock[] {
  return pool.spec?.blocks ?? [];
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

export function isSameRange(a: Pick<AddressRange, 'from' | 'to'>, b: Pick<AddressRange, 'from' | 'to'>): boolean {
  return a.from === b.from && a.to === b.to;
}
