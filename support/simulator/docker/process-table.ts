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

function idsOf(container: Container): Ids {
  let known = ids.get(container);
  if (known === undefined) {
    known = { next: 7, of: new WeakMap() };
    ids.set(container, known);
  }
  return known;
}

/** What somebody has started in a container and waits for: shells. */
export interface StartedProcesses {
  /** Gives it an id, and keeps as many behind it as it asks for. */
  add(process: ProgramProcess, parent: number, reserved?: number): number;
  remove(process: ProgramProcess): void;
}

const started = new WeakMap<Container, Map<ProgramProcess, number>>();

export function startedProcesses(container: Container): StartedProcesses {
  let running = started.get(container);
  if (running === undefined) {
    running = new Map();
    started.set(container, running);
  }
  const all = running;
  return {
    add(process, parent, reserved = 0) {
      const known = idsOf(container);
      const pid = known.of.get(process) ?? known.next;
      if (pid === known.next) known.next += 1 + reserved;
      known.of.set(process, pid);
      all.set(process, parent);
      return pid;
    },
    remove: (process) => void all.delete(process),
  };
}

/** The processes of a container by id: its main process, its programs that have another name, and what was started in it. */
export function processesIn(container: Container): readonly ContainerProcess[] {
  const table = idsOf(container);
  const { of } = table;
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
  for (const [process, parent] of started.get(container) ?? [])
    found.push({ pid: idOf(process), parent, user: process.user, command: process.command, program: undefined, process });
  return found.sort((a, b) => a.pid - b.pid);
}
