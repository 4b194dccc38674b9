import { expect, it } from 'vitest';
import { SimulatedClock } from '../../clock/clock.ts';
import type { KubernetesObject } from '../types.ts';
import { Broadcaster, Store } from './store.ts';

const pod = (name: string, nodeName?: string): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: name, resourceVersion: '1', creationTimestamp: '' },
  spec: nodeName === undefined ? {} : { nodeName },
});

function storeWithAgents(nodes: number) {
  const clock = new SimulatedClock(0);
  const broadcaster = new Broadcaster(clock);
  const store = new Store(broadcaster);
  const calls: string[] = [];
  store.watch(({ object }) => calls.push(`all ${object.metadata.name}`));
  for (let index = 0; index < nodes; index++)
    store.watch(({ type, object }) => calls.push(`node-${index} ${type} ${object.metadata.name}`), { nodeName: `node-${index}` });
  store.watch(({ type }) => calls.push(`named ${type}`), { name: 'web-1' });
  return { clock, calls, store, put: (object: KubernetesObject) => store.put(object, broadcaster.next()) };
}

it('tells a change to those that asked for it, in the order in which they began', () => {
  const { clock, calls, put } = storeWithAgents(3);
  put(pod('web-1'));
  put(pod('web-1', 'node-2'));
  put(pod('web-2', 'node-0'));
  put(pod('web-2', 'node-1'));
  clock.advance(10);
  expect(calls).toEqual([
    ...['all web-1', 'named ADDED'],
    ...['all web-1', 'node-2 MODIFIED web-1', 'named MODIFIED'],
    ...['all web-2', 'node-0 ADDED web-2'],
    // A pod that leaves a node is news to both.
    ...['all web-2', 'node-0 MODIFIED web-2', 'node-1 MODIFIED web-2'],
  ]);
});

it('calls as many listeners for a change in a cluster of 100 nodes as in one of 10', () => {
  const counts = [10, 100].map((nodes) => {
    const { clock, calls, put } = storeWithAgents(nodes);
    for (let index = 0; index < 20; index++) put(pod(`web-${index}`, `node-${index % 10}`));
    clock.advance(10);
    return calls.length;
  });
  expect(counts).toEqual([41, 41]);
});

it('lists a namespace as it is now, and leaves an earlier list as it was', () => {
  const { put, store } = storeWithAgents(1);
  put(pod('b'));
  const before = store.list({ namespace: 'default' });
  put(pod('a'));
  expect([before, store.list({ namespace: 'default' })].map((list) => list.map(({ metadata }) => metadata.name))).toEqual([
    ['b'],
    ['a', 'b'],
  ]);
});
