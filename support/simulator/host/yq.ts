import type { Document, Node } from 'yaml';
import type { Command, CommandContext, CommandResult } from '../docker/types.ts';

/**
 * mikefarah's yq, as far as labs read files with it: `yq FILE`, `yq EXPRESSION [FILE…]`, `-o json|yaml`, `-r`, `-i` and
 * `e`/`eval`. A path (`.a.b[0]`, `.a[]`) keeps the document's comments and quotes; any other expression is handed to jq.
 */
export const yq: Command = async (args, context) => {
  const parsed = parseArguments(args);
  if ('error' in parsed) return failure(parsed.error);
  if (parsed.isVersion) return { stdout: 'yq (https://github.com/mikefarah/yq/) version v4.44.3\n', stderr: '', exitCode: 0 };
  let [expression = '.', ...files] = parsed.words;
  // A lone word that is a file is the file: the expression defaults to `.`.
  if (parsed.words.length > 0 && looksLikeFile(expression, context)) {
    files = [...parsed.words];
    expression = '.';
  }
  const texts: string[] = [];
  for (const file of files) {
    const text = file === '-' ? context.stdin : context.files.read(absolute(file, context.cwd));
    if (text === undefined) return failure(`open ${file}: no such file or directory`);
    texts.push(text);
  }
  if (files.length === 0) {
    if (!context.hasStdin && context.stdin === '') return failure('no file given and nothing on standard input');
    texts.push(context.stdin);
  }
  const printed: string[] = [];
  for (const [index, text] of texts.entries()) {
    const result = await evaluate(expression, text, parsed.output, parsed.isRaw, context).catch(refusal);
    if (result.exitCode !== 0) return result;
    if (parsed.isInPlace && files[index] !== undefined) context.files.write(absolute(files[index], context.cwd), result.stdout);
    else printed.push(result.stdout);
  }
  return { stdout: printed.join('---\n'), stderr: '', exitCode: 0 };
};

/** Aliases that stand for endlessly many values; anything else is a bug and goes on as one. */
function refusal(error: unknown): CommandResult {
  if (error instanceof ReferenceError && /alias/i.test(error.message)) return failure(error.message);
  if (error instanceof TypeError && error.message.startsWith('Converting circular structure')) return failure('anchor contains itself');
  throw error;
}

interface Arguments {
  readonly words: readonly string[];
  readonly output: 'yaml' | 'json' | 'props';
  readonly isRaw: boolean;
  readonly isInPlace: boolean;
  readonly isVersion: boolean;
}

function parseArguments(args: readonly string[]): Arguments | { error: string } {
  const words: string[] = [];
  let output: Arguments['output'] = 'yaml';
  let isRaw = true;
  let isInPlace = false;
  let isVersion = false;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    const [flag = '', attached] = argument.startsWith('--') ? argument.split(/=(.*)/s) : [argument];
    if (
      flag === '-o' ||
      flag === '--output-format' ||
      argument.startsWith('-o=') ||
      argument.startsWith('-oj') ||
      argument.startsWith('-oy')
    ) {
      const value =
        attached ?? (argument.length > 2 && !argument.startsWith('--') ? argument.slice(2).replace(/^=/, '') : args[++index]) ?? '';
      if (['j', 'json'].includes(value)) output = 'json';
      else if (['y', 'yaml', 'auto', 'a'].includes(value)) output = 'yaml';
      else return { error: `unknown format '${value}' please use [yaml|json]` };
    } else if (flag === '-r' || flag === '--unwrapScalar') isRaw = attached !== 'false';
    else if (flag === '-i' || flag === '--inplace') isInPlace = true;
    else if (flag === '-V' || flag === '--version') isVersion = true;
    else if (['-P', '--prettyPrint', '-M', '--no-colors', '-C', '--colors', '-N', '--no-doc', '-e', '--exit-status', '-n'].includes(flag))
      continue;
    else if (['-p', '--input-format'].includes(flag)) index += attached === undefined ? 1 : 0;
    else if (flag.startsWith('-') && flag !== '-') return { error: `unknown shorthand flag: '${flag.slice(1, 2)}' in ${flag}` };
    else if (words.length === 0 && ['e', 'eval'].includes(argument)) continue;
    else words.push(argument);
  }
  return { words, output, isRaw, isInPlace, isVersion };
}

