import type { Family, NetfilterRule, RuleCounter } from '../../../net/types.ts';

export const tables = ['filter', 'nat', 'mangle', 'raw'] as const;
export type Table = (typeof tables)[number];

/** What a rule's words print as: saved, and listed with numbers or with names. */
export interface ShownPart {
  readonly save: string;
  readonly numeric: string;
  readonly named: string;
}

/** A rule as it was typed: iptables keeps the order of the matches. Rules of programs (kube-proxy, docker) have none. */
interface Shown {
  readonly matches: readonly ShownPart[];
  readonly targetName: string;
  readonly target: ShownPart;
}

const typed = new WeakMap<NetfilterRule, Shown>();

export function rememberTyped(rule: NetfilterRule, shown: Shown): void {
  typed.set(rule, shown);
}

export interface ChainView {
  readonly name: string;
  readonly policy: 'accept' | 'drop' | undefined;
  readonly rules: readonly NetfilterRule[];
  readonly references: number;
  readonly counter: RuleCounter | undefined;
}

export interface ListOptions {
  readonly isNumeric: boolean;
  readonly isVerbose: boolean;
  readonly isExact: boolean;
  readonly hasNumbers: boolean;
  readonly position: number | undefined;
}

type CounterOf = (rule: NetfilterRule) => RuleCounter | undefined;

const protocolNumbers: Readonly<Record<string, number>> = {
  all: 0,
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  ospf: 89,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};

const printedNames: Readonly<Record<string, string>> = { icmpv6: 'ipv6-icmp' };

export function protocolByName(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (lower === 'ipv6-icmp' || lower === 'icmp6') return 'icmpv6';
  if (lower in protocolNumbers) return lower;
  return Object.entries(protocolNumbers).find(([, number]) => String(number) === text)?.[0];
}

/** Names of ports that a listing without -n prints (/etc/services). */
const serviceNames: Readonly<Record<number, string>> = {
  21: 'ftp',
  22: 'ssh',
  23: 'telnet',
  25: 'smtp',
  53: 'domain',
  67: 'bootps',
  68: 'bootpc',
  69: 'tftp',
  80: 'http',
  110: 'pop3',
  123: 'ntp',
  143: 'imap2',
  161: 'snmp',
  179: 'bgp',
  389: 'ldap',
  443: 'https',
  993: 'imaps',
  3306: 'mysql',
  5432: 'postgresql',
};

export function serviceName(port: number): string {
  return serviceNames[port] ?? String(port);
}

export function portNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 65535 ? Number(text) : undefined;
  const found = Object.entries(serviceNames).find(([, name]) => name === text);
  return found === undefined ? undefined : Number(found[0]);
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

function hasNot(side: { readonly inverted?: boolean } | undefined): boolean {
  return side?.inverted === true;
}

/** The protocol of a rule, wherever it stands. */
function protocolPart(rule: NetfilterRule): { readonly name: string; readonly isInverted: boolean } {
  const test = rule.tests?.find(({ kind }) => kind === 'protocol');
  if (test?.kind === 'protocol') return { name: test.names[0] ?? 'all', isInverted: test.inverted === true };
  return { name: rule.protocol ?? 'all', isInverted: false };
}

function rangeText({ low, high }: { readonly low: number; readonly high: number }): string {
  return low === high ? String(low) : `${low}:${high}`;
}

/** The kernel keeps states as bits and prints them in this order. */
export function stateText(states: readonly string[]): string {
  return ['invalid', 'new', 'related', 'established', 'untracked', 'dnat']
    .filter((state) => states.includes(state))
    .join(',')
    .toUpperCase();
}

export function quoted(text: string): string {
  return /^[\w.:/@%+=-]+$/.test(text) ? text : `"${text.replace(/(["\\])/g, '\\$1')}"`;
}

