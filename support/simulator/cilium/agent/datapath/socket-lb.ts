import { isLoopback } from '../../../net/address.ts';
import type { Endpoint, NetworkNamespace, SocketHook } from '../../../net/types.ts';
import { isRemoteNodeIdentity, reserved } from './identity.ts';
import type { Kernel } from './kernel.ts';
import type { Programs } from './programs.ts';
import { eligibleBackends, type Frontend } from './services.ts';

/**
 * Socket load balancing (bpf_sock): a connection to a service is one to a backend from the start, so that no packet
 * ever carries the service's address. The same programs watch a pod's sockets for Hubble's socket traces.
 */
export function createSocketHook(kernel: Kernel, programs: Programs): SocketHook {
  return {
    connect(socket, destination) {
      const { protocol, namespace } = socket;
      const { config } = kernel;
      if (!config.hasSocketLb) return undefined;
      const isHost = namespace === kernel.namespace;
      if (!isHost && config.isSocketLbHostOnly) return undefined;
      const frontend = findFrontend(kernel, protocol, destination, isHost);
      if (frontend === undefined) return undefined;
      // External addresses are translated only where they are the node's own, lest a Service hijack a public address.
      if (frontend.type === 'ExternalIPs' && kernel.ipcache.get(destination.ip).identity.id !== reserved.host) return undefined;
      const backends = eligibleBackends(frontend, 'internal');
      if (backends.length === 0) return config.respondsToMissingBackend ? { errno: 'EHOSTUNREACH' } : undefined;
      const endpoint = isHost ? undefined : kernel.endpointByNamespace.get(namespace);
      if (endpoint !== undefined) programs.monitor.socketForward(endpoint, protocol, 'pre-xlate-fwd', destination);
      const backend = programs.selectBackend(
        frontend,
        backends,
        `netns ${namespace.name}`,
        `${destination.ip.text} ${destination.port} ${kernel.random.uint32()}`,
      );
      if (endpoint !== undefined) programs.monitor.socketForward(endpoint, protocol, 'post-xlate-fwd', backend);
      return { ip: backend.ip, port: backend.port };
    },
    peerName(socket, local, remote) {
      if (!kernel.config.hasSocketLb || socket.namespace === kernel.namespace) return;
      programs.monitor.socketReverse(
        socket.namespace,
        socket.protocol,
        remote,
        isDualStackSocket(socket.namespace, socket.protocol, local),
      );
    },
  };
}

function findFrontend(kernel: Kernel, protocol: 'tcp' | 'udp', destination: Endpoint, isHost: boolean): Frontend | undefined {
  const { services, config, ipcache } = kernel;
  const direct = services.lookup(protocol, destination.ip, destination.port);
  if (direct !== undefined) return direct;
  if (destination.port < config.nodePortRange.low || destination.port > config.nodePortRange.high) {
    // A host port is this node's only: at other nodes' addresses it is theirs to balance.
    const isOwn = ipcache.get(destination.ip).identity.id === reserved.host || (isHost && isLoopback(destination.ip));
    const frontend = isOwn ? services.lookupHostPort(protocol, destination.ip.family, destination.port) : undefined;
    return frontend?.isLoopbackOnly === true && !(isHost && isLoopback(destination.ip)) ? undefined : frontend;
  }
  // A node port on any node's address, and on loopback from the host.
  const { id } = ipcache.get(destination.ip).identity;
  const isNode =
    id === reserved.host ||
    isRemoteNodeIdentity(id) ||
    (isHost && isLoopback(destination.ip)) ||
    kernel.namespace.isLocalAddress(destination.ip);
  return isNode ? services.lookupNodePort(protocol, destination.ip.family, destination.port) : undefined;
}

/** Whether the listener is an IPv6 socket that takes IPv4 too: one of no family and no address. */
function isDualStackSocket(namespace: NetworkNamespace, protocol: 'tcp' | 'udp', local: Endpoint): boolean {
  const listener = namespace.sockets.listening.find(
    (socket) => socket.protocol === protocol && socket.port === local.port && (socket.ip === undefined || socket.ip === local.ip),
  );
  return listener !== undefined && listener.ip === undefined && listener.family === undefined;
}
