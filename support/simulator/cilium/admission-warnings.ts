import type { ApiServer, ObjectInput } from '../kubernetes/types.ts';
import { type CiliumPolicyObject, unmodelledOf } from './agent/datapath/policy-cilium.ts';

/** Kinds that can be stored, and that nothing here acts upon. */
const inert: Readonly<Record<string, string>> = {
  CiliumClusterwideEnvoyConfig: 'Envoy',
  CiliumEnvoyConfig: 'Envoy',
  CiliumExternalWorkload: 'external workloads',
  CiliumLocalRedirectPolicy: 'local redirect policies',
};

type Tree = { readonly [key: string]: unknown };
const items = (value: unknown): readonly Tree[] => (Array.isArray(value) ? (value as readonly Tree[]) : []);
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null;
const isOther = ({ afi, safi }: Tree) => safi !== 'unicast' || (afi !== 'ipv4' && afi !== 'ipv6');

/** What of an object the simulator does not do, a sentence each. */
export function unmodelledParts(object: ObjectInput): readonly string[] {
  const said: string[] = [];
  const what = inert[object.kind];
  if (what !== undefined) said.push(`not simulated: ${what}; this ${object.kind} has no effect`);
  const spec = (object['spec'] ?? {}) as Tree;
  if (object.kind === 'Service')
    for (const name of ['lb-algorithm', 'forwarding-mode', 'node-selector', 'proxy-delegation'])
      if (
        isTree(object.metadata) &&
        isTree(object.metadata.annotations) &&
        object.metadata.annotations[`service.cilium.io/${name}`] !== undefined
      )
        said.push(`not simulated: the annotation service.cilium.io/${name}; it has no effect`);
  const families: Tree[] = [];
  if (object.kind === 'CiliumBGPPeeringPolicy') {
    for (const router of items(spec['virtualRouters'])) {
      for (const neighbor of items(router['neighbors'])) families.push(...items(neighbor['families']));
    }
  }
  if (object.kind === 'CiliumBGPPeerConfig') families.push(...items(spec['families']));
  for (const family of families)
    if (isOther(family)) said.push(`not simulated: address family ${String(family['afi'])}/${String(family['safi'])}`);
  if (object.kind === 'CiliumPodIPPool')
    for (const field of ['podSelector', 'namespaceSelector'])
      if (spec[field] !== undefined) said.push(`not simulated: ${field} of a CiliumPodIPPool; pods choose by annotation`);
  if (object.kind === 'CiliumNetworkPolicy' || object.kind === 'CiliumClusterwideNetworkPolicy') {
    const policy = object as unknown as CiliumPolicyObject;
    const rules = [...(policy.spec === undefined ? [] : [policy.spec]), ...(Array.isArray(policy.specs) ? policy.specs : [])];
    for (const rule of rules) for (const field of unmodelledOf(rule)) said.push(`not simulated: ${field}; it has no effect`);
  }
  return [...new Set(said)];
}

const told = new WeakSet<ApiServer>();

export function addAdmissionWarnings(server: ApiServer): void {
  if (told.has(server)) return;
  told.add(server);
  server.addAdmissionWarning(unmodelledParts);
}
