import type { Random } from '../../../clock/random.ts';
import type { ApiClient, KubernetesObject } from '../../../kubernetes/types.ts';
import type { Identity } from '../../types.ts';
import { securityLabelsList, securityLabelsObject } from './identity.ts';

export interface CiliumIdentityObject extends KubernetesObject {
  readonly 'security-labels'?: Readonly<Record<string, string>>;
}

export const identityResource = 'ciliumidentities.cilium.io';

/** Identities of the cluster, as CiliumIdentity objects: one number for each set of security labels (`identity-allocation-mode: crd`). */
export class IdentityStore {
  readonly #api: ApiClient;
  readonly #random: Random;
  readonly #byLabels = new Map<string, Identity>();
  readonly #byId = new Map<number, Identity>();
  #stop: (() => void) | undefined;

  constructor(api: ApiClient, random: Random) {
    this.#api = api;
    this.#random = random;
  }

  start(onChange: (id: number) => void): void {
    for (const object of this.#api.list<CiliumIdentityObject>(identityResource)) this.#learn(object);
    this.#stop = this.#api.watch<CiliumIdentityObject>(identityResource, (event) => {
      const id = Number(event.object.metadata.name);
      if (event.type === 'DELETED') {
        const known = this.#byId.get(id);
        if (known !== undefined) this.#byLabels.delete(known.labels.join(';'));
        this.#byId.delete(id);
      } else this.#learn(event.object);
      onChange(id);
    });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
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

  /** The number of a set of labels; a new one is written down before it is used. */
  allocate(labels: readonly string[], namespace: string): Identity {
    const key = labels.join(';');
    const known = this.#byLabels.get(key);
    if (known !== undefined) return known;
    // Another node may have made it within this very moment: the API knows before the watch tells.
    for (const object of this.#api.list<CiliumIdentityObject>(identityResource))
      if (!this.#byId.has(Number(object.metadata.name))) this.#learn(object);
    const learned = this.#byLabels.get(key);
    if (learned !== undefined) return learned;
    let id = this.#random.integer(256, 65_535);
    while (this.#byId.has(id)) id = this.#random.integer(256, 65_535);
    const object = this.#api.create<CiliumIdentityObject>({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumIdentity',
      metadata: { name: String(id), labels: { 'io.kubernetes.pod.namespace': namespace } },
      'security-labels': securityLabelsObject(labels),
    });
    return this.#learn(object);
  }
}
