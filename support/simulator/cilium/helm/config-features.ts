import type { HelmValues, Tree } from './chart-defaults.ts';
import { wasInstalledWith } from './chart-releases.ts';
import { type ConfigWriter, joined, type Scalar } from './config-writer.ts';

/** `a=b,c=d` of a mapping (the template's mapToString). */
const pairs = (map: Tree): string =>
  Object.entries(map)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');

/** Envoy and what is built on it: ingress, Gateway API, load balancing at layer 7, secrets. */
export function writeEnvoy(writer: ConfigWriter): void {
  const { values } = writer;
  const { envoy, envoyConfig, gatewayAPI, ingressController, loadBalancer } = values;
  const hasDaemonSet = isEnvoyDaemonSet(values);
  if (!hasDaemonSet) {
    if (envoy.prometheus.enabled) writer.set('proxy-prometheus-port', envoy.prometheus.port);
    if (envoy.debug.admin.enabled) writer.setIfTrue('proxy-admin-port', envoy.debug.admin.port);
  }
  const hasL7 = loadBalancer.l7.backend === 'envoy';
  if (envoyConfig.enabled || ingressController.enabled || gatewayAPI.enabled || hasL7) {
    writer.set('enable-envoy-config', true);
    writer.set('envoy-config-retry-interval', envoyConfig.retryInterval || '0s');
    if (envoyConfig.enabled) writer.set('envoy-secrets-namespace', envoyConfig.secretsNamespace.name);
  }
  if (ingressController.enabled) writeIngress(writer);
  if (gatewayAPI.enabled) {
    writer.set('enable-gateway-api', true);
    writer.set('enable-gateway-api-secrets-sync', gatewayAPI.secretsNamespace.sync);
    writer.set('enable-gateway-api-proxy-protocol', gatewayAPI.enableProxyProtocol);
    writer.set('enable-gateway-api-app-protocol', gatewayAPI.enableAppProtocol || gatewayAPI.enableAlpn);
    writer.set('enable-gateway-api-alpn', gatewayAPI.enableAlpn);
    writer.set('gateway-api-xff-num-trusted-hops', gatewayAPI.xffNumTrustedHops);
    writer.set('gateway-api-service-externaltrafficpolicy', gatewayAPI.externalTrafficPolicy);
    writer.set('gateway-api-secrets-namespace', gatewayAPI.secretsNamespace.name);
    writer.set('gateway-api-hostnetwork-enabled', gatewayAPI.hostNetwork.enabled);
    writer.set('gateway-api-hostnetwork-nodelabelselector', pairs(gatewayAPI.hostNetwork.nodes.matchLabels));
  }
  if (hasL7) {
    writer.set('loadbalancer-l7', 'envoy');
    writer.set('loadbalancer-l7-ports', joined(loadBalancer.l7.ports));
    writer.set('loadbalancer-l7-algorithm', loadBalancer.l7.algorithm);
  }
  if (writer.since(17)) {
    const readsOnlyThere = values.tls.readSecretsOnlyFromSecretsNamespace ?? true;
    if (readsOnlyThere && (values.tls.secretSync.enabled ?? wasInstalledWith(values, 17))) writer.set('enable-policy-secrets-sync', true);
    if (readsOnlyThere) {
      writer.set('policy-secrets-only-from-secrets-namespace', true);
      writer.set('policy-secrets-namespace', values.tls.secretsNamespace.name);
    }
  }
  writeProxy(writer, hasDaemonSet);
}

/** A DaemonSet of Envoy's own is the default of installations since 1.16. */
export function isEnvoyDaemonSet(values: HelmValues): boolean {
  return values.l7Proxy && (values.envoy.enabled ?? wasInstalledWith(values, 16));
}

