import { civilTime, formatDate, formatTime } from '../../docker/timestamp.ts';
import type { Command } from '../../docker/types.ts';
import { DeadlineClock, DeadlinePassed } from '../deadline-clock.ts';
import { parseOptions } from './options.ts';
import { CommandFailure, failure, output, run } from './result.ts';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

/** `10`, `1.5s`, `2m`, `1h`, `1d`, in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d*)?|\.\d+)([smhd]?)$/.exec(text);
  if (match === null) return undefined;
  const unit = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as '' | 's' | 'm' | 'h' | 'd'];
  return Number(match[1]) * unit;
}

/** sleep(1) on virtual time. */
export const sleep: Command = (args, context) => {
  if (args.length === 0) return failure("sleep: missing operand\nTry 'sleep --help' for more information.\n");
  let total = 0;
  for (const arg of args) {
    if (arg === 'infinity' || arg === 'inf') return failure('sleep: not simulated: sleep infinity in the foreground would never end\n');
    const duration = durationMs(arg);
    if (duration === undefined) return failure(`sleep: invalid time interval '${arg}'\nTry 'sleep --help' for more information.\n`);
    total += duration;
  }
  context.clock.advance(total);
  return output('');
};

/** timeout(1): the limit is one of virtual time. */
export const timeout: Command = async (args, context) => {
  let parsed: ReturnType<typeof parseOptions>;
  try {
    parsed = parseOptions(args, {
      letters: 'k:s:v',
      long: ['kill-after:', 'signal:', 'preserve-status', 'foreground', 'verbose'],
      unknown: (option) =>
        new CommandFailure(`timeout: invalid option -- '${option.replace(/^-+/, '')}'\nTry 'timeout --help' for more information.\n`, 125),
      stopAtOperand: true,
    });
  } catch (error) {
    if (error instanceof CommandFailure) return error.result;
    throw error;
  }
  const [limitText, ...argv] = parsed.operands;
  if (limitText === undefined || argv.length === 0)
    return failure("timeout: missing operand\nTry 'timeout --help' for more information.\n", 125);
  const limit = durationMs(limitText);
  if (limit === undefined)
    return failure(`timeout: invalid time interval '${limitText}'\nTry 'timeout --help' for more information.\n`, 125);
  const stdin = context.hasStdin ? { stdin: context.stdin } : {};
  if (limit === 0) return context.run(argv, stdin);
  const deadline = context.clock.now() + limit;
  const killed =
    parsed.options.get('signal')?.includes('KILL') || parsed.options.get('s')?.includes('KILL') || parsed.options.get('s')?.includes('9')
      ? 137
      : 124;
  const endStatus = parsed.options.has('preserve-status') ? 143 : killed;
  try {
    const result = await context.run(argv, { ...stdin, clock: new DeadlineClock(context.clock, deadline) });
    // what waits on a clock of its own (another machine's command) is found out afterwards
    return context.clock.now() > deadline ? { stdout: '', stderr: '', exitCode: endStatus } : result;
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error;
    return { stdout: error.stdout, stderr: error.stderr, exitCode: endStatus };
  }
};

export const watch: Command = () => failure('watch: not simulated: it would redraw the screen until it is interrupted\n');

