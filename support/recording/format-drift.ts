import type { Comparison, Drift } from './drift.ts';
import { hunks } from './line-diff.ts';
import { jsonMask, trafficMask } from './masks.ts';
import type { Recording } from './recording.ts';

type Paint = (colour: 'green' | 'red' | 'yellow' | 'grey' | 'bold', text: string) => string;

/** What differs, by command, then a table of the groups. */
export function formatDrift({ comparisons, isDifferent }: Drift, a: Recording, b: Recording, paint: Paint): string {
  const lines: string[] = [`${paint('red', '--- A')} ${nameOf(a)}`, `${paint('green', '+++ B')} ${nameOf(b)}`];
  let group = '';
  let step: string | undefined;
  for (const comparison of comparisons.filter(({ kind }) => kind !== 'same')) {
    if (comparison.group !== group) {
      lines.push('', paint('bold', comparison.group));
      group = comparison.group;
      step = undefined;
    }
    if (comparison.step !== undefined && comparison.step !== step) lines.push(paint('grey', `  ${comparison.step}`));
    step = comparison.step;
    lines.push(...formatComparison(comparison, paint));
  }
  lines.push('', ...summary(comparisons, paint), '');
  const differing = comparisons.filter(({ kind }) => kind !== 'same').length;
  if (comparisons.length === 0) lines.push(paint('yellow', 'neither recording has a command'));
  else if (isDifferent)
    lines.push(paint('red', `${differing} of ${count(comparisons.length, 'command')} ${differing === 1 ? 'differs' : 'differ'}`));
  else lines.push(paint('green', `nothing differs in ${count(comparisons.length, 'command')}`));
  return lines.join('\n');
}

function formatComparison({ command, kind, what, diff, times }: Comparison, paint: Paint): string[] {
  const [first = '', ...more] = command.split('\n');
  const remark = kind === 'different' ? what.join(', ') : kind;
  const asked = times[0] > 1 || times[1] > 1 ? paint('grey', ` (asked ${times[0]} and ${times[1]} times; the last answers)`) : '';
  const lines = [`  $ ${first}${more.length > 0 ? ' …' : ''}   ${paint('yellow', remark)}${asked}`];
  for (const line of hunks(diff)) {
    if (line === 'gap') lines.push(paint('grey', '      …'));
    else if (line.kind === 'same') lines.push(`      ${cut(line.text)}`);
    else lines.push(line.kind === 'removed' ? paint('red', `    - ${cut(line.text)}`) : paint('green', `    + ${cut(line.text)}`));
  }
  return lines;
}

/** A line of some kilobytes (JSON without breaks) would bury the rest; `--json` has it whole. */
function cut(text: string): string {
  return text.length > 400 ? `${text.slice(0, 399)}…` : text;
}

/** How many commands of each group are the same, differ, or are in one recording only. */
function summary(comparisons: readonly Comparison[], paint: Paint): string[] {
  const kinds = ['same', 'different', 'only in A', 'only in B'] as const;
  const groups = [...new Set(comparisons.map(({ group }) => group))];
  if (groups.length === 0) return [];
  const width = Math.max(...groups.map(({ length }) => length));
  const lines = [paint('grey', `${''.padEnd(width)}  ${kinds.join('  ')}`)];
  for (const group of groups) {
    const cells = kinds.map((kind) => {
      const number = comparisons.filter((comparison) => comparison.group === group && comparison.kind === kind).length;
      const cell = (number === 0 && kind !== 'same' ? '-' : String(number)).padStart(kind.length);
      return number > 0 && kind !== 'same' ? paint('yellow', cell) : cell;
    });
    lines.push(`${group.padEnd(width)}  ${cells.join('  ')}`);
  }
  return lines;
}

export function formatMasks({ masks }: Pick<Drift, 'masks'>): string {
  const all = [...masks, jsonMask, trafficMask];
  const width = Math.max(...all.map(({ name }) => name.length));
  return [
    'What differs between any two runs, and is not compared:',
    ...all.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}`),
  ].join('\n');
}

export function driftAsJson({ comparisons, isDifferent }: Drift, a: Recording, b: Recording) {
  const side = ({ path, header, commands }: Recording) => ({ path, header: header ?? null, commands: commands.length });
  const number = (wanted: Comparison['kind']) => comparisons.filter(({ kind }) => kind === wanted).length;
  return {
    a: side(a),
    b: side(b),
    isDifferent,
    counts: { same: number('same'), different: number('different'), onlyInA: number('only in A'), onlyInB: number('only in B') },
    differences: comparisons
      .filter(({ kind }) => kind !== 'same')
      .map(({ diff, step, ...comparison }) => ({
        ...comparison,
        step: step ?? null,
        diff: hunks(diff).map((line) => (line === 'gap' ? '…' : `${{ same: ' ', removed: '-', added: '+' }[line.kind]}${line.text}`)),
      })),
  };
}

function nameOf({ path, header }: Recording): string {
  if (header === undefined) return `${path} (transcript)`;
  const state = header.isComplete ? '' : ', cut short';
  return `${path} (${header.lab}, ${header.note}${state})`;
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
