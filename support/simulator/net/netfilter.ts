import type { Random } from '../clock/random.ts';
import { contains } from './address.ts';
import { type Connection, Conntrack, leftAlone, type Tracked, translateDestination, translateSource } from './conntrack.ts';
import type { Device } from './interface.ts';
import { LateMap } from './late-collections.ts';
import type { Namespace } from './namespace.ts';
import { NetworkError } from './network-error.ts';
import { packetSize } from './packet.ts';
import { passesTest } from './packet-test.ts';
import { selectSource4, selectSource6 } from './source-address.ts';
import type { Family, HookedChain, IcmpKind, Ip, Netfilter, NetfilterRule, Packet, RuleCounter } from './types.ts';

export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
export type TableName = 'filter' | 'nat' | 'mangle' | 'raw';

interface Chain {
  policy: 'accept' | 'drop' | undefined;
  rules: NetfilterRule[];
}

type Tables = Partial<Record<TableName, Map<string, Chain>>>;

const builtIn: Readonly<Record<TableName, readonly Hook[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** The tables of a hook in the order of their priorities; `nat` is handled beside, with the connection. */
const plainTables: Readonly<Record<Hook, readonly TableName[]>> = {
  PREROUTING: ['raw', 'mangle'],
  INPUT: ['mangle', 'filter'],
  FORWARD: ['mangle', 'filter'],
  OUTPUT: ['raw', 'mangle', 'filter'],
  POSTROUTING: ['mangle'],
};

/** iptables' names for what REJECT sends (iptables-extensions(8)). */
const rejectKinds: Readonly<Record<string, IcmpKind>> = {
  'icmp-net-unreachable': 'net-unreachable',
  'icmp-host-unreachable': 'host-unreachable',
  'icmp-port-unreachable': 'port-unreachable',
  'icmp-proto-unreachable': 'protocol-unreachable',
  'icmp-net-prohibited': 'admin-prohibited',
  'icmp-host-prohibited': 'admin-prohibited',
  'icmp-admin-prohibited': 'admin-prohibited',
  'icmp6-no-route': 'no-route',
  'icmp6-adm-prohibited': 'admin-prohibited',
  'icmp6-addr-unreachable': 'address-unreachable',
  'icmp6-port-unreachable': 'port-unreachable',
};

type Verdict = NetfilterRule['target'] | undefined;

function isTranslation(verdict: Verdict): boolean {
  return verdict?.kind === 'snat' || verdict?.kind === 'dnat' || verdict?.kind === 'masquerade' || verdict?.kind === 'redirect';
}

const priorities: Readonly<Record<TableName, number>> = { raw: -300, mangle: -150, nat: 0, filter: 0 };

/**
 * iptables and ip6tables of a namespace: chains at the five hooks and the NAT that stands on connection
 * tracking. Not modelled: packets that only cross a bridge (br_netfilter), and connection helpers.
 */
export class NetfilterTables implements Netfilter {
  readonly #namespace: Namespace;
  #conntrack: Conntrack | undefined;
  readonly #match: FurtherMatches;
  /** Tables come into being when they are first looked into, as in the kernel: most namespaces have none. */
  readonly #tables4: Tables = {};
  readonly #tables6: Tables = {};
  #isActive4 = false;
  #isActive6 = false;
  #tracks4 = false;
  #tracks6 = false;
  #hooked: readonly HookedChain[] | undefined;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    this.#match = new FurtherMatches(namespace);
  }

  get conntrack(): Conntrack {
    this.#conntrack ??= new Conntrack(this.#namespace.network.clock, this.#namespace.random.stream('conntrack'));
    return this.#conntrack;
  }

  append(family: Family, table: TableName, chain: string, rule: NetfilterRule): void {
    this.#chain(family, table, chain).rules.push(rule);
    this.#changed(family);
  }

  insert(family: Family, table: TableName, chain: string, rule: NetfilterRule, position = 1): void {
    this.#chain(family, table, chain).rules.splice(position - 1, 0, rule);
    this.#changed(family);
  }

  delete(family: Family, table: TableName, chain: string, rule: NetfilterRule): boolean {
    const { rules } = this.#chain(family, table, chain);
    const text = ruleText(rule);
    const index = rules.findIndex((known) => known === rule || ruleText(known) === text);
    if (index < 0) return false;
    rules.splice(index, 1);
    this.#changed(family);
    return true;
  }

  createChain(family: Family, table: TableName, chain: string): void {
    const chains = this.#table(family, table);
    if (chains.has(chain)) throw new NetworkError('EEXIST', 'Chain already exists.');
    chains.set(chain, { policy: undefined, rules: [] });
  }

  deleteChain(family: Family, table: TableName, chain: string): void {
    this.#table(family, table).delete(chain);
  }

  renameChain(family: Family, table: TableName, chain: string, name: string): void {
    const chains = this.#table(family, table);
    const found = this.#chain(family, table, chain);
    chains.delete(chain);
    chains.set(name, found);
  }

  counterOf(subject: object): RuleCounter | undefined {
    return this.#match.counters?.get(subject);
  }

  zeroCounter(subject: object): void {
    this.#match.counters?.delete(subject);
  }

  setHooked(chains: readonly HookedChain[]): void {
    this.#hooked = chains.length === 0 ? undefined : [...chains].sort((a, b) => a.priority - b.priority);
    for (const family of [4, 6] as const) this.#changed(family);
  }

  flush(family: Family, table: TableName, chain?: string): void {
    if (chain !== undefined) this.#chain(family, table, chain).rules = [];
    else for (const each of this.#table(family, table).values()) each.rules = [];
    this.#changed(family);
  }

  setPolicy(family: Family, chain: string, policy: 'accept' | 'drop'): void {
    const found = this.#chain(family, 'filter', chain);
    if (found.policy === undefined) throw new NetworkError('EINVAL', 'Bad built-in chain name.');
    found.policy = policy;
    this.#changed(family);
  }

  chains(
    family: Family,
    table: TableName,
  ): ReadonlyMap<string, { readonly policy: 'accept' | 'drop' | undefined; readonly rules: readonly NetfilterRule[] }> {
    return this.#table(family, table);
  }

  /** False costs a packet nothing: there is no rule for it to meet. */
  isActive(family: Family): boolean {
    return family === 4 ? this.#isActive4 : this.#isActive6;
  }

  /** Looks up the connection of a packet that enters the namespace or is made in it; undefined without connection tracking. */
  begin(packet: Packet): Tracked | undefined {
    return (packet.source.family === 4 ? this.#tracks4 : this.#tracks6) ? this.conntrack.track(packet) : undefined;
  }

  /** Takes a packet through one hook: the packet that goes on, or undefined when it ended there. */
  run(hook: Hook, packet: Packet, input: Device | undefined, output: Device | undefined, tracked: Tracked | undefined): Packet | undefined {
    if (this.#hooked !== undefined) return this.#runHooked(this.#hooked, hook, packet, input, output, tracked);
    let current = packet;
    for (const table of plainTables[hook]) {
      if (table === 'filter' && hook === 'OUTPUT') current = this.#translate(hook, current, input, output, tracked);
      const next = this.#runTable(table, hook, current, input, output, tracked);
      if (next === undefined) return undefined;
      current = next;
    }
    if (hook === 'OUTPUT' || hook === 'FORWARD') return current;
    current = this.#translate(hook, current, input, output, tracked);
    this.#confirm(hook, current, tracked);
    return current;
  }

  /** The same with nftables' chains between iptables' tables, by priority; of equals, nftables' come later. */
  #runHooked(
    hooked: readonly HookedChain[],
    hook: Hook,
    packet: Packet,
    input: Device | undefined,
    output: Device | undefined,
    tracked: Tracked | undefined,
  ): Packet | undefined {
    const { family } = packet.source;
    type Step = { readonly priority: number; readonly take: (current: Packet) => Packet | undefined };
    const steps: Step[] = plainTables[hook].map((table) => ({
      priority: priorities[table],
      take: (current) => this.#runTable(table, hook, current, input, output, tracked),
    }));
    if (hook !== 'FORWARD')
      steps.push({
        priority: hook === 'PREROUTING' || hook === 'OUTPUT' ? -100 : 100,
        take: (current) => this.#translate(hook, current, input, output, tracked),
      });
    for (const each of hooked) {
      if (each.hook !== hook || each.isNat || !each.families.includes(family)) continue;
      const { chain, chains, label, priority } = each;
      steps.push({ priority, take: (current) => this.#runChain(chain, chains, label, current, input, output, tracked) });
    }
    steps.sort((a, b) => a.priority - b.priority);
    let current = packet;
    for (const { take } of steps) {
      const next = take(current);
      if (next === undefined) return undefined;
      current = next;
    }
    this.#confirm(hook, current, tracked);
    return current;
  }

  #confirm(hook: Hook, current: Packet, tracked: Tracked | undefined): void {
    if ((hook === 'POSTROUTING' || hook === 'INPUT') && tracked?.connection !== undefined && !tracked.connection.isConfirmed) {
      this.conntrack.confirm(tracked.connection, current.transport);
    }
  }

  /**
   * Neighbour discovery is ICMPv6, so ip6tables sees it; ARP passes by iptables. A REJECT answers nothing here: ICMPv6
   * errors about multicast and about the unspecified address are not sent.
   */
  passesDiscovery(hook: 'INPUT' | 'OUTPUT', source: Ip, destination: Ip, device: Device): boolean {
    if (!this.#isActive6) return true;
    const packet: Packet = {
      source,
      destination,
      ttl: 255,
      flowLabel: 0,
      transport: { protocol: 'icmp', kind: 'echo-request', identifier: 0, sequence: 0, size: 24 },
    };
    for (const table of plainTables[hook]) {
      const chains = this.#table(6, table);
      const chain = chains.get(hook);
      if (chain === undefined) continue;
      const walk = new Walk(
        chains,
        packet,
        hook === 'INPUT' ? device : undefined,
        hook === 'OUTPUT' ? device : undefined,
        leftAlone,
        this.#match,
      );
      const verdict = walk.chain(chain);
      if (verdict?.kind === 'drop' || verdict?.kind === 'reject' || (verdict === undefined && chain.policy === 'drop')) return false;
    }
    for (const each of this.#hooked ?? []) {
      if (each.hook !== hook || each.isNat || !each.families.includes(6)) continue;
      const walk = new Walk(
        each.chains,
        packet,
        hook === 'INPUT' ? device : undefined,
        hook === 'OUTPUT' ? device : undefined,
        leftAlone,
        this.#match,
      );
      const verdict = walk.chain(each.chain);
      if (verdict?.kind === 'drop' || verdict?.kind === 'reject' || (verdict === undefined && each.chain.policy === 'drop')) return false;
    }
    return true;
  }

  #runTable(
    table: TableName,
    hook: Hook,
    packet: Packet,
    input: Device | undefined,
    output: Device | undefined,
    tracked: Tracked | undefined,
  ): Packet | undefined {
    const { family } = packet.source;
    const chains = this.#table(family, table);
    const chain = chains.get(hook);
    if (chain === undefined || (chain.rules.length === 0 && chain.policy !== 'drop')) return packet;
    return this.#runChain(chain, chains, `${table} ${hook}`, packet, input, output, tracked);
  }

  #runChain(
    chain: HookedChain['chain'],
    chains: HookedChain['chains'],
    label: string,
    packet: Packet,
    input: Device | undefined,
    output: Device | undefined,
    tracked: Tracked | undefined,
  ): Packet | undefined {
    const walk = new Walk(chains, packet, input, output, tracked, this.#match);
    const verdict = walk.chain(chain);
    const { network, ip } = this.#namespace;
    if (verdict === undefined) this.#match.count(chain, packet);
    if (verdict?.kind === 'reject') {
      network.dispose(walk.packet, this.#namespace, 'filtered', label);
      if (verdict.with === 'tcp-reset') ip.sendReset(walk.packet);
      else ip.sendError(rejectKinds[verdict.with ?? ''] ?? 'port-unreachable', walk.packet);
      return undefined;
    }
    if (verdict?.kind === 'drop' || (verdict === undefined && chain.policy === 'drop')) {
      network.dispose(walk.packet, this.#namespace, 'filtered', label);
      return undefined;
    }
    return walk.packet;
  }

  /** The `nat` table: rules decide on the first packet, the connection on all others. */
  #translate(hook: Hook, packet: Packet, input: Device | undefined, output: Device | undefined, tracked: Tracked | undefined): Packet {
    if (tracked?.connection === undefined) return packet;
    const { connection } = tracked;
    const isDestinationHook = hook === 'PREROUTING' || hook === 'OUTPUT';
    if (!connection.isConfirmed && tracked.direction === 'original' && !tracked.isError) {
      const chains = this.#table(packet.source.family, 'nat');
      const chain = chains.get(hook);
      const walk = new Walk(chains, packet, input, output, tracked, this.#match);
      let verdict = chain === undefined ? undefined : walk.chain(chain);
      if (verdict === undefined && chain !== undefined && chain.rules.length > 0) this.#match.count(chain, packet);
      for (const each of this.#hooked ?? []) {
        if (!each.isNat || each.hook !== hook || !each.families.includes(packet.source.family) || isTranslation(verdict)) continue;
        const other = new Walk(each.chains, walk.packet, input, output, tracked, this.#match);
        verdict = other.chain(each.chain);
        walk.packet = other.packet;
      }
      if (isDestinationHook) this.#bindDestination(connection, verdict, hook === 'PREROUTING' ? input : undefined);
      else this.#bindSource(connection, verdict, output, packet);
      // A mark that the chains have set stays with the packet.
      return isDestinationHook ? translateDestination(walk.packet, tracked) : translateSource(walk.packet, tracked);
    }
    return isDestinationHook ? translateDestination(packet, tracked) : translateSource(packet, tracked);
  }

  #bindDestination(connection: Connection, verdict: Verdict, input: Device | undefined): void {
    if (verdict?.kind === 'redirect') {
      const { family } = connection.original.destination;
      // The first address of the device that it came in by; what the machine itself sends goes to its loopback.
      const own = (input ?? this.#namespace.loopback).addresses.find(
        ({ ip, scope }) => ip.family === family && (family === 4 || scope !== 'link'),
      );
      if (own !== undefined) this.conntrack.setDestinationNat(connection, own.ip, verdict.port);
    }
    if (verdict?.kind === 'dnat')
      this.conntrack.setDestinationNat(connection, verdict.address ?? connection.original.destination, verdict.port);
  }

  #bindSource(connection: Connection, verdict: Verdict, output: Device | undefined, packet: Packet): void {
    if (verdict?.kind === 'snat') this.conntrack.setSourceNat(connection, verdict.address ?? connection.original.source, verdict.port);
    else if (verdict?.kind === 'masquerade' && output !== undefined) {
      const { devices, routes } = this.#namespace;
      const decision = routes.lookup(packet.destination);
      const source =
        decision.kind === 'forward' && decision.device === output && decision.source !== undefined
          ? decision.source
          : packet.source.family === 4
            ? selectSource4(output, undefined, devices)
            : selectSource6(output, packet.destination, devices);
      if (source !== undefined) this.conntrack.setSourceNat(connection, source, undefined);
    } else this.conntrack.keepSource(connection);
  }

  #table(family: Family, table: TableName): Map<string, Chain> {
    const tables = family === 4 ? this.#tables4 : this.#tables6;
    tables[table] ??= new Map(builtIn[table].map((hook) => [hook, { policy: 'accept', rules: [] }]));
    return tables[table];
  }

  /** @throws NetworkError ESRCH, worded as iptables does */
  #chain(family: Family, table: TableName, chain: string): Chain {
    const found = this.#table(family, table).get(chain);
    if (found === undefined) throw new NetworkError('ESRCH', 'No chain/target/match by that name.');
    return found;
  }

  #changed(family: Family): void {
    let isActive = false;
    let tracks = false;
    for (const [table, chains] of Object.entries(family === 4 ? this.#tables4 : this.#tables6)) {
      for (const { policy, rules } of chains.values()) {
        if (rules.length > 0 || policy === 'drop') isActive = true;
        if (rules.length > 0 && (table === 'nat' || rules.some((rule) => rule.connectionState !== undefined))) tracks = true;
      }
    }
    for (const { families, isNat, chains } of this.#hooked ?? []) {
      if (!families.includes(family)) continue;
      isActive = true;
      if (isNat || [...chains.values()].some(({ rules }) => rules.some((rule) => rule.connectionState !== undefined))) tracks = true;
    }
    // Connections that are translated stay so when the rule that began it is gone.
    if (family === 4) {
      this.#tracks4 = tracks || this.#tracks4;
      this.#isActive4 = isActive || this.#tracks4;
    } else {
      this.#tracks6 = tracks || this.#tracks6;
      this.#isActive6 = isActive || this.#tracks6;
    }
  }
}

/** Matches that need more than the packet: `statistic`, `recent` and `addrtype`. */
class FurtherMatches {
  counters: Map<object, RuleCounter> | undefined;
  readonly #buckets = new LateMap<NetfilterRule, { tokens: number; at: number }>();
  readonly #namespace: Namespace;
  /** Sources by list, with the time of their last packet. */
  readonly #recent = new LateMap<string, Map<Ip, number>>();
  #random: Random | undefined;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** What a rule or a policy has decided. */
  count(subject: object, packet: Packet): void {
    this.counters ??= new Map();
    const counter = this.counters.get(subject);
    const bytes = packetSize(packet);
    if (counter === undefined) this.counters.set(subject, { packets: 1, bytes });
    else {
      counter.packets++;
      counter.bytes += bytes;
    }
  }

  /** A token bucket (net/netfilter/xt_limit.c). */
  isWithinLimit(rule: NetfilterRule): boolean {
    const { limit } = rule;
    if (limit === undefined) return true;
    const now = this.#namespace.network.clock.now();
    const bucket = this.#buckets.get(rule) ?? { tokens: limit.burst, at: now };
    bucket.tokens = Math.min(limit.burst, bucket.tokens + ((now - bucket.at) / 1000) * limit.perSecond);
    bucket.at = now;
    this.#buckets.set(rule, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  matches({ localAddress, probability, recent }: NetfilterRule, packet: Packet): boolean {
    if (localAddress !== undefined && !this.#namespace.isLocalAddress(packet[localAddress])) return false;
    if (recent !== undefined && !this.#isRecent(recent, packet.source)) return false;
    if (probability === undefined) return true;
    this.#random ??= this.#namespace.random.stream('netfilter');
    return this.#random.fraction() < probability;
  }

  #isRecent({ name, action, seconds }: NonNullable<NetfilterRule['recent']>, source: Ip): boolean {
    const list = this.#recent.get(name) ?? new Map<Ip, number>();
    const now = this.#namespace.network.clock.now();
    if (action === 'set') {
      this.#recent.set(name, list.set(source, now));
      return true;
    }
    const seen = list.get(source);
    return seen !== undefined && (seconds === undefined || now - seen <= seconds * 1000);
  }
}

/** One packet on its way through the chains of a table. */
class Walk {
  packet: Packet;
  readonly #further: FurtherMatches;
  readonly #chains: HookedChain['chains'];
  readonly #input: Device | undefined;
  readonly #output: Device | undefined;
  readonly #tracked: Tracked | undefined;

  constructor(
    chains: HookedChain['chains'],
    packet: Packet,
    input: Device | undefined,
    output: Device | undefined,
    tracked: Tracked | undefined,
    further: FurtherMatches,
  ) {
    this.#further = further;
    this.#chains = chains;
    this.packet = packet;
    this.#input = input;
    this.#output = output;
    this.#tracked = tracked;
  }

  /** The target that decided, or undefined when the chain ended without one. */
  chain({ rules }: HookedChain['chain']): Verdict {
    for (const rule of rules) {
      if (!this.#matches(rule)) continue;
      const { target } = rule;
      this.#further.count(rule, this.packet);
      switch (target.kind) {
        case 'none':
          break;
        case 'return':
          return undefined;
        case 'goto': {
          const next = this.#chains.get(target.chain);
          return next === undefined ? undefined : this.chain(next);
        }
        case 'mark':
          this.packet = { ...this.packet, mark: (target.value | ((this.packet.mark ?? 0) & ~(target.mask ?? -1))) >>> 0 };
          break;
        case 'mss':
          this.#offerMss(target.size);
          break;
        case 'jump': {
          const next = this.#chains.get(target.chain);
          const verdict = next === undefined ? undefined : this.chain(next);
          if (verdict !== undefined) return verdict;
          break;
        }
        default:
          return target;
      }
    }
    return undefined;
  }

  /** Never makes it larger (net/netfilter/xt_TCPMSS.c). */
  #offerMss(wanted: number | undefined): void {
    const { transport, source } = this.packet;
    if (transport.protocol !== 'tcp' || transport.mss === undefined) return;
    const mtu = Math.min(this.#output?.mtu ?? 65535, this.#input?.mtu ?? 65535);
    const mss = Math.min(transport.mss, wanted ?? mtu - (source.family === 4 ? 40 : 60));
    if (mss < transport.mss) this.packet = { ...this.packet, transport: { ...transport, mss } };
  }

  #matches(rule: NetfilterRule): boolean {
    const { packet } = this;
    const { transport } = packet;
    if (rule.protocol !== undefined && rule.protocol !== 'all') {
      const name = transport.protocol === 'icmp' && packet.source.family === 6 ? 'icmpv6' : transport.protocol;
      if (rule.protocol !== name) return false;
    }
    if (rule.source !== undefined && contains(rule.source.prefix, packet.source) === (rule.source.inverted === true)) return false;
    if (rule.destination !== undefined && contains(rule.destination.prefix, packet.destination) === (rule.destination.inverted === true))
      return false;
    if (rule.inInterface !== undefined && matchesName(rule.inInterface.name, this.#input) === (rule.inInterface.inverted === true))
      return false;
    if (rule.outInterface !== undefined && matchesName(rule.outInterface.name, this.#output) === (rule.outInterface.inverted === true))
      return false;
    if (rule.sourcePort !== undefined || rule.destinationPort !== undefined) {
      if (transport.protocol === 'icmp') return false;
      if (!isWithin(rule.sourcePort, transport.sourcePort) || !isWithin(rule.destinationPort, transport.destinationPort)) return false;
    }
    if (rule.connectionState !== undefined && !this.#isInState(rule.connectionState)) return false;
    if (rule.mark !== undefined && (((packet.mark ?? 0) & rule.mark.mask) === rule.mark.value) === (rule.mark.inverted === true))
      return false;
    if (rule.tests !== undefined && !rule.tests.every((test) => passesTest(test, packet, this.#input, this.#output))) return false;
    return this.#further.matches(rule, packet) && this.#further.isWithinLimit(rule);
  }

  #isInState(states: NonNullable<NetfilterRule['connectionState']>): boolean {
    if (states.includes(this.#tracked?.state ?? 'invalid')) return true;
    return states.includes('dnat') && this.#tracked?.connection?.hasDestinationNat === true;
  }
}

/** `eth+` stands for every name that begins with `eth`. */
function matchesName(pattern: string, device: Device | undefined): boolean {
  if (device === undefined) return false;
  return pattern.endsWith('+') ? device.name.startsWith(pattern.slice(0, -1)) : device.name === pattern;
}

function isWithin(range: { readonly low: number; readonly high: number } | undefined, port: number): boolean {
  return range === undefined || (port >= range.low && port <= range.high);
}

function ruleText(rule: NetfilterRule): string {
  return JSON.stringify(rule, (_key, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'text' in value) return value.text;
    return value;
  });
}
