import type { Command, CommandResult } from '../../docker/types.ts';
import type { InspectableAgent } from '../agent/agent.ts';
import { formatCommunity } from '../agent/bgp/communities.ts';
import type { ExportPolicy } from '../agent/bgp/route-policies.ts';
import { formatDevices, formatL2Table, type TableStyle } from '../agent/l2-announcer/tables.ts';
import { type LoadBalancerIpPool, resources } from '../objects.ts';
import { isAtLeast } from '../version.ts';
import { takeFlag, unknownCommand } from './arguments.ts';
import { bgpTabs, formatAgentPeers, peerJson } from './bgp-peers.ts';
import { parseRouteQuery, routeCells, routeJson, routeRows, routesRefusal } from './bgp-routes.ts';
import { showState } from './dbg/commands.ts';
import { formatTabs } from './tab-writer.ts';

const ok = (stdout: string): CommandResult => ({ stdout, stderr: '', exitCode: 0 });
const fail = (stderr: string): CommandResult => ({ stdout: '', stderr: `${stderr}\n`, exitCode: 1 });

/** `cilium-dbg` (also installed as `cilium`) in an agent's container. */
export function createCiliumDbg(agent: InspectableAgent): Command {
  return (args) => {
    const [word, ...rest] = args;
    if (word === 'version')
      return ok(`Client: ${agent.context.version.text} linux/amd64\nDaemon: ${agent.context.version.text} linux/amd64\n`);
    if (agent.parts === undefined) {
      return fail(
        'Error: Cannot get status/config: Get "http://localhost/v1/config": dial unix /var/run/cilium/cilium.sock: connect: no such file or directory\nIs the agent running?',
      );
    }
    if (word === 'bgp') return bgp(agent, rest);
    if (word === 'statedb' && !isAtLeast(agent.context.version, 18)) {
      const shown = stateTable(agent, rest, 'statedb');
      if (shown !== undefined) return shown;
    }
    if (word === 'shell') {
      const words = rest.filter((part) => part !== '--').flatMap((part) => part.split(/\s+/));
      const shown = words[0] === 'db/show' ? stateTable(agent, words.slice(1), 'shell') : undefined;
      if (shown !== undefined) return shown;
      if (words[0] === 'bgp/peers') return bgp(agent, ['peers']);
    }
    const answer = showState(agent, args) ?? agent.debug(args);
    if (answer !== undefined) return answer;
    if (word === 'encrypt' && rest[0] === 'status') return ok(`Encryption: ${'Disabled'.padEnd(26)}\n`);
    if (word !== undefined && !word.startsWith('-') && !commands.includes(word)) {
      const text = unknownCommand(word, 'cilium-dbg', commands);
      // Cobra says it on standard error, and the tool's main once more on standard output.
      return { stdout: `${text}\n`, stderr: `Error: ${text}\nRun 'cilium-dbg --help' for usage.\n`, exitCode: 1 };
    }
    return fail(`not simulated: cilium-dbg ${args.join(' ')}`);
  };
}

/** Commands of cilium-dbg 1.16 (documentation, "Command Cheatsheet"). */
const commands: readonly string[] = [
  ...['bgp', 'bpf', 'build-config', 'cgroups', 'cleanup', 'completion', 'config', 'debuginfo', 'encrypt', 'endpoint', 'envoy', 'fqdn'],
  ...['help', 'identity', 'ip', 'kvstore', 'lrp', 'map', 'metrics', 'monitor', 'node', 'nodeid', 'policy', 'post-uninstall-cleanup'],
  ...['preflight', 'prefilter', 'recorder', 'service', 'shell', 'statedb', 'status', 'troubleshoot', 'version'],
];

function bgp(agent: InspectableAgent, args: readonly string[]): CommandResult {
  const plane = agent.parts?.bgp;
  const words = [...args];
  const output = takeFlag(words, ['-o', '--output']);
  const isJson = output === 'json';
  if (plane === undefined) return ok('BGP Control Plane is disabled\n');
  const indent = (value: unknown) => ok(`${JSON.stringify(value, undefined, 2)}\n`);
  switch (words[0]) {
    case 'peers':
    case 'neighbors': {
      const peers = plane.peers();
      return isJson ? indent(peers.map(peerJson)) : ok(formatAgentPeers(peers));
    }
    case 'routes': {
      const query = parseRouteQuery(words.slice(1));
      if ('problem' in query) return fail(`Error: ${query.problem}`);
      const rows = routeRows(plane, query, agent.context.clock.now());
      if ('problem' in rows) return fail(routesRefusal(rows.problem));
      if (isJson) return indent(rows.map(routeJson));
      const titles = ['VRouter', ...(query.table === 'advertised' ? ['Peer'] : []), 'Prefix', 'NextHop', 'Age', 'Attrs'];
      const lines = rows.map((row) => [String(row.routerAsn), ...routeCells(row)]);
      return ok(`${query.note === undefined ? '' : `${query.note}\n\n`}${formatTabs([titles, ...lines], bgpTabs)}`);
    }
    case 'route-policies':
      return routePolicies(agent, words.slice(1));
    default:
      return fail(`Error: unknown command "${words[0] ?? ''}" for "cilium-dbg bgp"`);
  }
}

