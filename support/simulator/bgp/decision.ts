import type { DecisionReason, MultipathLimits, Path } from './types.ts';

export interface DecisionContext {
  /** The path in use before: among equal external ones it stays (FRR; RFC 4271 §9.1.2.2 leaves it open). */
  readonly selected: Path | undefined;
  readonly multipath: MultipathLimits;
  readonly alwaysCompareMed?: boolean;
  readonly compareRouterId?: boolean;
  readonly ignoreAsPathLength?: boolean;
  /** `bgp bestpath med missing-as-worst`. */
  readonly medMissingAsWorst?: boolean;
  readonly defaultLocalPref?: number;
}

export interface Decision {
  readonly best: Path;
  readonly reason: DecisionReason;
  /** The best first, then its companions by next hop. */
  readonly multipath: readonly Path[];
}

export interface Comparison {
  readonly wins: boolean;
  readonly reason: DecisionReason;
  /** Equal down to the IGP metric, so that both may be used. */
  readonly isEqual: boolean;
}

const origins = { igp: 0, egp: 1, incomplete: 2 } as const;

export function asPathLength(asPath: Path['attributes']['asPath']): number {
  return asPath.length;
}

function neighbouringAs(path: Path): number | undefined {
  const first = path.attributes.asPath[0];
  return typeof first === 'number' ? first : undefined;
}

function isSameAsPath(a: Path, b: Path): boolean {
  const left = a.attributes.asPath;
  const right = b.attributes.asPath;
  return left.length === right.length && left.every((item, index) => JSON.stringify(item) === JSON.stringify(right[index]));
}

/** Address that the path's packets go to: a link-local next hop wins over the global one that came with it. */
function nextHopKey(path: Path): bigint {
  return (path.attributes.linkLocalNextHop ?? path.attributes.nextHop).value;
}

function med(path: Path, context: DecisionContext): number {
  return path.attributes.med ?? (context.medMissingAsWorst === true ? 0xffffffff : 0);
}

/**
 * Says whether a path is better than the best so far, and by which rule.
 * RFC 4271 §9.1.1 and §9.1.2.2 in FRR's order (user guide, BGP, "Route Selection"): weight, local preference, local
 * route, AS path length, origin, MED (between paths of one neighbouring AS), external over internal, IGP metric,
 * then the multipath check, the path already in use, router id, cluster list length, neighbour address.
 */
export function compare(candidate: Path, best: Path, context: DecisionContext): Comparison {
  const decided = (reason: DecisionReason, wins: boolean, isEqual = false): Comparison => ({ wins, reason, isEqual });
  if (candidate.weight !== best.weight) return decided('Weight', candidate.weight > best.weight);
  const defaultLocalPref = context.defaultLocalPref ?? 100;
  const prefA = candidate.attributes.localPref ?? defaultLocalPref;
  const prefB = best.attributes.localPref ?? defaultLocalPref;
  if (prefA !== prefB) return decided('Local Pref', prefA > prefB);
  const isLocalA = candidate.peer === undefined;
  const isLocalB = best.peer === undefined;
  if (isLocalA !== isLocalB) return decided('Local Route', isLocalA);
  const hopsA = asPathLength(candidate.attributes.asPath);
  const hopsB = asPathLength(best.attributes.asPath);
  if (context.ignoreAsPathLength !== true && hopsA !== hopsB) return decided('AS Path', hopsA < hopsB);
  const originA = origins[candidate.attributes.origin];
  const originB = origins[best.attributes.origin];
  if (originA !== originB) return decided('Origin', originA < originB);
  const firstA = neighbouringAs(candidate);
  if (context.alwaysCompareMed === true || (hopsA === 0 && hopsB === 0) || (firstA !== undefined && firstA === neighbouringAs(best))) {
    const medA = med(candidate, context);
    const medB = med(best, context);
    if (medA !== medB) return decided('MED', medA < medB);
  }
  const isExternalA = candidate.peer?.isExternal ?? false;
  const isExternalB = best.peer?.isExternal ?? false;
  if (!isLocalA && isExternalA !== isExternalB) return decided('Peer Type', isExternalA);
  const metricA = candidate.igpMetric ?? 0;
  const metricB = best.igpMetric ?? 0;
  if (metricA !== metricB) return decided('IGP Metric', metricA < metricB);
  const isEqual = isLocalA
    ? true
    : context.multipath.relaxAsPath || (isExternalA ? candidate.peer?.remoteAsn === best.peer?.remoteAsn : isSameAsPath(candidate, best));

  if (context.compareRouterId !== true && isExternalA && isExternalB) {
    if (context.selected === candidate) return decided('Older Path', true, isEqual);
    if (context.selected === best) return decided('Older Path', false, isEqual);
  }
  const idA = candidate.attributes.originatorId ?? candidate.peer?.remoteRouterId;
  const idB = best.attributes.originatorId ?? best.peer?.remoteRouterId;
  if (idA !== undefined && idB !== undefined && idA !== idB) return decided('Router ID', idA.value < idB.value, isEqual);
  const clusterA = candidate.attributes.clusterList?.length ?? 0;
  const clusterB = best.attributes.clusterList?.length ?? 0;
  if (clusterA !== clusterB) return decided('Cluster length', clusterA < clusterB, isEqual);
  const addressA = candidate.peer?.config.address;
  const addressB = best.peer?.config.address;
  if (addressA !== undefined && addressB !== undefined && addressA !== addressB) {
    const isLower = addressA.family === addressB.family ? addressA.value < addressB.value : addressA.family < addressB.family;
    return decided('Neighbor IP', isLower, isEqual);
  }
  return decided('Nothing left to compare', true, isEqual);
}

/**
 * Picks the best path for one prefix, says which rule decided, and adds the paths that may be used beside it.
 * @param paths newest first; those that are not valid are passed over
 * @returns undefined when no path is usable
 */
export function decide(paths: readonly Path[], context: DecisionContext): Decision | undefined {
  let best: Path | undefined;
  let reason: DecisionReason = 'First path received';
  for (const path of paths) {
    if (!path.isValid) continue;
    if (best === undefined) {
      best = path;
      continue;
    }
    const comparison = compare(path, best, context);
    reason = comparison.reason;
    if (comparison.wins) best = path;
  }
  if (best === undefined) return undefined;
  const limit = best.peer?.isExternal === false ? context.multipath.maximumPathsIbgp : context.multipath.maximumPaths;
  if (context.multipath.maximumPaths <= 1 && context.multipath.maximumPathsIbgp <= 1) return { best, reason, multipath: [best] };
  const companions: Path[] = [];
  for (const path of paths) {
    if (path === best || !path.isValid || nextHopKey(path) === nextHopKey(best)) continue;
    const comparison = compare(path, best, context);
    reason = comparison.reason;
    if (comparison.isEqual) companions.push(path);
  }
  companions.sort((a, b) => (nextHopKey(a) < nextHopKey(b) ? -1 : nextHopKey(a) > nextHopKey(b) ? 1 : 0));
  const used: Path[] = [best];
  for (const path of companions) {
    if (used.length >= limit) break;
    const last = used[used.length - 1] as Path;
    if (nextHopKey(path) !== nextHopKey(last)) used.push(path);
  }
  return { best, reason, multipath: used };
}
