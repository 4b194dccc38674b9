import type { Condition, Service } from '../../../kubernetes/objects.ts';
import { parseIp } from '../../../net/address.ts';
import type { Family, Ip } from '../../../net/types.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import { selects } from '../../selector.ts';
import { isAtLeast } from '../../version.ts';
import { blocksOf, overlap, rangeOfBlock, reservedEnds, reservesEnds } from './pool-ranges.ts';
import { RangeAllocator } from './range-allocator.ts';
import { isHandled, type LbIpamSettings, type ServiceView, sharingProblem, viewService } from './service-view.ts';

/** What LB-IPAM wants written: the whole list of conditions that it owns, and the whole list of addresses. */
export type LbIpamWrite =
  | { readonly kind: 'pool'; readonly name: string; readonly conditions: readonly Condition[] }
  | {
      readonly kind: 'service';
      readonly namespace: string;
      readonly name: string;
      readonly ingress: readonly string[];
      readonly condition: Condition | undefined;
    };

export const serviceConditionType = 'cilium.io/IPAMRequestSatisfied';

/** Why a service has no address; reasons and messages are Cilium's. */
interface Verdict {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}
const satisfied: Verdict = { status: 'True', reason: 'satisfied', message: '' };
const refused = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });

/** Owner of an address: the services that share it, or the pool that keeps it back. */
interface Holder {
  readonly keys: Set<string>;
  readonly sharingKey: string | undefined;
}

interface Range {
  readonly pool: PoolState;
  readonly isCidr: boolean;
  readonly from: Ip;
  readonly to: Ip;
  readonly allocator: RangeAllocator<Holder>;
}

interface PoolState {
  object: LoadBalancerIpPool;
  readonly order: number;
  ranges: Range[];
  /** A block could not be used: the pool gets no conditions. */
  isBroken: boolean;
  conflict: { readonly own: Range; readonly other: Range } | undefined;
  conditions: readonly Condition[];
}

interface ServiceState {
  object: Service;
  view: ServiceView;
  readonly order: number;
  /** In order of allocation. */
  allocated: { readonly ip: Ip; readonly range: Range }[];
  ingress: readonly string[];
  condition: Condition | undefined;
}

/**
 * Addresses for services of type LoadBalancer: CiliumLoadBalancerIPPools in, status of pools and services out
 * (section 1 of the LB-IPAM reference). It holds the state of the operator and touches nothing else: feed it
 * events, then write what {@link takeWrites} returns.
 */
export class LbIpam {
  readonly #settings: LbIpamSettings;
  readonly #now: () => string;
  readonly #log: (message: string, fields: Readonly<Record<string, string>>) => void;
  readonly #pools = new Map<string, PoolState>();
  readonly #services = new Map<string, ServiceState>();
  /** In the order they were added: pools by creation, then their blocks, then later edits. */
  #ranges: Range[] = [];
  /** Addresses in use under a sharing key, oldest first. */
  readonly #shared = new Map<string, { readonly ip: Ip; readonly range: Range }[]>();
  #order = 0;
  #hasFreed = false;
  readonly #dirty = new Set<string>();
  readonly #removed = new Map<string, LbIpamWrite>();

  constructor(
    settings: LbIpamSettings,
    now: () => string,
    log: (message: string, fields: Readonly<Record<string, string>>) => void = () => {},
  ) {
    this.#settings = settings;
    this.#now = now;
    this.#log = log;
  }

  upsertPool(object: LoadBalancerIpPool): void {
    const { name } = object.metadata;
    const known = this.#pools.get(name);
    const pool: PoolState = known ?? {
      object,
      order: this.#order++,
      ranges: [],
      isBroken: false,
      conflict: undefined,
      conditions: object.status?.conditions ?? [],
    };
    pool.object = object;
    this.#pools.set(name, pool);
    this.#updateRanges(pool);
    this.#settleConflicts();
    this.#settleServices();
  }

  deletePool(name: string): void {
    const pool = this.#pools.get(name);
    if (pool === undefined) return;
    for (const range of pool.ranges) this.#dropRange(range);
    this.#pools.delete(name);
    this.#settleConflicts();
    this.#settleServices();
  }

