import { describe, expect, it } from 'vitest';
import { installCommand, isAtLeast, versionIn } from '../versions.ts';
import { evaluate } from './evaluate.ts';
import type { Facts } from './facts.ts';
import { rulesThatDrop } from './firewall.ts';
import { gib, healthy } from './healthy.fixture.ts';
import { overlap } from './prefixes.ts';

const engine = healthy.docker as Extract<Facts['docker'], { answers: true }>;
const withSysctl = (name: string, value: string): Partial<Facts> => ({ sysctls: { ...healthy.sysctls, [name]: value } });

describe('the doctor', () => {
  it('finds nothing where nothing is wrong', () => expect(evaluate(healthy)).toEqual([]));

  it('concludes nothing from what it could not see', () => {
    const blind: Facts = {
      ...healthy,
      tools: {},
      kernel: undefined,
      sysctls: {},
      memoryBytes: undefined,
      freeDiskBytes: undefined,
      foreignPrefixes: [],
      droppingRules: undefined,
      clab: undefined,
      nodes: undefined,
      kubeContext: undefined,
      docker: { ...engine, cgroupVersion: undefined, memoryBytes: undefined },
    };
    expect(evaluate(blind)).toEqual([]);
  });

  it.each<{ name: string; facts: Partial<Facts>; code: string; severity: 'broken' | 'risk'; evidence: string; fix: string | RegExp }>([
    {
      name: 'no engine',
      facts: { docker: { answers: false, reason: 'no Docker: there is no /var/run/docker.sock' } },
      code: 'docker/no-answer',
      severity: 'broken',
      evidence: 'no Docker: there is no /var/run/docker.sock',
      fix: /^sudo systemctl start docker; or install it: curl -fsSL https:\/\/get\.docker\.com/,
    },
    {
      name: 'an engine that is closed to this user',
      facts: { docker: { answers: false, reason: 'no Docker at unix:///var/run/docker.sock: EACCES' } },
      code: 'docker/no-answer',
      severity: 'broken',
      evidence: 'no Docker at unix:///var/run/docker.sock: EACCES',
      fix: 'sudo usermod -aG docker "$USER", then log in again',
    },
    {
      name: 'no engine on a Mac',
      facts: { platform: 'darwin', kernel: undefined, sysctls: {}, docker: { answers: false, reason: 'ECONNREFUSED' } },
      code: 'docker/no-answer',
      severity: 'broken',
      evidence: 'ECONNREFUSED',
      fix: 'start Docker Desktop',
    },
    {
      name: 'an old engine',
      facts: { docker: { ...engine, version: '19.3.15' } },
      code: 'docker/old',
      severity: 'broken',
      evidence: 'version 19.3.15',
      fix: /get\.docker\.com/,
    },
    {
      name: 'a missing tool',
      facts: { tools: { ...healthy.tools, kind: null } },
      code: 'tool/missing',
      severity: 'broken',
      evidence: 'not on the PATH',
      fix: /kind\.sigs\.k8s\.io\/dl\/v0\.27\.0\/kind-linux-amd64/,
    },
    {
      name: 'an old tool',
      facts: { tools: { ...healthy.tools, cilium: '0.14.9' } },
      code: 'tool/old',
      severity: 'broken',
      evidence: 'version 0.14.9',
      fix: /cilium-linux-amd64\.tar\.gz/,
    },
    {
      name: 'cgroup v1',
      facts: { docker: { ...engine, cgroupVersion: '1' } },
      code: 'cgroup/v1',
      severity: 'risk',
      evidence: 'docker info: Cgroup Version 1',
      fix: /unified_cgroup_hierarchy=1/,
    },
    {
      name: 'few inotify watches',
      facts: withSysctl('fs.inotify.max_user_watches', '8192'),
      code: 'inotify/watches',
      severity: 'risk',
      evidence: 'fs.inotify.max_user_watches = 8192',
      fix: 'sudo sysctl -w fs.inotify.max_user_watches=524288',
    },
    {
      name: 'few inotify instances',
      facts: withSysctl('fs.inotify.max_user_instances', '128'),
      code: 'inotify/instances',
      severity: 'risk',
      evidence: 'fs.inotify.max_user_instances = 128',
      fix: 'sudo sysctl -w fs.inotify.max_user_instances=512',
    },
    {
      name: 'IPv6 off',
      facts: withSysctl('net.ipv6.conf.all.disable_ipv6', '1'),
      code: 'ipv6/off',
      severity: 'broken',
      evidence: 'net.ipv6.conf.all.disable_ipv6 = 1',
      fix: 'sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0',
    },
    {
      name: 'IPv6 not forwarded',
      facts: withSysctl('net.ipv6.conf.all.forwarding', '0'),
      code: 'ipv6/forwarding',
      severity: 'risk',
      evidence: 'net.ipv6.conf.all.forwarding = 0',
      fix: 'sudo sysctl -w net.ipv6.conf.all.forwarding=1',
    },
    {
      name: 'IPv4 not forwarded',
      facts: withSysctl('net.ipv4.ip_forward', '0'),
      code: 'ipv4/forwarding',
      severity: 'broken',
      evidence: 'net.ipv4.ip_forward = 0',
      fix: 'sudo sysctl -w net.ipv4.ip_forward=1',
    },
    {
      name: 'an old kernel',
      facts: { kernel: { release: '4.19.0-27-amd64', isWsl: false, config: undefined } },
      code: 'kernel/old',
      severity: 'broken',
      evidence: '4.19.0-27-amd64',
      fix: 'update the kernel',
    },
    {
      name: 'a WSL kernel that lacks something',
      facts: {
        kernel: { release: '5.15.90.1-microsoft-standard-WSL2', isWsl: true, config: { CONFIG_BPF: true, CONFIG_NET_CLS_BPF: false } },
      },
      code: 'kernel/wsl',
      severity: 'risk',
      evidence: 'not set: CONFIG_NET_CLS_BPF',
      fix: /^wsl --update, then wsl --shutdown/,
    },
    {
      name: 'little memory',
      facts: { docker: { ...engine, memoryBytes: 2 * gib } },
      code: 'memory/low',
      severity: 'risk',
      evidence: '2 GiB, 4.1 GiB are wanted',
      fix: 'end what else runs, or take a larger machine',
    },
    {
      name: 'little memory for Docker Desktop',
      facts: { docker: { ...engine, memoryBytes: 2 * gib, isHere: false } },
      code: 'memory/low',
      severity: 'risk',
      evidence: '2 GiB, 4.1 GiB are wanted',
      fix: /Docker Desktop/,
    },
    {
      name: 'no disk left',
      facts: { freeDiskBytes: gib / 2 },
      code: 'disk/low',
      severity: 'broken',
      evidence: '0.5 GiB free, 1 GiB are wanted',
      fix: 'docker system prune (it asks first)',
    },
    {
      name: 'little disk before up',
      facts: { freeDiskBytes: 4 * gib, isUp: false, clab: undefined, nodes: undefined },
      code: 'disk/low',
      severity: 'risk',
      evidence: '4 GiB free, 10 GiB are wanted',
      fix: /prune/,
    },
    {
      name: 'a network on the prefix of the pods',
      facts: { foreignPrefixes: [{ prefix: '192.0.2.128/25', owner: 'Docker network "web"', fix: 'docker network rm web' }] },
      code: 'network/overlap',
      severity: 'broken',
      evidence: '192.0.2.128/25 and 192.0.2.0/24',
      fix: 'docker network rm web',
    },
    {
      name: 'a network around the prefix of the services',
      facts: { foreignPrefixes: [{ prefix: '2001:db8::/32', owner: 'Docker network "six"' }] },
      code: 'network/overlap',
      severity: 'broken',
      evidence: '2001:db8::/32 and 2001:db8:1::/48',
      fix: /^take the other one down/,
    },
    {
      name: 'a firewall that drops',
      facts: { droppingRules: ['iptables -A DOCKER-USER -i br+ -j DROP'] },
      code: 'firewall/drops',
      severity: 'risk',
      evidence: 'iptables -A DOCKER-USER -i br+ -j DROP',
      fix: 'sudo iptables -I DOCKER-USER -j RETURN',
    },
    {
      name: 'firewalls of both families, and a network that keeps its containers apart',
      facts: { droppingRules: ['ip6tables -A DOCKER-USER -j DROP', 'iptables -A FORWARD -i br-1 -o br-1 -j DROP'] },
      code: 'firewall/drops',
      severity: 'risk',
      evidence: 'ip6tables -A DOCKER-USER -j DROP; iptables -A FORWARD -i br-1 -o br-1 -j DROP',
      fix: 'sudo ip6tables -I DOCKER-USER -j RETURN; sudo iptables -D FORWARD -i br-1 -o br-1 -j DROP',
    },
    {
      name: 'a tunnel to the prefix of the pods',
      facts: { foreignPrefixes: [{ prefix: '192.0.0.0/8', owner: 'a route of this machine (dev tun0)', isRoute: true }] },
      code: 'route/overlap',
      severity: 'risk',
      evidence: '192.0.0.0/8 and 192.0.2.0/24',
      fix: /^take the other one down/,
    },
    {
      name: 'a network of the office on the prefix of the routers',
      facts: {
        foreignPrefixes: [{ prefix: '198.51.100.0/24', owner: 'a route of this machine (dev eth0)', isRoute: true }],
        lab: { ...healthy.lab, prefixes: [{ prefix: '198.51.100.128/25', use: 'management network' }] },
      },
      code: 'route/overlap',
      severity: 'broken',
      evidence: '198.51.100.0/24 and 198.51.100.128/25',
      fix: /^take the other one down/,
    },
    {
      name: "a nodes' network with another prefix than the lab counts on",
      facts: { nodePrefix: { wanted: '203.0.113.0/24', is: ['198.51.100.0/24'] } },
      code: 'network/kind',
      severity: 'broken',
      evidence: 'Docker network "kind": 198.51.100.0/24; the lab uses 203.0.113.0/24',
      fix: /^docker network rm kind/,
    },
    {
      name: 'another cluster beside the lab',
      facts: { clusters: { others: ['work'], isForeign: false } },
      code: 'cluster/other',
      severity: 'risk',
      evidence: 'kind get clusters',
      fix: 'kind delete cluster --name work, if nobody needs it',
    },
    {
      name: "a cluster of the lab's name that is somebody else's",
      facts: { clusters: { others: [], isForeign: true } },
      code: 'cluster/foreign',
      severity: 'risk',
      evidence: 'docker ps -a --filter label=io.x-k8s.kind.cluster',
      fix: 'kind delete cluster --name demo, if nobody needs it',
    },
    {
      name: 'a docker command that talks to another engine',
      facts: { otherEngine: { context: 'rootless', host: 'unix:///run/user/1000/docker.sock' } },
      code: 'docker/context',
      severity: 'broken',
      evidence: 'docker context: rootless, unix:///run/user/1000/docker.sock',
      fix: 'export DOCKER_HOST=unix:///run/user/1000/docker.sock; or docker context use default',
    },
    {
      name: 'a router that is gone',
      facts: { clab: { stopped: [], lostLinks: [], missing: ['clab-x-r1'] } },
      code: 'topology/missing',
      severity: 'broken',
      evidence: 'docker ps -a',
      fix: 'outpost up',
    },
    {
      name: 'a node that stopped',
      facts: { nodes: { stopped: ['demo-worker'], moved: [] } },
      code: 'node/stopped',
      severity: 'broken',
      evidence: 'docker ps -a',
      fix: 'outpost up',
    },
    {
      name: 'a node that moved',
      facts: { nodes: { stopped: [], moved: [{ node: 'demo-worker', was: ['192.0.2.3'], is: ['192.0.2.4'] }] } },
      code: 'node/moved',
      severity: 'broken',
      evidence: '192.0.2.3 then, 192.0.2.4 now',
      fix: /^outpost down, then outpost up/,
    },
    {
      name: 'a router that stopped',
      facts: { clab: { stopped: ['clab-x-r1'], lostLinks: [], missing: [] } },
      code: 'topology/stopped',
      severity: 'broken',
      evidence: 'docker ps -a',
      fix: 'outpost up',
    },
    {
      name: 'links that are gone',
      facts: { clab: { stopped: [], lostLinks: ['clab-x-r1:net0'], missing: [] } },
      code: 'topology/lost-links',
      severity: 'broken',
      evidence: 'not there: clab-x-r1:net0',
      fix: /^outpost up/,
    },
    {
      name: 'a kubectl that talks elsewhere',
      facts: { kubeContext: 'production' },
      code: 'kube/context',
      severity: 'broken',
      evidence: "current context: production; the lab's is kind-demo",
      fix: 'kind export kubeconfig --name demo',
    },
  ])('finds $name', ({ facts, code, severity, evidence, fix }) => {
    const found = evaluate({ ...healthy, ...facts });
    expect(found.map((finding) => finding.code)).toEqual([code]);
    expect(found[0]).toMatchObject({ code, severity, evidence });
    if (typeof fix === 'string') expect(found[0]?.fix).toBe(fix);
    else expect(found[0]?.fix).toMatch(fix);
  });

  it('tells rules that drop from those that Docker itself needs', () => {
    const listing = `-P FORWARD DROP
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -i eth0 -o eth1 -j DROP
-A FORWARD -i br-lab -o br-lab -j DROP
-A FORWARD -i br-web -o br-web -j DROP
-A DOCKER ! -i br-lab -o br-lab -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o br-lab -j DROP
-A DOCKER-USER -s 192.0.2.0/24 -j DROP
-A DOCKER-USER -j RETURN
-A INPUT -j DROP
`;
    expect(rulesThatDrop('iptables', listing, ['br-lab'])).toEqual([
      'iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited',
      'iptables -A FORWARD -i br-lab -o br-lab -j DROP',
      'iptables -A DOCKER-USER -s 192.0.2.0/24 -j DROP',
    ]);
  });

  it('says nothing of this machine where the engine runs on another', () => {
    const elsewhere = {
      ...healthy,
      docker: { ...engine, isHere: false },
      ...withSysctl('net.ipv4.ip_forward', '0'),
      kernel: { release: '4.1.0', isWsl: false, config: undefined },
    };
    expect(evaluate(elsewhere)).toEqual([]);
  });

  it('asks for no tools that the lab has no use for', () => {
    const bare = {
      ...healthy,
      lab: { ...healthy.lab, hasCilium: false, hasTopology: false },
      tools: { kind: '0.27.0', kubectl: '1.32.3', helm: null, containerlab: null },
    };
    expect(evaluate(bare)).toEqual([]);
  });

  it('tells what cannot work before what may not', () => {
    const both = evaluate({
      ...healthy,
      tools: { ...healthy.tools, helm: null },
      docker: { ...engine, cgroupVersion: '1' },
      kubeContext: 'other',
    });
    expect(both.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      'broken tool/missing',
      'broken kube/context',
      'risk cgroup/v1',
    ]);
  });
});

