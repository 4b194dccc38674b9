import { EngineError } from '../engine-error.ts';
import { normalisePath, resolvePath } from '../file-system.ts';
import { commandLineOf } from '../inspect.ts';
import { processesIn } from '../process-table.ts';
import { humanSize, textTable } from '../text-table.ts';
import { civilTime, formatRfc3339Nano, formatTime } from '../timestamp.ts';
import type { CommandResult, Container, CreateContainerOptions } from '../types.ts';
import { type CliCommand, type CliContext, CliExit, daemonError, findContainer, forEach, isSet, optionOf, parseCli } from './words.ts';

/** How a refusal of the container runtime begins (linux/shell.ts writes it to stderr; the engine sends it as output). */
const runtimeRefusal = 'OCI runtime exec failed:';

function environment(pairs: readonly string[], context: CliContext): Record<string, string> {
  const env: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals >= 0) env[pair.slice(0, equals)] = pair.slice(equals + 1);
    else {
      const inherited = context.command.env.get(pair);
      if (inherited !== undefined) env[pair] = inherited;
    }
  }
  return env;
}

export const exec: CliCommand = async (args, context) => {
  const options = parseCli(args, {
    name: 'docker exec',
    usage: 'docker exec [OPTIONS] CONTAINER COMMAND [ARG...]',
    options: {
      detach: 'd',
      'detach-keys:': '',
      'env:': 'e',
      'env-file:': '',
      interactive: 'i',
      privileged: '',
      tty: 't',
      'user:': 'u',
      'workdir:': 'w',
    },
    stopsAtOperand: true,
    minimum: 2,
  });
  const { engine, command } = context;
  const [name = '', ...argv] = options.operands;
  const isTerminal = isSet(options, 'tty') && !isSet(options, 'detach');
  if (isTerminal && isSet(options, 'interactive') && !command.isTerminal) throw new CliExit('the input device is not a TTY\n', 1);
  try {
    const container = findContainer(engine, name);
    const hasInput = isSet(options, 'interactive') && command.hasStdin;
    const workdir = optionOf(options, 'workdir');
    const user = optionOf(options, 'user');
    const result = await engine.shell.exec(container, argv, {
      isTerminal,
      env: environment(options.values.get('env') ?? [], context),
      clock: command.clock,
      ...(hasInput ? { stdin: command.stdin } : {}),
      ...(workdir === undefined ? {} : { cwd: workdir }),
      ...(user === undefined ? {} : { user }),
    });
    if (isSet(options, 'detach')) return { stdout: '', stderr: '', exitCode: 0 };
    // the engine reports that nothing could be started in the output stream
    if (result.stdout === '' && result.stderr.startsWith(runtimeRefusal))
      return { stdout: result.stderr, stderr: '', exitCode: result.exitCode };
    // a terminal has one stream
    return isTerminal ? { stdout: result.stdout + result.stderr, stderr: '', exitCode: result.exitCode } : result;
  } catch (error) {
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};

export const logs: CliCommand = (args, context) => {
  const options = parseCli(args, {
    name: 'docker logs',
    usage: 'docker logs [OPTIONS] CONTAINER',
    options: { details: '', follow: 'f', 'since:': '', 'tail:': 'n', timestamps: 't', 'until:': '' },
    minimum: 1,
    maximum: 1,
  });
  try {
    const container = findContainer(context.engine, options.operands[0] as string);
    const now = context.engine.clock.now();
    const since = sinceMs(optionOf(options, 'since'), now) ?? Number.NEGATIVE_INFINITY;
    const until = sinceMs(optionOf(options, 'until'), now) ?? Number.POSITIVE_INFINITY;
    const tail = optionOf(options, 'tail');
    let lines = container.log.filter((line) => line.at >= since && line.at <= until);
    if (tail !== undefined && tail !== 'all') lines = Number(tail) === 0 ? [] : lines.slice(-Number(tail));
    const text = (stream: 'stdout' | 'stderr'): string =>
      lines
        .filter((line) => line.stream === stream)
        .map((line) => `${isSet(options, 'timestamps') ? `${formatRfc3339Nano(line.at)} ` : ''}${line.text}\n`)
        .join('');
    const follow = isSet(options, 'follow') ? 'docker: not simulated: logs --follow; shown is what there is now\n' : '';
    return { stdout: text('stdout'), stderr: text('stderr') + follow, exitCode: 0 };
  } catch (error) {
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};

/** `10m`, `30s`, or seconds since the epoch. */
function sinceMs(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0) throw new CliExit(`docker: not simulated: a time such as ${text}\n`, 1);
  return now - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms'], 0);
}

/** SIGTERM reaches an idle PID 1 in vain: the engine waits, then kills. */
function stopGracefully(container: Container, context: CliContext, graceSeconds: number): void {
  if (container.state === 'running' && container.programs.length === 0) context.command.clock.advance(graceSeconds * 1000);
  container.stop();
}

function lifecycle(verb: string, action: (container: Container, context: CliContext, graceSeconds: number) => void): CliCommand {
  return (args, context) => {
    const options = parseCli(args, {
      name: `docker ${verb}`,
      usage: `docker ${verb} [OPTIONS] CONTAINER [CONTAINER...]`,
      options:
        verb === 'stop' || verb === 'restart'
          ? { 'signal:': 's', 'time:': '', 'timeout:': 't' }
          : verb === 'kill'
            ? { 'signal:': 's' }
            : verb === 'start'
              ? { attach: 'a', interactive: 'i' }
              : {},
      minimum: 1,
    });
    const grace = Number(optionOf(options, 'timeout') ?? optionOf(options, 'time') ?? 10);
    const signal = optionOf(options, 'signal');
    const result = forEach(options.operands, (name) => {
      const container = findContainer(context.engine, name);
      if (verb === 'kill') container.kill(signal);
      else action(container, context, grace);
      return undefined;
    });
    if (verb !== 'start' || result.exitCode === 0) return result;
    return {
      ...result,
      stderr: `${result.stderr}Error: failed to start containers: ${options.operands.filter((name) => !result.stdout.split('\n').includes(name)).join(', ')}\n`,
    };
  };
}

export const start = lifecycle('start', (container) => container.start());
export const stop = lifecycle('stop', stopGracefully);
export const restart = lifecycle('restart', (container, context, grace) => {
  if (container.state === 'running' || container.state === 'paused') stopGracefully(container, context, grace);
  container.start();
});
export const kill = lifecycle('kill', () => {});
export const pause = lifecycle('pause', (container) => container.pause());
export const unpause = lifecycle('unpause', (container) => container.unpause());

export const remove: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker rm',
    usage: 'docker rm [OPTIONS] CONTAINER [CONTAINER...]',
    options: { force: 'f', link: 'l', volumes: 'v' },
    minimum: 1,
  });
  const isForced = isSet(options, 'force');
  const result = forEach(options.operands, (name) => {
    engine.removeContainer(name, { force: isForced });
    return undefined;
  });
  // with -f a container that is not there is as good as removed
  return isForced && /^(Error response from daemon: No such container: .*\n)+$/.test(result.stderr) ? { ...result, exitCode: 0 } : result;
};

