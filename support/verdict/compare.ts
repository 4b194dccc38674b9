import type { Observation } from '../waiting/waiting.ts';

export type Row = Readonly<Record<string, string | number>>;

/**
 * Compares the rows that a feature lists with those that were seen, by their first column(s). A row seen but not listed
 * is no difference.
 * @param keys columns that tell which row is which
 * @returns the differences in words, none when everything listed is there
 */
export function missingRows(expected: readonly Row[], seen: readonly Row[], keys: readonly string[]): string[] {
  const name = (row: Row) => keys.map((key) => String(row[key] ?? '')).join(' ');
  const differences: string[] = [];
  for (const row of expected) {
    const candidates = seen.filter((candidate) => keys.every((key) => String(candidate[key]) === String(row[key])));
    const best = candidates
      .map((candidate) => Object.entries(row).filter(([column, value]) => String(candidate[column]) !== String(value)))
      .sort((a, b) => a.length - b.length)
      .at(0);
    if (best === undefined) differences.push(`no ${name(row)}`);
    else if (best.length > 0) {
      const candidate = candidates.at(0) as Row;
      differences.push(`${name(row)}: ${best.map(([column, value]) => `${column} ${candidate[column]} instead of ${value}`).join(', ')}`);
    }
  }
  return differences;
}

/** Holds when there is no difference. */
export function observe<T>(differences: readonly string[], value: T): Observation<T> {
  return differences.length === 0 ? { ok: true, value } : { ok: false, saw: differences.join('; ') };
}
