import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { execInContainer } from './engine.ts';
import { clientImage, clone, findTopologyMeans, RealLab } from './real-lab.fixture.ts';
import { SimulatedTopology, type SpeakingNode } from './simulated-topology.fixture.ts';

const means = await findTopologyMeans();
const deployer =
  'reason' in means || means.containerlab !== undefined ? 'containerlab' : 'a stand-in for containerlab, which is not on the PATH,';
const reason = 'reason' in means ? ` (skipped: ${means.reason})` : '';

const lab = 'clab-bgp-cplane-dev-dual';
const router = `${lab}-router0`;
const client = `${lab}-srv-client`;
const service = ['172.18.255.200/32', '2001:db8:dead:beef::/128'];

const nodes: readonly SpeakingNode[] = [
  { name: 'kind-control-plane', asn: 65001, router: 'fd00:10:0:1::1', routerId: '172.18.0.2', prefixes: ['10.1.0.0/24', 'fd00:10:1::/64'] },
  { name: 'kind-worker', asn: 65002, router: 'fd00:10:0:2::1', routerId: '172.18.0.3', prefixes: ['10.1.2.0/24', 'fd00:10:1:2::/64'] },
  { name: 'kind-worker2', asn: 65003, router: 'fd00:10:0:3::1', routerId: '172.18.0.4', prefixes: ['10.1.1.0/24', 'fd00:10:1:1::/64'] },
];

