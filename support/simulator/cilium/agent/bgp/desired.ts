import type { PeerConfig } from '../../../bgp/types.ts';
import type { Service } from '../../../kubernetes/objects.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import type { AddressType } from './announcements.ts';
import type { ExportPolicy } from './route-policies.ts';

/** What a peer's policy adds to the paths that it lets through. */
export interface PeerRule {
  /** As `cilium-dbg bgp route-policies` names it. */
  readonly policyName: string;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly (readonly [number, number, number])[];
  readonly localPref: number | undefined;
}

/** A prefix that a virtual router originates, with what holds for single peers (by address). */
export interface Announcement {
  readonly prefix: Prefix;
  readonly rules: ReadonlyMap<string, readonly PeerRule[]>;
}

/** What decides which addresses of a service are announced, besides the service. */
export interface ServiceSurroundings {
  readonly hasLocalBackend: boolean;
  readonly pools: () => readonly LoadBalancerIpPool[];
}

/** One BGP speaker as the resources want it: a virtual router (v1) or an instance (v2). */
export interface DesiredInstance {
  readonly name: string;
  readonly localAsn: number;
  readonly routerId: Ip;
  readonly listenPort: number | undefined;
  readonly peers: readonly (PeerConfig & { readonly name: string })[];
  /** The peers could not be made out: those that run go on. */
  readonly keepsPeers?: boolean;
  /** What a peer gets that no rule names: everything (v1), or nothing (v2). */
  readonly exportsByDefault: boolean;
  /** Kinds of service addresses that it announces, of services that it selects. */
  readonly addressTypes: ReadonlySet<AddressType>;
  podCidrs(): readonly Announcement[];
  /** Its export policies as the agent lists them (v1; in v2 they follow from the announcements). */
  exportPolicies?(pools: readonly LoadBalancerIpPool[]): readonly ExportPolicy[];
  service(service: Service, surroundings: ServiceSurroundings): readonly Announcement[];
}

/** The instances of a node, and what is wrong with the resources. `keeps`: what ran so far goes on. */
export interface DesiredState {
  readonly source: 'v1' | 'v2' | 'none';
  readonly instances: readonly DesiredInstance[];
  readonly problems: readonly {
    readonly message: string;
    readonly fields: Readonly<Record<string, string>>;
    /** The instance that could not be planned: if it runs, it goes on as it is. */
    readonly instance?: string;
  }[];
  readonly keeps: boolean;
  /** Instances of a NodeConfig end all the same: they are cleaned up before the policy is looked at. */
  readonly endsV2?: boolean;
  /** `false`: instances that are not among these go on. */
  readonly withdraws?: boolean;
  /** Whether routes or addresses of the node's interfaces decide something. */
  readonly usesDevices?: boolean;
}
