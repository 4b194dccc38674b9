import { copy, exec, kill, logs, pause, port, remove, restart, runOrCreate, start, stop, top, unpause, wait } from './cli/change.ts';
import { info, inspect, listContainers, listImages, version } from './cli/list.ts';
import { network } from './cli/network.ts';
import { type CliCommand, CliExit, daemonError } from './cli/words.ts';
import { Engine } from './engine.ts';
import type { Command, CommandResult, DockerEngine } from './types.ts';

const containerCommands: Readonly<Record<string, CliCommand>> = {
  cp: copy,
  create: runOrCreate('create'),
  exec,
  inspect,
  kill,
  logs,
  ls: listContainers,
  list: listContainers,
  ps: listContainers,
  pause,
  port,
  restart,
  rm: remove,
  run: runOrCreate('run'),
  start,
  stop,
  top,
  unpause,
  wait,
};

const commands: Readonly<Record<string, CliCommand>> = {
  ...Object.fromEntries(Object.entries(containerCommands).filter(([name]) => name !== 'ls' && name !== 'list')),
  images: listImages,
  info,
  inspect,
  network,
  version,
};

/** Commands of the real CLI that are not simulated. */
const known = new Set([
  'attach',
  'build',
  'builder',
  'buildx',
  'commit',
  'compose',
  'config',
  'context',
  'diff',
  'events',
  'export',
  'history',
  'import',
  'load',
  'login',
  'logout',
  'manifest',
  'plugin',
  'pull',
  'push',
  'rename',
  'rmi',
  'save',
  'search',
  'stats',
  'swarm',
  'system',
  'tag',
  'trust',
  'update',
  'volume',
]);

const usage = `Usage:  docker [OPTIONS] COMMAND

A self-sufficient runtime for containers

Common Commands:
  run         Create and run a new container from an image
  exec        Execute a command in a running container
  ps          List containers
  images      List images
  version     Show the Docker version information
  info        Display system-wide information

Management Commands:
  container   Manage containers
  network     Manage networks

Commands:
  cp          Copy files/folders between a container and the local filesystem
  create      Create a new container
  inspect     Return low-level information on Docker objects
  kill        Kill one or more running containers
  logs        Fetch the logs of a container
  pause       Pause all processes within one or more containers
  port        List port mappings or a specific mapping for the container
  restart     Restart one or more containers
  rm          Remove one or more containers
  start       Start one or more stopped containers
  stop        Stop one or more running containers
  top         Display the running processes of a container
  unpause     Unpause all processes within one or more containers
  wait        Block until one or more containers stop, then print their exit codes

Run 'docker COMMAND --help' for more information on a command.
`;

function find(args: readonly string[]): { readonly command: CliCommand; readonly rest: readonly string[] } {
  const [name, ...rest] = args;
  if (name === 'container') {
    const [verb, ...more] = rest;
    const command = verb === undefined ? undefined : containerCommands[verb];
    if (command !== undefined) return { command, rest: more };
    throw new CliExit(
      verb === undefined
        ? ''
        : `docker: unknown command: docker container ${verb}\n\nUsage:  docker container\n\nRun 'docker container --help' for more information\n`,
      verb === undefined ? 0 : 1,
      verb === undefined ? 'Usage:  docker container COMMAND\n' : '',
    );
  }
  if (name === 'image' && rest[0] === 'ls') return { command: listImages, rest: rest.slice(1) };
  if (name === 'image' && rest[0] === 'inspect') return { command: inspect, rest: rest.slice(1) };
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') throw new CliExit('', 0, usage);
  if (name === '--version' || name === '-v') throw new CliExit('', 0, 'Docker version 28.2.2, build e6534b4\n');
  const command = commands[name];
  if (command !== undefined) return { command, rest };
  if (known.has(name) || name === 'image') throw new CliExit(`docker: not simulated: docker ${name}\n`, 1);
  if (name.startsWith('-'))
    throw new CliExit(
      `unknown ${name.startsWith('--') ? 'flag' : 'shorthand flag'}: ${name.startsWith('--') ? name : `'${name[1] ?? ''}' in ${name}`}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n`,
      125,
    );
  throw new CliExit(`docker: unknown command: docker ${name}\n\nRun 'docker --help' for more information\n`, 1);
}

/** The `docker` command, as CLI 28 with an engine 28 prints and fails. */
export function createDockerCli(engine: DockerEngine): Command {
  if (!(engine instanceof Engine)) throw new Error('the docker command needs the engine of engine.ts');
  return async (args, command): Promise<CommandResult> => {
    try {
      const { command: run, rest } = find(args);
      return await run(rest, { engine, command });
    } catch (error) {
      if (error instanceof CliExit) return error.result;
      return { stdout: '', stderr: `${daemonError(error)}\n`, exitCode: 1 };
    }
  };
}
