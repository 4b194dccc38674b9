import { parseIp, parsePrefix } from '../net/address.ts';

/**
 * FRR's command language, as far as it is used here. A pattern is a list of tokens: `word` (may be abbreviated),
 * `a|b` (either, reported under its own name), `NAME:kind` (an argument), `[…]` (may be left out), `{…}` (may be
 * left out after `no` only).
 */
export type ArgumentKind = 'ip' | 'ip4' | 'ip6' | 'prefix4' | 'prefix6' | 'prefix' | 'num' | 'asn' | 'word' | 'peer' | 'line';

type Token =
  | { readonly kind: 'literal'; readonly words: readonly string[] }
  | { readonly kind: 'argument'; readonly name: string; readonly type: ArgumentKind };

export interface Arguments {
  readonly isNo: boolean;
  /** Arguments by name, and each `a|b` by the whole alternative that stood there. */
  readonly values: ReadonlyMap<string, string>;
  /** Literals that stood on the line, in full. */
  readonly words: readonly string[];
  /** Arguments alone, as they were typed. */
  get(name: string): string | undefined;
  has(word: string): boolean;
}

export interface CommandDefinition<C> {
  readonly pattern: string;
  /** May be negated. */
  readonly canNo?: boolean;
  run(context: C, args: Arguments): unknown;
}

interface Variant {
  readonly tokens: readonly Token[];
  readonly isNo: boolean;
}

interface Compiled<C> {
  readonly definition: CommandDefinition<C>;
  readonly variants: readonly Variant[];
}

export type MatchResult<C> =
  | { readonly kind: 'match'; readonly definition: CommandDefinition<C>; readonly args: Arguments }
  | { readonly kind: 'none' | 'ambiguous' | 'incomplete' };

const argumentPattern = /^([A-Za-z]+):(ip4|ip6|ip|prefix4|prefix6|prefix|num|asn|word|peer|line)$/;

function token(text: string): Token {
  const argument = argumentPattern.exec(text);
  if (argument !== null) return { kind: 'argument', name: argument[1] as string, type: argument[2] as ArgumentKind };
  return { kind: 'literal', words: text.split('|') };
}

/** All the ways to read a pattern: each optional part present or not. */
function expand(pattern: string, isNo: boolean): (readonly Token[])[] {
  const words = pattern.split(' ').filter((word) => word !== '');
  let position = 0;
  const readSequence = (closing: string | undefined): Token[][] => {
    let results: Token[][] = [[]];
    while (position < words.length) {
      let word = words[position] as string;
      if (word === closing) {
        position++;
        return results;
      }
      position++;
      if (word === '[' || word === '{') {
        const close = word === '[' ? ']' : '}';
        const inner = readSequence(close);
        const isOptional = word === '[' || isNo;
        const options = isOptional ? [[], ...inner] : inner;
        results = results.flatMap((left) => options.map((right) => [...left, ...right]));
        continue;
      }
      word = word.trim();
      const next = token(word);
      results = results.map((left) => [...left, next]);
    }
    return results;
  };
  return readSequence(undefined);
}

const score = { exact: 4, abbreviated: 3, typed: 2, word: 1, line: 0 } as const;

function matchesType(text: string, type: ArgumentKind): boolean {
  switch (type) {
    case 'ip':
      return parseIp(text) !== undefined;
    case 'ip4':
      return parseIp(text)?.family === 4;
    case 'ip6':
      return parseIp(text)?.family === 6;
    case 'prefix':
      return text.includes('/') && parsePrefix(text) !== undefined;
    case 'prefix4':
      return text.includes('/') && parsePrefix(text)?.family === 4;
    case 'prefix6':
      return text.includes('/') && parsePrefix(text)?.family === 6;
    case 'num':
    case 'asn':
      return /^\d+$/.test(text);
    case 'word':
    case 'peer':
    case 'line':
      return true;
  }
}

