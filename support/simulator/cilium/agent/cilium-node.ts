import { type Node, nodeAddresses } from '../../kubernetes/objects.ts';
import type { ApiClient } from '../../kubernetes/types.ts';
import { type CiliumNode, type CiliumNodeConfig, ciliumNamespace, resources } from '../objects.ts';
import { selects } from '../selector.ts';
import type { AgentContext, CiliumConfig } from '../types.ts';
import { firstRequest } from './datapath/multi-pool.ts';

/** The ConfigMap with the CiliumNodeConfigs of a node laid over it, by name (what the pod's `config` container does). */
export function readConfig(api: ApiClient, node: Node, hasNodeConfigs: boolean): CiliumConfig {
  const data = (api.get('configmaps', 'cilium-config', ciliumNamespace)?.['data'] ?? {}) as Readonly<Record<string, string>>;
  const config = new Map(Object.entries(data));
  // Before an operator has registered the kind there are none.
  const nodeConfigs = hasNodeConfigs ? api.list<CiliumNodeConfig>(resources.nodeConfig, { namespace: ciliumNamespace }) : [];
  for (const { spec } of nodeConfigs) {
    if (!selects(spec?.nodeSelector, node.metadata.labels ?? {}, 'none')) continue;
    for (const [key, value] of Object.entries(spec?.defaults ?? {})) config.set(key, value);
  }
  return config;
}

/** Annotations that an agent copies from the Node. */
const isCopied = (key: string) => key.startsWith('cilium.io/') || key.includes('.cilium.io/') || key.startsWith('network.cilium.io/');

/** Writes the node's CiliumNode: labels and annotations of the Node, its addresses, and in IPAM mode `kubernetes` its pod CIDRs. */
export function publishCiliumNode({ api, node, config }: AgentContext): CiliumNode | undefined {
  const source = api.get<Node>('nodes', node.name);
  if (source === undefined) return undefined;
  const existing = api.get<CiliumNode>(resources.node, node.name);
  const labels = source.metadata.labels ?? {};
  const annotations = Object.fromEntries(Object.entries(source.metadata.annotations ?? {}).filter(([key]) => isCopied(key)));
  const own = nodeAddresses(source).map((ip) => ({ ip, type: 'InternalIP' }));
  const others = (existing?.spec?.addresses ?? []).filter(({ type }) => type !== 'InternalIP');
  // The agent takes over the ranges of the families that it serves (pkg/nodediscovery).
  const isServed = (cidr: string) => config.get(cidr.includes(':') ? 'enable-ipv6' : 'enable-ipv4') === 'true';
  const podCidrs =
    (config.get('ipam') ?? 'cluster-pool') === 'kubernetes'
      ? (source.spec.podCIDRs ?? (source.spec.podCIDR === undefined ? [] : [source.spec.podCIDR])).filter(isServed)
      : existing?.spec?.ipam?.podCIDRs;
  const spec = {
    ...existing?.spec,
    addresses: [...own, ...others],
    ipam: {
      ...existing?.spec?.ipam,
      ...ofPools(existing, config),
      ...(podCidrs === undefined || podCidrs.length === 0 ? {} : { podCIDRs: podCidrs }),
    },
  };
  const owner = { apiVersion: 'v1', kind: 'Node', name: node.name, uid: source.metadata.uid };
  if (existing === undefined) {
    return api.create<CiliumNode>({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNode',
      metadata: { name: node.name, labels, annotations, ownerReferences: [owner] },
      spec,
    });
  }
  const { annotations: oldAnnotations = {}, labels: oldLabels = {} } = existing.metadata;
  if (sameMap(labels, oldLabels) && sameMap(annotations, oldAnnotations) && JSON.stringify(spec) === JSON.stringify(existing.spec))
    return existing;
  return api.update<CiliumNode>({ ...existing, metadata: { ...existing.metadata, labels, annotations }, spec });
}

/** In IPAM mode `multi-pool` the agent asks for addresses; what it is given comes into the same field. */
function ofPools(existing: CiliumNode | undefined, config: CiliumConfig) {
  if (config.get('ipam') !== 'multi-pool' || existing?.spec?.ipam?.pools !== undefined) return {};
  const families = ([4, 6] as const).filter((family) => config.get(`enable-ipv${family}`) === 'true');
  return { pools: { requested: firstRequest(config, families) } };
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** Whether the node has a pod CIDR of every enabled family, so that pods can get addresses. */
export function hasPodCidrs(node: CiliumNode, families: { readonly hasIpv4: boolean; readonly hasIpv6: boolean }): boolean {
  const { podCIDRs = [], pools } = node.spec?.ipam ?? {};
  const cidrs = [...podCIDRs, ...(pools?.allocated ?? []).flatMap((pool) => pool.cidrs ?? [])];
  return (
    (!families.hasIpv4 || cidrs.some((text) => !text.includes(':'))) && (!families.hasIpv6 || cidrs.some((text) => text.includes(':')))
  );
}
