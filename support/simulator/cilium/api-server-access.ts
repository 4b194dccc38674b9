import { resolveContainerName } from '../docker/networks.ts';
import type { Cluster, KubeNode } from '../kubernetes/types.ts';
import { parseIp } from '../net/address.ts';
import type { Ip } from '../net/types.ts';

/** How long agents and operators try to reach the API server before they give up (`k8s-client` of both). */
export const contactTimeoutMs = 60_000;

/**
 * Why programs on a node's own network cannot reach the API server under the chart's `k8sServiceHost` and
 * `k8sServicePort`; undefined when they can. Without a host there is nothing to check: `cilium install` finds it itself.
 */
export function apiServerProblem(
  cluster: Cluster,
  node: KubeNode,
  host: string | undefined,
  port: string | number | undefined,
): string | undefined {
  if (host === undefined || host === '') return undefined;
  const number = port === undefined || port === '' ? 443 : Number(port);
  const literal = parseIp(host);
  const addresses =
    literal !== undefined
      ? [literal]
      : [...(node.namespace.hosts.get(host) ?? []), ...resolveContainerName(node.container, cluster.engine.networks, host)];
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${number}/api/v1/namespaces/kube-system`;
  const failed = (why: string) => `Get ${JSON.stringify(url)}: dial tcp${why}`;
  const [first] = addresses;
  if (first === undefined) return failed(`: lookup ${host}: no such host`);
  const reached = addresses.map((address) => listens(cluster, node, address, number));
  if (reached.includes('listens')) return undefined;
  const shown = `${first.family === 6 ? `[${first.text}]` : first.text}:${number}`;
  return failed(` ${shown}: ${reached.includes('refuses') ? 'connect: connection refused' : 'i/o timeout'}`);
}

function listens(cluster: Cluster, node: KubeNode, address: Ip, port: number): 'listens' | 'refuses' | 'silent' {
  if (isServiceAddress(cluster, address)) return 'listens';
  const isOwn = node.namespace.isLocalAddress(address);
  const owner = isOwn ? node : cluster.engine.containers.find(({ namespace }) => namespace.isLocalAddress(address));
  if (owner === undefined) return 'silent';
  const isHeard = owner.namespace.sockets.listening.some(
    (socket) => socket.protocol === 'tcp' && socket.port === port && (socket.ip === undefined || socket.ip.text === address.text),
  );
  return isHeard ? 'listens' : 'refuses';
}

/** What a pod has in its environment where the chart says nothing: `cilium install` would have put a node there. */
function isServiceAddress(cluster: Cluster, address: Ip): boolean {
  const service = cluster.server.client.get('services', 'kubernetes', 'default')?.['spec'] as
    | { readonly clusterIPs?: readonly string[] }
    | undefined;
  return service?.clusterIPs?.includes(address.text) === true;
}
