import type { BgpFamily, BgpPeer, ExportFilter, PathAttributes, RoutePolicy } from '../bgp/types.ts';
import { contains, ip } from '../net/address.ts';
import type { Ip, Prefix } from '../net/types.ts';
import {
  type BgpConfig,
  effectiveNeighbor,
  type FrrConfig,
  isExternal,
  type NamedList,
  type NeighborConfig,
  type PrefixList,
  type RouteMapEntry,
} from './config.ts';

export const wellKnownCommunities: ReadonlyMap<string, number> = new Map([
  ['internet', 0],
  ['graceful-shutdown', 0xffff0000],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['local-AS', 0xffffff03],
  ['no-peer', 0xffffff04],
]);

export function parseCommunity(text: string): number | undefined {
  const known = wellKnownCommunities.get(text);
  if (known !== undefined) return known;
  const parts = /^(\d+):(\d+)$/.exec(text);
  if (parts === null) return /^\d+$/.test(text) ? Number(text) >>> 0 : undefined;
  return (Number(parts[1]) * 0x10000 + Number(parts[2])) >>> 0;
}

export function communityText(value: number): string {
  for (const [name, known] of wellKnownCommunities) if (known === value && known !== 0) return name;
  return `${value >>> 16}:${value & 0xffff}`;
}

export function asPathText(path: PathAttributes['asPath']): string {
  return path.map((item) => (typeof item === 'number' ? String(item) : `{${item.set.join(',')}}`)).join(' ');
}

/** Entries by their number. Mostly they were written so; a copy is then enough. */
function inSequence<T extends { readonly sequence: number }>(entries: ReadonlyMap<unknown, T>): readonly T[] {
  const list = [...entries.values()];
  for (let index = 1; index < list.length; index++)
    if ((list[index] as T).sequence < (list[index - 1] as T).sequence) return list.sort((a, b) => a.sequence - b.sequence);
  return list;
}

/** `ge`/`le` as in FRR: neither means the exact length. */
export function permitsPrefix(list: PrefixList, prefix: Prefix): boolean {
  if (list.entries.size === 0) return true;
  for (const entry of inSequence(list.entries)) {
    if (entry.prefix !== undefined) {
      if (entry.prefix.family !== prefix.family || prefix.length < entry.prefix.length || !contains(entry.prefix, prefix.address)) continue;
      if (entry.ge === undefined && entry.le === undefined && prefix.length !== entry.prefix.length) continue;
      if (entry.ge !== undefined && prefix.length < entry.ge) continue;
      if (entry.le !== undefined && prefix.length > entry.le) continue;
    } else if (list.family !== prefix.family) continue;
    return entry.action === 'permit';
  }
  return false;
}

/** FRR's `_` stands for any border of an AS number. */
function asPathExpression(text: string): RegExp {
  return new RegExp(text.replaceAll('_', '(?:^|[,{}() ]|$)'));
}

function permitsAsPath(list: NamedList, path: PathAttributes['asPath']): boolean {
  const text = asPathText(path);
  for (const entry of list.entries) if (asPathExpression(entry.text).test(text)) return entry.action === 'permit';
  return false;
}

function permitsCommunities(list: NamedList, own: readonly string[], isExact: boolean): boolean {
  for (const entry of list.entries) {
    let isMatch: boolean;
    if (list.kind === 'expanded') isMatch = new RegExp(entry.text.replaceAll('_', '(?:^|[,{}() ]|$)')).test(own.join(' '));
    else {
      const wanted = entry.text.split(/\s+/);
      isMatch = wanted.every((each) => each === 'internet' || own.includes(each)) && (!isExact || wanted.length === own.length);
    }
    if (isMatch) return entry.action === 'permit';
  }
  return false;
}

type Subject = { readonly prefix: Prefix; readonly attributes: PathAttributes; readonly weight: number };

export interface MapResult {
  readonly isPermitted: boolean;
  readonly attributes: PathAttributes;
  readonly weight: number;
}

