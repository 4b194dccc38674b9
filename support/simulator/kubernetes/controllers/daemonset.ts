import type { SimulatedClock } from '../../clock/clock.ts';
import { controllerReference } from '../apiserver/core.ts';
import { copy } from '../apiserver/decode.ts';
import {
  controllerOf,
  type DaemonSet,
  isPodActive,
  isPodReady,
  keyOf,
  type Node,
  type Pod,
  type PodTemplate,
  splitKey,
  type Toleration,
} from '../objects.ts';
import { fitsNode } from '../scheduling-rules.ts';
import type { ApiClient, KubernetesObject, ObjectInput, Reconciler } from '../types.ts';
import { availability, ownedPods, podFrom, resolvePercent, templateHash } from './pod-template.ts';
import { createReconciler } from './reconciler.ts';

const component = 'daemonset-controller';

/** One pod of each daemon set on every node that takes it (`pkg/controller/daemon`). */
export function startDaemonSetController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'daemonset', reconcile: (key) => sync(client, clock, key, queue) });
  const all = (): void => {
    for (const set of client.list<DaemonSet>('daemonsets.apps')) queue.enqueue(keyOf(set));
  };
  const stops = [
    client.watch<DaemonSet>('daemonsets.apps', (event) => queue.enqueue(keyOf(event.object)), { replay: true }),
    client.watch<Pod>('pods', (event) => {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'DaemonSet') queue.enqueue(`${event.object.metadata.namespace}/${owner.name}`);
    }),
    client.watch<Node>('nodes', (event) => {
      const isRelevant =
        event.old === undefined || event.old.metadata.labels !== event.object.metadata.labels || event.old.spec !== event.object.spec;
      if (isRelevant) all();
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

const daemonTolerations: readonly Toleration[] = [
  { effect: 'NoExecute', key: 'node.kubernetes.io/not-ready', operator: 'Exists' },
  { effect: 'NoExecute', key: 'node.kubernetes.io/unreachable', operator: 'Exists' },
  { effect: 'NoSchedule', key: 'node.kubernetes.io/disk-pressure', operator: 'Exists' },
  { effect: 'NoSchedule', key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' },
  { effect: 'NoSchedule', key: 'node.kubernetes.io/pid-pressure', operator: 'Exists' },
  { effect: 'NoSchedule', key: 'node.kubernetes.io/unschedulable', operator: 'Exists' },
];

/** What a daemon pod of this node is made of: more tolerations, and an affinity that only this node meets. */
function templateFor(set: DaemonSet, nodeName: string): PodTemplate {
  const { template } = set.spec;
  const extra =
    template.spec.hostNetwork === true
      ? [
          ...daemonTolerations,
          { effect: 'NoSchedule' as const, key: 'node.kubernetes.io/network-unavailable', operator: 'Exists' as const },
        ]
      : daemonTolerations;
  const own = template.spec.tolerations ?? [];
  const tolerations = [
    ...own,
    ...extra.filter(
      (toleration) =>
        !own.some((other) => other.key === toleration.key && other.effect === toleration.effect && other.operator === toleration.operator),
    ),
  ];
  const terms = [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [nodeName] }] }];
  const affinity = {
    ...template.spec.affinity,
    nodeAffinity: { ...template.spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
  };
  return { ...template, spec: { ...template.spec, affinity, tolerations } };
}

/** The node that a daemon pod is for, before and after it was scheduled. */
function nodeOf(pod: Pod): string | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return pod.spec.nodeName ?? terms.flatMap((term) => term.matchFields ?? []).find((field) => field.key === 'metadata.name')?.values?.[0];
}

interface Verdict {
  readonly shouldRun: boolean;
  readonly mayStay: boolean;
}

/** By template and by the node's spec, which a heartbeat leaves as it is; good for as long as the labels are the same. */
const verdicts = new WeakMap<
  PodTemplate,
  WeakMap<Node['spec'], { readonly labels: Node['metadata']['labels']; readonly verdict: Verdict }>
>();

/** Whether the set wants a pod on a node, and whether one that is there may stay (only NoExecute taints drive it out). */
function verdict(set: DaemonSet, node: Node): Verdict {
  const ofTemplate = verdicts.get(set.spec.template) ?? new WeakMap();
  verdicts.set(set.spec.template, ofTemplate);
  const known = ofTemplate.get(node.spec);
  if (known !== undefined && known.labels === node.metadata.labels) return known.verdict;
  const made = judge(set, node);
  ofTemplate.set(node.spec, { labels: node.metadata.labels, verdict: made });
  return made;
}

