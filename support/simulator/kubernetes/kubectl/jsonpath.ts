import { KubectlError } from './errors.ts';
import { goJson, goNumber } from './json.ts';
import { type Dict, isDict, isEqual, sortedKeys } from './values.ts';

/** kubectl's JSONPath templates (client-go util/jsonpath): text, fields, ranges, filters, slices, unions. */
type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly steps: readonly Step[] }
  | { readonly kind: 'range'; readonly steps: readonly Step[]; readonly body: readonly Node[] };

type Step =
  | { readonly kind: 'root' }
  | { readonly kind: 'current' }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly step: number }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand | undefined }
  | { readonly kind: 'union'; readonly members: readonly (readonly Step[])[] }
  | { readonly kind: 'value'; readonly value: unknown }
  /** What the real one finds out when it evaluates the template, not when it reads it. */
  | { readonly kind: 'failure'; readonly message: string };

type Operand = readonly Step[];

class TemplateError extends Error {}

export class JsonPath {
  readonly #source: string;
  readonly #nodes: readonly Node[];
  readonly #allowsMissing: boolean;

  /** @throws KubectlError `error parsing jsonpath …` */
  constructor(source: string, options: { readonly allowsMissing?: boolean } = {}) {
    this.#source = source;
    this.#allowsMissing = options.allowsMissing ?? true;
    try {
      this.#nodes = new Parser(source).parse();
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new KubectlError(`error parsing jsonpath ${source}, ${error.message}`);
    }
  }

  /** The template's text for an object. @throws KubectlError with the template and the object */
  print(object: unknown): string {
    try {
      return this.#print(this.#nodes, object, object);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new KubectlError(
        `error executing jsonpath ${JSON.stringify(this.#source)}: Error executing template: ${error.message}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t${this.#source}\n\tobject given to jsonpath engine was:\n\t\t${goSyntax(object)}\n\n\n`,
      );
    }
  }

  /** The values that the template's first expression finds; missing keys find nothing. */
  find(object: unknown): readonly unknown[] {
    try {
      for (const node of this.#nodes) if (node.kind !== 'text') return evaluate(node.steps, [object], object, true);
      return [];
    } catch (error) {
      throw error instanceof TemplateError ? new KubectlError(error.message) : error;
    }
  }

  /** What each expression of the template finds, for `jsonpath-as-json`. */
  findAll(object: unknown): readonly unknown[] {
    return this.#nodes.flatMap((node) => (node.kind === 'action' ? evaluate(node.steps, [object], object, this.#allowsMissing) : []));
  }

  #print(nodes: readonly Node[], current: unknown, root: unknown): string {
    let text = '';
    for (const node of nodes) {
      if (node.kind === 'text') text += node.text;
      else if (node.kind === 'action') text += evaluate(node.steps, [current], root, this.#allowsMissing).map(valueText).join(' ');
      else for (const item of rangeItems(node.steps, current, root, this.#allowsMissing)) text += this.#print(node.body, item, root);
    }
    return text;
  }
}

function rangeItems(steps: readonly Step[], current: unknown, root: unknown, allowsMissing: boolean): readonly unknown[] {
  return evaluate(steps, [current], root, allowsMissing);
}

/** `-o jsonpath=.a.b` and `.a.b` of custom columns and --sort-by may leave the braces out. */
export function relaxedJsonPath(expression: string): string {
  const trimmed = expression.trim();
  if (trimmed === '') return trimmed;
  const match = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/.exec(trimmed);
  if (match === null)
    throw new KubectlError(`unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`);
  return `{.${match[1] ?? match[2]}}`;
}

export function valueText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return goNumber(value);
  return goJson(value);
}

// ── evaluation ──────────────────────────────────────────────────────────────────────────────────────────────

function evaluate(steps: readonly Step[], start: readonly unknown[], root: unknown, allowsMissing: boolean): readonly unknown[] {
  let values = start;
  for (const step of steps)
    values =
      values.length === 0 && step.kind !== 'value' && step.kind !== 'root' && step.kind !== 'failure'
        ? []
        : apply(step, values, root, allowsMissing);
  return values;
}

function apply(step: Step, values: readonly unknown[], root: unknown, allowsMissing: boolean): readonly unknown[] {
  switch (step.kind) {
    case 'root':
      return [root];
    case 'current':
      return values;
    case 'value':
      return [step.value];
    case 'failure':
      throw new TemplateError(step.message);
    case 'field': {
      const found = values.flatMap((value) => (isDict(value) && step.name in value ? [value[step.name]] : []));
      if (found.length === 0 && !allowsMissing) throw new TemplateError(`${step.name} is not found`);
      return found;
    }
    case 'wildcard':
      return values.flatMap(children);
    case 'recursive':
      return values.flatMap(descendants);
    case 'index':
      return values.flatMap((value) => (value === null || value === undefined ? [] : [element(value, step.index)]));
    case 'slice':
      return values.flatMap((value) => (value === null || value === undefined ? [] : slice(value, step.from, step.to, step.step)));
    case 'union':
      return step.members.flatMap((member) => evaluate(member, values, root, allowsMissing));
    case 'filter':
      return values.flatMap((value) => filter(value, step, root));
  }
}

function children(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isDict(value) ? sortedKeys(value).map((key) => value[key]) : [];
}

function descendants(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) && !isDict(value)) return [];
  return [value, ...children(value).flatMap(descendants)];
}

