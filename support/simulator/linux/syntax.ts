import type { JustBash } from './load-library.ts';

/** A node of just-bash's syntax tree, as those that rewrite one see it. */
export type Node = Readonly<Record<string, unknown>>;

/** A word without quotes and expansions; undefined for any other. */
export function literal(word: unknown): string | undefined {
  const { parts = [] } = (word ?? {}) as { readonly parts?: readonly Node[] };
  const [part] = parts;
  return parts.length === 1 && part?.['type'] === 'Literal' ? String(part['value']) : undefined;
}

export function pipelineOf(statement: Node | undefined): Node {
  const [pipeline] = (statement?.['pipelines'] ?? []) as readonly Node[];
  return pipeline ?? {};
}

/** A script that is one group: its pipeline, the group, and the statements in it. */
export function groupOf(library: JustBash, script: string): { readonly outer: Node; readonly group: Node; readonly body: readonly Node[] } {
  const outer = pipelineOf((library.parse(script).statements as unknown as readonly Node[])[0]);
  const [group = {}] = (outer['commands'] ?? []) as readonly Node[];
  return { outer, group, body: (group['body'] ?? []) as readonly Node[] };
}
