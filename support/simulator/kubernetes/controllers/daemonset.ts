import type { SimulatedClock } from '../../clock/clock.ts';
import { controllerReference } from '../apiserver/core.ts';
import { copy, isEqual } from '../apiserver/decode.ts';
import {
  controllerOf,
  type DaemonSet,
  isPodActive,
  keyOf,
  type Node,
  type Pod,
  type PodTemplate,
  splitKey,
  type Toleration,
} from '../objects.ts';
import { fitsNode } from '../scheduling-rules.ts';
import type { ApiClient, KubernetesObject, ObjectInput, Reconciler } from '../types.ts';
import { DaemonSetPlaces, nodeOf, type PlaceCounts } from './daemonset-places.ts';
import { availability, ownedPods, podFrom, resolvePercent, templateHash } from './pod-template.ts';
import { createReconciler } from './reconciler.ts';

const component = 'daemonset-controller';

/** One pod of each daemon set on every node that takes it (`pkg/controller/daemon`). */
export function startDaemonSetController(client: ApiClient, clock: SimulatedClock): () => void {
  /** By the set's uid. */
  const places = new Map<string, DaemonSetPlaces>();
  const placesOf = (set: DaemonSet): DaemonSetPlaces => {
    const known = places.get(set.metadata.uid) ?? new DaemonSetPlaces(client, set);
    places.set(set.metadata.uid, known);
    return known;
  };
  const queue: Reconciler = createReconciler(clock, {
    name: 'daemonset',
    reconcile: (key) => {
      const { namespace, name } = splitKey(key);
      const set = client.get<DaemonSet>('daemonsets.apps', name, namespace);
      if (set !== undefined) sync({ client, clock, set, hash: templateHash(set.spec.template), places: placesOf(set), queue });
    },
  });
  const stops = [
    client.watch<DaemonSet>(
      'daemonsets.apps',
      ({ type, object }) => {
        if (type === 'DELETED') places.delete(object.metadata.uid);
        queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ object }) => {
      const owner = controllerOf(object);
      if (owner?.kind !== 'DaemonSet') return;
      places.get(owner.uid)?.podChanged(object);
      queue.enqueue(`${object.metadata.namespace}/${owner.name}`);
    }),
    client.watch<Node>('nodes', ({ object, old }) => {
      const isRelevant = old === undefined || old.metadata.labels !== object.metadata.labels || old.spec !== object.spec;
      if (!isRelevant) return;
      for (const each of places.values()) each.nodeChanged(object.metadata.name);
      for (const set of client.list<DaemonSet>('daemonsets.apps')) queue.enqueue(keyOf(set));
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

interface Sync {
  readonly client: ApiClient;
  readonly clock: SimulatedClock;
  readonly set: DaemonSet;
  /** Of its template. */
  readonly hash: string;
  readonly places: DaemonSetPlaces;
  readonly queue: Reconciler;
}

function sync(work: Sync): void {
  const { client, clock, set, hash, places, queue } = work;
  const isLeaving = set.metadata.deletionTimestamp !== undefined;
  if (!isLeaving) keepRevision(client, set, hash);
  const stale = places.takeStale(set);
  const wants = new Set<string>();
  for (const name of stale) {
    const node = client.get<Node>('nodes', name);
    const { shouldRun, mayStay } = node === undefined ? nowhere : verdict(set, node);
    if (shouldRun) wants.add(name);
    if (!isLeaving) settle(work, name, node === undefined, shouldRun, mayStay);
  }
  const again = (at: number): void => queue.enqueue(keyOf(set), at - clock.now());
  for (const name of stale) places.count(set, name, wants.has(name), hash, clock.now(), again);
  if (!isLeaving && places.total.outdated > 0)
    for (const name of update(work)) places.count(set, name, places.isWanted(name), hash, clock.now(), again);
  writeStatus(client, set, places.total);
}

const nowhere: Verdict = { shouldRun: false, mayStay: false };

/** Gives a node its pod, or takes away what may not be there. */
function settle({ client, set, hash, places }: Sync, name: string, isGone: boolean, shouldRun: boolean, mayStay: boolean): void {
  const here = places.podsFor(set, name);
  for (const pod of here) {
    if (pod.metadata.deletionTimestamp !== undefined) continue;
    const hasEnded = pod.status.phase === 'Failed' || pod.status.phase === 'Succeeded';
    if (isGone) client.delete('pods', pod.metadata.name, pod.metadata.namespace, { gracePeriodSeconds: 0 });
    else if (!mayStay || hasEnded) deletePod(client, set, pod);
  }
  if (shouldRun && here.length === 0) places.podChanged(createPod(client, set, name, hash));
}

function createPod(client: ApiClient, set: DaemonSet, nodeName: string, hash: string): Pod {
  const labels = { 'controller-revision-hash': hash, 'pod-template-generation': String(set.metadata.generation ?? 1) };
  const pod = client.create<Pod>(podFrom(templateFor(set, nodeName), set, { generateName: `${set.metadata.name}-` }, labels));
  client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, component });
  return pod;
}

function deletePod(client: ApiClient, set: DaemonSet, pod: Pod): void {
  client.delete('pods', pod.metadata.name, pod.metadata.namespace);
  client.recordEvent(set, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}`, component });
}

/** RollingUpdate without surge: old pods go while no more than `maxUnavailable` are missing. @returns the nodes that they were on */
function update({ client, clock, set, hash, places }: Sync): ReadonlySet<string> {
  const nodes = new Set<string>();
  if (set.spec.updateStrategy?.type === 'OnDelete') return nodes;
  const remove = (pod: Pod): void => {
    deletePod(client, set, pod);
    nodes.add(nodeOf(pod) ?? '');
  };
  const active = ownedPods(client, set).filter(isPodActive);
  const desired = places.total.wanted;
  const allowed = Math.max(1, resolvePercent(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, desired, 'up'));
  const isOut = (pod: Pod): boolean => !availability(pod, set.spec.minReadySeconds ?? 0, clock.now()).isAvailable;
  const outdated = active.filter((pod) => pod.metadata.labels?.['controller-revision-hash'] !== hash);
  let missing = desired - active.filter((pod) => !isOut(pod)).length;
  for (const pod of outdated.filter(isOut)) remove(pod);
  for (const pod of outdated.filter((candidate) => !isOut(candidate))) {
    if (missing >= allowed) break;
    remove(pod);
    missing++;
  }
  return nodes;
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

function writeStatus(client: ApiClient, set: DaemonSet, total: PlaceCounts): void {
  const unavailable = total.wanted - total.available;
  const status = {
    currentNumberScheduled: total.scheduled,
    desiredNumberScheduled: total.wanted,
    ...(total.available === 0 ? {} : { numberAvailable: total.available }),
    numberMisscheduled: total.misscheduled,
    numberReady: total.ready,
    ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
    observedGeneration: set.metadata.generation,
    ...(total.updated === 0 ? {} : { updatedNumberScheduled: total.updated }),
  };
  if (!isEqual(status, set.status)) client.updateStatus({ ...set, status });
}
