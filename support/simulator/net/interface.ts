import {
  bits,
  contains,
  hostPrefix,
  ipv6FromWords,
  isLinkLocal,
  isLoopback,
  lastAddress,
  ip as parse,
  prefix,
  prefixOf,
} from './address.ts';
import { Bridge } from './bridge.ts';
import { LateMap } from './late-collections.ts';
import type { Namespace } from './namespace.ts';
import type { NeighbourRecord } from './neighbour.ts';
import { NetworkError } from './network-error.ts';
import { broadcastMac, frameSize, ipFrame, isGroupMac, neighbourFrame, withoutMark } from './packet.ts';
import { tableLocal, tableMain } from './routing.ts';
import type { DeviceSettings } from './sysctl.ts';
import type {
  Frame,
  InterfaceAddress,
  InterfaceKind,
  Ip,
  Mac,
  Netem,
  NetworkInterface,
  NetworkNamespace,
  NextHop,
  Packet,
  TcProgram,
} from './types.ts';

/** One way through a veth pair and the soft interrupt behind it; ping over two such links takes about 0.1 ms in the recordings. */
const linkLatencyMs = 0.02;
const loopbackLatencyMs = 0.01;
/** RETRANS_TIMER of RFC 4861: how long an IPv6 address stays tentative after its probe. */
const dadMs = 1000;

const multicastPrefix = prefix('ff00::/8');
const allNodesMac: Mac = '33:33:00:00:00:01';

interface DeviceAddress extends InterfaceAddress {
  state: 'tentative' | 'preferred';
  dadFailed?: boolean;
  readonly noDad: boolean;
  isProbing: boolean;
}

export interface DeviceOptions {
  readonly name: string;
  readonly kind: InterfaceKind;
  readonly mac: Mac;
  readonly mtu: number;
  readonly txQueueLength?: number;
  readonly vxlan?: { readonly id: number; readonly port: number };
}

/** A veth drops what its peer could not have sent itself (is_skb_forwardable); segments of TCP mostly cross it joined, which lets them by. */
function isTooLong(frame: Frame, mtu: number, peerMtu: number | undefined): boolean {
  if (peerMtu === undefined || mtu <= peerMtu || frame.content.kind !== 'ip') return false;
  if (frame.content.packet.transport.protocol === 'tcp') return false;
  const [header, vlanTag] = [14, 4];
  return Math.min(frameSize(frame), mtu + header) > peerMtu + header + vlanTag;
}

/** A network device: its state, its addresses with the routes that they bring, and the frames that pass it. */
export class Device implements NetworkInterface {
  namespace: Namespace;
  name: string;
  index: number;
  readonly kind: InterfaceKind;
  mac: Mac;
  mtu: number;
  readonly txQueueLength: number;
  isAdminUp = false;
  addresses: readonly DeviceAddress[] = [];
  master: Device | undefined;
  peer: Device | undefined;
  ingress: TcProgram | undefined;
  egress: TcProgram | undefined;
  neighbourResponder: ((target: Ip) => boolean) | undefined;
  netem: Netem | undefined;
  #waiting = 0;
  readonly statistics = { rxPackets: 0, txPackets: 0, rxBytes: 0, txBytes: 0 };
  readonly vxlan: { readonly id: number; readonly port: number } | undefined;
  readonly bridge: Bridge | undefined;
  /** Of this device only; the namespace's table is the sum of its devices'. */
  readonly neighbours = new LateMap<Ip, NeighbourRecord>();
  settings: DeviceSettings;
  /** Of routes over this device alone. */
  readonly alone: readonly Device[] = [this];
  #asNextHops: readonly [NextHop] | undefined;
  #isRunning = false;
  #hasBeenUp = false;
  #isIpv6Ready = false;
  #isIpv6Off: boolean;
  #isDeleted = false;