const keyOfPrefixList = (family: 4 | 6, name: string): string => `${family} ${name}`;

export { keyOfPrefixList };

function matchesClause(config: FrrConfig, key: string, value: string, subject: Subject, peer: BgpPeer | undefined): boolean {
  const { attributes, prefix } = subject;
  const word = value.split(/\s+/)[0] ?? '';
  switch (key) {
    case 'ip address prefix-list':
    case 'ipv6 address prefix-list': {
      const list = config.prefixLists.get(keyOfPrefixList(key.startsWith('ipv6') ? 6 : 4, word));
      return list !== undefined && prefix.family === list.family && permitsPrefix(list, prefix);
    }
    case 'ip next-hop prefix-list':
    case 'ipv6 next-hop prefix-list': {
      const list = config.prefixLists.get(keyOfPrefixList(key.startsWith('ipv6') ? 6 : 4, word));
      const hop = attributes.nextHop;
      return (
        list !== undefined &&
        permitsPrefix(list, {
          family: hop.family,
          address: hop,
          length: hop.family === 4 ? 32 : 128,
          text: `${hop.text}/${hop.family === 4 ? 32 : 128}`,
        })
      );
    }
    case 'as-path': {
      const list = config.asPathLists.get(word);
      return list !== undefined && permitsAsPath(list, attributes.asPath);
    }
    case 'community': {
      const list = config.communityLists.get(word);
      return (
        list !== undefined && permitsCommunities(list, (attributes.communities ?? []).map(communityText), value.includes('exact-match'))
      );
    }
    case 'large-community': {
      const list = config.largeCommunityLists.get(word);
      return (
        list !== undefined &&
        permitsCommunities(
          list,
          (attributes.largeCommunities ?? []).map((each) => each.join(':')),
          value.includes('exact-match'),
        )
      );
    }
    case 'metric':
      // FRR 8.4.4 takes `match metric 0` for no condition at all (measured); no MED reads as 0.
      return word === '0' || (attributes.med ?? 0) === Number(word);
    case 'local-preference':
      return (attributes.localPref ?? 100) === Number(word);
    case 'origin':
      return attributes.origin === word;
    case 'peer':
      return peer?.config.address.text === word;
    case 'ip address prefix-len':
    case 'ipv6 address prefix-len':
      return prefix.length === Number(word);
    default:
      return false;
  }
}

function applySet(key: string, value: string, subject: Subject, peer: BgpPeer | undefined): Subject {
  const { attributes } = subject;
  const words = value.split(/\s+/);
  const first = words[0] ?? '';
  const change = (changes: Partial<PathAttributes>): Subject => ({ ...subject, attributes: { ...attributes, ...changes } });
  switch (key) {
    case 'metric': {
      const number = Number(first.replace(/^[+-]/, ''));
      const now = attributes.med ?? 0;
      return change({ med: first.startsWith('+') ? now + number : first.startsWith('-') ? Math.max(0, now - number) : number });
    }
    case 'local-preference':
      return change({ localPref: Number(first) });
    case 'weight':
      return { ...subject, weight: Number(first) };
    case 'origin':
      return change({ origin: first === 'igp' || first === 'egp' ? first : 'incomplete' });
    case 'as-path prepend': {
      if (first === 'last-as') {
        const head = attributes.asPath[0];
        return head === undefined
          ? subject
          : change({ asPath: [...new Array<typeof head>(Number(words[1] ?? 1)).fill(head), ...attributes.asPath] });
      }
      return change({ asPath: [...words.map(Number), ...attributes.asPath] });
    }
    case 'as-path exclude': {
      const excluded = new Set(words.map(Number));
      return change({ asPath: attributes.asPath.filter((item) => typeof item !== 'number' || !excluded.has(item)) });
    }
    case 'community': {
      if (first === 'none') return change({ communities: [] });
      const isAdditive = words.includes('additive');
      const list = words.flatMap((word) => (word === 'additive' ? [] : [parseCommunity(word) ?? 0]));
      const all = isAdditive ? [...(attributes.communities ?? []), ...list] : list;
      return change({ communities: [...new Set(all)].sort((a, b) => a - b) });
    }
    case 'large-community': {
      if (first === 'none') return change({ largeCommunities: [] });
      const list = words.flatMap((word) => {
        const parts = word.split(':').map(Number);
        return parts.length === 3 ? [[parts[0] as number, parts[1] as number, parts[2] as number] as const] : [];
      });
      return change({ largeCommunities: words.includes('additive') ? [...(attributes.largeCommunities ?? []), ...list] : list });
    }
    case 'ip next-hop':
    case 'ipv6 next-hop global': {
      const address: Ip | undefined = first === 'peer-address' ? peer?.config.address : ip(first);
      if (address === undefined) return subject;
      const { linkLocalNextHop: _dropped, ...rest } = attributes;
      return { ...subject, attributes: { ...rest, nextHop: address } };
    }
    case 'ipv6 next-hop prefer-global': {
      const { linkLocalNextHop: _dropped, ...rest } = attributes;
      return { ...subject, attributes: rest };
    }
    case 'originator-id':
      return change({ originatorId: ip(first) });
    case 'atomic-aggregate':
      return change({ atomicAggregate: true });
    default:
      return subject;
  }
}

