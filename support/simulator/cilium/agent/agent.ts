import type { Timer } from '../../clock/clock.ts';
import type { CommandResult, Container, Program } from '../../docker/types.ts';
import type { Node } from '../../kubernetes/objects.ts';
import { createLog } from '../agent-log.ts';
import { apiServerProblem, contactTimeoutMs } from '../api-server-access.ts';
import { createCiliumDbg } from '../cli/cilium-dbg.ts';
import { customResources, isDefined } from '../crds/definitions.ts';
import type { RegisteredInstallation } from '../installations.ts';
import { type CiliumNode, resources } from '../objects.ts';
import { createTrigger, type Trigger } from '../trigger.ts';
import type { AgentContext, RunningAgent } from '../types.ts';
import { type BgpControlPlane, createBgpControlPlane } from './bgp/control-plane.ts';
import { hasPodCidrs, publishCiliumNode, readConfig } from './cilium-node.ts';
import { createDatapath, type Datapath } from './datapath/datapath.ts';
import { createL2Announcer, type L2Announcer } from './l2-announcer/announcer.ts';
import { formatResponderMap } from './l2-announcer/tables.ts';
import { agentFlags, fatalProblem } from './startup-check.ts';

/** From the start of the process to the first endpoint: reading the configuration, waiting for CRDs, loading programs. */
const startupMs = 2_000;
/** `--crd-wait-timeout`. */
const crdTimeoutMs = 300_000;
const crdPollMs = 1_000;
const crdReportMs = 50_000;
/** Where the agent pins its maps. */
const bpfMaps = '/sys/fs/bpf/tc/globals/';

/** The parts of an agent that are up. */
export interface AgentParts {
  readonly datapath: Datapath;
  readonly bgp: BgpControlPlane | undefined;
  readonly l2: L2Announcer;
}

/** An agent as `cilium-dbg` sees it. */
export interface InspectableAgent extends RunningAgent {
  readonly parts: AgentParts | undefined;
  readonly podName: string;
}

/** The cilium-agent of one pod. */
export function createAgentProgram(container: Container, find: (container: Container) => RegisteredInstallation | undefined): Program {
  let agent: Agent | undefined;
  return {
    name: 'cilium-agent',
    isReady: () => agent?.isReady ?? false,
    start() {
      const home = find(container);
      if (home === undefined) {
        container.writeLog('level=fatal msg="Unable to find the node of this agent" subsys=daemon', 'stderr');
        return;
      }
      agent = new Agent(container, home);
      agent.start();
    },
    stop() {
      agent?.stop();
      agent = undefined;
    },
  };
}

class Agent implements InspectableAgent {
  readonly context: AgentContext;
  readonly podName: string;
  readonly #home: RegisteredInstallation;
  #parts: AgentParts | undefined;
  #timer: Timer | undefined;
  #publish: Trigger | undefined;
  #stops: (() => void)[] = [];
  #isStopped = false;

  constructor(container: Container, home: RegisteredInstallation) {
    const { installation, node, pod } = home;
    const { cluster, version } = installation;
    const { client: api } = cluster.server;
    const { clock } = cluster.engine;
    const object = api.get<Node>('nodes', node.name);
    this.#home = home;
    this.podName = pod.name;
    this.context = {
      node,
      cluster,
      api,
      config: object === undefined ? new Map() : readConfig(api, object, isDefined(cluster.server, 'CiliumNodeConfig')),
      version,
      clock,
      random: cluster.random.stream(`cilium-agent/${node.name}/${container.id}`),
      container,
      log: createLog(container, clock),
    };
  }

  get isReady(): boolean {
    return this.#parts !== undefined;
  }

  get parts(): AgentParts | undefined {
    return this.#parts;
  }

  get flows() {
    return this.#parts?.datapath.flows;
  }

  get bgp() {
    return this.#parts?.bgp;
  }

  debug(args: readonly string[]) {
    return this.#parts?.datapath.debug(args);
  }

