/** A JSONPath expression that does not parse (words of client-go's jsonpath package). */
export class JsonPathError extends Error {}

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly step: number }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'union'; readonly steps: readonly Step[] }
  | { readonly kind: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand | undefined };

type Operand = { readonly kind: 'path'; readonly steps: readonly Step[] } | { readonly kind: 'value'; readonly value: unknown };

const parsed = new Map<string, readonly Step[]>();

/**
 * The values that one expression of Kubernetes' JSONPath finds (client-go `util/jsonpath`, the part between `{` and `}`):
 * fields, `['a']`, `\.` escapes, indexes and slices, `*`, `..`, unions, filters `?(@.a=="b")`. Missing keys find nothing.
 * @throws JsonPathError when the expression does not parse
 */
export function evaluateJsonPath(expression: string, object: unknown): unknown[] {
  let steps = parsed.get(expression);
  if (steps === undefined) {
    steps = parse(expression);
    parsed.set(expression, steps);
  }
  return walk(steps, [object], object);
}

function walk(steps: readonly Step[], start: readonly unknown[], root: unknown): unknown[] {
  let values: unknown[] = [...start];
  for (const step of steps) values = values.flatMap((value) => take(step, value, root));
  return values;
}

function take(step: Step, value: unknown, root: unknown): unknown[] {
  switch (step.kind) {
    case 'field':
      return isRecord(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'wildcard':
      return Array.isArray(value) ? value : isRecord(value) ? sortedValues(value) : [];
    case 'recursive':
      return [value, ...descendants(value)];
    case 'index': {
      if (!Array.isArray(value)) return [];
      const index = step.index < 0 ? value.length + step.index : step.index;
      return index >= 0 && index < value.length ? [value[index]] : [];
    }
    case 'slice': {
      if (!Array.isArray(value)) return [];
      const bound = (at: number | undefined, otherwise: number): number =>
        Math.min(Math.max(at === undefined ? otherwise : at < 0 ? value.length + at : at, 0), value.length);
      const found: unknown[] = [];
      for (let index = bound(step.from, 0); index < bound(step.to, value.length); index += step.step) found.push(value[index]);
      return found;
    }
    case 'union':
      return step.steps.flatMap((part) => take(part, value, root));
    case 'filter': {
      const candidates = Array.isArray(value) ? value : isRecord(value) ? sortedValues(value) : [];
      return candidates.filter((candidate) => holds(step.left, step.operator, step.right, candidate, root));
    }
  }
}

function holds(left: Operand, operator: string, right: Operand | undefined, candidate: unknown, root: unknown): boolean {
  const read = (operand: Operand): unknown => (operand.kind === 'value' ? operand.value : walk(operand.steps, [candidate], root)[0]);
  const a = read(left);
  if (right === undefined) return a !== undefined;
  const b = read(right);
  if (a === undefined || b === undefined) return false;
  switch (operator) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
  }
  if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false;
  const order = a < (b as typeof a) ? -1 : a > (b as typeof a) ? 1 : 0;
  return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
}

function descendants(value: unknown): unknown[] {
  const children = Array.isArray(value) ? value : isRecord(value) ? sortedValues(value) : [];
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** client-go walks maps in the order of their sorted keys. */
function sortedValues(value: Readonly<Record<string, unknown>>): unknown[] {
  return Object.keys(value)
    .sort()
    .map((key) => value[key]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(expression: string): readonly Step[] {
  let text = expression.trim();
  if (text.startsWith('{') && text.endsWith('}')) text = text.slice(1, -1).trim();
  if (text.startsWith('$') || text.startsWith('@')) text = text.slice(1);
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] as string;
    if (char === '.') {
      at++;
      if (text[at] === '.') {
        steps.push({ kind: 'recursive' });
        at++;
      }
      if (text[at] === '[' || at >= text.length) continue;
      const [name, end] = fieldName(text, at);
      if (name === '' && end === at)
        throw new JsonPathError(
          `unrecognized character in action: U+${(text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${text[at]}'`,
        );
      steps.push(name === '*' ? { kind: 'wildcard' } : { kind: 'field', name });
      at = end;
    } else if (char === '[') {
      const end = closing(text, at);
      steps.push(bracket(text.slice(at + 1, end).trim()));
      at = end + 1;
    } else {
      const [name, end] = fieldName(text, at);
      if (end === at)
        throw new JsonPathError(
          `unrecognized character in action: U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${char}'`,
        );
      steps.push(name === '*' ? { kind: 'wildcard' } : { kind: 'field', name });
      at = end;
    }
  }
  return steps;
}

function fieldName(text: string, from: number): readonly [name: string, end: number] {
  let name = '';
  let at = from;
  for (; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '\\' && at + 1 < text.length) {
      name += text[++at];
      continue;
    }
    if ('.[] \t=!<>)("\''.includes(char)) break;
    name += char;
  }
  return [name, at];
}

function closing(text: string, open: number): number {
  let depth = 0;
  let quote = '';
  for (let at = open; at < text.length; at++) {
    const char = text[at] as string;
    if (quote !== '') {
      if (char === '\\') at++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '[' || char === '(') depth++;
    else if ((char === ']' || char === ')') && --depth === 0) return at;
  }
  throw new JsonPathError('unterminated array');
}

function bracket(inside: string): Step {
  if (inside === '*') return { kind: 'wildcard' };
  if (inside.startsWith('?(') && inside.endsWith(')')) return filter(inside.slice(2, -1).trim());
  const parts = splitCommas(inside);
  if (parts.length > 1) return { kind: 'union', steps: parts.map((part) => bracket(part.trim())) };
  const quoted = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/.exec(inside);
  if (quoted !== null) return { kind: 'field', name: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1') };
  if (/^-?\d+$/.test(inside)) return { kind: 'index', index: Number(inside) };
  const slice = /^(-?\d*):(-?\d*)(?::(\d+))?$/.exec(inside);
  if (slice !== null) {
    const bound = (part: string | undefined): number | undefined => (part === undefined || part === '' ? undefined : Number(part));
    return { kind: 'slice', from: bound(slice[1]), to: bound(slice[2]), step: Math.max(1, Number(slice[3] ?? 1)) };
  }
  throw new JsonPathError(`invalid array index ${inside}`);
}

function splitCommas(text: string): string[] {
  return text.match(/(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [text];
}

function filter(text: string): Step {
  const match = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/.exec(text);
  if (match === null) return { kind: 'filter', left: operand(text), operator: 'exists', right: undefined };
  return { kind: 'filter', left: operand(match[1] ?? ''), operator: match[2] ?? '', right: operand(match[3] ?? '') };
}

function operand(text: string): Operand {
  const quoted = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/.exec(text);
  if (quoted !== null) return { kind: 'value', value: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1') };
  if (text === 'true' || text === 'false') return { kind: 'value', value: text === 'true' };
  if (/^-?\d+(\.\d+)?$/.test(text)) return { kind: 'value', value: Number(text) };
  return { kind: 'path', steps: parse(text) };
}
