import { isNotFound, KubectlError, StatusError, UsageError } from '../errors.ts';
import { containerNames, defaultContainer, findPods, podSelector, readTarget } from '../owned-pods.ts';
import { itemsOf } from '../resources.ts';
import { accepts, pathOf, type Session } from '../session.ts';
import { type Dict, listAt, nameOf, textAt } from '../values.ts';
import { runOpenEnded } from './watch.ts';

interface Source {
  readonly pod: Dict;
  readonly container: string;
}

export function logs(session: Session): void {
  const { flags } = session;
  const selector = flags.text('selector');
  const { args } = flags;
  if (args.length === 0 && selector === '')
    throw new UsageError(
      "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command",
      'kubectl logs',
    );
  if (args.length > 2)
    throw new UsageError(
      "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command",
      'kubectl logs',
    );
  if (args.length > 0 && selector !== '') throw new UsageError('only a selector (-l) or a POD name is allowed', 'kubectl logs');
  const container = flags.text('container') || (args[1] ?? '');
  if (args.length === 2 && flags.text('container') !== '') throw new KubectlError('only one of -c or an inline [CONTAINER] arg is allowed');
  if (flags.is('all-containers') && container !== '')
    throw new KubectlError(`--all-containers=true should not be specified with container name ${container}`);
  const sinceTime = flags.text('since-time');
  if (sinceTime !== '' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(sinceTime)) {
    const digits = /^\d{4}/.test(sinceTime) ? sinceTime.slice(4) : undefined;
    throw new KubectlError(
      digits === undefined
        ? `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(sinceTime)} as "2006"`
        : `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(digits)} as "-"`,
    );
  }
  if (flags.isSet('limit-bytes') && flags.number('limit-bytes') < 1) throw new KubectlError('--limit-bytes must be greater than 0');
  if (flags.isSet('since') && flags.text('since-time') !== '')
    throw new KubectlError('at most one of `sinceTime` or `sinceSeconds` may be specified');
  const sources = selector === '' ? ofTarget(session, args[0] as string, container) : ofSelector(session, selector, container);
  if (flags.is('follow') && sources.length > flags.number('max-log-requests')) {
    throw new KubectlError(
      `you are attempting to follow ${sources.length} log streams, but maximum allowed concurrency is ${flags.number('max-log-requests')}, use --max-log-requests to increase the limit`,
    );
  }
  for (const source of sources) print(session, source);
}

function ofTarget(session: Session, target: string, container: string): Source[] {
  let pods: readonly Dict[];
  try {
    const info = readTarget(session, target);
    if (info.type.kind === 'Pod') pods = [info.object as Dict];
    else {
      const found = findPods(
        session,
        info.namespace,
        podSelector(info, 'cannot get the logs from'),
        'for logging',
        session.flags.duration('pod-running-timeout'),
      );
      if (session.flags.is('all-pods')) pods = found;
      else {
        pods = found.slice(0, 1);
        if (found.length > 1) session.err(`Found ${found.length} pods, using pod/${nameOf(found[0])}`);
      }
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new KubectlError(`error from server (NotFound): ${error.message} in namespace ${JSON.stringify(session.namespace)}`);
  }
  return pods.flatMap((pod) => containersOf(session, pod, container));
}

function ofSelector(session: Session, labelSelector: string, container: string): Source[] {
  const pods = session.discovery.resource('pods');
  const page = session.requestObject('GET', pathOf(pods, session.namespace), {
    accept: accepts.any,
    query: { labelSelector },
    about: 'get pods',
  });
  const found = itemsOf(page);
  if (found.length === 0) session.err(`No resources found in ${session.namespace} namespace.`);
  return found.flatMap((pod) => containersOf(session, pod, container));
}

function containersOf(session: Session, pod: Dict, container: string): Source[] {
  if (session.flags.is('all-containers')) {
    const names = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((field) =>
      listAt(pod, 'spec', field).map((entry) => textAt(entry, 'name')),
    );
    return names.map((name) => ({ pod, container: name }));
  }
  if (container !== '' && !containerNames(pod).includes(container))
    throw new KubectlError(`container ${container} is not valid for pod ${nameOf(pod)}`);
  return [{ pod, container: container === '' ? defaultContainer(session, pod, false) : container }];
}

function print(session: Session, { pod, container }: Source): void {
  const { flags } = session;
  const query: Record<string, string> = { container };
  if (flags.is('follow')) query.follow = 'true';
  if (flags.is('previous')) query.previous = 'true';
  if (flags.duration('since') > 0) query.sinceSeconds = String(Math.ceil(flags.duration('since') / 1000));
  if (flags.text('since-time') !== '') query.sinceTime = flags.text('since-time');
  if (flags.is('timestamps')) query.timestamps = 'true';
  if (flags.number('limit-bytes') > 0) query.limitBytes = flags.text('limit-bytes');
  if (flags.isSet('tail')) {
    if (flags.number('tail') >= 0) query.tailLines = flags.text('tail');
    else if (flags.number('tail') < -1) throw new KubectlError('--tail must be greater than or equal to -1');
  } else if (flags.text('selector') !== '') query.tailLines = '10';
  const path = `/api/v1/namespaces/${textAt(pod, 'metadata', 'namespace')}/pods/${nameOf(pod)}/log`;
  const read = (wanted: Readonly<Record<string, string>>): string =>
    String(session.request('GET', path, { query: wanted, accept: accepts.any, about: `get pods ${nameOf(pod)}` }));
  const show = (text: string): void => {
    if (!flags.is('prefix')) session.stdout += text;
    else for (const line of text.split(/(?<=\n)/)) session.stdout += `[pod/${nameOf(pod)}/${container}] ${line}`;
  };
  show(read(query));
  if (!flags.is('follow')) return;
  follow(session, read, query, show);
}

/** New lines are those after what was there, looked for each second of virtual time. */
function follow(
  session: Session,
  read: (query: Readonly<Record<string, string>>) => string,
  query: Readonly<Record<string, string>>,
  show: (text: string) => void,
): void {
  const { tailLines: _, limitBytes: __, ...whole } = query;
  let seen = read(whole).length;
  let isOver = false;
  const look = (): void => {
    try {
      const text = read(whole);
      if (text.length > seen) show(text.slice(seen));
      seen = Math.max(seen, text.length);
    } catch (error) {
      // The pod is gone: the stream ends.
      if (!(error instanceof StatusError)) throw error;
      isOver = true;
      return;
    }
    if (!isOver) session.clock.schedule(1000, look);
  };
  session.clock.schedule(1000, look);
  runOpenEnded(session, () => isOver);
  isOver = true;
}
