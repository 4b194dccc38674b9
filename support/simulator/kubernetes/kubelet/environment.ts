import { fromBase64 } from '../apiserver/defaults.ts';
import type { ConfigMap, ContainerSpec, EnvVar, Pod, Secret, Service, Volume } from '../objects.ts';
import type { ApiClient } from '../types.ts';

/** What keeps a container from being made (`CreateContainerConfigError`) or a volume from being mounted. */
export class PodConfigError extends Error {}

/** Facts of a running pod that the downward API tells. */
export interface PodFacts {
  readonly ips: readonly string[];
  readonly hostIps: readonly string[];
}

export interface ContainerEnvironment {
  /** Variables of the services that existed when the container was made; worked out when somebody asks. */
  readonly links: () => Readonly<Record<string, string>>;
  /** What the pod asks for; it wins. */
  readonly own: Readonly<Record<string, string>>;
  readonly lookup: (name: string) => string | undefined;
}

/** Environment of a container: service links, `envFrom`, `env` with `$(NAME)` references. @throws PodConfigError */
export function environmentOf(client: ApiClient, pod: Pod, container: ContainerSpec, facts: PodFacts): ContainerEnvironment {
  const namespace = pod.metadata.namespace ?? 'default';
  const links = serviceLinks(client, pod);
  const env: Record<string, string> = {};
  const lookup = (name: string): string | undefined => env[name] ?? links()[name];
  for (const source of container.envFrom ?? []) {
    const reference = source.configMapRef ?? source.secretRef;
    const values =
      source.configMapRef !== undefined
        ? configMapValues(client, namespace, source.configMapRef.name)
        : secretValues(client, namespace, source.secretRef?.name ?? '');
    if (values === undefined) {
      if (reference?.optional === true) continue;
      throw new PodConfigError(
        `${source.configMapRef !== undefined ? 'configmap' : 'secret'} ${JSON.stringify(reference?.name ?? '')} not found`,
      );
    }
    for (const [key, value] of Object.entries(values)) env[`${source.prefix ?? ''}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(client, pod, container, variable, facts);
    if (value !== undefined) env[variable.name] = expand(value, lookup);
  }
  return { links, own: env, lookup };
}

/** `$(NAME)` of known variables; `$$` stands for one `$` (third_party/forked/golang/expansion). */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^()]+)\)/g, (whole, name: string | undefined) => (name === undefined ? '$' : (lookup(name) ?? whole)));
}

function variableValue(client: ApiClient, pod: Pod, container: ContainerSpec, variable: EnvVar, facts: PodFacts): string | undefined {
  const source = variable.valueFrom;
  if (source === undefined) return variable.value ?? '';
  const namespace = pod.metadata.namespace ?? 'default';
  if (source.fieldRef !== undefined) return fieldValue(pod, source.fieldRef.fieldPath, facts);
  if (source.resourceFieldRef !== undefined) {
    const [scope, resource] = source.resourceFieldRef.resource.split('.');
    return container.resources?.[scope === 'limits' ? 'limits' : 'requests']?.[resource ?? ''] ?? '0';
  }
  const [kind, reference] =
    source.configMapKeyRef !== undefined ? (['configmap', source.configMapKeyRef] as const) : (['secret', source.secretKeyRef] as const);
  if (reference === undefined) return '';
  const values =
    kind === 'configmap' ? configMapValues(client, namespace, reference.name) : secretValues(client, namespace, reference.name);
  const value = values?.[reference.key];
  if (value !== undefined) return value;
  if (reference.optional === true) return undefined;
  if (values === undefined) throw new PodConfigError(`${kind} ${JSON.stringify(reference.name)} not found`);
  throw new PodConfigError(
    `couldn't find key ${reference.key} in ${kind === 'configmap' ? 'ConfigMap' : 'Secret'} ${namespace}/${reference.name}`,
  );
}

export function fieldValue(pod: Pod, path: string, facts: PodFacts): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
    case 'metadata.annotations':
      return Object.entries(pod.metadata[path === 'metadata.labels' ? 'labels' : 'annotations'] ?? {})
        .sort()
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join('\n');
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.podIP':
      return facts.ips[0] ?? '';
    case 'status.podIPs':
      return facts.ips.join(',');
    case 'status.hostIP':
      return facts.hostIps[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIps.join(',');
    default:
      throw new PodConfigError(`unsupported fieldPath: ${path}`);
  }
}

