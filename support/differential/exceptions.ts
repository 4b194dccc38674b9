import type { Difference } from './comparison.ts';

/** A disagreement that is known and left: what it is about, and why. */
export interface Exception {
  readonly seeds: readonly number[];
  /** Where it may show. */
  readonly parts: readonly Difference['part'][];
  readonly reason: string;
}

const everywhere = ['bgp', 'kernel', 'sessions', 'http'] as const;

/** All that is known to differ, in one place: an empty list is the aim. */
export const exceptions: readonly Exception[] = [
  {
    seeds: [13],
    parts: ['bgp'],
    reason: 'a race in FRR: a router that had two equal paths for a moment keeps telling the MED of the pair',
  },
  {
    seeds: [19, 32],
    parts: everywhere,
    reason:
      'next hops that are reached by way of other BGP routes: bgpd and zebra tell each other in turns, and at the end of a look real ones may hold a next hop for unusable whose route is there. A simulated router resolves them at once',
  },
  {
    seeds: [35],
    parts: ['bgp'],
    reason:
      'not modelled: an IPv6 address given with nodad while the link comes up is at once a connected route again, and redistributed as one',
  },
];

/** The same of networks with GoBGP. */
export const speakerExceptions: readonly Exception[] = [
  {
    seeds: [7, 11],
    parts: ['speaker', 'show'],
    reason:
      'not modelled: an internal session outlives a short loss of its link, but FRR has lost the address that it told as IPv6 next hop, and tells an IPv4-mapped one from then on',
  },
];
