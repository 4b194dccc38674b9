import type { Network } from '../net/types.ts';
import { commandLineOf } from './inspect.ts';
import type { Container, Program, ProgramProcess } from './types.ts';

/** Main processes of the containers of a machine by process id, for commands that take one (`ip link set … netns PID`). */
const tables = new WeakMap<Network, Map<number, Container>>();

export function processesOf(network: Network): Map<number, Container> {
  let table = tables.get(network);
  if (table === undefined) {
    table = new Map();
    tables.set(network, table);
  }
  return table;
}

/** A process of a container: the main one has the id 1, and no program of its own. */
export interface ContainerProcess {
  readonly pid: number;
  readonly parent: number;
  readonly user: string;
  readonly command: string;
  readonly program: Program | undefined;
  readonly process: ProgramProcess | undefined;
}

interface Ids {
  next: number;
  readonly of: WeakMap<object, number>;
}

const ids = new WeakMap<Container, Ids>();

/** The processes of a container by id: its main process, its programs that have another name, and what was started in it. */
export function processesIn(container: Container): readonly ContainerProcess[] {
  let known = ids.get(container);
  if (known === undefined) {
    known = { next: 7, of: new WeakMap() };
    ids.set(container, known);
  }
  const { of } = known;
  const table = known;
  const idOf = (subject: object): number => {
    const found = of.get(subject);
    if (found !== undefined) return found;
    of.set(subject, table.next);
    return table.next++;
  };
  const line = commandLineOf(container);
  const main = line.join(' ');
  const found: ContainerProcess[] = [{ pid: 1, parent: 0, user: 'root', command: main, program: undefined, process: undefined }];
  // tini stays process 1 and starts the rest
  if (line[0] === '/sbin/tini') {
    const command = line.slice(line.indexOf('--') + 1).join(' ');
    found.push({ pid: idOf(container), parent: 1, user: 'root', command, program: undefined, process: undefined });
  }
  for (const program of [...container.programs, ...container.background]) {
    const processes = program.processes?.();
    if (processes !== undefined)
      for (const process of processes)
        found.push({ pid: idOf(process), parent: 1, user: process.user, command: process.command, program, process });
    else if (!main.split(/[\s/]/).includes(program.name))
      found.push({ pid: idOf(program), parent: 1, user: 'root', command: program.name, program, process: undefined });
  }
  return found.sort((a, b) => a.pid - b.pid);
}
