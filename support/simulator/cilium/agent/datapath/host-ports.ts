import { keyOf, type Pod } from '../../../kubernetes/objects.ts';
import { isLoopback, isUnspecified, parseIp } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { AgentContext } from '../../types.ts';
import type { Kernel } from './kernel.ts';
import type { LocalFrontend } from './service-tables.ts';
import type { Backend, ServicePortEntry } from './services.ts';

/**
 * Host ports of the node's own pods, a frontend each (genServiceMappings in pkg/k8s/watchers/pod.go). Part of the kube-proxy
 * replacement: without it, the `portmap` plug-in would have to be chained.
 * @returns what stops following the pods; the frontends stay, as the maps do
 */
export function followHostPorts(context: AgentContext, kernel: Kernel): () => void {
  const { api, node, log } = context;
  kernel.services.setHostPorts(new Map());
  if (!kernel.config.replacesKubeProxy) return () => undefined;
  const ofPods = new Map<string, readonly LocalFrontend[]>();
  const { low, high } = kernel.config.nodePortRange;
  const learn = (pod: Pod, isGone: boolean): void => {
    const key = keyOf(pod);
    if (isGone) ofPods.delete(key);
    else {
      const frontends = frontendsOf(pod, (port) => {
        if (port < low || port > high) return false;
        const message = `The requested hostPort ${port} is colliding with the configured NodePort range [${low}, ${high}]. Ignoring.`;
        log('warning', message, { subsys: 'k8s-watcher' });
        return true;
      });
      if (frontends.length === 0 && !ofPods.has(key)) return;
      ofPods.set(key, frontends);
    }
    kernel.services.setHostPorts(ofPods);
  };
  const isOver = (pod: Pod): boolean => pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
  const hasHostPorts = (pod: Pod): boolean =>
    pod.spec.hostNetwork !== true && pod.spec.containers.some(({ ports }) => ports?.some(({ hostPort }) => (hostPort ?? 0) > 0) === true);
  const stop = api.watch<Pod>(
    'pods',
    ({ type, object, old }) => {
      if (!hasHostPorts(object) || object.spec.nodeName !== node.name) return;
      if (old !== undefined && old.status.podIPs === object.status.podIPs && isOver(object) === isOver(old)) return;
      learn(object, type === 'DELETED' || isOver(object));
    },
    { nodeName: node.name },
  );
  for (const pod of api.list<Pod>('pods', { nodeName: node.name })) if (hasHostPorts(pod)) learn(pod, isOver(pod));
  return stop;
}

function frontendsOf(pod: Pod, isRefused: (port: number) => boolean): readonly LocalFrontend[] {
  const made: LocalFrontend[] = [];
  const podIps = (pod.status.podIPs ?? []).flatMap(({ ip }) => parseIp(ip) ?? []);
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers])
    for (const { containerPort, hostPort = 0, hostIP, protocol: name = 'TCP' } of container.ports ?? []) {
      const protocol = name.toLowerCase();
      if (hostPort <= 0 || (protocol !== 'tcp' && protocol !== 'udp') || isRefused(hostPort)) continue;
      const at = hostIP === undefined || hostIP === '' ? undefined : parseIp(hostIP);
      for (const family of [4, 6] as const) {
        if (at !== undefined && at.family !== family && !isUnspecified(at)) continue;
        const backends = podIps
          .filter((address) => address.family === family)
          .map((address): Backend => ({ ip: address, port: containerPort, nodeName: pod.spec.nodeName, isTerminating: false }));
        if (backends.length === 0) continue;
        const entry: ServicePortEntry = {
          namespace: pod.metadata.namespace ?? 'default',
          name: `${pod.metadata.name}/host-port/${hostPort}`,
          portName: '',
          protocol,
          family,
          externalPolicy: 'Cluster',
          internalPolicy: 'Cluster',
          affinitySeconds: undefined,
          sourceRanges: [],
          backends,
          localBackends: backends,
        };
        made.push({ ip: ownAddress(at), port: hostPort, entry, isLoopbackOnly: at !== undefined && isLoopback(at) });
      }
    }
  return made;
}

/** Any address of the node stands for one that is not named, and for the loopback, which only the node itself may use. */
function ownAddress(address: Ip | undefined): Ip | undefined {
  return address === undefined || isUnspecified(address) || isLoopback(address) ? undefined : address;
}
