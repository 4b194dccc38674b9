import type { FieldCause } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldForbidden, fieldInvalid, fieldRequired } from './errors.ts';
import { between, check, isUnset, items, type Json, label, qualifiedName, record, required, texts } from './rules.ts';
import { validateSelector } from './selector-validation.ts';

// `spec.affinity` of pods (Kubernetes 1.27 `pkg/apis/core/validation`).

const weight = between(1, 100, 'must be in the range 1-100');

function validateNodeTerm(term: Json, path: string, causes: FieldCause[]): void {
  for (const [index, requirement] of items(term['matchExpressions']).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const count = texts(requirement['values']).length;
    switch (requirement['operator']) {
      case 'In':
      case 'NotIn':
        if (count === 0) causes.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (count > 0) causes.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        break;
      case 'Gt':
      case 'Lt':
        if (count !== 1) causes.push(fieldRequired(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
        break;
      default:
        causes.push(fieldInvalid(`${at}.operator`, requirement['operator'] ?? '', 'not a valid selector operator'));
    }
    qualifiedName(requirement['key'], `${at}.key`, causes);
  }
  for (const [index, requirement] of items(term['matchFields']).entries()) {
    const at = `${path}.matchFields[${index}]`;
    if (requirement['operator'] !== 'In' && requirement['operator'] !== 'NotIn')
      causes.push(fieldInvalid(`${at}.operator`, requirement['operator'] ?? '', 'not a valid selector operator'));
    else if (texts(requirement['values']).length !== 1)
      causes.push(fieldRequired(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
    if (requirement['key'] !== 'metadata.name')
      causes.push(fieldInvalid(`${at}.key`, requirement['key'] ?? '', 'not a valid field selector key'));
  }
}

export function validateNodeSelector(value: Json, at: string, causes: FieldCause[]): void {
  const terms = items(value['nodeSelectorTerms']);
  if (terms.length === 0) causes.push(fieldRequired(`${at}.nodeSelectorTerms`, 'must have at least one node selector term'));
  for (const [index, term] of terms.entries()) validateNodeTerm(term, `${at}.nodeSelectorTerms[${index}]`, causes);
}

function validatePodTerm(term: Json, at: string, causes: FieldCause[]): void {
  if (isObject(term['labelSelector'])) validateSelector(term['labelSelector'], `${at}.labelSelector`, causes);
  if (isObject(term['namespaceSelector'])) validateSelector(term['namespaceSelector'], `${at}.namespaceSelector`, causes);
  for (const name of texts(term['namespaces'])) label(name, `${at}.namespace`, causes);
  if (isUnset(term['topologyKey'])) required('can not be empty')(term['topologyKey'], `${at}.topologyKey`, causes);
  qualifiedName(term['topologyKey'], `${at}.topologyKey`, causes);
}

const wanted = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validatePodScheduling(spec: Json, path: string, causes: FieldCause[]): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = record(spec['affinity']);
  const at = `${path}.affinity`;
  if (isObject(nodeAffinity)) {
    if (isObject(nodeAffinity[wanted])) validateNodeSelector(nodeAffinity[wanted], `${at}.nodeAffinity.${wanted}`, causes);
    for (const [index, term] of items(nodeAffinity[preferred]).entries()) {
      const here = `${at}.nodeAffinity.${preferred}[${index}]`;
      check(term, here, causes, [['weight', weight]]);
      validateNodeTerm(record(term['preference']), `${here}.preference`, causes);
    }
  }
  for (const [name, affinity] of Object.entries({ podAffinity, podAntiAffinity })) {
    if (!isObject(affinity)) continue;
    for (const [index, term] of items(affinity[wanted]).entries()) validatePodTerm(term, `${at}.${name}.${wanted}[${index}]`, causes);
    for (const [index, term] of items(affinity[preferred]).entries()) {
      const here = `${at}.${name}.${preferred}[${index}]`;
      check(term, here, causes, [['weight', weight]]);
      validatePodTerm(record(term['podAffinityTerm']), `${here}.podAffinityTerm`, causes);
    }
  }
}
