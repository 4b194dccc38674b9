/** Names of RFC 1997 and its successors, as gobgp writes them. */
const wellKnown: ReadonlyMap<string, number> = new Map([
  ['internet', 0x00000000],
  ['planned-shut', 0xffff0000],
  ['accept-own', 0xffff0001],
  ['route-filter-translated-v4', 0xffff0002],
  ['route-filter-v4', 0xffff0003],
  ['route-filter-translated-v6', 0xffff0004],
  ['route-filter-v6', 0xffff0005],
  ['llgr-stale', 0xffff0006],
  ['no-llgr', 0xffff0007],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['no-peer', 0xffffff04],
]);
const names: ReadonlyMap<number, string> = new Map([...wellKnown].map(([name, value]) => [value, name]));

export interface CommunityFields {
  readonly standard?: readonly string[];
  readonly wellKnown?: readonly string[];
  readonly large?: readonly string[];
}

/** Without repetition of a value, and sorted as text: so Cilium hands them to the speaker, which keeps the order. */
export function parseCommunities(fields: CommunityFields | undefined): readonly number[] {
  const texts = new Map<number, string>();
  const add = (value: number | undefined, text: string) => {
    if (value !== undefined && !texts.has(value)) texts.set(value, text);
  };
  for (const text of fields?.standard ?? []) {
    const [high = 0, low] = text.split(':').map(Number);
    add(low === undefined ? high : high * 65536 + low, text);
  }
  for (const name of fields?.wellKnown ?? []) add(wellKnown.get(name), name);
  return [...texts].toSorted(([, a], [, b]) => (a < b ? -1 : 1)).map(([value]) => value);
}

export function parseLargeCommunities(fields: CommunityFields | undefined): readonly (readonly [number, number, number])[] {
  return [...new Set(fields?.large ?? [])].toSorted().map((text) => {
    const [a = 0, b = 0, c = 0] = text.split(':').map(Number);
    return [a, b, c];
  });
}

/** `no-export`, or `64496:99`. */
export function formatCommunity(value: number): string {
  return names.get(value) ?? `${Math.floor(value / 65536)}:${value % 65536}`;
}
