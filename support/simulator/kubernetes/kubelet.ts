import type { SimulatedClock, Timer } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { Container } from '../docker/types.ts';
import { isConflict } from './apiserver/errors.ts';
import { PodWorker } from './kubelet/pod-worker.ts';
import {
  type Condition,
  conditionOf,
  type Lease,
  microTimestamp,
  type Node,
  nodeAddresses,
  type Pod,
  type Taint,
  timestamp,
} from './objects.ts';
import type { ApiClient, ApiServer, CniPlugin, Kubelet, KubeNode, ObjectInput, PodSandbox } from './types.ts';

export interface KubeletOptions {
  readonly node: KubeNode;
  readonly server: ApiServer;
  readonly random: Random;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly isControlPlane: boolean;
  readonly providerId: string;
  /** InternalIP addresses, primary family first; none while `--node-ip` names one that no interface has. */
  readonly addresses: () => readonly string[];
  readonly clusterDns: string | undefined;
  readonly staticPods: readonly ObjectInput[];
  /** Images that the node image brings along. */
  readonly preloadedImages: readonly string[];
  /** False while no packet of this node can reach the API server: nothing is reported then. */
  readonly canReachApi: () => boolean;
}

/** What else than {@link Kubelet} the machinery of a cluster needs of it. */
export interface RunningKubelet extends Kubelet {
  /** A pod of this node was added, changed or removed. */
  onPod(event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Pod }): void;
  register(): void;
  stop(): void;
  workerOf(namespace: string, name: string): PodWorker | undefined;
  readonly isRunning: boolean;
}

const leaseRenewMs = 10_000;
const leaseDurationSeconds = 40;
const mirrorDelayMs = 1_000;
/** A node's status is reported at least this often. */
const statusReportMs = 300_000;
/** How often the kubelet compares what the API server says of its pods with what it knows. */
const statusSyncMs = 10_000;
const networkNotReady =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized';

