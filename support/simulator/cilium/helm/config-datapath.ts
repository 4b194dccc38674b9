import { type ConfigWriter, joined } from './config-writer.ts';

/** Families, BPF maps, routing, masquerading, encryption, devices. */
export function writeDatapath(writer: ConfigWriter): void {
  const { values } = writer;
  writer.set('enable-ipv4', values.ipv4.enabled);
  writer.set('enable-ipv6', values.ipv6.enabled);
  writer.set('custom-cni-conf', values.cni.customConf);
  writer.set('enable-bpf-clock-probe', values.bpfClockProbe);
  writeMaps(writer);
  writer.set('cluster-name', values.cluster.name);
  writer.set('cluster-id', values.cluster.id);
  writeRouting(writer);
  writer.setIfTrue('service-no-backend-response', values.serviceNoBackendResponse);
  if (writer.since(19)) writer.setIfTrue('policy-deny-response', values.policyDenyResponse);
  writer.setIfTrue('mtu', values.MTU);
  writer.set('enable-l7-proxy', values.l7Proxy);
  if (writer.chainingMode !== 'none') {
    writer.set('cni-chaining-mode', writer.chainingMode);
    writer.setIfGiven('enable-identity-mark', values.enableIdentityMark);
    if (writer.chainingMode !== 'portmap') writer.set('enable-local-node-route', false);
  }
  writer.set('enable-ipv4-masquerade', values.enableIPv4Masquerade);
  writer.set('enable-ipv4-big-tcp', values.enableIPv4BIGTCP);
  writer.set('enable-ipv6-big-tcp', values.enableIPv6BIGTCP);
  if (writer.since(19)) writer.set('enable-tunnel-big-tcp', values.enableTunnelBIGTCP);
  writer.set('enable-ipv6-masquerade', values.enableIPv6Masquerade);
  writer.set('enable-tcx', values.bpf.enableTCX);
  writer.set('datapath-mode', values.bpf.datapathMode);
  writer.setIfGiven('enable-bpf-masquerade', values.bpf.masquerade);
  writer.set('enable-masquerade-to-route-source', values.enableMasqueradeRouteSource);
  writer.setIfGiven('egress-masquerade-interfaces', values.egressMasqueradeInterfaces);
  if (values.ipMasqAgent.enabled) writer.set('enable-ip-masq-agent', true);
  writeEncryption(writer);
  writer.set('enable-xt-socket-fallback', values.enableXTSocketFallback);
  writer.set('install-no-conntrack-iptables-rules', writer.chainingMode === 'none' && values.installNoConntrackIptablesRules);
  writer.setIfGiven('iptables-random-fully', values.iptablesRandomFully);
  writer.setIfGiven('iptables-lock-timeout', values.iptablesLockTimeout);
  writer.set('auto-direct-node-routes', values.autoDirectNodeRoutes);
  writer.set('direct-routing-skip-unreachable', values.directRoutingSkipUnreachable);
  if (values.bandwidthManager.enabled) {
    writer.set('enable-bandwidth-manager', true);
    writer.set('enable-bbr', values.bandwidthManager.bbr);
    if (writer.since(18)) writer.set('enable-bbr-hostns-only', values.bandwidthManager.bbrHostNamespaceOnly);
  }
  if (!writer.since(18)) {
    if (values.highScaleIPcache.enabled) writer.set('enable-high-scale-ipcache', true);
    writer.set('enable-local-redirect-policy', values.localRedirectPolicy);
  } else {
    if (values.localRedirectPolicies.enabled || values.localRedirectPolicy) writer.set('enable-local-redirect-policy', true);
    writer.setIfTrue('lrp-address-matcher-cidrs', joined(values.localRedirectPolicies.addressMatcherCIDRs, ','));
  }
  writer.setIfTrue('ipv4-native-routing-cidr', values.ipv4NativeRoutingCIDR);
  writer.setIfTrue('ipv6-native-routing-cidr', values.ipv6NativeRoutingCIDR);
  writer.setIfGiven('enable-ipv4-fragment-tracking', values.fragmentTracking);
  if (values.nat46x64Gateway.enabled) writer.set('enable-nat46x64-gateway', true);
  if (values.hostFirewall.enabled) writer.set('enable-host-firewall', true);
  if (values.devices !== null) writer.set('devices', joined(values.devices));
  if (!writer.since(18) && values.enableRuntimeDeviceDetection) writer.set('enable-runtime-device-detection', true);
  if (values.forceDeviceDetection) writer.set('force-device-detection', true);
  if (!values.securityContext.privileged) writer.set('procfs', '/host/proc');
  writer.set('bpf-root', values.bpf.root);
  writer.set('cgroup-root', values.cgroup.hostRoot);
  writer.setIfTrue('vlan-bpf-bypass', joined(values.bpf.vlanBypass));
  writer.setIfTrue('disable-external-ip-mitigation', values.bpf.disableExternalIPMitigation);
  if (writer.since(17)) writer.set('enable-source-ip-verification', values.daemon.enableSourceIPVerification);
}