interface Candidate<C> {
  readonly compiled: Compiled<C>;
  readonly variant: Variant;
  readonly scores: readonly number[];
  readonly values: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

function compile<C>(definition: CommandDefinition<C>): Compiled<C> {
  const positive = expand(definition.pattern, false).map((tokens) => ({ tokens, isNo: false }));
  const negative = definition.canNo === true ? expand(definition.pattern, true).map((tokens) => ({ tokens, isNo: true })) : [];
  return { definition, variants: [...positive, ...negative] };
}

export class Grammar<C> {
  readonly #definitions: readonly CommandDefinition<C>[];
  /** Patterns are taken apart when a line first begins like them: most are never used in a run. */
  readonly #compiled = new Map<CommandDefinition<C>, Compiled<C>>();

  constructor(definitions: readonly CommandDefinition<C>[]) {
    this.#definitions = definitions;
  }

  /** The commands whose first word, always a literal, a line's first word may stand for. */
  *#startingWith(word: string): Generator<Compiled<C>> {
    for (const definition of this.#definitions) {
      if (!definition.pattern.startsWith(word)) continue;
      let compiled = this.#compiled.get(definition);
      if (compiled === undefined) {
        compiled = compile(definition);
        this.#compiled.set(definition, compiled);
      }
      yield compiled;
    }
  }

  match(line: string): MatchResult<C> {
    const typed = line.trim().split(/\s+/);
    const isNo = typed[0] === 'no';
    const words = isNo ? typed.slice(1) : typed;
    const candidates: Candidate<C>[] = [];
    let isIncomplete = false;
    for (const compiled of this.#startingWith(words[0] ?? '')) {
      let best: Candidate<C> | undefined;
      for (const variant of compiled.variants) {
        if (variant.isNo !== isNo) continue;
        const outcome = this.#try(compiled, variant, words, line);
        if (outcome === 'incomplete') isIncomplete = true;
        else if (outcome !== undefined && (best === undefined || compareScores(outcome.scores, best.scores) > 0)) best = outcome;
      }
      if (best !== undefined) candidates.push(best);
    }
    let best: Candidate<C> | undefined;
    let isTie = false;
    for (const candidate of candidates) {
      const order = best === undefined ? 1 : compareScores(candidate.scores, best.scores);
      if (order > 0) {
        best = candidate;
        isTie = false;
      } else if (order === 0) isTie = true;
    }
    if (best === undefined) return { kind: isIncomplete ? 'incomplete' : 'none' };
    if (isTie && best.scores.includes(score.abbreviated)) return { kind: 'ambiguous' };
    const { values, words: literals } = best;
    const args: Arguments = { isNo, values, words: literals, get: (name) => values.get(name), has: (word) => literals.includes(word) };
    return { kind: 'match', definition: best.compiled.definition, args };
  }

  #try(compiled: Compiled<C>, variant: Variant, words: readonly string[], line: string): Candidate<C> | 'incomplete' | undefined {
    const scores: number[] = [];
    const values = new Map<string, string>();
    const literals: string[] = [];
    let at = 0;
    for (const expected of variant.tokens) {
      const word = words[at];
      if (word === undefined) return 'incomplete';
      if (expected.kind === 'argument') {
        if (expected.type === 'line') {
          values.set(expected.name, restOf(line, at + (variant.isNo ? 1 : 0)));
          scores.push(score.line);
          return { compiled, variant, scores, values, words: literals };
        }
        if (!matchesType(word, expected.type)) return undefined;
        values.set(expected.name, word);
        scores.push(expected.type === 'word' || expected.type === 'peer' ? score.word : score.typed);
      } else {
        const exact = expected.words.find((each) => each === word);
        const full = exact ?? expected.words.filter((each) => each.startsWith(word))[0];
        if (full === undefined) return undefined;
        scores.push(exact === undefined ? score.abbreviated : score.exact);
        literals.push(full);
        values.set(expected.words.join('|'), full);
      }
      at++;
    }
    return at === words.length ? { compiled, variant, scores, values, words: literals } : undefined;
  }
}

/** What stands on a line after its first `count` words, blanks inside kept. */
function restOf(line: string, count: number): string {
  let rest = line.trim();
  for (let index = 0; index < count; index++) rest = rest.replace(/^\S+\s+/, '');
  return rest;
}

function compareScores(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
