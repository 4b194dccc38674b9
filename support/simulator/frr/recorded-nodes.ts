import type { BgpSpeaker } from '../bgp/types.ts';

/** The one row of `gobgp neighbor`, without its address and its age. */
export interface NodeRow {
  readonly state: string;
  readonly received: number;
  readonly accepted: number;
}

/** Undefined: the program had no answer, for there was no gobgpd. */
export function rowOf(text: string): NodeRow | undefined {
  const [, row] = text.trimEnd().split('\n');
  if (row === undefined) return undefined;
  const [, state = '', received, accepted] = /\s(\S+)\s+\|\s+(\d+)\s+(\d+)$/.exec(row) ?? [];
  return { state, received: Number(received), accepted: Number(accepted) };
}

export function nodeRow(speaker: BgpSpeaker | undefined): NodeRow | undefined {
  const peer = speaker?.peers[0];
  if (peer === undefined) return undefined;
  const counts = (['ipv4-unicast', 'ipv6-unicast'] as const).map((family) => peer.prefixCounts(family));
  const sum = (field: 'received' | 'accepted') => counts.reduce((total, each) => total + each[field], 0);
  const state = peer.config.isShutdown === true ? 'Idle(Admin)' : peer.state === 'Established' ? 'Establ' : peer.state;
  return { state, received: sum('received'), accepted: sum('accepted') };
}

/**
 * The best paths of `gobgp global rib`: prefix, next hop, AS path and attributes. Not the others: where a path with the node's own AS took
 * the place of a usable one, gobgpd 3.10 leaves that one in its table; Cilium's agent takes nothing in, so it has none of these.
 */
export function bestPathsOf(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('*>'))
    .map((line) => {
      const [, prefix, hop, path = '', attributes] = /^\*> (\S+) +(\S+) +((?:\d+ )*) *\S+ +(\[.*\])$/.exec(line) ?? [line];
      return `${prefix} via ${hop} path ${path.trim()} ${attributes}`;
    })
    .sort();
}

/** A node's own routes, and of those it was sent what it has no route of its own for and what has not its own AS in the path. */
export function nodeBestPaths(speaker: BgpSpeaker | undefined, family: 'ipv4' | 'ipv6'): readonly string[] {
  const peer = speaker?.peers[0];
  if (speaker === undefined || peer === undefined) return [];
  const own = speaker.locRib(`${family}-unicast`).flatMap(({ paths }) => paths.filter((path) => path.peer === undefined));
  const received = peer
    .adjRibIn(`${family}-unicast`)
    .filter(
      ({ prefix, attributes }) => !own.some((path) => path.prefix === prefix) && !attributes.asPath.includes(speaker.options.localAsn),
    );
  const origins = { igp: 'i', egp: 'e', incomplete: '?' } as const;
  return [...own, ...received]
    .map(({ prefix, attributes, peer: from }) => {
      const hop = from === undefined ? (family === 'ipv4' ? '0.0.0.0' : '::') : attributes.nextHop.text;
      return `${prefix.text} via ${hop} path ${attributes.asPath.join(' ')} [{Origin: ${origins[attributes.origin]}}]`;
    })
    .sort();
}