/** Matches of a rule that no one has typed: from its fields, in the order of the fields. */
function partsOf(rule: NetfilterRule): readonly ShownPart[] {
  const parts: ShownPart[] = [];
  const both = (save: string, listed: string): void => void parts.push({ save, numeric: listed, named: listed });
  const { sourcePort, destinationPort, connectionState, mark, comment, localAddress, probability, recent } = rule;
  if (sourcePort !== undefined || destinationPort !== undefined) {
    const name = rule.protocol ?? 'tcp';
    const listed = (ports: { readonly low: number; readonly high: number } | undefined, word: string): string =>
      ports === undefined ? '' : ` ${word}${ports.low === ports.high ? '' : 's'}:${rangeText(ports)}`;
    both(
      `-m ${name}${sourcePort === undefined ? '' : ` --sport ${rangeText(sourcePort)}`}${destinationPort === undefined ? '' : ` --dport ${rangeText(destinationPort)}`}`,
      `${name}${listed(sourcePort, 'spt')}${listed(destinationPort, 'dpt')}`,
    );
  }
  if (connectionState !== undefined) both(`-m conntrack --ctstate ${stateText(connectionState)}`, `ctstate ${stateText(connectionState)}`);
  if (mark !== undefined) {
    const text = `${hex(mark.value)}${mark.mask >>> 0 === 0xffffffff ? '' : `/${hex(mark.mask)}`}`;
    both(`-m mark${hasNot(mark) ? ' !' : ''} --mark ${text}`, `mark match${hasNot(mark) ? ' !' : ''} ${text}`);
  }
  if (comment !== undefined) both(`-m comment --comment ${quoted(comment)}`, `/* ${comment} */`);
  if (localAddress !== undefined) {
    const side = localAddress === 'source' ? 'src' : 'dst';
    both(`-m addrtype --${side}-type LOCAL`, `ADDRTYPE match ${side}-type LOCAL`);
  }
  if (probability !== undefined) {
    // iptables keeps 31 bits of it.
    const text = (Math.round(probability * 2 ** 31) / 2 ** 31).toFixed(11);
    both(`-m statistic --mode random --probability ${text}`, `statistic mode random probability ${text}`);
  }
  if (recent !== undefined) {
    const seconds = recent.seconds === undefined ? '' : ` --seconds ${recent.seconds} --reap`;
    const listed = recent.seconds === undefined ? '' : ` seconds: ${recent.seconds} reap`;
    const action = recent.action === 'set' ? 'SET' : 'CHECK';
    both(
      `-m recent --${recent.action}${seconds} --name ${recent.name} --mask 255.255.255.255 --rsource`,
      `recent: ${action}${listed} name: ${recent.name} side: source mask: 255.255.255.255`,
    );
  }
  return parts;
}

export function endpointText(target: { readonly address?: { readonly text: string }; readonly port?: number }, family: Family): string {
  const { address, port } = target;
  if (address === undefined) return `:${port ?? 0}`;
  if (port === undefined) return address.text;
  return family === 4 ? `${address.text}:${port}` : `[${address.text}]:${port}`;
}

