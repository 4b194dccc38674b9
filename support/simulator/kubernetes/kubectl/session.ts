import type { SimulatedClock } from '../../clock/clock.ts';
import type { CommandContext } from '../../docker/types.ts';
import type { ApiRequest, ApiServer, WatchEvent } from '../types.ts';
import { klogStamp } from './age.ts';
import { Discovery, type ResourceType } from './discovery.ts';
import { KubectlError, StatusError } from './errors.ts';
import type { Flags } from './flags.ts';
import { type Dict, isDict, textAt } from './values.ts';

/** Accept headers of the real client (section 6 of the wire reference). */
export const accepts = {
  json: 'application/json',
  any: 'application/json, */*',
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
  typed: 'application/vnd.kubernetes.protobuf,application/json',
} as const;

export type Method = ApiRequest['method'];

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly accept?: string;
  readonly contentType?: string;
  /** Words for an answer that is no Status: `get pods x`. */
  readonly about?: string;
}

export type DryRun = 'none' | 'client' | 'server';

/** One run of kubectl: its flags, its output so far, and its way to the API server. */
export class Session {
  readonly context: CommandContext;
  readonly flags: Flags;
  /** `rollout status`; the words before the arguments. */
  readonly command: string;
  readonly contextName: string;
  readonly #server: ApiServer;
  readonly discovery: Discovery;
  readonly #warned = new Set<string>();
  stdout = '';
  stderr = '';
  exitCode = 0;
  /** The namespace of the kubeconfig's context, when `config set-context` gave it one. */
  readonly contextNamespace: string;

  constructor(options: {
    readonly server: ApiServer;
    readonly context: CommandContext;
    readonly flags: Flags;
    readonly command: string;
    readonly contextName: string;
    readonly contextNamespace: string;
    readonly discoveryCache: WeakMap<ApiServer, readonly ResourceType[]>;
  }) {
    this.context = options.context;
    this.flags = options.flags;
    this.command = options.command;
    this.contextName = options.contextName;
    this.contextNamespace = options.contextNamespace;
    this.#server = options.server;
    this.startedAt = options.context.clock.now();
    this.discovery = new Discovery(this, options.server, options.discoveryCache);
  }

  get server(): ApiServer {
    return this.#server;
  }
  get clock(): SimulatedClock {
    return this.context.clock;
  }
  /** When the command began. */
  readonly startedAt: number;
  get now(): number {
    return this.context.clock.now();
  }

  out(line: string): void {
    this.stdout += `${line}\n`;
  }
  err(line: string): void {
    this.stderr += `${line}\n`;
  }
  klog(severity: string, place: string, text: string): void {
    this.err(`${klogStamp(severity, this.now)} ${String(this.context.container.pid).padStart(7)} ${place}] ${text}`);
  }

  get isNamespaceExplicit(): boolean {
    return this.flags.isSet('namespace');
  }
  get namespace(): string {
    const given = this.flags.text('namespace');
    if (given !== '') return given;
    return this.contextNamespace;
  }
  get isAllNamespaces(): boolean {
    return this.flags.has('all-namespaces') && this.flags.is('all-namespaces');
  }

