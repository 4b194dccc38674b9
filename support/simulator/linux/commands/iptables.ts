import { parsePrefix } from '../../docker/addresses.ts';
import type { Command, CommandContext } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import type { Family, NetfilterRule, Prefix } from '../../net/types.ts';
import { CommandFailure, output, run } from './result.ts';

type Table = 'filter' | 'nat' | 'mangle' | 'raw';

const builtinChains: Readonly<Record<Table, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
};

interface Task {
  verb:
    | 'append'
    | 'replace'
    | 'insert'
    | 'delete'
    | 'check'
    | 'policy'
    | 'flush'
    | 'new'
    | 'delete-chain'
    | 'zero'
    | 'list'
    | 'list-rules'
    | undefined;
  chain: string | undefined;
  position: number | undefined;
  table: Table;
  policy: string | undefined;
  isNumeric: boolean;
  isVerbose: boolean;
  hasNumbers: boolean;
}

type Draft = { -readonly [key in keyof NetfilterRule]: NetfilterRule[key] };

/** iptables(8) and ip6tables(8) 1.8: rules of the container's network namespace. Counters are not modelled: they read 0. */
export function iptablesCommand(family: Family): Command {
  const name = family === 4 ? 'iptables' : 'ip6tables';
  return (args, context) => run(() => execute(name, family, args, context));
}

