import { createRequire } from 'node:module';
import type { Answer, Packet as DnsMessage, RecordType } from 'dns-packet';
import { parseIp } from './address.ts';
import type { Family, Ip, ListeningSocket, NetworkNamespace, UdpSocket } from './types.ts';

export interface DnsQuestion {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV' | 'PTR' | (string & {});
}

export interface DnsAnswer {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  /** An address or name; for SRV `{ priority, weight, port, target }`. */
  readonly data: unknown;
}

export interface DnsReply {
  readonly rcode: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL';
  readonly answers: readonly DnsAnswer[];
  readonly authorities?: readonly DnsAnswer[];
  readonly additionals?: readonly DnsAnswer[];
  /** The server speaks for the zone, and asks nobody else. */
  readonly isAuthoritative?: boolean;
}

/** `name`: the one of the search list that exists. */
export type ResolveResult =
  | { readonly ips: Ip[]; readonly name?: string }
  | { readonly error: 'NXDOMAIN' | 'SERVFAIL' | 'TIMEOUT' | 'NODATA' };

interface DnsCodec {
  encode(message: DnsMessage): Uint8Array;
  decode(bytes: Uint8Array): DnsMessage & { rcode?: string };
}

const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const;
const recursionDesired = 1 << 8;
const recursionAvailable = 1 << 7;
const authoritativeAnswer = 1 << 10;
/** resolv.conf(5): RES_TIMEOUT and RES_DFLRETRY. */
const serverTimeoutMs = 5_000;
const attempts = 2;

let codec: DnsCodec | undefined;

/** dns-packet takes a while to load and few runs ask for a name, so it comes with the first message. */
function dnsCodec(): DnsCodec {
  codec ??= createRequire(import.meta.url)('dns-packet') as DnsCodec;
  return codec;
}

/**
 * Answers DNS questions over UDP (RFC 1035).
 * @throws NetworkErrorLike EADDRINUSE, EADDRNOTAVAIL
 */
export function serveDns(
  namespace: NetworkNamespace,
  options: { readonly port?: number; readonly ip?: Ip; readonly program?: string },
  answer: (question: DnsQuestion) => DnsReply,
): ListeningSocket {
  const port = options.port ?? 53;
  const { ip, program } = options;
  const socket = namespace.sockets.bindUdp({ port, ...(ip === undefined ? {} : { ip }), ...(program === undefined ? {} : { program }) });
  socket.onDatagram = (payload, from, to) => {
    const query = decode(payload);
    const question = query?.questions?.[0];
    if (query === undefined || query.type !== 'query' || question === undefined) return;
    const { rcode, answers, authorities, additionals, isAuthoritative } = answer({ name: question.name, type: question.type });
    const records = (list: readonly DnsAnswer[] | undefined): Answer[] => (list ?? []).map((record) => record as Answer);
    const response: DnsMessage = {
      type: 'response',
      id: query.id ?? 0,
      flags: recursionDesired | (isAuthoritative === true ? authoritativeAnswer : recursionAvailable) | rcodes.indexOf(rcode),
      questions: [question],
      answers: records(answers),
      authorities: records(authorities),
      additionals: records(additionals),
    };
    socket.send(dnsCodec().encode(response), from, to.ip);
  };
  return { protocol: 'udp', ip, family: ip?.family, port, program, close: () => socket.close() };
}

/** Puts one question to one server, as `dig` does; `undefined` when no answer came in time. */
export function askDns(
  namespace: NetworkNamespace,
  server: Ip,
  question: DnsQuestion,
  timeoutMs: number,
  done: (reply: (DnsReply & { readonly rcode: string }) | undefined) => void,
): void {
  const socket = namespace.sockets.bindUdp({});
  const finish = (reply: DnsReply | undefined): void => {
    socket.onError = undefined;
    timer.cancel();
    socket.close();
    done(reply);
  };
  const timer = namespace.network.clock.schedule(timeoutMs, () => finish(undefined));
  socket.onError = () => finish(undefined);
  socket.onDatagram = (payload) => {
    const message = decode(payload);
    if (message?.type !== 'response') return;
    const records = (list: readonly Answer[] | undefined): readonly DnsAnswer[] => (list ?? []) as unknown as readonly DnsAnswer[];
    finish({
      rcode: (rcodes[(message.flags ?? 0) & 15] ?? 'SERVFAIL') as DnsReply['rcode'],
      answers: records(message.answers),
      authorities: records(message.authorities),
      additionals: records(message.additionals),
      isAuthoritative: ((message.flags ?? 0) & authoritativeAnswer) !== 0,
    });
  };
  const query: DnsMessage = {
    type: 'query',
    id: 1,
    flags: recursionDesired,
    questions: [{ name: question.name.replace(/\.$/, ''), type: question.type as RecordType }],
  };
  socket.send(dnsCodec().encode(query), { ip: server, port: 53 });
}

