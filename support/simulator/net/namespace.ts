import type { Random } from '../clock/random.ts';
import { ip as parse } from './address.ts';
import { IpLayer } from './forwarding.ts';
import { Device } from './interface.ts';
import { LateMap } from './late-collections.ts';
import { Neighbours } from './neighbour.ts';
import { NetfilterTables } from './netfilter.ts';
import type { SimulatedNetwork } from './network.ts';
import { NetworkError } from './network-error.ts';
import { noMac } from './packet.ts';
import { Routing } from './routing.ts';
import { Sockets } from './sockets.ts';
import { selectSource4, selectSource6 } from './source-address.ts';
import { Sysctls } from './sysctl.ts';
import type { Ip, Mac, NetworkInterface, NetworkNamespace, Packet } from './types.ts';

/** ip_rt_mtu_expires. */
const pathMtuMs = 600_000;

/** A network namespace: one host's (or container's) network stack. */
export class Namespace implements NetworkNamespace {
  readonly name: string;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly devices: Device[] = [];
  readonly sysctl: Sysctls;
  readonly routes: Routing;
  readonly neighbourTable: Neighbours;
  readonly netfilter: NetfilterTables;
  readonly sockets: Sockets;
  readonly ip: IpLayer;
  readonly loopback: Device;
  /** Salt of the flow hash: routers in a row must not all choose alike. */
  readonly hashSeed: number;
  hosts = new Map<string, Ip[]>();
  resolver: { nameservers: Ip[]; search: string[]; ndots: number } = { nameservers: [], search: [], ndots: 1 };
  readonly #pathMtus = new LateMap<Ip, { readonly mtu: number; readonly expiresAt: number }>();
  #isFrozen = false;
  #untilThaw: (() => void)[] = [];
  readonly #byName = new Map<string, Device>();
  readonly #indexes = new Set<number>();
  #lastIndex = 0;
  #settingsVersion = -1;
  #isForwarding6 = false;
  #hashPolicy4 = 0;
  #hashPolicy6 = 0;

  constructor(network: SimulatedNetwork, name: string) {
    this.network = network;
    this.name = name;
    this.random = network.random.stream(`namespace/${name}`);
    this.hashSeed = this.random.uint32();
    this.sysctl = new Sysctls(() => this.devices);
    this.routes = new Routing(this);
    this.neighbourTable = new Neighbours(this);
    this.netfilter = new NetfilterTables(this);
    this.ip = new IpLayer(this);
    this.sockets = new Sockets(this);
    this.loopback = new Device(this, { name: 'lo', kind: 'loopback', mac: noMac, mtu: 65536 });
    this.loopback.setUp();
    this.loopback.addAddress(parse('127.0.0.1'), 8);
    this.loopback.addAddress(parse('::1'), 128, { noPrefixRoute: true });
  }

  pathMtu(destination: Ip): { readonly mtu: number; readonly expiresAt: number } | undefined {
    const known = this.#pathMtus.get(destination);
    if (known !== undefined && known.expiresAt <= this.network.clock.now()) {
      this.#pathMtus.delete(destination);
      return undefined;
    }
    return known;
  }

