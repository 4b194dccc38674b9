import type { BgpFamily } from '../bgp/types.ts';
import {
  type BgpConfig,
  bgpFamilies,
  type FrrConfig,
  listenRangesOf,
  type NeighborConfig,
  type NeighborFamilyConfig,
  orderedNeighbors,
  type RouteMapEntry,
  type StaticRoute,
} from './config.ts';

const familyWords: Readonly<Record<BgpFamily, string>> = { 'ipv4-unicast': 'ipv4 unicast', 'ipv6-unicast': 'ipv6 unicast' };

export interface RunningConfigFacts {
  readonly version: string;
  readonly hostname: string;
  /** False: the kernel does not forward, and zebra says so. */
  readonly forwards4: boolean;
  readonly forwards6: boolean;
}

function staticLine(route: StaticRoute): string {
  const words = [route.prefix.family === 4 ? 'ip route' : 'ipv6 route', route.prefix.text];
  if (route.via !== undefined) words.push(route.via.text);
  if (route.kind !== undefined) words.push(route.kind);
  if (route.device !== undefined) words.push(route.device);
  if (route.distance !== undefined && route.distance !== 1) words.push(String(route.distance));
  return words.join(' ');
}

function neighborLines(neighbor: NeighborConfig): string[] {
  const lines: string[] = [];
  const name = neighbor.name;
  const isUnnumbered = !neighbor.isGroup && neighbor.address === undefined;
  const remoteAs = neighbor.remoteAs === undefined ? undefined : ` remote-as ${neighbor.remoteAs}`;
  if (neighbor.isGroup) {
    lines.push(`neighbor ${name} peer-group`);
    if (remoteAs !== undefined) lines.push(`neighbor ${name}${remoteAs}`);
  } else if (isUnnumbered) {
    lines.push(`neighbor ${name} interface${neighbor.peerGroup === undefined ? (remoteAs ?? '') : ` peer-group ${neighbor.peerGroup}`}`);
  } else {
    if (remoteAs !== undefined) lines.push(`neighbor ${name}${remoteAs}`);
    if (neighbor.peerGroup !== undefined) lines.push(`neighbor ${name} peer-group ${neighbor.peerGroup}`);
  }
  if (neighbor.localAs !== undefined) {
    const words = { 'no-prepend': ' no-prepend', 'replace-as': ' no-prepend replace-as' };
    lines.push(`neighbor ${name} local-as ${neighbor.localAs}${neighbor.localAsMode === undefined ? '' : words[neighbor.localAsMode]}`);
  }
  if (neighbor.description !== undefined) lines.push(`neighbor ${name} description ${neighbor.description}`);
  if (neighbor.shutdown === true) lines.push(`neighbor ${name} shutdown`);
  if (neighbor.password !== undefined) lines.push(`neighbor ${name} password ${neighbor.password}`);
  if (neighbor.port !== undefined) lines.push(`neighbor ${name} port ${neighbor.port}`);
  if (neighbor.interface !== undefined) lines.push(`neighbor ${name} interface ${neighbor.interface}`);
  if (neighbor.passive === true) lines.push(`neighbor ${name} passive`);
  if (neighbor.ebgpMultihop !== undefined) lines.push(`neighbor ${name} ebgp-multihop ${neighbor.ebgpMultihop}`);
  if (neighbor.ttlSecurityHops !== undefined) lines.push(`neighbor ${name} ttl-security hops ${neighbor.ttlSecurityHops}`);
  if (neighbor.disableConnectedCheck === true) lines.push(`neighbor ${name} disable-connected-check`);
  if (neighbor.updateSource !== undefined) lines.push(`neighbor ${name} update-source ${neighbor.updateSource}`);
  if (neighbor.keepaliveSeconds !== undefined) lines.push(`neighbor ${name} timers ${neighbor.keepaliveSeconds} ${neighbor.holdSeconds}`);
  if (neighbor.connectSeconds !== undefined) lines.push(`neighbor ${name} timers connect ${neighbor.connectSeconds}`);
  if (neighbor.extendedNextHop === true && !isUnnumbered) lines.push(`neighbor ${name} capability extended-nexthop`);
  if (neighbor.extendedNextHop === false) lines.push(`no neighbor ${name} capability extended-nexthop`);
  if (neighbor.gracefulRestart !== undefined)
    lines.push(
      `neighbor ${name} ${{ restart: 'graceful-restart', helper: 'graceful-restart-helper', disable: 'graceful-restart-disable' }[neighbor.gracefulRestart]}`,
    );
  return lines;
}

