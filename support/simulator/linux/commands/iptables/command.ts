import type { Command, CommandContext, CommandResult } from '../../../docker/types.ts';
import type { Family, NetfilterRule } from '../../../net/types.ts';
import { CommandFailure, output, run } from '../result.ts';
import { type ChainView, listText, rulesText, ruleText, type Table, tables } from './print.ts';
import { ruleParser } from './rule-words.ts';

export const builtinChains: Readonly<Record<Table, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
};

/** The commands of iptables(8), by their options. */
const verbs: Readonly<Record<string, string>> = {
  '-A': 'append',
  '--append': 'append',
  '-I': 'insert',
  '--insert': 'insert',
  '-R': 'replace',
  '--replace': 'replace',
  '-D': 'delete',
  '--delete': 'delete',
  '-C': 'check',
  '--check': 'check',
  '-P': 'policy',
  '--policy': 'policy',
  '-F': 'flush',
  '--flush': 'flush',
  '-N': 'new',
  '--new': 'new',
  '--new-chain': 'new',
  '-X': 'delete-chain',
  '--delete-chain': 'delete-chain',
  '-E': 'rename',
  '--rename-chain': 'rename',
  '-Z': 'zero',
  '--zero': 'zero',
  '-L': 'list',
  '--list': 'list',
  '-S': 'list-rules',
  '--list-rules': 'list-rules',
};

/** Verbs that go without a chain. */
const optionalChain = new Set(['flush', 'delete-chain', 'zero', 'list', 'list-rules']);
const numbered = new Set(['insert', 'replace', 'delete', 'list', 'list-rules', 'zero']);

export interface Task {
  readonly verb: string;
  readonly chain: string | undefined;
  readonly newName: string | undefined;
  readonly position: number | undefined;
  readonly table: Table;
  readonly isNumeric: boolean;
  readonly isVerbose: boolean;
  readonly isExact: boolean;
  readonly hasNumbers: boolean;
  /** Made late: what a rule may be depends on the chains that there are. */
  readonly rules: () => readonly NetfilterRule[];
}

/** iptables(8) and ip6tables(8) 1.8.9: rules of the container's network namespace. */
export function iptablesCommand(family: Family): Command {
  const name = family === 4 ? 'iptables' : 'ip6tables';
  return (args, context) =>
    run(() => {
      if (args.includes('-h') || args.includes('--help'))
        return output(`${name} v1.8.9\n\nUsage: ${name} -[ACD] chain rule-specification [options]\n`);
      if (args.includes('-V') || args.includes('--version')) return output(`${name} v1.8.9 (nf_tables)\n`);
      return execute(name, family, readTask(name, family, args, context), context);
    });
}

/** Reads one command line. */
export function readTask(
  name: string,
  family: Family,
  args: readonly string[],
  context: CommandContext,
  firstTable: Table = 'filter',
): Task {
  const complain = (text: string): never => {
    throw new CommandFailure(`${name} v1.8.9 (nf_tables): ${text}\nTry \`${name} -h' or '${name} --help' for more information.\n`, 2);
  };
  const words = splitLetters(args);
  const parser = ruleParser(name, family, complain);
  let verb: string | undefined;
  let chain: string | undefined;
  let newName: string | undefined;
  let position: number | undefined;
  let table = firstTable;
  let isInverted = false;
  const flags = { isNumeric: false, isVerbose: false, isExact: false, hasNumbers: false };
  while (words.length > 0) {
    const word = words.shift() as string;
    const found = verbs[word];
    if (word === '!') {
      isInverted = true;
      continue;
    }
    if (found !== undefined) {
      verb = found;
      const next = words[0];
      if (next !== undefined && !next.startsWith('-') && next !== '!') chain = words.shift();
      else if (!optionalChain.has(found)) complain(`option "${word}" requires an argument`);
      if (numbered.has(found) && /^\d+$/.test(words[0] ?? '')) position = Number(words.shift());
      if (found === 'policy' || found === 'rename')
        newName =
          words.shift() ??
          complain(`-${found === 'policy' ? 'P' : 'E'} requires a chain and a ${found === 'policy' ? 'policy' : 'new name'}`);
      if (found === 'replace' && position === undefined) complain('-R requires a rule number');
    } else if (word === '-t' || word === '--table') {
      const text = words.shift() ?? complain(`option "${word}" requires an argument`);
      const known = tables.find((each) => each === text);
      if (known === undefined) {
        if (text === 'security') throw new CommandFailure(`${name}: not simulated: table ${text}\n`, 2);
        throw new CommandFailure(
          `${name} v1.8.9 (nf_tables): table '${text}' does not exist\nPerhaps ${name} or your kernel needs to be upgraded.\n`,
          3,
        );
      }
      table = known;
    } else if (word === '-n' || word === '--numeric') flags.isNumeric = true;
    else if (word === '-v' || word === '--verbose') flags.isVerbose = true;
    else if (word === '-x' || word === '--exact') flags.isExact = true;
    else if (word === '--line-numbers') flags.hasNumbers = true;
    else if (word === '-w' || word === '--wait' || word === '-W' || word === '--wait-interval') {
      if (/^\d+$/.test(words[0] ?? '')) words.shift();
    } else if (/^(?:-w|--wait=)\d+$/.test(word) || word === '-4' || word === '--ipv4' || word === '-6' || word === '--ipv6') continue;
    else if (word === '-c' || word === '--set-counters') words.splice(0, 2);
    else if (!parser.option(word, isInverted, words)) {
      if (word.startsWith('-')) complain(`unknown option "${word}"`);
      throw new CommandFailure(`Bad argument \`${word}'\nTry \`${name} -h' or '${name} --help' for more information.\n`, 2);
    }
    isInverted = false;
  }
  if (verb === undefined) complain('no command specified');
  const { netfilter } = context.container.namespace;
  const knows = (each: string): boolean => netfilter.chains(family, table).has(each);
  return {
    verb: verb as string,
    chain,
    newName,
    position,
    table,
    ...flags,
    rules: () => parser.rules(table, chain ?? '', knows),
  };
}