/** The kubelet of one node: its Node object, lease and pods (kubelet 1.27 with containerd). */
export function createKubelet(options: KubeletOptions): RunningKubelet {
  const { node, server } = options;
  const { client, clock } = server;
  const workers = new Map<string, PodWorker>();
  const owners = new Map<string, Pod>();
  const images = new Set(options.preloadedImages);
  const random = options.random;
  let cni: CniPlugin | undefined;
  let isRunning = false;
  let heartbeat: Timer | undefined;
  let lastReport = 0;

  const host = {
    node,
    clock,
    client,
    random: random.stream('pods'),
    images,
    get hostIps() {
      return options.addresses();
    },
    clusterDns: options.clusterDns,
    cni: () => cni,
    registerContainer: (container: Container, pod: Pod) => owners.set(container.id, pod),
    finished: (worker: PodWorker) => {
      if (workers.get(worker.pod.metadata.uid) === worker) workers.delete(worker.pod.metadata.uid);
    },
  };

  function register(): void {
    isRunning = true;
    if (client.get<Node>('nodes', node.name) === undefined) client.create(nodeObject(options, clock));
    reportStatus();
    beat();
    const stored = client.get<Node>('nodes', node.name);
    if (stored !== undefined) {
      client.recordEvent(stored, {
        type: 'Normal',
        reason: 'Starting',
        message: 'Starting kubelet.',
        component: 'kubelet',
        host: node.name,
      });
      for (const [reason, text] of [
        ['NodeHasSufficientMemory', 'NodeHasSufficientMemory'],
        ['NodeHasNoDiskPressure', 'NodeHasNoDiskPressure'],
        ['NodeHasSufficientPID', 'NodeHasSufficientPID'],
      ] as const)
        client.recordEvent(stored, {
          type: 'Normal',
          reason,
          message: `Node ${node.name} status is now: ${text}`,
          component: 'kubelet',
          host: node.name,
        });
      mirrorAll();
    }
  }

  function mirrorAll(): void {
    const owner = client.get<Node>('nodes', node.name);
    if (owner !== undefined && isRunning) for (const pod of options.staticPods) mirror(pod, owner);
  }

  function mirror(input: ObjectInput, owner: Node): void {
    const name = `${input.metadata.name}-${node.name}`;
    if (client.get('pods', name, input.metadata.namespace) !== undefined) return;
    // The mirror says which pod of the kubelet's own it shows, and what file that was read from: the same hash.
    const hash = random.hex(32);
    client.create({
      ...input,
      metadata: {
        ...input.metadata,
        name,
        annotations: {
          ...input.metadata.annotations,
          'kubernetes.io/config.hash': hash,
          'kubernetes.io/config.mirror': hash,
          'kubernetes.io/config.seen': timestamp(clock.now()),
          'kubernetes.io/config.source': 'file',
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: owner.metadata.uid, controller: true }],
      },
      spec: { ...(input['spec'] as object), nodeName: node.name },
    });
  }

  /** Renews the lease; now and then the whole status. */
  function beat(): void {
    heartbeat?.cancel();
    if (!isRunning) return;
    heartbeat = clock.schedule(leaseRenewMs, beat);
    if (node.container.state !== 'running' || !options.canReachApi()) return;
    renewLease(client, clock, node.name);
    const current = client.get<Node>('nodes', node.name);
    const isUnknown = current !== undefined && conditionOf(current, 'Ready')?.status !== (cni === undefined ? 'False' : 'True');
    if (isUnknown || (current !== undefined && !isAddressedAs(current, options.addresses())) || clock.now() - lastReport >= statusReportMs)
      reportStatus();
  }

  function reportStatus(): void {
    if (!isRunning || node.container.state !== 'running' || !options.canReachApi()) return;
    const current = client.get<Node>('nodes', node.name);
    if (current === undefined) return;
    lastReport = clock.now();
    const before = conditionOf(current, 'Ready')?.status;
    const conditions = nodeConditions(current, clock, cni !== undefined);
    const known = options.addresses();
    const isMoved = !isAddressedAs(current, known);
    try {
      const addresses = isMoved ? { addresses: addressList(known, node.name) } : {};
      client.updateStatus<Node>({ ...current, status: { ...current.status, ...addresses, conditions } });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    if (isMoved) for (const worker of workers.values()) worker.addressed();
    // Meanwhile the node controller has called its pods not ready: the status manager sees it within its period (status_manager.go, syncPeriod).
    if (before === 'Unknown')
      clock.schedule(statusSyncMs, () => {
        if (isRunning) for (const worker of workers.values()) worker.changed();
      });
    if (before !== undefined && before !== 'True' && cni !== undefined)
      client.recordEvent(current, {
        type: 'Normal',
        reason: 'NodeReady',
        message: `Node ${node.name} status is now: NodeReady`,
        component: 'kubelet',
        host: node.name,
      });
  }

  function onPod({ type, object }: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Pod }): void {
    if (!isRunning) return;
    const { uid } = object.metadata;
    const worker = workers.get(uid);
    if (type === 'DELETED') {
      worker?.abandon();
      workers.delete(uid);
      // A static pod cannot be deleted through the API: its mirror comes back.
      if (object.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) clock.schedule(mirrorDelayMs, mirrorAll);
      return;
    }
    if (worker !== undefined) {
      worker.update(object);
      return;
    }
    // Events come a moment late: what is gone by now needs no worker.
    if (client.get('pods', object.metadata.name, object.metadata.namespace)?.metadata.uid !== uid) return;
    if (object.status.phase === 'Succeeded' || object.status.phase === 'Failed') {
      if (object.metadata.deletionTimestamp !== undefined)
        client.delete('pods', object.metadata.name, object.metadata.namespace, { gracePeriodSeconds: 0 });
      return;
    }
    const made = new PodWorker(host, object);
    workers.set(uid, made);
    if (object.metadata.deletionTimestamp === undefined) made.start();
    else made.update(object);
  }

  /** The node's container was stopped: every process on it is gone. */
  function powerOff(): void {
    isRunning = false;
    heartbeat?.cancel();
    for (const worker of workers.values()) worker.abandon();
    workers.clear();
    owners.clear();
  }

  function powerOn(): void {
    if (isRunning) return;
    isRunning = true;
    cni = undefined;
    reportStatus();
    beat();
    for (const pod of client.list<Pod>('pods', { nodeName: node.name })) onPod({ type: 'ADDED', object: pod });
  }

  node.container.onStateChange((container) => {
    if (container.state === 'exited' || container.state === 'dead') powerOff();
    else if (container.state === 'running') {
      freeze(false);
      if (client.get('nodes', node.name) !== undefined) powerOn();
    } else if (container.state === 'paused') freeze(true);
  });

  function freeze(isFrozen: boolean): void {
    for (const worker of workers.values())
      if (worker.sandbox !== undefined && worker.pod.spec.hostNetwork !== true) worker.sandbox.namespace.isFrozen = isFrozen;
  }

  return {
    node,
    get cni() {
      return cni;
    },
    set cni(plugin: CniPlugin | undefined) {
      const hadOne = cni !== undefined;
      cni = plugin;
      if (hadOne !== (plugin !== undefined)) clock.schedule(200, reportStatus);
    },
    podOf(container) {
      const pod = owners.get(container.id);
      if (pod === undefined) return undefined;
      return {
        namespace: pod.metadata.namespace ?? '',
        name: pod.metadata.name,
        uid: pod.metadata.uid,
        hostNetwork: pod.spec.hostNetwork === true,
      };
    },
    sandboxOf: (namespace: string, name: string): PodSandbox | undefined => workerOf(namespace, name)?.sandbox,
    onPod,
    register,
    stop: powerOff,
    workerOf,
    get isRunning() {
      return isRunning && node.container.state === 'running';
    },
  };

  function workerOf(namespace: string, name: string): PodWorker | undefined {
    const uid = client.get('pods', name, namespace)?.metadata.uid;
    return uid === undefined ? undefined : workers.get(uid);
  }
}

