import { describe, expect, it } from 'vitest';
import type { EndpointSlice, Service } from '../../../kubernetes/objects.ts';
import { ip } from '../../../net/address.ts';
import type { CiliumNode } from '../../objects.ts';
import { parseVersion } from '../../version.ts';
import { type AddressType, hasLocalBackend, serviceAddresses } from './announcements.ts';
import { formatCommunity, parseCommunities } from './communities.ts';
import type { DesiredState } from './desired.ts';
import { type BgpAdvertisement, type BgpPeerConfigObject, type NodeConfigView, planNodeConfig } from './node-config.ts';
import { type Neighbor, type NodeView, type PeeringPolicy, planPolicies, type VirtualRouter } from './peering-policy.ts';
import { parseRouterAnnotation, resolveRouterId } from './router-id.ts';

const meta = { uid: '1', resourceVersion: '1', creationTimestamp: '2024-01-01T00:00:00Z' };
const node = (changes: { annotations?: Record<string, string>; addresses?: readonly { type: string; ip: string }[] } = {}): CiliumNode => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNode',
  metadata: { ...meta, name: 'node-a', labels: { 'kubernetes.io/hostname': 'node-a' }, annotations: changes.annotations ?? {} },
  spec: {
    addresses: changes.addresses ?? [
      { type: 'InternalIP', ip: '192.0.2.2' },
      { type: 'InternalIP', ip: '2001:db8::2' },
    ],
    ipam: { podCIDRs: ['203.0.113.0/28', '2001:db8:f::/64'] },
  },
});
const view = (own: CiliumNode = node(), ipam = 'kubernetes'): NodeView => ({
  node: own,
  ipam,
  podPools: () => [],
  password: (name) => (name === 'there' ? 'secret' : undefined),
});
const neighbor = (changes: Partial<Neighbor> = {}): Neighbor => ({ peerAddress: '2001:db8:0:1::1/128', peerASN: 64500, ...changes });
const router = (changes: Partial<VirtualRouter> = {}): VirtualRouter => ({ localASN: 64496, neighbors: [neighbor()], ...changes });
const policy = (name: string, routers: readonly VirtualRouter[], hostname = 'node-a'): PeeringPolicy => ({
  apiVersion: 'cilium.io/v2alpha1',
  kind: 'CiliumBGPPeeringPolicy',
  metadata: { ...meta, name },
  spec: { nodeSelector: { matchLabels: { 'kubernetes.io/hostname': hostname } }, virtualRouters: routers },
});
const service = (
  spec: Partial<Service['spec']> = {},
  labels: Record<string, string> = {},
  ingress = ['198.51.100.1', '2001:db8:1::'],
): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...meta, name: 'web', namespace: 'default', labels },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '192.0.2.200',
    clusterIPs: ['192.0.2.200', '2001:db8:e::1'],
    externalIPs: ['198.51.100.9'],
    ...spec,
  },
  status: { loadBalancer: { ingress: ingress.map((address) => ({ ip: address })) } },
});
const around = { hasLocalBackend: false, pools: () => [] };
const prefixes = (state: DesiredState | undefined, of: Service) =>
  state?.instances.flatMap((instance) => instance.service(of, around).map(({ prefix }) => prefix.text));

