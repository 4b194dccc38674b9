import { AggregateKubectlError, KubectlError, throwAll } from '../errors.ts';
import { goJson } from '../json.ts';
import { contentTypes } from '../patches.ts';
import { resultPrinter } from '../printers.ts';
import { collect, readInfo } from '../resources.ts';
import { pathOf, type Session } from '../session.ts';
import { type Dict, dictAt, isDict, type Mutable, sortedKeys, stringsAt } from '../values.ts';

interface Change {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
  readonly resources: readonly string[];
}

/** Arguments: first resources, then `key=value` and `key-`. */
function parseChange(args: readonly string[], what: string): Change {
  // A key may be called like a member of every object.
  const set = Object.create(null) as Record<string, string>;
  const remove: string[] = [];
  const resources: string[] = [];
  let hasStarted = false;
  for (const arg of args) {
    const isSetting = arg.includes('=') && !arg.startsWith('=');
    const isRemoval = arg.endsWith('-') && arg !== '-';
    if (!isSetting && !isRemoval) {
      if (hasStarted) throw new KubectlError(`all resources must be specified before ${what} changes: ${arg}`);
      resources.push(arg);
      continue;
    }
    hasStarted = true;
    if (isSetting) set[arg.slice(0, arg.indexOf('='))] = arg.slice(arg.indexOf('=') + 1);
    else remove.push(arg.slice(0, -1));
  }
  for (const key of remove)
    if (key in set)
      throw new KubectlError(
        what === 'label'
          ? 'can not both modify and remove a label in the same command'
          : `can not both modify and remove the following annotation(s) in the same command: ${key}`,
      );
  return { set, remove, resources };
}

const valuePattern = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** The client checks the values only; bad keys are the server's business. */
function checkLabels(args: readonly string[]): void {
  for (const arg of args) {
    if (!arg.includes('=') || arg.startsWith('=')) continue;
    const [, value, ...more] = arg.split('=');
    if (more.length > 0) throw new KubectlError(`invalid label spec: ${arg}`);
    if (value !== undefined && (value.length > 63 || !valuePattern.test(value))) {
      const problem =
        value.length > 63
          ? 'must be no more than 63 bytes'
          : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
      throw new KubectlError(`invalid label value: ${JSON.stringify(arg)}: ${problem}`);
    }
  }
}

export function label(session: Session): Promise<void> {
  return change(session, 'label', 'labels');
}

export function annotate(session: Session): Promise<void> {
  return change(session, 'annotation', 'annotations');
}

async function change(session: Session, what: 'label' | 'annotation', field: 'labels' | 'annotations'): Promise<void> {
  const { flags } = session;
  const parsed = parseChange(flags.args, what);
  const lists = flags.is('list');
  const hasFiles = flags.list('filename').length > 0;
  const dryRun = session.dryRun;
  if (flags.is('all') && flags.text('selector') !== '') throw new KubectlError('cannot set --all and --selector at the same time');
  if (flags.is('all') && flags.text('field-selector') !== '')
    throw new KubectlError('cannot set --all and --field-selector at the same time');
  if (parsed.resources.length === 0 && !hasFiles)
    throw new KubectlError('one or more resources must be specified as <resource> <name> or <resource>/<name>');
  if (Object.keys(parsed.set).length + parsed.remove.length === 0 && !lists)
    throw new KubectlError(`at least one ${what} update is required`);
  if (flags.is('local')) throw new KubectlError(`not simulated: kubectl ${session.command} --local`);
  if (what === 'label') checkLabels(flags.args);
  const { infos, errors } = collect(session, {
    args: parsed.resources,
    selector: flags.text('selector'),
    fieldSelector: flags.text('field-selector'),
    isAllAllowed: flags.is('all'),
    reads: 'nothing',
  });
  const failures = [...errors];
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    try {
      const current = (info.object !== undefined && info.source === '' ? info : readInfo(session, info)).object as Dict;
      const before = stringsAt(current, 'metadata', field);
      if (lists) {
        const indent = infos.length > 1 ? ' ' : '';
        if (infos.length > 1) session.out(`Listing ${field} for ${info.type.kind}.${info.type.group}/${info.name}:`);
        for (const key of sortedKeys(before)) session.out(`${indent}${key}=${before[key]}`);
        continue;
      }
      checkOverwrite(session, what, before, parsed.set);
      const after: Record<string, string> = { ...before, ...parsed.set };
      for (const key of parsed.remove) {
        if (what === 'label' && dryRun !== 'client' && !Object.hasOwn(after, key)) session.out(`label ${JSON.stringify(key)} not found.`);
        delete after[key];
      }
      const message = what === 'annotation' ? 'annotated' : changeOf(current, after, flags.is('overwrite'));
      if (dryRun === 'client') {
        print({ ...current, metadata: { ...dictAt(current, 'metadata'), [field]: after } }, message);
        continue;
      }
      const difference = Object.create(null) as Mutable;
      for (const key of sortedKeys(after)) if (before[key] !== after[key]) difference[key] = after[key];
      for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) difference[key] = null;
      const query: Record<string, string> = { fieldManager: flags.text('field-manager') };
      if (dryRun === 'server') query.dryRun = 'All';
      const version = flags.text('resource-version');
      const metadata: Mutable = {
        ...(Object.keys(difference).length === 0 ? {} : { [field]: difference }),
        ...(version === '' ? {} : { resourceVersion: version }),
      };
      const body = Object.keys(metadata).length === 0 ? {} : { metadata };
      print(
        session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), { query, body, contentType: contentTypes.merge }),
        message,
      );
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  throwAll(failures);
}

/** The real one compares the objects as JSON: also where labels that were absent are empty now, and by their length. */
function changeOf(current: Dict, after: Readonly<Record<string, string>>, overwrites: boolean): string {
  const labels = dictAt(current, 'metadata').labels;
  const old = isDict(labels) ? `"labels":${goJson(labels)},` : '';
  const now = `"labels":${goJson(after)},`;
  if (old === now) return 'not labeled';
  return !overwrites && Buffer.byteLength(now) < Buffer.byteLength(old) ? 'unlabeled' : 'labeled';
}

function checkOverwrite(
  session: Session,
  what: 'label' | 'annotation',
  before: Readonly<Record<string, string>>,
  set: Readonly<Record<string, string>>,
): void {
  if (session.flags.is('overwrite')) return;
  const taken = sortedKeys(set).filter((key) => Object.hasOwn(before, key) && before[key] !== set[key]);
  if (taken.length === 0) return;
  if (what === 'label') {
    const problems = taken.map((key) => new KubectlError(`'${key}' already has a value (${before[key]}), and --overwrite is false`));
    throw problems.length === 1 ? (problems[0] as KubectlError) : new AggregateKubectlError(problems);
  }
  throw new KubectlError(
    `--overwrite is false but found the following declared annotation(s): ${taken.map((key) => `'${key}' already has a value (${before[key]})`).join('; ')}`,
  );
}
