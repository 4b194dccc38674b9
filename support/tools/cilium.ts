import type { ExecResult, Lab } from '../port/lab.ts';
import type { Family } from './addresses.ts';
import { Json, unexpectedOutput } from './json.ts';
import { run, toolRefused } from './run.ts';

export interface BgpSession {
  readonly node: string;
  readonly localAs: number;
  readonly peerAs: number;
  readonly peerAddress: string;
  readonly state: string;
  readonly families: readonly { readonly family: Family; readonly received: number; readonly advertised: number }[];
}

/** The agents' sessions, or the reason why they cannot tell. */
export type BgpSessions =
  | { readonly isEnabled: true; readonly sessions: readonly BgpSession[] }
  | { readonly isEnabled: false; readonly reason: string };

export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly desired: number;
  readonly ready: number;
}

export interface CiliumStatus {
  /** `Cilium` → `OK`, `Hubble Relay` → `1 errors`, … */
  readonly components: ReadonlyMap<string, string>;
  readonly workloads: readonly Workload[];
  readonly managedPods: { readonly managed: number; readonly all: number } | undefined;
  /** The lines under Errors and Warnings. */
  readonly problems: readonly string[];
}

/**
 * Sessions of `cilium bgp peers -o json`: an object from node to peers. The CLI leaves out counters and uptimes of 0.
 * Where the agents run without BGP, their answer is no JSON and the CLI fails with `failed to unmarshal bgp state`.
 */
export function parseBgpPeers(result: ExecResult): BgpSessions {
  if (result.exitCode !== 0) {
    if (/BGP Control Plane is disabled|failed to unmarshal bgp state/.test(result.stderr + result.stdout)) {
      return { isEnabled: false, reason: 'the BGP control plane of Cilium is disabled' };
    }
    throw toolRefused(result);
  }
  const sessions = Json.parse(result.stdout, 'cilium bgp peers')
    .entries()
    .flatMap(([node, peers]) =>
      peers.items().map((peer) => ({
        node,
        localAs: peer.at('local-asn').count(),
        peerAs: peer.at('peer-asn').count(),
        peerAddress: peer.at('peer-address').text(),
        state: peer.at('session-state').text(),
        families: peer
          .at('families')
          .items()
          .map((item) => ({
            family: item.at('afi').text() === 'ipv4' ? ('IPv4' as const) : ('IPv6' as const),
            received: item.at('received').count(),
            advertised: item.at('advertised').count(),
          })),
      })),
    );
  return { isEnabled: true, sessions: sessions.sort((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0)) };
}

/**
 * The table of `cilium status`. Text, not JSON: the CLI of the lab's version prints its errors in JSON as `{}`.
 * It colours its output even into a pipe, and the order of rows inside a group is random.
 */
export function parseStatus(result: ExecResult): CiliumStatus {
  if (result.exitCode !== 0 && result.stdout.trim() === '') throw toolRefused(result);
  const components = new Map<string, string>();
  const workloads: Workload[] = [];
  const problems: string[] = [];
  let managedPods: CiliumStatus['managedPods'];
  let isProblem = false;
  for (const line of result.stdout.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n')) {
    const component = /^ *[/\\][ /\\_¯]*(\w[^:]*):\s+(.*\S)\s*$/.exec(line);
    const workload = /^(Deployment|DaemonSet)\s+(\S+)\s+(.*)$/.exec(line);
    const pods = /^Cluster Pods:\s+(\d+)\/(\d+) managed by Cilium/.exec(line);
    if (/^\S/.test(line)) isProblem = /^(Errors|Warnings):/.test(line);
    if (component !== null) components.set(component[1] as string, component[2] as string);
    else if (workload !== null) {
      const number = (pattern: RegExp) => Number(pattern.exec(workload[3] as string)?.[1] ?? 0);
      workloads.push({
        kind: workload[1] as string,
        name: workload[2] as string,
        desired: number(/Desired: (\d+)/),
        ready: number(/Ready: (\d+)/),
      });
    } else if (pods !== null) managedPods = { managed: Number(pods[1]), all: Number(pods[2]) };
    else if (isProblem && line.trim() !== '')
      problems.push(
        line
          .replace(/^(Errors|Warnings):/, '')
          .trim()
          .replaceAll(/\s{2,}/g, ' '),
      );
  }
  if (components.size === 0) throw unexpectedOutput('cilium status', 'its table', result.stdout);
  return { components, workloads, managedPods, problems };
}

/** Settings of `cilium config view`: two columns, the second from a fixed position. */
export function parseConfig(result: ExecResult): Map<string, string> {
  if (result.exitCode !== 0) throw toolRefused(result);
  const settings = new Map<string, string>();
  for (const line of result.stdout.split('\n')) {
    const match = /^(\S+)\s+(.*?)\s*$/.exec(line);
    if (match !== null) settings.set(match[1] as string, match[2] as string);
  }
  return settings;
}

/** Asks Cilium through its command line tool. */
export class Cilium {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async bgpPeers(): Promise<BgpSessions> {
    return parseBgpPeers(await run(this.#lab, { argv: ['cilium', 'bgp', 'peers', '-o', 'json'] }));
  }

  async status(): Promise<CiliumStatus> {
    return parseStatus(await run(this.#lab, { argv: ['cilium', 'status'] }));
  }

  async config(): Promise<Map<string, string>> {
    return parseConfig(await run(this.#lab, { argv: ['cilium', 'config', 'view'] }));
  }
}
