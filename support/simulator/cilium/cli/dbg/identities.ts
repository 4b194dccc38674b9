import type { CommandResult } from '../../../docker/types.ts';
import { compareIps } from '../../../net/address.ts';
import { reservedIdentity, reservedName } from '../../agent/datapath/identity.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import type { Identity } from '../../types.ts';
import { formatTabs } from '../tab-writer.ts';
import { endpointsOf } from './endpoints.ts';
import { fatal, mapObject, mapTable, ok, printOutput, wide } from './output.ts';

const model = ({ id, labels }: Identity) => ({ id, labels });

function allIdentities({ identities, kernel }: DatapathState): readonly Identity[] {
  return [
    ...Array.from({ length: 10 }, (_, index) => reservedIdentity(index + 1)),
    ...identities.all,
    ...kernel.ipcache.cidrs.map(([, entry]) => entry.identity),
  ];
}

function identityTable(list: readonly Identity[]): string {
  const rows = list.flatMap(({ id, labels: [first = '', ...rest] }) => [[String(id), first], ...rest.map((label) => ['', label])]);
  return formatTabs([['ID', 'LABELS'], ...rows], { minWidth: 2, padding: 3 });
}

/** `identity list`, with labels that it must have, or of the node's endpoints alone. */
export function identityList(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  if (args.includes('--endpoints')) {
    const counts = new Map<number, { readonly identity: Identity; count: number }>();
    for (const { identity } of endpointsOf(state)) {
      const known = counts.get(identity.id);
      if (known === undefined) counts.set(identity.id, { identity, count: 1 });
      else known.count++;
    }
    const list = [...counts.values()].toSorted((a, b) => a.identity.id - b.identity.id);
    const printed = printOutput(
      output,
      list.map(({ identity, count }) => ({ identity: model(identity), refCount: count })),
    );
    if (printed !== undefined) return printed;
    const rows = list.flatMap(
      ({
        identity: {
          id,
          labels: [first = '', ...rest],
        },
        count,
      }) => [[String(id), first, String(count), ''], ...rest.map((label) => ['', label, ''])],
    );
    return ok(formatTabs([['ID', 'LABELS', 'REFCOUNT'], ...rows], wide));
  }
  const wanted = args.filter((arg) => !arg.startsWith('-'));
  // With labels the allocator is asked for the identity that has just these.
  const list =
    wanted.length === 0
      ? allIdentities(state)
      : allIdentities(state).filter(({ labels }) => labels.length === wanted.length && wanted.every((label) => labels.includes(label)));
  if (wanted.length > 0 && list.length === 0)
    return fatal(`Cannot get identities for given labels [${wanted.join(' ')}]. err: [GET /identity][404] getIdentityNotFound \n`);
  return printOutput(output, list.map(model)) ?? ok(identityTable(list));
}

/** `identity get ID`. */
export function identityGet(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult | undefined {
  const [text] = args.filter((arg) => !arg.startsWith('-'));
  if (text === undefined || args.some((arg) => arg.startsWith('--label'))) return undefined;
  const found = allIdentities(state).find(({ id }) => String(id) === text);
  if (found === undefined) return fatal(`Cannot get identity for given ID ${text}: [GET /identity/{id}][404] getIdentityIdNotFound \n`);
  return printOutput(output, [model(found)]) ?? ok(identityTable([found]));
}

const sortedEntries = ({ kernel }: DatapathState) =>
  [...kernel.ipcache.entries].toSorted(([a], [b]) => a.family - b.family || compareIps(a, b));

/** `ip list`: the agent's own view of addresses; `-n` numbers, `-v` all fields. */
export function ipList(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  const isNumeric = args.includes('-n') || args.includes('--numeric');
  const isVerbose = args.includes('-v') || args.includes('--verbose');
  const entries = sortedEntries(state).map(([address, entry]) => ({
    cidr: `${address.text}/${address.family === 4 ? 32 : 128}`,
    identity: entry.identity,
    source: entry.podName === undefined ? 'local' : 'custom-resource',
    host: entry.nodeIp?.text ?? '',
    entry,
  }));
  const printed = printOutput(
    output,
    entries.map(({ cidr, identity, source, host, entry }) => ({
      cidr,
      ...(host === '' ? {} : { hostIP: host }),
      identity: identity.id,
      metadata: { ...(entry.podName === undefined ? {} : { name: entry.podName, namespace: entry.namespace }), source },
    })),
  );
  if (printed !== undefined) return printed;
  const rows = entries.flatMap(({ cidr, identity, source, host }) => {
    const name = reservedName(identity.id);
    const [first = '', ...rest] = isNumeric
      ? [String(identity.id)]
      : name === undefined
        ? identity.labels
        : reservedIdentity(identity.id).labels;
    return [[cidr, first, source, ...(isVerbose ? [host, '0'] : [])], ...rest.map((label) => ['', label, ''])];
  });
  return ok(formatTabs([['IP', 'IDENTITY', 'SOURCE', ...(isVerbose ? ['HOST', 'ENCRYPT_KEY'] : [])], ...rows], wide));
}

/** `bpf ipcache list`: what the kernel's programs see. */
export function ipcacheList(state: DatapathState, output: string | undefined): CommandResult {
  const { kernel } = state;
  const value = (id: number, end: string | undefined): string =>
    `identity=${id} encryptkey=0 tunnelendpoint=${end ?? '0.0.0.0'}, flags=<none>`;
  const rows: (readonly [string, string])[] = sortedEntries(state).map(([address, entry]) => [
    `${address.text}/${address.family === 4 ? 32 : 128}`,
    value(entry.identity.id, entry.nodeIp?.text),
  ]);
  for (const [cidr, entry] of kernel.ipcache.cidrs) rows.push([cidr.text, value(entry.identity.id, undefined)]);
  for (const family of [4, 6] as const) {
    if (!(family === 4 ? kernel.config.hasIpv4 : kernel.config.hasIpv6)) continue;
    const world = kernel.ipcache.get({ family, text: '', value: 0n }).identity.id;
    rows.push([family === 4 ? '0.0.0.0/0' : '::/0', value(world, undefined)]);
  }
  return printOutput(output, mapObject(rows)) ?? ok(mapTable('IP PREFIX/ADDRESS', 'IDENTITY', rows));
}
