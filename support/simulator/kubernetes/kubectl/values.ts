/** Reading of JSON values whose shape is only known at run time: the objects that the API server sends. */

export type Dict = Readonly<Record<string, unknown>>;

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys and indexes, or undefined as soon as one step is missing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const step of path) {
    if (typeof step === 'number') here = Array.isArray(here) ? here[step] : undefined;
    else here = isDict(here) ? here[step] : undefined;
  }
  return here;
}

/** The text at a path; what is missing or no text reads as the fallback. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

export function numberAt(value: unknown, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : 0;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function dictAt(value: unknown, ...path: readonly (string | number)[]): Dict {
  const found = at(value, ...path);
  return isDict(found) ? found : {};
}

export function stringsAt(value: unknown, ...path: readonly (string | number)[]): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const [key, entry] of Object.entries(dictAt(value, ...path))) result[key] = String(entry);
  return result;
}

export function nameOf(object: unknown): string {
  return textAt(object, 'metadata', 'name');
}

export function namespaceOf(object: unknown): string {
  return textAt(object, 'metadata', 'namespace');
}

/** The order of Go's `sort.Strings`: by code unit, not by locale. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sortedKeys(dict: Dict): string[] {
  return Object.keys(dict).sort(byText);
}

/** A deep copy of a JSON value, so that it can be changed. */
export function copyOf<T>(value: T): T {
  return structuredClone(value);
}

/** A JSON object that this program builds or changes. */
export type Mutable = { [key: string]: unknown };

export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqual(item, b[index]));
  if (!isDict(a) || !isDict(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isEqual(a[key], b[key]));
}
