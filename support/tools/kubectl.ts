import type { ExecResult, Lab } from '../port/lab.ts';
import { CheckFailure, EnvironmentError } from '../verdict/errors.ts';
import { budgets } from '../waiting/budgets.ts';
import { Json } from './json.ts';
import { formatCommand, lastLine, run, toolFailed } from './run.ts';

/** An object's namespace and name, written `namespace/name` in features. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string | undefined;
  readonly addresses: readonly string[];
  readonly isReady: boolean;
  readonly isEnding: boolean;
}

export interface Deployment {
  readonly name: string;
  readonly wanted: number;
  readonly total: number;
  readonly updated: number;
  readonly available: number;
  readonly isObserved: boolean;
  /** `key=value,…`, as kubectl's `-l` takes it. */
  readonly selector: string;
}

export interface Service {
  readonly name: string;
  readonly type: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly clusterAddresses: readonly string[];
  readonly externalAddresses: readonly string[];
  readonly ports: readonly number[];
  /** Messages of conditions that are not True: why something is missing. */
  readonly complaints: readonly string[];
}

export interface KubeNode {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly isReady: boolean;
}

export interface CiliumNode {
  readonly name: string;
  readonly podCidrs: readonly string[];
}

export interface Pool {
  readonly name: string;
  readonly isDisabled: boolean;
  /** Status of the condition `cilium.io/PoolConflict`; undefined until the operator has looked at the pool. */
  readonly conflict: string | undefined;
  /** Free addresses, as many digits as they take. */
  readonly available: string | undefined;
}

export interface Lease {
  readonly name: string;
  readonly holder: string | undefined;
}

export interface GetQuery {
  readonly kind: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: string;
}

/** `kubectl get … -o json` */
export function getArgv(query: GetQuery): string[] {
  const argv = ['kubectl', 'get', query.kind];
  if (query.name !== undefined) argv.push(query.name);
  if (query.namespace !== undefined) argv.push('-n', query.namespace);
  if (query.selector !== undefined) argv.push('-l', query.selector);
  argv.push('-o', 'json');
  return argv;
}

export function execArgv(pod: ObjectName, argv: readonly string[]): string[] {
  return ['kubectl', 'exec', '-n', pod.namespace, pod.name, '--', ...argv];
}

export function parsePod(json: Json): Pod {
  return {
    name: json.at('metadata', 'name').text(),
    namespace: json.at('metadata', 'namespace').text(),
    node: json.at('spec', 'nodeName').optionalText(),
    addresses: json
      .at('status', 'podIPs')
      .items()
      .map((item) => item.at('ip').text()),
    isReady: hasCondition(json, 'Ready'),
    isEnding: json.at('metadata', 'deletionTimestamp').exists,
  };
}

export function parseDeployment(json: Json): Deployment {
  const status = json.at('status');
  return {
    name: json.at('metadata', 'name').text(),
    wanted: json.at('spec', 'replicas').exists ? json.at('spec', 'replicas').number() : 1,
    total: status.at('replicas').count(),
    updated: status.at('updatedReplicas').count(),
    available: status.at('availableReplicas').count(),
    isObserved: status.at('observedGeneration').count() >= json.at('metadata', 'generation').count(),
    selector: [...json.at('spec', 'selector', 'matchLabels').textMap()].map(([key, value]) => `${key}=${value}`).join(','),
  };
}

export function parseService(json: Json): Service {
  const spec = json.at('spec');
  return {
    name: json.at('metadata', 'name').text(),
    type: spec.at('type').text(),
    labels: json.at('metadata', 'labels').textMap(),
    clusterAddresses: spec.at('clusterIPs').texts(),
    externalAddresses: json
      .at('status', 'loadBalancer', 'ingress')
      .items()
      .flatMap((item) => item.at('ip').optionalText() ?? []),
    ports: spec
      .at('ports')
      .items()
      .map((item) => item.at('port').number()),
    complaints: json
      .at('status', 'conditions')
      .items()
      .filter((item) => item.at('status').text() !== 'True')
      .flatMap((item) => item.at('message').optionalText() || item.at('reason').optionalText() || []),
  };
}

export function parseNode(json: Json): KubeNode {
  return {
    name: json.at('metadata', 'name').text(),
    labels: json.at('metadata', 'labels').textMap(),
    isReady: hasCondition(json, 'Ready'),
  };
}

export function parseCiliumNode(json: Json): CiliumNode {
  return { name: json.at('metadata', 'name').text(), podCidrs: json.at('spec', 'ipam', 'podCIDRs').texts() };
}