function renewLease(client: ApiClient, clock: SimulatedClock, name: string): void {
  const renewTime = microTimestamp(clock.now());
  const lease = client.get<Lease>('leases.coordination.k8s.io', name, 'kube-node-lease');
  if (lease !== undefined) {
    client.update<Lease>({ ...lease, spec: { ...lease.spec, renewTime } });
    return;
  }
  const owner = client.get('nodes', name);
  client.create({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace: 'kube-node-lease',
      ...(owner === undefined ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: owner.metadata.uid }] }),
    },
    spec: { holderIdentity: name, leaseDurationSeconds, renewTime },
  });
}

function nodeConditions(node: Node, clock: SimulatedClock, hasNetwork: boolean): readonly Condition[] {
  const now = timestamp(clock.now());
  const make = (type: string, status: 'True' | 'False', reason: string, message: string): Condition => {
    const old = conditionOf(node, type);
    return {
      lastHeartbeatTime: now,
      lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? now) : now,
      message,
      reason,
      status,
      type,
    };
  };
  const own = [
    make('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    make('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    make('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    hasNetwork
      ? make('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status')
      : make('Ready', 'False', 'KubeletNotReady', networkNotReady),
  ];
  const others = (node.status.conditions ?? []).filter((condition) => !own.some((mine) => mine.type === condition.type));
  return [...others, ...own];
}

/** The kubelet leaves the list as it is when the address of its `--node-ip` cannot be validated: empty on a new node. */
function addressList(ips: readonly string[], name: string): NonNullable<Node['status']['addresses']> {
  return ips.length === 0 ? [] : [...ips.map((address) => ({ address, type: 'InternalIP' as const })), { address: name, type: 'Hostname' }];
}

function isAddressedAs(node: Node, ips: readonly string[]): boolean {
  return ips.length === 0 || nodeAddresses(node).join() === ips.join();
}

/** The Node object as kubeadm and the kubelet of kind's node image make it. */
function nodeObject(options: KubeletOptions, clock: SimulatedClock): ObjectInput {
  const { node, random, server } = options;
  const now = timestamp(clock.now());
  const capacity = {
    cpu: '8',
    'ephemeral-storage': '203056560Ki',
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: '32863856Ki',
    pods: '110',
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        ...options.labels,
      },
      annotations: {
        'kubeadm.alpha.kubernetes.io/cri-socket': 'unix:///run/containerd/containerd.sock',
        'node.alpha.kubernetes.io/ttl': '0',
        'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
        ...options.annotations,
      },
    },
    spec: { providerID: options.providerId, taints: [...options.taints, { effect: 'NoSchedule', key: 'node.kubernetes.io/not-ready' }] },
    status: {
      addresses: addressList(options.addresses(), node.name),
      allocatable: capacity,
      capacity,
      conditions: [
        {
          lastHeartbeatTime: now,
          lastTransitionTime: now,
          message: networkNotReady,
          reason: 'KubeletNotReady',
          status: 'False',
          type: 'Ready',
        },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        architecture: 'amd64',
        bootID: random.uuid(),
        containerRuntimeVersion: 'containerd://1.7.1',
        kernelVersion: '5.15.0-91-generic',
        kubeProxyVersion: server.version,
        kubeletVersion: server.version,
        machineID: random.hex(32),
        operatingSystem: 'linux',
        osImage: 'Debian GNU/Linux 11 (bullseye)',
        systemUUID: random.uuid(),
      },
    },
  };
}
