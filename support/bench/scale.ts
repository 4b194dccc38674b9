import { performance } from 'node:perf_hooks';
import { SimulatedLab } from '../simulator/host/simulator.ts';
import type { KubernetesObject } from '../simulator/kubernetes/types.ts';
import { describeFabric } from './fabric.ts';

// One size of cluster in a process of its own: `scale.ts NODES` prints what it took as JSON.

const size = { nodes: Number(process.argv[2] ?? 10), nodesPerRack: 32, podsPerNode: 20, servicesPerNode: 5 };
const fabric = describeFabric(size);
const startedAt = performance.now();
const lab = new SimulatedLab(fabric.content, 1);
await lab.up();
const bootMs = performance.now() - startedAt;

const applied = await lab.exec(['kubectl', 'apply', '-f', fabric.workloads]);
if (applied.exitCode !== 0) throw new Error(applied.stderr.slice(0, 500));

const { clock, cluster, engine, warnings } = lab.machine;
if (warnings.length > 0) throw new Error(warnings.slice(0, 3).join('\n'));
const { client } = cluster.server;

interface Status {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
}

const statusOf = (object: KubernetesObject): Status => (object['status'] ?? {}) as Status;
const isReady = (object: KubernetesObject): boolean =>
  statusOf(object).conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
const addressOf = (object: KubernetesObject): string | undefined => statusOf(object).loadBalancer?.ingress?.[0]?.ip;

/** Routes that the spine's kernel has from BGP: pod CIDRs of every node, and addresses of services. */
const learned = (): number =>
  engine
    .findContainer('clab-fabric-spine')
    ?.namespace.routes.list({ family: 4, table: 254 })
    .filter(({ protocol }) => protocol === 'bgp').length ?? 0;

const isConverged = (): boolean =>
  learned() === size.nodes + fabric.services &&
  client.list('nodes').every(isReady) &&
  client.list('pods', { namespace: 'default' }).filter(isReady).length === fabric.pods &&
  client.list('services', { namespace: 'default' }).filter((service) => addressOf(service) !== undefined).length === fabric.services;

// Looked at once in a second of virtual time, so that looking costs nothing.
let virtualSeconds = 0;
while (!isConverged()) {
  if (++virtualSeconds > 300) {
    throw new Error(
      `not converged: ${learned()} routes, ${client.list('pods', { namespace: 'default' }).filter(isReady).length} of ${fabric.pods} pods`,
    );
  }
  clock.advance(1000);
}
const wallMs = performance.now() - startedAt;
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    ...size,
    routers: fabric.racks + 1,
    pods: fabric.pods,
    services: fabric.services,
    bootMs: Math.round(bootMs),
    wallMs: Math.round(wallMs),
    cpuMs: Math.round((user + system) / 1000),
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
    events: clock.steps,
    virtualSeconds,
  }),
);
