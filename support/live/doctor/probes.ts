import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { arch, platform, release, totalmem } from 'node:os';
import { gunzipSync } from 'node:zlib';
import type Docker from 'dockerode';
import type { LabDefinition } from '../../content/lab.ts';
import { networksOf } from '../../recording/header.ts';
import { containerName } from '../../simulator/containerlab/topology.ts';
import { OutpostError } from '../../verdict/errors.ts';
import { isMadeBy } from '../cluster-step.ts';
import { kindNetwork, needsNodePrefix, subnetsOf } from '../kind-network.ts';
import type { LabRecord } from '../lab-state.ts';
import { lostLinks } from '../links.ts';
import { asTree, clusterName, type HostRunner, nodeNames } from '../live-context.ts';
import { probeDocker } from '../probe.ts';
import { nodeAddresses } from '../up.ts';
import { toolPins, versionIn } from '../versions.ts';
import { otherEngine } from './engine-context.ts';
import type { Facts } from './facts.ts';
import { rulesThatDrop } from './firewall.ts';

/** Where the probes look. */
export interface Surroundings {
  readonly definition: LabDefinition;
  readonly run: HostRunner;
  readonly record: LabRecord | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Leaves out what takes its time: the part that `run` and `check` do first. */
  readonly isCheap: boolean;
}

const patienceMs = 10_000;

/** Asks the machine, the engine and the lab. Nothing is changed, and what does not answer is left out. */
export async function gatherFacts(around: Surroundings): Promise<Facts> {
  const { definition, env, isCheap } = around;
  const answer = await probeDocker(env);
  const connected = answer.answers ? await askEngine() : undefined;
  const os = platform();
  const facts: Facts = {
    platform: os === 'linux' || os === 'darwin' ? os : 'other',
    arch: arch() === 'arm64' ? 'arm64' : 'amd64',
    docker: connected?.docker ?? { answers: false, reason: answer.answers ? 'it did not answer in time' : answer.reason },
    tools: isCheap ? {} : await askTools(around),
    lab: labFacts(definition),
    kernel:
      os === 'linux'
        ? { release: release(), isWsl: /microsoft/i.test(release()), config: isCheap ? undefined : kernelConfig() }
        : undefined,
    sysctls: os === 'linux' ? readSysctls() : {},
    memoryBytes: totalmem(),
    freeDiskBytes: isCheap ? undefined : freeDisk(connected?.dataRoot),
    otherEngine: otherEngine(env),
    ...(connected === undefined || isCheap
      ? { foreignPrefixes: [] }
      : await networkFacts(connected.client, around, connected.docker.isHere)),
    droppingRules: os !== 'linux' || isCheap ? undefined : await droppingRules(around.run, connected?.client, definition),
    ...(connected === undefined
      ? { clab: undefined, nodes: undefined, kubeContext: undefined, isUp: false }
      : await labState(connected.client, around)),
  };
  return facts;
}

async function askEngine() {
  const { connectDocker } = await import('../engine.ts');
  const client = connectDocker();
  try {
    const [version, info] = await Promise.all([client.version(), client.info() as Promise<Record<string, unknown>>]);
    const text = (name: string) => (typeof info[name] === 'string' ? (info[name] as string) : undefined);
    return {
      client,
      dataRoot: text('DockerRootDir'),
      docker: {
        answers: true as const,
        version: versionIn(version.Version) ?? version.Version,
        cgroupVersion: text('CgroupVersion'),
        memoryBytes: typeof info['MemTotal'] === 'number' ? info['MemTotal'] : undefined,
        isHere: text('KernelVersion') === release(),
      },
    };
  } catch {
    return undefined;
  }
}

async function askTools({ definition, run }: Surroundings): Promise<Record<string, string | null>> {
  const { hasTopology, hasCilium } = labFacts(definition);
  const needed = toolPins.filter(({ neededFor }) => neededFor === 'every lab' || (neededFor === 'topology' ? hasTopology : hasCilium));
  const answers = await Promise.all(
    needed.map(async ({ tool, versionArgv }): Promise<[string, string | null]> => {
      try {
        const { stdout, stderr } = await run([tool, ...versionArgv], { timeoutMs: patienceMs });
        // A tool that is there and does not say which it is (built from its sources, it says 0.0.0) is not called old.
        const version = versionIn(`${stdout}\n${stderr}`);
        return [tool, version === undefined || version === '0.0.0' ? '999.0.0' : version];
      } catch (error) {
        if (error instanceof OutpostError && error.code === 'exec/not-run') return [tool, null];
        return [tool, '999.0.0'];
      }
    }),
  );
  return Object.fromEntries(answers);
}

