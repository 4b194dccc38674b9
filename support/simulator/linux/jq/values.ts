/** JSON values as jq orders, prints, joins and indexes them (jq 1.7 manual; src/jv.c, jv_aux.c). */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };
export type Path = readonly Json[];

/** What `error` raises and `try` catches: any value. */
export class JqError extends Error {
  readonly value: Json;

  constructor(value: Json) {
    super(typeof value === 'string' ? value : `${text(value)} (not a string)`);
    this.value = value;
  }
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function typeOf(value: Json): string {
  return value === null ? 'null' : isList(value) ? 'array' : typeof value;
}

export function isTrue(value: Json): boolean {
  return value !== null && value !== false;
}

export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'null';
  if (!Number.isFinite(value)) return `${value < 0 ? '-' : ''}1.7976931348623157e+308`;
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  const shown = size !== 0 && size < 1e-4 ? value.toExponential() : String(value);
  return shown.replace(/e([+-])(\d)$/, 'e$10$2');
}

export interface Layout {
  readonly indent: string;
  readonly sortKeys: boolean;
  readonly ascii: boolean;
}

const plain: Layout = { indent: '', sortKeys: false, ascii: false };

export function text(value: Json, layout: Layout = plain, margin = '\n'): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value).replaceAll('\u007f', '\\u007f');
    if (!layout.ascii) return quoted;
    return quoted.replace(/[^\0-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  const inner = layout.indent === '' ? '' : margin + layout.indent;
  const parts = isList(value)
    ? value.map((item) => text(item, layout, inner))
    : keysOf(value, layout.sortKeys).map(
        (key) => `${text(key, layout)}:${layout.indent === '' ? '' : ' '}${text(value[key] as Json, layout, inner)}`,
      );
  const [open, close] = isList(value) ? '[]' : '{}';
  if (parts.length === 0) return `${open}${close}`;
  return `${open}${parts.map((part) => inner + part).join(',')}${layout.indent === '' ? '' : margin}${close}`;
}

export function keysOf(value: JsonObject, sorted = true): string[] {
  const keys = Object.keys(value);
  return sorted ? keys.sort((a, b) => (a < b ? -1 : Number(a > b))) : keys;
}

const ranks = ['null', 'false', 'true', 'number', 'string', 'array', 'object'];

export function compare(a: Json, b: Json): number {
  const rank = (value: Json): number => ranks.indexOf(typeof value === 'boolean' ? String(value) : typeOf(value));
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === 'number' || typeof a === 'string') return a < (b as typeof a) ? -1 : Number(a > (b as typeof a));
  if (isList(a)) return compareLists(a, b as readonly Json[]);
  if (!isObject(a)) return 0;
  const [left, right] = [keysOf(a), keysOf(b as JsonObject)];
  const keys = compareLists(left, right);
  if (keys !== 0) return keys;
  return compareLists(
    left.map((key) => a[key] as Json),
    left.map((key) => (b as JsonObject)[key] as Json),
  );
}

