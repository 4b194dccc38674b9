import type { Service } from '../objects.ts';
import type { FieldCause } from '../types.ts';
import { isEqual } from './decode.ts';
import { fieldInvalid } from './errors.ts';
import { validateClusterIpFields } from './service-validation.ts';

// The fields of a Service that depend on each other, as Kubernetes 1.27 keeps them together when one is written:
// `pkg/registry/core/service/storage/{storage,alloc}.go` and `…/service/strategy.go`.

type Draft = Record<string, unknown>;
export type FamilyName = 'IPv4' | 'IPv6';
type Spec = Service['spec'];

/** What a write may say: every field of a service's desired state, or none. */
interface WrittenPort {
  name?: string;
  nodePort?: number;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

export function hasNodePorts(type: unknown): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

export function needsHealthCheck(spec: Readonly<Draft> | Spec): boolean {
  const { type, externalTrafficPolicy } = spec as Readonly<Draft>;
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function hasSameClusterIps(spec: Draft, old: Spec): boolean {
  return (spec['clusterIP'] ?? '') === (old.clusterIP ?? '') && isEqual(texts(spec['clusterIPs']), old.clusterIPs ?? []);
}

function hasSameFamilies(spec: Draft, old: Spec): boolean {
  return isEqual(texts(spec['ipFamilies']), old.ipFamilies ?? []);
}

/** What a client leaves out and the server once gave stays (`patchAllocatedValues`). */
export function keepAllocated(spec: Draft, old: Spec): void {
  if (spec['type'] !== 'ExternalName' && old.type !== 'ExternalName') {
    if (isUnset(spec['clusterIP']) && old.clusterIP !== undefined) spec['clusterIP'] = old.clusterIP;
    if (texts(spec['clusterIPs']).length === 0 && old.clusterIPs !== undefined) spec['clusterIPs'] = [...old.clusterIPs];
  }
  if (hasNodePorts(spec['type']) && hasNodePorts(old.type)) {
    const ports = (spec['ports'] ?? []) as WrittenPort[];
    const numbers = (list: readonly { readonly nodePort?: number }[]): Set<number> =>
      new Set(list.flatMap(({ nodePort }) => (nodePort === undefined || nodePort === 0 ? [] : [nodePort])));
    const written = numbers(ports);
    const used = new Set([...numbers(old.ports ?? [])].filter((number) => written.has(number)));
    const byName = new Map((old.ports ?? []).map((port) => [port.name ?? '', port.nodePort]));
    for (const port of ports) {
      const before = byName.get(port.name ?? '');
      if ((port.nodePort ?? 0) === 0 && before !== undefined && !used.has(before)) port.nodePort = before;
    }
  }
  if (needsHealthCheck(old) && needsHealthCheck(spec) && old.healthCheckNodePort !== undefined)
    spec['healthCheckNodePort'] ??= old.healthCheckNodePort;
}

/** `clusterIP` is the first of `clusterIPs`, for clients that know only the one (`normalizeClusterIPs`). */
export function alignClusterIps(spec: Draft, old: Spec | undefined): void {
  if (old === undefined) {
    if (isText(spec['clusterIP']) && texts(spec['clusterIPs']).length === 0) spec['clusterIPs'] = [spec['clusterIP']];
    return;
  }
  const isSamePlural = isEqual(texts(spec['clusterIPs']), old.clusterIPs ?? []);
  if ((spec['clusterIP'] ?? '') === (old.clusterIP ?? '') || !isSamePlural) return;
  if (isUnset(spec['clusterIP'])) delete spec['clusterIPs'];
  else spec['clusterIPs'] = [String(spec['clusterIP'])];
}

/** A PreferDualStack service that stays as it is does not follow what the cluster has become. */
export function isUnchangedPreferDual(spec: Draft, old: Spec | undefined): boolean {
  return (
    old !== undefined &&
    spec['ipFamilyPolicy'] === 'PreferDualStack' &&
    (old.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    spec['type'] === old.type &&
    hasSameClusterIps(spec, old) &&
    hasSameFamilies(spec, old)
  );
}

/** Policy and families that the writer left to the cluster (`initIPFamilyFields`). `available`: the cluster's, default first. */
export function completeFamilies(spec: Draft, old: Spec | undefined, available: readonly FamilyName[], causes: FieldCause[]): void {
  if (spec['type'] === 'ExternalName' || isUnchangedPreferDual(spec, old)) return;
  const isFree = spec['clusterIP'] === 'None' && Object.keys((spec['selector'] ?? {}) as object).length === 0;
  if (isUnset(spec['ipFamilyPolicy'])) spec['ipFamilyPolicy'] = old?.ipFamilyPolicy ?? (isFree ? 'RequireDualStack' : 'SingleStack');
  const policy = spec['ipFamilyPolicy'];
  const before = causes.length;
  validateClusterIpFields(spec, causes);
  if (causes.length > before) return;
  const refusePolicy = (why: string): void => void causes.push(fieldInvalid('spec.ipFamilyPolicy', policy, why));

  if (old !== undefined) {
    if (policy === 'SingleStack') {
      const cutsIps = hasSameClusterIps(spec, old);
      const cutsFamilies = hasSameFamilies(spec, old);
      if (cutsIps && texts(spec['clusterIPs']).length > 1) spec['clusterIPs'] = texts(spec['clusterIPs']).slice(0, 1);
      if (cutsFamilies && texts(spec['ipFamilies']).length > 1) spec['ipFamilies'] = texts(spec['ipFamilies']).slice(0, 1);
    } else {
      const isReduced = (now: readonly string[], was: readonly string[] | undefined): boolean =>
        now.length > 0 && now.length < (was?.length ?? 0);
      if (isReduced(texts(spec['clusterIPs']), old.clusterIPs)) refusePolicy("must be 'SingleStack' to release the secondary cluster IP");
      if (isReduced(texts(spec['ipFamilies']), old.ipFamilies)) refusePolicy("must be 'SingleStack' to release the secondary IP family");
    }
  }
  if (policy === 'SingleStack') {
    if (texts(spec['clusterIPs']).length === 2)
      refusePolicy("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
    if (texts(spec['ipFamilies']).length === 2)
      refusePolicy("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
  }
  // Addresses that the writer chose say the families where he did not.
  const families = [...texts(spec['ipFamilies'])] as FamilyName[];
  for (const [index, address] of texts(spec['clusterIPs']).entries()) {
    if (address === 'None') break;
    if (index < families.length) continue;
    const family = address.includes(':') ? 'IPv6' : 'IPv4';
    if (available.includes(family)) families.push(family);
    else causes.push(fieldInvalid(`spec.clusterIPs[${index}]`, texts(spec['clusterIPs']), `${family} is not configured on this cluster`));
  }
  if (causes.length > before) return;
  if (!isFree) {
    if (policy === 'RequireDualStack' && available.length < 2) refusePolicy('this cluster is not configured for dual-stack services');
    for (const [index, family] of families.entries())
      if (!available.includes(family)) causes.push(fieldInvalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
    if (causes.length > before) return;
  }
  if (families.length === 0) families.push(available[0] ?? 'IPv4');
  if (policy !== 'SingleStack' && families.length === 1 && (isFree || available.length === 2))
    families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
  spec['ipFamilies'] = families;
}

/** What a change of type makes meaningless goes, unless the same write sets it anew (`dropTypeDependentFields`). */
export function dropTypeDependent(spec: Draft, old: Spec): void {
  if (old.type !== 'ExternalName' && spec['type'] === 'ExternalName') {
    if (hasSameClusterIps(spec, old)) for (const field of ['clusterIP', 'clusterIPs']) delete spec[field];
    if (hasSameFamilies(spec, old)) delete spec['ipFamilies'];
    if (spec['ipFamilyPolicy'] === old.ipFamilyPolicy) delete spec['ipFamilyPolicy'];
  }
  if (hasNodePorts(old.type) && !hasNodePorts(spec['type'])) {
    const before = new Set((old.ports ?? []).map((port) => port.nodePort));
    const ports = (spec['ports'] ?? []) as WrittenPort[];
    if (ports.every((port) => (port.nodePort ?? 0) === 0 || before.has(port.nodePort))) for (const port of ports) delete port.nodePort;
  }
  if (needsHealthCheck(old) && !needsHealthCheck(spec) && spec['healthCheckNodePort'] === old.healthCheckNodePort)
    delete spec['healthCheckNodePort'];
  const wasBalanced = old.type === 'LoadBalancer' && spec['type'] !== 'LoadBalancer';
  const before = old as unknown as Readonly<Draft>;
  for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'])
    if (wasBalanced && spec[field] === before[field]) delete spec[field];
  if (hasNodePorts(old.type) && !hasNodePorts(spec['type']) && spec['externalTrafficPolicy'] === old.externalTrafficPolicy)
    delete spec['externalTrafficPolicy'];
}
