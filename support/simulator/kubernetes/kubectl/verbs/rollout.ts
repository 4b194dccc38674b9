import { rfc3339 } from '../age.ts';
import { selectorText, writePodTemplate } from '../describe/parts.ts';
import { DescribeWriter, tabulate } from '../describe/writer.ts';
import { qualifiedPlural } from '../discovery.ts';
import { KubectlError, throwAll } from '../errors.ts';
import { contentTypes } from '../patches.ts';
import { objectPrinter, resultPrinter } from '../printers.ts';
import { collect, type Info, itemsOf } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { at, byText, type Dict, dictAt, isDict, isEqual, listAt, nameOf, numberAt, stringsAt, textAt } from '../values.ts';
import { follow, timedOut, weekMs } from '../waiting.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';

/** Does something with each object that the command line names; what fails or is missing does not stop the others. */
function forEachTarget(session: Session, action: (info: Info) => void, whenNone?: () => void): void {
  const { flags } = session;
  if (flags.args.length === 0 && flags.list('filename').length === 0) throw new KubectlError('required resource not specified');
  const revision = session.flags.has('revision') ? flags.number('revision') : 0;
  if (revision < 0) throw new KubectlError(`revision must be a positive integer: ${revision}`);
  const { infos, errors } = collect(session, {
    args: flags.args,
    selector: flags.text('selector'),
    isAllAllowed: true,
    reads: 'named and files',
    accept: accepts.any,
  });
  if (infos.length === 0 && errors.length === 0) whenNone?.();
  const failures = [...errors];
  for (const info of infos) {
    try {
      action(info);
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      failures.push(error);
    }
  }
  throwAll(failures);
}

// ── status ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Progress {
  readonly text: string;
  readonly isDone: boolean;
}

export function status(session: Session): void {
  const { flags } = session;
  const timeout = flags.duration('timeout');
  const follows = (info: Info): void => {
    const view = viewers[info.type.group === 'apps' ? info.type.kind : ''];
    if (view === undefined)
      throw new KubectlError(
        `no status viewer has been implemented for ${info.type.kind}${info.type.group === '' ? '' : `.${info.type.group}`}`,
      );
    const isDone = (object: Dict | undefined): boolean => {
      if (object === undefined) throw new KubectlError('object has been deleted');
      const progress = view(object, flags.number('revision'));
      session.stdout += progress.text;
      return progress.isDone || !flags.is('watch');
    };
    if (!follow(session, info.type, info.namespace, info.name, isDone, timeout === 0 ? weekMs : timeout)) throw timedOut();
  };
  forEachTarget(session, follows, () => session.err(`No resources found in ${session.namespace} namespace.`));
}

const viewers: Readonly<Record<string, (object: Dict, revision: number) => Progress>> = {
  Deployment: deploymentProgress,
  DaemonSet: daemonSetProgress,
  StatefulSet: statefulSetProgress,
};

function isObserved(object: Dict): boolean {
  return numberAt(object, 'metadata', 'generation') <= numberAt(object, 'status', 'observedGeneration');
}