function neighborFamilyLines(bgp: BgpConfig, neighbor: NeighborConfig, family: BgpFamily): string[] {
  const lines: string[] = [];
  const { name } = neighbor;
  const settings: NeighborFamilyConfig = neighbor.families[family];
  const group = neighbor.peerGroup === undefined ? undefined : bgp.groups.get(neighbor.peerGroup);
  const usual =
    group === undefined ? (family === 'ipv4-unicast' ? bgp.defaultIpv4 : bgp.defaultIpv6) : (group.families[family].activate ?? false);
  const activate = settings.activate ?? usual;
  if (activate !== usual) lines.push(`${activate ? '' : 'no '}neighbor ${name} activate`);
  if (settings.routeReflectorClient === true) lines.push(`neighbor ${name} route-reflector-client`);
  if (settings.asOverride === true) lines.push(`neighbor ${name} as-override`);
  if (settings.nextHopSelf !== undefined) lines.push(`neighbor ${name} next-hop-self${settings.nextHopSelf === 'force' ? ' force' : ''}`);
  if (settings.sendCommunity !== undefined) {
    for (const kind of ['standard', 'extended', 'large'] as const)
      if (!settings.sendCommunity.has(kind)) lines.push(`no neighbor ${name} send-community${kind === 'standard' ? '' : ` ${kind}`}`);
  }
  if (settings.defaultOriginate === true)
    lines.push(
      `neighbor ${name} default-originate${settings.defaultOriginateMap === undefined ? '' : ` route-map ${settings.defaultOriginateMap}`}`,
    );
  if (settings.softReconfiguration === true) lines.push(`neighbor ${name} soft-reconfiguration inbound`);
  if (settings.removePrivateAs !== undefined) {
    const { all, replace } = settings.removePrivateAs;
    lines.push(`neighbor ${name} remove-private-AS${all ? ' all' : ''}${replace ? ' replace-AS' : ''}`);
  }
  if (settings.maximumPrefix !== undefined) {
    const { maximumPrefixThreshold: threshold, maximumPrefixRestart: restart } = settings;
    const words = `${threshold === undefined ? '' : ` ${threshold}`}${settings.maximumPrefixWarningOnly === true ? ' warning-only' : ''}`;
    lines.push(`neighbor ${name} maximum-prefix ${settings.maximumPrefix}${words}${restart === undefined ? '' : ` restart ${restart}`}`);
  }
  if (settings.allowAsIn !== undefined)
    lines.push(`neighbor ${name} allowas-in${settings.allowAsIn === 3 ? '' : ` ${settings.allowAsIn}`}`);
  if (settings.weight !== undefined) lines.push(`neighbor ${name} weight ${settings.weight}`);
  if (settings.prefixListIn !== undefined) lines.push(`neighbor ${name} prefix-list ${settings.prefixListIn} in`);
  if (settings.prefixListOut !== undefined) lines.push(`neighbor ${name} prefix-list ${settings.prefixListOut} out`);
  if (settings.routeMapIn !== undefined) lines.push(`neighbor ${name} route-map ${settings.routeMapIn} in`);
  if (settings.routeMapOut !== undefined) lines.push(`neighbor ${name} route-map ${settings.routeMapOut} out`);
  if (settings.filterListIn !== undefined) lines.push(`neighbor ${name} filter-list ${settings.filterListIn} in`);
  if (settings.filterListOut !== undefined) lines.push(`neighbor ${name} filter-list ${settings.filterListOut} out`);
  return lines;
}