it.each([
  ['10.0.0.0/8', '10.1.2.0/24', true],
  ['10.1.2.0/24', '10.0.0.0/8', true],
  ['10.1.2.0/24', '10.1.3.0/24', false],
  ['0.0.0.0/0', '2001:db8::/32', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['not a prefix', '10.0.0.0/8', false],
])('%s and %s have an address in common: %s', (a, b, expected) => expect(overlap(a, b)).toBe(expected));

it.each([
  ['kind v0.27.0 go1.24.0 linux/amd64', '0.27.0'],
  ['Client Version: v1.32.3\nKustomize Version: v5.5.0', '1.32.3'],
  ['v3.17.3+ge4da497', '3.17.3'],
  ['    version: 0.68.0\n     commit: a90b66840', '0.68.0'],
  ['cilium-cli: v0.18.3 compiled with go1.24.2 on linux/amd64', '0.18.3'],
  ['hubble v1.17.2@HEAD-e1b2f0f compiled with go1.23.6', '1.17.2'],
  ['20.10.24+dfsg1', '20.10.24'],
  ['no version', undefined],
])('reads the version in %j', (text, version) => expect(versionIn(text)).toBe(version));

it('orders versions by number, not by letter', () => {
  expect(isAtLeast('0.9.0', '0.10.0')).toBe(false);
  expect(isAtLeast('1.2', '1.2.0')).toBe(true);
  expect(isAtLeast('27.0.1', '20.10.0')).toBe(true);
});

it('has a way to install each tool on each platform', () => {
  for (const tool of ['docker', 'kind', 'kubectl', 'containerlab', 'helm', 'cilium', 'hubble'])
    for (const platform of ['linux', 'darwin'] as const)
      expect(installCommand(tool, platform, 'arm64')).not.toMatch(/undefined|\/v\/|install docker,/);
});
