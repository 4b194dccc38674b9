import type { ResolvedCommandContext, ScriptNode, TransformPlugin } from 'just-bash';
import { decodeRaw, hasRawBytes } from '../docker/byte-text.ts';
import type { JustBash } from './load-library.ts';
import { groupOf, literal, type Node, pipelineOf } from './syntax.ts';

export const mayRead = /\b(?:read|mapfile|readarray)\b/;

/** Options that take a value (bash's `read` and `mapfile`). */
const withValue: Readonly<Record<string, string>> = { read: 'adinNptu', mapfile: 'dnOsuCc', readarray: 'dnOsuCc' };

export const readCommand = 'simulated-decode';

/**
 * What just-bash 3.4 reads into a variable are the bytes of its input, one letter for each: after `read` and `mapfile` they become
 * text. Undefined for a script that does not read.
 */
export function readsText(library: JustBash, script: string): TransformPlugin | undefined {
  if (!mayRead.test(script)) return undefined;
  return { name: 'reads-text', transform: ({ ast }) => ({ ast: visit(library, ast) as ScriptNode }) };
}

function visit(library: JustBash, node: unknown): unknown {
  if (Array.isArray(node)) return node.map((each) => visit(library, each));
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) copy[key] = visit(library, value);
  if (copy['type'] !== 'Pipeline') return copy;
  return { ...copy, commands: (copy['commands'] as readonly Node[]).map((command) => decoded(library, command)) };
}

/** `read NAME…` → `{ read NAME…; simulated-decode STATUS NAME…; }`, with the input for the first of them. */
function decoded(library: JustBash, command: Node): Node {
  const name = literal(command['name']);
  if (command['type'] !== 'SimpleCommand' || name === undefined || withValue[name] === undefined) return command;
  const words = (command['args'] as readonly unknown[]).map(literal);
  if (words.includes(undefined) && name !== 'read') return command;
  const { names, array } = namesOf(name, words);
  const list = array === undefined ? names.join(' ') : `${array} "\${${array}[@]}"`;
  const isCopy = words.includes('-u') || JSON.stringify(command['redirections']).includes('<&');
  const template = `{ :; ${readCommand} "$?" ${isCopy ? 'copy' : 'bytes'} ${array === undefined ? 'names' : 'array'} ${list}; }`;
  const { group, body } = groupOf(library, template);
  const [first, second] = body;
  const reading = { ...pipelineOf(first), commands: [command] };
  return { ...group, body: [{ ...first, pipelines: [reading] }, second] };
}

function namesOf(command: string, words: readonly (string | undefined)[]): { readonly names: readonly string[]; readonly array?: string } {
  const names: string[] = [];
  let array = command === 'read' ? undefined : 'MAPFILE';
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === undefined) continue;
    const option = /^-([A-Za-z]+)/.exec(word);
    if (option === null) {
      if (/^[A-Za-z_]\w*$/.test(word)) names.push(word);
      continue;
    }
    const at = [...(option[1] as string)].findIndex((letter) => withValue[command]?.includes(letter));
    if (at < 0) continue;
    const isJoined = at + 2 < word.length;
    const value = isJoined ? word.slice(at + 2) : words[index + 1];
    if (!isJoined) index++;
    if (command === 'read' && word[at + 1] === 'a') array = value;
  }
  if (command !== 'read' && names[0] !== undefined) array = names[0];
  const isName = array !== undefined && /^[A-Za-z_]\w*$/.test(array);
  return isName ? { names: [], array: array as string } : { names: names.length === 0 ? ['REPLY'] : names };
}

/** `simulated-decode STATUS bytes|copy names NAME…` or `… array NAME VALUE…`. */
export async function decodeRead(
  [status = '0', source = '', kind = '', ...words]: readonly string[],
  { env, assignShellVariable }: ResolvedCommandContext,
): Promise<number> {
  if (kind === 'array') {
    const [name = '', ...values] = words;
    for (const [index, value] of values.entries()) {
      const text = textOf(value, source);
      if (text !== value) await assignShellVariable?.(name, text, String(index));
    }
    return Number(status);
  }
  for (const name of words) {
    const value = env.get(name);
    if (value === undefined) continue;
    const text = textOf(value, source);
    if (text !== value) env.set(name, text);
  }
  return Number(status);
}

/** A copied descriptor gives text already: there letters of Latin-1 may be just those. */
function textOf(value: string, source: string): string {
  if (!/[\x80-\xff]/.test(value) || /[^\0-\xff]/.test(value)) return value;
  const text = decodeRaw(Buffer.from(value, 'latin1'));
  return source === 'copy' && hasRawBytes(text) ? value : text;
}