/** date(1) in UTC. */
export const date: Command = (args, context) =>
  run(() => {
    // the value of -I is optional, which getopt's letters cannot say
    const words = args.map((arg) => (arg.startsWith('-I') ? `--iso-8601${arg.length > 2 ? `=${arg.slice(2)}` : ''}` : arg));
    const parsed = parseOptions(words, {
      letters: 'uRd:s:r:',
      long: ['utc', 'universal', 'rfc-email', 'iso-8601', 'iso-8601:', 'rfc-3339:', 'date:'],
      unknown: (option) =>
        new CommandFailure(`date: invalid option -- '${option.replace(/^-+/, '')}'\nTry 'date --help' for more information.\n`, 1),
    });
    if (parsed.options.has('s')) throw new CommandFailure('date: cannot set date: Operation not permitted\n', 1);
    let now = context.clock.now();
    const asked = parsed.options.get('d')?.[0] ?? parsed.options.get('date')?.[0];
    if (asked !== undefined && asked !== 'now') {
      const seconds = /^@(\d+(?:\.\d+)?)$/.exec(asked)?.[1];
      const relative = /^([+-]?\d+) (second|minute|hour|day|week)s?( ago)?$/.exec(asked);
      if (seconds !== undefined) now = Number(seconds) * 1000;
      else if (relative !== null) {
        const unit = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 }[relative[2] as 'second'];
        now += Number(relative[1]) * unit * 1000 * (relative[3] === undefined ? 1 : -1);
      } else throw new CommandFailure(`date: not simulated: -d '${asked}'\n`, 1);
    }
    const format = parsed.operands.find((operand) => operand.startsWith('+'));
    const wrong = parsed.operands.find((operand) => !operand.startsWith('+'));
    if (wrong !== undefined) throw new CommandFailure(`date: invalid date '${wrong}'\n`, 1);
    if (format !== undefined) return output(`${strftime(format.slice(1), now)}\n`);
    if (parsed.options.has('R') || parsed.options.has('rfc-email')) return output(`${strftime('%a, %d %b %Y %T %z', now)}\n`);
    const iso = parsed.options.get('iso-8601')?.[0];
    if (iso !== undefined) {
      const forms: Readonly<Record<string, string>> = {
        '': '%F',
        date: '%F',
        d: '%F',
        s: '%FT%T+00:00',
        seconds: '%FT%T+00:00',
        ns: '%FT%T,%N+00:00',
        m: '%FT%H:%M+00:00',
        h: '%FT%H+00:00',
      };
      return output(`${strftime(forms[iso] ?? '%F', now)}\n`);
    }
    const rfc3339 = parsed.options.get('rfc-3339')?.[0];
    if (rfc3339 !== undefined) return output(`${strftime(rfc3339.startsWith('d') ? '%F' : '%F %T+00:00', now)}\n`);
    return output(`${strftime('%a %b %e %T UTC %Y', now)}\n`);
  });

export function strftime(format: string, epochMs: number): string {
  const time = civilTime(epochMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const one = (letter: string): string => {
    switch (letter) {
      case 'a':
        return (days[time.weekday] as string).slice(0, 3);
      case 'A':
        return days[time.weekday] as string;
      case 'b':
      case 'h':
        return (months[time.month - 1] as string).slice(0, 3);
      case 'B':
        return months[time.month - 1] as string;
      case 'd':
        return two(time.day);
      case 'D':
        return `${two(time.month)}/${two(time.day)}/${two(time.year % 100)}`;
      case 'e':
        return String(time.day).padStart(2);
      case 'F':
        return formatDate(time);
      case 'H':
        return two(time.hour);
      case 'I':
        return two(time.hour % 12 === 0 ? 12 : time.hour % 12);
      case 'j':
        return String(time.dayOfYear).padStart(3, '0');
      case 'm':
        return two(time.month);
      case 'M':
        return two(time.minute);
      case 'n':
        return '\n';
      case 'N':
        return `${Math.floor(time.milliseconds * 1000)
          .toString()
          .padStart(6, '0')}000`;
      case 'p':
        return time.hour < 12 ? 'AM' : 'PM';
      case 'R':
        return `${two(time.hour)}:${two(time.minute)}`;
      case 's':
        return String(Math.floor(epochMs / 1000));
      case 'S':
        return two(time.second);
      case 't':
        return '\t';
      case 'T':
      case 'X':
        return formatTime(time);
      case 'u':
        return String(time.weekday === 0 ? 7 : time.weekday);
      case 'w':
        return String(time.weekday);
      case 'y':
        return two(time.year % 100);
      case 'Y':
        return String(time.year);
      case 'z':
        return '+0000';
      case 'Z':
        return 'UTC';
      case '%':
        return '%';
      default:
        return `%${letter}`;
    }
  };
  return format.replace(/%([-_0^#]?)(\d*)([A-Za-z%])/g, (_whole, flag: string, width: string, letter: string) => {
    const text = one(letter);
    // %3N: milliseconds
    if (letter === 'N' && width !== '') return text.slice(0, Number(width));
    return flag === '-' ? text.replace(/^[0 ]+(?=\d)/, '') : text;
  });
}
