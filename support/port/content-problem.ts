/** Keys and indices from the root of a file to the place that is wrong. */
export type ContentPath = readonly (string | number)[];

/**
 * Something wrong at a place of a content file that has already been parsed. Whoever read the file turns it into a
 * ContentError with the file's name and line.
 */
export class ContentProblem extends Error {
  readonly path: ContentPath;
  readonly hint: string | undefined;
  readonly fix: string | undefined;

  constructor(path: ContentPath, message: string, details: { hint?: string; fix?: string } = {}) {
    super(message);
    this.name = 'ContentProblem';
    this.path = path;
    this.hint = details.hint;
    this.fix = details.fix;
  }
}

/** `topology.nodes.r1.exec[0]` */
export function formatContentPath(path: ContentPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** The candidate that `word` most likely was meant to be, by edit distance; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Reads fields of a parsed YAML mapping and names the place of whatever is not as expected. */
export class FieldReader {
  readonly path: ContentPath;
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws ContentProblem when `value` is not a mapping */
  constructor(value: unknown, path: ContentPath) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ContentProblem(path, `${describePlace(path)} must be a mapping (key: value), not ${describeValue(value)}`);
    }
    this.path = path;
    this.#fields = value as Record<string, unknown>;
  }

  get keys(): readonly string[] {
    return Object.keys(this.#fields);
  }

  /** @throws ContentProblem for a key outside `known` */
  allowOnly(known: readonly string[]): void {
    for (const key of this.keys) {
      if (known.includes(key)) continue;
      const guess = nearest(key, known);
      throw new ContentProblem([...this.path, key], `unknown field "${key}"`, {
        hint: `known here: ${known.join(', ')}`,
        ...(guess === undefined ? {} : { fix: `did you mean "${guess}"?` }),
      });
    }
  }

  has(key: string): boolean {
    return this.#fields[key] !== undefined && this.#fields[key] !== null;
  }

  raw(key: string): unknown {
    return this.#fields[key];
  }

  at(key: string): ContentPath {
    return [...this.path, key];
  }

  string(key: string): string {
    const value = this.optionalString(key);
    if (value === undefined) throw new ContentProblem(this.path, `${describePlace(this.path)} lacks "${key}"`, { fix: `add ${key}: …` });
    return value;
  }

  optionalString(key: string): string | undefined {
    const value = this.#fields[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    throw this.#mismatch(key, 'a text', value);
  }

  optionalNumber(key: string): number | undefined {
    const value = this.#fields[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.#mismatch(key, 'a number', value);
  }

  strings(key: string): readonly string[] {
    const value = this.#fields[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.#mismatch(key, 'a list of texts', value);
    return value.map((item, index) => {
      if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
      throw new ContentProblem([...this.path, key, index], `${key}[${index}] must be a text, not ${describeValue(item)}`);
    });
  }

  list(key: string): readonly unknown[] {
    const value = this.#fields[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw this.#mismatch(key, 'a list', value);
    return value;
  }

  mapping(key: string): FieldReader | undefined {
    const value = this.#fields[key];
    return value === undefined || value === null ? undefined : new FieldReader(value, this.at(key));
  }

  /** A mapping of texts; numbers and booleans are taken as text. */
  textMap(key: string): Readonly<Record<string, string>> {
    const reader = this.mapping(key);
    if (reader === undefined) return {};
    return Object.fromEntries(reader.keys.map((name) => [name, reader.optionalString(name) ?? '']));
  }

  #mismatch(key: string, expected: string, value: unknown): ContentProblem {
    return new ContentProblem(this.at(key), `${key} must be ${expected}, not ${describeValue(value)}`);
  }
}

export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  const line = value.replaceAll(/\s+/g, ' ');
  return `"${line.length > 60 ? `${line.slice(0, 59)}…` : line}"`;
}

function describePlace(path: ContentPath): string {
  return path.length === 0 ? 'the file' : formatContentPath(path);
}
