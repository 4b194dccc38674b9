import type { Timer } from '../../clock/clock.ts';
import { resolvePath } from '../file-system.ts';
import type { Container, Program } from '../types.ts';

/** One simple command of a script, and on what end of the one before it it runs. */
interface Step {
  readonly argv: readonly string[];
  readonly after: 'always' | 'success' | 'failure';
  /** `> FILE` or `>> FILE`. */
  readonly into: { readonly path: string; readonly appends: boolean } | undefined;
}

type PlainScript = readonly Step[];

/** What a command prints and answers; a number alone is a pause in milliseconds. */
type Outcome =
  | { readonly exitCode: number; readonly stdout?: string; readonly stderr?: string; readonly ends?: boolean }
  | { readonly pauseMs: number };

const unit = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const words = /"([^"$`\\]*)"|'([^']*)'|&&|\|\||>>|>|[;\n]|[^\s;&|<>"'$`\\(){}*?!#]+|(\S)/g;
const known = new Set([
  'touch',
  'rm',
  'mkdir',
  'echo',
  'cat',
  'test',
  '[',
  'ls',
  'stat',
  'true',
  ':',
  'false',
  'exit',
  'sleep',
  'exec',
  'grep',
  'hostname',
]);

/**
 * A script of nothing but the plainest commands on files, `sleep` and `exit`, joined by `;`, `&&` and `||`: what the
 * main process or the probe of an example pod often is. It needs no shell, and no turn of the host's event loop: so it
 * can run inside an event. Undefined: it is more than that.
 */
export function parsePlainScript(script: string): PlainScript | undefined {
  const steps: Step[] = [];
  let argv: string[] = [];
  let after: Step['after'] = 'always';
  let into: Step['into'];
  let redirect: '>' | '>>' | undefined;
  const end = (next: Step['after']): boolean => {
    if (redirect !== undefined) return false;
    if (argv.length === 0) return after === 'always' && next === 'always' && into === undefined;
    steps.push({ argv, after, into });
    argv = [];
    into = undefined;
    after = next;
    return true;
  };
  for (const match of script.matchAll(words)) {
    const [text, double, single, other] = match;
    if (other !== undefined && !(text === '[' || text === ']')) return undefined;
    const isQuoted = double !== undefined || single !== undefined;
    if (!isQuoted && (text === ';' || text === '\n')) {
      if (!end('always')) return undefined;
    } else if (!isQuoted && (text === '&&' || text === '||')) {
      if (argv.length === 0 || !end(text === '&&' ? 'success' : 'failure')) return undefined;
    } else if (!isQuoted && (text === '>' || text === '>>')) {
      if (redirect !== undefined || argv.length === 0) return undefined;
      redirect = text;
    } else {
      const word = double ?? single ?? text;
      if (redirect === undefined) argv.push(word);
      else into = { path: word, appends: redirect === '>>' };
      redirect = undefined;
    }
  }
  if (!end('always') || after !== 'always') return undefined;
  return steps.length > 0 && steps.every(isKnown) ? steps : undefined;
}

