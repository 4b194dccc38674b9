import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import { startScheduler } from '../scheduler.ts';
import type { ApiServer } from '../types.ts';
import { startCronJobController } from './cronjob.ts';
import { startDaemonSetController } from './daemonset.ts';
import { startDeploymentController } from './deployment.ts';
import { startDisruptionController } from './disruption.ts';
import { startEndpointMirroringController } from './endpoint-mirroring.ts';
import { startEndpointsController } from './endpoints.ts';
import { startGarbageCollector } from './garbage-collector.ts';
import { startJobController } from './job.ts';
import { startNamespaceController } from './namespace.ts';
import { startNodeIpamController } from './node-ipam.ts';
import { startNodeLifecycleController } from './node-lifecycle.ts';
import { startReplicaSetController } from './replicaset.ts';
import { startStatefulSetController } from './statefulset.ts';
import { startClaimProtection } from './volume-protection.ts';

export interface ControlPlaneOptions {
  readonly server: ApiServer;
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly podSubnets: readonly string[];
}

/** kube-controller-manager and kube-scheduler. The answer stops them. */
export function startControlPlane({ server, clock, random, podSubnets }: ControlPlaneOptions): () => void {
  const { client } = server;
  const stops = [
    startNodeIpamController(client, clock, podSubnets),
    startNodeLifecycleController(client, clock),
    startNamespaceController(
      client,
      clock,
      () =>
        server
          .resources?.()
          .filter((resource) => resource.isNamespaced)
          .map((resource) => resource.name) ?? [],
    ),
    startGarbageCollector(client, clock, {
      resources: () => server.resources?.().map((resource) => resource.name) ?? [],
      resourceOf: (object) =>
        server
          .resources?.()
          .find(
            (resource) =>
              resource.kind === object.kind && resource.group === (object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : ''),
          )?.name,
      onResource: (listener) => server.onResource?.(listener),
    }),
    startDeploymentController(client, clock),
    startReplicaSetController(client, clock),
    startDaemonSetController(client, clock),
    startStatefulSetController(client, clock),
    startJobController(client, clock),
    startCronJobController(client, clock),
    startDisruptionController(client, clock),
    startClaimProtection(client, clock),
    startEndpointsController(client, clock, random.stream('endpointslices')),
    startEndpointMirroringController(client, clock, random.stream('endpointslicemirroring')),
    startScheduler(server, clock, random.stream('scheduler')),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
