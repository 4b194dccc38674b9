import { existsSync } from 'node:fs';
import type { SpeakerPlan } from './plan.ts';

/** Where GoBGP's programs are: installed, or unpacked in a folder of their own (`OUTPOST_GOBGP_ROOT`). */
export function findRealGobgp(env: Readonly<Record<string, string | undefined>>): { readonly root: string } | string {
  for (const root of [env['OUTPOST_GOBGP_ROOT'], ''])
    if (root !== undefined && existsSync(`${root}/usr/bin/gobgpd`) && existsSync(`${root}/usr/bin/gobgp`)) return { root };
  return 'GoBGP is not installed (Debian package gobgpd, or OUTPOST_GOBGP_ROOT names the folder it was unpacked in)';
}

const quoted = (word: string) => JSON.stringify(word);
const isIpv6 = (text: string) => text.includes(':');

/**
 * What Cilium's agent tells its GoBGP through the API (pkg/bgpv1/gobgp, `NewGoBGPServer` and `getPeerConfig`), as a file: no port
 * to listen on, local routes only, graceful restart with notifications, and a statement a prefix and peer for what a policy adds.
 */
export function gobgpConfiguration({ asn, routerId, announced, peers }: SpeakerPlan): string {
  const rules = announced.flatMap(({ prefix, rules: own }) => own.map((rule) => ({ prefix, ...rule })));
  const lines = [
    '[global.config]',
    `  as = ${asn}`,
    `  router-id = ${quoted(routerId)}`,
    '  port = -1',
    '[global.apply-policy.config]',
    '  import-policy-list = ["allow-local"]',
    '  default-import-policy = "reject-route"',
    ...(rules.length > 0 ? ['  export-policy-list = ["announce"]'] : []),
    '  default-export-policy = "accept-route"',
    '[[policy-definitions]]',
    '  name = "allow-local"',
    '  [[policy-definitions.statements]]',
    '    [policy-definitions.statements.conditions.bgp-conditions]',
    '      route-type = "local"',
    '    [policy-definitions.statements.actions]',
    '      route-disposition = "accept-route"',
    ...(rules.length > 0 ? ['[[policy-definitions]]', '  name = "announce"'] : []),
    ...rules.flatMap(({ communities, largeCommunities, localPref }, index) => [
      '  [[policy-definitions.statements]]',
      '    [policy-definitions.statements.conditions.match-prefix-set]',
      `      prefix-set = "prefix-${index}"`,
      '    [policy-definitions.statements.conditions.match-neighbor-set]',
      `      neighbor-set = "peer-${index}"`,
      '    [policy-definitions.statements.actions]',
      '      route-disposition = "accept-route"',
      ...(localPref === undefined
        ? []
        : ['    [policy-definitions.statements.actions.bgp-actions]', `      set-local-pref = ${localPref}`]),
      ...added('community', communities),
      ...added('large-community', largeCommunities),
    ]),
    ...rules.flatMap(({ prefix, peer }, index) => [
      '[[defined-sets.prefix-sets]]',
      `  prefix-set-name = "prefix-${index}"`,
      '  [[defined-sets.prefix-sets.prefix-list]]',
      `    ip-prefix = ${quoted(prefix)}`,
      `    masklength-range = "${prefix.split('/')[1]}..${prefix.split('/')[1]}"`,
      '[[defined-sets.neighbor-sets]]',
      `  neighbor-set-name = "peer-${index}"`,
      `  neighbor-info-list = [${quoted(`${peer}/${isIpv6(peer) ? 128 : 32}`)}]`,
    ]),
    ...peers.flatMap(neighborLines),
  ];
  return lines.join('\n');
}

function added(kind: 'community' | 'large-community', values: readonly string[]): string[] {
  const action = `policy-definitions.statements.actions.bgp-actions.set-${kind}`;
  if (values.length === 0) return [];
  return [
    `    [${action}]`,
    '      options = "add"',
    `      [${action}.set-${kind}-method]`,
    `        communities-list = [${values.map(quoted).join(', ')}]`,
  ];
}

