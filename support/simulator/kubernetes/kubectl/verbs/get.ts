import { AggregateKubectlError, isNotFound, KubectlError } from '../errors.ts';
import { JsonPath, relaxedJsonPath } from '../jsonpath.ts';
import { getFormats, listOf, objectPrinter, unknownFormat } from '../printers.ts';
import { collect, type Info, itemsOf, lowerKind } from '../resources.ts';
import { accepts, type Session } from '../session.ts';
import { TableWriter } from '../table.ts';
import { columnsOf, rowsOf, type TableOptions, wideColumns } from '../tables.ts';
import { type Dict, isDict, listAt } from '../values.ts';
import { watchObjects } from './watch.ts';

export async function get(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.text('raw') !== '') return getRaw(session);
  const args = flags.args;
  if (args.length === 0 && flags.list('filename').length === 0 && flags.text('kustomize') === '') {
    session.err('You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.\n');
    session.err(
      'error: Required resource not specified.\nUse "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).\nSee \'kubectl get -h\' for help and examples',
    );
    session.exitCode = 1;
    return;
  }
  const output = flags.text('output');
  const isHuman = (output === '' || output === 'wide') && flags.text('template') === '';
  if (flags.is('watch') || flags.is('watch-only')) return watchObjects(session, isHuman);
  if (flags.is('output-watch-events')) throw new KubectlError('--output-watch-events option can only be used with --watch or --watch-only');
  return isHuman ? getTables(session, output) : getObjects(session, output);
}

function getRaw(session: Session): void {
  const raw = session.flags.text('raw');
  const [path, search] = raw.split('?') as [string, string | undefined];
  const query: Record<string, string> = {};
  for (const part of (search ?? '').split('&')) {
    const [key, value] = part.split('=');
    if (key !== undefined && key !== '') query[decodeURIComponent(key)] = decodeURIComponent((value ?? '').replaceAll('+', ' '));
  }
  const body = session.request('GET', path, { query, accept: accepts.any });
  session.stdout += typeof body === 'string' ? body : JSON.stringify(body);
}

function listQuery(session: Session): Record<string, string> {
  const size = session.flags.text('chunk-size');
  return size === '0' ? {} : { limit: size };
}

// ── whole objects ───────────────────────────────────────────────────────────────────────────────────────────

async function getObjects(session: Session, output: string): Promise<void> {
  const { flags } = session;
  const collected = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    fieldSelector: flags.text('field-selector'),
    isAllAllowed: true,
    reads: 'named and files',
    listQuery: flags.text('sort-by') === '' ? listQuery(session) : {},
    subresource: flags.text('subresource'),
  });
  const errors = withoutIgnored(session, collected.errors);
  const print = await objectPrinter(session, output, getFormats);
  const objects = sorted(
    session,
    collected.infos.map((info) => info.object as Dict),
  );
  if (collected.isSingle) {
    const [only] = objects;
    if (only !== undefined) session.stdout += print(only);
  } else if (objects.length > 0 || errors.length === 0) session.stdout += print(listOf(objects));
  if (errors.length > 0) throw new AggregateKubectlError(errors);
}

function withoutIgnored(session: Session, errors: readonly KubectlError[]): readonly KubectlError[] {
  return session.flags.is('ignore-not-found') ? errors.filter((error) => !isNotFound(error)) : errors;
}

function sortPath(session: Session): JsonPath | undefined {
  const expression = session.flags.text('sort-by');
  return expression === '' ? undefined : new JsonPath(relaxedJsonPath(expression));
}

function sorted(session: Session, objects: Dict[]): Dict[] {
  const path = sortPath(session);
  return path === undefined ? objects : sortByPath(objects, path, (object) => object);
}

function sortByPath<T>(items: readonly T[], path: JsonPath, objectOf: (item: T) => unknown): T[] {
  const keyed = items.map((item, index) => ({ item, index, key: path.find(objectOf(item))[0] }));
  keyed.sort((a, b) => compareKeys(a.key, b.key) || a.index - b.index);
  return keyed.map(({ item }) => item);
}