function deploymentProgress(deployment: Dict, revision: number): Progress {
  const name = nameOf(deployment);
  const status = (field: string): number => numberAt(deployment, 'status', field);
  if (revision > 0) {
    const current = Number(stringsAt(deployment, 'metadata', 'annotations')[revisionAnnotation] ?? 0);
    if (current !== revision) throw new KubectlError(`desired revision (${revision}) is different from the running revision (${current})`);
  }
  if (!isObserved(deployment)) return { text: 'Waiting for deployment spec update to be observed...\n', isDone: false };
  const progressing = listAt(deployment, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Progressing');
  if (textAt(progressing, 'reason') === 'ProgressDeadlineExceeded')
    throw new KubectlError(`deployment ${JSON.stringify(name)} exceeded its progress deadline`);
  const waiting = (what: string): Progress => ({
    text: `Waiting for deployment ${JSON.stringify(name)} rollout to finish: ${what}...\n`,
    isDone: false,
  });
  const desired = at(deployment, 'spec', 'replicas');
  if (typeof desired === 'number' && status('updatedReplicas') < desired)
    return waiting(`${status('updatedReplicas')} out of ${desired} new replicas have been updated`);
  if (status('replicas') > status('updatedReplicas'))
    return waiting(`${status('replicas') - status('updatedReplicas')} old replicas are pending termination`);
  if (status('availableReplicas') < status('updatedReplicas'))
    return waiting(`${status('availableReplicas')} of ${status('updatedReplicas')} updated replicas are available`);
  return { text: `deployment ${JSON.stringify(name)} successfully rolled out\n`, isDone: true };
}

function daemonSetProgress(set: Dict): Progress {
  const name = nameOf(set);
  const status = (field: string): number => numberAt(set, 'status', field);
  if (textAt(set, 'spec', 'updateStrategy', 'type') !== 'RollingUpdate')
    throw new KubectlError('rollout status is only available for RollingUpdate strategy type');
  if (!isObserved(set)) return { text: 'Waiting for daemon set spec update to be observed...\n', isDone: false };
  const waiting = (what: string): Progress => ({
    text: `Waiting for daemon set ${JSON.stringify(name)} rollout to finish: ${what}...\n`,
    isDone: false,
  });
  const desired = status('desiredNumberScheduled');
  if (status('updatedNumberScheduled') < desired)
    return waiting(`${status('updatedNumberScheduled')} out of ${desired} new pods have been updated`);
  if (status('numberAvailable') < desired) return waiting(`${status('numberAvailable')} of ${desired} updated pods are available`);
  return { text: `daemon set ${JSON.stringify(name)} successfully rolled out\n`, isDone: true };
}

function statefulSetProgress(set: Dict): Progress {
  const status = (field: string): number => numberAt(set, 'status', field);
  if (textAt(set, 'spec', 'updateStrategy', 'type') !== 'RollingUpdate')
    throw new KubectlError('rollout status is only available for RollingUpdate strategy type');
  if (numberAt(set, 'status', 'observedGeneration') === 0 || !isObserved(set))
    return { text: 'Waiting for statefulset spec update to be observed...\n', isDone: false };
  const desired = numberAt(set, 'spec', 'replicas');
  if (status('readyReplicas') < desired)
    return { text: `Waiting for ${desired - status('readyReplicas')} pods to be ready...\n`, isDone: false };
  const partition = at(set, 'spec', 'updateStrategy', 'rollingUpdate', 'partition');
  // The API server always fills in the partition of a rolling update: this is what kubectl says of any finished one.
  if (typeof partition === 'number') {
    if (status('updatedReplicas') < desired - partition) {
      return {
        text: `Waiting for partitioned roll out to finish: ${status('updatedReplicas')} out of ${desired - partition} new pods have been updated...\n`,
        isDone: false,
      };
    }
    return { text: `partitioned roll out complete: ${status('updatedReplicas')} new pods have been updated...\n`, isDone: true };
  }
  const revision = textAt(set, 'status', 'updateRevision');
  if (revision !== textAt(set, 'status', 'currentRevision')) {
    return {
      text: `waiting for statefulset rolling update to complete ${status('updatedReplicas')} pods at revision ${revision}...\n`,
      isDone: false,
    };
  }
  return {
    text: `statefulset rolling update complete ${status('currentReplicas')} pods at revision ${textAt(set, 'status', 'currentRevision')}...\n`,
    isDone: true,
  };
}

// ── changes of the spec ─────────────────────────────────────────────────────────────────────────────────────

async function patchEach(session: Session, message: string, patchOf: (info: Info, object: Dict) => unknown): Promise<void> {
  const print = await resultPrinter(session, 'none');
  const change = (info: Info): void => {
    const body = patchOf(info, info.object as Dict);
    let after: Dict;
    try {
      after = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
        accept: accepts.any,
        query: { fieldManager: session.flags.text('field-manager') },
        body,
        contentType: contentTypes.strategic,
      });
    } catch (error) {
      throw error instanceof KubectlError ? new KubectlError(`failed to patch: ${error.message}`) : error;
    }
    print(after, message);
  };
  forEachTarget(session, change, () => session.err(`No resources found in ${session.namespace} namespace.`));
}

function refusal(info: Info, what: string): KubectlError {
  return new KubectlError(`error: ${qualifiedPlural(info.type)} ${JSON.stringify(info.name)} ${what}`);
}

export function restart(session: Session): Promise<void> {
  return patchEach(session, 'restarted', (info, object) => {
    if (info.type.group !== 'apps' || !['Deployment', 'DaemonSet', 'StatefulSet'].includes(info.type.kind)) {
      throw refusal(info, 'restarting is not supported');
    }
    if (at(object, 'spec', 'paused') === true) throw refusal(info, "can't restart paused deployment (run rollout resume first)");
    const annotation = 'kubectl.kubernetes.io/restartedAt';
    const stamp = rfc3339(session.now);
    if (stringsAt(object, 'spec', 'template', 'metadata', 'annotations')[annotation] === stamp) {
      throw new KubectlError(
        `failed to create patch for ${info.name}: if restart has already been triggered within the past second, please wait before attempting to trigger another`,
      );
    }
    return { spec: { template: { metadata: { annotations: { [annotation]: stamp } } } } };
  });
}

