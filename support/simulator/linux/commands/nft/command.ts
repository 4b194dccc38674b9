import { resolvePath } from '../../../docker/file-system.ts';
import type { Command, CommandContext, CommandResult } from '../../../docker/types.ts';
import { CommandFailure, failure, output, run } from '../result.ts';
import {
  type NftChain,
  type NftRule,
  type NftTable,
  priorityNames,
  priorityText,
  type Ruleset,
  rulesetOf,
  type TableFamily,
} from './model.ts';
import { readRule } from './rule.ts';
import { NftError, Reader, type Token, tokenize } from './tokens.ts';

const families = ['ip', 'ip6', 'inet'] as const;
const otherFamilies = ['arp', 'bridge', 'netdev'];

interface Options {
  hasHandles: boolean;
  isStateless: boolean;
  isCheck: boolean;
  isNumeric: boolean;
}

/** nft(8) 1.0.6: tables of the families ip, ip6 and inet, with filter, nat and route chains. iptables' own tables are not among them. */
export const nft: Command = (args, context) => run(() => start(args, context));

function start(args: readonly string[], context: CommandContext): CommandResult {
  const options: Options = { hasHandles: false, isStateless: false, isCheck: false, isNumeric: false };
  const words = [...args];
  let file: string | undefined;
  while (words[0]?.startsWith('-') === true) {
    const word = words.shift() as string;
    if (word === '--version' || word === '-v') return output('nftables v1.0.6 (Lester Gooch #5)\n');
    if (word === '-f' || word === '--file') file = words.shift() ?? '';
    else if (['--handle', '--stateless', '--check', '--numeric', '--echo', '--terse'].includes(word) || /^-[anscpyeNSt]+$/.test(word)) {
      if (word === '--handle' || /^-[^-]*a/.test(word)) options.hasHandles = true;
      if (word === '--stateless' || /^-[^-]*s/.test(word)) options.isStateless = true;
      if (word === '--numeric' || /^-[^-]*[ny]/.test(word)) options.isNumeric = true;
      if (word === '--check' || /^-[^-]*c/.test(word)) options.isCheck = true;
      if (word === '--echo' || /^-[^-]*e/.test(word)) throw new CommandFailure('nft: not simulated: -e\n', 1);
    } else throw new CommandFailure(`nft: not simulated: ${word}\n`, 1);
  }
  if (file !== undefined) {
    const name = file === '-' ? '/dev/stdin' : file;
    const text = file === '-' ? context.stdin : context.files.read(resolvePath(context.cwd, file));
    if (text === undefined) return failure(`Error: Could not open file "${file}": No such file or directory\n`);
    return perform(text, context, options, name);
  }
  if (words.length === 0) return failure('nft: no command specified\n');
  return perform(words.join(' '), context, options, undefined);
}

/** All commands of a text, or none of them. */
function perform(text: string, context: CommandContext, options: Options, file: string | undefined): CommandResult {
  const ruleset = rulesetOf(context.container.namespace);
  const restore = ruleset.snapshot();
  const printsAll = /\blist\s+(?:ruleset|tables|chains)\b/.test(text);
  let printed = '';
  try {
    const reader = new Reader(tokenize(text));
    for (reader.skipBlank(); !reader.isAtEnd; reader.skipBlank()) printed += command(reader, ruleset, context, options);
  } catch (error) {
    restore();
    if (!(error instanceof NftError)) throw error;
    return failure(`${complaint(error, text, file)}\n`, error.exitCode);
  }
  if (options.isCheck) restore();
  else ruleset.apply();
  const remark = printsAll && hasIptablesRules(context) ? "nft: not simulated: iptables' own tables in the list; use iptables-save\n" : '';
  return { stdout: printed, stderr: remark, exitCode: 0 };
}

function hasIptablesRules(context: CommandContext): boolean {
  const { netfilter } = context.container.namespace;
  return ([4, 6] as const).some((family) =>
    (['filter', 'nat', 'mangle', 'raw'] as const).some((table) =>
      [...netfilter.chains(family, table).values()].some(({ rules, policy }) => rules.length > 0 || policy === 'drop'),
    ),
  );
}

function complaint({ message, token }: NftError, text: string, file: string | undefined): string {
  const line = text.split('\n')[token.line] ?? '';
  const indent = line.slice(0, token.start).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(Math.max(1, token.end - token.start));
  const place = file === undefined ? '' : `${file}:${token.line + 1}:${token.start + 1}-${token.end}: `;
  return `${place}Error: ${message}\n${line}\n${indent}${carets}`;
}

