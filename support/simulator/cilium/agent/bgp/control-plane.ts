import type { BgpFamily, BgpPeer, SessionState } from '../../../bgp/types.ts';
import type { Timer } from '../../../clock/clock.ts';
import { type EndpointSlice, type Secret, type Service, timestamp } from '../../../kubernetes/objects.ts';
import { compareIps } from '../../../net/address.ts';
import { type CiliumNode, ciliumNamespace, type LoadBalancerIpPool, type PodIpPool, resources } from '../../objects.ts';
import type { BgpNodeConfig } from '../../operator/bgp-node-configs.ts';
import { createTrigger } from '../../trigger.ts';
import type { AgentContext, AgentPart, BgpControlPlaneView, BgpPeerState } from '../../types.ts';
import { isAtLeast, isBefore } from '../../version.ts';
import { dependsOnEndpoints, hasLocalBackend } from './announcements.ts';
import type { DesiredState } from './desired.ts';
import { type BgpAdvertisement, type BgpPeerConfigObject, planNodeConfig } from './node-config.ts';
import { defaultGateway, interfaceAddresses, macRouterId } from './node-devices.ts';
import { type NodeView, type PeeringPolicy, planPolicies } from './peering-policy.ts';
import { type ServiceFollower, ServiceIndex } from './service-index.ts';
import { VirtualRouter } from './virtual-router.ts';

const podCidrSource = 'pod-cidrs';

/** How often the status of a NodeConfig is written at most (`CRDStatusUpdateInterval`). */
const statusIntervalMs = 5000;

const stateWords: Readonly<Record<SessionState, BgpPeerState['sessionState']>> = {
  Idle: 'idle',
  Connect: 'connect',
  Active: 'active',
  OpenSent: 'open_sent',
  OpenConfirm: 'open_confirm',
  Established: 'established',
};

export interface BgpControlPlane extends AgentPart, BgpControlPlaneView {
  readonly routers: readonly VirtualRouter[];
}

/**
 * The agent's BGP control plane: peering policies (v1) or, where none matches the node, the node's NodeConfig (v2).
 * There is no timed retry in v1: a reconcile that failed is repeated at the next change.
 */
