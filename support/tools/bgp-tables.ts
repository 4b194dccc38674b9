import { families, familyOf, isSame } from './addresses.ts';
import type { BgpSession } from './cilium.ts';
import type { BgpPath } from './vtysh.ts';

/** A node as a router sees what it announces. */
export interface Origin {
  readonly node: string;
  readonly nextHop: string;
  readonly asPath: string;
}

export interface ExpectedPath extends Origin {
  readonly prefix: string;
}

/** A session as one row, named as in `cilium bgp peers`. */
export function sessionRows(sessions: readonly BgpSession[]) {
  return sessions.map(({ node, localAs, peerAddress, peerAs, state }) => ({
    node,
    'local AS': localAs,
    'peer address': peerAddress,
    'peer AS': peerAs,
    state,
  }));
}

/**
 * The paths that a router must have when each node announces its prefixes.
 * @returns `missing` names nodes without a prefix of one of the families
 */
export function expectedPaths(
  origins: readonly Origin[],
  prefixesOf: (node: string) => readonly string[],
): { paths: ExpectedPath[]; missing: string[] } {
  const paths: ExpectedPath[] = [];
  const missing: string[] = [];
  for (const origin of origins) {
    for (const family of families) {
      const prefixes = prefixesOf(origin.node).filter((prefix) => familyOf(prefix) === family);
      if (prefixes.length === 0) missing.push(`${origin.node} has nothing to announce over ${family}`);
      paths.push(...prefixes.map((prefix) => ({ ...origin, prefix })));
    }
  }
  return { paths, missing };
}

/** What a router's table lacks, in words. */
export function pathDifferences(expected: readonly ExpectedPath[], table: readonly BgpPath[]): string[] {
  return expected.flatMap(({ node, prefix, nextHop, asPath }) => {
    const paths = table.filter((path) => isSame(path.prefix, prefix));
    if (paths.some((path) => path.isValid && isSame(path.nextHop, nextHop) && path.asPath === asPath)) return [];
    const seen = paths.map((path) => `${path.nextHop} (${path.asPath})${path.isValid ? '' : ' not valid'}`);
    return [`${prefix} of ${node}: ${seen.length === 0 ? 'no route' : `only via ${seen.join(', ')}`}`];
  });
}