function neighborLines(peer: SpeakerPlan['peers'][number]): string[] {
  const { restartTimeSeconds, password } = peer;
  return [
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = ${quoted(peer.address)}`,
    `    peer-as = ${peer.asn}`,
    ...(password === undefined ? [] : [`    auth-password = ${quoted(password)}`]),
    '  [neighbors.timers.config]',
    `    connect-retry = ${peer.connectRetrySeconds}`,
    `    hold-time = ${peer.holdTimeSeconds}`,
    `    keepalive-interval = ${peer.keepaliveSeconds}`,
    ...(restartTimeSeconds === undefined
      ? []
      : [
          '  [neighbors.graceful-restart.config]',
          '    enabled = true',
          `    restart-time = ${restartTimeSeconds}`,
          '    notification-enabled = true',
        ]),
    ...peer.families.flatMap((family) => [
      '  [[neighbors.afi-safis]]',
      '    [neighbors.afi-safis.config]',
      `      afi-safi-name = "${family}-unicast"`,
      ...(restartTimeSeconds === undefined ? [] : ['    [neighbors.afi-safis.mp-graceful-restart.config]', '      enabled = true']),
    ]),
  ];
}

/** Script lines that run a node's speaker in its namespace and look at it. */
export class GobgpScript {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  configure(speaker: SpeakerPlan): string {
    return `cat > /run/${speaker.name}.toml <<'CONFIGURATION'\n${gobgpConfiguration(speaker)}\nCONFIGURATION`;
  }

  /** Started, and told what it announces from the beginning. `-r`: as the agent sets `LocalRestarting`. */
  start(
    { name, announced, peers }: SpeakerPlan,
    prefixes: readonly string[] = announced.filter(({ isLater }) => !isLater).map(({ prefix }) => prefix),
  ): string[] {
    const restarts = peers.some(({ restartTimeSeconds }) => restartTimeSeconds !== undefined) ? '-r ' : '';
    return [
      `ip netns exec ${name} ${this.#root}/usr/bin/gobgpd ${restarts}-f /run/${name}.toml >> /run/${name}.log 2>&1 & echo $! > /run/${name}.pid`,
      `for attempt in $(seq 50); do ${this.#gobgp(name)} global > /dev/null 2>&1 && break; sleep 0.1; done`,
      ...prefixes.map((prefix) => this.announce(name, prefix, 'add')),
    ];
  }

  announce(name: string, prefix: string, verb: 'add' | 'del'): string {
    return `${this.#gobgp(name)} global rib ${verb} -a ${isIpv6(prefix) ? 'ipv6' : 'ipv4'} ${prefix}${verb === 'add' ? ' origin igp' : ''}`;
  }

  end(name: string, how: 'kill' | 'stop'): string {
    return `kill -${how === 'kill' ? 'KILL' : 'TERM'} $(cat /run/${name}.pid); wait $(cat /run/${name}.pid) 2> /dev/null || true`;
  }

  look({ name, peers }: SpeakerPlan, out: string): string[] {
    return [
      // A daemon that is dead is asked once. Only of a single neighbor does it count what it told.
      `${this.#gobgp(name)} global > /dev/null 2>&1 || exit 0`,
      ...peers.map(
        ({ address }) => `${this.#gobgp(name)} neighbor ${address} -j > ${out}/${name}.${address}.neighbor 2> /dev/null || true`,
      ),
      ...peers.flatMap(({ address }) =>
        [4, 6].map(
          (family) =>
            `${this.#gobgp(name)} neighbor ${address} adj-in -a ipv${family} -j > ${out}/${name}.${address}.received${family} 2> /dev/null || true`,
        ),
      ),
    ];
  }

  #gobgp(name: string): string {
    return `ip netns exec ${name} ${this.#root}/usr/bin/gobgp`;
  }
}

