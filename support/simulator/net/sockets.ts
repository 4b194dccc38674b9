import type { Random } from '../clock/random.ts';
import { isMulticast, isUnspecified, ip as parse } from './address.ts';
import { errnoOf } from './forwarding.ts';
import type { Device } from './interface.ts';
import { LateMap } from './late-collections.ts';
import type { Namespace } from './namespace.ts';
import { NetworkError } from './network-error.ts';
import { defaultTtl, isIcmpError, packetWith } from './packet.ts';
import { Connection, scopeDevice } from './tcp.ts';
import {
  type Endpoint,
  type Errno,
  type IcmpMessage,
  type Ip,
  type ListeningSocket,
  type Packet,
  type PortSource,
  type RouteDecision,
  type SocketHook,
  type Sockets as SocketsContract,
  type TcpConnection,
  type TcpConnectOptions,
  type TcpListenOptions,
  type TcpSegment,
  tcpFlag,
  type UdpSocket,
} from './types.ts';
import { BoundUdpSocket } from './udp.ts';

type PingOptions = Parameters<SocketsContract['ping']>[0];

interface Listener extends ListeningSocket {
  readonly options: TcpListenOptions;
}

/** How long Linux keeps the pair of a connection that it closed first. */
const timeWaitMs = 60_000;
const ephemeral = { low: 32768, high: 60999 };

interface TimeWait {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly nextToSend: number;
  readonly nextExpected: number;
  readonly until: number;
}

