import type { Schema } from '../types.ts';
import { groupsOf } from './discovery.ts';
import { BuiltinSchemas, reachedFrom } from './openapi-builtin.ts';
import { groupVersion, type Registry, type Resource, type ServedVersion } from './registry.ts';

const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
/** The structs of the core group, those that others use too. */
let coreStructs: ReadonlySet<string> | undefined;

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
 * custom resources and of the built-in types (of which openapi-builtin.ts says what is left out).
 */
export function openApiDocument(registry: Registry, group: string, version: string): unknown {
  const served = registry.all.flatMap((resource) => {
    const found = resource.group === group ? resource.versions.find(({ name }) => name === version) : undefined;
    return found === undefined ? [] : [{ resource, version: found }];
  });
  if (served.length === 0) return undefined;
  const paths: Record<string, unknown> = {};
  coreStructs ??= reachedFrom(registry.all.filter((resource) => resource.group === '').map(({ kind }) => kind));
  const own = new Set(served.map(({ resource }) => resource.kind));
  const builtin = new BuiltinSchemas(group, version, (struct) => (group === '' || !own.has(struct)) && coreStructs?.has(struct) === true);
  builtin.add('ObjectMeta');
  const schemas: Record<string, unknown> = builtin.schemas;
  for (const { resource, version: one } of served) {
    const name = one.schema === undefined ? builtinName(resource, one) : schemaName(resource, one);
    const gvk = { group, version, kind: resource.kind };
    const known = one.schema === undefined ? builtin.add(resource.kind) : undefined;
    const body =
      known === undefined
        ? objectSchema(one.schema)
        : { ...builtin.schemas[known.name], properties: { ...known.properties, ...commonFields } };
    if (known !== undefined) delete schemas[known.name];
    schemas[name] = { ...body, 'x-kubernetes-group-version-kind': [gvk] };
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

/** `io.k8s.api.apps.v1.Deployment`: without the group's domain. */
function builtinName(resource: Resource, version: ServedVersion): string {
  return `io.k8s.api.${resource.group === '' ? 'core' : (resource.group.split('.')[0] as string)}.${version.name}.${resource.kind}`;
}

function objectSchema(schema: Schema | undefined): object {
  if (schema === undefined) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return { ...schema, properties: { ...schema.properties, ...commonFields } };
}