/** What a node's speaker shows at the end of a stage. */
export interface SpeakerView {
  /** By peer: its state and, once it is Established, the hold time and the prefixes received, accepted and told for each family. */
  readonly peers: Readonly<Record<string, string>>;
  /** By peer and prefix: what came, with its attributes. */
  readonly received: Readonly<Record<string, string>>;
}

interface NeighborJson {
  readonly state: { readonly session_state?: number };
  readonly timers: { readonly state?: { readonly negotiated_hold_time?: number; readonly keepalive_interval?: number } };
  readonly afi_safis?: readonly {
    readonly state: {
      readonly family: { readonly afi: number };
      readonly received?: number;
      readonly accepted?: number;
      readonly advertised?: number;
    };
  }[];
}

interface PathJson {
  readonly stale?: boolean;
  readonly attrs: readonly {
    readonly type: number;
    readonly value?: unknown;
    readonly metric?: number;
    readonly nexthop?: string;
    readonly as_paths?: readonly { readonly asns: readonly number[] }[];
    readonly communities?: readonly number[];
  }[];
}

const established = 6;

/** Of the raw texts that {@link GobgpScript.look} left; `read` gives one by its ending. */
export function speakerView({ peers }: SpeakerPlan, read: (ending: string) => string, named: (address: string) => string): SpeakerView {
  // A daemon that is dead or a session that is down leaves an error text.
  const parse = (text: string): unknown => (/^[[{]/.test(text) && !text.startsWith('{"error"') ? JSON.parse(text) : undefined);
  const states = peers.flatMap(({ address }) => {
    const neighbor = parse(read(`${address}.neighbor`)) as NeighborJson | undefined;
    if (neighbor === undefined) return [];
    const { state, timers, afi_safis = [] } = neighbor;
    const counts = afi_safis
      .map(
        ({ state: { family, received = 0, accepted = 0, advertised = 0 } }) =>
          `ipv${family.afi === 1 ? 4 : 6} ${received}/${accepted}/${advertised}`,
      )
      .join(' ');
    const { negotiated_hold_time = 0, keepalive_interval = 0 } = timers.state ?? {};
    const text =
      state.session_state === established ? `Established ${negotiated_hold_time}/${keepalive_interval} ${counts}` : 'not established';
    return [[address, text] as const];
  });
  const received = peers.flatMap(({ address }) =>
    ['4', '6'].flatMap((family) =>
      Object.entries((parse(read(`${address}.received${family}`)) ?? {}) as Record<string, readonly PathJson[]>).map(
        ([prefix, [path]]) => [`${address} ${prefix}`, path === undefined ? '' : pathText(path, named)] as const,
      ),
    ),
  );
  const sorted = (entries: readonly (readonly [string, string])[]) => Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { peers: sorted(states), received: sorted(received) };
}

const origins = ['igp', 'egp', 'incomplete'];

function pathText({ attrs, stale }: PathJson, named: (address: string) => string): string {
  const words: Record<string, unknown> = { stale: stale === true ? '' : undefined };
  for (const { type, value, metric, nexthop, as_paths: segments, communities } of attrs) {
    if (type === 1) words['origin'] = origins[Number(value)];
    if (type === 2) words['path'] = (segments ?? []).flatMap(({ asns }) => asns).join(' ');
    if (type === 3 || type === 14) words['next hop'] = named(nexthop ?? '');
    if (type === 4) words['med'] = metric;
    if (type === 5) words['localpref'] = value;
    if (type === 8) words['communities'] = (communities ?? []).join(' ');
    if (type === 9) words['originator'] = value;
    if (type === 10) words['clusters'] = (value as readonly string[]).join(' ');
    if (type === 32)
      words['large'] = (value as { ASN: number; LocalData1: number; LocalData2: number }[])
        .map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`)
        .join(' ');
  }
  return receivedText(words);
}

/** One path as a line; what is undefined is left out. */
export function receivedText(words: Readonly<Record<string, unknown>>): string {
  return Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${String(value)}`.trim())
    .sort()
    .join(', ');
}