function command(reader: Reader, ruleset: Ruleset, context: CommandContext, options: Options): string {
  const verb = reader.take();
  switch (verb.text) {
    case 'define': {
      const name = reader.name();
      reader.expect('=');
      const value: Token[] = [];
      let depth = 0;
      while (!reader.isAtEnd && (depth > 0 || (!reader.is('\n') && !reader.is(';')))) {
        if (reader.is('{')) depth++;
        if (reader.is('}')) depth--;
        value.push(reader.take());
      }
      reader.define(name.text, value);
      return '';
    }
    case 'table':
      return addTable(reader, ruleset, 'add');
    case 'add':
    case 'create':
    case 'insert':
    case 'replace':
      return add(reader, ruleset, verb.text);
    case 'delete':
    case 'destroy':
      return remove(reader, ruleset);
    case 'flush':
      return flush(reader, ruleset);
    case 'list':
      return list(reader, ruleset, context, options);
    case 'rename': {
      reader.expect('chain');
      const table = expectTable(reader, ruleset);
      const chain = expectChain(reader, table);
      const name = reader.name();
      if (table.chains.has(name.text)) throw new NftError('Could not process rule: File exists', name);
      // Maps keep their order: the chain stays where it is.
      const chains = [...table.chains.values()];
      chain.name = name.text;
      table.chains.clear();
      for (const each of chains) table.chains.set(each.name, each);
      return '';
    }
    case 'monitor':
    case 'export':
    case 'reset':
    case 'describe':
    case 'include':
    case 'get':
    case 'import':
      throw new CommandFailure(`nft: not simulated: ${verb.text}\n`, 1);
    default:
      if (reader.isAtStatementEnd) throw reader.unexpected('string');
      throw new NftError(`syntax error, unexpected ${verb.text}`, verb);
  }
}

function readFamily(reader: Reader): TableFamily {
  const { text } = reader.peek();
  const found = families.find((family) => family === text);
  if (otherFamilies.includes(text)) throw new CommandFailure(`nft: not simulated: family ${text}\n`, 1);
  if (found === undefined) return 'ip';
  reader.take();
  return found;
}

function expectTable(reader: Reader, ruleset: Ruleset, prefix = ''): NftTable {
  const family = readFamily(reader);
  const name = reader.name();
  const table = ruleset.find(family, name.text);
  if (table === undefined) throw new NftError(`${prefix}No such file or directory`, name);
  return table;
}

function expectChain(reader: Reader, table: NftTable, prefix = ''): NftChain {
  const name = reader.name();
  const chain = table.chains.get(name.text);
  if (chain === undefined) throw new NftError(`${prefix}No such file or directory`, name);
  return chain;
}

const kernel = 'Could not process rule: ';

function addTable(reader: Reader, ruleset: Ruleset, verb: string): string {
  const family = readFamily(reader);
  const name = reader.name();
  let table = ruleset.find(family, name.text);
  if (table !== undefined && verb === 'create') throw new NftError(`${kernel}File exists`, name);
  if (table === undefined) {
    table = { family, name: name.text, handle: ruleset.nextTable++, chains: new Map(), nextHandle: 1 };
    ruleset.tables.push(table);
  }
  if (reader.skip('{')) tableBody(reader, table);
  return '';
}

function tableBody(reader: Reader, table: NftTable): void {
  // A chain may be jumped to before it is described.
  const bodies: (() => void)[] = [];
  for (reader.skipBlank(); !reader.skip('}'); reader.skipBlank()) {
    const word = reader.take();
    if (word.text === 'flags' || word.text === 'comment') throw new CommandFailure(`nft: not simulated: ${word.text} of a table\n`, 1);
    if (['set', 'map', 'counter', 'quota', 'limit', 'flowtable', 'ct', 'synproxy'].includes(word.text))
      throw new CommandFailure(`nft: not simulated: named ${word.text}s\n`, 1);
    if (word.text !== 'chain') throw new NftError(`syntax error, unexpected ${word.text === '\n' ? 'newline' : word.text}`, word);
    const name = reader.name();
    reader.expect('{');
    const inside: Token[] = [];
    for (let depth = 1; ; ) {
      if (reader.isAtEnd) throw reader.unexpected();
      if (reader.is('{')) depth++;
      if (reader.is('}') && --depth === 0) break;
      inside.push(reader.take());
    }
    reader.expect('}');
    const body = new Reader(inside);
    const chain = makeChain(body, table, name, 'add');
    bodies.push(() => {
      for (body.skipBlank(); !body.isAtEnd; body.skipBlank())
        chain.rules = [...chain.rules, readRule(body, table, () => table.nextHandle++)];
    });
  }
  for (const body of bodies) body();
}

