import type { SimulatedClock } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import { type Pod, type Service, timestamp } from '../objects.ts';
import type { FieldCause, KubernetesObject, ObjectMeta, OwnerReference } from '../types.ts';
import { addDefaultTolerations, admitPod, type Lookup, nameAlphabet, qosClassOf } from './admission.ts';
import { type Ownership, trackWrite } from './apply.ts';
import { copy, type Decoded, DecodeError, decodeBuiltin, decodeCustom, fillZeros, freeze, isEqual, isObject } from './decode.ts';
import { setDefaults } from './defaults.ts';
import { alreadyExists, badRequest, conflict, forbidden, invalid, notFound, unforeseen } from './errors.ts';
import { shapeOf } from './patch.ts';
import { groupVersion, Registry, type Resource, type ServedVersion } from './registry.ts';
import { applyDefaults, validateSchema } from './schema.ts';
import { dropTypeDependent } from './service-fields.ts';
import { validateServiceStatus } from './service-validation.ts';
import type { ServiceAllocator } from './services.ts';
import { Broadcaster, Store } from './store.ts';
import { validateBuiltin, validateMetadata } from './validation.ts';
import { validateRules } from './validation-rules.ts';

export type Draft = Record<string, unknown>;
type DraftMeta = { -readonly [field in keyof ObjectMeta]?: ObjectMeta[field] };

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly subresource?: string | undefined;
  /** `fieldManager` of a request; writes of controllers have none. */
  readonly manager?: string | undefined;
  readonly ownership?: Ownership;
  /** The writer has given the object the form that decoding and defaults would: neither they nor validation are gone through. */
  readonly isInFull?: boolean;
}