/** The names that a stub resolver tries for one, in order: resolv.conf(5), `ndots` and `search`. */
export function searchNames(name: string, namespace: NetworkNamespace): readonly string[] {
  return candidates(name, namespace.resolver);
}

/**
 * Resolves a name as a C library does: a literal is itself, then `/etc/hosts`, then the name servers of
 * resolv.conf with its search list. Addresses come with IPv6 first where there is a way to them (RFC 6724).
 */
export function resolveName(
  namespace: NetworkNamespace,
  name: string,
  options: { readonly families: readonly Family[]; readonly timeoutMs?: number },
  done: (result: ResolveResult) => void,
): void {
  const { clock } = namespace.network;
  const { families } = options;
  const literal = parseIp(name);
  if (literal !== undefined) {
    clock.schedule(0, () => done(families.includes(literal.family) ? { ips: [literal] } : { error: 'NODATA' }));
    return;
  }
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const listed = namespace.hosts.get(bare) ?? namespace.hosts.get(bare.toLowerCase());
  const local = (listed ?? []).filter(({ family }) => families.includes(family));
  if (local.length > 0) {
    clock.schedule(0, () => done({ ips: inOrder(namespace, local) }));
    return;
  }
  if (!isHostName(bare)) {
    clock.schedule(0, () => done({ error: 'NXDOMAIN' }));
    return;
  }
  if (namespace.resolver.nameservers.length === 0) {
    // glibc asks this host then, and nobody listens.
    clock.schedule(0, () => done({ error: 'SERVFAIL' }));
    return;
  }
  new Resolution(namespace, candidates(name, namespace.resolver), families, options.timeoutMs, done).start();
}

/** resolv.conf(5), `ndots` and `search`. */
function candidates(name: string, { search, ndots }: NetworkNamespace['resolver']): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const dots = name.split('.').length - 1;
  const searched = search.filter((domain) => domain !== '.').map((domain) => `${name}.${domain}`);
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

class Resolution {
  readonly #namespace: NetworkNamespace;
  readonly #names: readonly string[];
  readonly #families: readonly Family[];
  readonly #done: (result: ResolveResult) => void;
  readonly #deadline: number;
  #socket: UdpSocket | undefined;
  #name = 0;
  #server = 0;
  #attempt = 0;
  #round = 0;
  #open = new Map<number, Family>();
  #found: Ip[] = [];
  #isMissing = true;
  #sawNoData = false;
  #sawServfail = false;
  #sawTimeout = false;
  #isOver = false;

