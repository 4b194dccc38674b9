/**
 * The part of Go's text/template that people write after `--format`: fields, `index`, `json`, `range`, `if`, `with`,
 * variables, pipes, comparisons and the string functions of docker's CLI. Values are JSON values.
 */
export class TemplateError extends Error {}

type Json = unknown;

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | { readonly kind: 'assign'; readonly name: string; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | {
      readonly kind: 'range';
      readonly variables: readonly string[];
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

type Pipe = readonly (readonly Operand[])[];
type Operand =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'fields'; readonly of: 'dot' | string | Pipe; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly name: string };

interface Action {
  readonly words: readonly string[];
}

function lex(source: string): (string | Action)[] {
  const parts: (string | Action)[] = [];
  let rest = source;
  for (;;) {
    const start = rest.indexOf('{{');
    if (start < 0) break;
    const end = rest.indexOf('}}', start);
    if (end < 0) throw new TemplateError('template: :1: unclosed action');
    let before = rest.slice(0, start);
    let inside = rest.slice(start + 2, end);
    let after = rest.slice(end + 2);
    if (/^-\s/.test(inside)) {
      before = before.trimEnd();
      inside = inside.slice(1);
    }
    if (/\s-$/.test(inside)) {
      after = after.trimStart();
      inside = inside.slice(0, -1);
    }
    parts.push(before);
    if (!/^\s*\/\*/.test(inside))
      parts.push({ words: inside.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|\$?[\w]*(?:\.[\w]+)+|\$\w*|\.|:=|[|(),=]|-?\d+(?:\.\d+)?|\w+/g) ?? [] });
    rest = after;
  }
  parts.push(rest);
  return parts;
}

class Parser {
  readonly #parts: (string | Action)[];

  constructor(source: string) {
    this.#parts = lex(source);
  }

  parse(): readonly Node[] {
    const { nodes, end } = this.#block();
    if (end !== undefined) throw new TemplateError(`template: :1: unexpected {{${end}}}`);
    return nodes;
  }

  #block(): { readonly nodes: readonly Node[]; readonly end: string | undefined; readonly endWords: readonly string[] } {
    const nodes: Node[] = [];
    for (;;) {
      const part = this.#parts.shift();
      if (part === undefined) return { nodes, end: undefined, endWords: [] };
      if (typeof part === 'string') {
        if (part !== '') nodes.push({ kind: 'text', text: part });
        continue;
      }
      const [head, ...rest] = part.words;
      if (head === 'end' || head === 'else') return { nodes, end: head, endWords: rest };
      if (head === 'if' || head === 'with' || head === 'range') nodes.push(this.#control(head, rest));
      else if (head?.startsWith('$') === true && (rest[0] === ':=' || rest[0] === '='))
        nodes.push({ kind: 'assign', name: head, pipe: parsePipe(rest.slice(1)) });
      else if (head !== undefined) nodes.push({ kind: 'print', pipe: parsePipe(part.words) });
      else throw new TemplateError('template: :1: missing value for command');
    }
  }

  #control(kind: 'if' | 'with' | 'range', words: readonly string[]): Node {
    let variables: string[] = [];
    let pipeWords = words;
    const assign = words.indexOf(':=');
    if (kind === 'range' && assign >= 0) {
      variables = words.slice(0, assign).filter((word) => word.startsWith('$'));
      pipeWords = words.slice(assign + 1);
    }
    const pipe = parsePipe(pipeWords);
    const { nodes: body, end, endWords } = this.#block();
    let otherwise: readonly Node[] = [];
    if (end === 'else') {
      if (endWords[0] === 'if') otherwise = [this.#control('if', endWords.slice(1))];
      else otherwise = this.#finish();
    } else if (end === undefined) throw new TemplateError('template: :1: unexpected EOF');
    return kind === 'range' ? { kind, variables, pipe, body, otherwise } : { kind, pipe, body, otherwise };
  }

  #finish(): readonly Node[] {
    const { nodes, end } = this.#block();
    if (end !== 'end') throw new TemplateError('template: :1: unexpected EOF');
    return nodes;
  }
}

