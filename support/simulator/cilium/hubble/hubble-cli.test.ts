import { describe, expect, it } from 'vitest';
import type { CommandContext, CommandResult, Container } from '../../docker/types.ts';
import { createTestbed, type Testbed, type TestPod } from '../agent/datapath/testbed.ts';
import type { CiliumInstallation, RunningAgent } from '../types.ts';
import { createHubbleCli } from './hubble-cli.ts';

function installationOf(bed: Testbed, relay: TestPod, isReady = true): CiliumInstallation {
  Object.assign(bed.cluster.server, { containerOf: () => ({ namespace: relay.namespace }) as unknown as Container });
  const agents = bed.nodes.map((node): RunningAgent => {
    const datapath = bed.datapaths.get(node.name);
    return {
      context: { node, config: new Map([['hubble-listen-address', ':4244']]) } as unknown as RunningAgent['context'],
      flows: datapath?.flows,
      bgp: undefined,
      debug: () => undefined,
    };
  });
  return { cluster: bed.cluster, version: { major: 1, minor: 16, patch: 0, text: '1.16.0' }, agents, isHubbleRelayReady: () => isReady };
}

function prepare() {
  const bed = createTestbed();
  const relay = bed.addPod('node-c', 'hubble-relay-1', { namespace: 'kube-system', labels: { 'k8s-app': 'hubble-relay' }, server: false });
  const web = bed.addPod('node-a', 'web-1', { labels: { app: 'web' } });
  const asker = bed.addPod('node-b', 'asker', { labels: { app: 'asker' }, server: false });
  // Until the other nodes have heard of a new pod, its address is the world's to them.
  bed.advance(100);
  const installation = installationOf(bed, relay);
  const run = (...args: string[]): CommandResult =>
    createHubbleCli(() => installation)(args, { clock: bed.clock, env: new Map() } as unknown as CommandContext) as CommandResult;
  return { bed, web, asker, run, relay };
}

/** Without the times, identities and ports, which the seed decides. */
function shape(text: string, names: Readonly<Record<string, string>>): string[] {
  let plain = text.replaceAll(/^\w{3} [ \d]\d [\d:]+\.\d+: /gm, '');
  for (const [address, name] of Object.entries(names)) plain = plain.replaceAll(address, name);
  return plain
    .replaceAll(/ASK(\]?):\d+/g, 'ASK$1:PORT')
    .replaceAll(/asker:\d+/g, 'asker:PORT')
    .replaceAll(/\(ID:\d+\)/g, '(ID)')
    .split('\n')
    .filter((line) => line !== '');
}

