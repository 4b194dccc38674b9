import { describe, expect, it } from 'vitest';
import { decodeRaw, encodeRaw, hasRawBytes, RawTextDecoder, RawTextEncoder } from './byte-text.ts';

describe('bytes in text', () => {
  it.each<[string, readonly number[], string]>([
    ['ASCII', [0x61, 0, 0x7f], 'a\0\u007f'],
    ['characters of two, three and four bytes', [0xc3, 0xa9, 0xe2, 0x98, 0x83, 0xf0, 0x9f, 0x92, 0x80], 'é☃\u{1f480}'],
    ['a byte order mark', [0xef, 0xbb, 0xbf], '\ufeff'],
    ['single bytes', [0xff, 0, 0xfe, 0x41], '\udcff\0\udcfeA'],
    ['half a character', [0xe2, 0x98], '\udce2\udc98'],
    ['half a character before a whole one', [0xe2, 0xc3, 0xa9], '\udce2é'],
    ['a character in too many bytes', [0xc0, 0x80], '\udcc0\udc80'],
    ['a surrogate', [0xed, 0xa0, 0x80], '\udced\udca0\udc80'],
    ['beyond the last character', [0xf4, 0x90, 0x80, 0x80], '\udcf4\udc90\udc80\udc80'],
  ])('%s', (_name, bytes, text) => {
    const given = Uint8Array.from(bytes);
    expect(decodeRaw(given)).toBe(text);
    expect([...encodeRaw(text)]).toEqual(bytes);
    expect(new RawTextDecoder('utf-8', { fatal: true }).decode(given)).toBe(text);
    expect([...new RawTextEncoder().encode(text)]).toEqual(bytes);
    expect(hasRawBytes(text)).toBe(/[\udc80-\udcff]/u.test(text));
  });
});
