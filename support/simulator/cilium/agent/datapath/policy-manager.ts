import { matchesSelector } from '../../../kubernetes/labels.ts';
import type { EndpointSlice, Service } from '../../../kubernetes/objects.ts';
import { keyOf } from '../../../kubernetes/objects.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import { hostPrefix, parseIp } from '../../../net/address.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import { isDefined } from '../../crds/definitions.ts';
import { resources } from '../../objects.ts';
import { serviceSelectorLabels } from '../../selector.ts';
import { createTrigger } from '../../trigger.ts';
import type { AgentContext } from '../../types.ts';
import { isAtLeast } from '../../version.ts';
import { messageOf } from './endpoints.ts';
import type { Kernel } from './kernel.ts';
import type { ParsedPolicy, ServicePeer } from './policy.ts';
import { type CidrGroups, type CiliumPolicyObject, parseCiliumPolicy } from './policy-cilium.ts';
import { type NetworkPolicyObject, parseNetworkPolicy } from './policy-kubernetes.ts';
import { cidrsOf } from './policy-selectors.ts';

/** Changes are applied together after this pause. */
const applyDelayMs = 5;
const cidrGroupResource = 'ciliumcidrgroups.cilium.io';

interface CidrGroupObject extends KubernetesObject {
  readonly spec?: { readonly externalCIDRs?: readonly string[] };
}

/** The policies of the cluster as one agent has them: NetworkPolicies and Cilium's own. */
export class PolicyManager {
  readonly #context: AgentContext;
  readonly #kernel: Kernel;
  readonly #apply: (policies: readonly ParsedPolicy[]) => void;
  readonly #policies = new Map<string, readonly ParsedPolicy[]>();
  /** All that are in force. */
  readonly #kept = new Map<string, KubernetesObject>();
  /** Cilium's, for when a CIDR group changes. */
  readonly #objects = new Map<string, CiliumPolicyObject>();
  /** Grows with every change, as the agent's policy repository does. */
  revision = 1;

  constructor(context: AgentContext, kernel: Kernel, apply: (policies: readonly ParsedPolicy[]) => void) {
    this.#context = context;
    this.#kernel = kernel;
    this.#apply = apply;
  }

