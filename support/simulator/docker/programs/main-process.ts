import type { ListeningSocket } from '../../net/types.ts';
import type { EngineContainer } from '../container.ts';
import type { Container, Program, ProgramFactory } from '../types.ts';
import { endingProgram } from './http-server.ts';
import { parseTarget, periodicRequest } from './periodic-request.ts';
import { parsePlainCommand, parsePlainScript, plainScriptProgram } from './plain-script.ts';
import { httpd, httpEcho, netexec, nginx, pythonHttpServer, serveHostname, whoami } from './web.ts';

/** What a command line turns out to be: programs to run, nothing that shows (`idle`), or unknown. */
type Recognised = readonly ProgramFactory[] | undefined;

/**
 * The programs that a container runs: those of its image, unless its own command is another one. A command that is
 * not simulated leaves the container idle, and its log says so.
 */
export function programsFor(container: EngineContainer): readonly Program[] {
  const { image, options } = container;
  if (options.runsInForeground === true) return [];
  const hasEntrypoint = (options.entrypoint ?? []).length > 0;
  const hasCommand = (options.command ?? []).length > 0;
  const line = container.commandLine;
  const isDefault = (!hasEntrypoint && !hasCommand) || line.join('\0') === image.command.join('\0');
  const make = (factories: readonly ProgramFactory[]): readonly Program[] => factories.map((factory) => factory(container));
  if (isDefault) {
    if (image.programs.length === 0 && image.exitCode !== undefined && !container.hasTerminal)
      return [endingProgram(container, image.command[0] ?? 'sh', 1, image.exitCode)];
    return make(image.programs);
  }
  const recognised = recognise(line);
  if (recognised !== undefined) return make(recognised);
  // A shell at a terminal waits for somebody to type.
  const inner = withoutWrappers(line);
  if (options.hasTerminal === true && inner.length === 1 && /^(?:ba|a|da|z)?sh$/.test(basename(inner[0]))) return [];
  // arguments go to the image's own program
  if (!hasEntrypoint && (image.entrypoint ?? []).length > 0 && image.programs.length > 0) return make(image.programs);
  if (basename(line[0]) === basename(image.command[0]) && image.programs.length > 0) return make(image.programs);
  container.writeLog(`not simulated: ${line.join(' ')}`, 'stderr');
  return [];
}

