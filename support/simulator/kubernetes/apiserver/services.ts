import type { Random } from '../../clock/random.ts';
import { ip, ipFromValue, prefix } from '../../net/address.ts';
import type { Prefix } from '../../net/types.ts';
import type { Service } from '../objects.ts';
import type { FieldCause } from '../types.ts';
import { fieldInvalid } from './errors.ts';

type Draft = Record<string, unknown>;
type FamilyName = 'IPv4' | 'IPv6';

const lowestNodePort = 30000;
const highestNodePort = 32767;

/** Cluster addresses and node ports of services (Kubernetes 1.27: `pkg/registry/core/service`). */
export class ServiceAllocator {
  readonly #ranges: readonly { readonly prefix: Prefix; readonly family: FamilyName; readonly used: Set<string> }[];
  readonly #nodePorts = new Set<string>();
  readonly #random: Random;

  constructor(subnets: readonly string[], random: Random) {
    this.#ranges = subnets.map((subnet) => {
      const range = prefix(subnet);
      return { prefix: range, family: range.family === 4 ? 'IPv4' : 'IPv6', used: new Set<string>() };
    });
    this.#random = random;
  }

  /** Fills in families, cluster addresses and node ports. The answer takes everything back that was newly taken. */
  allocate(draft: Draft, old: Service | undefined, causes: FieldCause[]): () => void {
    const spec = draft['spec'] as Draft;
    const undo: (() => void)[] = [];
    const before = causes.length;
    this.#families(spec, old, causes);
    if (causes.length === before) this.#clusterIps(spec, old, causes, undo);
    if (causes.length === before) this.#ports(spec, old, causes, undo);
    return () => {
      for (const step of undo) step();
    };
  }

  release(service: Service): void {
    this.#releaseIps(service);
    for (const port of service.spec.ports ?? [])
      if (port.nodePort !== undefined) this.#nodePorts.delete(`${port.nodePort}/${port.protocol}`);
    if (service.spec.healthCheckNodePort !== undefined) this.#nodePorts.delete(`${service.spec.healthCheckNodePort}/TCP`);
  }

  /** After an update was stored: what the old one had and the new one has not. */
  releaseUnused(old: Service, next: Service): void {
    const kept = new Set(next.spec.clusterIPs ?? []);
    for (const [index, address] of (old.spec.clusterIPs ?? []).entries())
      if (!kept.has(address)) this.#rangeOf(old.spec.ipFamilies?.[index])?.used.delete(address);
    const ports = new Set((next.spec.ports ?? []).map((port) => `${port.nodePort}/${port.protocol}`));
    for (const port of old.spec.ports ?? [])
      if (port.nodePort !== undefined && !ports.has(`${port.nodePort}/${port.protocol}`))
        this.#nodePorts.delete(`${port.nodePort}/${port.protocol}`);
    if (old.spec.healthCheckNodePort !== undefined && old.spec.healthCheckNodePort !== next.spec.healthCheckNodePort)
      this.#nodePorts.delete(`${old.spec.healthCheckNodePort}/TCP`);
  }

  #releaseIps(service: Service): void {
    for (const [index, address] of (service.spec.clusterIPs ?? []).entries())
      this.#rangeOf(service.spec.ipFamilies?.[index])?.used.delete(address);
  }

  #rangeOf(family: FamilyName | undefined) {
    return this.#ranges.find((range) => range.family === family);
  }

  #families(spec: Draft, old: Service | undefined, causes: FieldCause[]): void {
    if (spec['type'] === 'ExternalName') {
      for (const field of ['ipFamilies', 'ipFamilyPolicy', 'clusterIP', 'clusterIPs']) delete spec[field];
      return;
    }
    const primary = this.#ranges[0]?.family ?? 'IPv4';
    const isDual = this.#ranges.length > 1;
    if (spec['clusterIP'] !== undefined && spec['clusterIPs'] === undefined) spec['clusterIPs'] = [spec['clusterIP']];
    const addresses = (spec['clusterIPs'] ?? []) as readonly string[];
    if (spec['clusterIP'] === undefined && addresses[0] !== undefined) spec['clusterIP'] = addresses[0];
    const isHeadless = addresses[0] === 'None';
    let families = [...((spec['ipFamilies'] ?? []) as readonly FamilyName[])];
    for (const [index, family] of families.entries()) {
      if (family !== 'IPv4' && family !== 'IPv6')
        causes.push({
          reason: 'FieldValueNotSupported',
          field: `spec.ipFamilies[${index}]`,
          message: `Unsupported value: ${JSON.stringify(family)}: supported values: "IPv4", "IPv6"`,
        });
      else if (this.#rangeOf(family) === undefined && !(isHeadless && spec['selector'] === undefined))
        causes.push(fieldInvalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
      if (index > 0 && families.indexOf(family) < index)
        causes.push({
          reason: 'FieldValueDuplicate',
          field: `spec.ipFamilies[${index}]`,
          message: `Duplicate value: ${JSON.stringify(family)}`,
        });
    }
    if (families.length > 2) causes.push(fieldInvalid('spec.ipFamilies', families, 'service.ipFamilies may only hold two values'));
    if (causes.length > 0) return;
    // Addresses that the user chose say the families where he did not.
    if (families.length === 0 && !isHeadless) families = addresses.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4'));
    const isSelectorless = isHeadless && spec['selector'] === undefined;
    const given = spec['ipFamilyPolicy'] as string | undefined;
    const policy =
      given ??
      (families.length > 1 || addresses.length > 1 || (isSelectorless && families.length === 0) ? 'RequireDualStack' : 'SingleStack');
    if (given !== undefined && !['SingleStack', 'PreferDualStack', 'RequireDualStack'].includes(given)) {
      causes.push({
        reason: 'FieldValueNotSupported',
        field: 'spec.ipFamilyPolicy',
        message: `Unsupported value: ${JSON.stringify(given)}: supported values: "PreferDualStack", "RequireDualStack", "SingleStack"`,
      });
      return;
    }
    if (policy === 'SingleStack') {
      if (families.length > 1) {
        const hasShrunk = old?.spec.ipFamilies?.length === 2 && old.spec.ipFamilyPolicy !== 'SingleStack';
        if (!hasShrunk) {
          causes.push(
            fieldInvalid(
              'spec.ipFamilyPolicy',
              policy,
              'must be RequireDualStack or PreferDualStack when multiple IP families are specified',
            ),
          );
          return;
        }
        families = families.slice(0, 1);
        spec['clusterIPs'] = addresses.slice(0, 1);
      }
    }
    if (policy === 'RequireDualStack' && !isDual && !isSelectorless) {
      causes.push(fieldInvalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'));
      return;
    }
    if (families.length === 0) families.push(primary);
    if (policy !== 'SingleStack' && families.length === 1 && (isDual || isSelectorless))
      families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
    spec['ipFamilies'] = families;
    spec['ipFamilyPolicy'] = policy;
    const oldFamily = old?.spec.ipFamilies?.[0];
    if (oldFamily !== undefined && old?.spec.type !== 'ExternalName' && families[0] !== oldFamily)
      causes.push(fieldInvalid('spec.ipFamilies[0]', families[0], 'may not change once set'));
  }

  #clusterIps(spec: Draft, old: Service | undefined, causes: FieldCause[], undo: (() => void)[]): void {
    if (spec['type'] === 'ExternalName') return;
    const wanted = [...((spec['clusterIPs'] ?? []) as string[])];
    if (wanted[0] === 'None') {
      spec['clusterIP'] = 'None';
      spec['clusterIPs'] = ['None'];
      return;
    }
    const families = spec['ipFamilies'] as readonly FamilyName[];
    const kept = old?.spec.type === 'ExternalName' ? [] : (old?.spec.clusterIPs ?? []);
    if (kept[0] !== undefined && kept[0] !== '' && wanted[0] !== undefined && wanted[0] !== kept[0] && spec['type'] !== 'ExternalName') {
      causes.push(fieldInvalid('spec.clusterIPs[0]', wanted, 'may not change once set'));
      return;
    }
    const result: string[] = [];
    for (const [index, family] of families.entries()) {
      const range = this.#rangeOf(family);
      if (range === undefined) continue;
      const asked = wanted[index] ?? kept[index];
      if (asked === undefined || asked === '') {
        const address = this.#pick(range.prefix, range.used);
        if (address === undefined) {
          causes.push(fieldInvalid('spec.clusterIPs', wanted, 'failed to allocate a serviceIP: range is full'));
          return;
        }
        range.used.add(address);
        undo.push(() => range.used.delete(address));
        result.push(address);
        continue;
      }
      if (kept.includes(asked)) {
        result.push(asked);
        continue;
      }
      const problem = this.#problemOf(asked, range.prefix, range.used);
      if (problem !== undefined) {
        causes.push(fieldInvalid('spec.clusterIPs', wanted, `failed to allocate IP ${asked}: ${problem}`));
        return;
      }
      const canonical = ip(asked).text;
      range.used.add(canonical);
      undo.push(() => range.used.delete(canonical));
      result.push(asked);
    }
    spec['clusterIP'] = result[0];
    spec['clusterIPs'] = result;
  }

  #problemOf(text: string, range: Prefix, used: ReadonlySet<string>): string | undefined {
    const address = ip(text);
    const size = rangeSize(range);
    const offset = address.value - range.address.value;
    if (address.family !== range.family || offset < 1n || offset > BigInt(size))
      return `the provided IP (${text}) is not in the valid range. The range of valid IPs is ${range.text}`;
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

  #ports(spec: Draft, old: Service | undefined, causes: FieldCause[], undo: (() => void)[]): void {
    const ports = (spec['ports'] ?? []) as Draft[];
    const { type } = spec;
    const needs = type === 'NodePort' || (type === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false);
    const hadNodePorts = old?.spec.type === 'NodePort' || old?.spec.type === 'LoadBalancer';
    if (type === 'ClusterIP' || type === 'ExternalName') {
      // An update away from node ports drops those that were allocated before.
      if (hadNodePorts) for (const port of ports) delete port['nodePort'];
      return;
    }
    const oldPorts = old?.spec.ports ?? [];
    const takenHere = new Map<number, Set<string>>();
    const take = (number: number, protocol: string): void => {
      const key = `${number}/${protocol}`;
      this.#nodePorts.add(key);
      undo.push(() => this.#nodePorts.delete(key));
    };
    for (const [index, port] of ports.entries()) {
      const protocol = String(port['protocol'] ?? 'TCP');
      const before = oldPorts.find(
        (candidate) => candidate.nodePort !== undefined && candidate.port === port['port'] && candidate.protocol === protocol,
      );
      if (port['nodePort'] === undefined) {
        if (before?.nodePort !== undefined) {
          port['nodePort'] = before.nodePort;
          continue;
        }
        if (!needs) continue;
        // The same number for TCP and UDP of one port, where it is free.
        const shared = ports.slice(0, index).find((other) => other['port'] === port['port'] && other['protocol'] !== protocol)?.[
          'nodePort'
        ];
        const number = typeof shared === 'number' && !this.#nodePorts.has(`${shared}/${protocol}`) ? shared : this.#pickPort(protocol);
        if (number === undefined) {
          causes.push({
            reason: 'FieldValueInvalid',
            field: `spec.ports[${index}].nodePort`,
            message: 'failed to allocate a nodePort: range is full',
          });
          return;
        }
        port['nodePort'] = number;
        take(number, protocol);
        continue;
      }
      const number = Number(port['nodePort']);
      const isOwn = oldPorts.some((candidate) => candidate.nodePort === number && candidate.protocol === protocol);
      if (isOwn) continue;
      const field = `spec.ports[${index}].nodePort`;
      if (number < lowestNodePort || number > highestNodePort) {
        causes.push(
          fieldInvalid(
            field,
            number,
            `provided port is not in the valid range. The range of valid ports is ${lowestNodePort}-${highestNodePort}`,
          ),
        );
        return;
      }
      if (this.#nodePorts.has(`${number}/${protocol}`) && takenHere.get(number)?.has(protocol) !== true) {
        causes.push(fieldInvalid(field, number, 'provided port is already allocated'));
        return;
      }
      take(number, protocol);
      takenHere.set(number, (takenHere.get(number) ?? new Set<string>()).add(protocol));
    }
    if (type === 'LoadBalancer' && spec['externalTrafficPolicy'] === 'Local') {
      if (spec['healthCheckNodePort'] === undefined) {
        const kept = old?.spec.healthCheckNodePort;
        const number = kept ?? this.#pickPort('TCP');
        if (number !== undefined) {
          spec['healthCheckNodePort'] = number;
          if (kept === undefined) take(number, 'TCP');
        }
      }
    } else delete spec['healthCheckNodePort'];
  }

  #pickPort(protocol: string): number | undefined {
    const count = highestNodePort - lowestNodePort + 1;
    const first = this.#random.integer(lowestNodePort, highestNodePort);
    for (let step = 0; step < count; step++) {
      const number = lowestNodePort + ((first - lowestNodePort + step) % count);
      if (!this.#nodePorts.has(`${number}/${protocol}`) && !this.#nodePorts.has(`${number}/TCP`)) return number;
    }
    return undefined;
  }
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
