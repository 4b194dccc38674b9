import type { ClusterNode } from './cluster-view.ts';
import { formatColumns, formatEgressList } from './egress-gateway.ts';
import type { Kernel } from './kernel.ts';
import { loadBalancerList, serviceList } from './service-list.ts';

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const ok = (stdout: string): Result => ({ stdout, stderr: '', exitCode: 0 });

/** The words of `cilium-dbg` that are about the datapath; undefined for all others. */
export function debugDatapath(kernel: Kernel, nodes: readonly ClusterNode[], args: readonly string[]): Result | undefined {
  const words: string[] = [];
  let output: 'text' | 'json' = 'text';
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '-o' || word === '--output') output = args[++index] === 'json' ? 'json' : 'text';
    else if (word.startsWith('-o') || word.startsWith('--output=')) output = word.endsWith('json') ? 'json' : 'text';
    else if (!word.startsWith('-')) words.push(word);
  }
  switch (words.slice(0, 3).join(' ')) {
    case 'bpf egress list':
    case 'bpf egress ls':
      if (!kernel.config.hasEgressGateway) {
        return { stdout: '', stderr: 'Cannot find egress gateway bpf maps\n', exitCode: 0 };
      }
      return formatEgressList(kernel.egress.entries, output);
    case 'bpf lb list':
      return ok(loadBalancerList(kernel));
    default:
      break;
  }
  switch (words.slice(0, 2).join(' ')) {
    case 'service list':
      return ok(serviceList(kernel, output));
    case 'node list':
      return output === 'json' ? undefined : ok(nodeList(kernel, nodes));
    default:
      return undefined;
  }
}

function nodeList(kernel: Kernel, nodes: readonly ClusterNode[]): string {
  const of = <T extends { readonly family: 4 | 6; readonly text: string }>(list: readonly T[], family: 4 | 6): string =>
    list.find((item) => item.family === family)?.text ?? '';
  const { clusterName } = kernel.config;
  const rows = nodes.map((node) => [
    clusterName === 'default' ? node.name : `${clusterName}/${node.name}`,
    kernel.config.hasIpv4 ? of(node.internalIps, 4) : '',
    kernel.config.hasIpv4 ? of(node.podCidrs, 4) : '',
    kernel.config.hasIpv6 ? of(node.internalIps, 6) : '',
    kernel.config.hasIpv6 ? of(node.podCidrs, 6) : '',
    node.name === kernel.node.name ? 'local' : 'custom-resource',
  ]);
  return formatColumns([['Name', 'IPv4 Address', 'Endpoint CIDR', 'IPv6 Address', 'Endpoint CIDR', 'Source'], ...rows]);
}
