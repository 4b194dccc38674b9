import type { FieldCause, Schema } from '../types.ts';
import { copy, isEqual, isObject } from './decode.ts';
import { fieldInvalid, fieldNotSupported, fieldRequired, fieldTooLong, fieldTooMany, fieldTypeInvalid } from './errors.ts';

/** Fills in `default` values of a structural schema, in place, also inside defaults (apiextensions `defaulting.Default`). */
export function applyDefaults(value: unknown, schema: Schema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) applyDefaults(item, schema.items);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined && (value[name] === undefined || (value[name] === null && property.nullable !== true)))
      value[name] = copy(property.default);
    if (value[name] === null && property.nullable !== true) delete value[name];
    else if (value[name] !== undefined) applyDefaults(value[name], property);
  }
  if (typeof schema.additionalProperties === 'object') {
    for (const [name, item] of Object.entries(value))
      if (schema.properties === undefined || !Object.hasOwn(schema.properties, name)) applyDefaults(item, schema.additionalProperties);
  }
}

/** Refusals of a custom resource by its schema, in kube-openapi's words and order: the value itself, then its fields. */
export function validateSchema(value: unknown, schema: Schema, path: string, causes: FieldCause[]): void {
  if (value === null) {
    if (schema.nullable !== true)
      causes.push(fieldTypeInvalid(path, 'null', `${path} in body must be of type ${schema.type ?? 'object'}: "null"`));
    return;
  }
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (typeof value !== 'string' && !Number.isInteger(value))
      causes.push(fieldTypeInvalid(path, jsonType(value), `${path} in body must be of type integer,string: "${jsonType(value)}"`));
    else if (typeof value === 'string') validateString(value, schema, path, causes);
    return;
  }
  if (schema.type !== undefined && !hasType(value, schema.type)) {
    const found = jsonType(value);
    if (schema.format !== undefined && typeof value !== 'string' && !Array.isArray(value)) {
      // A format stands in for the type, on both sides.
      const format = typeof value !== 'number' ? '' : Number.isInteger(value) ? 'int64' : 'double';
      causes.push(fieldTypeInvalid(path, format, `${path} in body must be of type ${schema.format}: "${format}"`));
      return;
    }
    causes.push(fieldTypeInvalid(path, found, `${path} in body must be of type ${schema.type}: "${found}"`));
    return;
  }
  if (schema.enum !== undefined && !schema.enum.some((allowed) => isEqual(allowed, value)))
    causes.push(fieldNotSupported(path, value, schema.enum));
  if (typeof value === 'string') validateString(value, schema, path, causes);
  else if (typeof value === 'number') validateNumber(value, schema, path, causes);
  else if (Array.isArray(value)) validateList(value, schema, path, causes);
  else if (isObject(value)) validateObject(value, schema, path, causes);
}

function validateString(value: string, schema: Schema, path: string, causes: FieldCause[]): void {
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) causes.push(fieldTooLong(path, schema.maxLength));
  if (schema.minLength !== undefined && length < schema.minLength)
    causes.push(fieldInvalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`));
  if (schema.pattern !== undefined && !regexp(schema.pattern).test(value))
    causes.push(fieldInvalid(path, value, `${path} in body should match '${schema.pattern}'`));
  if (schema.format !== undefined && formats[schema.format]?.(value) === false)
    causes.push(fieldTypeInvalid(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`));
}

function validateNumber(value: number, schema: Schema, path: string, causes: FieldCause[]): void {
  if (schema.minimum !== undefined && value < schema.minimum)
    causes.push(fieldInvalid(path, value, `${path} in body should be greater than or equal to ${schema.minimum}`));
  if (schema.maximum !== undefined && value > schema.maximum)
    causes.push(fieldInvalid(path, value, `${path} in body should be less than or equal to ${schema.maximum}`));
}

