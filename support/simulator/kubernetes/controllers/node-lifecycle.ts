import type { SimulatedClock, Timer } from '../../clock/clock.ts';
import { isEqual } from '../apiserver/decode.ts';
import {
  type Condition,
  conditionOf,
  isPodReady,
  type Lease,
  type Node,
  type Pod,
  parseTimestamp,
  type Taint,
  timestamp,
} from '../objects.ts';
import { tolerationOf } from '../scheduling-rules.ts';
import type { ApiClient } from '../types.ts';
import { createReconciler } from './reconciler.ts';

const gracePeriodMs = 40_000;
const monitorPeriodMs = 5_000;
const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';
const unschedulable = 'node.kubernetes.io/unschedulable';
const managedTaints = new Set([
  `${notReady}:NoSchedule`,
  `${notReady}:NoExecute`,
  `${unreachable}:NoSchedule`,
  `${unreachable}:NoExecute`,
  `${unschedulable}:NoSchedule`,
]);

/**
 * Judges nodes by their leases, taints them by their conditions, and evicts pods that do not tolerate it
 * (`pkg/controller/nodelifecycle`, grace period 40 s, and its taint manager).
 */
export function startNodeLifecycleController(client: ApiClient, clock: SimulatedClock): () => void {
  /** When this controller saw a lease renewed: its own clock counts, not the lease's text. */
  const lastSeen = new Map<string, number>();
  const evictions = new Map<string, Timer>();
  let isStopped = false;

  const taintQueue = createReconciler(clock, { name: 'node-taints', reconcile: (name) => taint(client, clock, name) });
  const evictionQueue = createReconciler(clock, { name: 'taint-eviction', reconcile: judgePodsOf });

  function monitor(): void {
    if (isStopped) return;
    for (const node of client.list<Node>('nodes')) {
      const seen = lastSeen.get(node.metadata.name) ?? clock.now();
      lastSeen.set(node.metadata.name, seen);
      if (clock.now() - seen <= gracePeriodMs) continue;
      if (conditionOf(node, 'Ready')?.status !== 'Unknown') markUnknown(node);
    }
    clock.schedule(monitorPeriodMs, monitor);
  }

  function markUnknown(node: Node): void {
    const now = timestamp(clock.now());
    const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type): Condition => {
      const old = conditionOf(node, type);
      return {
        ...old,
        type,
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: now,
        lastHeartbeatTime: old?.lastHeartbeatTime ?? now,
      };
    });
    client.updateStatus({ ...node, status: { ...node.status, conditions } });
    client.recordEvent(node, {
      type: 'Normal',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} status is now: NodeNotReady`,
      component: 'node-controller',
    });
    markPodsNotReady(node.metadata.name);
  }

  function markPodsNotReady(nodeName: string): void {
    for (const pod of client.list<Pod>('pods', { nodeName })) {
      if (!isPodReady(pod)) continue;
      const now = timestamp(clock.now());
      const conditions = (pod.status.conditions ?? []).map((condition) =>
        condition.type === 'Ready' ? { ...condition, status: 'False' as const, lastTransitionTime: now } : condition,
      );
      client.updateStatus({ ...pod, status: { ...pod.status, conditions } });
      client.recordEvent(pod, { type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready', component: 'node-controller' });
    }
  }

  function judgePodsOf(nodeName: string): void {
    const node = client.get<Node>('nodes', nodeName);
    const taints = (node?.spec.taints ?? []).filter((entry) => entry.effect === 'NoExecute');
    for (const pod of client.list<Pod>('pods', { nodeName })) judge(pod, taints);
  }

  function judge(pod: Pod, taints: readonly Taint[]): void {
    const { uid } = pod.metadata;
    if (
      taints.length === 0 ||
      pod.metadata.deletionTimestamp !== undefined ||
      pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
    ) {
      cancel(uid);
      return;
    }
    let leaveAt = Number.POSITIVE_INFINITY;
    for (const entry of taints) {
      const toleration = tolerationOf(pod.spec.tolerations, entry);
      const since = entry.timeAdded === undefined ? clock.now() : parseTimestamp(entry.timeAdded);
      if (toleration === undefined) leaveAt = Math.min(leaveAt, clock.now());
      else if (toleration.tolerationSeconds !== undefined) leaveAt = Math.min(leaveAt, since + toleration.tolerationSeconds * 1000);
    }
    if (leaveAt === Number.POSITIVE_INFINITY) {
      cancel(uid);
      return;
    }
    if (evictions.has(uid)) return;
    evictions.set(
      uid,
      clock.schedule(leaveAt - clock.now(), () => {
        evictions.delete(uid);
        const now = client.get<Pod>('pods', pod.metadata.name, pod.metadata.namespace);
        if (now === undefined || now.metadata.uid !== uid || now.metadata.deletionTimestamp !== undefined) return;
        client.recordEvent(now, {
          type: 'Normal',
          reason: 'TaintManagerEviction',
          message: `Marking for deletion Pod ${now.metadata.namespace}/${now.metadata.name}`,
          component: 'taint-eviction-controller',
        });
        client.delete('pods', now.metadata.name, now.metadata.namespace);
      }),
    );
  }

  function cancel(uid: string): void {
    evictions.get(uid)?.cancel();
    evictions.delete(uid);
  }

  const stops = [
    client.watch<Lease>('leases.coordination.k8s.io', ({ type, object }) => {
      if (object.metadata.namespace === 'kube-node-lease' && type !== 'DELETED') lastSeen.set(object.metadata.name, clock.now());
    }),
    client.watch<Node>(
      'nodes',
      ({ type, object, old }) => {
        if (type === 'DELETED') {
          lastSeen.delete(object.metadata.name);
          for (const pod of client.list<Pod>('pods', { nodeName: object.metadata.name }))
            client.delete('pods', pod.metadata.name, pod.metadata.namespace, { gracePeriodSeconds: 0 });
          return;
        }
        if (old === undefined) {
          lastSeen.set(object.metadata.name, clock.now());
          client.recordEvent(object, {
            type: 'Normal',
            reason: 'RegisteredNode',
            message: `Node ${object.metadata.name} event: Registered Node ${object.metadata.name} in Controller`,
            component: 'node-controller',
          });
        }
        if (old === undefined || old.spec !== object.spec || conditionOf(old, 'Ready')?.status !== conditionOf(object, 'Ready')?.status)
          taintQueue.enqueue(object.metadata.name);
        if (old === undefined || !isEqual(old.spec.taints, object.spec.taints)) evictionQueue.enqueue(object.metadata.name);
        if (old !== undefined && conditionOf(old, 'Ready')?.status === 'True' && conditionOf(object, 'Ready')?.status === 'False')
          markPodsNotReady(object.metadata.name);
      },
      { replay: true },
    ),
    client.watch<Pod>('pods', ({ type, object, old }) => {
      if (type === 'DELETED') return cancel(object.metadata.uid);
      if (object.spec.nodeName === undefined || (old !== undefined && old.spec.nodeName === object.spec.nodeName)) return;
      const taints = client.get<Node>('nodes', object.spec.nodeName)?.spec.taints?.filter((entry) => entry.effect === 'NoExecute') ?? [];
      if (taints.length > 0) judge(object, taints);
    }),
  ];
  clock.schedule(monitorPeriodMs, monitor);
  return () => {
    isStopped = true;
    taintQueue.stop();
    evictionQueue.stop();
    for (const timer of evictions.values()) timer.cancel();
    for (const stop of stops) stop();
  };
}

/** Taints follow the Ready condition and `spec.unschedulable`; those that others set stay. */
function taint(client: ApiClient, clock: SimulatedClock, name: string): void {
  const node = client.get<Node>('nodes', name);
  if (node === undefined) return;
  const status = conditionOf(node, 'Ready')?.status;
  const key = status === 'True' ? undefined : status === 'Unknown' ? unreachable : notReady;
  const wanted: Taint[] = [];
  if (node.spec.unschedulable === true) wanted.push({ effect: 'NoSchedule', key: unschedulable });
  if (key !== undefined) wanted.push({ effect: 'NoSchedule', key }, { effect: 'NoExecute', key });
  const existing = node.spec.taints ?? [];
  const others = existing.filter((entry) => !managedTaints.has(`${entry.key}:${entry.effect}`));
  const next = [
    ...others,
    ...wanted.map(
      (entry) =>
        existing.find((old) => old.key === entry.key && old.effect === entry.effect && old.timeAdded !== undefined) ?? {
          ...entry,
          timeAdded: timestamp(clock.now()),
        },
    ),
  ];
  const same = (a: readonly Taint[], b: readonly Taint[]): boolean =>
    a.length === b.length &&
    a.every((entry, index) => entry.key === b[index]?.key && entry.effect === b[index]?.effect && entry.value === b[index]?.value);
  if (same(existing, next)) return;
  const { taints: _taints, ...spec } = node.spec;
  client.update<Node>({ ...node, spec: next.length === 0 ? spec : { ...spec, taints: next } });
}
