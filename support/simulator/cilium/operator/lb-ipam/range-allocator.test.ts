import { describe, expect, it } from 'vitest';
import { ip } from '../../../net/address.ts';
import { RangeAllocator } from './range-allocator.ts';

type Step = { readonly request: string } | { readonly free: string } | { readonly any: number };

const run = (from: string, to: string, steps: readonly Step[]): readonly string[] => {
  const allocator = new RangeAllocator<string>(ip(from), ip(to));
  const given: string[] = [];
  for (const step of steps) {
    if ('request' in step) expect(allocator.allocate(ip(step.request), 'x')).toBe(true);
    else if ('free' in step) expect(allocator.free(ip(step.free))).toBe(true);
    else for (let count = 0; count < step.any; count++) given.push(allocator.allocateAny('x')?.text ?? 'full');
  }
  return given;
};

describe('the order in which addresses are handed out', () => {
  it.each<{ name: string; range?: readonly [string, string]; steps: readonly Step[]; given: readonly string[] }>([
    { name: 'a fresh range starts at its first address', steps: [{ any: 3 }], given: ['192.0.2.0', '192.0.2.1', '192.0.2.2'] },
    {
      name: 'after a request near the start the smaller part before it is used',
      steps: [{ request: '192.0.2.20' }, { any: 2 }],
      given: ['192.0.2.0', '192.0.2.1'],
    },
    {
      name: 'after a request near the end the smaller part behind it is used',
      steps: [{ request: '192.0.2.200' }, { any: 2 }],
      given: ['192.0.2.201', '192.0.2.202'],
    },
    {
      name: 'a hole is used before the untouched rest',
      steps: [{ any: 3 }, { free: '192.0.2.1' }, { any: 2 }],
      given: ['192.0.2.0', '192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.3'],
    },
    {
      name: 'of two holes of one size the one that was freed first is used first',
      steps: [{ any: 5 }, { free: '192.0.2.3' }, { free: '192.0.2.1' }, { any: 2 }],
      given: ['192.0.2.0', '192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.3', '192.0.2.1'],
    },
    {
      name: 'both ends kept back leave the middle',
      steps: [{ request: '192.0.2.0' }, { request: '192.0.2.255' }, { any: 1 }],
      given: ['192.0.2.1'],
    },
    {
      name: 'a full range gives nothing',
      range: ['192.0.2.1', '192.0.2.2'],
      steps: [{ any: 3 }],
      given: ['192.0.2.1', '192.0.2.2', 'full'],
    },
    {
      name: 'an address that was freed in a full range is given again',
      range: ['192.0.2.1', '192.0.2.3'],
      steps: [{ any: 3 }, { free: '192.0.2.2' }, { any: 2 }],
      given: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.2', 'full'],
    },
    {
      name: 'IPv6 starts at the address with a host part of zeros',
      range: ['2001:db8:1::', '2001:db8:1::ffff:ffff:ffff:ffff'],
      steps: [{ any: 2 }],
      given: ['2001:db8:1::', '2001:db8:1::1'],
    },
  ])('$name', ({ range = ['192.0.2.0', '192.0.2.255'] as const, steps, given }) => {
    expect(run(range[0], range[1], steps)).toEqual(given);
  });

  it('merges neighbouring holes so that every address comes back once', () => {
    const allocator = new RangeAllocator<string>(ip('192.0.2.0'), ip('192.0.2.15'));
    for (let count = 0; count < 16; count++) allocator.allocateAny('x');
    for (const last of [3, 5, 4, 0, 15, 14, 1, 2]) allocator.free(ip(`192.0.2.${last}`));
    const again = new Set(Array.from({ length: 8 }, () => allocator.allocateAny('y')?.text));
    expect(again).toEqual(new Set([3, 5, 4, 0, 15, 14, 1, 2].map((last) => `192.0.2.${last}`)));
    expect(allocator.allocateAny('z')).toBeUndefined();
    expect({ size: allocator.size, used: allocator.used, available: allocator.available }).toEqual({ size: 16n, used: 16n, available: 0n });
  });

  it('counts beyond what a number holds', () => {
    const allocator = new RangeAllocator<string>(ip('2001:db8:1::'), ip('2001:db8:1::ffff:ffff:ffff:ffff'));
    allocator.allocateAny('x');
    expect(allocator.available).toBe(18446744073709551615n);
  });
});
