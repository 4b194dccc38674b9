import { compareIps } from '../../../net/address.ts';
import type { ClusterNode } from './cluster-view.ts';
import { formatColumns, formatEgressList } from './egress-gateway.ts';
import type { ClusterIdentities } from './identities.ts';
import { isIdentityLabel, reservedIdentity, reservedName } from './identity.ts';
import type { Kernel, LocalEndpoint } from './kernel.ts';

import { eligibleBackends, type Frontend } from './services.ts';

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const ok = (stdout: string): Result => ({ stdout, stderr: '', exitCode: 0 });

/** The words of `cilium-dbg` that are about the datapath; undefined for all others. */
export function debugDatapath(
  kernel: Kernel,
  identities: ClusterIdentities,
  nodes: readonly ClusterNode[],
  args: readonly string[],
): Result | undefined {
  const words: string[] = [];
  let output: 'text' | 'json' = 'text';
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '-o' || word === '--output') output = args[++index] === 'json' ? 'json' : 'text';
    else if (word.startsWith('-o') || word.startsWith('--output=')) output = word.endsWith('json') ? 'json' : 'text';
    else if (!word.startsWith('-')) words.push(word);
  }
  switch (words.slice(0, 3).join(' ')) {
    case 'bpf egress list':
    case 'bpf egress ls':
      if (!kernel.config.hasEgressGateway) {
        return { stdout: '', stderr: 'Cannot find egress gateway bpf maps\n', exitCode: 0 };
      }
      return formatEgressList(kernel.egress.entries, output);
    case 'bpf lb list':
      return ok(loadBalancerList(kernel));
    case 'bpf ipcache list':
      return ok(ipcacheList(kernel));
    default:
      break;
  }
  switch (words.slice(0, 2).join(' ')) {
    case 'service list':
      return ok(serviceList(kernel, output));
    case 'endpoint list':
      return ok(endpointList(kernel, nodes.find(({ name }) => name === kernel.node.name)?.labels ?? {}, output));
    case 'node list':
      return output === 'json' ? undefined : ok(nodeList(kernel, nodes));
    case 'identity list':
      return ok(identityList(kernel, identities, output));
    case 'identity get': {
      const id = Number(words[2]);
      const identity =
        reservedName(id) === undefined
          ? (identities.get(id) ?? kernel.ipcache.cidrs.find(([, entry]) => entry.identity.id === id)?.[1].identity)
          : reservedIdentity(id);
      if (identity === undefined)
        return {
          stdout: '',
          stderr: `Error: Cannot get identity for given ID ${words[2] ?? ''}: [GET /identity/{id}][404] getIdentityIdNotFound \n\n`,
          exitCode: 1,
        };
      return ok(
        output === 'json' ? `${JSON.stringify([{ id: identity.id, labels: identity.labels }], null, 2)}\n` : identityRows([identity]),
      );
    }
    case 'ip list':
      return ok(ipList(kernel));
    default:
      return undefined;
  }
}

function endpointText(address: { readonly text: string; readonly family: 4 | 6 }, port: number): string {
  return address.family === 6 ? `[${address.text}]:${port}` : `${address.text}:${port}`;
}

function frontendText(kernel: Kernel, frontend: Frontend): string[] {
  if (frontend.ip !== undefined) return [endpointText(frontend.ip, frontend.port)];
  const { family } = frontend.entry;
  const own = kernel.devices.flatMap((device) =>
    device.addresses.filter((address) => address.ip.family === family && address.scope === 'global').map((address) => address.ip),
  );
  return [...own, { text: family === 4 ? '0.0.0.0' : '::', family }].map((address) => endpointText(address, frontend.port));
}

