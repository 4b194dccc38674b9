import type { SimulatedClock } from '../../clock/clock.ts';
import type { Pod } from '../../kubernetes/objects.ts';
import { parseIp } from '../../net/address.ts';
import type { NetworkNamespace, TcpConnection, TcpHandlers } from '../../net/types.ts';
import { readClusterNode } from '../agent/datapath/cluster-view.ts';
import { isDefined } from '../crds/definitions.ts';
import { type CiliumNode, ciliumNamespace, resources } from '../objects.ts';
import type { CiliumInstallation, RunningAgent } from '../types.ts';
import type { Words } from './words.ts';

/** How long the relay waits for a node's Hubble server (`dial-timeout`). */
const dialTimeoutMs = 5000;
const defaultServerPort = 4244;

/** Where the tool looks for the relay, as `cilium hubble port-forward` makes it reachable. */
export const defaultServer = 'localhost:4245';

export function serverOf(flags: Words['flags']): string {
  return flags.findLast((flag) => flag.name === 'server')?.value ?? defaultServer;
}

export interface Connection {
  readonly relay: RelayView;
  readonly installation: CiliumInstallation;
}

export interface RelayView {
  /** The relay's pod. */
  readonly podName: string;
  /** Agents that the relay gets through to, in order of node names. */
  readonly connected: readonly RunningAgent[];
  /** Names of nodes that it does not reach. */
  readonly unavailable: readonly string[];
  /** Hubble servers that it knows, by the names of their nodes: `192.0.2.1:4244`. */
  readonly addresses: ReadonlyMap<string, string>;
}

/**
 * What the relay sees now: it dials the Hubble server of every node from its own pod, over the network as it is.
 * @returns undefined when there is no relay to talk to
 */
export function lookThroughRelay(installation: CiliumInstallation, clock: SimulatedClock): RelayView | undefined {
  if (!installation.isHubbleRelayReady()) return undefined;
  const { server } = installation.cluster;
  const pod = server.client
    .list<Pod>('pods', { namespace: ciliumNamespace, labels: { matchLabels: { 'k8s-app': 'hubble-relay' } } })
    .find((candidate) => candidate.metadata.deletionTimestamp === undefined);
  if (pod === undefined) return undefined;
  const namespace = server.containerOf?.(ciliumNamespace, pod.metadata.name, 'hubble-relay')?.namespace;
  const nodes = isDefined(server, 'CiliumNode') ? server.client.list<CiliumNode>(resources.node).map(readClusterNode) : [];
  const connected: RunningAgent[] = [];
  const unavailable: string[] = [];
  const addresses = new Map<string, string>();
  const dials: { readonly name: string; readonly agent: RunningAgent | undefined; readonly result: () => boolean | undefined }[] = [];
  for (const node of nodes) {
    const agent = installation.agents.find((candidate) => candidate.context.node.name === node.name);
    const name = peerName(installation, node.name);
    const address = node.internalIps.find((candidate) => candidate.family === 4) ?? node.internalIps[0];
    const port = agent === undefined ? defaultServerPort : serverPort(agent);
    if (address !== undefined) addresses.set(name, address.family === 6 ? `[${address.text}]:${port}` : `${address.text}:${port}`);
    if (agent?.flows === undefined || address === undefined || namespace === undefined) dials.push({ name, agent, result: () => false });
    else dials.push({ name, agent, result: dial(namespace, address.text, port) });
  }
  clock.runUntil(() => dials.every((attempt) => attempt.result() !== undefined), dialTimeoutMs);
  for (const attempt of dials) {
    if (attempt.result() === true && attempt.agent !== undefined) connected.push(attempt.agent);
    else unavailable.push(attempt.name);
  }
  return { podName: pod.metadata.name, connected, unavailable, addresses };
}

function serverPort(agent: RunningAgent): number {
  const address = agent.context.config.get('hubble-listen-address') ?? '';
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return Number.isInteger(port) && port > 0 ? port : defaultServerPort;
}

/** Connections that a relay keeps to its peers, by its pod's network namespace. */
const kept = new WeakMap<NetworkNamespace, Map<string, TcpConnection>>();
const ping = new Uint8Array(1);

/** Asks a node's server for a sign of life, over the connection that the relay has to it or a new one. */
function dial(namespace: NetworkNamespace, address: string, port: number): () => boolean | undefined {
  const ip = parseIp(address);
  if (ip === undefined) return () => false;
  let isAlive: boolean | undefined;
  const connections = kept.get(namespace) ?? new Map<string, TcpConnection>();
  kept.set(namespace, connections);
  const key = `${address} ${port}`;
  const known = connections.get(key);
  const handlers: TcpHandlers = {
    onData: () => {
      isAlive = true;
    },
    onClose: () => {
      isAlive ??= false;
      connections.delete(key);
    },
  };
  if (known?.state === 'ESTABLISHED') {
    known.handlers = handlers;
    known.send(ping);
  } else {
    const connection: TcpConnection = namespace.sockets.connect({
      destination: { ip, port },
      handlers: { ...handlers, onConnected: () => connection.send(ping) },
    });
    connections.set(key, connection);
  }
  return () => isAlive;
}

/** A peer's name has its cluster's before it, unless that is the default one. */
export function peerName(installation: CiliumInstallation, nodeName: string): string {
  const cluster = clusterNameOf(installation);
  return cluster === 'default' ? nodeName : `${cluster}/${nodeName}`;
}

export function clusterNameOf(installation: CiliumInstallation): string {
  return installation.agents[0]?.context.config.get('cluster-name') ?? 'default';
}