  get dryRun(): DryRun {
    const value = this.flags.text('dry-run');
    if (value === 'none' || value === 'client' || value === 'server') return value;
    if (value === 'unchanged') {
      this.klog('W', 'helpers.go:702', '--dry-run is deprecated and can be replaced with --dry-run=client.');
      return 'client';
    }
    if (/^(1|t|T|TRUE|true|True)$/.test(value)) {
      this.klog('W', 'helpers.go:716', `--dry-run=${value} is deprecated (boolean value) and can be replaced with --dry-run=client.`);
      return 'client';
    }
    if (/^(0|f|F|FALSE|false|False)$/.test(value)) {
      this.klog('W', 'helpers.go:719', `--dry-run=${value} is deprecated (boolean value) and can be replaced with --dry-run=none.`);
      return 'none';
    }
    throw new KubectlError(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`);
  }

  // ── requests ────────────────────────────────────────────────────────────────────────────────────────────

  request(method: Method, path: string, options: RequestOptions = {}): unknown {
    const response = this.#server.handle(this.#requestOf(method, path, options));
    for (const warning of response.warnings) this.warn(warning);
    if (response.status >= 200 && response.status < 300) return response.body;
    throw statusErrorOf(response.status, response.body, options.about ?? '');
  }

  /** A request whose answer must be an object. */
  requestObject(method: Method, path: string, options: RequestOptions = {}): Dict {
    const body = this.request(method, path, options);
    if (!isDict(body) || textAt(body, 'kind') === '') throw new KubectlError(`Object 'Kind' is missing in '${JSON.stringify(body)}'`);
    return body;
  }

  /** Opens a watch; throws when the server refuses it. */
  watch(path: string, options: RequestOptions, onEvent: (event: WatchEvent) => void): { close(): void } {
    const opened = this.#server.watch(this.#requestOf('GET', path, { ...options, query: { ...options.query, watch: 'true' } }), onEvent);
    if ('close' in opened) return opened;
    throw statusErrorOf(opened.status, opened.body, options.about ?? '');
  }

  warn(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.err(`Warning: ${text}`);
  }

  #requestOf(method: Method, path: string, options: RequestOptions): ApiRequest {
    const timeout = this.flags.text('request-timeout');
    const headers: Record<string, string> = {
      accept: options.accept ?? accepts.json,
      'user-agent': 'kubectl/v1.32.5 (linux/amd64) kubernetes/9894294',
    };
    if (options.body !== undefined) headers['content-type'] = options.contentType ?? 'application/json';
    if (this.flags.text('as') !== '') headers['impersonate-user'] = this.flags.text('as');
    const query: Record<string, string> = { ...options.query };
    if (timeout !== '' && timeout !== '0') query.timeout = /^\d+$/.test(timeout) ? `${timeout}s` : timeout;
    return options.body === undefined ? { method, path, query, headers } : { method, path, query, headers, body: options.body };
  }
}

function statusErrorOf(code: number, body: unknown, about: string): StatusError {
  if (isDict(body) && body.kind === 'Status') return new StatusError(body);
  const [reason, message] = genericStatus[code] ?? [
    '',
    `the server responded with the status code ${code} but did not return more information`,
  ];
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    code,
    reason,
    message: about === '' ? message : `${message} (${about})`,
  });
}

/** client-go's texts for answers without a Status (apimachinery NewGenericServerResponse). */
const genericStatus: Readonly<Record<number, readonly [string, string]>> = {
  401: ['Unauthorized', 'the server has asked for the client to provide credentials'],
  403: ['Forbidden', 'forbidden'],
  404: ['NotFound', 'the server could not find the requested resource'],
  405: ['MethodNotAllowed', 'the server does not allow this method on the requested resource'],
  406: ['NotAcceptable', 'the server was unable to respond with a content type that the client supports'],
  409: ['Conflict', 'the server reported a conflict'],
  415: ['UnsupportedMediaType', 'the body of the request was in an unknown format'],
  422: ['Invalid', 'the server rejected our request due to an error in our request'],
  429: ['TooManyRequests', 'the server has received too many requests and has asked us to try again later'],
  500: ['InternalError', 'an error on the server has prevented the request from succeeding'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'the server was unable to return a response in the time allotted, but may still be processing the request'],
};

/** The path of a resource: `/api/v1/namespaces/NS/pods/NAME`. */
export function pathOf(type: ResourceType, namespace: string | undefined, name?: string, subresource?: string): string {
  let path = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  if (type.isNamespaced && namespace !== undefined && namespace !== '') path += `/namespaces/${namespace}`;
  path += `/${type.plural}`;
  if (name !== undefined && name !== '') path += `/${name}`;
  if (subresource !== undefined && subresource !== '') path += `/${subresource}`;
  return path;
}
