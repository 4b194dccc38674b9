import { ip } from '../../../net/address.ts';
import type { Ip, NetworkInterface, Packet, TcVerdict } from '../../../net/types.ts';
import type { Kernel } from './kernel.ts';
import type { Frontend } from './services.ts';
import { type Tuple, tupleOf, withDestination, withSource } from './tuple.ts';

/** `ipv4-service-loopback-address`, at its default. */
export const serviceLoopback = ip('169.254.42.1');

/** To its backend; a pod that is its own backend sees the loopback's address as its client (IPv4 only, as in lb4_local). */
export function toBackend(packet: Packet, backend: { readonly ip: Ip; readonly port: number }): Packet {
  const translated = withDestination(packet, backend.ip, backend.port);
  return packet.source === backend.ip && backend.ip.family === 4
    ? withSource(translated, serviceLoopback, tupleOf(packet).sourcePort)
    : translated;
}

export function pass(packet: Packet): TcVerdict {
  return { action: 'pass', packet };
}

export function redirectOut(packet: Packet, device: NetworkInterface, nextHop: Ip): TcVerdict {
  return { action: 'redirect', packet, device, into: 'egress', nextHop };
}

/** What stands in the map for every address of the node: a node port, or the host port of a pod. */
export function surrogate(kernel: Kernel, { protocol, destination, destinationPort }: Tuple): Frontend | undefined {
  if (protocol === 'icmp') return undefined;
  const { low, high } = kernel.config.nodePortRange;
  if (destinationPort >= low && destinationPort <= high)
    return kernel.services.lookupNodePort(protocol, destination.family, destinationPort);
  const frontend = kernel.services.lookupHostPort(protocol, destination.family, destinationPort);
  return frontend?.isLoopbackOnly === true ? undefined : frontend;
}

/** What a client hears of a service without backends. */
export function portUnreachable(packet: Packet): Packet {
  return {
    source: packet.destination,
    destination: packet.source,
    ttl: 64,
    flowLabel: 0,
    transport: { protocol: 'icmp', kind: 'port-unreachable', identifier: 0, sequence: 0, about: packet, size: 64 },
  };
}
