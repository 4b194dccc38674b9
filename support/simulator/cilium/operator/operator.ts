import type { Timer } from '../../clock/clock.ts';
import type { Container, Program } from '../../docker/types.ts';
import type { ConfigMap } from '../../kubernetes/objects.ts';
import { createLog } from '../agent-log.ts';
import { apiServerProblem, contactTimeoutMs } from '../api-server-access.ts';
import { defineCustomResources } from '../crds/definitions.ts';
import type { RegisteredInstallation } from '../installations.ts';
import { type Election, joinElection } from '../lease-election.ts';
import { ciliumNamespace } from '../objects.ts';
import { startBgpPeerConfigStatus } from './bgp-conditions.ts';
import { startBgpNodeConfigs } from './bgp-node-configs.ts';
import { startClusterPool } from './cluster-pool-ipam.ts';
import { startLbIpam } from './lb-ipam/controller.ts';
import { startMultiPool } from './multi-pool-ipam.ts';
import { startNodeStatus } from './node-status.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';
import { startPolicyValidator } from './policy-validator.ts';

/** Defaults of the operator's own leader election (`--leader-election-*`). */
const leaseDurationMs = 15_000;
const renewDeadlineMs = 10_000;
const retryPeriodMs = 2_000;

/** The cilium-operator of one pod. Of several, only the one that holds the lease works. */
export function createOperator(container: Container, find: (container: Container) => RegisteredInstallation | undefined): Program {
  let election: Election | undefined;
  let parts: OperatorPart[] = [];
  let isStarted = false;
  let givingUp: Timer | undefined;
  const stopParts = () => {
    for (const part of parts) part.stop();
    parts = [];
  };
  return {
    name: 'cilium-operator-generic',
    isReady: () => isStarted,
    start() {
      const home = find(container);
      if (home === undefined) return;
      const { installation, node } = home;
      const { cluster, version } = installation;
      const { clock } = cluster.engine;
      const api = cluster.server.client;
      const config = new Map(Object.entries(api.get<ConfigMap>('configmaps', 'cilium-config', ciliumNamespace)?.data ?? {}));
      const line = createLog(container, clock);
      const unreachable = apiServerProblem(
        cluster,
        node,
        container.env.get('KUBERNETES_SERVICE_HOST'),
        container.env.get('KUBERNETES_SERVICE_PORT'),
      );
      if (unreachable !== undefined) {
        givingUp = clock.schedule(contactTimeoutMs, () => {
          line('error', 'Unable to contact k8s api-server', { error: unreachable, subsys: 'k8s-client' });
          container.stop(1);
        });
        return;
      }
      const random = cluster.random.stream(`cilium-operator/${container.id}`);
      const panic = (): void => {
        // Whoever dies gives no lease back: the next leader waits for its end.
        election?.stop(false);
        election = undefined;
        clock.schedule(0, () => {
          container.writeLog('panic: runtime error: invalid memory address or nil pointer dereference', 'stderr');
          container.stop(2);
        });
      };
      const context: OperatorContext = { api, clock, random, config, version, log: line, panic };
      isStarted = true;
      line('info', `Cilium Operator ${version.text}`, { subsys: 'cilium-operator-generic' });
      election = joinElection(
        {
          api,
          clock,
          random,
          leaseName: 'cilium-operator-resource-lock',
          identity: `${node.name}-${random.text(10, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789')}`,
          leaseDurationMs,
          renewDeadlineMs,
          retryPeriodMs,
          isAbleToWork: () => node.container.state === 'running',
          onStarted() {
            line('info', 'Leading the operator HA deployment', { subsys: 'cilium-operator-generic' });
            defineCustomResources(cluster.server, version, config);
            parts = [
              startNodeStatus(context),
              startLbIpam(context),
              startBgpNodeConfigs(context),
              startBgpPeerConfigStatus(context),
              startPolicyValidator(context),
            ];
            const ipam = config.get('ipam') ?? 'cluster-pool';
            if (ipam === 'cluster-pool') parts.push(startClusterPool(context));
            if (ipam === 'multi-pool') parts.push(startMultiPool(context));
          },
          onStopped: stopParts,
        },
        0,
      );
    },
    stop() {
      givingUp?.cancel();
      election?.stop(true);
      election = undefined;
      stopParts();
      isStarted = false;
    },
  };
}
