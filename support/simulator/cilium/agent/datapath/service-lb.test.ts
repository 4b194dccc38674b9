import { describe, expect, it } from 'vitest';
import { ip, prefix } from '../../../net/address.ts';
import { createTestbed, type Testbed } from './testbed.ts';

const vip4 = '192.0.2.200';
const vip6 = '2001:db8:b::';

function withService(options: Parameters<typeof createTestbed>[0] = {}, spec: Readonly<Record<string, unknown>> = {}) {
  const bed: Testbed = createTestbed(options);
  const one = bed.addPod('node-a', 'one', { labels: { app: 'web' } });
  const two = bed.addPod('node-b', 'two', { labels: { app: 'web' } });
  const asker = bed.addPod('node-b', 'asker', { server: false });
  const service = bed.addService('web', [{ pod: one }, { pod: two }], { spec, ingress: [vip4, vip6] });
  for (const destination of [`${vip4}/32`, `${vip6}/128`]) {
    const v6 = destination.includes(':');
    bed.router.routes.add({
      destination: prefix(destination),
      nextHops: [{ via: ip(v6 ? '2001:db8:c:0::2' : '198.51.100.2'), device: 'port0' }],
    });
  }
  return { bed, one, two, asker, service };
}

function answers(
  bed: Testbed,
  from: Parameters<Testbed['request']>[0],
  to: { ip: ReturnType<typeof ip>; port: number },
  count = 12,
): string[] {
  const found = new Set<string>();
  for (let index = 0; index < count; index++) {
    const { answer, error } = bed.request(from, to);
    found.add(answer ?? `error ${error}`);
  }
  return [...found].sort();
}

describe('a service', () => {
  const { bed, asker, service } = withService();
  it.each([
    ['its cluster address', () => service.ip4, 80, () => asker.ip4.text],
    ['its cluster address over IPv6', () => service.ip6, 80, () => asker.ip6.text],
    ['its load balancer address', () => ip(vip4), 80, () => asker.ip4.text],
    ["another node's port", () => ip('192.0.2.2'), service.nodePort, () => asker.ip4.text],
  ] as const)('is reached from a pod by %s', (_name, address, port, seen) => {
    expect(answers(bed, asker.namespace, { ip: address(), port })).toEqual([`one saw ${seen()}`, `two saw ${seen()}`]);
  });
  it('is reached from a node by its cluster address', () => {
    const node = bed.nodes[0];
    if (node === undefined) throw new Error('no node');
    expect(answers(bed, node.namespace, { ip: service.ip4, port: 80 }).map((line) => line.split(' ')[0])).toEqual(['one', 'two']);
  });
  it('is reached from outside: a local backend sees the client, a remote one the node', () => {
    expect(answers(bed, bed.client, { ip: ip(vip4), port: 80 })).toEqual(['one saw 198.51.100.62', 'two saw 198.51.100.2']);
    expect(answers(bed, bed.client, { ip: ip(vip6), port: 80 })).toEqual(['one saw 2001:db8:c:9::2', 'two saw 2001:db8:c::2']);
    expect(answers(bed, bed.client, { ip: ip('198.51.100.18'), port: service.nodePort })).toEqual([
      'one saw 198.51.100.18',
      'two saw 198.51.100.62',
    ]);
  });
  it('is not served at another port', () => {
    expect(bed.request(bed.client, { ip: ip('198.51.100.18'), port: service.nodePort === 30001 ? 30002 : 30001 }).error).toBe(
      'ECONNREFUSED',
    );
  });
  it('is listed by cilium-dbg', () => {
    const listed = bed.datapaths.get('node-a')?.debug(['service', 'list'])?.stdout ?? '';
    expect(listed.split('\n')[0]?.trimEnd()).toMatch(/^ID +Frontend +Service Type +Backend$/);
    expect(listed).toContain(`[${vip6}]:80`);
  });
});

describe('traffic policies and backends', () => {
  it('externalTrafficPolicy Local keeps the client and drops on a node without a backend', () => {
    const { bed, service } = withService({}, { externalTrafficPolicy: 'Local' });
    expect(answers(bed, bed.client, { ip: ip(vip4), port: 80 })).toEqual(['one saw 198.51.100.62']);
    expect(bed.request(bed.client, { ip: ip('198.51.100.34'), port: service.nodePort }, 900).error).toBe('timeout');
  });
  it('internalTrafficPolicy Local stays on the node', () => {
    const { bed, asker, service } = withService({}, { internalTrafficPolicy: 'Local' });
    expect(answers(bed, asker.namespace, { ip: service.ip4, port: 80 })).toEqual([`two saw ${asker.ip4.text}`]);
  });
  it('sessionAffinity ClientIP keeps to one backend', () => {
    const { bed, asker, service } = withService({}, { sessionAffinity: 'ClientIP' });
    expect(answers(bed, asker.namespace, { ip: service.ip4, port: 80 })).toHaveLength(1);
    expect(answers(bed, bed.client, { ip: ip(vip4), port: 80 })).toHaveLength(1);
  });
  it('no backend: unreachable for a pod, refused from outside', () => {
    const bed: Testbed = createTestbed();
    const asker = bed.addPod('node-b', 'asker', { server: false });
    const service = bed.addService('web', []);
    expect(bed.request(asker.namespace, { ip: service.ip4, port: 80 }).error).toBe('EHOSTUNREACH');
    expect(bed.request(bed.client, { ip: ip('198.51.100.2'), port: service.nodePort }).error).toBe('ECONNREFUSED');
  });
  it('a backend that ends serves while there is no other', () => {
    const bed: Testbed = createTestbed();
    const one = bed.addPod('node-a', 'one');
    const service = bed.addService('web', [{ pod: one, terminating: true }]);
    expect(bed.request(one.namespace, { ip: service.ip4, port: 80 }).answer).toContain('one saw');
  });
  it('without the kube-proxy replacement pods are balanced by packet, and the outside is not', () => {
    const { bed, asker, service } = withService({
      config: { 'kube-proxy-replacement': 'false', 'enable-ipv4-egress-gateway': 'false', 'enable-bpf-masquerade': 'false' },
    });
    expect(answers(bed, asker.namespace, { ip: service.ip4, port: 80 })).toEqual([
      `one saw ${asker.ip4.text}`,
      `two saw ${asker.ip4.text}`,
    ]);
    expect(bed.request(bed.client, { ip: ip(vip4), port: 80 }, 900).answer).toBe(undefined);
  });
  it('with socket load balancing on the host only, pods are balanced by packet', () => {
    const { bed, asker, service } = withService({ config: { 'bpf-lb-sock-hostns-only': 'true' } });
    expect(answers(bed, asker.namespace, { ip: service.ip4, port: 80 })).toEqual([
      `one saw ${asker.ip4.text}`,
      `two saw ${asker.ip4.text}`,
    ]);
  });
  it('a device that Cilium does not manage takes no part', () => {
    const { bed } = withService({ config: { devices: 'eth0' } });
    expect(bed.request(bed.client, { ip: ip(vip4), port: 80 }, 900).answer).toBe(undefined);
  });
});
