import { Random } from '../../../clock/random.ts';
import { diffStamp } from '../age.ts';
import { isBuiltIn } from '../builtin.ts';
import { unifiedDiff } from '../diff-text.ts';
import { AggregateKubectlError, isNotFound, KubectlError } from '../errors.ts';
import { toYaml } from '../go-yaml.ts';
import { contentTypes, threeWayPatch } from '../patches.ts';
import { notSimulated, resourceVersionOf, withoutManagedFields } from '../printers.ts';
import { collect, type Info, readInfo } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { at, byText, type Dict, isDict, stringsAt } from '../values.ts';
import { parseYaml } from '../yaml-parser.ts';
import { lastApplied, withoutLastApplied } from './apply.ts';

/** `kubectl diff`: what an apply would change, exit code 1 when that is something. */
export function diff(session: Session): void {
  try {
    compare(session);
  } catch (error) {
    // 1 says that there is a difference: what goes wrong is more than that.
    throw error instanceof KubectlError && error.exitCode === 1 ? new KubectlError(error.message, 2) : error;
  }
}

function compare(session: Session): void {
  const { flags } = session;
  if (flags.list('filename').length === 0 && flags.text('kustomize') === '') throw new KubectlError('must specify one of -f and -k');
  if (flags.is('prune')) throw notSimulated('kubectl diff --prune');
  const { infos, errors } = collect(session, { reads: 'nothing' });
  const failures = [...errors];
  const files: { readonly name: string; readonly live: string; readonly merged: string }[] = [];
  for (const info of infos) {
    try {
      const { live, merged } = flags.is('server-side') ? serverSide(session, info) : clientSide(session, info);
      const shown = (object: Dict | undefined, other: Dict | undefined, side: string): string =>
        object === undefined ? '' : toYaml(masked(withoutManagedFields(object), other, side));
      files.push({ name: fileName(info), live: shown(live, merged, 'before'), merged: shown(merged, live, 'after') });
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new KubectlError((failures.length === 1 ? (failures[0] as KubectlError) : new AggregateKubectlError(failures)).message);
  const random = new Random(`diff/${session.now}`);
  const [liveDir, mergedDir] = [`/tmp/LIVE-${random.uint32()}`, `/tmp/MERGED-${random.uint32()}`];
  for (const { name, live, merged } of files.sort((a, b) => byText(a.name, b.name))) {
    const text = unifiedDiff(live, merged);
    if (text === '') continue;
    const stamp = diffStamp(session.now);
    session.stdout += `diff -u -N ${liveDir}/${name} ${mergedDir}/${name}\n--- ${liveDir}/${name}\t${stamp}\n+++ ${mergedDir}/${name}\t${stamp}\n${text}`;
    session.exitCode = 1;
  }
}

function fileName(info: Info): string {
  const { group, version, kind } = info.type;
  return `${group === '' ? '' : `${group}.`}${version}.${kind}.${info.namespace}.${info.name}`;
}

/** Values of secrets are not shown, only which of them differ. */
function masked(object: Dict, other: Dict | undefined, side: string): Dict {
  if (object.kind !== 'Secret' || !isDict(object.data)) return object;
  const others = stringsAt(other, 'data');
  const mask = (key: string, value: unknown): string => (!Object.hasOwn(others, key) || others[key] === value ? '***' : `*** (${side})`);
  return { ...object, data: Object.fromEntries(Object.entries(object.data).map(([key, value]) => [key, mask(key, value)])) };
}

function current(session: Session, info: Info): Dict | undefined {
  try {
    return readInfo(session, info).object;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function clientSide(session: Session, info: Info): { readonly live: Dict | undefined; readonly merged: Dict } {
  const live = current(session, info);
  const query = { dryRun: 'All', fieldManager: session.flags.text('field-manager') };
  if (live === undefined)
    return { live, merged: session.requestObject('POST', pathOf(info.type, info.namespace), { query, body: info.object }) };
  const annotation = at(live, 'metadata', 'annotations', lastApplied);
  const original = typeof annotation === 'string' && annotation !== '' ? parseYaml(annotation) : {};
  const kind = isBuiltIn(info.type) ? 'strategic' : 'merge';
  const patch = threeWayPatch(kind, isDict(original) ? original : {}, withoutLastApplied(info.object as Dict), live, info.type.kind);
  if (Object.keys(patch).length === 0) return { live, merged: live };
  const body = { ...patch, metadata: { ...(isDict(patch.metadata) ? patch.metadata : {}), resourceVersion: resourceVersionOf(live) } };
  return {
    live,
    merged: session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), { query, body, contentType: contentTypes[kind] }),
  };
}

function serverSide(session: Session, info: Info): { readonly live: Dict | undefined; readonly merged: Dict } {
  const live = current(session, info);
  const manager = session.flags.isSet('field-manager') ? session.flags.text('field-manager') : 'kubectl';
  const query = { dryRun: 'All', fieldManager: manager, force: String(session.flags.is('force-conflicts')) };
  return {
    live,
    merged: session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
      query,
      body: info.object,
      contentType: contentTypes.apply,
    }),
  };
}
