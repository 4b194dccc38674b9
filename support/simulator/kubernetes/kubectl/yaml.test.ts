import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toYaml } from './go-yaml.ts';
import { parseYaml } from './yaml-parser.ts';

/** Refusals as `kubectl create -f` 1.32 words them. */
describe('bad YAML', () => {
  it.each([
    ['a: b\nmetadata: \n  name: x\n labels: y\n', 'line 3: did not find expected key'],
    ['a:\n  name: x\n\tlabels: y\n', 'line 3: found a tab character that violates indentation'],
    ['a: b\nkind: Pod: x\n', 'line 2: mapping values are not allowed in this context'],
    ['a: b\nkind Pod\nmetadata: {}\n', "line 3: could not find expected ':'"],
    ['a: b\nkind:Pod\nmetadata: {}\n', "line 3: could not find expected ':'"],
    ['apiVersion:v1\nkind: Pod\n', 'line 2: mapping values are not allowed in this context'],
    ['a: b\nspec: [a, b\nkind: Pod\n', "line 2: did not find expected ',' or ']'"],
    ['a: b\nspec: {a: b\nc: d\n', "line 2: did not find expected ',' or '}'"],
    ['a: b\nspec: "abc\nkind: Pod\n', 'line 4: found unexpected end of stream'],
    ['a: b\nlist:\n- a\n  b: c\n', 'line 4: mapping values are not allowed in this context'],
    ['a: b\nspec:\n  - a: b\n   - c: d\n', "line 3: did not find expected '-' indicator"],
    ['a: b\nspec: @x\n', 'line 2: found character that cannot start any token'],
    ['a: *x\n', "unknown anchor 'x' referenced"],
    ['a: b\nspec: - a\n', 'line 2: block sequence entries are not allowed in this context'],
  ])('%j', (text, problem) => {
    expect(() => parseYaml(text)).toThrow(`yaml: ${problem}`);
  });
});

describe('good YAML', () => {
  it.each<[string, unknown]>([
    [
      'a: yes\nb: "yes"\nc: 1_000\nd: 0x10\ne: 010\nf: 1.5\ng: ~\nh: 2025-01-01\ni: 12:30:45\nj: 1e3\n',
      { a: true, b: 'yes', c: 1000, d: 16, e: 8, f: 1.5, g: null, h: '2025-01-01', i: '12:30:45', j: 1000 },
    ],
    ['a: &x {b: c}\nd: *x\ne:\n  <<: *x\n  f: 1\n', { a: { b: 'c' }, d: { b: 'c' }, e: { b: 'c', f: 1 } }],
    ['a: |\n  one\n   two\n\nb: >-\n  three\n  four\n\n  five\nc: |+\n  x\n\n', { a: 'one\n two\n', b: 'three four\nfive', c: 'x\n\n' }],
    ['- a\n- - b\n  - c\n- d: e\n  f:\n  - g\n', ['a', ['b', 'c'], { d: 'e', f: ['g'] }]],
    ["a: one\n  two\n\n  three # not this\nb: 'it''s'\nc: \"\\u00e9\\n\\\n  x\"\n", { a: 'one two\nthree', b: "it's", c: 'é\nx' }],
    ['80: a\ntrue: b\n? c\n: d\n', { 80: 'a', true: 'b', c: 'd' }],
    ['{"a": [1, {"b": null}], "c": "d"}', { a: [1, { b: null }], c: 'd' }],
    ['a: !!str 5\nb: fd00::1\nc: a#b\nd: {}\ne: []\nf:\n', { a: '5', b: 'fd00::1', c: 'a#b', d: {}, e: [], f: null }],
    ['# nothing\n', null],
    ['a: 1\na: 2\n', { a: 2 }],
  ])('%j', (text, value) => {
    expect(parseYaml(text)).toEqual(value);
  });
});

describe('written YAML', () => {
  it('has the bytes of kubectl, quote by quote', () => {
    const recorded = readFileSync(new URL('../../../testdata/kubectl/quoting.yaml', import.meta.url), 'utf8').replace(/^#.*\n/, '');
    const value = parseYaml(recorded) as { data: Record<string, string> };
    // A line separator inside single quotes is folded when it is read back: that one cannot make the round trip.
    value.data.k092 = '';
    expect(toYaml(value)).toBe(recorded.replace(/k092: '[^']*'/, 'k092: ""'));
  });

  it('reads back as what was written', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab0:-# \'"\\{}[],&*!|>%@`\n~=.éy') });
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        text,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(text, tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c'), json.value, { noNullPrototype: true }), (object) => {
        expect(parseYaml(toYaml(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
