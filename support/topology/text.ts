import type { Picture, PictureEnd } from './picture.ts';

/** The picture for a terminal: a box for each node, a line in it for each of its links. */
export function drawText({ title, nodes, links }: Picture): string {
  const boxes = nodes.map((node) => {
    const heading = [node.id, node.as === undefined ? undefined : `AS ${node.as}`, node.group]
      .filter((part) => part !== undefined)
      .join(' · ');
    const rows = links.flatMap(({ a, b, session }) => {
      const pairs: readonly (readonly [PictureEnd, PictureEnd])[] = [
        [a, b],
        [b, a],
      ];
      return pairs
        .filter(([near]) => near.node === node.id)
        .map(([near, far]) => [
          endText(near),
          '───',
          `${far.node}:${far.interfaceName}`,
          session === undefined ? '' : sessionText(session),
        ]);
    });
    const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(' ')
        .trimEnd(),
    );
    return { heading, lines: [...node.details, ...lines] };
  });
  const width = Math.max(20, ...boxes.flatMap(({ heading, lines }) => [heading.length + 2, ...lines.map((line) => line.length)]));
  const drawn = boxes.map(({ heading, lines }) =>
    [
      `┌─ ${heading} ${'─'.repeat(Math.max(0, width - heading.length - 1))}┐`,
      ...lines.map((line) => `│ ${line.padEnd(width)} │`),
      `└${'─'.repeat(width + 2)}┘`,
    ].join('\n'),
  );
  return `${title}\n\n${drawn.join('\n')}\n`;
}

function endText({ interfaceName, addresses }: PictureEnd): string {
  return [interfaceName, ...addresses].join(' ');
}

function sessionText(session: string): string {
  return session === 'established' ? '● established' : `○ ${session}`;
}
