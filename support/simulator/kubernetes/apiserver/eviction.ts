import type { SimulatedClock } from '../../clock/clock.ts';
import { matchesSelector } from '../labels.ts';
import { type Condition, isPodReady, type Pod, timestamp } from '../objects.ts';
import type { ApiClient, FieldCause, KubernetesObject, LabelSelector } from '../types.ts';
import { ApiError } from './errors.ts';

export const budgets = 'poddisruptionbudgets.policy';

export interface DisruptionBudget extends KubernetesObject {
  readonly spec: {
    readonly minAvailable?: number | string;
    readonly maxUnavailable?: number | string;
    readonly selector?: LabelSelector;
    readonly unhealthyPodEvictionPolicy?: 'IfHealthyBudget' | 'AlwaysAllow';
  };
  readonly status: {
    readonly conditions?: readonly Condition[];
    readonly currentHealthy: number;
    readonly desiredHealthy: number;
    readonly disruptedPods?: Readonly<Record<string, string>>;
    readonly disruptionsAllowed: number;
    readonly expectedPods: number;
    readonly observedGeneration?: number;
  };
}

/** What `pods/eviction` asks of the budgets before it deletes (`pkg/registry/core/pod/storage/eviction.go`). @throws ApiError */
export function spendBudget(client: ApiClient, clock: SimulatedClock, pod: Pod, isDryRun: boolean): void {
  if (['Succeeded', 'Failed', 'Pending'].includes(pod.status.phase ?? '') || pod.metadata.deletionTimestamp !== undefined) return;
  const { namespace } = pod.metadata;
  const covering = client
    .list<DisruptionBudget>(budgets, namespace === undefined ? {} : { namespace })
    .filter(({ spec }) => spec.selector !== undefined && matchesSelector(spec.selector, pod.metadata.labels));
  const [budget] = covering;
  if (budget === undefined) return;
  if (covering.length > 1)
    throw new ApiError(500, undefined, 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
  const { status } = budget;
  if (!isPodReady(pod)) {
    if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return;
    if (status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0) return;
  }
  const refuse = (why: string): ApiError => {
    // The one cause that is not about a field.
    const cause = { reason: 'DisruptionBudget', message: why } as unknown as FieldCause;
    return new ApiError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", { causes: [cause] });
  };
  const { name } = budget.metadata;
  if ((status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0))
    throw refuse(`The disruption budget ${name} is still being processed by the server.`);
  if (status.disruptionsAllowed <= 0)
    throw refuse(`The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`);
  if (isDryRun) return;
  client.updateStatus<DisruptionBudget>({
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: status.disruptionsAllowed - 1,
      disruptedPods: { ...status.disruptedPods, [pod.metadata.name]: timestamp(clock.now()) },
    },
  });
}
