import type { FieldCause, Schema } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldInvalid } from './errors.ts';

type Test = (self: unknown) => unknown;

const token = /\s*(\|\||&&|==|!=|<=|>=|[<>!()]|'[^']*'|-?\d+|[A-Za-z_][\w.]*)/y;

/**
 * The part of CEL that the rules of custom resources here are written in: fields of `self`, `has()`, comparisons, `!`,
 * `&&`, `||`, parentheses, strings, integers, true and false. As in CEL, an operand that fails (a missing field) is
 * passed over where the other one settles the matter.
 * @throws Error when a rule uses more
 */
export function compileRule(rule: string): Test {
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < rule.trimEnd().length) {
    const found = token.exec(rule)?.[1];
    if (found === undefined) throw new Error(`validation rule is not modelled: ${rule}`);
    tokens.push(found);
  }
  let at = 0;
  const refuse = (): never => {
    throw new Error(`validation rule is not modelled: ${rule}`);
  };
  const expect = (wanted: string) => {
    if (tokens[at++] !== wanted) refuse();
  };
  const field = (name: string, isTest: boolean): Test => {
    const [first, ...path] = name.split('.');
    if (first !== 'self') refuse();
    return (self) => {
      let value = self;
      for (const [index, key] of path.entries()) {
        const next = isObject(value) ? value[key] : undefined;
        if (next === undefined) {
          if (isTest && index === path.length - 1) return false;
          throw new Error(`no such key: ${key}`);
        }
        value = next;
      }
      return isTest ? true : value;
    };
  };
  const primary = (): Test => {
    const next = tokens[at++] ?? refuse();
    if (next === '!') {
      const inner = primary();
      return (self) => inner(self) !== true;
    }
    if (next === '(') {
      const inner = or();
      expect(')');
      return inner;
    }
    if (next === 'has') {
      expect('(');
      const name = tokens[at++] ?? refuse();
      expect(')');
      return field(name, true);
    }
    if (next.startsWith("'")) return () => next.slice(1, -1);
    if (/^-?\d/.test(next)) return () => Number(next);
    if (next === 'true' || next === 'false') return () => next === 'true';
    return field(next, false);
  };
  const comparison = (): Test => {
    const left = primary();
    const operator = tokens[at] ?? '';
    const compare = comparisons[operator];
    if (compare === undefined) return left;
    at += 1;
    const right = primary();
    return (self) => compare(left(self), right(self));
  };
  const chain = (operator: '&&' | '||', operand: () => Test): Test => {
    const operands = [operand()];
    while (tokens[at] === operator) {
      at += 1;
      operands.push(operand());
    }
    const [only] = operands;
    if (operands.length === 1 && only !== undefined) return only;
    const settles = operator === '||';
    return (self) => {
      let failure: unknown;
      for (const test of operands) {
        try {
          if (test(self) === settles) return settles;
        } catch (error) {
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
      return !settles;
    };
  };
  const and = (): Test => chain('&&', comparison);
  const or = (): Test => chain('||', and);
  const whole = or();
  if (at !== tokens.length) refuse();
  return whole;
}

const comparisons: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => Number(a) < Number(b),
  '<=': (a, b) => Number(a) <= Number(b),
  '>': (a, b) => Number(a) > Number(b),
  '>=': (a, b) => Number(a) >= Number(b),
};

const compiled = new Map<string, Test>();
const withRules = new WeakMap<Schema, boolean>();

function hasRules(schema: Schema): boolean {
  let answer = withRules.get(schema);
  if (answer === undefined) {
    answer =
      schema['x-kubernetes-validations'] !== undefined ||
      Object.values(schema.properties ?? {}).some(hasRules) ||
      (schema.items !== undefined && hasRules(schema.items)) ||
      (typeof schema.additionalProperties === 'object' && hasRules(schema.additionalProperties));
    withRules.set(schema, answer);
  }
  return answer;
}

const blocking = new Set<FieldCause['reason']>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/**
 * Rules of a schema (`x-kubernetes-validations`), after the schema itself. An object that is wrong in its structure is
 * not asked, and a sentence says so (apiextensions-apiserver, `customresource/validator.go`).
 */
export function validateRules(value: unknown, schema: Schema, causes: FieldCause[]): void {
  if (!hasRules(schema)) return;
  if (causes.some(({ reason }) => blocking.has(reason))) {
    causes.push({
      reason: 'FieldValueInvalid',
      field: '<nil>',
      message:
        'Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    });
    return;
  }
  applyRules(value, schema, '', causes);
}

function applyRules(value: unknown, schema: Schema, path: string, causes: FieldCause[]): void {
  if (value === undefined || value === null || !hasRules(schema)) return;
  for (const { rule, message } of schema['x-kubernetes-validations'] ?? []) {
    let test = compiled.get(rule);
    if (test === undefined) {
      test = compileRule(rule);
      compiled.set(rule, test);
    }
    let detail: string | undefined;
    try {
      if (test(value) !== true) detail = message ?? `failed rule: ${rule}`;
    } catch (error) {
      detail = `rule evaluation error: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (detail !== undefined) causes.push(fieldInvalid(path, schema.type ?? 'object', detail));
  }
  if (Array.isArray(value)) {
    if (schema.items !== undefined)
      for (const [index, item] of value.entries()) applyRules(item, schema.items, `${path}[${index}]`, causes);
  } else if (isObject(value)) {
    for (const [name, item] of Object.entries(value)) {
      const property = schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      const own = property ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
      if (own !== undefined) applyRules(item, own, path === '' ? name : `${path}.${name}`, causes);
    }
  }
}