  learnPathMtu(destination: Ip, mtu: number): void {
    this.#pathMtus.set(destination, { mtu, expiresAt: this.network.clock.now() + pathMtuMs });
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  set isFrozen(isFrozen: boolean) {
    this.#isFrozen = isFrozen;
    if (isFrozen || this.#untilThaw.length === 0) return;
    this.network.clock.schedule(0, () => {
      if (this.#isFrozen) return;
      const actions = this.#untilThaw;
      this.#untilThaw = [];
      for (const action of actions) action();
    });
  }

  /** Keeps what a program does or hears until it runs again. @returns false when it runs now: the caller acts itself */
  waitsForThaw(action: () => void): boolean {
    if (!this.#isFrozen && this.#untilThaw.length === 0) return false;
    this.#untilThaw.push(action);
    return true;
  }

  get interfaces(): readonly NetworkInterface[] {
    return this.devices;
  }

  get neighbours(): Neighbours {
    return this.neighbourTable;
  }

  get sysctls(): ReadonlyMap<string, string> {
    return new Map(this.sysctl.entries());
  }

  getSysctl(key: string): string | undefined {
    return this.sysctl.get(key);
  }

  setSysctl(key: string, value: string): boolean {
    return this.sysctl.set(key, value);
  }

  get isForwarding6(): boolean {
    this.#readSettings();
    return this.#isForwarding6;
  }

  get hashPolicy4(): number {
    this.#readSettings();
    return this.#hashPolicy4;
  }

  get hashPolicy6(): number {
    this.#readSettings();
    return this.#hashPolicy6;
  }

  getInterface(name: string): Device | undefined {
    return this.#byName.get(name);
  }

  findDevice(name: string): Device | undefined {
    return this.#byName.get(name);
  }

  addInterface(options: {
    readonly name: string;
    readonly kind: 'bridge' | 'dummy' | 'vxlan' | 'uplink';
    readonly mac?: Mac;
    readonly mtu?: number;
    readonly vxlan?: { readonly id: number; readonly port: number };
  }): NetworkInterface {
    if (this.#byName.has(options.name)) throw new NetworkError('EEXIST');
    return new Device(this, {
      name: options.name,
      kind: options.kind,
      mac: options.mac ?? this.network.randomMac(),
      mtu: options.mtu ?? (options.kind === 'vxlan' ? 1450 : 1500),
      ...(options.vxlan === undefined ? {} : { vxlan: options.vxlan }),
    });
  }

  isLocalAddress(ip: Ip): boolean {
    return this.routes.localDevice(ip) !== undefined;
  }

  sendPacket(packet: Packet, options: { readonly device?: string } = {}): void {
    this.ip.send(packet, options);
  }

  /** The source address that the kernel chooses for a destination, or undefined when there is no way or no address. */
  sourceFor(destination: Ip, device?: string): Ip | undefined {
    const decision = this.routes.lookup(destination, device === undefined ? {} : { outputDevice: device });
    if (decision.kind === 'local') return decision.route.preferredSource ?? destination;
    if (decision.kind === 'forward') return decision.source;
    const named = device === undefined ? undefined : this.findDevice(device);
    if (named === undefined) return undefined;
    return destination.family === 4 ? selectSource4(named, destination, this.devices) : selectSource6(named, destination, this.devices);
  }

  /** A peer has acknowledged new data, so the neighbour on the way to it is alive. */
  confirmNeighbour(destination: Ip): void {
    const decision = this.routes.quickLookup(destination);
    if (decision?.kind === 'forward') this.neighbourTable.confirm(decision.device, decision.nextHop);
  }

  delete(): void {
    this.sockets.vanish();
    for (const device of [...this.devices]) if (device !== this.loopback) device.delete();
    this.loopback.setDown();
    this.network.forget(this);
  }

  // ── for devices ──────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in a device. A new one gets the next free index; one that is moved in keeps its own where that is free. */
  adopt(device: Device, index: number | undefined): number {
    const own = index !== undefined && !this.#indexes.has(index) ? index : this.#newIndex();
    this.#indexes.add(own);
    this.devices.push(device);
    this.devices.sort((a, b) => (a === device ? own : a.index) - (b === device ? own : b.index));
    this.#byName.set(device.name, device);
    this.sysctl.addDevice(device.name);
    this.sysctl.version++;
    return own;
  }

  disown(device: Device): void {
    this.#indexes.delete(device.index);
    const position = this.devices.indexOf(device);
    if (position >= 0) this.devices.splice(position, 1);
    this.#byName.delete(device.name);
    this.sysctl.removeDevice(device.name);
    this.routes.changed();
  }

  renamed(device: Device, old: string): void {
    this.#byName.delete(old);
    this.#byName.set(device.name, device);
    this.sysctl.renameDevice(old, device.name);
    this.routes.renameDevice(device);
  }

  /** dev_new_index: counts on past numbers that are taken; a device that was moved in does not move the counter. */
  #newIndex(): number {
    do this.#lastIndex++;
    while (this.#indexes.has(this.#lastIndex));
    return this.#lastIndex;
  }

  #readSettings(): void {
    const { sysctl } = this;
    if (this.#settingsVersion === sysctl.version) return;
    this.#settingsVersion = sysctl.version;
    this.#isForwarding6 = sysctl.number('net.ipv6.conf.all.forwarding') > 0;
    this.#hashPolicy4 = sysctl.number('net.ipv4.fib_multipath_hash_policy');
    this.#hashPolicy6 = sysctl.number('net.ipv6.fib_multipath_hash_policy');
  }
}