  constructor(namespace: Namespace, options: DeviceOptions) {
    this.namespace = namespace;
    this.kind = options.kind;
    this.name = options.name;
    this.mac = options.mac;
    this.mtu = options.mtu;
    this.txQueueLength = options.txQueueLength ?? 1000;
    this.vxlan = options.vxlan;
    this.bridge = options.kind === 'bridge' ? new Bridge(this) : undefined;
    this.index = namespace.adopt(this, undefined);
    this.settings = namespace.sysctl.settingsOf(this.name);
    this.#isIpv6Off = this.settings.disableIpv6;
  }

  /** What the routes of its addresses have in common: the device as their only next hop. */
  get asNextHops(): readonly NextHop[] {
    if (this.#asNextHops?.[0]?.device !== this.name) this.#asNextHops = [{ device: this.name }];
    return this.#asNextHops;
  }

  get hasCarrier(): boolean {
    switch (this.kind) {
      case 'veth':
        return this.peer?.isAdminUp === true && this.isAdminUp;
      case 'bridge':
        return this.bridge?.hasRunningPort() === true;
      default:
        return true;
    }
  }

  /** `UP,LOWER_UP`: frames pass. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Neither ARP nor NDP: there is nobody to ask (or the answer would not matter). */
  get needsNoNeighbours(): boolean {
    return this.kind !== 'veth' && this.kind !== 'bridge';
  }

  setUp(): void {
    if (this.isAdminUp || this.#isDeleted) return;
    this.isAdminUp = true;
    if (this.kind === 'loopback' && this.#hasBeenUp && !this.settings.disableIpv6) {
      // init_loopback: ::1 went with the link and comes back with it.
      const loopback6 = parse('::1');
      if (this.addressState(loopback6) === undefined) this.addAddress(loopback6, 128, { noPrefixRoute: true });
    }
    this.#hasBeenUp = true;
    for (const address of this.addresses) if (address.ip.family === 4) this.#addConnected4(address);
    for (const address of this.addresses) if (address.ip.family === 6) this.#addPrefixRoute6(address);
    this.namespace.routes.changed();
    this.updateRunning();
    this.peer?.updateRunning();
  }

  setDown(): void {
    if (!this.isAdminUp) return;
    this.isAdminUp = false;
    this.namespace.routes.removeRoutesOver(this, { keepLocal4: true });
    this.#isIpv6Ready = false;
    for (const address of this.addresses) {
      if (address.ip.family !== 6) continue;
      if (this.settings.keepAddressOnDown && address.scope === 'global') {
        if (!this.needsNoNeighbours) address.state = 'tentative';
        address.isProbing = false;
      } else this.#forget(address);
    }
    this.namespace.neighbourTable.flushDevice(this);
    this.updateRunning();
    this.peer?.updateRunning();
  }

  /** Works out whether frames pass, and does what follows from a change. */
  updateRunning(): void {
    const isRunning = this.isAdminUp && this.hasCarrier;
    if (isRunning === this.#isRunning) return;
    this.#isRunning = isRunning;
    this.namespace.routes.changed();
    if (isRunning) this.#linkReady();
    else {
      this.namespace.neighbourTable.flushDevice(this);
      this.master?.bridge?.forgetPort(this);
    }
    this.master?.updateRunning();
  }

  setMtu(mtu: number): void {
    this.mtu = mtu;
    this.namespace.routes.changed();
  }

  setMac(mac: Mac): void {
    this.mac = mac.toLowerCase();
    // Linux drops the entries of a device whose hardware address changes.
    this.namespace.neighbourTable.flushDevice(this);
  }

  rename(name: string): void {
    if (name === this.name) return;
    if (this.namespace.getInterface(name) !== undefined) throw new NetworkError('EEXIST');
    const old = this.name;
    this.name = name;
    this.namespace.renamed(this, old);
  }

  setMaster(bridge: NetworkInterface | undefined): void {
    const master = bridge as Device | undefined;
    if (master === this.master) return;
    if (master !== undefined && master.bridge === undefined) throw new NetworkError('EINVAL', 'Device is not a bridge.');
    const old = this.master;
    this.master = master;
    if (old !== undefined) {
      old.bridge?.removePort(this);
      old.updateRunning();
    }
    if (master !== undefined) {
      master.bridge?.addPort(this);
      master.updateRunning();
    }
    this.namespace.routes.changed();
  }

  addAddress(ip: Ip, prefixLength: number, options: { noDad?: boolean; noPrefixRoute?: boolean } = {}): void {
    if (prefixLength < 0 || prefixLength > (ip.family === 4 ? 32 : 128)) throw new NetworkError('EINVAL');
    // IPv4 may have one address twice, with two masks; IPv6 may not.
    if (this.addresses.some((known) => known.ip === ip && (ip.family === 6 || known.prefixLength === prefixLength))) {
      throw new NetworkError('EEXIST');
    }
    if (ip.family === 6 && this.settings.disableIpv6) throw new NetworkError('EACCES', 'IPv6 is disabled on this device.');
    const address: DeviceAddress = {
      ip,
      prefixLength,
      scope: isLoopback(ip) ? 'host' : ip.family === 6 && isLinkLocal(ip) ? 'link' : 'global',
      state: ip.family === 4 ? 'preferred' : 'tentative',
      noDad: options.noDad === true,
      isProbing: false,
      ...(options.noPrefixRoute === true ? { noPrefixRoute: true } : {}),
    };
    this.addresses = [...this.addresses, address];
    if (ip.family === 4) {
      this.#addLocal(address);
      if (this.isAdminUp) this.#addConnected4(address);
    } else {
      if (this.isAdminUp) this.#addPrefixRoute6(address);
      this.#startDad(address);
    }
    this.namespace.routes.changed();
  }

  removeAddress(ip: Ip, prefixLength?: number): void {
    const address = this.addresses.find((known) => known.ip === ip && (prefixLength === undefined || known.prefixLength === prefixLength));
    if (address === undefined) throw new NetworkError('EADDRNOTAVAIL');
    this.#forget(address);
  }

  moveTo(namespace: NetworkNamespace): void {
    const target = namespace as Namespace;
    if (target === this.namespace) return;
    if (target.getInterface(this.name) !== undefined) throw new NetworkError('EEXIST');
    this.setMaster(undefined);
    this.#detach();
    this.namespace.disown(this);
    this.namespace = target;
    this.index = target.adopt(this, this.index);
    this.applySettings();
  }

  delete(): void {
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    this.setMaster(undefined);
    for (const port of this.bridge?.ports ?? []) port.setMaster(undefined);
    this.#detach();
    this.namespace.disown(this);
    const { peer } = this;
    this.peer = undefined;
    peer?.delete();
  }

  announceNeighbour(ip: Ip): void {
    const message = {
      operation: ip.family === 4 ? ('request' as const) : ('reply' as const),
      target: ip,
      senderIp: ip,
      senderMac: this.mac,
      unsolicited: true,
      ...(ip.family === 6 ? { isRouter: this.namespace.isForwarding6 } : {}),
    };
    this.transmit(neighbourFrame(this.mac, ip.family === 4 ? broadcastMac : allNodesMac, message));
  }

  /** Sysctls have changed. */
  applySettings(): void {
    this.settings = this.namespace.sysctl.settingsOf(this.name);
    const isOff = this.settings.disableIpv6;
    if (isOff === this.#isIpv6Off) return;
    this.#isIpv6Off = isOff;
    if (isOff) {
      for (const address of this.addresses) if (address.ip.family === 6) this.#forget(address);
      this.namespace.routes.removeRoutesOver(this, { keepLocal4: false, family: 6 });
      this.#isIpv6Ready = false;
    } else if (this.kind === 'loopback') this.addAddress(parse('::1'), 128, { noPrefixRoute: true });
    else if (this.#isRunning) this.#linkReady();
  }

  /** Another host was heard to use an address that is being probed here. */
  failDad(ip: Ip): void {
    const address = this.addresses.find((known) => known.ip === ip);
    if (address === undefined || address.state !== 'tentative') return;
    address.dadFailed = true;
    this.namespace.routes.changed();
  }

  addressState(ip: Ip): 'tentative' | 'preferred' | undefined {
    return this.addresses.find((known) => known.ip === ip)?.state;
  }

  // ── frames ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a packet into a frame for the neighbour at `mac`. A mark belongs to the host and stays behind. */
  transmitIp(mac: Mac, packet: Packet): void {
    this.transmit(ipFrame(this.mac, mac, packet.mark === undefined ? packet : withoutMark(packet)));
  }

  transmit(frame: Frame): void {
    const { namespace, statistics, peer } = this;
    const { network } = namespace;
    if (!this.#isRunning) {
      if (frame.content.kind === 'ip') network.dispose(frame.content.packet, namespace, 'link-down', this.name);
      return;
    }
    statistics.txPackets++;
    statistics.txBytes += frameSize(frame);
    if (network.hasFrameListeners) network.showFrame(this, 'out', frame);
    switch (this.kind) {
      case 'veth': {
        if (isTooLong(frame, this.mtu, peer?.mtu)) {
          if (frame.content.kind === 'ip')
            network.dispose(frame.content.packet, namespace, 'lost', `longer than ${peer?.name ?? ''} takes`);
          return;
        }
        if (this.netem !== undefined) this.#delay(frame, this.netem);
        else network.clock.schedule(linkLatencyMs, () => peer?.receive(frame));
        return;
      }
      case 'loopback':
        network.clock.schedule(loopbackLatencyMs, () => this.receive(frame));
        return;
      case 'bridge':
        this.bridge?.sendFromHost(frame);
        return;
      case 'dummy':
      case 'uplink':
      case 'vxlan':
        if (frame.content.kind === 'ip') network.dispose(frame.content.packet, namespace, 'lost', `sent out of ${this.name}`);
    }
  }

  #delay(frame: Frame, { delayMs, lossFraction, jitterMs = 0, limit = 1000 }: Netem): void {
    const { namespace, peer } = this;
    const { network } = namespace;
    if ((lossFraction > 0 && network.lossRandom.fraction() < lossFraction) || this.#waiting >= limit) {
      if (frame.content.kind === 'ip') network.dispose(frame.content.packet, namespace, 'lost', 'netem');
      return;
    }
    const varied = jitterMs === 0 ? delayMs : delayMs + (2 * network.lossRandom.fraction() - 1) * jitterMs;
    this.#waiting++;
    network.clock.schedule(linkLatencyMs + Math.max(0, varied), () => {
      this.#waiting--;
      peer?.receive(frame);
    });
  }

  receive(frame: Frame): void {
    const { namespace, statistics } = this;
    const { network } = namespace;
    const { content } = frame;
    if (!this.#isRunning) {
      if (content.kind === 'ip') network.dispose(content.packet, namespace, 'link-down', this.name);
      return;
    }
    statistics.rxPackets++;
    statistics.rxBytes += frameSize(frame);
    if (network.hasFrameListeners) network.showFrame(this, 'in', frame);
    if (this.master?.bridge !== undefined && (content.kind !== 'ip' || this.ingress === undefined)) {
      this.master.bridge.receive(this, frame);
      return;
    }
    if (content.kind === 'neighbour') {
      namespace.neighbourTable.receive(this, frame, content.message);
      return;
    }
    if (this.ingress !== undefined) {
      const packet = namespace.ip.runIngress(this, content.packet);
      if (packet === undefined) return;
      if (this.master?.bridge !== undefined) {
        this.master.bridge.receive(this, packet === content.packet ? frame : { ...frame, content: { kind: 'ip', packet } });
        return;
      }
      if (this.#isForUs(frame)) namespace.ip.input(this, packet);
      else this.#disposeForeign(packet);
      return;
    }
    if (this.#isForUs(frame)) namespace.ip.input(this, content.packet);
    else this.#disposeForeign(content.packet);
  }

  #isForUs(frame: Frame): boolean {
    return frame.destination === this.mac || this.kind === 'loopback' || isGroupMac(frame.destination);
  }

  /** A bridge floods frames of unknown destinations: only one of the copies counts as the packet. */
  #disposeForeign(packet: Packet): void {
    if (this.peer?.master === undefined) this.namespace.network.dispose(packet, this.namespace, 'not-for-us', this.name);
  }

  // ── addresses and their routes ───────────────────────────────────────────────────────────────────────────

  #linkReady(): void {
    if (this.#isIpv6Ready || this.settings.disableIpv6 || this.kind === 'loopback') return;
    this.#isIpv6Ready = true;
    const linkLocal = linkLocalOf(this.mac);
    this.namespace.routes.insertKernelRoute(this, {
      destination: multicastPrefix,
      type: 'multicast',
      scope: 'global',
      metric: 256,
      table: tableLocal,
    });
    if (this.addresses.some((address) => address.ip === linkLocal)) {
      for (const address of this.addresses) if (address.state === 'tentative') this.#startDad(address);
      return;
    }
    for (const address of this.addresses) if (address.state === 'tentative') this.#startDad(address);
    this.addAddress(linkLocal, 64);
  }

  #startDad(address: DeviceAddress): void {
    const { namespace } = this;
    if (address.dadFailed || address.isProbing) return;
    if (address.noDad || !this.settings.acceptDad || this.needsNoNeighbours) {
      this.#prefer(address);
      return;
    }
    if (!this.#isIpv6Ready) return;
    address.isProbing = true;
    this.transmit(
      neighbourFrame(this.mac, solicitedNodeMac(address.ip), {
        operation: 'request',
        target: address.ip,
        senderIp: undefined,
        senderMac: this.mac,
      }),
    );
    namespace.network.clock.schedule(dadMs, () => {
      if (!address.isProbing || address.dadFailed || !this.addresses.includes(address)) return;
      address.isProbing = false;
      this.#prefer(address);
    });
  }

  #prefer(address: DeviceAddress): void {
    address.state = 'preferred';
    this.#addLocal(address);
    this.namespace.routes.changed();
  }

  #addLocal({ ip }: DeviceAddress): void {
    const { routes } = this.namespace;
    if (ip.family === 6) {
      routes.insertKernelRoute(this, { destination: hostPrefix(ip), type: 'local', scope: 'global', metric: 0, table: tableLocal });
      return;
    }
    routes.insertKernelRoute(this, {
      destination: hostPrefix(ip),
      type: 'local',
      scope: 'host',
      metric: 0,
      table: tableLocal,
      preferredSource: ip,
    });
  }

  /** fib_add_ifaddr: the routes of an IPv4 address whose device is up. */
  #addConnected4(address: DeviceAddress): void {
    const { ip, prefixLength } = address;
    if (prefixLength === 32 || this.#isSecondary(address)) return;
    const { routes } = this.namespace;
    const network = prefixOf(ip, prefixLength);
    const isLocalNet = this.kind === 'loopback' && isLoopback(ip);
    if (isLocalNet) {
      routes.insertKernelRoute(this, {
        destination: network,
        type: 'local',
        scope: 'host',
        metric: 0,
        table: tableLocal,
        preferredSource: ip,
      });
    } else if (address.noPrefixRoute !== true) {
      routes.insertKernelRoute(this, {
        destination: network,
        type: 'unicast',
        scope: 'link',
        metric: 0,
        table: tableMain,
        preferredSource: ip,
      });
    }
    if (prefixLength < 31) {
      const destination = hostPrefix(lastAddress(network));
      routes.insertKernelRoute(this, { destination, type: 'broadcast', scope: 'link', metric: 0, table: tableLocal, preferredSource: ip });
    }
  }

  #removeConnected4({ ip, prefixLength }: DeviceAddress): void {
    const { routes } = this.namespace;
    const network = prefixOf(ip, prefixLength);
    routes.removeKernelRoute(this, { destination: network, table: tableMain, type: 'unicast', preferredSource: ip });
    routes.removeKernelRoute(this, { destination: network, table: tableLocal, type: 'local', preferredSource: ip });
    routes.removeKernelRoute(this, {
      destination: hostPrefix(lastAddress(network)),
      table: tableLocal,
      type: 'broadcast',
      preferredSource: ip,
    });
  }

  #addPrefixRoute6({ ip, prefixLength, noPrefixRoute }: DeviceAddress): void {
    if (noPrefixRoute === true) return;
    this.namespace.routes.insertKernelRoute(this, {
      destination: prefixOf(ip, prefixLength),
      type: 'unicast',
      scope: 'global',
      metric: 256,
      table: tableMain,
    });
  }

