import type { ScriptNode, TransformPlugin } from 'just-bash';

const folder = /^\/(?:usr\/sbin|sbin|usr\/local\/s?bin)\/(?=[\w-]+$)/;

/** Programs whose operands begin with another program. */
const runners = new Set(['env', 'exec', 'command', 'nohup', 'sudo', 'time', 'builtin']);

/** just-bash looks for programs in /usr/bin and /bin only: a command's own path is turned to there; other words stay as they are. */
export function findsCommands(script: string): TransformPlugin | undefined {
  if (!/\/(?:usr\/sbin|sbin|usr\/local\/s?bin)\//.test(script)) return undefined;
  return {
    name: 'command-paths',
    transform({ ast }) {
      return { ast: rewrite(ast) as ScriptNode };
    },
  };
}

function rewrite(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rewrite);
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) copy[key] = rewrite(value);
  if (copy['type'] !== 'SimpleCommand') return copy;
  const name = textOf(copy['name']);
  const args = (copy['args'] ?? []) as readonly unknown[];
  const first = args.findIndex((word) => !/^-|=/.test(textOf(word) ?? '-'));
  const isRunner = name !== undefined && runners.has(name.replace(/^.*\//, '')) && first >= 0;
  return {
    ...copy,
    name: moved(copy['name']),
    args: isRunner ? args.map((word, index) => (index === first ? moved(word) : word)) : args,
  };
}

/** The text of a word that is nothing but text. */
function textOf(word: unknown): string | undefined {
  const { parts = [] } = (word ?? {}) as { readonly parts?: readonly { readonly type: string; readonly value?: string }[] };
  const [part, ...others] = parts;
  return others.length === 0 && part?.type === 'Literal' ? part.value : undefined;
}

function moved(word: unknown): unknown {
  const text = textOf(word);
  if (text === undefined || !folder.test(text)) return word;
  return { ...(word as object), parts: [{ type: 'Literal', value: text.replace(folder, '/usr/bin/') }] };
}