function parsePipe(words: readonly string[]): Pipe {
  const commands: Operand[][] = [[]];
  const current = (): Operand[] => commands[commands.length - 1] as Operand[];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (word === '|') commands.push([]);
    else if (word === '(') {
      let depth = 1;
      let end = index + 1;
      for (; end < words.length && depth > 0; end++) {
        if (words[end] === '(') depth++;
        else if (words[end] === ')') depth--;
      }
      if (depth > 0) throw new TemplateError('template: :1: unclosed left paren');
      const inner = parsePipe(words.slice(index + 1, end - 1));
      index = end - 1;
      const next = words[index + 1];
      const path = next !== undefined && /^\.\w/.test(next) ? next.slice(1).split('.') : [];
      if (path.length > 0) index++;
      current().push({ kind: 'fields', of: inner, path });
    } else if (word.startsWith('"'))
      current().push({ kind: 'literal', value: JSON.parse(word.replace(/[\n\t]/g, (char) => (char === '\n' ? '\\n' : '\\t'))) });
    else if (word.startsWith('`')) current().push({ kind: 'literal', value: word.slice(1, -1) });
    else if (/^-?\d/.test(word)) current().push({ kind: 'literal', value: Number(word) });
    else if (word === 'true' || word === 'false') current().push({ kind: 'literal', value: word === 'true' });
    else if (word === 'nil') current().push({ kind: 'literal', value: null });
    else if (word.startsWith('$')) {
      const [name = '$', ...path] = word.split('.');
      current().push({ kind: 'fields', of: name, path });
    } else if (word.startsWith('.')) current().push({ kind: 'fields', of: 'dot', path: word === '.' ? [] : word.slice(1).split('.') });
    else if (/^\w+$/.test(word)) {
      if (!functionNames.has(word)) throw new TemplateError(`template: :1: function "${word}" not defined`);
      current().push({ kind: 'function', name: word });
    } else throw new TemplateError(`template: :1: unexpected "${word}" in operand`);
  }
  if (commands.some((command) => command.length === 0)) throw new TemplateError('template: :1: missing value for command');
  return commands;
}

const functionNames = new Set([
  'json',
  'index',
  'len',
  'eq',
  'ne',
  'lt',
  'le',
  'gt',
  'ge',
  'and',
  'or',
  'not',
  'join',
  'split',
  'upper',
  'lower',
  'title',
  'println',
  'print',
  'printf',
  'slice',
  'truncate',
  'pad',
  'html',
]);

type Scope = Map<string, Json>;

function isTrue(value: Json): boolean {
  if (value === null || value === undefined || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** As Go's fmt prints with %v. */
function show(value: Json): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object') {
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${show((value as Record<string, Json>)[key])}`)
      .join(' ')}]`;
  }
  return String(value);
}

function callFunction(name: string, args: readonly Json[]): Json {
  const [first, second] = args;
  const text = (value: Json): string => (typeof value === 'string' ? value : show(value));
  const compare = (): number =>
    typeof first === 'number' && typeof second === 'number'
      ? first - second
      : text(first) < text(second)
        ? -1
        : text(first) > text(second)
          ? 1
          : 0;
  switch (name) {
    case 'json':
      return JSON.stringify(first ?? null);
    case 'index':
      return args.slice(1).reduce<Json>((value, key) => {
        if (Array.isArray(value)) {
          if (typeof key !== 'number' || key < 0 || key >= value.length)
            throw new TemplateError(`error calling index: reflect: slice index out of range`);
          return value[key];
        }
        if (value === null || typeof value !== 'object') throw new TemplateError('error calling index: index of untyped nil');
        return (value as Record<string, Json>)[text(key)];
      }, first);
    case 'len':
      if (typeof first === 'string' || Array.isArray(first)) return first.length;
      return typeof first === 'object' && first !== null ? Object.keys(first).length : 0;
    case 'eq':
      return args.slice(1).some((other) => show(other) === show(first));
    case 'ne':
      return show(first) !== show(second);
    case 'lt':
      return compare() < 0;
    case 'le':
      return compare() <= 0;
    case 'gt':
      return compare() > 0;
    case 'ge':
      return compare() >= 0;
    case 'and':
      return args.find((value) => !isTrue(value)) ?? args[args.length - 1];
    case 'or':
      return args.find(isTrue) ?? args[args.length - 1];
    case 'not':
      return !isTrue(first);
    case 'join':
      return Array.isArray(first) ? first.map(text).join(text(second)) : '';
    case 'split':
      return text(first).split(text(second));
    case 'upper':
      return text(first).toUpperCase();
    case 'lower':
      return text(first).toLowerCase();
    case 'title':
      return text(first).replace(/\b\w/g, (char) => char.toUpperCase());
    case 'print':
      return args.map(text).join('');
    case 'println':
      return `${args.map(text).join(' ')}\n`;
    case 'printf': {
      let next = 1;
      return text(first).replace(/%([-+0-9.]*)([vsdq%])/g, (_whole, flags: string, verb: string) => {
        if (verb === '%') return '%';
        const shown = verb === 'q' ? JSON.stringify(text(args[next++])) : text(args[next++]);
        const width = Number(/\d+/.exec(flags)?.[0] ?? 0);
        return flags.startsWith('-') ? shown.padEnd(width) : shown.padStart(width);
      });
    }
    case 'slice':
      return typeof first === 'string' || Array.isArray(first)
        ? first.slice(Number(second), args[2] === undefined ? undefined : Number(args[2]))
        : first;
    case 'truncate':
      return text(first).slice(0, Number(second));
    case 'pad':
      return `${' '.repeat(Number(second))}${text(first)}${' '.repeat(Number(args[2] ?? 0))}`;
    default:
      return text(first);
  }
}

