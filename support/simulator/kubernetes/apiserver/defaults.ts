import { decodeRaw } from '../../docker/byte-text.ts';

/** Default values of the built-in types, as `pkg/apis/…/v1/defaults.go` of Kubernetes 1.27 sets them. Objects are changed in place. */

type Draft = Record<string, unknown>;

function object(parent: Draft, field: string): Draft {
  const value = parent[field];
  if (typeof value === 'object' && value !== null) return value as Draft;
  const made: Draft = {};
  parent[field] = made;
  return made;
}

function drafts(value: unknown): Draft[] {
  return Array.isArray(value) ? (value as Draft[]) : [];
}

function fallback(draft: Draft, field: string, value: unknown): void {
  draft[field] ??= value;
}

export function setDefaults(kind: string, draft: Draft): void {
  switch (kind) {
    case 'Pod':
      podSpec(object(draft, 'spec'));
      fallback(draft, 'status', {});
      return;
    case 'Service':
      service(draft);
      return;
    case 'Deployment':
      deployment(draft);
      return;
    case 'ReplicaSet':
      replicaSet(draft);
      return;
    case 'DaemonSet':
      daemonSet(draft);
      return;
    case 'StatefulSet':
      statefulSet(draft);
      return;
    case 'Job':
      job(draft);
      return;
    case 'CronJob':
      cronJob(draft);
      return;
    case 'Namespace': {
      const name = object(draft, 'metadata')['name'];
      if (typeof name === 'string' && name !== '') object(object(draft, 'metadata'), 'labels')['kubernetes.io/metadata.name'] = name;
      fallback(draft, 'spec', {});
      fallback(object(draft, 'status'), 'phase', 'Active');
      return;
    }
    case 'Node':
      fallback(draft, 'spec', {});
      fallback(draft, 'status', {});
      return;
    case 'Secret':
      secret(draft);
      return;
    case 'Endpoints':
      for (const subset of drafts(draft['subsets'])) for (const port of drafts(subset['ports'])) fallback(port, 'protocol', 'TCP');
      return;
    case 'EndpointSlice':
      for (const port of drafts(draft['ports'])) {
        fallback(port, 'name', '');
        fallback(port, 'protocol', 'TCP');
      }
      for (const endpoint of drafts(draft['endpoints'])) fallback(endpoint, 'conditions', {});
      return;
    case 'Event':
      fallback(draft, 'source', {});
      fallback(draft, 'reportingComponent', '');
      fallback(draft, 'reportingInstance', '');
      return;
    case 'NetworkPolicy':
      networkPolicy(draft);
      return;
    case 'StorageClass':
      fallback(draft, 'reclaimPolicy', 'Delete');
      fallback(draft, 'volumeBindingMode', 'Immediate');
      return;
    case 'PriorityClass':
      fallback(draft, 'preemptionPolicy', 'PreemptLowerPriority');
      return;
    case 'RoleBinding':
    case 'ClusterRoleBinding': {
      const roleRef = object(draft, 'roleRef');
      if (roleRef['apiGroup'] === undefined || roleRef['apiGroup'] === '') roleRef['apiGroup'] = 'rbac.authorization.k8s.io';
      for (const subject of drafts(draft['subjects']))
        if (subject['kind'] !== 'ServiceAccount') fallback(subject, 'apiGroup', 'rbac.authorization.k8s.io');
      return;
    }
    case 'CustomResourceDefinition':
      customResourceDefinition(draft);
      return;
    case 'ReplicationController': {
      const spec = object(draft, 'spec');
      fallback(spec, 'replicas', 1);
      template(spec);
      const labels = object(object(spec, 'template'), 'metadata')['labels'];
      const metadata = object(draft, 'metadata');
      if (labels !== undefined) {
        fallback(spec, 'selector', { ...(labels as object) });
        fallback(metadata, 'labels', { ...(labels as object) });
      }
      return;
    }
    case 'PersistentVolumeClaim':
      protect(draft, 'kubernetes.io/pvc-protection');
      persistentVolumeClaim(draft);
      return;
    case 'PersistentVolume':
      protect(draft, 'kubernetes.io/pv-protection');
      persistentVolume(draft);
      return;
    case 'HorizontalPodAutoscaler':
      horizontalPodAutoscaler(draft);
      return;
    case 'LimitRange':
      limitRange(draft);
      return;
    case 'Ingress':
      fallback(draft, 'spec', {});
      fallback(draft, 'status', { loadBalancer: {} });
      return;
  }
}