function serviceList(kernel: Kernel, output: 'text' | 'json'): string {
  if (output === 'json') {
    const list = kernel.services.frontends.map((frontend) => ({
      spec: {
        id: frontend.id,
        'frontend-address': {
          ip: frontend.ip?.text ?? (frontend.entry.family === 4 ? '0.0.0.0' : '::'),
          port: frontend.port,
          protocol: frontend.entry.protocol.toUpperCase(),
          scope: 'external',
        },
        'backend-addresses': backendsOf(frontend).map((backend) => ({
          ip: backend.ip.text,
          port: backend.port,
          nodeName: backend.nodeName,
          state: backend.isTerminating ? 'terminating' : 'active',
        })),
        flags: {
          name: frontend.entry.name,
          namespace: frontend.entry.namespace,
          type: frontend.type,
          extTrafficPolicy: frontend.entry.externalPolicy,
          intTrafficPolicy: frontend.entry.internalPolicy,
        },
      },
    }));
    return `${JSON.stringify(list, null, 2)}\n`;
  }
  const rows: string[][] = [['ID', 'Frontend', 'Service Type', 'Backend']];
  for (const frontend of kernel.services.frontends) {
    for (const text of frontendText(kernel, frontend)) {
      const backends = backendsOf(frontend).map(
        (backend, index) =>
          `${index + 1} => ${endpointText(backend.ip, backend.port)} (${backend.isTerminating ? 'terminating' : 'active'})`,
      );
      rows.push([String(frontend.id), text, frontend.type, backends[0] ?? '']);
      for (const more of backends.slice(1)) rows.push(['', '', '', more]);
    }
  }
  return columns(rows);
}

function backendsOf(frontend: Frontend) {
  return eligibleBackends(frontend, 'external');
}

function loadBalancerList(kernel: Kernel): string {
  const rows: string[][] = [['SERVICE ADDRESS', 'BACKEND ADDRESS (REVNAT_ID) (SLOT)']];
  for (const frontend of kernel.services.frontends) {
    for (const text of frontendText(kernel, frontend)) {
      const zero = frontend.entry.family === 4 ? '0.0.0.0:0' : '[::]:0';
      rows.push([`${text} (0)`, `${zero} (${frontend.id}) (0) [${frontend.type}]`]);
      for (const [index, backend] of backendsOf(frontend).entries())
        rows.push([`${text} (${index + 1})`, `${endpointText(backend.ip, backend.port)} (${frontend.id}) (${index + 1})`]);
    }
  }
  return columns(rows);
}

/** The node itself is an endpoint, too: without addresses, and with the node's own labels that make identities. */
function hostEndpoint(
  kernel: Kernel,
  nodeLabels: Readonly<Record<string, string>>,
): Pick<LocalEndpoint, 'id' | 'identity' | 'podNamespace' | 'podName' | 'ips' | 'policy'> & { readonly device?: undefined } {
  const random = kernel.random.stream('host endpoint');
  let id = random.integer(1, 4095);
  while (kernel.endpointById.has(id)) id = random.integer(1, 4095);
  const labels = Object.entries(nodeLabels)
    .filter(([key]) => isIdentityLabel(key, []))
    .map(([key, value]) => (value === '' ? `k8s:${key}` : `k8s:${key}=${value}`));
  return {
    id,
    identity: { id: 1, labels: [...labels, 'reserved:host'].sort() },
    podNamespace: '',
    podName: '',
    ips: [],
    policy: undefined,
  };
}

function endpointList(kernel: Kernel, nodeLabels: Readonly<Record<string, string>>, output: 'text' | 'json'): string {
  const endpoints = [...kernel.endpointById.values(), hostEndpoint(kernel, nodeLabels)].sort((a, b) => a.id - b.id);
  if (output === 'json') {
    const list = endpoints.map((endpoint) => ({
      id: endpoint.id,
      status: {
        identity: { id: endpoint.identity.id, labels: endpoint.identity.labels },
        'external-identifiers': { 'k8s-namespace': endpoint.podNamespace, 'k8s-pod-name': endpoint.podName },
        networking: {
          addressing: [
            {
              ipv4: endpoint.ips.find((address) => address.family === 4)?.text,
              ipv6: endpoint.ips.find((address) => address.family === 6)?.text,
            },
          ],
          'interface-name': endpoint.device?.name ?? 'cilium_host',
        },
        state: 'ready',
      },
    }));
    return `${JSON.stringify(list, null, 2)}\n`;
  }
  const rows: string[][] = [
    ['ENDPOINT', 'POLICY (ingress)', 'POLICY (egress)', 'IDENTITY', 'LABELS (source:key[=value])', 'IPv6', 'IPv4', 'STATUS'],
    ['', 'ENFORCEMENT', 'ENFORCEMENT', '', '', '', '', ''],
  ];
  for (const endpoint of endpoints) {
    const word = (rules: unknown): string => (rules === undefined ? 'Disabled' : 'Enabled');
    const [first = '', ...rest] = endpoint.identity.labels;
    rows.push([
      String(endpoint.id),
      word(endpoint.policy?.ingress),
      word(endpoint.policy?.egress),
      String(endpoint.identity.id),
      first,
      endpoint.ips.find((address) => address.family === 6)?.text ?? '',
      endpoint.ips.find((address) => address.family === 4)?.text ?? '',
      'ready',
    ]);
    for (const label of rest) rows.push(['', '', '', '', label, '', '', '']);
  }
  return columns(rows);
}

