import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../../clock/clock.ts';
import { Random } from '../../../clock/random.ts';
import type { EndpointSlice } from '../../../kubernetes/objects.ts';
import { ip, prefix } from '../../../net/address.ts';
import { createNetwork } from '../../../net/network.ts';
import { type Packet, tcpFlag } from '../../../net/types.ts';
import { Conntrack } from './conntrack.ts';
import { judgeDevice } from './devices.ts';
import { computeEgressEntries, decideEgress, EgressMap, formatEgressList, parseEgressGatewayPolicy } from './egress-gateway.ts';
import { tcpFlagsText } from './flows.ts';
import { identityLabels } from './identity.ts';
import { PodRange } from './ipam.ts';
import { decideMasquerade } from './masquerade.ts';
import { NatTable } from './nat.ts';
import { decidePolicy } from './policy.ts';
import { parseCiliumPolicy } from './policy-cilium.ts';
import { backendsOf } from './services.ts';
import { type Tuple, tupleOf } from './tuple.ts';

describe('identity labels', () => {
  it('are the pod labels that matter, the namespace labels and what Cilium adds', () => {
    const labels = identityLabels({
      namespace: 'shop',
      labels: {
        app: 'web',
        'pod-template-hash': 'abc',
        'app.kubernetes.io/name': 'web',
        'statefulset.kubernetes.io/pod-name': 'web-0',
        'controller-revision-hash': '1',
        'topology.kubernetes.io/zone': 'z',
      },
      namespaceLabels: { 'kubernetes.io/metadata.name': 'shop' },
      serviceAccount: undefined,
      clusterName: 'default',
    });
    expect(labels).toEqual([
      'k8s:app.kubernetes.io/name=web',
      'k8s:app=web',
      'k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop',
      'k8s:io.cilium.k8s.policy.cluster=default',
      'k8s:io.cilium.k8s.policy.serviceaccount=default',
      'k8s:io.kubernetes.pod.namespace=shop',
      'k8s:topology.kubernetes.io/zone=z',
    ]);
  });
});

describe('masquerading', () => {
  const base = {
    destination: ip('198.51.100.9'),
    isEnabled: true,
    exclusion: prefix('203.0.113.0/24'),
    isFromLocalPod: true,
    destinationIdentity: 2,
    isReply: false,
    isTunnelMode: false,
  };
  it.each([
    ['a pod to the world leaves with the node address', {}, 'masquerade'],
    ['inside the native routing CIDR the pod keeps its own', { destination: ip('203.0.113.9') }, 'native-routing-cidr'],
    ['to a remote node it keeps its own', { destinationIdentity: 6 }, 'remote-node'],
    ['to a remote node in tunnel mode it does not', { destinationIdentity: 6, isTunnelMode: true }, 'masquerade'],
    ['a reply keeps its own', { isReply: true }, 'reply'],
    ['a node keeps its own', { isFromLocalPod: false }, 'not-a-pod'],
    ['switched off', { isEnabled: false }, 'disabled'],
  ] as const)('%s', (_name, change, result) => {
    const decision = decideMasquerade({ ...base, ...change });
    expect(decision.kind === 'keep' ? decision.reason : decision.kind).toBe(result);
  });
});

describe('backends', () => {
  const slice = (
    endpoints: readonly { readonly ip: string; readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }[],
  ): EndpointSlice => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 's', uid: '1', resourceVersion: '1', creationTimestamp: '' },
    addressType: 'IPv4',
    endpoints: endpoints.map(({ ip: address, ...conditions }) => ({ addresses: [address], conditions })),
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  });
  it.each([
    [
      'ready ones only',
      [
        { ip: '203.0.113.1', ready: true },
        { ip: '203.0.113.2', ready: false },
      ],
      ['203.0.113.1'],
    ],
    [
      'those that end are left out while others are ready',
      [
        { ip: '203.0.113.1', ready: true },
        { ip: '203.0.113.2', ready: false, serving: true, terminating: true },
      ],
      ['203.0.113.1'],
    ],
    ['those that end serve while none is ready', [{ ip: '203.0.113.2', ready: false, serving: true, terminating: true }], ['203.0.113.2']],
    ['a condition that is absent counts as ready', [{ ip: '203.0.113.3' }], ['203.0.113.3']],
  ])('%s', (_name, endpoints, result) => {
    expect(backendsOf([slice(endpoints)], { name: 'http', protocol: 'tcp' }, 4).map((backend) => backend.ip.text)).toEqual(result);
  });
  it('of another port name or family are none', () => {
    expect(backendsOf([slice([{ ip: '203.0.113.1' }])], { name: 'other', protocol: 'tcp' }, 4)).toEqual([]);
    expect(backendsOf([slice([{ ip: '203.0.113.1' }])], { name: 'http', protocol: 'tcp' }, 6)).toEqual([]);
  });
});

