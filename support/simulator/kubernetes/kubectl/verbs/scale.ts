import { KubectlError, throwAll } from '../errors.ts';
import { contentTypes } from '../patches.ts';
import { resultPrinter } from '../printers.ts';
import { collect, readInfo } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { type Dict, numberAt } from '../values.ts';

export async function scale(session: Session): Promise<void> {
  const { flags } = session;
  if (!flags.isSet('replicas')) throw new KubectlError('required flag(s) "replicas" not set');
  const replicas = flags.number('replicas');
  if (replicas < 0) throw new KubectlError('The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0');
  const dryRun = session.dryRun;
  let found = 0;
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    isAllAllowed: flags.is('all'),
    reads: 'nothing',
  });
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const object = (info.object !== undefined && info.source === '' ? info : readInfo(session, info)).object as Dict;
      found++;
      const current = flags.number('current-replicas');
      if (current >= 0) {
        const now = numberAt(
          session.requestObject('GET', pathOf(info.type, info.namespace, info.name, 'scale'), { accept: accepts.any }),
          'spec',
          'replicas',
        );
        if (now !== current) throw new KubectlError(`Expected replicas to be ${current}, was ${now}`);
      }
      if (dryRun !== 'client') {
        session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, 'scale'), {
          accept: accepts.any,
          body: { spec: { replicas } },
          query: dryRun === 'server' ? { dryRun: 'All' } : {},
          contentType: contentTypes.merge,
          about: `patch ${info.type.plural} ${info.name}`,
        });
      }
      print(object, 'scaled');
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  if (found === 0)
    throw new KubectlError(`no objects passed to scale ${failures.length === 0 ? '<nil>' : (failures[0] as KubectlError).message}`);
  throwAll(failures);
}