export function pause(session: Session): Promise<void> {
  return patchEach(session, 'paused', (info, object) => {
    if (info.type.kind !== 'Deployment') throw refusal(info, 'pausing is not supported');
    if (at(object, 'spec', 'paused') === true) throw refusal(info, 'is already paused');
    return { spec: { paused: true } };
  });
}

export function resume(session: Session): Promise<void> {
  return patchEach(session, 'resumed', (info, object) => {
    if (info.type.kind !== 'Deployment') throw refusal(info, 'resuming is not supported');
    if (at(object, 'spec', 'paused') !== true) throw refusal(info, 'is not paused');
    return { spec: { paused: null } };
  });
}

// ── history ─────────────────────────────────────────────────────────────────────────────────────────────────

/** What a workload looked like at a revision: a deployment's replica set, or the others' ControllerRevision. */
function revisionsOf(session: Session, info: Info): ReadonlyMap<number, Dict> {
  if (info.type.group !== 'apps' || !['Deployment', 'DaemonSet', 'StatefulSet'].includes(info.type.kind)) {
    const { group, kind } = info.type;
    if (session.command === 'rollout history')
      throw new KubectlError(`error retrieving history for ${JSON.stringify(kind)}, no visitor method exists for {${group} ${kind}}`);
    throw new KubectlError(
      `no rollbacker has been implemented for ${JSON.stringify(info.type.kind + (info.type.group === '' ? '' : `.${info.type.group}`))}`,
    );
  }
  if (info.type.kind !== 'Deployment') return controllerRevisionsOf(session, info);
  const deployment = session.requestObject('GET', pathOf(info.type, info.namespace, info.name), { accept: accepts.typed });
  const replicaSets = session.discovery.resource('replicasets.apps');
  const page = session.requestObject('GET', pathOf(replicaSets, info.namespace), {
    accept: accepts.typed,
    query: { labelSelector: selectorText(at(deployment, 'spec', 'selector')) },
  });
  const revisions = new Map<number, Dict>();
  for (const set of itemsOf(page)) {
    const isOwned = listAt(set, 'metadata', 'ownerReferences').some(
      (owner) => textAt(owner, 'uid') === textAt(deployment, 'metadata', 'uid'),
    );
    const revision = Number(stringsAt(set, 'metadata', 'annotations')[revisionAnnotation] ?? 0);
    if (isOwned && revision > 0) revisions.set(revision, set);
  }
  return revisions;
}

function controllerRevisionsOf(session: Session, info: Info): ReadonlyMap<number, Dict> {
  const owner = session.requestObject('GET', pathOf(info.type, info.namespace, info.name), { accept: accepts.typed });
  const page = session.requestObject('GET', pathOf(session.discovery.resource('controllerrevisions.apps'), info.namespace), {
    accept: accepts.typed,
    query: { labelSelector: selectorText(at(owner, 'spec', 'selector')) },
  });
  const revisions = new Map<number, Dict>();
  for (const revision of itemsOf(page)) {
    const isOwned = listAt(revision, 'metadata', 'ownerReferences').some(
      (reference) => textAt(reference, 'uid') === textAt(owner, 'metadata', 'uid'),
    );
    // The template stands where a replica set has it.
    if (isOwned) revisions.set(numberAt(revision, 'revision'), { ...revision, spec: at(revision, 'data', 'spec') });
  }
  return revisions;
}

const changeCause = 'kubernetes.io/change-cause';

export async function history(session: Session): Promise<void> {
  const { flags } = session;
  const wanted = flags.number('revision');
  const printObject = flags.text('output') === '' ? undefined : await objectPrinter(session, flags.text('output'), [], { isTyped: true });
  forEachTarget(session, (info) => {
    const revisions = revisionsOf(session, info);
    if (printObject !== undefined) {
      const shown = wanted > 0 ? [wanted] : [...revisions.keys()].sort((a, b) => a - b);
      for (const revision of shown) {
        const object = revisions.get(revision);
        if (object !== undefined) session.stdout += printObject(withKind(info, object));
      }
      return;
    }
    const title = `${info.type.kind.toLowerCase()}.apps/${info.name}`;
    if (wanted > 0) {
      const set = revisions.get(wanted);
      if (set === undefined) throw new KubectlError(`unable to find the specified revision`);
      const writer = new DescribeWriter();
      const template = at(set, 'spec', 'template') as Dict;
      const cause = stringsAt(set, 'metadata', 'annotations')[changeCause];
      const annotations = { ...stringsAt(template, 'metadata', 'annotations'), ...(cause === undefined ? {} : { [changeCause]: cause }) };
      writePodTemplate(writer, { ...template, metadata: { ...(at(template, 'metadata') as Dict), annotations } });
      session.out(`${title} with revision #${wanted}\n${writer.raw}`);
      return;
    }
    if (revisions.size === 0) {
      session.out(`${title} \nNo rollout history found.`);
      return;
    }
    const lines = [...revisions.keys()]
      .sort((a, b) => a - b)
      .map((revision) => `${revision}\t${stringsAt(revisions.get(revision), 'metadata', 'annotations')[changeCause] ?? '<none>'}\n`);
    session.out(`${title} \n${tabulate(`REVISION\tCHANGE-CAUSE\n${lines.join('')}`, 2)}`);
  });
}