function execute(name: string, family: Family, args: readonly string[], context: CommandContext): ReturnType<typeof output> {
  const bad = (text: string): never => {
    throw new CommandFailure(`${name} v1.8.9 (nf_tables): ${text}\nTry \`${name} -h' or '${name} --help' for more information.\n`, 2);
  };
  const task: Task = {
    verb: undefined,
    chain: undefined,
    position: undefined,
    table: 'filter',
    policy: undefined,
    isNumeric: false,
    isVerbose: false,
    hasNumbers: false,
  };
  const rule: Draft = { target: { kind: 'return' } };
  let targetName: string | undefined;
  let isNext = false;
  const words = [...args];
  const take = (option: string): string => words.shift() ?? bad(`option "${option}" requires an argument`);
  const prefixOf = (text: string): Prefix => {
    const prefix = parsePrefix(text);
    if (prefix === undefined || prefix.family !== family)
      throw new CommandFailure(
        `${name} v1.8.9 (nf_tables): host/network \`${text}' not found\nTry \`${name} -h' or '${name} --help' for more information.\n`,
        2,
      );
    return prefix;
  };
  const ports = (text: string): { low: number; high: number } => {
    const [low = '', high = low] = text.split(':');
    if (!/^\d+$/.test(low) || !/^\d+$/.test(high)) return bad(`invalid port/service \`${text}' specified`);
    return { low: Number(low), high: Number(high) };
  };
  let hasTo: { address?: string; port?: number } = {};
  let mark: number | undefined;
  let rejectWith: string | undefined;
  const chainWord = (verb: NonNullable<Task['verb']>, isOptional: boolean): void => {
    task.verb = verb;
    const next = words[0];
    if (next !== undefined && !next.startsWith('-') && next !== '!') task.chain = words.shift();
    else if (!isOptional) bad(`option "${verb}" requires an argument`);
    if ((verb === 'insert' || verb === 'replace' || verb === 'delete' || verb === 'list-rules') && /^\d+$/.test(words[0] ?? ''))
      task.position = Number(words.shift());
  };
  while (words.length > 0) {
    const word = words.shift() as string;
    const inverted = isNext ? { inverted: true } : {};
    isNext = false;
    switch (word) {
      case '!':
        isNext = true;
        break;
      case '-t':
      case '--table': {
        const table = take(word);
        if (!(table in builtinChains))
          throw new CommandFailure(
            `${name} v1.8.9 (nf_tables): can't initialize ${name} table \`${table}': Table does not exist (do you need to insmod?)\nPerhaps ${name} or your kernel needs to be upgraded.\n`,
            3,
          );
        task.table = table as Table;
        break;
      }
      case '-A':
      case '--append':
        chainWord('append', false);
        break;
      case '-I':
      case '--insert':
        chainWord('insert', false);
        break;
      case '-R':
      case '--replace':
        chainWord('replace', false);
        if (task.position === undefined) bad('-R requires a rule number');
        break;
      case '-D':
      case '--delete':
        chainWord('delete', false);
        break;
      case '-C':
      case '--check':
        chainWord('check', false);
        break;
      case '-P':
      case '--policy':
        chainWord('policy', false);
        task.policy = take(word);
        break;
      case '-F':
      case '--flush':
        chainWord('flush', true);
        break;
      case '-N':
      case '--new-chain':
        chainWord('new', false);
        break;
      case '-X':
      case '--delete-chain':
        chainWord('delete-chain', true);
        break;
      case '-Z':
      case '--zero':
        chainWord('zero', true);
        break;
      case '-L':
      case '--list':
        chainWord('list', true);
        break;
      case '-S':
      case '--list-rules':
        chainWord('list-rules', true);
        break;
      case '-n':
      case '--numeric':
        task.isNumeric = true;
        break;
      case '-v':
      case '--verbose':
        task.isVerbose = true;
        break;
      case '--line-numbers':
        task.hasNumbers = true;
        break;
      case '-w':
      case '--wait':
      case '-x':
      case '--exact':
        if (/^\d+$/.test(words[0] ?? '') && word.startsWith('-w')) words.shift();
        break;
      case '-p':
      case '--protocol': {
        const protocol = take(word);
        const known: Readonly<Record<string, NonNullable<NetfilterRule['protocol']>>> = {
          tcp: 'tcp',
          udp: 'udp',
          icmp: 'icmp',
          icmpv6: 'icmpv6',
          'ipv6-icmp': 'icmpv6',
          all: 'all',
          '6': 'tcp',
          '17': 'udp',
          '1': 'icmp',
          '58': 'icmpv6',
        };
        const found = known[protocol];
        if (found === undefined) bad(`unknown protocol "${protocol}" specified`);
        else rule.protocol = found;
        break;
      }
      case '-s':
      case '--source':
      case '--src':
        rule.source = { prefix: prefixOf(take(word)), ...inverted };
        break;
      case '-d':
      case '--destination':
      case '--dst':
        rule.destination = { prefix: prefixOf(take(word)), ...inverted };
        break;
      case '-i':
      case '--in-interface':
        rule.inInterface = { name: take(word), ...inverted };
        break;
      case '-o':
      case '--out-interface':
        rule.outInterface = { name: take(word), ...inverted };
        break;
      case '--sport':
      case '--source-port':
        rule.sourcePort = ports(take(word));
        break;
      case '--dport':
      case '--destination-port':
        rule.destinationPort = ports(take(word));
        break;
      case '-m':
      case '--match': {
        const match = take(word);
        if (!['tcp', 'udp', 'icmp', 'icmp6', 'conntrack', 'state', 'mark', 'comment'].includes(match))
          throw new CommandFailure(`${name}: not simulated: -m ${match}\n`, 2);
        break;
      }
      case '--ctstate':
      case '--state': {
        const states = take(word).toLowerCase().split(',');
        const known = ['new', 'established', 'related', 'invalid', 'untracked'] as const;
        rule.connectionState = states.map((state) => known.find((other) => other === state) ?? bad(`Bad state "${state.toUpperCase()}"`));
        break;
      }
      case '--mark': {
        const [value = '', mask] = take(word).split('/');
        rule.mark = { value: Number(value), mask: mask === undefined ? 0xffffffff : Number(mask) };
        break;
      }
      case '--comment':
        rule.comment = take(word);
        break;
      case '-j':
      case '--jump':
      case '-g':
        targetName = take(word);
        break;
      case '--to-destination':
      case '--to-source':
      case '--to': {
        const text = take(word);
        const match = /^(?:\[([^\]]+)\]|([^:]+)|([0-9a-fA-F:]+))?(?::(\d+))?$/.exec(text);
        const address = match?.[1] ?? match?.[2] ?? (parseIp(text) === undefined ? undefined : text);
        hasTo = {
          ...(address === undefined ? {} : { address }),
          ...(match?.[4] === undefined || parseIp(text) !== undefined ? {} : { port: Number(match[4]) }),
        };
        break;
      }
      case '--to-ports':
        hasTo = { port: Number(take(word)) };
        break;
      case '--set-mark':
      case '--set-xmark':
        mark = Number((take(word).split('/')[0] ?? '').trim());
        break;
      case '--reject-with':
        rejectWith = take(word);
        break;
      case '-h':
      case '--help':
        return output(`${name} v1.8.9\n\nUsage: ${name} -[ACD] chain rule-specification [options]\n`);
      case '-V':
      case '--version':
        return output(`${name} v1.8.9 (nf_tables)\n`);
      default:
        if (word.startsWith('-')) bad(`unknown option "${word}"`);
        bad(`Bad argument \`${word}'`);
    }
  }
  const { netfilter } = context.container.namespace;
  const { table, verb } = task;
  const chains = netfilter.chains(family, table);
  const knows = (chain: string): boolean => builtinChains[table].includes(chain) || chains.has(chain);
  const chain = task.chain ?? '';
  const noChain = (): CommandFailure => new CommandFailure(`${name}: No chain/target/match by that name.\n`, 1);
  if (verb === undefined) bad('no command specified');
  if (verb === 'list' || verb === 'list-rules') {
    const all = [...builtinChains[table], ...[...chains.keys()].filter((other) => !builtinChains[table].includes(other))];
    const shown = task.chain === undefined ? all : [task.chain];
    for (const each of shown) if (!knows(each)) throw noChain();
    const view = (each: string): ChainView => ({
      name: each,
      policy: chains.get(each)?.policy ?? (builtinChains[table].includes(each) ? 'accept' : undefined),
      rules: chains.get(each)?.rules ?? [],
    });
    return output(
      verb === 'list' ? shown.map((each) => listText(view(each), task, family)).join('\n') : rulesText(shown.map(view), family),
    );
  }
  if (verb === 'zero') return output('');
  if (verb === 'flush') {
    if (task.chain !== undefined && !knows(chain)) throw noChain();
    netfilter.flush(family, table, task.chain);
    return output('');
  }
  if (verb === 'new') {
    if (knows(chain)) throw new CommandFailure(`${name}: Chain already exists.\n`, 1);
    netfilter.createChain(family, table, chain);
    return output('');
  }
  if (verb === 'delete-chain') throw new CommandFailure(`${name}: not simulated: -X (an empty chain does no harm)\n`, 1);
  if (!knows(chain)) throw noChain();
  if (verb === 'policy') {
    const policy = task.policy?.toLowerCase();
    if (!builtinChains[table].includes(chain) || (policy !== 'accept' && policy !== 'drop'))
      throw new CommandFailure(`${name}: Bad policy name. Run \`dmesg' for more information.\n`, 1);
    if (table !== 'filter') throw new CommandFailure(`${name}: not simulated: a policy of table ${table}\n`, 1);
    netfilter.setPolicy(family, chain, policy);
    return output('');
  }
  const address = hasTo.address === undefined ? undefined : parseIp(hasTo.address);
  if (targetName !== undefined)
    rule.target = targetOf(
      name,
      targetName,
      { ...(address === undefined ? {} : { address }), ...(hasTo.port === undefined ? {} : { port: hasTo.port }) },
      mark,
      rejectWith,
      knows,
      table,
    );
  const rules = chains.get(chain)?.rules ?? [];
  if (verb === 'append') netfilter.append(family, table, chain, rule);
  else if (verb === 'replace') {
    const position = task.position ?? 1;
    const old = rules[position - 1];
    if (old === undefined) throw new CommandFailure(`${name}: Index of replacement too big.\n`, 1);
    netfilter.insert(family, table, chain, rule, position);
    netfilter.delete(family, table, chain, old);
  } else if (verb === 'insert') {
    if ((task.position ?? 1) > rules.length + 1) throw new CommandFailure(`${name}: Index of insertion too big.\n`, 1);
    netfilter.insert(family, table, chain, rule, task.position ?? 1);
  } else {
    const found =
      task.position === undefined ? rules.find((other) => ruleText(other, family) === ruleText(rule, family)) : rules[task.position - 1];
    if (found === undefined)
      throw new CommandFailure(
        task.position === undefined
          ? `${name}: Bad rule (does a matching rule exist in that chain?).\n`
          : `${name}: Index of deletion too big.\n`,
        1,
      );
    if (verb === 'delete') netfilter.delete(family, table, chain, found);
  }
  return output('');
}

