import type { CustomResource, PrinterColumn, Schema } from '../types.ts';

/** One version in which a resource is served. */
export interface ServedVersion {
  readonly name: string;
  /** Of custom resources; built-in types are described in builtin-types.ts. */
  readonly schema?: Schema;
  readonly printerColumns?: readonly PrinterColumn[];
  readonly hasStatus: boolean;
  readonly deprecationWarning?: string;
}

/** A type of object that the server stores. */
export interface Resource {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  /** The first is preferred and stored. */
  readonly versions: readonly ServedVersion[];
  readonly subresources: readonly string[];
  readonly isCustom: boolean;
  /** metadata.generation counts changes of the desired state. */
  readonly hasGeneration: boolean;
}

// group version kind plural shortNames scope categories subresources; `g` marks types with metadata.generation
const builtins = `
v1 Namespace namespaces ns cluster - status,finalize
v1 Node nodes no cluster - status,proxy
v1 Pod pods po namespaced all status,log,exec,attach,portforward,proxy,eviction,binding,ephemeralcontainers
v1 Service services svc namespaced all status,proxy
v1 Endpoints endpoints ep namespaced - -
v1 ConfigMap configmaps cm namespaced - -
v1 Secret secrets - namespaced - -
v1 ServiceAccount serviceaccounts sa namespaced - token
v1 Event events ev namespaced - -
v1 LimitRange limitranges limits namespaced - -
v1 ResourceQuota resourcequotas quota namespaced - status
v1 PersistentVolumeClaim persistentvolumeclaims pvc namespaced - status
v1 PersistentVolume persistentvolumes pv cluster - status
v1 ReplicationController replicationcontrollers rc namespaced all status,scale g
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions crd,crds cluster api-extensions status g
apps/v1 ControllerRevision controllerrevisions - namespaced - -
apps/v1 DaemonSet daemonsets ds namespaced all status g
apps/v1 Deployment deployments deploy namespaced all scale,status g
apps/v1 ReplicaSet replicasets rs namespaced all scale,status g
apps/v1 StatefulSet statefulsets sts namespaced all scale,status g
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers hpa namespaced all status
batch/v1 CronJob cronjobs cj namespaced all status g
batch/v1 Job jobs - namespaced all status g
coordination.k8s.io/v1 Lease leases - namespaced - -
discovery.k8s.io/v1 EndpointSlice endpointslices - namespaced - - g
networking.k8s.io/v1 Ingress ingresses ing namespaced - status g
networking.k8s.io/v1 IngressClass ingressclasses - cluster - - g
networking.k8s.io/v1 NetworkPolicy networkpolicies netpol namespaced - - g
node.k8s.io/v1 RuntimeClass runtimeclasses - cluster - -
policy/v1 PodDisruptionBudget poddisruptionbudgets pdb namespaced - status g
rbac.authorization.k8s.io/v1 ClusterRole clusterroles - cluster - -
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings - cluster - -
rbac.authorization.k8s.io/v1 Role roles - namespaced - -
rbac.authorization.k8s.io/v1 RoleBinding rolebindings - namespaced - -
scheduling.k8s.io/v1 PriorityClass priorityclasses pc cluster - - g
storage.k8s.io/v1 StorageClass storageclasses sc cluster - -
`;

export const builtinResources: readonly Resource[] = builtins
  .trim()
  .split('\n')
  .map((line) => {
    const [groupVersion = '', kind = '', plural = '', shortNames = '-', scope = '', categories = '-', subresources = '-', generation] =
      line.split(' ');
    const [group, version] = groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion];
    const list = (text: string): readonly string[] => (text === '-' ? [] : text.split(','));
    const parts = list(subresources);
    return {
      group: group ?? '',
      kind,
      plural,
      singular: kind.toLowerCase(),
      shortNames: list(shortNames),
      categories: list(categories),
      isNamespaced: scope === 'namespaced',
      versions: [{ name: version ?? '', hasStatus: parts.includes('status') }],
      subresources: parts,
      isCustom: false,
      hasGeneration: generation === 'g',
    };
  });

export function resourceOf(definition: CustomResource): Resource {
  const hasStatus = definition.versions.some((version) => version.hasStatus);
  return {
    group: definition.group,
    kind: definition.kind,
    plural: definition.plural,
    singular: definition.singular,
    shortNames: definition.shortNames,
    categories: definition.categories ?? [],
    isNamespaced: definition.isNamespaced,
    versions: definition.versions,
    subresources: hasStatus ? ['status'] : [],
    isCustom: true,
    hasGeneration: true,
  };
}

/** `v1` or `apps/v1`. */
export function groupVersion(resource: { readonly group: string }, version: string): string {
  return resource.group === '' ? version : `${resource.group}/${version}`;
}

/** The types that a server knows, by path, by kind and by `kubectl` name. */
export class Registry {
  readonly #resources = new Map<string, Resource>();
  readonly #byKind = new Map<string, Resource>();
  #names: ReturnType<Registry['names']> | undefined;

  constructor() {
    for (const resource of builtinResources) this.add(resource);
  }

  add(resource: Resource): void {
    this.#names = undefined;
    this.#resources.set(`${resource.group}/${resource.plural}`, resource);
    this.#byKind.set(`${resource.group}/${resource.kind}`, resource);
  }

  remove(resource: Resource): void {
    this.#names = undefined;
    this.#resources.delete(`${resource.group}/${resource.plural}`);
    this.#byKind.delete(`${resource.group}/${resource.kind}`);
  }

  get all(): readonly Resource[] {
    return [...this.#resources.values()];
  }

  /** Changes only when a type is added or removed. */
  names(): readonly { readonly name: string; readonly group: string; readonly kind: string; readonly isNamespaced: boolean }[] {
    this.#names ??= this.all.map((resource) => ({
      name: resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`,
      group: resource.group,
      kind: resource.kind,
      isNamespaced: resource.isNamespaced,
    }));
    return this.#names;
  }

  find(group: string, plural: string): Resource | undefined {
    return this.#resources.get(`${group}/${plural}`);
  }

  findKind(apiVersion: string, kind: string): { readonly resource: Resource; readonly version: ServedVersion } | undefined {
    const slash = apiVersion.indexOf('/');
    const resource = this.#byKind.get(`${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind}`);
    const version = resource?.versions.find((served) => served.name === apiVersion.slice(slash + 1));
    return resource === undefined || version === undefined ? undefined : { resource, version };
  }

  /** `pods`, `deployments.apps`. */
  named(name: string): Resource {
    const dot = name.indexOf('.');
    const found = dot < 0 ? this.find('', name) : this.find(name.slice(dot + 1), name.slice(0, dot));
    if (found === undefined) throw new Error(`the API server does not serve ${name}`);
    return found;
  }
}