/** `type nat hook postrouting priority srcnat; policy accept;` at the beginning of a body, if it is there. */
function makeChain(body: Reader | undefined, table: NftTable, name: Token, verb: string): NftChain {
  let base: NftChain['base'];
  let policy: 'accept' | 'drop' | undefined;
  body?.skipBlank();
  if (body?.is('type') === true) {
    body.take();
    const type = body.take();
    if (type.text !== 'filter' && type.text !== 'nat' && type.text !== 'route') throw new NftError('unknown chain type', type);
    body.expect('hook');
    const hook = body.take();
    if (!['prerouting', 'input', 'forward', 'output', 'postrouting'].includes(hook.text)) {
      if (hook.text === 'ingress' || hook.text === 'egress') throw new CommandFailure(`nft: not simulated: hook ${hook.text}\n`, 1);
      throw new NftError('unknown chain hook', hook);
    }
    if (body.skip('device')) throw new CommandFailure('nft: not simulated: a device of a chain\n', 1);
    body.expect('priority');
    base = { type: type.text, hook: hook.text, priority: readPriority(body) };
    body.skipBlank();
  }
  if (body?.is('policy') === true) {
    body.take();
    const word = body.take();
    if (word.text !== 'accept' && word.text !== 'drop') throw new NftError(`syntax error, unexpected ${word.text}`, word);
    policy = word.text;
    body.skipBlank();
  }
  const known = table.chains.get(name.text);
  if (known !== undefined) {
    if (verb === 'create') throw new NftError(`${kernel}File exists`, name);
    if (policy !== undefined) known.policy = policy;
    return known;
  }
  const chain: NftChain = { name: name.text, handle: table.nextHandle++, base, policy: policy ?? 'accept', rules: [] };
  table.chains.set(name.text, chain);
  return chain;
}

function readPriority(reader: Reader): number {
  const token = reader.take();
  const named = priorityNames.find(([name]) => name === token.text)?.[1];
  const [, base, offset = ''] = /^([a-z]+)?([+-]?\d+)?$/.exec(token.text) ?? [];
  const start = named ?? (base === undefined ? 0 : priorityNames.find(([name]) => name === base)?.[1]);
  if (start === undefined || (named === undefined && base === undefined && offset === ''))
    throw new NftError(`invalid priority expression string in this context.`, token);
  let value = named === undefined ? start + Number(offset || 0) : named;
  if (reader.is('+') || reader.is('-')) {
    const sign = reader.take().text === '+' ? 1 : -1;
    value += sign * Number(reader.take().text);
  }
  return value;
}

function add(reader: Reader, ruleset: Ruleset, verb: string): string {
  const what = reader.peek();
  if (what.text === 'table') {
    reader.take();
    return addTable(reader, ruleset, verb);
  }
  if (what.text === 'chain') {
    reader.take();
    const table = expectTable(reader, ruleset, kernel);
    const name = reader.name();
    const hasBody = reader.skip('{');
    makeChain(hasBody ? reader : undefined, table, name, verb);
    if (hasBody) {
      reader.skipBlank();
      reader.expect('}');
    }
    return '';
  }
  if (['set', 'map', 'element', 'counter', 'quota', 'limit', 'flowtable', 'ct'].includes(what.text))
    throw new CommandFailure(`nft: not simulated: ${verb} ${what.text}\n`, 1);
  if (what.text === 'rule') reader.take();
  const table = expectTable(reader, ruleset, kernel);
  const chain = expectChain(reader, table, kernel);
  let beside: number | undefined;
  if (reader.is('handle') || reader.is('position') || reader.is('index')) {
    const isIndex = reader.take().text === 'index';
    const token = reader.take();
    beside = isIndex ? Number(token.text) : chain.rules.findIndex((rule) => rule.handle === Number(token.text));
    if (beside < 0 || beside >= chain.rules.length) throw new NftError(`${kernel}No such file or directory`, token);
  }
  const rule = readRule(reader, table, () => table.nextHandle++);
  const rules = [...chain.rules];
  if (verb === 'replace') {
    if (beside === undefined) throw reader.unexpected('handle');
    rules[beside] = rule;
  } else if (verb === 'insert') rules.splice(beside ?? 0, 0, rule);
  else rules.splice(beside === undefined ? rules.length : beside + 1, 0, rule);
  chain.rules = rules;
  return '';
}

