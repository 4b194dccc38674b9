import { ExitError, KubectlError, StatusError, UsageError } from '../errors.ts';
import { containerNames, defaultContainer, findPods, podSelector, readTarget } from '../owned-pods.ts';
import { notSimulated } from '../printers.ts';
import type { Session } from '../session.ts';
import { at, type Dict, isDict, nameOf, textAt } from '../values.ts';

export async function exec(session: Session): Promise<void> {
  const { flags } = session;
  const { args, argsBeforeDash } = flags;
  if (flags.list('filename').length > 0) throw notSimulated('kubectl exec --filename');
  if (args.length === 0 || argsBeforeDash === 0) throw new KubectlError('pod, type/name or --filename must be specified');
  if (argsBeforeDash === -1 && args.length > 1)
    throw new UsageError('exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead', 'kubectl exec');
  if (argsBeforeDash > 1)
    throw new UsageError('exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead', 'kubectl exec');
  const [target, ...argv] = args as [string, ...string[]];
  if (argv.length === 0) throw new KubectlError('you must specify at least one command for the container');
  const info = readTarget(session, target);
  const pod =
    info.type.kind === 'Pod' && info.type.group === ''
      ? (info.object as Dict)
      : (findPods(
          session,
          info.namespace,
          podSelector(info, 'cannot attach to'),
          'most active first',
          flags.duration('pod-running-timeout'),
        )[0] as Dict);
  const phase = textAt(pod, 'status', 'phase');
  if (phase === 'Succeeded' || phase === 'Failed')
    throw new KubectlError(`cannot exec into a container in a completed pod; current phase is ${phase}`);
  const container = flags.text('container') || defaultContainer(session, pod, flags.is('quiet'));
  const name = nameOf(pod);
  const hasStdin = flags.is('stdin');
  let isTerminal = flags.is('tty') && hasStdin;
  if (isTerminal && !session.context.isTerminal) {
    session.err('Unable to use a TTY - input is not a terminal or the right kind of file');
    isTerminal = false;
  }
  if (!containerNames(pod).includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  if (textAt(pod, 'spec', 'nodeName') === '') throw badRequest(`pod ${name} does not have a host assigned`);
  const run = session.server.execInPod;
  if (run === undefined) throw notSimulated('kubectl exec in this cluster');
  const result = await run({
    namespace: textAt(pod, 'metadata', 'namespace'),
    pod: name,
    container,
    argv,
    ...(hasStdin ? { stdin: session.context.stdin } : {}),
    isTerminal,
  }).catch((error: unknown) => {
    throw asKubectlError(error);
  });
  session.stdout += result.stdout;
  session.stderr += result.stderr;
  if (result.exitCode !== 0) {
    session.err(`command terminated with exit code ${result.exitCode}`);
    throw new ExitError(result.exitCode);
  }
}

function badRequest(message: string): StatusError {
  return new StatusError({ kind: 'Status', status: 'Failure', code: 400, reason: 'BadRequest', message });
}

/** What the API server refuses is its Status; what goes wrong in the stream after that is only a message. */
function asKubectlError(error: unknown): unknown {
  const status = at(error, 'status');
  if (!isDict(status) || status.kind !== 'Status') return error;
  const message = textAt(status, 'message');
  if (/^(Internal error occurred: error executing command|unable to upgrade connection)/.test(message)) return new KubectlError(message);
  return new StatusError(message.startsWith('error dialing backend') ? { ...status, reason: '' } : status);
}
