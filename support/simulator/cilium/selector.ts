import { matchesSelector } from '../kubernetes/labels.ts';
import type { KubernetesObject, LabelSelector } from '../kubernetes/types.ts';

export type Labels = Readonly<Record<string, string>>;

/**
 * Whether a selector picks labels. An absent selector picks everything or nothing, depending on the field it
 * stands in; an empty one picks everything.
 */
export function selects(selector: LabelSelector | undefined, labels: Labels, whenAbsent: 'all' | 'none'): boolean {
  return selector === undefined ? whenAbsent === 'all' : matchesSelector(selector, labels);
}

/** What apimachinery says about a selector that it cannot turn into requirements; undefined when it can. */
export function selectorProblem(selector: LabelSelector | undefined): string | undefined {
  for (const { operator, values } of selector?.matchExpressions ?? []) {
    if (operator === 'In' || operator === 'NotIn') {
      if (values === undefined || values === null || values.length === 0) {
        // An empty list is copied with append to a nil one first, and so is nil as well.
        return `values: Invalid value: []string(nil): for 'in', 'notin' operators, values set can't be empty`;
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values !== undefined && values !== null && values.length > 0) {
        const shown = `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
        return `values: Invalid value: ${shown}: values set must be empty for exists and does not exist`;
      }
    } else {
      return `"${String(operator)}" is not a valid label selector operator`;
    }
  }
  return undefined;
}

/** Labels of a service for Cilium's selectors: two keys are filled in and win over the user's own. */
export function serviceSelectorLabels(service: KubernetesObject): Labels {
  return {
    ...service.metadata.labels,
    'io.kubernetes.service.name': service.metadata.name,
    'io.kubernetes.service.namespace': service.metadata.namespace ?? 'default',
  };
}
