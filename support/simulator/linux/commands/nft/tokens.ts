/** A word of nft's language, with where it stands in its line for the caret under an error. */
export interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
  readonly line: number;
  readonly start: number;
  readonly end: number;
}

/** What nft prints with the line and carets. */
export class NftError extends Error {
  readonly token: Token;
  readonly exitCode: number;

  constructor(message: string, token: Token, exitCode = 1) {
    super(message);
    this.token = token;
    this.exitCode = exitCode;
  }
}

/** Newlines are words too: they end a statement, unless a backslash stands before. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const [line, content] of text.split('\n').entries()) {
    const pattern = /"([^"]*)"|#.*$|\\$|[{};,=]|!=|==|<=|>=|[<>&|]|[^\s"{};,=!<>&|#]+|!/g;
    let isContinued = false;
    for (const match of content.matchAll(pattern)) {
      const word = match[0];
      if (word.startsWith('#')) continue;
      if (word === '\\') {
        isContinued = true;
        continue;
      }
      tokens.push({ text: match[1] ?? word, isQuoted: match[1] !== undefined, line, start: match.index, end: match.index + word.length });
    }
    if (!isContinued) tokens.push({ text: '\n', isQuoted: false, line, start: content.length, end: content.length + 1 });
  }
  return tokens;
}

/** Reads tokens one by one. */
export class Reader {
  readonly #tokens: readonly Token[];
  readonly #variables = new Map<string, readonly Token[]>();
  #pending: Token[] = [];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  define(name: string, value: readonly Token[]): void {
    this.#variables.set(name, value);
  }

  peek(): Token {
    const token = this.#pending[0] ?? this.#tokens[this.#next] ?? this.#last();
    if (token.isQuoted || !token.text.startsWith('$')) return token;
    const value = this.#variables.get(token.text.slice(1));
    if (value === undefined) throw new NftError(`unknown identifier '${token.text.slice(1)}'`, token);
    if (this.#pending.length > 0) this.#pending.shift();
    else this.#next++;
    this.#pending.unshift(...value.map((each) => ({ ...token, text: each.text, isQuoted: each.isQuoted })));
    return this.peek();
  }

  get isAtEnd(): boolean {
    return this.#pending.length === 0 && this.#next >= this.#tokens.length;
  }

  take(): Token {
    const token = this.peek();
    if (this.#pending.length > 0) this.#pending.shift();
    else this.#next++;
    return token;
  }

  is(text: string): boolean {
    const token = this.peek();
    return !token.isQuoted && token.text === text;
  }

  skip(text: string): boolean {
    if (!this.is(text)) return false;
    this.take();
    return true;
  }

  expect(text: string): Token {
    if (!this.is(text)) throw this.unexpected();
    return this.take();
  }

  skipBlank(): void {
    while (!this.isAtEnd && (this.is('\n') || this.is(';'))) this.take();
  }

  get isAtStatementEnd(): boolean {
    return this.isAtEnd || this.is('\n') || this.is(';') || this.is('}');
  }

  name(): Token {
    const token = this.peek();
    if (token.isQuoted || !/^[A-Za-z_.][\w/.-]*$/.test(token.text)) throw this.unexpected('string');
    return this.take();
  }

  unexpected(wanted?: string): NftError {
    const token = this.peek();
    const what =
      token.text === '\n' ? 'newline' : /^[{};,=]$/.test(token.text) ? `'${token.text}'` : token.isQuoted ? 'quoted string' : token.text;
    return new NftError(`syntax error, unexpected ${what}${wanted === undefined ? '' : `, expecting ${wanted}`}`, token);
  }

  #last(): Token {
    const end = this.#tokens.at(-1);
    return { text: '\n', isQuoted: false, line: end?.line ?? 0, start: end?.start ?? 0, end: (end?.start ?? 0) + 1 };
  }
}
