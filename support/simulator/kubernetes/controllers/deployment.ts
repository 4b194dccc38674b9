import type { SimulatedClock } from '../../clock/clock.ts';
import { controllerReference } from '../apiserver/core.ts';
import { copy, isEqual } from '../apiserver/decode.ts';
import {
  type Condition,
  conditionOf,
  controllerOf,
  type Deployment,
  keyOf,
  parseTimestamp,
  type ReplicaSet,
  splitKey,
  timestamp,
} from '../objects.ts';
import type { ApiClient, Reconciler } from '../types.ts';
import { isSameTemplate, resolvePercent, templateHash } from './pod-template.ts';
import { createReconciler, type OwnWrites } from './reconciler.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const component = 'deployment-controller';

/** Rolls a deployment's replica sets from one template to the next (`pkg/controller/deployment`, Kubernetes 1.27). */
export function startDeploymentController(client: ApiClient, clock: SimulatedClock): () => void {
  const queue: Reconciler = createReconciler(clock, { name: 'deployment', reconcile: (key) => sync(client, clock, key, queue, written) });
  const written: OwnWrites = new WeakSet();
  const stops = [
    client.watch<Deployment>(
      'deployments.apps',
      ({ object }) => {
        if (!written.has(object)) queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<ReplicaSet>('replicasets.apps', (event) => {
      const owner = controllerOf(event.object);
      if (owner?.kind === 'Deployment') queue.enqueue(`${event.object.metadata.namespace}/${owner.name}`);
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

interface Rollout {
  readonly client: ApiClient;
  readonly clock: SimulatedClock;
  readonly deployment: Deployment;
  readonly old: readonly ReplicaSet[];
  readonly current: ReplicaSet | undefined;
}

function sync(client: ApiClient, clock: SimulatedClock, key: string, queue: Reconciler, written: OwnWrites): void {
  const { namespace, name } = splitKey(key);
  const deployment = client.get<Deployment>('deployments.apps', name, namespace);
  if (deployment === undefined) return;
  const sets = client.list<ReplicaSet>('replicasets.apps', { ownerUid: deployment.metadata.uid });
  if (deployment.metadata.deletionTimestamp !== undefined) {
    writeStatus({ client, clock, deployment, old: sets, current: undefined }, queue, written);
    return;
  }
  const existing = sets.find((set) => isSameTemplate(set.spec.template, deployment.spec.template));
  const old = sets.filter((set) => set !== existing);
  if (deployment.spec.paused === true) {
    scaleProportionally(client, deployment, sets);
    writeStatus({ client, clock, deployment, old, current: existing }, queue, written);
    return;
  }
  const current = currentSet(client, deployment, existing, old);
  const rollout: Rollout = { client, clock, deployment: setRevision(client, deployment, current), old, current };
  if (deployment.spec.strategy?.type === 'Recreate') recreate(rollout);
  else roll(rollout);
  cleanUp(rollout);
  writeStatus(rollout, queue, written);
}

function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);
}

/** The replica set of the present template: found or made, with the highest revision. */
function currentSet(client: ApiClient, deployment: Deployment, existing: ReplicaSet | undefined, old: readonly ReplicaSet[]): ReplicaSet {
  const revision = Math.max(0, ...old.map(revisionOf)) + 1;
  if (existing !== undefined) {
    const annotations = { ...existing.metadata.annotations, ...rolloutAnnotations(deployment) };
    const history = existing.metadata.annotations?.['deployment.kubernetes.io/revision-history'];
    if (revisionOf(existing) < revision) {
      Object.assign(annotations, {
        [revisionAnnotation]: String(revision),
        'deployment.kubernetes.io/revision-history': [history, String(revisionOf(existing))]
          .filter((part) => part !== undefined && part !== '')
          .join(','),
      });
    }
    const isSame = existing.spec.minReadySeconds === deployment.spec.minReadySeconds && isEqual(annotations, existing.metadata.annotations);
    if (isSame) return existing;
    return client.patch<ReplicaSet>('replicasets.apps', existing.metadata.name, existing.metadata.namespace, {
      metadata: { annotations },
      spec: { minReadySeconds: deployment.spec.minReadySeconds ?? null },
    });
  }
  const hash = templateHash(deployment.spec.template);
  const labels = { ...deployment.spec.template.metadata?.labels, 'pod-template-hash': hash };
  const replicas = newReplicas(deployment, old, undefined);
  const set = client.create<ReplicaSet>({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? 'default',
      labels,
      annotations: { ...rolloutAnnotations(deployment), [revisionAnnotation]: String(revision) },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: { ...deployment.spec.selector, matchLabels: { ...deployment.spec.selector.matchLabels, 'pod-template-hash': hash } },
      template: { ...copy(deployment.spec.template), metadata: { ...copy(deployment.spec.template.metadata ?? {}), labels } },
    },
  });
  if (replicas > 0) recordScale(client, deployment, set, replicas);
  return set;
}

/** The deployment's annotations pass on to its replica sets, without those that are about itself. */
function rolloutAnnotations(deployment: Deployment): Record<string, string> {
  const desired = deployment.spec.replicas ?? 1;
  const passed = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([key]) =>
      key !== 'kubectl.kubernetes.io/last-applied-configuration' &&
      !key.startsWith('deployment.kubernetes.io/') &&
      key !== 'deprecated.deployment.rollback.to',
  );
  return {
    ...Object.fromEntries(passed),
    'deployment.kubernetes.io/desired-replicas': String(desired),
    'deployment.kubernetes.io/max-replicas': String(desired + surge(deployment)),
  };
}

function setRevision(client: ApiClient, deployment: Deployment, current: ReplicaSet): Deployment {
  const revision = current.metadata.annotations?.[revisionAnnotation];
  if (revision === undefined || deployment.metadata.annotations?.[revisionAnnotation] === revision) return deployment;
  return client.patch<Deployment>('deployments.apps', deployment.metadata.name, deployment.metadata.namespace, {
    metadata: { annotations: { [revisionAnnotation]: revision } },
  });
}

function surge(deployment: Deployment): number {
  if (deployment.spec.strategy?.type !== 'RollingUpdate') return 0;
  return resolvePercent(deployment.spec.strategy.rollingUpdate?.maxSurge, deployment.spec.replicas ?? 1, 'up');
}

function unavailableAllowed(deployment: Deployment): number {
  const desired = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type !== 'RollingUpdate' || desired === 0) return 0;
  const allowed = Math.min(resolvePercent(deployment.spec.strategy.rollingUpdate?.maxUnavailable, desired, 'down'), desired);
  return allowed === 0 && surge(deployment) === 0 ? 1 : allowed;
}

function replicasOf(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
}

function newReplicas(deployment: Deployment, old: readonly ReplicaSet[], current: ReplicaSet | undefined): number {
  const desired = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === 'Recreate') return old.some((set) => set.status.replicas > 0) ? 0 : desired;
  const now = current?.spec.replicas ?? 0;
  const room = desired + surge(deployment) - replicasOf(old) - now;
  if (room <= 0) return now;
  return now + Math.min(room, Math.max(desired - now, 0));
}