describe('peering policies of a node', () => {
  it('gives nothing when none matches', () => {
    expect(planPolicies([policy('b', [router()], 'node-b')], view())).toBeUndefined();
  });

  it('keeps what ran when two match', () => {
    const state = planPolicies([policy('a', [router()]), policy('b', [router()])], view());
    expect({ instances: state?.instances, keeps: state?.keeps, error: state?.problems[0]?.fields.error }).toEqual({
      instances: [],
      keeps: true,
      error: "more then one CiliumBGPPeeringPolicy applies to this node, please ensure only a single Policy matches this node's labels",
    });
  });

  it('refuses a keepalive above the hold time and keeps what ran', () => {
    const state = planPolicies(
      [policy('a', [router({ neighbors: [neighbor({ holdTimeSeconds: 9, keepAliveTimeSeconds: 30 })] })])],
      view(),
    );
    expect({ keeps: state?.keeps, error: state?.problems[0]?.fields.error }).toEqual({
      keeps: true,
      error: 'invalid BGP peering policy a: KeepAliveTimeSeconds larger than HoldTimeSeconds for peer ASN:64500 IP:2001:db8:0:1::1/128',
    });
  });

  it('reads a neighbor with the defaults of the agent', () => {
    expect(planPolicies([policy('a', [router()])], view())?.instances[0]?.peers).toEqual([
      {
        name: '2001:db8:0:1::1/128',
        address: ip('2001:db8:0:1::1'),
        remoteAs: 64500,
        port: 179,
        families: ['ipv4-unicast', 'ipv6-unicast'],
        holdTimeSeconds: 90,
        keepaliveSeconds: 30,
        connectRetrySeconds: 120,
        multihopTtl: 1,
        extendedNextHop: true,
      },
    ]);
  });

  it.each<{ name: string; given: Partial<Neighbor>; expected: Readonly<Record<string, unknown>> }>([
    { name: 'a wrong mask is harmless', given: { peerAddress: '192.0.2.1/24' }, expected: { address: ip('192.0.2.1') } },
    { name: 'a secret that is there', given: { authSecretRef: 'there' }, expected: { password: 'secret' } },
    { name: 'graceful restart', given: { gracefulRestart: { enabled: true } }, expected: { gracefulRestart: { restartTimeSeconds: 120 } } },
    {
      name: 'families in the order given, others left out',
      given: {
        families: [
          { afi: 'ipv6', safi: 'unicast' },
          { afi: 'l2vpn', safi: 'evpn' },
          { afi: 'ipv4', safi: 'unicast' },
        ],
      },
      expected: { families: ['ipv6-unicast', 'ipv4-unicast'] },
    },
    { name: 'port and hops', given: { peerPort: 1790, eBGPMultihopTTL: 4 }, expected: { port: 1790, multihopTtl: 4 } },
  ])('$name', ({ given, expected }) => {
    expect(planPolicies([policy('a', [router({ neighbors: [neighbor(given)] })])], view())?.instances[0]?.peers[0]).toMatchObject(expected);
  });

  it.each<{ name: string; ipam?: string; exportPodCIDR: boolean; expected: readonly string[] }>([
    { name: 'both families with exportPodCIDR', exportPodCIDR: true, expected: ['203.0.113.0/28', '2001:db8:f::/64'] },
    { name: 'none without', exportPodCIDR: false, expected: [] },
    { name: 'none with another IPAM', ipam: 'multi-pool', exportPodCIDR: true, expected: [] },
  ])('pod CIDRs: $name', ({ ipam, exportPodCIDR, expected }) => {
    expect(
      planPolicies([policy('a', [router({ exportPodCIDR })])], view(node(), ipam))
        ?.instances[0]?.podCidrs()
        .map(({ prefix }) => prefix.text),
    ).toEqual(expected);
  });

  it.each<{ name: string; router: Partial<VirtualRouter>; labels?: Record<string, string>; expected: readonly string[] }>([
    { name: 'no selector, no service', router: {}, expected: [] },
    { name: 'an empty selector takes all', router: { serviceSelector: {} }, expected: ['198.51.100.1/32', '2001:db8:1::/128'] },
    {
      name: 'the idiom for all',
      router: { serviceSelector: { matchExpressions: [{ key: 'somekey', operator: 'NotIn', values: ['never-used-value'] }] } },
      expected: ['198.51.100.1/32', '2001:db8:1::/128'],
    },
    { name: 'a label that is missing', router: { serviceSelector: { matchLabels: { announce: 'yes' } } }, expected: [] },
    {
      name: 'a label that is there',
      router: { serviceSelector: { matchLabels: { announce: 'yes' } } },
      labels: { announce: 'yes' },
      expected: ['198.51.100.1/32', '2001:db8:1::/128'],
    },
    {
      name: 'the filled-in namespace',
      router: { serviceSelector: { matchLabels: { 'io.kubernetes.service.namespace': 'default' } }, serviceAdvertisements: ['ClusterIP'] },
      expected: ['192.0.2.200/32', '2001:db8:e::1/128'],
    },
    {
      name: 'all kinds',
      router: { serviceSelector: {}, serviceAdvertisements: ['ExternalIP', 'LoadBalancerIP'] },
      expected: ['198.51.100.9/32', '198.51.100.1/32', '2001:db8:1::/128'],
    },
  ])('services: $name', ({ router: changes, labels, expected }) => {
    expect(prefixes(planPolicies([policy('a', [router(changes)])], view()), service({}, labels))).toEqual(expected);
  });

  it('adds communities to addresses of a pool that is selected', () => {
    const pool = {
      apiVersion: 'cilium.io/v2alpha1',
      kind: 'CiliumLoadBalancerIPPool',
      metadata: { ...meta, name: 'p', labels: { tier: 'one' } },
      spec: { blocks: [{ cidr: '198.51.100.0/28' }] },
    };
    const spec = {
      selectorType: 'CiliumLoadBalancerIPPool' as const,
      selector: { matchLabels: { tier: 'one' } },
      communities: { standard: ['64500:99'] },
      localPreference: 150,
    };
    const state = planPolicies(
      [policy('a', [router({ serviceSelector: {}, neighbors: [neighbor({ advertisedPathAttributes: [spec] })] })])],
      view(),
    );
    const rules = state?.instances[0]
      ?.service(service(), { ...around, pools: () => [pool] })
      .map(({ prefix, rules: byPeer }) => [prefix.text, byPeer.get('2001:db8:0:1::1')?.[0]?.communities]);
    expect(rules).toEqual([
      ['198.51.100.1/32', [64500 * 65536 + 99]],
      ['2001:db8:1::/128', undefined],
    ]);
  });
});

