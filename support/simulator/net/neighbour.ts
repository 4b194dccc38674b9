import type { Timer } from '../clock/clock.ts';
import { ip, isLoopback, isUnspecified } from './address.ts';
import { type Device, linkLocalOf, solicitedNodeMac } from './interface.ts';
import type { Namespace } from './namespace.ts';
import { broadcastMac, neighbourFrame } from './packet.ts';
import { selectSource4 } from './source-address.ts';
import type { Frame, Ip, Mac, NeighbourEntry, NeighbourMessage, NeighbourTable, Packet } from './types.ts';

/** base_reachable_time; Linux draws from half to one and a half of it. */
const reachableMs = 30_000;
/** delay_first_probe_time. */
const delayMs = 5_000;
/**
 * Three probes go out one retrans_time of 1 s apart. Coarse kernel timers stretch each second: the recordings
 * show 3060 ms from the first probe to the error.
 */
const probeIntervalMs = 1_020;
const probeCount = 3;
/** `locktime`: an ARP reply right after another one does not replace it. */
const lockMs = 1_000;
/** unres_qlen_bytes holds about a hundred small packets. */
const queueLimit = 101;
const allNodesMac: Mac = '33:33:00:00:00:01';
const allNodes6 = ip('ff02::1');
const unspecified6 = ip('::');

export interface NeighbourRecord {
  readonly ip: Ip;
  readonly device: Device;
  mac: Mac | undefined;
  state: NeighbourEntry['state'];
  confirmedAt: number;
  updatedAt: number;
  isRouter: boolean;
  queue: Packet[];
  probes: number;
  timer: Timer | undefined;
}

