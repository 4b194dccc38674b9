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
}

/** What one router shows at the end of a stage. */
export interface RouterView {
  /** By prefix; the paths in the order of their text. */
  readonly bgp: Readonly<Record<string, readonly ObservedPath[]>>;
  /** Routes that zebra gave the kernel, by prefix: metric and next hops. */
  readonly kernel: Readonly<Record<string, string>>;
}

export interface StageView {
  readonly stage: string;
  readonly routers: Readonly<Record<string, RouterView>>;
  /** `from → address` to the status and body of the answer, or curl's exit code. */
  readonly http: Readonly<Record<string, string>>;
}

/** Raw texts of a router, as both kinds give them. */
export interface RawRouter {
  readonly bgp4: string;
  readonly bgp6: string;
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
    const { routes = {} } = JSON.parse(text === '' ? '{}' : text) as BgpJson;
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
        }))
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    }
  }
  const kernel: Record<string, string> = {};
  for (const text of [raw.routes4, raw.routes6]) {
    for (const route of JSON.parse(text === '' ? '[]' : text) as RouteJson[]) {
      if (route.protocol !== undefined && route.protocol !== 'bgp') continue;
      const hops = (route.nexthops ?? [route])
        .map((hop) => `${named(hop.gateway ?? hop.via?.host ?? '')} dev ${hop.dev ?? ''}`)
        .sort()
        .join(', ');
      kernel[route.dst] =
        `${route.type === undefined || route.type === 'unicast' ? '' : `${route.type} `}${hops} metric ${route.metric ?? 0}`;
    }
  }
  return { bgp: sorted(bgp), kernel: sorted(kernel) };
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
