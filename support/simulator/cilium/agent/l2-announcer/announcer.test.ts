import { expect, it } from 'vitest';
import type { Lease } from '../../../kubernetes/objects.ts';
import { ip } from '../../../net/address.ts';
import { ciliumNamespace, resources } from '../../objects.ts';
import { createAgentTestbed } from '../testbed.ts';
import { createL2Announcer, type L2Announcer } from './announcer.ts';

const leaseName = 'cilium-l2announce-default-web';

function setUp(options: Parameters<typeof createAgentTestbed>[0] = {}) {
  const bed = createAgentTestbed(options);
  const announcers = new Map<string, L2Announcer>();
  for (const { name, namespace } of bed.nodes) {
    const announcer = createL2Announcer(bed.context(name), () => namespace.interfaces.filter((device) => device.name === 'eth0'));
    announcers.set(name, announcer);
    announcer.start();
  }
  bed.api.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  bed.api.patch(
    'services',
    'web',
    'default',
    { status: { loadBalancer: { ingress: [{ ip: '192.0.2.200' }, { ip: '2001:db8:1::' }] } } },
    { subresource: 'status' },
  );
  const lease = () => bed.api.get<Lease>(resources.lease, leaseName, ciliumNamespace)?.spec.holderIdentity;
  const tables = () =>
    Object.fromEntries(
      [...announcers].map(([name, { table }]) => [name, table.map(({ ip: address, device }) => `${address.text} ${device}`)]),
    );
  const answers = (name: string, address: string) =>
    bed.nodes
      .find((node) => node.name === name)
      ?.namespace.getInterface('eth0')
      ?.neighbourResponder?.(ip(address)) ?? false;
  const addPolicy = (spec: Readonly<Record<string, unknown>>, name = 'p') =>
    bed.api.create({ apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumL2AnnouncementPolicy', metadata: { name }, spec });
  return { ...bed, announcers, lease, tables, answers, addPolicy };
}

it('has one holder, which answers for the IPv4 address and lists both', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(1_000);
  expect([bed.lease(), bed.tables()]).toEqual(['node-a', { 'node-a': ['192.0.2.200 eth0', '2001:db8:1:: eth0'], 'node-b': [] }]);
  expect([bed.answers('node-a', '192.0.2.200'), bed.answers('node-a', '2001:db8:1::'), bed.answers('node-b', '192.0.2.200')]).toEqual([
    true,
    false,
    false,
  ]);
});

it('answers for IPv6 from 1.19 on', () => {
  const bed = setUp({ version: '1.19.0' });
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(1_000);
  expect(bed.answers('node-a', '2001:db8:1::')).toBe(true);
});

it.each<{ name: string; spec: Readonly<Record<string, unknown>>; lease: string | undefined; table: readonly string[] }>([
  { name: 'neither kind of address: no lease', spec: {}, lease: undefined, table: [] },
  { name: 'only external addresses, and there are none', spec: { externalIPs: true }, lease: undefined, table: [] },
  {
    name: 'a selector that does not match',
    spec: { loadBalancerIPs: true, serviceSelector: { matchLabels: { app: 'db' } } },
    lease: undefined,
    table: [],
  },
  {
    name: 'no such node',
    spec: { loadBalancerIPs: true, nodeSelector: { matchLabels: { 'kubernetes.io/hostname': 'node-z' } } },
    lease: undefined,
    table: [],
  },
  {
    name: 'no such device: a lease, and nothing in the table',
    spec: { loadBalancerIPs: true, interfaces: ['^ens'] },
    lease: 'node-a',
    table: [],
  },
  {
    name: 'all of it',
    spec: { loadBalancerIPs: true, interfaces: ['^eth[0-9]+'], serviceSelector: { matchLabels: { app: 'web' } } },
    lease: 'node-a',
    table: ['192.0.2.200 eth0', '2001:db8:1:: eth0'],
  },
])('$name', ({ spec, lease, table }) => {
  const bed = setUp();
  bed.addPolicy(spec);
  bed.clock.advance(1_000);
  expect([bed.lease(), bed.tables()['node-a']]).toEqual([lease, table]);
});

it('moves to a node that the policy selects', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true, nodeSelector: { matchLabels: { 'kubernetes.io/hostname': 'node-b' } } });
  bed.clock.advance(1_000);
  expect([bed.lease(), bed.answers('node-b', '192.0.2.200')]).toEqual(['node-b', true]);
});

it('moves within the time of the lease when the holder freezes', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(10_000);
  bed.setFrozen('node-a', true);
  bed.clock.advance(9_000);
  expect(bed.lease()).toBe('node-a');
  bed.clock.advance(11_500);
  expect([bed.lease(), bed.answers('node-b', '192.0.2.200')]).toEqual(['node-b', true]);
  bed.setFrozen('node-a', false);
  bed.clock.advance(2_100);
  expect(bed.tables()).toEqual({ 'node-a': [], 'node-b': ['192.0.2.200 eth0', '2001:db8:1:: eth0'] });
});

it('moves at once when the holder goes in good order', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(10_000);
  bed.announcers.get('node-a')?.stop('graceful');
  bed.clock.advance(4_500);
  expect([bed.lease(), bed.answers('node-a', '192.0.2.200'), bed.answers('node-b', '192.0.2.200')]).toEqual(['node-b', false, true]);
});

it('gives the lease back with the policy, and the sweep takes it away', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(10_000);
  bed.api.delete(resources.l2Policy, 'p');
  bed.clock.advance(1_000);
  expect([bed.lease(), bed.tables()]).toEqual(['', { 'node-a': [], 'node-b': [] }]);
  bed.clock.advance(60_000);
  expect(bed.lease()).toBeUndefined();
});

it('stops with the address of the service', () => {
  const bed = setUp();
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(1_000);
  bed.api.delete('services', 'web', 'default');
  bed.clock.advance(1_000);
  expect([bed.tables()['node-a'], bed.answers('node-a', '192.0.2.200')]).toEqual([[], false]);
});

it('reports an expression that does not parse, and that it was mended', () => {
  const bed = setUp();
  const conditions = () =>
    (bed.api.get(resources.l2Policy, 'p')?.['status'] as { conditions?: readonly Record<string, unknown>[] } | undefined)?.conditions?.map(
      ({ type, status, reason, message }) => [type, status, reason, message],
    );
  bed.addPolicy({ loadBalancerIPs: true, interfaces: ['[a-z'] });
  bed.clock.advance(1_000);
  expect([conditions(), bed.lease()]).toEqual([
    [['io.cilium/bad-interface-regex', 'True', 'error', 'error parsing regexp: missing closing ]: `[a-z`']],
    undefined,
  ]);
  bed.api.patch(resources.l2Policy, 'p', undefined, { spec: { interfaces: ['[a-z]'] } });
  bed.clock.advance(1_000);
  expect([conditions(), bed.lease()]).toEqual([[['io.cilium/bad-interface-regex', 'False', 'error', '']], 'node-a']);
});

it('does nothing while the feature is off', () => {
  const bed = setUp({ values: { ipam: { mode: 'kubernetes' } } });
  bed.addPolicy({ loadBalancerIPs: true });
  bed.clock.advance(1_000);
  expect(bed.lease()).toBeUndefined();
});
