import { Random } from '../simulator/clock/random.ts';
import {
  type Action,
  announce,
  connect,
  type Draft,
  type End,
  firstAsn,
  type Plan,
  type Session,
  type Show,
  type SpeakerPlan,
  type Stage,
} from './plan.ts';
import { configure } from './plan-configuration.ts';

/** Counts up when the same seed gives another network. */
export const speakerPlanVersion = 1;

interface Node {
  readonly name: string;
  readonly number: number;
  readonly asn: number;
  readonly peers: SpeakerPlan['peers'][number][];
  readonly links: readonly { readonly router: Draft; readonly own: End; readonly other: End }[];
}

/** gobgp dials five to nine seconds after it became Active, and the table follows a good second later. */
const dialSeconds = 14;
/** The same after five idle seconds. */
const redialSeconds = 19;

/**
 * A random network of one or two FRR routers and one to four nodes that speak BGP by GoBGP as Cilium's agent lets them:
 * pod prefixes and service addresses are announced, nothing is taken in, and nobody listens on a node.
 */
export function randomSpeakerPlan(seed: number): Plan {
  const random = new Random(`speakers/${seed}`);
  const chance = (probability: number) => random.fraction() < probability;
  const timers = random.pick(['3 9', '3 9', '3 9', '10 30']);
  const routers: Draft[] = Array.from({ length: chance(0.4) ? 2 : 1 }, (_, index) => ({
    name: `r${index + 1}`,
    number: index + 1,
    asn: firstAsn + (chance(0.6) ? index : 0),
    sessions: [],
    networks: { ipv4: [], ipv6: [] },
    statics: [],
    timers,
  }));
  const links: [End, End][] = [];
  const [first, second] = routers;
  if (first !== undefined && second !== undefined) links.push(connect(first, second, 0, random));
  const asnOf = nodeNumbers(routers, random);
  const nodes = Array.from({ length: random.integer(1, 4) }, (_, index): Node => {
    const name = `n${index + 1}`;
    const node: Node = {
      name,
      number: index + 1,
      asn: asnOf(index),
      peers: [],
      links: routers.flatMap((router, at) => {
        if (at > 0 && !chance(0.5)) return [];
        const net = links.length + 1;
        const other: End = {
          machine: router.name,
          device: `${router.name}-${name}`,
          addresses: [`198.51.100.${4 * net + 1}/30`, `2001:db8:ffff:${net}::1/64`],
        };
        const own: End = {
          machine: name,
          device: `${name}-${router.name}`,
          addresses: [`198.51.100.${4 * net + 2}/30`, `2001:db8:ffff:${net}::2/64`],
        };
        links.push([other, own]);
        return [{ router, own, other }];
      }),
    };
    for (const link of node.links) peerOver(link, node, random);
    return node;
  });
  for (const router of routers) announce(router, random);
  const speakers = nodes.map((node) => speakerOf(node, random));
  const plan = {
    seed,
    routers: routers.map((router) => ({
      name: router.name,
      addresses: [`192.0.2.${router.number}/32`, `2001:db8:0:${router.number}::1/128`],
      blackholes: [...router.networks.ipv4, ...router.networks.ipv6],
      configuration: configure(router, random),
      statics: router.statics,
    })),
    hosts: [],
    speakers,
    links,
  };
  const stages = [stage('started', dialSeconds), ...troubles(nodes, speakers, random)];
  return { ...plan, stages: stages.map((each) => ({ ...each, shows: showsOf(routers, nodes) })) };
}

/** Nodes share a number, have one each, or are in the first router's AS. */
function nodeNumbers(routers: readonly Draft[], random: Random): (index: number) => number {
  const kind = random.pick(['own', 'own', 'shared', 'internal']);
  const base = 64_900;
  if (kind === 'own') return (index) => base + index;
  return () => (kind === 'shared' ? base : (routers[0] as Draft).asn);
}

