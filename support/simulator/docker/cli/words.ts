import type { Engine } from '../engine.ts';
import { EngineError } from '../engine-error.ts';
import type { CommandContext, CommandResult, Container } from '../types.ts';

/** A docker command that has ended, with what it printed. */
export class CliExit extends Error {
  readonly result: CommandResult;

  constructor(stderr: string, exitCode = 1, stdout = '') {
    super(stderr);
    this.result = { stdout, stderr, exitCode };
  }
}

export interface CliContext {
  readonly engine: Engine;
  readonly command: CommandContext;
}

export type CliCommand = (args: readonly string[], context: CliContext) => CommandResult | Promise<CommandResult>;

/** Options of one docker command, as pflag reads them: `-it`, `--name x`, `--name=x`, `-nx`. */
export interface OptionSpec {
  /** The command as its usage shows it, e.g. `docker exec`. */
  readonly name: string;
  readonly usage: string;
  /** Long name (with `:` when it takes a value) → short letter or ''. */
  readonly options: Readonly<Record<string, string>>;
  /** Options end at the first operand (`exec`, `run`). */
  readonly stopsAtOperand?: boolean;
  /** At least so many operands. */
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface CliOptions {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
}

function usageTail(spec: OptionSpec): string {
  return `\nUsage:  ${spec.usage}\n\nRun '${spec.name} --help' for more information\n`;
}

/** @throws CliExit 125 for an unknown option, 1 for a wrong number of operands, in the words of CLI 28 */
export function parseCli(args: readonly string[], spec: OptionSpec): CliOptions {
  const byName = new Map<string, boolean>();
  const byLetter = new Map<string, string>();
  for (const [name, letter] of Object.entries(spec.options)) {
    const plain = name.replace(/:$/, '');
    byName.set(plain, name.endsWith(':'));
    if (letter !== '') byLetter.set(letter, plain);
  }
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const put = (name: string, value: string): void => {
    values.set(name, [...(values.get(name) ?? []), value]);
  };
  for (let index = 0; index < args.length; index++) {
    const word = args[index] as string;
    if (word === '--') {
      operands.push(...args.slice(index + 1));
      break;
    }
    if (word === '--help' || (word === '-h' && !byLetter.has('h'))) throw new CliExit('', 0, `Usage:  ${spec.usage}\n`);
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const takesValue = byName.get(name);
      if (takesValue === undefined) throw new CliExit(`unknown flag: --${name}\n${usageTail(spec)}`, 125);
      if (equals >= 0) put(name, word.slice(equals + 1));
      else if (!takesValue) put(name, 'true');
      else {
        const value = args[++index];
        if (value === undefined) throw new CliExit(`flag needs an argument: --${name}\n${usageTail(spec)}`, 125);
        put(name, value);
      }
    } else if (word.startsWith('-') && word.length > 1) {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at] as string;
        const name = byLetter.get(letter);
        if (name === undefined) throw new CliExit(`unknown shorthand flag: '${letter}' in ${word}\n${usageTail(spec)}`, 125);
        if (byName.get(name) !== true) {
          put(name, 'true');
          continue;
        }
        const rest = word.slice(at + 1).replace(/^=/, '');
        const value = rest !== '' ? rest : args[++index];
        if (value === undefined) throw new CliExit(`flag needs an argument: '${letter}' in ${word}\n${usageTail(spec)}`, 125);
        put(name, value);
        break;
      }
    } else {
      operands.push(word);
      if (spec.stopsAtOperand === true) {
        operands.push(...args.slice(index + 1));
        break;
      }
    }
  }
  const { minimum = 0, maximum = Number.POSITIVE_INFINITY } = spec;
  if (operands.length < minimum || operands.length > maximum) {
    const isExact = minimum === maximum;
    const count = operands.length < minimum ? minimum : maximum;
    const wanted =
      maximum === 0
        ? 'accepts no arguments'
        : `requires ${isExact ? '' : operands.length < minimum ? 'at least ' : 'at most '}${count} argument${count === 1 ? '' : 's'}`;
    // CLI 28 says "See" in one of its checks and "Run" in the others
    const verb = !isExact && operands.length < minimum ? 'See' : 'Run';
    throw new CliExit(
      `docker: '${spec.name}' ${wanted}\n\nUsage:  ${spec.usage}\n\n${verb} '${spec.name} --help' for more information\n`,
      1,
    );
  }
  return { values, operands };
}

export function isSet(options: CliOptions, name: string): boolean {
  const value = options.values.get(name)?.at(-1);
  return value !== undefined && value !== 'false';
}

export function optionOf(options: CliOptions, name: string): string | undefined {
  return options.values.get(name)?.at(-1);
}

export function daemonError(error: unknown): string {
  if (error instanceof EngineError) return `Error response from daemon: ${error.message}`;
  throw error;
}

export function findContainer(engine: Engine, reference: string): Container {
  const container = engine.findContainer(reference);
  if (container === undefined) throw new EngineError(404, `No such container: ${reference}`);
  return container;
}

/** Does the same to several objects, as `docker stop A B` does: what fails is reported, the rest goes on. */
export function forEach(names: readonly string[], action: (name: string) => string | undefined): CommandResult {
  let stdout = '';
  let stderr = '';
  for (const name of names) {
    try {
      stdout += `${action(name) ?? name}\n`;
    } catch (error) {
      stderr += `${daemonError(error)}\n`;
    }
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
}