export interface DeleteOptions {
  readonly dryRun?: boolean;
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

const protectedNamespaces = new Set(['default', 'kube-system', 'kube-public']);
const maximumGenerateNameLength = 58;
/** Of the metadata what no update changes. */
const keptFields = ['namespace', 'generateName', 'generation', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/** The storage and the rules of writing: what every way into the API server shares. */
export class Core {
  /** Whether objects that are said to be in full are compared with what decoding and defaults make of them; tests do so. */
  static checksForm = false;
  readonly clock: SimulatedClock;
  readonly registry = new Registry();
  readonly broadcaster: Broadcaster;
  readonly #services: ServiceAllocator;
  readonly #stores = new Map<Resource, Store>();
  readonly #names: Random;
  readonly #uids: Random;
  /** By uid. Only objects that requests with a field manager wrote. */
  readonly #ownership = new Map<string, Ownership>();
  readonly #lookup: Lookup;

  constructor(clock: SimulatedClock, random: Random, services: ServiceAllocator) {
    this.clock = clock;
    this.broadcaster = new Broadcaster(clock);
    this.#services = services;
    this.#names = random.stream('names');
    this.#uids = random.stream('uids');
    this.#lookup = { get: (resource, name, namespace) => this.store(this.registry.named(resource)).get(namespace, name) };
  }

  store(resource: Resource): Store {
    let store = this.#stores.get(resource);
    if (store === undefined) {
      store = new Store(this.broadcaster);
      this.#stores.set(resource, store);
    }
    return store;
  }

  dropStore(resource: Resource): void {
    this.#stores.delete(resource);
  }

  ownershipOf(object: KubernetesObject): Ownership {
    return this.#ownership.get(object.metadata.uid) ?? new Map();
  }

  /** @throws ApiError 400 in the words of the real decoder */
  decode(resource: Resource, version: ServedVersion, input: Readonly<Draft>): Decoded {
    try {
      return version.schema === undefined ? decodeBuiltin(resource.kind, input) : decodeCustom(version.schema, input);
    } catch (error) {
      if (error instanceof DecodeError)
        throw badRequest(`${resource.kind} in version "${version.name}" cannot be handled as a ${resource.kind}: ${error.message}`);
      throw error;
    }
  }

  get(resource: Resource, namespace: string | undefined, name: string): KubernetesObject {
    const found = this.store(resource).get(namespace, name);
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  // ── create ────────────────────────────────────────────────────────────────────────────────────────────────

  /** `draft` was made by {@link decode} and is used up. */
  create(
    resource: Resource,
    version: ServedVersion,
    namespace: string | undefined,
    draft: Draft,
    options: WriteOptions = {},
  ): KubernetesObject {
    const metadata = this.#metadataOf(draft);
    if (resource.isNamespaced) metadata.namespace = namespace ?? 'default';
    else delete metadata.namespace;
    if ((metadata.name === undefined || metadata.name === '') && metadata.generateName !== undefined)
      metadata.name = metadata.generateName.slice(0, maximumGenerateNameLength) + this.#names.text(5, nameAlphabet);
    const name = metadata.name ?? '';
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '')
      throw unforeseen('resourceVersion should not be set on objects to be created');
    if (resource.isNamespaced) this.#admitToNamespace(resource, metadata.namespace ?? '', name);
    metadata.uid = this.#uids.uuid();
    metadata.creationTimestamp = timestamp(this.clock.now());
    if (resource.hasGeneration) metadata.generation = 1;
    else delete metadata.generation;
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    if ((version.hasStatus && resource.kind !== 'Node') || resource.kind === 'Namespace') delete draft['status'];
    if (options.isInFull === true) {
      draft['apiVersion'] = groupVersion(resource, resource.versions[0]?.name ?? version.name);
      if (Core.checksForm) this.#checkForm(resource, version, draft);
      if (this.store(resource).get(metadata.namespace, name) !== undefined) throw alreadyExists(resource, name);
      return this.#commit(resource, draft);
    }
    this.#setDefaults(resource, version, draft, true);
    if (resource.kind === 'Namespace') draft['spec'] = { finalizers: ['kubernetes'] };
    if (resource.kind === 'Pod') {
      admitPod(draft, metadata.namespace ?? '', this.#lookup, this.#names);
      draft['status'] = { phase: 'Pending', qosClass: qosClassOf(draft['spec'] as Pod['spec']) };
    }
    if (resource.kind === 'Job') {
      selectJobPods(draft['spec'] as Draft, name, metadata.uid);
      metadata.annotations = { ...metadata.annotations, 'batch.kubernetes.io/job-tracking': '' };
      const labels = (draft['spec'] as { readonly template?: { readonly metadata?: ObjectMeta } }).template?.metadata?.labels;
      if (Object.keys(metadata.labels ?? {}).length === 0 && labels !== undefined) metadata.labels = copy(labels);
    }
    if (resource.kind === 'DaemonSet') countTemplate(metadata, undefined, draft);
    draft['apiVersion'] = groupVersion(resource, resource.versions[0]?.name ?? version.name);
    draft['kind'] = resource.kind;
    const causes: FieldCause[] = [];
    const undo = resource.kind === 'Service' ? this.#services.allocate(draft, undefined) : (): void => {};
    this.#validate(resource, version, draft, undefined, causes);
    if (causes.length > 0) {
      undo();
      throw invalid(resource, name, causes);
    }
    pruneForStorage(resource, version, draft);
    const store = this.store(resource);
    if (store.get(metadata.namespace, name) !== undefined) {
      undo();
      throw alreadyExists(resource, name);
    }
    if (options.dryRun === true) {
      undo();
      return freeze(draft) as unknown as KubernetesObject;
    }
    const object = this.#commit(resource, draft);
    this.#track(resource, version, undefined, object, options);
    return object;
  }

  #admitToNamespace(resource: Resource, namespace: string, name: string): void {
    const found = this.store(this.registry.named('namespaces')).get(undefined, namespace);
    if (found === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const error = forbidden(resource, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
    const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' };
    Object.assign(error.status, { details: { ...error.status.details, causes: [cause] } });
    throw error;
  }

  // ── update ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Replaces an object (or its status); what clients may not change keeps its value. A change of nothing is no change. */
  update(
    resource: Resource,
    version: ServedVersion,
    namespace: string | undefined,
    name: string,
    draft: Draft,
    options: WriteOptions = {},
  ): KubernetesObject {
    const old = this.get(resource, namespace, name);
    const metadata = this.#metadataOf(draft);
    if (metadata.uid !== undefined && metadata.uid !== '' && metadata.uid !== old.metadata.uid)
      throw conflict(resource, name, `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`);
    if (
      metadata.resourceVersion !== undefined &&
      metadata.resourceVersion !== '' &&
      metadata.resourceVersion !== old.metadata.resourceVersion
    )
      throw conflict(resource, name);
    const next = options.subresource === 'status' ? this.#statusDraft(old, draft) : this.#specDraft(resource, version, old, draft, options);
    const causes: FieldCause[] = [];
    let undo = (): void => {};
    if (options.isInFull === true) {
      if (Core.checksForm) this.#checkForm(resource, version, next);
    } else if (options.subresource !== 'status') {
      if (resource.kind === 'Service') {
        undo = this.#services.allocate(next, old as Service);
        dropTypeDependent(next['spec'] as Draft, (old as Service).spec);
        dropInternalPolicy(next['spec'] as Draft, (old as Service).spec);
      }
      this.#validate(resource, version, next, old, causes);
    } else if (version.schema !== undefined) this.#validate(resource, version, next, old, causes);
    else if (resource.kind === 'Service') validateServiceStatus(next, causes);
    if (causes.length > 0) {
      undo();
      throw invalid(resource, name, causes);
    }
    if (options.isInFull !== true) pruneForStorage(resource, version, next);
    if (isEqual(next, old)) {
      if (options.ownership !== undefined && options.dryRun !== true) this.#ownership.set(old.metadata.uid, options.ownership);
      return old;
    }
    if (resource.hasGeneration && options.subresource !== 'status' && !isSameDesire(next, old, version.hasStatus)) {
      const meta = next['metadata'] as DraftMeta;
      meta.generation = (old.metadata.generation ?? 1) + 1;
    }
    if (options.dryRun === true) {
      undo();
      return freeze(next) as unknown as KubernetesObject;
    }
    const isDone = isFinished(resource, next);
    if (isDone) return this.#remove(resource, old, next);
    const object = this.#commit(resource, next);
    if (resource.kind === 'Service') this.#services.releaseUnused(old as Service, object as Service);
    this.#track(resource, version, old, object, options);
    return object;
  }

  #statusDraft(old: KubernetesObject, draft: Draft): Draft {
    const status = Object.isFrozen(draft['status']) ? draft['status'] : copy(draft['status']);
    const next: Draft = { ...old, metadata: { ...old.metadata } };
    if (status === undefined) delete next['status'];
    else next['status'] = status;
    return next;
  }

  #specDraft(resource: Resource, version: ServedVersion, old: KubernetesObject, draft: Draft, options: WriteOptions): Draft {
    const wanted = this.#metadataOf(draft);
    const metadata: DraftMeta = {
      ...wanted,
      name: old.metadata.name,
      uid: old.metadata.uid,
      creationTimestamp: old.metadata.creationTimestamp,
      resourceVersion: old.metadata.resourceVersion,
    };
    for (const field of keptFields) {
      if (old.metadata[field] !== undefined) Object.assign(metadata, { [field]: old.metadata[field] });
      else if (field in metadata) delete metadata[field];
    }
    const next: Draft = { ...draft, apiVersion: old.apiVersion, kind: old.kind, metadata };
    if (version.hasStatus && options.subresource !== 'binding') {
      if (old['status'] === undefined) delete next['status'];
      else next['status'] = old['status'];
    }
    if (options.isInFull === true) return next;
    if (resource.kind === 'Namespace') next['spec'] ??= old['spec'];
    // Admission sees updates too.
    if (resource.kind === 'Pod' && !isMirror(metadata)) addDefaultTolerations(next['spec'] as Draft);
    if (resource.kind === 'DaemonSet') countTemplate(metadata, old, next);
    this.#setDefaults(resource, version, next, false);
    return next;
  }

  #validate(resource: Resource, version: ServedVersion, draft: Draft, old: KubernetesObject | undefined, causes: FieldCause[]): void {
    validateMetadata(draft, resource.kind, causes);
    if (version.schema === undefined) validateBuiltin(resource.kind, draft, old, causes);
    else {
      const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...fields } = draft;
      const { properties, required, ...schema } = version.schema;
      const { apiVersion: _a, kind: _k, metadata: _m, ...own } = properties ?? {};
      const needed = (required ?? []).filter((field) => field !== 'metadata' && field !== 'apiVersion' && field !== 'kind');
      validateSchema(fields, { ...schema, properties: own, required: needed }, '', causes);
      validateRules(fields, version.schema, causes);
    }
  }

