import type { ExecResult, Lab } from '../port/lab.ts';
import { type Family, families } from './addresses.ts';
import { Json } from './json.ts';
import { type Command, run, toolRefused } from './run.ts';

/** One path of a BGP table. */
export interface BgpPath {
  readonly prefix: string;
  readonly nextHop: string;
  /** AS numbers from the nearest to the origin, separated by blanks. */
  readonly asPath: string;
  readonly isValid: boolean;
  readonly isBest: boolean;
}

export interface BgpNeighbor {
  readonly address: string;
  readonly family: Family;
  readonly remoteAs: number;
  readonly state: string;
  readonly prefixesReceived: number;
}

export function bgpTableCommand(router: string, family: Family): Command {
  return { container: router, argv: ['vtysh', '-c', `show bgp ${family.toLowerCase()} unicast json`] };
}

export function bgpSummaryCommand(router: string): Command {
  return { container: router, argv: ['vtysh', '-c', 'show bgp summary json'] };
}

/** Paths of `show bgp FAMILY unicast json`, in the router's order; none without a BGP instance. */
export function parseBgpTable(result: ExecResult): BgpPath[] {
  const json = readJson(result);
  return json
    .at('routes')
    .entries()
    .flatMap(([prefix, paths]) =>
      paths.items().map((path) => ({
        prefix,
        nextHop: path.at('nexthops').items().at(0)?.at('ip').optionalText() ?? '',
        asPath: path.at('path').optionalText() ?? '',
        isValid: path.at('valid').flag(),
        isBest: path.at('bestpath').flag(),
      })),
    );
}

/** Neighbors of `show bgp summary json`, once for each family that they are configured for. */
export function parseBgpSummary(result: ExecResult): BgpNeighbor[] {
  const json = readJson(result);
  return families.flatMap((family) =>
    json
      .at(`${family.toLowerCase()}Unicast`, 'peers')
      .entries()
      .map(([address, peer]) => ({
        address,
        family,
        remoteAs: peer.at('remoteAs').count(),
        state: peer.at('state').text(),
        prefixesReceived: peer.at('pfxRcd').count(),
      })),
  );
}

/** Reads a router through vtysh in its container. */
export class Vtysh {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** The paths of both families, IPv4 first. */
  async bgpTables(router: string): Promise<BgpPath[]> {
    const paths: BgpPath[] = [];
    for (const family of families) paths.push(...parseBgpTable(await run(this.#lab, bgpTableCommand(router, family))));
    return paths;
  }

  async bgpNeighbors(router: string): Promise<BgpNeighbor[]> {
    return parseBgpSummary(await run(this.#lab, bgpSummaryCommand(router)));
  }
}

function readJson(result: ExecResult): Json {
  if (result.exitCode !== 0) throw toolRefused(result, 'the routing daemons of the router may not be running');
  return Json.parse(result.stdout, 'vtysh');
}
