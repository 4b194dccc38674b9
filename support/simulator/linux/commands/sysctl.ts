import { resolvePath } from '../../docker/file-system.ts';
import type { Command } from '../../docker/types.ts';
import { errnoText } from '../../net/network-error.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, errnoOf, run } from './result.ts';

/** sysctl(8) of procps: reads and writes the settings of the network namespace. */
export const sysctl: Command = (args, context) =>
  run(() => {
    const { namespace } = context.container;
    const parsed = parseOptions(args, {
      letters: 'anNeqwbxXAhVpr:',
      long: ['all', 'values', 'names', 'ignore', 'quiet', 'write', 'load', 'system'],
      unknown: (option) => new CommandFailure(`sysctl: invalid option -- '${option.replace(/^-+/, '')}'\n`, 1),
    });
    const has = (letter: string, long: string): boolean => parsed.options.has(letter) || parsed.options.has(long);
    const valuesOnly = has('n', 'values');
    const namesOnly = has('N', 'names');
    const isQuiet = has('q', 'quiet');
    const ignoresUnknown = has('e', 'ignore');
    let stdout = '';
    let stderr = '';
    let exitCode = 0;
    const show = (key: string, value: string): void => {
      stdout += valuesOnly ? `${value}\n` : namesOnly ? `${key}\n` : `${key} = ${value}\n`;
    };
    const unknown = (key: string): void => {
      if (ignoresUnknown) return;
      stderr += `sysctl: cannot stat /proc/sys/${key.replaceAll('.', '/')}: No such file or directory\n`;
      exitCode = 1;
    };
    const set = (assignment: string): void => {
      const [name = '', ...rest] = assignment.split('=');
      const key = dotted(name.trim());
      const value = rest.join('=').trim();
      try {
        if (namespace.getSysctl(key) === undefined || !namespace.setSysctl(key, value)) {
          unknown(key);
          return;
        }
      } catch (error) {
        const refused = errnoOf(error);
        if (refused === undefined) throw error;
        stderr += `sysctl: setting key "${key}": ${errnoText(refused.errno)}\n`;
        exitCode = 1;
        return;
      }
      if (!isQuiet) show(key, value);
    };
    if (parsed.options.has('system')) throw new CommandFailure('sysctl: not simulated: --system\n', 1);
    if (has('a', 'all') || parsed.options.has('A')) {
      for (const [key, value] of [...namespace.sysctls].sort(([a], [b]) => (a < b ? -1 : 1))) show(key, value);
    } else if (has('p', 'load')) {
      const path = parsed.operands[0] ?? '/etc/sysctl.conf';
      const text = context.files.read(resolvePath(context.cwd, path));
      if (text === undefined) throw new CommandFailure(`sysctl: cannot open "${path}": No such file or directory\n`, 1);
      for (const line of text.split('\n')) if (/^\s*[^#;\s].*=/.test(line)) set(line);
    } else if (parsed.operands.length === 0) {
      throw new CommandFailure("sysctl: no variables specified\nTry `sysctl --help' for more information.\n", 1);
    }
    if (!has('p', 'load')) {
      for (const operand of parsed.operands) {
        if (operand.includes('=')) set(operand);
        else if (has('w', 'write')) {
          stderr += `sysctl: "${operand}" must be of the form name=value\n`;
          exitCode = 1;
        } else {
          const key = dotted(operand);
          const value = namespace.getSysctl(key);
          if (value !== undefined) show(key, value);
          else {
            const inside = [...namespace.sysctls].filter(([name]) => name.startsWith(`${key}.`)).sort(([a], [b]) => (a < b ? -1 : 1));
            if (inside.length === 0) unknown(key);
            for (const [name, found] of inside) show(name, found);
          }
        }
      }
    }
    return { stdout, stderr, exitCode };
  });

/** `net/ipv4/ip_forward` is the same key; a dot within a name is a slash in the dotted form. */
function dotted(name: string): string {
  const text = name.replace(/^-/, '');
  const slash = text.indexOf('/');
  const dot = text.indexOf('.');
  if (slash < 0 || (dot >= 0 && dot < slash)) return text;
  return text.replace(/[./]/g, (char) => (char === '/' ? '.' : '/'));
}
