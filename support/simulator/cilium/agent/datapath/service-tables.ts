import type { SimulatedClock } from '../../../clock/clock.ts';
import { type EndpointSlice, keyOf, type Service } from '../../../kubernetes/objects.ts';
import type { ApiClient } from '../../../kubernetes/types.ts';
import type { Family, Ip } from '../../../net/types.ts';
import { resources } from '../../objects.ts';
import { createTrigger } from '../../trigger.ts';
import {
  backendsOf,
  type Frontend,
  type FrontendType,
  frontendAddresses,
  isWished,
  type ServicePortEntry,
  type ServiceProtocol,
  wishesOf,
} from './services.ts';

/** Changes of services and slices are applied after this pause at most. */
const serviceDelayMs = 5;
const families: readonly Family[] = [4, 6];

/** A frontend without what each node adds: its number, and which backends are its own. */
interface SharedFrontend {
  readonly key: string;
  readonly type: FrontendType;
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly entry: ServicePortEntry;
}

/** A host port of a pod of this node, which only this node knows. `ip` undefined: at every address of the node. */
export interface LocalFrontend {
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly entry: ServicePortEntry;
  readonly isLoopbackOnly: boolean;
}

interface FrontendName {
  readonly key: string;
  readonly family: Family;
  readonly type: FrontendType;
}

/** Frontends by address and port, and by node port. */
interface FrontendMaps {
  readonly byAddress: ReadonlyMap<string, SharedFrontend>;
  readonly byNodePort: ReadonlyMap<string, SharedFrontend>;
  /** Addresses that are a service's: what has none of them needs no further look-up. */
  readonly addressUses: ReadonlyMap<Ip, number>;
}

function entryKey(protocol: string, address: string, port: number): string {
  return `${protocol} ${address} ${port}`;
}

/** The frontends of a service, in the order in which an agent puts them into its maps. */
function namesOf(service: Service): FrontendName[] {
  if (service.spec.type === 'ExternalName') return [];
  return (service.spec.ports ?? []).flatMap((port) => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    if (protocol !== 'tcp' && protocol !== 'udp') return [];
    return families.flatMap((family) =>
      frontendAddresses(service, port, family, true).map(({ ip, port: number, type }) => ({
        key: keyOfFrontend(protocol, ip, number, family),
        family,
        type,
      })),
    );
  });
}

function keyOfFrontend(protocol: ServiceProtocol, ip: Ip | undefined, port: number, family: Family): string {
  return ip === undefined ? `${entryKey(protocol, '*', port)} ${family}` : entryKey(protocol, ip.text, port);
}

function isSurrogate(key: string): boolean {
  return / \* \d+ [46]$/.test(key);
}

function surrogateText(key: string): string {
  return key.endsWith('4') ? '0.0.0.0' : '::';
}

function variantKey(key: string, variant: string): string {
  return `${key} at ${variant}`;
}

/** The services of a cluster as every agent has them, learned once. Changes come one service at a time. */
export class ClusterServices {
  readonly #api: ApiClient;
  readonly #clock: SimulatedClock;
  readonly #byAddress = new Map<string, SharedFrontend>();
  readonly #byNodePort = new Map<string, SharedFrontend>();
  readonly #addressUses = new Map<Ip, number>();
  readonly #ofService = new Map<string, readonly SharedFrontend[]>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #dirty = new Set<string>();
  /** Health check node ports, with the keys of their services. */
  readonly healthPorts = new Map<number, string>();
  readonly #healthPortOf = new Map<string, number>();
  #snapshot: FrontendMaps | undefined;
  /** Frontends that came and went, in order: what nodes number them by. */
  readonly history: { readonly removed: readonly string[]; readonly added: readonly FrontendName[] }[] = [];

  constructor(api: ApiClient, clock: SimulatedClock) {
    this.#api = api;
    this.#clock = clock;
  }

