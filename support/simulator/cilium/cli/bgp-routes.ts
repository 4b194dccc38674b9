import type { BgpFamily, PathAttributes } from '../../bgp/types.ts';
import { parseIp } from '../../net/address.ts';
import type { Ip, Prefix } from '../../net/types.ts';
import { formatCommunity } from '../agent/bgp/communities.ts';
import type { BgpControlPlane } from '../agent/bgp/control-plane.ts';
import { goSeconds } from '../time.ts';

/** One path in the table of `bgp routes`. */
export interface RouteRow {
  readonly routerAsn: number;
  readonly neighbor: string | undefined;
  readonly prefix: Prefix;
  readonly ageMs: number;
  readonly attributes: PathAttributes;
  readonly isAdvertised: boolean;
}

export interface RouteQuery {
  readonly table: 'available' | 'advertised';
  /** Undefined for a family of which there are no routes. */
  readonly afi: 'ipv4' | 'ipv6' | undefined;
  readonly routerAsn: number | undefined;
  readonly peer: Ip | undefined;
  /** Said before the table, unless the output is JSON. */
  readonly note: string | undefined;
}

const afis = ['ipv4', 'ipv6', 'l2vpn', 'ls', 'opaque'];
const safis = [
  'unicast',
  'multicast',
  'mpls_label',
  'encapsulation',
  'vpls',
  'evpn',
  'sr_policy',
  'mup',
  'mpls_vpn',
  'mpls_vpn_multicast',
  'route_target_constraints',
  'flowspec_unicast',
  'flowspec_vpn',
  'key_value',
  'ls',
];