describe('addresses of a service', () => {
  it.each<{ name: string; type: AddressType; spec?: Partial<Service['spec']>; local?: boolean; expected: readonly string[] }>([
    { name: 'Cluster needs no backend', type: 'LoadBalancerIP', expected: ['198.51.100.1', '2001:db8:1::'] },
    { name: 'Local without a backend', type: 'LoadBalancerIP', spec: { externalTrafficPolicy: 'Local' }, expected: [] },
    {
      name: 'Local with a backend',
      type: 'LoadBalancerIP',
      spec: { externalTrafficPolicy: 'Local' },
      local: true,
      expected: ['198.51.100.1', '2001:db8:1::'],
    },
    {
      name: 'the external policy does not touch cluster addresses',
      type: 'ClusterIP',
      spec: { externalTrafficPolicy: 'Local' },
      expected: ['192.0.2.200', '2001:db8:e::1'],
    },
    { name: 'the internal policy does', type: 'ClusterIP', spec: { internalTrafficPolicy: 'Local' }, expected: [] },
    {
      name: 'the internal policy does not touch external addresses',
      type: 'ExternalIP',
      spec: { internalTrafficPolicy: 'Local' },
      expected: ['198.51.100.9'],
    },
    { name: 'headless', type: 'ClusterIP', spec: { clusterIP: 'None', clusterIPs: ['None'] }, expected: [] },
    { name: 'another type has no load balancer address', type: 'LoadBalancerIP', spec: { type: 'NodePort' }, expected: [] },
    {
      name: 'the BGP class',
      type: 'LoadBalancerIP',
      spec: { loadBalancerClass: 'io.cilium/bgp-control-plane' },
      expected: ['198.51.100.1', '2001:db8:1::'],
    },
    { name: 'the L2 class', type: 'LoadBalancerIP', spec: { loadBalancerClass: 'io.cilium/l2-announcer' }, expected: [] },
  ])('$name', ({ type, spec, local, expected }) => {
    expect(serviceAddresses(service(spec), type, local ?? false).map(({ text }) => text)).toEqual(expected);
  });

  const slice = (endpoints: EndpointSlice['endpoints']): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...meta, name: 'web-1' },
    addressType: 'IPv6',
    endpoints,
    ports: [],
  });
  it.each<[string, EndpointSlice['endpoints'], boolean]>([
    ['on the node', [{ addresses: ['2001:db8:f::5'], nodeName: 'node-a', conditions: { ready: true } }], true],
    ['on another', [{ addresses: ['2001:db8:f::5'], nodeName: 'node-b', conditions: { ready: true } }], false],
    ['ending', [{ addresses: ['2001:db8:f::5'], nodeName: 'node-a', conditions: { ready: true, terminating: true } }], false],
    ['not ready', [{ addresses: ['2001:db8:f::5'], nodeName: 'node-a', conditions: { ready: false } }], false],
  ])('a backend %s', (_, endpoints, expected) => expect(hasLocalBackend([slice(endpoints)], 'node-a')).toBe(expected));
});