function targetOf(
  name: string,
  target: string,
  to: { readonly address?: NonNullable<ReturnType<typeof parseIp>>; readonly port?: number },
  mark: number | undefined,
  rejectWith: string | undefined,
  knows: (chain: string) => boolean,
  table: Table,
): NetfilterRule['target'] {
  switch (target) {
    case 'ACCEPT':
      return { kind: 'accept' };
    case 'DROP':
      return { kind: 'drop' };
    case 'RETURN':
      return { kind: 'return' };
    case 'REJECT':
      return rejectWith === undefined ? { kind: 'reject' } : { kind: 'reject', with: rejectWith };
    case 'MASQUERADE':
    case 'SNAT':
    case 'DNAT':
      if (table !== 'nat')
        throw new CommandFailure(`${name} v1.8.9 (nf_tables):  RULE_APPEND failed (Invalid argument): rule in chain\n`, 4);
      if (target === 'MASQUERADE') return { kind: 'masquerade' };
      if (to.address === undefined && to.port === undefined)
        throw new CommandFailure(
          `${name} v1.8.9 (nf_tables): ${target}: option "--to-${target === 'DNAT' ? 'destination' : 'source'}" must be specified\nTry \`${name} -h' or '${name} --help' for more information.\n`,
          2,
        );
      return { kind: target === 'SNAT' ? 'snat' : 'dnat', ...to };
    case 'MARK':
      return { kind: 'mark', value: mark ?? 0 };
    case 'LOG':
    case 'TCPMSS':
    case 'REDIRECT':
    case 'NOTRACK':
    case 'CT':
      throw new CommandFailure(`${name}: not simulated: -j ${target}\n`, 2);
    default:
      if (!knows(target))
        throw new CommandFailure(
          `${name} v1.8.9 (nf_tables): Couldn't load target \`${target}':No such file or directory\n\nTry \`${name} -h' or '${name} --help' for more information.\n`,
          2,
        );
      return { kind: 'jump', chain: target };
  }
}

