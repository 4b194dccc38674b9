import { groupVersion, type Registry, type Resource } from './registry.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const statusVerbs = ['get', 'patch', 'update'];

/** Types that only answer questions; nothing of them is stored. */
const reviews = [
  { group: 'authentication.k8s.io', kind: 'SelfSubjectReview', plural: 'selfsubjectreviews', isNamespaced: false },
  { group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', isNamespaced: false },
  { group: 'authorization.k8s.io', kind: 'SelfSubjectRulesReview', plural: 'selfsubjectrulesreviews', isNamespaced: false },
] as const;

/** Built-in groups first, in the order of `kubectl get all`. */
const groupOrder = [
  '',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
];

interface Group {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
}

export function groupsOf(registry: Registry): readonly Group[] {
  const versions = new Map<string, string[]>();
  for (const name of groupOrder) versions.set(name, []);
  for (const { group } of reviews) versions.set(group, ['v1']);
  for (const resource of registry.all) {
    const list = versions.get(resource.group) ?? [];
    for (const { name } of resource.versions) if (!list.includes(name)) list.push(name);
    versions.set(resource.group, list);
  }
  return [...versions].filter(([, list]) => list.length > 0).map(([name, list]) => ({ name, versions: [...list].sort(compareVersions) }));
}

/** Kubernetes version priority: v2 before v1 before v1beta1 before v1alpha1. */
function compareVersions(a: string, b: string): number {
  const rank = (text: string): readonly number[] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    return match === null
      ? [-1, 0, 0]
      : [match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
  };
  const left = rank(a);
  const right = rank(b);
  for (const [index, value] of left.entries()) if (value !== right[index]) return (right[index] ?? 0) - value;
  return 0;
}

/** `APIGroupDiscoveryList` of `/api` (core) or `/apis` (all others). */
export function aggregatedDiscovery(registry: Registry, isCore: boolean, version: 'v2' | 'v2beta1'): unknown {
  const groups = groupsOf(registry).filter((group) => (group.name === '') === isCore);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { ...(group.name === '' ? {} : { name: group.name }), creationTimestamp: null },
      versions: group.versions.map((name) => ({
        version: name,
        resources: [
          ...resourcesIn(registry, group.name, name).map((resource) => aggregatedResource(resource, name)),
          ...aggregatedReviews(group.name),
        ],
        freshness: 'Current',
      })),
    })),
  };
}

function resourcesIn(registry: Registry, group: string, version: string): readonly Resource[] {
  return registry.all.filter((resource) => resource.group === group && resource.versions.some((served) => served.name === version));
}

function aggregatedResource(resource: Resource, version: string): unknown {
  const responseKind = { group: resource.group, version, kind: resource.kind };
  const subresources = shownSubresources(resource).map((subresource) => ({
    subresource,
    responseKind:
      subresource === 'scale'
        ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
        : subresource === 'eviction'
          ? { group: 'policy', version: 'v1', kind: 'Eviction' }
          : responseKind,
    verbs: subresourceVerbs(subresource),
  }));
  return {
    resource: resource.plural,
    responseKind,
    scope: resource.isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function aggregatedReviews(group: string): readonly unknown[] {
  return reviews
    .filter((review) => review.group === group)
    .map((review) => ({
      resource: review.plural,
      responseKind: { group, version: 'v1', kind: review.kind },
      scope: 'Cluster',
      singularResource: review.kind.toLowerCase(),
      verbs: ['create'],
    }));
}

function shownSubresources(resource: Resource): readonly string[] {
  return resource.subresources;
}

function subresourceVerbs(subresource: string): readonly string[] {
  switch (subresource) {
    case 'log':
      return ['get'];
    case 'exec':
    case 'attach':
    case 'portforward':
      return ['create', 'get'];
    case 'eviction':
    case 'binding':
    case 'token':
      return ['create'];
    case 'finalize':
      return ['update'];
    default:
      return statusVerbs;
  }
}

/** The older documents: `/api`, `/apis`, `/apis/GROUP`, `/api/v1`, `/apis/GROUP/VERSION`. */
export function legacyVersions(): unknown {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }] };
}

export function legacyGroups(registry: Registry): unknown {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groupsOf(registry)
      .filter((group) => group.name !== '')
      .map(legacyGroup),
  };
}

function legacyGroup(group: Group): Readonly<Record<string, unknown>> {
  const versions = group.versions.map((version) => ({ groupVersion: `${group.name}/${version}`, version }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

export function legacyGroupOf(registry: Registry, name: string): unknown {
  const group = groupsOf(registry).find((candidate) => candidate.name === name);
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group) };
}

export function legacyResources(registry: Registry, group: string, version: string): unknown {
  const resources = resourcesIn(registry, group, version);
  const asked = reviews.filter((review) => review.group === group && version === 'v1');
  if (resources.length === 0 && asked.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersion({ group }, version),
    resources: [
      ...resources.flatMap((resource) => [
        {
          name: resource.plural,
          singularName: resource.singular,
          namespaced: resource.isNamespaced,
          kind: resource.kind,
          verbs,
          ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
          ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
        },
        ...shownSubresources(resource).map((subresource) => ({
          name: `${resource.plural}/${subresource}`,
          singularName: '',
          namespaced: resource.isNamespaced,
          ...(subresource === 'scale'
            ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
            : subresource === 'eviction'
              ? { group: 'policy', version: 'v1', kind: 'Eviction' }
              : { kind: resource.kind }),
          verbs: subresourceVerbs(subresource),
        })),
      ]),
      ...asked.map((review) => ({
        name: review.plural,
        singularName: review.kind.toLowerCase(),
        namespaced: false,
        kind: review.kind,
        verbs: ['create'],
      })),
    ],
  };
}
