import { contains } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import { isRemoteNodeIdentity } from './identity.ts';

export type MasqueradeDecision =
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'keep'; readonly reason: 'disabled' | 'not-a-pod' | 'native-routing-cidr' | 'remote-node' | 'cluster' | 'reply' };

/**
 * Whether a packet that leaves through a native device takes the node's address (Cilium 1.16 documentation,
 * "Masquerading", and the order of checks in its NAT code): the destination's CIDR is looked at before anything else.
 */
export function decideMasquerade(packet: {
  readonly destination: Ip;
  readonly isEnabled: boolean;
  /** `ipv4-native-routing-cidr`, or the node's own pod CIDR when it is not set. */
  readonly exclusion: Prefix | undefined;
  readonly isFromLocalPod: boolean;
  readonly destinationIdentity: number;
  readonly isReply: boolean;
  readonly isTunnelMode: boolean;
}): MasqueradeDecision {
  if (!packet.isEnabled) return { kind: 'keep', reason: 'disabled' };
  if (packet.exclusion !== undefined && contains(packet.exclusion, packet.destination))
    return { kind: 'keep', reason: 'native-routing-cidr' };
  if (!packet.isFromLocalPod) return { kind: 'keep', reason: 'not-a-pod' };
  if (!packet.isTunnelMode && isRemoteNodeIdentity(packet.destinationIdentity)) return { kind: 'keep', reason: 'remote-node' };
  if (packet.isReply) return { kind: 'keep', reason: 'reply' };
  return { kind: 'masquerade' };
}
