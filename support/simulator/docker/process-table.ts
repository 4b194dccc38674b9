import type { Network } from '../net/types.ts';
import type { Container } from './types.ts';

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
