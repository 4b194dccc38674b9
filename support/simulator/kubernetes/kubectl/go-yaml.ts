import { goNumber } from './json.ts';
import { isDict } from './values.ts';

/**
 * YAML as sigs.k8s.io/yaml writes it (the emitter of go-yaml v2: width 80, indent 2, sequences not indented).
 * No npm package gives these bytes: which strings are quoted, how, and where they are folded differs.
 */
export function toYaml(value: unknown): string {
  if (isDict(value) && definedKeys(value).length > 0) return `${mapping(value, 0)}\n`;
  if (Array.isArray(value) && value.length > 0) return `${sequence(value, 0)}\n`;
  return `${node(value, 0, -1).trimStart()}\n`;
}

const wordsOfOtherTypes = new Set(
  (
    '~ null Null NULL y Y yes Yes YES true True TRUE on On ON n N no No NO false False FALSE off Off OFF .nan .NaN .NAN .inf .Inf .INF ' +
    '+.inf +.Inf +.INF -.inf -.Inf -.INF'
  ).split(' '),
);

const timestampPattern = /^\d{4}-\d{1,2}-\d{1,2}([Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[+-]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?)?$/;

/** Whether YAML 1.1 would read the plain text as something other than a string. */
export function readsAsOtherType(text: string): boolean {
  if (text === '' || wordsOfOtherTypes.has(text)) return true;
  const first = text[0] as string;
  const digits = text.replaceAll('_', '');
  if (first === '.') return /^\.[0-9]+([eE][-+]?[0-9]+)?$/.test(digits);
  if (!/[-+0-9]/.test(first)) return false;
  return (
    timestampPattern.test(text) ||
    /^[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.test(digits) ||
    /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(digits) ||
    // base 60, which a MAC address of digits only would be
    /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text)
  );
}

function isBreak(char: string | undefined): boolean {
  return char === '\r' || char === '\n' || char === '\x85' || char === '\u2028' || char === '\u2029';
}

function isPrintable(code: number): boolean {
  return (
    code === 0x0a ||
    (code >= 0x20 && code <= 0x7e) ||
    (code >= 0xa0 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd && code !== 0xfeff)
  );
}

interface Styles {
  readonly plain: boolean;
  readonly single: boolean;
  readonly block: boolean;
  readonly isMultiline: boolean;
}

/** Which styles can carry the text: libyaml's yaml_emitter_analyze_scalar. */
function analyze(chars: readonly string[]): Styles {
  const indicators = chars.slice(0, 3).join('');
  let blockIndicator = indicators === '---' || indicators === '...';
  let hasBreak = false;
  let isSpecial = false;
  let leadingSpace = false;
  let leadingBreak = false;
  let trailingSpace = false;
  let trailingBreak = false;
  let breakThenSpace = false;
  let spaceThenBreak = false;
  let wasSpace = false;
  let wasBreak = false;
  let afterWhite = true;
  const last = chars.length - 1;
  chars.forEach((char, index) => {
    const next = chars[index + 1];
    const followedByWhite = next === undefined || next === ' ' || next === '\t' || isBreak(next);
    if (index === 0) {
      if ('#,[]{}&*!|>\'"%@`'.includes(char)) blockIndicator = true;
      else if ((char === '?' || char === ':' || char === '-') && followedByWhite) blockIndicator = true;
    } else if ((char === ':' && followedByWhite) || (char === '#' && afterWhite)) blockIndicator = true;
    if (!isPrintable(char.codePointAt(0) as number)) isSpecial = true;
    if (char === ' ') {
      if (index === 0) leadingSpace = true;
      if (index === last) trailingSpace = true;
      if (wasBreak) breakThenSpace = true;
      wasSpace = true;
      wasBreak = false;
    } else if (isBreak(char)) {
      hasBreak = true;
      if (index === 0) leadingBreak = true;
      if (index === last) trailingBreak = true;
      if (wasSpace) spaceThenBreak = true;
      wasSpace = false;
      wasBreak = true;
    } else {
      wasSpace = false;
      wasBreak = false;
    }
    afterWhite = char === ' ' || char === '\t' || isBreak(char);
  });
  const isUnfit = spaceThenBreak || isSpecial;
  return {
    plain: !(leadingSpace || leadingBreak || trailingSpace || trailingBreak || breakThenSpace || isUnfit || hasBreak || blockIndicator),
    single: !(breakThenSpace || isUnfit),
    block: !(trailingSpace || isUnfit),
    isMultiline: hasBreak,
  };
}

const escapes: Readonly<Record<number, string>> = {
  0: '\\0',
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  27: '\\e',
  34: '\\"',
  92: '\\\\',
  133: '\\N',
  160: '\\_',
  8232: '\\L',
  8233: '\\P',
};

function escaped(code: number): string {
  const known = escapes[code];
  if (known !== undefined) return known;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** @param start the column where the scalar begins; folding depends on it */
function scalar(text: string, start: number, indent: number, isKey: boolean): string {
  const chars = [...text];
  const styles = analyze(chars);
  let style: 'plain' | 'single' | 'double' | 'literal' = text.includes('\n') ? 'literal' : readsAsOtherType(text) ? 'double' : 'plain';
  if (style === 'plain' && !styles.plain) style = 'single';
  if (style === 'single' && !styles.single) style = 'double';
  if (style === 'literal' && (!styles.block || isKey)) style = 'double';
  if (style === 'literal') return literal(text, chars, indent);
  const fold = `\n${' '.repeat(indent)}`;
  const canFold = (index: number, wasSpace: boolean, column: number): boolean =>
    !isKey &&
    !wasSpace &&
    column > 80 &&
    (style === 'double' || chars[index + 1] !== ' ') &&
    (style === 'plain' || (index > 0 && index < chars.length - 1));
  let column = style === 'plain' ? start : start + 1;
  let wasSpace = false;
  let body = '';
  chars.forEach((char, index) => {
    if (char === ' ') {
      if (canFold(index, wasSpace, column)) {
        body += fold;
        column = indent;
        if (style === 'double' && chars[index + 1] === ' ') {
          body += '\\';
          column++;
        }
      } else {
        body += ' ';
        column++;
      }
      wasSpace = true;
      return;
    }
    const code = char.codePointAt(0) as number;
    let written = char;
    if (style === 'single' && char === "'") written = "''";
    else if (style === 'double' && (!isPrintable(code) || isBreak(char) || char === '"' || char === '\\')) written = escaped(code);
    body += written;
    column += [...written].length;
    wasSpace = false;
  });
  if (style === 'plain') return body;
  return style === 'single' ? `'${body}'` : `"${body}"`;
}

function literal(text: string, chars: readonly string[], indent: number): string {
  let header = chars[0] === ' ' || isBreak(chars[0]) ? '|2' : '|';
  if (!isBreak(chars.at(-1))) header += '-';
  else if (chars.length === 1 || isBreak(chars.at(-2))) header += '+';
  const pad = ' '.repeat(indent);
  const lines = text.replace(/\n$/, '').split('\n');
  return header + lines.map((line) => (line === '' ? '\n' : `\n${pad}${line}`)).join('');
}

/** What follows `key:` or `-`, with its leading blank or line break. */
function node(value: unknown, indent: number, column: number): string {
  if (Array.isArray(value)) return value.length === 0 ? ' []' : `\n${sequence(value, indent)}`;
  if (isDict(value)) return definedKeys(value).length === 0 ? ' {}' : `\n${mapping(value, indent + 2)}`;
  return ` ${leaf(value, column + 1, indent + 2)}`;
}

function leaf(value: unknown, column: number, indent: number): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return scalar(value, column, indent, false);
  return typeof value === 'number' ? goNumber(value) : String(value);
}

function mapping(dict: Readonly<Record<string, unknown>>, indent: number): string {
  const pad = ' '.repeat(indent);
  return definedKeys(dict)
    .sort((a, b) => (isKeyBefore(a, b) ? -1 : 1))
    .map((key) => {
      const shown = scalar(key, indent, indent, true);
      return `${pad}${shown}:${node(dict[key], indent, indent + [...shown].length + 1)}`;
    })
    .join('\n');
}

function sequence(items: readonly unknown[], indent: number): string {
  const dash = `${' '.repeat(indent)}-`;
  return items
    .map((item) => {
      if (Array.isArray(item)) return item.length === 0 ? `${dash} []` : `${dash} ${sequence(item, indent + 2).slice(indent + 2)}`;
      if (isDict(item)) return definedKeys(item).length === 0 ? `${dash} {}` : `${dash} ${mapping(item, indent + 2).slice(indent + 2)}`;
      return `${dash} ${leaf(item, indent + 2, indent + 2)}`;
    })
    .join('\n');
}

function definedKeys(dict: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(dict).filter((key) => dict[key] !== undefined);
}

const isLetter = (char: string): boolean => /\p{L}/u.test(char);
const isDigit = (char: string | undefined): boolean => char !== undefined && /\p{Nd}/u.test(char);

/** go-yaml's order of keys: letters after other characters, runs of digits by their number. */
function isKeyBefore(x: string, y: string): boolean {
  const a = [...x];
  const b = [...y];
  for (let index = 0; index < a.length && index < b.length; index++) {
    const left = a[index] as string;
    const right = b[index] as string;
    if (left === right) continue;
    if (isLetter(left) && isLetter(right)) return left < right;
    if (isLetter(left) || isLetter(right)) return isLetter(right);
    let leftNumber = 0;
    let rightNumber = 0;
    if (left === '0' || right === '0') {
      for (let before = index - 1; before >= 0 && isDigit(a[before]); before--) {
        if (a[before] !== '0') {
          leftNumber = 1;
          rightNumber = 1;
          break;
        }
      }
    }
    let leftEnd = index;
    let rightEnd = index;
    for (; isDigit(a[leftEnd]); leftEnd++) leftNumber = leftNumber * 10 + Number(a[leftEnd]);
    for (; isDigit(b[rightEnd]); rightEnd++) rightNumber = rightNumber * 10 + Number(b[rightEnd]);
    if (leftNumber !== rightNumber) return leftNumber < rightNumber;
    if (leftEnd !== rightEnd) return leftEnd < rightEnd;
    return left < right;
  }
  return a.length < b.length;
}
