import { createSpeaker } from '../bgp/speaker.ts';
import type { BgpSpeaker, PeerConfig } from '../bgp/types.ts';
import { SimulatedClock } from '../clock/clock.ts';
import { Random } from '../clock/random.ts';
import type { CommandContext, Container } from '../docker/types.ts';
import { ip as ipCommand } from '../linux/commands/ip/ip.ts';
import { tcpdump } from '../linux/commands/traffic.ts';
import { ip, prefix } from '../net/address.ts';
import { createNetwork } from '../net/network.ts';
import type { Network, NetworkInterface, NetworkNamespace } from '../net/types.ts';
import { FrrRouter } from './router.ts';
import { VtyshSession } from './vtysh.ts';

/** `support/testdata/frr/lab.json`: the lab of the recordings. Times are seconds since the epoch. */
export interface LabFixture {
  readonly router: {
    readonly hostname: string;
    readonly asn: number;
    readonly routerId: string;
    readonly startedAt: number;
    readonly configuredAt: number;
    readonly management: { readonly device: string; readonly address: string; readonly gateway: string };
    readonly client: {
      readonly device: string;
      readonly addresses: readonly string[];
      readonly peerAddresses: readonly string[];
      readonly mac: string;
    };
    readonly blackholes: readonly string[];
    readonly configuration: readonly string[];
  };
  readonly nodes: readonly NodeFixture[];
  readonly service: readonly string[];
  readonly neighbour: NeighbourFixture;
  /** An AS number that no neighbour has. */
  readonly otherAsn: number;
  /** File and command, for each kind of snapshot. */
  readonly commands: Readonly<Record<'established' | 'first' | 'tables' | 'counted' | 'service', readonly (readonly [string, string])[]>>;
}

export interface NodeFixture {
  readonly hostname: string;
  readonly asn: number;
  readonly routerId: string;
  readonly device: string;
  readonly routerAddresses: readonly string[];
  readonly addresses: readonly string[];
  readonly routerMac: string;
  readonly prefixes: readonly string[];
  readonly establishedAt: number;
}

/** A neighbour that is FRR itself. */
export interface NeighbourFixture {
  readonly hostname: string;
  readonly device: string;
  readonly routerAddresses: readonly string[];
  readonly addresses: readonly string[];
  readonly routerMac: string;
  readonly mac: string;
  readonly blackholes: readonly string[];
  readonly configuration: readonly string[];
  readonly routerConfiguration: readonly string[];
  readonly commands: readonly (readonly [string, string])[];
}

/** Draws one end of the range always: the lowest lets a node dial five seconds after it started, the highest after nine. */
class OneEnd extends Random {
  readonly #lab: RecordedLab;

  constructor(seed: string, lab: RecordedLab) {
    super(seed);
    this.#lab = lab;
  }

  override integer(low: number, high: number): number {
    return this.#lab.waits === 'longest' ? high : low;
  }
}

const firstDialSeconds = 5;

interface Machine {
  readonly container: Container;
  readonly files: Map<string, string>;
}

/** As much of a container as its FRR and its `ip` ask for. */
function machine(hostname: string, namespace: NetworkNamespace, clock: SimulatedClock): Machine {
  const files = new Map<string, string>([['/etc/frr/daemons', 'bgpd=yes\n']]);
  const container = {
    id: `c0ffee ${hostname}`,
    name: hostname,
    hostname,
    imageReference: 'frrouting/frr:v8.4.4',
    namespace,
    clock,
    programs: [],
    background: new Set(),
    files: {
      read: (path: string) => files.get(path),
      write: (path: string, content: string) => {
        files.set(path, content);
      },
    },
    writeLog: () => undefined,
  } as unknown as Container;
  return { container, files };
}

