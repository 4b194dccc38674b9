import { structOf } from '../apiserver/builtin-types.ts';
import type { ResourceType } from './discovery.ts';

/** Types compiled into kubectl: it knows their merge keys; all others are custom resources for it. */
export function isBuiltIn(type: ResourceType): boolean {
  const isKubernetesGroup = type.group === '' || !type.group.includes('.') || type.group.endsWith('.k8s.io');
  return isKubernetesGroup && type.group !== 'apiextensions.k8s.io' && structOf(type.kind) !== undefined;
}