/** FRR: a route map that does not exist permits nothing; one that runs out denies (`doc/user/routemap.rst`). */
export function applyRouteMap(
  config: FrrConfig,
  name: string,
  prefix: Prefix,
  attributes: PathAttributes,
  weight: number,
  peer: BgpPeer | undefined,
  depth = 0,
): MapResult {
  const denied: MapResult = { isPermitted: false, attributes, weight };
  const entries = config.routeMaps.get(name);
  if (entries === undefined || depth > 10) return denied;
  let subject: Subject = { prefix, attributes, weight };
  // lib/routemap.c, route_map_apply_ext: an entry that does not match after `on-match next` takes the permission back.
  let isPermitted = false;
  const ordered = inSequence(entries);
  for (let index = 0; index < ordered.length; index++) {
    const entry = ordered[index] as RouteMapEntry;
    const current = subject;
    if (![...entry.match].every(([key, value]) => matchesClause(config, key, value, current, peer))) {
      isPermitted = false;
      continue;
    }
    if (entry.action === 'deny') return denied;
    for (const [key, value] of entry.set) subject = applySet(key, value, subject, peer);
    if (entry.call !== undefined && config.routeMaps.has(entry.call)) {
      const called = applyRouteMap(config, entry.call, prefix, subject.attributes, subject.weight, peer, depth + 1);
      if (!called.isPermitted) return denied;
      subject = { prefix, attributes: called.attributes, weight: called.weight };
    }
    isPermitted = true;
    if (entry.onMatch === undefined) break;
    if (entry.onMatch.startsWith('goto')) {
      const target = Number(entry.onMatch.split(' ')[1]);
      const next = ordered.findIndex((each) => each.sequence >= target);
      if (next <= index) break;
      index = next - 1;
    }
  }
  return isPermitted ? { isPermitted, attributes: subject.attributes, weight: subject.weight } : denied;
}

export function neighborOf(bgp: BgpConfig, peer: BgpPeer): NeighborConfig | undefined {
  const own = ownNeighborOf(bgp, peer);
  return own === undefined ? undefined : effectiveNeighbor(bgp, own);
}

/** Without what its group adds. */
function ownNeighborOf(bgp: BgpConfig, { config }: BgpPeer): NeighborConfig | undefined {
  const named = bgp.dynamicNeighbors.get(config.address) ?? bgp.neighbors.get(config.address.text);
  if (named !== undefined && named.address === config.address) return named;
  for (const neighbor of bgp.neighbors.values())
    if (neighbor.address === config.address || (neighbor.address === undefined && neighbor.name === config.device)) return neighbor;
  return undefined;
}

