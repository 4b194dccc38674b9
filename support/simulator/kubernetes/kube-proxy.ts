import { createHash } from 'node:crypto';
import type { SimulatedClock } from '../clock/clock.ts';
import { hostPrefix, parseIp, parsePrefix, prefix } from '../net/address.ts';
import type { Family, Ip, NetfilterRule, Prefix } from '../net/types.ts';
import { createReconciler } from './controllers/reconciler.ts';
import { type EndpointSlice, keyOf, type Service, type ServicePort } from './objects.ts';
import { type HealthCheck, serveServiceHealth } from './service-health.ts';
import type { ApiClient, KubeNode } from './types.ts';

const families = [4, 6] as const;
const syncDelayMs = 50;
/** kube-proxy's mark for traffic to be masqueraded. */
const masqueradeMark = 0x4000;

type Table = 'filter' | 'nat';

interface Target {
  readonly ip: Ip;
  readonly port: number;
  readonly isLocal: boolean;
}

/** A service port of one family. */
interface PortInfo {
  readonly name: string;
  readonly suffix: string;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly nodePort: number | undefined;
  readonly clusterIp: Ip;
  readonly externalIps: readonly Ip[];
  readonly balancedIps: readonly Ip[];
  readonly sourceRanges: readonly Prefix[];
  readonly isExternalLocal: boolean;
  readonly isInternalLocal: boolean;
  readonly affinitySeconds: number | undefined;
  readonly all: readonly Target[];
  readonly local: readonly Target[];
}

/**
 * kube-proxy in iptables mode on one node, with the chains and rules of `pkg/proxy/iptables` in Kubernetes 1.32.
 * Not modelled: topology hints, SCTP, and the drop of invalid connections in KUBE-FORWARD.
 */
