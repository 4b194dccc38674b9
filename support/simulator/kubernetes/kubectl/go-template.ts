import { KubectlError } from './errors.ts';
import { goValueText } from './printers.ts';
import { isDict, sortedKeys } from './values.ts';

/**
 * Go's text/template as far as `-o go-template` needs it: fields, variables, pipelines, if/else, range, with, and the
 * functions named below. Not modelled: define/template/block, break/continue, methods; such a template is refused.
 */
export class GoTemplate {
  readonly #source: string;
  readonly #nodes: readonly Node[];
  readonly #allowsMissing: boolean;

  constructor(source: string, options: { readonly allowsMissing: boolean }) {
    this.#source = source;
    this.#allowsMissing = options.allowsMissing;
    try {
      this.#nodes = new Parser(source).parse();
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new KubectlError(`error parsing template ${source}, template: output:1: ${error.message}`);
    }
  }

  print(object: unknown): string {
    try {
      return run(this.#nodes, { dot: object, variables: new Map([['$', object]]), allowsMissing: this.#allowsMissing });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      throw new KubectlError(`error executing template ${JSON.stringify(this.#source)}: template: output:1: ${error.message}`);
    }
  }
}

class TemplateError extends Error {}

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | { readonly kind: 'if' | 'with' | 'range'; readonly pipeline: Pipeline; readonly body: Node[]; readonly otherwise: Node[] };

interface Pipeline {
  readonly declares: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly (readonly Term[])[];
}

type Term =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'dot'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'group'; readonly pipeline: Pipeline; readonly path: readonly string[] };

interface Scope {
  readonly dot: unknown;
  readonly variables: Map<string, unknown>;
  readonly allowsMissing: boolean;
}

const missing = Symbol('no value');

// ── running ─────────────────────────────────────────────────────────────────────────────────────────────────

function run(nodes: readonly Node[], scope: Scope): string {
  let text = '';
  for (const node of nodes) {
    if (node.kind === 'text') text += node.text;
    else if (node.kind === 'print') {
      const value = evaluate(node.pipeline, scope);
      if (node.pipeline.declares.length === 0) text += shown(value);
    } else if (node.kind === 'range') text += runRange(node, scope);
    else {
      const inner: Scope = { ...scope, variables: new Map(scope.variables) };
      const value = evaluate(node.pipeline, inner);
      if (isTrue(value)) text += run(node.body, node.kind === 'with' ? { ...inner, dot: value } : inner);
      else text += run(node.otherwise, inner);
    }
  }
  return text;
}

function runRange(node: Extract<Node, { readonly body: Node[] }>, scope: Scope): string {
  const inner: Scope = { ...scope, variables: new Map(scope.variables) };
  const value = evaluate({ ...node.pipeline, declares: [] }, inner);
  const entries: (readonly [unknown, unknown])[] = Array.isArray(value)
    ? value.map((item, index) => [index, item] as const)
    : isDict(value)
      ? sortedKeys(value).map((key) => [key, value[key]] as const)
      : [];
  if (entries.length === 0 && value !== null && value !== missing && !Array.isArray(value) && !isDict(value))
    throw new TemplateError(`range can't iterate over ${shown(value)}`);
  if (entries.length === 0) return run(node.otherwise, inner);
  const [first, second] = node.pipeline.declares;
  return entries
    .map(([key, item]) => {
      const variables = new Map(inner.variables);
      if (second !== undefined) variables.set(first as string, key).set(second, item);
      else if (first !== undefined) variables.set(first, item);
      return run(node.body, { ...inner, dot: item, variables });
    })
    .join('');
}

function shown(value: unknown): string {
  return value === missing || value === null || value === undefined ? '<no value>' : goValueText(value);
}

