import { PlainError, UsageError } from './errors.ts';
import type { Session } from './session.ts';

/** What `kubectl config` changes: there is one cluster and one context. */
export interface Kubeconfig {
  readonly contextName: string;
  namespace: string;
}

export type Verb = (session: Session, kubeconfig: Kubeconfig) => void | Promise<void>;

interface VerbEntry {
  readonly load: () => Promise<Verb>;
  /** Works without a cluster. */
  readonly isOffline: boolean;
}

const online = (load: () => Promise<Verb>): VerbEntry => ({ load, isOffline: false });
const offline = (load: () => Promise<Verb>): VerbEntry => ({ load, isOffline: true });
const refusal = (): VerbEntry => online(async () => (await import('./verbs/refused.ts')).refuse);

/** Verbs are loaded when they are first used: a lab run needs few of them. */
const verbs: Readonly<Record<string, VerbEntry>> = {
  get: online(async () => (await import('./verbs/get.ts')).get),
  attach: refusal(),
};

export function findVerb(command: string): VerbEntry | undefined {
  return Object.hasOwn(verbs, command) ? verbs[command] : undefined;
}

const groups = new Set(['rollout', 'config', 'set', 'auth', 'top', 'cluster-info', 'certificate', 'plugin']);

export function groupHelp(command: string): string {
  return command === '' ? '' : `Usage:\n  kubectl ${command} [options]\n`;
}

export function unknownCommand(words: readonly string[], rest: readonly string[]): Error {
  const word = rest.find((arg) => !arg.startsWith('-'));
  if (words.length > 0 && word !== undefined) return new UsageError(`unknown command ${JSON.stringify(word)}`, `kubectl ${words.join(' ')}`);
  if (word === undefined) return new PlainError('kubectl controls the Kubernetes cluster manager.');
  return new PlainError(`error: unknown command ${JSON.stringify(word)} for "kubectl"`);
}
export { groups };
