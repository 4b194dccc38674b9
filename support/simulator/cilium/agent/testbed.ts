import { createSpeaker } from '../../bgp/speaker.ts';
import type { BgpSpeaker } from '../../bgp/types.ts';
import { SimulatedClock } from '../../clock/clock.ts';
import { Random } from '../../clock/random.ts';
import type { Container } from '../../docker/types.ts';
import { createApiServer } from '../../kubernetes/apiserver/server.ts';
import type { ApiClient, ApiServer, Cluster, KubeNode } from '../../kubernetes/types.ts';
import { ip, prefix } from '../../net/address.ts';
import { createNetwork } from '../../net/network.ts';
import type { NetworkNamespace } from '../../net/types.ts';
import { createLog } from '../agent-log.ts';
import { defineCustomResources } from '../crds/definitions.ts';
import { renderConfig } from '../helm/config-map.ts';
import { readValues } from '../helm/values.ts';
import type { AgentContext, CiliumVersion } from '../types.ts';
import { parseVersion } from '../version.ts';
import { publishCiliumNode } from './cilium-node.ts';

/** For tests only: nodes behind a router that speaks BGP as FRR does, with contexts for agents of any part. */
export interface AgentTestbed {
  readonly clock: SimulatedClock;
  readonly server: ApiServer;
  readonly api: ApiClient;
  readonly nodes: readonly KubeNode[];
  readonly router: NetworkNamespace;
  readonly speaker: BgpSpeaker;
  readonly logs: string[];
  /** As `docker pause` and `unpause` of a node. */
  setFrozen(nodeName: string, isFrozen: boolean): void;
  context(nodeName: string): AgentContext;
}

const epoch = 1_700_000_000_000;

/** Node n (from 1) has eth0 with 192.0.2.16n+2/28 and 2001:db8:0:n::2/64; the router's end is .1 of each. */
export function createAgentTestbed(
  options: {
    readonly nodeNames?: readonly string[];
    readonly values?: unknown;
    readonly version?: string;
    readonly routerAsn?: number;
  } = {},
): AgentTestbed {
  const clock = new SimulatedClock(epoch);
  const random = new Random('agents');
  const network = createNetwork({ clock, random: random.stream('network') });
  const version: CiliumVersion = parseVersion(options.version ?? '1.16.0');
  const { values } = readValues(
    options.values ?? {
      ipam: { mode: 'kubernetes' },
      ipv6: { enabled: true },
      bgpControlPlane: { enabled: true },
      l2announcements: { enabled: true },
    },
    version,
  );
  const config = new Map(Object.entries(renderConfig(values, version)));
  const server = createApiServer({
    clock,
    random: random.stream('api'),
    version: 'v1.27.3',
    podSubnets: ['203.0.113.0/24', '2001:db8:f::/48'],
    serviceSubnets: ['198.51.100.128/25', '2001:db8:e::/112'],
  });
  defineCustomResources(server, version, config);
  const api = server.client;
  const logs: string[] = [];
  const frozen = new Set<string>();
  const router = network.createNamespace('router');
  router.setSysctl('net.ipv4.ip_forward', '1');
  router.setSysctl('net.ipv6.conf.all.forwarding', '1');
  router.getInterface('lo')?.setUp();
  const nodes: KubeNode[] = [];
  const containers = new Map<string, Container>();
  const listeners = new Map<string, Set<(container: Container) => void>>();
  const setFrozen = (name: string, isFrozen: boolean) => {
    if (isFrozen) frozen.add(name);
    else frozen.delete(name);
    const container = containers.get(name);
    if (container !== undefined) for (const listener of listeners.get(name) ?? []) listener(container);
  };
  for (const [index, name] of (options.nodeNames ?? ['node-a', 'node-b']).entries()) {
    const namespace = network.createNamespace(name);
    namespace.getInterface('lo')?.setUp();
    const [inside, outside] = network.createVeth({ namespace, name: 'eth0' }, { namespace: router, name: `port${index + 1}` });
    inside.setUp();
    outside.setUp();
    const base = 16 * (index + 1);
    inside.addAddress(ip(`192.0.2.${base + 2}`), 28);
    outside.addAddress(ip(`192.0.2.${base + 1}`), 28);
    inside.addAddress(ip(`2001:db8:0:${index + 1}::2`), 64, { noDad: true });
    outside.addAddress(ip(`2001:db8:0:${index + 1}::1`), 64, { noDad: true });
    namespace.routes.add({ destination: prefix('::/0'), nextHops: [{ via: ip(`2001:db8:0:${index + 1}::1`), device: 'eth0' }] });
    const container = {
      name,
      namespace,
      get state() {
        return frozen.has(name) ? 'paused' : 'running';
      },
      writeLog: (line: string) => logs.push(`${name}: ${line}`),
      commands: new Map(),
      onStateChange: (listener: (container: Container) => void) => {
        const own = listeners.get(name) ?? new Set();
        listeners.set(name, own.add(listener));
        return () => own.delete(listener);
      },
    } as unknown as Container;
    containers.set(name, container);
    nodes.push({ name, container, namespace } as unknown as KubeNode);
    api.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: { podCIDRs: [`203.0.113.${base}/28`, `2001:db8:f:${index + 1}::/64`] },
    });
    api.patch(
      'nodes',
      name,
      undefined,
      { status: { addresses: [`192.0.2.${base + 2}`, `2001:db8:0:${index + 1}::2`].map((address) => ({ type: 'InternalIP', address })) } },
      { subresource: 'status' },
    );
  }
  const cluster = {
    name: 'test',
    server,
    random,
    nodes,
    kubelets: new Map(),
    podSubnets: [],
    serviceSubnets: [],
    kubeconfigContext: 'test',
    hasKubeProxy: false,
  } as unknown as Cluster;
  const speaker = createSpeaker({
    namespace: router,
    clock,
    random: random.stream('router'),
    implementation: 'frr',
    localAsn: options.routerAsn ?? 64500,
    routerId: ip('192.0.2.250'),
    listenPort: 179,
    hostname: 'router',
  });
  const contexts = new Map<string, AgentContext>();
  const context = (nodeName: string): AgentContext => {
    const known = contexts.get(nodeName);
    if (known !== undefined) return known;
    const node = nodes.find(({ name }) => name === nodeName);
    const container = containers.get(nodeName);
    if (node === undefined || container === undefined) throw new Error(`no node ${nodeName}`);
    const made: AgentContext = {
      node,
      cluster,
      api,
      config,
      version,
      clock,
      random: random.stream(nodeName),
      container,
      log: createLog(container, clock),
    };
    contexts.set(nodeName, made);
    return made;
  };
  for (const { name } of nodes) publishCiliumNode(context(name));
  return { clock, server, api, nodes, router, speaker, logs, setFrozen, context };
}
