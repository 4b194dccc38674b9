import type { Random } from '../../../clock/random.ts';
import type { ApiClient, KubernetesObject } from '../../../kubernetes/types.ts';
import type { Identity } from '../../types.ts';
import { securityLabelsList, securityLabelsObject } from './identity.ts';

export interface CiliumIdentityObject extends KubernetesObject {
  readonly 'security-labels'?: Readonly<Record<string, string>>;
}

export const identityResource = 'ciliumidentities.cilium.io';

/** Identities of the cluster, as CiliumIdentity objects: one number for each set of security labels (`identity-allocation-mode: crd`). */
export class ClusterIdentities {
  readonly #api: ApiClient;
  readonly #byLabels = new Map<string, Identity>();
  readonly #byId = new Map<number, Identity>();

  constructor(api: ApiClient) {
    this.#api = api;
  }

  /** @returns what stops it */
  start(): () => void {
    for (const object of this.#api.list<CiliumIdentityObject>(identityResource)) this.#learn(object);
    return this.#api.watch<CiliumIdentityObject>(identityResource, (event) => {
      const id = Number(event.object.metadata.name);
      if (event.type === 'DELETED') {
        const known = this.#byId.get(id);
        if (known !== undefined) this.#byLabels.delete(known.labels.join(';'));
        this.#byId.delete(id);
      } else this.#learn(event.object);
    });
  }

  get(id: number): Identity | undefined {
    return this.#byId.get(id);
  }

  get all(): readonly Identity[] {
    return [...this.#byId.values()].sort((a, b) => a.id - b.id);
  }

  #learn(object: CiliumIdentityObject): Identity {
    const id = Number(object.metadata.name);
    const identity: Identity = { id, labels: securityLabelsList(object['security-labels'] ?? {}) };
    this.#byId.set(id, identity);
    this.#byLabels.set(identity.labels.join(';'), identity);
    return identity;
  }

  /** The number of a set of labels; a new one, drawn by the agent that asks, is written down before it is used. */
  allocate(labels: readonly string[], namespace: string, random: Random): Identity {
    const known = this.#byLabels.get(labels.join(';'));
    if (known !== undefined) return known;
    // Somebody else may have made it within this very moment: the API knows before the watch tells.
    const isTaken = (id: number): boolean =>
      this.#byId.has(id) || this.#api.get<CiliumIdentityObject>(identityResource, String(id)) !== undefined;
    let id = random.integer(256, 65_535);
    while (isTaken(id)) id = random.integer(256, 65_535);
    const object = this.#api.create<CiliumIdentityObject>({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumIdentity',
      metadata: { name: String(id), labels: { 'io.kubernetes.pod.namespace': namespace } },
      'security-labels': securityLabelsObject(labels),
    });
    return this.#learn(object);
  }
}
