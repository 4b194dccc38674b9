import { formatSelector } from '../labels.ts';
import { type Pod, timestamp } from '../objects.ts';
import type { ApiRequest, ApiResponse, ApiServer, KubernetesObject, LabelSelector, ObjectInput, WatchEvent } from '../types.ts';
import { serverSideApply } from './apply.ts';
import type { Core, DeleteOptions, Draft } from './core.ts';
import { copy, fillZeros, isObject } from './decode.ts';
import { aggregatedDiscovery, legacyGroupOf, legacyGroups, legacyResources, legacyVersions } from './discovery.ts';
import {
  ApiError,
  badRequest,
  expired,
  isNotFound,
  methodNotAllowed,
  noSuchResource,
  notFound,
  notSimulated,
  unsupportedMediaType,
} from './errors.ts';
import { spendBudget } from './eviction.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import { checkDeleteOptions, checkOptions } from './options.ts';
import { jsonPatch, mergePatch, shapeOf, strategicMerge } from './patch.ts';
import { podLog } from './pod-log.ts';
import { checkScale, goMap, invalidPatch, missingScale, refuseOtherIdentity, refuseUntyped } from './refusals.ts';
import { groupVersion, type Resource, type ServedVersion } from './registry.ts';
import { selectionOf } from './selectors.ts';
import type { Change } from './store.ts';
import { type Column, tableOf } from './tables.ts';
import { objectWarnings } from './warnings.ts';

/** Where a path leads. */
interface Target {
  readonly resource: Resource;
  readonly version: ServedVersion;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

const customPatchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];
const builtinPatchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

/** The REST face of the API server: routes, negotiation, bodies. */
export class HttpApi {
  readonly #core: Core;
  readonly #server: ApiServer;
  readonly #checks: ((object: ObjectInput) => readonly string[])[] = [];

  constructor(core: Core, server: ApiServer) {
    this.#core = core;
    this.#server = server;
  }

  addAdmissionWarning(check: (object: ObjectInput) => readonly string[]): void {
    this.#checks.push(check);
  }

  handle(request: ApiRequest): ApiResponse {
    const warnings: string[] = [];
    try {
      const { status, body } = this.#route(request, warnings);
      return { status, body, warnings };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { status: error.status.code, body: error.status, warnings };
    }
  }

  #route(request: ApiRequest, warnings: string[]): { readonly status: number; readonly body: unknown } {
    const segments = request.path.split('/').filter((segment) => segment !== '');
    const document = this.#document(segments, request);
    if (document !== undefined) return document;
    const review = this.#review(segments, request);
    if (review !== undefined) return review;
    const target = this.#target(segments);
    if (target === undefined) {
      if (isServedGroup(this.#core, segments)) throw noSuchResource();
      return { status: 404, body: '404 page not found' };
    }
    checkOptions(request);
    if (target.version.deprecationWarning !== undefined) warnings.push(target.version.deprecationWarning);
    if (target.subresource !== undefined && target.subresource !== 'status') return this.#subresource(target, request);
    switch (request.method) {
      case 'GET':
        return {
          status: 200,
          body:
            target.name === undefined
              ? this.#list(target, request)
              : this.#present(target, request, this.#core.get(target.resource, target.namespace, target.name)),
        };
      case 'POST':
        if (target.name !== undefined) throw methodNotAllowed();
        return this.#create(target, request, warnings);
      case 'PUT':
        if (target.name === undefined) throw methodNotAllowed();
        return this.#put(target, target.name, request, warnings);
      case 'PATCH':
        if (target.name === undefined) throw methodNotAllowed();
        return this.#patch(target, target.name, request, warnings);
      case 'DELETE':
        checkDeleteOptions(request);
        if (target.name !== undefined) return this.#delete(target, target.name, request);
        if (!hasDeleteCollection(target.resource)) throw methodNotAllowed();
        return this.#deleteCollection(target, request);
    }
  }

  // ── documents ─────────────────────────────────────────────────────────────────────────────────────────────

  #document(segments: readonly string[], request: ApiRequest): { readonly status: number; readonly body: unknown } | undefined {
    const { registry } = this.#core;
    const found = (body: unknown) => ({ status: 200, body });
    const [root, second, third] = segments;
    switch (root) {
      case 'version': {
        const [major, minor] = this.#server.version.replace(/^v/, '').split('.');
        return found({
          major,
          minor,
          gitVersion: this.#server.version,
          gitCommit: '25b4e43193bcda6c7328a6d147b1fb73a33f1598',
          gitTreeState: 'clean',
          buildDate: '2023-06-15T00:36:28Z',
          goVersion: 'go1.20.5',
          compiler: 'gc',
          platform: 'linux/amd64',
        });
      }
      case 'healthz':
      case 'livez':
      case 'readyz':
        return found('ok');
      case 'api':
      case 'apis': {
        const version = aggregatedVersion(request);
        if (segments.length === 1) {
          if (version !== undefined) return found(aggregatedDiscovery(registry, root === 'api', version));
          return found(root === 'api' ? legacyVersions() : legacyGroups(registry));
        }
        if (root === 'api') return segments.length === 2 ? orMissing(legacyResources(registry, '', second ?? '')) : undefined;
        if (segments.length === 2) return orMissing(legacyGroupOf(registry, second ?? ''));
        return segments.length === 3 ? orMissing(legacyResources(registry, second ?? '', third ?? '')) : undefined;
      }
      case 'openapi':
        // The older document exists as protobuf only, which is a matter of the wire.
        if (second === 'v3' && segments.length === 2) return found(openApiIndex(registry));
        if (second === 'v3' && third === 'api') return orMissing(openApiDocument(registry, '', segments[3] ?? ''));
        if (second === 'v3' && third === 'apis') return orMissing(openApiDocument(registry, segments[3] ?? '', segments[4] ?? ''));
        return { status: 404, body: '404 page not found' };
      default:
        return { status: 404, body: '404 page not found' };
    }
  }

