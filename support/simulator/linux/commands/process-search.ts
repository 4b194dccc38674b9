import type { Command } from '../../docker/types.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, failure, output, run } from './result.ts';
import { processesIn } from './system.ts';

/** The name that the kernel keeps of a program: without its folder, 15 bytes. */
function shortName(command: string): string {
  return (command.split(' ')[0] ?? '').replace(/^.*\//, '').slice(0, 15);
}

/** pgrep(1) of procps: process ids by name or, with -f, by command line. */
export const pgrep: Command = (args, { container }) =>
  run(() => {
    const { options, operands } = parseOptions(args, {
      letters: 'flaxcvinod:',
      long: ['full', 'list-name', 'list-full', 'exact', 'count', 'inverse', 'ignore-case', 'newest', 'oldest', 'delimiter:'],
      unknown: (option) => new CommandFailure(`pgrep: not simulated: ${option}\n`, 2),
    });
    const has = (letter: string, long: string): boolean => options.has(letter) || options.has(long);
    const [pattern] = operands;
    if (pattern === undefined)
      throw new CommandFailure("pgrep: no matching criteria specified\nTry `pgrep --help' for more information.\n", 2);
    if (operands.length > 1)
      throw new CommandFailure("pgrep: only one pattern can be provided\nTry `pgrep --help' for more information.\n", 2);
    const expression = new RegExp(has('x', 'exact') ? `^(?:${pattern})$` : pattern, has('i', 'ignore-case') ? 'i' : '');
    let found = processesIn(container).filter(
      ({ command }) => expression.test(has('f', 'full') ? command : shortName(command)) !== has('v', 'inverse'),
    );
    if (has('n', 'newest')) found = found.slice(-1);
    if (has('o', 'oldest')) found = found.slice(0, 1);
    const status = found.length > 0 ? 0 : 1;
    if (has('c', 'count')) return output(`${found.length}\n`, status);
    const lines = found.map(({ pid, command }) => {
      if (has('a', 'list-full')) return `${pid} ${command}`;
      return has('l', 'list-name') ? `${pid} ${shortName(command)}` : String(pid);
    });
    const delimiter = options.get('d')?.[0] ?? options.get('delimiter')?.[0] ?? '\n';
    return output(lines.length === 0 ? '' : `${lines.join(delimiter)}\n`, status);
  });

/** pidof(1): process ids by a program's exact name, newest first. */
export const pidof: Command = (args, { container }) => {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const unknown = args.find((arg) => arg.startsWith('-') && arg !== '-s');
  if (unknown !== undefined) return failure(`pidof: not simulated: ${unknown}\n`);
  const found = processesIn(container)
    .filter(({ command }) => names.some((name) => shortName(name) === shortName(command)))
    .map(({ pid }) => pid)
    .reverse();
  const shown = args.includes('-s') ? found.slice(0, 1) : found;
  return shown.length === 0 ? output('', 1) : output(`${shown.join(' ')}\n`);
};
