import type { BgpFamily, BgpPeer, SessionState } from '../../../bgp/types.ts';
import type { Timer } from '../../../clock/clock.ts';
import type { EndpointSlice, Secret, Service } from '../../../kubernetes/objects.ts';
import { compareIps } from '../../../net/address.ts';
import { type CiliumNode, ciliumNamespace, type LoadBalancerIpPool, resources } from '../../objects.ts';
import type { BgpNodeConfig } from '../../operator/bgp-node-configs.ts';
import { goSeconds } from '../../time.ts';
import { createTrigger } from '../../trigger.ts';
import type { AgentContext, AgentPart, BgpControlPlaneView, BgpPeerState } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import { dependsOnEndpoints, hasLocalBackend } from './announcements.ts';
import type { DesiredState } from './desired.ts';
import { type BgpAdvertisement, type BgpPeerConfigObject, planNodeConfig } from './node-config.ts';
import { type NodeView, type PeeringPolicy, planPolicies } from './peering-policy.ts';
import { VirtualRouter } from './virtual-router.ts';

const podCidrSource = 'pod-cidrs';

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
  let isAllDirty = true;
  let source: DesiredState['source'] = 'none';
  let stops: (() => void)[] = [];
  let lastProblems = '';
  let isFrozen = false;
  let silence: Timer | undefined;

  const view = (): NodeView | undefined => {
    const own = api.get<CiliumNode>(resources.node, node.name);
    if (own === undefined) return undefined;
    return {
      node: own,
      ipam: config.get('ipam') ?? 'cluster-pool',
      password(name) {
        const encoded = api.get<Secret>('secrets', name, secretsNamespace)?.data?.['password'];
        return encoded === undefined ? undefined : atob(encoded);
      },
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
    if (state.keeps) return;
    const isOtherSource = state.source !== source;
    source = state.source;
    const wanted = new Map(state.instances.map((instance) => [instance.name, instance]));
    for (const [name, router] of [...routers]) {
      const next = wanted.get(name);
      if (!isOtherSource && next !== undefined && router.canBecome(next)) continue;
      router.speaker.stop('graceful');
      routers.delete(name);
    }
    const services = wanted.size > 0 ? api.list<Service>(resources.service) : [];
    for (const [name, instance] of wanted) {
      let router = routers.get(name);
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
    for (const router of routers.values()) {
      for (const key of keys) {
        const slash = key.indexOf('/');
        announceService(router, key, api.get<Service>(resources.service, key.slice(slash + 1), key.slice(0, slash)));
      }
      router.settle();
    }
  });

  /** Status of the NodeConfig (v2). */
  const reportStatus = createTrigger(clock, 0, () => {
    if (source !== 'v2' || config.get('enable-bgp-control-plane-status-report') === 'false') return;
    const nodeConfig = api.get<BgpNodeConfig>(resources.bgpNodeConfig, node.name);
    if (nodeConfig === undefined) return;
    const bgpInstances = [...routers.values()].map((router) => ({
      localASN: router.desired.localAsn,
      name: router.desired.name,
      peers: router.desired.peers.map((peer) => ({
        name: peer.name,
        peerAddress: peer.address.text,
        peerASN: peer.remoteAs,
        ...peerStatus(context, router.speaker.findPeer(peer.address)),
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

  return {
    name: 'bgp-control-plane',
    get routers() {
      return [...routers.values()];
    },
    start() {
      const v2 = [resources.bgpNodeConfig, resources.bgpPeerConfig, resources.bgpAdvertisement];
      const kinds = hasV1 ? [resources.bgpPeeringPolicy, ...v2] : v2;
      stops = kinds.map((kind) =>
        api.watch(kind, ({ object, old }) => {
          // A status that this agent wrote itself changes nothing.
          if (
            kind === resources.bgpNodeConfig &&
            (object.metadata.name !== node.name || (old !== undefined && old.metadata.generation === object.metadata.generation))
          )
            return;
          all();
        }),
      );
      stops.push(
        api.watch(resources.node, ({ object }) => {
          if (object.metadata.name === node.name) all();
        }),
        api.watch(resources.pool, () => {
          if (routers.size > 0) all();
        }),
        api.watch('secrets', ({ object }) => {
          if (object.metadata.namespace === secretsNamespace && object['type'] !== 'helm.sh/release.v1') all();
        }),
        api.watch<Service>(resources.service, ({ object }) => touch(object.metadata.namespace, object.metadata.name)),
        api.watch<EndpointSlice>(resources.endpointSlice, ({ object }) => {
          const name = object.metadata.labels?.['kubernetes.io/service-name'];
          const service =
            name === undefined || routers.size === 0 ? undefined : api.get<Service>(resources.service, name, object.metadata.namespace);
          if (service !== undefined && dependsOnEndpoints(service)) touch(object.metadata.namespace, name);
        }),
      );
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
  const internal = config.remoteAs === router.desired.localAsn;
  return {
    localAsn: router.desired.localAsn,
    peerAsn: typeof config.remoteAs === 'number' ? config.remoteAs : 0,
    peerAddress: config.address,
    peerPort: config.port,
    sessionState: stateWords[peer.state] ?? 'unknown',
    uptimeMs: isEstablished && peer.establishedAt !== undefined ? clock.now() - peer.establishedAt : 0,
    connectRetryTimeSeconds: config.connectRetrySeconds,
    configuredHoldTimeSeconds: config.holdTimeSeconds,
    configuredKeepAliveTimeSeconds: config.keepaliveSeconds,
    appliedHoldTimeSeconds: isEstablished ? peer.negotiatedHoldTimeSeconds : 0,
    appliedKeepAliveTimeSeconds: isEstablished ? peer.negotiatedKeepaliveSeconds : 0,
    ebgpMultihopTtl: internal ? 0 : config.multihopTtl,
    hasPassword: config.password !== undefined,
    gracefulRestart:
      config.gracefulRestart === undefined ? undefined : { enabled: true, restartTimeSeconds: config.gracefulRestart.restartTimeSeconds },
    families: config.families.map((family) => {
      const { received, accepted, advertised } = isEstablished ? peer.prefixCounts(family) : { received: 0, accepted: 0, advertised: 0 };
      return { ...familyParts(family), received, accepted, advertised };
    }),
  };
}

function peerStatus({ clock, version }: AgentContext, peer: BgpPeer | undefined): Readonly<Record<string, unknown>> {
  if (peer === undefined) return { peeringState: 'idle' };
  const peeringState = stateWords[peer.state];
  if (peer.state !== 'Established') return { peeringState };
  const counts = peer.config.families.map((family) => ({ ...familyParts(family), ...peer.prefixCounts(family) }));
  const timers = { appliedHoldTimeSeconds: peer.negotiatedHoldTimeSeconds, appliedKeepaliveSeconds: peer.negotiatedKeepaliveSeconds };
  if (isAtLeast(version, 17)) {
    return { peeringState, routeCount: counts.map(({ afi, safi, received, advertised }) => ({ advertised, afi, received, safi })), timers };
  }
  return {
    peeringState,
    routesAdvertised: counts.reduce((sum, { advertised }) => sum + advertised, 0),
    routesReceived: counts.reduce((sum, { received }) => sum + received, 0),
    timers,
    uptime: goSeconds(peer.establishedAt === undefined ? 0 : clock.now() - peer.establishedAt),
  };
}
