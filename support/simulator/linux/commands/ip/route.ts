import type { CommandResult } from '../../../docker/types.ts';
import { comparePrefixes, contains, parseIp } from '../../../net/address.ts';
import type { Family, Ip, NextHop, Prefix, Route, RouteInput } from '../../../net/types.ts';
import { CommandFailure, output } from '../result.ts';
import { getRoute } from './route-get.ts';
import { type Omitted, routeJson, routeText, tableNames } from './route-text.ts';
import { asKernel, changedDevice, expectAddress, expectNumber, expectPrefix, type IpContext, json, matches, Words } from './words.ts';

const protocolNumbers: Readonly<Record<string, Route['protocol']>> = {
  '2': 'kernel',
  '3': 'boot',
  '4': 'static',
  '9': 'ra',
  '11': 'zebra',
  '186': 'bgp',
};
const types = ['unicast', 'local', 'broadcast', 'multicast', 'anycast', 'blackhole', 'unreachable', 'prohibit', 'throw'] as const;

export function ipRoute(words: readonly string[], context: IpContext): CommandResult {
  const [verb = 'show', ...rest] = words;
  if (matches(verb, 'list') || matches(verb, 'show') || matches(verb, 'lst')) return show(new Words(rest), context);
  if (matches(verb, 'get')) {
    const warnings: string[] = [];
    const result = getRoute(new Words(rest), context, warnings);
    return { ...result, stderr: warnings.join('') };
  }
  if (matches(verb, 'add')) return change(new Words(rest), context, (route) => context.namespace.routes.add(route));
  if (matches(verb, 'prepend')) return change(new Words(rest), context, (route) => append(route, context, 'first'));
  if (matches(verb, 'append')) return change(new Words(rest), context, (route) => append(route, context, 'last'));
  if (matches(verb, 'change') || verb === 'chg') {
    return change(new Words(rest), context, (route) => {
      const metric = route.metric ?? (route.destination.family === 4 ? 0 : 1024);
      const known = context.namespace.routes
        .list({ table: route.table ?? 254 })
        .some((other) => other.destination === route.destination && other.metric === metric);
      if (!known) throw new CommandFailure('RTNETLINK answers: No such file or directory\n', 2);
      context.namespace.routes.replace(route);
    });
  }
  if (matches(verb, 'replace')) return change(new Words(rest), context, (route) => context.namespace.routes.replace(route));
  if (matches(verb, 'delete')) return remove(new Words(rest), context);
  if (matches(verb, 'flush')) return flush(new Words(rest), context);
  if (matches(verb, 'save') || matches(verb, 'restore') || verb === 'showdump')
    throw new CommandFailure(`Error: not simulated: ip route ${verb}\n`, 2);
  if (matches(verb, 'help')) return { stdout: '', stderr: usage, exitCode: 255 };
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip route help".\n`, 255);
}

const usage = `Usage: ip route { list | flush } SELECTOR
       ip route get [ ROUTE_GET_FLAGS ] ADDRESS
                            [ from ADDRESS iif STRING ]
                            [ oif STRING ] [ tos TOS ]
                            [ mark NUMBER ] [ vrf NAME ]
                            [ uid NUMBER ] [ ipproto PROTOCOL ]
                            [ sport NUMBER ] [ dport NUMBER ]
       ip route { add | del | change | append | replace } ROUTE
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ]
            [ table TABLE_ID ] [ vrf NAME ] [ proto RTPROTO ]
            [ type TYPE ] [ scope SCOPE ]
ROUTE := NODE_SPEC [ INFO_SPEC ]
`;

export function tableOf(text: string, complaint = 'invalid table ID'): number {
  const named = Object.entries(tableNames).find(([, name]) => name === text);
  if (named !== undefined) return Number(named[0]);
  if (/^\d+$/.test(text)) return Number(text);
  throw new CommandFailure(`Error: argument "${text}" is wrong: ${complaint}\n`, 255);
}

/** IPv6 joins routes of one prefix and metric into one with several next hops (net/ipv6/ip6_fib.c). */
function append(route: RouteInput, context: IpContext, place: 'last' | 'first'): void {
  const { routes } = context.namespace;
  const same =
    route.destination.family === 6
      ? routes
          .list({ family: 6, table: route.table ?? 254 })
          .find((other) => other.destination === route.destination && other.metric === (route.metric ?? 1024))
      : undefined;
  if (route.destination.family === 4) routes.addBeside(route, place);
  else if (same === undefined || same.type !== 'unicast') routes.add(route);
  else routes.replace({ ...same, nextHops: [...same.nextHops, ...(route.nextHops ?? [])] });
}

