import type { Family, HookedChain, NetfilterRule, NetworkNamespace } from '../../../net/types.ts';

export type TableFamily = 'ip' | 'ip6' | 'inet';

/** One rule as it prints, and what netfilter makes of it: a rule per action, in order. */
export interface NftRule {
  readonly handle: number;
  /** Words, and the rules whose counters stand between them. */
  readonly pieces: readonly (string | { readonly counterOf: NetfilterRule })[];
  readonly rules: readonly NetfilterRule[];
}

export interface NftChain {
  name: string;
  readonly handle: number;
  readonly base: { readonly type: 'filter' | 'nat' | 'route'; readonly hook: string; readonly priority: number } | undefined;
  policy: 'accept' | 'drop';
  rules: NftRule[];
}

export interface NftTable {
  readonly family: TableFamily;
  readonly name: string;
  readonly handle: number;
  readonly chains: Map<string, NftChain>;
  nextHandle: number;
}

/** What the `nft` command has made in a namespace. */
export class Ruleset {
  tables: NftTable[] = [];
  nextTable = 1;
  readonly #namespace: NetworkNamespace;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
  }

  find(family: TableFamily, name: string): NftTable | undefined {
    return this.tables.find((table) => table.family === family && table.name === name);
  }

  /** Copies what commands change, to go back to when one of a file fails. */
  snapshot(): () => void {
    const tables = this.tables.map((table) => ({
      table,
      nextHandle: table.nextHandle,
      chains: [...table.chains].map(([name, chain]) => ({ name, chain, rules: chain.rules, policy: chain.policy })),
    }));
    const { nextTable } = this;
    return () => {
      this.nextTable = nextTable;
      this.tables = tables.map(({ table, nextHandle, chains }) => {
        table.nextHandle = nextHandle;
        table.chains.clear();
        for (const { name, chain, rules, policy } of chains) {
          chain.name = name;
          chain.rules = rules;
          chain.policy = policy;
          table.chains.set(name, chain);
        }
        return table;
      });
    };
  }

  /** Hands netfilter what there is now. */
  apply(): void {
    const hooked: HookedChain[] = [];
    for (const table of this.tables) {
      const views = new Map(
        [...table.chains].map(([name, { base, policy, rules }]) => [
          name,
          { policy: base === undefined ? undefined : policy, rules: rules.flatMap((rule) => rule.rules) },
        ]),
      );
      const families: readonly Family[] = table.family === 'ip' ? [4] : table.family === 'ip6' ? [6] : [4, 6];
      for (const { name, base } of table.chains.values()) {
        const chain = views.get(name);
        if (base === undefined || chain === undefined) continue;
        hooked.push({
          families,
          hook: base.hook.toUpperCase() as HookedChain['hook'],
          priority: base.priority,
          isNat: base.type === 'nat',
          label: `${table.family} ${table.name} ${name}`,
          chain,
          chains: views,
        });
      }
    }
    this.#namespace.netfilter.setHooked(hooked);
  }
}

const rulesets = new WeakMap<NetworkNamespace, Ruleset>();

export function rulesetOf(namespace: NetworkNamespace): Ruleset {
  let ruleset = rulesets.get(namespace);
  if (ruleset === undefined) {
    ruleset = new Ruleset(namespace);
    rulesets.set(namespace, ruleset);
  }
  return ruleset;
}

/** Names of priorities (nft(8), "Standard priority names"). */
export const priorityNames: readonly (readonly [string, number])[] = [
  ['raw', -300],
  ['mangle', -150],
  ['dstnat', -100],
  ['filter', 0],
  ['security', 50],
  ['srcnat', 100],
];

/** As nft prints it: a name, a name with a small offset, or the number. */
export function priorityText(priority: number, hook: string): string {
  for (const [name, value] of priorityNames) {
    if (name === 'dstnat' && hook !== 'prerouting') continue;
    if (name === 'srcnat' && hook !== 'postrouting') continue;
    const offset = priority - value;
    if (offset === 0) return name;
    if (Math.abs(offset) <= 10) return `${name} ${offset > 0 ? '+' : '-'} ${Math.abs(offset)}`;
  }
  return String(priority);
}
