import type { Container, ImageDefinition, Program } from '../docker/types.ts';
import { parseIp } from '../net/address.ts';
import { type DnsAnswer, type DnsQuestion, type DnsReply, serveDns } from '../net/dns.ts';
import { serveHttp } from '../net/http.ts';
import type { Ip, ListeningSocket } from '../net/types.ts';
import type { EndpointSlice, Service } from './objects.ts';
import type { ApiClient } from './types.ts';

const zone = 'cluster.local';
const ttl = 30;

/** The CoreDNS image of a cluster; which cluster a container belongs to is asked when it starts. */
export function coreDnsImage(clientOf: (container: Container) => ApiClient | undefined): ImageDefinition {
  return {
    name: 'registry.k8s.io/coredns/coredns',
    entrypoint: ['/coredns'],
    command: ['/coredns', '-conf', '/etc/coredns/Corefile'],
    commands: [],
    shell: undefined,
    programs: [(container) => coreDns(container, clientOf)],
  };
}

/** CoreDNS with its kubernetes, health and ready plugins. Not modelled: forwarding; names outside the cluster do not exist. */
function coreDns(container: Container, clientOf: (container: Container) => ApiClient | undefined): Program {
  let sockets: ListeningSocket[] = [];
  return {
    name: 'coredns',
    start() {
      const client = clientOf(container);
      const { namespace } = container;
      container.writeLog(
        '.:53\n[INFO] plugin/reload: Running configuration SHA512 = 591cf328cccc12bc490481273e738df59329c62c0b729d94e8b61db9961c2fa5f046dd37f1cf888b953814040d180f52594972691cd6ff41be96639138a43908\nCoreDNS-1.10.1\nlinux/amd64, go1.20, 055b2c3',
      );
      sockets = [
        serveDns(namespace, { port: 53, program: 'coredns' }, (question) =>
          client === undefined ? { rcode: 'SERVFAIL', answers: [] } : authoritative(client, question, namespace.network.clock.now()),
        ),
        serveHttp(namespace, { port: 8080, program: 'coredns' }, () => ({ status: 200, body: 'OK' })),
        serveHttp(namespace, { port: 8181, program: 'coredns' }, () => ({ status: 200, body: 'OK' })),
      ];
    },
    stop() {
      for (const socket of sockets) socket.close();
      sockets = [];
    },
  };
}

const nxdomain: DnsReply = { rcode: 'NXDOMAIN', answers: [] };

/** What the plugin answers is authoritative; where it has nothing, the zone's SOA comes along (`plugin.BackendError`). */
function authoritative(client: ApiClient, question: DnsQuestion, now: number): DnsReply {
  const reply = answer(client, question);
  const name = question.name.replace(/\.$/, '').toLowerCase();
  if (name !== zone && !name.endsWith(`.${zone}`)) return reply.answers.length > 0 ? { ...reply, isAuthoritative: true } : reply;
  if (reply.answers.length > 0) return { ...reply, isAuthoritative: true };
  const data = {
    mname: `ns.dns.${zone}`,
    rname: `hostmaster.${zone}`,
    serial: Math.floor(now / 1000),
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: ttl,
  };
  return { ...reply, authorities: [{ name: zone, type: 'SOA', ttl, data }], isAuthoritative: true };
}

/** The Kubernetes DNS specification 1.1.0, as CoreDNS's kubernetes plugin implements it. */
export function answer(client: ApiClient, question: DnsQuestion): DnsReply {
  const name = question.name.replace(/\.$/, '').toLowerCase();
  if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) return reverse(client, question, name);
  if (name !== zone && !name.endsWith(`.${zone}`)) return nxdomain;
  const labels = name === zone ? [] : name.slice(0, -zone.length - 1).split('.');
  const kind = labels.pop();
  if (kind === undefined) return { rcode: 'NOERROR', answers: [] };
  const namespace = labels.pop();
  if (namespace === undefined) return kind === 'svc' || kind === 'pod' ? { rcode: 'NOERROR', answers: [] } : nxdomain;
  if (client.get('namespaces', namespace) === undefined) return nxdomain;
  if (labels.length === 0) return { rcode: 'NOERROR', answers: [] };
  if (kind === 'pod') return podAnswer(question, labels.join('.'));
  return kind === 'svc' ? serviceAnswer(client, question, namespace, labels) : nxdomain;
}

function addresses(question: DnsQuestion, ips: readonly string[]): DnsReply {
  const wanted = ips
    .flatMap((text) => parseIp(text) ?? [])
    .filter((address) => (question.type === 'A' ? address.family === 4 : question.type === 'AAAA' && address.family === 6));
  return { rcode: 'NOERROR', answers: wanted.map((address) => ({ name: question.name, type: question.type, ttl, data: address.text })) };
}

function podAnswer(question: DnsQuestion, dashed: string): DnsReply {
  const address: Ip | undefined = parseIp(dashed.replaceAll('-', '.')) ?? parseIp(dashed.replaceAll('-', ':'));
  return address === undefined ? nxdomain : addresses(question, [address.text]);
}

interface Backend {
  readonly ip: string;
  readonly host: string;
  readonly ports: EndpointSlice['ports'];
}

function backendsOf(client: ApiClient, service: Service): readonly Backend[] {
  const slices = client.list<EndpointSlice>('endpointslices.discovery.k8s.io', {
    namespace: service.metadata.namespace ?? 'default',
    labels: { matchLabels: { 'kubernetes.io/service-name': service.metadata.name } },
  });
  return slices.flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) => {
      const [ip] = endpoint.addresses;
      if (ip === undefined || endpoint.conditions?.ready === false) return [];
      return [{ ip, host: endpoint.hostname ?? dashed(ip), ports: slice.ports }];
    }),
  );
}