function template(spec: Draft): void {
  const made = object(spec, 'template');
  fallback(made, 'metadata', {});
  object(made, 'metadata')['creationTimestamp'] = null;
  podSpec(object(made, 'spec'));
}

function podSpec(spec: Draft): void {
  for (const container of drafts(spec['containers'])) containerDefaults(container, spec);
  for (const container of drafts(spec['initContainers'])) containerDefaults(container, spec);
  for (const volume of drafts(spec['volumes'])) volumeDefaults(volume);
  fallback(spec, 'dnsPolicy', 'ClusterFirst');
  fallback(spec, 'restartPolicy', 'Always');
  fallback(spec, 'schedulerName', 'default-scheduler');
  fallback(spec, 'securityContext', {});
  fallback(spec, 'terminationGracePeriodSeconds', 30);
  if (typeof spec['serviceAccountName'] === 'string') spec['serviceAccount'] = spec['serviceAccountName'];
  else if (typeof spec['serviceAccount'] === 'string') spec['serviceAccountName'] = spec['serviceAccount'];
}

/** Further defaults that a Pod gets when it is admitted, but a pod template does not. */
export function admitPodDefaults(spec: Draft): void {
  fallback(spec, 'enableServiceLinks', true);
}

function containerDefaults(container: Draft, spec: Draft): void {
  if (container['imagePullPolicy'] === undefined && typeof container['image'] === 'string') {
    const image = container['image'].split('@')[0] ?? '';
    const tag = /:([^/:]+)$/.exec(image)?.[1];
    const isLatest = !container['image'].includes('@') && (tag === undefined || tag === 'latest');
    container['imagePullPolicy'] = isLatest ? 'Always' : 'IfNotPresent';
  }
  fallback(container, 'resources', {});
  fallback(container, 'terminationMessagePath', '/dev/termination-log');
  fallback(container, 'terminationMessagePolicy', 'File');
  const { limits, requests } = container['resources'] as { limits?: Record<string, string>; requests?: Record<string, string> };
  if (limits !== undefined) (container['resources'] as Draft)['requests'] = { ...limits, ...requests };
  for (const port of drafts(container['ports'])) {
    fallback(port, 'protocol', 'TCP');
    if (spec['hostNetwork'] === true) fallback(port, 'hostPort', port['containerPort']);
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = container[name] as Draft | undefined;
    if (probe !== undefined) probeDefaults(probe);
  }
  for (const variable of drafts(container['env'])) {
    const fieldRef = (variable['valueFrom'] as Draft | undefined)?.['fieldRef'] as Draft | undefined;
    if (fieldRef !== undefined) fallback(fieldRef, 'apiVersion', 'v1');
    const resourceRef = (variable['valueFrom'] as Draft | undefined)?.['resourceFieldRef'] as Draft | undefined;
    if (resourceRef !== undefined) fallback(resourceRef, 'divisor', '0');
  }
}

function probeDefaults(probe: Draft): void {
  fallback(probe, 'timeoutSeconds', 1);
  fallback(probe, 'periodSeconds', 10);
  fallback(probe, 'successThreshold', 1);
  fallback(probe, 'failureThreshold', 3);
  const httpGet = probe['httpGet'] as Draft | undefined;
  if (httpGet !== undefined) {
    fallback(httpGet, 'path', '/');
    fallback(httpGet, 'scheme', 'HTTP');
  }
  const grpc = probe['grpc'] as Draft | undefined;
  if (grpc !== undefined) fallback(grpc, 'service', '');
}