/** ARP (RFC 826) and neighbour discovery (RFC 4861) with the states of Linux's neighbour tables. */
export class Neighbours implements NeighbourTable {
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  list(): readonly NeighbourEntry[] {
    const now = this.#now();
    return this.#namespace.devices.flatMap((device) =>
      [...device.neighbours.values()].map(({ ip, mac, state, confirmedAt, isRouter }) => ({
        ip,
        device: device.name,
        mac,
        state: state === 'REACHABLE' && now - confirmedAt >= reachableMs ? 'STALE' : state,
        isRouter,
      })),
    );
  }

  setPermanent(ip: Ip, device: string, mac: Mac): void {
    this.#set(ip, device, mac, 'PERMANENT');
  }

  setLearnt(ip: Ip, device: string, mac: Mac, state: 'REACHABLE' | 'STALE'): void {
    this.#set(ip, device, mac, state);
  }

  #set(ip: Ip, device: string, mac: Mac, state: 'PERMANENT' | 'REACHABLE' | 'STALE'): void {
    const found = this.#namespace.findDevice(device);
    if (found === undefined) return;
    const record = found.neighbours.get(ip) ?? this.#create(found, ip);
    record.timer?.cancel();
    record.mac = mac;
    record.state = state;
    record.confirmedAt = this.#now();
    this.#flushQueue(record);
  }

  delete(ip: Ip, device: string): boolean {
    const record = this.#namespace.findDevice(device)?.neighbours.get(ip);
    if (record === undefined) return false;
    this.#remove(record);
    return true;
  }

  /** `ip neigh flush`: permanent entries stay. */
  flush(device?: string): void {
    for (const candidate of this.#namespace.devices) {
      if (device !== undefined && candidate.name !== device) continue;
      for (const record of [...candidate.neighbours.values()]) if (record.state !== 'PERMANENT') this.#remove(record);
    }
  }

  /** The link is gone, and with it all that was known of it. */
  flushDevice(device: Device): void {
    for (const record of [...device.neighbours.values()]) this.#remove(record);
  }

  /** Sends a packet to a neighbour, after asking for its address if need be. */
  output(device: Device, nextHop: Ip, packet: Packet): void {
    const record = device.neighbours.get(nextHop);
    if (record?.mac !== undefined) {
      if (record.state === 'REACHABLE' && this.#now() - record.confirmedAt >= reachableMs) record.state = 'STALE';
      if (record.state === 'STALE') {
        record.state = 'DELAY';
        this.#arm(record, delayMs);
      }
      device.transmitIp(record.mac, packet);
      return;
    }
    this.#resolve(record ?? this.#create(device, nextHop), packet);
  }

  /** A higher layer has proof that the neighbour receives (an acknowledgment of new data). */
  confirm(device: Device, ip: Ip): void {
    const record = device.neighbours.get(ip);
    if (record?.mac === undefined || record.state === 'PERMANENT') return;
    if (record.state !== 'REACHABLE') record.timer?.cancel();
    record.state = 'REACHABLE';
    record.confirmedAt = this.#now();
  }

  receive(device: Device, frame: Frame, message: NeighbourMessage): void {
    if (message.senderMac === device.mac) return;
    const { target, senderIp } = message;
    if (
      target.family === 6 &&
      !this.#namespace.netfilter.passesDiscovery(
        'INPUT',
        senderIp ?? unspecified6,
        message.operation === 'reply' ? (message.unsolicited === true ? allNodes6 : target) : target,
        device,
      )
    )
      return;
    if (message.operation === 'request') this.#request(device, message);
    else this.#reply(device, frame, message);
  }

  #request(device: Device, message: NeighbourMessage): void {
    const { target, senderIp, senderMac } = message;
    if (target.family === 6 && device.settings.disableIpv6) return;
    if (device.neighbourResponder?.(target) === true) {
      this.#answer(device, message);
      return;
    }
    if (target.family === 6 && device.addressState(target) === 'tentative') {
      // Somebody else probes for the address at the same time (RFC 4862 §5.4.3).
      if (senderIp === undefined) device.failDad(target);
      return;
    }
    const isOurs = message.unsolicited !== true && this.#answersFor(device, target, senderIp);
    if (senderIp !== undefined && !isUnspecified(senderIp)) {
      const known = device.neighbours.get(senderIp);
      if (isOurs || (message.unsolicited === true && device.settings.arpAccept)) {
        this.#learn(known ?? this.#create(device, senderIp), senderMac, 'STALE', true);
      } else if (known !== undefined && target.family === 4) this.#learn(known, senderMac, 'STALE', message.unsolicited === true);
    }
    if (isOurs) this.#answer(device, message);
  }

  #answersFor(device: Device, target: Ip, senderIp: Ip | undefined): boolean {
    const { settings } = device;
    if (target.family === 6) return device.addressState(target) === 'preferred';
    // Linux owns IPv4 addresses as a host: it answers on every interface (arp_ignore 0), even for an interface that is down.
    if (this.#namespace.routes.localDevice(target) !== undefined && (!isLoopback(target) || settings.routeLocalnet)) {
      return settings.arpIgnore === 0 || device.addressState(target) !== undefined;
    }
    if (!settings.proxyArp || !settings.forwarding4 || senderIp === undefined) return false;
    const decision = this.#namespace.routes.lookup(target);
    return decision.kind === 'forward' && decision.device !== device;
  }

  #answer(device: Device, { target, senderIp, senderMac }: NeighbourMessage): void {
    const message: NeighbourMessage = {
      operation: 'reply',
      target,
      senderIp: target,
      senderMac: device.mac,
      ...(target.family === 6 ? { isRouter: this.#namespace.isForwarding6 } : {}),
    };
    if (target.family === 6 && !this.#namespace.netfilter.passesDiscovery('OUTPUT', target, senderIp ?? allNodes6, device)) return;
    const isToAll = target.family === 6 && senderIp === undefined;
    device.transmit(neighbourFrame(device.mac, isToAll ? allNodesMac : senderMac, isToAll ? { ...message, unsolicited: true } : message));
  }

  #reply(device: Device, frame: Frame, message: NeighbourMessage): void {
    const { target, senderMac } = message;
    if (target.family === 6 && device.addressState(target) === 'tentative') {
      device.failDad(target);
      return;
    }
    const record = device.neighbours.get(target);
    if (record === undefined) return;
    if (message.isRouter !== undefined) record.isRouter = message.isRouter;
    const isSolicited = frame.destination === device.mac && message.unsolicited !== true;
    this.#learn(record, senderMac, isSolicited ? 'REACHABLE' : 'STALE', target.family === 6 || message.unsolicited === true);
  }

  /** neigh_update. */
  #learn(record: NeighbourRecord, mac: Mac, state: 'REACHABLE' | 'STALE', isOverride: boolean): void {
    if (record.state === 'PERMANENT') return;
    const now = this.#now();
    if (record.mac !== undefined && record.mac !== mac && !isOverride && now - record.updatedAt < lockMs) return;
    if (state === 'STALE' && record.mac === mac && record.state !== 'FAILED') return;
    record.timer?.cancel();
    record.timer = undefined;
    record.mac = mac;
    record.state = state;
    record.updatedAt = now;
    if (state === 'REACHABLE') record.confirmedAt = now;
    this.#flushQueue(record);
  }

  #resolve(record: NeighbourRecord, packet: Packet): void {
    if (record.queue.length >= queueLimit) {
      const oldest = record.queue.shift();
      if (oldest !== undefined) this.#dispose(oldest, record);
    }
    record.queue.push(packet);
    if (record.state === 'INCOMPLETE') return;
    record.state = 'INCOMPLETE';
    record.probes = 0;
    this.#probe(record);
  }

  #probe(record: NeighbourRecord): void {
    const { device, ip } = record;
    record.probes++;
    const senderIp = this.#senderFor(record);
    const message: NeighbourMessage = { operation: 'request', target: ip, senderIp, senderMac: device.mac };
    const destination = record.mac ?? (ip.family === 4 ? broadcastMac : solicitedNodeMac(ip));
    const isSent = ip.family === 4 || this.#namespace.netfilter.passesDiscovery('OUTPUT', senderIp ?? unspecified6, ip, device);
    if (isSent) device.transmit(neighbourFrame(device.mac, destination, message));
    this.#arm(record, probeIntervalMs);
  }

  /** The source of the waiting packet when it is our own, else an address of the device. */
  #senderFor({ device, queue, ip }: NeighbourRecord): Ip | undefined {
    const source = queue[0]?.source;
    if (ip.family === 4) {
      if (source?.family === 4 && this.#namespace.routes.localDevice(source) !== undefined) return source;
      return selectSource4(device, ip, this.#namespace.devices);
    }
    if (source?.family === 6 && device.addressState(source) === 'preferred') return source;
    const linkLocal = linkLocalOf(device.mac);
    if (device.addressState(linkLocal) === 'preferred') return linkLocal;
    return device.addresses.find((address) => address.ip.family === 6 && address.state === 'preferred')?.ip;
  }

  #arm(record: NeighbourRecord, afterMs: number): void {
    record.timer?.cancel();
    record.timer = this.#namespace.network.clock.schedule(afterMs, () => this.#expire(record));
  }

  #expire(record: NeighbourRecord): void {
    record.timer = undefined;
    if (record.state === 'DELAY') {
      record.state = 'PROBE';
      record.probes = 0;
    }
    if (record.state !== 'PROBE' && record.state !== 'INCOMPLETE') return;
    if (record.probes < probeCount) {
      this.#probe(record);
      return;
    }
    record.state = 'FAILED';
    record.mac = undefined;
    record.updatedAt = this.#now();
    const failed = record.queue;
    record.queue = [];
    for (const packet of failed) this.#dispose(packet, record);
  }

  /** arp_error_report: the sender hears that the host cannot be reached. */
  #dispose(packet: Packet, record: NeighbourRecord): void {
    const { ip: layer, network } = this.#namespace;
    network.dispose(packet, this.#namespace, 'neighbour-failed', record.ip.text);
    layer.sendError(packet.source.family === 4 ? 'host-unreachable' : 'address-unreachable', packet);
  }

  #flushQueue(record: NeighbourRecord): void {
    if (record.queue.length === 0 || record.mac === undefined) return;
    const waiting = record.queue;
    record.queue = [];
    for (const packet of waiting) record.device.transmitIp(record.mac, packet);
  }

  #create(device: Device, ip: Ip): NeighbourRecord {
    const now = this.#now();
    const record: NeighbourRecord = {
      ip,
      device,
      mac: undefined,
      state: 'FAILED',
      confirmedAt: now,
      updatedAt: now,
      isRouter: false,
      queue: [],
      probes: 0,
      timer: undefined,
    };
    device.neighbours.set(ip, record);
    return record;
  }

  #remove(record: NeighbourRecord): void {
    record.timer?.cancel();
    record.device.neighbours.delete(record.ip);
    record.state = 'FAILED';
    const lost = record.queue;
    record.queue = [];
    for (const packet of lost) this.#namespace.network.dispose(packet, this.#namespace, 'link-down', record.device.name);
  }

  #now(): number {
    return this.#namespace.network.clock.now();
  }
}
