import { isLinkLocal, isMulticast, isUnspecified } from '../../../net/address.ts';
import type { Ip, NetworkInterface, Packet, TcProgram, TcVerdict } from '../../../net/types.ts';
import type { DropReason } from '../../types.ts';
import { decideEgress } from './egress-gateway.ts';
import { isClusterIdentity, reserved } from './identity.ts';
import type { Kernel, LocalEndpoint } from './kernel.ts';
import { decideMasquerade } from './masquerade.ts';
import { Monitor } from './monitor.ts';
import { decidePolicy } from './policy.ts';
import { policySubject } from './policy-subject.ts';
import { admits, type Backend, eligibleBackends, type Frontend, maglevIndex } from './services.ts';
import type { Tunnel } from './tunnel.ts';
import { isIcmpError, keyOf, reverseOf, type Tuple, tupleOf, withAbout, withDestination, withSource, withTtl } from './tuple.ts';
import { pass, portUnreachable, redirectOut, serviceLoopback, surrogate, toBackend } from './verdicts.ts';

type Direction = 'INGRESS' | 'EGRESS';

/** MARK_MAGIC_IDENTITY: what a pod has sent, for the rules of iptables. */
const identityMark = 0xf00;

/**
 * The programs at the node's interfaces, after Cilium's bpf_lxc (a pod's interface), bpf_host (devices and
 * `cilium_host`) and bpf_overlay (the tunnel). They read the kernel's maps and nothing else.
 */
