import type { CiliumVersion } from '../types.ts';
import type { HelmValues } from './chart-defaults.ts';
import { wasInstalledWith } from './chart-releases.ts';
import { writeDatapath, writeLoadBalancing } from './config-datapath.ts';
import { writeAddressing, writeEnvoy, writeFeatures, writeHubble } from './config-features.ts';
import { ConfigWriter, joined } from './config-writer.ts';

/** Kubernetes of the charts' own tests, where nobody says which it is. */
const usualKubeMinor = 27;

/**
 * What the chart writes to the ConfigMap `cilium-config`: the keys of its template (cilium-configmap.yaml of 1.16.0,
 * 1.17.0, 1.18.0, 1.19.0) under the template's conditions. Keys of cloud providers are left out.
 */
export function renderConfig(values: HelmValues, version: CiliumVersion, kubeMinor = usualKubeMinor): Readonly<Record<string, string>> {
  const writer = new ConfigWriter(values, version, kubeMinor);
  // The pre-flight check has a ConfigMap of nobody: it looks at the one that is there.
  if (values.preflight.enabled || !(values.agent || values.operator.enabled || values.clustermesh.useAPIServer)) return writer.data;
  writeGeneral(writer);
  writeEnvoy(writer);
  writeDatapath(writer);
  writeLoadBalancing(writer);
  writeNode(writer);
  writeHubble(writer);
  writeAddressing(writer);
  writeFeatures(writer);
  writeClients(writer);
  writeDnsProxy(writer);
  writeMesh(writer);
  // Last, as in the template: what stands twice in a YAML mapping is what it is at last.
  for (const [key, value] of Object.entries(values.extraConfig)) writer.set(key, String(value));
  return writer.data;
}

function writeGeneral(writer: ConfigWriter): void {
  const { values } = writer;
  writer.setIfTrue('conntrack-gc-interval', values.conntrackGCInterval);
  writer.setIfTrue('conntrack-gc-max-interval', values.conntrackGCMaxInterval);
  writer.setIfGiven('disable-envoy-version-check', values.disableEnvoyVersionCheck);
  writer.set('identity-allocation-mode', values.identityAllocationMode);
  const { operator } = values;
  writer.set('identity-heartbeat-timeout', operator.identityHeartbeatTimeout || '0s');
  writer.set('identity-gc-interval', operator.identityGCInterval || '0s');
  writer.set('cilium-endpoint-gc-interval', operator.endpointGCInterval || '0s');
  writer.set('nodes-gc-interval', operator.nodeGCInterval || '0s');
  if (values.disableEndpointCRD) writer.set('disable-endpoint-crd', true);
  writer.setIfTrue('identity-change-grace-period', values.identityChangeGracePeriod);
  writer.setIfGiven('labels', values.labels);
  writer.set('debug', values.debug.enabled);
  writer.set('debug-verbose', values.debug.verbose ?? '');
  if (writer.since(18)) writer.set('metrics-sampling-interval', values.debug.metricsSamplingInterval);
  if (values.healthPort !== 9879) writer.set('agent-health-port', values.healthPort);
  writer.setIfGiven('cluster-health-port', values.clusterHealthPort);
  writer.set('enable-policy', values.policyEnforcementMode.toLowerCase());
  writer.set('policy-cidr-match-mode', joined(values.policyCIDRMatchMode));
  const { prometheus } = values;
  if (prometheus.enabled) {
    writer.set('prometheus-serve-addr', `:${prometheus.port}`);
    writer.setIfTrue('metrics', joined(prometheus.metrics));
    writer.setIfTrue('controller-group-metrics', joined(prometheus.controllerGroupMetrics));
  }
  if (operator.prometheus.enabled) {
    writer.set('operator-prometheus-serve-addr', `:${operator.prometheus.port}`);
    writer.set('enable-metrics', true);
  }
  if (operator.skipCRDCreation) writer.set('skip-crd-creation', true);
  if (values.cleanState) writer.set('clean-cilium-state', true);
  if (values.cleanBpfState) writer.set('clean-cilium-bpf-state', true);
}

