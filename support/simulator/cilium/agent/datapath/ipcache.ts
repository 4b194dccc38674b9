import { PrefixTrie } from '../../../net/prefix-trie.ts';
import type { Ip, Prefix } from '../../../net/types.ts';
import type { Identity } from '../../types.ts';
import { cidrIdentity, localIdentityScope, reserved, reservedIdentity, worldIdentity } from './identity.ts';

/** What a node knows of an address. Never changed in place, so flows may keep it. */
export interface IpcacheEntry {
  readonly identity: Identity;
  /** The InternalIP of the node that the address is behind: the tunnel's end. Undefined for a local one and for the world. */
  readonly nodeIp: Ip | undefined;
  readonly namespace?: string;
  readonly podName?: string;
  readonly workload?: { readonly kind: string; readonly name: string };
}

/** An address of a node, as that node sees it (undefined: the node has an entry of its own) and as all the others do. */
export interface NodeAddress {
  readonly node: string;
  readonly toItself: IpcacheEntry | undefined;
  readonly toOthers: IpcacheEntry;
}

/** What the whole cluster knows of its addresses: the same tables for every node. */
export interface ClusterAddresses {
  readonly nodes: ReadonlyMap<Ip, NodeAddress>;
  readonly endpoints: ReadonlyMap<Ip, IpcacheEntry>;
}

const nothing: ClusterAddresses = { nodes: new Map(), endpoints: new Map() };

/** Address → identity, for every endpoint and node of the cluster; the rest is the world. */
export class Ipcache {
  /** The cluster's tables while an agent runs, the last it left behind when none does. */
  cluster: ClusterAddresses = nothing;
  readonly #nodeName: string;
  /** What this node itself has put there: its endpoints, its addresses. */
  readonly #entries = new Map<Ip, IpcacheEntry>();
  readonly #world: { readonly 4: IpcacheEntry; readonly 6: IpcacheEntry };

  /** CIDRs of the policies in force, each with an identity of this node's own. */
  readonly #cidrs = new PrefixTrie<IpcacheEntry>();
  readonly #isDualStack: boolean;
  #lastCidrId = localIdentityScope;

  constructor(nodeName: string, isDualStack: boolean) {
    this.#nodeName = nodeName;
    this.#isDualStack = isDualStack;
    this.#world = {
      4: { identity: reservedIdentity(worldIdentity(4, isDualStack)), nodeIp: undefined },
      6: { identity: reservedIdentity(worldIdentity(6, isDualStack)), nodeIp: undefined },
    };
  }

  get entries(): ReadonlyMap<Ip, IpcacheEntry> {
    const all = new Map(this.cluster.endpoints);
    for (const address of this.cluster.nodes.keys()) {
      const entry = this.#ofNode(address);
      if (entry !== undefined) all.set(address, entry);
    }
    for (const [address, entry] of this.#entries) all.set(address, entry);
    return all;
  }

  get(ip: Ip): IpcacheEntry {
    return this.find(ip) ?? this.#cidrs.longestMatch(ip)?.value ?? this.#world[ip.family];
  }

  get cidrs(): readonly (readonly [Prefix, IpcacheEntry])[] {
    return [...this.#cidrs.entries()];
  }

  /** A CIDR that stays keeps its number; one that comes again gets a new one. The whole of a family is the world itself. */
  setCidrs(cidrs: readonly Prefix[]): void {
    const wanted = new Set(cidrs);
    for (const [cidr] of this.cidrs) if (!wanted.has(cidr)) this.#cidrs.delete(cidr);
    for (const cidr of wanted) {
      if (cidr.length === 0 || this.#cidrs.get(cidr) !== undefined) continue;
      this.#cidrs.set(cidr, { identity: cidrIdentity(++this.#lastCidrId, cidr, this.#isDualStack), nodeIp: undefined });
    }
  }

  find(ip: Ip): IpcacheEntry | undefined {
    return this.#entries.get(ip) ?? this.#ofNode(ip) ?? this.cluster.endpoints.get(ip);
  }

  #ofNode(ip: Ip): IpcacheEntry | undefined {
    const address = this.cluster.nodes.get(ip);
    return address?.node === this.#nodeName ? address.toItself : address?.toOthers;
  }

  set(ip: Ip, entry: IpcacheEntry): void {
    this.#entries.set(ip, entry);
  }

  /** Only where it still is what the caller put there: a later owner keeps its address. */
  delete(ip: Ip, entry?: IpcacheEntry): void {
    if (entry === undefined || this.#entries.get(ip) === entry) this.#entries.delete(ip);
  }

  isLocalHost(ip: Ip): boolean {
    return this.find(ip)?.identity.id === reserved.host;
  }
}
