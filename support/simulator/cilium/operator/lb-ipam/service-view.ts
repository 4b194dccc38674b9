import type { Service } from '../../../kubernetes/objects.ts';
import { parseIp } from '../../../net/address.ts';
import type { Family, Ip } from '../../../net/types.ts';
import { type Labels, serviceSelectorLabels } from '../../selector.ts';
import type { CiliumVersion } from '../../types.ts';
import { addressProblem } from './pool-ranges.ts';

export interface LbIpamSettings {
  readonly version: CiliumVersion;
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
  readonly hasBgp: boolean;
  readonly hasL2Announcements: boolean;
  /** `loadBalancer.protocolDifferentiation`: a port of TCP and the same of UDP are two (1.17 and 1.18; before never, after always). */
  readonly comparesProtocols?: boolean;
  /** `defaultLBServiceIPAM` (1.17+): who serves services without a class. */
  readonly isDefault: boolean;
}

/** What LB-IPAM reads of a service. */
export interface ServiceView {
  readonly key: string;
  readonly labels: Labels;
  readonly families: readonly Family[];
  readonly requested: readonly Ip[];
  /** What Go says of items that are no addresses; they are dropped with a line in the operator's log. */
  readonly unparsable: readonly string[];
  readonly sharingKey: string | undefined;
  readonly sharingNamespaces: readonly string[];
  readonly namespace: string;
  readonly ports: readonly { readonly port: number; readonly protocol: string }[];
  readonly trafficPolicy: string;
  readonly selector: Labels;
}

export const loadBalancerClasses = { bgp: 'io.cilium/bgp-control-plane', l2: 'io.cilium/l2-announcer', node: 'io.cilium/node' } as const;

const annotationNames = {
  ips: ['lbipam.cilium.io/ips', 'io.cilium/lb-ipam-ips'],
  sharingKey: ['lbipam.cilium.io/sharing-key', 'io.cilium/lb-ipam-sharing-key'],
  sharingNamespaces: ['lbipam.cilium.io/sharing-cross-namespace', 'io.cilium/lb-ipam-sharing-cross-namespace'],
} as const;

/** Whether a service is LB-IPAM's at all (section 1.4): its type and its load balancer class. */
export function isHandled(service: Service, settings: LbIpamSettings): boolean {
  if (service.spec.type !== 'LoadBalancer') return false;
  switch (service.spec.loadBalancerClass) {
    case undefined:
      return settings.isDefault;
    case loadBalancerClasses.bgp:
      return settings.hasBgp;
    case loadBalancerClasses.l2:
      return settings.hasL2Announcements;
    default:
      return false;
  }
}

/** Section 1.5: the families that a service must have an address of. */
export function wantedFamilies(service: Service, settings: Pick<LbIpamSettings, 'hasIpv4' | 'hasIpv6'>): readonly Family[] {
  const enabled: Family[] = [];
  if (settings.hasIpv4) enabled.push(4);
  if (settings.hasIpv6) enabled.push(6);
  const listed = (service.spec.ipFamilies ?? []).map((family): Family => (family === 'IPv6' ? 6 : 4));
  switch (service.spec.ipFamilyPolicy) {
    case 'PreferDualStack':
      return (listed.length === 0 ? enabled : enabled.filter((family) => listed.includes(family))).toSorted();
    case 'RequireDualStack':
      return enabled;
    default:
      return (listed.length > 0 ? listed : enabled).slice(0, 1);
  }
}

export function viewService(service: Service, settings: LbIpamSettings): ServiceView {
  const annotations = service.metadata.annotations ?? {};
  const annotation = (names: readonly [string, string]) => annotations[names[0]] ?? annotations[names[1]];
  const requested: Ip[] = [];
  const unparsable: string[] = [];
  const texts = [service.spec.loadBalancerIP, ...(annotation(annotationNames.ips)?.split(',') ?? [])];
  for (const text of texts) {
    if (text === undefined || text === '') continue;
    const address = parseIp(text.trim());
    if (address === undefined) unparsable.push(addressProblem(text.trim()));
    else if (requested.at(-1) !== address) requested.push(address);
  }
  return {
    key: `${service.metadata.namespace}/${service.metadata.name}`,
    labels: serviceSelectorLabels(service),
    families: wantedFamilies(service, settings),
    requested,
    unparsable,
    sharingKey: annotation(annotationNames.sharingKey) || undefined,
    // Not trimmed: "a, b" does not name b.
    sharingNamespaces: annotation(annotationNames.sharingNamespaces)?.split(',') ?? [],
    namespace: service.metadata.namespace ?? 'default',
    ports: (service.spec.ports ?? []).map(({ port, protocol }) => ({ port, protocol: protocol ?? 'TCP' })),
    trafficPolicy: service.spec.externalTrafficPolicy ?? 'Cluster',
    selector: service.spec.selector ?? {},
  };
}

function areSelectorsEqual(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length > 0 && keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

/** Section 1.11: why two services cannot have one address, in the order of the checks; undefined when they can. */
export function sharingProblem(a: ServiceView, b: ServiceView, comparesProtocol: boolean): string | undefined {
  if (a.sharingKey === undefined || a.sharingKey !== b.sharingKey) return 'different sharing key';
  if (a.namespace !== b.namespace) {
    const permits = (one: ServiceView, other: ServiceView) =>
      one.sharingNamespaces.includes('*') || one.sharingNamespaces.includes(other.namespace);
    if (!permits(a, b) || !permits(b, a)) return 'different and not permitted namespace';
  }
  const collide = a.ports.some((mine) =>
    b.ports.some((other) => mine.port === other.port && (!comparesProtocol || mine.protocol === other.protocol)),
  );
  if (collide) return comparesProtocol ? 'same port and protocol' : 'same port';
  if (a.trafficPolicy !== b.trafficPolicy) return 'different ExternalTrafficPolicy';
  if (a.trafficPolicy === 'Local' && !areSelectorsEqual(a.selector, b.selector)) {
    return 'compatible ExternalTrafficPolicy local but selecting different set of pods';
  }
  return undefined;
}

/** Whether it has every address that it asks for. */
export function isSatisfied({ view, ingress }: { readonly view: ServiceView; readonly ingress: readonly string[] }): boolean {
  const addresses = ingress.map((text) => parseIp(text));
  if (view.requested.length > 0) return view.requested.every((address) => addresses.includes(address));
  return view.families.every((family) => addresses.some((address) => address?.family === family));
}

/** Whether what LB-IPAM reads of the metadata is the same: a write of status alone is no news. */
export function isSameMetadata(a: Service, b: Service): boolean {
  return (
    JSON.stringify(a.metadata.labels) === JSON.stringify(b.metadata.labels) &&
    JSON.stringify(a.metadata.annotations) === JSON.stringify(b.metadata.annotations)
  );
}