/** What a route command names: only what was written is set. */
interface RouteWords {
  destination: Prefix | undefined;
  /** Bits of the address beyond the prefix were set. */
  hasHostBits: boolean;
  family: Family | undefined;
  type: Route['type'] | undefined;
  nextHops: NextHop[];
  protocol: Route['protocol'] | undefined;
  scope: Route['scope'] | undefined;
  preferredSource: Ip | undefined;
  metric: number | undefined;
  table: number | undefined;
  mtu: number | undefined;
}

function parse(words: Words, context: IpContext): RouteWords {
  const found: RouteWords = {
    destination: undefined,
    hasHostBits: false,
    family: context.family,
    type: undefined,
    nextHops: [],
    protocol: undefined,
    scope: undefined,
    preferredSource: undefined,
    metric: undefined,
    table: undefined,
    mtu: undefined,
  };
  let hop: { via?: Ip; device?: string; onLink?: boolean } = {};
  let destinationText: string | undefined;
  while (words.hasMore) {
    const word = words.take();
    if (word === 'to') destinationText = words.take();
    else if (word === 'via') {
      const next = words.take();
      const family = next === 'inet' || next === 'inet6' ? (next === 'inet' ? 4 : 6) : undefined;
      hop = { ...hop, via: expectAddress(family === undefined ? next : words.take(), family ?? found.family) };
    } else if (word === 'dev' || word === 'oif') hop = { ...hop, device: words.take() };
    else if (word === 'onlink') hop = { ...hop, onLink: true };
    else if (word === 'nexthop') found.nextHops.push(nextHop(words));
    else if (word === 'src') found.preferredSource = expectAddress(words.take(), found.family);
    else if (word === 'metric' || word === 'priority' || word === 'preference') found.metric = expectNumber(words.take(), 'metric');
    else if (word === 'table') found.table = tableOf(words.take());
    else if (word === 'proto' || word === 'protocol') {
      const text = words.take();
      const named = protocolNumbers[text] ?? Object.values(protocolNumbers).find((name) => name === text);
      if (named === undefined) throw new CommandFailure(`Error: argument "${text}" is wrong: "protocol" value is invalid\n\n`, 255);
      found.protocol = named;
    } else if (word === 'scope') {
      const text = words.take();
      const scopes: Readonly<Record<string, Route['scope']>> = {
        global: 'global',
        universe: 'global',
        link: 'link',
        host: 'host',
        site: 'site',
      };
      const scope = scopes[text];
      if (scope === undefined) throw new CommandFailure(`Error: argument "${text}" is wrong: invalid "scope" value\n\n`, 255);
      found.scope = scope;
    } else if (word === 'mtu') {
      words.skip('lock');
      found.mtu = expectNumber(words.take(), 'mtu');
    } else if (['advmss', 'rtt', 'window', 'initcwnd', 'pref', 'tos', 'dsfield', 'realm', 'nhid', 'encap', 'expires'].includes(word)) {
      throw new CommandFailure(`Error: not simulated: ip route ${word}\n`, 2);
    } else {
      const type = types.find((name) => name === word);
      if (type !== undefined && found.type === undefined && destinationText === undefined) found.type = type;
      else if (destinationText === undefined) destinationText = word;
      else throw new CommandFailure(`Error: either "to" is duplicate, or "${word}" is a garbage.\n`, 255);
    }
  }
  if (Object.keys(hop).length > 0) found.nextHops.unshift(hop);
  if (destinationText !== undefined) {
    const family =
      found.family ?? (destinationText === 'default' ? found.nextHops.find((next) => next.via !== undefined)?.via?.family : undefined);
    found.destination = expectPrefix(destinationText, family);
    found.family = found.destination.family;
    found.hasHostBits = destinationText.includes('/') && parseIp(destinationText.replace(/\/.*/, '')) !== found.destination.address;
  }
  return found;
}

