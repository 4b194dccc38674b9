import { addressRange, type Range } from './address-range.ts';
import type { Networks } from './recording.ts';

/** Something that differs between any two runs of one lab, and what stands for it. */
export interface Mask {
  readonly name: string;
  readonly what: string;
  readonly apply: (text: string) => string;
}

const replace =
  (pattern: RegExp, by: string) =>
  (text: string): string =>
    text.replace(pattern, by);

const age = String.raw`(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?`;
/** Letters and digits of generated names (k8s.io/apimachinery, util/rand): no vowels, nothing that is easily confused. */
const safe = '[bcdfghjklmnpqrstvwxz2456789]';

/** In this order: a later mask meets the text that the earlier ones left. */
const textMasks: readonly Mask[] = [
  {
    name: 'timestamps',
    what: 'dates with times, in the forms of RFC 3339, RFC 1123, hubble and docker → <timestamp>',
    apply: (text) =>
      text
        .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d)\b)?(?: UTC\b)?/g, '<timestamp>')
        .replace(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})/g, '<timestamp>')
        .replace(/\b(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?(?: (?:[A-Z]{3,4} )?\d{4})?/g, '<timestamp>'),
  },
  { name: 'uids', what: 'UUIDs → <uid>', apply: replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '<uid>') },
  {
    name: 'container ids',
    what: 'ids of containers and networks: 64 hexadecimal digits, or 12 at the beginning of a line; digests of images stay → <id>',
    apply: (text) => text.replace(/(?<!sha256:)\b[0-9a-f]{64}\b/g, '<id>').replace(/^[0-9a-f]{12}(?=\s|$)/gm, '<id>'),
  },
  {
    name: 'resource versions',
    what: 'resourceVersion → <version>',
    apply: replace(/\b(resourceVersion"?: "?)\d+/g, '$1<version>'),
  },
  {
    name: 'MACs',
    what: 'MAC addresses, and the link-local addresses made of them → <mac>, fe80::<host>',
    apply: (text) =>
      text.replace(/(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f:])/gi, '<mac>').replace(/\bfe80::[0-9a-f:]+/gi, 'fe80::<host>'),
  },
  {
    name: 'name suffixes',
    what: 'what a controller puts behind a name: -<hash>-<suffix> of a deployment, -<suffix> of a daemon set → -<suffix>',
    apply: (text) =>
      text
        .replace(new RegExp(`(?<=[a-z0-9])-${safe}{8,10}-${safe}{5}\\b`, 'g'), '-<suffix>')
        .replace(new RegExp(`(?<=[a-z0-9])-(?=${safe}*\\d)${safe}{8,10}\\b`, 'g'), '-<suffix>')
        .replace(new RegExp(`(?<=[a-z0-9])-${safe}{5}(?![\\w.-])`, 'g'), '-<suffix>')
        .replace(/\b(pod-template-hash"?[=:] ?"?)\w+/g, '$1<hash>'),
  },
  {
    name: 'node ports',
    what: 'ports from 30000 to 32767 of a service → <node-port>',
    apply: (text) =>
      text
        .replace(/(?<=\b\d{1,5}:)3[0-2]\d{3}(?=\/(?:TCP|UDP|SCTP)\b)/g, '<node-port>')
        .replace(/\b((?:healthCheckN|n)odePort"?: ?)\d{5}\b/gi, '$1<node-port>')
        .replace(/^(NodePort:.*?)\b3[0-2]\d{3}(?=\/)/gm, '$1<node-port>'),
  },
  {
    name: 'client ports',
    what: 'ports from 32768 to 60999 behind an address → <port>',
    apply: replace(/(?<=[\d\]>][:]|\bport )(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|60\d{3})\b(?![.:\w])/g, '<port>'),
  },
  {
    name: 'identities',
    what: "numbers of Cilium's identities above the reserved ones → <identity>",
    apply: (text) =>
      text
        .replace(/\bID:(?:\d{4,}|2[6-9]\d|25[6-9]|[3-9]\d\d)\b/g, 'ID:<identity>')
        .replace(/\b(identity"?(?: ID)?[=:] ?)\d{3,}\b/gi, '$1<identity>'),
  },
  {
    name: 'ages',
    what: 'ages and uptimes in columns and before "ago", and what docker and FRR write for them → <age>',
    apply: (text) =>
      text
        .replace(/\b(?:About )?(?:an?|\d+) (?:second|minute|hour|day|week|month|year)s? ago\b/g, '<age>')
        .replace(/\bUp (?:Less than a second|About an? \w+|\d+ \w+)/g, 'Up <age>')
        .replace(new RegExp(`\\(x\\d+ over (?=\\d)${age}\\)`, 'g'), '(x<n> over <age>)')
        .replace(new RegExp(`(?<=^|[ \\t]{2}|[([,] ?)(?=\\d)${age}(?=[ \\t]{2}|[ \\t]*$|[ \\t]+\\(x<n>| ago\\b)`, 'gm'), '<age>')
        .replace(new RegExp(`(?<=[ \\t(])(?=\\d)${age}(?= ago\\b)`, 'g'), '<age>')
        .replace(/(?<![\d:.])\d\d:\d\d:\d\d(?![\d:])|(?<=\s)(?:\d\dw\d+d\d\dh|\d+d\d\dh\d\dm)(?=\s|$)/g, '<age>'),
  },
  {
    name: 'times taken',
    what: 'round trips of ping, traceroute and the like → <time>',
    apply: (text) =>
      text
        .replace(/\b(time[ =]<?)\d+(?:\.\d+)? ?ms\b/g, '$1<time>')
        .replace(/= [\d.]+\/[\d.]+\/[\d.]+(?:\/[\d.]+)? ms/g, '= <time>')
        .replace(/(?<=\s)\d+\.\d{3} ms\b/g, '<time>'),
  },
  {
    name: 'message counters',
    what: "counters of a BGP session's messages and the version of its table in FRR's tables → <n>",
    apply: (text) =>
      text
        .replace(/\btable version is \d+/g, 'table version is <n>')
        .replace(/\b(RIB entries \d+, using )\d+( bytes| \w+)/g, '$1<n>$2')
        .replace(/\b(Peers \d+, using )\d+( bytes| \w+)/g, '$1<n>$2')
        .replace(/^(\S+(?:\(\S+\))? +4 +\d+) +\d+ +\d+ +\d+/gm, '$1 <n> <n> <n>'),
  },
];

const padding: Mask = {
  name: 'padding',
  what: 'the width of columns (empty ones at the beginning of a line too), rules under them and blanks at the end of a line',
  apply: (text) =>
    text
      .replace(/-{4,}/g, '---')
      .replace(/─{2,}/g, '─')
      .replace(/(?<=\S)[ \t]+/g, ' ')
      .replace(/^[ \t]{24,}/gm, ' '.repeat(24))
      .replace(/[ \t]+$/gm, ''),
};

/** All masks, for the ranges of the clusters that are compared. */
export function masksFor(networks: Networks): readonly Mask[] {
  return [
    ...textMasks.slice(0, 5),
    addressMask('pod addresses', 'addresses of pods, in the pod ranges of the cluster; prefixes stay', 'pod', networks.pods),
    addressMask('cluster IPs', 'addresses of services, in the service ranges of the cluster', 'cluster', networks.services),
    ...textMasks.slice(5),
    padding,
  ];
}

function addressMask(name: string, what: string, word: string, prefixes: readonly string[]): Mask {
  const ranges = prefixes.map(addressRange).filter((range): range is Range => range !== undefined);
  const stands = `<${word}-ip>`;
  const isIn = (address: string) => ranges.some((range) => range.has(address));
  return {
    name,
    what: `${what}${ranges.length === 0 ? '' : ` (${prefixes.join(', ')})`} → ${stands}`,
    apply: (text) =>
      ranges.length === 0
        ? text
        : text
            .replace(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)(?!\/(?!32\b)\d)/g, (found) => (isIn(found) ? stands : found))
            .replace(/(?<![0-9a-f:])[0-9a-f]{1,4}:[0-9a-f:]*[0-9a-f:](?![0-9a-f])(?!\/(?!128\b)\d)/gi, (found) =>
              isIn(found) ? stands : found,
            ),
  };
}

/** Fields of JSON that differ between any two runs; those with a value of their own are told by their name alone. */
const jsonFields = new Set(
  [
    'uid resourceVersion creationTimestamp deletionTimestamp lastTransitionTime lastUpdateTime lastProbeTime lastHeartbeatTime startTime startedAt finishedAt renewTime',
    'acquireTime observedGeneration generation node_name source_port uuid managedFields machineID systemUUID bootID nodeName hostIP hostIPs containerID podIP nodePort healthCheckNodePort identity time uptime',
    'tableVersion tableVer msgRcvd msgSent peerUptime peerUptimeMsec peerUptimeEstablishedEpoch bgpTimerUpMsec bgpTimerUpString bgpTimerUpEstablishedEpoch',
    'bgpTimerLastRead bgpTimerLastWrite bgpInUpdateElapsedTimeMsecs lastUpdate epoch string portForeign portLocal hostForeignPort uptime-nanoseconds ribMemory peerMemory',
    'connectionsEstablished connectionsDropped lastResetTimerMsecs messageStats opensSent opensRecv notificationsSent notificationsRecv updatesSent updatesRecv keepalivesSent keepalivesRecv totalSent totalRecv',
  ].flatMap((line) => line.split(' ')),
);

export const jsonMask = {
  name: 'JSON fields',
  what: `JSON is compared with its keys in order, and without the values of ${[...jsonFields].join(', ')}`,
};

export const trafficMask = {
  name: 'traffic',
  what: 'what hubble observe and tcpdump listed is compared as a set: which kinds of lines there are, not how many, nor in which order',
};

/** Whether a command lists what happened to pass by. */
export function listsTraffic(argv: readonly string[]): boolean {
  const words = argv.length === 3 && argv[1] === '-c' ? (argv[2] ?? '').split(/\s+/) : argv;
  return words[0] === 'tcpdump' || (words[0] === 'hubble' && words.includes('observe'));
}

/** The different lines of a listing of traffic; those of JSON without what varies. */
export function kindsOfTraffic(text: string, mask: (text: string) => string): string {
  const kinds = text.split('\n').map((line) => mask(canonicalLine(line)));
  return [...new Set(kinds.filter((line) => line !== ''))].sort().join('\n');
}

function canonicalLine(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    return JSON.stringify(canonical(JSON.parse(line)));
  } catch {
    return line;
  }
}

/** A JSON text with its keys in order, and what always differs left out; undefined for what is no JSON object or list. */
export function canonicalJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.stringify(canonical(JSON.parse(text)), null, 2);
  } catch {
    return undefined;
  }
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([key, inner]) => [
      key,
      (jsonFields.has(key) && !isBranch(key, inner)) || isTableVersion(key, inner) ? '<varies>' : canonical(inner),
    ]),
  );
}

/** FRR numbers the changes of a path; a version of anything else is a text. */
function isTableVersion(key: string, value: unknown): boolean {
  return key === 'version' && typeof value === 'number';
}

/** `time` and `string` are words that a mapping may have as well. */
function isBranch(key: string, value: unknown): boolean {
  if (key === 'hostIPs') return false;
  return typeof value === 'object' && value !== null && key !== 'managedFields' && key !== 'messageStats';
}