function writeIngress(writer: ConfigWriter): void {
  const ingress = writer.values.ingressController;
  writer.set('enable-ingress-controller', true);
  writer.set('enforce-ingress-https', ingress.enforceHttps);
  writer.set('enable-ingress-proxy-protocol', ingress.enableProxyProtocol);
  writer.set('enable-ingress-secrets-sync', ingress.secretsNamespace.sync);
  writer.set('ingress-secrets-namespace', ingress.secretsNamespace.name);
  writer.set('ingress-lb-annotation-prefixes', joined(ingress.ingressLBAnnotationPrefixes));
  writer.set('ingress-default-lb-mode', ingress.loadbalancerMode);
  writer.set('ingress-shared-lb-service-name', ingress.service.name);
  if (ingress.defaultSecretNamespace && ingress.defaultSecretName) {
    writer.set('ingress-default-secret-namespace', ingress.defaultSecretNamespace);
    writer.set('ingress-default-secret-name', ingress.defaultSecretName);
  }
  writer.set('ingress-hostnetwork-enabled', ingress.hostNetwork.enabled);
  writer.set('ingress-hostnetwork-shared-listener-port', ingress.hostNetwork.sharedListenerPort);
  writer.set('ingress-hostnetwork-nodelabelselector', pairs(ingress.hostNetwork.nodes.matchLabels));
}

function writeProxy(writer: ConfigWriter, hasDaemonSet: boolean): void {
  const { envoy } = writer.values;
  writer.set('proxy-xff-num-trusted-hops-ingress', envoy.xffNumTrustedHopsL7PolicyIngress);
  writer.set('proxy-xff-num-trusted-hops-egress', envoy.xffNumTrustedHopsL7PolicyEgress);
  writer.set('proxy-connect-timeout', envoy.connectTimeoutSeconds);
  if (writer.sincePatch(16, 4)) writer.set('proxy-initial-fetch-timeout', envoy.initialFetchTimeoutSeconds);
  writer.set('proxy-max-requests-per-connection', envoy.maxRequestsPerConnection);
  writer.set('proxy-max-connection-duration-seconds', envoy.maxConnectionDurationSeconds);
  writer.set('proxy-idle-timeout-seconds', envoy.idleTimeoutDurationSeconds);
  if (writer.since(17)) {
    writer.set('proxy-max-concurrent-retries', envoy.maxConcurrentRetries);
    writer.set('http-retry-count', envoy.httpRetryCount);
    writer.setIfTrue('envoy-default-log-level', envoy.log.defaultLevel);
    writer.setIfTrue('envoy-access-log-buffer-size', envoy.log.accessLogBufferSize);
  }
  if (writer.sincePatch(18, 3)) writer.set('http-stream-idle-timeout', envoy.streamIdleTimeoutDurationSeconds);
  if (writer.since(19)) {
    writer.set('proxy-max-active-downstream-connections', envoy.maxGlobalDownstreamConnections);
    writer.set('proxy-use-original-source-address', envoy.useOriginalSourceAddress);
    writer.set('proxy-cluster-max-connections', envoy.clusterMaxConnections);
    writer.set('proxy-cluster-max-requests', envoy.clusterMaxRequests);
  }
  writer.set('external-envoy-proxy', hasDaemonSet);
  writer.set('envoy-base-id', envoy.baseID);
  writer.setIfTrue('envoy-log', envoy.log.path);
  writer.set('envoy-keep-cap-netbindservice', envoy.securityContext.capabilities.keepCapNetBindService);
}

