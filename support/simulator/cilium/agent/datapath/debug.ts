import { compareIps } from '../../../net/address.ts';
import { formatColumns, formatEgressList } from './egress-gateway.ts';
import type { IdentityStore } from './identities.ts';
import { reservedIdentity, reservedName } from './identity.ts';
import type { Kernel } from './kernel.ts';
import { eligibleBackends, type Frontend } from './services.ts';

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const ok = (stdout: string): Result => ({ stdout, stderr: '', exitCode: 0 });

/** The words of `cilium-dbg` that are about the datapath; undefined for all others. */
export function debugDatapath(kernel: Kernel, identities: IdentityStore, args: readonly string[]): Result | undefined {
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
      if (!kernel.config.hasEgressGateway) {
        return { stdout: '', stderr: 'Cannot find egress gateway bpf maps\n', exitCode: 1 };
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
      return ok(endpointList(kernel, output));
    case 'identity list':
      return ok(identityList(identities, output));
    case 'identity get': {
      const id = Number(words[2]);
      const identity = reservedName(id) === undefined ? identities.get(id) : reservedIdentity(id);
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

function endpointList(kernel: Kernel, output: 'text' | 'json'): string {
  const endpoints = [...kernel.endpointById.values()].sort((a, b) => a.id - b.id);
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
          'interface-name': endpoint.device.name,
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

function identityRows(list: readonly { readonly id: number; readonly labels: readonly string[] }[]): string {
  const rows: string[][] = [['ID', 'LABELS']];
  for (const identity of list) {
    const [first = '', ...rest] = identity.labels;
    rows.push([String(identity.id), first], ...rest.map((label) => ['', label]));
  }
  return columns(rows);
}

function identityList(identities: IdentityStore, output: 'text' | 'json'): string {
  const list = [...Array.from({ length: 10 }, (_, index) => reservedIdentity(index + 1)), ...identities.all];
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
