import { prefix } from '../../../net/address.ts';
import type { Ip, NetfilterRule, Prefix } from '../../../net/types.ts';
import type { ClusterNode } from './cluster-view.ts';
import type { Kernel } from './kernel.ts';

/** Without `enable-bpf-masquerade` the agent leaves masquerading to iptables. */
export function masqueradeByNetfilter(kernel: Kernel, nodes: readonly ClusterNode[]): void {
  const { config, namespace, podCidrs } = kernel;
  if (config.hasBpfMasquerade) return;
  const { netfilter } = namespace;
  for (const family of [4, 6] as const) {
    const isOn = family === 4 ? config.hasIpv4 && config.masquerades4 : config.hasIpv6 && config.masquerades6;
    const cidr = podCidrs.find((candidate) => candidate.family === family);
    if (!isOn || cidr === undefined) continue;
    const chain = 'CILIUM_POST_nat';
    if (netfilter.chains(family, 'nat').has(chain)) netfilter.flush(family, 'nat', chain);
    else {
      netfilter.createChain(family, 'nat', chain);
      netfilter.insert(family, 'nat', 'POSTROUTING', { target: { kind: 'jump', chain }, comment: 'cilium-feeder: CILIUM_POST_nat' });
    }
    const exclusion = (family === 4 ? config.nativeRoutingCidr4 : config.nativeRoutingCidr6) ?? cidr;
    if (config.routingMode === 'native') {
      for (const node of nodes) {
        for (const address of node.internalIps) {
          if (address.family !== family) continue;
          netfilter.append(family, 'nat', chain, {
            source: { prefix: cidr },
            destination: { prefix: prefix(`${address.text}/${family === 4 ? 32 : 128}`) },
            target: { kind: 'accept' },
            comment: 'exclude traffic to cluster nodes from masquerade',
          });
        }
      }
    }
    netfilter.append(family, 'nat', chain, {
      source: { prefix: cidr },
      destination: { prefix: exclusion, inverted: true },
      outInterface: { name: 'cilium_+', inverted: true },
      target: { kind: 'masquerade' },
      comment: 'cilium masquerade non-cluster',
    });
    const router = kernel.routerIps.find((address) => address.family === family);
    if (router !== undefined) masqueradeToPods(kernel, family, chain, cidr, router);
  }
}

/**
 * What the node's stack sends to pods (installMasqueradeRules in pkg/datapath/iptables): what it has translated to a pod, as kube-proxy
 * does, must come back through it.
 */
function masqueradeToPods(kernel: Kernel, family: 4 | 6, chain: string, cidr: Prefix, router: Ip): void {
  const { config, namespace } = kernel;
  const toPods = { outInterface: { name: 'cilium_host' }, target: { kind: 'snat', address: router } } as const;
  const loopback = family === 4 ? '127.0.0.1' : '::1';
  const add = (rule: NetfilterRule): void => namespace.netfilter.append(family, 'nat', chain, rule);
  if (config.routingMode === 'tunnel')
    add({
      ...toPods,
      source: { prefix: cidr, inverted: true },
      destination: { prefix: cidr, inverted: true },
      comment: 'cilium host->cluster masquerade',
    });
  add({
    ...toPods,
    source: { prefix: prefix(`${loopback}/${family === 4 ? 32 : 128}`) },
    comment: `cilium host->cluster from ${loopback} masquerade`,
  });
  add({
    ...toPods,
    mark: { value: 0xf00, mask: 0xf00 },
    connectionState: ['dnat'],
    comment: 'hairpin traffic that originated from a local pod',
  });
}
