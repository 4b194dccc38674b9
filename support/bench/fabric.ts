import { parseTopology } from '../simulator/containerlab/topology.ts';
import type { LabContent } from '../simulator/host/content.ts';

/** A cluster in racks: how large, and what runs in it. */
export interface FabricSize {
  readonly nodes: number;
  readonly nodesPerRack: number;
  readonly podsPerNode: number;
  readonly servicesPerNode: number;
}

/** What the lab is asked to reach. */
export interface Fabric {
  readonly content: LabContent;
  readonly racks: number;
  readonly services: number;
  readonly pods: number;
  /** The manifest of the workloads, in the home. */
  readonly workloads: string;
}

const spineAsn = 4_200_000_000;
const torAsn = (rack: number): number => 4_200_000_001 + rack;
const nodeAsn = (rack: number): number => 4_200_001_001 + rack;
const image = 'registry.example.com/web:1';

/**
 * The kind nodes in racks: each rack has a switch port per node, all bridged in its top-of-rack router (FRR), which peers with every
 * node of the rack (eBGP) and with the one spine. Nodes announce their pod CIDR and the addresses of LoadBalancer services that have
 * a pod on them (externalTrafficPolicy Local); routers announce nothing to the nodes, which have a static route.
 */
export function describeFabric(size: FabricSize): Fabric {
  const racks = Math.ceil(size.nodes / size.nodesPerRack);
  const names = Array.from({ length: size.nodes }, (_, index) =>
    index === 0 ? 'kind-control-plane' : index === 1 ? 'kind-worker' : `kind-worker${index}`,
  );
  const rackOf = (index: number): number => Math.floor(index / size.nodesPerRack);
  const services = size.nodes * size.servicesPerNode;
  const replicas = size.podsPerNode / size.servicesPerNode;
  const source = topology(size, racks, names, rackOf);
  return {
    racks,
    services,
    pods: services * replicas,
    workloads: 'workloads.json',
    content: {
      name: 'fabric',
      cluster: { file: 'cluster.yaml', documents: [cluster(names, rackOf)] },
      topology: {
        source: { file: 'fabric.clab.yaml', documents: [source] },
        parsed: parseTopology(source),
        files: new Map([['daemons', 'bgpd=yes\n']]),
      },
      cilium: { version: '1.18.2', values: { file: 'values.yaml', documents: [values] } },
      homeFiles: new Map([
        ['bgp.json', list(announcements(racks))],
        ['workloads.json', list(workloads(services, replicas))],
      ]),
      setup: ['bgp.json'],
      images: [],
      programs: new Map(),
    },
  };
}