function nextHop(words: Words): NextHop {
  let hop: NextHop = {};
  while (words.hasMore) {
    if (words.skip('via')) {
      const next = words.take();
      hop = { ...hop, via: expectAddress(next === 'inet' || next === 'inet6' ? words.take() : next, undefined) };
    } else if (words.skip('dev')) hop = { ...hop, device: words.take() };
    else if (words.skip('weight')) hop = { ...hop, weight: expectNumber(words.take(), 'weight') };
    else if (words.skip('onlink')) hop = { ...hop, onLink: true };
    else break;
  }
  return hop;
}

function change(words: Words, context: IpContext, apply: (route: RouteInput) => void): CommandResult {
  if (!words.hasMore) return { stdout: '', stderr: usage, exitCode: 255 };
  const wanted = parse(words, context);
  const { destination } = wanted;
  if (destination === undefined) throw new CommandFailure('RTNETLINK answers: No such device\n', 2);
  for (const hop of wanted.nextHops) if (hop.device !== undefined) changedDevice(context.namespace, hop.device);
  // IPv6 clears such bits instead
  if (wanted.hasHostBits && destination.family === 4) throw new CommandFailure('Error: Invalid prefix for given prefix length.\n', 2);
  const needsHop = wanted.type === undefined || wanted.type === 'unicast';
  if (needsHop && wanted.nextHops.length === 0) throw new CommandFailure('RTNETLINK answers: No such device\n', 2);
  asKernel(() =>
    apply({
      destination,
      type: wanted.type ?? 'unicast',
      ...(wanted.nextHops.length === 0 ? {} : { nextHops: wanted.nextHops }),
      protocol: wanted.protocol ?? 'boot',
      ...(wanted.scope === undefined ? {} : { scope: wanted.scope }),
      ...(wanted.preferredSource === undefined ? {} : { preferredSource: wanted.preferredSource }),
      ...(wanted.metric === undefined ? {} : { metric: wanted.metric }),
      ...(wanted.table === undefined ? {} : { table: wanted.table }),
      ...(wanted.mtu === undefined ? {} : { mtu: wanted.mtu }),
    }),
  );
  return output('');
}

function remove(words: Words, context: IpContext): CommandResult {
  const wanted = parse(words, context);
  const { destination } = wanted;
  if (destination === undefined) throw new CommandFailure('RTNETLINK answers: No such process\n', 2);
  for (const hop of wanted.nextHops) if (hop.device !== undefined) changedDevice(context.namespace, hop.device);
  asKernel(() =>
    context.namespace.routes.delete({
      destination,
      ...(wanted.type === undefined ? {} : { type: wanted.type }),
      ...(wanted.nextHops.length === 0 ? {} : { nextHops: wanted.nextHops }),
      ...(wanted.protocol === undefined ? {} : { protocol: wanted.protocol }),
      ...(wanted.scope === undefined ? {} : { scope: wanted.scope }),
      ...(wanted.metric === undefined ? {} : { metric: wanted.metric }),
      ...(wanted.table === undefined ? {} : { table: wanted.table }),
    }),
  );
  return output('');
}

interface Selector {
  table: number | 'all' | undefined;
  device: string | undefined;
  via: Ip | undefined;
  protocol: string | undefined;
  type: string | undefined;
  scope: string | undefined;
  isWithin: (destination: Prefix) => boolean;
  family: Family;
}

function selector(words: Words, context: IpContext): Selector {
  const found: Selector = {
    table: undefined,
    device: undefined,
    via: undefined,
    protocol: undefined,
    type: undefined,
    scope: undefined,
    isWithin: () => true,
    family: context.family ?? 4,
  };
  const limit = (text: string, test: (asked: Prefix, destination: Prefix) => boolean): void => {
    const asked = expectPrefix(text, context.family);
    found.family = asked.family;
    found.isWithin = (destination) => test(asked, destination);
  };
  while (words.hasMore) {
    const word = words.take();
    if (word === 'table') {
      const text = words.take();
      found.table = text === 'all' || text === '0' ? 'all' : tableOf(text, 'table id value is invalid\n');
    } else if (word === 'dev' || word === 'oif') found.device = words.take();
    else if (word === 'via') {
      found.via = expectAddress(words.take(), undefined);
    } else if (word === 'proto' || word === 'protocol') {
      const text = words.take();
      found.protocol = protocolNumbers[text] ?? text;
    } else if (word === 'type') found.type = words.take();
    else if (word === 'scope') found.scope = words.take();
    else if (word === 'root')
      limit(words.take(), (asked, destination) => destination.length >= asked.length && contains(asked, destination.address));
    else if (word === 'match')
      limit(words.take(), (asked, destination) => destination.length <= asked.length && contains(destination, asked.address));
    else if (word === 'cache') return { ...found, isWithin: () => false };
    else {
      const type = types.find((name) => name === word);
      if (type !== undefined) found.type = type;
      else limit(word === 'to' || word === 'exact' ? words.take() : word, (asked, destination) => asked === destination);
    }
  }
  return found;
}