  /** The one map that the documentation reads with bpftool. */
  #bpftool(args: readonly string[]): CommandResult {
    const path = /^map dump pinned (.*)$/.exec(args.join(' '))?.[1];
    if (path?.startsWith(bpfMaps) === true) {
      const isEnabled = agentFlags(this.context.config).hasL2Announcements;
      if (path === `${bpfMaps}cilium_l2_responder_v4` && isEnabled && this.#parts !== undefined)
        return { stdout: formatResponderMap(this.#parts.l2.responder), stderr: '', exitCode: 0 };
      if (path === `${bpfMaps}cilium_l2_responder_v4`)
        return { stdout: '', stderr: `Error: bpf obj get (${path}): No such file or directory\n`, exitCode: 255 };
    }
    return { stdout: '', stderr: `not simulated: bpftool ${args.join(' ')}\n`, exitCode: 1 };
  }

  start(): void {
    const { clock, config, container, version, log } = this.context;
    const dbg = createCiliumDbg(this);
    container.commands.set('cilium-dbg', dbg);
    container.commands.set('cilium', dbg);
    container.commands.set('bpftool', (args) => this.#bpftool(args));
    log('info', `Cilium ${version.text}`, { subsys: 'daemon' });
    const unreachable = apiServerProblem(
      this.context.cluster,
      this.context.node,
      container.env.get('KUBERNETES_SERVICE_HOST'),
      container.env.get('KUBERNETES_SERVICE_PORT'),
    );
    if (unreachable !== undefined) {
      this.#timer = clock.schedule(contactTimeoutMs, () => {
        log('error', 'Unable to contact k8s api-server', { error: unreachable, subsys: 'k8s-client' });
        container.stop(1);
      });
      return;
    }
    const problem = fatalProblem(config, version);
    if (problem !== undefined) {
      createLog(container, clock)('fatal', problem, { subsys: 'daemon' });
      // A program ends its container at an event of its own, not while it is being started.
      this.#timer = clock.schedule(0, () => container.stop(1));
      return;
    }
    this.#timer = clock.schedule(startupMs, () => this.#awaitCustomResources(crdTimeoutMs));
  }

  /** The operator registers the custom resources of the features that are on; an agent waits for those that it needs. */
  #awaitCustomResources(leftMs: number): void {
    const { clock, cluster, config, container, version } = this.context;
    const missing = customResources(version, config).filter(({ kind }) => !isDefined(cluster.server, kind));
    if (missing.length === 0) {
      this.#register();
    } else if (leftMs <= 0) {
      container.writeLog(
        'level=fatal msg="Unable to find all Cilium CRDs necessary within 5m0s timeout. Please ensure that Cilium Operator is running, as it\'s responsible for registering all the Cilium CRDs." subsys=daemon',
        'stderr',
      );
      container.stop(1);
    } else {
      if (leftMs % crdReportMs === 0 && leftMs < crdTimeoutMs) {
        const names = missing.map(({ plural, group }) => `crd:${plural}.${group}`).join(' ');
        this.context.log('info', `Still waiting for Cilium Operator to register the following CRDs: [${names}]`, { subsys: 'k8s' });
      }
      this.#timer = clock.schedule(crdPollMs, () => this.#awaitCustomResources(leftMs - crdPollMs));
    }
  }

  /** Publishes the CiliumNode and waits for pod CIDRs; then the parts come up. */
  #register(): void {
    const { api, clock, node } = this.context;
    this.#publish = createTrigger(clock, 0, () => {
      publishCiliumNode(this.context);
    });
    this.#stops.push(
      api.watch<Node>(
        'nodes',
        ({ type, object, old }) => {
          if (type === 'DELETED') return;
          // Heartbeats change the status only.
          if (
            old !== undefined &&
            old.metadata.labels === object.metadata.labels &&
            old.metadata.annotations === object.metadata.annotations &&
            old.spec === object.spec
          )
            return;
          this.#publish?.fire();
        },
        { name: node.name },
      ),
      api.watch<CiliumNode>(
        resources.node,
        ({ type, object }) => {
          if (type === 'DELETED') this.#publish?.fire();
          else this.#bringUp(object);
        },
        { name: node.name },
      ),
    );
    const published = publishCiliumNode(this.context);
    if (published !== undefined) this.#bringUp(published);
  }

  #bringUp(node: CiliumNode): void {
    if (this.#parts !== undefined || this.#isStopped) return;
    const flags = agentFlags(this.context.config);
    if (!hasPodCidrs(node, flags)) return;
    const datapath = createDatapath(this.context);
    datapath.start();
    const bgp = flags.hasBgp ? createBgpControlPlane(this.context) : undefined;
    const l2 = createL2Announcer(this.context, () => datapath.devices);
    this.#parts = { datapath, bgp, l2 };
    const kubelet = this.context.cluster.kubelets.get(this.context.node.name);
    if (kubelet !== undefined) kubelet.cni = datapath.cni;
    bgp?.start();
    l2.start();
    this.#home.installation.addAgent(this);
    this.context.log('info', 'Daemon initialization completed', { subsys: 'daemon' });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#publish?.stop();
    for (const stop of this.#stops) stop();
    this.#stops = [];
    const { container, node } = this.context;
    container.commands.delete('cilium-dbg');
    container.commands.delete('cilium');
    container.commands.delete('bpftool');
    this.#home.installation.removeAgent(this);
    const parts = this.#parts;
    this.#parts = undefined;
    // A frozen or dead node cannot say goodbye. BGP never does: the process ends and the kernel closes its connections.
    const how = node.container.state === 'running' ? 'graceful' : 'killed';
    parts?.l2.stop(how);
    parts?.bgp?.stop('killed');
    parts?.datapath.stop(how);
  }
}
