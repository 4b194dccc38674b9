import { parseIp, parsePrefix } from '../net/address.ts';

// The kind.x-k8s.io/v1alpha4 Cluster, read strictly: an unknown key is a mistake, as in kind itself.

export interface KindNode {
  readonly role: 'control-plane' | 'worker';
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The kubelet's `node-ip`, from a kubeadm patch. */
  readonly nodeIps: readonly string[] | undefined;
  readonly ports: readonly {
    readonly hostIp?: string;
    readonly hostPort: number;
    readonly containerPort: number;
    readonly protocol: 'tcp' | 'udp';
  }[];
  readonly binds: readonly string[];
}

export interface KindConfig {
  readonly name: string | undefined;
  readonly nodes: readonly KindNode[];
  readonly ipFamily: 'ipv4' | 'ipv6' | 'dual';
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly disableDefaultCni: boolean;
  readonly kubeProxyMode: 'iptables' | 'ipvs' | 'none';
  readonly apiServerPort: number | undefined;
  readonly apiServerAddress: string;
  /** The API server's `service-node-port-range`, from a kubeadm patch; undefined: its default. */
  readonly nodePortRange: readonly [lowest: number, highest: number] | undefined;
}

export const defaultNodeImage = 'kindest/node:v1.27.3@sha256:3966ac761ae0136263ffdb6cfd4db23ef8a83cba8a463690e98317add2c9ba72';

const clusterKeys = [
  'kind',
  'apiVersion',
  'name',
  'nodes',
  'networking',
  'featureGates',
  'runtimeConfig',
  'kubeadmConfigPatches',
  'kubeadmConfigPatchesJSON6902',
  'containerdConfigPatches',
  'containerdConfigPatchesJSON6902',
];
const nodeKeys = ['role', 'image', 'labels', 'extraMounts', 'extraPortMappings', 'kubeadmConfigPatches', 'kubeadmConfigPatchesJSON6902'];
const networkingKeys = [
  'ipFamily',
  'apiServerPort',
  'apiServerAddress',
  'podSubnet',
  'serviceSubnet',
  'disableDefaultCNI',
  'kubeProxyMode',
  'dnsSearch',
];
const mappingKeys = ['containerPort', 'hostPort', 'listenAddress', 'protocol'];
const mountKeys = ['hostPath', 'containerPath', 'readOnly', 'selinuxRelabel', 'propagation'];

type Json = Readonly<Record<string, unknown>>;