describe.skipIf('reason' in means)(`the reference topology on a real engine, with ${deployer} and FRR${reason}`, () => {
  let real: RealLab;
  let docker: Docker;
  const simulated = new SimulatedTopology();
  const foreign = 'outpost-test-foreign';
  const run = async (container: string, ...argv: string[]) => {
    const { stdout, stderr, exitCode } = await execInContainer(docker, container, argv, { timeoutMs: 30_000 });
    return { said: stdout + stderr, exitCode };
  };
  const vtysh = async (command: string) => (await run(router, 'vtysh', '-c', command)).said;

  beforeAll(async () => {
    if ('reason' in means) return;
    real = new RealLab(means);
    docker = real.docker;
    real.buildImages();
    await docker.createNetwork({ Name: foreign, IPAM: { Config: [{ Subnet: '192.0.2.0/24' }] } });
    await (
      await docker.createContainer({ name: foreign, Image: clientImage, Cmd: ['sleep', 'infinity'], HostConfig: { NetworkMode: foreign } })
    ).start();
  }, 120_000);

  afterAll(async () => {
    if ('reason' in means) return;
    await docker.getContainer(foreign).remove({ force: true });
    await docker.getNetwork(foreign).remove();
    real.remove();
  }, 120_000);

  it('does not come up half-way without saying where, and goes on there', () => {
    writeFileSync(join(real.folder, 'calls.helm-fails'), '');
    const failed = real.outpost('up');
    expect(failed.status).toBe(3);
    expect(failed.stdout).toMatch(
      /^Cloud Network Engineer discovery lab\n✔ kind cluster "kind", 3 nodes {2}.*\n✔ topology "bgp-cplane-dev-dual", 6 nodes and 4 links {2}.*\n✘ Cilium 1\.16\.0 {2}.*\n$/,
    );
    expect(failed.stderr).toBe(
      'outpost: Cilium 1.16.0: helm ended with exit status 1: Error: no such chart\n  mend: outpost up continues here; outpost doctor looks for reasons\n',
    );
    expect(real.calls()).toEqual([
      'kind create cluster --name kind --config LAB/lab/cluster.yaml',
      'helm upgrade --install cilium cilium --repo https://helm.cilium.io --version 1.16.0 --namespace kube-system --kube-context kind-kind --values LAB/lab/values.yaml',
    ]);
    spawnSync('rm', [join(real.folder, 'calls.helm-fails')]);
    const continued = real.outpost('up');
    expect(continued.stderr).toBe('');
    expect(continued.status).toBe(0);
    expect(continued.stdout).toMatch(
      /✔ kind cluster "kind", 3 nodes {2}is there\n✔ topology .* {2}is there\n✔ Cilium 1\.16\.0 {2}.*\n✔ Cilium and the nodes are ready {2}.*\n✔ setup: bgp-peering-policies\.yaml {2}.*\n\nThe lab is up, after /,
    );
    expect(real.calls()).toEqual([
      'helm upgrade --install cilium cilium --repo https://helm.cilium.io --version 1.16.0 --namespace kube-system --kube-context kind-kind --values LAB/lab/values.yaml',
      'cilium status --wait --wait-duration 10m --context kind-kind',
      'kubectl --context kind-kind wait --for=condition=Ready nodes --all --timeout=5m',
      'kubectl --context kind-kind -n kube-system rollout status deployment/coredns --timeout=5m',
      'kubectl --context kind-kind apply -f LAB/lab/manifests/bgp-peering-policies.yaml',
    ]);
    expect(real.outpost('status')).toMatchObject({ status: 0, stdout: expect.stringContaining('up: kind cluster "kind" with 3 nodes') });
  }, 120_000);

  it('is refused to a second command while the first works on it, and given to it when it waits', async () => {
    const take = `const { lockLab } = await import('${clone}support/live/lab-lock.ts');
await lockLab(process.argv[1], { what: 'outpost run' });
console.log('has it');
setInterval(() => undefined, 1000);`;
    const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', take, lockFile(real)], {
      cwd: clone,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(real.outpost('up')).toMatchObject({
      status: 3,
      stderr: `outpost: another command works on this lab: outpost run (process ${holder.pid})\n  why: two at once would see, and undo, what the other one does\n  mend: wait for it, or add --wait\n`,
    });
    const waiting = real.start('up', '--wait');
    let told = '';
    waiting.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      // It is killed without a chance to tidy up: what it held is free all the same.
      if (told.includes('waiting for')) holder.kill('SIGKILL');
    });
    expect(await new Promise((resolve) => waiting.once('close', resolve))).toBe(0);
    expect(told).toContain(`waiting for outpost run (process ${holder.pid})\n`);
  }, 60_000);

  it('has routers without a route to what nobody has announced: time-out, not refusal', async () => {
    for (const url of ['http://172.18.255.200/', 'http://[2001:db8:dead:beef::]/', 'http://10.1.2.7/'])
      expect({ url, ...(await run(client, 'curl', '-s', '--max-time', '2', url)) }).toEqual({ url, said: '', exitCode: 28 });
    expect((await run(client, 'curl', '-s', '--max-time', '2', 'http://10.0.3.2:81/')).exitCode).toBe(7);
  }, 30_000);

  it('has an outpost behind the client that tells callers by their address', async () => {
    expect((await run('kind-worker2', 'curl', '-s', '--max-time', '3', 'http://10.0.4.2:8000/')).said).toBe(
      "Access denied. Your source IP (10.0.3.2) doesn't match the allowed IPs (10.0.3.42)\n",
    );
    expect((await run('kind-worker2', 'curl', '-s', '--max-time', '3', '--interface', '10.0.3.42', 'http://10.0.4.2:8000/')).said).toBe(
      'Access granted. Your source IP (10.0.3.42) matches an allowed IP.\n',
    );
  }, 30_000);

  const stages: readonly { readonly name: string; readonly happens: () => Promise<void>; readonly inSimulator: () => Promise<void> }[] = [
    {
      name: 'before: every node has a session and announces its pods',
      happens: async () => {
        for (const node of nodes) await speak(docker, node, (text) => vtysh(text));
      },
      inSimulator: async () => {
        await simulated.deploy(loadLab(real.folder), nodes);
        for (const node of nodes) simulated.speak(node);
      },
    },
    {
      name: 'every node announces a service: multipath',
      happens: async () => {
        for (const { name } of nodes) for (const each of service) await announce(docker, name, each);
        await wait(1_500);
      },
      inSimulator: async () => {
        for (const { name } of nodes) simulated.announce(name, service);
      },
    },
    {
      name: "during: the link of one node is down on the router's side",
      happens: async () => {
        await run(router, 'ip', 'link', 'set', 'net1', 'down');
        await wait(2_500);
      },
      inSimulator: async () => {
        await simulated.run(router, ['ip', 'link', 'set', 'net1', 'down']);
        simulated.clock.advance(2_500);
      },
    },
    {
      name: 'after: the link is up, its address is back, and the session with it',
      happens: async () => {
        await run(router, 'ip', 'link', 'set', 'net1', 'up');
        await run(router, 'ip', '-6', 'addr', 'add', 'fd00:10:0:2::1/64', 'dev', 'net1');
        await established(nodes[1] as SpeakingNode, (text) => vtysh(text));
      },
      inSimulator: async () => {
        await simulated.run(router, ['ip', 'link', 'set', 'net1', 'up']);
        await simulated.run(router, ['ip', '-6', 'addr', 'add', 'fd00:10:0:2::1/64', 'dev', 'net1']);
        simulated.clock.advance(60_000);
      },
    },
  ];

  const views = ['show bgp ipv4', 'show bgp ipv6', 'show bgp ipv4 json', 'show bgp ipv6 json', 'show ip route bgp', 'show ipv6 route bgp'];
  const view = (command: string, text: string): unknown =>
    // Ages of routes are the only thing that is not the same each time. In the kernel, FRR 8.4 leaves a next hop out of a
    // group that it had before a link went and came back; what zebra shows does not tell.
    command.endsWith('json') ? (JSON.parse(text) as unknown) : text.replace(/\d\d:\d\d:\d\d/g, 'AGE');
  const compare = async ({ happens, inSimulator }: (typeof stages)[number]) => {
    await happens();
    await inSimulator();
    for (const command of views) {
      const expected = view(command, (await simulated.run(router, ['vtysh', '-c', command])).stdout);
      // FRR comes to it in its own time; a table that is another one stays so.
      await vi.waitFor(async () => expect(view(command, await vtysh(command))).toEqual(expected), { timeout: 15_000, interval: 500 });
    }
  };

  it.each(stages.slice(0, 2))('$name: real FRR and the simulated router show the same tables', compare, 120_000);

  it('spreads a service over the nodes, and they are reached', async () => {
    expect((await run(router, 'ip', '-6', 'route', 'show', '2001:db8:dead:beef::')).said).toMatch(
      /^2001:db8:dead:beef:: nhid \d+ proto bgp metric 20 pref medium\n(\s+nexthop via fd00:10:0:\d::2 dev net\d weight 1\s*\n){3}$/,
    );
    for (const { name } of nodes) {
      await run(name, 'ip', 'addr', 'add', '172.18.255.200/32', 'dev', 'lo');
      await run(name, 'ip', '-6', 'addr', 'add', '2001:db8:dead:beef::/128', 'dev', 'lo', 'nodad');
      await run(name, 'sh', '-c', `tiny-http -p 80 -b ${name} >/dev/null 2>&1 &`);
    }
    for (const { name } of nodes)
      await vi.waitFor(async () => expect((await run(name, 'curl', '-s', 'http://[::1]/')).said).toBe(`${name}\n`), {
        timeout: 15_000,
        interval: 200,
      });
    const answers: string[] = [];
    for (let count = 0; count < 20; count++)
      answers.push((await run(client, 'curl', '-s', '--max-time', '8', 'http://[2001:db8:dead:beef::]/')).said);
    expect([...new Set(answers)].length).toBeGreaterThan(1);
    expect(answers.filter((answer) => !/^kind-/.test(answer))).toEqual([]);
    expect((await run(client, 'curl', '-s', '--max-time', '8', 'http://172.18.255.200/')).said).toMatch(/^kind-/);
  }, 60_000);

  it.each(stages.slice(2))('$name: real FRR and the simulated router show the same tables', compare, 120_000);

  it('is found damaged when a node was restarted, by doctor and before a run, and made whole by up', async () => {
    // remote-outpost holds the old network namespace: the router's end of the link stays, and leads to nowhere.
    await docker.getContainer(client).restart({ t: 0 });
    const doctor = JSON.parse(real.outpost('doctor', '--json').stdout) as { findings: { code: string; evidence: string }[] };
    expect(doctor.findings.find(({ code }) => code === 'topology/lost-links')?.evidence).toBe(`not there: ${client}:net0`);
    expect(real.outpost('run', '--driver', 'live')).toMatchObject({
      status: 3,
      stderr: `outpost: links of the topology are gone: a container at one end was restarted: not there: ${client}:net0\n  mend: outpost up makes the topology again\n`,
    });
    expect(real.outpost('up')).toMatchObject({ status: 0, stderr: '' });
    expect((await run(client, 'ping', '-c', '1', '-W', '2', '10.0.4.1')).exitCode).toBe(0);
  }, 120_000);

  it('is not judged with a kubectl of another cluster', () => {
    const context = join(real.folder, 'kubeconfig');
    writeFileSync(context, 'somebody-elses\n');
    expect(real.outpost('check', '--driver', 'live')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("kubectl talks to another cluster: current context: somebody-elses; the lab's is kind-kind"),
    });
    writeFileSync(context, 'kind-kind\n');
  }, 60_000);

  it('goes, and nothing else does', async () => {
    const down = real.outpost('down', '--all');
    expect(down).toMatchObject({ status: 0, stderr: '' });
    expect(down.stdout).toMatch(
      /^discovery \(.*\)\n✔ topology "bgp-cplane-dev-dual" is gone\n✔ kind cluster "kind" is gone\n✔ network kind is gone\n(✔ network clab is gone\n)?$/,
    );
    const containers = (await docker.listContainers({ all: true }))
      .flatMap(({ Names }) => Names)
      .filter((name) => /^\/(kind|clab|outpost-test-foreign)/.test(name));
    expect(containers).toEqual([`/${foreign}`]);
    expect((await docker.listNetworks()).map(({ Name }) => Name).sort()).toEqual(['bridge', 'host', 'none', foreign].sort());
    expect(readFileSync(join(real.folder, 'kubeconfig'), 'utf8')).toBe('somebody-elses\n');
    expect(readdirSync(join(real.folder, 'containerlab')).sort()).toEqual(['lab.clab.yaml', 'router0']);
    expect(existsSync(join(real.folder, 'state', 'outpost')) ? readdirSync(join(real.folder, 'state', 'outpost')) : []).toEqual([]);
    expect(real.outpost('down')).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to take away') });
  }, 120_000);

  it('leaves a cluster of that name alone that somebody else made', async () => {
    const owner = await docker.createContainer({
      name: 'kind-control-plane',
      Image: clientImage,
      Cmd: ['sleep', 'infinity'],
      Labels: { 'io.x-k8s.kind.cluster': 'kind' },
    });
    await owner.start();
    expect(real.outpost('up')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('there is a kind cluster "kind" that outpost did not make'),
    });
    expect(real.outpost('down')).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to take away') });
    expect(real.outpost('down', '--all').status).toBe(0);
    expect((await owner.inspect()).State.Running).toBe(true);
    await owner.remove({ force: true });
  }, 60_000);
});

