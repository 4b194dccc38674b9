/**
 * Tokens of YAML 1.1 as libyaml (and go-yaml v2, which kubectl uses) finds them, so that a bad manifest is refused
 * with kubectl's own words and line numbers. The names follow libyaml's scanner.c.
 */

export interface Mark {
  readonly index: number;
  readonly line: number;
  readonly column: number;
}

export type TokenType =
  | 'stream-end'
  | 'document-start'
  | 'document-end'
  | 'block-sequence-start'
  | 'block-mapping-start'
  | 'block-end'
  | 'flow-sequence-start'
  | 'flow-sequence-end'
  | 'flow-mapping-start'
  | 'flow-mapping-end'
  | 'block-entry'
  | 'flow-entry'
  | 'key'
  | 'value'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'scalar';

export interface Token {
  readonly type: TokenType;
  readonly start: Mark;
  readonly value: string;
  readonly isPlain: boolean;
}

export class YamlError extends Error {}

/** go-yaml counts a scanner's lines from 1, a parser's from 0. */
export function yamlProblem(problem: string, line: number): YamlError {
  return new YamlError(line === 0 ? `yaml: ${problem}` : `yaml: line ${line}: ${problem}`);
}

interface SimpleKey {
  isPossible: boolean;
  isRequired: boolean;
  tokenNumber: number;
  mark: Mark;
}

export class YamlScanner {
  readonly #text: string;
  #index = 0;
  #line = 0;
  #column = 0;
  #tokens: Token[] = [];
  #parsed = 0;
  #indent = -1;
  #indents: number[] = [];
  #flowLevel = 0;
  #isKeyAllowed = true;
  #keys: SimpleKey[] = [{ isPossible: false, isRequired: false, tokenNumber: 0, mark: { index: 0, line: 0, column: 0 } }];
  #isAtEnd = false;

