import type { NetworkInterface } from '../../../net/types.ts';
import type { IpContext } from './words.ts';

/** What `ip link set` keeps and prints, and nothing in the network layer asks for. */
interface Remembered {
  readonly alias?: string;
  readonly queueLength?: number;
  readonly isPromiscuous?: boolean;
}

const remembered = new WeakMap<NetworkInterface, Remembered>();

export function remember(device: NetworkInterface, what: Remembered): void {
  remembered.set(device, { ...remembered.get(device), ...what });
}

function queueLengthOf(device: NetworkInterface): number {
  return remembered.get(device)?.queueLength ?? device.txQueueLength;
}

/** A device made by the docker engine: eth0, eth1… with a MAC derived from its address. */
export function isDockerDevice(device: NetworkInterface): boolean {
  return device.kind === 'veth' && device.mac.startsWith('02:42:') && /^eth\d+$/.test(device.name);
}

export function flagsOf(device: NetworkInterface): readonly string[] {
  const flags: string[] = [];
  if (device.isAdminUp && !device.hasCarrier) flags.push('NO-CARRIER');
  if (device.kind === 'loopback') flags.push('LOOPBACK');
  else flags.push('BROADCAST', device.kind === 'dummy' ? 'NOARP' : 'MULTICAST');
  if (remembered.get(device)?.isPromiscuous === true) flags.push('PROMISC');
  if (device.isAdminUp) flags.push('UP');
  if (device.isAdminUp && device.hasCarrier) flags.push('LOWER_UP');
  if (isPeerHere(device) && device.peer?.isAdminUp === false) flags.push('M-DOWN');
  return flags;
}

/** RFC 2863 operational state as the kernel keeps it; devices that never report one stay UNKNOWN. */
export function stateOf(device: NetworkInterface): string {
  if (!device.isAdminUp) return 'DOWN';
  if (device.kind === 'loopback' || device.kind === 'dummy' || device.kind === 'vxlan') return 'UNKNOWN';
  if (device.hasCarrier) return 'UP';
  return device.kind === 'veth' ? 'LOWERLAYERDOWN' : 'DOWN';
}

function qdiscOf(device: NetworkInterface): string {
  if (device.netem !== undefined) return 'netem';
  const { rxPackets, txPackets } = device.statistics;
  // the queue is set up when a device first comes up
  if (!device.isAdminUp && rxPackets + txPackets === 0) return 'noop';
  return device.kind === 'uplink' ? 'fq_codel' : 'noqueue';
}

function isPeerHere(device: NetworkInterface): boolean {
  return device.peer?.namespace === device.namespace;
}

/** `eth0@if36`: the peer is in another namespace; `veth0@veth1`: it is in this one. */
export function nameWithPeer(device: NetworkInterface): string {
  if (device.peer === undefined) return device.name;
  return isPeerHere(device) ? `${device.name}@${device.peer.name}` : `${device.name}@if${device.peer.index}`;
}

export function byIndex(devices: readonly NetworkInterface[]): readonly NetworkInterface[] {
  return [...devices].sort((a, b) => a.index - b.index);
}

/** Ids that the kernel gives to the namespaces of peers, in the order in which they were first met. */
function namespaceId(device: NetworkInterface): number | undefined {
  if (device.peer === undefined || isPeerHere(device)) return undefined;
  const seen: unknown[] = [];
  for (const other of byIndex(device.namespace.interfaces)) {
    const { peer } = other;
    if (peer === undefined || peer.namespace === device.namespace) continue;
    if (!seen.includes(peer.namespace)) seen.push(peer.namespace);
    if (other === device) return seen.indexOf(peer.namespace);
  }
  return undefined;
}

export function isLoopback(device: NetworkInterface): boolean {
  return device.kind === 'loopback';
}

const noMac = '00:00:00:00:00:00';

