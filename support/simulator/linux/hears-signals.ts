import type { ScriptNode, TransformPlugin } from 'just-bash';
import type { JustBash } from './load-library.ts';
import type { ShellProcess } from './shell-process.ts';
import { groupOf, literal, type Node } from './syntax.ts';

/** Scripts in which a signal may reach the shell that runs them: nothing else runs meanwhile. */
export const maySignal = /kill|PPID/;

const shells = /^(?:.*\/)?(?:ba|da|a)?sh$/;

/** What follows a command after which the shell looks for signals; the first statement stands for that command. */
const template = `{ :; if simulated-signals "$BASHPID" "$?" "\${PIPESTATUS[@]}"; then eval "$(simulated-handler)"; fi; simulated-status "$BASHPID"; }`;

/** Their commands. */
export const signalCommands = ['simulated-signals', 'simulated-handler', 'simulated-status'] as const;

/**
 * A shell looks for signals when a command has ended, and runs the action of a trap or ends there. just-bash knows none, so each
 * pipeline after which there may be one is followed by that look. `trap` gets the process it speaks for: a subshell's are its own.
 */
export function hearsSignals(library: JustBash, script: string): TransformPlugin | undefined {
  if (!maySignal.test(script)) return undefined;
  return {
    name: 'hears-signals',
    transform: ({ ast }) => ({ ast: new Rewriter(library).rewrite(ast) as ScriptNode }),
  };
}

class Rewriter {
  readonly #library: JustBash;
  readonly #functions = new Set<string>();
  /** How many substitutions are around: in them bash does not tell how a command ended. */
  #substitutions = 0;

  constructor(library: JustBash) {
    this.#library = library;
  }

  rewrite(ast: ScriptNode): unknown {
    this.#collectFunctions(ast);
    return this.#visit(ast, false);
  }

  #collectFunctions(node: unknown): void {
    if (Array.isArray(node)) for (const each of node) this.#collectFunctions(each);
    else if (typeof node === 'object' && node !== null) {
      const { type, name } = node as Node;
      if (type === 'FunctionDef' && typeof name === 'string') this.#functions.add(name);
      for (const value of Object.values(node)) this.#collectFunctions(value);
    }
  }

  /** `isPiped`: part of a pipeline, where just-bash gives a command the process of its shell; the pipeline's end is early enough. */
  #visit(node: unknown, isPiped: boolean): unknown {
    if (Array.isArray(node)) return node.map((each) => this.#visit(each, isPiped));
    if (typeof node !== 'object' || node === null) return node;
    const { type, name } = node as Node;
    const isOwnProcess = type === 'Subshell' || type === 'CommandSubstitution' || type === 'ProcessSubstitution';
    const inside = isOwnProcess ? false : isPiped || (type === 'Pipeline' && commandsOf(node as Node).length > 1);
    const copy: Record<string, unknown> = {};
    if (type === 'CommandSubstitution') this.#substitutions++;
    for (const [key, value] of Object.entries(node)) copy[key] = this.#visit(value, inside);
    if (type === 'CommandSubstitution') this.#substitutions--;
    if (type === 'SimpleCommand' && literal(name) === 'trap') copy['args'] = [shellWord, ...(copy['args'] as readonly unknown[])];
    if (type === 'SimpleCommand' && literal(name) === 'eval') copy['args'] = this.#evaluated(copy['args'] as readonly Node[]);
    if (type === 'Pipeline' && !isPiped && this.#needsLook(node as Node)) return this.#withLook(node as Node, copy);
    return copy;
  }

  /** A script in quotes is one, too. */
  #evaluated(args: readonly Node[]): readonly unknown[] {
    const [{ parts = [] } = {}, ...others] = args as readonly { readonly parts?: readonly Node[] }[];
    const [part] = parts;
    if (others.length > 0 || parts.length !== 1 || part?.['type'] !== 'SingleQuoted' || !maySignal.test(String(part['value']))) return args;
    try {
      const value = this.#library.serialize(this.rewrite(this.#library.parse(String(part['value']))) as ScriptNode);
      return [{ type: 'Word', parts: [{ ...part, value }] }];
    } catch {
      return args; // eval itself says what is wrong with it
    }
  }

  #needsLook(pipeline: Node): boolean {
    if (pipeline['timed'] === true) return false;
    const commands = commandsOf(pipeline);
    const [first] = commands;
    if (first === undefined) return false;
    if (commands.length === 1 && first['type'] !== 'SimpleCommand' && first['type'] !== 'Subshell') return false;
    if (/kill|PPID/.test(JSON.stringify(commands))) return true;
    return commands.some((command) => {
      const words = [command['name'], ...((command['args'] as readonly unknown[] | undefined) ?? [])].map(literal);
      const [name] = words;
      return name === undefined || this.#functions.has(name) || words.some((word) => word !== undefined && shells.test(word));
    });
  }

  #withLook(pipeline: Node, visited: Node): Node {
    const { outer, group, body: parts } = groupOf(this.#library, template);
    const [first, look, status] = parts;
    const commands = commandsOf(pipeline);
    // Of several commands in a pipeline bash lists them all, which is not simulated; what `exec` has started is the shell itself.
    const isTold = commands.length === 1 && this.#substitutions === 0;
    const text = literal(commands[0]?.['name']) === 'exec' ? 'exec' : isTold ? this.#textOf(pipeline) : '';
    const line = commands[0]?.['line'];
    const inner = { ...visited, negated: false };
    const body = [{ ...first, pipelines: [inner] }, withArguments(look as Node, [String(line ?? 1), text]), status];
    return { ...outer, negated: pipeline['negated'], commands: [{ ...group, body }] };
  }

  #textOf(pipeline: Node): string {
    const statement = { type: 'Statement', pipelines: [{ ...pipeline, negated: false }], operators: [], background: false };
    const text = this.#library.serialize({ type: 'Script', statements: [statement] } as unknown as ScriptNode).trim();
    return text.startsWith('(') && text.endsWith(')') ? `( ${text.slice(1, -1).replaceAll('\n', '; ')} )` : text;
  }
}