function nodeList(kernel: Kernel, nodes: readonly ClusterNode[]): string {
  const of = <T extends { readonly family: 4 | 6; readonly text: string }>(list: readonly T[], family: 4 | 6): string =>
    list.find((item) => item.family === family)?.text ?? '';
  const { clusterName } = kernel.config;
  const rows = nodes.map((node) => [
    clusterName === 'default' ? node.name : `${clusterName}/${node.name}`,
    kernel.config.hasIpv4 ? of(node.internalIps, 4) : '',
    kernel.config.hasIpv4 ? of(node.podCidrs, 4) : '',
    kernel.config.hasIpv6 ? of(node.internalIps, 6) : '',
    kernel.config.hasIpv6 ? of(node.podCidrs, 6) : '',
    node.name === kernel.node.name ? 'local' : 'custom-resource',
  ]);
  return formatColumns([['Name', 'IPv4 Address', 'Endpoint CIDR', 'IPv6 Address', 'Endpoint CIDR', 'Source'], ...rows]);
}

function identityRows(list: readonly { readonly id: number; readonly labels: readonly string[] }[]): string {
  const rows: string[][] = [['ID', 'LABELS']];
  for (const identity of list) {
    const [first = '', ...rest] = identity.labels;
    rows.push([String(identity.id), first], ...rest.map((label) => ['', label]));
  }
  return columns(rows);
}

function identityList(kernel: Kernel, identities: ClusterIdentities, output: 'text' | 'json'): string {
  const list = [
    ...Array.from({ length: 10 }, (_, index) => reservedIdentity(index + 1)),
    ...identities.all,
    ...kernel.ipcache.cidrs.map(([, entry]) => entry.identity),
  ];
  return output === 'json'
    ? `${JSON.stringify(
        list.map(({ id, labels }) => ({ id, labels })),
        null,
        2,
      )}\n`
    : identityRows(list);
}

function ipcacheList(kernel: Kernel): string {
  const rows: string[][] = [['IP PREFIX/ADDRESS', 'IDENTITY']];
  const world = (family: 4 | 6, text: string): void => {
    rows.push([
      text,
      `identity=${kernel.ipcache.get({ family, text: '', value: 0n }).identity.id} encryptkey=0 tunnelendpoint=0.0.0.0, flags=<none>`,
    ]);
  };
  for (const [address, entry] of sortedEntries(kernel)) {
    rows.push([
      `${address.text}/${address.family === 4 ? 32 : 128}`,
      `identity=${entry.identity.id} encryptkey=0 tunnelendpoint=${entry.nodeIp?.text ?? '0.0.0.0'}, flags=<none>`,
    ]);
  }
  if (kernel.config.hasIpv4) world(4, '0.0.0.0/0');
  if (kernel.config.hasIpv6) world(6, '::/0');
  return columns(rows);
}

function ipList(kernel: Kernel): string {
  const rows: string[][] = [['IP', 'IDENTITY', 'SOURCE']];
  for (const [address, entry] of sortedEntries(kernel)) {
    const name = reservedName(entry.identity.id);
    const [first = '', ...rest] = name === undefined ? entry.identity.labels : [`reserved:${name}`];
    rows.push(
      [`${address.text}/${address.family === 4 ? 32 : 128}`, first, entry.podName === undefined ? 'local' : 'custom-resource'],
      ...rest.map((label) => ['', label, '']),
    );
  }
  return columns(rows);
}

function sortedEntries(kernel: Kernel) {
  return [...kernel.ipcache.entries].sort(([a], [b]) => a.family - b.family || compareIps(a, b));
}

/** cilium-dbg's tables end every cell with a tab, so that the last column is padded too. */
function columns(rows: readonly (readonly string[])[]): string {
  return formatColumns(rows.map((row) => [...row, '']));
}
