import type { Exception } from './exceptions.ts';
import type { ObservedPath, StageView } from './observation.ts';

/** One place where the real network and the simulated one are not of one mind. */
export interface Difference {
  readonly stage: string;
  /** A router, or `http`. */
  readonly where: string;
  readonly part: 'bgp' | 'kernel' | 'sessions' | 'http';
  /** A prefix, a session, or who asked whom. */
  readonly what: string;
  readonly real: unknown;
  readonly simulated: unknown;
}

export function differencesOf(real: readonly StageView[], simulated: readonly StageView[]): readonly Difference[] {
  const found: Difference[] = [];
  const compare = (
    at: Pick<Difference, 'stage' | 'where' | 'part'>,
    left: Readonly<Record<string, unknown>>,
    right: Readonly<Record<string, unknown>>,
  ) => {
    for (const what of [...new Set([...Object.keys(left), ...Object.keys(right)])].sort())
      if (JSON.stringify(left[what]) !== JSON.stringify(right[what])) found.push({ ...at, what, real: left[what], simulated: right[what] });
  };
  real.forEach(({ stage, routers, http }, index) => {
    const other = simulated[index];
    for (const [where, view] of Object.entries(routers))
      for (const part of ['bgp', 'kernel', 'sessions'] as const)
        compare({ stage, where, part }, view[part], other?.routers[where]?.[part] ?? {});
    compare({ stage, where: 'http', part: 'http' }, http, other?.http ?? {});
  });
  return found;
}

/** The differences that no exception accounts for. */
export function unexplained(seed: number, differences: readonly Difference[], exceptions: readonly Exception[]): readonly Difference[] {
  const covering = exceptions.filter((exception) => exception.seeds.includes(seed));
  return differences.filter((difference) => !covering.some(({ parts }) => parts.includes(difference.part)));
}

function pathText(path: ObservedPath): string {
  const { nextHops, asPath, origin, localPreference, metric, weight } = path;
  const marks = `${path.isValid ? '*' : ' '}${path.isBest ? '>' : path.isMultipath ? '=' : ' '}${path.isSuppressed === true ? 's' : ''}`;
  return `${marks} ${nextHops.join(', ')} metric ${metric ?? '-'} localpref ${localPreference ?? '-'} weight ${weight} path [${asPath}] ${origin} ${path.from}`;
}

function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (!Array.isArray(value)) return String(value);
  return (value as readonly ObservedPath[]).map(pathText).join('\n             ');
}

/** What a person needs to look into a disagreement: where it is, both sides, and how to see that seed alone. */
export function reportOf(seed: number, differences: readonly Difference[]): string {
  const shown = differences
    .slice(0, 8)
    .map(
      ({ stage, where, part, what, real, simulated }) =>
        `stage "${stage}", ${where}, ${part} ${what}\n  real:      ${valueText(real)}\n  simulated: ${valueText(simulated)}`,
    );
  const more = differences.length > shown.length ? `\nand ${differences.length - shown.length} more` : '';
  return `seed ${seed}: ${differences.length} differences\n${shown.join('\n')}${more}\nalone: npx tsx support/differential/show.ts ${seed}`;
}
