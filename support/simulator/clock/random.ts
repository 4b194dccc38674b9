/**
 * A seeded source of pseudo-random numbers (sfc32, seeded by an FNV-1a hash of the seed's text).
 * Each subject draws from its own named stream, so that one more draw in one of them moves no other.
 */
export class Random {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number) {
    this.#seed = String(seed);
    this.#a = hash(`${this.#seed}/a`);
    this.#b = hash(`${this.#seed}/b`);
    this.#c = hash(`${this.#seed}/c`);
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** An independent stream for one subject, e.g. `random.stream('pod-names')`: same seed and name, same draws. */
  stream(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
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
    const codes: number[] = [];
    for (let index = 0; index < length; index++) codes.push(alphabet.charCodeAt(this.integer(0, alphabet.length - 1)));
    return String.fromCharCode(...codes);
  }

  /** `length` hexadecimal digits. */
  hex(length: number): string {
    return this.text(length, '0123456789abcdef');
  }

  /** An RFC 9562 version 4 UUID. */
  uuid(): string {
    return [this.hex(8), this.hex(4), `4${this.hex(3)}`, this.pick(['8', '9', 'a', 'b']) + this.hex(3), this.hex(12)].join('-');
  }
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value ^= text.charCodeAt(index);
    value = Math.imul(value, 0x01000193);
  }
  return value >>> 0;
}
