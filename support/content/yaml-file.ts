import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { load, loadAll, YAMLException } from 'js-yaml';
import type * as Yaml from 'yaml';
import { type ContentPath, ContentProblem } from '../port/content-problem.ts';
import { ContentError } from '../verdict/errors.ts';

/** A content file: its text, and what it says. */
export interface YamlFile {
  readonly file: string;
  readonly text: string;
  /** One per `---` document. */
  readonly documents: readonly unknown[];
}

/**
 * Reads a YAML file of the lab's content.
 * @param askedBy what names the file, for the message when it is missing, e.g. `lab.yaml: cluster`
 * @param prepare what is done to the text before it is read as YAML
 * @throws ContentError when the file is missing, unreadable or no YAML
 */
export function readYamlFile(file: string, askedBy?: string, prepare: (text: string) => string = (text) => text): YamlFile {
  const raw = readText(file, askedBy);
  checkEncoding(file, raw);
  const text = prepare(raw);
  return { file, text, documents: parseDocuments(file, text).filter((document) => document !== null && document !== undefined) };
}

/**
 * The documents of a YAML text, empty ones among them; none for a text of nothing but comments.
 * @throws ContentError with file and line
 */
export function parseDocuments(file: string, text: string): readonly unknown[] {
  if (/^(?:\s*(?:#.*)?(?:\n|$))*$/.test(text.replace(/^\uFEFF/, ''))) return [];
  try {
    // A file of one document is by far the usual case, and `load` words its errors better.
    const documents = /^---/m.test(text) ? loadAll(text) : [load(text)];
    if (/[\s[,:]\*\w/.test(text)) checkExpansion(file, text, documents);
    return documents;
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = (error.mark?.line ?? 0) + 1;
    throw new ContentError(
      'content/yaml',
      `${place(file, line)}: not valid YAML: ${error.reason}`,
      {
        hint: error.mark?.snippet === undefined ? 'the file must be YAML 1.2' : `near\n${error.mark.snippet}`,
        fix: `correct line ${line} of ${shown(file)}`,
      },
      { cause: error },
    );
  }
}

/** YAML is UTF-8 here; what cannot be read as such would be passed on as question marks. @throws ContentError */
export function checkEncoding(file: string, text: string): void {
  const at = text.indexOf('\uFFFD');
  if (at < 0) return;
  throw new ContentError('content/encoding', `${place(file, text.slice(0, at).split('\n').length)}: the file is not UTF-8 here`, {
    hint: 'it was probably saved as Latin-1 or UTF-16',
    fix: 'save it as UTF-8',
  });
}

/** What aliases may grow a file to: far beyond any lab, far below what hurts. */
const mostNodes = 200_000;

/** A few lines of aliases to aliases stand for billions of values, and an anchor within itself for endlessly many. */
function checkExpansion(file: string, text: string, documents: readonly unknown[]): void {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  const sizeOf = (value: unknown): number => {
    if (typeof value !== 'object' || value === null) return 1;
    if (open.has(value)) return Number.POSITIVE_INFINITY;
    const known = sizes.get(value);
    if (known !== undefined) return known;
    open.add(value);
    let size = 1;
    for (const inner of Object.values(value)) size += sizeOf(inner);
    open.delete(value);
    sizes.set(value, size);
    return size;
  };
  const total = documents.reduce<number>((sum, document) => sum + sizeOf(document), 0);
  if (total <= mostNodes) return;
  const line = text.slice(0, text.search(/[\s[,:]\*\w/) + 1).split('\n').length;
  throw new ContentError(
    'content/yaml',
    `${place(file, line)}: not valid YAML: ${Number.isFinite(total) ? 'its aliases stand for too many values' : 'an anchor contains an alias of itself'}`,
    { hint: `at most ${mostNodes} values, aliases written out`, fix: 'write the values out, or use fewer aliases' },
  );
}

/** @throws ContentError when the file is missing or unreadable */
export function readText(file: string, askedBy?: string): string {
  try {
    const { size } = checkedStat(file);
    if (size > mostBytes) {
      throw new ContentError('content/file', `${shown(file)}: too large for a file of a lab`, {
        hint: `it has ${size} bytes; at most ${mostBytes} are read`,
        fix: 'keep it outside the lab',
      });
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ContentError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder, not a file' : `it cannot be read (${code})`;
    throw new ContentError(
      'content/file',
      `${shown(file)}: ${why}`,
      {
        ...(askedBy === undefined ? {} : { hint: `it is named in ${askedBy}` }),
        fix: `create ${shown(file)}, or correct the path`,
      },
      { cause: error },
    );
  }
}

const mostBytes = 4 * 1024 * 1024;

/** A pipe or a device would be read for ever. @throws ContentError for what is neither file nor folder */
function checkedStat(file: string): { readonly size: number } {
  const stat = statSync(file);
  if (stat.isFile() || stat.isDirectory()) return stat;
  throw new ContentError('content/file', `${shown(file)}: it is not a regular file`, { fix: 'name a file' });
}

/** Runs a check of a parsed file, and gives its problems the file's name and line. */
export function checking<T>(source: YamlFile, check: () => T, document = 0): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ContentProblem)) throw error;
    throw contentErrorAt(source, error, document);
  }
}

export function contentErrorAt(source: YamlFile, problem: ContentProblem, document = 0): ContentError {
  return new ContentError(
    'content/invalid',
    `${place(source.file, lineOf(source.text, problem.path, document))}: ${problem.message}`,
    {
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      ...(problem.fix === undefined ? {} : { fix: problem.fix }),
    },
    { cause: problem },
  );
}

/**
 * The line (from 1) of a place in a YAML text: of its key where it has one. The nearest enclosing place stands in
 * for one that does not exist (a field that is missing).
 */
export function lineOf(text: string, path: ContentPath, document = 0): number {
  // Only ever needed for an error message, so the library that knows positions is loaded here and not at start-up.
  const { LineCounter, parseAllDocuments, isMap, isScalar } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const root = Array.isArray(documents) ? documents[document] : undefined;
  let node: unknown = root?.contents;
  let offset = (node as { range?: readonly number[] } | undefined)?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) break;
      offset = (pair.key as { range?: readonly number[] }).range?.[0] ?? offset;
      node = pair.value;
    } else {
      const item: unknown = (node as { items?: readonly unknown[] } | undefined)?.items?.[Number(part)];
      if (item === undefined) break;
      offset = (item as { range?: readonly number[] }).range?.[0] ?? offset;
      node = item;
    }
  }
  return lines.linePos(offset).line;
}

/** `lab/lab.yaml:12`, relative to the current folder where that is shorter. */
export function place(file: string, line: number): string {
  return `${shown(file)}:${line}`;
}

export function shown(file: string): string {
  const short = relative(process.cwd(), file);
  return short.startsWith('..') || short === '' ? file : short;
}