function serviceAnswer(client: ApiClient, question: DnsQuestion, namespace: string, labels: readonly string[]): DnsReply {
  const service = client.get<Service>('services', labels.at(-1) ?? '', namespace);
  if (service === undefined) return nxdomain;
  const base = `${service.metadata.name}.${namespace}.svc.${zone}`;
  if (service.spec.type === 'ExternalName')
    return labels.length > 1 ? nxdomain : external(client, question, service.spec.externalName ?? '');
  const isHeadless = service.spec.clusterIP === 'None';
  const clusterIps = isHeadless ? [] : (service.spec.clusterIPs ?? []);
  if (labels.length === 1) {
    if (question.type === 'SRV') return servers(question, base, service, isHeadless ? backendsOf(client, service) : undefined, undefined);
    if (!isHeadless) return addresses(question, clusterIps);
    const backends = backendsOf(client, service);
    return backends.length === 0
      ? nxdomain
      : addresses(
          question,
          backends.map((backend) => backend.ip),
        );
  }
  if (labels.length === 2) {
    const found = backendsOf(client, service).filter((backend) => backend.host === labels[0]);
    return found.length === 0
      ? nxdomain
      : addresses(
          question,
          found.map((backend) => backend.ip),
        );
  }
  if (labels.length === 3 && labels[0]?.startsWith('_') && labels[1]?.startsWith('_')) {
    const port = { name: labels[0].slice(1), protocol: labels[1].slice(1).toUpperCase() };
    const reply = servers(question, base, service, isHeadless ? backendsOf(client, service) : undefined, port);
    return reply.answers.length === 0 ? nxdomain : question.type === 'SRV' ? reply : addresses(question, clusterIps);
  }
  return nxdomain;
}

/** SRV records: one per port, for headless services one per endpoint and port. */
function servers(
  question: DnsQuestion,
  base: string,
  service: Service,
  backends: readonly Backend[] | undefined,
  port: { readonly name: string; readonly protocol: string } | undefined,
): DnsReply {
  const isAsked = (candidate: { readonly name?: string; readonly protocol?: string }): boolean =>
    port === undefined || (candidate.name === port.name && (candidate.protocol ?? 'TCP') === port.protocol);
  const services =
    backends === undefined
      ? (service.spec.ports ?? [])
          .filter(isAsked)
          .flatMap((asked) => (service.spec.clusterIPs ?? []).map((ip) => ({ ip, target: base, number: asked.port })))
      : backends.flatMap(({ ip, host, ports }) =>
          (ports ?? []).filter(isAsked).map((asked) => ({ ip, target: `${host}.${base}`, number: asked.port ?? 0 })),
        );
  // All have one priority and share the weight of 100 (`plugin.SRV`).
  const weight = Math.floor(100 / services.length);
  const answers = new Map<string, DnsAnswer>();
  const additionals = new Map<string, DnsAnswer>();
  for (const { ip, target, number } of services) {
    answers.set(`${target} ${number}`, { name: question.name, type: 'SRV', ttl, data: { priority: 0, weight, port: number, target } });
    additionals.set(`${target} ${ip}`, { name: target, type: ip.includes(':') ? 'AAAA' : 'A', ttl, data: ip });
  }
  return { rcode: 'NOERROR', answers: [...answers.values()], additionals: [...additionals.values()] };
}

/** A service's other name, and what that is where the cluster knows it. Names outside the cluster are not asked for. */
function external(client: ApiClient, question: DnsQuestion, target: string): DnsReply {
  const alias: DnsAnswer = { name: question.name, type: 'CNAME', ttl, data: target };
  const isInside = target.replace(/\.$/, '').endsWith(`.${zone}`) && (question.type === 'A' || question.type === 'AAAA');
  const rest = isInside ? answer(client, { name: target, type: question.type }).answers : [];
  return { rcode: 'NOERROR', answers: [alias, ...rest] };
}

function reverse(client: ApiClient, question: DnsQuestion, name: string): DnsReply {
  const address = name.endsWith('.in-addr.arpa')
    ? name.slice(0, -'.in-addr.arpa'.length).split('.').reverse().join('.')
    : (name.slice(0, -'.ip6.arpa'.length).split('.').reverse().join('').match(/.{4}/g)?.join(':') ?? '');
  const text = parseIp(address)?.text;
  if (text === undefined) return nxdomain;
  const pointer = (data: string): DnsAnswer => ({ name: question.name, type: 'PTR', ttl, data });
  const service = client.list<Service>('services').find((candidate) => candidate.spec.clusterIPs?.includes(text));
  if (service !== undefined)
    return { rcode: 'NOERROR', answers: [pointer(`${service.metadata.name}.${service.metadata.namespace}.svc.${zone}`)] };
  const names = client.list<EndpointSlice>('endpointslices.discovery.k8s.io').flatMap((slice) => {
    const owner = slice.metadata.labels?.['kubernetes.io/service-name'];
    const found = (slice.endpoints ?? []).filter(({ addresses: own, conditions }) => own.includes(text) && conditions?.ready !== false);
    return found.map(({ hostname }) => `${hostname ?? dashed(text)}.${owner}.${slice.metadata.namespace}.svc.${zone}`);
  });
  return names.length === 0 ? nxdomain : { rcode: 'NOERROR', answers: [...new Set(names)].map(pointer) };
}

/** The name of an endpoint that has none. */
function dashed(ip: string): string {
  return ip.replaceAll('.', '-').replaceAll(':', '-');
}
