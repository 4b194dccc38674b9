import { createHash } from 'node:crypto';
import type { LabelSelector } from '../../../kubernetes/types.ts';
import { parsePrefix } from '../../../net/address.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import { blocksOf } from '../../operator/lb-ipam/pool-ranges.ts';
import { selects } from '../../selector.ts';
import { formatCommunity, parseCommunities, parseLargeCommunities } from './communities.ts';
import { type NodeView, poolPrefixes, type VirtualRouter } from './peering-policy.ts';

/** An export policy as `cilium-dbg bgp route-policies` lists it: a statement for each address family. */
export interface ExportPolicy {
  readonly name: string;
  readonly statements: readonly {
    readonly peer: string;
    readonly prefixes: readonly { readonly text: string; readonly length: number }[];
    readonly actions: readonly string[];
  }[];
}

/** The policies that a peering policy's path attributes make (pkg/bgpv1/manager/reconciler/route_policy.go). */
export function exportPolicies(router: VirtualRouter, view: NodeView, pools: readonly LoadBalancerIpPool[]): readonly ExportPolicy[] {
  const policies = new Map<string, ExportPolicy>();
  for (const { peerAddress, advertisedPathAttributes = [] } of router.neighbors) {
    for (const { selectorType, selector, communities, localPreference } of advertisedPathAttributes) {
      const { node } = view;
      let networks: readonly string[] = [];
      if (selectorType === 'CiliumPodIPPool')
        networks = poolPrefixes(view, () => true)
          .filter(({ pool }) => selects(selector, pool.metadata.labels ?? {}, 'all'))
          .map(({ prefix }) => prefix.text);
      if (selectorType === 'PodCIDR' && selects(selector, node.metadata.labels ?? {}, 'all')) networks = node.spec?.ipam?.podCIDRs ?? [];
      if (selectorType === 'CiliumLoadBalancerIPPool')
        networks = pools
          .filter((pool) => pool.spec?.disabled !== true && selects(selector, pool.metadata.labels ?? {}, 'all'))
          .flatMap((pool) => blocksOf(pool).map(({ cidr }) => cidr ?? ''));
      const prefixes = networks.map(parsePrefix).filter((prefix) => prefix !== undefined);
      const isHost = selectorType === 'CiliumLoadBalancerIPPool';
      const large = parseLargeCommunities(communities).map((value) => value.join(':'));
      const standard = parseCommunities(communities).map(formatCommunity);
      const actions = [
        ...(localPreference === undefined ? [] : [`SetLocalPreference: ${localPreference}`]),
        ...(standard.length === 0 ? [] : [`AddCommunities: [${standard.join(' ')}]`]),
        ...(large.length === 0 ? [] : [`AddLargeCommunities: [${large.join(' ')}]`]),
      ];
      const statements = [4, 6].flatMap((family) => {
        const own = prefixes
          .filter((prefix) => prefix.family === family)
          .map(({ text, length }) => ({ text, length: isHost ? (family === 4 ? 32 : 128) : length }))
          .toSorted((a, b) => (a.text < b.text ? -1 : 1));
        return own.length === 0 ? [] : [{ peer: peerAddress, prefixes: own, actions }];
      });
      const name = `${peerAddress}-${selectorType}${selector === undefined ? '' : `-${selectorHash(selector)}`}`;
      if (statements.length > 0) policies.set(name, { name, statements });
    }
  }
  return [...policies.values()];
}

/** SHA-256 of the selector in Kubernetes' protobuf form. */
function selectorHash(selector: LabelSelector): string {
  const bytes = (tag: number, content: Buffer): Buffer => {
    const size: number[] = [];
    let left = content.length;
    for (; left > 127; left >>= 7) size.push((left & 127) | 128);
    return Buffer.concat([Buffer.from([tag, ...size, left]), content]);
  };
  const text = (tag: number, value: string) => bytes(tag, Buffer.from(value));
  const labels = Object.entries(selector.matchLabels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => bytes(0x0a, Buffer.concat([text(0x0a, key), text(0x12, value)])));
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) =>
    bytes(0x12, Buffer.concat([text(0x0a, key), text(0x12, operator), ...values.map((value) => text(0x1a, value))])),
  );
  return createHash('sha256')
    .update(Buffer.concat([...labels, ...expressions]))
    .digest('hex');
}
