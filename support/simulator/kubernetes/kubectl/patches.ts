import { childShape, isReplaced, listShape, type Shape, shapeOf } from '../apiserver/patch.ts';
import { byText, copyOf, type Dict, isDict, isEqual, type Mutable } from './values.ts';

/**
 * The patches that kubectl computes: RFC 7386 merge patches for custom resources, strategic merge patches (with the
 * merge keys compiled into the client) for the built-in types; two-way, or three-way with what was applied last.
 */
export type PatchKind = 'merge' | 'strategic';

export const contentTypes: Readonly<Record<PatchKind | 'json' | 'apply', string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function twoWayPatch(kind: PatchKind, from: Dict, to: Dict, objectKind: string): Mutable {
  return kind === 'merge'
    ? mergeDiff(from, to)
    : strategicDiff(from, to, shapeOf(objectKind, undefined), { additions: true, deletions: true });
}

/** What changes the live object into the modified one, deleting only what was applied before. */
export function threeWayPatch(kind: PatchKind, original: Dict, modified: Dict, current: Dict, objectKind: string): Mutable {
  if (kind === 'merge') {
    const additions = withNulls(mergeDiff(current, modified), false) as Mutable;
    const deletions = withNulls(mergeDiff(original, modified), true) as Mutable;
    return mergePatches(deletions, additions);
  }
  const shape = shapeOf(objectKind, undefined);
  const additions = strategicDiff(current, modified, shape, { additions: true, deletions: false });
  const deletions = strategicDiff(original, modified, shape, { additions: false, deletions: true });
  return mergeStrategic(additions, deletions, shape);
}

// ── RFC 7386 ────────────────────────────────────────────────────────────────────────────────────────────────

function mergeDiff(from: Dict, to: Dict): Mutable {
  const patch: Mutable = {};
  for (const [key, value] of Object.entries(to)) {
    if (!(key in from)) patch[key] = value;
    else if (isDict(value) && isDict(from[key])) {
      const inner = mergeDiff(from[key], value);
      if (Object.keys(inner).length > 0) patch[key] = inner;
    } else if (!isEqual(value, from[key])) patch[key] = value;
  }
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  return patch;
}

/** Only the deletions of a patch, or all but them. */
function withNulls(patch: unknown, keepsNulls: boolean): unknown {
  if (!isDict(patch)) return patch;
  const kept: Mutable = {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      if (keepsNulls) kept[key] = null;
    } else if (isDict(value)) {
      const inner = withNulls(value, keepsNulls) as Mutable;
      if (Object.keys(inner).length > 0 || (!keepsNulls && Object.keys(value).length === 0)) kept[key] = inner;
    } else if (!keepsNulls) kept[key] = value;
  }
  return kept;
}

function mergePatches(first: Dict, second: Dict): Mutable {
  const merged: Mutable = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = merged[key];
    merged[key] = isDict(before) && isDict(value) ? mergePatches(before, value) : value;
  }
  return merged;
}

// ── strategic ───────────────────────────────────────────────────────────────────────────────────────────────

interface Wanted {
  readonly additions: boolean;
  readonly deletions: boolean;
}

/** Types whose fields exclude each other: the patch names those that stay. */
function retainsKeys(shape: Shape): boolean {
  return shape?.kind === 'struct' && (shape.name === 'DeploymentStrategy' || shape.name === 'Volume');
}

function strategicDiff(from: Dict, to: Dict, shape: Shape, wanted: Wanted): Mutable {
  const patch: Mutable = {};
  for (const key of Object.keys(to).sort(byText)) {
    const before = from[key];
    const after = to[key];
    if (!(key in from)) {
      if (wanted.additions) patch[key] = after;
      continue;
    }
    const inner = childShape(shape, key);
    if (isReplaced(shape, key)) {
      // Sent whole, changed or not: an apply of the same budget says `configured`.
      if (wanted.additions) patch[key] = after;
    } else if (isDict(before) && isDict(after)) {
      const change = strategicDiff(before, after, inner, wanted);
      if (Object.keys(change).length > 0) patch[key] = change;
    } else if (Array.isArray(before) && Array.isArray(after) && isMergedList(inner)) {
      const { keys, item, isSet } = listShape(inner);
      if (isSet) diffValues(patch, key, before, after, wanted);
      else diffItems(patch, key, before, after, keys?.[0] as string, item, wanted);
    } else if (wanted.additions && !isEqual(before, after)) patch[key] = after;
  }
  if (wanted.deletions) for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  if (wanted.additions && retainsKeys(shape) && Object.keys(patch).length > 0) patch.$retainKeys = Object.keys(to).sort(byText);
  return patch;
}