export function createBgpControlPlane(context: AgentContext): BgpControlPlane {
  const { api, clock, node, config, version, log } = context;
  const hasV1 = !isAtLeast(version, 19);
  const secretsNamespace = config.get('bgp-secrets-namespace') ?? ciliumNamespace;
  const routers = new Map<string, VirtualRouter>();
  const dirty = new Set<string>();
  const passwords = new Map<string, string>();
  let isAllDirty = true;
  let source: DesiredState['source'] = 'none';
  let stops: (() => void)[] = [];
  let lastProblems = '';
  let isFrozen = false;
  let isStuck = false;
  let usesDevices = false;
  let silence: Timer | undefined;

  /** NeighborReconciler.fetchPeerPassword: a secret that is gone counts as it was last seen. */
  const password = (name: string): string | undefined => {
    const secret = api.get<Secret>('secrets', name, secretsNamespace);
    if (routers.size === 0) passwords.clear();
    const old = passwords.get(name);
    if (secret === undefined) {
      const instead = old === undefined ? 'empty password' : 'old secret';
      log('error', `Failed to fetch secret "${name}": not found (will continue with ${instead})`, {
        component: 'NeighborReconciler.fetchPeerPassword',
        subsys: 'bgp-control-plane',
      });
      return old;
    }
    const encoded = secret.data?.['password'];
    if (encoded === undefined || encoded === '') return old ?? '';
    passwords.set(name, atob(encoded));
    return atob(encoded);
  };

  const view = (): NodeView | undefined => {
    const own = api.get<CiliumNode>(resources.node, node.name);
    if (own === undefined) return undefined;
    return {
      node: own,
      ipam: config.get('ipam') ?? 'cluster-pool',
      podPools: () => (config.get('ipam') === 'multi-pool' ? api.list<PodIpPool>(resources.podPool) : []),
      password,
    };
  };

  const plan = (): DesiredState | undefined => {
    const own = view();
    if (own === undefined) return undefined;
    const fromPolicies = hasV1 ? planPolicies(api.list<PeeringPolicy>(resources.bgpPeeringPolicy), own) : undefined;
    if (fromPolicies !== undefined) return fromPolicies;
    const nodeConfig = api.get<BgpNodeConfig>(resources.bgpNodeConfig, node.name);
    return planNodeConfig({
      ...own,
      nodeConfig,
      peerConfigs: new Map(api.list<BgpPeerConfigObject>(resources.bgpPeerConfig).map((object) => [object.metadata.name, object])),
      advertisements: api.list<BgpAdvertisement>(resources.bgpAdvertisement),
      version,
      defaultGateway: (family) => defaultGateway(node.namespace, family),
      interfaceAddresses: (name) => interfaceAddresses(node.namespace, name),
      secretPassword: (name) => {
        const secret = api.get<Secret>('secrets', name, secretsNamespace);
        return secret === undefined ? undefined : atob(secret.data?.['password'] ?? '');
      },
      macRouterId: () => macRouterId(node.namespace),
    });
  };

  const surroundingsOf = (service: Service) => ({
    hasLocalBackend:
      dependsOnEndpoints(service) &&
      hasLocalBackend(
        api.list<EndpointSlice>(resources.endpointSlice, {
          ...(service.metadata.namespace === undefined ? {} : { namespace: service.metadata.namespace }),
          labels: { matchLabels: { 'kubernetes.io/service-name': service.metadata.name } },
        }),
        node.name,
      ),
    pools: () => api.list<LoadBalancerIpPool>(resources.pool),
  });

  const announceService = (router: VirtualRouter, key: string, service: Service | undefined) => {
    router.setSource(`service/${key}`, service === undefined ? [] : router.desired.service(service, surroundingsOf(service)));
  };

  const reconcileAll = (): void => {
    const state = plan();
    if (state === undefined) return;
    const problems = JSON.stringify(state.problems);
    if (problems !== lastProblems)
      for (const { message, fields } of state.problems) log('error', message, { subsys: 'bgp-control-plane', ...fields });
    lastProblems = problems;
    isStuck = state.keeps;
    if (isStuck) {
      if (source !== 'v2' || state.endsV2 !== true) return;
      for (const router of routers.values()) router.speaker.stop('graceful');
      routers.clear();
      source = 'none';
      return;
    }
    usesDevices = state.usesDevices === true;
    const isOtherSource = state.source !== source;
    source = state.source;
    const wanted = new Map(state.instances.map((instance) => [instance.name, instance]));
    const stuck = new Set(state.problems.map(({ instance }) => instance));
    for (const [name, router] of [...routers]) {
      const next = wanted.get(name);
      if (!isOtherSource && next === undefined && (stuck.has(name) || state.withdraws === false)) continue;
      if (!isOtherSource && next !== undefined && router.canBecome(next)) continue;
      router.speaker.stop('graceful');
      routers.delete(name);
    }
    isNarrow = state.instances.every(({ addressTypes }) => !addressTypes.has('ClusterIP'));
    index?.refresh(follower);
    const candidates = (): readonly Service[] =>
      (isNarrow ? index?.candidates(node.name) : undefined) ?? api.list<Service>(resources.service);
    const services = wanted.size > 0 ? candidates() : [];
    for (const [name, planned] of wanted) {
      let router = routers.get(name);
      const instance = planned.keepsPeers === true ? { ...planned, peers: router?.desired.peers ?? [] } : planned;
      if (router === undefined) {
        router = new VirtualRouter(context, instance, () => reportStatus.fire());
        routers.set(name, router);
      } else {
        router.become(instance);
      }
      router.setSource(podCidrSource, instance.podCidrs());
      const present = new Set<string>([podCidrSource]);
      for (const service of services) {
        const key = `${service.metadata.namespace}/${service.metadata.name}`;
        present.add(`service/${key}`);
        announceService(router, key, service);
      }
      for (const old of router.sources) if (!present.has(old)) router.setSource(old, []);
      router.settle();
    }
    reportStatus.fire();
  };

  /**
   * A frozen agent (`docker pause` of its node) sends nothing, so its peers drop it when their hold time is over. The
   * speaker cannot be frozen: it is ended at that time, and begins anew when the agent goes on.
   */
  const freeze = () => {
    isFrozen = true;
    const holdTimes = [...routers.values()].flatMap(({ speaker }) =>
      speaker.peers.map((peer) => peer.negotiatedHoldTimeSeconds || peer.config.holdTimeSeconds),
    );
    silence = clock.schedule(Math.max(0, ...holdTimes) * 1000, () => {
      for (const router of routers.values()) router.speaker.stop('killed');
      routers.clear();
    });
  };
  const thaw = () => {
    if (!isFrozen) return;
    isFrozen = false;
    silence?.cancel();
    all();
  };

  const reconcile = createTrigger(clock, 0, () => {
    if (isFrozen) return;
    if (isAllDirty) {
      isAllDirty = false;
      dirty.clear();
      reconcileAll();
      return;
    }
    const keys = [...dirty];
    dirty.clear();
    // The reconciliation that is stuck at its policies does not get to services either.
    if (isStuck) return;
    for (const router of routers.values()) {
      for (const key of keys) {
        const slash = key.indexOf('/');
        announceService(router, key, api.get<Service>(resources.service, key.slice(slash + 1), key.slice(0, slash)));
      }
      router.settle();
    }
    reportStatus.fire();
  });

  /** Status of the NodeConfig (v2), which 1.16 does not write yet; not oftener than the reporter's interval. */
  const reportsStatus = !isBefore(version, 16, 2) && config.get('enable-bgp-control-plane-status-report') !== 'false';
  const reportStatus = createTrigger(clock, statusIntervalMs, () => {
    if (source !== 'v2' || !reportsStatus) return;
    const nodeConfig = api.get<BgpNodeConfig>(resources.bgpNodeConfig, node.name);
    if (nodeConfig === undefined) return;
    const bgpInstances = [...routers.values()].map((router) => ({
      localASN: router.desired.localAsn,
      name: router.desired.name,
      peers: router.desired.peers.map((peer) => ({
        name: peer.name,
        peerAddress: peer.address.text,
        ...peerStatus(context, router, router.speaker.findPeer(peer.address)),
      })),
    }));
    if (JSON.stringify((nodeConfig['status'] as { bgpInstances?: unknown } | undefined)?.bgpInstances) === JSON.stringify(bgpInstances))
      return;
    api.patch(resources.bgpNodeConfig, node.name, undefined, { status: { bgpInstances } }, { subresource: 'status' });
  });

  const all = () => {
    isAllDirty = true;
    reconcile.fire();
  };
  const touch = (namespace: string | undefined, name: string | undefined) => {
    if (routers.size === 0 || name === undefined) return;
    dirty.add(`${namespace}/${name}`);
    reconcile.fire();
  };

  let isNarrow = true;
  let index: ServiceIndex | undefined;
  const follower: ServiceFollower = { nodeName: node.name, isNarrow: () => isNarrow, touch };

  return {
    name: 'bgp-control-plane',
    get routers() {
      return [...routers.values()];
    },
    start() {
      const v2 = [resources.bgpNodeConfig, resources.bgpPeerConfig, resources.bgpAdvertisement];
      const kinds = hasV1 ? [resources.bgpPeeringPolicy, ...v2] : v2;
      stops = kinds.map((kind) =>
        api.watch(
          kind,
          ({ object, old }) => {
            // A status that this agent wrote itself changes nothing.
            if (kind === resources.bgpNodeConfig && old !== undefined && old.metadata.generation === object.metadata.generation) return;
            all();
          },
          kind === resources.bgpNodeConfig ? { name: node.name } : {},
        ),
      );
      stops.push(
        api.watch(resources.node, all, { name: node.name }),
        ...(config.get('ipam') === 'multi-pool' ? [api.watch(resources.podPool, all)] : []),
        node.namespace.routes.onChange(() => {
          if (usesDevices) all();
        }),
        api.watch(resources.pool, ({ object, old }) => {
          // The operator's counts of addresses change nothing.
          const isStatus = old !== undefined && old.metadata.generation === object.metadata.generation;
          if (routers.size > 0 && !(isStatus && old.metadata.labels === object.metadata.labels)) all();
        }),
        api.watch('secrets', ({ object }) => {
          if (object.metadata.namespace === secretsNamespace && object['type'] !== 'helm.sh/release.v1') all();
        }),
      );
      index = ServiceIndex.join(api, follower);
      stops.push(
        node.container.onStateChange(({ state }) => {
          if (state === 'paused') freeze();
          else if (state === 'running') thaw();
        }),
      );
      all();
    },
    stop(how) {
      for (const stop of stops) stop();
      stops = [];
      index?.leave(follower);
      index = undefined;
      silence?.cancel();
      reconcile.stop();
      reportStatus.stop();
      for (const router of routers.values()) router.speaker.stop(how);
      routers.clear();
    },
    peers: () =>
      [...routers.values()]
        .flatMap((router) => router.speaker.peers.map((peer) => peerState(context, router, peer)))
        .toSorted(byAsnAndAddress),
  };
}