function commandsOf(pipeline: Node): readonly Node[] {
  return pipeline['commands'] as readonly Node[];
}

const shellWord = {
  type: 'Word',
  parts: [
    { type: 'Literal', value: '--simulated-shell=' },
    { type: 'ParameterExpansion', parameter: 'BASHPID', operation: null },
  ],
} as const;

/** Puts words in front of those of the first command in a statement. */
function withArguments(node: Node, words: readonly string[]): Node {
  let isDone = false;
  const visit = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.map(visit);
    if (typeof each !== 'object' || each === null) return each;
    const copy: Record<string, unknown> = { ...each };
    if (copy['type'] === 'SimpleCommand' && !isDone) {
      isDone = true;
      const added = words.map((value) => ({ type: 'Word', parts: [{ type: 'SingleQuoted', value }] }));
      copy['args'] = [...added, ...(copy['args'] as readonly unknown[])];
      return copy;
    }
    for (const [key, value] of Object.entries(copy)) copy[key] = visit(value);
    return copy;
  };
  return visit(node) as Node;
}

/** What a script looks for signals with (hears-signals.ts). */
export function signalCommand(
  library: JustBash,
  name: (typeof signalCommands)[number],
  process: ShellProcess,
): ReturnType<JustBash['defineCommand']> {
  return library.defineCommand(name, async (args) => {
    if (name === 'simulated-handler')
      return { stdout: process.nextAction(args[0] === undefined ? undefined : Number(args[0])), stderr: '', exitCode: 0 };
    if (name === 'simulated-signals') {
      const [line = '', text = '', pid = '', ...status] = args;
      const isPending = process.note(Number(pid), status.map(Number));
      return { stdout: '', stderr: process.epitaph(line, text), exitCode: isPending ? 0 : 1 };
    }
    const [exitCode = 0, ...pipeStatus] = process.statusOf(Number(args[0]));
    return { stdout: '', stderr: '', exitCode, internalPipeStatusOverride: pipeStatus };
  });
}
