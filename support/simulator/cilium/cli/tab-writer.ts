export interface TabOptions {
  readonly minWidth: number;
  readonly padding: number;
}

/**
 * Go's text/tabwriter, aligned left and padded with blanks. Each line is a list of cells; all but the last of a line
 * end in a tab. A column is as wide as the longest of its cells in a block of neighbouring lines that have one, plus
 * the padding; so a last cell neither gets padding nor widens anything (and a line that ends in a tab has an empty
 * last cell).
 */
export function formatTabs(lines: readonly (readonly string[])[], { minWidth, padding }: TabOptions): string {
  const widths: number[] = [];
  let text = '';
  const length = (cell: string) => [...cell].length;
  const writeLines = (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const cells = lines[index] ?? [];
      cells.forEach((cell, column) => {
        const width = column < cells.length - 1 ? widths[column] : undefined;
        text += width === undefined ? cell : cell + ' '.repeat(Math.max(0, width - length(cell)));
      });
      text += '\n';
    }
  };
  const format = (first: number, end: number) => {
    const column = widths.length;
    let start = first;
    for (let index = first; index < end; index++) {
      if (column >= (lines[index]?.length ?? 0) - 1) continue;
      writeLines(start, index);
      start = index;
      let width = minWidth;
      while (index < end && column < (lines[index]?.length ?? 0) - 1) {
        width = Math.max(width, length(lines[index]?.[column] ?? '') + padding);
        index++;
      }
      widths.push(width);
      format(start, index);
      widths.pop();
      start = index;
      index--;
    }
    writeLines(start, end);
  };
  format(0, lines.length);
  return text;
}