function byAsnAndAddress(a: BgpPeerState, b: BgpPeerState): number {
  if (a.localAsn !== b.localAsn) return a.localAsn - b.localAsn;
  return a.peerAddress.text < b.peerAddress.text
    ? -1
    : a.peerAddress.text > b.peerAddress.text
      ? 1
      : compareIps(a.peerAddress, b.peerAddress);
}

const familyParts = (family: BgpFamily) => ({ afi: family === 'ipv4-unicast' ? 'ipv4' : 'ipv6', safi: 'unicast' });

/** One peer as `cilium-dbg bgp peers` tells of it; both counters are 0 while the session is not established. */
export function peerState({ clock }: AgentContext, router: VirtualRouter, peer: BgpPeer): BgpPeerState {
  const { config } = peer;
  const isEstablished = peer.state === 'Established';
  const internal = !peer.isExternal;
  return {
    localAsn: router.desired.localAsn,
    peerAsn: typeof config.remoteAs === 'number' ? config.remoteAs : (peer.remoteAsn ?? 0),
    peerAddress: config.address,
    peerPort: config.port,
    sessionState: stateWords[peer.state] ?? 'unknown',
    uptimeMs: isEstablished && peer.establishedAt !== undefined ? clock.now() - peer.establishedAt : 0,
    connectRetryTimeSeconds: config.connectRetrySeconds,
    configuredHoldTimeSeconds: config.holdTimeSeconds,
    configuredKeepAliveTimeSeconds: config.keepaliveSeconds,
    appliedHoldTimeSeconds: isEstablished ? peer.negotiatedHoldTimeSeconds : 0,
    appliedKeepAliveTimeSeconds: isEstablished ? peer.negotiatedKeepaliveSeconds : 0,
    ebgpMultihopTtl: internal ? 1 : config.multihopTtl,
    hasPassword: config.password !== undefined,
    gracefulRestart:
      config.gracefulRestart === undefined ? undefined : { enabled: true, restartTimeSeconds: config.gracefulRestart.restartTimeSeconds },
    families: config.families.map((family) => {
      const { received, accepted, advertised } = isEstablished ? peer.prefixCounts(family) : { received: 0, accepted: 0, advertised: 0 };
      return { ...familyParts(family), received, accepted, advertised };
    }),
  };
}

/** One peer in the status of a CiliumBGPNodeConfig (pkg/bgpv1/manager/reconcilerv2/crd_status.go). */
function peerStatus(context: AgentContext, router: VirtualRouter, peer: BgpPeer | undefined): Readonly<Record<string, unknown>> {
  if (peer === undefined) return {};
  const state = peerState(context, router, peer);
  return {
    peerASN: state.peerAsn,
    peeringState: state.sessionState,
    ...(state.sessionState === 'established' && peer.establishedAt !== undefined ? { establishedTime: timestamp(peer.establishedAt) } : {}),
    routeCount: state.families.map(({ afi, safi, received, advertised }) => ({ advertised, afi, received, safi })),
    timers: { appliedHoldTimeSeconds: state.appliedHoldTimeSeconds, appliedKeepaliveSeconds: state.appliedKeepAliveTimeSeconds },
  };
}