/** Whether a bracket was opened and not closed. */
function isInBrackets(text: string): boolean {
  return text.lastIndexOf('[') > text.lastIndexOf(']');
}

function element(value: unknown, index: number): unknown {
  if (!Array.isArray(value)) throw new TemplateError(`${goType(value)} is not array or slice`);
  const position = index < 0 ? index + value.length : index;
  if (position < 0 || position >= value.length)
    throw new TemplateError(`array index out of bounds: index ${index < 0 ? position : index}, length ${value.length}`);
  return value[position];
}

function slice(value: unknown, from: number | undefined, to: number | undefined, step: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new TemplateError(`${goType(value)} is not array or slice`);
  const clip = (index: number): number => Math.min(Math.max(index < 0 ? index + value.length : index, 0), value.length);
  const end = clip(to ?? value.length);
  const found: unknown[] = [];
  for (let index = clip(from ?? 0); index < end; index += Math.max(step, 1)) found.push(value[index]);
  return found;
}

function filter(value: unknown, step: Extract<Step, { kind: 'filter' }>, root: unknown): readonly unknown[] {
  if (!Array.isArray(value)) {
    if (value === null || value === undefined || isDict(value)) return [];
    throw new TemplateError(`${goKind(value)} is not array or slice and cannot be filtered`);
  }
  return value.filter((item) => {
    const left = evaluate(step.left, [item], root, true);
    if (step.operator === 'exists') return left.length > 0;
    const right = evaluate(step.right ?? [], [item], root, true);
    if (left.length === 0 || right.length === 0) return false;
    if (left.length > 1) throw new TemplateError('can only compare one element at a time');
    return compare(left[0], step.operator, right[0]);
  });
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (operator === '==') return isEqual(left, right);
  if (operator === '!=') return !isEqual(left, right);
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string'))
    throw new TemplateError('incompatible types for comparison');
  const a = left as number | string;
  const b = right as number | string;
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}

function goType(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return isDict(value) ? 'map[string]interface {}' : typeof value === 'boolean' ? 'bool' : 'string';
}