interface ChainView {
  readonly name: string;
  readonly policy: 'accept' | 'drop' | undefined;
  readonly rules: readonly NetfilterRule[];
}

function rulesText(chains: readonly ChainView[], family: Family): string {
  const heads = chains.map((chain) =>
    chain.policy === undefined ? `-N ${chain.name}\n` : `-P ${chain.name} ${chain.policy.toUpperCase()}\n`,
  );
  return [...heads, ...chains.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name}${ruleText(rule, family)}\n`))].join('');
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** A rule in the words of `iptables -S`, with a blank in front of each. */
function ruleText(rule: NetfilterRule, family: Family): string {
  let text = '';
  const not = (inverted: boolean | undefined): string => (inverted === true ? ' !' : '');
  if (rule.source !== undefined) text += `${not(rule.source.inverted)} -s ${rule.source.prefix.text}`;
  if (rule.destination !== undefined) text += `${not(rule.destination.inverted)} -d ${rule.destination.prefix.text}`;
  if (rule.inInterface !== undefined) text += `${not(rule.inInterface.inverted)} -i ${rule.inInterface.name}`;
  if (rule.outInterface !== undefined) text += `${not(rule.outInterface.inverted)} -o ${rule.outInterface.name}`;
  if (rule.protocol !== undefined && rule.protocol !== 'all') text += ` -p ${rule.protocol === 'icmpv6' ? 'ipv6-icmp' : rule.protocol}`;
  const range = (ports: { readonly low: number; readonly high: number }): string =>
    ports.low === ports.high ? String(ports.low) : `${ports.low}:${ports.high}`;
  if (rule.sourcePort !== undefined || rule.destinationPort !== undefined) text += ` -m ${rule.protocol ?? 'tcp'}`;
  if (rule.sourcePort !== undefined) text += ` --sport ${range(rule.sourcePort)}`;
  if (rule.destinationPort !== undefined) text += ` --dport ${range(rule.destinationPort)}`;
  if (rule.connectionState !== undefined) text += ` -m conntrack --ctstate ${stateText(rule.connectionState)}`;
  if (rule.mark !== undefined)
    text += ` -m mark --mark ${hex(rule.mark.value)}${rule.mark.mask >>> 0 === 0xffffffff ? '' : `/${hex(rule.mark.mask)}`}`;
  if (rule.comment !== undefined) text += ` -m comment --comment ${/^[\w-]+$/.test(rule.comment) ? rule.comment : `"${rule.comment}"`}`;
  const { target } = rule;
  switch (target.kind) {
    case 'jump':
      return `${text} -j ${target.chain}`;
    case 'snat':
    case 'dnat':
      return `${text} -j ${target.kind.toUpperCase()} --to-${target.kind === 'snat' ? 'source' : 'destination'} ${endpointText(target, family)}`;
    case 'mark':
      return `${text} -j MARK --set-xmark ${hex(target.value)}/0xffffffff`;
    case 'reject':
      return `${text} -j REJECT --reject-with ${target.with ?? defaultReject(family)}`;
    default:
      return `${text} -j ${target.kind.toUpperCase()}`;
  }
}

/** The kernel keeps states as bits and prints them in this order. */
function stateText(states: readonly string[]): string {
  return ['invalid', 'new', 'related', 'established', 'untracked']
    .filter((state) => states.includes(state))
    .join(',')
    .toUpperCase();
}

function defaultReject(family: Family): string {
  return family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
}

function endpointText(target: { readonly address?: { readonly text: string }; readonly port?: number }, family: Family): string {
  const { address, port } = target;
  if (address === undefined) return `:${port ?? 0}`;
  if (port === undefined) return address.text;
  return family === 4 ? `${address.text}:${port}` : `[${address.text}]:${port}`;
}

function listText(chain: ChainView, task: Task, family: Family): string {
  const counters = task.isVerbose ? ' 0 packets, 0 bytes' : '';
  const head = `Chain ${chain.name} (${chain.policy === undefined ? '0 references' : `policy ${chain.policy.toUpperCase()}${counters}`})\n`;
  const number = task.hasNumbers ? 'num  ' : '';
  const columns = task.isVerbose
    ? `${number} pkts bytes target     prot opt in     out     source               destination         \n`
    : `${number}target     prot opt source               destination         \n`;
  const rows = chain.rules.map((rule, index) => {
    const words = ruleText(rule, family).trim();
    const target = rule.target.kind === 'jump' ? rule.target.chain : rule.target.kind.toUpperCase();
    const anywhere = task.isNumeric ? (family === 4 ? '0.0.0.0/0' : '::/0') : 'anywhere';
    const place = (side: NetfilterRule['source']): string =>
      side === undefined
        ? anywhere
        : `${side.inverted === true ? '!' : ''}${side.prefix.length === (family === 4 ? 32 : 128) ? side.prefix.address.text : side.prefix.text}`;
    const device = (side: NetfilterRule['inInterface']): string =>
      side === undefined ? '*' : `${side.inverted === true ? '!' : ''}${side.name}`;
    const extras: string[] = [];
    const range = (ports: { readonly low: number; readonly high: number }, word: string): string =>
      ports.low === ports.high ? `${word}:${ports.low}` : `${word}s:${ports.low}:${ports.high}`;
    if (rule.sourcePort !== undefined || rule.destinationPort !== undefined) extras.push(rule.protocol ?? 'tcp');
    if (rule.sourcePort !== undefined) extras.push(range(rule.sourcePort, 'spt'));
    if (rule.destinationPort !== undefined) extras.push(range(rule.destinationPort, 'dpt'));
    if (rule.connectionState !== undefined) extras.push(`ctstate ${stateText(rule.connectionState)}`);
    if (rule.mark !== undefined)
      extras.push(`mark match ${hex(rule.mark.value)}${rule.mark.mask >>> 0 === 0xffffffff ? '' : `/${hex(rule.mark.mask)}`}`);
    if (rule.comment !== undefined) extras.push(`/* ${rule.comment} */`);
    if (rule.target.kind === 'snat' || rule.target.kind === 'dnat') extras.push(`to:${endpointText(rule.target, family)}`);
    if (rule.target.kind === 'reject') extras.push(`reject-with ${rule.target.with ?? defaultReject(family)}`);
    if (rule.target.kind === 'mark') extras.push(words.replace(/^.*--set-xmark (\S+)\/.*$/, 'MARK set $1'));
    const protocol = rule.protocol === undefined ? 'all' : rule.protocol === 'icmpv6' ? 'ipv6-icmp' : rule.protocol;
    const count = task.isVerbose ? '    0     0 ' : '';
    const devices = task.isVerbose ? `${device(rule.inInterface).padEnd(6)} ${device(rule.outInterface).padEnd(6)}  ` : '';
    const line = `${task.hasNumbers ? `${index + 1}`.padEnd(5) : ''}${count}${target.padEnd(9)}  ${protocol.padEnd(4)} --  ${devices}${place(rule.source).padEnd(19)}  ${place(rule.destination).padEnd(19)} `;
    return `${line}${extras.length === 0 ? '' : ` ${extras.join(' ')}`}\n`;
  });
  return head + columns + rows.join('');
}
