import { KubectlError, PlainError } from './errors.ts';
import { commandFlags, type FlagSpec, flagSpecs, globalFlags } from './flag-table.ts';

/** A command line after parsing: what was set, and the arguments. */
export class Flags {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #values: ReadonlyMap<string, readonly string[]>;
  readonly args: readonly string[];
  /** How many arguments came before `--`; -1 without one. */
  readonly argsBeforeDash: number;

  constructor(
    specs: ReadonlyMap<string, FlagSpec>,
    values: ReadonlyMap<string, readonly string[]>,
    args: readonly string[],
    argsBeforeDash: number,
  ) {
    this.#specs = specs;
    this.#values = values;
    this.args = args;
    this.argsBeforeDash = argsBeforeDash;
  }

  has(name: string): boolean {
    return this.#specs.has(name);
  }
  isSet(name: string): boolean {
    return this.#values.has(name);
  }
  text(name: string): string {
    return this.#values.get(name)?.at(-1) ?? this.#specs.get(name)?.fallback ?? '';
  }
  is(name: string): boolean {
    return /^(1|t|T|TRUE|true|True)$/.test(this.text(name));
  }
  number(name: string): number {
    return Number(this.text(name));
  }
  list(name: string): readonly string[] {
    const values = this.#values.get(name) ?? [];
    return this.#specs.get(name)?.type === 'array' ? values : values.flatMap((value) => value.split(','));
  }
  /** Milliseconds. */
  duration(name: string): number {
    return parseDuration(this.text(name)) ?? 0;
  }
}

const specCache = new Map<string, ReadonlyMap<string, FlagSpec>>();

function specsOf(command: string): ReadonlyMap<string, FlagSpec> {
  const known = specCache.get(command);
  if (known !== undefined) return known;
  const specs = new Map<string, FlagSpec>();
  for (const spec of [...flagSpecs(globalFlags), ...flagSpecs(commandFlags[command] ?? ''), ...flagSpecs('h:help=false')])
    specs.set(spec.name, spec);
  specCache.set(command, specs);
  return specs;
}

/** Go's time.ParseDuration, in milliseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^([+-])?((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return undefined;
  const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g))
    total += Number(amount) * (units[unit as string] as number);
  return match[1] === '-' ? -total : total;
}

function durationProblem(text: string): string {
  if (/^[+-]?[\d.]+$/.test(text)) return `time: missing unit in duration ${JSON.stringify(text)}`;
  const unit = /^[+-]?[\d.]+([^\d.]+)/.exec(text);
  return unit === null
    ? `time: invalid duration ${JSON.stringify(text)}`
    : `time: unknown unit ${JSON.stringify(unit[1])} in duration ${JSON.stringify(text)}`;
}

/** The command of a line: its words in front of the arguments, e.g. `rollout status`, and the rest. */
export function findCommand(
  argv: readonly string[],
  hasCommand: (words: string) => boolean,
): { readonly words: readonly string[]; readonly rest: readonly string[] } {
  const specs = specsOf('');
  const words: string[] = [];
  const rest: string[] = [];
  let index = 0;
  for (; index < argv.length; index++) {
    const arg = argv[index] as string;
    if (arg === '--') break;
    if (arg.startsWith('-') && arg !== '-') {
      rest.push(arg);
      const spec = arg.startsWith('--') ? specs.get(arg.slice(2)) : [...specs.values()].find((candidate) => candidate.short === arg[1]);
      const takesNext = spec !== undefined && spec.bare === undefined && (arg.startsWith('--') ? !arg.includes('=') : arg.length === 2);
      if (takesNext && index + 1 < argv.length) rest.push(argv[++index] as string);
      continue;
    }
    if (!hasCommand([...words, arg].join(' '))) break;
    words.push(arg);
  }
  return { words, rest: [...rest, ...argv.slice(index)] };
}

/** Parses like pflag: flags and arguments may mix until `--`. */
export function parseFlags(command: string, argv: readonly string[]): Flags {
  const specs = specsOf(command);
  const values = new Map<string, string[]>();
  const args: string[] = [];
  let argsBeforeDash = -1;
  const fail = (message: string): never => {
    throw new PlainError(`error: ${message}\nSee 'kubectl${command === '' ? '' : ` ${command}`} --help' for usage.`);
  };
  const set = (spec: FlagSpec, value: string): void => {
    const shown = spec.short === undefined ? `"--${spec.name}"` : `"-${spec.short}, --${spec.name}"`;
    const problem = valueProblem(spec, value);
    if (problem !== undefined) fail(`invalid argument ${JSON.stringify(value)} for ${shown} flag: ${problem}`);
    const before = values.get(spec.name);
    if (before === undefined) values.set(spec.name, [value]);
    else before.push(value);
  };
  for (let index = 0; index < argv.length; index++) {
    const arg = argv[index] as string;
    if (arg === '--') {
      argsBeforeDash = args.length;
      args.push(...argv.slice(index + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      args.push(arg);
      continue;
    }
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const name = equals === -1 ? arg.slice(2) : arg.slice(2, equals);
      const spec = specs.get(name);
      if (spec === undefined) return fail(`unknown flag: --${name}`);
      if (equals !== -1) set(spec, arg.slice(equals + 1));
      else if (spec.bare !== undefined) set(spec, spec.bare);
      else if (index + 1 < argv.length) set(spec, argv[++index] as string);
      else fail(`flag needs an argument: --${name}`);
      continue;
    }
    for (let letter = 1; letter < arg.length; letter++) {
      const spec = [...specs.values()].find((candidate) => candidate.short === arg[letter]);
      if (spec === undefined) return fail(`unknown shorthand flag: '${arg[letter]}' in ${arg}`);
      if (arg[letter + 1] === '=') {
        set(spec, arg.slice(letter + 2));
        break;
      }
      if (spec.bare !== undefined) {
        set(spec, spec.bare);
        continue;
      }
      if (letter + 1 < arg.length) set(spec, arg.slice(letter + 1));
      else if (index + 1 < argv.length) set(spec, argv[++index] as string);
      else fail(`flag needs an argument: '${arg[letter]}' in ${arg}`);
      break;
    }
  }
  return new Flags(specs, values, args, argsBeforeDash);
}

function valueProblem(spec: FlagSpec, value: string): string | undefined {
  if (spec.type === 'bool' && !/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value))
    return `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  if (spec.type === 'int' && !/^[+-]?\d+$/.test(value)) return `strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`;
  if (spec.type === 'duration' && parseDuration(value) === undefined) return durationProblem(value);
  return undefined;
}

/** `fieldValidation` of the requests that write. */
export function fieldValidationOf(flags: Flags): 'Strict' | 'Warn' | 'Ignore' {
  const value = flags.text('validate');
  if (value === 'strict' || value === 'true' || value === '') return 'Strict';
  if (value === 'warn') return 'Warn';
  if (value === 'ignore' || value === 'false') return 'Ignore';
  throw new KubectlError(`invalid - validate option ${JSON.stringify(value)}; must be one of: strict (or true), warn, ignore (or false)`);
}
