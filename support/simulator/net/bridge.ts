import type { Device } from './interface.ts';
import { isGroupMac } from './packet.ts';
import type { Frame, Mac } from './types.ts';

/** Linux's default ageing time. */
const ageingMs = 300_000;

/** A learning switch: the forwarding database of one bridge device and its ports. */
export class Bridge {
  readonly #device: Device;
  #ports: readonly Device[] = [];
  readonly #entries = new Map<Mac, { port: Device; seenAt: number }>();

  constructor(device: Device) {
    this.#device = device;
  }

  get ports(): readonly Device[] {
    return this.#ports;
  }

  /** Learned addresses, for `bridge fdb`. */
  get learned(): readonly { readonly mac: Mac; readonly port: Device }[] {
    const oldest = this.#device.namespace.network.clock.now() - ageingMs;
    return [...this.#entries].filter(([, entry]) => entry.seenAt >= oldest).map(([mac, { port }]) => ({ mac, port }));
  }

  hasRunningPort(): boolean {
    return this.#ports.some((port) => port.isRunning);
  }

  addPort(port: Device): void {
    this.#ports = [...this.#ports, port];
  }

  removePort(port: Device): void {
    this.#ports = this.#ports.filter((known) => known !== port);
    this.forgetPort(port);
  }

  forgetPort(port: Device): void {
    for (const [mac, entry] of this.#entries) if (entry.port === port) this.#entries.delete(mac);
  }

  /** A frame has come in at a port: to another port, up to the bridge's own addresses, or both. */
  receive(port: Device, frame: Frame): void {
    const device = this.#device;
    if (!device.isAdminUp) {
      this.#dispose(frame, 'link-down');
      return;
    }
    this.#learn(frame.source, port);
    if (frame.destination === device.mac) {
      device.receive(frame);
      return;
    }
    if (isGroupMac(frame.destination)) {
      this.#flood(frame, port);
      device.receive(frame);
      return;
    }
    const known = this.#find(frame.destination);
    if (known === port) this.#dispose(frame, 'not-for-us');
    else if (known !== undefined) known.transmit(frame);
    else if (this.#flood(frame, port) === 0) this.#dispose(frame, 'not-for-us');
  }

  /** A frame of the bridge's own host. */
  sendFromHost(frame: Frame): void {
    const known = isGroupMac(frame.destination) ? undefined : this.#find(frame.destination);
    if (known !== undefined) known.transmit(frame);
    else if (this.#flood(frame, undefined) === 0) this.#dispose(frame, 'not-for-us');
  }

  #find(mac: Mac): Device | undefined {
    const entry = this.#entries.get(mac);
    if (entry === undefined || entry.seenAt < this.#device.namespace.network.clock.now() - ageingMs) return undefined;
    return entry.port;
  }

  #learn(mac: Mac, port: Device): void {
    const now = this.#device.namespace.network.clock.now();
    const entry = this.#entries.get(mac);
    if (entry === undefined) this.#entries.set(mac, { port, seenAt: now });
    else {
      entry.port = port;
      entry.seenAt = now;
    }
  }

  #flood(frame: Frame, except: Device | undefined): number {
    let count = 0;
    for (const port of this.#ports) {
      if (port === except || !port.isRunning) continue;
      port.transmit(frame);
      count++;
    }
    return count;
  }

  #dispose(frame: Frame, kind: 'link-down' | 'not-for-us'): void {
    const { namespace, name } = this.#device;
    if (frame.content.kind === 'ip') namespace.network.dispose(frame.content.packet, namespace, kind, name);
  }
}
