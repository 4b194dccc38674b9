import { kindText, qualifiedPlural, type ResourceType, resourceText } from './discovery.ts';
import { addSource, isNotFound, KubectlError, StatusError } from './errors.ts';
import { type ManifestObject, readManifests } from './manifests.ts';
import { accepts, pathOf, type Session } from './session.ts';
import { type Dict, isDict, listAt, nameOf, namespaceOf, textAt } from './values.ts';

/** One thing that a command works on (cli-runtime's resource.Info). */
export interface Info {
  readonly type: ResourceType;
  /** Empty for what lives in no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** The file it came from, or empty. */
  readonly source: string;
  /** As the file says, or as the server answered. */
  readonly object: Dict | undefined;
}

export interface Collected {
  readonly infos: readonly Info[];
  readonly errors: readonly KubectlError[];
  /** One named object was asked for, so that it is printed as itself and not in a list. */
  readonly isSingle: boolean;
}

export interface CollectOptions {
  readonly args?: readonly string[];
  readonly selector?: string;
  readonly fieldSelector?: string;
  /** Everything of a type, when no name is given (`--all`, or `get` without a name). */
  readonly isAllAllowed?: boolean;
  /** Whether named objects are read from the server. */
  readonly reads: 'nothing' | 'named' | 'named and files';
  readonly accept?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly listQuery?: Readonly<Record<string, string>>;
  readonly subresource?: string;
  /** Lists stay lists (Tables): one info for each type. */
  readonly keepsLists?: boolean;
  /** The manifest is checked as `--validate` asks. */
  readonly validates?: boolean;
}

export const nothingGiven = `You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'`;

export function collect(session: Session, options: CollectOptions): Collected {
  const errors: KubectlError[] = [];
  const args = options.args ?? [];
  const hasFiles = session.flags.has('filename') && (session.flags.list('filename').length > 0 || session.flags.text('kustomize') !== '');
  if (hasFiles) {
    if (args.length > 0)
      throw new KubectlError('when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well');
    const infos = fileInfos(session, options, errors);
    return { infos, errors, isSingle: infos.length === 1 && session.flags.list('filename').length === 1 };
  }
  const selector = options.selector ?? '';
  const fieldSelector = options.fieldSelector ?? '';
  const targets = parseTargets(session, args);
  const isSelecting = selector !== '' || fieldSelector !== '';
  if (isSelecting && targets.kind !== 'types') {
    if (targets.kind === 'nothing') throw new KubectlError('at least one resource must be specified to use a selector');
    throw new KubectlError(
      fieldSelector !== '' && selector === ''
        ? 'name cannot be provided when a selector is specified'
        : 'name cannot be provided when a selector is specified',
    );
  }
  if (targets.kind === 'nothing') throw new KubectlError(nothingGiven);
  if (targets.kind === 'types') {
    if (!isSelecting && options.isAllAllowed !== true) throw new KubectlError('resource(s) were provided, but no name was specified');
    if ((options.subresource ?? '') !== '') throw new KubectlError('subresource cannot be used when bulk resources are specified');
    const infos = targets.types.flatMap((type) => attempt(errors, () => listInfos(session, type, options)) ?? []);
    return { infos, errors, isSingle: false };
  }
  const infos: Info[] = [];
  for (const { type, name } of targets.pairs) {
    if (type.isNamespaced && session.isAllNamespaces)
      throw new KubectlError('a resource cannot be retrieved by name across all namespaces');
    const info: Info = { type, name, namespace: type.isNamespaced ? session.namespace : '', source: '', object: undefined };
    const found = options.reads === 'nothing' ? info : attempt(errors, () => readInfo(session, info, options));
    if (found !== undefined) infos.push(found);
  }
  return { infos, errors, isSingle: targets.pairs.length === 1 };
}

function attempt<T>(errors: KubectlError[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof KubectlError)) throw error;
    errors.push(error);
    return undefined;
  }
}

// ── arguments ───────────────────────────────────────────────────────────────────────────────────────────────

type Targets =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'types'; readonly types: readonly ResourceType[] }
  | { readonly kind: 'names'; readonly pairs: readonly { readonly type: ResourceType; readonly name: string }[] };

export function parseTargets(session: Session, args: readonly string[]): Targets {
  const [first, ...names] = args;
  if (first === undefined) return { kind: 'nothing' };
  const withSlash = args.filter((arg) => arg.includes('/'));
  if (withSlash.length > 0) {
    if (withSlash.length !== args.length) {
      throw new KubectlError(
        "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'",
      );
    }
    return {
      kind: 'names',
      pairs: args.flatMap((arg) =>
        splitTypeAndName(arg).map(({ resource, name }) => ({ type: session.discovery.resource(resource), name })),
      ),
    };
  }
  const types = first
    .split(',')
    .flatMap((part) =>
      session.discovery.types.some((type) => type.categories.includes(part))
        ? session.discovery.category(part)
        : [session.discovery.resource(part)],
    );
  if (names.length === 0) return { kind: 'types', types };
  return { kind: 'names', pairs: types.flatMap((type) => names.map((name) => ({ type, name }))) };
}

