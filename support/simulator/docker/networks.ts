import type { Random } from '../clock/random.ts';
import { contains, ip, parseIp, prefix, width } from '../net/address.ts';
import type { Family, Ip, Mac, NetworkInterface, NetworkNamespace, Prefix } from '../net/types.ts';
import { addressAt, overlaps, parsePrefix } from './addresses.ts';
import { EngineError } from './engine-error.ts';
import type { Container, DockerNetwork } from './types.ts';

export type Member = DockerNetwork['members'] extends ReadonlyMap<string, infer M> ? M : never;

/** A docker network with its address allocation; members are the running containers on it. */
export class EngineNetwork implements DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'none';
  readonly subnets: readonly { readonly prefix: Prefix; readonly gateway: Ip }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly bridge: NetworkInterface | undefined;
  readonly members = new Map<string, Member>();
  readonly createdAt: number;
  readonly isMasqueraded: boolean;
  readonly mtu: number | undefined;
  readonly #taken = new Set<Ip>();
  /** The number of the lowest address that may be free: all below are taken. */
  readonly #firstFree = new Map<Prefix, bigint>();

  constructor(options: {
    readonly id: string;
    readonly name: string;
    readonly driver: 'bridge' | 'host' | 'none';
    readonly subnets: DockerNetwork['subnets'];
    readonly labels: Readonly<Record<string, string>>;
    readonly bridge: NetworkInterface | undefined;
    readonly createdAt: number;
    readonly isMasqueraded: boolean;
    readonly mtu: number | undefined;
  }) {
    this.id = options.id;
    this.name = options.name;
    this.driver = options.driver;
    this.subnets = options.subnets;
    this.labels = options.labels;
    this.bridge = options.bridge;
    this.createdAt = options.createdAt;
    this.isMasqueraded = options.isMasqueraded;
    this.mtu = options.mtu;
    for (const { gateway } of this.subnets) this.#taken.add(gateway);
  }

  /** Not the default `bridge`: names resolve, addresses can be chosen. */
  get isUserDefined(): boolean {
    return this.driver === 'bridge' && this.name !== 'bridge';
  }

  hasFamily(family: Family): boolean {
    return this.subnets.some((subnet) => subnet.prefix.family === family);
  }

  /** One address of each of the network's families: the asked one, or the lowest free. */
  allocate(asked: readonly string[]): readonly Ip[] {
    const fixed = asked.map((text) => {
      const address = parseIp(text);
      if (address === undefined) throw new EngineError(400, `invalid IPv4 address: ${text}`);
      return address;
    });
    const result: Ip[] = [];
    const families = new Set(this.subnets.map((subnet) => subnet.prefix.family));
    for (const family of [4, 6] as const) {
      const wanted = fixed.find((address) => address.family === family);
      if (wanted !== undefined) {
        if (!this.isUserDefined) throw new EngineError(400, 'user specified IP address is supported on user defined networks only');
        if (!this.subnets.some((subnet) => contains(subnet.prefix, wanted))) {
          throw new EngineError(500, `Invalid address ${wanted.text}: It does not belong to any of this network's subnets`);
        }
        if (this.#taken.has(wanted)) throw new EngineError(403, 'Address already in use');
        result.push(wanted);
      } else if (families.has(family)) {
        const free = this.#lowestFree(family, new Set(fixed));
        if (free === undefined)
          throw new EngineError(403, `no available IPv${family} addresses on this network's address pools: ${this.name} (${this.id})`);
        result.push(free);
      }
    }
    for (const address of result) this.#taken.add(address);
    return result;
  }

  release(ips: readonly Ip[]): void {
    for (const address of ips) {
      this.#taken.delete(address);
      for (const { prefix: network } of this.subnets) {
        const known = this.#firstFree.get(network);
        if (known === undefined || !contains(network, address)) continue;
        const number = address.value - network.address.value;
        if (number < known) this.#firstFree.set(network, number);
      }
    }
  }

  #lowestFree(family: Family, reserved: ReadonlySet<Ip>): Ip | undefined {
    for (const { prefix: network } of this.subnets) {
      if (network.family !== family) continue;
      const size = 1n << BigInt(width(family) - network.length);
      // the last address of an IPv4 subnet is its broadcast address
      const last = family === 4 ? size - 2n : size - 1n;
      for (let number = this.#firstFree.get(network) ?? 1n; number <= last; number++) {
        const address = addressAt(network, number);
        if (this.#taken.has(address) || reserved.has(address)) continue;
        this.#firstFree.set(network, number);
        return address;
      }
    }
    return undefined;
  }
}