function isTrue(value: unknown): boolean {
  if (value === missing || value === null || value === undefined || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isDict(value) || Object.keys(value).length > 0;
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  let value: unknown = missing;
  pipeline.commands.forEach((command, index) => {
    value = call(command, scope, index === 0 ? [] : [value]);
  });
  for (const name of pipeline.declares) scope.variables.set(name, value);
  return value;
}

function call(terms: readonly Term[], scope: Scope, piped: readonly unknown[]): unknown {
  const [first, ...rest] = terms;
  if (first === undefined) throw new TemplateError('missing value for command');
  if (first.kind !== 'function') {
    if (rest.length > 0) throw new TemplateError("can't give argument to non-function");
    return termValue(first, scope);
  }
  const lazy = first.name === 'and' || first.name === 'or';
  const parameters = [...rest.map((term) => (lazy ? () => termValue(term, scope) : termValue(term, scope))), ...piped];
  if (lazy) {
    let last: unknown = missing;
    for (const parameter of parameters) {
      last = typeof parameter === 'function' ? (parameter as () => unknown)() : parameter;
      if (isTrue(last) === (first.name === 'or')) return last;
    }
    return last;
  }
  return (functions[first.name] as (parameters: readonly unknown[]) => unknown)(parameters);
}

function termValue(term: Term, scope: Scope): unknown {
  switch (term.kind) {
    case 'value':
      return term.value;
    case 'dot':
      return fieldsOf(scope.dot, term.path, scope);
    case 'variable':
      if (!scope.variables.has(term.name)) throw new TemplateError(`undefined variable ${JSON.stringify(term.name)}`);
      return fieldsOf(scope.variables.get(term.name), term.path, scope);
    case 'group':
      return fieldsOf(evaluate(term.pipeline, scope), term.path, scope);
    case 'function':
      return call([term], scope, []);
  }
}

function fieldsOf(value: unknown, path: readonly string[], scope: Scope): unknown {
  let here = value;
  for (const name of path) {
    if (here === missing || here === null || here === undefined) return missing;
    if (!isDict(here))
      throw new TemplateError(`executing "output" at <.${path.join('.')}>: can't evaluate field ${name} in type interface {}`);
    if (!(name in here) && !scope.allowsMissing)
      throw new TemplateError(`executing "output" at <.${path.join('.')}>: map has no entry for key ${JSON.stringify(name)}`);
    here = name in here ? here[name] : missing;
  }
  return here;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new TemplateError('incompatible types for comparison');
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === missing || b === missing) return a === b;
  if (typeof a !== typeof b) throw new TemplateError('incompatible types for comparison');
  return a === b;
}

