import { parsePrefix } from '../../../docker/addresses.ts';
import { parseIp } from '../../../net/address.ts';
import { tcpFlagBits } from '../../../net/packet-test.ts';
import type { NetfilterRule, PacketTest } from '../../../net/types.ts';
import { CommandFailure } from '../result.ts';
import type { NftRule, NftTable } from './model.ts';
import { icmp6Types, icmpTypes, logLevels, protocols, rejectWith4, rejectWith6, services, states } from './rule-names.ts';
import { NftError, type Reader, type Token } from './tokens.ts';

type Draft = { -readonly [key in keyof NetfilterRule]: NetfilterRule[key] };

/** One value of a match: how it prints, where it sorts, and the test it stands for. */
interface Value {
  readonly text: string;
  readonly order: bigint;
  readonly token: Token;
}

interface Selector {
  /** As printed. */
  readonly text: string;
  readonly value: (reader: Reader) => Value;
  /** Several values are alternatives. */
  readonly apply: (draft: Draft, tests: PacketTest[], values: readonly Value[], isInverted: boolean) => void;
}

function notSimulated(what: string): CommandFailure {
  return new CommandFailure(`nft: not simulated: ${what}\n`, 1);
}

/** Reads one rule of a table, up to the end of its line. Anonymous sets take a handle of their own, as in the kernel. */
export function readRule(reader: Reader, table: NftTable, handleOf: () => number): NftRule {
  const pieces: (string | { counterOf: NetfilterRule })[] = [];
  const rules: NetfilterRule[] = [];
  let tests: PacketTest[] = [];
  const draft: Draft = { target: { kind: 'none' } };
  let isOver = false;

  const emit = (target: NetfilterRule['target']): NetfilterRule => {
    const rule: NetfilterRule = { ...draft, ...(tests.length > 0 ? { tests: [...tests] } : {}), target };
    rules.push(rule);
    return rule;
  };
  const familyTest = (family: 4 | 6): void => {
    if (table.family === 'inet' && !tests.some((test) => test.kind === 'family')) tests.push({ kind: 'family', family });
  };

  if (reader.isAtStatementEnd) throw reader.unexpected();
  while (!reader.isAtStatementEnd) {
    const start = reader.peek();
    if (isOver && !reader.is('comment')) throw new NftError('Statement after terminal statement has no effect', start);
    if (statement()) continue;
    const selector = readSelector(reader, table, familyTest);
    match(selector);
  }
  if (rules.length === 0 || !isOver) emit({ kind: 'none' });
  return { handle: handleOf(), pieces, rules };

  function match(selector: Selector): void {
    if (reader.skip('vmap')) {
      pieces.push(`${selector.text} vmap ${verdictMap(selector)}`);
      return;
    }
    let isInverted = false;
    if (reader.skip('!=')) isInverted = true;
    else reader.skip('==');
    const { values, text } = readValues(selector);
    selector.apply(draft, tests, values, isInverted);
    pieces.push(`${selector.text}${isInverted ? ' !=' : ''} ${text}`);
  }

  function readValues(selector: Selector): { readonly values: readonly Value[]; readonly text: string } {
    if (reader.skip('{')) {
      const values: Value[] = [];
      handleOf();
      while (!reader.skip('}')) {
        while (reader.is('\n')) reader.take();
        if (reader.skip('}')) break;
        values.push(selector.value(reader));
        while (reader.is('\n')) reader.take();
        if (!reader.is('}')) reader.expect(',');
      }
      values.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
      return { values, text: `{ ${values.map(({ text }) => text).join(', ')} }` };
    }
    if (reader.peek().text.startsWith('@')) throw notSimulated(`named sets (${reader.peek().text})`);
    const values = [selector.value(reader)];
    while (reader.skip(',')) values.push(selector.value(reader));
    return { values, text: values.map(({ text }) => text).join(',') };
  }

  /** `{ established : accept, invalid : drop }`: a rule for each. */
  function verdictMap(selector: Selector): string {
    reader.expect('{');
    handleOf();
    const shown: { readonly order: bigint; readonly text: string }[] = [];
    const before = tests;
    const held = { ...draft };
    while (!reader.skip('}')) {
      while (reader.is('\n')) reader.take();
      if (reader.skip('}')) break;
      const value = selector.value(reader);
      reader.expect(':');
      const verdict = readVerdict();
      tests = [...before];
      Object.assign(draft, held);
      selector.apply(draft, tests, [value], false);
      emit(verdict.target);
      for (const key of Object.keys(draft)) if (!(key in held)) delete draft[key as keyof Draft];
      Object.assign(draft, held);
      shown.push({ order: value.order, text: `${value.text} : ${verdict.text}` });
      while (reader.is('\n')) reader.take();
      if (!reader.is('}')) reader.expect(',');
    }
    tests = before;
    shown.sort((a, b) => (a.order < b.order ? -1 : 1));
    return `{ ${shown.map(({ text }) => text).join(', ')} }`;
  }

  function readVerdict(): { readonly target: NetfilterRule['target']; readonly text: string } {
    const token = reader.take();
    if (token.text === 'accept' || token.text === 'drop' || token.text === 'return')
      return { target: { kind: token.text }, text: token.text };
    if (token.text === 'continue') return { target: { kind: 'none' }, text: 'continue' };
    if (token.text === 'jump' || token.text === 'goto') {
      const chain = reader.name();
      if (!table.chains.has(chain.text)) throw new NftError('Could not process rule: No such file or directory', chain);
      return { target: { kind: token.text, chain: chain.text }, text: `${token.text} ${chain.text}` };
    }
    throw new NftError(`syntax error, unexpected ${token.text}`, token);
  }

  /** A statement that does something. @returns false when the next words are a match */
  function statement(): boolean {
    const { text } = reader.peek();
    switch (text) {
      case 'accept':
      case 'drop':
      case 'return':
      case 'continue':
      case 'jump':
      case 'goto': {
        const verdict = readVerdict();
        emit(verdict.target);
        pieces.push(verdict.text);
        isOver = text !== 'continue';
        return true;
      }
      case 'counter':
        reader.take();
        if (reader.skip('packets')) {
          reader.take();
          reader.expect('bytes');
          reader.take();
        }
        pieces.push({ counterOf: emit({ kind: 'none' }) });
        return true;
      case 'comment':
        reader.take();
        pieces.push(`comment "${reader.take().text}"`);
        return true;
      case 'log':
        log();
        return true;
      case 'limit':
        limit();
        return true;
      case 'masquerade': {
        reader.take();
        const flags: string[] = [];
        while (reader.is('random') || reader.is('fully-random') || reader.is('persistent') || reader.is(','))
          flags.push(reader.take().text);
        if (reader.is('to')) throw notSimulated('masquerade to');
        emit({ kind: 'masquerade' });
        pieces.push(
          [
            'masquerade',
            ...flags
              .filter((flag) => flag !== ',')
              .join(',')
              .split(' ')
              .filter(Boolean),
          ].join(' '),
        );
        isOver = true;
        return true;
      }
      case 'snat':
      case 'dnat':
        translate(text);
        return true;
      case 'redirect':
        redirect();
        return true;
      case 'reject':
        reject();
        return true;
      case 'queue':
      case 'notrack':
      case 'dup':
      case 'fwd':
      case 'set':
      case 'update':
      case 'add':
      case 'flow':
      case 'meter':
      case 'synproxy':
      case 'tproxy':
      case 'quota':
        throw notSimulated(`the ${text} statement`);
      default:
        return false;
    }
  }

  function log(): void {
    reader.take();
    let text = 'log';
    while (reader.is('prefix') || reader.is('level') || reader.is('group') || reader.is('flags')) {
      const word = reader.take().text;
      const value = reader.take();
      if (word === 'level' && !logLevels.includes(value.text)) throw new NftError(`syntax error, unexpected ${value.text}`, value);
      if (word === 'level' && value.text === 'warn') continue;
      text += word === 'prefix' ? ` prefix "${value.text}"` : ` ${word} ${value.text}`;
    }
    emit({ kind: 'none' });
    pieces.push(text);
  }

  function limit(): void {
    reader.take();
    reader.expect('rate');
    if (reader.is('over')) throw notSimulated('limit rate over');
    const token = reader.take();
    const [, amount = '', unit = ''] = /^(\d+)\/(second|minute|hour|day|week)$/.exec(token.text) ?? [];
    if (amount === '') throw new NftError(`syntax error, unexpected ${token.text}`, token);
    let burst = 5;
    let text = `limit rate ${amount}/${unit}`;
    if (reader.skip('burst')) {
      burst = Number(reader.take().text);
      reader.expect('packets');
      if (burst !== 5) text += ` burst ${burst} packets`;
    }
    const seconds = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800 }[unit] ?? 1;
    draft.limit = { perSecond: Number(amount) / seconds, burst };
    pieces.push(text);
  }

  function translate(kind: 'snat' | 'dnat'): void {
    reader.take();
    const label = reader.is('ip') || reader.is('ip6') ? `${reader.take().text} ` : '';
    reader.expect('to');
    const token = reader.take();
    const [, bracketed, plain, port] =
      /^(?:\[([0-9a-fA-F:.]+)\]|([0-9a-fA-F.]+(?::[0-9a-fA-F:]*:[0-9a-fA-F:.]*)?|[0-9a-fA-F:.]*::?[0-9a-fA-F:.]*)?)(?::(\d+))?$/.exec(
        token.text,
      ) ?? [];
    const whole = parseIp(token.text);
    const addressText = whole?.family === 6 ? token.text : (bracketed ?? plain ?? '');
    const address = addressText === '' ? undefined : parseIp(addressText);
    if (token.text.includes('-')) throw notSimulated(`${kind} to a range`);
    if (addressText !== '' && address === undefined)
      throw new NftError('Could not resolve hostname: Temporary failure in name resolution', token);
    const portNumber = whole === undefined && port !== undefined ? Number(port) : undefined;
    if (address !== undefined) familyTest(address.family);
    const shown = address === undefined ? '' : portNumber === undefined || address.family === 4 ? address.text : `[${address.text}]`;
    while (reader.is('random') || reader.is('fully-random') || reader.is('persistent')) reader.take();
    emit({ kind, ...(address === undefined ? {} : { address }), ...(portNumber === undefined ? {} : { port: portNumber }) });
    pieces.push(
      `${kind} ${table.family === 'inet' && address !== undefined ? (label === '' ? (address.family === 4 ? 'ip ' : 'ip6 ') : label) : ''}to ${shown}${portNumber === undefined ? '' : `:${portNumber}`}`,
    );
    isOver = true;
  }

  function redirect(): void {
    reader.take();
    let port: number | undefined;
    if (reader.skip('to')) port = Number(reader.take().text.replace(/^:/, ''));
    emit(port === undefined ? { kind: 'redirect' } : { kind: 'redirect', port });
    pieces.push(`redirect${port === undefined ? '' : ` to :${port}`}`);
    isOver = true;
  }

  function reject(): void {
    reader.take();
    let text = 'reject';
    if (!reader.skip('with')) {
      const only6 = table.family === 'ip6' || tests.some((test) => test.kind === 'family' && test.family === 6);
      const only4 = table.family === 'inet' && tests.some((test) => test.kind === 'family' && test.family === 4);
      if (table.family === 'inet' && only6) text += ' with icmpv6 port-unreachable';
      else if (only4) text += ' with icmp port-unreachable';
      emit({ kind: 'reject' });
    } else if (reader.skip('tcp')) {
      reader.expect('reset');
      emit({ kind: 'reject', with: 'tcp-reset' });
      text += ' with tcp reset';
    } else {
      const token = reader.take();
      reader.skip('type');
      const kind = reader.take();
      if (token.text === 'icmpx') {
        if (!['port-unreachable', 'admin-prohibited', 'no-route', 'host-unreachable'].includes(kind.text))
          throw new NftError(`syntax error, unexpected ${kind.text}`, kind);
        if (kind.text !== 'port-unreachable') throw notSimulated(`reject with icmpx ${kind.text}`);
        emit({ kind: 'reject' });
      } else {
        const found = (token.text === 'icmp' ? rejectWith4 : token.text === 'icmpv6' ? rejectWith6 : {})[kind.text];
        if (found === undefined) throw new NftError(`syntax error, unexpected ${kind.text}`, kind);
        familyTest(token.text === 'icmp' ? 4 : 6);
        emit({ kind: 'reject', with: found });
        if (kind.text !== 'port-unreachable' || table.family === 'inet') text += ` with ${token.text} ${kind.text}`;
      }
    }
    pieces.push(text);
    isOver = true;
  }

  function readSelector(source: Reader, of: NftTable, onFamily: (family: 4 | 6) => void): Selector {
    let token = source.take();
    let prefix = '';
    if (token.text === 'meta') {
      token = source.take();
      prefix = 'meta ';
    }
    const word = token.text;
    switch (word) {
      case 'ip':
      case 'ip6': {
        const field = source.take();
        const family = word === 'ip' ? 4 : 6;
        onFamily(family);
        if (field.text === 'saddr' || field.text === 'daddr')
          return addresses(`${word} ${field.text}`, field.text === 'saddr' ? 'source' : 'destination', family);
        if (field.text === 'protocol' || field.text === 'nexthdr') return protocol(`${word} ${field.text}`);
        if (field.text === 'ttl' || field.text === 'hoplimit') return ttl(`${word} ${field.text}`);
        if (['dscp', 'id', 'length', 'frag-off', 'version', 'ecn', 'flowlabel', 'checksum', 'hdrlength'].includes(field.text))
          throw notSimulated(`${word} ${field.text}`);
        throw new NftError(`syntax error, unexpected ${field.text}`, field);
      }
      case 'l4proto':
        return protocol('meta l4proto');
      case 'nfproto':
        return nfproto();
      case 'iif':
      case 'oif':
      case 'iifname':
      case 'oifname':
        return device(word);
      case 'tcp':
      case 'udp':
      case 'th':
      case 'sctp': {
        const field = source.take();
        if (word === 'tcp' && field.text === 'flags') return tcpFlags();
        if (word === 'tcp' && field.text === 'option') return maxseg(source);
        if (field.text !== 'sport' && field.text !== 'dport') throw new NftError(`syntax error, unexpected ${field.text}`, field);
        return ports(`${word} ${field.text}`, field.text === 'sport' ? 'source' : 'destination', word);
      }
      case 'icmp':
      case 'icmpv6': {
        const field = source.take();
        if (field.text !== 'type') throw notSimulated(`${word} ${field.text}`);
        return icmp(word);
      }
      case 'ct': {
        const field = source.take();
        if (field.text === 'state') return connection();
        if (field.text === 'status') return status();
        throw notSimulated(`ct ${field.text}`);
      }
      case 'mark':
        return mark(source);
      case 'fib': {
        const words = [source.take().text, source.take().text];
        if (words.join(' ') !== 'daddr type' && words.join(' ') !== 'saddr type') throw notSimulated(`fib ${words.join(' ')}`);
        return local(`fib ${words.join(' ')}`, words[0] === 'daddr' ? 'destination' : 'source');
      }
      case 'ether':
      case 'arp':
      case 'vlan':
      case 'rt':
      case 'socket':
      case 'osf':
      case 'numgen':
      case 'jhash':
      case 'hash':
      case 'exthdr':
      case 'ipsec':
        throw notSimulated(`${word} matches`);
      default:
        if (prefix !== '') throw notSimulated(`meta ${word}`);
        if (of.name === '' || /^[A-Za-z]/.test(word)) {
          if (source.isAtStatementEnd) throw source.unexpected();
        }
        throw new NftError(`syntax error, unexpected ${word === '\n' ? 'newline' : word}`, token);
    }
  }

  function plain(read: (token: Token) => { readonly text: string; readonly order: bigint }): Selector['value'] {
    return (source) => {
      const token = source.take();
      return { ...read(token), token };
    };
  }

  function bad(token: Token): never {
    throw new NftError(`syntax error, unexpected ${token.text === '\n' ? 'newline' : token.text}`, token);
  }

  function addresses(text: string, side: 'source' | 'destination', family: 4 | 6): Selector {
    return {
      text,
      value: plain((token) => {
        const [low, high] = token.text.split('-').map((each) => parseIp(each));
        if (high !== undefined && low !== undefined) return { text: token.text, order: low.value };
        const prefix = parsePrefix(token.text);
        if (prefix === undefined || prefix.family !== family)
          throw new NftError('Could not resolve hostname: Temporary failure in name resolution', token);
        const isWhole = prefix.length === (family === 4 ? 32 : 128);
        return { text: isWhole ? prefix.address.text : prefix.text, order: prefix.address.value };
      }),
      apply(_, into, values, isInverted) {
        const inverted = isInverted ? { inverted: true } : {};
        const ranges = values.filter((value) => value.text.includes('-'));
        if (ranges.length > 0 && values.length > 1) throw notSimulated('a set of addresses with a range in it');
        if (ranges[0] !== undefined) {
          const [low, high] = ranges[0].text.split('-').map((each) => parseIp(each));
          if (low !== undefined && high !== undefined) into.push({ kind: 'range', side, low, high, ...inverted });
          return;
        }
        into.push({ kind: 'address', side, prefixes: values.flatMap((value) => parsePrefix(value.text) ?? []), ...inverted });
      },
    };
  }

  function protocol(text: string): Selector {
    return {
      text,
      value: plain((token) => {
        const found = protocols[token.text] ?? (token.text === 'ipv6-icmp' ? 'icmpv6' : undefined);
        if (found === undefined) bad(token);
        const order = { icmp: 1n, tcp: 6n, udp: 17n, gre: 47n, esp: 50n, icmpv6: 58n, sctp: 132n }[found] ?? 0n;
        return { text: found === 'icmpv6' ? 'ipv6-icmp' : found, order };
      }),
      apply: (_, into, values, isInverted) =>
        void into.push({
          kind: 'protocol',
          names: values.map((value) => protocols[value.text] ?? value.text),
          ...(isInverted ? { inverted: true } : {}),
        }),
    };
  }

  function ttl(text: string): Selector {
    return {
      text,
      value: plain((token) => (/^\d+$/.test(token.text) ? { text: token.text, order: BigInt(token.text) } : bad(token))),
      apply: (_, into, values, isInverted) =>
        void into.push({
          kind: 'ttl',
          low: Number(values[0]?.text),
          high: Number(values[0]?.text),
          ...(isInverted ? { inverted: true } : {}),
        }),
    };
  }

  function nfproto(): Selector {
    return {
      text: 'meta nfproto',
      value: plain((token) => (token.text === 'ipv4' || token.text === 'ipv6' ? { text: token.text, order: 0n } : bad(token))),
      apply: (_, into, values, isInverted) =>
        void into.push({ kind: 'family', family: values[0]?.text === 'ipv4' ? 4 : 6, ...(isInverted ? { inverted: true } : {}) }),
    };
  }

  function device(word: string): Selector {
    let position = 0n;
    return {
      text: word,
      value: plain((token) => ({ text: `"${token.text}"`, order: position++ })),
      apply: (_, into, values, isInverted) =>
        void into.push({
          kind: 'device',
          side: word.startsWith('i') ? 'input' : 'output',
          names: values.map((value) => value.text.slice(1, -1)),
          ...(isInverted ? { inverted: true } : {}),
        }),
    };
  }

  function ports(text: string, side: 'source' | 'destination', of: string): Selector {
    return {
      text,
      value: plain((token) => {
        const [low = '', high] = (services[token.text] === undefined ? token.text : String(services[token.text])).split('-');
        if (!/^\d+$/.test(low) || (high !== undefined && !/^\d+$/.test(high))) bad(token);
        return { text: high === undefined ? low : `${low}-${high}`, order: BigInt(low) };
      }),
      apply(_, into, values, isInverted) {
        if (of !== 'th') into.push({ kind: 'protocol', names: [of] });
        const ranges = values.map((value) => {
          const [low = 0, high = low] = value.text.split('-').map(Number);
          return { low, high };
        });
        into.push({ kind: 'ports', side, ranges, ...(isInverted ? { inverted: true } : {}) });
      },
    };
  }

  function tcpFlags(): Selector {
    const bitOf = (name: string): number => tcpFlagBits[name.toUpperCase() as keyof typeof tcpFlagBits] ?? 0;
    if (reader.is('&')) throw notSimulated('tcp flags with a mask');
    return {
      text: 'tcp flags',
      value: plain((token) => (bitOf(token.text) === 0 ? bad(token) : { text: token.text, order: BigInt(bitOf(token.text)) })),
      apply(_, into, values, isInverted) {
        if (values.length > 1) throw notSimulated('several tcp flags');
        const bit = bitOf(values[0]?.text ?? '');
        into.push({ kind: 'tcp-flags', mask: bit, set: bit, ...(isInverted ? { inverted: true } : {}) });
      },
    };
  }

  /** `tcp option maxseg size set rt mtu`: a statement that begins like a match. */
  function maxseg(source: Reader): Selector {
    for (const word of ['maxseg', 'size', 'set']) source.expect(word);
    return {
      text: 'tcp option maxseg size set',
      value(from) {
        const token = from.take();
        if (token.text === 'rt') {
          from.expect('mtu');
          return { text: 'rt mtu', order: 0n, token };
        }
        return { text: token.text, order: 0n, token };
      },
      apply: (_, _tests, values) =>
        void emit(values[0]?.text === 'rt mtu' ? { kind: 'mss' } : { kind: 'mss', size: Number(values[0]?.text) }),
    };
  }

  function icmp(word: 'icmp' | 'icmpv6'): Selector {
    const names = word === 'icmp' ? icmpTypes : icmp6Types;
    return {
      text: `${word} type`,
      value: plain((token) => {
        const number = names[token.text] ?? (/^\d+$/.test(token.text) ? Number(token.text) : bad(token));
        return { text: Object.entries(names).find(([, value]) => value === number)?.[0] ?? String(number), order: BigInt(number) };
      }),
      apply(_, into, values, isInverted) {
        into.push({ kind: 'family', family: word === 'icmp' ? 4 : 6 });
        into.push({
          kind: 'icmp-type',
          types: values.map((value) => names[value.text] ?? Number(value.text)),
          ...(isInverted ? { inverted: true } : {}),
        });
      },
    };
  }

  function connection(): Selector {
    return {
      text: 'ct state',
      value: plain((token) => {
        const position = states.indexOf(token.text as (typeof states)[number]);
        return position < 0 ? bad(token) : { text: token.text, order: BigInt(position) };
      }),
      apply(into, _, values, isInverted) {
        const named = values.map((value) => value.text as (typeof states)[number]);
        into.connectionState = isInverted ? states.filter((state) => !named.includes(state)) : named;
      },
    };
  }

  function status(): Selector {
    return {
      text: 'ct status',
      value: plain((token) => {
        if (token.text !== 'dnat') throw notSimulated(`ct status ${token.text}`);
        return { text: 'dnat', order: 0n };
      }),
      apply(into, _, _values, isInverted) {
        if (isInverted) throw notSimulated('ct status != dnat');
        into.connectionState = ['dnat'];
      },
    };
  }

  function mark(source: Reader): Selector {
    const isSet = source.skip('set');
    let mask = 0xffffffff;
    let maskText = '';
    const wide = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
    if (!isSet && (source.skip('and') || source.skip('&'))) {
      mask = Number(source.take().text);
      maskText = ` & ${wide(mask)}`;
    }
    return {
      text: `meta mark${isSet ? ' set' : ''}${maskText}`,
      value: plain((token) => {
        const value = Number(token.text);
        return Number.isNaN(value) ? bad(token) : { text: wide(value), order: BigInt(value) };
      }),
      apply(_, into, values, isInverted) {
        const numbers = values.map((value) => Number(value.text));
        if (isSet) emit({ kind: 'mark', value: numbers[0] ?? 0 });
        else into.push({ kind: 'mark', values: numbers, mask, ...(isInverted ? { inverted: true } : {}) });
      },
    };
  }

  function local(text: string, side: 'source' | 'destination'): Selector {
    return {
      text,
      value: plain((token) => {
        if (token.text !== 'local') throw notSimulated(`${text} ${token.text}`);
        return { text: 'local', order: 0n };
      }),
      apply(into, _, _values, isInverted) {
        if (isInverted) throw notSimulated(`${text} != local`);
        into.localAddress = side;
      },
    };
  }
}
