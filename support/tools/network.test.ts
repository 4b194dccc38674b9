import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../verdict/errors.ts';
import { hostPrefix, isInside, isSame, urlHost } from './addresses.ts';
import { describeAnswer, refusalOf, saysAddress } from './answers.ts';
import { curlArgv, parseCurl, parseCurlInPod } from './curl.ts';
import { observeArgv, parseFlows } from './hubble.ts';
import { parseAddresses, parseRouteGet, routeGetArgv } from './ip.ts';
import { result } from './result.fixture.ts';

describe('addresses', () => {
  it.each([
    ['192.0.2.7', '192.0.2.0/24', true],
    ['192.0.3.7', '192.0.2.0/24', false],
    ['203.0.113.200', '203.0.113.200/29', true],
    ['203.0.113.208', '203.0.113.200/29', false],
    ['2001:db8:0:1::7', '2001:db8:0:1::/64', true],
    ['2001:db8:0:2::7', '2001:db8:0:1::/64', false],
    ['2001:db8::7', '192.0.2.0/24', false],
    ['2001:db8:dead:beef::', '2001:db8:dead:beef::0/64', true],
  ])('%s in %s: %s', (address, cidr, inside) => expect(isInside(address, cidr)).toBe(inside));

  it.each([
    ['2001:db8::0:1', '2001:db8::1', true],
    ['2001:db8::/64', '2001:db8:0:0::/64', true],
    ['2001:db8::/64', '2001:db8::/65', false],
    ['192.0.2.1', '192.0.2.1/32', true],
    ['192.0.2.1', '2001:db8::1', false],
  ])('%s is %s: %s', (a, b, same) => expect(isSame(a, b)).toBe(same));

  it('in prefixes and URLs', () => {
    expect([hostPrefix('192.0.2.1'), hostPrefix('2001:db8::1')]).toEqual(['192.0.2.1/32', '2001:db8::1/128']);
    expect([urlHost('192.0.2.1'), urlHost('2001:db8::1')]).toEqual(['192.0.2.1', '[2001:db8::1]']);
  });
});

describe('curl', () => {
  it('has a limit', () => expect(curlArgv('http://192.0.2.1/')).toEqual(['curl', '-sS', '--max-time', '2', 'http://192.0.2.1/']));

  it('answers', () => expect(parseCurl(result('hello\n'))).toEqual({ answered: true, body: 'hello\n' }));

  it.each([
    [28, 'curl: (28) Connection timed out after 2001 milliseconds'],
    [7, "curl: (7) Failed to connect to 192.0.2.1 port 81 after 0 ms: Couldn't connect to server"],
    [6, 'curl: (6) Could not resolve host: web.example'],
    [52, 'curl: (52) Empty reply from server'],
  ])('exit status %d is no answer', (exitCode, message) => {
    expect(parseCurl(result('', { exitCode, stderr: `${message}\n` }))).toEqual({ answered: false, reason: message });
  });

  it('through kubectl exec, whose own line comes last', () => {
    const stderr = 'curl: (28) Connection timed out after 2001 milliseconds\ncommand terminated with exit code 28\n';
    expect(parseCurl(result('', { exitCode: 28, stderr }))).toEqual({
      answered: false,
      reason: 'curl: (28) Connection timed out after 2001 milliseconds',
    });
  });

  it.each([
    ['Error from server (BadRequest): pod web-1 does not have a host assigned', 'pod web-1 does not have a host assigned'],
    ['Error from server (NotFound): pods "web-1" not found', 'pods "web-1" not found'],
    ['error: unable to upgrade connection: container not found ("web")', 'unable to upgrade connection: container not found ("web")'],
  ])('in a pod that does not run: %s', (line, reason) => {
    expect(parseCurlInPod(result('', { exitCode: 1, stderr: `${line}\n` }))).toEqual({ answered: false, reason });
  });

  it('in a pod that runs is curl', () => {
    expect(parseCurlInPod(result('hello\n'))).toEqual({ answered: true, body: 'hello\n' });
    expect(() => parseCurlInPod(result('', { exitCode: 1, stderr: 'The connection to the server x was refused\n' }))).toThrow(
      EnvironmentError,
    );
  });

  it('a bad URL is no verdict', () => {
    expect(() => parseCurl(result('', { exitCode: 3, stderr: 'curl: (3) URL using bad/illegal format or missing URL\n' }))).toThrow(
      EnvironmentError,
    );
  });

  it('answers in words', () => {
    const denied = { answered: true, body: 'Denied. You are 192.0.2.10.\n' } as const;
    expect(describeAnswer(denied)).toBe('"Denied. You are 192.0.2.10."');
    expect(describeAnswer({ answered: true, body: '{\n "a": 1\n}\n' })).toBe('"{ …"');
    expect(refusalOf(denied, 'Denied', 'web-1')).toEqual([]);
    expect(refusalOf(denied, 'Granted', 'web-1')).toEqual(['web-1: "Denied. You are 192.0.2.10."']);
    expect(refusalOf({ answered: false, reason: 'curl: (28) late' }, 'Denied', 'web-1')).toEqual(['web-1: curl: (28) late']);
    expect(saysAddress(denied, '192.0.2.10')).toBe(true);
    expect(saysAddress(denied, '192.0.2.1')).toBe(false);
    expect(saysAddress({ answered: true, body: 'from (2001:db8::1)' }, '2001:db8::1')).toBe(true);
  });
});

