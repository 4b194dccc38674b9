import { resolvePath } from '../../docker/file-system.ts';
import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { Program } from './evaluate.ts';
import { FilterSyntaxError } from './syntax.ts';
import { isTrue, JqError, type Json, type Layout, text } from './values.ts';

interface Options {
  filter: string | undefined;
  readonly files: string[];
  readonly flags: Set<string>;
  readonly named: Map<string, Json>;
  readonly positional: Json[];
  indent: string;
}

const longFlags: Readonly<Record<string, string>> = {
  'null-input': 'n',
  'raw-input': 'R',
  slurp: 's',
  'compact-output': 'c',
  'raw-output': 'r',
  'join-output': 'j',
  'ascii-output': 'a',
  'sort-keys': 'S',
  'exit-status': 'e',
  'color-output': 'C',
  'monochrome-output': 'M',
  tab: 't',
  help: 'h',
  version: 'V',
  'raw-output0': '0',
};

class UsageError extends Error {}
class InputError extends Error {}

/** `jq`, as Debian and Ubuntu ship it (1.7): its command line (manual, "Invoking jq"), its exit codes and its complaints. */
export const jq: Command = (args, context): CommandResult => {
  let stdout = '';
  let stderr = '';
  let exitCode = 0;
  let source = '';
  try {
    const options = optionsOf(args, context);
    if (options.flags.has('V')) return { stdout: 'jq-1.7.1\n', stderr: '', exitCode: 0 };
    if (options.filter === undefined) return { stdout: '', stderr: 'Usage:\tjq [OPTIONS] FILTER [FILES...]\n', exitCode: 2 };
    source = options.flags.has('f') ? fileOf(options.filter, context) : options.filter;
    const read = reader(options, context, (line) => {
      stderr += line;
      exitCode = 2;
    });
    const program = new Program(source, {
      variables: new Map<string, Json>([
        ...options.named,
        ['ENV', Object.fromEntries(context.env)],
        ['__prog_args', []],
        ['ARGS', { positional: options.positional, named: Object.fromEntries(options.named) }],
      ]),
      now: () => context.clock.now() / 1000,
      next: read.next,
      debug: (line) => {
        stderr += `${line}\n`;
      },
    });
    const print = printer(options);
    let last: Json | undefined;
    const play = (input: Json): void => {
      try {
        for (const value of program.results(input)) {
          stdout += print(value);
          last = value;
        }
      } catch (error) {
        if (!(error instanceof JqError)) throw error;
        stderr += `jq: error (at ${read.place()}): ${error.message}\n`;
        exitCode = 5;
      }
    };
    if (options.flags.has('n')) play(null);
    else for (let input = read.next(); input !== undefined; input = read.next()) play(input);
    if (exitCode === 0 && options.flags.has('e')) exitCode = last === undefined ? 4 : isTrue(last) ? 0 : 1;
  } catch (error) {
    if (error instanceof InputError) return { stdout, stderr: `${stderr}jq: error (at <stdin>:0): ${error.message}\n`, exitCode: 2 };
    if (error instanceof UsageError)
      return {
        stdout: '',
        stderr: `jq: error: ${error.message}\nUse jq --help for help with command-line options,\nor see the jq manpage, or online docs  at https://jqlang.github.io/jq\n`,
        exitCode: 2,
      };
    if (!(error instanceof FilterSyntaxError)) throw error;
    const shell = error.message.startsWith('syntax error') ? ' (Unix shell quoting issues?)' : '';
    return {
      stdout: '',
      stderr: `jq: error: ${error.message}${shell} at <top-level>, line 1:\n${source}\njq: 1 compile error\n`,
      exitCode: 3,
    };
  }
  return { stdout, stderr, exitCode };
};

function fileOf(path: string, context: CommandContext): string {
  const found = context.files.read(resolvePath(context.cwd, path));
  if (found === undefined) throw new UsageError(`Could not open ${path}: No such file or directory`);
  return found;
}

function optionsOf(args: readonly string[], context: CommandContext): Options {
  const options: Options = { filter: undefined, files: [], flags: new Set(), named: new Map(), positional: [], indent: '  ' };
  let rest: 'files' | 'args' | 'jsonargs' = 'files';
  let isLiteral = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    const value = (): string => {
      const next = args[++at];
      if (next === undefined) throw new UsageError(`${arg} takes one parameter (e.g. ${arg} value)`);
      return next;
    };
    if (isLiteral || !arg.startsWith('-') || arg === '-') {
      if (options.filter === undefined) options.filter = arg;
      else if (rest === 'files') options.files.push(arg);
      else options.positional.push(rest === 'args' ? arg : parsed(arg, '--jsonargs'));
    } else if (arg === '--') isLiteral = true;
    else if (!arg.startsWith('--')) {
      for (const letter of arg.slice(1)) {
        if (letter === 'L') value();
        else if (!'nRscrjaSeCMfhV'.includes(letter)) throw new UsageError(`Unknown arguments`);
        else options.flags.add(letter);
      }
    } else longOption(arg.slice(2), value, options, context, (next) => (rest = next));
  }
  if (options.flags.has('t')) options.indent = '\t';
  if (options.flags.has('c')) options.indent = '';
  return options;
}

