import { expect, it } from 'vitest';
import { renderConfig } from '../helm/config-map.ts';
import { readValues } from '../helm/values.ts';
import { parseVersion } from '../version.ts';
import { fatalProblem } from './startup-check.ts';

const check = (values: unknown, version = '1.16.0') => {
  const parsed = parseVersion(version);
  return fatalProblem(new Map(Object.entries(renderConfig(readValues(values).values, parsed))), parsed);
};
const native = { routingMode: 'native', ipv4NativeRoutingCIDR: '203.0.113.0/24' };

it.each<{ name: string; values: unknown; problem: string | undefined; version?: string }>([
  { name: 'the defaults', values: {}, problem: undefined },
  { name: 'native routing with its CIDR', values: native, problem: undefined },
  {
    name: 'native routing without',
    values: { routingMode: 'native' },
    problem:
      'native routing cidr must be configured with option --ipv4-native-routing-cidr in combination with --enable-ipv4-masquerade=true --enable-ip-masq-agent=false --routing-mode=native --ipam=cluster-pool --enable-ipv4=true',
  },
  {
    name: 'native routing without the IPv6 CIDR',
    values: { ...native, ipv6: { enabled: true } },
    problem:
      'native routing cidr must be configured with option --ipv6-native-routing-cidr in combination with --enable-ipv6-masquerade=true --enable-ip-masq-agent=false --routing-mode=native --ipam=cluster-pool --enable-ipv6=true',
  },
  { name: 'native routing without masquerading', values: { routingMode: 'native', enableIPv4Masquerade: false }, problem: undefined },
  { name: 'no family', values: { ipv4: { enabled: false } }, problem: 'Either IPv4 or IPv6 addressing must be enabled' },
  {
    name: 'direct routes with a tunnel',
    values: { autoDirectNodeRoutes: true },
    problem: 'auto-direct-node-routes cannot be used with tunneling. Packets must be routed through the tunnel device.',
  },
  {
    name: 'BPF masquerading beside kube-proxy',
    values: { bpf: { masquerade: true } },
    problem: 'BPF masquerade requires NodePort (--enable-node-port="true")',
  },
  {
    name: 'egress gateway without BPF masquerading',
    values: { egressGateway: { enabled: true }, kubeProxyReplacement: true },
    problem: 'egress gateway requires --enable-ipv4-masquerade="true" and --enable-bpf-masquerade="true"',
  },
  {
    name: 'egress gateway with all it needs',
    values: { egressGateway: { enabled: true }, kubeProxyReplacement: true, bpf: { masquerade: true } },
    problem: undefined,
  },
  {
    name: 'egress gateway beside kube-proxy',
    values: { egressGateway: { enabled: true }, nodePort: { enabled: true }, bpf: { masquerade: true } },
    problem: 'egress gateway requires --kube-proxy-replacement="true"',
  },
  {
    name: 'egress gateway with endpoint slices',
    values: {
      egressGateway: { enabled: true },
      kubeProxyReplacement: true,
      bpf: { masquerade: true },
      ciliumEndpointSlice: { enabled: true },
    },
    problem: 'egress gateway is not supported in combination with the CiliumEndpointSlice feature',
  },
])('$name', ({ values, problem, version }) => {
  expect(check(values, version)).toBe(problem);
});
