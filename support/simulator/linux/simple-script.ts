/** One command of a script that needs no shell, and when it runs after the one before it. */
export interface SimpleCommand {
  readonly argv: readonly string[];
  readonly after: 'always' | 'success' | 'failure';
}

/**
 * Reads a script that is nothing but commands with plain or quoted words, joined by `;`, line ends, `&&` and `||`:
 * such scripts (most `exec` lines of a topology) run without loading a shell. Undefined for anything else.
 */
export function parseSimpleScript(script: string): readonly SimpleCommand[] | undefined {
  const commands: SimpleCommand[] = [];
  let argv: string[] = [];
  let after: SimpleCommand['after'] = 'always';
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) argv.push(word);
    word = undefined;
  };
  const endCommand = (next: SimpleCommand['after']): boolean => {
    endWord();
    if (argv.length === 0) return next === 'always' && after === 'always';
    commands.push({ argv, after });
    argv = [];
    after = next;
    return true;
  };
  for (let index = 0; index < script.length; index++) {
    const char = script[index] as string;
    if (char === "'") {
      const end = script.indexOf("'", index + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + script.slice(index + 1, end);
      index = end;
    } else if (char === '"') {
      const end = script.indexOf('"', index + 1);
      if (end < 0) return undefined;
      const text = script.slice(index + 1, end);
      if (/[$`\\!]/.test(text)) return undefined;
      word = (word ?? '') + text;
      index = end;
    } else if (char === '\\' && script[index + 1] === '\n') {
      index++;
    } else if (char === ' ' || char === '\t') {
      endWord();
    } else if (char === '\n' || char === ';') {
      if (!endCommand('always')) return undefined;
    } else if ((char === '&' && script[index + 1] === '&') || (char === '|' && script[index + 1] === '|')) {
      if (argv.length === 0 && word === undefined) return undefined;
      if (!endCommand(char === '&' ? 'success' : 'failure')) return undefined;
      index++;
    } else if (/[A-Za-z0-9_./:@%+,^-]/.test(char) || (char === '=' && (argv.length > 0 || script[index - 1] === undefined))) {
      word = (word ?? '') + char;
    } else {
      return undefined;
    }
  }
  // a trailing && or || asks for more
  if (!endCommand('always') && after !== 'always') return undefined;
  return commands.length > 0 && commands.every((command) => /^[A-Za-z0-9_./-]+$/.test(command.argv[0] ?? '')) ? commands : undefined;
}