function labFacts(definition: LabDefinition): Facts['lab'] {
  const document = definition.cluster.documents[0];
  const cluster = clusterName(definition);
  const networks = networksOf(document, definition.cilium === undefined ? undefined : (definition.cilium.values?.documents[0] ?? {}));
  const topology = definition.topology?.parsed;
  const addresses = (topology?.nodes ?? [])
    .flatMap(({ exec }) => exec)
    .flatMap((line) => [...line.matchAll(/\baddr(?:ess)? add ([0-9a-f.:]+\/\d+)/gi)].map((match) => match[1] ?? ''));
  const prefixes = [
    ...networks.pods.map((prefix) => ({ prefix, use: 'pods' })),
    ...networks.services.map((prefix) => ({ prefix, use: 'services' })),
    ...(topology === undefined
      ? []
      : [topology.mgmt.ipv4Subnet, topology.mgmt.ipv6Subnet].map((prefix) => ({ prefix, use: 'management network' }))),
    ...[...new Set(addresses)].map((prefix) => ({ prefix, use: 'links' })),
    ...(needsNodePrefix(definition) ? [{ prefix: kindNetwork.ipv4, use: 'nodes' }] : []),
  ];
  return {
    cluster,
    nodes: nodeNames(document, cluster).length,
    hasTopology: topology !== undefined,
    hasCilium: definition.cilium !== undefined,
    isDual: asTree(asTree(document)['networking'])['ipFamily'] === 'dual',
    prefixes: prefixes.filter(({ prefix }) => prefix.includes('/')),
  };
}

const sysctlNames = [
  'fs.inotify.max_user_watches',
  'fs.inotify.max_user_instances',
  'net.ipv4.ip_forward',
  'net.ipv6.conf.all.disable_ipv6',
  'net.ipv6.conf.all.forwarding',
];

function readSysctls(): Record<string, string | undefined> {
  return Object.fromEntries(
    sysctlNames.map((name) => {
      try {
        return [name, readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()];
      } catch {
        return [name, undefined];
      }
    }),
  );
}

/** Cilium's system requirements, "Linux Kernel": base requirements, and what this kind of lab's links are made of. */
const kernelOptions = [
  'CONFIG_BPF',
  'CONFIG_BPF_SYSCALL',
  'CONFIG_NET_CLS_BPF',
  'CONFIG_BPF_JIT',
  'CONFIG_NET_CLS_ACT',
  'CONFIG_NET_SCH_INGRESS',
  'CONFIG_CRYPTO_SHA1',
  'CONFIG_CRYPTO_USER_API_HASH',
  'CONFIG_CGROUPS',
  'CONFIG_CGROUP_BPF',
  'CONFIG_VETH',
  'CONFIG_DUMMY',
];

