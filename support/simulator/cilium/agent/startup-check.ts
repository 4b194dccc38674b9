import type { CiliumConfig, CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';

/** The agent's flags, with its own defaults for keys that the ConfigMap lacks. */
export function agentFlags(config: CiliumConfig) {
  const isOn = (key: string, fallback: boolean) => {
    const value = config.get(key);
    return value === undefined || value === '' ? fallback : value.toLowerCase() === 'true';
  };
  const replacesKubeProxy = isOn('kube-proxy-replacement', false);
  return {
    hasIpv4: isOn('enable-ipv4', true),
    hasIpv6: isOn('enable-ipv6', true),
    replacesKubeProxy,
    hasNodePort: replacesKubeProxy || isOn('enable-node-port', false),
    masquerades4: isOn('enable-ipv4-masquerade', true),
    masquerades6: isOn('enable-ipv6-masquerade', true),
    hasBpfMasquerade: isOn('enable-bpf-masquerade', false),
    hasEgressGateway: isOn('enable-ipv4-egress-gateway', false) || isOn('enable-egress-gateway', false),
    hasBgp: isOn('enable-bgp-control-plane', false),
    hasL2Announcements: isOn('enable-l2-announcements', false),
    hasHubble: isOn('enable-hubble', false),
    hasEndpointSlices: isOn('enable-cilium-endpoint-slice', false),
    hasIpMasqAgent: isOn('enable-ip-masq-agent', false),
    isTunneling: (config.get('routing-mode') ?? 'tunnel') !== 'native',
    autoDirectNodeRoutes: isOn('auto-direct-node-routes', false),
    ipam: config.get('ipam') ?? 'cluster-pool',
    identityAllocationMode: config.get('identity-allocation-mode') ?? 'crd',
  } as const;
}

/** How the parts that find a problem wrap it (daemon/cmd/root.go, daemon_main.go). */
const invalid = (why: string): string => `invalid daemon configuration: ${why}`;
const notCreated = (why: string): string => `failed to start: daemon creation failed: ${why}`;
const replacement = (why: string): string => notCreated(`unable to initialize kube-proxy replacement options: ${why}`);

/**
 * The message of the agent's last line, `level=fatal`, with a configuration that it does not start with; undefined when
 * it does (option checks of the daemon, in their order; egress gateway manager).
 */
export function fatalProblem(config: CiliumConfig, version: CiliumVersion): string | undefined {
  const flags = agentFlags(config);
  const mode = config.get('routing-mode') ?? 'tunnel';
  if (mode !== 'native' && mode !== 'tunnel') {
    return invalid(`invalid routing mode ${JSON.stringify(mode)}, valid modes = {"tunnel", "native"}`);
  }
  if (!flags.isTunneling && !flags.hasIpMasqAgent) {
    const missing = (family: 4 | 6): boolean => (config.get(`ipv${family}-native-routing-cidr`) ?? '') === '';
    const text = (family: 4 | 6): string =>
      `native routing cidr must be configured with option --ipv${family}-native-routing-cidr in combination with --enable-ipv${family}=true --enable-ipv${family}-masquerade=true --enable-ip-masq-agent=false --routing-mode=native`;
    const isCloud = flags.ipam === 'eni' || flags.ipam === 'alibabacloud';
    if (flags.hasIpv4 && flags.masquerades4 && !isCloud && missing(4)) return invalid(`${text(4)} --ipam=${flags.ipam}`);
    if (flags.hasIpv6 && flags.masquerades6 && missing(6)) return invalid(text(6));
  }
  const protocol = config.get('tunnel-protocol') ?? 'vxlan';
  if (protocol !== 'vxlan' && protocol !== 'geneve') return `invalid tunnel protocol ${JSON.stringify(protocol)}`;
  if (!flags.hasIpv4 && !flags.hasIpv6) return 'Either IPv4 or IPv6 addressing must be enabled';
  if (flags.isTunneling && flags.autoDirectNodeRoutes)
    return 'auto-direct-node-routes cannot be used with tunneling. Packets must be routed through the tunnel device.';
  return egressProblem(config, version) ?? loadBalancerProblem(config, version, protocol);
}

/** The manager is made before the daemon. */
function egressProblem(config: CiliumConfig, version: CiliumVersion): string | undefined {
  const flags = agentFlags(config);
  if (!flags.hasEgressGateway) return undefined;
  const mode = flags.identityAllocationMode;
  if (mode !== 'crd') return `egress gateway is not supported in ${isAtLeast(version, 18) ? mode : 'KV store'} identity allocation mode`;
  if (flags.hasEndpointSlices) return 'egress gateway is not supported in combination with the CiliumEndpointSlice feature';
  if (!flags.masquerades4 || !flags.hasBpfMasquerade)
    return 'egress gateway requires --enable-ipv4-masquerade="true" and --enable-bpf-masquerade="true"';
  if (!flags.replacesKubeProxy && !isAtLeast(version, 17)) return 'egress gateway requires --kube-proxy-replacement="true"';
  return undefined;
}

function loadBalancerProblem(config: CiliumConfig, version: CiliumVersion, protocol: string): string | undefined {
  const flags = agentFlags(config);
  if (!['true', 'false', ''].includes(config.get('kube-proxy-replacement') ?? ''))
    return replacement(`Invalid value for --kube-proxy-replacement: ${config.get('kube-proxy-replacement')}`);
  if (flags.hasNodePort) {
    const mode = config.get('bpf-lb-mode') ?? 'snat';
    const dispatch = config.get('bpf-lb-dsr-dispatch') ?? 'opt';
    const usesDsr = mode === 'dsr' || mode === 'hybrid';
    if (mode !== 'snat' && !usesDsr && !isAtLeast(version, 18)) return replacement(`Invalid value for --node-port-mode: ${mode}`);
    if (flags.isTunneling && usesDsr && protocol === 'vxlan')
      return replacement(`Node Port ${JSON.stringify(mode)} mode cannot be used with vxlan tunneling.`);
    if (flags.isTunneling && usesDsr && dispatch !== 'geneve')
      return replacement(`Tunnel routing with Node Port ${JSON.stringify(mode)} mode requires geneve dispatch.`);
    if (usesDsr && dispatch === 'geneve' && protocol !== 'geneve') {
      const word = isAtLeast(version, 18) ? '"geneve"' : 'geneve';
      return replacement(`Node Port ${JSON.stringify(mode)} mode with ${word} dispatch requires geneve tunnel protocol.`);
    }
  }
  const masquerades = (flags.hasIpv4 && flags.masquerades4) || (flags.hasIpv6 && flags.masquerades6);
  if (masquerades && flags.hasBpfMasquerade && !flags.hasNodePort && !isAtLeast(version, 19))
    return notCreated('unable to initialize BPF masquerade support: BPF masquerade requires NodePort (--enable-node-port="true")');
  return undefined;
}
