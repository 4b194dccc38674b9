import type { Schema } from '../types.ts';
import { groupsOf } from './discovery.ts';
import { groupVersion, type Registry, type Resource, type ServedVersion } from './registry.ts';

const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** Fields that every custom resource has besides its own (apiextensions `openapi/builder`). */
const commonFields = {
  apiVersion: {
    type: 'string',
    description: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources`,
  },
  kind: {
    type: 'string',
    description: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds`,
  },
  metadata: {
    allOf: [{ $ref: `#/components/schemas/${metaName}` }],
    description: `Standard object's metadata. More info: ${conventions}#metadata`,
  },
} as const;

/** `/openapi/v3`: where the document of each group and version is. */
export function openApiIndex(registry: Registry): unknown {
  const paths: Record<string, unknown> = {};
  for (const group of groupsOf(registry)) {
    for (const version of group.versions) {
      const path = group.name === '' ? `api/${version}` : `apis/${group.name}/${version}`;
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}` };
    }
  }
  return { paths };
}

/**
 * The document of one group and version. It names every operation that kubectl looks for before it writes, and the schemas of
 * custom resources; those of the built-in types are not modelled and stay open.
 */
export function openApiDocument(registry: Registry, group: string, version: string): unknown {
  const served = registry.all.flatMap((resource) => {
    const found = resource.group === group ? resource.versions.find(({ name }) => name === version) : undefined;
    return found === undefined ? [] : [{ resource, version: found }];
  });
  if (served.length === 0) return undefined;
  const paths: Record<string, unknown> = {};
  const schemas: Record<string, unknown> = { [metaName]: { type: 'object' } };
  for (const { resource, version: one } of served) {
    const name = schemaName(resource, one);
    const gvk = { group, version, kind: resource.kind };
    schemas[name] = { ...objectSchema(one.schema), 'x-kubernetes-group-version-kind': [gvk] };
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const path = `${root}${resource.isNamespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}/{name}`;
    const responses = {
      200: { description: 'OK', content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } },
    };
    const about = { responses, 'x-kubernetes-group-version-kind': gvk };
    const writing = ['dryRun', 'fieldManager', 'fieldValidation'].map((parameter) => ({
      name: parameter,
      in: 'query',
      schema: { type: 'string', uniqueItems: true },
    }));
    paths[path] = {
      get: { ...about, 'x-kubernetes-action': 'get' },
      patch: { ...about, parameters: writing, 'x-kubernetes-action': 'patch' },
    };
  }
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: groupVersion({ group }, version) }, paths, components: { schemas } };
}

/** `io.cilium.v2.CiliumNetworkPolicy`: the group reversed, as the API server names custom resources. */
function schemaName(resource: Resource, version: ServedVersion): string {
  const group = resource.group === '' ? ['api', 'k8s', 'io'] : resource.group.split('.');
  return `${group.reverse().join('.')}.${version.name}.${resource.kind}`;
}

function objectSchema(schema: Schema | undefined): object {
  if (schema === undefined) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return { ...schema, properties: { ...schema.properties, ...commonFields } };
}