function goKind(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isDict(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${goPlain(value[key])}`)
      .join(' ')}]`;
  return goPlain(value);
}

function goPlain(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goPlain).join(' ')}]`;
  return isDict(value) ? goKind(value) : String(value);
}

/** Go's `%#v` of a decoded JSON value. */
export function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (isDict(value))
    return `map[string]interface {}{${sortedKeys(value as Dict)
      .map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`)
      .join(', ')}}`;
  return String(value);
}

// ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────

class Parser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node[] {
    const top: Node[] = [];
    const open: { readonly steps: readonly Step[]; readonly body: Node[] }[] = [];
    const add = (node: Node): void => void (open.at(-1)?.body ?? top).push(node);
    while (this.#position < this.#text.length) {
      const brace = this.#text.indexOf('{', this.#position);
      if (brace !== this.#position) {
        const end = brace === -1 ? this.#text.length : brace;
        add({ kind: 'text', text: this.#text.slice(this.#position, end) });
        this.#position = end;
        continue;
      }
      const action = this.#action();
      if (action === 'end') {
        const closed = open.pop();
        if (closed === undefined) add({ kind: 'action', steps: [{ kind: 'failure', message: 'not in range, nothing to end' }] });
        else add({ kind: 'range', steps: closed.steps, body: closed.body });
      } else if (action.isRange) open.push({ steps: action.steps, body: [] });
      else for (const expression of action.expressions) add(expression);
    }
    // A range without an end: the real one goes on after it as if the range had not been, once more over what is in it.
    for (let last = open.pop(); last !== undefined; last = open.pop()) {
      add({ kind: 'range', steps: last.steps, body: last.body });
      for (const node of last.body) add(node);
    }
    return top;
  }

  /** One `{…}`. */
  #action(): 'end' | { readonly isRange: boolean; readonly steps: readonly Step[]; readonly expressions: readonly Node[] } {
    this.#position++;
    const source = this.#untilClosing();
    const trimmed = source.trim();
    if (trimmed === 'end') return 'end';
    if (/^range(\s|$)/.test(trimmed)) return { isRange: true, steps: new PathParser(trimmed.slice(5).trim()).parseOne(), expressions: [] };
    const expressions = new PathParser(trimmed).parseAll().map((steps): Node => {
      const [only] = steps;
      return steps.length === 1 && only?.kind === 'value' && typeof only.value === 'string'
        ? { kind: 'text', text: only.value }
        : { kind: 'action', steps };
    });
    return { isRange: false, steps: [], expressions };
  }

  #untilClosing(): string {
    const start = this.#position;
    let quote = '';
    for (; this.#position < this.#text.length; this.#position++) {
      const char = this.#text[this.#position] as string;
      if (quote !== '') {
        if (char === '\\') this.#position++;
        else if (char === quote) quote = '';
      } else if (char === '"' || char === "'") quote = char;
      else if (char === '}') {
        this.#position++;
        return this.#text.slice(start, this.#position - 1);
      }
    }
    throw new TemplateError(
      quote !== '' ? 'unterminated quoted string' : isInBrackets(this.#text.slice(start)) ? 'unterminated array' : 'unclosed action',
    );
  }
}

class PathParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parseOne(): readonly Step[] {
    return this.parseAll()[0] ?? [];
  }

  parseAll(): Step[][] {
    const all: Step[][] = [];
    for (;;) {
      while (/\s/.test(this.#peek())) this.#position++;
      if (this.#position >= this.#text.length) return all;
      all.push(this.#path());
    }
  }

  #peek(): string {
    return this.#text[this.#position] ?? '';
  }

  /** Everything up to the next blank outside brackets. */
  #path(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      const char = this.#peek();
      if (char === '' || /\s/.test(char)) return steps;
      if (char === '$') {
        this.#position++;
        steps.push({ kind: 'root' });
      } else if (char === '@') {
        this.#position++;
        steps.push({ kind: 'current' });
      } else if (char === '"' || char === "'") {
        steps.push({ kind: 'value', value: this.#quoted(char) });
      } else if (char === '[') steps.push(this.#bracket());
      else if (char === '.') {
        this.#position++;
        if (this.#peek() === '.') {
          this.#position++;
          steps.push({ kind: 'recursive' });
          if (!/[\s[]/.test(this.#peek()) && this.#peek() !== '') steps.push(this.#field());
        } else if (this.#peek() !== '[' && this.#peek() !== '' && !/\s/.test(this.#peek())) steps.push(this.#field());
      } else if (/[-+0-9]/.test(char) && steps.length === 0) {
        const number = /^[-+]?\d+(\.\d+)?/.exec(this.#text.slice(this.#position));
        if (number === null)
          throw new TemplateError(
            `unrecognized character in action: U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${char}'`,
          );
        this.#position += number[0].length;
        steps.push({ kind: 'value', value: Number(number[0]) });
      } else if (/[A-Za-z_]/.test(char)) {
        const word = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#position))?.[0] as string;
        this.#position += word.length;
        if (word === 'true' || word === 'false') steps.push({ kind: 'value', value: word === 'true' });
        else steps.push({ kind: 'failure', message: `unrecognized identifier ${word}` });
      } else
        throw new TemplateError(
          `unrecognized character in action: U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${char}'`,
        );
    }
  }

  #field(): Step {
    let name = '';
    for (; this.#position < this.#text.length; this.#position++) {
      const char = this.#peek();
      if (char === '\\') {
        this.#position++;
        name += this.#peek();
      } else if (/[\s.[\](),|=<>!@$]/.test(char)) break;
      else name += char;
    }
    return name === '*' ? { kind: 'wildcard' } : { kind: 'field', name };
  }

  #quoted(quote: string): string {
    let value = '';
    for (this.#position++; ; this.#position++) {
      const char = this.#peek();
      if (char === '') throw new TemplateError('unterminated quoted string');
      if (char === quote) break;
      if (char === '\\') {
        this.#position++;
        const letter = this.#peek();
        value +=
          { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", a: '\x07', b: '\b', f: '\f', v: '\v' }[letter] ?? `\\${letter}`;
      } else value += char;
    }
    this.#position++;
    return value;
  }

  #bracket(): Step {
    const start = this.#position + 1;
    let depth = 0;
    let quote = '';
    for (; this.#position < this.#text.length; this.#position++) {
      const char = this.#peek();
      if (quote !== '') {
        if (char === '\\') this.#position++;
        else if (char === quote) quote = '';
      } else if (char === '"' || char === "'") quote = char;
      else if (char === '[') depth++;
      else if (char === ']' && --depth === 0) break;
    }
    if (this.#position >= this.#text.length) throw new TemplateError('unterminated array');
    const inner = this.#text.slice(start, this.#position);
    this.#position++;
    return bracketStep(inner);
  }
}