function judge(set: DaemonSet, node: Node): Verdict {
  const { spec } = set.spec.template;
  const tolerations = [...(spec.tolerations ?? []), ...daemonTolerations];
  const driving = (node.spec.taints ?? []).filter((taint) => taint.effect === 'NoExecute');
  return {
    shouldRun: fitsNode({ ...spec, tolerations }, node),
    mayStay: fitsNode({ ...spec, tolerations }, { ...node, spec: { ...node.spec, taints: driving } }),
  };
}

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler): void {
  const { namespace, name } = splitKey(key);
  const set = client.get<DaemonSet>('daemonsets.apps', name, namespace);
  if (set === undefined) return;
  const hash = templateHash(set.spec.template);
  if (set.metadata.deletionTimestamp === undefined) {
    keepRevision(client, set, hash);
    const pods = ownedPods(client, set);
    const byNode = new Map<string, Pod[]>();
    for (const pod of pods) {
      const node = nodeOf(pod) ?? '';
      const here = byNode.get(node);
      if (here === undefined) byNode.set(node, [pod]);
      else here.push(pod);
    }
    for (const node of client.list<Node>('nodes')) {
      const here = byNode.get(node.metadata.name) ?? [];
      byNode.delete(node.metadata.name);
      const { shouldRun, mayStay } = verdict(set, node);
      for (const pod of here) {
        const hasEnded = pod.status.phase === 'Failed' || pod.status.phase === 'Succeeded';
        if ((!mayStay || hasEnded) && pod.metadata.deletionTimestamp === undefined) deletePod(client, set, pod);
      }
      if (shouldRun && here.length === 0) createPod(client, set, node.metadata.name, hash);
    }
    for (const orphans of byNode.values())
      for (const pod of orphans)
        if (pod.metadata.deletionTimestamp === undefined) client.delete('pods', pod.metadata.name, namespace, { gracePeriodSeconds: 0 });
    update(client, clock, set, hash);
  }
  writeStatus(client, clock, key, hash, queue);
}

function createPod(client: ApiClient, set: DaemonSet, nodeName: string, hash: string): void {
  const labels = { 'controller-revision-hash': hash, 'pod-template-generation': String(set.metadata.generation ?? 1) };
  const pod = client.create<Pod>(podFrom(templateFor(set, nodeName), set, { generateName: `${set.metadata.name}-` }, labels));
  client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, component });
}

function deletePod(client: ApiClient, set: DaemonSet, pod: Pod): void {
  client.delete('pods', pod.metadata.name, pod.metadata.namespace);
  client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}`, component });
}

/** RollingUpdate without surge: old pods go while no more than `maxUnavailable` are missing. */
function update(client: ApiClient, clock: SimulatedClock, set: DaemonSet, hash: string): void {
  if (set.spec.updateStrategy?.type === 'OnDelete') return;
  const pods = ownedPods(client, set);
  const active = pods.filter(isPodActive);
  const desired = client.list<Node>('nodes').filter((node) => verdict(set, node).shouldRun).length;
  const allowed = Math.max(1, resolvePercent(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, desired, 'up'));
  const isOut = (pod: Pod): boolean => !availability(pod, set.spec.minReadySeconds ?? 0, clock.now()).isAvailable;
  const outdated = active.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] !== hash);
  let missing = desired - active.filter((pod) => !isOut(pod)).length;
  for (const pod of outdated.filter(isOut)) deletePod(client, set, pod);
  for (const pod of outdated.filter((candidate) => !isOut(candidate))) {
    if (missing >= allowed) break;
    deletePod(client, set, pod);
    missing++;
  }
}

/** The template's history, as `kubectl rollout history` and `undo` read it. */
export function keepRevision(
  client: ApiClient,
  owner: KubernetesObject & { readonly spec: { readonly template: PodTemplate } },
  hash: string,
): string {
  const name = `${owner.metadata.name}-${hash}`;
  const known = client.list('controllerrevisions.apps', { ownerUid: owner.metadata.uid });
  if (known.some((revision) => revision.metadata.name === name)) return name;
  const next = Math.max(0, ...known.map((revision) => Number(revision['revision']))) + 1;
  const revision: ObjectInput = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace: owner.metadata.namespace ?? 'default',
      labels: { ...owner.spec.template.metadata?.labels, 'controller-revision-hash': hash },
      ownerReferences: [controllerReference(owner)],
    },
    data: { spec: { template: { $patch: 'replace', ...(copy(owner.spec.template) as object) } } },
    revision: next,
  };
  client.create(revision);
  return name;
}

function writeStatus(client: ApiClient, clock: SimulatedClock, key: string, hash: string, queue: Reconciler): void {
  const { namespace, name } = splitKey(key);
  const set = client.get<DaemonSet>('daemonsets.apps', name, namespace);
  if (set === undefined) return;
  const wanted = new Set(
    client
      .list<Node>('nodes')
      .filter((node) => verdict(set, node).shouldRun)
      .map((node) => node.metadata.name),
  );
  const pods = ownedPods(client, set).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const placed = pods.filter((pod) => wanted.has(nodeOf(pod) ?? ''));
  const minReady = set.spec.minReadySeconds ?? 0;
  const states = placed.map((pod) => availability(pod, minReady, clock.now()));
  for (const state of states) if (state.at !== undefined) queue.enqueue(key, state.at - clock.now());
  const available = states.filter((state) => state.isAvailable).length;
  const unavailable = wanted.size - available;
  const updated = placed.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] === hash).length;
  client.updateStatus({
    ...set,
    status: {
      currentNumberScheduled: new Set(placed.map(nodeOf)).size,
      desiredNumberScheduled: wanted.size,
      ...(available === 0 ? {} : { numberAvailable: available }),
      numberMisscheduled: pods.length - placed.length,
      numberReady: placed.filter(isPodReady).length,
      ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
      observedGeneration: set.metadata.generation,
      ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
    },
  });
}
