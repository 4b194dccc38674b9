import { describe, expect, it } from 'vitest';
import type { BgpPeer } from '../../../bgp/types.ts';
import { ip } from '../../../net/address.ts';
import { formatClusterPeers } from '../../cli/bgp-peers.ts';
import { formatAttributes, parseRouteQuery, routeRows } from '../../cli/bgp-routes.ts';
import { ciliumNamespace, resources } from '../../objects.ts';
import { type AgentTestbed, createAgentTestbed } from '../testbed.ts';
import { type BgpControlPlane, createBgpControlPlane } from './control-plane.ts';

const apiVersion = 'cilium.io/v2alpha1';

function setUp(options: Parameters<typeof createAgentTestbed>[0] = {}) {
  const bed = createAgentTestbed({ nodeNames: ['node-a'], ...options });
  for (const [index, { name }] of bed.nodes.entries()) addRouterPeer(bed, index + 1, name);
  const planes = new Map(bed.nodes.map(({ name }) => [name, createBgpControlPlane(bed.context(name))]));
  for (const plane of planes.values()) plane.start();
  return { ...bed, planes, plane: planes.get('node-a') as BgpControlPlane };
}

function addRouterPeer({ speaker }: AgentTestbed, index: number, description: string): BgpPeer {
  return speaker.addPeer({
    address: ip(`2001:db8:0:${index}::2`),
    remoteAs: 'external',
    port: 179,
    families: ['ipv4-unicast', 'ipv6-unicast'],
    holdTimeSeconds: 180,
    keepaliveSeconds: 60,
    connectRetrySeconds: 120,
    multihopTtl: 1,
    description,
  });
}

const policy = (
  name: string,
  index: number,
  localASN: number,
  router: Readonly<Record<string, unknown>> = {},
  neighbor: Readonly<Record<string, unknown>> = {},
) => ({
  apiVersion,
  kind: 'CiliumBGPPeeringPolicy',
  metadata: { name },
  spec: {
    nodeSelector: { matchLabels: { 'kubernetes.io/hostname': name } },
    virtualRouters: [
      { localASN, exportPodCIDR: true, neighbors: [{ peerAddress: `2001:db8:0:${index}::1/128`, peerASN: 64500, ...neighbor }], ...router },
    ],
  },
});

const loadBalancer = (
  name: string,
  labels: Readonly<Record<string, string>>,
  ingress: readonly string[],
  spec: Readonly<Record<string, unknown>> = {},
) => ({
  object: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', labels },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
  },
  status: { status: { loadBalancer: { ingress: ingress.map((address) => ({ ip: address })) } } },
});

function addService({ api }: AgentTestbed, { object, status }: ReturnType<typeof loadBalancer>): void {
  api.create(object);
  api.patch('services', object.metadata.name, 'default', status, { subresource: 'status' });
}

/** Prefixes that the router has learnt. */
const learnt = ({ speaker }: AgentTestbed) =>
  [...speaker.locRib('ipv4-unicast'), ...speaker.locRib('ipv6-unicast')]
    .filter(({ best }) => best !== undefined)
    .map(({ prefix }) => prefix.text);
const state = (plane: BgpControlPlane) => plane.peers().map((peer) => `${peer.localAsn} ${peer.peerAsn} ${peer.sessionState}`);

