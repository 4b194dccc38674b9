import { contains, parsePrefix } from '../../net/address.ts';
import type { Family, Prefix } from '../../net/types.ts';
import { type CiliumNode, type PodIpPool, type PoolAllocation, resources } from '../objects.ts';
import { createTrigger } from '../trigger.ts';
import { CidrSet } from './cidr-set.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

/** A controller that failed tries again after this, times the number of its failures in a row. */
const retryMs = 1000;

interface PoolSets {
  readonly sets: ReadonlyMap<Family, CidrSet[]>;
  readonly masks: Readonly<Record<Family, number>>;
}

const families = [4, 6] as const;
const fieldOf = (family: Family) => (family === 4 ? 'ipv4' : 'ipv6');

/** Addresses that a CIDR can give to pods: all but the first and the last. */
function addressesIn({ family, length }: Prefix): number {
  return Math.max(0, 2 ** ((family === 4 ? 32 : 128) - length) - 2);
}

/** Which CIDRs of which pools nodes have, in IPAM mode `multi-pool` (pkg/ipam/allocator/multipool). */
export class MultiPoolAllocator {
  readonly #pools = new Map<string, PoolSets>();
  readonly #nodes = new Map<string, Map<string, Set<Prefix>>>();
  readonly #families: readonly Family[];

  constructor(enabled: readonly Family[]) {
    this.#families = enabled;
  }

  /** @returns what is wrong with the change; the pool stays as it was */
  upsertPool({ metadata: { name }, spec }: PodIpPool): string | undefined {
    const known = this.#pools.get(name);
    const masks = { 4: spec?.ipv4?.maskSize ?? 0, 6: spec?.ipv6?.maskSize ?? 0 };
    if (known !== undefined)
      for (const family of families)
        if (known.masks[family] !== masks[family]) return `cannot change IPv${family} mask size in existing pool "${name}"`;
    const sets = new Map<Family, CidrSet[]>();
    for (const family of families) {
      const wanted = (spec?.[fieldOf(family)]?.cidrs ?? []).flatMap((text) => parsePrefix(text) ?? []);
      const kept = (known?.sets.get(family) ?? []).filter(({ network }) => wanted.includes(network));
      const added = wanted.filter((network) => !kept.some((set) => set.network === network));
      sets.set(family, [...kept, ...added.map((network) => new CidrSet(network, masks[family]))]);
    }
    this.#pools.set(name, { sets, masks });
    return undefined;
  }