export function subnetLength(network: DockerNetwork, address: Ip): number {
  return network.subnets.find((subnet) => contains(subnet.prefix, address))?.prefix.length ?? width(address.family);
}

/** Docker's built-in address pools: 172.17 to 172.31 as /16, then 192.168.0.0/20 and on. */
function* defaultPools(): Generator<Prefix> {
  for (let second = 17; second <= 31; second++) yield prefix(`172.${second}.0.0/16`);
  for (let third = 0; third <= 240; third += 16) yield prefix(`192.168.${third}.0/20`);
}

/** The subnets of a new network: the given ones, checked, and IPv4 (and IPv6 when asked) from the pools otherwise. */
export function chooseSubnets(
  asked: { readonly subnets?: readonly string[]; readonly gateways?: readonly string[]; readonly ipv6?: boolean },
  existing: readonly DockerNetwork[],
  hostNamespace: NetworkNamespace,
  random: Random,
): DockerNetwork['subnets'] {
  const used = existing.flatMap((network) => network.subnets.map((subnet) => subnet.prefix));
  const chosen: Prefix[] = [];
  for (const text of asked.subnets ?? []) {
    const network = parsePrefix(text);
    if (network === undefined || !text.includes('/'))
      throw new EngineError(400, `invalid network config:\ninvalid subnet ${text}: invalid CIDR block notation`);
    if ([...used, ...chosen].some((other) => overlaps(other, network))) {
      throw new EngineError(403, 'invalid pool request: Pool overlaps with other one on this address space');
    }
    chosen.push(network);
  }
  if (!chosen.some((network) => network.family === 4)) {
    const routed = hostNamespace.routes.list({ family: 4 }).flatMap((route) => (route.destination.length === 0 ? [] : [route.destination]));
    const free = [...defaultPools()].find((pool) => ![...used, ...chosen, ...routed].some((other) => overlaps(other, pool)));
    if (free === undefined) throw new EngineError(400, 'all predefined address pools have been fully subnetted');
    chosen.unshift(free);
  }
  if (asked.ipv6 === true && !chosen.some((network) => network.family === 6)) {
    // RFC 4193: docker makes a /64 from a random global id
    chosen.push(prefix(`fd${random.hex(2)}:${random.hex(4)}:${random.hex(4)}::/64`));
  }
  const gateways = (asked.gateways ?? []).map((text) => {
    const gateway = parseIp(text);
    if (gateway === undefined) throw new EngineError(400, `invalid network config:\ninvalid gateway ${text}: invalid IP address`);
    return gateway;
  });
  for (const gateway of gateways) {
    if (!chosen.some((network) => contains(network, gateway))) throw new EngineError(400, `no matching subnet for gateway ${gateway.text}`);
  }
  return chosen.map((network) => ({
    prefix: network,
    gateway: gateways.find((gateway) => contains(network, gateway)) ?? addressAt(network, 1n),
  }));
}

/** Names and addresses that the resolver of a container on user-defined networks knows (docker's embedded DNS server). */
export function resolveContainerName(container: Container, networks: readonly DockerNetwork[], name: string): readonly Ip[] {
  const found: Ip[] = [];
  for (const network of networks) {
    if (network.driver !== 'bridge' || network.name === 'bridge' || !network.members.has(container.id)) continue;
    for (const member of network.members.values()) {
      const other = member.container;
      const names = [other.name, `${other.name}.${network.name}`, other.id.slice(0, 12), other.hostname];
      if (names.includes(name)) found.push(...member.ips);
    }
  }
  return found;
}

export const embeddedResolver: Ip = ip('127.0.0.11');

export function randomMac(random: Random): Mac {
  return `02:42:${[0, 1, 2, 3].map(() => random.hex(2)).join(':')}`;
}
