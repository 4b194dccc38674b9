import { describe, expect, it } from 'vitest';
import type { CiliumNode, PodIpPool, PoolAllocation } from '../objects.ts';
import { MultiPoolAllocator, parsePools } from './multi-pool-ipam.ts';

const pool = (name: string, cidrs: readonly string[], maskSize: number): PodIpPool =>
  ({ apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumPodIPPool', metadata: { name }, spec: { ipv4: { cidrs, maskSize } } }) as never;
const node = (name: string, wants: Readonly<Record<string, number>>, allocated: readonly PoolAllocation[] = []): CiliumNode =>
  ({
    metadata: { name },
    spec: {
      ipam: {
        pools: { allocated, requested: Object.entries(wants).map(([of, count]) => ({ pool: of, needed: { 'ipv4-addrs': count } })) },
      },
    },
  }) as never;
const withPools = (...pools: readonly PodIpPool[]) => {
  const allocator = new MultiPoolAllocator([4]);
  for (const each of pools) allocator.upsertPool(each);
  return allocator;
};

describe('pools of pod addresses', () => {
  it.each<{ name: string; wants: Readonly<Record<string, number>>; gets: readonly PoolAllocation[]; errors?: readonly string[] }>([
    { name: 'one CIDR for what it holds', wants: { a: 14 }, gets: [{ pool: 'a', cidrs: ['192.0.2.0/28'] }] },
    { name: 'the first and last address do not count', wants: { a: 15 }, gets: [{ pool: 'a', cidrs: ['192.0.2.0/28', '192.0.2.16/28'] }] },
    {
      name: 'several pools, by name',
      wants: { b: 1, a: 1 },
      gets: [
        { pool: 'a', cidrs: ['192.0.2.0/28'] },
        { pool: 'b', cidrs: ['198.51.100.0/29'] },
      ],
    },
    {
      name: 'a pool that does not exist',
      wants: { c: 1 },
      gets: [],
      errors: ['failed to allocate ipv4 address for node "n" from pool "c": cannot allocate from non-existing pool: c'],
    },
    {
      name: 'all that is left of a pool that runs out',
      wants: { b: 20 },
      gets: [{ pool: 'b', cidrs: ['198.51.100.0/29', '198.51.100.8/29'] }],
      errors: ['failed to allocate ipv4 address for node "n" from pool "b": pool empty'],
    },
  ])('gives $name', ({ wants, gets, errors = [] }) => {
    const allocator = withPools(pool('a', ['192.0.2.0/24'], 28), pool('b', ['198.51.100.0/28'], 29));
    expect(allocator.allocate(node('n', wants), true)).toEqual(errors);
    expect(allocator.allocated('n')).toEqual(gets);
  });

  it('takes back what a node no longer has, and gives the next one first', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/26'], 28));
    allocator.allocate(node('n', { a: 20 }), true);
    allocator.allocate(node('n', { a: 10 }, [{ pool: 'a', cidrs: ['192.0.2.16/28'] }]), true);
    allocator.allocate(node('m', { a: 20 }), true);
    expect([allocator.allocated('n'), allocator.allocated('m')]).toEqual([
      [{ pool: 'a', cidrs: ['192.0.2.16/28'] }],
      [{ pool: 'a', cidrs: ['192.0.2.32/28', '192.0.2.48/28'] }],
    ]);
    allocator.releaseNode('m');
    allocator.allocate(node('o', { a: 1 }), true);
    expect(allocator.allocated('o')).toEqual([{ pool: 'a', cidrs: ['192.0.2.0/28'] }]);
  });

  it('knows what nodes had before it began, and whose it is', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/24'], 28));
    const had = [{ pool: 'a', cidrs: ['192.0.2.32/28'] }];
    expect(allocator.allocate(node('n', {}, had), false)).toEqual([]);
    expect(allocator.allocate(node('m', {}, had), true)).toEqual([
      'unable to reuse from pool a: cidr 192.0.2.32/28 has already been allocated',
    ]);
    expect(allocator.allocate(node('o', {}, [{ pool: 'a', cidrs: ['203.0.113.0/28'] }]), true)).toEqual([
      'unable to reuse from pool a: cidr 203.0.113.0/28 is not part of the requested pool',
    ]);
  });

  it('lets a pool grow, but not change its mask', () => {
    const allocator = withPools(pool('a', ['192.0.2.0/28'], 28));
    expect(allocator.upsertPool(pool('a', ['192.0.2.0/28'], 29))).toBe('cannot change IPv4 mask size in existing pool "a"');
    expect(allocator.upsertPool(pool('a', ['192.0.2.0/28', '198.51.100.0/28'], 28))).toBe(undefined);
    allocator.allocate(node('n', { a: 20 }), true);
    expect(allocator.allocated('n')).toEqual([{ pool: 'a', cidrs: ['192.0.2.0/28', '198.51.100.0/28'] }]);
    expect(allocator.deletePool('a')).toEqual(['n']);
    expect(allocator.allocated('n')).toEqual([]);
  });

  it('are read from the option of the chart', () => {
    expect(
      parsePools('default=ipv4-cidrs:192.0.2.0/24,198.51.100.0/24;ipv4-mask-size:27,other=ipv6-cidrs:2001:db8::/64;ipv6-mask-size:120'),
    ).toEqual([
      { name: 'default', spec: { ipv4: { cidrs: ['192.0.2.0/24', '198.51.100.0/24'], maskSize: 27 } } },
      { name: 'other', spec: { ipv6: { cidrs: ['2001:db8::/64'], maskSize: 120 } } },
    ]);
    expect(parsePools('')).toEqual([]);
  });
});
