import type { SpeakerView } from './gobgp.ts';

/** A way to a prefix, as `show bgp … json` tells of it, without what differs from run to run. */
export interface ObservedPath {
  readonly nextHops: readonly string[];
  readonly asPath: string;
  readonly origin: string;
  readonly from: string;
  readonly localPreference?: number;
  readonly metric?: number;
  readonly weight: number;
  readonly isValid: boolean;
  readonly isBest: boolean;
  readonly isMultipath: boolean;
  /** By `aggregate-address … summary-only`. */
  readonly isSuppressed?: true;
}

/** What one router shows at the end of a stage. */
export interface RouterView {
  /** By prefix; the paths in the order of their text. */
  readonly bgp: Readonly<Record<string, readonly ObservedPath[]>>;
  /** Routes that zebra gave the kernel, by prefix: metric and next hops. */
  readonly kernel: Readonly<Record<string, string>>;
  /** By family and neighbor: state and, once it is Established, how many prefixes came. */
  readonly sessions: Readonly<Record<string, string>>;
}

export interface StageView {
  readonly stage: string;
  readonly routers: Readonly<Record<string, RouterView>>;
  /** `from → address` to the status and body of the answer, or curl's exit code. */
  readonly http: Readonly<Record<string, string>>;
  /** What the nodes' speakers show. */
  readonly speakers?: Readonly<Record<string, SpeakerView>>;
  /** By router, family and neighbor: the second of the stage in which a session came up, of those that did. */
  readonly comebacks?: Readonly<Record<string, number>>;
  /** What the stage's `shows` printed, by machine and command. */
  readonly shows?: Readonly<Record<string, string>>;
}

/** Raw texts of a router, as both kinds give them. */
export interface RawRouter {
  readonly bgp4: string;
  readonly bgp6: string;
  /** `show bgp FAMILY unicast summary json` */
  readonly summary4: string;
  readonly summary6: string;
  readonly routes4: string;
  readonly routes6: string;
  /** `ip -j addr` */
  readonly addresses: string;
}

interface BgpJson {
  readonly routes?: Readonly<
    Record<
      string,
      readonly {
        readonly valid?: boolean;
        readonly bestpath?: boolean;
        readonly multipath?: boolean;
        readonly suppressed?: boolean;
        readonly pathFrom?: string;
        readonly metric?: number;
        readonly locPrf?: number;
        readonly weight?: number;
        readonly path?: string;
        readonly origin?: string;
        readonly nexthops?: readonly { readonly ip?: string; readonly used?: boolean }[];
      }[]
    >
  >;
}

interface SummaryJson {
  readonly peers?: Readonly<
    Record<string, { readonly state: string; readonly pfxRcd?: number; readonly peerUptimeEstablishedEpoch?: number }>
  >;
}

interface RouteJson {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
  readonly dev?: string;
  readonly metric?: number;
  readonly protocol?: string;
  readonly nexthops?: readonly { readonly gateway?: string; readonly via?: { readonly host: string }; readonly dev?: string }[];
}

/** Link-local addresses have random host parts: `owner` names the machine and device that has one. */
export function ownersOf(machines: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const [machine, text] of machines) {
    const devices = JSON.parse(text) as { ifname: string; addr_info?: { local?: string }[] }[];
    for (const { ifname, addr_info = [] } of devices) {
      for (const { local } of addr_info) if (local?.startsWith('fe80:') === true) owners.set(local, `link-local of ${machine} ${ifname}`);
    }
  }
  return owners;
}

export function viewOf(raw: RawRouter, owners: ReadonlyMap<string, string>): RouterView {
  const named = (address: string) => owners.get(address) ?? address;
  const bgp: Record<string, readonly ObservedPath[]> = {};
  for (const text of [raw.bgp4, raw.bgp6]) {
    const { routes = {} } = parsed(text) as BgpJson;
    for (const [prefix, paths] of Object.entries(routes)) {
      bgp[prefix] = paths
        .map((path) => ({
          nextHops: (path.nexthops ?? [])
            .filter(({ used }) => used === true)
            .map(({ ip }) => named(ip ?? ''))
            .sort(),
          asPath: path.path ?? '',
          origin: path.origin ?? '',
          from: path.pathFrom ?? '',
          ...(path.locPrf === undefined ? {} : { localPreference: path.locPrf }),
          ...(path.metric === undefined ? {} : { metric: path.metric }),
          weight: path.weight ?? 0,
          isValid: path.valid === true,
          isBest: path.bestpath === true,
          isMultipath: path.multipath === true,
          ...(path.suppressed === true ? { isSuppressed: true as const } : {}),
        }))
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    }
  }
  const kernel: Record<string, string> = {};
  for (const text of [raw.routes4, raw.routes6]) {
    for (const route of (text === '' ? [] : JSON.parse(text)) as RouteJson[]) {
      if (route.protocol !== undefined && route.protocol !== 'bgp') continue;
      const hops = (route.nexthops ?? [route])
        .map((hop) => `${named(hop.gateway ?? hop.via?.host ?? '')} dev ${hop.dev ?? ''}`)
        .sort()
        .join(', ');
      kernel[route.dst] =
        `${route.type === undefined || route.type === 'unicast' ? '' : `${route.type} `}${hops} metric ${route.metric ?? 0}`;
    }
  }
  const sessions: Record<string, string> = {};
  for (const [family, text] of [
    ['ipv4', raw.summary4],
    ['ipv6', raw.summary6],
  ] as const) {
    for (const [peer, { state, pfxRcd }] of Object.entries((parsed(text) as SummaryJson).peers ?? {}))
      sessions[`${family} ${peer}`] = state === 'Established' ? `${state} ${pfxRcd}` : isTrying(state) ? 'trying' : state;
  }
  return { bgp: sorted(bgp), kernel: sorted(kernel), sessions: sorted(sessions) };
}

/** Of sessions that came up since the stage began, at the second of the epoch `beganAt`: after how many seconds. */
export function comebacksOf(raw: ReadonlyMap<string, RawRouter>, beganAt: number): Readonly<Record<string, number>> {
  const comebacks: Record<string, number> = {};
  for (const [router, { summary4, summary6 }] of raw) {
    for (const [family, text] of [
      ['ipv4', summary4],
      ['ipv6', summary6],
    ] as const) {
      for (const [peer, { state, peerUptimeEstablishedEpoch = 0 }] of Object.entries((parsed(text) as SummaryJson).peers ?? {}))
        if (state === 'Established' && peerUptimeEstablishedEpoch > beganAt)
          comebacks[`${router} ${family} ${peer}`] = peerUptimeEstablishedEpoch - beganAt;
    }
  }
  return sorted(comebacks);
}

/** Which of these a look falls on is a matter of the moment. */
function isTrying(state: string): boolean {
  return ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm'].includes(state);
}

/** Without a bgpd vtysh says so instead of JSON. */
function parsed(text: string): unknown {
  return text.trimStart().startsWith('{') ? JSON.parse(text) : {};
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