/** The node: profiling, CNI configuration, health, synchronisation with Kubernetes. */
function writeNode(writer: ConfigWriter): void {
  const { values } = writer;
  for (const [prefix, pprof] of [
    ['', values.pprof],
    ['operator-', values.operator.pprof],
  ] as const) {
    if (!pprof.enabled) continue;
    writer.set(`${prefix}pprof`, true);
    writer.set(`${prefix}pprof-address`, pprof.address);
    writer.set(`${prefix}pprof-port`, pprof.port);
    if (!writer.since(19)) continue;
    writer.set(`${prefix}pprof-mutex-profile-fraction`, pprof.mutexProfileFraction);
    writer.set(`${prefix}pprof-block-profile-rate`, pprof.blockProfileRate);
  }
  writer.setIfTrue('log-system-load', values.logSystemLoad);
  if (Object.keys(values.logOptions).length > 0) writer.set('log-opt', JSON.stringify(values.logOptions));
  writer.set('k8s-require-ipv4-pod-cidr', values.k8s.requireIPv4PodCIDR);
  writer.set('k8s-require-ipv6-pod-cidr', values.k8s.requireIPv6PodCIDR);
  if (values.endpointRoutes.enabled) writer.set('enable-endpoint-routes', true);
  writer.set('enable-k8s-networkpolicy', values.k8sNetworkPolicy.enabled);
  if (writer.since(17)) writer.set('enable-endpoint-lockdown-on-policy-overflow', values.endpointLockdownOnMapOverflow);
  writeCni(writer);
  writer.setIfTrue('k8s-kubeconfig-path', values.kubeConfigPath);
  const isOwnCni = writer.chainingMode === 'none' || writer.chainingMode === 'portmap';
  writer.set('enable-endpoint-health-checking', values.endpointHealthChecking.enabled && isOwnCni);
  writer.set('enable-health-checking', values.healthChecking);
  if (writer.since(17)) writer.setIfTrue('health-check-icmp-failure-threshold', values.healthCheckICMPFailureThreshold);
  writer.set('enable-well-known-identities', values.wellKnownIdentities.enabled);
  writer.set('enable-node-selector-labels', values.nodeSelectorLabels);
  if (writer.since(18)) writer.setIfGiven('node-labels', values.nodeLabels);
  writer.set('synchronize-k8s-nodes', values.synchronizeK8sNodes);
  writer.setIfGiven('policy-audit-mode', values.policyAuditMode);
  writer.set('operator-api-serve-addr', values.ipv4.enabled ? '127.0.0.1:9234' : '[::1]:9234');
}

function writeCni(writer: ConfigWriter): void {
  const { cni } = writer.values;
  const written = `${cni.hostConfDirMountPath}/05-cilium.conflist`;
  if (cni.configMap !== '') {
    writer.set('read-cni-conf', `${cni.confFileMountPath}/${cni.configMapKey}`);
    if (cni.customConf) writer.set('write-cni-conf-when-ready', written);
  } else writer.setIfTrue('read-cni-conf', cni.readCniConf);
  if (!cni.customConf && cni.install) {
    writer.set('write-cni-conf-when-ready', written);
    writer.set('cni-exclusive', cni.exclusive);
    writer.set('cni-log-file', cni.logFile);
  }
  writer.setIfTrue('cni-uninstall', cni.uninstall);
  writer.setIfGiven('cni-chaining-target', cni.chainingTarget);
  writer.setIfGiven('cni-external-routing', cni.externalRouting);
  writer.setIfTrue('enable-route-mtu-for-cni-chaining', cni.enableRouteMTUForCNIChaining);
}

/** Limits of the API clients, and the operator's care for nodes and pods. */
function writeClients(writer: ConfigWriter): void {
  const { k8sClientRateLimit: limit, operator } = writer.values;
  if (writer.since(17)) {
    writer.setIfTrue('k8s-client-qps', limit.qps);
    writer.setIfTrue('k8s-client-burst', limit.burst);
    writer.setIfTrue('operator-k8s-client-qps', limit.operator.qps);
    writer.setIfTrue('operator-k8s-client-burst', limit.operator.burst);
  } else {
    const isRecent = writer.kubeMinor >= 27;
    writer.set('k8s-client-qps', limit.qps || (isRecent ? 10 : 5));
    writer.set('k8s-client-burst', limit.burst || (isRecent ? 20 : 10));
  }
  if (operator.removeNodeTaints) writer.set('remove-cilium-node-taints', true);
  if (operator.setNodeTaints ?? operator.removeNodeTaints) writer.set('set-cilium-node-taints', true);
  if (operator.setNodeNetworkStatus) writer.set('set-cilium-is-up-condition', true);
  const { intervalSeconds, restart, selector } = operator.unmanagedPodWatcher;
  const interval = writer.since(19) && typeof intervalSeconds === 'number' ? `${intervalSeconds}s` : intervalSeconds;
  writer.set('unmanaged-pod-watcher-interval', restart ? interval : '0');
  if (writer.since(19)) writer.setIfGiven('pod-restart-selector', selector);
}

