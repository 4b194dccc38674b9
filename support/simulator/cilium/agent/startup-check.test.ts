import { expect, it } from 'vitest';
import { renderConfig } from '../helm/config-map.ts';
import { readValues } from '../helm/values.ts';
import { parseVersion } from '../version.ts';
import { fatalProblem } from './startup-check.ts';

const check = (values: unknown, version = '1.16.0') => {
  const parsed = parseVersion(version);
  return fatalProblem(new Map(Object.entries(renderConfig(readValues(values, parsed).values, parsed))), parsed);
};
const native = { routingMode: 'native', ipv4NativeRoutingCIDR: '203.0.113.0/24' };

it.each<{ name: string; values: unknown; problem: string | undefined; version?: string }>([
  { name: 'the defaults', values: {}, problem: undefined },
  { name: 'native routing with its CIDR', values: native, problem: undefined },
  {
    name: 'native routing without',
    values: { routingMode: 'native' },
    problem:
      'invalid daemon configuration: native routing cidr must be configured with option --ipv4-native-routing-cidr in combination with --enable-ipv4=true --enable-ipv4-masquerade=true --enable-ip-masq-agent=false --routing-mode=native --ipam=cluster-pool',
  },
  {
    name: 'native routing without the IPv6 CIDR',
    values: { ...native, ipv6: { enabled: true } },
    problem:
      'invalid daemon configuration: native routing cidr must be configured with option --ipv6-native-routing-cidr in combination with --enable-ipv6=true --enable-ipv6-masquerade=true --enable-ip-masq-agent=false --routing-mode=native',
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
    problem:
      'failed to start: daemon creation failed: unable to initialize BPF masquerade support: BPF masquerade requires NodePort (--enable-node-port="true")',
  },
  { name: 'BPF masquerading beside kube-proxy, 1.19', version: '1.19.0', values: { bpf: { masquerade: true } }, problem: undefined },
  {
    name: 'a routing mode that is none',
    values: { routingMode: 'direct' },
    problem: 'invalid daemon configuration: invalid routing mode "direct", valid modes = {"tunnel", "native"}',
  },
  {
    name: 'DSR in a VXLAN',
    values: { kubeProxyReplacement: true, loadBalancer: { mode: 'dsr' } },
    problem:
      'failed to start: daemon creation failed: unable to initialize kube-proxy replacement options: Node Port "dsr" mode cannot be used with vxlan tunneling.',
  },
  {
    name: 'DSR in Geneve with options in the IP header',
    values: { kubeProxyReplacement: true, tunnelProtocol: 'geneve', loadBalancer: { mode: 'hybrid' } },
    problem:
      'failed to start: daemon creation failed: unable to initialize kube-proxy replacement options: Tunnel routing with Node Port "hybrid" mode requires geneve dispatch.',
  },
  {
    name: 'DSR in Geneve',
    values: { kubeProxyReplacement: true, tunnelProtocol: 'geneve', loadBalancer: { mode: 'dsr', dsrDispatch: 'geneve' } },
    problem: undefined,
  },
  { name: 'DSR without tunnels', values: { ...native, kubeProxyReplacement: true, loadBalancer: { mode: 'dsr' } }, problem: undefined },
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
