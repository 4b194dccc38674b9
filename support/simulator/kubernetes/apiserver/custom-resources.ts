import type { CustomResource, KubernetesObject, ObjectInput, PrinterColumn, Schema } from '../types.ts';

interface CrdVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
  readonly schema?: { readonly openAPIV3Schema?: Schema };
  readonly subresources?: { readonly status?: unknown };
  readonly additionalPrinterColumns?: readonly PrinterColumn[];
}

interface CrdSpec {
  readonly group: string;
  readonly names: {
    readonly plural: string;
    readonly singular?: string;
    readonly kind: string;
    readonly listKind?: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  };
  readonly scope: 'Cluster' | 'Namespaced';
  readonly versions: readonly CrdVersion[];
}

/** The resource that a CustomResourceDefinition object describes. */
export function definitionOf(object: KubernetesObject): CustomResource {
  const spec = object['spec'] as CrdSpec;
  const served = spec.versions.filter((version) => version.served);
  const storage = served.filter((version) => version.storage);
  const others = served.filter((version) => !version.storage);
  return {
    group: spec.group,
    kind: spec.names.kind,
    plural: spec.names.plural,
    singular: spec.names.singular ?? spec.names.kind.toLowerCase(),
    shortNames: spec.names.shortNames ?? [],
    categories: spec.names.categories ?? [],
    isNamespaced: spec.scope === 'Namespaced',
    versions: [...storage, ...others].map((version) => ({
      name: version.name,
      schema: version.schema?.openAPIV3Schema ?? {},
      printerColumns: version.additionalPrinterColumns ?? [],
      hasStatus: version.subresources?.status !== undefined,
      ...(version.deprecated === true
        ? { deprecationWarning: version.deprecationWarning ?? `${spec.group}/${version.name} ${spec.names.kind} is deprecated` }
        : {}),
    })),
  };
}

/** The CustomResourceDefinition object of a resource that was defined in the program. */
export function crdOf(definition: CustomResource): ObjectInput {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${definition.plural}.${definition.group}` },
    spec: {
      group: definition.group,
      names: {
        kind: definition.kind,
        listKind: `${definition.kind}List`,
        plural: definition.plural,
        singular: definition.singular,
        ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
        ...(definition.categories === undefined || definition.categories.length === 0 ? {} : { categories: definition.categories }),
      },
      scope: definition.isNamespaced ? 'Namespaced' : 'Cluster',
      versions: definition.versions.map((version, index) => ({
        name: version.name,
        served: true,
        storage: index === 0,
        ...(version.deprecationWarning === undefined ? {} : { deprecated: true, deprecationWarning: version.deprecationWarning }),
        schema: { openAPIV3Schema: version.schema },
        ...(version.printerColumns.length === 0 ? {} : { additionalPrinterColumns: version.printerColumns }),
        ...(version.hasStatus ? { subresources: { status: {} } } : {}),
      })),
    },
  };
}
