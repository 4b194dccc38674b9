/** The grammar of jq 1.7 (src/parser.y): a filter's text to a tree. Strings with `\(…)` hold filters of their own. */

export type Filter =
  | { readonly kind: 'identity' | 'recurse' | 'location' }
  | { readonly kind: 'literal'; readonly value: null | boolean | number | string }
  | { readonly kind: 'string'; readonly format: string | undefined; readonly parts: readonly (string | Filter)[] }
  | { readonly kind: 'format'; readonly name: string }
  | { readonly kind: 'index'; readonly of: Filter; readonly key: Filter }
  | { readonly kind: 'slice'; readonly of: Filter; readonly from: Filter | undefined; readonly to: Filter | undefined }
  | { readonly kind: 'iterate' | 'negate' | 'array'; readonly of: Filter | undefined }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [Filter, Filter])[] }
  | { readonly kind: 'pipe' | 'comma' | 'alternative' | 'and' | 'or'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'binary' | 'update'; readonly operator: string; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'if'; readonly condition: Filter; readonly then: Filter; readonly else: Filter }
  | { readonly kind: 'try'; readonly body: Filter; readonly handler: Filter | undefined }
  | { readonly kind: 'reduce'; readonly source: Filter; readonly pattern: Pattern; readonly start: Filter; readonly update: Filter }
  | {
      readonly kind: 'foreach';
      readonly source: Filter;
      readonly pattern: Pattern;
      readonly start: Filter;
      readonly update: Filter;
      readonly extract: Filter;
    }
  | { readonly kind: 'bind'; readonly source: Filter; readonly pattern: Pattern; readonly body: Filter }
  | { readonly kind: 'define'; readonly name: string; readonly parameters: readonly string[]; readonly body: Filter; readonly rest: Filter }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Filter[] }
  | { readonly kind: 'variable' | 'break'; readonly name: string }
  | { readonly kind: 'label'; readonly name: string; readonly body: Filter };

export type Pattern =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Pattern[] }
  | {
      readonly kind: 'fields';
      readonly fields: readonly { readonly key: Filter; readonly variable: string | undefined; readonly value: Pattern | undefined }[];
    };

/** The text is no filter; the message is what jq prints before the line. */
export class FilterSyntaxError extends Error {}

interface Token {
  readonly kind: 'op' | 'word' | 'field' | 'variable' | 'number' | 'format' | 'quote' | 'end';
  readonly text: string;
  readonly end: number;
}

