import { isLinkLocal, isUnspecified } from './address.ts';
import { defaultTtl } from './packet.ts';
import type { Sockets } from './sockets.ts';
import { errnoOfIcmp } from './tcp.ts';
import type { Endpoint, Errno, IcmpKind, Ip, Packet, UdpDatagram, UdpSocket } from './types.ts';

/** A bound UDP socket. */
export class BoundUdpSocket implements UdpSocket {
  readonly local: { readonly ip: Ip | undefined; readonly port: number };
  readonly program: string | undefined;
  onDatagram: ((payload: Uint8Array, from: Endpoint, to: Endpoint) => void) | undefined;
  onError: ((errno: Errno) => void) | undefined;
  readonly #sockets: Sockets;
  readonly #flowLabel: number;
  /** Who was asked for, by who was sent to in his place: answers come from the former, as the program sees it. */
  readonly #replaced = new Map<string, Endpoint>();

  constructor(sockets: Sockets, options: { readonly ip: Ip | undefined; readonly port: number; readonly program: string | undefined }) {
    this.#sockets = sockets;
    this.local = { ip: options.ip, port: options.port };
    this.program = options.program;
    this.#flowLabel = sockets.random.integer(1, 0xfffff);
  }

  send(payload: Uint8Array, to: Endpoint, from?: Ip): void {
    const sockets = this.#sockets;
    const { namespace } = sockets;
    if (namespace.waitsForThaw(() => this.send(payload, to, from))) return;
    const target = sockets.applyHooks('udp', to);
    if ('errno' in target) {
      this.#failLater(target.errno);
      return;
    }
    if (target !== to) this.#replaced.set(`${target.ip.text} ${target.port}`, to);
    const route = namespace.routes.lookup(target.ip);
    const source = from ?? this.local.ip ?? namespace.sourceFor(target.ip);
    if (source === undefined || source.family !== target.ip.family) {
      this.#failLater(route.kind === 'local' || route.kind === 'forward' ? 'EADDRNOTAVAIL' : sockets.errnoOfDecision(route));
      return;
    }
    const transport: UdpDatagram = { protocol: 'udp', sourcePort: this.local.port, destinationPort: target.port, payload };
    const flowLabel = source.family === 6 ? this.#flowLabel : 0;
    const errno = namespace.ip.send({ source, destination: target.ip, ttl: defaultTtl, flowLabel, transport });
    if (errno !== undefined) this.#failLater(errno);
  }

  close(): void {
    this.#sockets.removeUdp(this);
  }

  receive(packet: Packet, datagram: UdpDatagram): void {
    if (this.#sockets.namespace.waitsForThaw(() => this.receive(packet, datagram))) return;
    const from: Endpoint = { ip: packet.source, port: datagram.sourcePort };
    const asked = this.#replaced.size === 0 ? undefined : this.#replaced.get(`${from.ip.text} ${from.port}`);
    this.onDatagram?.(datagram.payload, asked ?? from, { ip: packet.destination, port: datagram.destinationPort });
  }

  receiveError(kind: IcmpKind, family: 4 | 6): void {
    this.onError?.(errnoOfIcmp(kind, family));
  }

  accepts(ip: Ip): boolean {
    const { ip: bound } = this.local;
    return bound === undefined || bound === ip || (isUnspecified(bound) && bound.family === ip.family && !isLinkLocal(ip));
  }

  #failLater(errno: Errno): void {
    this.#sockets.namespace.network.clock.schedule(0, () => this.onError?.(errno));
  }
}
