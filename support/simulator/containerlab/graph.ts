import type { Topology } from './topology.ts';

/** `containerlab graph --mermaid`. */
export function mermaidGraph(topology: Topology, direction: string): string {
  const edges = topology.links.flatMap(({ a, b }) => (b === undefined ? [] : [`  ${a.node}---${b.node}\n`]));
  return `---\ntitle: ${topology.name}\n---\ngraph ${direction}\n${edges.join('')}`;
}

/** `containerlab graph --dot`. */
export function dotGraph(topology: Topology, title: string): string {
  const colour = (a: string, b: string) => (a.includes('client') || b.includes('client') ? 'blue' : 'black');
  const edges = topology.links.flatMap(({ a, b }) =>
    b === undefined ? [] : [`\t${a.node}--${b.node}[ color=${colour(a.node, b.node)} ];\n`],
  );
  const nodes = [...topology.nodes]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, kind, group }) => {
      const isBackbone = group?.includes('bb') === true;
      const [fill, extra] = isBackbone ? ['blue', ' fontcolor=white,'] : ['red', ''];
      const inGroup = group === undefined || group.trim() === '' ? '' : ` group=${group},`;
      return `\t${name} [ color=${fill}, fillcolor=${fill},${extra}${inGroup} label=${name}, style=filled, xlabel=${JSON.stringify(kind).replace(/^"(\w+)"$/, '$1')} ];\n`;
    });
  return `graph ${title} {\n${edges.join('')}${nodes.join('')}\n}\n`;
}
