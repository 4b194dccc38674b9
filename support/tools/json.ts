import { EnvironmentError } from '../verdict/errors.ts';

/** Output that a tool should not have printed: the tool, or this project's idea of it, is broken. */
export function unexpectedOutput(tool: string, expected: string, output: string, cause?: unknown): EnvironmentError {
  const excerpt = output.trim().slice(0, 300);
  return new EnvironmentError(
    'tool/unexpected-output',
    `${tool} printed something else than ${expected}: ${excerpt === '' ? '(nothing)' : excerpt}`,
    { hint: 'the tool may have another version than the lab was made for' },
    { cause },
  );
}

/** A value inside a tool's JSON, which knows where it stands and names it when it is not what was expected. */
export class Json {
  readonly #value: unknown;
  readonly #tool: string;
  readonly #path: string;

  private constructor(value: unknown, tool: string, path: string) {
    this.#value = value;
    this.#tool = tool;
    this.#path = path;
  }

  /** @throws EnvironmentError when `text` is not JSON */
  static parse(text: string, tool: string): Json {
    try {
      return new Json(JSON.parse(text), tool, '');
    } catch (cause) {
      throw unexpectedOutput(tool, 'JSON', text, cause);
    }
  }

  get exists(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  /** The value under these keys, one below the other; a missing one gives a value that does not exist. */
  at(...keys: readonly string[]): Json {
    let value = this.#value;
    let path = this.#path;
    for (const key of keys) {
      value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
      path += `.${key}`;
    }
    return new Json(value, this.#tool, path);
  }

  /** Elements of a list; a missing list is an empty one, as Kubernetes leaves empty lists out. */
  items(): Json[] {
    if (!this.exists) return [];
    if (!Array.isArray(this.#value)) throw this.#mismatch('a list');
    return this.#value.map((item, index) => new Json(item, this.#tool, `${this.#path}[${index}]`));
  }

  entries(): [string, Json][] {
    if (!this.exists) return [];
    if (typeof this.#value !== 'object' || Array.isArray(this.#value)) throw this.#mismatch('an object');
    return Object.entries(this.#value as object).map(([key, value]) => [key, new Json(value, this.#tool, `${this.#path}.${key}`)]);
  }

  text(): string {
    if (typeof this.#value !== 'string') throw this.#mismatch('a text');
    return this.#value;
  }

  optionalText(): string | undefined {
    return this.exists ? this.text() : undefined;
  }

  number(): number {
    if (typeof this.#value !== 'number') throw this.#mismatch('a number');
    return this.#value;
  }

  /** A count that the tool leaves out when it is 0. */
  count(): number {
    return this.exists ? this.number() : 0;
  }

  /** A flag that the tool leaves out when it is false. */
  flag(): boolean {
    return this.#value === true;
  }

  texts(): string[] {
    return this.items().map((item) => item.text());
  }

  textMap(): Map<string, string> {
    return new Map(this.entries().map(([key, value]) => [key, value.text()]));
  }

  #mismatch(expected: string): EnvironmentError {
    return unexpectedOutput(
      this.#tool,
      `${expected} at ${this.#path === '' ? 'the top' : this.#path}`,
      JSON.stringify(this.#value) ?? 'undefined',
    );
  }
}