/** The sockets of a namespace: who gets what has arrived. */
export class Sockets implements SocketsContract {
  readonly namespace: Namespace;
  #random: Random | undefined;
  hooks: SocketHook[] = [];
  readonly #listeners = new LateMap<number, Listener[]>();
  readonly #udp = new LateMap<number, BoundUdpSocket[]>();
  /** By both ports, packed into one number; connections that share them are told apart by their addresses. */
  readonly #connections = new LateMap<number, Connection[]>();
  readonly #timeWait = new LateMap<number, TimeWait[]>();
  /** The same, oldest first. */
  #timeWaitQueue: TimeWait[] = [];
  readonly #pings = new LateMap<number, PingOptions>();
  #portSources: readonly PortSource[] = [];
  #isSyncing = false;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  get random(): Random {
    this.#random ??= this.namespace.random.stream('sockets');
    return this.#random;
  }

  addPortSource(source: PortSource): () => void {
    this.#portSources = [...this.#portSources, source];
    return () => {
      this.#portSources = this.#portSources.filter((known) => known !== source);
    };
  }

  /** @param port undefined: all */
  #syncPorts(port?: number): void {
    if (this.#portSources.length === 0 || this.#isSyncing) return;
    this.#isSyncing = true;
    for (const source of this.#portSources) {
      if (port === undefined) source.syncAll();
      else source.sync(port);
    }
    this.#isSyncing = false;
  }

  get listening(): readonly ListeningSocket[] {
    this.#syncPorts();
    const udp = [...this.#udp.values()].flat().map((socket): ListeningSocket => {
      const { ip, port } = socket.local;
      return { protocol: 'udp', ip, family: ip?.family, port, program: socket.program, close: () => socket.close() };
    });
    return [...[...this.#listeners.values()].flat(), ...udp];
  }

  get connections(): readonly TcpConnection[] {
    return [...this.#connections.values()].flat();
  }

  listen(options: TcpListenOptions): ListeningSocket {
    const { port } = options;
    const ip = options.ip === undefined || isUnspecified(options.ip) ? undefined : options.ip;
    const family = options.family ?? options.ip?.family;
    if (ip !== undefined) this.#checkBindable(ip);
    this.#syncPorts(port);
    const others = this.#listeners.get(port) ?? [];
    const clashes = others.some(
      (other) =>
        (other.family === undefined || family === undefined || other.family === family) &&
        (other.ip === undefined || ip === undefined || other.ip === ip),
    );
    if (clashes) throw new NetworkError('EADDRINUSE');
    const listener: Listener = {
      protocol: 'tcp',
      ip,
      family,
      port,
      program: options.program,
      options,
      close: () => {
        const left = (this.#listeners.get(port) ?? []).filter((known) => known !== listener);
        if (left.length === 0) this.#listeners.delete(port);
        else this.#listeners.set(port, left);
      },
    };
    this.#listeners.set(port, [...others, listener]);
    return listener;
  }

  connect(options: TcpConnectOptions): TcpConnection {
    const { namespace } = this;
    const hooked = this.applyHooks('tcp', options.destination);
    const target = 'errno' in hooked ? options.destination : hooked;
    // Linux takes the unspecified address for "this host".
    const remote = isUnspecified(target.ip) ? { ip: parse(target.ip.family === 4 ? '127.0.0.1' : '::1'), port: target.port } : target;
    const { device } = options;
    const decision = namespace.routes.lookup(remote.ip, device === undefined ? {} : { outputDevice: device });
    const source = options.source?.ip ?? namespace.sourceFor(remote.ip, device);
    const port = options.source?.port ?? this.#connectPort(source ?? remote.ip, remote);
    const connection = new Connection(this, {
      local: { ip: source ?? parse(remote.ip.family === 4 ? '0.0.0.0' : '::'), port: port ?? 0 },
      remote,
      requested: options.destination,
      ttl: options.ttl,
      device,
      md5Key: options.md5Key,
      mss: mssOf(decision, remote.ip, namespace),
      handlers: options.handlers,
    });
    if (options.minimumTtl !== undefined) connection.limitHops(options.ttl ?? defaultTtl, options.minimumTtl);
    const errno =
      'errno' in hooked
        ? hooked.errno
        : (this.#connectError(options, decision, source, remote) ?? (port === undefined ? 'EADDRNOTAVAIL' : undefined));
    if (errno !== undefined) {
      namespace.network.clock.schedule(0, () => connection.fail(errno));
      return connection;
    }
    this.#add(connection);
    if (namespace.waitsForThaw(() => this.#open(connection))) return connection;
    this.#open(connection);
    return connection;
  }

  #open(connection: Connection): void {
    const { namespace } = this;
    if (connection.state === 'CLOSED') return;
    const failure = connection.open();
    // A packet filter's refusal shows only as silence; every other error of the first packet is the call's.
    if (failure !== undefined && failure !== 'EPERM') namespace.network.clock.schedule(0, () => connection.fail(failure));
  }

  bindUdp(options: { readonly ip?: Ip; readonly port?: number; readonly program?: string }): UdpSocket {
    const ip = options.ip === undefined || isUnspecified(options.ip) ? undefined : options.ip;
    if (ip !== undefined) this.#checkBindable(ip);
    const port = options.port || this.#freeUdpPort();
    const others = this.#udp.get(port) ?? [];
    if (others.some((other) => other.local.ip === undefined || ip === undefined || other.local.ip === ip))
      throw new NetworkError('EADDRINUSE');
    const socket = new BoundUdpSocket(this, { ip, port, program: options.program });
    this.#udp.set(port, [...others, socket]);
    return socket;
  }

  ping(options: PingOptions): void {
    const { namespace } = this;
    const { destination, device, identifier, sequence } = options;
    if (namespace.waitsForThaw(() => this.ping(options))) return;
    const fail = (errno: Errno) => namespace.network.clock.schedule(0, () => options.onError(errno));
    const decision = namespace.routes.lookup(destination, device === undefined ? {} : { outputDevice: device });
    const isOnLink = decision.kind === 'no-route' && destination.family === 4 && device !== undefined;
    if (decision.kind !== 'local' && decision.kind !== 'forward' && !isOnLink) {
      fail(this.errnoOfDecision(decision));
      return;
    }
    const source = options.source ?? namespace.sourceFor(destination, device);
    if (source === undefined || (options.source !== undefined && namespace.routes.localDevice(options.source) === undefined)) {
      fail('EADDRNOTAVAIL');
      return;
    }
    const key = pingKey(identifier, sequence);
    this.#pings.set(key, options);
    const transport: IcmpMessage = {
      protocol: 'icmp',
      kind: 'echo-request',
      identifier,
      sequence,
      size: options.size ?? 56,
      ...(options.dontFragment === true ? { dontFragment: true } : {}),
    };
    const packet = { source, destination, ttl: options.ttl ?? defaultTtl, flowLabel: 0, transport };
    const errno = namespace.ip.send(packet, device === undefined ? {} : { device });
    if (errno !== undefined) {
      this.#pings.delete(key);
      fail(errno);
    }
  }

  // ── arrivals ─────────────────────────────────────────────────────────────────────────────────────────────

  receive(packet: Packet, device: Device): void {
    const { transport } = packet;
    switch (transport.protocol) {
      case 'tcp':
        this.#receiveTcp(packet, transport, device);
        return;
      case 'udp': {
        const socket = isMulticast(packet.destination)
          ? undefined
          : this.#udp.get(transport.destinationPort)?.find((candidate) => candidate.accepts(packet.destination));
        if (socket === undefined) {
          this.#dispose(packet, 'no-socket', `udp ${transport.destinationPort}`);
          this.namespace.ip.sendError('port-unreachable', packet);
          return;
        }
        this.#dispose(packet, 'delivered');
        socket.receive(packet, transport);
        return;
      }
      case 'icmp':
        this.#receiveIcmp(packet, transport, device);
    }
  }

  #receiveTcp(packet: Packet, segment: TcpSegment, device: Device): void {
    const key = portsKey(segment.destinationPort, segment.sourcePort);
    const connection = this.#findConnection(key, packet.destination, packet.source);
    if (connection !== undefined) {
      if (!connection.hasKey(segment.md5Key)) {
        this.#dispose(packet, 'filtered', 'TCP MD5 signature');
        return;
      }
      if (!connection.isNear(packet.ttl)) {
        this.#dispose(packet, 'filtered', 'minimum TTL');
        return;
      }
      this.#dispose(packet, 'delivered');
      connection.receive(segment);
      return;
    }
    const isOpening = (segment.flags & (tcpFlag.syn | tcpFlag.ack | tcpFlag.rst)) === tcpFlag.syn;
    if (isOpening) {
      this.#syncPorts(segment.destinationPort);
      const listener = this.#findListener(packet.destination, segment.destinationPort);
      if (listener !== undefined) {
        this.#accept(listener, packet, segment, device);
        return;
      }
    } else if (this.#timeWait.size > 0 && this.#answerInTimeWait(key, packet, segment)) return;
    this.#dispose(packet, 'no-socket', `tcp ${segment.destinationPort}`);
    this.namespace.ip.sendReset(packet, scopeDevice(packet.source, device.name));
  }

  #accept(listener: Listener, packet: Packet, segment: TcpSegment, device: Device): void {
    const { options } = listener;
    const md5Key = options.md5KeyOf?.(packet.source);
    if (md5Key !== segment.md5Key) {
      this.#dispose(packet, 'filtered', 'TCP MD5 signature');
      return;
    }
    this.#dispose(packet, 'delivered');
    const local = { ip: packet.destination, port: segment.destinationPort };
    const remote = { ip: packet.source, port: segment.sourcePort };
    const scope = scopeDevice(remote.ip, device.name);
    const connection = new Connection(
      this,
      {
        local,
        remote,
        requested: remote,
        ttl: options.ttlOf?.(remote.ip),
        device: scope,
        md5Key,
        mss: mssOf(this.namespace.routes.lookup(remote.ip, scope === undefined ? {} : { outputDevice: scope }), remote.ip, this.namespace),
        handlers: {},
      },
      { segment, accept: (accepted) => options.onConnection(accepted) },
    );
    this.#add(connection);
    connection.open();
  }

  #receiveIcmp(packet: Packet, message: IcmpMessage, device: Device): void {
    const { sysctl, ip } = this.namespace;
    if (message.kind === 'echo-request') {
      const isIgnored = sysctl.number(packet.source.family === 4 ? 'net.ipv4.icmp_echo_ignore_all' : 'net.ipv6.icmp.echo_ignore_all') > 0;
      this.#dispose(packet, 'delivered');
      if (isIgnored) return;
      const reply = packetWith(packet, packet.destination, packet.source, defaultTtl, { ...message, kind: 'echo-reply' });
      const scope = scopeDevice(packet.source, device.name);
      ip.send(reply, scope === undefined ? {} : { device: scope });
      return;
    }
    if (message.kind === 'echo-reply') {
      const key = pingKey(message.identifier, message.sequence);
      const ping = this.#pings.get(key);
      this.#dispose(packet, ping === undefined ? 'no-socket' : 'delivered');
      this.#pings.delete(key);
      ping?.onReply({ from: packet.source, ttl: packet.ttl, kind: 'echo-reply' });
      return;
    }
    this.#dispose(packet, 'delivered');
    const { about } = message;
    if (about === undefined || !isIcmpError(message.kind)) return;
    const { transport } = about;
    if (message.mtu !== undefined) this.namespace.learnPathMtu(about.destination, message.mtu);
    if (transport.protocol === 'tcp') {
      const key = portsKey(transport.sourcePort, transport.destinationPort);
      this.#findConnection(key, about.source, about.destination)?.receiveError(message.kind, transport, message.mtu);
    } else if (transport.protocol === 'udp') {
      this.#udp
        .get(transport.sourcePort)
        ?.find((socket) => socket.accepts(about.source))
        ?.receiveError(message.kind, about.source.family);
    } else if (transport.kind === 'echo-request') {
      this.#pings.get(pingKey(transport.identifier, transport.sequence))?.onReply({
        from: packet.source,
        ttl: packet.ttl,
        kind: message.kind,
        ...(message.mtu === undefined ? {} : { mtu: message.mtu }),
      });
    }
  }

  // ── for connections ──────────────────────────────────────────────────────────────────────────────────────

  remove(connection: Connection): void {
    const key = portsKey(connection.local.port, connection.remote.port);
    const left = this.#connections.get(key)?.filter((known) => known !== connection);
    if (left === undefined || left.length === 0) this.#connections.delete(key);
    else this.#connections.set(key, left);
  }

  /** TIME-WAIT: a FIN that comes again is acknowledged again, and the ports stay taken for a while. */
  remember({ local, remote }: Connection, nextToSend: number, nextExpected: number): void {
    this.#forgetOld();
    const key = portsKey(local.port, remote.port);
    const entry = { local, remote, nextToSend, nextExpected, until: this.namespace.network.clock.now() + timeWaitMs };
    const list = this.#timeWait.get(key);
    if (list === undefined) this.#timeWait.set(key, [entry]);
    else list.push(entry);
    this.#timeWaitQueue.push(entry);
  }

  removeUdp(socket: BoundUdpSocket): void {
    const left = this.#udp.get(socket.local.port)?.filter((known) => known !== socket);
    if (left === undefined || left.length === 0) this.#udp.delete(socket.local.port);
    else this.#udp.set(socket.local.port, left);
  }

  /** What a socket program of the host makes of a destination: another one, the same, or an error. */
  applyHooks(protocol: 'tcp' | 'udp', destination: Endpoint): Endpoint | { readonly errno: Errno } {
    let current = destination;
    for (const hook of this.hooks) {
      const answer = hook.connect?.({ protocol, namespace: this.namespace }, current);
      if (answer === undefined) continue;
      if ('errno' in answer) return answer;
      current = answer;
    }
    return current;
  }

  errnoOfDecision(decision: RouteDecision): Errno {
    return decision.kind === 'local' || decision.kind === 'forward' ? 'EADDRNOTAVAIL' : errnoOf(decision.kind);
  }

  /** The namespace is gone: nothing is said to anybody. */
  vanish(): void {
    for (const connection of [...this.#connections.values()].flat()) connection.vanish();
    this.#connections.clear();
    this.#listeners.clear();
    this.#udp.clear();
    this.#pings.clear();
    this.#timeWait.clear();
    this.#timeWaitQueue = [];
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────────────────

  #connectError(options: TcpConnectOptions, decision: RouteDecision, source: Ip | undefined, remote: Endpoint): Errno | undefined {
    if (options.source?.ip !== undefined && !this.#isBindable(options.source.ip)) return 'EADDRNOTAVAIL';
    const isOnLink = decision.kind === 'no-route' && remote.ip.family === 4 && options.device !== undefined;
    if (decision.kind !== 'local' && decision.kind !== 'forward' && !isOnLink) return errnoOf(decision.kind);
    if (source === undefined) return 'EADDRNOTAVAIL';
    if (source.family !== remote.ip.family) return 'EINVAL';
    if (options.source?.port !== undefined) {
      const key = portsKey(options.source.port, remote.port);
      if (this.#findConnection(key, source, remote.ip) !== undefined) return 'EADDRNOTAVAIL';
    }
    return undefined;
  }

  #isBindable(ip: Ip): boolean {
    const { sysctl, routes, devices } = this.namespace;
    if (sysctl.number(ip.family === 4 ? 'net.ipv4.ip_nonlocal_bind' : 'net.ipv6.ip_nonlocal_bind') > 0) return true;
    if (routes.localDevice(ip) === undefined) return false;
    return !devices.some((device) => device.addressState(ip) === 'tentative');
  }

  #checkBindable(ip: Ip): void {
    if (!this.#isBindable(ip)) throw new NetworkError('EADDRNOTAVAIL');
  }

  #add(connection: Connection): void {
    const key = portsKey(connection.local.port, connection.remote.port);
    const list = this.#connections.get(key);
    if (list === undefined) this.#connections.set(key, [connection]);
    else list.push(connection);
  }

  #findConnection(key: number, local: Ip, remote: Ip): Connection | undefined {
    const list = this.#connections.get(key);
    if (list === undefined) return undefined;
    for (const connection of list) if (connection.local.ip === local && connection.remote.ip === remote) return connection;
    return undefined;
  }

  /** The most exact one: of the address, then of its family, then of both. */
  #findListener(ip: Ip, port: number): Listener | undefined {
    let best: Listener | undefined;
    for (const listener of this.#listeners.get(port) ?? []) {
      if (listener.ip === ip) return listener;
      if (listener.ip !== undefined) continue;
      if (listener.family === ip.family) best = listener;
      else if (listener.family === undefined) best ??= listener;
    }
    return best;
  }

  #answerInTimeWait(key: number, packet: Packet, segment: TcpSegment): boolean {
    const found = this.#timeWait.get(key)?.find(({ local, remote }) => local.ip === packet.destination && remote.ip === packet.source);
    if (found === undefined || found.until <= this.namespace.network.clock.now()) return false;
    this.#dispose(packet, 'delivered', 'TIME-WAIT');
    if ((segment.flags & tcpFlag.fin) === 0 && segment.payload.length === 0) return true;
    const transport: TcpSegment = {
      protocol: 'tcp',
      sourcePort: found.local.port,
      destinationPort: found.remote.port,
      flags: tcpFlag.ack,
      sequence: found.nextToSend,
      acknowledgment: found.nextExpected,
      payload: new Uint8Array(0),
    };
    this.namespace.ip.send({
      source: found.local.ip,
      destination: found.remote.ip,
      ttl: defaultTtl,
      flowLabel: packet.flowLabel,
      transport,
    });
    return true;
  }

  #forgetOld(): void {
    const now = this.namespace.network.clock.now();
    let count = 0;
    for (const entry of this.#timeWaitQueue) {
      if (entry.until > now) break;
      count++;
      const key = portsKey(entry.local.port, entry.remote.port);
      const left = this.#timeWait.get(key)?.filter((known) => known !== entry) ?? [];
      if (left.length === 0) this.#timeWait.delete(key);
      else this.#timeWait.set(key, left);
    }
    if (count > 0) this.#timeWaitQueue = this.#timeWaitQueue.slice(count);
  }

  /** connect() takes ports of the parity of the range's first, and the others (left to bind()) when there is none. */
  #connectPort(source: Ip, remote: Endpoint): number | undefined {
    this.#forgetOld();
    const count = (ephemeral.high - ephemeral.low + 1) / 2;
    const first = this.random.integer(0, count - 1);
    for (const parity of [0, 1]) {
      for (let step = 0; step < count; step++) {
        const port = ephemeral.low + parity + 2 * ((first + step) % count);
        if (this.#isFree(port, source, remote)) return port;
      }
    }
    return undefined;
  }

  #isFree(port: number, source: Ip, remote: Endpoint): boolean {
    const key = portsKey(port, remote.port);
    if (this.#listeners.has(port) || this.#findConnection(key, source, remote.ip) !== undefined) return false;
    return !(this.#timeWait.get(key)?.some((known) => known.local.ip === source && known.remote.ip === remote.ip) ?? false);
  }

  #freeUdpPort(): number {
    const count = ephemeral.high - ephemeral.low + 1;
    const first = this.random.integer(0, count - 1);
    for (let step = 0; step < count; step++) {
      const port = ephemeral.low + ((first + step) % count);
      if (!this.#udp.has(port)) return port;
    }
    throw new NetworkError('EADDRINUSE');
  }

  #dispose(packet: Packet, kind: 'delivered' | 'no-socket' | 'filtered', reason?: string): void {
    this.namespace.network.dispose(packet, this.namespace, kind, reason);
  }
}

function portsKey(local: number, remote: number): number {
  return local * 65536 + remote;
}

function pingKey(identifier: number, sequence: number): number {
  return identifier * 65536 + sequence;
}

function mssOf(decision: RouteDecision, remote: Ip, namespace: Namespace): number {
  const known = namespace.pathMtu(remote)?.mtu ?? 65536;
  const mtu = Math.min(
    known,
    decision.kind === 'forward' ? Math.min(decision.device.mtu, decision.route.mtu ?? decision.device.mtu) : 65536,
  );
  return Math.min(mtu - (remote.family === 4 ? 40 : 60), 65495);
}
