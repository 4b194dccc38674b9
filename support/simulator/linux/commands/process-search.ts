import { type ContainerProcess, processesIn } from '../../docker/process-table.ts';
import type { Command, CommandResult, Container } from '../../docker/types.ts';
import { processAt, shellsIn } from '../shell-process.ts';
import { signalNumberOf, signals, signalTable } from '../signals.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, failure, output, run } from './result.ts';

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

/** `9`, `KILL`, `SIGKILL`; undefined when there is none of that name. */
function signalName(text: string): string | undefined {
  if (text === '0' || text.toUpperCase() === 'EXIT') return '0';
  const number = signalNumberOf(text);
  return number === undefined ? undefined : signals[number - 1];
}

/** Delivers a signal. Process 1 hears only what it has a handler for, and never SIGKILL from inside (signal(7), pid_namespaces(7)). */
function deliver(container: Container, { pid, program, process }: ContainerProcess, signal: string, tool: string): void {
  if (signal === '0') return;
  if (signal === 'STOP') throw new CommandFailure(`${tool}: not simulated: SIG${signal}\n`, 1);
  if (process !== undefined) {
    if (!process.signal(signal)) throw new CommandFailure(`${tool}: not simulated: SIG${signal} to ${process.command}\n`, 1);
    return;
  }
  if (signal === 'CONT') throw new CommandFailure(`${tool}: not simulated: SIG${signal}\n`, 1);
  const ends = ['HUP', 'INT', 'QUIT', 'KILL', 'TERM', 'ABRT', 'SEGV'].includes(signal);
  if (!ends) return;
  if (pid === 1) {
    const main = container.programs.find((each) => each.processes === undefined && each.ignoresTerm !== true);
    if (signal === 'KILL' || main === undefined) return;
    container.exit?.(0);
    return;
  }
  if (program === undefined) {
    // the shell below tini: with it the container ends
    if (signal === 'KILL' || signal === 'HUP') container.exit?.(signal === 'KILL' ? 137 : 129);
    return;
  }
  throw new CommandFailure(`${tool}: not simulated: a signal to ${program.name}\n`, 1);
}

/** kill(1). */
export const kill: Command = (args, { container }) =>
  run(() => {
    const words = [...args];
    let signal = 'TERM';
    if (words[0] === '-l' || words[0] === '-L') return listSignals(words.slice(1));
    if (/^-[sn]./.test(words[0] ?? '')) words.splice(0, 1, (words[0] as string).slice(0, 2), (words[0] as string).slice(2));
    if (words[0] === '-s' || words[0] === '-n') {
      const text = words[1] ?? '';
      signal = signalName(text) ?? fail(`bash: kill: ${text}: invalid signal specification\n`);
      words.splice(0, 2);
    } else if (words[0]?.startsWith('-') === true && words[0] !== '--') {
      const text = (words.shift() as string).slice(1);
      signal = signalName(text) ?? fail(`bash: kill: ${text}: invalid signal specification\n`);
    }
    if (words[0] === '--') words.shift();
    if (words.length === 0) fail('kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]\n', 2);
    let stderr = '';
    let isHeard = false;
    for (const word of words) {
      const one = /^\d+$/.test(word) ? processAt(container, Number(word)) : undefined;
      const found = word === '0' ? shellsIn(container) : one === undefined ? [] : [one];
      for (const each of found) deliver(container, each, signal, 'kill');
      if (found.length > 0) isHeard = true;
      else if (/^\d+$/.test(word)) stderr += `bash: kill: (${word}) - No such process\n`;
      else stderr += `bash: kill: ${word}: arguments must be process or job IDs\n`;
    }
    // one that was there is enough for bash
    return { stdout: '', stderr, exitCode: isHeard ? 0 : 1 };
  });

/** `kill -l`: all of them, or number to name and back (a status above 128 is that of a signal). */
function listSignals(words: readonly string[]): CommandResult {
  if (words.length === 0) return output(signalTable());
  let stdout = '';
  for (const word of words) {
    const number = signalNumberOf(/^\d+$/.test(word) && Number(word) > 128 ? String(Number(word) - 128) : word);
    if (number === undefined) return { stdout, stderr: `bash: kill: ${word}: invalid signal specification\n`, exitCode: 1 };
    stdout += `${/^\d+$/.test(word) ? signals[number - 1] : number}\n`;
  }
  return output(stdout);
}

function fail(text: string, exitCode = 1): never {
  throw new CommandFailure(text, exitCode);
}

/** pkill(1) of procps: a signal to all that match, itself left out. */
export const pkill: Command = (args, { container }) =>
  run(() => {
    const words = [...args];
    const at = words.findIndex((word) => /^-(?:[A-Z]|\d)/.test(word) && signalName(word.slice(1)) !== undefined);
    const signal = at < 0 ? 'TERM' : (signalName((words.splice(at, 1)[0] as string).slice(1)) ?? 'TERM');
    const { options, operands } = parseOptions(words, {
      letters: 'fxinoe',
      long: ['full', 'exact', 'ignore-case', 'newest', 'oldest', 'echo', 'signal:'],
      unknown: (option) => new CommandFailure(`pkill: not simulated: ${option}\n`, 2),
    });
    const has = (letter: string, long: string): boolean => options.has(letter) || options.has(long);
    const [pattern] = operands;
    if (pattern === undefined) fail("pkill: no matching criteria specified\nTry `pkill --help' for more information.\n", 2);
    const chosen =
      signalName(options.get('signal')?.[0] ?? signal) ?? fail(`pkill: Unknown signal "${options.get('signal')?.[0] ?? ''}".\n`, 2);
    const expression = new RegExp(has('x', 'exact') ? `^(?:${pattern})$` : (pattern as string), has('i', 'ignore-case') ? 'i' : '');
    let found = processesIn(container).filter(({ command }) => expression.test(has('f', 'full') ? command : shortName(command)));
    if (has('n', 'newest')) found = found.slice(-1);
    if (has('o', 'oldest')) found = found.slice(0, 1);
    for (const each of found) deliver(container, each, chosen, 'pkill');
    return output(
      has('e', 'echo') ? found.map(({ pid, command }) => `${shortName(command)} killed (pid ${pid})\n`).join('') : '',
      found.length > 0 ? 0 : 1,
    );
  });

/** killall(1) of psmisc: by exact names. */
export const killall: Command = (args, { container }) =>
  run(() => {
    let signal = 'TERM';
    let isQuiet = false;
    const names: string[] = [];
    const words = [...args];
    while (words.length > 0) {
      const word = words.shift() as string;
      if (word === '-s' || word === '--signal')
        signal = signalName(words.shift() ?? '') ?? fail(`${word}: unknown signal; killall -l lists signals.\n`);
      else if (word === '-q' || word === '--quiet') isQuiet = true;
      else if (word === '-v' || word === '-w' || word === '-e') continue;
      else if (word.startsWith('-'))
        signal = signalName(word.slice(1)) ?? fail(`${word.slice(1)}: unknown signal; killall -l lists signals.\n`);
      else names.push(word);
    }
    if (names.length === 0) fail('Usage: killall [OPTION]... [--] NAME...\n');
    let stderr = '';
    for (const name of names) {
      const found = processesIn(container).filter(({ command }) => shortName(command) === shortName(name));
      if (found.length === 0 && !isQuiet) stderr += `${name}: no process found\n`;
      for (const each of found) deliver(container, each, signal, 'killall');
      if (found.length === 0 && isQuiet) return output('', 1);
    }
    return { stdout: '', stderr, exitCode: stderr === '' ? 0 : 1 };
  });
