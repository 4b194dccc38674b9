import { contains, hostPrefix, prefixOf } from '../../../net/address.ts';
import type { Ip, NextHop, RouteInput } from '../../../net/types.ts';
import { type CiliumNode, resources } from '../../objects.ts';
import type { AgentContext } from '../../types.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';
import { messageOf } from './endpoints.ts';
import type { Kernel } from './kernel.ts';

export const nodeResource = resources.node;

/** Keeps the node's own CiliumNode as its Node says, and routes to the others where the routing mode asks for them. */
export class NodeManager {
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #routes = new Map<string, readonly RouteInput[]>();
  #view: ClusterView | undefined;

  constructor(context: AgentContext, kernel: Kernel) {
    this.#context = context;
    this.#kernel = kernel;
  }

  /** @returns what stops it */
  start(view: ClusterView): () => void {
    const { config } = this.#kernel;
    this.#view = view;
    // Without routes of its own the node has nothing to do when another one changes.
    if (config.routingMode !== 'tunnel' && !config.hasAutoDirectNodeRoutes) return () => undefined;
    this.routeAll();
    return view.onNode((node, name) => this.#follow(node, name));
  }

  get nodes(): readonly ClusterNode[] {
    return this.#view?.nodes ?? [];
  }

  get own(): ClusterNode | undefined {
    return this.#view?.node(this.#context.node.name);
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

  /** Once more, when the node has the router address that its routes lead to. */
  routeAll(): void {
    const { config } = this.#kernel;
    if (config.routingMode === 'tunnel' || config.hasAutoDirectNodeRoutes) for (const node of this.nodes) this.#follow(node, node.name);
  }

  #follow(node: ClusterNode | undefined, name: string): void {
    if (node === undefined) this.#withdraw(name);
    else if (name !== this.#context.node.name) this.#route(node);
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
    const cidrs = kernel.podCidrs.filter(({ family }) => family === router.family);
    if (cidrs.length === 0) continue;
    namespace.routes.replace({ destination: hostPrefix(router), nextHops: [{ device: host.name }], scope: 'link', protocol: 'kernel' });
    for (const cidr of cidrs)
      namespace.routes.replace({ destination: cidr, nextHops: [hopTo(router)], protocol: 'kernel', preferredSource: router });
  }
}
