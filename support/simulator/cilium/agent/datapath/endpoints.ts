import type { Random } from '../../../clock/random.ts';
import type { Namespace, Pod } from '../../../kubernetes/objects.ts';
import type { CniPlugin, PodSandbox } from '../../../kubernetes/types.ts';
import { hostPrefix, prefix } from '../../../net/address.ts';
import type { Ip, NetworkInterface, SocketHook } from '../../../net/types.ts';
import type { AgentContext, Identity } from '../../types.ts';
import { isBefore } from '../../version.ts';
import { type CiliumEndpointObject, endpointObject, endpointResource, namedPortsOf, workloadOf } from './endpoint-objects.ts';
import type { ClusterIdentities } from './identities.ts';
import { identityLabels, reserved, reservedIdentity } from './identity.ts';
import type { PodRange } from './ipam.ts';
import type { IpcacheEntry } from './ipcache.ts';
import type { Kernel, LocalEndpoint } from './kernel.ts';
import { defaultPool, type MultiPool, poolFor } from './multi-pool.ts';
import { type ParsedPolicy, policyOf } from './policy.ts';
import type { Programs } from './programs.ts';

/** The agent writes an endpoint's programs and answers the plug-in after about this long. */
const fastestAddMs = 60;
const slowestAddMs = 220;
const highestEndpointId = 4095;

const noAgent =
  'plugin type="cilium-cni" failed (add): unable to connect to Cilium agent: failed to create cilium agent client after 30.000000 seconds timeout: Get "http://localhost/v1/config": dial unix /var/run/cilium/cilium.sock: connect: no such file or directory\nIs the agent running?';

/** Endpoints of one node: made by the CNI plug-in, kept in step with their pods, shown as CiliumEndpoints. */
export class EndpointManager {
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #programs: Programs;
  readonly #identities: () => ClusterIdentities;
  readonly #identityRandom: Random;
  readonly #hook: SocketHook;
  readonly cni: CniPlugin;
  ranges: readonly PodRange[] = [];
  /** In IPAM mode `multi-pool`, instead of ranges. */
  pools: MultiPool | undefined;
  policies: readonly ParsedPolicy[] = [];

  constructor(context: AgentContext, kernel: Kernel, programs: Programs, identities: () => ClusterIdentities, hook: SocketHook) {
    this.#context = context;
    this.#kernel = kernel;
    this.#programs = programs;
    this.#identities = identities;
    this.#identityRandom = context.random.stream('identities');
    this.#hook = hook;
    this.cni = {
      name: 'cilium',
      add: (sandbox, done) => this.#add(sandbox, done),
      remove: (sandbox) => this.#remove(sandbox),
    };
  }

