import { Random } from '../simulator/clock/random.ts';

/** One end of a link: a device of a router or host and its addresses with their lengths. */
export interface End {
  readonly machine: string;
  readonly device: string;
  readonly addresses: readonly string[];
}

export interface RouterPlan {
  readonly name: string;
  /** Of the loopback interface. */
  readonly addresses: readonly string[];
  /** Prefixes that the kernel drops: something to announce. */
  readonly blackholes: readonly string[];
  /** bgpd's configuration. */
  readonly configuration: readonly string[];
}

/** A machine behind a router; it serves HTTP on port 80 and answers with its name. */
export interface HostPlan {
  readonly name: string;
  readonly gateways: readonly string[];
  readonly addresses: readonly string[];
}

/** Something that is done to the network, and the time that it gets before it is looked at again. */
export interface Stage {
  readonly name: string;
  readonly actions: readonly { readonly machine: string; readonly argv: readonly string[] }[];
  readonly settleSeconds: number;
}

/** A network of FRR routers, to be run by real ones and by simulated ones. */
export interface Plan {
  readonly seed: number;
  readonly routers: readonly RouterPlan[];
  readonly hosts: readonly HostPlan[];
  readonly links: readonly (readonly [End, End])[];
  readonly stages: readonly Stage[];
}

interface Session {
  /** As a `neighbor` line names the other side. */
  readonly peer: string;
  readonly peerAsn: number;
  readonly isInternal: boolean;
  readonly isUnnumbered: boolean;
  readonly families: readonly ('ipv4' | 'ipv6')[];
  /** IPv4 prefixes over a session between IPv6 addresses. */
  readonly hasExtendedNextHop: boolean;
}

interface Draft {
  readonly name: string;
  readonly number: number;
  readonly asn: number;
  readonly sessions: Session[];
  readonly networks: { readonly ipv4: string[]; readonly ipv6: string[] };
}

/** Long enough for a hold time of nine seconds, the dial after it, and FRR's next-hop tracking. */
const settleSeconds = 14;
const firstAsn = 64_496;

/**
 * A random network of two to six routers: a tree and some more links, an AS number each (some share one), sessions over
 * IPv4, IPv6 or link-local addresses, prefixes (some announced twice), policies, and two disturbances one after the other.
 */
export function randomPlan(seed: number): Plan {
  const random = new Random(`network/${seed}`);
  const chance = (probability: number) => random.fraction() < probability;
  const count = random.integer(2, 6);
  const asCount = random.integer(1, count);
  const routers: Draft[] = Array.from({ length: count }, (_, index) => ({
    name: `r${index + 1}`,
    number: index + 1,
    asn: firstAsn + random.integer(0, asCount - 1),
    sessions: [],
    networks: { ipv4: [], ipv6: [] },
  }));
  const pairs: [Draft, Draft][] = [];
  for (let index = 1; index < count; index++) pairs.push([random.pick(routers.slice(0, index)), routers[index] as Draft]);
  for (let extra = random.integer(0, 2); extra > 0 && count > 2; extra--) {
    const one = random.pick(routers);
    const other = random.pick(routers.filter((each) => each !== one));
    if (!pairs.some((pair) => pair.includes(one) && pair.includes(other))) pairs.push([one, other]);
  }
  const links: [End, End][] = pairs.map(([one, other], index) => connect(one, other, index, random));
  for (const router of routers) announce(router, random);
  const blackholes = routers.map(({ networks }) => [...networks.ipv4, ...networks.ipv6]);
  const hosts = hostsOf(routers, links);
  return {
    seed,
    routers: routers.map((router, index) => ({
      name: router.name,
      addresses: [`192.0.2.${router.number}/32`, `2001:db8:0:${router.number}::1/128`],
      blackholes: blackholes[index] as string[],
      configuration: configure(router, random),
    })),
    hosts,
    links,
    stages: [{ name: 'started', actions: [], settleSeconds }, ...disturbances(routers, links.slice(0, pairs.length), random, chance)],
  };
}

function connect(one: Draft, other: Draft, index: number, random: Random): [End, End] {
  const v4 = (host: number) => `198.51.100.${4 * index + host}`;
  const v6 = (host: number) => `2001:db8:ffff:${index}::${host}`;
  const ends: [End, End] = [
    { machine: one.name, device: `${one.name}-${other.name}`, addresses: [`${v4(1)}/30`, `${v6(1)}/64`] },
    { machine: other.name, device: `${other.name}-${one.name}`, addresses: [`${v4(2)}/30`, `${v6(2)}/64`] },
  ];
  const kind = random.pick(['ipv4', 'ipv6', 'ipv6', 'both', 'both', 'extended', 'unnumbered'] as const);
  const isInternal = one.asn === other.asn;
  const add = (families: Session['families'], address: (host: number) => string, hasExtendedNextHop: boolean, isUnnumbered = false) => {
    const common = { families, hasExtendedNextHop, isInternal, isUnnumbered };
    one.sessions.push({ ...common, peer: isUnnumbered ? ends[0].device : address(2), peerAsn: other.asn });
    other.sessions.push({ ...common, peer: isUnnumbered ? ends[1].device : address(1), peerAsn: one.asn });
  };
  if (kind === 'ipv4' || kind === 'both') add(['ipv4'], v4, false);
  if (kind === 'ipv6' || kind === 'both') add(['ipv6'], v6, false);
  if (kind === 'extended') add(['ipv4', 'ipv6'], v6, true);
  if (kind === 'unnumbered') add(['ipv4', 'ipv6'], v6, true, true);
  return ends;
}