function parsePorts(texts: readonly string[]): NonNullable<CreateContainerOptions['ports']> {
  return texts.map((text) => {
    const match = /^(?:(\[[^\]]+\]|\d+\.[\d.]+):)?(?:(\d*):)?(\d+)(?:\/(tcp|udp))?$/.exec(text);
    if (match === null)
      throw new CliExit(
        `docker: invalid containerPort: ${text.split(':').at(-1)?.split('/')[0] ?? ''}\n\nRun 'docker run --help' for more information\n`,
        125,
      );
    const protocol = match[4] === 'udp' ? 'udp' : 'tcp';
    const containerPort = Number(match[3]);
    return {
      containerPort,
      hostPort: Number(match[2] || 32_768 + (containerPort % 1000)),
      protocol,
      ...(match[1] === undefined ? {} : { hostIp: match[1].replace(/^\[|\]$/g, '') }),
    };
  });
}

const adjectives = [
  'admiring',
  'bold',
  'busy',
  'clever',
  'eager',
  'focused',
  'gracious',
  'happy',
  'jolly',
  'keen',
  'loving',
  'modest',
  'nice',
  'quirky',
  'sharp',
  'vibrant',
];
const surnames = [
  'archimedes',
  'babbage',
  'bohr',
  'curie',
  'dijkstra',
  'euler',
  'fermat',
  'gauss',
  'hopper',
  'kepler',
  'lamarr',
  'lovelace',
  'noether',
  'perlman',
  'shannon',
  'turing',
];