  get #isRunning(): boolean {
    return this.#kernel.agent === this;
  }

  #add(sandbox: PodSandbox, done: Parameters<CniPlugin['add']>[1]): void {
    const { clock, random } = this.#context;
    if (!this.#isRunning) {
      clock.schedule(30_000, () => done({ error: noAgent }));
      return;
    }
    const delayMs = fastestAddMs + random.fraction() * (slowestAddMs - fastestAddMs);
    clock.schedule(delayMs, () => {
      if (!this.#isRunning) {
        done({ error: noAgent });
        return;
      }
      done(this.#connect(sandbox));
    });
  }

  #connect(sandbox: PodSandbox): { readonly ips: readonly Ip[] } | { readonly error: string } {
    const { api, config } = this.#context;
    const pod = api.get<Pod>('pods', sandbox.podName, sandbox.podNamespace);
    if (pod === undefined || pod.metadata.uid !== sandbox.podUid)
      return { error: `plugin type="cilium-cni" failed (add): pod ${sandbox.podNamespace}/${sandbox.podName} not found` };
    const allocated = this.#allocate(pod);
    if ('error' in allocated) {
      // The generated client changed twice how it prints its payload.
      const { version } = this.#context;
      const payload = isBefore(version, 16, 5) ? allocated.error : JSON.stringify(allocated.error);
      const failure = `[POST /ipam][502] postIpamFailure ${isBefore(version, 16, 1) ? ' ' : ''}${payload}`;
      return { error: `plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: ${failure}` };
    }
    const { ips } = allocated;
    const { network } = this.#kernel.namespace;
    const [device, inside] = network.createVeth(
      { namespace: this.#kernel.namespace, name: this.#deviceName() },
      { namespace: sandbox.namespace, name: 'eth0' },
    );
    device.setUp();
    inside.setUp();
    this.#configureInside(inside, ips);
    const identity = this.#identityOf(pod);
    const entry: IpcacheEntry = {
      identity,
      nodeIp: undefined,
      namespace: sandbox.podNamespace,
      podName: sandbox.podName,
      workload: workloadOf(pod),
    };
    const endpoint: LocalEndpoint = {
      id: this.#endpointId(),
      kind: 'pod',
      podNamespace: sandbox.podNamespace,
      podName: sandbox.podName,
      podUid: sandbox.podUid,
      containerId: sandbox.containerId,
      ips,
      device,
      inside,
      namespace: sandbox.namespace,
      identity,
      entry,
      policy: policyOf(identity, this.policies, this.#kernel.config.policyEnforcement),
      createdAt: this.#context.clock.now(),
    };
    this.#attach(endpoint);
    this.#kernel.addEndpoint(endpoint);
    this.#kernel.namedPorts.set(`${endpoint.podNamespace}/${endpoint.podName}`, namedPortsOf(pod));
    this.#publish(endpoint, pod);
    this.#context.log('info', 'Successful endpoint creation', {
      endpointID: String(endpoint.id),
      k8sPodName: `${endpoint.podNamespace}/${endpoint.podName}`,
      ipv4: ips.find((address) => address.family === 4)?.text ?? '',
      ipv6: ips.find((address) => address.family === 6)?.text ?? '',
      subsys: 'daemon',
      clusterName: config.get('cluster-name') ?? 'default',
    });
    const isIpv6First = this.#context.cluster.podSubnets[0]?.includes(':') === true;
    return { ips: [...ips].sort((a, b) => (isIpv6First ? b.family - a.family : a.family - b.family)) };
  }

  /** An address of each family, IPv6 first; none when one of them is missing. */
  #allocate(pod: Pod): { readonly ips: readonly Ip[] } | { readonly error: string } {
    const ips: Ip[] = [];
    const { config } = this.#kernel;
    const take = (address: Ip | { readonly error: string }): string | undefined => {
      if (!('error' in address)) ips.push(address);
      else this.#release(ips);
      return 'error' in address ? address.error : undefined;
    };
    if (this.pools === undefined)
      for (const range of this.ranges) {
        const problem = take(range.allocate() ?? { error: 'range is full' });
        if (problem !== undefined) return { error: problem };
      }
    else {
      const { namespace = 'default', name, annotations } = pod.metadata;
      const around = this.#context.api.get<Namespace>('namespaces', namespace)?.metadata.annotations;
      for (const family of [...(config.hasIpv6 ? [6 as const] : []), ...(config.hasIpv4 ? [4 as const] : [])]) {
        const pool = poolFor(family, annotations, around) ?? defaultPool;
        const problem = take(this.pools.allocate(`${namespace}/${name}`, pool, family));
        if (problem !== undefined) return { error: problem };
      }
      ips.reverse();
    }
    return ips.length === 0 ? { error: 'no pod CIDR' } : { ips };
  }

  /** The pod's side: its addresses as host addresses, and all ways through the node's router address. */
  #configureInside(inside: NetworkInterface, ips: readonly Ip[]): void {
    const { routes } = inside.namespace;
    for (const address of ips) {
      inside.addAddress(address, address.family === 4 ? 32 : 128, {
        noDad: true,
        ...(address.family === 6 ? { noPrefixRoute: true } : {}),
      });
      const router = this.#kernel.routerIps.find((candidate) => candidate.family === address.family);
      if (router === undefined) continue;
      routes.replace({
        destination: hostPrefix(router),
        nextHops: [{ device: inside.name }],
        scope: 'link',
        ...(address.family === 4 ? { preferredSource: address } : {}),
      });
      routes.replace({
        destination: prefix(address.family === 4 ? '0.0.0.0/0' : '::/0'),
        nextHops: [{ via: router, device: inside.name }],
      });
    }
  }

  /** Programs and hooks at an endpoint's interface. */
  #attach(endpoint: LocalEndpoint): void {
    endpoint.device.ingress = this.#programs.fromContainer(endpoint);
    endpoint.device.neighbourResponder = this.#answersFor(endpoint.ips);
    if (endpoint.namespace.sockets !== undefined) endpoint.namespace.sockets.hooks.push(this.#hook);
  }

  /** ARP for anything but the pod itself; NDP for the router alone, so that duplicate address detection finds nobody. */
  #answersFor(ips: readonly Ip[]): (target: Ip) => boolean {
    return (target) => (target.family === 4 ? !ips.includes(target) : this.#kernel.routerIps.includes(target));
  }

  #deviceName(): string {
    for (;;) {
      const name = `lxc${this.#context.random.hex(12)}`;
      if (this.#kernel.namespace.getInterface(name) === undefined) return name;
    }
  }

  #endpointId(): number {
    for (;;) {
      const id = this.#context.random.integer(1, highestEndpointId);
      if (!this.#kernel.endpointById.has(id)) return id;
    }
  }

  #identityOf(pod: Pod): Identity {
    const namespace = pod.metadata.namespace ?? 'default';
    const { config } = this.#kernel;
    const labels = identityLabels({
      namespace,
      labels: pod.metadata.labels,
      namespaceLabels: this.#context.api.get<Namespace>('namespaces', namespace)?.metadata.labels,
      serviceAccount: pod.spec.serviceAccountName,
      clusterName: config.clusterName,
      labelFilter: config.identityLabelFilter,
    });
    return this.#identities().allocate(labels, namespace, this.#identityRandom);
  }

  /** Creates the CiliumEndpoint, or brings it up to date. */
  #publish(endpoint: LocalEndpoint, pod: Pod): void {
    const { api } = this.#context;
    const nodeIp = [...this.#kernel.internalIps].find((address) => address.family === 4) ?? [...this.#kernel.internalIps][0];
    const object = endpointObject(endpoint, pod, nodeIp);
    try {
      const known = api.get<CiliumEndpointObject>(endpointResource, endpoint.podName, endpoint.podNamespace);
      if (known !== undefined && known.metadata.ownerReferences?.[0]?.uid === endpoint.podUid) {
        api.update({ ...known, status: object.status });
        return;
      }
      if (known !== undefined) api.delete(endpointResource, endpoint.podName, endpoint.podNamespace);
      const created = api.create<CiliumEndpointObject>(object);
      // Where the definition has a status subresource, a create leaves it out.
      if (created.status === undefined) api.updateStatus({ ...created, status: object.status });
    } catch (error) {
      this.#context.log('warning', 'Cannot create CEP', {
        error: messageOf(error),
        k8sPodName: `${endpoint.podNamespace}/${endpoint.podName}`,
        subsys: 'endpoint',
      });
    }
  }

  #remove(sandbox: PodSandbox): void {
    const endpoint = [...this.#kernel.endpointById.values()].find(
      (candidate) => candidate.podUid === sandbox.podUid && candidate.containerId === sandbox.containerId,
    );
    if (endpoint !== undefined) this.#delete(endpoint);
  }

  #delete(endpoint: LocalEndpoint): void {
    this.#kernel.removeEndpoint(endpoint);
    endpoint.device.delete();
    this.#release(endpoint.ips);
    if (!this.#isRunning || endpoint.kind !== 'pod') return;
    const { api } = this.#context;
    try {
      const known = api.get<CiliumEndpointObject>(endpointResource, endpoint.podName, endpoint.podNamespace);
      if (known?.metadata.ownerReferences?.[0]?.uid === endpoint.podUid)
        api.delete(endpointResource, endpoint.podName, endpoint.podNamespace);
    } catch (error) {
      this.#context.log('warning', 'Unable to delete CEP', { error: messageOf(error), subsys: 'endpoint' });
    }
  }

  #release(ips: readonly Ip[]): void {
    for (const address of ips) {
      for (const range of this.ranges) range.release(address);
      this.pools?.release(address);
    }
  }

  /** After a start: the endpoints that the last agent left, without those whose pods are gone. */
  restore(): void {
    let count = 0;
    for (const endpoint of [...this.#kernel.endpointById.values()]) {
      for (const address of endpoint.ips) {
        for (const range of this.ranges) range.claim(address);
        this.pools?.claim(address);
      }
      if (endpoint.kind !== 'pod') continue;
      const pod = this.#context.api.get<Pod>('pods', endpoint.podName, endpoint.podNamespace);
      if (pod === undefined || pod.metadata.uid !== endpoint.podUid) {
        this.#delete(endpoint);
        continue;
      }
      endpoint.device.ingress = this.#programs.fromContainer(endpoint);
      const { hooks } = endpoint.namespace.sockets;
      hooks.splice(0, hooks.length, this.#hook);
      this.#refresh(endpoint, pod);
      count++;
    }
    this.#context.log('info', 'Endpoints restored', { failed: '0', restored: String(count), subsys: 'daemon' });
  }

  /** A pod or its namespace changed: another identity where the labels ask for one. */
  podChanged(pod: Pod): void {
    for (const endpoint of this.#kernel.endpointById.values()) if (endpoint.podUid === pod.metadata.uid) this.#refresh(endpoint, pod);
  }

  namespaceChanged(name: string): void {
    for (const endpoint of this.#kernel.endpointById.values()) {
      if (endpoint.podNamespace !== name || endpoint.kind !== 'pod') continue;
      const pod = this.#context.api.get<Pod>('pods', endpoint.podName, name);
      if (pod !== undefined && pod.metadata.uid === endpoint.podUid) this.#refresh(endpoint, pod);
    }
  }

  #refresh(endpoint: LocalEndpoint, pod: Pod): void {
    const identity = this.#identityOf(pod);
    const known = this.#context.api.get<CiliumEndpointObject>(endpointResource, endpoint.podName, endpoint.podNamespace);
    if (
      identity.id === endpoint.identity.id &&
      known?.status?.identity?.id === identity.id &&
      known.metadata.ownerReferences?.[0]?.uid === endpoint.podUid
    )
      return;
    if (identity.id !== endpoint.identity.id) {
      this.#context.log('info', 'Identity of endpoint changed', {
        endpointID: String(endpoint.id),
        oldIdentity: String(endpoint.identity.id),
        identity: String(identity.id),
        subsys: 'endpoint',
      });
      this.#kernel.setIdentity(endpoint, identity);
      endpoint.policy = policyOf(identity, this.policies, this.#kernel.config.policyEnforcement);
    }
    this.#publish(endpoint, pod);
  }

  setPolicies(policies: readonly ParsedPolicy[]): void {
    this.policies = policies;
    for (const endpoint of this.#kernel.endpointById.values())
      endpoint.policy = policyOf(endpoint.identity, policies, this.#kernel.config.policyEnforcement);
  }

  /** The health endpoint: a small namespace of its own that answers other agents' probes. */
  addHealth(ips: readonly Ip[]): void {
    const { namespace, node } = this.#kernel;
    const inner = namespace.network.createNamespace(`${node.name}/cilium-health`);
    const [device, inside] = namespace.network.createVeth({ namespace, name: 'lxc_health' }, { namespace: inner, name: 'cilium' });
    device.setUp();
    inside.setUp();
    inner.getInterface('lo')?.setUp();
    this.#configureInside(inside, ips);
    const identity = reservedIdentity(reserved.health);
    const endpoint: LocalEndpoint = {
      id: this.#endpointId(),
      kind: 'health',
      podNamespace: '',
      podName: '',
      podUid: '',
      containerId: '',
      ips,
      device,
      inside,
      namespace: inner,
      identity,
      entry: { identity, nodeIp: undefined },
      policy: undefined,
      createdAt: this.#context.clock.now(),
    };
    device.ingress = this.#programs.fromContainer(endpoint);
    device.neighbourResponder = this.#answersFor(ips);
    this.#kernel.addEndpoint(endpoint);
    inner.sockets.listen({ port: 4240, program: 'cilium-health-responder', onConnection: (connection) => connection.end() });
  }

  get health(): LocalEndpoint | undefined {
    for (const endpoint of this.#kernel.endpointById.values()) if (endpoint.kind === 'health') return endpoint;
    return undefined;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