function lockFile(real: RealLab): string {
  const folder = join(real.folder, 'state', 'outpost');
  return join(folder, `${readdirSync(folder).find((name) => !name.endsWith('.lock'))}.lock`);
}

async function speak(docker: Docker, node: SpeakingNode, vtysh: (command: string) => Promise<string>): Promise<void> {
  const families = ['ipv4', 'ipv6'].map(
    (family) => `[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "${family}-unicast"\n`,
  );
  const config = `[global.config]
as = ${node.asn}
router-id = "${node.routerId}"
port = -1
[[neighbors]]
[neighbors.config]
neighbor-address = "${node.router}"
peer-as = 65000
[neighbors.timers.config]
connect-retry = 120
hold-time = 90
keepalive-interval = 30
${families.join('')}`;
  await execInContainer(docker, node.name, ['sh', '-c', 'cat >/etc/gobgpd.toml; gobgpd -f /etc/gobgpd.toml >/var/log/gobgpd.log 2>&1 &'], {
    stdin: config,
  });
  for (const each of node.prefixes) await announce(docker, node.name, each);
  await established(node, vtysh);
}

async function announce(docker: Docker, node: string, prefix: string): Promise<void> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  for (let attempt = 0; ; attempt++) {
    const { exitCode, stdout, stderr } = await execInContainer(docker, node, [
      'gobgp',
      'global',
      'rib',
      'add',
      '-a',
      family,
      prefix,
      'origin',
      'igp',
    ]);
    if (exitCode === 0) return;
    if (attempt === 40) throw new Error(`gobgp: ${stdout}${stderr}`);
    await wait(100);
  }
}

/** The session is up, and the paths of both families are in. */
async function established(node: SpeakingNode, vtysh: (command: string) => Promise<string>): Promise<void> {
  const peer = node.router.replace(/::1$/, '::2');
  for (let attempt = 0; attempt < 300; attempt++) {
    const text = await vtysh(`show bgp neighbors ${peer} json`);
    const state = (
      JSON.parse(text) as Record<string, { bgpState?: string; addressFamilyInfo?: Record<string, { acceptedPrefixCounter?: number }> }>
    )[peer];
    const counts = Object.values(state?.addressFamilyInfo ?? {}).map(({ acceptedPrefixCounter }) => acceptedPrefixCounter ?? 0);
    if (state?.bgpState === 'Established' && counts.length === 2 && counts.every((count) => count > 0)) {
      await wait(1_500);
      return;
    }
    await wait(200);
  }
  throw new Error(`no session with ${peer}`);
}
