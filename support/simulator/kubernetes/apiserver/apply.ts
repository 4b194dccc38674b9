import { copy, isEqual, isObject } from './decode.ts';
import { ApiError } from './errors.ts';
import { childShape, listShape, type Shape } from './patch.ts';

type Json = Record<string, unknown>;

/** Which manager set which leaf fields of one object: what `managedFields` holds in reality. */
export type Ownership = Map<string, Set<string>>;

/** What a manager wrote by updates is apart from what it applied: this stands behind the name of an updater. */
const updated = '\u0000update';

/** Fields that no manager owns. */
const unowned = new Set([
  '.apiVersion',
  '.kind',
  '.metadata.name',
  '.metadata.namespace',
  '.metadata.uid',
  '.metadata.resourceVersion',
  '.metadata.creationTimestamp',
  '.metadata.generation',
  '.metadata.managedFields',
]);

/** Leaf fields with their values, written as in conflict messages: `.spec.template.spec.containers[name="web"].image`. */
export function leafFields(value: unknown, shape: Shape, path = '', found = new Map<string, unknown>()): Map<string, unknown> {
  if (unowned.has(path)) return found;
  if (isObject(value) && (Object.keys(value).length > 0 || path === '')) {
    for (const [key, item] of Object.entries(value)) leafFields(item, childShape(shape, key), `${path}.${key}`, found);
    return found;
  }
  if (Array.isArray(value)) {
    const { keys, isSet, item } = listShape(shape);
    if (isSet) {
      for (const element of value) found.set(`${path}[=${JSON.stringify(element)}]`, element);
      return found;
    }
    if (keys !== undefined && value.every(isObject)) {
      for (const element of value) leafFields(element, item, `${path}[${elementKey(element, keys)}]`, found);
      return found;
    }
  }
  found.set(path, value);
  return found;
}

function elementKey(element: Readonly<Json>, keys: readonly string[]): string {
  return keys
    .filter((key) => element[key] !== undefined)
    .map((key) => `${key}=${JSON.stringify(element[key])}`)
    .join(',');
}

/** After an ordinary write: what changed belongs to its manager now, what is gone to nobody. */
export function trackWrite(
  ownership: Ownership,
  manager: { readonly name: string; readonly subresource: string | undefined },
  old: unknown,
  next: unknown,
  shape: Shape,
): void {
  const before = leafFields(old ?? {}, shape);
  const after = leafFields(next, shape);
  const key = manager.name + updated + (manager.subresource === undefined ? '' : `\u0000${manager.subresource}`);
  const own = ownership.get(key) ?? new Set<string>();
  for (const [path, value] of after) {
    if (before.has(path) && isEqual(before.get(path), value)) continue;
    for (const fields of ownership.values()) fields.delete(path);
    own.add(path);
  }
  for (const path of before.keys()) if (!after.has(path)) for (const fields of ownership.values()) fields.delete(path);
  if (own.size > 0) ownership.set(key, own);
}

/**
 * Server-side apply: the applied fields are merged in, fields that this manager applied before and no longer mentions go unless
 * somebody else owns them.
 * @throws ApiError 409 when another manager owns a field with another value and `force` is not set
 */
export function serverSideApply(
  old: unknown,
  applied: Readonly<Json>,
  shape: Shape,
  options: { readonly manager: string; readonly force: boolean; readonly apiVersion: string; readonly ownership: Ownership },
): { readonly result: unknown; readonly ownership: Ownership } {
  const ownership: Ownership = new Map([...options.ownership].map(([manager, fields]) => [manager, new Set(fields)]));
  const wanted = leafFields(applied, shape);
  const present = leafFields(old ?? {}, shape);
  const conflicts: { readonly manager: string; readonly path: string }[] = [];
  for (const [path, value] of wanted) {
    if (present.has(path) && isEqual(present.get(path), value)) continue;
    for (const [manager, fields] of ownership) if (manager !== options.manager && fields.has(path)) conflicts.push({ manager, path });
  }
  conflicts.sort((a, b) => compareFields(a.path, b.path));
  if (conflicts.length > 0 && !options.force) throw conflictError(conflicts, options.apiVersion);
  for (const { manager, path } of conflicts) ownership.get(manager)?.delete(path);
  const before = ownership.get(options.manager) ?? new Set<string>();
  let result = mergeApplied(copy(old ?? {}), applied, shape);
  for (const path of before) {
    if (wanted.has(path)) continue;
    const isOwnedByOther = [...ownership].some(([manager, fields]) => manager !== options.manager && fields.has(path));
    if (!isOwnedByOther) result = removeField(result, path, shape, [...wanted.keys()]);
  }
  ownership.set(options.manager, new Set(wanted.keys()));
  return { result, ownership };
}

