import { EngineError } from '../engine-error.ts';
import { parseTemplate, TemplateError } from '../go-template.ts';
import {
  commandLineOf,
  digestOf,
  imageId,
  inspectContainer,
  inspectNetwork,
  networkDriver,
  repositoryAndTag,
  statusOf,
} from '../inspect.ts';
import { ellipsis, humanDuration, textTable } from '../text-table.ts';
import { civilTime, formatDate, formatTime } from '../timestamp.ts';
import type { CommandResult, Container } from '../types.ts';
import { type CliCommand, type CliContext, CliExit, isSet, optionOf, parseCli } from './words.ts';

function print(stdout: string, exitCode = 0): CommandResult {
  return { stdout, stderr: '', exitCode };
}

/** Rows by a `--format`: a table of columns, one template per row, or JSON per row. */
function formatted(
  format: string | undefined,
  fallback: string,
  heads: Readonly<Record<string, string>>,
  rows: readonly Readonly<Record<string, string>>[],
  methods: Parameters<ReturnType<typeof parseTemplate>>[1] = {},
): string {
  const wanted = format === undefined || format === 'table' || format === '' ? `table ${fallback}` : format;
  if (wanted === 'json') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  try {
    if (!/^table\s/.test(wanted)) {
      const template = parseTemplate(wanted);
      return rows.map((row) => `${template(row, methods)}\n`).join('');
    }
    const body = wanted.slice(6).replaceAll('\\t', '\t');
    const template = parseTemplate(body);
    return textTable([template(heads, methods), ...rows.map((row) => template(row, methods))].map((line) => line.split('\t')));
  } catch (error) {
    if (error instanceof TemplateError) throw new CliExit(`failed to execute template: ${error.message}\n`, 1);
    throw error;
  }
}

function portsOf(container: Container): string {
  if (container.state !== 'running' && container.state !== 'paused') return '';
  return (container.options.ports ?? [])
    .flatMap((port) => {
      const inside = `${port.containerPort}/${port.protocol}`;
      return port.hostIp === undefined || port.hostIp === ''
        ? [`0.0.0.0:${port.hostPort}->${inside}`, `[::]:${port.hostPort}->${inside}`]
        : [`${port.hostIp}:${port.hostPort}->${inside}`];
    })
    .join(', ');
}

function createdAt(container: Container): string {
  const time = civilTime(container.createdAt);
  return `${formatDate(time)} ${formatTime(time)} +0000 UTC`;
}

function matchesFilter(container: Container, filter: string, { engine }: CliContext): boolean {
  const equals = filter.indexOf('=');
  if (equals < 0)
    throw new CliExit(
      `invalid argument "${filter}" for "-f, --filter" flag: bad format of filter (expected name=value)\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information\n`,
      125,
    );
  const key = filter.slice(0, equals).trim().toLowerCase();
  const value = filter.slice(equals + 1).trim();
  switch (key) {
    case 'name':
      return new RegExp(value).test(container.name) || new RegExp(value).test(`/${container.name}`);
    case 'id':
      return container.id.startsWith(value);
    case 'label': {
      const [name = '', wanted] = value.split(/=(.*)/s);
      const labels = container.options.labels ?? {};
      const actual = Object.hasOwn(labels, name) ? labels[name] : undefined;
      return actual !== undefined && (wanted === undefined || actual === wanted);
    }
    case 'status':
      return container.state === value;
    case 'exited':
      return container.state === 'exited' && container.exitCode === Number(value);
    case 'ancestor':
      return container.imageReference === value || repositoryAndTag(container.imageReference)[0] === value;
    case 'network':
      return (
        [...engine.networksOf(container).keys()].some((network) => network.name === value || network.id.startsWith(value)) ||
        engine.networkModeOf(container) === value
      );
    default:
      throw new CliExit(`Error response from daemon: invalid filter '${key}'\n`, 1);
  }
}