function scale(client: ApiClient, deployment: Deployment, set: ReplicaSet, replicas: number): void {
  const before = set.spec.replicas ?? 0;
  if (before === replicas) return;
  client.patch('replicasets.apps', set.metadata.name, set.metadata.namespace, { spec: { replicas } });
  recordScale(client, deployment, set, replicas, before);
}

/** `from` is left out for a set that was made with its replicas. */
function recordScale(client: ApiClient, deployment: Deployment, set: ReplicaSet, to: number, from?: number): void {
  const direction = from === undefined || to > from ? 'up' : 'down';
  client.recordEvent(deployment, {
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message: `Scaled ${direction} replica set ${set.metadata.name} to ${to}${from === undefined ? '' : ` from ${from}`}`,
    component,
  });
}

function roll(rollout: Rollout): void {
  const { client, deployment, current, old } = rollout;
  if (current === undefined) return;
  const desired = deployment.spec.replicas ?? 1;
  const now = current.spec.replicas ?? 0;
  if (now > desired) {
    scale(client, deployment, current, desired);
    return;
  }
  const wanted = newReplicas(deployment, old, current);
  if (wanted !== now) {
    scale(client, deployment, current, wanted);
    return;
  }
  const oldTotal = replicasOf(old);
  if (oldTotal === 0) return;
  const minimum = desired - unavailableAllowed(deployment);
  const unavailableNew = now - (current.status.availableReplicas ?? 0);
  let removable = oldTotal + now - minimum - unavailableNew;
  if (removable <= 0) return;
  const ordered = [...old].sort(byAge);
  // First those that do not work anyway.
  const left = new Map(ordered.map((set) => [set, set.spec.replicas ?? 0]));
  for (const set of ordered) {
    const count = left.get(set) ?? 0;
    const broken = Math.min(removable, Math.max(0, count - (set.status.availableReplicas ?? 0)));
    left.set(set, count - broken);
    removable -= broken;
  }
  const available = [current, ...old].reduce((sum, set) => sum + (set.status.availableReplicas ?? 0), 0);
  let healthy = Math.max(0, available - minimum);
  for (const set of ordered) {
    const count = left.get(set) ?? 0;
    const part = Math.min(healthy, count);
    left.set(set, count - part);
    healthy -= part;
  }
  for (const [set, replicas] of left) scale(client, deployment, set, replicas);
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const left = a.metadata.creationTimestamp;
  const right = b.metadata.creationTimestamp;
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function recreate(rollout: Rollout): void {
  const { client, deployment, current, old } = rollout;
  const busy = old.filter((set) => (set.spec.replicas ?? 0) > 0);
  for (const set of busy) scale(client, deployment, set, 0);
  if (busy.length > 0 || old.some((set) => set.status.replicas > 0) || current === undefined) return;
  scale(client, deployment, current, deployment.spec.replicas ?? 1);
}

/** While paused, only a change of the number of replicas has an effect, on the newest set. */
function scaleProportionally(client: ApiClient, deployment: Deployment, sets: readonly ReplicaSet[]): void {
  const active = sets.filter((set) => (set.spec.replicas ?? 0) > 0).sort(byAge);
  const newest = active.at(-1);
  if (newest === undefined || active.length !== 1) return;
  scale(client, deployment, newest, deployment.spec.replicas ?? 1);
}

function cleanUp(rollout: Rollout): void {
  const { client, deployment, old } = rollout;
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const idle = old
    .filter((set) => (set.spec.replicas ?? 0) === 0 && set.status.replicas === 0 && set.metadata.deletionTimestamp === undefined)
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const set of idle.slice(0, Math.max(0, idle.length - limit)))
    client.delete('replicasets.apps', set.metadata.name, set.metadata.namespace);
}

