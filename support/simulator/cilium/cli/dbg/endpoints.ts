import type { CommandResult } from '../../../docker/types.ts';
import { isIdentityLabel } from '../../agent/datapath/identity.ts';
import type { LocalEndpoint } from '../../agent/datapath/kernel.ts';
import type { EndpointPolicy } from '../../agent/datapath/policy.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import { formatTabs } from '../tab-writer.ts';
import { fatal, ok, printOutput, wide } from './output.ts';
import { policyEntries } from './policy-map.ts';

/** What the tool shows of an endpoint: one of a pod, that of the health probes, or the node itself. */
export type ShownEndpoint = Pick<LocalEndpoint, 'id' | 'identity' | 'podNamespace' | 'podName' | 'containerId' | 'ips' | 'policy'> & {
  readonly kind: LocalEndpoint['kind'] | 'host';
  readonly device?: LocalEndpoint['device'];
  readonly inside?: LocalEndpoint['inside'];
};

/** The node itself is an endpoint, too: without addresses, and with the node's own labels that make identities. */
function hostEndpoint({ kernel, nodes }: DatapathState): ShownEndpoint {
  const random = kernel.random.stream('host endpoint');
  let id = random.integer(1, 4095);
  while (kernel.endpointById.has(id)) id = random.integer(1, 4095);
  const labels = Object.entries(nodes.find(({ name }) => name === kernel.node.name)?.labels ?? {})
    .filter(([key]) => isIdentityLabel(key, []))
    .map(([key, value]) => (value === '' ? `k8s:${key}` : `k8s:${key}=${value}`));
  return {
    id,
    kind: 'host',
    identity: { id: 1, labels: [...labels, 'reserved:host'].sort() },
    podNamespace: '',
    podName: '',
    containerId: '',
    ips: [],
    policy: undefined,
  };
}

export function endpointsOf(state: DatapathState): readonly ShownEndpoint[] {
  return [...state.kernel.endpointById.values(), hostEndpoint(state)].toSorted((a, b) => a.id - b.id);
}

const word = (rules: unknown): string => (rules === undefined ? 'Disabled' : 'Enabled');
const addressOf = (endpoint: ShownEndpoint, family: 4 | 6): string => endpoint.ips.find((address) => address.family === family)?.text ?? '';

/** `endpoint list`. */
export function endpointList(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  const endpoints = endpointsOf(state);
  const titles = [
    ['ENDPOINT', 'POLICY (ingress)', 'POLICY (egress)', 'IDENTITY', 'LABELS (source:key[=value])', 'IPv6', 'IPv4', 'STATUS', ''],
    ['', 'ENFORCEMENT', 'ENFORCEMENT', '', '', '', '', '', ''],
  ];
  // The titles wait in the table's writer, which is never flushed before JSON.
  const printed = printOutput(
    output,
    endpoints.map((endpoint) => endpointModel(state, endpoint)),
  );
  if (printed !== undefined) return printed;
  const rows = endpoints.flatMap((endpoint) => {
    const [first = 'no labels', ...rest] = endpoint.identity.labels;
    return [
      [
        String(endpoint.id),
        word(endpoint.policy?.ingress),
        word(endpoint.policy?.egress),
        String(endpoint.identity.id),
        first,
        addressOf(endpoint, 6),
        addressOf(endpoint, 4),
        'ready',
        '',
      ],
      ...rest.map((label) => ['', '', '', '', label, '', '', '', '']),
    ];
  });
  return ok(formatTabs([...(args.includes('--no-headers') ? [] : titles), ...rows], wide));
}

/** `endpoint get`: JSON, with or without `-o json`. */
export function endpointGet(state: DatapathState, args: readonly string[], output: string | undefined): CommandResult {
  const labels = labelArguments(args);
  const words = args.filter((arg, index) => !arg.startsWith('-') && !['-l', '--labels'].includes(args[index - 1] ?? ''));
  const all = endpointsOf(state);
  if (labels.length > 0) {
    const found = all.filter((endpoint) => labels.every((label) => endpoint.identity.labels.some((own) => matchesLabel(own, label))));
    if (found.length === 0)
      return fatal(`Cannot get endpoints for given list of labels [${labels.join(' ')}]: [GET /endpoint][404] getEndpointNotFound \n`);
    return printModels(
      found.map((endpoint) => endpointModel(state, endpoint)),
      output,
    );
  }
  const [id] = words;
  if (id === undefined) return fatal('Missing endpoint id argument\n');
  const found = findEndpoint(all, id);
  if (found === undefined) return fatal(`Cannot get endpoint ${id}: [GET /endpoint/{id}][404] getEndpointIdNotFound \n`);
  return printModels([endpointModel(state, found)], output);
}

const printModels = (models: readonly unknown[], output: string | undefined): CommandResult =>
  printOutput(output, models) ?? ok(`${JSON.stringify(models, undefined, 2)}\n\n`);

