import { resolvePath } from '../../docker/file-system.ts';
import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, run } from './result.ts';

const usage = "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n";

const longNames: Readonly<Record<string, string>> = {
  regexp: 'e',
  file: 'f',
  'extended-regexp': 'E',
  'fixed-strings': 'F',
  'basic-regexp': 'G',
  'perl-regexp': 'P',
  'ignore-case': 'i',
  'invert-match': 'v',
  count: 'c',
  'line-number': 'n',
  'only-matching': 'o',
  quiet: 'q',
  silent: 'q',
  'no-messages': 's',
  'word-regexp': 'w',
  'line-regexp': 'x',
  'files-with-matches': 'l',
  'files-without-match': 'L',
  'no-filename': 'h',
  'with-filename': 'H',
  recursive: 'r',
  'dereference-recursive': 'R',
  'after-context': 'A',
  'before-context': 'B',
  context: 'C',
  'max-count': 'm',
};

/** grep(1) of GNU, with all its patterns at once; Perl's expressions as far as JavaScript has them, and `\K`. */
export function grep(name: 'grep' | 'egrep' | 'fgrep'): Command {
  return (args, context) => run(() => search(name, args, context));
}

function search(name: string, args: readonly string[], context: CommandContext): CommandResult {
  const plain = args.flatMap((arg) => (/^-\d+$/.test(arg) ? [`-C${arg.slice(1)}`] : [arg]));
  const values = 'regexp file after-context before-context context max-count'.split(' ');
  const { options, operands } = parseOptions(plain, {
    letters: 'e:f:EFGPivcnoqswxlLhHrRA:B:C:m:aIUzb',
    long: [
      ...Object.keys(longNames).map((long) => (values.includes(long) ? `${long}:` : long)),
      'color',
      'color:',
      'colour',
      'colour:',
      'include:',
      'exclude:',
      'exclude-dir:',
      'line-buffered',
      'text',
    ],
    unknown: (option) =>
      new CommandFailure(
        `grep: ${option.startsWith('--') ? `unrecognized option '${option}'` : `invalid option -- '${option.slice(1)}'`}\n${usage}`,
        2,
      ),
    missing: (option) => new CommandFailure(`grep: option requires an argument -- '${option.slice(1)}'\n${usage}`, 2),
  });
  const all = (letter: string): readonly string[] =>
    [...options].flatMap(([key, given]) => (key === letter || longNames[key] === letter ? given : []));
  const has = (letter: string): boolean => all(letter).length > 0;
  for (const letter of 'zb') if (has(letter)) throw new CommandFailure(`grep: not simulated: -${letter}\n`, 2);
  const files = [...operands];
  const given = [...all('e')];
  for (const path of all('f')) {
    const text = path === '-' ? context.stdin : context.files.read(resolvePath(context.cwd, path));
    if (text === undefined) throw new CommandFailure(`grep: ${path}: No such file or directory\n`, 2);
    given.push(...(text === '' ? [] : [text.replace(/\n$/, '')]));
  }
  if (!has('e') && !has('f')) {
    const first = files.shift();
    if (first === undefined) throw new CommandFailure(usage, 2);
    given.push(first);
  }
  const kind = name === 'egrep' || has('E') ? 'E' : name === 'fgrep' || has('F') ? 'F' : has('P') ? 'P' : 'G';
  const expression = expressionOf(
    given.flatMap((text) => text.split('\n')),
    kind,
    has,
  );
  const isRecursive = has('r') || has('R');
  const inputs: { readonly label: string; readonly text: string }[] = [];
  let stderr = '';
  const refuse = (text: string): void => {
    if (!has('s')) stderr += `grep: ${text}\n`;
    failed = true;
  };
  let failed = false;
  const globs = (option: string): readonly RegExp[] =>
    (options.get(option) ?? []).map(
      (glob) =>
        new RegExp(
          `^${glob
            .replace(/[.+^${}()|\\]/g, '\\$&')
            .replaceAll('*', '.*')
            .replaceAll('?', '.')}$`,
        ),
    );
  const [include, exclude, excludeFolder] = [globs('include'), globs('exclude'), globs('exclude-dir')];
  const isWanted = (path: string): boolean => {
    const file = path.split('/').at(-1) ?? '';
    return (include.length === 0 || include.some((glob) => glob.test(file))) && !exclude.some((glob) => glob.test(file));
  };
  const read = (label: string): void => {
    const full = resolvePath(context.cwd, label);
    const text = label === '-' ? context.stdin : context.files.read(full);
    if (text !== undefined) {
      if (label === '-' || isWanted(label)) inputs.push({ label: label === '-' ? '(standard input)' : label, text });
    } else if (!context.files.isDirectory(full)) refuse(`${label}: No such file or directory`);
    else if (!isRecursive) {
      if (!has('s')) stderr += `grep: ${label}: Is a directory\n`;
    } else
      for (const entry of [...(context.files.list(full) ?? [])].sort())
        if (!excludeFolder.some((glob) => glob.test(entry)))
          read(label === '.' && files.length === 0 ? entry : `${label.replace(/\/$/, '')}/${entry}`);
  };
  if (files.length > 0) for (const file of files) read(file);
  else read(isRecursive ? '.' : '-');
  const namesFiles = !has('h') && (has('H') || isRecursive || files.length > 1);
  const number = (letter: string): number => Number(all(letter).at(-1) ?? all(letter === 'm' ? '' : 'C').at(-1) ?? 0);
  const [after, before] = [number('A'), number('B')];
  const most = has('m') ? number('m') : Number.POSITIVE_INFINITY;
  let stdout = '';
  let found = false;
  let printedBlock = false;
  for (const { label, text } of inputs) {
    const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
    const chosen = new Set<number>();
    for (let at = 0; at < lines.length && chosen.size < most; at++) {
      expression.lastIndex = 0;
      if (expression.test(lines[at] as string) !== has('v')) chosen.add(at);
    }
    if (chosen.size > 0) found = true;
    if (has('q')) continue;
    const prefix = (at: number, mark: string): string => `${namesFiles ? label + mark : ''}${has('n') ? `${at + 1}${mark}` : ''}`;
    if (has('l') || has('L')) {
      if (chosen.size > 0 === has('l')) stdout += `${label}\n`;
    } else if (has('c')) stdout += `${namesFiles ? `${label}:` : ''}${chosen.size}\n`;
    else if (has('o')) {
      expression.lastIndex = 0; // matchAll begins there
      for (const at of has('v') ? [] : chosen)
        for (const match of (lines[at] as string).matchAll(expression)) {
          const [part] = match;
          if (part !== '') stdout += `${prefix(at, ':')}${part}\n`;
        }
    } else {
      const shown = new Set([...chosen].flatMap((at) => Array.from({ length: before + after + 1 }, (_, offset) => at - before + offset)));
      let last: number | undefined;
      for (const at of [...shown].filter((place) => place >= 0 && place < lines.length).sort((a, b) => a - b)) {
        if (before + after > 0 && (last === undefined ? printedBlock : at > last + 1)) stdout += '--\n';
        stdout += `${prefix(at, chosen.has(at) ? ':' : '-')}${lines[at]}\n`;
        last = at;
        printedBlock = true;
      }
    }
  }
  if (has('q') && found) return { stdout: '', stderr, exitCode: 0 };
  const success = has('L') ? stdout !== '' : found;
  return { stdout, stderr, exitCode: failed ? 2 : success ? 0 : 1 };
}

