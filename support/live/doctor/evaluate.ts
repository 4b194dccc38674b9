import { installCommand, isAtLeast, oldestEngine, oldestKernel, toolPins } from '../versions.ts';
import type { Facts, Finding } from './facts.ts';
import { firewallFix } from './firewall.ts';
import { overlap } from './prefixes.ts';

type Rule = (facts: Facts) => Finding[];

const gib = 1024 ** 3;
const inGib = (bytes: number) => `${Math.round((bytes / gib) * 10) / 10} GiB`;

const engine: Rule = ({ docker, platform, arch }) => {
  if (!docker.answers) {
    const isMissing = /there is no|ENOENT/.test(docker.reason);
    return [
      {
        code: 'docker/no-answer',
        severity: 'broken',
        problem: 'no Docker engine answers',
        evidence: docker.reason,
        fix:
          platform === 'darwin'
            ? 'start Docker Desktop'
            : /EACCES/.test(docker.reason)
              ? 'sudo usermod -aG docker "$USER", then log in again'
              : isMissing
                ? `sudo systemctl start docker; or install it: ${installCommand('docker', platform, arch)}`
                : 'sudo systemctl restart docker',
      },
    ];
  }
  if (isAtLeast(docker.version, oldestEngine)) return [];
  return [
    {
      code: 'docker/old',
      severity: 'broken',
      problem: `the Docker engine is older than ${oldestEngine}`,
      evidence: `version ${docker.version}`,
      fix: installCommand('docker', platform, arch),
    },
  ];
};

const engineOfDocker: Rule = ({ otherEngine: other }) =>
  other === undefined
    ? []
    : [
        {
          code: 'docker/context',
          severity: 'broken',
          problem: 'the docker command, and kind with it, use another engine than containerlab and outpost',
          evidence: `docker context: ${other.context}, ${other.host}`,
          fix: `export DOCKER_HOST=${other.host}; or docker context use default`,
        },
      ];

const tools: Rule = ({ tools: found, lab, platform, arch, docker }) =>
  toolPins
    // Who installs the engine gets its command, too.
    .filter(({ tool }) => tool !== 'docker' || docker.answers)
    .filter(({ neededFor }) => neededFor === 'every lab' || (neededFor === 'topology' ? lab.hasTopology : lab.hasCilium))
    .flatMap(({ tool, atLeast }): Finding[] => {
      const version = found[tool];
      if (version !== null && (version === undefined || isAtLeast(version, atLeast))) return [];
      return [
        {
          code: version === null ? 'tool/missing' : 'tool/old',
          severity: 'broken',
          problem: version === null ? `${tool} is not there` : `${tool} is older than ${atLeast}`,
          evidence: version === null ? 'not on the PATH' : `version ${version}`,
          fix: installCommand(tool, platform, arch),
        },
      ];
    });

/** kind's "Known issues": "Pod errors due to too many open files". Beside what else watches, each node takes its share. */
const leastSysctls: readonly { readonly name: string; readonly least: number; readonly code: string; readonly problem: string }[] = [
  { name: 'fs.inotify.max_user_watches', least: 524_288, code: 'inotify/watches', problem: 'too few inotify watches for kind nodes' },
  { name: 'fs.inotify.max_user_instances', least: 512, code: 'inotify/instances', problem: 'too few inotify instances for kind nodes' },
];

const sysctls: Rule = ({ sysctls: seen, docker, lab }) => {
  // The engine turns forwarding on when it starts; one that is elsewhere has settings of its own.
  const isKnown = docker.answers && docker.isHere;
  if (docker.answers && !docker.isHere) return [];
  const low = leastSysctls.flatMap(({ name, least, code, problem }): Finding[] => {
    const value = Number(seen[name]);
    if (seen[name] === undefined || value >= least) return [];
    return [sysctl(code, 'risk', problem, name, seen[name], String(least))];
  });
  const must: [string, string, string, string, boolean][] = [
    [
      'ipv4/forwarding',
      'net.ipv4.ip_forward',
      '1',
      'this machine forwards no IPv4: containers reach nothing outside their network',
      isKnown,
    ],
    ['ipv6/off', 'net.ipv6.conf.all.disable_ipv6', '0', 'IPv6 is off, and the lab is dual stack', lab.isDual],
    [
      'ipv6/forwarding',
      'net.ipv6.conf.all.forwarding',
      '1',
      'this machine forwards no IPv6, and the lab is dual stack',
      isKnown && lab.isDual,
    ],
  ];
  const wrong = must.flatMap(([code, name, wanted, problem, isNeeded]): Finding[] => {
    const value = seen[name];
    if (!isNeeded || value === undefined || value === wanted) return [];
    return [sysctl(code, code === 'ipv6/forwarding' ? 'risk' : 'broken', problem, name, value, wanted)];
  });
  return [...low, ...wrong];
};

