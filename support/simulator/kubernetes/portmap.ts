import { createHash } from 'node:crypto';
import { contains, hostPrefix, isUnspecified, parseIp, prefix } from '../net/address.ts';
import type { Family, Ip, NetfilterRule, Prefix } from '../net/types.ts';
import type { Pod } from './objects.ts';
import type { KubeNode } from './types.ts';

/** portmap's mark for connections of which the source has to be translated as well. */
const masqueradeMark = 0x2000;

/**
 * The CNI plug-in `portmap`, chained behind the one that connects the pod: host ports by iptables, with its chains (plugins/meta/portmap).
 * @returns what removes the rules of the pod
 */
export function mapPorts(
  node: KubeNode,
  network: string,
  containerId: string,
  pod: Pod,
  ips: readonly Ip[],
  subnets: readonly Prefix[],
): () => void {
  const ports = pod.spec.containers
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ hostPort = 0, containerPort, hostIP, protocol = 'TCP' }) =>
      hostPort > 0 && protocol !== 'SCTP' ? [{ hostPort, containerPort, hostIP, protocol: protocol.toLowerCase() as 'tcp' | 'udp' }] : [],
    );
  if (ports.length === 0) return () => undefined;
  const { netfilter } = node.namespace;
  const chain = `CNI-DN-${createHash('sha512').update(`${network}${containerId}`).digest('hex').slice(0, 21)}`;
  const entries: { readonly family: Family; readonly rule: NetfilterRule }[] = [];
  for (const address of ips) {
    const { family } = address;
    install(node, family);
    netfilter.createChain(family, 'nat', chain);
    for (const { hostPort, containerPort, hostIP, protocol } of ports) {
      const at = hostIP === undefined || hostIP === '' ? undefined : parseIp(hostIP);
      if (at !== undefined && at.family !== family) continue;
      const exactly = { low: hostPort, high: hostPort };
      const match = {
        protocol,
        destinationPort: exactly,
        ...(at === undefined || isUnspecified(at) ? {} : { destination: { prefix: hostPrefix(at) } }),
      } as const;
      const entry = { ...match, target: { kind: 'jump', chain }, comment: `dnat name: "${network}" id: "${containerId}"` } as const;
      netfilter.append(family, 'nat', 'CNI-HOSTPORT-DNAT', entry);
      entries.push({ family, rule: entry });
      const mark = { kind: 'jump', chain: 'CNI-HOSTPORT-SETMARK' } as const;
      // The address as the plug-in before has given it, with its mask: every pod of the node is told apart from the outside.
      const subnet = subnets.find((candidate) => contains(candidate, address)) ?? hostPrefix(address);
      netfilter.append(family, 'nat', chain, { ...match, source: { prefix: subnet }, target: mark });
      if (family === 4) netfilter.append(family, 'nat', chain, { ...match, source: { prefix: prefix('127.0.0.1/32') }, target: mark });
      netfilter.append(family, 'nat', chain, { ...match, target: { kind: 'dnat', address, port: containerPort } });
    }
  }
  return () => {
    for (const { family, rule } of entries) netfilter.delete(family, 'nat', 'CNI-HOSTPORT-DNAT', rule);
    for (const { family } of ips) netfilter.flush(family, 'nat', chain);
  };
}

/** The chains that all pods of the node share. */
function install(node: KubeNode, family: Family): void {
  const { netfilter } = node.namespace;
  if (netfilter.chains(family, 'nat').has('CNI-HOSTPORT-DNAT')) return;
  for (const chain of ['CNI-HOSTPORT-DNAT', 'CNI-HOSTPORT-SETMARK', 'CNI-HOSTPORT-MASQ']) netfilter.createChain(family, 'nat', chain);
  for (const hook of ['PREROUTING', 'OUTPUT'])
    netfilter.append(family, 'nat', hook, { localAddress: 'destination', target: { kind: 'jump', chain: 'CNI-HOSTPORT-DNAT' } });
  netfilter.append(family, 'nat', 'CNI-HOSTPORT-SETMARK', {
    target: { kind: 'mark', value: masqueradeMark, mask: masqueradeMark },
    comment: 'CNI portfwd masquerade mark',
  });
  netfilter.append(family, 'nat', 'CNI-HOSTPORT-MASQ', {
    mark: { value: masqueradeMark, mask: masqueradeMark },
    target: { kind: 'masquerade' },
  });
  netfilter.insert(family, 'nat', 'POSTROUTING', {
    target: { kind: 'jump', chain: 'CNI-HOSTPORT-MASQ' },
    comment: 'CNI portfwd requiring masquerade',
  });
  if (family === 4) node.namespace.setSysctl('net.ipv4.conf.all.route_localnet', '1');
}
