import type { Timer } from '../../../clock/clock.ts';
import { prefix } from '../../../net/address.ts';
import type { Ip } from '../../../net/types.ts';
import type { AgentContext } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import type { ClusterView } from './cluster-view.ts';
import {
  computeEgressEntries,
  type EgressGatewayPolicy,
  type EgressGatewayPolicyObject,
  type GatewayConfiguration,
  parseEgressGatewayPolicy,
} from './egress-gateway.ts';
import type { Kernel } from './kernel.ts';

/** The agent's side of the egress gateway: policies, endpoints and nodes in, the policy map out, at most once a second. */
export class EgressManager {
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #policies = new Map<string, EgressGatewayPolicy>();
  readonly #told = new Set<string>();
  #lastRun = Number.NEGATIVE_INFINITY;
  #pending: Timer | undefined;
  #view: ClusterView | undefined;
  #unfollow: (() => void) | undefined;

  constructor(context: AgentContext, kernel: Kernel) {
    this.#context = context;
    this.#kernel = kernel;
  }

  start(view: ClusterView): void {
    this.#view = view;
    this.trigger();
  }

  stop(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  /** A refused object has no effect; what was in force before stays. */
  setPolicy(object: EgressGatewayPolicyObject): void {
    const parsed = parseEgressGatewayPolicy(object);
    if ('problem' in parsed) {
      this.#context.log('warning', 'Failed to parse CiliumEgressGatewayPolicy', {
        error: parsed.problem,
        ciliumEgressGatewayPolicyName: object.metadata.name,
        subsys: 'egressgateway',
      });
      return;
    }
    // As for parts of network policies: what is passed over is listed with the run.
    if (parsed.destinations.some(({ family }) => family === 6))
      this.#tell('Not simulated, without effect', { field: 'IPv6 destinations', policy: parsed.name });
    this.#policies.set(parsed.name, parsed);
    this.trigger();
  }

  removePolicy(name: string): void {
    if (!this.#policies.delete(name)) return;
    this.trigger();
  }

  /** Nodes and endpoints matter to an agent for as long as it has a policy, or the rest of one. */
  trigger(): void {
    if (this.#policies.size === 0 && this.#kernel.egress.isEmpty) {
      this.#unfollow?.();
      this.#unfollow = undefined;
      return;
    }
    this.#unfollow ??= this.#view?.onChange(() => this.trigger());
    if (this.#pending !== undefined) return;
    const { clock } = this.#context;
    const waitMs = Math.max(0, this.#lastRun + this.#kernel.config.egressReconcileMs - clock.now());
    this.#pending = clock.schedule(waitMs, () => {
      this.#pending = undefined;
      this.#lastRun = clock.now();
      this.#reconcile();
    });
  }

  #reconcile(): void {
    const { entries, clashes } = computeEgressEntries({
      policies: [...this.#policies.values()],
      endpoints: [...(this.#view?.endpoints.values() ?? [])],
      nodes: this.#view?.nodes ?? [],
      localNode: this.#context.node.name,
      derive: (gateway, policy) => this.#derive(gateway, policy),
    });
    this.#kernel.egress.replace(entries);
    for (const clash of clashes) this.#tell(`Conflicting egress gateway policies: ${clash}`, {});
  }

  /** Which address this node, as the gateway, gives to what leaves: worked out from its devices as they are now. */
  #derive(gateway: EgressGatewayPolicy['gateways'][number], policy: string): GatewayConfiguration {
    const { namespace } = this.#kernel;
    const fail = (error: string): GatewayConfiguration => {
      this.#tell('Failed to derive policy gateway configuration', { error, ciliumEgressGatewayPolicyName: policy });
      return { egressIp: undefined, device: undefined, problem: error };
    };
    const firstOf = (name: string): Ip | undefined =>
      namespace.getInterface(name)?.addresses.find((address) => address.ip.family === 4)?.ip;
    if (gateway.interface !== undefined) {
      if (namespace.getInterface(gateway.interface) === undefined)
        return fail('failed to retrieve IPv4 address for egress interface: Link not found');
      const egressIp = firstOf(gateway.interface);
      return egressIp === undefined
        ? fail('failed to retrieve IPv4 address for egress interface: no IPv4 address assigned to interface')
        : this.#use(gateway.interface, egressIp);
    }
    const { egressIp } = gateway;
    if (egressIp !== undefined) {
      const device = namespace.interfaces.find((candidate) => candidate.addresses.some((address) => address.ip === egressIp));
      if (device !== undefined) return this.#use(device.name, egressIp);
      if (isAtLeast(this.#context.version, 18))
        return fail(`failed to retrieve interface with egress IP: no interface with ${egressIp.text} IPv4 assigned to`);
      this.#tell('Failed to derive policy gateway configuration', {
        error: `failed to retrieve interface with egress IP: no interface with ${egressIp.text} IPv4 assigned to`,
        ciliumEgressGatewayPolicyName: policy,
      });
      return { egressIp, device: undefined, problem: 'the address is not on this node' };
    }
    const route = namespace.routes.list({ family: 4, table: 254 }).find((candidate) => candidate.destination === prefix('0.0.0.0/0'));
    const device = route?.nextHops[0]?.device;
    if (device === undefined) return fail('failed to find interface with default route: Default route not found for family 2');
    const address = firstOf(device);
    return address === undefined
      ? fail('failed to retrieve IPv4 address for egress interface: no IPv4 address assigned to interface')
      : this.#use(device, address);
  }

  #use(device: string, egressIp: Ip): GatewayConfiguration {
    // Replies may come in by another device than the one they would leave by.
    this.#kernel.namespace.setSysctl(`net.ipv4.conf.${device}.rp_filter`, '2');
    return { egressIp, device, problem: undefined };
  }

  /** Once for each text: a reconcile comes often. */
  #tell(message: string, fields: Readonly<Record<string, string>>): void {
    const key = `${message} ${fields.error ?? ''} ${fields.ciliumEgressGatewayPolicyName ?? ''}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#context.log(message.startsWith('Failed') ? 'error' : 'warning', message, { ...fields, subsys: 'egressgateway' });
  }
}
