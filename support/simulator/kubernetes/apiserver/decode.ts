import type { Schema } from '../types.ts';
import { type Field, goType, structOf, type Type, zerosOf } from './builtin-types.ts';
import { canonicalQuantity } from './quantity.ts';

type Json = Record<string, unknown>;

/** What a decoder found wrong: unknown fields (strict mode), or a type error that no mode forgives. */
export interface Decoded {
  readonly object: Json;
  readonly unknownFields: readonly string[];
}

/** A value of the wrong type, in the words of Go's JSON decoder. */
export class DecodeError extends Error {}

/**
 * Reads an object as its Go struct would: drops unknown fields and remembers their paths, leaves out empty values with
 * `omitempty`, and refuses wrong types.
 * @throws DecodeError `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`
 */
export function decodeBuiltin(kind: string, input: Readonly<Json>): Decoded {
  const unknownFields: string[] = [];
  const object: Json = { apiVersion: input['apiVersion'], kind: input['kind'] };
  const struct = structOf(kind);
  if (struct === undefined) return { object: { ...input }, unknownFields };
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = input;
  Object.assign(object, readStruct(rest, kind, struct, '', '', unknownFields));
  return { object, unknownFields };
}

function readStruct(
  input: Readonly<Json>,
  name: string,
  struct: ReadonlyMap<string, Field>,
  path: string,
  goPath: string,
  unknown: string[],
): Json {
  const output: Json = {};
  for (const key in input) {
    const value = input[key];
    const field = struct.get(key);
    const at = path === '' ? key : `${path}.${key}`;
    if (field === undefined) {
      unknown.push(at);
      continue;
    }
    if (value === null || value === undefined) {
      if (field.keepsEmpty && field.type.kind === 'list') output[key] = null;
      continue;
    }
    const read = readValue(value, field.type, name, at, goPath === '' ? key : `${goPath}.${key}`, unknown);
    if (isEmpty(read, field)) continue;
    output[key] = read;
  }
  return output;
}

function isEmpty(value: unknown, field: Field): boolean {
  if (field.keepsEmpty || field.isPointer) return false;
  switch (field.type.kind) {
    case 'string':
      return value === '';
    case 'bool':
      return value === false;
    case 'int32':
    case 'int64':
      return value === 0;
    case 'list':
      return (value as unknown[]).length === 0;
    case 'map':
      return isBare(value as Json);
    default:
      return false;
  }
}

function isBare(object: Json): boolean {
  for (const _key in object) return false;
  return true;
}

function readValue(value: unknown, type: Type, struct: string, path: string, goPath: string, unknown: string[]): unknown {
  const refuse = (): DecodeError =>
    new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go struct field ${struct}.${goPath} of type ${goType(type)}`);
  switch (type.kind) {
    case 'any':
      return copy(value);
    case 'string':
      if (typeof value !== 'string') throw refuse();
      return value;
    case 'bytes': {
      if (typeof value !== 'string') throw refuse();
      const wrong = wrongBase64At(value);
      if (wrong !== undefined) throw new DecodeError(`illegal base64 data at input byte ${wrong}`);
      return value;
    }
    case 'time':
      if (typeof value !== 'string') throw refuse();
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw refuse();
      return value;
    case 'float64':
      if (typeof value !== 'number') throw refuse();
      return value;
    case 'int32':
    case 'int64':
      if (typeof value !== 'number') throw refuse();
      if (!Number.isInteger(value) || (type.kind === 'int32' && Math.abs(value) > 2 ** 31))
        throw new DecodeError(`json: cannot unmarshal number ${value} into Go struct field ${struct}.${goPath} of type ${type.kind}`);
      return value;
    case 'intstr':
      if (typeof value !== 'string' && typeof value !== 'number')
        throw new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go struct field ${struct}.${goPath} of type string`);
      return value;
    case 'quantity':
      if (typeof value === 'number') return canonicalQuantity(String(value)) ?? String(value);
      if (typeof value !== 'string' || canonicalQuantity(value) === undefined)
        throw new DecodeError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
      return canonicalQuantity(value);
    case 'list':
      if (!Array.isArray(value)) throw refuse();
      return value.map((item, index) =>
        item === null ? zero(type.item) : readValue(item, type.item, struct, `${path}[${index}]`, goPath, unknown),
      );
    case 'map': {
      if (!isObject(value)) throw refuse();
      const output: Json = {};
      for (const key in value) {
        const item = value[key];
        output[key] = item === null ? zero(type.value) : readValue(item, type.value, struct, `${path}.${key}`, goPath, unknown);
      }
      return output;
    }
    case 'struct': {
      if (!isObject(value)) throw refuse();
      const fields = structOf(type.name);
      if (fields === undefined) throw new Error(`builtin-types.ts does not define ${type.name}`);
      return readStruct(value, type.name, fields, path, goPath, unknown);
    }
  }
}

