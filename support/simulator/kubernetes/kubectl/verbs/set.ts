import { canonicalQuantity } from '../../apiserver/quantity.ts';
import { KubectlError, throwAll } from '../errors.ts';
import { contentTypes, twoWayPatch } from '../patches.ts';
import { notSimulated, resultPrinter } from '../printers.ts';
import { collect, type Info, nothingGiven } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, byText, copyOf, type Dict, isDict, isEqual, listAt, type Mutable, stringsAt, textAt } from '../values.ts';

/** `key=value` arguments and the resources before them (kubectl's getResourcesAndImages). */
function splitArgs(args: readonly string[]): { readonly resources: readonly string[]; readonly changes: readonly string[] } {
  const first = args.findIndex((arg) => arg.includes('='));
  if (first === -1) return { resources: args, changes: [] };
  const late = args.slice(first).find((arg) => !arg.includes('='));
  if (late !== undefined) throw new KubectlError(`all resources must be specified before image changes: ${late}`);
  return { resources: args.slice(0, first), changes: args.slice(first) };
}

export function collectTargets(session: Session, resources: readonly string[]): readonly Info[] {
  const { flags } = session;
  if (flags.is('local')) throw notSimulated(`kubectl ${session.command} --local`);
  const { infos, errors } = collect(session, {
    args: resources,
    selector: flags.has('selector') ? flags.text('selector') : '',
    isAllAllowed: flags.is('all'),
    reads: 'named and files',
    accept: accepts.any,
  });
  throwAll(errors);
  return infos;
}

/** @param messages `refused`: how the error of a refused patch begins; undefined: it is told as the server's */
export async function patchEach(
  session: Session,
  infos: readonly Info[],
  { done, refused, namesObject = true }: { readonly done: string; readonly refused: string | undefined; readonly namesObject?: boolean },
  changed: (info: Info, object: Mutable, fail: (message: string) => void) => void,
): Promise<void> {
  const dryRun = session.dryRun;
  const failures: KubectlError[] = [];
  const fail = (message: string): void => void failures.push(new KubectlError(message));
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    const before = info.object as Dict;
    const after: Mutable = copyOf(before) as Mutable;
    try {
      changed(info, after, fail);
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      fail(namesObject ? `error: ${info.type.plural}/${info.name} ${error.message}\n` : error.message);
      continue;
    }
    const body = twoWayPatch('strategic', before, after, info.type.kind);
    // Nothing to change, nothing to say.
    if (Object.keys(body).length === 0) continue;
    if (dryRun === 'client') {
      print(after, done);
      continue;
    }
    const query: Record<string, string> = { fieldManager: session.flags.text('field-manager') };
    if (dryRun === 'server') query.dryRun = 'All';
    try {
      print(
        session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
          accept: accepts.any,
          query,
          body,
          contentType: contentTypes.strategic,
        }),
        done,
      );
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      if (refused === undefined) failures.push(error);
      else fail(`${refused} ${error.message}`);
    }
  }
  throwAll(failures);
}

/** The pod spec of a pod or of what makes pods. */
export function podSpecOf(info: Info, object: Mutable): Mutable {
  const path =
    info.type.kind === 'Pod'
      ? ['spec']
      : info.type.kind === 'CronJob'
        ? ['spec', 'jobTemplate', 'spec', 'template', 'spec']
        : ['spec', 'template', 'spec'];
  const spec = at(object, ...path);
  if (!isDict(spec))
    throw new KubectlError(`the object is not a pod or does not have a pod template: *${info.type.version}.${info.type.kind}`);
  return spec as Mutable;
}

