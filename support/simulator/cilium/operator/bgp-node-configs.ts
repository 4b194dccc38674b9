import { timestamp } from '../../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector, ObjectInput } from '../../kubernetes/types.ts';
import { type CiliumNode, resources } from '../objects.ts';
import { selects } from '../selector.ts';
import { createTrigger } from '../trigger.ts';
import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import { conditionMaker } from './bgp-conditions.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

export interface BgpClusterPeer {
  readonly name: string;
  readonly peerAddress?: string;
  readonly peerASN?: number;
  readonly autoDiscovery?: { readonly mode: string; readonly defaultGateway?: { readonly addressFamily: 'ipv4' | 'ipv6' } };
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

const noSelector = {};
const noLabels = {};
const selections = new WeakMap<object, WeakMap<object, boolean>>();

/** Of objects that the API server keeps, which are replaced and never changed: each pair is looked at once. */
function isSelected({ spec }: BgpClusterConfig, { metadata }: CiliumNode): boolean {
  const selector = spec?.nodeSelector ?? noSelector;
  const labels = metadata.labels ?? noLabels;
  const ofSelector = selections.get(selector) ?? new WeakMap<object, boolean>();
  selections.set(selector, ofSelector);
  const known = ofSelector.get(labels) ?? selects(spec?.nodeSelector, labels, 'all');
  ofSelector.set(labels, known);
  return known;
}

const texts = new WeakMap<object, string>();

function textOf(spec: object | undefined): string | undefined {
  if (spec === undefined) return undefined;
  const known = texts.get(spec) ?? JSON.stringify(spec);
  texts.set(spec, known);
  return known;
}

/**
 * A NodeConfig for every node that a ClusterConfig selects (operator/pkg/bgpv2/cluster.go). The first owner of a node's
 * NodeConfig keeps it, and one that a user made himself, without an owner, is left alone. Those of a deleted
 * ClusterConfig go with it: the cluster's garbage collector takes them.
 */
export function planNodeConfigs({ clusterConfigs, nodes, nodeConfigs, overrides, version }: View): readonly NodeConfigWrite[] {
  const writes: NodeConfigWrite[] = [];
  const apiVersion = `cilium.io/${isAtLeast(version, 18) ? 'v2' : 'v2alpha1'}`;
  const live = new Set(clusterConfigs.map(({ metadata }) => metadata.uid));
  const byName = new Map<string, BgpNodeConfig>();
  for (const config of nodeConfigs) {
    const owner = ownerOf(config);
    if (owner === undefined || live.has(owner.uid)) byName.set(config.metadata.name, config);
    else writes.push({ action: 'delete', name: config.metadata.name });
  }
  const overrideOf = new Map(overrides.map((override) => [override.metadata.name, override]));
  for (const cluster of clusterConfigs) {
    const { name: clusterName, uid } = cluster.metadata;
    const selected = new Set<string>();
    const plain = { bgpInstances: nodeInstances(cluster, undefined, version) };
    for (const node of nodes) {
      if (!isSelected(cluster, node)) continue;
      const { name } = node.metadata;
      selected.add(name);
      const existing = byName.get(name);
      if (existing !== undefined && ownerOf(existing)?.uid !== uid) continue;
      const override = overrideOf.get(name);
      const spec = override === undefined ? plain : { bgpInstances: nodeInstances(cluster, override, version) };
      if (existing === undefined) {
        const controller = isAtLeast(version, 17) ? { controller: true } : {};
        const owner = { apiVersion, kind: 'CiliumBGPClusterConfig', name: clusterName, uid, ...controller };
        const object = { apiVersion, kind: 'CiliumBGPNodeConfig', metadata: { name, ownerReferences: [owner] }, spec };
        writes.push({ action: 'create', object });
        byName.set(name, object as unknown as BgpNodeConfig);
      } else if (textOf(existing.spec) !== textOf(spec)) {
        writes.push({ action: 'update', object: { ...existing, spec } });
      }
    }
    for (const [name, config] of byName) {
      if (selected.has(name) || ownerOf(config)?.uid !== uid) continue;
      writes.push({ action: 'delete', name });
      byName.delete(name);
    }
  }
  return writes;
}

interface StatusView extends View {
  readonly peerConfigNames: ReadonlySet<string>;
  readonly now: string;
}

/**
 * Conditions of a ClusterConfig (1.17+); `True` is a problem. Of two that select the same node, the one that came too
 * late names the other.
 */
export function clusterConditions(cluster: BgpClusterConfig, view: StatusView): readonly Record<string, unknown>[] {
  const selected = new Set(view.nodes.filter((node) => isSelected(cluster, node)).map(({ metadata }) => metadata.name));
  const missing = new Set<string>();
  for (const { peers = [] } of cluster.spec?.bgpInstances ?? []) {
    for (const { peerConfigRef } of peers)
      if (peerConfigRef !== undefined && !view.peerConfigNames.has(peerConfigRef.name)) missing.add(peerConfigRef.name);
  }
  const owners = new Set<string>();
  for (const config of view.nodeConfigs) {
    const owner = selected.has(config.metadata.name) ? ownerOf(config) : undefined;
    if (owner !== undefined && owner.uid !== cluster.metadata.uid) owners.add(owner.name);
  }
  const condition = conditionMaker(cluster, view.now);
  return [
    condition(
      'cilium.io/ConflictingClusterConfig',
      'ConflictingClusterConfigs',
      owners.size > 0,
      owners.size > 0 ? `Selecting the same node(s) with ClusterConfig(s): [${[...owners].toSorted().join(' ')}]` : '',
    ),
    condition(
      'cilium.io/MissingPeerConfigs',
      'MissingPeerConfigs',
      missing.size > 0,
      missing.size > 0 ? `Referenced CiliumBGPPeerConfig(s) are missing: [${[...missing].toSorted().join(' ')}]` : '',
    ),
    // The message stays when the condition does not hold.
    condition('cilium.io/NoMatchingNode', 'NoMatchingNode', selected.size === 0, 'No node matches spec.nodeSelector'),
  ];
}

/** Keeps the CiliumBGPNodeConfigs. */
export function startBgpNodeConfigs({ api, clock, config, version, log }: OperatorContext): OperatorPart {
  if (config.get('enable-bgp-control-plane') !== 'true') return { stop() {} };
  const reportsStatus = isAtLeast(version, 17) && config.get('enable-bgp-control-plane-status-report') !== 'false';
  const reconcile = createTrigger(clock, 0, () => {
    const clusterConfigs = api.list<BgpClusterConfig>(resources.bgpClusterConfig);
    const present = api.list<BgpNodeConfig>(resources.bgpNodeConfig);
    // While the nodes of a large cluster come up one by one, there is nothing to plan for any of them.
    if (clusterConfigs.length === 0 && present.length === 0) return;
    const view = {
      clusterConfigs,
      nodes: api.list<CiliumNode>(resources.node),
      nodeConfigs: present,
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
    const nodeConfigs = api.list<BgpNodeConfig>(resources.bgpNodeConfig);
    for (const cluster of view.clusterConfigs) {
      const conditions = clusterConditions(cluster, { ...view, nodeConfigs, peerConfigNames, now: timestamp(clock.now()) });
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
  const stops = watched.map((resource) =>
    api.watch(resource, ({ object, old }) => {
      // What agents write of themselves, addresses and states of sessions, selects nothing.
      const { metadata } = object;
      const isSame =
        old !== undefined &&
        (resource === resources.node || metadata.generation === old.metadata.generation) &&
        JSON.stringify([metadata.labels, metadata.ownerReferences]) === JSON.stringify([old.metadata.labels, old.metadata.ownerReferences]);
      if (!isSame) reconcile.fire();
    }),
  );
  reconcile.fire();
  return {
    stop() {
      for (const stop of stops) stop();
      reconcile.stop();
    },
  };
}
