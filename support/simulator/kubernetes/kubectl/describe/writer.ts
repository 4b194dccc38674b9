/**
 * The writer of `kubectl describe`: Go's text/tabwriter with padding 2. Cells end at a tab; a column is as wide as
 * the widest of consecutive lines that have a cell there, so a line without tabs starts new columns.
 */
export class DescribeWriter {
  #text = '';

  /** @param level indentation, two blanks each */
  write(level: number, text: string): void {
    this.#text += '  '.repeat(level) + text;
  }

  line(level: number, ...cells: readonly string[]): void {
    this.write(level, `${cells.join('\t')}\n`);
  }

  /** Values under one title, `<none>` when there are none. */
  list(title: string, values: readonly string[]): void {
    if (values.length === 0) this.line(0, title, '<none>');
    for (const [index, value] of values.entries()) this.line(0, index === 0 ? title : '', value);
  }

  /** With the tabs between its cells: `rollout history` prints it so. */
  get raw(): string {
    return this.#text;
  }

  toString(): string {
    return tabulate(this.#text, 2);
  }
}

export function tabulate(text: string, padding: number): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const output = lines.map(() => '');
  formatColumn(lines, output, 0, 0, lines.length, [], padding);
  return lines.map((cells, index) => output[index] || cells.join('')).join('\n');
}

/** Lines from..to share the columns before `column`, whose widths are known. */
function formatColumn(
  lines: readonly (readonly string[])[],
  output: string[],
  column: number,
  from: number,
  to: number,
  widths: readonly number[],
  padding: number,
): void {
  for (let index = from; index < to; ) {
    const isCell = (line: number): boolean => (lines[line] as readonly string[]).length - 1 > column;
    if (!isCell(index)) {
      output[index] = render(lines[index] as readonly string[], widths);
      index++;
      continue;
    }
    let end = index;
    let width = 0;
    // A column of empty cells takes no room.
    let isEmpty = true;
    for (; end < to && isCell(end); end++) {
      const length = [...(lines[end]?.[column] ?? '')].length;
      if (length > 0) isEmpty = false;
      width = Math.max(width, length + padding);
    }
    formatColumn(lines, output, column + 1, index, end, [...widths, isEmpty && padding === 0 ? 0 : width], padding);
    index = end;
  }
}

function render(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => (column < cells.length - 1 ? cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)) : cell))
    .join('');
}