/** `k8s:app=web`, or `app=web` of any source. */
function matchesLabel(own: string, label: string): boolean {
  return own === label || own.slice(own.indexOf(':') + 1) === label || own === label.replace(/^any:/, 'k8s:');
}

function labelArguments(args: readonly string[]): string[] {
  const found: string[] = [];
  for (const [index, arg] of args.entries()) {
    if (arg === '-l' || arg === '--labels') found.push(...(args[index + 1] ?? '').split(','));
    else if (arg.startsWith('--labels=')) found.push(...arg.slice('--labels='.length).split(','));
  }
  return found;
}

/** By number, or by one of the names that the agent gives (pkg/endpoint/id): `cep-name:ns/pod`, `pod-name:ns:pod`, `ipv4:…`. */
export function findEndpoint(all: readonly ShownEndpoint[], text: string): ShownEndpoint | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) return all.find(({ id }) => String(id) === text);
  const [prefix, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  switch (prefix) {
    case 'cilium-local':
      return all.find(({ id }) => String(id) === rest);
    case 'cep-name':
    case 'pod-name':
      return all.find(({ podNamespace, podName }) => podName !== '' && `${podNamespace}/${podName}` === rest.replace(':', '/'));
    case 'ipv4':
    case 'ipv6':
      return all.find(({ ips }) => ips.some((address) => address.text === rest));
    case 'container-id':
      return all.find(({ containerId }) => containerId !== '' && containerId === rest);
    default:
      return undefined;
  }
}

/** Of the agent's model of an endpoint (api/v1/models/endpoint.go) what the simulator knows. */
function endpointModel(state: DatapathState, endpoint: ShownEndpoint): unknown {
  const { kernel } = state;
  const ports = endpoint.kind === 'pod' ? kernel.namedPorts.findAll(`${endpoint.podNamespace}/${endpoint.podName}`) : [];
  const policy = policyModel(state, endpoint);
  const labels = { 'security-relevant': endpoint.identity.labels, realized: {} };
  return {
    id: endpoint.id,
    spec: { 'label-configuration': {} },
    status: {
      'external-identifiers':
        endpoint.kind === 'pod'
          ? {
              'cni-attachment-id': `${endpoint.containerId}:eth0`,
              'container-id': endpoint.containerId,
              'k8s-namespace': endpoint.podNamespace,
              'k8s-pod-name': endpoint.podName,
              'pod-name': `${endpoint.podNamespace}/${endpoint.podName}`,
            }
          : {},
      health: { bpf: 'OK', connected: true, overallHealth: 'OK', policy: 'OK' },
      identity: { id: endpoint.identity.id, labels: endpoint.identity.labels },
      labels,
      ...(ports.length === 0 ? {} : { 'named-ports': ports.map(({ name, port, protocol }) => ({ name, port, protocol })) }),
      networking: {
        addressing: [
          endpoint.kind === 'host'
            ? {}
            : {
                ...(addressOf(endpoint, 4) === '' ? {} : { ipv4: addressOf(endpoint, 4), 'ipv4-pool-name': 'default' }),
                ...(addressOf(endpoint, 6) === '' ? {} : { ipv6: addressOf(endpoint, 6), 'ipv6-pool-name': 'default' }),
              },
        ],
        ...(endpoint.inside === undefined ? {} : { 'container-interface-name': endpoint.inside.name }),
        ...(endpoint.device === undefined ? {} : { 'host-mac': endpoint.device.mac, 'interface-index': endpoint.device.index }),
        'interface-name': endpoint.device?.name ?? 'cilium_host',
        ...(endpoint.inside === undefined ? {} : { mac: endpoint.inside.mac }),
      },
      policy: { 'proxy-statistics': [], realized: policy, spec: policy },
      realized: { 'label-configuration': {} },
      state: 'ready',
    },
  };
}

/** `none`, `ingress`, `egress`, `both`. */
function enforcementOf(policy: EndpointPolicy | undefined): string {
  if (policy?.ingress === undefined) return policy?.egress === undefined ? 'none' : 'egress';
  return policy.egress === undefined ? 'ingress' : 'both';
}

function policyModel(state: DatapathState, endpoint: ShownEndpoint): unknown {
  const entries = policyEntries(state, endpoint);
  // Identities with a way in or out as a whole: those of entries for all ports.
  const ids = (direction: 'INGRESS' | 'EGRESS', isDeny: boolean): readonly number[] =>
    [
      ...new Set(
        entries
          .filter((entry) => entry.direction === direction && entry.isDeny === isDeny && entry.protocol === 'any')
          .map(({ identity }) => identity),
      ),
    ].toSorted((a, b) => a - b);
  const { revision } = state.policies;
  return {
    'allowed-egress-identities': ids('EGRESS', false),
    'allowed-ingress-identities': ids('INGRESS', false),
    build: revision,
    'denied-egress-identities': ids('EGRESS', true),
    'denied-ingress-identities': ids('INGRESS', true),
    id: endpoint.identity.id,
    'policy-enabled': enforcementOf(endpoint.policy),
    'policy-revision': revision,
  };
}
