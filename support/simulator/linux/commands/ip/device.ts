import type { NetworkInterface } from '../../../net/types.ts';
import type { IpContext } from './words.ts';

/** What `ip link set` keeps and prints, and nothing in the network layer asks for. */
interface Remembered {
  readonly alias?: string | undefined;
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

export function linkJson(device: NetworkInterface): Record<string, unknown> {
  if (device.peer === undefined) return {};
  return isPeerHere(device) ? { link: device.peer.name } : { link_index: device.peer.index };
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

/** The head of a device in `ip link` and `ip addr`; `isBare` where a family is asked for: without the line of its MAC address. */
export function deviceText(device: NetworkInterface, options: IpContext, isLink: boolean, isBare = false): string {
  const separator = options.isOneLine ? '\\' : '\n';
  const master = masterText(device);
  const alias = remembered.get(device)?.alias;
  const queueLength = queueLengthOf(device);
  const queue = queueLength > 0 ? `qlen ${queueLength}` : '';
  const kind = isLoopback(device) ? 'loopback' : 'ether';
  const [mac, broadcast] = isLoopback(device) ? [noMac, noMac] : [device.mac, 'ff:ff:ff:ff:ff:ff'];
  const id = namespaceId(device);
  let text = `${device.index}: ${nameWithPeer(device)}: <${flagsOf(device).join(',')}> mtu ${device.mtu} qdisc ${qdiscOf(device)}${master} state ${stateOf(device)} `;
  text += `${isLink ? 'mode DEFAULT ' : ''}group default ${queue}`;
  if (!isBare) text += `${separator}    link/${kind} ${mac} brd ${broadcast}`;
  if (id !== undefined) text += ` link-netnsid ${id}`;
  if (alias !== undefined) text += `${separator}    alias ${alias}`;
  if (options.hasDetails) {
    const isVirtual = device.kind !== 'loopback' && device.kind !== 'uplink';
    const queues = device.kind === 'veth' ? 4 : 1;
    text += ` promiscuity 0  allmulti 0 ${isLoopback(device) ? 'minmtu 0 maxmtu 0' : 'minmtu 68 maxmtu 65535'} `;
    if (isVirtual) text += `${separator}    ${device.kind} `;
    text += `${isLink ? 'addrgenmode eui64 ' : ''}numtxqueues ${queues} numrxqueues ${queues} gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536 `;
  }
  return text + separator;
}

/** What `ip -6 addr` says of a device: the kernel's inet6_fill_ifinfo has no queue, no group and no namespace of the peer, whose number is then taken for one of here. */
export function inet6DeviceText(device: NetworkInterface): string {
  const queueLength = queueLengthOf(device);
  const queue = queueLength > 0 ? `qlen ${queueLength}` : '';
  return `${device.index}: ${inet6Name(device)}: <${flagsOf(device).join(',')}> mtu ${device.mtu}${masterText(device)} state ${stateOf(device)} ${queue}\n`;
}

function masterText(device: NetworkInterface): string {
  return device.master === undefined ? '' : ` master ${device.master.name}`;
}

function inet6Peer(device: NetworkInterface): string | undefined {
  const index = device.peer?.index;
  if (index === undefined || index === device.index) return undefined;
  return device.namespace.interfaces.find((other) => other.index === index)?.name ?? `if${index}`;
}

export function inet6Name(device: NetworkInterface): string {
  const peer = inet6Peer(device);
  return peer === undefined ? device.name : `${device.name}@${peer}`;
}

export function inet6DeviceJson(device: NetworkInterface): Record<string, unknown> {
  const peer = inet6Peer(device);
  const queueLength = queueLengthOf(device);
  return {
    ifindex: device.index,
    ...(peer === undefined ? {} : { link: peer }),
    ifname: device.name,
    flags: flagsOf(device),
    mtu: device.mtu,
    ...(device.master === undefined ? {} : { master: device.master.name }),
    operstate: stateOf(device),
    ...(queueLength > 0 ? { txqlen: queueLength } : {}),
  };
}

/** Columns as wide as their heads, or wider where a number needs it (ipaddress.c, print_stats64); `-s -s` adds the errors by kind. */
export function statisticsText(device: NetworkInterface, options: IpContext): string {
  if (!options.hasStatistics) return '';
  const separator = options.isOneLine ? '\\' : '\n';
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
  const errors = (title: string, heads: readonly string[]): string => {
    if (options.hasErrors !== true) return '';
    const first = (widths[0] as number) - 2;
    const sizes = [0, 6, 7, 7, 7];
    const cells = (words: readonly string[], size: number): string =>
      words.map((word, column) => word.padStart(column === 0 ? size : (sizes[column] as number))).join(' ');
    const zeros = heads.map(() => '0');
    return `    ${title} errors:${cells(heads, first)}${separator}    ${cells(zeros, first + 10)} ${separator}`;
  };
  return (
    table('RX', ['missed', 'mcast'], rxBytes, rxPackets) +
    errors('RX', ['length', 'crc', 'frame', 'fifo', 'overrun']) +
    table('TX', ['carrier', 'collsns'], txBytes, txPackets) +
    errors('TX', ['aborted', 'fifo', 'window', 'heartbt', 'transns'])
  );
}

export function deviceJson(device: NetworkInterface, options: IpContext, isLink: boolean, isBare = false): Record<string, unknown> {
  const [mac, broadcast] = isLoopback(device) ? [noMac, noMac] : [device.mac, 'ff:ff:ff:ff:ff:ff'];
  const id = namespaceId(device);
  return {
    ifindex: device.index,
    ...linkJson(device),
    ifname: device.name,
    flags: flagsOf(device),
    mtu: device.mtu,
    qdisc: qdiscOf(device),
    ...(device.master === undefined ? {} : { master: device.master.name }),
    operstate: stateOf(device),
    ...(isLink ? { linkmode: 'DEFAULT' } : {}),
    group: 'default',
    ...(queueLengthOf(device) > 0 ? { txqlen: queueLengthOf(device) } : {}),
    ...(isBare ? {} : { link_type: isLoopback(device) ? 'loopback' : 'ether', address: mac, broadcast }),
    ...(id === undefined ? {} : { link_netnsid: id }),
    ...aliasJson(device),
    ...(options.hasDetails ? detailsJson(device, isLink) : {}),
    ...(options.hasStatistics ? statisticsJson(device, options) : {}),
  };
}

function aliasJson(device: NetworkInterface): Record<string, unknown> {
  const alias = remembered.get(device)?.alias;
  return alias === undefined ? {} : { ifalias: alias };
}

function detailsJson(device: NetworkInterface, isLink: boolean): Record<string, unknown> {
  const isVirtual = device.kind !== 'loopback' && device.kind !== 'uplink';
  const queues = device.kind === 'veth' ? 4 : 1;
  return {
    promiscuity: 0,
    allmulti: 0,
    ...(isLoopback(device) ? { min_mtu: 0, max_mtu: 0 } : { min_mtu: 68, max_mtu: 65535 }),
    ...(isVirtual ? { linkinfo: { info_kind: device.kind } } : {}),
    ...(isLink ? { inet6_addr_gen_mode: 'eui64' } : {}),
    num_tx_queues: queues,
    num_rx_queues: queues,
    gso_max_size: 65536,
    gso_max_segs: 65535,
    tso_max_size: 524280,
    tso_max_segs: 65535,
    gro_max_size: 65536,
  };
}

function statisticsJson(device: NetworkInterface, options: IpContext): Record<string, unknown> {
  const { rxBytes, rxPackets, txBytes, txPackets } = device.statistics;
  const zeros = (names: string): Record<string, number> => Object.fromEntries(names.split(' ').map((name) => [name, 0]));
  const more = options.hasErrors === true;
  return {
    stats64: {
      rx: {
        bytes: rxBytes,
        packets: rxPackets,
        ...zeros('errors dropped over_errors multicast'),
        ...(more ? zeros('length_errors crc_errors frame_errors fifo_errors missed_errors') : {}),
      },
      tx: {
        bytes: txBytes,
        packets: txPackets,
        ...zeros('errors dropped carrier_errors collisions'),
        ...(more ? zeros('aborted_errors fifo_errors window_errors heartbeat_errors carrier_changes') : {}),
      },
    },
  };
}
