import type { Ip, Prefix } from '../net/types.ts';
import type { BgpFamily, BgpPeer, DecisionReason, Path, PathAttributes, RibEntry } from './types.ts';

/** A path in the Loc-RIB's hands; what the outside sees as {@link Path}. */
export interface StoredPath extends Path {
  attributes: PathAttributes;
  receivedAt: number;
  weight: number;
  isStale: boolean;
  isSuppressed?: boolean;
  isValid: boolean;
  igpMetric?: number;
  /** Where the table of next hops has it. */
  tracked?: { readonly address: Ip; readonly device: string } | undefined;
  readonly destination: Destination;
}

/** All paths to one prefix, with the outcome of the last decision. */
export class Destination implements RibEntry {
  readonly prefix: Prefix;
  readonly family: BgpFamily;
  paths: StoredPath[] = [];
  best: StoredPath | undefined;
  reason: DecisionReason | undefined;
  multipath: readonly Path[] = [];
  version = 0;
  /** Attributes of the best path were replaced since the last decision. */
  isBestChanged = false;
  isQueued = false;

  constructor(prefix: Prefix, family: BgpFamily) {
    this.prefix = prefix;
    this.family = family;
  }

  pathOf(peer: BgpPeer | undefined, source?: string): StoredPath | undefined {
    return this.paths.find((path) => path.peer === peer && path.source === source);
  }
}

function comparePrefixes(a: Prefix, b: Prefix): number {
  if (a.address.value !== b.address.value) return a.address.value < b.address.value ? -1 : 1;
  return a.length - b.length;
}

/** The Loc-RIB of one family. A change costs the same whatever the size of the table. */
export class Rib {
  readonly family: BgpFamily;
  readonly destinations = new Map<Prefix, Destination>();
  version = 0;
  #sorted: readonly Destination[] | undefined;

  constructor(family: BgpFamily) {
    this.family = family;
  }

  get(prefix: Prefix): Destination | undefined {
    return this.destinations.get(prefix);
  }

  obtain(prefix: Prefix): Destination {
    let destination = this.destinations.get(prefix);
    if (destination === undefined) {
      destination = new Destination(prefix, this.family);
      this.destinations.set(prefix, destination);
      this.#sorted = undefined;
    }
    return destination;
  }

  discardIfEmpty(destination: Destination): void {
    if (destination.paths.length > 0 || destination.best !== undefined) return;
    if (this.destinations.get(destination.prefix) !== destination) return;
    this.destinations.delete(destination.prefix);
    this.#sorted = undefined;
  }

  /** In numerical order of prefixes, those with paths only. */
  list(): readonly Destination[] {
    this.#sorted ??= [...this.destinations.values()].sort((a, b) => comparePrefixes(a.prefix, b.prefix));
    return this.#sorted;
  }
}

export function familyOfPrefix(prefix: Prefix): BgpFamily {
  return prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast';
}

/** Paths over one next hop, with how it was last resolved. */
class Followers extends Set<StoredPath> {
  signature: string | undefined;
}

/** Finds paths by the address that they depend on, so that a change of routes touches only those. */
export class NextHopTable {
  readonly #byAddress = new Map<Ip, Map<string, Followers>>();

  add(path: StoredPath, address: Ip, device: string): void {
    path.tracked = { address, device };
    let byDevice = this.#byAddress.get(address);
    if (byDevice === undefined) {
      byDevice = new Map();
      this.#byAddress.set(address, byDevice);
    }
    const paths = byDevice.get(device);
    if (paths === undefined) byDevice.set(device, new Followers([path]));
    else paths.add(path);
  }

  /** From where it was put: by now its peer may be without an address of its own. */
  remove(path: StoredPath): void {
    if (path.tracked === undefined) return;
    const { address, device } = path.tracked;
    path.tracked = undefined;
    const byDevice = this.#byAddress.get(address);
    const paths = byDevice?.get(device);
    paths?.delete(path);
    if (paths?.size === 0) byDevice?.delete(device);
    if (byDevice?.size === 0) this.#byAddress.delete(address);
  }

  *entries(): Generator<{ readonly address: Ip; readonly device: string; readonly paths: Followers }> {
    for (const [address, byDevice] of this.#byAddress) for (const [device, paths] of byDevice) yield { address, device, paths };
  }
}

function isSameList<T>(a: readonly T[] | undefined, b: readonly T[] | undefined, isSame: (x: T, y: T) => boolean): boolean {
  if (a === b) return true;
  const left = a ?? [];
  const right = b ?? [];
  return left.length === right.length && left.every((item, index) => isSame(item, right[index] as T));
}

const isIdentical = <T>(x: T, y: T): boolean => x === y;

export function isSameAttributes(a: PathAttributes, b: PathAttributes): boolean {
  if (a === b) return true;
  return (
    a.nextHop === b.nextHop &&
    a.linkLocalNextHop === b.linkLocalNextHop &&
    a.origin === b.origin &&
    a.med === b.med &&
    a.localPref === b.localPref &&
    (a.atomicAggregate ?? false) === (b.atomicAggregate ?? false) &&
    a.aggregator?.asn === b.aggregator?.asn &&
    a.aggregator?.routerId === b.aggregator?.routerId &&
    a.originatorId === b.originatorId &&
    isSameList(
      a.asPath,
      b.asPath,
      (x, y) => x === y || (typeof x === 'object' && typeof y === 'object' && isSameList(x.set, y.set, isIdentical)),
    ) &&
    isSameList(a.communities, b.communities, isIdentical) &&
    isSameList(a.largeCommunities, b.largeCommunities, (x, y) => x[0] === y[0] && x[1] === y[1] && x[2] === y[2]) &&
    isSameList(a.clusterList, b.clusterList, isIdentical)
  );
}
