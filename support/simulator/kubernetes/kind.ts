import type { Random } from '../clock/random.ts';
import type { Container, DockerEngine, Program } from '../docker/types.ts';
import { parseIp } from '../net/address.ts';
import { ApiError } from './apiserver/errors.ts';
import { createApiServer } from './apiserver/server.ts';
import { nthAddress } from './apiserver/services.ts';
import { startControlPlane } from './controllers/manager.ts';
import { coreDnsImage } from './coredns.ts';
import { type KindConfig, type KindNode, parseKindConfig } from './kind-config.ts';
import { startKindnet } from './kindnet.ts';
import { startKubeProxy } from './kube-proxy.ts';
import { createKubelet, type RunningKubelet } from './kubelet.ts';
import type { Pod, Taint } from './objects.ts';
import { kindnetImage, kubeProxyImage, preloadedImages, staticPods, systemObjects } from './system-pods.ts';
import type { ApiServer, Cluster, Kubelet, KubeNode } from './types.ts';

export interface CreateClusterOptions {
  /** A parsed kind.x-k8s.io/v1alpha4 Cluster; undefined is kind's default: one control plane node. */
  readonly config: unknown;
  readonly name?: string;
  /** `v1.27.3`; otherwise the node image's tag says it. */
  readonly version?: string;
  readonly engine: DockerEngine;
  readonly random: Random;
}

const dockerNetwork = 'kind';
const defaultVersion = 'v1.27.3';
const apiPort = 6443;
const kubeletPort = 10250;

/** What runs in a cluster, behind its public face. */
interface Inside {
  readonly cluster: Cluster;
  readonly kubelets: ReadonlyMap<string, RunningKubelet>;
  readonly stops: (() => void)[];
}

/** Clusters of each engine: images of system pods ask here which one a container belongs to. */
const clustersOf = new WeakMap<DockerEngine, Inside[]>();

/**
 * `kind create cluster`: node containers, the control plane, kubelets and system pods. It comes to life as the clock goes on.
 * @throws Error naming the field of the config that is wrong
 */