export function writeHubble(writer: ConfigWriter): void {
  const { hubble, ipv4 } = writer.values;
  if (hubble.enabled || writer.since(18)) writer.set('enable-hubble', hubble.enabled);
  if (!hubble.enabled) return;
  writer.set('hubble-socket-path', hubble.socketPath);
  writer.setIfGiven('hubble-event-queue-size', hubble.eventQueueSize);
  writer.setIfGiven('hubble-event-buffer-capacity', hubble.eventBufferCapacity);
  writeHubbleMetrics(writer);
  if (writer.since(18)) writer.set('hubble-network-policy-correlation-enabled', hubble.networkPolicyCorrelation.enabled);
  const { redact } = hubble;
  if (redact.enabled) {
    writer.set('hubble-redact-enabled', true);
    writer.set('hubble-redact-http-urlquery', redact.http.urlQuery);
    writer.set('hubble-redact-http-userinfo', redact.http.userInfo);
    writer.setIfTrue('hubble-redact-http-headers-allow', joined(redact.http.headers.allow));
    writer.setIfTrue('hubble-redact-http-headers-deny', joined(redact.http.headers.deny));
    writer.set('hubble-redact-kafka-apikey', redact.kafka.apiKey);
  }
  writeHubbleExport(writer);
  writer.set('hubble-listen-address', hubble.listenAddress);
  writer.set('hubble-disable-tls', !hubble.tls.enabled);
  if (hubble.tls.enabled) {
    writer.set('hubble-tls-cert-file', '/var/lib/cilium/tls/hubble/server.crt');
    writer.set('hubble-tls-key-file', '/var/lib/cilium/tls/hubble/server.key');
    writer.set('hubble-tls-client-ca-files', '/var/lib/cilium/tls/hubble/client-ca.crt');
  }
  if (hubble.dropEventEmitter.enabled) {
    writer.set('hubble-drop-events', true);
    writer.set('hubble-drop-events-interval', hubble.dropEventEmitter.interval);
    writer.set('hubble-drop-events-reasons', joined(hubble.dropEventEmitter.reasons));
  }
  if (hubble.preferIpv6 || (writer.since(18) && !ipv4.enabled)) writer.set('hubble-prefer-ipv6', true);
  writer.setIfGiven('hubble-skip-unknown-cgroup-ids', hubble.skipUnknownCGroupIDs);
}

function writeHubbleMetrics(writer: ConfigWriter): void {
  const { metrics } = writer.values.hubble;
  const isDynamic = writer.since(17) && metrics.dynamic.enabled;
  const hasMetrics = (metrics.enabled ?? []).length > 0;
  if (hasMetrics || isDynamic) writer.set('hubble-metrics-server', `:${metrics.port}`);
  if (hasMetrics || (isDynamic && writer.since(18))) {
    writer.set('hubble-metrics-server-enable-tls', metrics.tls.enabled);
    if (metrics.tls.enabled) {
      writer.set('hubble-metrics-server-tls-cert-file', '/var/lib/cilium/tls/hubble-metrics/server.crt');
      writer.set('hubble-metrics-server-tls-key-file', '/var/lib/cilium/tls/hubble-metrics/server.key');
      if (metrics.tls.server.mtls.enabled) {
        writer.set('hubble-metrics-server-tls-client-ca-files', '/var/lib/cilium/tls/hubble-metrics/client-ca.crt');
      }
    }
    writer.set('enable-hubble-open-metrics', metrics.enableOpenMetrics);
  }
  if (hasMetrics) writer.set('hubble-metrics', joined(metrics.enabled));
  if (isDynamic) writer.set('hubble-dynamic-metrics-config-path', '/dynamic-metrics-config/dynamic-metrics.yaml');
}

function writeHubbleExport(writer: ConfigWriter): void {
  const exported = writer.values.hubble.export;
  const isStatic = exported.static.enabled;
  if (isStatic || !writer.since(18)) {
    writer.set('hubble-export-file-max-size-mb', exported.fileMaxSizeMb);
    writer.set('hubble-export-file-max-backups', exported.fileMaxBackups);
  }
  if (isStatic) {
    const separator = writer.since(17) ? ' ' : writer.sincePatch(16, 7) ? '' : ',';
    writer.set('hubble-export-file-path', exported.static.filePath);
    writer.set('hubble-export-fieldmask', joined(exported.static.fieldMask));
    writer.set('hubble-export-allowlist', joined(exported.static.allowList, separator));
    writer.set('hubble-export-denylist', joined(exported.static.denyList, separator));
    if (writer.since(18)) writer.set('hubble-export-file-compress', exported.static.fileCompress);
    if (writer.since(19)) {
      writer.set('hubble-export-aggregation-interval', exported.static.aggregationInterval);
      writer.set('hubble-export-fieldaggregate', joined(exported.static.fieldAggregate));
    }
  }
  if (exported.dynamic.enabled) writer.set('hubble-flowlogs-config-path', '/flowlog-config/flowlogs.yaml');
}

