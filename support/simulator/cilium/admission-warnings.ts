import type { ApiServer, ObjectInput } from '../kubernetes/types.ts';

/** Kinds that can be stored, and that nothing here acts upon. */
const inert: Readonly<Record<string, string>> = {
  CiliumClusterwideEnvoyConfig: 'Envoy',
  CiliumEnvoyConfig: 'Envoy',
  CiliumExternalWorkload: 'external workloads',
  CiliumLocalRedirectPolicy: 'local redirect policies',
  CiliumPodIPPool: 'multi-pool IPAM',
};

type Tree = { readonly [key: string]: unknown };
const items = (value: unknown): readonly Tree[] => (Array.isArray(value) ? (value as readonly Tree[]) : []);
const isOther = ({ afi, safi }: Tree) => safi !== 'unicast' || (afi !== 'ipv4' && afi !== 'ipv6');

/** What of an object the simulator does not do, a sentence each. */
export function unmodelledParts(object: ObjectInput): readonly string[] {
  const said: string[] = [];
  const what = inert[object.kind];
  if (what !== undefined) said.push(`not simulated: ${what}; this ${object.kind} has no effect`);
  const spec = (object['spec'] ?? {}) as Tree;
  const families: Tree[] = [];
  if (object.kind === 'CiliumBGPPeeringPolicy') {
    for (const router of items(spec['virtualRouters'])) {
      if (router['podIPPoolSelector'] !== undefined) said.push('not simulated: podIPPoolSelector (multi-pool IPAM); no pool is announced');
      for (const neighbor of items(router['neighbors'])) families.push(...items(neighbor['families']));
    }
  }
  if (object.kind === 'CiliumBGPPeerConfig') families.push(...items(spec['families']));
  for (const family of families)
    if (isOther(family)) said.push(`not simulated: address family ${String(family['afi'])}/${String(family['safi'])}`);
  if (object.kind === 'CiliumBGPAdvertisement') {
    for (const item of items(spec['advertisements'])) {
      const type = String(item['advertisementType']);
      if (type === 'CiliumPodIPPool' || type === 'Interface') said.push(`not simulated: advertisementType ${type}`);
      const service = (item['service'] ?? {}) as Tree;
      if (service['aggregationLengthIPv4'] !== undefined || service['aggregationLengthIPv6'] !== undefined)
        said.push('not simulated: aggregation of service prefixes; each address is announced by itself');
    }
  }
  return [...new Set(said)];
}

const told = new WeakSet<ApiServer>();

export function addAdmissionWarnings(server: ApiServer): void {
  if (told.has(server)) return;
  told.add(server);
  server.addAdmissionWarning(unmodelledParts);
}
