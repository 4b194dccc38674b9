import { Random } from '../../clock/random.ts';
import { tcpFlag } from '../../net/types.ts';
import { reservedName } from '../agent/datapath/identity.ts';
import type { Flow, FlowEndpoint } from '../types.ts';
import { formatTime, protobufTime, type TimeFormat } from './time-format.ts';

export type OutputFormat = 'compact' | 'dict' | 'table' | 'json' | 'jsonpb';

export interface PrintOptions {
  readonly format: OutputFormat;
  readonly hasIpTranslation: boolean;
  readonly hasNodeName: boolean;
  readonly timeFormat: TimeFormat;
  /** `--color always`; tables have none. */
  readonly hasColors: boolean;
  /** `default` unless the cluster has a name. */
  readonly clusterName: string;
  /** `HUBBLE_COMPAT=legacy-json-output`: the flow without its envelope. */
  readonly hasLegacyJson: boolean;
}

const namesCutOff = 50;
const dictSeparator = '------------\n';

/** The numbers of drop reasons in Cilium's API, with their names there. */
const dropReasons: Readonly<Record<string, readonly [number, string]>> = {
  'Invalid source ip': [132, 'INVALID_SOURCE_IP'],
  'Policy denied': [133, 'POLICY_DENIED'],
  'Unsupported L3 protocol': [139, 'UNSUPPORTED_L3_PROTOCOL'],
  'Stale or unroutable IP': [151, 'STALE_OR_UNROUTABLE_IP'],
  'Service backend not found': [158, 'SERVICE_BACKEND_NOT_FOUND'],
  'No tunnel/encapsulation endpoint (datapath BUG!)': [160, 'NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT'],
  'No mapping for NAT masquerade': [167, 'NO_MAPPING_FOR_NAT_MASQUERADE'],
  'FIB lookup failed': [169, 'FIB_LOOKUP_FAILED'],
  'Denied by LB src range check': [177, 'DENIED_BY_LB_SRC_RANGE_CHECK'],
  'Policy denied by denylist': [181, 'POLICY_DENY'],
  'No egress gateway found': [194, 'NO_EGRESS_GATEWAY'],
  'No Egress IP configured': [204, 'DROP_NO_EGRESS_IP'],
};

export function dropReasonOf(text: string): readonly [number, string] | undefined {
  return dropReasons[text];
}

/** Names that Hubble's API has for drop reasons; those that the simulator never drops for are known, too. */
export function isDropReasonName(name: string): boolean {
  return Object.values(dropReasons).some(([, known]) => known === name) || otherDropReasons.has(name);
}

const otherDropReasons = new Set([
  ...['INVALID_PACKET_DROPPED', 'CT_TRUNCATED_OR_INVALID_HEADER', 'CT_MISSING_TCP_ACK_FLAG', 'CT_UNKNOWN_L4_PROTOCOL', 'MISSED_TAIL_CALL'],
  ...['UNKNOWN_L4_PROTOCOL', 'UNKNOWN_L3_TARGET_ADDRESS', 'IP_FRAGMENTATION_NOT_SUPPORTED', 'UNSUPPORTED_L2_PROTOCOL', 'AUTH_REQUIRED'],
  ...['ENCAPSULATION_TRAFFIC_IS_PROHIBITED', 'INVALID_IDENTITY', 'UNKNOWN_SENDER', 'IS_A_CLUSTERIP', 'FORBIDDEN_ICMPV6_MESSAGE'],
  ...['UNENCRYPTED_TRAFFIC', 'TTL_EXCEEDED', 'NO_NODE_ID', 'DROP_RATE_LIMITED', 'DROP_HOST_NOT_READY', 'DROP_EP_NOT_READY'],
]);

/** Observation points of traces, by their number. */
export const tracePoints: readonly string[] = [
  'to-endpoint',
  'to-proxy',
  'to-host',
  'to-stack',
  'to-overlay',
  'from-endpoint',
  'from-proxy',
  'from-host',
  'from-stack',
  'from-overlay',
  'from-network',
  'to-network',
];
const socketPoints = ['post-xlate-rev', 'pre-xlate-fwd', 'post-xlate-fwd', 'pre-xlate-rev'];
const socketPointNames: Readonly<Record<string, string>> = {
  'pre-xlate-fwd': 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD',
  'post-xlate-fwd': 'SOCK_XLATE_POINT_POST_DIRECTION_FWD',
  'pre-xlate-rev': 'SOCK_XLATE_POINT_PRE_DIRECTION_REV',
  'post-xlate-rev': 'SOCK_XLATE_POINT_POST_DIRECTION_REV',
};
const policyMatches: Readonly<Record<string, number>> = {
  none: 0,
  'L3-Only': 1,
  'L3-L4': 2,
  'L4-Only': 3,
  all: 4,
  'L3-Proto': 5,
  'Proto-Only': 6,
};