describe('hubble observe', () => {
  const { bed, web, asker, run } = prepare();
  bed.request(asker.namespace, { ip: web.ip4, port: 80 });
  bed.request(asker.namespace, { ip: web.ip6, port: 80 });
  const names = { [web.ip4.text]: 'WEB', [web.ip6.text]: 'WEB6', [asker.ip4.text]: 'ASK', [asker.ip6.text]: 'ASK' };

  it('shows one request as the receiving node saw it, in the lines of the recordings', () => {
    const result = run(
      'observe',
      '--from-pod',
      'default/asker',
      '--to-pod',
      'default/web',
      '--ip-translation=false',
      '--node-name',
      'node-a',
      '-4',
    );
    expect({ ...result, stdout: shape(result.stdout, names) }).toEqual({
      stdout: [
        'ASK:PORT (ID) -> WEB:80 (ID) to-endpoint FORWARDED (TCP Flags: SYN)',
        'ASK:PORT (ID) -> WEB:80 (ID) to-endpoint FORWARDED (TCP Flags: ACK)',
        'ASK:PORT (ID) <> WEB (ID) pre-xlate-rev TRACED (TCP)',
        'ASK:PORT (ID) -> WEB:80 (ID) to-endpoint FORWARDED (TCP Flags: ACK, PSH)',
        'ASK:PORT (ID) -> WEB:80 (ID) to-endpoint FORWARDED (TCP Flags: ACK, FIN)',
        'ASK:PORT (ID) -> WEB:80 (ID) to-endpoint FORWARDED (TCP Flags: ACK)',
      ],
      stderr: '',
      exitCode: 0,
    });
  });
  it('has a socket line for each address of a dual-stack receiver of an IPv4 peer, one for an IPv6 peer', () => {
    const traced = shape(
      run('observe', '--from-pod', 'asker', '--to-pod', 'web', '--ip-translation=false', '--verdict', 'TRACED').stdout,
      names,
    );
    expect(traced).toEqual([
      'ASK:PORT (ID) <> WEB6 (ID) pre-xlate-rev TRACED (TCP)',
      'ASK:PORT (ID) <> WEB (ID) pre-xlate-rev TRACED (TCP)',
      '[ASK]:PORT (ID) <> WEB6 (ID) pre-xlate-rev TRACED (TCP)',
    ]);
  });
  it('turns replies round and names pods', () => {
    const [line] = shape(run('observe', '--from-pod', 'web', '--to-pod', 'asker', '--last', '1', '--node-name', 'node-b').stdout, {});
    expect(line).toBe('default/asker:PORT (ID) <- default/web-1:80 (ID) to-endpoint FORWARDED (TCP Flags: ACK, FIN)');
  });
  it('prints other formats', () => {
    const table = run('observe', '--last', '1', '-o', 'table', '--node-name', 'node-a', '--from-pod', 'asker').stdout.split('\n');
    expect(table[0]).toMatch(/^TIMESTAMP {13}SOURCE +DESTINATION +TYPE +VERDICT +SUMMARY$/);
    const json: unknown = JSON.parse(run('observe', '--last', '1', '-o', 'json', '--node-name', 'node-a', '--from-pod', 'asker').stdout);
    expect(json).toMatchObject({
      flow: {
        verdict: 'FORWARDED',
        IP: { source: asker.ip6.text, destination: web.ip6.text, ipVersion: 'IPv6' },
        l4: { TCP: { destination_port: 80, flags: { ACK: true } } },
        Type: 'L3_L4',
        event_type: { type: 4 },
        trace_observation_point: 'TO_ENDPOINT',
        is_reply: false,
      },
      node_name: 'node-a',
    });
    const dict = run(
      'observe',
      '--last',
      '2',
      '-o',
      'dict',
      '--print-node-name',
      '--node-name',
      'node-a',
      '--from-pod',
      'asker',
    ).stdout.split('\n');
    expect(dict.map((line) => line.split(':')[0])).toEqual([
      '  TIMESTAMP',
      '       NODE',
      '     SOURCE',
      'DESTINATION',
      '       TYPE',
      '    VERDICT',
      '    SUMMARY',
      '------------',
      '  TIMESTAMP',
      '       NODE',
      '     SOURCE',
      'DESTINATION',
      '       TYPE',
      '    VERDICT',
      '    SUMMARY',
      '',
    ]);
  });
  it.each([
    [['observe', '--verdict', 'dropped'], 'invalid argument "dropped" for "--verdict" flag: invalid --verdict value: dropped'],
    [
      ['observe', '--from-pod', 'a/b', '--namespace', 'a'],
      'invalid argument "a" for "-n, --namespace" flag: filters --from-pod and --namespace cannot be combined',
    ],
    [['observe', '--first', '1', '--last', '1'], 'cannot set both --first and --last'],
    [['observe', '--not', '--not', '--ip', '192.0.2.1'], 'invalid argument "true" for "--not" flag: consecutive --not statements'],
    [['observe', '--not'], 'trailing --not found in the arguments'],
    [['observe', '--tcp-flags', 'X'], 'invalid argument "X" for "--tcp-flags" flag: unknown tcp flag: X'],
    [['observe', '-o', 'xml'], 'invalid output format: xml'],
    [['observe', '--bogus'], 'unknown flag: --bogus'],
    [['observe', '-f', '-o', 'table'], 'table output format is not compatible with follow mode'],
  ])('%j is refused', (args, text) => {
    expect(run(...args)).toEqual({ stdout: '', stderr: `${text}\n`, exitCode: 1 });
  });
  it.each([
    ['a port', ['--to-port', '80'], true],
    ['another port', ['--to-port', '81'], false],
    ['a label', ['--from-label', 'app=asker'], true],
    ['a source and a label', ['--from-label', 'k8s:app=web', '--to-label', 'app=asker'], true],
    ['an address', ['--from-ip', '203.0.113.0/24'], true],
    ['a wrong namespace', ['--from-pod', 'other/asker'], false],
    ['a negation', ['--from-pod', 'asker', '--not', '--protocol', 'tcp'], false],
    ['a type', ['-t', 'trace:to-endpoint'], true],
    ['a direction', ['--traffic-direction', 'egress', '--from-pod', 'asker'], true],
  ] as const)('filters by %s', (_name, args, isFound) => {
    expect(run('observe', ...args).stdout !== '').toBe(isFound);
  });
});

describe('the relay', () => {
  it('tells of nodes that it does not reach', () => {
    const { bed, run } = prepare();
    bed.datapaths.get('node-b')?.stop('killed');
    expect(run('observe', '--from-pod', 'nobody').stderr.replace(/^.*? \[/, '[')).toBe(
      '[hubble-relay-1]: 1 nodes are unavailable: node-b\n',
    );
    expect(run('status').stdout).toMatch(
      /^Healthcheck \(via localhost:4245\): Ok\nCurrent\/Max Flows: \d+\/8,190 \(\d+\.\d\d%\)\nFlows\/s: \d+\.\d\d\nConnected Nodes: 2\/3\nUnavailable Nodes: 1\n {2}- node-b\n$/,
    );
    expect(
      run('list', 'nodes')
        .stdout.split('\n')
        .map((line) => line.split(/\s+/).slice(0, 2).join(' ')),
    ).toEqual(['NAME STATUS', 'node-a Connected', 'node-b Unavailable', 'node-c Connected', '']);
  });
  it('is not there: connection refused', () => {
    const { bed, relay } = prepare();
    const installation = installationOf(bed, relay, false);
    const result = createHubbleCli(() => installation)(['observe'], { clock: bed.clock, env: new Map() } as unknown as CommandContext);
    expect(result).toEqual({
      stdout: '',
      stderr: `failed to connect to 'localhost:4245': connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:4245: connect: connection refused"\n`,
      exitCode: 1,
    });
  });
});
