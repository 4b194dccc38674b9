import { resolvePath } from '../docker/file-system.ts';
import type { Command } from '../docker/types.ts';
import { output } from './commands/result.ts';

/**
 * The plainest uses of a few text tools, so that a lone `cat FILE` or `echo` need not load a shell.
 * Anything more (options, pipes) goes to just-bash's full versions: undefined then.
 */
export function lightCommand(name: string, args: readonly string[]): Command | undefined {
  if (args.some((arg) => arg.startsWith('-'))) return undefined;
  switch (name) {
    case 'true':
      return () => output('');
    case 'false':
      return () => output('', 1);
    case 'echo':
      return () => output(`${args.join(' ')}\n`);
    case 'pwd':
      return (_args, context) => output(`${context.cwd}\n`);
    case 'cat':
      return cat;
    case 'env':
    case 'printenv':
      if (args.length > 0) return undefined;
      return (_args, context) => output([...context.env].map(([key, value]) => `${key}=${value}\n`).join(''));
    default:
      return undefined;
  }
}

const cat: Command = (args, context) => {
  if (args.length === 0) return output(context.stdin);
  let stdout = '';
  let stderr = '';
  for (const path of args) {
    const full = resolvePath(context.cwd, path);
    const text = context.files.read(full);
    if (text !== undefined) stdout += text;
    else stderr += `cat: ${path}: ${context.files.isDirectory(full) ? 'Is a directory' : 'No such file or directory'}\n`;
  }
  return { stdout, stderr, exitCode: stderr === '' ? 0 : 1 };
};