export function parsePool(json: Json): Pool {
  const conditions = json.at('status', 'conditions').items();
  const condition = (type: string) => conditions.find((item) => item.at('type').text() === type);
  return {
    name: json.at('metadata', 'name').text(),
    isDisabled: json.at('spec', 'disabled').flag(),
    conflict: condition('cilium.io/PoolConflict')?.at('status').optionalText(),
    available: condition('cilium.io/IPsAvailable')?.at('message').optionalText(),
  };
}

export function parseLease(json: Json): Lease {
  return { name: json.at('metadata', 'name').text(), holder: json.at('spec', 'holderIdentity').optionalText() || undefined };
}

/** What `kubectl get -o json` ended with: an object or a list, or nothing of that name or kind. */
export function readGet(result: ExecResult): Json | undefined {
  if (result.exitCode === 0) return Json.parse(result.stdout, 'kubectl get');
  if (/^Error from server \(NotFound\)|doesn't have a resource type/m.test(result.stderr)) return undefined;
  throw unreachable(result) ?? toolFailed(result);
}

/** Asks the cluster through kubectl, and changes it. */
export class Kubectl {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async pods(namespace: string, selector: string): Promise<Pod[]> {
    return await this.#list({ kind: 'pods', namespace, selector }, parsePod);
  }

  /** The pods of a deployment that are there to stay, by name; none when there is no such deployment. */
  async podsOf(deployment: ObjectName): Promise<Pod[]> {
    const found = await this.deployment(deployment);
    if (found === undefined) return [];
    const pods = await this.pods(deployment.namespace, found.selector);
    return pods.filter((pod) => !pod.isEnding).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async deployment({ namespace, name }: ObjectName): Promise<Deployment | undefined> {
    return await this.#get({ kind: 'deployment', namespace, name }, parseDeployment);
  }

  async service({ namespace, name }: ObjectName): Promise<Service | undefined> {
    return await this.#get({ kind: 'service', namespace, name }, parseService);
  }

  async nodes(): Promise<KubeNode[]> {
    return await this.#list({ kind: 'nodes' }, parseNode);
  }

  async ciliumNodes(): Promise<CiliumNode[]> {
    return await this.#list({ kind: 'ciliumnodes.cilium.io' }, parseCiliumNode);
  }

  async pool(name: string): Promise<Pool | undefined> {
    return await this.#get({ kind: 'ciliumloadbalancerippools.cilium.io', name }, parsePool);
  }

  async lease(lease: ObjectName): Promise<Lease | undefined> {
    return await this.#get({ kind: 'leases.coordination.k8s.io', ...lease }, parseLease);
  }

  /** Names of all objects of a kind that has no namespace; none when the cluster does not know the kind. */
  async names(kind: string): Promise<string[]> {
    return await this.#list({ kind }, (json) => json.at('metadata', 'name').text());
  }

  /** @throws CheckFailure when the API server refuses the file */
  async apply(file: string): Promise<void> {
    await this.#change(['kubectl', 'apply', '-f', file]);
  }

  /** @throws CheckFailure when there is no such object or the API server refuses the label */
  async label(kind: string, { namespace, name }: ObjectName, label: string): Promise<void> {
    await this.#change(['kubectl', 'label', '-n', namespace, kind, name, label]);
  }

  async #change(argv: readonly string[]): Promise<void> {
    const result = await run(this.#lab, { argv }, budgets.changeMs);
    if (result.exitCode === 0) return;
    const lost = unreachable(result);
    if (lost !== undefined) throw lost;
    throw new CheckFailure(
      'action/refused',
      [`expected ${formatCommand({ argv })} to be accepted`, `  saw: ${result.stderr.trim() || lastLine(result)}`].join('\n'),
    );
  }

  async #get<T>(query: GetQuery, parse: (json: Json) => T): Promise<T | undefined> {
    const json = readGet(await run(this.#lab, { argv: getArgv(query) }));
    return json === undefined ? undefined : parse(json);
  }

  async #list<T>(query: GetQuery, parse: (json: Json) => T): Promise<T[]> {
    const json = readGet(await run(this.#lab, { argv: getArgv(query) }));
    return json === undefined ? [] : json.at('items').items().map(parse);
  }
}

/** The API server did not answer: nobody can tell how the cluster is. */
function unreachable(result: ExecResult): EnvironmentError | undefined {
  const pattern =
    /connection to the server .* was refused|Unable to connect to the server|server is currently unable to handle|Unauthorized/;
  if (!pattern.test(result.stderr)) return undefined;
  return new EnvironmentError('kubectl/unreachable', `kubectl cannot talk to the cluster: ${lastLine(result)}`, { fix: 'outpost doctor' });
}

function hasCondition(json: Json, type: string): boolean {
  return json
    .at('status', 'conditions')
    .items()
    .some((item) => item.at('type').text() === type && item.at('status').text() === 'True');
}
