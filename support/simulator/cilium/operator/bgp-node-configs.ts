import { timestamp } from '../../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector, ObjectInput } from '../../kubernetes/types.ts';
import { type CiliumNode, resources } from '../objects.ts';
import { selects } from '../selector.ts';
import { createTrigger } from '../trigger.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

export interface BgpClusterPeer {
  readonly name: string;
  readonly peerAddress?: string;
  readonly peerASN?: number;
  readonly peerConfigRef?: { readonly group?: string; readonly kind?: string; readonly name: string };
}

export interface BgpClusterConfig extends KubernetesObject {
  readonly spec?: {
    readonly nodeSelector?: LabelSelector;
    readonly bgpInstances?: readonly {
      readonly name: string;
      readonly localASN?: number;
      readonly localPort?: number;
      readonly peers?: readonly BgpClusterPeer[];
    }[];
  };
}

export interface BgpNodeConfigOverride extends KubernetesObject {
  readonly spec?: {
    readonly bgpInstances?: readonly {
      readonly name: string;
      readonly routerID?: string;
      readonly localPort?: number;
      readonly localASN?: number;
      readonly peers?: readonly { readonly name: string; readonly localAddress?: string; readonly localPort?: number }[];
    }[];
  };
}

export interface BgpNodeConfig extends KubernetesObject {
  readonly spec?: {
    readonly bgpInstances?: readonly {
      readonly name: string;
      readonly localASN?: number;
      readonly localPort?: number;
      readonly routerID?: string;
      readonly peers?: readonly (BgpClusterPeer & { readonly localAddress?: string; readonly localPort?: number })[];
    }[];
  };
}

/** The node's own instances: those of the cluster configuration, with the override laid over them by name (section 2.1). */
export function nodeInstances(
  cluster: BgpClusterConfig,
  override: BgpNodeConfigOverride | undefined,
  version: CiliumVersion,
): NonNullable<NonNullable<BgpNodeConfig['spec']>['bgpInstances']> {
  return (cluster.spec?.bgpInstances ?? []).map((instance) => {
    const own = override?.spec?.bgpInstances?.find(({ name }) => name === instance.name);
    const localAsn = (isAtLeast(version, 17) ? own?.localASN : undefined) ?? instance.localASN;
    const localPort = own?.localPort ?? instance.localPort;
    return {
      ...(localAsn === undefined ? {} : { localASN: localAsn }),
      ...(localPort === undefined ? {} : { localPort }),
      name: instance.name,
      peers: (instance.peers ?? []).map((peer) => {
        const mine = own?.peers?.find(({ name }) => name === peer.name);
        return {
          ...(mine?.localAddress === undefined ? {} : { localAddress: mine.localAddress }),
          ...peer,
        };
      }),
      ...(own?.routerID === undefined ? {} : { routerID: own.routerID }),
    };
  });
}

interface View {
  readonly clusterConfigs: readonly BgpClusterConfig[];
  readonly nodes: readonly CiliumNode[];
  readonly nodeConfigs: readonly BgpNodeConfig[];
  readonly overrides: readonly BgpNodeConfigOverride[];
  readonly version: CiliumVersion;
}

export type NodeConfigWrite =
  | { readonly action: 'create'; readonly object: ObjectInput }
  | { readonly action: 'update'; readonly object: KubernetesObject }
  | { readonly action: 'delete'; readonly name: string };

const ownerOf = (object: KubernetesObject) => object.metadata.ownerReferences?.find(({ kind }) => kind === 'CiliumBGPClusterConfig');

/** Section 2.2: a NodeConfig for every node that a ClusterConfig selects. The first owner of a node's NodeConfig keeps it. */
export function planNodeConfigs({ clusterConfigs, nodes, nodeConfigs, overrides, version }: View): readonly NodeConfigWrite[] {
  const writes: NodeConfigWrite[] = [];
  const byName = new Map(nodeConfigs.map((config) => [config.metadata.name, config]));
  const apiVersion = `cilium.io/${isAtLeast(version, 18) ? 'v2' : 'v2alpha1'}`;
  const live = new Map(clusterConfigs.map((config) => [config.metadata.uid, config]));
  const isSelected = (config: BgpClusterConfig, node: CiliumNode) => selects(config.spec?.nodeSelector, node.metadata.labels ?? {}, 'all');
  const kept = new Set<string>();
  for (const node of nodes) {
    const { name } = node.metadata;
    const existing = byName.get(name);
    const holder = existing === undefined ? undefined : live.get(ownerOf(existing)?.uid ?? '');
    const cluster = holder !== undefined && isSelected(holder, node) ? holder : clusterConfigs.find((config) => isSelected(config, node));
    if (cluster === undefined) continue;
    kept.add(name);
    const override = overrides.find((candidate) => candidate.metadata.name === name);
    const spec = { bgpInstances: nodeInstances(cluster, override, version) };
    if (existing !== undefined && cluster === holder) {
      if (JSON.stringify(existing.spec) !== JSON.stringify(spec)) writes.push({ action: 'update', object: { ...existing, spec } });
      continue;
    }
    if (existing !== undefined) writes.push({ action: 'delete', name });
    const owner = { apiVersion, kind: 'CiliumBGPClusterConfig', name: cluster.metadata.name, uid: cluster.metadata.uid, controller: true };
    writes.push({
      action: 'create',
      object: { apiVersion, kind: 'CiliumBGPNodeConfig', metadata: { name, ownerReferences: [owner] }, spec },
    });
  }
  for (const config of nodeConfigs) if (!kept.has(config.metadata.name)) writes.push({ action: 'delete', name: config.metadata.name });
  return writes;
}