describe('ip', () => {
  it('addresses of a device', () => {
    const output = JSON.stringify([{ ifindex: 2, ifname: 'net1', addr_info: [{ family: 'inet', local: '192.0.2.42', prefixlen: 24 }] }]);
    expect(parseAddresses(result(output))).toEqual(['192.0.2.42/24']);
    expect(parseAddresses(result('[{"ifname":"net1","addr_info":[]}]'))).toEqual([]);
  });

  it('no such device is nothing', () => {
    expect(parseAddresses(result('', { exitCode: 1, stderr: 'Device "net1" does not exist.\n' }))).toBeUndefined();
  });

  it.each([
    [
      'by a gateway',
      '192.0.2.9 via 198.51.100.1 dev net0 src 198.51.100.2 uid 0 \n    cache \n',
      { gateway: '198.51.100.1', device: 'net0' },
    ],
    [
      'by a gateway of the other family',
      '192.0.2.9 via inet6 2001:db8::2 dev net2 src 192.0.2.1 uid 0 \n',
      { gateway: '2001:db8::2', device: 'net2' },
    ],
    ['directly', '192.0.2.9 dev net0 src 192.0.2.2 uid 0 \n    cache \n', { gateway: undefined, device: 'net0' }],
    [
      'IPv6',
      '2001:db8::9 from :: via 2001:db8:1::1 dev net0 src 2001:db8:1::2 metric 1024 pref medium\n',
      { gateway: '2001:db8:1::1', device: 'net0' },
    ],
  ])('a route %s', (_name, output, route) => expect(parseRouteGet(result(output))).toEqual(route));

  it('no route', () => {
    expect(parseRouteGet(result('', { exitCode: 2, stderr: 'RTNETLINK answers: Network is unreachable\n' }))).toEqual({
      unroutable: 'RTNETLINK answers: Network is unreachable',
    });
  });

  it('asks in the right family', () => {
    expect(routeGetArgv('192.0.2.1')).toEqual(['ip', 'route', 'get', '192.0.2.1']);
    expect(routeGetArgv('2001:db8::1')).toEqual(['ip', '-6', 'route', 'get', '2001:db8::1']);
  });
});

describe('hubble', () => {
  it('asks for flows between pods whose names begin so', () => {
    const argv = observeArgv({ namespace: 'shop', name: 'web' }, { namespace: 'shop', name: 'db' });
    expect(argv).toEqual(['hubble', 'observe', '--from-pod', 'shop/web', '--to-pod', 'shop/db', '--last', '40', '-o', 'json']);
  });

  it('gives flows, and leaves out notices about nodes', () => {
    const flow = {
      verdict: 'FORWARDED',
      IP: { ipVersion: 'IPv6' },
      source: { pod_name: 'web-1' },
      destination: { pod_name: 'db-1' },
      Type: 'L3_L4',
    };
    const lines = [{ node_status: { state_change: 'NODE_UNAVAILABLE' } }, { flow, node_name: 'n1' }];
    expect(parseFlows(result(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`))).toEqual({
      isReachable: true,
      flows: [{ sourcePod: 'web-1', destinationPod: 'db-1', family: 'IPv6', verdict: 'FORWARDED', type: 'L3_L4' }],
    });
  });

  it('tells that the relay does not answer, which is a state of the lab', () => {
    const stderr = "failed to connect to 'localhost:4245': connection refused\n";
    expect(parseFlows(result('', { exitCode: 1, stderr }))).toEqual({ isReachable: false, reason: stderr.trim() });
  });
});
