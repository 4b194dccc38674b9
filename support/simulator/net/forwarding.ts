import { isLinkLocal, isLoopback, isMulticast, isUnspecified } from './address.ts';
import type { Tracked } from './conntrack.ts';
import type { Device } from './interface.ts';
import type { Namespace } from './namespace.ts';
import { defaultTtl, flowHash, icmpError, ipFrame, isIcmpError, noMac, packetSize, packetWith, withoutMark } from './packet.ts';
import type { Decision } from './routing.ts';
import { type Errno, type IcmpKind, type Ip, type Packet, type TcVerdict, tcpFlag } from './types.ts';
import { decapsulate, encapsulate } from './vxlan.ts';

const noPayload = new Uint8Array(0);
/** A packet that programs hand round more often than this is in a loop. */
const redirectLimit = 16;

export interface SendOptions {
  readonly device?: string;
}

/** IPv4 and IPv6 of a namespace: what happens to a packet between the devices and the sockets. */
export class IpLayer {
  readonly #namespace: Namespace;
  #redirects = 0;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** Runs the program at a device's ingress: the packet that goes on here, or undefined. */
  runIngress(device: Device, packet: Packet): Packet | undefined {
    const verdict = device.ingress?.(packet, device);
    if (verdict === undefined) return packet;
    if (verdict.action === 'pass') return verdict.packet;
    if (verdict.action === 'drop') this.#dispose(packet, 'program-drop', verdict.reason);
    else this.#redirect(verdict, undefined);
    return undefined;
  }

  /** A packet has arrived at a device and its program has let it pass. */
  input(device: Device, packet: Packet): void {
    this.#input(device, packet, undefined, false);
  }

  /**
   * Sends a packet of this host.
   * @returns why the system call fails, if it does
   */
  send(packet: Packet, options: SendOptions = {}): Errno | undefined {
    const namespace = this.#namespace;
    const { netfilter, routes } = namespace;
    const { family } = packet.destination;
    let decision = this.#route(packet, undefined, options.device);
    const isAssumedOnLink = decision.kind === 'no-route' && family === 4 && options.device !== undefined;
    if (decision.kind !== 'local' && decision.kind !== 'forward' && !isAssumedOnLink) {
      this.#dispose(packet, decision.kind);
      return errnoOf(decision.kind);
    }
    let current = packet;
    let tracked: Tracked | undefined;
    const isFiltered = netfilter.isActive(family);
    if (isFiltered) {
      tracked = netfilter.begin(current);
      const device = decision.kind === 'forward' ? decision.device : decision.kind === 'local' ? namespace.loopback : undefined;
      const next = netfilter.run('OUTPUT', current, undefined, device, tracked);
      if (next === undefined) return 'EPERM';
      if (next.destination !== current.destination || next.mark !== current.mark) {
        // ip_route_me_harder: the destination or the mark is another one now.
        decision = routes.lookup(next.destination, { source: next.source, ...(next.mark === undefined ? {} : { mark: next.mark }) });
      }
      current = next;
    }
    if (decision.kind === 'local') {
      if (decision.route.type === 'broadcast') {
        this.#dispose(current, 'lost', 'broadcast is not modelled');
        return undefined;
      }
      if (isFiltered) {
        const next = netfilter.run('POSTROUTING', current, undefined, namespace.loopback, tracked);
        if (next === undefined) return 'EPERM';
        current = next;
      }
      this.#loop(current, tracked);
      return undefined;
    }
    const device = decision.kind === 'forward' ? decision.device : namespace.findDevice(options.device ?? '');
    const nextHop = decision.kind === 'forward' ? decision.nextHop : current.destination;
    if (device === undefined) {
      this.#dispose(current, 'no-route');
      return 'ENETUNREACH';
    }
    if (isFiltered) {
      const next = netfilter.run('POSTROUTING', current, undefined, device, tracked);
      if (next === undefined) return 'EPERM';
      current = next;
    }
    this.transmitOut(device, nextHop, current, false);
    return undefined;
  }

