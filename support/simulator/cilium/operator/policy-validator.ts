import { timestamp } from '../../kubernetes/objects.ts';
import type { KubernetesObject } from '../../kubernetes/types.ts';
import type { CiliumPolicyObject } from '../agent/datapath/policy-cilium.ts';
import { sanitizeRule } from '../agent/datapath/policy-sanitize.ts';
import { isAtLeast } from '../version.ts';
import type { OperatorContext, OperatorPart } from './operator-context.ts';

const policyResources = ['ciliumnetworkpolicies.cilium.io', 'ciliumclusterwidenetworkpolicies.cilium.io'];

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime: string;
  readonly message: string;
}

type ValidatedPolicy = CiliumPolicyObject & KubernetesObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

/** Writes into each policy whether the agents take it: condition `Valid` (since 1.16). */
export function startPolicyValidator({ api, clock, version }: OperatorContext): OperatorPart {
  if (!isAtLeast(version, 16)) return { stop: () => undefined };
  const validate = (object: ValidatedPolicy): void => {
    const problems = [...(object.spec === undefined ? [] : [object.spec]), ...(object.specs ?? [])].map((rule) =>
      sanitizeRule(rule, version),
    );
    // Of several rules the last one decided, until 1.18.
    const message = isAtLeast(version, 18) ? problems.filter((text) => text !== undefined).join('\n') : (problems.at(-1) ?? '');
    const status = message === '' ? 'True' : 'False';
    const text = message === '' ? 'Policy validation succeeded' : message;
    const known = object.status?.conditions?.find(({ type }) => type === 'Valid');
    if (known?.status === status && known.message === text) return;
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : timestamp(clock.now());
    api.updateStatus({
      ...object,
      status: {
        ...object.status,
        conditions: [
          ...(object.status?.conditions ?? []).filter(({ type }) => type !== 'Valid'),
          { lastTransitionTime, message: text, status, type: 'Valid' },
        ],
      },
    });
  };
  const stops = policyResources.map((resource) =>
    api.watch<ValidatedPolicy>(resource, ({ type, object }) => {
      if (type !== 'DELETED') validate(object);
    }),
  );
  for (const resource of policyResources) for (const object of api.list<ValidatedPolicy>(resource)) validate(object);
  return { stop: () => stops.forEach((stop) => void stop()) };
}