function writeMaps(writer: ConfigWriter): void {
  const { bpf } = writer.values;
  writer.setIfGiven('enable-bpf-tproxy', bpf.tproxy);
  writer.set('monitor-aggregation', bpf.monitorAggregation);
  writer.set('monitor-aggregation-interval', bpf.monitorInterval || '0s');
  writer.set('monitor-aggregation-flags', bpf.monitorFlags);
  writer.set('bpf-map-dynamic-size-ratio', bpf.mapDynamicSizeRatio || 0.0025);
  if (bpf.hostLegacyRouting !== null) writer.set('enable-host-legacy-routing', bpf.hostLegacyRouting);
  else if (writer.chainingMode !== 'none') writer.set('enable-host-legacy-routing', true);
  writer.setIfTrue('bpf-node-map-max', bpf.nodeMapMax);
  writer.setIfTrue('bpf-auth-map-max', bpf.authMapMax);
  writer.setIfTrue('bpf-ct-global-tcp-max', bpf.ctTcpMax);
  writer.setIfTrue('bpf-ct-global-any-max', bpf.ctAnyMax);
  // The template makes a number of the flag: from 1.18 on "0" or "1".
  if (writer.since(17) && bpf.ctAccounting) writer.set('bpf-conntrack-accounting', writer.since(18) ? 1 : true);
  writer.setIfTrue('bpf-nat-global-max', bpf.natMax);
  writer.setIfTrue('bpf-neigh-global-max', bpf.neighMax);
  writer.set('bpf-policy-map-max', bpf.policyMapMax);
  writer.set('bpf-lb-map-max', bpf.lbMapMax);
  writer.set('bpf-lb-external-clusterip', bpf.lbExternalClusterIP);
  if (writer.since(17)) {
    writer.setIfTrue('bpf-events-default-rate-limit', bpf.events.default.rateLimit);
    writer.setIfTrue('bpf-events-default-burst-limit', bpf.events.default.burstLimit);
    writer.set('bpf-lb-source-range-all-types', bpf.lbSourceRangeAllTypes);
    writer.set('bpf-lb-algorithm-annotation', bpf.lbAlgorithmAnnotation);
    writer.set('bpf-lb-mode-annotation', bpf.lbModeAnnotation);
  }
  if (writer.since(18)) {
    writer.set('bpf-policy-stats-map-max', bpf.policyStatsMapMax);
    writer.set('bpf-distributed-lru', bpf.distributedLRU.enabled);
  }
  if (writer.since(19)) {
    writer.setIfGiven('bpf-policy-map-pressure-metrics-threshold', bpf.policyMapPressureMetricsThreshold);
    writer.setIfTrue('ip-tracing-option-type', bpf.monitorTraceIPOption);
  }
  writer.set('bpf-events-drop-enabled', bpf.events.drop.enabled);
  writer.set('bpf-events-policy-verdict-enabled', bpf.events.policyVerdict.enabled);
  writer.set('bpf-events-trace-enabled', bpf.events.trace.enabled);
  writer.set('preallocate-bpf-maps', bpf.preallocateMaps);
}

function writeRouting(writer: ConfigWriter): void {
  const { values } = writer;
  writer.set('routing-mode', values.routingMode || 'tunnel');
  // Up to 1.16 the protocol of tunnels stood there only where there are tunnels, or where it was asked for.
  if (values.tunnelProtocol !== '') writer.set('tunnel-protocol', values.tunnelProtocol);
  else if (writer.since(17) || values.routingMode === '') writer.set('tunnel-protocol', 'vxlan');
  writer.setIfTrue('tunnel-port', values.tunnelPort);
  if (writer.since(18)) {
    writer.setIfTrue('tunnel-source-port-range', values.tunnelSourcePortRange);
    writer.setIfTrue('underlay-protocol', values.underlayProtocol);
  }
}