/** The lab of the recordings for tests: router, nodes, and a vtysh. Nothing in it is used outside tests. */
export class RecordedLab {
  readonly clock: SimulatedClock;
  readonly fixture: LabFixture;
  readonly router: FrrRouter;
  readonly namespace: NetworkNamespace;
  readonly speakers = new Map<string, BgpSpeaker>();
  readonly nodeNamespaces = new Map<string, NetworkNamespace>();
  readonly files: ReadonlyMap<string, string>;
  /** The waits that the nodes draw. */
  waits: 'shortest' | 'longest' = 'shortest';
  readonly #container: Container;
  readonly #network: Network;
  #session: VtyshSession;

  constructor(fixture: LabFixture) {
    this.fixture = fixture;
    this.clock = new SimulatedClock((fixture.router.startedAt - 10) * 1000);
    const network = createNetwork({ clock: this.clock, random: new Random('recorded lab') });
    this.namespace = network.createNamespace(fixture.router.hostname);
    this.namespace.setSysctl('net.ipv4.ip_forward', '1');
    this.namespace.setSysctl('net.ipv6.conf.all.forwarding', '1');
    this.namespace.setSysctl('net.ipv6.conf.default.accept_dad', '0');
    const { management, client } = fixture.router;
    this.#network = network;
    this.#wire('management', management.device, [management.address], [`${management.gateway}/24`], undefined);
    for (const node of fixture.nodes) this.wireNode(node.hostname);
    this.#wire('client', client.device, client.addresses, client.peerAddresses, client.mac);
    this.clock.advance(5000);
    this.namespace.routes.add({ destination: prefix('0.0.0.0/0'), nextHops: [{ via: ip(management.gateway), device: management.device }] });
    for (const destination of fixture.router.blackholes)
      this.namespace.routes.add({
        destination: prefix(destination),
        type: 'blackhole',
        ...(destination.includes(':') ? { metric: 1024 } : {}),
      });
    const { container, files } = machine(fixture.router.hostname, this.namespace, this.clock);
    this.files = files;
    this.#container = container;
    this.router = new FrrRouter(container, this.clock);
    this.#session = new VtyshSession(this.router);
  }

