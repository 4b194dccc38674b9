import { KubectlError, throwAll } from '../errors.ts';
import { contentTypes, twoWayPatch } from '../patches.ts';
import { notSimulated, resultPrinter } from '../printers.ts';
import { collect, type Info, nothingGiven } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, copyOf, type Dict, isDict, listAt, type Mutable, stringsAt, textAt } from '../values.ts';

/** `key=value` arguments that follow the resources. */
function splitArgs(
  args: readonly string[],
  isChange: (arg: string) => boolean,
): { readonly resources: readonly string[]; readonly changes: readonly string[] } {
  const resources: string[] = [];
  const changes: string[] = [];
  for (const arg of args) (isChange(arg) ? changes : resources).push(arg);
  return { resources, changes };
}

async function patchEach(
  session: Session,
  resources: readonly string[],
  message: string,
  changed: (info: Info, object: Mutable) => void,
): Promise<void> {
  const { flags } = session;
  if (flags.is('local')) throw notSimulated(`kubectl ${session.command} --local`);
  const dryRun = session.dryRun;
  const { infos, errors } = collect(session, {
    args: resources,
    selector: flags.has('selector') ? flags.text('selector') : '',
    isAllAllowed: flags.is('all'),
    reads: 'named and files',
    accept: accepts.any,
  });
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const before = info.object as Dict;
      const after: Mutable = copyOf(before) as Mutable;
      changed(info, after);
      const body = twoWayPatch('strategic', before, after, info.type.kind);
      // Nothing to change, nothing to say.
      if (Object.keys(body).length === 0) continue;
      if (dryRun === 'client') {
        print(after, message);
        continue;
      }
      const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
      if (dryRun === 'server') query.dryRun = 'All';
      print(
        session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
          accept: accepts.any,
          query,
          body,
          contentType: contentTypes.strategic,
        }),
        message,
      );
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  throwAll(failures);
}

/** The pod spec of a pod or of what makes pods. */
function podSpecOf(info: Info, object: Mutable): Mutable {
  const path =
    info.type.kind === 'Pod'
      ? ['spec']
      : info.type.kind === 'CronJob'
        ? ['spec', 'jobTemplate', 'spec', 'template', 'spec']
        : ['spec', 'template', 'spec'];
  const spec = at(object, ...path);
  if (!isDict(spec))
    throw new KubectlError(
      `${info.type.plural}/${info.name} the object is not a pod or does not have a pod template: *${info.type.version}.${info.type.kind}`,
    );
  return spec as Mutable;
}

