/** A table drawn with box characters, as containerlab prints it since 0.55; a cell may have several lines. */
export function boxTable(header: readonly string[], rows: readonly (readonly (readonly string[])[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => Math.max(...(row[column] ?? ['']).map((line) => line.length)))),
  );
  const rule = (left: string, middle: string, right: string) =>
    `${left}${widths.map((width) => '─'.repeat(width + 2)).join(middle)}${right}\n`;
  const line = (cells: readonly string[], align: (text: string, width: number) => string) =>
    `│${cells.map((cell, column) => ` ${align(cell, widths[column] ?? 0)} `).join('│')}│\n`;
  const centred = (text: string, width: number) => {
    const left = Math.floor((width - text.length) / 2);
    return `${' '.repeat(left)}${text}`.padEnd(width);
  };
  const left = (text: string, width: number) => text.padEnd(width);
  let text = rule('╭', '┬', '╮') + line(header, centred) + rule('├', '┼', '┤');
  rows.forEach((row, index) => {
    const height = Math.max(...row.map((cell) => cell.length));
    for (let at = 0; at < height; at++)
      text += line(
        row.map((cell) => cell[at] ?? ''),
        left,
      );
    text += index === rows.length - 1 ? rule('╰', '┴', '╯') : rule('├', '┼', '┤');
  });
  return text;
}
