import type { FieldCause, KubernetesObject } from '../types.ts';
import { fieldInvalid, fieldNotSupported, fieldRequired, GoLiteral, goQuote } from './errors.ts';
import { isSubdomain, label1035Message, labelMessage, subdomainMessage, validateLabels, validateQualifiedName } from './field-rules.ts';
import { validateObject } from './object-validation.ts';
import { validateNewPod, validatePodSpec, validatePodUpdate } from './pod-validation.ts';
import { items, type Json, record } from './rules.ts';
import { validateEndpointSlice, validateEndpoints, validateService } from './service-validation.ts';
import { validateWorkload } from './workload-validation.ts';

// Validation of the built-in types, in the words of Kubernetes 1.27 (`pkg/apis/*/validation`, `apimachinery/pkg/util/validation`).

// ── metadata ────────────────────────────────────────────────────────────────────────────────────────────────

export function validateMetadata(object: Json, kind: string, causes: FieldCause[]): void {
  const metadata = record(object['metadata']);
  const name = metadata['name'];
  const prefix = metadata['generateName'];
  if (typeof prefix === 'string' && prefix !== '') {
    // As for names, but a dash at the end is usual.
    const own: FieldCause[] = [];
    validateName(prefix.replace(/-$/, ''), kind, own);
    causes.push(
      ...own.map((cause) => ({
        ...cause,
        field: 'metadata.generateName',
        message: cause.message.replace(JSON.stringify(prefix.replace(/-$/, '')), JSON.stringify(prefix)),
      })),
    );
  }
  if (typeof name !== 'string' || name === '') causes.push(fieldRequired('metadata.name', 'name or generateName is required'));
  else validateName(name, kind, causes);
  validateLabels(metadata['labels'], 'metadata.labels', causes);
  for (const key of Object.keys(record(metadata['annotations'])))
    validateQualifiedName(key.toLowerCase(), 'metadata.annotations', causes, key);
  let total = 0;
  for (const [key, value] of Object.entries(record(metadata['annotations']))) total += key.length + String(value).length;
  if (total > 262144)
    causes.push({ reason: 'FieldValueTooLong', field: 'metadata.annotations', message: 'Too long: must have at most 262144 bytes' });
  for (const owner of items(metadata['ownerReferences'])) {
    for (const [field, word] of [
      ['apiVersion', 'version'],
      ['kind', 'kind'],
      ['name', 'name'],
      ['uid', 'uid'],
    ] as const)
      if (owner[field] === undefined || owner[field] === '')
        causes.push(fieldInvalid(`metadata.ownerReferences.${field}`, '', `${word} must not be empty`));
  }
  for (const [index, finalizer] of ((metadata['finalizers'] ?? []) as readonly string[]).entries()) {
    const at = `metadata.finalizers[${index}]`;
    const own: FieldCause[] = [];
    validateQualifiedName(finalizer, at, own, finalizer);
    causes.push(...own);
    if (own.length === 0 && !finalizer.includes('/') && !['foregroundDeletion', 'orphan', 'kubernetes'].includes(finalizer))
      causes.push(fieldInvalid(at, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'));
  }
}

function validateName(name: string, kind: string, causes: FieldCause[]): void {
  const tooLong = (maximum: number): FieldCause => fieldInvalid('metadata.name', name, `must be no more than ${maximum} characters`);
  if (kind === 'Service') {
    if (name.length > 63) causes.push(tooLong(63));
    if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) causes.push(fieldInvalid('metadata.name', name, label1035Message));
  } else if (kind === 'Namespace') {
    if (name.length > 63) causes.push(tooLong(63));
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name))
      causes.push(fieldInvalid('metadata.name', name, name.includes('.') && isSubdomain(name) ? 'must not contain dots' : labelMessage));
  } else if (/^(Cluster)?Role(Binding)?$/.test(kind)) {
    if (name === '.' || name === '..') causes.push(fieldInvalid('metadata.name', name, `may not be '${name}'`));
    for (const illegal of ['/', '%'])
      if (name.includes(illegal)) causes.push(fieldInvalid('metadata.name', name, `may not contain '${illegal}'`));
  } else {
    if (name.length > 253) causes.push(tooLong(253));
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name))
      causes.push(fieldInvalid('metadata.name', name, subdomainMessage));
  }
}

// ── types ───────────────────────────────────────────────────────────────────────────────────────────────────

export function validateBuiltin(kind: string, object: Json, old: KubernetesObject | undefined, causes: FieldCause[]): void {
  const spec = record(object['spec']);
  const oldSpec = old === undefined ? undefined : record(old['spec']);
  const before = old as Json | undefined;
  if (validateWorkload(kind, object, before, causes)) return;
  switch (kind) {
    case 'Pod':
      validatePodSpec(spec, 'spec', causes);
      if (oldSpec === undefined) validateNewPod(spec, causes);
      else validatePodUpdate(spec, oldSpec, causes);
      return;
    case 'Service':
      validateService(spec, oldSpec, causes);
      return;
    case 'Endpoints':
      validateEndpoints(object, causes);
      return;
    case 'EndpointSlice':
      validateEndpointSlice(object, old, causes);
      return;
    case 'CustomResourceDefinition':
      validateCustomResourceDefinition(object, spec, causes);
      return;
    default:
      validateObject(kind, object, before, causes);
  }
}

/** The value of a resource quantity, in its base unit. */
export function quantity(text: string): number {
  const match = /^([+-]?[0-9.]+)(([KMGTPE])i|[numkMGTPE]|[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return Number.NaN;
  const number = Number(match[1]);
  const suffix = match[2] ?? '';
  if (match[3] !== undefined) return number * 1024 ** ('KMGTPE'.indexOf(match[3]) + 1);
  if (match[4] !== undefined) return number * 10 ** Number(match[4]);
  const powers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
  return number * 10 ** (powers[suffix] ?? 0);
}

function validateCustomResourceDefinition(object: Json, spec: Json, causes: FieldCause[]): void {
  const names = record(spec['names']);
  const expected = `${String(names['plural'] ?? '')}.${String(spec['group'] ?? '')}`;
  const name = record(object['metadata'])['name'];
  if (name !== expected) causes.push(fieldInvalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`));
  for (const field of ['plural', 'singular', 'kind', 'listKind'])
    if (typeof names[field] !== 'string' || names[field] === '') causes.push(fieldRequired(`spec.names.${field}`));
  if (typeof spec['group'] !== 'string' || spec['group'] === '') causes.push(fieldRequired('spec.group'));
  if (spec['scope'] !== 'Cluster' && spec['scope'] !== 'Namespaced')
    causes.push(fieldNotSupported('spec.scope', spec['scope'] ?? '', ['Cluster', 'Namespaced']));
  const versions = items(spec['versions']);
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    causes.push(
      fieldInvalid(
        'spec.versions',
        new GoLiteral(
          `[]apiextensions.CustomResourceDefinitionVersion{${versions.map((version) => `{Name:${goQuote(String(version['name']))}}`).join(', ')}}`,
        ),
        'must have exactly one version marked as storage version',
      ),
    );
  for (const [index, version] of versions.entries())
    if (version['schema'] === undefined)
      causes.push(fieldRequired(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
}