export const listContainers: CliCommand = (args, context) => {
  const options = parseCli(args, {
    name: 'docker ps',
    usage: 'docker ps [OPTIONS]',
    options: { all: 'a', 'filter:': 'f', 'format:': '', 'last:': 'n', latest: 'l', 'no-trunc': '', quiet: 'q', size: 's' },
    maximum: 0,
  });
  const { engine } = context;
  const now = engine.clock.now();
  const filters = options.values.get('filter') ?? [];
  const isLatest = isSet(options, 'latest');
  const limit = isLatest ? 1 : Number(optionOf(options, 'last') ?? Number.POSITIVE_INFINITY);
  const showsAll = isSet(options, 'all') || Number.isFinite(limit) || filters.some((filter) => /^(status|exited)=/.test(filter));
  const byName = new Map<string, string[]>();
  for (const filter of filters) byName.set(filter.split('=')[0] ?? '', [...(byName.get(filter.split('=')[0] ?? '') ?? []), filter]);
  // filters of one kind are alternatives (labels are not), of several kinds they all must hold
  const isWanted = (container: Container): boolean =>
    [...byName].every(([key, same]) =>
      key === 'label'
        ? same.every((filter) => matchesFilter(container, filter, context))
        : same.some((filter) => matchesFilter(container, filter, context)),
    );
  const containers = [...engine.containers]
    .sort((a, b) => b.createdAt - a.createdAt || engine.containers.indexOf(b) - engine.containers.indexOf(a))
    .filter((container) => (showsAll || ['running', 'paused', 'restarting'].includes(container.state)) && isWanted(container))
    .slice(0, limit);
  const isWhole = isSet(options, 'no-trunc');
  if (isSet(options, 'quiet'))
    return print(containers.map((container) => `${isWhole ? container.id : container.id.slice(0, 12)}\n`).join(''));
  const rows = containers.map((container) => {
    const line = commandLineOf(container).join(' ');
    return {
      ID: isWhole ? container.id : container.id.slice(0, 12),
      Image: container.imageReference,
      Command: `"${isWhole ? line : ellipsis(line, 20)}"`,
      CreatedAt: createdAt(container),
      RunningFor: `${humanDuration(now - container.createdAt)} ago`,
      Ports: portsOf(container),
      State: container.state,
      Status: statusOf(container, now),
      Size: '0B',
      Names: container.name,
      Labels: Object.entries(container.options.labels ?? {})
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
      Mounts: (container.options.binds ?? []).map((bind) => bind.split(':')[0]).join(','),
      Networks: [...engine.networksOf(container).keys()].map((network) => network.name).join(','),
      LocalVolumes: '0',
      Platform: 'linux/amd64',
    };
  });
  const heads = {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Names: 'NAMES',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    Networks: 'NETWORKS',
    LocalVolumes: 'LOCAL VOLUMES',
    Platform: 'PLATFORM',
  };
  const labelOf = (row: unknown, name: string): string => {
    const id = (row as { readonly ID: string; readonly Names: string }).Names;
    return engine.findContainer(id)?.options.labels?.[name] ?? (id === 'NAMES' ? name : '');
  };
  return print(
    formatted(
      optionOf(options, 'format'),
      '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}',
      heads,
      rows,
      { Label: labelOf },
    ),
  );
};

/** Prints found objects as a JSON array, or each by a template; what was not found goes to stderr. */
export function inspectAll(
  names: readonly string[],
  format: string | undefined,
  find: (name: string) => Record<string, unknown> | string,
): CommandResult {
  const found: Record<string, unknown>[] = [];
  let stderr = '';
  for (const name of names) {
    const result = find(name);
    if (typeof result === 'string') stderr += `${result}\n`;
    else found.push(result);
  }
  const exitCode = stderr === '' ? 0 : 1;
  if (format === undefined || format === '' || format === 'json') {
    const stdout = format === 'json' ? `${JSON.stringify(found)}\n` : found.length === 0 ? '[]\n' : `${JSON.stringify(found, null, 4)}\n`;
    return { stdout, stderr, exitCode };
  }
  try {
    const template = parseTemplate(format);
    return { stdout: found.map((value) => `${template(value)}\n`).join(''), stderr, exitCode };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return {
      stdout: '\n',
      stderr: `template parsing error: ${error.message}\n${stderr}`,
      exitCode: error.message.includes('executing') ? 1 : 64,
    };
  }
}

