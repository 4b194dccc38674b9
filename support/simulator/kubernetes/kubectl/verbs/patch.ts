import { jsonPatch, mergePatch, shapeOf, strategicMerge } from '../../apiserver/patch.ts';
import { isBuiltIn } from '../builtin.ts';
import { kindText } from '../discovery.ts';
import { KubectlError, StatusError, throwAll } from '../errors.ts';
import { goJsonProblem } from '../json.ts';
import { readFile } from '../manifests.ts';
import { contentTypes } from '../patches.ts';
import { resultPrinter } from '../printers.ts';
import { collect, type Info, readInfo } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { type Dict, isEqual } from '../values.ts';
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

/** The patch, applied by the client. */
function appliedHere(info: Info, before: Dict, body: unknown, type: string): Dict {
  if (type === 'merge') return mergePatch(before, body) as Dict;
  if (type === 'json') {
    try {
      return jsonPatch(before, body) as Dict;
    } catch (error) {
      throw error instanceof Error ? new KubectlError(error.message) : error;
    }
  }
  if (!isBuiltIn(info.type))
    throw new KubectlError(`strategic merge patch is not supported for ${kindText(info.type)} locally, try --type merge`);
  return strategicMerge(before, body, shapeOf(info.type.kind, undefined)) as Dict;
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
  const isLocal = flags.is('local');
  if (isLocal && flags.args.length > 0) throw new KubectlError('cannot specify --local and server resources');
  const subresource = flags.text('subresource');
  const { infos, errors } = collect(session, { args: flags.args, reads: 'nothing' });
  const dryRun = session.dryRun;
  const file = flags.text('patch-file');
  const text = file === '' ? flags.text('patch') : readFile(session, file);
  if (text === undefined) throw new KubectlError(`unable to read patch file: open ${file}: no such file or directory`);
  const failures = [...errors];
  // Unlike others, patch does not say that it was a dry run.
  const print = await resultPrinter(session, 'none');
  for (const info of infos) {
    try {
      const before = (isLocal ? info : readInfo(session, info, { subresource })).object as Dict;
      const body = bodyOf(text, type);
      const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
      if (dryRun === 'server') query.dryRun = 'All';
      if (dryRun === 'client' || isLocal) {
        const changed = appliedHere(info, before, body, type);
        print(changed, isEqual(before, changed) ? 'patched (no change)' : 'patched');
        continue;
      }
      const after = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, subresource), {
        query,
        body,
        contentType: contentTypes[type],
      });
      print(after, isEqual(before, after) ? 'patched (no change)' : 'patched');
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
