import type { SimulatedClock, Timer } from '../../clock/clock.ts';
import type { Random } from '../../clock/random.ts';
import type { Container } from '../../docker/types.ts';
import { parseIp } from '../../net/address.ts';
import type { Ip, NetworkNamespace } from '../../net/types.ts';
import { qosClassOf } from '../apiserver/admission.ts';
import { ApiError } from '../apiserver/errors.ts';
import { type Condition, conditionOf, type Pod, type PodStatus, timestamp } from '../objects.ts';
import type { ApiClient, CniPlugin, KubeNode, PodSandbox } from '../types.ts';
import { ContainerRunner } from './container-runner.ts';
import { missingVolume, type PodFacts } from './environment.ts';

/** What a pod's containers need of it. */
export interface PodRuntime {
  readonly pod: Pod;
  readonly node: KubeNode;
  readonly clock: SimulatedClock;
  readonly client: ApiClient;
  readonly random: Random;
  readonly namespace: NetworkNamespace;
  readonly facts: PodFacts;
  /** Images that the node has. */
  readonly images: Set<string>;
  registerContainer(container: Container): void;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
  changed(): void;
}

/** What a pod needs of its kubelet. */
export interface PodHost {
  readonly node: KubeNode;
  readonly clock: SimulatedClock;
  readonly client: ApiClient;
  readonly random: Random;
  readonly images: Set<string>;
  /** Node addresses, primary family first. */
  readonly hostIps: readonly string[];
  readonly clusterDns: string | undefined;
  cni(): CniPlugin | undefined;
  registerContainer(container: Container, pod: Pod): void;
  finished(worker: PodWorker): void;
}

const sandboxRetryMs = 12_000;
const networkRetryMs = 2_000;
const unmountRetryMs = 2_000;

/** One pod on one node, from the sandbox to its removal. */
export class PodWorker implements PodRuntime {
  pod: Pod;
  readonly node: KubeNode;
  readonly clock: SimulatedClock;
  readonly client: ApiClient;
  readonly random: Random;
  readonly images: Set<string>;
  readonly runners: readonly ContainerRunner[];
  readonly initRunners: readonly ContainerRunner[];
  sandbox: PodSandbox | undefined;
  readonly #host: PodHost;
  #ips: readonly string[] = [];
  #isTerminating = false;
  #isGone = false;
  #startTime: string | undefined;
  #cniUsed: CniPlugin | undefined;
  #retry: Timer | undefined;
  #statusPlanned = false;
  #failedPhase: 'Succeeded' | 'Failed' | undefined;

  constructor(host: PodHost, pod: Pod) {
    this.#host = host;
    this.pod = pod;
    this.node = host.node;
    this.clock = host.clock;
    this.client = host.client;
    this.random = host.random;
    this.images = host.images;
    this.runners = pod.spec.containers.map((container) => new ContainerRunner(this, container, false));
    this.initRunners = (pod.spec.initContainers ?? []).map((container) => new ContainerRunner(this, container, true));
    // A kubelet that starts again finds the containers of before dead.
    for (const status of pod.status.containerStatuses ?? []) if (status.containerID !== undefined) this.runner(status.name)?.resume(status);
    for (const runner of [...this.runners, ...this.initRunners])
      runner.state = { waiting: { reason: this.initRunners.length > 0 ? 'PodInitializing' : 'ContainerCreating' } };
  }

  get namespace(): NetworkNamespace {
    return this.sandbox?.namespace ?? this.node.namespace;
  }

  get facts(): PodFacts {
    return { ips: this.#ips, hostIps: this.#host.hostIps };
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  start(): void {
    this.#startTime = this.pod.status.startTime ?? timestamp(this.clock.now());
    this.changed();
    this.#prepare();
  }

  /** The API object has a new version. */
  update(pod: Pod): void {
    this.pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined) this.terminate(pod.metadata.deletionGracePeriodSeconds ?? 30);
  }

  /** The node has got its addresses: pods on its network have them too. A pod's address never changes once it has one. */
  addressed(): void {
    if (this.pod.spec.hostNetwork === true && this.#ips.length === 0) this.#ips = this.#host.hostIps;
    this.changed();
  }

  // ── sandbox ───────────────────────────────────────────────────────────────────────────────────────────────

  #again(delayMs: number, action: () => void): void {
    this.#retry?.cancel();
    this.#retry = this.clock.schedule(delayMs, () => {
      if (!this.#isTerminating && !this.#isGone) action();
    });
  }

