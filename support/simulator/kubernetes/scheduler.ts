import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import { quantity } from './apiserver/validation.ts';
import { createReconciler } from './controllers/reconciler.ts';
import { matchesMap, matchesSelector } from './labels.ts';
import {
  controllerOf,
  isPodActive,
  keyOf,
  type Namespace,
  type Node,
  type Pod,
  type PodAffinityTerm,
  type Service,
  splitKey,
  timestamp,
} from './objects.ts';
import { kinPenalty, SchedulerCache } from './scheduler-cache.ts';
import { matchesNodeAffinity, matchesTerm, tolerates, untoleratedTaint } from './scheduling-rules.ts';
import type { ApiClient, ApiServer, Reconciler } from './types.ts';

const component = 'default-scheduler';
/** kube-scheduler retries an unschedulable pod on events, and after at most this time. */
const retryMs = 60_000;
const bindDelayMs = 20;

/**
 * Binds pods to nodes (kube-scheduler): filters by node name, cordon, taints, selectors, affinity, ports and resources; scores by spreading
 * the pods of one owner or service and by fewer pods; a seeded draw decides between equals. Not modelled: preemption, volumes.
 */
export function startScheduler(server: ApiServer, clock: SimulatedClock, random: Random): () => void {
  const { client } = server;
  const unschedulable = new Set<string>();
  const cache = new SchedulerCache(client, (pod, name) => {
    const node = client.get<Node>('nodes', name);
    return node === undefined || refuse(client, pod, node).length > 0 ? undefined : plainScore(client, pod, node);
  });
  for (const node of client.list<Node>('nodes')) cache.nodeChanged(node.metadata.name);
  const queue: Reconciler = createReconciler(clock, { name: 'scheduler', delayMs: bindDelayMs, reconcile: (key) => schedule(key) });
  const retryAll = (): void => {
    for (const key of unschedulable) queue.enqueue(key);
  };

  function schedule(key: string): void {
    const { namespace = '', name } = splitKey(key);
    const pod = client.get<Pod>('pods', name, namespace);
    if (pod === undefined || !isPending(pod)) {
      unschedulable.delete(key);
      return;
    }
    const outcome = place(client, pod, random, cache);
    if ('node' in outcome) {
      unschedulable.delete(key);
      server.bindPod?.(namespace, name, outcome.node);
      cache.podChanged(key);
      const bound = client.get<Pod>('pods', name, namespace);
      if (bound === undefined) return;
      client.recordEvent(bound, {
        type: 'Normal',
        reason: 'Scheduled',
        message: `Successfully assigned ${key} to ${outcome.node}`,
        component,
      });
      return;
    }
    unschedulable.add(key);
    setUnschedulable(client, clock, pod, outcome.reason);
    client.recordEvent(pod, { type: 'Warning', reason: 'FailedScheduling', message: outcome.reason, component });
    queue.enqueue(key, retryMs);
  }

  const stops = [
    client.watch<Pod>(
      'pods',
      ({ type, object }) => {
        cache.podChanged(keyOf(object));
        if (type === 'DELETED') {
          unschedulable.delete(keyOf(object));
          if (object.spec.nodeName !== undefined) retryAll();
        } else if (isPending(object) && !unschedulable.has(keyOf(object))) queue.enqueue(keyOf(object));
      },
      { replay: true },
    ),
    client.watch<Service>('services', ({ type, object, old }) => cache.serviceChanged(object, old, type === 'DELETED'), { replay: true }),
    client.watch<Node>('nodes', ({ object, old }) => {
      cache.nodeChanged(object.metadata.name);
      if (old === undefined || old.spec !== object.spec || old.metadata.labels !== object.metadata.labels) retryAll();
    }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

function isPending(pod: Pod): boolean {
  return (
    pod.spec.nodeName === undefined &&
    pod.metadata.deletionTimestamp === undefined &&
    pod.spec.schedulerName === 'default-scheduler' &&
    pod.status.phase === 'Pending'
  );
}

function setUnschedulable(client: ApiClient, clock: SimulatedClock, pod: Pod, message: string): void {
  const others = (pod.status.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled');
  const old = pod.status.conditions?.find((condition) => condition.type === 'PodScheduled');
  const time = old?.status === 'False' ? old.lastTransitionTime : timestamp(clock.now());
  const condition = {
    lastProbeTime: null,
    lastTransitionTime: time ?? null,
    message,
    reason: 'Unschedulable',
    status: 'False',
    type: 'PodScheduled',
  };
  client.updateStatus({ ...pod, status: { ...pod.status, conditions: [...others, condition] } });
}

/** What of a pod decides where it can be and how good a node is; undefined when other pods' places do, too. */
function requirementsOf(pod: Pod): string | undefined {
  const { affinity, containers, nodeSelector, tolerations, topologySpreadConstraints } = pod.spec;
  if (affinity?.podAffinity !== undefined || affinity?.podAntiAffinity !== undefined || topologySpreadConstraints !== undefined)
    return undefined;
  if (containers.some(({ ports }) => ports?.some(({ hostPort }) => (hostPort ?? 0) !== 0))) return undefined;
  return JSON.stringify([tolerations, nodeSelector, affinity?.nodeAffinity, containers.map(({ resources }) => resources?.requests)]);
}

/** The only nodes that a pod's affinity allows by name: those of daemon pods (kube-scheduler's NodeAffinity, PreFilter). */
function namedNodes(client: ApiClient, pod: Pod): readonly Node[] | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const names = new Set<string>();
  for (const term of terms ?? []) {
    const field = term.matchFields?.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (field === undefined) return undefined;
    for (const name of field.values ?? []) names.add(name);
  }
  return terms === undefined ? undefined : [...names].sort().flatMap((name) => client.get<Node>('nodes', name) ?? []);
}

function place(
  client: ApiClient,
  pod: Pod,
  random: Random,
  cache: SchedulerCache,
): { readonly node: string } | { readonly reason: string } {
  const named = namedNodes(client, pod);
  if (named !== undefined) {
    const outcome = weigh(client, pod, random, named);
    if ('node' in outcome) return outcome;
  } else {
    const requirements = requirementsOf(pod);
    const node = requirements === undefined ? undefined : cache.place(pod, requirements, random);
    if (node !== undefined) return { node };
  }
  return weigh(client, pod, random, client.list<Node>('nodes'));
}

/** Looks at every one of the nodes. */
function weigh(
  client: ApiClient,
  pod: Pod,
  random: Random,
  nodes: readonly Node[],
): { readonly node: string } | { readonly reason: string } {
  const reasons = new Map<string, number>();
  const helpful = new Map<string, number>();
  const fitting: Node[] = [];
  for (const node of nodes) {
    const refusals = refuse(client, pod, node);
    if (refusals.length === 0) fitting.push(node);
    else {
      const text = refusals.every((refusal) => isResolvable(refusal))
        ? 'No preemption victims found for incoming pod'
        : 'Preemption is not helpful for scheduling';
      helpful.set(text, (helpful.get(text) ?? 0) + 1);
    }
    for (const refusal of refusals) reasons.set(refusal, (reasons.get(refusal) ?? 0) + 1);
  }
  if (fitting.length === 0) {
    if (nodes.length === 0) return { reason: 'no nodes available to schedule pods' };
    const list = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
    const help = [...helpful].map(([text, count]) => `${count} ${text}`).sort();
    return {
      reason: `0/${nodes.length} nodes are available: ${list.join(', ')}. preemption: 0/${nodes.length} nodes are available: ${help.join(', ')}..`,
    };
  }
  const scored = fitting.map((node) => ({ node, score: score(client, pod, node) }));
  const best = Math.max(...scored.map((entry) => entry.score));
  const winners = scored.filter((entry) => entry.score === best);
  return { node: random.pick(winners).node.metadata.name };
}

/** Removing other pods might help (`Unschedulable`, as against `UnschedulableAndUnresolvable`). */
function isResolvable(refusal: string): boolean {
  return /^(Insufficient|Too many pods)|free ports|anti-affinity|spread constraints$/.test(refusal);
}

/** Why a node cannot take a pod: the first failing plugin's words, in kube-scheduler's order. */
function refuse(client: ApiClient, pod: Pod, node: Node): readonly string[] {
  if (
    node.spec.unschedulable === true &&
    !tolerates(pod.spec.tolerations, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' })
  )
    return ['node(s) were unschedulable'];
  const taint = untoleratedTaint(pod.spec, node);
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  if (!matchesNodeAffinity(pod.spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  const here = client
    .list<Pod>('pods', { nodeName: node.metadata.name })
    .filter((other) => other.status.phase !== 'Succeeded' && other.status.phase !== 'Failed');
  if (hasPortConflict(pod, here)) return ["node(s) didn't have free ports for the requested pod ports"];
  const lacking = lackingResources(pod, node, here);
  if (lacking.length > 0) return lacking;
  return affinityRefusals(client, pod, node);
}

function hasPortConflict(pod: Pod, others: readonly Pod[]): boolean {
  const ports = (of: Pod) =>
    of.spec.containers
      .flatMap((container) => container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) !== 0)
      .map(({ hostIP = '', hostPort, protocol }) => ({ port: `${hostPort}/${protocol}`, ip: hostIP === '' ? '0.0.0.0' : hostIP }));
  const wanted = ports(pod);
  const collides = (a: (typeof wanted)[number], b: (typeof wanted)[number]): boolean =>
    a.port === b.port && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');
  return wanted.length > 0 && others.some((other) => ports(other).some((port) => wanted.some((own) => collides(own, port))));
}

function requests(pod: Pod, resource: 'cpu' | 'memory'): number {
  return pod.spec.containers.reduce((sum, container) => sum + quantity(container.resources?.requests?.[resource] ?? '0'), 0);
}

function lackingResources(pod: Pod, node: Node, here: readonly Pod[]): readonly string[] {
  const lacking: string[] = [];
  const allocatable = node.status.allocatable ?? {};
  if (allocatable['pods'] !== undefined && here.length + 1 > Number(allocatable['pods'])) lacking.push('Too many pods');
  for (const resource of ['cpu', 'memory'] as const) {
    const wanted = requests(pod, resource);
    const capacity = allocatable[resource];
    if (
      wanted > 0 &&
      capacity !== undefined &&
      wanted + here.reduce((sum, other) => sum + requests(other, resource), 0) > quantity(capacity)
    )
      lacking.push(`Insufficient ${resource}`);
  }
  return lacking;
}

function topologyOf(node: Node | undefined, key: string): string | undefined {
  return node?.metadata.labels?.[key];
}

/** Nodes of a small domain (a host, a rack) have fewer pods than a selector may match. */
const smallDomain = 8;

/** {@link podsMatching}, in the part of the cluster that shares the node's value of the term's topology key. */
function podsMatchingNear(client: ApiClient, of: Pod, term: PodAffinityTerm, node: Node): readonly Pod[] {
  const value = topologyOf(node, term.topologyKey);
  if (value === undefined) return [];
  const domain = client.list<Node>('nodes', { labels: { matchLabels: { [term.topologyKey]: value } } });
  if (domain.length > smallDomain) {
    const isInDomain = (other: Pod): boolean =>
      topologyOf(client.get<Node>('nodes', other.spec.nodeName ?? ''), term.topologyKey) === value;
    return podsMatching(client, of, term).filter(isInDomain);
  }
  const namespaces = namespacesOf(client, of, term);
  return domain
    .flatMap(({ metadata }) => client.list<Pod>('pods', { nodeName: metadata.name }))
    .filter(
      (pod) =>
        term.labelSelector !== undefined &&
        isPodActive(pod) &&
        namespaces.has(pod.metadata.namespace ?? '') &&
        matchesSelector(term.labelSelector, pod.metadata.labels),
    );
}

function namespacesOf(client: ApiClient, of: Pod, term: PodAffinityTerm): ReadonlySet<string> {
  const namespaces = new Set(term.namespaces ?? (term.namespaceSelector === undefined ? [of.metadata.namespace ?? ''] : []));
  if (term.namespaceSelector !== undefined)
    for (const namespace of client.list<Namespace>('namespaces', { labels: term.namespaceSelector }))
      namespaces.add(namespace.metadata.name);
  return namespaces;
}

function podsMatching(client: ApiClient, of: Pod, term: PodAffinityTerm): readonly Pod[] {
  return [...namespacesOf(client, of, term)]
    .flatMap((namespace) =>
      client.list<Pod>('pods', { namespace, ...(term.labelSelector === undefined ? {} : { labels: term.labelSelector }) }),
    )
    .filter((pod) => pod.spec.nodeName !== undefined && isPodActive(pod) && term.labelSelector !== undefined);
}

function affinityRefusals(client: ApiClient, pod: Pod, node: Node): readonly string[] {
  for (const term of pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (podsMatchingNear(client, pod, term, node).length > 0) continue;
    // The first pod of a group that wants to be together may go anywhere.
    const isFirst = matchesSelector(term.labelSelector, pod.metadata.labels) && podsMatching(client, pod, term).length === 0;
    if (!isFirst) return ["node(s) didn't match pod affinity rules"];
  }
  for (const term of pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (podsMatchingNear(client, pod, term, node).length > 0) return ["node(s) didn't match pod anti-affinity rules"];
  }
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    if (constraint.whenUnsatisfiable !== 'DoNotSchedule') continue;
    const counts = new Map<string, number>();
    for (const other of client.list<Node>('nodes')) {
      const value = topologyOf(other, constraint.topologyKey);
      if (value !== undefined && matchesNodeAffinity(pod.spec, other)) counts.set(value, counts.get(value) ?? 0);
    }
    for (const other of client.list<Pod>('pods', {
      namespace: pod.metadata.namespace ?? 'default',
      ...(constraint.labelSelector === undefined ? {} : { labels: constraint.labelSelector }),
    })) {
      const value =
        other.spec.nodeName === undefined || !isPodActive(other)
          ? undefined
          : topologyOf(client.get<Node>('nodes', other.spec.nodeName), constraint.topologyKey);
      if (value !== undefined && counts.has(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const value = topologyOf(node, constraint.topologyKey);
    if (value === undefined) return ["node(s) didn't match pod topology spread constraints (missing required label)"];
    if ((counts.get(value) ?? 0) + 1 - Math.min(...counts.values()) > constraint.maxSkew)
      return ["node(s) didn't match pod topology spread constraints"];
  }
  return [];
}

/** What a node is worth to a pod, with regard to the pods of its kind that are there. */
function score(client: ApiClient, pod: Pod, node: Node): number {
  const here = client.list<Pod>('pods', { nodeName: node.metadata.name }).filter(isPodActive);
  const owner = controllerOf(pod)?.uid;
  const services = client
    .list<Service>('services', { namespace: pod.metadata.namespace ?? 'default' })
    .filter((service) => matchesMap(service.spec.selector, pod.metadata.labels));
  const isAlike = (other: Pod): boolean => {
    if (other.metadata.namespace !== pod.metadata.namespace) return false;
    return (
      (owner !== undefined && controllerOf(other)?.uid === owner) ||
      services.some((service) => matchesMap(service.spec.selector, other.metadata.labels))
    );
  };
  return plainScore(client, pod, node) - here.filter(isAlike).length * kinPenalty;
}

function plainScore(client: ApiClient, pod: Pod, node: Node): number {
  const here = client.list<Pod>('pods', { nodeName: node.metadata.name }).filter(isPodActive);
  let preferred = 0;
  for (const { weight, preference } of pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    if (matchesTerm(preference, node)) preferred += weight;
  for (const [sign, rules] of [
    [1, pod.spec.affinity?.podAffinity],
    [-1, pod.spec.affinity?.podAntiAffinity],
  ] as const) {
    for (const { weight, podAffinityTerm } of rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      preferred += sign * weight * podsMatchingNear(client, pod, podAffinityTerm, node).length;
    }
  }
  const disliked = (node.spec.taints ?? []).filter(
    (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.spec.tolerations, taint),
  ).length;
  return preferred * 1000 - disliked * 300 - here.length;
}
