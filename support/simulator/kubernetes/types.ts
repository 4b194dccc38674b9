import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { CommandResult, Container, DockerEngine } from '../docker/types.ts';
import type { Ip, NetworkNamespace } from '../net/types.ts';

// ── objects ─────────────────────────────────────────────────────────────────────────────────────────────────

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** Any object as stored: never changed in place. Typed views are in objects.ts. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** An object as a client writes it: the server fills in the rest. */
export interface ObjectInput {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Partial<ObjectMeta>;
  readonly [field: string]: unknown;
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

// ── resources ───────────────────────────────────────────────────────────────────────────────────────────────

/** OpenAPI v3 structural schema as in a CRD; also used for the built-in types. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly nullable?: boolean;
  /** Alternatives, each as the fields that it requires. */
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
  readonly anyOf?: readonly { readonly required: readonly string[] }[];
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message?: string }[];
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date' | 'number';
  readonly jsonPath: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

/** One field that the API server refuses; texts as in apimachinery's `field.Error`. */
export interface FieldCause {
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueNotFound'
    | 'FieldValueDuplicate'
    | 'FieldValueTypeInvalid'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  readonly field: string;
  readonly message: string;
}

/** A custom resource definition, in the terms of the CRD object. */
export interface CustomResource {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories?: readonly string[];
  readonly isNamespaced: boolean;
  /** The first is the preferred and stored one. */
  readonly versions: readonly {
    readonly name: string;
    readonly schema: Schema;
    readonly printerColumns: readonly PrinterColumn[];
    readonly hasStatus: boolean;
    /** Text of the `Warning` header. */
    readonly deprecationWarning?: string;
  }[];
}

// ── requests: the one way in, for the simulated kubectl and for a real one over HTTP ────────────────────────

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Decoded path, e.g. `/api/v1/namespaces/default/pods/web`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. `accept` with `as=Table` asks for a Table. */
  readonly headers: Readonly<Record<string, string>>;
  /** A parsed JSON value. */
  readonly body?: unknown;
}

export interface ApiResponse {
  readonly status: number;
  /** A JSON value (object, list, Table, Status), or text (logs, healthz). */
  readonly body: unknown;
  readonly warnings: readonly string[];
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubernetesObject;
}

/** A request that failed, thrown by {@link ApiClient}: the Status object that a client would read. */
export interface ApiErrorLike extends Error {
  readonly status: {
    readonly kind: 'Status';
    readonly code: number;
    readonly reason: string;
    readonly message: string;
    readonly details?: { readonly name?: string; readonly group?: string; readonly kind?: string; readonly causes?: readonly FieldCause[] };
  };
}

export interface ApiServer {
  readonly clock: SimulatedClock;
  /** `v1.27.3`. */
  readonly version: string;
  handle(request: ApiRequest): ApiResponse;
  /** A watch as of section 9 of the wire reference; events arrive at later events of the clock. */
  watch(request: ApiRequest, onEvent: (event: WatchEvent) => void): { close(): void } | ApiResponse;
  defineCustomResource(definition: CustomResource): void;
  /** In-process access with the same rules (validation, defaulting, resourceVersion) and without the text form. */
  readonly client: ApiClient;
  /** Installed by the kubelets: exec, logs and attach need the node. */
  execInPod:
    | ((target: {
        readonly namespace: string;
        readonly pod: string;
        readonly container?: string;
        readonly argv: readonly string[];
        readonly stdin?: string;
        readonly isTerminal?: boolean;
      }) => Promise<CommandResult>)
    | undefined;
  /** The container of a pod as its kubelet runs it; undefined before it was created. */
  containerOf: ((namespace: string, pod: string, container: string) => Container | undefined) | undefined;
  /** The container that ran before a restart, for `kubectl logs --previous`. */
  previousContainerOf?: ((namespace: string, pod: string, container: string) => Container | undefined) | undefined;
  /** `pods/binding`, as the scheduler does it. @throws ApiErrorLike Conflict when the pod has a node */
  bindPod?(namespace: string, name: string, nodeName: string): void;
  /** Every type that is served, as `kubectl` names it. */
  resources?(): readonly { readonly name: string; readonly group: string; readonly kind: string; readonly isNamespaced: boolean }[];
  /** Told of types that are served from now on. */
  onResource?(listener: (resource: string) => void): void;
  /** Says once, on stderr of the client that asked, that something in an object is not modelled. */
  addAdmissionWarning(check: (object: ObjectInput) => readonly string[]): void;
}