  #wire(
    name: string,
    device: string,
    own: readonly string[],
    others: readonly string[],
    mac: string | undefined,
    otherMac?: string,
  ): NetworkNamespace {
    const namespace = this.#network.createNamespace(name);
    namespace.setSysctl('net.ipv6.conf.default.accept_dad', '0');
    const [here, there] = this.#network.createVeth(
      { namespace: this.namespace, name: device, ...(mac === undefined ? {} : { mac }) },
      { namespace, name: 'net0', ...(otherMac === undefined ? {} : { mac: otherMac }) },
    );
    here.setUp();
    there.setUp();
    for (const address of own) addAddress(here, address);
    for (const address of others) addAddress(there, address);
    return namespace;
  }

  /** A new node with a new link to the router. */
  wireNode(hostname: string): void {
    const node = this.node(hostname);
    this.nodeNamespaces.set(hostname, this.#wire(hostname, node.device, node.routerAddresses, node.addresses, node.routerMac));
  }

  /** The router's end of the node's link goes down, and comes up with the address that Linux took away. */
  flap(hostname: string): void {
    const { device, routerAddresses } = this.node(hostname);
    const found = this.namespace.getInterface(device);
    found?.setDown();
    found?.setUp();
    if (found !== undefined) addAddress(found, routerAddresses[1] as string);
  }

  stopNode(hostname: string, how: 'graceful' | 'killed' = 'killed'): void {
    this.speakers.get(hostname)?.stop(how);
    this.speakers.delete(hostname);
  }

  /** The node is gone with all that was in it; the kernel takes the router's end of the link away too. */
  destroyNode(hostname: string): void {
    this.stopNode(hostname);
    this.nodeNamespaces.get(hostname)?.getInterface('net0')?.delete();
  }

  /** FRR is started, nothing is configured. */
  start(): void {
    this.runUntil(this.fixture.router.startedAt);
    this.router.start();
  }

  configure(lines: readonly string[] = this.fixture.router.configuration): void {
    this.vtysh('configure terminal', ...lines, 'end');
  }

  /** Each line after the other; standard output and error of all. */
  vtysh(...lines: readonly string[]): string {
    let text = '';
    for (const line of lines) {
      const result = this.#session.run(line);
      text += result.out + result.error;
    }
    return text;
  }

  /** `ip` on the router. */
  async ip(...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await ipCommand(args, this.#context);
    return stdout + stderr;
  }

  /** `tcpdump` on the router: goes on until it has seen what `-c` says. @returns its lines */
  async tcpdump(...args: readonly string[]): Promise<readonly string[]> {
    return (await tcpdump(args, this.#context)).stdout.trimEnd().split('\n');
  }

  get #context(): CommandContext {
    return { container: this.#container, clock: this.clock } as unknown as CommandContext;
  }

  /** The neighbour that is FRR itself, on a new link. @returns how to ask its vtysh, and how to end it with its container */
  startNeighbour(): { vtysh(line: string): string; destroy(): void } {
    const { hostname, device, routerAddresses, addresses, routerMac, mac, blackholes, configuration } = this.fixture.neighbour;
    const namespace = this.#wire(hostname, device, routerAddresses, addresses, routerMac, mac);
    for (const destination of blackholes) namespace.routes.add({ destination: prefix(destination), type: 'blackhole' });
    const router = new FrrRouter(machine(hostname, namespace, this.clock).container, this.clock);
    router.start();
    this.clock.advance(2000);
    const session = new VtyshSession(router);
    for (const line of ['configure terminal', ...configuration, 'end']) session.run(line);
    return {
      vtysh: (line) => session.run(line).out,
      destroy: () => {
        router.kill();
        namespace.getInterface('net0')?.delete();
      },
    };
  }

  runUntil(seconds: number): void {
    this.clock.advance(seconds * 1000 - this.clock.now());
  }

  node(hostname: string): NodeFixture {
    const found = this.fixture.nodes.find((each) => each.hostname === hostname);
    if (found === undefined) throw new Error(`no node ${hostname} in the fixture`);
    return found;
  }

  startNode(hostname: string, changes: { readonly localAsn?: number; readonly peer?: Partial<PeerConfig> } = {}): BgpSpeaker {
    const node = this.node(hostname);
    const namespace = this.nodeNamespaces.get(hostname) as NetworkNamespace;
    const speaker = createSpeaker({
      namespace,
      clock: this.clock,
      random: new OneEnd(hostname, this),
      implementation: 'gobgp',
      localAsn: changes.localAsn ?? node.asn,
      routerId: ip(node.routerId),
      hostname,
      importPolicy: () => undefined,
    });
    for (const each of node.prefixes) speaker.originate({ prefix: prefix(each) });
    const peerAddress = (node.routerAddresses[1] ?? '').split('/')[0] ?? '';
    speaker.addPeer({
      address: ip(peerAddress),
      remoteAs: this.fixture.router.asn,
      port: 179,
      families: ['ipv4-unicast', 'ipv6-unicast'],
      holdTimeSeconds: 90,
      keepaliveSeconds: 30,
      connectRetrySeconds: 120,
      multihopTtl: 1,
      ...changes.peer,
    });
    this.speakers.set(hostname, speaker);
    return speaker;
  }

  /** FRR configured, and every node's session up at the second at which it was recorded. */
  establish(configuration: readonly string[] = this.fixture.router.configuration): void {
    this.start();
    this.runUntil(this.fixture.router.configuredAt);
    this.configure(configuration);
    for (const node of [...this.fixture.nodes].sort((a, b) => a.establishedAt - b.establishedAt)) {
      this.runUntil(node.establishedAt - firstDialSeconds);
      this.startNode(node.hostname);
    }
  }

  announceService(hostname: string): void {
    for (const each of this.fixture.service) this.speakers.get(hostname)?.originate({ prefix: prefix(each) });
  }

  withdrawService(hostname: string): void {
    for (const each of this.fixture.service) this.speakers.get(hostname)?.withdraw(prefix(each));
  }
}

export function addAddress(device: NetworkInterface, text: string): void {
  const [address, length] = text.split('/');
  device.addAddress(ip(address ?? ''), Number(length), { noDad: true });
}
