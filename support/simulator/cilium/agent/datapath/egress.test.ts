import { describe, expect, it } from 'vitest';
import { ip } from '../../../net/address.ts';
import { createTestbed, serveEcho, type Testbed, type TestPod } from './testbed.ts';

const client = ip('198.51.100.62');
const egressIp = ip('198.51.100.35');

function policy(spec: Readonly<Record<string, unknown>> = {}) {
  return {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumEgressGatewayPolicy',
    metadata: { name: 'out' },
    spec: {
      selectors: [{ podSelector: { matchLabels: { app: 'web' } } }],
      destinationCIDRs: ['198.51.100.48/28'],
      egressGateway: { nodeSelector: { matchLabels: { gateway: 'yes' } }, interface: 'net1' },
      ...spec,
    },
  };
}

/** node-c is the gateway; its egress address is on a dummy interface that is down. */
function egressBed(options: Parameters<typeof createTestbed>[0] = {}): { bed: Testbed; near: TestPod; far: TestPod; other: TestPod } {
  const bed: Testbed = createTestbed(options);
  const gateway = bed.nodes[2];
  if (gateway === undefined) throw new Error('no gateway');
  gateway.namespace.addInterface({ name: 'net1', kind: 'dummy' }).addAddress(egressIp, 28);
  serveEcho(bed.client, 8000, 'outpost');
  const far = bed.addPod('node-a', 'far', { labels: { app: 'web' }, server: false });
  const near = bed.addPod('node-c', 'near', { labels: { app: 'web' }, server: false });
  const other = bed.addPod('node-a', 'other', { labels: { app: 'other' }, server: false });
  return { bed, near, far, other };
}

function label(bed: Testbed, node: string): void {
  bed.cluster.server.client.patch('ciliumnodes.cilium.io', node, undefined, { metadata: { labels: { gateway: 'yes' } } });
}

const ask = (bed: Testbed, pod: TestPod): string | undefined => {
  const { answer, error } = bed.request(pod.namespace, { ip: client, port: 8000 }, 1500);
  return answer ?? error;
};

describe('the egress gateway', () => {
  it('sends matched pods out of the gateway with the egress address, from every node', () => {
    const { bed, near, far, other } = egressBed();
    expect([ask(bed, near), ask(bed, far), ask(bed, other)]).toEqual([
      'outpost saw 198.51.100.34',
      'outpost saw 198.51.100.2',
      'outpost saw 198.51.100.2',
    ]);
    label(bed, 'node-c');
    bed.cluster.server.client.create(policy());
    bed.advance(2000);
    expect([ask(bed, near), ask(bed, far), ask(bed, other)]).toEqual([
      `outpost saw ${egressIp.text}`,
      `outpost saw ${egressIp.text}`,
      'outpost saw 198.51.100.2',
    ]);
    const rows = (node: string) =>
      bed.datapaths
        .get(node)
        ?.debug(['bpf', 'egress', 'list'])
        ?.stdout.split('\n')
        .slice(1)
        .filter((line) => line.startsWith(far.ip4.text))
        .map((line) => line.split(/\s{2,}/));
    expect(rows('node-a')).toEqual([[far.ip4.text, '198.51.100.48/28', '0.0.0.0', '192.0.2.4']]);
    expect(rows('node-c')).toEqual([[far.ip4.text, '198.51.100.48/28', egressIp.text, '192.0.2.4']]);
    bed.cluster.server.client.delete('ciliumegressgatewaypolicies.cilium.io', 'out');
    bed.advance(2000);
    expect(ask(bed, far)).toBe('outpost saw 198.51.100.2');
    expect(bed.datapaths.get('node-a')?.debug(['bpf', 'egress', 'list'])).toEqual({
      stdout: '',
      stderr: 'No entries found.\n',
      exitCode: 0,
    });
  });
  it('drops on the source node when no node matches', () => {
    const { bed, far } = egressBed();
    bed.cluster.server.client.create(policy());
    bed.advance(2000);
    expect(ask(bed, far)).toBe('timeout');
    expect(bed.datapaths.get('node-a')?.flows?.flows.findLast((flow) => flow.verdict === 'DROPPED')?.observationPoint).toBe(
      'No egress gateway found',
    );
    expect(bed.datapaths.get('node-a')?.debug(['bpf', 'egress', 'list'])?.stdout).toContain('Not Found');
  });
  it('leaves excluded destinations alone', () => {
    const { bed, far } = egressBed();
    label(bed, 'node-c');
    bed.cluster.server.client.create(policy({ excludedCIDRs: ['198.51.100.62/32'] }));
    bed.advance(2000);
    expect(ask(bed, far)).toBe('outpost saw 198.51.100.2');
  });
  it('does not touch traffic to a node or a pod', () => {
    const { bed, far } = egressBed();
    label(bed, 'node-c');
    const web = bed.addPod('node-b', 'web');
    bed.cluster.server.client.create(policy({ destinationCIDRs: ['0.0.0.0/0'] }));
    bed.advance(2000);
    expect(bed.request(far.namespace, { ip: web.ip4, port: 80 }).answer).toBe(`web saw ${far.ip4.text}`);
    expect(ask(bed, far)).toBe(`outpost saw ${egressIp.text}`);
  });
  it.each([
    ['1.16 loses the packet', {}, undefined],
    ['1.17 drops it with a reason', { minor: 17 }, 'No Egress IP configured'],
  ] as const)('without an address on the interface %s', (_name, version, reason) => {
    const { bed, far } = egressBed({ version });
    label(bed, 'node-c');
    bed.cluster.server.client.create(policy({ egressGateway: { nodeSelector: { matchLabels: { gateway: 'yes' } }, interface: 'net7' } }));
    bed.advance(2000);
    expect(ask(bed, far)).toBe('timeout');
    expect(bed.datapaths.get('node-c')?.flows?.flows.findLast((flow) => flow.verdict === 'DROPPED')?.observationPoint).toBe(reason);
    expect(bed.logs.some((line) => line.startsWith('node-c error Failed to derive policy gateway configuration'))).toBe(true);
  });
  it('refuses an interface together with an address, and says so in the log only', () => {
    const { bed, far } = egressBed();
    label(bed, 'node-c');
    bed.cluster.server.client.create(policy({ egressGateway: { nodeSelector: {}, interface: 'net1', egressIP: egressIp.text } }));
    bed.advance(2000);
    expect(ask(bed, far)).toBe('outpost saw 198.51.100.2');
    expect(bed.logs.some((line) => line.includes("can't specify both an interface and an egress IP"))).toBe(true);
  });
});

describe('without an agent', () => {
  it('packets go on as before, and pods cannot be added', () => {
    const { bed, far } = egressBed();
    label(bed, 'node-c');
    bed.cluster.server.client.create(policy());
    bed.advance(2000);
    for (const datapath of bed.datapaths.values()) datapath.stop('killed');
    expect(ask(bed, far)).toBe(`outpost saw ${egressIp.text}`);
    expect(bed.addPod('node-a', 'late').error).toContain('unable to connect to Cilium agent');
    bed.startAgent('node-a');
    bed.advance(2000);
    expect(ask(bed, far)).toBe(`outpost saw ${egressIp.text}`);
    expect(bed.addPod('node-a', 'later').error).toBe(undefined);
  });
});