/** Addresses of pods and of services. */
export function writeAddressing(writer: ConfigWriter): void {
  const { values } = writer;
  if (values.disableIptablesFeederRules !== null) writer.set('disable-iptables-feeder-rules', joined(values.disableIptablesFeederRules));
  const mode = values.ipam.mode || 'cluster-pool';
  const pool = values.ipam.operator;
  writer.set('ipam', mode);
  writer.setIfTrue('ipam-cilium-node-update-rate', values.ipam.ciliumNodeUpdateRate);
  // 1.17 writes the key without a value where there is nothing to write.
  if (writer.since(17) && (values.ipam.multiPoolPreAllocation !== '' || !writer.since(18)))
    writer.set('ipam-multi-pool-pre-allocation', values.ipam.multiPoolPreAllocation);
  if (mode === 'cluster-pool') {
    if (values.ipv4.enabled) {
      writer.set('cluster-pool-ipv4-cidr', joined(pool.clusterPoolIPv4PodCIDRList));
      writer.set('cluster-pool-ipv4-mask-size', pool.clusterPoolIPv4MaskSize);
    }
    if (values.ipv6.enabled) {
      writer.set('cluster-pool-ipv6-cidr', joined(pool.clusterPoolIPv6PodCIDRList));
      writer.set('cluster-pool-ipv6-mask-size', pool.clusterPoolIPv6MaskSize);
    }
  }
  if (mode === 'multi-pool') writer.set('auto-create-cilium-pod-ip-pools', multiPools(pool.autoCreateCiliumPodIPPools));
  writer.setIfTrue('limit-ipam-api-burst', pool.externalAPILimitBurstSize);
  writer.setIfTrue('limit-ipam-api-qps', pool.externalAPILimitQPS);
  if (writer.since(17)) {
    writer.set('default-lb-service-ipam', values.defaultLBServiceIPAM);
    writer.set('enable-lb-ipam', values.enableLBIPAM);
  }
  if (values.nodeIPAM.enabled) writer.set('enable-node-ipam', true);
  writer.setIfTrue('api-rate-limit', values.apiRateLimit);
}

/** `default=ipv4-cidrs:192.0.2.0/24;ipv4-mask-size:27`. */
function multiPools(pools: Tree): string {
  interface Family {
    readonly cidrs?: readonly string[];
    readonly maskSize?: Scalar;
  }
  return Object.entries(pools as Readonly<Record<string, { readonly ipv4?: Family; readonly ipv6?: Family }>>)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, pool]) => {
      const parts = (['ipv4', 'ipv6'] as const).flatMap((family) => {
        const given = pool[family];
        return given === undefined
          ? []
          : [`${family}-cidrs:${(given.cidrs ?? []).join(',')}`, `${family}-mask-size:${given.maskSize ?? '<nil>'}`];
      });
      return `${name}=${parts.join(';')}`;
    })
    .join(',');
}

