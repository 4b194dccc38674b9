import type { CiliumVersion } from '../types.ts';
import { isAtLeast } from '../version.ts';
import type { HelmValues } from './values.ts';

const words = (value: readonly string[] | string | null): string => (typeof value === 'string' ? value : (value ?? []).join(' '));

/**
 * What the chart writes to the ConfigMap `cilium-config`: the same keys under the same conditions as the template
 * of 1.16, with the differences of later releases that can be seen. All values are strings.
 */
export function renderConfig(values: HelmValues, version: CiliumVersion): Readonly<Record<string, string>> {
  const config: Record<string, string> = {};
  const set = (key: string, value: string | number | boolean) => {
    config[key] = String(value);
  };
  const setIfGiven = (key: string, value: string | number | boolean | null) => {
    if (value !== null) set(key, value);
  };
  const isReplacing = String(values.kubeProxyReplacement) === 'true';
  const has17 = isAtLeast(version, 17);
  const has18 = isAtLeast(version, 18);

  set('identity-allocation-mode', values.identityAllocationMode);
  set('identity-heartbeat-timeout', '30m0s');
  set('identity-gc-interval', '15m0s');
  set('cilium-endpoint-gc-interval', '5m0s');
  set('nodes-gc-interval', '5m0s');
  if (values.disableEndpointCRD) set('disable-endpoint-crd', true);
  set('debug', values.debug.enabled);
  set('debug-verbose', values.debug.verbose ?? '');
  if (has17) set('metrics-sampling-interval', '5m');
  set('enable-policy', values.policyEnforcementMode.toLowerCase());
  set('policy-cidr-match-mode', words(values.policyCIDRMatchMode));
  if (values.prometheus.enabled) set('prometheus-serve-addr', `:${values.prometheus.port}`);
  if (values.operator.prometheus.enabled) {
    set('operator-prometheus-serve-addr', `:${values.operator.prometheus.port}`);
    set('enable-metrics', true);
  }
  if (values.envoyConfig.enabled || values.ingressController.enabled || values.gatewayAPI.enabled) {
    set('enable-envoy-config', true);
    set('envoy-config-retry-interval', '15s');
  }
  if (values.gatewayAPI.enabled) set('enable-gateway-api', true);
  if (values.ingressController.enabled) set('enable-ingress-controller', true);
  if (has17) {
    set('enable-policy-secrets-sync', true);
    set('policy-secrets-only-from-secrets-namespace', true);
    set('policy-secrets-namespace', 'cilium-secrets');
  }
  set('enable-ipv4', values.ipv4.enabled);
  set('enable-ipv6', values.ipv6.enabled);
  set('custom-cni-conf', values.cni.customConf);
  set('enable-bpf-clock-probe', values.bpfClockProbe);
  setIfGiven('enable-bpf-tproxy', values.bpf.tproxy);
  set('monitor-aggregation', values.bpf.monitorAggregation);
  set('monitor-aggregation-interval', values.bpf.monitorInterval);
  set('monitor-aggregation-flags', values.bpf.monitorFlags);
  set('bpf-map-dynamic-size-ratio', values.bpf.mapDynamicSizeRatio ?? 0.0025);
  setIfGiven('enable-host-legacy-routing', values.bpf.hostLegacyRouting);
  set('bpf-policy-map-max', values.bpf.policyMapMax);
  set('bpf-lb-map-max', values.bpf.lbMapMax);
  set('bpf-lb-external-clusterip', values.bpf.lbExternalClusterIP);
  if (has17) {
    set('bpf-lb-source-range-all-types', false);
    set('bpf-lb-algorithm-annotation', false);
    set('bpf-lb-mode-annotation', false);
    set('bpf-distributed-lru', false);
  }
  set('bpf-events-drop-enabled', values.bpf.events.drop.enabled);
  set('bpf-events-policy-verdict-enabled', values.bpf.events.policyVerdict.enabled);
  set('bpf-events-trace-enabled', values.bpf.events.trace.enabled);
  set('preallocate-bpf-maps', values.bpf.preallocateMaps);
  set('cluster-name', values.cluster.name);
  set('cluster-id', values.cluster.id);
  set('routing-mode', values.routingMode === '' ? 'tunnel' : values.routingMode);
  set('tunnel-protocol', values.tunnelProtocol === '' ? 'vxlan' : values.tunnelProtocol);
  if (values.tunnelPort !== 0) set('tunnel-port', values.tunnelPort);
  if (has18) set('tunnel-source-port-range', '0-0');
  set('service-no-backend-response', values.serviceNoBackendResponse);
  set('enable-l7-proxy', values.l7Proxy);
  if (values.cni.chainingMode !== null && values.cni.chainingMode !== 'none') set('cni-chaining-mode', values.cni.chainingMode);
  set('enable-ipv4-masquerade', values.enableIPv4Masquerade);
  set('enable-ipv4-big-tcp', values.enableIPv4BIGTCP);
  set('enable-ipv6-big-tcp', values.enableIPv6BIGTCP);
  set('enable-ipv6-masquerade', values.enableIPv6Masquerade);
  set('enable-tcx', values.bpf.enableTCX);
  set('datapath-mode', values.bpf.datapathMode);
  setIfGiven('enable-bpf-masquerade', values.bpf.masquerade);
  set('enable-masquerade-to-route-source', values.enableMasqueradeRouteSource);
  if (values.ipMasqAgent.enabled) set('enable-ip-masq-agent', true);
  if (values.encryption.enabled) set(values.encryption.type === 'wireguard' ? 'enable-wireguard' : 'enable-ipsec', true);
  set('enable-xt-socket-fallback', values.enableXTSocketFallback);
  set('install-no-conntrack-iptables-rules', values.installNoConntrackIptablesRules);
  if (has18) set('iptables-random-fully', false);
  set('auto-direct-node-routes', values.autoDirectNodeRoutes);
  set('direct-routing-skip-unreachable', values.directRoutingSkipUnreachable);
  if (values.bandwidthManager.enabled) {
    set('enable-bandwidth-manager', true);
    set('enable-bbr', values.bandwidthManager.bbr);
  }
  if (values.localRedirectPolicy || !has18) set('enable-local-redirect-policy', values.localRedirectPolicy);
  if (values.ipv4NativeRoutingCIDR !== '') set('ipv4-native-routing-cidr', values.ipv4NativeRoutingCIDR);
  if (values.ipv6NativeRoutingCIDR !== '') set('ipv6-native-routing-cidr', values.ipv6NativeRoutingCIDR);
  if (values.nat46x64Gateway.enabled) set('enable-nat46x64-gateway', true);
  if (values.hostFirewall.enabled) set('enable-host-firewall', true);
  if (values.devices !== null) set('devices', words(values.devices));
  if (!has17) set('enable-runtime-device-detection', true);

  set('kube-proxy-replacement', isReplacing);
  if (isReplacing) set('kube-proxy-replacement-healthz-bind-address', values.kubeProxyReplacementHealthzBindAddr);
  set('bpf-lb-sock', values.socketLB.enabled);
  setIfGiven('bpf-lb-sock-hostns-only', values.socketLB.hostNamespaceOnly);
  if (!has18) set('bpf-lb-sock-terminate-pod-connections', values.socketLB.terminatePodConnections ?? false);
  setIfGiven('trace-sock', values.socketLB.tracing);
  if (!isReplacing && !has18) {
    set('enable-host-port', values.hostPort.enabled);
    set('enable-external-ips', values.externalIPs.enabled);
    set('enable-node-port', values.nodePort.enabled);
  }
  setIfGiven('node-port-range', values.nodePort.range);
  set('nodeport-addresses', (values.nodePort.addresses ?? []).join(','));
  set('enable-health-check-nodeport', values.nodePort.enableHealthCheck);
  set('enable-health-check-loadbalancer-ip', values.nodePort.enableHealthCheckLoadBalancerIP);
  set('node-port-bind-protection', values.nodePort.bindProtection);
  set('enable-auto-protect-node-port-range', values.nodePort.autoProtectPortRange);
  setIfGiven('bpf-lb-mode', values.loadBalancer.mode);
  setIfGiven('bpf-lb-algorithm', values.loadBalancer.algorithm);
  set('bpf-lb-acceleration', values.loadBalancer.acceleration);
  setIfGiven('enable-service-topology', values.loadBalancer.serviceTopology);
  if (!has18) set('enable-svc-source-range-check', true);
  set('enable-l2-neigh-discovery', values.l2NeighDiscovery.enabled);
  if (!has18) set('arping-refresh-period', values.l2NeighDiscovery.refreshPeriod);
  set('k8s-require-ipv4-pod-cidr', values.k8s.requireIPv4PodCIDR);
  set('k8s-require-ipv6-pod-cidr', values.k8s.requireIPv6PodCIDR);
  if (values.endpointRoutes.enabled) set('enable-endpoint-routes', true);
  set('enable-k8s-networkpolicy', values.k8sNetworkPolicy.enabled);
  if (has17) set('enable-endpoint-lockdown-on-policy-overflow', false);
  if (!values.cni.customConf && values.cni.install) {
    set('write-cni-conf-when-ready', '/host/etc/cni/net.d/05-cilium.conflist');
    set('cni-exclusive', values.cni.exclusive);
    set('cni-log-file', values.cni.logFile);
  }
  set('enable-endpoint-health-checking', values.endpointHealthChecking.enabled);
  set('enable-health-checking', values.healthChecking);
  if (has17) set('health-check-icmp-failure-threshold', 3);
  set('enable-well-known-identities', values.wellKnownIdentities.enabled);
  set('enable-node-selector-labels', false);
  set('synchronize-k8s-nodes', values.synchronizeK8sNodes);
  set('operator-api-serve-addr', values.ipv4.enabled ? '127.0.0.1:9234' : '[::1]:9234');

  set('enable-hubble', values.hubble.enabled);
  if (values.hubble.enabled) {
    set('hubble-socket-path', values.hubble.socketPath);
    setIfGiven('hubble-event-buffer-capacity', values.hubble.eventBufferCapacity);
    if (values.hubble.metrics.enabled !== null) {
      set('hubble-metrics-server', `:${values.hubble.metrics.port}`);
      set('hubble-metrics-server-enable-tls', false);
      set('enable-hubble-open-metrics', false);
      set('hubble-metrics', values.hubble.metrics.enabled.join(' '));
    }
    if (!has17) {
      set('hubble-export-file-max-size-mb', values.hubble.export.fileMaxSizeMb);
      set('hubble-export-file-max-backups', values.hubble.export.fileMaxBackups);
    }
    set('hubble-listen-address', values.hubble.listenAddress);
    set('hubble-disable-tls', !values.hubble.tls.enabled);
    if (values.hubble.tls.enabled) {
      set('hubble-tls-cert-file', '/var/lib/cilium/tls/hubble/server.crt');
      set('hubble-tls-key-file', '/var/lib/cilium/tls/hubble/server.key');
      set('hubble-tls-client-ca-files', '/var/lib/cilium/tls/hubble/client-ca.crt');
    }
    if (values.hubble.preferIpv6 || !values.ipv4.enabled) set('hubble-prefer-ipv6', true);
    if (has18) set('hubble-network-policy-correlation-enabled', true);
  }
  const ipam = values.ipam.mode === '' ? 'cluster-pool' : values.ipam.mode;
  set('ipam', ipam);
  set('ipam-cilium-node-update-rate', values.ipam.ciliumNodeUpdateRate);
  if (ipam === 'cluster-pool') {
    const pool = values.ipam.operator;
    if (values.ipv4.enabled) {
      set('cluster-pool-ipv4-cidr', words(pool.clusterPoolIPv4PodCIDRList));
      set('cluster-pool-ipv4-mask-size', pool.clusterPoolIPv4MaskSize);
    }
    if (values.ipv6.enabled) {
      set('cluster-pool-ipv6-cidr', words(pool.clusterPoolIPv6PodCIDRList));
      set('cluster-pool-ipv6-mask-size', pool.clusterPoolIPv6MaskSize);
    }
  }
  if (has17) {
    set('enable-lb-ipam', values.enableLBIPAM);
    set('default-lb-service-ipam', values.defaultLBServiceIPAM);
  }
  if (values.nodeIPAM.enabled) set('enable-node-ipam', true);
  if (values.egressGateway.enabled) set('enable-ipv4-egress-gateway', true);
  set('egress-gateway-reconciliation-trigger-interval', values.egressGateway.reconciliationTriggerInterval);
  setIfGiven('egress-gateway-policy-map-max', values.egressGateway.maxPolicyEntries);
  set('enable-vtep', values.vtep.enabled);
  set('vtep-endpoint', values.vtep.endpoint);
  set('vtep-cidr', values.vtep.cidr);
  set('vtep-mask', values.vtep.mask);
  set('vtep-mac', values.vtep.mac);
  if (values.l2announcements.enabled) {
    set('enable-l2-announcements', true);
    setIfGiven('l2-announcements-lease-duration', values.l2announcements.leaseDuration);
    setIfGiven('l2-announcements-renew-deadline', values.l2announcements.leaseRenewDeadline);
    setIfGiven('l2-announcements-retry-period', values.l2announcements.leaseRetryPeriod);
  }
  if (values.l2podAnnouncements.enabled) set('enable-l2-pod-announcements', true);
  if (values.bgpControlPlane.enabled) {
    set('enable-bgp-control-plane', true);
    set('bgp-secrets-namespace', values.bgpControlPlane.secretsNamespace.name);
    if (has17) set('enable-bgp-control-plane-status-report', values.bgpControlPlane.statusReport.enabled);
    if (has18) {
      set('bgp-router-id-allocation-mode', 'default');
      set('bgp-router-id-allocation-ip-pool', '');
    }
  }
  set('procfs', '/host/proc');
  set('bpf-root', values.bpf.root);
  set('cgroup-root', values.cgroup.hostRoot);
  if (values.ciliumEndpointSlice.enabled) set('enable-cilium-endpoint-slice', true);
  if (has17) set('identity-management-mode', 'agent');
  if (!has18) set('enable-k8s-terminating-endpoint', true);
  set('enable-sctp', values.sctp.enabled);
  if (values.annotateK8sNode) set('annotate-k8s-node', true);
  set('k8s-client-qps', values.k8sClientRateLimit.qps ?? 10);
  set('k8s-client-burst', values.k8sClientRateLimit.burst ?? 20);
  set('remove-cilium-node-taints', true);
  set('set-cilium-node-taints', true);
  set('set-cilium-is-up-condition', true);
  set('unmanaged-pod-watcher-interval', has17 ? '15s' : '15');
  set('dnsproxy-enable-transparent-mode', values.dnsProxy.enableTransparentMode ?? true);
  set('dnsproxy-socket-linger-timeout', values.dnsProxy.socketLingerTimeout);
  set('tofqdns-dns-reject-response-code', values.dnsProxy.dnsRejectResponseCode);
  set('tofqdns-enable-dns-compression', values.dnsProxy.enableDnsCompression);
  set('tofqdns-endpoint-max-ip-per-hostname', values.dnsProxy.endpointMaxIpPerHostname);
  set('tofqdns-idle-connection-grace-period', values.dnsProxy.idleConnectionGracePeriod);
  set('tofqdns-max-deferred-connection-deletes', values.dnsProxy.maxDeferredConnectionDeletes);
  if (values.dnsProxy.minTtl !== 0) set('tofqdns-min-ttl', values.dnsProxy.minTtl);
  if (values.dnsProxy.preCache !== '') set('tofqdns-pre-cache', values.dnsProxy.preCache);
  if (values.dnsProxy.proxyPort !== 0) set('tofqdns-proxy-port', values.dnsProxy.proxyPort);
  set('tofqdns-proxy-response-max-delay', values.dnsProxy.proxyResponseMaxDelay);
  if (has18) set('tofqdns-preallocate-identities', true);
  set('agent-not-ready-taint-key', values.agentNotReadyTaintKey);
  set('mesh-auth-enabled', values.authentication.enabled);
  set('mesh-auth-queue-size', values.authentication.queueSize);
  set('mesh-auth-rotated-identities-queue-size', values.authentication.rotatedIdentitiesQueueSize);
  set('mesh-auth-gc-interval', values.authentication.gcInterval);
  set('proxy-xff-num-trusted-hops-ingress', values.envoy.xffNumTrustedHopsL7PolicyIngress);
  set('proxy-xff-num-trusted-hops-egress', values.envoy.xffNumTrustedHopsL7PolicyEgress);
  set('proxy-connect-timeout', values.envoy.connectTimeoutSeconds);
  if (has17) set('proxy-initial-fetch-timeout', 30);
  set('proxy-max-requests-per-connection', values.envoy.maxRequestsPerConnection);
  set('proxy-max-connection-duration-seconds', values.envoy.maxConnectionDurationSeconds);
  set('proxy-idle-timeout-seconds', values.envoy.idleTimeoutDurationSeconds);
  set('external-envoy-proxy', values.envoy.enabled);
  set('envoy-base-id', values.envoy.baseID);
  set('envoy-keep-cap-netbindservice', false);
  set('max-connected-clusters', values.clustermesh.maxConnectedClusters);
  set('clustermesh-enable-endpoint-sync', values.clustermesh.enableEndpointSliceSynchronization);
  set('clustermesh-enable-mcs-api', values.clustermesh.enableMCSAPISupport);
  set('nat-map-stats-entries', 32);
  set('nat-map-stats-interval', '30s');
  if (has17) set('enable-internal-traffic-policy', true);
  if (has18) {
    set('enable-lb-ipam', values.enableLBIPAM);
    set('enable-non-default-deny-policies', true);
    set('enable-source-ip-verification', true);
  }
  return config;
}