function sysctl(code: string, severity: Finding['severity'], problem: string, name: string, is: string, wanted: string): Finding {
  return {
    code,
    severity,
    problem,
    evidence: `${name} = ${is}`,
    fix: `sudo sysctl -w ${name}=${wanted}`,
    mend: [['sudo', '-n', 'sysctl', '-w', `${name}=${wanted}`]],
  };
}

const cgroups: Rule = ({ docker }) => {
  if (!docker.answers || docker.cgroupVersion === undefined || docker.cgroupVersion === '2') return [];
  return [
    {
      code: 'cgroup/v1',
      severity: 'risk',
      problem: 'the engine uses cgroup v1: kubelet warns of it, and Cilium balances services by cgroup v2',
      evidence: `docker info: Cgroup Version ${docker.cgroupVersion}`,
      fix: "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
    },
  ];
};

const kernel: Rule = ({ kernel: seen, lab, docker }) => {
  if (seen === undefined || !lab.hasCilium || (docker.answers && !docker.isHere)) return [];
  const version = /^\d+\.\d+(\.\d+)?/.exec(seen.release)?.[0] ?? '0';
  const findings: Finding[] = [];
  const update = seen.isWsl ? 'wsl --update, then wsl --shutdown (in Windows)' : 'update the kernel';
  if (!isAtLeast(version, oldestKernel)) {
    findings.push({
      code: 'kernel/old',
      severity: 'broken',
      problem: `the kernel is older than ${oldestKernel}, which Cilium needs`,
      evidence: seen.release,
      fix: update,
    });
  }
  const missing = Object.entries(seen.config ?? {})
    .filter(([, isOn]) => !isOn)
    .map(([name]) => name);
  if (missing.length > 0) {
    findings.push({
      code: seen.isWsl ? 'kernel/wsl' : 'kernel/config',
      severity: 'risk',
      problem: `the ${seen.isWsl ? 'WSL ' : ''}kernel was built without what Cilium needs`,
      evidence: `not set: ${missing.join(', ')}`,
      fix: seen.isWsl ? `${update}; or build a WSL kernel with them and name it in .wslconfig` : update,
    });
  }
  return findings;
};

/** About what a kind node with Cilium takes, and what the images need. */
const memoryPerNode = 1.2 * gib;
const neededDisk = 10 * gib;

const resources: Rule = ({ memoryBytes, docker, freeDiskBytes, lab, isUp }) => {
  const findings: Finding[] = [];
  const memory = docker.answers ? (docker.memoryBytes ?? memoryBytes) : memoryBytes;
  const needed = lab.nodes * memoryPerNode + gib / 2;
  if (memory !== undefined && memory < needed) {
    findings.push({
      code: 'memory/low',
      severity: 'risk',
      problem: `little memory for ${lab.nodes === 1 ? 'a node' : `${lab.nodes} nodes`}`,
      evidence: `${inGib(memory)}, ${inGib(needed)} are wanted`,
      fix:
        docker.answers && !docker.isHere
          ? 'give Docker Desktop more memory (Settings, Resources)'
          : 'end what else runs, or take a larger machine',
    });
  }
  if (freeDiskBytes !== undefined && freeDiskBytes < (isUp ? gib : neededDisk)) {
    findings.push({
      code: 'disk/low',
      severity: freeDiskBytes < gib ? 'broken' : 'risk',
      problem: 'little disk space where Docker keeps its images',
      evidence: `${inGib(freeDiskBytes)} free, ${inGib(isUp ? gib : neededDisk)} are wanted`,
      fix: 'docker system prune (it asks first)',
    });
  }
  return findings;
};

/** What a lab puts on this machine itself; the rest of its prefixes stay inside its containers. */
const ofMachine = ['management network', 'nodes'];

const overlaps: Rule = ({ lab, foreignPrefixes }) =>
  foreignPrefixes.flatMap(({ prefix, owner, isRoute = false, fix }): Finding[] => {
    const hits = lab.prefixes.filter((own) => overlap(own.prefix, prefix));
    const hit = hits.find(({ use }) => ofMachine.includes(use)) ?? hits[0];
    if (hit === undefined) return [];
    return [
      {
        code: isRoute ? 'route/overlap' : 'network/overlap',
        severity: isRoute && !ofMachine.includes(hit.use) ? 'risk' : 'broken',
        problem: `${owner} uses addresses of the lab's ${hit.use}`,
        evidence: `${prefix} and ${hit.prefix}`,
        fix: fix ?? 'take the other one down, or change the prefix in the lab',
      },
    ];
  });