describe('conntrack', () => {
  const packet = (flags: number, isReply = false): Packet => {
    const [source, destination] = isReply ? [ip('203.0.113.2'), ip('203.0.113.1')] : [ip('203.0.113.1'), ip('203.0.113.2')];
    return {
      source,
      destination,
      ttl: 64,
      flowLabel: 0,
      transport: {
        protocol: 'tcp',
        sourcePort: isReply ? 80 : 40000,
        destinationPort: isReply ? 40000 : 80,
        flags,
        sequence: 0,
        acknowledgment: 0,
        payload: new Uint8Array(),
      },
    };
  };
  it('reports what the recordings show of one request: SYN, ACK, ACK PSH, ACK FIN and the last ACK', () => {
    const conntrack = new Conntrack({ monitorAggregation: 'medium', monitorIntervalSeconds: 5 });
    const { syn, ack, psh, fin } = tcpFlag;
    const seen: string[] = [];
    let now = 1_000_000;
    const send = (flags: number, isReply: boolean): void => {
      now += 1;
      const sent = packet(flags, isReply);
      const { status, isReported } = conntrack.track(sent, tupleOf(sent), isReply ? 'out' : 'in', now);
      if (isReported) seen.push(`${status} ${tcpFlagsText(flags)}`);
    };
    send(syn, false);
    send(syn | ack, true);
    send(ack, false);
    send(ack | psh, false);
    send(ack, true);
    send(ack | psh, true);
    send(ack, false);
    send(ack | fin, false);
    send(ack | fin, true);
    send(ack, false);
    expect(seen).toEqual([
      'new SYN',
      'reply SYN, ACK',
      'established ACK',
      'established ACK, PSH',
      'reply ACK, PSH',
      'established ACK, FIN',
      'reply ACK, FIN',
      'established ACK',
    ]);
  });
  it('reports one packet in each interval', () => {
    const conntrack = new Conntrack({ monitorAggregation: 'medium', monitorIntervalSeconds: 5 });
    const sent = packet(tcpFlag.ack);
    const report = (now: number): boolean => conntrack.track(sent, tupleOf(sent), 'in', now).isReported;
    expect([0, 1000, 4999, 5001, 9000, 10_100].map(report)).toEqual([true, false, false, true, false, true]);
  });
});

describe('NAT', () => {
  const tuple = (port: number): Tuple => ({
    protocol: 'tcp',
    source: ip('203.0.113.1'),
    sourcePort: port,
    destination: ip('198.51.100.9'),
    destinationPort: 80,
  });
  it('keeps a free port of its range, changes one below it, and undoes both on the reply', () => {
    const nat = new NatTable(new Random(1));
    const to = ip('192.0.2.2');
    for (const port of [40000, 1024]) {
      const mapped = nat.translate(tuple(port), to, 0);
      if (mapped === undefined) throw new Error('no port');
      expect(mapped.port === port).toBe(port >= 32768);
      expect(
        nat.original({ protocol: 'tcp', source: ip('198.51.100.9'), sourcePort: 80, destination: to, destinationPort: mapped.port }, 0),
      ).toEqual(tuple(port));
      expect(nat.translate(tuple(port), to, 1)?.port).toBe(mapped.port);
    }
  });
  it('gives two connections two ports', () => {
    const nat = new NatTable(new Random(1));
    const other: Tuple = { ...tuple(40000), source: ip('203.0.113.2') };
    expect(nat.translate(tuple(40000), ip('192.0.2.2'), 0)?.port).not.toBe(nat.translate(other, ip('192.0.2.2'), 0)?.port);
  });
});