function field(value: Json, name: string, whole: string): Json {
  if (value === null || value === undefined)
    throw new TemplateError(`template: :1: executing "" at <.${whole}>: nil pointer evaluating interface {}.${name}`);
  if (typeof value !== 'object' || Array.isArray(value))
    throw new TemplateError(
      `template: :1: executing "" at <.${whole}>: can't evaluate field ${name} in type ${Array.isArray(value) ? '[]interface {}' : typeof value}`,
    );
  const found = Object.hasOwn(value, name) ? (value as Record<string, Json>)[name] : undefined;
  if (!Object.hasOwn(value, name))
    throw new TemplateError(`template: :1:2: executing "" at <.${whole}>: map has no entry for key "${name}"`);
  return found;
}

function operandValue(operand: Operand, dot: Json, scope: Scope, methods: Methods): Json {
  if (operand.kind === 'literal') return operand.value;
  if (operand.kind === 'function') return callFunction(operand.name, []);
  const { of, path } = operand;
  const base = of === 'dot' ? dot : typeof of === 'string' ? scope.get(of) : pipeValue(of, dot, scope, methods);
  return path.reduce((value, name) => field(value, name, path.join('.')), base);
}

/** Fields that take an argument, e.g. `.Label "app"` of `docker ps`. */
export type Methods = Readonly<Record<string, (dot: unknown, argument: string) => unknown>>;

function pipeValue(pipe: Pipe, dot: Json, scope: Scope, methods: Methods): Json {
  let previous: readonly Json[] = [];
  let value: Json;
  for (const command of pipe) {
    const [head, ...rest] = command as [Operand, ...Operand[]];
    if (head.kind === 'function') {
      const args = rest.map((operand) => operandValue(operand, dot, scope, methods));
      value = callFunction(head.name, [...args, ...previous]);
    } else {
      const method =
        head.kind === 'fields' && head.of === 'dot' && head.path.length === 1 && rest.length === 1
          ? methods[head.path[0] as string]
          : undefined;
      if (method !== undefined) value = method(dot, show(operandValue(rest[0] as Operand, dot, scope, methods)));
      else if (rest.length > 0) throw new TemplateError("template: :1: can't give argument to non-function");
      else value = operandValue(head, dot, scope, methods);
    }
    previous = [value];
  }
  return value;
}

function render(nodes: readonly Node[], dot: Json, scope: Scope, methods: Methods): string {
  let text = '';
  for (const node of nodes) {
    if (node.kind === 'text') text += node.text;
    else if (node.kind === 'print') text += show(pipeValue(node.pipe, dot, scope, methods));
    else if (node.kind === 'assign') scope.set(node.name, pipeValue(node.pipe, dot, scope, methods));
    else if (node.kind === 'range') {
      const value = pipeValue(node.pipe, dot, scope, methods);
      const entries: readonly (readonly [Json, Json])[] = Array.isArray(value)
        ? value.map((item, index) => [index, item] as const)
        : typeof value === 'object' && value !== null
          ? Object.keys(value)
              .sort()
              .map((key) => [key, (value as Record<string, Json>)[key]] as const)
          : [];
      if (entries.length === 0) text += render(node.otherwise, dot, scope, methods);
      for (const [key, item] of entries) {
        const inner = new Map(scope);
        const [first, second] = node.variables;
        if (first !== undefined) inner.set(first, second === undefined ? item : key);
        if (second !== undefined) inner.set(second, item);
        text += render(node.body, item, inner, methods);
      }
    } else {
      const value = pipeValue(node.pipe, dot, scope, methods);
      const body = isTrue(value) ? node.body : node.otherwise;
      text += render(body, node.kind === 'with' && isTrue(value) ? value : dot, new Map(scope), methods);
    }
  }
  return text;
}

/** A template ready to be filled in. @throws TemplateError when it does not parse, or later when a field is missing */
export function parseTemplate(source: string): (value: unknown, methods?: Methods) => string {
  const nodes = new Parser(source.replaceAll('\\t', '\t').replaceAll('\\n', '\n')).parse();
  return (value, methods = {}) => render(nodes, value, new Map([['$', value]]), methods);
}