describe('router id', () => {
  it.each<[string, string | undefined, unknown]>([
    ['nothing', undefined, {}],
    ['both', 'router-id=192.0.2.9,local-port=179', { routerId: ip('192.0.2.9'), localPort: 179 }],
    ['the last of two', 'local-port=1,local-port=2', { localPort: 2 }],
    ['unknown keys and broken items', 'x=y,local-port,a=b=c', {}],
    [
      'an IPv6 router id',
      'router-id=2001:db8::1',
      {
        problem:
          "unable to parse local node's annotations: annotation cilium.io/bgp-virtual-router.64496 failed to parse attribute router-id:router-id must be a valid IPv4 address",
      },
    ],
    [
      'a port beyond 16 bits with sign',
      'local-port=40000',
      {
        problem:
          "unable to parse local node's annotations: annotation cilium.io/bgp-virtual-router.64496 failed to parse attribute local-port:could not parse into port number as 16bit integer",
      },
    ],
  ])('annotation with %s', (_, text, expected) => {
    expect(parseRouterAnnotation(text === undefined ? {} : { 'cilium.io/bgp-virtual-router.64496': text }, 64496)).toEqual(expected);
  });

  it.each<[string, CiliumNode, unknown]>([
    [
      'InternalIP before ExternalIP',
      node({
        addresses: [
          { type: 'ExternalIP', ip: '198.51.100.1' },
          { type: 'InternalIP', ip: '192.0.2.2' },
        ],
      }),
      ip('192.0.2.2'),
    ],
    [
      'an IPv6-only node',
      node({ addresses: [{ type: 'InternalIP', ip: '2001:db8::2' }] }),
      { problem: 'failed to get ciliumnode IP <nil>: router id not specified by annotation, cannot resolve router id for local ASN 64496' },
    ],
  ])('%s', (_, own, expected) => expect(resolveRouterId(own, {}, 64496)).toEqual(expected));
});

