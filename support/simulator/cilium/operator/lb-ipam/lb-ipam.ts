import type { Condition, Service } from '../../../kubernetes/objects.ts';
import { parseIp } from '../../../net/address.ts';
import type { Family, Ip } from '../../../net/types.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import { isAtLeast } from '../../version.ts';
import { AddressPools, type Log, type Range as PoolRange, UnusableSelector } from './address-pools.ts';
import { withCondition } from './conditions.ts';
import { type Quirks, quirksOf } from './quirks.ts';
import {
  isHandled,
  isSameMetadata,
  isSatisfied,
  type LbIpamSettings,
  type ServiceView,
  sharingProblem,
  viewService,
} from './service-view.ts';
import { type SharedAddress, SharedAddresses } from './shared-addresses.ts';

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

type Range = PoolRange<ServiceState>;
type Allocation = SharedAddress<ServiceState>;

interface ServiceState {
  object: Service;
  view: ServiceView;
  readonly order: number;
  /** In order of allocation. */
  allocated: Allocation[];
  ingress: readonly string[];
  condition: Condition | undefined;
  /** Something happened that upstream writes; not every change of the two above is noticed. */
  isModified: boolean;
  /** What the API server has: a write that changes nothing there is left out. */
  written: string;
  /** The state of the world in which it could not be satisfied. */
  triedAt: number;
}

/**
 * Addresses for services of type LoadBalancer: CiliumLoadBalancerIPPools in, status of pools and services out
 * (section 1 of the LB-IPAM reference). It holds the state of the operator and touches nothing else: feed it
 * events, then write what {@link takeWrites} returns. The steps and their order are those of upstream's
 * operator/pkg/lbipam, since they show: which service is served first, and what is left behind by an edit.
 */
export class LbIpam {
  readonly #settings: LbIpamSettings;
  readonly #quirks: Quirks;
  readonly #comparesProtocols: boolean;
  readonly #now: () => string;
  readonly #log: Log;
  readonly #pools: AddressPools<ServiceState>;
  readonly #shared = new SharedAddresses<ServiceState>();
  readonly #services = new Map<string, ServiceState>();
  readonly #unsatisfied = new Set<ServiceState>();
  #order = 0;
  /** Moves with everything that may help a service which waits. */
  #world = 0;
  readonly #dirty = new Set<string>();
  readonly #removed = new Map<string, LbIpamWrite>();

  constructor(settings: LbIpamSettings, now: () => string, log: Log = () => {}) {
    this.#settings = settings;
    this.#quirks = quirksOf(settings.version);
    this.#comparesProtocols = settings.comparesProtocols ?? isAtLeast(settings.version, 17);
    this.#now = now;
    this.#log = log;
    this.#pools = new AddressPools(settings.version, this.#quirks, now, log);
  }

  /** What exists when the operator starts: all pools are known before the first service is looked at. */
  start(services: readonly Service[], pools: readonly LoadBalancerIpPool[]): void {
    for (const service of services) this.upsertService(service);
    this.#log('info', 'LB-IPAM initializing', {});
    for (const pool of pools) if (this.#pools.add(pool)) this.#pools.settleConflicts();
    if (pools.length > 0) this.#awake();
  }

  upsertPool(object: LoadBalancerIpPool): void {
    const known = this.#pools.get(object.metadata.name);
    if (known === undefined) {
      const isFirst = this.#pools.size === 0;
      const isUsable = this.#pools.add(object);
      this.#world++;
      if (isUsable) {
        this.#pools.settleConflicts();
        if (!isFirst) this.#satisfyWaiting();
      }
      if (isFirst) this.#awake();
      return;
    }
    if (JSON.stringify(known.object.spec) === JSON.stringify(object.spec)) {
      known.object = object;
      return;
    }
    this.#world++;
    const isUsable = this.#pools.change(known, object, (range) => {
      const losers = this.#withdraw(range);
      if (this.#quirks.reassignsOnChange) for (const service of losers) this.#reconcile(service);
    });
    if (!isUsable) return;
    // Before conflicts are settled: a new range serves even when it turns out to overlap.
    this.#revalidate();
    this.#pools.settleConflicts();
    this.#world++;
    this.#satisfyWaiting();
  }

