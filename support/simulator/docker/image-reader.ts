/** A value in a parsed YAML file, with its place, so that every complaint names the field. */
export class Field {
  readonly #file: string;
  readonly path: string;
  readonly value: unknown;

  constructor(file: string, path: string, value: unknown) {
    this.#file = file;
    this.path = path;
    this.value = value;
  }

  get isPresent(): boolean {
    return this.value !== undefined;
  }

  fail(expected: string): never {
    throw new Error(`${this.#file}: ${this.path === '' ? 'the document' : this.path}: expected ${expected}, saw ${seen(this.value)}`);
  }

  /** The members of a mapping; a key that is not in the list is refused. */
  members<Key extends string>(keys: readonly Key[]): Readonly<Record<Key, Field>> {
    const mapping = this.#mapping();
    for (const key of Object.keys(mapping)) {
      if ((keys as readonly string[]).includes(key)) continue;
      const place = this.path === '' ? key : `${this.path}.${key}`;
      throw new Error(`${this.#file}: ${place}: unknown key; known here: ${keys.join(', ')}`);
    }
    return Object.fromEntries(keys.map((key) => [key, this.#child(key, mapping[key])])) as Record<Key, Field>;
  }

  /** A mapping with keys of the author's choice. */
  texts(): Readonly<Record<string, string>> {
    if (!this.isPresent) return {};
    return Object.fromEntries(Object.entries(this.#mapping()).map(([key, value]) => [key, this.#child(key, value).scalar()]));
  }

  items(): readonly Field[] {
    if (!this.isPresent) return [];
    if (!Array.isArray(this.value)) this.fail('a list');
    return (this.value as readonly unknown[]).map((value, index) => new Field(this.#file, `${this.path}[${index}]`, value));
  }

  text(fallback?: string): string {
    if (!this.isPresent && fallback !== undefined) return fallback;
    return typeof this.value === 'string' ? this.value : this.fail('a text');
  }

  /** A text, number or truth value, as text. */
  scalar(fallback?: string): string {
    if (!this.isPresent && fallback !== undefined) return fallback;
    if (typeof this.value === 'string') return this.value;
    if (typeof this.value === 'number' || typeof this.value === 'boolean') return String(this.value);
    return this.value === null ? '' : this.fail('a text');
  }

  number(low: number, high: number, fallback?: number): number {
    if (!this.isPresent && fallback !== undefined) return fallback;
    const { value } = this;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high)
      this.fail(`a whole number from ${low} to ${high}`);
    return value as number;
  }

  /** `1s`, `200ms`, `2m`; in milliseconds. */
  duration(fallback?: number): number {
    if (!this.isPresent && fallback !== undefined) return fallback;
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(typeof this.value === 'string' ? this.value : '');
    if (match === null) this.fail('a duration such as 500ms, 2s or 1m');
    const [, amount, unit] = match as RegExpExecArray;
    return Number(amount) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms'];
  }

  oneOf<Choice extends string>(choices: readonly Choice[], fallback?: Choice): Choice {
    if (!this.isPresent && fallback !== undefined) return fallback;
    const found = choices.find((choice) => choice === this.value);
    return found ?? this.fail(choices.join(', '));
  }

  #mapping(): Readonly<Record<string, unknown>> {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('a mapping');
    return value as Record<string, unknown>;
  }

  #child(key: string, value: unknown): Field {
    return new Field(this.#file, this.path === '' ? key : `${this.path}.${key}`, value);
  }
}

function seen(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return JSON.stringify(value);
}
