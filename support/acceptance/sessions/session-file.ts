import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** One command typed at the lab host's terminal, and all that it prints. */
export interface Exchange {
  /** 1-based line of the file. */
  readonly line: number;
  /** What is typed: several lines when there is a here-document or a line ends with a backslash. */
  readonly command: string;
  /** Standard output and then standard error, to the byte but for the placeholders. */
  readonly output: string;
  readonly exitCode: number;
}

/** A case of a suite: what somebody does on a fresh lab, and what they see. */
export interface SessionCase {
  readonly name: string;
  /** Where the expected behaviour is known from: a documentation page, an upstream source or test, a recording. */
  readonly source: string;
  readonly line: number;
  readonly exchanges: readonly Exchange[];
}

/** Header of a session file: the lab on which each of its cases starts. All but the first are a lab's own files, inline. */
export interface SessionLab {
  /** Folder of a lab, from the top of the repository (`.` is the reference lab); nothing else is given then. */
  readonly folder?: string;
  readonly cilium?: { readonly version: string; readonly values?: unknown };
  /** A kind cluster; default: dual stack, one control plane and one worker, Cilium in the place of kindnet and kube-proxy. */
  readonly cluster?: unknown;
  /** A containerlab topology. */
  readonly topology?: unknown;
  /** Files that the topology's nodes mount, by path as the topology names them. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Image definitions. */
  readonly images?: readonly unknown[];
  /** Files of the terminal's home. */
  readonly files?: Readonly<Record<string, string>>;
  /** Manifests of the home, applied before the first command. */
  readonly setup?: readonly string[];
}

export interface SessionFile {
  readonly path: string;
  readonly lab: SessionLab;
  readonly cases: readonly SessionCase[];
}

const hereDocument = /<<-?\s*['"]?([A-Za-z_]\w*)['"]?/;

/**
 * Reads a file of sessions:
 *
 *     <the lab, as YAML>
 *     == name of a case, a sentence
 *     source: where it is known from
 *     $ command
 *     exact output
 *     [exit 1]
 *
 * `[exit N]` ends the output of a command whose status is not 0. A line that is only `...` stands for any number of
 * lines, and `<word>` (`<age>`, `<any>`…) for one run of characters without a blank; where there is such a word, the
 * width of columns is free in the whole output.
 * @throws Error naming file and line when the form is not kept
 */
export function readSessionFile(path: string): SessionFile {
  const lines = readFileSync(path, 'utf8').split('\n');
  const refuse = (index: number, why: string): never => {
    throw new Error(`${path}:${index + 1}: ${why}`);
  };
  let at = lines.findIndex((line) => line.startsWith('== '));
  if (at < 0) refuse(0, 'no case: a case begins with "== its name"');
  const lab = (parse(lines.slice(0, at).join('\n')) ?? {}) as SessionLab;
  const cases: SessionCase[] = [];
  while (at < lines.length) {
    const start = at;
    const name = (lines[at] ?? '').slice(3).trim();
    at += 1;
    const source = /^source: (.+)$/.exec(lines[at] ?? '')?.[1] ?? refuse(at, 'a case names its source in its second line');
    at += 1;
    const exchanges: Exchange[] = [];
    while (at < lines.length && !(lines[at] ?? '').startsWith('== ')) {
      const line = lines[at] ?? '';
      if (line.trim() === '' && exchanges.length === 0) {
        at += 1;
        continue;
      }
      if (!line.startsWith('$ ')) refuse(at, 'expected "$ command"');
      const typedAt = at;
      const typed = [line.slice(2)];
      at += 1;
      while (typed.at(-1)?.endsWith('\\')) typed.push(lines[at++] ?? refuse(at, 'the command does not end'));
      const end = hereDocument.exec(line)?.[1];
      if (end !== undefined) {
        do typed.push(lines[at] ?? refuse(typedAt, `no line ${end} ends the here-document`));
        while (lines[at++] !== end);
      }
      const printed: string[] = [];
      while (at < lines.length && !/^(\$|==) /.test(lines[at] ?? '')) printed.push(lines[at++] ?? '');
      // Blank lines before the next case only separate it.
      const isLast = at >= lines.length || (lines[at] ?? '').startsWith('== ');
      while (isLast && printed.at(-1) === '') printed.pop();
      const exit = /^\[exit (\d+)\]$/.exec(printed.at(-1) ?? '')?.[1];
      if (exit !== undefined) printed.pop();
      exchanges.push({
        line: typedAt + 1,
        command: typed.join('\n'),
        output: printed.map((text) => `${text}\n`).join(''),
        exitCode: Number(exit ?? 0),
      });
    }
    if (exchanges.length === 0) refuse(start, 'the case has no command');
    cases.push({ name, source, line: start + 1, exchanges });
  }
  return { path, lab, cases };
}

/**
 * `actual` where it is what `expected` describes, else `expected`: comparing it with `actual` then shows the difference
 * without the noise of the placeholders that do match.
 */
export function fitted(expected: string, actual: string): string {
  const placeholder = /(<[a-z][a-z -]*>)/;
  const hasFreeColumns = placeholder.test(expected);
  const pattern = expected.split('\n').map((line) =>
    line === '...'
      ? null
      : line
          .split(placeholder)
          .map((part, index) => {
            if (index % 2 === 1) return '\\S+';
            const literal = part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
            return hasFreeColumns ? literal.replace(/ {2,}/g, ' {2,}') : literal;
          })
          .join(''),
  );
  let text = '';
  pattern.forEach((line, index) => {
    if (line === null) text += '(?:.*\\n)*?';
    else text += index === pattern.length - 1 ? line : `${line}\\n`;
  });
  if (new RegExp(`^${text}$`).test(actual)) return actual;
  // Line by line, so that only the lines that differ are shown as different.
  const lines = actual.split('\n');
  if (pattern.includes(null)) return expected;
  return expected
    .split('\n')
    .map((line, index) => (new RegExp(`^${pattern[index]}$`).test(lines[index] ?? '') ? (lines[index] ?? line) : line))
    .join('\n');
}
