import type { Ip, Packet } from '../../../net/types.ts';
import type { Kernel, LocalEndpoint } from './kernel.ts';
import type { PolicySubject } from './policy.ts';
import { icmpTypeOf } from './tuple.ts';

/** What a policy sees of a packet at an endpoint: its peer, and the port that it is for. */
export function policySubject(
  kernel: Kernel,
  endpoint: LocalEndpoint,
  direction: 'INGRESS' | 'EGRESS',
  { transport }: Packet,
  peer: Ip,
): PolicySubject {
  const pod = `${endpoint.podNamespace}/${endpoint.podName}`;
  return {
    identity: kernel.ipcache.get(peer).identity,
    ip: peer,
    protocol: transport.protocol,
    port: transport.protocol === 'icmp' ? 0 : transport.destinationPort,
    ...(transport.protocol === 'icmp' ? { icmpType: icmpTypeOf(transport.kind, peer.family) } : {}),
    isNamedPort: (name, protocol, port) =>
      direction === 'INGRESS' ? kernel.namedPorts.isOf(pod, name, protocol, port) : kernel.namedPorts.isAnywhere(name, protocol, port),
    isBackendOf: (service, address) => kernel.isBackendOf?.(service, address) ?? false,
  };
}