function remove(reader: Reader, ruleset: Ruleset): string {
  const what = reader.take();
  if (what.text === 'table') {
    const table = expectTable(reader, ruleset, kernel);
    ruleset.tables = ruleset.tables.filter((each) => each !== table);
  } else if (what.text === 'chain') {
    const table = expectTable(reader, ruleset, kernel);
    const token = reader.peek();
    const chain = expectChain(reader, table, kernel);
    const isUsed = [...table.chains.values()].some(({ rules }) =>
      rules.some((rule) =>
        rule.rules.some(({ target }) => (target.kind === 'jump' || target.kind === 'goto') && target.chain === chain.name),
      ),
    );
    if (chain.rules.length > 0 || isUsed) throw new NftError(`${kernel}Device or resource busy`, token);
    table.chains.delete(chain.name);
  } else if (what.text === 'rule') {
    const table = expectTable(reader, ruleset, kernel);
    const chain = expectChain(reader, table);
    reader.expect('handle');
    const token = reader.take();
    const found = chain.rules.find((rule) => rule.handle === Number(token.text));
    if (found === undefined) throw new NftError(`${kernel}No such file or directory`, token);
    chain.rules = chain.rules.filter((rule) => rule !== found);
  } else throw new CommandFailure(`nft: not simulated: delete ${what.text}\n`, 1);
  return '';
}

function flush(reader: Reader, ruleset: Ruleset): string {
  const what = reader.take();
  if (what.text === 'ruleset') {
    const only = reader.isAtStatementEnd ? undefined : readFamily(reader);
    ruleset.tables = only === undefined ? [] : ruleset.tables.filter(({ family }) => family !== only);
  } else if (what.text === 'table') for (const chain of expectTable(reader, ruleset, kernel).chains.values()) chain.rules = [];
  else if (what.text === 'chain') expectChain(reader, expectTable(reader, ruleset, kernel), kernel).rules = [];
  else throw new CommandFailure(`nft: not simulated: flush ${what.text}\n`, 1);
  return '';
}

function list(reader: Reader, ruleset: Ruleset, context: CommandContext, options: Options): string {
  const what = reader.take();
  const print = (table: NftTable, chains: Iterable<NftChain>): string => tableText(table, [...chains], context, options, true);
  const chosen = (): readonly NftTable[] => {
    const only = reader.isAtStatementEnd ? undefined : readFamily(reader);
    return ruleset.tables.filter(({ family }) => only === undefined || family === only);
  };
  switch (what.text) {
    case 'ruleset':
      return chosen()
        .map((table) => print(table, table.chains.values()))
        .join('');
    case 'tables':
      return chosen()
        .map((table) => `table ${table.family} ${table.name}${options.hasHandles ? ` # handle ${table.handle}` : ''}\n`)
        .join('');
    case 'chains':
      return chosen()
        .map(
          (table) =>
            `table ${table.family} ${table.name} {\n${[...table.chains.values()].map((chain) => `\tchain ${chain.name} {\n${baseText(chain, options)}\t}\n`).join('')}}\n`,
        )
        .join('');
    case 'table': {
      const table = expectTable(reader, ruleset);
      return print(table, table.chains.values());
    }
    case 'chain': {
      const table = expectTable(reader, ruleset);
      return tableText(table, [expectChain(reader, table)], context, options, false);
    }
    default:
      throw new CommandFailure(`nft: not simulated: list ${what.text}\n`, 1);
  }
}

function baseText({ base, policy }: NftChain, { isNumeric }: Options): string {
  return base === undefined
    ? ''
    : `\t\ttype ${base.type} hook ${base.hook} priority ${isNumeric ? base.priority : priorityText(base.priority, base.hook)}; policy ${policy};\n`;
}

function tableText(table: NftTable, chains: readonly NftChain[], context: CommandContext, options: Options, isWhole: boolean): string {
  const handle = (of: { readonly handle: number }): string => (options.hasHandles ? ` # handle ${of.handle}` : '');
  const texts = chains.map((chain) => {
    const rules = chain.rules.map((rule) => `\t\t${ruleText(rule, context, options)}${handle(rule)}\n`);
    return `\tchain ${chain.name} {${handle(chain)}\n${baseText(chain, options)}${rules.join('')}\t}\n`;
  });
  return `table ${table.family} ${table.name} {${isWhole ? handle(table) : ''}\n${texts.join('\n')}}\n`;
}

function ruleText(rule: NftRule, context: CommandContext, { isStateless }: Options): string {
  const { netfilter } = context.container.namespace;
  return rule.pieces
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      if (isStateless) return 'counter';
      const { packets = 0, bytes = 0 } = netfilter.counterOf(piece.counterOf) ?? {};
      return `counter packets ${packets} bytes ${bytes}`;
    })
    .join(' ');
}
