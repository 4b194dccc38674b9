import { expect, it } from 'vitest';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import type { KubernetesObject } from '../simulator/kubernetes/types.ts';
import { describeFabric } from './fabric.ts';

/** How often the parts of a cluster look something up while its workloads come up, by node. */
async function lookUps(nodes: number): Promise<number> {
  const fabric = describeFabric({ nodes, nodesPerRack: 32, podsPerNode: 8, servicesPerNode: 4 });
  const lab = new SimulatedLab(fabric.content, 1);
  await lab.up();
  const { clock, cluster } = lab.machine;
  const { client } = cluster.server;
  const { get, list } = client;
  let calls = 0;
  client.get = <T extends KubernetesObject>(...args: Parameters<typeof get>) => {
    calls++;
    return get<T>(...args);
  };
  client.list = <T extends KubernetesObject>(...args: Parameters<typeof list>) => {
    calls++;
    return list<T>(...args);
  };
  const applied = await lab.exec(['kubectl', 'apply', '-f', fabric.workloads]);
  expect([applied.exitCode, applied.stderr]).toEqual([0, '']);
  clock.advance(10_000);
  const ready = list('pods', { namespace: 'default' }).filter((pod) => JSON.stringify(pod['status']).includes('"podIP"'));
  expect(ready).toHaveLength(fabric.pods);
  return calls / nodes;
}

it('costs a node of a large cluster no more than one of a small cluster', async () => {
  const small = await lookUps(6);
  expect((await lookUps(18)) / small).toBeLessThan(1.25);
});
