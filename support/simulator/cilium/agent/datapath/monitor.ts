import type { Ip, NetworkNamespace, Packet } from '../../../net/types.ts';
import type { DropReason, Flow } from '../../types.ts';
import { type FlowSubject, PacketFlow, SocketFlow } from './flows.ts';
import type { Kernel, LocalEndpoint } from './kernel.ts';

/** Events that the datapath sends to the agent's monitor, kept as Hubble flows. */
export class Monitor {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  trace(point: string, packet: Packet, isReply: boolean, direction: Flow['trafficDirection']): void {
    const kernel = this.#kernel;
    if (kernel.flows === undefined) return;
    kernel.flows.record(
      new PacketFlow(
        {
          time: kernel.clock.now(),
          nodeName: kernel.node.name,
          verdict: 'FORWARDED',
          observationPoint: point,
          isReply,
          ...this.#ends(packet),
          trafficDirection: direction,
        },
        packet,
      ),
    );
  }

  drop(reason: DropReason | string, packet: Packet, direction: Flow['trafficDirection'] = 'EGRESS'): void {
    const kernel = this.#kernel;
    if (kernel.flows === undefined) return;
    kernel.flows.record(
      new PacketFlow(
        {
          time: kernel.clock.now(),
          nodeName: kernel.node.name,
          verdict: 'DROPPED',
          observationPoint: reason,
          isReply: undefined,
          ...this.#ends(packet),
          trafficDirection: direction,
          dropReason: reason,
        },
        packet,
      ),
    );
  }

  /** A decision on the first packet of a connection, at an endpoint that some policy selects. */
  policyVerdict(match: string, packet: Packet, direction: 'INGRESS' | 'EGRESS', isAllowed: boolean, isDenyRule: boolean): void {
    const kernel = this.#kernel;
    if (kernel.flows === undefined) return;
    kernel.flows.record(
      new PacketFlow(
        {
          time: kernel.clock.now(),
          nodeName: kernel.node.name,
          verdict: isAllowed ? 'FORWARDED' : 'DROPPED',
          observationPoint: `policy-verdict:${match}`,
          isReply: false,
          ...this.#ends(packet),
          trafficDirection: direction,
          ...(isAllowed ? {} : { dropReason: isDenyRule ? 'Policy denied by denylist' : 'Policy denied' }),
        },
        packet,
      ),
    );
  }

  /** `connect` of a pod to a service: the destination before and after the translation. */
  socketForward(
    endpoint: LocalEndpoint,
    protocol: 'tcp' | 'udp',
    point: 'pre-xlate-fwd' | 'post-xlate-fwd',
    destination: { readonly ip: Ip; readonly port: number },
  ): void {
    const kernel = this.#kernel;
    const own = addressOfFamily(endpoint, destination.ip.family);
    if (kernel.flows === undefined || !kernel.config.hasSocketTraces || own === undefined) return;
    kernel.flows.record(
      new SocketFlow(
        {
          time: kernel.clock.now(),
          nodeName: kernel.node.name,
          verdict: point === 'pre-xlate-fwd' ? 'TRACED' : 'TRANSLATED',
          observationPoint: point,
          isReply: undefined,
          source: { ip: own, port: undefined, entry: endpoint.entry },
          destination: this.#subject(destination.ip, destination.port, protocol),
          trafficDirection: 'TRAFFIC_DIRECTION_UNKNOWN',
        },
        protocol,
        destination.ip.family,
      ),
    );
  }

  /**
   * `getpeername` in a pod, before the look-up of a translation. A dual-stack socket asks for an IPv4 peer twice: as
   * an IPv4-mapped IPv6 address, then as IPv4, each shown with the pod's own address of that family (recorded).
   */
  socketReverse(
    namespace: NetworkNamespace,
    protocol: 'tcp' | 'udp',
    remote: { readonly ip: Ip; readonly port: number },
    isDualStackSocket: boolean,
  ): void {
    const kernel = this.#kernel;
    if (kernel.flows === undefined || !kernel.config.hasSocketTraces) return;
    const endpoint = kernel.endpointByNamespace.get(namespace);
    if (endpoint === undefined) return;
    const families = remote.ip.family === 4 && isDualStackSocket ? ([6, 4] as const) : ([remote.ip.family] as const);
    for (const family of families) {
      const own = addressOfFamily(endpoint, family);
      if (own === undefined) continue;
      kernel.flows.record(
        new SocketFlow(
          {
            time: kernel.clock.now(),
            nodeName: kernel.node.name,
            verdict: 'TRACED',
            observationPoint: 'pre-xlate-rev',
            isReply: undefined,
            source: this.#subject(remote.ip, remote.port, protocol),
            destination: { ip: own, port: undefined, entry: endpoint.entry },
            trafficDirection: 'TRAFFIC_DIRECTION_UNKNOWN',
          },
          protocol,
          family,
        ),
      );
    }
  }

  #ends(packet: Packet): { source: FlowSubject; destination: FlowSubject } {
    const { transport } = packet;
    if (transport.protocol === 'icmp')
      return { source: this.#subject(packet.source, undefined, 'tcp'), destination: this.#subject(packet.destination, undefined, 'tcp') };
    return {
      source: this.#subject(packet.source, transport.sourcePort, transport.protocol),
      destination: this.#subject(packet.destination, transport.destinationPort, transport.protocol),
    };
  }

  #subject(address: Ip, port: number | undefined, protocol: 'tcp' | 'udp'): FlowSubject {
    const { ipcache, services } = this.#kernel;
    const entry = ipcache.get(address);
    if (port === undefined || entry.podName !== undefined || !services.hasAddress(address)) return { ip: address, port, entry };
    const frontend = services.lookup(protocol, address, port);
    return {
      ip: address,
      port,
      entry,
      service: frontend === undefined ? undefined : { namespace: frontend.entry.namespace, name: frontend.entry.name },
    };
  }
}

function addressOfFamily(endpoint: LocalEndpoint, family: 4 | 6): Ip | undefined {
  return endpoint.ips.find((address) => address.family === family);
}