  #prepare(): void {
    const missing = missingVolume(this.client, this.pod);
    if (missing !== undefined) {
      this.event('Warning', 'FailedMount', `MountVolume.SetUp failed for volume ${JSON.stringify(missing.volume)} : ${missing.why}`);
      this.#again(unmountRetryMs, () => this.#prepare());
      return;
    }
    if (this.pod.spec.hostNetwork === true) {
      this.#ips = this.#host.hostIps;
      this.sandbox = {
        podNamespace: this.pod.metadata.namespace ?? '',
        podName: this.pod.metadata.name,
        podUid: this.pod.metadata.uid,
        containerId: this.random.hex(64),
        namespace: this.node.namespace,
        node: this.node,
      };
      this.changed();
      this.#runInit(0);
      return;
    }
    const cni = this.#host.cni();
    if (cni === undefined) {
      this.event(
        'Warning',
        'NetworkNotReady',
        'network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
      );
      this.#again(networkRetryMs, () => this.#prepare());
      return;
    }
    this.#createSandbox(cni);
  }

  #createSandbox(cni: CniPlugin): void {
    const namespace = this.node.engine.network.createNamespace(`cni-${this.random.uuid()}`);
    namespace.getInterface('lo')?.setUp();
    this.#configureResolver(namespace);
    const sandbox: PodSandbox = {
      podNamespace: this.pod.metadata.namespace ?? '',
      podName: this.pod.metadata.name,
      podUid: this.pod.metadata.uid,
      containerId: this.random.hex(64),
      namespace,
      node: this.node,
    };
    cni.add(sandbox, (result) => {
      if (this.#isGone || this.#isTerminating) {
        cni.remove(sandbox);
        namespace.delete();
        return;
      }
      if ('error' in result) {
        namespace.delete();
        this.event(
          'Warning',
          'FailedCreatePodSandBox',
          `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox ${JSON.stringify(sandbox.containerId)}: plugin type=${JSON.stringify(cni.name)} failed (add): ${result.error}`,
        );
        this.#again(sandboxRetryMs, () => this.#prepare());
        return;
      }
      this.sandbox = sandbox;
      this.#cniUsed = cni;
      this.#ips = result.ips.map((address) => address.text);
      const own = result.ips.map((address) => address as Ip);
      namespace.hosts.set(this.pod.spec.hostname ?? this.pod.metadata.name, [...own]);
      for (const alias of this.pod.spec.hostAliases ?? []) {
        const address = parseIp(alias.ip);
        if (address !== undefined)
          for (const name of alias.hostnames ?? []) namespace.hosts.set(name, [...(namespace.hosts.get(name) ?? []), address]);
      }
      for (const sysctl of this.pod.spec.securityContext?.sysctls ?? []) namespace.setSysctl(sysctl.name, sysctl.value);
      // No status of its own: `kubelet.syncPod` writes one before it makes the sandbox, and the next when it has come to its end,
      // with the containers started or refused. While an image is pulled, the pod has no address to be seen.
      this.#runInit(0);
    });
  }

  /** resolv.conf by dnsPolicy and dnsConfig (`pkg/kubelet/network/dns`). */
  #configureResolver(namespace: NetworkNamespace): void {
    const { dnsPolicy, dnsConfig } = this.pod.spec;
    const server = this.#host.clusterDns === undefined ? undefined : parseIp(this.#host.clusterDns);
    const inherited = this.node.namespace.resolver;
    const podNamespace = this.pod.metadata.namespace ?? 'default';
    if (dnsPolicy === 'None') namespace.resolver = { nameservers: [], search: [], ndots: 1 };
    else if (dnsPolicy === 'Default' || server === undefined)
      namespace.resolver = { nameservers: [...inherited.nameservers], search: [...inherited.search], ndots: inherited.ndots };
    else
      namespace.resolver = {
        nameservers: [server],
        search: [`${podNamespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local'],
        ndots: 5,
      };
    for (const text of dnsConfig?.nameservers ?? []) {
      const address = parseIp(text);
      if (address !== undefined) namespace.resolver.nameservers.push(address);
    }
    namespace.resolver.search.push(...(dnsConfig?.searches ?? []));
    const ndots = dnsConfig?.options?.find((option) => option.name === 'ndots')?.value;
    if (ndots !== undefined) namespace.resolver.ndots = Number(ndots);
  }

  // ── containers ────────────────────────────────────────────────────────────────────────────────────────────

  #runInit(index: number): void {
    const runner = this.initRunners[index];
    if (runner === undefined) {
      for (const container of this.runners) {
        if (container.state.waiting?.reason === 'PodInitializing') container.state = { waiting: { reason: 'PodInitializing' } };
        container.start();
      }
      return;
    }
    runner.start();
  }

  /** Called by the runners after every change; init containers hand over to the next here. */
  changed(): void {
    this.#advance();
    if (this.#statusPlanned || this.#isGone) return;
    this.#statusPlanned = true;
    this.clock.schedule(10, () => {
      this.#statusPlanned = false;
      this.#writeStatus();
    });
  }

  #nextInit = 0;

  #advance(): void {
    const current = this.initRunners[this.#nextInit];
    if (current === undefined || this.#isTerminating) return;
    if (current.state.terminated?.exitCode === 0) {
      this.#nextInit++;
      const next = this.#nextInit;
      this.clock.schedule(50, () => {
        if (!this.#isTerminating && !this.#isGone) this.#runInit(next);
      });
    }
  }

  registerContainer(container: Container): void {
    this.#host.registerContainer(container, this.pod);
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    // The kubelet knows a static pod by the hash of its file, and tells of it under that name.
    const uid = this.pod.metadata.annotations?.['kubernetes.io/config.mirror'] ?? this.pod.metadata.uid;
    this.client.recordEvent(
      { ...this.pod, metadata: { ...this.pod.metadata, uid } },
      { type, reason, message, component: 'kubelet', host: this.node.name },
    );
  }

  runner(name: string): ContainerRunner | undefined {
    return [...this.runners, ...this.initRunners].find((candidate) => candidate.spec.name === name);
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────────────────

  terminate(graceSeconds: number): void {
    if (this.#isTerminating || this.#isGone) return;
    this.#isTerminating = true;
    this.#retry?.cancel();
    const all = [...this.runners, ...this.initRunners];
    let left = all.length;
    const oneLess = (): void => {
      if (--left > 0) return;
      this.clock.schedule(100, () => this.#tearDown());
    };
    if (left === 0) this.clock.schedule(0, () => this.#tearDown());
    for (const runner of all) runner.stop(graceSeconds * 1000, oneLess);
  }

  #tearDown(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#dropSandbox();
    this.#host.finished(this);
    const now = this.client.get<Pod>('pods', this.pod.metadata.name, this.pod.metadata.namespace);
    if (now === undefined || now.metadata.uid !== this.pod.metadata.uid) return;
    this.#store(now, true);
    this.client.delete('pods', this.pod.metadata.name, this.pod.metadata.namespace, { gracePeriodSeconds: 0 });
  }

  #dropSandbox(): void {
    const { sandbox } = this;
    if (sandbox === undefined || this.pod.spec.hostNetwork === true) return;
    this.#cniUsed?.remove(sandbox);
    sandbox.namespace.delete();
    this.sandbox = undefined;
  }

  /** The API object is gone without a grace period, or the node's processes died. */
  abandon(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#isTerminating = true;
    this.#retry?.cancel();
    for (const runner of [...this.runners, ...this.initRunners]) runner.vanish();
    this.#dropSandbox();
  }

  // ── status ────────────────────────────────────────────────────────────────────────────────────────────────

  #writeStatus(): void {
    if (this.#isGone) return;
    const now = this.client.get<Pod>('pods', this.pod.metadata.name, this.pod.metadata.namespace);
    if (now === undefined || now.metadata.uid !== this.pod.metadata.uid) return;
    this.#store(now, false);
    this.#endSandboxIfDone();
  }

  #store(current: Pod, isEnd: boolean): void {
    try {
      this.pod = this.client.updateStatus<Pod>({ ...current, status: this.#status(current, isEnd) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** A pod that is done keeps its object, but not its network. */
  #endSandboxIfDone(): void {
    if (this.#failedPhase === undefined || this.sandbox === undefined || this.#isTerminating) return;
    this.#dropSandbox();
  }

  #phase(isEnd: boolean): PodStatus['phase'] {
    const policy = this.pod.spec.restartPolicy ?? 'Always';
    if (this.initRunners.some((runner) => runner.hasEnded && runner.state.terminated?.exitCode !== 0) && policy === 'Never')
      return 'Failed';
    const ended = this.runners.filter((runner) => runner.hasEnded);
    if (ended.length === this.runners.length && (policy !== 'Always' || (isEnd && this.#isTerminating))) {
      const hasFailed = ended.some((runner) => runner.state.terminated?.exitCode !== 0);
      if (!hasFailed) return 'Succeeded';
      if (policy === 'Never' || isEnd) return 'Failed';
    }
    const hasStarted =
      this.initRunners.every((runner) => runner.state.terminated?.exitCode === 0) &&
      this.runners.every((runner) => runner.container !== undefined);
    return hasStarted ? 'Running' : 'Pending';
  }

  #status(current: Pod, isEnd: boolean): PodStatus {
    const phase = this.#phase(isEnd);
    this.#failedPhase = phase === 'Succeeded' || phase === 'Failed' ? phase : undefined;
    const now = timestamp(this.clock.now());
    const initialized = this.initRunners.every((runner) => runner.state.terminated?.exitCode === 0);
    const unready = this.runners.filter((runner) => !runner.ready).map((runner) => runner.spec.name);
    const incomplete = this.initRunners.filter((runner) => runner.state.terminated?.exitCode !== 0).map((runner) => runner.spec.name);
    const make = (type: string, isTrue: boolean, reason?: string, message?: string): Condition => {
      const status = isTrue ? 'True' : 'False';
      const old = conditionOf(current, type);
      return {
        lastProbeTime: null,
        lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? now) : now,
        ...(message === undefined ? {} : { message }),
        ...(reason === undefined ? {} : { reason }),
        status,
        type,
      };
    };
    const done = phase === 'Succeeded';
    const containersReady = unready.length === 0 && !done && initialized;
    const why: readonly [reason?: string, message?: string] = containersReady
      ? []
      : done
        ? ['PodCompleted']
        : phase === 'Failed'
          ? ['PodFailed']
          : ['ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`];
    const gates = (this.pod.spec.readinessGates ?? []).filter((gate) => conditionOf(current, gate.conditionType)?.status !== 'True');
    const kept = (current.status.conditions ?? []).filter(
      (condition) => !['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].includes(condition.type),
    );
    const gateText = `corresponding condition of pod readiness gate ${JSON.stringify(gates[0]?.conditionType ?? '')} does not exist.`;
    const ready =
      containersReady && gates.length > 0
        ? make('Ready', false, 'ReadinessGatesNotReady', gateText)
        : make('Ready', containersReady, ...why);
    const conditions = [
      ...kept,
      initialized
        ? make('Initialized', true, done ? 'PodCompleted' : undefined)
        : make('Initialized', false, 'ContainersNotInitialized', `containers with incomplete status: [${incomplete.join(' ')}]`),
      ready,
      make('ContainersReady', containersReady, ...why),
      make('PodScheduled', true),
    ];
    const byName = (a: ContainerRunner, b: ContainerRunner): number => (a.spec.name < b.spec.name ? -1 : 1);
    const hostIp = this.#host.hostIps[0];
    return {
      conditions,
      containerStatuses: [...this.runners].sort(byName).map((runner) => runner.status()),
      ...(hostIp === undefined ? {} : { hostIP: hostIp }),
      ...(this.initRunners.length === 0 ? {} : { initContainerStatuses: this.initRunners.map((runner) => runner.status()) }),
      phase: phase ?? 'Pending',
      ...(this.#ips[0] === undefined ? {} : { podIP: this.#ips[0], podIPs: this.#ips.map((address) => ({ ip: address })) }),
      qosClass: current.status.qosClass ?? qosClassOf(this.pod.spec),
      ...(this.#startTime === undefined ? {} : { startTime: this.#startTime }),
    };
  }
}
