import { describe, expect, it } from 'vitest';
import { formatSelector, matchesSelector, parseSelector, SelectorError } from './labels.ts';
import type { LabelSelector } from './types.ts';

describe('parseSelector', () => {
  it.each<{ text: string; selector: LabelSelector }>([
    { text: '', selector: {} },
    { text: 'app=web', selector: { matchLabels: { app: 'web' } } },
    {
      text: 'app==web,tier!=db',
      selector: { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['db'] }] },
    },
    {
      text: 'app in (web, api),!old',
      selector: {
        matchExpressions: [
          { key: 'app', operator: 'In', values: ['web', 'api'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
    },
    {
      text: 'env notin (prod),tier',
      selector: {
        matchExpressions: [
          { key: 'env', operator: 'NotIn', values: ['prod'] },
          { key: 'tier', operator: 'Exists' },
        ],
      },
    },
    { text: 'example.com/role=', selector: { matchLabels: { 'example.com/role': '' } } },
  ])('reads "$text"', ({ text, selector }) => expect(parseSelector(text)).toEqual(selector));

  it.each(['a=b=c', 'a in b', 'a,,b', '=x'])('refuses "%s"', (text) => expect(() => parseSelector(text)).toThrow(SelectorError));
});

describe('matchesSelector', () => {
  it.each<{ name: string; selector: LabelSelector | undefined; labels: Record<string, string>; expected: boolean }>([
    { name: 'no selector selects nothing', selector: undefined, labels: { app: 'web' }, expected: false },
    { name: 'an empty selector selects everything', selector: {}, labels: {}, expected: true },
    { name: 'all labels must match', selector: { matchLabels: { app: 'web', tier: 'front' } }, labels: { app: 'web' }, expected: false },
    {
      name: 'NotIn holds where the key is missing',
      selector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] },
      labels: {},
      expected: true,
    },
    {
      name: 'Exists needs the key',
      selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] },
      labels: { app: '' },
      expected: true,
    },
  ])('$name', ({ selector, labels, expected }) => expect(matchesSelector(selector, labels)).toBe(expected));
});

it('formats selectors as tables print them', () => {
  expect(
    formatSelector({ matchLabels: { tier: 'front', app: 'web' }, matchExpressions: [{ key: 'env', operator: 'In', values: ['b', 'a'] }] }),
  ).toBe('app=web,env in (a,b),tier=front');
  expect(formatSelector({})).toBe('<none>');
});
