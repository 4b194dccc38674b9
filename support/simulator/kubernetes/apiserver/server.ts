import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import type { Pod } from '../objects.ts';
import { timestamp } from '../objects.ts';
import type { ApiRequest, ApiServer, CustomResource, KubernetesObject, ObjectInput, WatchEvent } from '../types.ts';
import { createClient } from './client.ts';
import { Core, type Draft } from './core.ts';
import { crdOf, definitionOf } from './custom-resources.ts';
import { copy, isEqual } from './decode.ts';
import { isNotFound, qualified } from './errors.ts';
import { bindPod, HttpApi } from './http.ts';
import { resourceOf } from './registry.ts';
import { nthAddress, ServiceAllocator } from './services.ts';
import { unmodelledParts } from './unmodelled.ts';

export interface ApiServerOptions {
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** `v1.27.3` */
  readonly version: string;
  /** One of a family, or two of different ones; the first is primary. */
  readonly serviceSubnets: readonly string[];
  readonly podSubnets: readonly string[];
  /** `--service-node-port-range` */
  readonly nodePortRange?: readonly [lowest: number, highest: number] | undefined;
}

/** An API server with empty storage, but for what a real one makes at its start. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { clock, version } = options;
  const random = options.random.stream('apiserver');
  const core = new Core(clock, random, new ServiceAllocator(options.serviceSubnets, random.stream('services'), options.nodePortRange));
  const client = createClient(core);
  const server: ApiServer = {
    clock,
    version,
    client,
    handle: (request: ApiRequest) => http.handle(request),
    watch: (request: ApiRequest, onEvent: (event: WatchEvent) => void) => http.watch(request, onEvent),
    defineCustomResource,
    execInPod: undefined,
    containerOf: undefined,
    previousContainerOf: undefined,
    addAdmissionWarning: (check) => http.addAdmissionWarning(check),
    resources: () => core.registry.names(),
    onResource: (listener) => listeners.push(listener),
    bindPod: (namespace, name, nodeName) => {
      const pods = core.registry.named('pods');
      bindPod(core, pods, core.get(pods, namespace, name) as Pod, nodeName);
    },
  };
  const http = new HttpApi(core, server);
  const listeners: ((resource: string) => void)[] = [];
  http.addAdmissionWarning(unmodelledParts);

  function serve(definition: CustomResource): void {
    const known = core.registry.find(definition.group, definition.plural);
    const next = resourceOf(definition);
    if (known === undefined) {
      core.registry.add(next);
      for (const listener of listeners) listener(qualified(next));
    } else if (known.isCustom) core.registry.add(Object.assign(known, next));
  }

  function defineCustomResource(definition: CustomResource): void {
    serve(definition);
    const crd = crdOf(definition);
    const existing = client.get('customresourcedefinitions.apiextensions.k8s.io', crd.metadata.name ?? '');
    if (existing === undefined) client.create(crd);
    else client.update({ ...existing, spec: crd['spec'] });
  }

  watchDefinitions(core, serve);

  for (const [name, value, description] of [
    [
      'system-cluster-critical',
      2_000_000_000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ],
    ['system-node-critical', 2_000_001_000, 'Used for system critical pods that must not be moved from their current node.'],
  ] as const)
    client.create({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description });
  for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
    client.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const first = options.serviceSubnets[0];
  if (first !== undefined) client.create(kubernetesService(nthAddress(first, 1)));
  return server;
}

function kubernetesService(clusterIP: string): ObjectInput {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  };
}

/** The apiextensions controllers: a definition is served, and says so, a moment after it was stored. */
function watchDefinitions(core: Core, serve: (definition: CustomResource) => void): void {
  const resource = core.registry.named('customresourcedefinitions.apiextensions.k8s.io');
  const version = resource.versions[0];
  if (version === undefined) return;
  core.store(resource).watch((change) => {
    const definition = definitionOf(change.object);
    if (change.type === 'DELETED') {
      const served = core.registry.find(definition.group, definition.plural);
      if (served?.isCustom !== true) return;
      for (const object of core.store(served).list()) removeCustom(core, served, object);
      core.registry.remove(served);
      return;
    }
    if (change.type === 'MODIFIED' && change.old !== undefined && isEqual(change.old['spec'], change.object['spec'])) return;
    serve(definition);
    markEstablished(core, resource, version, change.object, definition);
  });
}

function removeCustom(core: Core, resource: Parameters<Core['store']>[0], object: KubernetesObject): void {
  try {
    core.delete(resource, object.metadata.namespace, object.metadata.name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function markEstablished(
  core: Core,
  resource: Parameters<Core['store']>[0],
  version: Parameters<Core['update']>[1],
  object: KubernetesObject,
  definition: CustomResource,
): void {
  const now = timestamp(core.clock.now());
  const names = (object['spec'] as { readonly names: unknown }).names;
  const old = core.store(resource).get(undefined, object.metadata.name);
  if (old === undefined) return;
  const known = (old['status'] as { readonly conditions?: readonly unknown[] | null } | undefined)?.conditions;
  const conditions = known ?? [
    { lastTransitionTime: now, message: 'no conflicts found', reason: 'NoConflicts', status: 'True', type: 'NamesAccepted' },
    {
      lastTransitionTime: now,
      message: 'the initial names have been accepted',
      reason: 'InitialNamesAccepted',
      status: 'True',
      type: 'Established',
    },
  ];
  const draft: Draft = {
    ...old,
    metadata: { ...old.metadata },
    status: { acceptedNames: copy(names), conditions: copy(conditions), storedVersions: [definition.versions[0]?.name] },
  };
  core.update(resource, version, undefined, old.metadata.name, draft, { subresource: 'status' });
}