export const inspect: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker inspect',
    usage: 'docker inspect [OPTIONS] NAME|ID [NAME|ID...]',
    options: { 'format:': 'f', size: 's', 'type:': '' },
    minimum: 1,
  });
  const type = optionOf(options, 'type');
  return inspectAll(options.operands, optionOf(options, 'format'), (name) => {
    if (type === undefined || type === 'container') {
      const container = engine.findContainer(name);
      if (container !== undefined) return inspectContainer(engine, container);
    }
    if (type === undefined || type === 'image') {
      const user = engine.containers.find(
        (container) => imageId(container).startsWith(name.replace(/^sha256:/, '')) || sameImage(container.imageReference, name),
      );
      if (user !== undefined) return inspectImage(user);
    }
    if (type === undefined || type === 'network') {
      const network = engine.findNetwork(name);
      if (network !== undefined) return inspectNetwork(network);
    }
    return type === undefined
      ? `Error: No such object: ${name}`
      : type === 'network'
        ? `Error response from daemon: network ${name} not found`
        : `Error: No such ${type}: ${name}`;
  });
};

function sameImage(a: string, b: string): boolean {
  return repositoryAndTag(a).join(':') === repositoryAndTag(b).join(':');
}

function inspectImage(user: Container): Record<string, unknown> {
  const [repository, tag] = repositoryAndTag(user.imageReference);
  const fixed = user.image.entrypoint ?? [];
  return {
    Id: `sha256:${imageId(user)}`,
    RepoTags: [`${repository}:${tag}`],
    RepoDigests: [`${repository}@sha256:${digestOf(repository)}`],
    Config: {
      Env: Object.entries(user.image.env ?? {}).map(([name, value]) => `${name}=${value}`),
      Cmd: user.image.command.slice(fixed.length),
      Entrypoint: fixed.length === 0 ? null : fixed,
    },
    Architecture: 'amd64',
    Os: 'linux',
  };
}

export const listImages: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker images',
    usage: 'docker images [OPTIONS] [REPOSITORY[:TAG]]',
    options: { all: 'a', digests: '', 'filter:': 'f', 'format:': '', 'no-trunc': '', quiet: 'q', tree: '' },
    maximum: 1,
  });
  const seen = new Map<string, Container>();
  for (const container of engine.containers) if (!seen.has(container.imageReference)) seen.set(container.imageReference, container);
  const rows = [...seen.values()]
    .map((container) => {
      const [Repository, Tag] = repositoryAndTag(container.imageReference);
      const id = imageId(container);
      return {
        Repository,
        Tag,
        ID: isSet(options, 'no-trunc') ? `sha256:${id}` : id.slice(0, 12),
        CreatedSince: '3 months ago',
        Size: '100MB',
        Digest: `sha256:${digestOf(Repository)}`,
      };
    })
    .filter(
      (row) =>
        options.operands[0] === undefined ||
        row.Repository === options.operands[0] ||
        `${row.Repository}:${row.Tag}` === options.operands[0],
    )
    .sort((a, b) => (a.Repository < b.Repository ? -1 : 1));
  if (isSet(options, 'quiet')) return print(rows.map((row) => `${row.ID}\n`).join(''));
  const heads = { Repository: 'REPOSITORY', Tag: 'TAG', ID: 'IMAGE ID', CreatedSince: 'CREATED', Size: 'SIZE', Digest: 'DIGEST' };
  return print(formatted(optionOf(options, 'format'), '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}', heads, rows));
};

