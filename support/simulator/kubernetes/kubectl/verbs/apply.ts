import { matchesSelector, parseSelector, SelectorError } from '../../labels.ts';
import { isBuiltIn } from '../builtin.ts';
import { isNotFound, KubectlError, StatusError, throwAll } from '../errors.ts';
import { fieldValidationOf } from '../flags.ts';
import { goJson, sortedDeep } from '../json.ts';
import { contentTypes, threeWayPatch } from '../patches.ts';
import { encode, notSimulated, objectNames, objectPrinter } from '../printers.ts';
import { collect, type Info, infoText, readInfo, withSource } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { at, type Dict, isDict, nameOf, sortedKeys, stringsAt, textAt } from '../values.ts';
import { parseYaml } from '../yaml-parser.ts';
import { deleteOne, propagation, waitForRemoval } from './delete.ts';

export const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

const conflictHelp = `Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`;

export async function apply(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.list('filename').length === 0 && flags.text('kustomize') === '') {
    if (flags.args.length > 0)
      throw new KubectlError(`Unexpected args: [${flags.args.join(' ')}]\nSee 'kubectl apply -h' for help and examples`);
    throw new KubectlError('must specify one of -f and -k');
  }
  if (flags.args.length > 0)
    throw new KubectlError(`Unexpected args: [${flags.args.join(' ')}]\nSee 'kubectl apply -h' for help and examples`);
  if (flags.is('prune')) throw notSimulated('kubectl apply --prune');
  const isServerSide = flags.is('server-side');
  const dryRun = session.dryRun;
  if (flags.is('force-conflicts') && !isServerSide) throw new KubectlError('--force-conflicts only works with --server-side');
  if (isServerSide && dryRun === 'client')
    throw new KubectlError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
  if (flags.is('force') && isServerSide) throw new KubectlError('--force cannot be used with --server-side');
  if (flags.is('force') && dryRun === 'server') throw new KubectlError('--dry-run=server cannot be used with --force');
  propagation(session);
  const collected = collect(session, { reads: 'nothing', validates: fieldValidationOf(flags) !== 'Ignore' });
  const errors = [...collected.errors];
  const infos = selected(session, collected.infos);
  if (infos.length === 0 && errors.length === 0) throw new KubectlError('no objects passed to apply');
  const output = flags.text('output');
  const printsObjects = output !== '' && output !== 'name';
  const suffix = dryRun === 'client' ? ' (dry run)' : dryRun === 'server' ? ' (server dry run)' : '';
  const applied: Dict[] = [];
  for (const info of infos) {
    try {
      const { object, operation } = isServerSide ? applyServerSide(session, info) : applyClientSide(session, info, dryRun);
      applied.push(object);
      if (printsObjects && operation === 'unchanged') continue;
      if (!printsObjects)
        session.out(output === 'name' ? (objectNames(object)[0] as string) : `${objectNames(object)[0]} ${operation}${suffix}`);
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      errors.push(error);
    }
  }
  if (printsObjects && applied.length > 0) {
    // Several objects come as a typed list, of objects that are not.
    const [only] = applied;
    const isList = only !== undefined && applied.length > 1;
    const print = await objectPrinter(session, output, [], { isTyped: isList });
    session.stdout += print(isList ? { kind: 'List', apiVersion: 'v1', metadata: {}, items: applied.map(sortedDeep) } : (only as Dict));
  }
  throwAll(errors);
}

function selected(session: Session, infos: readonly Info[]): readonly Info[] {
  const selector = session.flags.text('selector');
  if (selector === '') return infos;
  let parsed: ReturnType<typeof parseSelector>;
  try {
    parsed = parseSelector(selector);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new KubectlError(`the provided selector ${JSON.stringify(selector)} is not valid: ${error.message}`);
  }
  return infos.filter((info) => matchesSelector(parsed, stringsAt(info.object, 'metadata', 'labels')));
}

