import { describe, expect, it } from 'vitest';
import type { Service } from '../../../kubernetes/objects.ts';
import type { CiliumNode, L2AnnouncementPolicy } from '../../objects.ts';
import { activate, announcedAddresses, compileGoRegex, leaseTiming, matchesInterface } from './selection.ts';

const meta = { uid: '1', resourceVersion: '1', creationTimestamp: '2024-01-01T00:00:00Z' };
const node: CiliumNode = { apiVersion: 'cilium.io/v2', kind: 'CiliumNode', metadata: { ...meta, name: 'node-a', labels: { zone: 'x' } } };
type Spec = NonNullable<L2AnnouncementPolicy['spec']>;
const policy = (spec: Spec): L2AnnouncementPolicy => ({
  apiVersion: 'cilium.io/v2alpha1',
  kind: 'CiliumL2AnnouncementPolicy',
  metadata: { ...meta, name: 'p' },
  spec,
});
const service = (spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...meta, name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: { type: 'LoadBalancer', externalIPs: ['198.51.100.7'], ...spec },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'x' }, { ip: '2001:db8::1' }] } },
});

describe('addresses that a policy announces', () => {
  it.each<{ name: string; spec: Spec; service?: Partial<Service['spec']>; expected: readonly string[] }>([
    { name: 'load balancer addresses', spec: { loadBalancerIPs: true }, expected: ['192.0.2.1', '2001:db8::1'] },
    { name: 'external addresses', spec: { externalIPs: true }, expected: ['198.51.100.7'] },
    { name: 'neither', spec: {}, expected: [] },
    {
      name: 'labels that match',
      spec: { loadBalancerIPs: true, serviceSelector: { matchLabels: { app: 'web' } } },
      expected: ['192.0.2.1', '2001:db8::1'],
    },
    { name: 'labels that do not', spec: { loadBalancerIPs: true, serviceSelector: { matchLabels: { app: 'db' } } }, expected: [] },
    {
      name: 'the filled-in name',
      spec: { loadBalancerIPs: true, serviceSelector: { matchLabels: { 'io.kubernetes.service.name': 'web' } } },
      expected: ['192.0.2.1', '2001:db8::1'],
    },
    {
      name: "the announcer's own class",
      spec: { loadBalancerIPs: true },
      service: { loadBalancerClass: 'io.cilium/l2-announcer' },
      expected: ['192.0.2.1', '2001:db8::1'],
    },
    { name: 'the BGP class', spec: { loadBalancerIPs: true }, service: { loadBalancerClass: 'io.cilium/bgp-control-plane' }, expected: [] },
  ])('$name', ({ spec, service: changes, expected }) => {
    const active = activate(policy(spec), node);
    if (active === undefined || 'problem' in active) throw new Error('the policy should be active');
    expect(announcedAddresses(active, service(changes)).map(({ text }) => text)).toEqual(expected);
  });
});

describe('policies on a node', () => {
  it.each<{ name: string; spec: Spec; expected: unknown }>([
    { name: 'another zone is not in force', spec: { nodeSelector: { matchLabels: { zone: 'y' } } }, expected: undefined },
    {
      name: 'In without values',
      spec: { nodeSelector: { matchExpressions: [{ key: 'zone', operator: 'In' }] }, interfaces: ['['] },
      expected: {
        problem: {
          type: 'io.cilium/bad-node-selector',
          message: "values: Invalid value: []string(nil): for 'in', 'notin' operators, values set can't be empty",
        },
      },
    },
    {
      name: 'another zone with a bad expression looks no further',
      spec: { nodeSelector: { matchLabels: { zone: 'y' } }, interfaces: ['['] },
      expected: undefined,
    },
    {
      name: 'a bad expression',
      spec: { interfaces: ['eth0', '[a-z'] },
      expected: { problem: { type: 'io.cilium/bad-interface-regex', message: 'error parsing regexp: missing closing ]: `[a-z`' } },
    },
    {
      name: 'a bad service selector',
      spec: { serviceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } },
      expected: {
        problem: {
          type: 'io.cilium/bad-service-selector',
          message: 'values: Invalid value: []string{"b"}: values set must be empty for exists and does not exist',
        },
      },
    },
  ])('$name', ({ spec, expected }) => {
    expect(activate(policy(spec), node)).toEqual(expected);
  });
});

it.each<[string, readonly string[] | undefined, string, boolean]>([
  ['no list', undefined, 'eth0', true],
  ['an empty list', [], 'eth0', true],
  ['not anchored', ['th'], 'eth0', true],
  ['anchored', ['^eth[0-9]+$'], 'veth0', false],
  ['one of several', ['^ens', '^eth'], 'eth1', true],
])('interfaces: %s', (_, interfaces, device, expected) => {
  const active = activate(policy(interfaces === undefined ? {} : { interfaces }), node);
  expect(active !== undefined && !('problem' in active) && matchesInterface(active, device)).toBe(expected);
});

it.each([
  ['(eth', 'error parsing regexp: missing closing ): `(eth`'],
  ['*eth', 'error parsing regexp: missing argument to repetition operator: `*`'],
  ['(?=eth)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
])('%s is no Go expression', (pattern, problem) => expect(compileGoRegex(pattern)).toBe(problem));

it.each([
  [{ durationMs: undefined, renewDeadlineMs: undefined, retryPeriodMs: undefined }, [15000, 5000, 2000]],
  [{ durationMs: 3000, renewDeadlineMs: 1000, retryPeriodMs: 200 }, [3000, 1000, 200]],
  [{ durationMs: 500, renewDeadlineMs: 5000, retryPeriodMs: 2000 }, [1000, 500, 250]],
  [{ durationMs: 4000, renewDeadlineMs: 2000, retryPeriodMs: 2000 }, [4000, 2000, 1000]],
])('lease timing %o', (given, [leaseDurationMs, renewDeadlineMs, retryPeriodMs]) => {
  expect(leaseTiming(given)).toEqual({ leaseDurationMs, renewDeadlineMs, retryPeriodMs });
});
