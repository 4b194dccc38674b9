import { isDict, sortedKeys } from './values.ts';

/** JSON as Go's encoding/json writes a map: sorted keys, HTML characters escaped. */
export function goJson(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return goString(value);
  if (typeof value === 'number') return goNumber(value);
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`;
  if (!isDict(value)) return String(value);
  const members = sortedKeys(value).filter((key) => value[key] !== undefined);
  return `{${members.map((key) => `${goString(key)}:${goJson(value[key])}`).join(',')}}`;
}

/** `-o json`: four blanks a level; sorted keys, or those of a typed object in the order of its Go fields. */
export function goJsonIndented(value: unknown, isTyped = false, indent = ''): string {
  const inner = `${indent}    `;
  if (Array.isArray(value) && value.length > 0) {
    return `[\n${value.map((item) => inner + goJsonIndented(item, isTyped, inner)).join(',\n')}\n${indent}]`;
  }
  if (isDict(value)) {
    const keys = (isTyped ? Object.keys(value) : sortedKeys(value)).filter((key) => value[key] !== undefined);
    const members = keys.map((key) => `${inner}${goString(key)}: ${goJsonIndented(value[key], isTyped, inner)}`);
    if (members.length > 0) return `{\n${members.join(',\n')}\n${indent}}`;
  }
  return goJson(value);
}

/** The same object with its keys in order, for what is untyped inside a typed list. */
export function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep);
  return isDict(value) ? Object.fromEntries(sortedKeys(value).map((key) => [key, sortedDeep(value[key])])) : value;
}

export function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function goNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** The error of Go's decoder for a text that is no JSON. */
export function goJsonProblem(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'unexpected end of JSON input';
  try {
    JSON.parse(text);
    return '';
  } catch (error) {
    const position = /position (\d+)/.exec(String(error));
    const char = position === null ? undefined : text[Number(position[1])];
    if (char === undefined) return 'unexpected end of JSON input';
    const before = text.slice(0, Number(position?.[1])).trimEnd().at(-1) ?? '';
    const shown = char === "'" ? `'\\''` : char === '"' ? `'"'` : `'${char}'`;
    const place =
      before === '{'
        ? 'looking for beginning of object key string'
        : before === ','
          ? /\{[^[\]{}]*,\s*$/.test(text.slice(0, Number(position?.[1])))
            ? 'looking for beginning of object key string'
            : 'looking for beginning of value'
          : before === ':' || before === '[' || before === ''
            ? 'looking for beginning of value'
            : char === ':' || before === '"'
              ? 'after object key'
              : 'after object key:value pair';
    return `invalid character ${shown} ${place}`;
  }
}