  upsertService(object: Service): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const known = this.#services.get(key);
    if (!isHandled(object, this.#settings)) {
      if (known !== undefined) this.#letGo(known, object);
    } else {
      const view = viewService(object, this.#settings);
      for (const text of view.unparsable) this.#log('Unable to parse requested IP, ignoring', { 'requested-ip': text, 'svc-key': key });
      const ingress = (object.status.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? '');
      const condition = object.status.conditions?.find(({ type }) => type === serviceConditionType) as Condition | undefined;
      const service: ServiceState = known ?? { object, view, order: this.#order++, allocated: [], ingress, condition };
      service.object = object;
      service.view = view;
      if (known === undefined) this.#services.set(key, service);
      // An own write that has not come back yet must not be undone: what is allocated stays listed.
      else service.ingress = [...ingress, ...service.allocated.map(({ ip }) => ip.text).filter((text) => !ingress.includes(text))];
      if (this.#pools.size > 0) this.#process(service);
    }
    this.#retryIfFreed();
  }

  deleteService(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    this.#dirty.delete(key);
    for (const { ip, range } of service.allocated) this.#release(key, ip, range);
    this.#retryIfFreed();
  }

  /** Status changes since the last call, services in order of their creation, then pools. */
  takeWrites(): readonly LbIpamWrite[] {
    const writes: LbIpamWrite[] = [...this.#removed.values()];
    this.#removed.clear();
    const services = [...this.#dirty].map((key) => this.#services.get(key)).filter((service) => service !== undefined);
    this.#dirty.clear();
    for (const { object, ingress, condition } of services.toSorted((a, b) => a.order - b.order)) {
      writes.push({ kind: 'service', namespace: object.metadata.namespace ?? 'default', name: object.metadata.name, ingress, condition });
    }
    for (const [name, pool] of this.#pools) {
      const conditions = this.#poolConditions(pool);
      if (conditions === undefined) continue;
      pool.conditions = conditions;
      writes.push({ kind: 'pool', name, conditions });
    }
    return writes;
  }

  // ── pools ─────────────────────────────────────────────────────────────────────────────────────────────────

  #updateRanges(pool: PoolState): void {
    const wanted: { from: Ip; to: Ip; isCidr: boolean }[] = [];
    pool.isBroken = false;
    for (const block of blocksOf(pool.object)) {
      const range = rangeOfBlock(block);
      if ('problem' in range) {
        pool.isBroken = true;
        this.#log('pool upsert failed', { error: range.problem, 'pool-name': pool.object.metadata.name });
        break;
      }
      wanted.push(range);
    }
    const isSame = (a: { from: Ip; to: Ip }, b: { from: Ip; to: Ip }) => a.from === b.from && a.to === b.to;
    for (const range of pool.ranges.filter((old) => !wanted.some((next) => isSame(old, next)))) this.#dropRange(range);
    const unclaimed = pool.ranges.filter((old) => wanted.some((next) => isSame(old, next)));
    const kept = [...unclaimed];
    for (const next of wanted) {
      const index = unclaimed.findIndex((old) => isSame(old, next));
      if (index >= 0) {
        unclaimed.splice(index, 1);
        continue;
      }
      const range: Range = { pool, isCidr: next.isCidr, from: next.from, to: next.to, allocator: new RangeAllocator(next.from, next.to) };
      kept.push(range);
      this.#ranges.push(range);
    }
    pool.ranges = kept;
    const isReserving = reservesEnds(pool.object, this.#settings.version);
    for (const range of kept) {
      for (const end of reservedEnds(range)) {
        const holder = range.allocator.ownerOf(end);
        if (isReserving && holder === undefined) range.allocator.allocate(end, { keys: new Set(), sharingKey: undefined });
        else if (!isReserving && holder?.keys.size === 0) range.allocator.free(end);
      }
    }
  }

  #dropRange(range: Range): void {
    this.#ranges = this.#ranges.filter((other) => other !== range);
    range.pool.ranges = range.pool.ranges.filter((other) => other !== range);
    for (const [ip, holder] of range.allocator.entries()) {
      if (holder.sharingKey !== undefined) this.#unshare(holder.sharingKey, ip);
      for (const key of holder.keys) {
        const service = this.#services.get(key);
        if (service !== undefined) service.allocated = service.allocated.filter((entry) => entry.range !== range);
      }
    }
  }

  #isConflicting(pool: PoolState): boolean {
    return pool.conflict !== undefined;
  }

  /** Section 1.12. The later of two overlapping pools is marked; released only when it overlaps no other, marked ones included. */
  #settleConflicts(): void {
    const pools = [...this.#pools.values()].toSorted((a, b) => {
      const [left, right] = [a.object.metadata.creationTimestamp, b.object.metadata.creationTimestamp];
      return left === right ? a.order - b.order : left < right ? -1 : 1;
    });
    const clash = (a: readonly Range[], b: readonly Range[]) => {
      for (const own of a) {
        for (const other of b) if (own !== other && overlap(own, other)) return { own, other };
      }
      return undefined;
    };
    for (const pool of pools) {
      if (this.#isConflicting(pool)) continue;
      pool.conflict = clash(pool.ranges, pool.ranges);
      if (this.#isConflicting(pool)) continue;
      for (const earlier of pools) {
        if (earlier === pool) break;
        if (this.#isConflicting(earlier)) continue;
        pool.conflict = clash(pool.ranges, earlier.ranges);
        if (pool.conflict !== undefined) break;
      }
    }
    for (const pool of pools) {
      if (!this.#isConflicting(pool)) continue;
      const still =
        clash(pool.ranges, pool.ranges) ??
        pools
          .filter((other) => other !== pool)
          .reduce<PoolState['conflict']>((found, other) => found ?? clash(pool.ranges, other.ranges), undefined);
      if (still === undefined) pool.conflict = undefined;
    }
  }

  /** The pool's conditions when they differ from what was written; counts move, their transition times do not (section 1.13). */
  #poolConditions(pool: PoolState): readonly Condition[] | undefined {
    if (pool.isBroken) return undefined;
    let used = 0n;
    let available = 0n;
    for (const { allocator } of pool.ranges) {
      used += allocator.used;
      available += allocator.available;
    }
    const { generation } = pool.object.metadata;
    const make = (type: string, status: Condition['status'], reason: string, message: string): Condition => {
      const old = pool.conditions.find((condition) => condition.type === type);
      if (old !== undefined && old.status === status && old.reason === reason && old.message === message) return old;
      return {
        lastTransitionTime: old !== undefined && old.status === status ? (old.lastTransitionTime ?? this.#now()) : this.#now(),
        message,
        ...(generation === undefined ? {} : { observedGeneration: generation }),
        reason,
        status,
        type,
      };
    };
    const { conflict } = pool;
    const name = conflict?.other.pool.object.metadata.name;
    const conditions = [
      conflict === undefined
        ? make('cilium.io/PoolConflict', 'False', 'resolved', '')
        : make(
            'cilium.io/PoolConflict',
            'True',
            'cidr_overlap',
            `Pool conflicts since range '${conflict.own.from.text} - ${conflict.own.to.text}' overlaps range '${conflict.other.from.text} - ${conflict.other.to.text}' from IP Pool '${name}'`,
          ),
      make('cilium.io/IPsTotal', 'Unknown', 'noreason', String(used + available)),
      make('cilium.io/IPsAvailable', 'Unknown', 'noreason', String(available)),
      make('cilium.io/IPsUsed', 'Unknown', 'noreason', String(used)),
    ];
    return conditions.every((condition) => pool.conditions.includes(condition)) ? undefined : conditions;
  }

  // ── services ──────────────────────────────────────────────────────────────────────────────────────────────

  #settleServices(): void {
    const services = [...this.#services.values()].toSorted((a, b) => a.order - b.order);
    const isHappy = new Map(services.map((service) => [service, this.#isSatisfied(service)]));
    for (const service of services) if (isHappy.get(service) === true) this.#process(service);
    for (const service of services) if (isHappy.get(service) === false) this.#process(service);
    this.#hasFreed = false;
    // An address that a satisfied service gave back may serve one that was looked at before.
    for (const service of services) if (!this.#isSatisfied(service)) this.#process(service);
    this.#hasFreed = false;
  }

  #retryIfFreed(): void {
    if (!this.#hasFreed) return;
    this.#hasFreed = false;
    if (this.#pools.size === 0) return;
    for (const service of [...this.#services.values()].toSorted((a, b) => a.order - b.order)) {
      if (!this.#isSatisfied(service)) this.#process(service);
    }
    this.#hasFreed = false;
  }

  #letGo(service: ServiceState, object: Service): void {
    this.#services.delete(service.view.key);
    this.#dirty.delete(service.view.key);
    for (const { ip, range } of service.allocated) this.#release(service.view.key, ip, range);
    this.#removed.set(service.view.key, {
      kind: 'service',
      namespace: object.metadata.namespace ?? 'default',
      name: object.metadata.name,
      ingress: [],
      condition: undefined,
    });
  }

  /** Section 1.8: drop what no longer holds, keep or import what is listed, allocate what is missing. */
  #process(service: ServiceState): void {
    const { view } = service;
    const before = service.ingress.join();
    for (const entry of [...service.allocated]) {
      if (this.#stillHolds(service, entry)) continue;
      service.allocated = service.allocated.filter((other) => other !== entry);
      this.#release(view.key, entry.ip, entry.range);
    }
    const ingress: Ip[] = [];
    for (const text of service.ingress) {
      const address = parseIp(text);
      if (address === undefined || ingress.includes(address)) continue;
      if (service.allocated.some(({ ip }) => ip === address) || this.#import(service, address)) ingress.push(address);
    }
    for (const { ip } of service.allocated) if (!ingress.includes(ip)) ingress.push(ip);
    const verdict = view.requested.length > 0 ? this.#allocateRequested(service, ingress) : this.#allocateFamilies(service, ingress);
    service.ingress = ingress.map(({ text }) => text);
    const condition = this.#condition(service, verdict);
    if (service.ingress.join() !== before || condition !== service.condition) this.#dirty.add(view.key);
    service.condition = condition;
  }

  #condition(service: ServiceState, { status, reason, message }: Verdict): Condition {
    const old = service.condition;
    if (old !== undefined && old.status === status && old.reason === reason && old.message === message) return old;
    const { generation } = service.object.metadata;
    return {
      lastTransitionTime: old !== undefined && old.status === status ? (old.lastTransitionTime ?? this.#now()) : this.#now(),
      message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      reason,
      status,
      type: serviceConditionType,
    };
  }

  #isSatisfied({ view, ingress }: ServiceState): boolean {
    const addresses = ingress.map((text) => parseIp(text));
    if (view.requested.length > 0) return view.requested.every((address) => addresses.includes(address));
    return view.families.every((family) => addresses.some((address) => address?.family === family));
  }

  #stillHolds(service: ServiceState, { ip, range }: { ip: Ip; range: Range }): boolean {
    const { view } = service;
    if (!this.#ranges.includes(range) || !this.#selects(range, view)) return false;
    if (view.requested.length > 0 ? !view.requested.includes(ip) : !view.families.includes(ip.family)) return false;
    const holder = range.allocator.ownerOf(ip);
    if (holder === undefined) return false;
    const others = [...holder.keys].filter((key) => key !== view.key);
    if (others.length === 0) {
      // Alone on its address a service may change its key: the address then belongs to the new one.
      if (holder.sharingKey !== view.sharingKey) this.#rekey(ip, range, view);
      return true;
    }
    return others.every((key) => this.#areCompatible(view, key));
  }

  #rekey(ip: Ip, range: Range, view: ServiceView): void {
    range.allocator.free(ip);
    const old = [...this.#shared.entries()].find(([, entries]) => entries.some((entry) => entry.ip === ip))?.[0];
    if (old !== undefined) this.#unshare(old, ip);
    range.allocator.allocate(ip, { keys: new Set([view.key]), sharingKey: view.sharingKey });
    if (view.sharingKey !== undefined) this.#share(view.sharingKey, ip, range);
  }

  #areCompatible(view: ServiceView, otherKey: string): boolean {
    const other = this.#services.get(otherKey);
    return other !== undefined && sharingProblem(view, other.view, this.#settings.version) === undefined;
  }

  #selects(range: Range, view: ServiceView): boolean {
    return selects(range.pool.object.spec?.serviceSelector, view.labels, 'all');
  }

  #isEnabled(range: Range): boolean {
    return range.pool.object.spec?.disabled !== true && !this.#isConflicting(range.pool);
  }

  #import(service: ServiceState, address: Ip): boolean {
    const { view } = service;
    if (view.requested.length > 0 ? !view.requested.includes(address) : !view.families.includes(address.family)) return false;
    const range = this.#ranges.find(
      (candidate) => this.#isEnabled(candidate) && candidate.allocator.has(address) && this.#selects(candidate, view),
    );
    return range !== undefined && this.#claim(service, address, range);
  }

  /** Takes a free address, or joins the services that share it. */
  #claim(service: ServiceState, address: Ip, range: Range): boolean {
    const { view } = service;
    const holder = range.allocator.ownerOf(address);
    if (holder === undefined) {
      range.allocator.allocate(address, { keys: new Set([view.key]), sharingKey: view.sharingKey });
      if (view.sharingKey !== undefined) this.#share(view.sharingKey, address, range);
    } else {
      if (view.sharingKey === undefined || holder.keys.size === 0) return false;
      if (![...holder.keys].every((key) => this.#areCompatible(view, key))) return false;
      holder.keys.add(view.key);
    }
    service.allocated.push({ ip: address, range });
    return true;
  }

  #allocateRequested(service: ServiceState, ingress: Ip[]): Verdict {
    let verdict = satisfied;
    for (const address of service.view.requested) {
      if (ingress.includes(address)) continue;
      const containing = this.#ranges.filter((range) => this.#isEnabled(range) && range.allocator.has(address));
      const range = containing.find((candidate) => this.#selects(candidate, service.view));
      if (containing.length === 0) verdict = refused('no_pool', `No pool exists with a CIDR containing '${address.text}'`);
      else if (range === undefined)
        verdict = refused('pool_selector_mismatch', `The pool with the CIDR containing '${address.text}', doesn't select this service`);
      else if (this.#claim(service, address, range)) ingress.push(address);
      else verdict = this.#takenVerdict(service.view, address, range);
    }
    return verdict;
  }

  #takenVerdict(view: ServiceView, address: Ip, range: Range): Verdict {
    const holder = range.allocator.ownerOf(address);
    const other = [...(holder?.keys ?? [])]
      .map((key) => this.#services.get(key))
      .find((state) => state !== undefined && !this.#areCompatible(view, state.view.key));
    if (view.sharingKey === undefined || other === undefined)
      return refused('already_allocated', `The IP '${address.text}' is already allocated to another service`);
    if (!isAtLeast(this.#settings.version, 17)) {
      return refused(
        'already_allocated_different_sharing_key',
        `The IP '${address.text}' is already allocated to another service with a different sharing key`,
      );
    }
    const why = sharingProblem(view, other.view, this.#settings.version) ?? '';
    return refused(
      'already_allocated_incompatible_service',
      `The IP '${address.text}' is already allocated to an incompatible service. Reason: ${why}`,
    );
  }

  /** IPv4 before IPv6; the last failure is the one that is told. */
  #allocateFamilies(service: ServiceState, ingress: Ip[]): Verdict {
    let verdict = satisfied;
    for (const family of service.view.families.toSorted()) {
      if (ingress.some((address) => address.family === family)) continue;
      const failure = this.#allocateFamily(service, family, ingress);
      if (failure !== undefined) verdict = failure;
    }
    return verdict;
  }

  #allocateFamily(service: ServiceState, family: Family, ingress: Ip[]): Verdict | undefined {
    const { view } = service;
    for (const { ip, range } of view.sharingKey === undefined ? [] : [...(this.#shared.get(view.sharingKey) ?? [])]) {
      if (ip.family !== family || !this.#isEnabled(range) || !this.#selects(range, view)) continue;
      if (this.#claim(service, ip, range)) {
        ingress.push(ip);
        return undefined;
      }
    }
    let hasMatching = false;
    for (const range of this.#ranges) {
      if (range.from.family !== family || !this.#isEnabled(range) || !this.#selects(range, view)) continue;
      hasMatching = true;
      const address = range.allocator.allocateAny({ keys: new Set([view.key]), sharingKey: view.sharingKey });
      if (address === undefined) continue;
      if (view.sharingKey !== undefined) this.#share(view.sharingKey, address, range);
      service.allocated.push({ ip: address, range });
      ingress.push(address);
      return undefined;
    }
    return hasMatching
      ? refused('out_of_ips', 'All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs')
      : refused('no_pool', 'There are no enabled CiliumLoadBalancerIPPools that match this service');
  }

  #release(key: string, ip: Ip, range: Range): void {
    const holder = range.allocator.ownerOf(ip);
    if (holder === undefined || !holder.keys.delete(key) || holder.keys.size > 0) return;
    range.allocator.free(ip);
    if (holder.sharingKey !== undefined) this.#unshare(holder.sharingKey, ip);
    if (reservesEnds(range.pool.object, this.#settings.version) && reservedEnds(range).includes(ip)) {
      range.allocator.allocate(ip, { keys: new Set(), sharingKey: undefined });
    }
    this.#hasFreed = true;
  }

  #share(key: string, ip: Ip, range: Range): void {
    const entries = this.#shared.get(key) ?? [];
    entries.push({ ip, range });
    this.#shared.set(key, entries);
  }

  #unshare(key: string, ip: Ip): void {
    const entries = (this.#shared.get(key) ?? []).filter((entry) => entry.ip !== ip);
    if (entries.length === 0) this.#shared.delete(key);
    else this.#shared.set(key, entries);
  }
}
