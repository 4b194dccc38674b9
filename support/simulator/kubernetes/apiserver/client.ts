import { timestamp } from '../objects.ts';
import type { ApiClient, KubernetesObject, ObjectInput } from '../types.ts';
import type { Core, Draft } from './core.ts';
import { copy } from './decode.ts';
import { isNotFound, notFound } from './errors.ts';
import { mergePatch } from './patch.ts';
import type { Resource, ServedVersion } from './registry.ts';

/**
 * Kinds of which there are many, and which only the machinery of the cluster writes: it gives them their full form itself
 * (`Core.checksForm` proves it), and saves the way through decoder, defaults and validation.
 */
const writtenInFull: ReadonlySet<string> = new Set(['Event', 'EndpointSlice', 'Endpoints', 'CiliumEndpoint', 'CiliumIdentity']);

/** In-process access for controllers, kubelets and agents. */
export function createClient(core: Core): ApiClient {
  const resources = new Map<string, Resource>();
  const named = (name: string): Resource => {
    const known = resources.get(name);
    if (known !== undefined && core.registry.find(known.group, known.plural) === known) return known;
    const found = core.registry.named(name);
    resources.set(name, found);
    return found;
  };
  const kindOf = (object: {
    readonly apiVersion: string;
    readonly kind: string;
  }): { readonly resource: Resource; readonly version: ServedVersion } => {
    const found = core.registry.findKind(object.apiVersion, object.kind);
    if (found === undefined) throw new Error(`the API server does not serve ${object.apiVersion} ${object.kind}`);
    return found;
  };
  const replace = (object: KubernetesObject, subresource: string | undefined): KubernetesObject => {
    const { resource, version } = kindOf(object);
    const { namespace, name } = object.metadata;
    if (subresource === 'status')
      return core.update(resource, version, namespace, name, { ...object, metadata: { ...object.metadata } }, { subresource });
    const isInFull = writtenInFull.has(resource.kind);
    return core.update(resource, version, namespace, name, read(resource, version, object), { isInFull });
  };
  const read = (resource: Resource, version: ServedVersion, object: KubernetesObject | ObjectInput): Draft =>
    writtenInFull.has(resource.kind)
      ? { ...object, metadata: { ...object.metadata } }
      : core.decode(resource, version, object as unknown as Draft).object;
  const events = new EventRecorder(core, (object) => create(object));
  const create = (object: ObjectInput): KubernetesObject => {
    const { resource, version } = kindOf(object);
    const isInFull = writtenInFull.has(resource.kind);
    return core.create(resource, version, object.metadata.namespace, read(resource, version, object), { isInFull });
  };
  return {
    get: <T extends KubernetesObject>(resource: string, name: string, namespace?: string) =>
      core.store(named(resource)).get(namespace, name) as T | undefined,
    list: <T extends KubernetesObject>(resource: string, options?: Parameters<ApiClient['list']>[1]) =>
      core.store(named(resource)).list(options) as readonly T[],
    create: <T extends KubernetesObject>(object: ObjectInput) => create(object) as T,
    update: <T extends KubernetesObject>(object: KubernetesObject) => replace(object, undefined) as T,
    updateStatus: <T extends KubernetesObject>(object: KubernetesObject) => replace(object, 'status') as T,
    patch: <T extends KubernetesObject>(
      name: string,
      object: string,
      namespace: string | undefined,
      patch: unknown,
      options?: { readonly subresource?: 'status' },
    ) => {
      const resource = named(name);
      const old = core.store(resource).get(namespace, object);
      if (old === undefined) throw notFound(resource, object);
      const next = mergePatch(old, patch) as KubernetesObject;
      return replace(next, options?.subresource) as T;
    },
    delete: (resource, name, namespace, options) => {
      core.delete(named(resource), namespace, name, { gracePeriodSeconds: options?.gracePeriodSeconds });
    },
    watch: <T extends KubernetesObject>(
      resource: string,
      listener: (event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly old?: T }) => void,
      options?: { readonly replay?: boolean; readonly name?: string; readonly nodeName?: string },
    ) =>
      core
        .store(named(resource))
        .watch(
          (change) =>
            listener({ type: change.type, object: change.object as T, ...(change.type === 'MODIFIED' ? { old: change.old as T } : {}) }),
          options,
        ),
    recordEvent: (about, event) => events.record(about, event),
  };
}

interface KnownEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly source: object;
  name: string;
}

/** Keeps one Event object per kind of happening (client-go `tools/record`, without its rate limit). */
class EventRecorder {
  readonly #core: Core;
  readonly #create: (object: ObjectInput) => KubernetesObject;
  /** By the uid of what they are about. */
  readonly #known = new Map<string, KnownEvent[]>();
  readonly #sources = new Map<string, { readonly component: string; readonly host?: string }>();
  #serial = 0;

  constructor(core: Core, create: (object: ObjectInput) => KubernetesObject) {
    this.#core = core;
    this.#create = create;
  }

  record(about: KubernetesObject, event: Parameters<ApiClient['recordEvent']>[1]): void {
    const resource = this.#core.registry.named('events');
    const namespace = about.metadata.namespace ?? 'default';
    const now = timestamp(this.#core.clock.now());
    const source = this.#sourceOf(event.component, event.host);
    const known = this.#known.get(about.metadata.uid) ?? [];
    const same = known.find(
      (one) => one.reason === event.reason && one.message === event.message && one.type === event.type && one.source === source,
    );
    const existing = same === undefined ? undefined : this.#core.store(resource).get(namespace, same.name);
    if (existing !== undefined) {
      const next = { ...copy(existing), count: Number(existing['count'] ?? 1) + 1, lastTimestamp: now };
      this.#core.update(resource, resource.versions[0] as ServedVersion, namespace, existing.metadata.name, next);
      return;
    }
    // The real suffix is the time in nanoseconds, in hexadecimal.
    const nanoseconds = BigInt(Math.floor(this.#core.clock.now() * 1000)) * 1000n + BigInt(this.#serial++ % 1000);
    const name = `${about.metadata.name}.${nanoseconds.toString(16)}`;
    try {
      this.#create({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name: about.metadata.name,
          ...(about.metadata.namespace === undefined ? {} : { namespace: about.metadata.namespace }),
          resourceVersion: about.metadata.resourceVersion,
          uid: about.kind === 'Node' ? about.metadata.name : about.metadata.uid,
        },
        reason: event.reason,
        message: event.message,
        type: event.type,
        source,
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
        eventTime: null,
        reportingComponent: event.component,
        reportingInstance: event.host ?? '',
      });
      const made: KnownEvent = { type: event.type, reason: event.reason, message: event.message, source, name };
      if (same !== undefined) same.name = name;
      else if (known.push(made) === 1) this.#known.set(about.metadata.uid, known);
    } catch (error) {
      // In a namespace that is going away there is no place for events; the real recorder only logs it.
      if (!isNotFound(error) && !(error instanceof Error && error.message.includes('because it is being terminated'))) throw error;
    }
  }
  /** One object for all events of a component. */
  #sourceOf(component: string, host: string | undefined): { readonly component: string; readonly host?: string } {
    const key = `${component} ${host ?? ''}`;
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = Object.freeze({ component, ...(host === undefined ? {} : { host }) });
      this.#sources.set(key, source);
    }
    return source;
  }
}
