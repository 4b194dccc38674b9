import type { Schema } from '../types.ts';
import { structOf, type Type } from './builtin-types.ts';
import { copy, isEqual, isObject } from './decode.ts';
import { ApiError, badRequest, unforeseen } from './errors.ts';

type Json = Record<string, unknown>;

/** The type of a value, for patches that depend on it: a built-in Go type, or a custom resource's schema. */
export type Shape = Type | { readonly kind: 'schema'; readonly schema: Schema } | undefined;

export function shapeOf(kind: string, schema: Schema | undefined): Shape {
  return schema === undefined ? { kind: 'struct', name: kind } : { kind: 'schema', schema };
}

export function childShape(shape: Shape, key: string): Shape {
  if (shape === undefined) return undefined;
  if (shape.kind === 'struct') return structOf(shape.name)?.get(key)?.type;
  if (shape.kind === 'map') return shape.value;
  if (shape.kind !== 'schema') return undefined;
  const { properties, additionalProperties } = shape.schema;
  const property = properties?.[key];
  if (property !== undefined) return { kind: 'schema', schema: property };
  if (key === 'metadata') return { kind: 'struct', name: 'ObjectMeta' };
  return typeof additionalProperties === 'object' ? { kind: 'schema', schema: additionalProperties } : undefined;
}

export function listShape(shape: Shape): { readonly keys: readonly string[] | undefined; readonly isSet: boolean; readonly item: Shape } {
  if (shape?.kind === 'list') return { keys: shape.keys, isSet: shape.isSet, item: shape.item };
  if (shape?.kind !== 'schema') return { keys: undefined, isSet: false, item: undefined };
  const listType = shape.schema['x-kubernetes-list-type'];
  const item: Shape = shape.schema.items === undefined ? undefined : { kind: 'schema', schema: shape.schema.items };
  return { keys: listType === 'map' ? shape.schema['x-kubernetes-list-map-keys'] : undefined, isSet: listType === 'set', item };
}

// ── RFC 7386 ────────────────────────────────────────────────────────────────────────────────────────────────

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return copy(patch);
  // A Map, because a key may be `__proto__`.
  const output = new Map<string, unknown>(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) output.delete(key);
    else output.set(key, mergePatch(output.get(key), value));
  }
  return Object.fromEntries(output);
}

// ── RFC 6902 ────────────────────────────────────────────────────────────────────────────────────────────────

interface Operation {
  readonly op?: string;
  readonly path?: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** @throws ApiError 422, in the words that the server has for every patch it cannot apply */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp');
  let document = copy(target);
  for (const operation of patch as Operation[]) document = applyOperation(document, operation);
  return document;
}

const rejected = (): ApiError => new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

function applyOperation(document: unknown, operation: Operation): unknown {
  const path = pointer(operation.path);
  switch (operation.op) {
    case 'add':
      return insertAt(document, path, copy(operation.value));
    case 'remove':
      return removeAt(document, path);
    case 'replace':
      if (path.length === 0) return copy(operation.value);
      return insertAt(removeAt(document, path), path, copy(operation.value));
    case 'test':
      if (!isEqual(valueAt(document, path), operation.value)) throw rejected();
      return document;
    case 'copy':
      return insertAt(document, path, copy(valueAt(document, pointer(operation.from))));
    case 'move': {
      const from = pointer(operation.from);
      const value = valueAt(document, from);
      return insertAt(removeAt(document, from), path, value);
    }
    default:
      throw rejected();
  }
}

function pointer(text: string | undefined): string[] {
  if (text === undefined || (text !== '' && !text.startsWith('/'))) throw rejected();
  return text === ''
    ? []
    : text
        .slice(1)
        .split('/')
        .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  let value = document;
  for (const part of path) {
    if (Array.isArray(value)) value = value[listIndex(part, value.length - 1)];
    else if (isObject(value) && Object.hasOwn(value, part)) value = value[part];
    else throw rejected();
  }
  return value;
}

function insertAt(document: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  const parent = valueAt(document, path.slice(0, -1));
  const last = path.at(-1) ?? '';
  if (Array.isArray(parent)) parent.splice(last === '-' ? parent.length : listIndex(last, parent.length), 0, value);
  else if (isObject(parent)) parent[last] = value;
  else throw rejected();
  return document;
}

function removeAt(document: unknown, path: readonly string[]): unknown {
  const parent = valueAt(document, path.slice(0, -1));
  const last = path.at(-1) ?? '';
  if (Array.isArray(parent)) parent.splice(listIndex(last, parent.length - 1), 1);
  else if (isObject(parent) && Object.hasOwn(parent, last)) delete parent[last];
  else throw rejected();
  return document;
}

function listIndex(part: string, highest: number): number {
  if (!/^(0|[1-9]\d*)$/.test(part) || Number(part) > highest) throw rejected();
  return Number(part);
}

