import type { PrinterColumn, Schema } from '../../kubernetes/types.ts';

/** Short forms for structural schemas. */
export const object = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
  extra: Partial<Schema> = {},
): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
  ...extra,
});
/** CEL rules with their messages, as an extra of a schema. */
export const rules = (all: readonly (readonly [rule: string, message: string])[]): Partial<Schema> =>
  all.length === 0 ? {} : { 'x-kubernetes-validations': all.map(([rule, message]) => ({ rule, message })) };
export const list = (items: Schema, extra: Partial<Schema> = {}): Schema => ({ type: 'array', items, ...extra });
export const mapByKeys = (items: Schema, keys: readonly string[], extra: Partial<Schema> = {}): Schema =>
  list(items, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys, ...extra });
export const text = (extra: Partial<Schema> = {}): Schema => ({ type: 'string', ...extra });
export const integer = (minimum?: number, maximum?: number, extra: Partial<Schema> = {}): Schema => ({
  type: 'integer',
  ...(minimum === undefined ? {} : { minimum }),
  ...(maximum === undefined ? {} : { maximum }),
  ...extra,
});
export const boolean = (extra: Partial<Schema> = {}): Schema => ({ type: 'boolean', ...extra });
export const stringMap: Schema = { type: 'object', additionalProperties: { type: 'string' } };
/** An object whose inside is not checked. */
export const anything: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** Cilium's slim label selector. */
export const labelSelector = (description: string): Schema => ({
  type: 'object',
  description,
  properties: {
    matchExpressions: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          key: text(),
          operator: text({ enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }),
          values: list(text()),
        },
        required: ['key', 'operator'],
      },
    },
    matchLabels: {
      type: 'object',
      additionalProperties: text({ maxLength: 63, pattern: '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$' }),
    },
  },
});

const condition: Schema = object(
  {
    lastTransitionTime: text({ format: 'date-time' }),
    message: text({ maxLength: 32768 }),
    observedGeneration: integer(0, undefined, { format: 'int64' }),
    reason: text({ maxLength: 1024, minLength: 1, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' }),
    status: text({ enum: ['True', 'False', 'Unknown'] }),
    type: text({
      maxLength: 316,
      pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
    }),
  },
  ['lastTransitionTime', 'message', 'reason', 'status', 'type'],
);

/** `status.conditions`, merged by type. */
export const conditions: Schema = object({ conditions: mapByKeys(condition, ['type']) });

export const ageColumn: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** The whole of a custom resource around its spec (and status). */
export function resource(
  description: string,
  spec: Schema | undefined,
  status: Schema | undefined,
  required: readonly string[] = [],
): Schema {
  return {
    type: 'object',
    description,
    properties: {
      apiVersion: text(),
      kind: text(),
      metadata: { type: 'object' },
      ...(spec === undefined ? {} : { spec }),
      ...(status === undefined ? {} : { status }),
    },
    ...(required.length > 0 ? { required } : {}),
  };
}