/** `-nvL` is `-n -v -L`; the option that takes a value comes last. */
function splitLetters(args: readonly string[]): string[] {
  return args.flatMap((word) => {
    if (/^--[a-z-]+=/.test(word)) return [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)];
    return /^-[A-Za-z]{2,}$/.test(word) && /^-[nvxwLSFXZt46]+$/.test(word) ? [...word.slice(1)].map((letter) => `-${letter}`) : [word];
  });
}

export function viewOf(context: CommandContext, family: Family, table: Table, chain: string): ChainView {
  const { netfilter } = context.container.namespace;
  const chains = netfilter.chains(family, table);
  const found = chains.get(chain);
  const references = [...chains.values()]
    .flatMap(({ rules }) => rules)
    .filter(({ target }) => (target.kind === 'jump' || target.kind === 'goto') && target.chain === chain);
  return {
    name: chain,
    policy: found?.policy,
    rules: found?.rules ?? [],
    references: references.length,
    counter: found === undefined ? undefined : netfilter.counterOf(found),
  };
}

/** Chains of a table in the order of a listing: the built-in ones, then the others by name. */
export function chainNames(context: CommandContext, family: Family, table: Table): readonly string[] {
  const own = [...context.container.namespace.netfilter.chains(family, table).keys()].filter(
    (each) => !builtinChains[table].includes(each),
  );
  return [...builtinChains[table], ...own.sort((a, b) => (a < b ? -1 : 1))];
}

