import type { Random } from '../../clock/random.ts';
import { ip, ipFromValue, prefix } from '../../net/address.ts';
import type { Prefix } from '../../net/types.ts';
import type { Service } from '../objects.ts';
import type { FieldCause } from '../types.ts';
import { ApiError, fieldInvalid, internal, invalid } from './errors.ts';
import {
  alignClusterIps,
  completeFamilies,
  type FamilyName,
  hasNodePorts,
  isUnchangedPreferDual,
  keepAllocated,
  needsHealthCheck,
  texts,
} from './service-fields.ts';

type Draft = Record<string, unknown>;
type Undo = (() => void)[];
type Spec = Service['spec'];

interface Port extends Draft {
  port?: number;
  protocol?: string;
  nodePort?: number;
}

/** `--service-node-port-range`, unless the API server is told another one. */
const defaultNodePorts = [30000, 32767] as const;

/**
 * Cluster addresses and node ports of services (Kubernetes 1.27: `pkg/registry/core/service`). A node port is taken as a
 * number, whatever the protocol; only the ports of one service may share one.
 */
export class ServiceAllocator {
  readonly #ranges: readonly { readonly prefix: Prefix; readonly family: FamilyName; readonly used: Set<string> }[];
  readonly #nodePorts = new Set<number>();
  readonly #nodePortRange: readonly [lowest: number, highest: number];
  readonly #random: Random;

