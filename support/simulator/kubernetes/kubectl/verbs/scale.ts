import { KubectlError, throwAll } from '../errors.ts';
import { contentTypes } from '../patches.ts';
import { resourceVersionOf, resultPrinter } from '../printers.ts';
import { collect, type Info, readInfo } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { type Dict, numberAt } from '../values.ts';

export async function scale(session: Session): Promise<void> {
  const { flags } = session;
  if (!flags.isSet('replicas')) throw new KubectlError('required flag(s) "replicas" not set');
  const replicas = flags.number('replicas');
  if (replicas < 0) throw new KubectlError('The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0');
  if (flags.number('current-replicas') < -1) throw new KubectlError('The --current-replicas must specify an integer of -1 or greater');
  const dryRun = session.dryRun;
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    isAllAllowed: flags.is('all'),
    reads: 'nothing',
  });
  if (infos.length === 0) throw new KubectlError(`no objects passed to scale${errors.length === 0 ? '' : ` ${errors[0]?.message}`}`);
  const version = flags.text('resource-version');
  if (version !== '' && infos.length > 1) throw new KubectlError('cannot use --resource-version with multiple resources');
  const failures = [...errors];
  let found = 0;
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const object = (info.object !== undefined ? info : readInfo(session, info)).object as Dict;
      found++;
      const current = flags.number('current-replicas');
      if (dryRun !== 'client' && (current >= 0 || version !== '')) {
        const now = session.requestObject('GET', pathOf(info.type, info.namespace, info.name, 'scale'), { accept: accepts.any });
        if (current >= 0 && numberAt(now, 'spec', 'replicas') !== current)
          throw new KubectlError(`Expected replicas to be ${current}, was ${numberAt(now, 'spec', 'replicas')}`);
        if (version !== '' && resourceVersionOf(now) !== version)
          throw new KubectlError(`Expected resource version to be ${version}, was ${resourceVersionOf(now)}`);
      }
      if (dryRun !== 'client') {
        session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, 'scale'), {
          accept: accepts.any,
          body: { spec: { replicas } },
          query: dryRun === 'server' ? { dryRun: 'All' } : {},
          contentType: contentTypes.merge,
          about: `patch ${info.type.plural} ${info.name}`,
        });
        const timeout = flags.duration('timeout');
        if (timeout !== 0 && dryRun === 'none') awaitReplicas(session, info, replicas, timeout);
      }
      print(object, 'scaled');
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  if (found === 0) throw new KubectlError(`no objects passed to scale ${failures[0]?.message}`);
  throwAll(failures);
}

/** `--timeout` waits until the controller has made or removed the pods. */
function awaitReplicas(session: Session, info: Info, replicas: number, timeoutMs: number): void {
  const path = pathOf(info.type, info.namespace, info.name, 'scale');
  const isThere = (): boolean => {
    const scale = session.requestObject('GET', path, { accept: accepts.any });
    return numberAt(scale, 'spec', 'replicas') === replicas && numberAt(scale, 'status', 'replicas') === replicas;
  };
  const deadline = session.now + timeoutMs;
  // The real one looks once a second, for the first time after one.
  do {
    if (session.now >= deadline) throw new KubectlError(`timed out waiting for ${JSON.stringify(info.name)} to be synced`);
    session.clock.advance(Math.min(1000, deadline - session.now));
  } while (!isThere());
}