  /** Everyone is the administrator that kind's kubeconfig names. */
  #review(segments: readonly string[], request: ApiRequest): { readonly status: number; readonly body: unknown } | undefined {
    if (request.method !== 'POST' || segments[0] !== 'apis') return undefined;
    const body = isObject(request.body) ? request.body : {};
    switch (segments[3]) {
      case 'selfsubjectaccessreviews':
        return {
          status: 201,
          body: {
            ...body,
            kind: 'SelfSubjectAccessReview',
            apiVersion: 'authorization.k8s.io/v1',
            metadata: { creationTimestamp: null },
            status: { allowed: true },
          },
        };
      case 'selfsubjectrulesreviews':
        return {
          status: 201,
          body: {
            ...body,
            kind: 'SelfSubjectRulesReview',
            apiVersion: 'authorization.k8s.io/v1',
            metadata: { creationTimestamp: null },
            status: {
              resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
              nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
              incomplete: false,
            },
          },
        };
      case 'selfsubjectreviews':
        return {
          status: 201,
          body: {
            ...body,
            kind: 'SelfSubjectReview',
            apiVersion: 'authentication.k8s.io/v1',
            metadata: { creationTimestamp: null },
            status: { userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] } },
          },
        };
      default:
        return undefined;
    }
  }

  #target(segments: readonly string[]): Target | undefined {
    const isCore = segments[0] === 'api';
    if (!isCore && segments[0] !== 'apis') return undefined;
    const group = isCore ? '' : (segments[1] ?? '');
    const versionName = segments[isCore ? 1 : 2];
    const rest = segments.slice(isCore ? 2 : 3);
    const isInNamespace = rest[0] === 'namespaces' && rest.length >= 3 && this.#core.registry.find(group, rest[2] ?? '') !== undefined;
    const [plural, name, subresource, excess] = isInNamespace ? rest.slice(2) : rest;
    const resource = plural === undefined ? undefined : this.#core.registry.find(group, plural);
    const version = resource?.versions.find((served) => served.name === versionName);
    if (resource === undefined || version === undefined || excess !== undefined) return undefined;
    if (subresource !== undefined && !resource.subresources.includes(subresource)) return undefined;
    if (subresource === 'status' && !version.hasStatus) return undefined;
    if (resource.isNamespaced && name !== undefined && !isInNamespace) return undefined;
    if (!resource.isNamespaced && isInNamespace) return undefined;
    return { resource, version, namespace: isInNamespace ? rest[1] : undefined, name, subresource };
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────────────

  #select(target: Target, query: Readonly<Record<string, string>>): KubernetesObject[] {
    const selection = selectionOf(target.resource.kind, query);
    const nodeName = selection.fields.find((field) => field.path === 'spec.nodeName' && !field.isNegated && field.value !== '')?.value;
    return this.#core
      .store(target.resource)
      .list({ namespace: target.namespace, labels: selection.labels, nodeName })
      .filter((object) => selection.matches(object));
  }

  #list(target: Target, request: ApiRequest): unknown {
    const all = this.#select(target, request.query);
    const limit = integerOf(request.query['limit'] ?? '0');
    const start = request.query['continue'] === undefined ? 0 : continueAt(request.query['continue']);
    const items = limit > 0 ? all.slice(start, start + limit) : all.slice(start);
    const remaining = all.length - start - items.length;
    const metadata = {
      resourceVersion: String(this.#core.broadcaster.resourceVersion),
      ...(remaining > 0
        ? {
            continue: btoa(
              JSON.stringify({ v: 'meta.k8s.io/v1', rv: this.#core.broadcaster.resourceVersion, start: start + items.length }),
            ),
            remainingItemCount: remaining,
          }
        : {}),
    };
    if (wantsTable(request)) return this.#table(target, request, items, metadata);
    const apiVersion = groupVersion(target.resource, target.version.name);
    return { kind: `${target.resource.kind}List`, apiVersion, metadata, items: items.map((item) => inVersion(item, apiVersion)) };
  }

  #present(target: Target, request: ApiRequest, object: KubernetesObject): unknown {
    if (wantsTable(request)) return this.#table(target, request, [object], { resourceVersion: object.metadata.resourceVersion });
    return inVersion(object, groupVersion(target.resource, target.version.name));
  }

  #table(
    target: Target,
    request: ApiRequest,
    objects: readonly KubernetesObject[],
    metadata: unknown,
    columns?: readonly Column[] | null,
  ): unknown {
    const table = tableOf(target.resource.kind, target.version.printerColumns);
    const now = this.#core.clock.now();
    const include = request.query['includeObject'] ?? 'Metadata';
    const apiVersion = groupVersion(target.resource, target.version.name);
    return {
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      columnDefinitions: columns === undefined ? table.columns : columns,
      rows: objects.map((object) => ({
        cells: table.cells(object, now),
        ...(include === 'None'
          ? {}
          : {
              object:
                include === 'Object'
                  ? inVersion(object, apiVersion)
                  : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
            }),
      })),
    };
  }

  watch(request: ApiRequest, onEvent: (event: WatchEvent) => void): { close(): void } | ApiResponse {
    const segments = request.path.split('/').filter((segment) => segment !== '');
    const target = this.#target(segments);
    if (target === undefined || target.subresource !== undefined) return { status: 404, body: '404 page not found', warnings: [] };
    const query = target.name === undefined ? request.query : { ...request.query, fieldSelector: `metadata.name=${target.name}` };
    let selection: ReturnType<typeof selectionOf>;
    try {
      selection = selectionOf(target.resource.kind, query);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { status: error.status.code, body: error.status, warnings: [] };
    }
    const store = this.#core.store(target.resource);
    const apiVersion = groupVersion(target.resource, target.version.name);
    let hasSentColumns = false;
    let isClosed = false;
    const send = (type: WatchEvent['type'], object: KubernetesObject): void => {
      if (isClosed) return;
      if (!wantsTable(request)) {
        onEvent({ type, object: inVersion(object, apiVersion) });
        return;
      }
      const table = this.#table(
        target,
        request,
        [object],
        { resourceVersion: object.metadata.resourceVersion },
        hasSentColumns ? null : undefined,
      );
      hasSentColumns = true;
      // A Table stands where an object is expected, as on the wire.
      onEvent({ type, object: table as KubernetesObject });
    };
    const tell = (change: Change): void => {
      if (target.namespace !== undefined && change.object.metadata.namespace !== target.namespace) return;
      const matches = selection.matches(change.object);
      const matched = change.old !== undefined && selection.matches(change.old);
      if (change.type === 'DELETED') {
        if (matched || matches) send('DELETED', change.object);
      } else if (matches) send(matched ? 'MODIFIED' : 'ADDED', change.object);
      else if (matched) send('DELETED', change.object);
    };
    const from = Number(request.query['resourceVersion'] ?? 0);
    const missed =
      from === 0
        ? this.#select(target, query).map((object): Change => ({ type: 'ADDED', object, resourceVersion: 0 }))
        : store.changesSince(from);
    if (!Array.isArray(missed)) {
      const error = expired(from, (missed as { readonly oldest: number }).oldest);
      this.#core.broadcaster.defer(() => {
        // A Status stands where an object is expected, as on the wire.
        if (!isClosed) onEvent({ type: 'ERROR', object: error.status as unknown as KubernetesObject });
      });
      return { close: () => (isClosed = true) };
    }
    if (missed.length > 0) {
      this.#core.broadcaster.defer(() => {
        for (const change of missed as readonly Change[]) tell(change);
      });
    }
    const stop = store.watch(tell);
    return {
      close: () => {
        isClosed = true;
        stop();
      },
    };
  }

  // ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

  #body(target: Target, request: ApiRequest): Draft {
    const { body } = request;
    const { kind } = target.resource;
    if (!isObject(body)) {
      const hex = Array.from(new TextEncoder().encode(JSON.stringify(body) ?? ''), (byte) => byte.toString(16).padStart(2, '0')).join('');
      throw badRequest(
        body === undefined
          ? `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: unexpected end of JSON input ()`
          : `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(body) ? 'array' : typeof body} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${hex})`,
      );
    }
    const apiVersion = groupVersion(target.resource, target.version.name);
    const isCustom = target.version.schema !== undefined;
    if (isCustom && (body['kind'] === undefined || body['kind'] === '')) throw badRequest("Object 'Kind' is missing in the request body");
    // A built-in type knows itself by its path.
    const given = {
      apiVersion: body['apiVersion'] || (isCustom ? undefined : apiVersion),
      kind: body['kind'] || (isCustom ? undefined : kind),
    };
    if (given.apiVersion !== apiVersion || given.kind !== kind) {
      if (isCustom && given.kind === kind)
        throw badRequest(
          `the API version in the data (${String(given.apiVersion)}) does not match the expected API version (${apiVersion})`,
        );
      const served = this.#core.registry.findKind(String(given.apiVersion), String(given.kind));
      const shortVersion = String(given.apiVersion).split('/').at(-1);
      throw badRequest(
        served === undefined || isCustom
          ? `${String(given.kind)} in version "${shortVersion}" cannot be handled as a ${kind}: no kind "${String(given.kind)}" is registered for version "${String(given.apiVersion)}"${isCustom ? '' : ' in scheme "pkg/runtime/scheme.go:100"'}`
          : `${String(given.kind)} in version "${shortVersion}" cannot be handled as a ${kind}: converting (v1.${String(given.kind)}) to (core.${kind}): unknown conversion`,
      );
    }
    const metadata = isObject(body['metadata']) ? body['metadata'] : {};
    const bodyNamespace = metadata['namespace'];
    if (target.resource.isNamespaced && typeof bodyNamespace === 'string' && bodyNamespace !== '' && bodyNamespace !== target.namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    if (target.name !== undefined && metadata['name'] !== undefined && metadata['name'] !== target.name)
      throw badRequest(`the name of the object (${String(metadata['name'])}) does not match the name on the URL (${target.name})`);
    return body;
  }

  /** Decodes a body by the request's mode of field validation. */
  #decode(target: Target, request: ApiRequest, body: Draft, warnings: string[]): Draft {
    const { object, unknownFields } = this.#core.decode(target.resource, target.version, body);
    const mode = request.query['fieldValidation'] ?? 'Warn';
    if (unknownFields.length > 0) {
      const texts = unknownFields.map((field) => `unknown field ${JSON.stringify(field)}`);
      if (mode === 'Strict') {
        const what =
          target.version.schema === undefined
            ? `${target.resource.kind} in version "${target.version.name}" cannot be handled as a ${target.resource.kind}: `
            : `${target.resource.kind} in version "${target.version.name}" cannot be handled as a ${target.resource.kind}: `;
        throw badRequest(`${what}strict decoding error: ${texts.join(', ')}`);
      }
      if (mode === 'Warn') warnings.push(...texts);
    }
    return object;
  }

  /** What a patch makes of an object is refused as the patch's fault. */
  #decodePatched(target: Target, request: ApiRequest, merged: Draft, warnings: string[], isStrategic: boolean): Draft {
    try {
      const draft = this.#decode(target, request, merged, warnings);
      if (target.subresource === 'status' && target.version.schema === undefined) fillZeros(target.resource.kind, draft);
      return draft;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw invalidPatch(error, isStrategic ? goMap(request.body) : JSON.stringify(merged), isStrategic);
    }
  }

  #warn(object: Draft, warnings: string[]): void {
    warnings.push(...objectWarnings(object));
    for (const check of this.#checks) warnings.push(...check(object as unknown as ObjectInput));
  }

  #create(target: Target, request: ApiRequest, warnings: string[]): { readonly status: number; readonly body: unknown } {
    const draft = this.#decode(target, request, this.#body(target, request), warnings);
    this.#warn(draft, warnings);
    const object = this.#core.create(target.resource, target.version, target.namespace, draft, {
      dryRun: isDryRun(request),
      manager: managerOf(request),
    });
    return { status: 201, body: this.#present(target, request, object) };
  }

  #put(target: Target, name: string, request: ApiRequest, warnings: string[]): { readonly status: number; readonly body: unknown } {
    const draft = this.#decode(target, request, this.#body(target, request), warnings);
    this.#warn(draft, warnings);
    const object = this.#core.update(target.resource, target.version, target.namespace, name, draft, {
      dryRun: isDryRun(request),
      subresource: target.subresource,
      manager: managerOf(request),
    });
    return { status: 200, body: this.#present(target, request, object) };
  }

  #patch(target: Target, name: string, request: ApiRequest, warnings: string[]): { readonly status: number; readonly body: unknown } {
    const { resource, version, namespace } = target;
    const type = (request.headers['content-type'] ?? 'application/merge-patch+json').split(';')[0]?.trim();
    const accepted = version.schema === undefined ? builtinPatchTypes : customPatchTypes;
    if (type === undefined || !accepted.includes(type)) throw unsupportedMediaType(accepted);
    if (type === 'application/apply-patch+yaml') return this.#apply(target, name, request, warnings);
    const old = this.#core.get(resource, namespace, name);
    const shown = inVersion(old, groupVersion(resource, version.name));
    const shape = shapeOf(resource.kind, version.schema);
    if (type !== 'application/json-patch+json' && !isObject(request.body))
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${Array.isArray(request.body) ? 'array' : typeof request.body} into Go value of type map[string]interface {}`,
      );
    const merged =
      type === 'application/json-patch+json'
        ? jsonPatch(shown, request.body)
        : type === 'application/merge-patch+json'
          ? mergePatch(shown, request.body)
          : strategicMerge(shown, request.body, shape);
    if (!isObject(merged)) throw new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
    refuseOtherIdentity(old, merged);
    const draft = this.#decodePatched(target, request, merged, warnings, type === 'application/strategic-merge-patch+json');
    this.#warn(draft, warnings);
    const object = this.#core.update(resource, version, namespace, name, draft, {
      dryRun: isDryRun(request),
      subresource: target.subresource,
      manager: managerOf(request),
    });
    return { status: 200, body: this.#present(target, request, object) };
  }

  #apply(target: Target, name: string, request: ApiRequest, warnings: string[]): { readonly status: number; readonly body: unknown } {
    const { resource, version, namespace } = target;
    const manager = request.query['fieldManager'];
    if (manager === undefined || manager === '')
      throw new ApiError(
        422,
        'Invalid',
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        {
          group: 'meta.k8s.io',
          kind: 'PatchOptions',
          causes: [{ reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' }],
        },
      );
    const body = this.#body(target, request);
    if (isObject(body['metadata']) && (body['metadata']['managedFields'] ?? null) !== null)
      throw badRequest('metadata.managedFields must be nil');
    const { object: applied, unknownFields } = this.#core.decode(resource, version, body);
    refuseUntyped(target, body, unknownFields);
    this.#warn(applied, warnings);
    const apiVersion = groupVersion(resource, version.name);
    const old = this.#core.store(resource).get(namespace, name);
    const options = {
      manager,
      force: request.query['force'] === 'true',
      apiVersion,
      ownership: old === undefined ? new Map<string, Set<string>>() : this.#core.ownershipOf(old),
    };
    const { result, ownership } = serverSideApply(
      old === undefined ? undefined : inVersion(old, apiVersion),
      applied,
      shapeOf(resource.kind, version.schema),
      options,
    );
    const { object: draft } = this.#core.decode(resource, version, result as Draft);
    const write = { dryRun: isDryRun(request), subresource: target.subresource, ownership };
    if (old === undefined) {
      if (isObject(draft['metadata'])) delete draft['metadata']['resourceVersion'];
      const created = this.#core.create(resource, version, namespace, draft, write);
      return { status: 201, body: this.#present(target, request, created) };
    }
    const updated = this.#core.update(resource, version, namespace, name, draft, write);
    return { status: 200, body: this.#present(target, request, updated) };
  }

  #delete(target: Target, name: string, request: ApiRequest): { readonly status: number; readonly body: unknown } {
    const { resource, namespace } = target;
    const { object, isGone } = this.#core.delete(resource, namespace, name, deleteOptions(request));
    if (resource.kind === 'Pod' && isGone) {
      const metadata = { ...object.metadata, deletionTimestamp: timestamp(this.#core.clock.now()), deletionGracePeriodSeconds: 0 };
      return { status: 200, body: { ...object, metadata } };
    }
    if (!isGone) return { status: 200, body: inVersion(object, groupVersion(resource, target.version.name)) };
    const details = { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, uid: object.metadata.uid };
    return { status: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } };
  }

  #deleteCollection(target: Target, request: ApiRequest): { readonly status: number; readonly body: unknown } {
    const objects = this.#select(target, request.query);
    for (const object of objects) {
      try {
        this.#core.delete(target.resource, object.metadata.namespace, object.metadata.name, deleteOptions(request));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    const apiVersion = groupVersion(target.resource, target.version.name);
    return {
      status: 200,
      body: {
        kind: `${target.resource.kind}List`,
        apiVersion,
        metadata: { resourceVersion: String(this.#core.broadcaster.resourceVersion) },
        items: objects.map((object) => inVersion(object, apiVersion)),
      },
    };
  }

  // ── subresources ──────────────────────────────────────────────────────────────────────────────────────────

  #subresource(target: Target, request: ApiRequest): { readonly status: number; readonly body: unknown } {
    const { resource, namespace, subresource } = target;
    const name = target.name ?? '';
    const object =
      subresource === 'scale' && this.#core.store(resource).get(namespace, name) === undefined
        ? missingScale(resource, name)
        : this.#core.get(resource, namespace, name);
    switch (subresource) {
      case 'scale':
        return this.#scale(target, object, request);
      case 'log':
        if (request.method !== 'GET') throw methodNotAllowed();
        return { status: 200, body: podLog(this.#server, object as Pod, request.query) };
      case 'eviction': {
        if (request.method !== 'POST') throw methodNotAllowed();
        const options = deleteOptions({ ...request, body: isObject(request.body) ? request.body['deleteOptions'] : undefined });
        spendBudget(this.#server.client, this.#core.clock, object as Pod, options.dryRun === true);
        this.#core.delete(resource, namespace, name, options);
        return { status: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
      }
      case 'binding': {
        if (request.method !== 'POST') throw methodNotAllowed();
        const node = isObject(request.body) && isObject(request.body['target']) ? request.body['target']['name'] : undefined;
        bindPod(this.#core, target.resource, object as Pod, String(node));
        return { status: 201, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
      }
      case 'finalize': {
        if (request.method !== 'PUT' || !isObject(request.body)) throw methodNotAllowed();
        const next = { ...copy(object), spec: copy(request.body['spec']) } as unknown as Draft;
        const updated = this.#core.update(resource, target.version, namespace, name, next, {});
        return { status: 200, body: updated };
      }
      default:
        throw notSimulated(`${resource.plural}/${subresource}`);
    }
  }

  #scale(target: Target, object: KubernetesObject, request: ApiRequest): { readonly status: number; readonly body: unknown } {
    const { resource, version, namespace } = target;
    const scale = scaleOf(object);
    if (request.method === 'GET') return { status: 200, body: scale };
    let wanted: unknown;
    if (request.method === 'PUT') wanted = request.body;
    else if (request.method === 'PATCH')
      wanted = (request.headers['content-type'] ?? '').startsWith('application/json-patch')
        ? jsonPatch(scale, request.body)
        : mergePatch(scale, request.body);
    else throw methodNotAllowed();
    const replicas = isObject(wanted) && isObject(wanted['spec']) ? (wanted['spec']['replicas'] ?? 0) : 0;
    checkScale(object, wanted, replicas);
    const next = copy(object) as unknown as Draft;
    next['spec'] = { ...(next['spec'] as object), replicas };
    const version0 = isObject(wanted) && isObject(wanted['metadata']) ? wanted['metadata']['resourceVersion'] : undefined;
    if (version0 !== undefined) (next['metadata'] as Draft)['resourceVersion'] = version0;
    const updated = this.#core.update(resource, version, namespace, object.metadata.name, next, {
      dryRun: isDryRun(request),
      subresource: 'scale',
      manager: managerOf(request),
    });
    return { status: 200, body: scaleOf(updated) };
  }
}

/** `pods/binding`: what the scheduler does. @throws ApiError 409 */
export function bindPod(core: Core, resource: Resource, pod: Pod, nodeName: string): KubernetesObject {
  if (pod.metadata.deletionTimestamp !== undefined)
    throw new ApiError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on pods/binding "${pod.metadata.name}": pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`,
    );
  if (pod.spec.nodeName !== undefined)
    throw new ApiError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on pods/binding "${pod.metadata.name}": pod ${pod.metadata.name} is already assigned to node "${pod.spec.nodeName}"`,
    );
  // pkg/registry/core/pod/storage, setPodHostAndAnnotations: the condition comes with the node.
  const others = (pod.status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const scheduled = { lastProbeTime: null, lastTransitionTime: timestamp(core.clock.now()), status: 'True', type: 'PodScheduled' };
  const next: Draft = {
    ...pod,
    metadata: { ...pod.metadata },
    spec: { ...pod.spec, nodeName },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
  const version = resource.versions[0];
  if (version === undefined) throw notFound(resource, pod.metadata.name);
  return core.update(resource, version, pod.metadata.namespace, pod.metadata.name, next, { subresource: 'binding', isInFull: true });
}

function scaleOf(object: KubernetesObject): unknown {
  const spec = object['spec'] as { readonly replicas?: number; readonly selector?: LabelSelector };
  const status = (object['status'] ?? {}) as { readonly replicas?: number };
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = formatSelector(spec.selector);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec.replicas ?? 0 },
    status: { replicas: status.replicas ?? 0, ...(selector === '<none>' ? {} : { selector }) },
  };
}

function inVersion(object: KubernetesObject, apiVersion: string): KubernetesObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** A path below a group and version that the server has, where it has nothing. */
function isServedGroup(core: Core, segments: readonly string[]): boolean {
  if (segments[0] === 'api') return segments.length > 2;
  return segments[0] === 'apis' && segments.length > 3 && core.registry.all.some(({ group }) => group === segments[1]);
}

function hasDeleteCollection(resource: Resource): boolean {
  return resource.group !== '' || (resource.plural !== 'namespaces' && resource.plural !== 'services');
}

function integerOf(text: string): number {
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

function wantsTable(request: ApiRequest): boolean {
  return (request.headers['accept'] ?? '').includes('as=Table');
}

function aggregatedVersion(request: ApiRequest): 'v2' | 'v2beta1' | undefined {
  const accept = request.headers['accept'] ?? '';
  if (!accept.includes('as=APIGroupDiscoveryList')) return undefined;
  return /;v=v2(;|,|$)/.test(accept) ? 'v2' : 'v2beta1';
}

function isDryRun(request: ApiRequest): boolean {
  return request.query['dryRun'] === 'All';
}

/** Requests without one are known by their client's name (`User-Agent` up to the slash). */
function managerOf(request: ApiRequest): string {
  return request.query['fieldManager'] ?? request.headers['user-agent']?.split('/')[0] ?? 'unknown';
}

function continueAt(token: string): number {
  try {
    const { start } = JSON.parse(atob(token)) as { readonly start?: unknown };
    if (typeof start === 'number') return start;
  } catch {
    // Told below: any text that we did not make.
  }
  throw badRequest('invalid continue token: continue key is not valid: illegal base64 data at input byte 0');
}

function orMissing(body: unknown): { readonly status: number; readonly body: unknown } {
  return body === undefined ? { status: 404, body: '404 page not found' } : { status: 200, body };
}

function deleteOptions(request: ApiRequest): DeleteOptions {
  const body = isObject(request.body) ? request.body : {};
  const preconditions = isObject(body['preconditions']) ? body['preconditions'] : {};
  const grace = body['gracePeriodSeconds'] ?? request.query['gracePeriodSeconds'];
  return {
    dryRun: isDryRun(request) || (Array.isArray(body['dryRun']) && body['dryRun'].includes('All')),
    gracePeriodSeconds: grace === undefined || grace === null ? undefined : Number(grace),
    propagationPolicy: String(body['propagationPolicy'] ?? request.query['propagationPolicy'] ?? 'Background'),
    uid: typeof preconditions['uid'] === 'string' ? preconditions['uid'] : undefined,
    resourceVersion: typeof preconditions['resourceVersion'] === 'string' ? preconditions['resourceVersion'] : undefined,
  };
}
