import { ExitError, KubectlError, PlainError, UsageError } from './errors.ts';
import { notSimulated } from './printers.ts';
import { accepts, type Session } from './session.ts';
import { at, type Dict, listAt, nameOf, numberAt, textAt } from './values.ts';
import { deleteOne, waitForRemoval } from './verbs/delete.ts';
import { follow, readIfThere, timedOut } from './waiting.ts';

/** `kubectl run -i`, `--attach` and `--rm`: the pod's output here, and its exit code. */

export function isAttached(session: Session): boolean {
  const { flags } = session;
  // What is stated wins over what -i means.
  return flags.isSet('attach') ? flags.is('attach') : flags.is('stdin');
}

/** @throws UsageError, PlainError for flags that do not go together, and for what has no model */
export function checkAttaching(session: Session, argv: readonly string[]): void {
  const { flags } = session;
  const wrong = (message: string): UsageError => new UsageError(message, 'kubectl run');
  if (flags.is('tty') && !flags.is('stdin')) throw wrong('-i/--stdin is required for containers with -t/--tty=true');
  if (flags.is('expose') && flags.text('port') === '') throw wrong('--port must be set when exposing a service');
  if (!isAttached(session)) {
    if (flags.is('rm')) throw wrong('--rm should only be used for attached containers');
    return;
  }
  if (session.dryRun !== 'none')
    throw wrong("--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)");
  if (!flags.is('stdin')) return;
  const isBareShell = argv.length === 0 || (argv.length === 1 && /^(\/bin\/)?(sh|bash|ash)$/.test(argv[0] as string));
  if (isBareShell)
    throw notSimulated('an interactive shell by kubectl run: give its command (-- sh -c "…"), or use kubectl exec on a pod that runs');
  if (session.context.stdin !== '') throw notSimulated('input for a container of kubectl run (--stdin)');
}

/** Waits for the pod and prints what its container printed. */
export function attach(session: Session, pod: Dict): void {
  const { flags } = session;
  const pods = session.discovery.resource('pods');
  const [name, namespace] = [nameOf(pod), session.namespace];
  const timeout = flags.duration('pod-running-timeout');
  try {
    let last: Dict | undefined;
    const phaseOf = (object: Dict | undefined): string => textAt(object, 'status', 'phase');
    const isOver = (object: Dict | undefined): boolean => {
      last = object ?? last;
      return ['Succeeded', 'Failed'].includes(phaseOf(object)) || containerEnd(object) !== undefined;
    };
    const isReady = (object: Dict | undefined): boolean =>
      isOver(object) ||
      (phaseOf(object) === 'Running' &&
        listAt(object, 'status', 'conditions').some((one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True'));
    if (!follow(session, pods, namespace, name, isReady, timeout)) throw timedOut();
    if (!isOver(readIfThere(session, pods, namespace, name))) {
      if (flags.is('tty') && !session.context.isTerminal)
        session.err('Unable to use a TTY - input is not a terminal or the right kind of file');
      if (!flags.is('quiet')) session.err("If you don't see a command prompt, try pressing enter.");
      follow(session, pods, namespace, name, isOver, openEndMs);
    }
    session.stdout += String(
      session.request('GET', `/api/v1/namespaces/${namespace}/pods/${name}/log`, { query: { container: name }, accept: accepts.any }),
    );
    const policy = flags.text('restart');
    if (policy === 'Always' || flags.is('leave-stdin-open')) return;
    const isEnd = (object: Dict | undefined): boolean => {
      last = object ?? last;
      return phaseOf(object) === 'Succeeded' || (policy === 'Never' && phaseOf(object) === 'Failed');
    };
    if (!follow(session, pods, namespace, name, isEnd, timeout)) throw timedOut();
    if (phaseOf(last) === 'Failed') throw failure(namespace, last as Dict);
  } finally {
    if (flags.is('rm')) remove(session, name);
  }
}

/** How long output is followed where nobody can press ^C. */
const openEndMs = 60_000;

function containerEnd(pod: Dict | undefined): unknown {
  return at(listAt(pod, 'status', 'containerStatuses')[0], 'state', 'terminated');
}

function failure(namespace: string, pod: Dict): KubectlError {
  const end = containerEnd(pod);
  const code = numberAt(end, 'exitCode');
  if (code === 0) return new KubectlError(`pod ${namespace}/${nameOf(pod)} failed with unknown exit code`);
  return new PlainError(`pod ${namespace}/${nameOf(pod)} terminated (${textAt(end, 'reason')})\n${textAt(end, 'message')}`, code);
}

function remove(session: Session, name: string): void {
  const info = { type: session.discovery.resource('pods'), name, namespace: session.namespace, source: '', object: undefined };
  try {
    deleteOne(session, info, session.flags.number('grace-period'), 'none');
    if (!session.flags.is('quiet')) session.out(`pod ${JSON.stringify(name)} deleted`);
    waitForRemoval(session, [{ info, uid: '' }], session.flags.duration('timeout'));
  } catch (error) {
    if (!(error instanceof KubectlError) || error instanceof ExitError) throw error;
    session.err(`error: ${error.message}`);
  }
}
