import type { Node, NodeSelectorTerm, PodSpec, Taint, Toleration } from './objects.ts';

// What decides whether a pod may be on a node: shared by the scheduler, the daemon set controller and taint eviction.

export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return tolerationOf(tolerations, taint) !== undefined;
}

export function tolerationOf(tolerations: readonly Toleration[] | undefined, taint: Taint): Toleration | undefined {
  return tolerations?.find((toleration) => {
    if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
    if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
    return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
  });
}

/** The first taint that keeps a pod away (NoSchedule or NoExecute). */
export function untoleratedTaint(spec: PodSpec, node: Node): Taint | undefined {
  return node.spec.taints?.find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(spec.tolerations, taint));
}

export function matchesNodeAffinity(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        case 'Gt':
          return value !== undefined && Number(value) > Number(values[0]);
        case 'Lt':
          return value !== undefined && Number(value) < Number(values[0]);
      }
      return false;
    }) &&
    fields.every(({ key, operator, values = [] }) => key === 'metadata.name' && values.includes(node.metadata.name) === (operator === 'In'))
  );
}

/** Node selection and taints, as for a daemon pod. */
export function fitsNode(spec: PodSpec, node: Node): boolean {
  return (
    (spec.nodeName === undefined || spec.nodeName === node.metadata.name) &&
    matchesNodeAffinity(spec, node) &&
    untoleratedTaint(spec, node) === undefined
  );
}