function kernelConfig(): Record<string, boolean> | undefined {
  const read = (): string | undefined => {
    if (existsSync('/proc/config.gz')) return gunzipSync(readFileSync('/proc/config.gz')).toString('utf8');
    const file = `/boot/config-${release()}`;
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  try {
    const text = read();
    if (text === undefined) return undefined;
    return Object.fromEntries(kernelOptions.map((name) => [name, new RegExp(`^${name}=[ym]$`, 'm').test(text)]));
  } catch {
    return undefined;
  }
}

function freeDisk(dataRoot: string | undefined): number | undefined {
  for (const folder of [dataRoot, '/']) {
    if (folder === undefined) continue;
    try {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    } catch {
      // On another machine, or not for this user to see.
    }
  }
  return undefined;
}

type NetworkFacts = Pick<Facts, 'foreignPrefixes' | 'nodePrefix' | 'clusters'>;

async function networkFacts(client: Docker, { definition, run, record }: Surroundings, isHere: boolean): Promise<NetworkFacts> {
  const own: readonly (string | undefined)[] = [kindNetwork.name, definition.topology?.parsed.mgmt.network];
  const networks = await client.listNetworks();
  const foreign = networks
    .filter(({ Name }) => !own.includes(Name))
    .flatMap(({ Name, IPAM }) =>
      (IPAM?.Config ?? []).flatMap(({ Subnet: prefix }) =>
        prefix === undefined ? [] : [{ prefix, owner: `Docker network "${Name}"`, fix: `docker network rm ${Name}, if nobody needs it` }],
      ),
    );
  const there = await subnetsOf(client, kindNetwork.name);
  const cluster = clusterName(definition);
  const nodes = await client.listContainers({ all: true, filters: { label: ['io.x-k8s.kind.cluster'] } });
  const clusterOf = ({ Labels }: Docker.ContainerInfo) => Labels['io.x-k8s.kind.cluster'] ?? '';
  return {
    foreignPrefixes: [...foreign, ...(isHere ? await foreignRoutes(run, networks.map(bridgeOf)) : [])],
    nodePrefix: there !== undefined && needsNodePrefix(definition) ? { wanted: kindNetwork.ipv4, is: there } : undefined,
    clusters: {
      others: [...new Set(nodes.map(clusterOf))].filter((name) => name !== cluster).sort(),
      isForeign: nodes.some((node) => clusterOf(node) === cluster && !isMadeBy(record, node.Id)),
    },
  };
}

/** The interface of a network on the engine's machine. */
function bridgeOf({ Id, Options }: Docker.NetworkInspectInfo): string {
  return (Options as Record<string, string> | null | undefined)?.['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`;
}

/** Where this machine goes to by another way than a network of the engine: its own networks, and tunnels. */
async function foreignRoutes(run: HostRunner, bridges: readonly string[]): Promise<Facts['foreignPrefixes']> {
  const found: { prefix: string; owner: string; isRoute: true }[] = [];
  for (const family of ['-4', '-6']) {
    try {
      const { stdout, exitCode } = await run(['ip', '-json', family, 'route'], { timeoutMs: patienceMs });
      if (exitCode !== 0) continue;
      for (const { dst, dev = '' } of JSON.parse(stdout) as readonly { dst: string; dev?: string }[]) {
        if (dst === 'default' || dev === '' || dev === 'lo' || dev === 'docker0' || bridges.includes(dev) || /^(fe80|ff)/.test(dst))
          continue;
        found.push({ prefix: dst, owner: `a route of this machine (dev ${dev})`, isRoute: true });
      }
    } catch {
      // No ip here, or an old one without JSON.
    }
  }
  return found;
}

async function droppingRules(run: HostRunner, client: Docker | undefined, definition: LabDefinition): Promise<string[] | undefined> {
  const own: readonly (string | undefined)[] = [kindNetwork.name, definition.topology?.parsed.mgmt.network];
  const bridges = client === undefined ? [] : (await client.listNetworks()).filter(({ Name }) => own.includes(Name)).map(bridgeOf);
  const rules: string[] = [];
  let isSeen = false;
  for (const program of ['iptables', 'ip6tables']) {
    const argv = [program, '-S'];
    try {
      const { stdout, exitCode } = await run(process.getuid?.() === 0 ? argv : ['sudo', '-n', ...argv], { timeoutMs: patienceMs });
      if (exitCode !== 0) continue;
      isSeen = true;
      rules.push(...rulesThatDrop(program, stdout, bridges));
    } catch (error) {
      if (!(error instanceof OutpostError)) throw error;
    }
  }
  return isSeen ? rules : undefined;
}

async function labState(
  client: Docker,
  { definition, run, record }: Surroundings,
): Promise<Pick<Facts, 'clab' | 'nodes' | 'kubeContext' | 'isUp'>> {
  const cluster = clusterName(definition);
  const containers = await client.listContainers({ all: true });
  const nameOf = ({ Names }: { Names: string[] }) => (Names[0] ?? '').replace(/^\//, '');
  const nodes = containers.filter(({ Labels }) => Labels['io.x-k8s.kind.cluster'] === cluster);
  if (nodes.length === 0) return { clab: undefined, nodes: undefined, kubeContext: undefined, isUp: false };
  const topology = definition.topology?.parsed;
  const expected = topology?.nodes.map(({ name }) => containerName(topology, name)) ?? [];
  const isStopped = ({ State }: { State: string }) => State !== 'running';
  const now = await nodeAddresses({ docker: client, cluster });
  const moved = Object.entries(record?.addresses ?? {}).flatMap(([node, was]) => {
    const is = now[node];
    return is === undefined || was.every((address) => is.includes(address)) ? [] : [{ node, was, is }];
  });
  return {
    isUp: true,
    nodes: { stopped: nodes.filter(isStopped).map(nameOf).sort(), moved },
    clab:
      topology === undefined
        ? undefined
        : {
            missing: expected.filter((name) => !containers.some((container) => nameOf(container) === name)).sort(),
            stopped: containers
              .filter((container) => expected.includes(nameOf(container)) && isStopped(container))
              .map(nameOf)
              .sort(),
            lostLinks: (await lostLinks(client, topology)).sort(),
          },
    kubeContext: await contextOf(run),
  };
}

/** Undefined where there is no kubectl to ask. */
async function contextOf(run: HostRunner): Promise<string | undefined> {
  try {
    const { stdout, exitCode } = await run(['kubectl', 'config', 'current-context'], { timeoutMs: patienceMs });
    return exitCode === 0 ? stdout.trim() : '';
  } catch (error) {
    if (error instanceof OutpostError) return undefined;
    throw error;
  }
}