function peerOver({ router, own, other }: Node['links'][number], node: Node, random: Random): void {
  const chance = (probability: number) => random.fraction() < probability;
  const address = ({ addresses }: End, family: 'ipv4' | 'ipv6') => (addresses[family === 'ipv4' ? 0 : 1] as string).split('/')[0] as string;
  const kind = random.pick(['ipv6', 'ipv6', 'ipv6', 'ipv4', 'ipv4 only', 'ipv6 only', 'two']);
  const timers = random.pick([
    [9, 3],
    [90, 30],
    [30, 10],
    [9, 2],
    [12, 4],
  ] as const);
  const connectRetrySeconds = random.pick([5, 5, 8]);
  const restart = chance(0.45) ? { restartTimeSeconds: random.pick([5, 20, 120]) } : {};
  const add = (over: 'ipv4' | 'ipv6', families: Session['families']) => {
    const password = chance(0.12) ? { password: `secret-${node.number}` } : {};
    router.sessions.push({
      peer: address(own, over),
      peerAsn: node.asn,
      isInternal: node.asn === router.asn,
      isUnnumbered: false,
      families,
      hasExtendedNextHop: over === 'ipv6' && families.includes('ipv4') && chance(0.5),
      isMultihop: false,
      ...password,
    });
    node.peers.push({
      address: address(other, over),
      asn: router.asn,
      families,
      holdTimeSeconds: timers[0],
      keepaliveSeconds: timers[1],
      connectRetrySeconds,
      ...restart,
      ...password,
    });
  };
  if (kind === 'two') {
    add('ipv4', ['ipv4']);
    add('ipv6', ['ipv6']);
  } else if (kind === 'ipv6' || kind === 'ipv4') add(kind, ['ipv4', 'ipv6']);
  else add(kind === 'ipv4 only' ? 'ipv4' : 'ipv6', [kind === 'ipv4 only' ? 'ipv4' : 'ipv6']);
}

function speakerOf(node: Node, random: Random): SpeakerPlan {
  const chance = (probability: number) => random.fraction() < probability;
  const rulesFor = () =>
    node.peers.flatMap(({ address }) => {
      if (!chance(0.45)) return [];
      const communities = [`${firstAsn}:1`, `${firstAsn}:2`, `${firstAsn}:3`, 'no-export'].filter(() => chance(0.3));
      const largeCommunities = chance(0.3) ? [`${firstAsn}:4:${random.integer(1, 4)}`] : [];
      const localPref = chance(0.4) ? { localPref: random.integer(50, 300) } : {};
      return [{ peer: address, communities, largeCommunities, ...localPref }];
    });
  const announced = (prefix: string, isLater: boolean) => ({ prefix, isLater, rules: rulesFor() });
  return {
    name: node.name,
    asn: node.asn,
    routerId: `192.0.2.${100 + node.number}`,
    announced: [
      announced(`100.64.${node.number}.0/24`, false),
      announced(`2001:db8:1${node.number}::/64`, false),
      ...(chance(0.6) ? [announced('203.0.113.200/32', false), announced('2001:db8:dead:beef::/128', false)] : []),
      announced('203.0.113.201/32', true),
      announced('2001:db8:dead:beef::1/128', true),
    ],
    peers: node.peers,
  };
}

function stage(name: string, settleSeconds: number, ...actions: readonly Action[]): Stage {
  return { name, actions, settleSeconds };
}

function troubles(nodes: readonly Node[], speakers: readonly SpeakerPlan[], random: Random): readonly Stage[] {
  const done = new Set<string>();
  const stages: Stage[] = [];
  while (done.size < 2) {
    const kind = random.pick(kinds);
    if (done.has(kind)) continue;
    done.add(kind);
    stages.push(...trouble(kind, nodes, speakers, random));
  }
  return stages;
}

const kinds = [
  'link flap',
  'link',
  'clear',
  'soft clear',
  'shutdown',
  'service',
  'gobgpd killed',
  'gobgpd killed',
  'gobgpd stopped',
  'bgpd killed',
  'silence',
  'policy',
  'maximum-prefix',
  'other AS',
] as const;