describe('peering policies', () => {
  it('bring the session up after the first dial and announce the pod CIDRs', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496));
    bed.clock.advance(4_000);
    expect(state(bed.plane)).toEqual(['64496 64500 active']);
    bed.clock.advance(10_000);
    expect(learnt(bed)).toEqual(['203.0.113.16/28', '2001:db8:f:1::/64']);
    const [peer] = bed.plane.peers();
    expect({ ...peer, uptimeMs: 0, peerAddress: peer?.peerAddress.text }).toEqual({
      localAsn: 64496,
      peerAsn: 64500,
      peerAddress: '2001:db8:0:1::1',
      peerPort: 179,
      sessionState: 'established',
      uptimeMs: 0,
      connectRetryTimeSeconds: 120,
      configuredHoldTimeSeconds: 90,
      configuredKeepAliveTimeSeconds: 30,
      appliedHoldTimeSeconds: 90,
      appliedKeepAliveTimeSeconds: 30,
      ebgpMultihopTtl: 1,
      hasPassword: false,
      gracefulRestart: undefined,
      families: [
        { afi: 'ipv4', safi: 'unicast', received: 1, accepted: 0, advertised: 1 },
        { afi: 'ipv6', safi: 'unicast', received: 1, accepted: 0, advertised: 1 },
      ],
    });
  });

  it('let every node count what the router knows, own prefixes included', () => {
    const bed = setUp({ nodeNames: ['node-a', 'node-b', 'node-c'] });
    for (const [index, { name }] of bed.nodes.entries()) bed.api.create(policy(name, index + 1, 64496 + index));
    bed.clock.advance(20_000);
    const text = formatClusterPeers(
      [...bed.planes].map(([nodeName, plane]) => ({ nodeName, peers: plane.peers().map((peer) => ({ ...peer, uptimeMs: 61_000 })) })),
    );
    expect(text.split('\n')).toEqual([
      'Node     Local AS   Peer AS   Peer Address      Session State   Uptime   Family         Received   Advertised',
      'node-a   64496      64500     2001:db8:0:1::1   established     1m1s     ipv4/unicast   3          1    ',
      '                                                                         ipv6/unicast   3          1    ',
      'node-b   64497      64500     2001:db8:0:2::1   established     1m1s     ipv4/unicast   3          1    ',
      '                                                                         ipv6/unicast   3          1    ',
      'node-c   64498      64500     2001:db8:0:3::1   established     1m1s     ipv4/unicast   3          1    ',
      '                                                                         ipv6/unicast   3          1    ',
      '',
    ]);
  });

  it('announce a service once it has the label and an address, and withdraw it with the label', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496, { serviceSelector: { matchLabels: { announce: 'yes' } } }));
    addService(bed, loadBalancer('web', {}, ['198.51.100.1', '2001:db8:1::']));
    bed.clock.advance(20_000);
    const before = learnt(bed);
    bed.api.patch('services', 'web', 'default', { metadata: { labels: { announce: 'yes' } } });
    bed.clock.advance(2_000);
    expect(learnt(bed).filter((prefix) => !before.includes(prefix))).toEqual(['198.51.100.1/32', '2001:db8:1::/128']);
    bed.api.patch('services', 'web', 'default', { metadata: { labels: { announce: null } } });
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual(before);
  });

  it('keep an address that two services have until both are gone', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496, { exportPodCIDR: false, serviceSelector: {} }));
    addService(bed, loadBalancer('one', {}, ['198.51.100.1']));
    addService(bed, loadBalancer('two', {}, ['198.51.100.1']));
    bed.clock.advance(20_000);
    bed.api.delete('services', 'one', 'default');
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual(['198.51.100.1/32']);
    bed.api.delete('services', 'two', 'default');
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual([]);
  });

  it('announce a service with traffic policy Local only while a backend is on the node', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496, { exportPodCIDR: false, serviceSelector: {} }));
    addService(bed, loadBalancer('web', {}, ['198.51.100.1'], { externalTrafficPolicy: 'Local' }));
    bed.clock.advance(20_000);
    expect(learnt(bed)).toEqual([]);
    const slice = (nodeName: string) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `web-${nodeName}`, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['203.0.113.20'], nodeName, conditions: { ready: true } }],
      ports: [],
    });
    bed.api.create(slice('node-b'));
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual([]);
    bed.api.create(slice('node-a'));
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual(['198.51.100.1/32']);
    bed.api.delete(resources.endpointSlice, 'web-node-a', 'default');
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual([]);
  });

  it('close the session when no policy matches any more', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496));
    bed.clock.advance(20_000);
    bed.api.delete(resources.bgpPeeringPolicy, 'node-a');
    bed.clock.advance(1_000);
    expect([state(bed.plane), learnt(bed)]).toEqual([[], []]);
  });

  it('keep the session when a second policy matches, and say why nothing changes any more', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496));
    bed.clock.advance(20_000);
    bed.api.create({ ...policy('node-a', 1, 64499), metadata: { name: 'other' } });
    bed.clock.advance(1_000);
    expect(state(bed.plane)).toEqual(['64496 64500 established']);
    expect(bed.logs.slice(-2)).toEqual([
      expect.stringContaining('bgp peering policy selection failed'),
      expect.stringContaining('Encountered error during reconciliation'),
    ]);
    bed.api.delete(resources.bgpPeeringPolicy, 'node-a');
    bed.clock.advance(1_000);
    expect(state(bed.plane).map((line) => line.split(' ')[0])).toEqual(['64499']);
  });

  it('stay down with a wrong peer ASN, which the table shows', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496, {}, { peerASN: 64511 }));
    bed.clock.advance(60_000);
    expect(state(bed.plane)[0]).toMatch(/^64496 64511 (idle|active|open_sent)$/);
    bed.api.patch(resources.bgpPeeringPolicy, 'node-a', undefined, policy('node-a', 1, 64496));
    bed.clock.advance(30_000);
    expect(state(bed.plane)).toEqual(['64496 64500 established']);
  });

  it('follow the annotation of the node for router id and port', () => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496));
    bed.api.patch('nodes', 'node-a', undefined, {
      metadata: { annotations: { 'cilium.io/bgp-virtual-router.64496': 'router-id=192.0.2.77,local-port=179' } },
    });
    bed.api.patch(resources.node, 'node-a', undefined, {
      metadata: { annotations: { 'cilium.io/bgp-virtual-router.64496': 'router-id=192.0.2.77,local-port=179' } },
    });
    bed.clock.advance(20_000);
    expect(bed.speaker.findPeer(ip('2001:db8:0:1::2'))?.remoteRouterId?.text).toBe('192.0.2.77');
    expect(bed.nodes[0]?.namespace.sockets.listening.map(({ port }) => port)).toContain(179);
  });

  it('add the attributes of a rule to what that peer gets', () => {
    const bed = setUp();
    const rule = { selectorType: 'PodCIDR', communities: { standard: ['64496:7'], wellKnown: ['no-export'] } };
    bed.api.create(policy('node-a', 1, 64496, {}, { advertisedPathAttributes: [rule] }));
    bed.clock.advance(20_000);
    expect(bed.speaker.lookup(bed.speaker.locRib('ipv4-unicast')[0]?.prefix as never)?.best?.attributes.communities).toEqual([
      64496 * 65536 + 7,
      0xffffff01,
    ]);
  });
});

