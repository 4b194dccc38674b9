import type { LabDefinition } from '../content/lab.ts';
import { createSpeaker } from '../simulator/bgp/speaker.ts';
import type { BgpSpeaker } from '../simulator/bgp/types.ts';
import { SimulatedClock } from '../simulator/clock/clock.ts';
import { Random } from '../simulator/clock/random.ts';
import { deployTopology } from '../simulator/containerlab/deploy.ts';
import { createEngine } from '../simulator/docker/engine.ts';
import { parseImageFile } from '../simulator/docker/image-file.ts';
import type { Container, DockerEngine } from '../simulator/docker/types.ts';
import { frrCommands, frrImages } from '../simulator/frr/image.ts';
import { createShell } from '../simulator/linux/shell.ts';
import { ip, prefix } from '../simulator/net/address.ts';
import { createNetwork } from '../simulator/net/network.ts';

/** A node of the cluster, as its BGP speaker sees it. */
export interface SpeakingNode {
  readonly name: string;
  readonly asn: number;
  readonly router: string;
  readonly routerId: string;
  readonly prefixes: readonly string[];
}

/** The topology of a lab on the simulator without a cluster: its nodes are containers that speak BGP, as in the rig beside it. */
export class SimulatedTopology {
  readonly clock = new SimulatedClock(Date.UTC(2026, 0, 12, 8, 0, 0));
  readonly #engine: DockerEngine;
  readonly #speakers = new Map<string, BgpSpeaker>();

  constructor() {
    const random = new Random(1);
    const network = createNetwork({ clock: this.clock, random: random.stream('network') });
    const hostNamespace = network.createNamespace('host');
    this.#engine = createEngine({ network, clock: this.clock, random: random.stream('docker'), hostNamespace });
    this.#engine.shell = createShell(this.#engine);
    for (const image of frrImages) this.#engine.images.add(image);
    for (const [name, command] of frrCommands) this.#engine.commands.set(name, command);
  }

  async deploy(definition: LabDefinition, nodes: readonly SpeakingNode[]): Promise<void> {
    const { topology } = definition;
    if (topology === undefined) throw new Error('the lab has no topology');
    for (const { file, documents } of definition.images)
      for (const document of documents) for (const image of parseImageFile(document, file)) this.#engine.images.add(image);
    this.#engine.createNetwork({ name: 'kind', subnets: ['172.18.0.0/16'] });
    for (const { name } of nodes) {
      const container = this.#engine.createContainer({
        name,
        hostname: name,
        image: 'nicolaka/netshoot:v0.11',
        command: ['sleep', 'infinity'],
        networkMode: 'kind',
        privileged: true,
      });
      container.start();
    }
    const { files, parsed, source } = topology;
    await deployTopology(parsed, this.#engine, { path: source.file, files });
    this.clock.advance(5_000);
  }

  /** Starts the speaker of a node, and waits until its session is established. */
  speak(node: SpeakingNode): void {
    const container = this.#container(node.name);
    const speaker = createSpeaker({
      namespace: container.namespace,
      clock: this.clock,
      random: new Random(node.name),
      implementation: 'gobgp',
      localAsn: node.asn,
      routerId: ip(node.routerId),
      hostname: node.name,
      importPolicy: () => undefined,
    });
    for (const each of node.prefixes) speaker.originate({ prefix: prefix(each) });
    speaker.addPeer({
      address: ip(node.router),
      remoteAs: 65000,
      port: 179,
      families: ['ipv4-unicast', 'ipv6-unicast'],
      holdTimeSeconds: 90,
      keepaliveSeconds: 30,
      connectRetrySeconds: 120,
      multihopTtl: 1,
    });
    this.#speakers.set(node.name, speaker);
    this.clock.advance(15_000);
  }

  announce(node: string, prefixes: readonly string[]): void {
    for (const each of prefixes) this.#speakers.get(node)?.originate({ prefix: prefix(each) });
    this.clock.advance(2_000);
  }

  async run(container: string, argv: readonly string[]): Promise<{ readonly stdout: string; readonly exitCode: number }> {
    return await this.#engine.shell.exec(this.#container(container), argv, {});
  }

  #container(name: string): Container {
    const found = this.#engine.findContainer(name);
    if (found === undefined) throw new Error(`no container ${name}`);
    return found;
  }
}
