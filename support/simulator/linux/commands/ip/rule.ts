import type { CommandResult } from '../../../docker/types.ts';
import type { Family, Prefix, RoutingRule } from '../../../net/types.ts';
import { CommandFailure, errnoOf, output } from '../result.ts';
import { tableOf } from './route.ts';
import { destinationText, tableNames } from './route-text.ts';
import { asKernel, expectNumber, expectPrefix, type IpContext, json, matches, Words } from './words.ts';

export function ipRule(words: readonly string[], context: IpContext): CommandResult {
  const [verb = 'show', ...rest] = words;
  if (matches(verb, 'list') || matches(verb, 'lst') || matches(verb, 'show')) return show(context);
  if (matches(verb, 'add')) {
    const rule = parse(new Words(rest), context);
    asKernel(() =>
      context.namespace.routes.addRule({
        ...rule,
        priority: rule.priority ?? freePriority(context, rule.family),
        action: rule.action ?? { kind: 'table', table: 254 },
      }),
    );
    return output('');
  }
  if (matches(verb, 'delete')) {
    const rule = parse(new Words(rest), context);
    try {
      context.namespace.routes.deleteRule(rule);
    } catch (error) {
      if (errnoOf(error)?.errno !== 'ESRCH') throw error;
      throw new CommandFailure('RTNETLINK answers: No such file or directory\n', 2);
    }
    return output('');
  }
  if (matches(verb, 'flush')) {
    const family = context.family ?? 4;
    for (const rule of [...context.namespace.routes.rules])
      if (rule.family === family && rule.priority !== 0) asKernel(() => context.namespace.routes.deleteRule(rule));
    return output('');
  }
  if (matches(verb, 'help')) return { stdout: '', stderr: 'Usage: ip rule { add | del } SELECTOR ACTION\n', exitCode: 255 };
  throw new CommandFailure(`Command "${verb}" is unknown, try "ip rule help".\n`, 255);
}

/** One below the lowest that is not 0, as the kernel chooses. */
function freePriority(context: IpContext, family: Family): number {
  const taken = context.namespace.routes.rules.filter((rule) => rule.family === family && rule.priority > 0).map((rule) => rule.priority);
  return Math.max(0, Math.min(32766, ...taken) - 1);
}

type RuleWords = { -readonly [key in keyof RoutingRule]?: RoutingRule[key] } & { family: Family };

function parse(words: Words, context: IpContext): Partial<RoutingRule> & { family: Family } {
  const rule: RuleWords = { family: context.family ?? 4 };
  while (words.hasMore) {
    const word = words.take();
    if (word === 'from' || word === 'to') {
      const prefix = expectPrefix(words.take(), context.family);
      if (prefix.length > 0) {
        rule[word] = prefix;
        if (context.family === undefined) rule.family = prefix.family;
      }
    } else if (word === 'fwmark') {
      const [value = '', mask] = words.take().split('/');
      rule.mark = { value: expectNumber(value, 'fwmark'), mask: mask === undefined ? 0xffffffff : expectNumber(mask, 'fwmask') };
    } else if (word === 'not') rule.inverted = true;
    else if (word === 'iif' || word === 'dev') rule.iif = words.take();
    else if (matches(word, 'priority') || matches(word, 'preference') || word === 'order')
      rule.priority = expectNumber(words.take(), 'preference');
    else if (word === 'table' || matches(word, 'lookup')) rule.action = { kind: 'table', table: tableOf(words.take()) };
    else if (word === 'blackhole' || word === 'unreachable' || word === 'prohibit') rule.action = { kind: word };
    else if (word === 'proto' || word === 'protocol') words.take();
    else if (
      ['oif', 'ipproto', 'sport', 'dport', 'uidrange', 'tos', 'dsfield', 'goto', 'nop', 'suppress_prefixlength', 'l3mdev'].includes(word)
    )
      throw new CommandFailure(`Error: not simulated: ip rule ${word}\n`, 2);
    else throw new CommandFailure(`Error: argument "${word}" is wrong: Failed to parse rule type\n`, 255);
  }
  return rule;
}

function markText(mark: { readonly value: number; readonly mask: number }): string {
  const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
  return mask32(mark.mask) ? hex(mark.value) : `${hex(mark.value)}/${hex(mark.mask)}`;
}

function mask32(mask: number): boolean {
  return mask >>> 0 === 0xffffffff;
}

function side(name: 'src' | 'dst', { address, length, family }: Prefix): Record<string, unknown> {
  return { [name]: address.text, ...(length === (family === 4 ? 32 : 128) ? {} : { [`${name}len`]: length }) };
}

function show(context: IpContext): CommandResult {
  const family = context.family ?? 4;
  const rules = context.namespace.routes.rules.filter((rule) => rule.family === family).sort((a, b) => a.priority - b.priority);
  if (context.isJson) {
    const values = rules.map((rule) => ({
      priority: rule.priority,
      ...(rule.inverted === true ? { not: null } : {}),
      ...(rule.from === undefined ? { src: 'all' } : side('src', rule.from)),
      ...(rule.to === undefined ? {} : side('dst', rule.to)),
      ...(rule.mark === undefined
        ? {}
        : {
            fwmark: `0x${rule.mark.value.toString(16)}`,
            ...(mask32(rule.mark.mask) ? {} : { fwmask: `0x${rule.mark.mask.toString(16)}` }),
          }),
      ...(rule.iif === undefined ? {} : { iif: rule.iif }),
      ...(rule.action.kind === 'table'
        ? { table: tableNames[rule.action.table] ?? String(rule.action.table) }
        : { action: rule.action.kind }),
    }));
    return output(json(values, context));
  }
  return output(
    rules
      .map((rule) => {
        let text = `${rule.priority}:\t${rule.inverted === true ? 'not ' : ''}from ${rule.from === undefined ? 'all' : destinationText(rule.from)} `;
        if (rule.to !== undefined) text += `to ${destinationText(rule.to)} `;
        if (rule.mark !== undefined) text += `fwmark ${markText(rule.mark)} `;
        if (rule.iif !== undefined) text += `iif ${rule.iif} `;
        return `${text}${rule.action.kind === 'table' ? `lookup ${tableNames[rule.action.table] ?? rule.action.table}` : rule.action.kind}\n`;
      })
      .join(''),
  );
}
