import { parseIp } from '../../../net/address.ts';
import type { Ip, TcpConnection } from '../../../net/types.ts';
import type { InspectableAgent } from '../../agent/agent.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import { agentFlags } from '../../agent/startup-check.ts';
import { type CiliumNode, resources } from '../../objects.ts';

export interface ProbedNode {
  readonly name: string;
  readonly isLocal: boolean;
  readonly ips: readonly string[];
  readonly isReachable: boolean;
  readonly isEndpointReachable: boolean;
}

const healthPort = 4240;
const probeTimeoutMs = 5000;

/**
 * What cilium-health finds: whether each node, and the health endpoint on it, answers from here. The agent probes by
 * itself every now and then; here it does when somebody asks.
 * @returns undefined when there are no probes
 */
export function probeNodes(agent: InspectableAgent, { kernel, nodes }: DatapathState): readonly ProbedNode[] | undefined {
  const { api, clock, config } = agent.context;
  if (!kernel.config.hasHealthEndpoint) return undefined;
  const flags = agentFlags(config);
  const probes = nodes.map((node) => {
    const isLocal = node.name === kernel.node.name;
    const addresses = node.internalIps.filter(({ family }) => (family === 4 ? flags.hasIpv4 : flags.hasIpv6));
    const health = api.get<CiliumNode & { readonly spec?: { readonly health?: { readonly ipv4?: string; readonly ipv6?: string } } }>(
      resources.node,
      node.name,
    )?.spec?.health;
    const endpoint = parseIp(health?.ipv4 ?? health?.ipv6 ?? '');
    const host = addresses[0];
    return {
      node,
      isLocal,
      ips: addresses.map(({ text }) => text),
      host: isLocal || host === undefined ? () => isLocal : probe(kernel.namespace, host),
      endpoint: endpoint === undefined ? () => false : probe(kernel.namespace, endpoint),
    };
  });
  clock.runUntil(() => probes.every(({ host, endpoint }) => host() !== undefined && endpoint() !== undefined), probeTimeoutMs);
  return probes.map(({ node, isLocal, ips, host, endpoint }) => ({
    name: `${kernel.config.clusterName === 'default' ? '' : `${kernel.config.clusterName}/`}${node.name}`,
    isLocal,
    ips,
    isReachable: host() === true,
    isEndpointReachable: endpoint() === true,
  }));
}

/** A node without a listener refuses, which is an answer, too. */
function probe(namespace: DatapathState['kernel']['namespace'], ip: Ip): () => boolean | undefined {
  let answered: boolean | undefined;
  const connection: TcpConnection = namespace.sockets.connect({
    destination: { ip, port: healthPort },
    handlers: {
      onConnected: () => {
        answered = true;
        connection.end();
      },
      onClose: (errno) => {
        answered ??= errno === 'ECONNREFUSED';
      },
    },
  });
  return () => answered;
}
