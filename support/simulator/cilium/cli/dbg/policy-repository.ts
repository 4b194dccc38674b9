import type { CommandResult } from '../../../docker/types.ts';
import type { KubernetesObject, LabelSelector } from '../../../kubernetes/types.ts';
import type { CiliumDirection, CiliumPolicyObject, CiliumRule } from '../../agent/datapath/policy-cilium.ts';
import type { NetworkPolicyObject } from '../../agent/datapath/policy-kubernetes.ts';
import type { DatapathState } from '../../agent/datapath/state.ts';
import { ok, printOutput } from './output.ts';

const namespaceKey = 'k8s:io.kubernetes.pod.namespace';
type Json = Readonly<Record<string, unknown>>;

/** `policy get`: the rules as the agent keeps them, each with the labels of the object that it comes from. */
export function policyGet(state: DatapathState, output: string | undefined): CommandResult {
  const rules = state.policies.objects.flatMap(rulesOf);
  const policy = JSON.stringify(rules, undefined, 2);
  const { revision } = state.policies;
  return printOutput(output, { policy, revision }) ?? ok(`${policy}\nRevision: ${revision}\n`);
}

function rulesOf(object: KubernetesObject): readonly Json[] {
  if (object.kind === 'NetworkPolicy') return [networkPolicyRule(object as NetworkPolicyObject)];
  const { spec, specs } = object as CiliumPolicyObject;
  return [...(spec === undefined ? [] : [spec]), ...(specs ?? [])].map((rule) => ciliumRule(rule, object));
}

const label = (key: string, value: string) => ({ key: `io.cilium.k8s.policy.${key}`, value, source: 'k8s' });

function labelsOf(object: KubernetesObject): readonly Json[] {
  const { name, namespace, uid } = object.metadata;
  return [
    label('derived-from', object.kind),
    label('name', name),
    ...(namespace === undefined ? [] : [label('namespace', namespace)]),
    label('uid', uid ?? ''),
  ];
}

/** Keys with their source: `any` where the author named none. */
function sourced(selector: LabelSelector, source: 'any' | 'k8s', more: Readonly<Record<string, string>> = {}): Json {
  const key = (text: string) =>
    /^(any|k8s|reserved)[:.]/.test(text)
      ? text.replace(/^(any|k8s|reserved)\./, '$1:')
      : `${/^io\.kubernetes\.pod\.namespace$|^io\.cilium\.k8s\./.test(text) ? 'k8s' : source}:${text}`;
  const labels = { ...Object.fromEntries(Object.entries(selector.matchLabels ?? {}).map(([name, value]) => [key(name), value])), ...more };
  const expressions = (selector.matchExpressions ?? []).map(({ key: name, operator, values }) => ({
    key: key(name),
    operator,
    ...(values === undefined || values.length === 0 ? {} : { values }),
  }));
  return {
    ...(Object.keys(labels).length === 0
      ? {}
      : { matchLabels: Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))) }),
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
  };
}

function ciliumRule(rule: CiliumRule, object: KubernetesObject): Json {
  const { namespace } = object.metadata;
  const own = namespace === undefined ? {} : { [namespaceKey]: namespace };
  const namesNamespace = (selector: LabelSelector) =>
    [...Object.keys(selector.matchLabels ?? {}), ...(selector.matchExpressions ?? []).map(({ key }) => key)].some((key) =>
      /(^|[:.])(io\.kubernetes\.pod\.namespace$|io\.cilium\.k8s\.namespace\.labels)|^reserved[:.]/.test(key),
    );
  const direction = (fields: readonly CiliumDirection[] | undefined) =>
    fields?.map((field) =>
      Object.fromEntries(
        Object.entries(field).map(([name, value]) =>
          name === 'fromEndpoints' || name === 'toEndpoints'
            ? [name, (value as readonly LabelSelector[]).map((selector) => sourced(selector, 'any', namesNamespace(selector) ? {} : own))]
            : [name, value],
        ),
      ),
    );
  const has = (...lists: readonly (readonly unknown[] | undefined)[]) => lists.some((list) => (list ?? []).length > 0);
  const given = (name: 'ingress' | 'ingressDeny' | 'egress' | 'egressDeny') => (has(rule[name]) ? { [name]: direction(rule[name]) } : {});
  return {
    ...(rule.nodeSelector === undefined
      ? { endpointSelector: sourced(rule.endpointSelector ?? {}, 'any', own) }
      : { nodeSelector: sourced(rule.nodeSelector, 'any') }),
    ...given('ingress'),
    ...given('ingressDeny'),
    ...given('egress'),
    ...given('egressDeny'),
    labels: labelsOf(object),
    enableDefaultDeny: {
      ingress: rule.enableDefaultDeny?.ingress ?? has(rule.ingress, rule.ingressDeny),
      egress: rule.enableDefaultDeny?.egress ?? has(rule.egress, rule.egressDeny),
    },
  };
}