/** Event types of Cilium's monitor. */
export const eventTypes = { drop: 1, debug: 2, capture: 3, trace: 4, 'policy-verdict': 5, 'trace-sock': 7, l7: 129, agent: 130 } as const;

/** Type and sub-type of the monitor event behind a flow. */
export function eventTypeOf(flow: Flow): { readonly type: number; readonly subType: number } {
  if (flow.observationPoint.startsWith('policy-verdict:')) return { type: eventTypes['policy-verdict'], subType: 0 };
  if (flow.dropReason !== undefined) return { type: eventTypes.drop, subType: dropReasons[flow.dropReason]?.[0] ?? 0 };
  if (socketPoints.includes(flow.observationPoint)) return { type: eventTypes['trace-sock'], subType: 0 };
  return { type: eventTypes.trace, subType: Math.max(0, tracePoints.indexOf(flow.observationPoint)) };
}

const colors = { red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 } as const;

/** A text in a colour, where there are colours. */
function paint(text: string, color: keyof typeof colors, options: Pick<PrintOptions, 'hasColors' | 'format'>): string {
  return options.hasColors && options.format !== 'table' ? `\u001b[${colors[color]}m${text}\u001b[0m` : text;
}

function hostOf(endpoint: FlowEndpoint, options: PrintOptions): string {
  let host = endpoint.ip.text;
  if (options.hasIpTranslation) {
    const name = endpoint.podName ?? endpoint.serviceName;
    if (name !== undefined && name !== '')
      host = endpoint.namespace === undefined || name.includes('/') ? name : `${endpoint.namespace}/${name}`;
  }
  if (endpoint.port === undefined || endpoint.port === 0) return paint(host, 'cyan', options);
  const port = paint(String(endpoint.port), 'yellow', options);
  return paint(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, 'cyan', options);
}

function identityText(id: number, options: PrintOptions): string {
  const name = reservedName(id);
  return paint(name === undefined ? `(ID:${id})` : `(${name})`, 'magenta', options);
}

function typeText(flow: Flow): string {
  return flow.observationPoint.startsWith('policy-verdict:') ? `${flow.observationPoint} ${flow.trafficDirection}` : flow.observationPoint;
}

function verdictText(flow: Flow): string {
  if (!flow.observationPoint.startsWith('policy-verdict:')) return flow.verdict;
  switch (flow.verdict) {
    case 'FORWARDED':
    case 'REDIRECTED':
      return 'ALLOWED';
    case 'DROPPED':
    case 'ERROR':
      return 'DENIED';
    case 'AUDIT':
      return 'AUDITED';
    default:
      return flow.verdict;
  }
}

function colouredVerdict(flow: Flow, options: PrintOptions): string {
  switch (flow.verdict) {
    case 'FORWARDED':
    case 'REDIRECTED':
      return paint(verdictText(flow), 'green', options);
    case 'DROPPED':
    case 'ERROR':
      return paint(verdictText(flow), 'red', options);
    default:
      return paint(verdictText(flow), 'yellow', options);
  }
}

function compactLine(flow: Flow, options: PrintOptions): string {
  let [from, to] = [flow.source, flow.destination];
  let arrow = '->';
  if (flow.isReply === undefined) arrow = '<>';
  else if (flow.isReply) {
    [from, to] = [to, from];
    arrow = '<-';
  }
  const node = options.hasNodeName ? ` [${flow.nodeName}]` : '';
  return `${formatTime(flow.time, options.timeFormat)}${node}: ${hostOf(from, options)} ${identityText(from.identity, options)} ${arrow} ${hostOf(to, options)} ${identityText(to.identity, options)} ${typeText(flow)} ${colouredVerdict(flow, options)} (${flow.summary})\n`;
}

function dictText(flow: Flow, options: PrintOptions): string {
  const node = options.hasNodeName ? `       NODE: ${flow.nodeName}\n` : '';
  return `  TIMESTAMP: ${formatTime(flow.time, options.timeFormat)}\n${node}     SOURCE: ${hostOf(flow.source, options)}\nDESTINATION: ${hostOf(flow.destination, options)}\n       TYPE: ${typeText(flow)}\n    VERDICT: ${colouredVerdict(flow, options)}\n    SUMMARY: ${flow.summary}\n`;
}

