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

/** Address → identity, for every endpoint and node of the cluster; the rest is the world. */
export class Ipcache {
  readonly #entries = new Map<Ip, IpcacheEntry>();
  readonly #world: { readonly 4: IpcacheEntry; readonly 6: IpcacheEntry };

  /** CIDRs of the policies in force, each with an identity of this node's own. */
  readonly #cidrs = new PrefixTrie<IpcacheEntry>();
  readonly #isDualStack: boolean;
  #lastCidrId = localIdentityScope;

  constructor(isDualStack: boolean) {
    this.#isDualStack = isDualStack;
    this.#world = {
      4: { identity: reservedIdentity(worldIdentity(4, isDualStack)), nodeIp: undefined },
      6: { identity: reservedIdentity(worldIdentity(6, isDualStack)), nodeIp: undefined },
    };
  }

  get entries(): ReadonlyMap<Ip, IpcacheEntry> {
    return this.#entries;
  }

  get(ip: Ip): IpcacheEntry {
    return this.#entries.get(ip) ?? this.#cidrs.longestMatch(ip)?.value ?? this.#world[ip.family];
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
    return this.#entries.get(ip);
  }

  set(ip: Ip, entry: IpcacheEntry): void {
    this.#entries.set(ip, entry);
  }

  /** Only where it still is what the caller put there: a later owner keeps its address. */
  delete(ip: Ip, entry?: IpcacheEntry): void {
    if (entry === undefined || this.#entries.get(ip) === entry) this.#entries.delete(ip);
  }

  isLocalHost(ip: Ip): boolean {
    return this.#entries.get(ip)?.identity.id === reserved.host;
  }
}
