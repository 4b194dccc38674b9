import { Random } from '../simulator/clock/random.ts';
import { configure } from './plan-configuration.ts';
import { disturbances } from './plan-disturbances.ts';

/** Counts up when the same seed gives another network: recordings of an older generator are worth nothing then. */
export const planVersion = 2;

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
  /** Static routes: staticd's configuration. */
  readonly statics: readonly string[];
}

/** A machine behind a router; it serves HTTP on port 80 and answers with its name. */
export interface HostPlan {
  readonly name: string;
  readonly gateways: readonly string[];
  readonly addresses: readonly string[];
}

/** A prefix that a node announces, and what its policies add to it for one peer or for all. */
export interface Announced {
  readonly prefix: string;
  readonly rules: readonly {
    readonly peer: string;
    readonly communities: readonly string[];
    readonly largeCommunities: readonly string[];
    readonly localPref?: number;
  }[];
}

/** A node whose GoBGP announces what is its own and takes nothing in, as Cilium's agent configures it. */
export interface SpeakerPlan {
  readonly name: string;
  readonly asn: number;
  readonly routerId: string;
  /** Those that it may announce; `isLater`: not before a stage asks for it. */
  readonly announced: readonly (Announced & { readonly isLater: boolean })[];
  readonly peers: readonly {
    readonly address: string;
    readonly asn: number;
    readonly families: readonly ('ipv4' | 'ipv6')[];
    readonly holdTimeSeconds: number;
    readonly keepaliveSeconds: number;
    readonly connectRetrySeconds: number;
    /** Undefined: no graceful restart. */
    readonly restartTimeSeconds?: number;
    readonly password?: string;
  }[];
}

export interface Action {
  readonly machine: string;
  /**
   * A command; `bgpd kill` and `bgpd start` stand for a daemon that dies without a word and one that is started again;
   * `gobgpd kill|stop|start` for a node's speaker, `gobgpd announce|withdraw PREFIX` for what it is told.
   */
  readonly argv: readonly string[];
}

export interface Show {
  readonly machine: string;
  readonly command: string;
}

/** Something that is done to the network, and the time that it gets before it is looked at again. */
export interface Stage {
  readonly name: string;
  readonly actions: readonly Action[];
  readonly settleSeconds: number;
  /** Commands of vtysh whose text is kept at the end of the stage. */
  readonly shows?: readonly Show[];
}

/** A network of FRR routers, to be run by real ones and by simulated ones. */
export interface Plan {
  readonly seed: number;
  readonly routers: readonly RouterPlan[];
  readonly hosts: readonly HostPlan[];
  readonly speakers?: readonly SpeakerPlan[];
  readonly links: readonly (readonly [End, End])[];
  readonly stages: readonly Stage[];
}

export interface Session {
  /** As a `neighbor` line names the other side. */
  readonly peer: string;
  readonly peerAsn: number;
  /** `local-as`, with its further words. */
  readonly localAs?: string;
  readonly isInternal: boolean;
  readonly isUnnumbered: boolean;
  readonly families: readonly ('ipv4' | 'ipv6')[];
  /** IPv4 prefixes over a session between IPv6 addresses. */
  readonly hasExtendedNextHop: boolean;
  /** Between loopback addresses. */
  readonly isMultihop: boolean;
  readonly password?: string;
}

export interface Draft {
  readonly name: string;
  readonly number: number;
  readonly asn: number;
  readonly sessions: Session[];
  readonly networks: { readonly ipv4: string[]; readonly ipv6: string[] };
  readonly statics: string[];
  /** `timers bgp`; by default what lets a test be short. */
  readonly timers?: string;
}

/** Long enough for a hold time of nine seconds, the dial after it, and FRR's next-hop tracking. */
export const settleSeconds = 14;
export const firstAsn = 64_496;
/** For private use (RFC 6996): some routers have such a number, so that there is one to remove. */
const firstPrivateAsn = 64_512;

/**
 * A random network of two to six routers: a tree and some more links, an AS number each (some share one), sessions over
 * IPv4, IPv6 or link-local addresses, prefixes (some announced twice), policies, and two disturbances one after the other.
 */