function retrievalError(info: Info, error: unknown): KubectlError {
  if (!(error instanceof KubectlError)) throw error;
  const message = `error when retrieving current configuration of:\n${infoText(info)}\nfrom server for: ${JSON.stringify(info.source)}: ${error.message}`;
  return error instanceof StatusError ? error.withMessage(message) : new KubectlError(message);
}

function patchError(info: Info, patch: Dict, error: unknown): KubectlError {
  if (!(error instanceof KubectlError)) throw error;
  const message = `error when applying patch:\n${goJson(patch)}\nto:\n${infoText(info)}\nfor: ${JSON.stringify(info.source)}: error when patching ${JSON.stringify(info.source)}: ${error.message}`;
  return error instanceof StatusError ? error.withMessage(message) : new KubectlError(message);
}

interface Applied {
  readonly object: Dict;
  readonly operation: string;
}

function applyClientSide(session: Session, info: Info, dryRun: 'none' | 'client' | 'server'): Applied {
  const { flags } = session;
  if (info.name === '' && textAt(info.object, 'metadata', 'generateName') !== '') {
    throw new KubectlError(`from ${textAt(info.object, 'metadata', 'generateName')}: cannot use generate name with apply`);
  }
  const modified = withLastApplied(info.object as Dict);
  const query: Record<string, string> = { fieldManager: flags.text('field-manager'), fieldValidation: fieldValidationOf(flags) };
  if (dryRun === 'server') query.dryRun = 'All';
  let current: Dict;
  try {
    current = readInfo(session, info).object as Dict;
  } catch (error) {
    if (!isNotFound(error)) throw retrievalError(info, error);
    if (dryRun === 'client') return { object: modified, operation: 'created' };
    try {
      return { object: session.requestObject('POST', pathOf(info.type, info.namespace), { query, body: modified }), operation: 'created' };
    } catch (failure) {
      throw withSource('creating', info, failure);
    }
  }
  // What would come of it is the server's to know: shown is what is there.
  if (dryRun === 'client') return { object: current, operation: 'configured' };
  const annotation = at(current, 'metadata', 'annotations', lastApplied);
  if (annotation === undefined && flags.is('overwrite')) {
    session.err(
      `Warning: resource ${info.type.plural}/${info.name} is missing the ${lastApplied} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.`,
    );
  }
  const original = typeof annotation === 'string' && annotation !== '' ? parseYaml(annotation) : {};
  const kind = isBuiltIn(info.type) ? 'strategic' : 'merge';
  const patch = threeWayPatch(kind, isDict(original) ? original : {}, modified, current, info.type.kind);
  if (Object.keys(patch).length === 0) return { object: current, operation: 'unchanged' };
  try {
    const object = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name, flags.text('subresource')), {
      query,
      body: patch,
      contentType: contentTypes[kind],
    });
    if (textAt(object, 'metadata', 'deletionTimestamp') !== '')
      session.err(`Warning: Detected changes to resource ${info.name} which is currently being deleted.`);
    return { object, operation: 'configured' };
  } catch (failure) {
    const isForced = flags.is('force') && failure instanceof StatusError && ['Conflict', 'Invalid'].includes(failure.reason);
    if (isForced) return { object: replaceByForce(session, info, modified, query), operation: 'configured' };
    throw patchError(info, patch, failure);
  }
}

/** `--force`: what cannot be patched is deleted and made anew. */
function replaceByForce(session: Session, info: Info, modified: Dict, query: Readonly<Record<string, string>>): Dict {
  deleteOne(session, info, session.flags.number('grace-period'), 'none');
  waitForRemoval(session, [{ info, uid: '' }], session.flags.duration('timeout'));
  return session.requestObject('POST', pathOf(info.type, info.namespace), { query, body: modified });
}