function configMapValues(client: ApiClient, namespace: string, name: string): Readonly<Record<string, string>> | undefined {
  return (
    client.get<ConfigMap>('configmaps', name, namespace)?.data ?? (client.get('configmaps', name, namespace) === undefined ? undefined : {})
  );
}

/** As files: with what is no text. */
function configMapFiles(client: ApiClient, namespace: string, name: string): Readonly<Record<string, string>> | undefined {
  const found = client.get<ConfigMap>('configmaps', name, namespace);
  return found?.binaryData === undefined ? found?.data : { ...found.data, ...decoded(found.binaryData) };
}

function decoded(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, fromBase64(value)]));
}

function secretValues(client: ApiClient, namespace: string, name: string): Readonly<Record<string, string>> | undefined {
  const secret = client.get<Secret>('secrets', name, namespace);
  if (secret === undefined) return undefined;
  return decoded(secret.data ?? {});
}

/** The variables of one state of a namespace's services, for all the containers that were made while it lasted. */
const linksOf = new WeakMap<readonly Service[], Map<Service | undefined, Readonly<Record<string, string>>>>();
const noServices: readonly Service[] = [];

/** Variables of the services that exist by now: the API server's always, the namespace's with `enableServiceLinks`. */
function serviceLinks(client: ApiClient, pod: Pod): () => Readonly<Record<string, string>> {
  const master = client.get<Service>('services', 'kubernetes', 'default');
  const own =
    pod.spec['enableServiceLinks'] === false
      ? noServices
      : client.list<Service>('services', { namespace: pod.metadata.namespace ?? 'default' });
  return () => {
    const known = linksOf.get(own) ?? new Map<Service | undefined, Readonly<Record<string, string>>>();
    linksOf.set(own, known);
    const made = known.get(master) ?? variablesOf([...(master === undefined ? [] : [master]), ...own]);
    known.set(master, made);
    return made;
  };
}

function variablesOf(services: readonly Service[]): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const service of services) {
    const ip = service.spec.clusterIP;
    const ports = service.spec.ports ?? [];
    const first = ports[0];
    if (ip === undefined || ip === 'None' || ip === '' || first === undefined) continue;
    const prefix = service.metadata.name.toUpperCase().replaceAll('-', '_');
    const host = ip.includes(':') ? `[${ip}]` : ip;
    env[`${prefix}_SERVICE_HOST`] = ip;
    env[`${prefix}_SERVICE_PORT`] = String(first.port);
    for (const port of ports)
      if (port.name !== undefined && port.name !== '')
        env[`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`] = String(port.port);
    for (const [index, port] of ports.entries()) {
      const protocol = port.protocol ?? 'TCP';
      const url = `${protocol.toLowerCase()}://${host}:${port.port}`;
      if (index === 0) env[`${prefix}_PORT`] = url;
      const base = `${prefix}_PORT_${port.port}_${protocol}`;
      env[base] = url;
      env[`${base}_PROTO`] = protocol.toLowerCase();
      env[`${base}_PORT`] = String(port.port);
      env[`${base}_ADDR`] = ip;
    }
  }
  return env;
}

