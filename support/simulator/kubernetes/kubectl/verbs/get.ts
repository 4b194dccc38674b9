import { AggregateKubectlError, isNotFound, KubectlError } from '../errors.ts';
import { getFormats, listOf, objectPrinter, unknownFormat } from '../printers.ts';
import { collect, type Info, itemsOf, lowerKind } from '../resources.ts';
import { accepts, type Session } from '../session.ts';
import { sortInfos, sortObjects, sortRows } from '../sorting.ts';
import { TableWriter } from '../table.ts';
import { columnsOf, rowsOf, type TableOptions, wideColumns } from '../tables.ts';
import { type Dict, listAt } from '../values.ts';
import { watchObjects } from './watch.ts';

export async function get(session: Session): Promise<void> {
  const { flags } = session;
  const output = flags.text('output');
  if (flags.text('raw') !== '') return getRaw(session);
  if (flags.is('show-labels') && output !== '' && output !== 'wide')
    throw new KubectlError(`--show-labels option cannot be used with ${output} printer`);
  const args = flags.args;
  if (args.length === 0 && flags.list('filename').length === 0 && flags.text('kustomize') === '') {
    session.err('You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.\n');
    session.err(
      'error: Required resource not specified.\nUse "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).\nSee \'kubectl get -h\' for help and examples',
    );
    session.exitCode = 1;
    return;
  }
  const isHuman = (output === '' || output === 'wide') && flags.text('template') === '';
  if (flags.is('watch') || flags.is('watch-only')) return watchObjects(session, isHuman);
  if (flags.is('output-watch-events')) throw new KubectlError('--output-watch-events option can only be used with --watch or --watch-only');
  return isHuman ? getTables(session, output) : getObjects(session, output);
}

function getRaw(session: Session): void {
  const { flags } = session;
  const raw = flags.text('raw');
  if (flags.args.length > 0) throw new KubectlError('arguments may not be passed when --raw is specified');
  if (flags.is('watch') || flags.is('watch-only') || flags.text('selector') !== '')
    throw new KubectlError('--raw may not be specified with other flags that filter the server request or alter the output');
  if (flags.text('output') !== '') throw new KubectlError('--raw and --output are mutually exclusive');
  if (!raw.startsWith('/')) throw new KubectlError(`--raw must be a valid URL path: parse ${JSON.stringify(raw)}: invalid URI for request`);
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
  const found = collected.infos.map((info) => info.object as Dict);
  const sortBy = flags.text('sort-by');
  const objects = sortBy === '' || collected.isSingle ? found : sortObjects(session, found, sortBy);
  if (collected.isSingle) {
    const [only] = objects;
    if (only !== undefined) session.stdout += print(only);
  } else if (objects.length > 0 || errors.length === 0) session.stdout += print(listOf(objects));
  if (errors.length > 0) throw new AggregateKubectlError(errors);
}

function withoutIgnored(session: Session, errors: readonly KubectlError[]): readonly KubectlError[] {
  return session.flags.is('ignore-not-found') ? errors.filter((error) => !isNotFound(error)) : errors;
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────

function getTables(session: Session, output: string): void {
  const { flags } = session;
  const sortBy = flags.text('sort-by');
  const collected = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    fieldSelector: flags.text('field-selector'),
    isAllAllowed: true,
    reads: 'named and files',
    accept: flags.is('server-print') ? accepts.table : accepts.json,
    listQuery: sortBy === '' ? listQuery(session) : { includeObject: 'Object' },
    query: sortBy === '' ? {} : { includeObject: 'Object' },
    subresource: flags.text('subresource'),
    keepsLists: true,
  });
  const errors = withoutIgnored(session, collected.errors);
  if (output !== '' && output !== 'wide') throw unknownFormat(output, getFormats);
  const infos = sortBy === '' ? collected.infos : sortInfos(session, collected.infos, sortBy);
  const showsKind = flags.is('show-kind') || new Set(infos.map((info) => lowerKind(info.type))).size > 1;
  const before = session.stdout.length;
  let last: Info | undefined;
  let writer = new TableWriter();
  let isFirstOfTable = true;
  let areAllNamespaced = !session.isAllNamespaces;
  // Once a table has the column NAMESPACE, those after it have it too, though their objects have none.
  let hasNamespaces = false;
  const groups: Info[][] = [];
  for (const info of infos) {
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
    const found = group.flatMap((info) =>
      listAt(tableOf(info.object as Dict, session), 'rows').map((row) => ({ row, table: tableOf(info.object as Dict, session) })),
    );
    const rows = sortBy === '' ? found : sortRows(session, found, sortBy);
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

/** A server that answers with an ordinary object gets the columns NAME and AGE. */
export function tableOf(object: Dict, session: Session): Dict {
  if (object.kind === 'Table') return object;
  const items = Array.isArray(object.items) ? itemsOf(object) : [object];
  return wideColumns(items, session.now);
}