describe('routes', () => {
  const rows = (bed: ReturnType<typeof setUp>, ...words: readonly string[]) => {
    const query = parseRouteQuery(words);
    if ('problem' in query) return [query.problem];
    const found = routeRows(bed.plane, query, bed.clock.now());
    return 'problem' in found ? [found.problem] : found.map((row) => `${row.neighbor ?? '-'} ${row.prefix.text} ${formatAttributes(row)}`);
  };

  it.each<[readonly string[], readonly string[]]>([
    [[], ['- 203.0.113.16/28 [{Origin: i} {Nexthop: 0.0.0.0}]']],
    [
      ['available', 'ipv6', 'unicast'],
      ['- 2001:db8:f:1::/64 [{Origin: i} {MpReach(ipv6-unicast): {Nexthop: ::, NLRIs: [2001:db8:f:1::/64]}}]'],
    ],
    [
      ['advertised', 'ipv4', 'unicast', 'peer', '2001:db8:0:1::1'],
      [
        '2001:db8:0:1::1 203.0.113.16/28 [{Origin: i} {AsPath: 64496} {MpReach(ipv4-unicast): {Nexthop: 2001:db8:0:1::2, NLRIs: [203.0.113.16/28]}}]',
      ],
    ],
    [['learnt'], ['invalid argument: `learnt`, expected `available` / `advertised`']],
    [['available', 'ipx'], ['unknown AFI `ipx`']],
    [['available', 'ipv4', 'anycast'], ['unknown SAFI `anycast`']],
    [['available', 'ipv4', 'unicast', 'vrouter'], ['missing vrouter ASN value']],
    [['available', 'ipv4', 'unicast', 'vrouter', '64511'], ['virtual router with ASN 64511 does not exist']],
    [['advertised', 'ipv4', 'unicast', 'peer'], ['missing peer IP address']],
  ])('%j', (words, expected) => {
    const bed = setUp();
    bed.api.create(policy('node-a', 1, 64496));
    bed.clock.advance(20_000);
    expect(rows(bed, ...words)).toEqual(expected);
  });
});

