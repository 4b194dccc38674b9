import type { FrrConfig, NamedList, PrefixList } from './config.ts';

/** The daemons that hold lists and route maps, as their output is headed. */
export type ListHolder = 'ZEBRA' | 'BGP';

function byName<T extends { readonly name: string }>(lists: Iterable<T>): T[] {
  return [...lists].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function entriesText(list: PrefixList, isDetailed: boolean): string {
  return [...list.entries.values()]
    .sort((a, b) => a.sequence - b.sequence)
    .map(({ sequence, action, prefix, ge, le }) => {
      const range = `${ge === undefined ? '' : ` ge ${ge}`}${le === undefined ? '' : ` le ${le}`}`;
      return `   seq ${sequence} ${action} ${prefix?.text ?? 'any'}${range}${isDetailed ? ' (hit count: 0, refcount: 0)' : ''}\n`;
    })
    .join('');
}

export interface PrefixListQuery {
  readonly family: 4 | 6;
  readonly name?: string | undefined;
  readonly form?: 'summary' | 'detail' | undefined;
}

/** `show ip|ipv6 prefix-list [summary|detail] [NAME]`; undefined: there is none of that name. Uses are not counted. */
export function showPrefixLists(config: FrrConfig, holders: readonly ListHolder[], query: PrefixListQuery): string | undefined {
  const { family, name, form } = query;
  const ofFamily = [...config.prefixLists.values()].filter((list) => list.family === family);
  const shown = byName(ofFamily).filter((list) => name === undefined || list.name === name);
  if (name !== undefined && shown.length === 0) return undefined;
  let text = '';
  for (const holder of holders) {
    const last = ofFamily.at(-1);
    if (form !== undefined && name === undefined && last !== undefined)
      text += `Prefix-list with the last deletion/insertion: ${last.name}\n`;
    for (const list of shown) {
      const head = `${holder}: ${family === 4 ? 'ip' : 'ipv6'} prefix-list ${list.name}:`;
      const description = list.description === undefined ? '' : `   Description: ${list.description}\n`;
      if (form === undefined) text += `${head} ${list.entries.size} entries\n${description}${entriesText(list, false)}`;
      else {
        const sequences = [...list.entries.keys()].sort((a, b) => a - b);
        // The count of ranges is never other than 0 (seen in 8.4.4).
        text += `${head}\n${description}   count: ${sequences.length}, range entries: 0, sequences: ${sequences[0] ?? 0} - ${sequences.at(-1) ?? 0}\n`;
        if (form === 'detail') text += entriesText(list, true);
      }
    }
  }
  return text;
}

/** What of a route map zebra knows; the rest is bgpd's alone. */
const zebraMatches = /^(ip|ipv6) (address|next-hop)\b/;

/** `show route-map [NAME]`. Uses are not counted. */
export function showRouteMaps(config: FrrConfig, holders: readonly ListHolder[], name: string | undefined): string {
  let text = '';
  for (const holder of holders) {
    text += `${holder}:\n`;
    if (name !== undefined && !config.routeMaps.has(name)) text += `${holder}: 'route-map ${name}' not found\n`;
    for (const [mapName, entries] of [...config.routeMaps].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (name !== undefined && mapName !== name) continue;
      text += `route-map: ${mapName} Invoked: 0 Optimization: enabled Processed Change: false\n`;
      for (const entry of [...entries.values()].sort((a, b) => a.sequence - b.sequence)) {
        const line = ([key, value]: readonly [string, string]) => `    ${key}${value === '' ? '' : ` ${value}`}\n`;
        const matches = [...entry.match].filter(([key]) => holder === 'BGP' || zebraMatches.test(key));
        const sets = holder === 'BGP' ? [...entry.set] : [];
        const { onMatch } = entry;
        const action =
          onMatch === undefined ? 'Exit routemap' : onMatch === 'next' ? 'Continue to next entry' : `Goto ${onMatch.slice('goto '.length)}`;
        text += ` ${entry.action}, sequence ${entry.sequence} Invoked 0\n`;
        if (entry.description !== undefined) text += `  Description:\n    ${entry.description}\n`;
        text += `  Match clauses:\n${matches.map(line).join('')}  Set clauses:\n${sets.map(line).join('')}`;
        text += `  Call clause:${entry.call === undefined ? '' : ` Call ${entry.call}`}\n  Action:\n    ${action}\n`;
      }
    }
  }
  return text;
}

function listText(head: string, list: NamedList): string {
  return `${head} ${list.name}\n${list.entries.map(({ action, text }) => `    ${action} ${text}\n`).join('')}`;
}

/** `show bgp community-list [NAME detail]`: numbered lists first. */
export function showCommunityLists(config: FrrConfig, name: string | undefined): string | undefined {
  const shown = byName(config.communityLists.values()).filter((list) => name === undefined || list.name === name);
  if (name !== undefined && shown.length === 0) return undefined;
  const isNumber = (list: NamedList) => /^\d+$/.test(list.name);
  return [...shown.filter(isNumber), ...shown.filter((list) => !isNumber(list))]
    .map((list) => listText(`${isNumber(list) ? '' : 'Named '}Community ${list.kind} list`, list))
    .join('');
}

/** `show bgp as-path-access-list [NAME]`. */
export function showAsPathLists(config: FrrConfig, name: string | undefined): string {
  return byName(config.asPathLists.values())
    .filter((list) => name === undefined || list.name === name)
    .map((list) => listText('AS path access list', list))
    .join('');
}