function expressionOf(patterns: readonly string[], kind: 'E' | 'F' | 'G' | 'P', has: (letter: string) => boolean): RegExp {
  const sources = patterns.map((pattern) => {
    if (kind === 'F') return pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (kind !== 'P') return translated(pattern, kind === 'G');
    const kept = pattern.lastIndexOf('\\K');
    const plain = pattern.replace(/^\(\?i\)/, '').replace(/\[:(\w+):\]/g, (whole, name: string) => classes[name] ?? whole);
    if (kept < 0) return plain;
    return `(?<=${pattern.slice(0, kept)})${pattern.slice(kept + 2)}`;
  });
  let whole = sources.map((source) => `(?:${source})`).join('|');
  if (has('w')) whole = `(?<!\\w)(?:${whole})(?!\\w)`;
  if (has('x')) whole = `^(?:${whole})$`;
  try {
    return new RegExp(whole, `g${has('i') || patterns.some((text) => kind === 'P' && text.startsWith('(?i)')) ? 'i' : ''}`);
  } catch {
    throw new CommandFailure(`grep: not simulated: the pattern ${patterns.join(' ')}\n`, 2);
  }
}

const classes: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  xdigit: '0-9A-Fa-f',
  word: '\\w',
  punct: '!-\\/:-@\\[-`{-~',
  cntrl: '\\x00-\\x1f\\x7f',
  print: ' -~',
  graph: '!-~',
};

/** A POSIX expression, basic or extended, as JavaScript writes it (re_format(7), with GNU's `\+ \? \|`, `\< \>`). */
function translated(pattern: string, isBasic: boolean): string {
  let result = '';
  const isStart = (): boolean => result === '' || /(?:^|[^\\])(?:\(|\|)$/.test(result) || result === '^';
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern[at] as string;
    if (letter === '[') {
      const bracket = /\[\^?\]?(?:\[:\w+:\]|[^\]])*\]/y;
      bracket.lastIndex = at;
      const found = bracket.exec(pattern)?.[0];
      if (found === undefined) throw new CommandFailure('grep: Unmatched [, [^, [:, [., or [=\n', 2);
      const head = found[1] === '^' ? '[^' : '[';
      const inner = found
        .slice(head.length, -1)
        .replaceAll('\\', '\\\\')
        .replace(/\[:(\w+):\]/g, (_, name: string) => classes[name] ?? '')
        .replace(/^\]/, '\\]')
        .replace(/\[/g, '\\[');
      result += `${head}${inner}]`;
      at += found.length - 1;
    } else if (letter === '\\') {
      const next = pattern[++at] ?? '\\';
      if (isBasic && '(){}|+?'.includes(next)) result += next;
      else if (next === '<') result += '\\b(?=\\w)';
      else if (next === '>') result += '\\b(?<=\\w)';
      else if (/[wWsSbB1-9]/.test(next)) result += `\\${next}`;
      else result += next.replace(/[.*+?^${}()|[\]\\/]/, '\\$&');
    } else if (isBasic && '(){}|+?'.includes(letter)) result += `\\${letter}`;
    else if (letter === '*' && isStart()) result += '\\*';
    else if (isBasic && letter === '^' && !isStart()) result += '\\^';
    else if (isBasic && letter === '$' && at < pattern.length - 1 && !/^\\[)|]/.test(pattern.slice(at + 1))) result += '\\$';
    else if (letter === '{' && !/^\{\d*,?\d*\}/.test(pattern.slice(at))) result += '\\{';
    else result += letter;
  }
  return result;
}
