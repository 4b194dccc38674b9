import { parsePrefix } from '../../net/address.ts';
import type { Family, Prefix } from '../../net/types.ts';
import { type CiliumNode, resources } from '../objects.ts';
import type { CiliumConfig } from '../types.ts';
import { CidrSet } from './cidr-set.ts';
import { operatorError } from './multi-pool-ipam.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

/** Pod CIDRs of nodes in IPAM mode `cluster-pool`: one per family, kept for as long as the CiliumNode exists. */
export class ClusterPool {
  readonly #sets: ReadonlyMap<Family, readonly CidrSet[]>;
  readonly #byNode = new Map<string, readonly Prefix[]>();

  constructor(config: CiliumConfig) {
    const sets = new Map<Family, CidrSet[]>();
    for (const family of [4, 6] as const) {
      if ((config.get(`enable-ipv${family}`) ?? String(family === 4)) !== 'true') continue;
      const maskSize = Number(config.get(`cluster-pool-ipv${family}-mask-size`));
      const networks = (config.get(`cluster-pool-ipv${family}-cidr`) ?? '').split(/[\s,]+/).map(parsePrefix);
      sets.set(
        family,
        networks.filter((network) => network !== undefined).map((network) => new CidrSet(network, maskSize)),
      );
    }
    this.#sets = sets;
  }

  /** Remembers what a node has and adds what is missing. The problem is told once the pool is used up. */
  assign(name: string, present: readonly string[]): { readonly podCidrs: readonly string[]; readonly problem?: string } {
    const known = this.#byNode.get(name);
    if (known !== undefined) return { podCidrs: known.map(({ text }) => text) };
    const parts: Prefix[] = [];
    for (const text of present) {
      const part = parsePrefix(text);
      if (part === undefined) continue;
      if (this.#sets.get(part.family)?.some((set) => set.occupy(part)) === true) parts.push(part);
    }
    for (const [family, sets] of this.#sets) {
      if (parts.some((part) => part.family === family)) continue;
      let part: Prefix | undefined;
      for (const set of sets) part ??= set.allocate();
      if (part === undefined) {
        for (const held of parts) for (const set of this.#sets.get(held.family) ?? []) set.release(held);
        return { podCidrs: [], problem: 'allocator full' };
      }
      parts.push(part);
    }
    this.#byNode.set(name, parts);
    return { podCidrs: parts.map(({ text }) => text) };
  }

  release(name: string): void {
    for (const part of this.#byNode.get(name) ?? []) for (const set of this.#sets.get(part.family) ?? []) set.release(part);
    this.#byNode.delete(name);
  }
}

export function startClusterPool({ api, config }: OperatorContext): OperatorPart {
  const pool = new ClusterPool(config);
  const assign = (node: CiliumNode) => {
    const { name } = node.metadata;
    const present = node.spec?.ipam?.podCIDRs ?? [];
    const { podCidrs, problem } = pool.assign(name, present);
    if (problem !== undefined) {
      // The operator says it nowhere but in the node's status.
      if (operatorError(node) !== problem)
        api.patch(
          resources.node,
          name,
          undefined,
          { status: { ipam: { 'operator-status': { error: problem } } } },
          { subresource: 'status' },
        );
    } else if (podCidrs.join() !== present.join() && api.get(resources.node, name) !== undefined) {
      api.patch(resources.node, name, undefined, { spec: { ipam: { podCIDRs: podCidrs } } });
    }
  };
  const nodes = api.list<CiliumNode>(resources.node);
  // Nodes that have a range keep it; only then new ones are given.
  for (const node of nodes) if ((node.spec?.ipam?.podCIDRs ?? []).length > 0) assign(node);
  for (const node of nodes) if ((node.spec?.ipam?.podCIDRs ?? []).length === 0) assign(node);
  const stop = api.watch<CiliumNode>(resources.node, ({ type, object }) => {
    if (type === 'DELETED') pool.release(object.metadata.name);
    else assign(object);
  });
  return { stop };
}