/** @throws Error naming the field that is wrong */
export function parseKindConfig(config: unknown): KindConfig {
  const cluster =
    config === undefined || config === null
      ? { kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4' }
      : record(config, 'the cluster config');
  if (cluster['apiVersion'] !== 'kind.x-k8s.io/v1alpha4')
    throw new Error(
      `apiVersion: unknown apiVersion: ${String(cluster['apiVersion'] ?? '')} (kind.x-k8s.io/v1alpha4 is the one that kind takes)`,
    );
  if (cluster['kind'] !== 'Cluster')
    throw new Error(`kind: unknown kind ${String(cluster['kind'] ?? '')} for apiVersion: kind.x-k8s.io/v1alpha4`);
  refuseUnknown(cluster, clusterKeys, '', 'v1alpha4.Cluster');
  const networking = record(cluster['networking'] ?? {}, 'networking');
  refuseUnknown(networking, networkingKeys, 'networking.', 'v1alpha4.Networking');
  const ipFamily = networking['ipFamily'] ?? 'ipv4';
  if (ipFamily !== 'ipv4' && ipFamily !== 'ipv6' && ipFamily !== 'dual')
    throw new Error(`networking.ipFamily: invalid ipFamily: ${String(ipFamily)} (ipv4, ipv6 or dual)`);
  const kubeProxyMode = networking['kubeProxyMode'] ?? 'iptables';
  if (kubeProxyMode !== 'iptables' && kubeProxyMode !== 'ipvs' && kubeProxyMode !== 'none')
    throw new Error(`networking.kubeProxyMode: invalid kubeProxyMode: ${String(kubeProxyMode)} (iptables, ipvs or none)`);
  const name = cluster['name'];
  if (name !== undefined && (typeof name !== 'string' || !/^[a-z0-9.-]+$/.test(name)))
    throw new Error(`name: '${String(name)}' is not a valid cluster name, cluster names must match \`^[a-z0-9.-]+$\``);
  const list = cluster['nodes'] ?? [{ role: 'control-plane' }];
  if (!Array.isArray(list)) throw new Error('nodes: must be a list');
  const everywhere = patchesOf(cluster['kubeadmConfigPatches'], 'kubeadmConfigPatches');
  // kind starts the cluster on the first control plane (kubeadm init); every other node joins.
  const first = list.findIndex((entry) => (entry as Json | null)?.['role'] !== 'worker');
  const nodes = list.map((entry, index) => nodeOf(entry, `nodes[${index}]`, everywhere, index === first));
  if (!nodes.some((node) => node.role === 'control-plane')) throw new Error('nodes: must have at least one control-plane node');
  return {
    name,
    nodes,
    ipFamily,
    // kind's own defaults (pkg/apis/config/v1alpha4/default.go).
    podSubnets: subnets(networking['podSubnet'], ipFamily, ['10.244.0.0/16', 'fd00:10:244::/56'], 'networking.podSubnet'),
    serviceSubnets: subnets(networking['serviceSubnet'], ipFamily, ['10.96.0.0/16', 'fd00:10:96::/112'], 'networking.serviceSubnet'),
    disableDefaultCni: boolean(networking['disableDefaultCNI'], 'networking.disableDefaultCNI'),
    kubeProxyMode,
    apiServerPort: networking['apiServerPort'] === undefined ? undefined : port(networking['apiServerPort'], 'networking.apiServerPort'),
    apiServerAddress: typeof networking['apiServerAddress'] === 'string' ? networking['apiServerAddress'] : '127.0.0.1',
    nodePortRange: nodePortRangeOf(everywhere),
  };
}

function nodeOf(entry: unknown, path: string, everywhere: readonly string[], isFirst: boolean): KindNode {
  const node = record(entry, path);
  refuseUnknown(node, nodeKeys, `${path}.`, 'v1alpha4.Node');
  const role = node['role'] ?? 'control-plane';
  if (role !== 'control-plane' && role !== 'worker')
    throw new Error(`${path}.role: ${JSON.stringify(role)} is not a valid node role (control-plane or worker)`);
  const image = node['image'] ?? defaultNodeImage;
  if (typeof image !== 'string' || image === '') throw new Error(`${path}.image: must be the name of a node image`);
  const own = record(node['labels'] ?? {}, `${path}.labels`);
  const text: Record<string, string> = {};
  for (const [key, value] of Object.entries(own)) {
    if (typeof value !== 'string')
      throw new Error(
        `${path}.labels: cannot unmarshal !!${yamlTag(value)} \`${String(value)}\` into string (the value of ${key} needs quotes)`,
      );
    text[key] = value;
  }
  const patches = [...everywhere, ...patchesOf(node['kubeadmConfigPatches'], `${path}.kubeadmConfigPatches`)];
  const args = kubeletArguments(patches, isFirst ? 'InitConfiguration' : 'JoinConfiguration');
  return {
    role,
    image,
    labels: { ...nodeLabels(args['node-labels']), ...text },
    nodeIps: nodeIpsOf(args['node-ip'], path),
    ports: listOf(node['extraPortMappings'], `${path}.extraPortMappings`).map((mapping, index) =>
      mappingOf(mapping, `${path}.extraPortMappings[${index}]`),
    ),
    binds: listOf(node['extraMounts'], `${path}.extraMounts`).map((mount, index) => bindOf(mount, `${path}.extraMounts[${index}]`)),
  };
}

function yamlTag(value: unknown): string {
  return typeof value === 'boolean'
    ? 'bool'
    : typeof value === 'number'
      ? Number.isInteger(value)
        ? 'int'
        : 'float'
      : Array.isArray(value)
        ? 'seq'
        : value === null
          ? 'null'
          : 'map';
}

function mappingOf(entry: unknown, path: string): KindNode['ports'][number] {
  const mapping = record(entry, path);
  refuseUnknown(mapping, mappingKeys, `${path}.`, 'v1alpha4.PortMapping');
  const protocol = String(mapping['protocol'] ?? 'TCP').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw new Error(`${path}.protocol: ${JSON.stringify(mapping['protocol'])} is not modelled (TCP or UDP)`);
  const hostIp = mapping['listenAddress'];
  return {
    ...(typeof hostIp === 'string' ? { hostIp } : {}),
    hostPort: port(mapping['hostPort'], `${path}.hostPort`),
    containerPort: port(mapping['containerPort'], `${path}.containerPort`),
    protocol,
  };
}

function bindOf(entry: unknown, path: string): string {
  const mount = record(entry, path);
  refuseUnknown(mount, mountKeys, `${path}.`, 'v1alpha4.Mount');
  if (typeof mount['hostPath'] !== 'string' || typeof mount['containerPath'] !== 'string')
    throw new Error(`${path}: hostPath and containerPath are needed`);
  return `${mount['hostPath']}:${mount['containerPath']}${mount['readOnly'] === true ? ':ro' : ''}`;
}

function patchesOf(value: unknown, path: string): readonly string[] {
  return listOf(value, path).map((patch) => {
    if (typeof patch !== 'string') throw new Error(`${path}: each patch is a text`);
    return patch;
  });
}

/** Of kubeadm patches, the kubelet's `node-labels` and `node-ip` have an effect here; a patch counts where its kind is in use. */
function kubeletArguments(patches: readonly string[], kind: 'InitConfiguration' | 'JoinConfiguration'): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const patch of patches) {
    const target = /^kind:\s*["']?(\w+)/m.exec(patch)?.[1];
    if (target !== undefined && target !== kind) continue;
    for (const [, name = '', value = ''] of patch.matchAll(/\b(node-labels|node-ip):\s*["']?([^"'\n]+)["']?/g)) found[name] = value.trim();
  }
  return found;
}