function networkPolicyRule(object: NetworkPolicyObject): Json {
  const { spec = {} } = object;
  const namespace = object.metadata.namespace ?? 'default';
  const types = spec.policyTypes ?? ((spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress']);
  const side = (
    word: 'from' | 'to',
    entries: readonly { readonly peers: readonly PeerField[] | undefined; readonly ports: readonly PortField[] | undefined }[],
  ) =>
    // Without a rule nothing is let through: an entry that selects nobody stands for that.
    entries.length === 0
      ? [{}]
      : entries.map(({ peers, ports }) => ({
          ...(peers === undefined || peers.length === 0 ? { [`${word}Endpoints`]: [{}] } : peerFields(word, peers, namespace)),
          ...(ports === undefined || ports.length === 0
            ? {}
            : {
                toPorts: ports.map(({ port, endPort, protocol }) => ({
                  ports: [{ port: String(port ?? 0), ...(endPort === undefined ? {} : { endPort }), protocol: protocol ?? 'TCP' }],
                })),
              }),
        }));
  return {
    endpointSelector: sourced(spec.podSelector ?? {}, 'k8s', { [namespaceKey]: namespace }),
    ...(types.includes('Ingress')
      ? {
          ingress: side(
            'from',
            (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports })),
          ),
        }
      : {}),
    ...(types.includes('Egress')
      ? {
          egress: side(
            'to',
            (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports })),
          ),
        }
      : {}),
    labels: labelsOf(object),
    enableDefaultDeny: { ingress: types.includes('Ingress'), egress: types.includes('Egress') },
  };
}

type Rules = NonNullable<NetworkPolicyObject['spec']>;
type PeerField = NonNullable<NonNullable<Rules['ingress']>[number]['from']>[number];
type PortField = NonNullable<NonNullable<Rules['ingress']>[number]['ports']>[number];

function peerFields(word: 'from' | 'to', peers: readonly PeerField[], namespace: string): Json {
  const endpoints: Json[] = [];
  const cidrs: Json[] = [];
  for (const { ipBlock, podSelector, namespaceSelector } of peers) {
    if (ipBlock !== undefined) {
      cidrs.push({ cidr: ipBlock.cidr, ...(ipBlock.except === undefined ? {} : { except: ipBlock.except }) });
      continue;
    }
    const pods = sourced(podSelector ?? {}, 'k8s');
    if (namespaceSelector === undefined) {
      endpoints.push(sourced(podSelector ?? {}, 'k8s', { [namespaceKey]: namespace }));
      continue;
    }
    const namespaces = sourced(
      {
        matchLabels: Object.fromEntries(
          Object.entries(namespaceSelector.matchLabels ?? {}).map(([key, value]) => [`io.cilium.k8s.namespace.labels.${key}`, value]),
        ),
        matchExpressions: (namespaceSelector.matchExpressions ?? []).map((expression) => ({
          ...expression,
          key: `io.cilium.k8s.namespace.labels.${expression.key}`,
        })),
      },
      'k8s',
    );
    const isEverywhere = Object.keys(namespaces).length === 0;
    const matchLabels = { ...((namespaces['matchLabels'] ?? {}) as object), ...((pods['matchLabels'] ?? {}) as object) };
    const matchExpressions = [
      ...((namespaces['matchExpressions'] ?? []) as readonly unknown[]),
      ...((pods['matchExpressions'] ?? []) as readonly unknown[]),
      ...(isEverywhere ? [{ key: namespaceKey, operator: 'Exists' }] : []),
    ];
    endpoints.push({
      ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
      ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
    });
  }
  return {
    ...(endpoints.length === 0 ? {} : { [`${word}Endpoints`]: endpoints }),
    ...(cidrs.length === 0 ? {} : { [`${word}CIDRSet`]: cidrs }),
  };
}