  /** @returns nodes that still use it */
  deletePool(name: string): readonly string[] {
    this.#pools.delete(name);
    const users: string[] = [];
    for (const [node, pools] of this.#nodes) if (pools.delete(name)) users.push(node);
    return users;
  }

  /** What the node has already is its own; what it asks for beyond that is added. @returns what failed, in upstream's words */
  allocate(node: CiliumNode, isReady: boolean): readonly string[] {
    const { name } = node.metadata;
    const { allocated = [], requested = [] } = node.spec?.ipam?.pools ?? {};
    const errors: string[] = [];
    const present = new Map(allocated.map(({ pool, cidrs = [] }) => [pool, cidrs.flatMap((text) => parsePrefix(text) ?? [])]));
    for (const [pool, cidrs] of present)
      for (const cidr of cidrs) {
        const problem = this.#occupy(name, pool, cidr);
        if (problem !== undefined) errors.push(problem);
      }
    for (const [pool, held] of [...(this.#nodes.get(name) ?? [])])
      for (const cidr of held) if (present.get(pool)?.includes(cidr) !== true) this.#release(name, pool, cidr);
    if (!isReady) return errors;
    for (const { pool, needed = {} } of requested)
      for (const family of this.#families) {
        const held = [...(this.#nodes.get(name)?.get(pool) ?? [])].filter((cidr) => cidr.family === family);
        const lacking = (needed[`ipv${family}-addrs`] ?? 0) - held.reduce((sum, cidr) => sum + addressesIn(cidr), 0);
        const problem = lacking > 0 ? this.#add(name, pool, family, lacking) : undefined;
        if (problem !== undefined)
          errors.push(`failed to allocate ipv${family} address for node "${name}" from pool "${pool}": ${problem}`);
      }
    return errors;
  }

  allocated(node: string): readonly PoolAllocation[] {
    return [...(this.#nodes.get(node) ?? [])]
      .map(([pool, held]) => ({
        pool,
        cidrs: families.flatMap((family) =>
          [...held]
            .filter((cidr) => cidr.family === family)
            .map(({ text }) => text)
            .sort(),
        ),
      }))
      .sort((a, b) => (a.pool < b.pool ? -1 : 1));
  }

  releaseNode(node: string): void {
    for (const [pool, held] of this.#nodes.get(node) ?? [])
      for (const cidr of held) for (const set of this.#pools.get(pool)?.sets.get(cidr.family) ?? []) set.release(cidr);
    this.#nodes.delete(node);
  }

  #held(node: string, pool: string): Set<Prefix> {
    const pools = this.#nodes.get(node) ?? new Map<string, Set<Prefix>>();
    this.#nodes.set(node, pools);
    const held = pools.get(pool) ?? new Set<Prefix>();
    pools.set(pool, held);
    return held;
  }

  #occupy(node: string, pool: string, cidr: Prefix): string | undefined {
    if (this.#nodes.get(node)?.get(pool)?.has(cidr) === true) return undefined;
    const sets = this.#pools.get(pool)?.sets.get(cidr.family);
    if (sets === undefined) return `cannot reuse from non-existing pool: ${pool}`;
    const own = sets.find(({ network }) => contains(network, cidr.address) && network.length <= cidr.length);
    if (own === undefined) return `unable to reuse from pool ${pool}: cidr ${cidr.text} is not part of the requested pool`;
    if (!own.occupy(cidr)) return `unable to reuse from pool ${pool}: cidr ${cidr.text} has already been allocated`;
    this.#held(node, pool).add(cidr);
    return undefined;
  }

  #release(node: string, pool: string, cidr: Prefix): void {
    for (const set of this.#pools.get(pool)?.sets.get(cidr.family) ?? []) set.release(cidr);
    const held = this.#nodes.get(node)?.get(pool);
    held?.delete(cidr);
    if (held?.size === 0) this.#nodes.get(node)?.delete(pool);
  }

  #add(node: string, pool: string, family: Family, addresses: number): string | undefined {
    const sets = this.#pools.get(pool)?.sets.get(family);
    if (sets === undefined) return `cannot allocate from non-existing pool: ${pool}`;
    for (let lacking = addresses; lacking > 0; ) {
      let cidr: Prefix | undefined;
      for (const set of sets) cidr ??= set.allocate();
      if (cidr === undefined) return 'pool empty';
      this.#held(node, pool).add(cidr);
      const given = addressesIn(cidr);
      // A mask without usable addresses would go on until the pool is empty, as it does upstream.
      lacking -= given;
    }
    return undefined;
  }
}

/** `default=ipv4-cidrs:192.0.2.0/24,198.51.100.0/24;ipv4-mask-size:27` of `auto-create-cilium-pod-ip-pools`. */
export function parsePools(text: string): readonly { readonly name: string; readonly spec: NonNullable<PodIpPool['spec']> }[] {
  // A comma separates CIDRs as well as pools: a pool begins with its name and an equals sign.
  return text
    .split(/,(?=[^,=:;]+=)/)
    .filter((part) => part.includes('='))
    .map((part) => {
      const [name = '', fields = ''] = part.split(/=(.*)/s);
      const values = new Map(fields.split(';').map((field) => field.split(/:(.*)/s).slice(0, 2) as [string, string]));
      const family = (key: 'ipv4' | 'ipv6') => {
        const cidrs = (values.get(`${key}-cidrs`) ?? '').split(',').filter((cidr) => cidr !== '');
        return cidrs.length === 0 ? {} : { [key]: { cidrs, maskSize: Number(values.get(`${key}-mask-size`) ?? 0) } };
      };
      return { name: name.trim(), spec: { ...family('ipv4'), ...family('ipv6') } };
    });
}

/** Makes the pools that the installation names, and gives nodes the CIDRs that they ask for. */
export function startMultiPool({ api, clock, config, log }: OperatorContext): OperatorPart {
  const enabled = families.filter((family) => (config.get(`enable-ipv${family}`) ?? String(family === 4)) === 'true');
  const allocator = new MultiPoolAllocator(enabled);
  const subsys = { subsys: 'ipam-allocator-multi-pool' };
  const failures = new Map<string, number>();
  const retries = new Map<string, { stop(): void }>();
  for (const { name, spec } of parsePools(config.get('auto-create-cilium-pod-ip-pools') ?? '')) {
    if (api.get(resources.podPool, name) !== undefined) {
      log('info', 'Found existing CiliumPodIPPool resource. Skipping creation', { poolName: name, subsys: 'watchers' });
      continue;
    }
    api.create({ apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumPodIPPool', metadata: { name }, spec });
    log('info', 'Created CiliumPodIPPool resource', { poolName: name, subsys: 'watchers' });
  }
  const upsert = (pool: PodIpPool): void => {
    const error = allocator.upsertPool(pool);
    if (error !== undefined) log('error', 'Failed to upsert pool', { error, 'pool-name': pool.metadata.name, ...subsys });
  };
  const sync = (name: string): void => {
    const node = api.get<CiliumNode>(resources.node, name);
    if (node === undefined) return;
    const error = allocator.allocate(node, true).join('\n');
    const allocated = allocator.allocated(name);
    const pools = node.spec?.ipam?.pools;
    if (JSON.stringify(pools?.allocated ?? []) !== JSON.stringify(allocated))
      api.patch(resources.node, name, undefined, { spec: { ipam: { pools: { allocated: allocated.length === 0 ? null : allocated } } } });
    if (error !== operatorError(node))
      api.patch(
        resources.node,
        name,
        undefined,
        { status: { ipam: { 'operator-status': error === '' ? null : { error } } } },
        { subresource: 'status' },
      );
    if (error === '') {
      failures.delete(name);
      return;
    }
    log('warning', 'Failed to allocate PodCIDRs to node', { error, nodeName: name, ...subsys });
    const count = (failures.get(name) ?? 0) + 1;
    failures.set(name, count);
    retries.get(name)?.stop();
    const retry = createTrigger(clock, count * retryMs, () => sync(name));
    retries.set(name, retry);
    retry.fire();
  };
  for (const pool of api.list<PodIpPool>(resources.podPool)) upsert(pool);
  const nodes = api.list<CiliumNode>(resources.node);
  for (const node of nodes) allocator.allocate(node, false);
  for (const node of nodes) sync(node.metadata.name);
  const stops = [
    api.watch<PodIpPool>(resources.podPool, ({ type, object }) => {
      if (type !== 'DELETED') {
        upsert(object);
        return;
      }
      const pool = object.metadata.name;
      for (const node of allocator.deletePool(pool)) log('warning', 'pool still in use by node', { node, pool, ...subsys });
    }),
    api.watch<CiliumNode>(resources.node, ({ type, object, old }) => {
      if (type === 'DELETED') {
        allocator.releaseNode(object.metadata.name);
        retries.get(object.metadata.name)?.stop();
      } else if (JSON.stringify(old?.spec?.ipam?.pools) !== JSON.stringify(object.spec?.ipam?.pools)) sync(object.metadata.name);
    }),
  ];
  return {
    stop() {
      for (const stop of stops) stop();
      for (const retry of retries.values()) retry.stop();
    },
  };
}

/** `status.ipam.operator-status.error` */
export function operatorError(node: CiliumNode): string {
  const status = node['status'] as { readonly ipam?: { readonly 'operator-status'?: { readonly error?: string } } } | undefined;
  return status?.ipam?.['operator-status']?.error ?? '';
}
