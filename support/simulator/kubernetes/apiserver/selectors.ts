import { matchesSelector, parseSelector, SelectorError } from '../labels.ts';
import type { KubernetesObject, LabelSelector } from '../types.ts';
import { badRequest } from './errors.ts';

/** What a list or watch asks for. */
export interface Selection {
  readonly labels: LabelSelector | undefined;
  readonly fields: readonly { readonly path: string; readonly value: string; readonly isNegated: boolean }[];
  matches(object: KubernetesObject): boolean;
}

/** Field selectors that a type takes besides metadata.name and metadata.namespace. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  Node: ['spec.unschedulable'],
  Namespace: ['status.phase'],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
  ReplicaSet: ['status.replicas'],
  Job: ['status.successful'],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
};

/** @throws ApiError 400 */
export function selectionOf(kind: string, query: Readonly<Record<string, string>>): Selection {
  const labels = labelsOf(query['labelSelector']);
  const fields = fieldsOf(kind, query['fieldSelector']);
  return {
    labels,
    fields,
    matches: (object) =>
      (labels === undefined || matchesSelector(labels, object.metadata.labels)) &&
      fields.every((field) => (fieldValue(object, field.path) === field.value) !== field.isNegated),
  };
}

function labelsOf(text: string | undefined): LabelSelector | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return parseSelector(text);
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(`unable to parse requirement: ${error.message}`);
    throw error;
  }
}

function fieldsOf(kind: string, text: string | undefined): Selection['fields'] {
  if (text === undefined || text === '') return [];
  return text.split(',').map((term) => {
    const match = /^([^=!]+)(!=|==|=)(.*)$/.exec(term);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const path = match[1] ?? '';
    const isKnown = path === 'metadata.name' || path === 'metadata.namespace' || selectableFields[kind]?.includes(path) === true;
    if (!isKnown) throw badRequest(`field label not supported: ${path}`);
    return { path, value: match[3] ?? '', isNegated: match[2] === '!=' };
  });
}

function fieldValue(object: KubernetesObject, path: string): string {
  if (path === 'source') return (object['source'] as { readonly component?: string } | undefined)?.component ?? '';
  let value: unknown = object;
  for (const part of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[part] : undefined;
  if (value === undefined || value === null) return path === 'spec.unschedulable' || path === 'spec.hostNetwork' ? 'false' : '';
  return String(value);
}