  constructor(subnets: readonly string[], random: Random, nodePorts: readonly [lowest: number, highest: number] = defaultNodePorts) {
    this.#nodePortRange = nodePorts;
    this.#ranges = subnets.map((subnet) => {
      const range = prefix(subnet);
      return { prefix: range, family: range.family === 4 ? 'IPv4' : 'IPv6', used: new Set<string>() };
    });
    this.#random = random;
  }

  /**
   * Fills in families, cluster addresses and node ports, before the rest is validated. The answer takes everything back
   * that was newly taken.
   * @throws ApiError what cannot be given
   */
  allocate(draft: Draft, old: Service | undefined): () => void {
    const spec = draft['spec'] as Draft;
    const name = String((draft['metadata'] as Draft)['name']);
    const undo: Undo = [];
    const revert = (): void => {
      for (const step of undo) step();
    };
    const causes: FieldCause[] = [];
    if (old !== undefined) keepAllocated(spec, old.spec);
    alignClusterIps(spec, old?.spec);
    completeFamilies(
      spec,
      old?.spec,
      this.#ranges.map(({ family }) => family),
      causes,
    );
    try {
      if (causes.length === 0) this.#clusterIps(spec, old?.spec, causes, undo);
      if (causes.length === 0) this.#ports(spec, old?.spec, causes, undo);
      if (causes.length > 0) throw invalid({ group: '', kind: 'Service' }, name, causes);
    } catch (error) {
      revert();
      throw error;
    }
    return revert;
  }

  release(service: Service): void {
    for (const [index, address] of (service.spec.clusterIPs ?? []).entries())
      this.#rangeOf(service.spec.ipFamilies?.[index])?.used.delete(canonical(address));
    for (const number of numbersOf(service.spec)) this.#nodePorts.delete(number);
  }

  /** After an update was stored: what the old one had and the new one has not. */
  releaseUnused(old: Service, next: Service): void {
    const kept = new Set(next.spec.clusterIPs ?? []);
    for (const [index, address] of (old.spec.clusterIPs ?? []).entries())
      if (!kept.has(address)) this.#rangeOf(old.spec.ipFamilies?.[index])?.used.delete(canonical(address));
    const numbers = numbersOf(next.spec);
    for (const number of numbersOf(old.spec)) if (!numbers.has(number)) this.#nodePorts.delete(number);
  }

  #rangeOf(family: FamilyName | undefined) {
    return this.#ranges.find((range) => range.family === family);
  }

  // ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────

  #clusterIps(spec: Draft, old: Spec | undefined, causes: FieldCause[], undo: Undo): void {
    if (spec['type'] === 'ExternalName' || isUnchangedPreferDual(spec, old)) return;
    const families = texts(spec['ipFamilies']) as readonly FamilyName[];
    const wanted = [...texts(spec['clusterIPs'])];
    let from = 0;
    if (old === undefined || old.type === 'ExternalName') {
      if (wanted[0] === 'None') return;
    } else {
      // The first address stays; validation refuses another one. A second family brings a second address.
      if (old.clusterIPs?.[0] === 'None') return;
      if (old.ipFamilies?.length === 2 || families.length < 2) return;
      from = 1;
    }
    for (const [index, family] of families.entries()) {
      const range = this.#rangeOf(family);
      if (index < from || range === undefined) continue;
      const asked = wanted[index];
      if (asked === undefined || asked === '') {
        const address = this.#pick(range.prefix, range.used);
        if (address === undefined) throw internal('failed to allocate a serviceIP: range is full');
        range.used.add(address);
        undo.push(() => range.used.delete(address));
        wanted[index] = address;
        continue;
      }
      const problem = this.#problemOf(asked, range.prefix, range.used);
      if (problem !== undefined) {
        causes.push(fieldInvalid('spec.clusterIPs', texts(spec['clusterIPs']), `failed to allocate IP ${asked}: ${problem}`));
        return;
      }
      const address = canonical(asked);
      range.used.add(address);
      undo.push(() => range.used.delete(address));
    }
    spec['clusterIP'] = wanted[0];
    spec['clusterIPs'] = wanted;
  }

  #problemOf(text: string, range: Prefix, used: ReadonlySet<string>): string | undefined {
    const address = ip(text);
    const offset = address.value - range.address.value;
    if (address.family !== range.family || offset < 1n || offset > BigInt(rangeSize(range)))
      return `the provided IP (${address.text}) is not in the valid range. The range of valid IPs is ${range.text}`;
    return used.has(address.text) ? 'provided IP is already allocated' : undefined;
  }

  /** The upper band of the range first, the lower one is kept for addresses that users choose (KEP-3070). */
  #pick(range: Prefix, used: ReadonlySet<string>): string | undefined {
    const size = rangeSize(range);
    const band = size < 16 ? 0 : Math.min(256, Math.max(16, Math.floor(size / 16)));
    const at = (offset: number): string => ipFromValue(range.family, range.address.value + BigInt(offset)).text;
    for (const [low, high] of [
      [band + 1, size],
      [1, band],
    ] as const) {
      if (low > high) continue;
      const first = this.#random.integer(low, high);
      for (let step = 0; step <= high - low; step++) {
        const text = at(low + ((first - low + step) % (high - low + 1)));
        if (!used.has(text)) return text;
      }
    }
    return undefined;
  }

  // ── node ports ────────────────────────────────────────────────────────────────────────────────────────────

  #ports(spec: Draft, old: Spec | undefined, causes: FieldCause[], undo: Undo): void {
    if (hasNodePorts(spec['type'])) {
      if (old === undefined) this.#newPorts(spec, causes, undo);
      else this.#changedPorts(spec, old, causes, undo);
    }
    if (causes.length > 0 || !needsHealthCheck(spec) || (old !== undefined && needsHealthCheck(old))) return;
    const asked = spec['healthCheckNodePort'];
    if (typeof asked !== 'number' || asked === 0) {
      spec['healthCheckNodePort'] = this.#takeAny(undo, 'failed to allocate a HealthCheck NodePort 0: range is full');
      return;
    }
    const problem = this.#take(asked, undo);
    if (problem !== undefined) throw internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${problem}`);
  }

  /** One number for all protocols of one port: one that any of them asks for, else a free one. */
  #newPorts(spec: Draft, causes: FieldCause[], undo: Undo): void {
    const ports = (spec['ports'] ?? []) as Port[];
    const given = new Map<number, number>();
    for (const [index, port] of ports.entries()) {
      if ((port.nodePort ?? 0) === 0 && !allocates(spec)) continue;
      const number = port.port ?? 0;
      const known = given.get(number);
      if (known !== undefined && (port.nodePort ?? 0) === 0) {
        port.nodePort = known;
        continue;
      }
      if (known !== undefined && port.nodePort === known) continue;
      const asked =
        known === undefined ? ports.find((other) => other.port === number && (other.nodePort ?? 0) !== 0)?.nodePort : port.nodePort;
      if (asked === undefined) port.nodePort = this.#takeAny(undo, 'failed to allocate a nodePort: range is full');
      else {
        const problem = this.#take(asked, undo);
        if (problem !== undefined) {
          causes.push(fieldInvalid(`spec.ports[${index}].nodePort`, asked, problem));
          return;
        }
        port.nodePort = asked;
      }
      if (known === undefined) given.set(number, port.nodePort);
    }
  }

  #changedPorts(spec: Draft, old: Spec, causes: FieldCause[], undo: Undo): void {
    const own = numbersOf(old, true);
    const taken = new Set<number>();
    const seen = new Set<string>();
    for (const [index, port] of ((spec['ports'] ?? []) as Port[]).entries()) {
      const asked = port.nodePort ?? 0;
      if (asked === 0 && !allocates(spec)) continue;
      if (asked === 0) port.nodePort = this.#takeAny(undo, 'failed to allocate a nodePort: range is full');
      else if (!own.has(asked) && !taken.has(asked)) {
        const problem = this.#take(asked, undo);
        if (problem !== undefined) {
          causes.push(fieldInvalid(`spec.ports[${index}].nodePort`, asked, problem));
          return;
        }
        taken.add(asked);
      }
      const key = `${port.protocol ?? 'TCP'} ${port.nodePort}`;
      if (seen.has(key)) throw new ApiError(500, '', `duplicate nodePort: {${key}}`);
      seen.add(key);
    }
  }

  #take(number: number, undo: Undo): string | undefined {
    const [lowest, highest] = this.#nodePortRange;
    if (number < lowest || number > highest)
      return `provided port is not in the valid range. The range of valid ports is ${lowest}-${highest}`;
    if (this.#nodePorts.has(number)) return 'provided port is already allocated';
    this.#nodePorts.add(number);
    undo.push(() => this.#nodePorts.delete(number));
    return undefined;
  }

  #takeAny(undo: Undo, whyNot: string): number {
    const [lowest, highest] = this.#nodePortRange;
    const count = highest - lowest + 1;
    const first = this.#random.integer(lowest, highest);
    for (let step = 0; step < count; step++) {
      const number = lowest + ((first - lowest + step) % count);
      if (this.#take(number, undo) === undefined) return number;
    }
    throw internal(whyNot);
  }
}

function allocates(spec: Draft): boolean {
  return spec['type'] === 'NodePort' || spec['allocateLoadBalancerNodePorts'] !== false;
}

function numbersOf(spec: Spec, isWithoutHealth = false): ReadonlySet<number> {
  const numbers = (spec.ports ?? []).map((port) => port.nodePort);
  return new Set([...numbers, isWithoutHealth ? undefined : spec.healthCheckNodePort].filter((number) => number !== undefined));
}

function canonical(address: string): string {
  return address === 'None' ? address : ip(address).text;
}

/** Usable addresses of a service range: without the network's own and (IPv4) the broadcast address; 65,536 at most for IPv6. */
function rangeSize(range: Prefix): number {
  const bits = (range.family === 4 ? 32 : 128) - range.length;
  const total = bits >= 16 && range.family === 6 ? 65536 : 2 ** Math.min(bits, 30);
  return Math.max(1, total - (range.family === 4 ? 2 : 1));
}

/** The n-th address of a subnet: the first is the API server's, the tenth the cluster DNS's. */
export function nthAddress(subnet: string, index: number): string {
  const range = prefix(subnet);
  return ipFromValue(range.family, range.address.value + BigInt(index)).text;
}
