import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Edit, LbIpamWorld, type Statuses } from './upstream.testing.ts';

/**
 * Edits at random, and what Cilium's own operator/pkg/lbipam of that tag made of them (driven by the fixture of its unit tests, both families
 * on). A line of the recordings is one seed; a step holds the edit and the statuses that it changed. Steps are left out from the first
 * on that depends on the order of a Go map, or at which the operator panicked.
 */
const recordings = ['1.16.0', '1.18.6'] as const;

interface Sequence {
  readonly seed: number;
  readonly steps: readonly (readonly [edit: Edit, changes: Readonly<Record<string, string | null>>])[];
}

function changesOf(before: Statuses, after: Statuses): Readonly<Record<string, string | null>> {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return Object.fromEntries(keys.filter((key) => before[key] !== after[key]).map((key) => [key, after[key] ?? null]));
}

describe.each(recordings)('LB-IPAM does what Cilium %s does', (version) => {
  const file = new URL(`../../../../testdata/cilium-lbipam/${version}.jsonl`, import.meta.url);
  const sequences = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Sequence);

  it('has a campaign to replay', () => {
    expect(sequences.length).toBeGreaterThanOrEqual(100);
  });

  it('on every edit of every sequence', () => {
    for (const { seed, steps } of sequences) {
      const world = new LbIpamWorld(version);
      let before: Statuses = {};
      for (const [index, [edit, changes]] of steps.entries()) {
        const after = world.apply(edit);
        expect({ seed, index, edit, changes: changesOf(before, after) }).toEqual({ seed, index, edit, changes });
        before = after;
      }
    }
  });
});