function compareLists(a: readonly Json[], b: readonly Json[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compare(a[index] as Json, b[index] as Json);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** A value in an error message, cut as jq cuts it (ERRORMAX_TRUNC: 11 bytes in all). */
export function excerpt(value: Json): string {
  const whole = text(value);
  return whole.length > 11 ? `${whole.slice(0, 10)}...` : whole;
}

export function described(value: Json): string {
  return `${typeOf(value)} (${excerpt(value)})`;
}

function sliceBounds(length: number, key: JsonObject): readonly [number, number] {
  const bound = (value: Json | undefined, missing: number, round: (n: number) => number): number => {
    if (value === null || value === undefined) return missing;
    if (typeof value !== 'number') throw new JqError('Start and end indices of an array slice must be numbers');
    return Math.max(0, Math.min(length, round(value < 0 ? value + length : value)));
  };
  const from = bound(key['start'], 0, Math.floor);
  return [from, Math.max(from, bound(key['end'], length, Math.ceil))];
}

export function index(value: Json, key: Json): Json {
  if (isObject(value) && typeof key === 'string') return Object.hasOwn(value, key) ? (value[key] as Json) : null;
  if (isList(value) && typeof key === 'number') {
    const place = Math.floor(key);
    return value[place < 0 ? place + value.length : place] ?? null;
  }
  if (isObject(key) && (isList(value) || typeof value === 'string')) {
    const letters = typeof value === 'string' ? [...value] : value;
    const part = letters.slice(...sliceBounds(letters.length, key));
    return typeof value === 'string' ? part.join('') : part;
  }
  if (isList(value) && isList(key)) return indices(value, key);
  if (value === null && (typeof key === 'string' || typeof key === 'number' || isObject(key) || key === null)) return null;
  if (typeof key === 'string') throw new JqError(`Cannot index ${typeOf(value)} with string "${key}"`);
  throw new JqError(`Cannot index ${typeOf(value)} with ${typeOf(key)}`);
}

export function indices(value: readonly Json[], part: readonly Json[]): Json {
  if (part.length === 0) return null;
  return value.flatMap((_, at) =>
    part.every((item, offset) => at + offset < value.length && compare(value[at + offset] as Json, item) === 0) ? [at] : [],
  );
}

export function getPath(value: Json, path: Path): Json {
  return path.reduce((at: Json, key) => (at === null ? null : index(at, key)), value);
}

export function setPath(value: Json, [key, ...rest]: Path, change: (old: Json) => Json): Json {
  if (key === undefined) return change(value);
  const changed = setPath(index(value, key), rest, change);
  if (typeof key === 'string') return { ...(value as JsonObject | null), [key]: changed };
  const list = (value ?? []) as readonly Json[];
  if (isObject(key)) {
    if (!isList(changed)) throw new JqError('A slice of an array can only be assigned another array');
    const [from, to] = sliceBounds(list.length, key);
    return [...list.slice(0, from), ...changed, ...list.slice(to)];
  }
  if (typeof key !== 'number') throw new JqError(`Invalid path component ${described(key)}`);
  const place = key < 0 ? key + list.length : key;
  if (place < 0) throw new JqError('Out of bounds negative array index');
  const copy = [...list];
  while (copy.length < place) copy.push(null);
  copy[place] = changed;
  return copy;
}

/** Later paths go first, so that the earlier ones still mean what they meant. */
export function deletePaths(value: Json, paths: readonly Path[]): Json {
  return [...paths].sort((a, b) => compare(b, a)).reduce(deletePath, value);
}

function deletePath(value: Json, [key, ...rest]: Path): Json {
  if (key === undefined || value === null) return null;
  if (rest.length > 0) return index(value, key) === null ? value : setPath(value, [key], (old) => deletePath(old, rest));
  if (isObject(value) && typeof key === 'string') {
    const { [key]: _gone, ...kept } = value;
    return kept;
  }
  if (isList(value) && typeof key === 'number') {
    const place = key < 0 ? key + value.length : key;
    return value.filter((_, at) => at !== place);
  }
  if (isList(value) && isObject(key)) {
    const [from, to] = sliceBounds(value.length, key);
    return value.filter((_, at) => at < from || at >= to);
  }
  throw new JqError(`Cannot delete field at ${isList(value) ? 'array' : 'object'} index of ${typeOf(value)}`);
}

export function arithmetic(operator: string, a: Json, b: Json): Json {
  const refuse = (verb: string): never => {
    throw new JqError(`${described(a)} and ${described(b)} cannot be ${verb}`);
  };
  const bothNumbers = typeof a === 'number' && typeof b === 'number';
  switch (operator) {
    case '+':
      if (a === null) return b;
      if (b === null) return a;
      if (bothNumbers) return a + b;
      if (typeof a === 'string' && typeof b === 'string') return a + b;
      if (isList(a) && isList(b)) return [...a, ...b];
      return isObject(a) && isObject(b) ? { ...a, ...b } : refuse('added');
    case '-':
      if (isList(a) && isList(b)) return a.filter((item) => !b.some((other) => compare(item, other) === 0));
      return bothNumbers ? a - b : refuse('subtracted');
    case '*': {
      if (bothNumbers) return a * b;
      const [word, times] = typeof a === 'string' ? [a, b] : [b, a];
      if (typeof word === 'string' && typeof times === 'number') return times <= 0 ? null : word.repeat(Math.max(1, Math.trunc(times)));
      return isObject(a) && isObject(b) ? merge(a, b) : refuse('multiplied');
    }
    case '/':
      if (typeof a === 'string' && typeof b === 'string') return a === '' ? [] : a.split(b);
      if (!bothNumbers) return refuse('divided');
      return b === 0 ? refuse('divided because the divisor is zero') : a / b;
    default:
      if (!bothNumbers) return refuse('divided');
      return Math.trunc(b) === 0 ? refuse('divided because the divisor is zero') : Math.trunc(a) % Math.abs(Math.trunc(b));
  }
}

function merge(a: JsonObject, b: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return merged;
}
