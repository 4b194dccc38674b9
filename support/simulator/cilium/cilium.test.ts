import { beforeAll, describe, expect, it } from 'vitest';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import { createEngine } from '../docker/engine.ts';
import type { CommandContext } from '../docker/types.ts';
import { createCluster } from '../kubernetes/kind.ts';
import type { Service } from '../kubernetes/objects.ts';
import { createShell } from '../linux/shell.ts';
import { createNetwork } from '../net/network.ts';
import { createCiliumCli } from './cli/cilium-cli.ts';
import { installCilium, uninstall } from './install.ts';

/** Every layer below at work: a kind cluster whose network comes from the chart's values. */
function boot(values: Readonly<Record<string, unknown>>, version = '1.16.0') {
  const clock = new SimulatedClock(1_700_000_000_000);
  const random = new Random('cilium');
  const network = createNetwork({ clock, random: random.stream('network') });
  const engine = createEngine({ network, clock, random: random.stream('docker'), hostNamespace: network.createNamespace('host') });
  engine.shell = createShell(engine);
  const cluster = createCluster({
    config: {
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      name: 'test',
      networking: {
        ipFamily: 'dual',
        disableDefaultCNI: true,
        kubeProxyMode: 'none',
        podSubnet: '203.0.112.0/20,2001:db8:f::/48',
        serviceSubnet: '198.51.100.0/24,2001:db8:e::/112',
      },
      nodes: [{ role: 'control-plane' }, { role: 'worker' }],
    },
    engine,
    random: random.stream('kubernetes'),
  });
  clock.advance(5_000);
  const installation = installCilium(cluster, { version, values });
  const cli = createCiliumCli(
    () => installation,
    () => cluster.server,
  );
  const context = { clock, isTerminal: false } as CommandContext;
  const cilium = async (...args: readonly string[]) => cli(args, context);
  const inAgent = async (...argv: readonly string[]) => {
    const pod =
      cluster.server.client.list('pods', { namespace: 'kube-system', labels: { matchLabels: { 'k8s-app': 'cilium' } } })[0]?.metadata
        .name ?? '';
    const result = await cluster.server.execInPod?.({ namespace: 'kube-system', pod, container: 'cilium-agent', argv });
    return result;
  };
  return { clock, cluster, api: cluster.server.client, installation, cilium, inAgent };
}

const native = {
  kubeProxyReplacement: true,
  ipam: { mode: 'kubernetes' },
  routingMode: 'native',
  ipv4NativeRoutingCIDR: '203.0.112.0/20',
  ipv6NativeRoutingCIDR: '2001:db8:f::/48',
  ipv6: { enabled: true },
  bgpControlPlane: { enabled: true },
  l2announcements: { enabled: true },
};

