import { kindText } from '../discovery.ts';
import { KubectlError, StatusError, throwAll } from '../errors.ts';
import { goJsonProblem } from '../json.ts';
import { readFile } from '../manifests.ts';
import { contentTypes } from '../patches.ts';
import { notSimulated, resourceVersionOf, resultPrinter } from '../printers.ts';
import { collect, readInfo } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import type { Dict } from '../values.ts';
import { parseYaml } from '../yaml-parser.ts';
import { YamlError } from '../yaml-scanner.ts';

function bodyOf(text: string, type: string): unknown {
  const trimmed = text.trimStart();
  if (!trimmed.startsWith('{')) {
    try {
      return parseYaml(text);
    } catch (error) {
      if (error instanceof YamlError) throw new KubectlError(`unable to parse ${JSON.stringify(text)}: ${error.message}`);
      throw error;
    }
  }
  try {
    return JSON.parse(text);
  } catch {
    // Text that looks like JSON is sent as it is; this is the server's answer to it.
    const problem = goJsonProblem(text);
    throw new StatusError({
      kind: 'Status',
      code: 400,
      reason: 'BadRequest',
      message: type === 'strategic' ? problem : `error decoding patch: ${problem}`,
    });
  }
}

export async function patch(session: Session): Promise<void> {
  const { flags } = session;
  const type = flags.text('type').toLowerCase();
  if (flags.text('patch') === '' && flags.text('patch-file') === '')
    throw new KubectlError('must specify --patch or --patch-file containing the contents of the patch');
  if (flags.text('patch') !== '' && flags.text('patch-file') !== '')
    throw new KubectlError('cannot specify --patch and --patch-file together');
  if (type !== 'strategic' && type !== 'merge' && type !== 'json')
    throw new KubectlError(`--type must be one of [json merge strategic], not ${JSON.stringify(flags.text('type'))}`);
  if (flags.is('local')) throw notSimulated('kubectl patch --local');
  const subresource = flags.text('subresource');
  const { infos, errors } = collect(session, { args: flags.args, reads: 'nothing' });
  const dryRun = session.dryRun;
  const file = flags.text('patch-file');
  const text = file === '' ? flags.text('patch') : readFile(session, file);
  if (text === undefined) throw new KubectlError(`unable to read patch file: open ${file}: no such file or directory`);
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const before = readInfo(session, info, { subresource }).object as Dict;
      const body = bodyOf(text, type);
      const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
      if (dryRun === 'server') query.dryRun = 'All';
      if (dryRun === 'client') {
        print(before, 'patched');
        continue;
      }
      const after = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, subresource), {
        query,
        body,
        contentType: contentTypes[type],
      });
      print(after, resourceVersionOf(before) === resourceVersionOf(after) ? 'patched (no change)' : 'patched');
    } catch (error) {
      if (error instanceof StatusError && error.reason === 'UnsupportedMediaType') {
        failures.push(new KubectlError(`${contentTypes[type]} is not supported by ${kindText(info.type)}: ${error.message}`));
      } else if (error instanceof KubectlError) failures.push(error);
      else throw error;
    }
  }
  if (infos.length === 0 && failures.length === 0) throw new KubectlError('no objects passed to patch');
  throwAll(failures);
}
