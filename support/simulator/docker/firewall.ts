import { hostPrefix, prefix } from '../net/address.ts';
import type { Family, Ip, NetfilterRule, NetworkNamespace } from '../net/types.ts';
import type { EngineNetwork } from './networks.ts';

/**
 * The rules that the engine writes into the host's netfilter tables (Docker docs, "Packet filtering and firewalls";
 * the chains of engine 20 to 27: DOCKER-USER, DOCKER-ISOLATION-STAGE-1/2, DOCKER).
 */
export function installFirewall(host: NetworkNamespace): void {
  host.setSysctl('net.ipv4.ip_forward', '1');
  for (const family of [4, 6] as const) {
    const filter = host.netfilter;
    for (const chain of ['DOCKER', 'DOCKER-ISOLATION-STAGE-1', 'DOCKER-ISOLATION-STAGE-2', 'DOCKER-USER'])
      filter.createChain(family, 'filter', chain);
    filter.setPolicy(family, 'FORWARD', 'drop');
    filter.append(family, 'filter', 'FORWARD', { target: { kind: 'jump', chain: 'DOCKER-USER' } });
    filter.append(family, 'filter', 'FORWARD', { target: { kind: 'jump', chain: 'DOCKER-ISOLATION-STAGE-1' } });
    filter.append(family, 'filter', 'DOCKER-USER', { target: { kind: 'return' } });
    filter.append(family, 'filter', 'DOCKER-ISOLATION-STAGE-1', { target: { kind: 'return' } });
    filter.append(family, 'filter', 'DOCKER-ISOLATION-STAGE-2', { target: { kind: 'return' } });
    filter.createChain(family, 'nat', 'DOCKER');
    filter.append(family, 'nat', 'PREROUTING', { target: { kind: 'jump', chain: 'DOCKER' } });
    filter.append(family, 'nat', 'OUTPUT', {
      destination: { prefix: prefix(family === 4 ? '127.0.0.0/8' : '::1/128'), inverted: true },
      target: { kind: 'jump', chain: 'DOCKER' },
    });
  }
}

interface PlacedRule {
  readonly table: 'filter' | 'nat';
  readonly chain: string;
  readonly rule: NetfilterRule;
  readonly atStart?: boolean;
}

function rulesOf(network: EngineNetwork, family: Family): readonly PlacedRule[] {
  const name = network.bridge?.name;
  if (name === undefined) return [];
  const into: NetfilterRule['outInterface'] = { name };
  const elsewhere: NetfilterRule['outInterface'] = { name, inverted: true };
  const rules: PlacedRule[] = [
    {
      table: 'filter',
      chain: 'FORWARD',
      rule: { outInterface: into, connectionState: ['related', 'established'], target: { kind: 'accept' } },
    },
    { table: 'filter', chain: 'FORWARD', rule: { outInterface: into, target: { kind: 'jump', chain: 'DOCKER' } } },
    { table: 'filter', chain: 'FORWARD', rule: { inInterface: { name }, outInterface: elsewhere, target: { kind: 'accept' } } },
    { table: 'filter', chain: 'FORWARD', rule: { inInterface: { name }, outInterface: into, target: { kind: 'accept' } } },
    {
      table: 'filter',
      chain: 'DOCKER-ISOLATION-STAGE-1',
      rule: { inInterface: { name }, outInterface: elsewhere, target: { kind: 'jump', chain: 'DOCKER-ISOLATION-STAGE-2' } },
      atStart: true,
    },
    { table: 'filter', chain: 'DOCKER-ISOLATION-STAGE-2', rule: { outInterface: into, target: { kind: 'drop' } }, atStart: true },
  ];
  if (network.isMasqueraded) {
    for (const subnet of network.subnets) {
      if (subnet.prefix.family !== family) continue;
      rules.push({
        table: 'nat',
        chain: 'POSTROUTING',
        rule: { source: { prefix: subnet.prefix }, outInterface: elsewhere, target: { kind: 'masquerade' } },
      });
    }
  }
  return rules;
}

export function addNetworkRules(host: NetworkNamespace, network: EngineNetwork): void {
  for (const family of [4, 6] as const) {
    if (!network.hasFamily(family)) continue;
    for (const { table, chain, rule, atStart } of rulesOf(network, family)) {
      if (atStart === true) host.netfilter.insert(family, table, chain, rule);
      else host.netfilter.append(family, table, chain, rule);
    }
  }
}

export function removeNetworkRules(host: NetworkNamespace, network: EngineNetwork): void {
  for (const family of [4, 6] as const) {
    if (!network.hasFamily(family)) continue;
    for (const { table, chain, rule } of rulesOf(network, family)) host.netfilter.delete(family, table, chain, rule);
  }
}

/** One published port: what arrives for the host's address goes to the container. */
export interface PublishedPort {
  readonly hostAddresses: readonly Ip[];
  readonly hostPort: number;
  readonly container: Ip;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly bridge: string;
}

function rulesOfPort(port: PublishedPort): readonly PlacedRule[] {
  const { protocol, bridge } = port;
  const exactly = { low: port.hostPort, high: port.hostPort };
  const to = hostPrefix(port.container);
  return [
    ...port.hostAddresses.map(
      (address): PlacedRule => ({
        table: 'nat',
        chain: 'DOCKER',
        rule: {
          protocol,
          inInterface: { name: bridge, inverted: true },
          destination: { prefix: hostPrefix(address) },
          destinationPort: exactly,
          target: { kind: 'dnat', address: port.container, port: port.containerPort },
        },
      }),
    ),
    {
      table: 'filter',
      chain: 'DOCKER',
      rule: {
        protocol,
        inInterface: { name: bridge, inverted: true },
        outInterface: { name: bridge },
        destination: { prefix: to },
        destinationPort: { low: port.containerPort, high: port.containerPort },
        target: { kind: 'accept' },
      },
    },
  ];
}

export function publish(host: NetworkNamespace, port: PublishedPort): void {
  for (const { table, chain, rule } of rulesOfPort(port)) host.netfilter.append(port.container.family, table, chain, rule);
}

export function unpublish(host: NetworkNamespace, port: PublishedPort): void {
  for (const { table, chain, rule } of rulesOfPort(port)) host.netfilter.delete(port.container.family, table, chain, rule);
}
