import { isPodReady, type Pod } from '../kubernetes/objects.ts';
import type { ApiClient, Cluster, KubernetesObject, ObjectInput } from '../kubernetes/types.ts';
import { addAdmissionWarnings } from './admission-warnings.ts';
import { apiServerProblem } from './api-server-access.ts';
import { defineCustomResources } from './crds/definitions.ts';
import { renderConfig } from './helm/config-map.ts';
import { releaseSecret } from './helm/release.ts';
import { readValues } from './helm/values.ts';
import { renderObjects } from './helm/workloads.ts';
import { registerImages } from './images.ts';
import { type OwnInstallation, register, unregister } from './installations.ts';
import { ciliumNamespace } from './objects.ts';
import type { CiliumInstallation, RunningAgent } from './types.ts';
import { parseVersion } from './version.ts';

export interface InstallOptions {
  /** `1.16.0`. */
  readonly version: string;
  /** Parsed Helm values; undefined for the chart's defaults. */
  readonly values: unknown;
}

export interface InstalledCilium extends CiliumInstallation {
  /** Helm values that would change what the real system does and that are not modelled, a sentence each. */
  readonly unmodelledValues: readonly string[];
}

const plurals: Readonly<Record<string, string>> = {
  ConfigMap: 'configmaps',
  DaemonSet: 'daemonsets.apps',
  Deployment: 'deployments.apps',
  Secret: 'secrets',
  Service: 'services',
  ServiceAccount: 'serviceaccounts',
};

const managedByHelm = { 'app.kubernetes.io/managed-by': 'Helm' };
const releaseAnnotations = { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': ciliumNamespace };

/**
 * Does what `helm upgrade --install cilium` does: writes the release's objects. Agents and operators then start as the
 * cluster's controllers bring their pods up. The custom resources, which a real operator defines a little later, are
 * there at once where an operator can work, so that manifests can be applied right after.
 * @throws ContentError for a version or values that the chart would not take
 */
export function installCilium(cluster: Cluster, options: InstallOptions): InstalledCilium {
  const version = parseVersion(options.version);
  const { values, unmodelled } = readValues(options.values, version);
  const config = renderConfig(values, version, minorOf(cluster.server.version));
  const { client } = cluster.server;
  const agents: RunningAgent[] = [];
  const installation: OwnInstallation & InstalledCilium = {
    cluster,
    version,
    agents,
    unmodelledValues: unmodelled,
    addAgent(agent) {
      agents.push(agent);
      agents.sort((a, b) => (a.context.node.name < b.context.node.name ? -1 : 1));
    },
    removeAgent(agent) {
      const index = agents.indexOf(agent);
      if (index >= 0) agents.splice(index, 1);
    },
    isHubbleRelayReady() {
      if (!agents.some(({ flows }) => flows !== undefined)) return false;
      const pods = client.list<Pod>('pods', { namespace: ciliumNamespace, labels: { matchLabels: { 'k8s-app': 'hubble-relay' } } });
      return pods.some(isPodReady);
    },
  };
  register(installation);
  registerImages(cluster.engine, version);
  addAdmissionWarnings(cluster.server);
  const operatorWorks =
    values.operator.enabled &&
    values.operator.replicas > 0 &&
    cluster.nodes.some((node) => apiServerProblem(cluster, node, values.k8sServiceHost, values.k8sServicePort) === undefined);
  if (operatorWorks) defineCustomResources(cluster.server, version, new Map(Object.entries(config)));
  const revision =
    client.list('secrets', { namespace: ciliumNamespace, labels: { matchLabels: { name: 'cilium', owner: 'helm' } } }).length + 1;
  for (const old of client.list('secrets', {
    namespace: ciliumNamespace,
    labels: { matchLabels: { name: 'cilium', owner: 'helm', status: 'deployed' } },
  })) {
    client.patch('secrets', old.metadata.name, ciliumNamespace, { metadata: { labels: { status: 'superseded' } } });
  }
  const configMap: ObjectInput = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cilium-config', namespace: ciliumNamespace },
    data: config,
  };
  for (const object of [configMap, ...renderObjects(values, version)]) writeObject(client, withHelmMarks(object));
  writeObject(client, releaseSecret(version.text, options.values, revision));
  return installation;
}

/** `v1.27.3` is 27. */
const minorOf = (kubernetes: string): number => Number(/^v?1\.(\d+)/.exec(kubernetes)?.[1] ?? Number.NaN);

function withHelmMarks(object: ObjectInput): ObjectInput {
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...managedByHelm },
      annotations: { ...metadata.annotations, ...releaseAnnotations },
    },
  };
}

function writeObject(client: ApiClient, object: ObjectInput): void {
  const { name = '', namespace } = object.metadata;
  const plural = plurals[object.kind] as string;
  const existing = client.get(plural, name, namespace);
  if (existing === undefined) {
    client.create(object);
    return;
  }
  const { metadata, apiVersion, kind, ...rest } = object;
  // A data map is replaced as a whole: a merge alone would keep keys that the new release no longer writes.
  const gone = kind === 'ConfigMap' ? removedKeys(existing, rest['data']) : {};
  client.patch(plural, name, namespace, {
    metadata: { labels: metadata.labels, annotations: metadata.annotations },
    ...rest,
    ...(kind === 'ConfigMap' ? { data: { ...gone, ...(rest['data'] as object) } } : {}),
  });
}

function removedKeys(existing: KubernetesObject, next: unknown): Readonly<Record<string, null>> {
  const kept = new Set(Object.keys((next ?? {}) as object));
  return Object.fromEntries(
    Object.keys((existing['data'] ?? {}) as object)
      .filter((key) => !kept.has(key))
      .map((key) => [key, null]),
  );
}

/** `helm uninstall cilium`: takes the release's objects away. Custom resources and their objects stay, as in reality. */
export function uninstall(installation: CiliumInstallation): void {
  const { client } = installation.cluster.server;
  for (const plural of ['deployments.apps', 'daemonsets.apps', 'services', 'serviceaccounts', 'configmaps']) {
    for (const { metadata } of client.list(plural, { namespace: ciliumNamespace, labels: { matchLabels: managedByHelm } })) {
      if (metadata.annotations?.['meta.helm.sh/release-name'] === 'cilium') client.delete(plural, metadata.name, ciliumNamespace);
    }
  }
  for (const { metadata } of client.list('secrets', {
    namespace: ciliumNamespace,
    labels: { matchLabels: { name: 'cilium', owner: 'helm' } },
  })) {
    client.delete('secrets', metadata.name, ciliumNamespace);
  }
  unregister(installation as OwnInstallation);
}