export const listNetworks: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker network ls',
    usage: 'docker network ls [OPTIONS]',
    options: { 'filter:': 'f', 'format:': '', 'no-trunc': '', quiet: 'q' },
    maximum: 0,
  });
  const filters = options.values.get('filter') ?? [];
  const networks = [...engine.networks]
    .filter((network) =>
      filters.every((filter) => {
        const [key, value = ''] = filter.split(/=(.*)/s);
        if (key === 'name') return new RegExp(value).test(network.name);
        if (key === 'driver') return (network.driver === 'none' ? 'null' : network.driver) === value;
        if (key === 'id') return network.id.startsWith(value);
        if (key === 'type') return (value === 'builtin') === ['bridge', 'host', 'none'].includes(network.name);
        if (key === 'label')
          return value.includes('=')
            ? network.labels[value.split('=')[0] ?? ''] === value.split(/=(.*)/s)[1]
            : Object.hasOwn(network.labels, value);
        throw new CliExit(`Error response from daemon: invalid filter '${key}'\n`, 1);
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const isWhole = isSet(options, 'no-trunc');
  const id = (text: string): string => (isWhole ? text : text.slice(0, 12));
  if (isSet(options, 'quiet')) return print(networks.map((network) => `${id(network.id)}\n`).join(''));
  const rows = networks.map((network) => {
    const found = engine.findNetwork(network.id);
    return {
      ID: id(network.id),
      Name: network.name,
      Driver: found === undefined ? network.driver : networkDriver(found),
      Scope: 'local',
      IPv4: 'true',
      IPv6: String(network.subnets.some((subnet) => subnet.prefix.family === 6)),
      Internal: 'false',
      Labels: Object.entries(network.labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
    };
  });
  const heads = {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
  };
  return print(formatted(optionOf(options, 'format'), '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}', heads, rows));
};

export const version: CliCommand = (args) => {
  const options = parseCli(args, { name: 'docker version', usage: 'docker version [OPTIONS]', options: { 'format:': 'f' }, maximum: 0 });
  const client = {
    Version: '28.2.2',
    ApiVersion: '1.50',
    GoVersion: 'go1.24.3',
    GitCommit: 'e6534b4',
    BuildTime: 'Fri May 30 12:07:14 2025',
    Os: 'linux',
    Arch: 'amd64',
    Context: 'default',
  };
  const server = {
    Version: '28.2.2',
    ApiVersion: '1.50',
    MinAPIVersion: '1.24',
    GoVersion: 'go1.24.3',
    GitCommit: '45873be',
    BuildTime: 'Fri May 30 12:07:26 2025',
    Os: 'linux',
    Arch: 'amd64',
    Experimental: false,
  };
  const format = optionOf(options, 'format');
  if (format !== undefined) return inspectAll([''], format === 'json' ? '{{json .}}' : format, () => ({ Client: client, Server: server }));
  return print(`Client: Docker Engine - Community
 Version:           28.2.2
 API version:       1.50
 Go version:        go1.24.3
 Git commit:        e6534b4
 Built:             Fri May 30 12:07:14 2025
 OS/Arch:           linux/amd64
 Context:           default

Server: Docker Engine - Community
 Engine:
  Version:          28.2.2
  API version:      1.50 (minimum version 1.24)
  Go version:       go1.24.3
  Git commit:       45873be
  Built:            Fri May 30 12:07:26 2025
  OS/Arch:          linux/amd64
  Experimental:     false
`);
};

export const info: CliCommand = (args, { engine }) => {
  const options = parseCli(args, { name: 'docker info', usage: 'docker info [OPTIONS]', options: { 'format:': 'f' }, maximum: 0 });
  const count = (state: string): number => engine.containers.filter((container) => container.state === state).length;
  const running = count('running');
  const paused = count('paused');
  const stopped = engine.containers.length - running - paused;
  const images = new Set(engine.containers.map((container) => container.imageReference)).size;
  const format = optionOf(options, 'format');
  if (format !== undefined) {
    const value = {
      Containers: engine.containers.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: stopped,
      Images: images,
      Driver: 'overlay2',
      ServerVersion: '28.2.2',
      OSType: 'linux',
      Architecture: 'x86_64',
      NCPU: 4,
      Name: 'server',
      CgroupDriver: 'systemd',
      CgroupVersion: '2',
    };
    return inspectAll([''], format === 'json' ? '{{json .}}' : format, () => value);
  }
  return print(`Client: Docker Engine - Community
 Version:    28.2.2
 Context:    default
 Debug Mode: false

Server:
 Containers: ${engine.containers.length}
  Running: ${running}
  Paused: ${paused}
  Stopped: ${stopped}
 Images: ${images}
 Server Version: 28.2.2
 Storage Driver: overlay2
 Logging Driver: json-file
 Cgroup Driver: systemd
 Cgroup Version: 2
 Operating System: Ubuntu 24.04.1 LTS
 OSType: linux
 Architecture: x86_64
 CPUs: 4
 Name: server
 Docker Root Dir: /var/lib/docker
 Debug Mode: false
 Experimental: false
 Live Restore Enabled: false

`);
};

export const networkInspect: CliCommand = (args, { engine }) => {
  const options = parseCli(args, {
    name: 'docker network inspect',
    usage: 'docker network inspect [OPTIONS] NETWORK [NETWORK...]',
    options: { 'format:': 'f', verbose: 'v' },
    minimum: 1,
  });
  return inspectAll(options.operands, optionOf(options, 'format'), (name) => {
    const network = engine.findNetwork(name);
    return network === undefined
      ? `Error response from daemon: ${new EngineError(404, `network ${name} not found`).message}`
      : inspectNetwork(network);
  });
};