export function runOrCreate(verb: 'run' | 'create'): CliCommand {
  return async (args, context) => {
    const { engine, command } = context;
    const options = parseCli(args, {
      name: `docker ${verb}`,
      usage: `docker ${verb} [OPTIONS] IMAGE [COMMAND] [ARG...]`,
      options: {
        'add-host:': '',
        'cap-add:': '',
        'cap-drop:': '',
        detach: 'd',
        'device:': '',
        'dns:': '',
        'entrypoint:': '',
        'env:': 'e',
        'env-file:': '',
        'expose:': '',
        'hostname:': 'h',
        init: '',
        interactive: 'i',
        'ip:': '',
        'ip6:': '',
        'label:': 'l',
        'mac-address:': '',
        'memory:': 'm',
        'mount:': '',
        'name:': '',
        'net:': '',
        'network:': '',
        'network-alias:': '',
        'pid:': '',
        'platform:': '',
        privileged: '',
        'publish:': 'p',
        'pull:': '',
        quiet: 'q',
        'restart:': '',
        rm: '',
        'runtime:': '',
        'security-opt:': '',
        'sysctl:': '',
        'tmpfs:': '',
        tty: 't',
        'ulimit:': '',
        'user:': 'u',
        'volume:': 'v',
        'workdir:': 'w',
        'cpus:': '',
        'log-driver:': '',
        'shm-size:': '',
        'stop-timeout:': '',
        'cgroupns:': '',
      },
      stopsAtOperand: true,
      minimum: 1,
    });
    for (const unsupported of ['env-file', 'mac-address', 'dns', 'mount', 'network-alias'])
      if (options.values.has(unsupported)) throw new CliExit(`docker: not simulated: ${verb} --${unsupported}\n`, 125);
    const [image = '', ...argv] = options.operands;
    const random = engine.random.stream(`names/${engine.containers.length}/${engine.clock.now()}`);
    const name = optionOf(options, 'name') ?? `${random.pick(adjectives)}_${random.pick(surnames)}`;
    const isDetached = isSet(options, 'detach') || verb === 'create';
    const entrypoint = optionOf(options, 'entrypoint');
    const hostname = optionOf(options, 'hostname');
    const restartPolicy = optionOf(options, 'restart')?.split(':')[0];
    const user = optionOf(options, 'user');
    const workdir = optionOf(options, 'workdir');
    const mode = optionOf(options, 'network') ?? optionOf(options, 'net');
    const ips = [optionOf(options, 'ip'), optionOf(options, 'ip6')].filter((text) => text !== undefined);
    const full: CreateContainerOptions = {
      name,
      image,
      env: environment(options.values.get('env') ?? [], context),
      labels: Object.fromEntries(
        (options.values.get('label') ?? []).map((label) => [label.split('=')[0] ?? '', label.split(/=(.*)/s)[1] ?? '']),
      ),
      binds: options.values.get('volume') ?? [],
      ports: parsePorts(options.values.get('publish') ?? []),
      privileged: isSet(options, 'privileged'),
      hasTerminal: isSet(options, 'tty'),
      runsInForeground: !isDetached && !isSet(options, 'detach'),
      ...(argv.length > 0 ? { command: argv } : {}),
      ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === '' ? [] : [entrypoint] }),
      ...(hostname === undefined ? {} : { hostname }),
      ...(restartPolicy === 'always' || restartPolicy === 'on-failure' || restartPolicy === 'unless-stopped' ? { restartPolicy } : {}),
      ...(user === undefined ? {} : { user }),
      ...(workdir === undefined ? {} : { workingDirectory: workdir }),
      ...(mode === undefined ? {} : { networkMode: mode }),
      ...(ips.length > 0 ? { ips } : {}),
    };
    try {
      const container = engine.createContainer(full);
      for (const host of options.values.get('add-host') ?? [])
        container.files.write(
          '/etc/hosts',
          `${container.files.read('/etc/hosts') ?? ''}${host.split(/:(.*)/s)[1] ?? ''}\t${host.split(':')[0] ?? ''}\n`,
        );
      if (verb === 'create') return { stdout: `${container.id}\n`, stderr: '', exitCode: 0 };
      container.start();
      for (const setting of options.values.get('sysctl') ?? [])
        container.namespace.setSysctl(setting.split('=')[0] ?? '', setting.split(/=(.*)/s)[1] ?? '');
      if (isDetached) return { stdout: `${container.id}\n`, stderr: '', exitCode: 0 };
      return await foreground(container, context, {
        isTerminal: isSet(options, 'tty'),
        hasInput: isSet(options, 'interactive') && command.hasStdin,
        removes: isSet(options, 'rm'),
      });
    } catch (error) {
      if (error instanceof EngineError)
        return {
          stdout: '',
          stderr: `docker: Error response from daemon: ${error.message}\n\nRun 'docker run --help' for more information\n`,
          exitCode: 125,
        };
      throw error;
    }
  };
}

