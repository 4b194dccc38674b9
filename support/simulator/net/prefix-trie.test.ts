import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparePrefixes, contains, ip, ipFromValue, prefix } from './address.ts';
import { PrefixTrie } from './prefix-trie.ts';
import type { Prefix } from './types.ts';

// Few leading bits differ, so that prefixes nest and branch often.
const anyPrefix = fc.oneof(
  fc.tuple(fc.nat(63), fc.nat(8)).map(([bits, length]) => prefix(`${bits * 4}.0.0.0/${length}`)),
  fc.tuple(fc.nat(255), fc.nat(32)).map(([low, length]) => prefix(`10.0.0.${low}/${length}`)),
  fc.tuple(fc.nat(0xffff), fc.nat(128)).map(([group, length]) => prefix(`2001:db8:${group.toString(16)}::${group.toString(16)}/${length}`)),
);
const anyIp = fc.oneof(
  fc.nat(255).map((low) => ip(`10.0.0.${low}`)),
  fc.nat(0xffff_ffff).map((value) => ipFromValue(4, BigInt(value))),
  fc.nat(0xffff).map((group) => ip(`2001:db8:${group.toString(16)}::${group.toString(16)}`)),
);

describe('PrefixTrie', () => {
  it('behaves as a map with a linear scan', () => {
    const step = fc.tuple(fc.boolean(), anyPrefix, fc.nat(99));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(anyIp, { maxLength: 20 }), (steps, ips) => {
        const trie = new PrefixTrie<number>();
        const model = new Map<Prefix, number>();
        for (const [isSet, key, value] of steps) {
          if (isSet) {
            trie.set(key, value);
            model.set(key, value);
          } else expect(trie.delete(key)).toBe(model.delete(key));
          expect(trie.get(key)).toBe(model.get(key));
        }
        const sorted = [...model].sort(([a], [b]) => comparePrefixes(a, b));
        expect([...trie.entries()]).toEqual(sorted);
        expect(trie.size).toBe(model.size);
        for (const address of ips) {
          const matching = sorted.filter(([key]) => contains(key, address)).sort(([a], [b]) => b.length - a.length);
          expect(trie.matches(address).map(({ prefix: key, value }) => [key, value])).toEqual(matching);
          expect(trie.longestMatch(address)?.prefix).toBe(matching[0]?.[0]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the families apart and clears', () => {
    const trie = new PrefixTrie<string>();
    trie.set(prefix('0.0.0.0/0'), 'v4');
    expect(trie.longestMatch(ip('2001:db8::1'))).toBeUndefined();
    trie.set(prefix('::/0'), 'v6');
    trie.set(prefix('2001:db8::/32'), 'inner');
    expect([...trie.innerFirst(6)].map(([, value]) => value)).toEqual(['inner', 'v6']);
    trie.clear();
    expect([...trie.entries()]).toEqual([]);
  });
});
