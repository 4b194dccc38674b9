/**
 * What programs hand to each other is text here, and bytes that are no UTF-8 stand in it as U+DC80 to U+DCFF, each by itself (Python's
 * surrogateescape, PEP 383): no text has those, so that both ways lead back to the same bytes.
 */
const escaped = /[\udc80-\udcff]/u;
const runsOfEscaped = /([\udc80-\udcff]+)/u;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Whether some of it is no text. Costs next to nothing where all of it is. */
export function hasRawBytes(text: string): boolean {
  return escaped.test(text);
}

export function encodeRaw(text: string): Uint8Array {
  if (!hasRawBytes(text)) return encoder.encode(text);
  return Buffer.concat(text.split(runsOfEscaped).map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'latin1'))));
}

export function decodeRaw(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeByParts(bytes);
  }
}

/** How long a character is that begins with this byte; 0: none does (RFC 3629, section 4). */
function lengthOf(byte: number): number {
  if (byte < 0x80) return 1;
  if (byte < 0xc2 || byte > 0xf4) return 0;
  return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

function decodeByParts(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  for (let index = 0; index < bytes.length; ) {
    const length = lengthOf(bytes[index] as number);
    if (length === 1 || (length > 1 && isCharacter(bytes.subarray(index, index + length)))) {
      index += length;
      continue;
    }
    parts.push(strict.decode(bytes.subarray(from, index)), String.fromCharCode(0xdc00 + (bytes[index] as number)));
    index += 1;
    from = index;
  }
  parts.push(strict.decode(bytes.subarray(from)));
  return parts.join('');
}

function isCharacter(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A text encoder and decoder that know such texts, for a library that makes its own. */
export class RawTextEncoder extends TextEncoder {
  override encode(text = ''): Uint8Array<ArrayBuffer> {
    return hasRawBytes(text) ? (Uint8Array.from(encodeRaw(text)) as Uint8Array<ArrayBuffer>) : super.encode(text);
  }
}

export class RawTextDecoder extends TextDecoder {
  /** A byte order mark is part of what a pipe carries. */
  constructor(label?: string, options: { readonly fatal?: boolean; readonly ignoreBOM?: boolean } = {}) {
    super(label, { ignoreBOM: true, ...options });
  }

  override decode(input?: ArrayBuffer | NodeJS.ArrayBufferView | null, options?: { stream?: boolean }): string {
    if (!this.fatal || !(input instanceof Uint8Array) || options?.stream === true) return super.decode(input, options);
    try {
      return super.decode(input, options);
    } catch {
      return decodeRaw(input);
    }
  }
}