  /** @returns what stops it */
  start(): () => void {
    const trigger = createTrigger(this.#clock, serviceDelayMs, () => this.#apply());
    const touch = (key: string): void => {
      this.#dirty.add(key);
      trigger.fire();
    };
    const learn = (slice: EndpointSlice, isGone: boolean): void => {
      const service = slice.metadata.labels?.['kubernetes.io/service-name'];
      if (service === undefined) return;
      const key = `${slice.metadata.namespace ?? 'default'}/${service}`;
      const known = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
      this.#slices.set(key, known);
      if (isGone) known.delete(slice.metadata.name);
      else known.set(slice.metadata.name, slice);
      if (known.size === 0) this.#slices.delete(key);
      touch(key);
    };
    const stops = [
      this.#api.watch<Service>(resources.service, ({ object }) => touch(keyOf(object))),
      this.#api.watch<EndpointSlice>(resources.endpointSlice, ({ type, object }) => learn(object, type === 'DELETED')),
    ];
    for (const service of this.#api.list<Service>(resources.service)) touch(keyOf(service));
    for (const slice of this.#api.list<EndpointSlice>(resources.endpointSlice)) learn(slice, false);
    this.#apply();
    return () => {
      trigger.stop();
      for (const stop of stops) stop();
    };
  }

  /** All that exist now, for an agent that begins. */
  get existing(): readonly Service[] {
    return this.#api.list<Service>(resources.service);
  }

  get maps(): FrontendMaps {
    return { byAddress: this.#byAddress, byNodePort: this.#byNodePort, addressUses: this.#addressUses };
  }

  /** The tables as they are now, and stay: one copy for all that ask before the next change. */
  snapshot(): FrontendMaps {
    this.#snapshot ??= {
      byAddress: new Map(this.#byAddress),
      byNodePort: new Map(this.#byNodePort),
      addressUses: new Map(this.#addressUses),
    };
    return this.#snapshot;
  }

  slicesOf(key: string): readonly EndpointSlice[] {
    return [...(this.#slices.get(key)?.values() ?? [])];
  }

  #setHealthPort(key: string, port: number): void {
    const former = this.#healthPortOf.get(key) ?? 0;
    if (former === port) return;
    if (this.healthPorts.get(former) === key) this.healthPorts.delete(former);
    if (port === 0) this.#healthPortOf.delete(key);
    else {
      this.#healthPortOf.set(key, port);
      this.healthPorts.set(port, key);
    }
  }

  #apply(): void {
    for (const key of this.#dirty) {
      const [namespace, name] = key.split('/');
      const service = this.#api.get<Service>(resources.service, name ?? '', namespace);
      this.#setHealthPort(key, service?.spec.healthCheckNodePort ?? 0);
      this.#set(key, service, this.slicesOf(key));
    }
    this.#dirty.clear();
  }

  /** Replaces all that is known of one service; `undefined` when it is gone. */
  #set(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): void {
    this.#snapshot = undefined;
    const old = this.#ofService.get(key) ?? [];
    for (const frontend of old) {
      (frontend.ip === undefined ? this.#byNodePort : this.#byAddress).delete(frontend.key);
      this.#use(frontend.ip, -1);
    }
    const now = service === undefined || service.spec.type === 'ExternalName' ? [] : this.#add(service, slices);
    if (now.length === 0) this.#ofService.delete(key);
    else this.#ofService.set(key, now);
    const oldKeys = new Set(old.map((frontend) => frontend.key));
    const keys = new Set(now.map((frontend) => frontend.key));
    const removed = [...oldKeys].filter((one) => !keys.has(one));
    const added = now.flatMap(({ key: one, entry, type }) => (oldKeys.has(one) ? [] : { key: one, family: entry.family, type }));
    if (removed.length > 0 || added.length > 0) this.history.push({ removed, added });
  }

  #add(service: Service, slices: readonly EndpointSlice[]): SharedFrontend[] {
    const { spec, metadata } = service;
    const made: SharedFrontend[] = [];
    const wishes = wishesOf(service);
    for (const port of spec.ports ?? []) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      if (protocol !== 'tcp' && protocol !== 'udp') continue;
      for (const family of families) {
        const addresses = frontendAddresses(service, port, family, true);
        if (addresses.length === 0) continue;
        const entry: ServicePortEntry = {
          namespace: metadata.namespace ?? 'default',
          name: metadata.name,
          portName: port.name ?? '',
          protocol,
          family,
          externalPolicy: spec.externalTrafficPolicy ?? 'Cluster',
          internalPolicy: spec.internalTrafficPolicy ?? 'Cluster',
          affinitySeconds:
            spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined,
          sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()),
          ...(wishes === undefined ? {} : { wishes }),
          backends: backendsOf(slices, { name: port.name ?? '', protocol }, family),
          localBackends: [],
        };
        for (const { ip, port: number, type } of addresses) {
          const key = keyOfFrontend(protocol, ip, number, family);
          const table = ip === undefined ? this.#byNodePort : this.#byAddress;
          // Two services with one shared address and port: the first keeps it, as in the service map.
          if (table.has(key)) continue;
          const frontend: SharedFrontend = { key, type, ip, port: number, entry };
          table.set(key, frontend);
          this.#use(ip, 1);
          made.push(frontend);
        }
      }
    }
    return made;
  }

  #use(address: Ip | undefined, by: number): void {
    if (address === undefined) return;
    const count = (this.#addressUses.get(address) ?? 0) + by;
    if (count <= 0) this.#addressUses.delete(address);
    else this.#addressUses.set(address, count);
  }
}

/** A stretch of the cluster's history through which an agent ran on the node. */
interface Term {
  readonly services: ClusterServices;
  /** What was there when it began. */
  readonly existing: readonly Service[];
  next: number;
  /** Undefined while it runs. */
  end: number | undefined;
  isBegun: boolean;
}

/**
 * The load balancing tables of one node: service and backend maps of the datapath. They are the cluster's, seen from this node; the
 * numbers that a node gives to frontends are worked out when somebody wants to know one.
 */
export class ServiceTable {
  readonly #nodeName: string;
  readonly #isExternalEnabled: boolean;
  readonly #families: readonly Family[];
  readonly #views = new WeakMap<SharedFrontend, Frontend>();
  readonly #terms: Term[] = [];
  readonly #ids = new Map<string, number>();
  #maps: FrontendMaps = { byAddress: new Map(), byNodePort: new Map(), addressUses: new Map() };
  #hostPorts: ReadonlyMap<string, Frontend> = new Map();
  #lastId = 0;

  /** Whether the agent's release heeds annotations of services. */
  knowsWishes: () => boolean = () => false;
  #nodeLabels: () => Readonly<Record<string, string>> = () => ({});

  constructor(nodeName: string, families: readonly Family[], isExternalEnabled: boolean) {
    this.#nodeName = nodeName;
    this.#families = families;
    this.#isExternalEnabled = isExternalEnabled;
  }

  /** From now on an agent keeps the tables. */
  attach(services: ClusterServices, nodeLabels: () => Readonly<Record<string, string>> = () => ({})): void {
    this.#nodeLabels = nodeLabels;
    this.#maps = services.maps;
    this.#terms.push({ services, existing: services.existing, next: services.history.length, end: undefined, isBegun: false });
  }

  /** The agent is gone: what it knew stays. */
  detach(): void {
    const term = this.#terms.at(-1);
    if (term === undefined || term.end !== undefined) return;
    term.end = term.services.history.length;
    this.#maps = term.services.snapshot();
  }

  /** In order of their ids. */
  get frontends(): readonly Frontend[] {
    const shared = [...this.#maps.byAddress.values(), ...this.#maps.byNodePort.values()].flatMap((frontend) => this.#seen(frontend) ?? []);
    return [...shared, ...this.#hostPorts.values()].sort((a, b) => a.id - b.id);
  }

  /** All host ports of the node's pods. */
  setHostPorts(ofPods: ReadonlyMap<string, readonly LocalFrontend[]>): void {
    const known = this.#hostPorts;
    const now = new Map<string, Frontend>();
    for (const frontend of [...ofPods.values()].flat()) {
      const { ip, port, entry } = frontend;
      if (!this.#families.includes(entry.family)) continue;
      const key = keyOfFrontend(entry.protocol, ip, port, entry.family);
      const same = known.get(key);
      if (now.has(key)) continue;
      now.set(key, same?.entry === entry ? same : { id: same?.id ?? this.#idOf(`host ${key}`), type: 'HostPort', ...frontend });
    }
    for (const key of known.keys()) if (!now.has(key)) this.#ids.delete(`host ${key}`);
    this.#hostPorts = now;
  }

  #hostPort(protocol: ServiceProtocol, ip: Ip | undefined, port: number, family: Family): Frontend | undefined {
    return this.#hostPorts.size === 0 ? undefined : this.#hostPorts.get(keyOfFrontend(protocol, ip, port, family));
  }

  /** Whether any service has this address (not counting node ports). */
  hasAddress(address: Ip): boolean {
    return this.#maps.addressUses.has(address);
  }

  lookup(protocol: ServiceProtocol, address: Ip, port: number): Frontend | undefined {
    const shared = this.#maps.addressUses.has(address)
      ? this.#seen(this.#maps.byAddress.get(entryKey(protocol, address.text, port)))
      : undefined;
    return shared ?? this.#hostPort(protocol, address, port, address.family);
  }

  lookupNodePort(protocol: ServiceProtocol, family: Family, port: number): Frontend | undefined {
    return this.#seen(this.#maps.byNodePort.get(`${entryKey(protocol, '*', port)} ${family}`));
  }

  /** A host port at any address of the node. */
  lookupHostPort(protocol: ServiceProtocol, family: Family, port: number): Frontend | undefined {
    return this.#hostPort(protocol, undefined, port, family);
  }

  #has({ family, type }: { readonly family: Family; readonly type: FrontendType }): boolean {
    return this.#families.includes(family) && (this.#isExternalEnabled || type === 'ClusterIP');
  }

  #seen(frontend: SharedFrontend | undefined): Frontend | undefined {
    if (frontend === undefined || !this.#has({ family: frontend.entry.family, type: frontend.type })) return undefined;
    if (frontend.entry.wishes !== undefined && this.knowsWishes() && !isWished(frontend.entry.wishes, frontend.type, this.#nodeLabels))
      return undefined;
    const known = this.#views.get(frontend);
    if (known !== undefined) return known;
    const { key, type, ip, port, entry } = frontend;
    const localBackends = entry.backends.filter(({ nodeName }) => nodeName === this.#nodeName);
    const idOf = (): number => this.#idOf(key);
    const view: Frontend = {
      get id() {
        return idOf();
      },
      type,
      ip,
      port,
      entry: { ...entry, localBackends },
    };
    this.#views.set(frontend, view);
    return view;
  }

  #idOf(key: string): number {
    for (const term of this.#terms) this.#catchUp(term);
    const last = this.#terms.length - 1;
    if (last > 0) this.#terms.splice(0, last);
    this.#number(key);
    return this.#ids.get(key) ?? 0;
  }

  #catchUp(term: Term): void {
    if (!term.isBegun) {
      term.isBegun = true;
      const names = term.existing.flatMap(namesOf).filter((name) => this.#has(name));
      const present = new Set(names.map(({ key }) => key));
      for (const key of [...this.#ids.keys()])
        if (!present.has(key.replace(/ at .*$/, '')) && !key.startsWith('host ')) this.#ids.delete(key);
      for (const key of present) this.#number(key);
    }
    const { history } = term.services;
    for (const end = term.end ?? history.length; term.next < end; term.next++) {
      const change = history[term.next];
      for (const key of change?.removed ?? []) {
        this.#ids.delete(key);
        if (isSurrogate(key)) this.#ids.delete(variantKey(key, surrogateText(key)));
      }
      for (const name of change?.added ?? []) if (this.#has(name)) this.#number(name.key);
    }
  }

  /** A node port has a frontend for the node's address and one for all its addresses: two numbers. */
  #number(key: string): void {
    if (this.#ids.has(key)) return;
    this.#ids.set(key, ++this.#lastId);
    if (isSurrogate(key)) this.#ids.set(variantKey(key, surrogateText(key)), ++this.#lastId);
  }

  /** The number of a frontend's other address, or of its other scope. */
  idOfVariant({ ip, port, entry }: Frontend, variant: string): number {
    return this.#idOf(variantKey(keyOfFrontend(entry.protocol, ip, port, entry.family), variant));
  }
}
