import { KubectlError } from '../errors.ts';
import { parseDuration } from '../flags.ts';
import { getFormats, objectPrinter } from '../printers.ts';
import { type Info, parseTargets, readInfo, readList } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { TableWriter } from '../table.ts';
import { columnsOf, rowsOf, type TableOptions } from '../tables.ts';
import { type Dict, listAt, textAt } from '../values.ts';
import { tableOf } from './get.ts';

/** Nobody can press ^C in the simulator: a watch without --request-timeout ends after this much virtual time. */
export const openEndMs = 60_000;

/** Lets time pass as a command would that runs until it is interrupted. */
export function runOpenEnded(session: Session, isOver: () => boolean): void {
  const timeout = session.flags.text('request-timeout');
  const limit =
    timeout === '' || timeout === '0' ? undefined : (parseDuration(/^\d+$/.test(timeout) ? `${timeout}s` : timeout) ?? undefined);
  const hasEnded = session.clock.runUntil(isOver, limit ?? openEndMs);
  if (!hasEnded && limit === undefined)
    session.err(`simulator: stopped watching after ${openEndMs / 1000}s of virtual time, as if by ^C (choose with --request-timeout)`);
}

export async function watchObjects(session: Session, isHuman: boolean): Promise<void> {
  const { flags } = session;
  if (flags.list('filename').length > 0) throw new KubectlError('not simulated: kubectl get --watch with --filename');
  const targets = parseTargets(session, flags.args);
  if (targets.kind === 'nothing') throw new KubectlError('you must specify at least one resource to watch');
  const count = targets.kind === 'types' ? targets.types.length : targets.pairs.length;
  if (count !== 1) throw new KubectlError('you may only specify a single resource type');
  const type = targets.kind === 'types' ? targets.types[0] : targets.pairs[0]?.type;
  if (type === undefined) return;
  const name = targets.kind === 'names' ? targets.pairs[0]?.name : undefined;
  const namespace = type.isNamespaced && !session.isAllNamespaces ? session.namespace : '';
  const accept = isHuman ? accepts.table : accepts.json;
  const selection: Record<string, string> = {};
  if (flags.text('selector') !== '') selection.labelSelector = flags.text('selector');
  if (flags.text('field-selector') !== '') selection.fieldSelector = flags.text('field-selector');
  const options: TableOptions = {
    isWide: flags.text('output') === 'wide',
    withNamespace: session.isAllNamespaces && type.isNamespaced,
    prefix: flags.is('show-kind') ? `${type.group === '' ? type.kind.toLowerCase() : `${type.kind.toLowerCase()}.${type.group}`}/` : '',
    labelColumns: flags.list('label-columns'),
    withLabels: flags.is('show-labels'),
    now: session.now,
  };
  const withEvents = flags.is('output-watch-events');
  const writer = new TableWriter({ isRemembering: true });
  let hasHeader = flags.is('no-headers');
  const print = isHuman ? undefined : await objectPrinter(session, flags.text('output'), getFormats);
  let columns: unknown;
  const show = (object: Dict, event: string): void => {
    if (print !== undefined) {
      session.stdout += print(withEvents ? { object, type: event } : object);
      return;
    }
    const given = tableOf(object, session);
    if (listAt(given, 'columnDefinitions').length > 0) columns = given.columnDefinitions;
    const table: Dict = { ...given, columnDefinitions: columns };
    for (const row of listAt(table, 'rows')) {
      if (!hasHeader) writer.add([...(withEvents ? ['EVENT'] : []), ...columnsOf(table, options)]);
      hasHeader = true;
      writer.add([...(withEvents ? [event] : []), ...rowsOf(table, row, options)]);
    }
    session.stdout += writer.flush();
  };
  let since: string;
  if (name === undefined) {
    const pages = readList(session, type, namespace, { accept, query: { ...selection, limit: flags.text('chunk-size') } });
    if (!flags.is('watch-only'))
      for (const page of pages) for (const object of print === undefined ? [page] : listAt(page, 'items')) show(object as Dict, 'ADDED');
    since = textAt(pages[0], 'metadata', 'resourceVersion');
  } else {
    const info: Info = { type, name, namespace, source: '', object: undefined };
    const { object } = readInfo(session, info, { accept });
    if (!flags.is('watch-only')) show(object as Dict, 'ADDED');
    selection.fieldSelector = `metadata.name=${name}`;
    since = '0';
  }
  let swallow = name !== undefined;
  let isOver = false;
  const watch = session.watch(pathOf(type, namespace), { accept, query: { ...selection, resourceVersion: since } }, (event) => {
    if (event.type === 'BOOKMARK') return;
    if (swallow && event.type === 'ADDED') {
      swallow = false;
      return;
    }
    show(event.object, event.type);
    if (event.type === 'ERROR') isOver = true;
  });
  runOpenEnded(session, () => isOver);
  watch.close();
}
