import { describe, expect, it } from 'vitest';
import { goSort } from './go-sort.ts';

/** Keys that repeat: `sort.Sort` puts equal elements in these orders (run with Go). */
describe("goSort leaves equal elements in Go's order", () => {
  const indicesOf = (count: number, keyOf: (index: number) => number): string => {
    const items = Array.from({ length: count }, (_, index) => ({ key: keyOf(index), index }));
    const sorted = goSort(items, (a, b) => a.key < b.key);
    expect(sorted.map(({ key }) => key)).toEqual(items.map(({ key }) => key).sort((a, b) => a - b));
    return sorted.map(({ index }) => index).join(' ');
  };
  it.each([
    { name: 'up to twelve, insertion keeps them', count: 12, keyOf: (index: number) => index % 3, expected: '0 3 6 9 1 4 7 10 2 5 8 11' },
    { name: 'sorted already', count: 20, keyOf: () => 0, expected: '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19' },
    {
      name: 'three keys in turn',
      count: 20,
      keyOf: (index: number) => index % 3,
      expected: '9 18 15 3 12 0 6 10 7 4 13 16 1 19 8 5 11 14 2 17',
    },
    { name: 'falling', count: 14, keyOf: (index: number) => -Math.floor(index / 4), expected: '13 12 8 11 10 9 6 7 5 4 0 3 2 1' },
  ])('$name', ({ count, keyOf, expected }) => {
    expect(indicesOf(count, keyOf)).toBe(expected);
  });
});