/** A command line as an image or a probe has it: one of those commands itself, or a script of them in a shell. */
export function parsePlainCommand(line: readonly string[]): PlainScript | undefined {
  const [program = '', ...args] = line;
  const name = program.replace(/^.*\//, '');
  if (['sh', 'bash', 'ash', 'dash'].includes(name)) {
    const script = args.length === 2 && /^-[eux]*c$/.test(args[0] ?? '') ? args[1] : undefined;
    return script === undefined ? undefined : parsePlainScript(script);
  }
  const step: Step = { argv: [name, ...args], after: 'always', into: undefined };
  return name !== 'exit' && isKnown(step) ? [step] : undefined;
}

function isKnown({ argv, into }: Step): boolean {
  const [name = '', ...args] = argv;
  if (!known.has(name) || (into !== undefined && name !== 'echo' && name !== 'cat')) return false;
  const options = args.filter((arg) => /^-./.test(arg));
  switch (name) {
    case 'rm':
      return options.every((option) => /^-[rf]+$/.test(option));
    case 'mkdir':
      return options.every((option) => option === '-p');
    case 'echo':
      return options.every((option) => option === '-n');
    case 'grep':
      return args.length - options.length === 2 && options.every((option) => /^-[qF]+$/.test(option));
    case 'test':
    case '[': {
      const operands = name === '[' ? args.slice(0, -1) : args;
      return (name === 'test' || args.at(-1) === ']') && operands.length === 2 && /^-[efdsrxnz]$/.test(operands[0] ?? '');
    }
    case 'sleep':
      return args.length === 1 && /^(\d+(\.\d+)?[smhd]?|infinity|inf)$/.test(args[0] ?? '');
    case 'exec':
      return args[0] === 'sleep' && args.length === 2;
    case 'exit':
      return args.length <= 1 && /^\d*$/.test(args[0] ?? '');
    case 'cat':
    case 'touch':
      return args.length > 0 && options.length === 0;
    default:
      return options.length === 0;
  }
}

function run(container: Container, { argv, into }: Step): Outcome {
  const { files } = container;
  const [name = '', ...args] = argv[0] === 'exec' ? argv.slice(1) : argv;
  const cwd = container.options.workingDirectory ?? '/';
  const at = (path: string): string => resolvePath(cwd, path);
  const exists = (path: string): boolean => files.read(at(path)) !== undefined || files.isDirectory(at(path));
  const paths = args.filter((arg) => !/^-./.test(arg));
  const missing = (verb: string, path: string): string => `${name}: ${verb}${path}: No such file or directory\n`;
  switch (name) {
    case 'sleep': {
      const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(args[0] ?? '');
      return { pauseMs: match === null ? Number.POSITIVE_INFINITY : Number(match[1]) * unit[(match[2] ?? '') as keyof typeof unit] };
    }
    case 'touch':
      for (const path of paths) if (!exists(path)) files.write(at(path), '');
      return { exitCode: 0 };
    case 'mkdir':
      for (const path of paths) files.makeDirectory?.(at(path));
      return { exitCode: 0 };
    case 'rm': {
      const lost = paths.filter((path) => !files.remove(at(path)));
      const isForced = args.some((arg) => /^-r*f/.test(arg));
      return lost.length === 0 || isForced
        ? { exitCode: 0 }
        : { exitCode: 1, stderr: lost.map((path) => `rm: can't remove '${path}': No such file or directory\n`).join('') };
    }
    case 'echo': {
      const stdout = args[0] === '-n' ? args.slice(1).join(' ') : `${args.join(' ')}\n`;
      if (into === undefined) return { exitCode: 0, stdout };
      files.write(at(into.path), `${into.appends ? (files.read(at(into.path)) ?? '') : ''}${stdout}`);
      return { exitCode: 0 };
    }
    case 'cat': {
      const lost = paths.filter((path) => files.read(at(path)) === undefined);
      const stdout = paths.map((path) => files.read(at(path)) ?? '').join('');
      if (into !== undefined) files.write(at(into.path), stdout);
      return {
        exitCode: lost.length === 0 ? 0 : 1,
        ...(into === undefined ? { stdout } : {}),
        stderr: lost.map((path) => missing("can't open ", `'${path}'`)).join(''),
      };
    }
    case 'ls':
    case 'stat': {
      const lost = paths.filter((path) => !exists(path));
      const stdout = paths.flatMap((path) => (lost.includes(path) ? [] : (files.list(at(path)) ?? [path]))).map((text) => `${text}\n`);
      return { exitCode: lost.length === 0 ? 0 : 1, stdout: stdout.join(''), stderr: lost.map((path) => missing('', path)).join('') };
    }
    case 'grep': {
      const [text = '', path = ''] = paths;
      const found = (files.read(at(path)) ?? '').split('\n').filter((line) => line.includes(text));
      if (!exists(path)) return { exitCode: 2, stderr: missing('', path) };
      const isQuiet = args.some((arg) => /^-F*q/.test(arg));
      return { exitCode: found.length > 0 ? 0 : 1, stdout: isQuiet ? '' : found.map((line) => `${line}\n`).join('') };
    }
    case 'test':
    case '[': {
      const [option = '', operand = ''] = args;
      const content = files.read(at(operand));
      const holds: Readonly<Record<string, boolean>> = {
        '-e': exists(operand),
        '-f': content !== undefined,
        '-d': files.isDirectory(at(operand)),
        '-s': content !== undefined && content !== '',
        '-n': operand !== '',
        '-z': operand === '',
      };
      return { exitCode: (holds[option] ?? exists(operand)) ? 0 : 1 };
    }
    case 'hostname':
      return { exitCode: 0, stdout: `${container.hostname}\n` };
    case 'false':
      return { exitCode: 1 };
    case 'exit':
      return { exitCode: Number(args[0] ?? 0), ends: true };
    default:
      return { exitCode: 0 };
  }
}

export interface PlainResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script to its end; `done` is called at once where it does not sleep. The answer stops it. */
export function runPlainScript(
  container: Container,
  script: PlainScript,
  done: (result: PlainResult) => void,
  tell?: (text: string, stream: 'stdout' | 'stderr') => void,
): () => void {
  const { clock } = container.namespace.network;
  let timer: Timer | undefined;
  let exitCode = 0;
  let stdout = '';
  let stderr = '';
  const from = (index: number): void => {
    for (let at = index; at < script.length; at++) {
      const step = script[at] as Step;
      if ((step.after === 'success' && exitCode !== 0) || (step.after === 'failure' && exitCode === 0)) continue;
      const outcome = run(container, step);
      if ('pauseMs' in outcome) {
        if (outcome.pauseMs === Number.POSITIVE_INFINITY) return;
        timer = clock.schedule(outcome.pauseMs, () => {
          exitCode = 0;
          from(at + 1);
        });
        return;
      }
      exitCode = outcome.exitCode;
      stdout += outcome.stdout ?? '';
      stderr += outcome.stderr ?? '';
      if (outcome.stdout) tell?.(outcome.stdout, 'stdout');
      if (outcome.stderr) tell?.(outcome.stderr, 'stderr');
      if (outcome.ends === true) break;
    }
    done({ exitCode, stdout, stderr });
  };
  from(0);
  return () => timer?.cancel();
}

/** A main process that is such a script: what it prints is the container's log, and with its end the container ends. */
export function plainScriptProgram(container: Container, script: PlainScript): Program {
  let stop: (() => void) | undefined;
  let timer: Timer | undefined;
  return {
    name: 'sh',
    ignoresTerm: true,
    start() {
      const { clock } = container.namespace.network;
      stop = runPlainScript(
        container,
        script,
        ({ exitCode }) => {
          timer = clock.schedule(1, () => container.exit?.(exitCode));
        },
        (text, stream) => container.writeLog(text, stream),
      );
    },
    stop() {
      stop?.();
      timer?.cancel();
    },
  };
}