describe('an installed Cilium', () => {
  let lab: ReturnType<typeof boot>;
  beforeAll(() => {
    lab = boot({ ...native, hubble: { relay: { enabled: true }, ui: { enabled: true } } });
  });

  it('is waited for', async () => {
    const { stdout, stderr, exitCode } = await lab.cilium('status', '--wait');
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(stdout).toBe(`    /¯¯\\
 /¯¯\\__/¯¯\\    Cilium:             OK
 \\__/¯¯\\__/    Operator:           OK
 /¯¯\\__/¯¯\\    Envoy DaemonSet:    OK
 \\__/¯¯\\__/    Hubble Relay:       OK
    \\__/       ClusterMesh:        disabled

Deployment             cilium-operator    Desired: 2, Ready: 2/2, Available: 2/2
Deployment             hubble-ui          Desired: 1, Ready: 1/1, Available: 1/1
Deployment             hubble-relay       Desired: 1, Ready: 1/1, Available: 1/1
DaemonSet              cilium-envoy       Desired: 2, Ready: 2/2, Available: 2/2
DaemonSet              cilium             Desired: 2, Ready: 2/2, Available: 2/2
Containers:            cilium             Running: 2
                       cilium-operator    Running: 2
                       hubble-ui          Running: 1
                       hubble-relay       Running: 1
                       cilium-envoy       Running: 2
Cluster Pods:          5/5 managed by Cilium
Helm chart version:    1.16.0
Image versions         cilium             quay.io/cilium/cilium:v1.16.0@sha256:46ffa4ef3cf6d8885dcc4af5963b0683f7d59daa90d49ed9fb68d3b1627fe058: 2
                       cilium-operator    quay.io/cilium/operator-generic:v1.16.0@sha256:d6621c11c4e4943bf2998af7febe05be5ed6fdcf812b27ad4388f47022190316: 2
                       hubble-ui          quay.io/cilium/hubble-ui:v0.13.1@sha256:e2e9313eb7caf64b0061d9da0efbdad59c6c461f6ca1752768942bfeda0796c6: 1
                       hubble-ui          quay.io/cilium/hubble-ui-backend:v0.13.1@sha256:0e0eed917653441fded4e7cdb096b7be6a3bddded5a2dd10812a27b1fc6ed95b: 1
                       hubble-relay       quay.io/cilium/hubble-relay:v1.16.0@sha256:33fca7776fc3d7b2abe08873319353806dc1c5e07e12011d7da4da05f836ce8d: 1
                       cilium-envoy       quay.io/cilium/cilium-envoy:v1.29.7-39a2a56bbd5b3a591f69dbca51d3e30ef97e0e51@sha256:bd5ff8c66716080028f414ec1cb4f7dc66f40d2fb5a009fff187f4a9b90b566b: 2
`);
  });

  it('shows its configuration with the values in column 50', async () => {
    const { stdout } = await lab.cilium('config', 'view');
    expect(stdout.split('\n').filter((line) => /enable-ipv. /.test(line))).toEqual([
      'enable-ipv4                                       true',
      'enable-ipv6                                       true',
    ]);
  });

  it('tells its version', async () => {
    expect((await lab.cilium('version')).stdout.split('\n').at(-2)).toBe('cilium image (running): 1.16.0');
  });

  it('gives a service its addresses, and the pool its counts', () => {
    lab.api.create({
      apiVersion: 'cilium.io/v2alpha1',
      kind: 'CiliumLoadBalancerIPPool',
      metadata: { name: 'pool' },
      spec: { blocks: [{ cidr: '192.0.2.8/29' }, { cidr: '2001:db8:1::/64' }] },
    });
    lab.api.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 80 }], selector: { app: 'web' } },
    });
    lab.clock.advance(1_000);
    const { status } = lab.api.get<Service>('services', 'web', 'default') as Service;
    expect(status).toEqual({
      conditions: [
        {
          lastTransitionTime: expect.stringMatching(/^2023-11-14T22:\d\d:\d\dZ$/),
          message: '',
          reason: 'satisfied',
          status: 'True',
          type: 'cilium.io/IPAMRequestSatisfied',
        },
      ],
      loadBalancer: { ingress: [{ ip: '192.0.2.8' }, { ip: '2001:db8:1::' }] },
    });
    const pool = lab.api.get('ciliumloadbalancerippools.cilium.io', 'pool')?.['status'] as {
      conditions: readonly Record<string, unknown>[];
    };
    expect(
      pool.conditions.map(({ type, status: value, reason, message, observedGeneration }) => [
        type,
        value,
        reason,
        message,
        observedGeneration,
      ]),
    ).toEqual([
      ['cilium.io/PoolConflict', 'False', 'resolved', '', 1],
      ['cilium.io/IPsTotal', 'Unknown', 'noreason', '18446744073709551624', 1],
      ['cilium.io/IPsAvailable', 'Unknown', 'noreason', '18446744073709551622', 1],
      ['cilium.io/IPsUsed', 'Unknown', 'noreason', '2', 1],
    ]);
    lab.api.delete('ciliumloadbalancerippools.cilium.io', 'pool');
    lab.clock.advance(1_000);
    // The first block's address goes, then the operator of 1.16.0 panics at the second.
    expect((lab.api.get<Service>('services', 'web', 'default') as Service).status.loadBalancer).toEqual({
      ingress: [{ ip: '2001:db8:1::' }],
    });
  });

  it.each<{ name: string; args: readonly string[]; stdout?: string; stderr?: string; exitCode: number }>([
    {
      name: 'no peers',
      args: ['bgp', 'peers'],
      stdout: 'Node   Local AS   Peer AS   Peer Address   Session State   Uptime   Family   Received   Advertised\n',
      exitCode: 0,
    },
    {
      name: 'no peers as JSON',
      args: ['bgp', 'peers', '-o', 'json'],
      stdout: '{\n "test-control-plane": [],\n "test-worker": []\n}\n',
      exitCode: 0,
    },
    {
      name: 'one node only',
      args: ['bgp', 'peers', '-o', 'json', '--node', 'test-worker'],
      stdout: '{\n "test-worker": []\n}\n',
      exitCode: 0,
    },
    {
      name: 'a bad family',
      args: ['bgp', 'routes', 'available', 'ipx'],
      stderr: '\nError: Unable to get BGP routes: unknown AFI `ipx`\n',
      exitCode: 1,
    },
    { name: 'too few words', args: ['config', 'set', 'debug'], stderr: 'accepts 2 arg(s), received 1\n', exitCode: 1 },
    { name: 'an unknown flag', args: ['status', '--verbos'], stderr: 'unknown flag: --verbos\n', exitCode: 1 },
    {
      name: 'an unknown command',
      args: ['stats'],
      stderr: 'unknown command "stats" for "cilium"\n\nDid you mean this?\n\tstatus\n\n',
      exitCode: 1,
    },
    { name: 'what is not simulated', args: ['connectivity', 'test'], stderr: 'not simulated: cilium connectivity test\n', exitCode: 1 },
    {
      name: 'a way to the relay',
      args: ['hubble', 'port-forward'],
      stdout: 'ℹ️  Hubble Relay is available at 127.0.0.1:4245\n',
      exitCode: 0,
    },
  ])('answers: $name', async ({ args, stdout = '', stderr = '', exitCode }) => {
    expect(await lab.cilium(...args)).toEqual({ stdout, stderr, exitCode });
  });

  it.each<{ argv: readonly string[]; stdout: string; stderr?: string; exitCode?: number }>([
    {
      argv: ['cilium-dbg', 'bgp', 'peers'],
      stdout: 'Local AS   Peer AS   Peer Address   Session   Uptime   Family   Received   Advertised\n',
    },
    { argv: ['cilium', 'status', '--brief'], stdout: 'OK\n' },
    { argv: ['cilium-dbg', 'statedb', 'l2-announce'], stdout: '# IP   NetworkInterface\n' },
    { argv: ['cilium-dbg', 'shell', '--', 'db/show', 'l2-announce'], stdout: 'IP   NetworkInterface\n' },
    {
      argv: ['cilium-dbg', 'fly'],
      stdout: 'unknown command "fly" for "cilium-dbg"\n',
      stderr: 'Error: unknown command "fly" for "cilium-dbg"\nRun \'cilium-dbg --help\' for usage.\n',
      exitCode: 1,
    },
    { argv: ['cilium-dbg', 'monitor'], stdout: '', stderr: 'not simulated: cilium-dbg monitor\n', exitCode: 1 },
  ])('answers in the agent: $argv', async ({ argv, stdout, stderr = '', exitCode = 0 }) => {
    expect(await lab.inAgent(...argv)).toEqual({ stdout, stderr, exitCode });
  });
});

