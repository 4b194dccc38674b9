import type { Secret } from '../../kubernetes/objects.ts';
import { timestamp } from '../../kubernetes/objects.ts';
import type { KubernetesObject } from '../../kubernetes/types.ts';
import { ciliumNamespace, resources } from '../objects.ts';
import { createTrigger } from '../trigger.ts';
import { isAtLeast } from '../version.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

export type MakeCondition = (type: string, reason: string, isProblem: boolean, message: string) => Record<string, unknown>;

/** As apimachinery's `SetStatusCondition`: the transition's time changes with the status only. */
export function conditionMaker(object: KubernetesObject, now: string): MakeCondition {
  const old = (object['status'] as { readonly conditions?: readonly Record<string, unknown>[] } | undefined)?.conditions ?? [];
  return (type, reason, isProblem, message) => {
    const status = isProblem ? 'True' : 'False';
    const before = old.find((condition) => condition['type'] === type);
    const lastTransitionTime = before?.['status'] === status ? before['lastTransitionTime'] : now;
    return { lastTransitionTime, message, observedGeneration: object.metadata.generation ?? 1, reason, status, type };
  };
}

interface PeerConfig extends KubernetesObject {
  readonly spec?: { readonly authSecretRef?: string };
}

/** The condition of every CiliumBGPPeerConfig (operator/pkg/bgpv2/peer.go, 1.17+): whether its secret is there. */
export function startBgpPeerConfigStatus({ api, clock, config, version }: OperatorContext): OperatorPart {
  const isReported = isAtLeast(version, 17) && config.get('enable-bgp-control-plane-status-report') !== 'false';
  if (config.get('enable-bgp-control-plane') !== 'true' || !isReported) return { stop() {} };
  const namespace = config.get('bgp-secrets-namespace') ?? ciliumNamespace;
  const reconcile = createTrigger(clock, 0, () => {
    for (const peerConfig of api.list<PeerConfig>(resources.bgpPeerConfig)) {
      const secret = peerConfig.spec?.authSecretRef;
      const isMissing = secret !== undefined && api.get<Secret>('secrets', secret, namespace) === undefined;
      const conditions = [
        conditionMaker(peerConfig, timestamp(clock.now()))(
          'cilium.io/MissingAuthSecret',
          'MissingAuthSecret',
          isMissing,
          isMissing ? `Referenced Auth Secret ${JSON.stringify(secret)} is missing` : '',
        ),
      ];
      const old = (peerConfig['status'] as { conditions?: unknown } | undefined)?.conditions;
      if (JSON.stringify(old) === JSON.stringify(conditions)) continue;
      api.patch(resources.bgpPeerConfig, peerConfig.metadata.name, undefined, { status: { conditions } }, { subresource: 'status' });
    }
  });
  const stops = [
    api.watch(resources.bgpPeerConfig, () => reconcile.fire()),
    api.watch('secrets', ({ object }) => {
      if (object.metadata.namespace === namespace && object['type'] !== 'helm.sh/release.v1') reconcile.fire();
    }),
  ];
  reconcile.fire();
  return {
    stop() {
      for (const stop of stops) stop();
      reconcile.stop();
    },
  };
}
