import type { Container, ImageDefinition, Program } from '../docker/types.ts';
import { parseIp } from '../net/address.ts';
import { type DnsAnswer, serveDns } from '../net/dns.ts';
import type { Family, ListeningSocket } from '../net/types.ts';
import type { EndpointSlice, Service } from './objects.ts';
import type { ApiClient } from './types.ts';

/**
 * CoreDNS with the kubernetes plug-in: answers for services, headless services and pods from what the API server has now
 * (specification "Kubernetes DNS-Based Service Discovery", schema version 1.1.0). Other names are forwarded in reality;
 * here nothing stands behind the uplink, so they end as SERVFAIL.
 */
export function coreDnsImage(api: ApiClient, clusterDomain = 'cluster.local'): ImageDefinition {
  return {
    name: 'registry.k8s.io/coredns/coredns',
    command: ['/coredns', '-conf', '/etc/coredns/Corefile'],
    programs: [(container) => coreDns(container, api, clusterDomain)],
    commands: [],
    shell: undefined,
  };
}

function coreDns(container: Container, api: ApiClient, clusterDomain: string): Program {
  let socket: ListeningSocket | undefined;
  return {
    name: 'coredns',
    start() {
      socket = serveDns(container.namespace, { port: 53 }, (question) => answer(question.name, question.type, api, clusterDomain));
      container.writeLog('.:53\nCoreDNS-1.10.1\nlinux/amd64, go1.20, 055b2c3\n');
    },
    stop() {
      socket?.close();
      socket = undefined;
    },
    isReady: () => socket !== undefined,
  };
}

const ttl = 30;
const nothing = { rcode: 'NOERROR', answers: [] } as const;
const unknownName = { rcode: 'NXDOMAIN', answers: [] } as const;

/** What CoreDNS says to one question. Names come without a trailing dot, in any case. */
export function answer(asked: string, type: string, api: ApiClient, clusterDomain: string): { rcode: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL'; answers: DnsAnswer[] } {
  const name = asked.toLowerCase().replace(/\.$/, '');
  if (type === 'PTR') return reverse(name, api, clusterDomain);
  if (!name.endsWith(`.${clusterDomain}`)) return { rcode: 'SERVFAIL', answers: [] };
  const labels = name.slice(0, -clusterDomain.length - 1).split('.');
  const zone = labels.pop();
  const namespace = labels.pop();
  if (namespace === undefined || api.get('namespaces', namespace) === undefined) return { ...unknownName, answers: [] };
  if (zone === 'pod') return podAnswer(asked, labels, type);
  if (zone !== 'svc') return { ...unknownName, answers: [] };
  const serviceName = labels.pop();
  // The namespace itself exists as a name without records.
  if (serviceName === undefined) return { ...nothing, answers: [] };
  const service = api.get<Service>('services', serviceName, namespace);
  if (service === undefined) return { ...unknownName, answers: [] };
  if (service.spec.type === 'ExternalName') return { rcode: 'NOERROR', answers: [{ name: asked, type: 'CNAME', ttl, data: service.spec.externalName ?? '' }] };
  return serviceAnswer(asked, labels, type, service, api, clusterDomain);
}

function serviceAnswer(asked: string, labels: readonly string[], type: string, service: Service, api: ApiClient, clusterDomain: string): { rcode: 'NOERROR' | 'NXDOMAIN'; answers: DnsAnswer[] } {
  const { name, namespace = 'default' } = service.metadata;
  const isHeadless = service.spec.clusterIP === 'None';
  const isSrv = labels.length === 2 && labels.every((label) => label.startsWith('_'));
  if (labels.length > 0 && !isSrv && !(isHeadless && labels.length === 1)) return { ...unknownName, answers: [] };
  if (isSrv) return srvAnswer(asked, labels, type, service, clusterDomain);
  const addresses = isHeadless ? endpointAddresses(api, namespace, name, labels[0]) : (service.spec.clusterIPs ?? []);
  if (isHeadless && addresses.length === 0) return { ...unknownName, answers: [] };
  const family: Family | undefined = type === 'A' ? 4 : type === 'AAAA' ? 6 : undefined;
  return { rcode: 'NOERROR', answers: addresses.filter((address) => parseIp(address)?.family === family).map((data) => ({ name: asked, type, ttl, data })) };
}

function srvAnswer(asked: string, labels: readonly string[], type: string, service: Service, clusterDomain: string): { rcode: 'NOERROR' | 'NXDOMAIN'; answers: DnsAnswer[] } {
  const [portName, protocol] = labels.map((label) => label.slice(1));
  const port = service.spec.ports?.find((candidate) => candidate.name === portName && (candidate.protocol ?? 'TCP').toLowerCase() === protocol);
  if (port === undefined) return { ...unknownName, answers: [] };
  if (type !== 'SRV') return { ...nothing, answers: [] };
  const target = `${service.metadata.name}.${service.metadata.namespace}.svc.${clusterDomain}`;
  return { rcode: 'NOERROR', answers: [{ name: asked, type, ttl, data: { priority: 0, weight: 100, port: port.port, target } }] };
}

/** `1-2-3-4.ns.pod.cluster.local` (CoreDNS' `pods insecure`): the address is in the name. */
function podAnswer(asked: string, labels: readonly string[], type: string): { rcode: 'NOERROR' | 'NXDOMAIN'; answers: DnsAnswer[] } {
  const [label] = labels;
  if (labels.length !== 1 || label === undefined) return { ...unknownName, answers: [] };
  const address = parseIp(label.replaceAll('-', '.')) ?? parseIp(label.replaceAll('-', ':'));
  if (address === undefined) return { ...unknownName, answers: [] };
  const isAsked = type === (address.family === 4 ? 'A' : 'AAAA');
  return { rcode: 'NOERROR', answers: isAsked ? [{ name: asked, type, ttl, data: address.text }] : [] };
}

function endpointAddresses(api: ApiClient, namespace: string, service: string, hostname: string | undefined): readonly string[] {
  const slices = api.list<EndpointSlice>('endpointslices.discovery.k8s.io', { namespace, labels: { matchLabels: { 'kubernetes.io/service-name': service } } });
  return slices.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .filter((endpoint) => hostname === undefined || endpoint.hostname === hostname || endpoint.addresses[0]?.replaceAll(/[.:]/g, '-') === hostname)
      .flatMap((endpoint) => endpoint.addresses),
  );
}

function reverse(name: string, api: ApiClient, clusterDomain: string): { rcode: 'NOERROR' | 'NXDOMAIN'; answers: DnsAnswer[] } {
  const address = reversedAddress(name);
  const service = address === undefined ? undefined : api.list<Service>('services').find((candidate) => candidate.spec.clusterIPs?.includes(address));
  if (service === undefined) return { ...unknownName, answers: [] };
  const data = `${service.metadata.name}.${service.metadata.namespace}.svc.${clusterDomain}`;
  return { rcode: 'NOERROR', answers: [{ name, type: 'PTR', ttl, data }] };
}

function reversedAddress(name: string): string | undefined {
  const four = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (four !== null) return parseIp(four.slice(1).reverse().join('.'))?.text;
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (nibbles === undefined) return undefined;
  const digits = nibbles.replaceAll('.', '').split('').reverse().join('');
  return parseIp(digits.replaceAll(/(.{4})(?=.)/g, '$1:'))?.text;
}
