import type { SimulatedClock } from '../clock/clock.ts';
import type { Random } from '../clock/random.ts';
import type { Container } from '../docker/types.ts';
import type { ApiClient, Cluster, KubeNode } from '../kubernetes/types.ts';
import type { Family, Ip } from '../net/types.ts';

/** The `cilium-config` ConfigMap, read at the start of an agent or operator. Keys as in `cilium config view`. */
export type CiliumConfig = ReadonlyMap<string, string>;

/** What of Cilium depends on its release: `{ major: 1, minor: 16, patch: 0 }`. */
export interface CiliumVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly text: string;
}

/** What an agent's parts share. One per running agent pod; gone when the pod stops. */
export interface AgentContext {
  readonly node: KubeNode;
  readonly cluster: Cluster;
  readonly api: ApiClient;
  readonly config: CiliumConfig;
  readonly version: CiliumVersion;
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** The agent's own container: its log, and the place of `cilium-dbg`. */
  readonly container: Container;
  /** A line of the agent's log, in its `level=… msg=…` form. */
  log(level: 'info' | 'warning' | 'error', message: string, fields?: Readonly<Record<string, string>>): void;
}

/** A part of the agent with a life of its own. */
export interface AgentPart {
  readonly name: string;
  start(): void;
  /** `graceful`: the pod was asked to end; otherwise the process died. */
  stop(how: 'graceful' | 'killed'): void;
}

/** Identity numbers below 256 are reserved. */
export interface Identity {
  readonly id: number;
  /** `k8s:app=web`, sorted; `reserved:world` and the like for reserved ones. */
  readonly labels: readonly string[];
}

/** What Hubble records of one packet or socket event at one observation point of one node. */
export interface Flow {
  readonly time: number;
  readonly nodeName: string;
  readonly verdict: 'FORWARDED' | 'DROPPED' | 'TRACED' | 'TRANSLATED' | 'REDIRECTED' | 'ERROR' | 'AUDIT';
  /** `to-endpoint`, `to-network`, `pre-xlate-rev`, `policy-verdict:none`…, or the drop reason. */
  readonly observationPoint: string;
  readonly isReply: boolean | undefined;
  readonly source: FlowEndpoint;
  readonly destination: FlowEndpoint;
  readonly family: Family;
  readonly protocol: 'TCP' | 'UDP' | 'ICMPv4' | 'ICMPv6';
  readonly tcpFlags?: number;
  /** Text in the last parentheses of the compact form. */
  readonly summary: string;
  readonly trafficDirection: 'INGRESS' | 'EGRESS' | 'TRAFFIC_DIRECTION_UNKNOWN';
  readonly dropReason?: string;
}

export interface FlowEndpoint {
  readonly ip: Ip;
  /** Absent in socket events of the reverse direction and in ICMP. */
  readonly port?: number;
  readonly identity: number;
  readonly namespace?: string;
  readonly podName?: string;
  readonly labels: readonly string[];
  readonly workload?: { readonly kind: string; readonly name: string };
  readonly serviceName?: string;
}

export interface FlowStore {
  /** Oldest first, at most the ring's capacity (4095 by default). */
  readonly flows: readonly Flow[];
  record(flow: Flow): void;
}

/** Why an agent's datapath dropped a packet, with Cilium's words. */
export type DropReason =
  | 'Policy denied'
  | 'Stale or unroutable IP'
  | 'No egress gateway found'
  | 'No Egress IP configured'
  | 'Service backend not found'
  | 'FIB lookup failed'
  | 'Unsupported L3 protocol'
  | 'Invalid source ip'
  | 'No mapping for NAT masquerade';

/** What of a running agent the rest of the simulator (cilium, cilium-dbg and hubble commands) may look at. */
export interface RunningAgent {
  readonly context: AgentContext;
  readonly flows: FlowStore | undefined;
  readonly bgp: BgpControlPlaneView | undefined;
  /** Answers `cilium-dbg …` for its own part; undefined when the words are not its own. */
  debug(args: readonly string[]): { readonly stdout: string; readonly stderr: string; readonly exitCode: number } | undefined;
}

/** The state that `cilium-dbg bgp peers -o json` prints; keys and units as of section 3.3 of the reference. */
export interface BgpPeerState {
  readonly localAsn: number;
  readonly peerAsn: number;
  readonly peerAddress: Ip;
  readonly peerPort: number;
  readonly sessionState: 'idle' | 'connect' | 'active' | 'open_sent' | 'open_confirm' | 'established' | 'unknown';
  readonly uptimeMs: number;
  readonly connectRetryTimeSeconds: number;
  readonly configuredHoldTimeSeconds: number;
  readonly configuredKeepAliveTimeSeconds: number;
  readonly appliedHoldTimeSeconds: number;
  readonly appliedKeepAliveTimeSeconds: number;
  readonly ebgpMultihopTtl: number;
  readonly hasPassword: boolean;
  readonly gracefulRestart: { readonly enabled: boolean; readonly restartTimeSeconds: number } | undefined;
  readonly families: readonly {
    readonly afi: string;
    readonly safi: string;
    readonly received: number;
    readonly accepted: number;
    readonly advertised: number;
  }[];
}

export interface BgpControlPlaneView {
  peers(): readonly BgpPeerState[];
}

/** An installed Cilium, as its command-line tools see it (install.ts). */
export interface CiliumInstallation {
  readonly cluster: Cluster;
  readonly version: CiliumVersion;
  /** Of the agent pods that run now, by node name. */
  readonly agents: readonly RunningAgent[];
  /** The relay's pod is ready and the agents serve Hubble. */
  isHubbleRelayReady(): boolean;
}