function format(pattern: string, parameters: readonly unknown[]): string {
  let next = 0;
  return pattern.replace(
    /%([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const value = parameters[next++];
      let text = verb === 'q' ? JSON.stringify(shown(value)) : verb === 'f' ? Number(value).toFixed(Number(precision ?? 6)) : shown(value);
      if (width !== undefined)
        text = flags.includes('-') ? text.padEnd(Number(width)) : text.padStart(Number(width), flags.includes('0') ? '0' : ' ');
      return text;
    },
  );
}

const functions: Readonly<Record<string, (parameters: readonly unknown[]) => unknown>> = {
  and: () => missing,
  or: () => missing,
  not: ([value]) => !isTrue(value),
  len: ([value]) => {
    if (typeof value === 'string') return new TextEncoder().encode(value).length;
    if (Array.isArray(value)) return value.length;
    if (isDict(value)) return Object.keys(value).length;
    throw new TemplateError('error calling len: reflect: call of reflect.Value.Type on zero Value');
  },
  index: ([value, ...keys]) => {
    let here = value;
    for (const key of keys) {
      if (Array.isArray(here)) {
        if (typeof key !== 'number' || key < 0 || key >= here.length)
          throw new TemplateError(`error calling index: reflect: slice index out of range`);
        here = here[key];
      } else if (isDict(here)) here = here[String(key)] ?? missing;
      else throw new TemplateError('error calling index: index of untyped nil');
    }
    return here;
  },
  print: (values) => values.map(shown).join(' '),
  println: (values) => `${values.map(shown).join(' ')}\n`,
  printf: ([pattern, ...values]) => format(String(pattern), values),
  eq: ([first, ...others]) => others.some((other) => isSame(first, other)),
  ne: ([a, b]) => !isSame(a, b),
  lt: ([a, b]) => compare(a, b) < 0,
  le: ([a, b]) => compare(a, b) <= 0,
  gt: ([a, b]) => compare(a, b) > 0,
  ge: ([a, b]) => compare(a, b) >= 0,
  exists: ([value, ...keys]) => {
    let here = value;
    for (const key of keys) {
      if (Array.isArray(here) && typeof key === 'number' && key >= 0 && key < here.length) here = here[key];
      else if (isDict(here) && String(key) in here) here = here[String(key)];
      else return false;
    }
    return true;
  },
  base64decode: ([value]) => Buffer.from(String(value), 'base64').toString('utf8'),
  html: ([value]) =>
    shown(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll("'", '&#39;').replaceAll('"', '&#34;'),
  js: ([value]) => JSON.stringify(shown(value)).slice(1, -1),
  urlquery: ([value]) => encodeURIComponent(shown(value)),
};

// ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────

class Parser {
  readonly #parts: { readonly isAction: boolean; readonly text: string }[] = [];
  #position = 0;

  constructor(source: string) {
    let rest = source;
    let trimsNext = false;
    for (;;) {
      const start = rest.indexOf('{{');
      let text = start === -1 ? rest : rest.slice(0, start);
      if (trimsNext) text = text.trimStart();
      if (start === -1) {
        this.#parts.push({ isAction: false, text });
        return;
      }
      const end = closingOf(rest, start + 2);
      let action = rest.slice(start + 2, end === -1 ? undefined : end);
      if (/^-\s/.test(action)) {
        text = text.trimEnd();
        action = action.slice(1);
      }
      trimsNext = /\s-$/.test(action);
      if (trimsNext) action = action.slice(0, -1);
      this.#parts.push({ isAction: false, text });
      if (end === -1) {
        parsePipeline(tokensOf(action));
        throw new TemplateError('unclosed action');
      }
      if (!/^\s*\/\*.*\*\/\s*$/s.test(action)) this.#parts.push({ isAction: true, text: action.trim() });
      rest = rest.slice(end + 2);
    }
  }

  parse(): readonly Node[] {
    const { nodes, end } = this.#list();
    if (end !== '') throw new TemplateError(`unexpected {{${end}}}`);
    return nodes;
  }

  #list(): { readonly nodes: Node[]; readonly end: string } {
    const nodes: Node[] = [];
    while (this.#position < this.#parts.length) {
      const part = this.#parts[this.#position++] as { readonly isAction: boolean; readonly text: string };
      if (!part.isAction) {
        if (part.text !== '') nodes.push({ kind: 'text', text: part.text });
        continue;
      }
      const keyword = /^[a-z]+(?=\s|$)/.exec(part.text)?.[0] ?? '';
      if (keyword === 'end' || keyword === 'else') return { nodes, end: part.text };
      if (keyword === 'if' || keyword === 'with' || keyword === 'range') nodes.push(this.#block(keyword, part.text.slice(keyword.length)));
      else if (['define', 'template', 'block', 'break', 'continue'].includes(keyword))
        throw new KubectlError(`not simulated: {{${keyword}}} in a go-template`);
      else nodes.push({ kind: 'print', pipeline: parsePipeline(tokensOf(part.text)) });
    }
    return { nodes, end: '' };
  }

  #block(kind: 'if' | 'with' | 'range', source: string): Node {
    const pipeline = parsePipeline(tokensOf(source));
    const { nodes: body, end } = this.#list();
    let otherwise: Node[] = [];
    if (end.startsWith('else')) {
      const chained = end.slice(4).trim();
      if (chained !== '') {
        const inner = /^(if|with)\b(.*)$/s.exec(chained);
        if (inner === null) throw new TemplateError(`unexpected ${chained} in else`);
        otherwise = [this.#block(inner[1] as 'if' | 'with', inner[2] as string)];
      } else {
        const rest = this.#list();
        if (rest.end !== 'end') throw new TemplateError('unexpected EOF');
        otherwise = rest.nodes;
      }
    } else if (end !== 'end') throw new TemplateError('unexpected EOF');
    return { kind, pipeline, body, otherwise };
  }
}

function closingOf(text: string, from: number): number {
  let quote = '';
  for (let index = from; index < text.length; index++) {
    const char = text[index] as string;
    if (quote !== '') {
      if (char === '\\' && quote !== '`') index++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === '`') quote = char;
    else if (text.startsWith('}}', index)) return index;
  }
  return -1;
}

function tokensOf(source: string): string[] {
  const tokens: string[] = [];
  const pattern = /\s+|"(?:\\.|[^"\\])*"|`[^`]*`|:=|=|\||\(|\)|,|\$?\w*(?:\.\w+)+|\$\w*|\.|-?\d+(?:\.\d+)?|\w+/gy;
  while (pattern.lastIndex < source.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(source);
    if (match === null) throw new TemplateError(`unexpected ${JSON.stringify(source[at])} in command`);
    tokens.push(match[0]);
  }
  return tokens;
}

