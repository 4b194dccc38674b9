import type { Namespace, Pod } from '../../../kubernetes/objects.ts';
import type { CniPlugin, KubernetesObject } from '../../../kubernetes/types.ts';
import type { Ip, NetworkInterface, Prefix, TcpConnection } from '../../../net/types.ts';
import { type CiliumNode, resources } from '../../objects.ts';
import type { AgentContext, AgentPart, FlowStore } from '../../types.ts';
import { ClusterView } from './cluster-view.ts';
import { readDatapathConfig } from './config.ts';
import { debugDatapath } from './debug.ts';
import { selectDevices } from './devices.ts';
import type { EgressGatewayPolicyObject } from './egress-gateway.ts';
import { EgressManager } from './egress-manager.ts';
import { EndpointManager } from './endpoints.ts';
import { FlowRing } from './flows.ts';
import { serveHealthPorts } from './health-ports.ts';
import { followHostPorts } from './host-ports.ts';
import { reserved, reservedIdentity } from './identity.ts';
import { PodRange } from './ipam.ts';
import type { IpcacheEntry } from './ipcache.ts';
import { Kernel, kernelOf } from './kernel.ts';
import { defaultPool, MultiPool, preAllocationOf } from './multi-pool.ts';
import { masqueradeByNetfilter } from './netfilter-masquerade.ts';
import { NodeManager, setUpHostDevice } from './nodes.ts';
import { PolicyManager } from './policy-manager.ts';
import { Programs } from './programs.ts';
import { createSocketHook } from './socket-lb.ts';
import type { DatapathState } from './state.ts';
import { createTunnel } from './tunnel.ts';

export interface Datapath extends AgentPart {
  readonly flows: FlowStore | undefined;
  readonly cni: CniPlugin;
  /** Answers `cilium-dbg …` for the datapath; undefined when the words are not its own. */
  debug(args: readonly string[]): { readonly stdout: string; readonly stderr: string; readonly exitCode: number } | undefined;
  /** For `cilium-dbg`. */
  readonly state: DatapathState;
  /** Devices that Cilium manages: the `devices` option, or the detected ones. */
  readonly devices: readonly NetworkInterface[];
  /** What of the policies in force has no effect in the simulator, one line each. */
  readonly unmodelledPolicies: readonly string[];
}

const egressPolicyResource = 'ciliumegressgatewaypolicies.cilium.io';

export function createDatapath(context: AgentContext): Datapath {
  return new AgentDatapath(context);
}

class AgentDatapath implements Datapath {
  readonly name = 'datapath';
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #programs: Programs;
  readonly #endpoints: EndpointManager;
  readonly #nodes: NodeManager;
  readonly #egress: EgressManager;
  readonly #ring: FlowRing | undefined;
  readonly #stops: (() => void)[] = [];
  readonly #policies: PolicyManager;
  readonly #localHostEntries = new Map<Ip, IpcacheEntry>();
  #joined: ClusterView | undefined;
  /** In IPAM mode `multi-pool`. */
  #pools: MultiPool | undefined;
  #isStarted = false;
  #isReady = false;

  constructor(context: AgentContext) {
    this.#context = context;
    const config = readDatapathConfig(context.config, context.version);
    const { node, clock, random } = context;
    this.#kernel = kernelOf(node.namespace, config, () => new Kernel(node, clock, random.stream('kernel'), config, context.version));
    // An agent of another release loads its own programs over the maps that it finds.
    this.#kernel.version = context.version;
    this.#programs = new Programs(this.#kernel);
    this.#endpoints = new EndpointManager(
      context,
      this.#kernel,
      this.#programs,
      () => this.#view.identities,
      createSocketHook(this.#kernel, this.#programs),
    );
    this.#nodes = new NodeManager(context, this.#kernel);
    this.#egress = new EgressManager(context, this.#kernel);
    this.#policies = new PolicyManager(context, this.#kernel, (policies) => this.#endpoints.setPolicies(policies));
    this.#ring = config.hasHubble ? new FlowRing(config.hubbleCapacity, clock.now()) : undefined;
  }

  get flows(): FlowStore | undefined {
    return this.#ring;
  }

  get cni(): CniPlugin {
    return this.#endpoints.cni;
  }

  get devices(): readonly NetworkInterface[] {
    return this.#kernel.devices;
  }

  get unmodelledPolicies(): readonly string[] {
    return this.#policies.unmodelled;
  }

