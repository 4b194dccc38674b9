import type { Facts } from './facts.ts';

export const gib = 1024 ** 3;

/** A machine on which a dual-stack lab of three nodes is up, and nothing is wrong. */
export const healthy: Facts = {
  platform: 'linux',
  arch: 'amd64',
  docker: { answers: true, version: '27.5.1', cgroupVersion: '2', memoryBytes: 16 * gib, isHere: true },
  tools: {
    docker: '27.5.1',
    kind: '0.27.0',
    kubectl: '1.32.3',
    containerlab: '0.68.0',
    helm: '3.17.3',
    cilium: '0.18.3',
    hubble: '1.17.2',
  },
  lab: {
    cluster: 'demo',
    nodes: 3,
    hasTopology: true,
    hasCilium: true,
    isDual: true,
    prefixes: [
      { prefix: '192.0.2.0/24', use: 'pods' },
      { prefix: '2001:db8:1::/48', use: 'services' },
    ],
  },
  kernel: { release: '6.8.0-45-generic', isWsl: false, config: { CONFIG_BPF: true, CONFIG_VXLAN: true } },
  sysctls: {
    'fs.inotify.max_user_watches': '1048576',
    'fs.inotify.max_user_instances': '8192',
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.disable_ipv6': '0',
    'net.ipv6.conf.all.forwarding': '1',
  },
  memoryBytes: 16 * gib,
  freeDiskBytes: 80 * gib,
  foreignPrefixes: [{ prefix: '198.51.100.0/24', owner: 'Docker network "web"' }],
  droppingRules: [],
  clab: { lostLinks: [], stopped: [], missing: [] },
  nodePrefix: { wanted: '203.0.113.0/24', is: ['203.0.113.0/24', '2001:db8:9::/64'] },
  clusters: { others: [], isForeign: false },
  nodes: { stopped: [], moved: [] },
  kubeContext: 'kind-demo',
  isUp: true,
};
