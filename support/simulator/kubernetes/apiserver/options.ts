import type { ApiRequest } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldNotSupported, invalidOptions } from './errors.ts';

// Options of requests (apimachinery `pkg/apis/meta/v1/validation`).

const optionKinds: Readonly<Record<string, string>> = { POST: 'CreateOptions', PUT: 'UpdateOptions', PATCH: 'PatchOptions' };

/** @throws ApiError 422 */
export function checkOptions(request: ApiRequest): void {
  const kind = optionKinds[request.method];
  if (kind === undefined) return;
  const { dryRun, fieldValidation } = request.query;
  if (dryRun !== undefined && dryRun !== 'All') throw invalidOptions(kind, fieldNotSupported('dryRun', [dryRun], ['All']));
  if (fieldValidation !== undefined && !['', 'Ignore', 'Strict', 'Warn'].includes(fieldValidation))
    throw invalidOptions(kind, fieldNotSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']));
}

/** @throws ApiError 422 */
export function checkDeleteOptions(request: ApiRequest): void {
  const body = isObject(request.body) ? request.body : {};
  const policy = body['propagationPolicy'] ?? request.query['propagationPolicy'];
  if (typeof policy === 'string' && !['Foreground', 'Background', 'Orphan'].includes(policy))
    throw invalidOptions('DeleteOptions', fieldNotSupported('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil']));
}
