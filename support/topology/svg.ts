import Elk, { type ELK, type ElkExtendedEdge, type ElkNode } from 'elkjs/lib/elk.bundled.js';
import type { Picture, PictureEnd, PictureNode } from './picture.ts';

// Its types take the CommonJS module for an object with a default; Node hands over the class itself.
const Layouter = Elk as unknown as new () => ELK;

// Text is measured by its length: an SVG has no fonts before it is shown, and a monospaced one is asked for.
const glyph = 6.7;
const nodeGlyph = 8.5;
const padding = 24;

/** The picture as an SVG document, laid out in layers. It follows the reader's light or dark mode, and says in words what it shows. */
export async function drawSvg(picture: Picture): Promise<string> {
  const graph = await new Layouter().layout(graphOf(picture));
  const width = Math.ceil((graph.width ?? 0) + 2 * padding);
  const legend = 44;
  const height = Math.ceil((graph.height ?? 0) + 2 * padding + 34 + legend);
  const body = [
    ...groupFrames(graph),
    ...picture.links.map((link, index) => drawLink(graph, index, link.session)),
    ...picture.links.flatMap((_, index) => drawLabels(graph, index)),
    ...picture.nodes.map((node) => drawNode(graph, node)),
  ].join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">${xml(picture.title)}</title>
<desc id="desc">${xml(describe(picture))}</desc>
<style>${style}</style>
<rect class="paper" width="100%" height="100%"/>
<text class="heading" x="${padding}" y="34">${xml(picture.title)}</text>
<g transform="translate(${padding} ${padding + 34})">
${body}
</g>
<g transform="translate(${padding} ${height - 22})">${legendItems()}</g>
</svg>
`;
}

const style = `
text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1b2430}
.paper{fill:#fff}.heading{font-size:18px;font-weight:600}.name{font-size:14px;font-weight:600;text-anchor:middle}
.detail{font-size:11px;fill:#5b6776;text-anchor:middle}.label{font-size:11px;fill:#5b6776;paint-order:stroke;stroke:#fff;stroke-width:3px}
.box{stroke-width:1.5}.router .box{fill:#e8f0fe;stroke:#3367d6}.kube-node .box{fill:#eef7ee;stroke:#2e7d32}.host .box{fill:#f5f5f5;stroke:#8a94a0}
.frame{fill:#f8fafc;stroke:#cbd5e1;stroke-dasharray:6 4}.frame-name{font-size:12px;fill:#5b6776}
.link{fill:none;stroke:#9aa5b1;stroke-width:2}.link.up{stroke:#1a8f3c;stroke-width:2.5}.link.down{stroke:#d1242f;stroke-width:2.5;stroke-dasharray:7 5}
.key{font-size:11px;fill:#5b6776}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}
.paper{fill:#0f1620}
.detail{fill:#9aa7b4}
.label{fill:#9aa7b4;stroke:#0f1620}
.router .box{fill:#14284a;stroke:#7aa2f7}
.kube-node .box{fill:#14301c;stroke:#6cc07a}
.host .box{fill:#1c2530;stroke:#7d8894}
.frame{fill:#131c28;stroke:#334155}
.frame-name{fill:#9aa7b4}
.link{stroke:#5c6873}
.link.up{stroke:#4cc26c}
.link.down{stroke:#ff7b72}
.key{fill:#9aa7b4}}
`;

function endLines(end: PictureEnd): readonly string[] {
  return [end.interfaceName, ...end.addresses];
}

function labelWidth(end: PictureEnd): number {
  return Math.max(...endLines(end).map((line) => line.length)) * glyph + 8;
}

/**
 * Labels stand to the right of the links of a box, which the layout spreads evenly over a side: the box is so wide that between two links
 * there is room for the longest label.
 */
function roomForLabels(id: string, links: Picture['links'], rank: ReadonlyMap<string, number>): number {
  const widths = { up: [0], down: [0] };
  for (const { a, b } of links) {
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (own.node !== id) continue;
      const isUp = (rank.get(other.node) ?? 0) > (rank.get(id) ?? 0);
      widths[isUp ? 'up' : 'down'].push(labelWidth(own) + 14);
    }
  }
  // One link alone has all the room it wants.
  const roomOf = (side: readonly number[]): number => (side.length <= 2 ? 0 : side.length * Math.max(...side));
  return Math.max(roomOf(widths.up), roomOf(widths.down));
}

function graphOf({ nodes, links, groups }: Picture): ElkNode {
  const rank = heights(nodes, links);
  const box = (node: PictureNode): ElkNode => ({
    id: node.id,
    width: Math.max(
      120,
      roomForLabels(node.id, links, rank),
      node.id.length * nodeGlyph + 28,
      ...node.details.map((line) => line.length * glyph + 24),
    ),
    height: 34 + (node.as === undefined ? 0 : 16) + node.details.length * 15 + 8,
  });
  const label = (end: PictureEnd, placement: 'TAIL' | 'HEAD') => {
    const lines = endLines(end);
    return {
      text: lines.join('\n'),
      width: labelWidth(end),
      height: lines.length * 14 + 4,
      layoutOptions: { 'elk.edgeLabels.placement': placement },
    };
  };
  const edges = links.map((link, index): ElkExtendedEdge => {
    const [from, to] = (rank.get(link.a.node) ?? 0) >= (rank.get(link.b.node) ?? 0) ? [link.a, link.b] : [link.b, link.a];
    return { id: `link-${index}`, sources: [from.node], targets: [to.node], labels: [label(from, 'TAIL'), label(to, 'HEAD')] };
  });
  return {
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'DOWN',
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'elk.edgeRouting': 'POLYLINE',
      'elk.spacing.nodeNode': '44',
      'elk.spacing.edgeLabel': '6',
      'elk.layered.spacing.nodeNodeBetweenLayers': '56',
      'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
      'elk.json.edgeCoords': 'ROOT',
      'elk.json.shapeCoords': 'ROOT',
    },
    children: [
      ...nodes.filter((node) => node.group === undefined).map(box),
      ...groups.map((group) => ({
        id: `group ${group}`,
        layoutOptions: { 'elk.padding': '[top=18,left=18,bottom=36,right=18]', 'elk.direction': 'DOWN' },
        labels: [{ text: group, width: group.length * glyph, height: 14 }],
        children: nodes.filter((node) => node.group === group).map(box),
      })),
    ],
    edges,
  };
}

/** How far each router is from what hangs on the fabric: spines stand above leaves, leaves above servers. */
function heights(nodes: Picture['nodes'], links: Picture['links']): ReadonlyMap<string, number> {
  const found = new Map(nodes.filter(({ kind }) => kind !== 'router').map(({ id }) => [id, 0]));
  for (const [id, height] of found) {
    for (const { a, b } of links) {
      const other = a.node === id ? b.node : b.node === id ? a.node : undefined;
      if (other !== undefined && !found.has(other)) found.set(other, height + 1);
    }
  }
  return found;
}

/** Everything below the root, with coordinates of the root. */
function placed(graph: ElkNode): readonly ElkNode[] {
  return (graph.children ?? []).flatMap((child) => [child, ...placed(child)]);
}

function groupFrames(graph: ElkNode): readonly string[] {
  return placed(graph)
    .filter(({ id }) => id.startsWith('group '))
    .map(
      ({ id, x = 0, y = 0, width = 0, height = 0 }) =>
        `<g><rect class="frame" rx="12" x="${x}" y="${y}" width="${width}" height="${height}"/><text class="frame-name" x="${x + 16}" y="${y + height - 12}">${xml(id.slice(6))}</text></g>`,
    );
}

function edgesOf(graph: ElkNode): readonly ElkExtendedEdge[] {
  return [...(graph.edges ?? []), ...(graph.children ?? []).flatMap(edgesOf)];
}

function drawLink(graph: ElkNode, index: number, session: string | undefined): string {
  const [section] = edgesOf(graph).find(({ id }) => id === `link-${index}`)?.sections ?? [];
  if (section === undefined) return '';
  const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(({ x, y }) => `${x},${y}`);
  const state = session === undefined ? '' : session === 'established' ? ' up' : ' down';
  return `<polyline class="link${state}" points="${points.join(' ')}">${session === undefined ? '' : `<title>BGP ${xml(session)}</title>`}</polyline>`;
}

function drawLabels(graph: ElkNode, index: number): readonly string[] {
  const labels = edgesOf(graph).find(({ id }) => id === `link-${index}`)?.labels ?? [];
  return labels.map(({ text = '', x = 0, y = 0 }) => {
    const lines = text.split('\n').map((line, at) => `<tspan x="${x + 4}" y="${y + 11 + at * 14}">${xml(line)}</tspan>`);
    return `<text class="label">${lines.join('')}</text>`;
  });
}

function drawNode(graph: ElkNode, node: PictureNode): string {
  const { x = 0, y = 0, width = 0, height = 0 } = placed(graph).find(({ id }) => id === node.id) ?? {};
  const middle = x + width / 2;
  const small = [...(node.as === undefined ? [] : [`AS ${node.as}`]), ...node.details];
  const details = small.map((line, at) => `<text class="detail" x="${middle}" y="${y + 40 + at * 15}">${xml(line)}</text>`);
  return `<g class="${node.kind}"><rect class="box" rx="8" x="${x}" y="${y}" width="${width}" height="${height}"/><text class="name" x="${middle}" y="${y + 23}">${xml(node.id)}</text>${details.join('')}</g>`;
}

function legendItems(): string {
  const keys = [
    ['up', 'BGP established'],
    ['down', 'BGP not established'],
    ['', 'no BGP'],
  ] as const;
  return keys
    .map(([state, text], at) => {
      const x = at * 190;
      return `<line class="link ${state}" x1="${x}" y1="-4" x2="${x + 30}" y2="-4"/><text class="key" x="${x + 38}" y="0">${text}</text>`;
    })
    .join('');
}

function describe({ nodes, links }: Picture): string {
  const boxes = nodes.map(({ id, as }) => (as === undefined ? id : `${id} (AS ${as})`));
  const lines = links.map(
    ({ a, b, session }) => `${a.node} ${a.interfaceName} to ${b.node} ${b.interfaceName}${session === undefined ? '' : `, BGP ${session}`}`,
  );
  return `Nodes: ${boxes.join(', ')}. Links: ${lines.join('; ')}.`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
