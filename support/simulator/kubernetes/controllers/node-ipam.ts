import type { SimulatedClock } from '../../clock/clock.ts';
import { ipFromValue, prefix } from '../../net/address.ts';
import type { Node } from '../objects.ts';
import type { ApiClient } from '../types.ts';
import { createReconciler } from './reconciler.ts';

const maskLength: Readonly<Record<4 | 6, number>> = { 4: 24, 6: 64 };

/** Gives every node its pod CIDRs, in order of registration (`pkg/controller/nodeipam`, range allocator; node masks 24 and 64). */
export function startNodeIpamController(client: ApiClient, clock: SimulatedClock, podSubnets: readonly string[]): () => void {
  const ranges = podSubnets.map((subnet) => {
    const range = prefix(subnet);
    const length = Math.max(maskLength[range.family], range.length);
    const step = 1n << BigInt((range.family === 4 ? 32 : 128) - length);
    return { range, length, step, size: 2 ** Math.min(length - range.length, 30), used: new Set<number>() };
  });
  const owners = new Map<string, readonly number[]>();

  function take(index: number): number | undefined {
    const pool = ranges[index];
    if (pool === undefined) return undefined;
    for (let number = 0; number < pool.size; number++) {
      if (pool.used.has(number)) continue;
      pool.used.add(number);
      return number;
    }
    return undefined;
  }

  const queue = createReconciler(clock, {
    name: 'node-ipam',
    delayMs: 1,
    reconcile(name) {
      const node = client.get<Node>('nodes', name);
      if (node === undefined || (node.spec.podCIDRs ?? []).length > 0 || ranges.length === 0) return;
      const numbers = ranges.map((_, index) => take(index));
      if (numbers.some((number) => number === undefined)) {
        for (const [index, number] of numbers.entries()) if (number !== undefined) ranges[index]?.used.delete(number);
        client.recordEvent(node, {
          type: 'Normal',
          reason: 'CIDRNotAvailable',
          message: `Node ${name} status is now: CIDRNotAvailable`,
          component: 'cidrAllocator',
        });
        return;
      }
      owners.set(name, numbers as number[]);
      const podCIDRs = ranges.map(
        ({ range, length, step }, index) =>
          `${ipFromValue(range.family, range.address.value + step * BigInt(numbers[index] ?? 0)).text}/${length}`,
      );
      client.update<Node>({ ...node, spec: { ...node.spec, podCIDR: podCIDRs[0] ?? '', podCIDRs } });
    },
  });
  const stop = client.watch<Node>(
    'nodes',
    ({ type, object }) => {
      if (type === 'DELETED') {
        for (const [index, number] of (owners.get(object.metadata.name) ?? []).entries()) ranges[index]?.used.delete(number);
        owners.delete(object.metadata.name);
      } else if ((object.spec.podCIDRs ?? []).length === 0) queue.enqueue(object.metadata.name);
    },
    { replay: true },
  );
  return () => {
    queue.stop();
    stop();
  };
}
