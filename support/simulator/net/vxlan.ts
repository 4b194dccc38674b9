import type { Device } from './interface.ts';
import type { Namespace } from './namespace.ts';
import { defaultTtl, finish, flowHash, withoutMark } from './packet.ts';
import type { Ip, Packet, UdpDatagram } from './types.ts';

const noPayload = new Uint8Array(0);

/**
 * Sends a packet to the tunnel end at `remote` (RFC 7348), through the namespace's own routing. The source port
 * carries the inner flow's hash, so that ECMP on the way can tell flows apart.
 */
export function encapsulate(device: Device, remote: Ip, packet: Packet): void {
  const { namespace, vxlan, statistics } = device;
  const source = namespace.sourceFor(remote);
  if (vxlan === undefined || source === undefined) {
    namespace.network.dispose(packet, namespace, 'no-route', `tunnel to ${remote.text}`);
    return;
  }
  const inner = packet.mark === undefined ? packet : withoutMark(packet);
  statistics.txPackets++;
  const transport: UdpDatagram = {
    protocol: 'udp',
    sourcePort: 32768 + (finish(flowHash(inner, 1, namespace.hashSeed)) % 28232),
    destinationPort: vxlan.port,
    payload: noPayload,
    tunnel: { id: vxlan.id, packet: inner },
  };
  namespace.ip.send({ source, destination: remote, ttl: defaultTtl, flowLabel: 0, transport });
}

/** Takes the inner packet out, in at the device that has the tunnel's id. */
export function decapsulate(namespace: Namespace, outer: Packet, { tunnel, destinationPort }: UdpDatagram): void {
  const device = namespace.devices.find((candidate) => candidate.vxlan?.port === destinationPort && candidate.vxlan.id === tunnel?.id);
  if (tunnel === undefined) return;
  if (device === undefined) {
    namespace.network.dispose(outer, namespace, 'no-socket', `vxlan ${tunnel.id}`);
    return;
  }
  namespace.network.dispose(outer, namespace, 'delivered', 'vxlan');
  namespace.ip.receiveRedirected(device, tunnel.packet);
}
