import type { BgpFamily, BgpPeer, PathAttributes, PeerConfig } from '../simulator/bgp/types.ts';
import { parseCommunities, parseLargeCommunities } from '../simulator/cilium/agent/bgp/communities.ts';
import type { Announcement, DesiredInstance } from '../simulator/cilium/agent/bgp/desired.ts';
import { VirtualRouter } from '../simulator/cilium/agent/bgp/virtual-router.ts';
import type { AgentContext } from '../simulator/cilium/types.ts';
import type { SimulatedClock } from '../simulator/clock/clock.ts';
import { Random } from '../simulator/clock/random.ts';
import { ip, prefix as parsePrefix } from '../simulator/net/address.ts';
import type { NetworkNamespace } from '../simulator/net/types.ts';
import { receivedText, type SpeakerView } from './gobgp.ts';
import type { Announced, SpeakerPlan } from './plan.ts';

/** The shortest or the longest wait that a speaker may draw, always: what a real one does lies between. */
export class OneEnd extends Random {
  readonly #isLongest: boolean;

  constructor(isLongest: boolean) {
    super('one end');
    this.#isLongest = isLongest;
  }

  override integer(low: number, high: number): number {
    return this.#isLongest ? high : low;
  }

  override stream(): Random {
    return this;
  }
}

/** A node's speaker: the agent's own virtual router, without the Kubernetes that tells it what to do. */
export class SimulatedSpeaker {
  readonly #plan: SpeakerPlan;
  readonly #context: AgentContext;
  readonly #desired: DesiredInstance;
  #announced: readonly Announced[] = [];
  #router: VirtualRouter | undefined;

  constructor(plan: SpeakerPlan, namespace: NetworkNamespace, clock: SimulatedClock, random: Random, hostname: string) {
    this.#plan = plan;
    this.#context = { node: { namespace, name: hostname }, clock, random } as unknown as AgentContext;
    this.#desired = {
      name: plan.name,
      localAsn: plan.asn,
      routerId: ip(plan.routerId),
      listenPort: undefined,
      peers: plan.peers.map((peer) => ({ name: peer.address, ...peerConfig(peer) })),
      exportsByDefault: true,
      addressTypes: new Set(),
      podCidrs: () => [],
      service: () => [],
    };
  }

  start(): void {
    this.#router = new VirtualRouter(this.#context, this.#desired, () => undefined);
    this.#announced = this.#plan.announced.filter(({ isLater }) => !isLater);
    this.#tell();
  }

  stop(how: 'killed' | 'graceful'): void {
    // A gobgpd that may restart leaves without a word (cmd/gobgpd, on SIGTERM with `-r`), or now and then with one: it races with its end.
    const mayRestart = this.#plan.peers.some(({ restartTimeSeconds }) => restartTimeSeconds !== undefined);
    this.#router?.speaker.stop(mayRestart ? 'killed' : how);
    this.#router = undefined;
  }

  announce(prefix: string): void {
    const found = this.#plan.announced.find((each) => each.prefix === prefix);
    if (found !== undefined) this.#announced = [...this.#announced, found];
    this.#tell();
  }

  withdraw(prefix: string): void {
    this.#announced = this.#announced.filter((each) => each.prefix !== prefix);
    this.#tell();
  }

  #tell(): void {
    this.#router?.setSource('node', this.#announced.map(announcement));
    this.#router?.settle();
  }

  view(named: (address: string) => string): SpeakerView {
    const peers = this.#router?.speaker.peers ?? [];
    const sorted = (entries: readonly (readonly [string, string])[]) =>
      Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return {
      peers: sorted(peers.map((peer) => [peer.config.address.text, stateText(peer)])),
      received: sorted(
        peers.flatMap((peer) =>
          (['ipv4-unicast', 'ipv6-unicast'] as const).flatMap((family) =>
            peer
              .adjRibIn(family)
              .map(
                ({ prefix, attributes, isStale }) =>
                  [`${peer.config.address.text} ${prefix.text}`, pathText(attributes, isStale, named)] as const,
              ),
          ),
        ),
      ),
    };
  }
}

function peerConfig(peer: SpeakerPlan['peers'][number]): PeerConfig {
  const { restartTimeSeconds, password } = peer;
  return {
    address: ip(peer.address),
    remoteAs: peer.asn,
    port: 179,
    families: peer.families.map((family): BgpFamily => `${family}-unicast`),
    holdTimeSeconds: peer.holdTimeSeconds,
    keepaliveSeconds: peer.keepaliveSeconds,
    connectRetrySeconds: peer.connectRetrySeconds,
    multihopTtl: 1,
    ...(password === undefined ? {} : { password }),
    ...(restartTimeSeconds === undefined ? {} : { gracefulRestart: { restartTimeSeconds } }),
  };
}

function announcement({ prefix, rules }: Announced): Announcement {
  return {
    prefix: parsePrefix(prefix),
    rules: new Map(
      rules.map(({ peer, communities, largeCommunities, localPref }) => [
        peer,
        [
          {
            policyName: prefix,
            communities: parseCommunities({
              standard: communities.filter((each) => each.includes(':')),
              wellKnown: communities.filter((each) => !each.includes(':')),
            }),
            largeCommunities: parseLargeCommunities({ large: largeCommunities }),
            localPref,
          },
        ],
      ]),
    ),
  };
}

function stateText(peer: BgpPeer): string {
  if (peer.state !== 'Established') return 'not established';
  const counts = peer.config.families.map((family) => {
    const { received, accepted, advertised } = peer.prefixCounts(family);
    return `${family.slice(0, 4)} ${received}/${accepted}/${advertised}`;
  });
  return `Established ${peer.negotiatedHoldTimeSeconds}/${peer.negotiatedKeepaliveSeconds} ${counts.join(' ')}`;
}

function pathText(attributes: PathAttributes, isStale: boolean, named: (address: string) => string): string {
  const { origin, asPath, nextHop, med, localPref, communities, largeCommunities, originatorId, clusterList } = attributes;
  return receivedText({
    origin,
    path: asPath.flatMap((item) => (typeof item === 'number' ? [item] : item.set)).join(' '),
    // Go prints a mapped address as the IPv4 one that it stands for.
    'next hop': named(nextHop.text.replace(/^::ffff:(?=.*\.)/, '')),
    med,
    localpref: localPref,
    communities: communities?.join(' '),
    large: largeCommunities?.map((value) => value.join(':')).join(' '),
    originator: originatorId?.text,
    clusters: clusterList?.map(({ text }) => text).join(' '),
    stale: isStale ? '' : undefined,
  });
}