function bgpLines(bgp: BgpConfig): string[] {
  const lines = [`router bgp ${bgp.asn}`];
  if (bgp.routerId !== undefined) lines.push(` bgp router-id ${bgp.routerId.text}`);
  if (bgp.logNeighborChanges) lines.push(' bgp log-neighbor-changes');
  if (bgp.alwaysCompareMed) lines.push(' bgp always-compare-med');
  if (!bgp.ebgpRequiresPolicy) lines.push(' no bgp ebgp-requires-policy');
  if (!bgp.defaultIpv4) lines.push(' no bgp default ipv4-unicast');
  if (bgp.defaultIpv6) lines.push(' bgp default ipv6-unicast');
  if (bgp.localPreference !== 100) lines.push(` bgp default local-preference ${bgp.localPreference}`);
  if (bgp.clusterId !== undefined) lines.push(` bgp cluster-id ${bgp.clusterId.text}`);
  if (bgp.restartTimeSeconds !== 120) lines.push(` bgp graceful-restart restart-time ${bgp.restartTimeSeconds}`);
  if (bgp.gracefulRestart) lines.push(' bgp graceful-restart');
  if (bgp.ignoreAsPath) lines.push(' bgp bestpath as-path ignore');
  if (bgp.relaxAsPath) lines.push(' bgp bestpath as-path multipath-relax');
  if (bgp.compareRouterId) lines.push(' bgp bestpath compare-routerid');
  if (bgp.medMissingAsWorst) lines.push(' bgp bestpath med missing-as-worst');
  if (!bgp.importCheck) lines.push(' no bgp network import-check');
  if (bgp.keepaliveSeconds !== 60 || bgp.holdSeconds !== 180) lines.push(` timers bgp ${bgp.keepaliveSeconds} ${bgp.holdSeconds}`);
  if (bgp.isShutdown) lines.push(' bgp shutdown');
  const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);
  const all = [...[...bgp.groups.values()].sort(byName), ...orderedNeighbors(bgp).filter((each) => each.listenRange === undefined)];
  for (const neighbor of all) for (const line of neighborLines(neighbor)) lines.push(` ${line}`);
  if (bgp.listenLimit !== undefined) lines.push(` bgp listen limit ${bgp.listenLimit}`);
  for (const name of [...bgp.groups.keys()].sort())
    for (const range of listenRangesOf(bgp, name)) lines.push(` bgp listen range ${range.text} peer-group ${name}`);
  for (const family of bgpFamilies) {
    const settings = bgp.families[family];
    const inner: string[] = [];
    for (const [prefix, { routeMap }] of [...settings.networks].sort(([a], [b]) =>
      a.address.value < b.address.value ? -1 : a.address.value > b.address.value ? 1 : a.length - b.length,
    )) {
      inner.push(`network ${prefix.text}${routeMap === undefined ? '' : ` route-map ${routeMap}`}`);
    }
    for (const [prefix, { asSet, summaryOnly }] of settings.aggregates)
      inner.push(`aggregate-address ${prefix.text}${asSet ? ' as-set' : ''}${summaryOnly ? ' summary-only' : ''}`);
    for (const source of ['kernel', 'connected', 'static'] as const) {
      const options = settings.redistribute.get(source);
      if (options === undefined) continue;
      inner.push(
        `redistribute ${source}${options.metric === undefined ? '' : ` metric ${options.metric}`}${options.routeMap === undefined ? '' : ` route-map ${options.routeMap}`}`,
      );
    }
    for (const neighbor of all) inner.push(...neighborFamilyLines(bgp, neighbor, family));
    if (settings.maximumPaths !== undefined) inner.push(`maximum-paths ${settings.maximumPaths}`);
    if (settings.maximumPathsIbgp !== undefined) inner.push(`maximum-paths ibgp ${settings.maximumPathsIbgp}`);
    if (inner.length === 0) continue;
    lines.push(' !', ` address-family ${familyWords[family]}`, ...inner.map((line) => `  ${line}`), ' exit-address-family');
  }
  lines.push('exit');
  return lines;
}

