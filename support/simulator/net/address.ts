import type { Family, Ip, Prefix } from './types.ts';

/**
 * An interned address. Beside what the contract shows it keeps the bits as 32-bit numbers, since BigInt
 * arithmetic would dominate forwarding. An IPv4 address uses `w0` only.
 *
 * The parser is our own: ip-num takes tens of milliseconds to import and accepts zone ids and other loose
 * forms (`fe80::1%eth0` parses there). A property test compares the two on valid input.
 */
export class Address implements Ip {
  readonly family: Family;
  readonly text: string;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  #value: bigint | undefined;

  constructor(family: Family, text: string, w0: number, w1: number, w2: number, w3: number) {
    this.family = family;
    this.text = text;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }

  get value(): bigint {
    this.#value ??=
      this.family === 4
        ? BigInt(this.w0)
        : (BigInt(this.w0) << 96n) | (BigInt(this.w1) << 64n) | (BigInt(this.w2) << 32n) | BigInt(this.w3);
    return this.#value;
  }

  toString(): string {
    return this.text;
  }
}

class InternedPrefix implements Prefix {
  readonly family: Family;
  readonly address: Address;
  readonly length: number;
  readonly text: string;

  constructor(address: Address, length: number, text: string) {
    this.family = address.family;
    this.address = address;
    this.length = length;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

// Equal addresses must be the same object everywhere, so these tables are global. They hold values only: nothing
// that a run could observe depends on what another run put there.
const byText = new Map<string, Address>();
const v4ByValue = new Map<number, Address>();
const prefixByText = new Map<string, InternedPrefix>();

/** The words of an address. Every {@link Ip} is made here, so the cast is safe. */
export function bits(ip: Ip): Address {
  return ip as Address;
}

/** @throws RangeError when the text is no IPv4 or IPv6 address */
export function ip(text: string): Ip {
  const known = byText.get(text) ?? parseAddress(text);
  if (known === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(text)}`);
  return known;
}

/** An address of either family, or undefined. Strict: no leading zeros, no zone, no blanks. */
export function parseIp(text: string): Ip | undefined {
  return byText.get(text) ?? parseAddress(text);
}

/** @throws RangeError when the text is no prefix; host bits are masked */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new RangeError(`not a network prefix: ${JSON.stringify(text)}`);
  return parsed;
}

/** `address/length`, host bits masked; undefined for anything else (a bare address has no length). */
export function parsePrefix(text: string): Prefix | undefined {
  const known = prefixByText.get(text);
  if (known !== undefined) return known;
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length <= width(address.family) ? prefixOf(address, length) : undefined;
}

/** The network that an address with this prefix length is in. */
export function prefixOf(address: Ip, length: number): Prefix {
  const { family, w0, w1, w2, w3 } = bits(address);
  const masked =
    family === 4
      ? internV4(maskWord(w0, length))
      : internV6(maskWord(w0, length), maskWord(w1, length - 32), maskWord(w2, length - 64), maskWord(w3, length - 96));
  const text = `${masked.text}/${length}`;
  const known = prefixByText.get(text);
  if (known !== undefined) return known;
  const made = new InternedPrefix(masked, length, text);
  prefixByText.set(text, made);
  return made;
}

/** The /32 or /128 of one address. */
export function hostPrefix(address: Ip): Prefix {
  return prefixOf(address, width(address.family));
}

/** @throws RangeError when the value does not fit the family */
export function ipFromValue(family: Family, value: bigint): Ip {
  if (value < 0n || value >= 1n << BigInt(width(family))) throw new RangeError(`no IPv${family} address has the value ${value}`);
  if (family === 4) return internV4(Number(value));
  const word = (shift: bigint) => Number((value >> shift) & 0xffff_ffffn);
  return internV6(word(96n), word(64n), word(32n), word(0n));
}

/** An IPv6 address from its four 32-bit words. */
export function ipv6FromWords(w0: number, w1: number, w2: number, w3: number): Ip {
  return internV6(w0 >>> 0, w1 >>> 0, w2 >>> 0, w3 >>> 0);
}

export function contains(network: Prefix, address: Ip): boolean {
  return network.family === address.family && commonBits(bits(network.address), bits(address)) >= network.length;
}

/** The highest address of a prefix: the broadcast address of an IPv4 subnet. */
export function lastAddress(network: Prefix): Ip {
  const { family, w0, w1, w2, w3 } = bits(network.address);
  const { length } = network;
  if (family === 4) return internV4(fillWord(w0, length));
  return internV6(fillWord(w0, length), fillWord(w1, length - 32), fillWord(w2, length - 64), fillWord(w3, length - 96));
}

/** 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(address: Ip): boolean {
  const { family, w0 } = bits(address);
  return family === 4 ? w0 >>> 16 === 0xa9fe : w0 >>> 22 === 0x3fa;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: Ip): boolean {
  const { family, w0 } = bits(address);
  return family === 4 ? w0 >>> 28 === 0xe : w0 >>> 24 === 0xff;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Ip): boolean {
  const { family, w0, w1, w2, w3 } = bits(address);
  return family === 4 ? w0 >>> 24 === 127 : w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
}

/** 0.0.0.0 or ::. */
export function isUnspecified(address: Ip): boolean {
  const { w0, w1, w2, w3 } = bits(address);
  return w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0;
}

/** Numeric order, IPv4 before IPv6. */
export function compareIps(left: Ip, right: Ip): number {
  if (left === right) return 0;
  const a = bits(left);
  const b = bits(right);
  return a.family - b.family || a.w0 - b.w0 || a.w1 - b.w1 || a.w2 - b.w2 || a.w3 - b.w3;
}

/** Numeric order of the addresses, then the shorter prefix first. */
export function comparePrefixes(left: Prefix, right: Prefix): number {
  return compareIps(left.address, right.address) || left.length - right.length;
}

/** How many leading bits two addresses of one family have in common. */
export function commonBits(a: Address, b: Address): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0);
  if (a.family === 4) return 32;
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2);
  if (a.w3 !== b.w3) return 96 + Math.clz32(a.w3 ^ b.w3);
  return 128;
}

/** The bit at `index`, counted from the most significant one. */
export function bitAt(a: Address, index: number): 0 | 1 {
  const word = index < 32 ? a.w0 : index < 64 ? a.w1 : index < 96 ? a.w2 : a.w3;
  return ((word >>> (31 - (index & 31))) & 1) as 0 | 1;
}

export function width(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

function maskWord(word: number, length: number): number {
  if (length <= 0) return 0;
  return length >= 32 ? word : (word & (0xffff_ffff << (32 - length))) >>> 0;
}

function fillWord(word: number, length: number): number {
  if (length >= 32) return word;
  return length <= 0 ? 0xffff_ffff : (word | (0xffff_ffff >>> length)) >>> 0;
}

function parseAddress(text: string): Address | undefined {
  const address = text.includes(':') ? parseV6(text) : parseV4(text);
  if (address !== undefined) byText.set(text, address);
  return address;
}

function parseV4(text: string): Address | undefined {
  const value = v4Value(text);
  return value === undefined ? undefined : internV4(value);
}

function v4Value(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (let index = 1; index <= 4; index++) {
    const octet = match[index] as string;
    if ((octet.length > 1 && octet.startsWith('0')) || Number(octet) > 255) return undefined;
    value = value * 256 + Number(octet);
  }
  return value;
}

/** RFC 4291 §2.2. */
function parseV6(text: string): Address | undefined {
  let head = text;
  let tail = '';
  const gap = text.indexOf('::');
  if (gap >= 0) {
    head = text.slice(0, gap);
    tail = text.slice(gap + 2);
    if (tail.includes('::')) return undefined;
  }
  const left = groups(head, gap < 0);
  const right = groups(tail, gap >= 0);
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...Array<number>(missing).fill(0), ...right];
  const word = (index: number) => (((all[index] as number) << 16) | (all[index + 1] as number)) >>> 0;
  return internV6(word(0), word(2), word(4), word(6));
}

/** The 16-bit groups of one side of `::`; a dotted quad may stand at the very end. */
function groups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const values: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (isEnd && index === parts.length - 1 && part.includes('.')) {
      const quad = v4Value(part);
      if (quad === undefined) return undefined;
      values.push(quad >>> 16, quad & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      values.push(Number.parseInt(part, 16));
    } else return undefined;
  }
  return values;
}

function internV4(value: number): Address {
  const known = v4ByValue.get(value);
  if (known !== undefined) return known;
  const text = `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
  const address = new Address(4, text, value, 0, 0, 0);
  v4ByValue.set(value, address);
  byText.set(text, address);
  return address;
}

function internV6(w0: number, w1: number, w2: number, w3: number): Address {
  const text = v6Text(w0, w1, w2, w3);
  const known = byText.get(text);
  if (known !== undefined) return known;
  const address = new Address(6, text, w0, w1, w2, w3);
  byText.set(text, address);
  return address;
}

/** RFC 5952 §4 and §5 (dotted quad for IPv4-mapped addresses only, as inet_ntop does). */
function v6Text(w0: number, w1: number, w2: number, w3: number): string {
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return `::ffff:${w3 >>> 24}.${(w3 >>> 16) & 255}.${(w3 >>> 8) & 255}.${w3 & 255}`;
  const all = [w0 >>> 16, w0 & 0xffff, w1 >>> 16, w1 & 0xffff, w2 >>> 16, w2 & 0xffff, w3 >>> 16, w3 & 0xffff];
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && all[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
    if (length > 0) start += length;
  }
  const hex = (from: number, to: number) =>
    all
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return bestStart < 0 ? hex(0, 8) : `${hex(0, bestStart)}::${hex(bestStart + bestLength, 8)}`;
}
