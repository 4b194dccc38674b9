import type { Condition } from '../../../kubernetes/objects.ts';

export interface ConditionValue {
  readonly type: string;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/**
 * A list of conditions with one of them set: the list itself when that changes nothing. The time of transition moves
 * with the status only, and a condition of an older generation is written again (apimachinery's SetStatusCondition,
 * and the test that Cilium makes before it calls it).
 */
export function withCondition(
  conditions: readonly Condition[],
  { type, status, reason, message }: ConditionValue,
  generation: number | undefined,
  now: () => string,
): readonly Condition[] {
  const index = conditions.findIndex((condition) => condition.type === type);
  const old = conditions[index];
  const isSame = old?.status === status && old.reason === reason && old.message === message && old.observedGeneration === generation;
  if (isSame) return conditions;
  const next: Condition = {
    lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? now()) : now(),
    message,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    reason,
    status,
    type,
  };
  return old === undefined ? [...conditions, next] : conditions.with(index, next);
}