function tableText(flows: readonly Flow[], options: PrintOptions): string {
  if (flows.length === 0) return '';
  const rows = [
    ['TIMESTAMP', ...(options.hasNodeName ? ['NODE'] : []), 'SOURCE', 'DESTINATION', 'TYPE', 'VERDICT', 'SUMMARY'],
    ...flows.map((flow) => [
      formatTime(flow.time, options.timeFormat),
      ...(options.hasNodeName ? [flow.nodeName] : []),
      hostOf(flow.source, options),
      hostOf(flow.destination, options),
      typeText(flow),
      colouredVerdict(flow, options),
      flow.summary,
    ]),
  ];
  return alignColumns(rows);
}

/** Go's tabwriter as Hubble uses it: padding 3, nothing after the last cell. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + 3))).join('')}\n`)
    .join('');
}

function jsonEndpoint(endpoint: FlowEndpoint, clusterName: string) {
  return {
    ...(endpoint.identity === 0 ? {} : { identity: endpoint.identity }),
    ...(endpoint.podName === undefined ? {} : { cluster_name: clusterName }),
    ...(endpoint.podName === undefined || endpoint.namespace === undefined ? {} : { namespace: endpoint.namespace }),
    ...(endpoint.labels.length === 0 ? {} : { labels: endpoint.labels }),
    ...(endpoint.podName === undefined ? {} : { pod_name: endpoint.podName }),
    ...(endpoint.workload === undefined ? {} : { workloads: [{ name: endpoint.workload.name, kind: endpoint.workload.kind }] }),
  };
}

const jsonFlags: readonly (readonly [string, number])[] = [
  ['FIN', tcpFlag.fin],
  ['SYN', tcpFlag.syn],
  ['RST', tcpFlag.rst],
  ['PSH', tcpFlag.psh],
  ['ACK', tcpFlag.ack],
];

function layer4(flow: Flow) {
  const ports = {
    ...(flow.source.port === undefined ? {} : { source_port: flow.source.port }),
    ...(flow.destination.port === undefined ? {} : { destination_port: flow.destination.port }),
  };
  switch (flow.protocol) {
    case 'TCP': {
      const { tcpFlags } = flow;
      const flags =
        tcpFlags === undefined
          ? undefined
          : Object.fromEntries(jsonFlags.filter(([, bit]) => (tcpFlags & bit) !== 0).map(([name]) => [name, true]));
      return { TCP: { ...ports, ...(flags === undefined ? {} : { flags }) } };
    }
    case 'UDP':
      return { UDP: ports };
    case 'ICMPv4':
      return { ICMPv4: icmpType(flow) };
    case 'ICMPv6':
      return { ICMPv6: icmpType(flow) };
  }
}

function icmpType(flow: Flow) {
  const isV4 = flow.protocol === 'ICMPv4';
  if (flow.summary.includes('EchoRequest')) return { type: isV4 ? 8 : 128 };
  if (flow.summary.includes('EchoReply')) return isV4 ? {} : { type: 129 };
  if (flow.summary.includes('TimeExceeded')) return { type: isV4 ? 11 : 3 };
  if (flow.summary.includes('PacketTooBig')) return { type: 2 };
  return { type: isV4 ? 3 : 1, ...(flow.summary.includes('Port') ? { code: isV4 ? 3 : 4 } : {}) };
}

/** The same for the same flow, whenever it is asked for. */
export function flowUuid(flow: Flow): string {
  return new Random(
    `${flow.nodeName} ${flow.time} ${flow.observationPoint} ${flow.source.ip.text} ${flow.source.port ?? ''} ${flow.destination.ip.text} ${flow.destination.port ?? ''} ${flow.tcpFlags ?? ''}`,
  ).uuid();
}