export function createCluster(options: CreateClusterOptions): Cluster {
  const { engine, random } = options;
  const { clock } = engine;
  const config = parseKindConfig(options.config);
  const name = options.name ?? config.name ?? 'kind';
  const version = options.version ?? versionOf(config.nodes[0]?.image) ?? defaultVersion;
  const network =
    engine.findNetwork(dockerNetwork) ??
    engine.createNetwork({ name: dockerNetwork, subnets: ['172.18.0.0/16', 'fc00:f853:ccd:e793::/64'], ipv6: true, masquerade: true });
  describeImages(engine);
  const containers = nodeNames(name, config.nodes).map(({ name: nodeName, node }) => ({
    node,
    container: createNode(engine, random, config, name, nodeName, node),
  }));
  for (const { container } of containers) {
    container.start();
    container.namespace.setSysctl('net.ipv4.ip_forward', '1');
    container.namespace.setSysctl('net.ipv6.conf.all.forwarding', '1');
  }
  const { serviceSubnets, podSubnets, nodePortRange } = config;
  const server = createApiServer({ clock, random, version, serviceSubnets, podSubnets, nodePortRange });
  const dnsIps = config.serviceSubnets.map((subnet) => nthAddress(subnet, 10));
  const addressesOf = (container: Container): readonly string[] => {
    const ips = [...network.members.values()].find((member) => member.container === container)?.ips ?? [];
    const wanted = config.podSubnets.map((subnet) => (subnet.includes(':') ? 6 : 4));
    return wanted.flatMap((family) => ips.filter((address) => address.family === family).map((address) => address.text));
  };
  const nodes: KubeNode[] = containers.map(({ container }) => ({
    name: container.name,
    container,
    namespace: container.namespace,
    engine,
  }));
  const first = containers[0]?.container;
  const firstIp = first === undefined ? undefined : addressesOf(first)[0];
  const kubelets = new Map<string, RunningKubelet>();
  for (const [index, { node: described, container }] of containers.entries()) {
    const node = nodes[index];
    if (node === undefined) continue;
    const isControlPlane = described.role === 'control-plane';
    const addresses = addressesOf(container);
    kubelets.set(
      node.name,
      createKubelet({
        node,
        server,
        random: random.stream(`kubelet/${node.name}`),
        labels: {
          ...(isControlPlane
            ? { 'node-role.kubernetes.io/control-plane': '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' }
            : {}),
          ...described.labels,
        },
        annotations: {},
        taints: isControlPlane && containers.length > 1 ? [controlPlaneTaint] : [],
        isControlPlane,
        providerId: `kind://docker/${name}/${node.name}`,
        addresses: () => (described.nodeIps === undefined ? addresses : presentAddresses(node, described.nodeIps, addresses)),
        clusterDns: dnsIps[0],
        staticPods: isControlPlane ? staticPods(version, addresses[0] ?? '127.0.0.1') : [],
        preloadedImages: preloadedImages(version),
        canReachApi: () => first !== undefined && canReach(node, first, firstIp),
      }),
    );
  }
  const cluster: Cluster = {
    name,
    server,
    engine,
    random,
    nodes,
    kubelets: kubelets as ReadonlyMap<string, Kubelet>,
    podSubnets: config.podSubnets,
    serviceSubnets: config.serviceSubnets,
    kubeconfigContext: `kind-${name}`,
    hasKubeProxy: config.kubeProxyMode !== 'none',
  };
  const inside: Inside = { cluster, kubelets, stops: [] };
  clustersOf.set(engine, [...(clustersOf.get(engine) ?? []), inside]);
  serveNodes(server, kubelets);
  inside.stops.push(startControlPlane({ server, clock, random: random.stream('control-plane'), podSubnets: config.podSubnets }));
  inside.stops.push(
    server.client.watch<Pod>('pods', ({ type, object }) => kubelets.get(object.spec.nodeName ?? '')?.onPod({ type, object }), {
      replay: true,
    }),
  );
  for (const node of joinOrder(containers)) kubelets.get(node)?.register();
  for (const node of nodes) listen(node, kubelets.get(node.name) !== undefined && node.name === first?.name);
  for (const object of systemObjects({
    version,
    dnsIps,
    hasKubeProxy: cluster.hasKubeProxy,
    hasKindnet: !config.disableDefaultCni,
    podSubnets: config.podSubnets,
    serviceSubnets: config.serviceSubnets,
    clusterName: name,
  }))
    server.client.create(object);
  if (firstIp !== undefined) publishApiServer(server, firstIp);
  return cluster;
}

/** `kind delete cluster`: the nodes and everything on them. The docker network stays, as with kind. */
export function deleteCluster(cluster: Cluster): void {
  const all = clustersOf.get(cluster.engine) ?? [];
  const inside = all.find((candidate) => candidate.cluster === cluster);
  for (const stop of inside?.stops ?? []) stop();
  for (const kubelet of inside?.kubelets.values() ?? []) kubelet.stop();
  clustersOf.set(
    cluster.engine,
    all.filter((candidate) => candidate !== inside),
  );
  for (const node of cluster.nodes)
    if (cluster.engine.findContainer(node.container.id) !== undefined) cluster.engine.removeContainer(node.container.id, { force: true });
}

