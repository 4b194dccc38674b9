import { nearest } from '../port/content-problem.ts';
import { containerName } from '../simulator/containerlab/topology.ts';
import { ContentError } from '../verdict/errors.ts';
import type { LabDefinition } from './lab.ts';
import { shown } from './yaml-file.ts';

type Sources = Pick<LabDefinition, 'cluster' | 'topology'>;

/** Containers that a lab starts with: the nodes of its topology and of its cluster, by their names in `docker ps`. */
export function knownContainers({ cluster, topology }: Sources): readonly string[] {
  const fromTopology = (topology?.parsed.nodes ?? []).map(({ name }) => containerName(topology?.parsed ?? { name: '', prefix: '' }, name));
  return [...fromTopology, ...kindNodes(cluster.documents[0])];
}

/** `kind-control-plane`, `kind-worker`, `kind-worker2`: kind numbers the nodes of a role from the second on. */
function kindNodes(document: unknown): readonly string[] {
  const { name, nodes } = (typeof document === 'object' && document !== null ? document : {}) as { name?: unknown; nodes?: unknown };
  const roles = Array.isArray(nodes)
    ? nodes.map((node) => String((node as { role?: unknown } | null)?.role ?? 'control-plane'))
    : ['control-plane'];
  const seen = new Map<string, number>();
  return roles.map((role) => {
    const number = (seen.get(role) ?? 0) + 1;
    seen.set(role, number);
    return `${typeof name === 'string' && name !== '' ? name : 'kind'}-${role}${number === 1 ? '' : number}`;
  });
}

/** What a step calls a container, or what has the look of a container's name in containerlab. */
const named = /\b(?:router|container|of node) "([^"]+)"|"(clab-[^"]+)"/g;

/** @param at file and line of the step @throws ContentError for a name that neither the topology nor the cluster has */
export function checkContainers(definition: Sources, at: string, text: string): void {
  const known = knownContainers(definition);
  for (const [, called, looksLike] of text.matchAll(named)) {
    const name = called ?? looksLike ?? '';
    if (!known.includes(name)) throw unknownContainer(definition, name, at);
  }
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('-') + 1);
}

export function unknownContainer(definition: Sources, name: string, at?: string): ContentError {
  const known = knownContainers(definition);
  // When a whole lab is renamed, the node's own part of the name is what stays.
  const guess = known.find((candidate) => lastPart(candidate) === lastPart(name)) ?? nearest(name, known);
  const files = [definition.topology?.source.file, definition.cluster.file].filter((file) => file !== undefined).map(shown);
  return new ContentError('content/no-container', `${at === undefined ? '' : `${at}: `}the lab has no container "${name}"`, {
    hint: `${files.join(' and ')} say${files.length === 1 ? 's' : ''} which it has: ${known.join(', ')}`,
    ...(guess === undefined ? {} : { fix: `did you mean ${guess}?` }),
  });
}
