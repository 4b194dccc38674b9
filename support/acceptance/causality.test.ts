import { describe, expect, it } from 'vitest';
import { type Edit, gradeEdited } from './broken-lab.ts';

// With one content file changed, the run must fail where the real lab would, and nowhere else. Each case lists the tasks that a
// mistake takes down in reality, consequences included: in native routing pods of other nodes are reached through the router, so
// without its routes the ships lose the Death Star, the router loses its way back to pods, and remote backends cannot answer.

const topology = 'containerlab/lab.clab.yaml';
const policies = 'lab/manifests/bgp-peering-policies.yaml';
const application = 'lab/manifests/batuu.yaml';
const values = 'lab/values.yaml';
const pool = 'lab/manifests/lb-pool.yaml';
const layer2 = 'lab/manifests/layer2-policy.yaml';
const egress = 'lab/manifests/egress-gw-policy.yaml';
const cluster = 'lab/cluster.yaml';

interface Case {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Tasks that do not pass, in the order of the lab. */
  readonly fails: string;
}

const switchedOff = (feature: string): Edit => ({
  file: values,
  from: `${feature}:\n  enabled: true`,
  to: `${feature}:\n  enabled: false`,
});
const without = (file: string, line: string): Edit => ({ file, from: `${line}\n`, to: '' });

/** No pod CIDR reaches the router. */
const noPodRoutes = 'bgp reach-pod hubble announce-bgp announce-l2 egress-policy';
/** The pod CIDR of one worker is missing; it runs half of the Death Star and some of the ships. */
const oneWorkerLost = 'bgp reach-pod hubble announce-bgp egress-policy';

