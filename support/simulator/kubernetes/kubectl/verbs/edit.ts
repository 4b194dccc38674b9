import { isBuiltIn } from '../builtin.ts';
import { KubectlError } from '../errors.ts';
import { toYaml } from '../go-yaml.ts';
import { readFile, writeFile } from '../manifests.ts';
import { contentTypes, twoWayPatch } from '../patches.ts';
import { notSimulated, resultPrinter, withoutManagedFields } from '../printers.ts';
import { collect, nothingGiven } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { at, type Dict, isDict } from '../values.ts';
import { parseYaml } from '../yaml-parser.ts';
import { YamlError } from '../yaml-scanner.ts';
import { lastApplied, withLastApplied } from './apply.ts';

const preamble = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`;

/** Runs `$KUBE_EDITOR` or `$EDITOR` on the object's YAML; there is no editor of its own here. */
export async function edit(session: Session): Promise<void> {
  const { flags, context } = session;
  if (flags.args.length === 0 && flags.list('filename').length === 0) throw new KubectlError(nothingGiven);
  const editor = context.env.get('KUBE_EDITOR') ?? context.env.get('EDITOR') ?? '';
  if (editor === '')
    throw notSimulated(
      'kubectl edit without an editor: set KUBE_EDITOR to a command that changes a file, or use kubectl patch or kubectl apply',
    );
  const { infos, errors } = collect(session, {
    args: flags.args,
    isAllAllowed: true,
    reads: 'named and files',
    subresource: flags.text('subresource'),
  });
  if (errors[0] !== undefined) throw errors[0];
  const print = await resultPrinter(session, 'none');
  for (const info of infos) {
    const object = withoutManagedFields(info.object as Dict);
    const text = preamble + toYaml(object);
    const path = `/tmp/kubectl-edit-${info.type.plural}-${info.name}.yaml`;
    writeFile(session, path, text);
    // Only what has quotes is left to a shell to take apart.
    const argv = /["'\\]/.test(editor) ? ['sh', '-c', `${editor} "$1"`, 'sh', path] : [...editor.split(' '), path];
    const result = await context.run(argv);
    if (result.exitCode === 127) throw new KubectlError(`unable to launch the editor ${JSON.stringify(editor)}`);
    session.stdout += result.stdout;
    session.stderr += result.stderr;
    if (result.exitCode !== 0) throw new KubectlError(`there was a problem with the editor ${JSON.stringify(editor)}`);
    const edited = readFile(session, path) ?? '';
    if (edited === text || edited.replace(/^#.*\n?/gm, '').trim() === '') {
      session.err('Edit cancelled, no changes made.');
      continue;
    }
    let changed: unknown;
    try {
      changed = parseYaml(edited);
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      throw new KubectlError(
        `the edited file had a syntax error: error parsing edited-file: error converting YAML to JSON: ${error.message}`,
      );
    }
    if (!isDict(changed)) throw new KubectlError('the edited file is no object');
    const kind = isBuiltIn(info.type) ? 'strategic' : 'merge';
    const wasApplied = at(object, 'metadata', 'annotations', lastApplied) !== undefined;
    const after = wasApplied ? withAnnotationOf(changed) : changed;
    const body = twoWayPatch(kind, object, after, info.type.kind);
    if (Object.keys(body).length === 0) {
      session.err('Edit cancelled, no changes made.');
      continue;
    }
    const query = { fieldManager: flags.text('field-manager'), fieldValidation: 'Strict' };
    print(
      session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, flags.text('subresource')), {
        query,
        body,
        contentType: contentTypes[kind],
      }),
      'edited',
    );
  }
}

/** The annotation follows an edit of something that was applied: without what only the server sets. */
function withAnnotationOf(object: Dict): Dict {
  const metadata = isDict(object.metadata) ? object.metadata : {};
  const { creationTimestamp: _, generation: __, resourceVersion: ___, uid: ____, ...stated } = metadata;
  const { status: _____, ...rest } = object;
  const annotated = withLastApplied({ ...rest, metadata: stated });
  const annotation = at(annotated, 'metadata', 'annotations', lastApplied);
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...(isDict(metadata.annotations) ? metadata.annotations : {}), [lastApplied]: annotation } },
  };
}