export function startKubeProxy(client: ApiClient, clock: SimulatedClock, node: KubeNode, podSubnets: readonly string[]): () => void {
  const { netfilter } = node.namespace;
  const clusterCidrs = podSubnets.map(prefix);
  const made: Readonly<Record<Family, Set<string>>> = { 4: new Set(), 6: new Set() };
  let healthChecks: ReadonlyMap<number, HealthCheck> = new Map();
  const stopHealth = serveServiceHealth(
    node.namespace,
    'kube-proxy',
    { ports: () => healthChecks.keys(), at: (port) => healthChecks.get(port) },
    ({ namespace, name, localEndpoints }) =>
      JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy: true }, undefined, '\t'),
  );
  // --iptables-localhost-nodeports, on by default.
  node.namespace.setSysctl('net.ipv4.conf.all.route_localnet', '1');
  for (const family of families) install(family);
  const queue = createReconciler(clock, { name: 'kube-proxy', delayMs: syncDelayMs, reconcile: () => sync() });

  function install(family: Family): void {
    for (const chain of ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING']) ensureChain(family, 'nat', chain);
    for (const chain of ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'])
      ensureChain(family, 'filter', chain);
    const portals = 'kubernetes service portals';
    ensureJump(family, 'nat', 'PREROUTING', 'KUBE-SERVICES', portals);
    ensureJump(family, 'nat', 'OUTPUT', 'KUBE-SERVICES', portals);
    ensureJump(family, 'nat', 'POSTROUTING', 'KUBE-POSTROUTING', 'kubernetes postrouting rules');
    for (const chain of ['FORWARD', 'OUTPUT']) ensureJump(family, 'filter', chain, 'KUBE-SERVICES', portals, true);
    for (const chain of ['INPUT', 'FORWARD'])
      ensureJump(family, 'filter', chain, 'KUBE-EXTERNAL-SERVICES', 'kubernetes externally-visible service portals', true);
    ensureJump(family, 'filter', 'INPUT', 'KUBE-NODEPORTS', 'kubernetes health check service ports');
    for (const chain of ['INPUT', 'FORWARD', 'OUTPUT'])
      ensureJump(family, 'filter', chain, 'KUBE-PROXY-FIREWALL', 'kubernetes load balancer firewall', true);
    netfilter.flush(family, 'nat', 'KUBE-MARK-MASQ');
    netfilter.append(family, 'nat', 'KUBE-MARK-MASQ', { target: { kind: 'mark', value: masqueradeMark, mask: masqueradeMark } });
    netfilter.flush(family, 'nat', 'KUBE-POSTROUTING');
    netfilter.append(family, 'nat', 'KUBE-POSTROUTING', {
      mark: { value: masqueradeMark, mask: masqueradeMark, inverted: true },
      target: { kind: 'return' },
    });
    netfilter.append(family, 'nat', 'KUBE-POSTROUTING', {
      target: { kind: 'masquerade' },
      comment: 'kubernetes service traffic requiring SNAT',
    });
  }

  function ensureChain(family: Family, table: Table, chain: string): void {
    if (!netfilter.chains(family, table).has(chain)) netfilter.createChain(family, table, chain);
  }

  /** A kube-proxy that starts again finds what the one before left. */
  function ensureJump(family: Family, table: Table, from: string, chain: string, comment: string, onlyNew = false): void {
    const has = netfilter
      .chains(family, table)
      .get(from)
      ?.rules.some((present) => present.target.kind === 'jump' && present.target.chain === chain);
    if (has === true) return;
    const state = onlyNew ? { connectionState: ['new'] as const } : {};
    netfilter.insert(family, table, from, { ...state, target: { kind: 'jump', chain }, comment });
  }

  function nat(family: Family, chain: string, rule: NetfilterRule): void {
    netfilter.append(family, 'nat', chain, rule);
  }

  function open(family: Family, chain: string): string {
    ensureChain(family, 'nat', chain);
    made[family].add(chain);
    return chain;
  }

  function sync(): void {
    for (const family of families) {
      for (const chain of ['KUBE-SERVICES', 'KUBE-NODEPORTS', ...made[family]]) netfilter.flush(family, 'nat', chain);
      for (const chain of ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'])
        netfilter.flush(family, 'filter', chain);
    }
    const slices = new Map<string, EndpointSlice[]>();
    for (const slice of client.list<EndpointSlice>('endpointslices.discovery.k8s.io')) {
      const key = `${slice.metadata.namespace ?? 'default'}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
      slices.set(key, [...(slices.get(key) ?? []), slice]);
    }
    const checks = new Map<number, HealthCheck>();
    for (const service of client.list<Service>('services')) {
      if (service.spec.type === 'ExternalName' || service.spec.clusterIP === 'None' || service.spec.clusterIP === undefined) continue;
      const own = slices.get(keyOf(service)) ?? [];
      for (const family of families)
        for (const port of service.spec.ports ?? []) {
          const info = describe(family, service, port, own);
          if (info === undefined) continue;
          program(info);
        }
      const { healthCheckNodePort } = service.spec;
      if (healthCheckNodePort === undefined || healthCheckNodePort === 0) continue;
      checks.set(healthCheckNodePort, {
        namespace: service.metadata.namespace ?? 'default',
        name: service.metadata.name,
        localEndpoints: localPods(own),
      });
      for (const family of families)
        netfilter.append(family, 'filter', 'KUBE-NODEPORTS', {
          protocol: 'tcp',
          destinationPort: { low: healthCheckNodePort, high: healthCheckNodePort },
          target: { kind: 'accept' },
          comment: `${keyOf(service)} health check node port`,
        });
    }
    for (const family of families)
      nat(family, 'KUBE-SERVICES', {
        ...(family === 6 ? { destination: { prefix: prefix('::1/128'), inverted: true } } : {}),
        localAddress: 'destination',
        target: { kind: 'jump', chain: 'KUBE-NODEPORTS' },
        comment: 'kubernetes service nodeports; NOTE: this must be the last rule in this chain',
      });
    healthChecks = checks;
  }

  function localPods(slices: readonly EndpointSlice[]): number {
    const addresses = slices.flatMap((slice) =>
      slice.endpoints.flatMap((endpoint) =>
        endpoint.conditions?.ready !== false && endpoint.nodeName === node.name ? [endpoint.targetRef?.name ?? endpoint.addresses[0]] : [],
      ),
    );
    return new Set(addresses).size;
  }

  function describe(family: Family, service: Service, port: ServicePort, slices: readonly EndpointSlice[]): PortInfo | undefined {
    const { spec } = service;
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    if (protocol !== 'tcp' && protocol !== 'udp') return undefined;
    const own = (list: readonly string[]): readonly Ip[] =>
      list.flatMap((text) => parseIp(text) ?? []).filter((address) => address.family === family);
    const clusterIp = own(spec.clusterIPs ?? [])[0];
    if (clusterIp === undefined) return undefined;
    const name = `${keyOf(service)}${port.name === undefined || port.name === '' ? '' : `:${port.name}`}`;
    const usable = targets(family, port, slices);
    const local = usable.filter(({ isLocal }) => isLocal);
    return {
      name,
      suffix: chainSuffix(`${name}${protocol}`),
      family,
      protocol,
      port: port.port,
      nodePort: spec.type === 'ClusterIP' ? undefined : port.nodePort,
      clusterIp,
      externalIps: own(spec.externalIPs ?? []),
      balancedIps: own((service.status.loadBalancer?.ingress ?? []).flatMap((entry) => entry.ip ?? [])),
      sourceRanges: (spec.loadBalancerSourceRanges ?? [])
        .flatMap((text) => parsePrefix(text.trim()) ?? [])
        .filter((range) => range.family === family),
      isExternalLocal: spec.externalTrafficPolicy === 'Local',
      isInternalLocal: spec.internalTrafficPolicy === 'Local',
      affinitySeconds: spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined,
      all: preferred(usable),
      local: preferred(local),
    };
  }

  type Candidate = Target & { readonly isReady: boolean };

  function targets(family: Family, port: ServicePort, slices: readonly EndpointSlice[]): readonly Candidate[] {
    return slices
      .filter((slice) => slice.addressType === (family === 4 ? 'IPv4' : 'IPv6'))
      .flatMap((slice) => {
        const number = slice.ports.find(
          (candidate) => (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
        )?.port;
        if (number === undefined) return [];
        return slice.endpoints.flatMap(({ addresses, conditions, nodeName }) => {
          const ip = parseIp(addresses[0] ?? '');
          const isReady = conditions?.ready !== false;
          if (ip === undefined || !(isReady || (conditions?.serving === true && conditions.terminating === true))) return [];
          return [{ ip, port: number, isLocal: nodeName === node.name, isReady }];
        });
      })
      .sort((a, b) => (endpointText(a) < endpointText(b) ? -1 : 1));
  }

  /** Those that end but still serve count where none is ready (KEP-1669). */
  function preferred(candidates: readonly Candidate[]): readonly Target[] {
    const ready = candidates.filter(({ isReady }) => isReady);
    return ready.length > 0 ? ready : candidates;
  }

  function program(info: PortInfo): void {
    const { family, name, suffix, protocol, port, nodePort, clusterIp, externalIps, balancedIps, isExternalLocal, isInternalLocal } = info;
    const at = (address: Ip): NetfilterRule & object => ({
      destination: { prefix: hostPrefix(address) },
      protocol,
      destinationPort: { low: port, high: port },
      target: { kind: 'return' },
    });
    const internal = `KUBE-${isInternalLocal ? 'SVL' : 'SVC'}-${suffix}`;
    const external = `KUBE-EXT-${suffix}`;
    const firewall = `KUBE-FW-${suffix}`;
    const isOpen = externalIps.length > 0 || balancedIps.length > 0 || nodePort !== undefined;
    const hasInternal = (isInternalLocal ? info.local : info.all).length > 0;
    const hasExternal = info.all.length > 0 && isOpen;
    // What has nobody to go to is refused, or dropped where other nodes may have somebody.
    const turnAway = (chain: string, rule: NetfilterRule): void => {
      const why = info.all.length === 0 ? 'has no endpoints' : 'has no local endpoints';
      const target = info.all.length === 0 ? ({ kind: 'reject' } as const) : ({ kind: 'drop' } as const);
      netfilter.append(family, 'filter', chain, { ...rule, target, comment: `${name} ${why}` });
    };
    const hasExternalTargets = (isExternalLocal ? info.local : info.all).length > 0;
    if (hasInternal)
      nat(family, 'KUBE-SERVICES', { ...at(clusterIp), target: { kind: 'jump', chain: internal }, comment: `${name} cluster IP` });
    else turnAway('KUBE-SERVICES', at(clusterIp));
    for (const [addresses, word] of [
      [externalIps, 'external IP'],
      [balancedIps, 'loadbalancer IP'],
    ] as const)
      for (const address of addresses) {
        const chain = word === 'loadbalancer IP' && info.sourceRanges.length > 0 ? firewall : external;
        if (hasExternal) nat(family, 'KUBE-SERVICES', { ...at(address), target: { kind: 'jump', chain }, comment: `${name} ${word}` });
        if (!hasExternalTargets) turnAway('KUBE-EXTERNAL-SERVICES', at(address));
        if (chain === firewall)
          netfilter.append(family, 'filter', 'KUBE-PROXY-FIREWALL', {
            ...at(address),
            target: { kind: 'drop' },
            comment: `${name} traffic not accepted by ${firewall}`,
          });
      }
    if (nodePort !== undefined && nodePort > 0) {
      const match = { protocol, destinationPort: { low: nodePort, high: nodePort } } as const;
      if (hasExternal) nat(family, 'KUBE-NODEPORTS', { ...match, target: { kind: 'jump', chain: external }, comment: name });
      if (!hasExternalTargets) turnAway('KUBE-EXTERNAL-SERVICES', { ...match, localAddress: 'destination', target: { kind: 'drop' } });
    }
    const usesCluster = (hasInternal && !isInternalLocal) || hasExternal;
    const usesLocal = (hasInternal && isInternalLocal) || (hasExternal && isExternalLocal);
    if (hasExternal) externalChain(info, external);
    if (hasExternal && balancedIps.length > 0 && info.sourceRanges.length > 0) {
      open(family, firewall);
      for (const range of info.sourceRanges)
        nat(family, firewall, { source: { prefix: range }, target: { kind: 'jump', chain: external }, comment: `${name} loadbalancer IP` });
    }
    if (usesCluster) balancing(info, `KUBE-SVC-${suffix}`, info.all, !isInternalLocal);
    if (usesLocal) balancing(info, `KUBE-SVL-${suffix}`, info.local, isInternalLocal);
    for (const target of usesCluster ? info.all : info.local) endpointChain(info, target);
  }

  /** Entry of what comes from outside: a policy `Local` keeps the client's address and this node's endpoints. */
  function externalChain({ family, name, suffix, isExternalLocal }: PortInfo, chain: string): void {
    open(family, chain);
    const cluster = { kind: 'jump', chain: `KUBE-SVC-${suffix}` } as const;
    const masquerade = { kind: 'jump', chain: 'KUBE-MARK-MASQ' } as const;
    if (!isExternalLocal) {
      nat(family, chain, { target: masquerade, comment: `masquerade traffic for ${name} external destinations` });
      nat(family, chain, { target: cluster });
      return;
    }
    const pods = clusterCidrs.find((cidr) => cidr.family === family);
    if (pods !== undefined)
      nat(family, chain, { source: { prefix: pods }, target: cluster, comment: `pod traffic for ${name} external destinations` });
    nat(family, chain, {
      localAddress: 'source',
      target: masquerade,
      comment: `masquerade LOCAL traffic for ${name} external destinations`,
    });
    nat(family, chain, { localAddress: 'source', target: cluster, comment: `route LOCAL traffic for ${name} external destinations` });
    nat(family, chain, { target: { kind: 'jump', chain: `KUBE-SVL-${suffix}` } });
  }

  function balancing(info: PortInfo, chain: string, to: readonly Target[], isInternal: boolean): void {
    const { family, name, protocol, port, clusterIp, affinitySeconds } = info;
    open(family, chain);
    const pods = clusterCidrs.find((cidr) => cidr.family === family);
    if (isInternal && pods !== undefined)
      nat(family, chain, {
        source: { prefix: pods, inverted: true },
        destination: { prefix: hostPrefix(clusterIp) },
        protocol,
        destinationPort: { low: port, high: port },
        target: { kind: 'jump', chain: 'KUBE-MARK-MASQ' },
        comment: `${name} cluster IP`,
      });
    const jumpTo = (target: Target): NetfilterRule => ({
      target: { kind: 'jump', chain: endpointName(info, target) },
      comment: `${name} -> ${endpointText(target)}`,
    });
    if (affinitySeconds !== undefined)
      for (const target of to)
        nat(family, chain, { ...jumpTo(target), recent: { name: endpointName(info, target), action: 'rcheck', seconds: affinitySeconds } });
    for (const [index, target] of to.entries()) {
      const left = to.length - index;
      nat(family, chain, left === 1 ? jumpTo(target) : { ...jumpTo(target), probability: 1 / left });
    }
  }

  function endpointChain(info: PortInfo, target: Target): void {
    const { family, name, protocol, affinitySeconds } = info;
    const chain = open(family, endpointName(info, target));
    nat(family, chain, { source: { prefix: hostPrefix(target.ip) }, target: { kind: 'jump', chain: 'KUBE-MARK-MASQ' }, comment: name });
    nat(family, chain, {
      protocol,
      ...(affinitySeconds === undefined ? {} : { recent: { name: chain, action: 'set' } as const }),
      target: { kind: 'dnat', address: target.ip, port: target.port },
      comment: name,
    });
  }

  const stops = [
    client.watch('services', () => queue.enqueue('all'), { replay: true }),
    client.watch('endpointslices.discovery.k8s.io', () => queue.enqueue('all'), { replay: true }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
    stopHealth();
  };
}

function endpointText({ ip, port }: Target): string {
  return ip.family === 4 ? `${ip.text}:${port}` : `[${ip.text}]:${port}`;
}

function endpointName({ name, protocol }: PortInfo, target: Target): string {
  return `KUBE-SEP-${chainSuffix(`${name}${protocol}${endpointText(target)}`)}`;
}

/** Sixteen characters of base32, from a hash of the rule's subject. */
function chainSuffix(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bytes = createHash('sha256').update(text).digest();
  let suffix = '';
  for (let bit = 0; suffix.length < 16; bit += 5) {
    const window = ((bytes[bit >>> 3] ?? 0) << 8) | (bytes[(bit >>> 3) + 1] ?? 0);
    suffix += alphabet[(window >>> (11 - (bit & 7))) & 31];
  }
  return suffix;
}
