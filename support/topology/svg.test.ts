import { describe, expect, it } from 'vitest';
import type { Picture, PictureLink, PictureNode } from './picture.ts';
import { drawSvg } from './svg.ts';
import { drawText } from './text.ts';

function node(id: string, kind: PictureNode['kind'], as?: number, group?: string): PictureNode {
  return { id, kind, as, details: [], group };
}

function link(a: string, b: string, session?: string): PictureLink {
  const [from = '', fromPort = ''] = a.split(':');
  const [to = '', toPort = ''] = b.split(':');
  return {
    a: { node: from, interfaceName: fromPort, addresses: ['192.0.2.1/24', '2001:db8:1::1/64'] },
    b: { node: to, interfaceName: toPort, addresses: ['192.0.2.2/24'] },
    session,
  };
}

const picture: Picture = {
  title: 'One <lab> & its routers',
  groups: ['Kubernetes cluster'],
  nodes: [
    node('spine', 'router', 64500),
    node('leaf', 'router', 64501),
    node('worker', 'kube-node', 64510, 'Kubernetes cluster'),
    node('worker2', 'kube-node', 64511, 'Kubernetes cluster'),
    node('client', 'host'),
  ],
  links: [
    link('spine:eth1', 'leaf:eth1', 'established'),
    link('leaf:eth2', 'worker:net0', 'established'),
    link('leaf:eth3', 'worker2:net0', 'active'),
    link('leaf:eth4', 'client:eth1'),
  ],
};

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The rectangles of a drawing by the name that is written in them. */
function boxesOf(svg: string): ReadonlyMap<string, Box> {
  const found = new Map<string, Box>();
  for (const [, x, y, width, height, name = ''] of svg.matchAll(
    /<rect class="(?:box|frame)" rx="\d+" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"\/><text class="(?:name|frame-name)"[^>]*>([^<]*)</g,
  ))
    found.set(name, { x: Number(x), y: Number(y), width: Number(width), height: Number(height) });
  return found;
}

function isInside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

describe('the drawing of a lab', async () => {
  const svg = await drawSvg(picture);
  const boxes = boxesOf(svg);
  const at = (name: string): Box => {
    const box = boxes.get(name);
    if (box === undefined) throw new Error(`no box ${name}`);
    return box;
  };

  it('has a box for each node and a frame for the cluster, which holds its nodes and nobody else', () => {
    expect([...boxes.keys()].sort()).toEqual(['Kubernetes cluster', 'client', 'leaf', 'spine', 'worker', 'worker2']);
    const frame = at('Kubernetes cluster');
    expect(['worker', 'worker2', 'leaf', 'client'].map((name) => isInside(at(name), frame))).toEqual([true, true, false, false]);
  });

  it('lets no two boxes overlap', () => {
    const all = ['spine', 'leaf', 'worker', 'worker2', 'client'].map(at);
    for (const [index, a] of all.entries())
      for (const b of all.slice(index + 1))
        expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(true);
  });

  it('stands spines above leaves, and leaves above servers', () => {
    expect(at('spine').y).toBeLessThan(at('leaf').y);
    expect(at('leaf').y).toBeLessThan(Math.min(at('worker').y, at('client').y));
  });

  it('begins and ends each link at the boxes of its ends', () => {
    const lines = [...svg.matchAll(/<polyline class="link[^"]*" points="([^"]*)"/g)].map(([, points = '']) =>
      points.split(' ').map((point) => point.split(',').map(Number) as [number, number]),
    );
    const touches = ([x, y]: readonly [number, number], box: Box): boolean =>
      x >= box.x - 1 && x <= box.x + box.width + 1 && y >= box.y - 1 && y <= box.y + box.height + 1;
    for (const [index, { a, b }] of picture.links.entries()) {
      const points = lines[index] ?? [];
      const ends = [points[0], points.at(-1)] as [[number, number], [number, number]];
      expect(ends.some((end) => touches(end, at(a.node))) && ends.some((end) => touches(end, at(b.node)))).toBe(true);
    }
  });

  it('tells the state of each session, in colour, in dashes and in words', () => {
    const states = [...svg.matchAll(/<polyline class="(link[^"]*)"[^>]*>(?:<title>([^<]*)<\/title>)?/g)].map(([, name, title]) => [
      name,
      title,
    ]);
    expect(states).toEqual([
      ['link up', 'BGP established'],
      ['link up', 'BGP established'],
      ['link down', 'BGP active'],
      ['link', undefined],
    ]);
    expect(svg).toContain('leaf eth3 to worker2 net0, BGP active');
  });

  it('writes each label once, away from the links of other boxes', () => {
    const labels = [...svg.matchAll(/<text class="label">((?:<tspan x="[\d.]+" y="[\d.]+">[^<]*<\/tspan>)+)<\/text>/g)].map(
      ([, spans = '']) =>
        [...spans.matchAll(/<tspan x="([\d.]+)"[^>]*>([^<]*)</g)].map(([, x, text = '']) => ({
          from: Number(x),
          to: Number(x) + text.length * 6.7,
          text,
        })),
    );
    expect(labels.map((spans) => spans[0]?.text)).toEqual(['eth1', 'eth1', 'eth2', 'net0', 'eth3', 'net0', 'eth4', 'eth1']);
    // the ports of one side of the leaf: a label ends before the next link begins
    const ports = [...svg.matchAll(/<polyline class="link[^"]*" points="([\d.]+),([\d.]+)/g)].slice(1).map(([, x]) => Number(x));
    const own = [labels[2], labels[4], labels[6]];
    for (const [index, spans] of own.entries())
      for (const port of ports) if (port > (ports[index] ?? 0)) expect(Math.max(...(spans ?? []).map(({ to }) => to))).toBeLessThan(port);
  });

  it('escapes what it is given, and follows the reader in light and dark', () => {
    expect(svg).toContain('<title id="title">One &lt;lab&gt; &amp; its routers</title>');
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
    // each colour of a class has its dark counterpart
    const style = /<style>([\s\S]*)<\/style>/.exec(svg)?.[1] ?? '';
    const [light = '', dark = ''] = style.split('@media');
    const coloured = [...light.matchAll(/(\.[\w.\- ]+)\{[^}]*(?:fill|stroke):#/g)].map(([, name = '']) => name.trim());
    expect(coloured.filter((name) => !dark.includes(`${name}{`))).toEqual([]);
  });

  it('is the same each time', async () => {
    expect(await drawSvg(picture)).toBe(svg);
  });

  it('is told in text as well', () => {
    const text = drawText(picture);
    for (const { id } of picture.nodes) expect(text).toContain(id);
    expect(text).toMatch(/worker2.*active/);
  });
});
