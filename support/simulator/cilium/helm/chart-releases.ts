import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { type HelmValues, isTree, standard, type Tree } from './chart-defaults.ts';

/** Defaults that a release changed, from that minor release on (values.yaml of 1.17.0, 1.18.0, 1.19.0). */
const changes: readonly { readonly since: number; readonly values: Tree }[] = [
  {
    since: 17,
    values: {
      ciliumEndpointSlice: {
        rateLimits: [
          { nodes: 0, limit: 10, burst: 20 },
          { nodes: 100, limit: 50, burst: 100 },
        ],
      },
      dnsProxy: { endpointMaxIpPerHostname: 1000 },
      iptablesRandomFully: false,
    },
  },
  { since: 18, values: { hubble: { redact: { kafka: { apiKey: true } } }, l2NeighDiscovery: { enabled: false } } },
  { since: 19, values: { authentication: { enabled: false }, clustermesh: { policyDefaultLocalCluster: true } } },
];

function overlay(base: Tree, own: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const below = base[key];
    merged[key] = isTree(value) && isTree(below) ? overlay(below, value) : value;
  }
  return merged;
}

export function chartDefaults(version: CiliumVersion): HelmValues {
  let values: Tree = standard;
  for (const change of changes) if (isAtLeast(version, change.since)) values = overlay(values, change.values);
  return values as unknown as HelmValues;
}

/** Whether the cluster's first Cilium was 1.`minor` or later: older ones keep old defaults (`upgradeCompatibility`). */
export function wasInstalledWith({ upgradeCompatibility }: Pick<HelmValues, 'upgradeCompatibility'>, minor: number): boolean {
  const first = /^v?1\.(\d+)/.exec(upgradeCompatibility ?? '')?.[1];
  return first === undefined || Number(first) >= minor;
}
