import { performance } from 'node:perf_hooks';
import { parseTopology } from '../simulator/containerlab/topology.ts';
import { SimulatedLab } from '../simulator/host/simulator.ts';

// Two networks beside a cluster of one node, measured in a process of its own: `routers.ts` prints JSON.

const echoes = 5000;
const spines = 4;
const leaves = 96;

function labOf(topology: unknown): SimulatedLab {
  const cluster = { kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', networking: { kubeProxyMode: 'none' } };
  return new SimulatedLab(
    {
      name: 'routers',
      cluster: { file: 'cluster.yaml', documents: [cluster] },
      topology: {
        source: { file: 'routers.clab.yaml', documents: [topology] },
        parsed: parseTopology(topology),
        files: new Map([['daemons', 'bgpd=yes\n']]),
      },
      cilium: undefined,
      homeFiles: new Map(),
      setup: [],
      images: [],
      programs: new Map(),
    },
    1,
  );
}

/** client ─ r1 ─ r2 ─ r3 ─ r4 ─ server: five links, static routes. */
async function packetsPerSecond(): Promise<number> {
  const names = ['client', 'r1', 'r2', 'r3', 'r4', 'server'];
  const nodes = Object.fromEntries(
    names.map((name, index) => [
      name,
      {
        kind: 'linux',
        image: 'alpine:3',
        exec: [
          'sysctl -w net.ipv4.ip_forward=1',
          ...(index > 0 ? [`ip addr add 10.9.${index - 1}.2/24 dev left`] : []),
          ...(index < 5 ? [`ip addr add 10.9.${index}.1/24 dev right`] : []),
          ...names.slice(0, 5).flatMap((_, net) => {
            if (net < index - 1) return [`ip route add 10.9.${net}.0/24 via 10.9.${index - 1}.1`];
            return net > index ? [`ip route add 10.9.${net}.0/24 via 10.9.${index}.2`] : [];
          }),
        ],
      },
    ]),
  );
  const links = names.slice(1).map((name, index) => ({ endpoints: [`${names[index]}:right`, `${name}:left`] }));
  const lab = labOf({ name: 'path', topology: { nodes, links } });
  await lab.up();
  const ping = (count: number) => lab.execIn('clab-path-client', ['ping', '-q', '-c', String(count), '-i', '0.01', '10.9.4.2']);
  await ping(200);
  const startedAt = performance.now();
  const { stdout, stderr } = await ping(echoes);
  const seconds = (performance.now() - startedAt) / 1000;
  if (!stdout.includes(' 0% packet loss')) throw new Error(stdout + stderr);
  return Math.round((2 * echoes) / seconds);
}

/** Every leaf has a network of its own and an eBGP session with every spine; converged when all know all networks. */
async function convergence(): Promise<{ readonly wallMs: number; readonly virtualSeconds: number }> {
  const router = (asn: number, id: string, addresses: readonly string[], lines: readonly string[]) => ({
    kind: 'linux',
    image: 'frrouting/frr:v8.4.1',
    binds: ['daemons:/etc/frr/daemons'],
    exec: [
      ...addresses,
      ['vtysh', 'configure terminal', `router bgp ${asn}`, `bgp router-id ${id}`, 'no bgp ebgp-requires-policy', ...lines]
        .map((line, index) => (index === 0 ? line : `-c '${line}'`))
        .join(' '),
    ],
  });
  const nodes: Record<string, unknown> = {};
  const links: unknown[] = [];
  for (let spine = 0; spine < spines; spine++) {
    const ports = Array.from({ length: leaves }, (_, leaf) => leaf);
    nodes[`spine${spine}`] = router(
      65_000,
      `10.255.255.${spine + 1}`,
      ports.map((leaf) => `ip addr add 10.${spine + 1}.${leaf}.1/30 dev e${leaf}`),
      ports.map((leaf) => `neighbor 10.${spine + 1}.${leaf}.2 remote-as ${65_001 + leaf}`),
    );
  }
  for (let leaf = 0; leaf < leaves; leaf++) {
    const ports = Array.from({ length: spines }, (_, spine) => spine);
    nodes[`leaf${leaf}`] = router(
      65_001 + leaf,
      `10.255.254.${leaf + 1}`,
      [`ip addr add 10.200.${leaf}.1/24 dev lo`, ...ports.map((spine) => `ip addr add 10.${spine + 1}.${leaf}.2/30 dev u${spine}`)],
      [...ports.map((spine) => `neighbor 10.${spine + 1}.${leaf}.1 remote-as 65000`), `network 10.200.${leaf}.0/24`],
    );
    for (const spine of ports) links.push({ endpoints: [`spine${spine}:e${leaf}`, `leaf${leaf}:u${spine}`] });
  }
  const startedAt = performance.now();
  const lab = labOf({ name: 'fabric', topology: { nodes, links } });
  await lab.up();
  const { clock, engine, warnings } = lab.machine;
  if (warnings.length > 0) throw new Error(warnings[0]);
  const learned = (name: string): number =>
    engine
      .findContainer(`clab-fabric-${name}`)
      ?.namespace.routes.list({ family: 4, table: 254 })
      .filter(({ protocol }) => protocol === 'bgp').length ?? 0;
  let virtualSeconds = 0;
  while (!Array.from({ length: leaves }, (_, leaf) => learned(`leaf${leaf}`)).every((count) => count === leaves - 1)) {
    if (++virtualSeconds > 300) throw new Error(`not converged: leaf0 has ${learned('leaf0')} routes`);
    clock.advance(1000);
  }
  return { wallMs: Math.round(performance.now() - startedAt), virtualSeconds };
}

console.log(JSON.stringify({ packetsPerSecond: await packetsPerSecond(), routers: spines + leaves, ...(await convergence()) }));
