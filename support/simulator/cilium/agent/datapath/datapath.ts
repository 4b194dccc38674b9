import type { EndpointSlice, Endpoints, Namespace, Pod, Service } from '../../../kubernetes/objects.ts';
import { keyOf } from '../../../kubernetes/objects.ts';
import type { CniPlugin, KubernetesObject } from '../../../kubernetes/types.ts';
import { parseIp, prefix } from '../../../net/address.ts';
import type { Ip, NetworkInterface, TcpConnection } from '../../../net/types.ts';
import { type CiliumNode, resources } from '../../objects.ts';
import { createTrigger, type Trigger } from '../../trigger.ts';
import type { AgentContext, AgentPart, FlowStore } from '../../types.ts';
import { readDatapathConfig } from './config.ts';
import { debugDatapath } from './debug.ts';
import { selectDevices } from './devices.ts';
import type { EgressGatewayPolicyObject } from './egress-gateway.ts';
import { EgressManager } from './egress-manager.ts';
import { type CiliumEndpointObject, endpointResource, workloadOf } from './endpoint-objects.ts';
import { addressesOf, EndpointManager } from './endpoints.ts';
import { FlowRing } from './flows.ts';
import { IdentityStore } from './identities.ts';
import { labelsOfIdentity, reserved, reservedIdentity } from './identity.ts';
import { PodRange } from './ipam.ts';
import type { IpcacheEntry } from './ipcache.ts';
import { Kernel, kernelOf } from './kernel.ts';
import { NodeManager, nodeResource, setUpHostDevice } from './nodes.ts';
import { PolicyManager } from './policy-manager.ts';
import { Programs } from './programs.ts';
import { createSocketHook } from './socket-lb.ts';
import { createTunnel } from './tunnel.ts';

export interface Datapath extends AgentPart {
  readonly flows: FlowStore | undefined;
  readonly cni: CniPlugin;
  /** Answers `cilium-dbg …` for the datapath; undefined when the words are not its own. */
  debug(args: readonly string[]): { readonly stdout: string; readonly stderr: string; readonly exitCode: number } | undefined;
  /** Devices that Cilium manages: the `devices` option, or the detected ones. */
  readonly devices: readonly NetworkInterface[];
  /** What of the policies in force has no effect in the simulator, one line each. */
  readonly unmodelledPolicies: readonly string[];
}

/** Changes of services and slices are applied after this pause at most. */
const serviceDelayMs = 5;
const egressPolicyResource = 'ciliumegressgatewaypolicies.cilium.io';

export function createDatapath(context: AgentContext): Datapath {
  return new AgentDatapath(context);
}

class AgentDatapath implements Datapath {
  readonly name = 'datapath';
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #programs: Programs;
  readonly #identities: IdentityStore;
  readonly #endpoints: EndpointManager;
  readonly #nodes: NodeManager;
  readonly #egress: EgressManager;
  readonly #ring: FlowRing | undefined;
  readonly #stops: (() => void)[] = [];
  readonly #triggers: Trigger[] = [];
  readonly #dirtyServices = new Set<string>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #remoteEntries = new Map<string, readonly (readonly [Ip, IpcacheEntry])[]>();
  readonly #policies: PolicyManager;
  readonly #localHostEntries = new Map<Ip, IpcacheEntry>();
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
    this.#identities = new IdentityStore(context.api, random.stream('identities'));
    this.#endpoints = new EndpointManager(
      context,
      this.#kernel,
      this.#programs,
      this.#identities,
      createSocketHook(this.#kernel, this.#programs),
    );
    this.#nodes = new NodeManager(context, this.#kernel);
    this.#egress = new EgressManager(context, this.#kernel, () => this.#nodes.nodes);
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

  debug(args: readonly string[]) {
    return debugDatapath(this.#kernel, this.#identities, this.#nodes.nodes, args);
  }

  // ── life ────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    this.#isStarted = true;
    this.#kernel.agent = this.#endpoints;
    this.#kernel.flows = this.#ring;
    this.#setSysctls();
    this.#watchNodes();
    this.#becomeReady();
  }