/** `docker run` without `-d`: the main process is a command that ends; a server would hold the terminal for ever. */
async function foreground(
  container: Container,
  { engine, command }: CliContext,
  how: { readonly isTerminal: boolean; readonly hasInput: boolean; readonly removes: boolean },
): Promise<CommandResult> {
  let line = [...commandLineOf(container)];
  if (/entrypoint\.sh$/.test(line[0] ?? '')) line = line.slice(1);
  // the entry point of curlimages/curl puts curl in front of what is no command
  if (container.image.commands.includes('curl') && (line[0] === undefined || /^-|:\/\//.test(line[0]))) line.unshift('curl');
  let result: CommandResult;
  const runsPrograms =
    container.image.programs.length > 0 &&
    (container.options.command ?? []).length === 0 &&
    (container.options.entrypoint ?? []).length === 0;
  if (runsPrograms || /(^|\/)(sleep|pause|tail)$/.test(line[0] ?? '') || line.length === 0) {
    engine.removeContainer(container.id, { force: true });
    return {
      stdout: '',
      stderr: 'docker: not simulated: a container in the foreground that does not end by itself; use -d\n',
      exitCode: 125,
    };
  }
  result = await engine.shell.exec(container, line, {
    isTerminal: how.isTerminal,
    clock: command.clock,
    ...(how.hasInput ? { stdin: command.stdin } : {}),
  });
  if (result.stderr.startsWith(runtimeRefusal)) {
    const reason = result.stderr.replace(/^.*unable to start container process: /, '').trimEnd();
    result = {
      stdout: '',
      stderr: `docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: ${reason}\n\nRun 'docker run --help' for more information\n`,
      exitCode: result.exitCode,
    };
  }
  if (result.stdout !== '') container.writeLog(result.stdout);
  if (result.stderr !== '') container.writeLog(result.stderr, 'stderr');
  container.stop(result.exitCode);
  if (how.removes) engine.removeContainer(container.id);
  return result;
}

export const top: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker top',
    usage: 'docker top CONTAINER [ps OPTIONS]',
    options: {},
    stopsAtOperand: true,
    minimum: 1,
  });
  try {
    const container = findContainer(engine, options.operands[0] as string);
    if (container.state !== 'running') throw new EngineError(409, `container ${container.id} is not running`);
    const started = formatTime(civilTime(container.startedAt ?? 0)).slice(0, 5);
    const rows = processesIn(container).map(({ pid, parent, user, command }) => [
      user,
      String(container.pid + pid - 1),
      String(parent === 0 ? container.pid - 21 : container.pid + parent - 1),
      '0',
      started,
      '?',
      '00:00:00',
      command,
    ]);
    return { stdout: textTable([['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], ...rows]), stderr: '', exitCode: 0 };
  } catch (error) {
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};

export const port: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker port',
    usage: 'docker port CONTAINER [PRIVATE_PORT[/PROTO]]',
    options: {},
    minimum: 1,
    maximum: 2,
  });
  const [name = '', wanted] = options.operands;
  try {
    const container = findContainer(engine, name);
    const isUp = container.state === 'running' || container.state === 'paused';
    const ports = isUp ? (container.options.ports ?? []) : [];
    const bound = ports.flatMap((each) => {
      const key = `${each.containerPort}/${each.protocol}`;
      const hosts = each.hostIp === undefined ? ['0.0.0.0', '[::]'] : [each.hostIp];
      return hosts.map((host) => ({ key, place: `${host}:${each.hostPort}` }));
    });
    if (wanted === undefined) return { stdout: bound.map(({ key, place }) => `${key} -> ${place}\n`).join(''), stderr: '', exitCode: 0 };
    const key = wanted.includes('/') ? wanted : `${wanted}/tcp`;
    const found = bound.filter((each) => each.key === key);
    if (found.length === 0) return { stdout: '', stderr: `Error: No public port '${key}' published for ${name}\n`, exitCode: 1 };
    return { stdout: found.map(({ place }) => `${place}\n`).join(''), stderr: '', exitCode: 0 };
  } catch (error) {
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};

export const copy: CliCommand = (args, { engine, command }) => {
  const options = parseCli(args, {
    name: 'docker cp',
    usage: 'docker cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
    options: { archive: 'a', 'follow-link': 'L', quiet: 'q' },
    minimum: 2,
    maximum: 2,
  });
  const [from = '', to = ''] = options.operands;
  const split = (text: string): { readonly container: Container | undefined; readonly path: string } => {
    const match = /^([^/:.][^/:]*):(.*)$/s.exec(text);
    return match === null
      ? { container: undefined, path: text }
      : { container: findContainer(engine, match[1] as string), path: match[2] as string };
  };
  try {
    const source = split(from);
    const target = split(to);
    if ((source.container === undefined) === (target.container === undefined)) {
      return {
        stdout: '',
        stderr:
          source.container === undefined ? 'must specify at least one container source\n' : 'copying between containers is not supported\n',
        exitCode: 1,
      };
    }
    const sourceFiles = source.container?.files ?? command.files;
    const targetFiles = target.container?.files ?? command.files;
    const sourcePath = source.container === undefined ? resolvePath(command.cwd, source.path) : normalisePath(source.path);
    let targetPath = target.container === undefined ? resolvePath(command.cwd, target.path) : normalisePath(target.path);
    const base = sourcePath.split('/').pop() ?? '';
    let bytes = 0;
    const copyTree = (path: string, destination: string): void => {
      const names = sourceFiles.list(path);
      bytes += 512;
      if (names === undefined) {
        const text = sourceFiles.read(path) ?? '';
        bytes += Math.ceil(new TextEncoder().encode(text).length / 512) * 512;
        targetFiles.write(destination, text);
      } else for (const name of names) copyTree(`${path}/${name}`, `${destination}/${name}`);
    };
    if (sourceFiles.read(sourcePath) === undefined && !sourceFiles.isDirectory(sourcePath)) {
      const message =
        source.container === undefined
          ? `lstat ${sourcePath}: no such file or directory\n`
          : `Error response from daemon: Could not find the file ${source.path} in container ${from.split(':')[0]}\n`;
      return { stdout: '', stderr: message, exitCode: 1 };
    }
    if (targetFiles.isDirectory(targetPath)) targetPath = `${targetPath}/${base}`;
    copyTree(sourcePath, targetPath);
    const place = target.container === undefined ? targetPath : to;
    return {
      stdout: '',
      stderr: isSet(options, 'quiet') ? '' : `Successfully copied ${humanSize(bytes + 1024)} to ${place}\n`,
      exitCode: 0,
    };
  } catch (error) {
    return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
  }
};

export const wait: CliCommand = (args, { engine, command }) => {
  const options = parseCli(args, { name: 'docker wait', usage: 'docker wait CONTAINER [CONTAINER...]', options: {}, minimum: 1 });
  return forEach(options.operands, (name) => {
    const container = findContainer(engine, name);
    const isOver = (): boolean => container.state === 'exited' || container.state === 'dead' || container.state === 'created';
    if (!command.clock.runUntil(isOver, 3_600_000)) throw new EngineError(500, 'not simulated: waiting longer than an hour');
    return String(container.exitCode);
  });
};
