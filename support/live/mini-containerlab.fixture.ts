import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { load } from 'js-yaml';
import { splitWords } from '../simulator/containerlab/shell-words.ts';
import { containerName, parseTopology } from '../simulator/containerlab/topology.ts';

export const miniContainerlab = fileURLToPath(import.meta.url);

/**
 * `containerlab deploy` and `destroy` as far as the reference topology needs them, for machines with a Docker engine and without
 * containerlab: `mini-containerlab NETNS deploy|destroy --topo FILE …`. Tests say in their title when it was this one.
 */
async function main([namespace = '', command = '', ...options]: readonly string[]): Promise<void> {
  const file = resolve(options[options.indexOf('--topo') + 1] ?? '');
  const topology = parseTopology(load(readFileSync(file, 'utf8')));
  const docker = new Docker();
  const made = await docker.listContainers({ all: true, filters: { label: [`containerlab=${topology.name}`] } });
  if (command === 'destroy' || options.includes('--reconfigure')) {
    for (const { Id } of made) await docker.getContainer(Id).remove({ force: true, v: true });
    if (command === 'destroy') {
      if (!options.includes('--keep-mgmt-net')) await docker.getNetwork(topology.mgmt.network).remove();
      return;
    }
  }
  const networks = await docker.listNetworks();
  if (!networks.some(({ Name }) => Name === topology.mgmt.network)) {
    const { ipv4Subnet, ipv6Subnet, network: Name } = topology.mgmt;
    await docker.createNetwork({
      Name,
      EnableIPv6: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: ipv4Subnet }, { Subnet: ipv6Subnet }] },
    });
  }
  const pids = new Map<string, number>();
  const isShared = (name: string) => topology.nodes.some((node) => node.networkMode === `container:${name}`);
  for (const node of [...topology.nodes].sort((a, b) => Number(isShared(b.name)) - Number(isShared(a.name)))) {
    const name = containerName(topology, node.name);
    const [mode, shared = ''] = (node.networkMode ?? '').split(':');
    const own = topology.nodes.some((other) => other.name === shared) ? containerName(topology, shared) : shared;
    const container = await docker.createContainer({
      name,
      Image: node.image ?? '',
      ...(node.command === undefined ? {} : { Cmd: splitWords(node.command) }),
      Env: Object.entries(node.env).map(([key, value]) => `${key}=${value}`),
      Labels: { containerlab: topology.name, 'clab-topo-file': file },
      ...(mode === 'container' ? {} : { Hostname: node.name }),
      HostConfig: {
        Privileged: true,
        NetworkMode: mode === 'container' ? `container:${own}` : topology.mgmt.network,
        Binds: node.binds.map((bind) => {
          const [from = '', ...rest] = bind.split(':');
          return [resolve(dirname(file), from), ...rest].join(':');
        }),
        ...(mode === 'container' ? {} : { Sysctls: { 'net.ipv6.conf.all.disable_ipv6': '0', 'net.ipv6.conf.default.disable_ipv6': '0' } }),
      },
    });
    await container.start();
    pids.set(node.name, (await container.inspect()).State.Pid);
  }
  const ip = (...words: string[]) => need('nsenter', [`--net=${namespace}`, 'ip', ...words]);
  topology.links.forEach(({ a, b }, index) => {
    if (b === undefined) throw new Error('only links between two nodes');
    // One that was cut off may have left its own behind.
    attempt('nsenter', [`--net=${namespace}`, 'ip', 'link', 'del', `mini${index}a`]);
    ip('link', 'add', `mini${index}a`, 'mtu', '9500', 'type', 'veth', 'peer', 'name', `mini${index}b`, 'mtu', '9500');
    for (const [end, name] of [
      [a, `mini${index}a`],
      [b, `mini${index}b`],
    ] as const) {
      const pid = String(pids.get(end.node));
      ip('link', 'set', name, 'netns', pid);
      need('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', 'link', 'set', name, 'name', end.interfaceName]);
      need('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', 'link', 'set', end.interfaceName, 'up']);
    }
  });
  // containerlab tells of a line that fails, and goes on: what a node's shared namespace has already cannot be made again.
  for (const node of topology.nodes) {
    for (const line of node.exec) {
      const { stderr } = spawnSync('docker', ['exec', containerName(topology, node.name), ...splitWords(line)], { encoding: 'utf8' });
      if (stderr !== '') console.error(`${node.name}: ${line}: ${stderr.trim()}`);
    }
  }
}

function attempt(program: string, words: readonly string[]) {
  return spawnSync(program, words, { encoding: 'utf8' });
}

function need(program: string, words: readonly string[]): void {
  const { status, stderr, stdout } = attempt(program, words);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}${stdout}`);
}

if (process.argv[1] === miniContainerlab) {
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(`mini-containerlab: ${error.message}`);
    process.exit(1);
  });
}
