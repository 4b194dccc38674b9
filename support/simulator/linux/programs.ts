import type { Command, Container, DockerEngine } from '../docker/types.ts';
import { extraCommands, linuxCommands } from './commands/index.ts';

/** Folders of the usual PATH: `/usr/sbin/ip` and `ip` are the same program. */
const programFolder = /^\/(?:usr\/(?:local\/)?)?s?bin\//;

export function programName(word: string): string {
  return word.replace(programFolder, '');
}

/** Text tools that come with just-bash but with few images. */
const rareBuiltins = new Set([
  'jq',
  'yq',
  'xan',
  'sqlite3',
  'rg',
  'html-to-markdown',
  'tree',
  'file',
  'curl',
  'wget',
  'help',
  'history',
  'clear',
]);

/** A whole machine, whose first process is an init system, has the usual tools. */
function isMachine(container: Container): boolean {
  return container.image.command.includes('/sbin/init');
}

function listsCommand(container: Container, name: string): boolean {
  return container.image.commands.includes(name) || container.image.commands.includes('*') || isMachine(container);
}

/** Our own command of that name, if the container has it: its own, its image's, then those of every Linux image. */
export function findCommand(engine: DockerEngine, container: Container, name: string): Command | undefined {
  const own = container.commands.get(name);
  if (own !== undefined) return own;
  if (container.image.commands.includes(name)) {
    const listed = engine.commands.get(name) ?? linuxCommands.get(name);
    if (listed !== undefined) return listed;
  }
  const common = linuxCommands.get(name);
  if (common === undefined || (extraCommands.has(name) && !listsCommand(container, name))) return undefined;
  return common;
}

/** Names of all our commands that the container has. */
export function commandNames(engine: DockerEngine, container: Container): readonly string[] {
  const names = new Set([...container.commands.keys(), ...container.image.commands, ...linuxCommands.keys()]);
  return [...names].filter((name) => name !== '*' && findCommand(engine, container, name) !== undefined);
}

/** Tools of just-bash that are there in name only: they explain themselves instead of running. */
const emptyBuiltins = new Set(['python3', 'python', 'js-exec', 'node']);

/** Whether a tool that just-bash brings along counts as installed. */
export function hasBuiltin(container: Container, name: string): boolean {
  if (emptyBuiltins.has(name)) return false;
  return !rareBuiltins.has(name) || listsCommand(container, name);
}
