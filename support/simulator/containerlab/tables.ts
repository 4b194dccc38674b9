import { humanDuration } from '../docker/text-table.ts';
import type { Container, DockerEngine } from '../docker/types.ts';
import { type BoxRow, boxTable } from './box-table.ts';
import type { DeployedLab } from './deploy.ts';

// What `containerlab deploy` and `inspect` print, as containerlab 0.68.0 on a real engine does (recorded with lab images, no terminal).

interface NodeDetails {
  readonly lab: DeployedLab;
  readonly owner: string;
  readonly name: string;
  readonly id: string;
  readonly image: string;
  readonly kind: string;
  readonly state: string;
  readonly status: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

const noAddress = 'N/A';

/** Nodes of labs in the order in which containerlab lists them: by lab, then by name. */
function detailsOf(labs: readonly DeployedLab[], engine: DockerEngine): readonly NodeDetails[] {
  return labs
    .flatMap((lab) => [...lab.containers].map(([name, container]) => details(lab, name, container, engine)))
    .sort((a, b) => compare(a.lab.topology.name, b.lab.topology.name) || compare(a.name, b.name));
}

function details(lab: DeployedLab, node: string, container: Container, engine: DockerEngine): NodeDetails {
  const network = engine.findNetwork(lab.topology.mgmt.network);
  const member = [...(network?.members.values() ?? [])].find((candidate) => candidate.container === container);
  const address = (family: 4 | 6) => {
    const ip = member?.ips.find((candidate) => candidate.family === family);
    const length = network?.subnets.find((subnet) => subnet.prefix.family === family)?.prefix.length;
    return ip === undefined || container.state !== 'running' ? noAddress : `${ip.text}/${length}`;
  };
  return {
    lab,
    owner: container.options.labels?.['clab-owner'] ?? '',
    name: container.name,
    id: container.id.slice(0, 12),
    image: container.imageReference,
    kind: lab.topology.nodes.find((candidate) => candidate.name === node)?.kind ?? '',
    state: container.state,
    status: statusOf(container, engine.clock.now()),
    ipv4: address(4),
    ipv6: address(6),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function statusOf(container: Container, now: number): string {
  if (container.state === 'exited') return `Exited (${container.exitCode}) ${humanDuration(now - (container.finishedAt ?? now))} ago`;
  if (container.state !== 'running' && container.state !== 'paused') return container.state;
  return `Up ${humanDuration(now - (container.startedAt ?? now))}${container.state === 'paused' ? ' (Paused)' : ''}`;
}

export interface TableStyle {
  readonly isBold: boolean;
  /** With the topology file and the lab's name in front (`inspect --all`). */
  readonly isAll?: boolean;
  /** With the owner (`--wide`). */
  readonly isWide?: boolean;
}

export function nodeTable(labs: readonly DeployedLab[], engine: DockerEngine, style: TableStyle): string {
  const before = (node: NodeDetails): readonly string[] => [
    ...(style.isAll === true ? [shownPath(node.lab.path), node.lab.topology.name] : []),
    ...(style.isWide === true ? [node.owner] : []),
  ];
  let last: NodeDetails | undefined;
  const rows = detailsOf(labs, engine).map((node): BoxRow => {
    const isSameLab = last?.lab === node.lab;
    last = node;
    const bare = (address: string) => address.replace(/\/\d+$/, '');
    return {
      cells: [
        ...before(node).map((text) => [text]),
        [node.name],
        [node.kind, node.image],
        [node.state, ''],
        [bare(node.ipv4), bare(node.ipv6)],
      ],
      sharedCells: isSameLab ? before(node).length : 0,
    };
  });
  const header = [
    ...(style.isAll === true ? ['Topology', 'Lab Name'] : []),
    ...(style.isWide === true ? ['Owner'] : []),
    ...['Name', 'Kind/Image', 'State', 'IPv4/6 Address'],
  ];
  return boxTable(header, rows, { isBold: style.isBold });
}

/** The file as seen from the home of the lab's terminal. */
function shownPath(path: string): string {
  return path.replace(/^\/root\//, '');
}

export function nodeJson(labs: readonly DeployedLab[], engine: DockerEngine): string {
  const byLab: Record<string, unknown[]> = {};
  for (const node of detailsOf(labs, engine)) {
    const { name } = node.lab.topology;
    byLab[name] ??= [];
    byLab[name].push({
      lab_name: name,
      labPath: shownPath(node.lab.path),
      absLabPath: node.lab.path,
      name: node.name,
      container_id: node.id,
      image: node.image,
      kind: node.kind,
      state: node.state,
      status: node.status,
      ipv4_address: node.ipv4,
      ipv6_address: node.ipv6,
      ...(node.owner === '' ? {} : { owner: node.owner }),
    });
  }
  return `${JSON.stringify(byLab, undefined, 2)}\n`;
}

/** `inspect interfaces`. */
export function interfaceTable(lab: DeployedLab, node: string | undefined, style: TableStyle): string {
  const rows: BoxRow[] = [];
  const named = [...lab.containers].filter(([name, container]) => node === undefined || node === name || node === container.name);
  for (const [, container] of named.sort(([, a], [, b]) => compare(a.name, b.name))) {
    const devices = [...container.namespace.interfaces].sort((a, b) => compare(a.name, b.name));
    devices.forEach((device, at) => {
      const isLoopback = device.kind === 'loopback';
      const state = isLoopback ? 'unknown' : !device.isAdminUp ? 'down' : device.hasCarrier ? 'up' : 'lower-layer-down';
      rows.push({
        cells: [
          [container.name],
          [device.name],
          ['N/A'],
          [isLoopback ? '' : device.mac],
          [String(device.index).padStart(5)],
          [String(device.mtu).padStart(5)],
          [isLoopback ? 'device' : device.kind],
          [state],
        ],
        sharedCells: at === 0 ? 0 : 1,
      });
    });
  }
  return boxTable(['Container Name', 'Name', 'Alias', 'MAC', 'Index', 'MTU', 'Type', 'State'], rows, { isBold: style.isBold });
}
