import { describe, expect, it } from 'vitest';
import { ip, prefix } from '../../../net/address.ts';
import type { Ip, NetworkNamespace } from '../../../net/types.ts';
import { createTestbed, type Testbed, type TestPod } from './testbed.ts';

describe('pods in native routing', () => {
  const bed: Testbed = createTestbed();
  const web: TestPod = bed.addPod('node-a', 'web-1', { labels: { app: 'web' } });
  const near: TestPod = bed.addPod('node-a', 'near', { labels: { app: 'near' } });
  const far: TestPod = bed.addPod('node-b', 'far', { labels: { app: 'far' } });
  it('get addresses of both families, IPv4 first', () => {
    expect(bed.logs.filter((line) => line.includes('error') || line.includes('warning'))).toEqual([]);
    expect([web.error, web.ips.map((address) => address.family)]).toEqual([undefined, [4, 6]]);
  });
  it.each<readonly [string, () => NetworkNamespace, () => Ip, () => string]>([
    ['a pod of the same node', () => near.namespace, () => web.ip4, () => near.ip4.text],
    ['a pod of the same node over IPv6', () => near.namespace, () => web.ip6, () => near.ip6.text],
    ['a pod of another node', () => far.namespace, () => web.ip4, () => far.ip4.text],
    ['a pod of another node over IPv6', () => far.namespace, () => web.ip6, () => far.ip6.text],
    ['a client outside', () => bed.client, () => web.ip4, () => '198.51.100.62'],
    ['a client outside over IPv6', () => bed.client, () => web.ip6, () => '2001:db8:c:9::2'],
  ])('answer %s', (_name, from, to, seen) => {
    expect(bed.request(from(), { ip: to(), port: 80 })).toEqual({ answer: `web-1 saw ${seen()}`, error: undefined });
  });
  it('answer their own node', () => {
    const node = bed.nodes[0];
    if (node === undefined) throw new Error('no node');
    expect(bed.request(node.namespace, { ip: web.ip4, port: 80 }).answer).toMatch(/^web-1 saw 203\.0\.113\./);
    expect(bed.request(node.namespace, { ip: web.ip6, port: 80 }).answer).toMatch(/^web-1 saw 2001:db8:f::?/);
  });
  it('leave with the node address where the destination is outside the native routing CIDR', () => {
    bed.client.sockets.listen({
      port: 8000,
      onConnection: (connection) => {
        connection.handlers = {
          onData: () => connection.send(new TextEncoder().encode(connection.remote.ip.text)),
          onEnd: () => connection.end(),
        };
      },
    });
    expect(bed.request(web.namespace, { ip: ip('198.51.100.62'), port: 8000 })).toEqual({ answer: '198.51.100.2', error: undefined });
    expect(bed.request(web.namespace, { ip: ip('2001:db8:c:9::2'), port: 8000 })).toEqual({ answer: '2001:db8:c::2', error: undefined });
  });
});

describe('pods over the tunnel', () => {
  const bed: Testbed = createTestbed({ config: { 'routing-mode': 'tunnel', 'tunnel-protocol': 'vxlan' } });
  const web: TestPod = bed.addPod('node-a', 'web-1', { labels: { app: 'web' } });
  const far: TestPod = bed.addPod('node-b', 'far', { labels: { app: 'far' } });
  const datagrams: string[] = [];
  bed.network.onFrame(({ device, direction, frame }) => {
    if (device.name === 'eth0' && direction === 'out' && frame.content.kind === 'ip' && frame.content.packet.transport.protocol === 'udp')
      datagrams.push(`${frame.content.packet.source.text} ${frame.content.packet.transport.destinationPort}`);
  });
  it.each([
    ['IPv4', (): readonly [typeof web.ip4, string] => [web.ip4, far.ip4.text]],
    ['IPv6', (): readonly [typeof web.ip4, string] => [web.ip6, far.ip6.text]],
  ] as const)('reach each other over %s', (_name, target) => {
    const [to, seen] = target();
    datagrams.length = 0;
    expect(bed.request(far.namespace, { ip: to, port: 80 })).toEqual({ answer: `web-1 saw ${seen}`, error: undefined });
    expect([...new Set(datagrams)].sort()).toEqual(['192.0.2.2 8472', '192.0.2.3 8472']);
  });
});

describe('native routing', () => {
  it('needs the network to know the way: without the route a pod of another node is not reached', () => {
    const bed: Testbed = createTestbed();
    const web: TestPod = bed.addPod('node-a', 'web-1');
    const far: TestPod = bed.addPod('node-b', 'far');
    bed.router.routes.delete({ destination: prefix('203.0.113.0/26') });
    expect(bed.request(far.namespace, { ip: web.ip4, port: 80 }, 900).answer).toBe(undefined);
    expect(bed.request(far.namespace, { ip: web.ip6, port: 80 }).answer).toBe(`web-1 saw ${far.ip6.text}`);
  });
  it('with auto-direct-node-routes the nodes install the routes themselves', () => {
    const bed: Testbed = createTestbed({ config: { 'auto-direct-node-routes': 'true' } });
    const route = bed.nodes[0]?.namespace.routes.list({ family: 4 }).find((candidate) => candidate.destination.text === '203.0.113.64/26');
    expect(route?.nextHops).toMatchObject([{ via: ip('192.0.2.3'), device: 'eth0' }]);
  });
});

describe('network policies', () => {
  const bed: Testbed = createTestbed();
  const web: TestPod = bed.addPod('node-a', 'web-1', { labels: { app: 'web' } });
  const friend: TestPod = bed.addPod('node-b', 'friend', { labels: { role: 'friend' } });
  const stranger: TestPod = bed.addPod('node-b', 'stranger', { labels: { role: 'stranger' } });
  it('let through what they name and drop the rest', () => {
    bed.cluster.server.client.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { role: 'friend' } } }], ports: [{ port: 80, protocol: 'TCP' }] }],
      },
    });
    bed.advance(500);
    expect(bed.request(friend.namespace, { ip: web.ip4, port: 80 }).answer).toBe(`web-1 saw ${friend.ip4.text}`);
    expect(bed.request(stranger.namespace, { ip: web.ip4, port: 80 }, 900).error).toBe('timeout');
    const last = bed.datapaths
      .get('node-a')
      ?.flows?.flows.slice(-2)
      .map((flow) => `${flow.observationPoint} ${flow.verdict}`);
    expect(last).toEqual(['policy-verdict:none DROPPED', 'Policy denied DROPPED']);
  });
  it('cut a connection that they would not let begin', () => {
    let heard = 0;
    const connection = friend.namespace.sockets.connect({
      destination: { ip: web.ip4, port: 80 },
      handlers: {
        onData: () => {
          heard++;
        },
      },
    });
    bed.advance(50);
    connection.send(new Uint8Array(1));
    bed.advance(50);
    expect(heard).toBe(1);
    bed.cluster.server.client.patch('networkpolicies.networking.k8s.io', 'web', 'default', { spec: { ingress: [] } });
    bed.advance(50);
    connection.send(new Uint8Array(1));
    bed.advance(500);
    expect(heard).toBe(1);
    const flows = bed.datapaths.get('node-a')?.flows?.flows ?? [];
    expect(flows.at(-1)).toMatchObject({ observationPoint: 'Policy denied', summary: 'TCP Flags: ACK, PSH' });
    connection.abort();
  });
});