  get state(): DatapathState {
    const kernel = this.#kernel;
    return {
      kernel,
      identities: this.#view.identities,
      nodes: this.#nodes.nodes,
      policies: this.#policies,
      ranges: this.#endpoints.ranges,
      pools: this.#endpoints.pools,
    };
  }

  debug(args: readonly string[]) {
    return debugDatapath(this.#kernel, this.#nodes.nodes, args);
  }

  get #view(): ClusterView {
    if (this.#joined === undefined) throw new Error('the datapath has not been started');
    return this.#joined;
  }

  // ── life ────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    this.#isStarted = true;
    this.#kernel.agent = this.#endpoints;
    this.#kernel.flows = this.#ring;
    this.#setSysctls();
    this.#joined = ClusterView.join(this.#context);
    this.#kernel.attach(this.#joined);
    if (this.#kernel.config.ipam === 'multi-pool') this.#pools = this.#joinPools();
    this.#watchOwnNode();
    this.#becomeReady();
  }

  stop(): void {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    for (const stop of this.#stops.splice(0)) stop();
    this.#egress.stop();
    this.#pools?.stop();
    this.#kernel.detach(this.#view);
    this.#view.leave();
    if (this.#kernel.agent === this.#endpoints) this.#kernel.agent = undefined;
    if (this.#kernel.flows === this.#ring) this.#kernel.flows = undefined;
  }

  #setSysctls(): void {
    const { namespace } = this.#kernel;
    const settings: readonly (readonly [string, string])[] = [
      ['net.core.bpf_jit_enable', '1'],
      ['net.ipv4.conf.all.rp_filter', '0'],
      ['net.ipv4.conf.default.rp_filter', '0'],
      ['net.ipv4.ip_forward', '1'],
      ['net.ipv4.conf.all.forwarding', '1'],
      ['net.ipv6.conf.all.forwarding', '1'],
      ['net.ipv4.fib_multipath_use_neigh', '1'],
    ];
    for (const [key, value] of settings) namespace.setSysctl(key, value);
    for (const device of namespace.interfaces) namespace.setSysctl(`net.ipv4.conf.${device.name}.rp_filter`, '0');
  }

  /** Once the pod CIDRs are known: addresses of the node's own, programs on its devices, and the CNI plug-in. */
  #becomeReady(): void {
    if (this.#isReady || !this.#isStarted) return;
    const own = this.#nodes.own;
    const { config } = this.#kernel;
    const cidrs = (own?.podCidrs ?? []).filter((cidr) => (cidr.family === 4 ? config.hasIpv4 : config.hasIpv6));
    // The operator (cluster-pool) or the controller manager (kubernetes) has not allocated yet: the CiliumNode will tell.
    const isComplete =
      this.#pools === undefined
        ? (!config.hasIpv4 || cidrs.some((cidr) => cidr.family === 4)) && (!config.hasIpv6 || cidrs.some((cidr) => cidr.family === 6))
        : this.#pools.isReady;
    if (own === undefined || !isComplete) return;
    this.#isReady = true;
    this.#kernel.podCidrs = cidrs;
    this.#kernel.internalIps = new Set(own.internalIps);
    const own4And6 = this.#startAllocation(cidrs);
    const routers = own4And6('router', this.#kernel.routerIps);
    this.#kernel.routerIps = routers;
    setUpHostDevice(this.#kernel, routers);
    this.#nodes.routeAll();
    if (this.#kernel.hostDevice !== undefined) this.#kernel.hostDevice.egress = this.#programs.toHostDevice;
    if (config.routingMode === 'tunnel' || config.hasEgressGateway)
      this.#programs.tunnel = createTunnel(this.#kernel, this.#programs.fromOverlay);
    this.#attachHostSockets();
    this.#watchDevices();
    this.#stops.push(this.#policies.start());
    this.#watchPods();
    this.#stops.push(followHostPorts(this.#context, this.#kernel), serveHealthPorts(this.#context, this.#kernel, this.#view.services));
    if (config.hasEgressGateway) this.#watchEgressPolicies();
    this.#endpoints.restore();
    if (config.hasHealthEndpoint && this.#endpoints.health === undefined) {
      this.#endpoints.addHealth(own4And6('health', []));
    }
    this.#publishAddresses();
    masqueradeByNetfilter(this.#kernel, this.#nodes.nodes);
    this.#listenForRelay();
    const kubelet = this.#context.cluster.kubelets.get(this.#context.node.name);
    if (kubelet !== undefined) kubelet.cni = this.cni;
  }

  /** @returns what takes addresses for the agent's own use, one of each family: the one that it had before, or another */
  #startAllocation(cidrs: readonly Prefix[]): (owner: string, known: readonly Ip[]) => readonly Ip[] {
    const pools = this.#pools;
    if (pools !== undefined) {
      this.#endpoints.pools = pools;
      const { config } = this.#kernel;
      const families = ([4, 6] as const).filter((family) => (family === 4 ? config.hasIpv4 : config.hasIpv6));
      return (owner, known) =>
        families.flatMap((family) => {
          const old = known.find((address) => address.family === family && pools.claim(address));
          const address = old ?? pools.allocate(owner, defaultPool, family);
          return 'error' in address ? [] : [address];
        });
    }
    const ranges = cidrs
      .map((cidr) => new PodRange(cidr, this.#context.random.stream(`ipam ${cidr.text}`)))
      .sort((a, b) => a.prefix.family - b.prefix.family);
    this.#endpoints.ranges = ranges;
    return (_owner, known) => ranges.flatMap((range) => known.find((address) => range.claim(address)) ?? range.allocate() ?? []);
  }

  /** Addresses of several pools: what the CiliumNode holds of them, and what the node asks for. */
  #joinPools(): MultiPool {
    const { api, clock, config, node, random } = this.#context;
    const { hasIpv4, hasIpv6 } = this.#kernel.config;
    return new MultiPool({
      families: [...(hasIpv4 ? [4 as const] : []), ...(hasIpv6 ? [6 as const] : [])],
      preAllocation: preAllocationOf(config),
      clock,
      random,
      write: (requested, allocated) => {
        const pools = api.get<CiliumNode>(resources.node, node.name)?.spec?.ipam?.pools;
        if (JSON.stringify([pools?.requested ?? [], pools?.allocated ?? []]) === JSON.stringify([requested, allocated])) return;
        const orNull = <T>(list: readonly T[]) => (list.length === 0 ? null : list);
        const spec = { ipam: { pools: { requested: orNull(requested), allocated: orNull(allocated) } } };
        if (pools !== undefined || api.get(resources.node, node.name) !== undefined)
          api.patch(resources.node, node.name, undefined, { spec });
      },
    });
  }

  /** CIDRs come and go with the pods: so do the node's routes to them. */
  #followPodCidrs(): void {
    const cidrs = this.#nodes.own?.podCidrs ?? [];
    const { namespace, podCidrs, routerIps } = this.#kernel;
    if (cidrs.length === podCidrs.length && cidrs.every((cidr) => podCidrs.includes(cidr))) return;
    this.#kernel.podCidrs = cidrs;
    for (const gone of podCidrs) if (!cidrs.includes(gone)) namespace.routes.delete({ destination: gone });
    setUpHostDevice(this.#kernel, routerIps);
  }

  #publishAddresses(): void {
    this.#nodes.publishAddresses(this.#kernel.routerIps, this.#endpoints.health?.ips ?? []);
  }

  #watch<T extends KubernetesObject>(
    resource: string,
    listener: (event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly old?: T }) => void,
  ): void {
    const stop = this.#context.api.watch<T>(resource, (event) => {
      if (this.#isStarted) listener(event);
    });
    this.#stops.push(stop);
    for (const object of this.#context.api.list<T>(resource)) listener({ type: 'ADDED', object });
  }

  // ── node and devices ───────────────────────────────────────────────────────────────────────────────────

  #watchOwnNode(): void {
    const { api, node } = this.#context;
    const follow = (object: CiliumNode | undefined): void => {
      if (object !== undefined) this.#pools?.nodeUpdated(object.spec?.ipam?.pools?.allocated ?? []);
      if (this.#isReady && this.#pools !== undefined) this.#followPodCidrs();
      if (object !== undefined) {
        this.#kernel.internalIps = new Set(this.#nodes.own?.internalIps);
        // Deleted and made again, it lacks the addresses of the datapath.
        if (this.#isReady) this.#publishAddresses();
      }
      if (!this.#isReady) this.#becomeReady();
    };
    const own = api.get<CiliumNode>(resources.node, node.name);
    // It may have been written this very moment.
    if (own !== undefined) this.#view.learnNode(own);
    this.#stops.push(
      this.#nodes.start(this.#view),
      api.watch<CiliumNode>(
        resources.node,
        ({ type, object }) => {
          if (this.#isStarted) follow(type === 'DELETED' ? undefined : object);
        },
        { name: node.name },
      ),
    );
    this.#egress.start(this.#view);
    follow(own);
  }

  #watchDevices(): void {
    this.#stops.push(this.#kernel.namespace.routes.onChange(() => this.#refreshDevices()));
    this.#refreshDevices();
  }

  #refreshDevices(): void {
    if (!this.#isStarted) return;
    const kernel = this.#kernel;
    const devices = selectDevices(kernel.namespace, kernel.config.devices);
    this.#refreshLocalAddresses();
    const old = kernel.devices;
    for (const device of old) {
      if (devices.includes(device)) continue;
      device.ingress = undefined;
      device.egress = undefined;
    }
    for (const device of devices) {
      // Programs of an earlier agent are replaced, too.
      device.ingress = this.#programs.fromDevice;
      device.egress = this.#programs.toDevice;
    }
    if (devices.length === old.length && devices.every((device, index) => device === old[index])) return;
    for (const device of devices) kernel.namespace.setSysctl(`net.ipv4.conf.${device.name}.rp_filter`, '0');
    kernel.devices = devices;
    this.#context.log('info', 'Devices changed', {
      devices: `[${devices.map((device) => device.name).join(' ')}]`,
      subsys: 'devices-controller',
    });
  }

  /** Every global address of the node is `host` to its own datapath. */
  #refreshLocalAddresses(): void {
    const { ipcache, namespace } = this.#kernel;
    const now = new Set<Ip>();
    for (const device of namespace.interfaces) for (const address of device.addresses) if (address.scope === 'global') now.add(address.ip);
    for (const [address, entry] of this.#localHostEntries) {
      if (now.has(address)) continue;
      ipcache.delete(address, entry);
      this.#localHostEntries.delete(address);
    }
    for (const address of now) {
      if (ipcache.find(address) !== undefined) continue;
      const entry: IpcacheEntry = { identity: reservedIdentity(reserved.host), nodeIp: undefined };
      ipcache.set(address, entry);
      this.#localHostEntries.set(address, entry);
    }
  }

  #attachHostSockets(): void {
    const hook = createSocketHook(this.#kernel, this.#programs);
    const { hooks } = this.#kernel.namespace.sockets;
    const known = hostHooks.get(this.#kernel.namespace);
    if (known !== undefined && hooks.includes(known)) hooks.splice(hooks.indexOf(known), 1, hook);
    else hooks.push(hook);
    hostHooks.set(this.#kernel.namespace, hook);
  }

  /** Hubble's own server, for the relay. It says back what it hears: what counts is that the relay gets through. */
  #listenForRelay(): void {
    const port = this.#kernel.config.hubbleListenPort;
    if (this.#ring === undefined || port === undefined) return;
    const { sockets } = this.#kernel.namespace;
    if (sockets.listening.some((socket) => socket.protocol === 'tcp' && socket.port === port)) return;
    const connections = new Set<TcpConnection>();
    const server = sockets.listen({
      port,
      program: 'cilium-agent',
      onConnection: (connection) => {
        connections.add(connection);
        connection.handlers = {
          onData: (bytes) => connection.send(bytes),
          onEnd: () => connection.end(),
          onClose: () => connections.delete(connection),
        };
      },
    });
    // The process ends, the kernel resets what it had open.
    this.#stops.push(() => {
      server.close();
      for (const connection of [...connections]) connection.abort();
    });
  }

  // ── pods and policies ─────────────────────────────────────────────────────────────────────────

  #watchPods(): void {
    const { name } = this.#context.node;
    this.#stops.push(
      this.#context.api.watch<Pod>(
        'pods',
        (event) => {
          if (!this.#isStarted || event.type !== 'MODIFIED' || event.object.spec.nodeName !== name) return;
          if (event.object.metadata.labels !== event.old?.metadata.labels) this.#endpoints.podChanged(event.object);
        },
        { nodeName: name },
      ),
      this.#context.api.watch<Namespace>('namespaces', (event) => {
        if (this.#isStarted && event.type === 'MODIFIED' && event.object.metadata.labels !== event.old?.metadata.labels)
          this.#endpoints.namespaceChanged(event.object.metadata.name);
      }),
    );
  }

  #watchEgressPolicies(): void {
    this.#watch<EgressGatewayPolicyObject>(egressPolicyResource, (event) => {
      if (event.type === 'DELETED') this.#egress.removePolicy(event.object.metadata.name);
      else this.#egress.setPolicy(event.object);
    });
  }
}

/** Which of a node's socket hooks is Cilium's: one agent's takes the place of another's. */
const hostHooks = new WeakMap<object, ReturnType<typeof createSocketHook>>();