function basename(path: string | undefined): string {
  return (path ?? '').replace(/^.*\//, '');
}

/** Wrappers that start what follows them. */
const wrappers = new Set(['tini', 'dumb-init', 'docker-entrypoint.sh', 'entrypoint.sh', 'exec', 'env', 'su-exec', 'gosu']);

function withoutWrappers(line: readonly string[]): string[] {
  const words = [...line];
  while (words.length > 1 && wrappers.has(basename(words[0]))) {
    const wrapper = basename(words.shift());
    if (wrapper === 'su-exec' || wrapper === 'gosu') words.shift();
    while (words[0]?.startsWith('-') === true || (wrapper === 'env' && words[0]?.includes('=') === true)) words.shift();
  }
  return words;
}

function recognise(line: readonly string[]): Recognised {
  const [program = '', ...args] = withoutWrappers(line);
  const numberAfter = (...names: readonly string[]): number | undefined => {
    const at = args.findIndex((arg) => names.includes(arg));
    const value = Number(at < 0 ? Number.NaN : args[at + 1]);
    return Number.isInteger(value) ? value : undefined;
  };
  switch (basename(program)) {
    case 'sleep': {
      const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(args[0] ?? '');
      if (args[0] === 'infinity' || args[0] === 'inf' || match === null) return args.length === 0 ? undefined : [];
      const afterMs = Number(match[1]) * { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as '' | 's'];
      return [(container) => ({ ...endingProgram(container, 'sleep', afterMs, 0), ignoresTerm: true })];
    }
    case 'pause':
    case 'init':
    case 'systemd':
    case 'sshd':
      return [];
    case 'tail':
      return args.includes('-f') || args.includes('-F') ? [] : undefined;
    case 'cat':
      return args.length === 0 ? [] : undefined;
    case 'true':
      return [(container) => endingProgram(container, 'true', 1, 0)];
    case 'false':
      return [(container) => endingProgram(container, 'false', 1, 1)];
    case 'nginx':
      return [(container) => nginx(container)];
    case 'httpd':
    case 'httpd-foreground':
      return basename(program) === 'httpd' && args.includes('-p')
        ? [(container) => pythonHttpServer(container, numberAfter('-p') ?? 80)]
        : [(container) => httpd(container)];
    case 'http-echo':
      return [(container) => httpEcho(container, args)];
    case 'whoami':
      return [(container) => whoami(container, numberAfter('--port', '-port') ?? 80)];
    case 'agnhost':
      if (args[0] === 'netexec') return [(container) => netexec(container, args.slice(1))];
      if (args[0] === 'serve-hostname') return [serveHostname];
      return args[0] === 'pause' ? [] : undefined;
    case 'netexec':
      return [(container) => netexec(container, args)];
    case 'python':
    case 'python3': {
      const at = args.indexOf('http.server');
      if (at < 1 || args[at - 1] !== '-m') return undefined;
      const port = args.slice(at + 1).find((arg) => /^\d+$/.test(arg));
      return [(container) => pythonHttpServer(container, Number(port ?? 8000))];
    }
    case 'nc':
    case 'ncat': {
      if (!args.some((arg) => /^-[a-z]*l/.test(arg))) return undefined;
      const port = numberAfter('-p', '-lp', '-lkp', '-klp', '-nlp', '-lnp') ?? Number(args.find((arg) => /^\d+$/.test(arg)));
      return Number.isInteger(port) ? [(container) => listener(container, port)] : undefined;
    }
    case 'sh':
    case 'bash':
    case 'ash': {
      const at = args.findIndex((arg) => /^-[a-z]*c$/.test(arg));
      return at < 0 || args[at + 1] === undefined ? undefined : recogniseScript((args[at + 1] as string).trim());
    }
    default:
      return plain(parsePlainCommand([program, ...args]));
  }
}

/** A one-line script: a known program behind `exec`, an endless wait, or a client in a loop. */
function recogniseScript(script: string): Recognised {
  const loop = /^while\s+(?:true|:|\[\s*1\s*\]|sleep\s+(\d+(?:\.\d+)?)s?)\s*(?:;|\n)\s*do\s+(.*?)[;\s]*done[;\s]*$/s.exec(script);
  if (loop !== null) return recogniseLoop(loop[2] as string, loop[1]);
  const hasSyntax = /[|<>`$(){}&]/.test(script);
  const parts = script
    .split(/;|\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const [only] = parts;
  if (!hasSyntax && parts.length === 1 && only !== undefined) {
    const words = (only.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'));
    const recognised = recognise(words);
    if (recognised !== undefined) return recognised;
  }
  const files = plain(parsePlainScript(script));
  if (files !== undefined || !hasSyntax) return files;
  return /(?:^|[;&\s])(?:exec\s+)?(?:sleep\s+infinity|tail\s+-[fF]\s+\S+)\s*$/.test(script) && !/curl|wget|nc\b/.test(script)
    ? []
    : undefined;
}

/** Plain work on files with pauses between, until its end. */
function plain(steps: ReturnType<typeof parsePlainScript>): Recognised {
  return steps === undefined ? undefined : [(container) => plainScriptProgram(container, steps)];
}

/** `curl URL; sleep 1` in a loop becomes a periodic client that logs what it gets. */
function recogniseLoop(body: string, sleepOfCondition: string | undefined): Recognised {
  const parts = body
    .split(/;|\n/)
    .map((part) => part.trim())
    .filter((part) => part !== '' && !/^echo\b/.test(part));
  let everyMs = sleepOfCondition === undefined ? undefined : Number(sleepOfCondition) * 1000;
  const clients: { readonly url: string; readonly timeoutMs: number }[] = [];
  for (const part of parts) {
    const pause = /^sleep\s+(\d+(?:\.\d+)?)s?$/.exec(part);
    if (pause !== null) {
      everyMs = Number(pause[1]) * 1000;
      continue;
    }
    const words = (part.replace(/\s*(?:>|2>|&>)\s*\S+|\s*2>&1|\s*\|\|\s*(?:true|:).*$/g, '').match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map(
      (word) => word.replace(/^(["'])(.*)\1$/s, '$2'),
    );
    if (words[0] !== 'curl' && words[0] !== 'wget') return undefined;
    const url = words
      .slice(1)
      .find((word, index) => !word.startsWith('-') && !/^-(?:m|o|O|w|T|H|X|-max-time|-connect-timeout)$/.test(words[index] ?? ''));
    if (url === undefined || url.includes('$') || parseTarget(url) === undefined) return undefined;
    const limit = words.findIndex((word) => ['-m', '--max-time', '--connect-timeout', '-T'].includes(word));
    clients.push({ url, timeoutMs: limit < 0 ? 130_000 : Number(words[limit + 1]) * 1000 || 130_000 });
  }
  if (clients.length === 0) return parts.every((part) => part.startsWith('sleep')) ? [] : undefined;
  const period = everyMs ?? 1000;
  return clients.map(
    ({ url, timeoutMs }, index): ProgramFactory =>
      (container) =>
        periodicRequest(container, {
          name: `curl-${index}`,
          everyMs: period,
          jitterMs: 0,
          timeoutMs,
          url,
          method: 'GET',
          headers: {},
          body: '',
          families: [4, 6],
          onAnswer: (text) => {
            if (text !== undefined) container.writeLog(text);
          },
        }),
  );
}

/** `nc -lk -p PORT`: accepts, and writes what comes to its output. */
function listener(container: Container, port: number): Program {
  let socket: ListeningSocket | undefined;
  return {
    name: 'nc',
    start() {
      socket = container.namespace.sockets.listen({
        port,
        program: 'nc',
        onConnection(connection) {
          connection.handlers = {
            onData: (bytes) => container.writeLog(new TextDecoder().decode(bytes)),
            onEnd: () => connection.end(),
          };
        },
      });
    },
    stop() {
      socket?.close();
    },
  };
}
