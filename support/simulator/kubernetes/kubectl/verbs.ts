import { PlainError, UsageError } from './errors.ts';
import { commandFlags } from './flag-table.ts';
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
  describe: online(async () => (await import('./verbs/describe.ts')).describe),
  apply: online(async () => (await import('./verbs/apply.ts')).apply),
  'apply view-last-applied': online(async () => (await import('./verbs/apply.ts')).viewLastApplied),
  'apply set-last-applied': refusal(),
  'apply edit-last-applied': refusal(),
  label: online(async () => (await import('./verbs/label.ts')).label),
  annotate: online(async () => (await import('./verbs/label.ts')).annotate),
  patch: online(async () => (await import('./verbs/patch.ts')).patch),
  delete: online(async () => (await import('./verbs/delete.ts')).remove),
  wait: online(async () => (await import('./verbs/wait.ts')).wait),
  exec: online(async () => (await import('./verbs/exec.ts')).exec),
  logs: online(async () => (await import('./verbs/logs.ts')).logs),
  scale: online(async () => (await import('./verbs/scale.ts')).scale),
  'rollout status': online(async () => (await import('./verbs/rollout.ts')).status),
  'rollout restart': online(async () => (await import('./verbs/rollout.ts')).restart),
  'rollout undo': online(async () => (await import('./verbs/rollout.ts')).undo),
  'rollout history': online(async () => (await import('./verbs/rollout.ts')).history),
  'rollout pause': online(async () => (await import('./verbs/rollout.ts')).pause),
  'rollout resume': online(async () => (await import('./verbs/rollout.ts')).resume),
  create: online(async () => (await import('./verbs/create.ts')).create),
  replace: online(async () => (await import('./verbs/create.ts')).replace),
  run: online(async () => (await import('./verbs/run.ts')).run),
  expose: online(async () => (await import('./verbs/run.ts')).expose),
  edit: online(async () => (await import('./verbs/edit.ts')).edit),
  diff: online(async () => (await import('./verbs/diff.ts')).diff),
  events: online(async () => (await import('./verbs/events.ts')).events),
  explain: online(async () => (await import('./verbs/explain.ts')).explain),
  cordon: online(async () => (await import('./verbs/node.ts')).cordon),
  uncordon: online(async () => (await import('./verbs/node.ts')).uncordon),
  drain: online(async () => (await import('./verbs/node.ts')).drain),
  taint: online(async () => (await import('./verbs/node.ts')).taint),
  'set image': online(async () => (await import('./verbs/set.ts')).setImage),
  'set env': online(async () => (await import('./verbs/set-env.ts')).setEnv),
  'set selector': online(async () => (await import('./verbs/set.ts')).setSelector),
  'set resources': online(async () => (await import('./verbs/set.ts')).setResources),
  'set serviceaccount': online(async () => (await import('./verbs/set.ts')).setServiceAccount),
  'set subject': online(async () => (await import('./verbs/set.ts')).setSubject),
  'api-resources': online(async () => (await import('./verbs/info.ts')).apiResources),
  'api-versions': online(async () => (await import('./verbs/info.ts')).apiVersions),
  'cluster-info': online(async () => (await import('./verbs/info.ts')).clusterInfo),
  version: online(async () => (await import('./verbs/info.ts')).version),
  'config view': offline(async () => (await import('./verbs/info.ts')).configView),
  'config get-contexts': offline(async () => (await import('./verbs/info.ts')).configGetContexts),
  'config current-context': offline(async () => (await import('./verbs/info.ts')).configCurrentContext),
  'config get-clusters': offline(async () => (await import('./verbs/info.ts')).configGetClusters),
  'config get-users': offline(async () => (await import('./verbs/info.ts')).configGetClusters),
  'config use-context': offline(async () => (await import('./verbs/info.ts')).configUseContext),
  'config set-context': offline(async () => (await import('./verbs/info.ts')).configSetContext),
  'auth whoami': online(async () => (await import('./verbs/info.ts')).whoami),
  'auth can-i': online(async () => (await import('./verbs/info.ts')).canI),
  'top pod': online(async () => (await import('./verbs/info.ts')).top),
  'top node': online(async () => (await import('./verbs/info.ts')).top),
};

const createNoun = online(async () => (await import('./verbs/create.ts')).createNoun);

/** Other names of commands. */
const aliases: Readonly<Record<string, string>> = {
  'create ns': 'create namespace',
  'create cm': 'create configmap',
  'create deploy': 'create deployment',
  'create dep': 'create deployment',
  'create sa': 'create serviceaccount',
  'create svc clusterip': 'create service clusterip',
  'create svc nodeport': 'create service nodeport',
  'create svc loadbalancer': 'create service loadbalancer',
  'create svc externalname': 'create service externalname',
  'create cj': 'create cronjob',
  'create ing': 'create ingress',
  'create pdb': 'create poddisruptionbudget',
  'create pc': 'create priorityclass',
  'create resourcequota': 'create quota',
  'set sa': 'set serviceaccount',
  'top pods': 'top pod',
  'top po': 'top pod',
  'top nodes': 'top node',
  'top no': 'top node',
  'config use': 'config use-context',
  clusterinfo: 'cluster-info',
};

export function canonical(command: string): string {
  return aliases[command] ?? command;
}

export function findVerb(command: string): VerbEntry | undefined {
  if (Object.hasOwn(verbs, command)) return verbs[command];
  if (command.startsWith('create ') && Object.hasOwn(commandFlags, command)) return createNoun;
  return Object.hasOwn(commandFlags, command) ? refusal() : undefined;
}

/** Words that begin a command, or are one. */
export function isCommandStart(words: string): boolean {
  const start = `${words} `;
  return [...Object.keys(commandFlags), ...Object.keys(aliases)].some((command) => command === words || command.startsWith(start));
}

/** The commands in the order in which suggestions name them. */
const commandOrder =
  'create expose run set explain get edit delete rollout scale autoscale certificate cluster-info top cordon uncordon drain taint describe logs attach exec port-forward proxy cp auth debug events diff apply patch replace wait kustomize label annotate completion alpha config plugin version api-versions api-resources options'.split(
    ' ',
  );

/** What cobra suggests for an unknown command: names at most two edits away, or that begin like it. */
function suggestions(typed: string): readonly string[] {
  return commandOrder.filter((name) => distance(typed.toLowerCase(), name) <= 2 || name.startsWith(typed.toLowerCase()));
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let left = 1; left <= a.length; left++) {
    const next = [left];
    for (let right = 1; right <= b.length; right++) {
      const change = a[left - 1] === b[right - 1] ? 0 : 1;
      next.push(Math.min((row[right] as number) + 1, (next[right - 1] as number) + 1, (row[right - 1] as number) + change));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** A line that is no command: an unknown word, or only the beginning of a command. */
export function unknownCommand(words: readonly string[], rest: readonly string[]): PlainError | UsageError {
  const word = rest.find((arg) => !arg.startsWith('-'));
  if (words.length > 0 && word !== undefined)
    return new UsageError(`unknown command ${JSON.stringify(word)}`, `kubectl ${words.join(' ')}`);
  if (words.length > 0) return new PlainError(`error: not simulated: the help of kubectl ${words.join(' ')}`);
  if (word === undefined) return new PlainError('error: not simulated: the help of kubectl');
  const similar = suggestions(word);
  const hint = similar.length === 0 ? '' : `\n\nDid you mean this?\n${similar.map((name) => `\t${name}\n`).join('')}`;
  return new PlainError(`error: unknown command ${JSON.stringify(word)} for "kubectl"${hint}`);
}