  /** @throws Error a bug of the writer: the object lacks a default, has an empty field, or would be refused */
  #checkForm(resource: Resource, version: ServedVersion, draft: Draft): void {
    const { object } = this.decode(resource, version, copy(draft));
    this.#setDefaults(resource, version, object, true);
    const causes: FieldCause[] = [];
    this.#validate(resource, version, object, undefined, causes);
    if (causes.length > 0 || !isEqual(object, draft))
      throw new Error(`${resource.kind} was not written in full: ${JSON.stringify({ written: draft, read: object, causes })}`);
  }

  #setDefaults(resource: Resource, version: ServedVersion, draft: Draft, isNew: boolean): void {
    if (version.schema === undefined) {
      setDefaults(resource.kind, draft);
      fillZeros(resource.kind, draft, isNew ? undefined : 'status');
    } else {
      const { properties, ...schema } = version.schema;
      const { apiVersion: _a, kind: _k, metadata: _m, ...own } = properties ?? {};
      // Only the desired state: nobody writes a status by creating an object.
      applyDefaults(draft, { ...schema, properties: own });
    }
  }

  // ── delete ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The object as it is now on its way out, or undefined when it is gone. */
  delete(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): { readonly object: KubernetesObject; readonly isGone: boolean } {
    const old = this.get(resource, namespace, name);
    if (options.uid !== undefined && options.uid !== old.metadata.uid)
      throw conflict(
        { group: resource.group, plural: resource.kind },
        name,
        `the UID in the precondition (${options.uid}) does not match the UID in record (${old.metadata.uid}). The object might have been deleted and then recreated`,
      );
    if (options.resourceVersion !== undefined && options.resourceVersion !== old.metadata.resourceVersion)
      throw conflict(
        { group: resource.group, plural: resource.kind },
        name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${old.metadata.resourceVersion}). The object might have been modified`,
      );
    if (resource.kind === 'Namespace' && protectedNamespaces.has(name))
      throw forbidden(resource, name, 'this namespace may not be deleted');
    const grace = this.#gracePeriod(resource, old, options.gracePeriodSeconds);
    const finalizers = new Set(old.metadata.finalizers ?? []);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const isHeld = finalizers.size > 0 || grace > 0 || (resource.kind === 'Namespace' && hasSpecFinalizers(old));
    if (options.dryRun === true) return { object: old, isGone: !isHeld };
    if (!isHeld) return { object: this.#remove(resource, old, { ...old, metadata: { ...old.metadata } }), isGone: true };
    const period = old.metadata.deletionGracePeriodSeconds;
    if (old.metadata.deletionTimestamp !== undefined && (resource.kind !== 'Pod' || (period !== undefined && period <= grace)))
      return { object: old, isGone: false };
    const metadata: DraftMeta = {
      ...old.metadata,
      deletionTimestamp: timestamp(this.clock.now() + grace * 1000),
      deletionGracePeriodSeconds: grace,
    };
    if (finalizers.size > 0) metadata.finalizers = [...finalizers];
    if (resource.kind === 'Namespace') delete metadata.deletionGracePeriodSeconds;
    const next: Draft = { ...old, metadata };
    if (resource.kind === 'Namespace') next['status'] = { ...(old['status'] as object), phase: 'Terminating' };
    if (resource.hasGeneration) metadata.generation = (old.metadata.generation ?? 1) + 1;
    return { object: this.#commit(resource, next), isGone: false };
  }

  /** `strategy.CheckGracefulDelete` of pods: only those that run somewhere are given time. */
  #gracePeriod(resource: Resource, object: KubernetesObject, asked: number | undefined): number {
    if (resource.kind !== 'Pod') return 0;
    const pod = object as Pod;
    if (pod.spec.nodeName === undefined || pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return 0;
    return Math.max(0, asked ?? pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30);
  }

  #remove(resource: Resource, old: KubernetesObject, last: Draft): KubernetesObject {
    const resourceVersion = this.broadcaster.next();
    const object = freeze({
      ...last,
      metadata: { ...(last['metadata'] as ObjectMeta), resourceVersion: String(resourceVersion) },
    }) as unknown as KubernetesObject;
    this.store(resource).remove(object, resourceVersion);
    this.#ownership.delete(old.metadata.uid);
    if (resource.kind === 'Service') this.#services.release(old as Service);
    return object;
  }

  // ── shared ────────────────────────────────────────────────────────────────────────────────────────────────

  #metadataOf(draft: Draft): DraftMeta {
    const metadata = isObject(draft['metadata']) ? draft['metadata'] : {};
    draft['metadata'] = metadata;
    delete metadata['managedFields'];
    delete metadata['selfLink'];
    return metadata as DraftMeta;
  }

  #commit(resource: Resource, draft: Draft): KubernetesObject {
    const resourceVersion = this.broadcaster.next();
    (draft['metadata'] as DraftMeta).resourceVersion = String(resourceVersion);
    const object = freeze(draft) as unknown as KubernetesObject;
    this.store(resource).put(object, resourceVersion);
    return object;
  }

  #track(
    resource: Resource,
    version: ServedVersion,
    old: KubernetesObject | undefined,
    object: KubernetesObject,
    options: WriteOptions,
  ): void {
    if (options.ownership !== undefined) {
      this.#ownership.set(object.metadata.uid, options.ownership);
      return;
    }
    if (options.manager === undefined) return;
    const ownership: Ownership = this.#ownership.get(object.metadata.uid) ?? new Map();
    trackWrite(ownership, { name: options.manager, subresource: options.subresource }, old, object, shapeOf(resource.kind, version.schema));
    this.#ownership.set(object.metadata.uid, ownership);
  }
}

/** The desired state of two versions of an object agrees: everything but metadata and status. */
function isSameDesire(a: Readonly<Draft>, b: Readonly<Draft>, hasStatus: boolean): boolean {
  const desire = ({ metadata: _metadata, status, ...rest }: Readonly<Draft>): Draft => (hasStatus ? rest : { ...rest, status });
  return isEqual(desire(a), desire(b));
}

/** An object on its way out that nothing holds any more. */
function isFinished(resource: Resource, next: Readonly<Draft>): boolean {
  const metadata = next['metadata'] as ObjectMeta;
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
  if (resource.kind === 'Namespace') return !hasSpecFinalizers(next);
  return resource.kind !== 'Pod' || (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

function hasSpecFinalizers(namespace: Readonly<Draft>): boolean {
  return ((namespace['spec'] as { readonly finalizers?: readonly string[] } | undefined)?.finalizers ?? []).length > 0;
}

const templateGeneration = 'deprecated.daemonset.template.generation';

/** A daemon set's annotation counts the changes of its template. */
function countTemplate(metadata: DraftMeta, old: KubernetesObject | undefined, next: Draft): void {
  const before = old?.metadata.annotations?.[templateGeneration];
  const template = (of: unknown): unknown => (of as { readonly template?: unknown } | undefined)?.template;
  const isSame = old !== undefined && isEqual(template(old['spec']), template(next['spec']));
  const count = old === undefined ? 1 : Number(before ?? 0) + (isSame ? 0 : 1);
  metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(count) };
}

function isMirror(metadata: DraftMeta): boolean {
  return metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
}

/** A service that becomes a name has no policy of its own any more, unless it was asked for. */
function dropInternalPolicy(spec: Draft, old: Service['spec']): void {
  if (spec['type'] === 'ExternalName' && old.type !== 'ExternalName' && spec['internalTrafficPolicy'] === old.internalTrafficPolicy)
    delete spec['internalTrafficPolicy'];
}

/** Labels and selector that make a job's pods its own (`pkg/registry/batch/job`, strategy). */
function selectJobPods(spec: Draft, name: string, uid: string): void {
  if (spec['manualSelector'] === true) return;
  const template = spec['template'] as Draft;
  const metadata = template['metadata'] as Draft;
  metadata['labels'] = {
    ...(metadata['labels'] as object),
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  spec['selector'] ??= { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
}

/** Makes a controller's owner reference. */
export function controllerReference(owner: KubernetesObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A custom resource is kept in its first version: fields that this one does not have are lost on the way (conversion strategy None). */
function pruneForStorage(resource: Resource, version: ServedVersion, draft: Draft): void {
  const storage = resource.versions[0];
  if (storage === undefined || storage.name === version.name || storage.schema === undefined) return;
  const kept = decodeCustom(storage.schema, draft).object as Draft;
  for (const key of Object.keys(draft)) {
    if (key === 'apiVersion' || key === 'kind' || key === 'metadata') continue;
    if (kept[key] === undefined) delete draft[key];
    else draft[key] = kept[key];
  }
}