function targetOf(rule: NetfilterRule, family: Family): { readonly name: string; readonly part: ShownPart } {
  const { target } = rule;
  const make = (name: string, save = '', listed = '') => ({ name, part: { save, numeric: listed, named: listed } });
  switch (target.kind) {
    case 'none':
      return make('');
    case 'jump':
    case 'goto':
      return make(target.chain, '', target.kind === 'goto' ? '[goto] ' : '');
    case 'snat':
    case 'dnat': {
      const text = endpointText(target, family);
      return make(target.kind.toUpperCase(), ` --to-${target.kind === 'snat' ? 'source' : 'destination'} ${text}`, `to:${text}`);
    }
    case 'redirect':
      return target.port === undefined ? make('REDIRECT') : make('REDIRECT', ` --to-ports ${target.port}`, `redir ports ${target.port}`);
    case 'mark': {
      const mask = (target.mask ?? 0xffffffff) >>> 0;
      const value = target.value >>> 0;
      const listed =
        mask === 0xffffffff ? `MARK set ${hex(value)}` : mask === value ? `MARK or ${hex(value)}` : `MARK xset ${hex(value)}/${hex(mask)}`;
      return make('MARK', ` --set-xmark ${hex(value)}/${hex(mask)}`, listed);
    }
    case 'reject': {
      const kind = target.with ?? (family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable');
      return make('REJECT', ` --reject-with ${kind}`, `reject-with ${kind}`);
    }
    default:
      return make(target.kind.toUpperCase());
  }
}

function sidePrefix(rule: NetfilterRule, side: 'source' | 'destination'): NetfilterRule['source'] {
  return rule[side];
}

/** The words after the chain, as `iptables -S` prints them. */
export function ruleText(rule: NetfilterRule, family: Family): string {
  const words: string[] = [];
  const not = (side: { readonly inverted?: boolean } | undefined): string => (hasNot(side) ? '! ' : '');
  const source = sidePrefix(rule, 'source');
  const destination = sidePrefix(rule, 'destination');
  if (source !== undefined) words.push(`${not(source)}-s ${source.prefix.text}`);
  if (destination !== undefined) words.push(`${not(destination)}-d ${destination.prefix.text}`);
  if (rule.inInterface !== undefined) words.push(`${not(rule.inInterface)}-i ${rule.inInterface.name}`);
  if (rule.outInterface !== undefined) words.push(`${not(rule.outInterface)}-o ${rule.outInterface.name}`);
  const { name, isInverted } = protocolPart(rule);
  if (name !== 'all') words.push(`${isInverted ? '! ' : ''}-p ${printedNames[name] ?? name}`);
  const shown = typed.get(rule);
  for (const { save } of shown?.matches ?? partsOf(rule)) if (save !== '') words.push(save);
  const target = shown === undefined ? targetOf(rule, family) : { name: shown.targetName, part: shown.target };
  if (target.name !== '') words.push(`${rule.target.kind === 'goto' ? '-g' : '-j'} ${target.name}${target.part.save}`);
  return words.map((word) => ` ${word}`).join('');
}

/** `-S`. */
export function rulesText(chains: readonly ChainView[], family: Family): string {
  const heads = chains.map(({ name, policy }) => (policy === undefined ? `-N ${name}\n` : `-P ${name} ${policy.toUpperCase()}\n`));
  return heads.join('') + chains.flatMap(({ name, rules }) => rules.map((rule) => `-A ${name}${ruleText(rule, family)}\n`)).join('');
}

function count(value: number, isExact: boolean): string {
  if (isExact) return `${String(value).padStart(8)} `;
  if (value <= 99999) return `${String(value).padStart(5)} `;
  const units = ['K', 'M', 'G', 'T'];
  let scaled = value;
  for (const unit of units) {
    scaled = Math.floor((scaled + 500) / 1000);
    if (scaled <= 9999 || unit === 'T') return `${String(scaled).padStart(4)}${unit} `;
  }
  return `${scaled} `;
}

/** `-L`. Column widths as of iptables 1.8.9 (iptables/nft-shared.c, iptables/xshared.c). */
export function listText(chain: ChainView, family: Family, options: ListOptions, counterOf: CounterOf): string {
  const { packets = 0, bytes = 0 } = chain.counter ?? {};
  const counters = options.isVerbose ? ` ${packets} packets, ${bytes} bytes` : '';
  const kind = chain.policy === undefined ? `${chain.references} references` : `policy ${chain.policy.toUpperCase()}${counters}`;
  const number = options.hasNumbers ? 'num  ' : '';
  const columns = options.isVerbose
    ? `${number} pkts bytes target     prot opt in     out     source               destination         \n`
    : `${number}target     prot opt source               destination         \n`;
  const head = options.position === undefined ? `Chain ${chain.name} (${kind})\n${columns}` : '';
  const rows = chain.rules.flatMap((rule, index) =>
    options.position === undefined || options.position === index + 1 ? [rowText(rule, index + 1, family, options, counterOf(rule))] : [],
  );
  return head + rows.join('');
}

function rowText(
  rule: NetfilterRule,
  number: number,
  family: Family,
  { isNumeric, isVerbose, isExact, hasNumbers }: ListOptions,
  counter: RuleCounter | undefined,
): string {
  const shown = typed.get(rule);
  const target = shown === undefined ? targetOf(rule, family) : { name: shown.targetName, part: shown.target };
  const { name, isInverted } = protocolPart(rule);
  const protocol = `${isInverted ? '!' : ''}${isNumeric ? String(protocolNumbers[name] ?? name) : (printedNames[name] ?? name)}`;
  const anywhere = isNumeric ? (family === 4 ? '0.0.0.0/0' : '::/0') : 'anywhere';
  const place = (side: NetfilterRule['source']): string => {
    const text =
      side === undefined ? anywhere : side.prefix.length === (family === 4 ? 32 : 128) ? side.prefix.address.text : side.prefix.text;
    return `${hasNot(side) ? '!' : ' '}${text.padEnd(19)}`;
  };
  const device = (side: NetfilterRule['inInterface']): string =>
    `${side === undefined ? (isNumeric ? '*' : 'any') : `${hasNot(side) ? '!' : ''}${side.name}`}`.padEnd(6);
  const extras = [...(shown?.matches ?? partsOf(rule)), target.part]
    .map((part) => (isNumeric ? part.numeric : part.named))
    .filter((text) => text !== '');
  const counts = isVerbose ? `${count(counter?.packets ?? 0, isExact)}${count(counter?.bytes ?? 0, isExact)}` : '';
  const devices = isVerbose ? ` ${device(rule.inInterface)} ${device(rule.outInterface)} ` : '';
  return `${hasNumbers ? String(number).padEnd(5) : ''}${counts}${target.name.padEnd(9)}  ${protocol.padEnd(4)} -- ${devices}${place(rule.source)} ${place(rule.destination)} ${extras.length === 0 ? '' : ` ${extras.join(' ')}`}\n`;
}
