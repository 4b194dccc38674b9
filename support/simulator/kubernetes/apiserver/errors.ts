import type { ApiErrorLike, FieldCause } from '../types.ts';

export type Status = ApiErrorLike['status'];

/** A request that the API server refuses, with the Status object that it answers. */
export class ApiError extends Error implements ApiErrorLike {
  readonly status: Status & { readonly apiVersion: 'v1'; readonly metadata: Readonly<Record<string, never>>; readonly status: 'Failure' };

  constructor(code: number, reason: string | undefined, message: string, details?: Status['details']) {
    super(message);
    this.name = 'ApiError';
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      // A plain Go error has no reason.
      ...(reason === undefined ? ({} as { readonly reason: string }) : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

/** The group and plural of a resource, as messages name it. */
export interface ResourceName {
  readonly group: string;
  readonly plural: string;
}

/** `pods`, `deployments.apps` (Go: `schema.GroupResource.String`). */
export function qualified(name: ResourceName): string {
  return name.group === '' ? name.plural : `${name.plural}.${name.group}`;
}

function detailsOf(resource: ResourceName, name: string): Status['details'] {
  return { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural };
}

export function notFound(resource: ResourceName, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));
}

export function alreadyExists(resource: ResourceName, name: string): ApiError {
  return new ApiError(409, 'AlreadyExists', `${qualified(resource)} "${name}" already exists`, detailsOf(resource, name));
}

export function conflict(
  resource: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): ApiError {
  return new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    detailsOf(resource, name),
  );
}

export function forbidden(resource: ResourceName, name: string, why: string): ApiError {
  return new ApiError(403, 'Forbidden', `${qualified(resource)} "${name}" is forbidden: ${why}`, detailsOf(resource, name));
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

export function methodNotAllowed(): ApiError {
  return new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

/** apimachinery `NewGenericServerResponse` for media types that an endpoint does not take. */
export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

export function invalid(kind: { readonly group: string; readonly kind: string }, name: string, causes: readonly FieldCause[]): ApiError {
  const texts = causes.map((cause) => (cause.field === '' ? cause.message : `${cause.field}: ${cause.message}`));
  const unique = [...new Set(texts)];
  const list = unique.length === 1 ? unique[0] : `[${unique.join(', ')}]`;
  // The strategies of these two still name the group that they came from.
  const group =
    kind.group === 'networking.k8s.io' && (kind.kind === 'NetworkPolicy' || kind.kind === 'Ingress') ? 'extensions' : kind.group;
  const about = group === '' ? kind.kind : `${kind.kind}.${group}`;
  return new ApiError(422, 'Invalid', `${about} "${name}" is invalid: ${list}`, {
    name,
    ...(group === '' ? {} : { group }),
    kind: kind.kind,
    causes,
  });
}

export function expired(requested: number, oldest: number): ApiError {
  return new ApiError(410, 'Expired', `too old resource version: ${requested} (${oldest})`);
}

export function internal(why: string): ApiError {
  return new ApiError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  } as unknown as Status['details']);
}

/** What this API server does not model says so, in a Status that every client prints. */
export function notSimulated(what: string): ApiError {
  return new ApiError(501, 'NotImplemented', `not simulated: ${what}`);
}

export function noSuchResource(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

/** An error that the real server does not foresee: no reason, code 500. */
export function unforeseen(message: string): ApiError {
  return new ApiError(500, undefined, message);
}

/** A request's own options are refused as an object of a type of their own. */
export function invalidOptions(kind: string, cause: FieldCause): ApiError {
  return new ApiError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: ${cause.field}: ${cause.message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [cause],
  });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status.code === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status.reason === 'Conflict';
}

// ── field errors: apimachinery pkg/util/validation/field ────────────────────────────────────────────────────

/** A Go value in `%#v`/`%q` form, as `field.Error.ErrorBody` prints it. */
export function goValue(value: unknown): string {
  if (value === null || value === undefined) return '"null"';
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'string')) return `[]string{${value.map(goQuote).join(', ')}}`;
    return `[]interface {}{${value.map((item) => goInner(item)).join(', ')}}`;
  }
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.every(([, item]) => typeof item === 'string'))
    return `map[string]string{${entries.map(([key, item]) => `${goQuote(key)}:${goQuote(item as string)}`).join(', ')}}`;
  return `map[string]interface {}{${entries.map(([key, item]) => `${goQuote(key)}:${goInner(item)}`).join(', ')}}`;
}

function goInner(value: unknown): string {
  return value === null ? 'interface {}(nil)' : goValue(value);
}

export function goQuote(text: string): string {
  return JSON.stringify(text);
}

/** Text that is printed as it stands, for Go structs that `goValue` cannot know. */
export class GoLiteral {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function fieldInvalid(field: string, value: unknown, detail: string): FieldCause {
  const shown = value instanceof GoLiteral ? value.text : goValue(value);
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown}${detail === '' ? '' : `: ${detail}`}` };
}

export function fieldTypeInvalid(field: string, value: unknown, detail: string): FieldCause {
  return { reason: 'FieldValueTypeInvalid', field, message: `Invalid value: ${goValue(value)}: ${detail}` };
}

export function fieldRequired(field: string, detail = ''): FieldCause {
  return { reason: 'FieldValueRequired', field, message: `Required value${detail === '' ? '' : `: ${detail}`}` };
}

export function fieldForbidden(field: string, detail: string): FieldCause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}

export function fieldDuplicate(field: string, value: unknown): FieldCause {
  const shown = value instanceof GoLiteral ? value.text : goValue(value);
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown}` };
}

export function fieldNotSupported(field: string, value: unknown, supported: readonly unknown[]): FieldCause {
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${goValue(value)}: supported values: ${supported.map(goValue).join(', ')}`,
  };
}

export function fieldTooLong(field: string, maximum: number): FieldCause {
  return { reason: 'FieldValueTooLong', field, message: `Too long: may not be longer than ${maximum}` };
}

export function fieldTooMany(field: string, actual: number, maximum: number): FieldCause {
  return { reason: 'FieldValueTooMany', field, message: `Too many: ${actual}: must have at most ${maximum} items` };
}