describe('IPAM', () => {
  it('hands out every address but the first and the last, each once, and a freed one again', () => {
    const range = new PodRange(prefix('203.0.113.0/29'), new Random(3));
    const given = Array.from({ length: 6 }, () => range.allocate()?.text).sort();
    expect(given).toEqual(['203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4', '203.0.113.5', '203.0.113.6']);
    expect(range.allocate()).toBe(undefined);
    range.release(ip('203.0.113.4'));
    expect(range.allocate()?.text).toBe('203.0.113.4');
  });
  it('keeps to sixteen bits of an IPv6 prefix', () => {
    expect(new PodRange(prefix('2001:db8:f::/64'), new Random(3)).allocate()?.text).toMatch(/^2001:db8:f::[0-9a-f]{1,4}$/);
  });
});

describe('the egress map', () => {
  const object = (name: string, spec: Readonly<Record<string, unknown>>) => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumEgressGatewayPolicy',
    metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '' },
    spec,
  });
  const gateway = { nodeSelector: { matchLabels: { gateway: 'yes' } } };
  const endpoint = {
    uid: 'u',
    labels: { app: 'web', 'io.kubernetes.pod.namespace': 'shop', 'io.cilium.k8s.namespace.labels.team': 'a' },
    ips: [ip('203.0.113.1'), ip('2001:db8::1')],
    nodeIp: undefined,
  };
  const node = (name: string, address: string, labels: Readonly<Record<string, string>> = {}) => ({
    name,
    labels,
    internalIps: [ip(address)],
  });
  it.each([
    [{ selectors: [{}], destinationCIDRs: [], egressGateway: gateway }, 'cannot have both nil namespace selector and nil pod selector'],
    [{ selectors: [], egressGateway: gateway }, "destinationCIDRs can't be empty"],
    [{ selectors: [], destinationCIDRs: [] }, "egressGateway can't be empty"],
    [
      { selectors: [], destinationCIDRs: [], egressGateway: { ...gateway, interface: 'a', egressIP: '192.0.2.1' } },
      "gateway configuration can't specify both an interface and an egress IP",
    ],
  ])('refuses %j', (spec, problem) => {
    expect(parseEgressGatewayPolicy(object('p', spec))).toEqual({ problem });
  });
  const compute = (spec: Readonly<Record<string, unknown>>, localNode = 'n1') => {
    const parsed = parseEgressGatewayPolicy(object('p', spec));
    if ('problem' in parsed) throw new Error(parsed.problem);
    return computeEgressEntries({
      policies: [parsed],
      endpoints: [endpoint],
      nodes: [node('n2', '192.0.2.12', { gateway: 'yes' }), node('n1', '192.0.2.11', { gateway: 'yes' }), node('n0', '192.0.2.10')],
      localNode,
      derive: () => ({ egressIp: ip('198.51.100.7'), device: 'eth1', problem: undefined }),
    }).entries.map((entry) => `${entry.source.text} ${entry.destination.text} ${entry.egressIp.text} ${entry.gatewayIp.text}`);
  };
  it.each([
    [
      'the first matching node by name is the gateway',
      { selectors: [{ podSelector: {} }] },
      'n1',
      ['203.0.113.1 198.51.100.0/24 198.51.100.7 192.0.2.11'],
    ],
    [
      'elsewhere the egress address is zero',
      { selectors: [{ podSelector: {} }] },
      'n2',
      ['203.0.113.1 198.51.100.0/24 0.0.0.0 192.0.2.11'],
    ],
    [
      'a namespace is selected by its labels',
      { selectors: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] },
      'n0',
      ['203.0.113.1 198.51.100.0/24 0.0.0.0 192.0.2.11'],
    ],
    [
      'both parts of one item must hold',
      { selectors: [{ namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: { matchLabels: { app: 'db' } } }] },
      'n0',
      [],
    ],
    ['no selector, no pod', { selectors: [] }, 'n0', []],
    [
      'without a node there is none',
      { selectors: [{ podSelector: {} }], egressGateway: { nodeSelector: { matchLabels: { gateway: 'no' } } } },
      'n0',
      ['203.0.113.1 198.51.100.0/24 0.0.0.0 0.0.0.0'],
    ],
  ] as const)('%s', (_name, spec, localNode, rows) => {
    expect(compute({ destinationCIDRs: ['198.51.100.0/24'], egressGateway: gateway, ...spec }, localNode)).toEqual(rows);
  });
  it('is looked up by the longest prefix, and printed', () => {
    const map = new EgressMap();
    const source = ip('203.0.113.1');
    const zero = ip('0.0.0.0');
    map.replace([
      { source, destination: prefix('198.51.100.0/24'), egressIp: zero, gatewayIp: ip('192.0.2.11'), policy: 'p' },
      { source, destination: prefix('198.51.100.9/32'), egressIp: zero, gatewayIp: ip('0.0.0.1'), policy: 'p' },
    ]);
    const decide = (to: string) => decideEgress(map.lookup(source, ip(to)), new Set(), { major: 1, minor: 16, patch: 0, text: '1.16.0' });
    expect([decide('198.51.100.9'), decide('198.51.100.8'), decide('192.0.2.1')]).toEqual([
      { kind: 'none' },
      { kind: 'redirect', gatewayIp: ip('192.0.2.11') },
      { kind: 'none' },
    ]);
    expect(formatEgressList(map.entries, 'text').stdout).toBe(
      [
        'Source IP     Destination CIDR   Egress IP   Gateway IP',
        '203.0.113.1   198.51.100.0/24    0.0.0.0     192.0.2.11',
        '203.0.113.1   198.51.100.9/32    0.0.0.0     Excluded CIDR',
        '',
      ].join('\n'),
    );
  });
});

