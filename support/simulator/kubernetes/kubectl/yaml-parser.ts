import { goNumber } from './json.ts';
import { isDict, type Mutable } from './values.ts';
import { type Token, YamlError, YamlScanner, yamlProblem } from './yaml-scanner.ts';

/**
 * The first document of a YAML text as a JSON value, the way sigs.k8s.io/yaml converts it: YAML 1.1 types,
 * keys as text, the last of two equal keys wins.
 * @throws YamlError in go-yaml's words
 */
export function parseYaml(text: string): unknown {
  return new YamlParser(text).parse();
}

/** The type of a plain scalar by go-yaml v2's resolve.go. */
export function plainValue(text: string): unknown {
  if (text === '' || text === '~' || text === 'null' || text === 'Null' || text === 'NULL') return null;
  if (/^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return true;
  if (/^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text)) return false;
  const first = text[0] as string;
  if (first === '.') return /^\.[0-9]+([eE][-+]?[0-9]+)?$/.test(text) ? Number(text) : text;
  if (!/[-+0-9]/.test(first)) return text;
  // A timestamp stays text when the target has no type.
  if (/^\d{4}-\d{1,2}-\d{1,2}([Tt ]|$)/.test(text)) return text;
  const digits = text.replaceAll('_', '');
  const integer = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(digits);
  if (integer !== null) {
    const [, sign, body] = integer as unknown as [string, string, string];
    const value = /^0[0-7]+$/.test(body) ? Number.parseInt(body, 8) : Number(body);
    return sign === '-' ? -value : value;
  }
  if (/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(digits)) return Number(digits);
  return text;
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number') return goNumber(key);
  if (typeof key === 'boolean') return String(key);
  if (key === null) return 'null';
  throw new YamlError(`yaml: invalid map key: ${JSON.stringify(key)}`);
}

/** Values that aliases may stand for (go-yaml's decode.go: from 400,000 operations on, at most a tenth may be aliased at the limit). */
const mostAliased = 100_000;

class YamlParser {
  readonly #scanner: YamlScanner;
  readonly #anchors = new Map<string, unknown>();
  readonly #sizes = new WeakMap<object, number>();
  #aliased = 0;

  constructor(text: string) {
    this.#scanner = new YamlScanner(text);
  }

  parse(): unknown {
    let token = this.#scanner.peek();
    while (token.type === 'document-end') token = this.#next();
    if (token.type === 'stream-end') return null;
    if (token.type === 'document-start') token = this.#next();
    if (token.type === 'stream-end' || token.type === 'document-start' || token.type === 'document-end') return null;
    const value = this.#node(true, false);
    // The document's end is looked for too, which makes the scanner find what is wrong in the next token.
    this.#scanner.peek();
    return value;
  }

