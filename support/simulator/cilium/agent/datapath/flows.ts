import { type Ip, type Packet, tcpFlag } from '../../../net/types.ts';
import type { Flow, FlowEndpoint, FlowStore } from '../../types.ts';
import type { IpcacheEntry } from './ipcache.ts';

/** The ring of one node: the newest `capacity` flows. */
export class FlowRing implements FlowStore {
  readonly capacity: number;
  /** Flows seen since the agent started. */
  seen = 0;
  readonly startedAt: number;
  readonly #ring: Flow[] = [];
  #next = 0;

  constructor(capacity: number, startedAt: number) {
    this.capacity = capacity;
    this.startedAt = startedAt;
  }

  get flows(): readonly Flow[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }

  get size(): number {
    return this.#ring.length;
  }

  record(flow: Flow): void {
    this.seen++;
    if (this.#ring.length < this.capacity) this.#ring.push(flow);
    else {
      this.#ring[this.#next] = flow;
      this.#next = (this.#next + 1) % this.capacity;
    }
  }
}

export interface FlowSubject {
  readonly ip: Ip;
  readonly port: number | undefined;
  readonly entry: IpcacheEntry;
  /** A service's name, where the address is a frontend. */
  readonly service?: { readonly namespace: string; readonly name: string } | undefined;
}

interface FlowFields {
  readonly time: number;
  readonly nodeName: string;
  readonly verdict: Flow['verdict'];
  readonly observationPoint: string;
  readonly isReply: boolean | undefined;
  readonly source: FlowSubject;
  readonly destination: FlowSubject;
  readonly trafficDirection: Flow['trafficDirection'];
  readonly dropReason?: string;
}

/** A flow that keeps references and makes its texts when somebody reads them: most are overwritten unread. */
abstract class RecordedFlow implements Flow {
  readonly time: number;
  readonly nodeName: string;
  readonly verdict: Flow['verdict'];
  readonly observationPoint: string;
  readonly isReply: boolean | undefined;
  readonly trafficDirection: Flow['trafficDirection'];
  declare readonly dropReason?: string;
  readonly #source: FlowSubject;
  readonly #destination: FlowSubject;

  constructor(fields: FlowFields) {
    this.time = fields.time;
    this.nodeName = fields.nodeName;
    this.verdict = fields.verdict;
    this.observationPoint = fields.observationPoint;
    this.isReply = fields.isReply;
    this.trafficDirection = fields.trafficDirection;
    if (fields.dropReason !== undefined) this.dropReason = fields.dropReason;
    this.#source = fields.source;
    this.#destination = fields.destination;
  }

  get source(): FlowEndpoint {
    return endpointOf(this.#source);
  }

  get destination(): FlowEndpoint {
    return endpointOf(this.#destination);
  }

  get family(): Flow['family'] {
    return this.#destination.ip.family;
  }

  abstract readonly protocol: Flow['protocol'];
  abstract readonly summary: string;
}

function endpointOf(subject: FlowSubject): FlowEndpoint {
  const { entry } = subject;
  const namespace = entry.namespace ?? subject.service?.namespace;
  return {
    ip: subject.ip,
    ...(subject.port === undefined ? {} : { port: subject.port }),
    identity: entry.identity.id,
    ...(namespace === undefined ? {} : { namespace }),
    ...(entry.podName === undefined ? {} : { podName: entry.podName }),
    labels: entry.identity.labels,
    ...(entry.workload === undefined ? {} : { workload: entry.workload }),
    ...(subject.service === undefined ? {} : { serviceName: subject.service.name }),
  };
}

/** A packet at an observation point. */
export class PacketFlow extends RecordedFlow {
  readonly #packet: Packet;
  declare readonly tcpFlags?: number;

  constructor(fields: FlowFields, packet: Packet) {
    super(fields);
    this.#packet = packet;
    if (packet.transport.protocol === 'tcp') this.tcpFlags = packet.transport.flags;
  }

  get protocol(): Flow['protocol'] {
    const { transport, source } = this.#packet;
    if (transport.protocol === 'icmp') return source.family === 4 ? 'ICMPv4' : 'ICMPv6';
    return transport.protocol === 'tcp' ? 'TCP' : 'UDP';
  }

  get summary(): string {
    return summaryOf(this.#packet);
  }
}

/** A system call that the socket load balancer saw. */
export class SocketFlow extends RecordedFlow {
  readonly protocol: Flow['protocol'];
  readonly #family: Flow['family'];

  constructor(fields: FlowFields, protocol: 'tcp' | 'udp', family: Flow['family']) {
    super(fields);
    this.protocol = protocol === 'tcp' ? 'TCP' : 'UDP';
    this.#family = family;
  }

  /** That of the socket, which for an IPv4 peer of a dual-stack socket is not the peer's. */
  override get family(): Flow['family'] {
    return this.#family;
  }

  get summary(): string {
    return this.protocol;
  }
}

const flagNames: readonly (readonly [number, string])[] = [
  [tcpFlag.syn, 'SYN'],
  [tcpFlag.ack, 'ACK'],
  [tcpFlag.rst, 'RST'],
  [tcpFlag.fin, 'FIN'],
  [tcpFlag.psh, 'PSH'],
];

/** `SYN, ACK`, in Hubble's order. */
export function tcpFlagsText(flags: number): string {
  const names: string[] = [];
  for (const [bit, name] of flagNames) if ((flags & bit) !== 0) names.push(name);
  return names.join(', ');
}

const icmpTexts = {
  'echo-request': ['EchoRequest', 'EchoRequest'],
  'echo-reply': ['EchoReply', 'EchoReply'],
  'net-unreachable': ['DestinationUnreachable(Net)', 'DestinationUnreachable(NoRouteToDst)'],
  'host-unreachable': ['DestinationUnreachable(Host)', 'DestinationUnreachable(Address)'],
  'port-unreachable': ['DestinationUnreachable(Port)', 'DestinationUnreachable(Port)'],
  'protocol-unreachable': ['DestinationUnreachable(Protocol)', 'ParameterProblem(NextHeader)'],
  'admin-prohibited': ['DestinationUnreachable(CommAdminProhibited)', 'DestinationUnreachable(AdminProhibited)'],
  'no-route': ['DestinationUnreachable(Net)', 'DestinationUnreachable(NoRouteToDst)'],
  'address-unreachable': ['DestinationUnreachable(Host)', 'DestinationUnreachable(Address)'],
  'fragmentation-needed': ['DestinationUnreachable(FragmentationNeeded)', 'PacketTooBig'],
  'packet-too-big': ['DestinationUnreachable(FragmentationNeeded)', 'PacketTooBig'],
  'time-exceeded': ['TimeExceeded(TTLExceeded)', 'TimeExceeded(HopLimitExceeded)'],
} as const;

export function summaryOf(packet: Packet): string {
  const { transport } = packet;
  if (transport.protocol === 'tcp') return `TCP Flags: ${tcpFlagsText(transport.flags)}`;
  if (transport.protocol === 'udp') return 'UDP';
  const [v4, v6] = icmpTexts[transport.kind];
  return packet.source.family === 4 ? `ICMPv4 ${v4}` : `ICMPv6 ${v6}`;
}