/** Of the API server's extra arguments in a kubeadm ClusterConfiguration, this one has an effect here. */
function nodePortRangeOf(patches: readonly string[]): KindConfig['nodePortRange'] {
  for (const patch of patches) {
    if (/^kind:\s*["']?(\w+)/m.exec(patch)?.[1] !== 'ClusterConfiguration') continue;
    const text = /\bservice-node-port-range:\s*["']?([^"'\n]+)["']?/.exec(patch)?.[1]?.trim();
    if (text === undefined) continue;
    const [low = 0, high = 0] = text.split('-').map(Number);
    if (!(low >= 1 && high >= low && high <= 65_535))
      throw new Error(`kubeadmConfigPatches: bad --service-node-port-range ${JSON.stringify(text)}`);
    return [low, high];
  }
  return undefined;
}

function nodeLabels(text: string | undefined): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const pair of text?.split(',') ?? []) {
    const [key = '', label = ''] = pair.trim().split('=');
    if (key !== '') labels[key] = label;
  }
  return labels;
}

function nodeIpsOf(text: string | undefined, path: string): readonly string[] | undefined {
  if (text === undefined) return undefined;
  return text.split(',').map((part) => {
    const address = parseIp(part.trim());
    if (address === undefined) throw new Error(`${path}.kubeadmConfigPatches: bad --node-ip ${JSON.stringify(text)}`);
    return address.text;
  });
}

function subnets(value: unknown, family: KindConfig['ipFamily'], defaults: readonly [string, string], path: string): readonly string[] {
  if (value === undefined || value === '') return family === 'dual' ? defaults : family === 'ipv6' ? [defaults[1]] : [defaults[0]];
  if (typeof value !== 'string') throw new Error(`${path}: must be a text`);
  const parts = value.split(',').map((part) => part.trim());
  const families = parts.map((part) => {
    const parsed = parsePrefix(part);
    if (parsed === undefined) throw new Error(`${path}: invalid CIDR address: ${part}`);
    return parsed.family;
  });
  if (family === 'dual') {
    if (parts.length !== 2 || families[0] === families[1])
      throw new Error(`${path}: expected one IPv4 and one IPv6 subnet for a dual-stack cluster, got: ${value}`);
  } else if (parts.length !== 1) throw new Error(`${path}: expected one subnet, got: ${value}`);
  else if (families[0] !== (family === 'ipv6' ? 6 : 4)) throw new Error(`${path}: ${value} is not of the cluster's ipFamily ${family}`);
  return parts.map((part) => parsePrefix(part)?.text ?? part);
}

function record(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${path}: must be a mapping`);
  return value as Json;
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${path}: must be a list`);
  return value;
}

function boolean(value: unknown, path: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw new Error(`${path}: must be true or false`);
  return value;
}

function port(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < -1 || value > 65535)
    throw new Error(`${path}: invalid port number: ${String(value)}`);
  return value;
}

function refuseUnknown(value: Json, known: readonly string[], path: string, type: string): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) throw new Error(`${path}${key}: field ${key} not found in type ${type}`);
}