  #next(): Token {
    this.#scanner.skip();
    return this.#scanner.peek();
  }

  #fail(problem: string, token: Token, contextLine = 0): never {
    throw yamlProblem(problem, token.start.line === 0 ? contextLine : token.start.line);
  }

  /** go-yaml counts what aliases stand for and gives up on files that grow out of proportion. */
  #expanded(value: unknown): unknown {
    this.#aliased += this.#sizeOf(value);
    if (this.#aliased > mostAliased) throw new YamlError('yaml: document contains excessive aliasing');
    return value;
  }

  #sizeOf(value: unknown): number {
    if (typeof value !== 'object' || value === null) return 1;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    let size = 1;
    for (const inner of Object.values(value)) size += this.#sizeOf(inner);
    this.#sizes.set(value, size);
    return size;
  }

  #node(isBlock: boolean, allowsIndentless: boolean): unknown {
    let token = this.#scanner.peek();
    if (token.type === 'alias') {
      this.#scanner.skip();
      if (!this.#anchors.has(token.value)) throw new YamlError(`yaml: unknown anchor '${token.value}' referenced`);
      return this.#expanded(this.#anchors.get(token.value));
    }
    const startLine = token.start.line;
    let anchor: string | undefined;
    let tag: string | undefined;
    for (;;) {
      if (token.type === 'anchor' && anchor === undefined) anchor = token.value;
      else if (token.type === 'tag' && tag === undefined) tag = token.value;
      else break;
      token = this.#next();
    }
    const value = this.#content(token, isBlock, allowsIndentless, tag, anchor !== undefined || tag !== undefined, startLine);
    if (anchor !== undefined) this.#anchors.set(anchor, value);
    return value;
  }

  #content(
    token: Token,
    isBlock: boolean,
    allowsIndentless: boolean,
    tag: string | undefined,
    hasProperties: boolean,
    startLine: number,
  ): unknown {
    if (allowsIndentless && token.type === 'block-entry') return this.#indentlessSequence();
    if (token.type === 'scalar') {
      this.#scanner.skip();
      if (tag === '!!str' || tag === '!' || (!token.isPlain && tag === undefined)) return token.value;
      return plainValue(token.value);
    }
    if (token.type === 'flow-sequence-start') return this.#flowSequence();
    if (token.type === 'flow-mapping-start') return this.#flowMapping();
    if (isBlock && token.type === 'block-sequence-start') return this.#blockSequence();
    if (isBlock && token.type === 'block-mapping-start') return this.#blockMapping();
    if (hasProperties) return tag === '!!str' ? '' : null;
    this.#fail('did not find expected node content', token, startLine);
  }

  #blockSequence(): unknown[] {
    const { line } = this.#scanner.peek().start;
    const items: unknown[] = [];
    let token = this.#next();
    for (;;) {
      if (token.type === 'block-entry') {
        token = this.#next();
        items.push(token.type === 'block-entry' || token.type === 'block-end' ? null : this.#node(true, false));
        token = this.#scanner.peek();
      } else if (token.type === 'block-end') {
        this.#scanner.skip();
        return items;
      } else this.#fail("did not find expected '-' indicator", token, line);
    }
  }

  #indentlessSequence(): unknown[] {
    const items: unknown[] = [];
    let token = this.#scanner.peek();
    while (token.type === 'block-entry') {
      token = this.#next();
      const isEmpty = token.type === 'block-entry' || token.type === 'key' || token.type === 'value' || token.type === 'block-end';
      items.push(isEmpty ? null : this.#node(true, false));
      token = this.#scanner.peek();
    }
    return items;
  }

  #blockMapping(): Mutable {
    const { line } = this.#scanner.peek().start;
    const result: Mutable = {};
    const isEmpty = (token: Token): boolean => token.type === 'key' || token.type === 'value' || token.type === 'block-end';
    let token = this.#next();
    for (;;) {
      if (token.type === 'block-end') {
        this.#scanner.skip();
        return result;
      }
      let key: unknown = null;
      if (token.type === 'key') {
        token = this.#next();
        if (!isEmpty(token)) key = this.#node(true, true);
        token = this.#scanner.peek();
      } else if (token.type !== 'value') this.#fail('did not find expected key', token, line);
      let value: unknown = null;
      if (token.type === 'value') {
        token = this.#next();
        if (!isEmpty(token)) value = this.#node(true, true);
        token = this.#scanner.peek();
      }
      this.#set(result, key, value);
    }
  }

  #flowSequence(): unknown[] {
    const { line } = this.#scanner.peek().start;
    const items: unknown[] = [];
    let token = this.#next();
    let isFirst = true;
    while (token.type !== 'flow-sequence-end') {
      if (!isFirst) {
        if (token.type !== 'flow-entry') this.#fail("did not find expected ',' or ']'", token, line);
        token = this.#next();
        if (token.type === 'flow-sequence-end') break;
      }
      isFirst = false;
      if (token.type === 'key') {
        const pair: Mutable = {};
        this.#flowPair(pair, 'flow-sequence-end');
        items.push(pair);
      } else items.push(this.#node(false, false));
      token = this.#scanner.peek();
    }
    this.#scanner.skip();
    return items;
  }

  #flowMapping(): Mutable {
    const { line } = this.#scanner.peek().start;
    const result: Mutable = {};
    let token = this.#next();
    let isFirst = true;
    while (token.type !== 'flow-mapping-end') {
      if (!isFirst) {
        if (token.type !== 'flow-entry') this.#fail("did not find expected ',' or '}'", token, line);
        token = this.#next();
        if (token.type === 'flow-mapping-end') break;
      }
      isFirst = false;
      if (token.type === 'key') this.#flowPair(result, 'flow-mapping-end');
      else this.#set(result, this.#node(false, false), null);
      token = this.#scanner.peek();
    }
    this.#scanner.skip();
    return result;
  }

  #flowPair(into: Mutable, end: 'flow-mapping-end' | 'flow-sequence-end'): void {
    let token = this.#next();
    const key = token.type === 'value' || token.type === 'flow-entry' || token.type === end ? null : this.#node(false, false);
    token = this.#scanner.peek();
    let value: unknown = null;
    if (token.type === 'value') {
      token = this.#next();
      if (token.type !== 'flow-entry' && token.type !== end) value = this.#node(false, false);
    }
    this.#set(into, key, value);
  }

  #set(into: Mutable, key: unknown, value: unknown): void {
    if (key === '<<') {
      const sources = Array.isArray(value) ? value : [value];
      for (const source of sources) {
        if (!isDict(source)) throw new YamlError('yaml: map merge requires map or sequence of maps as the value');
        for (const [name, entry] of Object.entries(source)) if (!(name in into)) into[name] = entry;
      }
      return;
    }
    into[keyText(key)] = value;
  }
}
