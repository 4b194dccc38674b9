import type { Condition } from '../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector } from '../kubernetes/types.ts';

/** The fields of Cilium's own objects that are read here. Absent means absent in the object; nothing is defaulted. */
export interface CiliumNode extends KubernetesObject {
  readonly spec?: {
    readonly addresses?: readonly { readonly type: string; readonly ip: string }[];
    readonly ipam?: {
      readonly podCIDRs?: readonly string[];
      readonly pools?: { readonly allocated?: readonly PoolAllocation[]; readonly requested?: readonly PoolRequest[] };
    };
    readonly [field: string]: unknown;
  };
}

/** CIDRs of a pod IP pool that a node has. */
export interface PoolAllocation {
  readonly pool: string;
  readonly cidrs?: readonly string[];
}

/** How many addresses of a pod IP pool a node wants. */
export interface PoolRequest {
  readonly pool: string;
  readonly needed?: { readonly 'ipv4-addrs'?: number; readonly 'ipv6-addrs'?: number };
}

interface PodPoolFamily {
  readonly cidrs: readonly string[];
  readonly maskSize: number;
}

export interface PodIpPool extends KubernetesObject {
  readonly spec?: { readonly ipv4?: PodPoolFamily; readonly ipv6?: PodPoolFamily };
}

export interface AddressBlock {
  readonly cidr?: string;
  readonly start?: string;
  readonly stop?: string;
}

export interface LoadBalancerIpPool extends KubernetesObject {
  readonly spec?: {
    readonly blocks?: readonly AddressBlock[];
    readonly serviceSelector?: LabelSelector;
    readonly disabled?: boolean;
    readonly allowFirstLastIPs?: 'Yes' | 'No';
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export interface L2AnnouncementPolicy extends KubernetesObject {
  readonly spec?: {
    readonly serviceSelector?: LabelSelector;
    readonly nodeSelector?: LabelSelector;
    readonly interfaces?: readonly string[];
    readonly externalIPs?: boolean;
    readonly loadBalancerIPs?: boolean;
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export interface CiliumNodeConfig extends KubernetesObject {
  readonly spec?: { readonly defaults?: Readonly<Record<string, string>>; readonly nodeSelector?: LabelSelector };
}

/** Where the chart is installed. */
export const ciliumNamespace = 'kube-system';

/** Resources as {@link ApiClient} names them. */
export const resources = {
  node: 'ciliumnodes.cilium.io',
  endpoint: 'ciliumendpoints.cilium.io',
  identity: 'ciliumidentities.cilium.io',
  pool: 'ciliumloadbalancerippools.cilium.io',
  podPool: 'ciliumpodippools.cilium.io',
  l2Policy: 'ciliuml2announcementpolicies.cilium.io',
  bgpPeeringPolicy: 'ciliumbgppeeringpolicies.cilium.io',
  bgpClusterConfig: 'ciliumbgpclusterconfigs.cilium.io',
  bgpPeerConfig: 'ciliumbgppeerconfigs.cilium.io',
  bgpAdvertisement: 'ciliumbgpadvertisements.cilium.io',
  bgpNodeConfig: 'ciliumbgpnodeconfigs.cilium.io',
  bgpNodeConfigOverride: 'ciliumbgpnodeconfigoverrides.cilium.io',
  nodeConfig: 'ciliumnodeconfigs.cilium.io',
  service: 'services',
  endpointSlice: 'endpointslices.discovery.k8s.io',
  lease: 'leases.coordination.k8s.io',
} as const;