function volumeDefaults(volume: Draft): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume['emptyDir'] = {};
  for (const source of ['secret', 'configMap', 'projected', 'downwardAPI']) {
    const value = volume[source] as Draft | undefined;
    if (value !== undefined) fallback(value, 'defaultMode', 420);
  }
  for (const item of drafts((volume['downwardAPI'] as Draft | undefined)?.['items'])) {
    const fieldRef = item['fieldRef'] as Draft | undefined;
    if (fieldRef !== undefined) fallback(fieldRef, 'apiVersion', 'v1');
  }
  const hostPath = volume['hostPath'] as Draft | undefined;
  if (hostPath !== undefined) fallback(hostPath, 'type', '');
  for (const source of drafts((volume['projected'] as Draft | undefined)?.['sources'])) {
    const token = source['serviceAccountToken'] as Draft | undefined;
    if (token !== undefined) fallback(token, 'expirationSeconds', 3600);
    for (const item of drafts((source['downwardAPI'] as Draft | undefined)?.['items'])) {
      const fieldRef = item['fieldRef'] as Draft | undefined;
      if (fieldRef !== undefined) fallback(fieldRef, 'apiVersion', 'v1');
    }
  }
}

function service(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'sessionAffinity', 'None');
  fallback(spec, 'type', 'ClusterIP');
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  if (spec['sessionAffinity'] === 'ClientIP') {
    const config = object(object(spec, 'sessionAffinityConfig'), 'clientIP');
    fallback(config, 'timeoutSeconds', 10800);
  }
  for (const port of drafts(spec['ports'])) {
    fallback(port, 'protocol', 'TCP');
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '') port['targetPort'] = port['port'] ?? 0;
  }
  const { type } = spec;
  if (type === 'NodePort' || type === 'LoadBalancer') fallback(spec, 'externalTrafficPolicy', 'Cluster');
  if (type !== 'ExternalName') fallback(spec, 'internalTrafficPolicy', 'Cluster');
  if (type === 'LoadBalancer') fallback(spec, 'allocateLoadBalancerNodePorts', true);
  fallback(object(draft, 'status'), 'loadBalancer', {});
}

function deployment(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'replicas', 1);
  const strategy = object(spec, 'strategy');
  fallback(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate') {
    const rolling = object(strategy, 'rollingUpdate');
    fallback(rolling, 'maxUnavailable', '25%');
    fallback(rolling, 'maxSurge', '25%');
  }
  fallback(spec, 'revisionHistoryLimit', 10);
  fallback(spec, 'progressDeadlineSeconds', 600);
  template(spec);
  fallback(draft, 'status', {});
}

function replicaSet(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'replicas', 1);
  template(spec);
  fallback(draft, 'status', { replicas: 0 });
}

function daemonSet(draft: Draft): void {
  const spec = object(draft, 'spec');
  const strategy = object(spec, 'updateStrategy');
  fallback(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate') {
    const rolling = object(strategy, 'rollingUpdate');
    fallback(rolling, 'maxUnavailable', 1);
    fallback(rolling, 'maxSurge', 0);
  }
  fallback(spec, 'revisionHistoryLimit', 10);
  template(spec);
  fallback(draft, 'status', { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 });
}

function statefulSet(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'podManagementPolicy', 'OrderedReady');
  fallback(spec, 'replicas', 1);
  fallback(spec, 'revisionHistoryLimit', 10);
  const strategy = object(spec, 'updateStrategy');
  fallback(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate') fallback(object(strategy, 'rollingUpdate'), 'partition', 0);
  fallback(spec, 'persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Retain', whenScaled: 'Retain' });
  fallback(spec, 'serviceName', '');
  for (const claim of drafts(spec['volumeClaimTemplates'])) {
    claim['apiVersion'] = 'v1';
    claim['kind'] = 'PersistentVolumeClaim';
    fallback(object(claim, 'metadata'), 'creationTimestamp', null);
    persistentVolumeClaim(claim);
  }
  template(spec);
  fallback(draft, 'status', { availableReplicas: 0, replicas: 0 });
}

function job(draft: Draft): void {
  const spec = object(draft, 'spec');
  jobSpec(spec);
  fallback(draft, 'status', {});
}