function writeEncryption(writer: ConfigWriter): void {
  const { encryption } = writer.values;
  if (encryption.enabled) {
    if (encryption.type === 'ipsec') {
      const { ipsec } = encryption;
      writer.set('enable-ipsec', true);
      if (ipsec.mountPath !== '' && ipsec.keyFile !== '') writer.set('ipsec-key-file', `${ipsec.mountPath}/${ipsec.keyFile}`);
      writer.setIfTrue('encrypt-interface', ipsec.interface);
      writer.set('enable-ipsec-key-watcher', ipsec.keyWatcher);
      writer.setIfTrue('ipsec-key-rotation-duration', ipsec.keyRotationDuration);
      writer.set('enable-ipsec-encrypted-overlay', ipsec.encryptedOverlay);
    } else if (encryption.type === 'wireguard') {
      writer.set('enable-wireguard', true);
      if (!writer.since(17)) writer.setIfTrue('enable-wireguard-userspace-fallback', encryption.wireguard.userspaceFallback);
      writer.setIfTrue('wireguard-persistent-keepalive', encryption.wireguard.persistentKeepalive);
    } else if (encryption.type === 'ztunnel' && writer.since(19)) writer.set('enable-ztunnel', true);
    if (encryption.nodeEncryption) writer.set('encrypt-node', true);
  }
  const { strictMode } = encryption;
  if (strictMode.enabled) {
    const [flag, prefix] = writer.since(19)
      ? (['enable-encryption-strict-mode-egress', 'encryption-strict-egress'] as const)
      : (['enable-encryption-strict-mode', 'encryption-strict-mode'] as const);
    writer.set(flag, true);
    writer.set(`${prefix}-cidr`, strictMode.cidr);
    writer.set(`${prefix}-allow-remote-node-identities`, strictMode.allowRemoteNodeIdentities);
  }
}

/** The replacement of kube-proxy, socket load balancing, node ports. */
export function writeLoadBalancing(writer: ConfigWriter): void {
  const { values, replacesKubeProxy } = writer;
  writer.set('kube-proxy-replacement', replacesKubeProxy);
  if (writer.since(19)) writer.set('enable-no-service-endpoints-routable', values.enableNoServiceEndpointsRoutable);
  if (replacesKubeProxy || !writer.since(18)) {
    writer.set('kube-proxy-replacement-healthz-bind-address', values.kubeProxyReplacementHealthzBindAddr);
  }
  const { socketLB } = values;
  writer.set('bpf-lb-sock', socketLB.enabled);
  if (!writer.sincePatch(16, 6)) writer.set('bpf-lb-sock-terminate-pod-connections', socketLB.enabled);
  writer.setIfGiven('bpf-lb-sock-hostns-only', socketLB.hostNamespaceOnly);
  writer.setIfGiven('bpf-lb-sock-terminate-pod-connections', socketLB.terminatePodConnections);
  if (writer.sincePatch(16, 4)) writer.setIfGiven('trace-sock', socketLB.tracing);
  if (!replacesKubeProxy && !writer.since(17)) {
    writer.set('enable-host-port', values.hostPort.enabled);
    writer.set('enable-external-ips', values.externalIPs.enabled);
  }
  const { nodePort, loadBalancer, maglev } = values;
  if (!replacesKubeProxy && !writer.since(19)) writer.set('enable-node-port', nodePort.enabled);
  writer.setIfGiven('node-port-range', nodePort.range);
  writer.set('nodeport-addresses', joined(nodePort.addresses, ','));
  writer.setIfGiven('direct-routing-device', nodePort.directRoutingDevice);
  writer.set('enable-health-check-nodeport', nodePort.enableHealthCheck);
  writer.set('enable-health-check-loadbalancer-ip', nodePort.enableHealthCheckLoadBalancerIP);
  writer.set('node-port-bind-protection', nodePort.bindProtection);
  writer.set('enable-auto-protect-node-port-range', nodePort.autoProtectPortRange);
  if (loadBalancer.standalone) {
    if (writer.since(18)) writer.set('bpf-lb-only', true);
    else writer.set('datapath-mode', 'lb-only');
  }
  writer.setIfGiven('bpf-lb-mode', loadBalancer.mode);
  writer.setIfGiven('bpf-lb-algorithm', loadBalancer.algorithm);
  writer.set('bpf-lb-acceleration', loadBalancer.acceleration);
  writer.setIfGiven('bpf-lb-dsr-dispatch', loadBalancer.dsrDispatch);
  writer.setIfGiven('enable-service-topology', loadBalancer.serviceTopology);
  if (writer.since(17) && !writer.since(18)) writer.set('enable-experimental-lb', loadBalancer.experimental);
  if (writer.since(17) && !writer.since(19)) writer.setIfGiven('bpf-lb-proto-diff', loadBalancer.protocolDifferentiation.enabled);
  writer.setIfGiven('bpf-lb-maglev-table-size', maglev.tableSize);
  writer.setIfGiven('bpf-lb-maglev-hash-seed', maglev.hashSeed);
  if (!writer.since(19)) {
    writer.setIfTrue('enable-session-affinity', values.sessionAffinity);
    writer.setIfTrue('enable-svc-source-range-check', values.svcSourceRangeCheck);
  }
  writer.set('enable-l2-neigh-discovery', values.l2NeighDiscovery.enabled);
  if (!writer.since(18)) writer.set('arping-refresh-period', values.l2NeighDiscovery.refreshPeriod || '0s');
}
