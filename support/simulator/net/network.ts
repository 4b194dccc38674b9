import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { Device } from './interface.ts';
import { Namespace } from './namespace.ts';
import { NetworkError } from './network-error.ts';
import type { Disposition, Frame, Mac, Network, NetworkInterface, NetworkNamespace, Packet } from './types.ts';

type FrameListener = Parameters<Network['onFrame']>[0];
type VethEnd = Parameters<Network['createVeth']>[0];

/** Makes an empty network: namespaces and the links between them, driven by the clock's events. */
export function createNetwork(options: { readonly clock: SimulatedClock; readonly random: Random }): Network {
  return new SimulatedNetwork(options.clock, options.random);
}

export class SimulatedNetwork implements Network {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly namespaces: Namespace[] = [];
  /** Draws for lossy links. */
  readonly lossRandom: Random;
  /** False spares the building of events that nobody hears. */
  hasFrameListeners = false;
  readonly #macRandom: Random;
  #dispositionListeners: readonly ((disposition: Disposition) => void)[] = [];
  #frameListeners: readonly FrameListener[] = [];

  constructor(clock: SimulatedClock, random: Random) {
    this.clock = clock;
    this.random = random;
    this.lossRandom = random.stream('link-loss');
    this.#macRandom = random.stream('mac');
  }

  createNamespace(name: string): NetworkNamespace {
    const namespace = new Namespace(this, name);
    this.namespaces.push(namespace);
    return namespace;
  }

  createVeth(a: VethEnd, b: VethEnd): readonly [NetworkInterface, NetworkInterface] {
    for (const end of [a, b]) if (end.namespace.getInterface(end.name) !== undefined) throw new NetworkError('EEXIST');
    if (a.namespace === b.namespace && a.name === b.name) throw new NetworkError('EEXIST');
    // As `ip link add … type veth peer …` does: the peer is registered first.
    const second = this.#vethEnd(b);
    const first = this.#vethEnd(a);
    first.peer = second;
    second.peer = first;
    return [first, second];
  }

  onDisposition(listener: (disposition: Disposition) => void): () => void {
    this.#dispositionListeners = [...this.#dispositionListeners, listener];
    return () => {
      this.#dispositionListeners = this.#dispositionListeners.filter((known) => known !== listener);
    };
  }

  onFrame(listener: FrameListener): () => void {
    this.#frameListeners = [...this.#frameListeners, listener];
    this.hasFrameListeners = true;
    return () => {
      this.#frameListeners = this.#frameListeners.filter((known) => known !== listener);
      this.hasFrameListeners = this.#frameListeners.length > 0;
    };
  }

  /** A packet has come to its end. */
  dispose(packet: Packet, namespace: Namespace, kind: Disposition['kind'], reason?: string): void {
    if (this.#dispositionListeners.length === 0) return;
    const disposition: Disposition = reason === undefined ? { packet, namespace, kind } : { packet, namespace, kind, reason };
    for (const listener of this.#dispositionListeners) listener(disposition);
  }

  showFrame(device: Device, direction: 'in' | 'out', frame: Frame): void {
    for (const listener of this.#frameListeners) listener({ device, direction, frame });
  }

  /** A locally administered unicast address, as the kernel's eth_random_addr. */
  randomMac(): Mac {
    const octets = Array.from({ length: 6 }, () => this.#macRandom.integer(0, 255));
    octets[0] = ((octets[0] as number) & 0xfc) | 0x02;
    return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
  }

  forget(namespace: Namespace): void {
    const index = this.namespaces.indexOf(namespace);
    if (index >= 0) this.namespaces.splice(index, 1);
  }

  #vethEnd({ namespace, name, mac, mtu, txQueueLength }: VethEnd): Device {
    return new Device(namespace as Namespace, {
      name,
      kind: 'veth',
      mac: mac?.toLowerCase() ?? this.randomMac(),
      mtu: mtu ?? 1500,
      ...(txQueueLength === undefined ? {} : { txQueueLength }),
    });
  }
}
