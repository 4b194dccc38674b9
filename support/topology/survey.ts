import type { LabDefinition } from '../content/lab.ts';
import type { Lab } from '../port/lab.ts';
import { containerName } from '../simulator/containerlab/topology.ts';
import type { Picture, PictureEnd, PictureLink, PictureNode, SessionState } from './picture.ts';

interface Session {
  readonly from: string;
  /** An address, or the interface of an unnumbered neighbor. */
  readonly peer: string;
  readonly state: SessionState;
}

interface Seen {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly as: number | undefined;
}

/** Looks at a running lab with the commands that a person would use. @returns undefined for a lab without a topology */
export async function survey(definition: LabDefinition, lab: Lab): Promise<Picture | undefined> {
  const topology = definition.topology?.parsed;
  if (topology === undefined) return undefined;
  const sessions: Session[] = [];
  const kubeNodes = await kubeNodesOf(lab);
  const byName = new Map(topology.nodes.map((node) => [node.name, node]));
  /** The box of a node: the container whose network it shares, else its own. */
  const boxOf = (name: string): string => {
    const lender = /^container:(.*)$/.exec(byName.get(name)?.networkMode ?? '')?.[1];
    if (lender === undefined) return name;
    return byName.has(lender) ? boxOf(lender) : lender;
  };
  const boxes = new Map<string, { readonly container: string; readonly guests: string[] }>();
  for (const name of kubeNodes.map((node) => node.name)) boxes.set(name, { container: name, guests: [] });
  for (const node of topology.nodes) {
    const box = boxOf(node.name);
    const known = boxes.get(box);
    if (box !== node.name) known?.guests.push(node.name);
    if (known === undefined) {
      const container = node.kind === 'ext-container' || box !== node.name ? box : containerName(topology, node.name);
      boxes.set(box, { container, guests: box === node.name ? [] : [node.name] });
    }
  }
  const seen = new Map<string, Seen>();
  for (const [box, { container }] of boxes) {
    const isBare = ['bridge', 'host', 'k8s-kind'].includes(byName.get(box)?.kind ?? '');
    const isRouter = /frr/.test(byName.get(box)?.image ?? '');
    seen.set(box, {
      addresses: isBare ? new Map() : await addressesOf(lab, container),
      as: isRouter ? await routerSessions(lab, box, container, sessions) : kubeNodes.find(({ name }) => name === box)?.as,
    });
  }
  for (const node of kubeNodes)
    for (const peer of node.peers) sessions.push({ from: node.name, peer: peer.address, state: peer.state.toLowerCase() });
  const end = (node: string, interfaceName: string): PictureEnd => {
    const box = boxOf(node);
    return { node: box, interfaceName, addresses: seen.get(box)?.addresses.get(interfaceName) ?? [] };
  };
  const links = topology.links.flatMap(({ a, b }): PictureLink[] => {
    if (b === undefined) return [];
    const ends = [end(a.node, a.interfaceName), end(b.node, b.interfaceName)] as const;
    return [{ a: ends[0], b: ends[1], session: sessionBetween(ends[0], ends[1], sessions, seen) }];
  });
  const pseudo = links.flatMap(({ a, b }) => [a.node, b.node]).filter((name) => !boxes.has(name));
  const nodes = [...boxes.keys(), ...new Set(pseudo)].map((id): PictureNode => {
    const kubeNode = kubeNodes.some(({ name }) => name === id);
    const guests = boxes.get(id)?.guests ?? [];
    const loopback = (seen.get(id)?.addresses.get('lo') ?? []).filter((address) => !/^(?:127\.|::1\/)/.test(address));
    return {
      id,
      kind: kubeNode ? 'kube-node' : seen.get(id)?.as === undefined ? 'host' : 'router',
      as: seen.get(id)?.as,
      details: [...loopback.map((address) => `lo ${address}`), ...(guests.length === 0 ? [] : [`with ${guests.join(', ')}`])],
      group: kubeNode ? 'Kubernetes cluster' : undefined,
    };
  });
  return { title: definition.title, nodes, links, groups: kubeNodes.length === 0 ? [] : ['Kubernetes cluster'] };
}

/** The worse one counts when the two ends do not agree. */
function sessionBetween(
  a: PictureEnd,
  b: PictureEnd,
  sessions: readonly Session[],
  seen: ReadonlyMap<string, Seen>,
): SessionState | undefined {
  const bare = (addresses: readonly string[]) => addresses.map((address) => address.replace(/\/\d+$/, ''));
  const states = [
    [a, b],
    [b, a],
  ].flatMap(([near, far]) => {
    if (near === undefined || far === undefined) return [];
    const loopbacks = [...(seen.get(far.node)?.addresses ?? [])]
      .filter(([name]) => !/^(?:eth|net)\d+$/.test(name))
      .flatMap(([, list]) => list);
    const peers = new Set([near.interfaceName, ...bare(far.addresses), ...bare(loopbacks)]);
    return sessions.filter(({ from, peer }) => from === near.node && peers.has(peer)).map(({ state }) => state);
  });
  return states.find((state) => state !== 'established') ?? states[0];
}

async function json(lab: Lab, container: string | undefined, argv: readonly string[]): Promise<unknown> {
  const result = container === undefined ? await lab.exec(argv) : await lab.execIn(container, argv);
  if (result.exitCode !== 0) return undefined;
  try {
    return JSON.parse(result.stdout) as unknown;
  } catch {
    return undefined;
  }
}

async function addressesOf(lab: Lab, container: string): Promise<ReadonlyMap<string, readonly string[]>> {
  interface Link {
    readonly ifname: string;
    readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
  }
  const links = ((await json(lab, container, ['ip', '-j', 'addr'])) ?? []) as readonly Link[];
  return new Map(
    links.map(({ ifname, addr_info = [] }) => [
      ifname,
      addr_info.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ]),
  );
}

async function routerSessions(lab: Lab, box: string, container: string, sessions: Session[]): Promise<number | undefined> {
  interface Summary {
    readonly as: number;
    readonly peers: Readonly<Record<string, { readonly state: string }>>;
  }
  const families = ((await json(lab, container, ['vtysh', '-c', 'show bgp summary json'])) ?? {}) as Readonly<
    Record<string, Partial<Summary>>
  >;
  for (const { peers } of Object.values(families))
    for (const [peer, { state }] of Object.entries(peers ?? {})) sessions.push({ from: box, peer, state: state.toLowerCase() });
  return Object.values(families).find(({ as }) => as !== undefined)?.as;
}

interface KubeNode {
  readonly name: string;
  readonly as: number | undefined;
  readonly peers: readonly { readonly address: string; readonly state: string }[];
}

async function kubeNodesOf(lab: Lab): Promise<readonly KubeNode[]> {
  interface List {
    readonly items?: readonly { readonly metadata: { readonly name: string } }[];
  }
  const list = ((await json(lab, undefined, ['kubectl', 'get', 'nodes', '-o', 'json'])) ?? {}) as List;
  const { Cilium } = await import('../tools/cilium.ts');
  const answer = await new Cilium(lab).bgpPeers().catch(() => undefined);
  const all = answer?.isEnabled === true ? answer.sessions : [];
  return (list.items ?? []).map(({ metadata: { name } }) => {
    const own = all.filter(({ node }) => node === name);
    return {
      name,
      as: own[0] === undefined ? undefined : Number(own[0].localAs),
      peers: own.map(({ peerAddress, state }) => ({ address: peerAddress, state: String(state) })),
    };
  });
}