async function evaluate(
  expression: string,
  text: string,
  output: Arguments['output'],
  isRaw: boolean,
  context: CommandContext,
): Promise<CommandResult> {
  const { parseAllDocuments, isScalar } = await import('yaml');
  const documents = parseAllDocuments(text, { keepSourceTokens: true });
  if (!Array.isArray(documents)) return { stdout: '', stderr: '', exitCode: 0 };
  const broken = documents.find((document) => document.errors.length > 0);
  if (broken !== undefined) {
    const error = broken.errors[0];
    return failure(`bad file '-': yaml: line ${error?.linePos?.[0].line ?? 1}: ${(error?.message ?? '').split('\n')[0]}`);
  }
  const path = parsePath(expression);
  const pieces: string[] = [];
  for (const document of documents) {
    if (path === undefined) {
      const result = await viaJq(expression, document.toJS(), output, isRaw, context);
      if (result.exitCode !== 0) return result;
      pieces.push(result.stdout);
      continue;
    }
    const found = await walk(document as Document, path);
    pieces.push(
      found
        .map((node) => {
          if (output === 'json') return `${JSON.stringify(toPlain(node, document as Document), null, 2)}\n`;
          if (node === null) return 'null\n';
          if (isScalar(node) && path.length > 0) return `${isRaw ? String(node.value) : String(node)}\n`;
          return path.length === 0 ? printDocument(document as Document) : printNode(node, document as Document);
        })
        .join(''),
    );
  }
  return { stdout: pieces.join(path === undefined ? '' : '---\n'), stderr: '', exitCode: 0 };
}

// A part of a document may hold an alias whose anchor is elsewhere; yq prints it as it stands.
const printOptions = { verifyAliasOrder: false, indentSeq: true, lineWidth: 0, minContentWidth: 0, flowCollectionPadding: false } as const;

function printDocument(document: Document): string {
  return document.toString(printOptions).replace(/^---\n/, '');
}

function printNode(node: Node, from: Document): string {
  const copy = from.clone();
  copy.contents = node as typeof copy.contents;
  copy.commentBefore = null;
  copy.comment = null;
  if ('commentBefore' in node) node.commentBefore = null;
  return copy.toString(printOptions).replace(/^---\n/, '');
}

function toPlain(node: Node | null, document: Document): unknown {
  return node === null ? null : node.toJS(document);
}

type PathStep =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'each' };

/** `.a.b[0][]."c d"`; undefined when the expression is more than a path. */
function parsePath(expression: string): readonly PathStep[] | undefined {
  const text = expression.trim();
  if (text === '.' || text === '') return [];
  if (!text.startsWith('.')) return undefined;
  const steps: PathStep[] = [];
  const token = /\.?(?:"(?<quoted>[^"]*)"|(?<key>[A-Za-z_][\w/-]*)|\[\s*(?:(?<index>-?\d+)|"(?<bracketed>[^"]*)")?\s*\])/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match?.groups === undefined) return undefined;
    const { quoted, key, index, bracketed } = match.groups;
    const name = quoted ?? key ?? bracketed;
    if (name !== undefined) steps.push({ kind: 'key', key: name });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else steps.push({ kind: 'each' });
  }
  return steps;
}

async function walk(document: Document, path: readonly PathStep[]): Promise<readonly (Node | null)[]> {
  const { isMap, isSeq } = await import('yaml');
  let nodes: (Node | null)[] = [document.contents as Node | null];
  for (const step of path) {
    nodes = nodes.flatMap((node): (Node | null)[] => {
      if (step.kind === 'each') {
        if (isSeq(node)) return node.items as Node[];
        if (isMap(node)) return node.items.map((pair) => pair.value as Node | null);
        return [];
      }
      if (step.kind === 'index' && isSeq(node)) return [(node.items.at(step.index) as Node | undefined) ?? null];
      if (step.kind === 'key' && isMap(node)) return [(node.get(step.key, true) as Node | undefined) ?? null];
      return [null];
    });
  }
  return nodes;
}

async function viaJq(
  expression: string,
  value: unknown,
  output: Arguments['output'],
  isRaw: boolean,
  context: CommandContext,
): Promise<CommandResult> {
  const result = await context.run(['jq', '-c', expression], { stdin: `${JSON.stringify(value)}\n` });
  if (result.exitCode !== 0) return failure(result.stderr.replace(/^jq: (error: )?/, '').trim());
  const { stringify } = await import('yaml');
  const values = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
  const stdout = values
    .map((item) => {
      if (output === 'json') return `${JSON.stringify(item, null, 2)}\n`;
      return typeof item === 'string' && isRaw ? `${item}\n` : stringify(item, printOptions);
    })
    .join('');
  return { stdout, stderr: '', exitCode: 0 };
}

function looksLikeFile(word: string, context: CommandContext): boolean {
  return (
    !word.startsWith('.') &&
    !word.includes('|') &&
    (context.files.read(absolute(word, context.cwd)) !== undefined || /\.(ya?ml|json)$/.test(word))
  );
}

function absolute(path: string, cwd: string): string {
  return path.startsWith('/') ? path : `${cwd === '/' ? '' : cwd}/${path.replace(/^\.\//, '')}`;
}

function failure(message: string): CommandResult {
  return { stdout: '', stderr: `Error: ${message}\n`, exitCode: 1 };
}
