import { createSpeaker } from '../../../bgp/speaker.ts';
import type { BgpPeer, BgpSpeaker, PathAttributes, PeerConfig, RoutePolicy } from '../../../bgp/types.ts';
import type { Prefix } from '../../../net/types.ts';
import type { AgentContext } from '../../types.ts';
import type { Announcement, DesiredInstance, PeerRule } from './desired.ts';

const peerText = (config: PeerConfig): string =>
  [
    config.port,
    config.families.join(),
    config.holdTimeSeconds,
    config.keepaliveSeconds,
    config.connectRetrySeconds,
    config.multihopTtl,
    config.password ?? '',
    config.gracefulRestart?.restartTimeSeconds ?? '',
    config.localAddress?.text ?? '',
  ].join(' ');

const rulesText = ({ rules }: Announcement): string => JSON.stringify([...rules]);

/** A running speaker and what it has been told so far; changes are applied as differences. */
export class VirtualRouter {
  readonly speaker: BgpSpeaker;
  #desired: DesiredInstance;
  readonly #bySource = new Map<string, ReadonlyMap<Prefix, Announcement>>();
  /** Who announces a prefix: the pod CIDRs, or services (several may share an address). */
  readonly #byPrefix = new Map<Prefix, Map<string, Announcement>>();
  readonly #configs = new Map<string, PeerConfig>();
  #needsRefresh = false;
  /** GoBGP lets everything out until it is told otherwise, which comes with the first export policy and stays. */
  #hasDefault = false;

  constructor({ node, clock, random }: AgentContext, desired: DesiredInstance, onChange: () => void) {
    this.#desired = desired;
    this.speaker = createSpeaker({
      namespace: node.namespace,
      clock,
      random: random.stream(`bgp/${desired.name}`),
      implementation: 'gobgp',
      localAsn: desired.localAsn,
      routerId: desired.routerId,
      ...(desired.listenPort === undefined ? {} : { listenPort: desired.listenPort }),
      hostname: node.name,
      // Nothing that is learnt enters the table: a global import policy lets only local routes in.
      importPolicy: () => {
        onChange();
        return undefined;
      },
      exportPolicy: (path, peer) => this.#export(path, peer),
    });
    this.speaker.onSessionChange(onChange);
  }

  get desired(): DesiredInstance {
    return this.#desired;
  }

  /** Whether the change can be made without a new speaker. */
  canBecome(next: DesiredInstance): boolean {
    const { localAsn, routerId, listenPort, exportsByDefault } = this.#desired;
    return (
      next.localAsn === localAsn &&
      next.routerId === routerId &&
      next.listenPort === listenPort &&
      next.exportsByDefault === exportsByDefault
    );
  }

  /** Takes over new rules for peers and announcements; the caller sets the sources, then calls {@link settle}. */
  become(next: DesiredInstance): void {
    this.#desired = next;
  }

  setSource(source: string, announcements: readonly Announcement[]): void {
    const before = this.#bySource.get(source) ?? new Map<Prefix, Announcement>();
    const after = new Map(announcements.map((announcement) => [announcement.prefix, announcement]));
    if (after.size === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, after);
    for (const prefix of before.keys()) {
      if (after.has(prefix)) continue;
      const holders = this.#byPrefix.get(prefix);
      holders?.delete(source);
      if (holders?.size === 0) {
        this.#byPrefix.delete(prefix);
        this.speaker.withdraw(prefix);
      } else {
        this.#needsRefresh = true;
      }
    }
    if (!this.#hasDefault && announcements.some(({ rules }) => rules.size > 0)) {
      this.#hasDefault = true;
      this.#needsRefresh = true;
    }
    for (const [prefix, announcement] of after) {
      const holders = this.#byPrefix.get(prefix) ?? new Map<string, Announcement>();
      const isNew = holders.size === 0;
      const old = holders.get(source);
      holders.set(source, announcement);
      this.#byPrefix.set(prefix, holders);
      if (isNew) this.speaker.originate({ prefix });
      else if (old === undefined || rulesText(old) !== rulesText(announcement)) this.#needsRefresh = true;
    }
  }

  get sources(): readonly string[] {
    return [...this.#bySource.keys()];
  }

  /** Brings neighbors and policies in line, after the announcements: a new session starts with the full set. */
  settle(): void {
    const wanted = new Map(this.#desired.peers.map((peer) => [peer.address.text, peer]));
    for (const [address, config] of [...this.#configs]) {
      const next = wanted.get(address);
      if (next !== undefined && next.remoteAs === config.remoteAs) continue;
      this.speaker.removePeer(config.address);
      this.#configs.delete(address);
    }
    for (const [address, next] of wanted) {
      const { name: _, ...config } = next;
      const old = this.#configs.get(address);
      if (old === undefined) this.speaker.addPeer(config);
      else if (peerText(old) !== peerText(config)) this.speaker.updatePeer(config);
      this.#configs.set(address, config);
    }
    if (this.#needsRefresh) this.speaker.refreshPolicies();
    this.#needsRefresh = false;
  }

  /** Rules in force, for `cilium-dbg bgp route-policies`. */
  get policies(): readonly { readonly peer: string; readonly prefix: Prefix; readonly rule: PeerRule }[] {
    return [...this.#byPrefix].flatMap(([prefix, holders]) =>
      [...holders.values()].flatMap(({ rules }) => [...rules].flatMap(([peer, own]) => own.map((rule) => ({ peer, prefix, rule })))),
    );
  }

  /**
   * Communities of all rules together, the highest local preference; LOCAL_PREF goes to internal peers only. In v2 a policy that matches
   * ends the search (it accepts), so that only rules of one name meet; those of v1 leave the decision to the next.
   */
  #export(path: Parameters<RoutePolicy>[0], peer: BgpPeer): { readonly attributes: PathAttributes } | undefined {
    const holders = this.#byPrefix.get(path.prefix);
    const standard = this.#desired.exportsByDefault || !this.#hasDefault ? { attributes: path.attributes } : undefined;
    if (holders === undefined) return standard;
    const found = [...holders.values()].flatMap(({ rules: byPeer }) => byPeer.get(peer.config.address.text) ?? []);
    const rules = this.#desired.exportsByDefault ? found : found.filter(({ policyName }) => policyName === found[0]?.policyName);
    if (rules.length === 0) return standard;
    const communities = [...new Set(rules.flatMap((rule) => rule.communities))];
    const large = new Map(rules.flatMap((rule) => rule.largeCommunities).map((value) => [value.join(':'), value]));
    const preferences = rules.map(({ localPref }) => localPref).filter((value) => value !== undefined);
    return {
      attributes: {
        ...path.attributes,
        ...(communities.length > 0 ? { communities } : {}),
        ...(large.size > 0 ? { largeCommunities: [...large.values()] } : {}),
        ...(preferences.length > 0 && !peer.isExternal ? { localPref: Math.max(...preferences) } : {}),
      },
    };
  }
}
