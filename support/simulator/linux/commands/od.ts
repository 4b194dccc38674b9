import { encodeRaw } from '../../docker/byte-text.ts';
import { resolvePath } from '../../docker/file-system.ts';
import type { Command, CommandContext } from '../../docker/types.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, run } from './result.ts';

/** How one kind of unit is shown: coreutils' od.c gives each a width that fits its greatest value. */
interface Format {
  readonly size: number;
  readonly width: number;
  show(bytes: Uint8Array): string;
}

const lineLength = 16;

/** Options of old for a type, as od(1) lists them. */
const traditional: Readonly<Record<string, string>> = {
  a: 'a',
  b: 'o1',
  c: 'c',
  d: 'u2',
  i: 'd4',
  l: 'd8',
  o: 'o2',
  s: 'd2',
  x: 'x2',
};

const escapes: Readonly<Record<number, string>> = { 0: '\\0', 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' };

const controls =
  'nul soh stx etx eot enq ack bel bs ht nl vt ff cr so si dle dc1 dc2 dc3 dc4 nak syn etb can em sub esc fs gs rs us sp'.split(' ');

const sizes: Readonly<Record<string, number>> = { C: 1, S: 2, I: 4, L: 8, '': 4 };

function character(byte: number): string {
  if (byte in escapes) return escapes[byte] as string;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte.toString(8).padStart(3, '0');
}

function controlName(byte: number): string {
  const low = byte & 0x7f;
  return low === 0x7f ? 'del' : (controls[low] ?? String.fromCharCode(low));
}

/** A number of that many bytes, the least significant first. */
function unsigned(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

function numbers(letter: string, size: number): Format {
  const greatest = 256n ** BigInt(size) - 1n;
  const radix = letter === 'x' ? 16 : letter === 'o' ? 8 : 10;
  const digits = greatest.toString(radix).length;
  if (letter === 'x' || letter === 'o')
    return { size, width: digits, show: (bytes) => unsigned(bytes).toString(radix).padStart(digits, '0') };
  if (letter === 'u') return { size, width: digits, show: (bytes) => unsigned(bytes).toString() };
  const width = (greatest / 2n + 1n).toString().length + 1;
  return { size, width, show: (bytes) => BigInt.asIntN(size * 8, unsigned(bytes)).toString() };
}

function formatsOf(type: string): Format[] {
  const found: Format[] = [];
  let rest = type;
  while (rest !== '') {
    const [whole = '', letter = '', size = ''] = /^([acdoux])(\d+|[CSIL]?)/.exec(rest) ?? [];
    const bytes = /^\d+$/.test(size) ? Number(size) : sizes[size];
    if (rest.startsWith('f') || rest.includes('z')) throw new CommandFailure(`od: not simulated: -t ${type}\n`);
    if (whole === '' || bytes === undefined) throw new CommandFailure(`od: invalid character '${rest[0]}' in type string '${type}'\n`);
    if (letter === 'c' || letter === 'a')
      found.push({ size: 1, width: 3, show: ([byte = 0]) => (letter === 'c' ? character(byte) : controlName(byte)) });
    else if (![1, 2, 4, 8].includes(bytes))
      throw new CommandFailure(`od: invalid type string '${type}';\nthis system doesn't provide a ${bytes}-byte integral type\n`);
    else found.push(numbers(letter, bytes));
    // c and a have no size
    rest = rest.slice(letter === 'c' || letter === 'a' ? 1 : whole.length);
  }
  return found;
}

function count(option: string, text: string): number {
  const match = /^(0[xX][0-9a-fA-F]+|\d+)([bkKmM]?)$/.exec(text);
  if (match === null) throw new CommandFailure(`od: invalid -${option} argument '${text}'\n`);
  const value = /^0\d/.test(match[1] as string) ? Number.parseInt(match[1] as string, 8) : Number(match[1]);
  return value * ({ b: 512, k: 1024, K: 1024, m: 1_048_576, M: 1_048_576 }[match[2] ?? ''] ?? 1);
}

function inputOf(
  files: readonly string[],
  { files: system, cwd, stdin }: CommandContext,
): { readonly bytes: Uint8Array; readonly stderr: string } {
  const parts: Uint8Array[] = [];
  let stderr = '';
  for (const file of files.length === 0 ? ['-'] : files) {
    const path = resolvePath(cwd, file);
    const text = file === '-' ? stdin : path === '/dev/null' ? '' : system.read(path);
    if (text !== undefined) parts.push(encodeRaw(text));
    else stderr += system.isDirectory(path) ? `od: ${file}: read error: Is a directory\n` : `od: ${file}: No such file or directory\n`;
  }
  return { bytes: Buffer.concat(parts), stderr };
}

function dump(bytes: Uint8Array, from: number, formats: readonly Format[], address: (at: number) => string, showsAll: boolean): string {
  const widest = Math.max(...formats.map(({ size, width }) => (width + 1) * (lineLength / size)));
  const lines: string[] = [];
  let before = '';
  let isRepeated = false;
  for (let at = 0; at < bytes.length; at += lineLength) {
    const block = bytes.subarray(at, at + lineLength);
    const key = block.length === lineLength ? block.join() : '';
    if (!showsAll && key !== '' && key === before) {
      if (!isRepeated) lines.push('*');
      isRepeated = true;
      continue;
    }
    before = key;
    isRepeated = false;
    const start = address(from + at);
    formats.forEach((format, index) => {
      lines.push((index === 0 ? start : ' '.repeat(start.length)) + lineOf(block, format, widest));
    });
  }
  const end = address(from + bytes.length);
  return `${[...lines, ...(end === '' ? [] : [end])].join('\n')}${lines.length + end.length === 0 ? '' : '\n'}`;
}

/** Of several types the narrower ones are spread over the width of the widest. */
function lineOf(block: Uint8Array, { size, width, show }: Format, widest: number): string {
  const fields = lineLength / size;
  const padding = widest - width * fields;
  let left = padding;
  let line = '';
  for (let index = 0; index * size < block.length; index++) {
    const next = Math.floor((padding * (fields - index - 1)) / fields);
    line += show(block.subarray(index * size, (index + 1) * size)).padStart(left - next + width);
    left = next;
  }
  return line;
}

/** od(1) of coreutils 9.1. */
export const od: Command = (args, context) =>
  run(() => {
    const { options, operands } = parseOptions(args, {
      letters: 'A:t:N:j:vabcdilosx',
      long: ['address-radix:', 'format:', 'read-bytes:', 'skip-bytes:', 'output-duplicates'],
      unknown: (option) =>
        new CommandFailure(`od: invalid option -- '${option.replace(/^-+/, '')}'\nTry 'od --help' for more information.\n`),
    });
    const last = (letter: string, long: string): string | undefined => options.get(letter)?.at(-1) ?? options.get(long)?.at(-1);
    const formats: Format[] = [];
    for (const [name, values] of options) {
      if (name === 't' || name === 'format') for (const value of values) formats.push(...formatsOf(value));
      else if (name in traditional) formats.push(...formatsOf(traditional[name] as string));
    }
    if (formats.length === 0) formats.push(...formatsOf('o2'));
    const radix = last('A', 'address-radix') ?? 'o';
    const address = addresses[radix];
    if (address === undefined)
      throw new CommandFailure(`od: invalid output address radix '${radix}'; it must be one character from [doxn]\n`);
    const { bytes, stderr } = inputOf(operands, context);
    const skipped = count('j', last('j', 'skip-bytes') ?? '0');
    const limit = last('N', 'read-bytes');
    if (skipped > bytes.length) throw new CommandFailure('od: cannot skip past end of combined input\n');
    const shown = bytes.subarray(skipped, limit === undefined ? undefined : skipped + count('N', limit));
    const isMissing = stderr !== '' && operands.length === 1;
    return {
      stdout: isMissing ? '' : dump(shown, skipped, formats, address, options.has('v') || options.has('output-duplicates')),
      stderr,
      exitCode: stderr === '' ? 0 : 1,
    };
  });

const addresses: Readonly<Record<string, (at: number) => string>> = {
  o: (at) => at.toString(8).padStart(7, '0'),
  d: (at) => String(at).padStart(7, '0'),
  x: (at) => at.toString(16).padStart(6, '0'),
  n: () => '',
};
