import { expect, it } from 'vitest';
import { ip } from '../../net/address.ts';
import type { BgpPeerState } from '../types.ts';
import { formatAgentPeers, formatClusterPeers } from './bgp-peers.ts';
import { formatTabs } from './tab-writer.ts';

it('sets columns block by block: a line without a cell ends its column', () => {
  const text = formatTabs(
    [
      ['Deployment', 'web', 'x'],
      ['', 'a-long-name', 'y'],
      ['Pods:', '5/5'],
      ['Version:', 'z', 'w'],
    ],
    { minWidth: 0, padding: 4 },
  );
  expect(text).toBe('Deployment    web            x\n              a-long-name    y\nPods:         5/5\nVersion:      z    w\n');
});

const peer = (address: string, families: BgpPeerState['families'], changes: Partial<BgpPeerState> = {}): BgpPeerState => ({
  localAsn: 64496,
  peerAsn: 64500,
  peerAddress: ip(address),
  peerPort: 179,
  sessionState: 'established',
  uptimeMs: 39_723_400,
  connectRetryTimeSeconds: 120,
  configuredHoldTimeSeconds: 90,
  configuredKeepAliveTimeSeconds: 30,
  appliedHoldTimeSeconds: 90,
  appliedKeepAliveTimeSeconds: 30,
  ebgpMultihopTtl: 1,
  hasPassword: false,
  gracefulRestart: undefined,
  families,
  ...changes,
});
const both = [
  { afi: 'ipv4', safi: 'unicast', received: 3, accepted: 0, advertised: 1 },
  { afi: 'ipv6', safi: 'unicast', received: 3, accepted: 0, advertised: 1 },
];

it('prints peers of a cluster with blanks behind each row and none behind the header', () => {
  const text = formatClusterPeers([
    {
      nodeName: 'node-a',
      peers: [
        peer('2001:db8:0:1::1', both),
        peer('2001:db8:0:2::1', both.slice(0, 1), { sessionState: 'active', uptimeMs: 0, peerAsn: 64511 }),
      ],
    },
    { nodeName: 'node-b', peers: [] },
  ]);
  expect(text.split('\n')).toEqual([
    'Node     Local AS   Peer AS   Peer Address      Session State   Uptime    Family         Received   Advertised',
    'node-a   64496      64500     2001:db8:0:1::1   established     11h2m3s   ipv4/unicast   3          1    ',
    '                                                                          ipv6/unicast   3          1    ',
    '         64496      64511     2001:db8:0:2::1   active          0s        ipv4/unicast   3          1    ',
    '',
  ]);
});

it('prints only the header when no node has a peer', () => {
  expect(formatClusterPeers([{ nodeName: 'node-a', peers: [] }])).toBe(
    'Node   Local AS   Peer AS   Peer Address   Session State   Uptime   Family   Received   Advertised\n',
  );
});

it('prints peers of an agent with the port and without blanks at the end', () => {
  expect(formatAgentPeers([peer('192.0.2.1', both.slice(0, 1))])).toBe(
    'Local AS   Peer AS   Peer Address    Session       Uptime    Family         Received   Advertised\n64496      64500     192.0.2.1:179   established   11h2m3s   ipv4/unicast   3          1\n',
  );
});
