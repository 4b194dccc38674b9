import type { BgpFamily } from '../bgp/types.ts';
import { contains, ip, prefix as makePrefix, parseIp } from '../net/address.ts';
import type { Ip } from '../net/types.ts';
import {
  type BgpConfig,
  bgpFamilies,
  type FrrConfig,
  type InterfaceConfig,
  type NamedList,
  type NeighborConfig,
  type NeighborFamilyConfig,
  newBgpConfig,
  newNeighbor,
  type RedistributeSource,
  type RouteMapEntry,
  type StaticRoute,
} from './config.ts';
import { type Arguments, type CommandDefinition, Grammar } from './grammar.ts';
import { keyOfPrefixList } from './policy.ts';

/** Where a configuration line is read. */
export type ConfigNode =
  | { readonly kind: 'config' }
  | { readonly kind: 'bgp' }
  | { readonly kind: 'bgp-family'; readonly family: BgpFamily }
  | { readonly kind: 'interface'; readonly name: string }
  | { readonly kind: 'route-map'; readonly name: string; readonly sequence: number };

export type Outcome =
  | undefined
  /** The daemon said why not, and vtysh stops (CMD_WARNING_CONFIG_FAILED). */
  | { readonly error: string }
  /** Said, but done. */
  | { readonly warning: string }
  | { readonly notSimulated: string };

export interface ConfigSession {
  readonly config: FrrConfig;
  node: ConfigNode;
  /** False: bgpd is not running. */
  readonly hasBgpd: boolean;
  isLocalAddress(address: Ip): boolean;
  /** What has to be brought in line after the line. */
  readonly touched: Set<'bgp' | 'policy' | 'policy-definitions' | 'static' | 'interfaces' | 'forwarding' | 'hostname'>;
}

type Definition = CommandDefinition<ConfigSession>;

function bgpOf(session: ConfigSession): BgpConfig {
  const { bgp } = session.config;
  if (bgp === undefined) throw new Error('a BGP line was read outside router bgp');
  return bgp;
}

const hopsConflict = '% ebgp-multihop and ttl-security cannot be configured together';
const specifyFirst: Outcome = { error: '% Specify remote-as or peer-group commands first' };

function findNeighbor(session: ConfigSession, name: string): NeighborConfig | undefined {
  const bgp = bgpOf(session);
  const address = parseIp(name);
  return bgp.neighbors.get(address?.text ?? name) ?? bgp.groups.get(name);
}

/** A line about one neighbor or group. */
function neighborLine(
  pattern: string,
  apply: (neighbor: NeighborConfig, args: Arguments, session: ConfigSession) => Outcome | undefined,
): Definition {
  return {
    pattern: `neighbor peer:peer ${pattern}`,
    canNo: true,
    run: (session, args) => {
      const name = args.get('peer') ?? '';
      const neighbor = findNeighbor(session, name);
      if (neighbor === undefined) return specifyFirst;
      session.touched.add('bgp');
      return apply(neighbor, args, session);
    },
  };
}

function assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

/** A line about one neighbor in one family: `router bgp` itself stands for IPv4 unicast. */
function familyLine(
  pattern: string,
  apply: (settings: NeighborFamilyConfig, args: Arguments, session: ConfigSession, neighbor: NeighborConfig) => Outcome | undefined,
): Definition {
  return neighborLine(pattern, (neighbor, args, session) => apply(neighbor.families[familyOf(session)], args, session, neighbor));
}

function familyOf(session: ConfigSession): BgpFamily {
  return session.node.kind === 'bgp-family' ? session.node.family : 'ipv4-unicast';
}

function remoteAsOf(text: string): number | 'external' | 'internal' | undefined {
  if (/^\d+$/.test(text)) {
    const asn = Number(text);
    return asn >= 1 && asn <= 4294967295 ? asn : undefined;
  }
  for (const word of ['external', 'internal'] as const) if (word.startsWith(text)) return word;
  return undefined;
}

const remoteAsLine: Definition = {
  pattern: 'neighbor peer:peer remote-as { as:word }',
  canNo: true,
  run: (session, args) => {
    const bgp = bgpOf(session);
    const name = args.get('peer') ?? '';
    const address = parseIp(name);
    if (args.isNo) return removeNeighbor(session, name);
    const remoteAs = remoteAsOf(args.get('as') ?? '');
    if (remoteAs === undefined) return { notSimulated: 'match' };
    if (address === undefined) {
      const known = bgp.groups.get(name) ?? bgp.neighbors.get(name);
      if (known === undefined) return { error: '% Create the peer-group or interface first' };
      known.remoteAs = remoteAs;
      session.touched.add('bgp');
      return undefined;
    }
    if (session.isLocalAddress(address)) return { error: '% Can not configure the local system as neighbor' };
    const known = bgp.neighbors.get(address.text);
    if (known?.peerGroup !== undefined && bgp.groups.get(known.peerGroup)?.remoteAs !== undefined)
      return { error: '% Peer-group member cannot override remote-as of peer-group' };
    const neighbor = known ?? newNeighbor(bgp, address.text, address);
    neighbor.remoteAs = remoteAs;
    bgp.neighbors.set(address.text, neighbor);
    session.touched.add('bgp');
    return undefined;
  },
};

function removeNeighbor(session: ConfigSession, name: string): Outcome {
  const bgp = bgpOf(session);
  const address = parseIp(name);
  session.touched.add('bgp');
  if (bgp.neighbors.delete(address?.text ?? name)) return undefined;
  if (bgp.groups.delete(name)) {
    for (const [range, group] of [...bgp.listenRanges]) if (group === name) bgp.listenRanges.delete(range);
    for (const [key, neighbor] of [...bgp.neighbors]) if (neighbor.peerGroup === name) bgp.neighbors.delete(key);
    return undefined;
  }
  return { error: '% Create the peer-group first' };
}

