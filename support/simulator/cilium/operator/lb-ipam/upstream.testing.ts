import type { Condition, Service } from '../../../kubernetes/objects.ts';
import type { LoadBalancerIpPool } from '../../objects.ts';
import { parseVersion } from '../../version.ts';
import { LbIpam, serviceConditionType } from './lb-ipam.ts';

/** One thing that a user does; short names, since there are thousands. */
export interface Edit {
  readonly op: 'pool' | 'delpool' | 'svc' | 'delsvc';
  readonly name: string;
  readonly ns?: string;
  readonly blocks?: readonly { readonly cidr?: string; readonly start?: string; readonly stop?: string }[];
  readonly disabled?: boolean;
  readonly first?: 'Yes' | 'No';
  readonly color?: string;
  readonly type?: string;
  readonly class?: string;
  readonly lbip?: string;
  readonly ann?: Readonly<Record<string, string>>;
  readonly policy?: string;
  readonly families?: readonly string[];
  readonly ports?: readonly string[];
  readonly etp?: string;
  readonly sel?: string;
}

/** Each object with its status in one line: addresses of a service, and conditions by type. */
export type Statuses = Readonly<Record<string, string>>;

/**
 * LB-IPAM between an API server that knows no schema and a user: what {@link LbIpam} writes comes back to it as an event, services in
 * the order of their creation before pools by name, until nothing moves.
 */
export class LbIpamWorld {
  readonly #core: LbIpam;
  readonly #services = new Map<string, Service>();
  readonly #pools = new Map<string, LoadBalancerIpPool>();
  readonly #seen = new Map<string, string>();
  #time = 0;

  constructor(version: string) {
    const settings = {
      version: parseVersion(version),
      hasIpv4: true,
      hasIpv6: true,
      hasBgp: true,
      hasL2Announcements: true,
      isDefault: true,
    };
    this.#core = new LbIpam(settings, () => '2026-01-01T00:00:00Z');
  }

  apply(edit: Edit): Statuses {
    this.#time++;
    const key = `${edit.ns}/${edit.name}`;
    switch (edit.op) {
      case 'pool': {
        const pool = this.#poolOf(edit);
        this.#pools.set(edit.name, pool);
        this.#seen.set(edit.name, JSON.stringify(pool.status));
        this.#core.upsertPool(pool);
        break;
      }
      case 'delpool':
        this.#pools.delete(edit.name);
        this.#seen.delete(edit.name);
        this.#core.deletePool(edit.name);
        break;
      case 'svc': {
        const service = serviceOf(edit, this.#services.get(key)?.status);
        this.#services.set(key, service);
        this.#seen.set(key, JSON.stringify(service.status));
        this.#core.upsertService(service);
        break;
      }
      case 'delsvc':
        this.#services.delete(key);
        this.#seen.delete(key);
        this.#core.deleteService(key);
    }
    this.#write();
    this.#settle();
    return this.#statuses();
  }

  #poolOf({ name, blocks = [], disabled = false, first, color = '' }: Edit): LoadBalancerIpPool {
    const old = this.#pools.get(name);
    const spec = {
      blocks,
      disabled,
      ...(first === undefined ? {} : { allowFirstLastIPs: first }),
      ...(color === '' ? {} : { serviceSelector: { matchLabels: { color } } }),
    };
    const isSame = JSON.stringify(old?.spec) === JSON.stringify(spec);
    return {
      apiVersion: 'cilium.io/v2alpha1',
      kind: 'CiliumLoadBalancerIPPool',
      metadata: {
        name,
        uid: name,
        resourceVersion: String(this.#time),
        generation: (old?.metadata.generation ?? 0) + (isSame ? 0 : 1),
        creationTimestamp:
          old?.metadata.creationTimestamp ??
          `2026-01-01T00:${String(Math.floor(this.#time / 60)).padStart(2, '0')}:${String(this.#time % 60).padStart(2, '0')}Z`,
      },
      spec,
      ...(old?.status === undefined ? {} : { status: old.status }),
    } as LoadBalancerIpPool;
  }

  #write(): void {
    for (const write of this.#core.takeWrites()) {
      if (write.kind === 'pool') {
        const pool = this.#pools.get(write.name);
        if (pool !== undefined) this.#pools.set(write.name, { ...pool, status: { conditions: write.conditions } });
        continue;
      }
      const key = `${write.namespace}/${write.name}`;
      const service = this.#services.get(key);
      if (service === undefined) continue;
      const others = (service.status.conditions ?? []).filter(({ type }) => type !== serviceConditionType);
      const conditions: readonly Condition[] = write.condition === undefined ? others : [...others, write.condition];
      this.#services.set(key, {
        ...service,
        status: { loadBalancer: { ingress: write.ingress.map((address) => ({ ip: address })) }, conditions },
      });
    }
  }

  #settle(): void {
    for (let isMoving = true, rounds = 0; isMoving; rounds++) {
      if (rounds > 50) throw new Error('does not settle');
      isMoving = false;
      for (const key of this.#services.keys()) {
        const service = this.#services.get(key);
        if (service === undefined || !this.#isNews(key, service.status)) continue;
        isMoving = true;
        this.#core.upsertService(service);
        this.#write();
      }
      for (const name of [...this.#pools.keys()].toSorted()) {
        const pool = this.#pools.get(name);
        if (pool === undefined || !this.#isNews(name, pool.status)) continue;
        isMoving = true;
        this.#core.upsertPool(pool);
        this.#write();
      }
    }
  }

  #isNews(key: string, status: unknown): boolean {
    const text = JSON.stringify(status);
    if (this.#seen.get(key) === text) return false;
    this.#seen.set(key, text);
    return true;
  }

  #statuses(): Statuses {
    const result: Record<string, string> = {};
    for (const [key, { status }] of this.#services) {
      const addresses = (status.loadBalancer?.ingress ?? []).map((entry) => `${entry.ip} `).join('');
      result[key] = `${addresses}| ${conditionText(status.conditions)}`;
    }
    for (const [name, { status }] of this.#pools) result[`pool ${name}`] = conditionText(status?.conditions);
    return result;
  }
}

function conditionText(conditions: readonly Condition[] | undefined): string {
  const texts = (conditions ?? [])
    .toSorted((a, b) => (a.type < b.type ? -1 : 1))
    .map(
      (condition) => `${condition.type}=${condition.status}/${condition.reason}/${condition.message}@${condition.observedGeneration ?? 0};`,
    );
  return texts
    .join('')
    .replaceAll(/cilium\.io\/|IPAMRequestSatisfied=|IPs/g, '')
    .replaceAll('=Unknown/noreason/', '=');
}

function serviceOf(edit: Edit, status: Service['status'] | undefined): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: edit.name,
      namespace: edit.ns,
      annotations: edit.ann ?? {},
      labels: edit.color === undefined ? {} : { color: edit.color },
    },
    spec: {
      type: edit.type,
      ...(edit.class === undefined ? {} : { loadBalancerClass: edit.class }),
      ...(edit.lbip === undefined ? {} : { loadBalancerIP: edit.lbip }),
      ipFamilyPolicy: edit.policy,
      ipFamilies: edit.families,
      ports: (edit.ports ?? []).map((text) => ({ name: text, port: Number.parseInt(text, 10), protocol: text.split('/')[1] })),
      externalTrafficPolicy: edit.etp,
      ...(edit.sel === undefined ? {} : { selector: { app: edit.sel } }),
    },
    status: status ?? {},
  } as unknown as Service;
}