function jobSpec(spec: Draft): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) {
    spec['completions'] = 1;
    spec['parallelism'] = 1;
  }
  fallback(spec, 'parallelism', 1);
  fallback(spec, 'backoffLimit', 6);
  fallback(spec, 'completionMode', 'NonIndexed');
  fallback(spec, 'suspend', false);
  template(spec);
}

function cronJob(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'concurrencyPolicy', 'Allow');
  fallback(spec, 'suspend', false);
  fallback(spec, 'successfulJobsHistoryLimit', 3);
  fallback(spec, 'failedJobsHistoryLimit', 1);
  const jobTemplate = object(spec, 'jobTemplate');
  fallback(jobTemplate, 'metadata', {});
  const inner = object(jobTemplate, 'spec');
  fallback(inner, 'template', {});
  podSpec(object(object(inner, 'template'), 'spec'));
  fallback(draft, 'status', {});
}

function persistentVolumeClaim(draft: Draft): void {
  fallback(object(draft, 'spec'), 'volumeMode', 'Filesystem');
  fallback(object(draft, 'status'), 'phase', 'Pending');
}

function persistentVolume(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'persistentVolumeReclaimPolicy', 'Retain');
  fallback(spec, 'volumeMode', 'Filesystem');
  const hostPath = spec['hostPath'] as Draft | undefined;
  if (hostPath !== undefined) fallback(hostPath, 'type', '');
  fallback(object(draft, 'status'), 'phase', 'Pending');
}

/** What protects a claim or a volume in use (admission plugin StorageObjectInUseProtection). */
function protect(draft: Draft, finalizer: string): void {
  const metadata = object(draft, 'metadata');
  const finalizers = (metadata['finalizers'] ?? []) as readonly string[];
  if (metadata['uid'] !== undefined && metadata['resourceVersion'] === undefined && !finalizers.includes(finalizer))
    metadata['finalizers'] = [...finalizers, finalizer];
}

function horizontalPodAutoscaler(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'minReplicas', 1);
  if (drafts(spec['metrics']).length === 0)
    spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }];
}

function limitRange(draft: Draft): void {
  for (const item of drafts(object(draft, 'spec')['limits'])) {
    if (item['type'] !== 'Container') continue;
    const limits = { ...(item['max'] as object), ...(item['default'] as object) };
    if (Object.keys(limits).length > 0) item['default'] = limits;
    const requests = { ...limits, ...(item['min'] as object), ...(item['defaultRequest'] as object) };
    if (Object.keys(requests).length > 0) item['defaultRequest'] = requests;
  }
}

function secret(draft: Draft): void {
  fallback(draft, 'type', 'Opaque');
  const text = draft['stringData'] as Record<string, string> | undefined;
  if (text === undefined) return;
  const data = object(draft, 'data');
  for (const [key, value] of Object.entries(text)) data[key] = base64(value);
  delete draft['stringData'];
}

/** Base64 of the text's UTF-8 form. */
export function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Bytes that are no text as {@link decodeRaw} writes them. */
export function fromBase64(text: string): string {
  return decodeRaw(Buffer.from(text, 'base64'));
}

function networkPolicy(draft: Draft): void {
  const spec = object(draft, 'spec');
  fallback(spec, 'podSelector', {});
  for (const field of ['ingress', 'egress'])
    for (const rule of drafts(spec[field])) for (const port of drafts(rule['ports'])) fallback(port, 'protocol', 'TCP');
  if (spec['policyTypes'] === undefined) spec['policyTypes'] = spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
}

function customResourceDefinition(draft: Draft): void {
  const spec = object(draft, 'spec');
  const names = object(spec, 'names');
  if (typeof names['kind'] === 'string') {
    fallback(names, 'singular', names['kind'].toLowerCase());
    fallback(names, 'listKind', `${names['kind']}List`);
  }
  fallback(spec, 'conversion', { strategy: 'None' });
  fallback(draft, 'status', { acceptedNames: { kind: '', plural: '' }, conditions: null, storedVersions: null });
}