const lexicon =
  /(?<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?<field>\.[A-Za-z_]\w*)|(?<variable>\$(?:__loc__|(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*))|(?<word>(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)|(?<format>@[A-Za-z0-9_]+)|(?<quote>")|(?<op>\?\/\/=?|\|=|\/\/=|\/\/|[-+*/%<>!=]=|\.\.|[-.[\]|,:;(){}<>=+*/%?])/y;

const keywords = new Set('def if then elif else end as reduce foreach try catch label import include and or __loc__'.split(' '));
const identity: Filter = { kind: 'identity' };

/** Binary operators by their rank, weakest first; `|` and `,` stand before them. */
const ranks: readonly { readonly operators: readonly string[]; readonly side: 'left' | 'right' | 'none' }[] = [
  { operators: ['//'], side: 'right' },
  { operators: ['=', '|=', '+=', '-=', '*=', '/=', '%=', '//='], side: 'none' },
  { operators: ['or'], side: 'left' },
  { operators: ['and'], side: 'left' },
  { operators: ['==', '!=', '<', '<=', '>', '>='], side: 'none' },
  { operators: ['+', '-'], side: 'left' },
  { operators: ['*', '/', '%'], side: 'left' },
];

export function parseFilter(text: string): Filter {
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #peeked: Token | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Filter {
    if (this.#peek().kind === 'end') return identity;
    const filter = this.#pipe(true);
    if (this.#peek().kind !== 'end') this.#fail();
    return filter;
  }

  #peek(): Token {
    if (this.#peeked !== undefined) return this.#peeked;
    const blank = /(?:\s|#[^\n]*)*/y;
    blank.lastIndex = this.#at;
    blank.exec(this.#text);
    const from = blank.lastIndex;
    if (from >= this.#text.length) {
      this.#peeked = { kind: 'end', text: '', end: from };
      return this.#peeked;
    }
    lexicon.lastIndex = from;
    const match = lexicon.exec(this.#text);
    if (match === null) throw new FilterSyntaxError('syntax error, unexpected INVALID_CHARACTER');
    const [kind, found] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) as [Token['kind'], string];
    this.#peeked = { kind, text: found, end: lexicon.lastIndex };
    return this.#peeked;
  }

  #take(): Token {
    const token = this.#peek();
    this.#at = token.end;
    this.#peeked = undefined;
    return token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.text === text && (token.kind === 'op' || token.kind === 'word');
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#take();
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) this.#fail();
  }

  #fail(): never {
    const { kind, text } = this.#peek();
    const names = {
      end: 'end of file',
      field: 'FIELD',
      number: 'LITERAL',
      format: 'FORMAT',
      quote: 'QQSTRING_START',
      variable: `'$'`,
      op: `'${text}'`,
    };
    throw new FilterSyntaxError(`syntax error, unexpected ${kind === 'word' ? (keywords.has(text) ? text : 'IDENT') : names[kind]}`);
  }

  #pipe(commas: boolean): Filter {
    if (this.#accept('def')) {
      const name = this.#take().text;
      const parameters: string[] = [];
      if (this.#accept('(')) {
        do parameters.push(this.#take().text);
        while (this.#accept(';'));
        this.#expect(')');
      }
      this.#expect(':');
      const body = this.#pipe(true);
      this.#expect(';');
      const isLast = this.#peek().kind === 'end';
      return { kind: 'define', name, parameters, body, rest: isLast ? identity : this.#pipe(commas) };
    }
    if (this.#accept('label')) {
      const name = this.#variable();
      this.#expect('|');
      return { kind: 'label', name, body: this.#pipe(commas) };
    }
    const left = commas ? this.#comma() : this.#binary(0, commas);
    return this.#accept('|') ? { kind: 'pipe', left, right: this.#pipe(commas) } : left;
  }

  #comma(): Filter {
    let left = this.#binary(0, true);
    while (this.#accept(',')) left = { kind: 'comma', left, right: this.#binary(0, true) };
    return left;
  }

  #binary(rank: number, commas: boolean): Filter {
    const level = ranks[rank];
    if (level === undefined) return this.#postfix(commas);
    let left = this.#binary(rank + 1, commas);
    for (;;) {
      const operator = level.operators.find((text) => this.#is(text));
      if (operator === undefined) return left;
      this.#take();
      const right = this.#binary(level.side === 'right' ? rank : level.operators.includes('=') ? 0 : rank + 1, commas);
      left = join(operator, left, right, level.operators.includes('='));
      if (level.side === 'none' && level.operators.some((text) => this.#is(text))) this.#fail();
    }
  }

  #postfix(commas: boolean): Filter {
    if (this.#accept('-')) return { kind: 'negate', of: this.#postfix(commas) };
    let term = this.#term();
    for (;;) {
      if (this.#peek().kind === 'field') term = { kind: 'index', of: term, key: literal(this.#take().text.slice(1)) };
      else if (this.#is('[')) term = this.#bracket(term);
      else if (this.#accept('?')) term = { kind: 'try', body: term, handler: undefined };
      else if (this.#is('.')) {
        this.#take();
        term = this.#peek().kind === 'quote' ? { kind: 'index', of: term, key: this.#string(undefined) } : this.#bracket(term);
      } else break;
    }
    if (!this.#accept('as')) return term;
    const pattern = this.#pattern();
    if (this.#is('?//')) throw new FilterSyntaxError('not simulated: ?// (destructuring alternatives)');
    this.#expect('|');
    return { kind: 'bind', source: term, pattern, body: this.#pipe(commas) };
  }

  #bracket(of: Filter): Filter {
    this.#expect('[');
    if (this.#accept(']')) return { kind: 'iterate', of };
    if (this.#accept(':')) {
      const to = this.#pipe(true);
      this.#expect(']');
      return { kind: 'slice', of, from: undefined, to };
    }
    const key = this.#pipe(true);
    if (this.#accept(':')) {
      const to = this.#is(']') ? undefined : this.#pipe(true);
      this.#expect(']');
      return { kind: 'slice', of, from: key, to };
    }
    this.#expect(']');
    return { kind: 'index', of, key };
  }

  #variable(): string {
    const token = this.#take();
    if (token.kind !== 'variable') throw new FilterSyntaxError(`syntax error, unexpected '${token.text}', expecting '$'`);
    return token.text.slice(1);
  }

  #term(): Filter {
    const token = this.#peek();
    switch (token.kind) {
      case 'number':
        return { kind: 'literal', value: Number(this.#take().text) };
      case 'quote':
        return this.#string(undefined);
      case 'format': {
        this.#take();
        return this.#peek().kind === 'quote' ? this.#string(token.text) : { kind: 'format', name: token.text };
      }
      case 'field':
        this.#take();
        return { kind: 'index', of: identity, key: literal(token.text.slice(1)) };
      case 'variable': {
        const name = this.#variable();
        return name === '__loc__' ? { kind: 'location' } : { kind: 'variable', name };
      }
      case 'word':
        return this.#word();
      default:
        return this.#punctuation(token.text);
    }
  }

  #punctuation(text: string): Filter {
    switch (text) {
      case '.':
        this.#take();
        if (this.#peek().kind === 'quote') return { kind: 'index', of: identity, key: this.#string(undefined) };
        return this.#is('[') ? this.#bracket(identity) : identity;
      case '..':
        this.#take();
        return { kind: 'recurse' };
      case '(': {
        this.#take();
        const inner = this.#pipe(true);
        this.#expect(')');
        return inner;
      }
      case '[': {
        this.#take();
        if (this.#accept(']')) return { kind: 'array', of: undefined };
        const of = this.#pipe(true);
        this.#expect(']');
        return { kind: 'array', of };
      }
      case '{':
        return this.#object();
      default:
        return this.#fail();
    }
  }

  #word(): Filter {
    const { text } = this.#peek();
    switch (text) {
      case 'if':
        this.#take();
        return this.#condition();
      case 'try': {
        this.#take();
        const body = this.#postTerm();
        return { kind: 'try', body, handler: this.#accept('catch') ? this.#postTerm() : undefined };
      }
      case 'reduce':
      case 'foreach':
        this.#take();
        return this.#fold(text);
      case 'def':
      case 'label':
        return this.#pipe(true);
      case 'import':
      case 'include':
        throw new FilterSyntaxError(`not simulated: ${text} (modules)`);
      case 'break':
        this.#take();
        return { kind: 'break', name: this.#variable() };
      default:
    }
    if (keywords.has(text)) return this.#fail();
    this.#take();
    if (text === 'null' || text === 'true' || text === 'false') return { kind: 'literal', value: JSON.parse(text) as null | boolean };
    const args: Filter[] = [];
    if (this.#accept('(')) {
      do args.push(this.#pipe(true));
      while (this.#accept(';'));
      this.#expect(')');
    }
    return { kind: 'call', name: text, args };
  }

  /** A term with what hangs on it, as after `try`. */
  #postTerm(): Filter {
    let term = this.#term();
    while (this.#peek().kind === 'field' || this.#is('[')) {
      term = this.#is('[') ? this.#bracket(term) : { kind: 'index', of: term, key: literal(this.#take().text.slice(1)) };
    }
    return term;
  }

  #condition(): Filter {
    const condition = this.#pipe(true);
    this.#expect('then');
    const then = this.#pipe(true);
    if (this.#accept('elif')) return { kind: 'if', condition, then, else: this.#condition() };
    const otherwise = this.#accept('else') ? this.#pipe(true) : identity;
    this.#expect('end');
    return { kind: 'if', condition, then, else: otherwise };
  }

  #fold(kind: 'reduce' | 'foreach'): Filter {
    const source = this.#postTerm();
    this.#expect('as');
    const pattern = this.#pattern();
    this.#expect('(');
    const start = this.#pipe(true);
    this.#expect(';');
    const update = this.#pipe(true);
    const extract = kind === 'foreach' && this.#accept(';') ? this.#pipe(true) : identity;
    this.#expect(')');
    return kind === 'reduce' ? { kind, source, pattern, start, update } : { kind, source, pattern, start, update, extract };
  }

  #object(): Filter {
    this.#expect('{');
    const entries: (readonly [Filter, Filter])[] = [];
    while (!this.#is('}')) {
      entries.push(this.#entry());
      if (!this.#accept(',')) break;
    }
    this.#expect('}');
    return { kind: 'object', entries };
  }

  #entry(): readonly [Filter, Filter] {
    const token = this.#peek();
    if (token.kind === 'variable') {
      const name = this.#variable();
      return [literal(name), name === '__loc__' ? { kind: 'location' } : { kind: 'variable', name }];
    }
    const key = this.#key();
    if (token.text !== '(' && !this.#is(':')) return [key, { kind: 'index', of: identity, key }];
    this.#expect(':');
    let value = this.#binary(ranks.length, false);
    // an object's value is a term, or terms joined by `|`
    while (this.#accept('|')) value = { kind: 'pipe', left: value, right: this.#binary(ranks.length, false) };
    return [key, value];
  }

  #key(): Filter {
    const token = this.#peek();
    if (token.kind === 'quote') return this.#string(undefined);
    if (token.kind === 'format') {
      this.#take();
      return this.#string(token.text);
    }
    if (this.#accept('(')) {
      const key = this.#pipe(true);
      this.#expect(')');
      return key;
    }
    if (token.kind !== 'word' && token.kind !== 'number') return this.#fail();
    this.#take();
    return literal(token.text);
  }

  #pattern(): Pattern {
    if (this.#accept('[')) {
      const items: Pattern[] = [];
      do items.push(this.#pattern());
      while (this.#accept(','));
      this.#expect(']');
      return { kind: 'list', items };
    }
    if (!this.#accept('{')) return { kind: 'name', name: this.#variable() };
    const fields: { key: Filter; variable: string | undefined; value: Pattern | undefined }[] = [];
    do {
      const variable = this.#peek().kind === 'variable' ? this.#variable() : undefined;
      const key = variable === undefined ? this.#key() : literal(variable);
      if (variable === undefined) this.#expect(':');
      const value = variable === undefined || this.#accept(':') ? this.#pattern() : undefined;
      fields.push({ key, variable, value });
    } while (this.#accept(','));
    this.#expect('}');
    return { kind: 'fields', fields };
  }

  #string(format: string | undefined): Filter {
    if (this.#peek().kind !== 'quote') return this.#fail();
    this.#take();
    const parts: (string | Filter)[] = [];
    let raw = '';
    const flush = (): void => {
      if (raw !== '') parts.push(JSON.parse(`"${raw.replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`) as string);
      raw = '';
    };
    for (;;) {
      const letter = this.#text[this.#at++];
      if (letter === undefined) return this.#fail();
      if (letter === '"') break;
      if (letter !== '\\') raw += letter;
      else if (this.#text[this.#at] === '(') {
        flush();
        this.#at++;
        parts.push(this.#pipe(true));
        this.#expect(')');
      } else if (/["\\/bfnrtu]/.test(this.#text[this.#at] ?? '')) raw += `\\${this.#text[this.#at++]}`;
      else throw new FilterSyntaxError('syntax error, unexpected INVALID_CHARACTER');
    }
    flush();
    return parts.every((part) => typeof part === 'string') ? literal(parts.join('')) : { kind: 'string', format, parts };
  }
}

function literal(value: string): Filter {
  return { kind: 'literal', value };
}

function join(operator: string, left: Filter, right: Filter, isUpdate: boolean): Filter {
  if (isUpdate) return { kind: 'update', operator, left, right };
  if (operator === '//') return { kind: 'alternative', left, right };
  if (operator === 'and' || operator === 'or') return { kind: operator, left, right };
  return { kind: 'binary', operator, left, right };
}