function writeStatus(rollout: Rollout, queue: Reconciler, written: OwnWrites): void {
  const { client, clock } = rollout;
  const deployment = client.get<Deployment>('deployments.apps', rollout.deployment.metadata.name, rollout.deployment.metadata.namespace);
  if (deployment === undefined) return;
  const sets = client.list<ReplicaSet>('replicasets.apps', { ownerUid: deployment.metadata.uid });
  const current = rollout.current === undefined ? undefined : sets.find((set) => set.metadata.uid === rollout.current?.metadata.uid);
  const sum = (read: (set: ReplicaSet) => number | undefined): number => sets.reduce((total, set) => total + (read(set) ?? 0), 0);
  const replicas = sum((set) => set.status.replicas);
  const available = sum((set) => set.status.availableReplicas);
  const ready = sum((set) => set.status.readyReplicas);
  const updated = current?.status.replicas ?? 0;
  const desired = deployment.spec.replicas ?? 1;
  const unavailable = Math.max(0, sum((set) => set.spec.replicas) - available);
  const conditions = nextConditions({ deployment, current, counts: { replicas, available, updated, ready, desired }, clock, queue });
  const status = {
    observedGeneration: deployment.metadata.generation,
    ...(replicas === 0 ? {} : { replicas }),
    ...(updated === 0 ? {} : { updatedReplicas: updated }),
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(available === 0 ? {} : { availableReplicas: available }),
    ...(unavailable === 0 ? {} : { unavailableReplicas: unavailable }),
    conditions,
  };
  if (!isEqual(status, deployment.status)) written.add(client.updateStatus({ ...deployment, status }));
}

