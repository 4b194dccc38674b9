import type { CommandFailure } from './result.ts';

/** Options as getopt(3) reads them: combined letters, values joined or apart. */
export interface ParsedOptions {
  /** Letter or long name → values in the order given; an option without value has ''. */
  readonly options: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

/**
 * @param spec getopt's letters, `:` after those that take a value; long names likewise (`max-time:`)
 * @param stopAtOperand what follows the first operand belongs to another program (`timeout`)
 * @throws CommandFailure with `unknown` for an option that is not in the list
 */
export function parseOptions(
  args: readonly string[],
  spec: {
    readonly letters: string;
    readonly long?: readonly string[];
    readonly unknown: (option: string) => CommandFailure;
    readonly missing?: (option: string) => CommandFailure;
    readonly stopAtOperand?: boolean;
  },
): ParsedOptions {
  const options = new Map<string, string[]>();
  const operands: string[] = [];
  const put = (name: string, value: string): void => {
    const known = options.get(name);
    if (known === undefined) options.set(name, [value]);
    else known.push(value);
  };
  const missing = spec.missing ?? spec.unknown;
  for (let index = 0; index < args.length; index++) {
    const word = args[index] as string;
    if (word === '--') {
      operands.push(...args.slice(index + 1));
      break;
    }
    if (word.startsWith('--')) {
      const [name = '', value] = splitOnce(word.slice(2), '=');
      const found = (spec.long ?? []).find((long) => long.replace(/:$/, '') === name && (value === undefined || long.endsWith(':')));
      if (found === undefined) throw spec.unknown(word);
      if (!found.endsWith(':')) put(name, '');
      else if (value !== undefined) put(name, value);
      else {
        const next = args[++index];
        if (next === undefined) throw missing(word);
        put(name, next);
      }
    } else if (word.startsWith('-') && word.length > 1) {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at] as string;
        const position = letter === ':' ? -1 : spec.letters.indexOf(letter);
        if (position < 0) throw spec.unknown(`-${letter}`);
        if (spec.letters[position + 1] !== ':') {
          put(letter, '');
          continue;
        }
        const rest = word.slice(at + 1);
        const value = rest !== '' ? rest : args[++index];
        if (value === undefined) throw missing(`-${letter}`);
        put(letter, value);
        break;
      }
    } else {
      operands.push(word);
      if (spec.stopAtOperand === true) {
        operands.push(...args.slice(index + 1));
        break;
      }
    }
  }
  return { options, operands };
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

export function lastOf(parsed: ParsedOptions, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const values = parsed.options.get(name);
    if (values !== undefined) return values[values.length - 1];
  }
  return undefined;
}