function containersOf(spec: Mutable, wanted: string): Mutable[] {
  const pattern = new RegExp(`^${wanted.replace(/[.+?^$(){}|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
  return [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].filter((container) =>
    pattern.test(textAt(container, 'name')),
  ) as Mutable[];
}

export async function setImage(session: Session): Promise<void> {
  const { resources, changes } = splitArgs(session.flags.args, (arg) => arg.includes('='));
  if (resources.length === 0 && session.flags.list('filename').length === 0) throw new KubectlError(nothingGiven);
  if (changes.length === 0) throw new KubectlError('at least one image update is required');
  await patchEach(session, resources, 'image updated', (info, object) => {
    const spec = podSpecOf(info, object);
    for (const change of changes) {
      const [name, image] = [change.slice(0, change.indexOf('=')), change.slice(change.indexOf('=') + 1)];
      const all = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')] as Mutable[];
      const found = name === '*' ? all : all.filter((container) => container.name === name);
      if (found.length === 0) throw new KubectlError(`unable to find container named ${JSON.stringify(name)}`);
      for (const container of found) container.image = image;
    }
  });
}

export async function setEnv(session: Session): Promise<void> {
  const { flags } = session;
  if (flags.text('from') !== '') throw notSimulated('kubectl set env --from');
  const { resources, changes } = splitArgs(flags.args, (arg) => arg.includes('=') || /^[A-Za-z_]\w*-$/.test(arg));
  const all = [...changes, ...flags.list('env')];
  if (resources.length === 0 && flags.list('filename').length === 0) throw new KubectlError(nothingGiven);
  if (flags.is('list')) return listEnv(session, resources);
  if (all.length === 0) throw new KubectlError('at least one environment variable must be provided');
  await patchEach(session, resources, 'env updated', (info, object) => {
    for (const container of containersOf(podSpecOf(info, object), flags.text('containers'))) {
      let env = listAt(container, 'env').filter(isDict) as Dict[];
      for (const change of all) {
        const name = change.endsWith('-') && !change.includes('=') ? change.slice(0, -1) : change.slice(0, change.indexOf('='));
        if (!change.includes('=')) env = env.filter((entry) => entry.name !== name);
        else {
          const entry = { name, value: change.slice(change.indexOf('=') + 1) };
          env = env.some((other) => other.name === name) ? env.map((other) => (other.name === name ? entry : other)) : [...env, entry];
        }
      }
      if (env.length === 0) delete container.env;
      else container.env = env;
    }
  });
}

/** Variables as assignments; those that come from elsewhere as comments. */
function listEnv(session: Session, resources: readonly string[]): void {
  const { flags } = session;
  const { infos, errors } = collect(session, {
    args: resources,
    selector: flags.text('selector'),
    isAllAllowed: flags.is('all'),
    reads: 'named and files',
  });
  throwAll(errors);
  for (const info of infos) {
    for (const container of containersOf(podSpecOf(info, copyOf(info.object as Dict)), flags.text('containers'))) {
      session.out(`# ${info.type.kind} ${info.name}, container ${textAt(container, 'name')}`);
      for (const entry of listAt(container, 'env')) {
        const name = textAt(entry, 'name');
        const key = (source: string): string =>
          `${textAt(entry, 'valueFrom', source, 'name')}, key ${textAt(entry, 'valueFrom', source, 'key')}`;
        const from = at(entry, 'valueFrom');
        if (from === undefined) session.out(`${name}=${textAt(entry, 'value')}`);
        else if (at(from, 'configMapKeyRef') !== undefined) session.out(`# ${name} from configmap ${key('configMapKeyRef')}`);
        else if (at(from, 'secretKeyRef') !== undefined) session.out(`# ${name} from secret ${key('secretKeyRef')}`);
        else if (at(from, 'fieldRef') !== undefined) session.out(`# ${name} from field path ${textAt(from, 'fieldRef', 'fieldPath')}`);
        else session.out(`# ${name} from resource reference`);
      }
    }
  }
}

export async function setSelector(session: Session): Promise<void> {
  const { args } = session.flags;
  const expression = args.at(-1) ?? '';
  if (args.length < 2 || !expression.includes('=')) throw new KubectlError(nothingGiven);
  await patchEach(session, args.slice(0, -1), 'selector updated', (info, object) => {
    if (info.type.kind !== 'Service') throw new KubectlError('setting a selector is only supported for Services');
    const selector: Record<string, string> = {};
    for (const part of expression.split(','))
      selector[part.slice(0, part.indexOf('='))] = part.slice(part.indexOf('=') + 1).replace(/^=/, '');
    (object.spec as Mutable).selector = selector;
  });
}

export async function setResources(session: Session): Promise<void> {
  const { flags } = session;
  const parse = (text: string): Record<string, string> =>
    Object.fromEntries(
      text
        .split(',')
        .filter((part) => part !== '')
        .map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
    );
  const limits = parse(flags.text('limits'));
  const requests = parse(flags.text('requests'));
  if (Object.keys(limits).length + Object.keys(requests).length === 0)
    throw new KubectlError('you must specify an update to requests or limits (in the form of --requests/--limits)');
  await patchEach(session, flags.args, 'resource requirements updated', (info, object) => {
    for (const container of containersOf(podSpecOf(info, object), flags.text('containers'))) {
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
  if (args.length < 2 || account === undefined) throw new KubectlError('serviceaccount is required');
  await patchEach(session, args.slice(0, -1), 'serviceaccount updated', (info, object) => {
    const spec = podSpecOf(info, object);
    spec.serviceAccountName = account;
  });
}