const several = (values: readonly string[]) => (values.length > 1 ? values.map((value) => `{${value}}`).join(' ') : (values[0] ?? ''));

/** A policy's name stands before its first statement only; the import policy has one that matches all that is local. */
function exportPolicyLines(localAsn: number, policies: readonly ExportPolicy[], hasFamilies: boolean): readonly string[][] {
  const none = hasFamilies ? [''] : [];
  const rows = policies.map(({ name, statements }) => ({
    name,
    lines: statements.map(({ peer, prefixes, actions }, index) => [
      ...(index === 0 ? [String(localAsn), name, 'export'] : ['', '', '']),
      peer,
      ...none,
      several(prefixes.map(({ text, length }) => `${text} (${length}..${length})`)),
      'none',
      several(actions),
    ]),
  }));
  rows.push({ name: 'allow-local', lines: [[String(localAsn), 'allow-local', 'import', '', ...none, '', 'accept', '']] });
  return rows.toSorted((a, b) => (a.name < b.name ? -1 : 1)).flatMap(({ lines }) => lines);
}

function routePolicies(agent: InspectableAgent, args: readonly string[]): CommandResult {
  const routers = agent.parts?.bgp?.routers ?? [];
  const asn = args[0] === 'vrouter' ? Number(args[1]) : undefined;
  const hasFamilies = isAtLeast(agent.context.version, 18);
  const lines = [
    [
      'VRouter',
      'Policy Name',
      'Type',
      'Match Peers',
      ...(hasFamilies ? ['Match Families'] : []),
      'Match Prefixes (Min..Max Len)',
      'RIB Action',
      'Path Actions',
    ],
  ];
  for (const { desired, policies } of routers) {
    if (asn !== undefined && desired.localAsn !== asn) continue;
    if (desired.exportPolicies !== undefined) {
      const own = desired.exportPolicies(agent.context.api.list<LoadBalancerIpPool>(resources.pool));
      lines.push(...exportPolicyLines(desired.localAsn, own, hasFamilies));
      continue;
    }
    const groups = new Map<
      string,
      { readonly peer: string; readonly prefixes: string[]; readonly actions: string; readonly family: string; readonly name: string }
    >();
    for (const { peer, prefix, rule } of policies) {
      const actions = [
        ...(rule.localPref === undefined ? [] : [`SetLocalPreference: ${rule.localPref}`]),
        ...(rule.communities.length === 0 ? [] : [`AddCommunities: [${rule.communities.map(formatCommunity).join(' ')}]`]),
        ...(rule.largeCommunities.length === 0
          ? []
          : [`AddLargeCommunities: [${rule.largeCommunities.map((value) => value.join(':')).join(' ')}]`]),
      ];
      const key = `${rule.policyName} ${peer} ${actions.join()}`;
      const group = groups.get(key) ?? {
        peer,
        prefixes: [],
        actions: several(actions),
        family: `ipv${prefix.family}/unicast`,
        name: rule.policyName,
      };
      group.prefixes.push(`${prefix.text} (${prefix.length}..${prefix.length})`);
      groups.set(key, group);
    }
    const rows = [...groups.values()].map(({ name, peer, prefixes, actions, family }) => [
      name,
      'export',
      `${peer}/${peer.includes(':') ? 128 : 32}`,
      ...(hasFamilies ? [family] : []),
      several(prefixes.toSorted()),
      desired.exportsByDefault ? 'none' : 'accept',
      actions,
    ]);
    rows.push(['allow-local', 'import', '', ...(hasFamilies ? [''] : []), '', 'accept', '']);
    const sorted = rows.toSorted((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
    lines.push(...sorted.map((row) => [String(desired.localAsn), ...row]));
  }
  return ok(formatTabs(lines, bgpTabs));
}

/** Tables of the agent's state that the model has; undefined for the others. */
function stateTable(agent: InspectableAgent, args: readonly string[], style: TableStyle): CommandResult | undefined {
  if (agent.parts === undefined) return undefined;
  const words = [...args];
  const isJson = style === 'shell' && takeFlag(words, ['-o', '-format', '--format']) === 'json';
  const { l2, datapath } = agent.parts;
  if (words.length === 1 && words[0] === 'l2-announce') {
    const rows = style === 'statedb' ? l2.writes : l2.table;
    return ok(
      isJson
        ? rows.map(({ ip, device }) => `${JSON.stringify({ IP: ip.text, NetworkInterface: device }, undefined, 2)}\n`).join('')
        : formatL2Table(rows, style),
    );
  }
  if (words.length === 1 && words[0] === 'devices' && !isJson)
    return ok(formatDevices(agent.context.node.namespace.interfaces, datapath.devices, style));
  return undefined;
}