export class Programs {
  readonly #kernel: Kernel;
  readonly #monitor: Monitor;
  tunnel: Tunnel | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#monitor = new Monitor(kernel);
  }

  get monitor(): Monitor {
    return this.#monitor;
  }

  // ── bpf_lxc: what a pod sends ───────────────────────────────────────────────────────────────────────────
  fromContainer(endpoint: LocalEndpoint): TcProgram {
    return (packet) => this.#leaveContainer(endpoint, packet);
  }

  #leaveContainer(endpoint: LocalEndpoint, sent: Packet): TcVerdict {
    const kernel = this.#kernel;
    const { destination } = sent;
    if (destination === serviceLoopback) return this.#answerItself(endpoint, sent);
    if (isMulticast(destination) || isLinkLocal(destination) || isLinkLocal(sent.source) || isUnspecified(sent.source)) return pass(sent);
    if (!endpoint.ips.includes(sent.source)) return this.#drop('Invalid source ip', sent, 'EGRESS');
    if (!(destination.family === 4 ? kernel.config.hasIpv4 : kernel.config.hasIpv6))
      return this.#drop('Unsupported L3 protocol', sent, 'EGRESS');
    if (isIcmpError(sent)) return this.#routeFromContainer(sent, 'related', true);

    let packet = sent;
    let tuple = tupleOf(packet);
    // ENABLE_PER_PACKET_LB (bpf_lxc.c): unless every socket of a pod is balanced as it connects.
    if (!kernel.config.hasSocketLb || kernel.config.isSocketLbHostOnly) {
      const balanced = this.#balanceFromContainer(packet, tuple);
      if (balanced === 'no-backend') return this.#refuse(packet, endpoint.inside, 'EGRESS');
      if (balanced !== undefined) {
        packet = balanced;
        tuple = tupleOf(packet);
        if (balanced.source === serviceLoopback) return this.#enter(endpoint, balanced);
      }
    }
    const now = kernel.clock.now();
    const known = kernel.conntrack.peek(tuple, 'out', now);
    if (known !== 'reply') {
      const refused = this.#enforce(endpoint, 'EGRESS', packet, packet.destination, known === 'new');
      if (refused !== undefined) return refused;
    }
    const { status, isReported } = kernel.conntrack.track(packet, tuple, 'out', now);
    return this.#routeFromContainer(packet, status, isReported);
  }

  #routeFromContainer(packet: Packet, status: string, isReported: boolean): TcVerdict {
    const kernel = this.#kernel;
    const { destination } = packet;
    const isReply = status === 'reply';
    const local = kernel.endpoints.get(destination);
    const direction: Direction = isReply ? 'INGRESS' : 'EGRESS';
    const target = kernel.ipcache.get(destination);
    // A client on this node gets the frontend's address back when the packet is delivered.
    if (local !== undefined) return this.deliver(local, packet);
    const frontend = isReply ? kernel.serviceConnections.frontendOf(tupleOf(packet), kernel.clock.now()) : undefined;
    const outgoing = frontend === undefined ? packet : withSource(packet, frontend.frontendIp, frontend.frontendPort);
    if (target.identity.id === reserved.host || kernel.namespace.isLocalAddress(destination)) {
      if (isReported) this.#monitor.trace(kernel.config.usesHostRouting ? 'to-host' : 'to-stack', packet, isReply, direction);
      return pass({ ...outgoing, mark: identityMark });
    }
    if (
      destination.family === 4 &&
      kernel.config.hasEgressGateway &&
      !isReply &&
      status !== 'related' &&
      !isClusterIdentity(target.identity.id)
    ) {
      const decision = decideEgress(kernel.egress.lookup(packet.source, destination), kernel.internalIps, kernel.version);
      if (decision.kind === 'drop') return this.#drop(decision.reason, packet, 'EGRESS');
      if (decision.kind === 'redirect') return this.#encapsulate(packet, decision.gatewayIp, isReply, isReported, direction);
    }
    if (kernel.config.routingMode === 'tunnel' && target.nodeIp !== undefined) {
      return this.#encapsulate(outgoing, target.nodeIp, isReply, isReported, direction);
    }
    if (isReported) this.#monitor.trace(kernel.config.usesHostRouting ? 'to-network' : 'to-stack', packet, isReply, direction);
    // A reply in the name of a frontend may have an address of this very node: the stack would take it for a forgery.
    return frontend === undefined ? pass({ ...packet, mark: identityMark }) : this.#forward(outgoing, direction);
  }

  /** Per-packet load balancing of what a pod sends: for sockets that the socket load balancer did not see. */
  #balanceFromContainer(packet: Packet, tuple: Tuple): Packet | 'no-backend' | undefined {
    const kernel = this.#kernel;
    if (tuple.protocol === 'icmp') return undefined;
    const now = kernel.clock.now();
    const isNodeAddress = kernel.ipcache.isLocalHost(tuple.destination);
    if (!isNodeAddress && !kernel.services.hasAddress(tuple.destination)) return undefined;
    const frontend =
      kernel.services.lookup(tuple.protocol, tuple.destination, tuple.destinationPort) ??
      (isNodeAddress ? surrogate(kernel, tuple) : undefined);
    if (frontend === undefined || frontend.type === 'ExternalIPs') return undefined;
    const known = kernel.serviceConnections.find(tuple, now);
    const backends = eligibleBackends(frontend, 'internal');
    if (
      known !== undefined &&
      known.frontendId === frontend.id &&
      backends.some((backend) => backend.ip === known.backendIp && backend.port === known.backendPort)
    ) {
      return toBackend(packet, { ip: known.backendIp, port: known.backendPort });
    }
    if (backends.length === 0) return 'no-backend';
    const backend = this.selectBackend(frontend, backends, tuple.source.text, keyOf(tuple));
    kernel.serviceConnections.add(tuple, backend, frontend.id, now);
    if (backend.ip === tuple.source && backend.ip.family === 4)
      kernel.serviceConnections.addLoopback(tuple, backend, serviceLoopback, frontend.id, now);
    return toBackend(packet, backend);
  }

  /** A pod that was balanced to itself answers to the loopback's address: back to it goes what the service says. No policy is asked. */
  #answerItself(endpoint: LocalEndpoint, packet: Packet): TcVerdict {
    if (isIcmpError(packet)) return this.#drop('Unsupported L3 protocol', packet, 'EGRESS');
    const tuple = tupleOf(packet);
    const frontend = this.#kernel.serviceConnections.frontendOf(tuple, this.#kernel.clock.now());
    if (frontend === undefined) return this.#drop('Stale or unroutable IP', packet, 'EGRESS');
    const answer = withSource(packet, frontend.frontendIp, frontend.frontendPort);
    return this.#enter(endpoint, withDestination(answer, packet.source, tuple.destinationPort));
  }

  #enter(endpoint: LocalEndpoint, packet: Packet): TcVerdict {
    this.#monitor.trace('to-endpoint', packet, false, 'INGRESS');
    return {
      action: 'redirect',
      packet: packet.ttl > 1 ? withTtl(packet, packet.ttl - 1) : packet,
      device: endpoint.inside,
      into: 'ingress',
    };
  }

  /** Into a pod of this node. */
  deliver(endpoint: LocalEndpoint, received: Packet): TcVerdict {
    const kernel = this.#kernel;
    let packet = received;
    if (isIcmpError(packet)) {
      this.#monitor.trace('to-endpoint', packet, false, 'INGRESS');
    } else {
      const now = kernel.clock.now();
      const tuple = tupleOf(packet);
      const known = kernel.conntrack.peek(tuple, 'in', now);
      if (known !== 'reply') {
        const refused = this.#enforce(endpoint, 'INGRESS', packet, packet.source, known === 'new');
        if (refused !== undefined) return refused;
      }
      const { status, isReported } = kernel.conntrack.track(packet, tuple, 'in', now);
      const isReply = status === 'reply';
      if (isReported) this.#monitor.trace('to-endpoint', packet, isReply, isReply ? 'EGRESS' : 'INGRESS');
      if (isReply) {
        const frontend = kernel.serviceConnections.frontendOf(tuple, now);
        if (frontend !== undefined) packet = withSource(packet, frontend.frontendIp, frontend.frontendPort);
      }
    }
    return {
      action: 'redirect',
      packet: packet.ttl > 1 ? withTtl(packet, packet.ttl - 1) : packet,
      device: endpoint.inside,
      into: 'ingress',
    };
  }

  /** Every packet but replies is judged: a policy cuts connections that it would not let begin. Allowed ones are reported once. */
  #enforce(endpoint: LocalEndpoint, direction: Direction, packet: Packet, peer: Ip, isNew: boolean): TcVerdict | undefined {
    const kernel = this.#kernel;
    const rules = direction === 'INGRESS' ? endpoint.policy?.ingress : endpoint.policy?.egress;
    if (rules === undefined) {
      kernel.policyCounters.count(endpoint.id, direction, 'all', undefined, packet);
      return undefined;
    }
    const subject = policySubject(kernel, endpoint, direction, packet, peer);
    const verdict = decidePolicy(rules, subject);
    kernel.policyCounters.count(endpoint.id, direction, verdict.match, subject, packet);
    if (isNew || !verdict.isAllowed) this.#monitor.policyVerdict(verdict.match, packet, direction, verdict.isAllowed, verdict.isDenyRule);
    return verdict.isAllowed
      ? undefined
      : this.#drop(verdict.isDenyRule ? 'Policy denied by denylist' : 'Policy denied', packet, direction);
  }

  // ── bpf_host: cilium_host, what the node sends to pods ──────────────────────────────────────────────────

  readonly toHostDevice: TcProgram = (packet) => {
    const kernel = this.#kernel;
    if (isMulticast(packet.destination) || isLinkLocal(packet.destination)) return pass(packet);
    const local = kernel.endpoints.get(packet.destination);
    if (local !== undefined) return this.deliver(local, packet);
    const target = kernel.ipcache.find(packet.destination);
    if (kernel.config.routingMode === 'tunnel' && target?.nodeIp !== undefined)
      return this.#encapsulate(packet, target.nodeIp, false, true, 'EGRESS');
    return this.#drop('Stale or unroutable IP', packet, 'EGRESS');
  };

  // ── bpf_host: devices, what comes in ────────────────────────────────────────────────────────────────────

  readonly fromDevice: TcProgram = (packet, device) => {
    const kernel = this.#kernel;
    const { destination } = packet;
    if (isMulticast(destination) || isLinkLocal(destination) || isLinkLocal(packet.source)) return pass(packet);
    if (isIcmpError(packet)) return this.#errorFromDevice(packet);
    const tuple = tupleOf(packet);
    const now = kernel.clock.now();
    const original = kernel.nat.original(tuple, now);
    if (original !== undefined) {
      const answered = withDestination(packet, original.source, original.sourcePort);
      const local = kernel.endpoints.get(original.source);
      if (local !== undefined) return this.deliver(local, answered);
      const frontend = kernel.serviceConnections.frontendOf(reverseOf(original), now);
      if (frontend !== undefined) return this.#forward(withSource(answered, frontend.frontendIp, frontend.frontendPort), 'EGRESS');
      // The answer to a pod of another node that leaves through this gateway.
      const remote = kernel.ipcache.find(original.source);
      if (remote?.nodeIp !== undefined) return this.#encapsulate(answered, remote.nodeIp, true, true, 'INGRESS');
      return this.#forward(answered, 'INGRESS');
    }
    if (kernel.config.replacesKubeProxy && tuple.protocol !== 'icmp') {
      const verdict = this.#balanceFromDevice(packet, tuple, device, now);
      if (verdict !== undefined) return verdict;
    }
    const local = kernel.endpoints.get(destination);
    if (local !== undefined) {
      if (!(destination.family === 4 ? kernel.config.hasIpv4 : kernel.config.hasIpv6))
        return this.#drop('Unsupported L3 protocol', packet, 'INGRESS');
      return this.deliver(local, packet);
    }
    return pass(packet);
  };

  /** North-south load balancing: from outside to a LoadBalancer, NodePort or external address. */
  #balanceFromDevice(packet: Packet, tuple: Tuple, device: NetworkInterface, now: number): TcVerdict | undefined {
    const kernel = this.#kernel;
    if (tuple.protocol === 'icmp') return undefined;
    const { services } = kernel;
    const frontend =
      services.lookup(tuple.protocol, tuple.destination, tuple.destinationPort) ??
      (kernel.namespace.isLocalAddress(tuple.destination) ? surrogate(kernel, tuple) : undefined);
    // Cluster addresses are not served to the outside (`bpf-lb-external-clusterip` is off).
    if (frontend === undefined || frontend.type === 'ClusterIP') return undefined;
    if (frontend.type === 'LoadBalancer' && !admits(frontend.entry, tuple.source))
      return this.#drop('Denied by LB src range check', packet, 'INGRESS');
    const backends = eligibleBackends(frontend, 'external');
    const known = kernel.serviceConnections.find(tuple, now);
    let backend: { readonly ip: Ip; readonly port: number };
    if (
      known !== undefined &&
      known.frontendId === frontend.id &&
      backends.some((candidate) => candidate.ip === known.backendIp && candidate.port === known.backendPort)
    ) {
      backend = { ip: known.backendIp, port: known.backendPort };
    } else {
      if (backends.length === 0) {
        if (frontend.entry.externalPolicy === 'Local' && frontend.entry.backends.length > 0)
          return this.#drop('Service backend not found', packet, 'INGRESS');
        return this.#refuse(packet, device, 'INGRESS');
      }
      backend = this.selectBackend(frontend, backends, tuple.source.text, keyOf(tuple));
      kernel.serviceConnections.add(tuple, backend, frontend.id, now);
    }
    const translated = withDestination(packet, backend.ip, backend.port);
    const local = kernel.endpoints.get(backend.ip);
    if (local !== undefined) return this.deliver(local, translated);
    if (kernel.namespace.isLocalAddress(backend.ip)) return pass(translated);
    const route = kernel.namespace.routes.lookup(backend.ip);
    if (kernel.config.routingMode === 'tunnel') {
      const target = kernel.ipcache.find(backend.ip);
      const router = kernel.routerIps.find((address) => address.family === backend.ip.family);
      if (target?.nodeIp !== undefined && router !== undefined) {
        const mapped = kernel.nat.translate(tupleOf(translated), router, now);
        if (mapped === undefined) return this.#drop('No mapping for NAT masquerade', packet, 'INGRESS');
        return this.#encapsulate(withSource(translated, mapped.ip, mapped.port), target.nodeIp, false, true, 'INGRESS');
      }
    }
    if (route.kind !== 'forward') return this.#drop('FIB lookup failed', packet, 'INGRESS');
    const nodeAddress =
      kernel.addressOf(route.device, backend.ip.family) ?? [...kernel.internalIps].find((address) => address.family === backend.ip.family);
    if (nodeAddress === undefined) return this.#drop('No mapping for NAT masquerade', packet, 'INGRESS');
    const mapped = kernel.nat.translate(tupleOf(translated), nodeAddress, now);
    if (mapped === undefined) return this.#drop('No mapping for NAT masquerade', packet, 'INGRESS');
    return redirectOut(withSource(translated, mapped.ip, mapped.port), route.device, route.nextHop);
  }

  /** An ICMP error from outside about a packet that this node translated. */
  #errorFromDevice(
    packet: Packet & { readonly transport: { readonly about: Packet } & Extract<Packet['transport'], { readonly protocol: 'icmp' }> },
  ): TcVerdict {
    const kernel = this.#kernel;
    const { about } = packet.transport;
    const original = kernel.nat.original(reverseOf(tupleOf(about)), kernel.clock.now());
    const translated =
      original === undefined
        ? packet
        : withDestination(withAbout(packet, withSource(about, original.source, original.sourcePort)), original.source, original.sourcePort);
    const local = kernel.endpoints.get(translated.destination);
    if (local !== undefined) return this.deliver(local, translated);
    if (original === undefined) return pass(packet);
    const remote = kernel.ipcache.find(translated.destination);
    if (remote?.nodeIp !== undefined && kernel.config.hasEgressGateway)
      return this.#encapsulate(translated, remote.nodeIp, true, true, 'INGRESS');
    return this.#forward(translated, 'INGRESS');
  }

  // ── bpf_host: devices, what goes out ────────────────────────────────────────────────────────────────────

  readonly toDevice: TcProgram = (packet, device) => {
    const kernel = this.#kernel;
    const { source, destination } = packet;
    if (isMulticast(destination) || isLinkLocal(destination) || isLinkLocal(source)) return pass(packet);
    if (isIcmpError(packet)) return pass(packet);
    const tuple = tupleOf(packet);
    const now = kernel.clock.now();
    const frontend = kernel.serviceConnections.frontendOf(tuple, now);
    // A backend in the node's own network namespace answers from the frontend.
    if (frontend !== undefined && kernel.namespace.isLocalAddress(source))
      return pass(withSource(packet, frontend.frontendIp, frontend.frontendPort));
    const local = kernel.endpoints.get(source);
    if (local === undefined || !kernel.config.hasBpfMasquerade) return pass(packet);
    const isReply = kernel.conntrack.peek(tuple, 'out', now) === 'reply';
    const target = kernel.ipcache.get(destination).identity.id;
    if (destination.family === 4 && kernel.config.hasEgressGateway && !isReply && !isClusterIdentity(target)) {
      const decision = decideEgress(kernel.egress.lookup(source, destination), kernel.internalIps, kernel.version);
      if (decision.kind === 'drop') return this.#drop(decision.reason, packet, 'EGRESS');
      if (decision.kind === 'translate') return this.#leaveGateway(packet, tuple, decision.egressIp, device);
    }
    const { config } = kernel;
    const decision = decideMasquerade({
      destination,
      isEnabled: destination.family === 4 ? config.masquerades4 : config.masquerades6,
      exclusion: (destination.family === 4 ? config.nativeRoutingCidr4 : config.nativeRoutingCidr6) ?? kernel.podCidr(destination.family),
      isFromLocalPod: true,
      destinationIdentity: target,
      isReply,
      isTunnelMode: config.routingMode === 'tunnel',
    });
    if (decision.kind === 'keep') return pass(packet);
    const address = kernel.addressOf(device, destination.family);
    const mapped = address === undefined ? undefined : kernel.nat.translate(tuple, address, now);
    if (mapped === undefined) return this.#drop('No mapping for NAT masquerade', packet, 'EGRESS');
    return pass(withSource(packet, mapped.ip, mapped.port));
  };

  /** The last step at the gateway: source translation, and the way that a packet from the egress IP would take. */
  #leaveGateway(packet: Packet, tuple: Tuple, egressIp: Ip, current: NetworkInterface | undefined): TcVerdict {
    const kernel = this.#kernel;
    const mapped = kernel.nat.translate(tuple, egressIp, kernel.clock.now());
    if (mapped === undefined) return this.#drop('No mapping for NAT masquerade', packet, 'EGRESS');
    const translated = withSource(packet, mapped.ip, mapped.port);
    const route = kernel.namespace.routes.lookup(packet.destination, isUnspecified(egressIp) ? {} : { source: egressIp });
    if (route.kind !== 'forward') return this.#drop('FIB lookup failed', packet, 'EGRESS');
    if (route.device === current) return pass(translated);
    return redirectOut(translated, route.device, route.nextHop);
  }

  // ── bpf_overlay: what comes out of the tunnel ───────────────────────────────────────────────────────────

  readonly fromOverlay: TcProgram = (packet) => {
    const kernel = this.#kernel;
    const { destination, source } = packet;
    if (isMulticast(destination) || isLinkLocal(destination)) return pass(packet);
    const local = kernel.endpoints.get(destination);
    if (local !== undefined) return this.deliver(local, packet);
    if (!isIcmpError(packet)) {
      const now = kernel.clock.now();
      const tuple = tupleOf(packet);
      const original = kernel.nat.original(tuple, now);
      if (original !== undefined) {
        const answered = withDestination(packet, original.source, original.sourcePort);
        const frontend = kernel.serviceConnections.frontendOf(reverseOf(original), now);
        return this.#forward(
          frontend === undefined ? answered : withSource(answered, frontend.frontendIp, frontend.frontendPort),
          'EGRESS',
        );
      }
      if (destination.family === 4 && kernel.config.hasEgressGateway && kernel.ipcache.find(source)?.podName !== undefined) {
        const decision = decideEgress(kernel.egress.lookup(source, destination), kernel.internalIps, kernel.version);
        if (decision.kind === 'drop') return this.#drop(decision.reason, packet, 'EGRESS');
        if (decision.kind === 'translate') {
          if (packet.ttl <= 1) return pass(packet);
          return this.#leaveGateway(withTtl(packet, packet.ttl - 1), tuple, decision.egressIp, undefined);
        }
      }
    }
    return pass(packet);
  };

  // ── common ends ─────────────────────────────────────────────────────────────────────────────────────────
  selectBackend(frontend: Frontend, backends: readonly Backend[], client: string, tuple: string): Backend {
    const kernel = this.#kernel;
    return kernel.affinity.choose(frontend, client, backends, kernel.clock.now(), () => {
      const index =
        kernel.config.backendSelection === 'maglev' ? maglevIndex(tuple, backends.length) : kernel.random.integer(0, backends.length - 1);
      return backends[index] as Backend;
    });
  }

  #encapsulate(packet: Packet, remote: Ip, isReply: boolean, isReported: boolean, direction: Direction): TcVerdict {
    if (this.tunnel === undefined) return this.#drop('No tunnel/encapsulation endpoint (datapath BUG!)', packet, direction);
    if (isReported) this.#monitor.trace('to-overlay', packet, isReply, direction);
    return this.tunnel.send(packet, remote) ?? this.#drop('FIB lookup failed', packet, direction);
  }

  /** On by the routing table, one hop further. */
  #forward(packet: Packet, direction: Direction): TcVerdict {
    const kernel = this.#kernel;
    const route = kernel.namespace.routes.lookup(packet.destination);
    if (route.kind !== 'forward') return this.#drop('FIB lookup failed', packet, direction);
    if (route.device === kernel.hostDevice) return this.toHostDevice(packet, route.device);
    return redirectOut(packet.ttl > 1 ? withTtl(packet, packet.ttl - 1) : packet, route.device, route.nextHop);
  }

  /** A service without backends: an ICMP port-unreachable goes back (`service-no-backend-response: reject`). */
  #refuse(packet: Packet, device: NetworkInterface, direction: Direction): TcVerdict {
    const kernel = this.#kernel;
    if (!kernel.config.respondsToMissingBackend) return this.#drop('Service backend not found', packet, direction);
    this.#monitor.drop('Service backend not found', packet, direction);
    const answer = portUnreachable(packet);
    if (direction === 'EGRESS') return { action: 'redirect', packet: answer, device, into: 'ingress' };
    const route = kernel.namespace.routes.lookup(answer.destination);
    if (route.kind !== 'forward') return { action: 'drop', reason: 'Service backend not found' };
    return redirectOut(answer, route.device, route.nextHop);
  }

  #drop(reason: DropReason | string, packet: Packet, direction: Direction): TcVerdict {
    this.#monitor.drop(reason, packet, direction);
    return { action: 'drop', reason };
  }
}
