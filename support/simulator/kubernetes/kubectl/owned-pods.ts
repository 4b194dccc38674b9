import { millisecondsOf } from './age.ts';
import { isBuiltIn, notRegistered } from './builtin.ts';
import { selectorText } from './describe/parts.ts';
import { KubectlError } from './errors.ts';
import { type Info, itemsOf, readInfo } from './resources.ts';
import { accepts, pathOf, type Session } from './session.ts';
import { at, type Dict, isDict, listAt, nameOf, numberAt, sortedKeys, stringsAt, textAt } from './values.ts';
import { timedOut } from './waiting.ts';

/** Pods behind a pod, deployment, service…: for exec, logs and attach (kubectl's polymorphichelpers). */

/** `POD` or `TYPE/NAME`, read from the server. */
export function readTarget(session: Session, argument: string): Info {
  const slash = argument.indexOf('/');
  const type = session.discovery.resource(slash === -1 ? 'pods' : argument.slice(0, slash));
  const name = argument.slice(slash + 1);
  return readInfo(
    session,
    { type, name, namespace: type.isNamespaced ? session.namespace : '', source: '', object: undefined },
    { accept: accepts.any },
  );
}

/** @param verb what the command cannot do where there are no pods: `cannot get the logs from` */
export function podSelector(info: Info, verb: string): string {
  if (!isBuiltIn(info.type)) throw notRegistered(info.type);
  try {
    return selectorOf(info);
  } catch (error) {
    if (!(error instanceof KubectlError)) throw error;
    throw new KubectlError(`${verb} *${info.type.version}.${info.type.kind}: ${error.message}`);
  }
}

function selectorOf(info: Info): string {
  const object = info.object as Dict;
  if (info.type.kind === 'Service') {
    const labels = stringsAt(object, 'spec', 'selector');
    if (Object.keys(labels).length === 0) throw new KubectlError(`invalid service '${info.name}': Service is defined without a selector`);
    return sortedKeys(labels)
      .map((key) => `${key}=${labels[key]}`)
      .join(',');
  }
  const selector = at(object, 'spec', 'selector');
  if (!isDict(selector)) throw new KubectlError(`selector for *${info.type.version}.${info.type.kind} not implemented`);
  if (info.type.kind === 'ReplicationController')
    return sortedKeys(stringsAt(object, 'spec', 'selector'))
      .map((key) => `${key}=${String(selector[key])}`)
      .join(',');
  return selectorText(selector);
}

export type PodOrder = 'most active first' | 'for logging';

/** The pods of a selector in kubectl's order; waits for the first one to appear. */
export function findPods(session: Session, namespace: string, labelSelector: string, order: PodOrder, timeoutMs: number): readonly Dict[] {
  const pods = session.discovery.resource('pods');
  const page = session.requestObject('GET', pathOf(pods, namespace), {
    accept: accepts.typed,
    query: { labelSelector },
    about: 'get pods',
  });
  const found = itemsOf(page);
  if (found.length > 0) return sortPods(found, order);
  let first: Dict | undefined;
  const watch = session.watch(
    pathOf(pods, namespace),
    { accept: accepts.typed, query: { labelSelector, resourceVersion: textAt(page, 'metadata', 'resourceVersion') } },
    (event) => {
      if (event.type === 'ADDED' || event.type === 'MODIFIED') first ??= event.object;
    },
  );
  session.clock.runUntil(() => first !== undefined, timeoutMs);
  watch.close();
  if (first === undefined) throw timedOut();
  return [first];
}

/** Assigned, running, ready for longest, seldom restarted, old pods first (controller's ActivePods, reversed). */
function sortPods(pods: readonly Dict[], order: PodOrder): readonly Dict[] {
  const phases = ['Running', 'Unknown', 'Pending'];
  const phase = (pod: Dict): number =>
    phases.indexOf(textAt(pod, 'status', 'phase')) + (phases.includes(textAt(pod, 'status', 'phase')) ? 0 : phases.length + 1);
  const readySince = (pod: Dict): number => {
    const condition = listAt(pod, 'status', 'conditions').find(
      (candidate) => textAt(candidate, 'type') === 'Ready' && textAt(candidate, 'status') === 'True',
    );
    return condition === undefined ? Number.POSITIVE_INFINITY : (millisecondsOf(textAt(condition, 'lastTransitionTime')) ?? 0);
  };
  const restarts = (pod: Dict): number =>
    Math.max(0, ...listAt(pod, 'status', 'containerStatuses').map((status) => numberAt(status, 'restartCount')));
  const created = (pod: Dict): number => millisecondsOf(textAt(pod, 'metadata', 'creationTimestamp')) ?? 0;
  const isUnassigned = (pod: Dict): number => (textAt(pod, 'spec', 'nodeName') === '' ? 1 : 0);
  const difference = (a: number, b: number): number => (a === b ? 0 : a - b);
  return [...pods].sort(
    (a, b) =>
      isUnassigned(a) - isUnassigned(b) ||
      phase(a) - phase(b) ||
      difference(readySince(a), readySince(b)) ||
      (order === 'for logging' ? restarts(b) - restarts(a) : restarts(a) - restarts(b)) ||
      created(a) - created(b) ||
      (nameOf(a) < nameOf(b) ? -1 : 1),
  );
}

/** The container that a command without `-c` means, with the notice that kubectl gives. */
export function defaultContainer(session: Session, pod: Dict, isQuiet: boolean): string {
  const containers = listAt(pod, 'spec', 'containers').map((container) => textAt(container, 'name'));
  const annotated = stringsAt(pod, 'metadata', 'annotations')['kubectl.kubernetes.io/default-container'];
  if (annotated !== undefined && annotated !== '') {
    if (containerNames(pod).includes(annotated)) return annotated;
    session.err(`Default container name ${JSON.stringify(annotated)} not found in a pod`);
  }
  const first = containers[0] ?? '';
  const ephemeral = listAt(pod, 'spec', 'ephemeralContainers').map((container) => `${textAt(container, 'name')} (ephem)`);
  const init = listAt(pod, 'spec', 'initContainers').map((container) => `${textAt(container, 'name')} (init)`);
  const all = [...containers, ...ephemeral, ...init];
  if (!isQuiet && all.length > 1) session.err(`Defaulted container ${JSON.stringify(first)} out of: ${all.join(', ')}`);
  return first;
}

export function containerNames(pod: Dict): readonly string[] {
  return ['containers', 'initContainers', 'ephemeralContainers'].flatMap((field) =>
    listAt(pod, 'spec', field).map((container) => textAt(container, 'name')),
  );
}
