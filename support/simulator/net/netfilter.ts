import { contains } from './address.ts';
import { type Connection, Conntrack, leftAlone, type Tracked, translateDestination, translateSource } from './conntrack.ts';
import type { Device } from './interface.ts';
import type { Namespace } from './namespace.ts';
import { NetworkError } from './network-error.ts';
import { selectSource4, selectSource6 } from './source-address.ts';
import type { Family, IcmpKind, Ip, Netfilter, NetfilterRule, Packet } from './types.ts';

export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
export type TableName = 'filter' | 'nat' | 'mangle' | 'raw';

interface Chain {
  policy: 'accept' | 'drop' | undefined;
  rules: NetfilterRule[];
}

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

/**
 * iptables and ip6tables of a namespace: chains at the five hooks and the NAT that stands on connection
 * tracking. Not modelled: packets that only cross a bridge (br_netfilter), and connection helpers.
 */
export class NetfilterTables implements Netfilter {
  readonly conntrack: Conntrack;
  readonly #namespace: Namespace;
  readonly #chains = new Map<string, Map<string, Chain>>();
  #isActive4 = false;
  #isActive6 = false;
  #tracks4 = false;
  #tracks6 = false;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    this.conntrack = new Conntrack(namespace.network.clock, namespace.random.stream('conntrack'));
    for (const family of [4, 6] as const) {
      for (const [table, hooks] of Object.entries(builtIn) as [TableName, readonly Hook[]][]) {
        this.#chains.set(`${family} ${table}`, new Map(hooks.map((hook) => [hook, { policy: 'accept', rules: [] }])));
      }
    }
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
    let current = packet;
    for (const table of plainTables[hook]) {
      if (table === 'filter' && hook === 'OUTPUT') current = this.#translate(hook, current, input, output, tracked);
      const next = this.#runTable(table, hook, current, input, output, tracked);
      if (next === undefined) return undefined;
      current = next;
    }
    if (hook === 'OUTPUT' || hook === 'FORWARD') return current;
    current = this.#translate(hook, current, input, output, tracked);
    if ((hook === 'POSTROUTING' || hook === 'INPUT') && tracked?.connection !== undefined && !tracked.connection.isConfirmed) {
      this.conntrack.confirm(tracked.connection, current.transport);
    }
    return current;
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
      const walk = new Walk(chains, packet, hook === 'INPUT' ? device : undefined, hook === 'OUTPUT' ? device : undefined, leftAlone);
      const verdict = walk.chain(chain);
      if (verdict?.kind === 'drop' || verdict?.kind === 'reject' || (verdict === undefined && chain.policy === 'drop')) return false;
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
    const walk = new Walk(chains, packet, input, output, tracked);
    const verdict = walk.chain(chain);
    const { network, ip } = this.#namespace;
    if (verdict?.kind === 'reject') {
      network.dispose(walk.packet, this.#namespace, 'filtered', `${table} ${hook}`);
      if (verdict.with === 'tcp-reset') ip.sendReset(walk.packet);
      else ip.sendError(rejectKinds[verdict.with ?? ''] ?? 'port-unreachable', walk.packet);
      return undefined;
    }
    if (verdict?.kind === 'drop' || (verdict === undefined && chain.policy === 'drop')) {
      network.dispose(walk.packet, this.#namespace, 'filtered', `${table} ${hook}`);
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
      const verdict = chain === undefined ? undefined : new Walk(chains, packet, input, output, tracked).chain(chain);
      if (isDestinationHook) this.#bindDestination(connection, verdict);
      else this.#bindSource(connection, verdict, output, packet);
    }
    return isDestinationHook ? translateDestination(packet, tracked) : translateSource(packet, tracked);
  }

  #bindDestination(connection: Connection, verdict: Verdict): void {
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
    return this.#chains.get(`${family} ${table}`) as Map<string, Chain>;
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
    for (const table of Object.keys(builtIn) as TableName[]) {
      for (const { policy, rules } of this.#table(family, table).values()) {
        if (rules.length > 0 || policy === 'drop') isActive = true;
        if (rules.length > 0 && (table === 'nat' || rules.some((rule) => rule.connectionState !== undefined))) tracks = true;
      }
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

/** One packet on its way through the chains of a table. */
class Walk {
  packet: Packet;
  readonly #chains: ReadonlyMap<string, Chain>;
  readonly #input: Device | undefined;
  readonly #output: Device | undefined;
  readonly #tracked: Tracked | undefined;

  constructor(
    chains: ReadonlyMap<string, Chain>,
    packet: Packet,
    input: Device | undefined,
    output: Device | undefined,
    tracked: Tracked | undefined,
  ) {
    this.#chains = chains;
    this.packet = packet;
    this.#input = input;
    this.#output = output;
    this.#tracked = tracked;
  }

  /** The target that decided, or undefined when the chain ended without one. */
  chain({ rules }: Chain): Verdict {
    for (const rule of rules) {
      if (!this.#matches(rule)) continue;
      const { target } = rule;
      switch (target.kind) {
        case 'return':
          return undefined;
        case 'mark':
          this.packet = { ...this.packet, mark: target.value };
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
    if (rule.connectionState !== undefined && !rule.connectionState.includes(this.#tracked?.state ?? 'invalid')) return false;
    return rule.mark === undefined || ((packet.mark ?? 0) & rule.mark.mask) === rule.mark.value;
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