  /** Hands a packet to a device: its egress program, then the neighbour. */
  transmitOut(device: Device, nextHop: Ip, packet: Packet, skipEgress: boolean): void {
    let current = packet;
    if (device.egress !== undefined && !skipEgress) {
      const verdict = device.egress(packet, device);
      if (verdict.action === 'drop') {
        this.#dispose(packet, 'program-drop', verdict.reason);
        return;
      }
      if (verdict.action === 'redirect') {
        this.#redirect(verdict, device);
        return;
      }
      current = verdict.packet;
    }
    if (!device.isAdminUp) this.#dispose(current, 'link-down', device.name);
    else if (device.kind === 'vxlan') encapsulate(device, nextHop, current);
    else if (device.needsNoNeighbours) device.transmitIp(noMac, current);
    else this.#namespace.neighbourTable.output(device, nextHop, current);
  }

  /** A packet that a program has put in at a device, as if it had arrived there. */
  receiveRedirected(device: Device, packet: Packet): void {
    const { network } = this.#namespace;
    if (!device.isRunning) {
      this.#dispose(packet, 'link-down', device.name);
      return;
    }
    device.statistics.rxPackets++;
    device.statistics.rxBytes += packetSize(packet);
    if (network.hasFrameListeners) network.showFrame(device, 'in', ipFrame(noMac, device.mac, packet));
    const passed = device.ingress === undefined ? packet : this.runIngress(device, packet);
    if (passed !== undefined) this.#input(device, passed, undefined, false);
  }

  /** Sends an ICMP error about a packet to its source, unless RFC 1122 §3.2.2 or RFC 4443 §2.4(e) forbid it. */
  sendError(kind: IcmpKind, about: Packet, mtu?: number): void {
    const { transport, source, destination } = about;
    if (transport.protocol === 'icmp' && isIcmpError(transport.kind)) return;
    if (isMulticast(destination) || isUnspecified(source) || isMulticast(source)) return;
    const namespace = this.#namespace;
    const from = namespace.routes.localDevice(destination) === undefined ? namespace.sourceFor(source) : destination;
    if (from === undefined) return;
    const { mark: _mark, ...quoted } = about;
    this.send({ source: from, destination: source, ttl: defaultTtl, flowLabel: 0, transport: icmpError(kind, quoted, mtu) });
  }

