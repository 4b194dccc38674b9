import {
  compare,
  deletePaths,
  described,
  index,
  indices,
  isList,
  isObject,
  JqError,
  type Json,
  type JsonObject,
  keysOf,
  type Path,
  setPath,
  text,
  typeOf,
} from './values.ts';

type Native = (input: Json, ...args: readonly Json[]) => Json;

function plainText(value: Json): string {
  return typeof value === 'string' ? value : text(value);
}

function refuse(value: Json, what: string): never {
  throw new JqError(`${described(value)} ${what}`);
}

function strings(value: Json, what: string): string {
  return typeof value === 'string' ? value : refuse(value, what);
}

function list(value: Json, what: string): readonly Json[] {
  return isList(value) ? value : refuse(value, what);
}

/** A value through one of the `@` formats. */
export function formatted(name: string, value: Json): string {
  switch (name) {
    case '@text':
      return plainText(value);
    case '@json':
      return text(value);
    case '@csv':
    case '@tsv':
      return list(value, `cannot be ${name.slice(1)}-formatted, only an array can be`)
        .map((item) => {
          if (item === null) return '';
          if (typeof item === 'object') return refuse(item, `is not valid in a csv row`);
          if (typeof item !== 'string') return text(item);
          if (name === '@csv') return `"${item.replaceAll('"', '""')}"`;
          return item.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
        })
        .join(name === '@csv' ? ',' : '\t');
    case '@html': {
      const names: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', "'": '&#39;', '"': '&quot;' };
      return plainText(value).replace(/[<>&'"]/g, (letter) => names[letter] as string);
    }
    case '@uri':
      return encodeURIComponent(plainText(value)).replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
    case '@sh':
      return (isList(value) ? value : [value])
        .map((item) => {
          if (typeof item === 'object' && item !== null) return refuse(item, 'can not be escaped for shell');
          return typeof item === 'string' ? `'${item.replaceAll("'", "'\\''")}'` : text(item);
        })
        .join(' ');
    case '@base64':
      return Buffer.from(plainText(value)).toString('base64');
    case '@base64d': {
      const source = plainText(value);
      if (source !== '' && !/^[A-Za-z0-9+/]{2,}=*$/.test(source)) return refuse(value, 'is not valid base64 data');
      return Buffer.from(source, 'base64').toString();
    }
    default:
      throw new JqError(`${name.slice(1)} is not a valid format`);
  }
}

function chosen(value: Json, keys: Json, what: Json): Json {
  if (!isList(value)) throw new JqError(`Cannot index ${typeOf(value)} with number`);
  const rows = value.map((item, at) => ({ item, key: (keys as readonly Json[])[at] as Json }));
  if (what === 'min' || what === 'max') {
    let best = rows[0];
    for (const row of rows.slice(1)) {
      const order = compare(row.key, best?.key ?? null);
      if (what === 'min' ? order < 0 : order >= 0) best = row;
    }
    return best?.item ?? null;
  }
  rows.sort((a, b) => compare(a.key, b.key));
  if (what === 'sort') return rows.map(({ item }) => item);
  const groups: { key: Json; items: Json[] }[] = [];
  for (const { item, key } of rows) {
    const last = groups.at(-1);
    if (last !== undefined && compare(last.key, key) === 0) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return what === 'group' ? groups.map(({ items }) => items) : groups.map(({ items }) => items[0] as Json);
}

function contains(a: Json, b: Json, isInner = false): boolean {
  if (isObject(a) && isObject(b))
    return Object.entries(b).every(([key, value]) => Object.hasOwn(a, key) && contains(a[key] as Json, value, true));
  if (isList(a) && isList(b)) return b.every((want) => a.some((have) => contains(have, want, true)));
  if (typeof a === 'string' && typeof b === 'string') return a.includes(b);
  if (typeOf(a) !== typeOf(b) && !isInner) throw new JqError(`${described(a)} and ${described(b)} cannot have their containment checked`);
  return compare(a, b) === 0;
}

function flatten(value: readonly Json[], depth: number): readonly Json[] {
  return value.flatMap((item) => (isList(item) && depth > 0 ? flatten(item, depth - 1) : [item]));
}

function matches(input: Json, pattern: Json, flags: Json): Json {
  const [source, letters] = isList(pattern) ? [pattern[0] ?? null, pattern[1] ?? null] : [pattern, flags];
  const subject = strings(input, 'cannot be matched, as it is not a string');
  const words = strings(source, 'cannot be matched, as it is not a string');
  const given = typeof letters === 'string' ? letters : '';
  const unknown = /[^gimnpslx]/.exec(given);
  if (unknown !== null) throw new JqError(`${given} is not a valid modifier string`);
  let expression: RegExp;
  try {
    const body = (given.includes('x') ? words.replace(/\s+|#.*$/gm, '') : words)
      .replace(/\(\?i\)/g, '')
      .replace(/\[\[:(\w+):\]\]/g, (_, name: string) => classes[name] ?? '');
    expression = new RegExp(body, `dgu${given.includes('i') || words.includes('(?i)') ? 'i' : ''}${/[sp]/.test(given) ? 's' : ''}`);
  } catch {
    throw new JqError(`${words} (at offset 0) is not a valid regex`);
  }
  const place = (at: number): number => [...subject.slice(0, at)].length;
  const found: Json[] = [];
  for (const match of subject.matchAll(expression)) {
    const names = Object.entries(match.indices?.groups ?? {});
    const spans = match.indices as RegExpIndicesArray;
    if (match[0] === '' && given.includes('n')) continue;
    found.push({
      offset: place(match.index),
      length: [...match[0]].length,
      string: match[0],
      captures: match.slice(1).map((part, at) => ({
        offset: part === undefined ? -1 : place(spans[at + 1]?.[0] ?? 0),
        length: [...(part ?? '')].length,
        string: part ?? null,
        name:
          names.find(([, span]) => span !== undefined && span[0] === spans[at + 1]?.[0] && span[1] === spans[at + 1]?.[1])?.[0] ??
          nameAt(words, at),
      })),
    });
    if (!given.includes('g')) break;
  }
  return found;
}

const classes: Record<string, string> = {
  digit: '[0-9]',
  alpha: '[A-Za-z]',
  alnum: '[A-Za-z0-9]',
  space: '\\s',
  upper: '[A-Z]',
  lower: '[a-z]',
};

/** The name of a pattern's capture by its place; null when it has none. */
function nameAt(pattern: string, at: number): string | null {
  const groups = [...pattern.matchAll(/\\.|\((?!\?[:=!<][=!]?)|\(\?<(?<name>\w+)>/g)].filter(([whole]) => !whole.startsWith('\\'));
  return groups[at]?.groups?.['name'] ?? null;
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = 'January February March April May June July August September October November December'.split(' ');

function instant(value: Json, what: string): Date {
  if (typeof value === 'number') return new Date(Math.floor(value) * 1000);
  if (isList(value) && value.length >= 6) {
    const [year, month, day, hour, minute, second] = value as number[];
    return new Date(Date.UTC(year as number, month, day, hour, minute, Math.floor(second as number)));
  }
  throw new JqError(`${what} requires parsed datetime inputs`);
}

function brokenDown(date: Date): Json {
  const first = Date.UTC(date.getUTCFullYear(), 0, 1);
  const parts = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  return [...parts, date.getUTCDay(), Math.floor((date.getTime() - first) / 86_400_000)];
}

function strftime(value: Json, format: Json): string {
  const date = instant(value, 'strftime/1');
  const two = (number: number): string => String(number).padStart(2, '0');
  const fields: Record<string, string> = {
    Y: String(date.getUTCFullYear()),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2),
    H: two(date.getUTCHours()),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    Z: 'UTC',
    z: '+0000',
    A: days[date.getUTCDay()] as string,
    a: (days[date.getUTCDay()] as string).slice(0, 3),
    B: months[date.getUTCMonth()] as string,
    b: (months[date.getUTCMonth()] as string).slice(0, 3),
    s: String(date.getTime() / 1000),
    n: '\n',
    t: '\t',
    '%': '%',
  };
  fields['F'] = `${fields['Y']}-${fields['m']}-${fields['d']}`;
  fields['T'] = `${fields['H']}:${fields['M']}:${fields['S']}`;
  fields['R'] = `${fields['H']}:${fields['M']}`;
  fields['c'] = `${fields['a']} ${fields['b']} ${fields['e']} ${fields['T']} ${fields['Y']}`;
  return strings(format, 'cannot be used as a time format').replace(/%(.)/g, (_, letter: string) => {
    const field = fields[letter];
    if (field === undefined) throw new JqError(`not simulated: %${letter} of strftime`);
    return field;
  });
}

function strptime(value: Json, format: Json): Json {
  const source = strings(value, 'cannot be parsed as a date');
  const names: string[] = [];
  const whole = plainText(format)
    .replaceAll('%F', '%Y-%m-%d')
    .replaceAll('%T', '%H:%M:%S')
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = whole.replace(/%(.)/g, (_, letter: string) => {
    if (!'YmdHMSZz'.includes(letter)) throw new JqError(`not simulated: %${letter} of strptime`);
    names.push(letter);
    return letter === 'Y' ? '(\\d{4})' : /[Zz]/.test(letter) ? '([A-Za-z]+|[+-]\\d+)' : '(\\d{1,2})';
  });
  const match = new RegExp(`^${pattern}$`).exec(source);
  if (match === null) throw new JqError(`date "${source}" does not match format "${plainText(format)}"`);
  const field = (letter: string, missing: number): number => (names.includes(letter) ? Number(match[names.indexOf(letter) + 1]) : missing);
  return brokenDown(new Date(Date.UTC(field('Y', 1900), field('m', 1) - 1, field('d', 1), field('H', 0), field('M', 0), field('S', 0))));
}

function numeric(compute: (value: number) => number): Native {
  return (value) => (typeof value === 'number' ? compute(value) : refuse(value, 'number required'));
}

const functions: Record<string, Native> = {
  'not/0': (value) => value === null || value === false,
  'true/0': () => true,
  'false/0': () => false,
  'null/0': () => null,
  'type/0': (value) => typeOf(value),
  'length/0': (value) => {
    if (value === null) return 0;
    if (typeof value === 'boolean') return refuse(value, 'has no length');
    if (typeof value === 'number') return Math.abs(value);
    return typeof value === 'string' ? [...value].length : Object.keys(value).length;
  },
  'utf8bytelength/0': (value) => Buffer.byteLength(strings(value, 'only strings have UTF-8 byte length')),
  'keys/0': (value) => keys(value, true),
  'keys_unsorted/0': (value) => keys(value, false),
  'has/1': (value, key) => {
    if (isObject(value) && typeof key === 'string') return Object.hasOwn(value, key);
    if (isList(value) && typeof key === 'number') return key >= 0 && key < value.length;
    throw new JqError(`Cannot check whether ${typeOf(value)} has a ${typeof key === 'string' ? 'string' : typeOf(key as Json)} key`);
  },
  'contains/1': (value, part) => contains(value, part as Json),
  'setpath/2': (value, path, to) => setPath(value, path as Path, () => to as Json),
  'delpaths/1': (value, paths) => deletePaths(value, paths as readonly Path[]),
  '_by/2': (value, keyList, what) => chosen(value, keyList as Json, what as Json),
  'sort/0': (value) => [...list(value, 'cannot be sorted, as it is not an array')].sort(compare),
  'reverse/0': (value) =>
    value === null
      ? []
      : typeof value === 'string'
        ? [...value].reverse().join('')
        : [...list(value, 'cannot be reversed, as it is not an array')].reverse(),
  'flatten/1': (value, depth) => {
    if ((depth as number) < 0) throw new JqError('flatten depth must not be negative');
    if (!isList(value) && !isObject(value)) throw new JqError(`Cannot iterate over ${value === null ? 'null' : described(value)}`);
    return flatten(Object.values(value), depth as number);
  },
  '_range/3': (_, from, to, step) => {
    if (![from, to, step].every((bound) => typeof bound === 'number')) throw new JqError('Range bounds must be numeric');
    const [first, end, by] = [from, to, step] as [number, number, number];
    const found: number[] = [];
    if (by === 0) return first < end ? refuse(step as Json, 'is no step of a range that ends') : [];
    for (let at = first; by > 0 ? at < end : at > end; at += by) found.push(at);
    return found;
  },
  'indices/1': (value, part) => {
    if (value === null) return null;
    if (typeof value === 'string' && typeof part === 'string') {
      const found: number[] = [];
      for (let at = value.indexOf(part); part !== '' && at >= 0; at = value.indexOf(part, at + 1))
        found.push([...value.slice(0, at)].length);
      return part === '' ? null : found;
    }
    if (isList(value)) return indices(value, isList(part) ? part : [part as Json]);
    return index(value, part as Json);
  },
  'tostring/0': plainText,
  'tojson/0': (value) => text(value),
  'fromjson/0': (value) => {
    const source = strings(value, 'only strings can be parsed');
    try {
      return JSON.parse(source) as Json;
    } catch {
      throw new JqError(`Invalid numeric literal at EOF at line 1, column ${source.length} (while parsing '${source}')`);
    }
  },
  'tonumber/0': (value) => {
    if (typeof value === 'number') return value;
    const source = strings(value, 'cannot be parsed as a number');
    if (source.trim() === '' || !/^\s*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(source))
      throw new JqError(`Invalid numeric literal at EOF at line 1, column ${source.length} (while parsing '${source}')`);
    return Number(source);
  },
  'ascii_downcase/0': (value) => strings(value, 'explode input must be a string').replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
  'ascii_upcase/0': (value) => strings(value, 'explode input must be a string').replace(/[a-z]/g, (letter) => letter.toUpperCase()),
  'explode/0': (value) => [...strings(value, 'cannot be exploded')].map((letter) => letter.codePointAt(0) as number),
  'implode/0': (value) => String.fromCodePoint(...(list(value, 'cannot be imploded') as readonly number[])),
  'ltrimstr/1': (value, part) =>
    typeof value === 'string' && typeof part === 'string' && value.startsWith(part) ? value.slice(part.length) : value,
  'rtrimstr/1': (value, part) =>
    typeof value === 'string' && typeof part === 'string' && part !== '' && value.endsWith(part) ? value.slice(0, -part.length) : value,
  'trim/0': (value) => strings(value, 'cannot be trimmed').trim(),
  'ltrim/0': (value) => strings(value, 'cannot be trimmed').trimStart(),
  'rtrim/0': (value) => strings(value, 'cannot be trimmed').trimEnd(),
  'startswith/1': (value, part) => affix(value, part as Json, 'startswith').startsWith(part as string),
  'endswith/1': (value, part) => affix(value, part as Json, 'endswith').endsWith(part as string),
  'split/1': (value, by) => {
    if (typeof value !== 'string' || typeof by !== 'string') throw new JqError('split input and separator must be strings');
    return value === '' ? [] : value.split(by);
  },
  'join/1': (value, by) =>
    list(value, 'cannot be iterated over')
      .map((item) =>
        typeof item === 'object' && item !== null
          ? refuse(by as Json, `and ${described(item)} cannot be added`)
          : item === null
            ? ''
            : plainText(item),
      )
      .join(strings(by as Json, 'cannot join')),
  '_match/2': (value, pattern, flags) => matches(value, pattern as Json, flags as Json),
  'floor/0': numeric(Math.floor),
  'ceil/0': numeric(Math.ceil),
  'round/0': numeric((value) => Math.sign(value) * Math.round(Math.abs(value))),
  'trunc/0': numeric(Math.trunc),
  'sqrt/0': numeric(Math.sqrt),
  'fabs/0': numeric(Math.abs),
  'log/0': numeric(Math.log),
  'log2/0': numeric(Math.log2),
  'log10/0': numeric(Math.log10),
  'exp/0': numeric(Math.exp),
  'pow/2': (_, base, power) => (base as number) ** (power as number),
  'infinite/0': () => Number.POSITIVE_INFINITY,
  'nan/0': () => Number.NaN,
  'isnan/0': (value) => Number.isNaN(value as number),
  'isinfinite/0': (value) => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY,
  'isnormal/0': (value) => Number.isFinite(value as number) && value !== 0,
  'gmtime/0': (value) => brokenDown(instant(value, 'gmtime/0')),
  'mktime/0': (value) => instant(value, 'mktime').getTime() / 1000,
  'strftime/1': (value, format) => strftime(value, format as Json),
  'strptime/1': (value, format) => strptime(value, format as Json),
};

function keys(value: Json, sorted: boolean): Json {
  if (isList(value)) return value.map((_, at) => at);
  return isObject(value) ? keysOf(value as JsonObject, sorted) : refuse(value, 'has no keys');
}

function affix(value: Json, part: Json, name: string): string {
  if (typeof value !== 'string' || typeof part !== 'string') throw new JqError(`${name}() requires string inputs`);
  return value;
}

/** Functions on values, by name and number of arguments. */
export const natives: ReadonlyMap<string, Native> = new Map(Object.entries(functions));