/** What `-o` prints of a revision: the replica set, or the workload as it was then. */
function withKind(info: Info, object: Dict): Dict {
  if (info.type.kind === 'Deployment') return { apiVersion: 'apps/v1', kind: 'ReplicaSet', ...object };
  const before = info.object as Dict;
  return { ...before, spec: { ...dictAt(before, 'spec'), template: withoutPatchMark(at(object, 'spec', 'template')) } };
}

function withoutPatchMark(template: unknown): Dict {
  const { $patch: _, ...rest } = (isDict(template) ? template : {}) as Dict;
  return rest;
}

export async function undo(session: Session): Promise<void> {
  const dryRun = session.dryRun;
  const print = await resultPrinter(session, dryRun);
  forEachTarget(session, (info) => {
    const revisions = revisionsOf(session, info);
    const numbers = [...revisions.keys()].sort((a, b) => b - a);
    const wanted = session.flags.number('to-revision');
    const revision = wanted === 0 ? numbers[1] : wanted;
    const set = revision === undefined ? undefined : revisions.get(revision);
    if (set === undefined)
      throw new KubectlError(
        wanted === 0
          ? info.type.kind === 'Deployment'
            ? `no rollout history found for deployment ${JSON.stringify(info.name)}`
            : 'no last revision to roll back to'
          : `unable to find specified revision ${wanted} in history`,
      );
    const template = structuredClone(at(set, 'spec', 'template')) as { $patch?: string; metadata?: { labels?: Record<string, string> } };
    delete template.$patch;
    delete template.metadata?.labels?.['pod-template-hash'];
    if (dryRun === 'client') {
      // The real one prints the template that it would go back to.
      const writer = new DescribeWriter();
      writePodTemplate(writer, at(set, 'spec', 'template'));
      print(info.object as Dict, writer.raw);
      return;
    }
    if (at(info.object, 'spec', 'paused') === true)
      throw new KubectlError(`you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again`);
    if (isEqual(template, withoutHash(at(info.object, 'spec', 'template')))) {
      print(info.object as Dict, `skipped rollback (current template already matches revision ${wanted})`);
      return;
    }
    if (info.type.kind !== 'Deployment') {
      const after = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
        accept: accepts.typed,
        body: at(set, 'data'),
        query: dryRun === 'server' ? { dryRun: 'All' } : {},
        contentType: contentTypes.strategic,
      });
      print({ kind: info.type.kind, apiVersion: 'apps/v1', ...after }, 'rolled back');
      return;
    }
    const kept = new Set([
      'kubectl.kubernetes.io/last-applied-configuration',
      revisionAnnotation,
      'deployment.kubernetes.io/revision-history',
      'deployment.kubernetes.io/desired-replicas',
      'deployment.kubernetes.io/max-replicas',
      'deprecated.deployment.rollback.to',
    ]);
    const annotations: Record<string, string> = {};
    const current = stringsAt(info.object, 'metadata', 'annotations');
    for (const key of Object.keys(current).sort(byText)) if (kept.has(key)) annotations[key] = current[key] as string;
    for (const [key, value] of Object.entries(stringsAt(set, 'metadata', 'annotations'))) if (!kept.has(key)) annotations[key] = value;
    const after = session.requestObject('PATCH', pathOf(info.type, info.namespace, info.name), {
      accept: accepts.typed,
      body: [
        { op: 'replace', path: '/spec/template', value: template },
        { op: 'replace', path: '/metadata/annotations', value: annotations },
      ],
      query: dryRun === 'server' ? { dryRun: 'All' } : {},
      contentType: contentTypes.json,
    });
    print({ kind: info.type.kind, apiVersion: 'apps/v1', ...after }, 'rolled back');
  });
}

function withoutHash(template: unknown): unknown {
  const copy = structuredClone(template) as { metadata?: { labels?: Record<string, string> } };
  delete copy.metadata?.labels?.['pod-template-hash'];
  return copy;
}