const nodeNetwork: Rule = ({ nodePrefix, clusters, lab: { cluster } }) => [
  ...(nodePrefix === undefined || nodePrefix.is.includes(nodePrefix.wanted)
    ? []
    : [
        {
          code: 'network/kind',
          severity: 'broken' as const,
          problem: `the nodes' network does not have the prefix that the lab writes addresses of`,
          evidence: `Docker network "kind": ${nodePrefix.is.join(', ') || 'no prefix'}; the lab uses ${nodePrefix.wanted}`,
          fix: 'docker network rm kind, when no cluster uses it any more; outpost up makes it as the lab needs it',
        },
      ]),
  ...(clusters?.isForeign === true
    ? [
        {
          code: 'cluster/foreign',
          severity: 'risk' as const,
          problem: `there is a kind cluster "${cluster}" that outpost did not make: up and down leave it alone`,
          evidence: 'docker ps -a --filter label=io.x-k8s.kind.cluster',
          fix: `kind delete cluster --name ${cluster}, if nobody needs it`,
        },
      ]
    : []),
  ...(clusters?.others ?? []).map(
    (name): Finding => ({
      code: 'cluster/other',
      severity: 'risk',
      problem: `another kind cluster, "${name}", is on the nodes' network: both may announce the same addresses there`,
      evidence: 'kind get clusters',
      fix: `kind delete cluster --name ${name}, if nobody needs it`,
    }),
  ),
];

const firewall: Rule = ({ droppingRules }) => {
  const rules = droppingRules ?? [];
  if (rules.length === 0) return [];
  return [
    {
      code: 'firewall/drops',
      severity: 'risk',
      problem: "the machine's firewall drops what the lab's links and networks forward",
      evidence: rules.join('; '),
      fix: [...new Set(rules.map(firewallFix))].join('; '),
    },
  ];
};

const lab: Rule = ({ isUp, clab, nodes, kubeContext, clusters, otherEngine, lab: { cluster } }) => {
  const findings: Finding[] = [];
  const isForeign = clusters?.isForeign === true;
  // Somebody else's cluster is left to them; and docker and kind would look for this one's nodes on the other engine.
  const isOurs = !isForeign && otherEngine === undefined;
  if (nodes !== undefined && nodes.stopped.length > 0) {
    const start = ['docker', 'start', ...nodes.stopped];
    findings.push({
      code: 'node/stopped',
      severity: 'broken',
      problem: `${nodes.stopped.join(', ')} ${nodes.stopped.length === 1 ? 'does' : 'do'} not run`,
      evidence: 'docker ps -a',
      fix: isForeign ? start.join(' ') : 'outpost up',
      ...(isOurs ? { mend: [start] } : {}),
    });
  }
  for (const { node, was, is } of nodes?.moved ?? []) {
    findings.push({
      code: 'node/moved',
      severity: 'broken',
      problem: `${node} has other addresses than at the end of outpost up`,
      evidence: `${was.join(', ')} then, ${is.join(', ') || 'none'} now`,
      fix: 'outpost down, then outpost up: certificates and agents of the cluster hold the old addresses',
    });
  }
  if (clab !== undefined && clab.stopped.length > 0) {
    findings.push({
      code: 'topology/stopped',
      severity: 'broken',
      problem: `${clab.stopped.join(', ')} ${clab.stopped.length === 1 ? 'does' : 'do'} not run`,
      evidence: 'docker ps -a',
      fix: 'outpost up',
    });
  }
  if (clab !== undefined && clab.missing.length > 0) {
    findings.push({
      code: 'topology/missing',
      severity: 'broken',
      problem: `${clab.missing.join(', ')} ${clab.missing.length === 1 ? 'is' : 'are'} not there`,
      evidence: 'docker ps -a',
      fix: 'outpost up',
    });
  }
  if (clab !== undefined && clab.lostLinks.length > 0) {
    findings.push({
      code: 'topology/lost-links',
      severity: 'broken',
      problem: 'links of the topology are gone: a container at one end was restarted',
      evidence: `not there: ${clab.lostLinks.join(', ')}`,
      fix: 'outpost up makes the topology again',
    });
  }
  if (isUp && kubeContext !== undefined && kubeContext !== `kind-${cluster}`) {
    findings.push({
      code: 'kube/context',
      severity: 'broken',
      problem: 'kubectl talks to another cluster',
      evidence: `current context: ${kubeContext || '(none)'}; the lab's is kind-${cluster}`,
      // It writes the context, too, where that is lost.
      fix: `kind export kubeconfig --name ${cluster}`,
      ...(isOurs ? { mend: [['kind', 'export', 'kubeconfig', '--name', cluster]] } : {}),
    });
  }
  return findings;
};

const rules: readonly Rule[] = [engine, engineOfDocker, tools, cgroups, sysctls, kernel, resources, overlaps, nodeNetwork, firewall, lab];

/** What is wrong, as far as the facts show it: what cannot work before what may not. */
export function evaluate(facts: Facts): Finding[] {
  const findings = rules.flatMap((rule) => rule(facts));
  return [...findings.filter(({ severity }) => severity === 'broken'), ...findings.filter(({ severity }) => severity === 'risk')];
}