  constructor(
    namespace: NetworkNamespace,
    names: readonly string[],
    families: readonly Family[],
    timeoutMs: number | undefined,
    done: (result: ResolveResult) => void,
  ) {
    this.#namespace = namespace;
    this.#names = names;
    this.#families = families;
    this.#done = done;
    this.#deadline = namespace.network.clock.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
    if (timeoutMs !== undefined) namespace.network.clock.schedule(timeoutMs, () => this.#finish({ error: 'TIMEOUT' }));
  }

  start(): void {
    this.#ask();
  }

  /** Asks one server for every family at once, as glibc does. */
  #ask(): void {
    const server = this.#namespace.resolver.nameservers[this.#server];
    const name = this.#names[this.#name];
    if (server === undefined || name === undefined) {
      this.#nextServer();
      return;
    }
    this.#open = new Map();
    this.#found = [];
    this.#isMissing = true;
    const socket = this.#newSocket();
    const round = ++this.#round;
    for (const family of this.#families) {
      // Numbers only have to differ within the resolution: its socket is its own.
      const id = (round * 2 + this.#open.size) & 0xffff;
      this.#open.set(id, family);
      const query: DnsMessage = {
        type: 'query',
        id,
        flags: recursionDesired,
        questions: [{ name, type: (family === 4 ? 'A' : 'AAAA') satisfies RecordType }],
      };
      socket.send(dnsCodec().encode(query), { ip: server, port: 53 });
    }
    const { clock } = this.#namespace.network;
    const waitMs = Math.min(serverTimeoutMs, this.#deadline - clock.now());
    clock.schedule(waitMs, () => {
      if (this.#isOver || round !== this.#round) return;
      this.#sawTimeout = true;
      this.#nextServer();
    });
  }

  /** Each server is asked from a socket of its own, so that late errors and answers of another do no harm. */
  #newSocket(): UdpSocket {
    this.#closeSocket();
    const socket = this.#namespace.sockets.bindUdp({});
    socket.onDatagram = (payload) => this.#answer(payload);
    // Refused or unreachable: the next server, without waiting.
    socket.onError = () => this.#nextServer();
    this.#socket = socket;
    return socket;
  }

  #closeSocket(): void {
    if (this.#socket === undefined) return;
    this.#socket.onError = undefined;
    this.#socket.close();
    this.#socket = undefined;
  }

  #answer(payload: Uint8Array): void {
    const message = decode(payload);
    if (this.#isOver || message === undefined || message.type !== 'response' || !this.#open.delete(message.id ?? 0)) return;
    const rcode = rcodes[(message.flags ?? 0) & 15];
    if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') {
      this.#sawServfail = true;
      this.#nextServer();
      return;
    }
    if (rcode === 'NOERROR') this.#isMissing = false;
    for (const record of message.answers ?? []) {
      const address = record.type === 'A' || record.type === 'AAAA' ? parseIp(String(record.data)) : undefined;
      if (address !== undefined && this.#families.includes(address.family)) this.#found.push(address);
    }
    if (this.#open.size > 0) return;
    if (this.#found.length > 0) this.#finish({ ips: inOrder(this.#namespace, this.#found), name: this.#names[this.#name] as string });
    else {
      if (!this.#isMissing) this.#sawNoData = true;
      this.#nextName();
    }
  }

  #nextName(): void {
    this.#name++;
    this.#server = 0;
    this.#attempt = 0;
    if (this.#name < this.#names.length) this.#ask();
    else this.#finish({ error: this.#sawServfail ? 'SERVFAIL' : this.#sawTimeout ? 'TIMEOUT' : this.#sawNoData ? 'NODATA' : 'NXDOMAIN' });
  }

  #nextServer(): void {
    if (this.#isOver) return;
    this.#round++;
    this.#server++;
    if (this.#server >= this.#namespace.resolver.nameservers.length) {
      this.#server = 0;
      this.#attempt++;
    }
    // A server that cannot be asked ends the search: the other names would fare no better.
    if (this.#attempt >= attempts) this.#finish({ error: this.#sawServfail || !this.#sawTimeout ? 'SERVFAIL' : 'TIMEOUT' });
    else this.#ask();
  }

  #finish(result: ResolveResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closeSocket();
    this.#done(result);
  }
}

/** Addresses that can be reached first, and among them IPv6 before IPv4 (RFC 6724 §6, rules 1 and 6). */
function inOrder(namespace: NetworkNamespace, ips: readonly Ip[]): Ip[] {
  const rank = (ip: Ip): number => {
    const decision = namespace.routes.lookup(ip);
    const isUsable = decision.kind === 'local' || (decision.kind === 'forward' && decision.source !== undefined);
    return (isUsable ? 0 : 2) + (ip.family === 6 ? 0 : 1);
  };
  return [...ips].sort((a, b) => rank(a) - rank(b));
}

function isHostName(name: string): boolean {
  return name.length > 0 && name.length <= 253 && name.split('.').every((label) => label.length > 0 && label.length <= 63);
}

function decode(payload: Uint8Array): (DnsMessage & { rcode?: string }) | undefined {
  try {
    return dnsCodec().decode(payload);
  } catch {
    // Not a DNS message: a server ignores it.
    return undefined;
  }
}