function longOption(
  name: string,
  value: () => string,
  options: Options,
  context: CommandContext,
  follow: (rest: 'args' | 'jsonargs') => void,
): void {
  const flag = longFlags[name];
  switch (name) {
    case 'arg':
      options.named.set(value(), value());
      return;
    case 'argjson': {
      const variable = value();
      options.named.set(variable, parsed(value(), '--argjson'));
      return;
    }
    case 'rawfile':
    case 'slurpfile': {
      const variable = value();
      const content = fileOf(value(), context);
      options.named.set(variable, name === 'rawfile' ? content : [...documents(content)]);
      return;
    }
    case 'args':
    case 'jsonargs':
      follow(name);
      return;
    case 'indent':
      options.indent = ' '.repeat(Math.min(7, Number(value())));
      return;
    case 'from-file':
      options.flags.add('f');
      return;
    case 'unbuffered':
      return;
    default:
      if (['stream', 'stream-errors', 'seq', 'raw-output0'].includes(name)) throw new UsageError(`not simulated: --${name}`);
      if (flag === undefined) throw new UsageError('Unknown arguments');
      options.flags.add(flag);
  }
}

function parsed(source: string, option: string): Json {
  try {
    return JSON.parse(source) as Json;
  } catch {
    throw new UsageError(`Invalid JSON text passed to ${option}`);
  }
}

function printer({ flags, indent }: Options): (value: Json) => string {
  const layout: Layout = { indent, sortKeys: flags.has('S'), ascii: flags.has('a') };
  const isRaw = flags.has('r') || flags.has('j');
  return (value) => `${isRaw && typeof value === 'string' ? value : text(value, layout)}${flags.has('j') ? '' : '\n'}`;
}

interface Reader {
  next(): Json | undefined;
  /** Where it has got to, for messages. */
  place(): string;
}

function reader({ files, flags }: Options, context: CommandContext, complain: (line: string) => void): Reader {
  let content = '';
  let isRead = false;
  let current: Iterator<Json> | undefined;
  const load = (): Iterator<Json> => {
    isRead = true;
    if (files.length === 0) content = context.stdin;
    for (const path of files) {
      const found = context.files.read(resolvePath(context.cwd, path));
      if (found === undefined) complain(`jq: error: Could not open file ${path}: No such file or directory\n`);
      else content += found;
    }
    if (flags.has('R'))
      return (
        flags.has('s')
          ? [content]
          : content
              .replace(/\n$/, '')
              .split('\n')
              .slice(content === '' ? 1 : 0)
      )[Symbol.iterator]();
    return flags.has('s') ? [[...documents(content)]][Symbol.iterator]() : documents(content);
  };
  return {
    next() {
      current ??= load();
      try {
        const step = current.next();
        return step.done === true ? undefined : step.value;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        complain(`jq: parse error: ${error.message}\n`);
        return undefined;
      }
    },
    place: () => (isRead ? `<stdin>:${content.split('\n').length - 1}` : '<unknown>'),
  };
}

/** The JSON texts of an input, one after the other. */
function* documents(source: string): Generator<Json> {
  const start = /\s*/y;
  let at = 0;
  for (;;) {
    start.lastIndex = at;
    start.exec(source);
    at = start.lastIndex;
    if (at >= source.length) return;
    const end = endOf(source, at);
    try {
      yield JSON.parse(source.slice(at, end)) as Json;
    } catch {
      throw new InputError(`Invalid numeric literal at ${position(source, end)}`);
    }
    at = end;
  }
}

function position(source: string, at: number): string {
  const lines = source.slice(0, at + 1).split('\n');
  return `${at >= source.length ? 'EOF at ' : ''}line ${lines.length}, column ${lines.at(-1)?.length ?? 0}`;
}

function endOf(source: string, from: number): number {
  const first = source[from] as string;
  if (!'{["'.includes(first)) {
    const word = /[^\s{}[\],:"]+|./y;
    word.lastIndex = from;
    word.exec(source);
    return word.lastIndex;
  }
  let depth = 0;
  for (let at = from; at < source.length; at++) {
    const letter = source[at] as string;
    if (letter === '"') {
      const string = /"(?:[^"\\]|\\.)*"/sy;
      string.lastIndex = at;
      if (string.exec(source) === null) throw new InputError(`Unfinished string at ${position(source, source.length)}`);
      at = string.lastIndex - 1;
    } else if (letter === '{' || letter === '[') depth++;
    else if (letter === '}' || letter === ']') depth--;
    if (depth === 0) return at + 1;
  }
  throw new InputError(`Unfinished JSON term at ${position(source, source.length)}`);
}
