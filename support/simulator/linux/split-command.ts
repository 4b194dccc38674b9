import type { ScriptNode, TransformPlugin } from 'just-bash';

/** A command whose first word is made by an expansion: `$KUBECTL get pods`, `"${run[@]}"`. */
const hasExpandedCommand = /(?:^|[\n;&|(){]|\b(?:do|then|else|if|while|until|!)\s)\s*(?:\w+=\S*\s+)*"?[$`]/;

const command = { type: 'Word', parts: [{ type: 'Literal', value: 'command' }] } as const;

/**
 * Splits the expanded first word of a command into program and arguments, as POSIX does (XCU 2.9.1): just-bash 3.4 splits only
 * the words after it. With `command` before it, the word is one of those. Not kept: a function's name in a variable.
 */
export function splitsCommand(script: string): TransformPlugin | undefined {
  if (!hasExpandedCommand.test(script)) return undefined;
  return {
    name: 'split-command',
    transform({ ast }) {
      return { ast: split(ast) as ScriptNode };
    },
  };
}

function split(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(split);
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) copy[key] = split(value);
  if (copy['type'] !== 'SimpleCommand' || !isExpanded(copy['name'])) return copy;
  return { ...copy, name: command, args: [copy['name'], ...(copy['args'] as readonly unknown[])] };
}

function isExpanded(word: unknown): boolean {
  const { parts = [] } = (word ?? {}) as {
    readonly parts?: readonly { readonly type: string; readonly parts?: readonly { type: string }[] }[];
  };
  return parts.some(
    ({ type, parts: quoted = [] }) =>
      type === 'ParameterExpansion' || type === 'CommandSubstitution' || quoted.some((part) => part.type === 'ParameterExpansion'),
  );
}
