import { describe, expect, it } from 'vitest';
import { prefix } from '../../net/address.ts';
import type { CiliumNode } from '../objects.ts';
import { parseVersion } from '../version.ts';
import { type BgpClusterConfig, type BgpNodeConfig, clusterConditions, planNodeConfigs } from './bgp-node-configs.ts';
import { CidrSet } from './cidr-set.ts';
import { ClusterPool } from './cluster-pool-ipam.ts';

describe('cluster-pool', () => {
  it('hands out parts one after the other, and a released one after the round', () => {
    const set = new CidrSet(prefix('203.0.113.0/26'), 28);
    expect([set.allocate()?.text, set.allocate()?.text]).toEqual(['203.0.113.0/28', '203.0.113.16/28']);
    set.release(prefix('203.0.113.0/28'));
    expect([set.allocate()?.text, set.allocate()?.text, set.allocate()?.text, set.allocate()?.text]).toEqual([
      '203.0.113.32/28',
      '203.0.113.48/28',
      '203.0.113.0/28',
      undefined,
    ]);
  });

  const config = new Map(
    Object.entries({
      'enable-ipv4': 'true',
      'enable-ipv6': 'true',
      'cluster-pool-ipv4-cidr': '203.0.113.0/27 198.51.100.0/28',
      'cluster-pool-ipv4-mask-size': '28',
      'cluster-pool-ipv6-cidr': '2001:db8:f::/48',
      'cluster-pool-ipv6-mask-size': '64',
    }),
  );
  it('gives a node one of each family and goes on to the next pool', () => {
    const pool = new ClusterPool(config);
    expect(['a', 'b', 'c', 'a'].map((name) => pool.assign(name, []).podCidrs.join())).toEqual([
      '203.0.113.0/28,2001:db8:f::/64',
      '203.0.113.16/28,2001:db8:f:1::/64',
      '198.51.100.0/28,2001:db8:f:2::/64',
      '203.0.113.0/28,2001:db8:f::/64',
    ]);
    expect(pool.assign('d', [])).toEqual({ podCidrs: [], problem: 'allocator full' });
    pool.release('b');
    expect(pool.assign('d', []).podCidrs).toEqual(['203.0.113.16/28', '2001:db8:f:3::/64']);
  });

  it('keeps what a node has', () => {
    const pool = new ClusterPool(config);
    expect(pool.assign('a', ['203.0.113.16/28']).podCidrs).toEqual(['203.0.113.16/28', '2001:db8:f::/64']);
    expect(pool.assign('b', []).podCidrs).toEqual(['203.0.113.0/28', '2001:db8:f:1::/64']);
  });
});

