import { describe, expect, it } from 'vitest';
import { compareRecordings } from './drift.ts';
import { diffLines, hunks } from './line-diff.ts';
import { canonicalJson, masksFor } from './masks.ts';
import type { ComparedCommand, Recording } from './recording.ts';

const networks = { pods: ['198.51.100.0/24', '2001:db8:1::/48'], services: ['203.0.113.0/24'] };
const masked = (text: string) => masksFor(networks).reduce((result, { apply }) => apply(result), text);

describe('what differs between any two runs is masked, and nothing else', () => {
  it.each([
    ['pod names of a deployment', 'pod/web-6d4b75cb6d-hwfx8 and web-4-6d4b75cb6d-hwfx8', 'pod/web-<suffix> and web-4-<suffix>'],
    ['pod names of a daemon set', 'cilium-x7k2p   1/1', 'cilium-<suffix> 1/1'],
    ['not names of words', 'clab-lab-router0 kind-control-plane hubble-relay', 'clab-lab-router0 kind-control-plane hubble-relay'],
    ['pod addresses', '198.51.100.7 2001:db8:1:2::a', '<pod-ip> <pod-ip>'],
    ['not pod prefixes', '198.51.100.0/25 2001:db8:1:2::/64', '198.51.100.0/25 2001:db8:1:2::/64'],
    ['pod addresses as prefixes', '198.51.100.7/32 2001:db8:1:2::a/128', '<pod-ip>/32 <pod-ip>/128'],
    ['not addresses of others', '192.0.2.1 2001:db8:2::1', '192.0.2.1 2001:db8:2::1'],
    ['cluster IPs and node ports', '203.0.113.9   80:31234/TCP', '<cluster-ip> 80:<node-port>/TCP'],
    ['not ports of a service', '80/TCP 8080:80', '80/TCP 8080:80'],
    ['client ports', '198.51.100.7:45678 -> 192.0.2.1:80', '<pod-ip>:<port> -> 192.0.2.1:80'],
    ['client ports of IPv6', '[2001:db8:1:2::a]:45678', '[<pod-ip>]:<port>'],
    ['MACs', 'link/ether aa:c1:ab:00:11:22 brd ff:ff:ff:ff:ff:ff', 'link/ether <mac> brd <mac>'],
    ['link-local addresses', 'inet6 fe80::a8c1:abff:fe00:1122/64', 'inet6 fe80::<host>/64'],
    ['not other IPv6 addresses of hexadecimal pairs', '2001:db8:aa:bb:cc:dd:ee:ff', '2001:db8:aa:bb:cc:dd:ee:ff'],
    ['uids and versions', 'uid: 4af3a2a4-a4a2-4b1c-8d2e-0123456789ab\nresourceVersion: "405"', 'uid: <uid>\nresourceVersion: "<version>"'],
    ['timestamps', '2026-01-12T08:01:10.391Z and Jan 12 08:01:10.391:', '<timestamp> and <timestamp>:'],
    ['identities', '(ID:24563) (ID:2)', '(ID:<identity>) (ID:2)'],
    ['ages in columns', 'web   1/1   Running   1 (5m ago)   3m12s   198.51.100.7', 'web 1/1 Running 1 (<age> ago) <age> <pod-ip>'],
    ['ages at the end of a line', 'web   1/1     2d3h', 'web 1/1 <age>'],
    ['not durations in sentences', 'timeout 30s exceeded; hold 90s', 'timeout 30s exceeded; hold 90s'],
    ['uptimes of FRR', '192.0.2.1 4 64500 12 13 0 0 0 00:01:07 3', '192.0.2.1 4 64500 <n> <n> <n> 0 0 <age> 3'],
    ['round trips', '64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.042 ms', '64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=<time>'],
    ['padding', 'NAME     STATUS   \na        b', 'NAME STATUS\na b'],
  ])('%s', (_name, text, expected) => expect(masked(text)).toBe(expected));

  it('in JSON, whose keys have no order', () => {
    expect(canonicalJson('{"b": 1, "a": {"uid": "x", "name": "y"}}')).toBe(canonicalJson('{"a": {"name": "y", "uid": "z"}, "b": 1}'));
    expect(canonicalJson('{"b": 1}')).not.toBe(canonicalJson('{"b": 2}'));
    expect(canonicalJson('NAME')).toBeUndefined();
  });
});