  /** What of the policies in force has no effect in the simulator, one line each. */
  get unmodelled(): readonly string[] {
    return [...this.#policies.values()].flat().flatMap((policy) => policy.unmodelled.map((what) => `${policy.name}: ${what}`));
  }

  /** The policies in force, as their owners wrote them. */
  get objects(): readonly KubernetesObject[] {
    return [...this.#kept.values()];
  }

  get all(): readonly ParsedPolicy[] {
    return [...this.#policies.values()].flat();
  }

  get count(): number {
    return [...this.#policies.values()].flat().length;
  }

  /** @returns what stops it */
  start(): () => void {
    const { api, cluster } = this.#context;
    const stops: (() => void)[] = [];
    let isStopped = false;
    let unfollow: (() => void) | undefined;
    /** Services matter only while a policy names one. */
    const followServices = (isWanted: boolean): void => {
      if (isWanted === (unfollow !== undefined)) return;
      unfollow?.();
      unfollow = undefined;
      if (!isWanted) return;
      const watches = [resources.service, resources.endpointSlice].map((resource) => api.watch(resource, () => trigger.fire()));
      unfollow = () => {
        for (const stop of watches) stop();
      };
    };
    const apply = (): void => {
      const policies = [...this.#policies.values()].flat();
      followServices(policies.some((policy) => servicePeers(policy).length > 0));
      this.#kernel.ipcache.setCidrs([...cidrsOf(policies), ...this.#backendsOf(policies)]);
      this.#apply(policies);
    };
    const trigger = createTrigger(this.#context.clock, applyDelayMs, apply);
    const follow = <T extends KubernetesObject>(resource: string, learn: (key: string, object: T | undefined) => void): void => {
      const on = (type: string, object: T): void => {
        if (isStopped) return;
        const key = `${resource} ${keyOf(object)}`;
        learn(key, type === 'DELETED' ? undefined : object);
        if (this.#policies.has(key) && type !== 'DELETED') this.#kept.set(key, object);
        else this.#kept.delete(key);
        this.revision++;
        trigger.fire();
      };
      // Only another spec is another policy: status updates of the operator are none.
      stops.push(
        api.watch<T>(resource, ({ type, object, old }) => {
          if (type !== 'MODIFIED' || object.metadata.generation !== old?.metadata.generation) on(type, object);
        }),
      );
      for (const object of api.list<T>(resource)) on('ADDED', object);
    };
    follow<NetworkPolicyObject>('networkpolicies.networking.k8s.io', (key, object) => {
      if (object === undefined) this.#policies.delete(key);
      else this.#policies.set(key, [parseNetworkPolicy(object)]);
    });
    for (const resource of ['ciliumnetworkpolicies.cilium.io', 'ciliumclusterwidenetworkpolicies.cilium.io'])
      follow<CiliumPolicyObject>(resource, (key, object) => this.#learn(key, object));
    if (isDefined(cluster.server, 'CiliumCIDRGroup'))
      follow<CidrGroupObject>(cidrGroupResource, () => {
        for (const [key, object] of this.#objects) if (JSON.stringify(object).includes('cidrGroup')) this.#learn(key, object);
      });
    this.#kernel.isBackendOf = (service, address) => this.#isBackendOf(service, address);
    apply();
    return () => {
      isStopped = true;
      trigger.stop();
      followServices(false);
      for (const stop of stops) stop();
    };
  }

  #learn(key: string, object: CiliumPolicyObject | undefined): void {
    if (object === undefined) {
      this.#objects.delete(key);
      this.#policies.delete(key);
      return;
    }
    this.#objects.set(key, object);
    const { log, version } = this.#context;
    const { name, namespace } = object.metadata;
    const fields = {
      ciliumNetworkPolicyName: name,
      ...(namespace === undefined ? {} : { k8sNamespace: namespace }),
      subsys: 'k8s-watcher',
    };
    try {
      const parsed = parseCiliumPolicy(object, version, this.#groups);
      this.#policies.set(key, parsed);
      for (const policy of parsed)
        for (const what of policy.unmodelled)
          log('warning', 'Not simulated, without effect', { policy: policy.name, field: what, subsys: 'policy' });
    } catch (error) {
      // What was in force before stays in force.
      log('warning', 'Unable to add CiliumNetworkPolicy', { ...fields, error: messageOf(error) });
    }
  }

  get #groups(): CidrGroups {
    const { api } = this.#context;
    const of = (object: CidrGroupObject | undefined): readonly string[] => object?.spec?.externalCIDRs ?? [];
    return {
      byName: (name) => of(api.get<CidrGroupObject>(cidrGroupResource, name)),
      bySelector: (selector: LabelSelector) =>
        api
          .list<CidrGroupObject>(cidrGroupResource)
          .flatMap((object) => (matchesSelector(selector, object.metadata.labels ?? {}) ? of(object) : [])),
    };
  }

  #isBackendOf(peer: ServicePeer, address: Ip): boolean {
    return this.#addressesOf(peer).includes(address.text);
  }

  /** Backends outside the cluster are CIDRs of one address. */
  #backendsOf(policies: readonly ParsedPolicy[]): Prefix[] {
    return policies.flatMap(servicePeers).flatMap((peer) =>
      this.#addressesOf(peer).flatMap((text) => {
        const address = parseIp(text);
        return address === undefined || this.#kernel.ipcache.find(address) !== undefined ? [] : hostPrefix(address);
      }),
    );
  }

  /** Up to 1.16 only services without a selector, whose endpoints somebody writes by hand (documentation, "Services based"). */
  #addressesOf({ namespace, name, selector }: ServicePeer): string[] {
    const { api, version } = this.#context;
    const services =
      name === undefined
        ? api.list<Service>(resources.service, namespace === undefined ? {} : { namespace })
        : [api.get<Service>(resources.service, name, namespace)];
    return services.flatMap((service) => {
      if (service === undefined || (selector !== undefined && !matchesSelector(selector, serviceSelectorLabels(service)))) return [];
      if (!isAtLeast(version, 17) && Object.keys(service.spec.selector ?? {}).length > 0) return [];
      return api
        .list<EndpointSlice>(resources.endpointSlice, {
          namespace: service.metadata.namespace ?? 'default',
          labels: { matchLabels: { 'kubernetes.io/service-name': service.metadata.name } },
        })
        .flatMap((slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses));
    });
  }
}

function servicePeers({ egress }: ParsedPolicy): ServicePeer[] {
  return (egress ?? []).flatMap((rule) => (rule.peers ?? []).flatMap((peer) => (peer.kind === 'service' ? peer.service : [])));
}