interface StatusView extends View {
  readonly peerConfigNames: ReadonlySet<string>;
  readonly now: string;
}

/** Section 2.3: conditions of a ClusterConfig (1.17+); `True` is a problem. */
export function clusterConditions(cluster: BgpClusterConfig, view: StatusView): readonly Record<string, unknown>[] {
  const selected = view.nodes.filter((node) => selects(cluster.spec?.nodeSelector, node.metadata.labels ?? {}, 'all'));
  const missing = new Set<string>();
  for (const { peers = [] } of cluster.spec?.bgpInstances ?? []) {
    for (const { peerConfigRef } of peers)
      if (peerConfigRef !== undefined && !view.peerConfigNames.has(peerConfigRef.name)) missing.add(peerConfigRef.name);
  }
  const conflicting = view.clusterConfigs
    .filter((other) => other !== cluster && selected.some((node) => selects(other.spec?.nodeSelector, node.metadata.labels ?? {}, 'all')))
    .map(({ metadata }) => metadata.name)
    .toSorted();
  const old = (cluster['status'] as { conditions?: readonly Record<string, unknown>[] } | undefined)?.conditions ?? [];
  const make = (type: string, reason: string, isProblem: boolean, message: string) => {
    const status = isProblem ? 'True' : 'False';
    const before = old.find((condition) => condition['type'] === type);
    const lastTransitionTime = before?.['status'] === status ? before['lastTransitionTime'] : view.now;
    return { lastTransitionTime, message, observedGeneration: cluster.metadata.generation ?? 1, reason, status, type };
  };
  return [
    make(
      'cilium.io/ConflictingClusterConfig',
      'ConflictingClusterConfigs',
      conflicting.length > 0,
      conflicting.length > 0 ? `Selecting the same node(s) with ClusterConfig(s): [${conflicting.join(' ')}]` : '',
    ),
    make(
      'cilium.io/MissingPeerConfigs',
      'MissingPeerConfigs',
      missing.size > 0,
      missing.size > 0 ? `Referenced CiliumBGPPeerConfig(s) are missing: [${[...missing].toSorted().join(' ')}]` : '',
    ),
    make('cilium.io/NoMatchingNode', 'NoMatchingNode', selected.length === 0, 'No node matches spec.nodeSelector'),
  ];
}

/** Keeps the CiliumBGPNodeConfigs. */
export function startBgpNodeConfigs({ api, clock, config, version, log }: OperatorContext): OperatorPart {
  if (config.get('enable-bgp-control-plane') !== 'true') return { stop() {} };
  const reportsStatus = isAtLeast(version, 17) && config.get('enable-bgp-control-plane-status-report') !== 'false';
  const reconcile = createTrigger(clock, 0, () => {
    const view = {
      clusterConfigs: api.list<BgpClusterConfig>(resources.bgpClusterConfig),
      nodes: api.list<CiliumNode>(resources.node),
      nodeConfigs: api.list<BgpNodeConfig>(resources.bgpNodeConfig),
      overrides: api.list<BgpNodeConfigOverride>(resources.bgpNodeConfigOverride),
      version,
    };
    for (const write of planNodeConfigs(view)) {
      try {
        if (write.action === 'create') api.create(write.object);
        else if (write.action === 'update') api.update(write.object);
        else api.delete(resources.bgpNodeConfig, write.name);
      } catch (error) {
        log('error', 'failed to reconcile BGP node config', {
          subsys: 'bgp-cp-operator',
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }
    if (!reportsStatus) return;
    const peerConfigNames = new Set(api.list(resources.bgpPeerConfig).map(({ metadata }) => metadata.name));
    for (const cluster of view.clusterConfigs) {
      const conditions = clusterConditions(cluster, { ...view, peerConfigNames, now: timestamp(clock.now()) });
      const old = (cluster['status'] as { conditions?: unknown } | undefined)?.conditions;
      if (JSON.stringify(old) !== JSON.stringify(conditions))
        api.patch(resources.bgpClusterConfig, cluster.metadata.name, undefined, { status: { conditions } }, { subresource: 'status' });
    }
  });
  const watched = [
    resources.bgpClusterConfig,
    resources.bgpNodeConfigOverride,
    resources.bgpPeerConfig,
    resources.node,
    resources.bgpNodeConfig,
  ];
  const stops = watched.map((resource) => api.watch(resource, () => reconcile.fire()));
  reconcile.fire();
  return {
    stop() {
      for (const stop of stops) stop();
      reconcile.stop();
    },
  };
}