/** The order in which structured-merge-diff walks a set of fields: at each level first the fields that end there. */
function compareFields(a: string, b: string): number {
  const parts = (path: string): readonly string[] => path.match(/\.[^.[]+|\[[^\]]*\]/g) ?? [path];
  const [left, right] = [parts(a), parts(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [x, y] = [left[index] as string, right[index] as string];
    const [endsLeft, endsRight] = [index === left.length - 1, index === right.length - 1];
    if (endsLeft !== endsRight) return endsLeft ? -1 : 1;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

function conflictError(conflicts: readonly { readonly manager: string; readonly path: string }[], apiVersion: string): ApiError {
  const managerText = (key: string): string => {
    const [name = '', operation, subresource] = key.split('\u0000');
    const part = subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`;
    return `${JSON.stringify(name)}${part}${operation === undefined ? '' : ` using ${apiVersion}`}`;
  };
  const managers = [...new Set(conflicts.map((conflict) => conflict.manager))].sort();
  const [only] = conflicts;
  const pathsOf = (manager: string): readonly string[] =>
    conflicts.filter((conflict) => conflict.manager === manager).map((conflict) => `- ${conflict.path}`);
  const text =
    conflicts.length === 1 && only !== undefined
      ? `conflict with ${managerText(only.manager)}: ${only.path}`
      : managers.map((manager) => [`conflicts with ${managerText(manager)}:`, ...pathsOf(manager)].join('\n')).join('\n');
  // The causes of server-side apply carry a reason of their own, outside apimachinery's field errors.
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(manager)}`,
    field: path,
  }));
  const error = new ApiError(
    409,
    'Conflict',
    `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}: ${text}`,
  );
  Object.assign(error.status, { details: { causes } });
  return error;
}

function mergeApplied(target: unknown, applied: unknown, shape: Shape): unknown {
  if (isObject(applied)) {
    const output: Json = isObject(target) ? { ...target } : {};
    for (const [key, value] of Object.entries(applied)) output[key] = mergeApplied(output[key], value, childShape(shape, key));
    return output;
  }
  if (Array.isArray(applied)) {
    const { keys, isSet, item } = listShape(shape);
    const existing = Array.isArray(target) ? target : [];
    if (isSet) return [...applied, ...existing.filter((value) => !applied.includes(value))];
    if (keys !== undefined && applied.every(isObject)) {
      const identity = (value: unknown): string => (isObject(value) ? elementKey(value, keys) : '');
      const merged = existing.map((value) => {
        const change = applied.find((candidate) => sameElement(value, candidate, keys));
        return change === undefined ? value : mergeApplied(value, change, item);
      });
      const known = new Set(existing.map(identity));
      return [
        ...merged,
        ...applied
          .filter((value) => !known.has(identity(value)) && !existing.some((other) => sameElement(other, value, keys)))
          .map((value) => mergeApplied({}, value, item)),
      ];
    }
    return copy(applied);
  }
  return applied;
}

/** A key that one side leaves out counts as its default (`protocol: TCP`), since stored objects are defaulted. */
function sameElement(a: unknown, b: unknown, keys: readonly string[]): boolean {
  if (!isObject(a) || !isObject(b)) return false;
  return keys.every((key, index) => a[key] === b[key] || (index > 0 && (a[key] === undefined || b[key] === undefined)));
}

function removeField(value: unknown, path: string, shape: Shape, kept: readonly string[]): unknown {
  const remove = (node: unknown, at: string, nodeShape: Shape): unknown => {
    if (isObject(node)) {
      const output: Json = {};
      for (const [key, item] of Object.entries(node)) {
        const below = `${at}.${key}`;
        if (below === path) continue;
        const left = path.startsWith(`${below}.`) || path.startsWith(`${below}[`) ? remove(item, below, childShape(nodeShape, key)) : item;
        const isEmptied =
          left !== item && ((isObject(left) && Object.keys(left).length === 0) || (Array.isArray(left) && left.length === 0));
        if (!isEmptied) output[key] = left;
      }
      return output;
    }
    if (Array.isArray(node)) {
      const { keys, isSet, item } = listShape(nodeShape);
      if (isSet) return node.filter((element) => `${at}[=${JSON.stringify(element)}]` !== path);
      if (keys === undefined) return node;
      return node.flatMap((element) => {
        if (!isObject(element)) return [element];
        const below = `${at}[${elementKey(element, keys)}]`;
        if (!path.startsWith(below)) return [element];
        // Dropping an element's key field drops the element, unless something of it is still applied.
        const isKeyField = keys.some((key) => path === `${below}.${key}`);
        if (isKeyField) return kept.some((other) => other.startsWith(below)) ? [element] : [];
        return [remove(element, below, item)];
      });
    }
    return node;
  };
  return remove(value, '', shape);
}
