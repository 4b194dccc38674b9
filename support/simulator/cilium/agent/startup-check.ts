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
    hasEgressGateway: isOn('enable-ipv4-egress-gateway', false),
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

/**
 * Why an agent does not start with a configuration; undefined when it does. Texts are those of the agent's fatal
 * messages (option checks of the daemon, egress gateway manager; section 3.7 of the reference).
 */
export function fatalProblem(config: CiliumConfig, version: CiliumVersion): string | undefined {
  const flags = agentFlags(config);
  if (!flags.hasIpv4 && !flags.hasIpv6) return 'Either IPv4 or IPv6 addressing must be enabled';
  const mode = config.get('routing-mode') ?? 'tunnel';
  if (mode !== 'native' && mode !== 'tunnel') return `invalid routing mode ${JSON.stringify(mode)}, valid modes = [native tunnel]`;
  const protocol = config.get('tunnel-protocol') ?? 'vxlan';
  if (protocol !== 'vxlan' && protocol !== 'geneve') return `invalid tunnel protocol ${JSON.stringify(protocol)}`;
  if (!['true', 'false', ''].includes(config.get('kube-proxy-replacement') ?? '')) {
    return `Invalid value for --kube-proxy-replacement: ${config.get('kube-proxy-replacement')}`;
  }
  if (flags.isTunneling && flags.autoDirectNodeRoutes)
    return 'auto-direct-node-routes cannot be used with tunneling. Packets must be routed through the tunnel device.';
  if (
    !flags.isTunneling &&
    !flags.hasIpMasqAgent &&
    (flags.ipam === 'kubernetes' || flags.ipam === 'cluster-pool' || flags.ipam === 'multi-pool')
  ) {
    for (const [family, isOn, masquerades] of [
      [4, flags.hasIpv4, flags.masquerades4],
      [6, flags.hasIpv6, flags.masquerades6],
    ] as const) {
      if (!isOn || !masquerades || (config.get(`ipv${family}-native-routing-cidr`) ?? '') !== '') continue;
      return `native routing cidr must be configured with option --ipv${family}-native-routing-cidr in combination with --enable-ipv${family}-masquerade=true --enable-ip-masq-agent=false --routing-mode=native --ipam=${flags.ipam} --enable-ipv${family}=true`;
    }
  }
  if (flags.hasBpfMasquerade && !flags.hasNodePort) return 'BPF masquerade requires NodePort (--enable-node-port="true")';
  if (flags.hasEgressGateway) {
    if (flags.identityAllocationMode !== 'crd') return 'egress gateway is not supported in KV store identity allocation mode';
    if (flags.hasEndpointSlices) return 'egress gateway is not supported in combination with the CiliumEndpointSlice feature';
    if (!flags.masquerades4 || !flags.hasBpfMasquerade)
      return 'egress gateway requires --enable-ipv4-masquerade="true" and --enable-bpf-masquerade="true"';
    if (!flags.replacesKubeProxy && !isAtLeast(version, 17)) return 'egress gateway requires --kube-proxy-replacement="true"';
  }
  return undefined;
}
