import type Docker from 'dockerode';
import { containerName, type Topology } from '../simulator/containerlab/topology.ts';
import { OutpostError } from '../verdict/errors.ts';
import { execInContainer } from './engine.ts';

const patienceMs = 10_000;

/**
 * Ends of a topology's links that are not there. A veth pair dies with the network namespace of either end, and a container that
 * restarts gets a new one: the links of a restarted node are gone, and nothing says so.
 * @returns `CONTAINER:INTERFACE` of each; a container that cannot be asked is left out
 */
export async function lostLinks(docker: Docker, topology: Topology): Promise<string[]> {
  const ends = new Map<string, string[]>();
  for (const { a, b } of topology.links) {
    for (const end of b === undefined ? [a] : [a, b]) {
      const node = topology.nodes.find(({ name }) => name === end.node);
      if (node === undefined || node.kind !== 'linux') continue;
      const container = containerName(topology, end.node);
      ends.set(container, [...(ends.get(container) ?? []), end.interfaceName]);
    }
  }
  const lost = await Promise.all(
    [...ends].map(async ([container, interfaces]) => {
      try {
        const { stdout, exitCode } = await execInContainer(docker, container, ['ls', '/sys/class/net'], { timeoutMs: patienceMs });
        const there = stdout.split(/\s+/);
        return exitCode === 0 ? interfaces.filter((name) => !there.includes(name)).map((name) => `${container}:${name}`) : [];
      } catch (error) {
        if (error instanceof OutpostError) return [];
        throw error;
      }
    }),
  );
  return lost.flat();
}
