import { describe, expect, it } from 'vitest';
import { ip, prefix } from './address.ts';
import { type DnsReply, type ResolveResult, resolveName, serveDns } from './dns.ts';
import { clientRouterServer } from './test-network.ts';
import type { Family } from './types.ts';

type Lab = ReturnType<typeof clientRouterServer>;

const records: Record<string, Record<string, string>> = {
  'web.example': { A: '203.0.113.1', AAAA: '2001:db8::1' },
  'old.example': { A: '203.0.113.2' },
  'web.svc.cluster.local': { A: '10.96.0.1' },
};

function answer({ name, type }: { name: string; type: string }): DnsReply {
  if (name.startsWith('broken')) return { rcode: 'SERVFAIL', answers: [] };
  const found = records[name];
  if (found === undefined) return { rcode: 'NXDOMAIN', answers: [] };
  const data = found[type];
  return { rcode: 'NOERROR', answers: data === undefined ? [] : [{ name, type, ttl: 30, data }] };
}

function resolve(lab: Lab, name: string, families: Family[] = [4, 6], timeoutMs?: number): { result: string | string[]; ms: number } {
  let result: ResolveResult | undefined;
  const startedAt = lab.clock.now();
  resolveName(lab.client, name, { families, ...(timeoutMs === undefined ? {} : { timeoutMs }) }, (found) => {
    result = found;
  });
  lab.clock.runUntil(() => result !== undefined, 60_000);
  const ms = Math.floor(lab.clock.now() - startedAt);
  if (result === undefined) return { result: 'nothing', ms };
  return { result: 'ips' in result ? result.ips.map(({ text }) => text) : result.error, ms };
}

function withServer(nameservers = ['198.51.100.2']): Lab {
  const lab = clientRouterServer();
  serveDns(lab.server, { program: 'dns' }, answer);
  lab.client.resolver = { nameservers: nameservers.map(ip), search: ['default.svc.cluster.local', 'svc.cluster.local'], ndots: 1 };
  return lab;
}

describe('resolving a name', () => {
  it.each<[string, Family[], string | string[]]>([
    ['web.example', [4, 6], ['2001:db8::1', '203.0.113.1']],
    ['web.example', [4], ['203.0.113.1']],
    ['old.example', [4, 6], ['203.0.113.2']],
    ['old.example', [6], 'NODATA'],
    ['web', [4], ['10.96.0.1']],
    ['web.', [4], 'NXDOMAIN'],
    ['none.example', [4], 'NXDOMAIN'],
    ['broken.example', [4], 'SERVFAIL'],
    ['192.0.2.9', [4, 6], ['192.0.2.9']],
    ['2001:db8::9', [4], 'NODATA'],
    ['a..b', [4], 'NXDOMAIN'],
  ])('%s for %j is %j', (name, families, expected) => expect(resolve(withServer(), name, families)).toEqual({ result: expected, ms: 0 }));

  it('looks into the hosts file first', () => {
    const lab = withServer();
    lab.client.hosts.set('web.example', [ip('192.0.2.80')]);
    expect(resolve(lab, 'web.example').result).toEqual(['192.0.2.80']);
    expect(resolve(lab, 'web.example', [6]).result).toEqual(['2001:db8::1']);
  });

  it('asks the next server when one does not listen, after 5 s when one is silent', () => {
    expect(resolve(withServer(['192.0.2.1', '198.51.100.2']), 'web.example', [4, 6])).toEqual({
      result: ['2001:db8::1', '203.0.113.1'],
      ms: 0,
    });
    const lab = withServer(['203.0.113.53', '198.51.100.2']);
    lab.middle.addInterface({ name: 'out', kind: 'uplink' }).setUp();
    lab.middle.routes.add({ destination: prefix('203.0.113.0/24'), nextHops: [{ device: 'out' }] });
    expect(resolve(lab, 'web.example', [4])).toEqual({ result: ['203.0.113.1'], ms: 5000 });
  });

  it('gives up', () => {
    const silent = withServer();
    silent.server.netfilter.append(4, 'filter', 'INPUT', { protocol: 'udp', target: { kind: 'drop' } });
    expect(resolve(silent, 'web.example', [4])).toEqual({ result: 'TIMEOUT', ms: 10_000 });
    expect(resolve(silent, 'web.example', [4], 1500)).toEqual({ result: 'TIMEOUT', ms: 1500 });
    expect(resolve(withServer([]), 'web.example')).toEqual({ result: 'SERVFAIL', ms: 0 });
    expect(resolve(withServer(['192.0.2.1']), 'web.example')).toEqual({ result: 'SERVFAIL', ms: 0 });
  });
});
