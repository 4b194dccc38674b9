import { ip, prefix } from '../net/address.ts';
import type { Family, Ip, Prefix } from '../net/types.ts';

/** A received message broke its own format; the speaker answers with this NOTIFICATION (RFC 4271 §6). */
export class MessageError extends Error {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;

  constructor(code: number, subcode: number, message: string, data: Uint8Array = new Uint8Array()) {
    super(message);
    this.name = 'MessageError';
    this.code = code;
    this.subcode = subcode;
    this.data = data;
  }
}

/** Reads network byte order from front to back; running over the end is the error that the caller names. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #overrun: () => Error;
  #at: number;

  constructor(bytes: Uint8Array, overrun: () => Error, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#overrun = overrun;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    if (this.#at >= this.#end) throw this.#overrun();
    return this.#bytes[this.#at++] as number;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#end) throw this.#overrun();
    const slice = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return slice;
  }

  /** A reader over the next `length` bytes, which this one then skips. */
  part(length: number, overrun: () => Error = this.#overrun): Reader {
    return new Reader(this.bytes(length), overrun);
  }
}

/** Collects network byte order. */
export class Writer {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  u8(value: number): this {
    this.#bytes.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    this.#bytes.push((value >>> 8) & 0xff, value & 0xff);
    return this;
  }

  u32(value: number): this {
    this.#bytes.push((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
    return this;
  }

  bytes(values: ArrayLike<number>): this {
    for (let index = 0; index < values.length; index++) this.#bytes.push(values[index] as number);
    return this;
  }

  text(text: string): this {
    return this.bytes(new TextEncoder().encode(text));
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

export function addressBytes(address: Ip): number[] {
  const length = address.family === 4 ? 4 : 16;
  const bytes = new Array<number>(length);
  let { value } = address;
  for (let index = length - 1; index >= 0; index--) {
    bytes[index] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

export function readAddress(bytes: Uint8Array, family: Family): Ip {
  if (family === 4) return ip(`${bytes[0] ?? 0}.${bytes[1] ?? 0}.${bytes[2] ?? 0}.${bytes[3] ?? 0}`);
  const groups: string[] = [];
  for (let index = 0; index < 16; index += 2) groups.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  return ip(groups.join(':'));
}

/** RFC 4271 §4.3: length in bits, then as many bytes as that needs. */
export function writePrefix(writer: Writer, value: Prefix): void {
  writer.u8(value.length).bytes(addressBytes(value.address).slice(0, Math.ceil(value.length / 8)));
}

export function readPrefix(reader: Reader, family: Family): Prefix {
  const length = reader.u8();
  const size = family === 4 ? 4 : 16;
  if (length > size * 8) throw new MessageError(3, 10, `prefix length ${length}`);
  const bytes = new Uint8Array(size);
  bytes.set(reader.bytes(Math.ceil(length / 8)));
  return prefix(`${readAddress(bytes, family).text}/${length}`);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16));
}