const broken: readonly Case[] = [
  // BGP
  { name: "the router's AS is another", edits: [{ file: topology, from: 'router bgp 65000', to: 'router bgp 65010' }], fails: noPodRoutes },
  { name: 'peerASN is wrong on every node', edits: [{ file: policies, from: 'peerASN: 65000', to: 'peerASN: 65010' }], fails: noPodRoutes },
  {
    name: 'peerASN is wrong on one node',
    edits: [{ file: policies, from: /(fd00:10:0:2::1\/128\n\s+peerASN: )65000/, to: '$165010' }],
    fails: oneWorkerLost,
  },
  {
    name: 'peerAddress is wrong on one node',
    edits: [{ file: policies, from: 'fd00:10:0:2::1/128', to: 'fd00:10:0:2::9/128' }],
    fails: oneWorkerLost,
  },
  {
    name: 'localASN is another on one node: the router takes any, and the paths show it',
    edits: [{ file: policies, from: 'localASN: 65002', to: 'localASN: 65009' }],
    fails: 'bgp announce-bgp',
  },
  {
    name: 'pod CIDRs are not exported',
    edits: [{ file: policies, from: 'exportPodCIDR: true', to: 'exportPodCIDR: false' }],
    fails: noPodRoutes,
  },
  {
    name: 'pod CIDRs of the control plane, which runs no ship, are not exported',
    edits: [{ file: policies, from: /exportPodCIDR: true/, to: 'exportPodCIDR: false' }],
    fails: 'bgp announce-bgp',
  },
  {
    name: 'a policy selects no node',
    edits: [{ file: policies, from: 'kubernetes.io/hostname: kind-worker\n', to: 'kubernetes.io/hostname: kind-worker1\n' }],
    fails: oneWorkerLost,
  },
  {
    name: 'FRR insists on policies for eBGP',
    edits: [without(topology, "          -c 'no bgp ebgp-requires-policy'")],
    fails: noPodRoutes,
  },
  {
    name: 'FRR does not activate IPv6',
    edits: [without(topology, "          -c 'bgp default ipv6-unicast'")],
    fails: 'bgp reach-pod announce-bgp',
  },
  {
    name: 'bgpd listens on another port',
    edits: [{ file: 'containerlab/router0/daemons', from: 'bgpd_options="   -A 127.0.0.1', to: 'bgpd_options="   -A 127.0.0.1 -p 1179' }],
    fails: noPodRoutes,
  },
  { name: 'bgpd does not run', edits: [{ file: 'containerlab/router0/daemons', from: 'bgpd=yes', to: 'bgpd=no' }], fails: noPodRoutes },
  {
    name: 'the policies announce services with another label',
    edits: [{ file: policies, from: 'announced: bgp', to: 'announce: bgp' }],
    fails: 'announce-bgp',
  },
  // routers, nodes and links
  {
    name: 'router0 does not forward IPv6',
    edits: [without(topology, '        - sysctl -w net.ipv6.conf.all.forwarding=1')],
    fails: 'reach-pod announce-bgp',
  },
  {
    name: 'router0 does not forward IPv4',
    edits: [{ file: topology, from: 'net.ipv4.ip_forward=1', to: 'net.ipv4.ip_forward=0' }],
    fails: 'reach-pod hubble announce-bgp announce-l2 egress-policy',
  },
  {
    name: "a node's IPv4 route is missing",
    edits: [without(topology, '        - ip route add 10.0.0.0/8 via 10.0.2.1')],
    fails: oneWorkerLost,
  },
  {
    name: "a node's IPv6 route is missing",
    edits: [without(topology, '        - ip -6 route add fd00::/16 via fd00:10:0:2::1')],
    fails: 'bgp reach-pod announce-bgp',
  },
  { name: 'a link is missing', edits: [without(topology, '    - endpoints: ["router0:net1", "srv-worker:net0"]')], fails: oneWorkerLost },
  {
    name: 'the client has no IPv6 default route',
    edits: [without(topology, '        - ip -6 route replace default via fd00:10:0:4::1')],
    fails: 'reach-pod announce-bgp',
  },
  // LB-IPAM and announcements
  {
    name: "the pool's selector does not match",
    edits: [{ file: pool, from: 'org: empire', to: 'org: rebels' }],
    fails: 'pool announce-bgp announce-l2',
  },
  { name: 'the pool has no IPv6 block', edits: [without(pool, '    - cidr: 2001:db8:dead:beef::0/64')], fails: 'pool announce-bgp' },
  {
    name: 'the pool is disabled',
    edits: [{ file: pool, from: 'spec:\n', to: 'spec:\n  disabled: true\n' }],
    fails: 'pool announce-bgp announce-l2',
  },
  {
    name: 'the L2 policy names an interface that nobody has',
    edits: [{ file: layer2, from: '^eth[0-9]+$', to: '^ens[0-9]+$' }],
    fails: 'announce-l2',
  },
  {
    name: 'the L2 policy announces no load balancer addresses',
    edits: [{ file: layer2, from: 'loadBalancerIPs: true', to: 'loadBalancerIPs: false' }],
    fails: 'announce-l2',
  },
  {
    name: 'the L2 policy selects another service',
    edits: [{ file: layer2, from: 'org: empire', to: 'org: rebels' }],
    fails: 'announce-l2',
  },
  // egress gateway
  {
    name: 'the egress policy selects no node',
    edits: [{ file: egress, from: "egress-gw: 'true'", to: "egress-gw: 'yes'" }],
    fails: 'egress-policy',
  },
  {
    name: 'the egress policy names an interface that does not exist',
    edits: [{ file: egress, from: 'interface: net1', to: 'interface: net9' }],
    fails: 'egress-policy',
  },
  {
    name: 'the egress policy is about another destination',
    edits: [{ file: egress, from: '10.0.4.0/24', to: '10.0.5.0/24' }],
    fails: 'egress-policy',
  },
  {
    name: 'the egress policy selects the other side',
    edits: [{ file: egress, from: 'org: empire', to: 'org: alliance' }],
    fails: 'egress-policy',
  },
  {
    name: 'net1 has another address',
    edits: [{ file: topology, from: '10.0.3.42/24', to: '10.0.3.43/24' }],
    fails: 'gateway-node egress-policy',
  },
  {
    name: 'no node carries the gateway label',
    edits: [{ file: cluster, from: 'egress-gw: "true"', to: 'egress-gw: "false"' }],
    fails: 'gateway-node egress-policy',
  },
  {
    name: 'the outpost admits another address',
    edits: [{ file: topology, from: 'ALLOWED_IPS: 10.0.3.42', to: 'ALLOWED_IPS: 10.0.3.99' }],
    fails: 'egress-policy',
  },
  // Helm values
  {
    name: 'the native-routing CIDR leaves the outpost out: pods are masqueraded',
    edits: [{ file: values, from: 'ipv4NativeRoutingCIDR: 10.0.0.0/8', to: 'ipv4NativeRoutingCIDR: 10.1.0.0/16' }],
    fails: 'egress-policy',
  },
  { name: 'the BGP control plane is off', edits: [switchedOff('bgpControlPlane')], fails: noPodRoutes },
  { name: 'L2 announcements are off', edits: [switchedOff('l2announcements')], fails: 'announce-l2' },
  { name: 'the egress gateway is off', edits: [switchedOff('egressGateway')], fails: 'egress-policy' },
  { name: 'IPv6 is off', edits: [switchedOff('ipv6')], fails: 'bgp dual-stack application reach-pod hubble pool announce-bgp' },
  {
    name: 'the Hubble relay is off',
    edits: [{ file: values, from: 'relay:\n    enabled: true\n  ui:\n    enabled: true', to: 'relay:\n    enabled: false' }],
    fails: 'cilium hubble',
  },
  {
    name: 'the host of the API server is misspelt: nothing of Cilium starts',
    edits: [{ file: values, from: 'k8sServiceHost: kind-control-plane', to: 'k8sServiceHost: kind-controlplane' }],
    fails: 'cilium bgp application reach-pod hubble pool announce-bgp announce-l2 egress-policy',
  },
  {
    name: 'Cilium does not manage the fabric interface',
    edits: [{ file: values, from: 'devices: [eth0, net0]', to: 'devices: [eth0]' }],
    fails: 'announce-bgp announce-l2 egress-policy',
  },
  {
    name: 'the egress gateway lacks BPF masquerading: the agents do not start',
    edits: [{ file: values, from: 'bpf:\n  masquerade: true', to: 'bpf:\n  masquerade: false' }],
    fails: 'cilium bgp application reach-pod hubble announce-bgp announce-l2 egress-policy',
  },
  // the application
  {
    name: "the service's targetPort is wrong",
    edits: [{ file: application, from: 'targetPort: 80', to: 'targetPort: 8080' }],
    fails: 'hubble announce-bgp announce-l2',
  },
  {
    name: 'the readiness probe asks the wrong port',
    edits: [
      {
        file: application,
        from: '            - containerPort: 80',
        to: '            - containerPort: 80\n          readinessProbe: { httpGet: { path: /v1/, port: 81 } }',
      },
    ],
    fails: 'application hubble announce-bgp announce-l2',
  },
  {
    name: 'the policies announce cluster addresses only',
    edits: [{ file: policies, from: 'exportPodCIDR: true', to: 'exportPodCIDR: true\n      serviceAdvertisements: [ClusterIP]' }],
    fails: 'announce-bgp',
  },
  {
    name: "the service's selector is wrong",
    edits: [{ file: application, from: /(selector:\n\s+org: empire\n\s+class: )deathstar\n {2}ports/, to: '$1deathstars\n  ports' }],
    fails: 'hubble announce-bgp announce-l2',
  },
  {
    name: 'the cluster is single stack',
    edits: [
      { file: cluster, from: 'ipFamily: dual', to: 'ipFamily: ipv4' },
      { file: cluster, from: ',fd00:10:1::/48', to: '' },
      { file: cluster, from: ',fd00:10:2::/112', to: '' },
    ],
    fails: 'cilium bgp application reach-pod hubble pool announce-bgp announce-l2 egress-policy',
  },
];