  stop(): void {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    for (const stop of this.#stops.splice(0)) stop();
    for (const trigger of this.#triggers.splice(0)) trigger.stop();
    this.#identities.stop();
    this.#egress.stop();
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
      (!config.hasIpv4 || cidrs.some((cidr) => cidr.family === 4)) && (!config.hasIpv6 || cidrs.some((cidr) => cidr.family === 6));
    if (own === undefined || !isComplete) return;
    this.#isReady = true;
    this.#kernel.podCidrs = cidrs;
    this.#kernel.internalIps = new Set(own.internalIps);
    const ranges = cidrs
      .map((cidr) => new PodRange(cidr, this.#context.random.stream(`ipam ${cidr.text}`)))
      .sort((a, b) => a.prefix.family - b.prefix.family);
    this.#endpoints.ranges = ranges;
    const routers = ranges.flatMap((range) => {
      const known = this.#kernel.routerIps.find((address) => range.claim(address));
      return known ?? range.allocate() ?? [];
    });
    this.#kernel.routerIps = routers;
    setUpHostDevice(this.#kernel, routers);
    if (this.#kernel.hostDevice !== undefined) this.#kernel.hostDevice.egress = this.#programs.toHostDevice;
    if (config.routingMode === 'tunnel' || config.hasEgressGateway)
      this.#programs.tunnel = createTunnel(this.#kernel, this.#programs.fromOverlay);
    this.#identities.start(() => undefined);
    this.#attachHostSockets();
    this.#watchDevices();
    this.#watchServices();
    this.#stops.push(this.#policies.start());
    this.#watchPods();
    this.#watchEndpoints();
    if (config.hasEgressGateway) this.#watchEgressPolicies();
    this.#endpoints.restore();
    if (config.hasHealthEndpoint && this.#endpoints.health === undefined) {
      this.#endpoints.addHealth(ranges.flatMap((range) => range.allocate() ?? []));
    }
    this.#publishAddresses();
    this.#masqueradeByNetfilter();
    this.#listenForRelay();
    const kubelet = this.#context.cluster.kubelets.get(this.#context.node.name);
    if (kubelet !== undefined) kubelet.cni = this.cni;
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

  // ── nodes and devices ───────────────────────────────────────────────────────────────────────────────────

  #watchNodes(): void {
    const own = this.#context.node.name;
    this.#watch<CiliumNode>(nodeResource, (event) => {
      const { name } = event.object.metadata;
      if (event.type === 'DELETED') this.#nodes.remove(name);
      else this.#nodes.upsert(event.object);
      this.#egress.trigger();
      if (name !== own) return;
      // Deleted and made again, it lacks the addresses of the datapath.
      if (this.#isReady && event.type !== 'DELETED') this.#publishAddresses();
      else this.#becomeReady();
    });
    this.#watch<Endpoints>('endpoints', (event) => {
      if (event.object.metadata.name === 'kubernetes' && event.object.metadata.namespace === 'default')
        this.#nodes.setApiServer(event.type === 'DELETED' ? undefined : event.object);
    });
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

  /** Without `enable-bpf-masquerade` the agent leaves masquerading to iptables. */
  #masqueradeByNetfilter(): void {
    const { config, namespace, podCidrs } = this.#kernel;
    if (config.hasBpfMasquerade) return;
    const { netfilter } = namespace;
    for (const family of [4, 6] as const) {
      const isOn = family === 4 ? config.hasIpv4 && config.masquerades4 : config.hasIpv6 && config.masquerades6;
      const cidr = podCidrs.find((candidate) => candidate.family === family);
      if (!isOn || cidr === undefined) continue;
      const chain = 'CILIUM_POST_nat';
      if (netfilter.chains(family, 'nat').has(chain)) netfilter.flush(family, 'nat', chain);
      else {
        netfilter.createChain(family, 'nat', chain);
        netfilter.insert(family, 'nat', 'POSTROUTING', { target: { kind: 'jump', chain }, comment: 'cilium-feeder: CILIUM_POST_nat' });
      }
      const exclusion = (family === 4 ? config.nativeRoutingCidr4 : config.nativeRoutingCidr6) ?? cidr;
      if (config.routingMode === 'native') {
        for (const node of this.#nodes.nodes) {
          for (const address of node.internalIps) {
            if (address.family !== family) continue;
            netfilter.append(family, 'nat', chain, {
              source: { prefix: cidr },
              destination: { prefix: prefix(`${address.text}/${family === 4 ? 32 : 128}`) },
              target: { kind: 'accept' },
              comment: 'exclude traffic to cluster nodes from masquerade',
            });
          }
        }
      }
      netfilter.append(family, 'nat', chain, {
        source: { prefix: cidr },
        destination: { prefix: exclusion, inverted: true },
        outInterface: { name: 'cilium_+', inverted: true },
        target: { kind: 'masquerade' },
        comment: 'cilium masquerade non-cluster',
      });
    }
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

  // ── services ────────────────────────────────────────────────────────────────────────────────────────────

  #watchServices(): void {
    const trigger = createTrigger(this.#context.clock, serviceDelayMs, () => this.#applyServices());
    this.#triggers.push(trigger);
    const touch = (key: string): void => {
      this.#dirtyServices.add(key);
      trigger.fire();
    };
    this.#watch<Service>(resources.service, (event) => touch(keyOf(event.object)));
    this.#watch<EndpointSlice>(resources.endpointSlice, (event) => {
      const slice = event.object;
      const service = slice.metadata.labels?.['kubernetes.io/service-name'];
      if (service === undefined) return;
      const key = `${slice.metadata.namespace ?? 'default'}/${service}`;
      const known = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
      this.#slices.set(key, known);
      if (event.type === 'DELETED') known.delete(slice.metadata.name);
      else known.set(slice.metadata.name, slice);
      touch(key);
    });
    this.#applyServices();
  }

  #applyServices(): void {
    for (const key of this.#dirtyServices) {
      const [namespace, name] = key.split('/');
      const service = this.#context.api.get<Service>(resources.service, name ?? '', namespace);
      this.#kernel.services.set(key, service, [...(this.#slices.get(key)?.values() ?? [])]);
    }
    this.#dirtyServices.clear();
  }

  // ── pods, endpoints, identities ─────────────────────────────────────────────────────────────────────────

  #watchPods(): void {
    const { name } = this.#context.node;
    this.#stops.push(
      this.#context.api.watch<Pod>('pods', (event) => {
        if (!this.#isStarted || event.type !== 'MODIFIED' || event.object.spec.nodeName !== name) return;
        if (event.object.metadata.labels !== event.old?.metadata.labels) this.#endpoints.podChanged(event.object);
      }),
      this.#context.api.watch<Namespace>('namespaces', (event) => {
        if (this.#isStarted && event.type === 'MODIFIED' && event.object.metadata.labels !== event.old?.metadata.labels)
          this.#endpoints.namespaceChanged(event.object.metadata.name);
      }),
    );
  }

  #watchEndpoints(): void {
    const { ipcache, endpoints: local } = this.#kernel;
    this.#watch<CiliumEndpointObject>(endpointResource, (event) => {
      const { object } = event;
      const key = keyOf(object);
      for (const [address, entry] of this.#remoteEntries.get(key) ?? []) ipcache.delete(address, entry);
      this.#remoteEntries.delete(key);
      const identity = object.status?.identity;
      if (event.type === 'DELETED' || identity === undefined) {
        this.#egress.removeEndpoint(key);
        this.#kernel.namedPorts.set(key, []);
        return;
      }
      const ips = addressesOf(object);
      const labels = identity.labels ?? this.#identities.get(identity.id)?.labels ?? [];
      const nodeText = object.status?.networking?.node;
      // As the endpoint's own node wrote it: its CiliumNode may come later than its endpoints.
      const nodeIp = nodeText === undefined ? undefined : parseIp(nodeText);
      const pod = this.#context.api.get<Pod>('pods', object.metadata.name, object.metadata.namespace);
      const entry: IpcacheEntry = {
        identity: { id: identity.id, labels },
        nodeIp,
        namespace: object.metadata.namespace ?? 'default',
        podName: object.metadata.name,
        ...(pod === undefined ? {} : { workload: workloadOf(pod) }),
      };
      const entries = ips.filter((address) => !local.has(address)).map((address) => [address, entry] as const);
      for (const [address] of entries) ipcache.set(address, entry);
      this.#remoteEntries.set(key, entries);
      this.#kernel.namedPorts.set(key, object.status?.['named-ports'] ?? []);
      if (this.#kernel.config.hasEgressGateway) {
        this.#egress.setEndpoint(key, { uid: object.metadata.uid, labels: labelsOfIdentity(labels), ips, nodeIp });
      }
    });
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
