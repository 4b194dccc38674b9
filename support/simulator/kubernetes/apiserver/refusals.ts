import type { KubernetesObject } from '../types.ts';
import { isObject } from './decode.ts';
import { ApiError, badRequest, fieldInvalid, invalid, notFound, unforeseen } from './errors.ts';
import type { Resource, ServedVersion } from './registry.ts';

// How patches, server-side apply and scaling are refused (Kubernetes 1.27 `apiserver/pkg/endpoints/handlers/patch.go`).

type Json = Readonly<Record<string, unknown>>;

/** A Go map as `%v` prints it. */
export function goMap(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goMap).join(' ')}]`;
  if (!isObject(value)) return value === null || value === undefined ? '<nil>' : String(value);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goMap(value[key])}`).join(' ')}]`;
}

/** The object that a patch makes cannot be read. */
export function invalidPatch(error: ApiError, patch: string, isStrategic: boolean): ApiError {
  const said = error.message.replace(/^.* cannot be handled as an? \w+: /, '');
  const wrongScalar = /cannot unmarshal \w+ into Go struct field \S+ of type (string|bool|int32|int64)$/.exec(said);
  const why = isStrategic && wrongScalar !== null ? `unrecognized type: ${wrongScalar[1]}` : said;
  const cause = fieldInvalid('patch', patch, why);
  return new ApiError(422, 'Invalid', ` "" is invalid: patch: ${cause.message}`, { causes: [cause] });
}

/** A patch may not make another object of an object. @throws ApiError */
export function refuseOtherIdentity(old: KubernetesObject, next: Json): void {
  const metadata = isObject(next['metadata']) ? next['metadata'] : {};
  const { name, uid } = metadata;
  if (typeof name === 'string' && name !== old.metadata.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${old.metadata.name})`);
  if (typeof uid === 'string' && uid !== old.metadata.uid) {
    const slash = old.apiVersion.indexOf('/');
    const group = slash < 0 ? '' : old.apiVersion.slice(0, slash);
    throw invalid({ group, kind: old.kind }, old.metadata.name, [fieldInvalid('metadata.uid', uid, 'field is immutable')]);
  }
}

/** Server-side apply knows only what its schema has. @throws ApiError 500 */
export function refuseUntyped(
  target: { readonly resource: Resource; readonly version: ServedVersion },
  body: Json,
  unknown: readonly string[],
): void {
  const [first] = unknown;
  if (first === undefined) return;
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  const { namespace = '', name = '' } = metadata as { readonly namespace?: string; readonly name?: string };
  const about = `${namespace}/${name}; ${String(body['apiVersion'])}, Kind=${target.resource.kind}`;
  throw unforeseen(`failed to create typed patch object (${about}): .${first}: field not declared in schema`);
}

/** @throws ApiError 404 */
export function missingScale(resource: Resource, name: string): never {
  throw notFound({ group: resource.group, plural: `${resource.plural}/scale` }, name);
}

/** @throws ApiError */
export function checkScale(object: KubernetesObject, wanted: unknown, replicas: unknown): void {
  if (typeof replicas !== 'number') {
    const kind = Array.isArray(replicas) ? 'array' : replicas === null ? 'null' : typeof replicas;
    const cause = fieldInvalid(
      'patch',
      JSON.stringify(wanted),
      `json: cannot unmarshal ${kind === 'boolean' ? 'bool' : kind} into Go struct field ScaleSpec.spec.replicas of type int32`,
    );
    throw new ApiError(422, 'Invalid', ` "" is invalid: patch: ${cause.message}`, { causes: [cause] });
  }
  if (replicas < 0)
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, object.metadata.name, [
      fieldInvalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
}
