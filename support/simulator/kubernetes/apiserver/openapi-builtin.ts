import { structOf, type Type } from './builtin-types.ts';

/**
 * The OpenAPI schemas of the built-in types: fields, types, which are required, and the values of enumerations, from the struct
 * definitions that the server decodes by. Descriptions are left out: they are Kubernetes' documentation, not its behaviour. A client
 * that explains a type prints `<empty>` and `<no description>` for them, as it does for any schema that has none.
 *
 * What has no `omitempty` counts as required; a few optional fields of that kind (status counters mostly) are taken for required.
 */

/** Kubernetes 1.27's enumerations (`+enum` in `k8s.io/api`), by the Go name of the type. */
const enumerations = `
AzureDataDiskCachingMode None ReadOnly ReadWrite
AzureDataDiskKind Dedicated Managed Shared
CompletionMode Indexed NonIndexed
ConcurrencyPolicy Allow Forbid Replace
DNSPolicy ClusterFirst ClusterFirstWithHostNet Default None
DaemonSetUpdateStrategyType OnDelete RollingUpdate
DeploymentStrategyType Recreate RollingUpdate
HostPathType "" BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket
IPFamily IPv4 IPv6
IPFamilyPolicy PreferDualStack RequireDualStack SingleStack
MountPropagationMode Bidirectional HostToContainer None
NamespacePhase Active Terminating
NodeInclusionPolicy Honor Ignore
NodePhase Pending Running Terminated
NodeSelectorOperator DoesNotExist Exists Gt In Lt NotIn
PersistentVolumeAccessMode ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod
PersistentVolumeClaimPhase Bound Lost Pending
PersistentVolumeClaimResizeStatus "" ControllerExpansionFailed ControllerExpansionInProgress NodeExpansionFailed NodeExpansionInProgress NodeExpansionPending
PersistentVolumeMode Block Filesystem
PersistentVolumePhase Available Bound Failed Pending Released
PersistentVolumeReclaimPolicy Delete Recycle Retain
PodFSGroupChangePolicy Always OnRootMismatch
PodFailurePolicyAction Count FailJob Ignore
PodFailurePolicyOnExitCodesOperator In NotIn
PodManagementPolicyType OrderedReady Parallel
PodPhase Failed Pending Running Succeeded Unknown
PodQOSClass BestEffort Burstable Guaranteed
PolicyType Egress Ingress
PreemptionPolicy Never PreemptLowerPriority
ProcMountType Default Unmasked
Protocol SCTP TCP UDP
PullPolicy Always IfNotPresent Never
ResourceQuotaScope BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass Terminating
RestartPolicy Always Never OnFailure
ScopeSelectorOperator DoesNotExist Exists In NotIn
SeccompProfileType Localhost RuntimeDefault Unconfined
ServiceAffinity ClientIP None
ServiceExternalTrafficPolicy Cluster Local
ServiceInternalTrafficPolicy Cluster Local
ServiceType ClusterIP ExternalName LoadBalancer NodePort
StatefulSetUpdateStrategyType OnDelete RollingUpdate
TaintEffect NoExecute NoSchedule PreferNoSchedule
TerminationMessagePolicy FallbackToLogsOnError File
TolerationOperator Equal Exists
URIScheme HTTP HTTPS
UnhealthyPodEvictionPolicyType AlwaysAllow IfHealthyBudget
UnsatisfiableConstraintAction DoNotSchedule ScheduleAnyway
VolumeBindingMode Immediate WaitForFirstConsumer
`;

let values: ReadonlyMap<string, readonly string[]> | undefined;

function valuesOf(goName: string | undefined): readonly string[] | undefined {
  values ??= new Map(
    enumerations
      .trim()
      .split('\n')
      .map((line) => {
        const [name, ...rest] = line.split(' ') as [string, ...string[]];
        return [name, rest.map((value) => (value === '""' ? '' : value))];
      }),
  );
  return goName === undefined ? undefined : values.get(goName.replace(/^v1\./, ''));
}

const metaTypes = new Set([
  'Condition',
  'LabelSelector',
  'LabelSelectorRequirement',
  'ListMeta',
  'ManagedFieldsEntry',
  'ObjectMeta',
  'OwnerReference',
]);

const fixed = {
  time: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
  fields: 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1',
  entry: 'io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry',
  intstr: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
} as const;