function routeMapLines(name: string, entry: RouteMapEntry): string[] {
  const lines = [`route-map ${name} ${entry.action} ${entry.sequence}`];
  if (entry.description !== undefined) lines.push(` description ${entry.description}`);
  for (const [key, value] of entry.match) lines.push(` match ${key}${value === '' ? '' : ` ${value}`}`);
  for (const [key, value] of entry.set) lines.push(` set ${key}${value === '' ? '' : ` ${value}`}`);
  if (entry.call !== undefined) lines.push(` call ${entry.call}`);
  if (entry.onMatch !== undefined) lines.push(` on-match ${entry.onMatch}`);
  lines.push('exit');
  return lines;
}

/** The text that `write memory` saves and `show running-config` wraps. */
export function printConfig(config: FrrConfig, facts: RunningConfigFacts): string {
  const lines = [`frr version ${facts.version}`, 'frr defaults traditional', `hostname ${facts.hostname}`, ...config.log];
  if (!facts.forwards4) lines.push('no ip forwarding');
  if (!facts.forwards6) lines.push('no ipv6 forwarding');
  if (config.integratedConfig) lines.push('service integrated-vtysh-config');
  lines.push(...config.other, '!');
  const block = (inner: readonly string[]) => {
    if (inner.length > 0) lines.push(...inner, '!');
  };
  block(config.debug);
  block(config.staticRoutes.map(staticLine));
  for (const device of config.interfaces.values()) {
    const inner = [
      ...(device.description === undefined ? [] : [` description ${device.description}`]),
      ...device.addresses.map((address) => ` ${address.includes(':') ? 'ipv6' : 'ip'} address ${address}`),
      ...(device.shutdown === true ? [' shutdown'] : []),
      ...device.other.map((line) => ` ${line}`),
    ];
    if (inner.length > 0) block([`interface ${device.name}`, ...inner, 'exit']);
  }
  if (config.bgp !== undefined) block(bgpLines(config.bgp));
  for (const family of [4, 6] as const) {
    const inner: string[] = [];
    for (const list of [...config.prefixLists.values()]
      .filter((each) => each.family === family)
      .sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const head = `${family === 4 ? 'ip' : 'ipv6'} prefix-list ${list.name}`;
      if (list.description !== undefined) inner.push(`${head} description ${list.description}`);
      for (const entry of [...list.entries.values()].sort((a, b) => a.sequence - b.sequence)) {
        inner.push(
          `${head} seq ${entry.sequence} ${entry.action} ${entry.prefix?.text ?? 'any'}${entry.ge === undefined ? '' : ` ge ${entry.ge}`}${entry.le === undefined ? '' : ` le ${entry.le}`}`,
        );
      }
    }
    block(inner);
  }
  const lists = (prefix: (name: string, kind: string) => string, map: FrrConfig['asPathLists']): string[] =>
    [...map.values()].flatMap((list) =>
      list.entries.map((entry) => `${prefix(list.name, list.kind)} seq ${entry.sequence} ${entry.action} ${entry.text}`),
    );
  block(lists((name) => `bgp as-path access-list ${name}`, config.asPathLists));
  block([
    ...lists((name, kind) => `bgp community-list ${kind} ${name}`, config.communityLists),
    ...lists((name, kind) => `bgp large-community-list ${kind} ${name}`, config.largeCommunityLists),
  ]);
  for (const [name, entries] of [...config.routeMaps].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const entry of [...entries.values()].sort((a, b) => a.sequence - b.sequence)) block(routeMapLines(name, entry));
  }
  return `${lines.join('\n')}\n`;
}
