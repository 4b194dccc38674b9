import { SimulatedClock } from '../../../clock/clock.ts';
import { Random } from '../../../clock/random.ts';
import type { Container } from '../../../docker/types.ts';
import { createApiServer } from '../../../kubernetes/apiserver/server.ts';
import type { Service } from '../../../kubernetes/objects.ts';
import type { Cluster, Kubelet, KubeNode, PodSandbox } from '../../../kubernetes/types.ts';
import { ip, prefix } from '../../../net/address.ts';
import { createNetwork } from '../../../net/network.ts';
import type { Ip, Network, NetworkNamespace, TcpConnection } from '../../../net/types.ts';
import { defineCustomResources } from '../../crds/definitions.ts';
import type { AgentContext, CiliumVersion } from '../../types.ts';
import { createDatapath, type Datapath } from './datapath.ts';

/** For tests only: three nodes on one bridge, each with a link to a router that knows a client beyond. */
export interface Testbed {
  readonly clock: SimulatedClock;
  readonly network: Network;
  readonly cluster: Cluster;
  readonly nodes: readonly KubeNode[];
  readonly datapaths: ReadonlyMap<string, Datapath>;
  readonly logs: string[];
  readonly router: NetworkNamespace;
  readonly client: NetworkNamespace;
  startAgent(name: string): Datapath;
  addPod(
    node: string,
    name: string,
    options?: { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>>; readonly server?: boolean },
  ): TestPod;
  /** A dual-stack LoadBalancer service on port 80 of the given pods, each as `ready` as told. */
  addService(
    name: string,
    backends: readonly TestBackend[],
    options?: { readonly spec?: Readonly<Record<string, unknown>>; readonly ingress?: readonly string[] },
  ): { readonly ip4: Ip; readonly ip6: Ip; readonly nodePort: number };
  /** Connects, sends one line and ends when the answer is there. */
  request(
    from: NetworkNamespace,
    to: { readonly ip: Ip; readonly port: number },
    waitMs?: number,
  ): { readonly answer: string | undefined; readonly error: string | undefined };
  advance(ms: number): void;
}

export interface TestBackend {
  readonly pod: TestPod;
  readonly ready?: boolean;
  readonly terminating?: boolean;
}

export interface TestPod {
  readonly sandbox: PodSandbox;
  readonly namespace: NetworkNamespace;
  readonly ips: readonly Ip[];
  readonly ip4: Ip;
  readonly ip6: Ip;
  readonly error: string | undefined;
}

export const nativeConfig: Readonly<Record<string, string>> = {
  'enable-ipv4': 'true',
  'enable-ipv6': 'true',
  'routing-mode': 'native',
  'ipv4-native-routing-cidr': '203.0.113.0/24',
  'ipv6-native-routing-cidr': '2001:db8:f::/48',
  'enable-ipv4-masquerade': 'true',
  'enable-ipv6-masquerade': 'true',
  'enable-bpf-masquerade': 'true',
  'kube-proxy-replacement': 'true',
  'enable-ipv4-egress-gateway': 'true',
  'enable-hubble': 'true',
  'hubble-listen-address': ':4244',
  ipam: 'kubernetes',
  devices: 'eth0 net0',
};

const text = new TextEncoder();
const decode = new TextDecoder();

export function serveEcho(namespace: NetworkNamespace, port: number, name: string, family?: 4 | 6): void {
  namespace.sockets.listen({
    port,
    program: name,
    ...(family === undefined ? {} : { family }),
    onConnection: (connection) => {
      connection.handlers = {
        onData: () => connection.send(text.encode(`${name} saw ${connection.remote.ip.text}`)),
        onEnd: () => connection.end(),
      };
    },
  });
}

