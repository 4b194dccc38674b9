/** A cell, line by line. */
export type BoxCell = readonly string[];

export interface BoxRow {
  readonly cells: readonly BoxCell[];
  /** How many leading cells this row shares with the row above: they are printed once, and no line divides them. */
  readonly sharedCells?: number;
}

/** A table drawn with box characters, as containerlab prints it since 0.60; a cell may have several lines. */
export function boxTable(header: readonly string[], rows: readonly BoxRow[], style: { readonly isBold?: boolean } = {}): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => Math.max(...(row.cells[column] ?? ['']).map((line) => line.length)))),
  );
  const dashes = widths.map((width) => '─'.repeat(width + 2));
  const rule = (left: string, middle: string, right: string) => [
    left,
    ...dashes.flatMap((text, at) => (at === 0 ? [text] : [middle, text])),
    right,
  ];
  const bold = (parts: readonly string[]) =>
    `${parts.map((part) => (style.isBold === true ? `\u001b[1m${part}\u001b[0m` : part)).join('')}\n`;
  const centred = (text: string, width: number) => {
    const left = Math.ceil((width - text.length) / 2);
    return `${' '.repeat(left)}${text}`.padEnd(width);
  };
  const titles = header.flatMap((title, column) => ['│', ` ${centred(title, widths[column] ?? 0)} `]);
  let text = bold(rule('╭', '┬', '╮')) + bold([...titles, '│']) + bold(rule('├', '┼', '┤'));
  rows.forEach(({ cells, sharedCells = 0 }, index) => {
    const height = Math.max(...cells.map((cell) => cell.length));
    for (let at = 0; at < height; at++) {
      const line = cells.map((cell, column) => (column < sharedCells ? '' : (cell[at] ?? '')).padEnd(widths[column] ?? 0));
      text += `│ ${line.join(' │ ')} │\n`;
    }
    const next = rows[index + 1];
    if (next === undefined) return;
    const shared = next.sharedCells ?? 0;
    const blank = widths.slice(0, shared).map((width) => `│${' '.repeat(width + 2)}`);
    text += `${blank.join('')}├${dashes.slice(shared).join('┼')}┤\n`;
  });
  return `${text}${rule('╰', '┴', '╯').join('')}\n`;
}
