import { parsePrefix } from '../../docker/addresses.ts';
import { contains, parseIp } from '../../net/address.ts';
import type { Ip } from '../../net/types.ts';
import { CommandFailure } from './result.ts';
import { serviceNumber } from './service-names.ts';

/** What a filter of ss(8) sees of a socket; an address that is not bound has no `ip`. */
export interface FilteredSocket {
  readonly state: string;
  readonly local: { readonly ip: Ip | undefined; readonly port: number };
  readonly remote: { readonly ip: Ip | undefined; readonly port: number };
}

type Test = (socket: FilteredSocket) => boolean;

const single: Readonly<Record<string, string>> = {
  established: 'ESTAB',
  'syn-sent': 'SYN-SENT',
  'syn-recv': 'SYN-RECV',
  'fin-wait-1': 'FIN-WAIT-1',
  'fin-wait-2': 'FIN-WAIT-2',
  'time-wait': 'TIME-WAIT',
  unconnected: 'UNCONN',
  closed: 'UNCONN',
  'close-wait': 'CLOSE-WAIT',
  'last-ack': 'LAST-ACK',
  listening: 'LISTEN',
  listen: 'LISTEN',
  closing: 'CLOSING',
};

const all = [...new Set(Object.values(single))];
const without = (...names: readonly string[]): readonly string[] => all.filter((state) => !names.includes(state));

const groups: Readonly<Record<string, readonly string[]>> = {
  all,
  connected: without('LISTEN', 'UNCONN'),
  synchronized: without('LISTEN', 'UNCONN', 'SYN-SENT'),
  bucket: ['SYN-RECV', 'TIME-WAIT'],
  big: without('SYN-RECV', 'TIME-WAIT'),
};

function statesOf(name: string): readonly string[] {
  const states = groups[name] ?? (single[name] === undefined ? undefined : [single[name]]);
  if (states === undefined) throw new CommandFailure(`ss: wrong state name: ${name}\n`, 255);
  return states;
}

export interface SocketFilter {
  readonly states: ReadonlySet<string>;
  readonly passes: Test;
}

/** `[ state S | exclude S ]… [ EXPRESSION ]`; `standard` are the states that the options ask for. */
export function readSocketFilter(words: readonly string[], standard: readonly string[]): SocketFilter {
  let states: Set<string> | undefined;
  let next = 0;
  for (; words[next] === 'state' || words[next] === 'exclude' || words[next] === 'excl'; next += 2) {
    const name = words[next + 1];
    if (name === undefined) throw new CommandFailure('ss: ss requires a state name\n', 255);
    if (words[next] === 'state') states = new Set([...(states ?? []), ...statesOf(name)]);
    else states = new Set([...(states ?? all)].filter((state) => !statesOf(name).includes(state)));
  }
  const expression = words.slice(next).join(' ');
  const passes = expression.trim() === '' ? () => true : new FilterReader(expression).read();
  return { states: states ?? new Set(standard), passes };
}

const operators: Readonly<Record<string, (a: number, b: number) => boolean>> = Object.fromEntries(
  (
    [
      ['= == eq', (a: number, b: number) => a === b],
      ['!= ne neq', (a: number, b: number) => a !== b],
      ['> gt', (a: number, b: number) => a > b],
      ['< lt', (a: number, b: number) => a < b],
      ['>= ge geq', (a: number, b: number) => a >= b],
      ['<= le leq', (a: number, b: number) => a <= b],
    ] as const
  ).flatMap(([names, operator]) => names.split(' ').map((name) => [name, operator] as const)),
);

/** The grammar of misc/ssfilter.y: `and`, `or` and two tests beside each other bind alike, from the left. */
class FilterReader {
  readonly #words: readonly string[];
  #next = 0;

  constructor(expression: string) {
    this.#words = expression.match(/&&|\|\||!=|[<>=]=|[()<>=!&|]|[^\s()<>=!&|]+/g) ?? [];
  }

  read(): Test {
    const test = this.#expression();
    if (this.#next < this.#words.length) throw bellows();
    return test;
  }

  #expression(): Test {
    let test = this.#term();
    for (;;) {
      const word = this.#words[this.#next];
      if (word === undefined || word === ')') return test;
      const isOr = word === 'or' || word === '|' || word === '||';
      if (isOr || word === 'and' || word === '&' || word === '&&') this.#next++;
      const left = test;
      const right = this.#term();
      test = isOr ? (socket) => left(socket) || right(socket) : (socket) => left(socket) && right(socket);
    }
  }

  #term(): Test {
    const word = this.#words[this.#next++];
    if (word === 'not' || word === '!') {
      const test = this.#term();
      return (socket) => !test(socket);
    }
    if (word === '(') {
      const test = this.#expression();
      if (this.#words[this.#next++] !== ')') throw bellows();
      return test;
    }
    if (word === 'sport' || word === 'dport') return this.#port(word);
    if (word === 'src' || word === 'dst') return this.#address(word);
    if (word === 'dev' || word === 'fwmark' || word === 'cgroup' || word === 'autobound')
      throw new CommandFailure(`ss: not simulated: the filter word '${word}'\n`, 1);
    if (word === undefined || operators[word] !== undefined) throw bellows();
    throw badAddress(word);
  }

  #operator(): (a: number, b: number) => boolean {
    const operator = operators[this.#words[this.#next] ?? ''];
    if (operator !== undefined) this.#next++;
    return operator ?? ((a, b) => a === b);
  }

  #value(): string {
    const word = this.#words[this.#next++];
    if (word === undefined) throw bellows();
    return word;
  }

  #port(side: 'sport' | 'dport'): Test {
    const compare = this.#operator();
    const wanted = portOf(this.#value().replace(/^.*:/, ''));
    return ({ local, remote }) => compare((side === 'sport' ? local : remote).port, wanted);
  }

  #address(side: 'src' | 'dst'): Test {
    const compare = this.#operator();
    const text = this.#value();
    const bracketed = /^\[(.*)\](?::(.*))?$/.exec(text);
    const colon = text.lastIndexOf(':');
    const [host, port] = bracketed
      ? [bracketed[1] as string, bracketed[2]]
      : colon < 0
        ? [text, undefined]
        : [text.slice(0, colon), text.slice(colon + 1)];
    const isAny = host === '' || host === '*';
    const prefix = isAny ? undefined : parsePrefix(host.includes('/') ? host : `${host}/${parseIp(host)?.family === 6 ? 128 : 32}`);
    if (!isAny && (prefix === undefined || (prefix.family === 6 && !bracketed))) throw badAddress(host);
    const wanted = port === undefined || port === '*' ? undefined : portOf(port);
    return (socket) => {
      const end = side === 'src' ? socket.local : socket.remote;
      const isSame =
        (prefix === undefined || (end.ip !== undefined && contains(prefix, end.ip))) && (wanted === undefined || end.port === wanted);
      return compare(isSame ? 0 : 1, 0);
    };
  }
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : serviceNumber(text);
  if (port === undefined || port > 65_535)
    throw new CommandFailure(`Error: "${text}" does not look like a port.\nCannot parse dst/src address.\n`, 1);
  return port;
}

function badAddress(text: string): CommandFailure {
  return new CommandFailure(`Error: an inet prefix is expected rather than "${text}".\nCannot parse dst/src address.\n`, 1);
}

function bellows(): CommandFailure {
  return new CommandFailure('ss: bison bellows (while parsing filter): "syntax error!" Sorry.\nUsage: ss [ OPTIONS ]\n', 255);
}