interface StatusFacts {
  readonly deployment: Deployment;
  readonly current: ReplicaSet | undefined;
  readonly counts: {
    readonly replicas: number;
    readonly available: number;
    readonly updated: number;
    readonly ready: number;
    readonly desired: number;
  };
  readonly clock: SimulatedClock;
  readonly queue: Reconciler;
}

function nextConditions(facts: StatusFacts): readonly Condition[] {
  const { deployment, current, counts, clock, queue } = facts;
  const now = timestamp(clock.now());
  const before = (type: string): Condition | undefined => conditionOf(deployment, type);
  const make = (type: string, status: Condition['status'], reason: string, message: string, isProgress: boolean): Condition => {
    const old = before(type);
    if (old !== undefined && old.status === status && old.reason === reason && !isProgress)
      return { ...old, message: type === 'Progressing' ? message : (old.message ?? message) };
    return {
      lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? now) : now,
      lastUpdateTime: now,
      message,
      reason,
      status,
      type,
    };
  };
  const minimum = counts.desired - unavailableAllowed(deployment);
  const available =
    counts.available >= minimum
      ? make('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.', false)
      : make('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.', false);
  const progressing = progressCondition(facts, make);
  const all: Condition[] = [];
  // New conditions are appended and changed ones moved to the end (SetDeploymentCondition).
  for (const type of ['Available', 'Progressing']) {
    const next = type === 'Available' ? available : progressing;
    if (next !== undefined) all.push(next);
  }
  const order = (deployment.status.conditions ?? []).map((condition) => condition.type);
  const deadline = deployment.spec.progressDeadlineSeconds ?? 600;
  const isDone = progressing?.reason === 'NewReplicaSetAvailable';
  if (current !== undefined && !isDone && progressing?.reason !== 'ProgressDeadlineExceeded' && progressing?.lastUpdateTime !== undefined) {
    const left = parseTimestamp(progressing.lastUpdateTime) + deadline * 1000 - clock.now() + 1000;
    queue.enqueue(keyOf(deployment), Math.max(left, 1000));
  }
  return all.sort((a, b) => place(order, a.type) - place(order, b.type));
}

function place(order: readonly string[], type: string): number {
  const index = order.indexOf(type);
  return index < 0 ? order.length : index;
}

function progressCondition(
  facts: StatusFacts,
  make: (type: string, status: Condition['status'], reason: string, message: string, isProgress: boolean) => Condition,
): Condition | undefined {
  const { deployment, current, counts, clock } = facts;
  const old = conditionOf(deployment, 'Progressing');
  if (deployment.spec.paused === true) return old;
  if (current === undefined) return old;
  const isComplete = counts.updated === counts.desired && counts.replicas === counts.desired && counts.available === counts.desired;
  if (isComplete)
    return make(
      'Progressing',
      'True',
      'NewReplicaSetAvailable',
      `ReplicaSet ${JSON.stringify(current.metadata.name)} has successfully progressed.`,
      false,
    );
  const status = deployment.status;
  const hasProgressed =
    counts.updated > (status.updatedReplicas ?? 0) ||
    counts.ready > (status.readyReplicas ?? 0) ||
    counts.available > (status.availableReplicas ?? 0) ||
    counts.replicas - counts.updated < (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  if (old === undefined)
    return make('Progressing', 'True', 'NewReplicaSetCreated', `Created new replica set ${JSON.stringify(current.metadata.name)}`, true);
  if (hasProgressed || (old.reason === 'NewReplicaSetAvailable' && deployment.metadata.generation !== status.observedGeneration))
    return make('Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet ${JSON.stringify(current.metadata.name)} is progressing.`, true);
  if (old.reason === 'NewReplicaSetAvailable') return old;
  const deadline = (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
  if (
    old.reason !== 'ProgressDeadlineExceeded' &&
    old.lastUpdateTime !== undefined &&
    clock.now() - parseTimestamp(old.lastUpdateTime) > deadline
  )
    return make(
      'Progressing',
      'False',
      'ProgressDeadlineExceeded',
      `ReplicaSet ${JSON.stringify(current.metadata.name)} has timed out progressing.`,
      true,
    );
  return old;
}