function splitTypeAndName(arg: string): { readonly resource: string; readonly name: string }[] {
  return arg.split(',').map((part) => {
    const pieces = part.split('/');
    if (pieces.length !== 2) {
      throw new KubectlError(
        pieces.length > 2
          ? 'arguments in resource/name form may not have more than one slash'
          : 'arguments in resource/name form must have a single resource and name',
      );
    }
    const [resource, name] = pieces as [string, string];
    if (resource === '' || name === '') throw new KubectlError('arguments in resource/name form must have a single resource and name');
    return { resource, name };
  });
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

/** GET of a named object; a missing one in another namespace makes kubectl look for the namespace itself. */
export function readInfo(
  session: Session,
  info: Info,
  options: { readonly accept?: string; readonly query?: Readonly<Record<string, string>>; readonly subresource?: string } = {},
): Info {
  if (info.name === '') throw new KubectlError('resource name may not be empty');
  try {
    const object = session.request('GET', pathOf(info.type, info.namespace, info.name, options.subresource), {
      ...(options.query === undefined ? {} : { query: options.query }),
      accept: options.accept ?? accepts.json,
      about: `get ${qualifiedPlural(info.type)} ${info.name}`,
    });
    if (!isDict(object) || textAt(object, 'kind') === '') throw new KubectlError(`Object 'Kind' is missing in '${JSON.stringify(object)}'`);
    return { ...info, object };
  } catch (error) {
    if (isNotFound(error) && info.namespace !== '' && info.namespace !== 'default') {
      try {
        session.request('GET', `/api/v1/namespaces/${info.namespace}`, { accept: options.accept ?? accepts.json });
      } catch (second) {
        if (isNotFound(second)) throw second;
      }
    }
    throw error;
  }
}

/** All pages of a list. */
export function readList(
  session: Session,
  type: ResourceType,
  namespace: string | undefined,
  options: { readonly accept?: string; readonly query?: Readonly<Record<string, string>> } = {},
): Dict[] {
  const pages: Dict[] = [];
  let query: Readonly<Record<string, string>> = options.query ?? {};
  for (;;) {
    const page = session.request('GET', pathOf(type, namespace), {
      query,
      accept: options.accept ?? accepts.json,
      about: `get ${qualifiedPlural(type)}`,
    });
    if (!isDict(page) || textAt(page, 'kind') === '') throw new KubectlError(`Object 'Kind' is missing in '${JSON.stringify(page)}'`);
    pages.push(page);
    const next = textAt(page, 'metadata', 'continue');
    if (next === '') return pages;
    query = { ...query, continue: next };
  }
}

/** The items of a list, with the kind that items of typed lists leave out. */
export function itemsOf(page: Dict): Dict[] {
  const kind = textAt(page, 'kind').replace(/List$/, '');
  const apiVersion = textAt(page, 'apiVersion');
  return listAt(page, 'items')
    .filter(isDict)
    .map((item) => (textAt(item, 'kind') === '' && kind !== '' ? { apiVersion, kind, ...item } : item));
}

function listInfos(session: Session, type: ResourceType, options: CollectOptions): Info[] {
  const namespace = type.isNamespaced && !session.isAllNamespaces ? session.namespace : '';
  const query: Record<string, string> = { ...options.listQuery };
  if ((options.selector ?? '') !== '') query.labelSelector = options.selector as string;
  if ((options.fieldSelector ?? '') !== '') query.fieldSelector = options.fieldSelector as string;
  let pages: Dict[];
  try {
    pages = readList(session, type, namespace, { query, ...(options.accept === undefined ? {} : { accept: options.accept }) });
  } catch (error) {
    if (!(error instanceof StatusError) || (error.reason !== 'NotFound' && error.reason !== 'BadRequest')) throw error;
    const what =
      (options.selector ?? '') === '' && (options.fieldSelector ?? '') === ''
        ? `Unable to list ${JSON.stringify(resourceText(type))}`
        : `Unable to find ${JSON.stringify(resourceText(type))} that match label selector ${JSON.stringify(options.selector ?? '')}, field selector ${JSON.stringify(options.fieldSelector ?? '')}`;
    throw error.withMessage(`${what}: ${error.message}`);
  }
  if (options.keepsLists === true) return pages.map((object) => ({ type, namespace, name: '', source: '', object }));
  return pages.flatMap(itemsOf).map((object) => ({ type, namespace: namespaceOf(object), name: nameOf(object), source: '', object }));
}

// ── files ───────────────────────────────────────────────────────────────────────────────────────────────────

function fileInfos(session: Session, options: CollectOptions, errors: KubectlError[]): Info[] {
  const infos: Info[] = [];
  for (const manifest of readManifests(session, errors, options.validates === true)) {
    const info = attempt(errors, () => infoOf(session, manifest, options.validates === true));
    if (info === undefined) continue;
    const read = options.reads === 'named and files' ? attempt(errors, () => readInfo(session, info, options)) : info;
    if (read !== undefined) infos.push(read);
  }
  return infos;
}

function infoOf(session: Session, { object, source }: ManifestObject, validates: boolean): Info {
  const shownSource = JSON.stringify(source);
  const apiVersion = textAt(object, 'apiVersion');
  const kind = textAt(object, 'kind');
  if (validates) {
    const problems = [...(apiVersion === '' ? ['apiVersion not set'] : []), ...(kind === '' ? ['kind not set'] : [])];
    const text = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
    if (problems.length > 0) {
      throw new KubectlError(
        `error validating ${shownSource}: error validating data: ${text}; if you choose to ignore these errors, turn validation off with --validate=false`,
      );
    }
  }
  const problem = metadataProblem(object);
  if (problem !== undefined) throw new KubectlError(`unable to decode ${shownSource}: ${problem}`);
  if (kind === '') throw new KubectlError(`unable to decode ${shownSource}: Object 'Kind' is missing in '${JSON.stringify(object)}'`);
  const type = session.discovery.kind(apiVersion, kind);
  const name = nameOf(object);
  const stated = namespaceOf(object);
  if (type === undefined) {
    throw new KubectlError(
      `resource mapping not found for name: ${JSON.stringify(name)} namespace: ${JSON.stringify(stated)} from ${shownSource}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}\nensure CRDs are installed first`,
    );
  }
  if (!type.isNamespaced) return { type, namespace: '', name, source, object };
  const namespace = stated === '' ? session.namespace : stated;
  if (session.isNamespaceExplicit && !session.isAllNamespaces && stated !== '' && stated !== session.namespace) {
    throw new KubectlError(
      `the namespace from the provided object ${JSON.stringify(stated)} does not match the namespace ${JSON.stringify(session.namespace)}. You must pass '--namespace=${stated}' to perform this operation.`,
    );
  }
  const metadata = isDict(object.metadata) ? object.metadata : {};
  return { type, namespace, name, source, object: { ...object, metadata: { ...metadata, namespace } } };
}

/** The client decodes the metadata of every object itself: `labels: {a: yes}` is refused before the server sees it. */
function metadataProblem(object: Dict): string | undefined {
  const { metadata } = object;
  if (metadata === undefined || metadata === null) return undefined;
  const goTypeOf = (value: unknown): string =>
    Array.isArray(value) ? 'array' : isDict(value) ? 'object' : typeof value === 'boolean' ? 'bool' : typeof value;
  if (!isDict(metadata))
    return `json: cannot unmarshal ${goTypeOf(metadata)} into Go struct field PartialObjectMetadata.metadata of type v1.ObjectMeta`;
  for (const field of ['labels', 'annotations']) {
    const entries = metadata[field];
    if (entries === undefined || entries === null) continue;
    if (!isDict(entries))
      return `json: cannot unmarshal ${goTypeOf(entries)} into Go struct field ObjectMeta.metadata.${field} of type map[string]string`;
    for (const value of Object.values(entries)) {
      if (typeof value !== 'string' && value !== null)
        return `json: cannot unmarshal ${goTypeOf(value)} into Go struct field ObjectMeta.metadata.${field} of type string`;
    }
  }
  for (const field of ['name', 'namespace', 'generateName']) {
    const value = metadata[field];
    if (value !== undefined && value !== null && typeof value !== 'string')
      return `json: cannot unmarshal ${goTypeOf(value)} into Go struct field ObjectMeta.metadata.${field} of type string`;
  }
  return undefined;
}

// ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────

/** cli-runtime's Info.String(). */
export function infoText(info: Info): string {
  return `Resource: ${JSON.stringify(resourceText(info.type))}, GroupVersionKind: ${JSON.stringify(kindText(info.type))}\nName: ${JSON.stringify(info.name)}, Namespace: ${JSON.stringify(info.namespace)}`;
}

export function withSource(verb: string, info: Info, error: unknown): KubectlError {
  if (!(error instanceof KubectlError)) throw error;
  return addSource(verb, info.source, error);
}

/** `deployment.apps`. */
export function lowerKind(type: ResourceType): string {
  return type.group === '' ? type.kind.toLowerCase() : `${type.kind.toLowerCase()}.${type.group}`;
}
