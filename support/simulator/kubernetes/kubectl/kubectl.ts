import type { Command, CommandContext, CommandResult } from '../../docker/types.ts';
import type { ApiServer } from '../types.ts';
import { klogStamp } from './age.ts';
import type { ResourceType } from './discovery.ts';
import { KubectlError, PlainError, renderError } from './errors.ts';
import { commandFlags } from './flag-table.ts';
import { findCommand, parseFlags } from './flags.ts';
import { Session } from './session.ts';
import { canonical, findVerb, isCommandStart, unknownCommand } from './verbs.ts';

/**
 * kubectl 1.32 as a program of the lab host. It reaches the cluster only through the API server's front door, with
 * the requests that the real one makes.
 * @param server undefined while there is no cluster: the connection is refused then
 */
export function createKubectl(server: () => ApiServer | undefined, options: { readonly context?: string } = {}): Command {
  const discoveryCache = new WeakMap<ApiServer, readonly ResourceType[]>();
  const kubeconfig = { contextName: options.context ?? 'kind-kind', namespace: 'default' };
  return async (argv, context) => {
    const { words, rest } = findCommand(argv, isCommandStart);
    const command = canonical(words.join(' '));
    let session: Session | undefined;
    try {
      const verb = findVerb(command);
      if (verb === undefined) throw unknownCommand(words, rest);
      const flags = parseFlags(command, rest);
      if (flags.is('help')) throw new PlainError(`error: not simulated: the help of kubectl ${command}`);
      const known = server();
      if (known === undefined && !verb.isOffline) return refused(context);
      session = new Session({
        server: known as ApiServer,
        context,
        flags,
        command,
        contextName: kubeconfig.contextName,
        contextNamespace: kubeconfig.namespace,
        discoveryCache,
      });
      const given = flags.text('context');
      if (given !== '' && given !== kubeconfig.contextName)
        throw new PlainError(`Error in configuration: context was not found for specified context: ${given}`);
      // Some commands have a flag of the same name for something else.
      const globalText = (flag: string): string => (` ${commandFlags[command] ?? ''}`.includes(` ${flag}=`) ? '' : flags.text(flag));
      const [cluster, user] = [globalText('cluster'), globalText('user')];
      if (cluster !== '' && cluster !== kubeconfig.contextName)
        throw new PlainError(`error: no server found for cluster ${JSON.stringify(cluster)}`);
      if (user !== '' && user !== kubeconfig.contextName) throw new PlainError(`error: auth info ${JSON.stringify(user)} does not exist`);
      await (await verb.load())(session, kubeconfig);
      return { stdout: session.stdout, stderr: session.stderr, exitCode: session.exitCode };
    } catch (error) {
      if (!(error instanceof KubectlError)) throw error;
      return { stdout: session?.stdout ?? '', stderr: (session?.stderr ?? '') + renderError(error), exitCode: error.exitCode };
    }
  };
}

/** What kubectl says where nothing listens: discovery is tried five times. */
function refused(context: CommandContext): CommandResult {
  const pid = String(context.container.pid).padStart(7);
  const line = `${klogStamp('E', context.clock.now())} ${pid} memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \\"http://localhost:8080/api?timeout=32s\\": dial tcp 127.0.0.1:8080: connect: connection refused"\n`;
  return {
    stdout: '',
    stderr: `${line.repeat(5)}The connection to the server localhost:8080 was refused - did you specify the right host or port?\n`,
    exitCode: 1,
  };
}
