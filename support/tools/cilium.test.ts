import { describe, expect, it } from 'vitest';
import { EnvironmentError, ToolRefusal } from '../verdict/errors.ts';
import { parseBgpPeers, parseConfig, parseStatus } from './cilium.ts';
import { recording, result } from './result.fixture.ts';

describe('cilium bgp peers -o json', () => {
  it('gives sessions by node, with what the CLI leaves out as 0', () => {
    const peer = {
      'local-asn': 64501,
      'peer-asn': 64500,
      'peer-address': '2001:db8::1',
      'session-state': 'active',
      families: [{ afi: 'ipv4', safi: 'unicast' }],
    };
    const up = {
      ...peer,
      'session-state': 'established',
      'uptime-nanoseconds': 5e9,
      families: [
        { afi: 'ipv4', safi: 'unicast', received: 3, advertised: 1 },
        { afi: 'ipv6', safi: 'unicast', received: 2 },
      ],
    };
    const session = { localAs: 64501, peerAs: 64500, peerAddress: '2001:db8::1' };
    expect(parseBgpPeers(result(JSON.stringify({ n2: [peer], n1: [up], n3: [] })))).toEqual({
      isEnabled: true,
      sessions: [
        {
          ...session,
          node: 'n1',
          state: 'established',
          families: [
            { family: 'IPv4', received: 3, advertised: 1 },
            { family: 'IPv6', received: 2, advertised: 0 },
          ],
        },
        { ...session, node: 'n2', state: 'active', families: [{ family: 'IPv4', received: 0, advertised: 0 }] },
      ],
    });
  });

  it('tells that BGP is off, which is a state of the lab', () => {
    const stderr =
      "\nError: Unable to get peering status: failed to unmarshal bgp state from cilium-x: invalid character 'B' looking for beginning of value\n";
    expect(parseBgpPeers(result('', { exitCode: 1, stderr }))).toEqual({
      isEnabled: false,
      reason: 'the BGP control plane of Cilium is disabled',
    });
  });

  it('tells that an agent does not run, which a step may wait out', () => {
    const stderr = '\nError: Unable to get peering status: failed to fetch bgp state from cilium-x: container not found ("cilium-agent")\n';
    expect(() => parseBgpPeers(result('', { exitCode: 1, stderr }))).toThrow(ToolRefusal);
  });
});

describe('cilium status', () => {
  it('gives components, workloads and managed pods', () => {
    const status = parseStatus(result(recording('cilium-1.16/status.txt')));
    expect(Object.fromEntries(status.components)).toEqual({
      Cilium: 'OK',
      Operator: 'OK',
      'Envoy DaemonSet': 'OK',
      'Hubble Relay': 'OK',
      ClusterMesh: 'disabled',
    });
    expect(status.workloads).toContainEqual({ kind: 'Deployment', name: 'cilium-operator', desired: 2, ready: 2 });
    expect(status.workloads).toHaveLength(5);
    expect(status.managedPods).toEqual({ managed: 5, all: 5 });
    expect(status.problems).toEqual([]);
  });

  it('sees through colours and names the errors', () => {
    const text = [
      '\u001b[33m    /¯¯\\\u001b[0m',
      '\u001b[36m /¯¯\u001b[33m\\__/\u001b[32m¯¯\\\u001b[0m    Cilium:             \u001b[31m1 errors\u001b[0m',
      '',
      'DaemonSet              cilium             Desired: 3, Ready: 2/3, Unavailable: 1/3',
      'Errors:                cilium             cilium    1 pods of DaemonSet cilium are not ready',
      '                       cilium             cilium-x  unable to retrieve cilium status: timeout',
      'Helm chart version:    1.16.0',
    ].join('\n');
    const status = parseStatus(result(text));
    expect(status.components.get('Cilium')).toBe('1 errors');
    expect(status.workloads).toEqual([{ kind: 'DaemonSet', name: 'cilium', desired: 3, ready: 2 }]);
    expect(status.problems).toEqual([
      'cilium cilium 1 pods of DaemonSet cilium are not ready',
      'cilium cilium-x unable to retrieve cilium status: timeout',
    ]);
  });

  it('is no verdict when there is no table', () => {
    expect(() => parseStatus(result('', { exitCode: 1, stderr: 'Error: status check failed\n' }))).toThrow(EnvironmentError);
    expect(() => parseStatus(result('nonsense\n'))).toThrow('cilium status printed something else than its table: nonsense');
  });
});

describe('cilium config view', () => {
  it('gives settings, blanks and empty ones included', () => {
    const text =
      'enable-ipv4                                       true\ndebug                                             \nlabels          a b c\n';
    expect([...parseConfig(result(text))]).toEqual([
      ['enable-ipv4', 'true'],
      ['debug', ''],
      ['labels', 'a b c'],
    ]);
  });
});