/**
 * Resources are named as in `kubectl get`: `pods`, `deployments.apps`, `ciliumnodes.cilium.io`.
 * Objects are shared and frozen: copy before changing.
 */
export interface ApiClient {
  get<T extends KubernetesObject = KubernetesObject>(resource: string, name: string, namespace?: string): T | undefined;
  /** In order of namespace and name. Selection by label, owner uid or node is indexed. */
  list<T extends KubernetesObject = KubernetesObject>(
    resource: string,
    options?: { readonly namespace?: string; readonly labels?: LabelSelector; readonly ownerUid?: string; readonly nodeName?: string },
  ): readonly T[];
  /** @throws ApiErrorLike */
  create<T extends KubernetesObject = KubernetesObject>(object: ObjectInput): T;
  /** @throws ApiErrorLike Conflict when `metadata.resourceVersion` is set and old */
  update<T extends KubernetesObject = KubernetesObject>(object: KubernetesObject): T;
  updateStatus<T extends KubernetesObject = KubernetesObject>(object: KubernetesObject): T;
  /** A merge patch (RFC 7386). */
  patch<T extends KubernetesObject = KubernetesObject>(
    resource: string,
    name: string,
    namespace: string | undefined,
    patch: unknown,
    options?: { readonly subresource?: 'status' },
  ): T;
  delete(resource: string, name: string, namespace?: string, options?: { readonly gracePeriodSeconds?: number }): void;
  /**
   * Tells of every change after now (and, with `replay`, first of every existing object), at a later event of the clock.
   * `old` is the version before a MODIFIED. A watcher of one name, or of the pods of one node, costs the others' changes nothing.
   */
  watch<T extends KubernetesObject = KubernetesObject>(
    resource: string,
    listener: (event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly old?: T }) => void,
    options?: { readonly replay?: boolean; readonly name?: string; readonly nodeName?: string },
  ): () => void;
  /** Adds an Event object, or counts up the same one. */
  recordEvent(
    about: KubernetesObject,
    event: {
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
      readonly component: string;
      readonly host?: string;
    },
  ): void;
}

// ── controllers (controllers/, scheduler.ts; also used by cilium/) ──────────────────────────────────────────

/** A work queue: keys that changed are reconciled once each, `delayMs` after the first mention, with retries on failure. */
export interface Reconciler {
  enqueue(key: string, delayMs?: number): void;
  stop(): void;
}

// ── nodes and pods ──────────────────────────────────────────────────────────────────────────────────────────

/** A machine of the cluster: in kind, a container of the docker engine. */
export interface KubeNode {
  readonly name: string;
  readonly container: Container;
  readonly namespace: NetworkNamespace;
  readonly engine: DockerEngine;
}

/** A pod's sandbox as the container network interface sees it. */
export interface PodSandbox {
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly containerId: string;
  /** The pod's own network namespace, with only a loopback interface. */
  readonly namespace: NetworkNamespace;
  readonly node: KubeNode;
}

/** A CNI plugin, installed on a node by the network provider. Adding is asynchronous: the result is known at a later event. */
export interface CniPlugin {
  readonly name: string;
  /** `done` gets the pod's addresses (primary family first), or the error that the kubelet reports as FailedCreatePodSandBox and retries. */
  add(sandbox: PodSandbox, done: (result: { readonly ips: readonly Ip[] } | { readonly error: string }) => void): void;
  remove(sandbox: PodSandbox): void;
}

/** The kubelet of one node. */
export interface Kubelet {
  readonly node: KubeNode;
  /** Undefined: `cni plugin not initialized`, the node is NotReady. */
  cni: CniPlugin | undefined;
  /** Containers of a running pod, by container name; used by programs that need to know their pod. */
  podOf(
    container: Container,
  ): { readonly namespace: string; readonly name: string; readonly uid: string; readonly hostNetwork: boolean } | undefined;
  sandboxOf(podNamespace: string, podName: string): PodSandbox | undefined;
}

/** Everything that `kind create cluster` leaves behind (kind.ts). */
export interface Cluster {
  readonly name: string;
  readonly server: ApiServer;
  readonly engine: DockerEngine;
  readonly random: Random;
  readonly nodes: readonly KubeNode[];
  readonly kubelets: ReadonlyMap<string, Kubelet>;
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  /** `kubectl` on the lab host reads this. */
  readonly kubeconfigContext: string;
  /** False where `kubeProxyMode: none`; kube-proxy then does not run. */
  readonly hasKubeProxy: boolean;
}
