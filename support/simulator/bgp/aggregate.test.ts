import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commonPath } from './aggregate.ts';
import type { PathAttributes } from './types.ts';

type AsPath = PathAttributes['asPath'];

describe('the AS path of a summary with as-set (RFC 4271 §9.2.2.2)', () => {
  it.each<{ name: string; paths: AsPath[]; common: AsPath }>([
    { name: 'is the path where there is one only', paths: [[64496, 64497]], common: [64496, 64497] },
    {
      name: 'begins with what all begin with',
      paths: [
        [64496, 64497],
        [64496, 64498],
      ],
      common: [64496, { set: [64497, 64498] }],
    },
    { name: 'is a set alone where nothing is common', paths: [[64497], [64496]], common: [{ set: [64496, 64497] }] },
    { name: 'has the rest of the longer one in the set', paths: [[64496], [64496, 64497]], common: [64496, { set: [64497] }] },
    { name: 'is empty for routes of the router itself', paths: [[], []], common: [] },
    { name: 'takes the members of a set', paths: [[{ set: [64499] }], [64498]], common: [{ set: [64498, 64499] }] },
    { name: 'keeps a repeated number', paths: [[64496, 64496], [64496]], common: [64496, { set: [64496] }] },
  ])('$name', ({ paths, common }) => expect(commonPath(paths)).toEqual(common));

  it('names every number, and does not depend on the order', () => {
    const path = fc.array(fc.integer({ min: 64_496, max: 64_500 }), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 5 }), (paths) => {
        const result = commonPath(paths);
        expect(commonPath([...paths].reverse())).toEqual(result);
        const named = result.flatMap((item) => (typeof item === 'number' ? [item] : item.set));
        expect([...new Set(named)].sort()).toEqual([...new Set(paths.flat())].sort());
      }),
    );
  });
});