/** Reads `<available|advertised> <afi> <safi> [vrouter ASN] [peer|neighbor IP]` (section 3.4 of the reference). */
export function parseRouteQuery(args: readonly string[]): RouteQuery | { readonly problem: string } {
  const [table = 'available', afi = 'ipv4', safi = 'unicast', ...rest] = args;
  let note: string | undefined;
  if (args.length === 0) note = '(Defaulting to `available ipv4 unicast` routes, please see help for more options)';
  else if (args.length === 1) note = '(Defaulting to `ipv4 unicast` AFI & SAFI, please see help for more options)';
  else if (args.length === 2) note = '(Defaulting to `unicast` SAFI, please see help for more options)';
  if (table !== 'available' && table !== 'advertised')
    return { problem: `invalid argument: \`${table}\`, expected \`available\` / \`advertised\`` };
  if (!afis.includes(afi)) return { problem: `unknown AFI \`${afi}\`` };
  if (!safis.includes(safi)) return { problem: `unknown SAFI \`${safi}\`` };
  let routerAsn: number | undefined;
  let peer: Ip | undefined;
  const words = [...rest];
  if (words[0] !== undefined && !['vrouter', 'peer', 'neighbor'].includes(words[0]))
    return { problem: `invalid argument: \`${words[0]}\`, expected \`vrouter\` / \`peer\`` };
  if (words[0] === 'vrouter') {
    const [, value] = words.splice(0, 2);
    if (value === undefined) return { problem: 'missing vrouter ASN value' };
    if (!/^[+-]?\d+$/.test(value)) return { problem: `invalid vrouter ASN: strconv.ParseInt: parsing "${value}": invalid syntax` };
    routerAsn = Number(value);
  }
  // A peer only matters, and is only looked at, for what is advertised.
  if (table === 'advertised' && words.length > 0) {
    const [keyword, value] = words;
    if (keyword !== 'peer' && keyword !== 'neighbor') return { problem: 'missing `peer` argument' };
    if (value === undefined) return { problem: 'missing peer IP address' };
    peer = parseIp(value);
    if (peer === undefined) return { problem: `invalid peer IP address: ParseAddr("${value}"): unable to parse IP` };
  }
  const isKnown = safi === 'unicast' && (afi === 'ipv4' || afi === 'ipv6');
  return { table, afi: isKnown ? afi : undefined, routerAsn, peer, note };
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Rows of one agent, by ASN, neighbor and the prefix's text. */
export function routeRows(plane: BgpControlPlane, query: RouteQuery, now: number): readonly RouteRow[] | { readonly problem: string } {
  const { routers } = plane;
  if (query.peer !== undefined && query.routerAsn === undefined && routers.length > 1)
    return { problem: 'multiple virtual routers configured, router ASN must be specified' };
  const chosen = query.routerAsn === undefined ? routers : routers.filter(({ desired }) => desired.localAsn === query.routerAsn);
  if (query.routerAsn !== undefined && chosen.length === 0) return { problem: `virtual router with ASN ${query.routerAsn} does not exist` };
  if (query.afi === undefined) return [];
  const family: BgpFamily = query.afi === 'ipv4' ? 'ipv4-unicast' : 'ipv6-unicast';
  const rows: RouteRow[] = [];
  for (const { desired, speaker } of chosen) {
    const routerAsn = desired.localAsn;
    if (query.table === 'available') {
      for (const { prefix, paths } of speaker.locRib(family)) {
        for (const path of paths) {
          if (path.peer === undefined)
            rows.push({
              routerAsn,
              neighbor: undefined,
              prefix,
              ageMs: now - path.receivedAt,
              attributes: path.attributes,
              isAdvertised: false,
            });
        }
      }
      continue;
    }
    for (const peer of speaker.peers) {
      if (query.peer !== undefined && peer.config.address !== query.peer) continue;
      for (const { prefix, attributes, sentAt } of peer.adjRibOut(family)) {
        rows.push({ routerAsn, neighbor: peer.config.address.text, prefix, ageMs: now - sentAt, attributes, isAdvertised: true });
      }
    }
  }
  return rows.toSorted(
    (a, b) => a.routerAsn - b.routerAsn || byText(a.neighbor ?? '', b.neighbor ?? '') || byText(a.prefix.text, b.prefix.text),
  );
}

/** The next hop as shown: a route of the agent's own has none yet. */
export function nextHopOf({ attributes, isAdvertised, prefix }: RouteRow): string {
  // Go writes an IPv4 address that IPv6 carries as plain IPv4.
  if (isAdvertised) return attributes.nextHop.text.replace(/^::ffff:(?=[\d.]+$)/, '');
  return prefix.family === 4 ? '0.0.0.0' : '::';
}

/** gobgp's notation of path attributes, in its order. */
export function formatAttributes(row: RouteRow): string {
  const { attributes, prefix, isAdvertised } = row;
  const nextHop = nextHopOf(row);
  const isMultiprotocol = prefix.family === 6 || nextHop.includes(':');
  const parts = [`{Origin: ${{ igp: 'i', egp: 'e', incomplete: '?' }[attributes.origin]}}`];
  if (isAdvertised)
    parts.push(
      `{AsPath: ${attributes.asPath.map((step) => (typeof step === 'number' ? String(step) : `{${step.set.join(',')}}`)).join(' ')}}`,
    );
  if (!isMultiprotocol) parts.push(`{Nexthop: ${nextHop}}`);
  if (attributes.med !== undefined) parts.push(`{Med: ${attributes.med}}`);
  if (attributes.localPref !== undefined && isAdvertised) parts.push(`{LocalPref: ${attributes.localPref}}`);
  if ((attributes.communities ?? []).length > 0) parts.push(`{Communities: ${attributes.communities?.map(formatCommunity).join(', ')}}`);
  if ((attributes.largeCommunities ?? []).length > 0)
    parts.push(`{LargeCommunity: [ ${attributes.largeCommunities?.map((value) => value.join(':')).join(', ')}]}`);
  if (isMultiprotocol)
    parts.push(`{MpReach(${prefix.family === 4 ? 'ipv4' : 'ipv6'}-unicast): {Nexthop: ${nextHop}, NLRIs: [${prefix.text}]}}`);
  return `[${parts.join(' ')}]`;
}

/** Cells after the node's name (which only the command on the lab host shows). */
export function routeCells(row: RouteRow): readonly string[] {
  return [
    ...(row.neighbor === undefined ? [] : [row.neighbor]),
    row.prefix.text,
    nextHopOf(row),
    goSeconds(row.ageMs),
    formatAttributes(row),
  ];
}

function bytesOf(address: Ip): number[] {
  const size = address.family === 4 ? 4 : 16;
  return Array.from({ length: size }, (_, index) => Number((address.value >> BigInt(8 * (size - 1 - index))) & 0xffn));
}

const big = (value: number, size: number) =>
  Array.from({ length: size }, (_, index) => Math.floor(value / 256 ** (size - 1 - index)) % 256);

function nlriBytes(prefix: Prefix): number[] {
  return [prefix.length, ...bytesOf(prefix.address).slice(0, Math.ceil(prefix.length / 8))];
}

const base64 = (bytes: readonly number[]) => btoa(String.fromCharCode(...bytes));

const attribute = (flags: number, type: number, value: readonly number[]): string => {
  const isLong = value.length > 255;
  return base64([isLong ? flags | 0x10 : flags, type, ...(isLong ? big(value.length, 2) : [value.length]), ...value]);
};

/** Path attributes in the form of RFC 4271 §4.3, one after the other, in base64. */
function encodeAttributes(row: RouteRow): readonly { readonly base64: string }[] {
  const { attributes, prefix, isAdvertised } = row;
  const nextHop = isAdvertised ? attributes.nextHop : (parseIp(nextHopOf(row)) as Ip);
  const encoded = [attribute(0x40, 1, [{ igp: 0, egp: 1, incomplete: 2 }[attributes.origin]])];
  if (isAdvertised) {
    const path = attributes.asPath.filter((step) => typeof step === 'number');
    encoded.push(attribute(0x40, 2, path.length === 0 ? [] : [2, path.length, ...path.flatMap((asn) => big(asn, 4))]));
  }
  const isMultiprotocol = prefix.family === 6 || nextHop.family === 6;
  if (!isMultiprotocol) encoded.push(attribute(0x40, 3, bytesOf(nextHop)));
  if (attributes.med !== undefined) encoded.push(attribute(0x80, 4, big(attributes.med, 4)));
  if (attributes.localPref !== undefined && isAdvertised) encoded.push(attribute(0x40, 5, big(attributes.localPref, 4)));
  if ((attributes.communities ?? []).length > 0)
    encoded.push(
      attribute(
        0xc0,
        8,
        (attributes.communities ?? []).flatMap((value) => big(value, 4)),
      ),
    );
  if ((attributes.largeCommunities ?? []).length > 0)
    encoded.push(
      attribute(
        0xc0,
        32,
        (attributes.largeCommunities ?? []).flatMap((value) => value.flatMap((part) => big(part, 4))),
      ),
    );
  if (isMultiprotocol) {
    const hop = bytesOf(nextHop);
    encoded.push(attribute(0x80, 14, [0, prefix.family === 4 ? 1 : 2, 1, hop.length, ...hop, 0, ...nlriBytes(prefix)]));
  }
  return encoded.map((text) => ({ base64: text }));
}

/** One route in the JSON of `bgp routes -o json`. */
export function routeJson(row: RouteRow): Readonly<Record<string, unknown>> {
  return {
    ...(row.neighbor === undefined ? {} : { neighbor: row.neighbor }),
    paths: [
      {
        'age-nanoseconds': Math.round(row.ageMs * 1e6),
        best: true,
        family: { afi: row.prefix.family === 4 ? 'ipv4' : 'ipv6', safi: 'unicast' },
        nlri: { base64: base64(nlriBytes(row.prefix)) },
        'path-attributes': encodeAttributes(row),
      },
    ],
    prefix: row.prefix.text,
    'router-asn': row.routerAsn,
  };
}

/** What cilium-dbg prints when the agent's API refuses a query for routes. */
export const routesRefusal = (problem: string): string =>
  `Error: failed retrieving routes: [GET /bgp/routes][500] getBgpRoutesInternalServerError  failed to get routes: ${problem}`;