const fixedSchemas: Readonly<Record<string, object>> = {
  [fixed.time]: { type: 'string', format: 'date-time' },
  [fixed.fields]: { type: 'object' },
  [fixed.entry]: {
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      fieldsType: { type: 'string' },
      fieldsV1: reference(fixed.fields),
      manager: { type: 'string' },
      operation: { type: 'string' },
      subresource: { type: 'string' },
      time: reference(fixed.time),
    },
  },
  [fixed.intstr]: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  [fixed.quantity]: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  [fixed.raw]: { type: 'object' },
};

function reference(name: string): object {
  return { allOf: [{ $ref: `#/components/schemas/${name}` }] };
}

/** Schemas by their names in a document, with all that they refer to. */
export class BuiltinSchemas {
  readonly #group: string;
  readonly #version: string;
  readonly #isOfCore: (struct: string) => boolean;
  readonly schemas: Record<string, object> = {};

  /** @param isOfCore which structs are those of the core group, whoever uses them */
  constructor(group: string, version: string, isOfCore: (struct: string) => boolean) {
    this.#group = group === '' ? 'core' : (group.split('.')[0] as string);
    this.#version = version;
    this.#isOfCore = isOfCore;
  }

  /** Adds a struct; undefined when there is none of this name. */
  add(struct: string): { readonly name: string; readonly properties: Readonly<Record<string, object>> } | undefined {
    const fields = structOf(struct);
    if (fields === undefined) return undefined;
    const name = this.#nameOf(struct);
    const known = this.schemas[name] as { readonly properties?: Readonly<Record<string, object>> } | undefined;
    if (known !== undefined) return { name, properties: known.properties ?? {} };
    const properties: Record<string, object> = {};
    const required: string[] = [];
    // Known before its fields are: a type may hold itself.
    this.schemas[name] = { type: 'object', properties, required };
    for (const [field, { type, keepsEmpty }] of fields) {
      properties[field] = field === 'managedFields' ? { type: 'array', items: this.#fixed('entry') } : this.#schemaOf(type);
      if (keepsEmpty) required.push(field);
    }
    if (required.length === 0) this.schemas[name] = { type: 'object', properties };
    return { name, properties };
  }

  #nameOf(struct: string): string {
    if (metaTypes.has(struct)) return `io.k8s.apimachinery.pkg.apis.meta.v1.${struct}`;
    if (struct === 'CoreEndpointPort') return 'io.k8s.api.core.v1.EndpointPort';
    return this.#isOfCore(struct) ? `io.k8s.api.core.v1.${struct}` : `io.k8s.api.${this.#group}.${this.#version}.${struct}`;
  }

  #fixed(kind: keyof typeof fixed): object {
    const name = fixed[kind];
    this.schemas[name] ??= fixedSchemas[name] as object;
    if (kind === 'entry') for (const inner of ['time', 'fields'] as const) this.#fixed(inner);
    return reference(name);
  }

  #schemaOf(type: Type): object {
    switch (type.kind) {
      case 'string': {
        const choices = valuesOf(type.goName);
        return choices === undefined ? { type: 'string' } : { type: 'string', enum: choices };
      }
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'int32':
      case 'int64':
        return { type: 'integer', format: type.kind };
      case 'float64':
        return { type: 'number', format: 'double' };
      case 'bool':
        return { type: 'boolean' };
      case 'time':
      case 'intstr':
      case 'quantity':
        return this.#fixed(type.kind);
      case 'any':
        return this.#fixed('raw');
      case 'list':
        return { type: 'array', items: this.#schemaOf(type.item) };
      case 'map':
        return { type: 'object', additionalProperties: this.#schemaOf(type.value) };
      case 'struct': {
        const added = this.add(type.name);
        return added === undefined ? { type: 'object' } : reference(added.name);
      }
    }
  }
}

/** Structs that are reached from these. */
export function reachedFrom(structs: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (type: Type): void => {
    if (type.kind === 'list') visit(type.item);
    else if (type.kind === 'map') visit(type.value);
    else if (type.kind === 'struct' && !found.has(type.name)) {
      found.add(type.name);
      for (const { type: inner } of structOf(type.name)?.values() ?? []) visit(inner);
    }
  };
  for (const name of structs) visit({ kind: 'struct', name });
  return found;
}