function parsePipeline(tokens: readonly string[]): Pipeline {
  const items = tokens.filter((token) => token.trim() !== '');
  const declares: string[] = [];
  let position = 0;
  const assignment = items.findIndex((token) => token === ':=' || token === '=');
  if (assignment > 0) {
    for (const token of items.slice(0, assignment)) if (token !== ',') declares.push(token);
    position = assignment + 1;
  }
  const commands: Term[][] = [[]];
  for (; position < items.length; position++) {
    const token = items[position] as string;
    if (token === '|') {
      commands.push([]);
      continue;
    }
    if (token === '(') {
      const close = matching(items, position);
      const after = items[close + 1] ?? '';
      const path = after.startsWith('.') && after.length > 1 ? after.slice(1).split('.') : [];
      commands.at(-1)?.push({ kind: 'group', pipeline: parsePipeline(items.slice(position + 1, close)), path });
      position = path.length > 0 ? close + 1 : close;
      continue;
    }
    commands.at(-1)?.push(termOf(token));
  }
  if (commands.some((command) => command.length === 0)) throw new TemplateError('missing value for command');
  return { declares, assigns: items[assignment] === '=', commands };
}

function matching(items: readonly string[], open: number): number {
  let depth = 0;
  for (let index = open; index < items.length; index++) {
    if (items[index] === '(') depth++;
    else if (items[index] === ')' && --depth === 0) return index;
  }
  throw new TemplateError('unclosed left paren');
}

function termOf(token: string): Term {
  if (token.startsWith('"')) {
    try {
      return { kind: 'value', value: JSON.parse(token) };
    } catch {
      throw new TemplateError(`invalid syntax: ${token}`);
    }
  }
  if (token.startsWith('`')) return { kind: 'value', value: token.slice(1, -1) };
  if (/^-?\d/.test(token)) return { kind: 'value', value: Number(token) };
  if (token === 'true' || token === 'false') return { kind: 'value', value: token === 'true' };
  if (token === 'nil') return { kind: 'value', value: null };
  if (token === '.') return { kind: 'dot', path: [] };
  if (token.startsWith('.')) return { kind: 'dot', path: token.slice(1).split('.') };
  if (token.startsWith('$')) {
    const [name, ...path] = token.split('.') as [string, ...string[]];
    return { kind: 'variable', name, path };
  }
  if (!Object.hasOwn(functions, token)) throw new TemplateError(`function ${JSON.stringify(token)} not defined`);
  return { kind: 'function', name: token };
}