describe('devices', () => {
  const network = createNetwork({ clock: new SimulatedClock(0), random: new Random(1) });
  const namespace = network.createNamespace('node');
  const other = network.createNamespace('other');
  const veth = (name: string, address: string) => {
    const [device, peer] = network.createVeth({ namespace, name }, { namespace: other, name });
    device.setUp();
    peer.setUp();
    device.addAddress(ip(address), 24);
    return device;
  };
  const eth0 = veth('eth0', '192.0.2.2');
  const net0 = veth('net0', '198.51.100.2');
  namespace.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip('192.0.2.1'), device: 'eth0' }] });
  it.each([
    ['a veth with the default route is detected', eth0, [], undefined],
    ['another veth is not', net0, [], 'veth without default route'],
    ['unless it is named', net0, ['eth0', 'net0'], undefined],
    ['or meant', net0, ['net+'], undefined],
    ['what is not named is out', eth0, ['net0'], 'not matching user filter [net0]'],
  ] as const)('%s', (_name, device, filter, reason) => {
    const verdict = judgeDevice(device, filter);
    expect(verdict.isSelected ? undefined : verdict.reason).toBe(reason);
  });
});

describe('Cilium policies', () => {
  const [parsed] = parseCiliumPolicy({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'p', namespace: 'shop', uid: 'p', resourceVersion: '1', creationTimestamp: '' },
    spec: {
      endpointSelector: { matchLabels: { app: 'web' } },
      ingressDeny: [{ fromEndpoints: [{ matchLabels: { role: 'bad' } }] }],
      ingress: [{ fromEndpoints: [{}], toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }] }] }, { fromEntities: ['world'] }],
    },
  });
  const from = (id: number, labels: readonly string[], port = 80) =>
    decidePolicy(parsed?.ingress ?? [], { identity: { id, labels }, ip: ip('203.0.113.1'), protocol: 'tcp', port });
  it.each([
    [
      'a pod of the namespace',
      from(1000, ['k8s:io.kubernetes.pod.namespace=shop']),
      { isAllowed: true, isDenyRule: false, match: 'L3-L4' },
    ],
    [
      'a pod of another namespace',
      from(1000, ['k8s:io.kubernetes.pod.namespace=other']),
      { isAllowed: false, isDenyRule: false, match: 'none' },
    ],
    ['another port', from(1000, ['k8s:io.kubernetes.pod.namespace=shop'], 81), { isAllowed: false, isDenyRule: false, match: 'none' }],
    [
      'a denied one',
      from(1000, ['k8s:io.kubernetes.pod.namespace=shop', 'k8s:role=bad']),
      { isAllowed: false, isDenyRule: true, match: 'L3-Only' },
    ],
    ['the world', from(9, ['reserved:world-ipv4'], 443), { isAllowed: true, isDenyRule: false, match: 'L3-Only' }],
  ])('%s', (_name, decision, expected) => {
    expect(decision).toEqual(expected);
  });
});
