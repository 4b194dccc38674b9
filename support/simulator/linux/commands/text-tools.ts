import { decodeRaw, encodeRaw } from '../../docker/byte-text.ts';
import { resolvePath } from '../../docker/file-system.ts';
import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { CommandFailure, failure, output, run } from './result.ts';

// Small text tools of coreutils and their kin where just-bash's own leave out what scripts use. Texts as of coreutils 9.1.

interface Input {
  readonly name: string;
  readonly text: string;
}

/** The files that are named, or standard input; what is missing is told, and the rest goes on. */
function inputs(
  tool: string,
  paths: readonly string[],
  context: CommandContext,
): { readonly found: readonly Input[]; readonly stderr: string } {
  const found: Input[] = [];
  let stderr = '';
  for (const path of paths.length === 0 ? ['-'] : paths) {
    const full = resolvePath(context.cwd, path);
    const text = path === '-' ? context.stdin : context.files.read(full);
    if (text !== undefined) found.push({ name: path === '-' ? 'standard input' : path, text });
    else if (context.files.isDirectory(full)) stderr += `${tool}: error reading '${path}': Is a directory\n`;
    else stderr += `${tool}: cannot open '${path}' for reading: No such file or directory\n`;
  }
  return { found, stderr };
}

/** Lines with their newlines. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

const sizes: Readonly<Record<string, number>> = { '': 1, b: 512, k: 1024, K: 1024, kB: 1000, M: 1024 ** 2, MB: 1000 ** 2, G: 1024 ** 3 };

/** head(1): also `-n -N` and `-c -N`, all but the last ones. */
export const head: Command = (args, context) =>
  run(() => {
    let kind: 'lines' | 'bytes' = 'lines';
    let amount = '10';
    let isQuiet = false;
    let isVerbose = false;
    const paths: string[] = [];
    const words = [...args];
    while (words.length > 0) {
      const word = words.shift() as string;
      const long = /^--(lines|bytes)(?:=(.*))?$/.exec(word);
      const short = /^-([nc])(.*)$/s.exec(word);
      if (long !== null || short !== null) {
        kind = long?.[1] === 'bytes' || short?.[1] === 'c' ? 'bytes' : 'lines';
        const value = long === null ? short?.[2] || undefined : long[2];
        amount =
          value ??
          words.shift() ??
          fail(`head: option requires an argument -- '${short?.[1] ?? 'n'}'\nTry 'head --help' for more information.\n`);
      } else if (/^-\d+$/.test(word)) amount = word.slice(1);
      else if (word === '-q' || word === '--quiet' || word === '--silent') isQuiet = true;
      else if (word === '-v' || word === '--verbose') isVerbose = true;
      else if (word === '--') paths.push(...words.splice(0));
      else if (word.startsWith('-') && word !== '-')
        fail(`head: invalid option -- '${word.replace(/^-+/, '').slice(0, 1)}'\nTry 'head --help' for more information.\n`);
      else paths.push(word);
    }
    const [, sign = '', digits = '', unit = ''] = /^([-+]?)(\d+)(\w*)$/.exec(amount) ?? [];
    const factor = sizes[unit];
    if (digits === '' || factor === undefined) fail(`head: invalid number of ${kind}: '${amount.replace(/^-/, '')}'\n`);
    const count = Number(digits) * (factor ?? 1);
    const { found, stderr } = inputs('head', paths, context);
    const texts = found.map(({ name, text }, index) => {
      const parts = kind === 'lines' ? linesOf(text) : encodeRaw(text);
      const part = sign === '-' ? parts.slice(0, Math.max(0, parts.length - count)) : parts.slice(0, count);
      const chosen = part instanceof Uint8Array ? decodeRaw(part) : part.join('');
      const isTitled = isVerbose || (paths.length > 1 && !isQuiet);
      return `${isTitled ? `${index > 0 ? '\n' : ''}==> ${name} <==\n` : ''}${chosen}`;
    });
    return { stdout: texts.join(''), stderr, exitCode: stderr === '' ? 0 : 1 };
  });

function fail(text: string, exitCode = 1): never {
  throw new CommandFailure(text, exitCode);
}