function joinGroup(session: ConfigSession, name: string, groupName: string): Outcome {
  const bgp = bgpOf(session);
  const address = parseIp(name);
  const group = bgp.groups.get(groupName);
  if (group === undefined) return { error: '% Configure the peer-group first' };
  const key = address?.text ?? name;
  const known = bgp.neighbors.get(key);
  if (address !== undefined && session.isLocalAddress(address)) return { error: '% Can not configure the local system as neighbor' };
  if (known === undefined && group.remoteAs === undefined) return specifyFirst;
  if (known === undefined && address === undefined) return { error: `% Malformed address or name: ${name}` };
  const neighbor = known ?? newNeighbor(bgp, key, address, { inGroup: true });
  if (known !== undefined) {
    for (const family of bgpFamilies) delete known.families[family].activate;
    if (group.remoteAs !== undefined) delete known.remoteAs;
  }
  neighbor.peerGroup = groupName;
  bgp.neighbors.set(key, neighbor);
  session.touched.add('bgp');
  return undefined;
}

/** bgp_vty.c, bgp_listen_range and no_bgp_listen_range. */
function listenRange(bgp: BgpConfig, session: ConfigSession, args: Arguments): Outcome {
  const range = makePrefix(args.get('range') ?? '');
  const name = args.get('group') ?? '';
  const former = bgp.listenRanges.get(range);
  if (range.family === 6 && range.address.value >> 118n === 0x3fan) return { error: '% Malformed listen range (link-local address)' };
  if (args.isNo) {
    if (!bgp.groups.has(name)) return { error: '% Peer-group does not exist' };
    if (former === undefined) return { error: '% Range specified cannot be deleted because it is not part of current config.' };
    if (former !== name) return { error: `% Same listen range is attached to peer-group ${former}` };
    bgp.listenRanges.delete(range);
    session.touched.add('bgp');
    return undefined;
  }
  if (former !== undefined) return former === name ? undefined : { error: `% Same listen range is attached to peer-group ${former}` };
  for (const other of bgp.listenRanges.keys())
    if (other.family === range.family && (contains(other, range.address) || contains(range, other.address)))
      return { error: '% Listen range overlaps with existing listen range' };
  const group = bgp.groups.get(name);
  if (group === undefined) return { error: '% Configure the peer-group first' };
  if (group.remoteAs === undefined) return { error: '% Specify remote-as or peer-group remote AS first' };
  bgp.listenRanges.set(range, name);
  session.touched.add('bgp');
  return undefined;
}

/** A switch of the BGP instance that is a boolean of its configuration. */
function flagLine(
  pattern: string,
  key: { [K in keyof Required<BgpConfig>]: Required<BgpConfig>[K] extends boolean ? K : never }[keyof BgpConfig],
  value = true,
): Definition {
  return {
    pattern,
    canNo: true,
    run: (session, args) => {
      (bgpOf(session) as Record<typeof key, boolean>)[key] = args.isNo ? !value : value;
      session.touched.add('bgp');
    },
  };
}

