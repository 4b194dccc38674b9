import type { ClusterNode } from './cluster-view.ts';
import type { ClusterIdentities } from './identities.ts';
import type { PodRange } from './ipam.ts';
import type { Kernel } from './kernel.ts';
import type { MultiPool } from './multi-pool.ts';
import type { PolicyManager } from './policy-manager.ts';

/** What `cilium-dbg` looks at: the maps of the node's kernel, and what the agent itself holds. */
export interface DatapathState {
  readonly kernel: Kernel;
  readonly identities: ClusterIdentities;
  readonly nodes: readonly ClusterNode[];
  readonly policies: PolicyManager;
  /** Of the IPAM modes with one range a family; empty in `multi-pool`. */
  readonly ranges: readonly PodRange[];
  /** In IPAM mode `multi-pool`. */
  readonly pools: MultiPool | undefined;
}