export function createTestbed(
  options: {
    readonly config?: Readonly<Record<string, string>>;
    readonly version?: Partial<CiliumVersion>;
    readonly start?: boolean;
    readonly nodeNames?: readonly string[];
  } = {},
): Testbed {
  const clock = new SimulatedClock(1_723_069_440_000);
  const random = new Random(7);
  const network = createNetwork({ clock, random: random.stream('network') });
  const hostNamespace = network.createNamespace('host');
  hostNamespace.getInterface('lo')?.setUp();
  const config = new Map(Object.entries({ ...nativeConfig, ...options.config }));
  const version: CiliumVersion = { major: 1, minor: 16, patch: 0, text: '1.16.0', ...options.version };
  const server = createApiServer({
    clock,
    random: random.stream('api'),
    version: 'v1.27.3',
    podSubnets: ['203.0.113.0/24', '2001:db8:f::/48'],
    serviceSubnets: ['192.0.2.128/25', '2001:db8:e::/112'],
  });
  defineCustomResources(server, version, new Map([...config]));
  const { client: api } = server;
  const bridge = hostNamespace.addInterface({ name: 'br0', kind: 'bridge' });
  bridge.setUp();
  bridge.addAddress(ip('192.0.2.1'), 26);
  bridge.addAddress(ip('2001:db8:d::1'), 64, { noDad: true });
  const nodes: KubeNode[] = [];
  const kubelets = new Map<string, Kubelet>();
  const cluster = {
    name: 'test',
    server,
    random: random.stream('cluster'),
    nodes,
    kubelets,
    podSubnets: ['203.0.113.0/24', '2001:db8:f::/48'],
    serviceSubnets: ['192.0.2.128/25', '2001:db8:e::/112'],
    kubeconfigContext: 'kind-test',
    hasKubeProxy: false,
  } as unknown as Cluster;
  const router = network.createNamespace('router');
  const client = network.createNamespace('client');
  const forward = (namespace: NetworkNamespace): void => {
    namespace.getInterface('lo')?.setUp();
    namespace.setSysctl('net.ipv4.ip_forward', '1');
    namespace.setSysctl('net.ipv6.conf.all.forwarding', '1');
  };
  forward(router);
  client.getInterface('lo')?.setUp();
  const link = (namespace: NetworkNamespace, name: string, peer: string, subnet4: string, subnet6: string): void => {
    const [inside, outside] = network.createVeth({ namespace, name }, { namespace: router, name: peer });
    inside.setUp();
    outside.setUp();
    outside.addAddress(ip(`${subnet4}1`), 28, {});
    inside.addAddress(ip(`${subnet4}2`), 28, {});
    outside.addAddress(ip(`${subnet6}1`), 64, { noDad: true });
    inside.addAddress(ip(`${subnet6}2`), 64, { noDad: true });
  };
  for (const [index, name] of (options.nodeNames ?? ['node-a', 'node-b', 'node-c']).entries()) {
    const namespace = network.createNamespace(name);
    forward(namespace);
    const addresses = [ip(`192.0.2.${index + 2}`), ip(`2001:db8:d::${index + 2}`)];
    const [eth0, port] = network.createVeth({ namespace, name: 'eth0' }, { namespace: hostNamespace, name: `veth${index}` });
    port.setMaster(bridge);
    port.setUp();
    eth0.setUp();
    for (const address of addresses) eth0.addAddress(address, address.family === 4 ? 26 : 64, { noDad: true });
    namespace.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('192.0.2.1'), device: 'eth0' }] });
    namespace.routes.add({ destination: prefix('::/0'), nextHops: [{ via: ip('2001:db8:d::1'), device: 'eth0' }] });
    const container = { name, namespace, startedAt: clock.now() } as unknown as Container;
    const node = { name, container, namespace } as unknown as KubeNode;
    nodes.push(node);
    // Subnets 198.51.100.0/28 and so on: the node's end of the link is .2 of each.
    const base = index * 16;
    const [inside, outside] = network.createVeth({ namespace, name: 'net0' }, { namespace: router, name: `port${index}` });
    inside.setUp();
    outside.setUp();
    outside.addAddress(ip(`198.51.100.${base + 1}`), 28);
    inside.addAddress(ip(`198.51.100.${base + 2}`), 28);
    outside.addAddress(ip(`2001:db8:c:${index}::1`), 64, { noDad: true });
    inside.addAddress(ip(`2001:db8:c:${index}::2`), 64, { noDad: true });
    for (const destination of ['203.0.113.0/24', '198.51.100.0/24'])
      namespace.routes.add({ destination: prefix(destination), nextHops: [{ via: ip(`198.51.100.${base + 1}`), device: 'net0' }] });
    for (const destination of ['2001:db8:f::/48', '2001:db8:c::/48'])
      namespace.routes.add({ destination: prefix(destination), nextHops: [{ via: ip(`2001:db8:c:${index}::1`), device: 'net0' }] });
    router.routes.add({
      destination: prefix(`203.0.113.${index * 64}/26`),
      nextHops: [{ via: ip(`198.51.100.${base + 2}`), device: `port${index}` }],
    });
    router.routes.add({
      destination: prefix(`2001:db8:f:${index}::/64`),
      nextHops: [{ via: ip(`2001:db8:c:${index}::2`), device: `port${index}` }],
    });
    const sandboxes = new Map<string, PodSandbox>();
    kubelets.set(name, {
      node,
      cni: undefined,
      podOf: () => undefined,
      sandboxOf: (podNamespace, pod) => sandboxes.get(`${podNamespace}/${pod}`),
    });
    api.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: { podCIDR: `203.0.113.${index * 64}/26`, podCIDRs: [`203.0.113.${index * 64}/26`, `2001:db8:f:${index}::/64`] },
    });
    const created = api.get('nodes', name);
    if (created !== undefined)
      api.updateStatus({
        ...created,
        status: {
          addresses: [...addresses.map((address) => ({ type: 'InternalIP', address: address.text })), { type: 'Hostname', address: name }],
        },
      });
    api.create({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNode',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: {
        addresses: addresses.map((address) => ({ type: 'InternalIP', ip: address.text })),
        ipam: { podCIDRs: [`203.0.113.${index * 64}/26`, `2001:db8:f:${index}::/64`] },
      },
    });
  }
  link(client, 'eth0', 'port9', '198.51.100.6', '2001:db8:c:9::');
  client.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('198.51.100.61'), device: 'eth0' }] });
  client.routes.add({ destination: prefix('::/0'), nextHops: [{ via: ip('2001:db8:c:9::1'), device: 'eth0' }] });
  const datapaths = new Map<string, Datapath>();
  const logs: string[] = [];
  const testbed: Testbed = {
    clock,
    network,
    cluster,
    nodes,
    datapaths,
    logs,
    router,
    client,
    startAgent(name) {
      const node = nodes.find((candidate) => candidate.name === name);
      if (node === undefined) throw new Error(`no node ${name}`);
      const context: AgentContext = {
        node,
        cluster,
        api,
        config,
        version,
        clock,
        random: random.stream(`agent ${name} ${clock.now()}`),
        container: node.container,
        log: (level, message, fields) => logs.push(`${name} ${level} ${message} ${JSON.stringify(fields ?? {})}`),
      };
      const datapath = createDatapath(context);
      datapath.start();
      datapaths.set(name, datapath);
      return datapath;
    },
    addPod(nodeName, name, podOptions = {}) {
      const node = nodes.find((candidate) => candidate.name === nodeName);
      if (node === undefined) throw new Error(`no node ${nodeName}`);
      const podNamespace = podOptions.namespace ?? 'default';
      if (api.get('namespaces', podNamespace) === undefined)
        api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: podNamespace } });
      const pod = api.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: podNamespace, labels: podOptions.labels ?? {} },
        spec: { nodeName, containers: [{ name: 'main', image: 'test/web' }] },
      });
      const namespace = network.createNamespace(`${podNamespace}/${name}`);
      namespace.getInterface('lo')?.setUp();
      const sandbox: PodSandbox = { podNamespace, podName: name, podUid: pod.metadata.uid, containerId: random.hex(64), namespace, node };
      let result: { readonly ips: readonly Ip[] } | { readonly error: string } | undefined;
      kubelets.get(nodeName)?.cni?.add(sandbox, (answer) => {
        result = answer;
      });
      clock.runUntil(() => result !== undefined, 60_000);
      const ips = result !== undefined && 'ips' in result ? result.ips : [];
      if (podOptions.server !== false && ips.length > 0) serveEcho(namespace, 80, name);
      const none = ip('0.0.0.0');
      return {
        sandbox,
        namespace,
        ips,
        ip4: ips.find((address) => address.family === 4) ?? none,
        ip6: ips.find((address) => address.family === 6) ?? none,
        error: result === undefined ? 'no answer' : 'error' in result ? result.error : undefined,
      };
    },
    addService(name, backends, serviceOptions = {}) {
      const service = api.create<Service>({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: {
          type: 'LoadBalancer',
          ipFamilyPolicy: 'RequireDualStack',
          ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
          ...serviceOptions.spec,
        },
      });
      if (serviceOptions.ingress !== undefined)
        api.updateStatus({ ...service, status: { loadBalancer: { ingress: serviceOptions.ingress.map((address) => ({ ip: address })) } } });
      for (const [addressType, family] of [
        ['IPv4', 4],
        ['IPv6', 6],
      ] as const) {
        api.create({
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: `${name}-${family}`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
          addressType,
          endpoints: backends.map(({ pod, ready, terminating }) => ({
            addresses: [(family === 4 ? pod.ip4 : pod.ip6).text],
            conditions: { ready: ready ?? !terminating, serving: true, terminating: terminating ?? false },
            nodeName: pod.sandbox.node.name,
          })),
          ports: [{ name: '', port: 80, protocol: 'TCP' }],
        });
      }
      clock.advance(50);
      const address = (family: 4 | 6): Ip =>
        ip((service.spec.clusterIPs ?? []).find((candidate) => candidate.includes(':') === (family === 6)) ?? '::');
      return { ip4: address(4), ip6: address(6), nodePort: service.spec.ports?.[0]?.nodePort ?? 0 };
    },
    request(from, to, waitMs = 3000) {
      let answer: string | undefined;
      let error: string | undefined;
      let isClosed = false;
      const connection: TcpConnection = from.sockets.connect({
        destination: to,
        handlers: {
          onConnected: () => connection.send(text.encode('GET / HTTP/1.1\r\n\r\n')),
          onData: (bytes) => {
            answer = decode.decode(bytes);
            connection.end();
          },
          onClose: (errno) => {
            error = errno;
            isClosed = true;
          },
        },
      });
      if (!clock.runUntil(() => isClosed, waitMs)) {
        connection.abort();
        error ??= 'timeout';
      }
      return { answer, error };
    },
    advance(ms) {
      clock.advance(ms);
    },
  };
  clock.advance(1500);
  if (options.start !== false) for (const node of nodes) testbed.startAgent(node.name);
  clock.advance(500);
  return testbed;
}
