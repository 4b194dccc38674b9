import type { Ip, Packet, TcProgram, TcVerdict } from '../../../net/types.ts';
import type { Kernel } from './kernel.ts';

/** The overlay: VXLAN between the InternalIPs of the nodes. */
export interface Tunnel {
  /** @returns undefined when there is no way to the other end */
  send(packet: Packet, remote: Ip): TcVerdict | undefined;
}

const deviceMtu = 1500;

/**
 * Makes the tunnel device with a program on what comes out of it. Cilium's device is in metadata mode (its network id
 * is that of each packet's identity); here it has one id. Geneve is carried as VXLAN on Geneve's port.
 */
export function createTunnel(kernel: Kernel, fromOverlay: TcProgram): Tunnel {
  const { namespace, config } = kernel;
  const name = config.tunnelProtocol === 'vxlan' ? 'cilium_vxlan' : 'cilium_geneve';
  const device =
    namespace.getInterface(name) ??
    namespace.addInterface({ name, kind: 'vxlan', mtu: deviceMtu, vxlan: { id: 2, port: config.tunnelPort } });
  if (!device.isAdminUp) device.setUp();
  device.ingress = fromOverlay;
  kernel.tunnelDevice = device;
  return {
    send(packet, remote) {
      if (namespace.routes.lookup(remote).kind !== 'forward') return undefined;
      return { action: 'redirect', packet, device, into: 'egress', nextHop: remote };
    },
  };
}