export function containersOf(spec: Mutable, wanted: string): Mutable[] {
  const pattern = new RegExp(`^${wanted.replace(/[.+?^$(){}|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
  return [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].filter((container) =>
    pattern.test(textAt(container, 'name')),
  ) as Mutable[];
}

export async function setImage(session: Session): Promise<void> {
  const { flags } = session;
  const { resources, changes } = splitArgs(flags.args);
  const infos = collectTargets(session, resources);
  if (changes.length === 0) throw new KubectlError('at least one image update is required');
  const images = new Map(changes.map((change) => [change.slice(0, change.indexOf('=')), change.slice(change.indexOf('=') + 1)]));
  if (images.size > 1 && images.has('*'))
    throw new KubectlError('all containers are already specified by *, but saw more than one container_name=container_image pairs');
  const messages = { done: 'image updated', refused: 'failed to patch image update to pod template:' };
  await patchEach(session, infos, messages, (info, object, fail) => {
    const spec = podSpecOf(info, object);
    for (const [name, image] of images) {
      const all = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')] as Mutable[];
      const found = name === '*' ? all : all.filter((container) => container.name === name);
      if (found.length === 0) fail(`error: unable to find container named ${JSON.stringify(name)}`);
      for (const container of found) container.image = image;
    }
  });
}

export async function setSelector(session: Session): Promise<void> {
  const { args } = session.flags;
  const expression = args.at(-1) ?? '';
  if (args.length === 0) throw new KubectlError('one selector is required');
  if (args.length < 2) throw new KubectlError(nothingGiven);
  const infos = collectTargets(session, args.slice(0, -1));
  const sets = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(expression.trim());
  if (sets !== null)
    throw new KubectlError(
      `match expression [{${sets[1]} ${sets[2] === 'in' ? 'In' : 'NotIn'} [${sets[3]?.replaceAll(/\s*,\s*/g, ' ')}]}] not supported on this object`,
    );
  await patchEach(session, infos, { done: 'selector updated', refused: undefined, namesObject: false }, (info, object) => {
    if (info.type.kind !== 'Service') throw new KubectlError('setting a selector is only supported for Services');
    const selector: Record<string, string> = {};
    for (const part of expression.split(','))
      selector[part.slice(0, part.indexOf('='))] = part.slice(part.indexOf('=') + 1).replace(/^=/, '');
    (object.spec as Mutable).selector = selector;
  });
}

function parseAmounts(text: string): Record<string, string> {
  const amounts: Record<string, string> = {};
  for (const part of text.split(',').filter((one) => one !== '')) {
    const pieces = part.split('=');
    if (pieces.length !== 2) throw new KubectlError(`Invalid argument syntax ${part}, expected <resource>=<value>`);
    const amount = canonicalQuantity(pieces[1] as string);
    if (amount === undefined)
      throw new KubectlError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
    amounts[pieces[0] as string] = amount;
  }
  return amounts;
}

export async function setResources(session: Session): Promise<void> {
  const { flags } = session;
  const infos = collectTargets(session, flags.args);
  if (flags.text('limits') === '' && flags.text('requests') === '')
    throw new KubectlError('you must specify an update to requests or limits (in the form of --requests/--limits)');
  const limits = parseAmounts(flags.text('limits'));
  const requests = parseAmounts(flags.text('requests'));
  const messages = { done: 'resource requirements updated', refused: 'failed to patch resources update to pod template' };
  await patchEach(session, infos, messages, (info, object, fail) => {
    const containers = containersOf(podSpecOf(info, object), flags.text('containers'));
    if (containers.length === 0) fail(`error: unable to find container named ${flags.text('containers')}`);
    for (const container of containers) {
      const resources = { ...(isDict(container.resources) ? container.resources : {}) } as Mutable;
      if (Object.keys(limits).length > 0) resources.limits = { ...stringsAt(resources, 'limits'), ...limits };
      if (Object.keys(requests).length > 0) resources.requests = { ...stringsAt(resources, 'requests'), ...requests };
      container.resources = resources;
    }
  });
}

export async function setServiceAccount(session: Session): Promise<void> {
  const { args } = session.flags;
  const account = args.at(-1);
  if (account === undefined) throw new KubectlError('serviceaccount is required');
  const infos = collectTargets(session, args.slice(0, -1));
  const messages = { done: 'serviceaccount updated', refused: 'failed to patch ServiceAccountName' };
  await patchEach(session, infos, messages, (info, object) => {
    const spec = podSpecOf(info, object);
    spec.serviceAccountName = account;
  });
}

export async function setSubject(session: Session): Promise<void> {
  const { flags } = session;
  const infos = collectTargets(session, flags.args);
  const users = flags.list('user');
  const groups = flags.list('group');
  const accounts = flags.list('serviceaccount');
  if (users.length + groups.length + accounts.length === 0)
    throw new KubectlError('you must specify at least one value of user, group or serviceaccount');
  for (const account of accounts)
    if (account.split(':').length !== 2 || account.endsWith(':')) throw new KubectlError('serviceaccount must be <namespace>:<name>');
  const apiGroup = 'rbac.authorization.k8s.io';
  const inOrder = (names: readonly string[]): readonly string[] => [...new Set(names)].sort(byText);
  const subjects = [
    ...inOrder(users).map((name) => ({ kind: 'User', apiGroup, name })),
    ...inOrder(groups).map((name) => ({ kind: 'Group', apiGroup, name })),
    ...inOrder(accounts).map((text) => {
      const [space, name] = text.split(':') as [string, string];
      return { kind: 'ServiceAccount', name, namespace: space || session.namespace };
    }),
  ];
  const messages = { done: 'subjects updated', refused: 'failed to patch subjects to rolebinding:' };
  await patchEach(session, infos, messages, (info, object) => {
    if (info.type.kind !== 'RoleBinding' && info.type.kind !== 'ClusterRoleBinding')
      throw new KubectlError('setting subjects is only supported for RoleBinding/ClusterRoleBinding');
    const before = listAt(object, 'subjects');
    object.subjects = [...before, ...subjects.filter((subject) => !before.some((other) => isEqual(other, subject)))];
  });
}