const controlPlaneTaint: Taint = { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' };

function versionOf(image: string | undefined): string | undefined {
  return /:(v\d+\.\d+\.\d+)/.exec(image ?? '')?.[1];
}

/** `NAME-control-plane`, `NAME-worker`, `NAME-worker2`…, counted by role. */
function nodeNames(cluster: string, nodes: readonly KindNode[]): readonly { readonly name: string; readonly node: KindNode }[] {
  const counts = new Map<string, number>();
  const ordered = [...nodes.filter((node) => node.role === 'control-plane'), ...nodes.filter((node) => node.role === 'worker')];
  return ordered.map((node) => {
    const count = (counts.get(node.role) ?? 0) + 1;
    counts.set(node.role, count);
    return { name: `${cluster}-${node.role}${count === 1 ? '' : count}`, node };
  });
}

/** Control planes first; of the workers, which join at the same time, the last one listed wins the race here. */
function joinOrder(containers: readonly { readonly node: KindNode; readonly container: Container }[]): readonly string[] {
  const of = (role: KindNode['role']): string[] =>
    containers.filter((entry) => entry.node.role === role).map((entry) => entry.container.name);
  return [...of('control-plane'), ...of('worker').reverse()];
}

function createNode(engine: DockerEngine, random: Random, config: KindConfig, cluster: string, name: string, node: KindNode): Container {
  const isControlPlane = node.role === 'control-plane';
  const chosen = config.apiServerPort;
  const apiServerPort = chosen === undefined || chosen <= 0 ? random.stream(`api-port/${name}`).integer(32768, 60999) : chosen;
  return engine.createContainer({
    name,
    hostname: name,
    image: node.image,
    networkMode: dockerNetwork,
    labels: { 'io.x-k8s.kind.cluster': cluster, 'io.x-k8s.kind.role': node.role },
    privileged: true,
    restartPolicy: 'on-failure',
    binds: node.binds,
    ports: [
      ...node.ports,
      ...(isControlPlane
        ? [{ hostIp: config.apiServerAddress, hostPort: apiServerPort, containerPort: apiPort, protocol: 'tcp' as const }]
        : []),
    ],
  });
}

/** Whether packets of a node can get to the API server's: heartbeats need it. Other requests of the node are not modelled as packets. */
function canReach(node: KubeNode, server: Container, address: string | undefined): boolean {
  if (server.state !== 'running') return false;
  if (node.container === server) return true;
  const target = address === undefined ? undefined : parseIp(address);
  if (target === undefined) return false;
  const decision = node.namespace.routes.lookup(target);
  return (
    decision.kind === 'forward' &&
    decision.device.isAdminUp &&
    decision.device.hasCarrier &&
    server.namespace.isLocalAddress(target) &&
    server.namespace.interfaces.some((device) => device.addresses.some((entry) => entry.ip === target) && device.isAdminUp)
  );
}

/** Ports that answer on every node; what is said behind TLS is not modelled. */
function listen(node: KubeNode, isApiServer: boolean): void {
  const open = (): void => {
    for (const [port, program] of [[kubeletPort, 'kubelet'] as const, ...(isApiServer ? [[apiPort, 'kube-apiserver'] as const] : [])]) {
      if (node.namespace.sockets.listening.some((socket) => socket.port === port)) continue;
      node.namespace.sockets.listen({
        port,
        program,
        onConnection(connection) {
          connection.handlers = { onData: () => connection.abort() };
        },
      });
    }
  };
  open();
  node.container.onStateChange((container) => {
    if (container.state === 'running') open();
  });
}

/** Service default/kubernetes leads to the control plane node. */
function publishApiServer(server: ApiServer, address: string): void {
  const metadata = { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } };
  server.client.create({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata,
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', port: apiPort, protocol: 'TCP' }] }],
  });
  server.client.create({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port: apiPort, protocol: 'TCP' }],
  });
}

// ── programs of system pods ─────────────────────────────────────────────────────────────────────────────────

function describeImages(engine: DockerEngine): void {
  const insideOf = (container: Container): { readonly inside: Inside; readonly kubelet: RunningKubelet } | undefined => {
    for (const inside of clustersOf.get(engine) ?? [])
      for (const kubelet of inside.kubelets.values()) if (kubelet.podOf(container) !== undefined) return { inside, kubelet };
    return undefined;
  };
  const program = (name: string, container: Container, run: (inside: Inside, kubelet: RunningKubelet) => () => void): Program => {
    let stop: (() => void) | undefined;
    return {
      name,
      start() {
        const found = insideOf(container);
        if (found !== undefined) stop = run(found.inside, found.kubelet);
      },
      stop() {
        stop?.();
        stop = undefined;
      },
    };
  };
  engine.images.add({
    name: 'kindest/node',
    command: ['/usr/local/bin/entrypoint', '/sbin/init'],
    programs: [() => ({ name: 'systemd', start() {}, stop() {} })],
    commands: ['*'],
    shell: 'bash',
    env: { container: 'docker' },
  });
  engine.images.add(coreDnsImage((container) => insideOf(container)?.inside.cluster.server.client));
  engine.images.add({
    name: kindnetImage,
    command: ['/bin/kindnetd'],
    commands: [],
    shell: 'sh',
    programs: [
      (container) =>
        program('kindnetd', container, ({ cluster }, kubelet) =>
          startKindnet(cluster.server.client, kubelet.node, cluster.podSubnets, (cni) => {
            kubelet.cni = cni;
          }),
        ),
    ],
  });
  engine.images.add({
    name: kubeProxyImage,
    command: ['/usr/local/bin/kube-proxy'],
    commands: [],
    shell: 'sh',
    programs: [
      (container) =>
        program('kube-proxy', container, ({ cluster }, kubelet) =>
          startKubeProxy(cluster.server.client, engine.clock, kubelet.node, cluster.podSubnets),
        ),
    ],
  });
  for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'])
    engine.images.add({
      name: `registry.k8s.io/${name}`,
      command: [name],
      commands: [],
      shell: undefined,
      programs: [() => ({ name, start() {}, stop() {} })],
    });
  engine.images.add({
    name: 'docker.io/kindest/local-path-provisioner',
    command: ['local-path-provisioner'],
    commands: [],
    shell: 'sh',
    programs: [() => ({ name: 'local-path-provisioner', start() {}, stop() {} })],
  });
}