  constructor(text: string) {
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  peek(): Token {
    while (!this.#isAtEnd) {
      if (this.#tokens.length > 0) {
        const key = this.#keys.find((candidate) => candidate.isPossible && candidate.tokenNumber === this.#parsed);
        if (key === undefined || !this.#isValid(key)) break;
      }
      this.#fetch();
    }
    return this.#tokens[0] as Token;
  }

  skip(): void {
    if ((this.#tokens[0] as Token).type === 'stream-end') return;
    this.#tokens.shift();
    this.#parsed++;
  }

  get #mark(): Mark {
    return { index: this.#index, line: this.#line, column: this.#column };
  }

  #char(offset = 0): string {
    return this.#text[this.#index + offset] ?? '\0';
  }
  #isEnd(offset = 0): boolean {
    return this.#index + offset >= this.#text.length;
  }
  #isBlank(offset = 0): boolean {
    const char = this.#char(offset);
    return char === ' ' || char === '\t';
  }
  #isBreak(offset = 0): boolean {
    return /[\r\n\x85\u2028\u2029]/.test(this.#char(offset));
  }
  #isBreakOrEnd(offset = 0): boolean {
    return this.#isEnd(offset) || this.#isBreak(offset);
  }
  #isBlankOrEnd(offset = 0): boolean {
    return this.#isBlank(offset) || this.#isBreakOrEnd(offset);
  }

  #fail(problem: string): never {
    throw yamlProblem(problem, this.#line === 0 ? 0 : this.#line + 1);
  }

  #failAt(problem: string, context: Mark): never {
    throw yamlProblem(problem, this.#line === 0 ? context.line : this.#line + 1);
  }

  #advance(): void {
    this.#index++;
    this.#column++;
  }
  #advanceLine(): string {
    const length = this.#char() === '\r' && this.#char(1) === '\n' ? 2 : 1;
    const char = this.#char();
    this.#index += length;
    this.#column = 0;
    this.#line++;
    return char === '\u2028' || char === '\u2029' ? char : '\n';
  }
  #read(): string {
    const char = this.#char();
    this.#advance();
    return char;
  }

  #append(type: TokenType, start: Mark, value = '', isPlain = false): void {
    this.#tokens.push({ type, start, value, isPlain });
  }

  // ── simple keys and indentation ─────────────────────────────────────────────────────────────────────────

  #isValid(key: SimpleKey): boolean {
    if (!key.isPossible) return false;
    if (key.mark.line < this.#line || key.mark.index + 1024 < this.#index) {
      if (key.isRequired) this.#failAt("could not find expected ':'", key.mark);
      key.isPossible = false;
      return false;
    }
    return true;
  }

  #topKey(): SimpleKey {
    return this.#keys.at(-1) as SimpleKey;
  }

  #saveKey(): void {
    if (!this.#isKeyAllowed) return;
    this.#removeKey();
    this.#keys[this.#keys.length - 1] = {
      isPossible: true,
      isRequired: this.#flowLevel === 0 && this.#indent === this.#column,
      tokenNumber: this.#parsed + this.#tokens.length,
      mark: this.#mark,
    };
  }

  #removeKey(): void {
    const key = this.#topKey();
    if (key.isPossible && key.isRequired) this.#failAt("could not find expected ':'", key.mark);
    key.isPossible = false;
  }

  #rollIndent(column: number, type: 'block-sequence-start' | 'block-mapping-start', start: Mark, tokenNumber?: number): void {
    if (this.#flowLevel > 0 || this.#indent >= column) return;
    this.#indents.push(this.#indent);
    this.#indent = column;
    const token: Token = { type, start, value: '', isPlain: false };
    if (tokenNumber === undefined) this.#tokens.push(token);
    else this.#tokens.splice(tokenNumber - this.#parsed, 0, token);
  }

  #unrollIndent(column: number): void {
    if (this.#flowLevel > 0) return;
    while (this.#indent > column) {
      this.#append('block-end', this.#mark);
      this.#indent = this.#indents.pop() as number;
    }
  }

  // ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────

  #fetch(): void {
    this.#toNextToken();
    this.#unrollIndent(this.#column);
    const char = this.#char();
    if (this.#isEnd()) this.#fetchEnd();
    else if (this.#column === 0 && char === '%') {
      while (!this.#isBreakOrEnd()) this.#advance();
    } else if (this.#isDocumentIndicator('---')) this.#fetchDocument('document-start');
    else if (this.#isDocumentIndicator('...')) this.#fetchDocument('document-end');
    else if (char === '[') this.#fetchFlowStart('flow-sequence-start');
    else if (char === '{') this.#fetchFlowStart('flow-mapping-start');
    else if (char === ']') this.#fetchFlowEnd('flow-sequence-end');
    else if (char === '}') this.#fetchFlowEnd('flow-mapping-end');
    else if (char === ',') this.#fetchFlowEntry();
    else if (char === '-' && this.#isBlankOrEnd(1)) this.#fetchBlockEntry();
    else if (char === '?' && (this.#flowLevel > 0 || this.#isBlankOrEnd(1))) this.#fetchKey();
    else if (char === ':' && (this.#flowLevel > 0 || this.#isBlankOrEnd(1))) this.#fetchValue();
    else if (char === '*' || char === '&') this.#fetchAnchor(char === '*' ? 'alias' : 'anchor');
    else if (char === '!') this.#fetchTag();
    else if ((char === '|' || char === '>') && this.#flowLevel === 0) this.#fetchBlockScalar(char === '|');
    else if (char === "'" || char === '"') this.#fetchQuoted(char);
    else if (this.#startsPlain(char)) this.#fetchPlain();
    else this.#fail('found character that cannot start any token');
  }

  #startsPlain(char: string): boolean {
    const isIndicator = '-?:,[]{}#&*!|>\'"%@`'.includes(char);
    if (!this.#isBlankOrEnd() && !isIndicator) return true;
    if (char === '-') return !this.#isBlank(1);
    return this.#flowLevel === 0 && (char === '?' || char === ':') && !this.#isBlankOrEnd(1);
  }

  #toNextToken(): void {
    for (;;) {
      while (this.#char() === ' ' || ((this.#flowLevel > 0 || !this.#isKeyAllowed) && this.#char() === '\t')) this.#advance();
      if (this.#char() === '#') while (!this.#isBreakOrEnd()) this.#advance();
      if (this.#isEnd() || !this.#isBreak()) return;
      this.#advanceLine();
      if (this.#flowLevel === 0) this.#isKeyAllowed = true;
    }
  }

  #isDocumentIndicator(marker: string): boolean {
    return this.#column === 0 && this.#text.startsWith(marker, this.#index) && this.#isBlankOrEnd(3);
  }

  #fetchEnd(): void {
    if (this.#column !== 0) {
      this.#column = 0;
      this.#line++;
    }
    this.#unrollIndent(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
    this.#append('stream-end', this.#mark);
    this.#isAtEnd = true;
  }

  #fetchDocument(type: 'document-start' | 'document-end'): void {
    this.#unrollIndent(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
    this.#append(type, this.#mark);
    for (let count = 0; count < 3; count++) this.#advance();
  }

  #fetchFlowStart(type: 'flow-sequence-start' | 'flow-mapping-start'): void {
    this.#saveKey();
    this.#keys.push({ isPossible: false, isRequired: false, tokenNumber: 0, mark: this.#mark });
    this.#flowLevel++;
    this.#isKeyAllowed = true;
    this.#append(type, this.#mark);
    this.#advance();
  }

  #fetchFlowEnd(type: 'flow-sequence-end' | 'flow-mapping-end'): void {
    this.#removeKey();
    if (this.#flowLevel > 0) {
      this.#flowLevel--;
      this.#keys.pop();
    }
    this.#isKeyAllowed = false;
    this.#append(type, this.#mark);
    this.#advance();
  }

  #fetchFlowEntry(): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#append('flow-entry', this.#mark);
    this.#advance();
  }

  #fetchBlockEntry(): void {
    if (this.#flowLevel === 0) {
      if (!this.#isKeyAllowed) this.#fail('block sequence entries are not allowed in this context');
      this.#rollIndent(this.#column, 'block-sequence-start', this.#mark);
    }
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#append('block-entry', this.#mark);
    this.#advance();
  }

  #fetchKey(): void {
    if (this.#flowLevel === 0) {
      if (!this.#isKeyAllowed) this.#fail('mapping keys are not allowed in this context');
      this.#rollIndent(this.#column, 'block-mapping-start', this.#mark);
    }
    this.#removeKey();
    this.#isKeyAllowed = this.#flowLevel === 0;
    this.#append('key', this.#mark);
    this.#advance();
  }

  #fetchValue(): void {
    const key = this.#topKey();
    if (this.#isValid(key)) {
      this.#tokens.splice(key.tokenNumber - this.#parsed, 0, { type: 'key', start: key.mark, value: '', isPlain: false });
      this.#rollIndent(key.mark.column, 'block-mapping-start', key.mark, key.tokenNumber);
      key.isPossible = false;
      this.#isKeyAllowed = false;
    } else {
      if (this.#flowLevel === 0) {
        if (!this.#isKeyAllowed) this.#fail('mapping values are not allowed in this context');
        this.#rollIndent(this.#column, 'block-mapping-start', this.#mark);
      }
      this.#isKeyAllowed = this.#flowLevel === 0;
    }
    this.#append('value', this.#mark);
    this.#advance();
  }

  #fetchAnchor(type: 'alias' | 'anchor'): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#mark;
    this.#advance();
    let name = '';
    while (/[0-9A-Za-z_-]/.test(this.#char())) name += this.#read();
    if (name === '' || !(this.#isBlankOrEnd() || '?:,]}%@`'.includes(this.#char())))
      this.#fail('did not find expected alphabetic or numeric character');
    this.#append(type, start, name);
  }

  #fetchTag(): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#mark;
    let tag = '';
    while (!this.#isBlankOrEnd() && !(this.#flowLevel > 0 && ',]}'.includes(this.#char()))) tag += this.#read();
    this.#append('tag', start, tag);
  }

  // ── scalars ─────────────────────────────────────────────────────────────────────────────────────────────

  #fetchPlain(): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#mark;
    const indent = this.#indent + 1;
    let text = '';
    let blanks = '';
    let firstBreak = '';
    let moreBreaks = '';
    let isAfterBreak = false;
    for (;;) {
      if (this.#isDocumentIndicator('---') || this.#isDocumentIndicator('...') || this.#char() === '#') break;
      while (!this.#isBlankOrEnd()) {
        const char = this.#char();
        if (
          (char === ':' && this.#isBlankOrEnd(1)) ||
          (this.#flowLevel > 0 && (',[]{}'.includes(char) || (char === '?' && this.#isBlankOrEnd(1))))
        )
          break;
        if (isAfterBreak) text += moreBreaks === '' ? ' ' : moreBreaks;
        else text += blanks;
        isAfterBreak = false;
        blanks = '';
        firstBreak = '';
        moreBreaks = '';
        text += this.#read();
      }
      if (this.#isEnd() || !(this.#isBlank() || this.#isBreak())) break;
      while (!this.#isEnd() && (this.#isBlank() || this.#isBreak())) {
        if (this.#isBlank()) {
          if (isAfterBreak && this.#column < indent && this.#char() === '\t') this.#fail('found a tab character that violates indentation');
          const char = this.#read();
          if (!isAfterBreak) blanks += char;
        } else if (isAfterBreak) moreBreaks += this.#advanceLine();
        else {
          blanks = '';
          firstBreak = this.#advanceLine();
          isAfterBreak = firstBreak !== '';
        }
      }
      if (this.#flowLevel === 0 && this.#column < indent) break;
    }
    if (isAfterBreak) this.#isKeyAllowed = true;
    this.#append('scalar', start, text, true);
  }

  #fetchQuoted(quote: string): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#mark;
    this.#advance();
    let text = '';
    for (;;) {
      if (this.#isDocumentIndicator('---') || this.#isDocumentIndicator('...')) this.#failAt('found unexpected document indicator', start);
      if (this.#isEnd()) this.#failAt('found unexpected end of stream', start);
      let isAfterBreak = false;
      while (!this.#isBlankOrEnd()) {
        const char = this.#char();
        if (quote === "'" && char === "'" && this.#char(1) === "'") {
          text += "'";
          this.#advance();
          this.#advance();
        } else if (char === quote) break;
        else if (quote === '"' && char === '\\' && this.#isBreak(1)) {
          this.#advance();
          this.#advanceLine();
          isAfterBreak = true;
          break;
        } else if (quote === '"' && char === '\\') text += this.#escape(start);
        else text += this.#read();
      }
      if (!this.#isEnd() && this.#char() === quote) break;
      let blanks = '';
      let firstBreak = '';
      let moreBreaks = '';
      while (!this.#isEnd() && (this.#isBlank() || this.#isBreak())) {
        if (this.#isBlank()) {
          const char = this.#read();
          if (!isAfterBreak) blanks += char;
        } else if (isAfterBreak) moreBreaks += this.#advanceLine();
        else {
          blanks = '';
          firstBreak = this.#advanceLine();
          isAfterBreak = true;
        }
      }
      if (!isAfterBreak) text += blanks;
      else if (firstBreak === '') text += moreBreaks;
      else text += moreBreaks === '' ? ' ' : moreBreaks;
    }
    this.#advance();
    this.#append('scalar', start, text);
  }

  #escape(start: Mark): string {
    const code = this.#char(1);
    const simple = {
      '0': '\0',
      a: '\x07',
      b: '\b',
      t: '\t',
      '\t': '\t',
      n: '\n',
      v: '\v',
      f: '\f',
      r: '\r',
      e: '\x1b',
      ' ': ' ',
      '"': '"',
      '/': '/',
      "'": "'",
      '\\': '\\',
      N: '\x85',
      _: '\xa0',
      L: '\u2028',
      P: '\u2029',
    }[code];
    const length = { x: 2, u: 4, U: 8 }[code];
    if (simple === undefined && length === undefined) this.#failAt('found unknown escape character', start);
    this.#advance();
    this.#advance();
    if (simple !== undefined) return simple;
    const digits = this.#text.slice(this.#index, this.#index + (length as number));
    if (digits.length !== length || !/^[0-9A-Fa-f]+$/.test(digits)) this.#failAt('did not find expected hexdecimal number', start);
    for (let count = 0; count < digits.length; count++) this.#advance();
    const value = Number.parseInt(digits, 16);
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) this.#failAt('found invalid Unicode character escape code', start);
    return String.fromCodePoint(value);
  }

  #fetchBlockScalar(isLiteral: boolean): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    const start = this.#mark;
    this.#advance();
    let chomping = 0;
    let increment = 0;
    for (let count = 0; count < 2; count++) {
      if (chomping === 0 && (this.#char() === '+' || this.#char() === '-')) chomping = this.#read() === '+' ? 1 : -1;
      else if (increment === 0 && /[0-9]/.test(this.#char())) {
        if (this.#char() === '0') this.#failAt('found an indentation indicator equal to 0', start);
        increment = Number(this.#read());
      }
    }
    while (this.#isBlank()) this.#advance();
    if (this.#char() === '#') while (!this.#isBreakOrEnd()) this.#advance();
    if (!this.#isBreakOrEnd()) this.#failAt('did not find expected comment or line break', start);
    if (!this.#isEnd()) this.#advanceLine();
    let indent = increment > 0 ? Math.max(this.#indent, 0) + increment : 0;
    let text = '';
    let firstBreak = '';
    let wasBlank = false;
    const readBreaks = (): string => {
      let breaks = '';
      let widest = 0;
      for (;;) {
        while ((indent === 0 || this.#column < indent) && this.#char() === ' ') this.#advance();
        widest = Math.max(widest, this.#column);
        if ((indent === 0 || this.#column < indent) && this.#char() === '\t')
          this.#failAt('found a tab character where an indentation space is expected', start);
        if (this.#isEnd() || !this.#isBreak()) break;
        breaks += this.#advanceLine();
      }
      if (indent === 0) indent = Math.max(widest, this.#indent + 1, 1);
      return breaks;
    };
    let moreBreaks = readBreaks();
    while (this.#column === indent && !this.#isEnd()) {
      const isBlank = this.#isBlank();
      if (!isLiteral && !wasBlank && !isBlank && firstBreak === '\n') {
        if (moreBreaks === '') text += ' ';
      } else text += firstBreak;
      firstBreak = '';
      text += moreBreaks;
      wasBlank = isBlank;
      while (!this.#isBreakOrEnd()) text += this.#read();
      if (!this.#isEnd()) firstBreak = this.#advanceLine();
      moreBreaks = readBreaks();
    }
    if (chomping !== -1) text += firstBreak;
    if (chomping === 1) text += moreBreaks;
    this.#append('scalar', start, text);
  }
}
