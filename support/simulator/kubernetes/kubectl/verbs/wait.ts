import { KubectlError, throwAll } from '../errors.ts';
import { JsonPath, relaxedJsonPath } from '../jsonpath.ts';
import { goValueText, resultPrinter } from '../printers.ts';
import { collect, type Info, parseTargets } from '../resources.ts';
import type { Session } from '../session.ts';
import { at, type Dict, listAt, textAt } from '../values.ts';
import { follow, readIfThere, timedOut, weekMs } from '../waiting.ts';

type Condition = (object: Dict) => boolean;

function conditionOf(text: string): Condition {
  if (text.startsWith('condition=')) {
    const [name, value] = text.slice('condition='.length).split('=') as [string, string | undefined];
    return (object) => hasCondition(object, name, value ?? 'true');
  }
  if (text.startsWith('jsonpath=')) {
    const rest = text.slice('jsonpath='.length);
    const format = `--for=jsonpath='{.status.readyReplicas}'=3`;
    const parts = splitOnSingleEquals(rest);
    if (parts.length > 2) throw new KubectlError(`jsonpath wait format must be ${format} or --for=jsonpath='{.status.readyReplicas}'`);
    const expression = relaxedJsonPath(parts[0] as string);
    const wanted = parts[1]?.replace(/^['"]+|['"]+$/g, '');
    if (wanted === '') throw new KubectlError(`jsonpath wait has to have a value after equal sign, like ${format}`);
    if (expression === '') throw new KubectlError('jsonpath expression cannot be empty');
    const path = new JsonPath(expression);
    return (object) => {
      const values = path.find(object);
      if (values.length === 0) return false;
      if (values.length > 1) throw new KubectlError('given jsonpath expression matches more than one value');
      if (wanted === undefined) return true;
      const [value] = values;
      if (typeof value === 'object' && value !== null)
        throw new KubectlError('jsonpath leads to a nested object or list which is not supported');
      return goValueText(value).trim() === wanted.trim();
    };
  }
  throw new KubectlError(`unrecognized condition: ${JSON.stringify(text)}`);
}

/** A double `==` belongs to a filter and does not split. */
function splitOnSingleEquals(text: string): readonly string[] {
  return text
    .replaceAll('==', '\0')
    .split('=')
    .map((part) => part.replaceAll('\0', '=='));
}

/** An old condition does not count when the object's spec has changed since. */
function hasCondition(object: Dict, name: string, value: string): boolean {
  for (const condition of listAt(object, 'status', 'conditions')) {
    if (textAt(condition, 'type').toLowerCase() !== name.toLowerCase()) continue;
    const generation = at(object, 'metadata', 'generation');
    const observed = at(condition, 'observedGeneration') ?? at(object, 'status', 'observedGeneration');
    if (typeof generation === 'number' && typeof observed === 'number' && observed < generation) return false;
    return textAt(condition, 'status').toLowerCase() === value.toLowerCase();
  }
  return false;
}

export async function wait(session: Session): Promise<void> {
  const { flags } = session;
  const wanted = flags.text('for');
  const isDelete = wanted.toLowerCase() === 'delete';
  const isCreate = wanted.toLowerCase() === 'create';
  const condition = isDelete || isCreate ? undefined : conditionOf(wanted);
  const timeout = flags.duration('timeout');
  const end = session.now + (timeout < 0 ? weekMs : timeout);
  const left = (): number => Math.max(0, end - session.now);
  const selection = {
    args: flags.args,
    selector: flags.text('selector'),
    fieldSelector: flags.text('field-selector'),
    isAllAllowed: flags.is('all'),
  };
  const print = await resultPrinter(session, 'none');
  const met = (info: Info, object: Dict): void =>
    print(
      { kind: info.type.kind, apiVersion: info.type.group === '' ? 'v1' : `${info.type.group}/${info.type.version}`, ...object },
      'condition met',
    );
  if (isCreate) waitForCreation(session, left);
  const { infos, errors } = collect(session, { ...selection, reads: 'named and files' });
  if (
    isDelete &&
    errors.length > 0 &&
    infos.length === 0 &&
    flags.args.some((arg) => arg.includes('/')) &&
    errors.every((error) => /not found/.test(error.message))
  ) {
    // Gone already: nothing to wait for.
    return;
  }
  throwAll(errors);
  if (infos.length === 0 && !isDelete) throw new KubectlError('no matching resources found');
  const failures: KubectlError[] = [];
  for (const info of infos) {
    let last: Dict = info.object as Dict;
    const isMet = (object: Dict | undefined): boolean => {
      if (isDelete) return object === undefined || at(object, 'metadata', 'uid') !== at(info.object, 'metadata', 'uid');
      if (object === undefined) return false;
      last = object;
      return isCreate || (condition as Condition)(object);
    };
    const start = isDelete ? readIfThere(session, info.type, info.namespace, info.name) : undefined;
    // All share one timeout: after it the rest is not even looked at, except what is gone already.
    const isOver = timeout !== 0 && left() === 0;
    try {
      const holds =
        isCreate || (isDelete && isMet(start)) || (!isOver && follow(session, info.type, info.namespace, info.name, isMet, left()));
      if (holds) {
        met(info, last);
        continue;
      }
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
      continue;
    }
    const what = `${info.type.plural}/${info.name}`;
    failures.push(timeout === 0 ? new KubectlError(`condition not met for ${what}`) : timedOut(what));
  }
  throwAll(failures);
}

/** Looks every half second whether the named objects exist. */
function waitForCreation(session: Session, left: () => number): void {
  const targets = parseTargets(session, session.flags.args);
  if (targets.kind !== 'names') return;
  for (const { type, name } of targets.pairs) {
    const namespace = type.isNamespaced ? session.namespace : '';
    while (readIfThere(session, type, namespace, name) === undefined) {
      if (left() === 0) throw timedOut();
      session.clock.advance(Math.min(500, left()));
    }
  }
}
