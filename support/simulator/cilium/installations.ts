import type { Container, DockerEngine } from '../docker/types.ts';
import type { KubeNode } from '../kubernetes/types.ts';
import type { CiliumInstallation, RunningAgent } from './types.ts';

/** An installation as its own programs see it. */
export interface OwnInstallation extends CiliumInstallation {
  addAgent(agent: RunningAgent): void;
  removeAgent(agent: RunningAgent): void;
}

export interface RegisteredInstallation {
  readonly installation: OwnInstallation;
  readonly node: KubeNode;
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
}

/** Images belong to the engine, installations to clusters: a program finds its own by the pod that it runs in. */
const byEngine = new WeakMap<DockerEngine, Set<OwnInstallation>>();

export function register(installation: OwnInstallation): void {
  const { engine } = installation.cluster;
  const known = byEngine.get(engine) ?? new Set();
  byEngine.set(engine, known);
  // A cluster has one Cilium; an upgrade takes the place of what was there.
  for (const other of known) if (other.cluster === installation.cluster) known.delete(other);
  known.add(installation);
}

export function unregister(installation: OwnInstallation): void {
  byEngine.get(installation.cluster.engine)?.delete(installation);
}

export function findInstallation(engine: DockerEngine, container: Container): RegisteredInstallation | undefined {
  for (const installation of byEngine.get(engine) ?? []) {
    for (const kubelet of installation.cluster.kubelets.values()) {
      const pod = kubelet.podOf(container);
      if (pod !== undefined) return { installation, node: kubelet.node, pod };
    }
  }
  return undefined;
}
