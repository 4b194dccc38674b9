import type { Endpoints } from '../../../kubernetes/objects.ts';
import { contains, hostPrefix, parseIp, parsePrefix, prefixOf } from '../../../net/address.ts';
import type { Ip, NextHop, Prefix, RouteInput } from '../../../net/types.ts';
import { type CiliumNode, resources } from '../../objects.ts';
import type { AgentContext } from '../../types.ts';
import { messageOf } from './endpoints.ts';
import { reserved, reservedIdentity } from './identity.ts';
import type { IpcacheEntry } from './ipcache.ts';
import type { Kernel } from './kernel.ts';

export const nodeResource = resources.node;

/** A node of the cluster as its CiliumNode tells. */
export interface ClusterNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly internalIps: readonly Ip[];
  readonly routerIps: readonly Ip[];
  readonly healthIps: readonly Ip[];
  readonly podCidrs: readonly Prefix[];
}

export function readClusterNode(object: CiliumNode): ClusterNode {
  const ofType = (type: string): Ip[] =>
    (object.spec?.addresses ?? []).filter((address) => address.type === type).flatMap((address) => parseIp(address.ip) ?? []);
  const health = object.spec?.health;
  const healthIps = isRecord(health)
    ? [health.ipv4, health.ipv6].flatMap((text) => (typeof text === 'string' ? (parseIp(text) ?? []) : []))
    : [];
  return {
    name: object.metadata.name,
    labels: object.metadata.labels ?? {},
    internalIps: ofType('InternalIP'),
    routerIps: ofType('CiliumInternalIP'),
    healthIps,
    podCidrs: (object.spec?.ipam?.podCIDRs ?? []).flatMap((text) => parsePrefix(text) ?? []),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keeps the node's own CiliumNode as its Node says, and what this node knows of all the others: ipcache and routes. */
export class NodeManager {
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #entries = new Map<string, readonly (readonly [Ip, IpcacheEntry])[]>();
  readonly #routes = new Map<string, readonly RouteInput[]>();
  #apiServerIps = new Set<Ip>();

  constructor(context: AgentContext, kernel: Kernel) {
    this.#context = context;
    this.#kernel = kernel;
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get own(): ClusterNode | undefined {
    return this.#nodes.get(this.#context.node.name);
  }

  /**
   * Adds to the node's CiliumNode what the datapath has chosen: its router and health addresses. The rest of the object
   * (labels, InternalIPs, pod CIDRs) is the agent's registration.
   */
  publishAddresses(router: readonly Ip[], health: readonly Ip[]): void {
    const { api, node } = this.#context;
    try {
      const known = api.get<CiliumNode>(nodeResource, node.name);
      if (known === undefined) return;
      const others = (known.spec?.addresses ?? []).filter((address) => address.type !== 'CiliumInternalIP');
      const health4 = health.find((address) => address.family === 4)?.text;
      const health6 = health.find((address) => address.family === 6)?.text;
      const spec = {
        ...known.spec,
        addresses: [...others, ...router.map((address) => ({ ip: address.text, type: 'CiliumInternalIP' }))],
        health: { ...(health4 === undefined ? {} : { ipv4: health4 }), ...(health6 === undefined ? {} : { ipv6: health6 }) },
      };
      if (JSON.stringify(spec) !== JSON.stringify(known.spec)) api.update({ ...known, spec });
    } catch (error) {
      this.#context.log('warning', 'Unable to create or update CiliumNode resource', { error: messageOf(error), subsys: 'nodediscovery' });
    }
  }

  /** Identity of the API server's addresses: those behind the Service `default/kubernetes`. */
  setApiServer(endpoints: Endpoints | undefined): void {
    this.#apiServerIps = new Set(
      (endpoints?.subsets ?? []).flatMap((subset) => (subset.addresses ?? []).flatMap((address) => parseIp(address.ip) ?? [])),
    );
    for (const node of this.#nodes.values()) this.#apply(node);
  }

  upsert(object: CiliumNode): void {
    const node = readClusterNode(object);
    this.#nodes.set(node.name, node);
    this.#apply(node);
  }

  remove(name: string): void {
    this.#nodes.delete(name);
    for (const [address, entry] of this.#entries.get(name) ?? []) this.#kernel.ipcache.delete(address, entry);
    this.#entries.delete(name);
    this.#withdraw(name);
  }

  #apply(node: ClusterNode): void {
    const { ipcache, config } = this.#kernel;
    const isOwn = node.name === this.#context.node.name;
    for (const [address, entry] of this.#entries.get(node.name) ?? []) ipcache.delete(address, entry);
    const entries: (readonly [Ip, IpcacheEntry])[] = [];
    const tunnelEnd = node.internalIps.find((address) => address.family === 4) ?? node.internalIps[0];
    const add = (address: Ip, identity: number, nodeIp: Ip | undefined): void => {
      const entry: IpcacheEntry = { identity: reservedIdentity(identity), nodeIp };
      entries.push([address, entry]);
      ipcache.set(address, entry);
    };
    for (const address of node.internalIps)
      add(address, isOwn ? reserved.host : this.#apiServerIps.has(address) ? reserved.kubeApiserver : reserved.remoteNode, undefined);
    for (const address of node.routerIps) add(address, isOwn ? reserved.host : reserved.remoteNode, isOwn ? undefined : tunnelEnd);
    for (const address of node.healthIps) if (!isOwn) add(address, reserved.health, tunnelEnd);
    this.#entries.set(node.name, entries);
    if (!isOwn) this.#route(node);
    else if (config.hasIpv4 || config.hasIpv6) this.#kernel.internalIps = new Set(node.internalIps);
  }

  /** Routes to another node's pods: over `cilium_host` in tunnel mode, to its address with `auto-direct-node-routes`, else none. */
  #route(node: ClusterNode): void {
    const { config, routerIps, namespace } = this.#kernel;
    const wanted: RouteInput[] = [];
    for (const cidr of node.podCidrs) {
      if (!(cidr.family === 4 ? config.hasIpv4 : config.hasIpv6)) continue;
      if (config.routingMode === 'tunnel') {
        const router = routerIps.find((address) => address.family === cidr.family);
        if (router !== undefined)
          wanted.push({ destination: cidr, nextHops: [hopTo(router)], preferredSource: router, protocol: 'kernel', mtu: 1450 });
      } else if (config.hasAutoDirectNodeRoutes) {
        const via = node.internalIps.find((address) => address.family === cidr.family);
        const device =
          via === undefined
            ? undefined
            : namespace.interfaces.find((candidate) =>
                candidate.addresses.some(
                  (address) => address.ip.family === via.family && contains(prefixOf(address.ip, address.prefixLength), via),
                ),
              );
        if (via !== undefined && device !== undefined)
          wanted.push({ destination: cidr, nextHops: [{ via, device: device.name }], protocol: 'kernel' });
        else
          this.#context.log('warning', 'Unable to install direct node route', {
            error: 'route to destination contains gateway, must be directly reachable',
            nodeName: node.name,
            subsys: 'linux-datapath',
          });
      }
    }
    const known = this.#routes.get(node.name) ?? [];
    if (
      known.length === wanted.length &&
      known.every(
        (route, index) =>
          route.destination === wanted[index]?.destination && route.nextHops?.[0]?.via === wanted[index]?.nextHops?.[0]?.via,
      )
    )
      return;
    this.#withdraw(node.name);
    const installed: RouteInput[] = [];
    for (const route of wanted) {
      try {
        namespace.routes.replace(route);
        installed.push(route);
      } catch (error) {
        this.#context.log('warning', 'Unable to install route', { error: messageOf(error), nodeName: node.name, subsys: 'linux-datapath' });
      }
    }
    this.#routes.set(node.name, installed);
  }

  #withdraw(name: string): void {
    for (const route of this.#routes.get(name) ?? []) {
      try {
        this.#kernel.namespace.routes.delete({ destination: route.destination });
      } catch {
        // Somebody else removed it: gone is gone.
      }
    }
    this.#routes.delete(name);
  }
}

/** IPv6 takes no address of the node itself as a gateway, so that there the route goes to the device alone. */
function hopTo(router: Ip): NextHop {
  return router.family === 4 ? { via: router, device: 'cilium_host' } : { device: 'cilium_host' };
}

/** `cilium_host` and `cilium_net`, and the node's routes to its own pods through them. */
export function setUpHostDevice(kernel: Kernel, routers: readonly Ip[]): void {
  const { namespace } = kernel;
  let host = namespace.getInterface('cilium_host');
  if (host === undefined) {
    const [created, net] = namespace.network.createVeth({ namespace, name: 'cilium_host' }, { namespace, name: 'cilium_net' });
    host = created;
    net.setUp();
    host.setUp();
  }
  kernel.hostDevice = host;
  for (const address of host.addresses) if (address.scope === 'global' && !routers.includes(address.ip)) host.removeAddress(address.ip);
  for (const router of routers) {
    if (!host.addresses.some((address) => address.ip === router))
      host.addAddress(router, router.family === 4 ? 32 : 128, { noDad: true, noPrefixRoute: true });
    const cidr = kernel.podCidr(router.family);
    if (cidr === undefined) continue;
    namespace.routes.replace({ destination: hostPrefix(router), nextHops: [{ device: host.name }], scope: 'link', protocol: 'kernel' });
    namespace.routes.replace({ destination: cidr, nextHops: [hopTo(router)], protocol: 'kernel', preferredSource: router });
  }
}
