import { decodeRaw } from '../docker/byte-text.ts';

/** Scripts that write bytes by number: `\xff`, `\377`, `\0377`, of those beyond ASCII. */
export const mayEscapeBytes = /\\(?:x[89a-fA-F]|0?[23][0-7]{2})/;

/** One byte above 0x7f, or several: together they may be a character. `\0377` is a form of `%b` and `echo -e` only. */
const runOf = (octal: string): RegExp => new RegExp(`(\\\\\\\\)|(?:\\\\x[89a-fA-F][0-9a-fA-F]|\\\\${octal}[23][0-7]{2})+`, 'g');
const runs = runOf('');
const zeroRuns = runOf('0?');

/** just-bash makes of each such byte the Latin-1 letter; here they become what a byte is elsewhere. */
function unescapeBytes(text: string, pattern = runs): string {
  return text.replace(pattern, (run: string, backslash: string | undefined) => {
    if (backslash !== undefined) return run;
    const bytes = [...run.matchAll(/x([0-9a-fA-F]{2})|0?([23][0-7]{2})/g)].map(([, hex, octal]) =>
      hex === undefined ? Number.parseInt(octal as string, 8) : Number.parseInt(hex, 16),
    );
    return decodeRaw(Uint8Array.from(bytes));
  });
}

/** `$'…'` in a script. */
export function unescapeQuoted(script: string): string {
  if (!script.includes("$'") || !mayEscapeBytes.test(script)) return script;
  return script.replace(/\$'(?:[^'\\]|\\[\s\S])*'/g, (quoted) => unescapeBytes(quoted));
}

/** The words of `printf` and `echo` as just-bash's own shall have them. */
export function unescapeWords(name: string, args: readonly string[]): string[] {
  if (name === 'echo') return /^-[nE]*e[nEe]*$/.test(args[0] ?? '') ? args.map((arg) => unescapeBytes(arg, zeroRuns)) : [...args];
  const at = args[0] === '-v' ? 2 : args[0] === '--' ? 1 : 0;
  const takesEscapes = /%-?\d*b/.test(args[at] ?? '');
  return args.map((arg, index) => (index === at ? unescapeBytes(arg) : index > at && takesEscapes ? unescapeBytes(arg, zeroRuns) : arg));
}