it('keeps custom resources of a feature that is off out of the API', () => {
  const { api } = boot({ kubeProxyReplacement: true });
  expect(() => api.list('ciliumbgppeeringpolicies.cilium.io')).toThrow();
  expect(api.list('ciliumloadbalancerippools.cilium.io')).toEqual([]);
});

it('gives pod ranges in IPAM mode cluster-pool', async () => {
  const lab = boot({
    kubeProxyReplacement: true,
    ipam: { operator: { clusterPoolIPv4PodCIDRList: ['192.0.2.0/24'], clusterPoolIPv4MaskSize: 27 } },
  });
  expect((await lab.cilium('status', '--wait')).exitCode).toBe(0);
  const ranges = lab.api.list('ciliumnodes.cilium.io').map(({ spec }) => (spec as { ipam: { podCIDRs: readonly string[] } }).ipam.podCIDRs);
  expect(ranges.flat().toSorted()).toEqual(['192.0.2.0/27', '192.0.2.32/27']);
});

it('crashes with settings that do not go together, says why, and recovers', async () => {
  const lab = boot(native);
  await lab.cilium('status', '--wait');
  expect(await lab.cilium('config', 'set', 'enable-ipv4-egress-gateway', 'true')).toEqual({
    stdout: '✨ Patching ConfigMap cilium-config with enable-ipv4-egress-gateway=true...\n♻️  Restarted Cilium pods\n',
    stderr: '',
    exitCode: 0,
  });
  lab.clock.advance(30_000);
  const { stdout, exitCode } = await lab.cilium('status');
  expect([
    exitCode,
    stdout
      .split('\n')
      .filter((line) => /^ \/¯¯\\__\/¯¯\\ {4}Cilium|CrashLoopBackOff/.test(line))
      .map((line) => line.replace(/cilium-[a-z0-9]{5}/, 'cilium-xxxxx').replace(/time="[^"]+" /, '')),
  ]).toEqual([
    0,
    [
      ' /¯¯\\__/¯¯\\    Cilium:             3 errors, 1 warnings',
      ...Array(2).fill(
        '                       cilium             cilium-xxxxx    container cilium-agent is in CrashLoopBackOff, exited with code 1: level=fatal msg="egress gateway requires --enable-ipv4-masquerade=\\"true\\" and --enable-bpf-masquerade=\\"true\\"" subsys=daemon',
      ),
    ],
  ]);
  const waited = await lab.cilium('status', '--wait', '--wait-duration', '10s');
  expect([waited.exitCode, waited.stderr.split('\n').slice(-3)]).toEqual([
    1,
    ['', 'Error: Unable to determine status:  timeout while waiting for status to become successful: context deadline exceeded', ''],
  ]);
  await lab.cilium('config', 'delete', 'enable-ipv4-egress-gateway');
  expect((await lab.cilium('status', '--wait')).exitCode).toBe(0);
});

it('waits for custom resources that only a restarted operator would register', async () => {
  const lab = boot({ kubeProxyReplacement: true });
  await lab.cilium('status', '--wait');
  await lab.cilium('config', 'set', 'enable-bgp-control-plane', 'true');
  lab.clock.advance(60_000);
  expect((await lab.cilium('bgp', 'peers')).exitCode).toBe(1);
  for (const { metadata } of lab.api.list('pods', { namespace: 'kube-system', labels: { matchLabels: { 'io.cilium/app': 'operator' } } }))
    lab.api.delete('pods', metadata.name, 'kube-system');
  expect((await lab.cilium('status', '--wait')).exitCode).toBe(0);
  expect((await lab.cilium('bgp', 'peers')).exitCode).toBe(0);
});

it('says that BGP is off in the words of the real command', async () => {
  const lab = boot({ kubeProxyReplacement: true });
  await lab.cilium('status', '--wait');
  const { stderr, exitCode } = await lab.cilium('bgp', 'peers', '--node', 'test-worker');
  expect([exitCode, stderr.replace(/cilium-[a-z0-9]{5}/, 'cilium-xxxxx')]).toEqual([
    1,
    "\nError: Unable to get peering status: failed to unmarshal bgp state from cilium-xxxxx: invalid character 'B' looking for beginning of value\n",
  ]);
});

it('is gone after it was uninstalled, custom resources aside', async () => {
  const lab = boot(native);
  await lab.cilium('status', '--wait');
  uninstall(lab.installation);
  lab.clock.advance(40_000);
  expect(lab.api.list('pods', { namespace: 'kube-system' }).filter(({ metadata }) => metadata.name.startsWith('cilium'))).toEqual([]);
  expect(lab.installation.agents).toEqual([]);
  expect(await lab.cilium('config', 'view')).toMatchObject({
    exitCode: 1,
    stderr: '\nError: Unable to view config:  unable get ConfigMap cilium-config: configmaps "cilium-config" not found\n',
  });
  expect(lab.api.list('ciliumnodes.cilium.io')).toHaveLength(2);
});

it.each(['1.17.4', '1.18.2', '1.19.0'])('release %s comes up and hands out addresses', async (version) => {
  const lab = boot(native, version);
  expect((await lab.cilium('status', '--wait')).exitCode).toBe(0);
  const apiVersion = version.startsWith('1.17') ? 'cilium.io/v2alpha1' : 'cilium.io/v2';
  lab.api.create({
    apiVersion,
    kind: 'CiliumLoadBalancerIPPool',
    metadata: { name: 'pool' },
    spec: { blocks: [{ cidr: '192.0.2.8/29' }] },
  });
  lab.api.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
  lab.api.create({
    apiVersion,
    kind: 'CiliumBGPClusterConfig',
    metadata: { name: 'all' },
    spec: { bgpInstances: [{ name: 'one', localASN: 64496, peers: [{ name: 'tor', peerAddress: '192.0.2.1', peerASN: 64500 }] }] },
  });
  lab.clock.advance(2_000);
  expect((lab.api.get<Service>('services', 'web', 'default') as Service).status.loadBalancer).toEqual({ ingress: [{ ip: '192.0.2.8' }] });
  const { stdout } = await lab.cilium('bgp', 'peers');
  expect(stdout.split('\n').slice(1, 3)).toEqual([
    'test-control-plane   64496      64500     192.0.2.1      active          0s       ipv6/unicast   0          0    ',
    '                                                                                  ipv4/unicast   0          0    ',
  ]);
});