/** Something that happens to a network of nodes, and that it is put right again. */
function trouble(kind: (typeof kinds)[number], nodes: readonly Node[], speakers: readonly SpeakerPlan[], random: Random): readonly Stage[] {
  const node = random.pick(nodes);
  const link = random.pick(node.links);
  const { router, other } = link;
  const session = random.pick(router.sessions.filter(({ peer }) => link.own.addresses.some((each) => each.startsWith(`${peer}/`))));
  const vtysh = (...lines: readonly string[]): Action => ({
    machine: router.name,
    argv: ['vtysh', ...lines.flatMap((line) => ['-c', line])],
  });
  const inBgp = (...lines: readonly string[]) => vtysh('configure terminal', `router bgp ${router.asn}`, ...lines);
  const family = session.families[0] as 'ipv4' | 'ipv6';
  const inFamily = (...lines: readonly string[]) => inBgp(`address-family ${family} unicast`, ...lines);
  const ip = (machine: string, ...args: readonly string[]): Action => ({ machine, argv: ['ip', ...args] });
  const gobgpd = (speaker: { readonly name: string }, ...args: readonly string[]): Action => ({
    machine: speaker.name,
    argv: ['gobgpd', ...args],
  });
  const down = ip(router.name, 'link', 'set', other.device, 'down');
  const up = [
    ip(router.name, 'link', 'set', other.device, 'up'),
    ip(router.name, 'addr', 'add', other.addresses[1] as string, 'dev', other.device, 'nodad'),
  ];
  const holdSeconds = Math.min(Number((router.timers ?? '3 9').split(' ')[1]), ...node.peers.map((peer) => peer.holdTimeSeconds));
  const retrySeconds = Math.max(...node.peers.map((peer) => peer.connectRetrySeconds));
  /** A dial that fails, the one after it, and the time that each may take. */
  const comebackSeconds = redialSeconds + 3 * retrySeconds;
  switch (kind) {
    case 'link flap':
      return [stage('link flap', redialSeconds + 10, down, { machine: router.name, argv: ['sleep', '3'] }, ...up)];
    case 'link':
      return [stage('link down', holdSeconds + 4, down), stage('link up', comebackSeconds, ...up)];
    case 'clear':
      return [stage('clear', redialSeconds, vtysh('clear bgp *'))];
    case 'soft clear':
      return [
        stage('soft clear', 4, vtysh(`clear bgp ${family} unicast *${random.pick([' soft', ' soft in', ' soft out', ' in', ' out'])}`)),
      ];
    case 'shutdown':
      return [
        stage('shutdown', 8, inBgp(`neighbor ${session.peer} shutdown`)),
        stage('no shutdown', redialSeconds, inBgp(`no neighbor ${session.peer} shutdown`)),
      ];
    case 'service': {
      const [v4, v6] = ['203.0.113.201/32', '2001:db8:dead:beef::1/128'] as const;
      return [
        stage('service announced', 4, ...speakers.flatMap((each) => [gobgpd(each, 'announce', v4), gobgpd(each, 'announce', v6)])),
        stage('service withdrawn', 4, gobgpd(node, 'withdraw', v4), gobgpd(node, 'withdraw', v6)),
      ];
    }
    case 'gobgpd killed':
      return [
        stage('gobgpd killed', random.pick([3, 8]), gobgpd(node, 'kill')),
        stage('gobgpd started', dialSeconds, gobgpd(node, 'start')),
      ];
    case 'gobgpd stopped':
      return [stage('gobgpd stopped', 3, gobgpd(node, 'stop')), stage('gobgpd started', dialSeconds, gobgpd(node, 'start'))];
    case 'bgpd killed':
      return [
        stage('bgpd killed', 3, { machine: router.name, argv: ['bgpd', 'kill'] }),
        stage('bgpd started', comebackSeconds, { machine: router.name, argv: ['bgpd', 'start'] }),
      ];
    case 'silence': {
      const to = other.addresses.map((each) => (each.split('/')[0] as string) + (each.includes(':') ? '/128' : '/32'));
      return [
        stage('silence', holdSeconds + 4, ...to.map((each) => ip(node.name, 'route', 'add', 'blackhole', each))),
        stage('heard again', comebackSeconds, ...to.map((each) => ip(node.name, 'route', 'del', 'blackhole', each))),
      ];
    }
    case 'policy':
      return [
        stage(
          'policy changed',
          8,
          vtysh('configure terminal', 'route-map LATE permit 10', 'set local-preference 150', 'set community 64496:9 additive'),
          inFamily(`neighbor ${session.peer} route-map LATE in`),
        ),
        stage('policy gone', 8, inFamily(`no neighbor ${session.peer} route-map LATE in`)),
      ];
    case 'maximum-prefix':
      return [
        stage('maximum-prefix', 8, inFamily(`neighbor ${session.peer} maximum-prefix 1`)),
        stage('no maximum-prefix', redialSeconds, inFamily(`no neighbor ${session.peer} maximum-prefix 1`), vtysh('clear bgp *')),
      ];
    case 'other AS':
      return [
        stage('other AS', 8, inBgp(`neighbor ${session.peer} remote-as 64700`)),
        stage('right AS', redialSeconds, inBgp(`neighbor ${session.peer} remote-as ${node.asn}`)),
      ];
  }
}

/** What routers say of their nodes; of each other they say what depends on who was first. */
function showsOf(routers: readonly Draft[], nodes: readonly Node[]): readonly Show[] {
  const addresses = new Set(nodes.flatMap(({ links }) => links.flatMap(({ own }) => own.addresses.map((each) => each.split('/')[0]))));
  return routers.flatMap(({ name: machine, sessions }) =>
    [
      ...sessions
        .filter(({ peer }) => addresses.has(peer))
        .flatMap(({ peer }) => [`show bgp neighbors ${peer}`, `show bgp neighbors ${peer} json`]),
      'show ip route bgp',
      'show ipv6 route bgp',
    ].map((command) => ({ machine, command })),
  );
}