/**
 * What the kubelet's `--node-ip` comes to: it must be on an interface of the node, else the node has no address (kubelet,
 * nodestatus.NodeAddress: "failed to validate nodeIP"). `0.0.0.0` and `::` ask for a family only.
 */
function presentAddresses(node: KubeNode, wanted: readonly string[], byDefault: readonly string[]): readonly string[] {
  const [only] = wanted;
  if (wanted.length === 1 && (only === '0.0.0.0' || only === '::')) {
    const isSix = (address: string) => address.includes(':');
    return [...byDefault].sort((a, b) => Number(isSix(a) !== isSix(only)) - Number(isSix(b) !== isSix(only)));
  }
  const present = new Set(localAddresses(node));
  return wanted.every((address) => present.has(address)) ? wanted : [];
}

function localAddresses(node: KubeNode): readonly string[] {
  return node.namespace.interfaces.flatMap((device) =>
    device.addresses.filter((address) => address.scope === 'global').map((address) => address.ip.text),
  );
}

// ── exec, logs ──────────────────────────────────────────────────────────────────────────────────────────────

function serveNodes(server: ApiServer, kubelets: ReadonlyMap<string, RunningKubelet>): void {
  const runnerOf = (namespace: string, pod: string, container: string) => {
    const nodeName = server.client.get<Pod>('pods', pod, namespace)?.spec.nodeName;
    return nodeName === undefined ? undefined : kubelets.get(nodeName)?.workerOf(namespace, pod)?.runner(container);
  };
  server.containerOf = (namespace, pod, container) => runnerOf(namespace, pod, container)?.container;
  server.previousContainerOf = (namespace, pod, container) => runnerOf(namespace, pod, container)?.previous;
  server.execInPod = async ({ namespace, pod: name, container, argv, stdin, isTerminal }) => {
    const pod = server.client.get<Pod>('pods', name, namespace);
    if (pod === undefined) throw new ApiError(404, 'NotFound', `pods "${name}" not found`, { name, kind: 'pods' });
    const chosen = container ?? pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ?? pod.spec.containers[0]?.name ?? '';
    const known = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some((candidate) => candidate.name === chosen);
    if (!known) throw new ApiError(400, 'BadRequest', `container ${chosen} is not valid for pod ${name}`);
    if (pod.spec.nodeName === undefined) throw new ApiError(400, 'BadRequest', `pod ${name} does not have a host assigned`);
    const kubelet = kubelets.get(pod.spec.nodeName);
    if (kubelet?.isRunning !== true)
      throw new ApiError(500, 'InternalError', `error dialing backend: dial tcp: lookup ${pod.spec.nodeName}: i/o timeout`);
    const target = kubelet.workerOf(namespace, name)?.runner(chosen);
    if (target?.container === undefined || !target.isRunning)
      throw new ApiError(500, 'InternalError', `unable to upgrade connection: container not found ("${chosen}")`);
    const result = await kubelet.node.engine.shell.exec(target.container, argv, {
      ...(stdin === undefined ? {} : { stdin }),
      ...(isTerminal === undefined ? {} : { isTerminal }),
    });
    const runtimeError = /^OCI runtime exec failed: (.*)$/m.exec(result.stdout + result.stderr)?.[0];
    if (runtimeError === undefined || (result.exitCode !== 126 && result.exitCode !== 127)) return result;
    throw new ApiError(
      500,
      'InternalError',
      `Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "${kubelet.node.engine.random.stream('exec').hex(64)}": ${runtimeError.trim()}`,
    );
  };
}