/** Where Go's base64 decoder stops, if it does; line breaks do not count. */
function wrongBase64At(text: string): number | undefined {
  if (/^[A-Za-z0-9+/]*$/.test(text) && text.length % 4 === 0) return undefined;
  const match =
    /^(?:(?:[A-Za-z0-9+/][\r\n]*){4})*(?:(?:[A-Za-z0-9+/][\r\n]*){2}=[\r\n]*=[\r\n]*|(?:[A-Za-z0-9+/][\r\n]*){3}=[\r\n]*)?$/.exec(text);
  if (match !== null) return undefined;
  const at = text.search(/[^A-Za-z0-9+/\r\n]/);
  // A text that ends within a group of four is wrong where that group began.
  if (at < 0) return text.length - (text.length % 4);
  return at;
}

/** Fills in what Go writes of a struct although nothing set it. Objects are changed in place; `except` are fields left alone. */
export function fillZeros(struct: string, object: Json, except?: string): void {
  const { always, nested } = zerosOf(struct);
  for (const [field, value] of always) if (object[field] === undefined) object[field] = value;
  for (const [field, inner, form] of nested) {
    if (field === except) continue;
    const value = object[field];
    if (value === undefined || value === null) {
      if (form !== 'struct') continue;
      const made: Json = {};
      object[field] = made;
      fillZeros(inner, made);
    } else if (form !== 'list') fillZeros(inner, value as Json);
    else if (Array.isArray(value)) for (const item of value) if (isObject(item)) fillZeros(inner, item);
  }
}

function zero(type: Type): unknown {
  return type.kind === 'string'
    ? ''
    : type.kind === 'bool'
      ? false
      : type.kind === 'int32' || type.kind === 'int64'
        ? 0
        : type.kind === 'struct'
          ? {}
          : null;
}

function jsonKind(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Reads a custom resource: fields that its schema does not specify are pruned (and named, sorted as the real server does). */
export function decodeCustom(schema: Schema, input: Readonly<Json>): Decoded {
  const unknownFields: string[] = [];
  const { apiVersion, kind, metadata, ...rest } = input;
  const { properties, ...other } = schema;
  const { apiVersion: _a, kind: _k, metadata: _m, ...ownProperties } = properties ?? {};
  const pruned = prune(rest, { ...other, properties: ownProperties }, '', unknownFields) as Json;
  const meta = structOf('ObjectMeta');
  if (meta === undefined) throw new Error('builtin-types.ts does not define ObjectMeta');
  const metadataUnknown: string[] = [];
  const readMeta = isObject(metadata) ? readStruct(metadata, 'ObjectMeta', meta, 'metadata', 'metadata', metadataUnknown) : {};
  return { object: { apiVersion, kind, metadata: readMeta, ...pruned }, unknownFields: [...unknownFields.sort(), ...metadataUnknown] };
}

function prune(value: unknown, schema: Schema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? copy(value) : value.map((item, index) => prune(item, items, `${path}[${index}]`, unknown));
  }
  if (!isObject(value)) return value;
  const output: Json = {};
  const keepsAll = schema['x-kubernetes-preserve-unknown-fields'] === true;
  for (const [key, item] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    const property = schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    if (property !== undefined) output[key] = prune(item, property, at, unknown);
    else if (typeof schema.additionalProperties === 'object') output[key] = prune(item, schema.additionalProperties, at, unknown);
    else if (schema.additionalProperties === true || keepsAll || (schema.type === undefined && schema.properties === undefined))
      output[key] = copy(item);
    else unknown.push(at);
  }
  return output;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A deep copy that may be changed. */
export function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (typeof value !== 'object' || value === null) return value;
  const output = { ...value } as Json;
  for (const key in output) {
    const item = output[key];
    if (typeof item === 'object') output[key] = copy(item);
    else if (item === undefined) delete output[key];
  }
  return output as T;
}

/** Freezes a tree; subtrees that are frozen already were frozen deeply. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) for (const item of value) freeze(item);
  else for (const key in value) freeze((value as Json)[key]);
  return value;
}

/** Whether two trees of plain data say the same; a field that is undefined is none. Nearly every write asks this: it allocates nothing. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!isEqual(a[index], b[index])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  let count = 0;
  for (const key in a) {
    const value = (a as Json)[key];
    if (value === undefined) continue;
    if (!Object.hasOwn(b, key) || !isEqual(value, (b as Json)[key])) return false;
    count++;
  }
  for (const key in b) if ((b as Json)[key] !== undefined) count--;
  return count === 0;
}
