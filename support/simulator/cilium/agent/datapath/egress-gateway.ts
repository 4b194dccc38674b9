import { matchesSelector } from '../../../kubernetes/labels.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { contains, ip, prefix } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { CiliumVersion } from '../../types.ts';
import { isAtLeast } from '../../version.ts';

/** The object as the API server holds it (reference section 3.1). */
export interface EgressGatewayPolicyObject extends KubernetesObject {
  readonly spec?: {
    readonly selectors?: readonly {
      readonly podSelector?: LabelSelector;
      readonly namespaceSelector?: LabelSelector;
      readonly nodeSelector?: LabelSelector;
    }[];
    readonly destinationCIDRs?: readonly string[];
    readonly excludedCIDRs?: readonly string[];
    readonly egressGateway?: GatewayField;
    readonly egressGateways?: readonly GatewayField[];
  };
}

interface GatewayField {
  readonly nodeSelector?: LabelSelector;
  readonly interface?: string;
  readonly egressIP?: string;
}

export interface EgressGatewayPolicy {
  readonly name: string;
  readonly selectors: readonly {
    readonly podSelector: LabelSelector | undefined;
    readonly namespaceSelector: LabelSelector | undefined;
    readonly nodeSelector: LabelSelector | undefined;
  }[];
  readonly destinations: readonly Prefix[];
  readonly excluded: readonly Prefix[];
  readonly gateways: readonly {
    readonly nodeSelector: LabelSelector;
    readonly interface: string | undefined;
    readonly egressIp: Ip | undefined;
  }[];
}

