import { goSeconds } from '../time.ts';
import type { BgpPeerState } from '../types.ts';
import { formatTabs } from './tab-writer.ts';

/** gobgp's and kubectl-like tables of the BGP commands: minimum cell 5, padding 3. */
export const bgpTabs = { minWidth: 5, padding: 3 } as const;

/** Drops what Go's `omitempty` drops. */
const omitEmpty = (entries: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(entries.filter(([, value]) => value !== 0 && value !== '' && value !== false && value !== undefined));

/** One peer in the JSON of `bgp peers -o json` (section 3.3 of the reference). */
export function peerJson(peer: BgpPeerState): Readonly<Record<string, unknown>> {
  const { gracefulRestart } = peer;
  return omitEmpty([
    ['applied-hold-time-seconds', peer.appliedHoldTimeSeconds],
    ['applied-keep-alive-time-seconds', peer.appliedKeepAliveTimeSeconds],
    ['configured-hold-time-seconds', peer.configuredHoldTimeSeconds],
    ['configured-keep-alive-time-seconds', peer.configuredKeepAliveTimeSeconds],
    ['connect-retry-time-seconds', peer.connectRetryTimeSeconds],
    ['ebgp-multihop-ttl', peer.ebgpMultihopTtl],
    [
      'families',
      peer.families.map(({ accepted, advertised, afi, received, safi }) =>
        omitEmpty([
          ['accepted', accepted],
          ['advertised', advertised],
          ['afi', afi],
          ['received', received],
          ['safi', safi],
        ]),
      ),
    ],
    [
      'graceful-restart',
      gracefulRestart === undefined ? {} : { enabled: true, 'restart-time-seconds': gracefulRestart.restartTimeSeconds },
    ],
    ['local-asn', peer.localAsn],
    ['peer-address', peer.peerAddress.text],
    ['peer-asn', peer.peerAsn],
    ['peer-port', peer.peerPort],
    ['session-state', peer.sessionState],
    ['tcp-password-enabled', peer.hasPassword],
    ['uptime-nanoseconds', Math.round(peer.uptimeMs * 1e6)],
  ]);
}

/** `cilium bgp peers`: rows of nodes in order; every data row ends in a tab, the header does not (section 3.2). */
export function formatClusterPeers(nodes: readonly { readonly nodeName: string; readonly peers: readonly BgpPeerState[] }[]): string {
  const lines: string[][] = [
    ['Node', 'Local AS', 'Peer AS', 'Peer Address', 'Session State', 'Uptime', 'Family', 'Received', 'Advertised'],
  ];
  for (const { nodeName, peers } of nodes) {
    let node = nodeName;
    for (const peer of peers) {
      const cells = [node, String(peer.localAsn), String(peer.peerAsn), peer.peerAddress.text, peer.sessionState, goSeconds(peer.uptimeMs)];
      node = '';
      peer.families.forEach(({ afi, safi, received, advertised }, index) => {
        lines.push([...(index === 0 ? cells : cells.map(() => '')), `${afi}/${safi}`, String(received), String(advertised), '']);
      });
    }
  }
  return formatTabs(lines, bgpTabs);
}

/** `cilium-dbg bgp peers`: the port follows the address without brackets, and rows do not end in a tab. */
export function formatAgentPeers(peers: readonly BgpPeerState[]): string {
  const lines: string[][] = [['Local AS', 'Peer AS', 'Peer Address', 'Session', 'Uptime', 'Family', 'Received', 'Advertised']];
  for (const peer of peers) {
    const cells = [
      String(peer.localAsn),
      String(peer.peerAsn),
      `${peer.peerAddress.text}:${peer.peerPort}`,
      peer.sessionState,
      goSeconds(peer.uptimeMs),
    ];
    peer.families.forEach(({ afi, safi, received, advertised }, index) => {
      lines.push([...(index === 0 ? cells : cells.map(() => '')), `${afi}/${safi}`, String(received), String(advertised)]);
    });
  }
  return formatTabs(lines, bgpTabs);
}