/** RFC 8212 as FRR counts it: any list or map in that direction is a policy. */
export function hasPolicy(neighbor: NeighborConfig, family: BgpFamily, direction: 'in' | 'out'): boolean {
  const settings = neighbor.families[family];
  return direction === 'in'
    ? settings.routeMapIn !== undefined || settings.prefixListIn !== undefined || settings.filterListIn !== undefined
    : settings.routeMapOut !== undefined || settings.prefixListOut !== undefined || settings.filterListOut !== undefined;
}

export function lacksPolicy(bgp: BgpConfig, neighbor: NeighborConfig, family: BgpFamily, direction: 'in' | 'out'): boolean {
  return bgp.ebgpRequiresPolicy && isExternal(bgp, neighbor) && !hasPolicy(neighbor, family, direction);
}

/** What of {@link makePolicy}`(config, 'out')` depends on nothing but the prefix. */
export function makeExportFilter(config: FrrConfig): ExportFilter {
  /** Of a neighbor that is told nothing at all: no list has such a name. */
  const nothing = ' ';
  return {
    /** The prefix list, or nothing where there is none. */
    keyOf: (peer, family) => {
      const neighbor = config.bgp === undefined ? undefined : neighborOf(config.bgp, peer);
      if (config.bgp === undefined || neighbor === undefined || lacksPolicy(config.bgp, neighbor, family, 'out')) return nothing;
      return neighbor.families[family].prefixListOut ?? '';
    },
    refuses: (prefix, key) => {
      if (key === nothing || key === '') return key === nothing;
      const list = config.prefixLists.get(keyOfPrefixList(prefix.family, key));
      return list === undefined || !permitsPrefix(list, prefix);
    },
  };
}

/** What a neighbor's lists, maps and the default policy do with a path in one direction. */
export function makePolicy(config: FrrConfig, direction: 'in' | 'out'): RoutePolicy {
  return ({ prefix, attributes }, peer) => {
    const { bgp } = config;
    const neighbor = bgp === undefined ? undefined : neighborOf(bgp, peer);
    if (bgp === undefined || neighbor === undefined) return undefined;
    const family: BgpFamily = prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast';
    if (lacksPolicy(bgp, neighbor, family, direction)) return undefined;
    const settings = neighbor.families[family];
    const prefixList = direction === 'in' ? settings.prefixListIn : settings.prefixListOut;
    if (prefixList !== undefined) {
      const list = config.prefixLists.get(keyOfPrefixList(prefix.family, prefixList));
      // A list that is named but not there denies everything (bgp_route.c, bgp_input_filter).
      if (list === undefined || !permitsPrefix(list, prefix)) return undefined;
    }
    const filterList = direction === 'in' ? settings.filterListIn : settings.filterListOut;
    if (filterList !== undefined) {
      const list = config.asPathLists.get(filterList);
      if (list === undefined || !permitsAsPath(list, attributes.asPath)) return undefined;
    }
    let weight = direction === 'in' ? (settings.weight ?? 0) : 0;
    let result = attributes;
    const routeMap = direction === 'in' ? settings.routeMapIn : settings.routeMapOut;
    if (routeMap !== undefined) {
      const mapped = applyRouteMap(config, routeMap, prefix, result, weight, peer);
      if (!mapped.isPermitted) return undefined;
      ({ attributes: result, weight } = mapped);
    }
    if (direction === 'out' && settings.sendCommunity !== undefined) {
      const { communities, largeCommunities, ...rest } = result;
      result = {
        ...rest,
        ...(communities !== undefined && settings.sendCommunity.has('standard') ? { communities } : {}),
        ...(largeCommunities !== undefined && settings.sendCommunity.has('large') ? { largeCommunities } : {}),
      };
    }
    return { attributes: result, weight };
  };
}