// ── strategic merge patch (apimachinery pkg/util/strategicpatch) ────────────────────────────────────────────

export function strategicMerge(target: unknown, patch: unknown, shape: Shape): unknown {
  if (!isObject(patch)) return copy(patch);
  const directive = patch['$patch'];
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw unforeseen(`unknown patch type: ${String(directive)} in map: ${goMap(patch)}`);
  const output: Json = isObject(target) ? { ...target } : {};
  const retain = patch['$retainKeys'];
  if (Array.isArray(retain)) for (const key of Object.keys(output)) if (!retain.includes(key)) delete output[key];
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$deleteFromPrimitiveList/')) {
      const name = key.slice('$deleteFromPrimitiveList/'.length);
      if (Array.isArray(output[name]) && Array.isArray(value))
        output[name] = (output[name] as unknown[]).filter((item) => !value.includes(item));
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    if (value === null) delete output[key];
    else if (Array.isArray(value)) output[key] = mergeList(output[key], value, childShape(shape, key), patch[`$setElementOrder/${key}`]);
    else if (isReplaced(shape, key)) output[key] = copy(value);
    else if (isObject(value)) output[key] = strategicMerge(output[key], value, childShape(shape, key));
    else output[key] = value;
  }
  for (const [key, order] of Object.entries(patch)) {
    // An order without a list of changes: only sorts.
    const name = key.startsWith('$setElementOrder/') ? key.slice('$setElementOrder/'.length) : undefined;
    if (name !== undefined && patch[name] === undefined && Array.isArray(output[name]))
      output[name] = mergeList(output[name], [], childShape(shape, name), order);
  }
  return output;
}

/** The one field whose patch strategy is `replace`. */
export function isReplaced(shape: Shape, key: string): boolean {
  return key === 'selector' && shape?.kind === 'struct' && shape.name === 'PodDisruptionBudgetSpec';
}

function withoutDirectives(patch: Readonly<Json>): Json {
  return copy(Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$'))));
}

function mergeList(target: unknown, patch: readonly unknown[], shape: Shape, order: unknown): unknown[] {
  const { keys, isSet, item } = listShape(shape);
  const original = Array.isArray(target) ? target : [];
  if (isSet) {
    const merged = [...original, ...patch.filter((value) => !original.includes(value))];
    return Array.isArray(order) ? inOrder(merged, order, original, (value) => value) : merged;
  }
  const key = keys?.[0];
  if (key === undefined) {
    const replacing = patch.filter((value) => !(isObject(value) && value['$patch'] !== undefined));
    return copy([...replacing]);
  }
  if (patch.some((value) => isObject(value) && value['$patch'] === 'replace'))
    return patch.filter((value) => !(isObject(value) && value['$patch'] === 'replace')).map(copy);
  const identity = (value: unknown): unknown => (isObject(value) ? value[key] : undefined);
  let merged: unknown[] = [...original];
  for (const change of patch) {
    if (!isObject(change)) throw badRequest('cannot merge a list of maps with a list of values');
    const id = identity(change);
    if (id === undefined) throw unforeseen(`map: ${goMap(change)} does not contain declared merge key: ${key}`);
    if (change['$patch'] === 'delete') {
      merged = merged.filter((value) => identity(value) !== id);
      continue;
    }
    const index = merged.findIndex((value) => identity(value) === id);
    if (index >= 0) merged[index] = strategicMerge(merged[index], change, item);
    else merged.push(strategicMerge({}, change, item));
  }
  const wanted = Array.isArray(order) ? order : patch.filter((value) => !(isObject(value) && value['$patch'] === 'delete'));
  return wanted.length === 0 ? merged : inOrder(merged, wanted.map(identity), original.map(identity), identity);
}

/** `normalizeElementOrder`: what the patch names comes in its order; what only the server has keeps its place before later ones. */
function inOrder(
  merged: readonly unknown[],
  wanted: readonly unknown[],
  server: readonly unknown[],
  identity: (value: unknown) => unknown,
): unknown[] {
  const named = merged
    .filter((value) => wanted.includes(identity(value)))
    .sort((a, b) => wanted.indexOf(identity(a)) - wanted.indexOf(identity(b)));
  const others = merged.filter((value) => !wanted.includes(identity(value)));
  const output: unknown[] = [];
  let left = 0;
  let right = 0;
  while (left < named.length || right < others.length) {
    const placeOfNamed = left < named.length ? server.indexOf(identity(named[left])) : Number.POSITIVE_INFINITY;
    const placeOfOther = right < others.length ? server.indexOf(identity(others[right])) : Number.POSITIVE_INFINITY;
    output.push(
      left < named.length && placeOfNamed < placeOfOther ? named[left++] : right < others.length ? others[right++] : named[left++],
    );
  }
  return output;
}

function goMap(value: Readonly<Json>): string {
  return `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${String(value[key])}`)
    .join(' ')}]`;
}