function compareKeys(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return naturalOrder(String(a), String(b));
}

/** Digits compare as numbers: `pod-2` before `pod-10`. */
function naturalOrder(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const x = left[index] as string;
    const y = right[index] as string;
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y) && Number(x) !== Number(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────

function getTables(session: Session, output: string): void {
  const { flags } = session;
  const path = sortPath(session);
  const collected = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    fieldSelector: flags.text('field-selector'),
    isAllAllowed: true,
    reads: 'named and files',
    accept: flags.is('server-print') ? accepts.table : accepts.json,
    listQuery: path === undefined ? listQuery(session) : { includeObject: 'Object' },
    query: path === undefined ? {} : { includeObject: 'Object' },
    subresource: flags.text('subresource'),
    keepsLists: true,
  });
  const errors = withoutIgnored(session, collected.errors);
  if (output !== '' && output !== 'wide') throw unknownFormat(output, getFormats);
  const showsKind = flags.is('show-kind') || new Set(collected.infos.map((info) => lowerKind(info.type))).size > 1;
  const before = session.stdout.length;
  let last: Info | undefined;
  let writer = new TableWriter();
  let isFirstOfTable = true;
  let areAllNamespaced = !session.isAllNamespaces;
  // Once a table has the column NAMESPACE, those after it have it too, though their objects have none.
  let hasNamespaces = false;
  const groups: Info[][] = [];
  for (const info of collected.infos) {
    areAllNamespaced &&= info.type.isNamespaced;
    if (last === undefined || last.type !== info.type) groups.push([info]);
    else groups.at(-1)?.push(info);
    last = info;
  }
  for (const group of groups) {
    const first = group[0] as Info;
    hasNamespaces ||= session.isAllNamespaces && first.type.isNamespaced;
    const options: TableOptions = {
      isWide: output === 'wide',
      withNamespace: hasNamespaces,
      prefix: showsKind ? `${lowerKind(first.type)}/` : '',
      labelColumns: flags.list('label-columns'),
      withLabels: flags.is('show-labels'),
      now: session.now,
    };
    writer = new TableWriter();
    isFirstOfTable = true;
    // Rows are sorted before anything is printed: without the field there is nothing to print.
    let rows = group.flatMap((info) =>
      listAt(tableOf(info.object as Dict, session), 'rows').map((row) => ({ row, table: tableOf(info.object as Dict, session) })),
    );
    if (path !== undefined) rows = sortRows(rows, path);
    for (const { row, table } of rows) {
      if (isFirstOfTable && !flags.is('no-headers')) writer.add(columnsOf(table, options));
      isFirstOfTable = false;
      writer.add(rowsOf(table, row, options));
    }
    if (rows.length === 0) continue;
    if (session.stdout.length > before && !flags.is('no-headers')) session.stdout += '\n';
    session.stdout += writer.flush();
  }
  if (session.stdout.length === before && !flags.is('ignore-not-found') && errors.length === 0) {
    session.err(areAllNamespaced ? `No resources found in ${session.namespace} namespace.` : 'No resources found');
  }
  if (errors.length > 0) throw new AggregateKubectlError(errors);
}

function sortRows<T extends { readonly row: unknown }>(rows: readonly T[], path: JsonPath): T[] {
  const objects = rows.map(({ row }) => (isDict(row) ? row.object : undefined));
  // Here the real client prints no row at all and no error.
  if (rows.length > 0 && objects.every((object) => path.find(object).length === 0)) return [];
  return sortByPath(rows, path, ({ row }) => (isDict(row) ? row.object : undefined));
}

/** A server that answers with an ordinary object gets the columns NAME and AGE. */
export function tableOf(object: Dict, session: Session): Dict {
  if (object.kind === 'Table') return object;
  const items = Array.isArray(object.items) ? itemsOf(object) : [object];
  return wideColumns(items, session.now);
}