  /**
   * The deletion of a pool as far as it gets where {@link Quirks.panicsOnDeletion}: its first block is gone, and so is the operator.
   * @returns false when the pool has one block, which {@link deletePool} deletes well
   */
  panicsOnDeletion(name: string): boolean {
    const [first, second] = this.#pools.get(name)?.ranges ?? [];
    if (!this.#quirks.panicsOnDeletion || first === undefined || second === undefined) return false;
    this.#pools.removeRange(name, first);
    for (const service of this.#withdraw(first)) this.#reconcile(service);
    return true;
  }

  deletePool(name: string): void {
    if (this.#pools.get(name) === undefined) return;
    this.#world++;
    const losers = new Set(this.#pools.remove(name).flatMap((range) => this.#withdraw(range)));
    for (const service of losers) this.#reconcile(service);
    this.#pools.settleConflicts();
    this.#satisfyWaiting();
    if (this.#pools.size > 0) return;
    // Without pools the controller starts anew and waits for one; what it wrote stays.
    this.#shared.clear();
    this.#unsatisfied.clear();
    for (const service of this.#services.values()) service.allocated = [];
    this.#log('info', 'Restarting LB IPAM', {});
    this.#log('info', 'LB-IPAM initializing', {});
  }

  upsertService(object: Service): void {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const known = this.#services.get(key);
    const isAsleep = this.#pools.size === 0;
    if (!isHandled(object, this.#settings)) {
      if (known === undefined) return;
      if (isAsleep) this.#services.delete(key);
      else this.#letGo(known, object);
    } else {
      const view = viewService(object, this.#settings);
      const isNews =
        known === undefined || JSON.stringify(known.object.spec) !== JSON.stringify(object.spec) || !isSameMetadata(known.object, object);
      if (isNews) {
        this.#world++;
        for (const error of view.unparsable) this.#log('error', 'Unable to parse service.spec.LoadBalancerIP', { error });
      }
      const service: ServiceState = known ?? {
        object,
        view,
        order: this.#order++,
        allocated: [],
        ingress: [],
        condition: undefined,
        isModified: false,
        written: '',
        triedAt: -1,
      };
      service.object = object;
      service.view = view;
      this.#services.set(key, service);
      // An own write that has not come back yet must not be undone.
      if (!this.#dirty.has(key)) {
        service.ingress = (object.status.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? '');
        service.condition = object.status.conditions?.find(({ type }) => type === serviceConditionType);
        service.written = statusText(service);
      }
      if (isAsleep) return;
      this.#process(service);
    }
    if (!isAsleep) this.#satisfyWaiting();
  }

  deleteService(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#forget(service);
    if (this.#pools.size > 0) this.#satisfyWaiting();
  }

  /** Status changes since the last call, services in order of their creation, then pools. */
  takeWrites(): readonly LbIpamWrite[] {
    const writes: LbIpamWrite[] = [...this.#removed.values()];
    this.#removed.clear();
    const services = [...this.#dirty].map((key) => this.#services.get(key)).filter((service) => service !== undefined);
    this.#dirty.clear();
    for (const service of services.toSorted(byOrder)) {
      const text = statusText(service);
      if (text === service.written) continue;
      service.written = text;
      const { object, ingress, condition } = service;
      writes.push({ kind: 'service', namespace: object.metadata.namespace ?? 'default', name: object.metadata.name, ingress, condition });
    }
    for (const { object, conditions } of this.#pools.takeChanged()) writes.push({ kind: 'pool', name: object.metadata.name, conditions });
    return writes;
  }

  // ── all services ──────────────────────────────────────────────────────────────────────────────────────────

  /** The first pool is there: services are looked at for the first time. Upstream's order is that of a cache; here it is creation. */
  #awake(): void {
    this.#world++;
    if (this.#quirks.reassignsOnChange) for (const service of this.#inOrder()) this.#process(service);
    else this.#revalidate();
    this.#satisfyWaiting();
    // Services of the cluster itself make for a pass each.
    this.#pools.onPass(Number.POSITIVE_INFINITY);
    this.#log('info', 'LB-IPAM done initializing', {});
  }

  #revalidate(): void {
    const services = this.#inOrder();
    const isHappy = new Map(services.map((service) => [service, isSatisfied(service)]));
    for (const happy of this.#quirks.reassignsOnChange ? [false, true] : [true, false]) {
      for (const service of services) if (isHappy.get(service) === happy) this.#process(service);
    }
  }

  #inOrder(): readonly ServiceState[] {
    return [...this.#services.values()].toSorted(byOrder);
  }

  #satisfyWaiting(): void {
    for (const service of [...this.#unsatisfied].toSorted(byOrder)) {
      if (service.triedAt === this.#world) continue;
      this.#watched(service, () => this.#satisfy(service));
    }
    this.#pools.onPass();
  }

  /** Addresses of a range that is gone are no longer their services'; the range itself still lists them. */
  #withdraw(range: Range): readonly ServiceState[] {
    const losers = new Set<ServiceState>();
    for (const [, group] of range.allocator.entries()) for (const service of group) losers.add(service);
    const inOrder = [...losers].filter((service) => service.allocated.some((entry) => entry.range === range)).toSorted(byOrder);
    for (const service of inOrder) service.allocated = service.allocated.filter((entry) => entry.range !== range);
    return inOrder;
  }

  // ── one service ───────────────────────────────────────────────────────────────────────────────────────────

  #letGo(service: ServiceState, object: Service): void {
    this.#forget(service);
    const { namespace = 'default', name } = object.metadata;
    this.#removed.set(service.view.key, { kind: 'service', namespace, name, ingress: [], condition: undefined });
  }

  #forget(service: ServiceState): void {
    const { key } = service.view;
    for (const entry of service.allocated) this.#release(service, entry);
    this.#services.delete(key);
    this.#unsatisfied.delete(service);
    this.#dirty.delete(key);
  }

  /** Section 1.8: drop what no longer holds, keep or import what is listed, allocate what is missing. */
  #process(service: ServiceState): void {
    this.#watched(service, () => {
      for (const entry of service.allocated.toReversed()) {
        if (this.#stillHolds(service, entry)) continue;
        service.allocated = service.allocated.filter((other) => other !== entry);
        this.#release(service, entry);
      }
      this.#keepOrImport(service);
      if (!isSatisfied(service)) this.#satisfy(service);
    });
  }

  /** The same for a service whose range went away. */
  #reconcile(service: ServiceState): void {
    this.#watched(service, () => {
      this.#keepOrImport(service);
      if (!isSatisfied(service)) this.#satisfy(service);
    });
  }

  #watched(service: ServiceState, change: () => void): void {
    const { ingress, condition } = service;
    try {
      change();
    } catch (error) {
      if (!(error instanceof UnusableSelector)) throw error;
      // Upstream gives up on the service and tries again later; nothing is written.
      this.#log('error', 'service upsert failed', { error: `handleUpsertService: ${error.message}` });
      service.ingress = ingress;
      service.condition = condition;
      service.isModified = false;
      service.triedAt = this.#world;
    }
    if (service.isModified) this.#dirty.add(service.view.key);
    service.isModified = false;
    if (isSatisfied(service)) this.#unsatisfied.delete(service);
    else this.#unsatisfied.add(service);
  }

  #stillHolds(service: ServiceState, { ip, range }: Allocation): boolean {
    const { view } = service;
    if (!this.#pools.doesSelect(range, view.labels)) return false;
    // One address that can no longer be shared costs the service all of its addresses.
    for (const entry of service.allocated) {
      const group = entry.range.allocator.ownerOf(entry.ip) ?? [];
      if (group.length === 1) continue;
      if (group.some((other) => other !== service && !this.#areCompatible(other, service))) return false;
    }
    return view.requested.length > 0 ? view.requested.includes(ip) : view.families.includes(ip.family);
  }

  #areCompatible(a: ServiceState, b: ServiceState): boolean {
    return sharingProblem(a.view, b.view, this.#comparesProtocols) === undefined;
  }

  #keepOrImport(service: ServiceState): void {
    const ingress: string[] = [];
    for (const text of service.ingress) {
      const address = parseIp(text);
      if (address === undefined) continue;
      if (!service.allocated.some(({ ip }) => ip === address) && !this.#import(service, address)) continue;
      if (ingress.at(-1) !== text) ingress.push(text);
    }
    if (ingress.length !== service.ingress.length) service.isModified = true;
    service.ingress = ingress;
  }

  #import(service: ServiceState, ip: Ip): boolean {
    const { view } = service;
    if (view.requested.length > 0 && !view.requested.includes(ip)) return false;
    if (!view.families.includes(ip.family)) return false;
    const { range } = this.#find(view, ip);
    if (range === undefined || !range.allocator.allocate(ip, [service])) return false;
    service.allocated.push({ ip, range });
    if (view.sharingKey !== undefined && this.#quirks.importsSharingKeys) this.#share(view.sharingKey, { ip, range });
    return true;
  }

  #find(view: ServiceView, ip: Ip): { readonly range: Range | undefined; readonly isInPool: boolean } {
    const containing = this.#pools.ranges.filter((range) => !range.isDisabled && !range.isConflicting && range.allocator.has(ip));
    return { range: containing.find((range) => this.#pools.doesSelect(range, view.labels)), isInPool: containing.length > 0 };
  }

  #satisfy(service: ServiceState): void {
    if (service.view.requested.length > 0) this.#allocateRequested(service);
    else this.#allocateFamilies(service);
    for (const entry of service.allocated) {
      if (service.ingress.some((text) => parseIp(text) === entry.ip)) continue;
      service.ingress = [...service.ingress, entry.ip.text];
      service.isModified = true;
      if (service.view.sharingKey !== undefined) this.#share(service.view.sharingKey, entry);
    }
    if (isSatisfied(service)) this.#tell(service, 'satisfied', '', 'True');
    service.triedAt = this.#world;
  }

  #tell(service: ServiceState, reason: string, message: string, status: Condition['status'] = 'False'): void {
    const old = service.condition === undefined ? [] : [service.condition];
    const value = { type: serviceConditionType, status, reason, message };
    const condition = withCondition(old, value, service.object.metadata.generation, this.#now)[0];
    if (condition === service.condition) return;
    service.condition = condition;
    service.isModified = true;
  }

  #allocateRequested(service: ServiceState): void {
    const { view } = service;
    for (const ip of view.requested) {
      if (service.allocated.some((entry) => entry.ip === ip)) continue;
      const { range, isInPool } = this.#find(view, ip);
      if (range === undefined) {
        if (isInPool)
          this.#tell(service, 'pool_selector_mismatch', `The pool with the CIDR containing '${ip.text}', doesn't select this service`);
        else this.#tell(service, 'no_pool', `No pool exists with a CIDR containing '${ip.text}'`);
        continue;
      }
      const group = range.allocator.ownerOf(ip);
      if (group !== undefined && view.sharingKey === undefined) {
        this.#tell(service, 'already_allocated', `The IP '${ip.text}' is already allocated to another service`);
        continue;
      }
      // Nobody has an address that the pool keeps back: who asks for it with a sharing key gets it.
      const problem = group?.map((other) => sharingProblem(other.view, view, this.#comparesProtocols)).find((found) => found !== undefined);
      if (problem !== undefined) {
        this.#tellOfSharing(service, ip, problem);
        continue;
      }
      if (group === undefined) range.allocator.allocate(ip, [service]);
      else range.allocator.update(ip, [...group, service]);
      service.allocated.push({ ip, range });
    }
  }

  #tellOfSharing(service: ServiceState, ip: Ip, problem: string): void {
    const taken = `The IP '${ip.text}' is already allocated to`;
    if (isAtLeast(this.#settings.version, 17)) {
      this.#tell(service, 'already_allocated_incompatible_service', `${taken} an incompatible service. Reason: ${problem}`);
    } else {
      this.#tell(service, 'already_allocated_different_sharing_key', `${taken} another service with a different sharing key`);
    }
  }

  /**
   * IPv4 before IPv6; the last failure is the one that is told. Whether there is anything to write is asked of the last attempt alone: when
   * both families fail for the same reason the second one changes nothing, and the condition is not written (1.16 to 1.19).
   */
  #allocateFamilies(service: ServiceState): void {
    const wasModified = service.isModified;
    let isModified = false;
    for (const family of service.view.families.toSorted()) {
      if (service.allocated.some(({ ip }) => ip.family === family)) continue;
      service.isModified = false;
      this.#allocateFamily(service, family);
      isModified = service.isModified;
    }
    service.isModified = wasModified || isModified;
  }

  #allocateFamily(service: ServiceState, family: Family): void {
    const { view } = service;
    // The key alone decides, not the pool: its selector and whether it is disabled are not looked at.
    for (const { ip, range } of view.sharingKey === undefined ? [] : this.#shared.of(view.sharingKey)) {
      const group = range.allocator.ownerOf(ip) ?? [];
      if (ip.family !== family || group.length === 0 || !group.every((other) => this.#areCompatible(other, service))) continue;
      range.allocator.update(ip, [...group, service]);
      service.allocated.push({ ip, range });
      return;
    }
    let hasMatching = false;
    for (const range of this.#pools.ranges) {
      if (range.from.family !== family || range.isDisabled || range.isConflicting || !this.#pools.doesSelect(range, view.labels)) continue;
      hasMatching = true;
      const ip = range.allocator.allocateAny([service]);
      if (ip === undefined) continue;
      service.allocated.push({ ip, range });
      return;
    }
    if (hasMatching)
      this.#tell(service, 'out_of_ips', 'All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs');
    else this.#tell(service, 'no_pool', 'There are no enabled CiliumLoadBalancerIPPools that match this service');
  }

  #release(service: ServiceState, { ip, range }: Allocation): void {
    const group = (range.allocator.ownerOf(ip) ?? []).filter((other) => other !== service);
    if (group.length > 0) range.allocator.update(ip, group);
    else range.allocator.free(ip);
    // The key that the service has now, which need not be the one under which it got the address.
    const key = service.view.sharingKey;
    if (key !== undefined && (group.length === 0 || this.#quirks.forgetsSharedEarly)) this.#shared.delete(key, { ip, range });
    this.#world++;
  }

  #share(key: string, entry: Allocation): void {
    if (this.#shared.add(key, entry)) this.#world++;
  }
}

const statusText = ({ ingress, condition }: ServiceState) => JSON.stringify([ingress, condition]);
const byOrder = (a: ServiceState, b: ServiceState) => a.order - b.order;