  /** REJECT --reject-with tcp-reset, and the answer of a host where nobody listens (RFC 9293 §3.10.7.1). */
  sendReset(about: Packet, device?: string): void {
    const { transport, source, destination } = about;
    if (transport.protocol !== 'tcp' || (transport.flags & tcpFlag.rst) !== 0) return;
    const { flags, sequence, acknowledgment, payload, sourcePort, destinationPort } = transport;
    const hasAck = (flags & tcpFlag.ack) !== 0;
    const length = payload.length + ((flags & tcpFlag.syn) !== 0 ? 1 : 0) + ((flags & tcpFlag.fin) !== 0 ? 1 : 0);
    const reset: Packet = {
      source: destination,
      destination: source,
      ttl: defaultTtl,
      flowLabel: about.flowLabel,
      transport: {
        protocol: 'tcp',
        sourcePort: destinationPort,
        destinationPort: sourcePort,
        flags: hasAck ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack,
        sequence: hasAck ? acknowledgment : 0,
        acknowledgment: hasAck ? 0 : (sequence + length) >>> 0,
        payload: noPayload,
      },
    };
    this.send(reset, device === undefined ? {} : { device });
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────────────────

  #input(device: Device, packet: Packet, looped: Tracked | undefined, isLooped: boolean): void {
    const namespace = this.#namespace;
    const { netfilter } = namespace;
    const { family } = packet.destination;
    if (family === 6 && device.settings.disableIpv6) {
      this.#dispose(packet, 'not-for-us', 'IPv6 is disabled');
      return;
    }
    const isFiltered = netfilter.isActive(family);
    let current = packet;
    let tracked = looped;
    // What comes over lo has been through the connection table on its way out.
    if (isFiltered && !isLooped) {
      tracked = netfilter.begin(current);
      const next = netfilter.run('PREROUTING', current, device, undefined, tracked);
      if (next === undefined) return;
      current = next;
    }
    if (family === 4 && !isLooped && !this.#isSourceValid(current, device)) return;
    const decision = this.#route(current, device, undefined);
    if (decision.kind === 'local') {
      if (family === 6 && isLinkLocal(current.destination) && device.addressState(current.destination) === undefined && !isLooped) {
        this.#dispose(current, 'not-for-us');
        return;
      }
      if (isFiltered) {
        const next = netfilter.run('INPUT', current, device, undefined, tracked);
        if (next === undefined) return;
        current = next;
      }
      this.#deliver(current, device);
    } else if (decision.kind === 'forward') this.#forward(current, device, decision.device, decision.nextHop, decision.route.mtu, tracked);
    else this.#refuse(current, device, decision.kind);
  }

  #forward(packet: Packet, input: Device, output: Device, nextHop: Ip, routeMtu: number | undefined, tracked: Tracked | undefined): void {
    const namespace = this.#namespace;
    const { family } = packet.destination;
    if (!(family === 4 ? input.settings.forwarding4 : namespace.isForwarding6)) {
      this.#dispose(packet, 'forwarding-off');
      return;
    }
    // RFC 4291 §2.5.6: a router must not forward link-local packets.
    if (isMulticast(packet.destination) || (family === 6 && (isLinkLocal(packet.source) || isLinkLocal(packet.destination)))) {
      this.#dispose(packet, 'not-for-us');
      return;
    }
    if (packet.ttl <= 1) {
      this.#dispose(packet, 'ttl-expired');
      this.sendError('time-exceeded', packet);
      return;
    }
    const size = packetSize(packet);
    const mtu = Math.min(output.mtu, routeMtu ?? output.mtu);
    // What is larger than the link it came over came in fragments, and leaves in fragments.
    if (size > mtu && size <= input.mtu && output.kind !== 'vxlan' && mustNotFragment(packet)) {
      this.#dispose(packet, 'too-big');
      this.sendError(family === 4 ? 'fragmentation-needed' : 'packet-too-big', packet, mtu);
      return;
    }
    let current = packetWith(packet, packet.source, packet.destination, packet.ttl - 1, packet.transport);
    const { netfilter } = namespace;
    if (netfilter.isActive(family)) {
      const forwarded = netfilter.run('FORWARD', current, input, output, tracked);
      const next = forwarded === undefined ? undefined : netfilter.run('POSTROUTING', forwarded, undefined, output, tracked);
      if (next === undefined) return;
      current = next;
    }
    this.transmitOut(output, nextHop, current, false);
  }

