import { parsePrefix } from '../../../docker/addresses.ts';
import { parseIp } from '../../../net/address.ts';
import { tcpFlagBits } from '../../../net/packet-test.ts';
import type { Family, NetfilterRule, PacketTest, Prefix } from '../../../net/types.ts';
import { CommandFailure } from '../result.ts';
import {
  endpointText,
  hex,
  portNumber,
  protocolByName,
  quoted,
  rememberTyped,
  type ShownPart,
  serviceName,
  stateText,
  type Table,
} from './print.ts';
import { icmp4Names, icmp6Names, logLevels, matchModules, otherModules, otherTargets, unitNames, unitSeconds } from './rule-names.ts';

type Draft = { -readonly [key in keyof NetfilterRule]: NetfilterRule[key] };

/** A word that begins an option of a rule: true when it was one. */
export interface RuleParser {
  /** Takes one option and its values. @returns false when the word is none of a rule's */
  option(word: string, isInverted: boolean, words: string[]): boolean;
  /** The finished rules: several when `-s` or `-d` named several. */
  rules(table: Table, chain: string, knowsChain: (name: string) => boolean): readonly NetfilterRule[];
}

type Complain = (text: string) => never;

/** Reads the rule specification of iptables(8) and iptables-extensions(8). */
export function ruleParser(name: string, family: Family, complain: Complain): RuleParser {
  const draft: Draft = { target: { kind: 'none' } };
  const tests: PacketTest[] = [];
  /** Matches in the order in which their modules were loaded; each option adds to its own. */
  const parts: { module: string; save: string[]; numeric: string[]; named: string[] }[] = [];
  const sources: Prefix[] = [];
  const destinations: Prefix[] = [];
  let targetName: string | undefined;
  let isGoto = false;
  const targetOptions = new Map<string, string>();

  const take = (option: string, words: string[]): string => words.shift() ?? complain(`option "${option}" requires an argument`);
  const bang = (isInverted: boolean): string => (isInverted ? '! ' : '');
  const part = (module: string) => {
    const known = parts.find((each) => each.module === module);
    if (known !== undefined) return known;
    const made = { module, save: [], numeric: [], named: [] };
    parts.push(made);
    return made;
  };
  const show = (module: string, save: string, numeric: string, named = numeric): void => {
    const found = part(module);
    found.save.push(save);
    found.numeric.push(numeric);
    found.named.push(named);
  };
  const isLoaded = (...modules: readonly string[]): boolean =>
    parts.some(({ module }) => modules.includes(module)) || modules.includes(protocolName() ?? '');

  function protocolName(): string | undefined {
    const test = tests.find(({ kind }) => kind === 'protocol');
    return test?.kind === 'protocol' ? test.names[0] : draft.protocol;
  }

  function prefixes(text: string): Prefix[] {
    return text.split(',').map((each) => {
      const [address = '', mask] = each.split('/');
      if (mask !== undefined && parseIp(address)?.family === family) {
        const length = mask.includes('.') ? lengthOfMask(mask) : /^\d+$/.test(mask) ? Number(mask) : undefined;
        if (length === undefined || length > (family === 4 ? 32 : 128)) complain(`invalid mask \`${mask}' specified`);
        const prefix = parsePrefix(`${address}/${length}`);
        if (prefix !== undefined) return prefix;
      }
      const prefix = parsePrefix(each);
      if (prefix === undefined || prefix.family !== family) return complain(`host/network \`${each}' not found`);
      return prefix;
    });
  }

  function port(text: string): number {
    return portNumber(text) ?? complain(`invalid port/service \`${text}' specified`);
  }

  function range(text: string): { low: number; high: number } {
    if (!text.includes(':')) {
      const one = port(text);
      return { low: one, high: one };
    }
    const [low = '', high = ''] = text.split(':');
    return { low: low === '' ? 0 : port(low), high: high === '' ? 65535 : port(high) };
  }

  const rangeOf = ({ low, high }: { low: number; high: number }): string => (low === high ? String(low) : `${low}:${high}`);

  function single(side: 'source' | 'destination', text: string, isInverted: boolean): void {
    const found = range(text);
    const protocol = protocolName() ?? 'tcp';
    const letter = side === 'source' ? 's' : 'd';
    if (isInverted) tests.push({ kind: 'ports', side, ranges: [found], inverted: true });
    else if (side === 'source') draft.sourcePort = found;
    else draft.destinationPort = found;
    const isOne = found.low === found.high;
    const word = `${letter}pt${isOne ? '' : 's'}:${isInverted ? '!' : ''}`;
    show(
      protocol,
      `${bang(isInverted)}--${letter}port ${rangeOf(found)}`,
      `${word}${rangeOf(found)}`,
      `${word}${isOne ? serviceName(found.low) : rangeOf(found)}`,
    );
  }

  function several(side: 'source' | 'destination' | 'either', text: string, isInverted: boolean): void {
    const ranges = text.split(',').map(range);
    if (!['tcp', 'udp', 'sctp', 'dccp', 'udplite'].includes(protocolName() ?? ''))
      complain("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'");
    tests.push({ kind: 'ports', side, ranges, ...(isInverted ? { inverted: true } : {}) });
    const word = side === 'either' ? 'ports' : side === 'source' ? 'sports' : 'dports';
    const listed = ranges.map(rangeOf).join(',');
    const names = ranges.map((each) => (each.low === each.high ? serviceName(each.low) : rangeOf(each))).join(',');
    show(
      'multiport',
      `${bang(isInverted)}--${word} ${listed}`,
      `multiport ${word} ${isInverted ? '!' : ''}${listed}`,
      `multiport ${word} ${isInverted ? '!' : ''}${names}`,
    );
  }

  function flags(mask: string, set: string, isInverted: boolean): void {
    const bits = (text: string): number => {
      if (text === 'ALL') return 63;
      if (text === 'NONE') return 0;
      return text.split(',').reduce((sum, word) => {
        const bit = tcpFlagBits[word as keyof typeof tcpFlagBits];
        return bit === undefined ? complain(`Unknown TCP flag \`${word}'`) : sum | bit;
      }, 0);
    };
    const names = (value: number): string =>
      value === 0
        ? 'NONE'
        : Object.entries(tcpFlagBits)
            .filter(([, bit]) => (value & bit) !== 0)
            .map(([flag]) => flag)
            .join(',');
    const [maskBits, setBits] = [bits(mask), bits(set)];
    tests.push({ kind: 'tcp-flags', mask: maskBits, set: setBits, ...(isInverted ? { inverted: true } : {}) });
    const wide = (value: number): string => `0x${value.toString(16).padStart(2, '0').toUpperCase()}`;
    show(
      'tcp',
      `${bang(isInverted)}--tcp-flags ${names(maskBits)} ${names(setBits)}`,
      `flags:${isInverted ? '!' : ''}${wide(maskBits)}/${wide(setBits)}`,
      `flags:${isInverted ? '!' : ''}${names(maskBits)}/${names(setBits)}`,
    );
  }

  function icmpType(text: string, isInverted: boolean): void {
    const names = family === 4 ? icmp4Names : icmp6Names;
    const module = family === 4 ? 'icmp' : 'icmp6';
    const numbers = /^(\d+)(?:\/(\d+))?$/.exec(text);
    const [type, code] =
      numbers === null
        ? (names[text] ?? (text === 'any' ? [255] : complain(`Invalid ICMP type \`${text}'`)))
        : [Number(numbers[1]), numbers[2] === undefined ? undefined : Number(numbers[2])];
    if (type !== 255)
      tests.push({ kind: 'icmp-type', types: [type], ...(code === undefined ? {} : { code }), ...(isInverted ? { inverted: true } : {}) });
    const value = type === 255 ? 'any' : `${type}${code === undefined ? '' : `/${code}`}`;
    const label = Object.entries(names).find(([, [ofType, ofCode]]) => ofType === type && ofCode === code)?.[0];
    const option = family === 4 ? '--icmp-type' : '--icmpv6-type';
    const word = family === 4 ? 'icmptype' : 'ipv6-icmptype';
    const listed = `${word} ${isInverted ? '!' : ''}${type}${code === undefined ? '' : ` code ${code}`}`;
    show(
      module,
      `${bang(isInverted)}${option} ${value}`,
      listed,
      label === undefined ? listed : `${family === 4 ? 'icmp' : 'ipv6-icmp'} ${isInverted ? '!' : ''}${label}`,
    );
  }

  function limitOf(text: string): void {
    const [, amount = '', unit = ''] = /^(\d+)\/([smhd])[a-z]*$/.exec(text) ?? [];
    if (amount === '') complain(`bad rate "${text}"`);
    const burst = draft.limit?.burst ?? 5;
    draft.limit = { perSecond: Number(amount) / (unitSeconds[unit] ?? 1), burst };
    show('limit', `--limit ${amount}/${unitNames[unit]}`, `avg ${amount}/${unitNames[unit]}`);
  }

  function option(word: string, isInverted: boolean, words: string[]): boolean {
    const inverted = isInverted ? { inverted: true } : {};
    switch (word) {
      case '-p':
      case '--protocol':
      case '--proto': {
        const text = take(word, words);
        const found = protocolByName(text);
        if (found === undefined) return complain(`unknown protocol "${text}" specified`);
        if (found === 'all') return true;
        if (!isInverted && (found === 'tcp' || found === 'udp' || found === 'icmp' || found === 'icmpv6')) draft.protocol = found;
        else tests.push({ kind: 'protocol', names: [found], ...inverted });
        return true;
      }
      case '-s':
      case '--source':
      case '--src':
        sources.push(...prefixes(take(word, words)));
        if (sources[0] !== undefined) draft.source = { prefix: sources[0], ...inverted };
        return true;
      case '-d':
      case '--destination':
      case '--dst':
        destinations.push(...prefixes(take(word, words)));
        if (destinations[0] !== undefined) draft.destination = { prefix: destinations[0], ...inverted };
        return true;
      case '-i':
      case '--in-interface':
        draft.inInterface = { name: take(word, words), ...inverted };
        return true;
      case '-o':
      case '--out-interface':
        draft.outInterface = { name: take(word, words), ...inverted };
        return true;
      case '-m':
      case '--match': {
        const module = take(word, words);
        if (otherModules.has(module)) throw new CommandFailure(`${name}: not simulated: -m ${module}\n`, 2);
        if (!matchModules.has(module)) complain(`Couldn't load match \`${module}':No such file or directory\n`);
        part(module === 'ipv6-icmp' ? 'icmp6' : module);
        return true;
      }
      case '-j':
      case '--jump':
        targetName = take(word, words);
        return true;
      case '-g':
      case '--goto':
        targetName = take(word, words);
        isGoto = true;
        return true;
      default:
        return matchOption(word, isInverted, words) || targetOption(word, words);
    }
  }

  function matchOption(word: string, isInverted: boolean, words: string[]): boolean {
    switch (word) {
      case '--sport':
      case '--source-port':
      case '--dport':
      case '--destination-port':
        if (!isLoaded('tcp', 'udp', 'sctp', 'dccp', 'udplite')) return false;
        single(word.startsWith('--s') ? 'source' : 'destination', take(word, words), isInverted);
        return true;
      case '--sports':
      case '--source-ports':
      case '--dports':
      case '--destination-ports':
      case '--ports':
        if (!isLoaded('multiport')) return false;
        several(word === '--ports' ? 'either' : word.startsWith('--s') ? 'source' : 'destination', take(word, words), isInverted);
        return true;
      case '--syn':
        if (!isLoaded('tcp')) return false;
        flags('SYN,RST,ACK,FIN', 'SYN', isInverted);
        return true;
      case '--tcp-flags': {
        if (!isLoaded('tcp')) return false;
        const mask = take(word, words);
        flags(mask, take(word, words), isInverted);
        return true;
      }
      case '--icmp-type':
      case '--icmpv6-type':
        if (!isLoaded('icmp', 'icmp6', 'icmpv6')) return false;
        icmpType(take(word, words), isInverted);
        return true;
      case '--ctstate':
      case '--state': {
        const module = word === '--state' ? 'state' : 'conntrack';
        if (!isLoaded(module)) return false;
        const known = ['new', 'established', 'related', 'invalid', 'untracked', 'dnat'] as const;
        const states = take(word, words)
          .toLowerCase()
          .split(',')
          .map(
            (state) =>
              known.find((other) => other === state) ??
              complain(`Bad ${module === 'state' ? 'state' : 'ctstate'} "${state.toUpperCase()}"`),
          );
        draft.connectionState = isInverted ? known.filter((state) => !states.includes(state)) : states;
        const text = stateText(states);
        show(module, `${bang(isInverted)}${word} ${text}`, `${isInverted ? '! ' : ''}${word.slice(2)} ${text}`);
        return true;
      }
      case '--mark': {
        if (!isLoaded('mark')) return false;
        const [value = '', mask] = take(word, words).split('/');
        draft.mark = {
          value: Number(value),
          mask: mask === undefined ? 0xffffffff : Number(mask),
          ...(isInverted ? { inverted: true } : {}),
        };
        const text = `${hex(draft.mark.value)}${mask === undefined || draft.mark.mask >>> 0 === 0xffffffff ? '' : `/${hex(draft.mark.mask)}`}`;
        show('mark', `${bang(isInverted)}--mark ${text}`, `mark match${isInverted ? ' !' : ''} ${text}`);
        return true;
      }
      case '--comment': {
        if (!isLoaded('comment')) return false;
        draft.comment = take(word, words);
        show('comment', `--comment ${quoted(draft.comment)}`, `/* ${draft.comment} */`);
        return true;
      }
      case '--limit':
        if (!isLoaded('limit')) return false;
        limitOf(take(word, words));
        return true;
      case '--limit-burst': {
        if (!isLoaded('limit')) return false;
        const burst = Number(take(word, words));
        draft.limit = { perSecond: draft.limit?.perSecond ?? 3 / 3600, burst };
        if (burst !== 5) show('limit', `--limit-burst ${burst}`, '');
        return true;
      }
      case '--src-type':
      case '--dst-type': {
        if (!isLoaded('addrtype')) return false;
        const type = take(word, words);
        if (type !== 'LOCAL' || isInverted || draft.localAddress !== undefined)
          throw new CommandFailure(`${name}: not simulated: -m addrtype ${bang(isInverted)}${word} ${type}\n`, 2);
        draft.localAddress = word === '--src-type' ? 'source' : 'destination';
        show('addrtype', `${word} LOCAL`, `${word.slice(2)} LOCAL`);
        return true;
      }
      case '--src-range':
      case '--dst-range': {
        if (!isLoaded('iprange')) return false;
        const text = take(word, words);
        const [low, high] = text.split('-').map((each) => parseIp(each));
        if (low === undefined || high === undefined) return complain(`iprange: Bad value for "${word}" option: "${text}"`);
        const side = word === '--src-range' ? 'source' : 'destination';
        tests.push({ kind: 'range', side, low, high, ...(isInverted ? { inverted: true } : {}) });
        show('iprange', `${bang(isInverted)}${word} ${text}`, `${side} IP range ${isInverted ? '! ' : ''}${text}`);
        return true;
      }
      case '--mode': {
        if (!isLoaded('statistic')) return false;
        const mode = take(word, words);
        if (mode !== 'random') throw new CommandFailure(`${name}: not simulated: -m statistic --mode ${mode}\n`, 2);
        return true;
      }
      case '--probability': {
        if (!isLoaded('statistic')) return false;
        draft.probability = Number(take(word, words));
        const text = (Math.round(draft.probability * 2 ** 31) / 2 ** 31).toFixed(11);
        show('statistic', `--mode random --probability ${text}`, `mode random probability ${text}`);
        return true;
      }
      case '--ttl-eq':
      case '--ttl-lt':
      case '--ttl-gt': {
        if (!isLoaded('ttl')) return false;
        const value = Number(take(word, words));
        const relation = word.slice(6);
        tests.push({
          kind: 'ttl',
          low: relation === 'eq' ? value : relation === 'gt' ? value + 1 : 0,
          high: relation === 'eq' ? value : relation === 'lt' ? value - 1 : 255,
          ...(isInverted ? { inverted: true } : {}),
        });
        const sign = { eq: isInverted ? '!=' : '==', lt: '<', gt: '>' }[relation] ?? '==';
        show('ttl', `${bang(isInverted)}${word} ${value}`, `TTL match TTL ${sign} ${value}`);
        return true;
      }
      default:
        return false;
    }
  }

  function targetOption(word: string, words: string[]): boolean {
    switch (word) {
      case '--to-destination':
      case '--to-source':
      case '--to':
      case '--to-ports':
      case '--to-port':
      case '--set-mark':
      case '--set-xmark':
      case '--or-mark':
      case '--and-mark':
      case '--reject-with':
      case '--log-prefix':
      case '--log-level':
      case '--set-mss':
        if (targetName === undefined) return false;
        targetOptions.set(word, take(word, words));
        return true;
      case '--random':
      case '--random-fully':
      case '--persistent':
      case '--clamp-mss-to-pmtu':
        if (targetName === undefined) return false;
        targetOptions.set(word, '');
        return true;
      default:
        return false;
    }
  }

  function rules(table: Table, chain: string, knowsChain: (name: string) => boolean): readonly NetfilterRule[] {
    if (draft.inInterface !== undefined && (chain === 'OUTPUT' || chain === 'POSTROUTING')) complain(`Can't use -i with ${chain}\n`);
    if (draft.outInterface !== undefined && (chain === 'INPUT' || chain === 'PREROUTING')) complain(`Can't use -o with ${chain}\n`);
    const target = readTarget(table, chain, knowsChain);
    const list: NetfilterRule[] = [];
    for (const source of sources.length > 0 ? sources : [undefined]) {
      for (const destination of destinations.length > 0 ? destinations : [undefined]) {
        const rule: NetfilterRule = {
          ...draft,
          ...(source === undefined || draft.source === undefined ? {} : { source: { ...draft.source, prefix: source } }),
          ...(destination === undefined || draft.destination === undefined
            ? {}
            : { destination: { ...draft.destination, prefix: destination } }),
          ...(tests.length > 0 ? { tests } : {}),
          target: target.target,
        };
        rememberTyped(rule, { matches: parts.map(shownPart), targetName: targetName ?? '', target: target.part });
        list.push(rule);
      }
    }
    return list;
  }

  function shownPart({ module, save, numeric, named }: (typeof parts)[number]): ShownPart {
    const lead =
      module === 'tcp' || module === 'udp' || module === 'sctp'
        ? `${module} `
        : module === 'limit'
          ? 'limit: '
          : module === 'addrtype'
            ? 'ADDRTYPE match '
            : module === 'statistic'
              ? 'statistic '
              : '';
    const tail = module === 'limit' ? ` burst ${draft.limit?.burst ?? 5}` : '';
    const join = (words: readonly string[]): string =>
      words.length === 0 ? '' : `${lead}${words.filter((word) => word !== '').join(' ')}${tail}`;
    // A bare `-m tcp` is kept too; a module without an option says nothing in a listing but its name.
    if (save.length === 0) return { save: `-m ${module}`, numeric: lead.trim(), named: lead.trim() };
    return { save: `-m ${module} ${save.join(' ')}`, numeric: join(numeric), named: join(named) };
  }

  function readTarget(
    table: Table,
    chain: string,
    knowsChain: (name: string) => boolean,
  ): { readonly target: NetfilterRule['target']; readonly part: ShownPart } {
    const make = (target: NetfilterRule['target'], save = '', listed = '', named = listed) => ({
      target,
      part: { save, numeric: listed, named },
    });
    const wrongPlace = (): never => {
      throw new CommandFailure(`${name} v1.8.9 (nf_tables):  RULE_APPEND failed (Invalid argument): rule in chain ${chain}\n`, 4);
    };
    const random = [...targetOptions.keys()].filter((word) => ['--random', '--random-fully', '--persistent'].includes(word));
    const randomSave = random.map((word) => ` ${word}`).join('');
    const randomListed = random.map((word) => ` ${word.slice(2)}`).join('');
    switch (targetName) {
      case undefined:
        return make({ kind: 'none' });
      case 'ACCEPT':
        return make({ kind: 'accept' });
      case 'DROP':
        return make({ kind: 'drop' });
      case 'RETURN':
        return make({ kind: 'return' });
      case 'REJECT': {
        const kind = rejectName(targetOptions.get('--reject-with'));
        return make({ kind: 'reject', with: kind }, ` --reject-with ${kind}`, `reject-with ${kind}`);
      }
      case 'LOG': {
        const prefix = targetOptions.get('--log-prefix');
        const text = targetOptions.get('--log-level') ?? 'warning';
        const level = /^\d$/.test(text) ? Number(text) : logLevels.findIndex((each) => text.startsWith(each) || each === text);
        if (level < 0) return complain(`log-level \`${text}' unknown`);
        const save = `${prefix === undefined ? '' : ` --log-prefix "${prefix}"`}${level === 4 ? '' : ` --log-level ${level}`}`;
        const end = prefix === undefined ? '' : ` prefix "${prefix}"`;
        return make({ kind: 'none' }, save, `LOG flags 0 level ${level}${end}`, `LOG level ${logLevels[level]}${end}`);
      }
      case 'MASQUERADE':
        if (table !== 'nat' || builtinOnly(chain, ['POSTROUTING'])) wrongPlace();
        if (targetOptions.has('--to-ports')) throw new CommandFailure(`${name}: not simulated: -j MASQUERADE --to-ports\n`, 2);
        return make({ kind: 'masquerade' }, randomSave, randomListed.trim());
      case 'SNAT':
      case 'DNAT': {
        const isSource = targetName === 'SNAT';
        const text = targetOptions.get(isSource ? '--to-source' : '--to-destination') ?? targetOptions.get('--to');
        if (text === undefined) return complain(`${targetName}: option "--to-${isSource ? 'source' : 'destination'}" must be specified\n`);
        const to = endpoint(text);
        if (to.port !== undefined && !['tcp', 'udp', 'sctp', 'dccp'].includes(protocolName() ?? ''))
          complain('Need TCP, UDP, SCTP or DCCP with port specification');
        if (table !== 'nat' || builtinOnly(chain, isSource ? ['POSTROUTING', 'INPUT'] : ['PREROUTING', 'OUTPUT'])) wrongPlace();
        const shown = endpointText(to, family);
        return make(
          { kind: isSource ? 'snat' : 'dnat', ...to },
          ` --to-${isSource ? 'source' : 'destination'} ${shown}${randomSave}`,
          `to:${shown}${randomListed}`,
        );
      }
      case 'REDIRECT': {
        const text = targetOptions.get('--to-ports') ?? targetOptions.get('--to-port');
        if (text?.includes('-')) throw new CommandFailure(`${name}: not simulated: -j REDIRECT --to-ports ${text}\n`, 2);
        if (text !== undefined && !['tcp', 'udp', 'sctp', 'dccp'].includes(protocolName() ?? ''))
          complain('Need TCP, UDP, SCTP or DCCP with port specification');
        if (table !== 'nat' || builtinOnly(chain, ['PREROUTING', 'OUTPUT'])) wrongPlace();
        return text === undefined
          ? make({ kind: 'redirect' })
          : make({ kind: 'redirect', port: port(text) }, ` --to-ports ${port(text)}`, `redir ports ${port(text)}`);
      }
      case 'TCPMSS': {
        const text = targetOptions.get('--set-mss');
        if (text === undefined && !targetOptions.has('--clamp-mss-to-pmtu'))
          return complain('TCPMSS target: At least one parameter is required');
        if (text === undefined) return make({ kind: 'mss' }, ' --clamp-mss-to-pmtu', 'TCPMSS clamp to PMTU');
        return make({ kind: 'mss', size: Number(text) }, ` --set-mss ${Number(text)}`, `TCPMSS set ${Number(text)}`);
      }
      case 'MARK':
        return mark(table, wrongPlace);
      default:
        if (otherTargets.has(targetName)) throw new CommandFailure(`${name}: not simulated: -j ${targetName}\n`, 2);
        if (!knowsChain(targetName)) complain(`Chain '${targetName}' does not exist`);
        return make({ kind: isGoto ? 'goto' : 'jump', chain: targetName }, '', isGoto ? '[goto] ' : '');
    }
  }

  function mark(table: Table, wrongPlace: () => never): { readonly target: NetfilterRule['target']; readonly part: ShownPart } {
    if (table === 'nat' && family === 6 && draft.limit !== undefined) wrongPlace();
    const [value = 0, mask = 0xffffffff] = (targetOptions.get('--set-xmark') ?? targetOptions.get('--set-mark') ?? '')
      .split('/')
      .map(Number);
    const or = targetOptions.get('--or-mark');
    const and = targetOptions.get('--and-mark');
    const plain = targetOptions.get('--set-mark');
    let [bits, cleared] = [value, mask];
    if (or !== undefined) [bits, cleared] = [Number(or), Number(or)];
    else if (and !== undefined) [bits, cleared] = [0, ~Number(and) >>> 0];
    // --set-mark VALUE/MASK clears what either of them has; --set-xmark what the mask has
    else if (plain !== undefined) cleared = (mask | value) >>> 0;
    else if (!targetOptions.has('--set-xmark')) complain('MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required');
    const listed =
      cleared >>> 0 === 0xffffffff
        ? `MARK set ${hex(bits)}`
        : bits === 0
          ? `MARK and ${hex(~cleared)}`
          : bits === cleared
            ? `MARK or ${hex(bits)}`
            : `MARK xset ${hex(bits)}/${hex(cleared)}`;
    return {
      target: { kind: 'mark', value: bits, mask: cleared },
      part: { save: ` --set-xmark ${hex(bits)}/${hex(cleared)}`, numeric: listed, named: listed },
    };
  }

  function endpoint(text: string): { readonly address?: NonNullable<ReturnType<typeof parseIp>>; readonly port?: number } {
    const match = family === 4 ? /^([^:]*)(?::(.*))?$/.exec(text) : /^(?:\[([^\]]*)\](?::(.*))?|(.*))$/.exec(text);
    const addressText = match?.[1] ?? (family === 6 ? match?.[3] : undefined) ?? '';
    const portText = match?.[2];
    if (addressText.includes('-') || portText?.includes('-'))
      throw new CommandFailure(`${name}: not simulated: a range of addresses or ports in ${text}\n`, 2);
    const address = parseIp(addressText);
    if (addressText !== '' && (address === undefined || address.family !== family)) complain(`Bad IP address "${addressText}"\n`);
    return {
      ...(address === undefined ? {} : { address }),
      ...(portText === undefined || portText === '' ? {} : { port: port(portText) }),
    };
  }

  function rejectName(text: string | undefined): string {
    if (text === undefined) return family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
    const aliases: Readonly<Record<string, string>> =
      family === 4
        ? {
            'net-unreach': 'icmp-net-unreachable',
            'host-unreach': 'icmp-host-unreachable',
            'port-unreach': 'icmp-port-unreachable',
            'proto-unreach': 'icmp-proto-unreachable',
            'admin-prohib': 'icmp-admin-prohibited',
            'tcp-rst': 'tcp-reset',
          }
        : {
            'no-route': 'icmp6-no-route',
            'adm-prohibited': 'icmp6-adm-prohibited',
            'addr-unreach': 'icmp6-addr-unreachable',
            'port-unreach': 'icmp6-port-unreachable',
          };
    const known = [...Object.values(aliases), 'tcp-reset', ...(family === 4 ? ['icmp-net-prohibited', 'icmp-host-prohibited'] : [])];
    const found = aliases[text] ?? text;
    return known.includes(found) ? found : complain(`unknown reject type "${text}"`);
  }

  return { option, rules };
}

function builtinOnly(chain: string, allowed: readonly string[]): boolean {
  return ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].includes(chain) && !allowed.includes(chain);
}

function lengthOfMask(mask: string): number | undefined {
  const value = parseIp(mask)?.value;
  if (value === undefined) return undefined;
  const bits = value.toString(2).padStart(32, '0');
  return /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined;
}
