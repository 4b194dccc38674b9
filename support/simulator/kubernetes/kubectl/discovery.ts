import type { ApiServer } from '../types.ts';
import { KubectlError, PlainError } from './errors.ts';
import type { Session } from './session.ts';
import { at, isDict, listAt, textAt } from './values.ts';

/** One type that the server offers, as discovery tells it. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
  /** This version is the group's preferred one. */
  readonly isPreferred: boolean;
}

export function groupVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `deployments.apps`: how the server's messages name a type. */
export function qualifiedPlural(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

/** `deployment.apps`: how kubectl's messages name a kind. */
export function qualifiedKind(kind: string, apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? kind.toLowerCase() : `${kind.toLowerCase()}.${apiVersion.slice(0, slash)}`;
}

/** Go's GroupVersionResource.String() and GroupVersionKind.String(). */
export function resourceText(type: ResourceType): string {
  return `${type.group}/${type.version}, Resource=${type.plural}`;
}
export function kindText(type: ResourceType): string {
  return `${type.group}/${type.version}, Kind=${type.kind}`;
}

const discoveryAccept =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

/**
 * The types of the server. Like the real discovery cache they are remembered from one run to the next; a name that
 * is not among them makes kubectl ask again, so that new custom resources are found at once.
 */
export class Discovery {
  readonly #session: Session;
  readonly #server: ApiServer;
  readonly #cache: WeakMap<ApiServer, readonly ResourceType[]>;
  #isFresh = false;

  constructor(session: Session, server: ApiServer, cache: WeakMap<ApiServer, readonly ResourceType[]>) {
    this.#session = session;
    this.#server = server;
    this.#cache = cache;
  }

  get types(): readonly ResourceType[] {
    return this.#cache.get(this.#server) ?? this.refresh();
  }

  refresh(): readonly ResourceType[] {
    const query = { timeout: '32s' };
    const types = ['/api', '/apis'].flatMap((path) => typesIn(this.#session.request('GET', path, { query, accept: discoveryAccept })));
    this.#cache.set(this.#server, types);
    this.#isFresh = true;
    return types;
  }

  #find<T>(look: (types: readonly ResourceType[]) => T | undefined): T | undefined {
    const found = look(this.types);
    if (found !== undefined || this.#isFresh) return found;
    return look(this.refresh());
  }

  /** A type by what a user writes: plural, singular, short name, kind, with `.group` or `.version.group`. */
  resource(name: string): ResourceType {
    const found = this.#find((types) => findResource(types, name.toLowerCase()));
    if (found === undefined) throw new KubectlError(`the server doesn't have a resource type ${JSON.stringify(name.split('.')[0])}`);
    return found;
  }

  /** A well-known type that the simulator may lack; undefined then. */
  optional(name: string): ResourceType | undefined {
    return this.#find((types) => findResource(types, name));
  }

  kind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.#find((types) => types.find((type) => type.kind === kind && groupVersionOf(type) === apiVersion));
  }

  /** The types of a category (`all`), in the order of discovery; empty when there is no such category. */
  category(name: string): readonly ResourceType[] {
    // A type that only an older version of its group has counts in that version.
    const isShown = (type: ResourceType): boolean =>
      type.isPreferred || !this.types.some((other) => other.isPreferred && other.group === type.group && other.plural === type.plural);
    return this.types.filter((type) => type.categories.includes(name) && type.verbs.includes('list') && isShown(type));
  }

  isCategory(name: string): boolean {
    return this.category(name).length > 0;
  }
}

function typesIn(document: unknown): ResourceType[] {
  const types: ResourceType[] = [];
  if (at(document, 'kind') !== 'APIGroupDiscoveryList')
    throw new PlainError("error: the server's discovery document is of an unknown kind");
  for (const group of listAt(document, 'items')) {
    listAt(group, 'versions').forEach((version, index) => {
      if (textAt(version, 'freshness') === 'Stale') return;
      for (const resource of listAt(version, 'resources')) {
        const kind = textAt(resource, 'responseKind', 'kind');
        if (!isDict(resource) || kind === '') continue;
        types.push({
          group: textAt(group, 'metadata', 'name'),
          version: textAt(version, 'version'),
          plural: textAt(resource, 'resource'),
          singular: textAt(resource, 'singularResource') || kind.toLowerCase(),
          kind,
          isNamespaced: resource.scope === 'Namespaced',
          shortNames: listAt(resource, 'shortNames').map(String),
          verbs: listAt(resource, 'verbs').map(String),
          categories: listAt(resource, 'categories').map(String),
          subresources: listAt(resource, 'subresources').map((entry) => textAt(entry, 'subresource')),
          isPreferred: index === 0,
        });
      }
    });
  }
  return types;
}

function findResource(types: readonly ResourceType[], name: string): ResourceType | undefined {
  const [plain, ...rest] = name.split('.') as [string, ...string[]];
  const hasName = (type: ResourceType): boolean => type.plural === plain || type.singular === plain || type.kind.toLowerCase() === plain;
  const hasShortName = (type: ResourceType): boolean => type.shortNames.includes(plain);
  if (rest.length > 0) {
    const [version, ...groupParts] = rest;
    // `deployments.v1.apps`; two parts are always a type and a group.
    const exact =
      groupParts.length === 0
        ? undefined
        : types.find((type) => hasName(type) && type.version === version && type.group === groupParts.join('.'));
    if (exact !== undefined) return exact;
    const group = rest.join('.');
    const inGroup = (matches: (type: ResourceType) => boolean): ResourceType | undefined =>
      types.find((type) => matches(type) && type.group === group);
    // A group may be shortened to its beginning.
    return (
      inGroup(hasName) ??
      inGroup(hasShortName) ??
      types.find((type) => (hasName(type) || hasShortName(type)) && type.group.startsWith(group))
    );
  }
  return types.find(hasName) ?? types.find(hasShortName);
}