  /** ip_error and ip6_pkt_drop: who is told, and what. */
  #refuse(packet: Packet, input: Device, kind: Exclude<Decision['kind'], 'local' | 'forward'>): void {
    const { family } = packet.destination;
    if (family === 4 && kind !== 'blackhole' && !input.settings.forwarding4) {
      this.#dispose(packet, 'forwarding-off');
      return;
    }
    this.#dispose(packet, kind);
    if (kind === 'blackhole' || isMulticast(packet.destination)) return;
    if (kind === 'prohibit') this.sendError('admin-prohibited', packet);
    else if (family === 6) this.sendError('no-route', packet);
    else this.sendError(kind === 'unreachable' ? 'host-unreachable' : 'net-unreachable', packet);
  }

  /** fib_validate_source: not our own address, not from 127.0.0.0/8, and the way back as rp_filter wants it. IPv4 only. */
  #isSourceValid(packet: Packet, device: Device): boolean {
    const { settings } = device;
    const { source } = packet;
    if (device.kind === 'loopback') return true;
    if (
      (isLoopback(source) && !settings.routeLocalnet) ||
      (!settings.acceptLocal && this.#namespace.routes.localDevice(source) !== undefined)
    ) {
      this.#dispose(packet, 'martian', `source ${source.text}`);
      return false;
    }
    if (settings.reversePathFilter === 0) return true;
    const { routes } = this.#namespace;
    const back = routes.lookup(source, settings.reversePathFilter === 1 ? { outputDevice: device.name } : {});
    // Strict: the best way back must leave by the device; so the bound look-up must find what the free one finds.
    const isReachable = back.kind === 'forward' && (settings.reversePathFilter !== 1 || routes.bestRoute(source) === back.route);
    if (!isReachable) this.#dispose(packet, 'reverse-path', `source ${source.text}`);
    return isReachable;
  }

  #route(packet: Packet, input: Device | undefined, outputDevice: string | undefined): Decision {
    const { routes, hashPolicy4, hashPolicy6, hashSeed } = this.#namespace;
    const { destination, mark } = packet;
    if (outputDevice === undefined && mark === undefined) {
      const known = routes.quickLookup(destination);
      if (known !== undefined) return known;
    }
    return routes.lookup(destination, {
      source: packet.source,
      hash: flowHash(packet, destination.family === 4 ? hashPolicy4 : hashPolicy6, hashSeed),
      ...(mark === undefined ? {} : { mark }),
      ...(input === undefined ? {} : { inputDevice: input.name }),
      ...(outputDevice === undefined ? {} : { outputDevice }),
    });
  }

  #deliver(packet: Packet, device: Device): void {
    const { transport } = packet;
    if (transport.protocol === 'udp' && transport.tunnel !== undefined) {
      decapsulate(this.#namespace, packet, transport);
      return;
    }
    this.#namespace.sockets.receive(packet, device);
  }

  #loop(packet: Packet, tracked: Tracked | undefined): void {
    const namespace = this.#namespace;
    const { loopback, network } = namespace;
    if (!loopback.isRunning) {
      this.#dispose(packet, 'link-down', 'lo');
      return;
    }
    const { statistics } = loopback;
    const size = packetSize(packet);
    statistics.txPackets++;
    statistics.txBytes += size;
    if (network.hasFrameListeners) network.showFrame(loopback, 'out', ipFrame(noMac, noMac, packet));
    network.clock.schedule(0.01, () => {
      statistics.rxPackets++;
      statistics.rxBytes += size;
      if (network.hasFrameListeners) network.showFrame(loopback, 'in', ipFrame(noMac, noMac, packet));
      this.#input(loopback, packet, tracked, true);
    });
  }

  #redirect(verdict: Extract<TcVerdict, { action: 'redirect' }>, from: Device | undefined): void {
    const target = verdict.device as Device;
    const { namespace } = target;
    if (this.#redirects >= redirectLimit) {
      this.#dispose(verdict.packet, 'program-drop', 'redirect loop');
      return;
    }
    this.#redirects++;
    try {
      const packet = namespace === this.#namespace || verdict.packet.mark === undefined ? verdict.packet : withoutMark(verdict.packet);
      if (verdict.into === 'ingress') namespace.ip.receiveRedirected(target, packet);
      else namespace.ip.transmitOut(target, verdict.nextHop ?? packet.destination, packet, target === from);
    } finally {
      this.#redirects--;
    }
  }

  #dispose(packet: Packet, kind: Parameters<Namespace['network']['dispose']>[2], reason?: string): void {
    this.#namespace.network.dispose(packet, this.#namespace, kind, reason);
  }
}

/** Linux sets DF on TCP over IPv4, and clears it on the rest unless told otherwise; IPv6 routers never fragment. */
function mustNotFragment({ destination, transport }: Packet): boolean {
  return destination.family === 6 || transport.protocol === 'tcp' || (transport.protocol === 'icmp' && transport.dontFragment === true);
}

/** fib_props: the error of a route type for a local sender. */
export function errnoOf(kind: 'blackhole' | 'unreachable' | 'prohibit' | 'no-route'): Errno {
  switch (kind) {
    case 'blackhole':
      return 'EINVAL';
    case 'unreachable':
      return 'EHOSTUNREACH';
    case 'prohibit':
      return 'EACCES';
    case 'no-route':
      return 'ENETUNREACH';
  }
}