function selected(wanted: Selector, context: IpContext): readonly Route[] {
  const table = wanted.table ?? 254;
  const routes = context.namespace.routes.list({ family: wanted.family, ...(table === 'all' ? {} : { table }) }).filter(
    (route) =>
      wanted.isWithin(route.destination) &&
      // iproute2 looks at the attributes of the route itself, which one with several next hops does not have
      (wanted.device === undefined || (route.nextHops.length === 1 && route.nextHops[0]?.device === wanted.device)) &&
      (wanted.via === undefined || (route.nextHops.length === 1 && route.nextHops[0]?.via === wanted.via)) &&
      (wanted.protocol === undefined || route.protocol === wanted.protocol) &&
      (wanted.type === undefined || route.type === wanted.type) &&
      (wanted.scope === undefined || route.scope === wanted.scope) &&
      (wanted.table !== undefined || route.table === 254),
  );
  return [...routes].sort(
    (a, b) => tableRank(a.table) - tableRank(b.table) || (wanted.family === 4 ? inTrieOrder(a, b) : inTreeOrder(a, b)),
  );
}

/** `table all` lists main and local last, as the kernel's hash of tables happens to do. */
function tableRank(table: number): number {
  return table === 254 ? 1 : table === 255 ? 2 : 0;
}

/** IPv4: by address; of one address the longest prefix first (net/ipv4/fib_trie.c). */
function inTrieOrder(a: Route, b: Route): number {
  return a.destination === b.destination
    ? a.metric - b.metric
    : a.destination.address === b.destination.address
      ? b.destination.length - a.destination.length
      : comparePrefixes(a.destination, b.destination);
}

/** IPv6: a subtree before its root, so the longer prefix first (net/ipv6/ip6_fib.c). */
function inTreeOrder(a: Route, b: Route): number {
  if (a.destination === b.destination) return a.metric - b.metric;
  if (contains(a.destination, b.destination.address) && a.destination.length < b.destination.length) return 1;
  if (contains(b.destination, a.destination.address) && b.destination.length < a.destination.length) return -1;
  return comparePrefixes(a.destination, b.destination);
}

function show(words: Words, context: IpContext): CommandResult {
  const wanted = selector(words, context);
  // `ip route show table all` without a family prints both
  const families: readonly Family[] = context.family === undefined && wanted.table === 'all' ? [4, 6] : [wanted.family];
  if (wanted.device !== undefined && context.namespace.getInterface(wanted.device) === undefined)
    throw new CommandFailure(`Cannot find device "${wanted.device}"\n`, 1);
  const omitted: Omitted = {
    device: wanted.device !== undefined,
    via: wanted.via !== undefined,
    protocol: wanted.protocol !== undefined,
    scope: wanted.scope !== undefined,
    table: wanted.table !== 'all',
  };
  if (typeof wanted.table === 'number' && !context.namespace.routes.hasTable(wanted.family, wanted.table))
    throw new CommandFailure(`Error: ipv${wanted.family}: FIB table does not exist.\nDump terminated\n`, 2);
  const routes = families.flatMap((family) => selected({ ...wanted, family }, context));
  if (context.isJson)
    return output(
      json(
        routes.map((route) => routeJson(route, context, omitted)),
        context,
      ),
    );
  return output(routes.map((route) => routeText(route, context, omitted)).join(''));
}

function flush(words: Words, context: IpContext): CommandResult {
  if (!words.hasMore) throw new CommandFailure('"ip route flush" requires arguments.\n', 1);
  const wanted = selector(words, context);
  const routes = selected(wanted, context);
  if (routes.length === 0) return output('');
  for (const route of routes) asKernel(() => context.namespace.routes.delete(route));
  return output('');
}