function isMergedList(shape: Shape): boolean {
  const { keys, isSet } = listShape(shape);
  return isSet || keys !== undefined;
}

function diffItems(
  patch: Mutable,
  key: string,
  before: readonly unknown[],
  after: readonly unknown[],
  mergeKey: string,
  item: Shape,
  wanted: Wanted,
): void {
  if (before.length === 0) {
    if (after.length > 0 && wanted.additions) patch[key] = after;
    return;
  }
  const identity = (value: unknown): string => String(isDict(value) ? value[mergeKey] : value);
  const old = new Map(before.map((value) => [identity(value), value]));
  const changes: unknown[] = [];
  for (const value of after) {
    const previous = old.get(identity(value));
    if (previous === undefined) {
      if (wanted.additions) changes.push(value);
      continue;
    }
    const change = strategicDiff(previous as Dict, value as Dict, item, wanted);
    if (Object.keys(change).length > 0) changes.push({ ...change, [mergeKey]: (value as Dict)[mergeKey] });
  }
  if (wanted.deletions) {
    const kept = new Set(after.map(identity));
    const removed = before.filter((value) => !kept.has(identity(value))).sort((a, b) => byText(identity(a), identity(b)));
    for (const value of removed) changes.push({ $patch: 'delete', [mergeKey]: (value as Dict)[mergeKey] });
  }
  const isOrderSame = before.length === after.length && before.every((value, index) => identity(value) === identity(after[index]));
  if (changes.length > 0) patch[key] = changes;
  if (wanted.additions && (changes.length > 0 || !isOrderSame))
    patch[`$setElementOrder/${key}`] = after.map((value) => ({ [mergeKey]: (value as Dict)[mergeKey] }));
}

function diffValues(patch: Mutable, key: string, before: readonly unknown[], after: readonly unknown[], wanted: Wanted): void {
  const added = wanted.additions ? after.filter((value) => !before.includes(value)) : [];
  const removed = wanted.deletions ? before.filter((value) => !after.includes(value)) : [];
  if (added.length > 0) patch[key] = added;
  if (removed.length > 0) patch[`$deleteFromPrimitiveList/${key}`] = removed;
  if (wanted.additions && added.length > 0) patch[`$setElementOrder/${key}`] = after;
}

/** Deletions joined to additions: lists by their merge keys, additions first. */
function mergeStrategic(additions: Dict, deletions: Dict, shape: Shape): Mutable {
  const merged: Mutable = { ...copyOf(additions) };
  for (const [key, value] of Object.entries(deletions)) {
    const before = merged[key];
    if (before === undefined) merged[key] = value;
    else if (isDict(before) && isDict(value)) merged[key] = mergeStrategic(before, value, childShape(shape, key));
    else if (Array.isArray(before) && Array.isArray(value)) merged[key] = mergeItems(before, value, childShape(shape, key));
  }
  return merged;
}

function mergeItems(additions: readonly unknown[], deletions: readonly unknown[], shape: Shape): unknown[] {
  const { keys, item } = listShape(shape);
  const mergeKey = keys?.[0];
  if (mergeKey === undefined) return [...additions, ...deletions];
  const result = [...additions];
  for (const deletion of deletions) {
    const index = result.findIndex((value) => isDict(value) && isDict(deletion) && isEqual(value[mergeKey], deletion[mergeKey]));
    if (index === -1) result.push(deletion);
    else result[index] = mergeStrategic(result[index] as Dict, deletion as Dict, item);
  }
  return result;
}