describe('NodeConfig', () => {
  const advertisement = (
    name: string,
    labels: Record<string, string>,
    items: NonNullable<BgpAdvertisement['spec']>['advertisements'],
  ): BgpAdvertisement => ({
    apiVersion: 'cilium.io/v2alpha1',
    kind: 'CiliumBGPAdvertisement',
    metadata: { ...meta, name, labels },
    spec: items === undefined ? {} : { advertisements: items },
  });
  const peerConfig = (spec: NonNullable<BgpPeerConfigObject['spec']>): BgpPeerConfigObject => ({
    apiVersion: 'cilium.io/v2alpha1',
    kind: 'CiliumBGPPeerConfig',
    metadata: { ...meta, name: 'cfg' },
    spec,
  });
  const both = { advertisements: { matchLabels: { advertise: 'bgp' } } };
  const plan = (
    changes: Partial<NodeConfigView> = {},
    peers: readonly Record<string, unknown>[] = [
      { name: 'tor', peerAddress: '2001:db8:0:1::1', peerASN: 64500, peerConfigRef: { name: 'cfg' } },
    ],
  ) =>
    planNodeConfig({
      ...view(),
      nodeConfig: {
        apiVersion: 'cilium.io/v2alpha1',
        kind: 'CiliumBGPNodeConfig',
        metadata: { ...meta, name: 'node-a' },
        spec: { bgpInstances: [{ name: 'one', localASN: 64496, peers: peers as never }] },
      },
      peerConfigs: new Map([
        [
          'cfg',
          peerConfig({
            families: [
              { afi: 'ipv4', safi: 'unicast', ...both },
              { afi: 'ipv6', safi: 'unicast', ...both },
            ],
          }),
        ],
      ]),
      advertisements: [],
      version: parseVersion('1.16.0'),
      defaultGateway: () => undefined,
      interfaceAddresses: () => [],
      secretPassword: () => undefined,
      macRouterId: () => undefined,
      ...changes,
    });
  const announced = (state: DesiredState, of?: Service) =>
    state.instances.flatMap((instance) =>
      (of === undefined ? instance.podCidrs() : instance.service(of, around)).map(({ prefix, rules }) => [
        prefix.text,
        [...rules.values()].flat().map(({ policyName }) => policyName),
      ]),
    );

  it('exports pod CIDRs by an advertisement whose labels match', () => {
    expect(
      announced(
        plan({
          advertisements: [
            advertisement('a', { advertise: 'bgp' }, [{ advertisementType: 'PodCIDR' }]),
            advertisement('b', {}, [{ advertisementType: 'PodCIDR' }]),
          ],
        }),
      ),
    ).toEqual([
      ['203.0.113.0/28', ['tor-ipv4-PodCIDR']],
      ['2001:db8:f::/64', ['tor-ipv6-PodCIDR']],
    ]);
  });

  it.each<{
    name: string;
    labels: Readonly<Record<string, string>>;
    blocks: readonly Record<string, string>[];
    disabled?: boolean;
    out: boolean;
  }>([
    { name: 'a pool with the labels of the service', labels: { app: 'web' }, blocks: [{ cidr: '198.51.100.0/24' }], out: true },
    { name: 'a pool without labels', labels: {}, blocks: [{ cidr: '198.51.100.0/24' }], out: false },
    { name: 'a range', labels: { app: 'web' }, blocks: [{ start: '198.51.100.0', stop: '198.51.100.9' }], out: false },
    { name: 'another pool', labels: { app: 'web' }, blocks: [{ cidr: '203.0.113.0/24' }], out: false },
    { name: 'a disabled pool', labels: { app: 'web' }, blocks: [{ cidr: '198.51.100.0/24' }], disabled: true, out: false },
  ])('asks in 1.16.0 for the pool of an address: $name', ({ labels, blocks, disabled, out }) => {
    const item = { advertisementType: 'Service' as const, service: { addresses: ['LoadBalancerIP' as const] } };
    const state = plan({
      advertisements: [advertisement('a', { advertise: 'bgp' }, [{ ...item, selector: { matchLabels: { app: 'web' } } }])],
    });
    const pool = { metadata: { name: 'blue', labels }, spec: { blocks, ...(disabled === true ? { disabled } : {}) } } as never;
    const [own] = state.instances[0]?.service(service({}, { app: 'web' }), { ...around, pools: () => [pool] }) ?? [];
    expect([own?.prefix.text, [...(own?.rules.values() ?? [])].flat().map(({ policyName }) => policyName)]).toEqual([
      '198.51.100.1/32',
      out ? ['tor-ipv4-blue-'] : [],
    ]);
  });

  it('exports a service only with a selector', () => {
    const version = parseVersion('1.16.1');
    const item = { advertisementType: 'Service' as const, service: { addresses: ['LoadBalancerIP' as const] } };
    const labels = { advertise: 'bgp' };
    expect(announced(plan({ version, advertisements: [advertisement('a', labels, [item])] }), service())).toEqual([]);
    expect(
      announced(
        plan({ version, advertisements: [advertisement('a', labels, [{ ...item, selector: { matchLabels: { app: 'web' } } }])] }),
        service({}, { app: 'web' }),
      ),
    ).toEqual([
      ['198.51.100.1/32', ['tor-ipv4-Service-web-default-LoadBalancerIP']],
      ['2001:db8:1::/128', ['tor-ipv6-Service-web-default-LoadBalancerIP']],
    ]);
  });

  const tor = { name: 'tor', peerAddress: '2001:db8::1', peerASN: 64500 };
  const other = { name: 'b', peerAddress: '2001:db8::2', peerASN: 64500 };
  it.each<{
    name: string;
    peers: readonly Record<string, unknown>[];
    version?: string;
    expected: { readonly peers: readonly string[]; readonly keepsPeers?: boolean; readonly error?: string };
  }>([
    {
      name: 'without an address ends the neighbors of 1.16',
      peers: [{ name: 'tor', peerASN: 64500 }, other],
      expected: { peers: ['b'], keepsPeers: true, error: 'peer tor does not have a PeerAddress' },
    },
    {
      name: 'without an address is skipped since 1.17',
      peers: [{ name: 'tor', peerASN: 64500 }, other],
      version: '1.17.0',
      expected: { peers: ['b'] },
    },
    {
      name: 'without an ASN is a fault',
      peers: [{ name: 'tor', peerAddress: '2001:db8::1' }],
      expected: { peers: [], keepsPeers: true, error: 'peer tor does not have a PeerASN' },
    },
    {
      name: 'with a missing configuration is skipped without a word',
      peers: [{ ...tor, peerConfigRef: { name: 'nope' } }, other],
      expected: { peers: ['b'] },
    },
    {
      name: 'with the address of another is not added',
      peers: [tor, { ...tor, name: 'twin', peerASN: 64501 }, other],
      expected: {
        peers: ['tor', 'b'],
        error:
          "failed to add neigbhor twin in instance one: failed while adding peer 2001:db8::1 with ASN 64501: can't overwrite the existing peer: 2001:db8::1",
      },
    },
    {
      name: 'with a secret that is not there has no password',
      peers: [{ ...tor, peerConfigRef: { name: 'none' } }],
      expected: { peers: ['tor'] },
    },
    {
      name: 'with a secret without a password ends the neighbors',
      peers: [{ ...tor, peerConfigRef: { name: 'empty' } }, other],
      expected: { peers: ['tor', 'b'], keepsPeers: true, error: 'failed to fetch secret "empty": missing password key' },
    },
  ])('a peer $name', ({ peers, version, expected }) => {
    const secrets = (name: string): BgpPeerConfigObject => ({ ...peerConfig({ authSecretRef: name }), metadata: { ...meta, name } });
    const state = plan(
      {
        peerConfigs: new Map([
          ['none', secrets('none')],
          ['empty', secrets('empty')],
        ]),
        secretPassword: (name) => (name === 'empty' ? '' : undefined),
        ...(version === undefined ? {} : { version: parseVersion(version) }),
      },
      peers,
    );
    const instance = state.instances[0];
    const error = state.problems[0]?.fields.error;
    expect({
      peers: instance?.peers.map(({ name }) => name),
      ...(instance?.keepsPeers === true ? { keepsPeers: true } : {}),
      ...(error === undefined ? {} : { error }),
    }).toEqual(expected);
  });
});

it.each<[string, number, string]>([
  ['64500:99', 64500 * 65536 + 99, '64500:99'],
  ['4226023523', 4226023523, '64484:99'],
])('community %s', (text, value, shown) => {
  expect(parseCommunities({ standard: [text] })).toEqual([value]);
  expect(formatCommunity(value)).toBe(shown);
});
it('names well-known communities', () => {
  expect(parseCommunities({ wellKnown: ['no-export', 'blackhole'] }).map(formatCommunity)).toEqual(['blackhole', 'no-export']);
});
