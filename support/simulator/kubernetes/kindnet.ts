import { contains, hostPrefix, ipFromValue, lastAddress, parseIp, prefix } from '../net/address.ts';
import type { Ip, NetworkInterface, Prefix } from '../net/types.ts';
import { type Node, nodeAddresses, type Pod } from './objects.ts';
import { mapPorts } from './portmap.ts';
import type { ApiClient, CniPlugin, KubeNode, PodSandbox } from './types.ts';

const anyDestination: Readonly<Record<4 | 6, Prefix>> = { 4: prefix('0.0.0.0/0'), 6: prefix('::/0') };

/**
 * kind's own network: the ptp plugin with host-local addresses on each node, routes between the nodes, and masquerading of what
 * leaves the pod subnets (kindnetd v20230511).
 */
export function startKindnet(
  client: ApiClient,
  node: KubeNode,
  podSubnets: readonly string[],
  onReady: (cni: CniPlugin | undefined) => void,
): () => void {
  const routed = new Map<string, readonly Prefix[]>();
  let own: readonly Prefix[] = [];

  function follow({ type, object }: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Node }): void {
    const name = object.metadata.name;
    const cidrs = (object.spec.podCIDRs ?? []).map(prefix);
    if (name === node.name) {
      if (own.length > 0 || cidrs.length === 0 || type === 'DELETED') return;
      own = cidrs;
      masquerade();
      onReady(pointToPoint(client, node, cidrs));
      return;
    }
    if (type === 'DELETED') {
      for (const destination of routed.get(name) ?? []) node.namespace.routes.delete({ destination });
      routed.delete(name);
      return;
    }
    if (routed.has(name) || cidrs.length === 0) return;
    const addresses = nodeAddresses(object).flatMap((text) => parseIp(text) ?? []);
    for (const destination of cidrs) {
      const via = addresses.find((address) => address.family === destination.family);
      if (via !== undefined) node.namespace.routes.replace({ destination, nextHops: [{ via }] });
    }
    routed.set(name, cidrs);
  }

  function masquerade(): void {
    for (const family of [4, 6] as const) {
      const subnets = podSubnets.map(prefix).filter((subnet) => subnet.family === family);
      if (subnets.length === 0) continue;
      const { netfilter } = node.namespace;
      // What an earlier kindnetd left serves on.
      if (netfilter.chains(family, 'nat').has('KIND-MASQ-AGENT')) continue;
      netfilter.createChain(family, 'nat', 'KIND-MASQ-AGENT');
      netfilter.append(family, 'nat', 'POSTROUTING', {
        target: { kind: 'jump', chain: 'KIND-MASQ-AGENT' },
        comment: 'kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom KIND-MASQ-AGENT chain',
      });
      for (const subnet of subnets)
        netfilter.append(family, 'nat', 'KIND-MASQ-AGENT', {
          destination: { prefix: subnet },
          target: { kind: 'return' },
          comment: 'kind-masq-agent: local traffic is not subject to MASQUERADE',
        });
      for (const subnet of subnets)
        netfilter.append(family, 'nat', 'KIND-MASQ-AGENT', {
          source: { prefix: subnet },
          target: { kind: 'masquerade' },
          comment: 'kind-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)',
        });
    }
  }

  const stop = client.watch<Node>('nodes', follow, { replay: true });
  return () => {
    stop();
    onReady(undefined);
  };
}

/** CNI ptp: a veth pair per pod, its host end with the gateway's address and a host route; behind it portmap. */
function pointToPoint(client: ApiClient, node: KubeNode, cidrs: readonly Prefix[]): CniPlugin {
  const { clock, random } = node.engine;
  const names = random.stream(`kindnet/${node.name}`);
  const used = new Set<Ip>();
  const held = new Map<string, { readonly ips: readonly Ip[]; readonly device: NetworkInterface; readonly unmap: () => void }>();
  const last = new Map<Prefix, bigint>();

  /** host-local: round robin, the first address is the gateway. */
  function take(cidr: Prefix): Ip | undefined {
    const size = lastAddress(cidr).value - cidr.address.value - 1n;
    let offset = last.get(cidr) ?? 1n;
    for (let step = 0n; step < size && step < 70_000n; step++) {
      offset = offset >= size ? 2n : offset + 1n;
      const address = ipFromValue(cidr.family, cidr.address.value + offset);
      if (used.has(address)) continue;
      used.add(address);
      last.set(cidr, offset);
      return address;
    }
    return undefined;
  }

  function connect(sandbox: PodSandbox): { readonly ips: readonly Ip[] } | { readonly error: string } {
    const ips: Ip[] = [];
    for (const cidr of cidrs) {
      const address = take(cidr);
      if (address === undefined) {
        for (const taken of ips) used.delete(taken);
        return { error: `failed to allocate for range 0: no IP addresses available in range set: ${cidr.text}` };
      }
      ips.push(address);
    }
    const [device, inside] = node.engine.network.createVeth(
      { namespace: node.namespace, name: `veth${names.hex(8)}` },
      { namespace: sandbox.namespace, name: 'eth0' },
    );
    device.setUp();
    inside.setUp();
    for (const address of ips) {
      const cidr = cidrs.find((candidate) => contains(candidate, address));
      if (cidr === undefined) continue;
      const gateway = ipFromValue(cidr.family, cidr.address.value + 1n);
      const full = cidr.family === 4 ? 32 : 128;
      device.addAddress(gateway, full, { noDad: true, noPrefixRoute: true });
      node.namespace.routes.add({ destination: hostPrefix(address), nextHops: [{ device: device.name }], scope: 'link' });
      inside.addAddress(address, full, { noDad: true, noPrefixRoute: true });
      sandbox.namespace.routes.add({ destination: hostPrefix(gateway), nextHops: [{ device: 'eth0' }], scope: 'link' });
      sandbox.namespace.routes.add({ destination: anyDestination[cidr.family], nextHops: [{ via: gateway, device: 'eth0' }] });
    }
    const pod = client.get<Pod>('pods', sandbox.podName, sandbox.podNamespace);
    const unmap = pod === undefined ? () => undefined : mapPorts(node, 'kindnet', sandbox.containerId, pod, ips, cidrs);
    held.set(sandbox.containerId, { ips, device, unmap });
    return { ips };
  }

  return {
    name: 'ptp',
    add(sandbox, done) {
      clock.schedule(names.integer(30, 80), () => done(connect(sandbox)));
    },
    remove(sandbox) {
      const found = held.get(sandbox.containerId);
      if (found === undefined) return;
      held.delete(sandbox.containerId);
      found.unmap();
      for (const address of found.ips) used.delete(address);
      found.device.delete();
    },
  };
}
