import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type Docker from 'dockerode';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadLab } from '../content/lab.ts';
import { cuttableEngine } from './cuttable-engine.fixture.ts';
import { execInContainer } from './engine.ts';
import { clientImage, findTopologyMeans, RealLab } from './real-lab.fixture.ts';
import { SimulatedTopology, type SpeakingNode } from './simulated-topology.fixture.ts';
import { announce, established, nodes, speak } from './speakers.fixture.ts';

const means = await findTopologyMeans();
const standIns = 'reason' in means ? [] : (['kind', 'containerlab', 'kubectl'] as const).filter((tool) => means[tool] === undefined);
const deployer = standIns.length === 0 ? 'kind, containerlab' : `stand-ins for ${standIns.join(' and ')}, not on the PATH,`;
const reason = 'reason' in means ? ` (skipped: ${means.reason})` : '';

const lab = 'clab-bgp-cplane-dev-dual';
const router = `${lab}-router0`;
const client = `${lab}-srv-client`;
const service = ['172.18.255.200/32', '2001:db8:dead:beef::/128'];

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

  // Each goes on where the one before ended.
  let hasFailed = false;
  beforeEach(({ skip, onTestFailed }) => {
    if (hasFailed) skip();
    onTestFailed(() => {
      hasFailed = true;
    });
  });

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

  const helmCall =
    'helm upgrade --install cilium cilium --repo https://helm.cilium.io --version 1.16.0 --namespace kube-system --kube-context kind-kind --values LAB/lab/values.yaml';

  const dockerfile = () => join(real.folder, 'lab', 'images', 'starship', 'Dockerfile');
  const some = async (label: string) => (await docker.listContainers({ all: true, filters: { label: [label] } })).length > 0;
  const programsOf = (folder: string) =>
    spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line.includes(folder) || /sleep 60[12]$/.test(line));

  it.each<{ name: string; begin?: () => void; isThere: () => Promise<boolean>; end?: () => void }>([
    {
      name: 'an image is built',
      begin: () => writeFileSync(dockerfile(), `${readFileSync(dockerfile(), 'utf8')}RUN sleep 601\n`),
      isThere: async () => programsOf('sleep 601').length > 0,
      end: () => writeFileSync(dockerfile(), readFileSync(dockerfile(), 'utf8').replace('RUN sleep 601\n', '')),
    },
    { name: 'the cluster is made', isThere: async () => await some('io.x-k8s.kind.cluster=kind') },
    { name: 'the topology is deployed', isThere: async () => await some('containerlab=bgp-cplane-dev-dual') },
    {
      name: 'Cilium is installed',
      begin: () => writeFileSync(join(real.folder, 'calls.helm-hangs'), ''),
      isThere: async () => programsOf('sleep 602').length > 0,
      end: () => rmSync(join(real.folder, 'calls.helm-hangs')),
    },
  ])(
    'is left by Ctrl-C while $name, without a program that runs on',
    async ({ begin, isThere, end }) => {
      begin?.();
      const up = real.start('up');
      let told = '';
      up.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
      const exit = new Promise((resolve) => up.once('close', resolve));
      await vi.waitFor(async () => expect({ isThere: await isThere(), told }).toEqual({ isThere: true, told: '' }), {
        timeout: 60_000,
        interval: 100,
      });
      up.kill('SIGINT');
      expect(await exit).toBe(130);
      expect(told).toMatch(/^outpost: interrupted \(SIGINT\): stopping what runs in the lab\n/);
      await vi.waitFor(() => expect(programsOf(real.folder)).toEqual([]), { timeout: 5_000 });
      end?.();
    },
    120_000,
  );

  it('says where it broke off, goes on there, and is made once', async () => {
    real.calls();
    writeFileSync(join(real.folder, 'calls.helm-fails'), '');
    const failed = real.outpost('up');
    expect(failed.stderr).toBe(
      'outpost: Cilium 1.16.0: helm ended with exit status 1: Error: no such chart\n  mend: outpost up continues here; outpost doctor looks for reasons\n',
    );
    expect(failed).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(
        /^Cloud Network Engineer discovery lab\n✔ 2 images that no registry has {2}is there\n✔ kind cluster "kind", 3 nodes {2}is there\n✔ in the nodes: outpost-lab\/starship:1\.0 {2}is there\n✔ topology "bgp-cplane-dev-dual", 6 nodes and 4 links {2}.*\n✘ Cilium 1\.16\.0 {2}.*\n$/,
      ),
    });
    rmSync(join(real.folder, 'calls.helm-fails'));
    const continued = real.outpost('up');
    expect(continued).toMatchObject({ status: 0, stderr: '' });
    expect(continued.stdout).toMatch(
      /✔ topology .* {2}is there\n✔ Cilium 1\.16\.0 {2}.*\n✔ Cilium and the nodes are ready {2}.*\n✔ setup: bgp-peering-policies\.yaml {2}.*\n\nThe lab is up, after /,
    );
    const status = 'helm status cilium --namespace kube-system --kube-context kind-kind --output json';
    expect(real.calls()).toEqual([
      ...[status, helmCall, status, helmCall],
      'cilium status --wait --wait-duration 10m --context kind-kind',
      'kubectl --context kind-kind wait --for=condition=Ready nodes --all --timeout=5m',
      'kubectl --context kind-kind -n kube-system rollout status deployment/coredns --timeout=5m',
      'kubectl --context kind-kind apply -f LAB/lab/manifests/bgp-peering-policies.yaml',
    ]);
    expect(real.outpost('status')).toMatchObject({ status: 0, stdout: expect.stringContaining('up: kind cluster "kind" with 3 nodes') });
  }, 120_000);

  it('has its own images in the engine, and in the nodes', async () => {
    const { Config } = await docker.getImage('outpost-lab/starship:1.0').inspect();
    expect(Config.Labels).toMatchObject({ 'outpost.lab': real.folder });
    for (const { name } of nodes) expect((await run(name, 'crictl', 'inspecti', 'outpost-lab/starship:1.0')).exitCode).toBe(0);
    expect(real.context()).toBe('kind-kind');
    expect((await docker.getNetwork('kind').inspect()) as unknown).toMatchObject({
      EnableIPv6: standIns.includes('kind') ? expect.anything() : true,
      IPAM: { Config: [{ Subnet: '172.18.0.0/16' }, { Subnet: 'fc00:f853:ccd:e793::/64' }] },
    });
  }, 30_000);

  it('is refused to a second command while the first works on it, and given to it when it waits', async () => {
    const first = real.start('run', '--driver', 'live', '--tags', '@slow');
    await vi.waitFor(() => expect(existsSync(lockFile(real))).toBe(true), { timeout: 30_000 });
    expect(real.outpost('run', '--driver', 'live')).toMatchObject({
      status: 3,
      stderr: `outpost: another command works on this lab: outpost run (process ${first.pid})\n  why: two at once would see, and undo, what the other one does\n  mend: wait for it, or add --wait\n`,
    });
    const waiting = real.start('up', '--wait');
    let told = '';
    waiting.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      // It is killed without a chance to tidy up: what it held is free all the same.
      if (told.includes('waiting for')) first.kill('SIGKILL');
    });
    expect(await new Promise((resolve) => waiting.once('close', resolve))).toBe(0);
    expect(told).toContain(`waiting for outpost run (process ${first.pid})\n`);
  }, 60_000);

  it('has routers without a route to what nobody has announced: time-out, not refusal', async () => {
    const call = async (url: string) => ({ url, ...(await run(client, 'curl', '-s', '--max-time', '2', url)) });
    const urls = ['http://172.18.255.200/', 'http://[2001:db8:dead:beef::]/', 'http://10.1.2.7/'];
    expect(await Promise.all(urls.map(call))).toEqual(urls.map((url) => ({ url, said: '', exitCode: 28 })));
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

  it('has ships that call whom they are told to, over the family they are told to, and that end when asked', async () => {
    const ship = await docker.createContainer({
      Image: 'outpost-lab/starship:1.0',
      Env: ['IP_VERSION=ipv6', 'DEATH_STAR=http://localhost:8000/v1/', 'OUTPOST=http://127.0.0.1:8000/'],
      HostConfig: { NetworkMode: `container:${client}` },
    });
    await ship.start();
    const log = async () => (await ship.logs({ stdout: true, stderr: true })).toString();
    const callers = ['(::1)', '(127.0.0.1)'];
    await vi.waitFor(
      async () => {
        const said = await log();
        expect(callers.filter((caller) => said.includes(`Your source IP ${caller}`))).toEqual(callers);
      },
      { timeout: 10_000, interval: 200 },
    );
    await ship.stop({ t: 5 });
    expect((await ship.inspect()).State.ExitCode).toBe(0);
    await ship.remove();
  }, 30_000);

  it.each(stages.slice(0, 2))('$name: real FRR and the simulated router show the same tables', compare, 120_000);

  const grade = (...words: string[]) => real.outpost('run', '--driver', 'live', '--json', ...words);
  const verdictOf = (stdout: string) => {
    const { earned, points, counts, exitCode } = JSON.parse(stdout) as Record<string, unknown>;
    return { earned, points, counts, exitCode };
  };

  it('is graded: what holds, and what does not', async () => {
    const held = grade('--tags', 'not @slow');
    expect(held).toMatchObject({ status: 0 });
    expect(verdictOf(held.stdout)).toMatchObject({ earned: 10, points: 10, counts: { passed: 2, failed: 0 } });
    await run('kind-worker2', 'ip', 'addr', 'del', '10.0.3.42/24', 'dev', 'net1');
    const missed = grade('--tags', 'not @slow');
    expect(missed.status).toBe(1);
    expect(verdictOf(missed.stdout)).toMatchObject({ earned: 7, points: 10, counts: { passed: 1, failed: 1 } });
    expect(missed.stdout).toContain('expected 10.0.3.42/24 on net1 of kind-worker2');
    await run('kind-worker2', 'ip', 'addr', 'add', '10.0.3.42/24', 'dev', 'net1');
  }, 60_000);

  /** Grades what never comes, until a command of it runs in the router. @returns how it ends, and what it said */
  const gradedUntil = async (happens: (grader: ReturnType<RealLab['start']>) => unknown, env = {}) => {
    const execs = async () => (await docker.getContainer(router).inspect()).ExecIDs ?? [];
    const before = await execs();
    const grader = real.startWith(env, 'run', '--driver', 'live', '--tags', '@slow');
    let said = '';
    for (const stream of [grader.stdout, grader.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const exit = new Promise((resolve) => grader.once('close', resolve));
    const hasBegun = async () => (await execs()).some((id) => !before.includes(id));
    await vi.waitFor(async () => expect(await hasBegun()).toBe(true), { timeout: 30_000, interval: 20 });
    await happens(grader);
    const status = await exit;
    expect(said).not.toContain('a check did not hold');
    expect(programsOf(real.folder)).toEqual([]);
    return { status, said };
  };

  it('has no verdict on a run in the middle of which the engine goes', async () => {
    const { path, cut } = await cuttableEngine(join(real.folder, 'engine.sock'));
    const { status, said } = await gradedUntil(cut, { DOCKER_HOST: `unix://${path}` });
    expect(status).toBe(3);
    expect(said).toContain('the Docker engine does not answer any more');
  }, 60_000);

  it('has no verdict on a run that is interrupted, and nothing of it runs on', async () => {
    const { status, said } = await gradedUntil((grader) => grader.kill('SIGINT'));
    expect(status).toBe(130);
    expect(said).toContain('outpost: interrupted (SIGINT)');
    expect((await run(router, 'ps', '-eo', 'args')).said).not.toContain('vtysh');
  }, 60_000);

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
    const firewall = (...words: string[]) => real.run('iptables', ...words).status;
    const rule = ['DOCKER-USER', '-s', '192.0.2.0/24', '-j', 'DROP'];
    expect(firewall('-I', ...rule)).toBe(0);
    await docker.createNetwork({ Name: `${foreign}-overlap`, IPAM: { Config: [{ Subnet: '10.1.128.0/24' }] } });
    const other = await docker.createContainer({
      name: `${foreign}-node`,
      Image: clientImage,
      Labels: { 'io.x-k8s.kind.cluster': 'work' },
    });
    const seen = JSON.parse(real.outpost('doctor', '--json').stdout) as { findings: { code: string; evidence: string }[] };
    firewall('-D', ...rule);
    await docker.getNetwork(`${foreign}-overlap`).remove();
    await other.remove();
    // What of this machine itself would break a lab is beside the point.
    const ofLab = seen.findings.filter(({ code }) => /^(docker|network|cluster|firewall|node|topology|kube)\//.test(code));
    expect(Object.fromEntries(ofLab.map(({ code, evidence }) => [code, evidence]))).toEqual({
      'topology/lost-links': `not there: ${client}:net0`,
      'network/overlap': '10.1.128.0/24 and 10.1.0.0/16',
      'firewall/drops': 'iptables -A DOCKER-USER -s 192.0.2.0/24 -j DROP',
      'cluster/other': 'kind get clusters',
    });
    expect(real.outpost('run', '--driver', 'live')).toMatchObject({
      status: 3,
      stderr: `outpost: links of the topology are gone: a container at one end was restarted: not there: ${client}:net0\n  mend: outpost up makes the topology again\n`,
    });
    expect(real.outpost('up')).toMatchObject({ status: 0, stderr: '' });
    expect((await run(client, 'ping', '-c', '1', '-W', '2', '10.0.4.1')).exitCode).toBe(0);
  }, 120_000);

  it('is not judged with a kubectl of another cluster', () => {
    real.useContext('somebody-elses');
    expect(real.outpost('check', '--driver', 'live')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("kubectl talks to another cluster: current context: somebody-elses; the lab's is kind-kind"),
    });
    real.useContext('kind-kind');
  }, 60_000);

  it('has no verdict on a run in the middle of which the router is killed', async () => {
    const { status, said } = await gradedUntil(() => docker.getContainer(router).kill());
    expect(status).toBe(3);
    expect(said).toMatch(new RegExp(`container ${router} (does not run|stopped while a command ran in it)`));
  }, 60_000);

  it('goes, and nothing else does', async () => {
    // Somebody's container on the network of the nodes keeps it.
    const guest = await docker.createContainer({
      name: `${foreign}-guest`,
      Image: clientImage,
      Cmd: ['sleep', 'infinity'],
      HostConfig: { NetworkMode: 'kind' },
    });
    await guest.start();
    const down = real.outpost('down', '--all');
    expect(down).toMatchObject({ status: 0, stderr: '' });
    expect(down.stdout).toMatch(
      /^discovery \(.*\)\n✔ topology "bgp-cplane-dev-dual" is gone\n✔ kind cluster "kind" is gone\n✔ image outpost-lab\/remote-outpost:1\.0 is gone\n✔ image outpost-lab\/starship:1\.0 is gone\n(✔ network clab is gone\n)?$/,
    );
    const containers = (await docker.listContainers({ all: true }))
      .flatMap(({ Names }) => Names)
      .filter((name) => /^\/(kind|clab|outpost-test-foreign)/.test(name));
    expect(containers.sort()).toEqual([`/${foreign}`, `/${foreign}-guest`]);
    expect((await docker.listNetworks()).map(({ Name }) => Name).sort()).toEqual(['bridge', 'host', 'kind', 'none', foreign].sort());
    expect((await guest.inspect()).State.Running).toBe(true);
    await guest.remove({ force: true });
    await docker.getNetwork('kind').remove();
    expect(real.context()).toBe('somebody-elses');
    expect(readFileSync(join(real.folder, 'kubeconfig'), 'utf8')).not.toContain('kind-kind');
    for (const name of loadLab(real.folder).builds.keys()) expect(await docker.listImages({ filters: { reference: [name] } })).toEqual([]);
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