  /** An IPv4 address in the subnet of an earlier one brings no route of its own. */
  #isSecondary(address: DeviceAddress): boolean {
    const network = prefixOf(address.ip, address.prefixLength);
    for (const other of this.addresses) {
      if (other === address) return false;
      if (other.ip.family === 4 && other.prefixLength === address.prefixLength && contains(network, other.ip)) return true;
    }
    return false;
  }

  #forget(address: DeviceAddress): void {
    const { routes } = this.namespace;
    const { ip } = address;
    const wasSecondary = ip.family === 4 && this.#isSecondary(address);
    this.addresses = this.addresses.filter((known) => known !== address);
    routes.removeKernelRoute(this, { destination: hostPrefix(ip), table: tableLocal, type: 'local' });
    if (ip.family === 4) {
      if (!wasSecondary) {
        this.#removeConnected4(address);
        // promote_secondaries: the next address of the subnet takes over its routes.
        const network = prefixOf(ip, address.prefixLength);
        const heir = this.addresses.find(
          (other) => other.ip.family === 4 && other.prefixLength === address.prefixLength && contains(network, other.ip),
        );
        if (heir !== undefined && this.isAdminUp) this.#addConnected4(heir);
      }
      if (routes.localDevice(ip) === undefined) routes.removeRoutesFrom(ip);
      // fib_disable_ip: without an IPv4 address no route leads over the interface any more.
      if (!this.addresses.some((other) => other.ip.family === 4)) routes.removeRoutesOver(this, { keepLocal4: false, family: 4 });
    } else {
      const network = prefixOf(ip, address.prefixLength);
      const isShared = this.addresses.some(
        (other) => other.ip.family === 6 && other.prefixLength === address.prefixLength && contains(network, other.ip),
      );
      if (!isShared) routes.removeKernelRoute(this, { destination: network, table: tableMain, type: 'unicast' });
    }
    routes.changed();
  }

  /** Before it leaves its namespace: down, without addresses, routes and neighbours. */
  #detach(): void {
    this.setDown();
    for (const address of this.addresses) this.#forget(address);
    this.namespace.routes.removeRoutesOver(this, { keepLocal4: false });
    this.namespace.neighbourTable.flushDevice(this);
  }
}

/** Modified EUI-64 (RFC 4291, appendix A). */
export function linkLocalOf(mac: Mac): Ip {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((octet) => Number.parseInt(octet, 16));
  return ipv6FromWords(0xfe800000, 0, ((a ^ 2) << 24) | (b << 16) | (c << 8) | 0xff, (0xfe << 24) | (d << 16) | (e << 8) | f);
}

/** RFC 2464 §7 of the solicited-node address (RFC 4291 §2.7.1). */
export function solicitedNodeMac(ip: Ip): Mac {
  const { w3 } = bits(ip);
  const octet = (shift: number) => ((w3 >>> shift) & 255).toString(16).padStart(2, '0');
  return `33:33:ff:${octet(16)}:${octet(8)}:${octet(0)}`;
}