function validateList(value: readonly unknown[], schema: Schema, path: string, causes: FieldCause[]): void {
  if (schema.maxItems !== undefined && value.length > schema.maxItems) causes.push(fieldTooMany(path, value.length, schema.maxItems));
  if (schema.minItems !== undefined && value.length < schema.minItems)
    causes.push(fieldInvalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`));
  const { items } = schema;
  if (items !== undefined) for (const [index, item] of value.entries()) validateSchema(item, items, `${path}[${index}]`, causes);
  const listType = schema['x-kubernetes-list-type'];
  if (listType === undefined || listType === 'atomic') return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen: unknown[] = [];
  for (const [index, item] of value.entries()) {
    const identity =
      listType === 'set'
        ? item
        : isObject(item)
          ? Object.fromEntries(keys.flatMap((key) => (item[key] === undefined ? [] : [[key, item[key]]])))
          : item;
    if (seen.some((other) => isEqual(other, identity)))
      causes.push({
        reason: 'FieldValueDuplicate',
        field: `${path}[${index}]`,
        message: `Duplicate value: ${
          typeof identity === 'string'
            ? JSON.stringify(identity)
            : `map[string]interface {}{${Object.entries(identity as object)
                .map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`)
                .join(', ')}}`
        }`,
      });
    seen.push(identity);
  }
}

function validateObject(value: Readonly<Record<string, unknown>>, schema: Schema, path: string, causes: FieldCause[]): void {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  validateAlternatives(value, schema, path, causes);
  for (const name of schema.required ?? []) if (value[name] === undefined) causes.push(fieldRequired(at(name)));
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const property = schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    if (property !== undefined) {
      validateSchema(item, property, at(name), causes);
    } else if (typeof schema.additionalProperties === 'object') validateSchema(item, schema.additionalProperties, at(name), causes);
  }
}

/** `anyOf` and `oneOf`: the failure itself has no field; what the first alternative misses follows it (kube-openapi, schemaPropsValidator). */
function validateAlternatives(value: Readonly<Record<string, unknown>>, schema: Schema, path: string, causes: FieldCause[]): void {
  const refuse = (text: string, first: { readonly required: readonly string[] } | undefined): void => {
    causes.push({ reason: 'FieldValueInvalid', field: '<nil>', message: `Invalid value: "": "${path}" must validate ${text}` });
    for (const name of first?.required ?? [])
      if (value[name] === undefined) causes.push(fieldRequired(path === '' ? name : `${path}.${name}`));
  };
  const count = (alternatives: readonly { readonly required: readonly string[] }[]): number =>
    alternatives.filter(({ required }) => required.every((name) => value[name] !== undefined)).length;
  if (schema.anyOf !== undefined && count(schema.anyOf) === 0) refuse('at least one schema (anyOf)', schema.anyOf[0]);
  if (schema.oneOf !== undefined) {
    const valid = count(schema.oneOf);
    if (valid === 0) refuse('one and only one schema (oneOf). Found none valid', schema.oneOf[0]);
    else if (valid > 1) refuse(`one and only one schema (oneOf). Found ${valid} valid alternatives`, undefined);
  }
}

function hasType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  switch (type) {
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === type;
  }
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const compiled = new Map<string, RegExp>();

/** Go's RE2 syntax, as far as JavaScript says it differently: `\A`, `\z` and leading inline flags. */
function regexp(pattern: string): RegExp {
  let found = compiled.get(pattern);
  if (found === undefined) {
    const flags = /^\(\?([ims]+)\)/.exec(pattern);
    const body = (flags === null ? pattern : pattern.slice(flags[0].length)).replace(/\\A/g, '^').replace(/\\z/g, '$');
    try {
      found = new RegExp(body, `u${flags?.[1] ?? ''}`);
    } catch {
      found = new RegExp(body, flags?.[1] ?? '');
    }
    compiled.set(pattern, found);
  }
  return found;
}

const ipv4Octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = new RegExp(`^(${ipv4Octet}\\.){3}${ipv4Octet}$`);

export function isIpv4(text: string): boolean {
  return ipv4.test(text);
}

export function isIpv6(text: string): boolean {
  if (!text.includes(':') || text.includes(':::')) return false;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1);
  let count = groups.length;
  if (last?.includes('.')) {
    if (!isIpv4(last)) return false;
    groups.pop();
    count++;
  }
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count < 8 : count === 8;
}

export function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

export function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return false;
  const address = text.slice(0, slash);
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return false;
  return isIpv4(address) ? Number(length) <= 32 : isIpv6(address) && Number(length) <= 128;
}

/** The formats that apiextensions checks; others are not checked, as there. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  cidr: isCidr,
  ipv4: isIpv4,
  ipv6: isIpv6,
  ip: (text) => isIpv4(text) || isIpv6(text),
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  'date-time': (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text),
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text),
  byte: (text) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0,
  mac: (text) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text),
  hostname: (text) => /^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/.test(text),
  duration: (text) => /^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w))+$/.test(text),
};
