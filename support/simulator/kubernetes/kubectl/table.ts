/**
 * kubectl's table writer (a tabwriter with minimum width 6 and padding 3, counted in runes): the last cell of a
 * line is never padded. In a watch, widths are remembered: columns grow and never shrink.
 */
export class TableWriter {
  #lines: string[][] = [];
  #widths: number[] | undefined;
  readonly #isRemembering: boolean;
  constructor(options: { readonly isRemembering?: boolean } = {}) {
    this.#isRemembering = options.isRemembering ?? false;
  }

  add(cells: readonly string[]): void {
    // A tab inside a cell starts another column, as it does in the real writer.
    this.#lines.push(cells.flatMap((cell) => cell.split('\t')));
  }

  /** The lines since the last flush. */
  flush(): string {
    const lines = this.#lines;
    this.#lines = [];
    if (!this.#isRemembering) return formatTable(lines);
    this.#widths ??= [];
    return formatTable(lines, this.#widths);
  }
}

export function formatTable(lines: readonly (readonly string[])[], remembered?: number[]): string {
  const widths: number[] = [...(remembered ?? [])];
  for (const line of lines) {
    for (let column = 0; column < line.length - 1; column++) {
      widths[column] = Math.max(6, widths[column] ?? 0, runes(line[column] as string) + 3);
    }
  }
  if (remembered !== undefined) remembered.splice(0, remembered.length, ...widths);
  let text = '';
  for (const line of lines) {
    for (let column = 0; column < line.length; column++) {
      const cell = line[column] as string;
      text += cell;
      if (column < line.length - 1) text += ' '.repeat((widths[column] as number) - runes(cell));
    }
    text += '\n';
  }
  return text;
}

function runes(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** One cell of a Table of the API server: Go's `%v`, cut at the first line break. */
export function cellText(value: unknown): string {
  const text = goValue(value);
  const cut = /[\f\n\r]/.exec(text);
  return cut === null ? text : `${text.slice(0, cut.index)}...`;
}

function goValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`;
  if (typeof value === 'object') {
    return `map[${Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => `${key}:${goValue(entry)}`)
      .join(' ')}]`;
  }
  return String(value);
}