const bgpLines: readonly Definition[] = [
  {
    pattern: 'bgp router-id { id:ip4 }',
    canNo: true,
    run: (session, args) => {
      assign(bgpOf(session), 'routerId', args.isNo ? undefined : ip(args.get('id') ?? ''));
      session.touched.add('bgp');
    },
  },
  {
    pattern: 'bgp cluster-id { id:ip4 }',
    canNo: true,
    run: (session, args) => {
      assign(bgpOf(session), 'clusterId', args.isNo ? undefined : ip(args.get('id') ?? ''));
      session.touched.add('bgp');
    },
  },
  flagLine('bgp ebgp-requires-policy', 'ebgpRequiresPolicy'),
  flagLine('bgp default ipv4-unicast', 'defaultIpv4'),
  flagLine('bgp default ipv6-unicast', 'defaultIpv6'),
  flagLine('bgp bestpath as-path multipath-relax [ no-as-set ]', 'relaxAsPath'),
  flagLine('bgp bestpath as-path ignore', 'ignoreAsPath'),
  flagLine('bgp bestpath compare-routerid', 'compareRouterId'),
  flagLine('bgp bestpath med missing-as-worst', 'medMissingAsWorst'),
  flagLine('bgp always-compare-med', 'alwaysCompareMed'),
  flagLine('bgp network import-check', 'importCheck'),
  flagLine('bgp log-neighbor-changes', 'logNeighborChanges'),
  flagLine('bgp shutdown', 'isShutdown'),
  flagLine('bgp graceful-restart', 'gracefulRestart'),
  {
    pattern: 'bgp graceful-restart restart-time { seconds:num }',
    canNo: true,
    run: (session, args) => {
      bgpOf(session).restartTimeSeconds = args.isNo ? 120 : Number(args.get('seconds'));
      session.touched.add('bgp');
    },
  },
  {
    pattern: 'bgp default local-preference { value:num }',
    canNo: true,
    run: (session, args) => {
      bgpOf(session).localPreference = args.isNo ? 100 : Number(args.get('value'));
      session.touched.add('bgp');
    },
  },
  {
    pattern: 'bgp listen limit { limit:num }',
    canNo: true,
    run: (session, args) => {
      const limit = Number(args.get('limit'));
      if (!args.isNo && (limit < 1 || limit > 65_535)) return { notSimulated: 'match' };
      assign(bgpOf(session), 'listenLimit', args.isNo ? undefined : limit);
      return undefined;
    },
  },
  {
    pattern: 'bgp listen range range:prefix peer-group group:word',
    canNo: true,
    run: (session, args) => listenRange(bgpOf(session), session, args),
  },
  {
    pattern: 'timers bgp { keepalive:num hold:num }',
    canNo: true,
    run: (session, args) => {
      const bgp = bgpOf(session);
      const hold = Number(args.get('hold') ?? 180);
      if (!args.isNo && hold > 0 && hold < 3) return { error: '% hold time value must be either 0 or greater than 3' };
      bgp.keepaliveSeconds = args.isNo ? 60 : Number(args.get('keepalive'));
      bgp.holdSeconds = args.isNo ? 180 : hold;
      session.touched.add('bgp');
      return undefined;
    },
  },
  remoteAsLine,
  {
    pattern: 'neighbor name:word peer-group',
    canNo: true,
    run: (session, args) => {
      const bgp = bgpOf(session);
      const name = args.get('name') ?? '';
      if (args.isNo) return removeNeighbor(session, name);
      if (parseIp(name) !== undefined) return { error: '% Configure the peer-group first' };
      if (!bgp.groups.has(name)) bgp.groups.set(name, newNeighbor(bgp, name, undefined, { isGroup: true }));
      session.touched.add('bgp');
      return undefined;
    },
  },
  {
    pattern: 'neighbor peer:peer peer-group group:word',
    canNo: true,
    run: (session, args) => {
      const name = args.get('peer') ?? '';
      if (!args.isNo) return joinGroup(session, name, args.get('group') ?? '');
      const neighbor = findNeighbor(session, name);
      if (neighbor === undefined) return specifyFirst;
      // Without a number of its own a neighbor cannot live outside the group (bgpd.c, peer_group_unbind).
      if (neighbor.remoteAs === undefined) return removeNeighbor(session, name);
      delete neighbor.peerGroup;
      session.touched.add('bgp');
      return undefined;
    },
  },
  {
    pattern: 'neighbor device:word interface [ v6only ] [ remote-as as:word ]',
    canNo: true,
    run: (session, args) => {
      const bgp = bgpOf(session);
      const name = args.get('device') ?? '';
      if (args.isNo) return removeNeighbor(session, name);
      if (parseIp(name) !== undefined) return specifyFirst;
      const neighbor = bgp.neighbors.get(name) ?? newNeighbor(bgp, name, undefined);
      assign(neighbor, 'isV6Only', args.has('v6only') ? true : undefined);
      const remoteAs = args.get('as');
      if (remoteAs !== undefined) assign(neighbor, 'remoteAs', remoteAsOf(remoteAs));
      bgp.neighbors.set(name, neighbor);
      session.touched.add('bgp');
      return undefined;
    },
  },
  {
    pattern: 'neighbor device:word interface [ v6only ] peer-group group:word',
    run: (session, args) => {
      const bgp = bgpOf(session);
      const name = args.get('device') ?? '';
      if (!bgp.groups.has(args.get('group') ?? '')) return { error: '% Configure the peer-group first' };
      const neighbor = bgp.neighbors.get(name) ?? newNeighbor(bgp, name, undefined, { inGroup: true });
      assign(neighbor, 'isV6Only', args.has('v6only') ? true : undefined);
      bgp.neighbors.set(name, neighbor);
      return joinGroup(session, name, args.get('group') ?? '');
    },
  },
  neighborLine('interface device:word', (neighbor, args) => {
    assign(neighbor, 'interface', args.isNo ? undefined : args.get('device'));
    return undefined;
  }),
  {
    pattern: 'neighbor peer:peer',
    canNo: true,
    run: (session, args) => (args.isNo ? removeNeighbor(session, args.get('peer') ?? '') : { notSimulated: 'incomplete' }),
  },
  neighborLine('local-as { asn:num [ no-prepend [ replace-as ] ] }', (neighbor, args, session) => {
    const asn = Number(args.get('asn'));
    if (!args.isNo && asn === bgpOf(session).asn) return { error: '% Cannot have local-as same as BGP AS number' };
    const mode = args.has('replace-as') ? 'replace-as' : args.has('no-prepend') ? 'no-prepend' : undefined;
    assign(neighbor, 'localAs', args.isNo ? undefined : asn);
    assign(neighbor, 'localAsMode', args.isNo ? undefined : mode);
    return undefined;
  }),
  neighborLine('description { text:line }', (neighbor, args) => {
    assign(neighbor, 'description', args.isNo ? undefined : args.get('text'));
    return undefined;
  }),
  neighborLine('shutdown', (neighbor, args) => {
    assign(neighbor, 'shutdown', args.isNo ? undefined : true);
    return undefined;
  }),
  neighborLine('password { text:line }', (neighbor, args) => {
    assign(neighbor, 'password', args.isNo ? undefined : args.get('text'));
    return undefined;
  }),
  neighborLine('port { port:num }', (neighbor, args) => {
    assign(neighbor, 'port', args.isNo ? undefined : Number(args.get('port')));
    return undefined;
  }),
  neighborLine('passive', (neighbor, args) => {
    assign(neighbor, 'passive', args.isNo ? undefined : true);
    return undefined;
  }),
  neighborLine('ebgp-multihop [ hops:num ]', (neighbor, args) => {
    if (!args.isNo && neighbor.ttlSecurityHops !== undefined) return { error: hopsConflict };
    assign(neighbor, 'ebgpMultihop', args.isNo ? undefined : Number(args.get('hops') ?? 255));
    return undefined;
  }),
  neighborLine('ttl-security hops hops:num', (neighbor, args) => {
    const hops = Number(args.get('hops'));
    if (hops < 1 || hops > 254) return { notSimulated: 'match' };
    if (!args.isNo && neighbor.address === undefined && !neighbor.isGroup && hops > 1)
      return { error: `${neighbor.name} is directly connected peer, hops cannot exceed 1` };
    if (!args.isNo && neighbor.ebgpMultihop !== undefined) return { error: hopsConflict };
    assign(neighbor, 'ttlSecurityHops', args.isNo ? undefined : hops);
    return undefined;
  }),
  neighborLine('update-source { source:word }', (neighbor, args) => {
    assign(neighbor, 'updateSource', args.isNo ? undefined : args.get('source'));
    return undefined;
  }),
  neighborLine('timers { keepalive:num hold:num }', (neighbor, args) => {
    assign(neighbor, 'keepaliveSeconds', args.isNo ? undefined : Number(args.get('keepalive')));
    assign(neighbor, 'holdSeconds', args.isNo ? undefined : Number(args.get('hold')));
    return undefined;
  }),
  neighborLine('timers connect { seconds:num }', (neighbor, args) => {
    assign(neighbor, 'connectSeconds', args.isNo ? undefined : Number(args.get('seconds')));
    return undefined;
  }),
  neighborLine('capability extended-nexthop', (neighbor, args) => {
    assign(neighbor, 'extendedNextHop', args.isNo ? undefined : true);
    return undefined;
  }),
  neighborLine('graceful-restart', (neighbor, args) => {
    assign(neighbor, 'gracefulRestart', args.isNo ? undefined : 'restart');
    return undefined;
  }),
  neighborLine('graceful-restart-helper', (neighbor, args) => {
    assign(neighbor, 'gracefulRestart', args.isNo ? undefined : 'helper');
    return undefined;
  }),
  neighborLine('graceful-restart-disable', (neighbor, args) => {
    assign(neighbor, 'gracefulRestart', args.isNo ? undefined : 'disable');
    return undefined;
  }),
  // Labs shorten convergence with it: here updates go out at once anyway, and it says so.
  neighborLine('advertisement-interval { seconds:num }', (_neighbor, args) =>
    args.isNo || args.get('seconds') === '0' ? undefined : { warning: 'not simulated: advertisement-interval: updates are sent at once' },
  ),
  neighborLine('disable-connected-check', (neighbor, args) => {
    assign(neighbor, 'disableConnectedCheck', args.isNo ? undefined : true);
    return undefined;
  }),
  {
    pattern: 'address-family ipv4|ipv6 [ unicast ]',
    run: (session, args) => {
      session.node = { kind: 'bgp-family', family: args.has('ipv6') ? 'ipv6-unicast' : 'ipv4-unicast' };
    },
  },
];

