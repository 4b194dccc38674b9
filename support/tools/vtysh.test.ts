import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../verdict/errors.ts';
import { recording, result } from './result.fixture.ts';
import { bgpTableCommand, parseBgpSummary, parseBgpTable } from './vtysh.ts';

describe('show bgp FAMILY unicast json', () => {
  it('is asked for in the words of vtysh', () => {
    expect(bgpTableCommand('r1', 'IPv6')).toEqual({ container: 'r1', argv: ['vtysh', '-c', 'show bgp ipv6 unicast json'] });
  });

  it('gives a path for each prefix', () => {
    const path = (prefix: string, nextHop: string, asPath: string) => ({ prefix, nextHop, asPath, isValid: true, isBest: true });
    expect(parseBgpTable(result(recording('frr-8.4.4/established-show-bgp-ipv4.json')))).toEqual([
      path('10.1.0.0/24', 'fd00:10:0:1::2', '65001'),
      path('10.1.1.0/24', 'fd00:10:0:3::2', '65003'),
      path('10.1.2.0/24', 'fd00:10:0:2::2', '65002'),
    ]);
  });

  it('gives every path of a prefix that several neighbours announce', () => {
    const paths = parseBgpTable(result(recording('frr-8.4.4/service-show-bgp-ipv6.json'))).filter(({ prefix }) => prefix.endsWith('/128'));
    expect(paths.map(({ nextHop, asPath, isBest }) => `${nextHop} ${asPath} ${isBest}`)).toEqual([
      'fd00:10:0:1::2 65001 false',
      'fd00:10:0:3::2 65003 false',
      'fd00:10:0:2::2 65002 true',
    ]);
  });

  it('is empty without a BGP instance', () => {
    expect(parseBgpTable(result(recording('frr-8.4.4/no-instance-show-bgp-ipv6.json')))).toEqual([]);
  });

  it('is no verdict when the daemon is dead', () => {
    expect(() => parseBgpTable(result('', { exitCode: 1, stderr: 'bgpd is not running\n' }))).toThrow(EnvironmentError);
  });

  it('is no verdict when it is no JSON', () => {
    expect(() => parseBgpTable(result('% Unknown command: show bgp\n'))).toThrow(
      'vtysh printed something else than JSON: % Unknown command',
    );
  });
});

describe('show bgp summary json', () => {
  it('gives each neighbour once a family', () => {
    const neighbors = parseBgpSummary(result(recording('frr-8.4.4/established-show-bgp-summary.json')));
    expect(neighbors).toHaveLength(6);
    expect(neighbors[0]).toEqual({ address: 'fd00:10:0:1::2', family: 'IPv4', remoteAs: 65001, state: 'Established', prefixesReceived: 1 });
    expect(neighbors[5]).toEqual({ address: 'fd00:10:0:3::2', family: 'IPv6', remoteAs: 65003, state: 'Established', prefixesReceived: 1 });
  });

  it('is established without routes where a policy is required', () => {
    const neighbors = parseBgpSummary(result(recording('frr-8.4.4/requires-policy-show-bgp-summary.json')));
    expect(new Set(neighbors.map(({ state, prefixesReceived }) => `${state} ${prefixesReceived}`))).toEqual(new Set(['Established 0']));
  });

  it('is empty without a BGP instance', () => {
    expect(parseBgpSummary(result(recording('frr-8.4.4/no-instance-show-bgp-summary.json')))).toEqual([]);
  });
});