const harmless: readonly Omit<Case, 'fails'>[] = [
  {
    name: 'shorter BGP timers',
    edits: [
      {
        file: policies,
        from: 'peerASN: 65000',
        to: 'peerASN: 65000\n          holdTimeSeconds: 30\n          keepAliveTimeSeconds: 10\n          connectRetryTimeSeconds: 20',
      },
    ],
  },
  { name: 'another router-id', edits: [{ file: topology, from: 'bgp router-id 10.0.0.1', to: 'bgp router-id 10.0.0.77' }] },
  {
    name: 'one more label on the service',
    edits: [{ file: application, from: '  labels:\n    org: empire', to: '  labels:\n    org: empire\n    fleet: first' }],
  },
  { name: 'a third replica', edits: [{ file: application, from: 'replicas: 2', to: 'replicas: 3' }] },
  { name: 'ships that ask less often', edits: [{ file: 'lab/images/starship.yaml', from: 'every: 1s', to: 'every: 3s' }] },
  { name: 'no multipath on the router', edits: [without(topology, "          -c 'bgp bestpath as-path multipath-relax'")] },
  { name: 'a service that prefers dual stack', edits: [{ file: application, from: 'RequireDualStack', to: 'PreferDualStack' }] },
  { name: 'routing through a tunnel', edits: [{ file: values, from: 'routingMode: native', to: 'routingMode: tunnel' }] },
  { name: 'no Hubble UI', edits: [{ file: values, from: 'ui:\n    enabled: true', to: 'ui:\n    enabled: false' }] },
];

describe.concurrent('with one thing wrong, the run fails where the real lab would', () => {
  it.each(broken)('$name', async ({ edits, fails }) => {
    const { exitCode, failedTasks } = await gradeEdited(edits);
    expect({ exitCode, fails: failedTasks.map((task) => task.split('/')[1]).join(' ') }).toEqual({ exitCode: 1, fails });
  });
});

describe.concurrent('a harmless change fails nothing', () => {
  it.each(harmless)('$name', async ({ edits }) => {
    expect(await gradeEdited(edits)).toMatchObject({ exitCode: 0, failedTasks: [] });
  });
});

describe.concurrent('another run of chance changes no verdict', () => {
  it.each([2, 3, 4])('seed %i', async (seed) => {
    expect(await gradeEdited([{ file: 'lab/lab.yaml', from: 'name: discovery', to: 'name: again' }], seed)).toMatchObject({
      exitCode: 0,
      failedTasks: [],
    });
  });
});