function applyServerSide(session: Session, info: Info): Applied {
  const { flags } = session;
  const manager = flags.isSet('field-manager') ? flags.text('field-manager') : 'kubectl';
  const query: Record<string, string> = {
    fieldManager: manager,
    fieldValidation: fieldValidationOf(flags),
    force: String(flags.is('force-conflicts')),
  };
  if (session.dryRun === 'server') query.dryRun = 'All';
  const path = pathOf(info.type, info.namespace, info.name, flags.text('subresource'));
  let object: Dict;
  try {
    object = session.requestObject('PATCH', path, { query, body: info.object, contentType: contentTypes.apply });
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'Conflict') throw new KubectlError(`${error.message}\n${conflictHelp}`);
    throw error;
  }
  const annotation = textAt(object, 'metadata', 'annotations', lastApplied);
  if (annotation !== '' && session.dryRun === 'none') migrateAnnotation(session, info, annotation);
  return { object, operation: 'serverside-applied' };
}

/** Client-side apply's annotation gets an owner of its own, so that a later apply can drop it. */
function migrateAnnotation(session: Session, info: Info, annotation: string): void {
  const body = {
    apiVersion: textAt(info.object, 'apiVersion'),
    kind: textAt(info.object, 'kind'),
    metadata: {
      annotations: { [lastApplied]: annotation },
      name: nameOf(info.object),
      ...(info.namespace === '' ? {} : { namespace: info.namespace }),
    },
  };
  try {
    session.request('PATCH', pathOf(info.type, info.namespace, info.name), {
      query: { fieldManager: 'kubectl-last-applied', fieldValidation: fieldValidationOf(session.flags) },
      body,
      contentType: contentTypes.apply,
    });
  } catch (error) {
    if (!(error instanceof KubectlError)) throw error;
    session.err(
      `Warning: failed to migrate kubectl.kubernetes.io/last-applied-configuration for Server-Side Apply. This is non-fatal and will be retried next time you apply. Error: ${error.message}`,
    );
  }
}

/** The object as it is remembered: without its own annotation. */
export function withoutLastApplied(object: Dict): Dict {
  const metadata = isDict(object.metadata) ? object.metadata : {};
  const { [lastApplied]: _, ...annotations } = isDict(metadata.annotations) ? metadata.annotations : {};
  return { ...object, metadata: { ...metadata, annotations } };
}

/** The object with itself in its annotation, as client-side apply sends it. */
export function withLastApplied(object: Dict): Dict {
  const bare = withoutLastApplied(object);
  const metadata = bare.metadata as Dict;
  return { ...bare, metadata: { ...metadata, annotations: { ...(metadata.annotations as Dict), [lastApplied]: encode(bare) } } };
}

export async function viewLastApplied(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.list('filename').length === 0 && flags.args.length === 0)
    throw new KubectlError(
      "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
    );
  const output = flags.text('output');
  if (output !== 'yaml' && output !== 'json' && output !== '')
    throw new KubectlError(
      `Unexpected -o output mode: ${output}, the flag 'output' must be one of yaml|json\nSee 'view-last-applied -h' for help and examples`,
    );
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    isAllAllowed: flags.is('all'),
    reads: 'named and files',
  });
  if (errors[0] !== undefined) throw errors[0];
  const print = await objectPrinter(session, output === '' ? 'yaml' : output);
  for (const info of infos) {
    const annotation = textAt(info.object, 'metadata', 'annotations', lastApplied);
    if (annotation === '') {
      // Of what came from no file, the real one says nothing.
      if (info.source === '') return;
      throw new KubectlError(`no last-applied-configuration annotation found on resource: ${info.name}`);
    }
    const value = parseYaml(annotation);
    if (isDict(value)) session.stdout += output === 'json' ? `${JSON.stringify(inOrder(value), null, 2)}\n` : print(value);
  }
}

/** With the keys of every object in order, as Go's encoder writes a map. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  return isDict(value) ? Object.fromEntries(sortedKeys(value).map((key) => [key, inOrder(value[key])])) : value;
}
