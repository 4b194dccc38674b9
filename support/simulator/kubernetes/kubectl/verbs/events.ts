import { ageOf, millisecondsOf } from '../age.ts';
import { groupVersionOf } from '../discovery.ts';
import { KubectlError, PlainError } from '../errors.ts';
import { goSort } from '../go-sort.ts';
import { notSimulated, objectPrinter } from '../printers.ts';
import { itemsOf, readList } from '../resources.ts';
import { accepts, type Session } from '../session.ts';
import { formatTable } from '../table.ts';
import { at, type Dict, numberAt, textAt } from '../values.ts';

export async function events(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.is('watch')) throw notSimulated('kubectl events --watch (kubectl get events --watch is)');
  const types = flags.list('types');
  for (const type of types)
    if (!['normal', 'warning'].includes(type.toLowerCase())) throw new KubectlError(`valid --types are Normal or Warning`);
  const query: Record<string, string> = { limit: flags.text('chunk-size') };
  const target = flags.text('for');
  if (target !== '') {
    const [resource, name] = target.split('/') as [string, string | undefined];
    if (name === undefined || name === '') throw new KubectlError('--for must be in resource/name form');
    const type = session.discovery.optional(resource);
    if (type === undefined) throw new PlainError(`the server doesn't have a resource type ${JSON.stringify(resource)}`);
    query.fieldSelector = `involvedObject.kind=${type.kind},involvedObject.apiVersion=${groupVersionOf(type)},involvedObject.name=${name}`;
  }
  const namespace = session.isAllNamespaces ? '' : session.namespace;
  const all = readList(session, session.discovery.resource('events'), namespace, { query, accept: accepts.typed }).flatMap(itemsOf);
  const found = all.filter(
    (event) => types.length === 0 || types.some((type) => type.toLowerCase() === textAt(event, 'type').toLowerCase()),
  );
  if (found.length === 0) {
    session.err(session.isAllNamespaces ? 'No events found.' : `No events found in ${session.namespace} namespace.`);
    return;
  }
  const sorted = goSort(found, (a, b) => lastOf(a) < lastOf(b));
  const output = flags.text('output');
  if (output !== '') {
    // A typed list has no names, and the real one does not tell.
    if (output === 'name') return;
    session.stdout += (await objectPrinter(session, output))({ apiVersion: 'v1', items: sorted, kind: 'EventList', metadata: {} });
    return;
  }
  const withNamespace = session.isAllNamespaces;
  const header = [...(withNamespace ? ['NAMESPACE'] : []), 'LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'];
  const rows = sorted.map((event) => [
    ...(withNamespace ? [textAt(event, 'metadata', 'namespace')] : []),
    intervalOf(event, session.now),
    textAt(event, 'type'),
    textAt(event, 'reason'),
    `${textAt(event, 'involvedObject', 'kind')}/${textAt(event, 'involvedObject', 'name')}`,
    textAt(event, 'message').trim(),
  ]);
  session.stdout += formatTable(flags.is('no-headers') ? rows : [header, ...rows]);
}

function lastOf(event: Dict): number {
  const time = textAt(event, 'series', 'lastObservedTime') || textAt(event, 'lastTimestamp') || textAt(event, 'eventTime');
  return millisecondsOf(time) ?? 0;
}

function intervalOf(event: Dict, now: number): string {
  const first = ageOf(textAt(event, 'eventTime') || at(event, 'firstTimestamp'), now);
  if (at(event, 'series') !== undefined && at(event, 'series') !== null)
    return `${ageOf(at(event, 'series', 'lastObservedTime'), now)} (x${numberAt(event, 'series', 'count')} over ${first})`;
  if (numberAt(event, 'count') > 1) return `${ageOf(at(event, 'lastTimestamp'), now)} (x${numberAt(event, 'count')} over ${first})`;
  return first;
}
