import type { SimulatedClock } from '../clock/clock.ts';
import { hostPrefix, parseIp, prefix } from '../net/address.ts';
import type { Family, Ip, NetfilterRule, Prefix } from '../net/types.ts';
import { createReconciler } from './controllers/reconciler.ts';
import { type EndpointSlice, keyOf, type Service, type ServicePort } from './objects.ts';
import type { ApiClient, KubeNode } from './types.ts';

const families = [4, 6] as const;
/** Linux's ephemeral ports; a netfilter rule of the model has no `statistic` match, so backends share them out instead. */
const firstEphemeral = 32768;
const lastEphemeral = 60999;
const syncDelayMs = 50;
/** kube-proxy's mark for traffic to be masqueraded. */
const masqueradeMark = 0x4000;

interface Backend {
  readonly ip: Ip;
  readonly port: number;
}

/**
 * kube-proxy in iptables mode on one node: cluster IPs, node ports, external and load-balancer addresses become DNAT rules.
 * A connection's backend follows from its source port. Not modelled: session affinity, topology hints, SCTP.
 */
export function startKubeProxy(
  client: ApiClient,
  clock: SimulatedClock,
  node: KubeNode,
  podSubnets: readonly string[],
  nodeIps: readonly string[],
): () => void {
  const { netfilter } = node.namespace;
  const clusterCidrs = podSubnets.map(prefix);
  const addresses = nodeIps.flatMap((text) => parseIp(text) ?? []);
  const chains: Readonly<Record<Family, Set<string>>> = { 4: new Set(), 6: new Set() };
  for (const family of families) install(family);
  const queue = createReconciler(clock, { name: 'kube-proxy', delayMs: syncDelayMs, reconcile: () => sync() });

  function install(family: Family): void {
    ensureChain(family, 'nat', 'KUBE-SERVICES');
    ensureChain(family, 'nat', 'KUBE-POSTROUTING');
    ensureChain(family, 'filter', 'KUBE-SERVICES');
    ensureJump(family, 'nat', 'PREROUTING', 'KUBE-SERVICES');
    ensureJump(family, 'nat', 'OUTPUT', 'KUBE-SERVICES');
    ensureJump(family, 'nat', 'POSTROUTING', 'KUBE-POSTROUTING');
    for (const chain of ['FORWARD', 'OUTPUT', 'INPUT']) ensureJump(family, 'filter', chain, 'KUBE-SERVICES');
    netfilter.flush(family, 'nat', 'KUBE-POSTROUTING');
    netfilter.append(family, 'nat', 'KUBE-POSTROUTING', {
      mark: { value: masqueradeMark, mask: masqueradeMark },
      target: { kind: 'masquerade' },
      comment: 'kubernetes service traffic requiring SNAT',
    });
  }

  function ensureChain(family: Family, table: 'nat' | 'filter', chain: string): void {
    if (!netfilter.chains(family, table).has(chain)) netfilter.createChain(family, table, chain);
  }

  /** A kube-proxy that starts again finds what the one before left. */
  function ensureJump(family: Family, table: 'nat' | 'filter', from: string, chain: string): void {
    const rule: NetfilterRule = {
      target: { kind: 'jump', chain },
      comment: chain === 'KUBE-SERVICES' ? 'kubernetes service portals' : 'kubernetes postrouting rules',
    };
    const has = netfilter
      .chains(family, table)
      .get(from)
      ?.rules.some((present) => present.target.kind === 'jump' && present.target.chain === chain);
    if (has !== true) netfilter.insert(family, table, from, rule);
  }

  function clear(family: Family): void {
    netfilter.flush(family, 'nat', 'KUBE-SERVICES');
    netfilter.flush(family, 'filter', 'KUBE-SERVICES');
    for (const chain of chains[family]) netfilter.flush(family, 'nat', chain);
  }

  function sync(): void {
    for (const family of families) clear(family);
    for (const service of client.list<Service>('services')) {
      if (service.spec.type === 'ExternalName' || service.spec.clusterIP === 'None' || service.spec.clusterIP === undefined) continue;
      const slices = client.list<EndpointSlice>('endpointslices.discovery.k8s.io', {
        namespace: service.metadata.namespace ?? 'default',
        labels: { matchLabels: { 'kubernetes.io/service-name': service.metadata.name } },
      });
      for (const family of families) for (const port of service.spec.ports ?? []) program(family, service, port, slices);
    }
  }

  function backends(family: Family, port: ServicePort, slices: readonly EndpointSlice[], onlyLocal: boolean): readonly Backend[] {
    return slices
      .filter((slice) => slice.addressType === (family === 4 ? 'IPv4' : 'IPv6'))
      .flatMap((slice) => {
        const number = slice.ports.find(
          (candidate) => (candidate.name ?? '') === (port.name ?? '') && (candidate.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
        )?.port;
        if (number === undefined) return [];
        return slice.endpoints.flatMap((endpoint) => {
          const ip = parseIp(endpoint.addresses[0] ?? '');
          if (ip === undefined || endpoint.conditions?.ready === false || (onlyLocal && endpoint.nodeName !== node.name)) return [];
          return [{ ip, port: number }];
        });
      });
  }

  function program(family: Family, service: Service, port: ServicePort, slices: readonly EndpointSlice[]): void {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    if (protocol !== 'tcp' && protocol !== 'udp') return;
    const name = `${keyOf(service)}${port.name === undefined ? '' : `:${port.name}`}`;
    const internal = backends(family, port, slices, service.spec.internalTrafficPolicy === 'Local');
    const external = backends(family, port, slices, service.spec.externalTrafficPolicy === 'Local');
    const isLocal = service.spec.externalTrafficPolicy === 'Local';
    const own = (list: readonly string[]): readonly Ip[] =>
      list.flatMap((text) => parseIp(text) ?? []).filter((address) => address.family === family);
    for (const address of own(service.spec.clusterIPs ?? []))
      redirect(family, name, protocol, hostPrefix(address), port.port, internal, 'SVC', outsideCluster(family));
    const balanced = (service.status.loadBalancer?.ingress ?? []).flatMap((entry) => entry.ip ?? []);
    for (const address of own([...(service.spec.externalIPs ?? []), ...balanced]))
      redirect(family, name, protocol, hostPrefix(address), port.port, external, 'EXT', isLocal ? 'never' : 'always');
    if (port.nodePort !== undefined)
      for (const address of addresses)
        if (address.family === family)
          redirect(family, name, protocol, hostPrefix(address), port.nodePort, external, 'EXT', isLocal ? 'never' : 'always');
  }

  function outsideCluster(family: Family): Prefix | 'never' {
    return clusterCidrs.find((cidr) => cidr.family === family) ?? 'never';
  }

  /** `masquerade`: always, never, or for sources outside the given prefix. */
  function redirect(
    family: Family,
    name: string,
    protocol: 'tcp' | 'udp',
    destination: Prefix,
    port: number,
    targets: readonly Backend[],
    kind: string,
    masquerade: Prefix | 'always' | 'never',
  ): void {
    const match = { protocol, destination: { prefix: destination }, destinationPort: { low: port, high: port } } as const;
    if (targets.length === 0) {
      netfilter.append(family, 'filter', 'KUBE-SERVICES', { ...match, target: { kind: 'reject' }, comment: `${name} has no endpoints` });
      return;
    }
    const chain = `KUBE-${kind}-${chainSuffix(`${name} ${protocol} ${destination.text} ${port}`)}`;
    ensureChain(family, 'nat', chain);
    chains[family].add(chain);
    netfilter.flush(family, 'nat', chain);
    netfilter.append(family, 'nat', 'KUBE-SERVICES', { ...match, target: { kind: 'jump', chain }, comment: `${name} cluster IP` });
    if (masquerade !== 'never')
      netfilter.append(family, 'nat', chain, {
        ...(masquerade === 'always' ? {} : { source: { prefix: masquerade, inverted: true } }),
        target: { kind: 'mark', value: masqueradeMark },
        comment: name,
      });
    const span = (lastEphemeral - firstEphemeral + 1) / targets.length;
    for (const [index, target] of targets.entries()) {
      const low = index === 0 ? 0 : Math.floor(firstEphemeral + index * span);
      const high = index === targets.length - 1 ? 65535 : Math.floor(firstEphemeral + (index + 1) * span) - 1;
      netfilter.append(family, 'nat', chain, {
        source: { prefix: hostPrefix(target.ip) },
        protocol,
        sourcePort: { low, high },
        target: { kind: 'mark', value: masqueradeMark },
        comment: `${name} hairpin`,
      });
      netfilter.append(family, 'nat', chain, {
        protocol,
        sourcePort: { low, high },
        target: { kind: 'dnat', address: target.ip, port: target.port },
        comment: name,
      });
    }
  }

  const stops = [
    client.watch('services', () => queue.enqueue('all'), { replay: true }),
    client.watch('endpointslices.discovery.k8s.io', () => queue.enqueue('all'), { replay: true }),
  ];
  return () => {
    queue.stop();
    for (const stop of stops) stop();
  };
}

/** Sixteen characters of base32, from a hash of the rule's subject. */
function chainSuffix(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let suffix = '';
  for (let part = 0; suffix.length < 16; part++) {
    let hash = 0x811c9dc5 ^ (part * 0x9e3779b1);
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    for (let shift = 0; shift < 30; shift += 5) suffix += alphabet[(hash >>> shift) & 31];
  }
  return suffix.slice(0, 16);
}
