import { isNotFound, KubectlError, throwAll } from '../errors.ts';
import { notSimulated } from '../printers.ts';
import { collect, type Info, lowerKind, withSource } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { at, type Dict, type Mutable, textAt } from '../values.ts';
import { follow, readIfThere, timedOut, weekMs } from '../waiting.ts';

export async function remove(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.text('raw') !== '') throw notSimulated('kubectl delete --raw');
  if (flags.is('interactive')) throw notSimulated('kubectl delete --interactive');
  const selector = flags.text('selector');
  const fieldSelector = flags.text('field-selector');
  if (flags.is('all') && selector !== '') throw new KubectlError("setting 'all' parameter but found a non empty selector. ");
  if (flags.text('output') !== '' && flags.text('output') !== 'name')
    throw new KubectlError(`unexpected -o output mode: ${flags.text('output')}. We only support '-o name'`);
  const dryRun = session.dryRun;
  const grace = gracePeriod(session);
  const cascade = propagation(session);
  if (flags.is('all') && flags.args.length > 1 && !flags.args.some((arg) => arg.includes('/')))
    throw new KubectlError('name cannot be provided when a selector is specified');
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector,
    fieldSelector,
    isAllAllowed: flags.is('all'),
    reads: 'nothing',
  });
  const ignoresMissing = flags.is('ignore-not-found') || flags.is('all') || selector !== '' || fieldSelector !== '';
  const failures = [...errors];
  const removed: { readonly info: Info; uid: string }[] = [];
  let found = 0;
  let hasWarned = false;
  const force = flags.is('force') && grace === 0;
  for (const info of infos) {
    found++;
    if (!info.type.isNamespaced && session.isNamespaceExplicit && !hasWarned) {
      session.err('Warning: deleting cluster-scoped resources, not scoped to the provided namespace');
      hasWarned = true;
    }
    const entry = { info, uid: '' };
    removed.push(entry);
    try {
      const answer = dryRun === 'client' ? undefined : deleteOne(session, info, grace, dryRun, cascade);
      report(session, info, force, dryRun);
      entry.uid = textAt(answer, 'details', 'uid') || textAt(answer, 'metadata', 'uid');
    } catch (error) {
      if (isNotFound(error) && ignoresMissing) continue;
      failures.push(withSource('deleting', info, error));
    }
  }
  if (found === 0 && failures.length === 0) session.out('No resources found');
  throwAll(failures);
  if (flags.is('wait') && dryRun === 'none') waitForRemoval(session, removed, flags.duration('timeout'));
}

function gracePeriod(session: Session): number {
  const { flags } = session;
  let grace = flags.number('grace-period');
  if (flags.is('now')) {
    if (grace !== -1) throw new KubectlError('--now and --grace-period cannot be specified together');
    grace = 1;
  }
  if (grace === 0 && !flags.is('force')) grace = 1;
  if (flags.is('force') && grace < 0) grace = 0;
  if (grace > 0 && flags.is('force')) throw new KubectlError('--force and --grace-period greater than 0 cannot be specified together');
  if (grace === 0) {
    session.err(
      'Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.',
    );
  }
  return grace;
}

export function deleteOne(
  session: Session,
  info: Info,
  grace: number,
  dryRun: 'none' | 'client' | 'server',
  cascade = propagation(session),
): Dict {
  const body: Mutable = { propagationPolicy: cascade };
  if (grace >= 0) body.gracePeriodSeconds = grace;
  const query: Record<string, string> = {};
  if (dryRun === 'server') body.dryRun = ['All'];
  return session.requestObject('DELETE', pathOf(info.type, info.namespace, info.name), {
    body,
    query,
    about: `delete ${info.type.plural} ${info.name}`,
  });
}

export function propagation(session: Session): string {
  const cascade = session.flags.text('cascade');
  if (cascade === 'true' || cascade === 'false')
    session.err(
      `warning: --cascade=${cascade} is deprecated (boolean value) and can be replaced with --cascade=${cascade === 'true' ? 'background' : 'orphan'}.`,
    );
  if (cascade === 'background' || cascade === 'true' || cascade === '') return 'Background';
  if (cascade === 'foreground') return 'Foreground';
  if (cascade === 'orphan' || cascade === 'false') return 'Orphan';
  throw new KubectlError(`invalid cascade value (${cascade}). Must be "background", "foreground", or "orphan"`);
}

function report(session: Session, info: Info, force: boolean, dryRun: 'none' | 'client' | 'server'): void {
  if (session.flags.text('output') === 'name') {
    session.out(`${lowerKind(info.type)}/${info.name}`);
    return;
  }
  const suffix = dryRun === 'client' ? ' (dry run)' : dryRun === 'server' ? ' (server dry run)' : '';
  session.out(`${lowerKind(info.type)} ${JSON.stringify(info.name)} ${force ? 'force deleted' : 'deleted'}${suffix}`);
}

export function waitForRemoval(
  session: Session,
  removed: readonly { readonly info: Info; readonly uid: string }[],
  timeoutMs: number,
): void {
  const failures: KubectlError[] = [];
  const end = session.now + (timeoutMs === 0 ? weekMs : timeoutMs);
  for (const { info, uid } of removed) {
    const isGone = (object: Dict | undefined): boolean => object === undefined || (uid !== '' && at(object, 'metadata', 'uid') !== uid);
    if (isGone(readIfThere(session, info.type, info.namespace, info.name))) continue;
    if (!follow(session, info.type, info.namespace, info.name, isGone, Math.max(0, end - session.now)))
      failures.push(timedOut(`${info.type.plural}/${info.name}`));
  }
  throwAll(failures);
}
