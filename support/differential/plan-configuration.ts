import type { Random } from '../simulator/clock/random.ts';
import { type Draft, firstAsn, type Session } from './plan.ts';

type Family = 'ipv4' | 'ipv6';

/** bgpd's configuration of one router: its sessions, what it announces, and policies at random. */
export function configure(router: Draft, random: Random): readonly string[] {
  const chance = (probability: number) => random.fraction() < probability;
  const maps: string[] = [];
  const lines = [
    `router bgp ${router.asn}`,
    ` bgp router-id 192.0.2.${router.number}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    // Without it the older path wins between equals, and which one that is, is a race.
    ' bgp bestpath compare-routerid',
    ` timers bgp ${router.timers ?? '3 9'}`,
  ];
  if (chance(0.5)) lines.push(' bgp bestpath as-path multipath-relax');
  if (chance(0.3)) lines.push(' bgp always-compare-med');
  if (chance(0.2)) lines.push(' bgp bestpath med missing-as-worst');
  if (chance(0.1)) lines.push(' bgp bestpath as-path ignore');
  if (chance(0.2)) lines.push(` bgp default local-preference ${random.integer(50, 300)}`);
  const grouped = groupOf(router.sessions, random);
  if (grouped.length > 0) lines.push(` neighbor GROUP peer-group`, ' neighbor GROUP timers connect 3');
  for (const session of router.sessions) lines.push(...sessionLines(router, session, grouped.includes(session), random));
  for (const family of ['ipv4', 'ipv6'] as const) {
    lines.push(` address-family ${family} unicast`);
    for (const network of router.networks[family]) {
      if (chance(0.8) || network === router.networks.ipv4[0])
        lines.push(`  network ${network}${chance(0.2) ? ` route-map ${mapOf(router, random, maps)}` : ''}`);
    }
    for (const source of ['connected', 'static', 'kernel'] as const) {
      if (!chance(source === 'connected' ? 0.3 : 0.1)) continue;
      const map = chance(0.2) ? ` route-map ${mapOf(router, random, maps)}` : '';
      lines.push(`  redistribute ${source}${chance(0.2) ? ` metric ${random.integer(1, 50)}` : ''}${map}`);
    }
    if (chance(0.12)) lines.push(`  aggregate-address ${aggregateOf(family, random)}`);
    if (chance(0.3)) lines.push(`  maximum-paths ${random.integer(1, 3)}`);
    if (chance(0.3)) lines.push(`  maximum-paths ibgp ${random.integer(1, 3)}`);
    const members = grouped.filter(({ families }) => families.includes(family));
    if (members.length > 0) {
      lines.push('  neighbor GROUP activate');
      lines.push(...policyLines(router, 'GROUP', members[0] as Session, random, maps));
    }
    for (const session of router.sessions) {
      if (!session.families.includes(family)) continue;
      lines.push(`  neighbor ${session.peer} activate`);
      if (!grouped.includes(session)) lines.push(...policyLines(router, session.peer, session, random, maps));
    }
    lines.push(' exit-address-family');
  }
  return [...lines, 'exit', ...maps];
}

/** Sessions of one kind that may share a peer group: two or more, or none. */
function groupOf(sessions: readonly Session[], random: Random): readonly Session[] {
  if (random.fraction() >= 0.35) return [];
  const first = random.pick(sessions);
  const kindOf = ({ isInternal, families, isUnnumbered }: Session) => `${isInternal} ${families.join()} ${isUnnumbered}`;
  const members = sessions.filter((each) => kindOf(each) === kindOf(first));
  return first.isUnnumbered || members.length < 2 ? [] : members;
}

function sessionLines(router: Draft, session: Session, isGrouped: boolean, random: Random): string[] {
  const { peer, peerAsn, isInternal, isUnnumbered, hasExtendedNextHop, isMultihop, localAs, password } = session;
  const remote = random.fraction() < 0.3 ? (isInternal ? 'internal' : 'external') : String(peerAsn);
  const lines = [` neighbor ${peer} ${isUnnumbered ? 'interface ' : ''}remote-as ${remote}`];
  if (isGrouped) lines.push(` neighbor ${peer} peer-group GROUP`);
  else lines.push(` neighbor ${peer} timers connect 3`);
  if (localAs !== undefined) lines.push(` neighbor ${peer} local-as ${localAs}`);
  if (password !== undefined) lines.push(` neighbor ${peer} password ${password}`);
  if (hasExtendedNextHop && !isUnnumbered) lines.push(` neighbor ${peer} capability extended-nexthop`);
  if (isMultihop) {
    const own = peer.includes(':') ? `2001:db8:0:${router.number}::1` : `192.0.2.${router.number}`;
    lines.push(` neighbor ${peer} update-source ${random.fraction() < 0.5 ? own : 'lo'}`);
    if (!isInternal) lines.push(` neighbor ${peer} ebgp-multihop ${random.integer(2, 5)}`);
  }
  return lines;
}

function policyLines(router: Draft, name: string, session: Session, random: Random, maps: string[]): string[] {
  const chance = (probability: number) => random.fraction() < probability;
  const { isInternal } = session;
  const lines: string[] = [];
  const put = (probability: number, line: () => string) => {
    if (chance(probability)) lines.push(`  neighbor ${name} ${line()}`);
  };
  if (isInternal) {
    put(0.7, () => `next-hop-self${chance(0.3) ? ' force' : ''}`);
    put(0.4, () => 'route-reflector-client');
  }
  put(0.22, () => `route-map ${mapOf(router, random, maps)} in`);
  put(0.22, () => `route-map ${mapOf(router, random, maps)} out`);
  put(0.08, () => `prefix-list ${prefixListOf(session, random, maps)} ${random.pick(['in', 'out'])}`);
  put(0.08, () => `filter-list ${pathListOf(random, maps)} ${random.pick(['in', 'out'])}`);
  // Where a path can come round to its sender again neither has a fixed point: the path grows for ever.
  if (!isInternal && router.sessions.length === 1) {
    put(0.3, () => 'allowas-in');
    put(0.3, () => 'as-override');
  }
  if (!isInternal) put(0.15, () => `remove-private-AS${random.pick(['', ' all', ' replace-AS', ' all replace-AS'])}`);
  put(0.1, () => `weight ${random.integer(1, 100)}`);
  put(0.1, () => 'default-originate');
  put(0.1, () => 'soft-reconfiguration inbound');
  if (chance(0.06)) lines.push(`  no neighbor ${name} send-community${random.pick(['', ' large', ' both', ' all'])}`);
  return lines;
}

function aggregateOf(family: Family, random: Random): string {
  const prefix =
    family === 'ipv4'
      ? random.pick(['203.0.113.0/24', `203.0.113.${32 * random.integer(0, 3)}/27`])
      : random.pick(['2001:db8::/32', `2001:db8:${random.integer(1, 6)}0::/44`]);
  return `${prefix}${random.pick(['', ' summary-only', ' as-set', ' as-set summary-only'])}`;
}

function prefixListOf(session: Session, random: Random, maps: string[]): string {
  const name = `P${maps.length}`;
  const head = (family: Family) => `${family === 'ipv4' ? 'ip' : 'ipv6'} prefix-list ${name}`;
  if (session.families.includes('ipv4')) {
    maps.push(`${head('ipv4')} seq 5 deny 203.0.113.${16 * random.integer(0, 6)}/28 le 32`);
    maps.push(`${head('ipv4')} seq 10 permit ${random.pick(['any', '0.0.0.0/0 le 30', '203.0.113.0/24 ge 29'])}`);
  }
  if (session.families.includes('ipv6'))
    maps.push(`${head('ipv6')} seq 5 permit ${random.pick(['any', '::/0 le 64', '2001:db8::/32 ge 48'])}`);
  return name;
}

function pathListOf(random: Random, maps: string[]): string {
  const name = `F${maps.length}`;
  const expression = () => random.pick(['^$', `_${firstAsn + 1}_`, `^${firstAsn}`, '[0-9]+ [0-9]+', `${firstAsn + 2}$`] as const);
  maps.push(`bgp as-path access-list ${name} seq 5 ${random.pick(['permit', 'deny'])} ${expression()}`);
  if (random.fraction() < 0.6) maps.push(`bgp as-path access-list ${name} seq 10 permit .*`);
  return name;
}

/** A route map of its own for one place, with the lists that it needs. @returns its name */
function mapOf(router: Draft, random: Random, maps: string[]): string {
  const chance = (probability: number) => random.fraction() < probability;
  const name = `M${maps.length}`;
  const body: string[] = [];
  const entry = (sequence: number) => {
    body.push(`route-map ${name} ${chance(0.25) ? 'deny' : 'permit'} ${sequence}`);
    body.push(...matchOf(`L${name}-${sequence}`, random, maps), ...setOf(router, random));
  };
  entry(10);
  const more = random.pick(['none', 'none', 'next', 'goto', 'call'] as const);
  if (more === 'next') body.push(' on-match next');
  if (more === 'goto') body.push(' on-match goto 20');
  if (more === 'call') {
    body.push(` call C${name}`);
    maps.push(`route-map C${name} permit 10`, ` set metric ${random.integer(1, 300)}`, ' set large-community 64496:4:4 additive', 'exit');
  }
  body.push('exit');
  if (more === 'next' || more === 'goto') {
    entry(15);
    body.push('exit');
  }
  if (chance(0.7)) body.push(`route-map ${name} permit 20`, 'exit');
  maps.push(...body);
  return name;
}

function matchOf(list: string, random: Random, maps: string[]): string[] {
  const kinds = ['none', 'ipv4', 'ipv6', 'community', 'large-community', 'as-path', 'metric', 'origin'] as const;
  switch (random.pick(kinds)) {
    case 'none':
      return [];
    case 'ipv4':
      maps.push(`ip prefix-list ${list} seq 5 permit 203.0.113.${16 * random.integer(0, 6)}/28 le 32`);
      return [` match ip address prefix-list ${list}`];
    case 'ipv6':
      maps.push(`ipv6 prefix-list ${list} seq 5 permit 2001:db8:${random.integer(1, 6)}0::/44 ge 44 le 64`);
      return [` match ipv6 address prefix-list ${list}`];
    case 'community':
      maps.push(`bgp community-list standard ${list} permit ${firstAsn}:${random.integer(1, 3)}`);
      return [` match community ${list}`];
    case 'large-community':
      maps.push(`bgp large-community-list standard ${list} permit ${firstAsn}:4:${random.integer(1, 4)}`);
      return [` match large-community ${list}`];
    case 'as-path':
      return [` match as-path ${pathListOf(random, maps)}`];
    case 'metric':
      return [` match metric ${random.pick([0, 5, 7])}`];
    case 'origin':
      return [` match origin ${random.pick(['igp', 'incomplete'])}`];
  }
}

function setOf(router: Draft, random: Random): string[] {
  const lines: string[] = [];
  for (const what of ['local-preference', 'metric', 'prepend', 'community', 'large-community', 'weight', 'origin'] as const) {
    if (random.fraction() >= 0.25) continue;
    const additive = random.fraction() < 0.5 ? ' additive' : '';
    if (what === 'prepend') {
      const own = Array(random.integer(1, 3)).fill(router.asn).join(' ');
      lines.push(` set as-path prepend ${random.fraction() < 0.2 ? 'last-as 2' : own}`);
    } else if (what === 'community') {
      const value = random.pick([`${firstAsn}:1`, `${firstAsn}:2`, `${firstAsn}:3`, `${firstAsn}:3`, 'no-export', 'no-advertise']);
      lines.push(` set community ${value}${additive}`);
    } else if (what === 'large-community') lines.push(` set large-community ${firstAsn}:4:${random.integer(1, 4)}${additive}`);
    else if (what === 'origin') lines.push(` set origin ${random.pick(['igp', 'incomplete'])}`);
    else if (what === 'metric') lines.push(` set metric ${random.pick(['', '', '+', '-'])}${random.integer(1, 300)}`);
    else lines.push(` set ${what} ${random.integer(1, 300)}`);
  }
  return lines;
}