export function execute(name: string, family: Family, task: Task, context: CommandContext): CommandResult {
  const { netfilter } = context.container.namespace;
  const { verb, table, position } = task;
  const chains = netfilter.chains(family, table);
  const chain = task.chain ?? '';
  const isBuiltin = builtinChains[table].includes(chain);
  const noChain = (): CommandFailure => new CommandFailure(`${name}: No chain/target/match by that name.\n`, 1);
  const busy = (each: string): CommandFailure =>
    new CommandFailure(`${name} v1.8.9 (nf_tables):  CHAIN_DEL failed (Device or resource busy): chain ${each}\n`, 4);
  switch (verb) {
    case 'list':
    case 'list-rules': {
      if (task.chain !== undefined && !chains.has(chain)) {
        if (verb === 'list-rules') throw noChain();
        throw new CommandFailure(
          `${name} v1.8.9 (nf_tables): chain \`${chain}' in table \`${table}' is incompatible, use 'nft' tool.\n`,
          1,
        );
      }
      const views = (task.chain === undefined ? chainNames(context, family, table) : [chain]).map((each) =>
        viewOf(context, family, table, each),
      );
      if (verb === 'list')
        return output(views.map((view) => listText(view, family, { ...task }, (rule) => netfilter.counterOf(rule))).join('\n'));
      if (position === undefined) return output(rulesText(views, family));
      const rule = views[0]?.rules[position - 1];
      return output(rule === undefined ? '' : `-A ${chain}${ruleText(rule, family)}\n`);
    }
    case 'zero': {
      if (task.chain !== undefined && !chains.has(chain)) throw noChain();
      for (const [each, found] of chains) {
        if (task.chain !== undefined && each !== chain) continue;
        if (position === undefined) netfilter.zeroCounter(found);
        for (const [index, rule] of found.rules.entries())
          if (position === undefined || position === index + 1) netfilter.zeroCounter(rule);
      }
      return output('');
    }
    case 'flush':
      if (task.chain !== undefined && !chains.has(chain)) throw noChain();
      netfilter.flush(family, table, task.chain);
      return output('');
    case 'new':
      if (chains.has(chain)) throw new CommandFailure(`${name}: Chain already exists.\n`, 1);
      netfilter.createChain(family, table, chain);
      return output('');
    case 'delete-chain': {
      if (task.chain !== undefined && (!chains.has(chain) || isBuiltin)) throw noChain();
      const doomed = task.chain === undefined ? [...chains.keys()].filter((each) => !builtinChains[table].includes(each)) : [chain];
      for (const each of doomed) {
        const { rules, references } = viewOf(context, family, table, each);
        if (rules.length > 0 || references > 0) throw busy(each);
      }
      for (const each of doomed) netfilter.deleteChain(family, table, each);
      return output('');
    }
    case 'rename': {
      const newName = task.newName ?? '';
      if (!chains.has(chain) || isBuiltin) throw noChain();
      if (chains.has(newName)) throw new CommandFailure(`${name}: File exists.\n`, 1);
      netfilter.renameChain(family, table, chain, newName);
      return output('');
    }
    case 'policy': {
      const policy = task.newName === 'ACCEPT' ? 'accept' : task.newName === 'DROP' ? 'drop' : undefined;
      if (!isBuiltin) throw new CommandFailure(`${name}: Bad built-in chain name.\n`, 1);
      if (policy === undefined) throw new CommandFailure(`${name}: Bad policy name. Run \`dmesg' for more information.\n`, 1);
      if (table === 'nat' && policy === 'drop')
        throw new CommandFailure(
          `${name} v1.8.9 (nf_tables): \nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n\nTry \`${name} -h' or '${name} --help' for more information.\n`,
          2,
        );
      if (table !== 'filter' && policy === 'drop') throw new CommandFailure(`${name}: not simulated: a policy of table ${table}\n`, 1);
      if (table === 'filter') netfilter.setPolicy(family, chain, policy);
      return output('');
    }
    default:
      return change(name, family, task, context, noChain);
  }
}

function change(name: string, family: Family, task: Task, context: CommandContext, noChain: () => CommandFailure): CommandResult {
  const { netfilter } = context.container.namespace;
  const { verb, table, position } = task;
  const chain = task.chain ?? '';
  const isDeletionByNumber = verb === 'delete' && position !== undefined;
  const wanted = isDeletionByNumber ? [] : task.rules();
  const found = netfilter.chains(family, table).get(chain);
  if (found === undefined) throw noChain();
  const { rules } = found;
  const tooBig = (what: string): CommandFailure => new CommandFailure(`${name}: Index of ${what} too big.\n`, 1);
  if (verb === 'append') for (const rule of wanted) netfilter.append(family, table, chain, rule);
  else if (verb === 'insert') {
    if ((position ?? 1) > rules.length + 1) throw tooBig('insertion');
    for (const rule of [...wanted].reverse()) netfilter.insert(family, table, chain, rule, position ?? 1);
  } else if (verb === 'replace') {
    const old = rules[(position ?? 1) - 1];
    const [rule] = wanted;
    if (old === undefined) throw tooBig('replacement');
    if (rule !== undefined) netfilter.insert(family, table, chain, rule, position ?? 1);
    netfilter.delete(family, table, chain, old);
  } else if (isDeletionByNumber) {
    const old = rules[position - 1];
    if (old === undefined) throw tooBig('deletion');
    netfilter.delete(family, table, chain, old);
  } else {
    for (const rule of wanted) {
      const text = ruleText(rule, family);
      const same = netfilter
        .chains(family, table)
        .get(chain)
        ?.rules.find((other) => ruleText(other, family) === text);
      if (same === undefined) throw new CommandFailure(`${name}: Bad rule (does a matching rule exist in that chain?).\n`, 1);
      if (verb === 'delete') netfilter.delete(family, table, chain, same);
    }
  }
  return output('');
}