/** The flow as Hubble's API has it, keys in the order of its fields. */
export function flowJson(flow: Flow, clusterName: string) {
  const { type, subType } = eventTypeOf(flow);
  const isSocket = type === eventTypes['trace-sock'];
  const match = flow.observationPoint.startsWith('policy-verdict:')
    ? policyMatches[flow.observationPoint.slice('policy-verdict:'.length)]
    : undefined;
  const uuid = flowUuid(flow);
  const drop = flow.dropReason === undefined ? undefined : dropReasons[flow.dropReason];
  const service = (endpoint: FlowEndpoint) =>
    endpoint.serviceName === undefined ? undefined : { name: endpoint.serviceName, namespace: endpoint.namespace ?? '' };
  const sourceService = service(flow.source);
  const destinationService = service(flow.destination);
  return {
    time: protobufTime(flow.time),
    uuid,
    verdict: flow.verdict,
    ...(drop === undefined ? {} : { drop_reason: drop[0] }),
    IP: { source: flow.source.ip.text, destination: flow.destination.ip.text, ipVersion: flow.family === 4 ? 'IPv4' : 'IPv6' },
    l4: layer4(flow),
    source: jsonEndpoint(flow.source, clusterName),
    destination: jsonEndpoint(flow.destination, clusterName),
    Type: isSocket ? 'SOCK' : 'L3_L4',
    node_name: flow.nodeName,
    event_type: { type, ...(subType === 0 ? {} : { sub_type: subType }) },
    ...(sourceService === undefined ? {} : { source_service: sourceService }),
    ...(destinationService === undefined ? {} : { destination_service: destinationService }),
    ...(flow.trafficDirection === 'TRAFFIC_DIRECTION_UNKNOWN' ? {} : { traffic_direction: flow.trafficDirection }),
    ...(match === undefined || match === 0 ? {} : { policy_match_type: match }),
    ...(type === eventTypes.trace ? { trace_observation_point: flow.observationPoint.toUpperCase().replace('-', '_') } : {}),
    ...(flow.isReply === undefined ? {} : { is_reply: flow.isReply }),
    ...(drop === undefined ? {} : { drop_reason_desc: drop[1] }),
    ...(isSocket ? { sock_xlate_point: socketPointNames[flow.observationPoint] ?? 'SOCK_XLATE_POINT_UNKNOWN' } : {}),
    Summary: flow.summary,
  };
}

/** What `hubble observe` prints of flows that it got. */
export function printFlows(flows: readonly Flow[], options: PrintOptions): string {
  switch (options.format) {
    case 'compact':
      return flows.map((flow) => compactLine(flow, options)).join('');
    case 'dict':
      return flows.map((flow, index) => `${index === 0 ? '' : dictSeparator}${dictText(flow, options)}`).join('');
    case 'table':
      return tableText(flows, options);
    case 'json':
    case 'jsonpb':
      return flows
        .map((flow) => {
          const json = flowJson(flow, options.clusterName);
          return `${JSON.stringify(options.hasLegacyJson ? json : { flow: json, node_name: flow.nodeName, time: json.time })}\n`;
        })
        .join('');
  }
}

/** Names up to about fifty characters, then how many more there are. */
export function joinNames(names: readonly string[]): string {
  let length = 0;
  let end = names.length;
  for (const [index, name] of names.entries()) {
    length += name.length + 2;
    if (length > namesCutOff && index > 0) {
      end = index;
      break;
    }
  }
  const joined = names.slice(0, end).join(', ');
  return end === names.length ? joined : `${joined} (and ${names.length - end} more)`;
}

/** The relay's notice about nodes whose server refused the request. */
export function printNodeError(message: string, names: readonly string[], relay: string, now: number, options: PrintOptions): string {
  if (names.length === 0) return '';
  const time = formatTime(now, options.timeFormat);
  switch (options.format) {
    case 'compact':
    case 'table':
      return `${time} [${relay}]: Error ${JSON.stringify(message)} on ${names.length} nodes: ${joinNames(names)}\n`;
    case 'dict':
      return `  TIMESTAMP: ${time}\n      STATE: NODE_ERROR\n      NODES: ${joinNames(names)}\n    MESSAGE: ${JSON.stringify(message)}\n`;
    case 'json':
    case 'jsonpb':
      return `${JSON.stringify({ node_status: { state_change: 'NODE_ERROR', node_names: names, message }, node_name: relay, time: protobufTime(now) })}\n`;
  }
}

/** The relay's notice about nodes that it cannot reach, for standard error. */
export function printUnavailable(names: readonly string[], relay: string, now: number, options: PrintOptions): string {
  if (names.length === 0) return '';
  switch (options.format) {
    case 'compact':
    case 'table':
      return `${formatTime(now, options.timeFormat)} [${relay}]: ${names.length} nodes are unavailable: ${joinNames(names)}\n`;
    case 'dict':
      return `  TIMESTAMP: ${formatTime(now, options.timeFormat)}\n      STATE: NODE_UNAVAILABLE\n      NODES: ${joinNames(names)}\n    MESSAGE: N/A\n`;
    case 'json':
    case 'jsonpb':
      return `${JSON.stringify({ node_status: { state_change: 'NODE_UNAVAILABLE', node_names: names }, node_name: relay, time: protobufTime(now) })}\n`;
  }
}