/** Files that a container's mounts bring, by path. Not modelled: later changes of a ConfigMap, volumes that are written to. */
export function mountedFiles(client: ApiClient, pod: Pod, container: ContainerSpec, facts: PodFacts): Record<string, string> {
  const files: Record<string, string> = {};
  for (const mount of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((candidate) => candidate.name === mount.name);
    if (volume === undefined) continue;
    const content = volumeFiles(client, pod, volume, facts);
    if (content === undefined) continue;
    for (const [path, text] of Object.entries(content)) {
      if (mount.subPath !== undefined && mount.subPath !== '') {
        if (path === mount.subPath) files[mount.mountPath] = text;
        else if (path.startsWith(`${mount.subPath}/`)) files[`${trimmed(mount.mountPath)}${path.slice(mount.subPath.length)}`] = text;
      } else files[`${trimmed(mount.mountPath)}/${path}`] = text;
    }
  }
  return files;
}

function trimmed(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Why a volume cannot be mounted yet, in the kubelet's words. */
export function missingVolume(client: ApiClient, pod: Pod): { readonly volume: string; readonly why: string } | undefined {
  const namespace = pod.metadata.namespace ?? 'default';
  for (const volume of pod.spec.volumes ?? []) {
    if (
      volume.configMap !== undefined &&
      volume.configMap.optional !== true &&
      client.get('configmaps', volume.configMap.name, namespace) === undefined
    )
      return { volume: volume.name, why: `configmap ${JSON.stringify(volume.configMap.name)} not found` };
    if (
      volume.secret !== undefined &&
      volume.secret.optional !== true &&
      client.get('secrets', volume.secret.secretName, namespace) === undefined
    )
      return { volume: volume.name, why: `secret ${JSON.stringify(volume.secret.secretName)} not found` };
  }
  return undefined;
}

interface Projection {
  readonly configMap?: Volume['configMap'];
  readonly secret?: { readonly name: string; readonly items?: readonly { readonly key: string; readonly path: string }[] };
  readonly downwardAPI?: { readonly items?: readonly { readonly path: string; readonly fieldRef?: { readonly fieldPath: string } }[] };
  readonly serviceAccountToken?: { readonly path: string };
}

function volumeFiles(client: ApiClient, pod: Pod, volume: Volume, facts: PodFacts): Record<string, string> | undefined {
  const namespace = pod.metadata.namespace ?? 'default';
  if (volume.configMap !== undefined) return selected(configMapFiles(client, namespace, volume.configMap.name), volume.configMap.items);
  if (volume.secret !== undefined) return selected(secretValues(client, namespace, volume.secret.secretName), volume.secret.items);
  const downward = volume['downwardAPI'] as Projection['downwardAPI'];
  if (downward !== undefined) return projected(client, pod, [{ downwardAPI: downward }], facts);
  const sources = (volume['projected'] as { readonly sources?: readonly Projection[] } | undefined)?.sources;
  return sources === undefined ? undefined : projected(client, pod, sources, facts);
}

function projected(client: ApiClient, pod: Pod, sources: readonly Projection[], facts: PodFacts): Record<string, string> {
  const namespace = pod.metadata.namespace ?? 'default';
  const files: Record<string, string> = {};
  for (const source of sources) {
    if (source.configMap !== undefined)
      Object.assign(files, selected(configMapFiles(client, namespace, source.configMap.name), source.configMap.items));
    if (source.secret !== undefined)
      Object.assign(files, selected(secretValues(client, namespace, source.secret.name), source.secret.items));
    if (source.serviceAccountToken !== undefined) files[source.serviceAccountToken.path] = `simulated.${pod.metadata.uid}.token`;
    for (const item of source.downwardAPI?.items ?? [])
      if (item.fieldRef !== undefined) files[item.path] = fieldValue(pod, item.fieldRef.fieldPath, facts);
  }
  return files;
}

function selected(
  values: Readonly<Record<string, string>> | undefined,
  items: readonly { readonly key: string; readonly path: string }[] | undefined,
): Record<string, string> {
  if (values === undefined) return {};
  if (items === undefined) return { ...values };
  return Object.fromEntries(items.flatMap((item) => (values[item.key] === undefined ? [] : [[item.path, values[item.key] ?? '']])));
}