/** Egress gateway, VTEP, L2 announcements, BGP and the rest of the switches. */
export function writeFeatures(writer: ConfigWriter): void {
  const { values } = writer;
  if (values.egressGateway.enabled) writer.set(writer.since(18) ? 'enable-egress-gateway' : 'enable-ipv4-egress-gateway', true);
  writer.set('egress-gateway-reconciliation-trigger-interval', values.egressGateway.reconciliationTriggerInterval);
  writer.setIfTrue('egress-gateway-policy-map-max', values.egressGateway.maxPolicyEntries);
  writer.set('enable-vtep', values.vtep.enabled);
  for (const key of ['endpoint', 'cidr', 'mask', 'mac'] as const) writer.set(`vtep-${key}`, values.vtep[key]);
  writer.setIfTrue('crd-wait-timeout', values.crdWaitTimeout);
  if (!writer.since(19)) writer.setIfTrue('enable-k8s-endpoint-slice', values.enableK8sEndpointSlice);
  writer.setIfGiven('k8s-service-proxy-name', values.k8s.serviceProxyName);
  const { l2announcements, l2podAnnouncements, bgp, bgpControlPlane } = values;
  if (l2announcements.enabled) {
    writer.set('enable-l2-announcements', true);
    writer.setIfTrue('l2-announcements-lease-duration', l2announcements.leaseDuration);
    writer.setIfTrue('l2-announcements-renew-deadline', l2announcements.leaseRenewDeadline);
    writer.setIfTrue('l2-announcements-retry-period', l2announcements.leaseRetryPeriod);
  }
  if (l2podAnnouncements.enabled) {
    writer.set('enable-l2-pod-announcements', true);
    if (writer.since(18) && l2podAnnouncements.interfacePattern)
      writer.set('l2-pod-announcements-interface-pattern', l2podAnnouncements.interfacePattern);
    else writer.set('l2-pod-announcements-interface', l2podAnnouncements.interface);
  }
  if (bgp.enabled && !writer.since(17)) {
    writer.setIfTrue('bgp-announce-lb-ip', bgp.announce.loadbalancerIP);
    writer.setIfTrue('bgp-announce-pod-cidr', bgp.announce.podCIDR);
  }
  if (bgpControlPlane.enabled) {
    writer.set('enable-bgp-control-plane', true);
    writer.set('bgp-secrets-namespace', bgpControlPlane.secretsNamespace.name);
    if (writer.since(17)) writer.set('enable-bgp-control-plane-status-report', bgpControlPlane.statusReport.enabled);
    if (writer.since(18)) {
      writer.set('bgp-router-id-allocation-mode', bgpControlPlane.routerIDAllocation.mode);
      writer.set('bgp-router-id-allocation-ip-pool', bgpControlPlane.routerIDAllocation.ipPool);
    }
    if (writer.sincePatch(18, 2)) writer.set('enable-bgp-legacy-origin-attribute', bgpControlPlane.legacyOriginAttribute.enabled);
  }
  if (values.pmtuDiscovery.enabled) writer.set('enable-pmtu-discovery', true);
  if (writer.since(19)) writer.set('packetization-layer-pmtud-mode', values.pmtuDiscovery.packetizationLayerPMTUDMode);
  if (values.ciliumEndpointSlice.enabled) {
    writer.set('enable-cilium-endpoint-slice', true);
    if (writer.since(17) && !writer.since(18)) writer.setIfTrue('ces-slice-mode', values.ciliumEndpointSlice.sliceMode);
    if (values.ciliumEndpointSlice.rateLimits.length > 0) writer.set('ces-rate-limits', rateLimits(values.ciliumEndpointSlice.rateLimits));
  }
  if (!writer.since(18)) writer.set('enable-k8s-terminating-endpoint', values.enableK8sTerminatingEndpoint);
  else writer.set('identity-management-mode', values.identityManagementMode);
  writer.set('enable-sctp', values.sctp.enabled);
  writer.setIfGiven('dns-policy-unload-on-shutdown', values.dnsPolicyUnloadOnShutdown);
  if (values.annotateK8sNode) writer.set('annotate-k8s-node', true);
  if (writer.since(17)) {
    writer.set('enable-non-default-deny-policies', values.enableNonDefaultDenyPolicies);
    if (!writer.since(19)) writer.set('enable-internal-traffic-policy', values.enableInternalTrafficPolicy);
  }
  if (writer.since(18)) writer.setIfGiven('connectivity-probe-frequency-ratio', values.connectivityProbeFrequencyRatio);
}

/** JSON as Go writes it: keys in order of the alphabet. */
function rateLimits(limits: readonly unknown[]): string {
  return JSON.stringify(limits.map((limit) => Object.fromEntries(Object.entries(limit as Tree).toSorted(([a], [b]) => (a < b ? -1 : 1)))));
}