function flagOf(key: 'asOverride' | 'routeReflectorClient' | 'softReconfiguration', pattern: string): Definition {
  return familyLine(pattern, (settings, args) => {
    assign(settings, key, args.isNo ? undefined : true);
    return undefined;
  });
}

function directedLine(
  pattern: string,
  inKey: 'prefixListIn' | 'filterListIn' | 'routeMapIn',
  outKey: 'prefixListOut' | 'filterListOut' | 'routeMapOut',
): Definition {
  return familyLine(`${pattern} name:word in|out`, (settings, args, session) => {
    assign(settings, args.has('out') ? outKey : inKey, args.isNo ? undefined : args.get('name'));
    session.touched.add('policy');
    return undefined;
  });
}

function networkLine(session: ConfigSession, args: Arguments, family: BgpFamily): Outcome {
  const { networks } = bgpOf(session).families[family];
  const value = makePrefix(args.get('prefix') ?? '');
  if (args.isNo && !networks.has(value)) return { error: "% Can't find static route specified" };
  if (args.isNo) networks.delete(value);
  else {
    const routeMap = args.get('map');
    networks.set(value, routeMap === undefined ? {} : { routeMap });
  }
  session.touched.add('bgp');
  return undefined;
}

const familyLines: readonly Definition[] = [
  {
    pattern: 'network prefix:prefix4 [ route-map map:word ]',
    canNo: true,
    run: (session, args) => networkLine(session, args, 'ipv4-unicast'),
  },
  {
    pattern: 'network prefix:prefix6 [ route-map map:word ]',
    canNo: true,
    run: (session, args) => networkLine(session, args, 'ipv6-unicast'),
  },
  {
    pattern: 'redistribute connected|static|kernel [ metric metric:num ] [ route-map map:word ]',
    canNo: true,
    run: (session, args) => {
      const { redistribute } = bgpOf(session).families[familyOf(session)];
      const source = args.get('connected|static|kernel') as RedistributeSource;
      const metric = args.get('metric');
      const routeMap = args.get('map');
      if (args.isNo) redistribute.delete(source);
      else
        redistribute.set(source, {
          ...(metric === undefined ? {} : { metric: Number(metric) }),
          ...(routeMap === undefined ? {} : { routeMap }),
        });
      session.touched.add('bgp');
    },
  },
  ...['prefix:prefix4', 'prefix:prefix6'].flatMap((prefix) =>
    ['[ as-set ] [ summary-only ]', 'summary-only as-set'].map((words) => ({
      pattern: `aggregate-address ${prefix} ${words}`,
      canNo: true,
      run: (session: ConfigSession, args: Arguments): Outcome => {
        const value = makePrefix(args.get('prefix') ?? '');
        const { aggregates } = bgpOf(session).families[value.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast'];
        if (args.isNo && !aggregates.delete(value)) return { error: '% There is no aggregate-address configuration.' };
        if (!args.isNo) aggregates.set(value, { summaryOnly: args.has('summary-only'), asSet: args.has('as-set') });
        session.touched.add('bgp');
        return undefined;
      },
    })),
  ),
  {
    pattern: 'maximum-paths { paths:num }',
    canNo: true,
    run: (session, args) => {
      assign(bgpOf(session).families[familyOf(session)], 'maximumPaths', args.isNo ? undefined : Number(args.get('paths')));
      session.touched.add('bgp');
    },
  },
  {
    pattern: 'maximum-paths ibgp { paths:num }',
    canNo: true,
    run: (session, args) => {
      assign(bgpOf(session).families[familyOf(session)], 'maximumPathsIbgp', args.isNo ? undefined : Number(args.get('paths')));
      session.touched.add('bgp');
    },
  },
  familyLine('activate', (settings, args) => {
    settings.activate = !args.isNo;
    return undefined;
  }),
  familyLine('next-hop-self [ force ]', (settings, args, session) => {
    assign(settings, 'nextHopSelf', args.isNo ? undefined : args.has('force') ? 'force' : 'own');
    session.touched.add('policy');
    return undefined;
  }),
  flagOf('asOverride', 'as-override'),
  flagOf('routeReflectorClient', 'route-reflector-client'),
  flagOf('softReconfiguration', 'soft-reconfiguration inbound'),
  familyLine('send-community [ standard|extended|large|both|all ]', (settings, args, session) => {
    const which = args.get('standard|extended|large|both|all') ?? 'standard';
    const kinds =
      which === 'all'
        ? (['standard', 'extended', 'large'] as const)
        : which === 'both'
          ? (['standard', 'extended'] as const)
          : ([which as 'standard' | 'extended' | 'large'] as const);
    const set = settings.sendCommunity ?? new Set(['standard', 'extended', 'large'] as const);
    for (const kind of kinds) {
      if (args.isNo) set.delete(kind);
      else set.add(kind);
    }
    assign(settings, 'sendCommunity', set.size === 3 ? undefined : set);
    session.touched.add('policy');
    return undefined;
  }),
  familyLine('default-originate [ route-map map:word ]', (settings, args, session) => {
    if (!args.isNo && args.has('route-map')) return { notSimulated: 'match' };
    assign(settings, 'defaultOriginate', args.isNo ? undefined : true);
    assign(settings, 'defaultOriginateMap', args.isNo ? undefined : args.get('map'));
    session.touched.add('policy');
    return undefined;
  }),
  familyLine('maximum-prefix { maximum:num [ threshold:num ] [ warning-only ] [ restart minutes:num ] }', (settings, args) => {
    const number = (name: string) => (args.isNo || args.get(name) === undefined ? undefined : Number(args.get(name)));
    assign(settings, 'maximumPrefix', number('maximum'));
    assign(settings, 'maximumPrefixThreshold', number('threshold'));
    assign(settings, 'maximumPrefixRestart', number('minutes'));
    assign(settings, 'maximumPrefixWarningOnly', !args.isNo && args.has('warning-only') ? true : undefined);
    return undefined;
  }),
  familyLine('remove-private-AS [ all ] [ replace-AS ]', (settings, args, session) => {
    const words = { all: args.has('all'), replace: args.has('replace-AS') };
    assign(settings, 'removePrivateAs', args.isNo ? undefined : words);
    session.touched.add('policy');
    return undefined;
  }),
  familyLine('allowas-in [ count:num ]', (settings, args, session) => {
    assign(settings, 'allowAsIn', args.isNo ? undefined : Number(args.get('count') ?? 3));
    session.touched.add('policy');
    return undefined;
  }),
  familyLine('weight { weight:num }', (settings, args, session) => {
    assign(settings, 'weight', args.isNo ? undefined : Number(args.get('weight')));
    session.touched.add('policy');
    return undefined;
  }),
  directedLine('prefix-list', 'prefixListIn', 'prefixListOut'),
  directedLine('filter-list', 'filterListIn', 'filterListOut'),
  directedLine('route-map', 'routeMapIn', 'routeMapOut'),
];

function staticLine(family: 4 | 6): Definition[] {
  const head = family === 4 ? 'ip' : 'ipv6';
  const destination = `prefix:prefix${family}`;
  const put = (session: ConfigSession, args: Arguments, route: StaticRoute): Outcome => {
    const list = session.config.staticRoutes;
    const index = list.findIndex(
      (each) => each.prefix === route.prefix && each.via === route.via && each.device === route.device && each.kind === route.kind,
    );
    if (args.isNo) {
      if (index < 0) return { error: '% Refusing to remove a non-existent route' };
      list.splice(index, 1);
    } else if (index < 0) list.push(route);
    else list[index] = route;
    session.touched.add('static');
    return undefined;
  };
  const base = (args: Arguments): Pick<StaticRoute, 'prefix' | 'distance'> => {
    const distance = args.get('distance');
    return { prefix: makePrefix(args.get('prefix') ?? ''), ...(distance === undefined ? {} : { distance: Number(distance) }) };
  };
  return [
    {
      pattern: `${head} route ${destination} via:ip${family} [ distance:num ]`,
      canNo: true,
      run: (session, args) => put(session, args, { ...base(args), via: ip(args.get('via') ?? '') }),
    },
    {
      pattern: `${head} route ${destination} via:ip${family} device:word [ distance:num ]`,
      canNo: true,
      run: (session, args) => put(session, args, { ...base(args), via: ip(args.get('via') ?? ''), device: args.get('device') ?? '' }),
    },
    {
      pattern: `${head} route ${destination} blackhole|reject|Null0 [ distance:num ]`,
      canNo: true,
      run: (session, args) =>
        put(session, args, {
          ...base(args),
          kind: (args.get('blackhole|reject|Null0') ?? 'blackhole') as 'blackhole' | 'reject' | 'Null0',
        }),
    },
    {
      pattern: `${head} route ${destination} device:word [ distance:num ]`,
      canNo: true,
      run: (session, args) => put(session, args, { ...base(args), device: args.get('device') ?? '' }),
    },
  ];
}

function prefixListLine(family: 4 | 6): Definition[] {
  const head = family === 4 ? 'ip' : 'ipv6';
  const key = (args: Arguments): string => keyOfPrefixList(family, args.get('name') ?? '');
  return [
    {
      pattern: `${head} prefix-list name:word [ seq seq:num ] permit|deny what:word [ ge ge:num ] [ le le:num ]`,
      canNo: true,
      run: (session, args) => {
        const lists = session.config.prefixLists;
        const list = lists.get(key(args)) ?? { family, name: args.get('name') ?? '', entries: new Map() };
        const what = args.get('what') ?? '';
        const prefix = what === 'any' ? undefined : makePrefixOrUndefined(what);
        if (what !== 'any' && prefix?.family !== family) return { error: `% Malformed ${family === 4 ? 'IPv4' : 'IPv6'} prefix` };
        const [ge, le] = [args.get('ge'), args.get('le')];
        const action = args.has('permit') ? 'permit' : 'deny';
        session.touched.add('policy-definitions');
        if (args.isNo) {
          for (const entry of [...list.entries.values()])
            if (entry.prefix === prefix && entry.action === action) list.entries.delete(entry.sequence);
          if (list.entries.size === 0) lists.delete(key(args));
          return undefined;
        }
        const sequence = Number(args.get('seq') ?? Math.floor((Math.max(0, ...list.entries.keys()) + 5) / 5) * 5);
        list.entries.set(sequence, {
          sequence,
          action,
          prefix,
          ...(ge === undefined ? {} : { ge: Number(ge) }),
          ...(le === undefined ? {} : { le: Number(le) }),
        });
        // The list that changed last stands last: `show ip prefix-list detail` names it.
        lists.delete(key(args));
        lists.set(key(args), list);
        return undefined;
      },
    },
    {
      pattern: `${head} prefix-list name:word`,
      canNo: true,
      run: (session, args) => {
        if (!args.isNo) return { notSimulated: 'incomplete' };
        session.touched.add('policy-definitions');
        return session.config.prefixLists.delete(key(args)) ? undefined : { error: "% Can't find specified prefix-list" };
      },
    },
    {
      pattern: `${head} prefix-list name:word description text:line`,
      run: (session, args) => {
        const list = session.config.prefixLists.get(key(args)) ?? { family, name: args.get('name') ?? '', entries: new Map() };
        session.config.prefixLists.set(key(args), { ...list, description: args.get('text') ?? '' });
      },
    },
  ];
}

function makePrefixOrUndefined(text: string): ReturnType<typeof makePrefix> | undefined {
  return /^[0-9a-fA-F:.]+\/\d+$/.test(text) && parseIp(text.split('/')[0] ?? '') !== undefined ? makePrefix(text) : undefined;
}

function namedList(pattern: string, pick: (config: FrrConfig) => Map<string, NamedList>): Definition {
  return {
    pattern,
    canNo: true,
    run: (session, args) => {
      const map = pick(session.config);
      const name = args.get('name') ?? '';
      session.touched.add('policy-definitions');
      if (args.isNo) {
        map.delete(name);
        return;
      }
      const kind = args.get('standard|expanded') === 'expanded' || (/^\d+$/.test(name) && Number(name) >= 100) ? 'expanded' : 'standard';
      const list = map.get(name) ?? { name, kind, entries: [] };
      const sequence = Number(args.get('seq') ?? Math.floor((Math.max(0, ...list.entries.map((entry) => entry.sequence)) + 5) / 5) * 5);
      const index = list.entries.findIndex((entry) => entry.sequence === sequence);
      if (index >= 0) list.entries.splice(index, 1);
      list.entries.push({ sequence, action: args.has('permit') ? 'permit' : 'deny', text: args.get('text') ?? '' });
      list.entries.sort((a, b) => a.sequence - b.sequence);
      map.set(name, list);
    },
  };
}

/** Kept for the running configuration; they change nothing that can be seen here. */
function remembered(pattern: string, where: 'log' | 'debug' | 'other'): Definition {
  return {
    pattern,
    canNo: true,
    run: (session, args) => {
      const list = session.config[where];
      const text = [...args.words, ...(args.get('rest') === undefined ? [] : [args.get('rest')])].join(' ');
      const index = list.indexOf(text);
      if (args.isNo) {
        if (index >= 0) list.splice(index, 1);
      } else if (index < 0) list.push(text);
    },
  };
}

const globalLines: readonly Definition[] = [
  {
    pattern: 'router bgp [ asn:num ]',
    canNo: true,
    run: (session, args) => {
      const { config } = session;
      const asn = args.get('asn');
      if (args.isNo) {
        if (config.bgp === undefined) return { error: asn === undefined ? '% No BGP process is configured' : "% Can't find BGP instance" };
        if (asn !== undefined && Number(asn) !== config.bgp.asn) return { error: "% Can't find BGP instance" };
        config.bgp = undefined;
        session.touched.add('bgp');
        return undefined;
      }
      if (asn === undefined && config.bgp === undefined) return { error: '% No BGP process is configured' };
      if (asn !== undefined && (Number(asn) < 1 || Number(asn) > 4294967295)) return { notSimulated: 'match' };
      if (config.bgp !== undefined && asn !== undefined && config.bgp.asn !== Number(asn))
        return { error: `BGP is already running; AS is ${config.bgp.asn}` };
      config.bgp ??= newBgpConfig(Number(asn));
      session.node = { kind: 'bgp' };
      session.touched.add('bgp');
      return undefined;
    },
  },
  {
    pattern: 'hostname { name:word }',
    canNo: true,
    run: (session, args) => {
      session.config.hostname = args.isNo ? undefined : args.get('name');
      session.touched.add('hostname');
    },
  },
  ...staticLine(4),
  ...staticLine(6),
  ...prefixListLine(4),
  ...prefixListLine(6),
  namedList('bgp as-path access-list name:word { [ seq seq:num ] permit|deny text:line }', (config) => config.asPathLists),
  namedList('bgp community-list name:num { [ seq seq:num ] permit|deny text:line }', (config) => config.communityLists),
  namedList('bgp community-list standard|expanded name:word { [ seq seq:num ] permit|deny text:line }', (config) => config.communityLists),
  namedList(
    'bgp large-community-list standard|expanded name:word { [ seq seq:num ] permit|deny text:line }',
    (config) => config.largeCommunityLists,
  ),
  {
    pattern: 'route-map name:word permit|deny sequence:num',
    canNo: true,
    run: (session, args) => {
      const name = args.get('name') ?? '';
      const sequence = Number(args.get('sequence'));
      const maps = session.config.routeMaps;
      session.touched.add('policy-definitions');
      if (args.isNo) {
        maps.get(name)?.delete(sequence);
        if (maps.get(name)?.size === 0) maps.delete(name);
        return;
      }
      const entries = maps.get(name) ?? new Map<number, RouteMapEntry>();
      const entry = entries.get(sequence) ?? { sequence, action: 'permit', match: new Map(), set: new Map() };
      entry.action = args.has('permit') ? 'permit' : 'deny';
      entries.set(sequence, entry);
      maps.set(name, entries);
      session.node = { kind: 'route-map', name, sequence };
    },
  },
  {
    pattern: 'route-map name:word',
    canNo: true,
    run: (session, args) => {
      if (!args.isNo) return { notSimulated: 'incomplete' };
      session.touched.add('policy-definitions');
      return session.config.routeMaps.delete(args.get('name') ?? '')
        ? undefined
        : { error: `% Could not find route-map ${args.get('name')}` };
    },
  },
  {
    pattern: 'interface name:word',
    canNo: true,
    run: (session, args) => {
      const name = args.get('name') ?? '';
      if (args.isNo) {
        session.config.interfaces.delete(name);
        return;
      }
      if (!session.config.interfaces.has(name)) session.config.interfaces.set(name, { name, addresses: [], other: [] });
      session.node = { kind: 'interface', name };
    },
  },
  {
    pattern: 'ip forwarding',
    canNo: true,
    run: (session, args) => {
      session.config.ipForwarding = !args.isNo;
      session.touched.add('forwarding');
    },
  },
  {
    pattern: 'ipv6 forwarding',
    canNo: true,
    run: (session, args) => {
      session.config.ipv6Forwarding = !args.isNo;
      session.touched.add('forwarding');
    },
  },
  {
    pattern: 'service integrated-vtysh-config',
    canNo: true,
    run: (session, args) => {
      session.config.integratedConfig = !args.isNo;
    },
  },
  { pattern: 'frr version rest:line', run: () => undefined },
  { pattern: 'frr defaults rest:line', run: () => undefined },
  remembered('log rest:line', 'log'),
  remembered('debug rest:line', 'debug'),
  remembered('password rest:line', 'other'),
  remembered('enable password rest:line', 'other'),
  remembered('service password-encryption', 'other'),
  remembered('agentx', 'other'),
  remembered('line vty', 'other'),
];

function interfaceOf(session: ConfigSession): InterfaceConfig {
  const { node, config } = session;
  const found = node.kind === 'interface' ? config.interfaces.get(node.name) : undefined;
  if (found === undefined) throw new Error('an interface line was read outside an interface');
  return found;
}

function addressLine(family: 4 | 6): Definition {
  return {
    pattern: `${family === 4 ? 'ip' : 'ipv6'} address address:prefix${family}`,
    canNo: true,
    run: (session, args) => {
      const { addresses } = interfaceOf(session);
      const text = args.get('address') ?? '';
      const index = addresses.indexOf(text);
      session.touched.add('interfaces');
      if (args.isNo) {
        if (index < 0) return { error: "% Can't find address" };
        addresses.splice(index, 1);
      } else if (index < 0) addresses.push(text);
      return undefined;
    },
  };
}

const interfaceLines: readonly Definition[] = [
  addressLine(4),
  addressLine(6),
  {
    pattern: 'description { text:line }',
    canNo: true,
    run: (session, args) => assign(interfaceOf(session), 'description', args.isNo ? undefined : args.get('text')),
  },
  {
    pattern: 'shutdown',
    canNo: true,
    run: (session, args) => {
      assign(interfaceOf(session), 'shutdown', args.isNo ? undefined : true);
      session.touched.add('interfaces');
    },
  },
  {
    pattern: 'ipv6 nd rest:line',
    canNo: true,
    run: (session, args) => {
      const { other } = interfaceOf(session);
      const text = `ipv6 nd ${args.get('rest')}`;
      if (args.isNo) other.splice(0, other.length, ...other.filter((line) => line !== text));
      else if (!other.includes(text)) other.push(text);
    },
  },
];

function entryOf(session: ConfigSession): RouteMapEntry {
  const { node, config } = session;
  const found = node.kind === 'route-map' ? config.routeMaps.get(node.name)?.get(node.sequence) : undefined;
  if (found === undefined) throw new Error('a route-map line was read outside a route map');
  return found;
}

function clauseLine(which: 'match' | 'set', key: string, argument: string): Definition {
  return {
    pattern: `${which} ${key}${argument === '' ? '' : ` { value:${argument} }`}`,
    canNo: true,
    run: (session, args) => {
      const map = entryOf(session)[which];
      if (args.isNo) map.delete(key);
      else map.set(key, args.get('value') ?? '');
      session.touched.add('policy-definitions');
    },
  };
}

const routeMapLines: readonly Definition[] = [
  ...[
    'ip address prefix-list',
    'ipv6 address prefix-list',
    'ip next-hop prefix-list',
    'ipv6 next-hop prefix-list',
    'as-path',
    'origin',
    'peer',
  ].map((key) => clauseLine('match', key, 'word')),
  ...['ip address prefix-len', 'ipv6 address prefix-len', 'metric', 'local-preference'].map((key) => clauseLine('match', key, 'num')),
  ...['community', 'large-community'].map((key) => clauseLine('match', key, 'line')),
  ...['local-preference', 'weight'].map((key) => clauseLine('set', key, 'num')),
  ...['metric', 'origin', 'ip next-hop', 'ipv6 next-hop global', 'originator-id'].map((key) => clauseLine('set', key, 'word')),
  ...['community', 'large-community', 'as-path prepend', 'as-path exclude'].map((key) => clauseLine('set', key, 'line')),
  clauseLine('set', 'ipv6 next-hop prefer-global', ''),
  clauseLine('set', 'atomic-aggregate', ''),
  {
    pattern: 'description { text:line }',
    canNo: true,
    run: (session, args) => assign(entryOf(session), 'description', args.isNo ? undefined : args.get('text')),
  },
  {
    pattern: 'call { name:word }',
    canNo: true,
    run: (session, args) => {
      assign(entryOf(session), 'call', args.isNo ? undefined : args.get('name'));
      session.touched.add('policy-definitions');
    },
  },
  {
    pattern: 'on-match next',
    canNo: true,
    run: (session, args) => {
      assign(entryOf(session), 'onMatch', args.isNo ? undefined : 'next');
      session.touched.add('policy-definitions');
    },
  },
  {
    pattern: 'on-match goto target:num',
    canNo: true,
    run: (session, args) => {
      assign(entryOf(session), 'onMatch', args.isNo ? undefined : `goto ${args.get('target')}`);
      session.touched.add('policy-definitions');
    },
  },
];

function leaveFamily(session: ConfigSession): void {
  session.node = { kind: 'bgp' };
}

export const configGrammars: Readonly<Record<ConfigNode['kind'], Grammar<ConfigSession>>> = {
  config: new Grammar(globalLines),
  // FRR takes the IPv4 unicast lines in `router bgp` itself too (hidden commands).
  bgp: new Grammar([...bgpLines, ...familyLines]),
  'bgp-family': new Grammar([...familyLines, { pattern: 'exit-address-family', run: leaveFamily }]),
  interface: new Grammar(interfaceLines),
  'route-map': new Grammar(routeMapLines),
};

export function parentNode(node: ConfigNode): ConfigNode | undefined {
  if (node.kind === 'config') return undefined;
  return node.kind === 'bgp-family' ? { kind: 'bgp' } : { kind: 'config' };
}

/** Lines that real FRR knows in these places and that have an effect which is not modelled. */
const notModelled = [
  /^(no )?router (ospf|ospf6|isis|rip|ripng|eigrp|babel|openfabric)\b/,
  /^(no )?(vrf|nexthop-group|pbr-map|access-list|ipv6 access-list|key chain|mpls|segment-routing|bfd|rpki|router-id|ip protocol|ipv6 protocol|ip nht|ipv6 nht)\b/,
  /^(no )?router bgp \d+ (vrf|view)\b/,
  /^(no )?bgp (confederation|dampening|fast-convergence|no-rib|update-delay|max-med|deterministic-med|suppress|long-lived|conditional|fast-external-failover|disable-ebgp|reject-as-sets|route-reflector|client-to-client|bestpath|hard-administrative|minimum-holdtime|default|labeled|graceful-shutdown|extcommunity-list|community)\b/,
  /^(no )?(aggregate-address|distance|table-map|import|export|rd|rt|label|sid|advertise-all-vni|segment-routing|redistribute|coalesce-time|read-quanta|write-quanta)\b/,
  /^(no )?address-family (l2vpn|ipv4|ipv6)\b/,
  /^(no )?neighbor \S+ (addpath|attribute-unchanged|bfd|capability|conditional|disable-addpath|distribute-list|dont-capability|enforce|local-role|local-as|maximum-prefix-out|override-capability|remove-private-AS|route-server-client|sender-as-path|soo|solo|strict|tcp-mss|unsuppress|advertise-map|timers|oad|shutdown|maximum-prefix)\b/,
  /^neighbor \S+ default-originate route-map\b/,
  /^(no )?network \S+ (backdoor|label-index)\b/,
  /^(no )?(match|set) \S/,
  /^(no )?(ip|ipv6) (route|mroute|ospf|rip|igmp|pim|nd|import-table)\b/,
];

export function isKnownButNotModelled(line: string): boolean {
  return notModelled.some((pattern) => pattern.test(line.trim()));
}