function announce(router: Draft, random: Random): void {
  for (let index = random.integer(1, 3); index > 0; index--) {
    // One in four is announced by somebody else too.
    const shared = random.integer(0, 3) === 0;
    router.networks.ipv4.push(shared ? '203.0.113.0/28' : `203.0.113.${16 * router.number + 4 * index}/30`);
    router.networks.ipv6.push(shared ? '2001:db8:aaaa::/48' : `2001:db8:${router.number}${index}::/48`);
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    const unique = [...new Set(router.networks[family])];
    router.networks[family].splice(0, Number.POSITIVE_INFINITY, ...unique);
  }
}

function configure(router: Draft, random: Random): readonly string[] {
  const chance = (probability: number) => random.fraction() < probability;
  const maps: string[] = [];
  const lines = [
    `router bgp ${router.asn}`,
    ` bgp router-id 192.0.2.${router.number}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    // Without it the older path wins between equals, and which one that is, is a race.
    ' bgp bestpath compare-routerid',
    ' timers bgp 3 9',
  ];
  if (chance(0.5)) lines.push(' bgp bestpath as-path multipath-relax');
  if (chance(0.3)) lines.push(' bgp always-compare-med');
  if (chance(0.2)) lines.push(' bgp bestpath med missing-as-worst');
  if (chance(0.2)) lines.push(` bgp default local-preference ${random.integer(50, 300)}`);
  for (const { peer, peerAsn, isInternal, isUnnumbered, hasExtendedNextHop } of router.sessions) {
    const remote = chance(0.3) ? (isInternal ? 'internal' : 'external') : String(peerAsn);
    lines.push(` neighbor ${peer} ${isUnnumbered ? 'interface ' : ''}remote-as ${remote}`, ` neighbor ${peer} timers connect 3`);
    if (hasExtendedNextHop && !isUnnumbered) lines.push(` neighbor ${peer} capability extended-nexthop`);
  }
  for (const family of ['ipv4', 'ipv6'] as const) {
    lines.push(` address-family ${family} unicast`);
    for (const network of router.networks[family]) {
      if (chance(0.8) || network === router.networks.ipv4[0])
        lines.push(`  network ${network}${chance(0.2) ? ` route-map ${mapOf(router, random, maps)}` : ''}`);
    }
    if (chance(0.3)) lines.push('  redistribute connected');
    if (chance(0.3)) lines.push(`  maximum-paths ${random.integer(1, 3)}`);
    if (chance(0.3)) lines.push(`  maximum-paths ibgp ${random.integer(1, 3)}`);
    for (const { peer, families, isInternal } of router.sessions) {
      if (!families.includes(family)) continue;
      lines.push(`  neighbor ${peer} activate`);
      if (isInternal && chance(0.7)) lines.push(`  neighbor ${peer} next-hop-self${chance(0.3) ? ' force' : ''}`);
      if (isInternal && chance(0.4)) lines.push(`  neighbor ${peer} route-reflector-client`);
      if (chance(0.25)) lines.push(`  neighbor ${peer} route-map ${mapOf(router, random, maps)} in`);
      if (chance(0.25)) lines.push(`  neighbor ${peer} route-map ${mapOf(router, random, maps)} out`);
      if (!isInternal && chance(0.1)) lines.push(`  neighbor ${peer} allowas-in`);
      if (!isInternal && chance(0.1)) lines.push(`  neighbor ${peer} as-override`);
      if (chance(0.1)) lines.push(`  neighbor ${peer} weight ${random.integer(1, 100)}`);
      if (chance(0.1)) lines.push(`  neighbor ${peer} default-originate`);
      if (chance(0.1)) lines.push(`  neighbor ${peer} soft-reconfiguration inbound`);
    }
    lines.push(' exit-address-family');
  }
  return [...lines, 'exit', ...maps];
}

/** A route map of its own for one place, with the lists that it needs. @returns its name */
function mapOf(router: Draft, random: Random, maps: string[]): string {
  const chance = (probability: number) => random.fraction() < probability;
  const name = `M${maps.length}`;
  const lists: string[] = [];
  const entry: string[] = [`route-map ${name} ${chance(0.25) ? 'deny' : 'permit'} 10`];
  const match = random.pick(['none', 'ipv4', 'ipv6', 'community', 'as-path'] as const);
  if (match === 'ipv4') {
    lists.push(`ip prefix-list L${name} seq 5 permit 203.0.113.${16 * random.integer(0, 6)}/28 le 32`);
    entry.push(` match ip address prefix-list L${name}`);
  } else if (match === 'ipv6') {
    lists.push(`ipv6 prefix-list L${name} seq 5 permit 2001:db8:${random.integer(1, 6)}0::/44 ge 44 le 64`);
    entry.push(` match ipv6 address prefix-list L${name}`);
  } else if (match === 'community') {
    lists.push(`bgp community-list standard L${name} permit ${firstAsn}:${random.integer(1, 3)}`);
    entry.push(` match community L${name}`);
  } else if (match === 'as-path') {
    lists.push(`bgp as-path access-list L${name} permit ${random.pick(['^$', `_${firstAsn + 1}_`, `^${firstAsn}`, '[0-9]+ [0-9]+'])}`);
    entry.push(` match as-path L${name}`);
  }
  for (const set of ['local-preference', 'metric', 'prepend', 'community', 'weight', 'origin'] as const) {
    if (!chance(0.25)) continue;
    if (set === 'prepend') entry.push(` set as-path prepend ${Array(random.integer(1, 3)).fill(router.asn).join(' ')}`);
    else if (set === 'community') entry.push(` set community ${firstAsn}:${random.integer(1, 3)}${chance(0.5) ? ' additive' : ''}`);
    else if (set === 'origin') entry.push(` set origin ${random.pick(['igp', 'incomplete'])}`);
    else entry.push(` set ${set} ${random.integer(1, 300)}`);
  }
  maps.push(...lists, ...entry, 'exit');
  if (chance(0.7)) maps.push(`route-map ${name} permit 20`, 'exit');
  return name;
}

/** A host behind the first router and one behind the last. */
function hostsOf(routers: readonly Draft[], links: [End, End][]): readonly HostPlan[] {
  return [routers[0] as Draft, routers.at(-1) as Draft].map((router, index) => {
    const name = `h${index + 1}`;
    const v4 = `203.0.113.${240 + 8 * index}`;
    const at = (host: number) => v4.replace(/\d+$/, (last) => String(Number(last) + host));
    const v6 = `2001:db8:eeee:${index}::`;
    links.push([
      { machine: router.name, device: `${router.name}-${name}`, addresses: [`${at(1)}/29`, `${v6}1/64`] },
      { machine: name, device: 'eth1', addresses: [`${at(2)}/29`, `${v6}2/64`] },
    ]);
    router.networks.ipv4.push(`${v4}/29`);
    router.networks.ipv6.push(`${v6}/64`);
    return { name, gateways: [at(1), `${v6}1`], addresses: [at(2), `${v6}2`] };
  });
}

function disturbances(
  routers: readonly Draft[],
  links: readonly (readonly [End, End])[],
  random: Random,
  chance: (probability: number) => boolean,
): readonly Stage[] {
  const vtysh = (machine: string, ...lines: readonly string[]) => ({ machine, argv: ['vtysh', ...lines.flatMap((line) => ['-c', line])] });
  const ip = (machine: string, ...args: readonly string[]) => ({ machine, argv: ['ip', ...args] });
  const router = random.pick(routers);
  const session = random.pick(router.sessions);
  const inBgp = [`configure terminal`, `router bgp ${router.asn}`] as const;
  const kind = random.pick(['link', 'link', 'shutdown', 'network', 'clear', 'soft'] as const);
  if (kind === 'link') {
    const [end] = random.pick(links);
    const v6 = end.addresses.find((address) => address.includes(':')) as string;
    return [
      { name: 'link down', actions: [ip(end.machine, 'link', 'set', end.device, 'down')], settleSeconds },
      {
        name: 'link up',
        // Linux took the global IPv6 address away and does not give it back.
        actions: [ip(end.machine, 'link', 'set', end.device, 'up'), ip(end.machine, 'addr', 'add', v6, 'dev', end.device, 'nodad')],
        settleSeconds,
      },
    ];
  }
  if (kind === 'shutdown') {
    return [
      { name: 'shutdown', actions: [vtysh(router.name, ...inBgp, `neighbor ${session.peer} shutdown`)], settleSeconds },
      { name: 'no shutdown', actions: [vtysh(router.name, ...inBgp, `no neighbor ${session.peer} shutdown`)], settleSeconds },
    ];
  }
  if (kind === 'network') {
    const network = router.networks.ipv4[0] as string;
    return [
      {
        name: 'network toggled',
        actions: [vtysh(router.name, ...inBgp, 'address-family ipv4 unicast', `no network ${network}`)],
        settleSeconds,
      },
      { name: 'network back', actions: [vtysh(router.name, ...inBgp, 'address-family ipv4 unicast', `network ${network}`)], settleSeconds },
    ];
  }
  if (kind === 'clear') return [{ name: 'clear', actions: [vtysh(router.name, 'clear bgp *')], settleSeconds }];
  const localPreference = random.integer(50, 300);
  return [
    {
      name: 'policy changed',
      actions: [
        vtysh(router.name, 'configure terminal', 'route-map LATE permit 10', `set local-preference ${localPreference}`, 'set metric 7'),
        vtysh(router.name, ...inBgp, `address-family ${session.families[0]} unicast`, `neighbor ${session.peer} route-map LATE in`),
        ...(chance(0.5) ? [vtysh(router.name, `clear bgp ${session.families[0]} unicast * soft in`)] : []),
      ],
      settleSeconds,
    },
  ];
}