describe('NodeConfigs', () => {
  const meta = (name: string, uid = name) => ({ name, uid, resourceVersion: '1', creationTimestamp: '2024-01-01T00:00:00Z' });
  const node = (name: string, labels: Record<string, string> = {}): CiliumNode => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNode',
    metadata: { ...meta(name), labels },
  });
  const cluster = (name: string, rack: string | undefined, localASN = 64496): BgpClusterConfig => ({
    apiVersion: 'cilium.io/v2alpha1',
    kind: 'CiliumBGPClusterConfig',
    metadata: meta(name),
    spec: {
      ...(rack === undefined ? {} : { nodeSelector: { matchLabels: { rack } } }),
      bgpInstances: [
        { name: 'one', localASN, peers: [{ name: 'tor', peerAddress: '192.0.2.1', peerASN: 64500, peerConfigRef: { name: 'cfg' } }] },
      ],
    },
  });
  const owned = (name: string, owner: string, spec: BgpNodeConfig['spec'] = {}): BgpNodeConfig => ({
    apiVersion: 'cilium.io/v2alpha1',
    kind: 'CiliumBGPNodeConfig',
    metadata: {
      ...meta(name),
      ownerReferences: [{ apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumBGPClusterConfig', name: owner, uid: owner, controller: true }],
    },
    spec,
  });
  const view = {
    clusterConfigs: [] as BgpClusterConfig[],
    nodes: [] as CiliumNode[],
    nodeConfigs: [] as BgpNodeConfig[],
    overrides: [],
    version: parseVersion('1.16.0'),
  };
  const said = (writes: ReturnType<typeof planNodeConfigs>) =>
    writes.map((write) => `${write.action} ${write.action === 'delete' ? write.name : write.object.metadata.name}`);

  it('makes one for every selected node, with the override laid over it', () => {
    const override = {
      apiVersion: 'cilium.io/v2alpha1',
      kind: 'CiliumBGPNodeConfigOverride',
      metadata: meta('a'),
      spec: {
        bgpInstances: [{ name: 'one', routerID: '192.0.2.9', localASN: 64499, peers: [{ name: 'tor', localAddress: '192.0.2.2' }] }],
      },
    };
    const writes = planNodeConfigs({
      ...view,
      clusterConfigs: [cluster('c', 'r1')],
      nodes: [node('a', { rack: 'r1' }), node('b')],
      overrides: [override],
    });
    expect(writes).toEqual([
      {
        action: 'create',
        object: {
          apiVersion: 'cilium.io/v2alpha1',
          kind: 'CiliumBGPNodeConfig',
          metadata: {
            name: 'a',
            ownerReferences: [{ apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumBGPClusterConfig', name: 'c', uid: 'c' }],
          },
          spec: {
            bgpInstances: [
              {
                localASN: 64496,
                name: 'one',
                peers: [
                  { localAddress: '192.0.2.2', name: 'tor', peerAddress: '192.0.2.1', peerASN: 64500, peerConfigRef: { name: 'cfg' } },
                ],
                routerID: '192.0.2.9',
              },
            ],
          },
        },
      },
    ]);
  });

  it.each<{ name: string; changes: Partial<typeof view>; expected: readonly string[] }>([
    {
      name: 'an absent selector takes every node',
      changes: { clusterConfigs: [cluster('c', undefined)], nodes: [node('a'), node('b')] },
      expected: ['create a', 'create b'],
    },
    {
      name: 'a node that is no longer selected loses its own',
      changes: { clusterConfigs: [cluster('c', 'r1')], nodes: [node('a')], nodeConfigs: [owned('a', 'c')] },
      expected: ['delete a'],
    },
    {
      name: 'the first owner keeps it',
      changes: { clusterConfigs: [cluster('b', undefined), cluster('c', undefined)], nodes: [node('a')], nodeConfigs: [owned('a', 'c')] },
      expected: ['update a'],
    },
    {
      name: 'another takes over when the owner is gone',
      changes: { clusterConfigs: [cluster('b', undefined)], nodes: [node('a')], nodeConfigs: [owned('a', 'c')] },
      expected: ['delete a', 'create a'],
    },
    {
      name: 'a NodeConfig that a user made, without an owner, is left alone',
      changes: {
        clusterConfigs: [cluster('c', undefined)],
        nodes: [node('a'), node('b')],
        nodeConfigs: [{ ...owned('a', 'c'), metadata: meta('a') }],
      },
      expected: ['create b'],
    },
  ])('$name', ({ changes, expected }) => expect(said(planNodeConfigs({ ...view, ...changes }))).toEqual(expected));

  it('says what is wrong with a configuration from 1.17 on', () => {
    const [first, second] = [cluster('b', undefined), cluster('c', undefined)];
    // Only the one that came too late conflicts (operator/pkg/bgpv2/cluster_test.go, TestConflictingClusterConfigCondition).
    const conditions = clusterConditions(first, {
      ...view,
      nodeConfigs: [owned('a', 'c')],
      clusterConfigs: [first, second],
      nodes: [node('a')],
      peerConfigNames: new Set(),
      now: '2024-01-01T00:00:00Z',
    });
    expect(conditions.map(({ type, status, message }) => [type, status, message])).toEqual([
      ['cilium.io/ConflictingClusterConfig', 'True', 'Selecting the same node(s) with ClusterConfig(s): [c]'],
      ['cilium.io/MissingPeerConfigs', 'True', 'Referenced CiliumBGPPeerConfig(s) are missing: [cfg]'],
      ['cilium.io/NoMatchingNode', 'False', 'No node matches spec.nodeSelector'],
    ]);
  });
});