/** @returns the policy, or why the agent refuses it (it only logs that; the object stays) */
export function parseEgressGatewayPolicy(object: EgressGatewayPolicyObject): EgressGatewayPolicy | { readonly problem: string } {
  const { name } = object.metadata;
  if (!name) return { problem: 'must have a name' };
  const spec = object.spec ?? {};
  if (spec.destinationCIDRs === undefined) return { problem: "destinationCIDRs can't be empty" };
  // With a list the single field, which the schema asks for all the same, is not looked at (ParseCEGP, v1.18.0).
  const listed = spec.egressGateways ?? [];
  const fields = listed.length > 0 || spec.egressGateway === undefined ? listed : [spec.egressGateway];
  if (fields.length === 0) return { problem: "egressGateway can't be empty" };
  const gateways: { nodeSelector: LabelSelector; interface: string | undefined; egressIp: Ip | undefined }[] = [];
  for (const field of fields) {
    if (field.interface && field.egressIP) return { problem: "gateway configuration can't specify both an interface and an egress IP" };
    let egressIp: Ip | undefined;
    if (field.egressIP) {
      egressIp = attempt(() => ip(field.egressIP ?? ''));
      if (egressIp === undefined)
        return { problem: `failed to parse egress IP ${field.egressIP}: ParseAddr("${field.egressIP}"): unable to parse IP` };
    }
    gateways.push({ nodeSelector: field.nodeSelector ?? {}, interface: field.interface || undefined, egressIp });
  }
  const destinations: Prefix[] = [];
  for (const text of spec.destinationCIDRs) {
    const cidr = attempt(() => prefix(text));
    if (cidr === undefined) return { problem: `failed to parse destination CIDR ${text}: netip.ParsePrefix("${text}"): no '/'` };
    destinations.push(cidr);
  }
  const excluded: Prefix[] = [];
  for (const text of spec.excludedCIDRs ?? []) {
    const cidr = attempt(() => prefix(text));
    if (cidr === undefined) return { problem: `failed to parse excluded CIDR ${text}: netip.ParsePrefix("${text}"): no '/'` };
    excluded.push(cidr);
  }
  const selectors: EgressGatewayPolicy['selectors'][number][] = [];
  for (const item of spec.selectors ?? []) {
    if (item.podSelector === undefined && item.namespaceSelector === undefined)
      return { problem: 'cannot have both nil namespace selector and nil pod selector' };
    selectors.push({ podSelector: item.podSelector, namespaceSelector: item.namespaceSelector, nodeSelector: item.nodeSelector });
  }
  return { name, selectors, destinations, excluded, gateways };
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** A pod as the egress gateway knows it: from its CiliumEndpoint and CiliumIdentity. */
export interface EgressEndpoint {
  readonly uid: string;
  /** Labels of the identity, plain keys; those of the namespace under `io.cilium.k8s.namespace.labels.`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly Ip[];
  readonly nodeIp: Ip | undefined;
}

export interface EgressNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internalIps: readonly Ip[];
}

/** What the agent of the gateway node works out from its own devices. */
export interface GatewayConfiguration {
  /** Undefined: could not be derived; the map then holds 0.0.0.0. */
  readonly egressIp: Ip | undefined;
  readonly device: string | undefined;
  readonly problem: string | undefined;
}

export interface EgressEntry {
  readonly source: Ip;
  readonly destination: Prefix;
  /** 0.0.0.0 on a node that is not the gateway, and where none could be derived. */
  readonly egressIp: Ip;
  /** The gateway's InternalIP; 0.0.0.0: there is none (drop); 0.0.0.1: excluded CIDR. */
  readonly gatewayIp: Ip;
  readonly policy: string;
}

const notFound = '0.0.0.0';
const excludedCidr = '0.0.0.1';
const namespaceLabelPrefix = 'io.cilium.k8s.namespace.labels.';

/** Selectors: items are or-ed, the parts of one item and-ed. */
export function selectsEndpoint(
  policy: EgressGatewayPolicy,
  endpoint: EgressEndpoint,
  nodeLabels: Readonly<Record<string, string>> | undefined,
): boolean {
  return policy.selectors.some((item) => {
    if (item.podSelector !== undefined && !matchesSelector(item.podSelector, endpoint.labels)) return false;
    if (item.namespaceSelector !== undefined) {
      const labels: Record<string, string> = {};
      for (const [key, value] of Object.entries(endpoint.labels))
        if (key.startsWith(namespaceLabelPrefix)) labels[key.slice(namespaceLabelPrefix.length)] = value;
      if (!matchesSelector(item.namespaceSelector, labels)) return false;
    }
    return item.nodeSelector === undefined || matchesSelector(item.nodeSelector, nodeLabels ?? {});
  });
}

/**
 * The contents of the egress policy map of one node (reference sections 3.3 to 3.5). Policies are taken in order of
 * name, so that of two with the same key the first wins (in reality the winner is undefined).
 */
export function computeEgressEntries(input: {
  readonly policies: readonly EgressGatewayPolicy[];
  readonly endpoints: readonly EgressEndpoint[];
  readonly nodes: readonly EgressNode[];
  readonly localNode: string;
  derive(gateway: EgressGatewayPolicy['gateways'][number], policy: string): GatewayConfiguration;
}): { readonly entries: readonly EgressEntry[]; readonly clashes: readonly string[] } {
  const zero = ip(notFound);
  const excludedMark = ip(excludedCidr);
  const nodes = [...input.nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
  const nodeByIp = new Map<Ip, EgressNode>();
  for (const node of nodes) for (const address of node.internalIps) nodeByIp.set(address, node);
  const entries = new Map<string, EgressEntry>();
  const clashes: string[] = [];
  for (const policy of [...input.policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const gateways: { ip: Ip; egressIp: Ip }[] = [];
    for (const gateway of policy.gateways) {
      const node = nodes.find((candidate) => matchesSelector(gateway.nodeSelector, candidate.labels));
      const gatewayIp = node?.internalIps.find((address) => address.family === 4);
      // A gateway without a node keeps its place in the list: pods whose turn it is are dropped.
      if (node === undefined || gatewayIp === undefined) {
        gateways.push({ ip: zero, egressIp: zero });
        continue;
      }
      const egressIp = node.name === input.localNode ? (input.derive(gateway, policy.name).egressIp ?? zero) : zero;
      gateways.push({ ip: gatewayIp, egressIp });
    }
    gateways.sort((a, b) => (a.ip.value < b.ip.value ? -1 : a.ip.value > b.ip.value ? 1 : 0));
    for (const endpoint of input.endpoints) {
      const nodeLabels = endpoint.nodeIp === undefined ? undefined : nodeByIp.get(endpoint.nodeIp)?.labels;
      if (!selectsEndpoint(policy, endpoint, nodeLabels)) continue;
      const gateway =
        gateways.length === 0
          ? { ip: zero, egressIp: zero }
          : (gateways[gateways.length === 1 ? 0 : hashUid(endpoint.uid) % gateways.length] ?? { ip: zero, egressIp: zero });
      const add = (source: Ip, destination: Prefix, entry: Pick<EgressEntry, 'egressIp' | 'gatewayIp'>): void => {
        const key = `${source.text} ${destination.text}`;
        const known = entries.get(key);
        if (known === undefined) entries.set(key, { source, destination, ...entry, policy: policy.name });
        else if (known.policy !== policy.name)
          clashes.push(`policies ${known.policy} and ${policy.name} both hold ${source.text} to ${destination.text}`);
      };
      for (const source of endpoint.ips) {
        if (source.family !== 4) continue;
        for (const destination of policy.destinations)
          if (destination.family === 4) add(source, destination, { egressIp: gateway.egressIp, gatewayIp: gateway.ip });
        for (const destination of policy.excluded)
          if (destination.family === 4) add(source, destination, { egressIp: gateway.egressIp, gatewayIp: excludedMark });
      }
    }
  }
  return { entries: [...entries.values()], clashes };
}

function hashUid(uid: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < uid.length; index++) hash = Math.imul(hash ^ uid.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

/** The egress policy map: longest prefix of the destination for the exact source. */
export class EgressMap {
  #bySource = new Map<Ip, EgressEntry[]>();

  replace(entries: readonly EgressEntry[]): void {
    const bySource = new Map<Ip, EgressEntry[]>();
    for (const entry of entries) {
      const list = bySource.get(entry.source);
      if (list === undefined) bySource.set(entry.source, [entry]);
      else list.push(entry);
    }
    for (const list of bySource.values()) list.sort((a, b) => b.destination.length - a.destination.length);
    this.#bySource = bySource;
  }

  get isEmpty(): boolean {
    return this.#bySource.size === 0;
  }

  get entries(): readonly EgressEntry[] {
    return [...this.#bySource.values()].flat();
  }

  lookup(source: Ip, destination: Ip): EgressEntry | undefined {
    return this.#bySource.get(source)?.find((entry) => contains(entry.destination, destination));
  }
}

/** What the map's entry asks of a packet on one node. */
export type EgressDecision =
  | { readonly kind: 'none' }
  | { readonly kind: 'drop'; readonly reason: 'No egress gateway found' | 'No Egress IP configured' }
  | { readonly kind: 'redirect'; readonly gatewayIp: Ip }
  | { readonly kind: 'translate'; readonly egressIp: Ip };

export function decideEgress(entry: EgressEntry | undefined, localIps: ReadonlySet<Ip>, version: CiliumVersion): EgressDecision {
  if (entry === undefined || entry.gatewayIp.text === excludedCidr) return { kind: 'none' };
  if (entry.gatewayIp.text === notFound) return { kind: 'drop', reason: 'No egress gateway found' };
  if (!localIps.has(entry.gatewayIp)) return { kind: 'redirect', gatewayIp: entry.gatewayIp };
  const isExplicit = isAtLeast(version, 17);
  if (entry.egressIp.text === notFound && isExplicit) return { kind: 'drop', reason: 'No Egress IP configured' };
  return { kind: 'translate', egressIp: entry.egressIp };
}

/** Words for the two special values, in the table and in JSON alike (upstream cilium-dbg/cmd/bpf_egress_list.go). */
function gatewayText({ text }: Ip): string {
  return text === notFound ? 'Not Found' : text === excludedCidr ? 'Excluded CIDR' : text;
}

/** `cilium-dbg bpf egress list` (reference section 3.8). */
export function formatEgressList(
  entries: readonly EgressEntry[],
  output: 'text' | 'json',
): { readonly stdout: string; readonly stderr: string; readonly exitCode: number } {
  const sorted = [...entries].sort((a, b) =>
    a.source !== b.source
      ? a.source.value < b.source.value
        ? -1
        : 1
      : a.destination.address !== b.destination.address
        ? a.destination.address.value < b.destination.address.value
          ? -1
          : 1
        : a.destination.length - b.destination.length,
  );
  if (output === 'json') {
    const list = sorted.map((entry) => ({
      SourceIP: entry.source.text,
      DestCIDR: entry.destination.text,
      EgressIP: entry.egressIp.text,
      GatewayIP: gatewayText(entry.gatewayIp),
    }));
    return { stdout: `${JSON.stringify(list, null, 2)}\n`, stderr: '', exitCode: 0 };
  }
  if (sorted.length === 0) return { stdout: '', stderr: 'No entries found.\n', exitCode: 0 };
  const rows = [
    ['Source IP', 'Destination CIDR', 'Egress IP', 'Gateway IP'],
    ...sorted.map((entry) => [entry.source.text, entry.destination.text, entry.egressIp.text, gatewayText(entry.gatewayIp)]),
  ];
  return { stdout: formatColumns(rows), stderr: '', exitCode: 0 };
}

/** Go's tabwriter with padding 3 as Cilium's commands use it: every cell but the last is padded. */
export function formatColumns(rows: readonly (readonly string[])[], padding = 3): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + padding))).join('')}\n`)
    .join('');
}
