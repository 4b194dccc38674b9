import { contains, ip } from '../net/address.ts';
import type { Prefix } from '../net/types.ts';
import type { Destination, StoredPath } from './rib.ts';
import type { AggregateConfig, PathAttributes } from './types.ts';

/** What marks a path as the speaker's own summary. */
export const aggregateSource = 'aggregate';

/** A summary route and the routes that it stands for (FRR: bgp_route.c, bgp_aggregate_route). */
export class Aggregate {
  readonly config: AggregateConfig;
  /** More specific destinations that have a path, summaries not counted. */
  readonly members = new Set<Destination>();
  isDirty = true;

  constructor(config: AggregateConfig) {
    this.config = config;
  }

  covers(prefix: Prefix): boolean {
    const { prefix: own } = this.config;
    return prefix.family === own.family && prefix.length > own.length && contains(own, prefix.address);
  }

  /** A path of a covered destination came, changed or went. */
  update(destination: Destination): void {
    this.isDirty = true;
    if (destination.paths.some((path) => path.source !== aggregateSource)) this.members.add(destination);
    else this.members.delete(destination);
  }

  /** Undefined: nothing to summarize. Every usable path counts, not only the best ones (BGP_PATH_HOLDDOWN). */
  attributes(): Partial<PathAttributes> | undefined {
    const paths: StoredPath[] = [];
    for (const member of this.members)
      for (const path of member.paths) if (path.isValid && path.source !== aggregateSource) paths.push(path);
    if (paths.length === 0) return undefined;
    const has = (origin: PathAttributes['origin']) => paths.some((path) => path.attributes.origin === origin);
    const base: Partial<PathAttributes> = {
      origin: has('incomplete') ? 'incomplete' : has('egp') ? 'egp' : 'igp',
      med: 0,
      // Set by length only, so that it reads as an IPv6 one whatever the family.
      nextHop: ip('::'),
    };
    if (!this.config.asSet) return { ...base, asPath: [], atomicAggregate: true };
    const communities = [...new Set(paths.flatMap((path) => path.attributes.communities ?? []))].sort((a, b) => a - b);
    const large = new Map(paths.flatMap((path) => path.attributes.largeCommunities ?? []).map((each) => [each.join(':'), each]));
    return {
      ...base,
      asPath: commonPath(paths.map((path) => path.attributes.asPath)),
      ...(paths.some((path) => path.attributes.atomicAggregate === true) ? { atomicAggregate: true } : {}),
      ...(communities.length === 0 ? {} : { communities }),
      ...(large.size === 0 ? {} : { largeCommunities: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) }),
    };
  }
}

/** RFC 4271 §9.2.2.2: what all paths begin with, then a set of all that is left. */
export function commonPath(paths: readonly PathAttributes['asPath'][]): PathAttributes['asPath'] {
  const first = paths[0] ?? [];
  let length = 0;
  while (length < first.length && typeof first[length] === 'number' && paths.every((path) => path[length] === first[length])) length++;
  const rest = new Set(paths.flatMap((path) => path.slice(length).flatMap((item) => (typeof item === 'number' ? [item] : item.set))));
  const head = first.slice(0, length);
  return rest.size === 0 ? head : [...head, { set: [...rest].sort((a, b) => a - b) }];
}
