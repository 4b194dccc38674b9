import { parseQuantity } from '../apiserver/quantity.ts';
import { ExitError, KubectlError } from './errors.ts';
import { goSort } from './go-sort.ts';
import { JsonPath, relaxedJsonPath } from './jsonpath.ts';
import type { Info } from './resources.ts';
import type { Session } from './session.ts';
import { type Dict, isDict } from './values.ts';

/** `get --sort-by` (kubectl/pkg/cmd/get/sorter.go). */

/** Whole objects, for `-o`. */
export function sortObjects(session: Session, objects: readonly Dict[], expression: string): readonly Dict[] {
  if (objects.length === 0) return objects;
  return sortByPath(session, objects, relaxedJsonPath(expression), { place: 'sorter.go:329', objectOf: (object) => object });
}

/** What was asked for. A table is sorted when it is printed; several are first sorted as objects, and few fields lead into a table. */
export function sortInfos(session: Session, infos: readonly Info[], expression: string): readonly Info[] {
  if (infos.length < 2) return infos;
  return sortByPath(session, infos, relaxedOr(expression), { place: 'sorter.go:329', objectOf: (info) => info.object });
}

/** The rows of a table. Where they cannot be sorted the real client prints none of them, and no error. */
export function sortRows<T extends { readonly row: unknown }>(session: Session, rows: readonly T[], expression: string): readonly T[] {
  if (rows.length < 2) return rows;
  try {
    const objectOf = ({ row }: T): unknown => (isDict(row) ? row.object : undefined);
    return sortByPath(session, rows, relaxedOr(expression), { place: 'sorter.go:375', objectOf });
  } catch (error) {
    if (!(error instanceof KubectlError) || error instanceof ExitError) throw error;
    return [];
  }
}

function relaxedOr(expression: string): string {
  try {
    return relaxedJsonPath(expression);
  } catch {
    return expression;
  }
}

interface Keyed<T> {
  readonly item: T;
  /** Absent where the field is. */
  readonly key?: unknown;
}

function sortByPath<T>(
  session: Session,
  items: readonly T[],
  expression: string,
  { place, objectOf }: { readonly place: string; readonly objectOf: (item: T) => unknown },
): T[] {
  const path = new JsonPath(expression);
  const keyed = items.map((item): Keyed<T> => {
    const found = path.find(objectOf(item));
    return found.length === 0 ? { item } : { item, key: found[0] };
  });
  if (!keyed.some((one) => 'key' in one))
    throw new KubectlError(`couldn't find any field with path ${JSON.stringify(expression)} in the list of objects`);
  const fatal = (what: string): ExitError => {
    session.klog('F', place, `Field ${expression} in [][][]reflect.Value is an unsortable type: interface, err: unsortable ${what}`);
    return new ExitError(1);
  };
  const isLess = (a: Keyed<T>, b: Keyed<T>): boolean => {
    // As the real one has it: of two without the field each comes before the other.
    if (!('key' in a)) return true;
    return 'key' in b && isKeyLess(a.key, b.key, fatal);
  };
  return goSort(keyed, isLess).map(({ item }) => item);
}

function isKeyLess(a: unknown, b: unknown, fatal: (what: string) => ExitError): boolean {
  if (a === null || b === null) return a === null && b !== null;
  if (typeof a === 'object' || typeof a === 'boolean')
    throw fatal(`type: ${Array.isArray(a) ? '[]interface {}' : typeof a === 'boolean' ? 'bool' : 'map[string]interface {}'}`);
  if (typeof a === 'number' && typeof b === 'number' && Number.isInteger(a) === Number.isInteger(b)) return a < b;
  if (typeof a === 'string' && typeof b === 'string') {
    const [left, right] = [parseQuantity(a), parseQuantity(b)];
    return left !== undefined && right !== undefined ? left.nanos < right.nanos : a < b;
  }
  throw fatal('interface: interface');
}
