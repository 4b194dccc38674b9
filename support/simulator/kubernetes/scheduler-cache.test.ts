import { describe, expect, it } from 'vitest';
import { Random } from '../clock/random.ts';
import type { Pod } from './objects.ts';
import { SchedulerCache } from './scheduler-cache.ts';
import type { ApiClient } from './types.ts';

/** Nodes and bound pods without an API server; a node's score is how few pods it has. */
function clusterOf(size: number) {
  const names = Array.from({ length: size }, (_, index) => `node-${String(index).padStart(4, '0')}`);
  const bound = new Map<string, Pod>();
  const judged: string[] = [];
  const client = {
    get: (resource: string, name: string, namespace?: string) =>
      resource === 'nodes' ? (names.includes(name) ? { metadata: { name } } : undefined) : bound.get(`${namespace}/${name}`),
  } as unknown as ApiClient;
  const cache = new SchedulerCache(client, (_, name) => {
    judged.push(name);
    return 0 - [...bound.values()].filter(({ spec }) => spec.nodeName === name).length;
  });
  for (const name of names) cache.nodeChanged(name);
  const podOf = (name: string, owner: string, nodeName?: string): Pod =>
    ({
      metadata: { name, namespace: 'default', uid: name, labels: { app: owner }, ownerReferences: [{ uid: owner, controller: true }] },
      spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
      status: { phase: 'Pending' },
    }) as unknown as Pod;
  const schedule = (name: string, owner: string, random: Random): string | undefined => {
    const node = cache.place(podOf(name, owner), 'any', random);
    if (node === undefined) return undefined;
    bound.set(`default/${name}`, podOf(name, owner, node));
    cache.podChanged(`default/${name}`);
    return node;
  };
  return { names, bound, judged, schedule };
}

/** What a look at every node would choose from. */
function bestOf({ names, bound }: ReturnType<typeof clusterOf>, owner: string): readonly string[] {
  const scores = names.map((name) => {
    const here = [...bound.values()].filter(({ spec }) => spec.nodeName === name);
    return 0 - here.length - 100 * here.filter(({ metadata }) => metadata.labels?.['app'] === owner).length;
  });
  const best = Math.max(...scores);
  return names.filter((_, index) => scores[index] === best);
}

describe('the scheduler between pods', () => {
  it('looks at one node for each pod that was bound, however many there are', () => {
    const looks = [10, 100].map((size) => {
      const cluster = clusterOf(size);
      const random = new Random(1);
      cluster.schedule('first', 'a', random);
      cluster.judged.length = 0;
      for (let index = 0; index < 30; index++) cluster.schedule(`web-${index}`, `owner-${index % 7}`, random);
      return cluster.judged.length;
    });
    expect(looks).toEqual([30, 30]);
  });

  it.each([1, 2, 3, 4, 5])('draws the very node that a look at all of them would draw (seed %i)', (seed) => {
    const cluster = clusterOf(9);
    const chance = new Random(seed);
    const drawn = new Random(`${seed}/places`);
    const expected = new Random(`${seed}/places`);
    for (let index = 0; index < 60; index++) {
      const owner = `owner-${chance.integer(0, 3)}`;
      const best = bestOf(cluster, owner);
      expect(cluster.schedule(`pod-${index}`, owner, drawn)).toBe(expected.pick(best));
    }
  });
});