describe('the resources of the newer design', () => {
  const nodeConfig = {
    apiVersion,
    kind: 'CiliumBGPNodeConfig',
    metadata: { name: 'node-a' },
    spec: {
      bgpInstances: [
        {
          name: 'one',
          localASN: 64497,
          peers: [{ name: 'tor', peerAddress: '2001:db8:0:1::1', peerASN: 64500, peerConfigRef: { name: 'cfg' } }],
        },
      ],
    },
  };
  const peerConfig = {
    apiVersion,
    kind: 'CiliumBGPPeerConfig',
    metadata: { name: 'cfg' },
    spec: {
      families: [
        { afi: 'ipv6', safi: 'unicast', advertisements: { matchLabels: { advertise: 'bgp' } } },
        { afi: 'ipv4', safi: 'unicast' },
      ],
    },
  };
  const advertisement = {
    apiVersion,
    kind: 'CiliumBGPAdvertisement',
    metadata: { name: 'pods', labels: { advertise: 'bgp' } },
    spec: { advertisements: [{ advertisementType: 'PodCIDR' }] },
  };

  it('announce only what an advertisement of the family names, and report the session', () => {
    const bed = setUp({ version: '1.17.0' });
    for (const object of [nodeConfig, peerConfig, advertisement]) bed.api.create(object);
    bed.clock.advance(20_000);
    expect([state(bed.plane), learnt(bed)]).toEqual([['64497 64500 established'], ['2001:db8:f:1::/64']]);
    expect(bed.plane.peers()[0]?.families.map(({ afi, advertised }) => `${afi} ${advertised}`)).toEqual(['ipv6 1', 'ipv4 0']);
    const status = bed.api.get(resources.bgpNodeConfig, 'node-a')?.['status'] as { bgpInstances: { peers: { peeringState: string }[] }[] };
    expect(status.bgpInstances[0]?.peers[0]?.peeringState).toBe('established');
    bed.api.patch(resources.bgpAdvertisement, 'pods', undefined, { metadata: { labels: { advertise: 'no' } } });
    bed.clock.advance(2_000);
    expect(learnt(bed)).toEqual([]);
  });

  it('wait behind a peering policy', () => {
    const bed = setUp();
    for (const object of [nodeConfig, peerConfig, advertisement, policy('node-a', 1, 64496)]) bed.api.create(object);
    bed.clock.advance(20_000);
    expect(state(bed.plane)).toEqual(['64496 64500 established']);
    bed.api.delete(resources.bgpPeeringPolicy, 'node-a');
    bed.clock.advance(30_000);
    expect(state(bed.plane)).toEqual(['64497 64500 established']);
  });

  it('leave a peer out whose configuration is missing, until it comes', () => {
    const bed = setUp();
    bed.api.create(nodeConfig);
    bed.clock.advance(20_000);
    expect(state(bed.plane)).toEqual([]);
    bed.api.create(peerConfig);
    bed.clock.advance(20_000);
    expect(state(bed.plane)).toEqual(['64497 64500 established']);
  });
});

it('is dropped by its peer after the hold time while its node is frozen, and comes back', () => {
  const bed = setUp();
  bed.api.create(policy('node-a', 1, 64496));
  bed.clock.advance(20_000);
  bed.setFrozen('node-a', true);
  bed.clock.advance(60_000);
  expect(learnt(bed)).toEqual(['203.0.113.16/28', '2001:db8:f:1::/64']);
  bed.clock.advance(40_000);
  expect(learnt(bed)).toEqual([]);
  bed.setFrozen('node-a', false);
  bed.clock.advance(20_000);
  expect([state(bed.plane), learnt(bed)]).toEqual([['64496 64500 established'], ['203.0.113.16/28', '2001:db8:f:1::/64']]);
});

it('takes the password from the secret', () => {
  const bed = setUp();
  bed.api.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'md5', namespace: ciliumNamespace },
    data: { password: btoa('swordfish') },
  });
  bed.api.create(policy('node-a', 1, 64496, {}, { authSecretRef: 'md5' }));
  bed.clock.advance(20_000);
  expect([state(bed.plane), bed.plane.peers()[0]?.hasPassword]).toEqual([['64496 64500 active'], true]);
});
