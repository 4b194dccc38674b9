import type { Exception } from './exceptions.ts';
import type { ObservedPath, StageView } from './observation.ts';
import { masked } from './show-mask.ts';

/** One place where the real network and the simulated one are not of one mind. */
export interface Difference {
  readonly stage: string;
  /** A router, a node, or `http`. */
  readonly where: string;
  readonly part: 'bgp' | 'kernel' | 'sessions' | 'http' | 'speaker' | 'comeback' | 'show';
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
  real.forEach(({ stage, routers, http, speakers = {} }, index) => {
    const other = simulated[index];
    for (const [where, view] of Object.entries(routers))
      for (const part of ['bgp', 'kernel', 'sessions'] as const)
        compare({ stage, where, part }, view[part], other?.routers[where]?.[part] ?? {});
    compare({ stage, where: 'http', part: 'http' }, http, other?.http ?? {});
    for (const [where, { peers, received }] of Object.entries(speakers)) {
      const mine = other?.speakers?.[where];
      compare({ stage, where, part: 'speaker' }, { ...peers, ...received }, { ...mine?.peers, ...mine?.received });
    }
  });
  return found;
}

/** Clocks are read at slightly different times, speakers are started one after the other, and a KEEPALIVE may be what notices a loss. */
const comebackSlackSeconds = 4;

/** What begins with the stage: elsewhere a wait is under way before, and looking takes real routers a while. */
export const comebackStages = new Set(['link flap', 'clear', 'gobgpd started']);

/** Sessions that came up in a stage earlier or later than the shortest and the longest waits of the speakers let them. */
export function comebackDifferences(
  real: readonly StageView[],
  shortest: readonly StageView[],
  longest: readonly StageView[],
): readonly Difference[] {
  return real.flatMap(({ stage, comebacks = {} }, index) =>
    (comebackStages.has(stage) ? Object.entries(comebacks) : []).flatMap(([session, seconds]): readonly Difference[] => {
      const bounds = [longest, shortest].map((views) => views[index]?.comebacks?.[session] ?? Number.NaN).sort((a, b) => a - b);
      const [least = Number.NaN, most = Number.NaN] = bounds;
      if (seconds >= least - comebackSlackSeconds && seconds <= most + comebackSlackSeconds) return [];
      const [where = ''] = session.split(' ');
      return [{ stage, where, part: 'comeback', what: session, real: seconds, simulated: bounds.join(' to ') }];
    }),
  );
}

/** Groups are numbered in the order in which sessions came up, which is a matter of chance. */
function maskedHistory(text: string): string {
  return (
    masked(text)
      .replace(/Update group \d+, subgroup \d+/g, 'Update group N, subgroup N')
      .replace(/"(updateGroupId|subGroupId)":\d+/g, '"$1":N')
      .replace(/FD used: -?\w+/g, 'FD used: N')
      // Not modelled: FRR asks again for what a changed policy may let in; the simulated one has kept it.
      .replace(/Route Refresh: +\d+ +\d+/g, 'Route Refresh: N')
      .replace(/"routeRefresh(Sent|Recv)":\w+/g, '"routeRefresh$1":N')
  );
}

/** Commands that print something else, but for what differs from run to run. */
export function showDifferences(real: readonly StageView[], simulated: readonly StageView[]): readonly Difference[] {
  return real.flatMap(({ stage, shows = {} }, index) =>
    Object.entries(shows).flatMap(([what, text]): readonly Difference[] => {
      const left = maskedHistory(text);
      const right = maskedHistory(simulated[index]?.shows?.[what] ?? '(not run)');
      if (left === right) return [];
      const lines = right.split('\n');
      const at = left.split('\n').findIndex((line, number) => line !== lines[number]);
      return [
        {
          stage,
          where: what.split('#')[0] as string,
          part: 'show',
          what,
          real: left
            .split('\n')
            .slice(at, at + 3)
            .join(' ⏎ '),
          simulated: lines.slice(at, at + 3).join(' ⏎ '),
        },
      ];
    }),
  );
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

/** Of one seed in a report. */
const shownDifferences = 8;

/** What a person needs to look into a disagreement: where it is, both sides, and how to see that seed alone. */
export function reportOf(seed: number, differences: readonly Difference[], script = 'show.ts'): string {
  const shown = differences
    .slice(0, shownDifferences)
    .map(
      ({ stage, where, part, what, real, simulated }) =>
        `stage "${stage}", ${where}, ${part} ${what}\n  real:      ${valueText(real)}\n  simulated: ${valueText(simulated)}`,
    );
  const more = differences.length > shown.length ? `\nand ${differences.length - shown.length} more` : '';
  return `seed ${seed}: ${differences.length} differences\n${shown.join('\n')}${more}\nalone: npx tsx support/differential/${script} ${seed}`;
}