/** seq(1), with -f, -s and -w. */
export const seq: Command = (args) =>
  run(() => {
    let format: string | undefined;
    let separator = '\n';
    let isPadded = false;
    const numbers: string[] = [];
    const words = [...args];
    while (words.length > 0) {
      const word = words.shift() as string;
      const value = (long: string): string =>
        word.includes('=')
          ? word.slice(word.indexOf('=') + 1)
          : word.length > 2 && !word.startsWith('--')
            ? word.slice(2)
            : (words.shift() ?? fail(`seq: option requires an argument -- '${long}'\nTry 'seq --help' for more information.\n`));
      if (/^-(?:\d|\.)/.test(word)) numbers.push(word);
      else if (word.startsWith('-f') || word.startsWith('--format')) format = value('f');
      else if (word.startsWith('-s') || word.startsWith('--separator')) separator = value('s');
      else if (word === '-w' || word === '--equal-width') isPadded = true;
      else if (word === '--') numbers.push(...words.splice(0));
      else if (word.startsWith('-'))
        fail(`seq: invalid option -- '${word.replace(/^-+/, '').slice(0, 1)}'\nTry 'seq --help' for more information.\n`);
      else numbers.push(word);
    }
    if (numbers.length === 0) fail("seq: missing operand\nTry 'seq --help' for more information.\n");
    if (numbers.length > 3) fail(`seq: extra operand '${numbers[3]}'\nTry 'seq --help' for more information.\n`);
    for (const text of numbers)
      if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text))
        fail(`seq: invalid floating point argument: '${text}'\nTry 'seq --help' for more information.\n`);
    const [first, step, last] =
      numbers.length === 1 ? ['1', '1', numbers[0]] : numbers.length === 2 ? [numbers[0], '1', numbers[1]] : numbers;
    const digits = Math.max(...[first, step].map((text) => /\.(\d+)/.exec(text ?? '')?.[1]?.length ?? 0));
    const [from, by, to] = [Number(first), Number(step), Number(last)];
    if (by === 0) fail(`seq: invalid Zero increment value: '${step}'\nTry 'seq --help' for more information.\n`);
    const texts: string[] = [];
    const scale = 10 ** digits;
    for (let index = 0; ; index++) {
      const value = Math.round((from + index * by) * scale) / scale;
      if (by > 0 ? value > to : value < to) break;
      if (texts.length >= 1_000_000) fail('seq: not simulated: more than a million numbers\n');
      texts.push(format === undefined ? value.toFixed(digits) : formatted(format, value));
    }
    if (texts.length === 0) return output('');
    const width = isPadded ? Math.max(...texts.map((text) => text.length)) : 0;
    const shown = texts.map((text) =>
      isPadded ? (text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, '0')}` : text.padStart(width, '0')) : text,
    );
    return output(`${shown.join(separator)}\n`);
  });

/** A printf format with one number: `%g`, `%f` and `%e` with flags, width and precision. */
function formatted(format: string, value: number): string {
  const [, before = '', flags = '', width = '', precision, kind = '', after = ''] =
    /^((?:[^%]|%%)*)%([-+ #0]*)(\d*)(?:\.(\d+))?([gfeGFE])((?:[^%]|%%)*)$/.exec(format) ?? [];
  if (kind === '') fail(`seq: format '${format}' has no % directive\n`);
  const digits = precision === undefined ? 6 : Number(precision);
  const lower = kind.toLowerCase();
  let text =
    lower === 'f'
      ? value.toFixed(digits)
      : lower === 'e'
        ? value.toExponential(digits)
        : String(Number(value.toPrecision(Math.max(1, digits))));
  if (flags.includes('+') && value >= 0) text = `+${text}`;
  const size = Number(width || 0);
  if (flags.includes('-')) text = text.padEnd(size);
  else if (flags.includes('0'))
    text = `${/^[-+]/.exec(text)?.[0] ?? ''}${text.replace(/^[-+]/, '').padStart(size - (/^[-+]/.test(text) ? 1 : 0), '0')}`;
  else text = text.padStart(size);
  return `${before}${text}${after}`.replaceAll('%%', '%');
}

/** paste(1). */
export const paste: Command = (args, context) =>
  run(() => {
    let delimiters = '\t';
    let isSerial = false;
    const paths: string[] = [];
    const words = [...args];
    while (words.length > 0) {
      const word = words.shift() as string;
      if (word === '--serial') isSerial = true;
      else if (word.startsWith('--delimiters=')) delimiters = word.slice('--delimiters='.length);
      else if (/^-[sd]/.test(word)) {
        for (let letters = word.slice(1); letters !== ''; letters = letters.slice(1)) {
          if (letters[0] === 's') isSerial = true;
          else if (letters[0] === 'd') {
            delimiters =
              letters.slice(1) ||
              (words.shift() ?? fail("paste: option requires an argument -- 'd'\nTry 'paste --help' for more information.\n"));
            break;
          } else fail(`paste: invalid option -- '${letters[0]}'\nTry 'paste --help' for more information.\n`);
        }
      } else if (word.startsWith('-') && word !== '-')
        fail(`paste: invalid option -- '${word.slice(1, 2)}'\nTry 'paste --help' for more information.\n`);
      else paths.push(word);
    }
    const between = [...delimiters.replace(/\\(.)/g, (_, letter: string) => ({ n: '\n', t: '\t', '0': '\0' })[letter] ?? letter)].map(
      (each) => (each === '\0' ? '' : each),
    );
    const delimiter = (index: number): string => (between.length === 0 ? '' : (between[index % between.length] ?? ''));
    const { found, stderr } = inputs('paste', paths, context);
    if (stderr !== '') return failure(stderr.replace(/cannot open '(.*)' for reading/g, '$1'));
    const columns = found.map(({ text }) => linesOf(text).map((line) => line.replace(/\n$/, '')));
    const join = (cells: readonly string[]): string =>
      cells.reduce((line, cell, index) => (index === 0 ? cell : `${line}${delimiter(index - 1)}${cell}`), '');
    if (isSerial) return output(columns.map((cells) => `${join(cells)}\n`).join(''));
    // `paste - -` takes turns at one input
    const dashes = paths.filter((path) => path === '-').length;
    if (dashes > 1 && dashes === paths.length) {
      const lines = columns[0] ?? [];
      const rows: string[] = [];
      for (let at = 0; at < lines.length; at += dashes)
        rows.push(`${join(Array.from({ length: dashes }, (_, index) => lines[at + index] ?? ''))}\n`);
      return output(rows.join(''));
    }
    const height = Math.max(0, ...columns.map((cells) => cells.length));
    return output(Array.from({ length: height }, (_, row) => `${join(columns.map((cells) => cells[row] ?? ''))}\n`).join(''));
  });

/** uniq(1): -c counts in seven columns. */
export const uniq: Command = (args, context) =>
  run(() => {
    const flags = new Set<string>();
    let skipFields = 0;
    const paths: string[] = [];
    const words = [...args];
    const long: Readonly<Record<string, string>> = { '--count': 'c', '--repeated': 'd', '--unique': 'u', '--ignore-case': 'i' };
    while (words.length > 0) {
      const word = words.shift() as string;
      const letter = long[word];
      if (letter !== undefined) flags.add(letter);
      else if (/^-f\d*$/.test(word)) skipFields = Number(word.slice(2) || words.shift());
      else if (/^-[cdui]+$/.test(word)) for (const each of word.slice(1)) flags.add(each);
      else if (word.startsWith('-') && word !== '-') fail(`uniq: not simulated: ${word}\n`);
      else paths.push(word);
    }
    const { found, stderr } = inputs('uniq', paths.slice(0, 1), context);
    if (stderr !== '') return failure(`uniq: ${paths[0]}: No such file or directory\n`);
    const groups: { readonly line: string; count: number }[] = [];
    const keyOf = (line: string): string => {
      const rest = skipFields === 0 ? line : line.replace(new RegExp(`^(?:\\s*\\S+){0,${skipFields}}`), '');
      return flags.has('i') ? rest.toLowerCase() : rest;
    };
    for (const raw of linesOf(found[0]?.text ?? '')) {
      const line = raw.replace(/\n$/, '');
      const last = groups.at(-1);
      if (last !== undefined && keyOf(last.line) === keyOf(line)) last.count++;
      else groups.push({ line, count: 1 });
    }
    const chosen = groups.filter(({ count }) => (!flags.has('d') || count > 1) && (!flags.has('u') || count === 1));
    return output(chosen.map(({ line, count }) => `${flags.has('c') ? `${String(count).padStart(7)} ` : ''}${line}\n`).join(''));
  });

/** awk(1): just-bash's, which takes a one-character separator for a pattern and forgets OFS given with -v when a record is built anew. */
export const awk: Command = async (args, context) => {
  const words: string[] = [];
  const prelude: string[] = [];
  const rest = [...args];
  while (rest.length > 0) {
    const word = rest.shift() as string;
    if (word === '--') {
      words.push(word);
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      rest.unshift(word);
      break;
    }
    if (/^-F/.test(word)) words.push('-F', separator(word.length > 2 ? word.slice(2) : (rest.shift() ?? '')));
    else if (/^-v/.test(word)) {
      const assignment = word.length > 2 ? word.slice(2) : (rest.shift() ?? '');
      const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(assignment) ?? [];
      if (name === 'OFS' || name === 'ORS') prelude.push(`${name}="${value.replace(/(["\\](?![nt\\"]))/g, '\\$1')}"`);
      words.push('-v', name === 'FS' ? `FS=${separator(value)}` : assignment);
    } else {
      words.push(word);
      if (word === '-f') words.push(rest.shift() ?? '');
    }
  }
  const program = rest.shift();
  if (program === undefined) return context.run(['awk', ...args], { stdin: context.stdin, isBuiltin: true });
  const whole = prelude.length > 0 ? `BEGIN{${prelude.join(';')}} ${program}` : program;
  return context.run(['awk', ...words, whole, ...rest], { ...(context.hasStdin ? { stdin: context.stdin } : {}), isBuiltin: true });
};

/** POSIX: a single character other than a blank stands for itself. */
function separator(text: string): string {
  if (text === 't') return '\t';
  return /^[.|*+?^$()[\]{}]$/.test(text) ? `[${text === '^' ? '\\^' : text}]` : text;
}

/** sed(1): just-bash's, with a suffix for -i (`-i.bak`, `--in-place=.bak`). */
export const sed: Command = async (args, context) => {
  const at = args.findIndex((arg) => /^-[nErs]*i./.test(arg) || arg.startsWith('--in-place='));
  const run = (words: readonly string[]): Promise<CommandResult> =>
    context.run(['sed', ...words], { ...(context.hasStdin ? { stdin: context.stdin } : {}), isBuiltin: true });
  if (at < 0) return run(args);
  const word = args[at] as string;
  const suffix = word.startsWith('--') ? word.slice('--in-place='.length) : word.slice(word.indexOf('i') + 1);
  const flags = word.startsWith('--') ? '-i' : word.slice(0, word.indexOf('i') + 1);
  for (const path of args) {
    const full = resolvePath(context.cwd, path);
    const text = path.startsWith('-') ? undefined : context.files.read(full);
    if (text !== undefined)
      context.files.write(suffix.includes('*') ? full.replace(/[^/]*$/, (name) => suffix.replaceAll('*', name)) : `${full}${suffix}`, text);
  }
  return run([...args.slice(0, at), flags, ...args.slice(at + 1)]);
};

/** diff(1): the normal form itself; just-bash has the unified one. */
export const diff: Command = async (args, context) => {
  const operands = args.filter((arg) => !arg.startsWith('-') || arg === '-');
  const options = args.filter((arg) => arg.startsWith('-') && arg !== '-');
  if (operands.length !== 2 || options.some((option) => !['-q', '--brief', '-s', '-w', '-b', '-i'].includes(option)))
    return context.run(['diff', ...args], { ...(context.hasStdin ? { stdin: context.stdin } : {}), isBuiltin: true });
  const [left = '', right = ''] = operands;
  const texts = [left, right].map((path) => (path === '-' ? context.stdin : context.files.read(resolvePath(context.cwd, path))));
  // A process substitution is a file of the shell's only.
  if (texts.some((text) => text === undefined)) {
    if (operands.some((path) => path.startsWith('/dev/fd/'))) return context.run(['diff', ...args], { isBuiltin: true });
    const absent = operands.filter((_, index) => texts[index] === undefined);
    return { stdout: '', stderr: absent.map((path) => `diff: ${path}: No such file or directory\n`).join(''), exitCode: 2 };
  }
  const fold = (line: string): string => {
    let text = options.includes('-i') ? line.toLowerCase() : line;
    if (options.includes('-w')) text = text.replace(/\s+/g, '');
    else if (options.includes('-b')) text = text.replace(/\s+/g, ' ').replace(/ $/, '');
    return text;
  };
  const [a = [], b = []] = texts.map((text) => linesOf(text as string));
  const hunks = hunksOf(a.map(fold), b.map(fold));
  if (hunks.length === 0) return output(options.includes('-s') ? `Files ${left} and ${right} are identical\n` : '');
  if (options.includes('-q') || options.includes('--brief')) return output(`Files ${left} and ${right} differ\n`, 1);
  const range = (from: number, to: number): string => (to - from <= 1 ? String(from + (to > from ? 1 : 0)) : `${from + 1},${to}`);
  const shown = (lines: readonly string[], mark: string): string =>
    lines.map((line) => `${mark} ${line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`}`).join('');
  return output(
    hunks
      .map(([a0, a1, b0, b1]) => {
        const letter = a0 === a1 ? 'a' : b0 === b1 ? 'd' : 'c';
        return `${range(a0, a1)}${letter}${range(b0, b1)}\n${shown(a.slice(a0, a1), '<')}${letter === 'c' ? '---\n' : ''}${shown(b.slice(b0, b1), '>')}`;
      })
      .join(''),
    1,
  );
};

/** Runs of lines that differ, by the longest common subsequence: `[from, to)` on either side. */
function hunksOf(a: readonly string[], b: readonly string[]): readonly (readonly [number, number, number, number])[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      (lengths[i] as Uint32Array)[j] =
        a[i] === b[j] ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(lengths[i + 1]?.[j] ?? 0, lengths[i]?.[j + 1] ?? 0);
  const hunks: [number, number, number, number][] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
      continue;
    }
    const [i0, j0] = [i, j];
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      if (j >= b.length || (i < a.length && (lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0))) i++;
      else j++;
    }
    hunks.push([i0, i, j0, j]);
  }
  return hunks;
}