function writeDnsProxy(writer: ConfigWriter): void {
  const proxy = writer.values.dnsProxy;
  if (proxy.enableTransparentMode !== null) writer.set('dnsproxy-enable-transparent-mode', proxy.enableTransparentMode);
  else if (writer.chainingMode === 'none') writer.set('dnsproxy-enable-transparent-mode', wasInstalledWith(writer.values, 12));
  writer.set('dnsproxy-socket-linger-timeout', proxy.socketLingerTimeout);
  writer.setIfTrue('tofqdns-dns-reject-response-code', proxy.dnsRejectResponseCode);
  writer.set('tofqdns-enable-dns-compression', proxy.enableDnsCompression);
  writer.setIfTrue('tofqdns-endpoint-max-ip-per-hostname', proxy.endpointMaxIpPerHostname);
  writer.setIfTrue('tofqdns-idle-connection-grace-period', proxy.idleConnectionGracePeriod);
  writer.setIfTrue('tofqdns-max-deferred-connection-deletes', proxy.maxDeferredConnectionDeletes);
  writer.setIfTrue('tofqdns-min-ttl', proxy.minTtl);
  writer.setIfTrue('tofqdns-pre-cache', proxy.preCache);
  writer.setIfTrue('tofqdns-proxy-port', proxy.proxyPort);
  writer.setIfTrue('tofqdns-proxy-response-max-delay', proxy.proxyResponseMaxDelay);
  if (writer.since(18)) writer.set('tofqdns-preallocate-identities', proxy.preAllocateIdentities);
  writer.set('agent-not-ready-taint-key', writer.values.agentNotReadyTaintKey);
}

/** Authentication, and what joins clusters. */
function writeMesh(writer: ConfigWriter): void {
  const { authentication, clustermesh, nat } = writer.values;
  writer.set('mesh-auth-enabled', authentication.enabled);
  writer.set('mesh-auth-queue-size', authentication.queueSize);
  writer.set('mesh-auth-rotated-identities-queue-size', authentication.rotatedIdentitiesQueueSize);
  writer.set('mesh-auth-gc-interval', authentication.gcInterval || '0s');
  const { mutual } = authentication;
  if (mutual.spire.enabled) {
    writer.set('mesh-auth-mutual-enabled', true);
    writer.set('mesh-auth-mutual-listener-port', mutual.port);
    writer.set('mesh-auth-spire-agent-socket', mutual.spire.agentSocketPath);
    writer.set('mesh-auth-mutual-connect-timeout', mutual.connectTimeout || '0s');
    writer.set('mesh-auth-spire-server-address', mutual.spire.serverAddress || `spire-server.${mutual.spire.install.namespace}.svc:8081`);
    writer.set('mesh-auth-spire-server-connection-timeout', mutual.spire.connectionTimeout);
    writer.set('mesh-auth-spire-admin-socket', mutual.spire.adminSocketPath);
    writer.set('mesh-auth-spiffe-trust-domain', mutual.spire.trustDomain);
  }
  writer.set('max-connected-clusters', clustermesh.maxConnectedClusters);
  writer.set('clustermesh-enable-endpoint-sync', clustermesh.enableEndpointSliceSynchronization);
  writer.set('clustermesh-enable-mcs-api', clustermesh.enableMCSAPISupport || (writer.since(19) && clustermesh.mcsapi.enabled));
  if (writer.since(19)) {
    writer.set('clustermesh-cache-ttl', clustermesh.cacheTTL);
    writer.set('clustermesh-mcs-api-install-crds', clustermesh.mcsapi.installCRDs);
  }
  if (writer.since(18)) writer.set('policy-default-local-cluster', clustermesh.policyDefaultLocalCluster);
  if (writer.sincePatch(16, 1)) {
    writer.set('nat-map-stats-entries', nat.mapStatsEntries);
    writer.set('nat-map-stats-interval', nat.mapStatsInterval);
  }
}
