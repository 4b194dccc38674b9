import { KubectlError, PlainError } from '../errors.ts';
import { collect, type Info } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, copyOf, type Dict, isDict, listAt, type Mutable, sortedKeys, stringsAt, textAt } from '../values.ts';
import { readIfThere } from '../waiting.ts';
import { collectTargets, containersOf, patchEach, podSpecOf } from './set.ts';

/** `kubectl set env` (kubectl/pkg/cmd/set/set_env.go and its folder env). */

interface Changes {
  readonly set: readonly Dict[];
  readonly remove: readonly string[];
}

const namePattern = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** Resources come first; what follows is `KEY=value` and `KEY-`. */
function splitArgs(args: readonly string[]): { readonly resources: readonly string[]; readonly changes: readonly string[] } {
  const isChange = (arg: string): boolean => /^.+=.*$/s.test(arg) || arg.endsWith('-');
  const first = args.findIndex(isChange);
  if (first === -1) return { resources: args, changes: [] };
  const changes = args.slice(first);
  if (!changes.every(isChange)) throw new KubectlError(`all resources must be specified before environment changes: ${args.join(' ')}`);
  return { resources: args.slice(0, first), changes };
}

function parseChanges(session: Session, texts: readonly string[]): Changes {
  const set: Dict[] = [];
  const remove: string[] = [];
  const add = (text: string): void => {
    const [name, value] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];
    if (!namePattern.test(name))
      throw new KubectlError(
        `${JSON.stringify(name)} is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')`,
      );
    set.push({ name, value });
  };
  for (const text of texts) {
    if (text === '-') {
      const lines = session.context.stdin.split('\n').map((line) => line.replace(/#.*$/, ''));
      for (const line of lines) if (line.includes('=')) add(line);
    } else if (text.includes('=')) add(text);
    else if (text.endsWith('-')) remove.push(text.slice(0, -1));
    else throw new KubectlError(`unknown environment variable: ${text}`);
  }
  if (remove.some((name) => set.some((entry) => entry.name === name)))
    throw new KubectlError('can not both modify and remove the same environment variable in the same command');
  return { set, remove };
}

/** A reference for each key of the config map or secret of `--from`. */
function fromSources(session: Session): readonly Dict[] {
  const { flags } = session;
  const keys = flags.list('keys');
  const { infos, errors } = collect(session, {
    args: [flags.text('from')],
    isAllAllowed: flags.is('all'),
    reads: 'named',
    accept: accepts.any,
  });
  if (errors[0] !== undefined) throw errors[0];
  return infos.flatMap((info) => {
    const field = info.type.kind === 'Secret' ? 'secretKeyRef' : info.type.kind === 'ConfigMap' ? 'configMapKeyRef' : undefined;
    if (field === undefined || info.type.group !== '') throw new KubectlError('unsupported resource specified in --from');
    return sortedKeys(stringsAt(info.object, 'data'))
      .filter((key) => keys.length === 0 || keys.includes(key))
      .map((key) => {
        const name = key.toUpperCase().replace(/[^A-Z0-9]/g, '_');
        if (name !== key) session.warn(`key ${key} transferred to ${name}`);
        return { name, valueFrom: { [field]: { name: info.name, key } } };
      });
  });
}

export async function setEnv(session: Session): Promise<void> {
  const { flags } = session;
  const { resources, changes: texts } = splitArgs(flags.args);
  if (resources.length === 0 && flags.list('filename').length === 0)
    throw new KubectlError('one or more resources must be specified as <resource> <name> or <resource>/<name>');
  if (flags.is('list') && flags.text('output') !== '') throw new KubectlError('--list and --output may not be specified together');
  if (flags.list('keys').length > 0 && flags.text('from') === '')
    throw new KubectlError('when specifying --keys, a configmap or secret must be provided with --from');
  const given = parseChanges(session, [...flags.list('env'), ...texts]);
  const prefix = flags.text('prefix');
  const added = [...given.set, ...(flags.text('from') === '' ? [] : fromSources(session))];
  const changes: Changes = { set: added.map((entry) => ({ ...entry, name: `${prefix}${textAt(entry, 'name')}` })), remove: given.remove };
  const infos = collectTargets(session, resources);
  if (flags.is('list')) {
    for (const info of infos) list(session, info, changes);
    return;
  }
  const messages = { done: 'env updated', refused: 'failed to patch env update to pod template:' };
  await patchEach(session, infos, messages, (info, object) => {
    for (const container of chosen(session, info, object)) {
      if (!flags.is('overwrite')) refuseOverwriting(container, changes);
      const env = changedEnv(container, changes);
      if (env.length === 0) delete container.env;
      else container.env = env;
    }
  });
}

function chosen(session: Session, info: Info, object: Mutable): readonly Mutable[] {
  const pattern = session.flags.text('containers');
  const containers = containersOf(podSpecOf(info, object), pattern);
  if (containers.length === 0)
    session.warn(`${info.type.kind}/${info.name} does not have any containers matching ${JSON.stringify(pattern)}`);
  return containers;
}

function refuseOverwriting(container: Dict, { set }: Changes): void {
  for (const entry of listAt(container, 'env'))
    if (set.some((other) => other.name === textAt(entry, 'name') && textAt(other, 'value') !== textAt(entry, 'value')))
      throw new KubectlError(`'${textAt(entry, 'name')}' already has a value (${textAt(entry, 'value')}), and --overwrite is false`);
}

function changedEnv(container: Dict, { set, remove }: Changes): readonly Dict[] {
  let env = listAt(container, 'env').filter(isDict);
  for (const entry of set)
    env = env.some((other) => other.name === entry.name)
      ? env.map((other) => (other.name === entry.name ? entry : other))
      : [...env, entry];
  return env.filter((entry) => !remove.includes(textAt(entry, 'name')));
}

/** Variables as assignments; those that come from elsewhere as comments, or looked up with `--resolve`. */
function list(session: Session, info: Info, changes: Changes): void {
  for (const container of chosen(session, info, copyOf(info.object as Dict) as Mutable)) {
    session.out(`# ${info.type.kind} ${info.name}, container ${textAt(container, 'name')}`);
    const problems = new Map<string, string[]>();
    for (const entry of changedEnv(container, changes)) {
      const name = textAt(entry, 'name');
      const from = at(entry, 'valueFrom');
      if (!isDict(from)) {
        session.out(`${name}=${textAt(entry, 'value')}`);
        continue;
      }
      try {
        if (!session.flags.is('resolve')) throw new PlainError('');
        session.out(`${name}=${resolved(session, info, from)}`);
      } catch (error) {
        if (!(error instanceof KubectlError)) throw error;
        session.out(`# ${name} from ${referenceText(from)}`);
        if (error.message !== '') problems.set(error.message, [...(problems.get(error.message) ?? []), name]);
      }
    }
    const lines = [...problems].map(([problem, names]) => `error retrieving reference for ${names.sort().join(', ')}: ${problem}`);
    for (const line of lines.sort()) session.err(line);
  }
}

function referenceText(from: Dict): string {
  const key = (source: string): string => `${textAt(from, source, 'name')}, key ${textAt(from, source, 'key')}`;
  if (from.configMapKeyRef !== undefined) return `configmap ${key('configMapKeyRef')}`;
  if (from.secretKeyRef !== undefined) return `secret ${key('secretKeyRef')}`;
  if (from.fieldRef !== undefined) return `field path ${textAt(from, 'fieldRef', 'fieldPath')}`;
  const container = textAt(from, 'resourceFieldRef', 'containerName');
  return `resource field ${container === '' ? '' : `${container}/`}${textAt(from, 'resourceFieldRef', 'resource')}`;
}

/** @throws KubectlError that says what could not be looked up */
function resolved(session: Session, info: Info, from: Dict): string {
  for (const [field, plural, words] of [
    ['secretKeyRef', 'secrets', 'secret'],
    ['configMapKeyRef', 'configmaps', 'config map'],
  ] as const) {
    const reference = from[field];
    if (!isDict(reference)) continue;
    const [name, key] = [textAt(reference, 'name'), textAt(reference, 'key')];
    const type = session.discovery.resource(plural);
    const object = readIfThere(session, type, session.namespace, name, accepts.typed);
    if (object === undefined) session.requestObject('GET', pathOf(type, session.namespace, name));
    const value = stringsAt(object, 'data')[key];
    if (value === undefined) throw new KubectlError(`key ${key} not found in ${words} ${name}`);
    return field === 'secretKeyRef' ? Buffer.from(value, 'base64').toString('utf8') : value;
  }
  const path = textAt(from, 'fieldRef', 'fieldPath');
  if (path === '') throw new KubectlError('not simulated: kubectl set env --resolve of a resource field');
  if (['metadata.name', 'metadata.namespace', 'metadata.uid'].includes(path)) return textAt(info.object, ...path.split('.'));
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript !== null) return stringsAt(info.object, 'metadata', subscript[1] as string)[subscript[2] as string] ?? '';
  throw new KubectlError(`unsupported fieldPath: ${path}`);
}
