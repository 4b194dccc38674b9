import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { failure } from './result.ts';

interface Options {
  readonly command: readonly string[];
  readonly each: number | undefined;
  readonly lines: number | undefined;
  readonly replace: string | undefined;
  readonly separator: string | undefined;
  readonly skipsEmpty: boolean;
  readonly isTraced: boolean;
}

const withValue = 'nILPds';

/** xargs(1) of findutils: one process after the other, also with -P. */
export const xargs: Command = async (args, context) => {
  const options = optionsOf(args);
  if (typeof options === 'string') return failure(options);
  let stdout = '';
  let stderr = '';
  let exitCode = 0;
  for (const argv of batches(context.stdin, options)) {
    if (options.isTraced) stderr += `${argv.join(' ')}\n`;
    const result = await runOne(argv, context);
    stdout += result.stdout;
    stderr += result.stderr;
    if (result.exitCode === 126 || result.exitCode === 127) return { stdout, stderr, exitCode: result.exitCode };
    if (result.exitCode === 255) return { stdout, stderr: `${stderr}xargs: ${argv[0]}: exited with status 255; aborting\n`, exitCode: 124 };
    if (result.exitCode !== 0) exitCode = 123;
  }
  return { stdout, stderr, exitCode };
};

async function runOne(argv: readonly string[], context: CommandContext): Promise<CommandResult> {
  const result = await context.run(argv, { stdin: '' });
  if (result.exitCode !== 127 || !result.stderr.startsWith('OCI runtime')) return result;
  return { stdout: '', stderr: `xargs: ${argv[0]}: No such file or directory\n`, exitCode: 127 };
}

function optionsOf(args: readonly string[]): Options | string {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  const long: Readonly<Record<string, string>> = {
    '--null': '-0',
    '--no-run-if-empty': '-r',
    '--verbose': '-t',
    '--max-args': '-n',
    '--replace': '-I',
    '--delimiter': '-d',
    '--max-procs': '-P',
    '--max-lines': '-L',
  };
  let at = 0;
  for (; at < args.length; at++) {
    let arg = args[at] as string;
    if (arg === '--') {
      at++;
      break;
    }
    if (!arg.startsWith('-') || arg === '-') break;
    if (arg.startsWith('--')) {
      const [name = '', value] = arg.split(/=(.*)/s);
      const short = long[name];
      if (short === undefined) return `xargs: unrecognized option '${arg}'\nTry 'xargs --help' for more information.\n`;
      arg = `${short}${value ?? (short === '-I' ? '{}' : '')}`;
    }
    for (let place = 1; place < arg.length; place++) {
      const letter = arg[place] as string;
      if (withValue.includes(letter)) {
        const value = arg.slice(place + 1) || args[++at];
        if (value === undefined) return `xargs: option requires an argument -- '${letter}'\nTry 'xargs --help' for more information.\n`;
        values.set(letter, value);
        break;
      }
      if (letter === 'i') {
        values.set('I', arg.slice(place + 1) || '{}');
        break;
      }
      if (!'0rtx'.includes(letter)) return `xargs: invalid option -- '${letter}'\nTry 'xargs --help' for more information.\n`;
      flags.add(letter);
    }
  }
  const count = (letter: string): number | undefined => (values.has(letter) ? Number(values.get(letter)) : undefined);
  const command = args.slice(at);
  const given = values.get('d');
  return {
    command: command.length === 0 ? ['echo'] : command,
    each: count('n'),
    lines: count('L'),
    replace: values.get('I'),
    separator: flags.has('0') ? '\0' : given?.replace('\\n', '\n').replace('\\t', '\t').replace('\\0', '\0'),
    skipsEmpty: flags.has('r'),
    isTraced: flags.has('t'),
  };
}

function* batches(input: string, options: Options): Generator<readonly string[]> {
  const { command, replace, separator } = options;
  const byLine = separator ?? '\n';
  const pieces = (): string[] => (input.endsWith(byLine) ? input.slice(0, -1) : input).split(byLine);
  if (replace !== undefined) {
    for (const line of input === '' ? [] : pieces()) {
      const item = separator === undefined ? line.trimStart().replace(/\\(.)|'([^']*)'|"([^"]*)"/g, '$1$2$3') : line;
      if (item !== '') yield command.map((word) => word.replaceAll(replace, item));
    }
    return;
  }
  if (options.lines !== undefined) {
    const lines = pieces().filter((line) => line.trim() !== '');
    for (let at = 0; at < lines.length; at += options.lines) yield [...command, ...lines.slice(at, at + options.lines).flatMap(wordsOf)];
    return;
  }
  const items = separator === undefined ? wordsOf(input) : input === '' ? [] : pieces();
  if (items.length === 0) {
    if (!options.skipsEmpty) yield command;
    return;
  }
  const size = options.each ?? items.length;
  for (let at = 0; at < items.length; at += size) yield [...command, ...items.slice(at, at + size)];
}

/** Blanks separate; quotes and backslashes keep them. */
function wordsOf(input: string): readonly string[] {
  return (input.match(/(?:\\[\s\S]|'[^'\n]*'|"[^"\n]*"|[^\s'"\\])+/g) ?? []).map((word) =>
    word.replace(/\\([\s\S])|'([^']*)'|"([^"]*)"/g, '$1$2$3'),
  );
}