const command = (argv: string, stdout: string, more: Partial<ComparedCommand> = {}): ComparedCommand => ({
  challenge: 'one',
  feature: 'one.feature',
  scenario: 's',
  scenarioNumber: 1,
  step: 'it holds',
  line: 5,
  container: null,
  argv: argv.split(' '),
  stdin: null,
  exitCode: 0,
  error: null,
  stdout,
  stderr: '',
  ...more,
});
const recording = (...commands: ComparedCommand[]): Recording => ({ path: 'x', header: undefined, commands });
const told = (a: Recording, b: Recording) =>
  compareRecordings(a, b).comparisons.map(({ command: typed, kind, what, times }) => [typed, kind, what.join(', '), times.join('/')]);

describe('commands of two recordings', () => {
  it('that were asked for a different number of times are compared by their last answers', () => {
    const a = recording(command('get x', '0\n'), command('get x', '0\n'), command('get x', '3\n'));
    expect(told(a, recording(command('get x', '3\n')))).toEqual([['get x', 'same', '', '3/1']]);
    expect(told(a, recording(command('get x', '2\n')))).toEqual([['get x', 'different', 'output', '3/1']]);
  });

  it('differ in their exit status, error output and errors of the environment', () => {
    const a = recording(command('get x', ''));
    const b = recording(command('get x', '', { exitCode: null, stderr: 'no\n', error: 'get gave no answer in 30 s' }));
    expect(told(a, b)).toEqual([
      ['get x', 'different', 'exit status 0 → none, error output, error none → get gave no answer in 30 s', '1/1'],
    ]);
  });

  it('of a pod with another suffix are the same command', () => {
    const a = recording(command('logs web-6d4b75cb6d-hwfx8', ''));
    const b = recording(command('logs web-6d4b75cb6d-zk9tv', ''));
    expect(told(a, b)).toEqual([['logs web-6d4b75cb6d-hwfx8', 'same', '', '1/1']]);
  });

  it('that only one has stand where it has them', () => {
    const a = recording(command('a', ''), command('b', ''), command('d', ''));
    const b = recording(command('a', ''), command('c', ''), command('d', ''));
    expect(told(a, b).map(([typed, kind]) => `${typed} ${kind}`)).toEqual(['a same', 'b only in A', 'c only in B', 'd same']);
  });

  it('of scenarios of one name are told apart by their order', () => {
    const second = { scenarioNumber: 2 };
    const a = recording(command('a', '1\n'), command('a', '2\n', second));
    expect(told(a, recording(command('a', '1\n', { scenarioNumber: 4 }), command('a', '3\n', { scenarioNumber: 5 })))).toEqual([
      ['a', 'same', '', '1/1'],
      ['a', 'different', 'output', '1/1'],
    ]);
  });

  it('that list traffic are compared by the kinds of their lines', () => {
    const a = recording(command('hubble observe', 'x <> y\nx <> y\nz\n'));
    expect(told(a, recording(command('hubble observe', 'z\nx <> y\n')))).toEqual([['hubble observe', 'same', '', '1/1']]);
    expect(told(a, recording(command('hubble observe', 'z\n')))).toEqual([['hubble observe', 'different', 'output', '1/1']]);
  });
});

describe('lines of two texts', () => {
  const text = (a: string, b: string) =>
    diffLines([...a], [...b])
      .map(({ kind, text: line }) => `${{ same: ' ', removed: '-', added: '+' }[kind]}${line}`)
      .join('');

  it.each([
    ['abc', 'abc', ' a b c'],
    ['abc', 'axc', ' a-b+x c'],
    ['', 'ab', '+a+b'],
    ['ab', '', '-a-b'],
    ['abcabba', 'cbabac', '-a-b c+b a b-b a+c'],
  ])('%j → %j', (a, b, expected) => expect(text(a, b)).toBe(expected));

  it('are shown with their neighbours only', () => {
    const lines = diffLines([...'abcdefgh', 'x'], [...'abcdefgh', 'y']);
    expect(hunks(lines, 1).map((line) => (line === 'gap' ? '…' : line.text))).toEqual(['h', 'x', 'y']);
  });
});