export function randomPlan(seed: number): Plan {
  const random = new Random(`network/${seed}`);
  const chance = (probability: number) => random.fraction() < probability;
  const count = random.integer(2, 6);
  const asCount = random.integer(1, count);
  const asns = Array.from({ length: asCount }, (_, index) => (chance(0.2) ? firstPrivateAsn : firstAsn) + index);
  const routers: Draft[] = Array.from({ length: count }, (_, index) => ({
    name: `r${index + 1}`,
    number: index + 1,
    asn: asns[random.integer(0, asCount - 1)] as number,
    sessions: [],
    networks: { ipv4: [], ipv6: [] },
    statics: [],
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
      statics: router.statics,
    })),
    hosts,
    links,
    stages: [{ name: 'started', actions: [], settleSeconds }, ...disturbances(routers, links.slice(0, pairs.length), random)],
  };
}

export function connect(one: Draft, other: Draft, index: number, random: Random): [End, End] {
  const v4 = (host: number) => `198.51.100.${4 * index + host}`;
  const v6 = (host: number) => `2001:db8:ffff:${index}::${host}`;
  const ends: [End, End] = [
    { machine: one.name, device: `${one.name}-${other.name}`, addresses: [`${v4(1)}/30`, `${v6(1)}/64`] },
    { machine: other.name, device: `${other.name}-${one.name}`, addresses: [`${v4(2)}/30`, `${v6(2)}/64`] },
  ];
  const isInternal = one.asn === other.asn;
  const kinds = ['ipv4', 'ipv6', 'ipv6', 'both', 'both', 'extended', 'unnumbered', 'loopback'] as const;
  const kind = random.pick(kinds);
  const chance = (probability: number) => random.fraction() < probability;
  const password = kind !== 'unnumbered' && chance(0.15) ? { password: `secret${index}` } : {};
  const localAs = !isInternal && chance(0.12) ? 64_505 + (index % 5) : undefined;
  const localAsWords = localAs === undefined ? '' : `${localAs}${random.pick(['', ' no-prepend', ' no-prepend replace-as'])}`;
  const add = (families: Session['families'], addresses: readonly [string, string], special: Partial<Session> = {}) => {
    const common = {
      families,
      isInternal,
      hasExtendedNextHop: false,
      isUnnumbered: false,
      isMultihop: false,
      ...password,
      ...special,
    };
    one.sessions.push({ ...common, peer: addresses[1], peerAsn: other.asn, ...(localAs === undefined ? {} : { localAs: localAsWords }) });
    other.sessions.push({ ...common, peer: addresses[0], peerAsn: localAs ?? one.asn });
  };
  const links4 = [v4(1), v4(2)] as const;
  const links6 = [v6(1), v6(2)] as const;
  if (kind === 'ipv4' || kind === 'both') add(['ipv4'], links4);
  if (kind === 'ipv6' || kind === 'both') add(['ipv6'], links6);
  if (kind === 'extended') add(['ipv4', 'ipv6'], links6, { hasExtendedNextHop: true });
  if (kind === 'unnumbered') add(['ipv4', 'ipv6'], [ends[1].device, ends[0].device], { hasExtendedNextHop: true, isUnnumbered: true });
  if (kind === 'loopback') {
    const loopback4 = ({ number }: Draft) => `192.0.2.${number}`;
    const loopback6 = ({ number }: Draft) => `2001:db8:0:${number}::1`;
    one.statics.push(`ip route ${loopback4(other)}/32 ${v4(2)}`, `ipv6 route ${loopback6(other)}/128 ${v6(2)}`);
    other.statics.push(`ip route ${loopback4(one)}/32 ${v4(1)}`, `ipv6 route ${loopback6(one)}/128 ${v6(1)}`);
    add(['ipv4'], [loopback4(one), loopback4(other)], { isMultihop: true });
    if (chance(0.5)) add(['ipv6'], [loopback6(one), loopback6(other)], { isMultihop: true });
  }
  return ends;
}

export function announce(router: Draft, random: Random): void {
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