function bracketStep(inner: string): Step {
  const trimmed = inner.trim();
  if (trimmed.startsWith('?(')) {
    if (!trimmed.endsWith(')')) throw new TemplateError('unterminated filter');
    return filterStep(trimmed.slice(2, -1));
  }
  if (trimmed === '*') return { kind: 'wildcard' };
  const members = splitOutside(trimmed, ',');
  const wrong = members.find((member) => /^\s*"/.test(member));
  if (wrong !== undefined) throw new TemplateError(`invalid array index ${wrong.trim()}`);
  if (members.length > 1) return { kind: 'union', members: members.map((member) => [bracketStep(member)]) };
  if (/^-?\d+$/.test(trimmed)) return { kind: 'index', index: Number(trimmed) };
  const range = /^(-?\d*):(-?\d*)(?::(-?\d*))?$/.exec(trimmed);
  if (range !== null) {
    const [, from, to, step] = range;
    return {
      kind: 'slice',
      from: from === '' ? undefined : Number(from),
      to: to === '' ? undefined : Number(to),
      step: step === undefined || step === '' ? 1 : Number(step),
    };
  }
  const quoted = /^'(.*)'$|^"(.*)"$/.exec(trimmed);
  if (quoted !== null) return { kind: 'field', name: (quoted[1] ?? quoted[2] ?? '').replace(/\\(['".])/g, '$1') };
  if (/^[.@$]/.test(trimmed)) return { kind: 'union', members: [new PathParser(trimmed).parseOne()] };
  throw new TemplateError(`invalid array index ${trimmed}`);
}

function filterStep(source: string): Step {
  for (const operator of ['==', '!=', '<=', '>=', '<', '>']) {
    const parts = splitOutside(source, operator);
    if (parts.length === 2 && !(operator.length === 1 && (parts[1] as string).startsWith('='))) {
      return {
        kind: 'filter',
        left: new PathParser((parts[0] as string).trim()).parseOne(),
        operator,
        right: new PathParser((parts[1] as string).trim()).parseOne(),
      };
    }
  }
  return { kind: 'filter', left: new PathParser(source.trim()).parseOne(), operator: 'exists', right: undefined };
}

function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quote = '';
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index] as string;
    if (quote !== '') {
      if (char === '\\') index++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '[' || char === '(') depth++;
    else if (char === ']' || char === ')') depth--;
    else if (depth === 0 && text.startsWith(separator, index)) {
      parts.push(text.slice(start, index));
      index += separator.length - 1;
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}
