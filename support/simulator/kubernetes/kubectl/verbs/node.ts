import type { ResourceType } from '../discovery.ts';
import { AggregateKubectlError, isNotFound, KubectlError, PlainError, StatusError, throwAll, UsageError } from '../errors.ts';
import { contentTypes, twoWayPatch } from '../patches.ts';
import { notSimulated, resultPrinter } from '../printers.ts';
import { collect, type Info, itemsOf, readList } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, type Dict, listAt, nameOf, textAt } from '../values.ts';
import { readIfThere, timedOut } from '../waiting.ts';

function nodes(session: Session, usage: string): readonly Info[] {
  const { flags } = session;
  const selector = flags.text('selector');
  if (flags.args.length === 0 && selector === '') throw new UsageError(`USAGE: ${usage} NODE [flags]`, `kubectl ${usage}`);
  if (flags.args.length > 0 && selector !== '') throw new KubectlError('error: cannot specify both a node name and a --selector option');
  const args = flags.args.length === 0 ? ['nodes'] : ['nodes', ...flags.args.map((arg) => arg.replace(/^(node|nodes|no)\//, ''))];
  const { infos, errors } = collect(session, { args, selector, reads: 'named and files', accept: accepts.any });
  // The first node that is missing ends it, before anything is done.
  if (errors[0] !== undefined) throw errors[0];
  return infos;
}

export async function cordon(session: Session): Promise<void> {
  await setUnschedulable(session, nodes(session, 'cordon'), true);
}

export async function uncordon(session: Session): Promise<void> {
  await setUnschedulable(session, nodes(session, 'uncordon'), false);
}

async function setUnschedulable(session: Session, infos: readonly Info[], isUnschedulable: boolean): Promise<void> {
  const dryRun = session.dryRun;
  const print = await resultPrinter(session, dryRun);
  const word = isUnschedulable ? 'cordoned' : 'uncordoned';
  for (const info of infos) {
    if ((at(info.object, 'spec', 'unschedulable') === true) === isUnschedulable) {
      print(info.object as Dict, `already ${word}`);
      continue;
    }
    if (dryRun !== 'client') {
      session.requestObject('PATCH', pathOf(info.type, '', info.name), {
        accept: accepts.typed,
        query: dryRun === 'server' ? { dryRun: 'All' } : {},
        body: { spec: { unschedulable: isUnschedulable ? true : null } },
        contentType: contentTypes.strategic,
      });
    }
    print(info.object as Dict, word);
  }
}

// ── drain ───────────────────────────────────────────────────────────────────────────────────────────────────

interface Sorted {
  readonly toDelete: readonly Dict[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

function sortPods(session: Session, pods: readonly Dict[]): Sorted {
  const { flags } = session;
  const toDelete: Dict[] = [];
  const groups = new Map<string, { readonly isWarning: boolean; readonly pods: string[] }>();
  const note = (text: string, isWarning: boolean, pod: Dict): void => {
    const group = groups.get(text) ?? { isWarning, pods: [] };
    group.pods.push(`${textAt(pod, 'metadata', 'namespace')}/${nameOf(pod)}`);
    groups.set(text, group);
  };
  for (const pod of pods) {
    if (at(pod, 'metadata', 'annotations', 'kubernetes.io/config.mirror') !== undefined) continue;
    const isFinished = ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'));
    const controller = listAt(pod, 'metadata', 'ownerReferences').find((owner) => at(owner, 'controller') === true);
    if (textAt(controller, 'kind') === 'DaemonSet' && !isFinished) {
      if (flags.is('ignore-daemonsets')) note('ignoring DaemonSet-managed Pods', true, pod);
      else note('DaemonSet-managed Pods (use --ignore-daemonsets to ignore)', false, pod);
      continue;
    }
    const hasLocalData = listAt(pod, 'spec', 'volumes').some((volume) => at(volume, 'emptyDir') !== undefined);
    if (hasLocalData && !isFinished && !flags.is('delete-emptydir-data')) {
      note('Pods with local storage (use --delete-emptydir-data to override)', false, pod);
      continue;
    }
    if (controller === undefined && !isFinished) {
      if (!flags.is('force')) {
        note('cannot delete Pods that declare no controller (use --force to override)', false, pod);
        continue;
      }
      note('deleting Pods that declare no controller', true, pod);
    }
    toDelete.push(pod);
  }
  const texts = (isWarning: boolean): string[] =>
    [...groups].filter(([, group]) => group.isWarning === isWarning).map(([text, group]) => `${text}: ${group.pods.join(', ')}`);
  return { toDelete, warnings: texts(true), problems: texts(false) };
}

export async function drain(session: Session): Promise<void> {
  const { flags } = session;
  const infos = nodes(session, 'drain');
  const dryRun = session.dryRun;
  await setUnschedulable(session, infos, true);
  const print = await resultPrinter(session, dryRun);
  const podType = session.discovery.resource('pods');
  const failed: { readonly node: string; readonly error: KubectlError }[] = [];
  for (const info of infos) {
    try {
      const query: Record<string, string> = { fieldSelector: `spec.nodeName=${info.name}`, limit: flags.text('chunk-size') };
      if (flags.text('pod-selector') !== '') query.labelSelector = flags.text('pod-selector');
      const sorted = (): Sorted => sortPods(session, readList(session, podType, '', { query, accept: accepts.typed }).flatMap(itemsOf));
      const { toDelete, warnings, problems } = sorted();
      // Twice the same words, where the reason begins with them.
      if (problems.length > 0) throw new AggregateKubectlError(problems.map((problem) => new KubectlError(`cannot delete ${problem}`)));
      if (warnings.length > 0) session.err(`Warning: ${warnings.join('; ')}`);
      try {
        removePods(session, toDelete, dryRun);
      } catch (error) {
        if (!(error instanceof KubectlError)) throw error;
        const pending = sorted().toDelete;
        if (pending.length > 0)
          session.err(`There are pending pods in node ${JSON.stringify(info.name)} when an error occurred: ${error.message}`);
        for (const pod of pending) session.err(`pod/${nameOf(pod)}`);
        throw error;
      }
      print(info.object as Dict, 'drained');
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      session.err(`error: unable to drain node ${JSON.stringify(info.name)} due to error: ${error.message}, continuing command...`);
      failed.push({ node: info.name, error });
    }
  }
  if (failed.length === 0) return;
  session.err(`There are pending nodes to be drained:\n${failed.map(({ node }) => ` ${node}`).join('\n')}`);
  throw new AggregateKubectlError(failed.map(({ error }) => error));
}

function removePods(session: Session, pods: readonly Dict[], dryRun: 'none' | 'client' | 'server'): void {
  const { flags } = session;
  const type = session.discovery.resource('pods');
  const canEvict = type.subresources.includes('eviction') && !flags.is('disable-eviction');
  const grace = flags.number('grace-period');
  const word = canEvict ? 'evicted' : 'deleted';
  const end = flags.duration('timeout') === 0 ? Number.POSITIVE_INFINITY : session.now + flags.duration('timeout');
  for (const pod of pods) {
    const namespace = textAt(pod, 'metadata', 'namespace');
    if (dryRun === 'client') session.out(`evicting pod ${namespace}/${nameOf(pod)} (dry run)`);
    else if (!canEvict) {
      const options = { ...(grace < 0 ? {} : { gracePeriodSeconds: grace }), ...(dryRun === 'server' ? { dryRun: ['All'] } : {}) };
      session.request('DELETE', pathOf(type, namespace, nameOf(pod)), { body: options, accept: accepts.typed });
    }
  }
  if (dryRun === 'client') return;
  const refused = canEvict ? evict(session, type, pods, end, dryRun === 'server') : [];
  if (dryRun === 'server') {
    if (refused.length > 0) throw new AggregateKubectlError(refused);
    return;
  }
  for (const pod of pods) {
    const namespace = textAt(pod, 'metadata', 'namespace');
    const isGone = (): boolean => {
      const now = readIfThere(session, type, namespace, nameOf(pod), accepts.typed);
      return now === undefined || at(now, 'metadata', 'uid') !== at(pod, 'metadata', 'uid');
    };
    if (refused.length > 0 && !isGone()) continue;
    while (!isGone()) {
      if (session.now >= end) throw timedOut();
      session.clock.advance(1000);
    }
    session.out(`pod/${nameOf(pod)} ${word}`);
  }
  if (refused.length > 0) throw new AggregateKubectlError(refused);
}

const retryMs = 5000;

/** Asks for each pod's eviction, and again every five seconds while its budget does not allow it. */
function evict(session: Session, type: ResourceType, pods: readonly Dict[], end: number, isDryRun: boolean): readonly KubectlError[] {
  const grace = session.flags.number('grace-period');
  const options = { ...(grace < 0 ? {} : { gracePeriodSeconds: grace }), ...(isDryRun ? { dryRun: ['All'] } : {}) };
  const failures: KubectlError[] = [];
  for (let left = pods; left.length > 0; ) {
    const again: Dict[] = [];
    for (const pod of left) {
      const [namespace, name] = [textAt(pod, 'metadata', 'namespace'), nameOf(pod)];
      const what = `error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)}`;
      session.out(`evicting pod ${namespace}/${name}${isDryRun ? ' (server dry run)' : ''}`);
      if (session.now >= end) {
        failures.push(new KubectlError(`${what}: global timeout reached: ${session.flags.text('timeout')}`));
        continue;
      }
      const body = { kind: 'Eviction', apiVersion: 'policy/v1', metadata: { name, namespace }, deleteOptions: options };
      try {
        session.request('POST', pathOf(type, namespace, name, 'eviction'), { body, accept: accepts.typed });
      } catch (error) {
        if (!(error instanceof KubectlError)) throw error;
        if (isNotFound(error)) continue;
        if (!(error instanceof StatusError) || error.reason !== 'TooManyRequests') {
          failures.push(new KubectlError(`${what}: ${error.message}`));
          continue;
        }
        session.err(`${what} (will retry after 5s): ${error.message}`);
        again.push(pod);
      }
    }
    left = again;
    if (left.length === 0) break;
    if (session.now - session.startedAt > longestWaitMs)
      throw notSimulated(
        `kubectl drain that waits longer than ${longestWaitMs / 60_000} minutes for a disruption budget (--timeout says how long)`,
      );
    session.clock.advance(retryMs);
  }
  return failures;
}

/** Nobody can press ^C here. */
const longestWaitMs = 10 * 60_000;

// ── taint ───────────────────────────────────────────────────────────────────────────────────────────────────

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect?: string;
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

const nameRule = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;

function parseTaint(text: string): Taint {
  const wrong = (why = ''): UsageError => new UsageError(`invalid taint spec: ${text}${why}`, 'kubectl taint');
  const [left, effect, ...more] = text.split(':') as [string, string | undefined, ...string[]];
  if (more.length > 0) throw wrong();
  if (effect !== undefined && !effects.includes(effect))
    throw new UsageError(`invalid taint effect: ${effect}, unsupported taint effect`, 'kubectl taint');
  // Without an effect the whole is a key.
  const [key, value, ...rest] = (effect === undefined ? [left] : left.split('=')) as [string, string | undefined, ...string[]];
  if (rest.length > 0) throw wrong();
  const name = key.split('/').at(-1) as string;
  if (name === '') throw wrong(`, name part must be non-empty; ${nameRule}`);
  if (!/^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/.test(name)) throw wrong(`, ${nameRule}`);
  return { key, ...(value === undefined || value === '' ? {} : { value }), ...(effect === undefined || effect === '' ? {} : { effect }) };
}

export async function taint(session: Session): Promise<void> {
  const { flags } = session;
  const specs = flags.args.filter((arg) => /[:=]/.test(arg) || (arg.endsWith('-') && arg !== '-'));
  const resources = flags.args.filter((arg) => !specs.includes(arg));
  if (resources.length === 0) throw new KubectlError('one or more resources must be specified as <resource> <name>');
  if (specs.length === 0) throw new KubectlError('at least one taint update is required');
  const type = session.discovery.resource(resources[0] as string);
  if (type.kind !== 'Node') throw new KubectlError(`invalid resource type ${resources[0]}, only node types are supported`);
  const removals = specs.filter((spec) => spec.endsWith('-')).map((spec) => parseTaint(spec.slice(0, -1)));
  const additions = specs
    .filter((spec) => !spec.endsWith('-'))
    .map((spec) => {
      const parsed = parseTaint(spec);
      if (parsed.effect === undefined) throw new UsageError(`invalid taint spec: ${spec}`, 'kubectl taint');
      return parsed;
    });
  const twice = additions.find((one, index) => additions.findIndex(({ key, effect }) => key === one.key && effect === one.effect) < index);
  if (twice !== undefined)
    throw new UsageError(
      `duplicated taints with the same key and effect: {${twice.key} ${twice.value ?? ''} ${twice.effect} <nil>}`,
      'kubectl taint',
    );
  const dryRun = session.dryRun;
  const { infos, errors } = collect(session, {
    args: resources,
    selector: flags.text('selector'),
    isAllAllowed: flags.is('all'),
    reads: 'named and files',
    accept: accepts.any,
  });
  throwAll(errors);
  const print = await resultPrinter(session, dryRun);
  for (const info of infos) {
    const object = info.object as Dict;
    const before = listAt(object, 'spec', 'taints') as readonly Taint[];
    const isSame = (a: Taint, b: Taint): boolean => a.key === b.key && (b.effect === undefined || a.effect === b.effect);
    if (!flags.is('overwrite') && additions.some((added) => before.some((old) => isSame(old, added)))) {
      throw new PlainError(`error: node ${info.name} already has a taint(s) with same effect(s) and --overwrite is false`);
    }
    for (const removal of removals) {
      if (!before.some((old) => isSame(old, removal)))
        throw new KubectlError(
          `taint ${JSON.stringify(removal.effect === undefined ? removal.key : `${removal.key}:${removal.effect}`)} not found`,
        );
    }
    const kept = before.filter(
      (old) => !removals.some((removal) => isSame(old, removal)) && !additions.some((added) => isSame(old, added)),
    );
    const taints = [...additions, ...kept];
    const spec = { ...(at(object, 'spec') as Dict) };
    const { taints: _, ...bare } = spec;
    const after = { ...object, spec: taints.length === 0 ? bare : { ...bare, taints } };
    const operation =
      additions.length === 0
        ? 'untainted'
        : removals.length > 0 || additions.some((added) => before.some((old) => isSame(old, added)))
          ? 'modified'
          : 'tainted';
    if (dryRun === 'client') {
      print(after, operation);
      continue;
    }
    const query: Record<string, string> = { fieldManager: flags.text('field-manager'), fieldValidation: 'Strict' };
    if (dryRun === 'server') query.dryRun = 'All';
    const answer = session.requestObject('PATCH', pathOf(info.type, '', info.name), {
      accept: accepts.any,
      query,
      body: twoWayPatch('strategic', object, after, 'Node'),
      contentType: contentTypes.strategic,
    });
    print(answer, operation);
  }
}
