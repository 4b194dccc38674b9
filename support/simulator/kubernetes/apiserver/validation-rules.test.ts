import { describe, expect, it } from 'vitest';
import type { FieldCause, Schema } from '../types.ts';
import { compileRule, validateRules } from './validation-rules.ts';

// CEL as the Kubernetes API documents it ("Validation rules" of custom resource definitions).
describe('rules of a schema', () => {
  it.each<[string, unknown, boolean]>([
    ["self.kind != 'Web' || has(self.web)", { kind: 'Web' }, false],
    ["self.kind != 'Web' || has(self.web)", { kind: 'Web', web: {} }, true],
    ["self.kind != 'Web' || has(self.web)", { kind: 'Dns' }, true],
    ['self.low <= self.high', { low: 3, high: 3 }, true],
    ['self.low <= self.high', { low: 4, high: 3 }, false],
    ['!has(self.a) || !has(self.b)', { a: 1, b: 2 }, false],
    ['(has(self.a) != has(self.b)) && self.c == 7', { b: 1, c: 7 }, true],
    // One side cannot be told, the other settles it.
    ['self.missing == 1 || true', {}, true],
  ])('%s of %j is %s', (rule, self, expected) => {
    expect(compileRule(rule)(self)).toBe(expected);
  });

  it('says what it does not know', () => {
    expect(() => compileRule('self.all(x, x > 1)')).toThrow('validation rule is not modelled: self.all(x, x > 1)');
    expect(() => compileRule('self.a + 1 == 2')).toThrow('not modelled');
  });

  const item: Schema = {
    type: 'object',
    'x-kubernetes-validations': [{ rule: 'self.low <= self.high', message: 'low can not be larger than high' }],
  };
  const schema: Schema = { type: 'object', properties: { items: { type: 'array', items: item } } };

  it('names the place and the type', () => {
    const causes: FieldCause[] = [];
    validateRules({ items: [{ low: 1, high: 2 }, { low: 3, high: 2 }, { low: 3 }] }, schema, causes);
    expect(causes.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'items[1]: Invalid value: "object": low can not be larger than high',
      'items[2]: Invalid value: "object": rule evaluation error: no such key: high',
    ]);
  });

  it('is not asked of an object that is wrong in its structure', () => {
    const causes: FieldCause[] = [{ reason: 'FieldValueRequired', field: 'name', message: 'Required value' }];
    validateRules({ items: [{ low: 3, high: 2 }] }, schema, causes);
    expect(causes.slice(1)).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: '<nil>',
        message:
          'Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
      },
    ]);
  });
});