const list = (items: readonly unknown[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

const values = {
  k8sServiceHost: 'kind-control-plane',
  k8sServicePort: 6443,
  kubeProxyReplacement: true,
  devices: ['eth0', 'net0'],
  ipam: { mode: 'kubernetes' },
  routingMode: 'native',
  ipv4NativeRoutingCIDR: '10.0.0.0/8',
  bpf: { masquerade: true },
  bgpControlPlane: { enabled: true },
};

function cluster(names: readonly string[], rackOf: (index: number) => number) {
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    // Each service takes two ports of every node: the default range has 2,768.
    kubeadmConfigPatches: ['kind: ClusterConfiguration\napiServer:\n  extraArgs:\n    service-node-port-range: 20000-60000\n'],
    networking: { podSubnet: '10.64.0.0/12', serviceSubnet: '10.96.0.0/12', disableDefaultCNI: true, kubeProxyMode: 'none' },
    nodes: names.map((_, index) => ({
      role: index === 0 ? 'control-plane' : 'worker',
      labels: { rack: `r${rackOf(index)}` },
    })),
  };
}

function topology(size: FabricSize, racks: number, names: readonly string[], rackOf: (index: number) => number) {
  const nodes: Record<string, unknown> = {};
  const links: { endpoints: string[] }[] = [];
  const router = (asn: number, id: string, lines: readonly string[]): string =>
    [
      'vtysh',
      'configure terminal',
      `router bgp ${asn}`,
      `bgp router-id ${id}`,
      'no bgp ebgp-requires-policy',
      'bgp bestpath as-path multipath-relax',
      ...lines,
    ]
      .map((line, index) => (index === 0 ? line : `-c '${line}'`))
      .join(' ');
  nodes['spine'] = {
    kind: 'linux',
    image: 'frrouting/frr:v8.4.1',
    binds: ['daemons:/etc/frr/daemons'],
    exec: [
      ...Array.from({ length: racks }, (_, rack) => `ip addr add 10.255.${rack}.1/30 dev net${rack}`),
      router(
        spineAsn,
        '10.254.255.1',
        Array.from({ length: racks }, (_, rack) => `neighbor 10.255.${rack}.2 remote-as ${torAsn(rack)}`),
      ),
    ],
  };
  for (let rack = 0; rack < racks; rack++) {
    const members = names.map((_, index) => index).filter((index) => rackOf(index) === rack);
    nodes[`tor${rack}`] = {
      kind: 'linux',
      image: 'frrouting/frr:v8.4.1',
      binds: ['daemons:/etc/frr/daemons'],
      exec: [
        'ip link add rack type bridge',
        'ip link set rack up',
        ...members.map((_, port) => `ip link set net${port} master rack`),
        `ip addr add 10.${rack}.0.1/24 dev rack`,
        `ip addr add 10.255.${rack}.2/30 dev up0`,
        'sysctl -w net.ipv4.ip_forward=1',
        router(torAsn(rack), `10.254.${rack}.1`, [
          'neighbor NODES peer-group',
          `neighbor NODES remote-as ${nodeAsn(rack)}`,
          `neighbor 10.255.${rack}.1 remote-as ${spineAsn}`,
          ...members.map((_, port) => `neighbor 10.${rack}.0.${port + 10} peer-group NODES`),
          'address-family ipv4 unicast',
          'neighbor NODES prefix-list NONE out',
          'exit-address-family',
          'exit',
          'ip prefix-list NONE deny any',
        ]),
      ],
    };
    links.push({ endpoints: [`spine:net${rack}`, `tor${rack}:up0`] });
  }
  names.forEach((name, index) => {
    const rack = rackOf(index);
    const port = index % size.nodesPerRack;
    nodes[name] = {
      kind: 'ext-container',
      exec: [`ip addr add 10.${rack}.0.${port + 10}/24 dev net0`, `ip route add 10.0.0.0/8 via 10.${rack}.0.1`],
    };
    links.push({ endpoints: [`tor${rack}:net${port}`, `${name}:net0`] });
  });
  return { name: 'fabric', topology: { nodes, links } };
}

function announcements(racks: number): readonly unknown[] {
  return [
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumBGPPeerConfig',
      metadata: { name: 'rack' },
      spec: { families: [{ afi: 'ipv4', safi: 'unicast', advertisements: { matchLabels: { advertise: 'bgp' } } }] },
    },
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumBGPAdvertisement',
      metadata: { name: 'pods-and-services', labels: { advertise: 'bgp' } },
      spec: {
        advertisements: [
          { advertisementType: 'PodCIDR' },
          {
            advertisementType: 'Service',
            service: { addresses: ['LoadBalancerIP'] },
            selector: { matchLabels: { announced: 'bgp' } },
          },
        ],
      },
    },
    ...Array.from({ length: racks }, (_, rack) => ({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumBGPClusterConfig',
      metadata: { name: `rack${rack}` },
      spec: {
        nodeSelector: { matchLabels: { rack: `r${rack}` } },
        bgpInstances: [
          {
            name: 'fabric',
            localASN: nodeAsn(rack),
            peers: [{ name: 'tor', peerAddress: `10.${rack}.0.1`, peerASN: torAsn(rack), peerConfigRef: { name: 'rack' } }],
          },
        ],
      },
    })),
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumLoadBalancerIPPool',
      metadata: { name: 'public' },
      spec: { blocks: [{ cidr: '198.18.0.0/15' }] },
    },
  ];
}

function workloads(services: number, replicas: number): readonly unknown[] {
  return Array.from({ length: services }, (_, index) => {
    const app = `web-${index}`;
    return [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: app, namespace: 'default' },
        spec: {
          replicas,
          selector: { matchLabels: { app } },
          template: {
            metadata: { labels: { app } },
            spec: {
              // Every node takes pods, the first one too.
              tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
              containers: [{ name: 'web', image, ports: [{ containerPort: 80 }] }],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: app, namespace: 'default', labels: { announced: 'bgp' } },
        spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app }, ports: [{ port: 80 }] },
      },
    ];
  }).flat();
}
