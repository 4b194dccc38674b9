/**
 * A seeded source of pseudo-random numbers (sfc32, seeded by an FNV-1a hash of the seed's text).
 * Each subject draws from its own named stream, so that one more draw in one of them moves no other.
 */
export class Random {
  /** Of the seed's text: what a stream adds to the text is hashed on from here. */
  readonly #hash: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number, from = fnvOffset) {
    this.#hash = hash(String(seed), from);
    this.#a = hash('/a', this.#hash);
    this.#b = hash('/b', this.#hash);
    this.#c = hash('/c', this.#hash);
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** An independent stream for one subject, e.g. `random.stream('pod-names')`: same seed and name, same draws. */
  stream(name: string): Random {
    return new Random(`/${name}`, this.#hash);
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** A fraction from 0 (included) to 1 (excluded). */
  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** One element of a list that is not empty. */
  pick<T>(from: readonly T[]): T {
    return from[this.integer(0, from.length - 1)] as T;
  }

  /** `length` characters of `alphabet`. */
  text(length: number, alphabet: string): string {
    // Codes first: a string that grows by one character at a time stays a chain of pieces in memory.
    const codes = new Array<number>(length);
    for (let index = 0; index < length; index++) codes[index] = alphabet.charCodeAt(this.integer(0, alphabet.length - 1));
    return String.fromCharCode.apply(undefined, codes);
  }

  /** `length` hexadecimal digits. */
  hex(length: number): string {
    return this.text(length, hexadecimal);
  }

  /** An RFC 9562 version 4 UUID. */
  uuid(): string {
    const codes = uuidForm.slice();
    for (let index = 0; index < codes.length; index++) {
      if (codes[index] === anyDigit) codes[index] = hexadecimal.charCodeAt(this.integer(0, 15));
      else if (codes[index] === variantDigit) codes[index] = hexadecimal.charCodeAt(8 + this.integer(0, 3));
    }
    return String.fromCharCode.apply(undefined, codes);
  }
}

const hexadecimal = '0123456789abcdef';
const anyDigit = 'x'.charCodeAt(0);
const variantDigit = 'y'.charCodeAt(0);
const uuidForm: readonly number[] = Array.from('xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx', (character) => character.charCodeAt(0));

const fnvOffset = 0x811c9dc5;

function hash(text: string, from: number): number {
  let value = from;
  for (let index = 0; index < text.length; index++) {
    value ^= text.charCodeAt(index);
    value = Math.imul(value, 0x01000193);
  }
  return value >>> 0;
}