/** The head of a device in `ip link` and `ip addr`. */
export function deviceText(device: NetworkInterface, options: IpContext, isLink: boolean): string {
  const separator = options.isOneLine ? '\\' : '\n';
  const master = device.master === undefined ? '' : ` master ${device.master.name}`;
  const alias = remembered.get(device)?.alias;
  const queueLength = queueLengthOf(device);
  const queue = queueLength > 0 ? `qlen ${queueLength}` : '';
  const kind = isLoopback(device) ? 'loopback' : 'ether';
  const [mac, broadcast] = isLoopback(device) ? [noMac, noMac] : [device.mac, 'ff:ff:ff:ff:ff:ff'];
  const id = namespaceId(device);
  let text = `${device.index}: ${nameWithPeer(device)}: <${flagsOf(device).join(',')}> mtu ${device.mtu} qdisc ${qdiscOf(device)}${master} state ${stateOf(device)} `;
  text += `${isLink ? 'mode DEFAULT ' : ''}group default ${queue}${separator}`;
  text += `    link/${kind} ${mac} brd ${broadcast}${id === undefined ? '' : ` link-netnsid ${id}`}`;
  if (alias !== undefined) text += `${separator}    alias ${alias}`;
  if (options.hasDetails) {
    const isVirtual = device.kind !== 'loopback' && device.kind !== 'uplink';
    const queues = device.kind === 'veth' ? 4 : 1;
    text += ` promiscuity 0  allmulti 0 ${isLoopback(device) ? 'minmtu 0 maxmtu 0' : 'minmtu 68 maxmtu 65535'} `;
    if (isVirtual) text += `${separator}    ${device.kind} `;
    text += `addrgenmode eui64 numtxqueues ${queues} numrxqueues ${queues} gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536 `;
  }
  text += separator;
  if (options.hasStatistics) text += statisticsText(device, separator);
  return text;
}

/** Columns as wide as their heads, or wider where a number needs it (ipaddress.c, print_stats64). */
function statisticsText(device: NetworkInterface, separator: string): string {
  const { rxBytes, rxPackets, txBytes, txPackets } = device.statistics;
  const widths = [
    Math.max(10, String(rxBytes).length, String(txBytes).length),
    Math.max(7, String(rxPackets).length, String(txPackets).length),
    6,
    7,
    7,
    7,
  ];
  const table = (title: string, last: readonly [string, string], bytes: number, packets: number): string => {
    const heads = ['bytes', 'packets', 'errors', 'dropped', ...last].map((head, column) =>
      head.padStart((widths[column] as number) - (column === 0 ? 4 : 0)),
    );
    const values = [bytes, packets, 0, 0, 0, 0].map((value, column) => String(value).padStart(widths[column] as number));
    return `    ${title}: ${heads.join(' ')} ${' '.repeat(10)}${separator}    ${values.join(' ')} ${separator}`;
  };
  return table('RX', ['missed', 'mcast'], rxBytes, rxPackets) + table('TX', ['carrier', 'collsns'], txBytes, txPackets);
}

export function deviceJson(device: NetworkInterface, options: IpContext, isLink: boolean): Record<string, unknown> {
  const [mac, broadcast] = isLoopback(device) ? [noMac, noMac] : [device.mac, 'ff:ff:ff:ff:ff:ff'];
  const id = namespaceId(device);
  const { rxBytes, rxPackets, txBytes, txPackets } = device.statistics;
  const counters = (bytes: number, packets: number): Record<string, number> => ({ bytes, packets, errors: 0, dropped: 0 });
  return {
    ifindex: device.index,
    ...(device.peer === undefined ? {} : isPeerHere(device) ? { link: device.peer.name } : { link_index: device.peer.index }),
    ifname: device.name,
    flags: flagsOf(device),
    mtu: device.mtu,
    qdisc: qdiscOf(device),
    ...(device.master === undefined ? {} : { master: device.master.name }),
    operstate: stateOf(device),
    ...(isLink ? { linkmode: 'DEFAULT' } : {}),
    group: 'default',
    ...(queueLengthOf(device) > 0 ? { txqlen: queueLengthOf(device) } : {}),
    link_type: isLoopback(device) ? 'loopback' : 'ether',
    address: mac,
    broadcast,
    ...(id === undefined ? {} : { link_netnsid: id }),
    ...(options.hasDetails && device.kind !== 'loopback' && device.kind !== 'uplink' ? { linkinfo: { info_kind: device.kind } } : {}),
    ...(options.hasStatistics ? { stats64: { rx: counters(rxBytes, rxPackets), tx: counters(txBytes, txPackets) } } : {}),
  };
}
