import { structOf } from '../apiserver/builtin-types.ts';
import { groupVersionOf, type ResourceType } from './discovery.ts';
import { KubectlError } from './errors.ts';

/** Go's complaint about a kind that is not compiled into kubectl. */
export function notRegistered(type: ResourceType): KubectlError {
  return new KubectlError(
    `no kind ${JSON.stringify(type.kind)} is registered for version ${JSON.stringify(groupVersionOf(type))} in scheme "pkg/scheme/scheme.go:28"`,
  );
}

/** Types compiled into kubectl: it knows their merge keys; all others are custom resources for it. */
export function isBuiltIn(type: ResourceType): boolean {
  const isKubernetesGroup = type.group === '' || !type.group.includes('.') || type.group.endsWith('.k8s.io');
  return isKubernetesGroup && type.group !== 'apiextensions.k8s.io' && structOf(type.kind) !== undefined;
}
